"""Doors over HTTP: translate, authorise, call one service, render. No route computes or commits.

- `registry`: parties, the seven steps, certificates and the public check.
- `cards`: 数据资产卡片, the 台账, links of a certificate; `duties`: what the agency owes, and its exit.
- `likeness`: sketches of data and the report on similar data.
- `market`: listings, agreements, usage batches and price quotes.
- `usage`: single usage records, which share their commits.
- `settlement`: the cycle, driven by the operator, confirmed by the parties.
- `log`: the next act of a subject, heads, bundles, and how far an entry has come.
- `tiles`: checkpoint, tiles and entries of the log as stock transparency clients read them (C2SP).
"""
