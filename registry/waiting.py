"""待办: what waits for whom, from every area, least time left first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from registry import store
from registry import worklist as todo
from registry.agency import Agency
from registry.calendar import Calendar
from registry.case import rules_of
from registry.errors import NotEntitled


class MatterSource(Protocol):
    """Another area's matters for the work list: what waits for somebody at this agency now."""

    def __call__(self, session: Session, agency: Agency, at: int, calendar: Calendar) -> Sequence[todo.Matter]:
        """Every open matter of the area."""


@dataclass(frozen=True, slots=True)
class Worklist:
    """The lines somebody sees at `as_of`, how many of each level, and the calendar they were counted by."""

    as_of: int
    calendar: str
    counts: dict[todo.Level, int]
    lines: tuple[todo.Line, ...]


def worklist(
    session: Session,
    agency: Agency,
    by: str,
    *,
    at: int,
    calendar: Calendar,
    role: str = "",
    sources: Sequence[MatterSource] = (),
) -> Worklist:
    """What waits for `by`: staff of the agency by role, the agency itself for all roles, others for their own matters.

    `sources` are other areas' matters. Raises `Unknown`, `NotEntitled` for a role that is not held.
    """
    viewer = _viewer(session, agency, by, at)
    if role and viewer.roles and role not in viewer.roles:
        raise NotEntitled("worklist", f"{by} 没有角色 {role[:40]}。", f"{by} does not have role {role[:40]}")
    own = [item for item in store.cases_in(session, todo.states_of(viewer)) if item.form.agency == agency.uscc]
    matters = [matter for item in own for matter in todo.matters_of(item, rules_of(item), calendar)]
    for source in sources:
        matters.extend(source(session, agency, at, calendar))
    found = todo.lines(todo.seen_by(matters, viewer, role), at, calendar)
    return Worklist(at, calendar.version, todo.counts(found), found)


def _viewer(session: Session, agency: Agency, by: str, at: int) -> todo.Viewer:
    kind, _, identity = by.partition(":")
    if kind == "staff":
        staff = store.staff_at(session, identity, at)
        roles = frozenset(staff.roles.split()) if staff.active and staff.organisation == agency.uscc else frozenset()
        return todo.Viewer(by, staff.organisation, roles)
    if kind != "party":
        raise NotEntitled("worklist", f"{by} 不办理登记事项。", f"{by} does not act on registrations")
    return todo.Viewer(by, identity, whole_agency=identity == agency.uscc)
