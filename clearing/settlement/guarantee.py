"""保底: what a guarantor owes once a plan version has ended and gave the guaranteed party less than its guarantee.

A guarantee is on everything one plan version gives, so it falls due once: when no revision with that version is in
force any more and no record of it can come in time, at the rating of the first cycle that is cut off after that. What
changes the version's charges later, late records and disputes that were upheld, changes what is missing; the next cycle
that is rated posts the difference, which may be negative. While a charge of the version is held nothing is called: what
is missing is not known. Source: domain clearing §4 (保底), §7; decisions D33.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from clearing.settlement import sharing
from clearing.settlement.sharing import lineage_of
from clearing.settlement.stating import Month, Name, Revision
from clearing.terms import MAX_FEN, AgreementTerms, Fen, Hex64, Positive, Served, Short, StepKind

GUARANTEE_CALL = "guarantee-call/v1"
_CLAIM = "guarantee/"


@dataclass(frozen=True, slots=True)
class Ended:
    """A plan version that is over: `item` is its last revision, `revisions` are all; it ended at `at`, seconds UTC."""

    item: AgreementTerms
    revisions: frozenset[int]
    at: int

    @property
    def lineage(self) -> str:
        """The rounding lineage the version is."""
        return lineage_of(self.item.agreement, self.item.terms.plan, self.item.terms.currency)

    @property
    def claims(self) -> tuple[str, ...]:
        """What may be claimed under its guarantees."""
        steps = self.item.terms.plan.steps
        return tuple(claim_of(self.lineage, step.party or "") for step in steps if step.kind is StepKind.GUARANTEE)


@dataclass(frozen=True, slots=True)
class GuaranteeCall:
    """Body of guarantee-call/v1: `guarantor` owes `party` another `amount` fen, or is owed it back where negative.

    `revision` is the last one with this plan version, whose plan says who guarantees what. The version `given` the
    party so many fen in all, after the division `shares` (a fact id; none where nothing was ever charged); so many fen
    were `called` before. `period` is that of the cycle which posts it, `ended` is in seconds UTC.
    """

    agreement: Name
    revision: Revision
    period: Month
    plan_version: Positive
    currency: Annotated[str, msgspec.Meta(pattern=r"^CNY\Z")]
    party: Short
    guarantor: Short
    guaranteed: Fen
    given: Annotated[int, msgspec.Meta(ge=-MAX_FEN, le=MAX_FEN)]
    called: Annotated[int, msgspec.Meta(ge=0, le=MAX_FEN)]
    amount: Annotated[int, msgspec.Meta(ge=-MAX_FEN, le=MAX_FEN)]
    ended: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    shares: Hex64 | None = None

    @property
    def claim(self) -> str:
        """The claim it belongs to."""
        return claim_of(f"{self.agreement}/{self.plan_version}/{self.currency}", self.party)


def claim_of(lineage: str, party: str) -> str:
    """What a party may claim under the guarantee of a plan version. In the journal it stands in the place of the
    agreement, so it is not mixed with what the buyer owes, and its debtor is the guarantor."""
    return f"{_CLAIM}{lineage}/{party}"


def is_claim(name: str) -> bool:
    """Does the journal mean a guarantee by this name, not an agreement?"""
    return name.startswith(_CLAIM)


def agreement_of(name: str) -> str:
    """The agreement behind a name in the journal: itself, or that of the guarantee."""
    return name.removeprefix(_CLAIM).rsplit("/", 3)[0] if is_claim(name) else name


def ended(served: Iterable[Served], cut_off: int) -> tuple[Ended, ...]:
    """The plan versions with a guarantee that are over for a cycle cut off at `cut_off` (seconds UTC): every revision
    with that version was out of force for longer than its limit for late records."""
    versions: dict[str, list[Served]] = {}
    for one in sorted(served, key=lambda one: (one.item.agreement, one.item.revision)):
        lineage = lineage_of(one.item.agreement, one.item.terms.plan, one.item.terms.currency)
        versions.setdefault(lineage, []).append(one)
    found = []
    for own in versions.values():
        last = own[-1].item
        guarantees = any(step.kind is StepKind.GUARANTEE for step in last.terms.plan.steps)
        over = all(one.until + one.item.terms.period.late_limit < cut_off for one in own)
        if guarantees and over:
            revisions = frozenset(one.item.revision for one in own)
            found.append(Ended(last, revisions, max(one.until for one in own)))
    return tuple(found)


def due(
    version: Ended,
    given: Mapping[str, int],
    shares: str | None,
    called: Mapping[str, int],
    waiting: Collection[tuple[str, int]],
    period: str,
) -> tuple[GuaranteeCall, ...]:
    """What the cycle of `period` calls under a plan version that is over: of each guarantee what is missing and was not
    `called` yet (fen by claim), or called too much; nothing where that is 0, and nothing while a charge of one of its
    revisions is among those `waiting` (agreement, revision).

    `given` is what each party got in all, fen, after the division `shares`.
    """
    item = version.item
    if any((item.agreement, revision) in waiting for revision in version.revisions):
        return ()
    missing = {short.party: short.amount for short in sharing.shortfalls(item.terms.plan, given)}
    found = []
    for step in item.terms.plan.steps:
        if step.kind is not StepKind.GUARANTEE or step.party is None or step.guarantor is None:
            continue
        before = called.get(claim_of(version.lineage, step.party), 0)
        amount = missing.get(step.party, 0) - before
        if amount:
            found.append(
                GuaranteeCall(
                    agreement=item.agreement,
                    revision=item.revision,
                    period=period,
                    plan_version=item.terms.plan.version,
                    currency=item.terms.currency,
                    party=step.party,
                    guarantor=step.guarantor,
                    guaranteed=step.limit_fen or 0,
                    given=given[step.party],
                    called=before,
                    amount=amount,
                    ended=version.at,
                    shares=shares,
                )
            )
    return tuple(found)
