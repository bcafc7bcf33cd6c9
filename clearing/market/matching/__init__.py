"""Matching 供需匹配: which products on the shelf answer a demand, in which order, and why.

overlap → score → tables → store → service

- `overlap`: how much of a text, a period of time, an area is there, as exact fractions.
- `score`: the hard filters with their counts, the weighted components, the order: one table each.
- `tables`: the rankings that were kept.
- `store`: folding them into rows.
- `service`: a ranking made of what shelf and register say at this moment, and kept as a fact.

Decisions taken here (P): every share is of what was wanted, not of what there is; a component that cannot be judged is
未评 and has no weight; a product without a value in any component comes last; there is no paid place in a ranking, and
none is offered. Nobody has a credit grade yet, and prices stand in no listing but free ones: these components are 未评
for now. The service level is the availability of the last whole month over the published target, handed in by whoever
calls, for usage comes after the market.
"""
