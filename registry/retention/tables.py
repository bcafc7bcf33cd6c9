"""Renewals and approved deletions as views of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String
from sqlmodel import SQLModel

from registry.tables import derived


class RenewalRow(SQLModel, table=True):
    """A renewal of the proof of a head."""

    __tablename__ = "proof_renewal"
    size: int = derived(BigInteger, key=True)
    no: int = derived(Integer, key=True)
    at: int = derived(BigInteger)
    algorithm: str = derived(String(20))
    content: str = derived(String(128))
    fact_id: str = derived(String(64))


class DeletionRow(SQLModel, table=True):
    """A deletion that two persons approved."""

    __tablename__ = "deletion_approval"
    fact: str = derived(String(64), key=True)
    at: int = derived(BigInteger)
    ground: str = derived(String(500))
    basis: str = derived(String(500))
    fact_id: str = derived(String(64))
