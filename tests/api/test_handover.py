"""Two real installations: an agency leaves, another continues its register, nothing of a certificate changes."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api import bootstrap, checks, disclosing, handing, jobs, sealed, settings
from api.app import create
from api.bootstrap import System
from api.cli import app
from ledger import log, store
from ledger.errors import BadSignature, FieldError, Malformed
from registry import holding, signers, validity
from registry import store as views
from registry.asset import Twin
from registry.duties.office import Topic
from registry.errors import GuardRefused
from registry.handover import service
from registry.handover import store as exits
from registry.handover.leaving import EXIT, ExitAct
from registry.rights import Right
from tests.api.house import NAMES, Platform, installation, open_platform, serving
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, a_form, moment

TWIN = Twin("0" * 64, "1" * 64)
TWO = (("staff:reviewer", "reviewer"), ("staff:approver", "approver"))


@dataclass
class Two:
    """The leaving agency's platform, the receiver's installation, and the parcel between them."""

    old: Platform
    new: System
    parcel: Path
    codes: list[str]

    @property
    def key(self) -> str:
        return self.old.system.agency.sm2.public

    def act(self, act: ExitAct, *who: tuple[str, str]) -> None:
        signed = self.old.signed(EXIT, f"exit:{AGENCY}", act, *who)
        with jobs.transaction(self.old.system) as session:
            service.take_act(session, signed, at=self.old.now)

    def whole(self) -> None:
        """H-06 to H-09 on both sides."""
        handing.hand_over(self.old.system, self.parcel)
        received = handing.receive(self.new, self.parcel, self.key)
        both = handing.sign(self.old.system, received.draft)
        handing.take(self.new, both)
        handing.take(self.old.system, handing.custody(self.new, AGENCY))
        self.old.now = moment("2027-02-03 09:00")
        handing.take(self.new, handing.finish(self.old.system))


@pytest.fixture
def two(tmp_path: Path, empty_database: Path) -> Iterator[Two]:
    with open_platform(tmp_path / "old", empty_database) as old:
        codes = [old.certificate(a_form(), issued=True), old.certificate(a_form(content=b"two\n"), issued=False)]
        old.issue(codes[1])
        jobs.sequence(old.system)
        own = (f"party:{AGENCY}", "")
        pair = Two(old, receiver(tmp_path / "new", old, empty_database), tmp_path / "parcel.zip", codes)
        pair.act(ExitAct("H-01", planned_exit="2027-03-03", plan=TWIN), own)
        pair.act(ExitAct("H-02", decision="agree", paper=TWIN, receiver=RIVAL), *TWO)
        pair.act(ExitAct("H-03", paper=TWIN), *TWO)
        pair.act(ExitAct("H-04", decision="agree", paper=TWIN), *TWO)
        pair.act(ExitAct("H-05"), own)
        yield pair
        pair.new.engine.dispose()
        pair.new.reader.dispose()


def receiver(home: Path, old: Platform, empty: Path) -> System:
    """An installation of the other agency: own log, operator key and home; its key is the one it was admitted with."""
    base = installation(home, old.system.settings.deposit_authority.sm2)
    made = base.model_copy(
        update={"agency": RIVAL, "agency_name": NAMES[RIVAL], "agency_digit": "2", "origin": "shuqing/receiver"}
    )
    (home / "clock").unlink()
    (home / "clock").symlink_to(old.clock)
    shutil.copy(empty, home / "shuqing.db")
    settings.save(made)
    own = json.loads((home / "keys" / "agency.json").read_text())
    own["by"], own["sm2"] = f"party:{RIVAL}", old.keys[f"party:{RIVAL}"].private.hex()
    (home / "keys" / "agency.json").write_text(json.dumps(own))
    return bootstrap.build(made)


@pytest.mark.clause("G13", "H-06", "H-07", "H-08", "H-09", "G10")
def test_handover__the_whole_way__code_state_and_validity_kept_and_the_custodian_changed(two: Two) -> None:
    with two.old.reading() as session:
        before = {code: validity.certificate_status(session, code, two.old.now) for code in two.codes}
    with pytest.raises(GuardRefused, match="计划退出日"):
        two.whole()
    two.old.now = moment("2027-03-03 09:00")
    handing.take(two.new, handing.finish(two.old.system))
    with jobs.snapshot(two.new) as session:
        for code, status in before.items():
            now = validity.certificate_status(session, code, status.as_of)
            assert now == status
            kept = exits.custody_of(session, code)
            assert kept is not None
            assert (kept.agency, kept.custodian) == (AGENCY, RIVAL)
            assert holding.holds_right(session, PROVIDER, code, Right.USE, status.as_of)
        assert exits.leaving(session, AGENCY).state.value == "EXITED"
    for code in two.codes:
        for form in ("pdf", "json"):
            name = f"{code}-v1.{form}"
            mine, theirs = (s.settings.home / "papers" / name for s in (two.old.system, two.new))
            assert mine.read_bytes() == theirs.read_bytes()
    jobs.sequence(two.new)
    with jobs.snapshot(two.new) as session:
        for area in (checks.facts, checks.tree, checks.views):
            assert checks.findings(two.new, session, area) == [], area
        assert {head.note.split("\n")[0] for head in log.heads(session)} == {"shuqing/test", "shuqing/receiver"}


@pytest.mark.clause("G10", "G13", "H-06")
def test_handover__papers_handed_in__are_opened_for_the_receiver_and_sealed_under_its_own_key(two: Two) -> None:
    data = b"%PDF-1.7 \xe6\xbc\x94"
    digest = hashlib.sha256(data).hexdigest()
    mine, theirs = (sealed.paper_file(system.settings.home, digest) for system in (two.old.system, two.new))
    sealed.write(two.old.system.settings.home, mine, data)
    with pytest.raises(GuardRefused):
        two.whole()
    assert two.new.attachment_bytes(digest) == data
    assert theirs.read_bytes() != mine.read_bytes()
    assert data not in theirs.read_bytes()


@pytest.mark.clause("G13", "H-08")
def test_check__after_the_handover__says_who_keeps_it_now_and_that_nothing_else_changed(two: Two) -> None:
    code = two.codes[0]

    def shown(client: Any) -> tuple[str, Any]:
        page = client.get("/check", params={"code": code})
        assert page.status_code == 200
        return page.text, client.get(f"/api/check/{code}").json()

    page, before = shown(two.old.client)
    assert "CUSTODIAN_CHANGED" not in page
    assert "custodian" not in before
    with pytest.raises(GuardRefused):
        two.whole()
    with serving(create(two.new)) as theirs:
        for client in (two.old.client, theirs):
            page, now = shown(client)
            assert "保管机构已变更" in page
            assert NAMES[RIVAL] in page
            assert RIVAL in page
            assert (now["custodian"]["uscc"], now["status"]) == (RIVAL, before["status"])
            assert (now["agency"], now["valid_until"]) == (before["agency"], before["valid_until"])


@pytest.mark.clause("G10", "G13", "H-06")
def test_handover__what_was_disclosed__goes_along_and_is_shown_by_the_receiver(two: Two, tmp_path: Path) -> None:
    file = tmp_path / "fees.pdf"
    file.write_bytes(b"%PDF fees")
    fact = disclosing.publish(two.old.system, Topic.FEES, file, "收费标准", "2026-09-01", "")
    digest = fact.body["paper"]["digest"]["sha256"]
    assert not disclosing.path_of(two.new, digest).exists()
    with pytest.raises(GuardRefused):
        two.whole()
    assert disclosing.path_of(two.new, digest).read_bytes() == b"%PDF fees"


@pytest.mark.clause("G13", "H-08", "H-09")
def test_handover__afterwards__only_the_receiver_s_staff_may_act(two: Two) -> None:
    with pytest.raises(GuardRefused):
        two.whole()
    old_staff = ("staff:reviewer", "reviewer")
    with two.old.reading() as session:
        at = two.old.now
        for by in ("staff:reviewer", "staff:officer"):
            with pytest.raises(BadSignature, match="已退出"):
                signers.keys_of(session, by, at)
    two.old.now = moment("2027-03-03 09:00")
    handing.finish(two.old.system)
    two.old.now = two.old.now + 1
    with two.old.reading() as session, pytest.raises(BadSignature, match="已退出"):
        signers.keys_of(session, f"party:{AGENCY}", two.old.now)
    with jobs.snapshot(two.new) as session:
        with pytest.raises(BadSignature, match="已退出"):
            signers.keys_of(session, old_staff[0], two.old.now)
        assert signers.keys_of(session, f"party:{RIVAL}", two.old.now).sm2 == two.new.agency.sm2.public
        with pytest.raises(GuardRefused, match="不得再用"):
            exits.require_own_digit(session, "33", "1")
        exits.require_own_digit(session, "33", "2")


@pytest.mark.clause("G13", "H-05")
def test_handover__before_intake_is_closed__there_is_no_export(tmp_path: Path, empty_database: Path) -> None:
    with open_platform(tmp_path / "old", empty_database) as old:
        with pytest.raises(GuardRefused, match="H-05"):
            handing.hand_over(old.system, tmp_path / "parcel.zip")
        assert not (tmp_path / "parcel.zip").exists()


@pytest.mark.clause("G13", "H-07")
@pytest.mark.parametrize("damage", ["facts", "extra", "key", "cut", "not the receiver"])
def test_import__parcel_that_is_not_what_was_signed__is_refused_and_the_database_stays_empty(
    two: Two, damage: str
) -> None:
    handing.hand_over(two.old.system, two.parcel)
    key, error = two.key, Malformed
    if damage == "key":
        key, error = two.old.system.operator.sm2.public, BadSignature
    elif damage == "cut":
        two.parcel.write_bytes(two.parcel.read_bytes()[:-500])
    elif damage == "not the receiver":
        two.new.house, error = replace(two.new.house, uscc=PROVIDER), FieldError
    else:
        changed(two.parcel, damage)
    with pytest.raises(error):
        handing.receive(two.new, two.parcel, key)
    with jobs.snapshot(two.new) as session:
        assert store.count(session) == 0
        assert views.certificates(session) == []


def changed(parcel: Path, damage: str) -> None:
    with zipfile.ZipFile(parcel) as given:
        files = {name: given.read(name) for name in given.namelist()}
    if damage == "facts":
        files["facts.jsonl"] = files["facts.jsonl"].replace(b'"years":5', b'"years":4', 1)
    else:
        files["papers/SJ3312026089999-v1.pdf"] = b"%PDF"
    with zipfile.ZipFile(parcel, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)


def test_command_line__export_import_sign_take_custody__and_refusals_say_why(two: Two, tmp_path: Path) -> None:
    run: Any = CliRunner()
    old, new = two.old.system.settings.home, two.new.settings.home
    settings.save(two.old.system.settings)
    act = tmp_path / "h07.json"

    def ran(*words: str, code: int = 0) -> str:
        result = run.invoke(app, list(words))
        assert result.exit_code == code, result.output
        return str(result.output)

    assert two.key in ran("handover", "export", str(two.parcel), "--home", str(old))
    ran(
        "handover",
        "import",
        str(two.parcel),
        "--key",
        "04" + "0" * 128,
        "--draft",
        str(act),
        "--home",
        str(new),
        code=2,
    )
    ran("handover", "import", str(two.parcel), "--key", two.key, "--draft", str(act), "--home", str(new))
    ran("handover", "take", str(act), "--home", str(new), code=2)
    ran("handover", "sign", str(act), "--home", str(old))
    assert "H-07" in ran("handover", "take", str(act), "--home", str(new))
    assert "2 件凭证" in ran("handover", "custody", AGENCY, str(act), "--home", str(new))
    assert "H-08" in ran("handover", "take", str(act), "--home", str(old))
    ran("handover", "finish", str(act), "--home", str(old), code=2)
    assert "IN_CUSTODY" in ran("handover", "status", "--home", str(old))
