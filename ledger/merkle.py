"""RFC 9162 (and 6962) Merkle trees, kept for both hashes at once.

A leaf is hashed with prefix 0x00, an interior node with 0x01, so an interior node can never pass for a leaf. A proof
carries index and size. The functions take a `read(level, index)` that answers the hash of a *complete* subtree of
2^level leaves: a list in memory or the tiles of `ledger.tiles` serve alike, and no proof asks for more than O(log n).

Many hashes at once are kept flat: 32 bytes each, one after the other, one byte string for each algorithm (`Flat`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ledger.digest import LEAF_TAG, TwinDigest, leaf, sha256, sm3, twin

Read = Callable[[int, int], TwinDigest]
Flat = tuple[bytes, bytes]
"""Hashes of neighbouring places: SHA-256 side and SM3 side, 32 bytes a place."""

EMPTY = twin(b"")

_LEAF = b"\x00" + LEAF_TAG
_NODE = b"\x01"
# A copied state costs less than a new one, and SM3's costs far less.
_SHA256_LEAF, _SM3_LEAF = hashlib.sha256(_LEAF), hashlib.new("sm3", _LEAF)
_SHA256_NODE, _SM3_NODE = hashlib.sha256(_NODE), hashlib.new("sm3", _NODE)


def leaf_hash(digest: TwinDigest) -> TwinDigest:
    """Hash of the leaf that stands for a fact or part with this twin digest."""
    data = b"\x00" + leaf(digest)
    return TwinDigest(sha256(data), sm3(data))


def node_hash(left: TwinDigest, right: TwinDigest) -> TwinDigest:
    """Hash of an interior node."""
    return TwinDigest(sha256(_NODE + left.sha256 + right.sha256), sm3(_NODE + left.sm3 + right.sm3))


def leaf_hashes(digests: Sequence[bytes]) -> Flat:
    """Leaf hashes of many facts or parts, each given as SHA-256 ‖ SM3 (64 bytes)."""
    return _hashes(_SHA256_LEAF, digests), _hashes(_SM3_LEAF, digests)


def parents(hashes: Flat) -> Flat:
    """The level above: a node for each two neighbours; a last one without neighbour has none yet."""
    left, right = hashes
    return _hashes(_SHA256_NODE, _pairs(left)), _hashes(_SM3_NODE, _pairs(right))


def hash_at(hashes: Flat, index: int) -> TwinDigest:
    """The hash at one place. Raises `IndexError` if there is none."""
    start = 32 * index
    if not 0 <= start < len(hashes[0]):
        raise IndexError(index)
    return TwinDigest(hashes[0][start : start + 32], hashes[1][start : start + 32])


def _pairs(hashes: bytes) -> Iterator[bytes]:
    return (hashes[start : start + 64] for start in range(0, len(hashes) - 63, 64))


def _hashes(prefixed: Any, items: Iterable[bytes]) -> bytes:
    found = []
    for item in items:
        state = prefixed.copy()
        state.update(item)
        found.append(state.digest())
    return b"".join(found)


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (RFC 9162 section 2.1.1)."""
    return 1 << (size - 1).bit_length() - 1


def subtree(read: Read, start: int, end: int) -> TwinDigest:
    """Root over the leaves start..end-1, where start is a multiple of the smallest power of two ≥ end-start."""
    size = end - start
    if size & (size - 1) == 0:
        return read(size.bit_length() - 1, start >> (size.bit_length() - 1))
    cut = start + _split(size)
    return node_hash(subtree(read, start, cut), subtree(read, cut, end))


def root(read: Read, size: int) -> TwinDigest:
    """Root of the first `size` leaves; of none, the hash of the empty string."""
    return subtree(read, 0, size) if size else EMPTY


def inclusion_path(read: Read, index: int, size: int) -> list[TwinDigest]:
    """Audit path of leaf `index` in the tree of `size` leaves, nearest sibling first (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < size:
        raise IndexError(f"{index} not in a tree of {size}")
    path: list[TwinDigest] = []
    start, end = 0, size
    while end - start > 1:
        cut = start + _split(end - start)
        if index < cut:
            path.append(subtree(read, cut, end))
            end = cut
        else:
            path.append(subtree(read, start, cut))
            start = cut
    return path[::-1]


def root_of_path(hash_: TwinDigest, index: int, size: int, path: Sequence[TwinDigest]) -> TwinDigest | None:
    """The root that `path` leads to from leaf hash `hash_`, or None if the path cannot belong to (index, size).

    RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    node, last, result = index, size - 1, hash_
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    return result if last == 0 else None


def verify_inclusion(
    hash_: TwinDigest, index: int, size: int, path: Sequence[TwinDigest], expected: TwinDigest
) -> bool:
    """Is the leaf hash at `index` of the tree of `size` with root `expected`? Both hashes must agree."""
    return root_of_path(hash_, index, size, path) == expected


def consistency_path(read: Read, first: int, second: int) -> list[TwinDigest]:
    """Proof that the tree of `second` leaves extends that of `first` (RFC 9162 section 2.1.4.1)."""
    if not 0 <= first <= second:
        raise IndexError(f"{first} > {second}")
    if first in (0, second):
        return []
    path: list[TwinDigest] = []
    start, end, whole = 0, second, True
    while first != end:
        cut = start + _split(end - start)
        if first <= cut:
            path.append(subtree(read, cut, end))
            end = cut
        else:
            path.append(subtree(read, start, cut))
            start, whole = cut, False
    if not whole:
        path.append(subtree(read, start, end))
    return path[::-1]


def verify_consistency(first: int, second: int, old: TwinDigest, new: TwinDigest, path: Sequence[TwinDigest]) -> bool:
    """Does the tree (second, new) extend (first, old)? RFC 9162 section 2.1.4.2."""
    if first == second:
        return old == new and not path
    if first == 0:
        return old == EMPTY and not path
    if not 0 < first < second or not path:
        return False
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, old)
    node, last = first - 1, second - 1
    while node & 1:
        node >>= 1
        last >>= 1
    left = right = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            left = node_hash(step, left)
            right = node_hash(step, right)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            right = node_hash(right, step)
        node >>= 1
        last >>= 1
    return last == 0 and left == old and right == new


def root_over(leaves: Sequence[bytes], digest: Callable[[bytes], bytes]) -> bytes:
    """Root over these leaf bytes under one hash, nothing kept on the way: what a fact with many parts commits to."""
    level = list(map(digest, [b"\x00" + data for data in leaves]))
    while len(level) > 1:
        odd = level[-1:] if len(level) & 1 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [*map(digest, [b"\x01" + left + right for left, right in pairs]), *odd]
    return level[0] if level else digest(b"")


def paths_over(leaves: Sequence[bytes], digest: Callable[[bytes], bytes]) -> tuple[bytes, list[bytes]]:
    """`root_over` and the audit path of every leaf: its hashes one after the other, nearest sibling first. A node
    without a neighbour goes up as it is, so a leaf's place among the nodes of a level is its index without low bits."""
    nodes = list(map(digest, [b"\x00" + data for data in leaves]))
    steps: list[list[bytes]] = [[] for _ in leaves]
    level = 0
    while len(nodes) > 1:
        for index, path in enumerate(steps):
            sibling = index >> level ^ 1
            if sibling < len(nodes):
                path.append(nodes[sibling])
        odd = nodes[-1:] if len(nodes) & 1 else []
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        nodes = [*map(digest, [b"\x01" + left + right for left, right in pairs]), *odd]
        level += 1
    return (nodes[0] if nodes else digest(b"")), list(map(b"".join, steps))


class MemoryTree:
    """A small tree held whole in memory, for proofs: the parts of one fact, or a test."""

    __slots__ = ("_levels", "size")

    def __init__(self, digests: Sequence[TwinDigest]) -> None:
        self.size = len(digests)
        self._levels = [leaf_hashes([digest.sha256 + digest.sm3 for digest in digests])]
        for _ in range(1, self.size.bit_length()):
            self._levels.append(parents(self._levels[-1]))

    def read(self, level: int, index: int) -> TwinDigest:
        return hash_at(self._levels[level], index)

    def root(self) -> TwinDigest:
        return root(self.read, self.size)

    def path(self, index: int) -> list[TwinDigest]:
        return inclusion_path(self.read, index, self.size)
