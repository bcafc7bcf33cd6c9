"""What has happened on a case: its facts in order, each as a line for people, with what it carried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from api.office import words
from ledger import store as facts
from ledger import tables
from ledger.facts import Fact, Signature
from ledger.reading import read
from registry import store as registry
from registry.application import RULES, role_of
from registry.case import MOVE, Case
from registry.errors import NotEntitled, Unknown
from registry.form import SUBMITTED
from registry.objection import OBJECTION, Objection


@dataclass(frozen=True, slots=True)
class Line:
    """One fact of a case: when, what, under which paper's name, signed by whom in which role."""

    at: int
    move: str
    name: str
    paper: str
    signers: tuple[tuple[str, str], ...]
    body: Mapping[str, Any]
    fact_id: str
    kind: str


def lines(session: Session, case: Case) -> list[Line]:
    """Every fact of this case and of its objections in the order they were taken in; erased ones are left out."""
    subjects = [f"application:{case.application}", *(f"objection:{raised.id}" for raised in case.objections)]
    table = tables.fact
    rows = session.execute(
        select(table.c.bytes).where(table.c.subject.in_(subjects), table.c.bytes.is_not(None)).order_by(table.c.seq)
    )
    return [_line(Fact.of_bytes(row.bytes), case) for row in rows]


def objections(session: Session, case: Case) -> dict[str, Objection]:
    """The texts of this case's objections by id; an erased one is left out."""
    found = {}
    for raised in case.objections:
        for fact in facts.facts_of(session, f"objection:{raised.id}"):
            if fact.kind == OBJECTION:
                found[raised.id] = read(Objection, fact.body)
    return found


def names(session: Session, holders: Iterable[str], at: int) -> dict[str, str]:
    """What parties are called; staff is known by its number only."""
    found = {}
    for by in holders:
        kind, _, identity = by.partition(":")
        try:
            found[by] = registry.party_at(session, identity, at).name if kind == "party" else f"经办人 {identity}"
        except Unknown:
            found[by] = by
    return found


def _line(fact: Fact, case: Case) -> Line:
    move = {SUBMITTED: "I-02", OBJECTION: "I-17"}.get(fact.kind, "")
    if fact.kind == MOVE:
        move = str(fact.body["move"])
    rule = RULES.get(move)
    name = words.MOVES.get(move, words.KINDS.get(fact.kind, fact.kind))
    signers = tuple((item.by, _role(case, item)) for item in fact.signatures)
    return Line(fact.at, move, name, rule.paper if rule else "", signers, fact.body, fact.id, fact.kind)


def _role(case: Case, signature: Signature) -> str:
    try:
        role = role_of(case.form, signature).value
    except NotEntitled:
        role = signature.role
    return words.ROLES.get(role, role)
