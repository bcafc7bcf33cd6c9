"""The exit of an agency as a table of moves; what is not in the table cannot happen.

H-01 report and plan → H-02 the province decides → H-03 it reports → H-04 the national body agrees → H-05 intake closed,
running cases finished → H-06 export → H-07 both sign the manifest → H-08 the receiver has every certificate in custody
→ H-09 exited. An agency that was removed from the catalogue begins at H-05: the guide has no rule for it (P).
A decision of an authority is signed by the authority, or recorded by two persons of the agency with its document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.asset import Count, Day, Hex64, Long, Short, Twin
from registry.calendar import Calendar, add_months, day_of, end_of, last_day
from registry.certificate import Instant
from registry.errors import GuardRefused, IllegalMove, NotEntitled
from registry.form import Identity

EXIT = "agency-exit/v1"
FORMAT = "shuqing-handover/v1"
MONTHS_BEFORE = 6
"""C15: the report comes at least so many months before the exit (art. 13; 以上 includes the number, art. 42)."""
DECIDE_WITHIN, REPORT_WITHIN = 20, 5
"""C16, C17: working days of the province; nothing follows from their end but an alert."""


class ExitState(StrEnum):
    """Where an agency's exit stands."""

    NONE = "NONE"
    REPORTED = "REPORTED"
    CONSENTED = "CONSENTED"
    FORWARDED = "FORWARDED"
    AGREED = "AGREED"
    CLOSED = "CLOSED"
    EXPORTED = "EXPORTED"
    HANDED_OVER = "HANDED_OVER"
    IN_CUSTODY = "IN_CUSTODY"
    EXITED = "EXITED"
    DECLINED = "DECLINED"


STATE_NAMES: Mapping[ExitState, str] = {
    ExitState.NONE: "在业",
    ExitState.REPORTED: "已报告退出",
    ExitState.CONSENTED: "省级已同意",
    ExitState.FORWARDED: "已报送国家",
    ExitState.AGREED: "国家已同意",
    ExitState.CLOSED: "停止受理、在办已结",
    ExitState.EXPORTED: "已导出移交包",
    ExitState.HANDED_OVER: "双方已签移交",
    ExitState.IN_CUSTODY: "接收机构保管中",
    ExitState.EXITED: "已退出",
    ExitState.DECLINED: "未获同意",
}
NO_INTAKE = frozenset(ExitState) - {
    ExitState.NONE, ExitState.REPORTED, ExitState.CONSENTED, ExitState.FORWARDED, ExitState.DECLINED
}  # fmt: skip
"""From H-04 on nothing new is taken in (P)."""


class ExitRole(StrEnum):
    """In which capacity somebody acts on an exit."""

    AGENCY = "agency"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    PROVINCE = "province_authority"
    NATIONAL = "national_authority"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness of the former log: name and Ed25519 public key."""

    name: Short
    public: Hex64


@dataclass(frozen=True, slots=True)
class FormerLog:
    """Whose keys the heads up to `size` have: origin, log keys (Ed25519, SM2), operator's SM2 key, witnesses."""

    origin: Short
    ed25519: Hex64
    sm2: Annotated[str, Meta(pattern=r"^04[0-9a-f]{128}\Z")]
    operator: Annotated[str, Meta(pattern=r"^04[0-9a-f]{128}\Z")]
    witnesses: tuple[WitnessKey, ...]
    size: Count


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """A part of H-08: a certificate as it was taken into custody, unchanged. Instants seconds UTC."""

    code: str
    version: Annotated[int, Meta(ge=1)]
    status: Short
    valid_from: Instant
    valid_until: Instant


@dataclass(frozen=True, slots=True)
class ExitAct:
    """Body of agency-exit/v1 about "exit:⟨USCC⟩": a move and what it must carry; other fields are refused.

    `plan` and `paper` are digests of documents, `manifest` is that of the parcel (`registry.parcel`), `as_of` the
    second for which H-08 states the certificates.
    """

    move: Annotated[str, Meta(pattern=r"^H-0[1-9]\Z")]
    planned_exit: Day | None = None
    plan: Twin | None = None
    paper: Twin | None = None
    decision: Annotated[str, Meta(pattern=r"^(agree|decline)?\Z")] = ""
    receiver: Annotated[str, Meta(max_length=64)] = ""
    manifest: Twin | None = None
    log: FormerLog | None = None
    as_of: Instant | None = None
    reason: Long = ""


@dataclass(frozen=True, slots=True)
class Leaving:
    """An agency's exit as its facts say it is. Days are legal days, instants seconds UTC."""

    agency: Identity
    state: ExitState = ExitState.NONE
    changed_at: int = 0
    reported_on: str = ""
    planned_exit: str = ""
    consented_on: str = ""
    receiver: str = ""
    manifest: Twin | None = None
    log: FormerLog | None = None
    handed_at: int | None = None
    exited_at: int | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision must know besides the exit: cases still running, certificates as the installation has them,
    the lines that came with the act, and whether the agency was removed from the catalogue."""

    running: tuple[str, ...] = ()
    certificates: tuple[CertificateLine, ...] = ()
    stated: tuple[CertificateLine, ...] = ()
    removed: bool = False


Refusal = tuple[str, str] | None
Guard = Callable[[Leaving, ExitAct, Surroundings, int], Refusal]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table; `signers` are alternative sets of roles."""

    move: str
    sources: frozenset[ExitState]
    target: ExitState
    signers: tuple[frozenset[ExitRole], ...]
    needs: frozenset[str]
    may: frozenset[str]
    guards: tuple[Guard, ...]
    clock: str


# Conditions -----------------------------------------------------------------------------------------------------------


def six_months_ahead(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """C15, V17: the planned exit is at least six months after the report."""
    earliest = earliest_exit(day_of(now)).isoformat()
    assert act.planned_exit is not None
    if act.planned_exit < earliest:
        return f"应提前六个月以上报告，最早 {earliest} 退出。", f"six months ahead: not before {earliest}"
    return None


def receiver_is_named(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """Whoever agrees names another agency that goes on (art. 13: 其他存续登记机构)."""
    if act.decision != "decline" and (not act.receiver or act.receiver == case.agency):
        return "同意退出应指定其他存续登记机构接收。", "consent names another agency that receives"
    return None


def document_is_named(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """A decision says what it decides."""
    return None if act.decision else ("须填写 decision。", "decision is required")


def removed_or_agreed(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """H-05 without H-01 to H-04 only for an agency that is no longer in the catalogue (art. 38, P)."""
    if case.state is ExitState.NONE:
        if not around.removed:
            return "未获同意退出，也未移出目录。", "neither agreed nor removed from the catalogue"
        return receiver_is_named(case, act, around, now)
    return ("接收机构已由省级指定。", "the receiver is named already") if act.receiver else None


def nothing_runs(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """Running cases are finished, or withdrawn by their applicants and filed with the receiver (P)."""
    if around.running:
        return f"尚有在办件 {', '.join(around.running[:3])} 等 {len(around.running)} 件。", "cases are still running"
    return None


def same_manifest(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """Both sides sign for the parcel that was exported."""
    return None if act.manifest == case.manifest else ("移交清单摘要不符。", "the manifest is another one")


def every_certificate_unchanged(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """H-08 states every certificate with the code, state and validity it has."""
    if around.stated != around.certificates:
        return "所列凭证与登记簿不一致。", "the certificates stated are not those of the register"
    return None


def planned_day_reached(case: Leaving, act: ExitAct, around: Surroundings, now: int) -> Refusal:
    """Not before the day that was planned and decided on."""
    if day_of(now).isoformat() < case.planned_exit:
        return f"尚未到计划退出日 {case.planned_exit}。", f"not before {case.planned_exit}"
    return None


_AGENCY = (frozenset({ExitRole.AGENCY}),)
_RECORDED = frozenset({ExitRole.REVIEWER, ExitRole.APPROVER})
_PROVINCE = (frozenset({ExitRole.PROVINCE}), _RECORDED)
_NATIONAL = (frozenset({ExitRole.NATIONAL}), frozenset({ExitRole.PROVINCE}), _RECORDED)


def _rule(
    move: str, sources: set[ExitState], target: ExitState, signers: tuple[frozenset[ExitRole], ...],
    guards: tuple[Guard, ...] = (), *, needs: str = "", may: str = "reason", clock: str = "–",
) -> Rule:  # fmt: skip
    return Rule(
        move, frozenset(sources), target, signers, frozenset(needs.split()), frozenset(may.split()), guards, clock
    )


# fmt: off
RULES: Mapping[str, Rule] = {
    rule.move: rule
    for rule in (
        _rule("H-01", {ExitState.NONE, ExitState.DECLINED}, ExitState.REPORTED, _AGENCY, (six_months_ahead,),
              needs="planned_exit plan", clock="C15; C16 starts"),
        _rule("H-02", {ExitState.REPORTED}, ExitState.CONSENTED, _PROVINCE, (document_is_named, receiver_is_named),
              needs="decision paper", may="reason receiver", clock="C16 ends; C17 starts"),
        _rule("H-03", {ExitState.CONSENTED}, ExitState.FORWARDED, _PROVINCE, needs="paper", clock="C17 ends"),
        _rule("H-04", {ExitState.FORWARDED}, ExitState.AGREED, _NATIONAL, (document_is_named,),
              needs="decision paper"),
        _rule("H-05", {ExitState.AGREED, ExitState.NONE}, ExitState.CLOSED, _AGENCY, (removed_or_agreed, nothing_runs),
              may="reason receiver paper"),
        _rule("H-06", {ExitState.CLOSED, ExitState.EXPORTED}, ExitState.EXPORTED, _AGENCY, (nothing_runs,),
              needs="manifest log"),
        _rule("H-07", {ExitState.EXPORTED}, ExitState.HANDED_OVER,
              (frozenset({ExitRole.AGENCY, ExitRole.RECEIVER}),), (same_manifest,), needs="manifest"),
        _rule("H-08", {ExitState.HANDED_OVER}, ExitState.IN_CUSTODY, (frozenset({ExitRole.RECEIVER}),),
              (every_certificate_unchanged,), needs="as_of"),
        _rule("H-09", {ExitState.IN_CUSTODY}, ExitState.EXITED, (*_AGENCY, frozenset({ExitRole.PROVINCE})),
              (planned_day_reached,), clock="C20 goes on"),
    )
}
# fmt: on


# Clocks ---------------------------------------------------------------------------------------------------------------


def earliest_exit(reported: date) -> date:
    """The first day on which an agency that reports on `reported` may leave (C15)."""
    return add_months(reported, MONTHS_BEFORE)


def decision_due(reported: date, calendar: Calendar) -> int:
    """End of C16, exclusive instant. Raises `CalendarPending`."""
    return end_of(last_day(reported, DECIDE_WITHIN, calendar))


def forwarding_due(consented: date, calendar: Calendar) -> int:
    """End of C17, exclusive instant. Raises `CalendarPending`."""
    return end_of(last_day(consented, REPORT_WITHIN, calendar))


# Deciding and folding -------------------------------------------------------------------------------------------------


def rule_for(state: ExitState, move: str, roles: Sequence[ExitRole]) -> Rule:
    """The row for this move from this state by these roles. Raises `IllegalMove` or `NotEntitled`."""
    rule = RULES.get(move)
    if rule is None or state not in rule.sources:
        raise IllegalMove(state.value, move)
    if frozenset(roles) not in rule.signers or len(set(roles)) != len(roles):
        wanted = " | ".join("+".join(sorted(group)) for group in rule.signers)
        given = "+".join(sorted(roles)) or "–"
        raise NotEntitled(move, f"应由 {wanted} 签署，实为 {given}。", f"signed by {given}, expected {wanted}")
    return rule


def decide(case: Leaving, act: ExitAct, roles: Sequence[ExitRole], around: Surroundings, now: int) -> Rule:
    """May this act be made now? Raises `IllegalMove`, `NotEntitled`, `GuardRefused`."""
    rule = rule_for(case.state, act.move, roles)
    filled = {name for name in _FIELDS if getattr(act, name) not in (None, "")}
    for name in sorted(rule.needs - filled):
        raise GuardRefused(rule.move, "fields", f"须填写 {name}。", f"{name} is required")
    for name in sorted(filled - rule.needs - rule.may):
        raise GuardRefused(rule.move, "fields", f"不应填写 {name}。", f"{name} does not belong to this move")
    if now < case.changed_at:
        raise GuardRefused(act.move, "time_runs_forward", "办理时间早于上一步。", "earlier than the step before")
    for guard in rule.guards:
        refusal = guard(case, act, around, now)
        if refusal is not None:
            raise GuardRefused(rule.move, guard.__name__, *refusal)
    return rule


def apply(case: Leaving, act: ExitAct, at: int) -> Leaving:
    """The exit after an act that was decided and stored. Raises `IllegalMove`."""
    rule = RULES.get(act.move)
    if rule is None or case.state not in rule.sources:
        raise IllegalMove(case.state.value, act.move)
    state = ExitState.DECLINED if act.decision == "decline" else rule.target
    case = replace(case, state=state, changed_at=at)
    today = day_of(at).isoformat()
    match act.move:
        case "H-01":
            return replace(Leaving(case.agency, state, at), reported_on=today, planned_exit=act.planned_exit or "")
        case "H-02":
            return replace(case, consented_on=today, receiver=act.receiver)
        case "H-05":
            return replace(case, receiver=act.receiver or case.receiver)
        case "H-06":
            return replace(case, manifest=act.manifest, log=act.log)
        case "H-07":
            return replace(case, handed_at=at)
        case "H-09":
            return replace(case, exited_at=at)
    return case


_FIELDS = tuple(name for name in ExitAct.__dataclass_fields__ if name != "move")
