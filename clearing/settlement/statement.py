"""清分账单, part A: what one party owes and is owed, from opening to closing, with the obligations it is to confirm.

Amounts are seen from the party: + is due to it, − it owes. Lines are the journal's postings on the party's own accounts
since its last statement; so opening + lines = closing and the closing of one statement is the opening of the next.
Each line and each obligation is a *part*: a canonical document with its own salt, so one line can be shown and proved
without the others. Source: domain clearing §1 row 8, §9; decisions D34.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearing import money
from clearing.errors import BadMoney
from clearing.settlement.journal import NET, Account, Kind, Netted, Transaction
from ledger import canonical
from ledger.reading import body_of, read


@dataclass(frozen=True, slots=True)
class Line:
    """One movement of a party's balance. `event` and `event_id` name the journal transaction and so the fact behind it.

    `amount` is seen from the party; `salt` is 64 hex and is given when the statement is made.
    """

    type: str
    no: int
    party: str
    event: str
    event_id: str
    account: str
    agreement: str
    period: str
    amount: int
    at: int
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """The part of an obligation that stems from one agreement and period; may be negative (a carry, a refund)."""

    agreement: str
    period: str
    amount: int


@dataclass(frozen=True, slots=True)
class Obligation:
    """应付义务: the positive net amount `debtor` owes `creditor` in a cycle, with what it is made of."""

    debtor: str
    creditor: str
    amount: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ObligationPart:
    """An obligation as it stands in both parties' statements. `salt` as for a line."""

    type: str
    no: int
    debtor: str
    creditor: str
    amount: int
    items: tuple[Item, ...]
    salt: str = ""


@dataclass(frozen=True, slots=True)
class PartA:
    """The body of a statement fact. `first` and `last` bound the journal transactions [first, last) it covers.

    `owed` and `owes` are the sums of the obligations to and of the party; `carried` is what of the closing balance is
    not among them (a negative remainder, tax awaiting its invoice). All fen.
    """

    cycle: str
    operator: str
    period: str
    party: str
    revision: int
    currency: str
    opening: int
    closing: int
    owed: int
    owes: int
    carried: int
    first: int
    last: int
    lines: int
    obligations: int


def lines_of(party: str, numbered: Iterable[tuple[int, Transaction]]) -> tuple[Line, ...]:
    """The party's lines in journal order; unsalted. `numbered` are (journal number, transaction) pairs."""
    lines: list[Line] = []
    for _, transaction in sorted(numbered, key=lambda pair: pair[0]):
        for posting in transaction.postings:
            account = posting.account
            if account.party == party and account.stated:
                lines.append(
                    Line(
                        type="line",
                        no=len(lines),
                        party=party,
                        event=transaction.event,
                        event_id=transaction.event_id,
                        account=account.name,
                        agreement=account.agreement,
                        period=account.period,
                        amount=-posting.amount,
                        at=transaction.at,
                    )
                )
    return tuple(lines)


def moving(numbered: Iterable[tuple[int, Transaction]]) -> dict[str, list[tuple[int, Transaction]]]:
    """The transactions that move each party's own accounts, in one pass over all of them: what its lines come from."""
    found: dict[str, list[tuple[int, Transaction]]] = {}
    for number, transaction in numbered:
        for party in {item.account.party for item in transaction.postings if item.account.stated}:
            found.setdefault(party, []).append((number, transaction))
    return found


def owing(obligations: Iterable[Obligation]) -> dict[str, list[Obligation]]:
    """The obligations each party is part of, in their order."""
    found: dict[str, list[Obligation]] = {}
    for item in obligations:
        for party in {item.debtor, item.creditor}:
            found.setdefault(party, []).append(item)
    return found


def obligations_of(balance: Mapping[Account, int], buyers: Mapping[str, str]) -> tuple[Obligation, ...]:
    """What is owed between whom, from the balances that were not netted yet. `buyers` names each agreement's buyer.

    One obligation per (debtor, creditor) with a positive sum. What two parties owe each other under agreements in which
    they stand the other way round are two obligations; only netting sets them off. A negative sum is owed back by the
    payee, a refund, unless it is no more than what rounding leaves (−1 fen an item): that stays open and is carried
    (D34).
    """
    items: dict[tuple[str, str], list[Item]] = {}
    for account, amount in sorted(balance.items()):
        if account.kind is Kind.PAY and account.agreement != NET and not account.apart and amount:
            pair = (buyers[account.agreement], account.party)
            items.setdefault(pair, []).append(Item(account.agreement, account.period, -amount))
    found: dict[tuple[str, str], Obligation] = {}
    for (buyer, payee), parts in sorted(items.items()):
        total = sum(item.amount for item in parts)
        if total > 0:
            _owe(found, buyer, payee, parts)
        elif total < -len(parts):
            _owe(found, payee, buyer, [Item(item.agreement, item.period, -item.amount) for item in parts])
    return tuple(found[pair] for pair in sorted(found))


def _owe(found: dict[tuple[str, str], Obligation], debtor: str, creditor: str, items: Sequence[Item]) -> None:
    """Adds items to what a pair owes: a refund and a charge the same way round are one obligation."""
    before = found.get((debtor, creditor))
    whole = tuple(sorted((*(before.items if before else ()), *items), key=lambda item: (item.agreement, item.period)))
    found[debtor, creditor] = Obligation(debtor, creditor, sum(item.amount for item in whole), whole)


def still_open(stated: Obligation, balance: Mapping[Account, int], buyers: Mapping[str, str]) -> tuple[Item, ...]:
    """What of a stated obligation the balances still hold: an item disputed or credited since is smaller, or gone.

    Never more than was stated, for that is what both sides confirmed.
    """
    found = []
    for item in stated.items:
        forward = buyers.get(item.agreement, stated.debtor) == stated.debtor
        payee = stated.creditor if forward else stated.debtor
        claim = -balance.get(Account(Kind.PAY, payee, item.agreement, item.period), 0)
        now = claim if forward else -claim
        low, high = sorted((0, item.amount))
        if amount := min(max(now, low), high):
            found.append(replace(item, amount=amount))
    return tuple(found)


def part_a(
    *,
    cycle: str,
    operator: str,
    period: str,
    party: str,
    currency: str,
    opening: int,
    window: tuple[int, int],
    lines: Sequence[Line],
    obligations: Sequence[Obligation],
    revision: int = 0,
) -> tuple[PartA, tuple[Line | ObligationPart, ...]]:
    """The statement of one party and its parts, still unsalted: lines first, then the obligations it is part of.

    Raises BadMoney when the closing balance leaves the bounds.
    """
    own = [item for item in obligations if party in (item.debtor, item.creditor)]
    closing = money.fen(opening + sum(line.amount for line in lines), "closing")
    owed = sum(item.amount for item in own if item.creditor == party)
    owes = sum(item.amount for item in own if item.debtor == party)
    body = PartA(
        cycle=cycle,
        operator=operator,
        period=period,
        party=party,
        revision=revision,
        currency=currency,
        opening=opening,
        closing=closing,
        owed=owed,
        owes=owes,
        carried=closing - owed + owes,
        first=window[0],
        last=window[1],
        lines=len(lines),
        obligations=len(own),
    )
    parts: list[Line | ObligationPart] = list(lines)
    for number, item in enumerate(own, start=len(lines)):
        parts.append(ObligationPart("obligation", number, item.debtor, item.creditor, item.amount, item.items))
    return body, tuple(parts)


def netted_items(parts: Sequence[Line | ObligationPart], buyers: Mapping[str, str]) -> list[Netted]:
    """What a netting run discharges, by agreement and period: of a refund, the buyer's negative debt."""
    found = []
    for part in parts:
        if isinstance(part, Line):
            continue
        for item in part.items:
            if buyers.get(item.agreement, part.debtor) == part.debtor:
                found.append(Netted(part.debtor, part.creditor, item.agreement, item.period, item.amount))
            else:
                found.append(Netted(part.creditor, part.debtor, item.agreement, item.period, -item.amount))
    return found


def salted(parts: Sequence[Line | ObligationPart], salt_of: Callable[[int], str]) -> tuple[bytes, ...]:
    """The parts as canonical bytes, each with the salt given for its number."""
    return tuple(canonical.encode(body_of(replace(part, salt=salt_of(part.no)))) for part in parts)


def read_part(data: bytes) -> Line | ObligationPart:
    """A part from its bytes. Raises the ledger's FieldError or Malformed for anything else."""
    document: Any = canonical.decode(data)
    if isinstance(document, dict) and document.get("type") == "obligation":
        return read(ObligationPart, document, "part")
    return read(Line, document, "part")


def check(body: PartA, parts: Sequence[Line | ObligationPart]) -> None:
    """Does the statement add up: opening + lines = closing, obligations = owed and owes? Raises BadMoney."""
    lines = [part for part in parts if isinstance(part, Line)]
    due = [part for part in parts if isinstance(part, ObligationPart)]
    closing = body.opening + sum(line.amount for line in lines)
    sums = (
        ("closing", closing, body.closing),
        ("lines", len(lines), body.lines),
        ("owed", sum(part.amount for part in due if part.creditor == body.party), body.owed),
        ("owes", sum(part.amount for part in due if part.debtor == body.party), body.owes),
        ("obligations", len(due), body.obligations),
        ("carried", body.closing - body.owed + body.owes, body.carried),
    )
    for field, expected, given in sums:
        if expected != given:
            raise BadMoney(f"statement.{field}", str(expected), given)
