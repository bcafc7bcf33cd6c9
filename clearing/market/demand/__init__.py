"""Demands 需求: what somebody looks for, from the first statement of it to the report on how it was met.

demand → moves → tables → store → service

- `demand`: a demand, its budget and what is done with it, as values.
- `moves`: states, moves and who may take them; the case a demand's statements fold into; the figures of 绩效分析.
- `tables`: a demand as it stands, its line for the search, its budget.
- `store`: folding statements into them, and the questions asked.
- `service`: statements, moves, what the clock brings about, what the public, a party and the operator see.

Decisions taken here (P): a demand is merged by naming the demand it goes along with, so it keeps its own demander,
chain and evaluation, and leaves again when that other ends; its parts are the owners' to claim within five days, after
which the operator's system key escalates them; the budget is a fact of its own, so that no bundle of the demand shows
it; drafts are nobody's but the demander's and the operator's.
"""
