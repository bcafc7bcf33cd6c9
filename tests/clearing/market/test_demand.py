"""Demands: the table of states by move and actor, parts and origins, and what the clock brings about."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clearing.errors import BadTerms, NotSigned, TooEarly, UnknownFact, WrongMove
from clearing.market.demand import moves, service, store
from clearing.market.demand.demand import DemandMove, Evaluation, Link, Move, Part, Reason, Visibility, check_demand
from clearing.market.demand.moves import MOVES, Actor, Around, Case, Held, Passed, State, check_move, moved
from clearing.market.demand.store import Wanted
from clearing.market.errors import GateRefused, NotEntitled
from clearing.market.listing import Move as ListingMoves
from ledger import sm
from ledger import store as facts
from ledger.errors import BadSignature, FieldError
from registry.calendar import day_of, end_of, published
from tests.clearing.market.demand_questions import FILTERS, WORDS, answers, fill
from tests.clearing.market.demands import CARRIED, DUE, Desk, demand_of, wanted_of
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House, uscc
from tests.counts import few

ID, OTHER = "a" * 32, "b" * 32
# (state, move) → (target, who, part by part), written down again by hand from exchange.md §3.1.
TABLE = {
    ("NONE", "state"): ("DRAFT", "demander", False),
    ("DRAFT", "state"): ("DRAFT", "demander", False),
    ("DRAFT", "check"): ("CHECKED", "officer", False),
    ("CHECKED", "merge"): ("MERGED", "officer", False),
    ("MERGED", "unmerge"): ("CHECKED", "officer clock", False),
    ("MERGED", "split"): ("SPLIT", "officer", False),
    ("SPLIT", "claim"): ("CLAIMED", "owner", True),
    ("SPLIT", "reassign"): ("SPLIT", "officer", False),
    ("SPLIT", "escalate"): ("SPLIT", "clock", False),
    ("CLAIMED", "link"): ("LINKED", "owner officer", True),
    ("LINKED", "link"): ("LINKED", "owner officer", False),
    ("MERGED", "evaluate"): ("EVALUATED", "demander", False),
    ("LINKED", "evaluate"): ("EVALUATED", "demander", False),
    ("EVALUATED", "analyse"): ("ANALYSED", "officer", False),
    ("ANALYSED", "report"): ("REPORTED", "officer", False),
    ("DRAFT", "withdraw"): ("WITHDRAWN", "demander", False),
    ("CHECKED", "withdraw"): ("WITHDRAWN", "demander", False),
    ("MERGED", "withdraw"): ("WITHDRAWN", "demander", False),
    ("SPLIT", "withdraw"): ("WITHDRAWN", "demander", False),
    ("CLAIMED", "withdraw"): ("WITHDRAWN", "demander", False),
    ("LINKED", "withdraw"): ("WITHDRAWN", "demander", False),
    ("DRAFT", "close_unmet"): ("CLOSED_UNMET", "officer", False),
    ("CHECKED", "close_unmet"): ("CLOSED_UNMET", "officer", False),
    ("MERGED", "close_unmet"): ("CLOSED_UNMET", "officer", False),
    ("SPLIT", "close_unmet"): ("CLOSED_UNMET", "officer", False),
    ("CLAIMED", "close_unmet"): ("CLOSED_UNMET", "officer", False),
    ("LINKED", "close_unmet"): ("CLOSED_UNMET", "officer", False),
}
SIGNERS = {Actor.DEMANDER: f"party:{CONSUMER}", Actor.OFFICER: "staff:dem1", Actor.OWNER: f"party:{SELLER}",
           Actor.CLOCK: f"party:{OPERATOR}"}  # fmt: skip
LEAD = Around(lead=Case(State.LINKED, NOW, NOW))


def case_in(state: State, move: Move) -> Case:
    """A case in this state in which the guards of the move are met."""
    held = Held(Part("延误特征", SELLER, DUE), NOW - 6 * DAY)
    if state in (State.CLAIMED, State.LINKED):
        held = replace(held, claimed_at=NOW)
    into = OTHER if move in (Move.UNMERGE, Move.EVALUATE) and state is State.MERGED else ""
    return Case(state, NOW - DAY, NOW - 7 * DAY, parts=(held,), into=into)


def body_for(move: Move, actor: Actor) -> DemandMove:
    carried = dict(CARRIED.get(move, {}))
    if actor is Actor.CLOCK and move is Move.UNMERGE:
        carried["rule"] = "演示规则"
    return DemandMove(move, **carried)  # type: ignore[arg-type]


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


# --- the table -------------------------------------------------------------------------------------------------------


def test_table__is_the_one_written_by_hand() -> None:
    found = {
        (state.value, move.value): (edge.target.value, edge.actors, edge.each) for (state, move), edge in MOVES.items()
    }
    assert found == {
        key: (target, frozenset(Actor(name) for name in who.split()), each)
        for key, (target, who, each) in TABLE.items()
    }


@pytest.mark.parametrize("state", State)
def test_move__every_state_move_and_actor__allowed_only_by_the_table(state: State) -> None:
    for move, actor in product([move for move in Move if move is not Move.STATE], Actor):
        edge = TABLE.get((state.value, move.value))
        case, body = case_in(state, move), body_for(move, actor)
        if edge is not None and actor.value in edge[1].split():
            check_move(ID, case, body, actor, SIGNERS[actor], LEAD, NOW)
            after = moved(ID, case, body, NOW)
            assert after.state.value == edge[0], (state, move)
            assert (after.since == NOW) is (after.state is not state), (state, move)
        else:
            with pytest.raises((WrongMove, NotEntitled)):
                check_move(ID, case, body, actor, SIGNERS[actor], LEAD, NOW)


def test_move__what_it_must_carry_left_out__or_something_alien__names_the_field() -> None:
    full = {name: value for carried in CARRIED.values() for name, value in carried.items()}
    full |= {"duplicates": (OTHER,), "listings": (OTHER,), "into": OTHER}
    assert set(full) | {"move"} == {field.name for field in fields(DemandMove)}
    full.pop("reason")  # it may go with any move
    for (state, move), edge in MOVES.items():
        if move is Move.STATE:
            continue
        for actor in edge.actors:
            body, case = body_for(move, actor), case_in(state, move)
            needed, may = moves.CARRIES[move]
            for name in needed | ({"rule"} if actor is Actor.CLOCK else set()):
                empty = getattr(DemandMove(move), name)
                with pytest.raises(BadTerms, match=f"body.{name}"):
                    check_move(ID, case, replace(body, **{name: empty}), actor, SIGNERS[actor], LEAD, NOW)
            for name in set(full) - needed - may:
                if actor is Actor.CLOCK and name == "rule":
                    continue
                with pytest.raises(BadTerms, match=f"body.{name}"):
                    check_move(ID, case, replace(body, **{name: full[name]}), actor, SIGNERS[actor], LEAD, NOW)


def test_code__of_the_other_sort__refused() -> None:
    for move, actor, code in ((Move.WITHDRAW, Actor.DEMANDER, Reason.NO_RIGHT), (Move.CLOSE, Actor.OFFICER, "W02")):
        body = replace(body_for(move, actor), code=Reason(code))
        with pytest.raises(BadTerms, match=r"body\.code"):
            check_move(ID, case_in(State.CHECKED, move), body, actor, SIGNERS[actor], LEAD, NOW)


@examples(max_examples=few(40), deadline=None)
@given(order=st.permutations(range(4)), stop=st.integers(1, 4))
def test_parts__claimed_in_any_order__the_state_changes_with_the_last(order: list[int], stop: int) -> None:
    case = Case(State.SPLIT, NOW, NOW, parts=tuple(Held(Part(str(n), SELLER, DUE), NOW) for n in range(4)))
    for number in order[:stop]:
        assert case.state is State.SPLIT
        body = DemandMove(Move.CLAIM, number=number)
        check_move(ID, case, body, Actor.OWNER, f"party:{SELLER}", LEAD, NOW)
        case = moved(ID, case, body, NOW + number)
        with pytest.raises(WrongMove):
            check_move(ID, case, body, Actor.OWNER, f"party:{SELLER}", LEAD, NOW)
    assert (case.state is State.CLAIMED) is (stop == 4)
    assert {n for n, held in enumerate(case.parts) if held.claimed_at} == set(order[:stop])


@examples(max_examples=few(100), deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.lists(st.integers(0, 40 * DAY), min_size=4, max_size=4))
def test_figures__mean_half_even_and_whole_days__as_fractions_have_it(given_: list[int], gaps: list[int]) -> None:
    states, at, passed = (State.CHECKED, State.CLAIMED, State.LINKED, State.EVALUATED), NOW, []
    for state, gap in zip(states, gaps, strict=True):
        at += gap
        passed.append(Passed(state, at))
    own, *others = (Evaluation(item, True, True) for item in given_)
    found = moves.figures_of(Case(State.EVALUATED, at, NOW, tuple(passed), evaluation=own), others)
    cents = Fraction(100 * sum(given_), len(given_))
    whole, rest = divmod(cents, 1)
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    assert found.satisfaction == f"{(int(whole) + up) // 100}.{(int(whole) + up) % 100:02d}"
    days = [sum(gaps[: n + 1]) // DAY for n in range(4)]
    assert [found.days_to_check, found.days_to_claim, found.days_to_link, found.days_to_evaluate] == days


# --- the demand itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sector": "G99"}, "body.sector"),
        ({"deadline": day_of(NOW - DAY).isoformat()}, "body.deadline"),
        ({"deadline": "2026-02-30"}, "body.deadline"),
        ({"wanted": wanted_of(time_to="")}, "body.wanted.time_to"),
        ({"wanted": wanted_of(time_from="2026-01-01")}, "body.wanted.time_from"),
        ({"wanted": wanted_of(fields=("a", "a"))}, "body.wanted.fields"),
        ({"visibility": Visibility.INVITED}, "body.invited"),
        ({"invited": (SELLER,)}, "body.invited"),
        ({"invited": ("x" * 18,), "visibility": Visibility.INVITED}, "body.invited[0]"),
        ({"fiscal": True}, "body.fiscal"),
        ({"demander": "x" * 18}, "body.demander"),
    ],
)
def test_demand__that_does_not_hold_together__names_the_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises((BadTerms, FieldError)) as refused:
        check_demand(demand_of(**changes), day_of(NOW))
    assert refused.value.field == field


def test_state__by_another_or_twice_signed__refused_and_a_draft_may_be_stated_anew(desk: Desk) -> None:
    with pytest.raises(NotSigned):
        service.state(desk.house.session, desk.make(ID, demand_of(), by=SELLER), at=NOW)
    signed = desk.make(ID, demand_of())
    with pytest.raises(NotSigned):
        service.state(desk.house.session, replace(signed, signatures=signed.signatures * 2), at=NOW)
    first = service.state(desk.house.session, signed, at=NOW)
    assert service.state(desk.house.session, signed, at=NOW + 5).fact == first.fact
    desk.state(ID, NOW + DAY, title="改述")
    row = desk.row(ID)
    assert (row.value.title, row.case.stated_at, row.state) == ("改述", NOW, State.DRAFT)
    with pytest.raises(BadTerms, match=r"body\.demander"):
        desk.state(ID, demander=SELLER)
    desk.move(ID, Move.CHECK)
    with pytest.raises(WrongMove):
        desk.state(ID)


# --- through the service ---------------------------------------------------------------------------------------------


def test_journey__from_draft_to_report__every_step_its_fact(desk: Desk) -> None:
    listing, identity = desk.house.listed(), desk.state()
    desk.move(identity, Move.CHECK, at=NOW + DAY, listings=(listing,))
    desk.move(identity, Move.MERGE)
    parts = (Part("延误特征", SELLER, DUE), Part("气象特征", PROVIDER, DUE))
    desk.move(identity, Move.SPLIT, parts=parts)
    desk.move(identity, Move.CLAIM, SELLER)
    with pytest.raises(NotEntitled):
        desk.move(identity, Move.CLAIM, SELLER, number=1)
    desk.move(identity, Move.CLAIM, PROVIDER, NOW + 3 * DAY, number=1)
    desk.move(identity, Move.LINK, PROVIDER, number=1)
    with pytest.raises(GateRefused, match="G10"):
        desk.move(identity, Move.LINK, number=1, link=Link(listing))
    assert desk.row(identity).state is State.CLAIMED
    desk.move(identity, Move.LINK, SELLER, NOW + 4 * DAY, link=Link(listing))
    with pytest.raises(WrongMove):
        desk.move(identity, Move.LINK, SELLER, link=Link(listing))
    desk.move(identity, Move.EVALUATE, CONSUMER, NOW + 9 * DAY + 5)
    figures = service.figures(desk.house.session, identity)
    assert figures == moves.Figures(1, "4.00", 1, 3, 4, 9)
    with pytest.raises(BadTerms, match=r"body\.figures"):
        desk.move(identity, Move.ANALYSE, figures=replace(figures, days_to_link=1))
    desk.move(identity, Move.ANALYSE, figures=figures)
    desk.move(identity, Move.REPORT)
    row = desk.row(identity)
    assert (row.state, row.case.reported and row.case.reported.number) == (State.REPORTED, "演示-1")
    assert [item.state.value for item in row.case.passed] == [
        "DRAFT", "CHECKED", "MERGED", "SPLIT", "CLAIMED", "LINKED", "EVALUATED", "ANALYSED", "REPORTED",
    ]  # fmt: skip
    assert len(facts.facts_of(desk.house.session, f"demand:{identity}")) == 11


def test_link__promise__replaced_by_a_listing_later_and_a_suspended_one_refused(desk: Desk) -> None:
    listing, identity = desk.house.listed(), desk.state()
    desk.to_linked(identity)
    desk.house.review(listing, ListingMoves.SUSPEND, reason="核查")
    with pytest.raises(GateRefused, match="G10"):
        desk.move(identity, Move.LINK, SELLER, link=Link(listing))
    desk.house.review(listing, ListingMoves.RESUME)
    desk.move(identity, Move.LINK, SELLER, link=Link(listing))
    [held] = desk.row(identity).case.parts
    assert held.link == Link(listing)
    waits = desk.state()
    for move, by in ((Move.CHECK, ""), (Move.MERGE, ""), (Move.SPLIT, ""), (Move.CLAIM, SELLER)):
        desk.move(waits, move, by)
    for link in (Link(), Link(listing, "也许", DUE), Link(promise="下月"), Link(listing, due=DUE)):
        with pytest.raises(BadTerms, match=r"body\.link"):
            desk.move(waits, Move.LINK, SELLER, link=link)


def test_merge__origins_keep_their_demander_and_evaluate_by_themselves(desk: Desk) -> None:
    lead, origin = desk.state(), desk.state(demander=COURT)
    for identity in (lead, origin):
        desk.move(identity, Move.CHECK)
    desk.move(origin, Move.MERGE, into=lead)
    with pytest.raises(WrongMove):
        desk.move(origin, Move.SPLIT)
    with pytest.raises(WrongMove):
        desk.move(origin, Move.EVALUATE, COURT)
    desk.move(lead, Move.MERGE)
    for move, by in ((Move.SPLIT, ""), (Move.CLAIM, SELLER), (Move.LINK, SELLER)):
        desk.move(lead, move, by)
    desk.move(origin, Move.EVALUATE, COURT, evaluation=Evaluation(1, False, False))
    desk.move(lead, Move.EVALUATE, CONSUMER)
    with pytest.raises(WrongMove):
        desk.move(origin, Move.ANALYSE)
    figures = service.figures(desk.house.session, lead)
    assert (figures.evaluations, figures.satisfaction) == (2, "2.50")
    shown = service.view(desk.house.session, lead, party=CONSUMER, operator=OPERATOR)
    assert shown.origins == (origin,)
    assert desk.row(origin).value.demander == COURT


def test_merge__into_itself_nothing_or_one_that_goes_along__refused(desk: Desk) -> None:
    lead, middle, last = desk.state(), desk.state(), desk.state()
    with pytest.raises(WrongMove):
        desk.move(last, Move.MERGE, into=lead)
    for identity in (lead, middle, last):
        desk.move(identity, Move.CHECK)
    for into in (last, OTHER):
        with pytest.raises(BadTerms, match=r"body\.into"):
            desk.move(last, Move.MERGE, into=into)
    desk.move(middle, Move.MERGE, into=lead)
    with pytest.raises(WrongMove):
        desk.move(last, Move.MERGE, into=middle)
    with pytest.raises(WrongMove):
        desk.move(lead, Move.MERGE, into=last)


@pytest.mark.parametrize(("move", "by"), [(Move.WITHDRAW, CONSUMER), (Move.CLOSE, "")])
def test_lead_ends__its_origins_are_taken_out_under_the_system_key(desk: Desk, move: Move, by: str) -> None:
    lead, origin, gone = desk.state(), desk.state(demander=COURT), desk.state(demander=SELLER)
    for identity in (lead, origin, gone):
        desk.move(identity, Move.CHECK)
    for identity in (origin, gone):
        desk.move(identity, Move.MERGE, into=lead)
    desk.move(gone, Move.WITHDRAW, SELLER)
    signed = desk.move(lead, move, by)
    row = desk.row(origin)
    assert (row.state, row.case.into, row.case.rule) == (State.CHECKED, "", service.BY_LEAD)
    assert desk.row(gone).state is State.WITHDRAWN
    last = facts.facts_of(desk.house.session, f"demand:{origin}")[-1]
    assert (last.signatures[0].by, last.signatures[0].role) == (f"party:{OPERATOR}", "system")
    again = service.move(desk.house.session, signed, operator=OPERATOR, signer=desk.house.operator, at=NOW + 9)
    assert again.replayed


def test_unclaimed__after_five_days_or_the_last_day__escalated_once_and_given_to_another(desk: Desk) -> None:
    soon = day_of(NOW + DAY).isoformat()
    identity = desk.state()
    for move in (Move.CHECK, Move.MERGE):
        desk.move(identity, move)
    desk.move(
        identity, Move.SPLIT, parts=(Part("一", SELLER, DUE), Part("二", PROVIDER, soon), Part("三", SELLER, DUE))
    )
    desk.move(identity, Move.CLAIM, SELLER, number=2)
    session, signer = desk.house.session, desk.house.operator
    assert moves.next_escalation(desk.row(identity).case) == end_of(day_of(NOW + DAY))
    assert service.run_timers(session, signer, at=end_of(day_of(NOW + DAY)) - 1) == 0
    assert service.run_timers(session, signer, at=end_of(day_of(NOW + DAY))) == 1
    assert [bool(held.escalated_at) for held in desk.row(identity).case.parts] == [False, True, False]
    assert service.run_timers(session, signer, at=NOW + 5 * DAY - 1) == 0
    assert service.run_timers(session, signer, at=NOW + 5 * DAY) == 1
    assert service.run_timers(session, signer, at=NOW + 50 * DAY) == 0
    assert desk.row(identity).case.rule == service.BY_TIME
    desk.move(identity, Move.REASSIGN, at=NOW + 6 * DAY, number=1, part=Part("二", SELLER, DUE))
    held = desk.row(identity).case.parts[1]
    assert (held.part.owner, held.escalated_at, held.since) == (SELLER, 0, NOW + 6 * DAY)
    with pytest.raises(TooEarly):
        check_move(ID, desk.row(identity).case, DemandMove(Move.ESCALATE, number=1, rule="x"), Actor.CLOCK,
                   f"party:{OPERATOR}", Around(), NOW + 7 * DAY)  # fmt: skip


def test_owners__must_be_on_record_and_numbers_must_exist(desk: Desk) -> None:
    identity = desk.state()
    for move in (Move.CHECK, Move.MERGE):
        desk.move(identity, move)
    with pytest.raises(GateRefused, match="G11"):
        desk.move(identity, Move.SPLIT, parts=(Part("一", uscc(88), DUE),))
    with pytest.raises(BadTerms, match=r"parts\[0\]\.due"):
        desk.move(identity, Move.SPLIT, parts=(Part("一", SELLER, day_of(NOW - DAY).isoformat()),))
    desk.move(identity, Move.SPLIT)
    with pytest.raises(BadTerms, match=r"body\.number"):
        desk.move(identity, Move.CLAIM, SELLER, number=1)
    for field in ("duplicates", "listings"):
        with pytest.raises(BadTerms, match=field):
            desk.move(desk.state(), Move.CHECK, **{field: (OTHER,)})


def test_signer__role_not_held_or_of_another_house__refused(desk: Desk) -> None:
    identity, key = desk.state(), sm.generate()
    desk.house.hire("far", key, "demand_officer", PROVIDER)
    desk.house.hire("plain", key, "listing_reviewer")
    for by, role, error in (
        ("staff:far", "demand_officer", NotEntitled), ("staff:plain", "demand_officer", NotSigned),
        ("staff:plain", "listing_reviewer", NotSigned), ("party:" + SELLER, "demand_officer", NotSigned),
        ("party:" + SELLER, "system", NotSigned), ("staff:dem1", "demand_officer", BadSignature),
    ):  # fmt: skip
        signed = desk.house.signed("demand-move/v1", f"demand:{identity}", DemandMove(Move.CHECK), by, key, role)
        with pytest.raises(error):
            service.move(desk.house.session, signed, operator=OPERATOR, signer=desk.house.operator, at=NOW)
    with pytest.raises(NotEntitled):
        desk.move(identity, Move.CHECK, SELLER)


# --- who sees what ---------------------------------------------------------------------------------------------------

SEES = {
    # visibility → who sees it once it was checked, besides the demander and the operator
    Visibility.PUBLIC: {"", SELLER, PROVIDER, COURT},
    Visibility.PARTIES: {SELLER, PROVIDER, COURT},
    Visibility.INVITED: {SELLER},
}


@pytest.mark.parametrize("visibility", Visibility)
def test_view__by_visibility__and_the_budget_only_inside(desk: Desk, visibility: Visibility) -> None:
    invited = (SELLER,) if visibility is Visibility.INVITED else ()
    identity = desk.state(visibility=visibility, invited=invited)
    desk.budget(identity, 100, 200)
    session = desk.house.session

    def sees(party: str) -> bool:
        try:
            shown = service.view(session, identity, party=party, operator=OPERATOR)
        except UnknownFact:
            return False
        assert (shown.budget is not None) is (party in (CONSUMER, OPERATOR))
        return True

    everybody = ("", SELLER, PROVIDER, COURT, CONSUMER, OPERATOR)
    assert {party for party in everybody if sees(party)} == {CONSUMER, OPERATOR}
    desk.move(identity, Move.CHECK)
    assert {party for party in everybody if sees(party)} == SEES[visibility] | {CONSUMER, OPERATOR}
    desk.move(identity, Move.MERGE)
    desk.move(identity, Move.SPLIT, parts=(Part("一", PROVIDER, DUE),))
    assert sees(PROVIDER)
    assert len(service.search(session, Wanted("延误"), limit=5).hits) == (visibility is Visibility.PUBLIC)


def test_budget__of_another_or_turned_round_or_after_the_end__refused(desk: Desk) -> None:
    identity = desk.state()
    with pytest.raises(NotSigned):
        desk.budget(identity, 1, 2, by=SELLER)
    with pytest.raises(BadTerms, match="high_fen"):
        desk.budget(identity, 2, 1)
    desk.budget(identity, 1, 2)
    desk.budget(identity, 3, 4)
    found = store.budget_of(desk.house.session, identity)
    assert found is not None
    assert (found.low_fen, found.high_fen) == (3, 4)
    desk.move(identity, Move.WITHDRAW, CONSUMER)
    with pytest.raises(WrongMove):
        desk.budget(identity, 5, 6)


def test_search__words_filters_pages__and_what_ended_only_if_asked_for(desk: Desk) -> None:
    session, made = desk.house.session, []
    for number in range(5):
        made.append(desk.state(title=f"航班客流{number}", sector=("G56", "J66")[number % 2]))
        desk.move(made[-1], Move.CHECK)
    desk.move(made[4], Move.CLOSE)
    drafted = desk.state(title="航班草稿")

    def found(limit: int = 50, **wanted: object) -> list[str]:
        ids, before = [], None
        while True:
            more = {} if before is None else {"before": before}
            page = service.search(session, Wanted(**wanted), limit=limit, **more)  # type: ignore[arg-type]
            ids += [hit.summary.demand for hit in page.hits]
            if not page.next:
                return ids
            before = int(page.next)

    assert found(words="航班") == found(limit=1, words="航班") == made[3::-1]
    assert found(words="航班", all_shown=True) == made[::-1]
    assert found(words="客流3") == [made[3]]
    assert found(sector="J66") == [made[3], made[1]]
    assert found(words="无此词") == []
    assert drafted not in found(all_shown=True)


def test_worklist__owner_claims_and_links_then_the_demander_evaluates(desk: Desk) -> None:
    def todo() -> list[tuple[str, frozenset[str]]]:
        found = service.waiting(desk.house.session, None, NOW, published())  # type: ignore[arg-type]
        return [(step.move, matter.parties) for matter in found for step in matter.steps]

    identity = desk.state()
    for move in (Move.CHECK, Move.MERGE, Move.SPLIT):
        desk.move(identity, move)
    assert todo() == [("claim", frozenset({SELLER}))]
    desk.move(identity, Move.CLAIM, SELLER)
    assert todo() == [("link", frozenset({SELLER}))]
    desk.move(identity, Move.LINK, SELLER)
    assert todo() == [("evaluate", frozenset({CONSUMER}))]
    desk.move(identity, Move.EVALUATE, CONSUMER)
    assert todo() == []


def test_search__every_question__as_without_an_index(desk: Desk) -> None:
    shown = fill(desk)
    for word in WORDS:
        for filters in FILTERS:
            wanted = Wanted(word, **filters)  # type: ignore[arg-type]
            page = service.search(desk.house.session, wanted, limit=200)
            assert [hit.summary.demand for hit in page.hits] == answers(shown, wanted), wanted
    assert sum(bool(answers(shown, Wanted(word))) for word in WORDS) > 5
