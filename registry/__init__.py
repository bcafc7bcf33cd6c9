"""Who holds which right in which data. No money here, and no transaction hash.

party → asset → rights → form → precheck → application → objection → certificate → catalogue

- `errors` names what can go wrong.
- `party`: organisations, staff and connectors, and the keys they sign with.
- `asset`: the description of the data and the digest of its content.
- `rights`: which right on which ground, as a table.
- `scheme`: the rule set with its clocks; `calendar`: working days, legal dates, pauses.
- `form`: what the applicant files and what is published; `precheck`: what a machine can say about it.
- `objection`: who objects and what was decided.
- `case`: where an application stands; `conditions`: the guards of its moves; `application`: the table of moves.
- `code`: the 15-character code; `numbering`: how many of a month's codes are used.
- `certificate`: deposit record, register entry, status.
- `telling`: what the agency tells of a certificate when its state changes.
- `document`: the certificate as PDF and JSON; `catalogue`: what the public sees.
- `cards`: 数据资产卡片, what a holder keeps about an asset, linked to certificates and products.
- `duties`: what the agency owes for being one; `handover`: how it leaves and another takes its register over.
- `national`: how publicity, deposit and results go to the national system and its receipts come back.
- `retention`: until when files are kept, renewing proofs, deletion by two persons.
- `parcel`: a zip with a manifest of digests, for whatever leaves the house as files.
- `likeness`: is this data registered already, perhaps in disguise?
- `tables`, `store`, `service`: views of the facts, queries, and the calls from outside.
- `onchain`: how a register entry is written to the RightsRegistry contract; `onchain_status`: how its status is, and
  what it was at any instant; `proof`: how a bundle of it is checked.
"""
