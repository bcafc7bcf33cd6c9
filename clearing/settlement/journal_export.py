"""The journal for programs of others: plain-text accounting (beancount) and CSV, as it stood at any second.

Beancount is a format here, not a dependency; its checker agrees in the tests, run as a program of its own. Names of
accounts are reversible: each part of ours is one of theirs, "X" and the text with every other byte than a letter or
digit as "-" and two hex digits. Source: domain clearing §7, §12 invariant 1; beancount language syntax.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone

from clearing import money
from clearing.errors import BadTerms, Unbalanced
from clearing.settlement.journal import Account, Kind, Transaction, trial_balance
from registry.sheet import no_formula

Numbered = tuple[int, Transaction]
"""(number in the journal, transaction)."""

ROOTS = {
    "RCV": "Assets", "RCVD": "Assets", "ADVP": "Assets", "PEN": "Assets", "BNK": "Assets",
    "PAY": "Liabilities", "HOLD": "Liabilities", "NTX": "Liabilities", "PASS": "Liabilities", "ADV": "Liabilities",
    "REF": "Liabilities", "TRN": "Liabilities", "SUS": "Liabilities", "TAX": "Liabilities",
    "REV": "Income", "WOF": "Expenses",
}  # fmt: skip
"""Beancount's five kinds for those of the chart of accounts (§7)."""
SHANGHAI = timezone(timedelta(hours=8))
JOURNAL_COLUMNS = ("序号", "行", "事项", "凭据", "记账时间", "起息时间", "科目", "当事方", "合约", "账期", "币种",
                   "借方(元)", "贷方(元)")  # fmt: skip
BALANCE_COLUMNS = ("科目", "当事方", "合约", "账期", "借方余额(元)", "贷方余额(元)")


def posted_until(numbered: Iterable[Numbered], until: int | None) -> list[Numbered]:
    """The transactions posted up to `until` (seconds UTC, inclusive), all without one, in the order of the journal."""
    return sorted(
        (pair for pair in numbered if until is None or pair[1].at <= until),
        key=lambda pair: pair[0],
    )


def account_name(account: Account) -> str:
    """The account in beancount's words: Liabilities:PAY:X⟨party⟩:X⟨agreement⟩:X⟨period⟩, empty ends left out."""
    parts = [account.party, account.agreement, account.period]
    while parts and not parts[-1]:
        parts.pop()
    return ":".join((ROOTS[account.kind], str(account.kind), *(_escaped(part) for part in parts)))


def account_of(name: str) -> Account:
    """The account behind a name that `account_name` made. Raises BadTerms for another text."""
    root, _, rest = name.partition(":")
    kind, *parts = rest.split(":")
    if len(parts) > 3 or kind not in list(Kind) or ROOTS[kind] != root:
        raise BadTerms("account", "Root:KIND:X⟨party⟩:X⟨agreement⟩:X⟨period⟩", name)
    party, agreement, period = [*map(_plain, parts), "", "", ""][:3]
    return Account(Kind(kind), party, agreement, period)


def _escaped(part: str) -> str:
    return "X" + "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"-{byte:02X}" for byte in part.encode()
    )


def _plain(part: str) -> str:
    if not re.fullmatch(r"X(?:[A-Za-z0-9]|-[0-9A-F]{2})*", part):
        raise BadTerms("account", "X and letters, digits and -⟨two hex digits⟩", part)
    pieces = re.findall(r"-[0-9A-F]{2}|[A-Za-z0-9]", part[1:])
    return b"".join(bytes([int(item[1:], 16)]) if item[0] == "-" else item.encode() for item in pieces).decode()


def journal_beancount(numbered: Sequence[Numbered], *, title: str = "数清账簿 ShuQing journal") -> str:
    """The journal as a beancount file: one transaction each with its number, fact and seconds as metadata.

    It ends with what every account must then hold to the fen, so whoever loads the file checks our balances too. Days
    are China's. Raises Unbalanced should the balances not sum to 0.
    """
    ordered = posted_until(numbered, None)
    currencies = sorted({item.currency for _, item in ordered})
    lines = [f'option "title" {_quoted(title)}']
    lines += [f'option "operating_currency" {_quoted(currency)}' for currency in currencies]
    opened: dict[Account, str] = {}
    for _, item in ordered:
        for posting in item.postings:
            day = _day(item.at)
            opened[posting.account] = min(opened.get(posting.account, day), day)
    lines += ["", *(f"{day} open {account_name(account)}" for account, day in sorted(opened.items()))]
    for number, item in sorted(ordered, key=lambda pair: (_day(pair[1].at), pair[0])):
        lines += ["", f"{_day(item.at)} * {_quoted(item.event)} {_quoted(item.event_id)}"]
        lines += [f"  number: {number}", f"  at: {item.at}", f"  value-date: {item.value_date}"]
        lines += [f"  {account_name(leg.account)}  {money.yuan(leg.amount)} {item.currency}" for leg in item.postings]
    if ordered:
        after = _day(max(item.at for _, item in ordered) + 86_400)
        lines += ["", *(f"{after} balance {account_name(account)}  {money.yuan(total)} ~ 0.00 {currency}"
                        for (account, currency), total in sorted(_totals(ordered).items()))]  # fmt: skip
    return "\n".join(lines) + "\n"


def _totals(ordered: Iterable[Numbered]) -> dict[tuple[Account, str], int]:
    """Balance of every account that was ever moved, per currency, 0 too."""
    totals: dict[tuple[Account, str], int] = {}
    for _, item in ordered:
        for leg in item.postings:
            totals[leg.account, item.currency] = totals.get((leg.account, item.currency), 0) + leg.amount
    if sum(totals.values()):
        raise Unbalanced("journal", sum(totals.values()))
    return totals


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, SHANGHAI).date().isoformat()


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, SHANGHAI).isoformat()


def journal_csv(numbered: Sequence[Numbered]) -> bytes:
    """The journal line by line, UTF-8 with BOM, yuan with two decimals; no cell is a formula."""
    rows = (
        (str(number), str(line), item.event, item.event_id, _moment(item.at), _moment(item.value_date),
         *_account_cells(leg.account), item.currency, *_sides(leg.amount))
        for number, item in posted_until(numbered, None)
        for line, leg in enumerate(item.postings, start=1)
    )  # fmt: skip
    return _table(JOURNAL_COLUMNS, rows)


def trial_balance_csv(balance: Mapping[Account, int]) -> bytes:
    """试算平衡表: every account, each kind's sum, and at the end both sides, which are equal.

    `balance` is that of one currency. Raises Unbalanced unless it sums to 0.
    """
    kinds = trial_balance(balance)
    rows: list[tuple[str, ...]] = []
    for kind in Kind:
        mine = sorted(account for account in balance if account.kind is kind)
        rows += [(*_account_cells(account), *_sides(balance[account])) for account in mine]
        if mine:
            rows.append((f"{kind} 小计", "", "", "", *_sides(kinds.get(kind, 0))))
    debit = sum(amount for amount in balance.values() if amount > 0)
    rows.append(("合计", "", "", "", money.yuan(debit), money.yuan(debit)))
    return _table(BALANCE_COLUMNS, rows)


def _account_cells(account: Account) -> tuple[str, ...]:
    return str(account.kind), account.party, account.agreement, account.period


def _sides(amount: int) -> tuple[str, str]:
    """(debit, credit), one of them empty."""
    return (money.yuan(amount), "") if amount >= 0 else ("", money.yuan(-amount))


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([no_formula(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()
