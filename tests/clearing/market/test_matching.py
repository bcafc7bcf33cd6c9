"""Matching: filters with their counts, components by a table, the score against fractions, the order, what is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clearing.errors import WrongMove
from clearing.market.demand.demand import Budget
from clearing.market.demand.demand import Move as DemandMoves
from clearing.market.listing import Listing, Move, PriceRegime, ProductType, VenueClass
from clearing.market.matching import overlap, service, store
from clearing.market.matching.score import (
    FILTERS,
    KEPT,
    MEASURES,
    Credit,
    Measure,
    Need,
    Offer,
    filtered,
    inputs_of,
    price_of,
    rank,
    scored_of,
)
from clearing.market.product import (
    Circulation,
    Commerce,
    DataField,
    Environment,
    Level,
    Masking,
    Mode,
    Period,
    Proceeds,
    Quality,
    QualityGrade,
    Security,
    SellerKind,
    UseTerms,
)
from registry.asset import DataForm, Twin
from registry.calendar import day_of
from registry.tables import CertificateRow
from tests.clearing.market.demands import Desk, demand_of, wanted_of
from tests.clearing.market.house import CONSUMER, DAY, NOW, OPERATOR, PROVIDER, SELLER, House, contents_of, listing_of
from tests.counts import few

ID, TWIN, DAY_ = "a" * 32, Twin("c" * 64, "d" * 64), day_of(NOW)
WEIGHTS = {"subject": 25, "coverage": 15, "quality": 15, "freshness": 10, "form": 10, "scene": 10, "price": 5,
           "credit": 5, "service": 5}  # fmt: skip


def need_of(budget: Budget | None = None, **changes: object) -> Need:
    return Need(demand_of(**changes), DAY_, budget)


def offer_of(number: int = 1, *, value: Listing | None = None, **changes: object) -> Offer:
    digest = Twin(f"{number:064x}", f"{number:064x}")
    return Offer(f"{number:032x}", value or listing_of(), digest, **changes)  # type: ignore[arg-type]


def graded(grade: QualityGrade | None) -> Quality:
    return Quality("演示方案 v1", PROVIDER, "2026-03-01", grade is not None, *([9_000] * 6), grade=grade)


def secured(level: Level = Level.GENERAL, masking: Masking = Masking.NOT_PERSONAL) -> Listing:
    return listing_of(security=Security(level, Circulation.DIRECT, masking))


def value_of(name: str, need: Need, offer: Offer) -> Fraction | None:
    return next(item for item in MEASURES if item.name == name).value(need, offer)


# --- the tables of exchange.md §3.2 ----------------------------------------------------------------------------------


def test_weights_and_filters__are_those_of_the_specification() -> None:
    assert {item.name: item.weight for item in MEASURES} == WEIGHTS
    assert sum(WEIGHTS.values()) == 100
    assert [item.code for item in FILTERS] == ["visibility", "gates", "venue", "mode", "grade", "purpose"]


@pytest.mark.parametrize(
    ("code", "needed", "offered"),
    [
        ("visibility", {}, {"shown": False}),
        ("visibility", {"demander": SELLER}, {}),
        ("gates", {}, {"closed": "G1"}),
        ("gates", {}, {"value": secured(masking=Masking.DEIDENTIFIED)}),
        ("venue", {"public_body": True, "fiscal": True},
         {"value": listing_of(commerce=Commerce(SellerKind.OTHER, "42", "p", Proceeds.OPERATING, "t"))}),
        ("mode", {"modes": (Mode.PUSH,)}, {}),
        ("grade", {}, {"value": secured(Level.IMPORTANT)}),
        ("grade", {}, {"value": listing_of(
            content=contents_of(fields=(DataField("f", "f", "text", Level.IMPORTANT),)))}),
        ("purpose", {"purpose": "营销"}, {}),
    ],
)  # fmt: skip
def test_filter__what_it_stops__counted_under_its_name_alone(
    code: str, needed: dict[str, object], offered: dict[str, object]
) -> None:
    need, stopped, fine = need_of(**needed), offer_of(1, **offered), offer_of(2)  # type: ignore[arg-type]
    left, removed = filtered(need, [stopped])
    assert left == []
    assert [(item.code, item.count) for item in removed if item.count] == [(code, 1)]
    assert filtered(need_of(), [fine])[0] == [fine]


@pytest.mark.parametrize(
    ("needed", "offered"),
    [
        ({"personal": True}, {"value": secured(masking=Masking.PLAIN)}),
        ({"modes": ()}, {}),
        ({"ceiling": Level.IMPORTANT},
         {"value": secured(Level.IMPORTANT)}),
        ({"public_body": True, "fiscal": True}, {"value": listing_of(
            venue=VenueClass.REQUIRED, commerce=Commerce(SellerKind.OTHER, "42", "p", Proceeds.OPERATING, "t"))}),
        ({"public_body": True, "fiscal": True}, {}),
    ],
)  # fmt: skip
def test_filter__what_it_lets_through(needed: dict[str, object], offered: dict[str, object]) -> None:
    offer = offer_of(1, **offered)  # type: ignore[arg-type]
    assert filtered(need_of(**needed), [offer])[0] == [offer]


F = Fraction
COMPONENTS: list[tuple[str, dict[str, object], dict[str, object], Fraction | None]] = [
    # the demand, the listing's content or other changes, the value worked out by hand
    ("subject", {"wanted": wanted_of(fields=())}, {}, F(1)),
    ("subject", {"sector": "G55", "wanted": wanted_of(fields=())}, {}, F(3, 4)),
    ("subject", {"sector": "J66", "wanted": wanted_of(fields=())}, {}, F(1, 2)),
    ("subject", {"sector": "J66", "wanted": wanted_of(theme="气象", fields=())}, {}, F(0)),
    ("subject", {"sector": "J66", "wanted": wanted_of(theme="航空气象", fields=())}, {}, F(1, 6)),  # 航空 of 3 pairs
    ("subject", {"wanted": wanted_of(fields=("出发机场", "气象"))}, {}, F(5, 6)),  # (1 + 1 + ½) / 3
    ("subject", {"wanted": wanted_of(fields=("机场延误",))}, {}, F(7, 9)),  # best field shares 1 of 3 pairs
    ("coverage", {}, {}, F(1)),
    ("coverage", {"wanted": wanted_of(time_from="2025-07-01", time_to="2026-06-30")}, {}, F(184, 365)),
    ("coverage", {"wanted": wanted_of(time_from="2026-01-01", time_to="2026-01-01")}, {}, F(0)),
    ("coverage", {"wanted": wanted_of(region="湖北省、湖南")}, {"region": "湖北"}, F(1, 2)),
    ("coverage", {"wanted": wanted_of(region="全国")}, {"region": "湖北省"}, F(1, 31)),
    ("coverage", {"wanted": wanted_of(region="香港")}, {"region": "全国"}, F(0)),
    ("coverage", {"wanted": wanted_of(region="武汉市")}, {"region": "湖北"}, None),
    ("coverage", {"wanted": wanted_of(region="武汉市")}, {"region": "武汉市"}, F(1)),
    ("coverage", {"wanted": wanted_of(region="", time_from="", time_to="")}, {}, None),
    ("coverage", {"wanted": wanted_of(region="湖北", time_from="", time_to="")}, {"region": "全国"}, F(1)),
    ("coverage", {"wanted": wanted_of(region="湖北、湖南", time_from="2024-07-02", time_to="2025-06-30")},
     {"region": "湖南"}, F(181, 728)),
    ("freshness", {}, {}, F(1)),
    ("freshness", {"wanted": wanted_of(period=Period.HOUR)}, {}, F(1, 24)),
    ("freshness", {"wanted": wanted_of(period=Period.YEAR)}, {}, F(1)),
    ("freshness", {"wanted": wanted_of(period=Period.DAY)}, {"period": Period.WEEK}, F(1, 7)),
    ("freshness", {"wanted": wanted_of(period=Period.DAY)}, {"period": Period.NEVER}, F(0)),
    ("freshness", {"wanted": wanted_of(period=Period.NEVER)}, {"period": Period.NEVER}, F(1)),
    ("freshness", {"wanted": wanted_of(period=None)}, {}, None),
    ("form", {}, {}, F(1)),
    ("form", {"output": (ProductType.DATASET,)}, {}, F(2, 3)),
    ("form", {"output": (ProductType.DATASET,), "environments": (Environment.TEE,)}, {}, F(1, 3)),
    ("form", {"modes": (), "environments": (), "wanted": wanted_of(forms=(DataForm.VIDEO, DataForm.TABLE))}, {}, F(1)),
    ("form", {"modes": (), "environments": ()}, {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "needed", "content", "expected"), COMPONENTS)
def test_component__by_hand(
    name: str, needed: dict[str, object], content: dict[str, object], expected: Fraction | None
) -> None:
    value = listing_of(content=contents_of(**content), name="航空运输", overview="演示")
    assert value_of(name, need_of(**needed), offer_of(value=value)) == expected  # type: ignore[arg-type]


def test_component__quality_scene_price_credit_service__by_hand() -> None:
    grades = {None: None, "A": F(1), "B": F(4, 5), "C": F(3, 5), "D": F(2, 5), "E": F(1, 5)}
    for grade, expected in grades.items():
        quality = graded(QualityGrade(grade) if grade else None)
        assert value_of("quality", need_of(), offer_of(value=listing_of(quality=quality))) == expected
    assert value_of("quality", need_of(), offer_of()) is None
    scened = offer_of(value=listing_of(use=UseTerms(("research",), (Environment.OWN,), ("场景一",))))
    assert [value_of("scene", need_of(scenario=text), scened) for text in ("", "场景一", "场景二")] == [
        None,
        1,
        F(1, 2),
    ]
    for price, high, expected_ in ((0, 0, F(1)), (100, 100, F(1)), (101, 100, F(100, 101)), (400, 100, F(1, 4)),
                                   (1, 0, F(0))):  # fmt: skip
        assert value_of("price", need_of(Budget(0, high)), offer_of(price_fen=price)) == expected_
    assert value_of("price", need_of(), offer_of(price_fen=1)) is None
    assert value_of("price", need_of(Budget(0, 5)), offer_of()) is None
    assert [value_of("credit", need_of(), offer_of(credit=grade)) for grade in (None, *Credit)] == [
        None, 1, F(4, 5), F(3, 5), F(2, 5), F(1, 5), 0,
    ]  # fmt: skip
    for service_, expected_ in (((999, 1000), F(999, 1000)), ((1001, 1000), F(1)), ((0, 5), F(0))):
        assert value_of("service", need_of(), offer_of(service=service_)) == expected_
    assert value_of("service", need_of(), offer_of()) is None


def test_areas__names_with_and_without_their_ends__what_is_not_a_province_is_not_read() -> None:
    assert len(overlap.MAINLAND) == 31
    assert overlap.areas_of("湖北省，湖南 新疆维吾尔自治区") == {"湖北", "湖南", "新疆"}
    assert overlap.areas_of("全国、香港特别行政区") == overlap.MAINLAND | {"香港"}
    for text in ("", "武汉市", "湖北省武汉市", "湖北、武汉", "华中"):
        assert overlap.areas_of(text) is None, text


def test_price__only_that_of_what_is_free() -> None:
    assert price_of(listing_of(regime=PriceRegime.GRATIS)) == 0
    assert price_of(listing_of()) is None


# --- the score, against fractions ------------------------------------------------------------------------------------

shares = st.one_of(st.none(), st.fractions(0, 1, max_denominator=10**6))


def oracle(values: list[Fraction | None]) -> tuple[str, list[str]]:
    """By fractions alone: Python rounds a Fraction half to even, exactly."""
    rounded = [None if value is None else round(value, 4) for value in values]
    pairs = [(weight, value) for weight, value in zip(WEIGHTS.values(), rounded, strict=True) if value is not None]
    weights = sum(weight for weight, _ in pairs)

    def text(value: Fraction, places: int) -> str:
        whole, rest = divmod(int(value * 10**places), 10**places)
        return f"{whole}.{rest:0{places}d}"

    score = text(round(100 * sum((w * v for w, v in pairs), Fraction(0)) / weights, 2), 2) if weights else ""
    return score, ["" if value is None else text(value, 4) for value in rounded]


def scored(values: list[Fraction | None], patch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    made = tuple(
        Measure(item.name, item.zh, item.weight, item.source, lambda need, offer, value=value: value)
        for item, value in zip(MEASURES, values, strict=True)
    )
    with patch.context() as inner:
        inner.setattr("clearing.market.matching.score.MEASURES", made)
        score, components = scored_of(need_of(), offer_of())
    return "" if score is None else str(score), [item.value for item in components]


@examples(max_examples=few(300), deadline=None)
@given(values=st.lists(shares, min_size=9, max_size=9))
def test_score__as_fractions_have_it(values: list[Fraction | None]) -> None:
    assert scored(values, pytest.MonkeyPatch()) == oracle(values)


@pytest.mark.parametrize(
    ("values", "score"),
    [
        ([F(1)] * 9, "100.00"), ([F(0)] * 9, "0.00"), ([None] * 9, ""), ([*[None] * 7, F(1, 2), None], "50.00"),
        ([F(1, 3), *[None] * 8], "33.33"), ([F(1, 8), *[None] * 8], "12.50"),
        ([F(25, 200_000), *[None] * 8], "0.01"),  # 0.000125 → 0.0001, half even at four decimals
        ([F(35, 100_000), *[None] * 8], "0.04"),  # 0.00035 → 0.0004
    ],
)  # fmt: skip
def test_score__by_hand(values: list[Fraction | None], score: str) -> None:
    assert scored(values, pytest.MonkeyPatch())[0] == score


@examples(max_examples=few(150), deadline=None)
@given(
    values=st.lists(shares, min_size=9, max_size=9), place=st.integers(0, 8),
    more=st.fractions(0, 1, max_denominator=1_000),
)  # fmt: skip
def test_score__a_better_component__never_scores_less(values: list[Fraction | None], place: int, more: F) -> None:
    before = values[place]
    if before is None:
        return
    better = [*values[:place], min(F(1), before + more), *values[place + 1 :]]
    patch = pytest.MonkeyPatch()
    assert Decimal(scored(better, patch)[0]) >= Decimal(scored(values, patch)[0])


@examples(max_examples=few(60), deadline=None)
@given(
    days=st.tuples(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(0, 900)),
    there=st.tuples(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(0, 900)),
)  # fmt: skip
def test_days__share__counted_day_by_day(days: tuple[date, int], there: tuple[date, int]) -> None:
    def span(item: tuple[date, int]) -> set[int]:
        return set(range(item[0].toordinal(), item[0].toordinal() + item[1] + 1))

    ends = [(item[0], date.fromordinal(item[0].toordinal() + item[1])) for item in (days, there)]
    expected = Fraction(len(span(days) & span(there)), len(span(days)))
    assert overlap.share_of_days(ends[0], ends[1]) == expected


@examples(max_examples=few(60), deadline=None)
@given(
    wanted=st.text("航空运输ab 1", max_size=8),
    there=st.text("航空运输ab 1", max_size=12),
    more=st.text("航空", max_size=4),
)
def test_text__more_words_there__never_less_of_what_is_wanted(wanted: str, there: str, more: str) -> None:
    less, full = overlap.share_of_text(wanted, there), overlap.share_of_text(wanted, f"{there} {more}")
    assert (less is None) is (full is None) is (not overlap.pairs_of(wanted))
    if less is not None and full is not None:
        assert 0 <= less <= full <= 1
        assert overlap.share_of_text(wanted, f"{there} {wanted}") == 1


# --- the order -------------------------------------------------------------------------------------------------------


@examples(max_examples=few(40), deadline=None)
@given(st.permutations(range(12)))
def test_order__by_score_then_by_digest__whatever_the_order_of_the_shelf(order: list[int]) -> None:
    regions = ("全国", "湖北", "武汉市")
    offers = [
        offer_of(n + 1, value=listing_of(content=contents_of(region=regions[n % 3]))) for n in range(12)
    ]  # fmt: skip
    need = need_of(wanted=wanted_of(region="湖北"))
    found = rank(ID, TWIN, need, [offers[n] for n in order])
    keys = [(-Decimal(item.score), item.digest.sha256) for item in found.ranked]
    assert keys == sorted(keys)
    assert found == rank(ID, TWIN, need, offers)
    assert (found.looked, found.left) == (12, 12)


def test_order__without_any_value__last_and_at_most_fifty_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def value(need: Need, offer: Offer) -> Fraction | None:
        return None if int(offer.id, 16) % 2 else Fraction(0)

    monkeypatch.setattr("clearing.market.matching.score.MEASURES", (Measure("x", "x", 1, "x", value),))
    found = rank(ID, TWIN, need_of(), [offer_of(n) for n in range(1, 8)])
    assert [item.score for item in found.ranked] == ["0.00"] * 3 + [""] * 4
    found = rank(ID, TWIN, need_of(), [offer_of(n) for n in range(1, 120)])
    assert (len(found.ranked), found.left) == (KEPT, 119)


def test_inputs__every_one_changes_the_digest() -> None:
    base = inputs_of(TWIN, need_of(), [offer_of(1)])
    others = [
        inputs_of(Twin("e" * 64, "d" * 64), need_of(), [offer_of(1)]),
        inputs_of(TWIN, need_of(Budget(1, 2)), [offer_of(1)]),
        inputs_of(TWIN, replace(need_of(), day=day_of(NOW + DAY)), [offer_of(1)]),
        inputs_of(TWIN, need_of(), [offer_of(1), offer_of(2)]),
        *(inputs_of(TWIN, need_of(), [offer_of(1, **{name: value})])  # type: ignore[arg-type]
          for name, value in (("shown", False), ("closed", "G1"), ("price_fen", 0), ("credit", Credit.A),
                              ("service", (1, 2)))),
    ]  # fmt: skip
    assert len({base.sha256, *(item.sha256 for item in others)}) == len(others) + 1


# --- through the service ---------------------------------------------------------------------------------------------


def test_ranking__kept_under_the_system_key__and_the_same_when_computed_again(house: House) -> None:
    desk = Desk(house)
    first = house.listed()
    second = house.listed(product="8" * 32, name="气象数据", content=contents_of(industry="J66", theme="气象"))
    gone = house.listed(product="9" * 32)
    house.review(gone, Move.SUSPEND, reason="核查")
    demand = desk.state()
    desk.budget(demand, 0, 100)
    taken = service.take_ranking(house.session, demand, signer=house.operator, at=NOW)
    row, body = store.ranking(house.session, demand, 0)
    assert (row.fact_id, row.scored) == (taken.fact.id, 2)
    assert [item.listing for item in body.ranked] == [first, second]
    assert body == service.match(house.session, demand, at=NOW + 5)
    assert {item.code: item.count for item in body.removed if item.count} == {"visibility": 1}
    assert {part.name for part in body.ranked[0].components if not part.value} == {
        "quality", "scene", "price", "credit", "service",
    }  # fmt: skip
    [signature] = taken.fact.signatures
    assert (signature.by, signature.role) == (f"party:{OPERATOR}", "system")
    again = service.take_ranking(house.session, demand, signer=house.operator, at=NOW + 1)
    assert (again.fact, again.replayed) == (taken.fact, True)  # nothing it rests on has changed
    desk.budget(demand, 0, 101)
    service.take_ranking(house.session, demand, signer=house.operator, at=NOW + 1)
    assert [item.no for item in store.rankings(house.session, demand)] == [1, 0]


def test_ranking__record_of_the_service_level__counts_and_is_part_of_what_it_rests_on(house: House) -> None:
    desk = Desk(house)
    product = listing_of().product
    house.listed()
    demand = desk.state()
    blank = service.match(house.session, demand, at=NOW)
    for record, value in (((999, 1000), "0.9990"), ((1001, 1000), "1.0000"), ((1, 3), "0.3333")):
        body = service.match(house.session, demand, at=NOW, records={product: record})
        assert {part.name: part.value for part in body.ranked[0].components}["service"] == value
        assert body.inputs != blank.inputs
    taken = service.take_ranking(house.session, demand, signer=house.operator, at=NOW, records={product: (1, 2)})
    again = service.take_ranking(house.session, demand, signer=house.operator, at=NOW, records={product: (1, 2)})
    assert (again.replayed, again.fact.id) == (True, taken.fact.id)
    assert not service.take_ranking(house.session, demand, signer=house.operator, at=NOW).replayed


def test_ranking__published_grade_of_the_seller__counts_and_is_part_of_what_it_rests_on(house: House) -> None:
    desk = Desk(house)
    house.listed()
    demand = desk.state()
    seller = listing_of().seller
    blank = service.match(house.session, demand, at=NOW)
    assert blank.rules == "matching/2"
    for grade, value in (("AAA", "1.0000"), ("B", "0.4000"), ("D", "0.0000")):
        body = service.match(house.session, demand, at=NOW, grades={seller: grade})
        assert {part.name: part.value for part in body.ranked[0].components}["credit"] == value
        assert body.inputs != blank.inputs
    other = service.match(house.session, demand, at=NOW, grades={"X": "D"})
    assert other.inputs == blank.inputs


def test_ranking__certificate_gone_or_demand_ended__said(house: House) -> None:
    desk = Desk(house)
    house.listed()
    demand = desk.state()
    house.session.get_one(CertificateRow, (listing_of().certificate, 1)).valid_until = NOW - 1
    house.session.flush()
    body = service.match(house.session, demand, at=NOW)
    assert {item.code: item.count for item in body.removed if item.count} == {"gates": 1}
    desk.move(demand, DemandMoves.WITHDRAW, CONSUMER)
    with pytest.raises(WrongMove):
        service.take_ranking(house.session, demand, signer=house.operator, at=NOW)
