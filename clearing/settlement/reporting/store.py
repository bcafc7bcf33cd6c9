"""The facts figures are computed from, and the views of what was published and objected to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Table, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement.reporting import tables
from clearing.settlement.reporting.material import KINDS, WITH_PARTS, Material, Told, material_of
from clearing.settlement.reporting.objection import (
    ANSWER,
    CREDIT_FIGURE,
    OBJECTION,
    PARTY_RELATION,
    Answer,
    CreditFigure,
    Objection,
    Relation,
    objection_id,
    read_answer,
    read_objection,
    read_relation,
)
from ledger import canonical
from ledger import store as facts
from ledger.errors import Erased
from ledger.facts import Fact
from ledger.reading import body_of, read

VIEWS: tuple[Table, ...] = (tables.figure, tables.objection, tables.relation)


@dataclass(frozen=True, slots=True)
class Published:
    """A published credit figure with its fact id; `at` is when it was published, seconds UTC."""

    fact_id: str
    no: int
    at: int
    newest: bool
    body: CreditFigure


@dataclass(frozen=True, slots=True)
class Objected:
    """An objection with its answer, None while there is none."""

    id: str
    at: int
    fact_id: str
    body: Objection
    answered_at: int
    answer: Answer | None


def material(session: Session, as_of: int, operator: str) -> Material:
    """The facts up to `as_of` as what figures count. Erased facts, and terms whose fields were erased, are missing."""
    told = [
        Told(fact, _parts(session, fact.id) if fact.kind in WITH_PARTS else ())
        for fact in facts.facts_of_kind(session, *KINDS) if fact.at <= as_of
    ]  # fmt: skip
    return material_of(told, as_of, operator)


def _parts(session: Session, fact_id: str) -> tuple[bytes, ...]:
    try:
        return tuple(facts.parts_of(session, fact_id))
    except Erased:
        return ()


def published(session: Session, party: str = "") -> list[Published]:
    """Every published figure of a party, or of everybody, the newest first."""
    table = tables.figure
    query = select(table).order_by(table.c.at.desc(), table.c.party, table.c.no.desc())
    if party:
        query = query.where(table.c.party == party)
    return [_published(row) for row in session.execute(query).mappings()]


def figure(session: Session, fact_id: str) -> Published:
    """The published figure with this fact id. Raises `UnknownFact`."""
    row = session.execute(select(tables.figure).where(tables.figure.c.fact_id == fact_id)).mappings().first()
    if row is None:
        raise UnknownFact("credit figure", fact_id[:80])
    return _published(row)


def newest(session: Session, party: str) -> Published | None:
    """The figure of a party in force, None if none was published."""
    table = tables.figure
    query = select(table).where(table.c.party == party, table.c.newest.is_(True))
    row = session.execute(query).mappings().first()
    return None if row is None else _published(row)


def grades(session: Session) -> dict[str, str]:
    """The grade in force of everybody who has one."""
    table = tables.figure
    query = select(table.c.party, table.c.grade).where(table.c.newest.is_(True), table.c.grade != "")
    return {row.party: row.grade for row in session.execute(query)}


def shown(session: Session, party: str) -> dict[str, str]:
    """What everybody may see of a party: its grade in force, marked 有异议 while it objects; nothing if it has none."""
    found = newest(session, party)
    if found is None or not found.body.grade:
        return {}
    waits = any(item.body.published for item in objections(session, party, open_only=True))
    return {"credit": found.body.grade + ("（有异议）" if waits else "")}


def objection(session: Session, identity: str) -> Objected:
    """The objection with this 32-hex id. Raises `UnknownFact`."""
    row = session.execute(select(tables.objection).where(tables.objection.c.id == identity)).mappings().first()
    if row is None:
        raise UnknownFact("objection", identity[:80])
    return _objected(row)


def objections(session: Session, party: str = "", *, open_only: bool = False) -> list[Objected]:
    """The objections of a party, or of everybody, the newest first; or only those that wait for an answer."""
    table = tables.objection
    query = select(table).order_by(table.c.at.desc(), table.c.id)
    if party:
        query = query.where(table.c.party == party)
    if open_only:
        query = query.where(table.c.answered_at == 0)
    return [_objected(row) for row in session.execute(query).mappings()]


def relations(session: Session) -> list[Relation]:
    """What was said last of every pair."""
    table = tables.relation
    rows = session.execute(select(table).order_by(table.c.first, table.c.second))
    return [read(Relation, facts.fact(session, row.fact_id).body) for row in rows]


def _published(row: RowMapping) -> Published:
    body = read(CreditFigure, canonical.decode(row["document"].encode()))
    return Published(row["fact_id"], row["no"], row["at"], row["newest"], body)


def _objected(row: RowMapping) -> Objected:
    answer = read(Answer, canonical.decode(row["answer"].encode())) if row["answer"] else None
    body = read(Objection, canonical.decode(row["document"].encode()))
    return Objected(row["id"], row["at"], row["fact_id"], body, row["answered_at"], answer)


def _text(value: object) -> str:
    return canonical.encode(body_of(value)).decode()


def _project_figure(session: Session, fact: Fact) -> None:
    body, table = read(CreditFigure, fact.body), tables.figure
    session.execute(update(table).where(table.c.party == body.party).values(newest=False))
    session.execute(
        insert(table).values(
            fact_id=fact.id, party=body.party, no=fact.statement.no, at=fact.at, newest=True, grade=body.grade,
            document=_text(body),
        )
    )  # fmt: skip


def _project_objection(session: Session, fact: Fact) -> None:
    body = read_objection(fact.statement)
    session.execute(
        insert(tables.objection).values(
            id=objection_id(fact.subject), party=body.party, at=fact.at, fact_id=fact.id, document=_text(body),
            answered_at=0, answer="",
        )
    )  # fmt: skip


def _project_answer(session: Session, fact: Fact) -> None:
    body, table = read_answer(fact.statement), tables.objection
    values = {"answered_at": fact.at, "answer": _text(body)}
    session.execute(update(table).where(table.c.id == objection_id(fact.subject)).values(**values))


def _project_relation(session: Session, fact: Fact) -> None:
    body, table = read_relation(fact.statement), tables.relation
    values = {"related": body.related, "at": fact.at, "fact_id": fact.id}
    if fact.statement.no:
        own = (table.c.first == body.first) & (table.c.second == body.second)
        session.execute(update(table).where(own).values(**values))
    else:
        session.execute(insert(table).values(first=body.first, second=body.second, **values))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    CREDIT_FIGURE: _project_figure,
    OBJECTION: _project_objection,
    ANSWER: _project_answer,
    PARTY_RELATION: _project_relation,
}
