"""How far the 9,999 codes of a region, agency digit and month have been used (annex 6; registration.md 5.1).

The counter itself is taken one by one inside the transaction that enters a certificate (`take_serial`):
a number whose transaction is rolled back was never seen by anybody and is given to the next one, so the numbers of a
month that are in the register are 1, 2, 3 … without a gap. Where the national system assigns the code, its numbers are
its own and the counter only stays above them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.code import LAST_SERIAL, read_code
from registry.errors import CodeExhausted
from registry.tables import CodeCounterRow

ALERT_PERCENT = 80
"""From this share of the month's codes on a person is told (P)."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """The codes of one region, agency digit and month ("202611"): `last` is the last serial taken, 0 for none."""

    region: str
    digit: str
    month: str
    last: int

    @property
    def left(self) -> int:
        """How many codes the month still has."""
        return LAST_SERIAL - self.last

    @property
    def alarming(self) -> bool:
        """Is so much of the month used that a person must know?"""
        return self.last * 100 >= LAST_SERIAL * ALERT_PERCENT

    def __str__(self) -> str:
        return (
            f"{self.month} 月地区 {self.region} 机构 {self.digit} 已用编码 {self.last}/{LAST_SERIAL}"
            f" / codes used this month"
        )


def take_serial(session: Session, region: str, agency: str, month: str) -> int:
    """The next serial of this region, agency digit and month, taken in the running transaction.

    The counter row is incremented in place, so two writers never get the same number: the second waits for the first,
    and a roll-back gives its number back before anybody saw it. Raises `CodeExhausted` after 9999.
    """
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"region": region, "agency": agency, "month": month, "last": 0}
    session.execute(make(CodeCounterRow).values(**row).on_conflict_do_nothing())
    last = col(CodeCounterRow.last)
    taken = session.execute(
        update(CodeCounterRow)
        .where(
            col(CodeCounterRow.region) == region,
            col(CodeCounterRow.agency) == agency,
            col(CodeCounterRow.month) == month,
            last < LAST_SERIAL,
        )
        .values(last=last + 1)
        .returning(last)
        .execution_options(synchronize_session=False)
    ).scalar()
    if taken is None:
        raise CodeExhausted(region, agency, month)
    return int(taken)


def last_serial(session: Session, region: str, agency: str, month: str) -> int:
    """The last serial taken in this region, agency digit and month; 0 before the first."""
    row = session.get(CodeCounterRow, (region, agency, month), populate_existing=True)
    return row.last if row else 0


def count_code(session: Session, text: str) -> None:
    """The counter never lies below a code that exists, also when views are rebuilt from facts."""
    code = read_code(text)
    row = session.get(CodeCounterRow, (code.region, code.agency, code.month), populate_existing=True)
    if row is None:
        session.add(CodeCounterRow(region=code.region, agency=code.agency, month=code.month, last=code.serial))
    else:
        row.last = max(row.last, code.serial)
    session.flush()
