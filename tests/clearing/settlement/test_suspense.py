"""What no id matched: a person decides, nothing is lost from the list, nothing is paid twice unnoticed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms
from clearing.settlement import journal
from clearing.settlement.bank_file import BankEntry
from clearing.settlement.journal import BankEffect, BankPosting, Kind, balances
from clearing.settlement.partial import spread
from clearing.settlement.payment import Direction, Expected, booked_after, match
from clearing.settlement.reissue import reissued
from clearing.settlement.suspense import (
    Late,
    Open,
    PaidTwice,
    Suspended,
    aged,
    late,
    paid_twice,
    suggestions,
    suspended,
)
from tests.clearing.settlement.test_payment import ACCOUNTS, a_batch
from tests.counts import few

check = settings(deadline=None, max_examples=few(50))
FUNDING = Expected(Direction.FUNDING, "Z", "p", 100, 0, False)
PAYOUT = Expected(Direction.PAYOUT, "A", "p", 70, 0, False)


def entry(amount: int, end_to_end: str = "", **more: str) -> BankEntry:
    base = {"reference": "R", "booking_date": "2026-04-15", "value_date": "2026-04-15", "name": "演示（Z）公司",
            "counter_account": "", "return_code": "", "remark": ""}  # fmt: skip
    return BankEntry(amount=amount, end_to_end=end_to_end, **{**base, **more})


def in_suspense(booked: BankEntry) -> Suspended:
    found = suspended("1", booked, BankPosting(BankEffect.UNKNOWN, booked.amount, 0, "", ""))
    assert found is not None
    return found


WAITING = Open("E1", FUNDING, "演示(Z)公司", "2026-04-10")


@pytest.mark.parametrize(
    ("booked", "waiting", "days"),
    [
        (entry(100), WAITING, 5),
        (entry(100, name=" 演示（ｚ）公司 "), WAITING, 5),
        (entry(100, booking_date="2026-04-01"), WAITING, -9),
        (entry(40), replace(WAITING, expected=replace(FUNDING, booked=60)), 5),
        (entry(-70), Open("E2", PAYOUT, "演示(Z)公司", "2026-04-15"), 0),
        (entry(99), WAITING, None),
        (entry(-100), WAITING, None),
        (entry(100, name="演示公司"), WAITING, None),
        (entry(100, name=""), WAITING, None),
        (entry(100, booking_date="2026-05-11"), WAITING, None),
        (entry(100), replace(WAITING, expected=replace(FUNDING, booked=100)), None),
        (entry(70), Open("E2", PAYOUT, "演示(Z)公司", "2026-04-15"), None),
    ],
)
def test_suggestions__name_amount_and_date__or_nothing(booked: BankEntry, waiting: Open, days: int | None) -> None:
    found = suggestions(in_suspense(booked), [waiting])
    assert [item.days for item in found] == ([] if days is None else [days])
    assert match(booked, {waiting.end_to_end: waiting.expected}).effect is BankEffect.UNKNOWN


def test_suggestions__several_candidates__all_are_shown_nearest_first() -> None:
    other = replace(WAITING, end_to_end="E0", due="2026-04-16")
    assert [item.end_to_end for item in suggestions(in_suspense(entry(100)), [WAITING, other])] == ["E0", "E1"]
    with pytest.raises(BadTerms, match="day"):
        suggestions(in_suspense(entry(100)), [replace(WAITING, due="soon")])


def test_late__only_money_after_its_day() -> None:
    receipt = BankPosting(BankEffect.RECEIPT, 100, 100, "Z", "p")
    assert late(entry(100, "E1"), receipt, "2026-04-10") == Late("E1", "Z", 100, "2026-04-10", "2026-04-15", 5)
    assert late(entry(100, "E1"), receipt, "2026-04-15") is None
    assert late(entry(-100, "E1"), BankPosting(BankEffect.PAID, -100, 100, "A", "p"), "2026-04-10") is None


@check
@given(st.lists(st.tuples(st.integers(-500, 500).filter(bool), st.sampled_from(["", "F", "P"]),
                          st.integers(1, 28)), max_size=12))  # fmt: skip
def test_aged__any_entries__explains_what_the_journal_holds_in_suspense(rows: list[tuple[int, str, int]]) -> None:
    """Independent: the journal's own SUS balance after every entry was posted."""
    now = {"F": FUNDING, "P": PAYOUT}
    posted, waiting = [], []
    for number, (amount, end_to_end, day) in enumerate(rows):
        booked = entry(amount, end_to_end, reference=f"R{number}", booking_date=f"2026-04-{day:02d}")
        effect = match(booked, now)
        if effect.effect is not BankEffect.UNKNOWN:
            now[end_to_end] = booked_after(now[end_to_end], effect)
        posted.append(journal.banked(booked.reference, "1", effect, "CNY", 0))
        waiting.append(suspended("1", booked, effect))
    held = -sum(total for account, total in balances(posted).items() if account.kind is Kind.SUS)
    found = aged([item for item in waiting if item], held, on="2026-04-30", bands=(7, 14))
    assert found.total == held == sum(found.bands)
    assert [line.days for line in found.lines] == sorted((line.days for line in found.lines), reverse=True)
    assert all(line.band == (0 if line.days <= 7 else 1 if line.days <= 14 else 2) for line in found.lines)


def test_aged__a_line_left_out_or_a_day_before__is_refused() -> None:
    line = Suspended("1", "R", "2026-04-15", 5, "", "")
    with pytest.raises(BadMoney, match="SUS"):
        aged([], 5, on="2026-04-30")
    with pytest.raises(BadTerms, match="on"):
        aged([line], 5, on="2026-04-14")
    with pytest.raises(BadTerms, match="bands"):
        aged([line], 5, on="2026-04-30", bands=(30, 7))


def test_paid_twice__second_booking__is_a_finding_a_return_is_none() -> None:
    instructions = {"F": FUNDING, "P": PAYOUT}
    entries = [
        entry(100, "F", reference="1"), entry(-70, "P", reference="2"), entry(-70, "P", reference="3"),
        entry(100, "F", reference="4"), entry(70, "P", reference="5", return_code="AC01"),
        entry(-70, "P", reference="6"), entry(-9, "other", reference="7"),
    ]  # fmt: skip
    assert paid_twice(entries, instructions) == (
        PaidTwice("P", "A", Direction.PAYOUT, "2", "3", 70),
        PaidTwice("F", "Z", Direction.FUNDING, "1", "4", 100),
        PaidTwice("P", "A", Direction.PAYOUT, "2", "6", 70),
    )
    assert paid_twice(entries[:2], instructions) == ()
    assert paid_twice([entry(40, "F"), entry(60, "F"), entry(-69, "P")], instructions) == ()


def test_reissued__corrected_account__has_a_new_id_linked_to_the_old() -> None:
    first = a_batch().instructions[0]
    corrected = replace(ACCOUNTS["A"], number="00999")
    link = reissued(first, corrected)
    assert link == reissued(first, corrected)
    assert (link.replaces, link.instruction.amount, link.instruction.account) == (first.end_to_end, 70, corrected)
    again = reissued(link.instruction, corrected)
    ids = {first.end_to_end, link.instruction.end_to_end, again.instruction.end_to_end}
    assert len(ids) == 3
    assert all(len(name) <= 35 for name in ids)
    with pytest.raises(BadTerms, match="direction"):
        reissued(a_batch().instructions[2], corrected)
    with pytest.raises(BadTerms, match="number"):
        reissued(first, replace(corrected, number="1-2"))


dues = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 1000), min_size=1, max_size=8).filter(
    lambda items: sum(items.values()) > 0
)


@check
@given(dues, st.data())
def test_spread__any_payments__sum_exactly_and_end_with_every_due_met(
    owed: dict[str, int], data: st.DataObject
) -> None:
    total, before = sum(owed.values()), 0
    got = dict.fromkeys(owed, 0)
    while before < total:
        amount = data.draw(st.integers((total - before + 3) // 4, total - before))
        parts = spread("s", owed, before, amount)
        assert sum(parts.values()) == amount
        got = {name: got[name] + parts[name] for name in owed}
        before += amount
        assert all(abs(got[name] * total - before * owed[name]) < total for name in owed)  # within one fen
        assert all(0 <= got[name] <= owed[name] for name in owed)
        assert got == spread("s", dict(reversed(owed.items())), 0, before)
    assert got == owed


@pytest.mark.parametrize(("before", "amount"), [(0, 0), (0, 101), (60, 41), (0, -1), (-1, 5)])
def test_spread__more_than_is_due_or_nothing__is_refused(before: int, amount: int) -> None:
    with pytest.raises(BadMoney):
        spread("s", {"a": 100}, before, amount)
    with pytest.raises(BadMoney, match="a"):
        spread("s", {"a": -1, "b": 5}, 0, 1)
