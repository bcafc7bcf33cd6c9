"""Queries about agreements and the projectors that fold its facts into rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import RowMapping, Table, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market import agreement as agreements_
from clearing.market import tables
from clearing.market.agreement import (
    AGREEMENT_ACT,
    Before,
    Domain,
    Role,
    Signer,
    State,
    Terms,
    act_of,
    id_of,
    read_terms,
)
from clearing.market.policy import Standing
from ledger import canonical
from ledger.digest import TwinDigest
from ledger.facts import EIP712, Fact, Signature
from ledger.reading import body_of, read
from ledger.store import parts_of
from registry.asset import Twin

VIEWS: tuple[Table, ...] = (
    tables.agreement,
    tables.agreement_act,
    tables.agreement_terms,
    tables.agreement_signer,
    tables.nonce,
)


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """An agreement as it stands now; times are seconds UTC, parties are USCCs."""

    id: str
    state: State
    revision: int
    since: int
    consumer: str
    seller: str
    listing: str
    certificate: str
    effective: int
    expiry: int


def project(session: Session, fact: Fact) -> None:
    """Folds one fact into the views; facts of other kinds are passed over."""
    projector = PROJECTORS.get(fact.kind)
    if projector is not None:
        projector(session, fact)


def agreement(session: Session, identity: str) -> AgreementRow:
    """The agreement with this 64-hex id. Raises `UnknownFact`."""
    row = session.execute(select(tables.agreement).where(tables.agreement.c.id == identity)).mappings().first()
    if row is None:
        raise UnknownFact("agreement", identity)
    return _agreement_row(row)


def agreements(
    session: Session, *, party: str = "", state: State | None = None, listing: str = ""
) -> list[AgreementRow]:
    """Agreements by party (any role), state or listing, in the order of their ids."""
    table = tables.agreement
    query = select(table).order_by(table.c.id)
    if party:
        signed = select(tables.agreement_signer.c.agreement).where(tables.agreement_signer.c.party == party)
        query = query.where(or_(table.c.consumer == party, table.c.id.in_(signed)))
    if state is not None:
        query = query.where(table.c.state == state.value)
    if listing:
        query = query.where(table.c.listing == listing)
    return [_agreement_row(row) for row in session.execute(query).mappings()]


def agreements_in_force(session: Session, at: int) -> list[AgreementRow]:
    """Agreements that are EFFECTIVE now and whose term contains `at`."""
    rows = agreements(session, state=State.EFFECTIVE)
    return [row for row in rows if row.effective <= at < row.expiry]


def running_on(session: Session, listing: str, at: int) -> list[AgreementRow]:
    """Agreements that rest on a listing and have not ended by `at`: concluded, effective or suspended."""
    table = tables.agreement
    running = [State.PENDING.value, State.EFFECTIVE.value, State.SUSPENDED.value]
    query = select(table).where(table.c.listing == listing, table.c.state.in_(running), table.c.expiry > at)
    return [_agreement_row(row) for row in session.execute(query.order_by(table.c.id)).mappings()]


def signers_of(session: Session, identity: str) -> frozenset[str]:
    """The USCCs of everybody who signs for an agreement."""
    table = tables.agreement_signer
    return frozenset(session.execute(select(table.c.party).where(table.c.agreement == identity)).scalars())


# Made once: every batch of usage asks both, and building a statement costs more than running it.
_TERMS_OF = select(tables.agreement_terms.c.document).where(
    tables.agreement_terms.c.agreement == bindparam("identity"),
    tables.agreement_terms.c.revision == bindparam("number"),
)
_HISTORY_OF = (
    select(tables.agreement_act.c.at, tables.agreement_act.c.revision, tables.agreement_act.c.state)
    .where(tables.agreement_act.c.agreement == bindparam("identity"))
    .order_by(tables.agreement_act.c.no)
)


def newest_act(session: Session) -> tuple[int, int]:
    """When the newest act of all agreements was taken in (seconds UTC), and how many were in that second."""
    at = tables.agreement_act.c.at
    newest = session.execute(select(func.max(at))).scalar()
    if newest is None:
        return 0, 0
    return newest, session.execute(select(func.count()).where(at == newest)).scalar_one()


def acts_from(session: Session, known: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """(agreement, number, fact id) of every act of these agreements from the number given on, in their order."""
    table = tables.agreement_act
    rows = session.execute(
        select(table.c.agreement, table.c.no, table.c.fact_id)
        .where(table.c.agreement.in_(sorted(known)))
        .order_by(table.c.agreement, table.c.no)
    )
    return [(row.agreement, row.no, row.fact_id) for row in rows if row.no >= known[row.agreement]]


def terms_of(session: Session, identity: str, revision: int) -> Terms:
    """The terms of one revision. Raises `UnknownFact`."""
    document = session.execute(_TERMS_OF, {"identity": identity, "number": revision}).scalar()
    if document is None:
        raise UnknownFact("agreement revision", f"{identity}/{revision}")
    return _terms(document)


@lru_cache(maxsize=256)
def _terms(document: str) -> Terms:
    """Terms are frozen, and the same text is the same terms; every batch of usage asks for them."""
    return read(Terms, canonical.decode(document.encode()), "terms")


def with_guarantee(session: Session) -> list[str]:
    """The agreements of which some revision has a plan with a guarantee; maybe others whose words say so."""
    table = tables.agreement_terms
    query = select(table.c.agreement).where(table.c.document.contains('"kind":"guarantee"', autoescape=True))
    return list(session.execute(query.distinct().order_by(table.c.agreement)).scalars())


def history(session: Session, identity: str) -> list[tuple[int, int, State]]:
    """(at, revision, state) after each act of an agreement, in order; empty for an unknown one."""
    rows = session.execute(_HISTORY_OF, {"identity": identity})
    return [(row.at, row.revision, State(row.state)) for row in rows]


def revision_at(acts: list[tuple[int, int, State]], at: int) -> tuple[int, State]:
    """Revision and state that held at `at`; (0, NONE) before the agreement was concluded.

    An act takes effect when it is taken in, never earlier, so use before an amendment is rated by the old revision.
    """
    return next(((revision, state) for since, revision, state in reversed(acts) if since <= at), (0, State.NONE))


def terms_at(session: Session, identity: str, at: int) -> tuple[int, Terms, Standing]:
    """Revision, terms and standing for a use at `at`. Raises `UnknownFact` if nothing was concluded by then."""
    revision, state = revision_at(history(session, identity), at)
    terms = terms_of(session, identity, revision)
    return revision, terms, agreements_.standing(state, terms.effective, terms.expiry, at)


def revisions(session: Session, identity: str, before: int | None = None) -> list[tuple[int, int, int | None]]:
    """(revision, since, until) of an agreement's revisions: from the act that made it effective to the act that
    replaced it or ended the agreement, None while it runs. Suspensions do not end a revision. `before` leaves out the
    acts from that second on."""
    found: list[tuple[int, int, int | None]] = []
    for at, revision, state in history(session, identity):
        if before is not None and at >= before:
            break
        running = state in (State.EFFECTIVE, State.SUSPENDED)
        if found and found[-1][2] is None and (not running or found[-1][0] != revision):
            found[-1] = (*found[-1][:2], at)
        if running and (not found or found[-1][0] != revision):
            found.append((revision, at, None))
    return found


def before_of(session: Session, identity: str) -> Before | None:
    """What the next act of the agreement meets; None before it is concluded."""
    table = tables.agreement
    row = session.execute(select(table).where(table.c.id == identity)).mappings().first()
    if row is None:
        return None
    digest = session.execute(
        select(tables.agreement_terms.c.sha256, tables.agreement_terms.c.sm3).where(
            tables.agreement_terms.c.agreement == identity, tables.agreement_terms.c.revision == row["revision"]
        )
    ).one()
    signer = tables.agreement_signer
    signers = session.execute(select(signer).where(signer.c.agreement == identity).order_by(signer.c.position)).all()
    return Before(
        state=State(row["state"]),
        revision=row["revision"],
        signers=tuple(Signer(Role(s.role), s.party, s.address) for s in signers),
        domain=Domain(signers[0].chain_id, signers[0].contract),
        terms_digest=Twin(digest.sha256, digest.sm3),
        expiry=row["expiry"],
    )


def spent_nonces(session: Session, signatures: tuple[Signature, ...]) -> list[Signature]:
    """Those EIP-712 signatures whose address has used the nonce before, or that spend one nonce twice among them."""
    table, seen, spent = tables.nonce, set(), []
    for signature in signatures:
        if signature.alg != EIP712:
            continue
        key = (signature.key.lower(), signature.nonce)
        found = session.execute(select(table.c.no).where(table.c.address == key[0], table.c.nonce == key[1])).first()
        if found is not None or key in seen:
            spent.append(signature)
        seen.add(key)
    return spent


def negotiation_used(session: Session, negotiation: str) -> bool:
    """Did some revision of an agreement come from the negotiation with this id?"""
    table = tables.agreement_terms
    return session.execute(select(table.c.revision).where(table.c.negotiation == negotiation)).first() is not None


def _project_act(session: Session, fact: Fact) -> None:
    act, identity = act_of(fact.statement), id_of(fact.subject)
    digest: TwinDigest = fact.statement.digest()
    values = {
        "state": act.to_state.value,
        "revision": act.revision,
        "since": fact.at,
        "last_act_sha256": digest.sha256.hex(),
    }
    terms = read_terms(fact.statement, act, parts_of(session, fact.id))
    if terms is not None:
        values |= _terms_columns(terms)
        session.execute(
            insert(tables.agreement_terms).values(
                agreement=identity,
                revision=act.revision,
                fact_id=fact.id,
                at=fact.at,
                negotiation=act.negotiation_id,
                sha256=act.terms_digest.sha256,
                sm3=act.terms_digest.sm3,
                document=canonical.encode(body_of(terms)).decode(),
            )
        )
    if act.from_state is State.NONE:
        session.execute(insert(tables.agreement).values(id=identity, **values))
        rows = [
            {
                "agreement": identity,
                "position": position,
                "role": signer.role.value,
                "party": signer.party,
                "address": signer.address,
                "chain_id": act.domain.chain_id,
                "contract": act.domain.contract,
            }
            for position, signer in enumerate(act.signers)
        ]
        session.execute(insert(tables.agreement_signer), rows)
    else:
        session.execute(update(tables.agreement).where(tables.agreement.c.id == identity).values(**values))
    session.execute(
        insert(tables.agreement_act).values(
            agreement=identity,
            no=fact.statement.no,
            fact_id=fact.id,
            act=act.act.value,
            state=act.to_state.value,
            revision=act.revision,
            at=fact.at,
        )
    )
    nonces = [
        {"address": s.key.lower(), "nonce": s.nonce, "agreement": identity, "no": fact.statement.no}
        for s in fact.signatures
        if s.alg == EIP712
    ]
    session.execute(insert(tables.nonce), nonces)


def _terms_columns(terms: Terms) -> dict[str, str | int]:
    return {
        "consumer": terms.policy.assignee,
        "seller": terms.policy.assigner,
        "listing": terms.product.listing,
        "certificate": terms.product.certificate,
        "effective": terms.effective,
        "expiry": terms.expiry,
    }


def _agreement_row(row: RowMapping) -> AgreementRow:
    fields = {name: row[name] for name in AgreementRow.__slots__}
    return AgreementRow(**fields | {"state": State(row["state"])})


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    AGREEMENT_ACT: _project_act,
}
