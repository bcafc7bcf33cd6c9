"""The area's matters as lines of the one work list: what `matter` says, for whose own it is, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.afterlife.dispute import DISPUTE_STATE_NAMES, Dispute
from registry.afterlife.matter import Matter
from registry.afterlife.remark import REMARK_STATE_NAMES
from registry.calendar import Calendar, day_of
from registry.case import Role
from registry.clocks import Due, Running
from registry.worklist import Matter as Waiting
from registry.worklist import Step

STATE_NAMES: Mapping[str, str] = {
    **{state.value: name for state, name in DISPUTE_STATE_NAMES.items()},
    **{state.value: name for state, name in REMARK_STATE_NAMES.items()},
}


@dataclass(frozen=True, slots=True)
class _Concerned:
    """Which certificate a matter is about, whose own it is, and who may not take it."""

    code: str
    role: str
    parties: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()


def line_of(item: Matter, codes: Sequence[str], known: Dispute | None, calendar: Calendar) -> Waiting:
    """A matter about certificates `codes` for the one work list; `known` is the objection, if it is one."""
    found = _concerned(item, "、".join(codes), known)
    return Waiting(
        subject=item.subject,
        title=f"{item.title_zh}（{found.code}）" if found.code else item.title_zh,
        type="",
        state=item.state,
        state_name=STATE_NAMES[item.state],
        role=found.role,
        steps=tuple(Step(move, item.title_zh, item.title_en) for move in item.moves),
        due=_due(item, calendar),
        parties=found.parties,
        barred=found.barred,
    )


def _due(item: Matter, calendar: Calendar) -> Due:
    if not item.clock:
        return Due("", Running.NONE)
    if item.due is None:
        return Due(item.clock, Running.PENDING, calendar=calendar.version)
    return Due(item.clock, Running.RUNNING, day_of(item.due - 1).isoformat(), item.due, calendar.version)


def _concerned(item: Matter, code: str, known: Dispute | None) -> _Concerned:
    if known is None:
        return _Concerned(code, item.role)
    if item.role == Role.OBJECTOR:
        # Where a clerk filed for a verified contact, the clerk also brings in what that person says.
        role = item.role if known.objector else Role.INTAKE.value
        return _Concerned(code, role, frozenset({known.objector.removeprefix("party:")} - {""}))
    parties = {*known.registrants, known.representative} - {""} if item.role == Role.APPLICANT else set()
    barred = known.approvers if item.role == Role.REVIEWER else ()
    return _Concerned(code, item.role, frozenset(parties), frozenset(barred))
