"""The benchmarks behind `make bench`, one file for each part of the ledger; `scripts/bench_ledger.py` runs them all.

Every figure is a median of `RUNS` runs with its recipe beside it; where there is one, the same work without evidence is
measured in the same run.
"""

NOW = 1_785_000_000
ORIGIN = "shuqing/bench"
RUNS = 5
