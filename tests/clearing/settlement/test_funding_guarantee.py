"""A named guarantor stands in for a net payer, once and no further than it said, and is owed what it paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from clearing.errors import BadTerms, Clash, NotSigned, TooEarly, WrongMove
from clearing.settlement import cover, covering, journal, projecting, register, service, store, tables
from clearing.settlement.audit import Finding
from clearing.settlement.cover import COVER_CALL, FUNDING_GUARANTEE, RECOURSE_REPAID, CoverCall
from clearing.settlement.cycle import State
from clearing.settlement.journal import Account, Kind
from clearing.settlement.netting import Funded, Run
from clearing.settlement.payment import Batch, Direction
from clearing.settlement.statement import Item, Obligation, ObligationPart
from clearing.terms import DAY, AgreementTerms
from clearing.usage.finding import CHECKER, MAKER
from ledger import rebuild
from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import read
from ledger.tables import metadata
from tests.clearing.builders import per_call, plan, ratio, terms
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import AGREEMENTS, MARCH, OFFICE, OPERATOR, SUPERVISED, Market

AT = MARCH.end + DAY
PAIR = (("staff:m", MAKER), ("staff:k", CHECKER))
BOTH = (("party:Z", ""), ("party:Y", ""))
ACCOUNTS = {party: demo.account_of(party) for party in "ABCXYZ"}
BODY = {"operator": OPERATOR, "guarantor": "Z", "party": "Y", "most": 5, "first": "2026-01-01", "last": "2026-12-31"}


def guarantee(session: Session, at: int, most: int, **changes: str) -> str:
    """Z stands for Y in 2026, unless said otherwise."""
    told = {"guarantor": "Z", "party": "Y", "first": "2026-01-01", "last": "2026-12-31"} | changes
    draft = service.draft_guarantee(session, operator=OPERATOR, most=most, **told)  # type: ignore[arg-type]
    signed = demo.signed_by(draft, (f"party:{told['guarantor']}", ""), (f"party:{told['party']}", ""))
    return service.give_guarantee(session, OFFICE, signed, at=at).fact.id


def instruct(session: Session, cycle: str, at: int) -> Batch:
    draft = service.draft_instructions(session, cycle=cycle, account=SUPERVISED, accounts=ACCOUNTS)
    return read(Batch, service.instruct(session, OFFICE, demo.signed_by(draft, *PAIR), at=at).body)


def call(session: Session, cycle: str, at: int) -> CoverCall:
    draft = service.draft_call(session, OFFICE, cycle=cycle, accounts=ACCOUNTS, at=at)
    return read(CoverCall, service.call_cover(session, OFFICE, demo.signed_by(draft, *PAIR), at=at).body)


def pay(session: Session, market: Market, amount: int, end_to_end: str, at: int) -> None:
    service.import_bank_file(session, OFFICE, market.file((amount, end_to_end, "")), at=at)


def audited(
    session: Session, market: Market, cycle: str, agreements: Sequence[AgreementTerms] = AGREEMENTS
) -> list[Finding]:
    secret = service.netting_secret(OFFICE, cycle)
    return service.audit(
        session, cycle=cycle, agreements=agreements, uses=market.of, secret=secret, earlier=agreements
    )  # fmt: skip


@dataclass
class Late:
    """A cycle whose funding clock has run out at `at`: Y brought `part` of its `due` fen, everybody else all."""

    cycle: str
    batch: Batch
    own: str
    due: int
    part: int
    at: int

    @property
    def missing(self) -> int:
        return self.due - self.part


def late(
    session: Session,
    market: Market,
    part: int,
    most: int | None,
    but: str = "Y",
    agreements: Sequence[AgreementTerms] = AGREEMENTS,
) -> Late:
    """Up to where Y is late; Z stands for `most` fen more than Y misses, for nothing where that is None."""
    cycle = demo.to_netted(session, market, MARCH) if most is None else None
    if cycle is None:
        at = MARCH.end + DAY
        cycle = demo.to_statements(session, market, MARCH, at, agreements=agreements)
        demo.confirm(session, cycle, at + 10)
        service.close_window(session, OFFICE, cycle=cycle, at=at + 20)
        obligations, _ = service.eligible(session, cycle)
        owes = sum(item.amount for item in obligations if item.debtor == "Y")
        gets = sum(item.amount for item in obligations if item.creditor == "Y")
        guarantee(session, at + 25, owes - gets - part + (most or 0))
        service.net(session, OFFICE, cycle=cycle, at=at + 30)
    batch = instruct(session, cycle, AT + 40)
    own = next(item for item in batch.instructions if item.party == "Y")
    rest = [(item.amount, item.end_to_end, "") for item in batch.instructions
            if item.direction is Direction.FUNDING and item.party not in but]  # fmt: skip
    if part:
        rest.append((part, own.end_to_end, ""))
    if rest:
        service.import_bank_file(session, OFFICE, market.file(*rest), at=AT + 50)
    return Late(cycle, batch, own.end_to_end, own.amount, part, store.cycle(session, cycle).until)


def finish(
    session: Session,
    market: Market,
    case: Late,
    batch: Batch,
    at: int,
    agreements: Sequence[AgreementTerms] = AGREEMENTS,
) -> None:
    """Pays out and closes; every sum and the audit agree."""
    service.advance_payments(session, OFFICE, cycle=case.cycle, at=at)
    service.import_bank_file(session, OFFICE, market.file(*demo.booked(batch, Direction.PAYOUT)), at=at + 1)
    assert service.advance_payments(session, OFFICE, cycle=case.cycle, at=at + 1).state is State.SETTLED
    assert service.money_sums(session, cycle=case.cycle).agrees
    journal.trial_balance(store.balance(session))
    demo.close(session, case.cycle, at + 2)
    assert audited(session, market, case.cycle, agreements) == []


def recourse(session: Session) -> dict[str, int]:
    """What is open between party and guarantor, by party: owed > 0."""
    return {a.party: n for a, n in store.balance(session).items() if a.agreement.startswith("recourse/")}


def views(session: Session) -> dict[str, list[tuple[object, ...]]]:
    """Every row that is derived from facts."""
    return {
        table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
        for table in rebuild.view_tables()
    }


def test_call__the_guarantor_pays_what_is_missing__the_cycle_settles_and_it_is_owed(
    session: Session, market: Market
) -> None:
    case = late(session, market, part=100, most=0)
    with pytest.raises(TooEarly):
        service.draft_call(session, OFFICE, cycle=case.cycle, accounts=ACCOUNTS, at=case.at - 1)
    with pytest.raises(WrongMove, match=r"担保方催付.*Z 担保 Y"):
        service.declare_default(session, OFFICE, cycle=case.cycle, at=case.at)
    made = call(session, case.cycle, case.at)
    assert [(one.party, one.missing, one.guarantor, one.amount) for one in made.asked] == [
        ("Y", case.missing, "Z", case.missing)
    ]
    (order,) = made.batch.instructions
    assert (order.party, order.amount, order.account) == ("Y", case.missing, demo.account_of("Z"))
    assert store.cycle(session, case.cycle).until == made.until == case.at + 3 * DAY
    with pytest.raises(TooEarly):
        service.declare_default(session, OFFICE, cycle=case.cycle, at=made.until - 1)
    pay(session, market, case.missing, order.end_to_end, case.at + 1)
    assert service.advance_payments(session, OFFICE, cycle=case.cycle, at=case.at + 1).state is State.FUNDED
    assert recourse(session) == {"Y": case.missing, "Z": -case.missing}
    both = "、".join(sorted([case.own, order.end_to_end]))
    lines = [line for line in register.rows(session, case.cycle) if line.debtor == "Y"]
    assert {line.funding for line in lines} == {both}, "the ledger of obligations names both instructions"
    assert [line.settled for line in lines] == [line.amount for line in lines]
    finish(session, market, case, case.batch, case.at + 2)
    assert service.money_sums(session, cycle=case.cycle).suspense == 0
    april = demo.to_statements(session, market, demo.APRIL, demo.APRIL.end + 9 * DAY)
    named = {item.body.party for item in store.statements(session, april)}
    assert "Z" not in named, "what Y owes Z is between them and set off against nothing"
    assert recourse(session) == {"Y": case.missing, "Z": -case.missing}


@pytest.mark.parametrize("first", [1, 40, 700])
def test_call__own_money_that_comes_late__is_counted_once_and_the_rest_waits(
    session: Session, market: Market, first: int
) -> None:
    """Whoever comes first is counted: `first` fen of Y late, all of Z, then all that Y was asked for again."""
    case = late(session, market, part=0, most=0)
    made = call(session, case.cycle, case.at)
    (order,) = made.batch.instructions
    pay(session, market, first, case.own, case.at + 1)
    pay(session, market, case.due, order.end_to_end, case.at + 2)
    pay(session, market, case.due - first, case.own, case.at + 3)
    assert recourse(session) == {"Y": case.due - first, "Z": first - case.due}
    assert service.money_sums(session, cycle=case.cycle).suspense == case.due, "what is not needed is nobody's income"
    assert store.balance(session).get(Account(Kind.RCV, "Y", "net", MARCH.name), 0) == 0
    finish(session, market, case, case.batch, case.at + 4)


def naive(
    obligations: list[Obligation], brought: Mapping[str, int], paid: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Y left, and Z had `paid` beside what Y brought itself: what each of Y's creditors gets of both in whole fen, and
    what everybody is due or has yet to bring then. Remainders to the largest, ties by name."""
    claims = {item.creditor: item.amount for item in obligations if item.debtor == "Y"}
    total = sum(claims.values())
    paid += brought.get("Y", 0)
    parts = {name: paid * claim // total for name, claim in claims.items()}
    order = sorted(claims, key=lambda name: (-(paid * claims[name] % total), name))
    for name in order[: paid - sum(parts.values())]:
        parts[name] += 1
    due = {name: amount for name, amount in brought.items() if name != "Y"}
    for item in obligations:
        if "Y" not in (item.debtor, item.creditor):
            due[item.debtor] = due.get(item.debtor, 0) - item.amount
            due[item.creditor] = due.get(item.creditor, 0) + item.amount
    for name, amount in parts.items():
        due[name] = due.get(name, 0) + amount
    return parts, {name: amount for name, amount in due.items() if amount}


@pytest.mark.parametrize(("own", "paid"), [(0, 0), (0, 1), (0, 333), (7, 100)])
def test_default__what_the_guarantor_paid_too_little__pays_the_creditors_in_proportion(
    session: Session, market: Market, own: int, paid: int
) -> None:
    case = late(session, market, part=own, most=0)
    run_id = store.netting_of(session, case.cycle) or ""
    before = [Obligation(p.debtor, p.creditor, p.amount, p.items) for p in store.part_documents(session, run_id)
              if isinstance(p, ObligationPart)]  # fmt: skip
    brought = store.paid_in(session, run_id, store.instructions_of(session, case.cycle))
    made = call(session, case.cycle, case.at)
    if paid:
        pay(session, market, paid, made.batch.instructions[0].end_to_end, case.at + 1)
    parts, due = naive(before, brought, paid)
    owed_before = {item.creditor: item.amount for item in before if item.debtor == "Y"}
    service.declare_default(session, OFFICE, cycle=case.cycle, at=made.until)
    journal.trial_balance(store.balance(session))
    run = read(Run, facts.fact(session, store.netting_of(session, case.cycle) or "").body)
    assert {name: amount for name, amount in run.final.items() if amount} == due
    left = {item.creditor: item.amount for item in service.netted_in(session, case.cycle, store.netting_of(
        session, case.cycle) or "")[1] if item.debtor == "Y"}  # fmt: skip
    assert left == {name: owed_before[name] - parts[name] for name in owed_before}
    assert recourse(session) == ({"Y": paid, "Z": -paid} if paid else {})
    again = instruct(session, case.cycle, made.until + 1)
    pay(session, market, 9, made.batch.instructions[0].end_to_end, made.until + 2)
    assert service.money_sums(session, cycle=case.cycle).suspense == 9, "too late: nobody is owed for it"
    dues = demo.booked(again, Direction.FUNDING)
    service.import_bank_file(session, OFFICE, market.file(*dues), at=made.until + 3)
    finish(session, market, case, again, made.until + 4)
    assert recourse(session) == ({"Y": paid, "Z": -paid} if paid else {})


def test_default__of_another_when_the_guarantor_paid__what_its_party_needs_no_more_is_the_guarantors(
    session: Session,
) -> None:
    """Y owes X too. X, which nobody stands for, brings nothing and leaves: Y needs less then, and nobody but Z is paid
    the rest of what Z brought for Y."""
    own = AgreementTerms("g4", 0, terms("Y", per_call(2, 1), plan(ratio(X=1), parties="X"), issuer="X"))
    agreements = [*AGREEMENTS, own]
    market = Market()
    market.call(MARCH, g1=1001, g2=500, g4=20)
    case = late(session, market, part=0, most=0, but="XY", agreements=agreements)
    before, _ = service.netted_in(session, case.cycle, store.netting_of(session, case.cycle) or "")
    made = call(session, case.cycle, case.at)
    pay(session, market, case.due, made.batch.instructions[0].end_to_end, case.at + 1)
    to_x = next(item.amount for item in before if (item.debtor, item.creditor) == ("Y", "X"))
    service.declare_default(session, OFFICE, cycle=case.cycle, at=made.until)
    run = read(Run, facts.fact(session, store.netting_of(session, case.cycle) or "").body)
    needs = case.due - to_x
    assert {(item.party, item.by): item.amount for item in run.funded or ()} == {("Y", "Z"): needs, ("Z", None): to_x}
    assert {"Y": 0, "Z": to_x}.items() <= run.final.items()
    assert recourse(session) == {"Y": needs, "Z": -needs}
    again = instruct(session, case.cycle, made.until + 1)
    finish(session, market, case, again, made.until + 3, agreements=agreements)
    before_rebuild = views(session)
    rebuild.clear_views(session)
    rebuild.fold(session, session, projecting.PROJECTORS)
    assert views(session) == before_rebuild, "the facts alone give every row again"


def test_default__twice__what_the_guarantor_paid_for_claims_that_left_goes_back(
    session: Session, market: Market
) -> None:
    """Z paid a part for Y, which left; then a creditor of Y that is short leaves too."""
    case = late(session, market, part=0, most=0)
    made = call(session, case.cycle, case.at)
    pay(session, market, 333, made.batch.instructions[0].end_to_end, case.at + 1)
    service.declare_default(session, OFFICE, cycle=case.cycle, at=made.until)
    again = instruct(session, case.cycle, made.until + 1)
    short = {item.party for item in again.instructions if item.direction is Direction.FUNDING}
    assert short, "somebody has to bring more than it had"
    service.declare_default(session, OFFICE, cycle=case.cycle, at=store.cycle(session, case.cycle).until)
    run = read(Run, facts.fact(session, store.netting_of(session, case.cycle) or "").body)
    stays = sum(item.amount for item in run.funded or () if item.by == "Z")
    assert run.final.get("Z", 0) == 333 - stays
    assert recourse(session) == ({"Y": stays, "Z": -stays} if stays else {})
    last = instruct(session, case.cycle, store.cycle(session, case.cycle).until + 1)
    until = store.cycle(session, case.cycle).until
    service.import_bank_file(session, OFFICE, market.file(*demo.booked(last, Direction.FUNDING)), at=until + 1)
    finish(session, market, case, last, until + 2)
    assert recourse(session) == ({"Y": stays, "Z": -stays} if stays else {})


def test_carried__what_one_that_left_pays_to_a_party__its_guarantor_gets_back() -> None:
    """Y is short and leaves; of the 11 it brought 1 is P's, so P needs 39 of the 80 that Z brought for it."""
    owed = (("P", "A", 40), ("P", "Y", 50), ("Y", "A", 100), ("Y", "P", 10))
    run = [Obligation(debtor, creditor, n, (Item("g", MARCH.name, n),)) for debtor, creditor, n in owed]
    brought = (Funded("P", 80, "Z"), Funded("Y", 11))
    found = cover.resolved(run, brought)
    goes_on = cover.carried(found, brought, None)
    assert (found.cured, found.excluded) == (("P",), ("Y",))
    assert goes_on.funded == (Funded("P", 39, "Z"), Funded("Y", 11), Funded("Z", 41))
    assert goes_on.returned == (Funded("P", 41, "Z"),)
    assert [(item.creditor, item.amount) for item in goes_on.covered] == [("A", 10), ("P", 1)]


def test_call__no_further_than_the_guarantee_goes__less_what_is_owed_from_before(
    session: Session, market: Market
) -> None:
    case = late(session, market, part=0, most=-30)
    made = call(session, case.cycle, case.at)
    assert (made.asked[0].missing, made.asked[0].amount) == (case.due, case.due - 30)
    pay(session, market, case.due - 30, made.batch.instructions[0].end_to_end, case.at + 1)
    assert service.advance_payments(session, OFFICE, cycle=case.cycle, at=case.at + 1).state is State.INSTRUCTED
    pay(session, market, 30, case.own, case.at + 2)
    finish(session, market, case, case.batch, case.at + 3)
    assert cover.asked_of({"Y": 50}, {"Y": store.Standing("f", 0, read(cover.FundingGuarantee, BODY))}, {"Y": 5}) == ()


def test_call__without_a_guarantor_or_twice_or_changed__is_refused(session: Session, market: Market) -> None:
    case = late(session, market, part=0, most=0)
    draft = service.draft_call(session, OFFICE, cycle=case.cycle, accounts=ACCOUNTS, at=case.at)
    with pytest.raises(BadTerms, match="Z"):
        service.draft_call(session, OFFICE, cycle=case.cycle, accounts={}, at=case.at)
    body = dict(draft.body) | {"until": case.at + 4 * DAY}
    for changed, error in ((body, BadTerms), (dict(draft.body) | {"instructions": "0" * 64}, Clash)):
        wrong = Statement(COVER_CALL, draft.subject, draft.no, draft.prev, changed)
        with pytest.raises(error):
            service.call_cover(session, OFFICE, demo.signed_by(wrong, *PAIR), at=case.at)
    with pytest.raises(BadTerms, match="until"):
        service.call_cover(session, OFFICE, demo.signed_by(draft, *PAIR), at=case.at + 2 * DAY + 1)
    with pytest.raises(NotSigned):
        service.call_cover(session, OFFICE, demo.signed_by(draft, PAIR[0]), at=case.at)
    signed = demo.signed_by(draft, *PAIR)
    first = service.call_cover(session, OFFICE, signed, at=case.at)
    assert service.call_cover(session, OFFICE, signed, at=case.at + 5).id == first.id
    with pytest.raises(WrongMove):
        service.draft_call(session, OFFICE, cycle=case.cycle, accounts=ACCOUNTS, at=case.at)


def test_call__while_one_for_the_same_party_waits_in_another_cycle__is_refused(
    session: Session, market: Market
) -> None:
    """Both together could ask for more than the guarantee."""
    market.call(demo.APRIL, g2=400)
    case = late(session, market, part=0, most=0)
    made = call(session, case.cycle, case.at)
    april = demo.to_netted(session, market, demo.APRIL)
    at = demo.APRIL.end + DAY
    batch = instruct(session, april, at + 40)
    assert any(item.party == "Y" and item.direction is Direction.FUNDING for item in batch.instructions)
    until = store.cycle(session, april).until
    with pytest.raises(WrongMove, match=r"2026-03.*under the same guarantee"):
        service.draft_call(session, OFFICE, cycle=april, accounts=ACCOUNTS, at=until)
    pay(session, market, case.due - 60, made.batch.instructions[0].end_to_end, until)
    pay(session, market, 60, case.own, until)
    service.advance_payments(session, OFFICE, cycle=case.cycle, at=until)
    asked = call(session, april, until + 1).asked
    assert [(item.party, item.amount) for item in asked] == [("Y", 60)], "what Y owes Z counts"
    assert audited(session, market, april) == []


def test_call__nobody_stands__the_default_goes_on_as_before(session: Session, market: Market) -> None:
    case = late(session, market, part=0, most=None)
    with pytest.raises(WrongMove):
        service.draft_call(session, OFFICE, cycle=case.cycle, accounts=ACCOUNTS, at=case.at)
    service.declare_default(session, OFFICE, cycle=case.cycle, at=case.at)


def test_give_guarantee__while_a_cycle_under_it_is_not_funded__is_refused(session: Session, market: Market) -> None:
    case = late(session, market, part=0, most=0)
    with pytest.raises(WrongMove, match="funded"):
        guarantee(session, case.at, 0)
    made = call(session, case.cycle, case.at)
    pay(session, market, case.due, made.batch.instructions[0].end_to_end, case.at + 1)
    service.advance_payments(session, OFFICE, cycle=case.cycle, at=case.at + 1)
    guarantee(session, case.at + 2, 0)
    guarantee(session, case.at + 3, 9, guarantor="X")
    assert [one.body.guarantor for one in store.guarantees(session, OPERATOR)] == ["X"]
    assert audited(session, market, case.cycle) == []


def test_give_guarantee__in_the_second_of_a_netting__is_refused_and_stands_for_none_before_it(
    session: Session, market: Market
) -> None:
    cycle = demo.to_netted(session, market, MARCH)
    entered = store.last_entered(session, State.NETTED)
    with pytest.raises(TooEarly):
        guarantee(session, entered, 10)
    guarantee(session, entered + 1, 10)
    assert store.guarantee_of(session, store.cycle(session, cycle), "Y") is None


@pytest.mark.parametrize(
    ("first", "last", "stands"),
    [("2026-04-02", "2026-04-02", True), ("2026-04-03", "2026-12-31", False), ("2026-01-01", "2026-04-01", False)],
)
def test_guarantee__stands_on_its_days__and_the_day_of_the_netting_decides(
    session: Session, market: Market, first: str, last: str, stands: bool
) -> None:
    """The cycle of March is netted on 2 April, Beijing time."""
    guarantee(session, AT - 1, 10, first=first, last=last)
    cycle = demo.to_netted(session, market, MARCH)
    assert (store.guarantee_of(session, store.cycle(session, cycle), "Y") is not None) == stands


def test_give_guarantee__of_another_while_one_stands__is_refused_until_it_ended(session: Session) -> None:
    guarantee(session, AT, 5)
    with pytest.raises(BadTerms, match="guarantor"):
        guarantee(session, AT + 1, 5, guarantor="X")
    guarantee(session, AT + 2, 5, last="2026-04-02")
    guarantee(session, AT + 3 * DAY, 5, guarantor="X")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"operator": "A"}, "body.operator"),
        ({"guarantor": "Y"}, "body.guarantor"),
        ({"guarantor": ""}, "body.guarantor"),
        ({"party": ""}, "body.party"),
        ({"most": -1}, "body.most"),
        ({"most": 10**15}, "body.most"),
        ({"most": "5"}, "body.most"),
        ({"first": "2026-1-1"}, "body.first"),
        ({"first": "20260101"}, "body.first"),
        ({"last": "2025-12-31"}, "body.last"),
        ({"note": "x"}, "body.note"),
    ],
    ids=str,
)
def test_give_guarantee__bad_bodies__are_refused_by_field(
    session: Session, change: dict[str, object], field: str
) -> None:
    body = BODY | change
    made = Statement(FUNDING_GUARANTEE, f"funding-guarantee:{body['operator']}.{body['party']}", 0, None, body)
    with pytest.raises((BadTerms, FieldError)) as refused:
        service.give_guarantee(session, OFFICE, demo.signed_by(made, *BOTH), at=AT)
    assert refused.value.field == field
    assert store.guarantees(session, OPERATOR) == []


@pytest.mark.parametrize("signers", [(), BOTH[:1], BOTH[1:], (BOTH[0], ("party:Y", "operator")), PAIR,
                                     (BOTH[0], ("party:X", "")), (*BOTH, ("party:X", ""))], ids=str)  # fmt: skip
def test_give_guarantee__signed_by_others__is_refused(session: Session, signers: tuple[tuple[str, str], ...]) -> None:
    made = Statement(FUNDING_GUARANTEE, f"funding-guarantee:{OPERATOR}.Y", 0, None, BODY)
    with pytest.raises(NotSigned):
        service.give_guarantee(session, OFFICE, demo.signed_by(made, *signers), at=AT)


def test_give_guarantee__about_another_subject_or_kind__is_refused(session: Session) -> None:
    for kind, subject in ((FUNDING_GUARANTEE, f"funding-guarantee:{OPERATOR}.X"), ("netting-limits/v1", "x:y")):
        made = Statement(kind, subject, 0, None, BODY)
        with pytest.raises(Clash):
            service.give_guarantee(session, OFFICE, demo.signed_by(made, *BOTH), at=AT)


def test_give_guarantee__sent_again__is_the_first_fact(session: Session) -> None:
    draft = service.draft_guarantee(session, **BODY)  # type: ignore[arg-type]
    signed = demo.signed_by(draft, *BOTH)
    first = service.give_guarantee(session, OFFICE, signed, at=AT)
    again = service.give_guarantee(session, OFFICE, signed, at=AT + 9)
    assert (again.replayed, again.fact.id) == (True, first.fact.id)


def repaid(session: Session, amount: int, at: int, by: str = "party:Z") -> str:
    """Z says that Y has repaid it so much of what it paid in March."""
    body = {"operator": OPERATOR, "guarantor": "Z", "party": "Y", "period": MARCH.name, "amount": amount}
    no, prev = facts.next_of(session, f"recourse:{OPERATOR}.Z.Y")
    made = Statement(RECOURSE_REPAID, f"recourse:{OPERATOR}.Z.Y", no, prev, body)
    return service.take_repaid(session, OFFICE, demo.signed_by(made, (by, "")), at=at).fact.id


def test_repaid__what_the_guarantor_got_is_owed_no_more__and_never_more_than_was_owed(
    session: Session, market: Market
) -> None:
    case = late(session, market, part=100, most=0)
    made = call(session, case.cycle, case.at)
    pay(session, market, case.missing, made.batch.instructions[0].end_to_end, case.at + 1)
    with pytest.raises(WrongMove, match="funded"):
        repaid(session, 1, case.at + 1)
    finish(session, market, case, case.batch, case.at + 2)
    assert recourse(session) == {"Y": case.missing, "Z": -case.missing}
    for amount, refusal in ((0, BadTerms), (-1, FieldError), (case.missing + 1, BadTerms)):
        with pytest.raises(refusal, match="amount"):
            repaid(session, amount, case.at + 9)
    with pytest.raises(NotSigned):
        repaid(session, 1, case.at + 9, "party:Y")
    repaid(session, 5, case.at + 9)
    assert recourse(session) == {"Y": case.missing - 5, "Z": 5 - case.missing}
    draft = service.draft_repaid(
        session, operator=OPERATOR, guarantor="Z", party="Y", period=MARCH.name, amount=case.missing - 5
    )
    signed = demo.signed_by(draft, ("party:Z", ""))
    first = service.take_repaid(session, OFFICE, signed, at=case.at + 10)
    assert service.take_repaid(session, OFFICE, signed, at=case.at + 11) == replace(first, replayed=True)
    assert recourse(session) == {}
    with pytest.raises(BadTerms, match="amount"):
        repaid(session, 1, case.at + 12)
    journal.trial_balance(store.balance(session))
    assert audited(session, market, case.cycle) == []
    table = tables.posting
    session.execute(update(table).where(table.c.agreement == "recourse/Z", table.c.amount == -5).values(amount=-6))
    assert any("recourse-repaid" in found.row for found in audited(session, market, case.cycle))


@pytest.mark.parametrize(("paid", "amount"), [(0, 7), (-2, 7), (-2, 1), (-2, 5)])
def test_part_of__pays_what_is_said_and_the_rest_adds_up(paid: int, amount: int) -> None:
    items = (Item("a", "p", 4), *((Item("b", "p", paid),) if paid else ()), Item("c", "p", 5))
    whole = Obligation("Y", "A", sum(item.amount for item in items), items)
    part = cover.part_of(whole, amount)
    (rest,) = cover.less((whole,), (part,)) or (replace(whole, amount=0, items=()),)
    assert sum(item.amount for item in part.items) == part.amount == amount
    assert sum(item.amount for item in rest.items) == rest.amount == whole.amount - amount
    assert all(item.amount > 0 for item in rest.items)


@pytest.mark.parametrize("what", ["amount", "party", "agreement", "kind", "missing"])
def test_audit__a_changed_posting_of_the_recourse__is_named(session: Session, market: Market, what: str) -> None:
    case = late(session, market, part=0, most=0)
    made = call(session, case.cycle, case.at)
    pay(session, market, case.due, made.batch.instructions[0].end_to_end, case.at + 1)
    assert audited(session, market, case.cycle) == []
    table, head = tables.posting, tables.journal_transaction
    (number,) = session.execute(select(head.c.no).where(head.c.event == "cover-recourse")).scalars()
    change = {"amount": table.c.amount * 2, "party": "X", "agreement": "recourse/X", "kind": "REF"}
    if what == "missing":
        session.execute(update(head).where(head.c.no == number).values(event="charge"))
    else:
        session.execute(update(table).where(table.c.no == number).values(**{what: change[what]}))
    assert any("cover-recourse" in found.row for found in audited(session, market, case.cycle))


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("clearing_bank_entry", "applied"),
        ("clearing_payment_instruction", "party"),
        ("clearing_payment_instruction", "fact_id"),
        ("clearing_journal_transaction", "event_id"),
    ],
)
def test_audit__a_changed_row_of_what_the_guarantor_paid__is_named(
    session: Session, market: Market, table: str, column: str
) -> None:
    """What counted for Y in the second run is recomputed from the bank's entries on the call."""
    case = late(session, market, part=0, most=0)
    made = call(session, case.cycle, case.at)
    end_to_end = made.batch.instructions[0].end_to_end
    pay(session, market, 333, end_to_end, case.at + 1)
    service.declare_default(session, OFFICE, cycle=case.cycle, at=made.until)
    assert audited(session, market, case.cycle) == []
    rows = metadata.tables[table]
    which = rows.c.event == "cover-recourse" if "event" in rows.c else rows.c.end_to_end == end_to_end
    value = rows.c.applied - 1 if column == "applied" else "X"
    session.execute(update(rows).where(which).values(**{column: value}))
    assert audited(session, market, case.cycle) != []


def test_audit__a_call_for_what_was_not_missing__is_named(session: Session, market: Market) -> None:
    """A call forged by somebody with both keys, past every door: the audit finds what was missing in the journal."""
    case = late(session, market, part=0, most=0)
    draft = service.draft_call(session, OFFICE, cycle=case.cycle, accounts=ACCOUNTS, at=case.at)
    asked = [dict(draft.body["asked"][0]) | {"amount": 5, "missing": 5}]
    forged = Statement(COVER_CALL, draft.subject, draft.no, draft.prev, dict(draft.body) | {"asked": asked})
    taken = facts.append(session, Signed(forged, demo.signed_by(forged, *PAIR).signatures), at=case.at)
    projecting.project(session, taken.fact)
    named = {found.field for found in audited(session, market, case.cycle) if found.row.startswith("cover call")}
    assert named == {"asked[0].amount", "asked[0].missing"}


def test_audit__a_default_past_the_guarantor__is_named(
    session: Session, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Declared by a program that does not ask for guarantors."""
    case = late(session, market, part=0, most=0)
    with monkeypatch.context() as changed:
        changed.setattr(covering, "to_call", lambda session, *, cycle: ())
        service.declare_default(session, OFFICE, cycle=case.cycle, at=case.at)
    assert [(found.field, found.expected) for found in audited(session, market, case.cycle)] == [
        ("cover call", "Z → Y")
    ]
