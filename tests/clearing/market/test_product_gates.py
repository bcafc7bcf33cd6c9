"""The pre-check: every row of its table is shown to fire alone and to be silent otherwise; rules count by date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.market import gates
from clearing.market.gates import RULES, Asked, Weight, defects, over_threshold, stopping, substantive
from clearing.market.listing import Listing, PriceRegime, ProductType, Title, VenueClass
from clearing.market.product import (
    Circulation,
    Commerce,
    DataField,
    DatasetClass,
    ElementForm,
    Environment,
    Grant,
    Level,
    Masking,
    Mode,
    Operation,
    Origin,
    Paper,
    Period,
    Persons,
    Proceeds,
    Provenance,
    PublicPurpose,
    Quality,
    QualityGrade,
    Security,
    SellerKind,
    UseTerms,
)
from clearing.market.sample import Announced, Draw, Group, Measure, Preview, Sample, Statistic
from clearing.market.venue import REGIME_RULES, Buyer, VenueRule, regimes_of, venue_of
from registry.asset import Twin
from registry.calendar import day_of, start_of
from registry.rights import Right, SourceKind
from tests.clearing.market.house import CODE, DAY, NOW, PROVIDER, SELLER, contents_of, listing_of

TWIN = Twin("a" * 64, "b" * 64)
GOOD_NAME = "2025年全国航空运输航班延误数据集"
TODAY = day_of(NOW)
PAPER = Paper("批准文件", "演示主管部门", "2026-01-01", TWIN)
QUALITY = Quality("演示方案 v1", PROVIDER, "2026-03-01", True, 9900, 9900, 9900, 9900, 9900, 9900, QualityGrade.A)
OPERATION = Operation("演示授权〔2025〕1号", "演示数据局", "2025-12-01", "2028-11-30", PublicPurpose.INDUSTRY, "cap-1")
PUBLIC = Provenance(SourceKind.CONTRACT, "授权运营（演示）", Origin.PUBLIC, Grant.SCENE, (PAPER,))
SAMPLE = Sample("e" * 32, 7, TWIN, TWIN, "水印-1", NOW + DAY, TWIN)
DRAWN = Draw(Announced(SELLER, CODE, Twin("4" * 64, "4" * 64), 1000, 10), TWIN, 7, TWIN)


def title(**changes: object) -> Title:
    fields: dict[str, object] = {
        "certificate": CODE, "holder": SELLER, "rights": frozenset(Right), "in_force": True, "reason": "VALID",
        "until": NOW + 900 * DAY, "content": "4" * 64,
    }  # fmt: skip
    return Title(**fields | changes)  # type: ignore[arg-type]


def asked(listing: Listing, *, at: int = NOW, held: Title | None = None, **known: object) -> Asked:
    titles = {CODE: held or title()} | dict(known.pop("titles", {}))  # type: ignore[call-overload]
    return Asked(listing, at, titles, **known)  # type: ignore[arg-type]


def good(**changes: object) -> Listing:
    return listing_of(**{"name": GOOD_NAME} | changes)


def commerce(**changes: object) -> Commerce:
    fields: dict[str, object] = {
        "seller_kind": SellerKind.OTHER, "jurisdiction": "33", "plan": "plan-1", "proceeds": Proceeds.OPERATING,
        "template": "数据提供 v1",
    }  # fmt: skip
    return Commerce(**fields | changes)  # type: ignore[arg-type]


def security(**changes: object) -> Security:
    return replace(Security(Level.GENERAL, Circulation.DIRECT, Masking.NOT_PERSONAL), **changes)  # type: ignore[arg-type]


def public(**changes: object) -> Listing:
    """A product of 公共数据授权运营 for 产业发展, as it must be."""
    fields: dict[str, object] = {
        "provenance": PUBLIC, "commerce": commerce(operation=OPERATION), "regime": PriceRegime.GUIDED,
        "guide_price": "f" * 64,
    }  # fmt: skip
    return good(**fields | changes)


def fields_of(level: Level = Level.GENERAL, personal: bool = False) -> tuple[DataField, ...]:
    return (DataField("origin", "出发机场", "text", level, personal),)


def statistic(*groups: tuple[str, int], rows: int = 0, measure: Measure = Measure.COUNT) -> Preview:
    made = tuple(Group(label, count, str(count)) for label, count in groups)
    return Preview((Statistic("origin", measure, rows or sum(count for _, count in groups), made, "无"),))


API = listing_of().delivery
OLD = good()
CASES: list[tuple[str, Callable[[], Asked], Callable[[], Asked]]] = [
    # code, a listing that has the defect, its neighbour that has not
    ("LP-01", lambda: asked(good(name="延误特征")), lambda: asked(good())),
    ("LP-02", lambda: asked(good(content=contents_of(industry="G99"))), lambda: asked(good())),
    ("LP-03", lambda: asked(good(content=contents_of(time_from="2025-02-30"))), lambda: asked(good())),
    ("LP-03", lambda: asked(good(content=contents_of(time_from="2026-01-01"))), lambda: asked(good())),
    (
        "LP-03",
        lambda: asked(good(content=contents_of(updated_on=(TODAY + timedelta(1)).isoformat()))),
        lambda: asked(good(content=contents_of(updated_on=TODAY.isoformat()))),
    ),
    ("LP-04", lambda: asked(good(content=contents_of(fields=()))), lambda: asked(good())),
    ("LP-04", lambda: asked(good(content=contents_of(fields=fields_of() * 2))), lambda: asked(good())),
    ("LP-05", lambda: asked(good(delivery=replace(API, modes=(Mode.PUSH,)))), lambda: asked(good())),
    ("LP-05", lambda: asked(good(delivery=replace(API, interface=None))), lambda: asked(good())),
    (
        "LP-06",
        lambda: asked(good(content=contents_of(element=ElementForm.FEATURE))),
        lambda: asked(good(type=ProductType.ELEMENT, content=contents_of(element=ElementForm.FEATURE))),
    ),
    ("LP-06", lambda: asked(good(content=contents_of(dataset_class=DatasetClass.COMMON))), lambda: asked(good())),
    (
        "LP-06",
        lambda: asked(
            good(type=ProductType.STREAM, delivery=replace(API, modes=(Mode.STREAM,)),
                 content=contents_of(period=Period.NEVER))
        ),
        lambda: asked(good(type=ProductType.STREAM, delivery=replace(API, modes=(Mode.STREAM,)))),
    ),
    ("LP-07", lambda: asked(good(quality=replace(QUALITY, conforms=False))), lambda: asked(good(quality=QUALITY))),
    (
        "LP-07",
        lambda: asked(good(quality=replace(QUALITY, grade=None))),
        lambda: asked(good(quality=replace(QUALITY, grade=None, conforms=False))),
    ),
    ("LP-07", lambda: asked(good(quality=replace(QUALITY, assessor=SELLER))), lambda: asked(good(quality=QUALITY))),
    (
        "LP-08",
        lambda: asked(good(provenance=replace(OLD.provenance, source_kind=SourceKind.DERIVED))),
        lambda: asked(good(provenance=replace(OLD.provenance, source_kind=SourceKind.DERIVED), sources=("SJ1",))),
    ),
    (
        "LP-08",
        lambda: asked(good(provenance=replace(OLD.provenance, source_kind=SourceKind.CONTRACT))),
        lambda: asked(good(provenance=replace(OLD.provenance, source_kind=SourceKind.CONTRACT, chain=(PAPER,)))),
    ),
    (
        "LP-09",
        lambda: asked(good(content=contents_of(fields=fields_of(personal=True)))),
        lambda: asked(
            good(content=contents_of(fields=fields_of(personal=True)),
                 security=security(masking=Masking.ANONYMOUS, method="k 匿名，k = 20"))
        ),
    ),
    (
        "LP-09",
        lambda: asked(good(security=security(masking=Masking.DEIDENTIFIED, method="替换标识符"))),
        lambda: asked(
            good(security=security(masking=Masking.DEIDENTIFIED, method="替换标识符", persons=Persons(0, 0, 9)))
        ),
    ),
    ("LP-10", lambda: asked(public(guide_price="")), lambda: asked(public())),
    (
        "LP-11",
        lambda: asked(good(delivery=replace(API, interface=replace(API.interface, version="2"))), before=OLD),  # type: ignore[type-var]
        lambda: asked(
            good(delivery=replace(API, interface=replace(API.interface, version="2")), migration_guide="改路径"),  # type: ignore[type-var]
            before=OLD,
        ),
    ),
    ("LP-11", lambda: asked(good(unit="row"), before=OLD), lambda: asked(good(), before=OLD)),
    (
        "LP-12",
        lambda: asked(good(preview=statistic(("JFK", 100), ("LGA", 9)))),
        lambda: asked(good(preview=statistic(("JFK", 100), ("LGA", 10)))),
    ),
    (
        "LP-13",
        lambda: asked(good(preview=Preview(sample=SAMPLE))),
        lambda: asked(good(preview=Preview(sample=SAMPLE)), draw=DRAWN),
    ),
    (
        "LP-13",
        lambda: asked(good(preview=Preview(sample=replace(SAMPLE, head=8))), draw=DRAWN),
        lambda: asked(good(preview=Preview(sample=SAMPLE)), draw=DRAWN),
    ),
    (
        "LP-13",
        lambda: asked(good(preview=Preview(sample=SAMPLE)), draw=DRAWN, at=NOW + DAY),
        lambda: asked(good(preview=Preview(sample=SAMPLE)), draw=DRAWN, at=NOW + DAY - 1),
    ),
    (
        "LP-13",
        lambda: asked(
            good(preview=Preview(sample=SAMPLE)), draw=replace(DRAWN, value=replace(DRAWN.value, content=TWIN))
        ),
        lambda: asked(good(preview=Preview(sample=SAMPLE)), draw=DRAWN),
    ),
    ("LP-14", lambda: asked(good(), held=title(in_force=False, reason="CANCELLED")), lambda: asked(good())),
    ("LP-14", lambda: asked(good(), held=title(holder=PROVIDER)), lambda: asked(good())),
    ("LP-14", lambda: asked(good(), held=title(rights=frozenset({Right.HOLD, Right.USE}))), lambda: asked(good())),
    ("LP-15", lambda: asked(good(content=contents_of(digest=TWIN))), lambda: asked(good())),
    (
        "LP-16",
        lambda: asked(
            good(type=ProductType.ELEMENT, content=contents_of(element=ElementForm.DATASET), sources=("SJ1",),
                 delivery=replace(API, modes=(Mode.PUSH,))),
            titles={"SJ1": title(certificate="SJ1", holder=PROVIDER, rights=frozenset())},
        ),
        lambda: asked(
            good(type=ProductType.ELEMENT, content=contents_of(element=ElementForm.DATASET), sources=("SJ1",),
                 delivery=replace(API, modes=(Mode.PUSH,))),
            titles={"SJ1": title(certificate="SJ1", holder=PROVIDER, rights=frozenset({Right.USE}))},
        ),
    ),
    ("LP-17", lambda: asked(good(security=security(level=Level.CORE))), lambda: asked(good())),
    (
        "LP-17",
        lambda: asked(good(content=contents_of(fields=fields_of(Level.IMPORTANT)))),
        lambda: asked(
            good(content=contents_of(fields=fields_of(Level.IMPORTANT)),
                 security=security(level=Level.IMPORTANT, approval=PAPER),
                 use=UseTerms(("research",), (Environment.TEE,)))
        ),
    ),
    (
        "LP-17",
        lambda: asked(good(security=security(level=Level.IMPORTANT, approval=PAPER))),
        lambda: asked(
            good(security=security(level=Level.IMPORTANT, approval=PAPER),
                 use=UseTerms(("research",), (Environment.SANDBOX,)))
        ),
    ),
    ("LP-18", lambda: asked(good(security=security(circulation=Circulation.NONE))), lambda: asked(good())),
    (
        "LP-18",
        lambda: asked(good(security=security(circulation=Circulation.INDIRECT))),
        lambda: asked(
            good(type=ProductType.REPORT, security=security(circulation=Circulation.INDIRECT),
                 delivery=replace(API, modes=(Mode.REPORT,)))
        ),
    ),
    (
        "LP-19",
        lambda: asked(
            good(security=security(masking=Masking.DEIDENTIFIED, method="替换", persons=Persons(0, 0, 5000)))
        ),
        lambda: asked(
            good(security=security(masking=Masking.DEIDENTIFIED, method="替换", persons=Persons(0, 0, 4999)))
        ),
    ),
    ("LP-20", lambda: asked(good(provenance=PUBLIC)), lambda: asked(public())),
    (
        "LP-20",
        lambda: asked(public(), at=start_of(date(2028, 12, 1))),
        lambda: asked(public(), at=start_of(date(2028, 12, 1)) - 1),
    ),
    (
        "LP-20",
        lambda: asked(public(commerce=commerce(operation=replace(OPERATION, to_day="2030-12-01")))),
        lambda: asked(public(commerce=commerce(operation=replace(OPERATION, to_day="2030-11-30")))),
    ),
    ("LP-21", lambda: asked(good(regime=PriceRegime.GUIDED, guide_price="f" * 64)), lambda: asked(public())),
    ("LP-21", lambda: asked(public(regime=PriceRegime.FREE_PRICING)), lambda: asked(public())),
    (
        "LP-21",
        lambda: asked(public(commerce=commerce(operation=replace(OPERATION, cap="")))),
        lambda: asked(public()),
    ),
    (
        "LP-22",
        lambda: asked(good(commerce=commerce(seller_kind=SellerKind.STATE_OWNED, jurisdiction="42"))),
        lambda: asked(
            good(commerce=commerce(seller_kind=SellerKind.STATE_OWNED, jurisdiction="42"), venue=VenueClass.REQUIRED)
        ),
    ),
    ("LP-23", lambda: asked(good(), held=title(blocked=True, reason="查封")), lambda: asked(good())),
]  # fmt: skip


@pytest.mark.parametrize(("code", "bad", "well"), CASES, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(CASES)])
def test_row__fires_on_its_defect_and_not_on_the_neighbour(
    code: str, bad: Callable[[], Asked], well: Callable[[], Asked]
) -> None:
    found = defects(bad())
    assert code in {item.code for item in found}
    assert code not in {item.code for item in defects(well())}
    for item in found:
        assert not item.zh[:2].isascii(), item
        assert item.en.isprintable()


def test_rows__every_one_has_a_case() -> None:
    assert {code for code, _, _ in CASES} == {rule.code for rule in RULES}
    assert [rule.code for rule in RULES] == [f"LP-{number:02d}" for number in range(1, len(RULES) + 1)]


def test_gates__those_that_close_at_listing_and_no_other() -> None:
    """§8.4, column When has an L: G1 G2 G3 G5 G8 G9 G10; the last is the opinion, asked when somebody approves."""
    assert {rule.gate for rule in RULES} - {""} == {"G1", "G2", "G3", "G5", "G8", "G9"}


def test_defects__a_sound_listing__has_none_and_advice_or_review_stop_nothing() -> None:
    assert defects(asked(good())) == ()
    assert defects(asked(public())) == ()
    unnamed = defects(asked(good(name="延误特征")))
    assert unnamed
    assert stopping(unnamed) == ()
    assert {item.weight for item in unnamed} == {Weight.ADVICE}


# --- sensitive records -----------------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.integers(0, 2_000), st.integers(0, 20_000), st.booleans())
def test_over_threshold__is_the_formula_in_fractions(one: int, two: int, three: int, on_duty: bool) -> None:
    exact = Fraction(one, 50) + Fraction(two, 500) + Fraction(three, 5000)
    assert over_threshold(Persons(one, two, three, on_duty)) is (exact >= (Fraction(1, 2) if on_duty else 1))


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        (Persons(50, 0, 0), True), (Persons(49, 0, 0), False), (Persons(0, 500, 0), True), (Persons(0, 499, 0), False),
        (Persons(0, 0, 5000), True), (Persons(0, 0, 4999), False), (Persons(25, 250, 0), True),
        (Persons(25, 249, 0), False), (Persons(25, 0, 0, True), True), (Persons(24, 0, 0, True), False),
        (None, False),
    ],
)  # fmt: skip
def test_over_threshold__at_its_edges(persons: Persons | None, expected: bool) -> None:
    assert over_threshold(persons) is expected


# --- which review ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listing", "needed"),
    [
        (good(), False),
        (good(type=ProductType.ELEMENT, content=contents_of(element=ElementForm.FEATURE)), True),
        (public(), True),
        (good(provenance=replace(OLD.provenance, origin=Origin.PERSONAL)), True),
        (good(content=contents_of(fields=fields_of(personal=True))), True),
        (good(security=security(masking=Masking.DEIDENTIFIED)), True),
        (good(security=security(level=Level.IMPORTANT)), True),
        (good(content=contents_of(fields=fields_of(Level.IMPORTANT))), True),
    ],
)
def test_substantive__elements_public_or_personal_data_and_important_levels(listing: Listing, needed: bool) -> None:
    assert bool(substantive(listing)) is needed


# --- venue and price regime by date and party ------------------------------------------------------------------------

BEFORE, FROM = date(2025, 9, 30), date(2025, 10, 1)


@pytest.mark.parametrize(
    ("day", "jurisdiction", "operated", "seller", "buyer"),
    list(
        product(
            (BEFORE, FROM, date(2026, 8, 3)), ("42", "33"), (False, True), SellerKind,
            (None, *(Buyer(*flags) for flags in product((False, True), repeat=2))),
        )
    ),
)  # fmt: skip
def test_venue__exhaustive__by_day_place_product_seller_and_buyer(
    day: date, jurisdiction: str, operated: bool, seller: SellerKind, buyer: Buyer | None
) -> None:
    """《湖北省数据条例》第四十条, in force from 2025-10-01: a contract of the day before is not caught (trap 9);
    the buyer counts too (trap 10)."""
    caught = operated or seller is SellerKind.STATE_OWNED or (
        buyer is not None and buyer.public_body and buyer.fiscal_funds
    )  # fmt: skip
    expected = VenueClass.REQUIRED if day >= FROM and jurisdiction == "42" and caught else VenueClass.OPEN
    found, rules = venue_of(day, jurisdiction, OPERATION if operated else None, seller, buyer)
    assert found is expected
    assert bool(rules) is (expected is VenueClass.REQUIRED)


def test_venue__a_rule_that_ended__counts_to_its_last_day() -> None:
    rule = VenueRule("x", "演示", "", "2025-01-01", "2025-12-31", True, False, False)
    for day, expected in ((date(2025, 12, 31), VenueClass.REQUIRED), (date(2026, 1, 1), VenueClass.OPEN)):
        assert venue_of(day, "11", OPERATION, SellerKind.OTHER, rules=(rule,))[0] is expected


@pytest.mark.parametrize("day", [date(2025, 1, 15), date(2025, 1, 16), TODAY])
@pytest.mark.parametrize("purpose", [None, *PublicPurpose])
def test_regime__exhaustive__by_day_and_purpose(day: date, purpose: PublicPurpose | None) -> None:
    operation = None if purpose is None else replace(OPERATION, purpose=purpose)
    found = regimes_of(day, operation)
    if purpose is None:
        assert found == {PriceRegime.FREE_PRICING, PriceRegime.GRATIS}
    elif day.isoformat() < REGIME_RULES[0].first:
        assert found == set(PriceRegime)
    else:
        free = purpose in (PublicPurpose.GOVERNANCE, PublicPurpose.WELFARE)
        assert found == {PriceRegime.GRATIS if free else PriceRegime.GUIDED}


def test_codes__are_those_of_the_table_of_industries() -> None:
    assert gates.CODES["G56"].endswith("航空运输业")
