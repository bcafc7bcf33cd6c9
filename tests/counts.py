"""How many examples a property test draws, and how many rounds of real processes a storm has, by day and by night."""

from __future__ import annotations

import os

NIGHT = bool(os.environ.get("SHUQING_NIGHTLY"))


def few(count: int) -> int:
    """`count` in `make test`, twenty times that in `make nightly`."""
    return count * 20 if NIGHT else count


def rounds(count: int) -> int:
    """`count` in `make test`, five times that in `make nightly`: a round kills and starts processes, and waits."""
    return count * 5 if NIGHT else count
