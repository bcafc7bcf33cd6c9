"""The agency's standing as data: conditions with proofs and dates, listing, changes, disclosures; pure.

A change of what art. 12 names is reported at least five working days before it happens (C13, V16) and put into the
national system within five working days after it was confirmed (C14). A late report is taken in: it is a breach on
record, not a reason to hide the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.asset import Count, Day, Long, Short, Twin
from registry.calendar import Calendar, day_of, end_of, last_day, working_days_before
from registry.errors import GuardRefused, IllegalMove
from registry.form import Attachment, Identity, Named

PROFILE = "agency-profile/v1"
LISTING = "agency-listing/v1"
CHANGE = "agency-change/v1"
DISCLOSURE = "agency-disclosure/v1"
BREACH = "agency-breach/v1"
ANNUAL = "annual-report/v1"

REPORT_DAYS_BEFORE, UPDATE_DAYS = 5, 5
"""C13, C14 in working days (art. 12)."""
ANNUAL_DUE = (3, 31)
"""C18: month and day by which the past year is reported (art. 11)."""


class Condition(StrEnum):
    """The conditions of art. 7."""

    G7_1 = "G7(一) 法人、实缴注册资本或经费保障"
    G7_2 = "G7(二) 固定办公场所和基础设施"
    G7_3 = "G7(三) 二年以上相关服务经验"
    G7_4 = "G7(四) 治理结构和管理制度"
    G7_5 = "G7(五) 专职审查团队，三年以上工作经验"
    G7_6 = "G7(六) 信息系统，等保三级或以上备案"
    G7_7 = "G7(七) 近三年无不正当竞争、经营异常和重大违法违规"


class ListingState(StrEnum):
    """In the catalogue of agencies (art. 8), or not, or not for now (art. 38)."""

    LISTED = "LISTED"
    SUSPENDED = "SUSPENDED"
    REMOVED = "REMOVED"


LISTING_NAMES: Mapping[ListingState, str] = {
    ListingState.LISTED: "在录",
    ListingState.SUSPENDED: "暂停发布登记信息",
    ListingState.REMOVED: "已移出目录",
}


class Matter(StrEnum):
    """What art. 12 wants reported."""

    NAME = "名称"
    SEAT = "住所"
    CAPITAL = "注册资本"
    REPRESENTATIVE = "法定代表人"
    CONTROLLING = "控股股东"
    CONTROLLER = "实际控制人"
    CONDITION = "涉及第七条条件"
    DUTY = "涉及第十条要求"
    OTHER = "其他重大事项"


class Topic(StrEnum):
    """What art. 10(三) wants public. Of fees only the paper, never an amount."""

    PROCESS = "登记流程"
    FEES = "收费标准"
    COMPLAINTS = "投诉渠道"
    BUSINESS = "登记业务办理情况"
    TEAM = "专职审查团队建设情况"


TOPIC_IDS: Mapping[Topic, str] = {
    Topic.PROCESS: "process", Topic.FEES: "fees", Topic.COMPLAINTS: "complaints", Topic.BUSINESS: "business",
    Topic.TEAM: "team",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    """A condition of art. 7 with its paper; `met_on` and `until` are legal days, `until` absent where it has no end."""

    condition: Condition
    met: bool
    met_on: Day
    paper: Attachment
    until: Day | None = None
    note: Short = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """Body of agency-profile/v1 about "agency:⟨USCC⟩", signed by the agency: each condition of art. 7 once."""

    province: Identity
    seat: Named
    enterprise: bool
    proofs: Annotated[tuple[Proof, ...], Meta(min_length=1, max_length=20)]
    reviewers: Count


@dataclass(frozen=True, slots=True)
class Listing:
    """Body of agency-listing/v1 about "listing:⟨USCC⟩": signed by an authority, or recorded by two persons."""

    state: ListingState
    since: Day
    document_no: Named
    paper: Twin
    catalogue_no: Short = ""
    reason: Long = ""


@dataclass(frozen=True, slots=True)
class ChangeAct:
    """Body of agency-change/v1 about "agency-change:⟨32 hex⟩": reported, confirmed, put into the national system.

    P-01 needs matter, planned_on, what and paper; P-02 confirmed_on; P-03 nothing; P-04 a reason: it did not happen.
    """

    move: Annotated[str, Meta(pattern=r"^P-0[1-4]\Z")]
    agency: Identity
    matter: Matter | None = None
    planned_on: Day | None = None
    what: Long = ""
    paper: Twin | None = None
    confirmed_on: Day | None = None
    reason: Long = ""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Body of agency-disclosure/v1 about "disclosure:⟨USCC⟩:⟨topic⟩"; act n is version n + 1, in force from a day."""

    topic: Topic
    title: Named
    effective_from: Day
    paper: Attachment
    text: Long = ""


@dataclass(frozen=True, slots=True)
class Breach:
    """Body of agency-breach/v1 about "breach:⟨rule⟩:⟨key⟩", act 0: which clock was missed, by what, since when.

    `due` is the instant the clock ended (exclusive, seconds UTC), `about` a fact id, a year or a subject.
    """

    agency: Identity
    rule: Annotated[str, Meta(pattern=r"^C[0-9]{2}\Z")]
    due: int
    about: Short
    basis: Short


class ChangeState(StrEnum):
    """Where a change of the agency stands."""

    REPORTED = "REPORTED"
    CONFIRMED = "CONFIRMED"
    UPDATED = "UPDATED"
    DROPPED = "DROPPED"


@dataclass(frozen=True, slots=True)
class Change:
    """A change as its facts say it is; days are legal days."""

    agency: Identity
    matter: Matter
    planned_on: str
    reported_on: str
    state: ChangeState
    changed_at: int
    confirmed_on: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table of moves of a change."""

    move: str
    sources: frozenset[ChangeState | None]
    target: ChangeState
    needs: frozenset[str]
    may: frozenset[str]


STEPS: Mapping[str, Step] = {
    step.move: step
    for step in (
        Step("P-01", frozenset({None}), ChangeState.REPORTED, frozenset({"matter", "planned_on", "what", "paper"}),
             frozenset()),
        Step("P-02", frozenset({ChangeState.REPORTED}), ChangeState.CONFIRMED, frozenset({"confirmed_on"}),
             frozenset({"paper"})),
        Step("P-03", frozenset({ChangeState.CONFIRMED}), ChangeState.UPDATED, frozenset(), frozenset({"paper"})),
        Step("P-04", frozenset({ChangeState.REPORTED}), ChangeState.DROPPED, frozenset({"reason"}), frozenset()),
    )
}  # fmt: skip


def check_profile(profile: Profile) -> Profile:
    """Each condition of art. 7 stands once. Raises `GuardRefused`."""
    given = [proof.condition for proof in profile.proofs]
    if sorted(given) != sorted(Condition):
        missing = sorted(set(Condition) - set(given))
        raise GuardRefused(
            "机构信息", "every_condition_once", f"第七条各项条件应逐项列明一次，缺少：{'、'.join(missing) or '—'}。",
            "each condition of art. 7 once",
        )  # fmt: skip
    return profile


def unmet(profile: Profile, day: date) -> tuple[Condition, ...]:
    """The conditions that are not met on `day`, or whose proof has run out."""
    today = day.isoformat()
    return tuple(
        proof.condition
        for proof in profile.proofs
        if not proof.met or today < proof.met_on or (proof.until is not None and proof.until < today)
    )


def check_disclosure(body: Disclosure) -> Disclosure:
    """A fee table is a paper: registry never sees an amount (decisions D26). Raises `GuardRefused`."""
    if body.topic is Topic.FEES and body.text:
        raise GuardRefused(
            "信息公开", "fees_are_a_paper", "收费标准只公开文件及其摘要，不填写正文。", "of fees only the paper"
        )
    return body


def latest_report_day(planned_on: date, calendar: Calendar) -> date:
    """C13, V16: the last day on which a change planned for `planned_on` is reported in time."""
    return working_days_before(planned_on, REPORT_DAYS_BEFORE, calendar)


def update_due(confirmed_on: date, calendar: Calendar) -> int:
    """End of C14, exclusive instant. Raises `CalendarPending`."""
    return end_of(last_day(confirmed_on, UPDATE_DAYS, calendar))


def annual_due(year: int) -> int:
    """End of C18 for the report on `year`, exclusive instant."""
    return end_of(date(year + 1, *ANNUAL_DUE))


def decide_change(case: Change | None, act: ChangeAct, now: int) -> Change:
    """The change after this act. Raises `IllegalMove`, `GuardRefused`."""
    step = STEPS[act.move]
    state = case.state if case else None
    if state not in step.sources:
        raise IllegalMove(state.value if state else "–", act.move)
    names = [name for name in ChangeAct.__dataclass_fields__ if name not in ("move", "agency")]
    filled = {name for name in names if getattr(act, name) not in (None, "")}
    for name in sorted(step.needs - filled):
        raise GuardRefused(act.move, "fields", f"须填写 {name}。", f"{name} is required")
    for name in sorted(filled - step.needs - step.may):
        raise GuardRefused(act.move, "fields", f"不应填写 {name}。", f"{name} does not belong to this move")
    today = day_of(now).isoformat()
    if act.confirmed_on is not None and act.confirmed_on > today:
        raise GuardRefused(act.move, "not_in_the_future", "确认日期不得晚于今天。", "not a day to come")
    if case is not None and act.agency != case.agency:
        raise GuardRefused(act.move, "same_agency", "与报告的机构不一致。", "another agency")
    return changed(case, act, now)


def changed(case: Change | None, act: ChangeAct, at: int) -> Change:
    """The change after an act that was decided and stored."""
    target = STEPS[act.move].target
    if case is None:
        assert act.matter is not None
        return Change(act.agency, act.matter, act.planned_on or "", day_of(at).isoformat(), target, at)
    return replace(case, state=target, changed_at=at, confirmed_on=act.confirmed_on or case.confirmed_on)
