"""Costs gathered by element and month (成本按月归集, pricing §5.2), with subtotals of 前期费用 and 建设成本.

Indirect cost and subsidies stand beside them as memo; a month's counted cost is exactly the sum of its subtotals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearing.pricing.cost import ITEMS, CostItem, CostSums, collect
from clearing.pricing.errors import PricingRefused

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One element in one month (YYYY-MM), fen.

    preliminary + construction = data cost + model cost; the three memo figures count nowhere: 间接成本, 奖补, and
    direct items that were kept out.
    """

    element: str
    period: str
    preliminary_fen: int
    construction_fen: int
    data_cost_fen: int
    model_cost_fen: int
    indirect_memo_fen: int
    subsidy_memo_fen: int
    other_memo_fen: int


def collect_months(items: Mapping[str, Sequence[CostItem]]) -> tuple[MonthRow, ...]:
    """The rows of every element, by element and month; `items` are the voucher lines of each element.

    Raises what `cost.collect` raises, and INPUT_FORM for a period that is no month or a counted voucher that names two
    elements.
    """
    owners: dict[str, str] = {}
    rows: list[MonthRow] = []
    for element in sorted(items):
        lines = items[element]
        collect(lines)
        for position, item in enumerate(lines):
            where = f"items.{element}[{position}]"
            if not _MONTH.match(item.period):
                raise PricingRefused("INPUT_FORM", f"{where}.period", "YYYY-MM", item.period)
            if item.pool != "memo" and owners.setdefault(item.voucher, element) != element:
                expected = f"只归入一个元件 / one element: {owners[item.voucher]}"
                raise PricingRefused("INPUT_FORM", f"{where}.voucher", expected, item.voucher)
        for period in sorted({item.period for item in lines}):
            rows.append(_row(element, period, [item for item in lines if item.period == period]))
    return tuple(rows)


def _row(element: str, period: str, lines: Sequence[CostItem]) -> MonthRow:
    sums: CostSums = collect(lines)

    def of(group: str, counted: bool) -> int:
        return sum(
            item.amount_fen for item in lines if ITEMS[item.code][1] == group and (item.pool != "memo") == counted
        )

    return MonthRow(
        element,
        period,
        of("preliminary", True),
        of("construction", True),
        sums.data_cost_fen,
        sums.model_cost_fen,
        of("indirect", False),
        of("subsidy", False),
        of("preliminary", False) + of("construction", False),
    )
