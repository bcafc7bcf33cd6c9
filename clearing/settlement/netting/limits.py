"""净借记限额、双边限额: what two persons of the operator set for its cycles, and what of them a run takes in.

A cap is the most a party may owe on balance in one run, a pair's limit the most that may go from debtor to creditor in
it, gross and one way. Who is not named is not limited. Funding comes after netting, so nothing but the cap covers what
a party owes. An obligation goes in whole or waits; what waits stays owed and is stated again. `gridlock` chooses; of
equal choices the one that has the first obligation, by debtor and creditor, at which they differ. The same obligations
and limits give the same choice, so the audit makes it again. Source: domain clearing §8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from clearing.errors import BadTerms
from clearing.settlement.netting import gridlock
from clearing.settlement.netting.gridlock import Outcome, Proved, Queued, Reason
from clearing.settlement.statement import Obligation
from clearing.terms import Fen, Short

NETTING_LIMITS = "netting-limits/v1"
STEPS = 1_000
"""Flows the search may solve for a cycle: nothing else is written meanwhile. Another number may be another choice, so
the audit of runs that stand in a log rests on it."""


@dataclass(frozen=True, slots=True)
class Cap:
    """净借记限额: the most `party` may owe on balance in one run, fen ≥ 0."""

    party: Short
    fen: Fen


@dataclass(frozen=True, slots=True)
class PairLimit:
    """双边限额: the most that may go from `debtor` to `creditor` in one run, fen ≥ 0."""

    debtor: Short
    creditor: Short
    fen: Fen


@dataclass(frozen=True, slots=True)
class NettingLimits:
    """Body of netting-limits/v1, signed by maker and checker of the operator: all that stands from now on, each party
    and each pair once, in order. Nothing named lifts every limit."""

    operator: Short
    caps: tuple[Cap, ...]
    pairs: tuple[PairLimit, ...]


@dataclass(frozen=True, slots=True)
class Stood:
    """Limits, the id of the fact that set them, and the second UTC in which it was taken in."""

    fact: str
    at: int
    body: NettingLimits


@dataclass(frozen=True, slots=True)
class Price:
    """How many fen more would go through if `party` might owe one more."""

    party: str
    price: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What a run says of the limits it was made under: the fact that set them, fen let through, and the bound that no
    choice exceeds, with the prices that prove it."""

    limits: str
    value: int
    bound: int
    prices: tuple[Price, ...]
    proved: Proved


def subject_of(operator: str) -> str:
    """The limits of one operator form one chain."""
    return f"limits:{operator}"


def check(body: NettingLimits) -> None:
    """Each party and each pair once, in order, and nobody owes itself. Raises BadTerms."""
    for number, pair in enumerate(body.pairs):
        if pair.debtor == pair.creditor:
            raise BadTerms(f"body.pairs[{number}].creditor", "付款方以外的一方 / not the debtor itself", pair.creditor)
    _once("body.caps", [(cap.party,) for cap in body.caps])
    _once("body.pairs", [(pair.debtor, pair.creditor) for pair in body.pairs])


def named(body: NettingLimits) -> Iterator[tuple[str, str]]:
    """Every party the limits name, with the field it stands in."""
    for number, cap in enumerate(body.caps):
        yield f"body.caps[{number}].party", cap.party
    for number, pair in enumerate(body.pairs):
        yield f"body.pairs[{number}].debtor", pair.debtor
        yield f"body.pairs[{number}].creditor", pair.creditor


def _once(field: str, keys: Sequence[tuple[str, ...]]) -> None:
    for number, (before, key) in enumerate(pairwise(keys), 1):
        if before >= key:
            name = " → ".join(key)
            raise BadTerms(f"{field}[{number}]", "各一次，按代码排列 / each once, in order", name)


def limited(
    obligations: Sequence[Obligation], limits: NettingLimits
) -> tuple[tuple[Obligation, ...], tuple[Obligation, ...], Outcome]:
    """What goes into the run, what waits, both by debtor and creditor, and the choice, which `check_choice` confirmed.

    One obligation a pair. Raises BadTerms and BadMoney as `gridlock.choose`.
    """
    ordered = sorted(obligations, key=lambda item: (item.debtor, item.creditor))
    names = [f"{number:08d}" for number in range(len(ordered))]  # in order of the pairs, whatever is in a party's code
    queue = [Queued(name, item.debtor, item.creditor, item.amount) for name, item in zip(names, ordered, strict=True)]
    rules = gridlock.Limits(
        {cap.party: cap.fen for cap in limits.caps}, {(pair.debtor, pair.creditor): pair.fen for pair in limits.pairs}
    )
    outcome = gridlock.choose(queue, rules, STEPS)
    gridlock.check_choice(queue, rules, outcome)
    passed = {entry.id for entry in outcome.passed}
    kept = tuple(item for name, item in zip(names, ordered, strict=True) if name in passed)
    return kept, tuple(item for name, item in zip(names, ordered, strict=True) if name not in passed), outcome


def beside(limits: NettingLimits, paid: Sequence[Obligation]) -> NettingLimits:
    """What is left to other obligations in a run that has these `paid` ones in it whatever the limits: who is paid may
    owe so much more. Who pays them left the run with all else it owed."""
    got = {cap.party: sum(item.amount for item in paid if item.creditor == cap.party) for cap in limits.caps}
    return replace(limits, caps=tuple(replace(cap, fen=cap.fen + got[cap.party]) for cap in limits.caps))


def applied(
    obligations: Sequence[Obligation], stood: Stood | None, paid: Sequence[Obligation] = ()
) -> tuple[tuple[Obligation, ...], tuple[tuple[Obligation, Reason], ...], Choice | None]:
    """As `limited`, with the limit each waits for and what the run says of the choice; everything goes in where no
    limits were ever set. `paid` are in the run beside them (`beside`)."""
    if stood is None:
        return tuple(obligations), (), None
    kept, waiting, found = limited(obligations, beside(stood.body, paid))
    prices = tuple(Price(party, price) for party, price in found.prices)
    held = tuple(zip(waiting, (entry.reason for entry in found.waiting), strict=True))
    return kept, held, Choice(stood.fact, found.value, found.bound, prices, found.proved)
