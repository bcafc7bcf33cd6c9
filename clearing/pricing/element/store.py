"""Folding elements into rows, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Table, and_, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market.product import ElementForm
from clearing.pricing.element import moves, tables
from clearing.pricing.element.element import ELEMENT_MOVE, ELEMENT_VERSION, ElementMove, ElementVersion
from clearing.pricing.element.moves import SHOWN, Case, State
from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry import store as registry
from registry.asset import Twin
from registry.rights import Right

VIEWS: tuple[Table, ...] = (tables.version, tables.source)


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as it stands; `digest` is that of the statement it was last stated by, in the fact `fact_id`."""

    element: str
    value: ElementVersion
    case: Case
    digest: Twin
    fact_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: a piece of the name, and filters; "" or None asks nothing.

    With `seen_by` (USCC) also what this developer has not published; with `every` what anybody has not.
    """

    words: str = ""
    domain: str = ""
    form: ElementForm | None = None
    state: State | None = None
    developer: str = ""
    seen_by: str = ""
    every: bool = False


def versions(session: Session, identity: str) -> tuple[VersionRow, ...]:
    """Every version of an element, oldest first; none if there is no such element."""
    table = tables.version
    query = select(table).where(table.c.element == identity).order_by(table.c.version)
    return tuple(map(_row, session.execute(query).mappings()))


def newest(session: Session, identity: str) -> VersionRow | None:
    """The newest version of an element, None before its first."""
    table = tables.version
    query = select(table).where(table.c.element == identity).order_by(table.c.version.desc()).limit(1)
    row = session.execute(query).mappings().first()
    return None if row is None else _row(row)


def version(session: Session, identity: str, number: int) -> VersionRow:
    """One version of an element. Raises `UnknownFact`."""
    table = tables.version
    query = select(table).where(table.c.element == identity, table.c.version == number)
    row = session.execute(query).mappings().first()
    if row is None:
        raise UnknownFact("element version", f"{identity} {number}")
    return _row(row)


def search(session: Session, wanted: Wanted, limit: int, after: tuple[str, int] = ("", 0)) -> list[VersionRow]:
    """The next versions after the one named (element, version) that answer the question, by element and version."""
    table = tables.version
    query = select(table).where(
        or_(table.c.element > after[0], and_(table.c.element == after[0], table.c.version > after[1]))
    )
    if wanted.words:
        query = query.where(table.c.name.contains(wanted.words, autoescape=True))
    for column, value in (("domain", wanted.domain), ("form", wanted.form), ("state", wanted.state),
                          ("developer", wanted.developer)):  # fmt: skip
        if value:
            query = query.where(table.c[column] == str(value))
    if not wanted.every:
        shown = table.c.state.in_(sorted(state.value for state in SHOWN))
        query = query.where(or_(shown, table.c.developer == wanted.seen_by))
    query = query.order_by(table.c.element, table.c.version).limit(limit)
    return [_row(row) for row in session.execute(query).mappings()]


def doubtful(session: Session, at: int) -> list[VersionRow]:
    """Published versions with a source whose right of use is over by its term, or not beyond doubt at `at`."""
    table, made = tables.version, tables.source
    unsure = exists().where(
        made.c.element == table.c.element,
        made.c.version == table.c.version,
        or_(made.c.valid_to <= at, ~registry.undoubted(made.c.certificate, made.c.developer, Right.USE, at)),
    )
    query = select(table).where(table.c.state == State.PUBLISHED.value, unsure)
    return [_row(row) for row in session.execute(query.order_by(table.c.element, table.c.version)).mappings()]


def _project_version(session: Session, fact: Fact) -> None:
    value, identity = read(ElementVersion, fact.body), fact.subject.removeprefix("element:")
    before = newest(session, identity)
    move = moves.check_stated(identity, (before.value, before.case) if before else None, value)
    case = moves.stated(before.case if before else None, move, fact.at)
    row = VersionRow(identity, value, case, Twin.of(fact.statement.digest()), fact.id)
    for table in VIEWS:
        session.execute(delete(table).where(table.c.element == identity, table.c.version == value.version))
    session.execute(insert(tables.version).values(_columns(row)))
    sources = [
        {"element": identity, "version": value.version, "position": position, "resource": item.resource,
         "certificate": item.certificate, "developer": value.developer, "valid_to": item.valid_to}
        for position, item in enumerate(value.sources)
    ]  # fmt: skip
    session.execute(insert(tables.source), sources)


def _project_move(session: Session, fact: Fact) -> None:
    body, identity = read(ElementMove, fact.body), fact.subject.removeprefix("element:")
    row, signature = version(session, identity, body.version), fact.signatures[0]
    case = moves.moved(identity, row.value, row.case, body, signature.by, signature.key, fact.at)
    table = tables.version
    session.execute(
        update(table)
        .where(table.c.element == identity, table.c.version == body.version)
        .values(state=case.state.value, since=case.since, case=canonical.encode(body_of(case)).decode())
    )


def _columns(row: VersionRow) -> dict[str, Any]:
    value, case = row.value, row.case
    return {
        "element": row.element, "version": value.version, "state": case.state.value, "since": case.since,
        "name": value.name, "domain": value.domain, "form": value.form.value, "developer": value.developer,
        "fact_id": row.fact_id, "sha256": row.digest.sha256, "sm3": row.digest.sm3,
        "document": canonical.encode(body_of(value)).decode(), "case": canonical.encode(body_of(case)).decode(),
    }  # fmt: skip


def _row(row: RowMapping) -> VersionRow:
    value = read(ElementVersion, canonical.decode(row["document"].encode()))
    case = read(Case, canonical.decode(row["case"].encode()), "case")
    return VersionRow(row["element"], value, case, Twin(row["sha256"], row["sm3"]), row["fact_id"])


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    ELEMENT_VERSION: _project_version,
    ELEMENT_MOVE: _project_move,
}
