"""Where a negotiation stands and what may follow: one table of (state, message, side), then the guards of each message.

The commercial lead-in (询价 → 报价 → 下单, §3.3) and the states of the Dataspace Protocol (§4.3) are one table: an
order is where full terms begin. ACCEPTED is no contract; the contract is the agreement's act with every signature,
which FINALISE brings with it. Where the consumer's messages came without signatures FINALISE brings nothing: the
protocol's state is reached, and no contract comes into being (D30). Source: exchange.md §3.3, §4.3, traps 14, 15, 16;
the figure of the Dataspace Protocol 2025-1 for termination, its text by `Profile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from clearing.errors import BadTerms, WrongMove
from clearing.market.agreement import (
    AGREEMENT_ACT,
    Act,
    Domain,
    Terms,
    check_terms,
    check_unsigned,
)
from clearing.market.agreement import subject_of as agreement_subject
from clearing.market.errors import Lapsed, NotEntitled
from clearing.market.negotiation.message import (
    BRINGS,
    Content,
    Document,
    Inquiry,
    Message,
    NegotiationMessage,
    Quote,
    Side,
    Wish,
    id_of,
    says_the_same,
)
from clearing.market.policy import check_policy
from clearing.terms import check_tariff
from ledger.facts import PartsRoot, Statement
from ledger.reading import body_of
from registry.asset import Twin


class State(StrEnum):
    """NONE before the first message. LAPSED is never stored: a quote whose time is over reads so at that instant."""

    NONE = "NONE"
    INQUIRY = "INQUIRY"
    QUOTED = "QUOTED"
    COUNTERED = "COUNTERED"
    SELECTED = "SELECTED"
    ORDERED = "ORDERED"
    LAPSED = "LAPSED"
    WITHDRAWN = "WITHDRAWN"
    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    TERMINATED = "TERMINATED"


FINAL = frozenset({State.FINALIZED, State.TERMINATED, State.WITHDRAWN})
LEAD_IN = frozenset({State.INQUIRY, State.QUOTED, State.COUNTERED, State.SELECTED, State.ORDERED, State.LAPSED})
TALKING = frozenset(
    {State.REQUESTED, State.OFFERED, State.ACCEPTED, State.AGREED, State.VERIFIED}
)  # fmt: skip
_C, _P = Side.CONSUMER, Side.PROVIDER

MOVES: Mapping[tuple[State, Message, Side], State] = {
    (State.NONE, Message.INQUIRE, _C): State.INQUIRY,
    (State.INQUIRY, Message.QUOTE, _P): State.QUOTED,
    (State.QUOTED, Message.BARGAIN, _C): State.COUNTERED,
    (State.COUNTERED, Message.QUOTE, _P): State.QUOTED,
    (State.QUOTED, Message.SELECT, _C): State.SELECTED,
    (State.SELECTED, Message.ORDER, _C): State.ORDERED,
    **{(state, Message.WITHDRAW, side): State.WITHDRAWN for state in LEAD_IN for side in Side},
    **{(state, Message.REQUEST, _C): State.REQUESTED for state in (State.NONE, State.ORDERED)},
    **{(state, Message.OFFER, _P): State.OFFERED for state in (State.NONE, State.ORDERED)},
    (State.REQUESTED, Message.COUNTER, _P): State.OFFERED,
    (State.OFFERED, Message.COUNTER, _C): State.REQUESTED,
    (State.OFFERED, Message.ACCEPT, _C): State.ACCEPTED,
    (State.REQUESTED, Message.AGREEMENT, _P): State.AGREED,
    (State.ACCEPTED, Message.AGREEMENT, _P): State.AGREED,
    (State.AGREED, Message.VERIFICATION, _C): State.VERIFIED,
    (State.VERIFIED, Message.FINALISE, _P): State.FINALIZED,
}
"""Every move but termination, which `Profile` decides."""


class Termination(StrEnum):
    """The standard's figure names who may terminate in which state; its text says any state, either side."""

    FIGURE = "figure"
    TEXT = "text"


TERMINATES: Mapping[Termination, frozenset[tuple[State, Side]]] = {
    Termination.FIGURE: frozenset(
        {(state, side) for state in (State.REQUESTED, State.OFFERED) for side in Side}
        | {(State.ACCEPTED, _P), (State.VERIFIED, _P), (State.AGREED, _C)}
    ),
    Termination.TEXT: frozenset((state, side) for state in TALKING for side in Side),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What a space may set: who may terminate, and how many proposals one negotiation holds in all."""

    termination: Termination = Termination.FIGURE
    rounds: int = 20


DEFAULT = Profile()
_COUNTED = frozenset({Message.QUOTE, Message.BARGAIN, Message.COUNTER})
"""Messages the round limit refuses; the first proposal of each stage is always possible."""
_TAKES_UP = frozenset({Message.SELECT, Message.ORDER, Message.ACCEPT})
_REPEATS = frozenset({Message.VERIFICATION, Message.FINALISE})


class Consent(StrEnum):
    """Did the consumer sign what it said so far? A relayed message makes it RELAYED for good: no contract (D30)."""

    SILENT = "silent"
    SIGNED = "signed"
    RELAYED = "relayed"


@dataclass(frozen=True, slots=True)
class Thread:
    """A negotiation as it stands: who talks about which listing, and the latest proposal.

    `rounds` counts proposals, `digest`, `document`, `parts` and `valid_until` are the latest one's, `quote` the last
    price the provider quoted, `act` the twin digest of the act, or of the policy alone, that was agreed on.
    """

    id: str
    state: State
    consumer: str
    provider: str
    listing: str
    rounds: int
    content: Content
    digest: Twin
    document: Document
    parts: PartsRoot
    valid_until: int
    consent: Consent
    quote: Quote | None = None
    act: Twin | None = None


def state_at(state: State, valid_until: int, at: int) -> State:
    """The state as it reads at `at`: a quote lapses by itself after its last second."""
    return State.LAPSED if state is State.QUOTED and at > valid_until else state


def after(state: State, message: Message, side: Side, profile: Profile = DEFAULT) -> State | None:
    """The state a message leads to, None if the table has no such edge."""
    if message is Message.TERMINATE:
        return State.TERMINATED if (state, side) in TERMINATES[profile.termination] else None
    return MOVES.get((state, message, side))


def open_moves(state: State, side: Side, profile: Profile = DEFAULT) -> tuple[Message, ...]:
    """What this side may say in this state."""
    return tuple(message for message in Message if after(state, message, side, profile) is not None)


def decide(
    thread: Thread | None,
    statement: Statement,
    body: NegotiationMessage,
    document: Document | None,
    *,
    domain: Domain,
    at: int,
    profile: Profile = DEFAULT,
) -> State:
    """The state this message leads to, by everything that needs no registry. Signatures are checked before.

    Raises `WrongMove` for a message the state does not allow, `NotEntitled` for another party or side, `Lapsed` for a
    proposal whose time is over, `BadTerms` for content that does not fit what was said before.
    """
    _check_parties(thread, body)
    state = state_at(thread.state, thread.valid_until, at) if thread else State.NONE
    target = after(state, body.message, body.side, profile)
    if target is None:
        allowed = ", ".join(open_moves(state, body.side, profile)) or "—"
        raise WrongMove(statement.subject, f"{state}, {body.side}: {allowed}", f"{body.message} of {body.side}")
    _require(body.pid is None or thread is None, "body.pid", "named when it begins", body.pid)
    if body.message in BRINGS:
        _check_proposal(thread, body, document, at, profile)
    elif thread is not None:
        _check_answer(thread, statement, body, domain, at)
    return target


def consent_after(before: Consent, body: NegotiationMessage) -> Consent:
    """What the consumer's part in the negotiation amounts to after this message."""
    if body.relayed is not None:
        return Consent.RELAYED
    return Consent.SIGNED if body.side is Side.CONSUMER and before is Consent.SILENT else before


def agreed_statement(body: NegotiationMessage, parts: PartsRoot) -> Statement:
    """The statement of the act an agreement message freezes: what every party signs. Raises `BadTerms`."""
    if body.act is None or body.agreement is None:
        raise BadTerms("body.act", "the act that concludes the agreement", None)
    return Statement(AGREEMENT_ACT, agreement_subject(body.agreement), 0, None, body_of(body.act), parts)


def _check_parties(thread: Thread | None, body: NegotiationMessage) -> None:
    if thread is None:
        return
    stands = (thread.consumer, thread.provider)
    if (body.consumer, body.provider) != stands:
        raise NotEntitled(body.message, " → ".join(stands), f"{body.consumer} → {body.provider}")
    _require(body.listing == thread.listing, "body.listing", thread.listing, body.listing)
    if body.relayed is not None and thread.consent is Consent.SIGNED:
        # Else the operator could speak for a party that has a key and uses it (I7).
        raise NotEntitled(body.message, f"a message signed by {body.sender}", "one that was only relayed")


def _check_proposal(
    thread: Thread | None, body: NegotiationMessage, document: Document | None, at: int, profile: Profile
) -> None:
    if body.valid_until is not None and at > body.valid_until:
        raise Lapsed("body.valid_until", body.valid_until, at)
    if thread is not None and body.message in _COUNTED and thread.rounds >= profile.rounds:
        raise BadTerms("rounds", f"at most {profile.rounds} proposals", thread.rounds + 1)
    if thread is not None and body.message in (Message.COUNTER, Message.BARGAIN):
        differs = not says_the_same(document, thread.document)
        _require(differs, "body.digest", "another proposal than the one it answers", "the same content")
    if isinstance(document, Terms):
        _check_full(thread, body, document)
    elif isinstance(document, Wish):
        check_policy(document.policy)
        named = (document.policy.assignee, document.policy.assigner, document.policy.target)
        _require(named == (body.consumer, body.provider, body.listing), "policy", "the parties and the listing", named)
    elif isinstance(document, Quote):
        check_tariff(document.tariff)
    elif isinstance(document, Inquiry):
        _require(document.effective < document.expiry, "inquiry.expiry", f"> {document.effective}", document.expiry)


def _check_full(thread: Thread | None, body: NegotiationMessage, terms: Terms) -> None:
    check_terms(terms)
    policy = terms.policy
    _require(policy.assignee == body.consumer, "terms.policy.assignee", body.consumer, policy.assignee)
    _require(policy.assigner == body.provider, "terms.policy.assigner", body.provider, policy.assigner)
    _require(terms.product.listing == body.listing, "terms.product.listing", body.listing, terms.product.listing)
    quote = thread.quote if thread else None
    if quote is not None and quote.binding:
        price = (terms.settlement.tariff, terms.settlement.tax)
        _require(price == (quote.tariff, quote.tax), "terms.settlement", "the price that was ordered", "another")


def _check_answer(thread: Thread, statement: Statement, body: NegotiationMessage, domain: Domain, at: int) -> None:
    if body.message in _TAKES_UP:
        _require(body.digest == thread.digest, "body.digest", thread.digest.sha256, _short(body.digest))
        if body.message is not Message.ORDER:  # what was selected in time may be ordered later
            _check_open(thread, at)
    elif body.message in _REPEATS:
        expected = thread.act.sha256 if thread.act else "—"
        _require(body.digest is not None and body.digest == thread.act, "body.digest", expected, _short(body.digest))
        if body.message is Message.FINALISE and thread.consent is Consent.SILENT:
            raise NotEntitled(body.message, f"every message of party:{thread.consumer} signed", thread.consent)
    elif body.message is Message.AGREEMENT:
        _check_frozen(thread, statement, body, domain, at)


def _check_open(thread: Thread, at: int) -> None:
    if at > thread.valid_until:
        raise Lapsed("valid_until", thread.valid_until, at)


def _check_frozen(thread: Thread, statement: Statement, body: NegotiationMessage, domain: Domain, at: int) -> None:
    """The whole agreement: its act brings exactly the latest proposal, under this negotiation's id. Of a policy alone
    there is no act to bring."""
    terms = thread.document
    if thread.state is State.REQUESTED:  # from ACCEPTED the offer was taken up in time
        _check_open(thread, at)
    if isinstance(terms, Wish):
        _require(body.act is None, "body.act", "none: a policy alone is no contract", "one")
        _require(body.digest == thread.digest, "body.digest", thread.digest.sha256, _short(body.digest))
        return
    if not isinstance(terms, Terms) or body.act is None:
        raise BadTerms("proposal", "full terms to agree on", thread.content)
    frozen = agreed_statement(body, thread.parts)
    _require(body.act.act is Act.CONCLUDE, "body.act.act", Act.CONCLUDE, body.act.act)
    identity = id_of(statement.subject)
    given = body.act.negotiation_id
    _require(given == identity, "body.act.negotiation_id", identity, given)
    brought = body.act.terms_digest
    _require(brought == thread.digest, "body.act.terms_digest", thread.digest.sha256, brought.sha256)
    check_unsigned(frozen, terms, None, domain, at)
    digest = Twin.of(frozen.digest())
    _require(body.digest == digest, "body.digest", digest.sha256, _short(body.digest))


def _short(digest: Twin | None) -> str:
    return digest.sha256 if digest else "—"


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
