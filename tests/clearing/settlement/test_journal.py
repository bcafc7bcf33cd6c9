"""The journal: nothing unbalanced can exist; a balance at any past moment is recomputable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import Unbalanced
from clearing.settlement import journal
from clearing.settlement.journal import (
    Account,
    BankEffect,
    BankPosting,
    Kind,
    Netted,
    Posting,
    Transaction,
    balances,
    trial_balance,
)
from tests.counts import few

accounts = st.builds(Account, st.sampled_from(Kind), st.sampled_from("ABC"), st.sampled_from(["g", "h"]))


@settings(deadline=None, max_examples=few(60))
@given(st.lists(st.tuples(accounts, st.integers(-1000, 1000)), min_size=1, max_size=6))
def test_transaction__postings_that_do_not_sum_to_zero__cannot_be_held(legs: list[tuple[Account, int]]) -> None:
    postings = tuple(Posting(account, amount) for account, amount in legs)
    difference = sum(amount for _, amount in legs)
    if difference:
        with pytest.raises(Unbalanced, match=str(difference)):
            Transaction("x", "1", 0, 0, "CNY", postings)
    else:
        assert Transaction("x", "1", 0, 0, "CNY", postings).postings == postings


def test_mirror__posted__restores_every_balance() -> None:
    first = journal.invoiced("i", "A", "g", "2026-03", 417, "CNY", 10)
    assert balances([first, first.mirror("r", 20)]) == {}
    assert balances([first, first.mirror("r", 20)], until=10) == balances([first])


def test_netted__positions__leave_every_party_with_the_same_claims_minus_debts() -> None:
    items = [Netted("Z", "A", "g", "p", 70), Netted("Z", "B", "g", "p", 30), Netted("A", "B", "h", "p", 50)]
    positions = {"Z": -100, "A": 20, "B": 80}
    after = balances([journal.netted("n", "p", items, positions, "CNY", 0)])
    for party in "ZAB":
        assert sum(amount for account, amount in after.items() if account.party == party) == 0
    assert after[Account(Kind.RCV, "Z", "net", "p")] == 100
    assert after[Account(Kind.PAY, "B", "net", "p")] == -80


@pytest.mark.parametrize(
    ("entry", "moved"),
    [
        (BankPosting(BankEffect.RECEIPT, 60, 60, "Z", "p"), {"RCV:Z:net:p": -60, "BNK:1::": 60}),
        (BankPosting(BankEffect.OVER, 70, 60, "Z", "p"), {"RCV:Z:net:p": -60, "BNK:1::": 70, "SUS:1::": -10}),
        (BankPosting(BankEffect.PAID, -60, 60, "A", "p"), {"TRN:A:net:p": 60, "BNK:1::": -60}),
        (BankPosting(BankEffect.RETURNED, 60, 60, "A", "p"), {"PAY:A:net:p": -60, "BNK:1::": 60}),
        (BankPosting(BankEffect.UNKNOWN, -5, 0, "", ""), {"SUS:1::": 5, "BNK:1::": -5}),
    ],
)
def test_banked__each_effect__moves_the_mirror_by_exactly_the_entry(entry: BankPosting, moved: dict[str, int]) -> None:
    found = balances([journal.banked("e", "1", entry, "CNY", 0)])
    assert {account.name: amount for account, amount in found.items()} == moved


def test_trial_balance__of_unbalanced_accounts__is_refused() -> None:
    with pytest.raises(Unbalanced):
        trial_balance({Account(Kind.RCV, "A"): 1})
