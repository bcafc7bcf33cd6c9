"""How many examples a property test draws: few by day, twenty times as many at night (`make nightly`)."""

from __future__ import annotations

import os

NIGHT = bool(os.environ.get("SHUQING_NIGHTLY"))


def few(count: int) -> int:
    """`count` in `make test`, twenty times that in `make nightly`."""
    return count * 20 if NIGHT else count
