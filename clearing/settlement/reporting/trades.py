"""交易记录报告: one row per deal and period, from charges and shares; every report names its as-of time and scope.

Source: domain clearing §11 (《数据要素专业能力服务操作指南》 4.3, 5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearing.settlement.cycle import State
from clearing.settlement.rating import Charge


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal of a period: 供需双方, 交易金额 (fen, gross = net + tax), quantity and the settlement state."""

    agreement: str
    revision: int
    buyer: str
    sellers: tuple[str, ...]
    period: str
    unit: str
    quantity: int
    gross: int
    net: int
    tax: int
    invoiced: bool
    state: State


@dataclass(frozen=True, slots=True)
class TradeReport:
    """The rows with their scope: `as_of` seconds UTC, `definition` the version of the rules they are made by."""

    definition: str
    operator: str
    period: str
    as_of: int
    deals: tuple[Deal, ...]
    gross: int


def trade_report(
    operator: str,
    period: str,
    state: State,
    charges: Sequence[tuple[Charge, Sequence[tuple[str, str, int]], str | None]],
    as_of: int,
) -> TradeReport:
    """The report over the charges of one period, each with its shares (party, role, fen) and invoice id or None."""
    deals = tuple(
        Deal(
            agreement=charge.agreement,
            revision=charge.revision,
            buyer=charge.buyer,
            sellers=tuple(sorted(party for party, _, _ in shares)),
            period=charge.period,
            unit=charge.unit,
            quantity=charge.quantity,
            gross=charge.gross,
            net=charge.net,
            tax=charge.tax,
            invoiced=invoice is not None,
            state=state,
        )
        for charge, shares, invoice in charges
    )
    return TradeReport("trade-report/v1", operator, period, as_of, deals, sum(deal.gross for deal in deals))
