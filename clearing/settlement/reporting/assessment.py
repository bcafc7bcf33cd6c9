"""考核统计报表: every figure of every party and product in a window; and the totals a supervisor sees, which tell of
fewer than ten parties nothing, neither by themselves nor by what is missing from a total.

Source: domain clearing §11 (《数据要素专业能力服务操作指南》 2.2.3, 2.3.3, 4.1, 4.3, 5.3); exchange.md §8.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from clearing.settlement.reporting import activity, credit
from clearing.settlement.reporting.activity import Figure, Sales, Window
from clearing.settlement.reporting.credit import Credit
from clearing.settlement.reporting.definitions import DEFINITIONS, Code, Definition, in_force
from clearing.settlement.reporting.material import SIDE_NAMES, Deal, Material, Side
from clearing.settlement.reporting.objection import Grade

UNRATED = "未评级"


@dataclass(frozen=True, slots=True)
class PartyRow:
    """The figures of one party; `contribution` by role; `credit` as of the same second."""

    party: str
    activity: Figure
    contribution: Mapping[Side, Figure]
    effective: Figure
    reconciled: Figure
    credit: Credit


@dataclass(frozen=True, slots=True)
class ProductRow:
    """The figures of one product and who sells it."""

    product: str
    name: str
    seller: str
    activity: Figure
    effective: Figure
    sales: Sales


@dataclass(frozen=True, slots=True)
class Assessment:
    """The report over a window as of a second: rows in order of party and product; `left_out` are the deals that are
    in no figure; `parties`, `products` are how many of them are effective, of how many."""

    window: str
    start: int
    end: int
    as_of: int
    definitions: tuple[Definition, ...]
    parties: tuple[PartyRow, ...]
    products: tuple[ProductRow, ...]
    left_out: tuple[Deal, ...]

    @property
    def effective_parties(self) -> int:
        """有效数商: how many."""
        return sum(row.effective.value == "是" for row in self.parties)

    @property
    def effective_products(self) -> int:
        """有效数据产品: how many."""
        return sum(row.effective.value == "是" for row in self.products)

    def of_party(self, party: str) -> Assessment:
        """What of it concerns one party: its own rows, its products, its deals."""
        return replace(
            self,
            parties=tuple(row for row in self.parties if row.party == party),
            products=tuple(row for row in self.products if row.seller == party),
            left_out=tuple(deal for deal in self.left_out if party in (deal.buyer, deal.payee)),
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of a total over `parties` parties, None for both where it is not told; `amount` fen."""

    label: str
    parties: int | None
    amount: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Lines and their total; `hidden` says how many lines are not told."""

    title: str
    cells: tuple[Cell, ...]
    total: Cell
    hidden: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The supervisor's view of a window as of a second."""

    definition: str
    window: str
    as_of: int
    scope: str
    k: int
    tables: tuple[Table, ...]


def assessment(material: Material, window: Window, catalogue: Sequence[Definition] = DEFINITIONS) -> Assessment:
    """Every figure of the window, from the facts of the material. Raises `BadTerms` before a definition's first day."""
    now = window.now
    credit_rule = in_force(Code.CREDIT, material.as_of, catalogue)
    active = activity.party_activity(material, window, catalogue)
    shares = activity.contribution(material, now, catalogue)
    parties = tuple(
        PartyRow(
            party, active[party], {side: shares[party, side] for side in Side if (party, side) in shares},
            activity.effective_party(material, party, now, catalogue), activity.reconciled(material, party, catalogue),
            credit.assess(material, party, credit_rule),
        )
        for party in material.parties
    )  # fmt: skip
    busy = activity.product_activity(material, window, catalogue)
    shelf = {one.value.product: one.value for one in material.listings}
    products = tuple(
        ProductRow(
            product, shelf[product].name, shelf[product].seller, busy[product],
            activity.effective_product(material, product, now, catalogue),
            activity.sales(material, product, now, catalogue),
        )
        for product in sorted(shelf)
    )  # fmt: skip
    codes = (
        Code.CREDIT, Code.PARTY_ACTIVITY, Code.CONTRIBUTION, Code.EFFECTIVE_PARTY, Code.PRODUCT_ACTIVITY,
        Code.EFFECTIVE_PRODUCT, Code.SALES, Code.RECONCILED,
    )  # fmt: skip
    by_now = {Code.CREDIT, Code.RECONCILED}
    rules = tuple(in_force(code, material.as_of if code in by_now else now.end - 1, catalogue) for code in codes)
    return Assessment(
        now.name, now.start, now.end, material.as_of, rules, parties, products,
        tuple(activity.left_out(material, now)),
    )  # fmt: skip


def totals(material: Material, window: Window, catalogue: Sequence[Definition] = DEFINITIONS) -> Totals:
    """What a supervisor sees of all parties together: by grade, by role, by category; no party is named."""
    definition = in_force(Code.TOTALS, window.now.end - 1, catalogue)
    k = definition.numbers["k"]
    credit_rule = in_force(Code.CREDIT, material.as_of, catalogue)
    grades: dict[str, list[tuple[str, int]]] = {}
    for party in material.parties:
        grade = credit.assess(material, party, credit_rule).grade
        grades.setdefault(grade or UNRATED, []).append((party, 0))
    deals = activity.counted(material, window.now)
    sides: dict[str, list[tuple[str, int]]] = {}
    categories: dict[str, list[tuple[str, int]]] = {}
    for deal in deals:
        sides.setdefault(SIDE_NAMES[deal.side], []).append((deal.payee, deal.amount))
        sides.setdefault(SIDE_NAMES[Side.BUYER], []).append((deal.buyer, deal.amount))
        categories.setdefault(deal.category or "未归类", []).extend(((deal.payee, deal.amount), (deal.buyer, 0)))
    order = [*Grade, UNRATED]
    return Totals(
        definition.label, window.now.name, material.as_of, activity.scope_of(material, window.now), k,
        (
            table("信用等级", {name: grades[name] for name in order if name in grades}, k),
            *(table(f"角色：{name}", {name: rows}, k) for name, rows in sorted(sides.items())),
            table("行业大类", dict(sorted(categories.items())), k),
        ),
    )  # fmt: skip


def table(title: str, rows: Mapping[str, Sequence[tuple[str, int]]], k: int) -> Table:
    """Lines over (party, fen). Lines of fewer than `k` parties are not told; where what is missing from the total is of
    fewer than `k` parties, or only one line is, the next smallest is not told either; of fewer than `k` in all not
    even the total."""
    parties = {label: {party for party, _ in items} for label, items in rows.items()}
    hidden = withheld(parties, k)
    everybody, amount = _all(parties.values()), sum(fen for items in rows.values() for _, fen in items)
    cells = tuple(
        Cell(label, None, None) if label in hidden
        else Cell(label, len(parties[label]), sum(fen for _, fen in items))
        for label, items in rows.items()
    )  # fmt: skip
    total = Cell("合计", len(everybody), amount) if len(everybody) >= k else Cell("合计", None, None)
    return Table(title, cells, total, len(hidden))


def withheld(parties: Mapping[str, set[str]], k: int) -> set[str]:
    """The lines that are not told, as `table` says, of lines with their parties."""
    hidden = {label for label, named in parties.items() if len(named) < k}
    while hidden and (len(hidden) == 1 or len(_all(parties[label] for label in hidden)) < k):
        left = sorted((len(named), label) for label, named in parties.items() if label not in hidden)
        if not left:
            break
        hidden.add(left[0][1])
    return hidden


def _all(named: Iterable[set[str]]) -> set[str]:
    return set().union(*named)
