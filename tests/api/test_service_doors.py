"""Outages, checks and the disclosed month over HTTP and as a page: what everybody sees, and what only a party does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.cli import app
from clearing.market.promise import ServiceTargets
from clearing.terms import month
from clearing.usage.service_level.notice import (
    OUTAGE_ACT,
    QUALITY_CHECK,
    Act,
    Metric,
    OutageAct,
    QualityCheck,
    Source,
    Speaker,
)
from registry.asset import Twin
from tests.api.shop import Shop, open_shop
from tests.clearing.market.house import CONSUMER, COURT, DAY, PROVIDER, SELLER, listing_of

JUNE = month("2026-06")
HOUR = 3_600


class Office:
    """The shop with a product that promises numbers, and an agreement on it."""

    def __init__(self, shop: Shop) -> None:
        self.shop, house = shop, shop.house
        value = listing_of(product="8" * 32)
        promised = replace(value.delivery, targets=ServiceTargets(availability=999_000))
        self.product = value.product
        self.listing = house.listed(product=self.product, delivery=promised)
        self.agreement, _ = house.conclude(listing=self.listing)
        house.session.commit()
        shop.platform.now = JUNE.start + 20 * DAY

    def post(self, path: str, kind: str, subject: str, body: Any, party: str, by: str = "") -> httpx.Response:
        house = self.shop.house
        signed = house.signed(kind, subject, body, f"party:{party}", house.keys[party].sm2)
        house.session.commit()
        return self.shop.platform.post(path, signed.document(), by or f"party:{party}")

    def outage(self, identity: str, act: Act, party: str, by: str = "", **fields: object) -> httpx.Response:
        speaker = Speaker.CONSUMER if party == CONSUMER else Speaker.SELLER
        agreement = self.agreement if party == CONSUMER else None
        body = OutageAct(act, speaker, party, self.listing, agreement, **fields)  # type: ignore[arg-type]
        return self.post("/api/outages/acts", OUTAGE_ACT, f"outage:{identity}", body, party, by)

    def public(self, path: str) -> httpx.Response:
        return self.shop.platform.client.get(path)


@pytest.fixture
def office(tmp_path: Path, empty_database: Path) -> Iterator[Office]:
    with open_shop(tmp_path / "home", empty_database) as shop:
        yield Office(shop)


def test_month__for_everybody__target_beside_result__no_party_and_no_count_of_one(office: Office) -> None:
    began = JUNE.start + 10 * DAY
    answer = office.outage("1" * 32, Act.REPORT, CONSUMER, start=began, detected_at=began, text="不可用")
    assert answer.status_code == 200, answer.text
    assert office.outage("1" * 32, Act.RESTORE, SELLER, end=began + HOUR).status_code == 200
    check = QualityCheck(CONSUMER, Source.CONSUMER, office.listing, Metric.ACCURACY, "2026-06", 100, 99, "抽查",
                         Twin("1" * 64, "2" * 64), office.agreement)  # fmt: skip
    assert office.post("/api/quality-checks", QUALITY_CHECK, f"quality-check:{'2' * 32}", check, CONSUMER).is_success
    path = f"/market/products/{office.product}/service/2026-06"
    document = office.public(f"/api{path}").json()
    availability = document["results"][0]
    assert (availability["target_percent"], availability["kept"]) == ("99.9000", False)
    assert document["final"] is False
    assert document["calls"] == {"n": 0, "at_least": 0}
    text = json.dumps(document) + office.public(f"/market/{office.product}/service/2026-06").text
    for hidden in (CONSUMER, PROVIDER, office.agreement):
        assert hidden not in text
    page = unescape(re.sub(r"\s+", " ", office.public(f"/market/{office.product}/service/2026-06").text))
    for shown in ("≥ 99.9000 %", "未达到", "本月尚未结束", "准确率（需方检查） n：≥ 100（量级）", "可用性 99.9%"):
        assert shown in page, shown
    office.shop.platform.now = JUNE.end + DAY
    assert office.public(f"/api{path}").json()["final"] is True


def test_month__of_an_agreement__for_its_parties_alone(office: Office) -> None:
    for path in (f"/api/agreements/{office.agreement}/service/2026-06", f"/api/agreements/{office.agreement}/outages"):
        seen = {by: office.shop.get(path, f"party:{by}").status_code for by in (CONSUMER, PROVIDER, SELLER, COURT)}
        assert seen == {CONSUMER: 200, PROVIDER: 200, SELLER: 200, COURT: 403}
        assert office.public(path).status_code == 401


def test_bundle__of_what_the_seller_states__for_all_on_its_listing__of_a_consumers_report_for_its_agreement(
    office: Office,
) -> None:
    now = office.shop.platform.now
    told = office.outage("4" * 32, Act.ANNOUNCE, SELLER, start=now + 9 * DAY, end=now + 10 * DAY, text="升级").json()
    said = office.outage("5" * 32, Act.REPORT, CONSUMER, start=now, detected_at=now, text="不可用").json()

    def seen(fact: str) -> dict[str, int]:
        path = f"/api/bundles/{fact}"
        return {by: office.shop.get(path, f"party:{by}").status_code for by in (CONSUMER, PROVIDER, SELLER, COURT)}

    assert seen(told["fact"]) == {CONSUMER: 409, PROVIDER: 409, SELLER: 409, COURT: 403}
    assert seen(said["fact"]) == {CONSUMER: 409, PROVIDER: 409, SELLER: 409, COURT: 403}


def test_product__page_leads_to_the_disclosed_months(office: Office) -> None:
    page = office.public(f"/market/{office.product}").text
    for name in ("2026-05", "2026-06"):
        assert f'href="/market/{office.product}/service/{name}"' in page
        assert office.public(f"/market/{office.product}/service/{name}").status_code == 200


def test_outages__another_consumers_agreement_is_not_shown(office: Office) -> None:
    other, _ = office.shop.house.conclude(listing=office.listing)
    office.shop.house.session.commit()
    start = JUNE.start + 25 * DAY
    assert office.outage("3" * 32, Act.ANNOUNCE, SELLER, start=start, end=start + HOUR, text="升级").is_success
    assert office.outage("3" * 32, Act.CONSENT, CONSUMER).is_success
    [own] = office.shop.get(f"/api/agreements/{office.agreement}/outages", f"party:{CONSUMER}").json()["outages"]
    assert [given["agreement"] for given in own["case"]["consents"]] == [office.agreement]
    [theirs] = office.shop.get(f"/api/agreements/{other}/outages", f"party:{CONSUMER}").json()["outages"]
    assert theirs["case"]["consents"] == []


def test_command__notice_consent_and_a_wrong_act(office: Office, tmp_path: Path) -> None:
    platform, url = office.shop.platform, str(office.shop.platform.client.base_url)

    def run(party: str, *words: str, code: int = 0) -> str:
        keys, path = office.shop.house.keys[party], tmp_path / f"{party}.json"
        if not path.exists():
            secret = {"evm": keys.evm.hex(), "sm2": keys.sm2.private.hex(), "ed25519": "11" * 32}
            path.write_text(json.dumps({"by": f"party:{party}", **secret}))
            path.chmod(0o600)
        more = ["--key", str(path), "--url", url, "--api-key", platform.token(f"party:{party}")]
        done = CliRunner().invoke(app, ["service", "outage", *words, *more])
        assert done.exit_code == code, done.output
        return str(done.output)

    start = platform.now + 4 * DAY
    window = ["--start", str(start), "--end", str(start + HOUR), "--text", "升级"]
    made = json.loads(run(SELLER, "ANNOUNCE", office.listing, *window))
    about = ["--about", made["outage"]]
    run(CONSUMER, "CONSENT", office.listing, *about, "--agreement", office.agreement)
    [shown] = office.shop.get(f"/api/agreements/{office.agreement}/outages", f"party:{CONSUMER}").json()["outages"]
    assert (shown["id"], len(shown["case"]["consents"])) == (made["outage"], 1)
    assert "body.end" in run(SELLER, "RESTORE", office.listing, *about, code=2)
    assert "WrongMove" in run(SELLER, "RESTORE", office.listing, *about, "--end", str(start), code=2)


def test_bad_input__refused_by_name_and_no_fact(office: Office) -> None:
    before = office.shop.platform.count()
    now = office.shop.platform.now
    answer = office.outage("1" * 32, Act.REPORT, SELLER, start=now + DAY, detected_at=now + DAY, text="x")
    assert (answer.status_code, answer.json()["field"]) == (422, "body.start")
    answer = office.outage("1" * 32, Act.RESTORE, SELLER, end=now)
    assert (answer.status_code, answer.json()["error"]) == (409, "WrongMove")
    answer = office.outage("1" * 32, Act.REPORT, COURT, start=now, detected_at=now, text="x")
    assert (answer.status_code, answer.json()["error"]) == (403, "NotEntitled")
    answer = office.outage("1" * 32, Act.REPORT, SELLER, by=f"party:{CONSUMER}", start=now, detected_at=now, text="x")
    assert answer.status_code == 403
    for path, status in (
        (f"/api/market/products/{office.product}/service/2026-07", 422),
        (f"/api/market/products/{office.product}/service/june", 422),
        (f"/api/market/products/{'0' * 32}/service/2026-06", 404),
        (f"/market/{office.product}/service/2026-07", 422),
        (f"/market/{'0' * 32}/service/2026-06", 404),
    ):
        assert office.public(path).status_code == status, path
    assert office.shop.platform.count() == before
