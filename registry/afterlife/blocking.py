"""Which remark stops which operation, as a table (registration.md 1.7, P), and what an open objection stops (1.6, P).

查封 in the guide is a remark; every effect here is a setting of ours. `verdicts` answers for one operation; `use`
answers what decisions D24 wants to know when an agreement is signed or data is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from registry.afterlife.instrument import AuthorityType
from registry.afterlife.remark import (
    IN_EFFECT,
    KIND_NAMES,
    REMARK_STATE_NAMES,
    STANDING,
    Consentable,
    Remark,
    RemarkKind,
    RemarkState,
    Signing,
    state_of,
)
from registry.certificate import IN_FORCE, Status
from registry.form import Operation
from registry.rights import Right

OPERATION_NAMES: Mapping[Operation, str] = {
    Operation.TRANSFER: "转让",
    Operation.CHANGE_IDENTITY: "变更（身份）",
    Operation.CHANGE_DESCRIPTION: "变更（描述）",
    Operation.RENEWAL: "续期",
    Operation.CANCELLATION: "申请注销",
    Operation.REPLEDGE: "再质押",
    Operation.CONTRACT: "新合同",
}


class Effect(StrEnum):
    """What a remark does to an operation: nothing, stop it, warn, ask for the pledgee's consent, bind it to its terms,
    give it the next rank, or redirect its income."""

    YES = "yes"
    BLOCK = "block"
    WARN = "warn"
    CONSENT = "consent"
    TERMS = "terms"
    NEXT_RANK = "next_rank"
    REDIRECT = "redirect"


def _row(*effects: str) -> Mapping[Operation, Effect]:
    return dict(zip(Operation, map(Effect, effects), strict=True))


# fmt: off
TABLE: Mapping[RemarkKind, Mapping[Operation, Effect]] = {
    #                             转让       变更(身份) 变更(描述)  续期   申请注销    再质押       新合同
    RemarkKind.AGREED:       _row("terms",   "yes",    "yes",     "yes", "yes",     "yes",       "terms"),
    RemarkKind.PRESERVATION: _row("block",   "yes",    "block",   "yes", "block",   "block",     "warn"),
    RemarkKind.TEMP_CONTROL: _row("block",   "yes",    "block",   "yes", "block",   "block",     "block"),
    RemarkKind.PLEDGE:       _row("consent", "yes",    "consent", "yes", "consent", "next_rank", "redirect"),
    # The two kinds the table does not name are read as their own words, like AGREED.
    RemarkKind.STATUTORY:    _row("terms",   "yes",    "yes",     "yes", "yes",     "yes",       "terms"),
    RemarkKind.OTHER:        _row("terms",   "yes",    "yes",     "yes", "yes",     "yes",       "terms"),
}
"""Rows of registration.md 1.7."""

OBJECTION: Mapping[Operation, Effect] = _row("block", "yes", "warn", "yes", "block", "warn", "warn")
"""What an open objection after registration does (1.6)."""
# fmt: on

_ASKS = {
    Operation.TRANSFER: Consentable.TRANSFER,
    Operation.CHANGE_DESCRIPTION: Consentable.CHANGE_DESCRIPTION,
    Operation.CANCELLATION: Consentable.CANCELLATION,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one remark, at its `rank` by receipt (from 1), does to an operation; `consented`: its pledgee agreed."""

    remark: str
    rank: int
    kind: RemarkKind
    state: RemarkState
    effect: Effect
    consented: bool = False

    @property
    def stops(self) -> bool:
        """Does it stop the operation as things stand?"""
        return self.effect is Effect.BLOCK or (self.effect is Effect.CONSENT and not self.consented)


@dataclass(frozen=True, slots=True)
class UseEffect:
    """What holds for agreements about a certificate at an instant (decisions D24). Never public.

    `in_force` false ends use at the instant unless terms agreed a run-off. `signing` false refuses new agreements, for
    the `reasons`. `pledgees` are the identity numbers, by rank, to whom income is redirected; use goes on.
    """

    status: Status | None
    in_force: bool
    signing: bool
    reasons: tuple[str, ...]
    pledgees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """A remark as the public sees it (registration.md 5.4, 5.6): kind, authority type, days; no text, no name."""

    rank: int
    kind: RemarkKind
    authority: AuthorityType
    from_day: str
    to_day: str | None
    state: RemarkState
    rights: tuple[Right, ...]


def flags_of(remarks: Sequence[Remark], at: int) -> tuple[Flag, ...]:
    """What the public sees of the remarks that stand at `at`, ranked as given."""
    standing = (item for item in remarks if state_of(item, at) in STANDING)
    return tuple(
        Flag(
            rank,
            item.record.kind,
            item.instrument.type,
            item.record.from_day,
            item.to_day,
            state_of(item, at),
            item.record.rights,
        )
        for rank, item in enumerate(standing, 1)
    )


def verdicts(
    remarks: Sequence[Remark],
    operation: Operation,
    at: int,
    *,
    rights: Set[Right] = frozenset(Right),
    version: int = 0,
) -> tuple[Verdict, ...]:
    """What the remarks in effect at `at` do to an operation that concerns `rights`, ranked as given.

    Consents count for the certificate's `version` only.
    """
    return tuple(
        Verdict(
            remark.id,
            rank,
            remark.record.kind,
            state_of(remark, at),
            TABLE[remark.record.kind][operation],
            any(item.operation is _ASKS.get(operation) and item.version == version for item in remark.consents),
        )
        for rank, remark in enumerate((item for item in remarks if state_of(item, at) in STANDING), 1)
        if state_of(remark, at) in IN_EFFECT and rights & set(remark.record.rights)
    )


def stops(
    remarks: Sequence[Remark],
    objection: bool,
    operation: Operation,
    at: int,
    *,
    rights: Set[Right] = frozenset(Right),
    version: int = 0,
    but: Set[RemarkKind] = frozenset(),
) -> tuple[str, ...]:
    """Why the operation may not be done now, Chinese first; names no authority and no creditor. Empty: it may.

    Remarks of the kinds `but` are passed over.
    """
    found = [
        _text(verdict, operation)
        for verdict in verdicts(remarks, operation, at, rights=rights, version=version)
        if verdict.stops and verdict.kind not in but
    ]
    if objection and OBJECTION[operation] is Effect.BLOCK:
        name = OPERATION_NAMES[operation]
        found.append(f"登记后异议未了结，不能办理{name}。 / An objection is open: {operation.value} is stopped.")
    return tuple(found)


def use(remarks: Sequence[Remark], status: Status | None, at: int) -> UseEffect:
    """Decisions D24: a pledge redirects income; 查封 and 管制 stop new signing unless their own words allow it."""
    active = [item for item in remarks if state_of(item, at) in IN_EFFECT]
    stopped = [item for item in active if _stops_signing(item)]
    reasons = [
        f"{KIND_NAMES[item.record.kind]}期间不得新签合同。 / {item.record.kind.value} stops new agreements."
        for item in stopped
    ]
    in_force = status in IN_FORCE
    if not in_force:
        reasons.insert(0, f"凭证状态为 {status or '–'}。 / The certificate is {status or 'not yet valid'}.")
    pledgees = tuple(item.instrument.issuer_id for item in active if item.record.kind is RemarkKind.PLEDGE)
    return UseEffect(status, in_force, not reasons, tuple(reasons), pledgees)


def hindrances(
    remarks: Sequence[Remark], objection: bool, operation: Operation | None, at: int, version: int
) -> tuple[str, ...]:
    """Why a check for this purpose is not simply good; without a purpose every flag counts (registration.md 5.4, P)."""
    if operation is None:
        reasons = {reason for item in Operation for reason in _hindered(remarks, objection, item, at, version)}
        return tuple(sorted(reasons))
    return _hindered(remarks, objection, operation, at, version)


def _hindered(
    remarks: Sequence[Remark], objection: bool, operation: Operation, at: int, version: int
) -> tuple[str, ...]:
    found = stops(remarks, objection, operation, at, version=version)
    signing = use(remarks, Status.VALID, at).reasons if operation is Operation.CONTRACT else ()
    return tuple(dict.fromkeys((*found, *signing)))


def _stops_signing(remark: Remark) -> bool:
    words = remark.record.signing
    if words is not Signing.SILENT:
        return words is Signing.BLOCKED
    return remark.record.kind in (RemarkKind.PRESERVATION, RemarkKind.TEMP_CONTROL)


def _text(verdict: Verdict, operation: Operation) -> str:
    kind, name = KIND_NAMES[verdict.kind], OPERATION_NAMES[operation]
    state = f"（{REMARK_STATE_NAMES[verdict.state]}）" if verdict.state is RemarkState.UNVERIFIED else ""
    if verdict.effect is Effect.CONSENT:
        zh, en = "须经质权人同意", "needs the pledgee's consent"
    else:
        zh, en = "不能办理", "is stopped"
    return f"第{verdict.rank}顺位{kind}{state}：{name}{zh}。 / {verdict.kind.value}: {operation.value} {en}."
