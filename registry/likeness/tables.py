"""Sketches as views of facts: a row each, and the very smallest names of each group, by which others are found."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String
from sqlmodel import SQLModel

from registry.tables import derived


class FingerprintRow(SQLModel, table=True):
    """A sketch that was taken in; its groups stay in the parts of the fact. `content` is the SHA-256 of the data."""

    __tablename__ = "fingerprint"
    id: str = derived(String(32), key=True)
    content: str = derived(String(64), index=True)
    holder: str = derived(String(64), index=True)
    rows: int = derived(BigInteger)
    columns: int = derived(Integer)
    groups: int = derived(Integer)
    at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class FingerprintNameRow(SQLModel, table=True):
    """One of the smallest names of a sketch, as a signed 64-bit integer."""

    __tablename__ = "fingerprint_name"
    name: int = derived(BigInteger, key=True)
    fingerprint: str = derived(String(32), key=True)
