"""The verifier page in a real browser, opened from disk: it asks a real node and nobody else, passes what is genuine
and refuses what is forged at the step at which the Python verifier refuses it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import verifiers
from scripts.demo.world import free_port
from tests.played import ROOT, Played
from tests.services.devtools import Browser, browser

pytestmark = pytest.mark.services

NAMES = ("certificate", "agreement", "usage-record", "statement-line", "period-close")


@pytest.fixture(scope="module")
def page(played_here: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The page opened as a file, with the demonstration's trust file chosen and its node named."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(verifiers.PAGE, folder / "verifier.html")
    with browser(folder) as opened:
        opened.open((folder / "verifier.html").as_uri())
        opened.choose("#trust", played_here.out / "trust.json")
        opened.until("document.getElementById('trust-words').innerText.includes('EvidenceLog')")
        opened.value(f"document.getElementById('rpc').value = {json.dumps(played_here.rpc)}")
        yield opened


def verified(page: Browser, file: Path) -> dict[str, str]:
    """Chooses the bundle, presses the button, waits for the answer; the texts of the three answers and the steps."""
    page.choose("#bundle", file)
    page.until(f"document.getElementById('bundle-said').innerText.includes({json.dumps(file.name)})")
    page.value("document.getElementById('go').click()")
    page.until(
        "!document.getElementById('go').disabled && (!document.getElementById('result').hidden"
        " || document.querySelector('#said .bad'))"
    )
    names = ("integrity", "status-word", "status-code", "as-of-code", "steps", "content", "limits", "said")
    return {name: page.value(f"document.getElementById({name!r}).innerText") for name in names}


def by_program(played: Played, file: Path) -> dict[str, Any]:
    command = [sys.executable, ROOT / "scripts" / "verify_bundle.py", file, "--trust", played.out / "trust.json"]
    done = subprocess.run([*command, "--rpc", played.rpc, "--json"], capture_output=True, timeout=60, check=False)
    return dict(json.loads(done.stdout))


def test_self_test__every_algorithm_of_this_browser_gives_its_known_answer(page: Browser) -> None:
    text = page.value("document.getElementById('self-test').innerText")
    assert text.count("✓") == 8
    assert "✗" not in text


@pytest.mark.parametrize("name", NAMES)
def test_genuine__passes_with_the_status_the_program_gives(page: Browser, played_here: Played, name: str) -> None:
    file = played_here.out / f"bundle-{name}.json"
    shown, told = verified(page, file), by_program(played_here, file)
    assert "通过" in shown["integrity"], shown
    assert told["integrity"] == "INTACT"
    assert told["status"] in shown["status-code"]
    assert shown["as-of-code"].startswith(told["as_of"])
    assert shown["steps"].count("✓ 通过") == sum(step["ok"] is True for step in told["steps"])
    assert shown["steps"].count("– 未询问") == sum(step["ok"] is None for step in told["steps"])
    assert "内容是否真实" in shown["limits"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["forged", "flipped"])
def test_forged__refused_at_the_step_the_program_names(
    page: Browser, played_here: Played, kind: str, name: str
) -> None:
    file = played_here.out / f"{kind}-{name}.json"
    shown, told = verified(page, file), by_program(played_here, file)
    assert told["integrity"] == "REFUSED"
    assert "拒绝" in shown["integrity"]
    assert told["failed"] in shown["integrity"]
    assert "应为" in shown["steps"]
    assert "✗ 不符" in shown["steps"]


def test_withheld_fields__named_and_disclosed_ones_shown(page: Browser, played_here: Played) -> None:
    plain = verified(page, played_here.out / "bundle-agreement.json")["content"]
    assert "未公开字段" in plain
    whole = verified(page, played_here.out / "bundle-agreement-whole.json")["content"]
    assert "公开字段" in whole
    assert "未公开字段" not in whole


def test_head_file__without_a_node__status_stays_unknown(page: Browser, played_here: Played) -> None:
    page.value("document.getElementById('use-head').click()")
    page.choose("#head", played_here.out / "head.note")
    page.until("document.getElementById('head-said').innerText.includes('head.note')")
    try:
        shown = verified(page, played_here.out / "bundle-certificate.json")
    finally:
        page.value("document.getElementById('use-node').click()")
    assert "通过" in shown["integrity"]
    assert "UNKNOWN" in shown["status-code"]
    assert "chain.tx" in shown["limits"]


def test_node_away__no_verdict_and_what_to_do(page: Browser, played_here: Played) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    page.value(f"document.getElementById('rpc').value = {json.dumps(away)}")
    try:
        shown = verified(page, played_here.out / "bundle-certificate.json")
    finally:
        page.value(f"document.getElementById('rpc').value = {json.dumps(played_here.rpc)}")
    assert "没有得出结论" in shown["said"]
    assert page.value("document.getElementById('result').hidden")


def test_requests__the_named_node_and_the_file_itself_only(page: Browser, played_here: Played, tmp_path: Path) -> None:
    before = len(page.requested)
    verified(page, played_here.out / "bundle-agreement.json")
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 50_000
    asked = page.requested[before:]
    assert set(asked) == {f"{played_here.rpc}/"}
    assert all(address.startswith(("file://", "http://127.0.0.1:")) for address in page.requested)
    assert [line for line in page.said if "Content Security Policy" in line or "exception" in line.lower()] == []
