"""Many agreements metered by DuckDB: every reading equal, fact for fact, to the one `read_meter` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from clearing.errors import BadTerms, Clash
from clearing.terms import AgreementTerms, BillingBasis
from clearing.usage.bulk.duck import over_files, over_uses
from clearing.usage.bulk.reading import read_meters
from clearing.usage.intake import UseClass
from clearing.usage.metered import MeteredUse
from clearing.usage.record import Side
from tests.clearing.builders import terms
from tests.clearing.usage.bulk_cases import MARK, cases, one_by_one, parquet
from tests.clearing.usage.test_reconcile import BOTH, MARCH, RECORDS, use
from tests.counts import few

ALONE = AgreementTerms("g", 1, terms())
NOTHING_USED = [use(Side.PROVIDE, 0, quantity=0), use(Side.CONSUME, 0, quantity=9, use_class=UseClass.VERSION)]


@settings(deadline=None, max_examples=few(60))
@given(cases())
@example(([], []))
@example((NOTHING_USED, [ALONE]))
@example((NOTHING_USED, [BOTH]))
def test_read_meters__any_records_and_terms__what_read_meter_gives(
    case: tuple[list[MeteredUse], list[AgreementTerms]],
) -> None:
    uses, wanted = case
    with over_uses(uses, MARK) as engine:
        assert read_meters(wanted, MARCH, engine) == one_by_one(uses, wanted)


@pytest.mark.parametrize("billing", RECORDS)
def test_read_meters__the_largest_quantities__exact(billing: BillingBasis) -> None:
    """Beyond what a double holds: a sum of many, and a tolerance that is met by one unit."""
    large = 2**53 - 1
    uses = [use(side, seq, quantity=large - (side is Side.CONSUME)) for side in Side for seq in range(5)]
    uses = [replace(record, position=1 + (record.side is Side.CONSUME)) for record in uses]
    item = replace(BOTH, billing=billing)
    with over_uses(uses, MARK) as engine:
        found = read_meters([item], MARCH, engine)
    assert found == one_by_one(uses, [item])
    assert found[0].quantity == 5 * (large - (billing is not BillingBasis.PROVIDER))


def test_read_meters__two_contents_of_one_record__clash() -> None:
    uses = [use(Side.PROVIDE, 0), use(Side.PROVIDE, 0, digest="other")]
    with over_uses(uses, MARK) as engine, pytest.raises(Clash):
        read_meters([ALONE], MARCH, engine)


def test_read_meters__billed_by_acceptance__refused_as_nothing_here_says_what_was_accepted() -> None:
    with over_uses([use(Side.PROVIDE, 0)], MARK) as engine, pytest.raises(BadTerms, match="billing"):
        read_meters([ALONE, replace(BOTH, billing=BillingBasis.ACCEPTED)], MARCH, engine)


def test_over_files__rows_in_parquet__the_same_readings(tmp_path: Path) -> None:
    uses = [use(side, seq, position=1 + (side is Side.CONSUME)) for side in Side for seq in range(40)]
    uses += [use(Side.PROVIDE, 99, position=MARK + 1)]
    with over_files([parquet(uses, tmp_path / "a.parquet")], MARK) as engine:
        assert read_meters([ALONE, BOTH], MARCH, engine) == one_by_one(uses, [ALONE, BOTH])
