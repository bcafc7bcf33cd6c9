"""Pricing: quality → information → element_price → policy → price_report → quote.

gate → quality → value → cost → price, each a pure step; a failed step stops the chain with a code, never with a price.
A guide price (指导价) is advice: nothing here writes what a party owes.

| file | does |
|---|---|
| `errors` | why pricing stopped: a code and a field, never a price |
| `arithmetic` | 50-digit Decimal context, number forms, recorded values |
| `quality` | gate, dimension scores, weights, grade |
| `information` | admission of columns, entropy, mean |
| `manifest`, `counting` | a declared data file, and its integer counts (DuckDB) |
| `element_price` | the strategy table, stage rules, the model |
| `request`, `inputs` | what is asked, read strictly |
| `policy`, `policies` | 定价口径: versioned strategies and constants |
| `cost`, `history`, `cap`, `valuation` | vouchers, arm's-length trades, government-guided caps, income approach |
| `price_case`, `sensitivity`, `price_report` | 定价报告: evidence judged, build, verify |
| `trial` | 试算 from a document, no database |
| `element` | 数据元件: versions, review, publication |
| `quote`, `tables`, `store`, `service` | the signed quote as a fact and its view |
"""
