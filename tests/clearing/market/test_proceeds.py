"""What a listing earns decides the terms of its agreements: non-tax revenue is never charged, shared or netted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from clearing.errors import BadTerms
from clearing.market import service
from clearing.market.agreement import Terms
from clearing.market.delivery import service as delivering
from clearing.market.negotiation.message import Message
from clearing.market.proceeds import check_proceeds
from clearing.market.product import Commerce, Proceeds, SellerKind
from clearing.settlement import rating
from clearing.terms import (
    WHOLE,
    Holder,
    NonTax,
    SharingPlan,
    Step,
    StepKind,
    Tax,
    TaxBasis,
    Weight,
    check_terms,
)
from clearing.terms import Terms as Settlement
from clearing.usage.metering import MeterReading
from registry.asset import Twin
from registry.tables import PartyRow
from tests.clearing.market.house import CONSUMER, DAY, NOW, SELLER, House, new_keys, terms_of, uscc
from tests.clearing.market.talks import C, P, Talk, quote

AUTHORITY, TREASURY, ISSUER = uscc(71), uscc(72), uscc(73)
NON_TAX = NonTax(AUTHORITY, TREASURY, ISSUER, "103049901")
OF_BUDGET = Commerce(SellerKind.PUBLIC_BODY, "33", "plan-1", Proceeds.NON_TAX, "provide-1")
TWIN = Twin("0" * 64, "0" * 64)
WITHOUT_VAT = Tax(TaxBasis.INCLUSIVE, 0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "market.db")
    seat(made)
    yield made
    made.close()


def seat(house: House) -> None:
    """The three public parties on record, each in its role."""
    for party, role in ((AUTHORITY, "non_tax_authority"), (TREASURY, "treasury"), (ISSUER, "ticket_issuer")):
        keys = new_keys()
        house.session.add(
            PartyRow(id=party, no=0, name="演示", kind="法人", sm2=keys.sm2.public, evm=keys.address, roles=role,
                     from_at=NOW - 90 * DAY, fact_id=party.ljust(64, "9"))
        )  # fmt: skip
    house.session.flush()


def collected(terms: Terms, **changes: object) -> Terms:
    """The same terms, as non-tax revenue of the treasury."""
    plan = SharingPlan(
        1, 0, (Holder(TREASURY, "treasury"),), (Step(StepKind.RATIO, weights=(Weight(TREASURY, WHOLE),)),), TREASURY
    )
    fields: dict[str, object] = {"invoice_issuer": TREASURY, "tax": WITHOUT_VAT, "plan": plan, "non_tax": NON_TAX}
    return replace(terms, settlement=replace(terms.settlement, **fields | changes))  # type: ignore[arg-type]


REFUSED = {
    (Proceeds.OPERATING, False, 0): "",
    (Proceeds.OPERATING, False, 600): "",
    (Proceeds.OPERATING, True, 0): "terms.settlement.non_tax",
    (Proceeds.OPERATING, True, 600): "terms.settlement.non_tax",
    (Proceeds.NON_TAX, False, 0): "terms.settlement.non_tax",
    (Proceeds.NON_TAX, False, 600): "terms.settlement.tax.bp",
    (Proceeds.NON_TAX, True, 0): "",
    (Proceeds.NON_TAX, True, 600): "terms.settlement.tax.bp",
}
"""Listing, are there terms of a collection, VAT in basis points: the field that is refused."""


def test_table__is_whole() -> None:
    assert set(REFUSED) == set(product(Proceeds, (False, True), (0, 600)))


@pytest.mark.parametrize(("case", "field"), REFUSED.items())
@pytest.mark.parametrize("basis", TaxBasis)
def test_proceeds_and_terms__of_one_kind_or_refused_by_the_field(
    case: tuple[Proceeds, bool, int], field: str, basis: TaxBasis
) -> None:
    proceeds, there, bp = case
    settlement = terms_of("1" * 32, TWIN).settlement
    settlement = replace(settlement, tax=Tax(basis, bp), non_tax=NON_TAX if there else None)
    if not field:
        check_proceeds(proceeds, settlement)
        return
    with pytest.raises(BadTerms) as refused:
        check_proceeds(proceeds, settlement)
    assert refused.value.field == field
    assert "产品" in refused.value.expected


def changed(settlement: Settlement, name: str) -> Settlement:
    weights = (Weight(TREASURY, WHOLE // 2), Weight(SELLER, WHOLE // 2))
    shared = replace(
        settlement.plan, holders=(Holder(TREASURY, "treasury"), Holder(SELLER, "operator")),
        steps=(Step(StepKind.RATIO, weights=weights),),
    )  # fmt: skip
    return {
        "tax.bp": replace(settlement, tax=Tax(TaxBasis.EXCLUSIVE, 600)),
        "plan.holders": replace(settlement, plan=shared),
        "non_tax.treasury": replace(settlement, non_tax=replace(NON_TAX, authority=TREASURY)),
        "non_tax.issuer": replace(settlement, non_tax=replace(NON_TAX, issuer=CONSUMER)),
    }[name]


@pytest.mark.parametrize("field", ["tax.bp", "plan.holders", "non_tax.treasury", "non_tax.issuer"])
def test_non_tax_terms__with_vat_shares_or_one_party_for_two__refused(field: str) -> None:
    settlement = collected(terms_of("1" * 32, TWIN)).settlement
    check_terms(settlement)
    with pytest.raises(BadTerms) as refused:
        check_terms(changed(settlement, field))
    assert refused.value.field == field


def test_gate__a_listing_of_non_tax_revenue__is_agreed_only_with_its_collection(house: House) -> None:
    listing = house.listed(commerce=OF_BUDGET)
    terms = house.terms(listing)
    with pytest.raises(BadTerms, match=r"terms\.settlement\.tax\.bp: expected 0：非税收入产品"):
        service.check_gates(house.session, terms, NOW)
    untaxed = replace(terms, settlement=replace(terms.settlement, tax=WITHOUT_VAT))
    with pytest.raises(BadTerms, match=r"terms\.settlement\.non_tax: expected 非税收入产品须约定收缴.*given '无"):
        service.check_gates(house.session, untaxed, NOW)
    service.check_gates(house.session, collected(terms), NOW)


def test_gate__a_taxable_listing__is_not_agreed_as_non_tax(house: House) -> None:
    terms = collected(house.terms(house.listed()))
    with pytest.raises(BadTerms, match=r"terms\.settlement\.non_tax: expected 无：经营收入产品.*103049901"):
        service.check_gates(house.session, terms, NOW)


@pytest.mark.parametrize("name", ["authority", "treasury", "issuer"])
@pytest.mark.parametrize("other", [SELLER, uscc(99)])
def test_gate__a_public_party_without_its_role_or_not_on_record__refused(house: House, name: str, other: str) -> None:
    listing = house.listed(commerce=OF_BUDGET)
    terms = collected(house.terms(listing), non_tax=replace(NON_TAX, **{name: other}))
    with pytest.raises(BadTerms) as refused:
        service.check_gates(house.session, terms, NOW)
    assert refused.value.field == f"terms.settlement.non_tax.{name}"
    assert other in str(refused.value.given)


def test_agreement_of_non_tax_revenue__is_in_force__and_in_no_cycle(house: House) -> None:
    taxable, _ = house.conclude()
    listing = house.listed(commerce=OF_BUDGET)
    terms = collected(house.terms(listing))
    collecting, _ = house.conclude(listing=listing, settlement=terms.settlement)
    window = (NOW - DAY, NOW + DAY)
    assert {item.agreement for item in service.agreement_terms(house.session, *window)} == {taxable, collecting}
    assert [item.agreement for item in delivering.settling(house.session, *window)] == [taxable]


def test_rating__of_non_tax_revenue__is_refused_by_itself() -> None:
    settlement = collected(terms_of("1" * 32, TWIN)).settlement
    reading = MeterReading.__new__(MeterReading)
    with pytest.raises(BadTerms) as refused:
        rating.rate("0" * 64, reading, settlement)
    assert refused.value.field == "non_tax"


def test_quote__with_vat_for_a_listing_of_non_tax_revenue__refused(house: House) -> None:
    talk = Talk(house, house.listed(commerce=OF_BUDGET))
    talk.say(Message.INQUIRE, C)
    error = talk.refused(Message.QUOTE, P, quote())
    assert isinstance(error, BadTerms)
    assert (error.field, error.given) == ("quote.tax.bp", 600)
    talk.say(Message.QUOTE, P, quote(tax=WITHOUT_VAT))
