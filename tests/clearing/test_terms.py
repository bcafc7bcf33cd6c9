"""Terms are refused at signing when they could not be settled, each by the name of its field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearing.errors import BadTerms
from clearing.terms import (
    MAX_FEN,
    WHOLE,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Terms,
    Tier,
    Weight,
    check_plan,
    check_tariff,
    check_terms,
    month,
    volume_warnings,
)
from ledger.errors import FieldError
from ledger.reading import body_of, read
from tests.clearing.builders import per_call, plan, ratio, terms


def test_terms__written_and_read__are_the_same() -> None:
    given = terms(sharing=plan(Step(StepKind.COST_RECOVERY, "A", 500), ratio(A=2, B=1, C=1)))
    assert read(Terms, body_of(given)) == given
    check_terms(given)


def test_terms__an_unknown_field__is_refused_by_name() -> None:
    with pytest.raises(FieldError, match="discount"):
        read(Terms, {**body_of(terms()), "discount": 1})


@pytest.mark.parametrize(
    ("tariff", "field"),
    [
        (Tariff(TariffKind.PER_UNIT, "call"), "tiers"),
        (Tariff(TariffKind.FIXED, "period", 100, (Tier(0, 1),)), "tiers"),
        (Tariff(TariffKind.PER_UNIT, "call", tiers=(Tier(0, 1), Tier(5, 1))), "tiers"),
        (Tariff(TariffKind.GRADUATED, "call", tiers=(Tier(1, 1),)), r"tiers\[0\].start"),
        (Tariff(TariffKind.GRADUATED, "call", tiers=(Tier(0, 1), Tier(0, 2))), r"tiers\[1\].start"),
        (Tariff(TariffKind.GRADUATED, "call", tiers=(Tier(0, -1),)), "numerator"),
        (Tariff(TariffKind.GRADUATED, "call", tiers=(Tier(0, 1, 0),)), "divisor"),
        (per_call(fixed_fen=1), "fixed_fen"),
        (per_call(allowance=1), "allowance"),
        (per_call(block=0), "block"),
        (per_call(minimum_fen=MAX_FEN + 1), "minimum_fen"),
        (per_call(minimum_fen=2, maximum_fen=1), "minimum_fen"),
    ],
)
def test_check_tariff__a_bad_tariff__names_its_field(tariff: Tariff, field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        check_tariff(tariff)


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ((Step(StepKind.RATIO, weights=(Weight("A", WHOLE - 1),)),), "weights"),
        ((Step(StepKind.RATIO, weights=(Weight("X", WHOLE),)),), "party"),
        ((Step(StepKind.RATIO, weights=(Weight("A", WHOLE), Weight("A", 0))),), "weights"),
        ((ratio(A=1), ratio(A=1)), "steps"),
        ((ratio(A=1), Step(StepKind.COST_RECOVERY, "A", 5)), "steps"),
        ((Step(StepKind.COST_RECOVERY, "A"),), "limit_fen"),
        ((ratio(A=1), Step(StepKind.CAP, "A", 5)), "overflow"),
        ((ratio(A=1), Step(StepKind.CAP, "A", 5, overflow="A")), "overflow"),
        ((ratio(A=1), Step(StepKind.CAP, "A", 5, overflow="B"), Step(StepKind.CAP, "B", 5, overflow="C")), "overflow"),
    ],
)
def test_check_plan__a_bad_plan__names_its_field(steps: tuple[Step, ...], field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        check_plan(plan(*steps))


def test_check_terms__a_buyer_that_is_paid__is_refused() -> None:
    with pytest.raises(BadTerms, match="buyer"):
        check_terms(replace(terms(), buyer="A"))


def test_check_terms__an_invoice_issuer_outside_the_plan__is_refused() -> None:
    with pytest.raises(BadTerms, match="invoice_issuer"):
        check_terms(replace(terms(), invoice_issuer="Z"))


def test_volume_warnings__a_bound_where_the_total_falls__is_named() -> None:
    falling = Tariff(TariffKind.VOLUME, "call", tiers=(Tier(0, 100), Tier(10, 50)))
    assert any("10" in text for text in volume_warnings(falling))
    assert volume_warnings(Tariff(TariffKind.VOLUME, "call", tiers=(Tier(0, 1), Tier(10, 1)))) == ()


def test_month__december_in_shanghai__starts_at_sixteen_utc_the_day_before() -> None:
    """Half-open, and the year's last month ends where the next year starts."""
    december = month("2026-12")
    assert december.start == 1796054400
    assert december.end - december.start == 31 * 86_400
    assert december.start in december
    assert december.end not in december


@pytest.mark.parametrize("name", ["2026-13", "2026-3", "202603", "", "2026-03-01"])
def test_month__another_text__is_refused(name: str) -> None:
    with pytest.raises(BadTerms, match="period"):
        month(name)
