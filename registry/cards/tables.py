"""Cards, what they refer to, and their lines, as views of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String, Text
from sqlmodel import SQLModel

from registry.tables import derived


class CardRow(SQLModel, table=True):
    """A card; `card` is the whole of it as canonical JSON."""

    __tablename__ = "card"
    id: str = derived(String(32), key=True)
    holder: str = derived(String(64), index=True)
    name: str = derived(String(200))
    state: str = derived(String(16))
    changed_at: int = derived(BigInteger)
    card: str = derived(Text)


class CardCertificateRow(SQLModel, table=True):
    """A certificate that a card refers to, now."""

    __tablename__ = "card_certificate"
    card: str = derived(String(32), key=True)
    issuer: str = derived(String(64), key=True)
    number: str = derived(String(200), key=True)
    paper_type: str = derived(String(40))
    version: int = derived(Integer)
    status: str = derived(String(200))
    as_of: int = derived(BigInteger)


class CardLineRow(SQLModel, table=True):
    """A line of the card's ledger: one act."""

    __tablename__ = "card_line"
    card: str = derived(String(32), key=True)
    no: int = derived(Integer, key=True)
    move: str = derived(String(4))
    at: int = derived(BigInteger)
    text: str = derived(Text)
    fact_id: str = derived(String(64))
