"""Which identity facts a bundle must carry so that a stranger can tell whose keys signed it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ledger import store
from ledger.bundle import Bundle, assemble
from ledger.facts import Fact

IDENTITY_KINDS = frozenset({"party/v1", "staff/v1", "connector/v1"})


def bundle_of(session: Session, fact_id: str, known: frozenset[str], part: int | None = None) -> Bundle:
    """The bundle of a fact with the identity facts of its signers, and of those who vouch for them.

    `known` are names that stand in every trust file of this installation; their keys are never taken from a bundle.
    """
    fact = store.fact(session, fact_id)
    return assemble(session, fact_id, part=part, supports=_identities(session, fact, known))


def may_read(session: Session, fact: Fact, holder: str, overseers: frozenset[str]) -> bool:
    """May the holder of an API key have the bundle of this fact? Overseers may; else whom the fact concerns.

    A fact concerns who signed it and every party its text names; a usage batch also the parties of its agreements.
    """
    if holder in overseers or holder in {signature.by for signature in fact.signatures}:
        return True
    kind, _, name = holder.partition(":")
    if kind != "party":
        return False
    linked = [item["agreement"] for item in fact.body.get("agreements", []) if isinstance(item, dict)]
    facts = [fact, *(act for identity in linked for act in store.facts_of(session, f"agreement:{identity}"))]
    return any(name.encode() in item.bytes() for item in facts)


def _identities(session: Session, fact: Fact, known: frozenset[str]) -> list[str]:
    found: dict[str, str] = {}
    waiting = [signature.by for signature in fact.signatures]
    while waiting:
        name = waiting.pop(0)
        if name in found or name in known or name == fact.subject:
            continue
        for identity in store.facts_of(session, name):
            if identity.kind in IDENTITY_KINDS:
                found[name] = identity.id
                waiting += [signature.by for signature in identity.signatures]
    return list(found.values())
