"""What reconciliation and metering know of one admitted record, and what a record is worth by its own words.

Source: domain clearing §2.1–2.5, 2.9; decisions D9, D10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clearing.errors import BadTerms, Clash
from clearing.terms import PeriodBasis, PeriodRules, Terms
from clearing.usage.intake import UseClass
from clearing.usage.record import Side

_BILLABLE = frozenset({UseClass.OK, UseClass.LATE, UseClass.UNIT, UseClass.FAILED})
"""Classes about which metering decides itself, and more precisely; a record of any other is never billed."""


@dataclass(frozen=True, slots=True)
class MeteredUse:
    """One admitted usage record; times are seconds UTC.

    `side` is who reports, `use_class` what intake made of the record. `batch` is the id of the intake batch fact that
    carries it, `root_sha256` and `root_sm3` that batch's parts root, `position` the batch's place in the log, counted
    from 1 (the high-water mark counts these). `decision` is the gate's word: "allow" or anything else. `outcome_ok`
    says whether the call succeeded.
    """

    connector: str
    seq: int
    agreement: str
    revision: int
    request_id: str
    side: Side
    unit: str
    quantity: int
    decision: str
    outcome_ok: bool
    use_class: UseClass
    occurred_at: int
    received_at: int
    batch: str
    root_sha256: str
    root_sm3: str
    position: int
    digest: str

    @property
    def key(self) -> tuple[str, int]:
        """Its identity (D10)."""
        return self.connector, self.seq

    @property
    def took_place(self) -> bool:
        """Does the record say that something was delivered?"""
        return self.decision == "allow" and self.outcome_ok


def own_fault(use: MeteredUse, terms: Terms) -> UseClass | None:
    """Why the record is not billed whatever the other side says; None if nothing in it stands against it."""
    if use.decision != "allow":
        return UseClass.REFUSED
    if use.use_class is not UseClass.OK and use.use_class not in _BILLABLE:
        return use.use_class
    if use.received_at - use.occurred_at > terms.period.late_limit:
        return UseClass.LATE
    if use.unit != terms.tariff.unit:
        return UseClass.UNIT
    return None if use.outcome_ok or terms.tariff.bill_failures else UseClass.FAILED


def dated(use: MeteredUse, rules: PeriodRules) -> int:
    """The second that puts a use into a period, by the signed 账期基准. Raises `BadTerms` for an unknown one."""
    basis = rules.basis
    if basis is PeriodBasis.RECEIVED:
        return use.received_at
    if basis is PeriodBasis.OCCURRED or basis is PeriodBasis.PAID:
        return use.occurred_at  # 支付日 moves the money's date, the use itself is metered by 发生日 (§2.5)
    raise BadTerms("period.basis", "occurred, received or paid", rules.basis)


def once(uses: Iterable[MeteredUse]) -> list[MeteredUse]:
    """Each record once, in an order made of the records alone: earliest use first, then received, then identity.

    Raises `Clash` when one (connector, seq) appears with two digests.
    """
    known: dict[tuple[str, int], MeteredUse] = {}
    for use in uses:
        before = known.setdefault(use.key, use)
        if before.digest != use.digest:
            raise Clash(f"usage record {use.connector}/{use.seq}", before.digest, use.digest)
    return sorted(known.values(), key=lambda use: (use.occurred_at, use.received_at, use.connector, use.seq))
