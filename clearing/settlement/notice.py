"""净额通知, part B: a party's net position with the proof that all of its obligations and only those are in.

It names part A and lists what of part A was left out, with the reason. It is checked, not voted on.

Of what limits keep out it says which limit: the debtor's cap or that of the pair, the pair's where either would do. A
creditor's cap keeps nothing out that is owed to it. Both sides of the obligation are told, so each knows whether its
own cap or its counterparty's stands against it; nobody else is, and neither is told an amount or what room a limit has
left: a cap is told to nobody but the operator. Source: domain clearing §1 row 8, §8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from clearing.errors import ProofRefused
from clearing.settlement import netting
from clearing.settlement import statement as statements
from clearing.settlement.journal import Account, Kind
from clearing.settlement.netting import Position, Proof, Sum
from clearing.settlement.netting.gridlock import Reason as Limit
from clearing.settlement.statement import Item, Obligation


class Reason(StrEnum):
    """Why something stated is not netted this time."""

    UNCONFIRMED = "unconfirmed"  # both sides have not confirmed their statement
    DISPUTED = "disputed"  # frozen until somebody decides
    CORRECTED = "corrected"  # credited since the statement was issued
    DEFAULTED = "defaulted"  # a party did not bring its money: its obligations left the run
    LIMITED = "limited"  # beyond the net debit cap of a party or the limit of the pair


@dataclass(frozen=True, slots=True)
class Held:
    """What of an obligation is not netted this time and why: all of it, or the `items` given. `limit` says which one
    where it is LIMITED; notices made before this was told have none."""

    debtor: str
    creditor: str
    amount: int
    reason: Reason
    items: tuple[Item, ...] | None = None
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class PartB:
    """The body of a notice fact. `statement` and `netting` are fact ids; `root` is the whole run's sum root, absent
    when nothing is left in it; `funded` is what the party had paid in under the run that was replaced."""

    cycle: str
    operator: str
    period: str
    party: str
    currency: str
    statement: str
    netting: str
    gross: int
    position: Position
    proof: Proof
    held: tuple[Held, ...]
    root: Sum | None = None
    funded: int | None = None


def sort_out(
    stated: Sequence[Obligation], confirmed: Collection[str], balance: Mapping[Account, int], buyers: Mapping[str, str]
) -> tuple[tuple[Obligation, ...], tuple[Held, ...]]:
    """What of the stated obligations is netted, and what waits with its reason. `confirmed` are the parties that
    confirmed their statement, `balance` the journal's as it stands now."""
    ready: list[Obligation] = []
    held: list[Held] = []
    for item in stated:
        if not {item.debtor, item.creditor} <= set(confirmed):
            held.append(Held(item.debtor, item.creditor, item.amount, Reason.UNCONFIRMED))
            continue
        items = statements.still_open(item, balance, buyers)
        amount = sum(part.amount for part in items)
        if amount > 0:
            ready.append(Obligation(item.debtor, item.creditor, amount, items))
        else:
            items, amount = (), 0
        if items != item.items:
            held.append(_held(item, items, balance))
    return tuple(ready), tuple(held)


def left(removed: Sequence[Obligation]) -> tuple[Held, ...]:
    """The obligations that left a run with a party that did not fund it."""
    return tuple(Held(item.debtor, item.creditor, item.amount, Reason.DEFAULTED, item.items) for item in removed)


def limited(waiting: Sequence[tuple[Obligation, Limit]]) -> tuple[Held, ...]:
    """The obligations that limits kept out of a run, each with the limit."""
    return tuple(
        Held(item.debtor, item.creditor, item.amount, Reason.LIMITED, item.items, limit) for item, limit in waiting
    )


def merged(held: Sequence[Held]) -> tuple[Held, ...]:
    """Each pair and reason once: what of an obligation was kept out of a run and left a later one for the same reason
    waits together."""
    found: dict[tuple[str, str, Reason], Held] = {}
    for item in held:
        key = item.debtor, item.creditor, item.reason
        before = found.get(key)
        if before is None or before.items is None or item.items is None:
            found[key] = before if before and before.items is None else item
            continue
        amounts: dict[tuple[str, str], int] = {}
        for part in (*before.items, *item.items):
            amounts[part.agreement, part.period] = amounts.get((part.agreement, part.period), 0) + part.amount
        items = tuple(Item(*name, amount) for name, amount in amounts.items())
        found[key] = replace(before, amount=before.amount + item.amount, items=items)
    return tuple(found.values())


def _held(stated: Obligation, ready: Sequence[Item], balance: Mapping[Account, int]) -> Held:
    netted = {(item.agreement, item.period): item.amount for item in ready}
    rest = [(item, item.amount - netted.get((item.agreement, item.period), 0)) for item in stated.items]
    items = tuple(replace(item, amount=amount) for item, amount in rest if amount)
    frozen = any(
        balance.get(Account(Kind.HOLD, party, item.agreement, item.period))
        for item in items
        for party in (stated.debtor, stated.creditor)
    )
    reason = Reason.DISPUTED if frozen else Reason.CORRECTED
    return Held(stated.debtor, stated.creditor, sum(item.amount for item in items), reason, items)


def check(notice: PartB, obligations: Sequence[Obligation]) -> None:
    """What the participant does: its own part A obligations minus the held ones must rebuild the proof.

    Raises ProofRefused with the step of `netting.check_proof`.
    """
    own = without(obligations, notice.held)
    if notice.root is None:
        if own or notice.position.net:
            raise ProofRefused(1, "nothing left in the run", len(own))
        return
    netting.check_proof(own, notice.proof, notice.root, notice.gross, notice.position.net)


def without(obligations: Sequence[Obligation], held: Sequence[Held]) -> list[Obligation]:
    """The obligations less what is held of them."""
    whole = {(item.debtor, item.creditor) for item in held if item.items is None}
    parts: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
    for entry in held:
        for part in entry.items or ():  # one item may be held on two grounds, part corrected, the rest defaulted
            parts[entry.debtor, entry.creditor, part.agreement, part.period] += part.amount
    found = []
    for item in obligations:
        pair = (item.debtor, item.creditor)
        if pair in whole:
            continue
        left = [(part, part.amount - parts[(*pair, part.agreement, part.period)]) for part in item.items]
        items = tuple(replace(part, amount=amount) for part, amount in left if amount)
        if items:
            found.append(Obligation(*pair, sum(part.amount for part in items), items))
    return found
