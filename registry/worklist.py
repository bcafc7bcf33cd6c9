"""What has to be done, by whom, until when: matters as lines, sorted by the time that is left.

An application is turned into matters here; other areas (certificates, objections after registration) make their own
`Matter` values and hand them in. Levels and working days left are counted with the calendar of the moment. A level is
an alert; only `registry.application` decides whether a move is still possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

from registry.application import RULES
from registry.calendar import Calendar, day_of, working_days_in
from registry.case import FINAL, STATE_NAMES, Case, Role, State
from registry.clocks import Due, Running, answer
from registry.errors import CalendarPending
from registry.form import applicant_ids
from registry.scheme import Scheme

SOON = 2
"""Working days left from which on a line is a warning (P)."""

MOVE_NAMES: Mapping[str, tuple[str, str]] = {
    "I-01": ("新建申请", "start a draft"),
    "I-02": ("提交申请", "submit"),
    "I-03": ("撤回申请", "withdraw"),
    "I-04": ("一次性告知补正", "ask for corrections, once"),
    "I-05": ("提交补正", "answer the corrections"),
    "I-06": ("视为未提出申请", "deemed not filed"),
    "I-07": ("受理", "accept"),
    "I-08": ("视为受理", "deemed accepted"),
    "I-09": ("不予受理", "refuse to accept"),
    "I-10": ("要求补充佐证材料", "ask for more proof"),
    "I-11": ("补充材料或核实完毕", "supply or verify the proof"),
    "I-12": ("终止登记", "terminate"),
    "I-13": ("延长办理期限", "extend the time"),
    "I-14": ("不予登记", "refuse registration"),
    "I-15": ("审查通过，发布公示", "pass review and publish"),
    "I-16": ("审查通过，决定不公示", "pass review without publicity"),
    "I-17": ("收下公示期内异议", "take in an objection"),
    "I-18": ("公示期满", "publicity ends"),
    "I-19": ("异议处理完毕，转入存证", "objections decided, go on to deposit"),
    "I-20": ("异议处理完毕，继续公示", "objections decided, publicity goes on"),
    "I-21": ("异议成立，不予登记", "objection upheld, refuse"),
    "I-22": ("异议成立，退回审查更正", "objection upheld, back to review"),
    "I-23": ("收下公示期后异议", "take in a late objection"),
    "I-24": ("提出存证请求", "request the deposit"),
    "I-25": ("存证完成，登记", "deposited, registered"),
    "I-26": ("存证被拒，退回", "deposit refused"),
    "I-27": ("核发凭证", "issue the certificate"),
    "B-04": ("更正登记", "correct the register"),
    "Z-03": ("依异议结果或法律文书注销", "cancel by an outcome"),
    "Z-04": ("主动注销", "cancel of own motion"),
    "Z-05": ("依法律规定的其他情形注销", "cancel by law"),
}

DUTIES: Mapping[State, tuple[tuple[Role, str], ...]] = {
    State.SUBMITTED: ((Role.INTAKE, "C01"),),
    State.CORRECTION: ((Role.APPLICANT, "C02"),),
    State.UNDER_REVIEW: ((Role.REVIEWER, "C03"), (Role.APPROVER, "C03")),
    State.SUPPLEMENT: ((Role.APPLICANT, "C05"), (Role.REVIEWER, "C03")),
    State.PUBLICITY: ((Role.INTAKE, "C06"), (Role.REVIEWER, "C03")),
    State.OBJECTION: ((Role.REVIEWER, "C07"), (Role.APPROVER, "C07")),
    State.READY: ((Role.DEPOSIT_OFFICER, "C03"),),
    State.DEPOSITING: ((Role.SYSTEM, "C03"),),
    State.REGISTERED: ((Role.SYSTEM, "C03"),),
}
"""Who is to look at an application in each state, and which clock tells them when; a draft is nobody's duty."""


class Level(StrEnum):
    """How urgent a line is. A paused clock and an unpublished year have no end to be late for."""

    OVERDUE = "overdue"
    TODAY = "today"
    SOON = "soon"
    LATER = "later"
    PENDING = "calendar_pending"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Step:
    """A move that may come next, by its id and its names."""

    move: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that waits for somebody in a role. `subject` is that of the facts, e.g. "application:<id>".

    `parties` are the identity numbers of those whose own matter it is, `barred` the signers who may not take it
    although they have the role (nobody reviews and approves one case). A `private` matter is its parties' alone: the
    agency does not see it.
    """

    subject: str
    title: str
    type: str
    state: str
    state_name: str
    role: str
    steps: tuple[Step, ...]
    due: Due
    parties: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    private: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A matter as somebody sees it: `ends` is the first instant too late (seconds UTC), `last` the last day in time,
    `left` the working days after today up to that day, `calendar` the version they were counted by."""

    subject: str
    title: str
    type: str
    state: str
    state_name: str
    role: str
    steps: tuple[Step, ...]
    clock: str
    running: Running
    level: Level
    last: str = ""
    ends: int | None = None
    left: int | None = None
    calendar: str = ""
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: the signer name, the organisation, the roles held at the agency ("" organisation: none)."""

    by: str
    organisation: str
    roles: frozenset[str] = frozenset()
    whole_agency: bool = False


def states_of(viewer: Viewer) -> frozenset[State]:
    """In which states an application can be this viewer's: only those need be loaded."""
    if viewer.whole_agency or not viewer.roles:
        return frozenset(DUTIES)
    return frozenset(state for state, duties in DUTIES.items() if viewer.roles & {role for role, _ in duties})


def matters_of(case: Case, scheme: Scheme, calendar: Calendar) -> tuple[Matter, ...]:
    """What an application asks of whom now; nothing once it has ended."""
    if case.state in FINAL:
        return ()
    return tuple(
        Matter(
            subject=f"application:{case.application}",
            title=case.form.description.data_name,
            type=case.form.type.value,
            state=case.state.value,
            state_name=STATE_NAMES[case.state],
            role=role.value,
            steps=steps_of(case.state, role),
            due=due_of(case, clock, scheme, calendar),
            parties=applicant_ids(case.form),
            barred=_barred(case, role),
        )
        for role, clock in DUTIES.get(case.state, ())
    )


def due_of(case: Case, clock: str, scheme: Scheme, calendar: Calendar) -> Due:
    """Where a clock of an application stands: C01, C02, C03 (with C04), C05, C06, or the first C07 to end."""
    match clock:
        case "C01":
            return answer("C01", date.fromisoformat(case.c01_from), scheme, calendar)
        case "C02" | "C05":
            if case.deadline is None:
                return Due(clock, Running.NONE)
            return Due(clock, Running.RUNNING, day_of(case.deadline - 1).isoformat(), case.deadline)
        case "C03":
            accepted = date.fromisoformat(case.accepted_on)
            return answer("C03", accepted, scheme, calendar, pauses=case.pauses, extension=case.extension)
        case "C06":
            if case.released_at is None:
                return Due("C06", Running.NONE)
            return answer("C06", day_of(case.released_at), scheme, calendar)
        case "C07":
            waiting = [item for item in case.objections if item.outcome is None]
            first = min((item.received_at for item in waiting), default=None)
            return Due("C07", Running.NONE) if first is None else answer("C07", day_of(first), scheme, calendar)
    raise ValueError(clock)


@cache
def steps_of(state: State, role: Role) -> tuple[Step, ...]:
    """The moves of the table that this role makes, or signs for, from this state."""
    return tuple(
        Step(rule.move, *MOVE_NAMES[rule.move])
        for rule in RULES.values()
        if state in rule.sources and any(role in group for group in rule.signers)
    )


def seen_by(matters: Iterable[Matter], viewer: Viewer, role: str = "") -> tuple[Matter, ...]:
    """The matters of this viewer: of the roles held at the agency, or one for each matter of one's own organisation."""
    if viewer.whole_agency:
        open_ = (item for item in matters if not item.private or viewer.organisation in item.parties)
        return tuple(item for item in open_ if role in ("", item.role))
    if viewer.roles:
        wanted = viewer.roles if not role else viewer.roles & {role}
        return tuple(item for item in matters if item.role in wanted and viewer.by not in item.barred)
    own: dict[str, Matter] = {}
    for item in matters:
        if viewer.organisation in item.parties:
            kept = own.get(item.subject)
            if kept is None or (item.role == Role.APPLICANT and kept.role != Role.APPLICANT):
                own[item.subject] = item
    return tuple(item for item in own.values() if role in ("", item.role))


def lines(matters: Iterable[Matter], at: int, calendar: Calendar) -> tuple[Line, ...]:
    """Lines at an instant, least time left first; those without an end come last, paused ones after pending ones."""
    made = [_line(item, at, calendar) for item in matters]
    order = list(Level)
    return tuple(
        sorted(
            made, key=lambda line: (line.ends is None, line.ends or order.index(line.level), line.subject, line.role)
        )
    )


def counts(found: Sequence[Line]) -> dict[Level, int]:
    """How many lines there are of each level."""
    return {level: sum(line.level is level for line in found) for level in Level}


def level_of(due: Due, at: int, calendar: Calendar) -> tuple[Level, int | None]:
    """The level of a due date at an instant and the working days left (`None`: none can be named)."""
    if due.ends is None:
        return (Level.PENDING if due.running is Running.PENDING else Level.PAUSED), None
    if at >= due.ends:
        return Level.OVERDUE, 0
    today, last = day_of(at), day_of(due.ends - 1)
    if today == last:
        return Level.TODAY, 0
    try:
        left = working_days_in(today, last, calendar)
    except CalendarPending:
        return Level.LATER, None
    return (Level.SOON if left <= SOON else Level.LATER), left


def _line(matter: Matter, at: int, calendar: Calendar) -> Line:
    level, left = level_of(matter.due, at, calendar)
    due = matter.due
    return Line(
        matter.subject, matter.title, matter.type, matter.state, matter.state_name, matter.role, matter.steps,
        due.clock, due.running, level, due.last, due.ends, left, due.calendar, due.year,
    )  # fmt: skip


def _barred(case: Case, role: Role) -> frozenset[str]:
    if role is Role.APPROVER:
        return frozenset(case.reviewers)
    if role is Role.REVIEWER:
        return frozenset(case.approvers)
    if role is Role.DEPOSIT_OFFICER and len(case.reviewers) == 1:
        return frozenset(case.reviewers)
    return frozenset()
