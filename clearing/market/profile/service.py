"""Profiles and evaluations taken in, and what a party's page shows.

Nothing here commits or reads a clock. A statement that was stored before is answered with its first fact. Source:
exchange.md §1.2, §3.3, §8.3; decisions D37.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import WrongMove
from clearing.market import store as agreements
from clearing.market.errors import NotEntitled
from clearing.market.listing_moves import ORDERABLE
from clearing.market.profile import store
from clearing.market.profile.kinds import ROW_OF, Row
from clearing.market.profile.profile import (
    DEAL_EVALUATION,
    DEAL_REPLY,
    PARTY_PROFILE,
    DealEvaluation,
    DealReply,
    Profile,
    check_evaluation,
    check_profile,
    mean_of,
)
from clearing.market.profile.store import Evaluated
from clearing.market.shelf import store as shelf
from clearing.market.shelf.store import ListingRow
from ledger import store as ledger
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry import store as registry
from registry.party import party_subject
from registry.stating import is_known
from registry.tables import CertificateRow

Delivered = Callable[[Session, str], bool]
"""Was anything delivered under this agreement, and taken? Usage comes after the market, so who calls tells."""
FIGURES: Mapping[str, tuple[str, str]] = {
    "activity": ("数商活跃度", "activity"),
    "contribution": ("数商贡献度", "contribution"),
    "effective": ("有效数商", "effective in the last 12 months"),
    "credit": ("信用等级", "credit grade"),
}
"""The statistics of §8.3, which settlement computes."""
UNRATED: Mapping[str, str] = MappingProxyType(dict.fromkeys(FIGURES, ""))


@dataclass(frozen=True, slots=True)
class View:
    """The public page of a party. `figures` are values by the names of `FIGURES`, "" for 未评级; `mean` is the mean
    score with two decimals, "" for none; `rows` say what others call its kinds."""

    party: str
    name: str
    declared: Profile | None
    rows: tuple[Row, ...]
    certificates: tuple[CertificateRow, ...]
    listings: tuple[ListingRow, ...]
    evaluations: tuple[Evaluated, ...]
    mean: str
    figures: Mapping[str, str]


def declare(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a party-profile/v1 signed by the party it is of. Raises `BadTerms`, `FieldError`, `NotSigned`,
    `BadSignature`, and the ledger's `Conflict` and `Stale`."""
    statement = taking.of_kind(signed, PARTY_PROFILE)
    party = check_profile(read(Profile, statement.body), statement.subject)
    taking.require_one(session, signed, party_subject(party), at=at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def evaluate(session: Session, signed: Signed, *, delivered: Delivered, at: int) -> Appended:
    """Takes in a deal-evaluation/v1 of one side of a concluded agreement about the other, once for good.

    Raises as `declare`, `UnknownFact`, `NotEntitled` for who is no side of it, `WrongMove` before anything was
    delivered, or where it was evaluated already.
    """
    statement = taking.of_kind(signed, DEAL_EVALUATION)
    body = check_evaluation(read(DealEvaluation, statement.body), statement.subject)
    taking.require_one(session, signed, party_subject(body.by), at=at)
    if is_known(session, signed):
        return ledger.append(session, signed, at=at)
    row = agreements.agreement(session, body.agreement)
    if {body.by, body.of} != {row.consumer, row.seller}:
        raise NotEntitled("evaluate", f"{row.consumer} ↔ {row.seller}", f"{body.by} → {body.of}")
    if statement.no:
        raise WrongMove(statement.subject, "每份合约每方评价一次 / one evaluation per side and agreement", "1")
    if not delivered(session, body.agreement):
        raise WrongMove(
            statement.subject, "已有可计费的使用或已验收的交付 / something delivered and taken", "nothing yet"
        )
    return taking.take(session, signed, store.PROJECTORS, at=at)


def reply(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a deal-reply/v1 of who was evaluated, once. Raises as `declare`, `UnknownFact`, `WrongMove`."""
    statement = taking.of_kind(signed, DEAL_REPLY)
    read(DealReply, statement.body)
    agreement, _, by = statement.subject.removeprefix("deal-evaluation:").partition(".")
    known = store.evaluation(session, agreement, by)
    taking.require_one(session, signed, party_subject(known.party), at=at)
    if is_known(session, signed):
        return ledger.append(session, signed, at=at)
    if known.replied_at:
        raise WrongMove(statement.subject, "回复一次 / one answer", "1")
    return taking.take(session, signed, store.PROJECTORS, at=at)


def view(session: Session, party: str, *, at: int, figures: Mapping[str, str] = UNRATED) -> View:
    """What the public sees of a party on record, with the `figures` that settlement has of it. Raises the register's
    `Unknown`."""
    name = registry.party_at(session, party, at).name
    declared = store.profile(session, party)
    given = store.evaluations(session, party)
    rows = tuple(dict.fromkeys(ROW_OF[kind] for kind in declared.kinds)) if declared else ()
    return View(
        party, name, declared, rows, tuple(registry.certificates_held(session, party, at)),
        tuple(row for row in shelf.listings(session, seller=party) if row.state in ORDERABLE), tuple(given),
        mean_of([item.score for item in given]), {**UNRATED, **figures},
    )  # fmt: skip
