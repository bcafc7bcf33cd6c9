"""Queries about negotiations and the projector that folds their messages into rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import RowMapping, Table, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market.broker import tables as broker
from clearing.market.negotiation import tables
from clearing.market.negotiation.message import (
    BRINGS,
    NEGOTIATION_BROKERED,
    NEGOTIATION_MESSAGE,
    Document,
    Message,
    NegotiationMessage,
    Quote,
    Side,
    id_of,
    message_of,
    read_document,
)
from clearing.market.negotiation.moves import MOVES, Consent, State, Thread, consent_after
from ledger.facts import Fact
from ledger.store import fact as fact_of
from ledger.store import facts_of, parts_of
from registry.asset import Twin

VIEWS: tuple[Table, ...] = (tables.negotiation, tables.message)


@dataclass(frozen=True, slots=True)
class NegotiationRow:
    """A negotiation as it stands; times are seconds UTC, parties USCCs, the rest as in `tables.negotiation`."""

    id: str
    state: State
    since: int
    consumer: str
    provider: str
    listing: str
    pid: str
    consent: Consent
    rounds: int
    proposal: str
    valid_until: int
    quote: str
    agreement: str
    agreed: str
    act_sha256: str
    act_sm3: str
    consumer_mandate: str
    provider_mandate: str


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a negotiation, with the state it led to."""

    no: int
    message: Message
    side: Side
    state: State
    at: int
    fact_id: str


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A signed message that made no transition: `document` is the signed statement as canonical text."""

    given_sha256: str
    by: str
    error: str
    at: int
    document: str


def negotiation(session: Session, identity: str) -> NegotiationRow:
    """The negotiation with this 64-hex id. Raises `UnknownFact`."""
    row = find(session, identity)
    if row is None:
        raise UnknownFact("negotiation", identity[:80])
    return row


def find(session: Session, identity: str) -> NegotiationRow | None:
    """The negotiation with this id, or None."""
    table = tables.negotiation
    row = session.execute(select(table).where(table.c.id == identity)).mappings().first()
    return _row(row) if row is not None else None


def negotiations(session: Session, *, party: str = "", states: Iterable[State] = ()) -> list[NegotiationRow]:
    """Negotiations of a party on either side or as a broker, or in these states; the latest move first."""
    table, mandate = tables.negotiation, broker.mandate
    query = select(table).order_by(table.c.since.desc(), table.c.id)
    if party:
        given = select(mandate.c.id).where(mandate.c.broker == party)
        spoken = (table.c.consumer_mandate.in_(given), table.c.provider_mandate.in_(given))
        query = query.where(or_(table.c.consumer == party, table.c.provider == party, *spoken))
    wanted = [state.value for state in states]
    if wanted:
        query = query.where(table.c.state.in_(wanted))
    return [_row(row) for row in session.execute(query).mappings()]


def under(session: Session, mandate: str) -> list[NegotiationRow]:
    """Negotiations in which a broker spoke under this mandate, by id."""
    table = tables.negotiation
    spoken = or_(table.c.consumer_mandate == mandate, table.c.provider_mandate == mandate)
    return [_row(row) for row in session.execute(select(table).where(spoken).order_by(table.c.id)).mappings()]


def said(session: Session, identity: str) -> list[Said]:
    """The messages of a negotiation in order."""
    table = tables.message
    rows = session.execute(select(table).where(table.c.negotiation == identity).order_by(table.c.no)).mappings()
    return [
        Said(row["no"], Message(row["message"]), Side(row["side"]), State(row["state"]), row["at"], row["fact_id"])
        for row in rows
    ]


def refusals(session: Session, identity: str) -> list[RefusedMessage]:
    """What was refused in a negotiation, oldest first."""
    table = tables.refused
    query = select(table).where(table.c.negotiation == identity).order_by(table.c.at, table.c.given_sha256)
    return [
        RefusedMessage(row["given_sha256"], row["by"], row["error"], row["at"], row["document"])
        for row in session.execute(query).mappings()
    ]


def thread(session: Session, identity: str) -> Thread | None:
    """Where a negotiation stands, with its latest proposal and price; None before its first message."""
    row = find(session, identity)
    if row is None:
        return None
    fact, body, document = proposal_of(session, row.proposal)
    quote = proposal_of(session, row.quote)[2] if row.quote else None
    if body.content is None or body.digest is None or fact.statement.parts is None:
        raise UnknownFact("proposal", row.proposal)
    return Thread(
        id=row.id,
        state=row.state,
        consumer=row.consumer,
        provider=row.provider,
        listing=row.listing,
        rounds=row.rounds,
        content=body.content,
        digest=body.digest,
        document=document,
        parts=fact.statement.parts,
        valid_until=row.valid_until,
        consent=row.consent,
        quote=quote if isinstance(quote, Quote) else None,
        act=Twin(row.act_sha256, row.act_sm3) if row.act_sha256 else None,
    )


def proposal_of(session: Session, fact_id: str) -> tuple[Fact, NegotiationMessage, Document]:
    """A proposal's fact, message and document. Raises `UnknownFact`, `Erased`."""
    fact = fact_of(session, fact_id)
    body = message_of(fact.statement)
    document = read_document(fact.statement, body, parts_of(session, fact.id))
    if document is None:
        raise UnknownFact("proposal", fact_id)
    return fact, body, document


def messages_of(session: Session, identity: str) -> list[Fact]:
    """The facts of a negotiation in order."""
    return facts_of(session, f"negotiation:{identity}")


def _project(session: Session, fact: Fact) -> None:
    body, identity = message_of(fact.statement), id_of(fact.subject)
    before = find(session, identity)
    state = State.TERMINATED if body.message is Message.TERMINATE else MOVES[_from(before), body.message, body.side]
    values: dict[str, object] = {
        "state": state.value,
        "since": fact.at,
        "consent": consent_after(_consent(before), body).value,
    }
    if body.message in BRINGS:
        values |= {
            "rounds": (before.rounds if before else 0) + 1,
            "proposal": fact.id,
            "valid_until": body.valid_until,
        }
    if body.message is Message.QUOTE:
        values["quote"] = fact.id
    if body.message is Message.AGREEMENT and body.digest is not None:
        act = {"act_sha256": body.digest.sha256, "act_sm3": body.digest.sm3}
        values |= {"agreement": body.agreement, "agreed": fact.id, **act}
    if body.mandate is not None:
        values[f"{body.side.value.lower()}_mandate"] = body.mandate
    table = tables.negotiation
    if before is None:
        names = ("quote", "agreement", "agreed", "act_sha256", "act_sm3", "consumer_mandate", "provider_mandate")
        blank = dict.fromkeys(names, "")
        opened = {"id": identity, "consumer": body.consumer, "provider": body.provider, "listing": body.listing}
        session.execute(insert(table).values(**blank | opened | {"pid": body.pid or ""} | values))
    else:
        session.execute(update(table).where(table.c.id == identity).values(**values))
    session.execute(
        insert(tables.message).values(
            negotiation=identity,
            no=fact.statement.no,
            fact_id=fact.id,
            message=body.message.value,
            side=body.side.value,
            state=state.value,
            at=fact.at,
        )
    )


def _from(before: NegotiationRow | None) -> State:
    return before.state if before else State.NONE


def _consent(before: NegotiationRow | None) -> Consent:
    return before.consent if before else Consent.SILENT


def _row(row: RowMapping) -> NegotiationRow:
    fields = {name: row[name] for name in NegotiationRow.__slots__}
    return NegotiationRow(**fields | {"state": State(row["state"]), "consent": Consent(row["consent"])})


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    NEGOTIATION_MESSAGE: _project,
    NEGOTIATION_BROKERED: _project,
}
