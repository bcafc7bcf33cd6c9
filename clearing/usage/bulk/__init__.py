"""A month of many agreements metered at once, where the rows are too many for one by one.

plan → reading → duck, spark

- `plan`: the metering of one-sided and two-sided agreements as one SQL text, step by step.
- `reading`: the rows an engine answers, made into the readings that `read_meter` defines.
- `duck`: the default engine, DuckDB in this process, within a limit of memory.
- `spark`: the same text on a Spark cluster, through Ibis (the optional extra `scale`).

An engine aggregates and never decides: every rule stands in `plan`, and the tests hold each reading against
`read_meter`, fact for fact, on each engine.
"""
