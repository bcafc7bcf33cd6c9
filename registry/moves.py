"""A table of moves, whatever it moves: an application, a remark, an objection after registration.

A row says from which states a move leads where, who must sign it, what it must carry and under which conditions. The
functions here read such tables; the tables stand with what they move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Generic, TypeVar

from ledger.facts import Signature
from registry.case import STAFF, Actor, Role
from registry.errors import GuardRefused, IllegalMove, NotEntitled

S = TypeVar("S", bound=StrEnum)

Refusal = tuple[str, str] | None
"""What is refused, in both languages, or `None`."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """One row of a table. `target` None means the state stays; `signers` are alternative sets of roles."""

    move: str
    sources: frozenset[S | None]
    target: S | None
    signers: tuple[frozenset[Role], ...]
    needs: frozenset[str]
    may: frozenset[str]
    guards: tuple[Callable[[Any, Any], Refusal], ...]
    clock: str
    paper: str
    basis: str


def rule_for(
    rules: Iterable[Rule[S]], state: S | None, move: str, roles: Sequence[Role], several: Set[Role] = frozenset()
) -> Rule[S]:
    """The row for this move from this state by these roles; only a role in `several` may sign more than once.

    Raises `IllegalMove` or `NotEntitled`.
    """
    possible = [rule for rule in rules if rule.move == move and state in rule.sources]
    if not possible:
        raise IllegalMove(state.value if state else "–", move)
    for rule in possible:
        if frozenset(roles) in rule.signers:
            if len(roles) != len(frozenset(roles)) and not frozenset(roles) <= several:
                raise NotEntitled(move, "同一角色只签一次。", "each role signs once")
            return rule
    groups = dict.fromkeys(_text(group) for rule in possible for group in rule.signers)
    wanted, given = " | ".join(groups), _text(roles) or "–"
    raise NotEntitled(move, f"应由 {wanted} 签署，实为 {given}。", f"signed by {given}, expected {wanted}")


def _text(roles: Iterable[Role]) -> str:
    return "+".join(sorted(role.value for role in roles))


def staff_role(signature: Signature) -> Role:
    """The role a member of staff signed in. Raises `NotEntitled` for one that staff does not have."""
    role = Role(signature.role) if signature.role in {known.value for known in Role} else Role.SYSTEM
    if role not in STAFF:
        raise NotEntitled("签名", f"经办角色应为 {sorted(STAFF)} 之一。", f"staff acts as one of {sorted(STAFF)}")
    return role


def require_separation(
    actors: Sequence[Actor],
    agency: str,
    concerned: Set[str],
    move: str,
    reviewers: Sequence[str] = (),
    approvers: Sequence[str] = (),
) -> None:
    """Staff belongs to the agency and to nobody concerned; nobody reviews and approves the same matter (3.4, P).

    `concerned` are the USCCs of those it is about. Raises `NotEntitled`.
    """
    if len({actor.by for actor in actors}) != len(actors):
        raise NotEntitled(move, "两个角色须由不同的人担任。", "two roles need two persons")
    for actor in actors:
        if actor.role not in STAFF:
            continue
        if actor.organisation != agency or actor.organisation in concerned:
            raise NotEntitled(move, f"{actor.by} 不是本登记机构的经办人。", f"{actor.by} is not staff of this agency")
        if actor.role is Role.APPROVER and actor.by in reviewers:
            raise NotEntitled(move, f"{actor.by} 已是本案审查人，不得复核。", f"{actor.by} reviewed this case")
        if actor.role is Role.REVIEWER and actor.by in approvers:
            raise NotEntitled(move, f"{actor.by} 已是本案复核人，不得审查。", f"{actor.by} approved in this case")


def require_fields(rule: Rule[S], act: Any, empty: Any) -> None:
    """The act carries what its move needs and nothing that another move would use; `empty` is an act without any."""
    names = (field.name for field in fields(act) if field.name != "move")
    filled = {name for name in names if getattr(act, name) != getattr(empty, name)}
    for name in sorted(rule.needs - filled):
        raise GuardRefused(rule.move, "fields", f"须填写 {name}。", f"{name} is required")
    for name in sorted(filled - rule.needs - rule.may):
        raise GuardRefused(rule.move, "fields", f"不应填写 {name}。", f"{name} does not belong to this move")


def require_guards(rule: Rule[S], case: Any, moment: Any) -> None:
    """Raises `GuardRefused` with the name of the first condition that is not met."""
    for guard in rule.guards:
        refusal = guard(case, moment)
        if refusal is not None:
            raise GuardRefused(rule.move, guard.__name__, *refusal)
