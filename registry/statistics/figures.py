"""A figure of the public statistics: lines by scheme, with what was counted, under which rule, as of when."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from registry.calendar import text_of

RULE = "statistics/1"
"""The version of the counting rules below; it changes with any of them."""

PUBLISHED = "已公示的登记，每次登记计一次（转让、变更、续期各计） / published registrations, each registration once"
ENTRIES = "全部登记，每次登记计一次 / all registrations, each once"
CERTIFICATES = "全部凭证，按当前版本计 / all certificates, by their newest version"


class Dimension(StrEnum):
    """What registrations are counted by."""

    TYPE = "type"
    MONTH = "month"
    KIND = "kind"
    SOURCE = "source"
    RIGHT = "right"
    PUBLICITY = "publicity"
    STATUS = "status"


TITLES: Mapping[Dimension, str] = {
    Dimension.TYPE: "登记类型 / by type of registration",
    Dimension.MONTH: "存证月份（北京时间） / by month of deposit (Beijing time)",
    Dimension.KIND: "数据类型 / by kind of data",
    Dimension.SOURCE: "数据来源 / by source",
    Dimension.RIGHT: "权利类型（含数项权利的各计一次） / by right (one of several rights counts in each)",
    Dimension.PUBLICITY: "公示或经申请不公示 / published, or publicity waived",
    Dimension.STATUS: "凭证状态 / by status",
}
SCOPES: Mapping[Dimension, str] = dict.fromkeys(Dimension, PUBLISHED) | {
    Dimension.PUBLICITY: ENTRIES,
    Dimension.STATUS: CERTIFICATES,
}


@dataclass(frozen=True, slots=True)
class Line:
    """`count` of one value of the dimension, under one scheme."""

    scheme: str
    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Figure:
    """The counts of one dimension as of an instant (seconds UTC); `rule` is the version they were counted under."""

    dimension: Dimension
    title: str
    scope: str
    rule: str
    as_of: int
    lines: tuple[Line, ...]


def figure(dimension: Dimension, as_of: int, lines: Sequence[Line]) -> Figure:
    """The figure with its words; lines of nothing are left out, the rest sorted by scheme and value."""
    kept = sorted((line for line in lines if line.count), key=lambda line: (line.scheme, line.value))
    return Figure(dimension, TITLES[dimension], SCOPES[dimension], RULE, as_of, tuple(kept))


def csv_of(figures: Sequence[Figure]) -> bytes:
    """All figures as one table, UTF-8 with the mark that spreadsheets want; every row says what it counts."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["统计项", "分类", "数量", "登记规则", "统计范围", "统计规则", "截至"])
    for item in figures:
        for line in item.lines:
            row = [item.dimension.value, line.value, line.count, line.scheme, item.scope, item.rule]
            writer.writerow([*row, text_of(item.as_of)])
    return text.getvalue().encode("utf-8-sig")
