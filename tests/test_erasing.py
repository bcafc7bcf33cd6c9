"""Erasing through the real command on a copy of the demonstration: the text is gone from every table and from the file,
the audit names it and stays green, what statements count cannot go, and all facts of a subject are still proved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api import jobs, keyfiles
from ledger import canonical, store
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.retention import service
from registry.retention.keeping import DELETION, DeletionApproval
from tests.played import Played, rows, shuqing

WHY = ("--ground", "撤回同意", "--basis", "个人信息保护法第四十七条", "--ordered-by", "数据安全部", "--yes")


def first(played: Played, kind: str) -> Fact:
    with played.system() as system, jobs.snapshot(system) as session:
        return store.facts_of_kind(session, kind)[0]


@pytest.fixture
def home(played: Played, tmp_path: Path) -> Path:
    return played.copy(tmp_path / "home")


def approve(played: Played, home: Path, fact: Fact) -> None:
    """Two persons of the agency approve the deletion, before its time is over but as the law demands it."""
    body = body_of(DeletionApproval(fact.id, "撤回同意", "个人信息保护法第四十七条", lawful_earlier=True))
    with played.system(home) as system, jobs.transaction(system) as session:
        statement = Statement(DELETION, f"deletion:{fact.id}", 0, None, body)
        signatures = []
        for name, role in (("reviewer-1", "reviewer"), ("approver-1", "approver")):
            keys = keyfiles.load(played.out / "world" / "keys" / f"staff-{name}.json")
            signatures.append(sign_sm2(keys.sm2, statement, by=f"staff:{name}", role=role))
        signed = Signed(statement, tuple(signatures))
        service.approve_deletion(session, system.house, signed, at=system.clock())


def audited(played: Played, home: Path) -> str:
    done = played.shuqing("audit", home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differences: 0" in done.stdout
    return done.stdout


@pytest.mark.chain
@pytest.mark.parametrize(("kind", "table"), [("staff/v1", "staff"), ("register-entry/v1", "certificate")])
def test_erase__gone_from_the_file__audit_names_it_and_is_green__reindex_agrees(
    played: Played, home: Path, kind: str, table: str
) -> None:
    """The salt, which only this fact held, is looked for in the raw bytes of the database, free pages included."""
    fact = first(played, kind)
    word = fact.salt.encode()
    before = len(rows(home / "shuqing.db", table, "1"))
    assert word in (home / "shuqing.db").read_bytes() + _wal(home)
    if kind == "register-entry/v1":
        done = played.shuqing("facts", "erase", fact.id, *WHY, home=home)
        assert done.returncode == 2
        assert "两人批准" in done.stderr
        approve(played, home, fact)
    done = played.shuqing("facts", "erase", fact.id, *WHY, home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(fact.id)
    assert word not in (home / "shuqing.db").read_bytes() + _wal(home)
    assert len(rows(home / "shuqing.db", table, "1")) == before - 1
    note = f"fact[{fact.id}]：不可重算：依 个人信息保护法第四十七条 擦除"
    assert note in audited(played, home)
    done = played.shuqing("reindex", home=home)
    assert done.returncode == 0, done.stderr
    assert note in audited(played, home)


def _wal(home: Path) -> bytes:
    wal = home / "shuqing.db-wal"
    return wal.read_bytes() if wal.exists() else b""


@pytest.mark.chain
@pytest.mark.parametrize("kind", ["usage-batch/v1", "charge/v1", "application-submitted/v1", "subject-map/v1"])
def test_erase__what_others_rest_on__refused_and_nothing_changed(played: Played, home: Path, kind: str) -> None:
    before = {table: rows(home / "shuqing.db", table, "1") for table in ("fact", "part", "entry", "outbox")}
    done = played.shuqing("facts", "erase", first(played, kind).id, *WHY, home=home)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert {table: rows(home / "shuqing.db", table, "1") for table in before} == before


@pytest.mark.chain
def test_erase__asked_and_not_confirmed__nothing_changed(played: Played, home: Path) -> None:
    fact = first(played, "staff/v1")
    done = played.shuqing("facts", "erase", fact.id, *WHY[:-1], home=home)
    assert done.returncode == 1
    assert rows(home / "shuqing.db", "fact", "1") == rows(played.database, "fact", "1")


@pytest.mark.chain
@pytest.mark.parametrize("words", [("--ground", ""), ("--basis", "长" * 501)])
def test_erase__words_missing__refused_in_one_line(played: Played, home: Path, words: tuple[str, str]) -> None:
    given = dict(zip(WHY[:-1:2], WHY[1:-1:2], strict=True)) | dict([words])
    options = [part for pair in given.items() for part in pair]
    done = played.shuqing("facts", "erase", first(played, "staff/v1").id, *options, "--yes", home=home)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert rows(home / "shuqing.db", "fact", "1") == rows(played.database, "fact", "1")


# All facts of a subject ----------------------------------------------------------------------------------------------


@pytest.mark.chain
def test_facts_of__proof_written__verified_by_the_command__forged_refused(
    played: Played, home: Path, tmp_path: Path
) -> None:
    subject = first(played, "agreement-act/v1").subject
    file, forged = tmp_path / "answer.json", tmp_path / "forged.json"
    done = played.shuqing("facts", "of", subject, "--proof", file, home=home)
    assert done.returncode == 0, done.stderr
    assert "agreement-act/v1" in done.stdout
    trust: list[Any] = ["--trust", played.out / "trust.json"]
    done = played.shuqing("verify", file, *trust, home=home)
    assert done.returncode == 0, done.stdout
    assert "COMPLETE" in done.stdout
    value = canonical.decode(file.read_bytes()[:-1])
    assert len(canonical.encode(value | {"facts": [], "newer": []})) <= 10_000
    value["facts"].pop()
    forged.write_bytes(canonical.encode(value))
    done = played.shuqing("verify", forged, *trust, home=home)
    assert done.returncode == 1
    assert "C04" in done.stdout


@pytest.mark.chain
def test_facts_of__nobody__proved_absent(played: Played, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    done = played.shuqing("facts", "of", "agreement:no-such-thing", "--proof", file, home=home)
    assert done.returncode == 0, done.stderr
    done = played.shuqing("verify", file, "--trust", played.out / "trust.json", home=home)
    assert done.returncode == 0, done.stdout
    assert "NONE" in done.stdout


@pytest.mark.chain
def test_facts_of__no_subject__refused_in_one_line(played: Played, home: Path) -> None:
    done = played.shuqing("facts", "of", "not a subject", home=home)
    assert done.returncode == 2
    assert "statement.subject" in done.stderr


def test_facts_of__an_empty_home__refused(tmp_path: Path) -> None:
    done = shuqing("facts", "of", "party:1", "--home", tmp_path / "absent")
    assert done.returncode == 2
