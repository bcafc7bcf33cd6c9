"""A buyer's connector negotiates with this platform as a stranger's would: by the Dataspace Protocol alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api import calling
from api.cli_connector import app
from api.settings import PeerSettings
from clearing.market import store as market
from clearing.market.negotiation import store
from clearing.market.negotiation.dataspace import BASE
from clearing.market.negotiation.message import Message
from clearing.market.negotiation.moves import State
from scripts.demo.world import free_port
from tests.api.connecting import ADMIN, Process, Scene
from tests.api.shop import BY, Shop, open_shop
from tests.clearing.market.house import CONSUMER
from tests.clearing.market.talks import C, P


def run(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(item) for item in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def told(shop: Shop) -> None:
    while calling.once(shop.platform.system):
        pass


@pytest.mark.parametrize("counter", [True, False])
def test_connector_and_platform__negotiate_to_the_end_by_the_protocol_alone(
    tmp_path: Path, empty_database: Path, counter: bool
) -> None:
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    peers = (PeerSettings(uscc=CONSUMER, url=own + BASE),)
    (tmp_path / "connector").mkdir()
    scene = Scene(tmp_path / "connector", 5)
    config = scene.write_config("http://127.0.0.1:9", "http://127.0.0.1:9", port=port, dataspace_url=own)
    (config.parent / "admin.token").write_text(ADMIN)
    (config.parent / "admin.token").chmod(0o600)
    connector = Process(config)
    try:
        with open_shop(tmp_path / "home", empty_database, dataspace_peers=peers) as shop:
            header = tmp_path / "authorization"
            header.write_text(shop.platform.headers(BY[C])["Authorization"])
            header.chmod(0o600)
            provider = str(shop.platform.client.base_url).rstrip("/") + BASE
            dataset = f"listing:{shop.listing}"
            asked = ("negotiate", config, "--provider", provider, "--authorization", header, "--dataset")
            assert "HTTP 404" in run(*asked, "listing:" + "0" * 32, code=2)
            identity = run(*asked, dataset).split()[0]
            with shop.platform.reading() as session:
                (row,) = store.negotiations(session)
            assert row.pid == identity
            talk = shop.talk()
            talk.id = row.id
            if counter:
                assert shop.say(talk, Message.COUNTER, P, shop.house.terms(shop.listing)).status_code == 200
                told(shop)
                assert "OFFERED" in run("negotiations", config)
                assert "ACCEPTED" in run("answer", config, identity, "accept")
            assert shop.say(talk, Message.AGREEMENT, P).status_code == 200
            told(shop)
            assert "VERIFIED" in run("answer", config, identity, "verify")
            assert "VERIFIED" in run("answer", config, identity, "verify", code=2)
            assert shop.say(talk, Message.FINALISE, P).status_code == 200
            told(shop)
            shown = run("negotiations", config)
            assert f"{identity} FINALIZED {dataset}" in shown
            assert json.loads(shown.splitlines()[2])["target"] == dataset
            with shop.platform.reading() as session:
                assert store.negotiation(session, row.id).state is State.FINALIZED
                assert market.agreements(session) == []
    finally:
        connector.kill()
        connector.http.close()
        scene.house.close()
