"""Every command with wrong input: one clear bilingual line, exit code 2, no traceback, nothing written. The trials on
their examples against numbers worked out here, and facts out and in again through the real commands."""

from __future__ import annotations

import json
import math
import os
from decimal import ROUND_HALF_UP, Decimal, getcontext
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api import bootstrap, keyfiles, schema, sealing
from api.bootstrap import System
from api.cli import app
from api.settings import Settings
from ledger.rebuild import view_tables
from ledger.tables import metadata
from scripts.demo.world import free_port
from tests.played import ROOT, Played, raw, rows, shuqing

EXAMPLES = ROOT / "scripts" / "examples"
HOLDER = "party:91330100MA2026001N"
_build = bootstrap.build


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SHUQING_")]:
        monkeypatch.delenv(name)


def run(*arguments: str | Path) -> Result:
    """A command in this process; an exception that is not an exit is a traceback a user would have seen."""
    made: list[System] = []

    def build(found: Settings) -> System:
        made.append(_build(found))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "build", build)
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    for system in made:
        system.engine.dispose()
        system.reader.dispose()
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done


def refused(done: Result, *wanted: str) -> None:
    """Exit code 2, one line on stderr in both languages that says what is wrong."""
    assert done.exit_code == 2, done.output
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert any("\u4e00" <= letter <= "\u9fff" for letter in lines[0]), lines
    assert any(word.isascii() and word.isalpha() and len(word) > 2 for word in lines[0].split()), lines
    for text in wanted:
        assert text in lines[0], lines


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# A home that cannot be used -------------------------------------------------------------------------------------------

AT_HOME = {
    "audit": ("audit",),
    "reindex": ("reindex",),
    "worker": ("worker", "--once"),
    "serve": ("serve",),
    "status": ("ledger", "status"),
    "export": ("facts", "export", "ARCHIVE"),
    "import": ("facts", "import", "SOURCE"),
    "of": ("facts", "of", "party:x"),
    "erase": ("facts", "erase", "0" * 64, "--ground", "x", "--basis", "x", "--ordered-by", "x", "--yes"),
    "bundle": ("bundle", "0" * 64, "--out", "ARCHIVE"),
    "keys api": ("keys", "api", HOLDER),
    "seal new": ("seal", "new"),
    "seal request": ("seal", "request", "ARCHIVE"),
    "seal install": ("seal", "install", "SOURCE"),
}


def at_home(name: str, home: Path, folder: Path) -> Result:
    places = {"ARCHIVE": str(folder / "new.jsonl"), "SOURCE": str(ROOT / "Makefile")}
    return run(*(places.get(word, word) for word in AT_HOME[name]), "--home", home)


@pytest.mark.parametrize("name", AT_HOME)
def test_command__no_such_home__says_so_and_makes_none(name: str, tmp_path: Path) -> None:
    refused(at_home(name, tmp_path / "absent", tmp_path), str(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda value: value.pop("agency"), "agency"),
        (lambda value: value.update(colour="red"), "colour"),
        (lambda value: value.update(witness_quorum="two"), "witness_quorum"),
        (lambda value: value["deposit_authority"].update(sm3="x"), "deposit_authority"),
        (lambda value: value.update(chain_id=1), "clock_file"),
    ],
)
@pytest.mark.parametrize("name", ["audit", "keys api"])
def test_command__wrong_settings__names_the_field_and_writes_nothing(
    played: Played, tmp_path: Path, name: str, change: Any, wanted: str
) -> None:
    home = played.copy(tmp_path / "home")
    value = json.loads((home / "settings.json").read_text("utf-8"))
    change(value)
    (home / "settings.json").write_text(json.dumps(value), "utf-8")
    before = everything(tmp_path)
    refused(at_home(name, home, tmp_path), wanted)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", ["{", "[]", "7", "", '"home"', "\ud800".encode("utf-16", "surrogatepass")])
def test_command__settings_that_are_no_object__are_refused(played: Played, tmp_path: Path, text: str | bytes) -> None:
    home = played.copy(tmp_path / "home")
    (home / "settings.json").write_bytes(text.encode() if isinstance(text, str) else text)
    refused(at_home("audit", home, tmp_path), "JSON")


def test_command__keys_others_may_read__are_refused(played: Played, tmp_path: Path) -> None:
    home = played.copy(tmp_path / "home")
    (home / "keys" / "relay.json").chmod(0o640)
    refused(at_home("audit", home, tmp_path), "relay.json", "0600", "0o640")


@pytest.mark.parametrize("text", ["{}", "[]", "x", '{"by": 1, "sm2": "00", "evm": "", "ed25519": ""}'])
def test_command__a_key_file_that_is_none__is_named(played: Played, tmp_path: Path, text: str) -> None:
    home = played.copy(tmp_path / "home")
    (home / "keys" / "log.json").write_text(text)
    refused(at_home("audit", home, tmp_path), "log.json")


def test_command__no_key_file__is_named(played: Played, tmp_path: Path) -> None:
    home = played.copy(tmp_path / "home")
    (home / "keys" / "agency.json").unlink()
    refused(at_home("audit", home, tmp_path), "agency.json")


@pytest.mark.parametrize("name", ["audit", "status", "export", "bundle"])
def test_reading__no_database_or_an_empty_one__is_refused_and_none_is_made(
    played: Played, tmp_path: Path, name: str
) -> None:
    """An audit of nothing must not come out clean, and looking must not leave a file behind."""
    home = played.copy(tmp_path / "home")
    for file in home.glob("shuqing.db*"):
        file.unlink()
    before = everything(tmp_path)
    refused(at_home(name, home, tmp_path), "shuqing.db")
    assert everything(tmp_path) == before
    (home / "shuqing.db").write_bytes(b"not a database, only somebody's notes " * 100)
    refused(at_home(name, home, tmp_path))
    assert not (tmp_path / "new.jsonl").exists()


@pytest.mark.chain
def test_status__everything_done__says_how_far_and_who_signed__exit_0(played: Played) -> None:
    told = played.shuqing("ledger", "status")
    assert told.returncode == 0, told.stdout + told.stderr
    for word in (
        "已发布 / published",
        "court-witness",
        "EvidenceLog 0x",
        "代码一致 / code ok",
        "无人值守 / nobody leads",
    ):
        assert word in told.stdout
    done = played.shuqing("ledger", "status", "--json")
    found = json.loads(done.stdout)
    assert found["attention"] == found["incidents"] == []
    assert found["log"]["sequenced"] == 0
    assert found["log"]["published"] == found["log"]["integrated"] == found["newest"]["size"] > 0
    assert (found["newest"]["missing"], found["pending"], found["waiting_heads"]) == ([], None, 0)
    assert found["chain"]["holds"] is True
    assert all(row["code_ok"] and not row["waiting"] for row in found["contracts"].values())


@pytest.mark.chain
def test_status__what_needs_a_person__exit_1(played: Played, tmp_path: Path) -> None:
    """A promise that was broken, a head without its witnesses, no worker, a contract of other code."""
    home = played.copy(tmp_path / "home")
    clock = tmp_path / "clock"
    clock.write_text(str(int((played.out / "world" / "clock").read_text()) + 7_200))
    placed = json.loads((home / "deployment.json").read_text("utf-8"))
    with raw(home / "shuqing.db") as hand:
        batch = "SELECT id, seq FROM fact WHERE kind = 'usage-batch/v1' LIMIT 1"
        hand.execute(f"INSERT INTO outbox (fact_id, seq) {batch}")
        hand.execute("UPDATE head SET witnesses = 1 WHERE size = (SELECT max(size) FROM head)")
    environment = {"SHUQING_RPC_URL": played.rpc, "SHUQING_CLOCK_FILE": str(clock)}
    told = shuqing("ledger", "status", "--home", home, environment=environment)
    assert told.returncode == 1, told.stdout + told.stderr
    for word in ("promises of intake are late", "no worker runs", "too few witnesses"):
        assert word in told.stdout
    placed["codeHashes"]["EvidenceLog"] = "0x" + "00" * 32
    (home / "deployment.json").write_text(json.dumps(placed), "utf-8")
    told = shuqing("ledger", "status", "--home", home, environment=environment)
    assert told.returncode == 1
    assert "not the one expected" in told.stdout
    nowhere = environment | {"SHUQING_RPC_URL": f"http://127.0.0.1:{free_port()}"}
    told = shuqing("ledger", "status", "--home", home, environment=nowhere)
    assert told.returncode == 1
    assert "did not answer" in told.stdout


def test_audit_and_verify__the_node_is_down__no_verdict(played: Played, tmp_path: Path) -> None:
    home = played.copy(tmp_path / "home")
    nowhere = {"SHUQING_RPC_URL": f"http://127.0.0.1:{free_port()}"}
    bundle, trust = played.out / "bundle-certificate.json", played.out / "trust.json"
    for command in (("audit",), ("verify", bundle, "--trust", trust)):
        done = shuqing(*command, "--home", home, environment=nowhere)
        assert done.returncode == 2, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert "REFUSED" not in done.stdout
        assert len(done.stderr.strip().splitlines()) == 1


# Bundles and facts ----------------------------------------------------------------------------------------------------


def test_verify__wrong_files__are_refused_by_name(played: Played, tmp_path: Path) -> None:
    bundle, trust, head = (played.out / name for name in ("bundle-certificate.json", "trust.json", "head.note"))
    fine = run("verify", bundle, "--trust", trust, "--head", head)
    assert fine.exit_code == 0
    assert "UNKNOWN" in fine.output
    wrong = tmp_path / "wrong"
    wrong.write_text("{}", "utf-8")
    refused(run("verify", bundle, "--trust", wrong, "--head", head))
    refused(run("verify", bundle, "--trust", bundle, "--head", head))
    refused(run("verify", bundle, "--trust", trust, "--head", wrong))
    refused(run("verify", bundle, "--trust", tmp_path / "absent", "--head", head), "absent")
    refused(run("verify", tmp_path / "absent", "--trust", trust, "--head", head), "absent")
    refused(run("verify", tmp_path, "--trust", trust, "--head", head), str(tmp_path))
    for data in (b"", b"{}", b"[" * 100_000, b"\xff\xfe", trust.read_bytes(), bundle.read_bytes()[:-200]):
        wrong.write_bytes(data)
        done = run("verify", wrong, "--trust", trust, "--head", head)
        assert done.exit_code == 1, data[:20]
        assert "V01" in done.output
        assert "REFUSED" in done.output


def test_bundle__unknown_fact_or_part__writes_no_file(played: Played, tmp_path: Path) -> None:
    fact = json.loads((played.out / "bundle-usage-record.json").read_text("utf-8"))["fact"]
    name = sha256(json.dumps(fact, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    target = tmp_path / "bundle.json"
    for arguments in (("0" * 64,), ("x",), (name, "--part", "1000000")):
        refused(run("bundle", *arguments, "--out", target, "--home", played.home))
        assert not target.exists()
    done = run("bundle", name, "--part", "7", "--out", target, "--home", played.home)
    assert done.exit_code == 0, done.output
    assert target.read_bytes() == (played.out / "bundle-usage-record.json").read_bytes()


@pytest.mark.chain
def test_facts__exported_deleted_imported_reindexed__are_the_same_rows(played: Played, tmp_path: Path) -> None:
    home, archive = played.copy(tmp_path / "home"), tmp_path / "facts.jsonl"
    database = home / "shuqing.db"
    before = _content(database)
    assert all(before[name] for name in ("certificate", "market_agreement", "head", "clearing_statement"))
    assert all(before[name] for name in ("clearing_cycle", "pricing_quote", "chain_receipt", "entry", "tile"))
    _ok(played, home, "facts", "export", archive)
    for file in home.glob("shuqing.db*"):
        file.unlink()
    _refuse_broken_archives(played, home, archive, tmp_path)
    _ok(played, home, "facts", "import", archive)
    again = played.shuqing("facts", "import", archive, home=home)
    assert (again.returncode, again.stdout) == (2, "")
    _ok(played, home, "reindex")
    after = _content(database)
    assert {name: len(found) for name, found in after.items()} == {name: len(found) for name, found in before.items()}
    assert [name for name in before if before[name] != after[name]] == []
    assert "differences: 0" in _ok(played, home, "audit")
    second = tmp_path / "again.jsonl"
    _ok(played, home, "facts", "export", second)
    assert second.read_bytes() == archive.read_bytes()


def _ok(played: Played, home: Path, *arguments: str | Path) -> str:
    done = played.shuqing(*arguments, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _refuse_broken_archives(played: Played, home: Path, archive: Path, folder: Path) -> None:
    lines = archive.read_bytes().splitlines(keepends=True)
    facts = [number for number, line in enumerate(lines) if line.startswith(b'{"fact"')]
    swapped = lines.copy()
    swapped[facts[0]], swapped[facts[1]] = swapped[facts[1]], swapped[facts[0]]
    broken = {
        "cut": lines[:-1],
        "half": lines[: len(lines) // 2],
        "less": lines[: facts[3]] + lines[facts[3] + 1 :],
        "altered": [line.replace("演示".encode(), "真实".encode()) for line in lines],
        "swapped": swapped,
        "more": [*lines, lines[1]],
        "foreign": [b"hello\n"],
        "empty": [],
    }
    for name, content in broken.items():
        file = folder / name
        file.write_bytes(b"".join(content))
        # Half of them through a process of their own would take long; the same function in this one is enough.
        with played.system(home) as system:
            bootstrap.migrate(system.settings.database)
        done = run("facts", "import", file, "--home", home)
        refused(done)
        assert all(not found for found in _content(home / "shuqing.db").values()), name


def _content(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that the audit answers for; a fact's running number is not part of it."""
    content = {}
    for table in metadata.sorted_tables:
        if table in view_tables() or table.name in ("entry", "tile", "head", "chain_receipt", "part", "fact"):
            skip = 1 if table.name == "fact" else 0
            key = "id" if table.name == "fact" else ",".join(f'"{c.name}"' for c in table.primary_key.columns)
            content[table.name] = [row[skip:] for row in rows(database, table.name, key)]
    assert schema.TABLES
    return content


@pytest.mark.parametrize("name", ["export", "import"])
def test_facts__wrong_path__is_named(played: Played, tmp_path: Path, name: str) -> None:
    refused(run("facts", name, tmp_path / "no" / "file", "--home", played.home), "no")
    assert list(tmp_path.iterdir()) == []


# Keys -----------------------------------------------------------------------------------------------------------------


def test_keys_new__a_fresh_file__is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "key.json"
    done = run("keys", "new", file, "--by", HOLDER)
    assert done.exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    said, keys = json.loads(done.stdout), keyfiles.load(file)
    assert said == {"by": HOLDER, "sm2": keys.sm2.public, "evm": keys.address}
    assert keys.sm2.private.hex() not in done.output
    before = file.read_bytes()
    refused(run("keys", "new", file, "--by", HOLDER), "key.json")
    assert file.read_bytes() == before
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    refused(run("keys", "new", file, "--by", HOLDER), "key.json")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("by", ["", "somebody", "party:", "party:lower", "Party:91330100MA2026001N", "party:A\nB"])
def test_keys__a_holder_nobody_can_sign_as__is_refused(played: Played, tmp_path: Path, by: str) -> None:
    refused(run("keys", "new", tmp_path / "key.json", "--by", by), "by")
    assert list(tmp_path.iterdir()) == []
    before = rows(played.database, "api_key", "prefix")
    refused(run("keys", "api", by, "--home", played.home), "by")
    assert rows(played.database, "api_key", "prefix") == before


def test_init__wrong_settings_or_a_second_time__writes_nothing(played: Played, tmp_path: Path) -> None:
    source, home = tmp_path / "source.json", tmp_path / "home"
    value = json.loads((played.home / "settings.json").read_text("utf-8"))
    source.write_text(json.dumps(value | {"colour": "red"}), "utf-8")
    refused(run("init", source, "--home", home), "colour")
    refused(run("init", tmp_path / "absent", "--home", home), "absent")
    assert not home.exists()
    source.write_text(json.dumps(value), "utf-8")
    assert run("init", source, "--home", home).exit_code == 0
    before = everything(home)
    keys = {*bootstrap.KEY_FILES, sealing.FILE}
    assert {name for name in before if name.startswith("keys/")} == {f"keys/{name}" for name in keys}
    assert all((home / "keys" / name).stat().st_mode & 0o777 == 0o600 for name in keys)
    refused(run("init", source, "--home", home), str(home))
    assert everything(home) == before


# Demo and usage -------------------------------------------------------------------------------------------------------


def test_demo__a_folder_that_holds_something_else__is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = run("demo", "--out", tmp_path)
    assert done.exit_code == 2
    assert str(tmp_path) in done.output
    assert everything(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--calls", "0"),
        ("demo", "--calls", "many"),
        ("serve", "--port", "0x"),
        ("serve", "--port", "65536"),
        ("serve", "--port", "-1"),
        ("bundle", "0" * 64),
        ("verify", "x"),
        ("trial", "everything", "x"),
        ("facts", "destroy"),
        ("nothing",),
    ],
)
def test_usage__wrong__exit_code_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.output


# Trials ---------------------------------------------------------------------------------------------------------------


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"trial_{name}.json").read_text("utf-8"))


def result(name: str, file: Path | None = None) -> Any:
    done = run("trial", name, file or EXAMPLES / f"trial_{name}.json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_trial_split__the_example__as_worked_out_by_hand() -> None:
    """50,000 fen of cost first, then 45/30/20/5 %, the platform at most 3,000; cumulative, so the last totals are
    those of 170,000 fen at once: 120,000 to divide: 54,000 + 36,000 + 24,000 + 6,000, of which 3,000 go over."""
    found = result("split")
    totals = {party: line["paid"] for party, line in found["totals"].items()}
    assert totals == {
        "processor-demo": 50_000 + 36_000, "holder-demo": 54_000 + 3_000, "operator-demo": 24_000,
        "platform-demo": 3_000,
    }  # fmt: skip
    assert found["sum"] == 170_000
    given: dict[str, int] = dict.fromkeys(totals, 0)
    total = 0
    for row, payment in zip(found["payments"], example("split")["payments"], strict=True):
        assert row["amount"] == payment == sum(row["shares"].values())
        total += payment
        rest = Fraction(max(total - 50_000, 0))
        platform = min(rest * 5 / 100, Fraction(3_000))
        exact = {
            "processor-demo": min(total, 50_000) + rest * 30 / 100, "operator-demo": rest * 20 / 100,
            "platform-demo": platform, "holder-demo": rest * 45 / 100 + rest * 5 / 100 - platform,
        }  # fmt: skip
        for party, share in row["shares"].items():
            given[party] += share
            assert abs(given[party] - exact[party]) < 1, (total, party)


def test_trial_netting__the_example__as_worked_out_by_hand() -> None:
    found = result("netting")
    net: dict[str, int] = {}
    for item in example("netting")["obligations"]:
        net[item["debtor"]] = net.get(item["debtor"], 0) - item["amount"]
        net[item["creditor"]] = net.get(item["creditor"], 0) + item["amount"]
    assert {item["party"]: item["net"] for item in found["positions"]} == net
    assert found["gross"] == 705_000 + 260_000 + 120_000 + 90_000 + 15_000 == 1_190_000
    assert found["bilateral"] == (705_000 - 90_000) + 260_000 + 120_000 + 15_000 == 1_010_000
    assert found["minimum"] == -sum(amount for amount in net.values() if amount < 0) == 875_000
    for item in found["transfers"]:
        net[item["payer"]] += item["amount"]
        net[item["payee"]] -= item["amount"]
        assert item["amount"] > 0
    assert set(net.values()) == {0}
    assert Fraction(found["efficiency"]) == Fraction(1_190_000 - 875_000, 1_190_000)


def test_trial_settlement__the_example__as_worked_out_by_hand() -> None:
    """g1: 2,105 calls at 3.5 fen = 7,367.5, half up 7,368 with 6 % tax inside; g2: 10,000/4 + 2,000/5 = 2,900, tax on
    top. The tax goes to the issuer of the invoice."""
    found = result("settlement")
    first, second = found["charges"]
    net = int((Decimal(7_368) * 100 / 106).quantize(Decimal(1), ROUND_HALF_UP))
    assert (first["exact"], first["gross"], first["net"], first["tax"]) == ("14735/2", 7_368, net, 7_368 - net)
    assert (second["gross"], second["net"], second["tax"]) == (2_900 + 174, 2_900, 174)
    shares = {line["party"]: line["amount"] for line in found["shares"][0]["shares"]}
    exact = {"provider-demo": net * 50, "developer-demo": net * 40, "operator-demo": net * 10}
    assert sum(shares.values()) == net
    assert all(abs(100 * shares[party] - amount) < 100 for party, amount in exact.items())
    position = {item["party"]: item["net"] for item in found["netting"]["positions"]}
    assert position == {
        "consumer-demo": -7_368,
        "developer-demo": shares["developer-demo"] - 3_074,
        "operator-demo": shares["operator-demo"],
        "provider-demo": shares["provider-demo"] + first["tax"] + 2_900 + 174,
    }


def test_trial_order__the_example__as_worked_out_by_hand() -> None:
    """90 % of 250,000,000 + 7,007/3 fen − 70,000,000 of damages; 85,000,000 of advances; each score and date is worked
    out in tests/clearing/settlement/service_order/test_settling.py."""
    found = result("order")
    fees = Fraction(250_000_000) + Fraction(7_007, 3)
    settlement = int(fees * 90 / 100 - 70_000_000 + Fraction(1, 2))
    assert found["settlement"]["settlement"] == settlement == 155_002_102
    assert found["settlement"]["pay"] == settlement - 35_000_000 - 45_000_000 - 5_000_000 == found["due"]["fen"]
    assert [month["scored"]["score"] for month in found["months"]] == ["261/5", "159/2"]
    assert [line["grade"] for line in found["settlement"]["orders"]] == ["A", "E", "E"]


def test_trial_price__the_example__value_as_computed_here() -> None:
    """V = 1/(1+exp(−N/C)), Q = (Σ weight·score)², D = E of the columns that count: recomputed from the counts given."""
    getcontext().prec = 50
    found, case = result("price"), example("price")
    text = json.dumps(found)
    rows_ = case["counted"]["manifest"]["rows"]
    increment = found["report"]["inputs"]["volume"]["increment"]
    volume = Decimal(1) / (Decimal(1) + (-(Decimal(rows_) / Decimal(increment))).exp())
    weights = found["report"]["inputs"]["quality"]["scheme"]["weights"]
    scores: dict[str, list[Fraction]] = {}
    for item in case["counted"]["rules"]:
        scores.setdefault(item["rule"]["dimension"], []).append(Fraction(item["passed"], item["applicable"]))
    quality = sum(Fraction(weights[name]) * sum(found_) / len(found_) for name, found_ in scores.items()) ** 2
    assert str(volume)[:14] in text
    assert f"{float(quality):.10f}"[:8] in text
    assert math.isclose(float(quality), 0.98, abs_tol=0.02)
    assert result("price") == found


def test_trial_value__the_example__three_figures_and_one_concluded() -> None:
    """Cost: (1,200,000·1.04 + 300,000·0.97 + 800,000·1.1)·1.12·0.85·0.92; income: three discounted flows."""
    report, case = result("value")["report"], example("value")["request"]
    made = Fraction(1_200_000 * 104 + 300_000 * 97 + 800_000 * 110, 100)
    cost = made * Fraction(112, 100) * Fraction(85, 100) * Fraction(92, 100)
    flows = case["income"]["flows"]
    income = sum(Fraction(f["attribution"]) * f["cash_fen"] / Fraction("1.11") ** (i + 1) for i, f in enumerate(flows))
    figures = [row["value_fen"] for row in report["results"]]
    assert figures[:2] == [int(cost + Fraction(1, 2)), int(income + Fraction(1, 2))]
    assert report["conclusion"]["value_fen"] == figures[1]
    assert result("value")["report"] == report


def test_trial_allowance__the_example__an_excess_is_carried_into_the_next_year() -> None:
    first, second = result("allowance")["reports"]
    assert first["allowance"]["over_fen"] == 7_200_000 - 5_900_000 == second["allowance"]["deduct_fen"]
    assert second["allowance"]["allowed_fen"] == 6_100_000 - 1_300_000


WRONG_TRIALS = {
    "split": [
        (("payments", 0), 0.5, "0.5"),
        (("payments", 0), 10**16, "payments"),
        (("payments",), [], "payments"),
        (("colour",), 1, "colour"),
        (("plan", "steps", 1, "weights", 0, "weight"), -1, "weight"),
        (("plan", "steps", 0, "limit_fen"), -1, "limit_fen"),
        (("plan", "residual"), "nobody", "residual"),
        (("plan", "holders", 0, "party"), None, ""),
    ],
    "netting": [
        (("obligations", 0, "amount"), -1, "amount"),
        (("obligations", 0, "amount"), 1.5, ""),
        (("obligations", 0, "creditor"), "buyer-demo", "obligation"),
        (("obligations", 0, "note"), "x", "note"),
        (("obligations",), {}, "obligations"),
    ],
    "settlement": [
        (("agreements", 0, "quantity"), -1, "quantity"),
        (("agreements", 0, "quantity"), 2105.0, ""),
        (("agreements", 0, "terms", "tariff", "tiers", 0, "divisor"), 0, "divisor"),
        (("agreements", 0, "terms", "tariff", "tiers", 0, "numerator"), -35, "numerator"),
        (("agreements", 0, "terms", "colour"), 1, "colour"),
        (("period",), 202603, "period"),
        (("agreements",), [], "agreements"),
    ],
    "order": [
        (("orders", 0, "accepted", 0, "accepted"), 101, "accepted"),
        (("orders", 0, "accepted", 0, "accepted"), 0.5, ""),
        (("orders", 0, "scored", 0, "part"), 11, "part"),
        (("orders", 0, "scored", 0, "document"), None, "document"),
        (("months", 0, "month"), "2026-13", "month"),
        (("months", 0, "month"), "9999-12", "month"),
        (("report_at",), 2**53 - 1, "report_at"),
        (("invoice", "received_at"), 2**53 - 1, "received_at"),
        (("months", 0, "month"), "2026-05", "months"),
        (("months", 0, "events", 0, "row"), "1.9", "row"),
        (("months", 0, "events", 0, "points"), "02", "points"),
        (("incidents", 0, "number"), 7, "number"),
        (("cycle", "last"), "2026-02", "last"),
        (("cycle", "advances", "first"), -1, "first"),
        (("scheme",), {"grades": [{"name": "A", "start": "1", "coefficient": "1"}]}, "grades"),
        (("colour",), 1, "colour"),
    ],
    "price": [
        (("request", "as_of"), 1.5, ""),
        (("colour",), 1, "colour"),
        (("request", "colour"), 1, "colour"),
        (("request", "element", "citable"), True, "citable"),
        (("counted", "manifest", "rows"), -1, "rows"),
        (("counted",), None, ""),
        (("policy", "version"), 99, "policy"),
    ],
    "value": [
        (("request", "income", "rate"), "0", "income.rate"),
        (("request", "income", "rate"), 0.1, ""),
        (("request", "status"), "issued", "status"),
        (("request", "market", "cases", 0, "relation"), "friend", "relation"),
        (("colour",), 1, "colour"),
    ],
    "allowance": [
        (("operation", "years", 0, "sales", 0, "unit_price_fen"), 5001, "unit_price_fen"),
        (("operation", "years", 1, "year"), 2028, "years"),
        (("operation", "years"), {}, "years"),
        (("colour",), 1, "colour"),
    ],
}


@pytest.mark.parametrize(
    ("name", "path", "value", "field"), [(name, *case) for name, cases in WRONG_TRIALS.items() for case in cases]
)
def test_trial__a_wrong_document__one_line_that_names_the_field(
    tmp_path: Path, name: str, path: tuple[Any, ...], value: Any, field: str
) -> None:
    document = example(name)
    spot = document
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    file = tmp_path / "case.json"
    file.write_text(json.dumps(document), "utf-8")
    done = run("trial", name, file)
    refused(done, field)
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["case.json"]


@pytest.mark.parametrize("name", WRONG_TRIALS)
def test_trial__no_document__is_refused(tmp_path: Path, name: str) -> None:
    refused(run("trial", name, tmp_path / "absent.json"), "absent.json")
    refused(run("trial", name, tmp_path), str(tmp_path))
    file = tmp_path / "case.json"
    for data in (b"", b"[]", b"null", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 50_000, b'{"payments":[1e3]}'):
        file.write_bytes(data)
        refused(run("trial", name, file))


def test_trial__touches_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUQING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    result("split")
    assert list(tmp_path.iterdir()) == []
