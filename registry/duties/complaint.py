"""What the public says: complaints to the agency, and opinions that belong to the province (guide art. 10(三), 11).

Only category, addressee and the digest of the text are kept in the register; the text may name people and stays in its
file. Whoever answers says how it was settled; an opinion to the province is passed on, not answered here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.asset import Long, Short, Twin
from registry.calendar import Calendar, day_of, end_of, last_day
from registry.errors import GuardRefused, IllegalMove
from registry.form import Identity

COMPLAINT = "complaint/v1"
ANSWER_WITHIN = 15
"""Working days to answer a complaint or to pass an opinion on: the guide wants a channel and names no period (P)."""


class Addressee(StrEnum):
    """Who has to deal with it."""

    AGENCY = "登记机构"
    PROVINCE = "省级数据管理部门"


class Category(StrEnum):
    """What it is about."""

    PROCEDURE = "办理程序"
    TIME = "办理期限"
    FEE = "收费"
    RESULT = "登记结果"
    STAFF = "工作人员"
    CONFIDENTIALITY = "保密"
    OTHER = "其他"


class ComplaintState(StrEnum):
    """Where it stands."""

    RECEIVED = "RECEIVED"
    ANSWERED = "ANSWERED"
    FORWARDED = "FORWARDED"


@dataclass(frozen=True, slots=True)
class ComplaintAct:
    """Body of complaint/v1 about "complaint:⟨32 hex⟩": Q-01 received, Q-02 answered, Q-03 passed on to the province."""

    move: Annotated[str, Meta(pattern=r"^Q-0[123]\Z")]
    agency: Identity
    to: Addressee | None = None
    category: Category | None = None
    channel: Short = ""
    text: Twin | None = None
    about: Short = ""
    outcome: Long = ""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint as its facts say it is; instants seconds UTC."""

    agency: Identity
    to: Addressee
    category: Category
    state: ComplaintState
    received_at: int
    closed_at: int | None = None


MOVES: Mapping[str, tuple[frozenset[ComplaintState | None], ComplaintState, frozenset[str], frozenset[str]]] = {
    "Q-01": (frozenset({None}), ComplaintState.RECEIVED, frozenset({"to", "category", "channel", "text"}),
             frozenset({"about"})),
    "Q-02": (frozenset({ComplaintState.RECEIVED}), ComplaintState.ANSWERED, frozenset({"outcome"}),
             frozenset({"text"})),
    "Q-03": (frozenset({ComplaintState.RECEIVED}), ComplaintState.FORWARDED, frozenset({"outcome"}), frozenset()),
}  # fmt: skip
"""Move → sources, target, fields it needs, further fields it may have."""


def answer_due(received_at: int, calendar: Calendar) -> int:
    """End of the time to answer or pass on what was received then (exclusive instant). Raises `CalendarPending`."""
    return end_of(last_day(day_of(received_at), ANSWER_WITHIN, calendar))


def decide_complaint(case: Complaint | None, act: ComplaintAct, now: int) -> Complaint:
    """The complaint after this act. Raises `IllegalMove`, `GuardRefused`."""
    sources, _, needs, may = MOVES[act.move]
    state = case.state if case else None
    if state not in sources:
        raise IllegalMove(state.value if state else "–", act.move)
    names = [name for name in ComplaintAct.__dataclass_fields__ if name not in ("move", "agency")]
    filled = {name for name in names if getattr(act, name) not in (None, "")}
    for name in sorted(needs - filled):
        raise GuardRefused(act.move, "fields", f"须填写 {name}。", f"{name} is required")
    for name in sorted(filled - needs - may):
        raise GuardRefused(act.move, "fields", f"不应填写 {name}。", f"{name} does not belong to this move")
    if case is not None and act.agency != case.agency:
        raise GuardRefused(act.move, "same_agency", "与收件的机构不一致。", "another agency")
    if case is not None and (case.to is Addressee.PROVINCE) != (act.move == "Q-03"):
        raise GuardRefused(
            act.move, "who_answers", "向省级反映的意见应当转送，其余由本机构答复。", "the province's is passed on"
        )
    return folded(case, act, now)


def folded(case: Complaint | None, act: ComplaintAct, at: int) -> Complaint:
    """The complaint after an act that was decided and stored."""
    target = MOVES[act.move][1]
    if case is None:
        assert act.to is not None
        assert act.category is not None
        return Complaint(act.agency, act.to, act.category, target, at)
    return replace(case, state=target, closed_at=at)
