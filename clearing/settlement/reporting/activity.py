"""活跃度, 贡献度, 有效数商, 有效数据产品, 销售情况 over a window: exact, with what each was computed from.

`m(x) = min(1, x)`; references are the 80th percentile (nearest rank, at least 1) of the window before, of the same
length. A term that was not measured is left out and the others carry the figure. Source: exchange.md §8.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from clearing.errors import BadTerms
from clearing.settlement.reporting.credit import Component, decimals, inputs_of
from clearing.settlement.reporting.definitions import DEFINITIONS, Code, Definition, in_force
from clearing.settlement.reporting.material import Deal, Material, Shelved, Side
from clearing.terms import Period, month
from registry.calendar import start_of

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """A window of months and the one of the same length before it."""

    now: Period
    before: Period


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a figure: what was counted, the reference it was held against, its weight; `value` n or n/d in
    [0, 1], "" where nothing was measured."""

    name: str
    count: int
    reference: int
    weight: int
    value: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as it is reported: `value` as text ("" none), `exact` as n or n/d where it is a number.

    `definition` is "K-…/version", `scope` what was left out of how many, `n` how many things were counted.
    """

    definition: str
    name: str
    window: str
    as_of: int
    scope: str
    n: int
    value: str
    exact: str
    terms: tuple[Term, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sales:
    """销售情况 of a product: settled orders, net settled amount (fen), mean rating "" for none, and its share of its
    category (GB/T 4754 division) with what that came to in all."""

    orders: int
    amount: int
    ratings: int
    mean: str
    category: str
    of_category: int
    share: Figure


def window_of(name: str) -> Window:
    """A month `YYYY-MM`, quarter `YYYY-Qn` or year `YYYY` and the one before. Raises `BadTerms`."""
    year, _, rest = name.partition("-")
    if not (year.isascii() and year.isdigit() and len(year) == 4 and year.startswith("20")):
        raise BadTerms("period", "YYYY | YYYY-Qn | YYYY-MM", name[:20])
    if not rest and "-" not in name:
        return _window(name, int(year), 1, 12)
    if rest in ("Q1", "Q2", "Q3", "Q4"):
        return _window(name, int(year), 3 * int(rest[1]) - 2, 3)
    found = month(name)
    return _window(found.name, int(year), int(rest), 1)


def _window(name: str, year: int, first: int, length: int) -> Window:
    def start(months: int) -> int:
        return start_of(date(year + (first - 1 + months) // 12, (first - 1 + months) % 12 + 1, 1))

    now, before = Period(name, start(0), start(length)), Period(f"<{name}", start(-length), start(0))
    return Window(now, before)


def counted(material: Material, period: Period) -> list[Deal]:
    """The deals of a period that count."""
    return [deal for deal in material.deals if deal.left is None and deal.settled_at in period]


def left_out(material: Material, period: Period) -> list[Deal]:
    """The deals of a period that do not, each with its reason."""
    return [deal for deal in material.deals if deal.left is not None and deal.settled_at in period]


def party_activity(
    material: Material, window: Window, catalogue: Sequence[Definition] = DEFINITIONS
) -> dict[str, Figure]:
    """数商活跃度 of everybody: listings in force at the end, settled orders, counterparties, on-time answers."""
    definition = in_force(Code.PARTY_ACTIVITY, window.now.end - 1, catalogue)
    credit = in_force(Code.CREDIT, window.now.end - 1, catalogue)
    numbers, names = definition.numbers, ("listings", "orders", "counterparties")
    before = [_counts(material, party, window.before) for party in material.parties]
    references = [percentile([counts[place] for counts in before], numbers["percentile"]) for place in range(3)]
    found = {}
    for party in material.parties:
        own = _counts(material, party, window.now)
        terms = [
            _term(name, count, reference, numbers[name])
            for name, count, reference in zip(names, own, references, strict=True)
        ]
        answers = [
            one for one in inputs_of(material, party, credit)
            if one.component is Component.RESPONSE and one.at in window.now
        ]  # fmt: skip
        on_time = sum(not one.fault for one in answers)
        rate = str(Fraction(on_time, len(answers))) if answers else ""
        terms.append(Term("answers", on_time, len(answers), numbers["answers"], rate))
        found[party] = _weighed(definition, window.now, material, terms, own[1])
    return found


def product_activity(
    material: Material, window: Window, catalogue: Sequence[Definition] = DEFINITIONS
) -> dict[str, Figure]:
    """产品活跃度 of everything listed: metered uses, against those of products counted in the same unit, and settled
    orders; views are not measured."""
    definition = in_force(Code.PRODUCT_ACTIVITY, window.now.end - 1, catalogue)
    numbers = definition.numbers
    orders, before = _orders_by_product(material, window.now), _orders_by_product(material, window.before)
    used, used_before = _uses(material, window.now), _uses(material, window.before)
    most = percentile(list(before.values()), numbers["percentile"])
    found = {}
    for product in sorted({one.value.product for one in material.listings}):
        parts = [
            (count, percentile([n for (_, other), n in used_before.items() if other == unit], numbers["percentile"]))
            for (name, unit), count in sorted(used.items()) if name == product
        ]  # fmt: skip
        ratios = [min(Fraction(1), Fraction(count, reference)) for count, reference in parts]
        uses = str(sum(ratios, Fraction(0)) / len(ratios)) if ratios else "0"
        total, reference = sum(count for count, _ in parts), sum(reference for _, reference in parts)
        terms = (
            Term("views", 0, 0, numbers["views"], ""),
            Term("uses", total, reference, numbers["uses"], uses),
            _term("orders", orders.get(product, 0), most, numbers["orders"]),
        )
        found[product] = _weighed(definition, window.now, material, terms, orders.get(product, 0))
    return found


def contribution(
    material: Material, period: Period, catalogue: Sequence[Definition] = DEFINITIONS
) -> dict[tuple[str, Side], Figure]:
    """数商贡献度 of everybody with a settled order, by party and role; the shares of a role add up to 100."""
    definition = in_force(Code.CONTRIBUTION, period.end - 1, catalogue)
    numbers = definition.numbers
    amounts: dict[tuple[str, Side], int] = {}
    orders: dict[tuple[str, Side], set[tuple[str, str]]] = {}
    for deal in counted(material, period):
        for key in ((deal.payee, deal.side), (deal.buyer, Side.BUYER)):
            amounts[key] = amounts.get(key, 0) + deal.amount
            orders.setdefault(key, set()).add(deal.order)
    found = {}
    for key in sorted(amounts):
        whole = sum(amount for (_, side), amount in amounts.items() if side is key[1])
        number = sum(len(items) for (_, side), items in orders.items() if side is key[1])
        terms = (
            Term("amount", amounts[key], whole, numbers["amount"], str(Fraction(amounts[key], whole))),
            Term("orders", len(orders[key]), number, numbers["orders"], str(Fraction(len(orders[key]), number))),
        )
        found[key] = _weighed(definition, period, material, terms, len(orders[key]))
    return found


def effective_party(
    material: Material, party: str, period: Period, catalogue: Sequence[Definition] = DEFINITIONS
) -> Figure:
    """有效数商: a settled arm's-length order in the 12 months to the window's end (at most the as-of second), no open
    breach. Who has one signed with a key on record, so it is admitted."""
    definition = in_force(Code.EFFECTIVE_PARTY, period.end - 1, catalogue)
    end = min(period.end, material.as_of + 1)
    year = Period(period.name, end - definition.numbers["days"] * DAY, end)
    orders = {deal.order for deal in counted(material, year) if deal.side_of(party) is not None}
    reasons = [*([] if orders else ["无已结算的非关联交易"]), *open_breaches(material, party)]
    return _yes_no(definition, year, material, len(orders), reasons)


def effective_product(
    material: Material, product: str, period: Period, catalogue: Sequence[Definition] = DEFINITIONS
) -> Figure:
    """有效数据产品: on offer for 30 days at the end, a settled arm's-length order in the window, no poor rating, no
    open breach."""
    definition = in_force(Code.EFFECTIVE_PRODUCT, period.end - 1, catalogue)
    numbers = definition.numbers
    end = min(period.end, material.as_of + 1)
    own = [one for one in material.listings if one.value.product == product]
    since = [begun for one in own if (begun := one.on_offer_since(end - 1)) is not None]
    orders = _orders_by_product(material, period).get(product, 0)
    scores = [one.body.score for one in material.ratings if one.product == product and one.at < end]
    reasons = []
    if not since or min(since) > end - numbers["days"] * DAY:
        reasons.append(f"期末连续在架不足 {numbers['days']} 日")
    if not orders:
        reasons.append("无已结算的非关联交易")
    if len(scores) >= numbers["ratings"] and sum(scores) < numbers["mean"] * len(scores):
        reasons.append(f"评价均分低于 {numbers['mean']}")
    if any(one.stopped for one in own):
        reasons.append("停牌或紧急下架尚未恢复")
    return _yes_no(definition, period, material, orders, reasons)


def open_breaches(material: Material, party: str) -> list[str]:
    """What stands against a party at the as-of second: money asked for and not paid, a listing taken off."""
    definition = in_force(Code.CREDIT, material.as_of)
    unpaid = any(one.what.value == "default" for one in inputs_of(material, party, definition))
    stopped = any(one.stopped for one in material.listings if one.value.seller == party)
    return [*(["逾期未付"] if unpaid else []), *(["停牌或紧急下架尚未恢复"] if stopped else [])]


def reconciled(material: Material, party: str, catalogue: Sequence[Definition] = DEFINITIONS) -> Figure:
    """对账成功率 of a party, as of the second of the material; none without any reading."""
    definition = in_force(Code.RECONCILED, material.as_of, catalogue)
    own = [one for one in material.readings if party in one.parties]
    ok = sum(one.ok for one in own)
    share = Fraction(ok, len(own)) if own else None
    term = Term("ok_batches", ok, len(own), 1, "" if share is None else str(share))
    return Figure(
        definition.label, definition.name, "", material.as_of, "双方为合约供需方的各账期最近一次读数", len(own),
        "" if share is None else f"{decimals(100 * share)}%", "" if share is None else str(share), (term,),
    )  # fmt: skip


def sales(material: Material, product: str, period: Period, catalogue: Sequence[Definition] = DEFINITIONS) -> Sales:
    """销售情况 and 市场占有率 of a product in its category."""
    definition = in_force(Code.SALES, period.end - 1, catalogue)
    deals = counted(material, period)
    own = [deal for deal in deals if deal.product == product]
    category = next((one.value.content.industry for one in material.listings if one.value.product == product), "")
    whole = sum(deal.amount for deal in deals if deal.category == category)
    amount, orders = sum(deal.amount for deal in own), len({deal.order for deal in own})
    share = Fraction(amount, whole) if whole else None
    figure = Figure(
        definition.label, definition.name, period.name, material.as_of, scope_of(material, period), orders,
        "" if share is None else f"{decimals(100 * share)}%", "" if share is None else str(share),
    )  # fmt: skip
    scores = [one.body.score for one in material.ratings if one.product == product]
    mean = decimals(Fraction(sum(scores), len(scores))) if scores else ""
    return Sales(orders, amount, len(scores), mean, category, whole, figure)


def percentile(values: Sequence[int], share: int) -> int:
    """The nearest-rank percentile of these values, at least 1."""
    ordered = sorted(values)
    return max(1, ordered[-(-len(ordered) * share // 100) - 1]) if ordered else 1


def scope_of(material: Material, period: Period) -> str:
    """How many orders count and how many were left out."""
    out = {(deal.order, deal.left) for deal in left_out(material, period)}
    orders = {deal.order for deal in counted(material, period)}
    return f"计入 {len(orders)} 笔，剔除 {len({order for order, _ in out})} 笔（关联方、自营、争议中、已冲回）"


def _counts(material: Material, party: str, period: Period) -> tuple[int, int, int]:
    """Listings on offer at the end, settled orders, counterparties of a party in a period."""
    end = min(period.end, material.as_of + 1)
    listed = [one for one in material.listings if one.value.seller == party]
    own = [deal for deal in counted(material, period) if deal.side_of(party) is not None]
    others = {deal.payee if deal.buyer == party else deal.buyer for deal in own}
    on_offer = sum(_on_offer(one, end - 1) for one in listed)
    return on_offer, len({deal.order for deal in own}), len(others)


def _on_offer(listing: Shelved, at: int) -> bool:
    return listing.on_offer_since(at) is not None


def _orders_by_product(material: Material, period: Period) -> dict[str, int]:
    orders: dict[str, set[tuple[str, str]]] = {}
    for deal in counted(material, period):
        if deal.product:
            orders.setdefault(deal.product, set()).add(deal.order)
    return {product: len(items) for product, items in orders.items()}


def _uses(material: Material, period: Period) -> dict[tuple[str, str], int]:
    """Metered quantity by product and unit of the account periods that end in this one."""
    found: dict[tuple[str, str], int] = {}
    for one in material.readings:
        product = material.products.get(one.body.agreement, "")
        if product and period.start < one.body.end <= period.end:
            key = (product, one.body.unit)
            found[key] = found.get(key, 0) + one.body.quantity
    return found


def _term(name: str, count: int, reference: int, weight: int) -> Term:
    return Term(name, count, reference, weight, str(min(Fraction(1), Fraction(count, reference))))


def _weighed(definition: Definition, period: Period, material: Material, terms: Sequence[Term], n: int) -> Figure:
    measured = [term for term in terms if term.value]
    whole = sum(term.weight for term in measured)
    exact = sum((Fraction(100 * term.weight, whole) * Fraction(term.value) for term in measured), Fraction(0))
    return Figure(
        definition.label, definition.name, period.name, material.as_of, scope_of(material, period), n,
        decimals(exact), str(exact), tuple(terms),
    )  # fmt: skip


def _yes_no(definition: Definition, period: Period, material: Material, n: int, reasons: Sequence[str]) -> Figure:
    return Figure(
        definition.label, definition.name, period.name, material.as_of, scope_of(material, period), n,
        "否" if reasons else "是", "", (), tuple(reasons),
    )  # fmt: skip
