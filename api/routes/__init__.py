"""Doors over HTTP: translate, authorise, call one service, render. No route computes or commits.

- `registry`: parties, the seven steps, certificates and the public check.
- `credentials`: the agency's DID document, our JSON-LD context, the status lists.
- `market`: listings, agreements, usage batches and price quotes.
- `usage`: single usage records, which share their commits.
- `settlement`: the cycle, driven by the operator, confirmed by the parties.
- `log`: the next act of a subject, heads, bundles, and how far an entry has come.
- `tiles`: checkpoint, tiles and entries of the log as stock transparency clients read them (C2SP).
"""
