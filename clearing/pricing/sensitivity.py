"""How the price moves when one input moves (pricing §11): ten percent down and up, same code, rounding and cap."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from clearing.pricing.arithmetic import MAX_INTEGER, ONE, exact
from clearing.pricing.element_price import ADJUSTMENTS, Figures, evaluate
from clearing.pricing.errors import PricingRefused
from clearing.pricing.price_case import Case, final_fen, shown_price
from clearing.pricing.quality import DIMENSIONS

_UP, _DOWN = (11, 10), (9, 10)


@exact
def sensitivity(case: Case, base_fen: int) -> list[dict[str, Any]]:
    """One input at a time, 10 % down and up, clipped to its range; same code, same rounding, same cap."""
    rows = []
    for name, change, figures in _variations(case):
        row: dict[str, Any] = {"input": name, "change": change}
        try:
            fen = final_fen(case, shown_price(case, evaluate(case.method, figures)))[1]
        except PricingRefused as refused:
            row["refused"] = refused.code
        else:
            row |= {"price_fen": fen, "change_fen": fen - base_fen}
        rows.append(row)
    return rows


def _variations(case: Case) -> list[tuple[str, str, Figures]]:
    return [
        (name, label, figures)
        for label, times in (("-10%", _DOWN), ("+10%", _UP))
        for name, figures in _varied(case, times)
    ]


def _varied(case: Case, times: tuple[int, int]) -> list[tuple[str, Figures]]:
    base, method = case.figures, case.method

    def whole(value: int) -> int:
        return min(MAX_INTEGER, value * times[0] // times[1])

    def part(value: Decimal, high: Decimal | None = ONE) -> Decimal:
        changed = value * times[0] / times[1]
        return changed if high is None else min(high, changed)

    volume = replace(base, volume=whole(base.volume))
    if method.market:
        scale = method.functions["scale"](volume.volume, method.scale_increment)
        volume = replace(volume, positions=(*base.positions[:2], scale, base.positions[3]))
    found = [("volume", volume)]
    for index, (name, score) in enumerate(zip(DIMENSIONS, case.evaluation.scores, strict=True)):
        if score is not None:
            changed = part(score.value)
            moved = replace(base, scores=(*base.scores[:index], changed, *base.scores[index + 1 :]))
            if method.market and name == "completeness":
                x_completeness = method.functions["completeness"](changed)
                moved = replace(moved, positions=(*base.positions[:3], x_completeness))
            found.append((f"score.{name}", moved))
    found += [
        ("entropy", replace(base, entropy=part(base.entropy, base.maximum))),
        ("unit_value", replace(base, unit_value_fen=whole(base.unit_value_fen))),
        ("data_cost", replace(base, data_cost_fen=whole(base.data_cost_fen))),
        ("model_cost", replace(base, model_cost_fen=whole(base.model_cost_fen))),
        ("expected_return", replace(base, expected_return=part(base.expected_return))),
        ("joint_share", replace(base, joint_share=part(base.joint_share))),
    ]
    if method.market:
        found.append(("history_weight", replace(base, history_weight=part(base.history_weight))))
        if base.history_fen is not None:
            found.append(("history_price", replace(base, history_fen=whole(base.history_fen))))
        for index, (adjustment, position) in enumerate(zip(ADJUSTMENTS, base.positions, strict=True)):
            if position is not None:
                positions = (*base.positions[:index], part(position), *base.positions[index + 1 :])
                found.append((f"x.{adjustment}", replace(base, positions=positions)))
        found.append(("market_factor", replace(base, market_factor=part(base.market_factor, None))))
    return found
