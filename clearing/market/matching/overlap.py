"""How much of what is wanted is there: of a text, of a time, of an area. Exact fractions in [0, 1]; None: unknown.

Texts are compared by pairs of neighbouring characters, folded as the search folds them; areas by the provinces that a
text names. Source: exchange.md §3.2 (the measures are ours, P).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from registry.search.grams import runs_of

DICTIONARY = "bigrams/1"
"""Name and version of the comparison of texts."""
AREAS = "provinces/1"
"""Name and version of the table of areas."""
MAINLAND = frozenset(
    {
        "北京", "天津", "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "上海", "江苏", "浙江",
        "安徽", "福建", "江西", "山东", "河南", "湖北", "湖南", "广东", "广西", "海南", "重庆",
        "四川", "贵州", "云南", "西藏", "陕西", "甘肃", "青海", "宁夏", "新疆",
    }
)  # fmt: skip
"""What 全国 covers, as national statistics count it (P)."""
PROVINCES = MAINLAND | {"香港", "澳门", "台湾"}
_WHOLE = frozenset({"全国", "中国", "全国范围"})
_ENDS = "(?:省|市|自治区|壮族自治区|回族自治区|维吾尔自治区|特别行政区)?"
_PROVINCE = re.compile(f"({'|'.join(sorted(PROVINCES, key=len, reverse=True))}){_ENDS}")
_BETWEEN = re.compile(r"[、，,；;\s]+")


def pairs_of(text: str) -> frozenset[str]:
    """The pairs of neighbours in a text; a run of one character is its own."""
    return frozenset(run[place : place + 2] for run in runs_of(text) for place in range(max(1, len(run) - 1)))


def share_of_text(wanted: str, there: str) -> Fraction | None:
    """The share of the wanted text's pairs that the other has; None if nothing is wanted."""
    pairs = pairs_of(wanted)
    return Fraction(len(pairs & pairs_of(there)), len(pairs)) if pairs else None


def share_of_fields(wanted: Iterable[str], there: Iterable[str]) -> Fraction | None:
    """The mean, over the wanted fields, of the best share any other text has of it; None if no field is wanted."""
    texts, found = tuple(there), []
    for field in wanted:
        if pairs_of(field):
            found.append(max((share_of_text(field, text) or Fraction(0) for text in texts), default=Fraction(0)))
    return sum(found, Fraction(0)) / len(found) if found else None


def share_of_days(wanted: tuple[date, date], there: tuple[date, date]) -> Fraction:
    """The share of the wanted days, both ends counted, that the other period has."""
    needed = (wanted[1] - wanted[0]).days + 1
    common = (min(wanted[1], there[1]) - max(wanted[0], there[0])).days + 1
    return Fraction(max(0, common), needed)


def areas_of(text: str) -> frozenset[str] | None:
    """The provinces a text names; None unless every piece of it names one, or the whole country."""
    found: set[str] = set()
    for piece in filter(None, _BETWEEN.split(text)):
        province = _PROVINCE.fullmatch(piece)
        if piece in _WHOLE:
            found |= MAINLAND
        elif province is None:
            return None
        else:
            found.add(province[1])
    return frozenset(found) or None


def share_of_area(wanted: str, there: str) -> Fraction | None:
    """The share of the wanted provinces that the other text names; the same text covers itself; else None."""
    if wanted.strip() == there.strip():
        return Fraction(1)
    needed, found = areas_of(wanted), areas_of(there)
    if needed is None or found is None:
        return None
    return Fraction(len(needed & found), len(needed))
