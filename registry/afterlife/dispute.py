"""登记后异议 (guide art. 29): somebody says that a registration is wrong, or that the right is somebody else's.

Another procedure than the objection against a publicity (`registry.objection`, art. 25). Only what both sides accept,
or a judgment in effect, ends it; until then the certificate stays as it is and carries the flag OBJECTION_OPEN.
Values and clocks; the table of moves stands in `registry.afterlife.dispute_moves`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.afterlife.instrument import Instrument
from registry.asset import Long
from registry.calendar import Calendar, day_of, end_of, last_day
from registry.case import Actor, Answer, Item
from registry.form import Attachment, Identity, Named
from registry.objection import Reason
from registry.rights import Right
from registry.scheme import Scheme

OBJECTION = "register-objection/v1"
MOVE = "register-objection-move/v1"


class DisputeState(StrEnum):
    """Where an objection after registration stands. The last two are final."""

    FILED = "FILED"
    INCOMPLETE = "INCOMPLETE"
    NOTIFIED = "NOTIFIED"
    ADMITTED = "ADMITTED"
    CONTESTED = "CONTESTED"
    CONCLUDED = "CONCLUDED"
    DISPUTED = "DISPUTED"
    CLOSED = "CLOSED"
    WITHDRAWN = "WITHDRAWN"


DISPUTE_STATE_NAMES: Mapping[DisputeState, str] = {
    DisputeState.FILED: "已提出",
    DisputeState.INCOMPLETE: "材料待补",
    DisputeState.NOTIFIED: "已通知登记申请人",
    DisputeState.ADMITTED: "登记申请人认可",
    DisputeState.CONTESTED: "调查中",
    DisputeState.CONCLUDED: "已作处理结论",
    DisputeState.DISPUTED: "待裁判",
    DisputeState.CLOSED: "已了结",
    DisputeState.WITHDRAWN: "已撤回",
}
OPEN = frozenset(DisputeState) - {DisputeState.CLOSED, DisputeState.WITHDRAWN}


class DisputeGround(StrEnum):
    """What is objected to (art. 29)."""

    OWNERSHIP = "权属争议"
    ERROR = "登记错误"


class Conclusion(StrEnum):
    """The agency's written conclusion (O-07)."""

    UPHELD = "upheld"
    PARTLY = "partly"
    NOT_UPHELD = "not_upheld"


@dataclass(frozen=True, slots=True)
class RegisterObjection:
    """Body of register-objection/v1 (O-01): 异议申请书 and first evidence (`papers`).

    Signed by the objecting party, or by the clerk who verified the objector's contact (D14). Name, contact and reason
    are never published. `rights` are those it is about.
    """

    certificate: Annotated[str, Meta(max_length=15)]
    objector: Named
    contact: Named
    ground: DisputeGround
    rights: Annotated[tuple[Right, ...], Meta(min_length=1, max_length=3)]
    reason: Reason
    papers: Annotated[tuple[Attachment, ...], Meta(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class DisputeAct:
    """Body of register-objection-move/v1; fields a move does not use are refused.

    `deadline` (exclusive midnight) may give the registrant longer than C12. `instrument` is a judgment or award,
    `result` the id of the register entry or ending that it led to, `rule` and `calendar` what a timer acted under.
    """

    move: Annotated[str, Meta(pattern=r"^O-(0[2-9]|1[01])\Z")]
    reason: Long = ""
    items: tuple[Item, ...] = ()
    answers: tuple[Answer, ...] = ()
    deadline: int | None = None
    conclusion: Conclusion | None = None
    instrument: Instrument | None = None
    result: Annotated[str, Meta(max_length=64)] = ""
    rule: Annotated[str, Meta(max_length=40)] = ""
    calendar: Annotated[str, Meta(max_length=40)] = ""
    papers: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Dispute:
    """An objection after registration as its facts say it is; instants seconds UTC.

    `objector` is "party:<USCC>" or "" where a clerk filed it for a verified contact. `registrants` are the identity
    numbers of the holders it is against, `representative` that of who may sign for all of them ("" for nobody).
    `complete_at` is when the papers were complete (C11), `notified_at` when the registrant was told (C12).
    """

    id: str
    agency: Identity
    certificate: str
    ground: DisputeGround
    rights: tuple[Right, ...]
    objector: str
    registrants: tuple[Identity, ...]
    representative: str
    state: DisputeState
    filed_at: int
    complete_at: int
    changed_at: int
    open_items: tuple[Item, ...] = ()
    notified_at: int | None = None
    deadline: int | None = None
    explained: bool = False
    conclusion: Conclusion | None = None
    registrant_accepts: bool = False
    objector_accepts: bool = False
    instrument: Instrument | None = None
    result: str = ""
    reviewers: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DisputeWorld:
    """What a decision must know besides the dispute; gathered by the service.

    `acted` are the ids of the register entries and endings that the agency made on the ground of this objection;
    `pending`: it has decided to, and the deposit has not been made.
    """

    agency: str
    scheme: Scheme
    calendar: Calendar
    acted: frozenset[str] = frozenset()
    pending: bool = False


@dataclass(frozen=True, slots=True)
class DisputeMoment:
    """An act on a dispute, who signed it, and when (second UTC)."""

    act: DisputeAct
    actors: tuple[Actor, ...]
    world: DisputeWorld
    now: int


def notice_due(dispute: Dispute, scheme: Scheme, calendar: Calendar) -> int | None:
    """End of C11 (exclusive instant): an alert only; `None` while papers are missing or once the notice was given.

    Raises `CalendarPending`.
    """
    if dispute.state is not DisputeState.FILED:
        return None
    return end_of(last_day(day_of(dispute.complete_at), scheme.clocks["C11"].length, calendar))


def answer_ends(notified_at: int, deadline: int | None, scheme: Scheme, calendar: Calendar) -> int:
    """End of C12 (exclusive instant): the notice's own deadline, else the scheme's. Raises `CalendarPending`."""
    if deadline is not None:
        return deadline
    return end_of(last_day(day_of(notified_at), scheme.clocks["C12"].length, calendar))


def to_be_acted_on(dispute: Dispute) -> bool:
    """Has it come to a point where the agency must change or cancel the registration (O-04, O-08, O-10)?

    A dispute before a court is acted on when its judgment is there: the act itself names it.
    """
    if dispute.state is DisputeState.CONCLUDED:
        return (
            dispute.registrant_accepts and dispute.objector_accepts and dispute.conclusion is not Conclusion.NOT_UPHELD
        )
    return dispute.state in (DisputeState.ADMITTED, DisputeState.DISPUTED)
