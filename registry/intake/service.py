"""Intake as the outside calls it: papers, drafts, the two steps of submission, and imports. Nothing here commits.

A draft belongs to a party ("party:…"); whoever acts for it may read and change it. Somebody else's draft is
answered like one that does not exist.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError, Stale
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry import filing
from registry import store as registered
from registry.agency import Agency
from registry.calendar import Calendar
from registry.errors import Unknown
from registry.form import SUBMITTED, Form, Publicity, publicity_text
from registry.intake import store
from registry.intake.attachment import LIMITS, Limits, Paper, holders_of, require_room
from registry.intake.columns import APPLICATIONS, heading_of, label_of
from registry.intake.problems import problems
from registry.intake.rows import Fault, Row, draft_id
from registry.intake.tables import DraftRow, ImportRow
from registry.precheck import Finding, Level, stops

KINDS: Mapping[str, type] = {SUBMITTED: Form}
"""The kinds of fact a draft can become, and the type of their body."""


# Papers ---------------------------------------------------------------------------------------------------------------


def keep_paper(session: Session, paper: Paper, limits: Limits = LIMITS) -> Paper:
    """Takes in the record of a paper whose bytes lie in their place. Raises `FileRefused` or `Unknown`.

    The same bytes under the same kind and name are the paper that is there already; other bytes are its next version.
    """
    if paper.draft:
        _require_application(session, paper.draft, paper.holder)
    others = store.attachments(session, paper.holder, paper.draft)
    same_name = [item for item in others if (item.kind, item.name) == (paper.kind, paper.name)]
    if same_name and (same_name[-1].sha256, same_name[-1].sm3) == (paper.sha256, paper.sm3):
        return same_name[-1]
    # Papers that belong to no draft serve many applications; those are counted where a form names them.
    require_room(paper.size, paper.name, [item.size for item in others] if paper.draft else [], limits)
    version = same_name[-1].version + 1 if same_name else 1
    kept = Paper(
        paper.id, paper.holder, paper.draft, paper.kind, paper.name, version, paper.media_type, paper.size,
        paper.sha256, paper.sm3, paper.uploader, paper.at,
    )  # fmt: skip
    store.add_attachment(session, kept)
    return kept


def note_access(session: Session, paper: Paper, reader: str, purpose: str, *, at: int) -> None:
    """Notes a look at a paper, before its bytes are handed out."""
    store.add_access(session, secrets.token_hex(16), paper.id, reader, purpose, at)


def _require_application(session: Session, identity: str, holder: str) -> None:
    """Raises `Unknown` unless this is a draft of the holder or an application it is party to."""
    row = session.get(DraftRow, identity)
    if row is not None and row.holder == holder:
        return
    case = registered.case(session, identity)
    if holder not in holders_of(case.form):
        raise Unknown("申请件 / application", identity)


# Drafts ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it was typed."""

    id: str
    kind: str
    body: Any
    updated_at: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Step one of submission: what will be published, its digest, what the pre-check says, and the statement to sign.

    `statement` is `None` while a finding stops submission.
    """

    publicity: Publicity | None
    publicity_sha256: str
    findings: tuple[Finding, ...]
    statement: Statement | None


def create_draft(session: Session, holder: str, kind: str, body: Any, *, at: int) -> Draft:
    """A new draft; its body may be incomplete or wrong and is kept as typed. Raises `FieldError`."""
    identity = secrets.token_hex(16)
    session.add(DraftRow(id=identity, holder=holder, kind=_kind(kind), body=_typed(body), updated_at=at))
    session.flush()
    return Draft(identity, kind, body, at)


def edit_draft(session: Session, holder: str, identity: str, body: Any, *, at: int) -> Draft:
    """Puts another body in the place of a draft's. Raises `Unknown` or `FieldError`."""
    row = store.draft(session, identity, holder)
    row.body, row.updated_at = _typed(body), at
    session.flush()
    return _draft(row)


def withdraw_draft(session: Session, holder: str, identity: str) -> None:
    """Deletes a draft; it was nobody's fact. Raises `Unknown`."""
    session.delete(store.draft(session, identity, holder))
    session.flush()


def draft(session: Session, holder: str, identity: str) -> Draft:
    """A draft of this holder. Raises `Unknown`."""
    return _draft(store.draft(session, identity, holder))


def drafts(session: Session, holder: str, *, after: str = "", limit: int = 100) -> list[Draft]:
    """The holder's drafts by id, after one of them."""
    return [_draft(row) for row in store.drafts(session, holder, after=after, limit=limit)]


def check(session: Session, agency: Agency, kind: str, body: Any, at: int) -> tuple[Finding, ...]:
    """登记预检 of a draft as typed: every field that cannot be read, or else every finding of the pre-check."""
    wrong = unreadable(kind, body)
    if wrong:
        return wrong
    form = read(Form, body)
    found = (*papers_missing(session, agency, form), *filing.strangers(session, form))
    return (*found, *filing.check_form(agency, form, at))


def unreadable(kind: str, body: Any) -> tuple[Finding, ...]:
    """Every field that keeps a draft from being read as what it is to become, named in Chinese (PC-01, S)."""
    return tuple(
        Finding("PC-01", Level.STOP, item.path, f"{label_of(item.path)}：{item.zh}。", f"{item.path}: {item.en}.")
        for item in problems(body, KINDS[_kind(kind)])
    )


def papers_missing(session: Session, agency: Agency, form: Form) -> tuple[Finding, ...]:
    """PC-22 for each paper the form names that was not handed in here; nothing where papers are kept elsewhere."""
    return filing.papers_not_received(session, agency, form)


def preview(session: Session, agency: Agency, holder: str, identity: str, at: int) -> Preview:
    """Step one: shows what will be published and, if nothing stops it, the statement to sign. Raises `Unknown`."""
    row = store.draft(session, identity, holder)
    body = json.loads(row.body)
    findings = check(session, agency, row.kind, body, at)
    if unreadable(row.kind, body):
        return Preview(None, "", findings, None)
    form = read(Form, body)
    text = publicity_text(form)
    statement = None if stops(findings) else statement_of(identity, form)
    return Preview(text, publicity_digest(text), findings, statement)


def submit(
    session: Session,
    agency: Agency,
    holder: str,
    identity: str,
    signed: Signed,
    publicity_sha256: str,
    *,
    at: int,
    calendar: Calendar,
) -> Appended:
    """Step two: the signed statement of the preview becomes the application, the draft is gone with it.

    Raises `Stale` if the draft is not what was previewed, and what `registry.filing.submit_application` raises.
    """
    subject = f"application:{identity}"
    if signed.statement.subject != subject:
        raise FieldError("statement.subject", subject, signed.statement.subject)
    row = session.get(DraftRow, identity)
    if row is None or row.holder != holder:
        if identity not in store.known_ids(session, [identity]) or row is not None:
            raise Unknown("草稿 / draft", identity)
    else:
        form = read(Form, json.loads(row.body))
        if signed.statement.body != body_of(form):
            raise Stale(subject, "body", "草稿现在的内容 / the draft as it is", "其他内容 / something else")
        expected = publicity_digest(publicity_text(form))
        if publicity_sha256 != expected:
            raise Stale(subject, "publicity_sha256", expected, publicity_sha256[:64])
        session.delete(row)
        session.flush()
    return filing.submit_application(session, agency, signed, at=at, calendar=calendar)


def statement_of(identity: str, form: Form) -> Statement:
    """What the applicants of a draft sign."""
    return Statement(SUBMITTED, f"application:{identity}", 0, None, body_of(form))


def publicity_digest(text: Publicity) -> str:
    """SHA-256 of the canonical publicity text: says which text the applicant has seen."""
    return twin(canonical.encode(body_of(text))).sha256.hex()


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise FieldError("kind", " | ".join(KINDS), repr(kind)[:80])
    return kind


def _typed(body: Any) -> str:
    if not isinstance(body, dict):
        raise FieldError("body", "对象 / an object", type(body).__name__)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _draft(row: DraftRow) -> Draft:
    return Draft(row.id, row.kind, json.loads(row.body), row.updated_at)


# Imports --------------------------------------------------------------------------------------------------------------


class ImportState(StrEnum):
    """How far an import is. DONE and REFUSED are ends; the same file may always be imported again."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    REFUSED = "REFUSED"


STATE_NAMES = {
    ImportState.WAITING: "等待处理",
    ImportState.RUNNING: "正在导入",
    ImportState.DONE: "已完成",
    ImportState.REFUSED: "整份退回",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A row that was read and checked: its draft's id and body, or its faults. `red`: 补正 is likely."""

    row: Row
    draft: str
    body: str
    faults: tuple[Fault, ...]
    red: bool


def judge(agency: Agency, holder: str, row: Row, at: int) -> Judged:
    """Checks a row as the form it is to become; what stops submission is a fault of the row."""
    if row.form is None:
        return Judged(row, "", "", row.faults, red=False)
    try:
        findings = filing.check_form(agency, row.form, at)
    except FieldError as error:
        heading = heading_of(error.field.removeprefix("body.").removeprefix("form."))
        fault = Fault(APPLICATIONS, row.line.number, heading, f"应为{error.expected}，实为{error.given}")
        return Judged(row, "", "", (fault,), red=False)
    faults = tuple(
        Fault(APPLICATIONS, row.line.number, heading_of(item.field), f"{item.zh.rstrip('。')}（{item.rule}）")
        for item in stops(findings)
    )
    if faults:
        return Judged(row, "", "", faults, red=False)
    red = any(item.level is Level.RED for item in findings)
    return Judged(row, draft_id(holder, row.key, row.document), row.document.decode(), (), red)


def import_id(holder: str, sha256: str) -> str:
    """The id of an import: the same file of the same holder is one import."""
    return hashlib.sha256(f"shuqing/import/v1 {holder} {sha256}".encode()).hexdigest()[:32]


def open_import(session: Session, holder: str, name: str, sha256: str, *, at: int) -> ImportRow:
    """An import about to begin, or to begin again: rows it wrote before stay and are not written twice.

    One that has not ended is left as it is, since somebody may be at it.
    """
    identity = import_id(holder, sha256)
    known = session.get(ImportRow, identity)
    if known is not None and known.state in (ImportState.WAITING.value, ImportState.RUNNING.value):
        return known
    fresh = ImportRow(
        id=identity, holder=holder, name=name[:200], sha256=sha256, state=ImportState.WAITING.value, total=0, done=0,
        written=0, same=0, wrong=0, red=0, message="", made_at=at, updated_at=at,
    )  # fmt: skip
    row = session.merge(fresh)
    session.flush()
    return row


def begin_import(session: Session, identity: str, total: int, *, at: int) -> None:
    """The file was read: so many rows are to be done."""
    row = store.import_(session, identity)
    row.state, row.total, row.updated_at = ImportState.RUNNING.value, total, at
    row.done = row.written = row.same = row.wrong = row.red = 0
    session.flush()


def write_rows(session: Session, identity: str, holder: str, judged: Sequence[Judged], *, at: int) -> None:
    """Writes the good rows among these as drafts and counts them all, in one transaction."""
    row = store.import_(session, identity)
    good = {item.draft: item for item in judged if not item.faults}
    known = store.known_ids(session, good)
    new = [item for item in good.values() if item.draft not in known]
    store.add_drafts(
        session,
        ({"id": item.draft, "holder": holder, "kind": SUBMITTED, "body": item.body, "updated_at": at} for item in new),
    )
    row.done += len(judged)
    row.written += len(new)
    row.same += len(good) - len(new)
    row.wrong += sum(1 for item in judged if item.faults)
    row.red += sum(1 for item in judged if item.red)
    row.updated_at = at
    session.flush()


def end_import(session: Session, identity: str, *, at: int, refused: str = "") -> None:
    """The import came to its end; `refused` says why the file was not taken at all."""
    row = store.import_(session, identity)
    row.state = (ImportState.REFUSED if refused else ImportState.DONE).value
    row.message, row.updated_at = refused, at
    session.flush()
