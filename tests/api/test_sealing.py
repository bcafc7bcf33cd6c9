"""The seal in the home folder, what the worker does with it, and the commands about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from api import bootstrap, jobs, sealing
from api.cli import app
from api.papers import path_of
from api.settings import SettingsError, StampSettings, save
from ledger.digest import twin
from ledger.errors import FieldError
from registry import answering, store
from registry.catalogue import Integrity
from registry.errors import PaperRefused
from registry.pades import examine
from tests.api.house import START, Platform
from tests.registry.registry_house import a_form
from tests.registry.seal_maker import Authority, Stamper, authority, der

NAME = "浙江某某数据登记有限公司（演示）"


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(item.public_bytes(Encoding.PEM) for item in certificates)


def certified(house: Authority, file: Path, **more: object) -> x509.Certificate:
    wanted = x509.load_pem_x509_csr(sealing.request(file, NAME))
    assert wanted.is_signature_valid
    return house.issue("登记专用章（演示）", wanted.public_key(), "seal", **more)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = sealing.path_of(tmp_path)
    sealing.create(path, NAME, at=START)
    return path


# The file -------------------------------------------------------------------------------------------------------------


def test_create__for_its_owner_only__says_demonstration_seal__and_never_overwrites(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    certificate = x509.load_pem_x509_certificate(before[before.index(b"-----BEGIN CERT") :])
    assert {item.value for item in certificate.subject} == {NAME, "演示用印"}
    with pytest.raises(FileExistsError):
        sealing.create(file, NAME, at=START)
    assert file.read_bytes() == before


def test_install__certificates_of_an_authority__take_the_place_of_the_own_one(file: Path) -> None:
    house = authority()
    leaf = certified(house, file)
    assert sealing.install(file, pem(leaf, house.root), at=START) == "登记专用章（演示）"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().count(b"BEGIN CERTIFICATE") == 2
    assert file.read_bytes().count(b"PRIVATE KEY") == 2
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_install__what_does_not_belong__is_refused_and_the_file_stays(file: Path, tmp_path: Path) -> None:
    house, stranger = authority(), authority("另一机构")
    leaf = certified(house, file)
    other = tmp_path / "other" / "seal.pem"
    sealing.create(other, NAME, at=START)
    before = file.read_bytes()
    own = x509.load_pem_x509_certificate(before[before.index(b"-----BEGIN CERT") :])
    wrong = {
        "another key": pem(certified(house, other), house.root),
        "another root": pem(leaf, stranger.root),
        "root first": pem(house.root, leaf),
        "no root": pem(leaf),
        "its own": pem(own),
        "expired": pem(certified(house, file, days=3), house.root),
        "nothing": b"",
        "no certificate": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    for name, data in wrong.items():
        with pytest.raises(FieldError, match="certificates"):
            sealing.install(file, data, at=START)
        assert file.read_bytes() == before, name


def test_seal_of__trial_while_it_signs_itself_or_the_installation_is_a_demonstration(platform: Platform) -> None:
    settings = platform.system.settings
    assert sealing.seal_of(settings).trial
    assert sealing.seal_of(settings.model_copy(update={"demo": False})).trial
    house, path = authority(), sealing.path_of(settings.home)
    sealing.install(path, pem(certified(house, path), house.root), at=START)
    assert sealing.seal_of(settings).trial
    assert not sealing.seal_of(settings.model_copy(update={"demo": False})).trial


def test_seal_of__no_file__open_to_others__or_none_at_all__says_which(platform: Platform) -> None:
    settings = platform.system.settings
    path = sealing.path_of(settings.home)
    good = path.read_bytes()
    path.chmod(0o640)
    with pytest.raises(FieldError, match="0600"):
        sealing.seal_of(settings)
    path.chmod(0o600)
    for data in (b"", b"{}", good[: len(good) // 3], good[good.index(b"-----BEGIN CERT") :]):
        path.write_bytes(data)
        with pytest.raises(FieldError, match=r"seal\.pem"):
            sealing.seal_of(settings)
    path.unlink()
    with pytest.raises(SettingsError, match=r"seal\.pem"):
        sealing.seal_of(settings)
    with pytest.raises(SettingsError, match="shuqing seal new"):
        bootstrap.require_seal(platform.system)


# The worker -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G27", "I-27")
def test_issue_papers__again__answers_the_kept_file__and_a_changed_one_is_refused(platform: Platform) -> None:
    code = platform.certificate(a_form())
    file = path_of(platform.system, code, 1, "pdf")
    kept, facts = file.read_bytes(), platform.count()
    again = jobs.issue_papers(platform.system, code)
    assert (again.replayed, again.pdf, platform.count()) == (True, kept, facts)
    file.write_bytes(kept[:-2] + b"\n\n")
    with pytest.raises(PaperRefused):
        jobs.issue_papers(platform.system, code)
    file.write_bytes(kept)
    assert jobs.issue_papers(platform.system, code).pdf == kept


def test_issue_papers__no_time_stamp_to_be_had__nothing_is_stated__and_the_next_round_does_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = platform.certificate(a_form(), issued=False)
    stamper, asked = Stamper(authority("演示时间戳根"), platform.now), []

    def ask(question: bytes) -> bytes:
        asked.append(platform.system.engine.pool.checkedout())  # type: ignore[attr-defined]
        if len(asked) == 1:
            raise PaperRefused("时间戳机构没有应答", "no answer")
        return stamper.answer(question)

    seal = replace(platform.system.seal, ask=ask, stamp_root=der(stamper.house.root))
    platform.system._seal[:] = [seal]
    facts = platform.count()
    with pytest.raises(PaperRefused, match="没有应答"):
        jobs.issue_papers(platform.system, code)
    assert platform.count() == facts
    assert not path_of(platform.system, code, 1, "pdf").exists()
    papers = jobs.issue_papers(platform.system, code)
    assert asked == [0, 0], "no transaction is open while the authority is asked"
    assert papers.fact.body["seal"]["stamped_at"] == stamper.now
    page = platform.client.get("/check", params={"code": code}).text
    assert "演示时间戳机构" in page
    assert "无可信时间戳" not in page


def test_issue_papers__killed_between_file_and_fact__is_done_again_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = platform.certificate(a_form(), issued=False)

    class Killed(Exception):
        pass

    def die(*_: object) -> None:
        raise Killed

    keep = jobs.keep
    monkeypatch.setattr(jobs, "keep", lambda *given: (keep(*given), die()))
    with pytest.raises(Killed):
        jobs.issue_papers(platform.system, code)
    orphan = path_of(platform.system, code, 1, "pdf").read_bytes()
    monkeypatch.setattr(jobs, "keep", keep)
    papers = jobs.issue_papers(platform.system, code)
    assert papers.pdf != orphan
    assert path_of(platform.system, code, 1, "pdf").read_bytes() == papers.pdf
    with platform.reading() as session:
        for data, answer in ((papers.pdf, Integrity.INTACT), (orphan, Integrity.ALTERED)):
            assert answering.check(session, code, platform.now, file=twin(data)).integrity is answer
        assert store.issue_of(session, code, 1) is not None


def test_check_page__without_a_time_stamp__says_so__and_that_it_is_a_demonstration_seal(platform: Platform) -> None:
    code = platform.certificate(a_form())
    page = platform.client.get("/check", params={"code": code}).text
    assert "无可信时间戳" in page
    assert page.count("演示用印") >= 1
    answer = platform.client.get(f"/api/check/{code}").json()
    assert answer["seal"]["trial"] is True
    assert "stamped_at" not in answer["seal"] or answer["seal"]["stamped_at"] is None


def test_paper__any_byte_of_the_kept_pdf_flipped__is_not_handed_out(platform: Platform) -> None:
    code = platform.certificate(a_form())
    with platform.reading() as session:
        token = store.issue_of(session, code, 1).token  # type: ignore[union-attr]
    file = path_of(platform.system, code, 1, "pdf")
    kept = file.read_bytes()
    assert platform.client.get(f"/api/certificates/{code}/pdf", params={"t": token}).content == kept
    for place in (0, len(kept) // 2, len(kept) - 1):
        file.write_bytes(kept[:place] + bytes([kept[place] ^ 1]) + kept[place + 1 :])
        answer = platform.client.get(f"/api/certificates/{code}/pdf", params={"t": token})
        assert (answer.status_code, answer.json()["error"]) == (500, "BrokenLog")


# The door and the commands --------------------------------------------------------------------------------------------


def test_door__nobody_there__is_told_as_a_refusal_to_be_tried_again() -> None:
    with pytest.raises(PaperRefused, match="没有应答"):
        sealing.door("http://127.0.0.1:9")(b"question")


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(item) for item in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.output


def test_commands__new_request_install_check__lead_from_a_trial_seal_to_a_certified_paper(
    platform: Platform, tmp_path: Path
) -> None:
    home = platform.system.settings.home
    save(platform.system.settings)
    house, root, wanted = authority(), tmp_path / "root.pem", tmp_path / "seal.csr"
    root.write_bytes(pem(house.root))
    assert run("seal", "new", "--home", home)[0] == 2
    sealing.path_of(home).unlink()
    assert run("seal", "new", "--home", home)[0] == 0
    assert run("seal", "request", wanted, "--home", home)[0] == 0
    leaf = house.issue("登记专用章（演示）", x509.load_pem_x509_csr(wanted.read_bytes()).public_key(), "seal")
    (tmp_path / "chain.pem").write_bytes(pem(leaf, house.root))
    assert run("seal", "install", root, "--home", home)[0] == 2
    code, said = run("seal", "install", tmp_path / "chain.pem", "--home", home)
    assert (code, "登记专用章（演示）" in said) == (0, True)
    paper = platform.certificate(a_form())
    file = path_of(platform.system, paper, 1, "pdf")
    code, said = run("seal", "check", file, "--root", root, "--at", platform.now)
    assert code == 0, said
    found = json.loads(said)
    assert found["unaltered"] is True
    assert found["holder"] == "登记专用章（演示）"
    assert "stamped_at" not in found
    assert run("seal", "check", file, "--root", root, "--stamp-root", root, "--at", platform.now)[0] == 2
    altered = tmp_path / "altered.pdf"
    altered.write_bytes(file.read_bytes().replace(b"/Subtype", b"/Subtypf", 1))
    assert run("seal", "check", altered, "--root", root, "--at", platform.now)[0] == 2
    examine(file.read_bytes(), (der(house.root),), at=platform.now)


def test_settings__time_stamp_authority__root_lies_in_the_home_folder(platform: Platform) -> None:
    house = authority("演示时间戳根")
    (platform.system.settings.home / "tsa.pem").write_bytes(pem(house.root))
    stamps = StampSettings(url="http://127.0.0.1:9", root=Path("tsa.pem"))
    seal = sealing.seal_of(platform.system.settings.model_copy(update={"time_stamp_authority": stamps}))
    assert seal.stamp_root == der(house.root)
    assert seal.ask is not None
