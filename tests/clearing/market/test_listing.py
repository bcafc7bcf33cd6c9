"""Listings: the table of states by stage, move and actor, the review, and what the clock brings about."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clearing.errors import BadTerms, NotSigned, TooEarly, UnknownFact, WrongMove
from clearing.market import listing_moves as moves_
from clearing.market import service as market
from clearing.market import store as agreements
from clearing.market.agreement import Act
from clearing.market.agreement import State as AgreementState
from clearing.market.errors import Defective, GateRefused, NotEntitled
from clearing.market.listing import (
    Assessment,
    Dimension,
    Finding,
    ListingMove,
    MigrationPlan,
    Move,
    ProductType,
    RejectReason,
)
from clearing.market.listing_moves import MOVES, REVIEWING, Actor, Case, Reviewing, State, after, check_move, edge_of
from clearing.market.product import ElementForm
from clearing.market.shelf import service, store
from clearing.market.shelf.store import Wanted
from ledger import sm
from ledger import store as facts
from ledger.errors import BadSignature, Conflict
from ledger.facts import Signed
from ledger.signing import sign_sm2
from registry.asset import Twin
from registry.calendar import day_of, published, start_of
from registry.rights import Right
from registry.tables import CertificateRow, HoldingRow, PartyRow
from tests.clearing.market.house import (
    CODE,
    CONSUMER,
    COURT,
    DAY,
    NOW,
    OPERATOR,
    PROVIDER,
    SELLER,
    House,
    contents_of,
    listing_of,
)
from tests.counts import few

ID = "a" * 32
TWIN = Twin("c" * 64, "d" * 64)
PLAN = MigrationPlan("按月导出（演示）", day_of(NOW + 40 * DAY).isoformat(), "客服岗")
ASSESSED = Assessment(tuple(Finding(item, True, "演示材料") for item in Dimension), True, True, True, "按小时统计")
CARRIED: dict[Move, dict[str, object]] = {
    Move.ASK: {"items": ("补充授权文件",)},
    Move.ASSESS: {"assessment": ASSESSED},
    Move.PUBLISH: {"days": 5},
    Move.REJECT: {"codes": (RejectReason.SOURCE,), "reason": "来源不明"},
    Move.OBJECT: {"reason": "与我方数据相同"},
    Move.SETTLE: {"reason": "异议不成立"},
    Move.SUSPEND: {"reason": "核查", "rule": "演示规则"},
    Move.NOTICE: {"reason": "版本升级", "plan": PLAN},
    Move.DELIST: {"rule": "演示规则"},
    Move.RETIRE: {"rule": "演示规则"},
    Move.EMERGENCY: {"rule": "演示规则"},
    Move.EXPLAIN: {"reason": "已查明"},
}
# (state, move) → (target, who), written down again by hand from exchange.md §2.4, so the table cannot vouch for itself.
TABLE = {
    ("DRAFT", "submit"): ("SUBMITTED", "seller"),
    ("REJECTED", "submit"): ("SUBMITTED", "seller"),
    ("CORRECTION", "submit"): ("REVIEW", "seller"),
    ("LISTED", "submit"): ("UPDATING", "seller"),
    ("SUBMITTED", "withdraw"): ("DRAFT", "seller"),
    ("REVIEW", "withdraw"): ("DRAFT", "seller"),
    ("CORRECTION", "withdraw"): ("DRAFT", "seller"),
    ("SUBMITTED", "take_up"): ("REVIEW", "reviewer"),
    ("REVIEW", "ask_correction"): ("CORRECTION", "reviewer"),
    ("REVIEW", "pass_form"): ("REVIEW", "reviewer"),
    ("REVIEW", "assess"): ("REVIEW", "reviewer"),
    ("REVIEW", "publish"): ("PUBLICITY", "approver"),
    ("REVIEW", "approve"): ("LISTED", "approver"),
    ("REVIEW", "reject"): ("REJECTED", "approver"),
    ("PUBLICITY", "approve"): ("LISTED", "approver"),
    ("PUBLICITY", "reject"): ("REJECTED", "approver"),
    ("PUBLICITY", "object"): ("PUBLICITY", "party"),
    ("PUBLICITY", "settle_objection"): ("PUBLICITY", "reviewer"),
    ("LISTED", "suspend"): ("SUSPENDED", "authority clock reviewer seller"),
    ("UPDATING", "suspend"): ("SUSPENDED", "authority clock reviewer seller"),
    ("SUSPENDED", "resume"): ("LISTED", "authority reviewer"),
    ("LISTED", "notice"): ("NOTICE", "reviewer seller"),
    ("SUSPENDED", "notice"): ("NOTICE", "reviewer seller"),
    ("NOTICE", "call_off_notice"): ("LISTED", "authority reviewer seller"),
    ("NOTICE", "delist"): ("DELISTED", "clock reviewer seller"),
    ("DELISTED", "retire"): ("RETIRED", "clock reviewer"),
    ("LISTED", "emergency"): ("EMERGENCY", "approver authority"),
    ("UPDATING", "emergency"): ("EMERGENCY", "approver authority"),
    ("SUSPENDED", "emergency"): ("EMERGENCY", "approver authority"),
    ("NOTICE", "emergency"): ("EMERGENCY", "approver authority"),
    ("EMERGENCY", "explain"): ("EMERGENCY", "approver authority"),
    ("EMERGENCY", "resume"): ("LISTED", "approver authority"),
    ("EMERGENCY", "delist"): ("DELISTED", "approver authority"),
}


def cases() -> Iterator[Case]:
    """Every position: each state, and UPDATING with each stage of the version under review."""
    for state in State:
        if state is State.UPDATING:
            for stage in sorted(REVIEWING):
                yield Case(state, 0, 1, TWIN, 2, review(stage))
        else:
            yield Case(state, 0, 1, TWIN, 1, review(state) if state in REVIEWING else None)


def review(stage: State) -> Reviewing:
    """A version that may take any step of its stage: passed where that is asked, an objection open, publicity over."""
    return Reviewing(2, TWIN, stage, 0, ("staff:rev1",), "staff:rev1", "", cases=1, publicity_until=0)


def position(case: Case) -> str:
    return f"{case.state}-{case.review.stage}" if case.review else case.state.value


def outcome(case: Case, move: Move, actor: Actor) -> str:
    body = ListingMove(move, **CARRIED.get(move, {}))  # type: ignore[arg-type]
    if move is Move.PASS_FORM:
        case = replace(case, review=case.review and replace(case.review, formal=""))
    if move is Move.APPROVE:
        case = replace(case, review=case.review and replace(case.review, cases=0))
    if actor is not Actor.CLOCK and move in (Move.DELIST, Move.RETIRE):
        body = ListingMove(move)
    by = "staff:app1" if actor is Actor.APPROVER else "staff:rev1"
    check_move(ID, case, body, actor, by, OPERATOR, SELLER, NOW)
    state, stage = after(ID, case, move)
    return state.value if stage is None or stage is state else f"{state}({stage})"


@pytest.mark.parametrize("case", list(cases()), ids=position)
def test_every_state_stage_move_and_actor__only_the_table_passes(case: Case) -> None:
    seen = 0
    for move, actor in product(Move, Actor):
        updating = case.state is State.UPDATING and case.review is not None
        row = TABLE.get((case.state.value, move.value))
        if updating and case.review is not None and row is None:
            row = TABLE.get((case.review.stage.value, move.value))
            if row is not None:
                kept = row[0] in {state.value for state in REVIEWING}
                row = (f"UPDATING({row[0]})" if kept else "LISTED", row[1])
        if row is None or actor.value not in row[1].split():
            with pytest.raises((WrongMove, NotEntitled)):
                outcome(case, move, actor)
            continue
        if move is Move.SUBMIT:
            assert edge_of(ID, case, move).actors == {Actor.SELLER}
            continue
        assert outcome(case, move, actor) == row[0], (case.state, move, actor)
        seen += 1
    assert seen or case.state in (State.DRAFT, State.REJECTED, State.RETIRED)


def test_table__has_the_rows_of_the_specification_and_no_other() -> None:
    assert {(state.value, move.value): (edge.target.value, " ".join(sorted(edge.actors))) for (state, move), edge in
            MOVES.items()} == TABLE  # fmt: skip


@pytest.mark.parametrize("move", [move for move in Move if move is not Move.SUBMIT])
def test_what_a_move_carries__missing_or_too_much__refused(move: Move) -> None:
    """Every field is left out once and added once; only what the move is about may be filled."""
    case, actor = next(
        (case, actor) for case in cases() for actor in Actor
        if (case.state, move) in MOVES and actor in MOVES[case.state, move].actors and actor is not Actor.CLOCK
    )  # fmt: skip
    filled: dict[str, object] = {
        "items": ("x",), "assessment": ASSESSED, "days": 3, "codes": (RejectReason.OTHER,), "plan": PLAN, "rule": "r",
        "stop_access": True, "upheld": True,
    }  # fmt: skip
    may = {Move.SETTLE: {"upheld"}, Move.EMERGENCY: {"stop_access"}, Move.SUSPEND: {"rule"}, Move.DELIST: {"rule"},
           Move.RETIRE: {"rule"}}.get(move, set())  # fmt: skip
    right = {name: value for name, value in CARRIED.get(move, {}).items() if name not in may}
    for name in right:
        body = ListingMove(move, **{key: value for key, value in right.items() if key != name})  # type: ignore[arg-type]
        with pytest.raises(BadTerms, match=rf"body\.{name}"):
            check_move(ID, case, body, actor, "staff:x", OPERATOR, SELLER, NOW)
    for name in filled.keys() - right.keys() - may:
        body = ListingMove(move, **{**right, name: filled[name]})  # type: ignore[arg-type]
        with pytest.raises(BadTerms, match=rf"body\.{name}"):
            check_move(ID, case, body, actor, "staff:x", OPERATOR, SELLER, NOW)


# --- submission ------------------------------------------------------------------------------------------------------


def refused(act: object) -> set[tuple[str, str]]:
    with pytest.raises(Defective) as found:
        act()  # type: ignore[operator]
    return {(item.gate, item.field) for item in found.value.defects}


def test_submit__certificate_in_force__listed_after_review(house: House) -> None:
    house.submit(listing_of(), ID)
    assert store.listing(house.session, ID).state is State.SUBMITTED
    house.approve(ID)
    row = store.listing(house.session, ID)
    assert (row.state, row.value, row.case.version) == (State.LISTED, listing_of(), 1)
    assert [found.id for found in store.listings(house.session, state=State.LISTED)] == [ID]


def test_submit__no_right_to_operate__gate_g1(house: House) -> None:
    house.session.delete(house.session.get(HoldingRow, (CODE, 1, Right.OPERATE.value, SELLER)))
    assert refused(lambda: house.submit(listing_of(), ID)) == {("G1", "certificate.rights")}


def test_submit__lapsed_or_unknown_certificate__gate_g1(house: House) -> None:
    assert refused(lambda: house.submit(listing_of(), ID, at=NOW + 900 * DAY)) == {("G1", "certificate.status")}
    assert refused(lambda: house.submit(listing_of(certificate="420000260699999"), ID)) == {("G1", "certificate")}


def test_submit__certificate_of_another__gate_g1(house: House) -> None:
    assert refused(lambda: house.submit(listing_of(seller=PROVIDER), ID, by=PROVIDER)) == {("G1", "certificate.holder")}


def test_submit__certificate_of_other_data__gate_g1(house: House) -> None:
    """Trap 6: the certificate of version 1 lists no other data."""
    other = listing_of(content=contents_of(digest=Twin("9" * 64, "9" * 64)))
    assert refused(lambda: house.submit(other, ID)) == {("G1", "body.content.digest.sha256")}


def test_submit__element_without_right_of_use_in_its_source__gate_g1(house: House) -> None:
    element = listing_of(
        type=ProductType.ELEMENT, content=contents_of(element=ElementForm.FEATURE), sources=("420000260699998",)
    )
    assert refused(lambda: house.submit(element, ID)) == {("G1", "certificate")}
    kept = {name: getattr(house.session.get(CertificateRow, (CODE, 1)), name) for name in CertificateRow.model_fields}
    house.session.add(CertificateRow(**kept | {"code": "420000260699998", "fact_id": "8" * 64}))
    house.session.flush()
    assert refused(lambda: house.submit(element, ID)) == {("G1", "certificate.rights")}
    house.session.add(HoldingRow(code="420000260699998", version=1, right="USE", holder=SELLER, holder_name="演示",
                                 holder_kind="法人", content="4" * 64))  # fmt: skip
    house.session.flush()
    house.submit(element, ID)


def test_submit__several_defects__all_told_at_once_and_nothing_written(house: House) -> None:
    bad = listing_of(content=contents_of(industry="X99", time_from="2026-02-30", tags=("a", "a"), fields=()))
    found = refused(lambda: house.submit(bad, ID, at=NOW + 900 * DAY))
    assert {field for _, field in found} >= {
        "body.content.industry", "body.content.time_from", "body.content.tags", "body.content.fields",
        "certificate.status",
    }  # fmt: skip
    assert store.listings(house.session) == []


def test_submit__signed_by_another_key__refused_and_nothing_written(house: House) -> None:
    body = listing_of()
    signed = house.signed("listing-submitted/v1", f"listing:{ID}", body, f"party:{SELLER}", house.keys[PROVIDER].sm2)
    with pytest.raises(BadSignature):
        service.submit(house.session, signed, at=NOW)
    assert store.listings(house.session) == []


def test_submit__twice_and_with_other_content__first_answer_then_conflict(house: House) -> None:
    first = house.submit(listing_of(), ID)
    assert service.submit(house.session, first, at=NOW + 5).replayed
    other = house.signed(
        "listing-submitted/v1", f"listing:{'b' * 32}", listing_of(name="另一"), f"party:{SELLER}",
        house.keys[SELLER].sm2,
    )  # fmt: skip
    statement = other.statement
    moved = type(statement)(statement.kind, f"listing:{ID}", 0, None, statement.body)
    clash = Signed(moved, (sign_sm2(house.keys[SELLER].sm2, moved, by=f"party:{SELLER}"),))
    with pytest.raises(Conflict):
        service.submit(house.session, clash, at=NOW)


def test_withdraw_and_submit_again__new_content_under_review(house: House) -> None:
    house.submit(listing_of(), ID)
    house.by_party(SELLER, ID, Move.WITHDRAW)
    house.submit(listing_of(name="改名"), ID)
    row = store.listing(house.session, ID)
    assert (row.state, row.value.name) == (State.SUBMITTED, "改名")


def test_product__of_another_seller_or_retired__refused(house: House) -> None:
    house.listed()
    for right in Right:
        house.session.add(HoldingRow(code=CODE, version=1, right=right.value, holder=PROVIDER, holder_name="演示",
                                     holder_kind="法人", content="4" * 64))  # fmt: skip
    house.session.flush()
    with pytest.raises(BadTerms, match="本卖方"):
        house.submit(listing_of(seller=PROVIDER), secrets.token_hex(16), by=PROVIDER)
    house.submit(listing_of(seller=PROVIDER, product="8" * 32), secrets.token_hex(16), by=PROVIDER)


# --- review ----------------------------------------------------------------------------------------------------------


def test_approve__by_the_seller_a_stranger_or_the_reviewer_alone__refused(house: House) -> None:
    house.submit(listing_of(), ID)
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(ID, move)
    for party, error in ((SELLER, NotEntitled), (PROVIDER, NotSigned)):
        with pytest.raises(error):
            house.by_party(party, ID, Move.APPROVE)
    with pytest.raises(NotSigned):
        house.move(ID, ListingMove(Move.APPROVE), "staff:rev1", house.reviewer, "listing_approver")


def test_approve__by_whoever_reviewed__refused(house: House) -> None:
    """§1.4: one person with both roles is still one person."""
    both = sm.generate()
    house.hire("both", both, "listing_reviewer listing_approver")
    house.submit(listing_of(), ID)
    house.move(ID, ListingMove(Move.TAKE_UP), "staff:both", both, "listing_reviewer")
    house.review(ID, Move.PASS_FORM)
    with pytest.raises(NotEntitled, match="复核"):
        house.move(ID, ListingMove(Move.APPROVE), "staff:both", both, "listing_approver")
    house.review(ID, Move.APPROVE)


def test_review__by_staff_of_the_seller_or_of_anybody_but_the_operator__refused(house: House) -> None:
    """Whoever hires staff gives them roles: a role alone makes nobody the operator's reviewer."""
    for name, organisation in (("own", SELLER), ("friend", PROVIDER)):
        key = sm.generate()
        house.hire(name, key, "listing_reviewer", organisation)
        identity = secrets.token_hex(16)
        house.submit(listing_of(), identity)
        with pytest.raises(NotEntitled):
            house.move(identity, ListingMove(Move.TAKE_UP), f"staff:{name}", key, "listing_reviewer")


def test_review__of_what_the_operator_itself_offers__moves_to_a_supervisor(house: House) -> None:
    for right in Right:
        house.session.add(HoldingRow(code=CODE, version=1, right=right.value, holder=OPERATOR, holder_name="演示",
                                     holder_kind="法人", content="4" * 64))  # fmt: skip
    key = sm.generate()
    house.hire("sup1", key, "listing_reviewer listing_approver", PROVIDER)
    house.session.flush()
    house.submit(listing_of(seller=OPERATOR), ID, by=OPERATOR)
    with pytest.raises(NotEntitled):
        house.review(ID, Move.TAKE_UP)
    with pytest.raises(NotEntitled):
        house.move(ID, ListingMove(Move.TAKE_UP), "staff:sup1", key, "listing_reviewer")
    party = house.session.get(PartyRow, (PROVIDER, 0))
    assert party is not None
    party.roles = "supervisor"
    house.session.flush()
    house.move(ID, ListingMove(Move.TAKE_UP), "staff:sup1", key, "listing_reviewer")


def element_listing(**changes: object) -> object:
    return listing_of(
        **{"type": ProductType.ELEMENT, "content": contents_of(element=ElementForm.FEATURE)} | changes  # type: ignore[arg-type]
    )


def test_substantive_review__element__not_approved_without_six_passed_dimensions(house: House) -> None:
    house.submit(element_listing(), ID)  # type: ignore[arg-type]
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(ID, move)
    with pytest.raises(WrongMove, match="实质审核"):
        house.review(ID, Move.APPROVE)
    failed = replace(ASSESSED, findings=(replace(ASSESSED.findings[0], passed=False), *ASSESSED.findings[1:]))
    house.review(ID, Move.ASSESS, assessment=failed)
    with pytest.raises(WrongMove, match="实质审核全部通过"):
        house.review(ID, Move.APPROVE)
    house.review(ID, Move.REJECT, reason="主体不符", codes=(RejectReason.OTHER,))
    row = store.listing(house.session, ID)
    assert (row.state, row.case.reason) == (State.REJECTED, "主体不符")
    with pytest.raises(BadTerms, match=r"body\.version"):
        house.submit(element_listing(), ID)  # type: ignore[arg-type]
    house.submit(element_listing(version=2), ID)  # type: ignore[arg-type]
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(ID, move)
    house.review(ID, Move.ASSESS, assessment=ASSESSED)
    house.review(ID, Move.APPROVE)
    assert store.listing(house.session, ID).state is State.LISTED


@pytest.mark.parametrize("part", ["source_lawful", "authorised", "registered"])
def test_assessment__each_part_of_title_compliance__is_needed(part: str) -> None:
    assert ASSESSED.passed
    assert not replace(ASSESSED, **{part: False}).passed  # type: ignore[arg-type]


def test_assessment__a_dimension_twice__refused() -> None:
    twice = replace(ASSESSED, findings=(ASSESSED.findings[0], *ASSESSED.findings[:5]))
    case = Case(State.REVIEW, review=review(State.REVIEW))
    with pytest.raises(BadTerms, match="六个维度"):
        check_move(ID, case, ListingMove(Move.ASSESS, assessment=twice), Actor.REVIEWER, "staff:x", OPERATOR, SELLER, 0)


def test_correction__once__stops_the_clock_and_starts_the_formal_review_again(house: House) -> None:
    monday = start_of(day_of(NOW)) + 10 * 3600
    house.submit(listing_of(), ID, monday)
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(ID, move, monday)
    first = service.clocks_of(store.listing(house.session, ID), published())["review"]
    house.review(ID, Move.ASK, monday, items=("补充授权文件",))
    assert "review" not in service.clocks_of(store.listing(house.session, ID), published())
    with pytest.raises(BadTerms, match=r"body\.version"):
        house.submit(listing_of(version=2), ID, monday + 10 * DAY)
    house.submit(listing_of(overview="已补正"), ID, monday + 10 * DAY)
    row = store.listing(house.session, ID)
    assert (row.state, row.value.overview) == (State.REVIEW, "已补正")
    assert service.clocks_of(row, published())["review"] > first
    with pytest.raises(WrongMove, match="形式审核"):
        house.review(ID, Move.APPROVE)
    with pytest.raises(WrongMove, match="一次"):
        house.review(ID, Move.ASK, items=("再补充",))


def test_publicity__objection__holds_the_listing_until_it_is_settled(house: House) -> None:
    house.submit(listing_of(), ID)
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(ID, move)
    house.review(ID, Move.PUBLISH, days=5)
    with pytest.raises(TooEarly):
        house.review(ID, Move.APPROVE, NOW + 4 * DAY)
    with pytest.raises(NotEntitled):
        house.by_party(SELLER, ID, Move.OBJECT, reason="自己")
    house.by_party(CONSUMER, ID, Move.OBJECT, reason="与我方数据相同")
    with pytest.raises(WrongMove, match="异议"):
        house.review(ID, Move.APPROVE, NOW + 7 * DAY)
    house.review(ID, Move.SETTLE, reason="不成立")
    house.review(ID, Move.APPROVE, NOW + 7 * DAY)
    assert store.listing(house.session, ID).state is State.LISTED


def test_publicity__objection_upheld__only_rejection_is_left(house: House) -> None:
    house.submit(listing_of(), ID)
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(ID, move)
    house.review(ID, Move.PUBLISH, days=5)
    house.by_party(CONSUMER, ID, Move.OBJECT, reason="与我方数据相同")
    house.review(ID, Move.SETTLE, reason="成立", upheld=True)
    with pytest.raises(WrongMove):
        house.review(ID, Move.APPROVE, NOW + 7 * DAY)
    house.review(ID, Move.REJECT, reason="异议成立", codes=(RejectReason.OBJECTION,))
    assert store.listing(house.session, ID).state is State.REJECTED


# --- on the shelf ----------------------------------------------------------------------------------------------------


def test_update__old_version_serves_until_the_new_one_is_approved(house: House) -> None:
    identity = house.listed()
    old = store.listing(house.session, identity).digest
    house.submit(listing_of(version=2, name="演示航班延误特征二版"), identity)
    row = store.listing(house.session, identity)
    assert (row.state, row.value.version, row.digest) == (State.UPDATING, 1, old)
    agreement, _ = house.conclude(listing=identity)
    assert agreements.terms_of(house.session, agreement, 1).product.digest == old
    for move in (Move.TAKE_UP, Move.PASS_FORM):
        house.review(identity, move)
    assert store.listing(house.session, identity).state is State.UPDATING
    house.review(identity, Move.APPROVE)
    row = store.listing(house.session, identity)
    assert (row.state, row.value.version) == (State.LISTED, 2)
    assert row.digest != old
    assert store.version_of(house.session, identity, old) == listing_of()
    with pytest.raises(GateRefused):
        house.conclude(listing=identity)  # terms that name version 1


@pytest.mark.parametrize("move", [Move.WITHDRAW, Move.REJECT])
def test_update__withdrawn_or_rejected__the_old_version_goes_on(house: House, move: Move) -> None:
    identity = house.listed()
    before = store.listing(house.session, identity)
    house.submit(listing_of(version=2), identity)
    house.review(identity, Move.TAKE_UP)
    if move is Move.WITHDRAW:
        house.by_party(SELLER, identity, move)
    else:
        house.review(identity, move, reason="演示", codes=(RejectReason.OTHER,))
    row = store.listing(house.session, identity)
    assert (row.state, row.value, row.digest) == (State.LISTED, before.value, before.digest)
    with pytest.raises(BadTerms):
        house.submit(listing_of(version=2), identity)


def test_update__interface_changed_without_a_guide__refused(house: House) -> None:
    identity = house.listed()
    delivery = listing_of().delivery
    assert delivery.interface is not None
    changed = replace(delivery, interface=replace(delivery.interface, version="2"))
    assert refused(lambda: house.submit(listing_of(version=2, delivery=changed), identity)) == {
        ("", "body.migration_guide")
    }
    house.submit(listing_of(version=2, delivery=changed, migration_guide="路径改为 /v2"), identity)


@pytest.mark.parametrize("ending", ["suspended", "updated", "noticed"])
def test_running_agreement__amended_whatever_became_of_its_listing(house: House, ending: str) -> None:
    """Traps 4 and 5: neither a suspension nor a new version nor a delisting reaches into a running licence."""
    identity = house.listed()
    agreement, _ = house.conclude(listing=identity)
    terms = agreements.terms_of(house.session, agreement, 1)
    if ending == "suspended":
        house.review(identity, Move.SUSPEND, reason="核查")
    elif ending == "updated":
        house.submit(listing_of(version=2), identity)
        house.approve(identity)
    else:
        house.review(identity, Move.NOTICE, reason="升级", plan=PLAN)
    amended = replace(terms, service_level="可用性 99.95%", salt=secrets.token_hex(32))
    house.take(house.sign(house.act(agreement, Act.AMEND, AgreementState.EFFECTIVE, terms=amended)), NOW + 10)
    assert agreements.agreement(house.session, agreement).revision == 2
    if ending != "updated":
        with pytest.raises(GateRefused) as closed:
            house.conclude(listing=identity)
        assert closed.value.gate == "G10"


def test_notice__plan_too_short__refused_and_delisted_only_at_its_end(house: House) -> None:
    identity = house.listed()
    short = replace(PLAN, ends=day_of(NOW + 20 * DAY).isoformat())
    with pytest.raises(BadTerms, match="30"):
        house.review(identity, Move.NOTICE, reason="升级", plan=short)
    agreement, _ = house.conclude(listing=identity)
    house.by_party(SELLER, identity, Move.NOTICE, reason="升级", plan=PLAN)
    row = store.listing(house.session, identity)
    for party, expected in ((CONSUMER, [agreement]), (PROVIDER, [agreement]), (COURT, [])):
        found = service.notices(house.session, party, at=NOW)
        assert [item.agreement for item in found] == expected
    assert row.case.until >= NOW + 40 * DAY
    with pytest.raises(TooEarly):
        house.review(identity, Move.DELIST, at=row.case.until - 1)
    assert service.run_timers(house.session, house.operator, at=row.case.until - 1) == 0
    assert service.run_timers(house.session, house.operator, at=row.case.until) == 1
    assert store.listing(house.session, identity).state is State.DELISTED
    with pytest.raises(WrongMove, match="无履行中的合约"):
        house.review(identity, Move.RETIRE, row.case.until)
    house.take(house.sign(house.act(agreement, Act.COMPLETE, AgreementState.COMPLETED)), row.case.until + 5)
    assert service.run_timers(house.session, house.operator, at=row.case.until + 6) == 1
    assert store.listing(house.session, identity).state is State.RETIRED
    with pytest.raises(WrongMove):
        house.submit(listing_of(version=2), identity, row.case.until + 7)
    with pytest.raises(BadTerms, match="退市"):
        house.submit(listing_of(), secrets.token_hex(16), row.case.until + 7)


def test_emergency__by_a_named_rule__explained_within_one_working_day(house: House) -> None:
    identity = house.listed()
    with pytest.raises(BadTerms, match=r"body\.rule"):
        house.review(identity, Move.EMERGENCY)
    friday = start_of(day_of(NOW)) + 10 * 3600
    assert day_of(friday).weekday() == 4
    house.review(identity, Move.EMERGENCY, friday, rule="应急处置规则第三条", stop_access=True)
    row = store.listing(house.session, identity)
    assert row.case.access_stopped
    assert service.clocks_of(row, published())["explain"] == start_of(day_of(friday + 4 * DAY))
    shown = service.product(house.session, row.value.product, operator=OPERATOR, at=friday)
    assert (shown.orderable, shown.listing) == (False, None)
    assert service.search(house.session, Wanted(all_shown=True), at=friday, limit=10).offers == ()
    house.review(identity, Move.EXPLAIN, friday + DAY, reason="已查明")
    assert service.clocks_of(store.listing(house.session, identity), published()) == {}
    signed = house.signed(
        "listing-move/v1", f"listing:{identity}", ListingMove(Move.RESUME), "staff:app1", house.approver,
        "listing_approver",
    )  # fmt: skip
    service.move(house.session, signed, operator=OPERATOR, at=friday + DAY)
    assert store.listing(house.session, identity).state is State.LISTED


@pytest.mark.parametrize("way", ["resume", "notice and call off", "emergency and resume"])
def test_suspension_by_an_authority__nobody_below_lifts_it(house: House, way: str) -> None:
    identity = house.listed()
    house.by_party(COURT, identity, Move.SUSPEND, reason="（2026）演示 1 号")
    if way == "notice and call off":
        house.by_party(SELLER, identity, Move.NOTICE, reason="升级", plan=PLAN)
        with pytest.raises(NotEntitled):
            house.by_party(SELLER, identity, Move.CALL_OFF)
        house.by_party(COURT, identity, Move.CALL_OFF)
    elif way == "emergency and resume":
        house.review(identity, Move.EMERGENCY, rule="演示规则")
        signed = house.signed(
            "listing-move/v1", f"listing:{identity}", ListingMove(Move.RESUME), "staff:app1", house.approver,
            "listing_approver",
        )  # fmt: skip
        with pytest.raises(NotEntitled):
            service.move(house.session, signed, operator=OPERATOR, at=NOW)
        house.by_party(COURT, identity, Move.RESUME)
    else:
        with pytest.raises(NotEntitled):
            house.review(identity, Move.RESUME)
        house.by_party(COURT, identity, Move.RESUME)
    assert store.listing(house.session, identity).state is State.LISTED


def test_clock__over_http__is_nobodys_role(house: House) -> None:
    identity = house.listed()
    body = ListingMove(Move.SUSPEND, "演示", rule="演示")
    signed = house.signed("listing-move/v1", f"listing:{identity}", body, f"party:{OPERATOR}",
                          house.keys[OPERATOR].sm2, "system")  # fmt: skip
    with pytest.raises(NotSigned):
        service.move(house.session, signed, operator=OPERATOR, at=NOW)


# --- the certificate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", ["lapsed", "cancelled", "right gone"])
def test_certificate_gone__not_orderable_at_once_and_suspended_by_the_clock(house: House, cause: str) -> None:
    identity = house.listed()
    at = NOW
    row = house.session.get(CertificateRow, (CODE, 1))
    assert row is not None
    if cause == "lapsed":
        at = row.valid_until
    elif cause == "cancelled":
        row.ended, row.ended_at = "CANCELLED", NOW
    else:
        house.session.delete(house.session.get(HoldingRow, (CODE, 1, "OPERATE", SELLER)))
    house.session.flush()
    product = listing_of().product
    shown = service.product(house.session, product, operator=OPERATOR, at=at)
    assert (shown.state, shown.orderable) == (State.LISTED, False)
    assert "G1" in shown.why
    assert service.search(house.session, Wanted(), at=at, limit=5).offers == ()
    assert [
        offer.orderable for offer in service.search(house.session, Wanted(all_shown=True), at=at, limit=5).offers
    ] == [False]
    assert service.run_timers(house.session, house.operator, at=at) == 1
    known = store.listing(house.session, identity)
    assert (known.state, known.case.held_by, known.case.rule) == (State.SUSPENDED, Actor.CLOCK, service.BY_CERTIFICATE)
    assert service.run_timers(house.session, house.operator, at=at + 1) == 0
    assert {gate for gate, _ in refused(lambda: house.review(identity, Move.RESUME, at))} == {"G1"}


def test_certificate_in_order__clock_does_nothing(house: House) -> None:
    house.listed()
    assert service.run_timers(house.session, house.operator, at=NOW) == 0
    [offer] = service.search(house.session, Wanted(), at=NOW, limit=5).offers
    assert (offer.orderable, offer.why) == (True, "")


def test_product__never_listed__unknown_to_the_public(house: House) -> None:
    house.submit(listing_of(), ID)
    with pytest.raises(UnknownFact):
        service.product(house.session, listing_of().product, operator=OPERATOR, at=NOW)


# --- folding ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(sorted(Move)), st.sampled_from(sorted(Actor))), max_size=25))
@examples(max_examples=few(150), deadline=None)
def test_any_sequence__states_follow_the_table_and_the_shelf_keeps_a_version(steps: list[tuple[Move, Actor]]) -> None:
    """A walk over the table by whatever comes: what the fold says is what the table says, a listing on the shelf
    always shows a version, and RETIRED has no way out."""
    case, number = Case(), 0
    for at, (move, actor) in enumerate(steps):
        if move is Move.SUBMIT:
            number = case.review.version if case.review and case.review.stage is State.CORRECTION else case.newest + 1
            try:
                case = moves_.submitted(ID, case, listing_of(version=number), TWIN, NOW + at)
            except WrongMove:
                continue
        else:
            body = ListingMove(move, **CARRIED.get(move, {}))  # type: ignore[arg-type]
            try:
                check_move(ID, case, body, actor, f"staff:{actor}", OPERATOR, SELLER, NOW + 100 * DAY + at)
            except (WrongMove, NotEntitled, BadTerms, TooEarly):
                continue
            expected = after(ID, case, move)
            before = case
            case = moves_.moved(ID, case, body, actor, f"staff:{actor}", NOW + at)
            assert before.state is not State.RETIRED
            assert (case.state, case.review.stage if case.review else None) == expected
        if case.state in moves_.PUBLIC:
            assert case.version >= 1
            assert case.digest == TWIN
        assert (case.review is None) == (case.state not in REVIEWING | {State.UPDATING})
        assert case.version <= case.newest


def test_views__made_again_from_the_facts__are_the_same(house: House) -> None:
    """Whatever a listing went through, the rows come from its statements alone."""
    first = house.listed()
    house.submit(listing_of(version=2), first)
    second = house.listed(product="8" * 32)
    house.review(second, Move.EMERGENCY, rule="演示规则")
    third = house.listed(product="9" * 32)
    house.by_party(SELLER, third, Move.NOTICE, reason="升级", plan=PLAN)
    before = {table.name: house.session.execute(table.select()).all() for table in store.VIEWS}
    for table in store.VIEWS:
        house.session.execute(table.delete())
    for fact in facts.all_facts(house.session):
        project = store.PROJECTORS.get(fact.kind)
        if project:
            project(house.session, fact)
    for table in store.VIEWS:
        rows = house.session.execute(table.select()).all()
        assert sorted(map(repr, rows)) == sorted(map(repr, before[table.name])), table.name


def test_title__follows_the_certificate_from_version_to_version(house: House) -> None:
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
    before, after_ = (market.title_of(session, CODE, SELLER, at) for at in (NOW - 11, NOW))
    assert before
    assert after_
    assert (before.rights, before.in_force) == (frozenset(Right), True)
    assert (after_.rights, after_.in_force) == (frozenset({Right.HOLD, Right.USE}), True)
    new = session.get(CertificateRow, (CODE, 2))
    assert new is not None
    new.ended, new.ended_at = "TRANSFERRED", NOW + 5
    gone = market.title_of(session, CODE, SELLER, NOW + 5)
    assert gone
    assert (gone.rights, gone.in_force, gone.reason) == (frozenset(), False, "TRANSFERRED")
