"""An agency leaves, another one takes its register over (guide art. 13; registration.md 1.8, H-01 … H-09).

leaving → service

- `leaving`: the moves of an exit as a table, their conditions and clocks (C15, C16, C17), what each act carries.
- `tables`, `store`: the exit and who keeps which certificate, folded from facts; which logs came before.
- `service`: takes acts in; what the next act of a hand-over must say.

The receiver continues the leaving agency's facts in an installation of its own: certificates keep code, state and
validity; the custodian changes and nothing else. A log's private keys are never handed over: the receiver's heads go on
from the last one under its own name, and the exit says whose keys the earlier heads have.
"""
