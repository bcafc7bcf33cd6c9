"""The questions asked of drafts, papers and imports; no projectors, since none of these tables is a view of facts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger.facts import Fact
from registry.errors import Unknown
from registry.form import SUBMITTED, Attachment
from registry.intake.attachment import Paper
from registry.intake.tables import AttachmentAccessRow, AttachmentRow, DraftRow, ImportRow
from registry.tables import ApplicationRow

PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {}
TABLES: tuple[type, ...] = ()
"""No view is folded here: nothing for `reindex` to empty."""

_SLICE = 500


def draft(session: Session, identity: str, holder: str) -> DraftRow:
    """A draft of this holder. Raises `Unknown`, also for somebody else's."""
    row = session.get(DraftRow, identity)
    if row is None or row.holder != holder or row.kind != SUBMITTED:
        raise Unknown("草稿 / draft", identity)
    return row


def drafts(session: Session, holder: str, *, after: str = "", limit: int = 100) -> list[DraftRow]:
    """The holder's drafts in the order of their ids, beginning after one."""
    query = select(DraftRow).where(_own(holder), col(DraftRow.id) > after)
    return list(session.scalars(query.order_by(col(DraftRow.id)).limit(limit)))


def count_drafts(session: Session, holder: str) -> int:
    """How many drafts the holder has."""
    query = select(func.count()).select_from(DraftRow).where(_own(holder))
    return int(session.scalar(query) or 0)


def _own(holder: str) -> ColumnElement[bool]:
    """Drafts of whole statements; what is being typed in the office lies in the same table under kinds of its own."""
    return and_(col(DraftRow.holder) == holder, col(DraftRow.kind) == SUBMITTED)


def add_drafts(session: Session, rows: Iterable[dict[str, Any]]) -> None:
    """Writes many drafts at once."""
    listed = list(rows)
    if listed:
        session.execute(insert(DraftRow), listed)


def known_ids(session: Session, ids: Collection[str]) -> set[str]:
    """Which of these ids are drafts or applications already."""
    found: set[str] = set()
    listed = sorted(ids)
    for start in range(0, len(listed), _SLICE):
        some = listed[start : start + _SLICE]
        for id_ in (col(DraftRow.id), col(ApplicationRow.id)):
            found.update(session.scalars(select(id_).where(id_.in_(some))))
    return found


def attachment(session: Session, identity: str) -> Paper:
    """A paper by its id. Raises `Unknown`."""
    row = session.get(AttachmentRow, identity)
    if row is None:
        raise Unknown("材料 / attachment", identity)
    return _paper(row)


def attachments(session: Session, holder: str, draft: str | None = None) -> list[Paper]:
    """All versions of the holder's papers (of one draft), by kind, name and version."""
    query = select(AttachmentRow).where(col(AttachmentRow.holder) == holder)
    if draft is not None:
        query = query.where(col(AttachmentRow.draft) == draft)
    order = (col(AttachmentRow.kind), col(AttachmentRow.name), col(AttachmentRow.draft), col(AttachmentRow.version))
    return [_paper(row) for row in session.scalars(query.order_by(*order))]


def papers_by_name(session: Session, holder: str) -> dict[tuple[str, str], Attachment]:
    """The newest version of each paper that may serve many applications, as a form names it, by (kind, name)."""
    return {(paper.kind, paper.name): paper.attachment() for paper in attachments(session, holder, "")}


def papers_with(session: Session, holders: Collection[str], digests: Collection[str]) -> list[Paper]:
    """The papers of these holders with these SHA-256 digests."""
    query = select(AttachmentRow).where(
        col(AttachmentRow.holder).in_(sorted(holders)), col(AttachmentRow.sha256).in_(sorted(set(digests)))
    )
    return [_paper(row) for row in session.scalars(query)]


def add_attachment(session: Session, paper: Paper) -> None:
    """Keeps the record of a paper."""
    row = AttachmentRow(
        id=paper.id, holder=paper.holder, draft=paper.draft, kind=paper.kind, name=paper.name, version=paper.version,
        media_type=paper.media_type, size=paper.size, sha256=paper.sha256, sm3=paper.sm3, uploader=paper.uploader,
        uploaded_at=paper.at,
    )  # fmt: skip
    session.add(row)
    session.flush()


def add_access(session: Session, identity: str, paper: str, reader: str, purpose: str, at: int) -> None:
    """Notes that somebody looked at a paper."""
    session.add(AttachmentAccessRow(id=identity, attachment=paper, reader=reader, purpose=purpose, opened_at=at))
    session.flush()


def accesses(session: Session, paper: str) -> list[AttachmentAccessRow]:
    """Who looked at a paper, first look first."""
    query = select(AttachmentAccessRow).where(col(AttachmentAccessRow.attachment) == paper)
    return list(session.scalars(query.order_by(col(AttachmentAccessRow.opened_at), col(AttachmentAccessRow.id))))


def import_(session: Session, identity: str, holder: str | None = None) -> ImportRow:
    """An import (of this holder). Raises `Unknown`, also for somebody else's."""
    row = session.get(ImportRow, identity, populate_existing=True)
    if row is None or (holder is not None and row.holder != holder):
        raise Unknown("导入 / import", identity)
    return row


def imports(session: Session, holder: str, limit: int = 50) -> list[ImportRow]:
    """The holder's imports, newest first."""
    query = select(ImportRow).where(col(ImportRow.holder) == holder)
    return list(session.scalars(query.order_by(col(ImportRow.made_at).desc(), col(ImportRow.id)).limit(limit)))


def _paper(row: AttachmentRow) -> Paper:
    return Paper(
        row.id, row.holder, row.draft, row.kind, row.name, row.version, row.media_type, row.size, row.sha256, row.sm3,
        row.uploader, row.uploaded_at,
    )  # fmt: skip
