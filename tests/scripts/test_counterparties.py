"""The 演示 counterparties as real processes: own keys, own state, each rule kept over restarts (decisions D27)."""

import base64
import csv
import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clearing.settlement import payment
from clearing.settlement.bank_file import new_entries, read_bank_csv
from clearing.settlement.camt053 import read_bank_file
from ledger import checkpoint, merkle, sm
from ledger.checkpoint import Checkpoint, LogKeys
from ledger.digest import TwinDigest, sha256, sm3, twin
from ledger.facts import Signature, Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import require_sm2
from ledger.witness import HttpWitness, Reason, Refused
from registry.asset import Twin
from registry.certificate import DEPOSIT_RECEIPT, DepositReceipt, DepositRequest, deposit_subject
from registry.party import Party, PartyKind, check_party
from tests.clearing.settlement.schemas import problems
from tests.second_sm2 import second_sm2

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_772_413_200  # 2026-03-02 09:00 in Shanghai
KEYS = LogKeys("log.demo", b"\x01" * 32, sm.from_private(b"\x02" * 32))
LEAVES = [twin(bytes([i])) for i in range(30)]
TREE = {size: merkle.MemoryTree(LEAVES[:size]) for size in range(1, 31)}


class Process:
    """A counterparty that was started and answers."""

    def __init__(self, name: str, home: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", f"scripts.counterparties.{name}", "--home", str(home), *arguments]
        self._popen = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self._popen.stdout.readline()
        if not line.startswith("ready http://127.0.0.1:"):
            raise AssertionError(line + self._popen.communicate()[1])
        self.url = line.removeprefix("ready ").strip()
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def post(self, path: str, body: object) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self._http.post(path, content=content)

    def put(self, path: str, body: object) -> httpx.Response:
        return self._http.put(path, json=body)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self._http.close()
        if self._popen.poll() is None:
            self._popen.send_signal(number)
        self._popen.communicate(timeout=15)
        return self._popen.returncode


Start = Callable[..., Process]


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    file = tmp_path / "clock"
    file.write_text(f"{NOW}\n")
    return file


@pytest.fixture
def start(tmp_path: Path, clock: Path) -> Iterator[Start]:
    running: list[Process] = []

    def begin(name: str, *arguments: str, home: str = "home") -> Process:
        process = Process(name, tmp_path / home, "--clock", str(clock), *arguments)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.stop()


@pytest.fixture
def log_file(tmp_path: Path) -> str:
    file = tmp_path / "log.json"
    file.write_text(json.dumps(KEYS.public().document()))
    return str(file)


def note_of(size: int, root: TwinDigest | None = None) -> str:
    return checkpoint.sign_note(Checkpoint("log.demo", size, root or TREE[size].root(), NOW), KEYS)


def path(first: int, second: int) -> list[TwinDigest]:
    return merkle.consistency_path(TREE[second].read, first, second)


def client(process: Process) -> HttpWitness:
    key = process.get("/key").json()
    return HttpWitness(key["name"], key["key"], process.url, 20)


def test_witness__log_grows__cosigns_and_tells_a_new_publisher_from_where_to_prove(start: Start, log_file: str) -> None:
    process = start("witness", "--log", log_file, "--name", "w.demo")
    witness = client(process)
    for size in (3, 8, 8, 20):
        line = witness.cosign(note_of(size), path)
        note = checkpoint.add_lines(note_of(size), [])
        note = note + line + "\n"
        assert checkpoint.verify_witnesses(note, {"w.demo": witness.public}) == (("w.demo", NOW),)
    fresh = client(process)
    asked = []
    fresh.cosign(note_of(25), lambda old, new: asked.append((old, new)) or path(old, new))
    assert asked == [(0, 25), (20, 25)]
    assert process.get("/latest").json()["size"] == 25
    assert process.get("/latest").json()["notice"] == "演示"
    assert process.stop() == 0


def test_witness__rollback_and_equivocation_even_after_a_kill__refused_with_evidence(
    start: Start, log_file: str
) -> None:
    process = start("witness", "--log", log_file)
    client(process).cosign(note_of(20), path)
    assert process.stop(signal.SIGKILL) == -signal.SIGKILL
    process = start("witness")
    forged = note_of(20, twin(b"another history"))
    for note, reason in ((note_of(8), Reason.ROLLBACK), (forged, Reason.EQUIVOCATION), (forged, Reason.EQUIVOCATION)):
        with pytest.raises(Refused) as caught:
            client(process).cosign(note, path)
        assert caught.value.reason is reason
    evidence = {item["reason"]: item for item in process.get("/evidence").json()["evidence"]}
    assert set(evidence) == {"rollback", "equivocation"}
    both = ["".join(line + "\n" for line in evidence["equivocation"][side]) for side in ("offered", "cosigned")]
    heads = [checkpoint.verify_log(note, "log.demo", KEYS.public().ed25519, KEYS.public().sm2) for note in both]
    assert heads[0].size == heads[1].size
    assert heads[0].root != heads[1].root
    assert process.get("/latest").json()["root"] == TREE[20].root().document()


def test_witness__two_processes_and_two_histories_at_once__one_history_is_cosigned(start: Start, log_file: str) -> None:
    pair = [start("witness", "--log", log_file, home="shared") for _ in range(2)]
    assert pair[0].get("/key").json()["key"] == pair[1].get("/key").json()["key"]
    gate = threading.Barrier(12)

    def offer(number: int) -> tuple[int, int]:
        side = number % 2
        lines = (note_of(9) if side else note_of(9, twin(b"another history"))).split("\n")[:-1]
        gate.wait()
        body = {"note": lines, "old_size": 0, "path": []}
        return side, httpx.post(pair[number // 6].url + "/add-checkpoint", json=body, trust_env=False).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(offer, range(12)))
    assert len({side for side, status in answers if status == 200}) == 1
    assert {status for _, status in answers} == {200, 409}


def test_witness__wrong_proof_foreign_log_or_hostile_body__refused_and_nothing_kept(
    start: Start, log_file: str, tmp_path: Path
) -> None:
    process = start("witness", "--log", log_file)
    witness = client(process)
    witness.cosign(note_of(8), path)
    with pytest.raises(Refused) as caught:
        witness.cosign(note_of(20), lambda old, new: path(old, new)[:-1])
    assert caught.value.reason is Reason.INCONSISTENT
    other = LogKeys("log.other", KEYS.ed25519, KEYS.sm2)
    with pytest.raises(Refused) as caught:
        witness.cosign(checkpoint.sign_note(Checkpoint("log.other", 20, TREE[20].root(), NOW), other), path)
    assert caught.value.reason is Reason.UNKNOWN_LOG
    lines = note_of(20).split("\n")[:-1]
    good = {"note": lines, "old_size": 8, "path": [step.document() for step in path(8, 20)]}
    for change, field in (
        ({"more": 1}, "more"),
        ({"old_size": -1}, "old_size"),
        ({"old_size": True}, "old_size"),
        ({"path": [{}]}, "path[0]"),
        ({"path": good["path"] * 200}, "path"),
        ({"note": "text"}, "note"),
        ({"note": ["a\nb"]}, "$.note[0]"),
    ):
        answer = process.post("/add-checkpoint", {**good, **change})
        assert (answer.status_code, answer.json()["field"]) == (400, field)
    for body in (b"", b"[]", b"{", b"\xff", b'{"note": 1.5}', b'{"note": null, "note": null}'):
        assert process.post("/add-checkpoint", body).status_code == 400
    assert process.get("/add-checkpoint").status_code == 405
    assert process.get("/nothing").status_code == 404
    assert process.get("/latest").json()["size"] == 8
    assert process.post("/add-checkpoint", good).status_code == 200
    process.stop()
    changed = tmp_path / "other.json"
    changed.write_text(json.dumps({**KEYS.public().document(), "origin": "log.other"}))
    with pytest.raises(AssertionError, match="--log"):
        start("witness", "--log", str(changed))


def test_http_witness__answers_of_a_stranger_or_none__unavailable(start: Start, log_file: str) -> None:
    process = start("witness", "--log", log_file)
    name = process.get("/key").json()["name"]
    impostor = HttpWitness(name, checkpoint.ed25519_public(b"\x05" * 32), process.url, 20)
    elsewhere = HttpWitness(name, impostor.public, process.url + "/latest", 20)
    for witness in (impostor, elsewhere, HttpWitness(name, impostor.public, "http://127.0.0.1:9", 2)):
        with pytest.raises(Refused) as caught:
            witness.cosign(note_of(3), path)
        assert caught.value.reason is Reason.UNAVAILABLE


def test_keys__first_start__private_files_only_the_owner_reads_and_they_stay(
    start: Start, log_file: str, tmp_path: Path
) -> None:
    for name, more, file in (
        ("witness", ("--log", log_file), "ed25519.key"),
        ("deposit_authority", (), "sm2.key"),
        ("bank", (), "sm2.key"),
    ):
        process = start(name, *more, home=name)
        key = process.get("/key").json()
        assert key["notice"] == "演示"
        assert stat.S_IMODE(os.stat(tmp_path / name / file).st_mode) == 0o600
        assert process.stop() == 0
        again = start(name, home=name)
        assert again.get("/key").json() == key
        again.stop()


# Deposit authority ----------------------------------------------------------------------------------------------------


AUTHORITY = "12990000DEMA00001R"
RECORD = Twin.of(twin(b"record"))
ASKED = DepositRequest(deposit_subject(RECORD), "a" * 32, "12330000AGENCY", AUTHORITY, RECORD, NOW - 5)


def request(**change: object) -> dict:
    """The request as the registry writes it."""
    return {"request": {**body_of(ASKED), **change}}


def read_signed(answer: httpx.Response, kind: str, key: str) -> dict:
    """Body of an answered act; its signature is checked with another SM2 and our own reading of the format."""
    document = answer.json()
    statement, (signature,) = document["statement"], document["signatures"]
    assert (statement["kind"], statement["no"]) == (kind, 0)
    assert (signature["by"], signature["key"]) == ("party:" + AUTHORITY, key)
    content = json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    message = sm3(b"shuqing/" + kind.encode() + b"\x00" + sha256(content) + sm3(content))
    assert second_sm2(key).verify_with_sm3(signature["value"], message)
    return statement["body"]


def test_deposit__request_of_the_registry__receipt_that_the_registry_reads(start: Start) -> None:
    process = start("deposit_authority")
    key = process.get("/key").json()["key"]
    answer = process.post("/deposits", request())
    body = read(DepositReceipt, read_signed(answer, DEPOSIT_RECEIPT, key))
    assert body == DepositReceipt(AUTHORITY, ASKED.agency, ASKED.application, RECORD, "演示-2026-000001", NOW)
    signed = Signed.of_document(answer.json())
    require_sm2(signed.statement, signed.signatures, by=f"party:{AUTHORITY}", key=key)
    assert signed.statement.subject == ASKED.subject


def test_deposit__same_record_before_and_after_a_kill__first_deposit_receipt(start: Start, clock: Path) -> None:
    process = start("deposit_authority")
    first = process.post("/deposits", request())
    assert first.status_code == 201
    process.stop(signal.SIGKILL)
    clock.write_text(str(NOW + 86_400))
    process = start("deposit_authority")
    again = process.post("/deposits", request(requested_at=NOW + 86_400))
    assert (again.status_code, again.content) == (200, first.content)
    assert process.get(f"/deposits/{RECORD.sha256}").content == first.content
    assert process.get("/deposits/" + "0" * 64).status_code == 404
    assert process.post("/deposits", request(application="b" * 32)).status_code == 409
    other = twin(b"other record").document()
    body = process.post("/deposits", request(record=other, subject=f"deposit:{other['sha256']}")).json()["statement"]
    assert (body["body"]["deposited_at"], body["body"]["number"]) == (NOW + 86_400, "演示-2026-000002")


def test_deposit__same_request_from_many_at_once__one_deposit(start: Start) -> None:
    process = start("deposit_authority")

    def send(_: int) -> bytes:
        return httpx.post(process.url + "/deposits", json=request(), trust_env=False, timeout=20).content

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(24)))) == 1


def test_publicity__same_application__first_release_and_another_text_refused(start: Start) -> None:
    process = start("deposit_authority")
    body = {"application_digest": twin(b"application").document(), "text": "公示：演示航空公司 航班数据"}
    first = process.post("/publicity", body)
    released = read_signed(first, "publicity-receipt/v1", process.get("/key").json()["key"])
    assert released["released_at"] == NOW
    assert released["text_digest"] == twin(body["text"].encode()).document()
    assert process.post("/publicity", body).content == first.content
    assert process.post("/publicity", {**body, "text": "另一文本"}).status_code == 409
    place = "/publicity/" + body["application_digest"]["sha256"]
    assert process.get(place).content == first.content
    assert process.get(place + "/text").text == f"【演示】\n{body['text']}\n"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "request"),
        ({"request": []}, "request"),
        ({**request(), "note": "x"}, "note"),
        (request(note="x"), "request.note"),
        (request(authority="12330000AGENCY"), "request.authority"),
        (request(subject="deposit:" + "0" * 64), "request.subject"),
        (request(record={"sha256": RECORD.sha256}), "request.record"),
        (request(agency="机构"), "request.agency"),
        (request(requested_at=-1), "request.requested_at"),
        (request(requested_at=NOW + 1), "request.requested_at"),
        (request(requested_at=2**53), "$.request.requested_at"),
    ],
)
def test_deposit__malformed__names_the_field(start: Start, body: dict, field: str) -> None:
    process = start("deposit_authority")
    answer = process.post("/deposits", body)
    assert (answer.status_code, answer.json()["field"], answer.json()["notice"]) == (400, field, "演示")


def test_possession__own_party_statement_only__signed(start: Start) -> None:
    process = start("deposit_authority")
    key = process.get("/key").json()
    party = Party(key["name"], PartyKind.LEGAL, AUTHORITY, key["key"], key["evm"], ("deposit_authority",))
    check_party(party, key["by"])
    own = Statement("party/v1", key["by"], 0, None, body_of(party))
    signature = Signature.of_document(process.post("/possession", {"statement": own.document()}).json()["signature"])
    require_sm2(own, (signature,), by=key["by"], key=key["key"])
    for statement in (
        Statement("deposit-receipt/v1", key["by"], 0, None, own.body),
        Statement("party/v1", "party:91990000DEMB000017", 0, None, own.body),
        Statement("party/v1", key["by"], 1, twin(b""), own.body),
        Statement("party/v1", key["by"], 0, None, {**own.body, "sm2": KEYS.sm2.public}),
        Statement("party/v1", key["by"], 0, None, {**own.body, "evm": "0x" + "0" * 40}),
    ):
        assert process.post("/possession", {"statement": statement.document()}).status_code == 400


def test_clock__file_missing_or_not_a_number__refused_with_nothing_written(start: Start, clock: Path) -> None:
    process = start("deposit_authority")
    for content in (None, "soon", "-5"):
        clock.unlink() if content is None else clock.write_text(content)
        assert process.post("/deposits", request()).status_code == 503
    clock.write_text(str(NOW))
    assert process.post("/deposits", request()).json()["statement"]["body"]["number"] == "演示-2026-000001"


# Bank -----------------------------------------------------------------------------------------------------------------

CODE = "999290000016"
ACCOUNTS = {"001": ("演示清算专户", 0), "002": ("演示消费方", 100_000), "003": ("演示提供方", 0)}


@pytest.fixture
def bank(start: Start) -> Process:
    process = start("bank")
    for no, (name, opening) in ACCOUNTS.items():
        assert process.put(f"/accounts/{no}", {"name": name, "opening_fen": opening}).status_code == 201
    return process


def row(payer: str, payee: str, amount: str, id_: str, **change: str) -> tuple[str, ...]:
    values = {"name": ACCOUNTS.get(payee, ("无",))[0], "bank": "演示银行", "code": CODE, **change}
    return ("1", payer, values["name"], payee, values["bank"], values["code"], amount, "清分结算 2026-03", id_)


def batch(*rows: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([payment.BATCH_COLUMNS, *rows])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def balances(bank: Process) -> list[int]:
    return [bank.get(f"/accounts/{no}").json()["balance_fen"] for no in ACCOUNTS]


def test_bank__instruction_sent_again_also_after_a_kill__executed_once(start: Start, bank: Process) -> None:
    file = batch(row("002", "001", "600.00", "SQA"), row("001", "003", "599.99", "SQB"))
    first = bank.post("/instructions", file).json()
    assert (first["executed"], first["refused"], first["total_fen"]) == (2, 0, 119_999)
    bank.stop(signal.SIGKILL)
    bank = start("bank")
    again = bank.post("/instructions", file).json()
    assert [item["reference"] for item in again["rows"]] == [item["reference"] for item in first["rows"]]
    assert ([item["replayed"] for item in again["rows"]], again["total_fen"]) == ([True, True], 0)
    assert balances(bank) == [1, 40_000, 59_999]


def test_bank__bad_rows__refused_row_by_row_and_the_good_ones_executed(bank: Process) -> None:
    answer = bank.post(
        "/instructions",
        batch(
            row("002", "003", "1.00", "A1"),
            row("002", "003", "1.00", "A2", name="演示提供万"),
            row("002", "003", "1000.00", "A3"),
            row("002", "009", "1.00", "A4"),
            row("009", "003", "1.00", "A5"),
            row("002", "003", "1.00", "A6", code="102290000018"),
            row("002", "002", "1.00", "A7"),
            row("002", "003", "1.005", "A8"),
            row("002", "003", "-1.00", "A9"),
            row("002", "003", "0.00", "B1"),
            row("002", "003", "2.00", "A1"),
            row("002", "003", "1.00", "A1"),
        ),
    ).json()
    assert [item["code"] for item in answer["rows"]] == [
        "ok", "wrong-payee-name", "insufficient-funds", "unknown-payee", "unknown-payer", "wrong-bank", "same-account",
        "malformed", "malformed", "malformed", "conflict", "ok",
    ]  # fmt: skip
    assert [item["row"] for item in answer["rows"]] == list(range(2, 14))
    assert (answer["total_fen"], balances(bank)) == (100, [0, 99_900, 100])


def test_bank__refused_row_corrected__executes_under_its_number(bank: Process) -> None:
    wrong, right = row("002", "003", "1.00", "A1", name="别人"), row("002", "003", "1.00", "A1")
    assert bank.post("/instructions", batch(wrong)).json()["refused"] == 1
    assert bank.post("/instructions", batch(right)).json()["executed"] == 1


def test_bank__file_of_another_form__refused_whole(bank: Process) -> None:
    good = batch(row("002", "003", "1.00", "A1"))
    for wrong in (b"", b"a,b\n", b"\xff", good.replace("用途".encode(), b"x"), good + b"1,2\r\n", batch()):
        answer = bank.post("/instructions", wrong)
        assert (answer.status_code, answer.json()["notice"]) == (400, "演示")
    assert balances(bank) == [0, 100_000, 0]


def test_bank__account_opened_again__same_answer_or_conflict(bank: Process) -> None:
    body = {"name": "演示消费方", "opening_fen": 100_000}
    assert bank.put("/accounts/002", body).status_code == 200
    assert bank.put("/accounts/002", {**body, "opening_fen": 5}).status_code == 409
    assert bank.put("/accounts/004", {**body, "opening_fen": -1}).json()["field"] == "opening_fen"
    assert bank.put("/accounts/4a", body).status_code == 404
    assert bank.get("/accounts/004").status_code == 404


def test_bank__statement__is_what_settlement_imports_and_is_signed(bank: Process, clock: Path) -> None:
    bank.post("/instructions", batch(row("002", "001", "600.00", "SQA")))
    clock.write_text(str(NOW + 86_400))
    bank.post("/instructions", batch(row("001", "003", "599.99", "SQB")))
    answer = bank.get("/statements/001.csv?from=2026-03-03&to=2026-03-03")
    file, entries = read_bank_csv(answer.content)
    assert (file.bank, file.account, file.opening, file.closing) == (CODE, "001", 60_000, 1)
    assert [(entry.amount, entry.end_to_end, entry.name) for entry in entries] == [(-59_999, "SQB", "演示提供方")]
    assert entries[0].remark == "演示 清分结算 2026-03"
    both, all_entries = read_bank_csv(bank.get("/statements/001.csv?from=2026-03-01&to=2026-03-03").content)
    assert (both.opening, both.closing, both.first_day, len(all_entries)) == (0, 1, "2026-03-01", 2)
    assert new_entries(both, all_entries, {entries[0].reference: entries[0]}, None) == all_entries[:1]

    standard = bank.get("/statements/001.xml?from=2026-03-01&to=2026-03-03").content
    assert problems("camt.053.001.08", standard) == []
    same, same_entries = read_bank_file(standard)
    assert same_entries == all_entries
    assert replace(same, digest="") == replace(both, digest="")

    key = bank.get("/key").json()["key"]
    signature = json.loads(answer.headers["X-Shuqing-Signature"])
    message = sm3(b"shuqing/bank-statement/v1\x00" + sha256(answer.content) + sm3(answer.content))
    assert second_sm2(key).verify_with_sm3(signature["value"], message)

    for query in ("", "?from=2026-03-03&to=2026-03-02", "?from=2026-03-01&to=2026-03-04", "?from=x&to=2026-03-03"):
        assert bank.get("/statements/001.csv" + query).status_code == 400
    assert bank.get("/statements/009.csv?from=2026-03-01&to=2026-03-03").status_code == 404


def test_bank__file_written_by_settlement__executes(bank: Process) -> None:
    def account(no: str) -> payment.BankAccount:
        return payment.BankAccount(CODE, "演示银行", no, ACCOUNTS[no][0])

    way = payment.Direction.PAYOUT
    instruction = payment.Instruction("SQ" + "0" * 32, way, "party:x", 12_345, account("003"))
    body = payment.Batch("c", "o", "2026-03", "n", "CNY", account("002"), (instruction,), 12_345, 12_345)
    answer = bank.post("/instructions", payment.batch_csv(body)).json()
    assert (answer["executed"], answer["total_fen"]) == (1, 12_345)


# Data API -------------------------------------------------------------------------------------------------------------

HOURS = (
    "origin,hour,flights,delay_sum,rain\nJFK,2013-01-01T05,12,-40,\nJFK,2013-01-01T06,9,31,2\nEWR,2013-01-01T05,7,0,1\n"
)


def test_data_api__hours_of_a_file__rows_of_integers_and_clear_refusals(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "hours.csv"
    file.write_text(HOURS)
    process = start("data_api", "--data", str(file))
    answer = process.get("/v1/delays?origin=JFK&hour=2013-01-01T05")
    assert answer.json() == {
        "count": 1,
        "notice": "演示",
        "rows": [{"origin": "JFK", "hour": "2013-01-01T05", "flights": 12, "delay_sum": -40}],
    }
    assert process.get("/v1/health").json()["rows"] == 3
    for query, field in (
        ("origin=JFK", "hour"),
        ("origin=JFK&hour=2013-01-01T05&x=1", "x"),
        ("origin=jfk&hour=2013-01-01T05", "origin"),
        ("origin=JFK&hour=2013-01-01", "hour"),
        ("origin=JFK&hour=2013-01-01T05&hour=2013-01-01T06", "query"),
    ):
        refused = process.get("/v1/delays?" + query)
        assert (refused.status_code, refused.json()["field"]) == (400, field)
    assert process.get("/v1/delays?origin=LGA&hour=2013-01-01T05").status_code == 404
    assert process.post("/v1/delays", {}).status_code == 405
    key = process.get("/key").json()
    content = HOURS.encode()
    message = sm3(b"shuqing/dataset/v1\x00" + sha256(content) + sm3(content))
    assert sm.verify(key["key"], message, bytes.fromhex(key["dataset"]["signature"]["value"]))
    assert key["dataset"]["digest"] == twin(content).document()
    assert process.stop() == 0


def test_data_api__file_with_fractions_or_without_hours__refuses_to_start(start: Start, tmp_path: Path) -> None:
    for content in (HOURS.replace("12,", "12.5,"), HOURS.replace("hour", "day"), HOURS.replace("EWR", "Newark")):
        file = tmp_path / "wrong.csv"
        file.write_text(content)
        with pytest.raises(AssertionError, match=r"wrong\.csv"):
            start("data_api", "--data", str(file))


# certification authority and time-stamp authority ---------------------------------------------------------------------


def csr(name: str = "登记专用章（演示）") -> tuple[str, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return base64.b64encode(request.public_bytes(Encoding.DER)).decode(), key


def test_certificate_authority__issues_once__under_a_root_that_says_demonstration(start: Start) -> None:
    first = start("certificate_authority", "--name", "电子认证服务机构（演示）")
    wanted, key = csr()
    given = first.post("/certificates", {"request": wanted, "use": "seal"})
    assert given.status_code == 201
    leaf, root = x509.load_pem_x509_certificates(given.json()["certificates"].encode())
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert leaf.public_key() == key.public_key()
    assert "演示" in root.subject.rfc4514_string()
    assert "演示" in leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    first.stop()
    again = start("certificate_authority", "--name", "电子认证服务机构（演示）")
    assert again.get("/key").json()["certificate"].encode() == root.public_bytes(Encoding.PEM)
    same = again.post("/certificates", {"request": wanted, "use": "seal"})
    assert (same.status_code, same.content) == (200, given.content)
    other = again.post("/certificates", {"request": wanted, "use": "stamp"})
    stamp = x509.load_pem_x509_certificates(other.json()["certificates"].encode())[0]
    usage = stamp.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert (usage.critical, list(usage.value)) == (True, [ExtendedKeyUsageOID.TIME_STAMPING])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"use": "tls"}, "use"), ({"request": "AAAA"}, "request"), ({"request": 7}, "request"),
        ({"request": "not base64!"}, "request"), ({"more": "x"}, "more"),
    ],
)  # fmt: skip
def test_certificate_authority__bad_request__names_the_field(
    start: Start, change: dict[str, object], field: str
) -> None:
    authority = start("certificate_authority")
    wanted, _ = csr()
    refused = authority.post("/certificates", {"request": wanted, "use": "seal"} | change)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    data = bytearray(base64.b64decode(wanted))
    data[-3] ^= 1
    broken = base64.b64encode(bytes(data)).decode()
    assert authority.post("/certificates", {"request": broken, "use": "seal"}).status_code == 400


def test_time_stamp_authority__another_program_finds_its_stamps_good__at_the_clocks_time(
    start: Start, clock: Path
) -> None:
    ca = start("certificate_authority", home="ca")
    authority = start("time_stamp_authority", "--ca", ca.url, "--name", "时间戳服务机构（演示）", home="tsa")
    root = x509.load_pem_x509_certificate(ca.get("/key").json()["certificate"].encode())
    verifier = rfc3161_client.VerifierBuilder().add_root_certificate(root).build()
    serials = set()
    for later in (0, 60):
        clock.write_text(f"{NOW + later}\n")
        question = rfc3161_client.TimestampRequestBuilder().data(b"content").build()
        given = authority.post("/", question.as_bytes())
        assert given.headers["Content-Type"] == "application/timestamp-reply"
        answer = rfc3161_client.decode_timestamp_response(given.content)
        assert verifier.verify_message(answer, b"content")
        with pytest.raises(rfc3161_client.VerificationError):
            verifier.verify_message(answer, b"other content")
        assert answer.tst_info.nonce == question.nonce
        assert answer.tst_info.gen_time.timestamp() == NOW + later
        serials.add(answer.tst_info.serial_number)
    assert len(serials) == 2
    shown = authority.get("/key").json()
    assert "演示" in shown["name"]
    authority.stop()
    back = start("time_stamp_authority", "--ca", "http://127.0.0.1:9", "--name", "时间戳服务机构（演示）", home="tsa")
    assert back.get("/key").json()["certificates"] == shown["certificates"]
    for nonsense in (b"", b"{}", b"\x30\x00"):
        assert back.post("/", nonsense).status_code == 400
