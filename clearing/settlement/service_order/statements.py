"""What buyer, provider and 监理 state about service orders, who signs which kind, and the case the facts make.

Subjects: "service-scheme:⟨contract⟩", "service-order:⟨order⟩", "service-month:⟨contract⟩.⟨month⟩",
"service-incident:⟨contract⟩.⟨fact⟩", "project-cycle:⟨contract⟩.⟨cycle⟩"; contract and order are 32 hex. Every body
names the contract and its three parties, so each fact says whom it concerns. A time that decides something is when the
fact was taken in, never one that somebody wrote down. Source: domain clearing §1, §5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.agreement import Hex64
from clearing.settlement.service_order.case import Case, Events, IncidentSheet, MonthSheet, OrderSheet
from clearing.settlement.service_order.faults import Fault, Outage
from clearing.settlement.service_order.pass_through import PassAccount
from clearing.settlement.service_order.scheme import Scheme, check
from clearing.settlement.service_order.settling import (
    Accepted,
    Advances,
    Carry,
    Item,
    MonthName,
    ProjectCycle,
    Settlement,
    months_of,
)
from clearing.terms import MAX_FEN, Fen, Short
from ledger.facts import Fact, Statement
from ledger.reading import read
from registry.asset import Day, Twin
from registry.party import check_identity, party_subject

SERVICE_SCHEME = "service-scheme/v1"
SERVICE_ORDER = "service-order/v1"
ORDER_SCORE = "order-score/v1"
ORDER_ACCEPTANCE = "order-acceptance/v1"
ORDER_ZEROED = "order-zeroed/v1"
MONTHLY_SCORE = "monthly-score/v1"
WAIVER = "waiver/v1"
INCIDENT = "incident/v1"
PROJECT_ACCEPTANCE = "project-acceptance/v1"
PROJECT_SETTLEMENT = "project-settlement/v1"
PROJECT_INVOICE = "project-invoice/v1"
PROJECT_PAYMENT = "project-payment/v1"

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
CycleName = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,40}\Z")]
BUYER, PROVIDER, SUPERVISOR = "buyer", "provider", "supervisor"


@dataclass(frozen=True, slots=True)
class Stated:
    """What every body says: the contract and its parties 招标人, 中标人, 监理机构 by 统一社会信用代码."""

    contract: Hex32
    buyer: str
    provider: str
    supervisor: str


@dataclass(frozen=True, slots=True)
class Contract(Stated):
    """Body of service-scheme/v1: 中标金额 and 周期预算 in fen, and the scheme, signed by buyer and provider."""

    award: Fen
    scheme: Scheme
    budget: Fen = MAX_FEN


@dataclass(frozen=True, slots=True)
class Placed(Stated):
    """Body of service-order/v1, 下达: its number and items, signed by buyer and provider."""

    name: Short
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class OrderScore(Stated):
    """Body of order-score/v1 by the 监理: the first score of an order, or the one re-score of an E order."""

    events: Events


@dataclass(frozen=True, slots=True)
class OrderAcceptance(Stated):
    """Body of order-acceptance/v1: the quantities 监理 and buyer accept, with the acceptance document."""

    accepted: Annotated[tuple[Accepted, ...], Meta(min_length=1, max_length=500)]
    document: Twin


@dataclass(frozen=True, slots=True)
class OrderZeroed(Stated):
    """Body of order-zeroed/v1: buyer and 监理 decide that an E order that was not re-scored counts 0."""

    document: Twin


@dataclass(frozen=True, slots=True)
class MonthlyScore(Stated):
    """Body of monthly-score/v1 by the 监理: what happened in a month."""

    month: MonthName
    events: Events = ()
    faults: Annotated[tuple[Fault, ...], Meta(max_length=500)] = ()
    outages: Annotated[tuple[Outage, ...], Meta(max_length=500)] = ()


@dataclass(frozen=True, slots=True)
class Waiver(Stated):
    """Body of waiver/v1: the buyer forgoes a month's damages; counts if taken in before the acceptance."""

    month: MonthName
    document: Twin


@dataclass(frozen=True, slots=True)
class IncidentFound(Stated):
    """Body of incident/v1 by the 监理: the row of 5.5.2 its document names for what happened."""

    fact: Hex64
    number: Annotated[int, Meta(ge=1, le=99)]
    document: Twin


@dataclass(frozen=True, slots=True)
class CycleAccepted(Stated):
    """Body of project-acceptance/v1: 项目周期服务验收报告, signed by buyer and 监理."""

    cycle: CycleName
    first: MonthName
    last: MonthName
    report: Twin


@dataclass(frozen=True, slots=True)
class CycleSettled(Stated):
    """Body of project-settlement/v1, signed by buyer and provider: what follows from `facts` and what was paid before.

    `facts` are the ids of all facts the settlement rests on, in order of subject and number. `settled_before` is the
    sum of earlier settlements above zero, fen.
    """

    cycle: CycleName
    advances: Advances
    settled_before: Fen
    facts: Annotated[tuple[Hex64, ...], Meta(min_length=2, max_length=20_000)]
    settlement: Settlement
    pass_through: tuple[PassAccount, ...] = ()


@dataclass(frozen=True, slots=True)
class CycleInvoiced(Stated):
    """Body of project-invoice/v1 by the provider: 等额发票 over exactly what is paid, fen."""

    cycle: CycleName
    number: Annotated[str, Meta(min_length=1, max_length=40)]
    fen: Fen


@dataclass(frozen=True, slots=True)
class CyclePaid(Stated):
    """Body of project-payment/v1, P3: what the settlement pays, whole, went from buyer to provider by one bank entry.

    Signed by both, who paid and who received: the money goes directly, so no account of the operator shows it. `bank`
    is the 12-digit 联行号 of the bank whose entry `reference` is, `evidence` the digest of what shows it.
    """

    cycle: CycleName
    fen: Fen
    bank: Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
    reference: Annotated[str, Meta(pattern=r"^[0-9A-Za-z/-]{1,64}\Z")]
    booked_on: Day
    evidence: Twin


KINDS: dict[str, tuple[type[Stated], str, tuple[str, ...]]] = {
    SERVICE_SCHEME: (Contract, "service-scheme", (BUYER, PROVIDER)),
    SERVICE_ORDER: (Placed, "service-order", (BUYER, PROVIDER)),
    ORDER_SCORE: (OrderScore, "service-order", (SUPERVISOR,)),
    ORDER_ACCEPTANCE: (OrderAcceptance, "service-order", (BUYER, SUPERVISOR)),
    ORDER_ZEROED: (OrderZeroed, "service-order", (BUYER, SUPERVISOR)),
    MONTHLY_SCORE: (MonthlyScore, "service-month", (SUPERVISOR,)),
    WAIVER: (Waiver, "service-month", (BUYER,)),
    INCIDENT: (IncidentFound, "service-incident", (SUPERVISOR,)),
    PROJECT_ACCEPTANCE: (CycleAccepted, "project-cycle", (BUYER, SUPERVISOR)),
    PROJECT_SETTLEMENT: (CycleSettled, "project-cycle", (BUYER, PROVIDER)),
    PROJECT_INVOICE: (CycleInvoiced, "project-cycle", (PROVIDER,)),
    PROJECT_PAYMENT: (CyclePaid, "project-cycle", (BUYER, PROVIDER)),
}
"""Kind → its body, the type of its subject, and which of the parties sign it."""
FIRST = frozenset({SERVICE_SCHEME, SERVICE_ORDER, MONTHLY_SCORE, INCIDENT, PROJECT_ACCEPTANCE})
"""Kinds that open their subject; the others follow."""


def subject_of(kind: str, body: Any, order: str = "") -> str:
    """The subject a body of this kind is about; `order` is the 32-hex id where it is an order's."""
    type_, name = KINDS[kind][1], body.contract
    if type_ == "service-order":
        name = order
    elif type_ == "service-month":
        name += f".{body.month}"
    elif type_ == "service-incident":
        name += f".{body.fact}"
    elif type_ == "project-cycle":
        name += f".{body.cycle}"
    return f"{type_}:{name}"


def id_of(subject: str) -> str:
    """The part of a subject after its type."""
    return subject.partition(":")[2]


def body_in(statement: Statement) -> Any:
    """The body a statement carries, complete and about its own subject. Raises `FieldError`, `BadTerms`."""
    if statement.kind not in KINDS:
        raise BadTerms("statement.kind", " | ".join(KINDS), statement.kind)
    type_, subject, _ = KINDS[statement.kind]
    body = read(type_, statement.body)
    own = id_of(statement.subject)
    if subject == "service-order" and (len(own) != 32 or own.strip("0123456789abcdef")):
        raise BadTerms("statement.subject", "service-order:<32 hex>", statement.subject[:120])
    if statement.subject != subject_of(statement.kind, body, own):
        raise BadTerms("statement.subject", subject_of(statement.kind, body, own), statement.subject[:120])
    if statement.parts is not None:
        raise BadTerms("statement.parts", "没有分项 / no parts", "parts")
    if (statement.no == 0) != (statement.kind in FIRST):
        raise BadTerms("statement.no", "0" if statement.kind in FIRST else "> 0", statement.no)
    return body


def signers_of(kind: str, body: Stated) -> set[str]:
    """Signer names a statement of this kind must carry: all of them and no other."""
    return {party_subject(getattr(body, role)) for role in KINDS[kind][2]}


def check_contract(body: Contract) -> None:
    """Raises FieldError, or BadTerms unless three parties differ and the scheme can be settled."""
    parties = [body.buyer, body.provider, body.supervisor]
    for name in (BUYER, PROVIDER, SUPERVISOR):
        check_identity(getattr(body, name), f"body.{name}")
    if len(set(parties)) != len(parties):
        raise BadTerms("body.supervisor", "招标人、中标人、监理各不相同 / three parties", " ".join(parties))
    check(body.scheme, "body.scheme")


def case_of(facts: Sequence[Fact], advances: Advances, pass_through: tuple[PassAccount, ...] = ()) -> Case:
    """The case of one 项目周期 as its facts make it, in their order of subject and number.

    Months before the cycle give only the root causes of their faults. Raises BadTerms where the contract or the
    acceptance is missing.
    """
    contract, cycle, accepted_at = None, None, 0
    before: CycleSettled | None = None
    orders: dict[str, OrderSheet] = {}
    months: dict[str, MonthSheet] = {}
    incidents: list[IncidentSheet] = []
    for fact in facts:
        body, own = body_in(fact.statement), id_of(fact.subject)
        match body:
            case Contract():
                contract = body
            case CycleAccepted():
                cycle, accepted_at = body, fact.at
            case CycleSettled():
                before = body
            case Placed() | OrderScore() | OrderAcceptance() | OrderZeroed():
                orders[own] = folded(orders.get(own), own, body)
            case MonthlyScore():
                months[body.month] = MonthSheet(body.month, body.events, body.faults, body.outages)
            case Waiver():
                months[body.month] = replace(months[body.month], waived_at=fact.at)
            case IncidentFound():
                incidents.append(IncidentSheet(body.fact, body.number, body.document))
    if contract is None or cycle is None:
        raise BadTerms("facts", f"{SERVICE_SCHEME}, {PROJECT_ACCEPTANCE}", "缺 / missing")
    within = set(months_of(cycle.first, cycle.last))
    earlier = [months[name] for name in sorted(months) if name < cycle.first]
    return Case(
        cycle=ProjectCycle(
            cycle.cycle, cycle.first, cycle.last, accepted_at, advances,
            before.settlement.carry_out if before else Carry(), contract.budget, settled_by(before),
        ),
        orders=tuple(orders.values()),
        months=tuple(sheet for name, sheet in months.items() if name in within),
        scheme=contract.scheme,
        incidents=tuple(incidents),
        causes=tuple(dict.fromkeys(fault.cause for sheet in earlier for fault in sheet.faults)),
        report_at=accepted_at,
        pass_through=pass_through,
    )  # fmt: skip


def folded(sheet: OrderSheet | None, order: str, body: Any) -> OrderSheet:
    """An order after one more of its facts. Raises BadTerms where the first is not its placing."""
    if isinstance(body, Placed):
        return OrderSheet(order, body.items)
    if sheet is None:
        raise BadTerms("facts", f"{SERVICE_ORDER} {order}", "缺 / missing")
    match body:
        case OrderScore() if sheet.scored is None:
            return replace(sheet, scored=body.events)
        case OrderScore():
            return replace(sheet, rescored=body.events)
        case OrderAcceptance():
            return replace(sheet, accepted=body.accepted)
        case _:
            return replace(sheet, zeroed=True)


def settled_by(before: CycleSettled | None) -> int:
    """The sum of settlements above zero up to and including this one, fen."""
    return before.settled_before + max(0, before.settlement.settlement) if before else 0


def happening(contract: str, said: str) -> str:
    """The id of something that happened under a contract, from the words that name it: the same words, the same id, so
    that every card and 5.5.2 can name one fact (S9) without anybody copying 64 digits."""
    return sha256(f"{contract}\n{said}".encode()).hexdigest()
