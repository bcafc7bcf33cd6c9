"""Questions for the register and an answer to them that uses no index: one look at every certificate's own words."""

from __future__ import annotations

import re
import unicodedata

from registry.asset import AssetKind
from registry.calendar import day_of
from registry.certificate import Record, RegisterEntry, Status
from registry.party import PartyKind
from registry.rights import Right
from registry.search.store import Wanted
from tests.registry.search.register_world import Register

SYNTAX = (
    '"', '""', "'", "*", "数*", "(", ")", "AND", "OR", "NOT", "NEAR(数据)", "a AND b", "数据 AND", "grams:数", "^数据",
    "-数据", "数据)", "{数据}", "%", "_", "%数%", "\\", ";", "'; DROP TABLE register_line; --", "&", "|", "!", "<->",
    ":*", "数:*", "\x00", "\ufeff", "\U0001f600", "  ", "\n", "k0resource", "r0use", "a0" + "9" * 18,
)  # fmt: skip
"""What an index or a pattern might take for its own."""


def words_of(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return re.findall(r"[^\W_]+", folded)


def answers(register: Register, wanted: Wanted, at: int) -> list[str]:
    """The codes that answer a question, newest deposit first."""
    asked = words_of(wanted.words)[:8]
    if wanted.words.strip() and not asked:
        return []
    found = [
        (entry.deposited_at, entry.code)
        for entry, record in register.entries.values()
        if not record.publicity_waived and _fits(entry, record, wanted, asked, at)
    ]
    return [code for _, code in sorted(found, reverse=True)]


def _fits(entry: RegisterEntry, record: Record, wanted: Wanted, asked: list[str], at: int) -> bool:
    data = record.description
    names = [item.name for item in record.holders if item.kind is not PartyKind.NATURAL]
    fields = [entry.code, data.data_name, data.overview, *names, entry.agency_name, data.industry]
    runs = [run for text in fields for run in words_of(text)]
    status = Status.VALID if day_of(at).isoformat() <= entry.last_day else Status.LAPSED
    return (
        all(any(word in run for run in runs) for word in asked)
        and wanted.kind in (None, data.kind)
        and wanted.agency in ("", record.agency)
        and (wanted.right is None or wanted.right in {row.right for row in record.rights})
        and wanted.status in (None, status)
        and (wanted.since is None or entry.deposited_at >= wanted.since)
        and (wanted.until is None or entry.deposited_at < wanted.until)
    )


def fill(register: Register, *, waived: bool) -> None:
    """A few dozen certificates of many scripts and sorts; with `waived`, some more without publicity between them."""
    names = (
        "2013年全国民航运输航班起降记录数据集", "2024年杭州市公交客流统计数据", "2024年宁波港口货物吞吐量",
        "ＡＢＣ全角名称Ｄａｔａ", "Straße und İstanbul data", "数", "数据", "据数", "𠮷野家门店销售数据",
        "百分之100%_下划线", "a*b(c)\"d'e",
        "AND OR NOT NEAR", "航空 空数 数据", "航空数据", "Café crème", "データ取引", "데이터 거래", "x", "12", "１２３",
    )  # fmt: skip
    start = 1_785_718_800
    for number, name in enumerate(names):
        register.put(
            name, f"概述{number}，用于分析", f"某某{number}号公司", kind=list(AssetKind)[number % 3],
            rights=tuple(Right)[: number % 3 + 1], at=start + number * 86_400 * 20, years=number % 5 + 1,
        )  # fmt: skip
        if waived and number % 3 == 0:
            register.put(
                f"秘密航班{number}", "秘密概述琥珀", "秘密公司", waived=True, kind=list(AssetKind)[number % 3],
                at=start + number * 86_400 * 20 + 5, industry="秘密行业", code=f"SJ441202701{number + 1:04d}",
            )  # fmt: skip
        elif number % 3 == 0:
            register.serial += 1
    register.put("自然人的数据", "概述", "张某某", holder_kind=PartyKind.NATURAL, at=start + 86_400 * 500)
