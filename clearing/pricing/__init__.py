"""Pricing: quality → information → element_price → policy → price_report → quote.

gate → quality → value → cost → price, each a pure step; a failed step stops the chain with a code, never with a price.
A guide price (指导价) is advice: nothing here writes what a party owes.

| file | does |
|---|---|
| `errors` | why pricing stopped: a code and a field, never a price |
| `arithmetic` | 50-digit Decimal context, number forms, recorded values |
| `quality` | gate, dimension scores, weights, grade |
| `information` | admission of columns, entropy, mean, joint entropy |
| `manifest` | what a data file is declared to be, and its integer counts |
| `file_format`, `text_file`, `workbook`, `source_table`, `cell_text` | a file of any format, told apart and read |
| `scratch` | any of them as one table of texts (the door to DuckDB) |
| `column_types`, `binning`, `rule_counting`, `tuple_counting`, `counting` | types, bins, rules and profiles: counted |
| `declaring` | a declaration for a file nobody has declared |
| `element_price` | the strategy table, stage rules, the model |
| `request`, `inputs` | what is asked, read strictly |
| `policy`, `policies` | 定价口径: versioned strategies and constants |
| `cost`, `collection` | vouchers, and their sums by element and month |
| `history`, `cap`, `allowance` | arm's-length trades, government-guided caps, allowed revenue year by year |
| `valuation`, `replacement`, `comparables`, `approaches` | 估值 by income, cost and market, and their strategy table |
| `value_kinds` | book, appraisal, guide, deal, pledge: amounts that never mix |
| `valuation_report` | 估值报告: approaches side by side, build, verify |
| `booking`, `disclosure` | 入账: the table of acts, movements of the pools, totals by origin |
| `price_case`, `sensitivity`, `difference`, `report`, `price_report` | 定价报告: judged, built, compared, verified |
| `repricing` | a stored price asked again, from its evidence |
| `asking` | a case begun from a data file |
| `quality_report` | 质量评价报告: a document that prices and elements cite |
| `telling` | a report in words: chapters, bars and tables |
| `picturing` | the same as rows of numbers for pictures |
| `trial` | 试算 from a document, no database |
| `element` | 数据元件: versions, review, publication |
| `quote`, `tables`, `store`, `service` | the signed quote as a fact and its view |
"""
