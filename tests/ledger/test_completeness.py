"""The map of subjects against its definition, written down once more: five lines over a plain dictionary.

We check every subject and many absent ones after every change, because a map that proves most things proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import completeness
from ledger.completeness import BITS, EMPTY, Leaf, MemoryMap
from tests.counts import few


def both(data: bytes) -> bytes:
    return hashlib.sha256(data).digest() + hashlib.new("sm3", data).digest()


def defined(leaves: Mapping[str, bytes]) -> bytes:
    """Root over {way as 512 characters: leaf hash}: nothing is EMPTY, one is itself, more are the two halves."""
    if len(leaves) < 2:
        return next(iter(leaves.values()), both(b"shuqing/map-empty/v1\x00"))
    left, right = (defined({way[1:]: leaf for way, leaf in leaves.items() if way[0] == side}) for side in "01")
    data = b"shuqing/map-node/v1\x00"
    return both(data + left[:32] + right[:32])[:32] + both(data + left[32:] + right[32:])[32:]


def way(key: bytes) -> str:
    return f"{int.from_bytes(key, 'big'):0512b}"


def leaf(subject: str, count: int = 1) -> Leaf:
    return Leaf(completeness.key_of(subject), count, both(f"{subject}#{count}".encode()))


def root_by_definition(leaves: Sequence[Leaf]) -> bytes:
    tag = b"shuqing/map-leaf/v1\x00"
    return defined({way(x.key): both(tag + x.key + x.acts.to_bytes(8, "big") + x.last) for x in leaves})


def filled(*leaves: Leaf) -> tuple[MemoryMap, bytes]:
    made = MemoryMap()
    return made, made.update(leaves)[0]


def test_key__both_digests_of_the_tagged_name() -> None:
    assert completeness.key_of("act:1") == both(b"shuqing/map-key/v1\x00act:1")
    assert both(b"shuqing/map-empty/v1\x00") == EMPTY


@pytest.mark.parametrize("size", range(66))
def test_root_and_proofs__every_size_to_65__as_defined(size: int) -> None:
    """Present and absent subjects; sizes pass the bucket limit, so kept nodes and hashed-again subtrees both occur."""
    leaves = [leaf(f"act:{i}") for i in range(size)]
    made, root = filled(*leaves)
    assert root == root_by_definition(leaves)
    for i in range(size + 10):
        key = completeness.key_of(f"act:{i}")
        found, siblings = completeness.prove(made, key)
        assert completeness.root_of_path(key, found, siblings) == root
        assert (found == leaves[i]) if i < size else (found is None or found.key != key)


@settings(max_examples=few(40), deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=25), max_size=12))
def test_update__any_batches__the_same_root_as_all_at_once(batches: list[list[tuple[int, int]]]) -> None:
    made, model = MemoryMap(), {}
    for batch in batches:
        changes = {i: leaf(f"act:{i}", count) for i, count in batch}
        root, kept = made.update(list(changes.values()))
        model |= changes
        assert root == root_by_definition(list(model.values()))
        whole: dict[int, bytes] = {}
        completeness.hash_of(sorted(model.values()), kept=whole)
        assert whole == made._nodes
        assert kept.items() <= whole.items()


class Sharing:
    """Keys made by hand that agree in their first `bits` bits: nobody can find such names, so nobody tried them."""

    @staticmethod
    def leaf(bits: int, low: int) -> Leaf:
        value = (1 << BITS) - (1 << BITS - bits) | low
        return Leaf(value.to_bytes(64, "big"), 1, both(b"%d" % low))


@pytest.mark.parametrize("bits", [0, 1, 8, 59, 60, 61, 255, 256, 500])
def test_deep__keys_that_agree_in_many_bits__as_defined(bits: int) -> None:
    leaves = [Sharing.leaf(bits, low) for low in range(40)]
    made, root = filled(*leaves)
    assert root == root_by_definition(leaves)
    assert max(made._nodes).bit_length() <= 62
    for given_ in (*leaves, Sharing.leaf(bits, 99)):
        found, siblings = completeness.prove(made, given_.key)
        assert completeness.root_of_path(given_.key, found, siblings) == root
        assert (found == given_) is (given_ in leaves)


def test_forged__count_digest_key_and_siblings__another_root() -> None:
    leaves = [leaf(f"act:{i}", 3) for i in range(40)]
    made, root = filled(*leaves)
    key = leaves[0].key
    found, siblings = completeness.prove(made, key)
    assert found == leaves[0]
    flipped = bytes([found.last[0] ^ 1]) + found.last[1:]
    forgeries: dict[str, tuple[Any, Any]] = {
        "fewer": (found._replace(acts=2), siblings),
        "more": (found._replace(acts=4), siblings),
        "another last act": (found._replace(last=flipped), siblings),
        "another sm3 side": (found._replace(last=found.last[:-1] + b"\x00"), siblings),
        "nothing there": (None, siblings),
        "an empty subtree further up": (None, siblings[1:]),
        "another subject's leaf": (leaves[1], siblings),
        "a sibling less": (found, siblings[1:]),
        "a sibling more": (found, [EMPTY, *siblings]),
        "one sha256 bit": (found, [bytes([siblings[0][0] ^ 1]) + siblings[0][1:], *siblings[1:]]),
        "one sm3 bit": (found, [siblings[0][:-1] + bytes([siblings[0][-1] ^ 1]), *siblings[1:]]),
        "too long": (found, siblings + [EMPTY] * BITS),
    }
    for name, (claimed, steps) in forgeries.items():
        assert completeness.root_of_path(key, claimed, steps) != root, name


def test_forged__a_node_as_a_leaf_or_a_leaf_off_its_way__refused() -> None:
    """A neighbour's leaf proves absence only where the way of the asked key really ends at it."""
    leaves = [leaf(f"act:{i}") for i in range(40)]
    made, root = filled(*leaves)
    for asked in leaves[:10]:
        for other in leaves:
            _, siblings = completeness.prove(made, other.key)
            if other != asked:
                assert completeness.root_of_path(asked.key, other, siblings) != root


def test_span_and_way__cover_their_keys() -> None:
    key = completeness.key_of("act:1")
    for depth in range(65):
        first, last = completeness.span(completeness.way(key, depth))
        assert first <= key <= last
    assert completeness.span(completeness.ROOT) == (bytes(64), b"\xff" * 64)
