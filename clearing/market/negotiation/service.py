"""Taking in a message of a negotiation: load, decide by the pure stages, store the fact; what is refused is kept.

FINALISE brings the agreement's act with every required signature, and both facts are stored in one transaction: there
is no agreement of a negotiation that is not FINALIZED, and no FINALIZED negotiation whose consumer signed without its
agreement. With a peer that does not sign FINALISE brings nothing: no access, no charge. Nothing here commits, reads a
clock or waits for a chain. Source: exchange.md §3.3, §4.3, §8.4; decisions D14, D22, D30.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, Clash, ClearingError, UnknownFact
from clearing.market import service as market
from clearing.market import store as market_store
from clearing.market.agreement import (
    Act,
    AgreementAct,
    Domain,
    Signer,
    Terms,
    sorted_signers,
    terms_digest,
    terms_fields,
)
from clearing.market.agreement import State as AgreementState
from clearing.market.broker import service as brokers
from clearing.market.errors import GateRefused
from clearing.market.listing import PriceRegime
from clearing.market.listing_moves import ORDERABLE
from clearing.market.negotiation import store, tables
from clearing.market.negotiation.message import (
    BROKERED,
    RELAY,
    Document,
    Inquiry,
    Message,
    NegotiationMessage,
    Quote,
    Side,
    Wish,
    document_parts,
    id_of,
    message_of,
    message_statement,
    read_document,
    subject_of,
)
from clearing.market.negotiation.moves import (
    DEFAULT,
    Consent,
    Profile,
    State,
    Thread,
    agreed_statement,
    decide,
    open_moves,
    state_at,
)
from clearing.market.proceeds import check_tax
from clearing.market.shelf import store as shelf
from clearing.terms import Tariff
from ledger import canonical
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Signed, Statement
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry.agency import Agency
from registry.asset import Twin
from registry.calendar import Calendar, day_of
from registry.clocks import Due, Running
from registry.errors import RegistryError
from registry.party import party_subject
from registry.worklist import Matter, Step

MESSAGE_NAMES = {
    Message.INQUIRE: ("询价", "inquire"),
    Message.QUOTE: ("报价", "quote a price"),
    Message.BARGAIN: ("还价", "bargain"),
    Message.SELECT: ("选定", "select the quote"),
    Message.ORDER: ("下单", "order"),
    Message.WITHDRAW: ("撤回", "withdraw"),
    Message.REQUEST: ("提出合约条款", "request terms"),
    Message.OFFER: ("发出要约", "offer terms"),
    Message.COUNTER: ("反要约", "counter"),
    Message.ACCEPT: ("接受要约", "accept the offer"),
    Message.AGREEMENT: ("定稿合约", "freeze the agreement"),
    Message.VERIFICATION: ("核验合约", "verify the agreement"),
    Message.FINALISE: ("签署并生效", "sign and finalise"),
    Message.TERMINATE: ("终止协商", "terminate"),
}
STATE_NAMES = {
    State.INQUIRY: "询价", State.QUOTED: "报价", State.COUNTERED: "还价", State.SELECTED: "选定", State.ORDERED: "下单",
    State.LAPSED: "报价失效", State.WITHDRAWN: "撤回", State.REQUESTED: "需方要约", State.OFFERED: "供方要约",
    State.ACCEPTED: "已接受", State.AGREED: "合约定稿", State.VERIFIED: "已核验", State.FINALIZED: "签署完成",
    State.TERMINATED: "已终止",
}  # fmt: skip
ANSWERS = {
    State.INQUIRY: Side.PROVIDER, State.QUOTED: Side.CONSUMER, State.COUNTERED: Side.PROVIDER,
    State.SELECTED: Side.CONSUMER, State.ORDERED: Side.CONSUMER, State.LAPSED: Side.CONSUMER,
    State.REQUESTED: Side.PROVIDER, State.OFFERED: Side.CONSUMER, State.ACCEPTED: Side.PROVIDER,
    State.AGREED: Side.CONSUMER, State.VERIFIED: Side.PROVIDER,
}  # fmt: skip
"""Whose turn it is in each state that is not final."""
_ENDS = frozenset({Message.WITHDRAW, Message.TERMINATE})
_TAKES_UP = frozenset({Message.SELECT, Message.ORDER, Message.ACCEPT})
_REPEATS = frozenset({Message.VERIFICATION, Message.FINALISE})
_NOTHING = Twin("0" * 64, "0" * 64)
_CLOCKED = frozenset({State.INQUIRY, State.QUOTED, State.COUNTERED, State.REQUESTED, State.OFFERED})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A validly signed message that is an error: it made no transition, and `record_refusal` keeps it. `error` is what
    the sender is told; `document` the signed statement."""

    negotiation: str
    by: str
    given: Twin
    error: ClearingError | LedgerError | RegistryError
    document: str
    at: int


def send(
    session: Session,
    signed: Signed,
    parts: Sequence[bytes] = (),
    *,
    domain: Domain,
    operator: str,
    at: int,
    profile: Profile = DEFAULT,
) -> Appended | Refusal:
    """Takes in a negotiation-message/v1 under exactly one signature: of the side that speaks, or, for a message that
    came unsigned, of the operator (USCC `operator`) in the role relay; or a negotiation-brokered/v1 of its broker.

    `parts` are the fields of the proposal; with FINALISE the signed act that concludes the agreement, as canonical
    text, followed by the fields of its terms. A message sent again gets its first fact. Raises `BadTerms`,
    `FieldError`, `NotSigned`, `BadSignature`, `Unknown` for what is no message or nobody on record signed; any other
    error is a `Refusal`.
    """
    body = message_of(signed.statement)
    _require_sender(session, signed, body, operator, at)
    try:
        with session.begin_nested():
            return _take(session, signed, body, parts, domain, at, profile)
    except (ClearingError, LedgerError, RegistryError) as error:
        document = canonical.encode(signed.document()).decode()
        given = Twin.of(signed.statement.digest())
        return Refusal(id_of(signed.statement.subject), signed.signatures[0].by, given, error, document, at)


@dataclass(frozen=True, slots=True)
class Next:
    """What somebody is about to say in a negotiation: the message of a side, what it brings, until when that stands, a
    reason, and for AGREEMENT the last second at which the act may be integrated. Times are seconds UTC."""

    message: Message
    side: Side
    consumer: str
    provider: str
    listing: str
    document: Document | None = None
    valid_until: int | None = None
    reason: str | None = None
    deadline: int = 0


def draft(
    session: Session, identity: str, said: Next, *, domain: Domain, at: int, profile: Profile = DEFAULT
) -> tuple[Statement, tuple[bytes, ...]]:
    """The statement of the next message of negotiation `identity` with its parts, ready to be signed by who speaks.

    AGREEMENT freezes the act with the keys on record of everybody its terms name; of a policy alone there is none.
    Everything `send` would refuse but a missing signature is refused here already. Raises what `send` would answer
    with.
    """
    thread = store.thread(session, identity)
    subject = subject_of(identity)
    body = NegotiationMessage(
        said.message, said.side, said.consumer, said.provider, said.listing,
        digest=_digest_for(said.message, thread), valid_until=said.valid_until, reason=said.reason or None,
    )  # fmt: skip
    if said.message is Message.AGREEMENT and thread is not None:
        body = _freeze(session, thread, body, domain, said.deadline, at)
    statement = message_statement(subject, *ledger.next_of(session, subject), body, said.document)
    parts = document_parts(said.document) if said.document is not None else ()
    _check(session, statement, message_of(statement), parts, domain, at, profile)
    return statement, parts


def record_refusal(session: Session, refusal: Refusal) -> None:
    """Keeps a refused message, once per digest; the route calls this in a transaction that is committed."""
    table = tables.refused
    key = (table.c.negotiation == refusal.negotiation) & (table.c.given_sha256 == refusal.given.sha256)
    if session.execute(select(table.c.at).where(key)).first() is None:
        session.execute(
            insert(table).values(
                negotiation=refusal.negotiation,
                given_sha256=refusal.given.sha256,
                given_sm3=refusal.given.sm3,
                by=refusal.by,
                error=type(refusal.error).__name__,
                at=refusal.at,
                document=refusal.document,
            )
        )


def relay(
    session: Session,
    negotiation: str,
    body: NegotiationMessage,
    document: Document | None,
    *,
    signer: SystemSigner,
    domain: Domain,
    at: int,
) -> Appended | Refusal:
    """States, under the operator's signature, that a peer without signatures sent this message (D30). As `send`."""
    subject = subject_of(negotiation)
    statement = message_statement(subject, *ledger.next_of(session, subject), body, document)
    signed = Signed(statement, (signer.sign(statement, RELAY),))
    parts = document_parts(document) if document is not None else ()
    return send(session, signed, parts, domain=domain, operator=signer.by.removeprefix("party:"), at=at)


def waiting(session: Session, agency: Agency, at: int, calendar: Calendar) -> list[Matter]:
    """Open negotiations for the work list: whose turn it is, and until when the proposal on the table stands."""
    found = []
    for row in store.negotiations(session, states=ANSWERS):
        state = state_at(row.state, row.valid_until, at)
        side = ANSWERS[state]
        turn = row.consumer if side is Side.CONSUMER else row.provider
        due = Due("valid_until", Running.NONE)
        if row.state in _CLOCKED:
            due = Due("valid_until", Running.RUNNING, day_of(row.valid_until).isoformat(), row.valid_until + 1)
        found.append(
            Matter(
                subject=subject_of(row.id),
                title=shelf.listing(session, row.listing).value.name,
                type="negotiation",
                state=state.value,
                state_name=STATE_NAMES[state],
                role=side.value,
                steps=tuple(Step(message, *MESSAGE_NAMES[message]) for message in open_moves(state, side)),
                due=due,
                parties=frozenset({turn}),
                private=True,
            )
        )
    return found


def agreed_act(session: Session, identity: str) -> Statement | None:
    """The act's statement a negotiation agreed on, None before AGREED and where there is none to sign. Raises
    `UnknownFact`."""
    row = store.negotiation(session, identity)
    if not row.agreed:
        return None
    proposal, agreed = store.proposal_of(session, row.proposal)[0], ledger.fact(session, row.agreed)
    if proposal.statement.parts is None:
        raise UnknownFact("proposal", row.proposal)
    body = message_of(agreed.statement)
    return agreed_statement(body, proposal.statement.parts) if body.act is not None else None


# Inside ---------------------------------------------------------------------------------------------------------------


def _require_sender(session: Session, signed: Signed, body: NegotiationMessage, operator: str, at: int) -> None:
    by, role = (party_subject(operator), RELAY) if body.relayed is not None else (body.sender, body.side.value)
    taking.require_one(session, signed, by, role, at=at)


def _take(
    session: Session,
    signed: Signed,
    body: NegotiationMessage,
    parts: Sequence[bytes],
    domain: Domain,
    at: int,
    profile: Profile,
) -> Appended:
    statement = signed.statement
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if body.broker is not None and body.mandate is not None:
        brokers.require(
            session, body.mandate, broker=body.broker, principal=body.party, task=BROKERED[body.message, body.side],
            listing=body.listing, other=body.other, at=at,
        )  # fmt: skip
    concludes = body.message is Message.FINALISE
    _check(session, statement, body, parts, domain, at, profile)
    if concludes:
        _conclude(session, id_of(statement.subject), body, parts, domain, at)
    taken = ledger.append(session, signed, at=at, parts=() if concludes else parts)
    store.PROJECTORS[taken.fact.kind](session, taken.fact)
    return taken


def _check(
    session: Session,
    statement: Statement,
    body: NegotiationMessage,
    parts: Sequence[bytes],
    domain: Domain,
    at: int,
    profile: Profile,
) -> None:
    """Everything but the signatures: the table, the guards of the message, and what register and shelf say now."""
    identity = id_of(statement.subject)
    document = None if body.message is Message.FINALISE else read_document(statement, body, parts)
    thread = store.thread(session, identity)
    decide(thread, statement, body, document, domain=domain, at=at, profile=profile)
    if thread is None and market_store.negotiation_used(session, identity):
        raise Clash(statement.subject, "an id used once", "the negotiation id of an agreement")
    _check_world(session, thread, body, document, at)


def _digest_for(message: Message, thread: Thread | None) -> Twin | None:
    """The digest an answer repeats: of the proposal it takes up, or of the act that was agreed on."""
    if message in _TAKES_UP:
        return thread.digest if thread else _NOTHING
    if message in _REPEATS:
        return (thread.act if thread else None) or _NOTHING
    return None


def _freeze(
    session: Session, thread: Thread, body: NegotiationMessage, domain: Domain, deadline: int, at: int
) -> NegotiationMessage:
    """The message AGREEMENT with the whole act, under an agreement id drawn here."""
    terms = thread.document
    if isinstance(terms, Wish):
        return replace(body, agreement=secrets.token_hex(32), digest=thread.digest)
    if not isinstance(terms, Terms):
        raise BadTerms("proposal", "full terms", thread.content)
    keys = market.signer_keys(session, (party.party for party in terms.parties), at)
    missing = sorted({party.party for party in terms.parties} - keys.keys())
    if missing:
        raise GateRefused("G11", "party", "parties on record", missing)
    signers_ = sorted_signers(tuple(Signer(p.role, p.party, keys[p.party].evm) for p in terms.parties))
    target = AgreementState.PENDING if terms.conditions else AgreementState.EFFECTIVE
    act = AgreementAct(
        Act.CONCLUDE, AgreementState.NONE, target, 1, thread.id, signers_, domain, deadline, terms_digest(terms),
        terms_fields(terms),
    )  # fmt: skip
    made = replace(body, act=act, agreement=secrets.token_hex(32))
    return replace(made, digest=Twin.of(agreed_statement(made, thread.parts).digest()))


def _check_world(
    session: Session, thread: Thread | None, body: NegotiationMessage, document: Document | None, at: int
) -> None:
    """What the register and the shelf say at this moment. Ending a negotiation asks nothing of them."""
    if body.message in _ENDS:
        return
    row = shelf.listing(session, body.listing)
    if row.state not in ORDERABLE:
        raise GateRefused("G10", "listing.state", " | ".join(sorted(ORDERABLE)), row.state)
    if row.value.seller != body.provider:
        raise GateRefused("G10", "listing.seller", row.value.seller, body.provider)
    missing = {body.consumer, body.provider} - set(market.signer_keys(session, (body.consumer, body.provider), at))
    if missing:
        raise GateRefused("G11", "party", "parties on record", sorted(missing))
    if isinstance(document, Inquiry) and document.version != row.value.version:
        raise GateRefused("G10", "inquiry.version", str(row.value.version), document.version)
    if isinstance(document, Quote):
        _check_price(document, row.value.regime, row.value.guide_price, row.value.unit)
        check_tax(row.value.commerce.proceeds, document.tax, "quote.tax")
    if body.message is Message.AGREEMENT and thread is not None:
        if ledger.next_of(session, f"agreement:{body.agreement}")[0]:
            raise Clash(f"agreement:{body.agreement}", "an id not used before", "one that has acts")
        if isinstance(thread.document, Terms) and body.act is not None:
            market.check_gates(session, thread.document, at)
            _check_addresses(session, body.act, at)


def _check_price(quote: Quote, regime: PriceRegime, guide_price: str, unit: str) -> None:
    """The regime check of a quote: the guide price it rests on, and nothing to pay where the product is free."""
    if quote.tariff.unit != unit:
        raise BadTerms("quote.tariff.unit", unit, quote.tariff.unit)
    if regime is PriceRegime.GUIDED and quote.guide_price != guide_price:
        raise BadTerms("quote.guide_price", guide_price, quote.guide_price)
    if regime is PriceRegime.GRATIS and _asks_money(quote.tariff):
        raise BadTerms("quote.tariff", f"0 under {regime}", "a price")


def _asks_money(tariff: Tariff) -> bool:
    return bool(tariff.fixed_fen or tariff.minimum_fen or tariff.rate or any(tier.numerator for tier in tariff.tiers))


def _check_addresses(session: Session, act: AgreementAct, at: int) -> None:
    """The frozen list names the keys on record now, else nobody could sign it."""
    keys = market.signer_keys(session, (signer.party for signer in act.signers), at)
    for signer in act.signers:
        known = keys.get(signer.party)
        if known is None or known.evm != signer.address:
            raise BadTerms("body.act.signers", f"the key on record of party:{signer.party}", signer.address)


def _conclude(
    session: Session, identity: str, body: NegotiationMessage, parts: Sequence[bytes], domain: Domain, at: int
) -> None:
    """Takes in the act that FINALISE brings; it is the one that was agreed on, with every required signature. With a
    peer that does not sign none can be brought."""
    if store.negotiation(session, identity).consent is Consent.RELAYED:
        if parts:
            raise BadTerms("parts", "none: the consumer has signed nothing that concludes a contract", len(parts))
        return
    if not parts:
        raise BadTerms("parts", "the signed act, then the fields of its terms", "none")
    act = Signed.of_document(canonical.decode(parts[0]))
    digest = Twin.of(act.statement.digest())
    if digest != body.digest:
        expected = body.digest.sha256 if body.digest else "—"
        raise BadTerms("parts[0]", f"the act {expected}", digest.sha256)
    market.conclude_negotiated(session, act, parts[1:], domain=domain, at=at)
