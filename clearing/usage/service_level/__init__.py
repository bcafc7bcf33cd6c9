"""How well a product was served: outages as signed statements, calls as their connectors measured them, checks.

notice → measure → service

- `notice`: planned outages with notice and consent, incidents, results of checks; the table of their moves.
- `measure`: availability, latency, passed shares and time to restore as pure functions of what was stated.
- `tables`, `store`, `service`: views of the facts, queries, what a party and what everybody may see.

Decisions taken here: nothing is measured that is not in the facts, and nothing is stored that follows from them; a
planned outage counts as planned for an agreement only if it was announced early enough and its consumer consented, both
before it began by our own clock; an incident that a consumer reports counts until the seller contests it, then it is
listed and left out; while it is open it lasts to the end of the period; percentiles are of the nearest rank; numbers
that fewer than three consumers stand behind are published as an order of magnitude, because they would be the count of
one of them.
"""
