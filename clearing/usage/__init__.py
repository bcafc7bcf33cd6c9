"""From a call that was metered to a quantity that may be billed.

record → batch → finding → held → intake → control → reconcile → metering → closing → report

- `record`: one use, chained to the one before by the connector that saw it.
- `batch`: a run of records under one signature; the header is the fact, the records are its parts.
- `finding`: a gap or fork in a connector's chain, and what the operator says about it.
- `held`: a record that came alone: provable at once, billed once a batch of its connector repeats it.
- `intake`: the class of an admitted record; only class OK is billed.
- `control`: counters that decide at the connector, and the alarms of the platform.
- `metered`: what the next two know of an admitted record; `reconcile`: the two sides' records joined use by use, each
  in one class of §5.4; `metering`: what reconciliation bills, added up in one reading.
- `closing`: a connector's heartbeats and closes, and what is found missing at the end of its records.
- `service_level`: outages, checks and measured calls: how well a product was served in a month.
- `report`, `workbook`: the 使用对账报告 of an agreement, item by item.
- `bulk/`: the same readings for many agreements at once, by DuckDB or on Spark.
- `proof`: how a batch and a record shown from it are checked by a stranger.
- `tables`, `store`, `service`: views of the evidence, queries, and admission with a signed promise.

Decisions taken here: a batch that does not continue the record before is admitted with a FORK finding, a hole with a
GAP finding, and both block the cut-off until they are mended or explained by two persons (D9); (connector, seq) is
unique inside the transaction, and a request id counts once per agreement, which reconciliation decides over all
records in any order (D10); a use is judged by the agreement as it stood when it occurred; metering goes through
reconciliation under every billing basis, one-sided ones too. The process around this core is `api/connector/` (D31).
"""
