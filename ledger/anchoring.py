"""Heads and chain-bound facts reach the chain once, whatever line the publisher dies at.

The rule is the same everywhere: *look before writing, and look again after a refusal*. The contracts refuse a second
copy, so a transaction whose sender died before noting the receipt is found on the chain by its event and noted then.
Nothing here holds a database transaction while it waits for a node: read what is due, talk to the chain, note it.

A chain may forget: its node comes back with an older state, or a reorganisation takes blocks away. Each receipt keeps
the hash of its block, and a block's hash covers every block below, so one question about the newest receipt's block
(`holds`) answers for all. If it does not hold, the events are read back (`read_back`), the receipts made to agree with
them (`restore`), and what is missing is due again. Heads that stood there once are written again too, smaller ones
first, because bundles name them; the contract only grows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy.orm import Session

from ledger import log, outbox, tables
from ledger.chain import Call, Chain, ChainEvent, ChainReceipt, head_commitment
from ledger.errors import ChainUnavailable, ForkedLog, NotLeader, TransactionReverted, WrongChain
from ledger.facts import Fact
from ledger.log import Head

SignHead = Callable[[Chain, Head], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where on which chain something was written: chain id, contract address, transaction and block.

    The block's hash is what the publisher watches; it is no part of a bundle, and so of no comparison either.
    """

    chain_id: int
    address: str
    tx: str
    block: int
    block_hash: str = field(default="", compare=False)

    @classmethod
    def of(cls, chain: Chain, written: ChainReceipt | ChainEvent) -> Place:
        """The place of a receipt just received or of an event found again."""
        return cls(chain.chain_id, chain.address(written.contract), written.tx, written.block, written.block_hash)


Found = Mapping[str, Mapping[str, Place]]
"""Places by contract and key, as `chain_receipt` keeps them."""

Facts = Mapping[str, Sequence[Fact]]
"""By contract, the facts that belong into it."""


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


@runtime_checkable
class InUnits(Protocol):
    """A face some of whose facts can only be written together."""

    def units(self, facts: Sequence[Fact]) -> list[list[Fact]]:
        """The facts in groups that are written in one call, in order; an incomplete group is left out."""


def due_heads(session: Session, quorum: int) -> list[Head]:
    """Heads to write, smallest first: those the chain forgot, and the newest if enough witnesses cosigned it."""
    published = outbox.published_size(session)
    lost = select(tables.head_lost.c.size).where(tables.head_lost.c.size > published).order_by(tables.head_lost.c.size)
    found = [log.head_at(session, size) for size in session.execute(lost).scalars()]
    newest = log.latest(session)
    if newest is not None and newest.checkpoint.size > published and newest not in found:
        found.append(newest)
    return [head for head in found if head is not None and head.witnesses >= quorum]


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


def due_facts(session: Session, face: Face, refused: Collection[str] = (), others: Iterable[Face] = ()) -> list[Fact]:
    """Facts of the face's kinds that are in the tree and have no receipt from its contract, oldest first.

    Subjects with one of the `refused` facts (ids) are left out: their later facts stand on the refused one. A contract
    takes facts in the order of the log: none is due while an older one waits for one of the `others` of its contract.
    """
    query = _due(face, tables.fact.c.bytes, refused).order_by(tables.entry.c.log_index).limit(face.limit)
    for other in others:
        if other is not face and other.contract == face.contract:
            first = session.execute(_due(other, func.min(tables.entry.c.log_index), refused)).scalar()
            if first is not None:
                query = query.where(tables.entry.c.log_index < first)
    return [
        fact for unit in _units(face, [Fact.of_bytes(row.bytes) for row in session.execute(query)]) for fact in unit
    ]


def waiting_facts(session: Session, face: Face) -> int:
    """How many facts of the face's kinds are in the tree and have no receipt from its contract."""
    return int(session.execute(_due(face, func.count())).scalar_one())


def _due(face: Face, what: Any, refused: Collection[str] = ()) -> Select[Any]:
    receipts = select(tables.chain_receipt.c.key).where(
        tables.chain_receipt.c.contract == face.contract, tables.chain_receipt.c.key == tables.fact.c.id
    )
    query = (
        select(what)
        .select_from(tables.fact)
        .join(tables.entry, tables.entry.c.fact_id == tables.fact.c.id)
        .where(tables.fact.c.kind.in_(face.kinds), tables.fact.c.bytes.is_not(None), ~receipts.exists())
    )
    if refused:
        blocked = select(tables.fact.c.subject).where(tables.fact.c.id.in_(refused))
        query = query.where(tables.fact.c.subject.not_in(blocked))
    return query


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
    if len(places) < len(facts):
        raise ChainUnavailable(
            f"{face.contract}：已写入的事实尚未达到确认深度。"
            f" / {face.contract}: facts that are written are not deep enough yet."
        )
    return places


def write_each(chain: Chain, face: Face, facts: Sequence[Fact]) -> tuple[dict[str, Place], dict[str, Exception]]:
    """Like `write_facts`, but one fact that cannot be written keeps no other from it: answers places and refusals by
    fact id. A batch that is refused is tried in halves. Raises ChainUnavailable, WrongChain, NotLeader."""
    try:
        return write_facts(chain, face, facts), {}
    except (ChainUnavailable, WrongChain, NotLeader):
        raise
    except Exception as error:  # faces are their owners' code, with errors of their own
        units = _units(face, facts)
        if len(units) <= 1:
            return {}, {fact.id: error for fact in facts}
    middle = len(units) // 2
    places, refused = write_each(chain, face, [fact for unit in units[:middle] for fact in unit])
    others, also = write_each(chain, face, [fact for unit in units[middle:] for fact in unit])
    return places | others, refused | also


def _units(face: Face, facts: Sequence[Fact]) -> list[list[Fact]]:
    return face.units(facts) if isinstance(face, InUnits) else [[fact] for fact in facts]


def find_facts(chain: Chain, face: Face, facts: Iterable[Fact]) -> dict[str, Place]:
    """The places of facts already on the chain and deep enough, by reading the contract's events; others are left
    out."""
    wanted = {face.fact_key(fact): fact.id for fact in facts}
    found: dict[str, Place] = {}
    for event in chain.events(face.contract, face.event, last=chain.confirmed()):
        name = face.event_key(event.args)
        if name in wanted:
            found[wanted[name]] = Place.of(chain, event)
    return found


def find_heads(chain: Chain) -> dict[int, Place]:
    """Every anchored head by its size, from the contract's events, as far as they are deep enough."""
    events = chain.events(outbox.HEADS, "Anchored", last=chain.confirmed())
    return {int(event.args["size"]): Place.of(chain, event) for event in events}


def require_ours(chain: Chain, heads: Iterable[Head]) -> None:
    """Raises ForkedLog if the chain holds a head that is none of `heads`, however deep it lies."""
    known = {head.checkpoint.size: head.checkpoint for head in heads}
    for event in chain.events(outbox.HEADS, "Anchored"):
        size, point = int(event.args["size"]), known.get(int(event.args["size"]))
        if point is None:
            raise ForkedLog(
                f"链上有大小为 {size} 的树头，本库没有：可能数据库较旧，或另有一处以同一密钥签头。"
                f" / The chain holds a head of size {size} that is not stored here: this database is older than the"
                " chain, or somebody else signs heads with the same key."
            )
        said = (bytes(event.args["sha256Root"]), bytes(event.args["sm3Root"]), int(event.args["time"]))
        if said != (point.root.sha256, point.root.sm3, point.at):
            raise _fork(size)


def read_back(chain: Chain, faces: Sequence[Face], heads: Sequence[Head], facts: Facts) -> Found:
    """Where the chain holds these heads and facts now, by contract. Raises ForkedLog rather than overlook a head."""
    require_ours(chain, heads)
    found: dict[str, dict[str, Place]] = {
        outbox.HEADS: {outbox.head_key(size): place for size, place in find_heads(chain).items()}
    }
    for face in faces:
        own = [fact for fact in facts[face.contract] if fact.kind in face.kinds]
        found[face.contract] = found.get(face.contract, {}) | find_facts(chain, face, own)
    return found


def newest_place(session: Session, chain_id: int) -> Place | None:
    """The noted place in the highest block of this chain."""
    table = tables.chain_receipt
    query = select(table).where(table.c.chain_id == chain_id).order_by(table.c.block.desc()).limit(1)
    row = session.execute(query).first()
    return Place(row.chain_id, row.address, row.tx, row.block, row.block_hash) if row else None


def holds(chain: Chain, newest: Place) -> bool:
    """Is the block of this place still on the chain, and with it every block below?"""
    return chain.block_hash(newest.block) == newest.block_hash


def restore(session: Session, chain: Chain, found: Found) -> int:
    """Makes the receipts agree with what was read back; answers how many were wrong. Heads of this very contract that
    are not there any more are remembered as lost."""
    table, wrong = tables.chain_receipt, 0
    for contract, places in found.items():
        kept = set()
        for row in session.execute(select(table).where(table.c.contract == contract)).all():
            place = places.get(row.key)
            if place is not None and place_row(contract, row.key, place) == dict(row._mapping):
                kept.add(row.key)
                continue
            wrong += 1
            session.execute(delete(table).where(table.c.contract == contract, table.c.key == row.key))
            here = (row.chain_id, row.address) == (chain.chain_id, chain.address(contract))
            if contract == outbox.HEADS and place is None and here:
                _remember_lost(session, outbox.size_of(row.key))
        note_places(session, contract, {key: place for key, place in places.items() if key not in kept})
    return wrong


def _remember_lost(session: Session, size: int) -> None:
    table = tables.head_lost
    if session.execute(select(table.c.size).where(table.c.size == size)).first() is None:
        session.execute(insert(table).values(size=size))


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
    if contract == outbox.HEADS:
        # Smaller heads that are lost stay lost: the contract only grows.
        session.execute(delete(tables.head_lost).where(tables.head_lost.c.size <= outbox.published_size(session)))


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
        "block_hash": place.block_hash,
    }


def place_of(session: Session, contract: str, key: str) -> Place | None:
    """Where a fact or head stands on the chain, or None: not anchored."""
    table = tables.chain_receipt
    row = session.execute(select(table).where(table.c.contract == contract, table.c.key == key)).first()
    if row is None:
        return None
    return Place(row.chain_id, row.address, row.tx, row.block, row.block_hash)


def _find_head(chain: Chain, head: Head) -> Place:
    point = head.checkpoint
    committed = bytes(chain.read(outbox.HEADS, "commitmentAt", point.size))
    if not any(committed) and int(chain.read(outbox.HEADS, "latestSize")) < point.size:
        raise ChainUnavailable(
            f"大小为 {point.size} 的树头已发出，尚未入块。 / The head of size {point.size} is sent, not mined yet."
        )
    if not any(committed):
        raise ForkedLog(
            f"链上已有更大的树头，但没有大小为 {point.size} 的树头。"
            f" / The chain holds a larger head but none of size {point.size}."
        )
    if committed != head_commitment(point.size, point.root.sha256, point.root.sm3, point.at):
        raise _fork(point.size)
    found = find_heads(chain).get(point.size)
    if found is None:
        raise ChainUnavailable(
            f"大小为 {point.size} 的树头已在链上，尚未达到确认深度。"
            f" / The head of size {point.size} is on the chain, not yet deep enough."
        )
    return found


def _fork(size: int) -> ForkedLog:
    return ForkedLog(
        f"链上大小为 {size} 的树头与本地不同（分叉），未记录。"
        f" / The chain holds another head of size {size}: a fork; nothing was noted."
    )
