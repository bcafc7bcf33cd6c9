"""Making a bundle: only of what is published, and reading one strictly."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ledger import bundle, canonical, store
from ledger.bundle import Bundle, NotPublished
from ledger.errors import Erased, FieldError, Malformed, UnknownFact
from tests.ledger.builders import NOW, World, state

PARTS = [b"[1]", b"[2]", b"[3]"]


@pytest.fixture
def published(world: World, session: Session) -> Bundle:
    for i in range(3):
        state(session, "entry/v1", f"entry:{i}", {"x": i}, "party:A")
    fact = state(session, "batch/v1", "batch:1", {}, "party:A", parts=PARTS)
    world.publish(session)
    return bundle.assemble(session, fact.id, parts=[1])


def test_assemble__waiting_integrated_sealed_but_not_anchored__not_published(world: World, session: Session) -> None:
    fact = state(session, "entry/v1", "entry:1", {}, "party:A")
    with pytest.raises(NotPublished, match="sequenced"):
        bundle.assemble(session, fact.id)
    world.seal(session)
    with pytest.raises(NotPublished, match="integrated"):
        bundle.assemble(session, fact.id)


def test_assemble__after_the_newest_published_head__not_published_yet(world: World, session: Session) -> None:
    old = state(session, "entry/v1", "entry:1", {}, "party:A")
    world.publish(session)
    new = state(session, "entry/v1", "entry:2", {}, "party:A")
    world.seal(session, at=NOW + 1)
    assert bundle.assemble(session, old.id).main.fact == old
    with pytest.raises(NotPublished):
        bundle.assemble(session, new.id)


def test_assemble__unknown_or_erased__says_so(world: World, session: Session) -> None:
    fact = state(session, "entry/v1", "entry:1", {}, "party:A")
    world.publish(session)
    with pytest.raises(UnknownFact):
        bundle.assemble(session, "0" * 64)
    store.erase(session, fact.id)
    with pytest.raises(Erased):
        bundle.assemble(session, fact.id)


@pytest.mark.parametrize("part", [-1, 3, 99])
def test_assemble__part_that_does_not_exist__names_the_range(session: Session, published: Bundle, part: int) -> None:
    with pytest.raises(FieldError, match="0…2"):
        bundle.assemble(session, published.main.fact.id, parts=[part])


def test_bytes__same_values_same_bytes(published: Bundle) -> None:
    data = published.bytes()
    assert data == canonical.encode(published.document()) + b"\n"
    assert Bundle.of_bytes(data).bytes() == data
    assert b"trust" not in data


GONE = object()
MALFORMED: list[tuple[tuple[Any, ...], Any, str]] = [
    (("format",), "shuqing-bundle/v2", "bundle.format"),
    (("extra",), 1, "bundle.extra"),
    (("digest",), "00", "bundle.digest"),
    (("head",), [], "bundle.head"),
    (("head", "note"), "text", "bundle.head.note"),
    (("head", "note"), [1], "bundle.head.note[0]"),
    (("head", "keys"), {}, "bundle.head.keys"),
    (("chain", "tx"), GONE, "bundle.chain.tx"),
    (("chain", "tx"), "0x" + "AB" * 32, "bundle.chain.tx"),
    (("chain", "block"), -1, "bundle.chain.block"),
    (("chain", "block"), "1", "bundle.chain.block"),
    (("chain", "contract"), 1, "bundle.chain.contract"),
    (("chain", "contract"), "0x" + "Ab" * 20, "bundle.chain.contract"),
    (("chain", "chain_id"), True, "bundle.chain.chain_id"),
    (("entry", "index"), -1, "bundle.entry.index"),
    (("entry", "index"), GONE, "bundle.entry.index"),
    (("entry", "path"), [], "bundle.entry.path"),
    (("entry", "path", "sha256"), 1, "bundle.entry.path.sha256"),
    (("entry", "path", "sha256"), "AAAA", "bundle.entry.path.sha256"),
    (("entry", "path", "sm3"), "*", "bundle.entry.path.sm3"),
    (("entry", "path", "sm3"), "A" * 44 * 100, "bundle.entry.path.sm3"),
    (("entry", "path", "md5"), "", "bundle.entry.path.md5"),
    (("supports",), {}, "bundle.supports"),
    (("supports",), [{}], "bundle.supports[0].entry"),
    (("supports",), [1] * 33, "bundle.supports"),
    (("supports",), [{"entry": 1, "fact": 1}], "bundle.supports[0].entry"),
    (("parts",), [], "bundle.parts"),
    (("parts",), {}, "bundle.parts"),
    (("part",), {}, "bundle.part"),
    (("parts", 0, "data"), 1, "bundle.parts[0].data"),
    (("parts", 0, "index"), "1", "bundle.parts[0].index"),
    (("parts", 0, "path", "sm3"), GONE, "bundle.parts[0].path"),
    (("fact",), [], "bundle.fact"),
    (("fact", "id"), "00", "bundle.fact.id"),
]


@pytest.mark.parametrize(
    ("path", "value", "field"), MALFORMED, ids=[".".join(map(str, m[0])) + f"-{i}" for i, m in enumerate(MALFORMED)]
)
def test_of_bytes__malformed__refused_by_the_name_of_its_field(
    published: Bundle, path: tuple[Any, ...], value: Any, field: str
) -> None:
    document = copy.deepcopy(published.document())
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    if value is GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    with pytest.raises(FieldError) as refused:
        Bundle.of_bytes(canonical.encode(document))
    assert refused.value.field == field


def test_of_bytes__larger_than_a_mebibyte__refused_unread() -> None:
    with pytest.raises(FieldError, match="1048576"):
        Bundle.of_bytes(b" " * (1024 * 1024 + 1))


@pytest.mark.parametrize("data", [b"", b"null", b"{}", b"[]", b"7"])
def test_of_bytes__not_a_bundle__refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Bundle.of_bytes(data)
