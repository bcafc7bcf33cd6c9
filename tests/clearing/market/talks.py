"""Messages of a negotiation for tests: made to fit a thread, so that a test can spoil exactly one thing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from functools import cache

from clearing.market.agreement import (
    Act,
    AgreementAct,
    Domain,
    Role,
    Signer,
    Terms,
    sorted_signers,
    subject_of,
    terms_digest,
    terms_fields,
    terms_parts,
)
from clearing.market.agreement import State as AgreementState
from clearing.market.negotiation import service, store
from clearing.market.negotiation.message import (
    Content,
    Document,
    Inquiry,
    Message,
    NegotiationMessage,
    Quote,
    Side,
    Wish,
    document_digest,
    document_parts,
    id_of,
    message_statement,
)
from clearing.market.negotiation.message import subject_of as talk_subject
from clearing.market.negotiation.moves import DEFAULT, Consent, Profile, State, Thread, agreed_statement
from clearing.terms import Tariff, TariffKind, Tax, TaxBasis, Tier
from ledger import canonical, signing
from ledger import store as ledger
from ledger.facts import PartsRoot, Signed, Statement
from ledger.store import Appended
from registry.asset import Twin
from tests.clearing.market.house import CONSUMER, DAY, DOMAIN, NOW, OPERATOR, PROVIDER, SELLER, House, terms_of

LISTING = "a" * 32
UNTIL = NOW + 7 * DAY
C, P = Side.CONSUMER, Side.PROVIDER
PATHS: dict[State, tuple[tuple[Message, Side], ...]] = {
    State.INQUIRY: ((Message.INQUIRE, C),),
    State.QUOTED: ((Message.INQUIRE, C), (Message.QUOTE, P)),
    State.COUNTERED: ((Message.INQUIRE, C), (Message.QUOTE, P), (Message.BARGAIN, C)),
    State.SELECTED: ((Message.INQUIRE, C), (Message.QUOTE, P), (Message.SELECT, C)),
    State.ORDERED: ((Message.INQUIRE, C), (Message.QUOTE, P), (Message.SELECT, C), (Message.ORDER, C)),
    State.WITHDRAWN: ((Message.INQUIRE, C), (Message.WITHDRAW, P)),
    State.REQUESTED: ((Message.REQUEST, C),),
    State.OFFERED: ((Message.OFFER, P),),
    State.ACCEPTED: ((Message.OFFER, P), (Message.ACCEPT, C)),
    State.AGREED: ((Message.REQUEST, C), (Message.AGREEMENT, P)),
    State.VERIFIED: ((Message.REQUEST, C), (Message.AGREEMENT, P), (Message.VERIFICATION, C)),
    State.FINALIZED: (
        (Message.REQUEST, C), (Message.AGREEMENT, P), (Message.VERIFICATION, C), (Message.FINALISE, P),
    ),
    State.TERMINATED: ((Message.REQUEST, C), (Message.TERMINATE, P)),
}  # fmt: skip
"""A way to each state that is stored."""


def salt() -> str:
    return secrets.token_hex(32)


def inquiry(version: int = 1) -> Inquiry:
    return Inquiry(version, "全部字段", "M1", 1_000, NOW, NOW + 300 * DAY, salt())


def quote(fen: int = 35, **changes: object) -> Quote:
    """The tariff of the house's terms at 35 fen per 10 calls, or another price."""
    tariff = Tariff(TariffKind.PER_UNIT, "call", tiers=(Tier(0, fen, 10),))
    return replace(Quote(tariff, Tax(TaxBasis.INCLUSIVE, 600), salt()), **changes)


def priced(terms: Terms, fen: int) -> Terms:
    """The same terms at another price, with a salt of their own."""
    tariff = replace(terms.settlement.tariff, tiers=(Tier(0, fen, 10),))
    return replace(terms, settlement=replace(terms.settlement, tariff=tariff), salt=salt())


@cache
def signers() -> tuple[Signer, ...]:
    roles = ((Role.PROVIDER, PROVIDER, "0x" + "11" * 20), (Role.CONSUMER, CONSUMER, "0x" + "22" * 20),
             (Role.OPERATOR, SELLER, "0x" + "33" * 20))  # fmt: skip
    return sorted_signers(tuple(Signer(*role) for role in roles))


def concluding(terms: Terms, negotiation: str, by: tuple[Signer, ...], **changes: object) -> AgreementAct:
    """The act that brings these terms, for the house's chain and contract."""
    pending = bool(terms.conditions)
    act = AgreementAct(
        act=Act.CONCLUDE,
        from_state=AgreementState.NONE,
        to_state=AgreementState.PENDING if pending else AgreementState.EFFECTIVE,
        revision=1,
        negotiation_id=negotiation,
        signers=by,
        domain=DOMAIN,
        deadline=NOW + 365 * DAY,
        terms_digest=terms_digest(terms),
        fields=terms_fields(terms),
    )
    return replace(act, **changes)


def body_of_message(
    message: Message,
    side: Side,
    thread: Thread | None,
    *,
    negotiation: str,
    listing: str = LISTING,
    by: tuple[Signer, ...] | None = None,
    domain: Domain = DOMAIN,
    **changes: object,
) -> NegotiationMessage:
    """The message as it would have to be said to this thread; nonsense where the thread has nothing to answer."""
    blank = Twin("0" * 64, "0" * 64)
    values: dict[str, object] = {}
    if message in (Message.SELECT, Message.ORDER, Message.ACCEPT):
        values["digest"] = thread.digest if thread else blank
    elif message in (Message.VERIFICATION, Message.FINALISE):
        values["digest"] = thread.act if thread and thread.act else blank
    elif message is Message.AGREEMENT and thread is not None and isinstance(thread.document, Wish):
        values |= {"agreement": secrets.token_hex(32), "digest": thread.digest}
    elif message is Message.AGREEMENT:
        terms = thread.document if thread and isinstance(thread.document, Terms) else terms_of(listing, blank)
        act = concluding(terms, negotiation, by or signers(), domain=domain)
        values |= {"act": act, "agreement": secrets.token_hex(32), "digest": blank}
    elif message not in (Message.WITHDRAW, Message.TERMINATE):
        values["valid_until"] = UNTIL
    about: dict[str, object] = {"consumer": CONSUMER, "provider": SELLER, "listing": listing}
    made = NegotiationMessage(message, side, **about | values | changes)  # type: ignore[arg-type]
    if made.act is not None and "digest" not in changes:
        root = thread.parts if thread else PartsRoot.over((b"{}",))
        made = replace(made, digest=Twin.of(agreed_statement(made, root).digest()))
    return made


def document_for(message: Message, listing: str = LISTING, digest: Twin | None = None) -> Document | None:
    """A proposal of the sort the message brings, other than any before."""
    if message is Message.INQUIRE:
        return inquiry()
    if message in (Message.QUOTE, Message.BARGAIN):
        return quote(1 + secrets.randbelow(10**6))
    if message in (Message.REQUEST, Message.OFFER, Message.COUNTER):
        return priced(terms_of(listing, digest or Twin("0" * 64, "0" * 64)), 1 + secrets.randbelow(10**6))
    return None


def thread_in(state: State, negotiation: str = "b" * 64, **changes: object) -> Thread | None:
    """A signed negotiation that stands in `state`, as `store.thread` would answer; None for NONE."""
    if state is State.NONE:
        return None
    if state is State.INQUIRY:
        document: Document = inquiry()
    elif state in (State.QUOTED, State.COUNTERED, State.SELECTED, State.ORDERED, State.LAPSED):
        document = quote()
    else:
        document = terms_of(LISTING, Twin("0" * 64, "0" * 64))
    content = {Inquiry: Content.INQUIRY, Quote: Content.QUOTE, Terms: Content.TERMS}[type(document)]
    lapsed = state is State.LAPSED
    agreed = state in (State.AGREED, State.VERIFIED, State.FINALIZED)
    thread = Thread(
        id=negotiation,
        state=State.QUOTED if lapsed else state,
        consumer=CONSUMER,
        provider=SELLER,
        listing=LISTING,
        rounds=1,
        content=content,
        digest=document_digest(document),
        document=document,
        parts=PartsRoot.over(document_parts(document)),
        valid_until=NOW - 1 if lapsed else UNTIL,
        consent=Consent.SIGNED,
        quote=document if isinstance(document, Quote) else None,
        act=Twin(salt(), salt()) if agreed else None,
    )
    return replace(thread, **changes)


@dataclass
class Talk:
    """A negotiation in the house: each message made to fit what stands, signed by the side that speaks."""

    house: House
    listing: str
    id: str = field(default_factory=lambda: secrets.token_hex(32))
    sent: list[tuple[Signed, tuple[bytes, ...]]] = field(default_factory=list)
    profile: Profile = DEFAULT
    operator: str = OPERATOR

    @property
    def state(self) -> State:
        return store.negotiation(self.house.session, self.id).state

    def make(
        self, message: Message, side: Side, document: Document | None = None, **changes: object
    ) -> tuple[Signed, tuple[bytes, ...]]:
        """The next message and its parts, signed but not sent."""
        subject = talk_subject(self.id)
        digest = self.house.terms(self.listing).product.digest
        body = body_of_message(
            message, side, store.thread(self.house.session, self.id), negotiation=self.id, listing=self.listing,
            by=self.house.signers(), domain=self.house.domain, **changes,
        )  # fmt: skip
        document = document or document_for(message, self.listing, digest)
        statement = message_statement(subject, *ledger.next_of(self.house.session, subject), body, document)
        parts = document_parts(document) if document is not None else ()
        if message is Message.FINALISE:
            parts = self.conclusion()
        return self.sign(statement, side), parts

    def sign(self, statement: Statement, side: Side) -> Signed:
        party = CONSUMER if side is C else SELLER
        key = self.house.keys[party].sm2
        return Signed(statement, (signing.sign_sm2(key, statement, by=f"party:{party}", role=side.value),))

    def conclusion(self, leave_out: int | None = None) -> tuple[bytes, ...]:
        """The agreed act under every signature (or all but one), as text, then the fields of its terms."""
        statement = service.agreed_act(self.house.session, self.id)
        unsigned = store.thread(self.house.session, self.id)
        if statement is None or (unsigned is not None and unsigned.consent is Consent.RELAYED):
            return ()
        signed = self.house.sign(statement)
        signatures = tuple(s for i, s in enumerate(signed.signatures) if i != leave_out)
        row = store.negotiation(self.house.session, self.id)
        terms = store.proposal_of(self.house.session, row.proposal)[2]
        assert isinstance(terms, Terms)
        return (canonical.encode(Signed(statement, signatures).document()), *terms_parts(terms))

    def put(self, signed: Signed, parts: tuple[bytes, ...] = (), at: int = NOW) -> Appended | service.Refusal:
        return service.send(
            self.house.session,
            signed,
            parts,
            domain=self.house.domain,
            operator=self.operator,
            at=at,
            profile=self.profile,
        )

    def say(
        self, message: Message, side: Side, document: Document | None = None, at: int = NOW, **changes: object
    ) -> Appended:
        """Sends the next message, which must be taken in."""
        signed, parts = self.make(message, side, document, **changes)
        taken = self.put(signed, parts, at)
        assert isinstance(taken, Appended), taken.error
        self.sent.append((signed, parts))
        return taken

    def refused(
        self, message: Message, side: Side, document: Document | None = None, at: int = NOW, **changes: object
    ) -> Exception:
        """Sends the next message, which must be refused, and answers with what the sender is told."""
        signed, parts = self.make(message, side, document, **changes)
        taken = self.put(signed, parts, at)
        assert isinstance(taken, service.Refusal)
        assert id_of(signed.statement.subject) == taken.negotiation
        return taken.error

    def to(self, state: State) -> Talk:
        """Walks to a state from the beginning."""
        for message, side in PATHS[state]:
            self.say(message, side)
        return self

    @property
    def agreement(self) -> str:
        return store.negotiation(self.house.session, self.id).agreement

    @property
    def agreement_subject(self) -> str:
        return subject_of(self.agreement)
