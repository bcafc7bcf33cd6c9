"""数据资产卡片 and 台账: what an organisation keeps about a data asset of its own (registration.md 7.4).

card → ledger_sheet → service

- `card`: the blocks of a card, its moves 入卡 → 变更 → 使用 → 处置, the three confirmations 三确.
- `ledger_sheet`: the 台账 as workbook and CSV.
- `tables`, `store`: cards folded from facts; lines that the certificates' own facts add; links to certificates.
- `service`: takes acts in.

A card and a certificate have separate lives: disposing of a card cancels nothing, and what happens to a certificate is
a line on every card that names it, read from the certificate's own facts so that nobody has to copy it. A valuation is
known here by its paper only; the five values live in `clearing` (decisions D26).
"""
