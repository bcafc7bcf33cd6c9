"""What was agreed, used, priced, shared and paid.

listing → agreement → usage → metering → pricing → sharing → journal → settlement → audit

- `money` holds integer fen and is the only file that divides them
- `terms` are tariff, plan and period rules as values, copied into every agreement (D32)
- `errors` is the family of what can go wrong
- `market`: a product is listed and an agreement signed
- `usage`: each call is recorded by a connector, admitted once and counted into a meter reading
- `pricing`: quality, information and element price, and the cap
- `settlement`: charge, shares, journal, statement, netting, payment, close and audit
"""
