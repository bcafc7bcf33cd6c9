"""How many registrations there are, of which sort (guide art. 10, 11): figures that say what they count, and when.

figures → tables → store

- `figures`: a figure with its scope, its rule and the instant it holds for; the same as CSV.
- `tables`, `store`: counters moved by every register entry, and the figures read from them.

A total without scheme, instant and scope will disagree with another one; so each figure carries all three. What stands
in a certificate whose publicity was waived is counted in no breakdown: beside the register, a difference would tell.
"""
