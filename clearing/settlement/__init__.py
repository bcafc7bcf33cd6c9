"""From a counted quantity to money in a bank account and the proof of it, in the order the files are read.

rating → sharing → correcting → journal → invoice → statement → netting → notice → cycle → payment → close → tracing →
audit → reporting

- `rating` prices a meter reading, rounded once, net and tax apart
- `sharing` divides each charge; nobody is ever a whole fen off (D33)
- `correcting` reads an earlier period again, reverses and charges anew, gives back part of a charge
- `journal` posts each event as a transaction that balances or cannot exist
- `invoice` turns the tax of a charge into something owed
- `statement` is part A: opening, lines, closing and the obligations to confirm
- `netting` makes one position per party, the transfers, and a Merkle-sum proof (D36)
- `notice` is part B: the position with its proof
- `cycle` is the order of states and their clocks
- `payment` writes instructions and reads bank files
- `close` is what operator and auditor sign at the end; `onchain` takes it to SettlementBook (D23)
- `proof` checks what only settlement knows when its bundles are verified (D40)
- `dispute`: a complaint about delivery, use or a charge, negotiated, mediated or decided; `hold` says what waits
  meanwhile, `disputed` freezes, releases and gives back
- `reporting`: the list of deals, credit, activity, contribution and the assessment report, each as of a second, with
  what it was computed from, and objections to them
- `workbook` renders a statement as XLSX, `trial` computes a case without a database
- `tracing` leads from a statement's line back to the facts it follows from
- `audit` recomputes a cycle from agreements and usage records alone
- `tables`, `store` and `service` hold rows, queries and steps

Decisions. Journal rows are derived from facts, never facts themselves, so the audit compares them for free. A plan is
evaluated on the cumulative revenue of its version, so caps and cost recovery need no state beyond one number. Readings,
charges and shares are system-signed facts; confirmations, invoices, payment approvals and the close carry the
signatures of those who state them.
"""
