"""From a call that was metered to a quantity that may be billed.

record → batch → held → intake → control → metering

- `record`: one use, chained to the one before by the connector that saw it.
- `batch`: a run of records under one signature; the header is the fact, the records are its parts.
- `held`: a record that came alone: provable at once, billed once a batch of its connector repeats it.
- `intake`: the class of an admitted record; only class OK is billed.
- `control`: counters that decide at the connector, and the alarms of the platform.
- `metering`: admitted records in, one reading out.
- `proof`: how a batch and a record shown from it are checked by a stranger.
- `tables`, `store`, `service`: views of the evidence, queries, and admission with a signed promise.

Decisions taken here: a batch that does not continue the record before is admitted with a FORK finding, a hole with a
GAP finding, and both block the close until they are explained (D9); (connector, seq) is unique inside the transaction,
and a request id counts once per agreement, which metering decides over all records in any order (D10); a use is judged
by the agreement as it stood when it occurred. The process around this core is `api/connector.py` (D31).
"""
