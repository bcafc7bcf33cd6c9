"""The journal in other programs' words: beancount's own checker agrees with every balance, CSV with every posting.

beancount is GPL: it is run here as a program of its own, and nothing of ours imports it.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api import cli, cli_journal
from clearing.errors import BadTerms, Unbalanced
from clearing.settlement import journal, store
from clearing.settlement.journal import Account, Kind, Posting, Transaction, balances
from clearing.settlement.journal_export import (
    BALANCE_COLUMNS,
    ROOTS,
    Numbered,
    account_name,
    account_of,
    journal_beancount,
    journal_csv,
    posted_until,
    trial_balance_csv,
)
from tests.clearing.settlement.market import MARCH, Market, database, whole_cycle
from tests.counts import few
from tests.databases import Place


@pytest.fixture(scope="module")
def played(place: Place) -> Iterator[tuple[Session, list[Numbered]]]:
    """The journal of a whole cycle, usage to bank; nobody writes to it."""
    with database(place) as session:
        market = Market()
        market.call(MARCH, g1=7, g2=5, g3=11)
        whole_cycle(session, market, MARCH)
        yield session, store.transactions(session)


def bean_check(text: str, folder: Path) -> tuple[int, str]:
    """Exit code and words of beancount's checker. Skips where it is not installed."""
    if importlib.util.find_spec("beancount") is None:
        pytest.skip("beancount is not installed: set-up brings it with the dev extra")
    file = folder / "journal.beancount"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "beancount.scripts.check", "--no-cache", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_beancount__whole_cycle__its_checker_agrees(played: tuple[Session, list[Numbered]], tmp_path: Path) -> None:
    text = journal_beancount(played[1])
    assert bean_check(text, tmp_path) == (0, "")
    assert text.count("\n  number: ") == len(played[1]) > 10


def test_beancount__one_fen_elsewhere__its_checker_objects(
    played: tuple[Session, list[Numbered]], tmp_path: Path
) -> None:
    """A fen moved between two accounts balances within its transaction, and is found by the balances at the end."""
    number, first = played[1][0]
    one, two, *rest = first.postings
    moved = (Posting(one.account, one.amount + 1), Posting(two.account, two.amount - 1), *rest)
    forged = Transaction(first.event, first.event_id, first.at, first.value_date, first.currency, moved)
    honest, false = (
        journal_beancount(items).partition(" balance ") for items in (played[1], [(number, forged), *played[1][1:]])
    )
    code, words = bean_check(false[0] + "".join(honest[1:]), tmp_path)
    assert code == 1
    assert words.count("Balance failed") == 2


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
numbered = st.lists(
    st.builds(
        lambda event, one, two, amount, at: Transaction(
            event, event, at, at, "CNY", (Posting(one, amount), Posting(two, -amount))
        ),
        words,
        *[st.builds(Account, st.sampled_from(Kind), words, words, words)] * 2,
        st.integers(-(10**12), 10**12),
        st.integers(0, 4 * 10**9),
    ),
    max_size=4,
).map(lambda items: list(enumerate(items)))


@settings(deadline=None, max_examples=few(5))
@given(numbered)
def test_beancount__any_names_and_texts__its_checker_agrees(
    tmp_path_factory: pytest.TempPathFactory, items: list[Numbered]
) -> None:
    assert bean_check(journal_beancount(items), tmp_path_factory.mktemp("bean")) == (0, "")


@settings(deadline=None, max_examples=few(200))
@given(st.builds(Account, st.sampled_from(Kind), words, words, words))
def test_account_name__any_account__comes_back(account: Account) -> None:
    name = account_name(account)
    assert account_of(name) == account
    root, *parts = name.split(":")
    assert root in {"Assets", "Liabilities", "Income", "Expenses"}
    assert all(part[0].isupper() and part.replace("-", "").isalnum() and part.isascii() for part in parts)


@pytest.mark.parametrize(
    "name", ["", "Assets", "Assets:PAY:X1", "Assets:NIL:X1", "Assets:RCV:1", "Assets:RCV:X-0", "Assets:RCV:X:X:X:X"]
)
def test_account_of__other_texts__are_refused(name: str) -> None:
    with pytest.raises(BadTerms, match="account"):
        account_of(name)


def test_roots__every_kind_of_the_chart__has_one() -> None:
    assert {str(kind) for kind in Kind} <= set(ROOTS)


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def fen(row: dict[str, str], debit: str, credit: str) -> int:
    return int((Decimal(row[debit] or "0") - Decimal(row[credit] or "0")) * 100)


def test_csv__at_every_second__gives_the_balances_of_that_second(played: tuple[Session, list[Numbered]]) -> None:
    """Added up from the file alone: what the database holds at each moment a transaction was posted."""
    session, items = played
    for moment in [*sorted({item.at for _, item in items}), None]:
        found: Counter[tuple[str, ...]] = Counter()
        for row in read(journal_csv(posted_until(items, moment))):
            found[row["科目"], row["当事方"], row["合约"], row["账期"]] += fen(row, "借方(元)", "贷方(元)")
        held = store.balance(session, until=moment)
        assert {key: total for key, total in found.items() if total} == {
            (str(account.kind), account.party, account.agreement, account.period): total
            for account, total in held.items()
        }
        table = read(trial_balance_csv(held))
        assert table[-1][BALANCE_COLUMNS[4]] == table[-1][BALANCE_COLUMNS[5]]
        assert sum(fen(row, *BALANCE_COLUMNS[4:]) for row in table if row["当事方"]) == 0


def test_trial_balance__kinds__have_their_sums_also_when_it_is_zero() -> None:
    held = {
        Account(Kind.RCV, "A"): 5,
        Account(Kind.RCV, "B"): -5,
        Account(Kind.PAY, "A"): -7,
        Account(Kind.BNK, "1"): 7,
    }
    rows = {row["科目"]: fen(row, *BALANCE_COLUMNS[4:]) for row in read(trial_balance_csv(held)) if not row["当事方"]}
    assert rows == {"RCV 小计": 0, "PAY 小计": -7, "BNK 小计": 7, "合计": 0}
    with pytest.raises(Unbalanced):
        trial_balance_csv({Account(Kind.RCV, "A"): 1})


def test_csv__texts_a_spreadsheet_would_run__are_neutral() -> None:
    item = journal.bank_opening("=1+1", "@SUM(A1)", 1, "CNY", 0)
    cells = [cell for row in read(journal_csv([(0, item)])) for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert "'=1+1" in cells


def test_command__exports__what_was_posted_by_then(
    played: tuple[Session, list[Numbered]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, items = played

    @contextmanager
    def snapshot(system: object) -> Iterator[Session]:
        yield session

    monkeypatch.setattr(cli_journal, "stored", lambda home: SimpleNamespace())
    monkeypatch.setattr(cli_journal.jobs, "snapshot", snapshot)

    def run(*arguments: object) -> bytes:
        out = tmp_path / "out"
        done = CliRunner().invoke(cli.app, ["journal", *map(str, arguments[:1]), str(out), *map(str, arguments[1:])])
        assert done.exit_code == 0, done.output
        return out.read_bytes()

    cut = items[3][1].at
    some = posted_until(items, cut)
    assert 0 < len(some) < len(items)
    assert run("export") == journal_beancount(items).encode()
    assert run("export", "--format", "csv", "--until", cut) == journal_csv(some)
    assert run("balance", "--until", cut) == trial_balance_csv(balances((item for _, item in items), cut))
    assert run("balance", "--until", "2026-01-01") == trial_balance_csv({})
    refused = CliRunner().invoke(cli.app, ["journal", "export", str(tmp_path / "no"), "--until", "2026-02-30"])
    assert (refused.exit_code, (tmp_path / "no").exists()) == (2, False)
    assert "until" in refused.output
