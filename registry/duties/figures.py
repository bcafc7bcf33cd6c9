"""The yearly report counted from facts alone: what each move said in the year, and how the register stood at its end.

Every figure says its scope, the rule it is counted by and as of when, because totals without them disagree
(registration.md 10, trap 21). Nothing here is taken from a view that has moved on since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from registry.asset import Count, Day, Short
from registry.calendar import start_of
from registry.case import STATE_NAMES, State
from registry.certificate import STATUS_NAMES, Status
from registry.errors import CalendarPending
from registry.form import Identity


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: its id, what it is called, over what it was counted, and by which rule."""

    id: Short
    name: Short
    value: Count
    scope: Short
    rule: Short


@dataclass(frozen=True, slots=True)
class AnnualReport:
    """Body of annual-report/v1 about "annual-report:⟨USCC⟩:⟨year⟩"; a corrected report is the next act.

    `as_of` is the first instant after the year (seconds UTC), `rules` the rule set the cases of the year followed.
    """

    agency: Identity
    agency_name: Short
    year: Count
    as_of: Count
    due: Day
    rules: tuple[Short, ...]
    figures: tuple[Figure, ...]
    notice: Short = ""


class Kept(StrEnum):
    """How a period of the agency's was kept: done in the year in time or late, done but not to be dated because a year
    is not published, or over and not done at the year's end."""

    ON_TIME = "on_time"
    OVERDUE = "overdue"
    UNDATED = "undated"
    MISSED = "missed"


CLOCKS: Mapping[str, tuple[str, str]] = {
    "C03": ("办结登记手续", "C03, C04"),
    "C11": ("登记后异议书面通知", "C11"),
    "Q-02": ("答复投诉、转送意见", "Q-02, Q-03 (P)"),
}
"""The clocks that bind the agency and are reported: what is due, and by which rule."""
MISSABLE = frozenset({"C11", "Q-02"})
"""Clocks of single acts: one that has run out is missed for good. C03 pauses and is judged when it ends."""
_KEPT_NAMES: Mapping[Kept, str] = {
    Kept.ON_TIME: "按期", Kept.OVERDUE: "逾期", Kept.UNDATED: "期限未能计算", Kept.MISSED: "逾期未办",
}  # fmt: skip


def kept(done: int | None, due: Callable[[], int], end: int) -> Kept | None:
    """How a period was kept that ends at `due()` and was done at `done`; `None` while it runs at `end`."""
    try:
        ends = due()
    except CalendarPending:
        return Kept.UNDATED if done is not None else None
    if done is None:
        return Kept.MISSED if ends <= end else None
    return Kept.ON_TIME if done < ends else Kept.OVERDUE


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in a year [start, end): by move, ground, type, state and so on; keys are the domain's words.

    `kept` says of each clock of `CLOCKS` how often it was kept, by the words of `Kept`.
    """

    filed: Mapping[str, int]
    states: Mapping[str, int]
    moves: Mapping[str, int]
    grounds: Mapping[str, int]
    outcomes: Mapping[str, int]
    kept: Mapping[str, Mapping[str, int]]
    status: Mapping[str, int]
    other: Mapping[str, int]


def span(year: int) -> tuple[int, int]:
    """First instant of the year and of the next one, Asia/Shanghai, seconds UTC."""
    return start_of(date(year, 1, 1)), start_of(date(year + 1, 1, 1))


MOVES: Mapping[str, str] = {
    "I-07": "受理", "I-08": "视为受理", "I-09": "不予受理", "I-04": "补正告知", "I-06": "视为未提出申请",
    "I-10": "补充材料通知", "I-12": "终止登记", "I-13": "延长办理", "I-15": "公示", "I-16": "不公示决定",
    "I-03": "撤回", "I-24": "存证请求", "I-25": "登记", "I-26": "存证被拒", "I-27": "核发凭证",
}  # fmt: skip
GROUNDS: Mapping[str, str] = {
    "RF-1": "危害国家安全、公共利益或他人权益", "RF-2": "来源违法", "RF-3": "权属纠纷未决", "RF-4": "隐瞒或虚假材料",
    "RF-5": "其他法定情形", "NA-1": "不予受理：党政机关履职数据", "NA-2": "不予受理：登记机构为申请人",
    "NA-3": "不予受理：机构或类型不符", "TM-1": "终止：无法补充且无法核实",
}  # fmt: skip
OTHER: Mapping[str, tuple[str, str]] = {
    "objections": ("公示异议收件", "objection/v1"),
    "register_objections": ("登记后异议收件", "register-objection/v1"),
    "decisions": ("依职权更正、注销决定", "register-decision/v1"),
    "complaints": ("投诉收件", "complaint/v1 Q-01"),
    "complaints_answered": ("投诉办结", "complaint/v1 Q-02、Q-03"),
    "inspections": ("查询复制", "inspection facts, G30"),
    "fee_versions": ("收费标准版本", "agency-disclosure/v1；金额不在登记系统"),
    "changes": ("机构变更报告", "agency-change/v1 P-01"),
    "breaches": ("逾期记录", "agency-breach/v1"),
    "incidents": ("系统事件", "worker incidents"),
    "reviewers": ("专职审查人员", "staff/v1, year end"),
    "encumbered": ("存在权利限制的凭证", "certificate-status/v1, year end"),
}


def figures_of(counted: Counted) -> tuple[Figure, ...]:
    """Every figure of the report, those that are zero too."""
    year, end = "本年度 / in the year", "年末 / at its end"
    found = [
        Figure(f"filed.{kind}", f"申请：{kind}", value, year, "application-submitted/v1")
        for kind, value in sorted(counted.filed.items())
    ]
    found.append(Figure("filed", "申请合计", sum(counted.filed.values()), year, "application-submitted/v1"))
    found += [
        Figure(f"state.{state}", f"年末状态：{STATE_NAMES[state]}", counted.states.get(state, 0), end, "facts < as_of")
        for state in State
        if state is not State.DRAFT
    ]
    found += [Figure(f"move.{move}", name, counted.moves.get(move, 0), year, move) for move, name in MOVES.items()]
    found += [
        Figure(f"ground.{ground}", name, counted.grounds.get(ground, 0), year, ground)
        for ground, name in GROUNDS.items()
    ]
    found += [
        Figure(f"objection.{outcome}", f"异议处理：{outcome}", value, year, "I-19…I-22")
        for outcome, value in sorted(counted.outcomes.items())
    ]
    found += [
        Figure(
            f"{how}.{clock}", f"{_KEPT_NAMES[how]}：{what}", counted.kept.get(clock, {}).get(how, 0),
            end if how is Kept.MISSED else year, rule if how is not Kept.UNDATED else "calendar pending",
        )
        for clock, (what, rule) in CLOCKS.items()
        for how in Kept
        if how is not Kept.MISSED or clock in MISSABLE
    ]  # fmt: skip
    found += [
        Figure(f"status.{status}", f"凭证：{STATUS_NAMES[status]}", counted.status.get(status, 0), end, "G26, G36, G37")
        for status in Status
    ]
    found += [
        Figure(name, title, counted.other.get(name, 0), end if rule.endswith("year end") else year, rule)
        for name, (title, rule) in OTHER.items()
    ]
    return tuple(found)


def tally(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs."""
    return dict(Counter(names))
