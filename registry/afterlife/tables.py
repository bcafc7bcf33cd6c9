"""Views of what happens to a certificate after it was issued, all derived from facts.

`document` holds the whole folded value as canonical JSON; the columns beside it are what queries need.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Text
from sqlmodel import Field, SQLModel

from registry.tables import DERIVED


def _column(type_: Any, *, key: bool = False, index: bool = False, null: bool = False) -> Any:
    return Field(
        sa_column=Column(type_, primary_key=key, index=index, nullable=null, info=DERIVED, autoincrement=False)
    )


class RemarkRow(SQLModel, table=True):
    """A remark as it stands; `encumbers` says that its kind sets the flag, `standing` that it has not been ended."""

    __tablename__ = "remark"
    id: str = _column(String(32), key=True)
    kind: str = _column(String(16))
    encumbers: bool = _column(Boolean)
    standing: bool = _column(Boolean)
    to_day: str | None = _column(String(10), null=True, index=True)
    noted: str | None = _column(String(10), null=True)
    document: str = _column(Text)


class RemarkPlaceRow(SQLModel, table=True):
    """Where a remark stands: on a certificate ("certificate:<code>") or an application, at its rank by receipt.

    `rights` are those it hits there: after a transfer of some of them it stands in both places.
    """

    __tablename__ = "remark_place"
    remark: str = _column(String(32), key=True)
    target: str = _column(String(64), key=True, index=True)
    rank: int = _column(Integer)
    rights: str = _column(String(40))


class DisputeRow(SQLModel, table=True):
    """An objection after registration as it stands."""

    __tablename__ = "register_objection"
    id: str = _column(String(32), key=True)
    certificate: str = _column(String(15), index=True)
    state: str = _column(String(16), index=True)
    open: bool = _column(Boolean)
    filed_at: int = _column(BigInteger)
    changed_at: int = _column(BigInteger)
    document: str = _column(Text)
