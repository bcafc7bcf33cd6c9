"""A dispute between two parties of an agreement: a complaint about delivery, use or a charge with the facts it rests
on, the other side's answer; negotiation, mediation, a decision from outside; or its withdrawal.

opening → service

- `opening`: what the two sides say, as values and signed statements; where the dispute stands.
- `tables`, `store`, `service`: views of the facts, queries, which facts are evidence, and the calls from outside.

It stands in settlement because disputes belong to clearing (decisions D37). Decisions taken here: an agreement is an
offer and its acceptance; a proposal replaces the one before; a decision is entered by two persons of the operator, at
any time; what is upheld is money only where a charge is disputed, by its buyer against the invoice issuer; the evidence
is a list of digests inside the signed complaint, so it is frozen with it; it must hold every fact of what is complained
about, so nobody leaves out what speaks against it; further facts may be added if they name the agreement; nothing stops
for a complaint.
"""
