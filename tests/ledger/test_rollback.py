"""A chain that forgets: found out by one question, read back; what ever stood on it stands there again."""

from __future__ import annotations

import random
import secrets

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import anchoring, outbox, tables
from ledger.digest import sha256
from ledger.errors import ForkedLog, TransactionReverted, WrongChain
from ledger.facts import Fact
from tests.counts import few
from tests.ledger.builders import NOW, World, state


class Publisher:
    """What the worker does with a chain, as one call: look, repair, write what is due, note it."""

    def __init__(self, world: World, session: Session) -> None:
        self.world, self.session, self.facts = world, session, list[Fact]()
        self.heads: set[int] = set()

    def state(self, count: int) -> None:
        first = len(self.facts)
        for i in range(first, first + count):
            self.facts.append(state(self.session, "note/v1", f"note:{i}", {"x": i}, "party:A"))
        self.world.seal(self.session, at=NOW + len(self.facts))

    def holds(self) -> bool:
        newest = anchoring.newest_place(self.session, self.world.chain.chain_id)
        return newest is None or anchoring.holds(self.world.chain, newest)

    def read_back(self) -> anchoring.Found:
        heads = anchoring.log.heads(self.session)
        return anchoring.read_back(self.world.chain, [self.world.face], heads, {"Notary": self.facts})

    def repair(self) -> int:
        return anchoring.restore(self.session, self.world.chain, self.read_back())

    def write(self) -> None:
        world, session = self.world, self.session
        for head in anchoring.due_heads(session, 2):
            place = anchoring.anchor_head(world.chain, head, world.sign_head)
            anchoring.note_places(session, outbox.HEADS, {outbox.head_key(head.checkpoint.size): place})
            self.heads.add(head.checkpoint.size)
        while due := anchoring.due_facts(session, world.face):
            anchoring.note_places(session, "Notary", anchoring.write_facts(world.chain, world.face, due))

    def check(self) -> None:
        """Receipts and events agree to the block's hash; every head that ever stood there stands there, each once."""
        chain = self.world.chain
        sizes = [event.args["size"] for event in chain.events("EvidenceLog", "Anchored")]
        assert sorted(self.heads) == sizes
        names = [event.args["name"] for event in chain.events("Notary", "Kept")]
        assert sorted(names) == sorted(sha256(fact.subject.encode()) for fact in self.facts)
        rows = {(row.contract, row.key): row for row in self.session.execute(select(tables.chain_receipt))}
        found = {
            (contract, key): place for contract, places in self.read_back().items() for key, place in places.items()
        }
        assert rows.keys() == found.keys()
        for (contract, key), place in found.items():
            assert dict(rows[contract, key]._mapping) == anchoring.place_row(contract, key, place)
            assert chain.block_hash(place.block) == place.block_hash
        assert list(self.session.execute(select(tables.head_lost))) == []
        assert self.holds()


@pytest.fixture
def publisher(world: World, session: Session) -> Publisher:
    return Publisher(world, session)


def test_rollback__found_out_and_everything_written_again_smaller_heads_first(publisher: Publisher) -> None:
    publisher.state(2)
    publisher.write()
    before = publisher.world.chain.snapshot()
    for _ in range(3):
        publisher.state(2)
        publisher.write()
    publisher.state(1)
    publisher.world.chain.revert(before)
    assert not publisher.holds()
    assert publisher.repair() == 9, "three heads and six facts"
    assert publisher.holds()
    assert outbox.published_size(publisher.session) == 2
    assert [head.checkpoint.size for head in anchoring.due_heads(publisher.session, 2)] == [4, 6, 8, 9]
    publisher.write()
    publisher.check()


def test_rollback__the_chain_grew_past_the_noted_block_before_anybody_looked__found_out(publisher: Publisher) -> None:
    publisher.state(1)
    publisher.write()
    before = publisher.world.chain.snapshot()
    publisher.state(1)
    publisher.write()
    publisher.world.chain.revert(before)
    for i in range(9):
        publisher.world.chain.send(publisher.world.face.call(publisher.world.chain, [stranger(publisher, i)]))
    assert not publisher.holds()


def stranger(publisher: Publisher, number: int) -> Fact:
    fork = World()
    with fork.session() as session:
        fact = state(session, "note/v1", f"stranger:{number}", {"x": number}, "party:A")
    fork.engine.dispose()
    return fact


def test_reorganised__same_writings_in_other_blocks__receipts_follow(publisher: Publisher) -> None:
    chain = publisher.world.chain
    publisher.state(2)
    before = chain.snapshot()
    publisher.write()
    chain.revert(before)
    chain.send(publisher.world.face.call(chain, publisher.facts))
    [head] = anchoring.log.heads(publisher.session)
    chain.send(anchoring.head_call(chain, head, publisher.world.sign_head))
    assert publisher.repair() == 3
    assert anchoring.due_heads(publisher.session, 2) == []
    assert anchoring.due_facts(publisher.session, publisher.world.face) == []
    publisher.check()


def test_rollback__a_larger_head_came_back_first__smaller_lost_ones_stay_lost(publisher: Publisher) -> None:
    chain = publisher.world.chain
    before = chain.snapshot()
    for _ in range(2):
        publisher.state(1)
        publisher.write()
    chain.revert(before)
    newest = anchoring.log.heads(publisher.session)[-1]
    chain.send(anchoring.head_call(chain, newest, publisher.world.sign_head))
    publisher.repair()
    assert anchoring.due_heads(publisher.session, 2) == []
    assert list(publisher.session.execute(select(tables.head_lost))) == []
    assert outbox.published_size(publisher.session) == 2


def test_rollback__too_few_witnesses_on_the_newest__the_lost_ones_go_first(publisher: Publisher) -> None:
    before = publisher.world.chain.snapshot()
    publisher.state(1)
    publisher.write()
    publisher.world.chain.revert(before)
    publisher.repair()
    state(publisher.session, "note/v1", "note:late", {}, "party:A")
    anchoring.log.integrate(publisher.session)
    anchoring.log.seal(publisher.session, publisher.world.keys, at=NOW + 50)
    assert [head.checkpoint.size for head in anchoring.due_heads(publisher.session, 2)] == [1]


def test_nothing_of_it_left__every_receipt_forgotten(publisher: Publisher) -> None:
    before = publisher.world.chain.snapshot()
    publisher.state(3)
    publisher.write()
    publisher.world.chain.revert(before)
    assert publisher.repair() == 4
    assert publisher.repair() == 0
    publisher.write()
    publisher.check()


def test_contracts_gone__wrong_chain_and_no_receipt_is_forgotten(publisher: Publisher) -> None:
    publisher.state(1)
    publisher.write()
    publisher.world.chain.lost = True
    with pytest.raises(WrongChain):
        publisher.repair()
    assert outbox.published_size(publisher.session) == 1


@pytest.mark.parametrize("foreign", ["content", "size"])
def test_another_head_in_our_place__fork__nothing_noted_nothing_forgotten(publisher: Publisher, foreign: str) -> None:
    world = publisher.world
    before = world.chain.snapshot()
    publisher.state(2)
    publisher.write()
    world.chain.revert(before)
    fork = World()
    with fork.session() as other:
        for i in range(2 if foreign == "content" else 3):
            state(other, "note/v1", f"note:{70 + i}", {"x": i}, "party:A")
        head = fork.seal(other)
    anchoring.anchor_head(world.chain, head, world.sign_head)
    with pytest.raises(ForkedLog):
        publisher.repair()
    assert outbox.published_size(publisher.session) == 2
    fork.engine.dispose()


def test_write_each__refused_ones_keep_no_other(world: World, session: Session) -> None:
    publisher = Publisher(world, session)
    publisher.state(3)
    world.notary.kept[sha256(b"note:1")] = b"\1" * 32
    places, refused = anchoring.write_each(world.chain, world.face, publisher.facts)
    assert set(places) == {publisher.facts[0].id, publisher.facts[2].id}
    assert list(refused) == [publisher.facts[1].id]
    anchoring.note_places(session, "Notary", places)
    assert anchoring.due_facts(session, world.face, list(refused)) == []
    assert anchoring.due_facts(session, world.face) == [publisher.facts[1]]
    assert anchoring.waiting_facts(session, world.face) == 1
    world.notary.closed = True
    places, refused = anchoring.write_each(world.chain, world.face, [stranger(publisher, 1)])
    assert isinstance(next(iter(refused.values())), TransactionReverted)


def test_due_facts__later_facts_of_a_refused_subject_wait_with_it(world: World, session: Session) -> None:
    first = state(session, "note/v1", "note:a", {"x": 1}, "party:A")
    other = state(session, "note/v1", "note:b", {"x": 1}, "party:A")
    state(session, "note/v1", "note:a", {"x": 2}, "party:A")
    anchoring.log.integrate(session)
    assert anchoring.due_facts(session, world.face, [first.id]) == [other]


def test_random_histories__rolled_back_at_any_moment__always_repaired() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(few(10)):
        world = World()
        with world.session() as session:
            publisher = Publisher(world, session)
            kept = [world.chain.snapshot()]
            for _ in range(12):
                match rng.randrange(4):
                    case 0 | 1:
                        publisher.state(rng.randint(1, 4))
                        publisher.write()
                        kept.append(world.chain.snapshot())
                    case 2:
                        publisher.state(rng.randint(1, 2))
                    case _:
                        back = rng.randrange(len(kept))
                        world.chain.revert(kept[back])
                        del kept[back + 1 :]
                        if not publisher.holds():
                            publisher.repair()
                            publisher.write()
                            kept.append(world.chain.snapshot())
            publisher.state(1)
            publisher.write()
            publisher.check()
        world.engine.dispose()
