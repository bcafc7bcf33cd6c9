"""A negotiation as one of its parties sees it: what was said, what stands, whose turn it is, what this party may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from api.apikey import Forbidden
from api.desk import dealing
from api.desk import store as desk
from api.desk.waiting import Waiting
from api.office import history, spoken, terms_form, words
from api.office.spoken import Block
from api.office.talk_form import Asked
from api.sessions import Visitor
from clearing.market.agreement import Terms
from clearing.market.listing import Listing
from clearing.market.negotiation import store
from clearing.market.negotiation.message import (
    BRINGS,
    Content,
    Document,
    Inquiry,
    Message,
    Quote,
    Side,
    message_of,
    read_document,
    subject_of,
)
from clearing.market.negotiation.moves import Consent, State, open_moves, state_at
from clearing.market.negotiation.service import ANSWERS, MESSAGE_NAMES, STATE_NAMES
from clearing.market.negotiation.store import NegotiationRow, Said
from clearing.market.shelf import store as shelf
from clearing.market.shelf.store import ListingRow
from ledger import canonical
from ledger.errors import Erased
from ledger.reading import body_of
from registry.asset import Twin
from registry.party import party_subject

LEADING_IN = (State.INQUIRY, State.QUOTED, State.COUNTERED, State.SELECTED, State.ORDERED)
CONTRACTING = (State.REQUESTED, State.OFFERED, State.ACCEPTED, State.AGREED, State.VERIFIED, State.FINALIZED)
OPENING = {Message.INQUIRE: Side.CONSUMER, Message.REQUEST: Side.CONSUMER, Message.OFFER: Side.PROVIDER}
"""What begins a negotiation from a product's page, and who may."""


@dataclass(frozen=True, slots=True)
class Move:
    """Something this party may say now; `why` is why it cannot be said yet ("" if it can)."""

    message: Message
    why: str = ""

    @property
    def zh(self) -> str:
        return MESSAGE_NAMES[self.message][0]

    @property
    def en(self) -> str:
        return MESSAGE_NAMES[self.message][1]


@dataclass(frozen=True, slots=True)
class Round:
    """One proposal: the message that made it, and its document (None once erased)."""

    said: Said
    document: Document | None
    digest: Twin | None
    valid_until: int


@dataclass(frozen=True, slots=True)
class Deal:
    """A negotiation for one party. `side` is its own, None for a signer of the act that is neither; `act` waits at the
    desk for signatures."""

    row: NegotiationRow
    state: State
    side: Side | None
    listed: ListingRow
    said: tuple[Said, ...]
    rounds: tuple[Round, ...]
    act: Waiting | None
    names: Mapping[str, str]

    @property
    def listing(self) -> Listing:
        return self.listed.value

    @property
    def turn(self) -> Side | None:
        """Whose turn it is, None where it has ended."""
        return ANSWERS.get(self.state)

    @property
    def steps(self) -> tuple[tuple[str, str, str], ...]:
        """The states it goes through, each with its name and how it stands: past, now or ahead."""
        came = {item.state for item in self.said}
        whole = (*(LEADING_IN if came & set(LEADING_IN) else ()), *CONTRACTING)
        place = whole.index(self.row.state) if self.row.state in whole else len(whole)
        return tuple(
            (state.value, STATE_NAMES[state], "now" if i == place else "past" if state in came else "ahead")
            for i, state in enumerate(whole)
        )


def deal_of(session: Session, visitor: Visitor, identity: str, at: int) -> Deal:
    """The negotiation, for its two sides and the signers of its act. Raises `UnknownFact`, `Forbidden`."""
    row = store.negotiation(session, identity)
    act = dealing.act_at_desk(session, row)
    side = side_of(row, visitor.organisation)
    signing = {slot.by for slot in act.slots} if act else set()
    if side is None and party_subject(visitor.organisation) not in signing:
        raise Forbidden("协商只对双方和签署方公开。 / A negotiation is shown to its two sides and its signers only.")
    said = tuple(store.said(session, identity))
    rounds = tuple(_round(session, item) for item in said if item.message in BRINGS)
    parties = {row.consumer, row.provider} | {slot.by.removeprefix("party:") for slot in (act.slots if act else ())}
    for item in rounds:
        if isinstance(item.document, Terms):
            parties |= {party.party for party in item.document.parties}
            parties |= {holder.party for holder in item.document.settlement.plan.holders}
            if (non_tax := item.document.settlement.non_tax) is not None:
                parties |= {non_tax.authority, non_tax.issuer}
    return Deal(
        row, state_at(row.state, row.valid_until, at), side, shelf.listing(session, row.listing), said, rounds,
        act, names_of(session, parties, at),
    )  # fmt: skip


def side_of(row: NegotiationRow, organisation: str) -> Side | None:
    """Which side of a negotiation an organisation is."""
    return {row.consumer: Side.CONSUMER, row.provider: Side.PROVIDER}.get(organisation)


def moves_of(deal: Deal) -> tuple[Move, ...]:
    """What this party may say now, in the table's order; the signing of the act itself waits at the desk."""
    if deal.side is None:
        return ()
    return tuple(Move(message, _why_not(deal, message)) for message in open_moves(deal.state, deal.side))


def blocks_of(deal: Deal, number: int | None = None) -> tuple[tuple[Block, ...], Round | None]:
    """A round in words (the latest, or that of message `number`), each element beside what it was in the round of the
    same content before."""
    chosen = [item for item in deal.rounds if number is None or item.said.no == number]
    if not chosen or chosen[-1].document is None:
        return (), chosen[-1] if chosen else None
    shown = chosen[-1]
    assert shown.document is not None
    earlier = [
        item.document
        for item in deal.rounds
        if item.said.no < shown.said.no and type(item.document) is type(shown.document)
    ]
    before = body_of(earlier[-1]) if earlier else None
    return spoken.blocks(body_of(shown.document), root_of(shown.document), deal.names, before), shown


def root_of(document: Document) -> str:
    """What a document is called where its fields are named."""
    kinds = {Terms: Content.TERMS, Inquiry: Content.INQUIRY, Quote: Content.QUOTE}
    return kinds.get(type(document), Content.POLICY).value


def asked_of(deal: Deal, message: Message, at: int, drafted: Document | None = None) -> Asked:
    """What the form of a message begins with; `drafted` is what stood in a form before."""
    latest = {type(item.document): item.document for item in deal.rounds}
    quote, inquiry = latest.get(Quote), latest.get(Inquiry)
    base: Document | None = drafted
    if base is None and Content.TERMS in BRINGS.get(message, ()):
        base = latest.get(Terms) or terms_form.begun(
            deal.listing, deal.row.listing, deal.listed.digest, deal.row.consumer, at=at,
            inquiry=inquiry if isinstance(inquiry, Inquiry) else None,
            quote=quote if isinstance(quote, Quote) else None,
        )  # fmt: skip
    elif base is None and Content.QUOTE in BRINGS.get(message, ()):
        base = quote
    if isinstance(base, Terms):
        base = terms_form.fitted(base, deal.listing)
    return Asked(message, deal.listing, base, at)


def drafted(waiting: Waiting, visitor: Visitor) -> Document | None:
    """What a message at the desk brings, to draft it anew; None for what is another's or brings nothing."""
    if waiting.drafted_by != visitor.holder or not waiting.parts:
        return None
    return read_document(waiting.statement, message_of(waiting.statement), waiting.parts)


def names_of(session: Session, parties: set[str], at: int) -> dict[str, str]:
    """What parties are called, by their identity."""
    found = history.names(session, {party_subject(party) for party in parties}, at)
    return {by.removeprefix("party:"): name for by, name in found.items() if name != by}


def waiting_for(session: Session, subjects: list[str]) -> list[Waiting]:
    """What still waits at the desk about these subjects."""
    return desk.about(session, subjects)


def subjects_of(row: NegotiationRow) -> list[str]:
    """The negotiation and, once there is one, its agreement."""
    return [subject_of(row.id), *([f"agreement:{row.agreement}"] if row.agreement else [])]


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was signed and refused: what was tried, by whom, when."""

    at: int
    by: str
    message: str


def refused(session: Session, deal: Deal) -> list[Refused]:
    """The log of refusals both sides see, oldest first."""
    found = []
    for item in store.refusals(session, deal.row.id):
        body: Any = canonical.decode(item.document.encode())["statement"]["body"]
        said = words.VALUES["message"].get(str(body.get("message")), "")
        found.append(Refused(item.at, deal.names.get(item.by.removeprefix("party:"), item.by), said))
    return found


def _round(session: Session, said: Said) -> Round:
    try:
        _, body, document = store.proposal_of(session, said.fact_id)
    except Erased:
        return Round(said, None, None, 0)
    return Round(said, document, body.digest, body.valid_until or 0)


def _why_not(deal: Deal, message: Message) -> str:
    if message is not Message.FINALISE or deal.row.consent is Consent.RELAYED:
        return ""
    if deal.act is None:
        return "合约文书不在签署台，请用接口提交。"
    missing = "、".join(deal.names.get(slot.by.removeprefix("party:"), slot.by) for slot in deal.act.missing)
    return f"等待签署：{missing}。" if missing else ""
