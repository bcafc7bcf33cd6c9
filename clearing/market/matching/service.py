"""Matching a demand with the shelf of this moment; what was answered is kept, under the operator's system key.

Nothing here commits or reads a clock. Source: exchange.md §3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import WrongMove
from clearing.market import service as market
from clearing.market.demand import store as demands
from clearing.market.demand.demand import subject_of
from clearing.market.demand.moves import OPEN, State
from clearing.market.errors import GateRefused
from clearing.market.listing import SYSTEM, check_title
from clearing.market.listing_moves import ORDERABLE, SHOWN
from clearing.market.matching import store
from clearing.market.matching.score import MATCH_RANKING, Credit, Need, Offer, Ranking, price_of, rank
from clearing.market.shelf import store as shelf
from clearing.market.shelf.store import ListingRow
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry.calendar import day_of


def match(
    session: Session,
    demand: str,
    *,
    at: int,
    records: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    grades: Mapping[str, str] = MappingProxyType({}),
) -> Ranking:
    """The ranking of everything on the shelf for this demand at `at`; nothing is kept. `records` are the service levels
    achieved and promised, by product, `grades` the credit grades in force, by party, as clearing knows them. Raises
    `UnknownFact`."""
    row = demands.demand(session, demand)
    need = Need(row.value, day_of(at), demands.budget_of(session, demand))
    shown = [listing for state in sorted(SHOWN) for listing in shelf.listings(session, state=state)]
    offers = [
        _offer(session, listing, records.get(listing.value.product), grades.get(listing.value.seller, ""), at)
        for listing in shown
    ]
    return rank(demand, row.digest, need, offers)


def take_ranking(
    session: Session,
    demand: str,
    *,
    signer: SystemSigner,
    at: int,
    records: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    grades: Mapping[str, str] = MappingProxyType({}),
) -> Appended:
    """Matches a demand, as `match`, and keeps the answer as match-ranking/v1; while nothing it rests on has changed,
    the ranking kept last is answered again. Raises `UnknownFact`, `WrongMove` for a demand that has ended."""
    row = demands.demand(session, demand)
    if row.state is not State.DRAFT and row.state not in OPEN:
        raise WrongMove(subject_of(demand), " | ".join(sorted({State.DRAFT, *OPEN})), row.state)
    subject = f"match-ranking:{demand}"
    body = match(session, demand, at=at, records=records, grades=grades)
    kept = store.rankings(session, demand)
    if kept and store.ranking(session, demand, kept[0].no)[1].inputs == body.inputs:
        return Appended(ledger.fact(session, kept[0].fact_id), True)
    statement = Statement(MATCH_RANKING, subject, *ledger.next_of(session, subject), body_of(body))
    return taking.take(session, Signed(statement, (signer.sign(statement, SYSTEM),)), store.PROJECTORS, at=at)


def _offer(session: Session, row: ListingRow, record: tuple[int, int] | None, grade: str, at: int) -> Offer:
    """A listing with what register and clearing say of it; `grade` is its seller's, "" for 未评级."""
    value, closed = row.value, ""
    shown = row.state in ORDERABLE
    if shown:
        try:
            title = market.title_of(session, value.certificate, value.seller, at)
            check_title(title, value.certificate, value.seller, value.right)
        except GateRefused as refused:
            closed = refused.gate
        if not market.signer_keys(session, (value.seller,), at):
            closed = closed or "G11"
    return Offer(row.id, value, row.digest, shown, closed, price_of(value), Credit(grade) if grade else None, record)
