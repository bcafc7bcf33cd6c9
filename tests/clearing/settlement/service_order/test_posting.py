"""What settlements of service orders post: the books say what the naive formulas say, the monthly cycle sees none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, Table, create_engine, delete, insert, select, update
from sqlalchemy.orm import Session

from clearing.settlement import service as monthly
from clearing.settlement import statement as monthly_statement
from clearing.settlement import store as journal_store
from clearing.settlement import tables as journal_tables
from clearing.settlement.journal import Kind, Transaction, balances
from clearing.settlement.journal_export import account_name, account_of, journal_beancount
from clearing.settlement.paying import money_sums
from clearing.settlement.service_order import service, store
from clearing.settlement.service_order.damages import MonthScore
from clearing.settlement.service_order.pass_through import Cost, Fee, PassAccount
from clearing.settlement.service_order.posting import paid, posted
from clearing.settlement.service_order.scheme import TENDER, Negative
from clearing.settlement.service_order.settling import (
    Accepted,
    Advances,
    Carry,
    Incident,
    Item,
    Order,
    ProjectCycle,
    settle,
)
from clearing.settlement.service_order.statements import KINDS, CyclePaid, CycleSettled
from clearing.settlement.workbook import EVENT_NAMES
from clearing.terms import DAY, AgreementTerms
from ledger import store as ledger
from ledger.facts import Signed
from ledger.reading import body_of
from tests.clearing.builders import per_call, plan, ratio, terms
from tests.clearing.market.house import CONSUMER, PROVIDER, House
from tests.clearing.settlement import market
from tests.clearing.settlement.service_order import naive
from tests.clearing.settlement.service_order.making import document, fact
from tests.clearing.settlement.service_order.playing import C, Office, Player
from tests.clearing.settlement.test_journal_export import bean_check
from tests.counts import few
from tests.databases import Place

HEAD, POSTING = journal_tables.journal_transaction, journal_tables.posting
VIEWS = (*store.VIEWS, HEAD, POSTING)


@pytest.fixture
def office(place: Place) -> Iterator[Office]:
    house = House(place.engine())
    yield Office(house)
    house.close()


def named(transactions: list[Transaction]) -> dict[str, int]:
    return {account.name: amount for account, amount in balances(transactions).items()}


def rows(session: Session) -> list[list[Row[Any]]]:
    return [list(session.execute(table.select().order_by(*table.primary_key.columns))) for table in VIEWS]


amounts = st.sampled_from([0, 1, 7, 10_000_000, 123_456_789]) | st.integers(0, 10**9)
a_month = st.sampled_from(["59", "70", "100"])
a_fee = st.tuples(amounts, st.sampled_from([0, 1, 2]))
a_cycle = st.tuples(amounts, a_month, st.lists(st.integers(1, 6), max_size=2), amounts, st.dictionaries(
    st.sampled_from(Fee), a_fee, max_size=3))  # fmt: skip


@settings(deadline=None, max_examples=few(200))
@given(st.lists(a_cycle, min_size=1, max_size=4), st.sampled_from(Negative), st.tuples(*[st.booleans()] * 4))
def test_posted__any_row_of_cycles__the_books_are_the_naive_ones_after_each(
    given_: list[tuple[int, str, list[int], int, dict[Fee, tuple[int, int]]]],
    negative: Negative,
    pays: tuple[bool, ...],
) -> None:
    """Each 项目周期: the price of its one order, the score of its month, its incidents, advances, and for each fee what
    was put in and how many halves of it were spent."""
    scheme = replace(TENDER, negative=negative)
    told: list[tuple[str, dict[str, int], dict[str, tuple[int, int]]]] = []
    carry, book, unused, open_, settled = Carry(), list[Transaction](), 0, 0, set[str]()
    for number, (price, score, incidents, advance, fees) in enumerate(given_):
        name = f"2026-{number}"
        accounts = tuple(
            PassAccount(fee, put_in, (Cost("演示", put_in * half // 2, document(fee)),) if put_in * half // 2 else ())
            for fee, (put_in, half) in fees.items()
        )
        found = settle(
            ProjectCycle(name, "2026-03", "2026-03", 0, Advances(advance, 0), carry),
            [Order("O", (Item("I", "项", price, 1),), (Accepted("I", 1, 1),), "95")], [MonthScore("2026-03", score)],
            [Incident(fact(str(place)), row) for place, row in enumerate(incidents)], scheme,
        )  # fmt: skip
        body = CycleSettled(C, CONSUMER, PROVIDER, "-", name, Advances(advance, 0), 0, (), found, accounts)
        made = posted(body, told[-1][0] if told else "", fact(name), number)
        assert all((item.event_id, item.at, item.currency) == (fact(name), number, "CNY") for item in made)
        assert all(leg.account.apart and not leg.account.stated for item in made for leg in item.postings)
        assert {item.event for item in made} <= EVENT_NAMES.keys()
        book += made
        damages = naive.month_fen(Fraction(score)) + sum(naive.INCIDENT_FEN[row] for row in incidents)
        settlement = naive.half_up(Fraction(9 * price, 10) - damages)
        left = naive.left_over(settlement, advance + unused, open_, negative.value)
        spent = {fee.value: (put_in, put_in * half // 2) for fee, (put_in, half) in fees.items()}
        told.append((name, left, spent))
        assert named(book) == naive.book(C, CONSUMER, PROVIDER, told, settled)
        assert found.pay == left["pay"]
        if left["pay"] and pays[number]:
            entry = CyclePaid(
                C, CONSUMER, PROVIDER, "-", name, found.pay, "102100099996", name, "2026-04-01", document()
            )
            book.append(paid(entry, fact(name + "paid"), number))
            settled.add(name)
            assert book[-1].event in EVENT_NAMES
            assert named(book) == naive.book(C, CONSUMER, PROVIDER, told, settled)
        carry, unused, open_ = found.carry_out, left["unused"], left["open"]
    assert monthly_statement.moving(enumerate(book)) == {}
    assert monthly_statement.obligations_of(balances(book), {}) == ()
    assert all(account_of(account_name(account)) == account for account in balances(book))


@pytest.mark.parametrize("seed", range(few(3)))
def test_player__after_every_settlement__the_journal_says_what_the_oracle_says(office: Office, seed: int) -> None:
    session, player = office.session, Player(office, Random(seed))
    for _ in range(3):
        body = player.round()
        held = journal_store.balance(session)
        assert {account.name: amount for account, amount in held.items()} == player.book
        assert not [account for account in held if account.kind is Kind.REV]
        assert journal_store.unbalanced(session) == {}
        assert {a.period for a in held} <= {name for name, _, _ in player.cycles}
        assert body.settlement.pay == player.cycles[-1][1]["pay"]
    assert list(service.audit(session)) == []
    kept = rows(session)
    for said in ledger.facts_of_kind(session, *KINDS):
        assert service.take(session, Signed(said.statement, said.signatures), at=said.at + 99).replayed
    assert rows(session) == kept
    for table in VIEWS:
        session.execute(delete(table))
    for said in ledger.facts_of_kind(session, *KINDS):
        store.PROJECTORS[said.kind](session, said)
    assert rows(session) == kept


def test_export__of_service_orders__beancounts_checker_agrees(office: Office, tmp_path: Path) -> None:
    player = Player(office, Random(4))
    for _ in range(2):
        player.round()
    text = journal_beancount(journal_store.transactions(office.session))
    assert "Assets:ADVP:" in text
    assert bean_check(text, tmp_path) == (0, "")


OTHERS: dict[Table, dict[str, Any]] = {
    HEAD: {"event": "order-other", "event_id": "0" * 64, "at": 1, "value_date": 2, "currency": "USD"},
    POSTING: {"kind": "REV", "party": "X", "agreement": "g1", "period": "2026-12", "amount": 17},
}


def test_audit__every_row_posted__changed_gone_or_added__is_named(office: Office) -> None:
    session, player = office.session, Player(office, Random(4))
    for _ in range(2):
        player.round()
    count = 0
    for table, others in OTHERS.items():
        for number, row in enumerate(session.execute(table.select().order_by(*table.primary_key.columns)).all()):
            key = [column == getattr(row, column.name) for column in table.primary_key.columns]
            name = list(others)[number % len(others)]
            session.execute(update(table).where(*key).values(**{name: others[name]}))
            wanted = "journal transaction" if name == "amount" else "journal order-"
            assert [line for line in service.audit(session) if line.startswith(wanted)], (row, name)
            session.execute(update(table).where(*key).values(**{name: getattr(row, name)}))
            count += 1
    assert count > 20
    assert list(service.audit(session)) == []
    event, name = session.execute(select(HEAD.c.event, HEAD.c.event_id).where(HEAD.c.no == 1)).one()
    lines = [dict(row) for row in session.execute(select(POSTING).where(POSTING.c.no == 1)).mappings()]
    session.execute(delete(POSTING).where(POSTING.c.no == 1))
    [found] = service.audit(session)
    assert found.startswith(f"journal {event} {name}: ")
    session.execute(delete(HEAD).where(HEAD.c.no == 1))
    [found] = service.audit(session)
    assert found.startswith(f"journal {event} {name}: ")
    assert found.endswith("实为 / given —")
    extra = {"event": event, "event_id": name, "at": 1, "value_date": 1, "currency": "CNY"}
    session.execute(insert(HEAD).values(no=1, **{**extra, "event": "charge"}))
    session.execute(insert(POSTING), lines)
    assert [line.partition(" ")[2].partition(" ")[0] for line in service.audit(session)] == sorted(["charge", event])


def test_audit__both_legs_moved_by_a_fen__is_named_with_both_amounts(office: Office) -> None:
    session, player = office.session, Player(office, Random(4))
    player.round()
    first = POSTING.c.no == 0
    one, two = session.scalars(select(POSTING.c.amount).where(first).order_by(POSTING.c.line)).all()
    for line, amount in ((0, one + 1), (1, two - 1)):
        session.execute(update(POSTING).where(first, POSTING.c.line == line).values(amount=amount))
    [found] = service.audit(session)
    wanted, _, given_ = found.partition("实为 / given")
    assert f" {one} " in wanted
    assert f" {one + 1} " in given_


MINE = (AgreementTerms(C, 0, terms(CONSUMER, per_call(), plan(ratio(**{PROVIDER: 1}), parties=[PROVIDER]), PROVIDER)),)  # type: ignore[arg-type]
"""A monthly agreement between the same two, under the contract's own id."""


def test_month__with_service_orders_beside_it__is_the_same_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rated cycle goes on to netting alone, and with a 项目周期 of its name settled before the statements and
    another before the netting. Only the journal numbers the statements run to tell of it."""
    house = House(tmp_path / "first.db")
    for party in (CONSUMER, PROVIDER):
        monkeypatch.setitem(market.KEYS, f"party:{party}", house.keys[party].sm2)
    small = market.Market()
    small.call(market.MARCH, **{C: 11})
    at = market.MARCH.end + DAY
    cycle = market.to_rated(house.session, small, market.MARCH, at, agreements=MINE)
    house.session.commit()
    house.close()
    found = []
    for beside in (False, True):
        engine = create_engine(f"sqlite:///{shutil.copy(tmp_path / 'first.db', tmp_path / f'{beside}.db')}")
        with Session(engine) as session:
            player: Player | None = None
            if beside:
                player = Player(Office(SimpleNamespace(session=session, keys=house.keys)), Random(1))  # type: ignore[arg-type]
                player.round()
                assert player.cycles[0][0] == market.MARCH.name
            monthly.issue_statements(session, market.OFFICE, cycle=cycle, at=at)
            market.confirm(session, cycle, at + 10)
            monthly.close_window(session, market.OFFICE, cycle=cycle, at=at + 20)
            if player is not None:
                player.round()
            monthly.net(session, market.OFFICE, cycle=cycle, at=at + 30)
            secret = monthly.netting_secret(market.OFFICE, cycle)
            differs = monthly.audit(session, cycle=cycle, agreements=MINE, uses=small.of, secret=secret)
            assert differs == []
            issued = journal_store.statements(session, cycle)
            run = ledger.fact(session, journal_store.netting_of(session, cycle) or "")
            found.append((
                [body_of(replace(item.body, first=0, last=0)) for item in issued],
                [body_of(part) for item in issued for part in journal_store.part_documents(session, item.fact_id)],
                body_of(run.body), [body_of(part) for part in journal_store.part_documents(session, run.id)],
                money_sums(session, cycle=cycle),
                {a: n for a, n in journal_store.balance(session).items() if not a.apart},
            ))  # fmt: skip
            if player is not None:
                mine = {a.name: n for a, n in journal_store.balance(session).items() if a.apart}
                assert mine == player.book
                assert list(service.audit(session)) == []
        engine.dispose()
    alone, with_orders = found
    assert len(alone[0]) == 2
    assert alone == with_orders
