"""The market for everybody: the search of products on offer, and the page of one product."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.asking import AskedGoodsDep
from api.deps import NowDep, ReadDep, SystemDep
from api.pages.render import page
from clearing.market.gates import CODES
from clearing.market.listing import TYPE_NAMES, PriceRegime, ProductType
from clearing.market.listing_moves import STATE_NAMES
from clearing.market.product import MODE_NAMES, QUALITY_NAMES, Level, QualityGrade
from clearing.market.sample import K
from clearing.market.shelf import service as shelf
from clearing.usage.service_level import service as service_level
from clearing.usage.service_level.measure import LEAST_CONSUMERS, Published
from registry.calendar import ONE_DAY, day_of
from registry.rights import RIGHT_NAMES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PAGE_SIZE = 20
TYPES = {kind.value: TYPE_NAMES[kind] for kind in ProductType}
CHOICES = {
    "type": ("类型 Type", TYPES),
    "industry": ("行业 Industry", {code: f"{code} {name.partition('/')[2]}" for code, name in CODES.items()}),
    "grade": ("质量等级 Grade", {grade.value: grade.value for grade in QualityGrade}),
    "level": ("数据分级 Level", {level.value: level.value for level in Level if level is not Level.CORE}),
    "regime": ("价格机制 Price", {regime.value: regime.value for regime in PriceRegime}),
    "shown": ("范围 Scope", {"all": "含暂停和下架预告 with those not on offer"}),
}
"""The filters that are chosen from a list. Core data is never listed."""

METRIC_NAMES = {
    "availability": "可用性", "p50_ms": "响应延迟 p50", "p95_ms": "响应延迟 p95", "p99_ms": "响应延迟 p99",
    "accuracy": "准确率", "compliance": "合规通过率",
}  # fmt: skip
CHECK_NAMES = {
    f"{metric}/{source}": f"{METRIC_NAMES[metric]}（{who}）"
    for metric in ("accuracy", "compliance")
    for source, who in (("SELLER", "供方自检"), ("CONSUMER", "需方检查"), ("THIRD", "第三方检查"))
}


@router.get("/market")
def market_page(request: Request, session: ReadDep, now: NowDep, asked: AskedGoodsDep) -> HTMLResponse:
    found = shelf.search(session, asked.wanted, at=now, limit=PAGE_SIZE, before=asked.before)
    more = f"/market?{urlencode(asked.typed | {'after': found.next})}" if found.next else ""
    return page(
        request, "market", offers=found.offers, more=more, typed=asked.typed, choices=CHOICES, now=now,
        first="" if "after" not in request.query_params else f"/market?{urlencode(asked.typed)}",
        states=STATE_NAMES, types=TYPES, industries=CODES,
    )  # fmt: skip


@router.get("/market/{product}")
def product_page(request: Request, product: str, session: ReadDep, system: SystemDep, now: NowDep) -> HTMLResponse:
    shown = shelf.product(session, product, operator=system.settings.operator, at=now)
    return page(
        request, "product", shown=shown, now=now, states=STATE_NAMES, types=TYPES, industries=CODES,
        rights={right.value: name for right, name in RIGHT_NAMES.items()}, scores=QUALITY_NAMES, modes=MODE_NAMES,
        least=K, months=_months(now),
    )  # fmt: skip


@router.get("/market/{product}/service/{month}")
def service_page(
    request: Request, product: str, month: str, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    shown = shelf.product(session, product, operator=system.settings.operator, at=now)
    return page(
        request, "service", it=service_level.disclosure(session, product, month, at=now), shown=shown,
        metrics=METRIC_NAMES, checks=CHECK_NAMES, number=_number, least=LEAST_CONSUMERS,
    )  # fmt: skip


def _months(now: int) -> tuple[str, str]:
    """The month before this one, and this one, as they are called in Beijing."""
    today = day_of(now)
    return (today.replace(day=1) - ONE_DAY).strftime("%Y-%m"), today.strftime("%Y-%m")


def _number(shown: Published) -> str:
    return str(shown.n) if shown.n is not None else f"≥ {shown.at_least}（量级）"
