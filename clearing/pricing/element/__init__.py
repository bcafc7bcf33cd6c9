"""数据元件: its versions, their review and publication as signed facts. Source: pricing.md §9, §12, §14 row 22.

element → moves → tables → store → service

- `element`: what a developer states of a version, the identifier with its check character, what a move carries.
- `moves`: one table of state, move and actor, and the case folded from it.
- `tables`, `store`, `service`: the views of the facts, queries, and the calls from outside.

Decisions taken here: a state is that of a version, so an old version stays 已发布 while a new one is worked on, and
after that one is published too, until somebody takes it down. One version at a time is worked on. 下架 is final for a
version; what comes after it is a new version with a review of its own. A version may be stated anew while it is 开发中,
never later. Reviewers are staff of the market's operator, of a supervisor where the operator itself develops.
Certificate, asset card and listing have lives of their own: they are linked, nothing here moves them, and running
agreements go on.
"""
