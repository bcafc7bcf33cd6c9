"""The kinds of steps the simulator draws from, in one table, each with what the model is told of it.

Everything a step needs is drawn from the seed and the model before it is taken, so it can be taken by a child that is
killed, and once more by its parent. One more kind of step is one more entry of `STEPS`. Everything is 演示.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clearing.errors import BankFileRefused, ClearingError, TooEarly, WrongMove
from clearing.market.policy import Decision as Gate
from clearing.market.policy import Reason
from clearing.settlement import onchain, service, store
from clearing.settlement.cover import COVER_CALL
from clearing.settlement.dispute import service as disputes
from clearing.settlement.dispute.opening import DISPUTE_ACT, Act, Complaint, DisputeAct, Side, Topic
from clearing.settlement.netting.limits import subject_of
from clearing.terms import (
    Period,
)
from clearing.usage import service as usage
from clearing.usage.batch import freeze, receive
from clearing.usage.finding import CHECKER, MAKER
from clearing.usage.record import Admitted, StatusClass
from clearing.usage.service import Admission, Refusal
from ledger import log
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of
from tests.clearing.market.house import DAY, OPERATOR
from tests.clearing.settlement.settlement_oracle import (
    CLOCK,
    ORDER,
    Charge,
    Cycle,
    Dispute,
    Order,
    Use,
)
from tests.clearing.settlement.simulator import (
    AUDITOR,
    BOOK,
    CODES,
    DECISION,
    LAST,
    SUPERVISED,
    TRIPLES,
    Kind,
    Simulator,
    day_of,
    period_of,
    working_days,
)
from tests.clearing.settlement.simulator_agreements import (
    Amend,
    Conclude,
    ConcludeGoods,
    connector_key,
    connector_of,
)
from tests.clearing.settlement.simulator_goods import GOODS_STEPS
from tests.clearing.settlement.simulator_guarantors import GUARANTOR_STEPS, TAKEN, accounts_of
from tests.clearing.settlement.simulator_limits import LIMIT_STEPS, refused_in_the_second
from tests.clearing.settlement.simulator_orders import ORDER_STEPS

# Use ------------------------------------------------------------------------------------------------------------------


class Report(Kind):
    """Usage of one agreement arrives in a signed batch: in time, in any order, late up to the limit and beyond, failed,
    refused, or under a request id that was used before."""

    weight = 14

    def options(self, m: Simulator) -> list[Any]:
        return [name for name in m.agreements() if m.at < (m.model.ends(name) or LAST) + 40 * DAY]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return drawn_records(m, m.rng.choice(options), m.rng.randint(1, 5))

    def act(self, m: Simulator, what: tuple[list[Admitted], list[Use]]) -> None:
        assert isinstance(admitted(m, what[0]), Admission)

    def know(self, m: Simulator, what: tuple[list[Admitted], list[Use]]) -> None:
        m.sent.append(what[0])
        m.model.uses += [replace(use, received=m.at) for use in what[1]]

    def tell(self, what: Any) -> str:
        return f"{what[1][0].agreement[:8]} {[(u.request, u.quantity, u.occurred, u.sound) for u in what[1]]}"


def drawn_records(m: Simulator, agreement: str, count: int) -> tuple[list[Admitted], list[Use]]:
    line, made, uses = m.lines[agreement], [], []
    certificate = CODES[m.triples[agreement][2]]
    start, end = m.model.deals[agreement, 1].since, m.model.ends(agreement) or LAST
    for _ in range(count):
        back = m.rng.choice((0, 0, 0, 1, 3, 12, 29, 30, 31, 45)) * DAY
        occurred = min(max(start, m.at - back - m.rng.randint(0, 20_000)), end - 1)
        deal = m.deal_at(agreement, occurred)
        assert deal is not None
        quantity, luck = m.rng.choice((1, 1, 7, 90, 600, 2500)), m.rng.random()
        request = f"request-{line.seq + 1:06d}"
        known = [use for use in m.model.uses if use.agreement == agreement]
        if known and luck > 0.95:
            request = m.rng.choice(known).request
        changes: dict[str, Any] = {"occurred_at": occurred, "quantity": quantity, "request_id": request,
                                   "certificate": certificate}  # fmt: skip
        if luck < 0.05:
            changes["status"] = StatusClass.SERVER
        elif luck < 0.08:
            refused = {"decision": Gate.DENY, "reasons": (Reason.PURPOSE,), "billable": False}
            changes |= {**refused, "status": StatusClass.NONE}
        sound = luck >= 0.08
        made += line.more(revision=deal.revision, **changes)
        uses.append(Use(agreement, deal.revision, request, quantity, occurred, m.at, line.seq, sound))
    return made, uses


def admitted(m: Simulator, records: list[Admitted]) -> Admission | Refusal:
    number = next(n for n in range(len(TRIPLES)) if connector_of(n) == records[0].record.connector)
    subject = f"connector-log:{records[0].record.connector}"
    signed, parts = (
        freeze(records, *ledger.next_of(m.session, subject), connector_key(m, number)),
        [item.data for item in records],
    )
    return usage.admit(m.session, receive(signed, parts), signer=m.house.operator, at=m.at)


class Replay(Kind):
    """Records that were taken in come again in another batch: refused, and nothing changes."""

    weight = 2
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        return m.sent[-30:]

    def act(self, m: Simulator, records: list[Admitted]) -> None:
        assert isinstance(admitted(m, records), Refusal)
        m.session.rollback()

    def tell(self, what: Any) -> str:
        return f"{what[0].record.connector} {what[0].record.seq}"


class Skip(Kind):
    """A batch comes before the one it follows: a gap, which blocks the cut-off until it is mended."""

    weight = 1

    def options(self, m: Simulator) -> list[Any]:
        return [] if m.missing else [name for name in m.agreements() if m.model.ends(name) is None]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        agreement = m.rng.choice(options)
        return drawn_records(m, agreement, 1), drawn_records(m, agreement, 2)

    def act(self, m: Simulator, what: Any) -> None:
        assert isinstance(admitted(m, what[1][0]), Admission)

    def know(self, m: Simulator, what: Any) -> None:
        m.missing.append(what[0])
        m.sent.append(what[1][0])
        m.model.uses += [replace(use, received=m.at) for use in what[1][1]]

    def tell(self, what: Any) -> str:
        return f"{what[1][1][0].agreement[:8]} {what[1][1][0].seq}"


class Mend(Report):
    """What was missing comes after all."""

    weight = 6

    def options(self, m: Simulator) -> list[Any]:
        return list(m.missing)

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return options[0]

    def know(self, m: Simulator, what: Any) -> None:
        super().know(m, what)
        m.missing.remove(what)


class Integrate(Kind):
    """The worker takes what waits into the log."""

    weight = 6

    def options(self, m: Simulator) -> list[Any]:
        return [m.model.logged + 1]

    def act(self, m: Simulator, what: int) -> None:
        while log.integrate(m.session):
            pass

    def know(self, m: Simulator, what: int) -> None:
        m.model.logged = what
        for use in m.model.uses:
            if use.logged is None:
                use.logged = what
        for delivery in m.model.deliveries.values():
            for said in delivery.said:
                if said.logged is None:
                    said.logged = what


# The cycle ------------------------------------------------------------------------------------------------------------


class Stage(Kind):
    """Something that a cycle in a certain state is taken through."""

    weight = 20
    state = ""
    to = ""

    def options(self, m: Simulator) -> list[Any]:
        return [c for c in m.model.cycles.values() if c.state == self.state and self.may(m, c)]

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return True

    def know(self, m: Simulator, what: Cycle) -> None:
        move(m, what, self.to)

    def tell(self, what: Any) -> str:
        return what.period if isinstance(what, Cycle) else f"{what[0].period} {what[1:]}"[:150]


def move(m: Simulator, cycle: Cycle, to: str) -> None:
    assert ORDER.index(to) == ORDER.index(cycle.state) + 1
    cycle.state, cycle.until = to, working_days(m.at, CLOCK[to])


class OpenCycle(Kind):
    weight = 60

    def options(self, m: Simulator) -> list[Any]:
        period = period_of(m.at)
        return [] if period.name in m.model.cycles else [period]

    def act(self, m: Simulator, period: Period) -> None:
        for _ in range(2):
            service.open_cycle(m.session, m.office, operator=OPERATOR, period=period, grace=DAY, at=m.at)

    def know(self, m: Simulator, period: Period) -> None:
        m.model.cycles[period.name] = Cycle(period.name, period.start, period.end, period.end + DAY)


class CutOff(Stage):
    state, to = "open", "cut_off"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return m.at >= cycle.until and not m.missing

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.cut_off(m.session, m.office, cycle=m.cycle_name(cycle), high_water=log.size(m.session), at=m.at)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        cycle.upto, cycle.cut = m.model.logged, m.at
        move(m, cycle, self.to)


class Rate(Stage):
    """After the cycle before it has stated what it owes: months are settled in their order."""

    state, to = "cut_off", "rated"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return all(ORDER.index(c.state) > 2 for c in m.model.cycles.values() if c.period < cycle.period)

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.rate(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at, **m.evidence(cycle))

    def know(self, m: Simulator, cycle: Cycle) -> None:
        m.model.rate(cycle)
        move(m, cycle, self.to)


class Bill(Kind):
    """Issuers record invoices, red ones for what is given back."""

    weight = 16

    def options(self, m: Simulator) -> list[Any]:
        return [c for c in m.model.charges if c.tax and not c.invoiced]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return m.rng.sample(options, min(len(options), m.rng.randint(1, 5)))

    def act(self, m: Simulator, what: list[Charge]) -> None:
        for charge in what:
            name = m.charge_id(charge)
            draft = service.draft_invoice(m.session, charge=name, number=f"INV-{charge.number}", issued_at=m.at)
            issuer = m.model.deals[charge.agreement, charge.revision].issuer
            service.record_invoice(m.session, m.office, m.signed(draft, (f"party:{issuer}", "")), at=m.at)

    def know(self, m: Simulator, what: list[Charge]) -> None:
        for charge in what:
            m.model.invoice(charge)

    def tell(self, what: Any) -> str:
        return str([charge.number for charge in what])


class Issue(Stage):
    state, to = "rated", "statements_issued"
    weight = 8

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        parties = sorted(m.house.keys)
        everybody = m.rng.random() < 0.08
        return m.rng.choice(options), {party for party in parties if everybody or m.rng.random() < 0.12}

    def act(self, m: Simulator, what: tuple[Cycle, set[str]]) -> None:
        service.issue_statements(m.session, m.office, cycle=m.cycle_name(what[0]), at=m.at)

    def know(self, m: Simulator, what: tuple[Cycle, set[str]]) -> None:
        m.model.issue(*what)
        move(m, what[0], self.to)

    def tell(self, what: Any) -> str:
        return f"{what[0].period} silent {sorted(what[1])}"


class Confirm(Stage):
    state = "statements_issued"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return bool(self.waiting(cycle))

    def waiting(self, cycle: Cycle) -> list[str]:
        return [party for party, stated in cycle.statements.items() if not (stated.confirmed or stated.silent)]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        cycle = m.rng.choice(options)
        waiting = self.waiting(cycle)
        return cycle, m.rng.sample(waiting, min(len(waiting), m.rng.randint(1, 3)))

    def act(self, m: Simulator, what: tuple[Cycle, list[str]]) -> None:
        for party in what[1]:
            draft = service.draft_confirmation(m.session, cycle=m.cycle_name(what[0]), party=party)
            service.confirm_statement(m.session, m.office, m.signed(draft, (f"party:{party}", "")), at=m.at)

    def know(self, m: Simulator, what: tuple[Cycle, list[str]]) -> None:
        for party in what[1]:
            what[0].statements[party].confirmed = True


class CloseWindow(Stage):
    state, to = "statements_issued", "confirmed"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return m.at >= cycle.until or all(stated.confirmed for stated in cycle.statements.values())

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.close_window(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)


class Net(Stage):
    state, to = "confirmed", "netted"

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.net(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)
        refused_in_the_second(m)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        m.model.net(cycle, day_of(m.at))
        move(m, cycle, self.to)
        m.done["limits too early"] += 1


class Instruct(Kind):
    """Maker and checker release the instructions; who will pay how is drawn now."""

    weight = 20

    def options(self, m: Simulator) -> list[Any]:
        return [
            c for c in m.model.cycles.values() if c.state == "netted" or (c.state == "instructed" and not c.instructed)
        ]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        cycle = m.rng.choice(options)
        manners = {}
        for party, amount in sorted(m.model.final(cycle).items()):
            if amount < 0:
                manners[party] = m.rng.choice(
                    ("pays",) * 5 + ("late", "late", "part", "part", "never", "never", "over")
                )
            else:
                manners[party] = m.rng.choice(("pays",) * 6 + ("returns", "twice", "wrong"))
        return cycle, manners

    def act(self, m: Simulator, what: tuple[Cycle, dict[str, str]]) -> None:
        draft = service.draft_instructions(
            m.session, cycle=m.cycle_name(what[0]), account=SUPERVISED, accounts=accounts_of(m)
        )
        service.instruct(
            m.session, m.office, m.signed(draft, ("staff:maker", MAKER), ("staff:checker", CHECKER)), at=m.at
        )

    def know(self, m: Simulator, what: tuple[Cycle, dict[str, str]]) -> None:
        m.model.instruct(*what)
        if what[0].state == "netted":
            move(m, what[0], "instructed")
        else:
            what[0].until = working_days(m.at, 3)

    def tell(self, what: Any) -> str:
        return f"{what[0].period} {what[1]}"


class BankDay(Kind):
    """The bank books some of what is due, sends some back, books twice, gets money nobody knows."""

    weight = 18

    def options(self, m: Simulator) -> list[Any]:
        return [True] if m.model.orders else []

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        entries: list[tuple[int, Order | None, str]] = []
        for order in m.model.orders:
            cycle = m.model.cycles[order.period]
            if m.rng.random() < 0.4:
                continue
            amount = booking(m, cycle, order)
            if amount:
                code = "AC04" if order.direction == "payout" and amount > 0 else ""
                entries.append((amount, order, code))
        if m.rng.random() < 0.1:
            entries.append((m.rng.choice((1, 77, 12_345, -3)), None, ""))
        m.rng.shuffle(entries)
        return m.model.bank, entries, m.model.entries + 1

    def act(self, m: Simulator, what: tuple[int, list[tuple[int, Order | None, str]], int]) -> None:
        data = m.bank_bytes(*what)
        done = service.import_bank_file(m.session, m.office, data, at=m.at)
        assert done.entries == len(what[1])
        assert done.closing == what[0] + sum(amount for amount, _, _ in what[1])

    def know(self, m: Simulator, what: tuple[int, list[tuple[int, Order | None, str]], int]) -> None:
        owed = m.model.cover.total
        for one in what[1]:
            m.model.entry(*one)
            m.done["guarantor paid"] += m.model.cover.total > owed
            owed = m.model.cover.total
        if what[1]:
            m.files.append(what)

    def tell(self, what: Any) -> str:
        return str(
            [
                (amount, f"{o.period}/{o.batch} {o.direction} {o.party}" if o else "?", code)
                for amount, o, code in what[1]
            ]
        )


def booking(m: Simulator, cycle: Cycle, order: Order) -> int:
    """What the bank books of an instruction this time, by the manner in which it was drawn to go; 0 for nothing. Who is
    late pays when its guarantor is called, which may pay on the same day."""
    due = m.model.due(order)
    if order.void:
        return m.rng.randint(1, order.amount) if order.direction == "funding" and m.rng.random() < 0.01 else 0
    if order.direction == "funding":
        if not due or cycle.state != "instructed" or order.manner == "never":
            return 0
        late = order.manner == "late" and (order.by or not cycle.called)
        if late and m.at < cycle.until:
            return 0
        if order.manner == "part":
            return m.rng.randint(1, order.amount - 1) if not order.booked and order.amount > 1 else 0
        return due + (m.rng.randint(1, 500) if order.manner == "over" else 0)
    if ORDER.index(cycle.state) < ORDER.index("funded"):
        return 0
    if not order.booked:
        wrong = order.manner == "wrong" and m.rng.random() < 0.5
        return -order.amount - (1 if wrong else 0)
    if order.manner == "returns" and not order.returned:
        return order.amount
    if order.manner == "twice" and m.rng.random() < 0.1:
        return -order.amount
    return 0


class Advance(Kind):
    weight = 20

    def options(self, m: Simulator) -> list[Any]:
        return [c for c in m.model.cycles.values() if m.model.advance(c) != c.state]

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.advance_payments(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        while (to := m.model.advance(cycle)) != cycle.state:
            move(m, cycle, ORDER[min(ORDER.index(cycle.state) + 1, ORDER.index(to))])

    def tell(self, what: Any) -> str:
        return str(what.period)


class Default(Stage):
    """Somebody is short when the clock has run out, and no guarantor is to be called for it."""

    state = "instructed"
    weight = 10

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        late = cycle.instructed and m.at >= cycle.until and not m.model.done(cycle, "funding")
        return late and not m.model.asked(cycle)

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.declare_default(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        m.done["default after a call"] += cycle.called
        owed = m.model.cover.total
        m.model.default(cycle)
        m.done["guarantor got back"] += m.model.cover.total < owed


class Close(Stage):
    """Operator and auditor sign."""

    state, to = "settled", "closed"

    def act(self, m: Simulator, cycle: Cycle) -> None:
        draft = service.draft_close(
            m.session, m.office, cycle=m.cycle_name(cycle), auditor=m.auditor.address, closed_at=m.at,
            deadline=m.at + DAY,
        )  # fmt: skip
        keys = ((m.house.keys[OPERATOR].evm, f"party:{OPERATOR}", "operator"), (m.auditor.evm, AUDITOR, "auditor"))
        signatures = tuple(
            onchain.sign_close(key, draft, by=by, role=role, chain_id=31337, address=BOOK) for key, by, role in keys
        )
        service.close(m.session, m.office, Signed(draft, signatures), at=m.at)


# Disputes -------------------------------------------------------------------------------------------------------------


class Complain(Kind):
    """The buyer disputes a part of a charge, in whatever state its cycle is."""

    weight = 3

    def options(self, m: Simulator) -> list[Any]:
        recent = m.model.charges[-60:]
        return [c for c in recent if c.kind in ("first", "anew") and not c.undone and m.model.left(c) > 0]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        charge = m.rng.choice(options)
        left = m.model.left(charge)
        amount = m.rng.choice((left, m.rng.randint(1, left)))
        return Dispute(m.name("dispute", len(m.model.disputes))[:32], charge.number, amount)

    def act(self, m: Simulator, what: Dispute) -> None:
        charge = m.model.charges[what.charge]
        name = m.charge_id(charge)
        found = disputes.evidence_of(m.session, charge.agreement, Topic.STATEMENT, charge=name)
        evidence = tuple(disputes.entry_of(fact) for fact in found)
        complaint = Complaint(Topic.STATEMENT, "多计", "退还", evidence, charge=name, amount=what.amount)
        speak(m, what, Act.OPEN, Side.FILER, complaint=complaint)

    def know(self, m: Simulator, what: Dispute) -> None:
        m.model.open(what)

    def tell(self, what: Any) -> str:
        return f"{what.name[:8]} about charge {what.charge}: {what.amount}"


def speak(m: Simulator, dispute: Dispute, act: Act, side: Side, **fields: Any) -> None:
    charge = m.model.charges[dispute.charge]
    deal = m.model.deals[charge.agreement, charge.revision]
    body = replace(DisputeAct(act, side, charge.agreement, deal.buyer, deal.issuer), **fields)
    subject = f"dispute:{dispute.name}"
    statement = Statement(DISPUTE_ACT, subject, *ledger.next_of(m.session, subject), body_of(body))
    two = (("staff:maker", MAKER), ("staff:checker", CHECKER))
    who = two if side is Side.OPERATOR else ((body.sender, side.value),)
    disputes.take(m.session, m.signed(statement, *who), m.office, operator=OPERATOR, at=m.at)


class Speak(Kind):
    """One act in a dispute that runs: answer, offer, accept, mediate, propose, leave, decide, withdraw."""

    weight = 8

    def options(self, m: Simulator) -> list[Any]:
        return [d for d in m.model.disputes.values() if d.running]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        dispute = m.rng.choice(options)
        acts = [("OFFER", "FILER"), ("OFFER", "RESPONDENT"), ("LEAVE", "FILER"), ("DECIDE", "OPERATOR"),
                ("WITHDRAW", "FILER")]  # fmt: skip
        if dispute.state == "OUTSIDE":
            acts.remove(("LEAVE", "FILER"))
        if dispute.state == "OPEN":
            acts.append(("ANSWER", "RESPONDENT"))
        if dispute.state in ("OPEN", "ANSWERED"):
            acts.append(("MEDIATE", m.rng.choice(("FILER", "RESPONDENT"))))
        if dispute.state == "MEDIATION":
            acts += [("PROPOSE", "MEDIATOR")] * 3
        if dispute.by:
            acts += [("ACCEPT", s) for s in ("FILER", "RESPONDENT") if s not in dispute.accepted] * 3
        act, side = m.rng.choice(acts)
        upheld = m.rng.choice((0, dispute.amount, m.rng.randint(0, dispute.amount)))
        return dispute, act, side, upheld if act in ("OFFER", "PROPOSE", "DECIDE") else None

    def act(self, m: Simulator, what: tuple[Dispute, str, str, int | None]) -> None:
        dispute, act, side, upheld = what
        fields: dict[str, Any] = {}
        if act in ("ANSWER", "OFFER", "PROPOSE"):
            fields["text"] = "演示"
        if act == "PROPOSE":
            fields["mediator"] = OPERATOR
        if act == "DECIDE":
            fields["decision"] = DECISION
        speak(m, dispute, Act(act), Side(side), upheld=upheld, **fields)

    def know(self, m: Simulator, what: tuple[Dispute, str, str, int | None]) -> None:
        dispute, act, side, upheld = what
        m.done[f"dispute {act}"] += 1
        if act == "ANSWER":
            dispute.state = "ANSWERED"
        elif act == "MEDIATE":
            dispute.state = "MEDIATION"
        elif act == "LEAVE":
            dispute.state = "OUTSIDE"
        elif act in ("OFFER", "PROPOSE"):
            dispute.by, dispute.table = side, upheld
            dispute.accepted = frozenset({side}) if act == "OFFER" else frozenset()
        elif act == "ACCEPT":
            dispute.accepted |= {side}
            if len(dispute.accepted) == 2:
                m.model.end(dispute, "SETTLED", dispute.table or 0)
        elif act == "DECIDE":
            m.model.end(dispute, "DECIDED", upheld or 0)
        else:
            m.model.end(dispute, "WITHDRAWN", 0)

    def tell(self, what: Any) -> str:
        return f"{what[0].name[:8]} {what[1]} of {what[2]} {what[3]}"


# What changes nothing -------------------------------------------------------------------------------------------------


class Again(Kind):
    """What somebody signed is sent once more, or a bank file: the first answer, and nothing new."""

    weight = 3
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        found: list[Any] = [("file", file) for file in m.files[-3:]]
        for cycle in m.model.cycles.values():
            found += [("confirmation", cycle, party) for party, s in cycle.statements.items() if s.confirmed]
            found += [("close", cycle)] * (cycle.state == "closed")
            found += [("instructions", cycle)] * cycle.instructed
        found += [("limits",)] * bool(m.done["SetLimits"])
        found += [("guarantor", kind) for kind in sorted(TAKEN) if m.done[kind]]
        return found[-40:] + [("invoice", charge) for charge in m.model.charges[-40:] if charge.invoiced]

    def act(self, m: Simulator, what: Any) -> None:
        kind, before = what[0], ledger.count(m.session)
        if kind == "file":
            data = m.bank_bytes(*what[1])
            again = service.import_bank_file(m.session, m.office, data, at=m.at)
            assert (again.repeated, again.entries) == (True, 0)
            last = data.rindex(b",2026-04-15,")
            changed = data[:last] + b",2026-04-14," + data[last + 12 :]
            with pytest.raises(BankFileRefused):
                service.import_bank_file(m.session, m.office, changed, at=m.at)
        elif kind == "confirmation":
            subject = service.statement_subject(m.cycle_name(what[1]), what[2])
            again_ = ledger.facts_of(m.session, subject)[1]
            assert service.confirm_statement(m.session, m.office, _signed(again_), at=m.at).id == again_.id
        elif kind == "close":
            first = ledger.facts_of(m.session, f"close:{m.cycle_name(what[1])}")[0]
            assert service.close(m.session, m.office, _signed(first), at=m.at).id == first.id
        elif kind == "instructions":
            for first in ledger.facts_of(m.session, f"payments:{m.cycle_name(what[1])}"):
                take = service.call_cover if first.kind == COVER_CALL else service.instruct
                assert take(m.session, m.office, _signed(first), at=m.at).id == first.id
        elif kind == "limits":
            first = ledger.facts_of(m.session, subject_of(OPERATOR))[0]
            assert service.set_limits(m.session, m.office, _signed(first), at=m.at).fact.id == first.id
        elif kind == "guarantor":
            form, take_again = TAKEN[what[1]]
            for first in ledger.facts_of_kind(m.session, form):
                again_one = take_again(m.session, m.office, _signed(first), at=m.at)
                assert (again_one.replayed, again_one.fact.id) == (True, first.id)
        else:
            first = ledger.fact(m.session, store.charge(m.session, m.charge_id(what[1]))[1] or "")
            assert service.record_invoice(m.session, m.office, _signed(first), at=m.at).id == first.id
        assert ledger.count(m.session) == before

    def know(self, m: Simulator, what: Any) -> None:
        m.done[f"again {what[0]}"] += 1

    def tell(self, what: Any) -> str:
        return str(what[0])


def _signed(fact: Fact) -> Signed:
    return Signed(fact.statement, fact.signatures)


class WrongTurn(Kind):
    """A step of a cycle that is not its next one, or too early: refused, and nothing is written."""

    weight = 3
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        return list(m.model.cycles.values())

    def act(self, m: Simulator, cycle: Cycle) -> None:
        name, at, office, before = m.cycle_name(cycle), m.at, m.office, ledger.count(m.session)
        moves: list[tuple[str, Callable[[], object]]] = [
            ("cut_off", lambda: service.cut_off(m.session, office, cycle=name, high_water=1, at=at)),
            ("rated", lambda: service.rate(m.session, office, cycle=name, agreements=(), uses=lambda *_: (), at=at)),
            ("statements_issued", lambda: service.issue_statements(m.session, office, cycle=name, at=at)),
            ("confirmed", lambda: service.close_window(m.session, office, cycle=name, at=at)),
            ("netted", lambda: service.net(m.session, office, cycle=name, at=at)),
            ("closed", lambda: CLOSE.act(m, cycle)),
        ]
        for to, wrong in moves:
            if ORDER.index(to) != ORDER.index(cycle.state) + 1:
                with pytest.raises((ClearingError, LedgerError)):
                    wrong()
                m.session.rollback()
        if cycle.state == "instructed" and cycle.instructed and at < cycle.until:
            with pytest.raises(TooEarly):
                service.declare_default(m.session, office, cycle=name, at=at)
        elif cycle.state != "instructed":
            with pytest.raises(WrongMove):
                service.declare_default(m.session, office, cycle=name, at=at)
        m.session.rollback()
        assert ledger.count(m.session) == before

    def tell(self, what: Any) -> str:
        return f"{what.period} {what.state}"


CLOSE = Close()
STEPS: tuple[Kind, ...] = (
    Conclude(), ConcludeGoods(), Amend(), Report(), Replay(), Skip(), Mend(), Integrate(), *GOODS_STEPS,
    OpenCycle(), CutOff(), Rate(), Bill(), Issue(), Confirm(), CloseWindow(), Net(), Instruct(), BankDay(), Advance(),
    Default(), CLOSE, Complain(), Speak(), *LIMIT_STEPS, *GUARANTOR_STEPS, *ORDER_STEPS,
    Again(), WrongTurn(),
)  # fmt: skip
