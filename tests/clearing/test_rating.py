"""Rating against a naive oracle that prices unit by unit; metering as a function of the set of records."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms, Clash
from clearing.settlement.rating import rate, rate_quantity
from clearing.terms import DAY, AgreementTerms, PeriodBasis, PeriodRules, Tariff, TariffKind, Tax, TaxBasis, Tier, month
from clearing.usage.intake import UseClass
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import Exclusion, gaps, read_meter
from clearing.usage.record import Side
from tests.clearing.builders import per_call, terms
from tests.counts import few

check = settings(deadline=None, max_examples=few(60))
NO_TAX = Tax(TaxBasis.EXCLUSIVE, 0)
MARCH = month("2026-03")
ITEM = AgreementTerms("g", 0, terms())


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    starts = sorted(draw(st.sets(st.integers(1, 60), max_size=4)))
    return tuple(Tier(start, draw(st.integers(0, 500)), draw(st.integers(1, 7))) for start in [0, *starts])


def unit_by_unit(quantity: int, bands: tuple[Tier, ...]) -> Fraction:
    """The oracle: each unit at the price of the band it stands in."""
    total = Fraction(0)
    for unit in range(quantity):
        band = [tier for tier in bands if tier.start <= unit][-1]
        total += Fraction(band.numerator, band.divisor)
    return total


@check
@given(st.integers(0, 90), tiers())
def test_graduated__any_bands__equals_unit_by_unit_and_slices_add_up(quantity: int, bands: tuple[Tier, ...]) -> None:
    rated = rate_quantity(quantity, Tariff(TariffKind.GRADUATED, "call", tiers=bands), NO_TAX)
    assert Fraction(rated.exact) == unit_by_unit(quantity, bands)
    assert sum(line.quantity for line in rated.lines) == quantity
    more = rate_quantity(quantity + 1, Tariff(TariffKind.GRADUATED, "call", tiers=bands), NO_TAX)
    assert Fraction(more.exact) - Fraction(rated.exact) in {Fraction(t.numerator, t.divisor) for t in bands}


@check
@given(st.integers(0, 90), tiers(), st.integers(0, 30), st.integers(0, 10_000))
def test_subscription__overage__starts_after_the_allowance(
    quantity: int, bands: tuple[Tier, ...], allowance: int, fixed: int
) -> None:
    tariff = Tariff(TariffKind.SUBSCRIPTION, "call", fixed, bands, allowance)
    rated = rate_quantity(quantity, tariff, NO_TAX)
    assert Fraction(rated.exact) == fixed + unit_by_unit(max(0, quantity - allowance), bands)


def test_volume__the_whole_quantity__takes_the_price_of_its_band() -> None:
    tariff = Tariff(TariffKind.VOLUME, "call", tiers=(Tier(0, 100), Tier(10, 50)))
    assert rate_quantity(9, tariff, NO_TAX).gross == 900
    assert rate_quantity(10, tariff, NO_TAX).gross == 500


def test_per_unit__blocks__are_charged_whole() -> None:
    assert rate_quantity(1001, per_call(7, 1, block=1000), NO_TAX).gross == 14
    assert rate_quantity(0, per_call(7, 1, block=1000), NO_TAX).gross == 0


def test_bounds__minimum_and_maximum__hold_and_free_use_triggers_no_minimum() -> None:
    tariff = per_call(1, 1, minimum_fen=50, maximum_fen=60)
    assert [rate_quantity(q, tariff, NO_TAX).gross for q in (0, 55, 99)] == [50, 55, 60]
    assert [rate_quantity(q, tariff, NO_TAX).bound for q in (0, 55, 99)] == ["minimum", "", "maximum"]
    assert rate_quantity(99, tariff, NO_TAX, free=True).gross == 0


def test_rate__half_a_fen__rounds_up_once_and_splits_tax() -> None:
    """2,105 calls at 3.5 fen are 7,367.5 fen: 7,368, of which 417 tax at 6 %."""
    rated = rate_quantity(2105, per_call(), Tax(TaxBasis.INCLUSIVE, 600))
    assert (rated.exact, rated.gross, rated.net, rated.tax) == ("14735/2", 7368, 6951, 417)


def use(seq: int, **changes: object) -> MeteredUse:
    base = MeteredUse(
        connector="演示", seq=seq, agreement="g", revision=0, request_id=f"r{seq}", side=Side.PROVIDE, unit="call",
        quantity=1, decision="allow", outcome_ok=True, use_class=UseClass.OK, occurred_at=MARCH.start + seq,
        received_at=MARCH.start + seq, batch="b", root_sha256="aa", root_sm3="bb", position=5, digest=f"d{seq}",
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def test_read_meter__each_reason__is_named_and_the_rest_counted() -> None:
    uses = [
        use(0, quantity=3),
        use(1, request_id="r0", quantity=3),
        use(2, outcome_ok=False),
        use(3, decision="refuse"),
        use(4, use_class=UseClass.SCOPE),
        use(5, unit="row"),
        use(6, received_at=MARCH.start + 6 + 30 * DAY + 1),
        use(7, occurred_at=MARCH.end),
        use(8, position=6),
        use(9, agreement="other"),
        use(10, revision=1),
        use(11, request_id="r0", quantity=4),
        use(12, side=Side.CONSUME),
    ]
    reading = read_meter(ITEM, MARCH, uses, 5)
    assert (reading.quantity, reading.counted) == (3, 1)
    assert {item.seq: item.reason for item in reading.excluded} == {
        1: Exclusion.DUP,
        2: Exclusion.FAILED,
        3: Exclusion.REFUSED,
        4: Exclusion.SCOPE,
        5: Exclusion.UNIT,
        6: Exclusion.LATE,
        11: Exclusion.CONFLICT,
    }
    assert [(item.batch, item.count) for item in reading.batches] == [("b", 8)]


def test_read_meter__a_request_billed_last_month__is_not_billed_again() -> None:
    april = month("2026-04")
    uses = [use(0), use(1, request_id="r0", occurred_at=april.start, received_at=april.start)]
    assert read_meter(ITEM, MARCH, uses, 5).counted == 1
    assert read_meter(ITEM, april, uses, 5).counted == 0


@check
@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 40), min_size=1, max_size=80))
def test_read_meter__any_arrival_order_and_replays__give_the_same_reading(
    rng: random.Random, sequence: list[int]
) -> None:
    uses = [use(seq, request_id=f"r{seq // 2}", outcome_ok=seq % 5 != 0) for seq in sequence]
    expected = read_meter(ITEM, MARCH, uses, 5)
    shuffled = uses + rng.sample(uses, len(uses) // 2)
    rng.shuffle(shuffled)
    assert read_meter(ITEM, MARCH, shuffled, 5) == expected
    assert expected.counted == len({f"r{seq // 2}" for seq in sequence if seq % 5})


def test_read_meter__the_same_record_with_other_content__is_refused() -> None:
    with pytest.raises(Clash, match="演示/0"):
        read_meter(ITEM, MARCH, [use(0), use(0, digest="x")], 5)


def test_read_meter__basis_received__dates_by_arrival() -> None:
    late = use(0, occurred_at=MARCH.start - 10, received_at=MARCH.start)
    received = replace(ITEM, terms=replace(ITEM.terms, period=PeriodRules(PeriodBasis.RECEIVED)))
    assert read_meter(ITEM, MARCH, [late], 5).counted == 0
    assert read_meter(received, MARCH, [late], 5).counted == 1


def test_gaps__a_hole_in_a_connectors_sequence__is_a_finding() -> None:
    assert [(gap.first, gap.last) for gap in gaps([use(1), use(2), use(6)])] == [(3, 5)]


def test_rate__a_reading_in_another_unit__is_refused() -> None:
    reading = read_meter(ITEM, MARCH, [use(0)], 5)
    with pytest.raises(BadTerms, match="unit"):
        rate("id", replace(reading, unit="row"), terms())
