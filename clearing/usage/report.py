"""使用对账报告: how the two sides' records of an agreement stand to each other in a time, item by item.

Made when it is asked for and never stored: it is a function of records, terms and reports, as metering is, so both say
the same of every use. Times are seconds UTC, amounts are units of the tariff. Source: exchange.md §5.3, §5.4, §7.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clearing.terms import AgreementTerms, BillingBasis, Period
from clearing.usage.closing import TailFinding
from clearing.usage.finding import Explanation, Finding, FindingKind
from clearing.usage.metered import MeteredUse
from clearing.usage.reconcile import Apart, Event, Match, reconcile
from clearing.usage.record import Side

LISTED = 10_000
"""Most differences one report lists; more than a reader goes through item by item, and less than a sheet holds."""


@dataclass(frozen=True, slots=True)
class ClassTotal:
    """How many uses (of DUP, CONFLICT and SIG: records) are in a class, and what is billed and held in the time."""

    match: Match
    count: int
    billed: int
    held: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One use the sides do not say the same of, or one record that stands for none.

    `dated` is the second that puts what is billed into a period; `counts` names the record ("connector/seq") that
    stands in the place of a DUP or CONFLICT.
    """

    request_id: str
    match: Match
    billed: int
    held: int
    dated: int
    provide: MeteredUse | None = None
    consume: MeteredUse | None = None
    counts: str = ""


@dataclass(frozen=True, slots=True)
class SeamFinding:
    """An open finding about a connector's own chain (GAP, FORK, UNSIGNED), and the operator's reason to let it be, if
    any. Its numbers are left out: they count the uses of other agreements too."""

    connector: str
    kind: FindingKind
    since: int
    explained: str = ""


def seams_of(findings: Iterable[Finding], explanations: Sequence[Explanation]) -> list[SeamFinding]:
    """The findings of one connector, each with the first reason given for it."""
    return [
        SeamFinding(
            item.connector, item.kind, item.since,
            next((said.reason for said in explanations if said.covers(item)), ""),
        )
        for item in findings
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """Uses dated into [start, end) as they were known at `as_of`.

    `classes` has every class. `differences` are the uses that are not OK and the records apart, in the order of use, at
    most `LISTED`; `unlisted` more there are.
    """

    agreement: str
    start: int
    end: int
    as_of: int
    billing: BillingBasis
    unit: str
    billed: int
    held: int
    classes: tuple[ClassTotal, ...]
    differences: tuple[Difference, ...]
    unlisted: int
    tails: tuple[TailFinding, ...]
    seams: tuple[SeamFinding, ...]


def report_of(
    items: Sequence[AgreementTerms],
    window: Period,
    uses: Sequence[MeteredUse],
    unsigned: Sequence[MeteredUse],
    tails: Iterable[TailFinding],
    seams: Iterable[SeamFinding],
    *,
    as_of: int,
) -> Report:
    """The report over `items`, the revisions of one agreement from the first on, each use by its own revision.

    A record that names a revision there never was is judged by the nearest one.
    """
    events: list[tuple[Event, bool]] = []
    apart: list[Apart] = []
    for item in items:
        found = reconcile(item, window, uses, unsigned).within(window, item)
        events += [(e, e.date in window) for e in found.events if _nearest(items, e.revision) is item]
        apart += [aside for aside in found.apart if _nearest(items, aside.use.revision) is item]
    billed = sum(event.billed for event, here in events if here)
    held = sum(event.held for event, here in events if here)
    differences = [
        *(
            Difference(e.request_id, e.match, e.billed, e.held, e.date, e.provide, e.consume)
            for e, _ in events
            if e.match is not Match.OK
        ),
        *map(_aside, apart),
    ]
    differences.sort(key=_place)
    last = items[-1]
    return Report(
        agreement=last.agreement,
        start=window.start,
        end=window.end,
        as_of=as_of,
        billing=last.billing,
        unit=last.terms.tariff.unit,
        billed=billed,
        held=held,
        classes=tuple(_total(match, events, apart) for match in Match),
        differences=tuple(differences[:LISTED]),
        unlisted=max(0, len(differences) - LISTED),
        tails=tuple(tails),
        seams=tuple(seams),
    )


def _nearest(items: Sequence[AgreementTerms], revision: int) -> AgreementTerms:
    return min(items, key=lambda item: (abs(item.revision - revision), item.revision))


def _place(item: Difference) -> tuple[int, str, str]:
    first = min(use.occurred_at for use in (item.provide, item.consume) if use is not None)
    return first, item.request_id, item.match


def _total(match: Match, events: Sequence[tuple[Event, bool]], apart: Sequence[Apart]) -> ClassTotal:
    own = [(event, here) for event, here in events if event.match is match]
    count = len(own) + sum(aside.match is match for aside in apart)
    return ClassTotal(match, count, sum(e.billed for e, here in own if here), sum(e.held for e, here in own if here))


def _aside(aside: Apart) -> Difference:
    use, stands = aside.use, aside.stands
    provide, consume = (use, None) if use.side is Side.PROVIDE else (None, use)
    counts = f"{stands.connector}/{stands.seq}" if stands else ""
    return Difference(use.request_id, aside.match, 0, 0, use.occurred_at, provide, consume, counts)
