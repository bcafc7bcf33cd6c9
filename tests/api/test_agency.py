"""The agency's doors: what it must publish, what the regulator sees, cards, and the national system over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api import checks, jobs, settings
from api.authority import HttpAuthority
from api.cli import app
from registry.calendar import day_of
from registry.case import Act
from registry.certificate import record_digest
from registry.duties.office import ChangeAct, Listing, ListingState, Matter
from registry.entries import deposit_record
from registry.errors import DepositRefused
from registry.form import publicity_text
from tests.api.house import Platform
from tests.registry.cards.test_cards import ENTER, ID
from tests.registry.duties.test_duties import TWIN
from tests.registry.registry_house import AGENCY, AUTHORITY, DEVELOPER, PASSED, PROVIDER, TWO, a_form, moment

OWN = (f"party:{AGENCY}", "")


def get(platform: Platform, path: str, by: str | None = None) -> Any:
    return platform.client.get(path, headers=platform.headers(by) if by else {})


@pytest.mark.clause("G10", "G11")
def test_agency__publishes_by_command__anybody_reads_it_and_the_pack_holds_the_same_bytes(
    platform: Platform, tmp_path: Path
) -> None:
    settings.save(platform.system.settings)
    home = ("--home", str(platform.system.settings.home))
    paper = tmp_path / "fees.pdf"
    paper.write_bytes(b"%PDF fees")
    run = CliRunner()
    done = run.invoke(app, ["agency", "publish", "fees", str(paper), "--title", "收费标准", *home])
    assert done.exit_code == 0, done.output
    refused = run.invoke(app, ["agency", "publish", "fees", str(paper), "--title", "x", "--text", "每件", *home])
    assert refused.exit_code == 2
    assert "只公开文件" in refused.output
    shown = get(platform, "/api/agency").json()
    assert shown["disclosures"]["fees"]["version"] == 1
    assert get(platform, shown["disclosures"]["fees"]["file"]).content == b"%PDF fees"
    pack = tmp_path / "pack.zip"
    assert run.invoke(app, ["agency", "disclose", str(pack), *home]).exit_code == 0
    with zipfile.ZipFile(pack) as given:
        assert given.read("fees/v1.pdf") == b"%PDF fees"
        listed = {item["name"] for item in json.loads(given.read("manifest.json"))["files"]}
    assert listed == {"fees/v1.pdf", "disclosure.json"}


@pytest.mark.clause("G11")
def test_report__by_command__three_papers_and_on_record_when_filed(platform: Platform, tmp_path: Path) -> None:
    platform.certificate(a_form())
    settings.save(platform.system.settings)
    home = ("--home", str(platform.system.settings.home))
    run = CliRunner()
    early = run.invoke(app, ["agency", "report", "2026", str(tmp_path / "out"), *home])
    assert early.exit_code == 2
    assert "尚未结束" in early.output
    platform.now = moment("2027-02-01 09:00")
    done = run.invoke(app, ["agency", "report", "2026", str(tmp_path / "out"), "--file", *home])
    assert done.exit_code == 0, done.output
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".json", ".xlsx", ".pdf"}
    assert [item["year"] for item in get(platform, "/api/agency").json()["reports"]] == [2026]


@pytest.mark.clause("G5", "G11", "G12", "G38")
def test_supervision__for_agency_and_authorities_only__shows_changes_breaches_and_clocks(platform: Platform) -> None:
    code = platform.certificate(a_form())
    late = ChangeAct("P-01", AGENCY, Matter.SEAT, day_of(platform.now).isoformat(), "住所变更", TWIN)
    platform.state("/api/agency/acts", "agency-change/v1", "agency-change:" + "1" * 32, late, OWN)
    body = Listing(ListingState.LISTED, day_of(platform.now).isoformat(), "演示1号", TWIN)
    two = (("staff:reviewer", "reviewer"), ("staff:approver", "approver"))
    platform.state("/api/agency/acts", "agency-listing/v1", f"listing:{AGENCY}", body, *two)
    assert get(platform, "/api/agency/supervision", f"party:{PROVIDER}").status_code == 403
    shown = get(platform, "/api/agency/supervision", f"party:{AGENCY}").json()
    assert [item["rule"] for item in shown["breaches"]] == ["C13"]
    assert shown["codes"]["used"] == 1
    assert shown["national"]["notice"].startswith("本系统的日志与链上记录为并行佐证")
    assert get(platform, f"/api/certificates/{code}/decisions", f"party:{PROVIDER}").status_code == 403
    steps = get(platform, f"/api/certificates/{code}/decisions", f"party:{AGENCY}").json()["decisions"]
    assert "I-24" in {item["step"] for item in steps}
    kept = get(platform, f"/api/certificates/{code}/custodian").json()
    assert (kept["custodian"], kept["custodian_changed"]) == (AGENCY, False)
    replays(platform)


@pytest.mark.clause("G31", "D-01")
def test_cards__holder_sees_its_own__page_ledger_and_links(platform: Platform) -> None:
    code = platform.certificate(a_form())
    platform.state("/api/cards/acts", "card/v1", f"card:{ID}", ENTER, (f"party:{PROVIDER}", ""))
    assert get(platform, f"/api/cards/{ID}", f"party:{DEVELOPER}").status_code == 403
    assert get(platform, f"/api/cards/{ID}", f"party:{PROVIDER}").json()["lines"][0]["kind"] == "入卡"
    assert get(platform, "/api/cards").status_code == 401
    for path, text in (("/cards", "航班起降记录"), (f"/cards/{ID}", "管理信息")):
        page = get(platform, path, f"party:{PROVIDER}")
        assert page.status_code == 200
        assert text in page.text
    assert get(platform, "/api/card-ledger.csv", f"party:{PROVIDER}").content.startswith(b"\xef\xbb\xbf")
    assert get(platform, "/api/card-ledger.xlsx", f"party:{PROVIDER}").content[:2] == b"PK"
    assert get(platform, "/api/card-ledger.doc", f"party:{PROVIDER}").status_code == 422
    assert get(platform, f"/api/links/{code}", f"party:{PROVIDER}").json()["products"] == []
    replays(platform)


def replays(platform: Platform) -> None:
    """Every view row comes back from the facts alone."""
    with platform.reading() as session:
        assert checks.findings(platform.system, session, checks.views) == []


# The national system as a process ------------------------------------------------------------------------------------


@contextmanager
def national(platform: Platform, folder: Path) -> Iterator[str]:
    """The reference national system, with the key the agency knows it by, until the block ends."""
    folder.mkdir()
    (folder / "sm2.key").write_text(platform.keys[f"party:{AUTHORITY}"].private.hex() + "\n")
    command = [
        sys.executable, "-m", "scripts.counterparties.national_system", "--home", str(folder), "--clock",
        str(platform.clock), "--uscc", AUTHORITY, "--agency", f"{AGENCY}={platform.system.agency.sm2.public}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()  # type: ignore[union-attr]


@pytest.mark.clause("G6", "G24", "G26", "I-15", "I-25")
def test_national__over_http__publicity_deposit_and_results_by_the_worker_alone(
    platform: Platform, tmp_path: Path
) -> None:
    system = platform.system
    with national(platform, tmp_path / "national") as url:
        system.national = HttpAuthority(url)
        system.house = replace(system.house, national_release=True)
        system.settings = system.settings.model_copy(update={"national": "http"})
        with platform.books() as house:
            identity = house.file(a_form())
            house.accept(identity)
            text = publicity_text(house.case(identity).form)
            house.move(identity, Act("I-15", review=PASSED, publicity=text, release="national"), *TWO)
        jobs.deposits(system)
        with platform.books() as house:
            assert house.case(identity).released_at == platform.now
            house.now += 14 * 86400
            assert house.timers() == ["I-18"]
            record = record_digest(deposit_record(house.session, identity))
            house.move(identity, Act("I-24", record=record), "staff:officer")
        assert jobs.deposits(system) == 1
        jobs.deposits(system)
        with platform.books() as house:
            assert house.case(identity).state.value == "ISSUED"
        assert len(platform.client.get(f"{url}/results").json()["results"]) == 2
        replays(platform)
    with pytest.raises(DepositRefused, match="没有应答"):
        HttpAuthority(url).receipt(record)
