"""What is stated about non-tax revenue, and who signs which kind.

Subjects: "non-tax:⟨due⟩" for everything about one due, "allocation-plan:⟨plan⟩" for a plan of purposes and its
versions; both ids are 32 hex. Every body about a due names its four parties, so each fact says whom it concerns:
执收单位 (assesses, allocates, decides refunds), 缴款人, 财政 (its treasury: where the money is), 开票单位 (which may be
the 执收单位). What is divided is signed by two persons of the 执收单位. Source: domain clearing §1, §6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.settlement.netting.eligibility import Proceeds
from clearing.settlement.public_revenue.allocation import Hex32, Line, Purposes
from clearing.settlement.public_revenue.path import Move
from clearing.settlement.public_revenue.proceeds import Collecting, Paper
from clearing.terms import MAX_FEN, NON_TAX_ROLES, Fen, Hex64, Positive, Short
from ledger.facts import Statement
from ledger.reading import read
from registry.asset import Day, Twin
from registry.party import check_identity, party_subject

ALLOCATION_PLAN = "allocation-plan/v1"
NON_TAX_DUE = "non-tax-due/v1"
NON_TAX_WITHDRAWAL = "non-tax-withdrawal/v1"
NON_TAX_NOTICE = "non-tax-notice/v1"
NON_TAX_PAYMENT = "non-tax-payment/v1"
FISCAL_TICKET = "fiscal-ticket/v1"
PURPOSE_ALLOCATION = "purpose-allocation/v1"
NON_TAX_REFUND = "non-tax-refund/v1"
NON_TAX_REFUND_PAID = "non-tax-refund-paid/v1"

MAKER, CHECKER = "allocation_maker", "allocation_checker"
"""The two persons of the 执收单位 who answer for a plan, an allocation, a refund."""
AUTHORITY, TREASURY, ISSUER = NON_TAX_ROLES["authority"], NON_TAX_ROLES["treasury"], NON_TAX_ROLES["issuer"]
"""Roles on record that the three public parties must have when a due is assessed."""

Amount = Annotated[int, Meta(ge=1, le=MAX_FEN)]
"""Fen, at least 1."""
ItemCode = Annotated[str, Meta(pattern=r"^[0-9]{2,20}\Z")]
Reference = Annotated[str, Meta(pattern=r"^[0-9A-Za-z/-]{1,64}\Z")]
MonthName = Annotated[str, Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])\Z")]
NoticeCode = Annotated[str, Meta(pattern=r"^[0-9]{8,32}\Z")]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class Stated:
    """What every body about a due says: its four parties by 统一社会信用代码 (a payer may be a natural person)."""

    authority: str
    payer: str
    treasury: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Body of allocation-plan/v1: what money is for, version 1, 2, …; each version is a rounding lineage of its own."""

    authority: str
    version: Positive
    purposes: Purposes


@dataclass(frozen=True, slots=True)
class Due(Stated):
    """Body of non-tax-due/v1, 应缴核定: `fen` for one 收费项目 and month, all of it non-tax.

    `basis` is the document it was assessed by, which serves once. `origin` is the fact the amount follows from, where
    one is on record; an amount that was charged and shared is taxable and cannot be assessed again.
    """

    proceeds_kind: Proceeds
    item: ItemCode
    name: Short
    period: MonthName
    fen: Amount
    basis: Twin
    origin: Hex64 | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal(Stated):
    """Body of non-tax-withdrawal/v1, 撤销核定: before any payment; another due replaces it if one is owed."""

    reason: Reason
    document: Twin


@dataclass(frozen=True, slots=True)
class Notice(Stated):
    """Body of non-tax-notice/v1, 缴款通知: 缴款码, the whole amount, the account of the treasury, the last day."""

    code: NoticeCode
    fen: Amount
    to: Collecting
    due_on: Day


class Source(StrEnum):
    """Who says that the money has arrived."""

    BANK = "bank"  # the payer, by its own bank's entry
    TREASURY = "treasury"  # the treasury


@dataclass(frozen=True, slots=True)
class Payment(Stated):
    """Body of non-tax-payment/v1, 缴款到账: the whole amount on the account of the notice, by one bank entry.

    `bank` is the 12-digit 联行号 of the bank whose entry `reference` is; `evidence` the digest of what shows it.
    """

    source: Source
    code: NoticeCode
    fen: Amount
    account: Annotated[str, Meta(pattern=r"^[0-9]{1,32}\Z")]
    bank: Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
    reference: Reference
    booked_on: Day
    evidence: Twin


@dataclass(frozen=True, slots=True)
class TicketKey:
    """票据代码 and 票据号码 of a 财政电子票据: together they name one ticket in the country."""

    code: Annotated[str, Meta(pattern=r"^[0-9]{8}\Z")]
    number: Annotated[str, Meta(pattern=r"^[0-9]{10}\Z")]

    def __str__(self) -> str:
        return f"{self.code}-{self.number}"


@dataclass(frozen=True, slots=True)
class Ticket(Stated):
    """Body of fiscal-ticket/v1 by the 开票单位: its number, 校验码, amount and day. It has no tax, net or rate."""

    paper: Paper
    ticket: TicketKey
    check: Annotated[str, Meta(pattern=r"^[0-9a-zA-Z]{6}\Z")]
    fen: Amount
    issued_on: Day


@dataclass(frozen=True, slots=True)
class Divided(Stated):
    """`ticket` divided under a plan version whose lineage had `before` fen; `lines` follow from these."""

    ticket: TicketKey
    plan: Hex32
    version: Positive
    before: Fen
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Allocation(Divided):
    """Body of purpose-allocation/v1, 用途清分: the whole of one ticket."""


@dataclass(frozen=True, slots=True)
class Refund(Divided):
    """Body of non-tax-refund/v1, 退付: `fen` of a ticket go back to the payer; its lines are taken back."""

    fen: Amount
    reason: Reason
    document: Twin


@dataclass(frozen=True, slots=True)
class RefundPaid(Stated):
    """Body of non-tax-refund-paid/v1 by the treasury: the decided refund (its fact id) was booked."""

    refund: Hex64
    fen: Amount
    bank: Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
    reference: Reference
    booked_on: Day
    evidence: Twin


TWO = "two"
"""Signed by MAKER and CHECKER of the body's authority, two persons."""
KINDS: dict[str, tuple[type[Any], Move | None, str]] = {
    ALLOCATION_PLAN: (Plan, None, TWO),
    NON_TAX_DUE: (Due, Move.ASSESS, "authority"),
    NON_TAX_WITHDRAWAL: (Withdrawal, Move.WITHDRAW, "authority"),
    NON_TAX_NOTICE: (Notice, Move.NOTIFY, "authority"),
    NON_TAX_PAYMENT: (Payment, Move.PAY, "source"),
    FISCAL_TICKET: (Ticket, Move.TICKET, "issuer"),
    PURPOSE_ALLOCATION: (Allocation, Move.ALLOCATE, TWO),
    NON_TAX_REFUND: (Refund, Move.REFUND, TWO),
    NON_TAX_REFUND_PAID: (RefundPaid, Move.PAY_BACK, "treasury"),
}
"""Kind → its body, the move it is, and who signs: a party the body names, the party its source is, or two persons."""
MOVE_OF: dict[type[Any], Move] = {body: move for body, move, _ in KINDS.values() if move}


def due_subject(due: str) -> str:
    """The subject of everything about one due."""
    return f"non-tax:{due}"


def plan_subject(plan: str) -> str:
    """The subject of a plan's versions."""
    return f"allocation-plan:{plan}"


def id_of(subject: str) -> str:
    """The part of a subject after its type."""
    return subject.partition(":")[2]


def body_in(statement: Statement) -> Any:
    """The body a statement carries, complete and about a subject of its type. Raises `FieldError`, `BadTerms`."""
    if statement.kind not in KINDS:
        raise BadTerms("statement.kind", " | ".join(KINDS), statement.kind)
    type_, move, _ = KINDS[statement.kind]
    body = read(type_, statement.body)
    own = id_of(statement.subject)
    subject = due_subject(own) if move else plan_subject(own)
    if statement.subject != subject or len(own) != 32 or own.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", subject.partition(":")[0] + ":<32 hex>", statement.subject[:120])
    if statement.parts is not None:
        raise BadTerms("statement.parts", "没有分项 / no parts", "parts")
    if move and (statement.no == 0) != (move is Move.ASSESS):
        raise BadTerms("statement.no", "0" if move is Move.ASSESS else "> 0", statement.no)
    if isinstance(body, Plan) and statement.no + 1 != body.version:
        raise BadTerms("body.version", str(statement.no + 1), body.version)
    return body


def signer_of(kind: str, body: Any) -> str | None:
    """The one signer's name a statement of this kind must carry; None: two persons of the authority."""
    who = KINDS[kind][2]
    if who == TWO:
        return None
    if who == "source":
        who = "payer" if body.source is Source.BANK else "treasury"
    return party_subject(getattr(body, who))


def check_parties(body: Stated) -> None:
    """Raises `FieldError`, or BadTerms unless payer, treasury and 执收单位 are three (收缴分离): nobody pays itself."""
    for name in ("authority", "payer", "treasury", "issuer"):
        check_identity(getattr(body, name), f"body.{name}")
    if len({body.authority, body.payer, body.treasury}) != 3 or body.issuer == body.payer:
        expected = (
            "执收单位、缴款人、财政各不相同，缴款人不开票 / authority, payer and treasury differ; it issues nothing"
        )
        raise BadTerms("body.payer", expected, " ".join((body.authority, body.payer, body.treasury, body.issuer)))
