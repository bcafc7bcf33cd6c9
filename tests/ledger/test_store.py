"""The append-only fact table: once, in order, for good."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from ledger import log, merkle, store, tables
from ledger.errors import Conflict, Erased, FieldError, LedgerError, Malformed, Stale, UnknownFact
from ledger.facts import PartsRoot, Signature, Signed, Statement
from tests.ledger.builders import NOW, World, engine, key, sign, state


def first(x: int = 1, subject: str = "entry:1") -> Statement:
    return Statement("entry/v1", subject, 0, None, {"x": x})


def rows(session: Session) -> dict[str, int]:
    counted = (tables.fact, tables.part, tables.outbox, tables.subject_secret)
    return {table.name: session.execute(select(func.count()).select_from(table)).scalar_one() for table in counted}


def test_append__new_statement__stored_with_columns_that_repeat_its_bytes(session: Session) -> None:
    signed = sign(first(), "party:A")
    appended = store.append(session, signed, at=NOW)
    fact = appended.fact
    assert not appended.replayed
    assert (fact.statement, fact.signatures, fact.at) == (signed.statement, signed.signatures, NOW)
    row = session.execute(select(tables.fact)).one()
    assert (row.id, row.sm3) == (fact.id, fact.digest().sm3.hex())
    assert (row.kind, row.subject, row.no, row.at, row.bytes) == ("entry/v1", "entry:1", 0, NOW, fact.bytes())
    assert row.statement_sha256 == signed.statement.digest().sha256.hex()
    assert store.fact(session, fact.id) == fact
    assert rows(session) == {"fact": 1, "part": 0, "outbox": 1, "subject_secret": 1}


def test_append__same_again__answers_the_first_fact(session: Session) -> None:
    one = store.append(session, sign(first(), "party:A"), at=NOW).fact
    again = store.append(session, sign(first(), "party:A"), at=NOW + 99)
    assert again.replayed
    assert again.fact == one
    assert again.fact.at == NOW
    assert store.count(session) == 1


def test_append__same_again_after_later_acts__still_answers_the_first(session: Session) -> None:
    one = state(session, "entry/v1", "entry:1", {"x": 1}, "party:A")
    state(session, "entry/v1", "entry:1", {"x": 2}, "party:A")
    assert store.append(session, sign(one.statement, "party:A"), at=NOW).fact == one


def test_append__same_number_other_content__conflict_and_nothing_written(session: Session) -> None:
    store.append(session, sign(first(), "party:A"), at=NOW)
    before = rows(session)
    with pytest.raises(Conflict) as refused:
        store.append(session, sign(first(2), "party:A"), at=NOW)
    assert (refused.value.subject, refused.value.no) == ("entry:1", 0)
    assert rows(session) == before


def test_append__number_too_high_or_wrong_prev__stale_with_what_was_expected(session: Session) -> None:
    one = state(session, "entry/v1", "entry:1", {"x": 1}, "party:A")
    digest = one.statement.digest()
    with pytest.raises(Stale) as refused:
        store.append(session, sign(Statement("entry/v1", "entry:1", 2, digest, {}), "party:A"), at=NOW)
    assert (refused.value.field, refused.value.expected, refused.value.given) == ("no", 1, 2)
    wrong = first(7).digest()
    with pytest.raises(Stale) as refused:
        store.append(session, sign(Statement("entry/v1", "entry:1", 1, wrong, {}), "party:A"), at=NOW)
    assert (refused.value.field, refused.value.expected) == ("prev", digest.sha256.hex())
    with pytest.raises(Stale):
        store.append(session, sign(Statement("entry/v1", "entry:9", 1, digest, {}), "party:A"), at=NOW)
    assert rows(session)["fact"] == 1


def test_next_of__follows_the_acts(session: Session) -> None:
    assert store.next_of(session, "entry:1") == (0, None)
    facts = [state(session, "entry/v1", "entry:1", {"x": x}, "party:A") for x in range(3)]
    assert store.next_of(session, "entry:1") == (3, facts[2].statement.digest())
    assert [fact.statement.no for fact in store.facts_of(session, "entry:1")] == [0, 1, 2]


@pytest.mark.parametrize("offered", [[b"1"], [b"1", b"2", b"3"], [b"2", b"1"], [b"1", b"x"], []])
def test_append__parts_that_do_not_match__refused_and_nothing_written(session: Session, offered: list[bytes]) -> None:
    statement = Statement("batch/v1", "batch:1", 0, None, {}, PartsRoot.over([b"1", b"2"]))
    with pytest.raises(FieldError, match=r"statement\.parts"):
        store.append(session, sign(statement, "party:A"), at=NOW, parts=offered)
    assert not any(rows(session).values())


def test_append__parts_without_a_commitment__refused(session: Session) -> None:
    with pytest.raises(FieldError, match=r"statement\.parts"):
        store.append(session, sign(first(), "party:A"), at=NOW, parts=[b"1"])


def test_append__parts__kept_in_order(session: Session) -> None:
    parts = [b"%d" % i for i in range(12)]
    fact = state(session, "batch/v1", "batch:1", {}, "party:A", parts=parts)
    assert store.parts_of(session, fact.id) == parts


def test_append__part_with_a_line_feed__refused(session: Session) -> None:
    with pytest.raises(FieldError, match=r"parts\[1\]"):
        state(session, "batch/v1", "batch:1", {}, "party:A", parts=[b"1", b"2\n3"])


def test_append__fact_that_could_not_be_read_again__refused(session: Session) -> None:
    bad = Signature("sm2-sm3", "A", key("party:A").public, "00" * 64)
    with pytest.raises(FieldError, match="by"):
        store.append(session, Signed(first(), (bad,)), at=NOW)
    with pytest.raises(Malformed):
        store.append(session, sign(first(), "party:A"), at=-1)
    assert rows(session)["fact"] == 0


def test_append__rolled_back__leaves_no_trace(world: World) -> None:
    with world.session() as session:
        state(session, "entry/v1", "entry:1", {"x": 1}, "party:A")
        session.commit()
    with world.session() as session:
        state(session, "entry/v1", "entry:1", {"x": 2}, "party:A")
        session.rollback()
        assert rows(session) == {"fact": 1, "part": 0, "outbox": 1, "subject_secret": 1}


def test_salt__per_subject_secret__same_secret_other_number_other_salt(session: Session) -> None:
    a, b = (state(session, "entry/v1", "entry:1", {"x": 1}, "party:A") for _ in range(2))
    c = state(session, "entry/v1", "entry:2", {"x": 1}, "party:A")
    assert len({a.salt, b.salt, c.salt}) == 3
    assert rows(session)["subject_secret"] == 2


def test_lookups__unknown__say_so(session: Session) -> None:
    with pytest.raises(UnknownFact):
        store.fact(session, "0" * 64)
    with pytest.raises(UnknownFact):
        store.erase(session, "0" * 64)
    assert store.facts_of(session, "entry:1") == []
    assert store.parts_of(session, "0" * 64) == []


FORBIDDEN = [
    "DELETE FROM fact",
    "DELETE FROM part",
    "UPDATE fact SET at = at + 1",
    "UPDATE fact SET bytes = x'00'",
    "UPDATE fact SET bytes = NULL, at = 0",
    "UPDATE fact SET bytes = NULL, sm3 = 'x'",
    "UPDATE fact SET seq = seq + 100",
    "UPDATE part SET bytes = x'00'",
    "UPDATE part SET fact_id = 'x'",
    "UPDATE part SET bytes = NULL, fact_id = 'x'",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_triggers__update_or_delete__refused(session: Session, statement: str) -> None:
    fact = state(session, "batch/v1", "batch:1", {}, "party:A", parts=[b"1", b"2"])
    with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
        session.execute(text(statement))
    assert store.fact(session, fact.id) == fact
    assert store.parts_of(session, fact.id) == [b"1", b"2"]


@pytest.mark.parametrize("column", [c.name for c in tables.fact.columns if c.name not in ("bytes", "seq")])
def test_triggers__erasure_that_edits_another_column_too__refused(session: Session, column: str) -> None:
    state(session, "entry/v1", "entry:1", {"x": 1}, "party:A")
    with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
        session.execute(update(tables.fact).values({"bytes": None, column: "9"}))


def test_unique__same_subject_and_number__refused_by_the_database(session: Session) -> None:
    state(session, "entry/v1", "entry:1", {"x": 1}, "party:A")
    row = dict(session.execute(select(tables.fact)).mappings().one()) | {"id": "0" * 64, "seq": 77}
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(insert(tables.fact).values(**row))


def test_erase__body_parts_and_secret_go__digest_place_and_proof_stay(world: World, session: Session) -> None:
    fact = state(session, "batch/v1", "batch:1", {"name": "某人"}, "party:A", parts=[b"1", b"2"])
    other = state(session, "entry/v1", "entry:2", {}, "party:A")
    head = world.publish(session)
    store.erase(session, fact.id)
    assert rows(session) == {"fact": 2, "part": 1, "outbox": 0, "subject_secret": 1}
    for ask in (store.fact, store.parts_of):
        with pytest.raises(Erased):
            ask(session, fact.id)
    assert store.facts_of(session, "batch:1") == []
    assert [item.id for item in store.all_facts(session)] == [other.id]
    assert store.count(session) == 2
    proof = log.prove(session, fact.id, head.checkpoint.size)
    hash_ = merkle.leaf_hash(fact.digest())
    assert merkle.verify_inclusion(hash_, proof.index, proof.size, proof.path, head.checkpoint.root)
    with pytest.raises(Erased):
        store.append(session, Signed(fact.statement, fact.signatures), at=NOW, parts=[b"1", b"2"])
    assert store.next_of(session, "batch:1") == (1, fact.statement.digest())
    assert state(session, "batch/v1", "batch:1", {}, "party:A").statement.no == 1


def test_all_facts__log_order_then_the_waiting__in_slices(world: World, session: Session) -> None:
    facts = [state(session, "entry/v1", f"entry:{i}", {"x": i}, "party:A") for i in range(7)]
    world.seal(session)
    facts += [state(session, "entry/v1", f"entry:{i}", {"x": i}, "party:A") for i in range(7, 10)]
    for batch in (1, 3, 500):
        assert list(store.all_facts(session, batch)) == facts
    assert store.facts_of_kind(session, "entry/v1") == facts
    assert store.facts_of_kind(session, "other/v1") == []


def test_all_facts__order_of_intake_edited__still_the_order_that_heads_prove(world: World, session: Session) -> None:
    facts = [state(session, "entry/v1", f"entry:{i}", {"x": i}, "party:A") for i in range(4)]
    world.seal(session)
    session.execute(text("DROP TRIGGER fact_no_update"))
    session.execute(text("UPDATE fact SET seq = 100 - seq"))
    for batch in (1, 3, 500):
        assert list(store.all_facts(session, batch)) == facts


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_placed__rows_far_apart_in_another_order_and_some_gone__the_places_asked_for(
    world: World, session: Session, batch: int
) -> None:
    """Neighbours in the log need not be neighbours in the table; a place without a fact is left out."""
    facts = [state(session, "entry/v1", f"entry:{i}", {"x": i}, "party:A") for i in range(12)]
    world.seal(session)
    session.execute(text("DROP TRIGGER fact_no_update"))
    session.execute(text("UPDATE fact SET seq = 1000 + 7 * ((seq * 5) % 13)"))
    session.execute(text("UPDATE entry SET log_index = log_index + 40 WHERE log_index > 8"))
    session.execute(text("UPDATE entry SET fact_id = 'gone' WHERE log_index = 3"))
    columns = [tables.fact.c.subject, tables.fact.c.no]
    found = [tuple(row) for row in store.placed(session, columns, batch=batch)]
    assert found == [(fact.id, fact.subject, 0) for i, fact in enumerate(facts) if i != 3]
    assert [tuple(row) for row in store.placed(session, columns, 2, 50, batch)] == found[2:9]
    assert list(store.placed(session, columns, 60)) == []


def test_append__two_writers_on_one_file__no_act_number_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'facts.sqlite'}"
    engines = [engine(url)]
    errors: list[LedgerError] = []
    unexpected: list[BaseException] = []

    def write(number: int) -> None:
        made = engines[0]
        try:
            for act in range(12):
                for subject in ("entry:1", f"entry:w{number}"):
                    with Session(made) as session:
                        no, prev = store.next_of(session, subject)
                        statement = Statement("entry/v1", subject, no, prev, {"by": number, "act": act})
                        session.rollback()
                        try:
                            store.append(session, sign(statement, "party:A"), at=NOW)
                            session.commit()
                        except (Conflict, Stale) as refused:
                            errors.append(refused)
        except BaseException as error:
            unexpected.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert not unexpected
    with Session(engines[0]) as session:
        shared = store.facts_of(session, "entry:1")
        assert [fact.statement.no for fact in shared] == list(range(len(shared)))
        assert all(b.statement.prev == a.statement.digest() for a, b in pairwise(shared))
        assert len(shared) + len(errors) == 36
        assert all(len(store.facts_of(session, f"entry:w{i}")) == 12 for i in range(3))
        assert rows(session)["outbox"] == store.count(session)
    engines[0].dispose()


@pytest.mark.parametrize("same", [True, False])
def test_append__another_writer_between_look_and_insert__replay_or_conflict(world: World, same: bool) -> None:
    """What PostgreSQL can do: the other transaction commits after our look and before our insert."""
    with world.session() as session:
        done: list[bool] = []

        def intrude(_session: Session, *_: object) -> None:
            if not done:
                done.append(True)
                store.append(session, sign(first(1 if same else 2), "party:A"), at=NOW - 5)

        original = store._require_parts

        def late(statement: Statement, parts: object) -> object:
            checked = original(statement, parts)  # type: ignore[arg-type]
            intrude(session)
            return checked

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "_require_parts", late)
            if same:
                appended = store.append(session, sign(first(), "party:A"), at=NOW)
                assert (appended.replayed, appended.fact.at) == (True, NOW - 5)
            else:
                with pytest.raises(Conflict):
                    store.append(session, sign(first(), "party:A"), at=NOW)
        assert rows(session) == {"fact": 1, "part": 0, "outbox": 1, "subject_secret": 1}
