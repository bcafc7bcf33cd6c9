"""Tiles: RFC 9162 through the tile reader, against an independent reading of its text and pymerkle; C2SP addresses.

The tree of 2^24 leaves is whole and real but cheap: its 65,536 tiles of level 0 are sixteen different ones in an order
drawn by a hash, so leaves repeat while every hash of the tree is what RFC 9162 says. A second one, of different leaves,
goes through `Edge`: 2^16 of them by day, 2^24 by night.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from functools import cache, partial

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle, tiles
from ledger.digest import LEAF_TAG, TwinDigest, twin
from ledger.errors import BrokenLog
from ledger.merkle import Flat, node_hash, root_of_path, verify_consistency, verify_inclusion
from ledger.tiles import Address, Edge
from tests.counts import NIGHT, few
from tests.ledger.rfc9162 import Tree, Twin

EXHAUSTIVE = 65
SMALL = 600
LEAVES = [hashlib.sha256(b"%d" % i).digest() * 2 for i in range(SMALL)]
ORACLE = Twin.over(lambda i: LEAF_TAG + LEAVES[i])
ROOTS = [ORACLE.root(size) for size in range(SMALL + 1)]
BORDERS = (255, 256, 257, 511, 512, 513, SMALL)


def grown(leaves: list[bytes], *splits: int) -> dict[tuple[int, int], Flat]:
    """The tiles of a tree that grew to these sizes; at each the edge is loaded again from what is kept."""
    kept: dict[tuple[int, int], Flat] = {}
    load = partial(lambda kept, *name: kept[name], kept)
    size = 0
    for end in (*splits, len(leaves)):
        edge = Edge(size, load)
        for found in (edge.extend(leaves[size:end]), edge.partial()):
            kept.update({(tile.level, tile.position): tile.hashes for tile in found})
        size = end
    return kept


def read_of(kept: dict[tuple[int, int], Flat]) -> merkle.Read:
    return tiles.reader(lambda level, position: kept[level, position])


TILES = grown(LEAVES)
READ = read_of(TILES)


def leaf_at(index: int) -> TwinDigest:
    return READ(0, index)


def check_inclusion(read: merkle.Read, oracle: Twin, index: int, size: int, limit: int = SMALL) -> None:
    """The one right path; and no other root, index, size or path in its place."""
    root, path = oracle.root(size), merkle.inclusion_path(read, index, size)
    assert path == oracle.path(index, size)
    hash_ = read(0, index)
    assert verify_inclusion(hash_, index, size, path, root)
    assert not verify_inclusion(hash_, index, size, path, twin(b"another root"))
    assert not verify_inclusion(hash_, index, size, [*path, root], root)
    assert not path or not verify_inclusion(hash_, index, size, path[:-1], root)
    for wrong in {index - 1, index + 1, size - 1 - index} - {index}:
        assert not verify_inclusion(hash_, wrong, size, path, root)
    for wrong in filter(range(1, limit + 1).__contains__, (size - 1, size + 1, 2 * size)):
        assert root_of_path(hash_, index, wrong, path) != oracle.root(wrong)
    for place in {0, len(path) - 1} & set(range(len(path))):
        for forged in (replace(path[place], sha256=bytes(32)), replace(path[place], sm3=bytes(32))):
            assert not verify_inclusion(hash_, index, size, [*path[:place], forged, *path[place + 1 :]], root)


def check_consistency(read: merkle.Read, oracle: Twin, first: int, second: int) -> None:
    old, new = oracle.root(first), oracle.root(second)
    path = merkle.consistency_path(read, first, second)
    assert path == (oracle.proof(first, second) if first else [])
    assert verify_consistency(first, second, old, new, path)
    assert not verify_consistency(first, second, twin(b"another root"), new, path)
    assert not verify_consistency(first, second, old, new, [*path, new])
    if path:
        assert not verify_consistency(first, second, old, twin(b"another root"), path)
        assert not verify_consistency(first, second, old, new, path[:-1])
        assert not verify_consistency(first - 1, second, old, new, path)
        forged = TwinDigest(path[0].sha256, bytes(32))
        assert not verify_consistency(first, second, old, new, [forged, *path[1:]])


def test_inclusion__every_index_of_every_size_to_65__through_tiles() -> None:
    for size in range(1, EXHAUSTIVE + 1):
        assert merkle.root(READ, size) == ROOTS[size]
        for index in range(size):
            check_inclusion(READ, ORACLE, index, size)


def test_consistency__every_pair_of_sizes_to_65__through_tiles() -> None:
    for second in range(EXHAUSTIVE + 1):
        for first in range(second + 1):
            check_consistency(READ, ORACLE, first, second)


@pytest.mark.parametrize("size", BORDERS)
def test_proofs__sizes_at_tile_borders__every_seventh_index(size: int) -> None:
    for index in {*range(0, size, 7), size - 1, min(255, size - 1), min(256, size - 1)}:
        check_inclusion(READ, ORACLE, index, size)
        check_consistency(READ, ORACLE, index, size)


@pytest.mark.parametrize("size", [64, *BORDERS])
def test_pymerkle__same_roots_and_paths_for_sha_256(size: int) -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in LEAVES[:size]:
        oracle.append_entry(LEAF_TAG + leaf)
    assert oracle.get_root(size) == merkle.root(READ, size).sha256
    for index in {*range(0, size, 41), size - 1}:
        path = [step.sha256 for step in merkle.inclusion_path(READ, index, size)]
        assert oracle.prove_inclusion(index + 1, size).path[1:] == path
        # Its consistency proofs have a form of their own; they lead between our roots.
        proof = oracle.prove_consistency(index + 1, size)
        pymerkle.verify_consistency(ROOTS[index + 1].sha256, ROOTS[size].sha256, proof)


def test_inclusion__interior_node_offered_as_a_leaf__refused() -> None:
    """A node and the rest of its path lead to a smaller tree's root; hashed as the leaf it would be, they do not."""
    for size, index in ((512, 300), (64, 8)):
        path = merkle.inclusion_path(READ, index, size)
        pair = node_hash(leaf_at(index & ~1), leaf_at(index | 1))
        assert root_of_path(pair, index // 2, size // 2, path[1:]) == ROOTS[size]
        for side in ("sha256", "sm3"):
            text = getattr(leaf_at(index & ~1), side) + getattr(leaf_at(index | 1), side)
            offered = merkle.hash_at(merkle.leaf_hashes([text]), 0)
            assert not verify_inclusion(offered, index // 2, size // 2, path[1:], ROOTS[size])
        assert not verify_inclusion(pair, index, size, path, ROOTS[size])
        assert tiles.ENTRY_SIZE != 64


@given(st.lists(st.integers(0, SMALL), max_size=8).map(sorted))
@settings(max_examples=few(25), deadline=None)
def test_edge__any_splits__the_same_tiles(splits: list[int]) -> None:
    assert grown(LEAVES, *splits) == TILES


def test_edge__root_at_every_size() -> None:
    edge = Edge()
    for size, leaf in enumerate(LEAVES, 1):
        list(edge.extend([leaf]))
        assert (edge.size, edge.root()) == (size, ROOTS[size])


def test_edge__damaged__refused() -> None:
    for change in (b"", b"\0" * 32 * 87, b"\0" * 32 * 89):
        kept = TILES | {(0, 2): (change, change)}
        with pytest.raises(BrokenLog, match="0/2"):
            Edge(SMALL, lambda level, position, kept=kept: kept[level, position])


# --- large trees ------------------------------------------------------------------------------------------------------

LARGE = 2**24
PATTERNS = [[hashlib.sha256(b"%d/%d" % (kind, i)).digest() * 2 for i in range(tiles.WIDTH)] for kind in range(16)]


def kind_of(position: int) -> int:
    return hashlib.sha256(b"%d" % position).digest()[0] & 15


@cache
def large() -> tuple[merkle.Read, Twin]:
    """The tree of 2^24 leaves as tiles, and as the oracle's; each knows the sixteen roots it computed itself."""
    bottom = [merkle.leaf_hashes(pattern) for pattern in PATTERNS]
    tops = [root_of(full) for full in bottom]
    kinds = [kind_of(position) for position in range(LARGE // tiles.WIDTH)]
    kept: dict[tuple[int, int], Flat] = {}
    level = (b"".join(tops[kind].sha256 for kind in kinds), b"".join(tops[kind].sm3 for kind in kinds))
    for height in (1, 2):
        cuts = range(0, len(level[0]), 32 * tiles.WIDTH)
        parts = [(level[0][cut : cut + 8192], level[1][cut : cut + 8192]) for cut in cuts]
        kept |= {(height, position): part for position, part in enumerate(parts)}
        roots = [root_of(part) for part in parts]
        level = b"".join(root.sha256 for root in roots), b"".join(root.sm3 for root in roots)
    kept[3, 0] = level

    def load(height: int, position: int) -> Flat:
        return kept[height, position] if height else bottom[kinds[position]]

    sides = []
    for name in ("sha256", "sm3"):
        known = [Tree(name, lambda i, kind=kind: LEAF_TAG + PATTERNS[kind][i]).mth(0, 256) for kind in range(16)]

        def whole(start: int, end: int, known: list[bytes] = known) -> bytes | None:
            return known[kinds[start // 256]] if end - start == 256 and start % 256 == 0 else None

        sides.append(Tree(name, lambda i: LEAF_TAG + PATTERNS[kinds[i // 256]][i % 256], whole))
    return tiles.reader(load), Twin(*sides)


def root_of(full: Flat) -> TwinDigest:
    for _ in range(tiles.HEIGHT):
        full = merkle.parents(full)
    return merkle.hash_at(full, 0)


def test_large__random_indices_of_random_sizes_to_2_24__both_proofs() -> None:
    read, oracle = large()
    draw = random.Random(9162)
    sizes = [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 2**23, 2**24 - 1, 2**24, 10_000_000]
    for size in sizes + [draw.randrange(1, LARGE + 1) >> draw.choice((0, 0, 4, 12)) or 1 for _ in range(few(150))]:
        for index in (0, size - 1, draw.randrange(size)):
            check_inclusion(read, oracle, index, size, LARGE)
        check_consistency(read, oracle, draw.randrange(size + 1), size)


def test_large__different_leaves_through_the_edge__roots_as_a_stack_of_nodes_says() -> None:
    last = 2**24 if NIGHT else 2**16
    marks = {2**15 + 1, 2**16, 10_000_000, last}
    edge, stack = Edge(), dict[str, list[tuple[int, bytes]]](sha256=[], sm3=[])
    for start in range(0, last, 65_536):
        leaves = [hashlib.sha256(b"%d" % i).digest() * 2 for i in range(start, start + 65_536)]
        for end in sorted({mark - start for mark in marks if start < mark <= start + 65_536} | {65_536}):
            list(edge.extend(leaves[edge.size - start : end]))
            for name, nodes in stack.items():
                for leaf in leaves[sum(1 << height for height, _ in nodes) - start : end]:
                    hash_, height = hashlib.new(name, b"\0" + LEAF_TAG + leaf).digest(), 0
                    while nodes and nodes[-1][0] == height:
                        hash_, height = hashlib.new(name, b"\1" + nodes.pop()[1] + hash_).digest(), height + 1
                    nodes.append((height, hash_))
            if start + end in marks:
                for name, nodes in stack.items():
                    root = nodes[-1][1]
                    for _, left in reversed(nodes[:-1]):
                        root = hashlib.new(name, b"\1" + left + root).digest()
                    assert getattr(edge.root(), name) == root


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0/000", Address(0, 0, 256, False)),
        ("2/007.p/255", Address(2, 7, 255, False)),
        ("0/x001/x234/067", Address(0, 1_234_067, 256, False)),
        ("entries/x001/000.p/1", Address(0, 1000, 1, True)),
        ("63/999", Address(63, 999, 256, False)),
    ],
)
def test_address__both_ways(text: str, address: Address) -> None:
    assert Address.of_text(text) == address
    assert address.text() == text


@given(st.integers(0, 63), st.integers(0, 10**20), st.integers(1, 256), st.booleans())
def test_address__any__reads_back(level: int, position: int, width: int, entries: bool) -> None:
    address = Address(0 if entries else level, position, width, entries)
    assert Address.of_text(address.text()) == address


WRONG = (
    "", "0", "0/", "/000", "0/0", "0/00", "0/0000", "0/x000/001", "0/x01/001", "0/001/001", "0/x001", "0/x001/x001",
    "00/000", "01/000", "64/000", "-1/000", "8.0/000", "0/-01", "0/000.p", "0/000.p/", "0/000.p/0", "0/000.p/01",
    "0/000.p/256", "0/000.p/999", "0/000.p/1000", "0/000.p/-1", "0/000/p/1", "0/000.p/1/", "0/000\n", "0/٠٠٠",
    "٠/000", "entries", "entries/", "entries/0/000", "Entries/000", "data/000", "0/000.P/1", "0/X001/000", "0/000%00",
    "../0/000",
    "0/" + "x001/" * 7 + "001",
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_address__any_other_form__none(text: str) -> None:
    assert Address.of_text(text) is None


@given(st.text(alphabet="0123456789x/.pentris", max_size=30))
@settings(max_examples=few(300))
def test_address__random_text__none_or_its_own_form(text: str) -> None:
    address = Address.of_text(text)
    assert address is None or address.text() == text


def test_within__widths_the_tree_had_at_some_size() -> None:
    for level, size in ((0, 300), (1, 300 * 256), (2, 300 * 65_536 + 65_535)):
        for width in range(1, 257):
            assert Address(level, 0, width, False).within(size)
            assert Address(level, 1, width, False).within(size) == (width <= 44)
            assert not Address(level, 2, width, False).within(size)
            assert not Address(level + 1, 1, width, False).within(size)
        assert (tiles.count(level, size), tiles.count(level + 1, size), tiles.count(level + 2, size)) == (2, 1, 0)
    assert not Address(63, 0, 1, False).within(2**53)
    assert (tiles.count(-1, 300), tiles.count(2**62, 300)) == (0, 0)
