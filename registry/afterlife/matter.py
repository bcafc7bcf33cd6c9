"""What waits for whom: one line of a clerk's work list for each open objection and ended remark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry.afterlife.dispute import Conclusion, Dispute, DisputeState, DisputeWorld, answer_ends, notice_due
from registry.afterlife.remark import KIND_NAMES, Remark, RemarkKind, RemarkState, state_of
from registry.errors import CalendarPending


@dataclass(frozen=True, slots=True)
class Matter:
    """Something somebody must do: which moves, by which role, until when.

    `clock` is "" where none runs; `due` (exclusive instant) is `None` then, and while the year is not published.
    """

    subject: str
    title_zh: str
    title_en: str
    role: str
    moves: tuple[str, ...]
    clock: str
    due: int | None
    state: str


_DISPUTE: Mapping[DisputeState, tuple[str, str, str, tuple[str, ...], str]] = {
    DisputeState.FILED: (
        "审查异议材料并书面通知登记申请人",
        "check the papers, notify",
        "intake",
        ("O-02", "O-03"),
        "C11",
    ),
    DisputeState.INCOMPLETE: ("补正异议材料", "supply what is missing", "objector", ("O-02", "O-11"), ""),
    DisputeState.NOTIFIED: ("答复异议", "answer the objection", "applicant", ("O-04", "O-05"), "C12"),
    DisputeState.ADMITTED: (
        "按认可的异议变更或注销登记",
        "change or cancel as agreed",
        "reviewer",
        ("B-04", "Z-03"),
        "",
    ),
    DisputeState.CONTESTED: ("调查并作出处理结论", "investigate and conclude", "reviewer", ("O-05", "O-07"), ""),
    DisputeState.DISPUTED: ("依生效法律文书处置", "act on the judgment", "reviewer", ("O-10", "B-04", "Z-03"), ""),
}


def of_dispute(dispute: Dispute, world: DisputeWorld) -> tuple[Matter, ...]:
    """What an objection after registration waits for; nothing once it is closed, nor while the case that the agency
    opened on its outcome waits for its deposit."""
    if world.pending:
        return ()
    subject, state = f"register-objection:{dispute.id}", dispute.state.value
    if dispute.state is DisputeState.CONCLUDED:
        found = []
        if not dispute.registrant_accepts:
            found.append(
                Matter(subject, "表示是否认可结论", "accept or reject", "applicant", _ANSWERS, "", None, state)
            )
        if not dispute.objector_accepts:
            found.append(Matter(subject, "表示是否认可结论", "accept or reject", "objector", _ANSWERS, "", None, state))
        if not found and dispute.conclusion is not Conclusion.NOT_UPHELD:
            found.append(
                Matter(
                    subject, "按处理结论处置", "act on the conclusion", "reviewer", ("B-04", "Z-03"), "", None, state
                )
            )
        return tuple(found)
    line = _DISPUTE.get(dispute.state)
    if line is None:
        return ()
    zh, en, role, moves, clock = line
    return (Matter(subject, zh, en, role, moves, clock, _due(dispute, world), state),)


def of_remark(remark: Remark, at: int) -> tuple[Matter, ...]:
    """A remark whose end has passed waits for an officer; a pledge for its pledgee."""
    if state_of(remark, at) is not RemarkState.UNVERIFIED:
        return ()
    name = KIND_NAMES[remark.record.kind]
    moves = ("E-02", "E-03") if remark.record.kind is RemarkKind.PLEDGE else ("E-02", "E-03", "E-04")
    title = f"核实{name}是否届满"
    return (
        Matter(
            f"remark:{remark.id}", title, "verify the end", "reviewer", moves, "", None, RemarkState.UNVERIFIED.value
        ),
    )


_ANSWERS = ("O-08", "O-09")


def _due(dispute: Dispute, world: DisputeWorld) -> int | None:
    try:
        if dispute.state is DisputeState.NOTIFIED and dispute.notified_at is not None:
            return answer_ends(dispute.notified_at, dispute.deadline, world.scheme, world.calendar)
        return notice_due(dispute, world.scheme, world.calendar)
    except CalendarPending:
        return None
