"""The stand-alone verifiers as the platform hands them out: the very files, their digests, and no 500 without them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from api import verifiers
from ledger.digest import twin
from scripts import build_verifier_page as builder
from tests.api.house import open_platform


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[httpx.Client]:
    with open_platform(tmp_path_factory.mktemp("verifiers") / "home", empty_database) as platform:
        yield platform.client


def test_page__digests_of_both_files_as_they_are_served(client: httpx.Client) -> None:
    text = re.sub(r"\s", "", unescape(client.get("/verify").text))
    for path in ("/verifier", "/verifier.py"):
        digest = twin(client.get(path).content)
        assert digest.sha256.hex() in text
        assert digest.sm3.hex() in text
        assert f'href="{path}"' in text
    assert twin(client.get("/verifier").content).sha256.hex() in builder.DIGESTS.read_text(encoding="utf-8")


def test_verifier__runs_its_own_script_only_and_can_be_kept(client: httpx.Client) -> None:
    answer = client.get("/verifier")
    assert answer.content == verifiers.PAGE.read_bytes()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.endswith("frame-ancestors 'none'")
    assert "content-disposition" not in answer.headers
    kept = client.get("/verifier", params={"download": "true"})
    assert kept.headers["content-disposition"] == 'attachment; filename="verifier.html"'
    assert kept.content == answer.content
    assert client.get("/verifier.py").content == verifiers.PROGRAM.read_bytes()


def test_verifier__not_built__404_that_says_what_to_do(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifiers, "PAGE", tmp_path / "verifier.html")
    monkeypatch.setattr(verifiers, "PROGRAM", tmp_path / "verify_bundle.py")
    for path in ("/verifier", "/verifier.py"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "verify_bundle.py" in answer.text
    page = client.get("/verify")
    assert page.status_code == 200
    assert "make setup" in page.text
