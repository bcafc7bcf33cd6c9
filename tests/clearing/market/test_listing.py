"""Listings: the table of states, the gates of the certificate, and who may decide."""

from __future__ import annotations

from itertools import product

import pytest

from clearing.errors import BadTerms, NotSigned, TooEarly, WrongMove
from clearing.market import service, store
from clearing.market.errors import GateRefused, NotEntitled
from clearing.market.listing import ACTORS, MOVES, Actor, ListingMove, Move, State, after, check_move
from ledger.errors import BadSignature, Conflict
from ledger.facts import Signed
from ledger.signing import sign_sm2
from registry.rights import Right
from registry.tables import CertificateRow, HoldingRow
from tests.clearing.market.house import CODE, DAY, NOW, OPERATOR, PROVIDER, SELLER, House, listing_of

ID = "a" * 32


def test_after__every_state_and_move__only_the_table_passes():
    """We write the edges down again by hand, so the table cannot vouch for itself."""
    edges = {
        ("SUBMITTED", "withdraw", "DRAFT"), ("SUBMITTED", "approve", "LISTED"), ("SUBMITTED", "reject", "REJECTED"),
        ("LISTED", "suspend", "SUSPENDED"), ("SUSPENDED", "resume", "LISTED"), ("LISTED", "notice", "NOTICE"),
        ("SUSPENDED", "notice", "NOTICE"), ("NOTICE", "call_off_notice", "LISTED"), ("NOTICE", "delist", "DELISTED"),
    }  # fmt: skip
    found = set()
    for state, move in product(State, Move):
        try:
            found.add((state.value, move.value, after(ID, state, move).value))
        except WrongMove:
            assert (state, move) not in MOVES
    assert found == edges


def test_check_move__seller_approves__refused():
    with pytest.raises(NotEntitled):
        check_move(ListingMove(Move.APPROVE), Actor.SELLER, SELLER, SELLER)


def test_check_move__reviewer_of_the_sellers_own_house__refused():
    with pytest.raises(NotEntitled):
        check_move(ListingMove(Move.APPROVE), Actor.REVIEWER, SELLER, SELLER)


def test_check_move__rejection_without_reason__refused():
    with pytest.raises(BadTerms):
        check_move(ListingMove(Move.REJECT), Actor.REVIEWER, SELLER, OPERATOR)
    assert set(ACTORS) == set(Move)


def test_submit__certificate_in_force__listed_after_review(house: House):
    house.submit(listing_of(), ID)
    assert store.listing(house.session, ID).state is State.SUBMITTED
    house.review(ID, Move.APPROVE)
    row = store.listing(house.session, ID)
    assert (row.state, row.value) == (State.LISTED, listing_of())
    assert [found.id for found in store.listings(house.session, state=State.LISTED)] == [ID]


def test_submit__no_right_to_operate__gate_g1(house: House):
    house.session.delete(house.session.get(HoldingRow, (CODE, 1, Right.OPERATE.value, SELLER)))
    with pytest.raises(GateRefused) as refused:
        house.submit(listing_of(), ID)
    assert (refused.value.gate, refused.value.field) == ("G1", "certificate.rights")


def test_submit__lapsed_or_unknown_certificate__gate_g1(house: House):
    with pytest.raises(GateRefused) as refused:
        house.submit(listing_of(), ID, at=NOW + 900 * DAY)
    assert refused.value.given == "LAPSED"
    with pytest.raises(GateRefused):
        house.submit(listing_of(certificate="420000260699999"), ID)


def test_submit__certificate_of_another__gate_g1(house: House):
    with pytest.raises(GateRefused) as refused:
        house.submit(listing_of(seller=PROVIDER), ID, by=PROVIDER)
    assert refused.value.field == "certificate.holder"


def test_submit__signed_by_another_key__refused_and_nothing_written(house: House):
    body = listing_of()
    signed = house.signed("listing-submitted/v1", f"listing:{ID}", body, f"party:{SELLER}", house.keys[PROVIDER].sm2)
    with pytest.raises(BadSignature):
        service.submit_listing(house.session, signed, at=NOW)
    assert store.listings(house.session) == []


def test_submit__twice_and_with_other_content__first_answer_then_conflict(house: House):
    first = house.submit(listing_of(), ID)
    assert service.submit_listing(house.session, first, at=NOW + 5).replayed
    other = house.signed(
        "listing-submitted/v1",
        f"listing:{'b' * 32}",
        listing_of(name="另一"),
        f"party:{SELLER}",
        house.keys[SELLER].sm2,
    )
    statement = other.statement
    moved = type(statement)(statement.kind, f"listing:{ID}", 0, None, statement.body)
    clash = Signed(moved, (sign_sm2(house.keys[SELLER].sm2, moved, by=f"party:{SELLER}"),))
    with pytest.raises(Conflict):
        service.submit_listing(house.session, clash, at=NOW)


def test_withdraw_and_submit_again__new_content_under_review(house: House):
    house.submit(listing_of(), ID)
    signed = house.signed(
        "listing-move/v1", f"listing:{ID}", ListingMove(Move.WITHDRAW), f"party:{SELLER}", house.keys[SELLER].sm2
    )
    service.move_listing(house.session, signed, at=NOW)
    house.submit(listing_of(name="改名"), ID)
    row = store.listing(house.session, ID)
    assert (row.state, row.value.name) == (State.SUBMITTED, "改名")


def test_approve__by_the_seller_or_a_stranger__refused(house: House):
    house.submit(listing_of(), ID)
    for party, error in ((SELLER, NotEntitled), (PROVIDER, NotSigned)):
        signed = house.signed(
            "listing-move/v1", f"listing:{ID}", ListingMove(Move.APPROVE), f"party:{party}", house.keys[party].sm2
        )
        with pytest.raises(error):
            service.move_listing(house.session, signed, at=NOW)


def test_delist__before_the_notice_has_run_out__too_early(house: House):
    house.submit(listing_of(), ID)
    house.review(ID, Move.APPROVE)
    house.review(ID, Move.NOTICE, reason="版本升级")
    with pytest.raises(TooEarly):
        house.review(ID, Move.DELIST, at=NOW + 30 * DAY - 1)
    house.review(ID, Move.DELIST, at=NOW + 30 * DAY)
    assert store.listing(house.session, ID).state is State.DELISTED


def test_title__follows_the_certificate_from_version_to_version(house: House):
    """After a version without 经营权, and after a transfer, the market sees what the register says at each instant."""
    session = house.session
    old = session.get(CertificateRow, (CODE, 1))
    assert old is not None
    old.ended, old.ended_at = "SUPERSEDED", NOW - 10
    kept = {name: getattr(old, name) for name in CertificateRow.model_fields if not name.startswith("ended")}
    session.add(CertificateRow(**kept | {"version": 2, "valid_from": NOW - 10, "predecessor": CODE}))
    for right in (Right.HOLD, Right.USE):
        session.add(HoldingRow(code=CODE, version=2, right=right.value, holder=SELLER, holder_name="演示",
                               holder_kind="法人", content="4" * 64))  # fmt: skip
    session.flush()
    before, after_ = (service.title_of(session, CODE, SELLER, at) for at in (NOW - 11, NOW))
    assert before
    assert after_
    assert (before.rights, before.in_force) == (frozenset(Right), True)
    assert (after_.rights, after_.in_force) == (frozenset({Right.HOLD, Right.USE}), True)
    new = session.get(CertificateRow, (CODE, 2))
    assert new is not None
    new.ended, new.ended_at = "TRANSFERRED", NOW + 5
    gone = service.title_of(session, CODE, SELLER, NOW + 5)
    assert gone
    assert (gone.rights, gone.in_force, gone.reason) == (frozenset(), False, "TRANSFERRED")
