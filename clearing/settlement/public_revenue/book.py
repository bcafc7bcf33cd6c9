"""台账: every due from its assessment to its purposes, and what was given back; as rows with sums, and as XLSX.

A pure renderer of standings. Sums are made of the rows and compared: money paid is what was ticketed, ticketed money is
what its lines say. Every cell is text, so nothing a party typed becomes a formula. Source: domain clearing §1 row 11,
§6, §12 invariant 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from clearing import money
from clearing.errors import BadMoney
from clearing.settlement.public_revenue.path import STATE_NAMES, State
from clearing.settlement.public_revenue.standing import Issued, Standing
from clearing.settlement.workbook import text_book


@dataclass(frozen=True, slots=True)
class DueRow:
    """One due; amounts fen, what has not happened yet is "" or 0."""

    due: str
    authority: str
    payer: str
    treasury: str
    item: str
    name: str
    period: str
    fen: int
    notice: str
    account_kind: str
    account: str
    bank_reference: str
    booked_on: str
    paid: int
    tickets: int
    ticketed: int
    allocated: int
    refunded: int
    state: str


@dataclass(frozen=True, slots=True)
class PurposeRow:
    """One purpose of one ticket: `allocated` less `taken_back` is `net`, fen (`taken_back` may be a −1 fen carry)."""

    due: str
    ticket: str
    issued_on: str
    ticket_fen: int
    plan: str
    version: int
    purpose: str
    budget_class: str
    approval: str
    allocated: int
    taken_back: int
    net: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all rows, fen. `due` leaves out what was withdrawn."""

    due: int
    paid: int
    ticketed: int
    allocated: int
    refunded: int
    net: int


@dataclass(frozen=True, slots=True)
class Book:
    """The 台账 of some dues."""

    dues: tuple[DueRow, ...]
    purposes: tuple[PurposeRow, ...]
    sums: Sums


DUE_NAMES = (
    "应缴编号", "执收单位", "缴款人", "财政", "收费项目编码", "收费项目", "所属期", "应缴金额(元)", "缴款码",
    "收款账户类型", "收款账号", "银行流水号", "到账日期", "到账金额(元)", "票据张数", "开票金额(元)", "已清分(元)",
    "已退付(元)", "状态",
)  # fmt: skip
PURPOSE_NAMES = (
    "应缴编号", "财政电子票据号", "开票日期", "票据金额(元)", "清分方案", "版本", "用途", "预算科目", "批准文件摘要",
    "清分金额(元)", "退付冲回(元)", "净额(元)",
)  # fmt: skip
_COUNTS = {"tickets", "version"}
"""Integers that are no amounts."""
_ACCOUNTS = {"fiscal": "财政专户", "treasury": "国库"}
_WIDTH = 22


def book_of(standings: Sequence[Standing]) -> Book:
    """The book of these dues, in their order.

    Raises BadMoney where tickets exceed what was paid, or lines are not what was ticketed less what was given back.
    """
    dues = tuple(_due(standing) for standing in standings)
    purposes = tuple(
        row for standing in standings for issued in standing.tickets for row in _purposes(standing, issued)
    )
    for row in dues:
        own = [item for item in purposes if item.due == row.due]
        allocated, net = sum(item.allocated for item in own), sum(item.net for item in own)
        complete = row.ticketed == row.paid or row.state == STATE_NAMES[State.PAID]
        if row.ticketed > row.paid or not complete:
            raise BadMoney(f"{row.due}.tickets", str(row.paid), row.ticketed)
        if allocated != row.allocated or net != row.allocated - row.refunded:
            raise BadMoney(f"{row.due}.lines", f"{row.allocated} − {row.refunded}", net)
    withdrawn = STATE_NAMES[State.WITHDRAWN]
    sums = Sums(
        due=sum(row.fen for row in dues if row.state != withdrawn),
        paid=sum(row.paid for row in dues),
        ticketed=sum(row.ticketed for row in dues),
        allocated=sum(row.allocated for row in dues),
        refunded=sum(row.refunded for row in dues),
        net=sum(row.net for row in purposes),
    )
    return Book(dues, purposes, sums)


def book_xlsx(book: Book, *, as_of: str) -> bytes:
    """The workbook: sheets 台账 and 用途清分, with sums and the moment they stand for in each last row."""
    sums = book.sums
    dues = _total(DueRow, len(book.dues), as_of, fen=sums.due, paid=sums.paid, ticketed=sums.ticketed,
                  allocated=sums.allocated, refunded=sums.refunded)  # fmt: skip
    purposes = _total(PurposeRow, len(book.purposes), as_of, allocated=sums.allocated,
                      taken_back=sums.allocated - sums.net, net=sums.net)  # fmt: skip
    return text_book(
        {
            "台账": [DUE_NAMES, *(_cells(row) for row in book.dues), dues],
            "用途清分": [PURPOSE_NAMES, *(_cells(row) for row in book.purposes), purposes],
        },
        [_WIDTH] * len(DUE_NAMES),
    )


def _due(standing: Standing) -> DueRow:
    due, notice, payment = standing.due, standing.notice, standing.payment
    return DueRow(
        due=standing.id, authority=due.authority, payer=due.payer, treasury=due.treasury, item=due.item, name=due.name,
        period=due.period, fen=due.fen,
        notice=notice.code if notice else "",
        account_kind=_ACCOUNTS[notice.to.kind.value] if notice else "",
        account=notice.to.account.number if notice else "",
        bank_reference=payment.reference if payment else "",
        booked_on=payment.booked_on if payment else "",
        paid=standing.paid, tickets=len(standing.tickets), ticketed=standing.ticketed, allocated=standing.allocated,
        refunded=standing.refunded, state=STATE_NAMES[standing.state],
    )  # fmt: skip


def _purposes(standing: Standing, issued: Issued) -> list[PurposeRow]:
    divided, ticket = issued.allocation, issued.ticket
    rows = []
    for line in divided.lines if divided else ():
        net = issued.net_of(line.code)
        rows.append(
            PurposeRow(
                due=standing.id, ticket=str(ticket.ticket), issued_on=ticket.issued_on, ticket_fen=ticket.fen,
                plan=divided.plan if divided else "", version=divided.version if divided else 0, purpose=line.code,
                budget_class=line.budget_class, approval=line.approval.sha256, allocated=line.amount,
                taken_back=line.amount - net, net=net,
            )
        )  # fmt: skip
    return rows


def _cells(row: DueRow | PurposeRow) -> list[str]:
    cells = []
    for field in fields(row):
        value = getattr(row, field.name)
        plain = isinstance(value, str) or field.name in _COUNTS
        cells.append(str(value) if plain else money.yuan(value))
    return cells


def _total(type_: type[DueRow] | type[PurposeRow], count: int, as_of: str, **sums: int) -> list[str]:
    last = [money.yuan(sums[field.name]) if field.name in sums else "" for field in fields(type_)]
    last[:2] = [f"合计 {count} 项", f"截至 {as_of}"]
    return last
