"""The public check and the search of the register with 10^6 certificates: `check_page(address)`, or run this module.

Recipe: CERTIFICATES (10^6) rows each in `certificate`, `holding`, `certificate_issue` and `register_line`, and as many
in `fact` and `entry` without their bodies, are written directly, in bulk; the index of the search is made afterwards.
Searched texts are over a vocabulary of regions, years, industries and things, with some 80 characters of overview;
after TEXTS (5,000) they repeat, which changes no list of the index in length. Dates run over three years. Of SAMPLE
(2,000) codes spread over all of them the register entry and the issue are real facts: signed, with the record in parts,
read and checked as always. Measured, each after a warm-up of 50: the check as a function, and `GET /api/check/{code}`
and `GET /check` as ASGI in this process (routing, threads, templates; no socket), each over the 2,000 codes in
scattered order, on the reader's engine; and the search: the first page and the tenth of a two-character word in nearly
every line, of one in one line of five thousand, of three words, of a word with filters, and of nothing but a filter.
The limit per address is off. A head and an anchor stand for the whole log, so that state and place are asked as in
service. Times in milliseconds.

    python -m scripts.bench.check_page [--certificates N] [--postgresql]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from sqlalchemy import Engine, create_engine, insert, select, text
from sqlmodel import Session

from api import bootstrap
from api.app import create
from ledger import sm, store, tables
from ledger.digest import twin
from ledger.facts import PartsRoot, Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner
from registry import answering
from registry.asset import (
    AssetKind,
    DataForm,
    Description,
    RegionScope,
    Structure,
    Twin,
    UpdateRate,
    Volume,
    content_of,
    data_file,
)
from registry.catalogue import CodeAnswer
from registry.certificate import (
    ENTRY,
    ISSUED,
    DepositReceipt,
    Document,
    Holder,
    Issue,
    Record,
    RegisterEntry,
    SealMark,
    certificate_subject,
    record_digest,
    record_parts,
    register_entry,
)
from registry.code import month_of, numbered
from registry.credential.status_list import SIZE
from registry.form import RegistrationType
from registry.party import PartyKind
from registry.projecting import PROJECTORS
from registry.rights import Basis, Right, RightRow, SourceKind
from registry.scheme import NATIONAL_2026
from registry.search import store as search
from registry.search.store import Wanted
from registry.search.tables import search_index
from registry.statistics import store as statistics

CERTIFICATES, SAMPLE, WARM, CHUNK, TEXTS = 1_000_000, 2_000, 50, 10_000, 5_000
AGENCY, AUTHORITY, HOLDER = "91330100MA00000018", "91330100MA00000026", "91330100MA00000034"
FIRST = 1_785_718_800
"""2026-08-03 09:00 in Beijing; one deposit every 95 seconds."""
EVERY = 95
SIGNER = SystemSigner(sm.from_private(b"\x07" * 32), f"party:{AGENCY}")
NOW = FIRST + EVERY * CERTIFICATES + 86_400
REGIONS = (
    "北京", "上海", "杭州", "宁波", "温州", "绍兴", "深圳", "广州",
    "成都", "武汉", "西安", "南京", "苏州", "长沙", "郑州", "青岛",
    "大连", "厦门", "福州", "合肥",
)  # fmt: skip
THINGS = (
    "航班", "气象", "电力", "用水", "公交", "地铁", "物流", "仓储",
    "港口", "零售", "医疗", "药品", "信贷", "保险", "农田", "林业",
    "渔业", "遥感", "地图", "租赁",
)  # fmt: skip
CONTENTS = (
    "起降记录", "运行状态", "交易明细", "客流统计", "价格指数", "库存变化", "设备告警", "信用评分",
    "产量预测", "影像标注",
)  # fmt: skip
INDUSTRIES = (
    "交通运输、仓储和邮政业/航空运输业", "制造业/专用设备制造业", "金融业/货币金融服务", "农、林、牧、渔业/农业",
)  # fmt: skip
RARE = "琥珀"
"""In the name of one certificate in five thousand."""
QUESTIONS = {
    "two_characters_everywhere": Wanted("数据"),
    "two_characters_in_a_twentieth": Wanted("航班"),
    "two_characters_in_a_five_thousandth": Wanted(RARE),
    "three_words": Wanted("杭州 航班 2024"),
    "six_characters_and_filters": Wanted("港口客流统计", kind=AssetKind.ELEMENT, right=Right.USE),
    "only_a_filter": Wanted(kind=AssetKind.PRODUCT),
    "everything": Wanted(),
    "nothing_has_it": Wanted("鹦鹉螺"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """What the rows of certificate number `i` are made from."""

    i: int
    code: str
    at: int
    kind: AssetKind
    description: Description
    holder: str


def code_of(i: int) -> tuple[str, int]:
    """Code and deposit second of certificate number `i`."""
    # 9,999 serials a month: region and digit are stretched, so that the bulk has codes of the right form.
    at = FIRST + EVERY * i
    return str(numbered(f"{i // 9_999 % 100:02d}", str(i // 999_900 % 10), month_of(at), i % 9_999 + 1)), at


def made(i: int) -> Made:
    """Certificate number `i`: the same at every run."""
    seed = int.from_bytes(sha256(b"%d" % i).digest()[:8], "big")

    def pick(words: tuple[str, ...], by: int) -> str:
        return words[seed // by % len(words)]

    code, at = code_of(i)
    kind = list(AssetKind)[seed % 3]
    region, thing, content = pick(REGIONS, 3), pick(THINGS, 60), pick(CONTENTS, 1_200)
    rare = RARE if i % 5_000 == 77 else ""
    name = f"{2015 + seed // 7 % 10}年{region}{rare}{thing}{content}数据集"
    overview = (
        f"该数据为{region}地区{thing}领域{content}的汇总整理，按{pick(CONTENTS, 12)}分列，"
        f"包含第{seed % 10_007}批次的采集时间、来源单位和质量说明，可用于{pick(THINGS, 90_000)}分析与监测。"
    )
    holder = f"{region}{thing}数据第{seed % 5_003}有限公司"
    return Made(i, code, at, kind, _description(name, overview, kind, pick(INDUSTRIES, 11)), holder)


_CONTENT = content_of((data_file("data.csv", b"a,b\n1,2\n", 1),))


def _description(name: str, overview: str, kind: AssetKind, industry: str) -> Description:
    return Description(
        data_name=name, overview=overview, kind=kind, industry=industry, industry_code="G56",
        region_scope=RegionScope.CITY, time_from="2024-01-01", time_to="2024-12-31", update_rate=UpdateRate.YEAR,
        volume=(Volume("336776", "条"),), form=DataForm.TABLE, structure=Structure.STRUCTURED,
        limits="不得再次转售；不得出境", content=_CONTENT,
    )  # fmt: skip


def entry_of(item: Made) -> tuple[RegisterEntry, Record]:
    """The register entry of a certificate and its record."""
    digest = sha256(item.code.encode()).hexdigest()
    rights = (Right.USE,) if item.i % 2 else tuple(Right)
    record = Record(
        application=digest[:32], scheme=NATIONAL_2026.id, agency=AGENCY, type=RegistrationType.INITIAL,
        holders=(Holder(item.holder, PartyKind.LEGAL, HOLDER),), description=item.description,
        source_kind=SourceKind.COLLECTED, right_basis=Basis.M1,
        rights=tuple(RightRow(item.holder, HOLDER, right, "无") for right in rights), years=5, publicity_waived=False,
        remarks=(), facts=(), salt=digest,
    )  # fmt: skip
    receipt = DepositReceipt(AUTHORITY, AGENCY, record.application, record_digest(record), "演示-000001", item.at)
    entry = register_entry(
        record, receipt, twin(digest.encode()), item.code, NATIONAL_2026, "某某数据登记有限公司（演示）", "演示-1",
        "存证服务（演示）",
    )  # fmt: skip
    return entry, record


def fill(engine: Engine, certificates: int, sample: int) -> list[str]:
    """Writes the bulk and the sample; answers the sample's codes in scattered order."""
    step = certificates // sample
    real = [made(i) for i in range(step // 2, certificates, step)][:sample]
    skipped = {item.i for item in real}
    lines = [search.line_of(*entry_of(made(i))) for i in range(min(TEXTS, certificates))]
    like = _projected()
    columns = LOGGED | {table: tuple(row) for table, row in like.items()}
    with bulk(engine) as load:
        numbers = (i for i in range(certificates) if i not in skipped)
        first = 0
        while chunk := list(islice(numbers, CHUNK)):
            for table, rows in _rows(chunk, first, lines, like).items():
                load(table, columns[table], rows)
            first += len(chunk)
    with Session(engine) as session:
        for item in real:
            _state(session, item, SIGNER)
        ids = session.execute(select(tables.fact.c.id).where(tables.fact.c.bytes.is_not(None))).scalars().all()
        places = [{"log_index": first + n, "fact_id": fact_id} for n, fact_id in enumerate(ids)]
        session.execute(insert(tables.entry), places)
        session.execute(insert(tables.chain_receipt), [_receipt("EvidenceLog", f"head:{first + len(ids):020d}")])
        session.execute(insert(tables.chain_receipt), [_receipt("RightsRegistry", fact_id) for fact_id in ids])
        session.commit()
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    order = sorted(real, key=lambda item: sha256(b"order %d" % item.i).digest())
    return [item.code for item in order]


@contextmanager
def bulk(engine: Engine) -> Iterator[Callable[[str, tuple[str, ...], list[tuple[Any, ...]]], None]]:
    """Loads rows quickly, and makes the index of the search afterwards from all lines at once."""
    raw = engine.raw_connection()
    cursor = raw.cursor()
    if engine.dialect.name == "sqlite":
        for statement in (
            "PRAGMA synchronous=OFF", "PRAGMA cache_size=-600000", "PRAGMA foreign_keys=OFF",
            *(f"DROP TRIGGER register_line_fts_{event}" for event in ("insert", "delete", "update")),
        ):  # fmt: skip
            cursor.execute(statement)

        def load(table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
            marks = ",".join("?" * len(columns))
            cursor.execute("BEGIN")
            cursor.executemany(f"INSERT INTO {table} ({_quoted(columns)}) VALUES ({marks})", rows)
            cursor.execute("COMMIT")

        yield load
        cursor.execute("INSERT INTO register_fts (register_fts) VALUES ('rebuild')")
        again = search_index("register", "sqlite")[1:]
    else:
        cursor.execute("DROP INDEX register_line_grams")
        cursor.execute("ALTER TABLE entry DROP CONSTRAINT entry_fact_id_fkey")
        raw.commit()

        def load(table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
            with cursor.copy(f"COPY {table} ({_quoted(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            raw.commit()

        yield load
        cursor.execute("SET maintenance_work_mem = '512MB'")
        again = search_index("register", "postgresql")
    for statement in again:
        cursor.execute(statement)
    raw.commit()
    raw.detach()
    raw.close()


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


BULK = ("certificate", "holding", "certificate_issue", "register_line")
"""Views written in bulk; their rows differ from one that was really projected in a few columns only."""
LOGGED = {
    "fact": ("id", "sm3", "kind", "subject", "no", "statement_sha256", "statement_sm3", "at"),
    "entry": ("log_index", "fact_id"),
}


def _projected() -> dict[str, dict[str, Any]]:
    """One row of each of these views as the program itself makes it."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with Session(engine) as session:
        _state(session, made(0), SIGNER)
        found = {name: session.execute(select(tables.metadata.tables[name])).first() for name in BULK}
    return {name: dict(row._mapping) for name, row in found.items() if row is not None}


def _rows(
    numbers: list[int], first: int, lines: list[dict[str, Any]], like: dict[str, dict[str, Any]]
) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of these certificates; digests are made up, and the searched texts repeat."""
    found: dict[str, list[tuple[Any, ...]]] = {table: [] for table in (*LOGGED, *BULK)}
    for n, i in enumerate(numbers):
        code, at = code_of(i)
        digest = sha256(b"fact %d" % i).hexdigest()
        line = lines[i % len(lines)]
        found["fact"].append((digest, digest, ENTRY, certificate_subject(code), 0, digest, digest, at))
        found["entry"].append((first + n, digest))
        own = {
            "certificate": {
                "code": code, "application": digest[:32], "data_name": line["text"][16:40],
                "kind": list(AssetKind)[i % 3].value, "content": digest, "deposited_at": at, "valid_from": at,
                "valid_until": at + 5 * 365 * 86_400, "fact_id": digest, "entry_sm3": digest,
            },
            "holding": {"code": code, "content": digest},
            "certificate_issue": {
                "code": code, "issued_at": at, "token": digest[:12], "pdf_sha256": digest, "json_sha256": digest,
                "status_list": 1 + i // SIZE, "status_index": i % SIZE, "fact_id": digest,
            },
            "register_line": {
                "place": search.place_of(code, at), "code": code, "text": line["text"], "grams": line["grams"]
            },
        }  # fmt: skip
        for table, values in own.items():
            found[table].append(tuple((like[table] | values).values()))
    return found


def _state(session: Session, item: Made, signer: SystemSigner) -> None:
    """The register entry and the issue of one certificate as facts, projected."""
    entry, record = entry_of(item)
    parts = record_parts(record)
    subject = certificate_subject(item.code)
    statement = Statement(ENTRY, subject, 0, None, body_of(entry), PartsRoot.over(parts))
    fact = store.append(session, Signed(statement, (signer.sign(statement, "system"),)), at=item.at, parts=parts).fact
    PROJECTORS[ENTRY](session, fact)
    papers = tuple(Document(form, 60_000, Twin.of(twin(f"{item.code}.{form}".encode()))) for form in ("pdf", "json"))
    body = Issue(
        item.code, 1, Twin.of(fact.digest()), papers, "token", "https://example.test/check", 1 + item.i // SIZE,
        item.i % SIZE, SealMark(Twin.of(twin(b"seal")), "某某数据登记有限公司（演示）", True),
    )  # fmt: skip
    no, prev = store.next_of(session, subject)
    issued = Statement(ISSUED, subject, no, prev, body_of(body))
    fact = store.append(session, Signed(issued, (signer.sign(issued, "system"),)), at=item.at).fact
    PROJECTORS[ISSUED](session, fact)


def _receipt(contract: str, key: str) -> dict[str, Any]:
    return {
        "contract": contract, "key": key, "chain_id": 31337, "address": "0x" + "0" * 40, "tx": "0x" + "0" * 64,
        "block": 1, "block_hash": "0x" + "0" * 64,
    }  # fmt: skip


def measured(took: list[float]) -> dict[str, float]:
    """Median, 99th percentile and largest, in milliseconds."""
    ordered = sorted(took)
    percent = {name: ordered[math.ceil(part * len(ordered) / 100) - 1] for name, part in (("p50", 50), ("p99", 99))}
    return {name: round(value * 1000, 2) for name, value in (percent | {"max": ordered[-1]}).items()}


def check_page(address: str = "", certificates: int = CERTIFICATES, sample: int = SAMPLE) -> dict[str, Any]:
    """p50, p99 and largest time of check, page and search on this database ("" = a SQLite file of its own)."""
    with tempfile.TemporaryDirectory() as folder:
        url = address or f"sqlite:///{Path(folder) / 'check.db'}"
        bootstrap.migrate(url)
        writer = bootstrap.engine(url, write=True)
        started = time.perf_counter()
        codes = fill(writer, certificates, sample)
        writer.dispose()
        filled = round(time.perf_counter() - started)
        return {"certificates": certificates, "codes": len(codes), "filled_s": filled, **times(url, codes)}


def times(url: str, codes: list[str]) -> dict[str, Any]:
    """The measurements on a filled database."""
    reader = bootstrap.engine(url, write=False)
    found: dict[str, Any] = {"check_ms": measured(list(_function(reader, codes)))}
    found |= asyncio.run(_over_asgi(reader, codes))
    found["search_ms"] = {name: _searched(reader, wanted) for name, wanted in QUESTIONS.items()}
    found["statistics_ms"] = _statistics(reader)
    reader.dispose()
    return found


def _function(reader: Engine, codes: list[str]) -> Iterator[float]:
    warm = codes[:WARM]
    for number, code in enumerate((*warm, *codes)):
        start = time.perf_counter()
        with Session(reader) as session:
            answer = answering.check(session, code, NOW)
        took = time.perf_counter() - start
        assert not isinstance(answer.status, CodeAnswer), code
        assert answer.view is not None
        if number >= len(warm):
            yield took


async def _over_asgi(reader: Engine, codes: list[str]) -> dict[str, Any]:
    system: Any = SimpleNamespace(
        engine=reader, reader=reader, clock=lambda: NOW, settings=SimpleNamespace(demo=True), house=None
    )
    app = create(system)
    app.state.window.limit = 10**9
    found, warm = {}, codes[:WARM]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://check") as client:
        for name, path in (("api_check_ms", "/api/check/{}"), ("page_check_ms", "/check?code={}")):
            took = []
            for number, code in enumerate((*warm, *codes)):
                start = time.perf_counter()
                answer = await client.get(path.format(code))
                spent = time.perf_counter() - start
                assert answer.status_code == 200
                assert code in answer.text
                if number >= len(warm):
                    took.append(spent)
            found[name] = measured(took)
    return found


def _searched(reader: Engine, wanted: Wanted) -> dict[str, Any]:
    """The first page, median and largest of 20, and the tenth, with how many lines the first one had."""
    took, before, lines = [], search.FIRST, 0
    for _ in range(20):
        start = time.perf_counter()
        with Session(reader) as session:
            page = answering.catalogue(session, NOW, wanted, limit=20)
        took.append(time.perf_counter() - start)
        lines = len(page.listings)
    for _ in range(9):
        with Session(reader) as session:
            page = answering.catalogue(session, NOW, wanted, limit=20, before=before)
        if not page.next:
            break
        before = int(page.next)
    start = time.perf_counter()
    with Session(reader) as session:
        answering.catalogue(session, NOW, wanted, limit=20, before=before)
    tenth = round((time.perf_counter() - start) * 1000, 2)
    whole = measured(took)
    return {"p50": whole["p50"], "max": whole["max"], "tenth_page": tenth, "lines": lines}


def _statistics(reader: Engine) -> dict[str, float]:
    took = []
    for _ in range(20):
        start = time.perf_counter()
        with Session(reader) as session:
            statistics.figures(session, NOW)
        took.append(time.perf_counter() - start)
    return measured(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--certificates", type=int, default=CERTIFICATES)
    parser.add_argument("--postgresql", action="store_true", help="on a server from Debian's packages, fsync on")
    given = parser.parse_args()
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    sample = min(SAMPLE, given.certificates // 10)
    if given.postgresql:
        from tests.services.server import postgresql, provide

        provide()
        with postgresql(durable=True) as server:
            found = check_page(server.database(), given.certificates, sample)
    else:
        found = check_page("", given.certificates, sample)
    json.dump({"machine": machine, "load": os.getloadavg()[0], **found}, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
