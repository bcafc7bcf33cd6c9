"""Both sides' records against an oracle that looks at one record at a time; every injected difference is named."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import Clash
from clearing.terms import (
    DAY,
    AgreementTerms,
    BillingBasis,
    PeriodBasis,
    PeriodRules,
    Tolerance,
    month,
)
from clearing.usage.intake import UseClass
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import read_meter
from clearing.usage.reconcile import Match, Reconciliation, reconcile
from clearing.usage.record import Side
from tests.clearing.builders import per_call, terms
from tests.counts import few

check = settings(deadline=None, max_examples=few(300))
MARCH, APRIL = month("2026-03"), month("2026-04")
BOTH = AgreementTerms("g", 1, terms(), billing=BillingBasis.BOTH)
RECORDS = (BillingBasis.BOTH, BillingBasis.PROVIDER, BillingBasis.CONSUMER)
"""The bases that bill records of use."""
MARK = 5


def use(side: Side, seq: int, **changes: object) -> MeteredUse:
    base = MeteredUse(
        connector=f"演示-{side}", seq=seq, agreement="g", revision=1, request_id=f"r{seq}", side=side, unit="call",
        quantity=4, decision="allow", outcome_ok=True, use_class=UseClass.OK, occurred_at=MARCH.start + 1000 + seq,
        received_at=MARCH.start + 1060 + seq, batch=f"b-{side}", root_sha256="aa", root_sm3="bb", position=MARK,
        digest=f"{side}{seq}",
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def pairs(count: int) -> tuple[list[MeteredUse], list[MeteredUse]]:
    """So many uses that both sides report alike."""
    return [use(Side.PROVIDE, seq) for seq in range(count)], [use(Side.CONSUME, seq) for seq in range(count)]


def classes(found: Reconciliation) -> dict[tuple[str, int], list[Match]]:
    """The classes each record landed in; one each, or something is wrong."""
    landed: dict[tuple[str, int], list[Match]] = {}
    for event in found.events:
        for record in event.records:
            landed.setdefault(record.key, []).append(event.match)
    for aside in found.apart:
        landed.setdefault(aside.use.key, []).append(aside.match)
    return landed


# The oracle: one record at a time, by scanning all of them, with no join ---------------------------------------------


def rank(record: MeteredUse) -> tuple[int, int, str, int]:
    return record.occurred_at, record.received_at, record.connector, record.seq


def fault(record: MeteredUse, item: AgreementTerms) -> bool:
    lawful = {UseClass.OK, UseClass.LATE, UseClass.UNIT, UseClass.FAILED}
    return not (
        record.decision == "allow"
        and record.use_class in lawful
        and record.received_at <= record.occurred_at + item.terms.period.late_limit
        and record.unit == item.terms.tariff.unit
        and (record.outcome_ok or item.terms.tariff.bill_failures)
    )


def the_standing(side: Side, request_id: str, records: Sequence[MeteredUse], item: AgreementTerms) -> MeteredUse | None:
    own = [r for r in records if (r.side, r.request_id) == (side, request_id) and r.use_class is not UseClass.REPORTER]
    return min(own, key=lambda r: (fault(r, item), rank(r)), default=None)


def date(record: MeteredUse, item: AgreementTerms) -> int:
    return record.received_at if item.terms.period.basis is PeriodBasis.RECEIVED else record.occurred_at


def the_class(record: MeteredUse, records: Sequence[MeteredUse], item: AgreementTerms) -> Match:
    """The class of one record, before the limit, as a list of sentences of which the first true one counts."""
    if record.use_class is UseClass.REPORTER:
        return Match.SIG
    mine = the_standing(record.side, record.request_id, records, item)
    assert mine is not None
    if record != mine:
        said = ("revision", "unit", "quantity", "decision", "outcome_ok", "use_class")
        return Match.DUP if all(getattr(record, f) == getattr(mine, f) for f in said) else Match.CONFLICT
    other = Side.CONSUME if record.side is Side.PROVIDE else Side.PROVIDE
    theirs = the_standing(other, record.request_id, records, item)
    both = [mine] if theirs is None else [mine, theirs]
    asks = [
        r.quantity > 0 and r.decision == "allow" and (r.outcome_ok or item.terms.tariff.bill_failures) for r in both
    ]
    amounts = [
        r.quantity if ask and r.use_class is not UseClass.TRIAL else 0 for r, ask in zip(both, asks, strict=True)
    ]
    apart = max(amounts) - min(amounts)
    tolerance = item.terms.tolerance or Tolerance()
    near = apart <= tolerance.units or apart * 1_000_000 <= max(amounts) * tolerance.ppm
    dates = [date(r, item) for r in both]
    split = len({MARCH.start <= d < MARCH.end for d in dates}) == 2
    untimely = any(
        r.use_class is UseClass.FUTURE
        or (
            r.use_class in {UseClass.OK, UseClass.LATE, UseClass.UNIT, UseClass.FAILED}
            and r.decision == "allow"
            and r.received_at - r.occurred_at > item.terms.period.late_limit
        )
        for r in both
    )
    lone = theirs is None
    sentences: list[tuple[bool, Match]] = [
        (any(r.use_class in {UseClass.UNKNOWN, UseClass.STANDING, UseClass.SCOPE} for r in both), Match.SCOPE),
        (lone and any(asks), Match.P_ONLY if record.side is Side.PROVIDE else Match.C_ONLY),
        (lone, Match.OK),
        (any(r.use_class is UseClass.VERSION for r in both), Match.VERSION),
        (len({r.revision for r in both}) > 1, Match.VERSION),
        (len({r.decision == "allow" and r.outcome_ok for r in both}) > 1, Match.OUTCOME),
        (not any(asks), Match.OK),
        ({r.unit for r in both} != {item.terms.tariff.unit}, Match.UNIT),
        (not near, Match.QTY),
        (untimely or (split and max(dates) - min(dates) > tolerance.seconds), Match.TIME),
        (split or apart > 0, Match.OK_T),
        (True, Match.OK),
    ]
    return next(match for holds, match in sentences if holds)


def the_amounts(request_id: str, records: Sequence[MeteredUse], item: AgreementTerms) -> tuple[int, int]:
    """(billed, held) of one use, before the limit."""
    p, c = (the_standing(side, request_id, records, item) for side in (Side.PROVIDE, Side.CONSUME))
    worth = {side: r.quantity if r and not fault(r, item) else 0 for side, r in (("p", p), ("c", c))}
    if item.billing is not BillingBasis.BOTH:
        return worth["p" if item.billing is BillingBasis.PROVIDER else "c"], 0
    one = p or c
    assert one is not None
    match = the_class(one, records, item)
    high, low = max(worth.values()), min(worth.values())
    if match in {Match.P_ONLY, Match.C_ONLY, Match.VERSION, Match.OUTCOME}:
        return 0, high
    if match is Match.SCOPE:
        return 0, 0
    return low, 0 if match in {Match.OK, Match.OK_T} else high - low


KINDS = [UseClass.OK] * 8 + [
    UseClass.VERSION, UseClass.SCOPE, UseClass.STANDING, UseClass.TRIAL, UseClass.FUTURE, UseClass.REPORTER,
    UseClass.QUANTITY,
]  # fmt: skip


@st.composite
def reported(draw: st.DrawFn) -> list[MeteredUse]:
    """Records of both sides over few request ids, so that most uses have several; each field differs now and then."""
    made = []
    for seq in range(draw(st.integers(0, 12))):
        rare = draw(st.integers(0, 11))
        occurred = draw(st.sampled_from([MARCH.start - 30, MARCH.start + 50, MARCH.end - 10, MARCH.end + 20]))
        lag = draw(st.sampled_from([5, 40, 30 * DAY, 30 * DAY + 1]))
        refused = rare == 1
        made.append(
            use(
                draw(st.sampled_from(Side)),
                seq,
                request_id=f"r{draw(st.integers(0, 3))}",
                quantity=draw(st.sampled_from([0, 1, 3, 4, 4, 4, 1000])),
                unit="row" if rare == 2 else "call",
                revision=2 if rare == 3 else 1,
                decision="deny" if refused else "allow",
                outcome_ok=not refused and rare != 4,
                use_class=draw(st.sampled_from(KINDS)),
                occurred_at=occurred,
                received_at=occurred + lag,
            )
        )
    return made


@st.composite
def items(draw: st.DrawFn) -> AgreementTerms:
    tolerance = draw(st.sampled_from([None, Tolerance(1), Tolerance(0, 250_000), Tolerance(0, 0, 30)]))
    rules = PeriodRules(draw(st.sampled_from(PeriodBasis)))
    tariff = per_call(bill_failures=draw(st.booleans()))
    base = replace(terms(tariff=tariff), tolerance=tolerance, period=rules)
    return AgreementTerms("g", 1, base, billing=draw(st.sampled_from(RECORDS)))


@check
@given(reported(), items(), st.randoms(use_true_random=False))
def test_reconcile__any_records_and_terms__each_in_the_one_class_of_the_oracle(
    records: list[MeteredUse], item: AgreementTerms, rng: random.Random
) -> None:
    found = reconcile(item, MARCH, records)
    landed = classes(found)
    assert {key: len(there) for key, there in landed.items()} == {r.key: 1 for r in records}
    assert {key: there[0] for key, there in landed.items()} == {r.key: the_class(r, records, item) for r in records}
    assert {event.request_id: (event.billed, event.held) for event in found.events} == {
        r.request_id: the_amounts(r.request_id, records, item) for r in records if r.use_class is not UseClass.REPORTER
    }
    again = records + rng.sample(records, len(records) // 2)
    rng.shuffle(again)
    assert reconcile(item, MARCH, again) == found


@check
@given(reported(), items(), st.integers(0, 12))
def test_read_meter__any_basis_and_limit__adds_up_what_reconciliation_bills_in_the_period(
    records: list[MeteredUse], item: AgreementTerms, limit: int
) -> None:
    for bounded in (item, replace(item, limit=limit)):
        here = [e for e in reconcile(bounded, MARCH, records).events if e.revision == 1 and e.date in MARCH]
        reading = read_meter(bounded, MARCH, records, MARK)
        assert (reading.quantity, reading.held) == (sum(e.billed for e in here), sum(e.held for e in here))
        assert reading.counted + len(reading.excluded) == sum(batch.count for batch in reading.batches)
        assert len({(x.connector, x.seq) for x in reading.excluded}) == len(reading.excluded)


@check
@given(reported(), items(), st.integers(0, 12))
def test_reconcile__a_limit__cuts_what_would_exceed_it_and_nothing_else(
    records: list[MeteredUse], item: AgreementTerms, limit: int
) -> None:
    used = 0
    free, bounded = reconcile(item, MARCH, records), reconcile(replace(item, limit=limit), MARCH, records)
    assert free.apart == bounded.apart
    for before, event in zip(free.events, bounded.events, strict=True):
        delivered = all(record.took_place for record in event.records)
        if event != before:
            assert (event.match, event.billed, event.held, delivered) == (Match.SCOPE, 0, 0, True)
            assert used + before.billed > limit
        elif delivered:
            used += event.billed
    assert used <= limit


@check
@given(reported(), items())
def test_reconcile__acceptance_is_billed__records_are_compared_all_the_same_and_none_is_billed(
    records: list[MeteredUse], item: AgreementTerms
) -> None:
    accepting = replace(item, billing=BillingBasis.ACCEPTED)
    found = reconcile(accepting, MARCH, records)
    assert {key: there[0] for key, there in classes(found).items()} == {
        r.key: the_class(r, records, item) for r in records
    }
    assert not any(event.billed or event.held for event in found.events)
    reading = read_meter(accepting, MARCH, records, MARK)
    assert (reading.quantity, reading.counted, reading.excluded, reading.batches) == (0, 0, (), ())


def test_read_meter__both_sides_agree__each_use_counted_once_by_two_records() -> None:
    provided, consumed = pairs(6)
    reading = read_meter(BOTH, MARCH, provided + consumed, MARK)
    assert (reading.quantity, reading.held, reading.counted, reading.excluded) == (24, 0, 12, ())
    assert [(batch.batch, batch.count) for batch in reading.batches] == [("b-CONSUME", 6), ("b-PROVIDE", 6)]


@pytest.mark.parametrize(
    ("billing", "quantity", "held"),
    [(BillingBasis.BOTH, 3, 2), (BillingBasis.PROVIDER, 5, 0), (BillingBasis.CONSUMER, 3, 0)],
)
def test_read_meter__quantities_differ__lower_or_the_signed_side(
    billing: BillingBasis, quantity: int, held: int
) -> None:
    records = [use(Side.PROVIDE, 0, quantity=5), use(Side.CONSUME, 0, quantity=3)]
    reading = read_meter(replace(BOTH, billing=billing), MARCH, records, MARK)
    assert (reading.quantity, reading.held) == (quantity, held)


def test_read_meter__use_dated_into_two_periods__billed_once_in_the_later_one() -> None:
    records = [
        use(Side.PROVIDE, 0, occurred_at=MARCH.end - 1, received_at=MARCH.end),
        use(Side.CONSUME, 0, occurred_at=MARCH.end, received_at=MARCH.end),
    ]
    march, april = (read_meter(BOTH, period, records, MARK) for period in (MARCH, APRIL))
    assert [(r.quantity, r.counted, [x.reason.value for x in r.excluded]) for r in (march, april)] == [
        (0, 0, ["TIME"]),
        (4, 1, []),
    ]


def test_read_meter__the_other_sides_record_beyond_the_high_water_mark__changes_nothing() -> None:
    """P-ONLY at the cut-off; what comes later cannot change a reading that was made."""
    records = [use(Side.PROVIDE, 0), use(Side.CONSUME, 0, position=MARK + 1)]
    assert read_meter(BOTH, MARCH, records, MARK) == read_meter(BOTH, MARCH, records[:1], MARK)
    assert read_meter(BOTH, MARCH, records, MARK).held == 4
    assert read_meter(BOTH, MARCH, records, MARK + 1).quantity == 4


@pytest.mark.parametrize(("seconds", "match"), [(30, Match.OK_T), (29, Match.TIME)])
def test_reconcile__clocks_apart_across_the_end_of_a_period__agree_within_the_signed_seconds(
    seconds: int, match: Match
) -> None:
    records = [
        use(Side.PROVIDE, 0, occurred_at=MARCH.end - 10, received_at=MARCH.end),
        use(Side.CONSUME, 0, occurred_at=MARCH.end + 20, received_at=MARCH.end + 20),
    ]
    item = replace(BOTH, terms=replace(terms(), tolerance=Tolerance(0, 0, seconds)))
    assert [event.match for event in reconcile(item, MARCH, records).events] == [match]


def test_reconcile__units_beyond_the_limit__breach_evidence_in_order_of_use() -> None:
    provided, consumed = pairs(5)
    found = reconcile(replace(BOTH, limit=9), MARCH, provided + consumed)
    assert [(e.match, e.billed) for e in found.events] == [(Match.OK, 4)] * 2 + [(Match.SCOPE, 0)] * 3


def test_reconcile__refused_or_failed_on_one_side_only__agreed_to_be_nothing() -> None:
    denied = use(Side.CONSUME, 0, decision="deny", outcome_ok=False, use_class=UseClass.REFUSED)
    lost = use(Side.CONSUME, 1, outcome_ok=False, use_class=UseClass.FAILED)
    refused = use(Side.PROVIDE, 2, decision="deny", outcome_ok=False, use_class=UseClass.REFUSED)
    answered = use(Side.CONSUME, 2, outcome_ok=False, use_class=UseClass.FAILED)
    found = reconcile(BOTH, MARCH, [denied, lost, refused, answered])
    assert [(e.match, e.billed, e.held) for e in found.events] == [(Match.OK, 0, 0)] * 3
    billed = replace(BOTH, terms=terms(tariff=per_call(bill_failures=True)))
    assert [e.match for e in reconcile(billed, MARCH, [denied, lost]).events] == [Match.OK, Match.C_ONLY]


def test_reconcile__one_identity_with_two_contents__is_refused() -> None:
    with pytest.raises(Clash, match="演示-PROVIDE/0"):
        reconcile(BOTH, MARCH, [use(Side.PROVIDE, 0), use(Side.PROVIDE, 0, digest="x")])


# Injected differences ------------------------------------------------------------------------------------------------

Records = list[MeteredUse]


def _changed(**changes: object) -> Callable[[MeteredUse], tuple[Records, Records]]:
    return lambda record: ([replace(record, **changes)], [])  # type: ignore[arg-type]


INJECTED: dict[str, tuple[Callable[[MeteredUse], tuple[Records, Records]], Callable[[MeteredUse], Match]]] = {
    # what becomes of the record: (records admitted, records unsigned), and the class its use must land in
    "drop": (lambda r: ([], []), lambda r: Match.C_ONLY if r.side is Side.PROVIDE else Match.P_ONLY),
    "double": (lambda r: ([r, replace(r, seq=r.seq + 10**6, digest="second")], []), lambda r: Match.OK),
    "quantity": (_changed(quantity=7), lambda r: Match.QTY),
    "quantity within tolerance": (_changed(quantity=5), lambda r: Match.OK_T),
    "unit": (_changed(unit="row"), lambda r: Match.UNIT),
    "time": (_changed(occurred_at=MARCH.end + 100, received_at=MARCH.end + 160), lambda r: Match.TIME),
    "late": (_changed(received_at=MARCH.start + 40 * DAY), lambda r: Match.TIME),
    "revision": (_changed(revision=2), lambda r: Match.VERSION),
    "product version": (_changed(use_class=UseClass.VERSION), lambda r: Match.VERSION),
    "outcome": (_changed(outcome_ok=False), lambda r: Match.OUTCOME),
    "scope": (_changed(use_class=UseClass.SCOPE), lambda r: Match.SCOPE),
    "signature": (lambda r: ([], [r]), lambda r: Match.C_ONLY if r.side is Side.PROVIDE else Match.P_ONLY),
    "reporter": (
        lambda r: ([replace(r, use_class=UseClass.REPORTER)], []),
        lambda r: Match.C_ONLY if r.side is Side.PROVIDE else Match.P_ONLY,
    ),
    "conflict": (lambda r: ([r, replace(r, seq=r.seq + 10**6, digest="other", quantity=9)], []), lambda r: Match.OK),
}
APART = {"double": Match.DUP, "conflict": Match.CONFLICT, "signature": Match.SIG, "reporter": Match.SIG}


@check
@given(st.data())
def test_reconcile__injected_differences__each_found_and_classified_as_what_it_is(data: st.DataObject) -> None:
    """Some of twenty agreed uses are spoilt, each in its way and on one side; the others stay OK."""
    item = replace(BOTH, terms=replace(terms(), tolerance=Tolerance(1)))
    provided, consumed = pairs(20)
    spoilt = data.draw(st.dictionaries(st.integers(0, 19), st.tuples(st.sampled_from(sorted(INJECTED)), st.booleans())))
    admitted, unsigned = [], []
    wanted, apart = {f"r{seq}": Match.OK for seq in range(20)}, Counter[Match]()
    for seq, (provide, consume) in enumerate(zip(provided, consumed, strict=True)):
        name, on_provider = spoilt.get(seq, ("", True))
        victim, other = (provide, consume) if on_provider else (consume, provide)
        admitted.append(other)
        if not name:
            admitted.append(victim)
            continue
        spoil, match = INJECTED[name]
        more, alone = spoil(victim)
        admitted, unsigned = admitted + more, unsigned + alone
        wanted[f"r{seq}"] = match(victim)
        if name in APART:
            apart[APART[name]] += 1
    data.draw(st.randoms(use_true_random=False)).shuffle(admitted)
    found = reconcile(item, MARCH, admitted, unsigned)
    assert {event.request_id: event.match for event in found.events} == wanted
    assert Counter(aside.match for aside in found.apart) == apart
    assert all(aside.stands for aside in found.apart if aside.match is not Match.SIG)
    assert set(classes(found)) == {record.key for record in admitted + unsigned}


def test_injected__every_class_of_the_specification__is_among_them() -> None:
    named = {match(use(side, 0)) for _, match in INJECTED.values() for side in Side} | set(APART.values())
    assert named == set(Match)
