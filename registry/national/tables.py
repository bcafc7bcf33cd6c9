"""What the national system answered, and the packages it was sent, as views of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String
from sqlmodel import SQLModel

from registry.tables import derived


class PublicityReleaseRow(SQLModel, table=True):
    """A publicity text that was released; `request` is the id of the I-15 fact."""

    __tablename__ = "publicity_release"
    request: str = derived(String(64), key=True)
    application: str = derived(String(32), index=True)
    number: str = derived(String(200))
    released_at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class DepositRefusalRow(SQLModel, table=True):
    """A deposit that was refused."""

    __tablename__ = "deposit_refusal"
    record: str = derived(String(64), key=True)
    application: str = derived(String(32), index=True)
    refused_at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class NationalPackageRow(SQLModel, table=True):
    """A package; `receipt` is the fact that acknowledged it, "" until then."""

    __tablename__ = "national_package"
    number: int = derived(Integer, key=True)
    made_at: int = derived(BigInteger)
    items: int = derived(Integer)
    manifest: str = derived(String(64), index=True)
    fact_id: str = derived(String(64))
    receipt: str = derived(String(64))


class NationalResultRow(SQLModel, table=True):
    """A result that the national system has acknowledged: the fact that stated it, and in which package it went."""

    __tablename__ = "national_result"
    fact_id: str = derived(String(64), key=True)
    package: int = derived(Integer)
