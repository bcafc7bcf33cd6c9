"""The market's shelf: listings from submission to retirement, the search of what is on it, announced samples.

tables → store → service

- `tables`: a listing as it stands with its versions, its line for the search, announcements of samples.
- `store`: folding statements into them, and the questions asked.
- `service`: submission, moves, what the clock brings about, announcements, what the public sees.

What a product says is in `clearing.market.product`, what stops it in `gates`, the table of moves in `listing_moves`.
Search is that of the register (`registry.search`), over lines of our own.
"""
