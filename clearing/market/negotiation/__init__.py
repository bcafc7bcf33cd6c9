"""From an inquiry to an agreement every party signed: who said what, in which order, and what it led to.

message → moves → service

- `message`: what the two sides say, as values and signed statements.
- `dataspace`: what the Dataspace Protocol calls them.
- `moves`: where a negotiation stands, the one table of what may follow, the guards.
- `tables`, `store`, `service`: views of the facts, queries, and the calls from outside.

Decisions taken here: the provider of a negotiation is the seller of the listing, whatever role it signs the agreement
in; the lead-in (询价 to 下单) and the states of the Dataspace Protocol are one table, and an inquiry is optional; what
is agreed on is the statement of the act that concludes the agreement, frozen before anybody signs it, so one twin
digest stands in every later message and under every signature; the act comes in with FINALISE, in one transaction, and
by no other way; with a consumer that does not sign it brings nothing (D30); anchoring follows and is not waited for. A
party that changed its key after AGREED cannot sign the frozen act: the negotiation is terminated and begun anew. A
message that is an error is kept outside the facts, in the log of refusals.
"""
