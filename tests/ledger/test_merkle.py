"""RFC 9162 trees, exhaustively for every index of every size up to 65, against a naive tree and pymerkle."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pymerkle import InmemoryTree

from ledger import merkle
from ledger.digest import LEAF_TAG, TwinDigest, leaf, sha256, sm3, twin
from ledger.merkle import (
    MemoryTree,
    leaf_hash,
    node_hash,
    paths_over,
    root_of_path,
    root_over,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.rfc9162 import Twin, h

LIMIT = 65
DIGESTS = [twin(b"leaf %d" % i) for i in range(LIMIT)]
TREE = MemoryTree(DIGESTS)


DATA = [LEAF_TAG + digest.sha256 + digest.sm3 for digest in DIGESTS]
ORACLE = Twin.over(DATA.__getitem__)
ROOTS = [ORACLE.root(n) for n in range(LIMIT + 1)]


def test_root__every_size__is_the_naive_root() -> None:
    assert [merkle.root(TREE.read, n) for n in range(LIMIT + 1)] == ROOTS
    assert [MemoryTree(DIGESTS[:n]).root() for n in range(LIMIT + 1)] == ROOTS
    leaves = [leaf(digest) for digest in DIGESTS]
    for hash_, side in ((sha256, "sha256"), (sm3, "sm3")):
        assert [root_over(leaves[:n], hash_) for n in range(LIMIT + 1)] == [getattr(root, side) for root in ROOTS]
        for n in range(1, LIMIT + 1):
            root_, paths = paths_over(leaves[:n], hash_)
            assert root_ == getattr(ROOTS[n], side)
            for index, path in enumerate(paths):
                steps = merkle.inclusion_path(TREE.read, index, n)
                assert path == b"".join(getattr(step, side) for step in steps)


def test_inclusion__every_index_of_every_size__the_naive_path_and_no_other() -> None:
    for size in range(1, LIMIT + 1):
        for index in range(size):
            path = merkle.inclusion_path(TREE.read, index, size)
            assert path == ORACLE.path(index, size)
            hash_ = leaf_hash(DIGESTS[index])
            assert verify_inclusion(hash_, index, size, path, ROOTS[size])
            assert not verify_inclusion(hash_, index, size, path, ROOTS[size - 1])
            assert not verify_inclusion(hash_, index, size, [*path, ROOTS[0]], ROOTS[size])
            if path:
                assert not verify_inclusion(hash_, index, size, path[:-1], ROOTS[size])
                assert not verify_inclusion(hash_, index, size, [], ROOTS[size])
            for wrong in {0, index - 1, index + 1, size - 1} - {index}:
                assert not verify_inclusion(hash_, wrong, size, path, ROOTS[size])


def test_inclusion__path_offered_for_another_size__never_reaches_that_root() -> None:
    for size in range(1, LIMIT + 1):
        for index in range(0, size, 3):
            path = merkle.inclusion_path(TREE.read, index, size)
            for other in {size - 1, size + 1, 2 * size} - {0}:
                if other <= LIMIT:
                    assert not verify_inclusion(leaf_hash(DIGESTS[index]), index, other, path, ROOTS[other])


def test_consistency__every_pair_of_sizes__the_naive_proof_and_no_other() -> None:
    for second in range(LIMIT + 1):
        for first in range(second + 1):
            path = merkle.consistency_path(TREE.read, first, second)
            assert path == (ORACLE.proof(first, second) if first else [])
            assert verify_consistency(first, second, ROOTS[first], ROOTS[second], path)
            wrong = twin(b"wrong")
            assert not verify_consistency(first, second, wrong, ROOTS[second], path)
            assert not verify_consistency(first, second, ROOTS[first], ROOTS[second], [*path, wrong])
            if path:
                assert not verify_consistency(first, second, ROOTS[first], wrong, path)
                assert not verify_consistency(first, second, ROOTS[first], ROOTS[second], path[:-1])
                assert not verify_consistency(first, second, ROOTS[first], ROOTS[second], [])
                assert not verify_consistency(first, second, ROOTS[first - 1], ROOTS[second], path)


def test_consistency__smaller_new_tree__refused() -> None:
    path = merkle.consistency_path(TREE.read, 3, 8)
    assert not verify_consistency(8, 3, ROOTS[8], ROOTS[3], path)
    assert not verify_consistency(-1, 3, ROOTS[0], ROOTS[3], [])
    with pytest.raises(IndexError):
        merkle.consistency_path(TREE.read, 4, 3)


@pytest.mark.parametrize("side", ["sha256", "sm3"])
def test_proofs__one_hash_of_one_algorithm_altered__refused(side: str) -> None:
    def alter(step: TwinDigest) -> TwinDigest:
        values = {"sha256": step.sha256, "sm3": step.sm3}
        values[side] = bytes([values[side][0] ^ 1]) + values[side][1:]
        return TwinDigest(**values)

    for size in (2, 3, 7, 8, 33, 65):
        for index in range(size):
            path = merkle.inclusion_path(TREE.read, index, size)
            for at in range(len(path)):
                forged = [*path[:at], alter(path[at]), *path[at + 1 :]]
                assert not verify_inclusion(leaf_hash(DIGESTS[index]), index, size, forged, ROOTS[size])
        for first in range(1, size):
            path = merkle.consistency_path(TREE.read, first, size)
            for at in range(len(path)):
                forged = [*path[:at], alter(path[at]), *path[at + 1 :]]
                assert not verify_consistency(first, size, ROOTS[first], ROOTS[size], forged)


def test_inclusion__interior_node_offered_as_a_leaf__refused() -> None:
    """The classic second preimage: two leaves' node, or its preimage, in a tree of half the size."""
    size, half = 8, 4
    pair = node_hash(leaf_hash(DIGESTS[0]), leaf_hash(DIGESTS[1]))
    path = merkle.inclusion_path(TREE.read, 0, size)[1:]
    # The path of the node leads to the root in a tree of 4 "leaves": only the prefix tells node from leaf.
    assert root_of_path(pair, 0, half, path) == ROOTS[size]
    preimages = leaf_hash(DIGESTS[0]), leaf_hash(DIGESTS[1])
    offered = TwinDigest(
        h("sha256", b"\x00" + preimages[0].sha256 + preimages[1].sha256),
        h("sm3", b"\x00" + preimages[0].sm3 + preimages[1].sm3),
    )
    assert not verify_inclusion(offered, 0, half, path, ROOTS[size])
    assert len(leaf(DIGESTS[0])) != 64


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (5, 4)])
def test_inclusion__index_outside_the_tree__no_root(index: int, size: int) -> None:
    assert root_of_path(leaf_hash(DIGESTS[0]), index, size, []) is None
    with pytest.raises(IndexError):
        merkle.inclusion_path(TREE.read, index, size)


def test_pymerkle__same_roots_and_same_paths_for_sha_256() -> None:
    oracle = InmemoryTree(algorithm="sha256")
    for data in DATA:
        oracle.append_entry(data)
    for size in range(1, LIMIT + 1):
        assert oracle.get_root(size) == ROOTS[size].sha256
        for index in range(size):
            proof = oracle.prove_inclusion(index + 1, size)
            path = [step.sha256 for step in merkle.inclusion_path(TREE.read, index, size)]
            assert proof.path[1:] == path
    for first, second in pairwise(range(1, LIMIT + 1, 4)):
        ours = {step.sha256 for step in merkle.consistency_path(TREE.read, first, second)}
        assert ours <= set(oracle.prove_consistency(first, second).path)


def test_memory_tree__every_complete_subtree_and_no_other() -> None:
    for size in (0, 1, 2, 5, 64, 65):
        tree = MemoryTree(DIGESTS[:size])
        for level in range(size.bit_length()):
            for index in range(size >> level):
                assert tree.read(level, index) == TREE.read(level, index)
            with pytest.raises(IndexError):
                tree.read(level, size >> level)


def test_path__reads_only_logarithmically_many_nodes() -> None:
    asked: list[tuple[int, int]] = []

    def read(level: int, index: int) -> TwinDigest:
        asked.append((level, index))
        return twin(b"%d/%d" % (level, index))

    size = 2**40 + 12345
    assert len(merkle.inclusion_path(read, 2**39, size)) <= 41
    merkle.consistency_path(read, 2**39 + 7, size)
    assert len(asked) < 400
