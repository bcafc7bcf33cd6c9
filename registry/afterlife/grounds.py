"""What a decision of the agency's own rests on: correction B-04 (art. 29), cancellation Z-03 to Z-05 (art. 37).

Each rests on a ground that somebody can look up: what both sides of an objection accepted, a judgment in effect, or the
law. Two persons open the case by `registry.case.AgencyDecision`; the register changes with its deposit (art. 26), so
the ground is asked for twice: when they decide, and again before what they decided is deposited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from registry.afterlife.dispute import Dispute, DisputeState, to_be_acted_on
from registry.afterlife.dispute_conditions import effective_judgment
from registry.afterlife.instrument import Instrument
from registry.case import AgencyDecision
from registry.errors import GuardRefused
from registry.form import DESCRIPTION, Form, rights_concerned
from registry.moves import Refusal

Refused = tuple[str, str, str] | None
"""The condition's name and what is refused, in both languages."""


@dataclass(frozen=True, slots=True)
class GroundWorld:
    """What must be known of a certificate besides the decision; gathered by the service.

    `dispute` is the objection the decision names, `pending` the case that was opened on it before and has not ended
    ("" for none), `open` whether any objection is, `stops` which remarks go before the agency's own motion.
    """

    certificate: str
    dispute: Dispute | None = None
    pending: str = ""
    open: bool = False
    stops: tuple[str, ...] = ()


def decide(decision: AgencyDecision, world: GroundWorld, now: int) -> None:
    """May two persons of the agency decide this now? Raises `GuardRefused`."""
    form, dispute = decision.form, world.dispute
    refused = _same_data(form) or _cited(decision)
    if refused is None and dispute is not None:
        refused = _of_this_objection(form, dispute, world)
    refused = refused or unmet(decision.move, decision.objection, decision.instrument, world, now)
    if refused is not None:
        raise GuardRefused(decision.move, *refused)


def unmet(move: str, objection: str, instrument: Instrument | None, world: GroundWorld, now: int) -> Refused:
    """Why what was decided by this move may not be carried out at `now`, or `None`."""
    return _GROUNDS[move](objection, instrument, world, now)


def _same_data(form: Form) -> Refused:
    changed = form.change.items if form.change is not None else ()
    if any(item.item == f"{DESCRIPTION}content" for item in changed):
        return "same_data", "更正不得换成另一数据。", "a correction keeps the data"
    return None


def _cited(decision: AgencyDecision) -> Refused:
    """Art. 37: what rests on the law cites it, and the former applicant is told in writing."""
    if decision.move not in ("Z-04", "Z-05"):
        return None
    if decision.objection:
        return "ground_is_the_law", "依据异议注销的，应办理 Z-03。", "by an objection: Z-03"
    if not decision.ground.strip():
        return "ground_is_cited", "须写明所依据的法律规定。", "the legal ground is not cited"
    if decision.notice is None:
        return (
            "written_notice",
            "须附对原登记申请人的书面通知。",
            "the written notice to the former applicant is missing",
        )
    return None


def _of_this_objection(form: Form, dispute: Dispute, world: GroundWorld) -> Refused:
    if dispute.certificate != world.certificate:
        return "its_own_objection", "异议与该凭证不符。", "the objection is not about this certificate"
    if form.cancellation is not None and not rights_concerned(form) <= set(dispute.rights):
        return "within_objection", f"异议只涉及 {sorted(dispute.rights)}。", "beyond what was objected to"
    if world.pending:
        return "decided_once", f"据该异议已开案 {world.pending}。", "a case is open on this objection already"
    return None


def _by_outcome(objection: str, instrument: Instrument | None, world: GroundWorld, now: int) -> Refused:
    """Either an objection that came to this, or a judgment in effect; a dispute before a court needs both."""
    if not objection and instrument is None:
        return "rests_on_an_outcome", "须依据异议处理结果或生效法律文书。", "an outcome or an instrument is needed"
    dispute = world.dispute
    if dispute is not None:
        if not to_be_acted_on(dispute):
            return (
                "outcome_is_there",
                f"异议状态为 {dispute.state}，不得据此处置。",
                "the objection has no such outcome",
            )
        if instrument is None and dispute.state is DisputeState.DISPUTED:
            return "judgment_in_effect", "须附生效法律文书。", "the judgment is missing"
    refusal: Refusal = effective_judgment(instrument, now) if instrument is not None else None
    return ("judgment_in_effect", *refusal) if refusal is not None else None


def _of_own_motion(objection: str, instrument: Instrument | None, world: GroundWorld, now: int) -> Refused:
    """The agency does not go round a dispute, nor over a court's or pledgee's head (P)."""
    if world.open:
        return "no_open_objection", "登记后异议未了结，应依其结果处置。", "an objection is open: act on its outcome"
    if world.stops:
        return "nothing_stops_it", "；".join(world.stops), "a remark stops it"
    return None


def _by_law(objection: str, instrument: Instrument | None, world: GroundWorld, now: int) -> Refused:
    """The law goes before remarks and objections."""
    return None


_GROUNDS: Mapping[str, Callable[[str, Instrument | None, GroundWorld, int], Refused]] = {
    "B-04": _by_outcome,
    "Z-03": _by_outcome,
    "Z-04": _of_own_motion,
    "Z-05": _by_law,
}
