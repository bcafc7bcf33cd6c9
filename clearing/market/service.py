"""Concluding, amending and ending agreements: load, decide by the pure stages, store the fact.

What the market asks of the registry stands here too. Nothing here commits, reads a clock or waits for a chain. A
statement that was stored before is answered with its first fact. Source: exchange.md §4.5, §4.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, Clash, NotSigned, WrongMove
from clearing.market import store
from clearing.market.agreement import (
    CARRIES_TERMS,
    Act,
    AgreementAct,
    Before,
    Domain,
    Product,
    Role,
    SignerKeys,
    State,
    Terms,
    act_of,
    check_act,
    check_unsigned,
    id_of,
    named_in,
    read_terms,
)
from clearing.market.errors import GateRefused, NotEntitled
from clearing.market.listing import PriceRegime, Title, check_title
from clearing.market.listing_moves import ORDERABLE
from clearing.market.negotiation import store as negotiations
from clearing.market.policy import Action, limit_of
from clearing.market.proceeds import check_proceeds
from clearing.market.shelf import store as shelf
from clearing.terms import NON_TAX_ROLES, AgreementTerms, BillingBasis, Served
from ledger.facts import Signed, Statement
from ledger.store import Appended
from registry import holding
from registry import store as registry
from registry.afterlife import service as afterlife
from registry.afterlife.blocking import UseEffect
from registry.errors import Unknown
from registry.rights import Right

AUTHORITY_ROLES = frozenset({"authority", "supervisor", "court", "arbitration"})
"""Roles of party/v1 whose holders may suspend, resume and void an agreement by a decision (D22)."""


def record_act(session: Session, signed: Signed, parts: Sequence[bytes] = (), *, domain: Domain, at: int) -> Appended:
    """Takes in an agreement-act/v1, from CONCLUDE to EXPIRE; `parts` are the fields of its new terms.

    Exactly the right signers must have signed in both encodings with the keys on record, for this platform's chain and
    contract, before the deadline, with fresh nonces. New terms pass the gates of the listing and the certificate.
    Raises `BadTerms`, `WrongMove`, `NotSigned`, `NotEntitled`, `GateRefused`, and the ledger's `Conflict`, `Stale`,
    `BadSignature`.
    """
    act = act_of(signed.statement)
    id_of(signed.statement.subject)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if act.act in CARRIES_TERMS and negotiations.find(session, act.negotiation_id) is not None:
        expected = f"{act.act} of no negotiation here, or its FINALISE"
        raise WrongMove(f"negotiation:{act.negotiation_id}", expected, f"{act.act} by itself")
    return _record(session, signed, act, parts, domain, at)


def conclude_negotiated(
    session: Session, signed: Signed, parts: Sequence[bytes], *, domain: Domain, at: int
) -> Appended:
    """The act a negotiation ends with, as `record_act`; the caller has compared it with what was agreed."""
    return _record(session, signed, act_of(signed.statement), parts, domain, at)


def rehearse(
    session: Session, statement: Statement, parts: Sequence[bytes], *, domain: Domain, at: int
) -> AgreementAct:
    """Everything `record_act` asks of an act but its signatures, before anybody has signed it. Raises as it does."""
    act, identity = act_of(statement), id_of(statement.subject)
    terms, before = read_terms(statement, act, parts), store.before_of(session, identity)
    check_unsigned(statement, terms, before, domain, at)
    if act.authority is not None and not is_authority(session, act.authority.party, at):
        raise NotEntitled(act.act, "an authority on record", act.authority.party)
    _check_world(session, identity, act, terms, before, at)
    return act


def agreement_terms(session: Session, start: int, end: int) -> list[AgreementTerms]:
    """The settlement terms of every agreement revision that was in force at some time in [start, end)."""
    found = []
    for row in store.agreements(session):
        for revision, since, until in store.revisions(session, row.id):
            terms = store.terms_of(session, row.id, revision)
            if max(since, terms.effective, start) < min(until or end, terms.expiry, end):
                found.append(settled_by(row.id, revision, terms))
    return found


def served(session: Session, before: int) -> list[Served]:
    """Every revision of the agreements with a guarantee that was ever in force, with its end, as the acts before that
    second (UTC) say it. A void agreement is left out: its guarantees are void with it (民法典 682)."""
    found = []
    for identity in store.with_guarantee(session):
        acts = [act for act in store.history(session, identity) if act[0] < before]
        if acts and acts[-1][2] is State.VOID:
            continue
        for revision, since, until in store.revisions(session, identity, before):
            terms = store.terms_of(session, identity, revision)
            end = min(terms.expiry if until is None else until, terms.expiry)
            if max(since, terms.effective) < end:
                found.append(Served(settled_by(identity, revision, terms), end))
    return found


def revision_terms(session: Session, agreement: str, revision: int) -> AgreementTerms:
    """The settlement terms of one agreement revision. Raises `UnknownFact`."""
    return settled_by(agreement, revision, store.terms_of(session, agreement, revision))


def settled_by(agreement: str, revision: int, terms: Terms) -> AgreementTerms:
    """What settlement takes over of one agreement revision."""
    limit = None if terms.billing is BillingBasis.ACCEPTED else limit_of(terms.policy, Action.READ)
    return AgreementTerms(agreement, revision, terms.settlement, billing=terms.billing, limit=limit)


# What the market asks of the registry, at the time it needs the answer (decisions D26).


def signer_keys(session: Session, parties: Iterable[str], at: int) -> dict[str, SignerKeys]:
    """Keys of those USCCs that are on record; the others are left out."""
    found = {}
    for uscc in set(parties):
        try:
            row = registry.party_at(session, uscc, at)
        except Unknown:
            continue
        found[uscc] = SignerKeys(row.sm2, row.evm.lower())
    return found


def is_authority(session: Session, uscc: str, at: int) -> bool:
    """May this party decide on agreements of others?"""
    return bool(AUTHORITY_ROLES & taking.roles_of(session, uscc, at))


def connector_owner(session: Session, identity: str, at: int) -> str | None:
    """USCC of the connector's owner, None if there is no such connector."""
    try:
        return registry.connector_at(session, identity, at).owner
    except Unknown:
        return None


def title_of(session: Session, certificate: str, holder: str, at: int) -> Title | None:
    """What a certificate, in its version of that time, gives `holder` at `at`; None if there is no such certificate."""
    try:
        row = registry.certificate_at(session, certificate, at)
        effect = afterlife.use_effect(session, certificate, at)
    except Unknown:
        return None
    rights = frozenset(right for right in Right if holding.holds_right(session, holder, certificate, right, at))
    holders = {held.holder for held in registry.holdings(session, row.code, row.version)}
    return Title(
        certificate=certificate,
        holder=holder if holder in holders else " ".join(sorted(holders)),
        rights=rights,
        in_force=effect.in_force,
        reason=_reason(effect),
        until=row.valid_until,
        blocked=effect.in_force and not effect.signing,
        content=row.content,
    )


def _reason(effect: UseEffect) -> str:
    """Why no new agreement rests on a certificate; its status where nothing stands against it."""
    if effect.in_force and effect.reasons:
        return " ".join(effect.reasons)
    return effect.status.value if effect.status else "NOT_YET_VALID"


def check_gates(session: Session, terms: Terms, at: int, running: Product | None = None) -> None:
    """The listing can be ordered and is the version signed for; the certificate gives what is granted (G1, G9). Whom
    the terms name beside the parties that sign, who is paid and who decides, is on record.

    An amendment that keeps the product of the `running` terms asks nothing of the shelf: what was licensed stays
    licensed after a suspension, a new version or the end of the listing.
    """
    seller, product = terms.policy.assigner, terms.product
    row = shelf.listing(session, product.listing)
    if row.value.seller != seller:
        raise GateRefused("G10", "listing.seller", seller, row.value.seller)
    value = row.value
    if product != running:
        if row.state not in ORDERABLE:
            raise GateRefused("G10", "listing.state", " | ".join(sorted(ORDERABLE)), row.state)
        listed = (value.version, value.certificate, row.digest)
        if listed != (product.version, product.certificate, product.digest):
            expected = f"version {value.version}, {value.certificate}, {row.digest.sha256}"
            raise GateRefused("G10", "terms.product", expected, product.digest.sha256)
    else:
        value = shelf.version_of(session, product.listing, product.digest) or value
    if value.unit != terms.settlement.tariff.unit:
        raise BadTerms("terms.settlement.tariff.unit", value.unit, terms.settlement.tariff.unit)
    if value.regime is PriceRegime.GUIDED and terms.settlement.cap is None:
        expected = "政府指导价产品须载明价格上限 / the price cap of a product under a guided price"
        raise BadTerms("terms.settlement.cap", expected, "无 / none")
    check_proceeds(value.commerce.proceeds, terms.settlement)
    _check_public_parties(session, terms, at)
    title = title_of(session, product.certificate, seller, at)
    held = check_title(title, product.certificate, seller, value.right)
    missing = sorted(set(product.granted) - held.rights)
    if missing:
        raise GateRefused("G1", "terms.product.granted", f"⊆ {sorted(held.rights)}", missing)
    if terms.expiry > held.until:
        raise GateRefused("G1", "terms.expiry", f"≤ {held.until}, the end of the certificate", terms.expiry)
    taking.require_on_record(session, named_in(terms), at)
    for i, party in enumerate(terms.parties):
        for connector in party.connectors:
            owner = connector_owner(session, connector, at)
            if owner != party.party and not _is_serving(terms, owner):
                raise BadTerms(f"terms.parties[{i}].connectors", f"a connector of {party.party}", connector)


def _check_public_parties(session: Session, terms: Terms, at: int) -> None:
    """Who assesses, takes and tickets non-tax revenue is on record in that role."""
    non_tax = terms.settlement.non_tax
    for name, role in NON_TAX_ROLES.items() if non_tax is not None else ():
        party = getattr(non_tax, name)
        if role not in (roles := taking.roles_of(session, party, at)):
            expected = f"在册且具有角色 {role} 的单位 / a party on record as {role}"
            given = ", ".join(sorted(roles)) or "—"
            raise BadTerms(f"terms.settlement.non_tax.{name}", expected, f"{party}：{given}")


def _check_activation(session: Session, terms: Terms, at: int) -> None:
    """What was concluded comes into force only on a certificate that is, and that nothing stops (G1, G9)."""
    seller, product = terms.policy.assigner, terms.product
    title = title_of(session, product.certificate, seller, at)
    check_title(title, product.certificate, seller, shelf.listing(session, product.listing).value.right)


def _record(
    session: Session, signed: Signed, act: AgreementAct, parts: Sequence[bytes], domain: Domain, at: int
) -> Appended:
    identity = id_of(signed.statement.subject)
    terms = read_terms(signed.statement, act, parts)
    parties = [signer.party for signer in (*act.signers, *([act.authority] if act.authority else []))]
    keys = signer_keys(session, parties, at)
    authorities = frozenset(uscc for uscc in parties if is_authority(session, uscc, at))
    before = store.before_of(session, identity)
    check_act(signed.statement, signed.signatures, terms, before, keys, authorities, domain, at)
    spent = store.spent_nonces(session, signed.signatures)
    if spent:
        raise NotSigned(signed.statement.subject, "a nonce not used before", f"{spent[0].by} nonce {spent[0].nonce}")
    _check_world(session, identity, act, terms, before, at)
    return taking.take(session, signed, store.PROJECTORS, at=at, parts=parts)


def _check_world(
    session: Session, identity: str, act: AgreementAct, terms: Terms | None, before: Before | None, at: int
) -> None:
    """What shelf and register say of an act now: new terms pass the gates, what takes effect rests on a certificate."""
    if terms is not None:
        if store.negotiation_used(session, act.negotiation_id):
            raise Clash(f"negotiation:{act.negotiation_id}", "an id used once", "the id of other terms")
        _check_plan_version(session, identity, terms, before)
        running = store.terms_of(session, identity, before.revision).product if before else None
        check_gates(session, terms, at, running)
    elif act.act is Act.ACTIVATE and before is not None:
        _check_activation(session, store.terms_of(session, identity, before.revision), at)


def _check_plan_version(session: Session, identity: str, terms: Terms, before: Before | None) -> None:
    """One version of a plan divides one way: it is the lineage everything is rounded and guaranteed in (D33)."""
    plan = terms.settlement.plan
    for revision in range(1, before.revision + 1 if before else 1):
        known = store.terms_of(session, identity, revision).settlement.plan
        if known.version == plan.version and replace(known, effective=plan.effective) != plan:
            expected = (
                f"另一版本号：第 {revision} 版条款的方案不同 / another number: revision {revision} has another plan"
            )
            raise BadTerms("terms.settlement.plan.version", expected, plan.version)


def _is_serving(terms: Terms, owner: str | None) -> bool:
    """A service party may run a connector for a principal (exchange.md §1.1)."""
    serving = (Role.SERVICE, Role.OPERATOR)
    return any(party.party == owner for party in terms.parties if party.role in serving)
