"""A declared profile, an evaluation of a concluded deal, and the answer to it, as values.

Source: exchange.md §1.2, §3.3 (评价 only from accepted deliveries, one per party and order, right of reply).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.agreement import Hex64
from clearing.market.gates import CODES
from clearing.market.product import Note, Words
from clearing.market.profile.kinds import Kind
from registry.party import check_identity

PARTY_PROFILE = "party-profile/v1"
DEAL_EVALUATION = "deal-evaluation/v1"
DEAL_REPLY = "deal-reply/v1"

Sector = Annotated[str, Meta(pattern=r"^[A-Z][0-9]{2}\Z")]


@dataclass(frozen=True, slots=True)
class Profile:
    """Body of party-profile/v1 about "party-profile:<USCC>", signed by that party; a later one takes its place.

    `sectors` are divisions of GB/T 4754.
    """

    kinds: Annotated[tuple[Kind, ...], Meta(max_length=17)] = ()
    sectors: Annotated[tuple[Sector, ...], Meta(max_length=20)] = ()
    introduction: Note = ""


@dataclass(frozen=True, slots=True)
class DealEvaluation:
    """Body of deal-evaluation/v1 about "deal-evaluation:<agreement>.<USCC of who evaluates>": a score from 1 to 5 of
    the other side of a concluded agreement."""

    agreement: Hex64
    by: str
    of: str
    score: Annotated[int, Meta(ge=1, le=5)]
    text: Note = ""


@dataclass(frozen=True, slots=True)
class DealReply:
    """Body of deal-reply/v1, about the same subject: the answer of who was evaluated, once."""

    text: Words


def subject_of(party: str) -> str:
    """The subject of a party's profile."""
    return f"party-profile:{party}"


def evaluation_subject_of(agreement: str, by: str) -> str:
    """The subject of what `by` (USCC) says of the other side of an agreement."""
    return f"deal-evaluation:{agreement}.{by}"


def check_profile(profile: Profile, subject: str) -> str:
    """The party a profile is of. Raises `BadTerms`, `FieldError`."""
    party = subject.removeprefix("party-profile:")
    if subject != subject_of(party):
        raise BadTerms("statement.subject", "party-profile:<USCC>", subject[:120])
    check_identity(party, "statement.subject")
    for name, items in (("kinds", profile.kinds), ("sectors", profile.sectors)):
        if len(set(items)) != len(items):
            raise BadTerms(f"body.{name}", "每项一次 / each once", "重复 / repeated")
    for place, sector in enumerate(profile.sectors):
        if sector not in CODES:
            raise BadTerms(f"body.sectors[{place}]", "GB/T 4754 大类代码，如 G56 / a division code", sector)
    return party


def check_evaluation(body: DealEvaluation, subject: str) -> DealEvaluation:
    """The body belongs to its subject and is of another party. Raises `BadTerms`, `FieldError`."""
    check_identity(body.by, "body.by")
    check_identity(body.of, "body.of")
    if subject != evaluation_subject_of(body.agreement, body.by):
        raise BadTerms("statement.subject", evaluation_subject_of(body.agreement, body.by), subject[:160])
    if body.by == body.of:
        raise BadTerms("body.of", "另一方 / the other side", body.of)
    return body


def mean_of(scores: Sequence[int]) -> str:
    """The mean of scores with two decimals, half even; "" of none."""
    if not scores:
        return ""
    return str((Decimal(sum(scores)) / len(scores)).quantize(Decimal("0.01"), ROUND_HALF_EVEN))
