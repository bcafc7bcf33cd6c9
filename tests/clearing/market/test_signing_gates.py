"""Nothing new is signed on a certificate that is seized, under control or not in force; a pledge stops none (D24)."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from clearing.errors import BadTerms
from clearing.market import service, store
from clearing.market.agreement import Act, State
from clearing.market.errors import Defective, GateRefused
from clearing.market.listing import Move, PriceRegime
from clearing.terms import PriceCap, TaxBasis
from ledger import canonical
from ledger.digest import twin
from ledger.reading import body_of
from registry.afterlife.instrument import AuthorityType, Instrument
from registry.afterlife.remark import ENCUMBERING, Recorded, Remark, RemarkKind, Signing
from registry.afterlife.tables import RemarkPlaceRow, RemarkRow
from registry.asset import Twin
from registry.rights import Right
from registry.tables import CertificateRow
from tests.clearing.market.house import CODE, DAY, NOW, House, listing_of

PAPER = Instrument(AuthorityType.COURT, "某某人民法院（演示）", "演示", "1号", "2026-01-01", Twin.of(twin(b"1")))


def burden(house: House, kind: RemarkKind, signing: Signing = Signing.SILENT) -> str:
    """A remark on the market's certificate, as its projector would write it."""
    identity = secrets.token_hex(16)
    record = Recorded(kind, tuple(Right), "2026-01-01", certificate=CODE, signing=signing)
    remark = Remark(identity, record, PAPER, NOW - DAY, NOW - DAY)
    document = canonical.encode(body_of(remark)).decode()
    house.session.add(
        RemarkRow(id=identity, kind=kind.value, encumbers=kind in ENCUMBERING, standing=True, document=document)
    )
    place = RemarkPlaceRow(remark=identity, target=f"certificate:{CODE}", rank=1, rights="HOLD USE OPERATE")
    house.session.add(place)
    house.session.flush()
    return identity


def end(house: House) -> None:
    row = house.session.get(CertificateRow, (CODE, 1))
    assert row is not None
    row.ended, row.ended_at, row.ended_by = "CANCELLED", NOW - DAY, "9" * 64
    house.session.flush()


def gate(act: object) -> str:
    """The gate that refuses: alone at signing, in the list of the pre-check at listing."""
    with pytest.raises((GateRefused, Defective)) as refused:
        act()  # type: ignore[operator]
    if isinstance(refused.value, GateRefused):
        return refused.value.gate
    assert isinstance(refused.value, Defective)
    [gate] = {item.gate for item in refused.value.defects}  # type: ignore[attr-defined]
    return str(gate)


STOPS = [(RemarkKind.PRESERVATION, "G9"), (RemarkKind.TEMP_CONTROL, "G9")]


@pytest.mark.clause("G23", "D24")
@pytest.mark.parametrize(("kind", "expected"), STOPS)
def test_seized_or_controlled__no_listing_no_approval_no_conclusion(
    house: House, kind: RemarkKind, expected: str
) -> None:
    listed = house.listed()
    waiting = secrets.token_hex(16)
    house.submit(listing_of(), waiting, NOW - DAY)
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(waiting, move, NOW - DAY)
    burden(house, kind)
    assert gate(lambda: house.submit(listing_of(), secrets.token_hex(16))) == expected
    assert gate(lambda: house.review(waiting, Move.APPROVE)) == expected
    assert gate(lambda: house.conclude(listing=listed)) == expected
    assert store.agreements(house.session) == []


@pytest.mark.clause("G23", "D24")
@pytest.mark.parametrize("cancelled", [False, True])
def test_pending__not_activated_on_a_certificate_seized_or_cancelled_meanwhile(house: House, cancelled: bool) -> None:
    identity = secrets.token_hex(32)
    terms = house.terms(house.listed(), conditions=("备案",))
    house.take(house.sign(house.act(identity, Act.CONCLUDE, State.PENDING, terms=terms)), NOW)
    activation = house.sign(house.act(identity, Act.ACTIVATE, State.EFFECTIVE))
    if cancelled:
        end(house)
    else:
        burden(house, RemarkKind.PRESERVATION)
    assert gate(lambda: house.take(activation, NOW + 5)) == ("G1" if cancelled else "G9")
    assert store.agreement(house.session, identity).state is State.PENDING


def test_pending__activated_where_nothing_stands_against_it(house: House) -> None:
    identity = secrets.token_hex(32)
    terms = house.terms(house.listed(), conditions=("备案",))
    house.take(house.sign(house.act(identity, Act.CONCLUDE, State.PENDING, terms=terms)), NOW)
    burden(house, RemarkKind.PLEDGE)
    house.take(house.sign(house.act(identity, Act.ACTIVATE, State.EFFECTIVE)), NOW + 5)
    assert store.agreement(house.session, identity).state is State.EFFECTIVE


@pytest.mark.clause("G37", "D24")
def test_cancelled__nothing_new_and_the_gate_says_why(house: House) -> None:
    listed = house.listed()
    end(house)
    with pytest.raises(GateRefused) as refused:
        house.conclude(listing=listed)
    assert (refused.value.gate, refused.value.given) == ("G1", "CANCELLED")


@pytest.mark.clause("D24")
@pytest.mark.parametrize(
    ("kind", "signing", "open_"),
    [
        (RemarkKind.PRESERVATION, Signing.ALLOWED, True),
        (RemarkKind.PLEDGE, Signing.SILENT, True),
        (RemarkKind.AGREED, Signing.SILENT, True),
        (RemarkKind.AGREED, Signing.BLOCKED, False),
    ],
)
def test_words_of_the_instrument__decide(house: House, kind: RemarkKind, signing: Signing, open_: bool) -> None:
    burden(house, kind, signing)
    title = service.title_of(house.session, CODE, listing_of().seller, NOW)
    assert title is not None
    assert title.in_force
    assert title.blocked != open_
    if open_:
        assert house.conclude(at=NOW)[0]
    else:
        assert gate(lambda: house.submit(listing_of(), secrets.token_hex(16))) == "G9"


@pytest.mark.clause("D24")
def test_running_agreement__goes_on_under_a_seizure(house: House) -> None:
    identity, _ = house.conclude()
    burden(house, RemarkKind.PRESERVATION)
    ended = house.sign(house.act(identity, Act.COMPLETE, State.COMPLETED))
    assert [row.id for row in store.agreements_in_force(house.session, NOW)] == [identity]
    house.take(ended, NOW + 10)
    assert store.agreement(house.session, identity).state is State.COMPLETED


def test_product_under_a_guided_price__terms_without_its_cap__are_not_signed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = house.listed()
    terms, row = house.terms(listing), service.shelf.listing(house.session, listing)
    guided = replace(row, value=replace(row.value, regime=PriceRegime.GUIDED))
    cap = PriceCap(listing, "call", 10, 35, TaxBasis.INCLUSIVE, "f" * 64)
    service.check_gates(house.session, terms, NOW)
    monkeypatch.setattr(service.shelf, "listing", lambda session, identity: guided)
    with pytest.raises(BadTerms, match=r"terms\.settlement\.cap"):
        service.check_gates(house.session, terms, NOW)
    service.check_gates(house.session, replace(terms, settlement=replace(terms.settlement, cap=cap)), NOW)
