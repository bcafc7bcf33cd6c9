"""信用评分 and 信用等级 of a party: every input with the facts it rests on, so anybody computes it again.

score = 100 · Σ points·(1 − faulty weight / weight) / Σ points over the components that have an input; an input weighs
its severity × 2^(−age / half-life), straight between two halvings so that it stays a fraction. A fault weighs in both
sums, so one more never raises the score. Bands are looked up with the exact score, lower bound inclusive; fewer settled
orders than `least_deals` give no grade (未评级). Source: exchange.md §8.3; clearing §11, §12 (22), §13 (6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from clearing.market.delivery.moves import State as ItemState
from clearing.settlement.reporting.definitions import Definition
from clearing.settlement.reporting.material import Material
from clearing.settlement.reporting.objection import Grade
from ledger import canonical
from ledger.digest import twin
from ledger.reading import body_of
from registry.asset import Twin
from registry.calendar import ONE_DAY, day_of, end_of

SECONDS = 86_400


class Component(StrEnum):
    """履约 · 验收与质量 · 付款 · 合规 · 披露与响应."""

    PERFORMANCE = "performance"
    QUALITY = "quality"
    PAYMENT = "payment"
    COMPLIANCE = "compliance"
    RESPONSE = "response"


COMPONENT_NAMES: Mapping[Component, tuple[str, str]] = {
    Component.PERFORMANCE: ("履约", "performance"),
    Component.QUALITY: ("验收与质量", "acceptance and quality"),
    Component.PAYMENT: ("付款", "payment"),
    Component.COMPLIANCE: ("合规", "compliance"),
    Component.RESPONSE: ("披露与响应", "disclosure and response"),
}


class What(StrEnum):
    """What an input is about."""

    SETTLED = "settled"
    UPHELD = "upheld"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RECONCILED = "reconciled"
    DIFFERING = "differing"
    ON_TIME = "on_time"
    LATE = "late"
    DEFAULT = "default"
    CLEAN = "clean"
    STOPPED = "stopped"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


WHAT_NAMES: Mapping[What, tuple[str, str]] = {
    What.SETTLED: ("交易已结算", "deal settled"),
    What.UPHELD: ("争议已成立，须退还", "dispute upheld, money given back"),
    What.ACCEPTED: ("交付已验收", "delivery accepted"),
    What.REJECTED: ("交付未全部验收", "delivery not accepted in full"),
    What.RECONCILED: ("对账一致", "both sides' records agree"),
    What.DIFFERING: ("对账有差异", "both sides' records differ"),
    What.ON_TIME: ("按时付款", "paid on time"),
    What.LATE: ("逾期付款", "paid late"),
    What.DEFAULT: ("逾期未付", "not paid"),
    What.CLEAN: ("交易未见违规", "deal without a violation"),
    What.STOPPED: ("产品被停牌或紧急下架", "listing suspended or taken off"),
    What.ANSWERED: ("按时答复", "answered in time"),
    What.UNANSWERED: ("未按时答复", "not answered in time"),
}
FAULTS = frozenset({
    What.UPHELD, What.REJECTED, What.DIFFERING, What.LATE, What.DEFAULT, What.STOPPED, What.UNANSWERED,
})  # fmt: skip
_WEIGHTS: Mapping[What, str] = {
    What.UPHELD: "weight_upheld",
    What.LATE: "weight_late",
    What.DEFAULT: "weight_default",
    What.STOPPED: "weight_violation",
}
"""The parameter that says how heavy a fault is; everything else weighs 1."""


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that counts: `key` names it for good, `at` is the second it happened, `facts` are what it rests on."""

    key: str
    component: Component
    what: What
    at: int
    facts: tuple[str, ...]

    @property
    def fault(self) -> bool:
        """Does it count against the party?"""
        return self.what in FAULTS


@dataclass(frozen=True, slots=True)
class Part:
    """One component as it was judged: `rate` of faults as n or n/d, "" without inputs; its `points` and its `share`
    of the score, two decimals."""

    component: Component
    points: int
    n: int
    faults: int
    rate: str
    share: str


@dataclass(frozen=True, slots=True)
class Credit:
    """The figure of a party: `score` two decimals, `exact` as n or n/d, both "" without a grade (未评级)."""

    party: str
    definition: str
    as_of: int
    deals: int
    score: str
    exact: str
    grade: Grade | None
    parts: tuple[Part, ...]
    inputs: tuple[Input, ...]


def inputs_of(material: Material, party: str, definition: Definition) -> tuple[Input, ...]:
    """Everything that counts for or against a party, set-aside inputs left out, in the order of their keys."""
    numbers = definition.numbers
    found = [
        *_of_deals(material, party), *_of_payments(material, party, numbers), *_of_disputes(material, party, numbers),
        *_of_deliveries(material, party), *_of_readings(material, party), *_of_listings(material, party),
        *_of_statements(material, party),
    ]  # fmt: skip
    return tuple(sorted((one for one in found if (party, one.key) not in material.set_aside), key=lambda one: one.key))


def assess(material: Material, party: str, definition: Definition, set_aside: frozenset[str] = frozenset()) -> Credit:
    """Score and grade of a party from the facts of `material`, without the inputs `set_aside` beside those that
    answers among the facts set aside already."""
    inputs = tuple(one for one in inputs_of(material, party, definition) if one.key not in set_aside)
    orders = len({deal.order for deal in material.deals if deal.left is None and deal.side_of(party) is not None})
    return graded(party, definition, material.as_of, orders, inputs)


def graded(party: str, definition: Definition, as_of: int, orders: int, inputs: Sequence[Input]) -> Credit:
    """The figure over given inputs: the part of the formula that asks nothing of facts."""
    numbers = definition.numbers
    rates = {component: _rate(component, inputs, as_of, numbers) for component in Component}
    whole = sum(numbers[f"points_{component}"] for component, rate in rates.items() if rate is not None)
    parts, exact = [], Fraction(0)
    for component, rate in rates.items():
        own = [one for one in inputs if one.component is component]
        points = numbers[f"points_{component}"]
        share = Fraction(100 * points, whole) * (1 - rate) if rate is not None else Fraction(0)
        exact += share
        parts.append(
            Part(
                component, points, len(own), sum(one.fault for one in own), "" if rate is None else str(rate),
                "" if rate is None else decimals(share),
            )
        )  # fmt: skip
    rated = orders >= numbers["least_deals"] and bool(whole)
    return Credit(
        party, definition.label, as_of, orders, decimals(exact) if rated else "", str(exact) if rated else "",
        grade_of(exact, numbers) if rated else None, tuple(parts), tuple(inputs),
    )  # fmt: skip


def grade_of(exact: Fraction, numbers: Mapping[str, int]) -> Grade:
    """The band of an exact score, lower bound inclusive; D below all of them."""
    bands = [grade for grade in Grade if grade is not Grade.D]
    return next((grade for grade in bands if exact >= numbers[f"band_{grade}"]), Grade.D)


def decay(age: int, half_life: int) -> Fraction:
    """What is left after `age` days: halved after every `half_life` days, straight between."""
    halvings, rest = divmod(max(age, 0), half_life)
    return Fraction(2 * half_life - rest, 2 * half_life * 2**halvings)


def decimals(value: Fraction) -> str:
    """Two decimals, half even, of a value ≥ 0."""
    hundredths = round(value * 100)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def document_of(inputs: Sequence[Input]) -> Twin:
    """The twin digest of the inputs, as a published figure names them."""
    return Twin.of(twin(canonical.encode({"inputs": [body_of(one) for one in inputs]})))


def _rate(component: Component, inputs: Sequence[Input], as_of: int, numbers: Mapping[str, int]) -> Fraction | None:
    total, faulty = Fraction(0), Fraction(0)
    for one in inputs:
        if one.component is component:
            severity = numbers[_WEIGHTS[one.what]] if one.what in _WEIGHTS else 1
            weight = severity * decay((as_of - one.at) // SECONDS, numbers["half_life_days"])
            total += weight
            faulty += weight if one.fault else 0
    return faulty / total if total else None


# The inputs, each from the facts of its kind --------------------------------------------------------------------------


def _of_deals(material: Material, party: str) -> list[Input]:
    """Every settled order that counts is one of performance and one without a violation. The netting run is nobody's
    to read, so the party's own notice of it, with its proof, stands beside."""
    orders: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
    for deal in material.deals:
        if deal.left is None and deal.side_of(party) is not None:
            at, facts = orders.get(deal.order, (deal.settled_at, ()))
            own = [name for run in deal.nettings if (name := material.notices.get((run, party)))]
            orders[deal.order] = min(at, deal.settled_at), tuple(dict.fromkeys((*facts, *deal.facts, *own)))
    found = []
    for (agreement, period), (at, facts) in orders.items():
        name = f"{agreement}/{period}"
        found.append(Input(f"settled:{name}", Component.PERFORMANCE, What.SETTLED, at, facts))
        found.append(Input(f"clean:{name}", Component.COMPLIANCE, What.CLEAN, at, facts))
    return found


def _of_payments(material: Material, party: str, numbers: Mapping[str, int]) -> list[Input]:
    """On time by the bank's booking day; unpaid only once the bank's files of the last days must have come."""
    found = []
    for one in material.payments:
        if one.party != party:
            continue
        last = day_of(one.due)
        if one.covered:
            what = What.ON_TIME if one.covered <= last.isoformat() else What.LATE
        elif material.as_of >= end_of(last + numbers["bank_days"] * ONE_DAY):
            what = What.DEFAULT
        else:
            continue
        found.append(Input(f"payment:{one.end_to_end}", Component.PAYMENT, what, one.due, one.facts))
    return found


def _of_disputes(material: Material, party: str, numbers: Mapping[str, int]) -> list[Input]:
    """What was upheld counts against whoever was complained about; and whether the complaint was answered in time."""
    found = []
    for one in material.disputes:
        case = one.case
        if case.respondent != party:
            continue
        if case.over and case.upheld:
            found.append(Input(f"upheld:{one.id}", Component.PERFORMANCE, What.UPHELD, case.since, one.facts))
        due = case.opened_at + numbers["answer_days"] * SECONDS
        if one.answered and one.answered <= due:
            what = What.ANSWERED
        elif material.as_of > due and (one.answered or not case.over or case.since > due):
            what = What.UNANSWERED
        else:
            continue
        found.append(Input(f"answer:{one.id}", Component.RESPONSE, what, case.opened_at, one.facts))
    return found


def _of_deliveries(material: Material, party: str) -> list[Input]:
    """Each item of a delivery that came to an end, for who delivered; what silence would accept is nobody's word."""
    over = (ItemState.ACCEPTED, ItemState.REJECTED, ItemState.DECIDED)
    found = []
    for one in material.deliveries:
        for item in one.case.items if one.case.provider == party else ():
            if item.state in over:
                what = What.REJECTED if item.rejected else What.ACCEPTED
                key = f"delivery:{one.id}/{item.id}"
                found.append(Input(key, Component.QUALITY, what, one.case.since, one.facts))
    return found


def _of_readings(material: Material, party: str) -> list[Input]:
    """Each account period both sides' records were compared for."""
    found = []
    for one in material.readings:
        if party in one.parties:
            what = What.RECONCILED if one.ok else What.DIFFERING
            key = f"reading:{one.body.agreement}/{one.body.revision}/{one.body.period}"
            found.append(Input(key, Component.QUALITY, what, one.at, (one.fact,)))
    return found


def _of_listings(material: Material, party: str) -> list[Input]:
    return [
        Input(f"stopped:{stop.fact}", Component.COMPLIANCE, What.STOPPED, stop.at, (stop.fact,))
        for one in material.listings if one.value.seller == party for stop in one.stops
    ]  # fmt: skip


def _of_statements(material: Material, party: str) -> list[Input]:
    """A statement is answered by confirming it or by disputing something, before its window ends."""
    found = []
    for one in material.statements:
        if one.party == party and (one.answered or material.as_of > one.until):
            what = What.ANSWERED if 0 < one.answered <= one.until else What.UNANSWERED
            found.append(Input(f"statement:{one.fact}", Component.RESPONSE, what, one.at, one.facts))
    return found
