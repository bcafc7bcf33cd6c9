"""A use policy in the words of ODRL 2.2, as the Dataspace Protocol carries it, and read back from there.

`render_offer` and `render_agreement` write compact JSON-LD; `read_policy` takes it in and fails closed (I9): a
permission of an unknown action or under a condition nobody here can decide permits nothing, a prohibition of that sort
and any duty are refused whole, because leaving them out would permit more than was said. `odrl:conflict` is always
written as `prohibit`: the default of the standard voids a policy that contradicts itself. Rules never carry a target;
an offer in a catalogue has none either, in a message it must. What ODRL has no word for stands under `SQ`.
Source: exchange.md §2.8, §4.1, §4.4, traps 3, 13.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clearing.errors import BadTerms
from clearing.market.policy import Action, Constraint, Effect, Left, Operator, Policy, Rule, check_policy
from ledger.reading import body_of, read
from registry.party import party_subject

SQ = "urn:shuqing:odrl:"
CONFLICT, PROHIBIT = "odrl:conflict", {"@id": "odrl:prohibit"}
VERSION, WINDOW, EFFECT = f"{SQ}version", f"{SQ}window", f"{SQ}effect"
LEFT: Mapping[Left, str] = {
    left: SQ + left.value if left in (Left.RATE, Left.ENVIRONMENT) else left.value for left in Left
}
"""Left operands: ODRL's own where it has one."""
_LEFT_OF = {name: left for left, name in LEFT.items()}
_INTEGER, _DATE_TIME = "xsd:integer", "xsd:dateTime"
_LAST = timegm((9999, 12, 31, 23, 59, 59))
_TEXTS = {"eq": Operator.ANY, "neq": Operator.NONE}
"""ODRL's operators for one text, as ours for a list of them."""
_RULE_FIELDS = frozenset({"action", "constraint", "@type", "@id"})
_CONSTRAINT_FIELDS = frozenset({"leftOperand", "operator", "rightOperand", "@type", "@id", WINDOW, EFFECT})
_NOTHING: tuple[Any, ...] = ([], None)
"""Values under which JSON-LD says nothing; a term nobody here knows may stand with one of them."""


class _NotUnderstood(Exception):
    """A rule says something nobody here can decide."""


def target_of(listing: str) -> str:
    """The IRI of a listing as a target."""
    return f"listing:{listing}"


def render_offer(policy: Policy, identity: str, *, in_catalogue: bool = False) -> dict[str, Any]:
    """The policy as an Offer with the IRI `identity`: in a catalogue without target and assignee, else with both."""
    named = {} if in_catalogue else {"target": target_of(policy.target), "assignee": party_subject(policy.assignee)}
    return {"@type": "Offer", "@id": identity, **named, **_render(policy)}


def render_agreement(policy: Policy, identity: str, at: int) -> dict[str, Any]:
    """The policy as an Agreement of the second `at` (UTC)."""
    return {
        "@type": "Agreement",
        "@id": identity,
        "target": target_of(policy.target),
        "assignee": party_subject(policy.assignee),
        "timestamp": _iso(at),
        **_render(policy),
    }


def read_policy(value: Any, *, assigner: str, assignee: str, target: str, where: str = "offer") -> Policy:
    """The policy an Offer or Agreement states between these parties (USCC) about this listing (32 hex).

    Parties and target may be left out, or null; another one is refused. Raises `BadTerms`, `FieldError`.
    """
    if not isinstance(value, dict):
        raise BadTerms(where, "an Offer or Agreement", type(value).__name__)
    expected = {"assigner": party_subject(assigner), "assignee": party_subject(assignee), "target": target_of(target)}
    for name, wanted in expected.items():
        given = value.get(name)
        if given is not None and given != wanted:
            raise BadTerms(f"{where}.{name}", wanted, _shown(given))
    for name in ("obligation", "duty"):
        if name in value:
            raise BadTerms(f"{where}.{name}", "none that nobody here could see fulfilled", "one")
    permission = [_permission(rule, f"{where}.permission[{i}]") for i, rule in enumerate(_list(value, "permission"))]
    prohibition = [
        _prohibition(rule, f"{where}.prohibition[{i}]") for i, rule in enumerate(_list(value, "prohibition"))
    ]
    if prohibition and value.get(CONFLICT) != PROHIBIT:
        raise BadTerms(
            f"{where}.{CONFLICT}", "odrl:prohibit where something is prohibited", _shown(value.get(CONFLICT))
        )
    understood = tuple(rule for rule in permission if rule is not None)
    if not understood:
        raise BadTerms(f"{where}.permission", "a permission that can be decided", "none")
    stated = Policy(value.get(VERSION, 1), assigner, assignee, target, understood, tuple(prohibition))
    policy = read(Policy, body_of(stated), where)
    check_policy(policy)
    return policy


def _render(policy: Policy) -> dict[str, Any]:
    rules: dict[str, Any] = {"permission": [_rule(rule) for rule in policy.permission]}
    if policy.prohibition:
        rules["prohibition"] = [_rule(rule) for rule in policy.prohibition]
    return {"assigner": party_subject(policy.assigner), CONFLICT: PROHIBIT, VERSION: policy.version, **rules}


def _rule(rule: Rule) -> dict[str, Any]:
    made: dict[str, Any] = {"action": rule.action.value}
    if rule.constraints:
        made["constraint"] = [_constraint(constraint) for constraint in rule.constraints]
    return made


def _constraint(constraint: Constraint) -> dict[str, Any]:
    made: dict[str, Any] = {
        "leftOperand": LEFT[constraint.left],
        "operator": constraint.operator.value,
        "rightOperand": _right(constraint),
    }
    if constraint.window:
        made[WINDOW] = constraint.window
    if constraint.effect is not Effect.DENY:
        made[EFFECT] = constraint.effect.value
    return made


def _right(constraint: Constraint) -> Any:
    if not isinstance(constraint.right, int):
        return list(constraint.right)
    if constraint.left is Left.DATE_TIME and constraint.right <= _LAST:
        return {"@value": _iso(constraint.right), "@type": _DATE_TIME}
    return {"@value": str(constraint.right), "@type": _INTEGER}


def _permission(value: Any, where: str) -> Rule | None:
    """None where it permits nothing anybody here could decide."""
    try:
        return _read_rule(value, where)
    except _NotUnderstood:
        return None


def _prohibition(value: Any, where: str) -> Rule:
    try:
        return _read_rule(value, where)
    except _NotUnderstood as error:
        raise BadTerms(where, "an action and conditions known here", str(error)) from error


def _read_rule(value: Any, where: str) -> Rule:
    if not isinstance(value, dict):
        raise BadTerms(where, "a rule", type(value).__name__)
    if "target" in value:
        raise BadTerms(f"{where}.target", "no target in a rule", _shown(value["target"]))
    unknown = sorted(name for name in value.keys() - _RULE_FIELDS if value[name] not in _NOTHING)
    if unknown or value.get("action") not in list(Action):
        raise _NotUnderstood(unknown[0] if unknown else _shown(value.get("action")))
    constraints = [
        _read_constraint(item, f"{where}.constraint[{i}]") for i, item in enumerate(_list(value, "constraint"))
    ]
    return Rule(Action(value["action"]), tuple(constraints))


def _read_constraint(value: Any, where: str) -> Constraint:
    if not isinstance(value, dict):
        raise BadTerms(where, "a constraint", type(value).__name__)
    unknown = sorted(value.keys() - _CONSTRAINT_FIELDS)
    left = _LEFT_OF.get(value["leftOperand"]) if isinstance(value.get("leftOperand"), str) else None
    if unknown or left is None:
        raise _NotUnderstood(unknown[0] if unknown else _shown(value.get("leftOperand")))
    given = value.get("operator")
    single = _TEXTS.get(given) if isinstance(given, str) else None
    operator = single.value if single else given
    right = [value.get("rightOperand")] if single else _read_right(left, value.get("rightOperand"), where)
    document = {"left": left.value, "operator": operator, "right": right}
    if WINDOW in value:
        document["window"] = value[WINDOW]
    if EFFECT in value:
        document["effect"] = value[EFFECT]
    if operator not in list(Operator) or value.get(EFFECT, "deny") not in list(Effect):
        raise _NotUnderstood(_shown(given))
    return read(Constraint, document, where)


def _read_right(left: Left, value: Any, where: str) -> Any:
    """A number or list as it stands; a typed value, or a time as text, as the number it is."""
    if isinstance(value, dict):
        typed, kind = value.get("@value"), value.get("@type")
        if kind == _INTEGER and isinstance(typed, str) and typed.isascii() and typed.isdecimal() and len(typed) <= 16:
            return int(typed)
        if kind == _DATE_TIME and isinstance(typed, str):
            return _seconds(typed, where)
        raise BadTerms(f"{where}.rightOperand", f"{_INTEGER} or {_DATE_TIME}", _shown(value))
    return _seconds(value, where) if left is Left.DATE_TIME and isinstance(value, str) else value


def _seconds(text: str, where: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadTerms(f"{where}.rightOperand", "xsd:dateTime", text[:80]) from None
    if at.tzinfo is None or at.microsecond:
        raise BadTerms(f"{where}.rightOperand", "whole seconds with a time zone", text[:80])
    try:
        return timegm(at.astimezone(UTC).timetuple())
    except OverflowError:
        raise BadTerms(f"{where}.rightOperand", "a year from 1 to 9999", text[:80]) from None


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name, [])
    if not isinstance(found, list) or len(found) > 50:
        raise BadTerms(name, "a list of at most 50", _shown(found))
    return found


def _shown(value: Any) -> str:
    return repr(value)[:80]
