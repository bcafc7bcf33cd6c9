"""What waits at the signature desk: operational, never facts; what is signed in full becomes a fact of the log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, String, Text
from sqlmodel import Field, SQLModel


def _column(type_: Any, *, key: bool = False, index: bool = False) -> Any:
    info = {"class": "operational"}
    return Field(sa_column=Column(type_, primary_key=key, index=index, nullable=False, info=info, autoincrement=False))


class WaitingStatement(SQLModel, table=True):
    """A drafted statement: its canonical text with its parts (a canonical list of texts), what has become of it."""

    __tablename__ = "waiting_statement"
    id: str = _column(String(32), key=True)
    title: str = _column(String(200))
    kind: str = _column(String(64))
    subject: str = _column(String(240), index=True)
    statement: str = _column(Text)
    parts: str = _column(Text)
    note: str = _column(Text)
    drafted_by: str = _column(String(240), index=True)
    drafted_at: int = _column(BigInteger)
    back: str = _column(String(400))
    outcome: str = _column(String(12), index=True)
    text: str = _column(Text)


class WaitingSignature(SQLModel, table=True):
    """One place to sign; `signature` is "" until it is given. With an `address` a contract checks the act: `typed` is
    the signature of that address."""

    __tablename__ = "waiting_signature"
    statement: str = _column(String(32), key=True)
    place: int = _column(Integer, key=True)
    signer: str = _column(String(240))
    role: str = _column(String(64))
    organisation: str = _column(String(18))
    address: str = _column(String(42))
    signature: str = _column(Text)
    typed: str = _column(Text)
    __table_args__ = (Index("ix_waiting_signature_signer", "signer"),)
