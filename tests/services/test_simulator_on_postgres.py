"""The same market as in `tests/clearing/settlement/test_simulator.py`, with the same checks, on a PostgreSQL server."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.clearing.settlement.test_simulator import lived
from tests.counts import few

pytestmark = pytest.mark.services

DAYS = few(40)


def test_business_days__on_postgresql__every_invariant_after_every_step(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SHUQING_SEED", 0)) or secrets.randbits(32)
    m = lived(seed, address, DAYS, tmp_path)
    with capsys.disabled():
        print(f"\nseed {seed}: {dict(m.done)}; killed {dict(m.killed)}")
    assert sum(m.killed.values()) > 0
    assert any(cycle.state == "closed" for cycle in m.model.cycles.values())
