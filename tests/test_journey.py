"""The whole journey, played once: what it says, what it leaves, and whether two verifiers agree about all of it."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from hashlib import sha256
from io import BytesIO
from pathlib import Path
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
from ledger import canonical, checkpoint, trust, verify
from ledger.chain import Chain
from scripts import verify_bundle
from scripts.bench.proof import enlarged, size_of
from tests.conftest import CALLS
from tests.played import Played, rows, shuqing
from tests.telling import Tell

KINDS = (
    "certificate", "agreement", "usage-record", "statement-line", "period-close", "certificate-rights",
    "agreement-whole",
)  # fmt: skip
USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")


# What was said and left -----------------------------------------------------------------------------------------------


def test_demo__ends_well__and_every_file_the_journey_promises_is_there(played: Played) -> None:
    assert played.code == 0
    names = {str(path.relative_to(played.out)) for path in played.out.rglob("*") if path.is_file()}
    assert {f"bundle-{kind}.json" for kind in KINDS} <= names
    for kind in KINDS:
        assert {f"forged-{kind}.json", f"flipped-{kind}.json"} <= names
    certificates = sorted(name for name in names if name.startswith("certificate-S"))
    assert [name.rpartition(".")[2] for name in certificates] == ["json", "pdf", "json"] * 2
    assert {"agreement-consumer.json", "agreement-broker.json", "trust.json", "head.note", "audit-report.txt"} <= names
    assert {"bank-statement.csv", "bank-instructions.csv", "price-report.json"} <= names
    statements = sorted(name for name in names if name.startswith("statements/"))
    assert [name.rpartition(".")[2] for name in statements] == ["json", "pdf", "xlsx"] * 5
    assert f"真实调用数据接口 {CALLS} 次" in played.told
    assert f"{CALLS} 次成功" in played.told


def test_demo__money_in_is_money_out__by_bank_file_and_by_journal(played: Played) -> None:
    found = re.findall(
        r"money in = money out：银行文件 bank file 收 in ([0-9.]+) 付 out ([0-9.]+)；"
        r"账簿 journal 收 in ([0-9.]+) 付 out ([0-9.]+)",
        played.told,
    )
    assert len(found) == 2, "September, and the hard October"
    said = [{int(text.replace(".", "")) for text in sums} for sums in found]
    assert [len(sums) for sums in said] == [1, 1]
    # The bank's own file, added up here without the platform.
    with (played.out / "bank-statement.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    assert sum("演示" in "".join(row) for row in table) >= 1
    journal = rows(played.database, "clearing_posting", "no, line")
    assert sum(row[-1] for row in journal) == 0
    effects = [(row[4], row[5]) for row in rows(played.database, "clearing_bank_entry", "reference")]
    came_back = sum(amount for amount, effect in effects if effect == "returned")
    assert came_back > 0
    received = sum(amount for amount, _ in effects if amount > 0) - came_back
    assert received == -sum(amount for amount, _ in effects if amount < 0) - came_back
    assert received == sum(amount for sums in said for amount in sums)


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


def test_certificate_pdf__seal_and_time_stamp__lead_to_the_demonstration_authority(played: Played) -> None:
    root = played.out / "seal-root.pem"
    papers = sorted(played.out.glob("certificate-*.pdf"))
    assert len(papers) == 2
    for paper in papers:
        at = settings.load(played.home).clock_file.read_text()  # type: ignore[union-attr]
        done = shuqing("seal", "check", paper, "--root", root, "--stamp-root", root, "--at", at)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["holder"] == "浙江数清数据登记有限公司（演示）　登记专用章"
        assert found["stamped_by"] == "时间戳服务机构（演示）"
        assert found["stamped_at"].startswith("2026-08-")


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
    """September's shares of both agreements added up here from the share facts, against what its statements owe."""
    owed: Counter[str] = Counter()
    with closing(sqlite3.connect(played.database)) as database:
        for party, amount in database.execute("SELECT party, amount FROM clearing_share WHERE booked = '2026-09'"):
            owed[party] += amount
    for file in (played.out / "statements").glob("*.json"):
        body = json.loads(file.read_text("utf-8"))["statement"]
        taxes = body["owed"] - owed[file.stem]
        # Who issues the invoice receives the tax with its share; nobody else gets more than the shares.
        assert taxes >= 0
        assert taxes == 0 or file.stem == _seller(played)


def _seller(played: Played) -> str:
    with closing(sqlite3.connect(played.database)) as database:
        return str(database.execute("SELECT seller FROM market_listing").fetchone()[0])


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


@pytest.mark.parametrize("kind", KINDS)
def test_bundle__core__at_most_8_kb_even_in_a_log_of_ten_million(
    bundles: dict[str, dict[str, Any]], kind: str, tell: Tell
) -> None:
    core, whole = size_of(bundles[kind])
    large, _ = size_of(enlarged(bundles[kind]))
    tell(f"{kind}: core {core}, whole {whole}, core at 10^7 leaves {large} bytes")
    assert core < large <= 8 * 1024


def test_bundle__chosen_fields__shown_and_the_others_nowhere_in_the_file(
    played: Played, bundles: dict[str, dict[str, Any]]
) -> None:
    """The certificate shows holders and rights, the agreement its settlement; the rest is named and nothing more."""
    shown = {kind: [json.loads(part["data"])["field"] for part in bundles[kind]["parts"]] for kind in KINDS[:2]}
    shown["certificate-rights"] = [json.loads(part["data"])["field"] for part in bundles["certificate-rights"]["parts"]]
    assert shown["agreement"] == ["settlement"]
    assert shown["certificate-rights"] == ["holders", "rights"]
    assert shown["certificate"] == bundles["certificate"]["fact"]["statement"]["body"]["fields"]
    whole = {json.loads(part["data"])["field"]: json.loads(part["data"]) for part in bundles["certificate"]["parts"]}
    text = (played.out / "bundle-certificate-rights.json").read_text(encoding="utf-8")
    for name in set(whole) - {"holders", "rights"}:
        assert whole[name]["salt"] not in text
        assert canonical.encode(whole[name]["value"]).decode() not in text or len(str(whole[name]["value"])) < 20
    assert whole["salt"]["value"] not in text


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--fields", "purposes,scope"), ["purposes", "scope"]),
        (("--fields", ""), None),
        ((), None),
        (("--all-fields",), "all"),
    ],
)
def test_shuqing_bundle__fields_chosen_at_the_command(
    played: Played, bundles: dict[str, dict[str, Any]], tmp_path: Path, arguments: tuple[str, ...], names: Any
) -> None:
    fact = sha256(canonical.encode(bundles["agreement"]["fact"])).hexdigest()
    out = tmp_path / "bundle.json"
    done = played.shuqing("bundle", fact, "--out", out, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(out.read_bytes())
    wanted = document["fact"]["statement"]["body"]["fields"] if names == "all" else names
    assert [json.loads(part["data"])["field"] for part in document.get("parts", [])] == (wanted or [])


@pytest.mark.parametrize("fields", ["salt", "nothing", "salt,scope"])
def test_shuqing_bundle__unknown_field_or_the_salt_alone__refused_and_no_file(
    played: Played, bundles: dict[str, dict[str, Any]], tmp_path: Path, fields: str
) -> None:
    fact = sha256(canonical.encode(bundles["agreement"]["fact"])).hexdigest()
    done = played.shuqing("bundle", fact, "--out", tmp_path / "bundle.json", "--fields", fields)
    assert done.returncode == 2
    assert "fields" in done.stderr
    assert not (tmp_path / "bundle.json").exists()
