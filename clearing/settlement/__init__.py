"""From a counted quantity to money in a bank account and the proof of it, in the order the files are read.

inputs → rating → weighing → stating → sharing → guarantee → correcting → journal → invoice → statement → netting →
notice → cycle → payment → close → tracing → audit → reporting

- `inputs` is what a price needs of a period besides the quantity; each part names its evidence
- `rating` prices a meter reading, rounded once, net and tax apart
- `weighing` derives the weights of a period from contributions or Shapley values
- `stating` is what both sides sign of a period, and the charge that follows from it or is held
- `sharing` divides each charge; nobody is ever a whole fen off (D33)
- `guarantee` calls from the guarantor what a plan version that is over has not given
- `correcting` reads an earlier period again, reverses and charges anew, gives back part of a charge
- `journal` posts each event as a transaction that balances or cannot exist
- `journal_export` writes it, and its balances at any second, for programs of others
- `invoice` turns the tax of a charge into something owed
- `statement` is part A: opening, lines, closing and the obligations to confirm
- `flows` divides the obligations of one party's statement into net and tax, to be drawn
- `netting` makes one position per party, the transfers, and a Merkle-sum proof (D36)
- `notice` is part B: the position with its proof
- `cycle` is the order of states and their clocks
- `payment` writes instructions and matches what was booked; `bank_file` holds a statement file and reads its CSV form
- `pain001` writes the same instructions as ISO 20022 pain.001 for CNAPS, `camt053` reads statements of that standard,
  both through `bank_xml`, the one strict reader of XML from a bank
- `batch_sheet` is the bank's batch table as XLSX, and what the bank says of each row
- `suspense` suggests, ages and finds what no id matched; `partial` spreads what was too little; `reissue` pays again
  what came back
- `cover` is what a guarantor of a net payer states, the call of it, and what of its money counts where after a default
- `close` is what operator and auditor sign at the end; `onchain` takes it to SettlementBook (D23)
- `proof` checks what only settlement knows when its bundles are verified (D40)
- `dispute`: a complaint about delivery, use or a charge, negotiated, mediated or decided; `hold` says what waits
  meanwhile, `disputed` freezes, releases and gives back
- `service_order`: the 服务单 scheme, from score cards to what is paid for a 项目周期
- `public_revenue`: non-tax revenue, from its assessment to its purposes; never shared, taxed or netted
- `reporting`: the list of deals, credit, activity, contribution and the assessment report, each as of a second, with
  what it was computed from, and objections to them
- `workbook` renders a statement as XLSX, `trace_sheet` the 台账 that `register` fills, obligation by obligation
- `trial` computes a case without a database
- `tracing` leads from a statement's line back to the facts it follows from
- `audit` recomputes a cycle from agreements, usage records and acceptances alone
- `tables` and `store` hold rows and queries, `projecting` writes the rows; `service` is the door to the steps in
  their order: `opening`, `charging`, `asking`, `issuing`, `netted`, `covering`, `paying`, `closing`; `auditing` makes
  them again, `office` is what all of them are made of

Decisions. Journal rows are derived from facts, never facts themselves, so the audit compares them for free. A plan is
evaluated on the cumulative revenue of its version, so caps and cost recovery need no state beyond one number. Readings,
charges and shares are system-signed facts; confirmations, invoices, payment approvals and the close carry the
signatures of those who state them.
"""
