"""The matching score: hard filters first, then S = 100 × Σ w·c / Σ w over the components that have a value.

c is in [0, 1] with four decimals, S has two, both rounded half even with `Decimal`. Everything that decided is told:
each component with weight, value and source, how many products each filter removed, and in which order. Source:
exchange.md §3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction

from clearing.market.demand.demand import Budget, Demand
from clearing.market.gates import INDUSTRIES, highest_level, is_personal
from clearing.market.listing import Listing, PriceRegime, VenueClass
from clearing.market.matching.overlap import (
    AREAS,
    DICTIONARY,
    share_of_area,
    share_of_days,
    share_of_fields,
    share_of_text,
)
from clearing.market.product import LEVEL_ORDER, Period, QualityGrade, day_from
from clearing.market.venue import Buyer, venue_of
from ledger import canonical
from ledger.digest import twin
from registry.asset import Twin

MATCH_RANKING = "match-ranking/v1"
RULES = "matching/2"
"""Name and version of the rule set: filters, components, weights. Since 2 the credit grade in force counts; until then
nobody had one."""
DICTIONARIES = (INDUSTRIES.id, DICTIONARY, AREAS)
KEPT = 50
"""At most so many products stand in a ranking."""
HOUR = 3_600
SECONDS: Mapping[Period, int] = {
    Period.SECOND: 1,
    Period.MINUTE: 60,
    Period.HOUR: HOUR,
    Period.DAY: 24 * HOUR,
    Period.WEEK: 7 * 24 * HOUR,
    Period.MONTH: 30 * 24 * HOUR,
    Period.YEAR: 365 * 24 * HOUR,
}
"""Lengths of the periods of update (P: a month of 30 days, a year of 365)."""
QUALITY: Mapping[QualityGrade, Fraction] = {
    grade: Fraction(5 - place, 5) for place, grade in enumerate(QualityGrade)
}  # fmt: skip


class Credit(StrEnum):
    """Credit grades of exchange.md §8.3, best first; whoever is unrated has none."""

    AAA = "AAA"
    AA = "AA"
    A = "A"
    B = "B"
    C = "C"
    D = "D"


CREDIT: Mapping[Credit, Fraction] = {grade: Fraction(5 - place, 5) for place, grade in enumerate(Credit)}


@dataclass(frozen=True, slots=True)
class Need:
    """A demand with its private budget, on the day it is matched."""

    demand: Demand
    day: date
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A listing with its statement digest and what is known of it: why it cannot be ordered ("": it can) and by which
    gate, its price for the whole in fen, the seller's credit, and its service level as (achieved, target)."""

    id: str
    listing: Listing
    digest: Twin
    shown: bool = True
    closed: str = ""
    price_fen: int | None = None
    credit: Credit | None = None
    service: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """One hard filter: its code, what it asks in both tongues, and the question."""

    code: str
    zh: str
    en: str
    passes: Callable[[Need, Offer], bool]


@dataclass(frozen=True, slots=True)
class Measure:
    """One component: its name in both tongues, its weight, where its value comes from, and the value or None (未评)."""

    name: str
    zh: str
    weight: int
    source: str
    value: Callable[[Need, Offer], Fraction | None]


@dataclass(frozen=True, slots=True)
class Component:
    """A component as it was judged: `value` with four decimals, "" for 未评."""

    name: str
    weight: int
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """One product of a ranking: `digest` is that of its listing's statement, `score` has two decimals, "" for 未评."""

    listing: str
    product: str
    version: int
    name: str
    digest: Twin
    score: str
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """How many products a filter removed, of those the filters before it left."""

    code: str
    zh: str
    en: str
    count: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Body of match-ranking/v1: what the matching of one demand answered, so that it can be computed again.

    `looked` products stood on the shelf, `removed` says what became of them, `left` were scored and the first of them
    are in `ranked`. `inputs` is the twin digest of everything that was asked: the demand, its budget, each listing by
    its digest with what was known of it, the day.
    """

    demand: str
    demander: str
    digest: Twin
    rules: str
    dictionaries: tuple[str, ...]
    inputs: Twin
    looked: int
    removed: tuple[Removed, ...]
    left: int
    ranked: tuple[Ranked, ...]


def rank(identity: str, digest: Twin, need: Need, offers: Iterable[Offer]) -> Ranking:
    """The ranking of these offers for the demand `identity`, whose statement digest is `digest`.

    Higher scores first, equal ones by the listing's digest, products without any value last.
    """
    asked = list(offers)
    left, removed = filtered(need, asked)
    scored = [(score, offer, components) for offer in left for score, components in (scored_of(need, offer),)]
    scored.sort(key=lambda item: (item[0] is None, -(item[0] or Decimal(0)), item[1].digest.sha256, item[1].id))
    ranked = tuple(
        Ranked(
            offer.id, offer.listing.product, offer.listing.version, offer.listing.name, offer.digest,
            "" if score is None else str(score), components,
        )
        for score, offer, components in scored[:KEPT]
    )  # fmt: skip
    return Ranking(
        identity, need.demand.demander, digest, RULES, DICTIONARIES, inputs_of(digest, need, asked), len(asked),
        removed, len(left), ranked,
    )  # fmt: skip


def filtered(need: Need, offers: Sequence[Offer]) -> tuple[list[Offer], tuple[Removed, ...]]:
    """What the hard filters leave, and how many each removed."""
    left, removed = list(offers), []
    for item in FILTERS:
        kept = [offer for offer in left if item.passes(need, offer)]
        removed.append(Removed(item.code, item.zh, item.en, len(left) - len(kept)))
        left = kept
    return left, tuple(removed)


def scored_of(need: Need, offer: Offer) -> tuple[Decimal | None, tuple[Component, ...]]:
    """S with two decimals, None without any value, and every component."""
    total, weights, components = Decimal(0), 0, []
    for measure in MEASURES:
        value = measure.value(need, offer)
        rounded = None if value is None else _rounded(value, "0.0001")
        components.append(
            Component(measure.name, measure.weight, "" if rounded is None else str(rounded), measure.source)
        )
        if rounded is not None:
            total += measure.weight * rounded
            weights += measure.weight
    if not weights:
        return None, tuple(components)
    return (100 * total / weights).quantize(Decimal("0.01"), ROUND_HALF_EVEN), tuple(components)


def inputs_of(digest: Twin, need: Need, offers: Sequence[Offer]) -> Twin:
    """The twin digest of everything a ranking was computed from."""
    budget = need.budget
    document = {
        "budget": [budget.low_fen, budget.high_fen] if budget else [],
        "day": need.day.isoformat(),
        "demand": digest.sha256,
        "offers": [
            {
                "closed": offer.closed, "credit": offer.credit or "", "digest": offer.digest.sha256, "id": offer.id,
                "price": -1 if offer.price_fen is None else offer.price_fen, "service": list(offer.service or ()),
                "shown": offer.shown,
            }
            for offer in sorted(offers, key=lambda item: item.id)
        ],
        "rules": RULES,
    }  # fmt: skip
    return Twin.of(twin(canonical.encode(document)))


def _rounded(value: Fraction, places: str) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal(places), ROUND_HALF_EVEN)


# The filters, in the order of §3.2.


def _visible(need: Need, offer: Offer) -> bool:
    return offer.shown and offer.listing.seller != need.demand.demander


def _gates(need: Need, offer: Offer) -> bool:
    """G1, G9 and G11 as the register has them now; G4: no personal data for who needs none."""
    return not offer.closed and (need.demand.personal or not is_personal(offer.listing))


def _venue(need: Need, offer: Offer) -> bool:
    """Whoever must buy on an exchange is shown what is traded there only."""
    commerce, buyer = offer.listing.commerce, Buyer(need.demand.public_body, need.demand.fiscal)
    venue, _ = venue_of(need.day, commerce.jurisdiction, commerce.operation, commerce.seller_kind, buyer)
    return venue is VenueClass.OPEN or offer.listing.venue is VenueClass.REQUIRED


def _mode(need: Need, offer: Offer) -> bool:
    return not need.demand.modes or bool(set(need.demand.modes) & set(offer.listing.delivery.modes))


def _level(need: Need, offer: Offer) -> bool:
    return LEVEL_ORDER[highest_level(offer.listing)] <= LEVEL_ORDER[need.demand.ceiling]


def _purpose(need: Need, offer: Offer) -> bool:
    return need.demand.purpose in offer.listing.use.purposes


FILTERS: tuple[Filter, ...] = (
    Filter("visibility", "可订购且非本方产品", "on offer, and not one's own", _visible),
    Filter("gates", "准入条件 G1、G4、G9、G11", "gates G1, G4, G9, G11", _gates),
    Filter("venue", "交易场所", "venue", _venue),
    Filter("mode", "交付方式", "delivery mode", _mode),
    Filter("grade", "数据分级不高于上限", "level within the ceiling", _level),
    Filter("purpose", "用途", "purpose", _purpose),
)


# The components, in the order of §3.2.


def _subject(need: Need, offer: Offer) -> Fraction | None:
    """The mean of industry (same division 1, same section one half), theme and, if fields are wanted, fields."""
    demand, content = need.demand, offer.listing.content
    same = demand.sector == content.industry
    industry = Fraction(1) if same else Fraction(int(demand.sector[0] == content.industry[0]), 2)
    theme = share_of_text(demand.wanted.theme, " ".join((content.theme, offer.listing.name, *content.tags)))
    fields = share_of_fields(demand.wanted.fields, (f"{item.name} {item.meaning}" for item in content.fields))
    return _mean([industry, theme, fields])


def _coverage(need: Need, offer: Offer) -> Fraction | None:
    """(time ∩ / needed) × (area ∩ / needed); what is not needed is no factor, what cannot be read makes it 未评."""
    wanted, content = need.demand.wanted, offer.listing.content
    factors: list[Fraction | None] = []
    if wanted.time_from:
        days = [day_from(text, "time") for text in (wanted.time_from, wanted.time_to)]
        there = [day_from(text, "time") for text in (content.time_from, content.time_to)]
        factors.append(share_of_days((days[0], days[1]), (there[0], there[1])))
    if wanted.region:
        factors.append(share_of_area(wanted.region, content.region))
    product = Fraction(1)
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product if factors else None


def _quality(need: Need, offer: Offer) -> Fraction | None:
    quality = offer.listing.quality
    return QUALITY[quality.grade] if quality and quality.grade else None


def _freshness(need: Need, offer: Offer) -> Fraction | None:
    needed, actual = need.demand.wanted.period, offer.listing.content.period
    if needed is None:
        return None
    if needed is Period.NEVER:
        return Fraction(1)
    if actual is Period.NEVER:
        return Fraction(0)
    return min(Fraction(1), Fraction(SECONDS[needed], SECONDS[actual]))


def _form(need: Need, offer: Offer) -> Fraction | None:
    """The share of what was asked about form that is met: product type, data form, delivery, environment."""
    demand, listing = need.demand, offer.listing
    asked = (
        (demand.output, {listing.type}),
        (demand.wanted.forms, {listing.content.form}),
        (demand.modes, set(listing.delivery.modes)),
        (demand.environments, set(listing.use.environments)),
    )
    return _mean([Fraction(int(bool(set(wanted) & there))) for wanted, there in asked if wanted])


def _scene(need: Need, offer: Offer) -> Fraction | None:
    """1 for a scene the product was assessed for, one half for one it could be."""
    scenario = need.demand.scenario
    if not scenario:
        return None
    return Fraction(1) if scenario in offer.listing.use.scenes else Fraction(1, 2)


def _price(need: Need, offer: Offer) -> Fraction | None:
    if need.budget is None or offer.price_fen is None:
        return None
    return Fraction(1) if offer.price_fen <= need.budget.high_fen else Fraction(need.budget.high_fen, offer.price_fen)


def _credit(need: Need, offer: Offer) -> Fraction | None:
    return CREDIT[offer.credit] if offer.credit else None


def _service(need: Need, offer: Offer) -> Fraction | None:
    return None if offer.service is None else min(Fraction(1), Fraction(*offer.service))


MEASURES: tuple[Measure, ...] = (
    Measure("subject", "主题", 25, f"上架的行业、主题、标签与字段；{INDUSTRIES.id}、{DICTIONARY}", _subject),
    Measure("coverage", "覆盖", 15, f"上架的时间与地域；{AREAS}", _coverage),
    Measure("quality", "质量", 15, "上架的质量等级", _quality),
    Measure("freshness", "时效", 10, "上架的更新周期", _freshness),
    Measure("form", "形式与方式", 10, "上架的类型、形态、交付与环境", _form),
    Measure("scene", "场景与用途", 10, "上架的已评估场景", _scene),
    Measure("price", "价格", 5, "免费产品为 0；其余产品挂牌不含价格", _price),
    Measure("credit", "信用", 5, "卖方已发布的现行信用等级（K-01）；未评级无值", _credit),
    Measure("service", "服务水平记录", 5, "上一自然月可用性，达成/公布的目标", _service),
)


def price_of(listing: Listing) -> int | None:
    """The price a listing itself tells, fen: none but that of what is free."""
    return 0 if listing.regime is PriceRegime.GRATIS else None


def _mean(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    return sum(known, Fraction(0)) / len(known) if known else None
