"""What a filer states about the 备案 of one revision of an agreement, and what may follow. Source: exchange.md §4.7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms, WrongMove
from clearing.market.agreement import Seconds, Short
from clearing.market.product import Note
from registry.asset import Twin
from registry.party import check_identity

AGREEMENT_FILING = "agreement-filing/v1"


class Act(StrEnum):
    """提交 · 退回 · 备案 · 变更 · 撤回."""

    SUBMIT = "SUBMIT"
    RETURN = "RETURN"
    FILE = "FILE"
    CHANGE = "CHANGE"
    WITHDRAW = "WITHDRAW"


class State(StrEnum):
    """Where the filing of a revision stands; UNFILED before its first act."""

    UNFILED = "UNFILED"
    SUBMITTED = "SUBMITTED"
    RETURNED = "RETURNED"
    FILED = "FILED"
    CHANGED = "CHANGED"
    WITHDRAWN = "WITHDRAWN"


STATE_NAMES: Mapping[State, str] = {
    State.UNFILED: "未备案", State.SUBMITTED: "已提交", State.RETURNED: "已退回", State.FILED: "已备案",
    State.CHANGED: "已变更", State.WITHDRAWN: "已撤回",
}  # fmt: skip
MOVES: Mapping[tuple[State, Act], State] = {
    (State.UNFILED, Act.SUBMIT): State.SUBMITTED,
    (State.SUBMITTED, Act.RETURN): State.RETURNED,
    (State.RETURNED, Act.SUBMIT): State.SUBMITTED,
    (State.SUBMITTED, Act.FILE): State.FILED,
    (State.FILED, Act.CHANGE): State.CHANGED,
    (State.SUBMITTED, Act.WITHDRAW): State.WITHDRAWN,
    (State.RETURNED, Act.WITHDRAW): State.WITHDRAWN,
    (State.FILED, Act.WITHDRAW): State.WITHDRAWN,
}
"""CHANGED: a later revision was filed in its place; it and WITHDRAWN are final."""
_ANSWERS = frozenset({Act.RETURN, Act.FILE})
_NEEDS: Mapping[Act, frozenset[str]] = {
    Act.SUBMIT: frozenset(),
    Act.RETURN: frozenset({"answered", "reason"}),
    Act.FILE: frozenset({"answered", "number"}),
    Act.CHANGE: frozenset({"reason"}),
    Act.WITHDRAW: frozenset({"reason"}),
}


@dataclass(frozen=True, slots=True)
class AgreementFiling:
    """Body of agreement-filing/v1, signed by its filer (USCC), a party of the agreement or the market's operator.

    `terms` is the twin digest of the revision's terms. An answer of the authority carries the second UTC at which it
    came (`answered`), its number where it filed, its reason where it returned, and the digest of its paper if it sent
    one (`receipt`).
    """

    act: Act
    filer: str
    authority: Short
    terms: Twin
    answered: Seconds | None = None
    number: Annotated[str, Meta(max_length=100)] = ""
    reason: Note = ""
    receipt: Twin | None = None


def subject_of(agreement: str, revision: int) -> str:
    """The subject of the filing of this revision."""
    return f"agreement-filing:{agreement}.{revision}"


def id_of(subject: str) -> tuple[str, int]:
    """Agreement (64 hex) and revision inside a subject. Raises `BadTerms`."""
    kind, _, rest = subject.partition(":")
    agreement, _, number = rest.partition(".")
    fits = len(agreement) == 64 and not agreement.strip("0123456789abcdef")
    counted = number.isascii() and number.isdecimal() and len(number) <= 9 and not number.startswith("0")
    if kind != "agreement-filing" or not fits or not counted:
        raise BadTerms("statement.subject", "agreement-filing:<64 hex>.<revision>", subject[:120])
    return agreement, int(number)


def decide(state: State, first: AgreementFiling | None, body: AgreementFiling, terms: Twin, at: int) -> State:
    """The state an act leads to; `first` is the first act of this filing, `terms` the digest of the revision's terms.

    Raises `WrongMove`, `BadTerms`, `FieldError`.
    """
    check_identity(body.filer, "body.filer")
    target = MOVES.get((state, body.act))
    if target is None:
        allowed = " | ".join(act for before, act in MOVES if before is state) or "—"
        raise WrongMove("filing", f"{state}: {allowed}", body.act)
    _require(body.terms == terms, "body.terms", terms.sha256, body.terms.sha256)
    if first is not None:
        _require(body.filer == first.filer, "body.filer", first.filer, body.filer)
        _require(body.authority == first.authority, "body.authority", first.authority, body.authority)
    for name in ("answered", "number", "reason"):
        given = getattr(body, name) not in (None, "")
        _require(given or name not in _NEEDS[body.act], f"body.{name}", f"{body.act} 必填 / given in {body.act}", "—")
        _require(not given or name in _NEEDS[body.act], f"body.{name}", f"{body.act} 不填 / absent in {body.act}", name)
    _require(body.receipt is None or body.act in _ANSWERS, "body.receipt", "with an answer of the authority", body.act)
    _require(body.answered is None or body.answered <= at, "body.answered", f"≤ {at}", body.answered)
    return target


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
