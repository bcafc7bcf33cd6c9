"""The log grows by batches of any size and ends in the tree one would compute at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import anchoring, checkpoint, log, merkle, outbox, store, tables
from ledger.errors import BrokenLog, UnknownFact
from ledger.facts import Fact, Statement
from ledger.merkle import MemoryTree
from ledger.outbox import State
from tests.counts import few
from tests.ledger.builders import NOW, World, sign, state

SIGNED = [sign(Statement("entry/v1", f"entry:{i}", 0, None, {"x": i}), "party:A") for i in range(90)]


def fill(session: Session, first: int, count: int) -> list[Fact]:
    return [store.append(session, signed, at=NOW).fact for signed in SIGNED[first : first + count]]


def stored_nodes(session: Session) -> dict[tuple[int, int], tuple[str, str]]:
    return {(row.level, row.position): (row.sha256, row.sm3) for row in session.execute(select(tables.node))}


@settings(max_examples=few(8), deadline=None)
@given(st.lists(st.integers(1, 17), min_size=1, max_size=6), st.integers(1, 9))
def test_integrate__random_batches__every_node_head_and_proof_as_recomputed(batches: list[int], limit: int) -> None:
    world = World()
    with world.session() as session:
        facts: list[Fact] = []
        for number, count in enumerate(batches):
            facts += fill(session, len(facts), count)
            moved = []
            while step := log.integrate(session, limit):
                moved.append(step)
            assert sum(moved) == count
            assert max(moved) <= limit
            assert log.seal(session, world.keys, at=NOW + number) is not None
        tree = MemoryTree([fact.digest() for fact in facts])
        assert log.size(session) == tree.size
        want = {place: tree.read(*place) for place in tree.places()}
        assert stored_nodes(session) == {place: (value.sha256.hex(), value.sm3.hex()) for place, value in want.items()}
        heads = log.heads(session)
        assert [head.checkpoint.at for head in heads] == [NOW + i for i in range(len(batches))]
        for head in heads:
            point = head.checkpoint
            assert point.root == MemoryTree([fact.digest() for fact in facts[: point.size]]).root()
            for fact in facts[: point.size]:
                proof = log.prove(session, fact.id, point.size)
                hash_ = merkle.leaf_hash(fact.digest())
                assert facts[proof.index] == fact
                assert merkle.verify_inclusion(hash_, proof.index, proof.size, proof.path, point.root)
        for old in heads:
            for new in heads:
                a, b = old.checkpoint, new.checkpoint
                if a.size <= b.size:
                    path = log.consistency(session, a.size, b.size)
                    assert merkle.verify_consistency(a.size, b.size, a.root, b.root, path)
    world.engine.dispose()


def test_integrate__nothing_waiting__nothing_done(session: Session) -> None:
    assert log.integrate(session) == 0
    assert log.size(session) == 0
    assert stored_nodes(session) == {}


def test_seal__empty_or_unchanged__no_head(world: World, session: Session) -> None:
    assert log.seal(session, world.keys, at=NOW) is None
    fill(session, 0, 2)
    assert log.seal(session, world.keys, at=NOW) is None
    log.integrate(session)
    assert log.seal(session, world.keys, at=NOW) is not None
    assert log.seal(session, world.keys, at=NOW + 1) is None
    assert [head.checkpoint.size for head in log.heads(session)] == [2]


def test_seal__signed_by_both_keys__columns_repeat_the_note(world: World, session: Session) -> None:
    fill(session, 0, 3)
    head = world.seal(session)
    trust = world.log_trust()
    assert checkpoint.verify_log(head.note, trust.name, trust.ed25519, trust.sm2) == head.checkpoint
    assert len(checkpoint.verify_witnesses(head.note, world.witnesses())) == head.witnesses == 2
    row = session.execute(select(tables.head)).one()
    root = head.checkpoint.root
    assert (row.size, row.sha256, row.sm3, row.at) == (3, root.sha256.hex(), root.sm3.hex(), NOW)


def test_latest_and_head_at(world: World, session: Session) -> None:
    assert log.latest(session) is None
    fill(session, 0, 2)
    first = world.seal(session)
    fill(session, 2, 3)
    second = world.seal(session, at=NOW + 1)
    assert log.latest(session) == second
    assert (log.head_at(session, 2), log.head_at(session, 3)) == (first, None)


def test_prove__unknown_or_later_fact__refused(world: World, session: Session) -> None:
    waiting = fill(session, 0, 3)
    with pytest.raises(UnknownFact):
        log.prove(session, waiting[0].id, 1)
    log.integrate(session)
    with pytest.raises(IndexError):
        log.prove(session, waiting[2].id, 2)
    with pytest.raises(UnknownFact):
        log.prove(session, "0" * 64, 2)


def test_reader__node_missing__broken_log_names_it(session: Session) -> None:
    fill(session, 0, 4)
    log.integrate(session)
    session.execute(tables.node.delete().where(tables.node.c.level == 1, tables.node.c.position == 0))
    with pytest.raises(BrokenLog, match="1/0"):
        merkle.inclusion_path(log.reader(session), 3, 4)


def test_rebuild__nodes_lost_or_altered__the_same_again(session: Session) -> None:
    fill(session, 0, 21)
    log.integrate(session)
    before = stored_nodes(session)
    session.execute(tables.node.update().where(tables.node.c.level == 0).values(sm3="0" * 64))
    session.execute(tables.node.delete().where(tables.node.c.level == 2))
    assert log.rebuild(session) == 21
    assert stored_nodes(session) == before
    assert log.rebuild(session) == 21


def test_rebuild__empty_log__nothing(session: Session) -> None:
    assert log.rebuild(session) == 0


def test_state_of__three_words_in_order(world: World, session: Session) -> None:
    assert outbox.state_of(session, "0" * 64) is None
    fact = state(session, "entry/v1", "entry:1", {}, "party:A")
    assert outbox.state_of(session, fact.id) is State.SEQUENCED
    assert (outbox.backlog(session), outbox.waiting(session, 9)) == (1, [fact.id])
    head = world.seal(session)
    assert outbox.state_of(session, fact.id) is State.INTEGRATED
    assert (outbox.backlog(session), outbox.published_size(session)) == (0, 0)
    later = state(session, "entry/v1", "entry:2", {}, "party:A")
    log.integrate(session)
    place = anchoring.anchor_head(world.chain, head, world.sign_head)
    anchoring.note_places(session, outbox.HEADS, {outbox.head_key(1): place})
    assert outbox.state_of(session, fact.id) is State.PUBLISHED
    assert outbox.state_of(session, later.id) is State.INTEGRATED
    assert outbox.published_size(session) == 1


def test_head_key__sorts_like_the_size() -> None:
    sizes = [1, 9, 10, 99, 100, 2**53]
    assert sorted(map(outbox.head_key, sizes)) == [outbox.head_key(size) for size in sizes]
