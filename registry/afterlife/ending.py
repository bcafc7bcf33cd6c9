"""What the agency does to a certificate of its own motion: cancellation (guide art. 37) and correction (art. 29).

Each rests on a ground that somebody can look up: what both sides of an objection accepted, a judgment in effect, or the
law, and on two persons' signatures. A cancellation ends rights at its instant; a correction decides what the next
version says (B-04).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from registry import moves
from registry.afterlife.dispute import Dispute, DisputeState, to_be_acted_on
from registry.afterlife.dispute_conditions import effective_judgment
from registry.afterlife.instrument import Instrument
from registry.asset import Description
from registry.case import Actor, Role
from registry.certificate import Holder
from registry.errors import GuardRefused, NotEntitled
from registry.form import Attachment, Named
from registry.moves import Refusal
from registry.objection import Reason
from registry.rights import Right, RightRow

CANCELLATION = "register-cancellation/v1"
CORRECTION = "register-correction/v1"

FactId = Annotated[str, Meta(max_length=64)]
Version = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Body of register-cancellation/v1, on the certificate's subject, signed by reviewer and approver.

    Z-03 by the outcome of `objection` (32 hex) or by `instrument`; Z-04 主动 and Z-05 on another legal `ground`, both
    with the written `notice` to the former applicant. `rights` are the right types that end.
    """

    move: Annotated[str, Meta(pattern="^Z-0[345]$")]
    version: Version
    rights: Annotated[tuple[Right, ...], Meta(min_length=1, max_length=3)]
    ground: Named
    reason: Reason
    objection: Annotated[str, Meta(max_length=32)] = ""
    instrument: Instrument | None = None
    notice: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """Body of register-correction/v1 (B-04), on the certificate's subject, signed by reviewer and approver.

    By the outcome of `objection` or by `instrument`. What changes is given in full: the `description`, the `holders`
    under their names, the `rights`; what is absent stays. Other holders than before need a judgment.
    """

    version: Version
    reason: Reason
    objection: Annotated[str, Meta(max_length=32)] = ""
    instrument: Instrument | None = None
    description: Description | None = None
    holders: tuple[Holder, ...] = ()
    rights: tuple[RightRow, ...] = ()
    notice: Attachment | None = None


@dataclass(frozen=True, slots=True)
class EndingWorld:
    """What a decision must know besides the act; gathered by the service.

    `version` is the newest version and `in_force` its answer now, `rights` those not ended, `holders` who holds them,
    `content` the digest of the data; `dispute` the objection the act names, `open` whether any objection is, `stops`
    why a holder could not have it cancelled.
    """

    agency: str
    version: int
    in_force: bool
    rights: frozenset[Right]
    holders: frozenset[str]
    content: str
    dispute: Dispute | None
    certificate: str
    open: bool
    stops: tuple[str, ...]


def decide_cancellation(body: Cancellation, actors: tuple[Actor, ...], world: EndingWorld, now: int) -> None:
    """May these two persons cancel this now? Raises `NotEntitled` or `GuardRefused`."""
    _require_two(actors, world, body.move)
    refused = _stands(body.version, world) or _rights(body, world) or _GROUNDS[body.move](body, world, now)
    if refused is not None:
        raise GuardRefused(body.move, *refused)


def decide_correction(body: Correction, actors: tuple[Actor, ...], world: EndingWorld, now: int) -> None:
    """May these two persons correct this now? Raises `NotEntitled` or `GuardRefused`."""
    _require_two(actors, world, "B-04")
    refused = (
        _stands(body.version, world) or _outcome(body.objection, body.instrument, world, now) or _changes(body, world)
    )
    if refused is not None:
        raise GuardRefused("B-04", *refused)


def is_whole(body: Cancellation, rights: frozenset[Right]) -> bool:
    """Does nothing of `rights`, those not ended before, remain?"""
    return rights <= set(body.rights)


Refused = tuple[str, str, str] | None
"""The condition's name and what is refused, in both languages."""


def _require_two(actors: tuple[Actor, ...], world: EndingWorld, move: str) -> None:
    if sorted(actor.role for actor in actors) != [Role.APPROVER, Role.REVIEWER]:
        raise NotEntitled(move, "应由审查人和复核人签署。", "signed by a reviewer and an approver")
    moves.require_separation(actors, world.agency, world.holders, move)


def _stands(version: int, world: EndingWorld) -> Refused:
    if not world.in_force:
        return "certificate_in_force", "该凭证已失效。", "the certificate is not in force"
    if version != world.version:
        return "newest_version", f"当前版本为 {world.version}。", f"the newest version is {world.version}"
    return None


def _rights(body: Cancellation, world: EndingWorld) -> Refused:
    if len(set(body.rights)) != len(body.rights) or not set(body.rights) <= world.rights:
        return "rights_are_registered", f"权利应为 {sorted(world.rights)} 之内。", "a right that is not registered"
    dispute = world.dispute
    if body.objection and dispute is not None and not set(body.rights) <= set(dispute.rights):
        return "within_objection", f"异议只涉及 {sorted(dispute.rights)}。", "beyond what was objected to"
    return None


def _outcome(objection: str, instrument: Instrument | None, world: EndingWorld, now: int) -> Refused:
    """Either an objection that came to this, or a judgment in effect; a dispute before a court needs both."""
    if not objection and instrument is None:
        return "rests_on_an_outcome", "须依据异议处理结果或生效法律文书。", "an outcome or an instrument is needed"
    if objection:
        dispute = world.dispute
        if dispute is None or dispute.certificate != world.certificate:
            return "its_own_objection", "异议与该凭证不符。", "the objection is not about this certificate"
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


def _by_outcome(body: Cancellation, world: EndingWorld, now: int) -> Refused:
    return _outcome(body.objection, body.instrument, world, now)


def _by_law(body: Cancellation, world: EndingWorld, now: int) -> Refused:
    if body.objection:
        return "ground_is_the_law", "依据异议注销的，应办理 Z-03。", "by an objection: Z-03"
    if body.notice is None:
        return (
            "written_notice",
            "须附对原登记申请人的书面通知。",
            "the written notice to the former applicant is missing",
        )
    return None


def _of_own_motion(body: Cancellation, world: EndingWorld, now: int) -> Refused:
    """The agency does not go round a dispute, nor over a court's or pledgee's head (P)."""
    if world.open:
        return "no_open_objection", "登记后异议未了结，应依其结果处置。", "an objection is open: act on its outcome"
    if world.stops:
        return "nothing_stops_it", "；".join(world.stops), "a remark stops it"
    return _by_law(body, world, now)


_GROUNDS = {"Z-03": _by_outcome, "Z-04": _of_own_motion, "Z-05": _by_law}


def _changes(body: Correction, world: EndingWorld) -> Refused:
    if body.description is None and not body.holders and not body.rights:
        return "something_changes", "未写明更正内容。", "nothing is corrected"
    if body.description is not None and body.description.content.digest.sha256 != world.content:
        return "same_data", "更正不得换成另一数据。", "a correction keeps the data"
    named = {item.id_no for item in body.holders} | {row.holder_id for row in body.rights}
    if body.instrument is None and not named <= world.holders:
        return "same_holders", "权利人变更须有生效法律文书。", "other holders need a judgment"
    return None
