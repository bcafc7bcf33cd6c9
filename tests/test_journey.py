"""The whole journey, played once: what it says, what it leaves, and whether two verifiers agree about all of it."""

from __future__ import annotations

import asyncio
import copy
import csv
import json
import random
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import httpx
import openpyxl
import pypdf
import pypdfium2
import pytest
import zxingcpp

from api import bootstrap, settings
from api.app import create
from api.bootstrap import System
from ledger import canonical, checkpoint, merkle, trust, verify
from ledger.bundle import path_document
from ledger.chain import Chain
from ledger.digest import twin
from ledger.merkle import MemoryTree
from scripts import verify_bundle
from tests.conftest import CALLS
from tests.played import Played, rows

KINDS = ("certificate", "agreement", "usage-record", "statement-line", "period-close")
USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
SEED = 20260803


# What was said and left -----------------------------------------------------------------------------------------------


def test_demo__ends_well__and_every_file_the_journey_promises_is_there(played: Played) -> None:
    assert played.code == 0
    names = {str(path.relative_to(played.out)) for path in played.out.rglob("*") if path.is_file()}
    assert {f"bundle-{kind}.json" for kind in KINDS} <= names
    for kind in KINDS:
        assert {f"forged-{kind}.json", f"flipped-{kind}.json"} <= names
    certificates = sorted(name for name in names if name.startswith("certificate-"))
    assert [name.rpartition(".")[2] for name in certificates] == ["json", "pdf"] * 2
    assert {"agreement-consumer.json", "agreement-broker.json", "trust.json", "head.note", "audit-report.txt"} <= names
    assert {"bank-statement.csv", "bank-instructions.csv", "price-report.json"} <= names
    statements = sorted(name for name in names if name.startswith("statements/"))
    assert [name.rpartition(".")[2] for name in statements] == ["json", "xlsx"] * 5
    assert f"真实调用数据接口 {CALLS} 次" in played.told
    assert f"{CALLS} 次成功" in played.told


def test_demo__money_in_is_money_out__by_bank_file_and_by_journal(played: Played) -> None:
    found = re.search(
        r"money in = money out：银行文件 bank file 收 in ([0-9.]+) 付 out ([0-9.]+)；"
        r"账簿 journal 收 in ([0-9.]+) 付 out ([0-9.]+)",
        played.told,
    )
    assert found is not None
    said = {int(text.replace(".", "")) for text in found.groups()}
    assert len(said) == 1
    # The bank's own file, added up here without the platform.
    with (played.out / "bank-statement.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    assert sum("演示" in "".join(row) for row in table) >= 1
    journal = rows(played.database, "clearing_posting", "no, line")
    assert sum(row[-1] for row in journal) == 0
    effects = [(row[4], row[5]) for row in rows(played.database, "clearing_bank_entry", "reference")]
    assert sum(amount for amount, _ in effects if amount > 0) == -sum(amount for amount, _ in effects if amount < 0)
    assert said == {sum(amount for amount, _ in effects if amount > 0)}


def test_demo__every_step_of_registration_and_both_refusals_are_told(played: Played) -> None:
    assert played.told.count("ISSUED，凭证编号 SJ3312026080001") == 1
    assert played.told.count("ISSUED，凭证编号 SJ3312026080002") == 1
    assert "没有使用权证明时被拒" in played.told
    assert "其余以 UC25 拒绝且不计费" in played.told
    assert played.told.count("✓ 通过 / verified") == len(KINDS)
    assert played.told.count("拒绝 / refused") == 2 * len(KINDS)
    assert "未被发现" not in played.told
    assert (played.out / "audit-report.txt").read_text("utf-8").endswith("差异 / differences: 0\n")


# Papers ---------------------------------------------------------------------------------------------------------------


def test_certificate_pdf__text_reads_back__and_the_qr_code_leads_to_a_check_that_answers(played: Played) -> None:
    for paper in sorted(played.out.glob("certificate-*.pdf")):
        document = json.loads(paper.with_suffix(".json").read_text("utf-8"))
        code = paper.name.split("-")[1]
        reader = pypdf.PdfReader(paper)
        text = re.sub(r"\s", "", "".join(page.extract_text() for page in reader.pages))
        for wanted in (code, "数据产权登记凭证", "演示用印", "浙江数清数据登记有限公司（演示）"):
            assert wanted in text, (paper.name, wanted)
        assert code in json.dumps(document)
        pdf = pypdfium2.PdfDocument(paper)
        found = [item for page in pdf for item in zxingcpp.read_barcodes(page.render(scale=3).to_numpy())]
        pdf.close()
        assert [item.format for item in found] == [zxingcpp.BarcodeFormat.QRCode]
        address = found[0].text
        token = re.search(r"[?&]t=([^&]+)", address)
        assert f"code={code}" in address
        assert token is not None
        with played.system() as system:
            checked, kept, stranger = asyncio.run(
                _asked(
                    system,
                    f"/api/check/{code}?t={token.group(1)}",
                    f"/api/certificates/{code}/pdf?t={token.group(1)}",
                    f"/api/certificates/{code}/pdf?t={'0' * 32}",
                )
            )
        assert checked.json()["token_matches"] is True
        assert kept.content == paper.read_bytes()
        assert stranger.status_code == 403


async def _asked(system: System, *paths: str) -> list[httpx.Response]:
    """What the installation's own application answers, without a server."""
    transport = httpx.ASGITransport(create(system))
    async with httpx.AsyncClient(transport=transport, base_url="http://journey") as client:
        return [await client.get(path) for path in paths]


def test_statements__xlsx_opens__and_every_cell_is_text(played: Played) -> None:
    for file in sorted((played.out / "statements").glob("*.xlsx")):
        stated = json.loads(file.with_suffix(".json").read_text("utf-8"))
        book = openpyxl.load_workbook(BytesIO(file.read_bytes()))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
        assert {cell.data_type for cell in cells} == {"s"}
        written = {cell.value for cell in cells}
        assert file.stem in written
        assert USCC.fullmatch(file.stem)
        body = stated["statement"]
        summary = {row[0].value: row[1].value for row in book["清分账单"].iter_rows()}
        assert summary["应收(元)"] == f"{body['owed'] // 100}.{body['owed'] % 100:02d}"
        assert summary["应付(元)"] == f"{body['owes'] // 100}.{body['owes'] % 100:02d}"


def test_amounts__each_party_gets_what_its_holders_shares_say(played: Played) -> None:
    """The shares of both agreements added up here from the share facts, against what the statements owe."""
    owed: Counter[str] = Counter()
    for row in rows(played.database, "clearing_share", "party"):
        owed[row[1]] += row[6]
    for file in (played.out / "statements").glob("*.json"):
        body = json.loads(file.read_text("utf-8"))["statement"]
        taxes = body["owed"] - owed[file.stem]
        # Who issues the invoice receives the tax with its share; nobody else gets more than the shares.
        assert taxes >= 0
        assert taxes == 0 or file.stem == _seller(played)


def _seller(played: Played) -> str:
    return str(rows(played.database, "market_listing", "id")[0][7])


# Two verifiers --------------------------------------------------------------------------------------------------------


class Judges:
    """The library's verifier and the stand-alone one, over the same trust file, head and chain."""

    def __init__(self, played: Played, chain: Chain) -> None:
        data = (played.out / "trust.json").read_bytes()
        note = (played.out / "head.note").read_bytes()
        self.trust, self.own_trust = trust.read(canonical.parse(data)), verify_bundle.read_trust(data)
        self.head = checkpoint.parse(note.decode())[0]
        self.own_head = verify_bundle.read_given(note, self.own_trust)
        self.chain, self.node = chain, verify_bundle.Node(played.rpc)

    def library(self, data: bytes, online: bool) -> str:
        """ "" when intact, else the code of the first failing step."""
        anchor: dict[str, Any] = {"chain": self.chain} if online else {"head": self.head}
        failed = verify.verify(data, self.trust, rules=bootstrap.rules(), **anchor).failed
        return failed.code if failed else ""

    def alone(self, data: bytes, online: bool) -> str:
        case = verify_bundle.Case(
            data, self.own_trust, self.node if online else None, None if online else self.own_head
        )
        last = verify_bundle.run(case)[-1]
        return str(last["code"]) if last["ok"] is False else ""


@pytest.fixture(scope="module")
def judges(played: Played) -> Judges:
    return Judges(
        played, bootstrap.connect(settings.load(played.home).model_copy(update={"rpc_url": played.rpc}), None)
    )


@pytest.fixture(scope="module")
def bundles(played: Played) -> dict[str, dict[str, Any]]:
    return {kind: json.loads((played.out / f"bundle-{kind}.json").read_bytes()) for kind in KINDS}


@pytest.mark.chain
@pytest.mark.parametrize("kind", KINDS)
def test_bundle__both_verifiers_and_both_programs__find_it_intact(
    played: Played, judges: Judges, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = played.out / f"bundle-{kind}.json"
    for online in (True, False):
        assert judges.library(file.read_bytes(), online) == ""
        assert judges.alone(file.read_bytes(), online) == ""
    arguments = [str(file), "--trust", str(played.out / "trust.json")]
    assert verify_bundle.main([*arguments, "--rpc", played.rpc]) == 0
    assert verify_bundle.main([*arguments, "--head", str(played.out / "head.note")]) == 0
    capsys.readouterr()


@pytest.mark.chain
def test_shuqing_verify__a_bundle_and_its_forgeries__exit_codes(played: Played) -> None:
    trust_file = ("--trust", played.out / "trust.json")
    done = played.shuqing("verify", played.out / "bundle-certificate.json", *trust_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "INTACT" in done.stdout
    assert "IN_FORCE" in done.stdout
    done = played.shuqing("verify", played.out / "forged-agreement.json", *trust_file)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "REFUSED" in done.stdout
    assert "V06" in done.stdout


@pytest.mark.chain
def test_verifiers__agree_on_forgeries_flips_and_transplants(
    judges: Judges, bundles: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Same verdict on every mutant. What both let pass is only what a bundle merely hints at."""
    rng = random.Random(SEED)
    steps: Counter[str] = Counter()
    same = total = 0
    passed: set[str] = set()
    for number, (what, data) in enumerate(_mutants(rng, bundles)):
        online = number % 4 == 0
        library, alone = judges.library(data, online), judges.alone(data, online)
        assert (library == "") == (alone == ""), (what, online, library, alone)
        total += 1
        same += library == alone
        steps[alone or "intact"] += 1
        if not alone and not _means_the_same(data, bundles[what.split()[0]]):
            passed.add(what)
    with capsys.disabled():
        print(f"\n{total} mutants (seed {SEED}): verdicts agree {total}, same first step {same}; first steps", end=" ")
        print(dict(sorted(steps.items())))
    assert total >= 300
    # A bundle whose signers all stand in the trust file needs no supports: they may be others, or missing.
    spare = {kind for kind in KINDS if kind not in ("agreement", "usage-record")}
    assert {what for what in passed if not ("supports" in what and what.split()[0] in spare)} == set()
    assert {"V01", "V03", "V04", "V06", "V08", "V09"} <= set(steps)


def _mutants(rng: random.Random, bundles: dict[str, dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    for kind, document in bundles.items():
        places = list(_leaves(document))
        for path in rng.sample(places, 9):
            for seal in (False, True):
                changed = copy.deepcopy(document)
                _change(rng, changed, path)
                if seal:
                    _reseal(changed)
                yield f"{kind} {'sealed ' if seal else ''}{'.'.join(map(str, path))}", _written(changed)
        whole = canonical.encode(document) + b"\n"
        for _ in range(7):
            flipped = bytearray(whole)
            flipped[rng.randrange(len(whole) - 1)] ^= 1 << rng.randrange(8)
            yield f"{kind} flip", bytes(flipped)
        for what, change in _SURGERY.items():
            changed = copy.deepcopy(document)
            change(changed)
            yield f"{kind} {what}{' same bytes' if changed == document else ''}", _written(changed)
    for kind, document in bundles.items():
        for other, donor in bundles.items():
            for path in _ORGANS if other != kind else ():
                found = _at(donor, path)
                if found is None or _at(document, path) is None:
                    continue
                for seal in (False, True) if rng.random() < 0.4 else (True,):
                    changed = copy.deepcopy(document)
                    _put(changed, path, copy.deepcopy(found))
                    if seal:
                        _reseal(changed)
                    same = "same bytes" if changed == document else "transplant"
                    yield f"{kind} ← {other} {'.'.join(path)} {same}", _written(changed)


def _means_the_same(data: bytes, document: dict[str, Any]) -> bool:
    """Nothing was changed but where on the chain to look, or one line of more witnesses than are needed."""
    mutant, lines = json.loads(data), Counter(document["head"]["note"])
    lost = (lines - Counter(mutant["head"]["note"])).total()
    return lost <= 1 and _core(mutant) == _core(document)


def _core(document: dict[str, Any]) -> dict[str, Any]:
    """A bundle without hints and without the lines of witnesses, which follow the log's own two."""
    chain = {name: value for name, value in document["chain"].items() if name not in ("tx", "block")}
    return document | {"chain": chain, "head": {"note": document["head"]["note"][:8]}}


_ORGANS = (
    ("fact",), ("entry",), ("part",), ("supports",), ("head",), ("fact", "signatures"), ("fact", "statement"),
    ("fact", "statement", "body"), ("fact", "statement", "subject"), ("fact", "statement", "parts"),
)  # fmt: skip


def _drop_witness(document: dict[str, Any]) -> None:
    del document["head"]["note"][-2]


def _drop_two_witnesses(document: dict[str, Any]) -> None:
    del document["head"]["note"][-3:-1]


def _drop_log_line(document: dict[str, Any]) -> None:
    del document["head"]["note"][6]


def _drop_signature(document: dict[str, Any]) -> None:
    document["fact"]["signatures"].pop()
    _reseal(document)


def _double_signature(document: dict[str, Any]) -> None:
    document["fact"]["signatures"] *= 2
    _reseal(document)


def _no_sm3(document: dict[str, Any]) -> None:
    del document["entry"]["path"]["sm3"]


def _drop_supports(document: dict[str, Any]) -> None:
    document["supports"] = []


def _other_chain(document: dict[str, Any]) -> None:
    document["chain"]["chain_id"] += 1


def _unknown_field(document: dict[str, Any]) -> None:
    document["note"] = "x"


_SURGERY: dict[str, Callable[[dict[str, Any]], None]] = {
    "a witness line less": _drop_witness,
    "two witness lines less": _drop_two_witnesses,
    "a log line less": _drop_log_line,
    "a signature less": _drop_signature,
    "every signature twice": _double_signature,
    "one side of a path": _no_sm3,
    "no supports": _drop_supports,
    "another chain": _other_chain,
    "an unknown field": _unknown_field,
}


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _leaves(inner, (*path, key))
    if not isinstance(value, dict | list):
        yield path


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        if isinstance(document, dict) and key not in document:
            return None
        document = document[key]
    return document


def _put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    _at(document, path[:-1])[path[-1]] = value


def _change(rng: random.Random, document: dict[str, Any], path: tuple[Any, ...]) -> None:
    """Another value of the same type, near enough to look right."""
    value = _at(document, path)
    if isinstance(value, bool):
        _put(document, path, not value)
    elif isinstance(value, int):
        _put(document, path, value + rng.choice((-1, 1, 1000)))
    elif not value:
        _put(document, path, "0")
    else:
        place = rng.randrange(len(value))
        letters = [letter for letter in ("0", "1", "a", "2") if letter != value[place]]
        _put(document, path, value[:place] + letters[0] + value[place + 1 :])


def _reseal(document: dict[str, Any]) -> None:
    """Everything a forger without keys can recompute: parts root, places, paths, size and roots of the head."""
    statement = document["fact"].get("statement", {})
    part = document.get("part")
    if part and "parts" in statement:
        statement["parts"] = {"count": 1, "root": MemoryTree([twin(part["data"].encode())]).root().document()}
        part |= {"index": 0, "path": {"sha256": "", "sm3": ""}}
    items = [document, *document["supports"]]
    tree = MemoryTree([twin(canonical.encode(item["fact"])) for item in items])
    for place, item in enumerate(items):
        path = merkle.inclusion_path(tree.read, place, tree.size)
        item["entry"] = {"index": place, "path": path_document(path)}
    root, note = tree.root(), document["head"]["note"]
    note[1] = str(tree.size)
    note[2] = b64encode(root.sha256).decode()
    note[3] = "sm3 " + b64encode(root.sm3).decode()


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
