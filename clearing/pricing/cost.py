"""Which vouchers carry cost into an element (成本归集, pricing §5.2). Indirect cost and subsidies are memo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clearing.pricing.arithmetic import integer
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Fen

Pool = Literal["data", "model", "memo"]

# code → (Chinese name, group)
ITEMS: dict[str, tuple[str, str]] = {
    "planning": ("数据规划", "preliminary"),
    "collection_active": ("数据采集（主动获取）", "preliminary"),
    "collection_passive": ("数据采集（被动获取）", "preliminary"),
    "aggregation": ("数据汇聚", "preliminary"),
    "storage": ("数据存储", "construction"),
    "development": ("数据开发", "construction"),
    "application": ("数据应用", "construction"),
    "maintenance": ("数据维护", "construction"),
    "hardware_software": ("软硬件成本", "indirect"),
    "infrastructure": ("基础设施成本", "indirect"),
    "administration": ("公共管理成本", "indirect"),
    "subsidy": ("奖补", "subsidy"),
}


@dataclass(frozen=True, slots=True)
class CostItem:
    """One voucher line: amount in fen, accounting period, whether the voucher names this asset, and its digest."""

    code: str
    pool: Pool
    amount_fen: Fen
    period: str
    attribution: Literal["direct", "shared"]
    voucher: str


@dataclass(frozen=True, slots=True)
class CostSums:
    """Fen: what enters Cy as data cost and model cost, and what is kept as memo."""

    data_cost_fen: int
    model_cost_fen: int
    memo_fen: int


def collect(items: Sequence[CostItem]) -> CostSums:
    """Sums the pools. Each voucher stands in one pool only.

    Raises INDIRECT_COST when an indirect item or a voucher that does not name the asset sits in a counted pool,
    INPUT_FORM for an unknown code, a negative amount, a subsidy that is counted or a voucher in two pools.
    """
    sums = {"data": 0, "model": 0, "memo": 0}
    pools: dict[str, str] = {}
    for position, item in enumerate(items):
        where = f"costs[{position}]"
        if item.code not in ITEMS:
            raise PricingRefused("INPUT_FORM", f"{where}.code", " | ".join(ITEMS), item.code)
        group = ITEMS[item.code][1]
        if item.pool != "memo" and (group == "indirect" or item.attribution != "direct"):
            raise PricingRefused(
                "INDIRECT_COST", f"{where}.pool", "memo", f"{item.code} / {item.attribution} / {item.pool}"
            )
        if item.pool != "memo" and group == "subsidy":
            raise PricingRefused("INPUT_FORM", f"{where}.pool", "memo", item.pool)
        if item.pool == "model" and group != "construction":
            raise PricingRefused("INPUT_FORM", f"{where}.pool", "data | memo", item.pool)
        if pools.setdefault(item.voucher, item.pool) != item.pool:
            raise PricingRefused(
                "INPUT_FORM", f"{where}.voucher", "一张凭证归入一处 / one pool per voucher", item.voucher
            )
        sums[item.pool] += integer(item.amount_fen, f"{where}.amount_fen")
    return CostSums(sums["data"], sums["model"], sums["memo"])
