"""How applications come in: papers handed in, drafts, and ten thousand rows of a workbook at once.

sniff → attachment → sealing → problems → columns → workbook → sheets → rows

- `sniff`: what a file really is, by its own bytes, and what is refused (encrypted, macros, bombs).
- `attachment`: which types a kind of paper may have, how large and how many; its record.
- `sealing`: how a paper lies on the disk, encrypted in pieces.
- `problems`: everything that is wrong with a half-typed form, field by field, in Chinese.
- `columns`: the import template as a table: heading, field of the form, rule, example.
- `workbook`: template and error file as XLSX; `sheets`: an uploaded XLSX or CSV as lines of text, or refused whole.
- `rows`: a line as the body of a draft, with every cell that is wrong named.
- `tables`, `store`, `service`: drafts, papers and imports in the database; the calls from outside.

Nothing here is a fact: a draft becomes one when its applicant signs it (`service.submit`).
"""
