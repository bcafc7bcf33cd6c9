"""免费共享: the unpaid way to a product, from an application to its end (the sharing path of exchange.md §3.1).

request → moves → tables → store → service

- `request`: an application and what is done with it, as values.
- `moves`: states, moves and who may take them; the case its statements fold into.
- `tables`: applications as they stand.
- `store`: folding statements into them, and the questions asked.
- `service`: applications, moves, what the clock brings about.

Decisions taken here (P): only products whose price regime is 免费 go this way; the operator's demand officer screens
and accepts, the seller approves and grants; data that tells of persons always needs the second grant, for trade secrets
and data passed down the seller says so when it approves; a grant ends by the clock, by either side, or is revoked by
the seller, and a withdrawal by the applicant is another event than that. A grant is no agreement and is not metered.
"""
