"""From a call that was metered to a quantity that may be billed.

record → batch → intake → control → metering

- `record`: one use, chained to the one before by the connector that saw it.
- `batch`: a run of records under one signature; the header is the fact, the records are its parts.
- `intake`: the class of an admitted record; only class OK is billed.
- `control`: counters that decide at the connector, and the alarms of the platform.
- `metering`: admitted records in, one reading out.
- `tables`, `store`, `service`: views of the batches, queries, and admission with a signed promise.

Decisions taken here: a batch that does not continue the record before is admitted with a FORK finding, a hole with a
GAP finding, and both block the close until they are explained (D9); a request id counts once per agreement and side,
held by a unique constraint; a use is judged by the agreement as it stood when it occurred. The process around this
core is `api/connector.py` (D31).
"""
