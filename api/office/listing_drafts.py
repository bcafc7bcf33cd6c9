"""What a seller has typed for a listing and not submitted yet: drafts of their own, operational, never facts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session, col, select

from registry.errors import Unknown
from registry.intake.tables import DraftRow

KIND = "listing"
MOST = 100
"""Drafts shown, the latest first."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft for a listing: `listing` is its 32-hex id, the same from the first draft to the last version."""

    id: str
    listing: str
    values: Mapping[str, str]
    updated_at: int


def keep(
    session: Session, holder: str, values: Mapping[str, str], *, listing: str, at: int, identity: str = ""
) -> Draft:  # fmt: skip
    """Keeps what was typed; a new draft when `identity` is "". Raises `Unknown` for somebody else's."""
    body = json.dumps({"listing": listing, "values": dict(values)}, ensure_ascii=False)
    if identity:
        row = _own(session, holder, identity)
        row.body, row.updated_at = body, at
    else:
        row = DraftRow(id=secrets.token_hex(16), holder=holder, kind=KIND, body=body, updated_at=at)
        session.add(row)
    session.flush()
    return _read(row)


def get(session: Session, holder: str, identity: str) -> Draft:
    """Somebody's own draft. Raises `Unknown`, also for another's."""
    return _read(_own(session, holder, identity))


def all_of(session: Session, holder: str) -> list[Draft]:
    """Somebody's drafts, the latest first."""
    rows = session.exec(
        select(DraftRow)
        .where(DraftRow.holder == holder, DraftRow.kind == KIND)
        .order_by(col(DraftRow.updated_at).desc(), col(DraftRow.id))
        .limit(MOST)
    )
    return [_read(row) for row in rows]


def discard(session: Session, holder: str, identity: str) -> None:
    """Throws a draft away. Raises `Unknown`."""
    session.delete(_own(session, holder, identity))
    session.flush()


def _own(session: Session, holder: str, identity: str) -> DraftRow:
    row = session.get(DraftRow, identity)
    if row is None or row.holder != holder or row.kind != KIND:
        raise Unknown("上架草稿 / draft of a listing", identity[:40])
    return row


def _read(row: DraftRow) -> Draft:
    body = json.loads(row.body)
    return Draft(row.id, body["listing"], body["values"], row.updated_at)
