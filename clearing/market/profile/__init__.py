"""数商 profiles: what a party says it is, what it has in force, and what those it dealt with say of it.

kinds → profile → tables → store → service

- `kinds`: the kinds of 数商 in one table with the words of three classifications.
- `profile`: a declared profile, an evaluation of a concluded deal and the answer to it, as values.
- `tables`: profiles and evaluations as they stand.
- `store`: folding them into rows, and the questions asked.
- `service`: statements taken in, and the page of a party.

Decisions taken here (P): a kind is an attribute and never asked by anything that permits or refuses; of a deal each
side evaluates the other once, for good, and the other answers once; the ground of an evaluation is a concluded
agreement under which something was delivered, which the caller of `service.evaluate` tells; statistics and credit are
computed by settlement (D37), whose published grade is handed to `service.view`; of whom it has none the page says
未评级.
"""
