"""The use policy 使用控制策略: what may be done with the data, as a document a machine decides by.

The shape is ODRL 2.2 (permission, prohibition, constraint); the conflict strategy is set to `prohibit`, because the
default of the standard voids a conflicting policy. Platform and connector call the same `evaluate`. It fails closed:
what it does not understand is refused (I9). Source: exchange.md §4.1, §4.4, §5.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from clearing.errors import BadTerms
from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.reading import body_of

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Seconds = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Decision(StrEnum):
    """允许 · 拒绝 (stopped, recorded, not billable) · 标记 (allowed, reviewed within one working day)."""

    ALLOW = "allow"
    DENY = "deny"
    FLAG = "flag"


class Reason(StrEnum):
    """Why a use was refused or flagged; the codes of exchange.md §5.7 that this policy form can decide."""

    NOT_EFFECTIVE = "UC10"
    EXPIRED = "UC11"
    SUSPENDED = "UC12"
    USER = "UC20"
    PURPOSE = "UC21"
    ENVIRONMENT = "UC22"
    REGION = "UC23"
    TIME = "UC24"
    COUNT = "UC25"
    RATE = "UC26"
    SCOPE = "UC27"
    ERROR = "UC90"


class Action(StrEnum):
    """The national action names in ODRL's words; an action the policy does not permit is refused."""

    READ = "read"
    USE = "use"
    DERIVE = "derive"
    ANONYMIZE = "anonymize"
    DELETE = "delete"
    SELL = "sell"
    DISTRIBUTE = "distribute"


class Left(StrEnum):
    """What a constraint looks at. `count` is units in all, `rate` units within a window, `dateTime` seconds UTC."""

    COUNT = "count"
    RATE = "rate"
    DATE_TIME = "dateTime"
    PURPOSE = "purpose"
    RECIPIENT = "recipient"
    ENVIRONMENT = "environment"
    SPATIAL = "spatial"


class Operator(StrEnum):
    """ODRL operators in use: the ordered ones compare numbers, the set ones compare texts."""

    LT = "lt"
    LTEQ = "lteq"
    GT = "gt"
    GTEQ = "gteq"
    ANY = "isAnyOf"
    NONE = "isNoneOf"


class Effect(StrEnum):
    """What a failed constraint of a permission does: stop the use, or let it pass with a mark."""

    DENY = "deny"
    FLAG = "flag"


_ORDERED = frozenset({Operator.LT, Operator.LTEQ, Operator.GT, Operator.GTEQ})
_NUMBERS = frozenset({Left.COUNT, Left.RATE, Left.DATE_TIME})
_REASON = {
    Left.COUNT: Reason.COUNT,
    Left.RATE: Reason.RATE,
    Left.DATE_TIME: Reason.TIME,
    Left.PURPOSE: Reason.PURPOSE,
    Left.RECIPIENT: Reason.USER,
    Left.ENVIRONMENT: Reason.ENVIRONMENT,
    Left.SPATIAL: Reason.REGION,
}


@dataclass(frozen=True, slots=True)
class Constraint:
    """`left operator right`. `right` is a number for count, rate and dateTime, a list of texts for the others.

    `window` is the length in seconds of the window of a rate. A `count` or `rate` holds for the units used before plus
    those asked for now, so `count lteq 2000` lets the 2,000th unit pass and refuses the next.
    """

    left: Left
    operator: Operator
    right: Seconds | tuple[Name, ...]
    window: Annotated[int, Meta(ge=0, le=366 * 86_400)] = 0
    effect: Effect = Effect.DENY


@dataclass(frozen=True, slots=True)
class Rule:
    """An action and the constraints that must all hold for the rule to apply."""

    action: Action
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the provider (`assigner`) lets the user (`assignee`) do with the product (`target`).

    `assigner` and `assignee` are 统一社会信用代码, `target` is the listing id; `version` goes up with each amendment.
    """

    version: Annotated[int, Meta(ge=1, le=2**31)]
    assigner: Name
    assignee: Name
    target: Name
    permission: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=50)]
    prohibition: Annotated[tuple[Rule, ...], Meta(max_length=50)] = ()
    conflict: Literal["prohibit"] = "prohibit"


class Standing(StrEnum):
    """Where the agreement stands when a use is asked for."""

    EFFECTIVE = "effective"
    NOT_YET = "not_yet"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Request:
    """One use that is asked for: `quantity` units under an agreement that stands as `standing` says."""

    action: Action
    purpose: str
    recipient: str
    quantity: int
    standing: Standing
    environment: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Counters:
    """Units used before this request: in all, and per rate window (seconds → units within the last so many)."""

    total: int
    windows: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision and its reasons, most important first; no reason with a plain ALLOW."""

    decision: Decision
    reasons: tuple[Reason, ...] = ()


_STANDING = {
    Standing.NOT_YET: Reason.NOT_EFFECTIVE,
    Standing.SUSPENDED: Reason.SUSPENDED,
    Standing.ENDED: Reason.EXPIRED,
}


def evaluate(policy: Policy, request: Request, counters: Counters, now: int) -> Outcome:
    """May this use take place? A pure function of its arguments; `now` in seconds UTC.

    A prohibition that applies wins over every permission. Among permissions of the action the one with the fewest
    failed constraints speaks. A policy that cannot be understood denies with UC90.
    """
    if request.standing is not Standing.EFFECTIVE:
        return Outcome(Decision.DENY, (_STANDING[request.standing],))
    try:
        for rule in policy.prohibition:
            if rule.action is request.action and all(_holds(c, request, counters, now) for c in rule.constraints):
                reasons = tuple(dict.fromkeys(_REASON[c.left] for c in rule.constraints))
                return Outcome(Decision.DENY, reasons or (Reason.SCOPE,))
        failures = [
            [c for c in rule.constraints if not _holds(c, request, counters, now)]
            for rule in policy.permission
            if rule.action is request.action
        ]
    except BadTerms:
        return Outcome(Decision.DENY, (Reason.ERROR,))
    if not failures:
        return Outcome(Decision.DENY, (Reason.SCOPE,))
    return _speak(min(failures, key=lambda failed: (any(c.effect is Effect.DENY for c in failed), len(failed))))


def check_policy(policy: Policy) -> None:
    """Refuses a policy that could not be evaluated. Raises `BadTerms` naming the constraint."""
    for part, rules in (("permission", policy.permission), ("prohibition", policy.prohibition)):
        for i, rule in enumerate(rules):
            for k, constraint in enumerate(rule.constraints):
                _check(constraint, f"policy.{part}[{i}].constraints[{k}]")


def limit_of(policy: Policy, action: Action) -> int | None:
    """The largest number of units the action may use in all under this policy; None where no count limits it."""
    limits: list[int | None] = []
    for rule in policy.permission:
        if rule.action is action:
            bounds = [
                c.right if c.operator is Operator.LTEQ else c.right - 1
                for c in rule.constraints
                if c.left is Left.COUNT and c.effect is Effect.DENY and isinstance(c.right, int)
                and c.operator in (Operator.LTEQ, Operator.LT)
            ]  # fmt: skip
            limits.append(min(bounds) if bounds else None)
    return None if not limits or None in limits else max(limit for limit in limits if limit is not None)


def windows_of(policy: Policy) -> tuple[int, ...]:
    """The rate windows (seconds) whose use the caller must count, shortest first."""
    rules = policy.permission + policy.prohibition
    return tuple(sorted({c.window for rule in rules for c in rule.constraints if c.left is Left.RATE}))


def policy_digest(policy: Policy) -> TwinDigest:
    """Twin digest of the policy's canonical document: what the agreement binds."""
    return twin(canonical.encode(body_of(policy)))


def _speak(failed: list[Constraint]) -> Outcome:
    if not failed:
        return Outcome(Decision.ALLOW)
    denied = [c for c in failed if c.effect is Effect.DENY]
    speaking = denied or failed
    reasons = tuple(dict.fromkeys(_REASON[c.left] for c in speaking))
    return Outcome(Decision.DENY if denied else Decision.FLAG, reasons)


def _holds(constraint: Constraint, request: Request, counters: Counters, now: int) -> bool:
    _check(constraint, "policy")
    right = constraint.right
    if isinstance(right, int):
        return _compare(constraint.operator, _number(constraint, request, counters, now), right)
    given = {
        Left.PURPOSE: request.purpose,
        Left.RECIPIENT: request.recipient,
        Left.ENVIRONMENT: request.environment,
        Left.SPATIAL: request.region,
    }[constraint.left]
    return (given in right) == (constraint.operator is Operator.ANY)


def _number(constraint: Constraint, request: Request, counters: Counters, now: int) -> int:
    if constraint.left is Left.DATE_TIME:
        return now
    if constraint.left is Left.COUNT:
        return counters.total + request.quantity
    if constraint.window not in counters.windows:
        raise BadTerms("counters.windows", f"units within {constraint.window} s", sorted(counters.windows))
    return counters.windows[constraint.window] + request.quantity


def _compare(operator: Operator, given: int, right: int) -> bool:
    if operator is Operator.LT:
        return given < right
    if operator is Operator.LTEQ:
        return given <= right
    if operator is Operator.GT:
        return given > right
    return given >= right


def _check(constraint: Constraint, where: str) -> None:
    number = constraint.left in _NUMBERS
    if number != (constraint.operator in _ORDERED):
        raise BadTerms(f"{where}.operator", f"an operator for {constraint.left}", str(constraint.operator))
    if number != isinstance(constraint.right, int):
        raise BadTerms(f"{where}.right", "a number" if number else "a list of texts", constraint.right)
    if (constraint.left is Left.RATE) != (constraint.window > 0):
        raise BadTerms(f"{where}.window", "seconds for a rate, 0 otherwise", constraint.window)
