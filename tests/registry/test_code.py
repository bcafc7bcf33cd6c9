from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from ledger.errors import FieldError
from registry.code import is_code, month_of, numbered, read_code
from registry.errors import CodeExhausted
from registry.numbering import take_serial
from tests.registry.registry_house import moment


def test_code__parts_are_read_and_written() -> None:
    code = read_code("SJ3312026110001")
    assert (code.region, code.agency, code.month, code.serial, str(code)) == ("33", "1", "202611", 1, "SJ3312026110001")


@pytest.mark.parametrize(
    "text",
    [
        "SJ3312026110000", "SJ3312026130001", "SJ3312026000001", "sj3312026110001", "SJ33120261100011",
        "SJ331202611000１", "SJ3312026110001\n", "", "SJ3311999110001", " SJ3312026110001",
    ],
)  # fmt: skip
def test_code__malformed__is_refused(text: str) -> None:
    assert not is_code(text)
    with pytest.raises(FieldError):
        read_code(text)


def test_code__ten_thousandth__is_exhausted() -> None:
    assert str(numbered("33", "1", "202611", 9999)) == "SJ3312026119999"
    with pytest.raises(CodeExhausted, match="CODE_EXHAUSTED"):
        numbered("33", "1", "202611", 10000)


def test_code__month_is_shanghai_s() -> None:
    assert month_of(moment("2026-12-01 00:00")) == "202612"
    assert month_of(moment("2026-12-01 00:00") - 1) == "202611"


def test_serials__concurrent_writers__no_duplicate_no_gap(tmp_path: Path) -> None:
    """Eight threads, each its own connection and transaction, one of five rolled back."""
    engine = create_engine(f"sqlite:///{tmp_path / 'codes.db'}", connect_args={"timeout": 30})
    SQLModel.metadata.create_all(engine)
    taken: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        for turn in range(10):
            with Session(engine) as session:
                serial = take_serial(session, "33", "1", "202611")
                if turn % 5 == 0:
                    session.rollback()
                    continue
                session.commit()
            with lock:
                taken.append(serial)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert sorted(taken) == list(range(1, 65))
