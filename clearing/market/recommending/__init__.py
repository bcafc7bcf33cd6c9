"""Recommendations 个性化推荐: products with the reason why each is shown, from what an organisation did, or without it.

reasons → tables → store → service

- `reasons`: the three bases, what a product has to do with them, the order.
- `tables`: searches kept for 90 days, their totals after that, who switched recommendations off.
- `store`: keeping, forgetting and reading them.
- `service`: the two lists, and the switch.

Decisions taken here (P): a search is on record only if the organisation sent it to be kept, and never names the person
who searched; one press is enough for the switch, which the operator's system key states, so that it outlives a restore;
switched off, everything kept of the organisation is gone at once. Searches are operational: nothing here is evidence of
use, and no price is looked at or touched.
"""
