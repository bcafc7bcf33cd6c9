"""The second and the act of every acceptance, against a count of its own; what terms and a delivery must say for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms
from clearing.market.agreement import check_terms
from clearing.market.delivery.accepting import Acceptance, Told, acceptances
from clearing.market.delivery.act import Act
from clearing.market.delivery.moves import (
    counted,
    decide,
    inspection_ends,
    longest_inspection,
    moved,
    seen_all,
)
from clearing.market.promise import Counting, Inspection, Silence
from clearing.terms import BillingBasis, Tariff, TariffKind, Tier
from tests.clearing.market.accepting_cases import TERMS, UNIT, summed, told
from tests.clearing.market.handing import CALENDAR, act_for, delivery_terms, sent, shipment
from tests.clearing.market.house import DAY, NOW
from tests.counts import few

CASES = st.sampled_from(Silence).flatmap(lambda silence: st.tuples(st.just(silence), told(silence, "f")))


@settings(deadline=None, max_examples=few(150))
@given(CASES)
def test_acceptances__any_acts__each_unit_once_in_the_second_it_was_accepted(case: tuple[Silence, list[Told]]) -> None:
    silence, acts = case
    found = acceptances("d", acts, TERMS[silence], CALENDAR)
    assert sorted((one.item, one.at, one.quantity) for one in found) == sorted(summed(acts, silence))
    kinds = {act.fact: act.body.act for act in acts}
    assert {kinds[one.fact] for one in found if one.deemed} <= {Act.RECEIVE}
    assert {kinds[one.fact] for one in found if not one.deemed} <= {Act.ACCEPT, Act.OBJECT, Act.DECIDE}


@settings(deadline=None, max_examples=few(100))
@given(CASES, st.integers(0, 100))
def test_acceptances__up_to_any_second__what_the_delivery_reads_then(
    case: tuple[Silence, list[Told]], later: int
) -> None:
    silence, acts = case
    folded = None
    for act in acts:
        folded = moved(folded, act.body, act.at)
    assert folded is not None
    at = acts[-1].at + later * DAY
    read = sum(line.accepted for line in counted(seen_all(folded, TERMS[silence], CALENDAR, at)))
    found = acceptances("d", acts, TERMS[silence], CALENDAR)
    assert sum(one.quantity for one in found if one.at <= at) == read


def test_acceptances__silence_confirmed_or_objected_to_later__keeps_its_date_for_what_stays() -> None:
    acts = [
        Told("made", NOW, act_for(Act.DELIVER, None, shipment=shipment(sent("a", 5, unit=UNIT)))),
        Told("got", NOW, act_for(Act.RECEIVE, None, found=None)),
    ]
    case = moved(None, acts[0].body, NOW)
    acts[1] = Told("got", NOW, act_for(Act.RECEIVE, case.items[0]))
    ends = inspection_ends(NOW, TERMS[Silence.ACCEPT], CALENDAR)
    case = moved(case, acts[1].body, NOW)
    whole = (Acceptance("d", "a", 5, ends, "got", True),)
    assert acceptances("d", acts, TERMS[Silence.ACCEPT], CALENDAR) == whole
    confirmed = [*acts, Told("yes", ends + DAY, act_for(Act.ACCEPT, case.items[0]))]
    assert acceptances("d", confirmed, TERMS[Silence.ACCEPT], CALENDAR) == whole
    late = act_for(Act.LATE, case.items[0])
    assert late.objections is not None
    late = replace(late, objections=(replace(late.objections[0], quantity=2),))
    objected = [*acts, Told("no", ends + DAY, late)]
    assert acceptances("d", objected, TERMS[Silence.ACCEPT], CALENDAR) == (Acceptance("d", "a", 3, ends, "got", True),)
    in_time = [*acts, Told("yes", ends - 1, act_for(Act.ACCEPT, case.items[0]))]
    assert acceptances("d", in_time, TERMS[Silence.ACCEPT], CALENDAR) == (Acceptance("d", "a", 5, ends - 1, "yes"),)


@settings(deadline=None, max_examples=few(150))
@given(st.integers(NOW - 500 * DAY, NOW), st.integers(0, 120), st.sampled_from(Counting), st.booleans())
def test_longest_inspection__is_never_shorter_than_one(
    received: int, days: int, counting: Counting, used: bool
) -> None:
    terms = delivery_terms(acceptance_days=days, inspection=Inspection(counting, quality_in_use=used))
    assert inspection_ends(received, terms, CALENDAR) <= received + longest_inspection(terms)


@pytest.mark.parametrize(
    ("field", "tariff"),
    [
        ("terms.settlement.tariff.kind", Tariff(TariffKind.FIXED, UNIT, fixed_fen=100)),
        ("terms.settlement.tariff.kind", Tariff(TariffKind.SUBSCRIPTION, UNIT, 100, (Tier(0, 5),), 3)),
        ("terms.settlement.tariff.kind", Tariff(TariffKind.REVENUE_SHARE, UNIT, rate=1000, base="演示收入")),
        ("terms.settlement.tariff.minimum_fen", Tariff(TariffKind.PER_UNIT, UNIT, tiers=(Tier(0, 5),), minimum_fen=1)),
    ],
)
def test_terms__with_an_amount_of_the_period__are_not_billed_by_acceptance(field: str, tariff: Tariff) -> None:
    accepting = TERMS[Silence.ACCEPT]
    terms = replace(accepting, settlement=replace(accepting.settlement, tariff=tariff))
    with pytest.raises(BadTerms, match=field):
        check_terms(terms)
    check_terms(replace(terms, billing=BillingBasis.PROVIDER))


def test_terms__billed_by_acceptance__need_no_connector() -> None:
    terms = TERMS[Silence.ACCEPT]
    alone = replace(terms, parties=tuple(replace(party, connectors=()) for party in terms.parties))
    check_terms(alone)
    with pytest.raises(BadTerms, match=r"terms\.parties\.connectors"):
        check_terms(replace(alone, billing=BillingBasis.PROVIDER))


def test_delivery__in_another_unit_than_the_tariff__refused_by_its_item_where_acceptance_is_billed() -> None:
    body = act_for(Act.DELIVER, None, shipment=shipment(sent("a", 1, unit=UNIT), sent("b", 1, unit="milestone")))
    with pytest.raises(BadTerms, match=r"body\.shipment\.items\[1\]\.unit: expected item, given .milestone"):
        decide(None, body, TERMS[Silence.ACCEPT], CALENDAR, NOW)
    decide(None, body, delivery_terms(unit=UNIT), CALENDAR, NOW)
