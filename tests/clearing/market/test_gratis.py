"""The unpaid path: the table of states by move and actor, the second grant, and the ends, each an event of its own."""

from __future__ import annotations

import secrets
from dataclasses import fields, replace
from itertools import product

import pytest

from clearing.errors import BadTerms, NotSigned, TooEarly, WrongMove
from clearing.market.demand.demand import OFFICER, Evaluation
from clearing.market.errors import GateRefused, NotEntitled
from clearing.market.gratis import moves, service, store
from clearing.market.gratis.moves import MOVES, Actor, Case, State, check_move, moved
from clearing.market.gratis.request import GRATIS_MOVE, GRATIS_REQUEST, GratisMove, GratisRequest, Ground, Move
from clearing.market.listing import Move as ListingMoves
from clearing.market.listing import PriceRegime
from clearing.market.product import Circulation, Level, Masking, Paper, Persons, Security
from ledger import sm
from ledger import store as facts
from registry.asset import Twin
from registry.calendar import day_of, end_of
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House, listing_of
from tests.clearing.market.test_listing import ASSESSED

ID = "a" * 32
UNTIL = day_of(NOW + 30 * DAY).isoformat()
LATER = day_of(NOW + 60 * DAY).isoformat()
PAPER = Paper("二次授权书", "演示", "2026-05-01", Twin("c" * 64, "d" * 64))
CARRIED: dict[Move, dict[str, object]] = {
    Move.SECOND: {"papers": (PAPER,)}, Move.GRANT: {"until": UNTIL}, Move.ASK: {"reason": "项目延长", "until": UNTIL},
    Move.CHANGE: {"until": UNTIL}, Move.EXPIRE: {"rule": "演示规则"}, Move.END: {"reason": "用毕"},
    Move.EVALUATE: {"evaluation": Evaluation(5, True, True)}, Move.REFUSE: {"reason": "材料不足"},
    Move.REVOKE: {"reason": "来源收回授权"},
}  # fmt: skip
# (state, move) → (target, who), written down again by hand from exchange.md §3.1.
TABLE = {
    ("NONE", "apply"): ("APPLIED", "applicant"),
    ("APPLIED", "screen"): ("SCREENED", "officer"),
    ("SCREENED", "accept"): ("ACCEPTED", "officer"),
    ("ACCEPTED", "approve"): ("APPROVED", "provider"),
    ("APPROVED", "second_grant"): ("AUTHORISED", "provider"),
    ("APPROVED", "grant"): ("GRANTED", "provider"),
    ("AUTHORISED", "grant"): ("GRANTED", "provider"),
    ("GRANTED", "ask_change"): ("GRANTED", "applicant"),
    ("GRANTED", "change"): ("GRANTED", "provider"),
    ("GRANTED", "expire"): ("EXPIRED", "clock"),
    ("GRANTED", "end"): ("ENDED", "applicant provider"),
    ("GRANTED", "revoke"): ("REVOKED", "provider"),
    ("EXPIRED", "evaluate"): ("EVALUATED", "applicant"),
    ("ENDED", "evaluate"): ("EVALUATED", "applicant"),
    ("APPLIED", "refuse"): ("REFUSED", "officer"),
    ("SCREENED", "refuse"): ("REFUSED", "officer"),
    ("ACCEPTED", "refuse"): ("REFUSED", "provider"),
    ("APPROVED", "refuse"): ("REFUSED", "provider"),
    ("AUTHORISED", "refuse"): ("REFUSED", "provider"),
    ("APPLIED", "withdraw"): ("WITHDRAWN", "applicant"),
    ("SCREENED", "withdraw"): ("WITHDRAWN", "applicant"),
    ("ACCEPTED", "withdraw"): ("WITHDRAWN", "applicant"),
    ("APPROVED", "withdraw"): ("WITHDRAWN", "applicant"),
    ("AUTHORISED", "withdraw"): ("WITHDRAWN", "applicant"),
}
SIGNERS = {Actor.APPLICANT: f"party:{CONSUMER}", Actor.OFFICER: "staff:dem1", Actor.PROVIDER: f"party:{SELLER}",
           Actor.CLOCK: f"party:{OPERATOR}"}  # fmt: skip


def request_of(listing: str = ID, **changes: object) -> GratisRequest:
    return replace(GratisRequest(CONSUMER, SELLER, listing, "research", "全部字段", UNTIL), **changes)  # type: ignore[arg-type]


def body_for(move: Move, **changes: object) -> GratisMove:
    return GratisMove(move, **{**CARRIED.get(move, {}), **changes})  # type: ignore[arg-type]


def case_in(state: State, move: Move) -> Case:
    grounds = (Ground.SECRET,) if move is Move.SECOND else ()
    return Case(state, NOW - DAY, "全部字段", NOW, grounds)


def test_table__is_the_one_written_by_hand() -> None:
    found = {(state.value, move.value): (edge.target.value, edge.actors) for (state, move), edge in MOVES.items()}
    assert found == {
        key: (target, frozenset(Actor(name) for name in who.split())) for key, (target, who) in TABLE.items()
    }


@pytest.mark.parametrize("state", State)
def test_move__every_state_move_and_actor__allowed_only_by_the_table(state: State) -> None:
    for move, actor in product([move for move in Move if move is not Move.APPLY], Actor):
        edge, case, body = TABLE.get((state.value, move.value)), case_in(state, move), body_for(move)
        if edge is not None and actor.value in edge[1].split():
            check_move(ID, request_of(), case, body, actor, SIGNERS[actor], NOW)
            assert moved(case, body, NOW).state.value == edge[0]
        else:
            with pytest.raises((WrongMove, NotEntitled)):
                check_move(ID, request_of(), case, body, actor, SIGNERS[actor], NOW)


def test_move__field_left_out_or_alien__named() -> None:
    full = {name: value for carried in CARRIED.values() for name, value in carried.items()}
    full |= {"grounds": (Ground.SECRET,), "scope": "一半字段"}
    assert set(full) | {"move"} == {field.name for field in fields(GratisMove)}
    full.pop("reason")
    for (state, move), edge in MOVES.items():
        if move is Move.APPLY:
            continue
        needed, may = moves.CARRIES.get(move, (frozenset(), frozenset()))
        for actor, name in product(edge.actors, needed):
            lacking = replace(body_for(move), **{name: getattr(GratisMove(move), name)})
            with pytest.raises(BadTerms, match=f"body.{name}"):
                check_move(ID, request_of(), case_in(state, move), lacking, actor, SIGNERS[actor], NOW)
        for actor, name in product(edge.actors, set(full) - needed - may):
            alien = replace(body_for(move), **{name: full[name]})
            with pytest.raises(BadTerms, match=f"body.{name}"):
                check_move(ID, request_of(), case_in(state, move), alien, actor, SIGNERS[actor], NOW)


@pytest.mark.parametrize("grounds", [(), (Ground.SECRET,)])
def test_second_grant__where_there_is_a_ground__and_only_there(grounds: tuple[Ground, ...]) -> None:
    case = replace(case_in(State.APPROVED, Move.GRANT), grounds=grounds)
    open_, closed = (Move.SECOND, Move.GRANT) if grounds else (Move.GRANT, Move.SECOND)
    check_move(ID, request_of(), case, body_for(open_), Actor.PROVIDER, f"party:{SELLER}", NOW)
    with pytest.raises(WrongMove):
        check_move(ID, request_of(), case, body_for(closed), Actor.PROVIDER, f"party:{SELLER}", NOW)
    after = replace(case, state=State.AUTHORISED)
    check_move(ID, request_of(), after, body_for(Move.GRANT), Actor.PROVIDER, f"party:{SELLER}", NOW)


@pytest.mark.parametrize(
    ("state", "body", "error"),
    [
        (State.APPROVED, body_for(Move.GRANT, until=LATER), BadTerms),
        (State.APPROVED, body_for(Move.GRANT, until=day_of(NOW - DAY).isoformat()), BadTerms),
        (State.APPROVED, body_for(Move.GRANT, until="2026-02-30"), BadTerms),
        (State.GRANTED, body_for(Move.CHANGE, until=""), BadTerms),
        (State.ACCEPTED, body_for(Move.APPROVE, grounds=(Ground.SECRET, Ground.SECRET)), BadTerms),
    ],
)
def test_move__with_what_cannot_be__refused(state: State, body: GratisMove, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_move(ID, request_of(), case_in(state, body.move), body, Actor.PROVIDER, f"party:{SELLER}", NOW)


# --- through the service ---------------------------------------------------------------------------------------------


class Desk:
    def __init__(self, house: House) -> None:
        self.house, self.officer = house, sm.generate()
        house.hire("dem1", self.officer, OFFICER)
        house.session.flush()

    def apply(self, listing: str, by: str = CONSUMER, at: int = NOW, **changes: object) -> str:
        identity = secrets.token_hex(16)
        signed = self.house.signed(
            GRATIS_REQUEST, f"gratis-request:{identity}", request_of(listing, **changes), f"party:{by}",
            self.house.keys[by].sm2,
        )  # fmt: skip
        service.apply(self.house.session, signed, at=at)
        return identity

    def move(self, identity: str, move: Move, by: str = "", at: int = NOW, **carried: object) -> None:
        who = (self.house.keys[by].sm2, f"party:{by}", "") if by else (self.officer, "staff:dem1", OFFICER)
        signed = self.house.signed(
            GRATIS_MOVE, f"gratis-request:{identity}", body_for(move, **carried), who[1], who[0], who[2]
        )
        service.move(self.house.session, signed, operator=OPERATOR, at=at)

    def case(self, identity: str) -> Case:
        return store.request(self.house.session, identity).case


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


def test_journey__to_the_end_of_the_grant__by_the_clock(desk: Desk) -> None:
    listing = desk.house.listed(regime=PriceRegime.GRATIS)
    identity = desk.apply(listing)
    for move, by in ((Move.SCREEN, ""), (Move.ACCEPT, ""), (Move.APPROVE, SELLER), (Move.GRANT, SELLER)):
        desk.move(identity, move, by)
    desk.move(identity, Move.ASK, CONSUMER, until=LATER)
    desk.move(identity, Move.CHANGE, SELLER, until=LATER, scope="一半字段")
    case, ends = desk.case(identity), end_of(day_of(NOW + 60 * DAY))
    assert (case.state, case.until, case.scope) == (State.GRANTED, ends, "一半字段")
    session, signer = desk.house.session, desk.house.operator
    with pytest.raises(TooEarly):
        check_move(ID, request_of(), case, body_for(Move.EXPIRE), Actor.CLOCK, SIGNERS[Actor.CLOCK], ends - 1)
    assert service.run_timers(session, signer, at=ends - 1) == 0
    assert service.run_timers(session, signer, at=ends) == 1
    assert service.run_timers(session, signer, at=ends) == 0
    desk.move(identity, Move.EVALUATE, CONSUMER, ends + 1)
    assert desk.case(identity).state is State.EVALUATED
    last = facts.facts_of(session, f"gratis-request:{identity}")[-2]
    assert (last.signatures[0].by, last.signatures[0].role) == (f"party:{OPERATOR}", "system")
    assert [row.id for row in store.requests(session, SELLER)] == [identity]
    assert store.requests(session, COURT) == []


def test_apply__for_what_is_not_free_not_theirs_not_on_offer__refused(desk: Desk) -> None:
    priced = desk.house.listed()
    with pytest.raises(GateRefused, match="G8"):
        desk.apply(priced)
    free = desk.house.listed(product="8" * 32, regime=PriceRegime.GRATIS)
    with pytest.raises(GateRefused, match="G10"):
        desk.apply(free, provider=PROVIDER)
    with pytest.raises(GateRefused, match="purpose"):
        desk.apply(free, purpose="营销")
    with pytest.raises(NotSigned):
        desk.apply(free, by=COURT)
    with pytest.raises(BadTerms, match=r"body\.until"):
        desk.apply(free, until=day_of(NOW - DAY).isoformat())
    with pytest.raises(BadTerms, match=r"body\.provider"):
        desk.apply(free, by=SELLER, applicant=SELLER)
    identity = desk.apply(free)
    desk.house.review(free, ListingMoves.SUSPEND, reason="核查")
    with pytest.raises(GateRefused, match="G10"):
        desk.move(identity, Move.SCREEN)
    desk.move(identity, Move.WITHDRAW, CONSUMER)
    assert desk.case(identity).state is State.WITHDRAWN


def test_approve__data_of_persons__asks_for_the_second_grant(desk: Desk) -> None:
    security = Security(
        Level.GENERAL, Circulation.DIRECT, Masking.DEIDENTIFIED, method="k=20", persons=Persons(0, 0, 9)
    )
    listing = secrets.token_hex(16)

    desk.house.submit(listing_of(regime=PriceRegime.GRATIS, security=security), listing)
    for move, more in ((ListingMoves.TAKE_UP, {}), (ListingMoves.PASS_FORM, {}),
                       (ListingMoves.ASSESS, {"assessment": ASSESSED}), (ListingMoves.APPROVE, {})):  # fmt: skip
        desk.house.review(listing, move, **more)
    identity = desk.apply(listing)
    for move in (Move.SCREEN, Move.ACCEPT):
        desk.move(identity, move)
    with pytest.raises(BadTerms, match=r"body\.grounds"):
        desk.move(identity, Move.APPROVE, SELLER)
    desk.move(identity, Move.APPROVE, SELLER, grounds=(Ground.PERSONAL,))
    with pytest.raises(WrongMove):
        desk.move(identity, Move.GRANT, SELLER)
    desk.move(identity, Move.SECOND, SELLER)
    desk.move(identity, Move.GRANT, SELLER)
    assert desk.case(identity).papers == (PAPER,)
    desk.move(identity, Move.REVOKE, SELLER)
    assert desk.case(identity).state is State.REVOKED


def test_signer__stranger_or_wrong_role__refused(desk: Desk) -> None:
    identity, key = desk.apply(desk.house.listed(regime=PriceRegime.GRATIS)), sm.generate()
    desk.house.hire("far", key, OFFICER, PROVIDER)
    for by, role, error in (("staff:far", OFFICER, NotEntitled), ("staff:far", "listing_reviewer", NotSigned),
                            ("party:" + SELLER, "system", NotSigned)):  # fmt: skip
        signed = desk.house.signed(GRATIS_MOVE, f"gratis-request:{identity}", body_for(Move.SCREEN), by, key, role)
        with pytest.raises(error):
            service.move(desk.house.session, signed, operator=OPERATOR, at=NOW)
    for by in (COURT, CONSUMER, SELLER):
        with pytest.raises(NotEntitled):
            desk.move(identity, Move.SCREEN, by)
