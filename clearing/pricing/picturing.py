"""Pictures of a report: rows of labelled numbers for a page to draw, all of them out of the report's own document.

Every number is plain decimal text with its digits; money in yuan. A picture says nothing that the chapters of `telling`
do not say in a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from clearing.money import yuan
from clearing.pricing import information
from clearing.pricing.arithmetic import exact, recorded
from clearing.pricing.manifest import Counted
from clearing.pricing.policy import Policy, threshold_of
from clearing.pricing.quality import NOT_ASSESSED
from clearing.pricing.telling import input_name, plain

MOST_BARS = 40
"""Columns drawn, those of the highest entropy; the table lists all."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series: what it is called and its numbers, "" where there is none."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn: `form` of the drawing, unit, labels, and series as long as the labels."""

    id: str
    title: str
    form: Literal["radar", "bars", "tornado"]
    unit: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


def scores(document: Sequence[Mapping[str, Any]]) -> Picture:
    """The six quality scores, as `quality.scores_document` lists them."""
    found = tuple("" if item["score"] == NOT_ASSESSED else plain(item["score"]) for item in document)
    labels = tuple(f"{item['name']}（{NOT_ASSESSED}）" if item["score"] == NOT_ASSESSED else item["name"]
                   for item in document)  # fmt: skip
    return Picture("quality", "质量六维得分", "radar", "", labels, (Series("得分", found),))


@exact
def density(counted: Counted, policy: Policy) -> Picture:
    """Entropy of every column that takes part, against its maximum, before there is a price. Raises
    `PricingRefused`."""
    admitted = information.admit(counted.columns, threshold_of(policy)).admitted
    measured = information.measure(admitted, policy.constants.nulls)
    return _density([(item.name, recorded(item.entropy), recorded(item.maximum)) for item in measured])


@exact
def pictures(report: Mapping[str, Any]) -> tuple[Picture, ...]:
    """Quality, entropy, the steps from value and cost to the price, and sensitivity. `report` is a document that
    `price_report.build` made."""
    values = report["intermediate"]
    return (
        scores(values["scores"]),
        _density([(item["name"], item["E"], item["L"]) for item in values["columns"]]),
        _chain({"": report}),
        *_tornado(report["sensitivity"]),
    )


@exact
def compared(reports: Mapping[str, Mapping[str, Any]]) -> Picture:
    """The steps to the price of several reports side by side, each under its name."""
    return _chain(reports)


def _density(columns: Sequence[tuple[str, str, str]]) -> Picture:
    shown = sorted(columns, key=lambda item: Decimal(item[1]), reverse=True)[:MOST_BARS]
    title = "各列信息熵" if len(shown) == len(columns) else f"各列信息熵（熵最高的 {MOST_BARS} 列）"
    return Picture(
        "density", title, "bars", "比特", tuple(name for name, _, _ in shown),
        (Series("信息熵 E", tuple(plain(item) for _, item, _ in shown)),
         Series("上限 L", tuple(plain(item) for _, _, item in shown))),
    )  # fmt: skip


_STEPS = (("信息价值 u·I", "value_fen"), ("元件成本 Cy", "Cy"), ("综合 g", "g"), ("协议指导价 P1", "P1"),
          ("市场评估价 P''", "assessment"), ("竞价指导价 P2", "P2"))  # fmt: skip


def _chain(reports: Mapping[str, Mapping[str, Any]]) -> Picture:
    present = [(label, key) for label, key in _STEPS if any(key in item["intermediate"] for item in reports.values())]
    series = tuple(
        Series(name or "金额", tuple(_yuan(item["intermediate"].get(key, "")) for _, key in present))
        for name, item in reports.items()
    )
    return Picture("chain", "由价值与成本到价格", "bars", "元", tuple(label for label, _ in present), series)


def _tornado(rows: Sequence[Mapping[str, Any]]) -> tuple[Picture, ...]:
    moved: dict[str, dict[str, int]] = {}
    for row in rows:
        if "change_fen" in row:
            moved.setdefault(row["input"], {})[row["change"]] = row["change_fen"]
    order = sorted(moved, key=lambda name: max(abs(fen) for fen in moved[name].values()), reverse=True)
    if not order:
        return ()
    series = tuple(
        Series(label, tuple(yuan(moved[name][change]) if change in moved[name] else "" for name in order))
        for label, change in (("下调 10%", "-10%"), ("上调 10%", "+10%"))
    )
    labels = tuple(input_name(name) for name in order)
    return (Picture("sensitivity", "一次变一项，价格变动", "tornado", "元", labels, series),)


def _yuan(fen: str) -> str:
    return plain(format(Decimal(fen) / 100, "f")) if fen else ""
