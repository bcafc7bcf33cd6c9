"""Is this data already registered, perhaps under another name? Exact digest first, then a sketch of rows and columns.

reading → columns → sketch → compare

- `reading`: a data file as columns of codes; the one stage here that touches files.
- `columns`: what a value is, whatever its unit or spelling: two 64-bit names for each value.
- `sketch`: the smallest names over rows, for many small groups of columns; groups that two disjoint halves of the very
  table share are thrown away, so a sketch does not find what is merely of the same sort.
- `fingerprint`: a sketch as a fact, and the report.
- `compare`: how much of one table's rows another one holds, and whether a person should look.
- `tables`, `store`, `service`: sketches as facts, the search for candidates, the report to the reviewer.

A sketch tells rows only to who has them: 64-bit names, the smallest 64 of each group. It stands in the parts of a fact
and is never published. A similar table of another holder is a reason to look (guide art. 39(二), PC-25), never a
ground for refusal by itself: several holders may hold rights in the same data (art. 21).
"""
