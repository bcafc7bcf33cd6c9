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
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, PROVIDER, SELLER
from tests.clearing.settlement.disputing import MAY, Month

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
    assert "409" in bench.run(PROVIDER, "say", identity, "WITHDRAW", code=2)["said"]
    assert "ANSWER | OFFER" in bench.run(PROVIDER, "say", identity, "OPEN", code=2)["said"]
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


# A disputed charge ----------------------------------------------------------------------------------------------------


def test_charge__disputed_offered_accepted_and_decided__by_command_and_on_the_page(bench: Bench) -> None:
    """100 calls of May are 350 fen; 1.06 yuan are disputed and frozen, half of it given back by agreement."""
    house, platform = bench.shop.house, bench.shop.platform
    may = Month(house, operator=platform.system.settings.operator)
    house.session.commit()
    platform.now = MAY.end + 2 * DAY
    about = ("--charge", may.charge, "--amount", "1.06")
    words = ("--respondent", SELLER, "--text", "多计", "--demand", "退还")
    refused = bench.run(CONSUMER, "open", may.body.agreement, *words, "--charge", may.charge, "--amount", "9", code=2)
    assert "--amount" in refused["said"]
    opened = bench.run(CONSUMER, "open", may.body.agreement, *words, *about)
    identity = opened["dispute"]
    page = bench.page(f"/disputes/{identity}", FILER)
    assert "争议金额 <strong>1.06 元</strong>" in page
    assert "现冻结</dt><dd>1.06 元" in page
    assert "本阶段期限" in page
    seen = bench.shop.get(f"/api/disputes/{identity}", FILER).json()["dispute"]
    assert (seen["frozen"], seen["amount"] if "amount" in seen else seen["complaint"]["amount"]) == (106, 106)
    bench.run(SELLER, "say", identity, "OFFER", "--text", "退还一半", "--upheld", "0.53")
    assert "退还 0.53 元，被投诉方提出；已接受：1 / 2" in bench.page(f"/disputes/{identity}", FILER)
    over = bench.run(SELLER, "say", identity, "OFFER", "--text", "演示", "--upheld", "1.07", code=2)
    assert "upheld" in over["said"]
    bench.run(CONSUMER, "say", identity, "ACCEPT")
    page = bench.page(f"/disputes/{identity}", f"party:{SELLER}")
    assert "退还 0.53 元，由其后的账期贷记" in page
    assert "已和解" in page
    assert bench.shop.get(f"/api/disputes/{identity}", FILER).json()["dispute"]["frozen"] == 0
    assert bench.shop.get(f"/api/disputes/{identity}", STRANGER).status_code == 403


def test_decision__entered_by_two_persons_with_their_key_files(bench: Bench) -> None:
    house, platform = bench.shop.house, bench.shop.platform
    may = Month(house, operator=platform.system.settings.operator)
    house.session.commit()
    platform.now = MAY.end + 2 * DAY
    words = ("--respondent", SELLER, "--text", "多计", "--demand", "退还", "--charge", may.charge, "--amount", "1.06")
    identity = bench.run(CONSUMER, "open", may.body.agreement, *words)["dispute"]
    bench.run(CONSUMER, "say", identity, "LEAVE")
    paper = bench.folder / "decision.txt"
    paper.write_text("演示裁决", encoding="utf-8")
    files = {}
    for name, key in may.staff.items():
        files[name] = bench.folder / f"{name.replace(':', '-')}.json"
        files[name].write_text(
            json.dumps({"by": name, "ed25519": "11" * 32, "evm": "22" * 32, "sm2": key.private.hex()})
        )  # fmt: skip
        files[name].chmod(0o600)
    more = ["--body", "演示仲裁委员会", "--number", "（2026）演示 1 号", "--date", "2026-06-01",
            "--in-force", "2026-06-02", "--document", str(paper), "--upheld", "1.06",
            "--url", str(platform.client.base_url),
            "--api-key", platform.token("staff:maker"), "--key", str(files["staff:maker"])]  # fmt: skip
    same = CliRunner().invoke(app, ["dispute", "decide", identity, *more, "--checker", str(files["staff:maker"])])
    assert same.exit_code == 2, same.output
    done = CliRunner().invoke(app, ["dispute", "decide", identity, *more, "--checker", str(files["staff:checker"])])
    assert done.exit_code == 0, done.output
    page = bench.page(f"/disputes/{identity}", FILER)
    assert "（2026）演示 1 号" in page
    assert "已裁决" in page
