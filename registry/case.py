"""What an application is at a moment: its state, its form, its clocks' triggers, its objections.

Values only. `registry.application` holds the table of moves that leads from one case to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.afterlife.instrument import Instrument
from registry.asset import Day, Long, Twin
from registry.calendar import (
    Calendar,
    Pause,
    day_of,
    end_of,
)
from registry.certificate import InForce
from registry.clocks import completion, deemed_acceptance, period
from registry.form import Attachment, Form, Named, Publicity
from registry.objection import Decision, Raised, Reason
from registry.scheme import Scheme, scheme_at

MOVE = "application-move/v1"
DECISION = "register-decision/v1"


class State(StrEnum):
    """Where an application stands. The last six are final."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    CORRECTION = "CORRECTION"
    UNDER_REVIEW = "UNDER_REVIEW"
    SUPPLEMENT = "SUPPLEMENT"
    PUBLICITY = "PUBLICITY"
    OBJECTION = "OBJECTION"
    READY = "READY"
    DEPOSITING = "DEPOSITING"
    REGISTERED = "REGISTERED"
    ISSUED = "ISSUED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    NOT_FILED = "NOT_FILED"
    REFUSED = "REFUSED"
    TERMINATED = "TERMINATED"
    WITHDRAWN = "WITHDRAWN"


STATE_NAMES: Mapping[State, str] = {
    State.DRAFT: "草稿",
    State.SUBMITTED: "已提交",
    State.CORRECTION: "待补正",
    State.UNDER_REVIEW: "审查中",
    State.SUPPLEMENT: "补充佐证中",
    State.PUBLICITY: "公示中",
    State.OBJECTION: "异议处理中",
    State.READY: "待存证",
    State.DEPOSITING: "存证中",
    State.REGISTERED: "已登记",
    State.ISSUED: "已核发",
    State.NOT_ACCEPTED: "不予受理",
    State.NOT_FILED: "视为未提出申请",
    State.REFUSED: "不予登记",
    State.TERMINATED: "终止登记",
    State.WITHDRAWN: "已撤回",
}
FINAL = frozenset({State.ISSUED, State.NOT_ACCEPTED, State.NOT_FILED, State.REFUSED, State.TERMINATED, State.WITHDRAWN})
BEFORE_DEPOSIT = frozenset(State) - FINAL - {State.DEPOSITING, State.REGISTERED}


class Role(StrEnum):
    """In which capacity somebody acts on a case."""

    APPLICANT = "applicant"
    REPRESENTATIVE = "representative"
    INTAKE = "intake"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    DEPOSIT_OFFICER = "deposit_officer"
    OBJECTOR = "objector"
    SYSTEM = "system"


STAFF = frozenset({Role.INTAKE, Role.REVIEWER, Role.APPROVER, Role.DEPOSIT_OFFICER})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who signed ("party:…" or "staff:…"), in which role, for which organisation (USCC)."""

    by: str
    role: Role
    organisation: str


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a correction list (不予受理暨补正告知书) or of a request for more papers."""

    no: Annotated[int, Meta(ge=1, le=999)]
    what: Named
    why: Named


@dataclass(frozen=True, slots=True)
class Answer:
    """What the applicant did about one item."""

    item: Annotated[int, Meta(ge=1, le=999)]
    answer: Named


@dataclass(frozen=True, slots=True)
class Review:
    """The three review lists of art. 18–21: description accurate, source lawful, right clear."""

    description: bool
    source: bool
    right: bool
    note: Long = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Body of application-move/v1: a move and what it must carry; fields a move does not use are refused.

    `deadline` is an exclusive instant at midnight, `accepted_on` and `ended_on` are legal days, `rule` and `calendar`
    are what a timer acted under, `record` the digest that is sent to the deposit authority, `receipt` a fact id,
    `release` "national" where the publicity waits until the national system releases the text.
    """

    move: Annotated[str, Meta(pattern=r"^I-[0-9]{2}\Z")]
    reason: Long = ""
    items: tuple[Item, ...] = ()
    deadline: int | None = None
    answers: tuple[Answer, ...] = ()
    form: Form | None = None
    accepted_on: Day | None = None
    ended_on: Day | None = None
    rule: str = ""
    calendar: str = ""
    days: Annotated[int, Meta(ge=0, le=99)] = 0
    ground: str = ""
    cannot_supply: bool = False
    cannot_verify: bool = False
    review: Review | None = None
    publicity: Publicity | None = None
    decisions: tuple[Decision, ...] = ()
    record: Twin | None = None
    receipt: str = ""
    code: str = ""
    papers: tuple[Attachment, ...] = ()
    release: Annotated[str, Meta(pattern=r"^(national)?\Z")] = ""


@dataclass(frozen=True, slots=True)
class AgencyDecision:
    """Body of register-decision/v1: two persons open a 变更 (B-04) or 注销 (Z-03 to Z-05) that nobody applied for.

    `form` restates the register as it shall be; its applicants are the holders as on file, who do not sign. B-04 and
    Z-03 rest on the outcome of `objection` (32 hex) or on `instrument`, a judgment or award in effect; Z-04 and Z-05 on
    the legal `ground`, with the written `notice` to the former applicant (art. 37). Nothing ends before the deposit.
    """

    move: Annotated[str, Meta(pattern=r"^(B-04|Z-0[345])\Z")]
    form: Form
    reason: Reason
    objection: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""
    instrument: Instrument | None = None
    ground: Annotated[str, Meta(max_length=200)] = ""
    notice: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """An application as its facts say it is. Days are ISO dates in Asia/Shanghai, instants seconds UTC.

    Due dates are not kept: they are computed from these triggers with the calendar of the day they are asked.
    `opened_by` is the move by which the agency opened it of its own accord, "" for an application; `objection` and
    `instrument` are what that decision rests on.
    """

    application: str
    form: Form
    version: int
    state: State
    submitted_at: int
    c01_from: str
    changed_at: int
    asked: tuple[int, ...] = ()
    open_items: tuple[Item, ...] = ()
    deadline: int | None = None
    accepted_on: str = ""
    deemed: bool = False
    pauses: tuple[Pause, ...] = ()
    extension: int = 0
    released_at: int | None = None
    waived: bool = False
    objections: tuple[Raised, ...] = ()
    reviewers: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    record: Twin | None = None
    requested_at: int | None = None
    receipt: str = ""
    code: str = ""
    opened_by: str = ""
    objection: str = ""
    instrument: Instrument | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What a decision must know besides the case; gathered by the service, so that deciding stays pure.

    `conflicts` are certificates or cases with the same (data, right, holder), `source_gaps` say why a source right is
    missing, `record` is the deposit record as it stands, `receipt_record` what a verified deposit receipt covers,
    `entry_code` the code of the register entry made from it. A later type also needs the `entry` in force that it
    builds on, and what remarks and objections it is `blocked` by; `ground_lost` says, in both languages, why a decision
    of the agency may no longer be carried out. `national_release`: the national system releases publicity texts.
    """

    agency: str
    scheme: Scheme
    calendar: Calendar
    conflicts: tuple[str, ...] = ()
    source_gaps: tuple[str, ...] = ()
    record: Twin | None = None
    receipt_record: Twin | None = None
    entry_code: str = ""
    entry: InForce | None = None
    blocked: tuple[str, ...] = ()
    ground_lost: tuple[str, str] | None = None
    national_release: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """A move about to be made: the act, who signed it, what the world looks like, and when."""

    act: Act
    actors: tuple[Actor, ...]
    world: World
    now: int


def awaits_release(case: Case) -> bool:
    """Was publicity decided (I-15) and the text not yet released by the national system? C06 has not begun."""
    return case.state is State.PUBLICITY and case.released_at is None


# Clocks ---------------------------------------------------------------------------------------------------------------


def acceptance_ends(case: Case, world: World) -> int:
    """End of C01, exclusive instant. Raises `CalendarPending`."""
    return end_of(period("C01", date.fromisoformat(case.c01_from), world.scheme, world.calendar))


def deemed_acceptance_day(case: Case, world: World) -> str:
    """The first working day after C01's last day (art. 17): may be a working Saturday."""
    return deemed_acceptance(date.fromisoformat(case.c01_from), world.scheme, world.calendar).isoformat()


def notice_deadline(clock: str, now: int, scheme: Scheme, calendar: Calendar) -> int:
    """The default deadline of a correction (C02) or supplement (C05) notice given now, exclusive instant."""
    return end_of(period(clock, day_of(now), scheme, calendar))


def completion_due(case: Case, world: World) -> int | None:
    """End of C03 with its extension, exclusive instant; `None` while it pauses. Raises `CalendarPending`."""
    if any(not pause.end for pause in case.pauses):
        return None
    accepted = date.fromisoformat(case.accepted_on)
    return end_of(completion(accepted, world.scheme, world.calendar, case.pauses, case.extension))


def publicity_ends(case: Case, world: World) -> int:
    """End of C06, exclusive instant, once the text is released; it never pauses. Raises `CalendarPending`."""
    assert case.released_at is not None
    return end_of(period("C06", day_of(case.released_at), world.scheme, world.calendar))


def rules_of(case: Case) -> Scheme:
    """The rule set of a case in the version of its submission day; later versions do not touch it (7.1, P)."""
    return scheme_at(case.form.scheme, day_of(case.submitted_at).isoformat())
