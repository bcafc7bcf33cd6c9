"""Doors over HTTP: translate, authorise, call one service, render. No route computes or commits.

- `afterlife`: remarks, objections after registration, cancellation and correction by the agency.
- `registry`: parties, the seven steps, certificates and the public check.
- `registry`: parties, the seven steps, papers and the public check.
- `register`: the public register: search and statistics.
- `inspection`: access to the files, with a purpose, logged.
- `foreign`: certificates of other issuers.
- `cards`: 数据资产卡片, the 台账, links of a certificate; `duties`: what the agency owes, and its exit.
- `likeness`: sketches of data and the report on similar data.
- `rulebook`: working days and rule sets; `worklist`: what waits for the caller.
- `intake`: papers handed in, drafts, the two steps of submission, imports.
- `credentials`: the agency's DID document, our JSON-LD context, the status lists.
- `shelf`: listings and their review, samples, the search and the DCAT catalogue of what is on offer.
- `market`: agreements, usage batches and price quotes.
- `negotiation`: what the two sides of a negotiation say; `desk`: signing what waits at the signature desk.
- `dsp`: the same for peers that speak the Dataspace Protocol, and the catalogue.
- `usage`: single usage records, which share their commits.
- `reconciliation`: closes and heartbeats of connectors, and the report that compares the two sides' records.
- `settlement`: the cycle, driven by the operator, confirmed by the parties.
- `log`: the next act of a subject, heads, bundles, and how far an entry has come.
- `tiles`: checkpoint, tiles and entries of the log as stock transparency clients read them (C2SP).
"""
