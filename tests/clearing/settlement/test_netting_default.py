"""A missed funding: money is conserved, nobody pays twice, and others change only by what concerns the defaulter.

And what may be netted at all."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms
from clearing.settlement.netting import check_certificate, positions_of
from clearing.settlement.netting.default import Borne, Cover, Exposure, Guarantee, resolve
from clearing.settlement.netting.eligibility import Attributes, Ground, Proceeds, eligible, grounds_against
from clearing.settlement.statement import Item, Obligation
from tests.counts import few

check = settings(deadline=None, max_examples=few(80))


def owe(debtor: str, creditor: str, amount: int) -> Obligation:
    return Obligation(debtor, creditor, amount, (Item("g", "2026-03", amount),))


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Obligation], dict[str, int], dict[str, Cover]]:
    pairs = draw(st.lists(st.sampled_from(list(permutations("ABCDE", 2))), min_size=1, max_size=12, unique=True))
    owed = [owe(debtor, creditor, draw(st.integers(1, 200))) for debtor, creditor in pairs]
    parties = sorted({party for pair in pairs for party in pair})
    amounts = st.integers(0, 300)
    funded = draw(st.dictionaries(st.sampled_from(parties), amounts))
    guarantee = st.one_of(st.none(), st.builds(Guarantee, st.just("bank"), amounts))
    covers = draw(st.dictionaries(st.sampled_from(parties), st.builds(Cover, amounts, amounts, guarantee)))
    return owed, funded, covers


@check
@given(runs(), st.randoms(use_true_random=False))
def test_resolve__any_run__conserves_money_and_nobody_pays_twice(
    case: tuple[list[Obligation], dict[str, int], dict[str, Cover]], rng: object
) -> None:
    owed, funded, covers = case
    found = resolve(owed, funded, covers)
    before = {item.party: item.net for item in positions_of(owed)}
    out = set(found.excluded)
    check_certificate(found.kept, found.certificate)
    assert sorted([*found.kept, *found.removed], key=repr) == sorted(owed, key=repr)

    # money: what was paid in, drawn and yet to come is what is paid out and what covers exposures
    drawn = sum(line.amount for line in found.borne if line.source != "funded")
    paid_in = sum(funded.values()) + drawn + sum(line.due for line in found.funding)
    assert paid_in == sum(line.paid_out for line in found.funding) + sum(line.covered for line in found.exposures)

    # nobody twice: each source once and never above its amount; funding after all is exactly the new position
    used = [(line.defaulter, line.source) for line in found.borne]
    assert len(used) == len(set(used))
    for line in found.borne:
        limits = {source: most for source, _, most in covers.get(line.defaulter, Cover()).sources(line.defaulter)}
        assert 0 < line.amount <= ({"funded": funded.get(line.defaulter, 0)} | limits)[line.source]
        assert line.party == ("bank" if line.source == "guarantee" else line.defaulter)
    own = {
        party: funded.get(party, 0) + sum(line.amount for line in found.borne if line.defaulter == party)
        for party in before
    }
    for line in found.funding:
        assert line.funded == own[line.party]
        assert line.funded + line.due - line.paid_out == -line.position
        assert min(line.due, line.paid_out) == 0

    # others change by what concerns those who left, and by nothing else
    after = {item.party: item.net for item in found.certificate.positions}
    for party in set(before) - out:
        lost = sum(item.amount for item in owed if item.creditor == party and item.debtor in out)
        freed = sum(item.amount for item in owed if item.debtor == party and item.creditor in out)
        assert after.get(party, 0) == before[party] - lost + freed

    # who stays with a shortfall was no defaulter, who left could not be cured; creditors bear what is not covered
    for line in found.funding:
        assert not (line.due and line.party in found.cured)
    for party in before:
        short = before[party] + funded.get(party, 0) < 0
        assert short == (party in out or party in found.cured)
    for line_ in found.exposures:
        claim = sum(item.amount for item in owed if (item.debtor, item.creditor) == (line_.defaulter, line_.creditor))
        assert (line_.claim, line_.covered + line_.borne) == (claim, claim)
        assert line_.borne >= 0

    shuffled = list(owed)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    again = resolve(shuffled, funded, covers)
    assert (again.borne, again.exposures, again.funding, again.certificate) == (
        found.borne, found.exposures, found.funding, found.certificate
    )  # fmt: skip


RUN = [owe("A", "B", 100), owe("A", "C", 50), owe("B", "C", 30), owe("C", "A", 20)]
"""Positions: A −130, B +70, C +60."""


def test_resolve__everybody_paid__is_the_run_as_it_was() -> None:
    found = resolve(RUN, {"A": 130}, {})
    assert (found.cured, found.excluded, found.borne, found.exposures) == ((), (), (), ())
    assert [(line.party, line.due, line.paid_out) for line in found.funding] == [
        ("A", 0, 0),
        ("B", 0, 70),
        ("C", 0, 60),
    ]


def test_resolve__collateral_then_advance_then_guarantor__in_this_order_and_no_more_than_missing() -> None:
    found = resolve(RUN, {"A": 100}, {"A": Cover(5, 10, Guarantee("bank", 50))})
    assert found.cured == ("A",)
    assert found.borne == (
        Borne("A", "collateral", "A", 5), Borne("A", "advance", "A", 10), Borne("A", "guarantee", "bank", 15)
    )  # fmt: skip
    assert found.kept == tuple(RUN)


def test_resolve__one_fen_short__leaves_with_everything_and_creditors_bear_their_own() -> None:
    """A had 129 in reach of 130: its 129 go to B and C by 100 : 50; B owes C 30 as before and has to bring it now."""
    found = resolve(RUN, {"A": 100}, {"A": Cover(5, 10, Guarantee("bank", 14))})
    assert found.excluded == ("A",)
    assert found.exposures == (Exposure("A", "B", 100, 86, 14), Exposure("A", "C", 50, 43, 7))
    assert [(line.party, line.position, line.due, line.paid_out) for line in found.funding] == [
        ("B", -30, 30, 0), ("C", 30, 0, 30)
    ]  # fmt: skip


def test_resolve__nonsense__is_refused() -> None:
    for funded, covers, error in (
        ({"X": 1}, {}, BadTerms),
        ({"A": -1}, {}, BadMoney),
        ({"A": 10**15}, {}, BadMoney),
        ({}, {"X": Cover()}, BadTerms),
        ({}, {"A": Cover(collateral=-1)}, BadMoney),
        ({}, {"A": Cover(guarantee=Guarantee("A", 5))}, BadTerms),
    ):
        with pytest.raises(error):
            resolve(RUN, funded, covers)


READY = {"id": "o", "currency": "CNY", "due": 100, "confirmed": True}


@pytest.mark.parametrize(
    ("change", "ground"),
    [
        ({"confirmed": False}, Ground.UNCONFIRMED),
        ({"disputed": True}, Ground.DISPUTED),
        ({"due": 101}, Ground.NOT_DUE),
        ({"currency": "USD"}, Ground.CURRENCY),
        ({"cash": False}, Ground.NOT_CASH),
        ({"proceeds": Proceeds.NON_TAX}, Ground.NON_TAX),
        ({"proceeds": Proceeds.PASS_THROUGH}, Ground.PASS_THROUGH),
        ({"proceeds": Proceeds.ADVANCE}, Ground.ADVANCE),
        ({"lien": True}, Ground.LIEN),
        ({"freeze": True}, Ground.FREEZE),
        ({"payee_conflict": True}, Ground.PAYEE_CONFLICT),
    ],
)
def test_grounds_against__each_obstacle_alone__holds_back_and_is_named(
    change: dict[str, object], ground: Ground
) -> None:
    assert grounds_against(Attributes(**READY), "CNY", 100) == ()  # type: ignore[arg-type]
    assert grounds_against(Attributes(**READY | change), "CNY", 100) == (ground,)  # type: ignore[arg-type]


def test_eligible__several__sorts_and_names_every_ground_once() -> None:
    items = [
        Attributes("b", "CNY", 0, True),
        Attributes("c", "CNY", 5, False, lien=True),
        Attributes("a", "CNY", 0, True),
    ]
    ready, held = eligible(items, "CNY", 0)
    assert ready == ("a", "b")
    assert [(entry.id, entry.grounds) for entry in held] == [("c", (Ground.UNCONFIRMED, Ground.NOT_DUE, Ground.LIEN))]
