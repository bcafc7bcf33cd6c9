"""A map of every subject to how many facts it has and which is the last: one path proves "all of X" or "none of X".

It is a sparse Merkle map (decisions D8). A subject's key is the twin digest of its name, 512 bits that say where it
stands: 0 left, 1 right, from the root down. A subtree without subjects is EMPTY, one with a single subject is that
subject's leaf, any other is the hash of its two halves; so a path is about log2(n) steps long and not 512:

    key    SHA-256(t) ‖ SM3(t)                              t = "shuqing/map-key/v1" 0x00 subject
    leaf   H("shuqing/map-leaf/v1" 0x00 key ‖ acts ‖ last)  acts: how many, 8 bytes big-endian
                                                            last: SHA-256 ‖ SM3 of the last act's statement
    node   H("shuqing/map-node/v1" 0x00 left ‖ right)
    EMPTY  H("shuqing/map-empty/v1" 0x00)

each computed twice, with H = SHA-256 over the SHA-256 halves and with H = SM3 over the SM3 halves. Leaf, node and EMPTY
are told apart by their tags, so under one root the way a key points to ends in one thing only: the subject's own leaf,
the leaf of another subject, or EMPTY. The last two prove absence. The acts of a subject are linked by `prev`, so number
and last digest fix every one of them.

The functions are pure. They see a map through `Nodes`, in memory or in a table; a subtree of at most `BUCKET` subjects
is never stored but hashed again from its leaves. Inside this file a twin digest is 64 bytes, SHA-256 ‖ SM3.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, Protocol

from ledger.digest import TwinDigest, sha256, sm3, tagged

KEY_TAG, LEAF_TAG, NODE_TAG, EMPTY_TAG = (
    b"shuqing/map-key/v1\x00",
    b"shuqing/map-leaf/v1\x00",
    b"shuqing/map-node/v1\x00",
    b"shuqing/map-empty/v1\x00",
)
EMPTY = sha256(EMPTY_TAG) + sm3(EMPTY_TAG)
_key_hash, _leaf_hash, _node_hash = tagged(KEY_TAG), tagged(LEAF_TAG), tagged(NODE_TAG)
BITS = 512
BUCKET = 16
"""A subtree of more subjects than this is kept as a node."""
DEEPEST = 60
"""Nodes further down are not kept either: a position then fits 62 bits."""
ROOT = 1
"""Position of the root. A position is a 1 followed by the path's bits: its halves are 2p and 2p + 1."""


class Leaf(NamedTuple):
    """One subject: its key, how many facts it has, and the twin digest (64 bytes) of its last statement."""

    key: bytes
    acts: int
    last: bytes


by_key = itemgetter(0)
"""The order of leaves, told faster than by comparing whole ones."""


class Nodes(Protocol):
    """What is known of a map at one moment."""

    def node(self, position: int) -> bytes | None:
        """Hash of the subtree at `position` if it is kept."""

    def leaves(self, position: int) -> Sequence[Leaf]:
        """Every leaf of that subtree, by key; asked only where no node is kept."""


def key_of(subject: str) -> bytes:
    """Where a subject stands in the map: 64 bytes."""
    name = subject.encode()
    return _key_hash(name, name)


def joined(digest: TwinDigest) -> bytes:
    """A twin digest as the map keeps it."""
    return digest.sha256 + digest.sm3


def parted(value: bytes) -> TwinDigest:
    """The other way round. Raises `FieldError` for another length than 64."""
    return TwinDigest(value[:32], value[32:])


def leaf_hash(leaf: Leaf) -> bytes:
    """Hash of a subject's leaf; both sides bind both digests."""
    key, acts, last = leaf
    data = key + acts.to_bytes(8, "big") + last
    return _leaf_hash(data, data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a subtree with at least two subjects."""
    return _node_hash(left[:32] + right[:32], left[32:] + right[32:])


def bit(key: bytes, depth: int) -> int:
    """Which half of the subtree at `depth` the key points to."""
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def hash_of(leaves: Sequence[Leaf], depth: int = 0, kept: dict[int, bytes] | None = None) -> bytes:
    """Hash of the subtree at `depth` holding exactly these leaves (sorted by key); nodes worth keeping are put into
    `kept`.

    One walk from left to right, which hashes a node as soon as both its halves are done: a node of two halves stands
    where neighbouring keys part, and above it, up to the next parting, the other half is EMPTY.
    """
    if not leaves:
        return EMPTY
    top = depth - 1
    # Left halves that wait for their right one: depth of the node, place of its first leaf, hash of the half.
    waiting: list[tuple[int, int, bytes]] = []
    value = EMPTY
    for place, (leaf, number, parting) in enumerate(_parted(leaves, top)):
        value, first = leaf_hash(leaf), place
        while waiting and waiting[-1][0] > parting:
            deepest, first, other = waiting.pop()
            for level in range(deepest, max(waiting[-1][0] if waiting else top, parting), -1):
                value = node_hash(other, value) if number >> BITS - 1 - level & 1 else node_hash(value, other)
                if kept is not None and place - first >= BUCKET and level <= DEEPEST:
                    kept[1 << level | number >> BITS - level] = value
                other = EMPTY
        if parting > top:
            waiting.append((parting, first, value))
    return value


def _parted(leaves: Sequence[Leaf], top: int) -> Iterator[tuple[Leaf, int, int]]:
    """Each leaf, its key as a number, and the depth at which the next leaf's way parts from its own; `top` for none."""
    this = int.from_bytes(leaves[0].key, "big")
    for leaf, after in pairwise(leaves):
        next_ = int.from_bytes(after.key, "big")
        yield leaf, this, BITS - (this ^ next_).bit_length()
        this = next_
    yield leaves[-1], this, top


def update(nodes: Nodes, changes: Iterable[Leaf]) -> tuple[bytes, dict[int, bytes]]:
    """The root after these leaves were added or replaced, and every kept node that changed, by position."""
    kept: dict[int, bytes] = {}
    return _grown(nodes, ROOT, 0, sorted(changes, key=by_key), kept), kept


def prove(nodes: Nodes, key: bytes) -> tuple[Leaf | None, list[bytes]]:
    """The leaf that the key's way ends at (None: EMPTY), and the siblings along the way, nearest to it first."""
    siblings: list[bytes] = []
    position, depth = ROOT, 0
    while nodes.node(position) is not None:
        turn = bit(key, depth)
        position, depth = 2 * position + turn, depth + 1
        siblings.append(_subtree(nodes, position ^ 1, depth))
    leaves = nodes.leaves(position)
    while len(leaves) > 1:
        cut = _cut(leaves, depth)
        left, right = leaves[:cut], leaves[cut:]
        leaves, other = (right, left) if bit(key, depth) else (left, right)
        depth += 1
        siblings.append(hash_of(other, depth))
    return (leaves[0] if leaves else None), siblings[::-1]


def root_of_path(key: bytes, leaf: Leaf | None, siblings: Sequence[bytes]) -> bytes | None:
    """The root to which the key's way leads from `leaf` (None: EMPTY), or None if that leaf does not lie on it."""
    depth = len(siblings)
    if depth > BITS or (leaf is not None and any(bit(leaf.key, i) != bit(key, i) for i in range(depth))):
        return None
    value = EMPTY if leaf is None else leaf_hash(leaf)
    for sibling in siblings:
        depth -= 1
        value = node_hash(sibling, value) if bit(key, depth) else node_hash(value, sibling)
    return value


class MemoryMap:
    """A map held whole in memory, for an audit or a test."""

    def __init__(self) -> None:
        self._nodes: dict[int, bytes] = {}
        self._leaves: dict[bytes, Leaf] = {}
        self._keys: list[bytes] = []

    def __len__(self) -> int:
        return len(self._keys)

    def node(self, position: int) -> bytes | None:
        return self._nodes.get(position)

    def leaves(self, position: int) -> list[Leaf]:
        first, last = span(position)
        keys = self._keys[bisect_left(self._keys, first) : bisect_right(self._keys, last)]
        return [self._leaves[key] for key in keys]

    def update(self, changes: Sequence[Leaf]) -> tuple[bytes, dict[int, bytes]]:
        """Applies the changes; answers what `completeness.update` does."""
        root, kept = update(self, changes)
        fresh = [leaf.key for leaf in changes if leaf.key not in self._leaves]
        if len(fresh) > 100:
            self._keys = sorted(self._keys + fresh)
        else:
            for key in fresh:
                insort(self._keys, key)
        self._leaves |= {leaf.key: leaf for leaf in changes}
        self._nodes |= kept
        return root, kept


def span(position: int) -> tuple[bytes, bytes]:
    """The smallest and the largest key of the subtree at `position`."""
    depth = position.bit_length() - 1
    first = (position - (1 << depth)) << (BITS - depth)
    return first.to_bytes(64, "big"), (first + (1 << (BITS - depth)) - 1).to_bytes(64, "big")


def way(key: bytes, depth: int) -> int:
    """The position at `depth` (at most 64) on the key's way."""
    return 1 << depth | int.from_bytes(key[:8], "big") >> (64 - depth)


def _grown(nodes: Nodes, position: int, depth: int, changes: Sequence[Leaf], kept: dict[int, bytes]) -> bytes:
    if not changes:
        return _subtree(nodes, position, depth)
    if nodes.node(position) is None:
        return hash_of(_merged(nodes.leaves(position), changes), depth, kept)
    cut = _cut(changes, depth)
    left = _grown(nodes, 2 * position, depth + 1, changes[:cut], kept)
    right = _grown(nodes, 2 * position + 1, depth + 1, changes[cut:], kept)
    kept[position] = node_hash(left, right)
    return kept[position]


def _subtree(nodes: Nodes, position: int, depth: int) -> bytes:
    stored = nodes.node(position)
    return hash_of(nodes.leaves(position), depth) if stored is None else stored


def _merged(old: Sequence[Leaf], new: Sequence[Leaf]) -> Sequence[Leaf]:
    if not old:
        return new
    return sorted(({leaf.key: leaf for leaf in old} | {leaf.key: leaf for leaf in new}).values(), key=by_key)


def _cut(leaves: Sequence[Leaf], depth: int) -> int:
    byte, shift = depth >> 3, 7 - (depth & 7)
    if leaves[0].key[byte] >> shift & 1:
        return 0
    if not leaves[-1].key[byte] >> shift & 1:
        return len(leaves)
    if len(leaves) == 2:
        return 1
    return bisect_left(leaves, 1, key=lambda leaf: leaf.key[byte] >> shift & 1)
