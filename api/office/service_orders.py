"""Contracts of service orders as one visitor sees them: which, where each stands, what waits for whom until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session

from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import Outcome, Waiting
from api.office.order_words import number
from api.sessions import Visitor
from clearing.errors import UnknownFact
from clearing.settlement.service_order import service, store
from clearing.settlement.service_order.overview import MonthView, OrderView, Overview, Turn
from clearing.settlement.service_order.statements import (
    BUYER,
    INCIDENT,
    KINDS,
    MONTHLY_SCORE,
    ORDER_ACCEPTANCE,
    ORDER_SCORE,
    ORDER_ZEROED,
    PROJECT_ACCEPTANCE,
    PROJECT_INVOICE,
    PROJECT_PAYMENT,
    PROJECT_SETTLEMENT,
    PROVIDER,
    SERVICE_ORDER,
    SUPERVISOR,
    WAIVER,
    Contract,
)
from clearing.settlement.service_order.store import ContractRow

ROLES = {BUYER: "招标人", PROVIDER: "中标人", SUPERVISOR: "监理"}


@dataclass(frozen=True, slots=True)
class Act:
    """A statement with a form: its kind, what it is called, and how the one waited for is said ("{}" is about what)."""

    kind: str
    zh: str
    en: str
    asked: str

    @property
    def signers(self) -> str:
        """Who signs it, in words."""
        return "、".join(ROLES[role] for role in KINDS[self.kind][2])


ACTS: dict[str, Act] = {
    "place": Act(SERVICE_ORDER, "下达服务单", "Place an order", "下达服务单"),
    "score": Act(ORDER_SCORE, "服务单评分", "Score an order", "{} 评分"),
    "accept": Act(ORDER_ACCEPTANCE, "服务单验收", "Accept an order", "{} 验收"),
    "zero": Act(ORDER_ZEROED, "未复评按零计", "Count it as zero", "{} 逾期未复评的，可以决定按零计"),
    "month": Act(MONTHLY_SCORE, "月度评分", "Monthly score", "{} 月度评分"),
    "waive": Act(WAIVER, "免除月度违约金", "Waive a month's damages", "免除 {} 违约金"),
    "incident": Act(INCIDENT, "认定重大事故", "An incident", "认定重大事故"),
    "cycle": Act(PROJECT_ACCEPTANCE, "项目周期验收", "Accept a cycle", "自 {} 起的项目周期可以验收"),
    "settle": Act(PROJECT_SETTLEMENT, "项目周期结算", "Settle a cycle", "项目周期 {} 结算"),
    "invoice": Act(PROJECT_INVOICE, "开具等额发票", "Invoice", "项目周期 {} 开具等额发票"),
    "pay": Act(PROJECT_PAYMENT, "确认已付款", "Say that it was paid", "项目周期 {} 付款并确认"),
}
"""The statements that have a form, by their name in its address; only the scheme itself is stated over the API."""
NAME_OF = {act.kind: name for name, act in ACTS.items()}
FREE = ("place", "month", "waive", "incident", "cycle")
"""What may be said about a contract without anybody waiting for it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for: in words, by whom, until when (seconds UTC, None without a clock), and whether it is late.

    `act` and `about` are the form of it; `mine` says that the visitor may draft it."""

    text: str
    signers: str
    until: int | None
    late: bool
    open: bool
    act: str
    about: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A contract in the list."""

    id: str
    held: Overview
    waits: tuple[Wait, ...]
    drafts: tuple[Waiting, ...]


def rows(session: Session, visitor: Visitor, operator: str, at: int) -> list[Row]:
    """The contracts a visitor takes part in, all of them for the operator's people, the youngest first."""
    every = visitor.organisation == operator
    names = store.all_contracts(session) if every else store.contracts(session, visitor.organisation)
    drafts = at_desk(session, visitor)
    found = [_row(name, service.reading(session, name, at=at), visitor, drafts, at) for name in names]
    return sorted(found, key=lambda row: (-row.held.concluded_at, row.id))


def _row(name: str, held: Overview, visitor: Visitor, drafts: Iterable[Waiting], at: int) -> Row:
    return Row(name, held, waits(held, visitor.organisation, at), of_contract(drafts, name))


def seen(session: Session, identity: str, visitor: Visitor, operator: str) -> ContractRow:
    """The contract, for its parties and the operator's people. Raises UnknownFact, for others as if there were none."""
    row = store.contract(session, identity)
    if visitor.organisation != operator and not role_of(row.terms, visitor.organisation):
        raise UnknownFact("service contract", identity[:80])
    return row


def role_of(terms: Contract, party: str) -> str:
    """The role of a party in a contract, "" for others."""
    return next((role for role in ROLES if getattr(terms, role) == party), "")


def may(act: Act, terms: Contract, party: str) -> bool:
    """Is this party one of those who sign such a statement? Only they draft it."""
    return role_of(terms, party) in KINDS[act.kind][2]


def waits(held: Overview, party: str, at: int) -> tuple[Wait, ...]:
    """What is waited for, that with a clock first, what is merely possible last."""
    found = [_wait(turn, held, party, at) for turn in held.turns]
    return tuple(sorted(found, key=lambda one: (one.open, one.until is None, one.until or 0)))


def _wait(turn: Turn, held: Overview, party: str, at: int) -> Wait:
    name = NAME_OF[turn.kind]
    orders = {order.id: f"服务单“{order.name}”" for order in held.orders}
    again = turn.kind == ORDER_SCORE and any(one.id == turn.about and one.first for one in held.orders)
    text = ACTS[name].asked.format(orders.get(turn.about, turn.about)) + ("（整改后复评）" if again else "")
    return Wait(
        text, ACTS[name].signers, turn.until, turn.until is not None and at >= turn.until, turn.open, name, turn.about,
        may(ACTS[name], held.contract, party),
    )  # fmt: skip


def at_desk(session: Session, visitor: Visitor) -> list[Waiting]:
    """Statements about service orders that this visitor may sign now or has drafted or signed, still open."""
    mine = desk.waits_for(session, visitor.holder, visitor.organisation, visitor.roles)
    others = waiting.of_person(session, visitor.holder)
    found = {item.id: item for item in (*mine, *others) if item.outcome is Outcome.OPEN}
    return [item for item in found.values() if item.statement.kind in NAME_OF]


def of_contract(found: Iterable[Waiting], contract: str) -> tuple[Waiting, ...]:
    """Those of one contract."""
    return tuple(item for item in found if item.statement.body.get("contract") == contract)


def parties_of(held: Iterable[Overview]) -> set[str]:
    """The identities of all their parties."""
    return {getattr(one.contract, role) for one in held for role in ROLES}


def order_state(order: OrderView) -> tuple[str, str]:
    """Where an order stands, in words and as the colour of a tag."""
    if order.settled:
        return f"已结算（{order.settled}）", "good"
    if order.line.held:
        why = [order.standing.held.partition(" / ")[0]] + (["未验收"] if order.sheet.accepted is None else [])
        return "，".join(one for one in why if one), "warn"
    return "已评分、已验收，待结算", "plain"


def order_score(order: OrderView) -> str:
    """Its score, its grade and its coefficient, in words."""
    if order.first is None:
        return "未评分"
    again = f"，复评 {number(order.again.score)} 分" if order.again else ""
    zeroed = "，未复评，决定按零计" if order.sheet.zeroed else ""
    coefficient = order.standing.coefficient
    told = "系数待定" if coefficient is None else f"系数 {number(coefficient)}"
    return f"{number(order.first.score)} 分{again}{zeroed}，{order.standing.grade} 级，{told}"


def month_band(month: MonthView, terms: Contract) -> tuple[str, str]:
    """The band a month's score falls into, as "80 分及以上", and as the colour of a tag: the best is good."""
    own, bands = month.band, terms.scheme.month_bands
    colour = "good" if own == bands[-1] else "bad" if own == bands[0] else "warn"
    return (f"{own.start} 分及以上" if own.end is None else f"{own.start}–{own.end} 分"), colour
