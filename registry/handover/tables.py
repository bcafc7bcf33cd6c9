"""Exits and custody as views of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Text
from sqlmodel import SQLModel

from registry.tables import derived


class AgencyExitRow(SQLModel, table=True):
    """An agency's exit; `leaving` is the whole of it as canonical JSON."""

    __tablename__ = "agency_exit"
    agency: str = derived(String(64), key=True)
    state: str = derived(String(16))
    handed_at: int | None = derived(BigInteger, null=True)
    exited_at: int | None = derived(BigInteger, null=True)
    leaving: str = derived(Text)


class CustodyRow(SQLModel, table=True):
    """A certificate whose custodian changed (flag CUSTODIAN_CHANGED): from which agency to which, and since when."""

    __tablename__ = "custody"
    code: str = derived(String(15), key=True)
    agency: str = derived(String(64), index=True)
    custodian: str = derived(String(64))
    since: int = derived(BigInteger)
    fact_id: str = derived(String(64))
