"""Every kind of tariff with every adjustment, in the order of §3, against the naive rater."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms, Held, HoldReason
from clearing.settlement.inputs import Active, Declared, Inputs, Measured, Scored, SuccessEvent
from clearing.settlement.rating import Rated, coefficient_of, rate_quantity
from clearing.terms import (
    MAX_FEN,
    Credit,
    PriceCap,
    Quality,
    QualityBand,
    Success,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Terms,
    Tier,
    check_cap,
    check_tariff,
    check_terms,
)
from ledger.canonical import encode
from ledger.reading import body_of, read
from tests.clearing import naive
from tests.clearing.builders import per_call, terms
from tests.counts import few

check = settings(deadline=None, max_examples=few(80))
NO_TAX = Tax(TaxBasis.EXCLUSIVE, 0)
EVIDENCE = "e" * 64
KINDS_BY_UNIT = (TariffKind.PER_UNIT, TariffKind.GRADUATED, TariffKind.VOLUME, TariffKind.SUBSCRIPTION)
BANDS = (QualityBand("0"), QualityBand("60", 850_000), QualityBand("80", 950_000), QualityBand("90", 1_000_000))
QUALITY = Quality("演示方案", 1, BANDS)
CREDITS = (Credit(0, 1_000_000, 50), Credit(900_000, 100_000, 50), Credit(999_900))


def scored(score: str | None, version: int = 1) -> Inputs:
    return Inputs(scored=Scored("演示方案", version, EVIDENCE, score))


def success(amount: int, before: int = 0, *, case: str = "s1", at: int = 10, since: int = 0) -> SuccessEvent:
    return SuccessEvent(case, amount, at, since, EVIDENCE, before)


def fee(rate: int | None = None, fixed: int = 0, cap: int | None = None) -> Tariff:
    return Tariff(TariffKind.SUCCESS_FEE, "deal", fixed, rate=rate, success=Success("成交", 100, 50, cap))


def rated(tariff: Tariff, inputs: Inputs, quantity: int = 0, **more: Any) -> Rated:
    return rate_quantity(quantity, tariff, NO_TAX, inputs=inputs, **more)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Any tariff that may be signed, small enough for an oracle that walks every unit."""
    kind = draw(st.sampled_from(TariffKind))
    fen, maybe = st.integers(0, 5000), st.booleans()
    if kind is TariffKind.SUCCESS_FEE:
        cap = draw(st.none() | fen)
        made = fee(draw(st.integers(0, 10**6)), cap=cap) if draw(maybe) else fee(None, draw(fen), cap)
        check_tariff(made)
        return made
    starts = [0, *sorted(draw(st.sets(st.integers(1, 60), max_size=0 if kind is TariffKind.PER_UNIT else 4)))]
    tiers = tuple(Tier(start, draw(st.integers(0, 500)), draw(st.integers(1, 7))) for start in starts)
    low, high = sorted((draw(fen), draw(fen)))
    periodic = kind in (TariffKind.FIXED, TariffKind.SUBSCRIPTION)
    shares = kind is TariffKind.REVENUE_SHARE
    made = Tariff(
        kind,
        "call",
        draw(fen) if periodic else 0,
        tiers if kind in KINDS_BY_UNIT else (),
        draw(st.integers(0, 30)) if kind is TariffKind.SUBSCRIPTION else 0,
        draw(st.integers(1, 9)) if kind is TariffKind.PER_UNIT else 1,
        low if draw(maybe) else None,
        high if draw(maybe) else None,
        part_period=True if periodic and draw(maybe) else None,
        rate=draw(st.integers(0, 10**6)) if shares else None,
        base="净收入" if shares else None,
        quality=QUALITY if draw(maybe) else None,
        credits=CREDITS if draw(maybe) else None,
    )
    check_tariff(made)
    return made


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    """Everything a tariff may ask for: scores with a coefficient, successes that come and go."""
    days = draw(st.integers(28, 31))
    owed = draw(st.integers(0, 10_000))
    events, stands = [], 0
    for number in range(draw(st.integers(0, 5))):
        amount = draw(st.integers(-stands, 3000).filter(bool))
        events.append(success(amount, stands, at=number))
        stands += amount
    whole = draw(st.integers(60, 100))
    return Inputs(
        active=Active(draw(st.integers(0, days)), days, EVIDENCE),
        declared=Declared(draw(st.integers(0, 10**6)), EVIDENCE),
        events=tuple(events),
        scored=Scored("演示方案", 1, EVIDENCE, f"{whole}.{draw(st.sampled_from(['0', '999999', '5']))}"),
        measured=Measured(owed, draw(st.integers(0, owed)), EVIDENCE),
    )


taxes = st.builds(Tax, st.sampled_from(TaxBasis), st.integers(0, 10_000))


@check
@given(st.integers(0, 90), tariffs(), inputs(), taxes, st.booleans())
def test_rate_quantity__any_tariff_and_inputs__equals_the_naive_rater(
    quantity: int, tariff: Tariff, given_inputs: Inputs, tax: Tax, free: bool
) -> None:
    found = rate_quantity(quantity, tariff, tax, free=free, inputs=given_inputs)
    exact = naive.price(quantity, body_of(tariff), body_of(given_inputs), free=free)
    assert Fraction(found.exact) == exact
    gross, net, added = naive.split_tax(naive.half_up(abs(exact)), body_of(tax))
    sign = -1 if exact < 0 else 1
    assert (found.gross, found.net, found.tax) == (sign * gross, sign * net, sign * added)
    assert found.net + found.tax == found.gross
    assert not free or found.gross == 0
    assert exact >= 0 or tariff.kind is TariffKind.SUCCESS_FEE


@check
@given(st.integers(0, 90), tariffs(), inputs())
def test_rate_quantity__before_credits__stands_between_minimum_and_maximum(
    quantity: int, tariff: Tariff, given_inputs: Inputs
) -> None:
    found = rated(replace(tariff, credits=None), given_inputs, quantity)
    assert Fraction(found.exact) >= (tariff.minimum_fen or 0) or tariff.kind is TariffKind.SUCCESS_FEE
    assert tariff.maximum_fen is None or Fraction(found.exact) <= tariff.maximum_fen


@check
@given(tariffs(), inputs())
def test_rate_quantity__an_input_that_is_asked_for_and_missing__is_held_never_guessed(
    tariff: Tariff, given_inputs: Inputs
) -> None:
    asked = {
        "active": tariff.part_period,
        "declared": tariff.kind is TariffKind.REVENUE_SHARE,
        "events": tariff.kind is TariffKind.SUCCESS_FEE,
        "scored": tariff.quality,
        "measured": tariff.credits,
    }
    for name, needed in asked.items():
        without = replace(given_inputs, **{name: None})
        if needed:
            with pytest.raises(Held, match=f"NOT_GIVEN: inputs.{name}"):
                rated(tariff, without)
        else:
            assert rated(tariff, without) == rated(tariff, given_inputs)
        assert rated(tariff, without, free=True).gross == 0


def test_fixed__part_of_a_period__counts_by_its_days() -> None:
    """10,000 fen for 10 of 31 days are 3,225.8… fen: 3,226. Without the clause the whole amount is due."""
    tariff = Tariff(TariffKind.FIXED, "period", 10_000, part_period=True)
    assert rated(tariff, Inputs(active=Active(10, 31, EVIDENCE))).gross == 3226
    assert rated(tariff, Inputs(active=Active(0, 31, EVIDENCE))).gross == 0
    assert rated(replace(tariff, part_period=None), Inputs()).gross == 10_000
    with pytest.raises(BadTerms, match=r"active\.days"):
        rated(tariff, Inputs(active=Active(32, 31, EVIDENCE)))


def test_revenue_share__three_and_a_half_percent_of_the_declared_base() -> None:
    tariff = Tariff(TariffKind.REVENUE_SHARE, "period", rate=35_000, base="不含税、扣除退款的销售收入")
    assert rated(tariff, Inputs(declared=Declared(1_234_567, EVIDENCE))).exact == "8641969/200"
    assert rated(tariff, Inputs(declared=Declared(MAX_FEN, EVIDENCE))).gross == 35 * 10**12
    with pytest.raises(BadMoney, match="declared"):
        rated(tariff, Inputs(declared=Declared(MAX_FEN + 1, EVIDENCE)))


def test_quality__no_rounding_before_look_up_and_the_lower_bound_inclusive() -> None:
    """89.999… is no 90; failing 符合性审查 is no bad grade but none."""
    looked_up = {
        score: coefficient_of(QUALITY, scored(score).scored)
        for score in ("60", "79.99999999999999999999", "80", "80.0", "89.995", "90", "100")
    }
    assert list(looked_up.values()) == [850_000, 850_000, 950_000, 950_000, 950_000, 1_000_000, 1_000_000]
    for score in (None, "59.999"):
        with pytest.raises(Held) as held:
            rated(replace(per_call(), quality=QUALITY), scored(score), 10)
        assert held.value.reason is HoldReason.NO_COEFFICIENT
    with pytest.raises(BadTerms, match="scheme"):
        rated(replace(per_call(), quality=QUALITY), scored("90", version=2), 10)
    with pytest.raises(BadTerms, match="score"):
        rated(replace(per_call(), quality=QUALITY), scored("9e1"), 10)


def test_adjustments__each_in_its_place() -> None:
    """100 calls at 10 fen, × 0.95 = 950, raised to 960 by the minimum, − 10 % − 50 fen = 814."""
    tariff = replace(per_call(10, 1), minimum_fen=960, quality=QUALITY, credits=CREDITS)
    found = rated(tariff, replace(scored("85"), measured=Measured(1000, 100, EVIDENCE)), 100)
    assert (found.exact, found.bound, found.coefficient, found.credit) == ("814", "minimum", 950_000, "146")


def test_credits__never_below_zero_and_none_where_no_service_was_owed() -> None:
    tariff = replace(per_call(1, 1), credits=CREDITS)
    assert rated(tariff, Inputs(measured=Measured(10, 10, EVIDENCE)), 7).gross == 0
    assert rated(tariff, Inputs(measured=Measured(10, 1, EVIDENCE)), 7).gross == 0
    assert rated(tariff, Inputs(measured=Measured(10_000, 1, EVIDENCE)), 7).gross == 7
    assert rated(tariff, Inputs(measured=Measured(0, 0, EVIDENCE)), 7).gross == 7
    with pytest.raises(BadTerms, match="down"):
        rated(tariff, Inputs(measured=Measured(1, 2, EVIDENCE)), 7)


@check
@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=6), st.integers(0, 10**6), st.none() | st.integers(0, 10**8)
)
def test_success_fee__clawed_back_in_full__takes_back_exactly_what_was_charged(
    parts: list[int], rate: int, cap: int | None
) -> None:
    """Up in one event, down in several: the exact amounts cancel, whatever the cap cut off."""
    tariff, stands = fee(rate, cap=cap), sum(parts)
    total = Fraction(rated(tariff, Inputs(events=(success(stands),))).exact)
    assert cap is None or total <= cap
    for part in parts:
        back = rated(tariff, Inputs(events=(success(-part, stands),)))
        assert back.gross <= 0
        total += Fraction(back.exact)
        stands -= part
    assert total == 0


def test_success_fee__a_fixed_fee__is_due_once_per_success_and_goes_back_whole() -> None:
    events = (success(500), success(700, case="s2"), success(-200, 500, at=11))
    assert rated(fee(fixed=100), Inputs(events=events)).gross == 200
    assert rated(fee(fixed=100), Inputs(events=(success(-300, 300),))).gross == -100
    assert rated(fee(fixed=100), Inputs(events=())).gross == 0


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (success(0), "amount"),
        (success(-1), "amount"),
        (success(5, at=101), "at"),
        (success(5, at=9, since=10), "at"),
        (success(-5, 5, at=51), "at"),
        (success(MAX_FEN, 1), "amount"),
    ],
)
def test_success_fee__an_event_that_does_not_count__is_refused_by_field(event: SuccessEvent, field: str) -> None:
    with pytest.raises((BadTerms, BadMoney), match=rf"events\[0\].{field}"):
        rated(fee(100_000), Inputs(events=(event,)))


def test_success_fee__the_same_event_twice__is_refused() -> None:
    with pytest.raises(BadTerms, match="before"):
        rated(fee(100_000), Inputs(events=(success(5), success(5))))


@pytest.mark.parametrize(
    ("tariff", "field"),
    [
        (Tariff(TariffKind.REVENUE_SHARE, "period", base="x"), "rate"),
        (Tariff(TariffKind.REVENUE_SHARE, "period", rate=1), "base"),
        (Tariff(TariffKind.REVENUE_SHARE, "period", rate=10**6 + 1, base="x"), "rate"),
        (Tariff(TariffKind.REVENUE_SHARE, "period", 1, rate=1, base="x"), "fixed_fen"),
        (Tariff(TariffKind.REVENUE_SHARE, "period", tiers=(Tier(0, 1),), rate=1, base="x"), "tiers"),
        (replace(per_call(), rate=1), "rate"),
        (replace(per_call(), base="x"), "base"),
        (replace(per_call(), part_period=True), "part_period"),
        (replace(per_call(), success=Success("成交", 1, 1)), "success"),
        (replace(fee(1), success=None), "success"),
        (replace(fee(1), fixed_fen=1), "fixed_fen"),
        (replace(fee(1), minimum_fen=1), "minimum_fen"),
        (replace(fee(1), maximum_fen=1), "maximum_fen"),
        (replace(fee(1), quality=QUALITY), "quality"),
        (replace(fee(1), credits=CREDITS), "credits"),
        (replace(per_call(), quality=Quality("x", 1, ())), "bands"),
        (replace(per_call(), quality=Quality("x", 1, BANDS[1:])), r"bands\[0\].least"),
        (replace(per_call(), quality=Quality("x", 1, (*BANDS, QualityBand("90.0", 10**6)))), r"bands\[4\].least"),
        (replace(per_call(), quality=Quality("x", 1, (*BANDS, QualityBand("95", 1)))), r"bands\[4\].millionths"),
        (replace(per_call(), quality=Quality("x", 1, BANDS[:1])), "bands"),
        (replace(per_call(), credits=()), r"credits\[0\].least"),
        (replace(per_call(), credits=CREDITS[1:]), r"credits\[0\].least"),
        (replace(per_call(), credits=(Credit(0, 1), Credit(0, 0))), r"credits\[1\].least"),
        (replace(per_call(), credits=(Credit(0, 1), Credit(5, 2))), r"credits\[1\]"),
    ],
)
def test_check_tariff__a_tariff_that_cannot_be_rated__names_its_field(tariff: Tariff, field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        check_tariff(tariff)


# Guided prices --------------------------------------------------------------------------------------------------------

CAP = PriceCap("p1", "call", 10, 35, TaxBasis.INCLUSIVE, EVIDENCE)
INCLUSIVE = Tax(TaxBasis.INCLUSIVE, 600)


@check
@given(st.integers(0, 200), tariffs(), inputs(), taxes, st.integers(1, 12), st.integers(0, 3000), st.booleans())
def test_cap__a_tariff_that_passed_signing__never_costs_more_per_unit(
    quantity: int, tariff: Tariff, given_inputs: Inputs, tax: Tax, size: int, fen: int, inclusive: bool
) -> None:
    """Compared here by the whole price of what was used, on the cap's side of the tax, blocks counted whole."""
    basis = TaxBasis.INCLUSIVE if inclusive else TaxBasis.EXCLUSIVE
    cap = PriceCap("p1", "call", size, fen, basis, EVIDENCE)
    try:
        check_cap(tariff, tax, cap)
    except BadTerms:
        assume(False)
    found = rate_quantity(quantity, tariff, tax, inputs=given_inputs, cap=cap)
    rate = 1 + Fraction(tax.bp, 10_000)
    exact = Fraction(found.exact)
    with_tax = exact if tax.basis is TaxBasis.INCLUSIVE else exact * rate
    units = 1 if tariff.kind is TariffKind.FIXED else -(-quantity // tariff.block) * tariff.block
    assert (with_tax if inclusive else with_tax / rate) * size <= fen * units


def test_cap__compared_on_the_same_tax_basis() -> None:
    """3.5 fen without tax are 3.71 with 6 %: above a cap of 3.5 with tax, not above one of 3.5 without."""
    check_cap(per_call(35, 10), INCLUSIVE, CAP)
    with pytest.raises(BadTerms, match=r"tiers\[0\]"):
        check_cap(per_call(35, 10), Tax(TaxBasis.EXCLUSIVE, 600), CAP)
    check_cap(per_call(35, 10), Tax(TaxBasis.EXCLUSIVE, 600), replace(CAP, basis=TaxBasis.EXCLUSIVE))


@pytest.mark.parametrize(
    ("tariff", "field"),
    [
        (per_call(36, 10), r"tiers\[0\]"),
        (replace(per_call(), unit="row"), "unit"),
        (per_call(35, 10, minimum_fen=1), "minimum_fen"),
        (per_call(35, 1, block=7), "block"),
        (Tariff(TariffKind.SUBSCRIPTION, "call", 0, (Tier(0, 1),)), "kind"),
        (Tariff(TariffKind.REVENUE_SHARE, "call", rate=1, base="x"), "kind"),
        (Tariff(TariffKind.FIXED, "call", 4), "fixed_fen"),
    ],
)
def test_check_terms__a_price_above_the_guided_one__is_refused_at_signing(tariff: Tariff, field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        check_terms(replace(terms(tariff=tariff), cap=CAP))


def test_cap__lowered_after_signing__holds_the_charge() -> None:
    lower = replace(CAP, fen=34)
    with pytest.raises(Held, match="ABOVE_CAP"):
        rate_quantity(10, per_call(35, 10), INCLUSIVE, cap=lower)
    assert rate_quantity(10, per_call(35, 10), INCLUSIVE, cap=lower, free=True).gross == 0


# Bytes ----------------------------------------------------------------------------------------------------------------


def test_terms__without_the_later_fields__keep_their_bytes() -> None:
    """Written out as it was before there were any, so no default may slip into a signed document."""
    weights = b'{"party":"A","weight":333333333},{"party":"B","weight":333333333},{"party":"C","weight":333333334}'
    holders = b",".join(b'{"party":"%c","role":"holder"}' % party for party in b"ABC")
    assert encode(body_of(terms())) == (
        b'{"buyer":"Z","currency":"CNY","invoice_issuer":"A","netting":"multilateral","period":{"basis":"occurred",'
        b'"grace":86400,"late_limit":2592000},"plan":{"base":"net","effective":0,"holders":[' + holders + b"],"
        b'"residual":"C","steps":[{"kind":"ratio","weights":[' + weights + b']}],"version":1},"tariff":{"allowance":0,'
        b'"bill_failures":false,"block":1,"fixed_fen":0,"kind":"per_unit","tiers":[{"divisor":10,"numerator":35,'
        b'"start":0}],"unit":"call","version":1},"tax":{"basis":"inclusive","bp":600}}'
    )


@check
@given(tariffs(), inputs())
def test_terms_and_inputs__written_and_read__are_the_same(tariff: Tariff, given_inputs: Inputs) -> None:
    signed = terms(tariff=tariff)
    assert read(Terms, body_of(signed)) == signed
    assert read(Inputs, body_of(given_inputs)) == given_inputs
