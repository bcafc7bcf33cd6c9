"""The service level: the table of outages, the formulas against oracles of their own, and a month from its facts."""

from __future__ import annotations

import math
import secrets
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms, NotSigned, UnknownFact, WrongMove
from clearing.market import store as market
from clearing.market.agreement import Role, TermsParty
from clearing.market.errors import NotEntitled
from clearing.market.policy import Decision, Reason
from clearing.market.promise import MeasuringPoint, ServiceTargets
from clearing.terms import month
from clearing.usage.record import Side, StatusClass
from clearing.usage.service_level import service, store
from clearing.usage.service_level.measure import (
    HOUR,
    Availability,
    availability,
    cut,
    is_planned,
    latency,
    length,
    published,
    rate,
    restoring,
    without,
)
from clearing.usage.service_level.notice import (
    MOVES,
    OUTAGE_ACT,
    QUALITY_CHECK,
    Act,
    Consent,
    Metric,
    Outage,
    OutageAct,
    QualityCheck,
    Source,
    Speaker,
    State,
    decide,
)
from ledger.store import Appended
from registry.asset import Twin
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House, listing_of
from tests.clearing.usage.batches import Line, admit, line_of
from tests.counts import few

LISTING, AGREEMENT = "a" * 32, "b" * 64
JUNE = month("2026-06")
S, C = Speaker.SELLER, Speaker.CONSUMER
SPEC = """
– ANNOUNCE S PLANNED | PLANNED CONSENT C PLANNED | PLANNED CALL_OFF S CALLED_OFF
– REPORT SC OPEN | OPEN CONTEST S CONTESTED | OPEN RESTORE S RESTORED | CONTESTED RESTORE S RESTORED
"""
"""exchange.md §8.2 as a table: notice and consent of planned outages, incidents from report to restoration."""


def edges() -> dict[tuple[State, Act, Speaker], State]:
    rows = [row.split() for row in SPEC.replace("\n", "|").split("|") if row.strip()]
    return {
        (State.NONE if start == "–" else State(start), Act(act), {"S": S, "C": C}[who]): State(target)
        for start, act, speakers, target in rows
        for who in speakers
    }


def act_for(act: Act, speaker: Speaker, **changes: object) -> OutageAct:
    fields: dict[str, object] = {
        Act.ANNOUNCE: {"start": NOW + 5 * DAY, "end": NOW + 5 * DAY + HOUR, "text": "升级"},
        Act.REPORT: {"start": NOW - HOUR, "detected_at": NOW - HOUR, "text": "不可用"},
        Act.CONTEST: {"text": "网络在需方侧"},
        Act.RESTORE: {"end": NOW},
    }.get(act, {})  # type: ignore[assignment]
    agreement = AGREEMENT if speaker is C else None
    by = CONSUMER if speaker is C else SELLER
    return OutageAct(act, speaker, by, LISTING, **{"agreement": agreement, **fields, **changes})  # type: ignore[arg-type]


def outage_in(state: State, speaker: Speaker = C) -> Outage | None:
    if state is State.NONE:
        return None
    end = NOW + HOUR if state in (State.PLANNED, State.CALLED_OFF, State.RESTORED) else None
    return Outage(LISTING, state, speaker, NOW, NOW - HOUR, end, NOW - HOUR)


# The table ------------------------------------------------------------------------------------------------------------


def test_table__every_state_act_and_speaker__as_the_text_says() -> None:
    allowed, tried = edges(), 0
    for state, act, speaker in product(State, Act, Speaker):
        target: State | None = None
        with suppress(WrongMove):
            target = decide(outage_in(state), act_for(act, speaker), NOW, 300).state
        assert target == allowed.get((state, act, speaker)), (state, act, speaker)
        tried += 1
    assert (tried, len(MOVES)) == (6 * 6 * 2, len(allowed))


def test_contest__of_ones_own_report__refused() -> None:
    with pytest.raises(BadTerms, match=r"body\.act"):
        decide(outage_in(State.OPEN, S), act_for(Act.CONTEST, S), NOW, 300)


@pytest.mark.parametrize("changes", [{"start": NOW + 301}, {"detected_at": NOW + 301}])
def test_report__of_the_future__refused(changes: dict[str, int]) -> None:
    with pytest.raises(BadTerms):
        decide(None, act_for(Act.REPORT, S, **changes), NOW, 300)


def test_restoration__before_the_beginning__refused() -> None:
    with pytest.raises(BadTerms, match=r"body\.end"):
        decide(outage_in(State.OPEN), act_for(Act.RESTORE, S, end=NOW - 2 * HOUR), NOW, 300)


# Formulas against oracles ---------------------------------------------------------------------------------------------

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda two: (min(two), max(two))), max_size=6)


def seconds(spans: list[tuple[int, int]]) -> set[int]:
    """A window as the set of its seconds: what intervals are compared with."""
    return {second for a, b in spans for second in range(a, b)}


@settings(max_examples=few(300))
@given(SPANS, SPANS, st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_spans__are_sets_of_seconds(some: list[tuple[int, int]], holes: list[tuple[int, int]], ends: object) -> None:
    window = (min(ends), max(ends))  # type: ignore[call-overload]
    inside = cut(some, window)
    assert seconds(inside) == seconds(some) & seconds([window])
    assert length(inside) == len(seconds(inside))
    assert inside == sorted(inside)
    left = without(inside, cut(holes, (0, 60)))
    assert seconds(left) == seconds(inside) - seconds(holes)
    assert length(left) == len(seconds(left))


@settings(max_examples=few(300))
@given(SPANS, SPANS, SPANS, st.integers(0, 60))
def test_availability__second_by_second(
    owed: list[tuple[int, int]], windows: list[tuple[int, int]], down: list[tuple[int, int]], now: int
) -> None:
    """Announced and consented in time; the last incident is still open and runs to the end of the window."""
    base = Outage(LISTING, State.PLANNED, S, -(10**6), 0, consents=(Consent(AGREEMENT, -1),))
    planned = [replace(base, start=a, end=b) for a, b in windows]
    incidents = [Outage(LISTING, State.RESTORED, S, a, a, b, a) for a, b in down]
    incidents += [Outage(LISTING, State.OPEN, S, a, a, None, a) for a, _ in down[-1:]]
    found = availability(owed, (0, now), [*planned, *incidents], AGREEMENT, 72)
    inside = seconds(owed) & seconds([(0, now)])
    agreed = seconds(windows) & inside
    lost = seconds([*down, *((a, now) for a, _ in down[-1:])]) & inside - agreed
    assert found == Availability(len(inside), len(agreed), len(lost))
    served = len(inside) - len(agreed)
    assert found.share == (Fraction(served - len(lost), served) if served else None)


def test_availability__worked_example__four_nines_of_thirty_days_are_259_seconds() -> None:
    """§8.2: 99.99 % of 30 days = 4.32 min."""
    down = Outage(LISTING, State.RESTORED, S, 0, 1_000, 1_000 + 259, 1_000)
    share = availability([(0, 30 * DAY)], (0, 30 * DAY), [down], AGREEMENT, 72).share
    assert share is not None
    assert share >= Fraction(9_999, 10_000)
    longer = replace(down, end=1_000 + 260)
    share = availability([(0, 30 * DAY)], (0, 30 * DAY), [longer], AGREEMENT, 72).share
    assert share is not None
    assert share < Fraction(9_999, 10_000)


@pytest.mark.parametrize(
    ("announced", "consented", "agreement", "state", "planned"),
    [
        (-72 * HOUR, -1, AGREEMENT, State.PLANNED, True),
        (-72 * HOUR + 1, -1, AGREEMENT, State.PLANNED, False),  # one second less than 72 hours
        (-100 * HOUR, 0, AGREEMENT, State.PLANNED, False),  # consent in the first second of the outage
        (-100 * HOUR, -1, "c" * 64, State.PLANNED, False),  # another consumer's consent
        (-100 * HOUR, None, AGREEMENT, State.PLANNED, False),
        (-100 * HOUR, -1, AGREEMENT, State.CALLED_OFF, False),
        (60, -1, AGREEMENT, State.PLANNED, False),  # notice written after the outage (trap 49)
    ],
)
def test_planned__only_with_notice_and_consent_before_it_began(
    announced: int, consented: int | None, agreement: str, state: State, planned: bool
) -> None:
    consents = () if consented is None else (Consent(agreement, NOW + consented),)
    outage = Outage(LISTING, state, S, NOW + announced, NOW, NOW + HOUR, consents=consents)
    assert is_planned(outage, AGREEMENT, 72) is planned


def test_contested__is_left_out__and_open_counts_to_the_end() -> None:
    contested = Outage(LISTING, State.CONTESTED, C, 0, 10, None, 10)
    opened = Outage(LISTING, State.OPEN, C, 0, 90, None, 90)
    found = availability([(0, 100)], (0, 100), [contested, opened], AGREEMENT, 72)
    assert found == Availability(100, 0, 10)
    assert restoring([contested, opened], (0, 100)).mean == 10


@settings(max_examples=few(300))
@given(st.lists(st.integers(0, 500), max_size=250))
def test_latency__nearest_rank__least_value_that_covers_the_share(times: list[int]) -> None:
    found = latency(times)
    assert found.n == len(times)
    if not times:
        assert found.p50_ms is found.p95_ms is found.p99_ms is None
        return
    for share, value in ((50, found.p50_ms), (95, found.p95_ms), (99, found.p99_ms)):
        assert value in times
        within = sum(time <= value for time in times)
        below = sum(time < value for time in times)
        assert within * 100 >= share * len(times) > below * 100


@settings(max_examples=few(100))
@given(st.integers(0, 10**7), st.integers(0, 5))
def test_published__a_number_of_fewer_than_three_consumers__is_an_order_of_magnitude(n: int, consumers: int) -> None:
    shown = published(n, consumers)
    if n == 0 or consumers >= 3:
        assert (shown.n, shown.at_least) == (n, n)
    else:
        assert shown.n is None
        assert shown.at_least == 10 ** math.floor(math.log10(n) + 1e-9)
        assert shown.at_least <= n < 10 * shown.at_least


def test_rate__nothing_checked__no_value() -> None:
    assert rate([]).share is None


# A month from its facts -----------------------------------------------------------------------------------------------


class Scene:
    """A listing with numbers promised, an agreement on it with a connector of each side."""

    def __init__(self, house: House) -> None:
        self.house = house
        value = listing_of()
        promised = replace(value.delivery, targets=ServiceTargets(availability=999_000, p95_ms=200, accuracy=990_000))
        self.product = value.product
        parties = (
            TermsParty(PROVIDER, Role.PROVIDER, ("conn-demo-1",)),
            TermsParty(CONSUMER, Role.CONSUMER),
            TermsParty(SELLER, Role.OPERATOR),
        )
        self.listing = house.listed(delivery=promised)
        targets = ServiceTargets(MeasuringPoint.PROVIDER, availability=999_900, p99_ms=500)
        self.agreement, _ = house.conclude(listing=self.listing, parties=parties, limit=10**6, targets=targets)
        policy = market.terms_of(house.session, self.agreement, 1).policy_digest.sha256
        self.line = Line(self.agreement, self.listing, policy)

    def outage(self, identity: str, act: Act, speaker: Speaker, at: int, by: str = "", **fields: object) -> Appended:
        by = by or (CONSUMER if speaker is C else SELLER)
        agreement = self.agreement if speaker is C else None
        body = OutageAct(act, speaker, by, self.listing, **{"agreement": agreement, **fields})  # type: ignore[arg-type]
        signed = self.house.signed(OUTAGE_ACT, f"outage:{identity}", body, f"party:{by}", self.house.keys[by].sm2)
        return service.take_outage(self.house.session, signed, at=at)

    def check(self, source: Source, by: str, at: int = JUNE.end, signer: str = "", **changes: object) -> Appended:
        agreement = self.agreement if source is Source.CONSUMER else None
        body = QualityCheck(
            by, source, self.listing, Metric.ACCURACY, "2026-06", 1_000, 995, "逐条比对（演示）",
            Twin("1" * 64, "2" * 64), agreement,
        )  # fmt: skip
        body = replace(body, **changes)
        signer = signer or by
        subject = f"quality-check:{secrets.token_hex(16)}"
        signed = self.house.signed(QUALITY_CHECK, subject, body, f"party:{signer}", self.house.keys[signer].sm2)
        return service.take_check(self.house.session, signed, at=at)

    def calls(self, *milliseconds: int, **changes: object) -> None:
        records = [
            item for time in milliseconds
            for item in self.line.more(1, occurred_at=JUNE.start + 10, latency_ms=time, **changes)
        ]  # fmt: skip
        admit(self.house, records, JUNE.start + 60)

    def results(self, at: int = JUNE.end) -> dict[str, tuple[str | None, bool | None]]:
        found = service.disclosure(self.house.session, self.product, "2026-06", at=at)
        return {row.metric: (row.value, row.kept) for row in found.results}


@pytest.fixture
def scene(house: House) -> Scene:
    return Scene(house)


def test_month__of_a_product__target_beside_result_and_what_is_left_out(scene: Scene) -> None:
    scene.calls(*range(1, 101))
    scene.calls(9_999, decision=Decision.DENY, reasons=(Reason.COUNT,), billable=False, status=StatusClass.NONE)
    scene.calls(9_999, status=StatusClass.ERROR)
    down = JUNE.start + 10 * DAY
    scene.outage("1" * 32, Act.REPORT, C, down + 60, start=down, detected_at=down, text="不可用")
    scene.outage("1" * 32, Act.RESTORE, S, down + HOUR + 5, end=down + HOUR)
    scene.outage("2" * 32, Act.REPORT, C, down + DAY, start=down + DAY, detected_at=down + DAY, text="不可用")
    scene.outage("2" * 32, Act.CONTEST, S, down + DAY + 60, text="需方网络故障")
    start = JUNE.start + 20 * DAY
    for identity, notice, consents in (("3" * 32, 4 * DAY, True), ("4" * 32, DAY, True), ("5" * 32, 4 * DAY, False)):
        window = {"start": start, "end": start + 2 * HOUR, "text": "升级"}
        scene.outage(identity, Act.ANNOUNCE, S, start - notice, **window)
        if consents:
            scene.outage(identity, Act.CONSENT, C, start - 60)
        start += DAY
    scene.check(Source.SELLER, SELLER)
    scene.check(Source.CONSUMER, CONSUMER, checked=100, passed=80)
    shown = service.disclosure(scene.house.session, scene.product, "2026-06", at=JUNE.end)
    served = 30 * DAY - 2 * HOUR
    results = {row.metric: (row.value, row.kept) for row in shown.results}
    assert results["availability"] == (str(Fraction(served - HOUR, served)), False)
    assert results["p50_ms"] == ("50", None)
    assert results["p95_ms"] == ("95", True)
    assert results["p99_ms"] == ("99", None)
    assert results["accuracy"] == (str(Fraction(1_075, 1_100)), False)
    assert results["compliance"] == (None, None)
    percent = {row.metric: row.percent for row in shown.results}
    assert percent["availability"] == "99.8607"  # 1 − 3600 / 2584800, cut off
    assert (shown.final, shown.incidents, shown.restore_seconds) == (True, 1, str(HOUR))
    assert (shown.calls.n, shown.calls.at_least) == (None, 100)
    assert (shown.consumers.n, shown.consumers.at_least) == (None, 1)
    assert {name: (count.n, count.at_least) for name, count in shown.checked} == {
        "accuracy/SELLER": (1_000, 1_000), "accuracy/CONSUMER": (None, 100),
    }  # fmt: skip
    assert {row.what: row.number.at_least for row in shown.excluded} == {
        "planned": 1, "unconsented": 2, "contested": 1, "refused": 1, "unanswered": 1,
    }  # fmt: skip
    own = service.of_agreement(scene.house.session, scene.agreement, "2026-06", at=JUNE.end)
    assert (own.latency.n, own.refused, own.unanswered) == (100, 1, 1)
    assert own.seconds == Availability(30 * DAY, 2 * HOUR, HOUR)
    assert {row.metric: row.kept for row in own.results}["p99_ms"] is True


def test_month__open_incident_runs_to_its_end_and_no_further(scene: Scene) -> None:
    down = JUNE.end - HOUR
    scene.outage("1" * 32, Act.REPORT, S, down, start=down, detected_at=down, text="不可用")
    assert scene.results()["availability"][0] == str(Fraction(30 * DAY - HOUR, 30 * DAY))
    later = JUNE.end + 100 * DAY
    assert scene.results(later)["availability"][0] == str(Fraction(30 * DAY - HOUR, 30 * DAY))
    half = JUNE.end - HOUR // 2
    whole = 30 * DAY - HOUR // 2
    assert scene.results(half)["availability"][0] == str(Fraction(whole - HOUR // 2, whole))


def test_month__the_other_sides_records_are_not_measured(scene: Scene) -> None:
    scene.calls(10, 20)
    scene.calls(5_000, side=Side.CONSUME)
    assert scene.results()["p99_ms"][0] == "20"


def test_month__without_an_agreement_or_a_call__no_value_and_no_claim(house: House) -> None:
    listing = listing_of(product="8" * 32)
    house.listed(product=listing.product, certificate=listing.certificate)
    found = service.disclosure(house.session, "8" * 32, "2026-06", at=JUNE.end)
    assert {(row.value, row.kept) for row in found.results} == {(None, None)}
    assert (found.calls.n, found.consumers.n) == (0, 0)


@pytest.mark.parametrize(("name", "error"), [("2026-07", BadTerms), ("2026-6", BadTerms), ("x", BadTerms)])
def test_month__not_begun_or_no_month__refused(scene: Scene, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        service.disclosure(scene.house.session, scene.product, name, at=JUNE.end - 1)
    with pytest.raises(error):
        service.of_agreement(scene.house.session, scene.agreement, name, at=JUNE.end - 1)


def test_month__of_a_product_never_on_a_shelf__unknown(scene: Scene) -> None:
    identity = secrets.token_hex(16)
    scene.house.submit(listing_of(product="9" * 32), identity)
    for product_ in ("9" * 32, "0" * 32):
        with pytest.raises(UnknownFact):
            service.disclosure(scene.house.session, product_, "2026-06", at=JUNE.end)


def test_statements__only_of_the_side_they_speak_for(scene: Scene) -> None:
    window = {"start": NOW + 9 * DAY, "end": NOW + 9 * DAY + HOUR, "text": "升级"}
    with pytest.raises(NotEntitled):
        scene.outage("1" * 32, Act.ANNOUNCE, S, NOW, by=CONSUMER, **window)
    with pytest.raises(NotEntitled):
        scene.outage("1" * 32, Act.ANNOUNCE, S, NOW, by=COURT, **window)
    scene.outage("1" * 32, Act.ANNOUNCE, S, NOW, by=PROVIDER, **window)
    with pytest.raises(NotEntitled):
        scene.outage("1" * 32, Act.CONSENT, C, NOW, by=PROVIDER)
    other = line_of(scene.house)
    with pytest.raises(NotEntitled):
        scene.outage("1" * 32, Act.CONSENT, C, NOW, agreement=other.agreement)
    with pytest.raises(UnknownFact):
        scene.outage("1" * 32, Act.CONSENT, C, NOW, agreement="0" * 64)
    with pytest.raises(NotSigned):
        scene.check(Source.SELLER, SELLER, signer=OPERATOR)
    with pytest.raises(NotEntitled):
        scene.check(Source.THIRD, OPERATOR)
    with pytest.raises(NotEntitled):
        scene.check(Source.CONSUMER, PROVIDER)
    with pytest.raises(BadTerms, match="passed"):
        scene.check(Source.SELLER, SELLER, passed=1_001)
    with pytest.raises(BadTerms, match="period"):
        scene.check(Source.SELLER, SELLER, at=NOW, period="2026-07")
    assert store.checks(scene.house.session, [scene.listing], "2026-06") == []


def test_outage__sent_again__gets_the_first_fact(scene: Scene) -> None:
    body = OutageAct(Act.REPORT, S, SELLER, scene.listing, start=NOW, detected_at=NOW, text="不可用")
    signed = scene.house.signed(OUTAGE_ACT, f"outage:{'1' * 32}", body, f"party:{SELLER}", scene.house.keys[SELLER].sm2)
    first = service.take_outage(scene.house.session, signed, at=NOW)
    again = service.take_outage(scene.house.session, signed, at=NOW + 60)
    assert (again.fact.id, again.replayed) == (first.fact.id, True)


def test_records__last_whole_month_of_a_product_against_its_published_target(scene: Scene) -> None:
    """The availability of June at any second of July, and that of May while June still runs."""
    down = JUNE.start + 10 * DAY
    scene.outage("1" * 32, Act.REPORT, S, down, start=down, detected_at=down, text="不可用")
    scene.outage("1" * 32, Act.RESTORE, S, down + HOUR, end=down + HOUR)
    session = scene.house.session
    for at in (JUNE.end, JUNE.end + 30 * DAY):
        achieved, target = service.records(session, at=at)[scene.product]
        assert Fraction(achieved, target) == Fraction(30 * DAY - HOUR, 30 * DAY) / Fraction(999, 1000)
    achieved, target = service.records(session, at=JUNE.end - 1)[scene.product]
    assert Fraction(achieved, target) == 1 / Fraction(999, 1000)


def test_records__without_a_target_or_an_agreement__none(house: House) -> None:
    house.listed(delivery=replace(listing_of().delivery, targets=ServiceTargets(availability=999_000)))
    house.conclude(listing=house.listed(product="8" * 32))
    assert service.records(house.session, at=JUNE.end) == {}
