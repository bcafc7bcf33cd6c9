"""Made-up terms for the tests of clearing; names are 演示."""

from __future__ import annotations

from clearing.terms import (
    WHOLE,
    Holder,
    PeriodRules,
    SharingPlan,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Terms,
    Tier,
    Weight,
)


def ratio(**weights: int) -> Step:
    """A ratio step; weights are scaled to 10^9, the last party takes the difference."""
    total = sum(weights.values())
    parts = {party: WHOLE * weight // total for party, weight in weights.items()}
    last = list(parts)[-1]
    parts[last] += WHOLE - sum(parts.values())
    return Step(StepKind.RATIO, weights=tuple(Weight(party, weight) for party, weight in parts.items()))


def plan(*steps: Step, parties: str = "ABC", version: int = 1) -> SharingPlan:
    """A plan over single-letter parties; the residual taker is the last."""
    holders = tuple(Holder(party, "holder") for party in parties)
    return SharingPlan(version, 0, holders, steps or (ratio(**dict.fromkeys(parties, 1)),), parties[-1])


def per_call(numerator: int = 35, divisor: int = 10, **more: int) -> Tariff:
    """So many fen per so many calls."""
    return Tariff(TariffKind.PER_UNIT, "call", tiers=(Tier(0, numerator, divisor),), **more)  # type: ignore[arg-type]


def terms(
    buyer: str = "Z", tariff: Tariff | None = None, sharing: SharingPlan | None = None, issuer: str = "A", bp: int = 600
) -> Terms:
    """Terms of one agreement, tax included in the price."""
    return Terms(buyer, issuer, tariff or per_call(), Tax(TaxBasis.INCLUSIVE, bp), sharing or plan(), PeriodRules())
