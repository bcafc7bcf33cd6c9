"""A complaint over HTTP, as pages and by command: filed with its evidence, seen by both sides, answered, withdrawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from tests.api.shop import Shop, open_shop
from tests.clearing.market.handing import Handing
from tests.clearing.market.house import CONSUMER, COURT, NOW, PROVIDER

FILER, OTHER, STRANGER = f"party:{CONSUMER}", f"party:{PROVIDER}", f"party:{COURT}"
XSS = '"><script>alert(1)</script>'


class Bench:
    """A delivery behind the doors of a real server, and both sides with their key files."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.folder = shop, folder
        self.handing = Handing(shop.house)
        self.handing.deliver()
        self.handing.receive()
        shop.house.session.commit()

    def key_file(self, party: str) -> Path:
        keys, path = self.shop.house.keys[party], self.folder / f"{party}.json"
        if not path.exists():
            document = {"by": f"party:{party}", "ed25519": "11" * 32, "evm": keys.evm.hex(),
                        "sm2": keys.sm2.private.hex()}  # fmt: skip
            path.write_text(json.dumps(document))
            path.chmod(0o600)
        return path

    def run(self, party: str, *words: str, code: int = 0) -> dict[str, Any]:
        url = str(self.shop.platform.client.base_url)
        more = ["--url", url, "--api-key", self.shop.platform.token(f"party:{party}")]
        done = CliRunner().invoke(app, ["dispute", *words, "--key", str(self.key_file(party)), *more])
        assert done.exit_code == code, done.output
        return dict(json.loads(done.output)) if code == 0 else {"said": done.output}

    def open(self, *more: str, code: int = 0) -> dict[str, Any]:
        about = more or ("--delivery", self.handing.id)
        words = ("--respondent", PROVIDER, "--text", f"少行 {XSS}", "--demand", "重新交付")
        return self.run(CONSUMER, "open", self.handing.agreement, *words, *about, code=code)

    def page(self, path: str, by: str) -> str:
        answer = self.shop.get(path, by)
        assert answer.status_code == 200, answer.text
        assert XSS not in answer.text
        return unescape(re.sub(r"\s+", " ", answer.text))


@pytest.fixture
def bench(tmp_path: Path, empty_database: Path) -> Iterator[Bench]:
    with open_shop(tmp_path / "home", empty_database) as shop:
        yield Bench(shop, tmp_path)


def test_journey__filed_by_command_seen_by_both_answered_and_withdrawn(bench: Bench) -> None:
    identity = bench.open()["dispute"]
    for by in (FILER, OTHER):
        [line] = bench.shop.get("/api/disputes", by).json()["disputes"]
        assert (line["id"], line["state"], line["state_name"]) == (identity, "OPEN", "待答复")
        said = bench.shop.get(f"/api/disputes/{identity}", by).json()
        assert [item["kind"] for item in said["evidence"]] == ["agreement-act/v1", "delivery-act/v1", "delivery-act/v1"]
        assert f'href="/disputes/{identity}"' in bench.page("/disputes", by)
    assert f"shuqing dispute say {identity} ANSWER" in bench.page(f"/disputes/{identity}", OTHER)
    assert "可以撤回" in bench.page(f"/disputes/{identity}", FILER)
    assert "待答复" in bench.page(f"/disputes/{identity}", FILER)
    bench.run(PROVIDER, "say", identity, "ANSWER", "--text", "数量无误")
    assert "数量无误" in bench.page(f"/disputes/{identity}", FILER)
    assert "已答复" in bench.page(f"/disputes/{identity}", OTHER)
    bench.run(CONSUMER, "say", identity, "WITHDRAW")
    assert bench.shop.get(f"/api/disputes/{identity}", OTHER).json()["dispute"]["state"] == "WITHDRAWN"
    assert "WrongMove" in bench.run(CONSUMER, "say", identity, "WITHDRAW", code=2)["said"]


def test_package__every_listed_fact_with_its_proof_or_the_reason_there_is_none(bench: Bench) -> None:
    identity = bench.open()["dispute"]
    for by in (FILER, OTHER):
        package = bench.shop.get(f"/api/disputes/{identity}/package", by).json()
        kinds = [item["kind"] for item in package["evidence"]]
        assert kinds == ["dispute-act/v1", "agreement-act/v1", "delivery-act/v1", "delivery-act/v1"]
        assert all("尚未发布" in item["why"] for item in package["evidence"])  # no head of the log covers them yet
        assert all(len(item["digest"]["sm3"]) == 64 for item in package["evidence"])


def test_doors__for_both_sides_and_the_operator_alone(bench: Bench) -> None:
    identity = bench.open()["dispute"]
    operator = f"party:{bench.shop.platform.system.settings.operator}"
    for path in (f"/api/disputes/{identity}", f"/api/disputes/{identity}/package", f"/disputes/{identity}"):
        seen = {by: bench.shop.get(path, by).status_code for by in (FILER, OTHER, operator, STRANGER)}
        assert seen == {FILER: 200, OTHER: 200, operator: 200, STRANGER: 403}, path
        assert bench.shop.platform.client.get(path).status_code == 401
    assert bench.shop.get("/api/disputes", STRANGER).json()["disputes"] == []
    path = f"/api/agreements/{bench.handing.agreement}/evidence"
    asked = {"topic": "DELIVERY", "delivery": bench.handing.id}
    for by, status in ((FILER, 200), (STRANGER, 403)):
        headers = bench.shop.platform.headers(by)
        assert bench.shop.platform.client.get(path, params=asked, headers=headers).status_code == status


def test_bad_input__refused_by_name_and_no_fact(bench: Bench) -> None:
    identity = bench.open()["dispute"]
    before = bench.shop.platform.count()
    assert "delivery" in bench.open("--delivery", "0" * 32, code=2)["said"]
    assert "422" in bench.open("--from", str(NOW), "--to", str(NOW), code=2)["said"]
    assert "403" in bench.run(PROVIDER, "say", identity, "WITHDRAW", code=2)["said"]
    assert "ANSWER | WITHDRAW" in bench.run(PROVIDER, "say", identity, "OPEN", code=2)["said"]
    assert "body.text" in bench.run(PROVIDER, "say", identity, "ANSWER", code=2)["said"]
    path = f"/api/agreements/{bench.handing.agreement}/evidence"
    for params, status in (
        ({"topic": "MOOD"}, 422), ({}, 422), ({"topic": "DELIVERY"}, 404), ({"topic": "USE", "from": 5, "to": 5}, 422),
        ({"topic": "USE", "from": -1, "to": 5}, 422),
    ):  # fmt: skip
        headers = bench.shop.platform.headers(FILER)
        answer = bench.shop.platform.client.get(path, params=params, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == status, answer.text
    for path in (f"/api/disputes/{'0' * 32}", f"/disputes/{'0' * 32}", "/api/disputes/x/package"):
        assert bench.shop.get(path, FILER).status_code == 404
    assert bench.shop.platform.count() == before
