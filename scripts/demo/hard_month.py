"""October, in which everything goes wrong once: a late record, a refund, a dispute, a default, a returned payment.

Nothing is repaired by hand: each has its rule, its signatures and its place on the statements, and the month closes
with the same two sums as any other.
"""

from __future__ import annotations

import secrets
from typing import Any

import httpx

from clearing.settlement.dispute.opening import (
    DISPUTE_ACT,
    Act,
    Complaint,
    Decision,
    DisputeAct,
    Evidence,
    Side,
    Topic,
    subject_of,
)
from clearing.terms import month
from ledger.digest import twin
from ledger.reading import read
from registry.asset import Twin
from scripts.demo.cast import BROKER, CONSUMER, DEVELOPER, NAMES, OPERATOR, PROVIDER, Actor
from scripts.demo.clearing_day import PARTIES, ClearingDay, account_of, yuan
from scripts.demo.month import LATE, Month
from scripts.demo.stage import PERIOD

NEXT = "2026-10"
CALLS = 20


class HardMonth(Month, ClearingDay):
    """The part of the journey that a settlement system is judged by."""

    def hard_month(self) -> None:
        operator = self.actors[f"party:{OPERATOR}"]
        first, self.cycle = self.cycle, f"{OPERATOR}.{NEXT}.CNY"
        self.say(
            "十月：迟到记录、退款、争议、违约、退汇各一次",
            "October: a late record, a refund, a dispute, a default, a return",
        )
        operator.client.post("/api/cycles", {"period": NEXT, "grace": 86_400})
        self._late_and_new(operator)
        self._refund(first)
        self._to_statements(operator)
        self._dispute()
        self._confirm(self.cycle, PARTIES)
        operator.client.post(f"/api/cycles/{self.cycle}/window", {})
        operator.client.post(f"/api/cycles/{self.cycle}/netting", {})
        self._default(operator)
        self._returned(operator)
        self._money(operator)
        self._close(operator)
        self._show_amounts(PARTIES, "statements-october")
        self._trace()

    def _late_and_new(self, operator: Actor) -> None:
        """The connector sends what it still has of September; twenty calls of October follow."""
        self._connector("POST", "/connector/flush")
        self.note(f"连接器补送九月的 {LATE} 条记录：在约定的三十日内，九月整期按当时条款重读、冲销、重计")
        self.clock.move_to(month(NEXT).start + 20 * 86_400)
        self._call(self.tokens[CONSUMER], CALLS, days=1)
        self._connector("POST", "/connector/flush")

    def _refund(self, first: str) -> None:
        """A charge of September, paid already, is disputed; arbitration gives back two yuan."""
        dispute, act = self._complain(first, 300, "九月多计（演示）")
        maker, checker = self.actors["staff:maker-1"], self.actors["staff:checker-1"]
        text = Twin.of(twin("演示裁决书".encode()))
        decision = Decision("演示仲裁委员会", "（2026）演示裁字第 1 号", "2026-10-20", "2026-10-21", text)
        maker.state(
            "/api/disputes/acts", DISPUTE_ACT, subject_of(dispute),
            DisputeAct(Act.DECIDE, Side.OPERATOR, act.agreement, act.filer, act.respondent, upheld=200,
                       decision=decision),
            role="payment_maker", also=[checker.signer("payment_checker")],
        )  # fmt: skip
        self.note("九月账款已付；裁决退还 2.00 元，由两人录入，十月贷记")

    def _to_statements(self, operator: Actor) -> None:
        self.clock.move_to(month(NEXT).end + 86_400 + 3600)
        self.publish()
        operator.client.post(f"/api/cycles/{self.cycle}/cut-off", {})
        operator.client.post(f"/api/cycles/{self.cycle}/rating", {})
        invoices = self._invoice(self.actors[f"party:{DEVELOPER}"], self.cycle, "YANSHI10")
        operator.client.post(f"/api/cycles/{self.cycle}/statements", {})
        self.note(f"截止、计费、出账；发票 {invoices} 张，其中有红字")

    def _dispute(self) -> None:
        """Part of October's charge is disputed; both agree on less."""
        dispute, act = self._complain(self.cycle, 100, "十月部分调用无数据（演示）")
        buyer, seller = self.actors[f"party:{CONSUMER}"], self.actors[f"party:{DEVELOPER}"]
        frozen = buyer.client.get(f"/api/disputes/{dispute}")["dispute"]["frozen"]
        sides = (act.agreement, act.filer, act.respondent)
        offer = DisputeAct(Act.OFFER, Side.RESPONDENT, *sides, text="退还四角（演示）", upheld=40)
        path, subject = "/api/disputes/acts", subject_of(dispute)
        seller.state(path, DISPUTE_ACT, subject, offer, role=Side.RESPONDENT)
        buyer.state(path, DISPUTE_ACT, subject, DisputeAct(Act.ACCEPT, Side.FILER, *sides), role=Side.FILER)
        self.note(f"争议 1.00 元：只冻结 {yuan(frozen)} 元，其余照常；双方以 0.40 元和解")

    def _complain(self, cycle: str, amount: int, text: str) -> tuple[str, DisputeAct]:
        """The consumer disputes so many fen of its charge for a statement's own period; (dispute, the act)."""
        buyer = self.actors[f"party:{CONSUMER}"]
        parts = buyer.client.get(f"/api/cycles/{cycle}/statements/{CONSUMER}")["parts"]
        charges = [part for part in parts if part["type"] == "line" and part["event"] == "charge"]
        charge = next(part for part in charges if part["amount"] < 0 and part["period"] == cycle.split(".")[1])
        listed = buyer.client.get(
            f"/api/agreements/{charge['agreement']}/evidence", topic="STATEMENT", charge=charge["event_id"]
        )["evidence"]
        evidence = tuple(Evidence(line["fact"], read(Twin, line["digest"], "digest")) for line in listed)
        complaint = Complaint(
            Topic.STATEMENT, text, "退还（演示）", evidence, charge=charge["event_id"], amount=amount
        )  # fmt: skip
        act = DisputeAct(Act.OPEN, Side.FILER, charge["agreement"], CONSUMER, DEVELOPER, complaint)
        dispute = secrets.token_hex(16)
        buyer.state("/api/disputes/acts", DISPUTE_ACT, subject_of(dispute), act, role=Side.FILER)
        return dispute, act

    def _default(self, operator: Actor) -> None:
        """The broker brings nothing: its obligations leave the run, the rest is netted again."""
        drafted = self._instruct(operator)
        for payer in self._payers(drafted):
            if payer != BROKER:
                self._bank_file(operator, f"funding/{payer}")
        state = self._import(operator, "bank-statement-october-1.csv")
        self.clock.move_to(int(state["until"]) + 3600)
        operator.client.post(f"/api/cycles/{self.cycle}/default", {})
        drafted = self._instruct(operator)
        for payer in self._payers(drafted):
            self._bank_file(operator, f"funding/{payer}")
        self.note(f"{NAMES[BROKER]}逾期未备付：移出轧差，其余重新轧差、重新指令，已付的计入；其债务仍在，留待以后账期")

    @staticmethod
    def _payers(drafted: dict[str, Any]) -> list[str]:
        orders = drafted["statement"]["body"]["instructions"]
        return [item["party"] for item in orders if item["direction"] == "funding"]

    def _returned(self, operator: Actor) -> None:
        """The provider's bank sends its money back; it is paid again to the corrected account."""
        self._bank_file(operator, "instructions.csv")
        batch = operator.client.fetch(f"/api/cycles/{self.cycle}/instructions.csv").decode("utf-8-sig")
        row = next(line.split(",") for line in batch.splitlines() if self.accounts[PROVIDER]["number"] in line)
        sent_back = {"instruction": row[-1], "code": "AC04"}
        httpx.post(f"{self.bank}/returns", json=sent_back, timeout=30, trust_env=False).raise_for_status()
        state = self._import(operator, "bank-statement-october-2.csv")
        corrected = account_of(PROVIDER, 9001)
        self._open(corrected, 0)
        [back] = operator.client.get(f"/api/cycles/{self.cycle}/returns")["returned"]
        drafted = operator.client.post(
            f"/api/cycles/{self.cycle}/reissue/draft", {"accounts": {back["end_to_end"]: corrected}}
        )
        fact = self._two("/api/reissues", drafted)["fact"]
        self.clock.move_to(self.clock.now + 86_400)
        self._execute(operator.client.fetch(f"/api/payment-batches/{fact}.csv"))
        self._import(operator, "bank-statement-october-3.csv")
        self.note(f"账期状态 {state['state']}；{NAMES[PROVIDER]}的款退汇（AC04），两人签署，重付到更正后的账户")

    def _trace(self) -> None:
        """Every line of every party's statements, back to the facts it follows from."""
        traced = steps = 0
        for cycle in (f"{OPERATOR}.{PERIOD}.CNY", self.cycle):
            for party in PARTIES:
                client = self.actors[f"party:{party}"].client
                parts = client.get(f"/api/cycles/{cycle}/statements/{party}")["parts"]
                for part in parts:
                    if part["type"] == "line":
                        found = client.get(f"/api/cycles/{cycle}/statements/{party}/lines/{part['no']}")
                        self.kept &= bool(found["steps"])
                        traced, steps = traced + 1, steps + len(found["steps"])
        self.note(f"两个账期、五方账单共 {traced} 行，逐行追溯到 {steps} 步凭据")
