"""From a product on the shelf to terms both sides signed.

product → sample → listing → venue → gates → listing_moves → shelf → dcat → broker → demand → gratis → matching
→ policy → promise → template → negotiation → agreement → delivery → filing → profile → recommending

- `errors`: a closed gate, a list of defects, a signer who may not act.
- `product`: what a product says about itself, in groups; `sample`: what may be seen of it before an agreement.
- `listing`: one product version with the certificate it stands on, and what is done with it, as values.
- `venue`: where it must be traded and who sets its price, by day and party; `gates`: the pre-check as a table.
- `proceeds`: taxable money or non-tax revenue, and that terms say the same as the listing.
- `listing_moves`: states, moves and who may take them; the case a listing's statements fold into.
- `shelf`: listings and samples as rows, the search, the calls from outside; `dcat`: the catalogue for other spaces.
- `broker`: who acts for whom under which mandate, for what commission.
- `demand`: what is looked for, from its statement to the report on how it was met.
- `gratis`: the unpaid way to a free product, from an application to its end.
- `matching`: which products meet a demand, in which order, and why.
- `odrl`: a policy in the words of ODRL, and read back.
- `policy`: the use policy as a document, and the one function that decides by it.
- `template`: the model texts of the four national types, what they ask, what is agreed otherwise.
- `promise`: how a delivery is inspected and which service level is promised, as values of the terms.
- `negotiation`: from an inquiry to an agreement that every party signed.
- `agreement`: terms as values, acts signed in both encodings, the table of what may follow what.
- `transfer`: opening a provider's connector to a consumer's, as states and as a signed request.
- `delivery`: what was handed over under an agreement, and how much of it was accepted.
- `filing`: an agreement reported to an authority (备案), and what was answered.
- `profile`: what a party says it is, has in force, and is said to be after a deal.
- `recommending`: products with the reason why each is shown, and the list that is the same for everybody.
- `onchain`: how an act reaches AgreementRegistry; `proof`: how a bundle of it is checked.
- `tables`, `store`, `service`: views of the facts, queries, and the calls from outside.

Decisions taken here: every act of an agreement is one fact of one chain, so `prevAct` is the ledger's own link (D5,
D22); an act takes effect for use at the second it is taken in, never before; every permission of a policy must name
purposes the terms name, so text and machine policy cannot part; the seller is the party that holds 经营权, whatever
role it signs in; a version on the shelf serves until the next one is approved, and no end of a listing reaches into a
running agreement; staff reviews in the name of the operator, for the operator's own products in that of a supervisor;
what time or a certificate brings about is stated by the operator's system key under a named rule, and told before that
by every answer; every product rests on a certificate, so services and carriers without data are not listed.
"""
