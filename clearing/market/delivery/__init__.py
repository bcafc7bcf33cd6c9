"""What was handed over under an agreement, and how much of it counts: from delivery and receipt to a decision.

act → moves → accepting → service

- `act`: what each side says, as values and signed statements.
- `moves`: where each item stands, the one table, the clock of the inspection, the quantities.
- `accepting`: when each part was accepted and by which act, which is what settlement bills.
- `tables`, `store`, `service`: views of the facts, queries, and the calls from outside.

Decisions taken here: an item moves by itself, a delivery stands where the item stands that keeps it open; whoever
objects to a part of an item accepts the rest of it; what silence brings about is computed for the second that is asked
about and never stored, so nothing waits for a timer and the same facts give the same answer; no silence counts before a
receipt, nor while the calendar of a year is not published; natural days that end on a day off end on the next working
day (民法典 203); 0 days agreed, or quality that shows only in use, means the two years of 民法典 621, and only they
bind; the licensed version is delivered and no other; a re-delivery carries exactly what is in dispute; a delivery that
was withdrawn was none. Settlement reads `service.accepted_under` and nothing else, of terms that bill by acceptance.
"""
