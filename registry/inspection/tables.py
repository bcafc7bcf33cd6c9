"""Requests to look at files, and the log of what was handed out, as views of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String, Text
from sqlmodel import SQLModel

from registry.tables import derived


class InspectionRow(SQLModel, table=True):
    """A request and what was decided; `papers` are those asked for, then those granted, by spaces.

    `since` is the instant from which papers are handed out, `clerk` and `decided_by` are "staff:…" or "".
    """

    __tablename__ = "inspection"
    id: str = derived(String(32), key=True)
    matter: str = derived(String(60), index=True)
    reader_id: str = derived(String(64), index=True)
    basis: str = derived(String(10))
    status: str = derived(String(10))
    papers: str = derived(Text)
    clerk: str = derived(String(80))
    decided_by: str = derived(String(80))
    asked_at: int = derived(BigInteger, index=True)
    since: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class InspectionLogRow(SQLModel, table=True):
    """One paper that was handed out."""

    __tablename__ = "inspection_log"
    inspection: str = derived(String(32), key=True)
    no: int = derived(Integer, key=True)
    matter: str = derived(String(60), index=True)
    reader: str = derived(String(200))
    reader_id: str = derived(String(64))
    basis: str = derived(String(10))
    purpose: str = derived(Text)
    paper: str = derived(String(80))
    sha256: str = derived(String(64))
    mark: str = derived(String(80))
    decided_by: str = derived(String(80))
    at: int = derived(BigInteger, index=True)
    fact_id: str = derived(String(64))
