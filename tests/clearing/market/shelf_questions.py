"""Products of many scripts and sorts on a shelf, and an answer to each question that uses no index."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from clearing.market.listing import Listing, Move, PriceRegime, ProductType
from clearing.market.product import DataField, Level, Mode, Quality, QualityGrade
from clearing.market.shelf.store import Wanted
from tests.clearing.market.house import DAY, NOW, PROVIDER, House, contents_of, listing_of

SYNTAX = (
    '"', '""', "'", "*", "数*", "(", ")", "AND", "OR", "NOT", "NEAR(数据)", "a AND b", "grams:数", "^数据", "-数据",
    "{数据}", "%", "_", "%数%", "\\", ";", "'; DROP TABLE market_line; --", "&", "|", "!", "<->", ":*", "数:*",
    "\ufeff", "\U0001f600", "  ", "\n", "t0api", "q0a", "i0g56", "p0gratis",
)  # fmt: skip
WORDS = (
    "航班", "延误", "数据", "据数", "取引", "𠮷野", "数", "x", "1", "航空数据", "航空 数据", "abc", "İSTANBUL",
    "出发机场", "mean_delay", "标签", "概述", "G56", "鹦鹉螺", "", *SYNTAX,
)  # fmt: skip
FILTERS: tuple[dict[str, object], ...] = (
    {}, {"type": ProductType.DATASET}, {"industry": "J66"}, {"grade": QualityGrade.B}, {"level": Level.IMPORTANT},
    {"regime": PriceRegime.GRATIS}, {"all_shown": True}, {"type": ProductType.API, "regime": PriceRegime.FREE_PRICING},
)  # fmt: skip
NAMES = (
    "2025年全国航空运输航班延误数据接口", "2024年杭州公交客流", "ＡＢＣ全角名称Ｄａｔａ", "Straße und İstanbul data",
    "数", "数据", "据数", "𠮷野家门店销售", "百分之100%_下划线", "AND OR NOT NEAR", "航空 空数 数据", "航空数据",
    "Café crème", "データ取引", "x", "１２３",
)  # fmt: skip


def made(number: int, name: str) -> Listing:
    """Listing number `number`: types, industries, grades, levels and regimes in turn."""
    kind = (ProductType.API, ProductType.DATASET)[number % 2]
    grade = (None, QualityGrade.A, QualityGrade.B)[number % 3]
    quality = Quality("演示方案 v1", PROVIDER, "2026-03-01", True, *([9_000] * 6), grade=grade) if grade else None
    delivery = listing_of().delivery
    return listing_of(
        product=f"{number:032x}", name=name, overview=f"概述{number}", type=kind,
        regime=PriceRegime.GRATIS if number % 5 == 0 else PriceRegime.FREE_PRICING, quality=quality,
        content=contents_of(
            industry=("G56", "J66")[number % 2], theme=f"主题{number % 3}", tags=(f"标签{number % 4}",),
            fields=(DataField("origin", "出发机场", "text"), DataField(f"f{number}", f"字段{name}"[:200], "text")),
        ),
        delivery=delivery if kind is ProductType.API else replace(delivery, modes=(Mode.PUSH,)),
    )  # fmt: skip


def fill(house: House) -> dict[str, tuple[Listing, bool]]:
    """Puts the products on the shelf, suspends every fourth and leaves one in review; answers (listing, on offer) by
    product in the order they were shelved."""
    shelved: dict[str, tuple[Listing, bool]] = {}
    for number, name in enumerate(NAMES):
        value = made(number, name)
        identity = f"{number + 100:032x}"
        house.submit(value, identity, NOW - DAY + number)
        house.approve(identity, NOW - DAY + number)
        if number % 4 == 3:
            house.review(identity, Move.SUSPEND, reason="演示")
        shelved[value.product] = (value, number % 4 != 3)
    house.submit(made(99, "在审的航班数据"), f"{999:032x}")
    return shelved


def words_of(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return re.findall(r"[^\W_]+", folded)


def answers(shelved: dict[str, tuple[Listing, bool]], wanted: Wanted) -> list[str]:
    """The products that answer, latest on the shelf first: one look at each one's own words."""
    asked = words_of(wanted.words)[:8]
    if wanted.words.strip() and not asked:
        return []
    return [key for key, (value, on_offer) in reversed(shelved.items())
            if (on_offer or wanted.all_shown) and _fits(value, wanted, asked)]  # fmt: skip


def _fits(value: Listing, wanted: Wanted, asked: list[str]) -> bool:
    content = value.content
    texts = [value.name, value.overview, content.theme, *content.tags]
    texts += [text for item in content.fields for text in (item.name, item.meaning)]
    runs = [run for text in texts for run in words_of(text)]
    grade = value.quality.grade if value.quality else None
    return (
        all(any(word in run for run in runs) for word in asked)
        and wanted.type in (None, value.type)
        and wanted.industry in ("", content.industry)
        and wanted.grade in (None, grade)
        and wanted.level in (None, value.security.level)
        and wanted.regime in (None, value.regime)
    )
