"""Whatever is edited, deleted or inserted becomes a finding that names the row; what is untouched does not (D3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, delete, insert, select, text, update
from sqlalchemy.orm import Session

from ledger import anchoring, audit, log, rebuild, store, tables
from ledger.facts import Fact, Signed, Statement
from ledger.rebuild import Finding, column_class
from tests.ledger.builders import LEDGER, NOW, ORIGIN, World, act_signatures, act_statement, introduce, key, sign, state

AUDITED = [table for table in LEDGER if any(column_class(c) != "operational" for c in table.columns)]
COLUMNS = [(table, column) for table in AUDITED for column in table.columns if column_class(column) != "operational"]


@pytest.fixture(scope="module")
def filled() -> Iterator[World]:
    """Heads, parts, chains of acts, facts on the notary, two signers: everything integrated and published."""
    world = World()
    with world.session() as session:
        for name in ("party:X", "party:Y"):
            introduce(session, name, "party:A")
        for i in range(3):
            state(session, "note/v1", "note:1" if i < 2 else "note:2", {"x": i}, "party:A")
            if i == 1:
                world.publish(session, at=NOW)
        state(session, "batch/v1", "batch:1", {}, "party:A", parts=[b"[0]", b"[1]", b"[2]"])
        statement = act_statement(world, session)
        store.append(session, Signed(statement, act_signatures(statement)), at=NOW)
        for i in range(20):
            state(session, "entry/v1", f"entry:{i}x", {}, "party:A")
        world.cover(session)
        world.publish(session, at=NOW + 60)
        notes = store.facts_of_kind(session, "note/v1")[1:]
        anchoring.note_places(session, "Notary", anchoring.write_facts(world.chain, world.face, notes))
        session.commit()
    yield world
    world.engine.dispose()


@pytest.fixture
def open_db(filled: World) -> Iterator[Session]:
    """The database without its triggers; what the test does is rolled back."""
    with filled.session() as session:
        for trigger in session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            session.execute(text(f"DROP TRIGGER {trigger}"))
        yield session
        session.rollback()


def findings(world: World, session: Session) -> list[Finding]:
    return [
        *audit.facts(session),
        *audit.log(session, world.log_trust(), world.witnesses()),
        *audit.maps(session, ORIGIN),
        *audit.chain(session, world.chain, [world.face]),
    ]


def primary(table: Table, row: Any) -> dict[str, Any]:
    return {column.name: row[column.name] for column in table.primary_key.columns}


def names(table: Table, row: dict[str, Any]) -> set[str]:
    """How a finding may name this row."""
    if table is tables.fact:
        return {str(row["id"])}
    if table is tables.part:
        return {str(row["fact_id"])}
    if table is tables.entry:
        return {str(row["log_index"]), str(row["fact_id"])}
    values = primary(table, row).values()
    return {"/".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)}


def others(value: Any) -> list[Any]:
    if isinstance(value, bytes):
        return [None, b"", value[:-1], value[:20] + bytes([value[20] ^ 1]) + value[21:] if len(value) > 20 else b"[9]"]
    if isinstance(value, int):
        return [value + 1000, -1, "x"]
    return [value[:-1] + ("0" if value[-1] != "0" else "1"), "zz", "", value.upper() if value.upper() != value else "A"]


def test_untouched__no_finding(filled: World) -> None:
    with filled.session() as session:
        assert findings(filled, session) == []
        assert {row.contract for row in session.execute(select(tables.chain_receipt))} == {"EvidenceLog", "Notary"}


def test_columns__each_has_one_of_three_classes() -> None:
    for table in LEDGER:
        for column in table.columns:
            assert column.info["class"] in ("fact", "derived", "operational"), f"{table.name}.{column.name}"
    assert {table.name for table in AUDITED} == {
        "fact", "part", "entry", "tile", "head", "chain_receipt", "map_leaf", "map_node",
    }  # fmt: skip


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{t.name}.{c.name}" for t, c in COLUMNS])
def test_edit__any_column_of_any_row__a_finding_names_the_row(
    filled: World, open_db: Session, table: Table, column: Column[Any]
) -> None:
    rows = [dict(row) for row in open_db.execute(select(table)).mappings()]
    chosen = rows if len(rows) < 6 else [rows[0], rows[1], rows[len(rows) // 2], rows[-1]]
    for row in chosen:
        where = [column_ == row[column_.name] for column_ in table.primary_key.columns]
        for value in others(row[column.name]):
            if value is None and not column.nullable:
                continue
            change = open_db.begin_nested()
            open_db.execute(update(table).where(*where).values({column.name: value}))
            found = findings(filled, open_db)
            allowed = names(table, row) | names(table, row | {column.name: value})
            assert any(finding.row in allowed for finding in found), (table.name, column.name, value, found)
            assert all(str(finding) for finding in found)
            change.rollback()


@pytest.mark.parametrize("table", AUDITED, ids=[table.name for table in AUDITED])
def test_delete__any_row__a_finding_names_it(filled: World, open_db: Session, table: Table) -> None:
    for row in [dict(row) for row in open_db.execute(select(table)).mappings()]:
        change = open_db.begin_nested()
        open_db.execute(delete(table).where(*(table.c[name] == value for name, value in primary(table, row).items())))
        found = findings(filled, open_db)
        assert any(finding.row in names(table, row) for finding in found), (table.name, row, found)
        change.rollback()


def first(session: Session, table: Table) -> dict[str, Any]:
    return dict(session.execute(select(table)).mappings().first() or {})


INSERTED: list[tuple[Table, dict[str, Any]]] = [
    (tables.fact, {"seq": 900, "id": "0" * 64, "subject": "entry:new"}),
    (tables.fact, {"seq": 900, "id": "0" * 64, "no": 7}),
    (tables.part, {"fact_id": "0" * 64}),
    (tables.entry, {"log_index": 900, "fact_id": "0" * 64}),
    (tables.entry, {"log_index": -1, "fact_id": "0" * 64}),
    (tables.tile, {"level": 0, "position": 1}),
    (tables.tile, {"level": 0, "position": -1}),
    (tables.tile, {"level": -1, "position": 0}),
    (tables.tile, {"level": 1, "position": 0}),
    (tables.tile, {"level": 2**62, "position": 2**62}),
    (tables.head, {"size": 3}),
    (tables.head, {"size": 900}),
    (tables.head, {"size": 0}),
    (tables.head, {"size": -5}),
    (tables.chain_receipt, {"key": "head:00000000000000000003"}),
    (tables.chain_receipt, {"contract": "Other"}),
    (tables.map_leaf, {"size": 900}),
    (tables.map_leaf, {"key": bytes(64)}),
    (tables.map_node, {"size": -1}),
    (tables.map_node, {"position": 900}),
]


@pytest.mark.parametrize(("table", "values"), INSERTED, ids=[f"{t.name}-{i}" for i, (t, _) in enumerate(INSERTED)])
def test_insert__any_row__a_finding_names_it(
    filled: World, open_db: Session, table: Table, values: dict[str, Any]
) -> None:
    row = first(open_db, table) | values
    open_db.execute(insert(table).values(**row))
    assert any(finding.row in names(table, row) for finding in findings(filled, open_db))


def test_insert__fact_smuggled_into_the_outbox_with_a_bad_signature__named(filled: World, open_db: Session) -> None:
    signed = sign(Statement("entry/v1", "entry:new", 0, None, {}), "party:A").signatures
    fact = Fact(Statement("entry/v1", "entry:new", 0, None, {"x": 1}), signed, NOW, "0" * 64)
    store.restore(open_db, fact)
    assert [(f.row, f.column) for f in audit.facts(open_db)] == [(fact.id, "signatures[0]")]


def test_insert__unsigned_fact__named(filled: World, open_db: Session) -> None:
    fact = Fact(Statement("entry/v1", "entry:new", 0, None, {}), (), NOW, "0" * 64)
    store.restore(open_db, fact)
    assert [(f.row, f.column) for f in audit.facts(open_db)] == [(fact.id, "signatures")]


def test_waiting_fact__honest__no_finding(filled: World, open_db: Session) -> None:
    state(open_db, "entry/v1", "entry:new", {}, "party:A")
    assert findings(filled, open_db) == []


def test_swap__two_places_in_the_log__found(filled: World, open_db: Session) -> None:
    for old, new in ((0, 99), (1, 0), (99, 1)):
        open_db.execute(update(tables.entry).where(tables.entry.c.log_index == old).values(log_index=new))
    found = [f for f in findings(filled, open_db) if f.table == "tile"]
    assert {(f.row, f.column, f.expected[:4]) for f in found} == {("0/0", "sha256", "[0] "), ("0/0", "sm3", "[0] ")}


def test_swap__two_parts__found(filled: World, open_db: Session) -> None:
    open_db.execute(update(tables.part).values(bytes=b"[1]\n[0]\n[2]"))
    assert [finding.table for finding in findings(filled, open_db)] == ["part"]


def test_part__row_for_a_fact_that_commits_to_none__found(filled: World, open_db: Session) -> None:
    open_db.execute(insert(tables.part).values(fact_id=first(open_db, tables.fact)["id"], bytes=b"[0]"))
    assert [(finding.table, finding.column) for finding in findings(filled, open_db)] == [("part", "*")]


def test_outbox__fact_in_the_log_waits_again__found(filled: World, open_db: Session) -> None:
    row = first(open_db, tables.fact)
    open_db.execute(insert(tables.outbox).values(fact_id=row["id"], seq=row["seq"]))
    assert [(f.table, f.row) for f in audit.facts(open_db)] == [("outbox", row["id"])]


def test_erased__said_to_be_not_recomputable(filled: World, open_db: Session) -> None:
    row = first(open_db, tables.fact)
    store.erase(open_db, row["id"])
    assert [(f.row, f.column) for f in audit.facts(open_db)] == [(row["id"], "bytes")]


def test_cut__the_last_facts_and_everything_of_them__head_and_chain_still_say_so(
    filled: World, open_db: Session
) -> None:
    last = open_db.execute(select(tables.entry).order_by(tables.entry.c.log_index.desc())).mappings().first()
    assert last is not None
    open_db.execute(delete(tables.entry).where(tables.entry.c.log_index == last["log_index"]))
    open_db.execute(delete(tables.fact).where(tables.fact.c.id == last["fact_id"]))
    log.rebuild(open_db)
    found = findings(filled, open_db)
    assert ("head", str(last["log_index"] + 1)) in {(finding.table, finding.row) for finding in found}
    open_db.execute(delete(tables.head).where(tables.head.c.size == last["log_index"] + 1))
    found = findings(filled, open_db)
    assert ("head", str(last["log_index"] + 1)) in {(finding.table, finding.row) for finding in found}


def test_chain__contract_holds_another_commitment_for_the_fact__named(filled: World, open_db: Session) -> None:
    saved = dict(filled.notary.kept)
    try:
        for name in saved:
            filled.notary.kept[name] = b"\1" * 32
        found = list(audit.chain(open_db, filled.chain, [filled.face]))
        assert {finding.column for finding in found} == {"Notary"}
    finally:
        filled.notary.kept.update(saved)


def test_chain__another_key_signed_the_heads__found(filled: World, open_db: Session) -> None:
    trust = filled.log_trust()
    other = type(trust)(trust.name, trust.ed25519, key("other").public)
    assert {f.column for f in audit.log(open_db, other, filled.witnesses())} == {"note"}


# --- views --------------------------------------------------------------------------------------------------------


DERIVED, OPERATIONAL = {"class": "derived"}, {"class": "operational"}


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> Table:
    """A view of its own metadata, beside the real ones."""
    metadata = MetaData()
    made = Table(
        "note_view",
        metadata,
        Column("subject", String, primary_key=True, info=DERIVED),
        Column("part", String, primary_key=True, info=DERIVED),
        Column("x", BigInteger, info=DERIVED),
        Column("seen", BigInteger, info=OPERATIONAL, nullable=True),
    )
    Table("attempts", metadata, Column("id", BigInteger, primary_key=True, info=OPERATIONAL))
    monkeypatch.setattr(tables, "metadata", metadata)
    return made


@pytest.fixture
def folded(view: Table) -> Iterator[tuple[Session, Session, dict[str, rebuild.Projector]]]:
    """A source with views made as facts came in, and an empty copy."""

    def project(session: Session, fact: Fact) -> None:
        session.execute(delete(view).where(view.c.subject == fact.subject))
        session.execute(insert(view).values(subject=fact.subject, part="p", x=fact.body["x"]))

    projectors: dict[str, rebuild.Projector] = {"note/v1": project}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "metadata", tables.fact.metadata)
        source, scratch = World(), World()
    for world in (source, scratch):
        view.metadata.create_all(world.engine)
    with source.session() as one, scratch.session() as two:
        for i in range(6):
            project(one, state(one, "note/v1", f"note:{i % 4}", {"x": i}, "party:A"))
            if i == 2:
                source.seal(one)
        state(one, "other/v1", "other:1", {}, "party:A")
        rebuild.copy_facts(one, two)
        yield one, two, projectors
    source.engine.dispose()
    scratch.engine.dispose()


def test_view_tables__only_those_that_hold_something(view: Table) -> None:
    assert rebuild.view_tables() == [view]


def test_column_class__missing__is_an_error() -> None:
    with pytest.raises(KeyError):
        column_class(Column("x", String))


def test_fold__elsewhere__no_difference(folded: Any) -> None:
    source, scratch, projectors = folded
    assert rebuild.fold(scratch, scratch, projectors) == 7
    assert list(rebuild.differences(source, scratch)) == []


def test_clear_and_fold__in_place__the_same_rows(folded: Any, view: Table) -> None:
    source, _, projectors = folded
    before = source.execute(select(view).order_by(view.c.subject)).all()
    rebuild.clear_views(source)
    assert source.execute(select(view)).all() == []
    assert rebuild.fold(source, source, projectors) == 7
    assert source.execute(select(view).order_by(view.c.subject)).all() == before
    assert store.count(source) == 7


@pytest.mark.parametrize(
    ("change", "column", "found"),
    [
        ("UPDATE note_view SET x = 99 WHERE subject = 'note:1'", "x", "99"),
        ("UPDATE note_view SET x = 'a' WHERE subject = 'note:1'", "x", "'a'"),
        ("UPDATE note_view SET subject = 'note:9' WHERE subject = 'note:1'", "*", "deleted"),
        ("UPDATE note_view SET part = 'q' WHERE subject = 'note:1'", "*", "deleted"),
        ("DELETE FROM note_view WHERE subject = 'note:1'", "*", "deleted"),
        ("INSERT INTO note_view VALUES ('note:1', 'extra', 1, 1)", "*", "inserted"),
    ],
)
def test_differences__edited_deleted_or_inserted__names_row_and_column(
    folded: Any, change: str, column: str, found: str
) -> None:
    source, scratch, projectors = folded
    rebuild.fold(scratch, scratch, projectors)
    source.execute(text(change))
    findings_ = list(rebuild.differences(source, scratch))
    assert any(f.row.startswith("note:1/") and f.column == column and found in f.found for f in findings_), findings_


def test_differences__operational_column__not_compared(folded: Any) -> None:
    source, scratch, projectors = folded
    rebuild.fold(scratch, scratch, projectors)
    source.execute(text("UPDATE note_view SET seen = 77"))
    assert list(rebuild.differences(source, scratch)) == []


def test_differences__keys_that_read_the_same_when_joined__kept_apart(folded: Any) -> None:
    source, scratch, _ = folded
    rebuild.clear_views(source)
    source.execute(text("INSERT INTO note_view VALUES ('a/b', 'c', 1, NULL), ('a', 'b/c', 2, NULL)"))
    scratch.execute(text("INSERT INTO note_view VALUES ('a', 'b/c', 2, NULL)"))
    assert [f.found for f in rebuild.differences(source, scratch)] == ["被插入 / inserted"]
