"""An application goes through seven steps by named moves; what is not in the table cannot happen.

申请 → 受理 → 审查 → 公示 → 异议处理 → 信息存证 → 凭证核发 (guide art. 14). `RULES` is the table of moves I-01…I-27
(registration.md 1.3): from which state to which, who must sign, under which conditions, with which clock and paper.
`decide` checks a move before it is taken in; `apply` folds a stored one into the case. Both ask the same table, so a
case rebuilt from its facts is the case that was decided on.

All five types of registration (art. 32) go the same way; where they differ, a guard belongs to some types only
(`guards_of`). What the agency opens of its own accord (B-04, Z-03 to Z-05) begins at READY: nobody applied, two persons
decided, and what remains is deposit and issue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import date

from ledger.facts import Signature
from registry import conditions as only_if
from registry import moves
from registry.calendar import Pause, day_of, start_of
from registry.case import (
    BEFORE_DEPOSIT,
    Act,
    Actor,
    AgencyDecision,
    Case,
    Moment,
    Role,
    State,
    World,
    awaits_release,
    deemed_acceptance_day,
    publicity_ends,
)
from registry.conditions import Guard
from registry.errors import GuardRefused, IllegalMove, NotEntitled
from registry.form import Form, RegistrationType, applicant_ids
from registry.objection import Raised

Rule = moves.Rule[State]
"""A row of the table of applications."""

_APPLICANT = (frozenset({Role.APPLICANT}), frozenset({Role.REPRESENTATIVE}))
_INTAKE = (frozenset({Role.INTAKE}),)
_REVIEWER = (frozenset({Role.REVIEWER}),)
_TWO = (frozenset({Role.REVIEWER, Role.APPROVER}),)
_OFFICER = (frozenset({Role.DEPOSIT_OFFICER}),)
_SYSTEM = (frozenset({Role.SYSTEM}),)
_OBJECTOR = (frozenset({Role.OBJECTOR}), frozenset({Role.INTAKE}))


def _rule(
    move: str,
    sources: Set[State | None] | Set[State],
    target: State | None,
    signers: tuple[frozenset[Role], ...],
    guards: tuple[Guard, ...],
    *,
    clock: str,
    paper: str,
    basis: str,
    needs: str = "",
    may: str = "reason papers",
) -> Rule:
    fields = frozenset(needs.split()), frozenset(may.split())
    return moves.Rule(move, frozenset(sources), target, signers, *fields, guards, clock, paper, basis)


def _opened(move: str, paper: str, basis: str) -> Rule:
    guards = (
        only_if.addressed_to_this_agency, only_if.section_fits_the_type, only_if.ground_of_the_move,
        only_if.certificate_is_in_force, only_if.differs_only_as_allowed,
    )  # fmt: skip
    return _rule(move, {None}, State.READY, _TWO, guards, clock="–", paper=paper, basis=basis, needs="form reason")


# fmt: off
RULES: Mapping[str, Rule] = {
    rule.move: rule
    for rule in (
        _rule("I-01", {None}, State.DRAFT, _APPLICANT,
              (only_if.addressed_to_this_agency, only_if.agency_is_not_applicant, only_if.section_fits_the_type),
              clock="–", paper="–", basis="G16"),
        _rule("I-02", {State.DRAFT}, State.SUBMITTED, _APPLICANT,
              (only_if.every_applicant_signed, only_if.certificate_is_in_force, only_if.filed_in_its_window,
               only_if.no_other_renewal),
              clock="C01 starts", paper="收件回执", basis="G16 G17", needs="form"),
        _rule("I-03", BEFORE_DEPOSIT, State.WITHDRAWN, _APPLICANT,
              (only_if.every_applicant_signed, only_if.applied_for),
              clock="all stop", paper="撤回确认书", basis="P"),
        _rule("I-04", {State.SUBMITTED}, State.CORRECTION, _INTAKE,
              (only_if.written_in_time, only_if.one_complete_list, only_if.deadline_is_whole_day),
              clock="C01 stops, C02 starts", paper="不予受理暨补正告知书", basis="G17(一)", needs="items deadline"),
        _rule("I-05", {State.CORRECTION}, State.SUBMITTED, _APPLICANT,
              (only_if.before_deadline, only_if.every_item_answered, only_if.same_parties_same_agency),
              clock="C01 restarts in full (P)", paper="补正回执", basis="G17(二)",
              needs="answers", may="reason papers form"),
        _rule("I-06", {State.CORRECTION}, State.NOT_FILED, _SYSTEM,
              (only_if.deadline_passed, only_if.timer_names_its_rule),
              clock="–", paper="视为未提出申请告知书", basis="G17(一)", needs="rule calendar"),
        _rule("I-07", {State.SUBMITTED}, State.UNDER_REVIEW, _INTAKE,
              (only_if.written_in_time, only_if.accepted_today),
              clock="C01 stops, C03 starts", paper="受理通知书", basis="G17(二)", needs="accepted_on"),
        _rule("I-08", {State.SUBMITTED}, State.UNDER_REVIEW, _SYSTEM,
              (only_if.deemed_accepted, only_if.timer_names_its_rule),
              clock="C03 starts", paper="视为受理通知书", basis="G17", needs="accepted_on rule calendar"),
        _rule("I-09", {State.SUBMITTED}, State.NOT_ACCEPTED, _TWO,
              (only_if.written_in_time, only_if.known_ground, only_if.ground_is_declared),
              clock="C01 stops", paper="不予受理告知书", basis="G17 正当理由, P", needs="ground reason"),
        _rule("I-10", {State.UNDER_REVIEW}, State.SUPPLEMENT, _REVIEWER, (only_if.deadline_is_whole_day,),
              clock="C03 pauses, C05 starts", paper="补充材料通知书", basis="G18 G28", needs="items deadline"),
        _rule("I-11", {State.SUPPLEMENT}, State.UNDER_REVIEW, (*_APPLICANT, *_REVIEWER),
              (only_if.supplied_or_verified, only_if.same_parties_same_agency),
              clock="C03 resumes", paper="收件回执 / 核实记录", basis="G18", may="reason papers answers form"),
        _rule("I-12", {State.SUPPLEMENT}, State.TERMINATED, _TWO, (only_if.known_ground, only_if.both_conditions),
              clock="stop", paper="终止登记告知书", basis="G18",
              needs="ground reason", may="papers cannot_supply cannot_verify"),
        _rule("I-13", {State.UNDER_REVIEW}, None, _TWO, (only_if.extension_within_limit,),
              clock="C04", paper="延长办理期限告知书", basis="G28", needs="days reason"),
        _rule("I-14", {State.UNDER_REVIEW, State.SUPPLEMENT, State.PUBLICITY, State.OBJECTION, State.READY},
              State.REFUSED, _TWO, (only_if.known_ground,),
              clock="stop", paper="不予登记告知书", basis="G22", needs="ground reason"),
        _rule("I-15", {State.UNDER_REVIEW}, State.PUBLICITY, _TWO,
              (only_if.review_passed, only_if.matrix_passed, only_if.source_rights_held,
               only_if.certificate_is_in_force, only_if.differs_only_as_allowed, only_if.nothing_blocks_it,
               only_if.text_is_the_form, only_if.released_where_connected),
              clock="C03 pauses, C06 starts at release", paper="公示公告", basis="G24 G28",
              needs="review publicity", may="reason papers release"),
        _rule("I-16", {State.UNDER_REVIEW}, State.READY, _TWO,
              (only_if.review_passed, only_if.matrix_passed, only_if.source_rights_held,
               only_if.certificate_is_in_force, only_if.differs_only_as_allowed, only_if.nothing_blocks_it,
               only_if.waiver_was_asked),
              clock="–", paper="不公示决定书", basis="G24", needs="review reason"),
        _rule("I-17", {State.PUBLICITY, State.OBJECTION}, State.OBJECTION, _OBJECTOR, (only_if.within_publicity,),
              clock="C07 per objection", paper="异议收件通知", basis="G25"),
        _rule("I-18", {State.PUBLICITY}, State.READY, _SYSTEM,
              (only_if.publicity_over, only_if.no_open_objection, only_if.timer_names_its_rule),
              clock="C03 resumes", paper="公示结果", basis="G24", needs="ended_on rule calendar"),
        _rule("I-19", {State.OBJECTION}, State.READY, _TWO,
              (only_if.every_objection_decided, only_if.none_upheld, only_if.publicity_over),
              clock="C03 resumes", paper="异议处理决定书", basis="G25", needs="decisions"),
        _rule("I-20", {State.OBJECTION}, State.PUBLICITY, _TWO,
              (only_if.every_objection_decided, only_if.none_upheld, only_if.publicity_released,
               only_if.within_publicity),
              clock="C06 goes on", paper="异议处理决定书", basis="G25", needs="decisions"),
        _rule("I-21", {State.OBJECTION}, State.REFUSED, _TWO,
              (only_if.every_objection_decided, only_if.some_upheld, only_if.known_ground),
              clock="stop", paper="异议处理决定书, 不予登记告知书", basis="G25", needs="decisions ground reason"),
        _rule("I-22", {State.OBJECTION}, State.UNDER_REVIEW, _TWO,
              (only_if.every_objection_decided, only_if.some_upheld),
              clock="C03 resumes", paper="异议处理决定书", basis="P", needs="decisions reason"),
        _rule("I-23", {State.READY, State.OBJECTION}, State.OBJECTION, _OBJECTOR, (),
              clock="C03 pauses, C07", paper="异议收件通知", basis="P"),
        _rule("I-24", {State.READY}, State.DEPOSITING, _OFFICER,
              (only_if.no_open_objection, only_if.matrix_passed, only_if.source_rights_held,
               only_if.certificate_is_in_force, only_if.still_applies, only_if.nothing_blocks_it,
               only_if.ground_still_stands, only_if.term_still_runs, only_if.nobody_holds_it_twice,
               only_if.officer_is_not_sole_reviewer, only_if.record_is_current),
              clock="C03 runs on", paper="存证请求", basis="G26", needs="record"),
        _rule("I-25", {State.DEPOSITING}, State.REGISTERED, _SYSTEM,
              (only_if.deposited_as_requested, only_if.certificate_is_in_force, only_if.nothing_blocks_it,
               only_if.ground_still_stands, only_if.code_is_allocated),
              clock="C08 starts", paper="存证回执", basis="G26", needs="receipt code rule"),
        _rule("I-26", {State.DEPOSITING}, State.READY, _SYSTEM, (),
              clock="C03 runs on", paper="失败记录", basis="P", needs="reason rule"),
        _rule("I-27", {State.REGISTERED}, State.ISSUED, _SYSTEM, (only_if.code_is_allocated,),
              clock="C03 ends", paper="数据产权登记凭证", basis="G27", needs="code rule"),
        _opened("B-04", "变更决定书", "G29, P"),
        _opened("Z-03", "注销决定书, 书面告知", "G37(三) G29"),
        _opened("Z-04", "注销决定书, 书面告知", "G37"),
        _opened("Z-05", "注销决定书, 书面告知", "G37(四)"),
    )
}
# fmt: on


BY_AGENCY = frozenset({"B-04", "Z-03", "Z-04", "Z-05"})
STATED_OTHERWISE = frozenset({"I-01", "I-02", "I-17", "I-23"}) | BY_AGENCY
"""Moves that are made by filing a form, an objection or an agency's decision, never by an application-move."""


def guards_of(rule: Rule, kind: RegistrationType) -> tuple[Guard, ...]:
    """The guards of a row for this type of registration."""
    return tuple(guard for guard in rule.guards if kind in only_if.ONLY_FOR.get(guard, frozenset(RegistrationType)))


# Deciding and folding -------------------------------------------------------------------------------------------------


def role_of(form: Form, signature: Signature) -> Role:
    """The capacity in which a signature stands on a case with this form. Raises `NotEntitled` for an unknown role."""
    kind, _, identity = signature.by.partition(":")
    if kind == "staff":
        return moves.staff_role(signature)
    if kind != "party":
        raise NotEntitled("签名", "仅当事方和经办人可以办理登记。", "only parties and staff act on a case")
    if signature.role == Role.SYSTEM and identity == form.agency:
        return Role.SYSTEM
    if signature.role == Role.REPRESENTATIVE and form.representative and identity == form.representative.id_no:
        return Role.REPRESENTATIVE
    return Role.APPLICANT if identity in applicant_ids(form) else Role.OBJECTOR


def rule_for(state: State | None, move: str, roles: Sequence[Role]) -> Rule:
    """The row of the table for this move from this state by these roles. Raises `IllegalMove` or `NotEntitled`."""
    known = [RULES[move]] if move in RULES else []
    return moves.rule_for(known, state, move, roles, {Role.APPLICANT})


def decide(case: Case, act: Act, actors: tuple[Actor, ...], world: World, now: int) -> Rule:
    """May these actors make this move now? Returns the row of the table.

    Raises `IllegalMove`, `NotEntitled`, `GuardRefused`, or `CalendarPending` when the answer needs an unpublished year.
    """
    if act.move in STATED_OTHERWISE:
        raise IllegalMove(case.state.value, act.move)
    return _decide(case, act, actors, world, now)


def _decide(case: Case, act: Act, actors: tuple[Actor, ...], world: World, now: int) -> Rule:
    rule = rule_for(case.state, act.move, [actor.role for actor in actors])
    moves.require_separation(actors, world.agency, applicant_ids(case.form), act.move, case.reviewers, case.approvers)
    moves.require_fields(rule, act, _EMPTY)
    if now < case.changed_at:
        raise GuardRefused(act.move, "time_runs_forward", "办理时间早于上一步。", "earlier than the step before")
    _require_guards(rule, case, Moment(act, actors, world, now))
    return rule


def decide_submission(application: str, form: Form, actors: tuple[Actor, ...], world: World, now: int) -> Case:
    """I-01 and I-02 in one signed act: the case as submitted. A draft before it is nobody's fact."""
    case = submitted(application, form, now)
    for state, move in ((None, "I-01"), (State.DRAFT, "I-02")):
        act = Act(move, form=form)
        rule = rule_for(state, move, [actor.role for actor in actors])
        _require_guards(rule, case, Moment(act, actors, world, now))
    return case


def decide_opening(
    application: str, decision: AgencyDecision, actors: tuple[Actor, ...], world: World, now: int
) -> Case:
    """B-04, Z-03 to Z-05: the case that two persons of the agency open without an application. Raises as `decide`."""
    case = opened(application, decision, actors, now)
    rule = rule_for(None, decision.move, [actor.role for actor in actors])
    moves.require_separation(actors, world.agency, applicant_ids(case.form), decision.move)
    act = Act("I-00", form=decision.form, reason=decision.reason)
    _require_guards(rule, case, Moment(replace(act, move=decision.move), actors, world, now))
    return case


def opened(application: str, decision: AgencyDecision, actors: Sequence[Actor], at: int) -> Case:
    """The case after the agency opened it: what register-decision/v1 creates. Nothing is left but deposit and issue."""
    case = replace(
        submitted(application, decision.form, at),
        state=State.READY,
        opened_by=decision.move,
        objection=decision.objection,
        instrument=decision.instrument,
    )
    roles = [(actor.by, actor.role) for actor in actors]
    return replace(
        case,
        accepted_on=day_of(at).isoformat(),
        reviewers=_joined((), roles, Role.REVIEWER),
        approvers=_joined((), roles, Role.APPROVER),
    )


def decide_objection(case: Case, actors: tuple[Actor, ...], world: World, now: int) -> Rule:
    """May an objection be taken in now? I-17 while the publicity runs, I-23 after it and before deposit (P)."""
    move = objection_move(case, world, now)
    return _decide(case, Act(move), actors, world, now)


def objection_move(case: Case, world: World, now: int) -> str:
    """Which row an objection received now falls under."""
    running = case.released_at is not None and now < publicity_ends(case, world)
    return "I-17" if running or case.state is State.PUBLICITY else "I-23"


def submitted(application: str, form: Form, at: int) -> Case:
    """The case after I-02: what application-submitted/v1 creates."""
    return Case(application, form, 1, State.SUBMITTED, at, day_of(at).isoformat(), at)


def objected(case: Case, identity: str, at: int) -> Case:
    """The case after an objection was received (I-17, I-23): C03 pauses from that day."""
    if case.state not in RULES["I-17"].sources | RULES["I-23"].sources:
        raise IllegalMove(case.state.value, "I-17")
    return replace(
        case,
        state=State.OBJECTION,
        objections=(*case.objections, Raised(identity, at)),
        pauses=(*case.pauses, Pause(f"objection:{identity}", day_of(at).isoformat())),
        changed_at=at,
    )


def released(case: Case, at: int) -> Case:
    """The case after the national system released its text at `at`: C06 starts and C03 pauses from that day.

    A case that has left PUBLICITY meanwhile (refused, withdrawn) stays as it is.
    """
    if not awaits_release(case):
        return case
    return replace(case, released_at=at, pauses=(*case.pauses, Pause("publicity", day_of(at).isoformat())))


def apply(case: Case, act: Act, roles: Sequence[tuple[str, Role]], at: int) -> Case:
    """The case after a move that was decided and stored; `roles` are (signer, role). Raises `IllegalMove`."""
    if act.move in STATED_OTHERWISE:
        raise IllegalMove(case.state.value, act.move)
    rule = rule_for(case.state, act.move, [role for _, role in roles])
    case = replace(
        case,
        state=rule.target or case.state,
        changed_at=at,
        reviewers=_joined(case.reviewers, roles, Role.REVIEWER),
        approvers=_joined(case.approvers, roles, Role.APPROVER),
    )
    effect = _EFFECTS.get(act.move)
    return effect(case, act, at) if effect else case


def actors_of(form: Form, signatures: Sequence[Signature], organisations: Mapping[str, str]) -> tuple[Actor, ...]:
    """Signatures as actors; `organisations` says for whom a member of staff acts."""
    return tuple(
        Actor(item.by, role_of(form, item), organisations.get(item.by, item.by.partition(":")[2]))
        for item in signatures
    )


def timer_act(case: Case, world: World, now: int) -> Act | None:
    """What a timer has to do about this case now, ready to be signed; `None` if nothing. Raises `CalendarPending`."""
    version = world.calendar.version
    if case.state is State.SUBMITTED:
        accepted = deemed_acceptance_day(case, world)
        if now >= start_of(date.fromisoformat(accepted)):
            return Act("I-08", accepted_on=accepted, rule="C01", calendar=version)
    elif case.state is State.CORRECTION:
        if case.deadline is not None and now >= case.deadline:
            return Act("I-06", rule="C02", calendar=version)
    elif case.state is State.PUBLICITY and not awaits_release(case):
        ends = publicity_ends(case, world)
        if now >= ends:
            return Act("I-18", ended_on=day_of(ends - 1).isoformat(), rule="C06", calendar=version)
    return None


# Effects of single moves ----------------------------------------------------------------------------------------------


def _corrected(case: Case, act: Act, at: int) -> Case:
    return replace(_with_form(case, act), open_items=(), deadline=None, c01_from=day_of(at).isoformat())


def _asked(case: Case, act: Act, at: int) -> Case:
    asked = case.asked or tuple(item.no for item in act.items)
    return replace(case, asked=asked, open_items=act.items, deadline=act.deadline)


def _accepted(case: Case, act: Act, at: int) -> Case:
    assert act.accepted_on is not None
    return replace(case, accepted_on=act.accepted_on, deemed=act.move == "I-08")


def _supplement_asked(case: Case, act: Act, at: int) -> Case:
    pause = Pause("supplement", day_of(at).isoformat())
    return replace(case, open_items=act.items, deadline=act.deadline, pauses=(*case.pauses, pause))


def _supplied(case: Case, act: Act, at: int) -> Case:
    closed = _closed(case, "supplement", day_of(at).isoformat())
    return replace(_with_form(closed, act), open_items=(), deadline=None)


def _published(case: Case, act: Act, at: int) -> Case:
    # With the act if nobody else releases; else it waits for the national system's receipt (`released`).
    return case if act.release else released(case, at)


def _publicity_ended(case: Case, act: Act, at: int) -> Case:
    assert act.ended_on is not None
    return _closed(case, "publicity", act.ended_on)


def _objections_decided(case: Case, act: Act, at: int) -> Case:
    outcomes = {item.objection: item.outcome for item in act.decisions}
    case = replace(
        case,
        objections=tuple(
            replace(raised, outcome=outcomes.get(raised.id, raised.outcome)) for raised in case.objections
        ),
    )
    case = _closed(case, "objection", day_of(at).isoformat())
    if act.move == "I-20":
        return case
    # The publicity lies inside the time of the objections that outlived it, so the merged pause ends today.
    case = _closed(case, "publicity", day_of(at).isoformat())
    return replace(case, released_at=None) if act.move == "I-22" else case


def _requested(case: Case, act: Act, at: int) -> Case:
    return replace(case, record=act.record, requested_at=at)


def _registered(case: Case, act: Act, at: int) -> Case:
    return replace(case, receipt=act.receipt, code=act.code)


_EFFECTS: Mapping[str, Callable[[Case, Act, int], Case]] = {
    "I-04": _asked,
    "I-05": _corrected,
    "I-07": _accepted,
    "I-08": _accepted,
    "I-10": _supplement_asked,
    "I-11": _supplied,
    "I-13": lambda case, act, at: replace(case, extension=case.extension + act.days),
    "I-15": _published,
    "I-16": lambda case, act, at: replace(case, waived=bool(case.form.waiver_reason.strip())),
    "I-18": _publicity_ended,
    "I-19": _objections_decided,
    "I-20": _objections_decided,
    "I-21": _objections_decided,
    "I-22": _objections_decided,
    "I-24": _requested,
    "I-25": _registered,
    "I-26": lambda case, act, at: replace(case, record=None, requested_at=None),
}


def _with_form(case: Case, act: Act) -> Case:
    return replace(case, form=act.form, version=case.version + 1) if act.form is not None else case


def _closed(case: Case, reason: str, day: str) -> Case:
    pauses = tuple(
        replace(pause, end=day) if not pause.end and pause.reason.partition(":")[0] == reason else pause
        for pause in case.pauses
    )
    return replace(case, pauses=pauses)


def _joined(known: tuple[str, ...], roles: Sequence[tuple[str, Role]], wanted: Role) -> tuple[str, ...]:
    return known + tuple(by for by, role in roles if role is wanted and by not in known)


_EMPTY = Act("I-00")


def _require_guards(rule: Rule, case: Case, moment: Moment) -> None:
    moves.require_guards(replace(rule, guards=guards_of(rule, case.form.type)), case, moment)
