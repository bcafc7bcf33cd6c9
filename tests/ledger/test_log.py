"""The log grows by batches of any size and ends in the tree one would compute at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from ledger import anchoring, checkpoint, log, merkle, outbox, store, tables, tiles
from ledger.digest import LEAF_TAG
from ledger.errors import BrokenLog, UnknownFact
from ledger.facts import Fact, Statement
from ledger.merkle import Flat, MemoryTree
from ledger.outbox import State
from ledger.tiles import Address
from tests.counts import few
from tests.ledger.builders import NOW, World, sign, state

SIGNED = [sign(Statement("entry/v1", f"entry:{i}", 0, None, {"x": i}), "party:A") for i in range(6 * 17)]


def fill(session: Session, first: int, count: int) -> list[Fact]:
    return [store.append(session, signed, at=NOW).fact for signed in SIGNED[first : first + count]]


def stored(session: Session) -> dict[tuple[int, int], Flat]:
    return {(row.level, row.position): (row.sha256, row.sm3) for row in session.execute(select(tables.tile))}


@settings(max_examples=few(8), deadline=None)
@given(st.lists(st.integers(1, 17), min_size=1, max_size=6), st.integers(1, 9))
def test_integrate__random_batches__tile_heads_and_proofs_as_recomputed(batches: list[int], limit: int) -> None:
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
        hashes = [tree.read(0, index) for index in range(tree.size)]
        assert stored(session) == {(0, 0): (b"".join(x.sha256 for x in hashes), b"".join(x.sm3 for x in hashes))}
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
    assert stored(session) == {}


def test_seal__empty_or_unchanged__no_head(world: World, session: Session) -> None:
    assert log.seal(session, world.keys, at=NOW) is None
    fill(session, 0, 2)
    assert log.seal(session, world.keys, at=NOW) is None
    log.integrate(session)
    assert log.seal(session, world.keys, at=NOW) is not None
    assert log.seal(session, world.keys, at=NOW + 1) is None
    assert [head.checkpoint.size for head in log.heads(session)] == [2]


def test_seal__clock_runs_backwards__the_last_time_is_kept(world: World, session: Session) -> None:
    for number, at in enumerate((NOW, NOW - 3600, NOW + 5)):
        fill(session, number, 1)
        log.integrate(session)
        head = log.seal(session, world.keys, at=at)
        assert head is not None
        assert head.checkpoint.at == max(NOW, at)


def test_latest_cosigned__newest_with_the_quorum(world: World, session: Session) -> None:
    assert log.latest_cosigned(session, 0) is None
    fill(session, 0, 1)
    first = world.seal(session)
    fill(session, 1, 1)
    log.integrate(session)
    second = log.seal(session, world.keys, at=NOW)
    assert (log.latest_cosigned(session, 2), log.latest_cosigned(session, 0)) == (first, second)
    assert log.latest_cosigned(session, 3) is None


def test_published__only_what_a_signed_head_covers(world: World, session: Session) -> None:
    facts = fill(session, 0, 3)
    log.integrate(session)
    leaves = [fact.digest().sha256 + fact.digest().sm3 for fact in facts]
    for width in (1, 2, 3):
        assert log.published(session, Address(0, 0, width, False)) is None
        assert log.published_entries(session, Address(0, 0, width, True)) is None
    world.seal(session)
    facts += fill(session, 3, 1)
    log.integrate(session)
    for width in (1, 2, 3):
        hashes = merkle.leaf_hashes(leaves[:width])
        assert log.published(session, Address(0, 0, width, False)) == hashes
        entries = b"".join(b"\0\x50" + LEAF_TAG + leaf for leaf in leaves[:width])
        assert log.published_entries(session, Address(0, 0, width, True)) == entries
    for address in (Address(0, 0, 4, False), Address(0, 0, 256, False), Address(0, 1, 1, False),
                    Address(1, 0, 1, False), Address(63, 0, 1, False)):  # fmt: skip
        assert log.published(session, address) is None


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


@pytest.mark.parametrize(
    "value", [None, b"", b"\0" * 96, b"\0" * 129, b"\0" * 160, "text"], ids=["gone", "empty", "3", "4+", "5", "text"]
)
def test_reader__tile_missing_or_damaged__broken_log_names_it(session: Session, value: Any) -> None:
    fill(session, 0, 4)
    log.integrate(session)
    fill(session, 4, 1)
    if value is None:
        session.execute(delete(tables.tile))
    else:
        session.execute(text("UPDATE tile SET sha256 = :value"), {"value": value})
    with pytest.raises(BrokenLog, match="0/0"):
        merkle.inclusion_path(log.reader(session), 3, 4)
    with pytest.raises(BrokenLog, match="0/0"):
        log.integrate(session)


def test_rebuild__tiles_lost_or_altered__the_same_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "CHUNK", 4)
    fill(session, 0, 21)
    log.integrate(session)
    before = stored(session)
    session.execute(tables.tile.update().values(sm3=b"\0" * 64))
    assert log.rebuild(session) == 21
    assert stored(session) == before
    session.execute(delete(tables.tile))
    session.execute(tables.tile.insert().values(level=3, position=9, sha256=b"", sm3=b""))
    assert log.rebuild(session) == 21
    assert stored(session) == before


@settings(max_examples=few(4), deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_grow__any_splits__the_tiles_of_one_shot(splits: list[int]) -> None:
    """Bare leaves, so that whole tiles fill and a second level begins."""
    leaves = [(b"%d" % i).rjust(64, b".") for i in range(sum(splits))]
    tiles_of = []
    for parts in (splits, [len(leaves)], [1] * min(300, len(leaves)) + [max(0, len(leaves) - 300)]):
        world = World()
        with world.session() as session:
            first = 0
            for count in parts:
                first = log.grow(session, first, leaves[first : first + count])
            assert first == len(leaves)
            tiles_of.append(stored(session))
        world.engine.dispose()
    assert tiles_of[0] == tiles_of[1] == tiles_of[2]
    assert len(tiles_of[0]) == sum(tiles.count(level, len(leaves)) for level in range(8))


def test_reads__of_a_proof__one_tile_of_each_level_and_the_edge(session: Session) -> None:
    log.grow(session, 0, ((b"%d" % i).rjust(64, b".") for i in range(66_000)))
    asked: list[tuple[int, int]] = []

    def load(level: int, position: int) -> Flat:
        asked.append((level, position))
        return log.load(session, level, position)

    merkle.inclusion_path(tiles.reader(load), 12_345, 66_000)
    assert sorted(asked) == [(0, 48), (0, 257), (1, 0), (1, 1)]
    asked.clear()
    merkle.consistency_path(tiles.reader(load), 12_345, 66_000)
    assert len(asked) == len(set(asked)) <= 6


def test_rebuild__empty_log__nothing(session: Session) -> None:
    assert log.rebuild(session) == 0


def test_state_of__three_words_in_order(world: World, session: Session) -> None:
    assert outbox.state_of(session, "0" * 64) is None
    fact = state(session, "entry/v1", "entry:1", {}, "party:A")
    assert outbox.state_of(session, fact.id) is State.SEQUENCED
    assert (outbox.backlog(session), outbox.waiting(session, 9)) == (1, [(fact.id, fact.digest().sm3.hex())])
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
