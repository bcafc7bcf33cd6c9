"""The court package of a played world: opens, fits its digests, verifies with its own program, and invents nothing."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pypdf
import pytest

from api import court, verifiers
from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError
from tests.played import Played

CASES = {
    "agreement": ("agreement", ("--fields", "settlement")),
    "usage-record": ("usage-record", ("--part", "1")),
    "certificate": ("certificate", ()),
}


def fact_of(played: Played, name: str) -> str:
    bundle = canonical.decode((played.out / f"bundle-{name}.json").read_bytes().removesuffix(b"\n"))
    return hashlib.sha256(canonical.encode(bundle["fact"])).hexdigest()


def made(played: Played, name: str, target: Path) -> bytes:
    bundle, more = CASES[name]
    arguments = ("bundle", fact_of(played, bundle), *more, "--court", target, "--trust", played.out / "trust.json")
    done = played.shuqing(*arguments)
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


@pytest.mark.chain
@pytest.mark.parametrize("name", CASES)
def test_package__opens_fits_its_digests_and_verifies_with_its_own_program(
    played: Played, tmp_path: Path, name: str
) -> None:
    data = made(played, name, tmp_path / "one.zip")
    folder = tmp_path / "opened"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
        names = set(archive.namelist())
    assert names == {
        "README.txt", "DIGESTS.txt", "bundle.json", "trust.json", "head.note", "report.json", "report.pdf",
        "tools/verify_bundle.py", "tools/verifier.html",
    }  # fmt: skip
    listed = (folder / "DIGESTS.txt").read_text(encoding="utf-8")
    for file in names - {"DIGESTS.txt"}:
        found = twin((folder / file).read_bytes())
        assert f"{file}\n  字节 bytes {(folder / file).stat().st_size}\n" in listed
        assert found.sha256.hex() in listed
        assert found.sm3.hex() in listed
    assert (folder / "tools/verifier.html").read_bytes() == verifiers.page()
    for source in (("--rpc", played.rpc), ("--head", "head.note")):
        command = [sys.executable, "-I", "tools/verify_bundle.py", "bundle.json", "--trust", "trust.json", *source]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


@pytest.mark.chain
def test_report__says_what_arts_16_to_19_ask_and_leaves_to_the_party_what_only_it_knows(
    played: Played, tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(made(played, "usage-record", tmp_path / "one.zip"))) as archive:
        report = json.loads(archive.read("report.json"))
        pages = pypdf.PdfReader(io.BytesIO(archive.read("report.pdf"))).pages
        bundle = json.loads(archive.read("bundle.json"))
        readme = archive.read("README.txt").decode()
    text = "".join("".join(page.extract_text() for page in pages).replace("\u200b", "").split())
    for section in report["sections"]:
        assert section["title"] in text
        for row in section.get("table", {"rows": []})["rows"]:
            assert all("".join(cell.split()) in text for cell in row), row
    for code in (f"V{number:02d}" for number in range(1, 15)):
        assert code in text
    for known in (
        "INTACT", bundle["chain"]["tx"], bundle["fact"]["signatures"][0]["key"], "shuqing-connector", "court-witness",
        "GB/T32905-2016", "RFC9162", "平台没有托管功能", "内容是否真实", "演示",
    ):  # fmt: skip
        assert known in text, known
    left_open = [point for section in report["sections"] for point in section.get("open", ())]
    assert len(left_open) == sum(map(len, court.OPEN_POINTS.values())) == text.count("由举证方填写") - 1
    for asked in (
        "备案",
        "利害关系",
        "等级保护",
        "密码应用安全性评估",
        "具体来源",
        "生成机制",
        "存储过程",
        "公证",
        "关联印证",
    ):
        assert any(asked in point for point in left_open), asked
    assert {item["name"] for item in report["files"]} | {"DIGESTS.txt"} >= {"bundle.json", "tools/verify_bundle.py"}
    assert report["verification"]["integrity"] == "INTACT"
    assert "verify_bundle.py" in readme


@pytest.mark.chain
def test_package__of_what_does_not_verify__is_not_made(played: Played, tmp_path: Path) -> None:
    """Without --trust the installation's own file is used, which names no auditor: a close then lacks its signer."""
    target = tmp_path / "one.zip"
    done = played.shuqing("bundle", fact_of(played, "period-close"), "--court", target)
    assert done.returncode == 2
    assert "V07" in done.stderr
    assert not target.exists()
    bundle, trust = (played.out / "forged-agreement.json").read_bytes(), (played.out / "trust.json").read_bytes()
    with played.system() as system, pytest.raises(FieldError, match="V06"):
        court.package(bundle, trust, system, at=system.clock())


@pytest.mark.chain
def test_package__same_input__same_bytes(played: Played) -> None:
    bundle, trust = (played.out / "bundle-agreement.json").read_bytes(), (played.out / "trust.json").read_bytes()
    with played.system() as system:
        first, second = (court.package(bundle, trust, system, at=system.clock()) for _ in range(2))
    assert first == second


@pytest.mark.chain
def test_package__without_the_page__says_so(played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifiers, "PAGE", tmp_path / "none.html")
    bundle, trust = (played.out / "bundle-certificate.json").read_bytes(), (played.out / "trust.json").read_bytes()
    with played.system() as system:
        data = court.package(bundle, trust, system, at=system.clock())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert "tools/verifier.html" not in archive.namelist()
        assert court.NO_VERIFIER in archive.read("README.txt").decode()
        assert json.loads(archive.read("report.json"))["missing"] == court.NO_VERIFIER


def test_command__bundle_and_package_at_once__refused(played: Played, tmp_path: Path) -> None:
    for arguments in ((), ("--out", tmp_path / "a.json", "--court", tmp_path / "a.zip")):
        done = played.shuqing("bundle", "0" * 64, *arguments)
        assert done.returncode == 2
        assert "--court" in done.stderr


def test_text__a_mark_the_font_lacks__is_written_as_its_number() -> None:
    assert court._printable({"a": ["数清 №1 ≥ 2", "\U0001f600"]}) == {"a": ["数清 №1 ≥ 2", "[U+1F600]"]}
