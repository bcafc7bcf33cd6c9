"""The demonstration: a whole small market on one machine, every counterparty a process of its own (演示).

`features` makes the data, `world` starts the processes and moves the time, `story` plays the journey, `forgery` tries
to cheat the verifier. The timeline is fixed: it begins on 3 August 2026 (decisions D42).
"""
