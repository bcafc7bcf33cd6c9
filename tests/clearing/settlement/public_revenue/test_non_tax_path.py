"""The path of non-tax revenue without a database: the whole table, the division against an exact oracle, the kinds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms, WrongMove
from clearing.settlement.journal import PARTY_KINDS, Kind, balances
from clearing.settlement.netting.eligibility import Attributes, Ground, Proceeds, grounds_against
from clearing.settlement.public_revenue.allocation import divide, sharing_plan
from clearing.settlement.public_revenue.path import MOVE_NAMES, STATE_NAMES, Move, State, after
from clearing.settlement.public_revenue.posting import posted
from clearing.settlement.public_revenue.proceeds import (
    AccountKind,
    Collecting,
    Paper,
    check_collecting,
    require_paper,
)
from clearing.settlement.public_revenue.standing import Standing, fold
from clearing.terms import MAX_FEN
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER
from tests.clearing.settlement.public_revenue.collecting import (
    ACCOUNT,
    T1,
    T2,
    THIRDS,
    WAYS,
    D,
    P,
    a_due,
    a_notice,
    a_payment,
    a_refund,
    a_ticket,
    an_allocation,
    body_for,
    brought_to,
    naive_given,
    paid_back,
    purposes,
)
from tests.counts import few

# The table as the domain has it, in words: state → what may follow. Everything else is refused.
MAY = {
    None: "assess",
    "assessed": "notify withdraw",
    "notified": "pay withdraw",
    "paid": "ticket",
    "ticketed": "allocate",
    "allocated": "refund",
    "refunding": "pay_back",
    "refunded": "",
    "withdrawn": "",
}
LEADS = {
    "assess": "assessed", "notify": "notified", "pay": "paid", "withdraw": "withdrawn", "ticket": "ticketed",
    "allocate": "allocated", "refund": "refunding", "pay_back": "refunded",
}  # fmt: skip


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", [None, *State])
def test_table__every_state_and_move__follows_or_is_refused_with_what_it_needs(state: State | None, move: Move) -> None:
    now = brought_to(state)
    assert (now.state if now else None) == state
    if move.value in MAY[state.value if state else None].split():
        assert fold(now, D, body_for(move, now), "e" * 64).state == LEADS[move.value]
        return
    with pytest.raises(WrongMove, match=MOVE_NAMES[move]) as refused:
        fold(now, D, body_for(move, now), "e" * 64)
    assert refused.value.given.startswith(STATE_NAMES[state] if state else "无")


def test_table__names_every_state_and_every_move() -> None:
    assert set(MAY) == {None, *(state.value for state in State)} == {None, *(state.value for state in STATE_NAMES)}
    assert set(LEADS) == {move.value for move in Move} == {move.value for move in MOVE_NAMES}


def test_table__half_done__stays_where_it_is() -> None:
    for move, state in ((Move.TICKET, State.PAID), (Move.ALLOCATE, State.TICKETED), (Move.PAY_BACK, State.REFUNDING)):
        after_ = after(D, state, move, complete=False)
        assert after_ == (State.ALLOCATED if move is Move.PAY_BACK else state)


weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=8, unique=True).map(
    lambda cuts: [b - a for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 10**9], strict=True)]
)
amounts = st.one_of(st.integers(1, 9), st.integers(1, 10**6), st.integers(1, 10**12))


@given(weights, st.lists(st.tuples(amounts, st.integers(0, 100)), min_size=1, max_size=12), st.integers(1, 9))
@settings(max_examples=few(100), deadline=None)
def test_division__against_the_exact_oracle__sums_and_stays_within_a_fen_at_every_moment(
    parts: list[int], moves: list[tuple[int, int]], version: int
) -> None:
    """Each ticket may be followed by a refund of some percent of it, in the same lineage."""
    named = {f"U{number}": part for number, part in enumerate(parts)}
    rule, lineage = purposes(named), f"{P}/{version}/CNY"
    total, given = 0, dict.fromkeys(named, 0)
    for amount, percent in moves:
        for step in (amount, -(amount * percent // 100)):
            if not step:
                continue
            lines = divide(P, version, rule, total, step)
            total += step
            oracle = naive_given(lineage, named, total)
            assert [line.code for line in lines] == sorted(named)
            assert sum(line.amount for line in lines) == step
            for line in lines:
                assert line.amount == oracle[line.code] - given[line.code]
                assert Fraction(line.entitlement) == Fraction(step * named[line.code], 10**9)
                carry = Fraction(total * named[line.code], 10**9) - oracle[line.code]
                assert Fraction(line.carry_after) == carry
                assert abs(carry) < 1
                assert abs(line.amount - Fraction(line.entitlement)) < 2
                assert (line.label == "carry") == (line.amount * step < 0)
                if not named[line.code]:
                    assert line.amount == 0
            given = oracle
    back = divide(P, version, rule, total, -total) if total else ()
    assert {line.code: -line.amount for line in back} == (given if total else {})


@given(weights, amounts)
@settings(max_examples=few(50), deadline=None)
def test_division__whatever_order_the_purposes_stand_in__is_the_same(parts: list[int], amount: int) -> None:
    rule = purposes({f"U{number}": part for number, part in enumerate(parts)})
    assert divide(P, 1, rule, 7, amount) == divide(P, 1, tuple(reversed(rule)), 7, amount)


def test_division__by_hand__100_fen_in_thirds() -> None:
    lines = divide(P, 1, THIRDS, 0, 100)
    assert [line.amount for line in lines] == [33, 33, 34]
    assert [line.entitlement for line in lines] == ["333333333/10000000", "333333333/10000000", "166666667/5000000"]
    assert {(line.budget_class, len(line.approval.sha256), len(line.approval.sm3)) for line in lines} == {
        ("1030499", 64, 64)
    }


def test_division__out_of_bounds__is_refused() -> None:
    for before, amount in ((0, -1), (5, -6), (0, MAX_FEN + 1), (MAX_FEN, 1), (-1, 1)):
        with pytest.raises(BadMoney):
            divide(P, 1, THIRDS, before, amount)
    for wrong in ({"A": 999_999_999}, {"A": 10**9, "B": 1}):
        with pytest.raises(BadTerms, match="purposes"):
            sharing_plan(1, purposes(wrong))
    with pytest.raises(BadTerms, match="once"):
        sharing_plan(1, purposes({"A": 500_000_000}) * 2)


def test_kinds__one_amount_has_one__with_its_paper_and_no_other() -> None:
    for kind in (Proceeds.ADVANCE, Proceeds.PASS_THROUGH):
        with pytest.raises(BadTerms, match="proceeds_kind"):
            fold(None, D, a_due(proceeds_kind=kind), "e" * 64)
    with pytest.raises(BadTerms, match="proceeds_kind"):
        fold(None, D, a_due(proceeds_kind=Proceeds.TAXABLE), "e" * 64)
    require_paper(Proceeds.TAXABLE, Paper.VAT_INVOICE, "paper")
    require_paper(Proceeds.NON_TAX, Paper.FISCAL_TICKET, "paper")
    for kind, paper in ((Proceeds.TAXABLE, Paper.FISCAL_TICKET), (Proceeds.NON_TAX, Paper.VAT_INVOICE)):
        with pytest.raises(BadTerms, match="paper"):
            require_paper(kind, paper, "paper")
    due = Attributes("o", "CNY", 0, True, proceeds=Proceeds.NON_TAX)
    assert grounds_against(due, "CNY", 1) == (Ground.NON_TAX,)


def test_account__of_the_treasury_only() -> None:
    for kind in AccountKind:
        to = Collecting(kind, ACCOUNT)
        if kind in (AccountKind.FISCAL, AccountKind.TREASURY):
            check_collecting(to, "to")
            continue
        with pytest.raises(BadTerms, match=r"to\.kind.*部门账户"):
            check_collecting(to, "to")
        with pytest.raises(BadTerms, match=r"body\.to\.kind"):
            fold(brought_to(State.ASSESSED), D, a_notice(to=to), "e" * 64)
    with pytest.raises(BadTerms, match=r"to\.account\.name"):
        check_collecting(Collecting(AccountKind.FISCAL, replace(ACCOUNT, name="=1+1")), "to")


@pytest.mark.parametrize("fen", [1, 99, 101, MAX_FEN])
def test_amounts__paid_gross_in_one__anything_else_is_refused(fen: int) -> None:
    with pytest.raises(BadTerms, match=r"body\.fen.*100"):
        fold(brought_to(State.ASSESSED), D, a_notice(fen), "e" * 64)
    with pytest.raises(BadTerms, match=r"body\.fen.*100"):
        fold(brought_to(State.NOTIFIED), D, a_payment(fen), "e" * 64)
    if fen > 100:
        with pytest.raises(BadTerms, match=r"body\.fen.*≤ 100"):
            fold(brought_to(State.PAID), D, a_ticket(fen), "e" * 64)


def test_payment__other_account_or_code_than_the_notice__is_refused() -> None:
    now = brought_to(State.NOTIFIED)
    for more in ({"account": "1"}, {"code": "99999999"}):
        with pytest.raises(BadTerms, match=next(iter(more))):
            fold(now, D, a_payment(**more), "e" * 64)


def test_parties__three_that_differ__and_the_same_in_every_act() -> None:
    for more in ({"payer": PROVIDER}, {"treasury": PROVIDER}, {"payer": COURT}, {"issuer": CONSUMER}):
        with pytest.raises(BadTerms, match="payer"):
            fold(None, D, a_due(**more), "e" * 64)
    fold(None, D, a_due(issuer=PROVIDER), "e" * 64)
    for name, other in (("authority", SELLER), ("payer", SELLER), ("treasury", SELLER), ("issuer", PROVIDER)):
        with pytest.raises(BadTerms, match=rf"body\.{name}"):
            fold(brought_to(State.ASSESSED), D, a_notice(**{name: other}), "e" * 64)


def test_tickets__several__add_up_before_anything_is_allocated() -> None:
    now = fold(brought_to(State.PAID), D, a_ticket(60, T1), "1" * 64)
    assert (now.state, now.ticketed) == (State.PAID, 60)
    with pytest.raises(WrongMove, match="用途清分"):
        fold(now, D, an_allocation(divide(P, 1, THIRDS, 0, 60)), "2" * 64)
    with pytest.raises(BadTerms, match="≤ 40"):
        fold(now, D, a_ticket(41, T2), "2" * 64)
    with pytest.raises(WrongMove, match=str(T1)):
        fold(now, D, a_ticket(40, T1), "2" * 64)
    now = fold(now, D, a_ticket(40, T2), "2" * 64)
    assert now.state == State.TICKETED
    for lines in (divide(P, 1, THIRDS, 0, 59), divide(P, 1, THIRDS, 0, 61)):
        with pytest.raises(BadTerms, match=r"body\.lines.*60"):
            fold(now, D, an_allocation(lines), "3" * 64)
    now = fold(now, D, an_allocation(divide(P, 1, THIRDS, 0, 60)), "3" * 64)
    assert (now.state, now.allocated) == (State.TICKETED, 60)
    with pytest.raises(WrongMove, match=str(T1)):
        fold(now, D, an_allocation(divide(P, 1, THIRDS, 60, 60)), "4" * 64)
    now = fold(now, D, an_allocation(divide(P, 1, THIRDS, 60, 40), T2, 60), "4" * 64)
    assert (now.state, now.allocated) == (State.ALLOCATED, 100)


def test_refunds__cumulative__never_above_what_was_paid() -> None:
    now, before, back = brought_to(State.ALLOCATED), 100, 0
    for number, fen in enumerate((30, 50, 20)):
        for more in (101 - back, MAX_FEN):
            with pytest.raises(BadTerms, match=rf"≤ {100 - back}"):
                fold(now, D, a_refund(more, (), T2), "e" * 64)
        with pytest.raises(BadTerms, match="lines"):
            fold(now, D, a_refund(fen, divide(P, 1, THIRDS, before, -fen - 1 if fen < before else 1), T2), "e" * 64)
        now = fold(now, D, a_refund(fen, divide(P, 1, THIRDS, before, -fen), T2, before), str(number) * 64)
        assert now.state == State.REFUNDING
        with pytest.raises(BadTerms, match="fen"):
            fold(now, D, paid_back(fen + 1, str(number) * 64), "e" * 64)
        with pytest.raises(BadTerms, match="refund"):
            fold(now, D, paid_back(fen, "9" * 64), "e" * 64)
        now = fold(now, D, paid_back(fen, str(number) * 64), "e" * 64)
        before, back = before - fen, back + fen
        assert (now.state, now.refunded) == (State.REFUNDED if back == 100 else State.ALLOCATED, back)
    assert [now.tickets[0].net_of(code) for code in "ABC"] == [0, 0, 0]


@pytest.mark.parametrize("state", State)
def test_journal__of_every_path__balances_and_ends_at_zero(state: State) -> None:
    """Every transaction of the way to each state; what is open is what the payer owes, or the treasury gives back."""
    now: Standing | None = None
    book = []
    for number, move in enumerate(WAYS[state]):
        body = body_for(move, now)
        now = fold(now, D, body, str(number) * 64)
        if (made := posted(now, body, str(number) * 64, number)) is not None:
            assert sum(leg.amount for leg in made.postings) == 0
            assert all(leg.account.apart and not leg.account.stated for leg in made.postings)
            book.append(made)
    held = {(account.kind, account.party): amount for account, amount in balances(book).items()}
    owed = {(Kind.RCV, CONSUMER): 100, (Kind.NTX, COURT): -100}
    back = {(Kind.REF, CONSUMER): -100, (Kind.NTX, COURT): 100}
    open_ = {State.ASSESSED: owed, State.NOTIFIED: owed, State.PAID: owed, State.REFUNDING: back}
    assert held == open_.get(state, {})
    assert {Kind.NTX, Kind.REF}.isdisjoint(PARTY_KINDS)
