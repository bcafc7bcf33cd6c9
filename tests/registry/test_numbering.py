"""Codes are given out one by one: 32 writers at once, no number twice, no gap, and a person is told in time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from api import bootstrap
from registry.code import LAST_SERIAL
from registry.errors import CodeExhausted
from registry.numbering import Allocation, last_serial, take_serial
from registry.tables import CodeCounterRow
from tests.counts import few

WRITERS = 32


@pytest.mark.clause("G26", "I-25")
def test_serials__32_writers_some_rolled_back__every_number_once_and_none_left_out(tmp_path: Path) -> None:
    engine = bootstrap.engine(f"sqlite:///{tmp_path / 'codes.db'}", write=True)
    SQLModel.metadata.create_all(engine)
    start = threading.Barrier(WRITERS)

    def work(number: int) -> list[int]:
        start.wait()
        seen = []
        for turn in range(few(4)):
            with Session(engine) as session:
                serial = take_serial(session, "33", "1", "202611")
                if (number + turn) % 5 == 0:
                    session.rollback()
                    continue
                session.commit()
                seen.append(serial)
        return seen

    with ThreadPoolExecutor(WRITERS) as pool:
        taken = [serial for seen in pool.map(work, range(WRITERS)) for serial in seen]
    with Session(engine) as session:
        assert last_serial(session, "33", "1", "202611") == len(taken)
    assert sorted(taken) == list(range(1, len(taken) + 1))
    engine.dispose()


@pytest.mark.clause("G26", "I-25")
def test_serials__last_three_for_32_writers__three_get_one_and_the_others_an_error(tmp_path: Path) -> None:
    engine = bootstrap.engine(f"sqlite:///{tmp_path / 'codes.db'}", write=True)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(CodeCounterRow(region="33", agency="1", month="202611", last=LAST_SERIAL - 3))
        session.commit()

    def work(_: int) -> int:
        with Session(engine) as session:
            try:
                serial = take_serial(session, "33", "1", "202611")
            except CodeExhausted:
                return 0
            session.commit()
            return serial

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = sorted(pool.map(work, range(WRITERS)))
    assert answers == [0] * (WRITERS - 3) + [LAST_SERIAL - 2, LAST_SERIAL - 1, LAST_SERIAL]
    engine.dispose()


@pytest.mark.parametrize(("last", "alarming"), [(0, False), (7999, False), (8000, True), (9999, True)])
def test_allocation__from_four_fifths_on__a_person_must_know(last: int, alarming: bool) -> None:
    used = Allocation("33", "1", "202611", last)
    assert (used.alarming, used.left) == (alarming, LAST_SERIAL - last)
