"""Objections of people without a key, and pricing cases: operational, never facts. Drafts lie in
`registry.intake.tables`."""

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


class PricingCaseRow(SQLModel, table=True):
    """A price being worked out: of which organisation (USCC), for which element and version, under which domain and
    stage. `counted` are the integers of the data file `name` (canonical JSON of `manifest.Counted`); the file itself is
    never kept. `typed` is the form as typed (JSON), `made_by` who began it."""

    __tablename__ = "pricing_case"
    id: str = _column(String(32), key=True)
    organisation: str = _column(String(18), index=True)
    element: str = _column(String(200))
    version: int = _column(BigInteger)
    domain: str = _column(String(200))
    stage: str = _column(String(16))
    name: str = _column(String(200))
    made_by: str = _column(String(240))
    updated_at: int = _column(BigInteger)
    typed: str = _column(Text)
    counted: str = _column(Text)
