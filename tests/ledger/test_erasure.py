"""A text goes under a stated ground: what stays still proves, what was stated is no tampering, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ledger import answer, archive, audit, canonical, erasure, log, outbox, signing, store, tables
from ledger.erasure import Erasure
from ledger.errors import Conflict, Erased, FieldError, UnknownFact
from ledger.facts import Fact, Signed, Statement
from ledger.rebuild import Finding
from ledger.signing import SystemSigner
from tests.ledger.builders import NOW, ORIGIN, World, key, state

SIGNER = SystemSigner(key("party:A"), "party:A")
KEYS = frozenset({SIGNER.public})
WORDS = {"ground": "撤回同意", "basis": "个人信息保护法第四十七条", "ordered_by": "数据安全部"}


def erase(session: Session, fact: Fact, **changes: Any) -> Fact:
    return erasure.erase(session, fact.id, signer=SIGNER, at=NOW + 5, **(WORDS | changes))


def findings(world: World, session: Session) -> list[Finding]:
    return [
        *audit.facts(session, erasure.stated(session, KEYS)),
        *audit.log(session, world.log_trust(), world.witnesses()),
        *audit.maps(session, ORIGIN),
    ]


@pytest.fixture
def facts(world: World, session: Session) -> list[Fact]:
    """Three acts of one subject, the second with parts; published under a map."""
    made = [
        state(session, "entry/v1", "person:1", {"name": f"某人{i}"}, "party:A", parts=[b"[1]"] * (i == 1))
        for i in range(3)
    ]
    world.cover(session)
    world.publish(session)
    return made


def test_erase__text_parts_and_secret_go__digest_place_and_ground_stay(
    world: World, session: Session, facts: list[Fact]
) -> None:
    said = erase(session, facts[1])
    read = Erasure.of_fact(said)
    assert (read.fact, read.statement) == (facts[1].digest(), facts[1].statement.digest())
    assert (read.prev, read.kind, read.no, read.at) == (facts[0].statement.digest(), "entry/v1", 1, NOW)
    assert "某人".encode() not in said.bytes()
    with pytest.raises(Erased):
        store.fact(session, facts[1].id)
    with pytest.raises(Erased):
        store.parts_of(session, facts[1].id)
    assert (
        session.execute(select(tables.subject_secret).where(tables.subject_secret.c.subject == "person:1")).all() == []
    )
    assert outbox.state_of(session, facts[1].id) is outbox.State.PUBLISHED
    assert log.prove(session, facts[1].id, outbox.published_size(session)).index == 1
    assert erasure.stated(session, KEYS) == {facts[1].id: read}
    assert str(read).startswith("不可重算：依 个人信息保护法第四十七条 擦除")
    assert "not recomputable: erased under" in str(read)


def test_audit__stated__no_finding__and_the_subjects_answer_still_whole(
    world: World, session: Session, facts: list[Fact]
) -> None:
    erase(session, facts[1])
    assert findings(world, session) == []
    world.cover(session, at=NOW + 6)
    world.publish(session, at=NOW + 6)
    assert findings(world, session) == []
    found = answer.assemble(session, ORIGIN, "person:1")
    assert [row.why for row in found.facts] == ["", "erased", ""]
    report = answer.verify_answer(found.bytes(), world.trust(), chain=world.chain)
    assert report.intact, report.failed
    assert any("#1" in limit for limit in report.not_proved)


def test_audit__erased_without_a_word__a_finding(world: World, session: Session, facts: list[Fact]) -> None:
    store.erase(session, facts[1].id)
    assert [(f.row, f.column) for f in findings(world, session)] == [(facts[1].id, "bytes")]


@pytest.mark.parametrize("column", ["kind", "at", "sm3", "statement_sm3", "no"])
def test_audit__a_column_of_an_erased_row_edited__a_finding(
    world: World, session: Session, facts: list[Fact], column: str
) -> None:
    erase(session, facts[2])
    session.connection().exec_driver_sql("DROP TRIGGER fact_no_update")
    here = tables.fact.c.id == facts[2].id
    other: Any = {"kind": "other/v1", "at": 1, "no": 9}.get(column, "0" * 64)
    session.execute(update(tables.fact).where(here).values({column: other}))
    assert (facts[2].id, "bytes") in [(f.row, f.column) for f in findings(world, session)]


def test_audit__stated_by_anothers_key__still_a_finding(world: World, session: Session, facts: list[Fact]) -> None:
    """Whoever can write into the database can also write an erasure fact; he cannot sign it."""
    stranger = SystemSigner(key("party:X"), "party:A")
    erasure.erase(session, facts[1].id, signer=stranger, at=NOW, **WORDS)
    assert (facts[1].id, "bytes") in [(f.row, f.column) for f in findings(world, session)]
    assert erasure.stated(session, KEYS) == {}


def test_audit__stated_for_another_fact__still_a_finding(world: World, session: Session, facts: list[Fact]) -> None:
    erase(session, facts[1])
    store.erase(session, facts[2].id)
    assert [(f.row, f.column) for f in findings(world, session)] == [(facts[2].id, "bytes")]


def test_erase__again__erased(session: Session, facts: list[Fact]) -> None:
    erase(session, facts[1])
    with pytest.raises(Erased):
        erase(session, facts[1])


def test_erase__unknown__refused(session: Session, facts: list[Fact]) -> None:
    with pytest.raises(UnknownFact):
        erasure.erase(session, "0" * 64, signer=SIGNER, at=NOW, **WORDS)


def test_erase__not_published_yet__refused(session: Session, facts: list[Fact]) -> None:
    """What stays of it must be witnessed before its text may go."""
    fresh = state(session, "entry/v1", "person:2", {}, "party:A")
    with pytest.raises(FieldError, match="published"):
        erase(session, fresh)


def test_erase__a_map_or_an_erasure__refused(world: World, session: Session, facts: list[Fact]) -> None:
    said = erase(session, facts[1])
    world.cover(session)
    world.publish(session, at=NOW + 9)
    for fact in (said, *store.facts_of_kind(session, "subject-map/v1")):
        with pytest.raises(FieldError, match="kind"):
            erase(session, fact)


@pytest.mark.parametrize("name", ["ground", "basis", "ordered_by"])
@pytest.mark.parametrize("text", ["", "长" * 501])
def test_erase__words_missing_or_too_long__refused(session: Session, facts: list[Fact], name: str, text: str) -> None:
    with pytest.raises(FieldError, match=name):
        erase(session, facts[1], **{name: text})


def test_erase__the_act_number_is_taken__conflict(session: Session, facts: list[Fact]) -> None:
    """Somebody stated another erasure for this fact; nothing is erased a second way."""
    body = {"basis": "x"}
    statement = Statement(erasure.KIND, f"erasure:{facts[1].id}", 0, None, body)
    signed = Signed(statement, (signing.sign_sm2(key("party:A"), statement, by="party:A"),))
    store.append(session, signed, at=NOW)
    with pytest.raises(Conflict):
        erase(session, facts[1])
    assert store.fact(session, facts[1].id) == facts[1]


def test_archive__out_and_in__erased_stays_erased_and_stated(world: World, session: Session, facts: list[Fact]) -> None:
    erase(session, facts[1])
    world.cover(session, at=NOW + 6)
    world.publish(session, at=NOW + 6)
    lines = list(archive.export(session, ORIGIN))
    assert not any(canonical.encode("某人1") in line for line in lines)
    other = World()
    with other.session() as second:
        archive.restore(second, lines)
        assert list(audit.facts(second, erasure.stated(second, KEYS))) == []
        assert erasure.stated(second, KEYS) == erasure.stated(session, KEYS)
    other.engine.dispose()
