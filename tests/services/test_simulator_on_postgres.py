"""The same market as in `tests/clearing/settlement/test_simulator.py`, with the same checks, on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clearing.settlement.test_simulator import DAYS, lived, seed_of_run
from tests.counts import rounds

pytestmark = pytest.mark.services


@pytest.mark.parametrize("run", range(rounds(1)))
def test_business_days__on_postgresql__every_invariant_after_every_step(
    run: int, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = seed_of_run()
    m = lived(seed, address, DAYS, tmp_path)
    with capsys.disabled():
        print(f"\nseed {seed}: {dict(m.done)}; killed {dict(m.killed)}")
    assert sum(m.killed.values()) > 0
    assert any(cycle.state == "closed" for cycle in m.model.cycles.values())
