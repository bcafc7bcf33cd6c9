"""The only constructor: engines, keys, clock, chain, witnesses, and the tables that tie the packages together.

What a package must not know (which contract a kind of fact goes to, which projector a kind has, how a kind is checked)
is registered here, so the packages stay one-way.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.orm import Session

import clearing.market.broker.store as broker
import clearing.market.delivery.store as delivery
import clearing.market.demand.store as demand
import clearing.market.filing.store as filings
import clearing.market.gratis.store as gratis
import clearing.market.matching.store as matching
import clearing.market.negotiation.store as negotiation
import clearing.market.profile.store as profile
import clearing.market.recommending.store as recommending
import clearing.market.shelf.store as shelf
import clearing.market.store as market
import clearing.pricing.element.store as elements
import clearing.pricing.store as pricing
import clearing.settlement.dispute.store as dispute
import clearing.settlement.projecting as settlement
import clearing.settlement.public_revenue.store as public_revenue
import clearing.settlement.reporting.store as reporting
import clearing.settlement.service_order.store as service_orders
import clearing.usage.service_level.store as service_level
import clearing.usage.store as usage
import registry.afterlife.store
import registry.cards.store
import registry.duties.store
import registry.foreign.store
import registry.handover.store
import registry.inspection.store
import registry.likeness.store
import registry.national.store
import registry.projecting
import registry.retention.store
import registry.rulebook.store as rulebook
from api import keyfiles, sealed, sealing
from api.authority import HttpAuthority
from api.keyfiles import KeyFile
from api.settings import Settings, SettingsError
from clearing import taking
from clearing.market.agreement import Domain
from clearing.market.delivery import service as delivering
from clearing.market.demand import service as demanding
from clearing.market.negotiation import service as negotiating
from clearing.market.onchain import AgreementFace
from clearing.market.proof import AgreementRules
from clearing.settlement import onchain as settlement_onchain
from clearing.settlement.onchain import SettlementFace
from clearing.settlement.proof import CycleRules, StatementRules
from clearing.settlement.service import Office
from clearing.usage.proof import BatchRules, ReportRules
from ledger import chain as chains
from ledger import eip712, sm
from ledger.anchoring import Face
from ledger.chain import Chain, Deployment, Desk
from ledger.checkpoint import LogKeys, ed25519_public
from ledger.facts import Signature, Signed, Statement
from ledger.log import Head
from ledger.rebuild import Projector
from ledger.sending import Policy
from ledger.verify import KindRules
from ledger.witness import HttpWitness, TlogWitness
from registry import holding, signers, waiting
from registry.afterlife import service as afterlife
from registry.agency import Agency
from registry.calendar import Calendar, day_of, due, published
from registry.credential.did import Anchorage, Issuer
from registry.errors import (
    CalendarPending,
    Unknown,
)
from registry.national.interface import FileExchange, NationalSystem
from registry.onchain import RegisterEntryFace
from registry.onchain_status import StatusFace
from registry.proof import RegisterEntryRules
from registry.rights import Right
from registry.rulebook.store import InForce
from registry.seal import Seal

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "contracts" / "artifacts"
MIGRATIONS = ROOT / "scripts" / "migrations"

WAL_PAGES = 16_384
"""Pages of 4 KiB that SQLite's write-ahead log may hold before a commit moves them into the file."""
CACHE_KIB = 65_536
"""KiB of pages a writer may hold: with SQLite's own 2,000 a large batch is written to the log in pieces, twice over."""
PATIENCE = 30
"""Seconds a writer waits for the one before it."""
LOOK = 0.002
"""Seconds between two looks for the writer's lock of SQLite."""
WITNESSES = {"twin": HttpWitness, "c2sp": TlogWitness}

MATTERS: tuple[waiting.MatterSource, ...] = (
    afterlife.waiting,
    negotiating.waiting,
    delivering.waiting,
    demanding.waiting,
)
"""Areas beside applications whose matters stand in the work list."""

WRITER_LOCK = 0x5351
"""Number of the PostgreSQL advisory lock that the writer of an installation's database holds ("SQ")."""

KEY_FILES = LOG_KEYS, RELAY_KEYS, OPERATOR_KEYS, AGENCY_KEYS = "log.json", "relay.json", "operator.json", "agency.json"


class Duty(Desk, Protocol):
    """What a worker must have before it writes or sends: see `api.worker`."""

    def require(self, session: Session) -> None:
        """Raises `NotLeader` if another worker has taken over."""


@dataclass
class System:
    """An installation, put together. `duty` is set in a worker: its transactions are void once it is relieved."""

    settings: Settings
    engine: Engine
    reader: Engine
    clock: Callable[[], int]
    log_keys: LogKeys
    log_evm: bytes
    relay: bytes
    operator: KeyFile
    agency: KeyFile
    witnesses: tuple[HttpWitness, ...]
    faces: tuple[Face, ...]
    projectors: Mapping[str, Projector]
    rules: Mapping[str, KindRules]
    calendars: Callable[[], Calendar]
    house: Agency
    national: NationalSystem
    office: Office
    agreement_domain: Domain
    issuer: Issuer
    duty: Duty | None = None
    _chain: list[Chain] = field(default_factory=list)
    _seal: list[Seal] = field(default_factory=list)

    def require_signature(self, session: Session, signed: Signed, by: str, role: str, at: int) -> None:
        """Raises unless `by` signed in `role` with the key on record at `at`."""
        signers.require_signature(session, signed, by, role, at=at)

    @property
    def calendar(self) -> Calendar:
        """The working days in force: what the program ships, amended by the calendar facts that were taken in."""
        return self.calendars()

    @property
    def houses(self) -> frozenset[str]:
        """Signer names of agency and operator: they stand in every trust file and may see every bundle."""
        return frozenset({f"party:{self.settings.agency}", f"party:{self.settings.operator}"})

    def attachment_bytes(self, sha256: str) -> bytes:
        """An attachment by its digest, from the sealed files of the home folder. Raises `Unknown`."""
        home = self.settings.home
        place = sealed.paper_file(home, sha256)
        if not place.exists():
            raise Unknown("附件 / attachment", sha256)
        return sealed.read(home, place, sha256)

    def right_in_force(self, session: Session, certificate: str, right: str, at: int) -> bool:
        """Does anybody hold this right under this certificate, in force at `at`?"""
        return holding.right_in_force(session, certificate, Right(right), at)

    def chain(self) -> Chain:
        """The chain gateway, connected on first use. Raises `ChainError`."""
        if not self._chain:
            self._chain.append(connect(self.settings, self.relay, self.duty))
        return self._chain[0]

    @property
    def seal(self) -> Seal:
        """The agency's seal, read on first use: only the worker needs it. Raises `SettingsError`, `FieldError`."""
        if not self._seal:
            self._seal.append(sealing.seal_of(self.settings))
        return self._seal[0]

    def sign_head(self, chain: Chain, head: Head) -> bytes:
        """The log key's EIP-712 signature that EvidenceLog asks for."""
        point = head.checkpoint
        message = {"size": point.size, "sha256Root": point.root.sha256, "sm3Root": point.root.sm3, "time": point.at}
        digest = eip712.digest_of("EvidenceLog", chain.chain_id, chain.address("EvidenceLog"), "Head", message)
        return eip712.sign(self.log_evm, digest)


def build(settings: Settings) -> System:
    """Puts an installation together from its settings and key files. Raises `SettingsError` or `FieldError`."""
    sm.self_check()
    eip712.self_check()
    keys = {name: _keys(settings, name) for name in (LOG_KEYS, RELAY_KEYS, OPERATOR_KEYS, AGENCY_KEYS)}
    log_keys = keys[LOG_KEYS]
    reader = engine(settings.database, write=False)
    calendars = partial(_calendar, reader, InForce(published()))
    return System(
        settings=settings,
        engine=engine(settings.database, write=True),
        reader=reader,
        clock=clock(settings.clock_file),
        log_keys=LogKeys(settings.origin, log_keys.ed25519, log_keys.sm2),
        log_evm=log_keys.evm,
        relay=keys[RELAY_KEYS].evm,
        operator=keys[OPERATOR_KEYS],
        agency=keys[AGENCY_KEYS],
        witnesses=tuple(WITNESSES[w.speaks](w.name, w.public, w.url) for w in settings.witnesses),
        faces=faces(settings, keys[AGENCY_KEYS]),
        projectors=projectors(),
        rules=rules(),
        calendars=calendars,
        house=house(settings),
        national=national(settings),
        office=office(settings, keys[OPERATOR_KEYS], calendars),
        agreement_domain=agreement_domain(settings),
        issuer=issuer(settings, keys[AGENCY_KEYS]),
    )


def _calendar(reader: Engine, calendars: InForce) -> Calendar:
    with Session(reader) as session:
        return calendars.of(session)


def connect(settings: Settings, relay: bytes | None, desk: Desk | None = None) -> Chain:
    """The chain named in the settings; without `relay` it can only be read. `desk` is asked before anything is sent."""
    from ledger.web3_chain import Web3Chain  # slow to load, and most commands ask no node

    file = settings.path(settings.deployment)
    if not file.exists():
        raise SettingsError(
            f"没有部署文件 {file}，请先部署合约。 / No deployment file {file}: deploy the contracts first."
        )
    policy = Policy(
        price=settings.gas_price,
        price_cap=settings.gas_price_cap,
        replace_after=settings.replace_seconds,
        give_up_after=max(60, 4 * settings.replace_seconds),
        confirmations=settings.confirmations,
    )
    return Web3Chain(settings.rpc_url, deployment(file), relay, policy=policy, desk=desk)


def deployment(file: Path) -> Deployment:
    """A deployment file with the artifacts of this distribution."""
    return chains.read_deployment(file.read_text(encoding="utf-8"), ARTIFACTS)


def engine(url: str, *, write: bool) -> Engine:
    """A database engine: one writer at a time, who sees all that was committed before; a reader cannot write and sees
    one moment. SQLite: WAL, full durability, foreign keys. PostgreSQL: writers queue on an advisory lock."""
    if not url.startswith("sqlite"):
        return _postgresql(url, write=write)
    made = create_engine(url, connect_args={"timeout": PATIENCE, "check_same_thread": False})

    @event.listens_for(made, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={PATIENCE}000"):
            connection.execute(f"PRAGMA {pragma}")
        # A batch of usage is a megabyte: by default every second commit would also copy the log into the file.
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        # REPLACE deletes without the delete trigger unless triggers may call triggers.
        connection.execute("PRAGMA recursive_triggers=ON")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}" if write else "PRAGMA query_only=ON")

    @event.listens_for(made, "begin")
    def _on_begin(connection: Any) -> None:
        if write:
            _take_turn(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return made


def _take_turn(connection: Any) -> None:
    # SQLite looks for the writer's lock ever more rarely, up to every 100 ms, and hardly ever finds it free beside a
    # writer that barely pauses: sealing waited for seconds. Whoever looks every 2 ms has its turn at the next pause.
    driver = connection.connection.dbapi_connection
    end = time.monotonic() + PATIENCE
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < end:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            time.sleep(LOOK)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the same refusal, as SQLAlchemy's error
    finally:
        driver.execute(f"PRAGMA busy_timeout={PATIENCE}000")


def _postgresql(url: str, *, write: bool) -> Engine:
    # Services look before they write, and facts are replayed in the order they were taken in: both want writers one
    # by one. READ COMMITTED, because the snapshot must be taken after the lock, not when waiting for it began.
    limits = {"options": f"-c lock_timeout={PATIENCE}s -c synchronous_commit=on"}
    if not write:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return create_engine(url, pool_pre_ping=True, connect_args=limits, execution_options=options)
    made = create_engine(url, pool_pre_ping=True, connect_args=limits, isolation_level="READ COMMITTED")

    @event.listens_for(made, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    return made


def migrate(url: str) -> None:
    """Brings the database to the current schema (Alembic)."""
    from alembic import command  # slow to load, and most commands bring nothing up to date
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    made = engine(url, write=True)
    config.attributes["engine"] = made
    try:
        command.upgrade(config, "head")
    finally:
        made.dispose()


def require_database(system: System) -> None:
    """Raises `SettingsError` unless the database is there with its tables; looking makes none."""
    url = system.engine.url
    file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    if (file is not None and not file.exists()) or not inspect(system.reader).has_table("fact"):
        where = file or url.render_as_string()
        raise SettingsError(
            f"没有数据库 {where}，请先 shuqing serve 或 facts import。"
            f" / No database {where}: run shuqing serve or facts import first."
        )


def require_seal(system: System) -> None:
    """Raises `SettingsError` or `FieldError` unless the agency's seal can be used: said at the start of a worker."""
    assert system.seal.chain


def clock(file: Path | None) -> Callable[[], int]:
    """Seconds UTC: the system's, or those written in `file` (demonstrations on the development chain)."""
    if file is None:
        return lambda: int(time.time())
    return partial(_read_clock, file)


def _read_clock(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))


def _keys(settings: Settings, name: str) -> KeyFile:
    file = settings.home / "keys" / name
    if not file.exists():
        raise SettingsError(
            f"缺少密钥文件 {file}，请用 shuqing init 生成。 / No key file {file}: make it with shuqing init."
        )
    return keyfiles.load(file)


def house(settings: Settings) -> Agency:
    """The registration agency and its deposit authority, as the registry wants them."""
    authority = settings.deposit_authority
    return Agency(
        uscc=settings.agency,
        name=settings.agency_name,
        region=settings.agency_region,
        digit=settings.agency_digit,
        catalogue_no=settings.agency_catalogue_no,
        authority=authority.uscc,
        authority_name=authority.name,
        authority_key=authority.sm2,
        papers_received=settings.papers_received,
        national_release=settings.national != "deposit",
    )


def national(settings: Settings) -> NationalSystem:
    """The connection to the national system, or to the deposit authority that stands in for it."""
    return FileExchange() if settings.national == "file" else HttpAuthority(settings.deposit_authority.url)


def office(settings: Settings, operator: KeyFile, calendar: Callable[[], Calendar]) -> Office:
    """What settlement needs from outside: the operator's signer, its salt secret, working days, signature checks."""

    def working_days(at: int, length: int) -> int:
        ends = due(day_of(at), length, calendar())
        if ends is None:
            raise CalendarPending(day_of(at).year + 1)
        return ends

    def typed_signer_ok(session: Session, statement: Statement, signature: Signature, by: str, at: int) -> bool:
        domain = deployment(settings.path(settings.deployment))
        address = domain.addresses["SettlementBook"]
        signer = settlement_onchain.signer_of(statement, signature, domain.chain_id, address)
        return signer.lower() == signers.keys_of(session, by, at).evm.lower()

    def require_signature(session: Session, signed: Signed, by: str, role: str, at: int) -> None:
        signers.require_signature(session, signed, by, role, at=at)
        if role:
            signers.require_colleague(session, signed.statement.kind, by, role, settings.operator, at)

    secret = keyfiles.secret(settings.home / "keys" / "office.secret")
    return Office(operator.signer, secret, working_days, require_signature, taking.require_on_record, typed_signer_ok)


def issuer(settings: Settings, agency: KeyFile) -> Issuer:
    """The agency as issuer of verifiable credentials, under the address of its check page. Raises `FieldError`."""
    placed = deployment(settings.path(settings.deployment))
    private = Ed25519PrivateKey.from_private_bytes(agency.ed25519)
    made = Issuer(
        base=settings.check_base_url.rstrip("/"),
        by=agency.by,
        ed25519=bytes.fromhex(ed25519_public(agency.ed25519)),
        sm2=agency.sm2.public,
        anchorage=Anchorage(placed.chain_id, placed.addresses["RightsRegistry"].lower()),
        sign=private.sign,
        sign_sm2=partial(sm.sign, agency.sm2),
    )
    assert made.did  # an address that cannot be a did:web is refused now, not when the first certificate is issued
    return made


def agreement_domain(settings: Settings) -> Domain:
    """The chain and contract agreements are signed for."""
    placed = deployment(settings.path(settings.deployment))
    return Domain(placed.chain_id, placed.addresses["AgreementRegistry"].lower())


def faces(settings: Settings, agency: KeyFile) -> tuple[Face, ...]:
    """Which facts go to which contract."""
    return (
        RegisterEntryFace(settings.agency, partial(eip712.sign, agency.evm)),
        StatusFace(settings.agency, partial(eip712.sign, agency.evm)),
        AgreementFace(),
        SettlementFace(),
    )


def projectors() -> dict[str, Projector]:
    """Which function writes the view rows of which kind; a kind has one."""
    tables = (
        registry.projecting.PROJECTORS,
        registry.cards.store.PROJECTORS,
        registry.duties.store.PROJECTORS,
        registry.handover.store.PROJECTORS,
        registry.likeness.store.PROJECTORS,
        rulebook.PROJECTORS,
        registry.afterlife.store.PROJECTORS,
        registry.inspection.store.PROJECTORS,
        registry.foreign.store.PROJECTORS,
        registry.national.store.PROJECTORS,
        registry.retention.store.PROJECTORS,
        shelf.PROJECTORS,
        broker.PROJECTORS,
        demand.PROJECTORS,
        gratis.PROJECTORS,
        filings.PROJECTORS,
        matching.PROJECTORS,
        market.PROJECTORS,
        negotiation.PROJECTORS,
        delivery.PROJECTORS,
        profile.PROJECTORS,
        recommending.PROJECTORS,
        usage.PROJECTORS,
        service_level.PROJECTORS,
        pricing.PROJECTORS,
        elements.PROJECTORS,
        settlement.PROJECTORS,
        dispute.PROJECTORS,
        service_orders.PROJECTORS,
        public_revenue.PROJECTORS,
        reporting.PROJECTORS,
    )
    merged: dict[str, Projector] = {}
    for table in tables:
        assert not merged.keys() & table.keys()
        merged |= table
    return merged


def rules() -> dict[str, KindRules]:
    """How the kinds that have rules of their own are checked (decisions D40)."""
    return {
        "register-entry/v1": RegisterEntryRules(),
        "agreement-act/v1": AgreementRules(),
        "cycle-closed/v1": CycleRules(),
        "statement/v1": StatementRules(),
        "usage-batch/v1": BatchRules(),
        "usage-period-close/v1": ReportRules(),
        "usage-heartbeat/v1": ReportRules(),
    }
