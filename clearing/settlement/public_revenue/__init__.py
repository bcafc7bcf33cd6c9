"""Non-tax revenue of public data (非税收入): assessed, notified, paid to the treasury, ticketed, allocated, given back.

proceeds → path → allocation → statements → standing → posting → book → service

- `proceeds`: one amount has one kind; what follows from it for papers, netting and the account it is paid to
- `path` is the table of states and allowed moves: 应缴核定 → 缴款通知 → 缴款到账 → 财政电子票据 → 用途清分, and 退付
- `allocation` divides a ticket by the weights of a plan of purposes, with the rounding of `settlement.sharing`
- `statements`: what each side signs, and who that is
- `standing` folds what was stated about one due into where it stands, and refuses what does not follow
- `posting` makes the journal transaction of each act
- `book` is the 台账 as rows, sums and XLSX
- `tables`, `store` and `service` hold rows, queries and the calls from outside

Decisions (P unless the specification says it). A notice is paid whole and in one payment; tickets may be several, and
are allocated only when they add up to it. One plan version is one rounding lineage over all dues, so no purpose is ever
a whole fen off; a refund is a negative amount in the lineage of its ticket. It is decided once everything is allocated,
one at a time, and counts from its decision; the treasury confirms when it is paid. A due can be withdrawn until it is
paid. What the payer says of its own bank entry opens the way to the ticket; it discharges nothing, the ticket does.
Ticket numbers and bank entries serve once in the whole installation. Non-tax accounts of the journal are kept apart:
in no statement, no obligation, no netting.
"""
