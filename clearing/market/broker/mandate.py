"""A mandate 委托 and its ending, as values, and what it allows. Source: exchange.md §1.1, §1.3, §1.4, §4.2.

A mandate never reaches further than stating demands, inquiring, ordering and quoting: full terms and everything after
them are said by the parties themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.errors import NotEntitled
from clearing.market.product import Note, Uscc, Words, day_from
from clearing.terms import MAX_FEN
from registry.asset import Day
from registry.calendar import end_of, start_of
from registry.party import check_identity

MANDATE = "mandate/v1"
MANDATE_ENDING = "mandate-ending/v1"
BROKER = "broker"
"""Role of party/v1 of who stands in the register of brokers (登记在册)."""


class Task(StrEnum):
    """What a principal lets its broker do: state demands, inquire and bargain, order, quote."""

    DEMAND = "demand"
    INQUIRE = "inquire"
    ORDER = "order"
    QUOTE = "quote"


TASK_NAMES: Mapping[Task, str] = {
    Task.DEMAND: "提出需求",
    Task.INQUIRE: "询价与还价",
    Task.ORDER: "选定与下单",
    Task.QUOTE: "报价",
}


@dataclass(frozen=True, slots=True)
class Commission:
    """佣金, paid by the principal: a sum of fen per concluded agreement, or basis points of its price; one of them."""

    fixed_fen: Annotated[int, Meta(ge=0, le=MAX_FEN)] = 0
    bp: Annotated[int, Meta(ge=0, le=10_000)] = 0


@dataclass(frozen=True, slots=True)
class Mandate:
    """Body of mandate/v1, signed by principal and broker. Days are first and last, Beijing time.

    `listing` narrows it to one listing ("": any). `both_sides` is the principal's consent that the broker also acts for
    the other side of the same deal.
    """

    principal: str
    broker: Uscc
    tasks: Annotated[tuple[Task, ...], Meta(min_length=1, max_length=4)]
    commission: Commission
    scope: Words
    first: Day
    last: Day
    listing: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""
    both_sides: bool = False


@dataclass(frozen=True, slots=True)
class MandateEnding:
    """Body of mandate-ending/v1: principal or broker ends it, at once (民法典 933)."""

    reason: Note = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A mandate on record: in force from `first_at` until before `until`, unless it `ended_at` (0: it did not)."""

    id: str
    value: Mandate
    first_at: int
    until: int
    ended_at: int

    def in_force(self, at: int) -> bool:
        """Does it run at `at` (seconds UTC)?"""
        return self.first_at <= at < self.until and not (self.ended_at and self.ended_at <= at)


def subject_of(mandate: str) -> str:
    """The subject of the mandate with this 32-hex id."""
    return f"mandate:{mandate}"


def id_of(subject: str) -> str:
    """The 32-hex id inside a mandate's subject. Raises `BadTerms`."""
    identity = subject.removeprefix("mandate:")
    if identity == subject or len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", "mandate:<32 hex>", subject[:120])
    return identity


def span_of(mandate: Mandate) -> tuple[int, int]:
    """First second of the mandate, and the first second after it. Raises `BadTerms` for a day that does not exist."""
    return start_of(day_from(mandate.first, "body.first")), end_of(day_from(mandate.last, "body.last"))


def check_mandate(mandate: Mandate, today: date) -> Mandate:
    """The mandate holds together. Raises `BadTerms`, `FieldError`."""
    check_identity(mandate.principal, "body.principal")
    check_identity(mandate.broker, "body.broker")
    if mandate.principal == mandate.broker:
        raise BadTerms("body.broker", "委托人以外的一方 / another party than the principal", mandate.broker)
    if len(set(mandate.tasks)) != len(mandate.tasks):
        raise BadTerms("body.tasks", "每项一次 / each once", list(mandate.tasks))
    commission = mandate.commission
    if bool(commission.fixed_fen) is bool(commission.bp):
        expected = "定额或比例，恰好其一 / a sum or a rate, exactly one"
        raise BadTerms("body.commission", expected, f"{commission.fixed_fen} fen, {commission.bp} bp")
    first, until = span_of(mandate)
    if until <= first:
        raise BadTerms("body.last", f"≥ {mandate.first}", mandate.last)
    if day_from(mandate.last, "body.last") < today:
        raise BadTerms("body.last", f"≥ {today}", mandate.last)
    return mandate


def check_use(
    held: Held, broker: str, principal: str, task: Task, listing: str, other: str, against: tuple[Held, ...], at: int
) -> None:
    """May `broker` do this for `principal` now? `listing` is what it is about ("": none), `other` the other side of the
    deal ("": none), `against` the broker's mandates in force from that side.

    Raises `NotEntitled`.
    """
    value = held.value
    if (value.broker, value.principal) != (broker, principal):
        raise NotEntitled(task, f"{value.broker} 代 {value.principal} / on behalf of", f"{broker} / {principal}")
    if not held.in_force(at):
        raise NotEntitled(task, f"有效的委托，{value.first} – {value.last} / a mandate in force", subject_of(held.id))
    if task not in value.tasks:
        raise NotEntitled(task, " | ".join(value.tasks), task)
    if value.listing and value.listing != listing:
        raise NotEntitled(task, f"上架 {value.listing} / this listing", listing or "—")
    if broker == other:
        raise NotEntitled(task, "经纪以外的对方 / another party as the other side", other)
    consents = all(item.value.both_sides for item in (held, *against))
    if against and not consents:
        raise NotEntitled(task, "双方都同意其同时代理 / both principals' consent to act for both sides", broker)
