"""Listing a product and concluding, amending and ending agreements: load, decide by the pure stages, store the fact.

Nothing here commits, reads a clock or waits for a chain. A statement that was stored before is answered with its first
fact. Source: exchange.md §2.4, §4.5, §4.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from clearing.errors import BadTerms, NotSigned, TooEarly, WrongMove
from clearing.market import listing as listings_
from clearing.market import store
from clearing.market.agreement import Act, Domain, Role, SignerKeys, Terms, act_of, check_act, id_of, read_terms
from clearing.market.errors import GateRefused
from clearing.market.listing import (
    LISTING_MOVE,
    LISTING_SUBMITTED,
    NOTICE_SECONDS,
    REVIEWER,
    Actor,
    Listing,
    ListingMove,
    Move,
    State,
    Title,
    check_listing,
    check_move,
    check_title,
)
from clearing.market.policy import Action, limit_of
from clearing.terms import AgreementTerms
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import read
from ledger.store import Appended
from registry import holding, signers
from registry import store as registry
from registry.afterlife import service as afterlife
from registry.afterlife.blocking import UseEffect
from registry.errors import Unknown
from registry.party import party_subject
from registry.rights import Right

AUTHORITY_ROLES = frozenset({"authority", "supervisor", "court", "arbitration"})
"""Roles of party/v1 whose holders may suspend, resume and void an agreement by a decision (D22)."""


def submit_listing(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a listing-submitted/v1 signed by its seller. The certificate must be in force with 经营权 (G1).

    Raises `BadTerms`, `GateRefused`, `WrongMove` unless new or withdrawn, `BadSignature`, and the ledger's `Conflict`
    and `Stale`.
    """
    body = read(Listing, _of_kind(signed, LISTING_SUBMITTED).body)
    check_listing(body, signed.statement.subject)
    signers.require_signature(session, signed, party_subject(body.seller), at=at)
    if (first := _replay(session, signed, at)) is not None:
        return first
    if signed.statement.no:
        before = store.listing(session, signed.statement.subject.removeprefix("listing:"))
        if before.state is not State.DRAFT:
            raise WrongMove(signed.statement.subject, State.DRAFT, before.state)
        if before.value.seller != body.seller:
            raise BadTerms("body.seller", before.value.seller, body.seller)
    check_title(title_of(session, body.certificate, body.seller, at), body.certificate, body.seller, body.right)
    return _take(session, signed, at)


def move_listing(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a listing-move/v1 signed by the seller ("party:…") or by a listing reviewer ("staff:…", that role).

    Approval asks for the certificate again. Raises as `submit_listing`, and `NotEntitled`, `TooEarly` for a delisting
    before the notice of 30 days has run out.
    """
    body = read(ListingMove, _of_kind(signed, LISTING_MOVE).body)
    identity = signed.statement.subject.removeprefix("listing:")
    row = store.listing(session, identity)
    actor, organisation = _actor(session, signed, row.value.seller, at)
    if (first := _replay(session, signed, at)) is not None:
        return first
    check_move(body, actor, row.value.seller, organisation)
    listings_.after(identity, row.state, body.move)
    if body.move in (Move.APPROVE, Move.RESUME, Move.CALL_OFF):
        value = row.value
        title = title_of(session, value.certificate, value.seller, at)
        check_title(title, value.certificate, value.seller, value.right)
    if body.move is Move.DELIST and at < row.since + NOTICE_SECONDS:
        raise TooEarly(signed.statement.subject, row.since + NOTICE_SECONDS, at)
    return _take(session, signed, at)


def record_act(session: Session, signed: Signed, parts: Sequence[bytes] = (), *, domain: Domain, at: int) -> Appended:
    """Takes in an agreement-act/v1, from CONCLUDE to EXPIRE; `parts` are the fields of its new terms.

    Exactly the right signers must have signed in both encodings with the keys on record, for this platform's chain and
    contract, before the deadline, with fresh nonces. New terms pass the gates of the listing and the certificate.
    Raises `BadTerms`, `WrongMove`, `NotSigned`, `NotEntitled`, `GateRefused`, and the ledger's `Conflict`, `Stale`,
    `BadSignature`.
    """
    act = act_of(signed.statement)
    identity = id_of(signed.statement.subject)
    if (first := _replay(session, signed, at)) is not None:
        return first
    terms = read_terms(signed.statement, act, parts)
    parties = [signer.party for signer in (*act.signers, *([act.authority] if act.authority else []))]
    keys = signer_keys(session, parties, at)
    authorities = frozenset(uscc for uscc in parties if is_authority(session, uscc, at))
    before = store.before_of(session, identity)
    check_act(signed.statement, signed.signatures, terms, before, keys, authorities, domain, at)
    spent = store.spent_nonces(session, signed.signatures)
    if spent:
        raise NotSigned(signed.statement.subject, "a nonce not used before", f"{spent[0].by} nonce {spent[0].nonce}")
    if terms is not None:
        _check_gates(session, terms, at)
    elif act.act is Act.ACTIVATE and before is not None:
        _check_activation(session, store.terms_of(session, identity, before.revision), at)
    return _take(session, signed, at, parts)


def agreement_terms(session: Session, start: int, end: int) -> list[AgreementTerms]:
    """The settlement terms of every agreement revision that was in force at some time in [start, end)."""
    found = []
    for row in store.agreements(session):
        for revision, since, until in store.revisions(session, row.id):
            terms = store.terms_of(session, row.id, revision)
            if max(since, terms.effective, start) < min(until or end, terms.expiry, end):
                found.append(settled_by(row.id, revision, terms))
    return found


def settled_by(agreement: str, revision: int, terms: Terms) -> AgreementTerms:
    """What settlement takes over of one agreement revision."""
    limit = limit_of(terms.policy, Action.READ)
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
    try:
        return bool(AUTHORITY_ROLES & set(registry.party_at(session, uscc, at).roles.split()))
    except Unknown:
        return False


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
    )


def _reason(effect: UseEffect) -> str:
    """Why no new agreement rests on a certificate; its status where nothing stands against it."""
    if effect.in_force and effect.reasons:
        return " ".join(effect.reasons)
    return effect.status.value if effect.status else "NOT_YET_VALID"


def _check_gates(session: Session, terms: Terms, at: int) -> None:
    """The listing is in force and is the version signed for; the certificate gives what is granted (G1, G9)."""
    row = store.listing(session, terms.product.listing)
    seller, product = terms.policy.assigner, terms.product
    if row.state is not State.LISTED:
        raise GateRefused("G10", "listing.state", State.LISTED, row.state)
    if row.value.seller != seller:
        raise GateRefused("G10", "listing.seller", seller, row.value.seller)
    listed = (row.value.version, row.value.certificate, row.digest)
    if listed != (product.version, product.certificate, product.digest):
        expected = f"version {row.value.version}, {row.value.certificate}, {row.digest.sha256}"
        raise GateRefused("G10", "terms.product", expected, product.digest.sha256)
    if row.value.unit != terms.settlement.tariff.unit:
        raise BadTerms("terms.settlement.tariff.unit", row.value.unit, terms.settlement.tariff.unit)
    title = title_of(session, product.certificate, seller, at)
    held = check_title(title, product.certificate, seller, row.value.right)
    missing = sorted(set(product.granted) - held.rights)
    if missing:
        raise GateRefused("G1", "terms.product.granted", f"⊆ {sorted(held.rights)}", missing)
    if terms.expiry > held.until:
        raise GateRefused("G1", "terms.expiry", f"≤ {held.until}, the end of the certificate", terms.expiry)
    for i, party in enumerate(terms.parties):
        for connector in party.connectors:
            owner = connector_owner(session, connector, at)
            if owner != party.party and not _is_serving(terms, owner):
                raise BadTerms(f"terms.parties[{i}].connectors", f"a connector of {party.party}", connector)


def _check_activation(session: Session, terms: Terms, at: int) -> None:
    """What was concluded comes into force only on a certificate that is, and that nothing stops (G1, G9)."""
    seller, product = terms.policy.assigner, terms.product
    title = title_of(session, product.certificate, seller, at)
    check_title(title, product.certificate, seller, store.listing(session, product.listing).value.right)


def _is_serving(terms: Terms, owner: str | None) -> bool:
    """A service party may run a connector for a principal (exchange.md §1.1)."""
    serving = (Role.SERVICE, Role.OPERATOR)
    return any(party.party == owner for party in terms.parties if party.role in serving)


def _actor(session: Session, signed: Signed, seller: str, at: int) -> tuple[Actor, str]:
    if len(signed.signatures) != 1:
        raise NotSigned(signed.statement.subject, "one signature", str(len(signed.signatures)))
    by = signed.signatures[0].by
    kind, _, identity = by.partition(":")
    if kind == "party":
        if identity != seller:
            raise NotSigned(signed.statement.subject, f"party:{seller}", by)
        signers.require_signature(session, signed, by, at=at)
        return Actor.SELLER, seller
    signers.require_signature(session, signed, by, REVIEWER, at=at)
    member = registry.staff_at(session, identity, at)
    if not member.active or REVIEWER not in member.roles.split():
        raise NotSigned(signed.statement.subject, f"a member of staff in the role {REVIEWER}", by)
    return Actor.REVIEWER, member.organisation


def _of_kind(signed: Signed, kind: str) -> Statement:
    if signed.statement.kind != kind:
        raise BadTerms("statement.kind", kind, signed.statement.kind)
    return signed.statement


def _replay(session: Session, signed: Signed, at: int) -> Appended | None:
    """The first fact if this act is stored already, None if it is the subject's next; raises `Conflict` or `Stale`."""
    statement = signed.statement
    if (statement.no, statement.prev) == ledger.next_of(session, statement.subject):
        return None
    return ledger.append(session, signed, at=at)


def _take(session: Session, signed: Signed, at: int, parts: Sequence[bytes] = ()) -> Appended:
    taken = ledger.append(session, signed, at=at, parts=parts)
    if not taken.replayed:
        store.project(session, taken.fact)
    return taken
