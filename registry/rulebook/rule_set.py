"""Which version of a rule set the agency works by (registration.md A19): its digest, so that the log can show it.

The text itself is shipped with the program; the digest covers it and the table of industries it refers to.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import FieldError
from registry.asset import Twin
from registry.scheme import VERSIONS, DayOrNone, Scheme, Text, twin_of

RULE_SET = "rule-set/v1"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Body of rule-set/v1 about subject "rule-set:<scheme>": signed by two members of the agency's staff."""

    scheme: str
    version: str
    title: Text
    digest: Twin
    effective_from: DayOrNone = ""
    effective_to: DayOrNone = ""


def rule_set_subject(scheme_id: str) -> str:
    """The subject of all versions of a rule set."""
    return f"rule-set:{scheme_id}"


def rule_set_of(scheme: Scheme) -> RuleSet:
    """The body for a shipped version."""
    return RuleSet(scheme.id, scheme.version, scheme.title, twin_of(scheme), scheme.effective_from, scheme.effective_to)


def shipped(scheme_id: str, version: str) -> Scheme:
    """The shipped version of a rule set. Raises `FieldError`."""
    for scheme in VERSIONS.get(scheme_id, ()):
        if scheme.version == version:
            return scheme
    known = " | ".join(f"{item.id} {item.version}" for items in VERSIONS.values() for item in items)
    raise FieldError("body.scheme", known, f"{scheme_id} {version}"[:60])


def check_rule_set(body: RuleSet) -> RuleSet:
    """The body itself, if it is what the program ships. Raises `FieldError`."""
    own = rule_set_of(shipped(body.scheme, body.version))
    if body != own:
        wrong = next(name for name in RuleSet.__dataclass_fields__ if getattr(body, name) != getattr(own, name))
        raise FieldError(f"body.{wrong}", str(getattr(own, wrong))[:80], str(getattr(body, wrong))[:80])
    return body
