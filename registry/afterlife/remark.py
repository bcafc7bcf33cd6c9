"""备注 of a certificate (guide art. 23): agreed terms, 查封, 临时管制, statutory entries, 质押.

The guide asks for a remark only; what a remark stops is a setting of ours (`registry.afterlife.blocking`). Each remark
lives alone: several stand side by side in the order of receipt, and lifting one leaves the others (E-05). Its state
follows from its acts and from time; `RULES` is the table of moves E-01…E-04 (registration.md 1.7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry import moves
from registry.afterlife.instrument import AuthorityType, Instrument, same_issuer
from registry.asset import Day, Long
from registry.calendar import day_of, end_of
from registry.case import Actor, Role
from registry.errors import GuardRefused, NotEntitled
from registry.form import Attachment
from registry.moves import Refusal
from registry.rights import Right

REMARK = "remark/v1"
CONSENT = "remark-consent/v1"


class RemarkKind(StrEnum):
    """What is remarked (art. 23; PLEDGE is not named there and recorded under its items four and five)."""

    AGREED = "AGREED"
    PRESERVATION = "PRESERVATION"
    TEMP_CONTROL = "TEMP_CONTROL"
    STATUTORY = "STATUTORY"
    PLEDGE = "PLEDGE"
    OTHER = "OTHER"


KIND_NAMES: Mapping[RemarkKind, str] = {
    RemarkKind.AGREED: "约定的行使期限、条件",
    RemarkKind.PRESERVATION: "查封等保全",
    RemarkKind.TEMP_CONTROL: "临时管制",
    RemarkKind.STATUTORY: "法定记载",
    RemarkKind.PLEDGE: "质押",
    RemarkKind.OTHER: "其他",
}
ENCUMBERING = frozenset({RemarkKind.PRESERVATION, RemarkKind.TEMP_CONTROL, RemarkKind.PLEDGE})
"""The kinds that set the flag ENCUMBERED: those that stop something by themselves (P)."""
ENDS_BY_ITSELF = frozenset({RemarkKind.AGREED, RemarkKind.STATUTORY, RemarkKind.OTHER})
"""The others stay until somebody confirms that they are over (E-04)."""

ISSUERS: Mapping[RemarkKind, frozenset[AuthorityType]] = {
    RemarkKind.AGREED: frozenset({AuthorityType.PARTIES}),
    RemarkKind.PRESERVATION: frozenset(
        {AuthorityType.COURT, AuthorityType.PROCURATORATE, AuthorityType.POLICE, AuthorityType.OTHER_BODY}
    ),
    RemarkKind.TEMP_CONTROL: frozenset({AuthorityType.ADMINISTRATION}),
    RemarkKind.STATUTORY: frozenset(AuthorityType) - {AuthorityType.PLEDGEE},
    RemarkKind.PLEDGE: frozenset({AuthorityType.PLEDGEE}),
    RemarkKind.OTHER: frozenset(AuthorityType) - {AuthorityType.PLEDGEE},
}


class RemarkState(StrEnum):
    """Where a remark stands. UNVERIFIED is 期限届满待核实: its end has passed, and it goes on blocking."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    UNVERIFIED = "UNVERIFIED"
    ENDED = "ENDED"
    LIFTED = "LIFTED"


REMARK_STATE_NAMES: Mapping[RemarkState, str] = {
    RemarkState.PENDING: "未到起始日",
    RemarkState.ACTIVE: "有效",
    RemarkState.UNVERIFIED: "期限届满待核实",
    RemarkState.ENDED: "已届满",
    RemarkState.LIFTED: "已解除",
}
STANDING = frozenset({RemarkState.PENDING, RemarkState.ACTIVE, RemarkState.UNVERIFIED})
IN_EFFECT = frozenset({RemarkState.ACTIVE, RemarkState.UNVERIFIED})


class Signing(StrEnum):
    """What the instrument's own words say of new agreements; silent instruments follow decisions D24."""

    SILENT = "silent"
    BLOCKED = "blocked"
    ALLOWED = "allowed"


class Consentable(StrEnum):
    """What a pledgee may consent to (registration.md 1.7)."""

    TRANSFER = "transfer"
    CHANGE_DESCRIPTION = "change_description"
    CANCELLATION = "cancellation"
    LIFT = "lift"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What E-01 records. Exactly one of `certificate` (code) and `application` (32 hex) is given.

    `rights` are those hit. `from_day` and `to_day` are legal days, both included; without `to_day` there is no end.
    `terms` is the text of the remark; like the instrument's issuer it is never published.
    """

    kind: RemarkKind
    rights: Annotated[tuple[Right, ...], Meta(min_length=1, max_length=3)]
    from_day: Day
    to_day: Day | None = None
    certificate: Annotated[str, Meta(max_length=15)] = ""
    application: Annotated[str, Meta(max_length=32)] = ""
    terms: Long = ""
    signing: Signing = Signing.SILENT


@dataclass(frozen=True, slots=True)
class RemarkAct:
    """Body of remark/v1: a move on one remark. `rule` names what a timer acted under."""

    move: Annotated[str, Meta(pattern=r"^E-0[1-4]\Z")]
    record: Recorded | None = None
    instrument: Instrument | None = None
    to_day: Day | None = None
    reason: Long = ""
    rule: Annotated[str, Meta(max_length=40)] = ""
    papers: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Consent:
    """Body of remark-consent/v1, on the remark's subject: the pledgee lets one operation happen.

    Signed by the pledgee, or by two persons who hold its written consent (`paper`). It counts for `version` of
    `certificate` only: the operation makes another version, and the consent is used up.
    """

    operation: Consentable
    certificate: Annotated[str, Meta(max_length=15)]
    version: Annotated[int, Meta(ge=1)]
    paper: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark as its facts say it is. `to_day` is the end as last extended, `noted` the end E-04 last noted.

    `end` and `ended_at` (second UTC) are set once it was lifted or its end was confirmed or noted as final.
    """

    id: str
    record: Recorded
    instrument: Instrument
    received_at: int
    changed_at: int
    to_day: Day | None = None
    noted: Day | None = None
    end: RemarkState | None = None
    ended_at: int = 0
    consents: tuple[Consent, ...] = ()


@dataclass(frozen=True, slots=True)
class RemarkWorld:
    """What a decision must know besides the remark; gathered by the service.

    `rights` are those registered under the certificate or asked for by the application, `holders` their holders,
    `open` says whether a remark may still be recorded on it, `stops` why a further pledge may not be, `version` is the
    newest version of the certificate (0 for an application).
    """

    agency: str
    rights: frozenset[Right]
    holders: frozenset[str]
    open: bool
    version: int
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemarkMoment:
    """An act on a remark, who signed it, and when (second UTC)."""

    act: RemarkAct
    actors: tuple[Actor, ...]
    world: RemarkWorld
    now: int


def state_of(remark: Remark, at: int) -> RemarkState:
    """The state of a remark at an instant: what ends by itself needs nobody to say so."""
    if remark.end is not None and at >= remark.ended_at:
        return remark.end
    if day_of(at).isoformat() < remark.record.from_day:
        return RemarkState.PENDING
    if remark.to_day is not None and at >= end_of(date.fromisoformat(remark.to_day)):
        return RemarkState.ENDED if remark.record.kind in ENDS_BY_ITSELF else RemarkState.UNVERIFIED
    return RemarkState.ACTIVE


def hitting(remark: Remark, rights: tuple[Right, ...]) -> Remark:
    """The remark as it stands where it hits these rights."""
    return remark if remark.record.rights == rights else replace(remark, record=replace(remark.record, rights=rights))


# Conditions -----------------------------------------------------------------------------------------------------------


def one_target(remark: Remark | None, moment: RemarkMoment) -> Refusal:
    """Either a certificate or an application, still open for remarks."""
    record = _record(moment)
    if bool(record.certificate) == bool(record.application):
        return "应写明凭证编码或申请件编号之一。", "name a certificate or an application, not both"
    if not moment.world.open:
        return "该凭证已失效或该申请已办结。", "the certificate is not in force, or the application has ended"
    return None


def rights_are_registered(remark: Remark | None, moment: RemarkMoment) -> Refusal:
    """Only rights that are there can be hit, each named once."""
    rights = _record(moment).rights
    if len(set(rights)) != len(rights) or not set(rights) <= moment.world.rights:
        return f"涉及权利应为 {sorted(moment.world.rights)} 之内。", "a right that is not registered"
    return None


def issuer_fits_kind(remark: Remark | None, moment: RemarkMoment) -> Refusal:
    """查封 comes from a court or the like, 管制 from an office, a pledge from its pledgee."""
    assert moment.act.instrument is not None
    allowed = ISSUERS[_record(moment).kind]
    if moment.act.instrument.type not in allowed:
        return f"文书机关应为 {sorted(allowed)} 之一。", f"issued by one of {sorted(allowed)}"
    return None


def days_in_order(remark: Remark | None, moment: RemarkMoment) -> Refusal:
    """It ends after it begins and not in the past; an encumbrance is recorded when it has begun (P)."""
    record, today = _record(moment), day_of(moment.now).isoformat()
    if record.to_day is not None and record.to_day < max(record.from_day, today):
        return "止日应不早于起日和今日。", "it ends before it begins, or in the past"
    if record.kind in ENCUMBERING and record.from_day > today:
        return f"{record.from_day} 起方可记载。", f"recorded from {record.from_day} on"
    return None


def pledge_may_follow(remark: Remark | None, moment: RemarkMoment) -> Refusal:
    """A further pledge is refused where a remark stops 再质押."""
    if _record(moment).kind is RemarkKind.PLEDGE and moment.world.stops:
        return "；".join(moment.world.stops), "another remark stops a further pledge"
    return None


def same_authority(remark: Remark, moment: RemarkMoment) -> Refusal:
    """E-02, E-03: a document of whoever imposed it; a pledge is also lifted by its pledgee's own consent."""
    given = moment.act.instrument
    if given is not None:
        if same_issuer(given, remark.instrument):
            return None
        return "应凭同一机关（质权人）的文书办理。", "a document of the same authority or pledgee is needed"
    lifts = moment.act.move == "E-03" and remark.record.kind is RemarkKind.PLEDGE
    if lifts and any(item.operation is Consentable.LIFT for item in remark.consents):
        return None
    return "须附同一机关（质权人）的文书。", "the document of the same authority or pledgee is missing"


def later_end(remark: Remark, moment: RemarkMoment) -> Refusal:
    """An extension ends later than before, and not in the past."""
    assert moment.act.to_day is not None
    if remark.to_day is None:
        return "该备注没有止日。", "this remark has no end"
    if moment.act.to_day <= max(remark.to_day, day_of(moment.now).isoformat()):
        return f"新的止日应晚于 {remark.to_day} 和今日。", f"the new end is later than {remark.to_day} and today"
    return None


def end_is_unnoted(remark: Remark, moment: RemarkMoment) -> Refusal:
    """A timer notes each end once, by its rule."""
    passed = remark.to_day is not None and moment.now >= end_of(date.fromisoformat(remark.to_day))
    if not passed or remark.end is not None or remark.noted == remark.to_day:
        return "没有待记的届满。", "there is no end to note"
    return None if moment.act.rule else ("计时动作须写明规则。", "a timer names its rule")


def is_not_a_pledge(remark: Remark, moment: RemarkMoment) -> Refusal:
    """The end of a pledge's term does not end the pledge: the pledgee does (E-03, P)."""
    if remark.record.kind is RemarkKind.PLEDGE:
        return "质押须由质权人解除（E-03）。", "a pledge is lifted by its pledgee"
    return None


def reason_is_given(remark: Remark, moment: RemarkMoment) -> Refusal:
    """The officer says how it was verified."""
    return None if moment.act.reason.strip() else ("须写明核实方式和结果。", "say how it was verified")


# The table ------------------------------------------------------------------------------------------------------------

_TWO = (frozenset({Role.REVIEWER, Role.APPROVER}),)


def _rule(
    move: str,
    sources: frozenset[RemarkState | None],
    target: RemarkState | None,
    signers: tuple[frozenset[Role], ...],
    guards: tuple[Callable[..., Refusal], ...],
    *,
    paper: str,
    needs: str,
    may: str = "reason papers",
    clock: str = "–",
    basis: str = "G23, P",
) -> moves.Rule[RemarkState]:
    fields = frozenset(needs.split()), frozenset(may.split())
    return moves.Rule(move, sources, target, signers, *fields, guards, clock, paper, basis)


# fmt: off
RULES: tuple[moves.Rule[RemarkState], ...] = (
    _rule("E-01", frozenset({None}), RemarkState.ACTIVE, _TWO,
          (one_target, rights_are_registered, issuer_fits_kind, days_in_order, pledge_may_follow),
          paper="备注记载", needs="record instrument"),
    _rule("E-02", frozenset(STANDING), RemarkState.ACTIVE, _TWO, (same_authority, later_end),
          paper="续封（展期）记载", needs="instrument to_day"),
    _rule("E-03", frozenset(STANDING), RemarkState.LIFTED, _TWO, (same_authority,),
          paper="解除记载", needs="", may="instrument reason papers"),
    _rule("E-04", frozenset({RemarkState.UNVERIFIED, RemarkState.ENDED}), None, (frozenset({Role.SYSTEM}),),
          (end_is_unnoted,), paper="届满记录", needs="rule", may="", clock="止日"),
    _rule("E-04", frozenset({RemarkState.UNVERIFIED}), RemarkState.ENDED, (frozenset({Role.REVIEWER}),),
          (is_not_a_pledge, reason_is_given), paper="届满核实记录", needs="reason", may="papers"),
)
# fmt: on


# Deciding and folding -------------------------------------------------------------------------------------------------


def rule_for(state: RemarkState | None, move: str, roles: list[Role]) -> moves.Rule[RemarkState]:
    """The row of the table. Raises `IllegalMove` or `NotEntitled`."""
    return moves.rule_for(RULES, state, move, roles)


def decide(
    remark: Remark | None, act: RemarkAct, actors: tuple[Actor, ...], world: RemarkWorld, now: int
) -> moves.Rule[RemarkState]:
    """May these actors make this move on the remark (None: it is to be recorded) now?

    Raises `IllegalMove`, `NotEntitled`, `GuardRefused`.
    """
    state = state_of(remark, now) if remark is not None else None
    rule = rule_for(state, act.move, [actor.role for actor in actors])
    moves.require_separation(actors, world.agency, world.holders, act.move)
    moves.require_fields(rule, act, _EMPTY)
    if remark is not None and now < remark.changed_at:
        raise GuardRefused(act.move, "time_runs_forward", "办理时间早于上一步。", "earlier than the step before")
    moves.require_guards(rule, remark, RemarkMoment(act, actors, world, now))
    return rule


def decide_consent(remark: Remark, consent: Consent, signers: frozenset[str], world: RemarkWorld, now: int) -> None:
    """May this consent be taken in? `signers` are the names of who signed. Raises `NotEntitled`, `GuardRefused`."""
    if remark.record.kind is not RemarkKind.PLEDGE or state_of(remark, now) not in STANDING:
        raise GuardRefused(
            "E-03", "is_a_standing_pledge", "只有未解除的质押须经同意。", "only a pledge asks for consent"
        )
    if consent.version != world.version:
        raise GuardRefused(
            "E-03", "newest_version", f"凭证当前版本为 {world.version}。", f"the newest version is {world.version}"
        )
    if signers == {f"party:{remark.instrument.issuer_id}"}:
        return
    if not all(name.startswith("staff:") for name in signers):
        raise NotEntitled(
            "E-03", "应由质权人签署，或由两名经办人凭其书面同意签署。", "signed by the pledgee or two persons"
        )
    if consent.paper is None:
        raise GuardRefused("E-03", "written_consent", "须附质权人书面同意的摘要。", "the written consent is missing")


def recorded(identity: str, act: RemarkAct, at: int) -> Remark:
    """The remark after E-01."""
    assert act.record is not None
    assert act.instrument is not None
    return Remark(identity, act.record, act.instrument, at, at, act.record.to_day)


def apply(remark: Remark, act: RemarkAct, role: Role, at: int) -> Remark:
    """The remark after a move that was decided and stored; `role` is one of its signers'."""
    remark = replace(remark, changed_at=at)
    if act.move == "E-02":
        return replace(remark, to_day=act.to_day)
    if act.move == "E-03":
        return replace(remark, end=RemarkState.LIFTED, ended_at=at)
    if role is not Role.SYSTEM:
        return replace(remark, end=RemarkState.ENDED, ended_at=at)
    remark = replace(remark, noted=remark.to_day)
    return replace(remark, end=RemarkState.ENDED, ended_at=at) if remark.record.kind in ENDS_BY_ITSELF else remark


def consented(remark: Remark, consent: Consent, at: int) -> Remark:
    """The remark after its pledgee consented."""
    return replace(remark, consents=(*remark.consents, consent), changed_at=at)


def timer_act(remark: Remark, now: int) -> RemarkAct | None:
    """E-04 if the end has passed and nobody noted it; else `None`."""
    act = RemarkAct("E-04", rule="E-04")
    return act if end_is_unnoted(remark, RemarkMoment(act, (), _NOWHERE, now)) is None else None


_EMPTY = RemarkAct("E-00")
_NOWHERE = RemarkWorld("", frozenset(), frozenset(), False, 0)


def _record(moment: RemarkMoment) -> Recorded:
    assert moment.act.record is not None
    return moment.act.record
