"""Writers of one SQLite file take turns; who waits too long is told so and can go on afterwards."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api import bootstrap


@pytest.fixture
def address(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'writers.db'}"
    engine = bootstrap.engine(address, write=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE taken (number INTEGER)")
    engine.dispose()
    return address


def test_writer__the_one_before_never_ends__gives_up_and_can_go_on(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "PATIENCE", 1)
    engine = bootstrap.engine(address, write=True)
    with Session(engine) as first, Session(engine) as second:
        first.execute(text("INSERT INTO taken VALUES (1)"))
        with pytest.raises(OperationalError, match="locked"):
            second.execute(text("INSERT INTO taken VALUES (2)"))
        second.rollback()
        first.commit()
        second.execute(text("INSERT INTO taken VALUES (3)"))
        assert second.execute(text("PRAGMA busy_timeout")).scalar() == 1000
        second.commit()
        assert second.execute(text("SELECT sum(number) FROM taken")).scalar() == 4
    engine.dispose()


def test_writers__eight_at_once_on_engines_of_their_own__each_sees_all_before(address: str) -> None:
    def write(number: int) -> None:
        engine = bootstrap.engine(address, write=True)
        start.wait()
        for _ in range(10):
            with Session(engine) as session:
                seen = session.execute(text("SELECT count(*) FROM taken")).scalar_one()
                session.execute(text("INSERT INTO taken VALUES (:seen)"), {"seen": seen})
                session.commit()
        engine.dispose()

    start = threading.Barrier(8)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine = bootstrap.engine(address, write=False)
    with Session(engine) as session:
        assert sorted(session.execute(text("SELECT number FROM taken")).scalars()) == list(range(80))
    engine.dispose()


def test_writer__not_a_database__said_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"not a database" * 1000)
    engine = bootstrap.engine(f"sqlite:///{tmp_path / 'bad.db'}", write=True)
    with pytest.raises(Exception, match="not a database"), engine.begin():
        pass
    engine.dispose()
