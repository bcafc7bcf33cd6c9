"""A period's inputs over HTTP: what lacks is shown to whom it concerns, drafted by command, signed by both at desk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from clearing.terms import Tariff, TariffKind
from ledger.facts import Statement
from ledger.signing import sign_sm2
from tests.api.shop import Shop, open_shop
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER, House

BUYER, ISSUER, HOLDER, STRANGER = (f"party:{party}" for party in (CONSUMER, SELLER, PROVIDER, COURT))
DECLARED = {"declared": {"amount": 1_000_000, "evidence": "e" * 64}}


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "home", empty_database) as opened:
        yield opened


def concluded(house: House, listing: str) -> str:
    """An agreement that takes 10 % of what the seller declares."""
    tariff = Tariff(TariffKind.REVENUE_SHARE, "call", rate=100_000, base="演示收入")
    terms = replace(house.terms(listing).settlement, tariff=tariff)
    identity, _ = house.conclude(listing=listing, settlement=terms)
    house.session.commit()
    return identity


def test_journey__lacking_drafted_signed_by_both_and_no_longer_lacking(shop: Shop, tmp_path: Path) -> None:
    agreement = concluded(shop.house, shop.listing)
    operator = f"party:{shop.platform.system.settings.operator}"
    answer = shop.platform.post("/api/cycles", {"period": "2026-06", "grace": 0}, operator)
    cycle = answer.json()["cycle"]
    path = f"/api/cycles/{cycle}/inputs"
    for by in (BUYER, ISSUER, HOLDER, operator):
        [asked] = shop.get(path, by).json()["asked"]
        assert (asked["agreement"], asked["missing"]) == (agreement, ["inputs.declared"])
    assert shop.get(path, STRANGER).json() == {"asked": [], "held": []}
    file, token = tmp_path / "inputs.json", tmp_path / "token"
    request = {"agreement": agreement, "revision": 1, "period": "2026-06", "inputs": DECLARED}
    file.write_text(json.dumps(request))
    token.write_text(shop.platform.token(ISSUER))
    token.chmod(0o600)
    url = ["--url", str(shop.platform.client.base_url), "--api-key", str(token)]
    done = CliRunner().invoke(app, ["settle", "inputs", str(file), *url])
    assert done.exit_code == 0, done.output
    identity = json.loads(done.output)["id"]
    for by in (BUYER, ISSUER):
        [item] = shop.get("/api/desk", by).json()["waiting"]
        statement = Statement.of_document(item["statement"])
        signature = sign_sm2(shop.house.keys[by.removeprefix("party:")].sm2, statement, by=by)
        answer = shop.platform.post(f"/api/desk/{identity}/signatures", {"signature": signature.document()}, by)
        assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "done"
    done = CliRunner().invoke(app, ["settle", "asked", cycle, *url])
    [asked] = json.loads(done.output)["asked"]
    assert (asked["missing"], asked["fact"]) == ([], answer.json()["text"])


def test_drafts__by_a_stranger_or_of_what_is_not_asked_for__are_refused(shop: Shop) -> None:
    agreement = concluded(shop.house, shop.listing)
    request = {"agreement": agreement, "revision": 1, "period": "2026-06", "inputs": DECLARED}
    drafts = "/api/period-inputs/drafts"
    assert shop.platform.post(drafts, request, HOLDER).status_code == 403
    assert shop.platform.post(drafts, request | {"revision": 7}, BUYER).status_code == 404
    wrong = request | {"inputs": {"scored": {"scheme": "x", "version": 1, "evidence": "e" * 64}}}
    answer = shop.platform.post(drafts, wrong, BUYER)
    assert (answer.status_code, answer.json()["field"]) == (422, "body.inputs.scored")
    assert shop.get("/api/desk", BUYER).json()["waiting"] == []
