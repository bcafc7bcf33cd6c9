"""Weights that are no terms but facts of a period: what each party contributed, and its Shapley value.

Both are exact until they are quantised once to 10^9 by the rule of all rounding (largest remainder, ties by hash), and
are then given to `sharing.share` as a value with the digest of what they were computed from. They are derived when the
period is rated (contribution) or before it begins (Shapley), never at payment. Nothing is guessed: who contributed
nothing gets nothing, and where nobody contributed the division is held. Source: domain clearing §4; pricing I = V·Q·D.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import factorial, isqrt
from typing import Annotated

import msgspec

from clearing import money
from clearing.errors import BadTerms, Held, HoldReason
from clearing.terms import MILLION, WHOLE, Exact, Hex64, Millionths, Quantity, Short, Step, StepKind, Weight
from clearing.terms import exact as exact_of
from ledger import canonical
from ledger.reading import body_of

EXACT_PARTIES = 12
"""Up to so many contributors every coalition is valued; above, permutations are sampled."""
MAX_PERMUTATIONS = 100_000

Value = Callable[[frozenset[str]], Fraction]


@dataclass(frozen=True, slots=True)
class Contributed:
    """贡献: what the connectors of one party metered as its contribution in the period, in one unit for all."""

    party: Short
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class Coalition:
    """What the pooled data of some parties are: amount V(N), quality Q(Z), difference D(X), exact decimals."""

    parties: tuple[Short, ...]
    amount: Exact
    quality: Exact
    difference: Exact


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which permutations were drawn: `start` seeds the stream and is fixed before the values are known."""

    start: Hex64
    permutations: Annotated[int, msgspec.Meta(ge=2, le=MAX_PERMUTATIONS)]


@dataclass(frozen=True, slots=True)
class Derived:
    """The weights of one period for the step of kind `method`; they sum to 10^9, agreed proportions included.

    `inputs` is the SHA-256 of what they were computed from. After sampling `error` is the largest standard error of a
    party's value, in millionths of the value of all data together, rounded up.
    """

    method: StepKind
    weights: tuple[Weight, ...]
    inputs: Hex64
    sampling: Sampling | None = None
    error: Millionths | None = None


def contribution(step: Step, contributed: Sequence[Contributed], lineage: str) -> Derived:
    """w_k = m_k / Σm of the part of 10^9 that `step` leaves to contributors.

    Raises BadTerms for a party named twice or a negative quantity, Held NO_CONTRIBUTION when nobody contributed.
    """
    measures = {item.party: item.quantity for item in contributed}
    if len(measures) != len(contributed):
        raise BadTerms("contributed", "each party once", sorted(item.party for item in contributed))
    if any(quantity < 0 for quantity in measures.values()):
        raise BadTerms("contributed.quantity", "≥ 0", min(measures.values()))
    if not any(measures.values()):
        raise Held(HoldReason.NO_CONTRIBUTION, "contributed", "at least one contribution > 0", dict(measures))
    shares = {party: Fraction(quantity) for party, quantity in measures.items()}
    inputs = sorted(contributed, key=lambda item: item.party)
    return Derived(StepKind.CONTRIBUTION, _quantised(step, shares, lineage), _digest(inputs))


def shapley(step: Step, coalitions: Sequence[Coalition], lineage: str, sampling: Sampling | None = None) -> Derived:
    """φ_i over v(S) = V·Q·D of the pooled data, v(∅) = 0, of the part of 10^9 that `step` leaves to contributors.

    The contributors are the parties of the largest coalition. Up to 12 every coalition must be given; above, those
    that the sampled permutations meet (`coalitions_met`). Raises BadTerms for a missing or repeated coalition, Held
    NEGATIVE for φ_i < 0, NO_VALUE for v(all) = 0, IMPRECISE when the error exceeds what the step allows.
    """
    table = {frozenset(item.parties): value_of(item) for item in coalitions}
    if len(table) != len(coalitions) or any(len(set(item.parties)) != len(item.parties) for item in coalitions):
        raise BadTerms("coalitions", "each set of parties once", len(coalitions))
    most = max((len(members) for members in table), default=0)
    parties = tuple(sorted(next((members for members in table if len(members) == most), frozenset[str]())))
    if not parties or frozenset() in table:
        raise BadTerms("coalitions", "sets of at least one party; v(∅) is 0 by definition", len(coalitions))
    strangers = frozenset[str]().union(*table) - set(parties)
    if strangers:
        raise BadTerms("coalitions", "one coalition of all parties", sorted(strangers))

    def value(members: frozenset[str]) -> Fraction:
        if members and members not in table:
            raise BadTerms("coalitions", f"a value for {sorted(members)}", "none")
        return table[members] if members else Fraction(0)

    if not value(frozenset(parties)):
        raise Held(HoldReason.NO_VALUE, "coalitions", "a value > 0 of all data together", "0")
    error = None
    if len(parties) <= EXACT_PARTIES:
        _require_no_sampling(sampling, len(parties))
        values = shapley_exact(parties, value)
    else:
        values, error = _sampled_within(step, parties, value, sampling)
    for party, amount in values.items():
        if amount < 0:
            raise Held(HoldReason.NEGATIVE, f"shapley.{party}", "≥ 0", money.fraction_text(amount))
    weights = _quantised(step, values, lineage)
    inputs = [replace(item, parties=tuple(sorted(item.parties))) for item in coalitions]
    inputs.sort(key=lambda item: item.parties)
    return Derived(StepKind.SHAPLEY, weights, _digest(inputs), sampling, error)


def value_of(coalition: Coalition) -> Fraction:
    """信息价值 I(X) = V(N)·Q(Z)·D(X), exact."""
    return (
        exact_of(coalition.amount, "coalition.amount")
        * exact_of(coalition.quality, "coalition.quality")
        * exact_of(coalition.difference, "coalition.difference")
    )


def shapley_exact(parties: Sequence[str], value: Value) -> dict[str, Fraction]:
    """φ_i = Σ over S without i of |S|!(n−|S|−1)!/n! · [v(S ∪ {i}) − v(S)]; Σφ = v(all). 2^n values, so n ≤ 12.

    Raises BadTerms above 12 parties.
    """
    n = len(parties)
    if n > EXACT_PARTIES:
        raise BadTerms("parties", f"at most {EXACT_PARTIES}", n)
    sets = [frozenset(party for bit, party in enumerate(parties) if mask >> bit & 1) for mask in range(2**n)]
    values = [value(members) for members in sets]
    ways = [factorial(size) * factorial(n - size - 1) for size in range(n)]
    return {
        party: sum(
            (
                ways[len(sets[mask])] * (values[mask | 1 << bit] - values[mask])
                for mask in range(2**n)
                if not mask >> bit & 1
            ),
            Fraction(0),
        )
        / factorial(n)
        for bit, party in enumerate(parties)
    }


def shapley_sampled(parties: Sequence[str], value: Value, sampling: Sampling) -> tuple[dict[str, Fraction], int]:
    """The mean marginal value of each party over the permutations drawn, exact; Σ = v(all).

    The second part is the largest standard error √(s²/k) of a mean, in millionths of v(all), rounded up. Deterministic:
    the same start value draws the same permutations everywhere.
    """
    sums = dict.fromkeys(parties, Fraction(0))
    squares = dict.fromkeys(parties, Fraction(0))
    for order in permutations(parties, sampling):
        before, members = Fraction(0), frozenset[str]()
        for party in order:
            members |= {party}
            after = value(members)
            sums[party] += after - before
            squares[party] += (after - before) ** 2
            before = after
    k = sampling.permutations
    worst = max((squares[party] - sums[party] ** 2 / k) / (k * (k - 1)) for party in parties)
    whole = value(frozenset(parties))
    return {party: total / k for party, total in sums.items()}, _root_up(worst * (MILLION / whole) ** 2)


def coalitions_met(parties: Sequence[str], sampling: Sampling) -> frozenset[frozenset[str]]:
    """Every coalition whose value the sampled permutations ask for: known before anybody values anything."""
    return frozenset(
        frozenset(order[:size]) for order in permutations(parties, sampling) for size in range(1, len(order) + 1)
    )


def permutations(parties: Sequence[str], sampling: Sampling) -> Iterator[tuple[str, ...]]:
    """Uniform permutations of the parties sorted by id (Fisher–Yates), drawn from SHA-256(start ‖ counter)."""
    draw = _stream(bytes.fromhex(sampling.start))
    for _ in range(sampling.permutations):
        order = sorted(parties)
        for last in range(len(order) - 1, 0, -1):
            chosen = _below(draw, last + 1)
            order[last], order[chosen] = order[chosen], order[last]
        yield tuple(order)


def _stream(start: bytes) -> Iterator[int]:
    """64-bit numbers: the four quarters of SHA-256(start ‖ counter), counter 8 bytes, big-endian, from 0."""
    counter = 0
    while True:
        block = hashlib.sha256(start + counter.to_bytes(8, "big")).digest()
        for at in range(0, 32, 8):
            yield int.from_bytes(block[at : at + 8], "big")
        counter += 1


def _below(draw: Iterator[int], bound: int) -> int:
    """A uniform number below `bound`: what would favour small numbers is drawn again."""
    fair = 2**64 - 2**64 % bound
    return next(number for number in draw if number < fair) % bound


def _root_up(square: Fraction) -> int:
    """The least whole number whose square is no less."""
    whole = -(-square.numerator // square.denominator)
    return isqrt(whole - 1) + 1 if whole > 0 else 0


def _require_no_sampling(sampling: Sampling | None, parties: int) -> None:
    if sampling is not None:
        raise BadTerms("sampling", f"none for {parties} ≤ {EXACT_PARTIES} parties", sampling.permutations)


def _sampled_within(
    step: Step, parties: tuple[str, ...], value: Value, sampling: Sampling | None
) -> tuple[dict[str, Fraction], int]:
    if step.error is None or sampling is None:
        given = "none" if sampling is None else "no error in the plan"
        raise BadTerms("sampling", f"permutations and an agreed error above {EXACT_PARTIES} parties", given)
    values, error = shapley_sampled(parties, value, sampling)
    if error > step.error:
        raise Held(HoldReason.IMPRECISE, "sampling", f"a standard error ≤ {step.error} millionths", error)
    return values, error


def _quantised(step: Step, values: Mapping[str, Fraction], lineage: str) -> tuple[Weight, ...]:
    """The agreed weights of `step`, and the rest of 10^9 divided by `values`; in order of party."""
    agreed = {weight.party: weight.weight for weight in step.weights}
    rest, total = WHOLE - sum(agreed.values()), sum(values.values(), Fraction(0))
    parts = money.round_together(
        {party: rest * value / total for party, value in values.items()},
        {party: money.tie_key(lineage, party) for party in values},
    )
    weights = {party: agreed.get(party, 0) + parts.get(party, 0) for party in {**agreed, **parts}}
    return tuple(Weight(party, weights[party]) for party in sorted(weights))


def _digest(inputs: Sequence[Contributed] | Sequence[Coalition]) -> str:
    return hashlib.sha256(canonical.encode(body_of(list(inputs)))).hexdigest()


def check_derived(step: Step, derived: Derived, known: Mapping[str, object]) -> None:
    """Refuse weights that do not belong to the step: another method, another sum, less than what was agreed, sampled
    more coarsely than the step allows.

    Raises BadTerms naming the field. `known` are the holders of the plan.
    """
    if derived.method is not step.kind:
        raise BadTerms("weights.method", str(step.kind), str(derived.method))
    weights = {weight.party: weight.weight for weight in derived.weights}
    if len(weights) != len(derived.weights) or not weights.keys() <= known.keys():
        raise BadTerms("weights.party", "parties of plan.holders, each once", sorted(weights))
    if sum(weights.values()) != WHOLE or min(weights.values()) < 0:
        raise BadTerms("weights", f"a sum of {WHOLE}", sum(weights.values()))
    for agreed in step.weights:
        if weights.get(agreed.party, 0) < agreed.weight:
            raise BadTerms("weights.weight", f"≥ the agreed {agreed.weight} of {agreed.party}", derived.weights)
    if derived.sampling is None and derived.error is None:
        return
    if step.error is None or derived.error is None or derived.error > step.error:
        raise BadTerms("weights.error", f"≤ {step.error} millionths, none where the plan has none", derived.error)
