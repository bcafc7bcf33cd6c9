"""Heads and chain-bound facts reach the chain once, whatever line the publisher dies at.

The rule is the same everywhere: *look before writing, and look again after a refusal*. The contracts refuse a second
copy, so a transaction whose sender died before noting the receipt is found on the chain by its event and noted then.
Nothing here holds a database transaction while it waits for a node: read what is due, talk to the chain, note it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ledger import log, outbox, tables
from ledger.chain import Call, Chain, ChainEvent, ChainReceipt, head_commitment
from ledger.errors import ChainError, TransactionReverted
from ledger.facts import Fact
from ledger.log import Head

SignHead = Callable[[Chain, Head], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where on which chain something was written: chain id, contract address, transaction and block."""

    chain_id: int
    address: str
    tx: str
    block: int

    @classmethod
    def of(cls, chain: Chain, written: ChainReceipt | ChainEvent) -> Place:
        """The place of a receipt just received or of an event found again."""
        return cls(chain.chain_id, chain.address(written.contract), written.tx, written.block)


class Face(Protocol):
    """How one family of facts is written into one contract."""

    @property
    def contract(self) -> str:
        """Name of the contract, as in the deployment."""

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of fact it writes."""

    @property
    def limit(self) -> int:
        """At most this many facts in one call."""

    @property
    def event(self) -> str:
        """The event by which a written fact is found again."""

    def done(self, chain: Chain, fact: Fact) -> bool:
        """Does the contract hold this fact already? Raises `ChainError` if it holds another one in its place."""

    def call(self, chain: Chain, facts: Sequence[Fact]) -> Call:
        """The call that writes these facts."""

    def fact_key(self, fact: Fact) -> str:
        """What names the fact inside the event."""

    def event_key(self, args: Mapping[str, Any]) -> str:
        """The same name, taken from an event's arguments."""


def due_head(session: Session, quorum: int) -> Head | None:
    """The newest head, if enough witnesses cosigned it and it is not on the chain yet."""
    head = log.latest(session)
    if head is None or head.witnesses < quorum or head.checkpoint.size <= outbox.published_size(session):
        return None
    return head


def anchor_head(chain: Chain, head: Head, sign: SignHead) -> Place:
    """Writes the head's commitment, or finds it already written. Raises `ChainError`."""
    size = head.checkpoint.size
    if int(chain.read(outbox.HEADS, "latestSize")) < size:
        try:
            return Place.of(chain, chain.send(head_call(chain, head, sign)))
        except TransactionReverted as refused:
            if refused.error != "AlreadyAnchored":
                raise
    return _find_head(chain, head)


def head_call(chain: Chain, head: Head, sign: SignHead) -> Call:
    """EvidenceLog.anchor with the log key's EIP-712 signature."""
    checkpoint = head.checkpoint
    arguments = (checkpoint.size, checkpoint.root.sha256, checkpoint.root.sm3, checkpoint.at, sign(chain, head))
    return Call(outbox.HEADS, "anchor", arguments)


def due_facts(session: Session, face: Face) -> list[Fact]:
    """Facts of the face's kinds that are in the tree and have no receipt from its contract, oldest first."""
    receipts = select(tables.chain_receipt.c.key).where(
        tables.chain_receipt.c.contract == face.contract, tables.chain_receipt.c.key == tables.fact.c.id
    )
    rows = session.execute(
        select(tables.fact.c.bytes)
        .join(tables.entry, tables.entry.c.fact_id == tables.fact.c.id)
        .where(tables.fact.c.kind.in_(face.kinds), tables.fact.c.bytes.is_not(None), ~receipts.exists())
        .order_by(tables.entry.c.log_index)
        .limit(face.limit)
    )
    return [Fact.of_bytes(row.bytes) for row in rows]


def write_facts(chain: Chain, face: Face, facts: Sequence[Fact]) -> dict[str, Place]:
    """Writes those facts the contract does not hold yet; answers a receipt for each fact id. Raises `ChainError`."""
    missing = [fact for fact in facts if not face.done(chain, fact)]
    places: dict[str, Place] = {}
    if missing:
        try:
            place = Place.of(chain, chain.send(face.call(chain, missing)))
            places = {fact.id: place for fact in missing}
        except TransactionReverted:
            # Somebody wrote it between our look and our call (anyone may, decisions D16), or it is truly refused.
            if not all(face.done(chain, fact) for fact in missing):
                raise
    rest = [fact for fact in facts if fact.id not in places]
    if rest:
        places |= find_facts(chain, face, rest)
    return places


def find_facts(chain: Chain, face: Face, facts: Iterable[Fact]) -> dict[str, Place]:
    """The places of facts already on the chain, by reading the contract's events; unwritten ones are left out."""
    wanted = {face.fact_key(fact): fact.id for fact in facts}
    found: dict[str, Place] = {}
    for event in chain.events(face.contract, face.event):
        name = face.event_key(event.args)
        if name in wanted:
            found[wanted[name]] = Place.of(chain, event)
    return found


def find_heads(chain: Chain) -> dict[int, Place]:
    """Every anchored head by its size, from the contract's events."""
    return {int(event.args["size"]): Place.of(chain, event) for event in chain.events(outbox.HEADS, "Anchored")}


def note_places(session: Session, contract: str, places: Mapping[str, Place]) -> None:
    """Stores chain receipts by key (a fact id or a head key); those already stored stay as they are."""
    if not places:
        return
    table = tables.chain_receipt
    known = set(
        session.execute(select(table.c.key).where(table.c.contract == contract, table.c.key.in_(places))).scalars()
    )
    rows = [place_row(contract, key, place) for key, place in places.items() if key not in known]
    if rows:
        session.execute(insert(table), rows)


def forget_places(session: Session) -> None:
    """Empties what is known of the chain, to be found again from its events."""
    session.execute(tables.chain_receipt.delete())


def place_row(contract: str, key: str, place: Place) -> dict[str, Any]:
    """A place on the chain as the row that keeps it."""
    return {
        "contract": contract,
        "key": key,
        "chain_id": place.chain_id,
        "address": place.address,
        "tx": place.tx,
        "block": place.block,
    }


def place_of(session: Session, contract: str, key: str) -> Place | None:
    """Where a fact or head stands on the chain, or None: not anchored."""
    table = tables.chain_receipt
    row = session.execute(select(table).where(table.c.contract == contract, table.c.key == key)).first()
    if row is None:
        return None
    return Place(row.chain_id, row.address, row.tx, row.block)


def _find_head(chain: Chain, head: Head) -> Place:
    point = head.checkpoint
    committed = bytes(chain.read(outbox.HEADS, "commitmentAt", point.size))
    if any(committed) and committed != head_commitment(point.size, point.root.sha256, point.root.sm3, point.at):
        raise ChainError(
            f"链上大小为 {point.size} 的树头与本地不同（分叉），未记录。"
            f" / The chain holds another head of size {point.size}: a fork; nothing was noted."
        )
    found = find_heads(chain).get(point.size)
    if found is None:
        raise ChainError(
            f"链上已有更大的树头，但没有大小为 {head.checkpoint.size} 的树头。"
            f" / The chain holds a larger head but none of size {head.checkpoint.size}."
        )
    return found
