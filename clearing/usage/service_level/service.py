"""Taking in outages and checks, and the service level of a month: for a party exact, for everybody as disclosed.

Nothing here commits, reads a clock or stores a result: the same facts and the same second give the same figures.
Source: exchange.md §8.2 (披露: monthly, per product; target beside result; exclusions listed; no counts per
counterparty), §1.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, NotSigned, UnknownFact
from clearing.market import store as agreements
from clearing.market.agreement import Role, Terms
from clearing.market.errors import NotEntitled
from clearing.market.listing_moves import PUBLIC
from clearing.market.promise import ServiceTargets
from clearing.market.shelf import store as shelf
from clearing.terms import SHANGHAI, month
from clearing.usage.record import FUTURE_LIMIT
from clearing.usage.service_level import store
from clearing.usage.service_level.measure import (
    Availability,
    Latency,
    Published,
    Span,
    availability,
    is_planned,
    latency,
    published,
    rate,
    restoring,
)
from clearing.usage.service_level.notice import (
    Metric,
    Outage,
    OutageAct,
    QualityCheck,
    Source,
    Speaker,
    State,
    act_of,
    check_of,
    decide,
    id_of,
    sender_of,
)
from clearing.usage.service_level.store import Served
from ledger.facts import Signed
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.errors import Unknown

SERVING = frozenset({Role.PROVIDER, Role.DEVELOPER, Role.OPERATOR, Role.SERVICE})
CHECKERS = frozenset({"assessor", "auditor", "supervisor", "authority"})
"""Roles of party/v1 whose holders may state the result of a check from neither side."""


@dataclass(frozen=True, slots=True)
class Result:
    """One metric: `target` and `value` as exact fractions "n/d" or milliseconds, and whether the target was kept.

    `value` is None where nothing was measured, `kept` where there is no target or no value.
    """

    metric: str
    target: str | None
    value: str | None
    kept: bool | None
    percent: str | None
    target_percent: str | None


@dataclass(frozen=True, slots=True)
class Excluded:
    """What is not in the figures, and why, with how many there are."""

    what: str
    zh: str
    en: str
    number: Published


@dataclass(frozen=True, slots=True)
class Disclosure:
    """服务水平披露: a product's month as everybody sees it, known at `as_of`. `final` says that the month is over.

    `consumers` and the numbers of calls are as `measure.published` lets them be shown.
    """

    product: str
    month: str
    as_of: int
    final: bool
    promise: str
    results: tuple[Result, ...]
    calls: Published
    checked: tuple[tuple[str, Published], ...]
    incidents: int
    restore_seconds: str | None
    consumers: Published
    excluded: tuple[Excluded, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """A month of one agreement, exact, for its parties."""

    agreement: str
    month: str
    as_of: int
    final: bool
    results: tuple[Result, ...]
    seconds: Availability
    latency: Latency
    refused: int
    unanswered: int


def take_outage(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in an outage-act/v1 under one signature, of the party it names.

    The seller of the listing or a party that serves under an agreement on it announces and restores; a consumer
    consents and reports under its own agreement. Raises `BadTerms`, `FieldError`, `NotSigned`, `BadSignature`,
    `NotEntitled`, `WrongMove`, `UnknownFact`, and the ledger's `Conflict`, `Stale`.
    """
    body = act_of(signed.statement)
    _require_sender(session, signed, body, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    _require_place(session, body.listing, body.by, body.agreement, body.speaker is Speaker.SELLER)
    row = store.find(session, id_of(signed.statement.subject))
    decide(row.case if row else None, body, at, FUTURE_LIMIT)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def take_check(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a quality-check/v1 under one signature, of the party it names, for a month that has begun. Raises as
    `take_outage`."""
    body = check_of(signed.statement)
    _require_sender(session, signed, body, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if month(body.period).start > at:
        raise BadTerms("body.period", "已开始的月份 / a month that has begun", body.period)
    if body.source is Source.THIRD:
        shelf.listing(session, body.listing)
        _require_checker(session, body.by, at)
    else:
        _require_place(session, body.listing, body.by, body.agreement, body.source is Source.SELLER)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def disclosure(session: Session, product: str, name: str, *, at: int) -> Disclosure:
    """The month `name` of a product as known at `at`. Raises `BadTerms` for what is no month or has not begun,
    `UnknownFact` for a product that was never on a shelf."""
    window, final = _window(name, at)
    rows = [row for row in shelf.of_product(session, product) if row.case.version and row.state in PUBLIC]
    if not rows:
        raise UnknownFact("product", product[:80])
    listings = [row.id for row in rows]
    outages = [row.case for row in store.outages(session, listings)]
    served = store.served(session, listings, window)
    checks = store.checks(session, listings, name)
    consumers = len({one.consumer for one in served})
    seconds, times, refused, unanswered = Availability(), [], 0, 0
    for one in served:
        seconds += _available(one, window, outages)
        side = _targets(one.terms).measured.value
        times += store.milliseconds(session, one.agreement, side, window)
        left = store.left(session, one.agreement, side, window)
        refused, unanswered = refused + left.refused, unanswered + left.unanswered
    promise, targets = rows[0].value.delivery.service_level, rows[0].value.delivery.targets
    took, restored = latency(times), restoring(outages, window)
    return Disclosure(
        product=product,
        month=name,
        as_of=at,
        final=final,
        promise=promise,
        results=_results(targets or ServiceTargets(), seconds, took, checks),
        calls=published(took.n, consumers),
        checked=_checked(checks),
        incidents=restored.n,
        restore_seconds=_text(restored.mean),
        consumers=published(consumers, consumers),
        excluded=_excluded(outages, served, window, refused, unanswered, consumers),
    )


def of_agreement(session: Session, agreement: str, name: str, *, at: int) -> Month:
    """The month `name` of one agreement, by its own targets. Raises as `disclosure`."""
    row = agreements.agreement(session, agreement)
    window, final = _window(name, at)
    outages = [one.case for one in store.outages(session, [row.listing])]
    checks = [check for check in store.checks(session, [row.listing], name) if check.agreement in (None, agreement)]
    found = [one for one in store.served(session, [row.listing], window) if one.agreement == agreement]
    seconds, took, left = Availability(), Latency(), store.Left(0, 0)
    targets = ServiceTargets()
    for one in found:
        targets = _targets(one.terms)
        seconds = _available(one, window, outages)
        took = latency(store.milliseconds(session, agreement, targets.measured.value, window))
        left = store.left(session, agreement, targets.measured.value, window)
    return Month(
        agreement, name, at, final, _results(targets, seconds, took, checks), seconds, took, left.refused,
        left.unanswered,
    )  # fmt: skip


def records(session: Session, *, at: int) -> dict[str, tuple[int, int]]:
    """服务水平达成记录, by product: the availability of the last whole month before `at` as (achieved, target), two
    whole numbers of one unit. Only for products with a published target and an agreement in force in that month."""
    window = _last_month(at)
    found: dict[str, tuple[int, int]] = {}
    products = {shelf.listing(session, listing).value.product for listing in store.agreed_on(session)}
    for product in sorted(products):
        rows = [row for row in shelf.of_product(session, product) if row.case.version and row.state in PUBLIC]
        targets = rows[0].value.delivery.targets if rows else None
        if targets is None or not targets.availability:
            continue
        listings = [row.id for row in rows]
        outages = [row.case for row in store.outages(session, listings)]
        seconds = Availability()
        for one in store.served(session, listings, window):
            seconds += _available(one, window, outages)
        share = seconds.share
        if share is not None:
            found[product] = (share.numerator * 1_000_000, share.denominator * targets.availability)
    return found


# Inside ---------------------------------------------------------------------------------------------------------------


def _window(name: str, at: int) -> tuple[Span, bool]:
    period = month(name)
    if period.start >= at:
        raise BadTerms("month", "已开始的月份 / a month that has begun", name)
    return (period.start, min(period.end, at)), at >= period.end


def _last_month(at: int) -> Span:
    """The last calendar month that is over at `at`."""
    last = datetime.fromtimestamp(at, SHANGHAI).replace(day=1) - timedelta(days=1)
    period = month(last.strftime("%Y-%m"))
    return period.start, period.end


def _available(one: Served, window: Span, outages: list[Outage]) -> Availability:
    own = [item for item in outages if item.listing == one.listing]
    return availability(one.owed, window, own, one.agreement, _targets(one.terms).notice_hours)


def _targets(terms: Terms) -> ServiceTargets:
    return terms.targets or ServiceTargets()


def _results(
    targets: ServiceTargets, seconds: Availability, took: Latency, checks: list[QualityCheck]
) -> tuple[Result, ...]:
    accuracy = rate([check for check in checks if check.metric is Metric.ACCURACY])
    compliance = rate([check for check in checks if check.metric is Metric.COMPLIANCE])
    return (
        _share("availability", targets.availability, seconds.share),
        _time("p50_ms", targets.p50_ms, took.p50_ms),
        _time("p95_ms", targets.p95_ms, took.p95_ms),
        _time("p99_ms", targets.p99_ms, took.p99_ms),
        _share("accuracy", targets.accuracy, accuracy.share),
        _share("compliance", targets.compliance, compliance.share),
    )


def _share(metric: str, ppm: int | None, value: Fraction | None) -> Result:
    target = Fraction(ppm, 1_000_000) if ppm is not None else None
    kept = value >= target if value is not None and target is not None else None
    return Result(metric, _text(target), _text(value), kept, _percent(value), _percent(target))


def _time(metric: str, most: int | None, value: int | None) -> Result:
    kept = value <= most if value is not None and most is not None else None
    as_text = str(value) if value is not None else None
    return Result(metric, str(most) if most is not None else None, as_text, kept, None, None)


def _text(value: Fraction | None) -> str | None:
    """A fraction in its lowest terms: "n" or "n/d" (D7)."""
    return None if value is None else str(value)


def _percent(value: Fraction | None) -> str | None:
    """With four decimals, the rest cut off: a share is never shown better than it was."""
    if value is None:
        return None
    whole = value.numerator * 1_000_000 // value.denominator
    return f"{whole // 10_000}.{whole % 10_000:04d}"


def _checked(checks: list[QualityCheck]) -> tuple[tuple[str, Published], ...]:
    """How many items each source checked, per metric: a consumer's number is not shown where it is one's alone."""
    found = []
    for metric in Metric:
        for source in Source:
            own = [check for check in checks if check.metric is metric and check.source is source]
            if own:
                by = len({check.by for check in own}) if source is Source.CONSUMER else 10**6
                found.append((f"{metric}/{source}", published(rate(own).checked, by)))
    return tuple(found)


def _excluded(
    outages: list[Outage], served: list[Served], window: Span, refused: int, unanswered: int, consumers: int
) -> tuple[Excluded, ...]:
    inside = [item for item in outages if item.start < window[1] and (item.end or window[1]) > window[0]]
    planned = [item for item in inside if item.state is State.PLANNED]
    full = [
        item for item in planned
        if any(is_planned(item, one.agreement, _targets(one.terms).notice_hours) for one in served)
    ]  # fmt: skip
    rows = (
        ("planned", "经提前通知并同意的计划停机，按约扣除", "planned outages with notice and consent, taken out",
         Published(len(full), len(full))),
        ("unconsented", "通知不足或未获同意的计划停机，不作扣除",
         "planned outages without enough notice or consent, not taken out",
         Published(len(planned) - len(full), len(planned) - len(full))),
        ("contested", "供方不认可的故障报告，未计入", "incidents the seller contests, left out",
         Published(n := sum(item.state is State.CONTESTED for item in inside), n)),
        ("refused", "使用控制拒绝的调用，不计延迟", "calls refused by use control, no latency measured",
         published(refused, consumers)),
        ("unanswered", "源端未应答的调用，不计延迟", "calls the source never answered, no latency measured",
         published(unanswered, consumers)),
    )  # fmt: skip
    return tuple(Excluded(*row) for row in rows if row[3].at_least)


def _require_sender(session: Session, signed: Signed, body: OutageAct | QualityCheck, at: int) -> None:
    by = sender_of(body)
    if [signature.by for signature in signed.signatures] != [by]:
        said = ", ".join(signature.by for signature in signed.signatures) or "—"
        raise NotSigned(signed.statement.subject, f"one signature, of {by}", said[:200])
    signers.require_signature(session, signed, by, at=at)


def _require_place(session: Session, listing: str, by: str, agreement: str | None, serving: bool) -> None:
    """The signer stands on the side it speaks for, about this listing."""
    row = shelf.listing(session, listing)
    if serving:
        if by != row.value.seller and by not in _serving(session, listing):
            raise NotEntitled("SELLER", row.value.seller, by)
        return
    held = agreements.agreement(session, agreement or "")
    if held.listing != listing or held.consumer != by:
        raise NotEntitled("CONSUMER", f"{held.consumer}, listing {held.listing}", f"{by}, listing {listing}")


def _serving(session: Session, listing: str) -> set[str]:
    found: set[str] = set()
    for row in agreements.agreements(session, listing=listing):
        terms = agreements.terms_of(session, row.id, row.revision)
        found |= {party.party for party in terms.parties if party.role in SERVING}
    return found


def _require_checker(session: Session, by: str, at: int) -> None:
    try:
        roles = set(registry.party_at(session, by, at).roles.split())
    except Unknown:
        roles = set()
    if not roles & CHECKERS:
        raise NotEntitled("THIRD", " | ".join(sorted(CHECKERS)), by)
