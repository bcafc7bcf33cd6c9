"""Who holds which right in which data. No money here, and no transaction hash.

asset → party → rights → scheme → form → certificate → precheck → application → objection → succession → catalogue

Values and rules:

- `errors` names what can go wrong.
- `asset`: the description of the data and the digest of its content.
- `party`: who takes part, organisations and natural persons, and the keys they sign with.
- `rulefile`: the rule sets as shipped, one JSON file a version in `rules/`; `industry`: the table of GB/T 4754.
- `rights`: which right on which ground, as a table.
- `scheme`: the rule sets as values, chosen by date; `calendar`: working days, legal dates, pauses; `clocks`: C01…C20.
- `form`: what the applicant files and what is published; `precheck`: what a machine can say about it; `personal`:
  tells of personal data in a sample; `sheet`: the rows of a workbook.
- `code`: the 15-character code; `numbering`: the counter of a month's codes.
- `certificate`: deposit record, register entry, ending, status; `telling`: what is told when the status changes.
- `objection`: who objects and what was decided.
- `case`: where an application stands; `succession`: what a later registration makes of the entry in force.
- `moves`: what a table of moves is; `conditions`: the guards of an application's moves; `application`: its table.
- `document`: the certificate as PDF and JSON; `seal`: the agency's seal, `pades`: its signature on the PDF;
  `credential`: the same for machines.
- `catalogue`: what the public sees; `worklist`: what waits for whom, least time left first.

Views: `tables`, `projecting` (how facts are folded into them), `store` (the questions asked of them).

Calls from outside, in the order of the seven steps: `agency` (for whom the house works), `signers` (whose key),
`stating` (how a statement becomes a fact), `admitting`, `holding`, `entries`, `validity`, `filing`, `moving`,
`depositing`, `issuing`, `answering`, `waiting`. Each takes the session and the instant `at` (seconds UTC); none
commits. A statement sent again gets the first fact back (`Appended.replayed`), the same act number with other content
raises `ledger.errors.Conflict`, a statement written against an older state `ledger.errors.Stale`.

Areas of their own:

- `intake`: papers, drafts and ten thousand rows of a workbook, before anything is a fact.
- `likeness`: is this data registered already, perhaps in disguise?
- `afterlife`: remarks and encumbrances, objections after registration, grounds of what the agency itself decides.
- `search`: finding certificates by any piece of a word; `statistics`: how many there are, of which sort.
- `inspection`: access to the files, with a purpose, logged; `foreign`: certificates that others issued.
- `cards`: 数据资产卡片, what a holder keeps about an asset, linked to certificates and products.
- `duties`: what the agency owes for being one; `handover`: how it leaves and another takes its register over.
- `national`: how publicity, deposit and results go to the national system and its receipts come back.
- `retention`: until when files are kept, renewing proofs, deletion by two persons.
- `parcel`: a zip with a manifest of digests, for whatever leaves the house as files.
- `rulebook`: working days and rule-set versions as facts that two members of staff sign.
- `onchain`: how a register entry is written to the RightsRegistry contract; `onchain_status`: how its status is, and
  what it was at any instant; `proof`: how a bundle of it is checked.
"""
