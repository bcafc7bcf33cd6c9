"""An objection after registration goes by named moves; what is not in the table cannot happen (registration.md 1.6).

O-01 is the filing itself. Rows of one move differ in state or signer: O-02 asks and supplies, O-04 and O-08 agree and,
once acted on, close. `decide` checks a move, `apply` folds a stored one; both ask the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from ledger.facts import Signature
from registry import moves
from registry.afterlife import dispute_conditions as only_if
from registry.afterlife.dispute import (
    OPEN,
    Conclusion,
    Dispute,
    DisputeAct,
    DisputeMoment,
    DisputeState,
    DisputeWorld,
    RegisterObjection,
    answer_ends,
)
from registry.afterlife.instrument import Instrument
from registry.case import Actor, Role
from registry.errors import GuardRefused, NotEntitled
from registry.moves import Refusal, Rule

_REGISTRANT = (frozenset({Role.APPLICANT}), frozenset({Role.REPRESENTATIVE}))
_OBJECTOR = (frozenset({Role.OBJECTOR}), frozenset({Role.INTAKE}))
_INTAKE = (frozenset({Role.INTAKE}),)
_REVIEWER = (frozenset({Role.REVIEWER}),)
_TWO = (frozenset({Role.REVIEWER, Role.APPROVER}),)
_SYSTEM = (frozenset({Role.SYSTEM}),)


def _rule(
    move: str,
    sources: Set[DisputeState],
    target: DisputeState | None,
    signers: tuple[frozenset[Role], ...],
    guards: tuple[Callable[[Dispute, DisputeMoment], Refusal], ...],
    *,
    clock: str = "–",
    paper: str,
    basis: str = "G29",
    needs: str = "",
    may: str = "reason papers",
) -> Rule[DisputeState]:
    fields = frozenset(needs.split()), frozenset(may.split())
    return Rule(move, frozenset(sources), target, signers, *fields, guards, clock, paper, basis)


# fmt: off
_S = DisputeState
RULES: tuple[Rule[DisputeState], ...] = (
    _rule("O-02", {_S.FILED}, _S.INCOMPLETE, _INTAKE, (only_if.items_are_distinct,),
          clock="C11 has not started", paper="异议材料补正通知", basis="G29, P", needs="items"),
    _rule("O-02", {_S.INCOMPLETE}, _S.FILED, _OBJECTOR,
          (only_if.every_item_answered, only_if.clerk_speaks_for_a_contact),
          clock="C11 starts", paper="异议收件通知", basis="G29, P", needs="answers"),
    _rule("O-03", {_S.FILED}, _S.NOTIFIED, _INTAKE, (only_if.time_to_answer,),
          clock="C11 stops, C12 starts", paper="异议书面通知", needs="papers", may="reason deadline"),
    _rule("O-04", {_S.NOTIFIED}, _S.ADMITTED, _REGISTRANT, (only_if.every_registrant_signed,),
          clock="C12 stops", paper="认可异议确认书"),
    _rule("O-04", {_S.ADMITTED}, _S.CLOSED, _SYSTEM, (only_if.acted_on_outcome,),
          paper="异议处理结果", needs="rule result", may=""),
    _rule("O-05", {_S.NOTIFIED, _S.CONTESTED}, _S.CONTESTED, _REGISTRANT, (only_if.explanation_is_given,),
          clock="C12 stops", paper="说明材料收件"),
    _rule("O-05", {_S.CONTESTED}, None, _REVIEWER, (only_if.items_are_distinct,),
          paper="配合调查通知", needs="items"),
    _rule("O-06", {_S.NOTIFIED}, _S.CONTESTED, _SYSTEM, (only_if.answer_time_over, only_if.timer_names_its_rule),
          clock="C12", paper="转入调查记录", basis="P", needs="rule calendar", may=""),
    _rule("O-07", {_S.CONTESTED}, _S.CONCLUDED, _TWO, (only_if.written_conclusion,),
          paper="异议处理结论", needs="conclusion"),
    _rule("O-08", {_S.CONCLUDED}, None, (*_REGISTRANT, *_OBJECTOR),
          (only_if.every_registrant_signed, only_if.clerk_speaks_for_a_contact, only_if.side_has_not_answered),
          paper="认可处理结论确认书"),
    _rule("O-08", {_S.CONCLUDED}, _S.CLOSED, _SYSTEM, (only_if.both_accept, only_if.acted_on_outcome),
          paper="异议处理结果", needs="rule", may="result"),
    _rule("O-09", {_S.CONCLUDED}, _S.DISPUTED, (*_REGISTRANT, *_OBJECTOR),
          (only_if.clerk_speaks_for_a_contact, only_if.side_has_not_answered, only_if.reason_is_given),
          paper="不认可处理结论记录", needs="reason", may="papers"),
    _rule("O-10", {_S.DISPUTED}, _S.CLOSED, _TWO, (only_if.judgment_in_effect, only_if.reason_is_given),
          paper="依生效法律文书处置记录", needs="instrument reason", may="papers"),
    _rule("O-10", {_S.DISPUTED}, _S.CLOSED, _SYSTEM, (only_if.judgment_in_effect, only_if.acted_on_outcome),
          paper="依生效法律文书处置记录", needs="instrument rule result", may=""),
    _rule("O-11", OPEN, _S.WITHDRAWN, _OBJECTOR, (only_if.clerk_speaks_for_a_contact,),
          paper="异议撤回确认书", basis="P"),
)
"""O-10 by two persons is the judgment that leaves the registration as it is; by the system, what followed an act."""
# fmt: on


# Deciding and folding -------------------------------------------------------------------------------------------------


def role_of(dispute: Dispute, signature: Signature) -> Role:
    """The capacity in which a signature stands on this dispute. Raises `NotEntitled` for somebody not concerned."""
    kind, _, identity = signature.by.partition(":")
    if kind == "staff":
        return moves.staff_role(signature)
    if signature.role == Role.SYSTEM and signature.by == f"party:{dispute.agency}":
        return Role.SYSTEM
    if kind == "party":
        if signature.by == dispute.objector:
            return Role.OBJECTOR
        if identity in dispute.registrants:
            return Role.APPLICANT
        if signature.role == Role.REPRESENTATIVE and identity == dispute.representative:
            return Role.REPRESENTATIVE
    raise NotEntitled("签名", f"{signature.by} 与本异议无关。", f"{signature.by} is not concerned by this objection")


def rule_for(state: DisputeState, move: str, roles: Sequence[Role]) -> Rule[DisputeState]:
    """The row of the table. Raises `IllegalMove` or `NotEntitled`."""
    return moves.rule_for(RULES, state, move, roles, {Role.APPLICANT})


def decide_filing(
    objection: RegisterObjection,
    actors: tuple[Actor, ...],
    *,
    agency: str,
    registrants: Set[str],
    rights: Set[str],
    in_force: bool,
) -> None:
    """O-01: may this objection be taken in? `registrants` are the holders other than the objector.

    Raises `NotEntitled`, `GuardRefused`.
    """
    given = [actor.role for actor in actors]
    if given not in ([Role.OBJECTOR], [Role.INTAKE]):
        raise NotEntitled("O-01", "应由异议申请人或核验其身份的受理人签署。", "signed by the objector or the clerk")
    moves.require_separation(actors, agency, registrants, "O-01")
    if any(actor.role is Role.OBJECTOR and actor.organisation == agency for actor in actors):
        raise GuardRefused("O-01", "not_the_agency", "登记机构不得提出异议。", "the agency does not object to itself")
    if not in_force:
        raise GuardRefused("O-01", "certificate_in_force", "该凭证已失效。", "the certificate is not in force")
    if not registrants:
        raise GuardRefused(
            "O-01", "against_somebody_else", "唯一的权利人应申请变更登记。", "the only holder applies for a change"
        )
    if len(set(objection.rights)) != len(objection.rights) or not set(objection.rights) <= rights:
        raise GuardRefused(
            "O-01", "rights_are_registered", f"涉及权利应为 {sorted(rights)} 之内。", "a right that is not registered"
        )


def decide(
    dispute: Dispute, act: DisputeAct, actors: tuple[Actor, ...], world: DisputeWorld, now: int
) -> Rule[DisputeState]:
    """May these actors make this move now? Returns the row of the table.

    Raises `IllegalMove`, `NotEntitled`, `GuardRefused`, or `CalendarPending` when the answer needs an unpublished year.
    """
    rule = rule_for(dispute.state, act.move, [actor.role for actor in actors])
    concerned = {*dispute.registrants, dispute.objector.removeprefix("party:")}
    moves.require_separation(actors, world.agency, concerned, act.move, dispute.reviewers, dispute.approvers)
    moves.require_fields(rule, act, _EMPTY)
    if now < dispute.changed_at:
        raise GuardRefused(act.move, "time_runs_forward", "办理时间早于上一步。", "earlier than the step before")
    moves.require_guards(rule, dispute, DisputeMoment(act, actors, world, now))
    return rule


def filed(
    identity: str,
    objection: RegisterObjection,
    agency: str,
    objector: str,
    registrants: Sequence[str],
    representative: str,
    at: int,
) -> Dispute:
    """The dispute after O-01."""
    return Dispute(
        identity,
        agency,
        objection.certificate,
        objection.ground,
        objection.rights,
        objector,
        tuple(registrants),
        representative,
        DisputeState.FILED,
        at,
        at,
        at,
    )


def apply(dispute: Dispute, act: DisputeAct, roles: Sequence[tuple[str, Role]], at: int) -> Dispute:
    """The dispute after a move that was decided and stored; `roles` are (signer, role). Raises `IllegalMove`."""
    rule = rule_for(dispute.state, act.move, [role for _, role in roles])
    before = dispute.state
    dispute = replace(
        dispute,
        state=rule.target or dispute.state,
        changed_at=at,
        reviewers=_joined(dispute.reviewers, roles, Role.REVIEWER),
        approvers=_joined(dispute.approvers, roles, Role.APPROVER),
    )
    if act.move == "O-02":
        supplied = before is DisputeState.INCOMPLETE
        return replace(dispute, open_items=act.items, complete_at=at if supplied else dispute.complete_at)
    if act.move == "O-05":
        by_registrant = any(role is not Role.REVIEWER for _, role in roles)
        return replace(dispute, explained=dispute.explained or by_registrant, open_items=act.items)
    if act.move == "O-08" and rule.target is None:
        of_objector = all(role in (Role.OBJECTOR, Role.INTAKE) for _, role in roles)
        return replace(dispute, objector_accepts=True) if of_objector else replace(dispute, registrant_accepts=True)
    effect = _EFFECTS.get(act.move)
    return effect(dispute, act, at) if effect else dispute


def timer_act(dispute: Dispute, world: DisputeWorld, now: int) -> DisputeAct | None:
    """O-06 if the registrant's time to answer is over; else `None`. Raises `CalendarPending`."""
    if dispute.state is not DisputeState.NOTIFIED or dispute.notified_at is None:
        return None
    if now < answer_ends(dispute.notified_at, dispute.deadline, world.scheme, world.calendar):
        return None
    return DisputeAct("O-06", rule="C12", calendar=world.calendar.version)


def closing_act(dispute: Dispute, result: str = "", instrument: Instrument | None = None) -> DisputeAct | None:
    """The closing that follows by itself once everything was done, ready to be signed by the system; else `None`.

    Done is what both accepted and was not upheld, or what the agency acted on by the fact `result`, which in a dispute
    before a court rests on the judgment `instrument`.
    """
    if dispute.state is DisputeState.ADMITTED and result:
        return DisputeAct("O-04", rule="G29", result=result)
    if dispute.state is DisputeState.DISPUTED and result and instrument is not None:
        return DisputeAct("O-10", instrument=instrument, rule="G29", result=result)
    accepted = dispute.state is DisputeState.CONCLUDED and dispute.registrant_accepts and dispute.objector_accepts
    if accepted and (result or dispute.conclusion is Conclusion.NOT_UPHELD):
        return DisputeAct("O-08", rule="G29", result=result)
    return None


_EMPTY = DisputeAct("O-00")

_EFFECTS: Mapping[str, Callable[[Dispute, DisputeAct, int], Dispute]] = {
    "O-03": lambda dispute, act, at: replace(dispute, notified_at=at, deadline=act.deadline),
    "O-04": lambda dispute, act, at: replace(dispute, result=act.result),
    "O-07": lambda dispute, act, at: replace(dispute, conclusion=act.conclusion, open_items=()),
    "O-08": lambda dispute, act, at: replace(dispute, result=act.result),
    "O-10": lambda dispute, act, at: replace(dispute, instrument=act.instrument, result=act.result),
}


def _joined(known: tuple[str, ...], roles: Sequence[tuple[str, Role]], wanted: Role) -> tuple[str, ...]:
    return known + tuple(by for by, role in roles if role is wanted and by not in known)
