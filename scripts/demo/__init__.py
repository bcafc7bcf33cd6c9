"""The demonstration: a whole small market on one machine, every counterparty a process of its own (演示).

`features` makes the data, `world` and `stage` start the processes and move the time, `papers` holds what parties write,
`story` plays the journey with `month`, `clearing_day` and `hard_month` as its long parts, `forgery` tries to cheat the
verifier. The timeline is fixed: it begins on 3 August 2026 (decisions D42).
"""
