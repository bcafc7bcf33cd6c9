"""Reading and writing what waits at the desk."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from api.desk.tables import WaitingSignature, WaitingStatement
from api.desk.waiting import Outcome, Slot, Waiting
from ledger import canonical
from ledger.facts import Signature, Statement
from registry.errors import Unknown


def put(session: Session, waiting: Waiting) -> None:
    """Stores a new statement with its places."""
    statement = waiting.statement
    session.add(
        WaitingStatement(
            id=waiting.id,
            title=waiting.title,
            kind=statement.kind,
            subject=statement.subject,
            statement=statement.bytes().decode(),
            parts=canonical.encode([part.decode() for part in waiting.parts]).decode(),
            note=canonical.encode(dict(waiting.note)).decode(),
            drafted_by=waiting.drafted_by,
            drafted_at=waiting.drafted_at,
            back=waiting.back,
            outcome=waiting.outcome.value,
            text=waiting.text,
        )
    )
    for place, slot in enumerate(waiting.slots):
        session.add(
            WaitingSignature(
                statement=waiting.id,
                place=place,
                signer=slot.by,
                role=slot.role,
                organisation=slot.organisation,
                address=slot.address,
                signature="",
                typed="",
            )
        )
    session.flush()


def get(session: Session, identity: str) -> Waiting:
    """What waits under this id. Raises `Unknown`."""
    row = session.get(WaitingStatement, identity)
    if row is None:
        raise Unknown("待签文件 / statement at the desk", identity[:40])
    return _read(session, row)


def open_of_kind(session: Session, kind: str) -> list[Waiting]:
    """Everything of a kind that still waits, oldest first."""
    rows = session.exec(
        select(WaitingStatement)
        .where(WaitingStatement.outcome == Outcome.OPEN.value, WaitingStatement.kind == kind)
        .order_by(col(WaitingStatement.drafted_at), col(WaitingStatement.id))
    )
    return [_read(session, row) for row in rows]


def with_place(session: Session, holder: str, organisation: str, roles: Iterable[str]) -> list[Waiting]:
    """What still waits with an empty place for this person or for somebody of their roles, oldest first."""
    place = WaitingSignature
    own = col(place.signer) == holder
    anybody = (col(place.signer) == "") & (col(place.organisation) == organisation) & col(place.role).in_(sorted(roles))
    free = select(place.statement).where(place.signature == "", own | anybody)
    rows = session.exec(
        select(WaitingStatement)
        .where(WaitingStatement.outcome == Outcome.OPEN.value, col(WaitingStatement.id).in_(free))
        .order_by(col(WaitingStatement.drafted_at), col(WaitingStatement.id))
    )
    return [_read(session, row) for row in rows]


def of_person(session: Session, holder: str, limit: int = 30) -> list[Waiting]:
    """What this person drafted or signed, newest first."""
    signed = select(WaitingSignature.statement).where(WaitingSignature.signer == holder)
    rows = session.exec(
        select(WaitingStatement)
        .where((col(WaitingStatement.drafted_by) == holder) | col(WaitingStatement.id).in_(signed))
        .order_by(col(WaitingStatement.drafted_at).desc(), col(WaitingStatement.id))
        .limit(limit)
    )
    return [_read(session, row) for row in rows]


def about(session: Session, subjects: Iterable[str]) -> list[Waiting]:
    """What still waits about one of these subjects."""
    rows = session.exec(
        select(WaitingStatement).where(
            col(WaitingStatement.subject).in_(list(subjects)), WaitingStatement.outcome == Outcome.OPEN.value
        )
    )
    return [_read(session, row) for row in rows]


def latest(session: Session, kind: str, subject: str, outcomes: Iterable[Outcome]) -> Waiting | None:
    """The newest statement of a kind about a subject that has come this far, or None."""
    row = session.exec(
        select(WaitingStatement)
        .where(
            WaitingStatement.kind == kind,
            WaitingStatement.subject == subject,
            col(WaitingStatement.outcome).in_([outcome.value for outcome in outcomes]),
        )
        .order_by(col(WaitingStatement.drafted_at).desc(), col(WaitingStatement.id))
    ).first()
    return _read(session, row) if row is not None else None


def sign(
    session: Session, identity: str, place: int, signature: Signature, typed: Signature | None = None
) -> None:  # fmt: skip
    """Puts a signature into its place, and that of its address; from then on the place is that person's."""
    row = session.get(WaitingSignature, (identity, place))
    assert row is not None
    row.signer, row.signature = signature.by, canonical.encode(signature.document()).decode()
    row.typed = canonical.encode(typed.document()).decode() if typed is not None else ""
    session.flush()


def finish(session: Session, identity: str, outcome: Outcome, text: str) -> None:
    """What has become of it. The identity paper that was shown beside it is needed no more, nor are the parts of what
    was taken in: they are the fact's."""
    row = session.get(WaitingStatement, identity)
    assert row is not None
    if outcome is Outcome.DONE:
        row.parts = "[]"
    note = canonical.decode(row.note.encode())
    if note.pop("person", None) is not None:
        row.note = canonical.encode(note).decode()
    row.outcome, row.text = outcome.value, text
    session.flush()


def _read(session: Session, row: WaitingStatement) -> Waiting:
    places = list(
        session.exec(
            select(WaitingSignature)
            .where(WaitingSignature.statement == row.id)
            .order_by(col(WaitingSignature.place))
        )
    )  # fmt: skip
    return Waiting(
        id=row.id,
        title=row.title,
        statement=Statement.of_document(canonical.decode(row.statement.encode())),
        slots=tuple(Slot(item.signer, item.role, item.organisation, item.address) for item in places),
        signatures=tuple(_signature(item.signature) for item in places),
        typed=tuple(_signature(item.typed) for item in places),
        drafted_by=row.drafted_by,
        drafted_at=row.drafted_at,
        back=row.back,
        outcome=Outcome(row.outcome),
        text=row.text,
        note=canonical.decode(row.note.encode()),
        parts=tuple(part.encode() for part in canonical.decode(row.parts.encode())),
    )


def _signature(text: str) -> Signature | None:
    return Signature.of_document(canonical.decode(text.encode())) if text else None
