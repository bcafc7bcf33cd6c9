"""A settled period corrected: read again for what came late, reversed and charged anew, or credited in part.

Nothing stored is changed. A late record, the second side of a use that had been held, or an objection to what silence
had accepted, has the whole period read
again under its own terms, and both sides may state its inputs again; the charge is reversed and a new one made, both
posted by the next cycle and labelled with the period they correct. A charge that was held is made by the first cycle
that can. A credit gives back part of a charge. Source: domain clearing §1 row 3, §2.7, §6; D33, D34.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from clearing import money
from clearing.market.delivery.accepting import Acceptance
from clearing.money import TaxSplit
from clearing.settlement import stating
from clearing.settlement.rating import Charge, Correction, CorrectionKind
from clearing.settlement.stating import Due, Stated
from clearing.settlement.weighing import Derived
from clearing.terms import AgreementTerms, BillingBasis, Period
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import MeterReading, read_meter


@dataclass(frozen=True, slots=True)
class Standing:
    """The charge in force of a period: its fact id, itself, and the derived weights it was divided by, if any."""

    fact: str
    charge: Charge
    weights: Derived | None = None


def may_change(before: MeterReading, item: AgreementTerms, now: Period) -> bool:
    """Could what came since the last cut-off still count in this earlier period? A record up to the late limit (§2.4);
    an acceptance always: an objection to what silence accepted has no limit, and what it takes out of one period may be
    accepted in another."""
    if item.billing is BillingBasis.ACCEPTED:
        return before.end <= now.start
    return before.end <= now.start <= before.end + item.terms.period.late_limit


def read_again(
    before: MeterReading,
    item: AgreementTerms,
    uses: Iterable[MeteredUse],
    high_water: int,
    booked: str,
    accepted: Iterable[Acceptance] = (),
) -> MeterReading | None:
    """The next reading of the same period at a later high-water mark, posted by the cycle of `booked`; None when the
    records or acceptances that came since change nothing in it. Raises as `read_meter`."""
    window = Period(before.period, before.start, before.end)
    found = replace(
        read_meter(item, window, uses, high_water, accepted), sequence=before.sequence + 1, booked=booked
    )  # fmt: skip
    same = replace(before, high_water=found.high_water, sequence=found.sequence, booked=booked)
    return None if found == same else found


def reversal(charge_id: str, charge: Charge, basis: str, booked: str) -> Charge:
    """The exact mirror of a charge, because of the fact `basis`."""
    correction = Correction(CorrectionKind.REVERSAL, charge_id, basis)
    return _given_back(charge, charge.quantity, charge.gross, charge.net, charge.tax, correction, booked)


def due(
    reading_id: str, reading: MeterReading, item: AgreementTerms, stated: Stated | None, standing: Standing | None,
    booked: str, *, anew: bool,
) -> tuple[Due, ...]:  # fmt: skip
    """What the cycle of `booked` posts about an earlier period as it is read and stated now: nothing where that is what
    the charge in force says, the charge where there was none, else its reversal and the charge made anew.

    The reason is the reading where it was made `anew`, else what was stated. A reversal takes back by the weights the
    charge was divided by. Raises Held: then what stands goes on standing.
    """
    fresh = stating.charged(reading_id, reading, item, stated, booked)
    if standing is None:
        return (fresh,)
    before, after = standing.charge, fresh.charge
    same = (before.quantity, before.inputs) == (reading.quantity, after.inputs)
    if same and (standing.weights == fresh.weights or not after.net):
        return ()
    basis = reading_id if anew or stated is None else stated.fact
    correction = Correction(CorrectionKind.ANEW, standing.fact, basis)
    return (
        Due(reversal(standing.fact, before, basis, booked), standing.weights),
        Due(replace(after, corrects=correction), fresh.weights),
    )


def credit(charge_id: str, charge: Charge, credited: Iterable[Charge], amount: int, basis: str, booked: str) -> Charge:
    """Gives back `amount` fen gross of a charge, because of the fact `basis` (a decided dispute): the next credit note
    after those in `credited`. Raises BadMoney when more is given back than was charged."""
    earlier = tuple(credited)
    before = TaxSplit(*(-sum(getattr(item, name) for item in earlier) for name in ("gross", "net", "tax")))
    part = money.credit(TaxSplit(charge.gross, charge.net, charge.tax), before, amount)
    correction = Correction(CorrectionKind.CREDIT, charge_id, basis)
    return _given_back(charge, 0, part.gross, part.net, part.tax, correction, booked)


def _given_back(
    charge: Charge, quantity: int, gross: int, net: int, tax: int, correction: Correction, booked: str
) -> Charge:
    return replace(
        charge, quantity=-quantity, lines=(), bound="", exact=str(-gross), gross=-gross, net=-net, tax=-tax,
        corrects=correction, booked=booked,
    )  # fmt: skip
