"""Brokers 数据经纪: who acts for whom under which mandate, for what commission, and never signs an agreement for them.

mandate → tables → store → service

- `mandate`: a mandate and its ending, as values, and what it allows.
- `tables`: mandates as they stand.
- `store`: folding them into rows, and the questions asked.
- `service`: mandates taken in and ended; whether a broker may act, asked by demands and negotiations.

Decisions taken here (P): a broker is a party with the role `broker` in its party/v1, which the registration agency
signs; a mandate is signed by both, so that the broker's word on its commission stands in it; a broker that holds
mandates of both sides of a deal acts in it only if both mandates say that they know; it is never itself the other side.
"""
