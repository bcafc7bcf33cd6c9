"""What was agreed, used, priced, shared and paid.

listing → agreement → usage → metering → rating → sharing → journal → statement → netting → payment → close → audit

- `money` holds integer fen and is the only file that divides them
- `terms` are tariff, plan and period rules as values, copied into every agreement (D32)
- `errors` is the family of what can go wrong
- `market`: a product is listed and an agreement signed
- `usage`: each call is recorded by a connector, admitted once and counted into a meter reading
- `pricing`: quality, information, element price and cap; advice beside the line above, never part of a bill
- `settlement`: charge, shares, journal, statement, netting, payment, close and audit

Each part lists its files in reading order; `README.md` holds the decisions that concern all of them.
"""
