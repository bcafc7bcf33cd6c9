"""How this house speaks with 国家数据产权登记服务系统 (guide art. 6, 24, 26; registration.md 6.1).

exchange → interface → service

Publicity, deposit and the prevailing record are the national system's; its interface is not published. What we ask of
it and what it answers are therefore values of our own, carried by whatever connection there is. Our log and chain are
parallel evidence: 参照，以国家系统存证为准.

- `exchange`: the values and kinds of fact that go over and come back; the package of everything that waits.
- `interface`: what any connection must offer, and the one by files, whose answers come with the next import.
- `tables`, `store`: receipts and packages folded from facts; what still waits.
- `service`: makes packages, takes in receipts.
"""
