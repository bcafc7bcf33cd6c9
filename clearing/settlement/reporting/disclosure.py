"""年度披露: what everybody is told of a year, naming nobody and telling of fewer than ten parties nothing.

There is one disclosure of a year, as of a second that the definition fixes: two of different seconds would tell the
deal that was settled between them. Money and parties stand in one table, a line for each product class with each
delivery mode, under the rule of the supervisor's totals: two tables over the same deals, by class and by mode, could
be held against each other. Everything else counts what happened, and is told where the parties it could have happened
to are ten or more. Source: domain clearing §11 (annual disclosure, due by the end of March; 对账成功率), §12 invariant
27; 监督披露 of DB31DSJ/Z 006—2026 8.3.4 as read there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from clearing.errors import BadTerms
from clearing.market.listing import TYPE_NAMES
from clearing.market.product import MODE_NAMES
from clearing.settlement.dispute.opening import State, Topic
from clearing.settlement.reporting import activity
from clearing.settlement.reporting.activity import Window, window_of
from clearing.settlement.reporting.assessment import withheld
from clearing.settlement.reporting.credit import Component, What, decimals, inputs_of
from clearing.settlement.reporting.definitions import DEFINITIONS, Code, Definition, in_force
from clearing.settlement.reporting.material import Deal, Disputed, Material
from clearing.terms import Period
from clearing.usage.service_level import measure
from registry.calendar import add_months, start_of

LEFT_OUT = ("公共数据收入（另立非税收入台账） revenue of public data, in a book of its own",)
"""What an annual disclosure would also say and this one does not."""
UNKNOWN = "未归类"
TOPIC_NAMES: Mapping[Topic, str] = {Topic.DELIVERY: "交付", Topic.USE: "使用", Topic.STATEMENT: "账单"}
ENDINGS: Mapping[State, str] = {State.SETTLED: "和解", State.DECIDED: "裁决", State.WITHDRAWN: "撤回"}


@dataclass(frozen=True, slots=True)
class Line:
    """The settled deals of one product class and delivery mode: parties, orders (one agreement's account period each)
    and fen, tax included; None for all three where it is not told."""

    product_class: str
    mode: str
    parties: int | None
    orders: int | None
    amount: int | None


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened; None where it is not told."""

    label: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Section:
    """Counts among `parties` parties, None where these are too few to be told anything of; `rate` in per cent and
    `exact` as n or n/d, "" where there is none."""

    title: str
    parties: int | None
    counts: tuple[Count, ...]
    rate_name: str = ""
    rate: str = ""
    exact: str = ""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The disclosure of a year as of a second, by the versions named; `hidden` lines of the deals are not told."""

    definitions: tuple[Definition, ...]
    year: str
    start: int
    end: int
    as_of: int
    k: int
    deals: tuple[Line, ...]
    total: Line
    hidden: int
    sections: tuple[Section, ...]
    left_out: tuple[str, ...] = LEFT_OUT


def year_of(name: str) -> Window:
    """The window of a year `YYYY`. Raises `BadTerms`."""
    window = window_of(name)
    if "-" in name:
        raise BadTerms("year", "YYYY", name[:20])
    return window


def disclosed_as_of(window: Window, catalogue: Sequence[Definition] = DEFINITIONS) -> int:
    """The second the disclosure of a year is of: the last one of the month the definition says. Raises `BadTerms` for
    a year before the definition's first day."""
    definition = in_force(Code.DISCLOSURE, window.now.end - 1, catalogue)
    after = date(int(window.now.name) + 1, 1, 1)
    return start_of(add_months(after, definition.numbers["months"])) - 1


def disclosure(material: Material, window: Window, catalogue: Sequence[Definition] = DEFINITIONS) -> Disclosure:
    """The disclosure of a year from the facts of the material. Raises `BadTerms` before a definition's first day."""
    definition = in_force(Code.DISCLOSURE, window.now.end - 1, catalogue)
    rules = (definition, *(in_force(code, material.as_of, catalogue) for code in (Code.CREDIT, Code.RECONCILED)))
    k, year = definition.numbers["k"], window.now
    deals = activity.counted(material, year)
    rows = _by_class_and_mode(material, deals)
    hidden = withheld({label: _parties(items) for label, items in rows.items()}, k)
    lines = tuple(_line(label, rows[label], told=label not in hidden) for label in sorted(rows))
    total = _line("/", deals, told=len(_parties(deals)) >= k)
    sections = (_reconciled(material, year, k), _paid(material, year, k, catalogue), _disputed(material, year, k),
                _faults(material, year, k))  # fmt: skip
    return Disclosure(
        rules, year.name, year.start, year.end, material.as_of, k, lines, total, len(hidden), sections
    )  # fmt: skip


def class_name(line: Line) -> str:
    """What a line's product class is called."""
    return {kind.value: name for kind, name in TYPE_NAMES.items()}.get(line.product_class, UNKNOWN)


def mode_name(line: Line) -> str:
    """What a line's delivery mode is called."""
    return MODE_NAMES.get(line.mode, UNKNOWN)


def _by_class_and_mode(material: Material, deals: Sequence[Deal]) -> dict[str, list[Deal]]:
    classes = {one.id: one.value.type.value for one in material.listings}
    rows: dict[str, list[Deal]] = {}
    for deal in deals:
        label = f"{classes.get(deal.listing, '')}/{material.modes.get(deal.agreement, '')}"
        rows.setdefault(label, []).append(deal)
    return rows


def _parties(deals: Sequence[Deal]) -> set[str]:
    return {party for deal in deals for party in (deal.buyer, deal.payee)}


def _line(label: str, deals: Sequence[Deal], *, told: bool) -> Line:
    kind, _, mode = label.partition("/")
    if not told:
        return Line(kind, mode, None, None, None)
    return Line(
        kind, mode, len(_parties(deals)), len({deal.order for deal in deals}), sum(deal.amount for deal in deals)
    )  # fmt: skip


def _reconciled(material: Material, year: Period, k: int) -> Section:
    """Account periods that ended in the year, by their last reading (K-08 over everybody)."""
    readings = [one for one in material.readings if year.start < one.body.end <= year.end]
    ok = sum(one.ok for one in readings)
    counts = {"一致的账期": ok, "有差异的账期": len(readings) - ok}
    return _section("对账", {party for one in readings for party in one.parties}, k, counts, "对账成功率", ok)


def _paid(material: Material, year: Period, k: int, catalogue: Sequence[Definition]) -> Section:
    """Money net payers were to bring by a day of the year, judged as their credit is."""
    rule = in_force(Code.CREDIT, material.as_of, catalogue)
    payers = {one.party for one in material.payments}
    judged = [
        (party, one.what) for party in sorted(payers) for one in inputs_of(material, party, rule)
        if one.component is Component.PAYMENT and one.at in year
    ]  # fmt: skip
    number = {what: sum(found is what for _, found in judged) for what in (What.ON_TIME, What.LATE, What.DEFAULT)}
    counts = {"按时": number[What.ON_TIME], "逾期": number[What.LATE], "逾期未付": number[What.DEFAULT]}
    return _section("付款", {party for party, _ in judged}, k, counts, "按时付款率", number[What.ON_TIME])


def _disputed(material: Material, year: Period, k: int) -> Section:
    """A dispute begins with its complaint; what was decided with nothing given back is not upheld."""
    opened = [one for one in material.disputes if one.case.opened_at in year]
    ended = [one for one in material.disputes if one.case.over and one.case.since in year]
    open_ = [one for one in material.disputes if one.case.opened_at < year.end and not _over_by(one, year.end)]
    counts = {
        "提出的投诉": len(opened),
        **{f"提出：{name}": sum(one.case.complaint.topic is topic for one in opened)
           for topic, name in TOPIC_NAMES.items()},
        "了结的": len(ended),
        **{f"了结：{name}": sum(one.case.state is state for one in ended) for state, name in ENDINGS.items()},
        "其中成立，须退还": sum(bool(one.case.upheld) for one in ended),
        "年末未了结": len(open_),
    }  # fmt: skip
    return _section("投诉与争议", _active(material, year), k, counts)


def _over_by(one: Disputed, end: int) -> bool:
    return one.case.over and one.case.since < end


def _faults(material: Material, year: Period, k: int) -> Section:
    """Incidents that began in the year, contested ones apart; what was taken off the shelf in it."""
    begun = [one for one in material.outages if not one.planned and one.start in year]
    counts = {
        "故障": sum(measure.counts(one) for one in begun),
        "其中已恢复": sum(measure.counts(one) and one.end is not None for one in begun),
        "有争议的故障": sum(not measure.counts(one) for one in begun),
        "停牌或紧急下架": sum(stop.at in year for one in material.listings for stop in one.stops),
    }
    return _section("故障与违规", _active(material, year), k, counts)


def _active(material: Material, year: Period) -> set[str]:
    """Who had a deal or a statement in the year."""
    deals = [deal for deal in material.deals if deal.settled_at in year]
    return _parties(deals) | {one.party for one in material.statements if one.at in year}


def _section(
    title: str, parties: set[str], k: int, counts: Mapping[str, int], rate_name: str = "", good: int = 0
) -> Section:
    """The counts, or that they are not told; the rate is `good` of all of them."""
    if len(parties) < k:
        return Section(title, None, tuple(Count(label, None) for label in counts), rate_name)
    whole = sum(counts.values())
    rate = Fraction(good, whole) if rate_name and whole else None
    return Section(
        title, len(parties), tuple(Count(label, number) for label, number in counts.items()), rate_name,
        "" if rate is None else f"{decimals(100 * rate)}%", "" if rate is None else str(rate),
    )  # fmt: skip
