"""Objections of people without a key: operational, never facts. Drafts lie in `registry.intake.tables`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, String, Text
from sqlmodel import Field, SQLModel


def _column(type_: Any, *, key: bool = False, index: bool = False) -> Any:
    info = {"class": "operational"}
    return Field(sa_column=Column(type_, primary_key=key, index=index, nullable=False, info=info))


class ObjectionRequestRow(SQLModel, table=True):
    """An objection left on a public page: it becomes a fact when a clerk has verified the contact and signs for it
    (decisions D14). It is against a publicity (`application`) or a registration (`certificate`, on a `ground`, about
    `rights` by spaces). `id` is also the objection's; `answer` is why it was not taken in."""

    __tablename__ = "objection_request"
    id: str = _column(String(32), key=True)
    application: str = _column(String(32), index=True)
    objector: str = _column(String(200))
    contact: str = _column(String(200))
    reason: str = _column(Text)
    papers: str = _column(Text)
    received_at: int = _column(BigInteger)
    answer: str = _column(Text)
    certificate: str = _column(String(15), index=True)
    ground: str = _column(String(20))
    rights: str = _column(String(40))
