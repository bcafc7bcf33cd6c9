"""A whole platform for tests: settings, key files, a migrated SQLite file, the real server; no chain is asked.

The contracts' addresses in deployment.json are made up, so whatever would ask the chain fails; nothing here does.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlmodel import Session

from api import bootstrap, jobs, keyfiles, sealing
from api.apikey import issue
from api.app import create
from api.bootstrap import System
from api.settings import AuthoritySettings, Settings
from ledger import canonical, eip712, sm, store
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.form import Form
from registry.issuing import Papers
from registry.party import Party, PartyKind, Staff
from tests.registry import registry_house
from tests.registry.registry_house import AGENCY, AUTHORITY, DEVELOPER, FONTS, PROVIDER, RIVAL, STAFF, House, moment

OPERATOR = registry_house.uscc(9)
NAMES = {
    AGENCY: "浙江某某数据登记有限公司（演示）",
    OPERATOR: "某某数据交易运营有限公司（演示）",
    PROVIDER: "杭州某某航空数据有限公司（演示）",
    DEVELOPER: "宁波某某数据元件有限公司（演示）",
    RIVAL: "绍兴某某数据有限公司（演示）",
}
ROLES = {AGENCY: "agency", OPERATOR: "operator", PROVIDER: "provider", DEVELOPER: "developer", RIVAL: "consumer"}
CONTRACTS = ("AgreementRegistry", "EvidenceLog", "RightsRegistry", "SettlementBook")
START = moment("2026-08-03 09:00")


@dataclass
class Platform:
    """A platform with its clock, the keys of everybody and an HTTP client; `post` uses the caller's own API key."""

    system: System
    app: FastAPI
    client: httpx.Client
    clock: Path
    keys: dict[str, sm.Sm2Key]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return int(self.clock.read_text())

    @now.setter
    def now(self, second: int) -> None:
        self.clock.write_text(str(second))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with Session(self.system.reader) as session:
            yield session

    def count(self) -> int:
        with self.reading() as session:
            return store.count(session)

    def token(self, by: str) -> str:
        if by not in self.tokens:
            with jobs.transaction(self.system) as session:
                self.tokens[by] = issue(session, by, at=self.now)
        return self.tokens[by]

    def headers(self, by: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(by)}", "Content-Type": "application/json"}

    def post(self, path: str, document: Any, by: str) -> httpx.Response:
        data = document if isinstance(document, bytes) else canonical.encode(document)
        return self.client.post(path, content=data, headers=self.headers(by))

    def signed(self, kind: str, subject: str, body: Any, *who: tuple[str, str]) -> Signed:
        """The next statement of the subject, signed by each (signer, role)."""
        with self.reading() as session:
            no, prev = store.next_of(session, subject)
        statement = Statement(kind, subject, no, prev, body if isinstance(body, dict) else body_of(body))
        return Signed(
            statement, tuple(sign_sm2(self.keys[by], statement, by=by, role=role) for by, role in who)
        )  # fmt: skip

    def state(self, path: str, kind: str, subject: str, body: Any, *who: tuple[str, str]) -> dict[str, Any]:
        answer = self.post(path, self.signed(kind, subject, body, *who).document(), who[0][0])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def party_body(self, party: str) -> Party:
        key = self.keys.setdefault(f"party:{party}", sm.generate())
        name = NAMES.get(party, "某某公司（演示）")
        roles = (ROLES.get(party, "consumer"),)
        return Party(name, PartyKind.LEGAL, party, key.public, eip712.address_of(eip712.new_key()), roles)

    def admit(self, party: str) -> None:
        who = [(f"party:{party}", "")] + ([] if party == AGENCY else [(f"party:{AGENCY}", "")])
        self.state("/api/parties", "party/v1", f"party:{party}", self.party_body(party), *who)

    def hire(self, name: str, role: str) -> None:
        self.keys[f"staff:{name}"] = sm.generate()
        body = Staff(AGENCY, self.keys[f"staff:{name}"].public, (role,))
        self.state("/api/staff", "staff/v1", f"staff:{name}", body, (f"party:{AGENCY}", ""))

    def people(self) -> None:
        """Admits every party and member of staff over HTTP."""
        for party in NAMES:
            self.admit(party)
        for name, role in STAFF.items():
            self.hire(name, role)

    @contextmanager
    def books(self) -> Iterator[House]:
        """The registry's house on this platform's database, committed at the end; it moves the clock."""
        with jobs.transaction(self.system) as session:
            house = House(
                self.system.engine, session, self.keys, self.system.house, self.system.agency.signer, self.now,
                seal=self.system.seal, issuer=self.system.issuer,
            )  # fmt: skip
            yield house
            self.now = house.now

    def certificate(self, form: Form, *, issued: bool = True) -> str:
        """A certificate the straight way; with its papers if `issued`."""
        with self.books() as house:
            code = house.certificate(form)
        if issued:
            self.issue(code)
        return code

    def issue(self, code: str) -> Papers:
        return jobs.issue_papers(self.system, code)


def template(folder: Path) -> Path:
    """An empty, migrated database file, to be copied: migrating takes longer than most tests."""
    file = folder / "empty.db"
    bootstrap.migrate(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@contextmanager
def open_platform(home: Path, empty: Path, *, peopled: bool = True, **more: Any) -> Iterator[Platform]:
    """A platform in `home`, with parties and staff if `peopled`, else with the database `empty`; `more` are further
    settings. Admitting everybody takes longer than most tests, so it is done once and the home copied."""
    if peopled:
        first = _peopled_home(empty)
        shutil.copytree(first.home, home, dirs_exist_ok=True)
        with _opened(home, settings_of(home, first.authority, **more), dict(first.keys)) as platform:
            platform.tokens |= first.tokens
            yield platform
        return
    authority = sm.generate()
    configured = installation(home, authority.public, **more)
    shutil.copy(empty, home / "shuqing.db")
    with _opened(home, configured, {f"party:{AUTHORITY}": authority}) as platform:
        yield platform


@contextmanager
def _opened(home: Path, configured: Settings, keys: dict[str, sm.Sm2Key]) -> Iterator[Platform]:
    system = bootstrap.build(configured)
    app = create(system)
    keys |= {f"party:{AGENCY}": system.agency.sm2, f"party:{OPERATOR}": system.operator.sm2}
    app.state.window.limit = 10**9
    try:
        with serving(app) as client:
            yield Platform(system, app, client, home / "clock", keys)
    finally:
        system.engine.dispose()
        system.reader.dispose()


@dataclass(frozen=True)
class PeopledHome:
    """A home whose parties and staff are admitted, the keys and API keys of everybody, the authority's public key."""

    home: Path
    keys: dict[str, sm.Sm2Key]
    tokens: dict[str, str]
    authority: str


@cache
def _peopled_home(empty: Path) -> PeopledHome:
    home = empty.parent / "peopled"
    with open_platform(home, empty, peopled=False) as platform:
        platform.people()
        with closing(sqlite3.connect(home / "shuqing.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    authority = platform.keys[f"party:{AUTHORITY}"].public
    return PeopledHome(home, platform.keys, platform.tokens, authority)


def installation(home: Path, authority: str, **more: Any) -> Settings:
    """Keys, clock and settings of an installation in `home`; `authority` is the deposit authority's public key and
    `more` are further fields."""
    home.mkdir(parents=True, exist_ok=True)
    for name, party in (("log", OPERATOR), ("relay", OPERATOR), ("operator", OPERATOR), ("agency", AGENCY)):
        keyfiles.create(home / "keys" / f"{name}.json", f"party:{party}")
    sealing.create(sealing.path_of(home), NAMES[AGENCY], at=START)
    addresses = {name: f"0x{number:040x}" for number, name in enumerate(CONTRACTS, 1)}
    deployment = {"chainId": 31337, "timeUnit": 1, "firstBlock": 1, "addresses": addresses, "codeHashes": {}}
    (home / "deployment.json").write_text(json.dumps(deployment))
    (home / "clock").write_text(str(START))
    return settings_of(home, authority, **more)


def settings_of(home: Path, authority: str, **more: Any) -> Settings:
    """The settings of an installation that is in `home` already."""
    return Settings(
        home=home,
        origin="shuqing/test",
        rpc_url="http://127.0.0.1:9",
        agency=AGENCY,
        operator=OPERATOR,
        agency_name=NAMES[AGENCY],
        agency_region="33",
        agency_digit="1",
        agency_catalogue_no="演示-33-1",
        deposit_authority=AuthoritySettings(
            url="http://127.0.0.1:9", uscc=AUTHORITY, name="存证服务（演示）", sm2=authority
        ),
        fonts=FONTS,
        clock_file=home / "clock",
        demo=True,
        **{"papers_received": False, **more},
    )


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of the application behind a real server on a free port; a new connection for each request, because the
    server closes one after a fault. The request says so itself: a pool that keeps none may close, under many threads,
    a connection it has just given to another of them."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended at once"
            time.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        headers = {"Connection": "close"}
        # No certificate is asked for on this machine, and loading those one trusts takes longer than most requests.
        with httpx.Client(base_url=url, trust_env=False, timeout=30, headers=headers, verify=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
