"""备案: an agreement's revision reported to an authority, and what the authority answered. Source: exchange.md §4.7.

filing → report → tables → store → service

- `filing`: the statement of a filer, and the one table of moves.
- `report`: what is reported of a revision, and as XLSX.
- `tables`, `store`, `service`: the view of the facts, queries, and the call from outside.

Decisions taken here: filing is evidence, not formation (trap 14): it changes no agreement, and an agreement whose terms
make it a condition takes effect by its parties' act, not by a filing. The authority signs nothing here: its answer is
what the filer states under its own signature, with number, day and digest of the receipt. Prices, revenue shares and
liability are not reported; the twin digest covers them. One filing per revision; it is carried on by who began it.
"""
