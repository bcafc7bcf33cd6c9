"""Counters of registrations, moved by every register entry; derived, as they follow from the entries alone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String
from sqlmodel import SQLModel

from registry.tables import derived


class RegistrationRow(SQLModel, table=True):
    """Under which scheme the newest version of a certificate was registered, and the last day of its validity."""

    __tablename__ = "registration"
    code: str = derived(String(15), key=True)
    version: int = derived(Integer)
    scheme: str = derived(String(40))
    last_day: str = derived(String(10))


class RegistrationCountRow(SQLModel, table=True):
    """How many registrations have this value; of "last_day", how many certificates end with this day."""

    __tablename__ = "registration_count"
    dimension: str = derived(String(20), key=True)
    scheme: str = derived(String(40), key=True)
    value: str = derived(String(60), key=True)
    count: int = derived(BigInteger)
