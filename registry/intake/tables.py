"""Drafts, papers handed in, who looked at them, and imports: all operational (decisions D3), none of it evidence.

`draft.body` is JSON as typed. A paper's bytes lie in the home folder under its SHA-256; a row is never changed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, String, Text
from sqlmodel import Field, SQLModel

OPERATIONAL = {"class": "operational"}


def _column(type_: Any, *, key: bool = False, index: bool = False) -> Any:
    return Field(
        sa_column=Column(type_, primary_key=key, index=index, nullable=False, info=OPERATIONAL, autoincrement=False)
    )


class DraftRow(SQLModel, table=True):
    """A draft: who holds it ("party:USCC"), the kind of fact it will become, its body as JSON."""

    __tablename__ = "draft"
    id: str = _column(String(32), key=True)
    holder: str = _column(String(240), index=True)
    kind: str = _column(String(64))
    body: str = _column(Text)
    updated_at: int = _column(BigInteger)


class AttachmentRow(SQLModel, table=True):
    """A paper handed in, in one version; `draft` is "" where it may serve many applications."""

    __tablename__ = "attachment"
    id: str = _column(String(32), key=True)
    holder: str = _column(String(240))
    draft: str = _column(String(32), index=True)
    kind: str = _column(String(200))
    name: str = _column(String(200))
    version: int = _column(Integer)
    media_type: str = _column(String(200))
    size: int = _column(BigInteger)
    sha256: str = _column(String(64), index=True)
    sm3: str = _column(String(64))
    uploader: str = _column(String(240))
    uploaded_at: int = _column(BigInteger)
    __table_args__ = (Index("ix_attachment_named", "holder", "kind", "name"),)


class AttachmentAccessRow(SQLModel, table=True):
    """One look at a paper: who, when, for what stated purpose."""

    __tablename__ = "attachment_access"
    id: str = _column(String(32), key=True)
    attachment: str = _column(String(32), index=True)
    reader: str = _column(String(240))
    purpose: str = _column(String(200))
    opened_at: int = _column(BigInteger)


class ImportRow(SQLModel, table=True):
    """An import and how far it is; its id is that of holder and file, so the same file is one import."""

    __tablename__ = "intake_import"
    id: str = _column(String(32), key=True)
    holder: str = _column(String(240), index=True)
    name: str = _column(String(200))
    sha256: str = _column(String(64))
    state: str = _column(String(10))
    total: int = _column(Integer)
    done: int = _column(Integer)
    written: int = _column(Integer)
    same: int = _column(Integer)
    wrong: int = _column(Integer)
    red: int = _column(Integer)
    message: str = _column(Text)
    made_at: int = _column(BigInteger)
    updated_at: int = _column(BigInteger)
