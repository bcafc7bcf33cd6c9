"""A platform that takes in usage: an agreement, connectors it names with their keys, and a server process over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from api import bootstrap, settings
from api.apikey import issue
from api.bootstrap import System
from clearing.market import store as market
from clearing.market.agreement import Role, TermsParty
from clearing.usage.batch import batch_bytes, freeze
from clearing.usage.record import Admitted
from ledger import sm
from ledger.facts import Signed
from ledger.sm import Sm2Key
from scripts.demo.world import Processes, answers, free_port
from tests.api.house import installation
from tests.clearing.market.house import CONSUMER, NOW, PROVIDER, SELLER, House
from tests.clearing.usage.batches import Line


class Source:
    """A connector: its key, its API key and its chain of records, cut into signed batches that follow each other."""

    def __init__(self, line: Line, key: Sm2Key, token: str) -> None:
        self.line, self.key, self.token = line, key, token
        self.no, self.prev = 0, None  # type: int, TwinDigest | None

    def records(self, number: int, **changes: object) -> list[Admitted]:
        return self.line.more(number, **changes)

    def freeze(self, records: Sequence[Admitted]) -> Signed:
        """The next batch over these records."""
        signed = freeze(records, self.no, self.prev, self.key)
        self.no, self.prev = self.no + 1, signed.statement.digest()
        return signed

    def body(self, number: int, **changes: object) -> bytes:
        """The request that carries the next batch of `number` records."""
        records = self.records(number, **changes)
        return batch_bytes(self.freeze(records), [item.data for item in records])


@dataclass
class World:
    """An installation on disk with its connectors; `serve` starts `shuqing serve` over it."""

    home: Path
    system: System
    agreement: str
    sources: list[Source]
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, children: Processes, name: str = "server") -> None:
        self.port = self.port or free_port()
        arguments = ("serve", "--home", str(self.home), "--port", str(self.port))
        children.python(name, "api", *arguments, ready=answers(f"{self.url}/api/log"))

    def client(self, source: Source) -> httpx.Client:
        headers = {"Authorization": f"Bearer {source.token}", "Content-Type": "application/x-ndjson"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=False)

    def close(self) -> None:
        self.system.engine.dispose()
        self.system.reader.dispose()


def world(home: Path, sources: int, database_url: str = "") -> World:
    """An installation in `home` whose one agreement names that many connectors; records occur at NOW + 10."""
    there = {"database_url": database_url} if database_url else {}
    configured = installation(home, sm.generate().public, **there)
    settings.save(configured)
    (home / "clock").write_text(str(NOW + 60))
    bootstrap.migrate(configured.database)
    system = bootstrap.build(configured)
    house = House(system.engine)
    keys = {f"conn-{number:03d}": sm.generate() for number in range(sources)}
    for name, key in keys.items():
        house.hire_connector(name, key)
    parties = (
        TermsParty(PROVIDER, Role.PROVIDER, tuple(keys)),
        TermsParty(CONSUMER, Role.CONSUMER),
        TermsParty(SELLER, Role.OPERATOR),
    )
    listing = house.listed()
    agreement, _ = house.conclude(listing=listing, limit=10**9, parties=parties)
    policy = market.terms_of(house.session, agreement, 1).policy_digest.sha256
    tokens = {name: issue(house.session, f"connector:{name}", at=NOW) for name in keys}  # type: ignore[arg-type]
    house.session.commit()
    house.session.close()
    made = [Source(Line(agreement, listing, policy, name), key, tokens[name]) for name, key in keys.items()]
    return World(home, system, agreement, made)
