"""Folding filings into rows, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from clearing.market.filing import tables
from clearing.market.filing.filing import (
    AGREEMENT_FILING,
    MOVES,
    AgreementFiling,
    State,
    id_of,
    subject_of,
)
from ledger import canonical
from ledger import store as ledger
from ledger.facts import Fact
from ledger.reading import body_of, read


@dataclass(frozen=True, slots=True)
class FilingRow:
    """The filing of a revision as it stands; `since` in seconds UTC."""

    agreement: str
    revision: int
    state: State
    since: int
    filer: str
    number: str
    first: AgreementFiling


def find(session: Session, agreement: str, revision: int) -> FilingRow | None:
    """The filing of this revision, None as long as there is none."""
    table = tables.filing
    query = select(table).where(table.c.agreement == agreement, table.c.revision == revision)
    row = session.execute(query).mappings().first()
    if row is None:
        return None
    first = read(AgreementFiling, canonical.decode(row["first"].encode()), "first")
    return FilingRow(agreement, revision, State(row["state"]), row["since"], row["filer"], row["number"], first)


def acts(session: Session, agreement: str, revision: int) -> list[tuple[Fact, AgreementFiling]]:
    """What was stated about the filing of this revision, in order."""
    facts = ledger.facts_of(session, subject_of(agreement, revision))
    return [(fact, read(AgreementFiling, fact.body)) for fact in facts]


def _project(session: Session, fact: Fact) -> None:
    (agreement, revision), body = id_of(fact.subject), read(AgreementFiling, fact.body)
    before = find(session, agreement, revision)
    state = MOVES[before.state if before else State.UNFILED, body.act]
    table = tables.filing
    if before is None:
        first = canonical.encode(body_of(body)).decode()
        session.execute(
            insert(table).values(
                agreement=agreement, revision=revision, state=state.value, since=fact.at, filer=body.filer, number="",
                first=first,
            )
        )  # fmt: skip
        return
    session.execute(
        update(table)
        .where(table.c.agreement == agreement, table.c.revision == revision)
        .values(state=state.value, since=fact.at, number=body.number or before.number)
    )


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {AGREEMENT_FILING: _project}
