"""Folding profiles and evaluations into rows, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market.profile import tables
from clearing.market.profile.profile import (
    DEAL_EVALUATION,
    DEAL_REPLY,
    PARTY_PROFILE,
    DealEvaluation,
    DealReply,
    Profile,
)
from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation with its answer; `replied_at` is 0 while there is none."""

    agreement: str
    by: str
    party: str
    score: int
    text: str
    at: int
    reply: str
    replied_at: int


def profile(session: Session, party: str) -> Profile | None:
    """What a party declared last; None if it declared nothing."""
    document = session.execute(select(tables.profile.c.document).where(tables.profile.c.party == party)).scalar()
    return None if document is None else _profile(document)


def profiles(session: Session) -> list[tuple[str, Profile]]:
    """Every declared profile by its party, the latest first."""
    table = tables.profile
    rows = session.execute(select(table.c.party, table.c.document).order_by(table.c.at.desc(), table.c.party))
    return [(row.party, _profile(row.document)) for row in rows]


def evaluation(session: Session, agreement: str, by: str) -> Evaluated:
    """What `by` said of the other side of an agreement. Raises `UnknownFact`."""
    table = tables.evaluation
    query = select(table).where(table.c.agreement == agreement, table.c.by == by)
    row = session.execute(query).mappings().first()
    if row is None:
        raise UnknownFact("evaluation", f"{agreement[:64]}.{by[:18]}")
    return Evaluated(**row)


def evaluations(session: Session, party: str) -> list[Evaluated]:
    """What was said of a party, latest first."""
    table = tables.evaluation
    query = select(table).where(table.c.party == party).order_by(table.c.at.desc(), table.c.agreement, table.c.by)
    return [Evaluated(**row) for row in session.execute(query).mappings()]


def _profile(document: str) -> Profile:
    return read(Profile, canonical.decode(document.encode()))


def _project_profile(session: Session, fact: Fact) -> None:
    party, table = fact.subject.removeprefix("party-profile:"), tables.profile
    document = canonical.encode(body_of(read(Profile, fact.body))).decode()
    session.execute(delete(table).where(table.c.party == party))
    session.execute(insert(table).values(party=party, at=fact.at, document=document))


def _project_evaluation(session: Session, fact: Fact) -> None:
    body = read(DealEvaluation, fact.body)
    values = {"agreement": body.agreement, "by": body.by, "party": body.of, "score": body.score, "text": body.text}
    session.execute(insert(tables.evaluation).values(**values, at=fact.at, reply="", replied_at=0))


def _project_reply(session: Session, fact: Fact) -> None:
    body, table = read(DealReply, fact.body), tables.evaluation
    agreement, _, by = fact.subject.removeprefix("deal-evaluation:").partition(".")
    which = (table.c.agreement == agreement) & (table.c.by == by)
    session.execute(update(table).where(which).values(reply=body.text, replied_at=fact.at))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    PARTY_PROFILE: _project_profile,
    DEAL_EVALUATION: _project_evaluation,
    DEAL_REPLY: _project_reply,
}
