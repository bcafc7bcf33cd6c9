"""Facts out and in: the same facts, heads and roots, or nothing (decisions D2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import archive, canonical, log, merkle, store, tables
from ledger.errors import Erased, Malformed
from ledger.log import Head
from tests.ledger.builders import NOW, ORIGIN, World, state

Lines = list[bytes]


def filled(world: World, *, waiting: int = 2) -> tuple[Lines, list[Any], list[Head]]:
    """Two heads, parts, an erased fact, some facts that still wait; the exported lines."""
    with world.session() as session:
        facts = [state(session, "entry/v1", f"entry:{i}", {"x": i}, "party:A") for i in range(4)]
        facts.append(
            state(session, "batch/v1", "batch:1", {"text": "中"}, "party:A", parts=[b"[1]", '["二"]'.encode()])
        )
        world.seal(session)
        facts += [state(session, "entry/v1", "entry:1", {"x": i}, "party:A") for i in range(3)]
        store.erase(session, facts[2].id)
        world.publish(session, at=NOW + 60)
        facts += [state(session, "entry/v1", f"entry:w{i}", {"x": i}, "party:A") for i in range(waiting)]
        session.commit()
        return list(archive.export(session, ORIGIN)), facts, log.heads(session)


def put_back(lines: Lines) -> tuple[World, Session]:
    world = World()
    session = world.session()
    archive.restore(session, lines)
    return world, session


@pytest.fixture(scope="module")
def exported() -> tuple[Lines, list[Any], list[Head]]:
    world = World()
    found = filled(world)
    world.engine.dispose()
    return found


def test_restore__into_an_empty_database__identical_facts_heads_and_roots(
    exported: tuple[Lines, list[Any], list[Head]],
) -> None:
    lines, facts, heads = exported
    world, session = put_back(lines)
    assert log.heads(session) == heads
    assert store.count(session) == len(facts)
    ids = session.execute(select(tables.entry.c.fact_id).order_by(tables.entry.c.log_index)).scalars().all()
    assert ids == [fact.id for fact in facts]
    for fact in facts:
        if fact == facts[2]:
            with pytest.raises(Erased):
                store.fact(session, fact.id)
        else:
            assert store.fact(session, fact.id).bytes() == fact.bytes()
    assert store.parts_of(session, facts[4].id) == [b"[1]", '["二"]'.encode()]
    for head in heads:
        size = head.checkpoint.size
        assert merkle.root(log.reader(session), size) == head.checkpoint.root
        proof = log.prove(session, facts[2].id, size)
        assert merkle.verify_inclusion(
            merkle.leaf_hash(facts[2].digest()), proof.index, size, proof.path, head.checkpoint.root
        )
    assert store.next_of(session, "entry:1") == (4, facts[7].statement.digest())
    session.close()
    world.engine.dispose()


def test_restore__exported_again__the_same_lines_once_all_is_in_the_tree(
    exported: tuple[Lines, list[Any], list[Head]],
) -> None:
    world, session = put_back(exported[0])
    again = list(archive.export(session, ORIGIN))
    assert again[:-1] == exported[0][:-1]
    other, second = put_back(again)
    assert list(archive.export(second, ORIGIN)) == again
    for made, opened in ((world, session), (other, second)):
        opened.close()
        made.engine.dispose()


def test_export__every_line_is_one_canonical_document(exported: tuple[Lines, list[Any], list[Head]]) -> None:
    for line in exported[0]:
        assert line.endswith(b"\n")
        canonical.decode(line[:-1])
    assert json.loads(exported[0][0]) == {"format": "shuqing-facts/v1", "origin": ORIGIN}


def test_restore__empty_database_of_nothing__round_trip() -> None:
    world = World()
    with world.session() as session:
        lines = list(archive.export(session, ORIGIN))
    with World().session() as session:
        assert archive.restore(session, lines) == (0, 0)
    world.engine.dispose()


def refuse(lines: Lines) -> None:
    world = World()
    with world.session() as session:
        with pytest.raises(Malformed):
            archive.restore(session, lines)
        session.rollback()
        assert store.count(session) == 0
        assert log.size(session) == 0
    world.engine.dispose()


COUNT = 14


def test_restore__cut_after_any_line__refused(exported: tuple[Lines, list[Any], list[Head]]) -> None:
    lines = exported[0]
    assert len(lines) == COUNT
    for end in range(len(lines)):
        refuse(lines[:end])
    refuse([*lines[:-1], lines[-1][:40]])


@pytest.mark.parametrize("at", range(COUNT - 1))
def test_restore__any_line_left_out_doubled_or_moved__refused(
    exported: tuple[Lines, list[Any], list[Head]], at: int
) -> None:
    lines = exported[0]
    refuse(lines[:at] + lines[at + 1 :])
    refuse([*lines[: at + 1], *lines[at:]])
    if at + 2 < COUNT:
        refuse([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])


def test_restore__closing_line_twice_or_followed__refused(exported: tuple[Lines, list[Any], list[Head]]) -> None:
    lines = exported[0]
    refuse([*lines, lines[-1]])
    refuse([*lines, lines[1]])


def edit(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(line)
    change(value)
    return canonical.encode(value) + b"\n"


@pytest.mark.parametrize("at", range(1, COUNT))
def test_restore__any_value_of_any_line_altered__refused(
    exported: tuple[Lines, list[Any], list[Head]], at: int
) -> None:
    lines = exported[0]

    def walk(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if isinstance(value, dict):
            return [p for name in value for p in walk(value[name], (*path, name))]
        if isinstance(value, list):
            return [p for i, item in enumerate(value) for p in walk(item, (*path, i))]
        return [path]

    for path in walk(json.loads(lines[at])):

        def change(value: Any, path: tuple[Any, ...] = path) -> None:
            for step in path[:-1]:
                value = value[step]
            old = value[path[-1]]
            value[path[-1]] = old + 1 if isinstance(old, int) else old[:-1] + ("0" if old[-1:] != "0" else "1")

        refuse([*lines[:at], edit(lines[at], change), *lines[at + 1 :]])


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"[]\n", b"7\n", b'"lines"\n', b"{}\n", b'{"fact":7}\n', b'{"erased":{}}\n', b'{"erased":[1]}\n',
     b'{"head":7}\n', b'{"head":["a"]}\n', b'{"lines":1}\n', b'{"fact":{},"parts":7}\n', b"not json\n", b"\xff\n"],
)  # fmt: skip
def test_restore__strange_line_anywhere__malformed_not_a_crash(
    exported: tuple[Lines, list[Any], list[Head]], line: bytes
) -> None:
    lines = exported[0]
    for at in (0, 1, 7, COUNT - 1):
        refuse([*lines[:at], line, *lines[at:]])
        refuse([*lines[:at], line, *lines[at + 1 :]])


def test_restore__head_over_other_facts_with_sums_recomputed__refused(
    exported: tuple[Lines, list[Any], list[Head]],
) -> None:
    """Somebody who rewrites the whole file still cannot make the signed heads fit other facts."""
    lines = exported[0]
    world = World()
    with world.session() as session:
        for i in range(10):
            state(session, "entry/v1", f"entry:z{i}", {"x": i}, "party:A")
        world.seal(session)
        foreign = list(archive.export(session, ORIGIN))
    heads = [line for line in lines if b'"head"' in line[:10]]
    body = [foreign[0], *foreign[1:11], *heads]
    seen = archive._Lines()
    for line in body:
        seen.add(line)
    closing = edit(foreign[-1], lambda value: value.update(heads=2, lines=seen.digest()))
    refuse([*body, closing])
    world.engine.dispose()


def test_restore__database_that_holds_a_fact__refused(exported: tuple[Lines, list[Any], list[Head]]) -> None:
    world = World()
    with world.session() as session:
        fact = state(session, "entry/v1", "entry:mine", {}, "party:A")
        with pytest.raises(Malformed, match="not empty"):
            archive.restore(session, exported[0])
        assert list(store.all_facts(session)) == [fact]
    world.engine.dispose()


def test_restore__another_format__refused(exported: tuple[Lines, list[Any], list[Head]]) -> None:
    refuse([edit(exported[0][0], lambda value: value.update(format="shuqing-facts/v2")), *exported[0][1:]])
