"""Both sides report: the provider's and the consumer's records of one agreement, joined use by use.

The event key is the request id, which both connectors know. Every record lands in exactly one class of exchange.md
§5.4: as one side of a use, or apart from every use because it may not stand for one (DUP, CONFLICT, SIG). A function of
the set of records: their order, and how often they are sent, change nothing.

What is billed of a use follows the signed billing basis. BOTH: the lower side, and the rest is held while the
difference is open. PROVIDER, CONSUMER: that side's record alone; the other side's is evidence and still compared.
ACCEPTED: nothing, every record is evidence.

Source: domain clearing §2, §2.9 and the table of classes; exchange.md §5.3, §5.4; decisions D9, D10, D37.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from clearing.terms import AgreementTerms, BillingBasis, Period, Tolerance
from clearing.usage.intake import UseClass
from clearing.usage.metered import MeteredUse, dated, once, own_fault
from clearing.usage.record import Side


class Match(StrEnum):
    """对账类别: how the two sides' records of a use stand to each other; the first that applies, from SIG down.

    What a record says is compared only while both say that something was delivered: a use that both call failed or
    refused, or that one side calls so and the other never saw, is agreed to be nothing (OK).
    """

    SIG = "SIG"  # not signed by a connector of its side: excluded
    DUP = "DUP"  # the side's second record of the use, saying the same: the first counts
    CONFLICT = "CONFLICT"  # the side's second record of the use, saying something else: not counted
    SCOPE = "SCOPE"  # outside the agreement's purpose, time or limit: breach evidence, not billed
    P_ONLY = "P-ONLY"  # only the provider has it: not billed, asked from the consumer
    C_ONLY = "C-ONLY"  # only the consumer has it: not billed, asked from the provider
    VERSION = "VERSION"  # agreement or product version differs from the other side's or from the one in force: held
    OUTCOME = "OUTCOME"  # success against failure: held
    UNIT = "UNIT"  # units differ: the side in the tariff's unit has no lower one to be billed, so it is held
    QTY = "QTY"  # quantities differ: the lower is billed, the rest held
    TIME = "TIME"  # dated into different periods, or one too late or too early to count
    OK_T = "OK-T"  # equal within the signed tolerance
    OK = "OK"  # equal


class Event(msgspec.Struct, frozen=True, gc=False):
    """One use as the two sides reported it, and what it comes to.

    `revision` is the agreement revision it belongs to and `date` the second that puts it into a period: of the side
    that is billed; under BOTH of the side that dates it later, since only then both have it. `billed` and `held` are
    units of the tariff.
    """

    request_id: str
    match: Match
    provide: MeteredUse | None
    consume: MeteredUse | None
    revision: int
    date: int
    billed: int
    held: int

    @property
    def records(self) -> tuple[MeteredUse, ...]:
        if self.provide is None or self.consume is None:
            return (self.provide or self.consume,)  # type: ignore[return-value]
        return self.provide, self.consume


@dataclass(frozen=True, slots=True)
class Apart:
    """A record that stands for no use: DUP, CONFLICT or SIG. `stands` is the record that counts in its place."""

    use: MeteredUse
    match: Match
    stands: MeteredUse | None = None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All records of an agreement, each once: in an event or apart. Both are in the order of use."""

    events: tuple[Event, ...]
    apart: tuple[Apart, ...]

    def within(self, period: Period, item: AgreementTerms) -> Reconciliation:
        """What concerns the period: uses that at least one side dates into it, and such records that stand apart."""
        rules = item.terms.period
        return Reconciliation(
            tuple(event for event in self.events if any(dated(use, rules) in period for use in event.records)),
            tuple(aside for aside in self.apart if dated(aside.use, rules) in period),
        )


_OUTSIDE = frozenset({UseClass.UNKNOWN, UseClass.STANDING, UseClass.SCOPE})
_UNTIMELY = frozenset({UseClass.LATE, UseClass.FUTURE})
_ALONE = {Side.PROVIDE: Match.P_ONLY, Side.CONSUME: Match.C_ONLY}
_LOWER = frozenset({Match.OK, Match.OK_T, Match.QTY, Match.UNIT, Match.TIME})
_NEVER_HELD = frozenset({Match.OK, Match.OK_T, Match.SCOPE})
REPORTED: Mapping[BillingBasis, frozenset[Side]] = {
    BillingBasis.BOTH: frozenset(Side),
    BillingBasis.PROVIDER: frozenset({Side.PROVIDE}),
    BillingBasis.CONSUMER: frozenset({Side.CONSUME}),
    BillingBasis.ACCEPTED: frozenset(),
}
"""Whose records are counted under each basis."""


def reconcile(
    item: AgreementTerms, period: Period, uses: Iterable[MeteredUse], unsigned: Iterable[MeteredUse] = ()
) -> Reconciliation:
    """Every record of the agreement, in its class; `period` decides what TIME means, records of all periods come in.

    `uses` are the admitted records, in any order, also repeated; those of other agreements are passed over. `unsigned`
    are records that came alone and that no batch of their connector covers (SIG). Raises `Clash` when one (connector,
    seq) appears with two digests, `BadTerms` for a basis that dates nothing.
    """
    lines: dict[str, list[MeteredUse]] = {}
    apart: list[Apart] = [Apart(use, Match.SIG) for use in once(unsigned) if use.agreement == item.agreement]
    for use in once([use for use in uses if use.agreement == item.agreement]):
        if use.use_class is UseClass.REPORTER:
            apart.append(Apart(use, Match.SIG))
        else:
            lines.setdefault(use.request_id, []).append(use)
    events: list[Event] = []
    for request_id, records in lines.items():
        if len(records) > 2 or records[0].side is records[-1].side:
            records = list(_standing(records, item, apart))
        events.append(_event(request_id, records, item, period))
    events.sort(key=_place)
    apart.sort(key=lambda aside: (aside.use.occurred_at, aside.use.received_at, aside.use.key))
    if item.limit is not None:
        events = list(_within_limit(events, item.limit))
    return Reconciliation(tuple(events), tuple(apart))


def _place(event: Event) -> tuple[int, str]:
    return min([use.occurred_at for use in event.records]), event.request_id


def _standing(records: Sequence[MeteredUse], item: AgreementTerms, apart: list[Apart]) -> Iterator[MeteredUse]:
    """The record of each side that counts: the first that could be billed, else the first. The others go `apart`."""
    for side in Side:
        own = [use for use in records if use.side is side]
        if own:
            stands = next((use for use in own if own_fault(use, item.terms) is None), own[0])
            apart += [_beside(use, stands) for use in own if use is not stands]
            yield stands


def _beside(use: MeteredUse, stands: MeteredUse) -> Apart:
    said = _said(use) == _said(stands)
    return Apart(use, Match.DUP if said else Match.CONFLICT, stands)


def _said(use: MeteredUse) -> tuple[object, ...]:
    return use.revision, use.unit, use.quantity, use.decision, use.outcome_ok, use.use_class


def _event(request_id: str, records: Sequence[MeteredUse], item: AgreementTerms, period: Period) -> Event:
    """The use that one or two records, at most one of each side, report."""
    rules, basis = item.terms.period, item.billing
    if len(records) == 1:
        lead = records[0]
        provide, consume = (lead, None) if lead.side is Side.PROVIDE else (None, lead)
        match, date = _alone(lead, item), dated(lead, rules)
    else:
        provide, consume = records if records[0].side is Side.PROVIDE else (records[1], records[0])
        match = _pair(provide, consume, item, period)
        lead = consume if basis is BillingBasis.CONSUMER else provide
        both = basis is BillingBasis.BOTH
        date = max(dated(provide, rules), dated(consume, rules)) if both else dated(lead, rules)
    billed, held = _split(match, provide, consume, item)
    return Event(request_id, match, provide, consume, lead.revision, date, billed, held)


def _split(
    match: Match, provide: MeteredUse | None, consume: MeteredUse | None, item: AgreementTerms
) -> tuple[int, int]:
    """(billed, held) units of a use, from what it is worth by each side's own words."""
    if item.billing is BillingBasis.ACCEPTED:
        return 0, 0
    if item.billing is not BillingBasis.BOTH:
        return _worth(provide if item.billing is BillingBasis.PROVIDER else consume, item), 0
    provided, consumed = _worth(provide, item), _worth(consume, item)
    billed = min(provided, consumed) if match in _LOWER else 0
    return billed, 0 if match in _NEVER_HELD else max(provided, consumed) - billed


def _worth(use: MeteredUse | None, item: AgreementTerms) -> int:
    return use.quantity if use is not None and own_fault(use, item.terms) is None else 0


def _claims(use: MeteredUse, item: AgreementTerms) -> bool:
    """Does the record, by its own words, ask the other side for anything?"""
    failed_but_billed = use.decision == "allow" and item.terms.tariff.bill_failures
    return (use.took_place or failed_but_billed) and use.quantity > 0


def _alone(use: MeteredUse, item: AgreementTerms) -> Match:
    if use.use_class in _OUTSIDE:
        return Match.SCOPE
    return _ALONE[use.side] if _claims(use, item) else Match.OK


def _pair(provide: MeteredUse, consume: MeteredUse, item: AgreementTerms, period: Period) -> Match:
    classes = {provide.use_class, consume.use_class}
    if classes & _OUTSIDE:
        return Match.SCOPE
    if UseClass.VERSION in classes or provide.revision != consume.revision:
        return Match.VERSION
    if provide.took_place != consume.took_place:
        return Match.OUTCOME
    if not (_claims(provide, item) or _claims(consume, item)):
        return Match.OK
    if provide.unit != consume.unit or provide.unit != item.terms.tariff.unit:
        return Match.UNIT
    return _measured(provide, consume, item, period)


def _measured(provide: MeteredUse, consume: MeteredUse, item: AgreementTerms, period: Period) -> Match:
    """Two records that agree in everything but, perhaps, how much and when."""
    tolerance = item.terms.tolerance or Tolerance()
    low, high = sorted((_stated(provide, item), _stated(consume, item)))
    if high - low > max(tolerance.units, high * tolerance.ppm // 1_000_000):
        return Match.QTY
    faults = {own_fault(provide, item.terms), own_fault(consume, item.terms)}
    first, second = dated(provide, item.terms.period), dated(consume, item.terms.period)
    together = (first in period) == (second in period)
    if faults & _UNTIMELY or not (together or abs(first - second) <= tolerance.seconds):
        return Match.TIME
    return Match.OK if low == high and together else Match.OK_T


def _stated(use: MeteredUse, item: AgreementTerms) -> int:
    """Units the record asks for; a trial, and a refused call beside a billed failure, ask for none."""
    return use.quantity if _claims(use, item) and use.use_class is not UseClass.TRIAL else 0


def _within_limit(events: Sequence[Event], limit: int) -> Iterator[Event]:
    """The uses in their order, those beyond the limit as SCOPE: nothing that exceeds it is billed, or counts on."""
    used = 0
    for event in events:
        delivered = all(use.took_place for use in event.records)
        if delivered and used + event.billed > limit:
            yield msgspec.structs.replace(event, match=Match.SCOPE, billed=0, held=0)
        else:
            used += event.billed if delivered else 0
            yield event
