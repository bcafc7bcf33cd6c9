"""PostgreSQL: the counter alone keeps 32 writers apart, also those that do not queue on the program's lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from registry.numbering import take_serial

pytestmark = pytest.mark.services
WRITERS = 32


@pytest.mark.clause("G26", "I-25")
def test_serials__32_writers_without_a_queue__every_number_once_and_none_left_out(address: str) -> None:
    engine = create_engine(address, pool_size=WRITERS)

    def work(number: int) -> list[int]:
        seen = []
        for turn in range(10):
            with Session(engine) as session:
                serial = take_serial(session, "33", "1", "202611")
                if (number + turn) % 5 == 0:
                    session.rollback()
                    continue
                session.commit()
                seen.append(serial)
        return seen

    with ThreadPoolExecutor(WRITERS) as pool:
        taken = sorted(serial for seen in pool.map(work, range(WRITERS)) for serial in seen)
    assert taken == list(range(1, len(taken) + 1))
    engine.dispose()
