"""The search of the market with 10^5 products: `products(address)`, or run this module.

Recipe: PRODUCTS (10^5) rows each in `market_listing`, `market_line`, `certificate` and `holding`, written in bulk; the
index of the search is made afterwards. Every product rests on a certificate of its own, in force and without a remark,
so each line of a page is judged by its certificate as in service. Texts are over a vocabulary of regions, years,
industries and things, with some 60 characters of overview and eight fields with their meanings; after TEXTS (5,000)
they repeat, which changes no list of the index in length. One product in 20 is suspended. Measured: `GET
/api/market/products` as ASGI in this process (routing, threads, JSON; no socket), ROUNDS (200) times each after a
warm-up, on the reader's engine: a two-character word in nearly every line, one in a twentieth of them, one in a line of
five thousand, three words, a word with filters, only a filter, nothing but the newest, a word nobody has; and the page
`/market`. Each question is asked for its first page of 20. Times in milliseconds; `p99` is the largest p99 of them all.

    python -m scripts.bench.products [--products N] [--postgresql]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from sqlalchemy import Engine, insert, text
from sqlmodel import Session, SQLModel

from api import bootstrap
from api.app import create
from clearing.market.listing import Listing, ProductType
from clearing.market.listing_moves import Case, State
from clearing.market.product import DataField
from clearing.market.shelf import store, tables
from ledger import canonical
from registry.asset import Twin
from registry.search.tables import search_index
from registry.tables import CertificateRow, HoldingRow
from scripts.bench.check_page import measured
from tests.clearing.market.house import DAY, NOW, OPERATOR, SELLER, contents_of, listing_of

PRODUCTS = 100_000
TEXTS = 5_000
CHUNK = 5_000
ROUNDS = 200
WARM = 10
LIMIT = 50
"""Milliseconds, p99."""
REGIONS = ("全国", "浙江省", "杭州市", "宁波市", "湖北省", "武汉市", "贵州省", "上海市", "陕西省", "四川省")
THINGS = (
    "航空运输", "公共交通", "港口物流", "气象观测", "医疗服务", "电力供应", "消费零售", "地理测绘", "教育培训",
    "金融信贷",
    "仓储快递", "农业种植", "旅游住宿", "水利工程", "环境监测", "企业信用", "人才招聘", "知识产权", "房屋租赁",
    "通信网络",
)  # fmt: skip
CONTENTS = ("运行统计", "延误特征", "客流记录", "价格指数", "质量评估", "设备状态", "空间分布", "需求预测")
RARE = "鲸落"
INDUSTRIES = ("G56", "G54", "J66", "I65", "M74")
QUESTIONS: dict[str, dict[str, str]] = {
    "two_characters_nearly_everywhere": {"q": "数据"},
    "two_characters_in_a_twentieth": {"q": "港口"},
    "two_characters_in_a_five_thousandth": {"q": RARE},
    "three_words": {"q": "杭州 航空 2024"},
    "a_word_and_filters": {"q": "延误特征", "type": "API", "industry": "G56"},
    "only_a_filter": {"type": "DS"},
    "the_newest": {},
    "nobody_has_it": {"q": "鹦鹉螺"},
    "with_those_not_on_offer": {"q": "数据", "shown": "all"},
}


def made(number: int) -> Listing:
    """Product number `number`: the same at every run."""
    seed = int.from_bytes(sha256(b"%d" % number).digest()[:8], "big")
    region, thing = REGIONS[seed % 10], THINGS[seed // 10 % 20]
    content = CONTENTS[seed // 200 % 8]
    rare = RARE if number % 5_000 == 77 else ""
    fields = tuple(DataField(f"{thing}{n}", f"{region}{thing}的第{n}项{content}取值", "decimal") for n in range(8))
    return listing_of(
        name=f"{2015 + seed // 1_600 % 11}年{region}{rare}{thing}{content}数据接口"[:40],
        overview=f"按{region}各单位汇总的{thing}{content}数据，含第{seed % 10_007}批次的采集时间、来源和质量说明，"
        f"可用于{THINGS[seed // 90_000 % 20]}分析。",
        type=(ProductType.API, ProductType.DATASET)[seed // 7 % 2],
        content=contents_of(industry=INDUSTRIES[seed // 11 % 5], theme=thing, tags=(content,), fields=fields),
    )


def rows_of(number: int, value: Listing, grams: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """(table, row) of a product: listing, line, certificate and right. Digests are made up."""
    digest = sha256(b"listing %d" % number).hexdigest()
    code, product = f"SJ{number:013d}", digest[32:]
    value = replace(value, product=product, certificate=code)
    twin = Twin(digest, digest)
    case = Case(State.SUSPENDED if number % 20 == 3 else State.LISTED, NOW - DAY, 1, twin, NOW - DAY, 1)
    row = store.ListingRow(digest[:32], value, case.state, case.since, twin, case)
    yield tables.listing, store.columns_of(row)
    line = grams | {"place": number + 1, "listing": row.id}
    summary = json.loads(line["summary"]) | {"listing": row.id, "product": product, "certificate": code}
    yield tables.line, line | {"summary": canonical.encode(summary).decode()}
    yield (
        SQLModel.metadata.tables[str(CertificateRow.__tablename__)],
        {
            "code": code, "version": 1, "application": digest[:32], "agency": OPERATOR, "agency_name": "演示",
            "data_name": value.name, "kind": "element", "content": digest, "public": True, "deposited_at": NOW - DAY,
            "valid_from": NOW - DAY, "valid_until": NOW + 900 * DAY, "last_day": "2028-11-01", "fact_id": digest,
            "entry_sm3": digest,
        },
    )  # fmt: skip
    yield (
        SQLModel.metadata.tables[str(HoldingRow.__tablename__)],
        {
            "code": code, "version": 1, "right": "OPERATE", "holder": SELLER, "holder_name": "演示",
            "holder_kind": "法人", "content": digest,
        },
    )  # fmt: skip


def fill(engine: Engine, products: int) -> None:
    """Writes the products; the index of the search is made from all lines at once."""
    sqlite = engine.dialect.name == "sqlite"
    values = [made(number) for number in range(min(TEXTS, products))]
    lines = [store.line_of(_row(value), 0) for value in values]
    with engine.begin() as connection:
        if sqlite:
            for event in ("insert", "delete", "update"):
                connection.execute(text(f"DROP TRIGGER market_line_fts_{event}"))
        else:
            connection.execute(text("DROP INDEX market_line_grams"))
    for first in range(0, products, CHUNK):
        chunk: dict[Any, list[dict[str, Any]]] = {}
        for number in range(first, min(first + CHUNK, products)):
            at = number % len(values)
            for table, row in rows_of(number, values[at], lines[at]):
                chunk.setdefault(table, []).append(row)
        with engine.begin() as connection:
            for table, rows in chunk.items():
                connection.execute(insert(table), rows)
    with engine.begin() as connection:
        if sqlite:
            connection.execute(text("INSERT INTO market_fts (market_fts) VALUES ('rebuild')"))
        for statement in search_index("market", engine.dialect.name)[1 if sqlite else 0 :]:
            connection.execute(text(statement))
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))


def _row(value: Listing) -> store.ListingRow:
    twin = Twin("0" * 64, "0" * 64)
    return store.ListingRow("0" * 32, value, State.LISTED, NOW, twin, Case(State.LISTED, NOW, 1, twin))


def products(address: str = "", count: int = PRODUCTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """p50, p99 and largest time of each question on this database ("" = a SQLite file of its own)."""
    with tempfile.TemporaryDirectory() as folder:
        url = address or f"sqlite:///{Path(folder) / 'products.db'}"
        bootstrap.migrate(url)
        writer = bootstrap.engine(url, write=True)
        started = time.perf_counter()
        fill(writer, count)
        writer.dispose()
        filled = round(time.perf_counter() - started)
        reader = bootstrap.engine(url, write=False)
        found = asyncio.run(_over_asgi(reader, rounds))
        with Session(reader) as session:
            start = time.perf_counter()
            assert store.doubtful(session, NOW) == []
            timers = round((time.perf_counter() - start) * 1_000, 2)
        reader.dispose()
    worst = max(item["p99"] for item in found.values())
    return {"products": count, "filled_s": filled, "p99": worst, "clock_ms": timers, **found}


async def _over_asgi(reader: Engine, rounds: int) -> dict[str, Any]:
    system: Any = SimpleNamespace(
        engine=reader, reader=reader, clock=lambda: NOW, settings=SimpleNamespace(demo=True, operator=OPERATOR),
        house=None,
    )  # fmt: skip
    app = create(system)
    app.state.window.limit = 10**9
    found: dict[str, Any] = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://market") as client:
        for name, query in QUESTIONS.items():
            took, lines = await _timed(client, "/api/market/products", query | {"limit": "20"}, rounds)
            found[name] = measured(took) | {"lines": lines}
        took, _ = await _timed(client, "/market", QUESTIONS["two_characters_nearly_everywhere"], rounds)
        found["page"] = measured(took)
    return found


async def _timed(client: httpx.AsyncClient, path: str, query: dict[str, str], rounds: int) -> tuple[list[float], int]:
    took, lines = [], 0
    for number in range(rounds + WARM):
        start = time.perf_counter()
        answer = await client.get(path, params=query)
        spent = time.perf_counter() - start
        assert answer.status_code == 200, answer.text
        if path.startswith("/api/"):
            lines = len(answer.json()["products"])
        if number >= WARM:
            took.append(spent)
    return took, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--products", type=int, default=PRODUCTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--postgresql", action="store_true", help="on a server from Debian's packages, fsync on")
    given = parser.parse_args()
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    if given.postgresql:
        from tests.services.server import postgresql, provide

        provide()
        with postgresql(durable=True) as server:
            found = products(server.database(), given.products, given.rounds)
    else:
        found = products("", given.products, given.rounds)
    json.dump({"machine": machine, "load": os.getloadavg()[0], **found}, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
