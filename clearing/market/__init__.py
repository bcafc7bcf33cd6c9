"""From a product on the shelf to terms both sides signed.

listing → policy → negotiation → agreement

- `errors`: a closed gate, a signer who may not act.
- `listing`: one product version with the certificate it stands on, and the states of its shelf life.
- `odrl`: a policy in the words of ODRL, and read back.
- `policy`: the use policy as a document, and the one function that decides by it.
- `negotiation`: from an inquiry to an agreement that every party signed.
- `agreement`: terms as values, acts signed in both encodings, the table of what may follow what.
- `onchain`: how an act reaches AgreementRegistry; `proof`: how a bundle of it is checked.
- `tables`, `store`, `service`: views of the facts, queries, and the calls from outside.

Decisions taken here: every act of an agreement is one fact of one chain, so `prevAct` is the ledger's own link (D5,
D22); an act takes effect for use at the second it is taken in, never before; every permission of a policy must name
purposes the terms name, so text and machine policy cannot part; the seller is the party that holds 经营权, whatever
role it signs in.
"""
