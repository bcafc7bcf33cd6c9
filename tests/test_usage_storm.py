"""kill -9 of the server while 32 connectors send, three in ten submissions repeated: 0 lost, 0 double (issue 3)."""

from __future__ import annotations

from pathlib import Path

from tests.counts import rounds
from tests.telling import Tell
from tests.usage_storm import WRITERS, storm

BATCHES, KILLS = rounds(5), rounds(2)


def test_storm__server_killed_while_32_connectors_send__nothing_lost_nothing_double(tmp_path: Path, tell: Tell) -> None:
    tally = storm(tmp_path / "home", BATCHES, KILLS)
    tell(
        f"{KILLS} kills, {WRITERS} writers, {len(tally.answers)} batches answered, {tally.repeated} repeated with"
        f" the first answer, {tally.lost_connections} connections lost: 0 lost, 0 double"
    )
    assert tally.repeated > WRITERS * BATCHES // 5
    assert tally.lost_connections
