"""One lease, one worker: a claim waits, a renewal lengthens, a worker that lost its lease is found out."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from ledger import incidents, leader
from ledger.errors import NotLeader
from tests.counts import few
from tests.ledger.builders import engine


def test_claim__free_held_run_out__terms_grow(session: Session) -> None:
    assert leader.current(session, "p") is None
    one = leader.claim(session, "p", "a", now=1_000, lasts=500)
    assert one == leader.Lease("p", "a", 1, 1_500) == leader.current(session, "p")
    assert leader.claim(session, "p", "b", now=1_499, lasts=500) is None
    assert leader.claim(session, "p", "a", now=1_499, lasts=500) is None, "another life of the same name waits too"
    assert leader.claim(session, "q", "b", now=1_000, lasts=500) is not None
    two = leader.claim(session, "p", "b", now=1_500, lasts=500)
    assert two is not None
    assert two.term == 2


def test_renew__ours_even_when_run_out__not_after_another_took_it(session: Session) -> None:
    one = leader.claim(session, "p", "a", now=0, lasts=500)
    assert one is not None
    one = leader.renew(session, one, now=400, lasts=500)
    assert one.until == 900
    one = leader.renew(session, one, now=2_000, lasts=500)
    leader.claim(session, "p", "b", now=3_000, lasts=500)
    with pytest.raises(NotLeader, match="b"):
        leader.renew(session, one, now=3_100, lasts=500)
    with pytest.raises(NotLeader):
        leader.require(session, one)
    leader.release(session, one)
    assert leader.claim(session, "p", "c", now=3_100, lasts=500) is None, "a stranger's release frees nothing"


def test_require__same_worker_older_term__refused(session: Session) -> None:
    one = leader.claim(session, "p", "a", now=0, lasts=500)
    two = leader.claim(session, "p", "a", now=600, lasts=500)
    assert one is not None
    assert two is not None
    leader.require(session, two)
    with pytest.raises(NotLeader):
        leader.require(session, one)


def test_release__frees_at_once(session: Session) -> None:
    one = leader.claim(session, "p", "a", now=0, lasts=500)
    assert one is not None
    leader.release(session, one)
    assert leader.claim(session, "p", "b", now=1, lasts=500) is not None


def test_claim__eight_at_once__one_gets_it(tmp_path: Path) -> None:
    made = engine(f"sqlite:///{tmp_path / 'lease.db'}")
    for round_ in range(few(10)):
        taken: list[leader.Lease] = []
        start = threading.Barrier(8)

        def claim(name: str, now: int, start: threading.Barrier = start, taken: list[leader.Lease] = taken) -> None:
            start.wait()
            with Session(made) as session:
                found = leader.claim(session, "p", name, now=now, lasts=10)
                session.commit()
            if found is not None:
                taken.append(found)

        threads = [threading.Thread(target=claim, args=(f"w{i}", round_ * 10)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [lease.term for lease in taken] == [round_ + 1]
    made.dispose()


def test_incident__opened_once_refreshed_put_right_opened_anew(session: Session) -> None:
    assert incidents.report(session, "refused", "k", "one", now=1)
    assert not incidents.report(session, "refused", "k", "two", now=2)
    assert incidents.report(session, "refused", "other", "three", now=3)
    [first, _] = incidents.open_ones(session)
    assert (first.detail, first.at, first.seen_at, first.repaired_at) == ("two", 1, 2, None)
    incidents.repair(session, "refused", "k", now=4)
    incidents.repair(session, "refused", "nothing", now=4)
    assert [found.key for found in incidents.open_ones(session)] == ["other"]
    assert incidents.report(session, "refused", "k", "again", now=5)
    assert [found.detail for found in incidents.latest(session, 2)] == ["again", "three"]
    assert [found.repaired_at for found in incidents.latest(session, 9)] == [None, None, 4]
