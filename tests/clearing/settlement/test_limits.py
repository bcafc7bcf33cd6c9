"""Net debit caps and limits of pairs in a cycle: brute force is the oracle; what waits is netted later, to the fen."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from clearing.errors import BadTerms, Clash, ClearingError, NotSigned, TooEarly
from clearing.settlement import journal, netted, notice, register, service, store
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import State
from clearing.settlement.netting import Run
from clearing.settlement.netting.gridlock import Proved
from clearing.settlement.netting.gridlock import Reason as Limit
from clearing.settlement.netting.limits import (
    NETTING_LIMITS,
    Cap,
    Choice,
    NettingLimits,
    PairLimit,
    Price,
    Stood,
    applied,
    limited,
)
from clearing.settlement.notice import Held, PartB, Reason
from clearing.settlement.payment import Direction
from clearing.settlement.statement import Item, Obligation, ObligationPart
from clearing.terms import DAY
from clearing.usage.finding import CHECKER, MAKER
from ledger import store as facts
from ledger.errors import BadSignature, Conflict, FieldError, LedgerError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import AGREEMENTS, APRIL, MARCH, OFFICE, OPERATOR, Market
from tests.counts import few

AT = MARCH.end + DAY
PAIR = (("staff:m", MAKER), ("staff:k", CHECKER))
NAMES = "ABCDEFG"


# --- the choice ------------------------------------------------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Obligation], NettingLimits]:
    """Up to seven parties, up to eleven obligations of different pairs, caps and limits around their size."""
    most = draw(st.sampled_from([3, 40, 10**10]))
    some = NAMES[: draw(st.integers(2, 7))]
    every = [(debtor, creditor) for debtor in some for creditor in some if debtor != creditor]
    pairs = draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=11))
    obligations = []
    for debtor, creditor in pairs:
        amount = draw(st.integers(1, most))
        obligations.append(Obligation(debtor, creditor, amount, (Item("g", "2026-03", amount),)))
    caps = draw(st.dictionaries(st.sampled_from(some), st.integers(0, 2 * most)))
    of_pairs = draw(st.dictionaries(st.sampled_from(every), st.integers(0, most)))
    return obligations, NettingLimits(
        OPERATOR,
        tuple(Cap(party, caps[party]) for party in sorted(caps)),
        tuple(PairLimit(*pair, of_pairs[pair]) for pair in sorted(of_pairs)),
    )


def within(some: tuple[Obligation, ...], limits: NettingLimits) -> bool:
    """Does nobody owe more on balance than its cap, and no pair more than its limit?"""
    owed = {
        party: sum((item.debtor == party) * item.amount - (item.creditor == party) * item.amount for item in some)
        for party in NAMES
    }
    pairs = {(item.debtor, item.creditor): item.amount for item in some}
    return all(owed[cap.party] <= cap.fen for cap in limits.caps) and all(
        pairs.get((item.debtor, item.creditor), 0) <= item.fen for item in limits.pairs
    )


def most_of(obligations: list[Obligation], limits: NettingLimits) -> tuple[Obligation, ...]:
    """Every choice tried: the largest amount, then the one with the first obligation by debtor and creditor."""
    ordered = sorted(obligations, key=lambda item: (item.debtor, item.creditor))
    ways = (some for size in range(len(ordered) + 1) for some in combinations(ordered, size))
    allowed = [some for some in ways if within(some, limits)]
    return max(allowed, key=lambda some: (sum(item.amount for item in some), [item in some for item in ordered]))


@settings(deadline=None, max_examples=few(120))
@given(cases(), st.randoms(use_true_random=False))
def test_limited__random_markets__is_what_trying_every_choice_finds(
    case: tuple[list[Obligation], NettingLimits], rng: object
) -> None:
    obligations, limits = case
    kept, waiting, found = limited(obligations, limits)
    assert within(kept, limits)
    assert kept == most_of(obligations, limits)
    assert found.value == sum(item.amount for item in kept) <= found.bound
    assert sorted([*kept, *waiting], key=str) == sorted(obligations, key=str)
    assert found.proved is not Proved.NOT
    shuffled = list(obligations)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert limited(shuffled, limits) == (kept, waiting, found)
    held = notice.limited(applied(obligations, Stood("0" * 64, 0, limits))[1])
    assert {item.reason for item in held} <= {Reason.LIMITED}
    most = {(pair.debtor, pair.creditor): pair.fen for pair in limits.pairs}
    for item in held:
        beyond = item.amount > most.get((item.debtor, item.creditor), item.amount)
        assert item.limit is (Limit.PAIR_LIMIT if beyond else Limit.DEBIT_CAP)
        if not beyond:
            debtors = {cap.party for cap in limits.caps}
            assert item.debtor in debtors, "who has no cap is not held by one"
    for party in NAMES:
        own = [item for item in obligations if party in (item.debtor, item.creditor)]
        assert notice.without(own, held) == [item for item in own if item in kept], "what a party takes off part A"


@pytest.mark.parametrize(("paid", "goes_in"), [(25, True), (24, False)])
def test_applied__beside_what_one_that_left_pays__its_creditor_may_owe_so_much_more(paid: int, goes_in: bool) -> None:
    """C may owe 5 on balance and owes D 30, in the run in which Y, which left, pays C its part."""
    owed = (Obligation("C", "D", 30, (Item("g", "2026-03", 30),)),)
    part = Obligation("Y", "C", paid, (Item("g", "2026-03", paid),))
    stood = Stood("0" * 64, 0, NettingLimits(OPERATOR, (Cap("C", 5), Cap("Y", 0)), ()))
    kept, waiting, _ = applied(owed, stood, (part,))
    assert (kept, [item for item, _ in waiting]) == ((owed, []) if goes_in else ((), list(owed)))


def test_run__without_limits__has_the_bytes_it_always_had() -> None:
    """The body of a run that stands in a log must not change: an absent choice leaves no trace."""
    owed = [Obligation("A", "B", 5, (Item("g", "2026-03", 5),))]
    assert applied(owed, None) == (tuple(owed), (), None)
    certificate = netted.netting.net(owed)
    assert "choice" not in body_of(Run("c", "OP", "2026-03", "CNY", certificate))


# --- a cycle ---------------------------------------------------------------------------------------------------------


def limit(session: Session, at: int, caps: dict[str, int], pairs: dict[tuple[str, str], int] | None = None) -> str:
    """Maker and checker set limits; the fact id."""
    draft = service.draft_limits(
        session,
        operator=OPERATOR,
        caps=[Cap(party, fen) for party, fen in caps.items()],
        pairs=[PairLimit(*pair, fen) for pair, fen in (pairs or {}).items()],
    )
    return service.set_limits(session, OFFICE, demo.signed_by(draft, *PAIR), at=at).fact.id


def audited(session: Session, market: Market, cycle: str) -> list[Finding]:
    secret = service.netting_secret(OFFICE, cycle)
    return service.audit(
        session, cycle=cycle, agreements=AGREEMENTS, uses=market.of, secret=secret, earlier=AGREEMENTS
    )  # fmt: skip


def stated(session: Session, cycle: str) -> dict[str, list[Obligation]]:
    """Part A of every party, from the statements alone."""
    return {
        item.body.party: [
            Obligation(part.debtor, part.creditor, part.amount, part.items)
            for part in store.part_documents(session, item.fact_id)
            if isinstance(part, ObligationPart)
        ]
        for item in store.statements(session, cycle)
    }


def notices_of(session: Session, cycle: str) -> dict[str, PartB]:
    return {
        item.body.party: read(PartB, facts.fact(session, item.notice).body)
        for item in store.statements(session, cycle)
        if item.notice
    }


def run_of(session: Session, cycle: str) -> Run:
    return read(Run, facts.fact(session, store.netting_of(session, cycle) or "").body)


def settle(session: Session, market: Market, cycle: str, at: int) -> None:
    """From instructions to the close."""
    batch = demo.instruct(session, cycle, at)
    for direction in (Direction.FUNDING, Direction.PAYOUT):
        if entries := demo.booked(batch, direction):
            service.import_bank_file(session, OFFICE, market.file(*entries), at=at + 1)
        service.advance_payments(session, OFFICE, cycle=cycle, at=at + 1)
    assert store.cycle(session, cycle).state is State.SETTLED
    assert service.money_sums(session, cycle=cycle).agrees
    demo.close(session, cycle, at + 2)


def test_cycle__caps_hold_back__and_the_next_cycle_without_them_settles_everything(
    session: Session, market: Market
) -> None:
    """A owes 57.82 on balance and may owe 50.00: its 80.00 wait. Without them X may not pay all it owes any more."""
    fact = limit(session, MARCH.start, {"A": 5000, "X": 3000})
    march = demo.to_netted(session, market, MARCH)
    own, told, run = stated(session, march), notices_of(session, march), run_of(session, march)
    owed = {(item.debtor, item.creditor): item.amount for items in own.values() for item in items}
    waits = {("A", "X"): 8000, ("X", "C"): 661}
    assert waits.items() <= owed.items()
    for party, body in told.items():
        assert {(item.debtor, item.creditor): item.amount for item in body.held} == {
            pair: amount for pair, amount in waits.items() if party in pair
        }
        assert {(item.reason, item.limit) for item in body.held} <= {(Reason.LIMITED, Limit.DEBIT_CAP)}
        said = facts.fact(session, store.statement_of(session, march, party).notice or "").body["held"]
        assert all(item.keys() == {"debtor", "creditor", "amount", "reason", "items", "limit"} for item in said)
        notice.check(body, own[party])
    net = {item.party: item.net for item in run.certificate.positions}
    assert net["X"] == -(1851 + 992) >= -3000
    assert run.certificate.gross == sum(owed.values()) - sum(waits.values())
    assert run.choice is not None
    assert (run.choice.limits, run.choice.value) == (fact, run.certificate.gross)
    assert run.choice.bound >= run.choice.value
    held = [row for row in register.rows(session, march) if "付款方净借记限额" in row.state]
    rows = [(row.debtor, row.creditor, row.amount) for row in held]
    assert rows == [(*pair, amount) for pair, amount in waits.items()]
    settle(session, market, march, AT + 40)
    assert audited(session, market, march) == []
    left = {account: amount for account, amount in store.balance(session).items() if amount}
    journal.trial_balance(left)
    assert sum(amount for account, amount in left.items() if account.party == "A") == 8000

    lifted = limit(session, AT + 60, {})
    april = demo.to_netted(session, market, APRIL)
    again = run_of(session, april).choice
    assert again is not None
    assert (again.limits, again.value) == (lifted, run_of(session, april).certificate.gross)
    assert [body.held for body in notices_of(session, april).values() if body.held] == []
    settle(session, market, april, APRIL.end + DAY + 40)
    assert audited(session, market, april) == []
    assert audited(session, market, march) == [], "what is set later says nothing of an earlier run"
    assert {account: amount for account, amount in store.balance(session).items() if amount} == {}


def test_cycle__a_pair_s_limit_below_what_is_owed__holds_that_pair_only(session: Session, market: Market) -> None:
    limit(session, MARCH.start, {}, {("X", "B"): 991, ("X", "C"): 661})
    cycle = demo.to_netted(session, market, MARCH)
    told, own = notices_of(session, cycle), stated(session, cycle)
    [owed] = [item for item in own["B"] if (item.debtor, item.creditor) == ("X", "B")]
    expected = (Held("X", "B", 992, Reason.LIMITED, owed.items, Limit.PAIR_LIMIT),)
    assert {party: body.held for party, body in told.items() if body.held} == {"X": expected, "B": expected}
    assert audited(session, market, cycle) == []


OLD = {"amount": 992, "creditor": "B", "debtor": "X", "reason": "limited"}


@pytest.mark.parametrize(("said", "found"), [(None, 0), (Limit.PAIR_LIMIT, 0), (Limit.DEBIT_CAP, 2)])
def test_audit__which_limit_a_notice_names__may_be_none_as_before_but_not_another(
    session: Session, market: Market, monkeypatch: pytest.MonkeyPatch, said: Limit | None, found: int
) -> None:
    """A notice that stands in a log from before notices named the limit keeps its bytes and its audit."""
    assert body_of(read(Held, OLD)) == OLD
    limit(session, MARCH.start, {}, {("X", "B"): 991})
    right = notice.limited
    with monkeypatch.context() as patched:
        patched.setattr(notice, "limited", lambda waiting: tuple(replace(one, limit=said) for one in right(waiting)))
        cycle = demo.to_netted(session, market, MARCH)
    findings = audited(session, market, cycle)
    assert [(item.row, "limit" in str(item)) for item in findings] == [("notice B", True), ("notice X", True)][:found]


def test_cycle__limits_that_let_nothing_through__is_empty_and_goes_on_to_its_close(
    session: Session, market: Market
) -> None:
    everybody = [(debtor, creditor) for debtor in "ABCXY" for creditor in "ABCXY" if debtor != creditor]
    limit(session, MARCH.start, {}, dict.fromkeys(everybody, 0))
    cycle = demo.to_netted(session, market, MARCH)
    run = run_of(session, cycle)
    assert (run.root, run.certificate.gross) == (None, 0)
    assert run.choice is not None
    assert (run.choice.value, run.choice.bound, run.choice.proved) == (0, 0, Proved.BOUND)
    for party, body in notices_of(session, cycle).items():
        notice.check(body, stated(session, cycle)[party])
    settle(session, market, cycle, AT + 40)
    assert audited(session, market, cycle) == []


@pytest.mark.parametrize("caps", [{"A": 6000}, {}])
def test_cycle__nothing_confirmed_while_limits_stand__is_empty_and_goes_on_to_its_close(
    session: Session, market: Market, caps: dict[str, int]
) -> None:
    """Nobody confirms, so there is nothing to choose from, under a cap and under limits that were lifted."""
    limit(session, MARCH.start, caps)
    cycle = demo.to_rated(session, market, MARCH, AT)
    service.issue_statements(session, OFFICE, cycle=cycle, at=AT)
    service.close_window(session, OFFICE, cycle=cycle, at=store.cycle(session, cycle).until)
    late = store.cycle(session, cycle).until
    service.net(session, OFFICE, cycle=cycle, at=late)
    run = run_of(session, cycle)
    assert (run.root, run.certificate.gross) == (None, 0)
    assert run.choice is not None
    assert (run.choice.value, run.choice.bound, run.choice.prices, run.choice.proved) == (0, 0, (), Proved.BOUND)
    settle(session, market, cycle, late + 40)
    assert audited(session, market, cycle) == []


def test_default__the_rest_is_netted_within_the_limits_of_the_run_undone(session: Session, market: Market) -> None:
    """Y brings nothing. Without the 3.67 that Y owes it, A would owe 61.49 on balance and may owe 60.00: its 80.00 wait
    too, and it gets back what it had brought. Limits set in between are for the next cycle."""
    fact = limit(session, MARCH.start, {"A": 6000})
    cycle = demo.to_netted(session, market, MARCH)
    assert [body.held for body in notices_of(session, cycle).values() if body.held] == []
    batch = demo.instruct(session, cycle, AT + 40)
    brought = [entry for entry in demo.booked(batch, Direction.FUNDING) if entry[0] == 5782]
    service.import_bank_file(session, OFFICE, market.file(*brought), at=AT + 50)
    limit(session, AT + 60, {"A": 10**15 - 1})
    late = store.cycle(session, cycle).until
    service.declare_default(session, OFFICE, cycle=cycle, at=late)
    run, own = run_of(session, cycle), stated(session, cycle)
    assert run.choice is not None
    assert run.choice.limits == fact
    told = notices_of(session, cycle)
    assert {(item.debtor, item.creditor, item.reason, item.limit) for body in told.values() for item in body.held} == {
        ("A", "X", Reason.LIMITED, Limit.DEBIT_CAP), ("Y", "A", Reason.DEFAULTED, None),
        ("Y", "B", Reason.DEFAULTED, None), ("Y", "C", Reason.DEFAULTED, None),
    }  # fmt: skip
    for party, body in told.items():
        if party != "Y":
            notice.check(body, own[party])
    assert run.final == {"A": 1851 + 5782, "B": 992, "C": 661, "X": -(1851 + 992 + 661)}
    settle(session, market, cycle, late + 1)
    assert audited(session, market, cycle) == []
    journal.trial_balance(store.balance(session))
    limit(session, late + 10, {})
    april = demo.to_netted(session, market, APRIL)
    settle(session, market, april, APRIL.end + DAY + 40)
    assert audited(session, market, april) == []
    assert {account: amount for account, amount in store.balance(session).items() if amount} == {}


# --- what the audit names --------------------------------------------------------------------------------------------


def fields(found: list[Finding], row: str) -> set[str]:
    return {item.field.partition("[")[0] for item in found if item.row.startswith(row)}


def test_audit__a_run_that_ignored_the_limits__is_named(
    session: Session, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(session, MARCH.start, {"A": 5000})
    with monkeypatch.context() as patched:
        patched.setattr(netted.limiting, "applied", lambda obligations, *about: (tuple(obligations), (), None))
        cycle = demo.to_netted(session, market, MARCH)
    found = audited(session, market, cycle)
    assert {"choice", "obligations", "certificate"} <= {name.partition(".")[0] for name in fields(found, "netting")}
    assert "held" in fields(found, "notice A"), "and who should have waited"


def test_audit__a_run_under_limits_nobody_set__is_named(
    session: Session, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    invented = Stood("0" * 64, MARCH.start, NettingLimits(OPERATOR, (Cap("A", 5000),), ()))
    with monkeypatch.context() as patched:
        patched.setattr(netted.store, "limits", lambda session, operator: invented)
        cycle = demo.to_netted(session, market, MARCH)
    found = audited(session, market, cycle)
    assert "choice" in fields(found, "netting")
    assert "held" in fields(found, "notice A")


def test_audit__an_act_slipped_into_the_time_before_the_run__is_named(session: Session, market: Market) -> None:
    """The door refuses it; somebody with the database writes it past the door."""
    limit(session, MARCH.start, {"A": 5000})
    cycle = demo.to_netted(session, market, MARCH)
    draft = service.draft_limits(session, operator=OPERATOR, caps=[Cap("A", 5000), Cap("C", 9)], pairs=[])
    facts.append(session, demo.signed_by(draft, *PAIR), at=AT)
    assert fields(audited(session, market, cycle), "netting") == {"choice.limits"}


@pytest.mark.parametrize(
    "changes",
    [
        {"value": 4671 + 1},
        {"bound": 10**6},
        {"prices": (Price("A", 2),)},
        {"proved": Proved.NOT},
        {"limits": "f" * 64},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_audit__each_number_a_run_states_of_its_choice__is_made_again(
    session: Session, market: Market, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    limit(session, MARCH.start, {"A": 5000})
    right = netted.limiting.applied

    def false(
        obligations: tuple[Obligation, ...], stood: Stood | None, paid: tuple[Obligation, ...]
    ) -> tuple[tuple[Obligation, ...], tuple[Obligation, ...], Choice | None]:
        kept, waiting, choice = right(obligations, stood, paid)
        assert choice is not None
        return kept, waiting, replace(choice, **changes)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(netted.limiting, "applied", false)
        cycle = demo.to_netted(session, market, MARCH)
    named = {item.field.partition("[")[0] for item in audited(session, market, cycle)}
    assert named == {f"choice.{name}" for name in changes}


def test_audit__a_notice_that_leaves_out_what_waits__is_named(
    session: Session, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(session, MARCH.start, {"A": 5000})
    with monkeypatch.context() as patched:
        patched.setattr(netted.notices, "limited", lambda waiting: ())
        cycle = demo.to_netted(session, market, MARCH)
    found = audited(session, market, cycle)
    assert {item.row for item in found if item.field == "held"} == {"notice A", "notice X"}
    assert {item.row for item in found if item.field == "proof"} == {"notice A", "notice X"}


# --- what is taken in ------------------------------------------------------------------------------------------------


def statement(session: Session, body: dict[str, object], **changes: object) -> Statement:
    """The next act with this body, as somebody would send it past the drafting door."""
    no, prev = facts.next_of(session, f"limits:{OPERATOR}")
    made = Statement(
        NETTING_LIMITS, f"limits:{OPERATOR}", no, prev, {"operator": OPERATOR, "caps": [], "pairs": []} | body
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def pair(debtor: str, creditor: str, fen: object = 5) -> dict[str, object]:
    return {"debtor": debtor, "creditor": creditor, "fen": fen}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"caps": [{"party": "A", "fen": -1}]}, "body.caps[0].fen"),
        ({"caps": [{"party": "A", "fen": 10**15}]}, "body.caps[0].fen"),
        ({"caps": [{"party": "A", "fen": "5"}]}, "body.caps[0].fen"),
        ({"caps": [{"party": "A"}]}, "body.caps[0].fen"),
        ({"caps": [{"party": "", "fen": 5}]}, "body.caps[0].party"),
        ({"caps": [{"party": "A", "fen": 5}, {"party": "A", "fen": 6}]}, "body.caps[1]"),
        ({"caps": [{"party": "B", "fen": 5}, {"party": "A", "fen": 5}]}, "body.caps[1]"),
        ({"pairs": [pair("A", "A")]}, "body.pairs[0].creditor"),
        ({"pairs": [pair("A", "B"), pair("A", "B")]}, "body.pairs[1]"),
        ({"pairs": [pair("B", "A"), pair("A", "B")]}, "body.pairs[1]"),
        ({"pairs": [pair("A", "B", -1)]}, "body.pairs[0].fen"),
        ({"pairs": [pair("A", "B", 10**15)]}, "body.pairs[0].fen"),
        ({"note": "x"}, "body.note"),
        ({"operator": "A"}, "body.operator"),
    ],
    ids=str,
)
def test_set_limits__bad_bodies__are_refused_by_field_and_change_nothing(
    session: Session, body: dict[str, object], field: str
) -> None:
    stood = limit(session, 5, {"A": 1})
    made = statement(session, body)
    with pytest.raises((BadTerms, FieldError)) as refused:
        service.set_limits(session, OFFICE, demo.signed_by(made, *PAIR), at=6)
    assert refused.value.field == field
    left = store.limits(session, OPERATOR)
    assert (len(facts.facts_of(session, f"limits:{OPERATOR}")), left and left.fact) == (1, stood)


@pytest.mark.parametrize(
    "signers",
    [
        (),
        (("staff:m", MAKER),),
        (("staff:m", MAKER), ("staff:m", CHECKER)),
        (("staff:m", MAKER), ("staff:k", MAKER)),
        (("staff:m", MAKER), ("staff:k", "")),
        (*PAIR, ("party:A", "")),
    ],
    ids=str,
)
def test_set_limits__signed_by_other_than_its_two_persons__is_refused(
    session: Session, signers: tuple[tuple[str, str], ...]
) -> None:
    made = service.draft_limits(session, operator=OPERATOR, caps=[Cap("A", 1)], pairs=[])
    with pytest.raises(NotSigned):
        service.set_limits(session, OFFICE, demo.signed_by(made, *signers), at=6)
    assert store.limits(session, OPERATOR) is None


def test_set_limits__whom_the_office_does_not_know__is_refused(session: Session) -> None:
    made = service.draft_limits(session, operator=OPERATOR, caps=[Cap("A", 1)], pairs=[])
    stranger = sign_sm2(demo.KEYS["party:A"], made, by="staff:stranger", role=CHECKER)
    signed = Signed(made, (*demo.signed_by(made, PAIR[0]).signatures, stranger))
    with pytest.raises(BadSignature):
        service.set_limits(session, OFFICE, signed, at=6)
    assert store.limits(session, OPERATOR) is None


def test_set_limits__another_kind_or_subject_or_number__is_refused(session: Session) -> None:
    limit(session, 5, {"A": 1})
    for changes, error in (
        ({"kind": "netting/v1"}, Clash),
        ({"subject": "limits:B"}, Clash),
        ({"no": 0, "prev": None}, Conflict),
        ({"no": 7}, LedgerError),
    ):
        made = statement(session, {}, **changes)
        with pytest.raises(error):
            service.set_limits(session, OFFICE, demo.signed_by(made, *PAIR), at=6)
    assert len(facts.facts_of(session, f"limits:{OPERATOR}")) == 1


def test_set_limits__sent_again__is_the_first_fact_even_later(session: Session, market: Market) -> None:
    made = service.draft_limits(session, operator=OPERATOR, caps=[Cap("B", 2), Cap("A", 1)], pairs=[])
    signed = demo.signed_by(made, *PAIR)
    first = service.set_limits(session, OFFICE, signed, at=5)
    demo.to_netted(session, market, MARCH)
    again = service.set_limits(session, OFFICE, signed, at=AT + 30)
    assert (again.fact, again.replayed, first.replayed) == (first.fact, True, False)
    assert [cap.party for cap in read(NettingLimits, first.fact.body).caps] == ["A", "B"]


def test_seconds__of_limits_and_of_a_netting__are_never_the_same(session: Session, market: Market) -> None:
    """So the second alone says what stood at a run and what came after it."""
    cycle = demo.to_statements(session, market, MARCH, AT)
    demo.confirm(session, cycle, AT + 10)
    service.close_window(session, OFFICE, cycle=cycle, at=AT + 20)
    limit(session, AT + 30, {"A": 5000})
    for at in (AT + 29, AT + 30):
        with pytest.raises(TooEarly):
            service.net(session, OFFICE, cycle=cycle, at=at)
    service.net(session, OFFICE, cycle=cycle, at=AT + 31)
    for at in (AT + 30, AT + 31):
        with pytest.raises(TooEarly):
            limit(session, at, {})
    limit(session, AT + 32, {})
    assert audited(session, market, cycle) == []
    assert {item.reason for body in notices_of(session, cycle).values() for item in body.held} == {Reason.LIMITED}


def test_draft_limits__an_amount_out_of_bounds__is_refused_before_anybody_signs(session: Session) -> None:
    for caps, pairs in (([Cap("A", -1)], []), ([], [PairLimit("A", "B", 10**15)])):
        with pytest.raises(FieldError, match="fen"):
            service.draft_limits(session, operator=OPERATOR, caps=caps, pairs=pairs)
    with pytest.raises(ClearingError, match="A"):
        service.draft_limits(session, operator=OPERATOR, caps=[Cap("A", 1), Cap("A", 2)], pairs=[])
