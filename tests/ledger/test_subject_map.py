"""The stored map: brought up with the log, stated with each head, served for the published head, made again alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ledger import audit, completeness, log, outbox, store, subject_map, tables
from ledger.completeness import Leaf
from ledger.facts import Fact
from ledger.rebuild import Finding
from tests.counts import few
from tests.ledger.builders import NOW, ORIGIN, World, state


def note(session: Session, subject: str) -> Fact:
    return state(session, "entry/v1", subject, {"text": "数"}, "party:A")


def rows(session: Session) -> dict[str, list[tuple[object, ...]]]:
    return {
        table.name: sorted(tuple(row) for row in session.execute(select(table)))
        for table in (tables.map_leaf, tables.map_node)
    }


def findings(session: Session) -> list[Finding]:
    return list(audit.maps(session, ORIGIN))


def model(session: Session, size: int) -> list[Leaf]:
    """The leaves over the first `size` entries, from the facts themselves."""
    found: dict[str, Leaf] = {}
    for fact in list(store.all_facts(session))[:size]:
        key = completeness.key_of(fact.subject)
        count = found[fact.subject].acts + 1 if fact.subject in found else 1
        found[fact.subject] = Leaf(key, count, completeness.joined(fact.statement.digest()))
    return sorted(found.values())


def test_cover__states_size_root_and_subjects__then_rests(world: World, session: Session) -> None:
    assert world.cover(session) is None
    for subject in ("note:1", "note:2", "note:1"):
        note(session, subject)
    fact = world.cover(session)
    assert fact is not None
    size, root, subjects = subject_map.read(fact)
    assert (size, subjects) == (3, 2)
    assert completeness.joined(root) == completeness.hash_of(model(session, 3))
    assert log.size(session) == 4, "the map fact stands in the log, ready for the head"
    assert world.cover(session) is None, "nothing came but the map fact itself"
    world.seal(session)
    assert world.cover(session) is None
    note(session, "note:2")
    again = world.cover(session)
    assert again is not None
    assert subject_map.read(again)[0::2] == (5, 3), "the first map fact is itself a subject's fact"


@settings(max_examples=few(15), deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), max_size=30), min_size=1, max_size=6), st.integers(0, 6))
def test_cover__in_any_steps__every_version_still_needed_is_served(steps: list[list[int]], published: int) -> None:
    """We publish after some of the steps, then prove every subject in each version from the published one on."""
    world = World()
    with world.session() as session:
        stated: list[Fact] = []
        for number, step in enumerate(steps):
            for subject in step:
                note(session, f"note:{subject}")
            fact = world.cover(session, at=NOW + number)
            if fact is None:
                continue
            stated.append(fact)
            (world.publish if number < published else world.seal)(session, at=NOW + number)
        at = subject_map.published(session, ORIGIN)
        for fact in stated[stated.index(at) if at else 0 :]:
            size, root, subjects = subject_map.read(fact)
            leaves = {leaf.key: leaf for leaf in model(session, size)}
            assert subjects == len(leaves)
            for i in range(55):
                key = completeness.key_of(f"note:{i}")
                leaf, siblings = subject_map.prove(session, f"note:{i}", size)
                assert completeness.root_of_path(key, leaf, siblings) == completeness.joined(root)
                assert leaves.get(key) == (leaf if leaf and leaf.key == key else None)
        assert findings(session) == []
        subject_map.rebuild(session, ORIGIN)
        assert findings(session) == []
    world.engine.dispose()


def filled(world: World, session: Session) -> None:
    """Three published maps over forty subjects, and a fourth that is only sealed."""
    for number in range(4):
        for i in range(40 if number == 0 else 5):
            note(session, f"note:{i * (number + 1)}")
        world.cover(session, at=NOW + number)
        (world.seal if number == 3 else world.publish)(session, at=NOW + number)


def test_rebuild__from_facts_and_log__serves_the_same_maps(world: World, session: Session) -> None:
    filled(world, session)
    before = rows(session)
    assert before["map_node"], "more subjects than a bucket, or nothing is tried here"
    session.execute(tables.map_leaf.delete())
    session.execute(tables.map_node.delete())
    # Two more than stated (the fact of the last map, and of the one before) are not in yet: rows are of map versions.
    assert subject_map.rebuild(session, ORIGIN) == len(model(session, subject_map.read(_newest(session))[0]))
    newest = {table: {row[0]: row for row in found} for table, found in before.items()}
    again = {table: {row[0]: row for row in found} for table, found in rows(session).items()}
    for table in newest:
        assert {key: row[2:] for key, row in newest[table].items()} == {k: r[2:] for k, r in again[table].items()}
    assert findings(session) == []


def _newest(session: Session) -> Fact:
    found = subject_map.newest(session, ORIGIN)
    assert found is not None
    return found


def test_drop__rows_older_than_the_published_map__gone_where_replaced(world: World, session: Session) -> None:
    for number in range(30):
        note(session, "note:always")
        world.cover(session, at=NOW + number)
        world.publish(session, at=NOW + number)
    key = completeness.key_of("note:always")
    kept = session.execute(select(tables.map_leaf.c.size).where(tables.map_leaf.c.key == key)).scalars().all()
    assert len(kept) == 2, "the published version and the one being built on it"


@pytest.mark.parametrize("column", ["size", "root", "subjects"])
def test_audit__a_map_fact_that_says_something_else__is_named(world: World, session: Session, column: str) -> None:
    """A correctly signed map fact with one wrong value, as an operator who wants to hide a subject would state it."""
    for i in range(3):
        note(session, f"note:{i}")
    world.cover(session)
    last = _newest(session)
    note(session, "note:4")
    while log.integrate(session):
        pass
    body = dict(last.body)
    size = log.size(session)
    leaves = model(session, size)
    body = {
        "root": completeness.parted(completeness.hash_of(leaves)).document(), "size": size, "subjects": len(leaves),
    }  # fmt: skip
    body[column] = {"size": size - 1, "root": last.body["root"], "subjects": len(leaves) - 1}[column]
    wrong = state(session, subject_map.KIND, last.subject, body, "party:A")
    while log.integrate(session):
        pass
    found = [f for f in findings(session) if f.table == "fact"]
    assert found
    assert {f.row for f in found} == {wrong.id}


def test_audit__rows_edited_deleted_inserted__are_named(world: World, session: Session) -> None:
    filled(world, session)
    assert findings(session) == []
    for table, columns in ((tables.map_leaf, ("count", "last")), (tables.map_node, ("hash",))):
        first, second = list(table.primary_key.columns)
        row = session.execute(select(table).order_by(first.desc(), second.desc())).mappings().first()
        assert row is not None
        here = (first == row[first.name]) & (second == row[second.name])
        name = f"{row[first.name].hex() if isinstance(row[first.name], bytes) else row[first.name]}/{row['size']}"
        for column in columns:
            other = row[column] + 1 if isinstance(row[column], int) else bytes(64)
            session.execute(update(table).where(here).values({column: other}))
            assert [(f.row, f.column) for f in findings(session)] == [(name, column)]
            session.execute(update(table).where(here).values({column: row[column]}))
        session.execute(table.delete().where(here))
        assert (name, "*") in [(f.row, f.column) for f in findings(session)]
        session.execute(table.insert().values(**row))
        session.execute(table.insert().values(**{**row, "size": row["size"] + 1000}))
        assert [(f.table, f.column) for f in findings(session)] == [(table.name, "*")]
        session.execute(table.delete().where((first == row[first.name]) & (second == row["size"] + 1000)))
    assert findings(session) == []


def test_published__covered_by_the_anchored_head_only(world: World, session: Session) -> None:
    note(session, "note:1")
    world.cover(session)
    world.seal(session)
    assert subject_map.published(session, ORIGIN) is None
    world.publish(session, at=NOW + 1) if note(session, "note:2") else None
    assert outbox.published_size(session) == 3
    assert subject_map.published(session, ORIGIN) == subject_map.newest(session, ORIGIN)
