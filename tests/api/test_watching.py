"""What is decided about an agreement reaches the connector that serves it by itself, under the parties' own keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.connector.state import Book
from api.connector.vault import Vault
from clearing.market import store as market
from clearing.market.agreement import Act, State
from clearing.usage.record import Side
from ledger import canonical, sm
from ledger import store as ledger
from ledger.facts import Signed
from ledger.reading import body_of
from ledger.signing import sign_sm2
from tests.api.watched import PATH, Deal, dealing
from tests.clearing.market.house import CONNECTOR, CONSUMER, NOW, PROVIDER, House, new_keys


@pytest.fixture
def deal(tmp_path: Path) -> Iterator[Deal]:
    with dealing(tmp_path) as found:
        yield found


def test_suspension__resumed_and_terminated__each_reaches_the_connector_by_itself(deal: Deal) -> None:
    house, identity = deal.house, deal.scene.agreement
    assert deal.answer() == "200"
    deal.taken(house.by_court(identity, Act.SUSPEND, State.SUSPENDED))
    deal.until(lambda: deal.answer() == "UC12")
    deal.taken(house.by_court(identity, Act.RESUME, State.EFFECTIVE))
    deal.until(lambda: deal.answer() == "200")
    deal.taken(house.sign(house.act(identity, Act.TERMINATE, State.TERMINATED)))
    deal.until(lambda: deal.answer() == "UC11")
    assert deal.status()["watch_error"] == ""


def test_new_terms__reach_the_connector_with_their_limit(deal: Deal) -> None:
    house, identity = deal.house, deal.scene.agreement
    terms = house.terms(house.listed(), limit=1)
    deal.taken(house.sign(house.act(identity, Act.AMEND, State.EFFECTIVE, terms=terms)))
    deal.until(lambda: deal.status()["agreements"][0]["revision"] == 2)
    assert [deal.answer(), deal.answer()] == ["200", "UC25"]


def test_platform_gone__what_was_decided_meanwhile_arrives_after_a_restart(deal: Deal) -> None:
    deal.process.kill()
    deal.taken(deal.house.by_court(deal.scene.agreement, Act.SUSPEND, State.SUSPENDED))
    deal.process.start()
    deal.until(lambda: deal.answer() == "UC12")


@pytest.mark.parametrize("party", [PROVIDER, CONSUMER])
def test_act__under_another_key_than_before__is_left_to_the_administrator(deal: Deal, party: str) -> None:
    """The platform cannot make up an ending: the key is compared, not looked up at the platform."""
    house, identity = deal.house, deal.scene.agreement
    signed = house.sign(house.act(identity, Act.TERMINATE, State.TERMINATED))
    other = sign_sm2(new_keys().sm2, signed.statement, by=f"party:{party}", role=_role(signed, party))
    forged = Signed(
        signed.statement,
        tuple(other if (item.by, item.alg) == (other.by, other.alg) else item for item in signed.signatures),
    )
    _store_unchecked(deal, forged)
    deal.until(lambda: "NotSigned" in deal.status()["watch_error"])
    assert deal.answer() == "200"
    handed_in = deal.process.admin("PUT", "/connector/agreements", {"signed": forged.document()})
    assert handed_in.status_code == 200
    assert deal.answer() == "UC11"


def _role(signed: Signed, party: str) -> str:
    return next(item.role for item in signed.signatures if item.by == f"party:{party}")


def _store_unchecked(deal: Deal, signed: Signed) -> None:
    """As a dishonest operator would: past the service that checks signatures."""
    market.project(deal.house.session, ledger.append(deal.house.session, signed, at=NOW + 40).fact)
    deal.house.session.commit()


def test_acts__asked_for__from_the_number_on_and_to_the_connector_alone(deal: Deal) -> None:
    identity = deal.scene.agreement
    (first,) = deal.ask({identity: 0}).json()["acts"]
    assert Signed.of_document(first["signed"]) == deal.scene.signed
    assert first["parts"] == deal.house.sent(deal.scene.signed)["parts"]
    assert deal.ask({identity: 1}).json() == {"acts": []}
    assert deal.ask({identity: 1}, headers={}).status_code == 401
    mine = {**deal.headers, "Authorization": f"Bearer {deal.stranger}"}
    assert deal.ask({identity: 1}, headers=mine).status_code == 403
    assert deal.ask({"a" * 64: 1}).status_code == 404
    foreign = replace(deal.house.terms(deal.house.listed()).parties[0], connectors=("conn-other",))
    parties = (foreign, *deal.house.terms(deal.house.listed()).parties[1:])
    deal.house.hire_connector("conn-other", sm.generate())
    other, _ = deal.house.conclude(parties=parties)
    deal.house.session.commit()
    assert deal.ask({other: 0}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"known":{},"wait":0}', b'{"known":{"a":0}}', b'{"known":[],"wait":1}', b'{"known":{},"wait":-1}',
     b'{"known":{"' + b"a" * 64 + b'":0},"wait":11}', b'{"known":{"' + b"a" * 64 + b'":-1}}', b'{"more":1}'],
)  # fmt: skip
def test_acts__badly_asked__named_and_no_500(deal: Deal, body: bytes) -> None:
    answer = deal.client.post(PATH, content=body, headers=deal.headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["message"]


def test_state_file__of_an_older_connector__is_read(tmp_path: Path) -> None:
    """Columns that came later are added with what they mean there."""
    place = tmp_path / "old.db"
    with sqlite3.connect(place) as old:
        old.execute(
            "CREATE TABLE agreement (id TEXT PRIMARY KEY, token_sha256 TEXT NOT NULL UNIQUE, no INTEGER NOT NULL, "
            "prev TEXT NOT NULL, state TEXT NOT NULL, revision INTEGER NOT NULL, terms TEXT NOT NULL, secret BLOB NOT "
            "NULL)"
        )
        old.execute(
            "CREATE TABLE record (seq INTEGER PRIMARY KEY, agreement TEXT NOT NULL, request_id TEXT NOT NULL, "
            "occurred_at INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (agreement, request_id))"
        )
    house = House(tmp_path / "house.db")
    identity, signed = house.conclude()
    terms = canonical.encode(house_terms(house, identity)).decode()
    prev = canonical.encode(signed.statement.digest().document()).decode()
    with sqlite3.connect(place) as old:
        old.execute(
            "INSERT INTO agreement VALUES (?, ?, 0, ?, 'EFFECTIVE', 1, ?, ?)",
            (identity, "a" * 64, prev, terms, b"s" * 32),
        )
    house.close()
    book = Book(place, CONNECTOR, Side.PROVIDE, Vault(b"k" * 32))
    (held,) = book.agreements()
    book.close()
    assert (held.id, held.access, held.since, held.until, held.known) == (identity, "", 0, None, None)


def house_terms(house: House, identity: str) -> Any:
    return body_of(market.terms_of(house.session, identity, 1))
