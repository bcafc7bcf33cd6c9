"""A month of 10^7 usage rows of 10^4 agreements, from rows to written statements: `month()`, or run this module.

Recipe: ROWS (10^7) admitted records in one Parquet file made before the clock starts, in order of batch: 1,000
connectors, ten agreements each, batches of 5,000. One row in 200 is refused, one in 100 failed, one in 1,000 late, one
in 500 repeats the request id of another, one in 100 lies outside the month. Each agreement has a graduated tariff of
three tiers, is billed by the provider's records and shared by five holders out of 2,001; 1,000 buyers. Then, in one
process, medians of RUNS (3):

- `query`: the metering plan in DuckDB (2 threads, ≤ 3 GB), all of its answers fetched
- `metered`: the same and the readings made of it; `rated`, `shared`, `posted`, `statements`: the stages' own functions
- `written`: rows and canonical documents of readings, charges, shares, journal and statements, with their parts and
  parts roots, in the program's own tables of an SQLite file, one commit

Included: every figure and document of the facts, salts and both parts roots of the statements. Not included: the system
signature of a fact, its log entry and the fact table itself. Baselines in the same run over the same file, medians:
`group_by`, count and sum by agreement; `group_by_use`, a sum by agreement and request id, which is what it takes to
count none twice, and the rows of it counted. `processor_s` is what the process itself used, for a machine that others
use too. Checked: SAMPLE (20) agreements against `read_meter`, fact for fact; the shares of each charge add up;
statements and journal agree.

    python -m scripts.bench.month
"""

from __future__ import annotations

import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from clearing.settlement import journal, rating, sharing, tables
from clearing.settlement import statement as statements
from clearing.settlement.journal import Kind, Transaction
from clearing.settlement.rating import Charge
from clearing.settlement.sharing import Shares
from clearing.terms import (
    WHOLE,
    AgreementTerms,
    Holder,
    PeriodRules,
    SharingPlan,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Terms,
    Tier,
    Weight,
)
from clearing.terms import (
    month as month_named,
)
from clearing.usage.bulk.duck import Duck, opened, over_files
from clearing.usage.bulk.reading import Rows, read_meters, uses_of
from clearing.usage.metering import MeterReading, read_meter
from ledger import bulk, canonical
from ledger import tables as ledger_tables
from ledger.digest import derive_salt
from ledger.facts import PartsRoot
from ledger.reading import body_of

ROWS, AGREEMENTS, CONNECTORS, BATCH, HOLDERS, BUYERS, RUNS, SAMPLE = (
    10_000_000,
    10_000,
    1_000,
    5_000,
    2_000,
    1_000,
    3,
    20,
)
SECONDS, MEGABYTES, TIMES = 60, 4_000, 5
MARCH = month_named("2026-03")
AT = MARCH.end + 86_400
OPERATOR = "91330000OPERATOR01"


def month() -> dict[str, Any]:
    """The figures of a fresh process, so that the peak of memory is its own."""
    done = subprocess.run([sys.executable, "-m", "scripts.bench.month"], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def make(file: Path, rows: int, agreements: int = AGREEMENTS, connectors: int = CONNECTORS) -> None:
    """The rows of the recipe, each a function of its number alone."""
    own, each = rows // connectors, agreements // connectors
    length = MARCH.end - MARCH.start
    with opened() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(f"""
            CREATE TEMP TABLE batches AS SELECT b, sha256('b' || b) AS batch, sha256('r' || b) AS root_sha256,
                sha256('s' || b) AS root_sm3 FROM range({rows // min(BATCH, own)}) AS t(b)""")
        connection.execute(f"""
            COPY (SELECT 'connector:' || lpad((i // {own})::VARCHAR, 6, '0') AS connector, i % {own} + 1 AS seq,
                'agreement:OP-2026-' || lpad((i // {own} * {each} + i * 7 % {each})::VARCHAR, 6, '0') AS agreement,
                1::BIGINT AS revision, 'req-' || lpad(to_hex(n * 2654435761 % 1099511627776), 12, '0') || '-' || n
                AS request_id, 'PROVIDE' AS side, 'call' AS unit, 1 + i * 31 % 97 AS quantity,
                CASE WHEN k % 200 = 11 THEN 'deny' ELSE 'allow' END AS decision, k % 100 <> 12 AS outcome_ok,
                CASE WHEN k % 200 = 11 THEN 'REFUSED' WHEN k % 1000 = 13 THEN 'LATE' WHEN k % 100 = 12 THEN 'FAILED'
                    ELSE 'OK' END AS use_class,
                {MARCH.start} + i * 7919 % {length} - CASE WHEN k % 100 = 14 THEN {length} ELSE 0 END AS occurred_at,
                occurred_at + CASE WHEN k % 1000 = 13 THEN 40 * 86400 ELSE 60 END AS received_at,
                batch, root_sha256, root_sm3, b + 1 AS position,
                lpad(to_hex(i * 40503), 64, '0') AS digest
            FROM (SELECT i, i // {each} AS k, CASE WHEN k % 500 = 15 THEN i - {each} ELSE i END AS n,
                  i // {min(BATCH, own)} AS number FROM range({rows}) AS t(i)) JOIN batches ON b = number ORDER BY i)
            TO '{file}' (FORMAT parquet)""")


def agreed(agreements: int = AGREEMENTS) -> list[AgreementTerms]:
    """The agreements of the recipe."""
    tiers = (Tier(0, 35, 10), Tier(10_000, 3, 1), Tier(40_000, 25, 10))
    tariff = Tariff(TariffKind.GRADUATED, "call", tiers=tiers)
    parts = [400_000_001, 250_000_000, 199_999_999, 100_000_000, 50_000_000]
    found = []
    for number in range(agreements):
        parties = [f"9133{(number * 5 + k * 401) % HOLDERS:014d}" for k in range(4)] + [OPERATOR]
        holders = tuple(Holder(party, "holder") for party in parties)
        step = Step(StepKind.RATIO, weights=tuple(map(Weight, parties, parts)))
        plan = SharingPlan(1, 0, holders, (step,), OPERATOR)
        buyer = f"9144{number % BUYERS:014d}"
        terms = Terms(buyer, parties[0], tariff, Tax(TaxBasis.INCLUSIVE, 600), plan, PeriodRules())
        found.append(AgreementTerms(f"agreement:OP-2026-{number:06d}", 1, terms))
    assert sum(parts) == WHOLE
    return found


@dataclass
class Timed:
    """Seconds of each stage, and an engine whose own time is apart."""

    engine: Duck
    seconds: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)

    @property
    def high_water(self) -> int:
        return self.engine.high_water

    def give(self, name: str, columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> None:
        self.take("query", lambda: self.engine.give(name, columns, rows))

    def step(self, name: str, query: str, kept: bool) -> None:
        self.take("query", lambda: self.engine.step(name, query, kept))

    def rows(self, query: str) -> Rows:
        found: Rows = self.take("query", lambda: list(self.engine.rows(query)))
        return found

    def take(self, name: str, work: Callable[[], Any]) -> Any:
        started, used = time.perf_counter(), time.process_time()
        found = work()
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - started
        self.processor[name] = self.processor.get(name, 0) + time.process_time() - used
        return found


def document(value: Any) -> tuple[str, str]:
    """The canonical document of a fact's body, and the name it gets here: its digest, as nothing is signed."""
    data = canonical.encode(body_of(value))
    return hashlib.sha256(data).hexdigest(), data.decode()


@dataclass(frozen=True)
class Posted:
    reading: tuple[str, str, MeterReading]
    charge: tuple[str, str, Charge]
    shares: tuple[str, str, Shares]


def run(file: Path, items: list[AgreementTerms], high_water: int, database: Path) -> Timed:
    """Once through the month: the seconds of each stage and, as `all`, of the whole."""
    began, used = time.perf_counter(), time.process_time()
    with over_files([file], high_water) as duck:
        timed = Timed(duck)
        readings = timed.take("metered", lambda: read_meters(items, MARCH, timed))
    named = timed.take("written", lambda: [(*document(reading), reading) for reading in readings])
    charges = timed.take(
        "rated", lambda: [rating.rate(n[0], n[2], item.terms) for n, item in zip(named, items, strict=True)]
    )
    charged = timed.take("written", lambda: [(*document(charge), charge) for charge in charges])
    divided = timed.take(
        "shared",
        lambda: [sharing.share(n[0], n[2], item.terms.plan, 0) for n, item in zip(charged, items, strict=True)],
    )
    shared = timed.take("written", lambda: [(*document(shares), shares) for shares in divided])
    entries = list(map(Posted, named, charged, shared))
    numbered, balance = timed.take("posted", lambda: posted(entries))
    stated = timed.take("statements", lambda: state(entries, numbered, balance))
    timed.take("written", lambda: write(database, entries, numbered, stated))
    timed.seconds["all"], timed.processor["all"] = time.perf_counter() - began, time.process_time() - used
    check(entries, balance, stated)
    return timed


def posted(entries: list[Posted]) -> tuple[list[tuple[int, Transaction]], dict[journal.Account, int]]:
    transactions: list[Transaction] = []
    for entry in entries:
        transactions.append(journal.charged(entry.charge[0], entry.charge[2], AT))
        transactions.append(journal.shared(entry.shares[0], entry.shares[2], AT))
    balance = journal.balances(transactions)
    journal.trial_balance(balance)
    return list(enumerate(transactions)), balance


Stated = tuple[statements.PartA, tuple[bytes, ...], PartsRoot]


def state(
    entries: list[Posted], numbered: list[tuple[int, Transaction]], balance: dict[journal.Account, int]
) -> list[Stated]:
    """Part A of every party, its parts salted and committed to."""
    buyers = {entry.charge[2].agreement: entry.charge[2].buyer for entry in entries}
    moving, owing = statements.moving(numbered), statements.owing(statements.obligations_of(balance, buyers))
    found = []
    for party in sorted(moving):
        body, parts = statements.part_a(
            cycle="cycle:OP-2026-03", operator=OPERATOR, period=MARCH.name, party=party, currency="CNY", opening=0,
            window=(0, len(numbered)), lines=statements.lines_of(party, moving[party]),
            obligations=owing.get(party, ()),
        )  # fmt: skip
        secret = hashlib.sha256(party.encode()).digest()
        data = statements.salted(parts, lambda no, secret=secret: derive_salt(secret, str(no)))  # type: ignore[misc]
        found.append((body, data, PartsRoot.over(data)))
    return found


def write(database: Path, entries: list[Posted], numbered: list[tuple[int, Transaction]], stated: list[Stated]) -> None:
    """The rows of the program's own tables, in one commit."""
    engine = create_engine(f"sqlite:///{database}")
    period = MARCH.name
    written = [
        tables.reading, tables.charge, tables.shares, tables.share, tables.journal_transaction, tables.posting,
        tables.statement, ledger_tables.part,
    ]  # fmt: skip
    tables.reading.metadata.create_all(engine, [*written, ledger_tables.fact])
    with Session(engine) as session:
        rows: dict[str, list[tuple[Any, ...]]] = {table.name: [] for table in written}
        for entry in entries:
            (r, r_text, reading), (c, c_text, charge), (s, _, shares) = entry.reading, entry.charge, entry.shares
            rows[tables.reading.name].append(
                (r, reading.agreement, reading.revision, period, 0, period, reading.quantity, reading.counted, r_text)
            )
            rows[tables.charge.name].append(
                (c, r, charge.agreement, period, period, None, charge.buyer, charge.invoice_issuer, charge.gross,
                 charge.net, charge.tax, None, c_text)
            )  # fmt: skip
            rows[tables.shares.name].append((s, c, shares.lineage, 0, shares.after, period))
            rows[tables.share.name] += [
                (s, x.party, x.role, charge.agreement, period, period, x.entitlement, x.amount, x.carry_after)
                for x in shares.shares
            ]
        for number, t in numbered:
            rows[tables.journal_transaction.name].append((number, t.event, t.event_id, t.at, t.value_date, t.currency))
            rows[tables.posting.name] += [
                (number, line, str(p.account.kind), p.account.party, p.account.agreement, p.account.period, p.amount)
                for line, p in enumerate(t.postings)
            ]
        for body, data, _ in stated:
            name, text = document(body)
            rows[tables.statement.name].append(
                (name, body.cycle, body.party, period, body.opening, body.closing, body.last, None, text, None)
            )
            rows[ledger_tables.part.name].append((name, b"\n".join(data)))
        for table in written:
            bulk.insert_rows(session, table, rows[table.name])
        session.commit()
    engine.dispose()


def check(entries: list[Posted], balance: dict[journal.Account, int], stated: list[Stated]) -> None:
    assert all(sum(x.amount for x in e.shares[2].shares) == e.charge[2].net for e in entries)
    assert not [account for account in balance if account.kind is Kind.REV]
    closing = sum(body.closing for body, _, _ in stated)
    assert closing == -sum(n for account, n in balance.items() if account.kind in journal.PARTY_KINDS)
    for body, data, _ in stated:
        statements.check(body, [statements.read_part(part) for part in data])


def measured(
    rows: int = ROWS, agreements: int = AGREEMENTS, connectors: int = CONNECTORS, runs: int = RUNS
) -> dict[str, Any]:
    """Everything named in the recipe, in this process."""
    items = agreed(agreements)
    with tempfile.TemporaryDirectory(prefix="shuqing-month-") as name:
        file = Path(name) / "uses.parquet"
        make(file, rows, agreements, connectors)
        taken: list[Timed] = []
        plain: list[Timed] = []
        for number in range(runs):
            taken.append(run(file, items, rows, Path(name) / f"{number}.db"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
        with over_files([file], rows) as engine:
            for _ in range(runs):
                plain.append(Timed(engine))
                for what, query in BASELINES.items():
                    plain[-1].take(what, lambda query=query: list(engine.rows(query)))  # type: ignore[misc]
            sample = items[:: max(1, agreements // SAMPLE)]
            found = read_meters(sample, MARCH, engine)
            for item, reading in zip(sample, found, strict=True):
                assert reading == read_meter(item, MARCH, uses_of(engine, item.agreement), rows)
            assert sum(len(reading.excluded) for reading in found)
        size = file.stat().st_size
    seconds, base = medians([once.seconds for once in taken]), medians([once.seconds for once in plain])
    processor, base_processor = medians([t.processor for t in taken]), medians([t.processor for t in plain])
    return {
        "rows": rows,
        "agreements": agreements,
        "runs": runs,
        "seconds": seconds,
        "processor_s": processor,
        "baseline_s": base,
        "baseline_processor_s": base_processor,
        "query_over_group_by": round(seconds["query"] / base["group_by"], 1),
        "query_over_group_by_use": round(seconds["query"] / base["group_by_use"], 1),
        "peak_mb": round(peak),
        "file_mb": round(size / 1_000_000),
        "recipe": " ".join((__doc__ or "").split()),
    }


def medians(taken: Sequence[dict[str, float]]) -> dict[str, float]:
    return {stage: round(statistics.median(once[stage] for once in taken), 3) for stage in taken[0]}


BASELINES = {
    "group_by": "SELECT agreement, revision, count(*), sum(quantity) FROM known GROUP BY agreement, revision",
    "group_by_use": "SELECT count(*), sum(n) FROM (SELECT agreement, request_id, min(quantity) AS n FROM known "
    "GROUP BY agreement, request_id)",
}


if __name__ == "__main__":
    print(json.dumps(measured(), ensure_ascii=False, indent=1))
