"""Foreign certificates, their checks and links, as views of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String
from sqlmodel import SQLModel

from registry.tables import derived


class ForeignRow(SQLModel, table=True):
    """A foreign certificate as it stands after its last check; `as_of` and what follows are "" or 0 before the first.

    `valid_until` is what the paper or, later, its issuer says ("" = not said).
    """

    __tablename__ = "foreign_certificate"
    id: str = derived(String(32), key=True)
    issuer: str = derived(String(64))
    issuer_name: str = derived(String(200))
    paper_type: str = derived(String(20))
    number: str = derived(String(64))
    version: str = derived(String(20))
    holder_name: str = derived(String(200))
    holder_id: str = derived(String(200))
    data_name: str = derived(String(200))
    valid_until: str = derived(String(10))
    state: str = derived(String(12))
    method: str = derived(String(20))
    as_of: int = derived(BigInteger)
    evidence: str = derived(String(64))
    evidence_sm3: str = derived(String(64))
    imported_at: int = derived(BigInteger)
    fact_id: str = derived(String(64))
    check_id: str = derived(String(64))
    __table_args__ = (Index("ix_foreign_certificate_number", "number", "paper_type"),)


class ForeignLinkRow(SQLModel, table=True):
    """An application that names a foreign certificate as an earlier registration of the same data (art. 41), as its
    link number `no`."""

    __tablename__ = "foreign_link"
    application: str = derived(String(32), key=True)
    foreign: str = derived(String(32), key=True)
    no: int = derived(Integer)
    fact_id: str = derived(String(64))
