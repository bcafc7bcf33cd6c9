"""Which identity facts and fields a bundle carries so that a stranger can check it and sees no more than was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.market import store as market
from clearing.usage.closing import HEARTBEAT, PERIOD_CLOSE
from clearing.usage.held import USAGE_HELD
from clearing.usage.record import decode
from clearing.usage.service_level.notice import OUTAGE_ACT, QUALITY_CHECK
from ledger import disclosure, store
from ledger.bundle import Bundle, assemble
from ledger.errors import FieldError
from ledger.facts import Fact
from registry.party import connector_subject

IDENTITY_KINDS = frozenset({"party/v1", "staff/v1", "connector/v1"})
ALL = "all"
SHOWN_WHOLE = frozenset({"register-entry/v1"})
"""Kinds shown with all their fields unless somebody chooses: a certificate is a public paper, an agreement is not."""


def bundle_of(
    session: Session, fact_id: str, known: frozenset[str], part: int | None = None, fields: str | None = None
) -> Bundle:
    """The bundle of a fact with the identity facts of its signers, and of those who vouch for them.

    `known` are names that stand in every trust file of this installation; their keys are never taken from a bundle.
    `part` shows one part; `fields` ("all", or names joined by commas, "" for none) chooses among the disclosable
    fields. Raises `FieldError` for a part or field there is not.
    """
    fact = store.fact(session, fact_id)
    parts = [part] if part is not None else _chosen(fact, fields)
    return assemble(session, fact_id, parts=parts, supports=_identities(session, fact, known))


OF_ALL_PARTIES = (
    "netting-limits/v1", "netting/v1", "funding-default/v1", "payment-instructions/v1", "payment-reissue/v1",
    "cover-call/v1",
)  # fmt: skip
OF_ONE_AGREEMENT = (
    "meter-reading/v1", "period-inputs/v1", "charge/v1", "shares/v1", "guarantee-call/v1", "invoice/v1",
    "dispute-hold/v1", "dispute-release/v1",
)  # fmt: skip


def may_read(session: Session, fact: Fact, holder: str, overseers: frozenset[str], part: int | None = None) -> bool:
    """May the holder of an API key have the bundle of this fact, or of this part? Overseers may; else whom it concerns.

    A fact concerns who signed it and every party its text names, in its fields too; a usage batch, a close and a
    heartbeat of a connector, and what an agreement's use came to in money, also the parties of their agreements; what
    is stated about a listing's service also the parties of the agreement it names, or of every agreement on the
    listing. A fact of held records concerns nobody else, but each record its connector, the connector's owner, and the
    parties of its agreement. A netting run, its limits and a batch of payments tell of every party's money: each party
    has its notice instead (D36).
    """
    if holder in overseers or holder in {signature.by for signature in fact.signatures}:
        return True
    if fact.kind in OF_ALL_PARTIES:
        return False
    if fact.kind == USAGE_HELD:
        return part is not None and _reported(session, fact, holder, part)
    kind, _, name = holder.partition(":")
    if kind != "party":
        return False
    linked = [item["agreement"] for item in fact.body.get("agreements", []) if isinstance(item, dict)]
    if fact.kind in (PERIOD_CLOSE, HEARTBEAT, *OF_ONE_AGREEMENT):
        linked.append(fact.body["agreement"])
    if fact.kind in (OUTAGE_ACT, QUALITY_CHECK):
        own = fact.body.get("agreement")
        linked += [own] if own else [row.id for row in market.agreements(session, listing=fact.body["listing"])]
    facts = [fact, *(act for identity in linked for act in store.facts_of(session, f"agreement:{identity}"))]
    fields = store.parts_of(session, fact.id) if "fields" in fact.body else []
    return any(name.encode() in data for data in [*(item.bytes() for item in facts), *fields])


def _chosen(fact: Fact, fields: str | None) -> Sequence[int]:
    names = fact.body.get("fields", [])
    if fields is None:
        fields = ALL if fact.kind in SHOWN_WHOLE else ""
    elif fields and not names:
        raise FieldError("fields", f"{fact.kind} 没有可选择公开的字段 / has no fields to choose from", fields[:80])
    wanted = names if fields == ALL else [name for name in fields.split(",") if name]
    return disclosure.choose(names, wanted)


def _reported(session: Session, fact: Fact, holder: str, part: int) -> bool:
    parts = store.parts_of(session, fact.id)
    if part >= len(parts):
        return False
    record = decode(parts[part]).record
    connector = connector_subject(record.connector)
    concerned = [*store.facts_of(session, connector), *store.facts_of(session, f"agreement:{record.agreement}")]
    kind, _, name = holder.partition(":")
    return holder == connector or (kind == "party" and any(name.encode() in item.bytes() for item in concerned))


def _identities(session: Session, fact: Fact, known: frozenset[str]) -> list[str]:
    """For each signer the identity fact that held when it signed, then those of who vouched for it."""
    found: list[str] = []
    waiting = [(signature.by, fact.at) for signature in fact.signatures]
    while waiting:
        name, at = waiting.pop(0)
        if name in known:
            continue
        held = [item for item in store.facts_of(session, name) if item.kind in IDENTITY_KINDS and item.at <= at]
        if held and held[-1].id not in (*found, fact.id):
            found.append(held[-1].id)
            waiting += [(signature.by, held[-1].at) for signature in held[-1].signatures]
    return found
