"""Folding demands into rows, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market.demand import moves, tables
from clearing.market.demand.demand import (
    DEMAND,
    DEMAND_BUDGET,
    DEMAND_MOVE,
    Budget,
    Demand,
    DemandMove,
    Evaluation,
    Scene,
    Visibility,
    id_of,
)
from clearing.market.demand.moves import OPEN, Case, State
from clearing.market.listing import ProductType
from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.asset import Twin
from registry.search.grams import grams_of, text_of
from registry.search.store import FIRST, look

_OPEN = sorted(state.value for state in OPEN)


@dataclass(frozen=True, slots=True)
class DemandRow:
    """A demand as it stands: `value` and `digest` are of its last statement, `since` when it entered its state."""

    id: str
    value: Demand
    state: State
    since: int
    digest: Twin
    case: Case


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list shows of a demand, and what its filters ask."""

    demand: str
    title: str
    sector: str
    scene: Scene
    theme: str
    purpose: str
    deadline: str
    demander: str
    output: tuple[ProductType, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: words that must all stand in a line, and filters; "" or `None` asks nothing.

    Without `all_shown` only demands that are still looked after are found.
    """

    words: str = ""
    sector: str = ""
    scene: Scene | None = None
    output: ProductType | None = None
    all_shown: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A line found: its place, what it shows, the state of its demand."""

    place: int
    summary: Summary
    state: State


def demand(session: Session, identity: str) -> DemandRow:
    """The demand with this 32-hex id. Raises `UnknownFact`."""
    found = find_demand(session, identity)
    if found is None:
        raise UnknownFact("demand", identity[:80])
    return found


def find_demand(session: Session, identity: str) -> DemandRow | None:
    """The demand with this id, None before its first statement."""
    row = session.execute(select(tables.demand).where(tables.demand.c.id == identity)).mappings().first()
    return _row(row) if row else None


def demands(
    session: Session, *, demander: str = "", states: Iterable[State] = (), visibility: Iterable[Visibility] = ()
) -> list[DemandRow]:
    """Demands by demander, state or visibility, newest state first."""
    table = tables.demand
    query = select(table).order_by(table.c.since.desc(), table.c.id)
    if demander:
        query = query.where(table.c.demander == demander)
    if wanted := [state.value for state in states]:
        query = query.where(table.c.state.in_(wanted))
    if seen := [item.value for item in visibility]:
        query = query.where(table.c.visibility.in_(seen))
    return [_row(row) for row in session.execute(query).mappings()]


def followers(session: Session, identity: str) -> list[DemandRow]:
    """Demands that go along with this one, whatever became of them; by id."""
    table = tables.demand
    query = select(table).where(table.c.merged_into == identity).order_by(table.c.id)
    return [_row(row) for row in session.execute(query).mappings()]


def evaluations(session: Session, identity: str) -> list[Evaluation]:
    """The evaluations of the demands that went along with this one."""
    return [row.case.evaluation for row in followers(session, identity) if row.case.evaluation]


def escalating(session: Session, at: int) -> list[DemandRow]:
    """Demands with a part that nobody claimed in time."""
    table = tables.demand
    query = select(table).where(table.c.state == State.SPLIT.value, table.c.escalates > 0, table.c.escalates <= at)
    return [_row(row) for row in session.execute(query.order_by(table.c.id)).mappings()]


def budget_of(session: Session, identity: str) -> Budget | None:
    """The private band of a demand, None if none was stated."""
    row = session.execute(select(tables.budget).where(tables.budget.c.demand == identity)).first()
    return Budget(row.low_fen, row.high_fen) if row else None


def find(session: Session, wanted: Wanted, limit: int, before: int = FIRST) -> list[Hit]:
    """The next lines below the place `before` that answer the question, latest checked first."""
    table = tables.demand

    def rows(line: Any) -> Any:
        query = select(line.c.place, line.c.summary, table.c.state).select_from(line)
        query = query.join(table, table.c.id == line.c.demand)
        return query if wanted.all_shown else query.where(table.c.state.in_(_OPEN))

    found = look(session, "demand", rows, wanted.words, _filters(wanted), limit, before)
    return [Hit(row.place, _summary(row.summary), State(row.state)) for row in found]


def line_of(identity: str, value: Demand, place: int) -> dict[str, Any]:
    """The columns of a demand's line: title, step, metric, theme, fields, purpose and scenario are searched."""
    texts = [value.title, value.step, value.metric, value.wanted.theme, value.purpose, value.scenario, value.note]
    searched = text_of([*texts, *value.wanted.fields])
    summary = Summary(
        identity, value.title, value.sector, value.scene, value.wanted.theme, value.purpose, value.deadline,
        value.demander, value.output,
    )  # fmt: skip
    asked = {*_filters(Wanted(sector=value.sector, scene=value.scene)), *map(_output, value.output)}
    return {
        "place": place, "demand": identity, "summary": canonical.encode(body_of(summary)).decode(), "text": searched,
        "grams": " ".join([grams_of(searched), *sorted(asked)]),
    }  # fmt: skip


def _output(kind: ProductType) -> str:
    return f"t0{kind.value.lower()}"


def _filters(wanted: Wanted) -> set[str]:
    """Tokens of the filters, letters and digits. A text's tokens hold no digit, so none is taken for another."""
    found = set()
    if wanted.sector:
        found.add(f"i0{wanted.sector.lower()}")
    if wanted.scene:
        found.add(f"s0{wanted.scene.name.lower()}")
    if wanted.output:
        found.add(_output(wanted.output))
    return found


def _project_stated(session: Session, fact: Fact) -> None:
    value, identity = read(Demand, fact.body), id_of(fact.subject)
    before = find_demand(session, identity)
    case = moves.stated(identity, before.case if before else Case(), fact.at)
    row = DemandRow(identity, value, case.state, case.since, Twin.of(fact.statement.digest()), case)
    if before is None:
        session.execute(insert(tables.demand).values(columns_of(row)))
    else:
        _write(session, row)


def _project_move(session: Session, fact: Fact) -> None:
    body, identity = read(DemandMove, fact.body), id_of(fact.subject)
    row = demand(session, identity)
    case = moves.moved(identity, row.case, body, fact.at)
    _write(session, DemandRow(identity, row.value, case.state, case.since, row.digest, case))
    _keep_line(session, identity, row.value, case)


def _project_budget(session: Session, fact: Fact) -> None:
    body, identity = read(Budget, fact.body), id_of(fact.subject, "demand-budget")
    session.execute(delete(tables.budget).where(tables.budget.c.demand == identity))
    values = {"demand": identity, "low_fen": body.low_fen, "high_fen": body.high_fen, "at": fact.at}
    session.execute(insert(tables.budget).values(**values))


def _keep_line(session: Session, identity: str, value: Demand, case: Case) -> None:
    """A demand everybody may see has a line from its check on."""
    table = tables.line
    if value.visibility is not Visibility.PUBLIC or not case.checked:
        return
    if session.execute(select(table.c.place).where(table.c.demand == identity)).scalar() is None:
        place = (session.execute(select(func.max(table.c.place))).scalar() or 0) + 1
        session.execute(insert(table).values(line_of(identity, value, place)))


def _write(session: Session, row: DemandRow) -> None:
    session.execute(update(tables.demand).where(tables.demand.c.id == row.id).values(columns_of(row)))


def columns_of(row: DemandRow) -> dict[str, Any]:
    """The columns of a demand."""
    value, case = row.value, row.case
    return {
        "id": row.id, "state": case.state.value, "since": case.since, "escalates": moves.next_escalation(case),
        "demander": value.demander, "visibility": value.visibility.value, "merged_into": case.into,
        "sha256": row.digest.sha256, "sm3": row.digest.sm3,
        "document": canonical.encode(body_of(value)).decode(), "case": canonical.encode(body_of(case)).decode(),
    }  # fmt: skip


def _row(row: RowMapping) -> DemandRow:
    case = read(Case, canonical.decode(row["case"].encode()), "case")
    return DemandRow(
        row["id"], _demand(row["document"]), State(row["state"]), row["since"], Twin(row["sha256"], row["sm3"]), case
    )


@lru_cache(maxsize=256)
def _demand(document: str) -> Demand:
    """Demands are frozen, and the same text is the same demand."""
    return read(Demand, canonical.decode(document.encode()))


@lru_cache(maxsize=2_000)
def _summary(document: str) -> Summary:
    return read(Summary, canonical.decode(document.encode()), "summary")


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    DEMAND: _project_stated,
    DEMAND_MOVE: _project_move,
    DEMAND_BUDGET: _project_budget,
}
