"""`shuqing deals`: a party with a key file and an address negotiates and signs, and believes no unchecked text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api import cli_deals, keyfiles
from api.cli import app
from clearing.errors import BadTerms
from clearing.market import store as agreements
from clearing.market.agreement import State, act_of, act_statement, terms_parts
from clearing.market.negotiation import store
from clearing.market.negotiation.moves import State as Talking
from ledger.errors import LedgerError
from ledger.reading import body_of
from registry.asset import Twin
from tests.api.shop import Shop
from tests.api.trading import BUYER, PRODUCT, VENDOR, open_market
from tests.clearing.market.house import terms_of
from tests.clearing.market.talks import concluding, inquiry, signers


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_market(tmp_path / "home", empty_database) as opened:
        yield opened


@dataclass
class Party:
    """Somebody at a command line: its key file and the file with its API key."""

    shop: Shop
    folder: Path
    by: str

    def __post_init__(self) -> None:
        self.folder = self.folder / self.by.removeprefix("party:")
        self.key, self.api_key = self.folder / "key.json", self.folder / "api-key"
        keyfiles.create(self.key, self.by)
        own = self.shop.house.keys[self.by.removeprefix("party:")]
        document = json.loads(self.key.read_text()) | {"sm2": own.sm2.private.hex(), "evm": own.evm.hex()}
        self.key.write_text(json.dumps(document))
        self.api_key.write_text(self.shop.platform.token(self.by))
        self.api_key.chmod(0o600)

    def run(self, *arguments: str | Path, keyed: bool = True, code: int = 0) -> str:
        url = str(self.shop.platform.client.base_url)
        own = ("--key", str(self.key), "--yes") if keyed else ()
        command = ["deals", *map(str, arguments), "--url", url, "--api-key", str(self.api_key), *own]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == code, (done.exit_code, done.output, done.exception)
        return done.output


def test_deals__from_an_inquiry_to_a_signed_act(shop: Shop, tmp_path: Path) -> None:
    buyer, vendor = Party(shop, tmp_path, BUYER), Party(shop, tmp_path, VENDOR)
    file = tmp_path / "inquiry.json"
    file.write_text(json.dumps({name: value for name, value in body_of(inquiry()).items() if name != "salt"}))
    begun = buyer.run("say", "INQUIRE", "--product", PRODUCT, "--document", file, "--until", "2026-06-30")
    assert "使用范围：全部字段" in begun
    with shop.platform.reading() as session:
        (row,) = store.negotiations(session)
        salts = {store.proposal_of(session, row.proposal)[2].salt}
    assert len(salts.pop()) == 64, "a salt is drawn where none was typed"
    assert row.id in vendor.run("list", keyed=False)
    assert "INQUIRY" in vendor.run("show", row.id, keyed=False)
    refused = buyer.run("say", "ACCEPT", "--negotiation", row.id, code=2)
    assert "状态不符" in refused


def test_deals__everybody_signs_the_act_and_the_provider_finalises(shop: Shop, tmp_path: Path) -> None:
    """Three signers, each its own command line; FINALISE brings the act from the desk."""
    talk = shop.to(shop.talk(), Talking.AGREED)
    buyer, vendor = Party(shop, tmp_path, BUYER), Party(shop, tmp_path, VENDOR)
    buyer.run("say", "VERIFICATION", "--negotiation", talk.id)
    early = vendor.run("say", "FINALISE", "--negotiation", talk.id, code=2)
    assert "parts" in early
    signing = [Party(shop, tmp_path / "signing", f"party:{signer.party}") for signer in shop.house.signers()]
    for one in signing:
        assert "待签" in one.run("list", keyed=False)
        said = one.run("sign")
        assert "单价：" in said
        assert "元（" in said
        assert "没有等待签署的文件" in one.run("sign")
    vendor.run("say", "FINALISE", "--negotiation", talk.id)
    with shop.platform.reading() as session:
        assert [row.state for row in agreements.agreements(session)] == [State.EFFECTIVE]


def test_deals__what_does_not_fit__is_said_and_nothing_sent(shop: Shop, tmp_path: Path) -> None:
    talk = shop.to(shop.talk(), Talking.OFFERED)
    buyer, vendor = Party(shop, tmp_path, BUYER), Party(shop, tmp_path, VENDOR)
    before = shop.platform.count()
    assert "状态不符" in vendor.run("say", "AGREEMENT", "--negotiation", talk.id, code=2)
    assert "提供方" in buyer.run("say", "AGREEMENT", "--negotiation", talk.id, code=2)
    assert "--document" in buyer.run("say", "COUNTER", "--negotiation", talk.id, code=2)
    buyer.api_key.chmod(0o644)
    assert "0600" in buyer.run("list", keyed=False, code=2)
    buyer.api_key.chmod(0o600)
    buyer.api_key.write_text("sq_000000000000_" + "0" * 64)
    assert "接口密钥" in buyer.run("list", keyed=False, code=2)
    assert shop.platform.count() == before


def test_check__terms_beside_an_act_that_names_others__are_refused() -> None:
    """A platform that shows one text and has another signed is found out before anything is signed."""
    shown, meant = terms_of("a" * 32, Twin("0" * 64, "0" * 64)), terms_of("a" * 32, Twin("1" * 64, "1" * 64))
    honest = act_statement(f"agreement:{'c' * 64}", 0, None, concluding(shown, "b" * 64, signers()), shown)
    cli_deals._check(honest, terms_parts(shown))
    crossed = act_statement(f"agreement:{'c' * 64}", 0, None, concluding(meant, "b" * 64, signers()), shown)
    assert act_of(crossed).terms_digest != act_of(honest).terms_digest
    for statement, parts in ((crossed, terms_parts(shown)), (honest, terms_parts(meant)), (honest, ())):
        with pytest.raises((BadTerms, LedgerError)):
            cli_deals._check(statement, parts)
