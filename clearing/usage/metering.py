"""Usage records in, or what was accepted; one meter reading out: a function of the set, not of its order.

What a use comes to is decided by `reconcile`, under every billing basis; a reading adds up what it says. It commits to
the parts roots of the intake batches its records came in and lists only the records it did not count, each with a
reason (D35); who has the batches can name every counted record. Where acceptance is billed the reading lists what was
accepted in the period with the act that accepted it, and no record counts. Re-running with the same high-water mark
gives the same bytes. Source: domain clearing §2; exchange.md §4.8; decisions D9, D10, D35.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from clearing.market.delivery.accepting import Acceptance
from clearing.terms import AgreementTerms, BillingBasis, Period, PeriodBasis
from clearing.usage.intake import UseClass
from clearing.usage.metered import MeteredUse, dated, own_fault
from clearing.usage.reconcile import REPORTED, Match, reconcile


class Exclusion(StrEnum):
    """Why an admitted record of the agreement was not counted in a period: by its own words, or beside the other
    side's."""

    FAILED = "FAILED"  # the call failed and the tariff does not bill failures
    REFUSED = "REFUSED"  # the gate refused the use, so nothing was delivered
    LATE = "LATE"  # received later than the signed limit: evidence only
    UNIT = "UNIT"  # measured in another unit than the tariff's, or than the other side
    SCOPE = "SCOPE"  # admitted as evidence, marked not billable at intake, or beyond the limit of the use policy
    DUP = "DUP"  # another record of the same side with the same request id counts
    CONFLICT = "CONFLICT"  # the same, and it says something else
    P_ONLY = "P-ONLY"  # only the provider has it
    C_ONLY = "C-ONLY"  # only the consumer has it
    VERSION = "VERSION"  # the other side names another version
    OUTCOME = "OUTCOME"  # success against failure
    QTY = "QTY"  # the other side has a quantity of nothing
    TIME = "TIME"  # counted in the period of the other side's record, or the other side's is too late to count


@dataclass(frozen=True, slots=True)
class BatchRoot:
    """One intake batch that holds records of the reading: its fact id and the twin root over its records."""

    batch: str
    count: int
    sha256: str
    sm3: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """One record of the named batches that was not counted, by its identity (connector, seq), and why."""

    connector: str
    seq: int
    reason: Exclusion


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers `first` to `last` of a connector that never came, inside the range that did: a finding."""

    connector: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class MeterReading:
    """How much was used under one agreement in one period, and by which records.

    `counted` records were counted with `quantity` units in all; where both sides are billed by, each use has two.
    `held` units wait because the two sides differ about them (§5.4). A period read again has the next `sequence` and is
    posted by the cycle of the period `booked`. `batches` are the intake batches that hold counted
    or excluded records; `BatchRoot.count` is the number of this agreement's records of the period in it. `high_water`
    is the cut-off as the number of log entries it covers. `accepted` is what was `counted` where acceptance is billed.
    """

    agreement: str
    revision: int
    period: str
    start: int
    end: int
    basis: PeriodBasis
    unit: str
    quantity: int
    counted: int
    excluded: tuple[Excluded, ...]
    batches: tuple[BatchRoot, ...]
    high_water: int
    sequence: int = 0
    held: int = 0
    booked: str | None = None
    accepted: tuple[Acceptance, ...] | None = None

    @property
    def label(self) -> str:
        """What it is called within its cycle: agreement and revision, and its period where that was read again."""
        name = f"{self.agreement}#{self.revision}"
        return name if self.booked is None else f"{name}/{self.period}"


def read_meter(
    item: AgreementTerms,
    period: Period,
    uses: Iterable[MeteredUse],
    high_water: int,
    accepted: Iterable[Acceptance] = (),
) -> MeterReading:
    """The reading of one agreement revision in one period from every admitted record up to the high-water mark.

    `uses` are the agreement's records of all periods and both sides, in any order, also repeated: those of other
    periods and revisions only decide whether a request id was used before, and those of a side that the billing basis
    does not count are passed over. Others, and what lies beyond the high-water mark, too. Raises Clash when one
    (connector, seq) appears with two digests, BadTerms for a basis metering cannot serve (支付日 is metered by 发生日
    and paid later).

    Where acceptance is billed, `accepted` is all that was accepted under the revision as the acts up to the high-water
    mark say; what was accepted in the period counts, whatever the basis of dates, and records do not.
    """
    if item.billing is BillingBasis.ACCEPTED:
        return _by_acceptance(item, period, accepted, high_water)
    rules = item.terms.period
    found = reconcile(item, period, (use for use in uses if use.position <= high_water))

    def concerns(use: MeteredUse) -> bool:
        ours = use.side in REPORTED[item.billing] and use.revision == item.revision
        return ours and dated(use, rules) in period

    quantity = held = counted = 0
    records: list[MeteredUse] = []
    excluded: list[Excluded] = []
    for event in found.events:
        here = event.revision == item.revision and event.date in period
        if here:
            quantity, held = quantity + event.billed, held + event.held
        beside = Exclusion.TIME if event.billed and not here else _BESIDE[event.match]
        for use in filter(concerns, event.records):
            records.append(use)
            reason = _own(use, item)
            if reason is None and event.billed and here:
                counted += 1
            else:
                excluded.append(Excluded(use.connector, use.seq, reason or beside))
    for aside in found.apart:
        if concerns(aside.use):
            records.append(aside.use)
            reason = _own(aside.use, item) or _BESIDE[aside.match]
            excluded.append(Excluded(aside.use.connector, aside.use.seq, reason))
    excluded.sort(key=lambda item: (item.connector, item.seq))
    return MeterReading(
        agreement=item.agreement,
        revision=item.revision,
        period=period.name,
        start=period.start,
        end=period.end,
        basis=rules.basis,
        unit=item.terms.tariff.unit,
        quantity=quantity,
        counted=counted,
        excluded=tuple(excluded),
        batches=_batches(records),
        high_water=high_water,
        held=held,
    )


def _by_acceptance(
    item: AgreementTerms, period: Period, accepted: Iterable[Acceptance], high_water: int
) -> MeterReading:
    here = {one for one in accepted if one.at in period}
    ordered = tuple(sorted(here, key=lambda one: (one.at, one.delivery, one.item, one.fact)))
    return MeterReading(
        agreement=item.agreement,
        revision=item.revision,
        period=period.name,
        start=period.start,
        end=period.end,
        basis=item.terms.period.basis,
        unit=item.terms.tariff.unit,
        quantity=sum(one.quantity for one in ordered),
        counted=len(ordered),
        excluded=(),
        batches=(),
        high_water=high_water,
        accepted=ordered,
    )


def gaps(uses: Iterable[MeteredUse]) -> tuple[Gap, ...]:
    """Holes in the sequence of each connector between its lowest and highest record. They are findings, not errors."""
    seen: dict[str, set[int]] = {}
    for use in uses:
        seen.setdefault(use.connector, set()).add(use.seq)
    found: list[Gap] = []
    for connector in sorted(seen):
        ordered = sorted(seen[connector])
        for before, after in pairwise(ordered):
            if after > before + 1:
                found.append(Gap(connector, before + 1, after - 1))
    return tuple(found)


_OWN = {
    UseClass.REFUSED: Exclusion.REFUSED,
    UseClass.LATE: Exclusion.LATE,
    UseClass.UNIT: Exclusion.UNIT,
    UseClass.FAILED: Exclusion.FAILED,
}
_BESIDE = {match: Exclusion(match.value) for match in Match if match.value in set(Exclusion)} | {
    Match.SIG: Exclusion.SCOPE,
    Match.OK: Exclusion.QTY,
    Match.OK_T: Exclusion.QTY,
}
"""What is said of a record with no fault of its own that was not counted; it agrees with the other side only where
that one has a quantity of nothing."""


def _own(use: MeteredUse, item: AgreementTerms) -> Exclusion | None:
    fault = own_fault(use, item.terms)
    return None if fault is None else _OWN.get(fault, Exclusion.SCOPE)


def _batches(records: list[MeteredUse]) -> tuple[BatchRoot, ...]:
    count: dict[tuple[str, str, str], int] = {}
    for use in records:
        key = (use.batch, use.root_sha256, use.root_sm3)
        count[key] = count.get(key, 0) + 1
    return tuple(BatchRoot(batch, number, sha256, sm3) for (batch, sha256, sm3), number in sorted(count.items()))
