"""Folding rankings into rows, and finding them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market.matching import tables
from clearing.market.matching.score import MATCH_RANKING, Ranking
from ledger.facts import Fact
from ledger.reading import read
from ledger.store import fact as fact_of


@dataclass(frozen=True, slots=True)
class RankingRow:
    """A ranking that was kept: `scored` products passed the filters of the rule set `rules`."""

    demand: str
    no: int
    at: int
    rules: str
    scored: int
    fact_id: str


def rankings(session: Session, demand: str) -> list[RankingRow]:
    """The rankings of a demand, newest first."""
    table = tables.ranking
    query = select(table).where(table.c.demand == demand).order_by(table.c.no.desc())
    return [RankingRow(**row) for row in session.execute(query).mappings()]


def ranking(session: Session, demand: str, no: int) -> tuple[RankingRow, Ranking]:
    """Ranking number `no` of a demand. Raises `UnknownFact`."""
    row = next((item for item in rankings(session, demand) if item.no == no), None)
    if row is None:
        raise UnknownFact("ranking", f"{demand[:80]}/{no}")
    return row, read(Ranking, fact_of(session, row.fact_id).body)


def _project(session: Session, fact: Fact) -> None:
    body = read(Ranking, fact.body)
    session.execute(
        insert(tables.ranking).values(
            demand=body.demand, no=fact.statement.no, at=fact.at, rules=body.rules, scored=body.left, fact_id=fact.id
        )
    )


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {MATCH_RANKING: _project}
