"""What both sides state of a period reaches the bill: every tariff and plan that needs it, what is held or comes late.

Amounts are worked out by hand beside each agreement.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from clearing.errors import BadTerms, Clash, HoldReason, NotSigned, TooEarly, UnknownFact
from clearing.settlement import disputed, projecting, service, sharing, store, tables, tracing
from clearing.settlement.inputs import Active, Declared, Inputs, Measured, Scored, SuccessEvent
from clearing.settlement.journal import Kind
from clearing.settlement.rating import CorrectionKind
from clearing.settlement.sharing import Shares
from clearing.settlement.stating import Waiting, subject_of
from clearing.settlement.weighing import Coalition, Contributed, Derived, contribution, shapley
from clearing.terms import (
    DAY,
    AgreementTerms,
    Credit,
    Period,
    Quality,
    QualityBand,
    Slice,
    Step,
    StepKind,
    Success,
    Tariff,
    TariffKind,
)
from ledger import store as facts
from ledger import tables as ledger_tables
from ledger.errors import BadSignature
from ledger.facts import Statement
from ledger.reading import read
from ledger.store import Appended
from tests.clearing.builders import per_call, plan, ratio, terms
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import APRIL, MARCH, OFFICE, Market, database, signed_by, use
from tests.databases import Place

E = "e" * 64
BANDS = Quality("演示方案", 1, (QualityBand("0"), QualityBand("60", 900_000), QualityBand("90", 10**6)))
SLA = (Credit(0, 500_000), Credit(990_000, 100_000), Credit(999_000))
BY_DATA, BY_VALUE = Step(StepKind.CONTRIBUTION), Step(StepKind.SHAPLEY)
TIERED = Step(
    StepKind.TIERED, slices=(Slice(0, ratio(A=1, B=0, C=0).weights), Slice(1000, ratio(A=1, B=1, C=0).weights))
)


def agreement(name: str, tariff: Tariff, *steps: Step, buyer: str = "X") -> AgreementTerms:
    return AgreementTerms(name, 0, terms(buyer, tariff, plan(*(steps or (ratio(A=1, B=1, C=1),)))))


SHARE = agreement("rev", Tariff(TariffKind.REVENUE_SHARE, "call", rate=100_000, base="演示销售收入"))
FEE = agreement("fee", Tariff(TariffKind.SUCCESS_FEE, "call", fixed_fen=500, success=Success("成交", DAY, 90 * DAY)))
SCORED = agreement("qua", replace(per_call(), quality=BANDS))
CREDITED = agreement("sla", replace(per_call(), credits=SLA))
PARTED = agreement("act", Tariff(TariffKind.FIXED, "call", fixed_fen=3100, part_period=True))
BY_USE = agreement("con", per_call(), BY_DATA)
BY_GAME = agreement("sha", per_call(), Step(StepKind.COST_RECOVERY, "C", 302), BY_VALUE)
SLICED = agreement(
    "til", per_call(), Step(StepKind.TRANCHE, "C", 302), TIERED, Step(StepKind.CAP, "A", 1500, overflow="B")
)
ALL = [SHARE, FEE, SCORED, CREDITED, PARTED, BY_USE, BY_GAME, SLICED]


def weights(quantities: dict[str, int]) -> Derived:
    return contribution(BY_DATA, [Contributed(party, n) for party, n in quantities.items()], "con/1/CNY")


def game() -> Derived:
    """v(A) = 1, v(B) = 2, v(AB) = 6: φ_A = (1 + 4) / 2, φ_B = (2 + 5) / 2 of 6."""
    worth = [(("A",), "1"), (("B",), "2"), (("A", "B"), "6")]
    return shapley(BY_VALUE, [Coalition(parties, v, "1", "1") for parties, v in worth], "sha/1/CNY")


SOLD = MARCH.start + 100
EVENTS = (
    SuccessEvent("c1", 1000, SOLD, MARCH.start, E),
    SuccessEvent("c2", 1000, SOLD, MARCH.start, E),
    SuccessEvent("c2", -1000, SOLD + 50, SOLD, E, before=1000),
)
GIVEN: dict[str, tuple[Inputs, Derived | None]] = {
    "rev": (Inputs(declared=Declared(1_234_567, E)), None),
    "fee": (Inputs(events=EVENTS), None),
    "qua": (Inputs(scored=Scored("演示方案", 1, E, "89.99")), None),
    "sla": (Inputs(measured=Measured(1000, 5, E)), None),
    "act": (Inputs(active=Active(10, 31, E)), None),
    "con": (Inputs(), weights({"A": 1, "B": 3})),
    "sha": (Inputs(), game()),
}
GROSS = {
    "rev": 123_457,  # 10 % of 1,234,567
    "fee": 500,  # two successes, one of them taken back
    "qua": 3_150,  # 1,000 calls at 3.5 fen, × 0.9
    "sla": 3_150,  # 99.5 % available: 10 % off
    "act": 1_000,  # 10 of 31 days of 3,100
    "con": 3_500, "sha": 3_500, "til": 3_500,
}  # fmt: skip
DIVIDED = {
    "con": {"A": Fraction(3302, 4), "B": Fraction(3 * 3302, 4), "C": Fraction(0)},
    "sha": {"A": Fraction(3000 * 5, 12), "B": Fraction(3000 * 7, 12), "C": Fraction(302)},
    "til": {"A": Fraction(1500), "B": Fraction(1500), "C": Fraction(302)},  # A: 1000 + 2000 / 2, capped
}
"""Net is 3,500 / 1.06 = 3,301.89, so 3,302."""


def look_up(session: Session, name: str, revision: int) -> AgreementTerms:
    for item in ALL:
        if (item.agreement, item.revision) == (name, revision):
            return item
    raise UnknownFact("agreement revision", f"{name}/{revision}")


def draft(session: Session, name: str, period: Period, inputs: Inputs, derived: Derived | None = None) -> Statement:
    return service.draft_inputs(
        session, look_up, agreement=name, revision=0, period=period.name, inputs=inputs, weights=derived
    )


def state(
    session: Session, name: str, period: Period, at: int, inputs: Inputs | None = None, derived: Derived | None = None
) -> Appended:
    """Both sides sign; without inputs what `GIVEN` says."""
    said = (inputs, derived) if inputs is not None else GIVEN[name]
    signed = signed_by(draft(session, name, period, *said), ("party:X", ""), ("party:A", ""))
    return service.state_inputs(session, OFFICE, signed, look_up, at=at)


def netted(session: Session, market: Market, period: Period, mark: int = 10) -> str:
    return demo.to_netted(session, market, period, mark=mark, agreements=ALL)


def audited(session: Session, market: Market, cycle: str) -> list[str]:
    secret = service.netting_secret(OFFICE, cycle)
    found = service.audit(session, cycle=cycle, agreements=ALL, uses=market.of, secret=secret, earlier=ALL)
    return [str(item) for item in found]


def charged(session: Session, period: str) -> dict[str, int]:
    return {body.label: body.gross for _, body in store.charges(session, period)}


def given(session: Session, name: str) -> dict[str, int]:
    """What each holder of an agreement has been given in all."""
    found: dict[str, int] = {}
    for period in ("2026-03", "2026-04"):
        for body, lines, _ in store.deals(session, period):
            for party, _, amount in lines if body.agreement == name else ():
                found[party] = found.get(party, 0) + amount
    return found


@pytest.fixture
def market() -> Market:
    found = Market()
    found.call(MARCH, **{item.agreement: 1000 for item in ALL})
    found.call(APRIL, con=400)
    return found


def test_every_tariff_and_step__stated__is_charged_divided_netted_and_audited(session: Session, market: Market) -> None:
    for name in GIVEN:
        state(session, name, MARCH, MARCH.end)
    cycle = netted(session, market, MARCH)
    assert charged(session, "2026-03") == {f"{name}#0": gross for name, gross in GROSS.items()}
    for name, exact in DIVIDED.items():
        for party, amount in given(session, name).items():
            assert abs(amount - exact[party]) < 1, (name, party)
        assert sum(given(session, name).values()) == 3302
    assert audited(session, market, cycle) == []
    assert service.held_now(session, cycle=cycle, agreements=ALL) == []


def test_nothing_stated__seven_wait__the_rest_goes_on_and_the_next_cycle_charges_them(
    session: Session, market: Market
) -> None:
    """What came between the cycles is charged by April under March's name; the totals are as if stated in time."""
    march = netted(session, market, MARCH)
    assert charged(session, "2026-03") == {"til#0": 3500}
    assert len(store.readings(session, "2026-03")) == len(ALL)
    waiting = service.held_now(session, cycle=march, agreements=ALL)
    assert {item.agreement for item in waiting} == set(GIVEN)
    base = "the base of the period: 演示销售收入"
    assert Waiting("rev", 0, "2026-03", HoldReason.NOT_GIVEN, "inputs.declared", base) in waiting
    lacks = {item.agreement: item.missing for item in service.asked_of(session, cycle=march, agreements=ALL)}
    assert lacks == {
        "rev": ("inputs.declared",), "fee": ("inputs.events",), "qua": ("inputs.scored",),
        "sla": ("inputs.measured",), "act": ("inputs.active",), "con": ("weights",), "sha": ("weights",),
    }  # fmt: skip
    assert audited(session, market, march) == []
    for name in GIVEN:
        state(session, name, MARCH, APRIL.start + 20 * DAY)
    assert service.held_now(session, cycle=march, agreements=ALL) == []
    april = netted(session, market, APRIL, mark=20)
    late = {label: gross for label, gross in charged(session, "2026-04").items() if "/" in label}
    assert late == {f"{name}#0/2026-03": GROSS[name] for name in GIVEN}
    assert all(body.corrects is None for _, body in store.charges(session, "2026-04"))
    for name in ("sha", "til"):
        assert all(abs(amount - DIVIDED[name][party]) < 1 for party, amount in given(session, name).items())
    assert audited(session, market, april) == []
    assert audited(session, market, march) == []


def test_stated_again__after_the_bill__is_reversed_and_charged_anew_for_that_reason(
    session: Session, market: Market
) -> None:
    state(session, "rev", MARCH, MARCH.end)
    march = netted(session, market, MARCH)
    again = state(session, "rev", MARCH, APRIL.end, Inputs(declared=Declared(2_000_000, E)))
    april = netted(session, market, APRIL, mark=20)
    posted = [body for _, body in store.charges(session, "2026-04") if body.corrects and body.agreement == "rev"]
    assert [(body.corrects.kind, body.gross, body.corrects.basis) for body in posted if body.corrects] == [
        (CorrectionKind.ANEW, 200_000, again.fact.id),
        (CorrectionKind.REVERSAL, -123_457, again.fact.id),
    ]
    assert audited(session, market, april) == []
    assert audited(session, market, march) == [], "March was rated by what stood then"


def test_stated_again__to_what_cannot_be_rated__leaves_the_charge_and_says_so(session: Session, market: Market) -> None:
    state(session, "qua", MARCH, MARCH.end)
    netted(session, market, MARCH)
    state(session, "qua", MARCH, APRIL.end, Inputs(scored=Scored("演示方案", 1, E)))
    cycle = service.open_cycle(session, OFFICE, operator="OP", period=APRIL, grace=DAY, at=APRIL.start).cycle
    service.cut_off(session, OFFICE, cycle=cycle, high_water=20, at=APRIL.end + DAY)
    rated = service.rate(
        session, OFFICE, cycle=cycle, agreements=ALL, uses=market.of, at=APRIL.end + DAY, earlier=ALL
    )  # fmt: skip
    found = {(item.agreement, item.period): item.reason for item in rated.held}
    assert found["qua", "2026-03"] is HoldReason.NO_COEFFICIENT
    assert not [body for _, body in store.charges(session, "2026-04") if body.agreement == "qua"]
    assert audited(session, market, cycle) == []


def test_late_records__under_derived_weights__as_if_they_had_come_in_time(
    session: Session, market: Market, place: Place
) -> None:
    """March is taken back and given again by March's weights, April divided by its own; the other database had all."""
    for period, at in ((MARCH, MARCH.end), (APRIL, APRIL.end)):
        state(session, "con", period, at, Inputs(), weights({"A": 1, "B": 3} if period is MARCH else {"B": 1, "C": 1}))
        if period is MARCH:
            march = netted(session, market, MARCH)
            known = market.uses["con"]
            known += [
                use("con", len(known) + n, MARCH.end - 500 + n, received_at=APRIL.start + DAY, position=15)
                for n in range(10)
            ]
    april = netted(session, market, APRIL, mark=20)
    bodies = [read(Shares, facts.fact(session, name).body) for name in store.shares_ids(session, "2026-04")]
    lineage = [body for body in bodies if body.agreement == "con"]
    assert [body.weights == weights({"A": 1, "B": 3}) for body in lineage].count(True) == 2
    with database(place) as other:
        state(other, "con", MARCH, MARCH.end, Inputs(), weights({"A": 1, "B": 3}))
        netted(other, market, MARCH, mark=20)
        state(other, "con", APRIL, APRIL.end, Inputs(), weights({"B": 1, "C": 1}))
        netted(other, market, APRIL, mark=20)
        assert given(session, "con") == given(other, "con")
        assert sum(given(other, "con").values()) == 3335 + 1321  # 1,010 and 400 calls at 3.5 fen, less 6 %
    for cycle in (march, april):
        assert audited(session, market, cycle) == []


def test_dispute__under_derived_weights__freezes_and_gives_back_by_those_of_the_charge(
    session: Session, market: Market
) -> None:
    """106 gross is 100 net: 25 of A, 75 of B, and the tax of A, whatever the weights of other months."""
    state(session, "con", MARCH, MARCH.end)
    cycle = demo.to_statements(session, market, MARCH, MARCH.end + DAY, agreements=ALL)
    [(charge_id, _)] = [item for item in store.charges(session, "2026-03") if item[1].agreement == "con"]
    sharing_plan, at = BY_USE.terms.plan, MARCH.end + 2 * DAY
    held = disputed.freeze(
        session, OFFICE, dispute="d" * 32, charge_id=charge_id, disputed=106, plan=sharing_plan, at=at
    )  # fmt: skip
    assert held is not None
    frozen = {account.party: -amount for account, amount in store.balance(session).items() if account.kind is Kind.HOLD}
    exact = {"A": Fraction(25 + 6), "B": Fraction(75)}
    assert all(abs(frozen[party] - amount) < 1 for party, amount in exact.items())
    assert sum(frozen.values()) == 106
    assert audited(session, market, cycle) == []
    disputed.release(session, OFFICE, dispute="d" * 32, at=at)
    credit = disputed.give_back(
        session, OFFICE, charge_id=charge_id, amount=3500, basis=held.id, plan=sharing_plan, at=at
    )
    body = read(Shares, facts.fact(session, store.shares_of(session, credit)).body)
    assert body.weights == GIVEN["con"][1]
    assert {line.party: line.amount for line in body.shares} == {
        party: -amount for party, amount in _first(session, charge_id).items()
    }
    assert sharing.entitled_after(body) == {"A": 0, "B": 0, "C": 0}


def _first(session: Session, charge_id: str) -> dict[str, int]:
    body = read(Shares, facts.fact(session, store.shares_of(session, charge_id)).body)
    return {line.party: line.amount for line in body.shares}


def test_audit__a_changed_or_withheld_statement__is_named(session: Session, market: Market) -> None:
    first = state(session, "rev", MARCH, MARCH.end).fact
    second = state(session, "con", MARCH, MARCH.end).fact
    cycle = netted(session, market, MARCH)
    guard = {"sqlite": "fact_no_update", "postgresql": "fact_append_only ON fact"}[session.get_bind().dialect.name]
    session.execute(text(f"DROP TRIGGER {guard}"))
    table = ledger_tables.fact
    with session.begin_nested() as point:
        changed = first.bytes().replace(b'"amount":1234567', b'"amount":1234577')
        session.execute(update(table).where(table.c.id == first.id).values(bytes=changed))
        found = audited(session, market, cycle)
        assert any("charge rev#0" in item and "gross" in item and "123458" in item for item in found)
        point.rollback()
    with session.begin_nested() as point:
        one, other = (str(item.weight).encode() for item in weights({"A": 1, "B": 3}).weights)
        changed = second.bytes().replace(one, b"#").replace(other, one).replace(b"#", other)
        session.execute(update(table).where(table.c.id == second.id).values(bytes=changed))
        assert any(item.startswith("shares con#0") for item in audited(session, market, cycle))
        point.rollback()
    with session.begin_nested() as point:
        session.execute(delete(tables.period_inputs).where(tables.period_inputs.c.agreement == "rev"))
        assert any(item.startswith("charge rev#0") and "absent" in item for item in audited(session, market, cycle))
        point.rollback()
    assert audited(session, market, cycle) == []


def test_state_inputs__what_the_terms_do_not_ask_for_or_cannot_use__is_refused(session: Session) -> None:
    wrong: list[tuple[str, Inputs, Derived | None, str]] = [
        ("til", Inputs(declared=Declared(1, E)), None, "inputs.declared"),
        ("rev", Inputs(scored=Scored("演示方案", 1, E, "1")), None, "inputs.scored"),
        ("qua", Inputs(scored=Scored("别的方案", 1, E, "1")), None, "scheme"),
        ("sla", Inputs(measured=Measured(5, 6, E)), None, "down"),
        ("act", Inputs(active=Active(32, 31, E)), None, "days"),
        ("fee", Inputs(events=(EVENTS[1], replace(EVENTS[2], before=7))), None, "before"),
        ("con", Inputs(), game(), "method"),
        ("con", Inputs(), replace(weights({"A": 1}), weights=()), "weights"),
        ("rev", Inputs(), weights({"A": 1}), "weights"),
    ]
    for name, inputs, derived, field in wrong:
        with pytest.raises(BadTerms, match=field):
            state(session, name, MARCH, MARCH.end, inputs, derived)
    assert facts.count(session) == 0


def test_state_inputs__one_side_a_stranger_another_subject_or_the_second_of_a_rating__is_refused(
    session: Session, market: Market
) -> None:
    said = draft(session, "rev", MARCH, *GIVEN["rev"])
    for who in (["X"], ["A"], ["X", "B"], ["X", "A", "B"]):
        signed = signed_by(said, *((f"party:{party}", "") for party in who))
        with pytest.raises(NotSigned):
            service.state_inputs(session, OFFICE, signed, look_up, at=MARCH.end)
    both = (("party:X", ""), ("party:A", ""))
    foreign = replace(said, subject=subject_of("rev", 0, "2026-04"))
    with pytest.raises(Clash):
        service.state_inputs(session, OFFICE, signed_by(foreign, *both), look_up, at=MARCH.end)
    forged = replace(signed_by(said, *both), statement=replace(said, body={**said.body, "inputs": {}}))
    with pytest.raises(BadSignature):
        service.state_inputs(session, OFFICE, forged, look_up, at=MARCH.end)
    with pytest.raises(UnknownFact):
        draft(session, "nobody", MARCH, Inputs())
    signed = signed_by(said, *both)
    at = MARCH.end + DAY
    demo.to_rated(session, market, MARCH, at, agreements=ALL)
    with pytest.raises(TooEarly):
        service.state_inputs(session, OFFICE, signed, look_up, at=at)
    taken = service.state_inputs(session, OFFICE, signed, look_up, at=at + 1)
    again = service.state_inputs(session, OFFICE, signed, look_up, at=at)
    assert (again.fact, again.replayed) == (taken.fact, True)


def test_trace__of_a_line__leads_to_what_both_sides_stated(session: Session, market: Market) -> None:
    stated = state(session, "rev", MARCH, MARCH.end).fact
    netted(session, market, MARCH)
    statement = store.statement_of(session, "OP.2026-03.CNY", "X").fact_id
    lines = [part for part in store.part_documents(session, statement) if getattr(part, "agreement", "") == "rev"]
    steps = [step for line in lines for step in tracing.trace(session, line).steps]  # type: ignore[arg-type]
    assert stated in [step.fact for step in steps if step.what is tracing.What.STATED]


def test_project__replaying_every_fact__gives_the_same_rows(session: Session, market: Market, place: Place) -> None:
    for name in GIVEN:
        state(session, name, MARCH, MARCH.end)
    netted(session, market, MARCH)
    views = [table for table in tables.metadata.sorted_tables if table.name.startswith("clearing_")]
    with database(place) as second:
        for fact in facts.all_facts(session):
            facts.restore(second, fact, facts.parts_of(session, fact.id))
            if fact.kind in projecting.PROJECTORS:
                projecting.project(second, fact)
        for table in views:
            order = list(table.primary_key.columns)
            left = session.execute(select(table).order_by(*order)).all()
            assert left == second.execute(select(table).order_by(*order)).all(), table.name
            if table is tables.period_inputs:
                assert len(left) == len(GIVEN)
