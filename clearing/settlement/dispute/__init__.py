"""A dispute between two parties of an agreement, as far as it goes without anybody deciding: a complaint about delivery
or use, with the facts it rests on, the other side's answer, and its withdrawal.

opening → service

- `opening`: what the two sides say, as values and signed statements; where the dispute stands.
- `tables`, `store`, `service`: views of the facts, queries, which facts are evidence, and the calls from outside.

It stands in settlement because disputes belong to clearing (decisions D37): negotiation, mediation, decision and what
they do to money are to be built on the states here. Decisions taken here: the evidence is a list of digests inside the
signed complaint, so it is frozen with it; it must hold every fact of what is complained about, so nobody leaves out
what speaks against it; further facts may be added if they name the agreement; nothing stops for a complaint.
"""
