"""A month of a real agreement, rated, and everybody who may speak in a dispute about its charge. Everything is 演示."""

from __future__ import annotations

import secrets
from dataclasses import replace

from sqlalchemy.orm import Session

from clearing import taking
from clearing.market import service as market
from clearing.settlement import service as settlement
from clearing.settlement import store
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import cycle_id
from clearing.settlement.dispute import service
from clearing.settlement.dispute.opening import DISPUTE_ACT, Act, Complaint, DisputeAct, Side, Topic
from clearing.settlement.service import Office
from clearing.terms import DAY, LATEST, AgreementTerms, Period, month
from clearing.usage import store as usage
from clearing.usage.finding import CHECKER, MAKER
from ledger import signing, sm
from ledger import store as ledger
from ledger.facts import Signature, Signed, Statement
from ledger.reading import body_of
from ledger.store import Appended
from registry import signers
from tests.clearing.market.house import CONSUMER, NOW, OPERATOR, PROVIDER, SELLER, House
from tests.clearing.usage.batches import admit, line_of

MAY, JUNE, JULY = month("2026-05"), month("2026-06"), month("2026-07")
CALLS = 100


def office_of(house: House) -> Office:
    """What settlement needs, on this house's register of keys; the close is signed nowhere here."""
    return Office(
        signer=house.operator,
        secret=b"o" * 32,
        working_days=lambda at, days: at + days * DAY,
        require_signature=lambda session, signed, by, role, at: signers.require_signature(
            session, signed, by, role, at=at
        ),
        require_on_record=taking.require_on_record,
        typed_signer_ok=lambda session, statement, signature, by, at: False,
    )


class Month:
    """One agreement with 100 calls in May, rated and invoiced; `charge` is the charge's fact id."""

    def __init__(
        self, house: House, calls: int = CALLS, operator: str = OPERATOR, runs: str = OPERATOR, **terms: object
    ) -> None:
        """The maker and checker are staff of `operator`; the cycles are those of `runs`."""
        self.runs = runs
        self.house, self.session, self.office = house, house.session, office_of(house)
        self.line = line_of(house, **{"limit": 10**6} | terms)
        admit(house, self.line.more(calls), NOW + 60)
        self.staff = {"staff:maker": sm.generate(), "staff:checker": sm.generate()}
        house.hire("maker", self.staff["staff:maker"], MAKER, operator)
        house.hire("checker", self.staff["staff:checker"], CHECKER, operator)
        self.dispute = secrets.token_hex(16)
        self.cycle = self.rate(MAY)
        [(self.charge, self.body)] = [
            item for item in store.charges(self.session, MAY.name) if item[1].agreement == self.line.agreement
        ]

    def terms(self, start: int, end: int) -> list[AgreementTerms]:
        return market.agreement_terms(self.session, start, end)

    def rate(self, period: Period) -> str:
        """Opens, cuts off and rates the cycle of a period, and records the invoices."""
        at = period.end + DAY
        cycle = settlement.open_cycle(
            self.session, self.office, operator=self.runs, period=period, grace=DAY, at=period.start
        ).cycle
        settlement.cut_off(self.session, self.office, cycle=cycle, high_water=usage.NOT_IN_LOG, at=at)
        settlement.rate(
            self.session, self.office, cycle=cycle, agreements=self.terms(period.start, period.end),
            uses=usage.metered_uses, at=at, earlier=self.terms(period.start - LATEST, period.start),
            served=market.served,
        )  # fmt: skip
        self.invoice(period, at)
        return cycle

    def invoice(self, period: Period, at: int) -> None:
        for number, (name, body) in enumerate(store.uninvoiced(self.session, period.name)):
            draft = settlement.draft_invoice(self.session, charge=name, number=f"I{number}", issued_at=at)
            by = f"party:{body.invoice_issuer}"
            key = self.house.keys[body.invoice_issuer].sm2
            signed = Signed(draft, (signing.sign_sm2(key, draft, by=by),))
            settlement.record_invoice(self.session, self.office, signed, at=at)

    def issue(self, period: Period) -> str:
        cycle = cycle_id(self.runs, period.name)
        settlement.issue_statements(self.session, self.office, cycle=cycle, at=period.end + DAY)
        return cycle

    def confirm(self, cycle: str, at: int) -> None:
        for item in store.statements(self.session, cycle):
            party = item.body.party
            draft = settlement.draft_confirmation(self.session, cycle=cycle, party=party)
            signed = Signed(draft, (signing.sign_sm2(self.house.keys[party].sm2, draft, by=f"party:{party}"),))
            settlement.confirm_statement(self.session, self.office, signed, at=at)

    def net(self, cycle: str, at: int) -> str | None:
        settlement.close_window(self.session, self.office, cycle=cycle, at=at)
        return settlement.net(self.session, self.office, cycle=cycle, at=at)

    def audit(self, period: Period) -> list[Finding]:
        cycle = cycle_id(self.runs, period.name)
        return settlement.audit(
            self.session, cycle=cycle, agreements=self.terms(period.start, period.end), uses=usage.metered_uses,
            secret=settlement.netting_secret(self.office, cycle),
            earlier=self.terms(period.start - LATEST, period.start), served=market.served,
            revision=market.revision_terms,
        )  # fmt: skip

    # What is said ----------------------------------------------------------------------------------------------------

    def complaint(self, amount: int) -> Complaint:
        facts = service.evidence_of(self.session, self.body.agreement, Topic.STATEMENT, charge=self.charge)
        evidence = tuple(service.entry_of(fact) for fact in facts)
        return Complaint(Topic.STATEMENT, "多计", "退还", evidence, charge=self.charge, amount=amount)

    def say(self, act: Act, side: Side = Side.FILER, at: int = MAY.end + 2 * DAY, **fields: object) -> Appended:
        """One act; of the operator by maker and checker."""
        body = replace(
            DisputeAct(act, side, self.body.agreement, self.body.buyer, self.body.invoice_issuer), **fields
        )  # fmt: skip
        return self.take(body, at)

    def take(self, body: DisputeAct, at: int, by: tuple[tuple[str, str], ...] = ()) -> Appended:
        subject = f"dispute:{self.dispute}"
        statement = Statement(DISPUTE_ACT, subject, *ledger.next_of(self.session, subject), body_of(body))
        if not by and body.side is Side.OPERATOR:
            by = (("staff:maker", MAKER), ("staff:checker", CHECKER))
        elif not by:
            by = ((body.sender, body.side.value),)
        signed = Signed(statement, tuple(self._sign(statement, name, role) for name, role in by))
        return service.take(self.session, signed, self.office, operator=OPERATOR, at=at)

    def _sign(self, statement: Statement, by: str, role: str) -> Signature:
        key = self.staff[by] if by in self.staff else self.house.keys[by.removeprefix("party:")].sm2
        return signing.sign_sm2(key, statement, by=by, role=role)

    def open(self, amount: int, at: int = MAY.end + 2 * DAY) -> Appended:
        return self.say(Act.OPEN, at=at, complaint=self.complaint(amount))

    def balance(self, session: Session | None = None) -> dict[str, int]:
        """Balances by kind and party, fen."""
        found: dict[str, int] = {}
        for account, amount in store.balance(session or self.session).items():
            name = f"{account.kind} {NAMES.get(account.party, account.party)}"
            found[name] = found.get(name, 0) + amount
        return found


NAMES = {CONSUMER: "consumer", SELLER: "seller", PROVIDER: "provider", OPERATOR: "operator"}
