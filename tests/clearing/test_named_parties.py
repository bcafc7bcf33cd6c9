"""Whoever a signed statement names beside its signers is on record when it is taken in, by whatever door it comes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from clearing.errors import BadTerms
from clearing.market.agreement import Act, State
from clearing.market.promise import Inspection
from clearing.settlement import service as settlement
from clearing.settlement.netting.limits import Cap, PairLimit
from clearing.settlement.public_revenue import service as public_revenue
from clearing.settlement.public_revenue.statements import AUTHORITY, ISSUER, NON_TAX_DUE, TREASURY, due_subject
from clearing.settlement.reporting import service as reporting
from clearing.settlement.reporting.objection import PARTY_RELATION, Relation, relation_subject
from clearing.settlement.service_order import service as orders
from clearing.settlement.service_order.scheme import TENDER
from clearing.settlement.service_order.statements import SERVICE_SCHEME, Contract
from clearing.terms import Holder
from clearing.usage.finding import CHECKER, MAKER
from ledger import signing, sm
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.store import Appended
from registry.tables import PartyRow
from tests.clearing.market.house import CONSUMER, COURT, NOW, OPERATOR, PROVIDER, SELLER, House, new_keys, uscc
from tests.clearing.settlement.disputing import office_of
from tests.clearing.settlement.public_revenue.collecting import D, a_due
from tests.databases import Place

STRANGER = uscc(99)
Sending = Callable[[House], Callable[[], Appended]]
"""Signs a statement that names the stranger; what it returns hands it in."""


def by_parties(house: House, kind: str, subject: str, body: object, *parties: str) -> Signed:
    statement = Statement(kind, subject, *ledger.next_of(house.session, subject), body_of(body))
    made = (signing.sign_sm2(house.keys[party].sm2, statement, by=f"party:{party}") for party in parties)
    return Signed(statement, tuple(made))


def limits(caps: list[Cap], pairs: list[PairLimit]) -> Sending:
    def sign(house: House) -> Callable[[], Appended]:
        staff = {MAKER: sm.generate(), CHECKER: sm.generate()}
        for role, key in staff.items():
            house.hire(role, key, role)
        drafted = settlement.draft_limits(house.session, operator=OPERATOR, caps=caps, pairs=pairs)
        made = (signing.sign_sm2(key, drafted, by=f"staff:{role}", role=role) for role, key in staff.items())
        signed = Signed(drafted, tuple(made))
        return lambda: settlement.set_limits(house.session, office_of(house), signed, at=NOW)

    return sign


def agreement(*, paid: bool) -> Sending:
    def sign(house: House) -> Callable[[], Appended]:
        terms = house.terms(house.listed())
        if paid:
            plan = terms.settlement.plan
            plan = replace(plan, holders=(*plan.holders, Holder(STRANGER, "broker")))
            terms = replace(terms, settlement=replace(terms.settlement, plan=plan))
        else:
            terms = replace(terms, inspection=Inspection(decider=STRANGER))
        signed = house.sign(house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms))
        return lambda: house.take(signed, NOW)

    return sign


def scheme(house: House) -> Callable[[], Appended]:
    body = Contract("c" * 32, CONSUMER, PROVIDER, STRANGER, award=100, scheme=TENDER)
    signed = by_parties(house, SERVICE_SCHEME, f"service-scheme:{body.contract}", body, CONSUMER, PROVIDER)
    return lambda: orders.take(house.session, signed, at=NOW)


def due(**changes: str) -> Sending:
    def sign(house: House) -> Callable[[], Appended]:
        for party, role in ((PROVIDER, AUTHORITY), (COURT, TREASURY), (SELLER, ISSUER)):
            row = house.session.get(PartyRow, (party, 0))
            assert row is not None
            row.roles = role
        house.session.flush()
        signed = by_parties(house, NON_TAX_DUE, due_subject(D), replace(a_due(), **changes), PROVIDER)
        return lambda: public_revenue.take(house.session, signed, at=NOW)

    return sign


def relation(house: House) -> Callable[[], Appended]:
    first, second = sorted((SELLER, STRANGER))
    body = Relation(first, second, True, "同一实际控制人（演示）")
    signed = by_parties(house, PARTY_RELATION, relation_subject(first, second), body, SELLER)
    return lambda: reporting.take_relation(house.session, signed, operator=OPERATOR, at=NOW)


@pytest.fixture
def house(place: Place) -> Iterator[House]:
    made = House(place.engine())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("sign", "field", "roles"),
    [
        pytest.param(limits([Cap(SELLER, 1), Cap(STRANGER, 1)], []), "body.caps[1].party", "", id="netting-cap"),
        pytest.param(limits([], [PairLimit(STRANGER, SELLER, 1)]), "body.pairs[0].debtor", "", id="netting-debtor"),
        pytest.param(limits([], [PairLimit(SELLER, STRANGER, 1)]), "body.pairs[0].creditor", "", id="netting-creditor"),
        pytest.param(agreement(paid=True), "terms.settlement.plan.holders[2].party", "", id="agreement-payee"),
        pytest.param(agreement(paid=False), "terms.inspection.decider", "", id="agreement-decider"),
        pytest.param(scheme, "body.supervisor", "", id="service-order-supervisor"),
        pytest.param(due(payer=STRANGER), "body.payer", "", id="non-tax-payer"),
        pytest.param(due(treasury=STRANGER), "body.treasury", TREASURY, id="non-tax-treasury"),
        pytest.param(relation, "body.second", "", id="relation"),
    ],
)
def test_statement__naming_a_party_that_is_not_on_record__refused_by_field_and_taken_in_once_it_is(
    house: House, sign: Sending, field: str, roles: str
) -> None:
    send = sign(house)
    before = ledger.count(house.session)
    with pytest.raises(BadTerms) as refused:
        send()
    assert (refused.value.field, refused.value.given) == (field, STRANGER)
    assert ledger.count(house.session) == before
    keys = new_keys()
    row = PartyRow(id=STRANGER, no=0, name="演示", kind="法人", sm2=keys.sm2.public, evm=keys.address, roles=roles,
                   from_at=NOW + 1, fact_id="9" * 64)  # fmt: skip
    house.session.add(row)
    house.session.flush()
    with pytest.raises(BadTerms, match=field.replace("[", r"\[").replace("]", r"\]")):
        send()
    row.from_at = NOW
    house.session.flush()
    assert not send().replayed, "on record from this second on"
