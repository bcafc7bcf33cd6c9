"""Usage records in, one meter reading out: a function of the set of records, not of their order.

A reading commits to the parts roots of the intake batches its records came in and lists only the records it did not
count, each with a reason (D35); who has the batches can name every counted record. Re-running with the same high-water
mark gives the same bytes. Source: domain clearing §2; decisions D9, D10, D35.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from clearing.errors import BadTerms, Clash
from clearing.terms import Period, PeriodBasis, PeriodRules, Tariff


class Exclusion(StrEnum):
    """Why an admitted record of the agreement was not counted in a period."""

    DUP = "DUP"  # another record with the same request id came first
    FAILED = "FAILED"  # the call failed and the tariff does not bill failures
    REFUSED = "REFUSED"  # the gate refused the use, so nothing was delivered
    LATE = "LATE"  # received later than the signed limit: evidence only
    UNIT = "UNIT"  # measured in another unit than the tariff's
    SCOPE = "SCOPE"  # admitted as evidence, marked not billable at intake


@dataclass(frozen=True, slots=True)
class MeteredUse:
    """What metering needs to know of one admitted usage record; times are seconds UTC.

    `batch` is the id of the intake batch fact that carries it, `root_sha256` and `root_sm3` that batch's parts root,
    `position` the batch's place in the log, counted from 1 (the high-water mark counts these). `decision` is the gate's
    word: "allow" or anything else. `outcome_ok` says whether the call succeeded, `billable` whether intake found it in
    scope.
    """

    connector: str
    seq: int
    agreement: str
    revision: int
    request_id: str
    unit: str
    quantity: int
    decision: str
    outcome_ok: bool
    billable: bool
    occurred_at: int
    received_at: int
    batch: str
    root_sha256: str
    root_sm3: str
    position: int
    digest: str


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

    `counted` records were counted with `quantity` units in all. `batches` are the intake batches that hold counted or
    excluded records; `BatchRoot.count` is the number of this agreement's records of the period in it. `high_water` is
    the cut-off as the number of log entries it covers.
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


def read_meter(
    agreement: str,
    revision: int,
    period: Period,
    rules: PeriodRules,
    tariff: Tariff,
    uses: Iterable[MeteredUse],
    high_water: int,
) -> MeterReading:
    """The reading of one agreement revision in one period from every admitted record up to the high-water mark.

    `uses` are the agreement's records of all periods, in any order, also repeated: those of other periods and revisions
    only decide whether a request id was used before. Others, and what lies beyond the high-water mark, are passed over.
    Raises Clash when one (connector, seq) appears with two digests, BadTerms for a
    basis metering cannot serve (支付日 is metered by 发生日 and paid later).
    """
    admitted = _once(use for use in uses if use.agreement == agreement and use.position <= high_water)
    first_of: dict[str, MeteredUse] = {}
    for use in admitted:  # every period and revision: a request id never expires, so it is billed once ever
        if _reason(use, rules, tariff) is None:
            first_of.setdefault(use.request_id, use)
    records = [use for use in admitted if use.revision == revision and _dated(use, rules) in period]
    quantity = counted = 0
    excluded: list[Excluded] = []
    for use in records:
        reason = _reason(use, rules, tariff)
        if reason is None and first_of[use.request_id] is not use:
            reason = Exclusion.DUP
        if reason is None:
            quantity += use.quantity
            counted += 1
        else:
            excluded.append(Excluded(use.connector, use.seq, reason))
    excluded.sort(key=lambda item: (item.connector, item.seq))
    return MeterReading(
        agreement=agreement,
        revision=revision,
        period=period.name,
        start=period.start,
        end=period.end,
        basis=rules.basis,
        unit=tariff.unit,
        quantity=quantity,
        counted=counted,
        excluded=tuple(excluded),
        batches=_batches(records),
        high_water=high_water,
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


def _dated(use: MeteredUse, rules: PeriodRules) -> int:
    if rules.basis is PeriodBasis.RECEIVED:
        return use.received_at
    if rules.basis in (PeriodBasis.OCCURRED, PeriodBasis.PAID):
        return use.occurred_at  # 支付日 moves the money's date, the use itself is metered by 发生日 (§2.5)
    raise BadTerms("period.basis", "occurred, received or paid", rules.basis)


def _once(uses: Iterable[MeteredUse]) -> list[MeteredUse]:
    """Each record once, in an order made of the records alone: earliest use first, then received, then identity."""
    known: dict[tuple[str, int], MeteredUse] = {}
    for use in uses:
        key = (use.connector, use.seq)
        before = known.setdefault(key, use)
        if before.digest != use.digest:
            raise Clash(f"usage record {use.connector}/{use.seq}", before.digest, use.digest)
    return sorted(known.values(), key=lambda use: (use.occurred_at, use.received_at, use.connector, use.seq))


def _reason(use: MeteredUse, rules: PeriodRules, tariff: Tariff) -> Exclusion | None:
    if use.decision != "allow":
        return Exclusion.REFUSED
    if not use.billable:
        return Exclusion.SCOPE
    if use.received_at - use.occurred_at > rules.late_limit:
        return Exclusion.LATE
    if use.unit != tariff.unit:
        return Exclusion.UNIT
    if not use.outcome_ok and not tariff.bill_failures:
        return Exclusion.FAILED
    return None


def _batches(records: list[MeteredUse]) -> tuple[BatchRoot, ...]:
    count: dict[tuple[str, str, str], int] = {}
    for use in records:
        key = (use.batch, use.root_sha256, use.root_sm3)
        count[key] = count.get(key, 0) + 1
    return tuple(BatchRoot(batch, number, sha256, sm3) for (batch, sha256, sm3), number in sorted(count.items()))
