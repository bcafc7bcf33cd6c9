"""What both sides state of a period: its inputs and derived weights, and the charge that follows from them.

Buyer and invoice issuer sign one fact per agreement revision and period; the next act replaces the one before. A period
is rated by what stands in the second it is rated; a later act is a correction, which the next cycle posts. What the
terms ask for and nobody stated holds the charge, never the cycle.

Contribution weights come signed too, with the digest of what they were computed from (`weighing.contribution`): usage
records carry the direction 贡献, but metering does not count by direction yet, so nothing here could derive them.
Source: domain clearing §2.7, §3, §4; D33.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated

import msgspec

from clearing.errors import BadTerms, Held, HoldReason
from clearing.settlement import rating
from clearing.settlement.inputs import Inputs
from clearing.settlement.rating import NOTHING, Charge
from clearing.settlement.weighing import Derived, check_derived
from clearing.terms import AgreementTerms, Short, TariffKind
from clearing.usage.metering import MeterReading

PERIOD_INPUTS = "period-inputs/v1"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Month = Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])\Z")]
Revision = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class PeriodInputs:
    """Body of period-inputs/v1, signed by `buyer` and `invoice_issuer` of this agreement revision for one `period`.

    All of what is stated: a part left out is not stated any more.
    """

    agreement: Name
    revision: Revision
    period: Month
    buyer: Short
    invoice_issuer: Short
    inputs: Inputs = NOTHING
    weights: Derived | None = None


@dataclass(frozen=True, slots=True)
class Stated:
    """What stands for a period, and the id of the fact that says so."""

    fact: str
    body: PeriodInputs


@dataclass(frozen=True, slots=True)
class Due:
    """A charge to post, and the derived weights it is divided by, None where the plan agreed on all of them."""

    charge: Charge
    weights: Derived | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A charge that is held, or that the next cycle makes anew, and why."""

    agreement: str
    revision: int
    period: str
    reason: HoldReason
    field: str
    expected: str


def subject_of(agreement: str, revision: int, period: str) -> str:
    """What is stated of one agreement revision and period forms one chain."""
    return f"inputs:{hashlib.sha256(f'{agreement}/{revision}/{period}'.encode()).hexdigest()}"


def asked(item: AgreementTerms) -> tuple[str, ...]:
    """The fields that the terms ask for in every period; none where the use is free."""
    tariff, plan = item.terms.tariff, item.terms.plan
    if item.free:
        return ()
    asks = {
        "inputs.active": bool(tariff.part_period),
        "inputs.declared": tariff.kind is TariffKind.REVENUE_SHARE,
        "inputs.events": tariff.kind is TariffKind.SUCCESS_FEE,
        "inputs.scored": tariff.quality is not None,
        "inputs.measured": tariff.credits is not None,
        "weights": plan.derived is not None,
    }
    return tuple(field for field, wanted in asks.items() if wanted)


def missing(item: AgreementTerms, stated: PeriodInputs | None) -> tuple[str, ...]:
    """The fields asked for and not stated."""
    return tuple(field for field in asked(item) if stated is None or field not in _given(stated))


def check(body: PeriodInputs, item: AgreementTerms) -> None:
    """Refuse what could not be rated or divided later, and what the terms do not ask for. Raises BadTerms, BadMoney.

    That something is missing, failed its review or is dearer than a cap is no fault here: it holds the charge.
    """
    terms = item.terms
    for field, expected, given in (
        ("buyer", terms.buyer, body.buyer),
        ("invoice_issuer", terms.invoice_issuer, body.invoice_issuer),
    ):
        if given != expected:
            raise BadTerms(f"body.{field}", expected, given)
    wanted = (*asked(item), "inputs.cap")
    for field in _given(body):
        if field not in wanted:
            raise BadTerms(f"body.{field}", "none: the terms of this revision do not ask for it", "stated")
    rating.check_inputs(terms.tariff, terms.tax, body.inputs)
    step = terms.plan.derived
    if body.weights is not None and step is not None:
        check_derived(step, body.weights, {holder.party: holder for holder in terms.plan.holders})


def charged(
    reading_id: str, reading: MeterReading, item: AgreementTerms, stated: Stated | None, booked: str | None = None
) -> Due:
    """The charge of a reading by what stands for its period. A cycle later than the period's own is named by `booked`.

    Raises Held where something asked for is missing; weights are not missed where there is nothing to divide.
    """
    inputs = None if stated is None or stated.body.inputs == NOTHING else stated.body.inputs
    charge = rating.rate(reading_id, reading, item.terms, free=item.free, inputs=inputs, booked=booked)
    step, weights = item.terms.plan.derived, stated.body.weights if stated else None
    if step is not None and weights is None and charge.net:
        raise Held(HoldReason.NOT_GIVEN, "weights", f"the {step.kind} weights of {reading.period}", None)
    return Due(charge, weights if step is not None else None)


def waiting(item: AgreementTerms, period: str, held: Held) -> Waiting:
    """A hold as it is answered and shown."""
    return Waiting(item.agreement, item.revision, period, held.reason, held.field, held.expected)


def _given(body: PeriodInputs) -> tuple[str, ...]:
    parts = ("active", "declared", "events", "scored", "measured", "cap")
    named = tuple(f"inputs.{name}" for name in parts if getattr(body.inputs, name) is not None)
    return named if body.weights is None else (*named, "weights")
