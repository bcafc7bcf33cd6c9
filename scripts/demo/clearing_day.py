"""The period is closed: metered, rated, shared, stated, netted, paid through the bank, signed by two, once."""

from __future__ import annotations

import json
from typing import Any

import httpx

from clearing.settlement.onchain import sign_close
from clearing.terms import month
from ledger.facts import Signed, Statement
from registry.calendar import day_of
from scripts.demo.cast import (
    AUDITOR,
    BROKER,
    CONSUMER,
    DEVELOPER,
    NAMES,
    OPERATOR,
    PROVIDER,
    Actor,
)
from scripts.demo.stage import BANK_CODE, PERIOD, Stage
from scripts.demo.world import (
    CHAIN_ID,
    write_json,
)

PARTIES = (PROVIDER, DEVELOPER, OPERATOR, BROKER, CONSUMER)


class ClearingDay(Stage):
    """The part of the journey in which money is counted and moved."""

    def settle(self) -> None:
        operator = self.actors[f"party:{OPERATOR}"]
        cycle = f"{OPERATOR}.{PERIOD}.CNY"
        self.cycle = cycle
        operator.client.post("/api/cycles", {"period": PERIOD, "grace": 86_400})
        self.clock.move_to(month(PERIOD).end + 86_400 + 3600)
        self.say(
            "账期结算：计量→计费→清分→账单→轧差→付款", "the period is metered, rated, shared, stated, netted, paid"
        )
        self.publish()
        operator.client.post(f"/api/cycles/{cycle}/cut-off", {})
        operator.client.post(f"/api/cycles/{cycle}/rating", {})
        self._invoice(self.actors[f"party:{DEVELOPER}"], cycle, "YANSHI09")
        operator.client.post(f"/api/cycles/{cycle}/statements", {})
        parties = PARTIES
        self._confirm(cycle, parties)
        self.note("五方各自核对并以自己的密钥确认账单")
        operator.client.post(f"/api/cycles/{cycle}/window", {})
        operator.client.post(f"/api/cycles/{cycle}/netting", {})
        self._pay(operator, parties)
        self._close(operator)
        self._show_amounts(parties)

    def _invoice(self, seller: Actor, cycle: str, prefix: str) -> int:
        """Signs the invoice of every charge that waits for one, a red one where tax is given back; their number."""
        waiting = seller.client.get(f"/api/cycles/{cycle}/uninvoiced")["uninvoiced"]
        for number, item in enumerate(waiting, 1):
            drafted = seller.client.get(
                f"/api/charges/{item['charge']}/invoice", number=f"{prefix}{number:06d}", issued_at=self.clock.now
            )
            self._sign_draft(seller, "/api/invoices", drafted)
        return len(waiting)

    def _confirm(self, cycle: str, parties: tuple[str, ...]) -> None:
        for party in parties:
            actor = self.actors[f"party:{party}"]
            drafted = actor.client.get(f"/api/cycles/{cycle}/statements/{party}/confirmation")
            self._sign_draft(actor, "/api/confirmations", drafted)

    @staticmethod
    def _sign_draft(actor: Actor, path: str, drafted: dict[str, Any], role: str = "", also: Any = ()) -> Any:
        statement = Statement.of_document(drafted["statement"])
        return actor.send(path, Signed(statement, tuple(sign(statement) for sign in (actor.signer(role), *also))))

    def _pay(self, operator: Actor, parties: tuple[str, ...]) -> None:
        """Funding and pay-outs through the bank process; its statement file is imported back."""
        self.accounts = {party: account_of(party, number) for number, party in enumerate(parties, 1)}
        self._open(SUPERVISED, 0)
        for party in parties:
            self._open(self.accounts[party], 10_000_000)
        drafted = self._instruct(operator)
        payers = [
            item["party"] for item in drafted["statement"]["body"]["instructions"] if item["direction"] == "funding"
        ]
        paid = [self._bank_file(operator, f"funding/{payer}") for payer in payers]
        paid.append(self._bank_file(operator, "instructions.csv"))
        moved = self._import(operator, "bank-statement.csv")
        self.note(f"银行执行 {sum(paid)} 笔，对账文件已导回，账期状态 {moved['state']}")
        self._money(operator)

    def _open(self, account: dict[str, str], opening: int) -> None:
        body = {"name": account["name"], "opening_fen": opening}
        httpx.put(f"{self.bank}/accounts/{account['number']}", json=body, trust_env=False).raise_for_status()

    def _instruct(self, operator: Actor) -> dict[str, Any]:
        """The payment instructions of the cycle, signed by two persons."""
        drafted: dict[str, Any] = operator.client.post(
            f"/api/cycles/{self.cycle}/instructions/draft", {"account": SUPERVISED, "accounts": self.accounts}
        )
        self._two("/api/instructions", drafted)
        return drafted

    def _two(self, path: str, drafted: dict[str, Any]) -> Any:
        maker, checker = self.actors["staff:maker-1"], self.actors["staff:checker-1"]
        return self._sign_draft(maker, path, drafted, "payment_maker", [checker.signer("payment_checker")])

    def _import(self, operator: Actor, name: str) -> dict[str, Any]:
        """Takes the day's statement of the supervised account from the bank to the platform; the cycle as it stands."""
        day = day_of(self.clock.now).isoformat()
        statement = httpx.get(
            f"{self.bank}/statements/{SUPERVISED['number']}.csv", params={"from": day, "to": day}, trust_env=False
        ).raise_for_status()
        (self.out / name).write_bytes(statement.content)
        operator.client.post_bytes("/api/bank-files", statement.content)
        moved: dict[str, Any] = operator.client.post(f"/api/cycles/{self.cycle}/payments", {})
        return moved

    def _money(self, operator: Actor) -> None:
        sums = operator.client.get(f"/api/cycles/{self.cycle}/money")
        verdict = "money in = money out" if sums["agrees"] else "money in ≠ money out"
        self.kept &= bool(sums["agrees"])
        print(f"     {verdict}：银行文件 bank file 收 in {yuan(sums['file_in'])} 付 out {yuan(sums['file_out'])}；"
              f"账簿 journal 收 in {yuan(sums['journal_in'])} 付 out {yuan(sums['journal_out'])}")  # fmt: skip

    def _bank_file(self, operator: Actor, name: str) -> int:
        """Takes a payment file from the platform to the bank; returns how many rows were executed."""
        file = operator.client.fetch(f"/api/cycles/{self.cycle}/{name}")
        (self.out / f"bank-{name.replace('/', '-').removesuffix('.csv')}.csv").write_bytes(file)
        return self._execute(file)

    def _execute(self, file: bytes) -> int:
        answer = httpx.post(f"{self.bank}/instructions", content=file, timeout=30, trust_env=False).json()
        if answer.get("refused"):
            raise RuntimeError(json.dumps(answer, ensure_ascii=False)[:800])
        return int(answer["executed"])

    def _close(self, operator: Actor) -> None:
        auditor = self.actors[f"party:{AUDITOR}"]
        drafted = operator.client.get(
            f"/api/cycles/{self.cycle}/close", auditor=auditor.keys.address, deadline=self.clock.now + 86_400
        )
        statement = Statement.of_document(drafted["statement"])
        address = self.system.chain().address("SettlementBook")
        signatures = tuple(
            sign_close(actor.keys.evm, statement, by=actor.by, role=role, chain_id=CHAIN_ID, address=address)
            for actor, role in ((operator, "operator"), (auditor, "auditor"))
        )
        self.close_fact = operator.send("/api/closes", Signed(statement, signatures))["fact"]
        self.publish()
        self.note("运营方与审计方双签关账，SettlementBook 只收一次")

    def _show_amounts(self, parties: tuple[str, ...], name: str = "statements") -> None:
        folder = self.out / name
        folder.mkdir()
        for party in parties:
            actor = self.actors[f"party:{party}"]
            document = actor.client.get(f"/api/cycles/{self.cycle}/statements/{party}")
            write_json(folder / f"{party}.json", document)
            for form in ("xlsx", "pdf"):
                data = actor.client.fetch(f"/api/cycles/{self.cycle}/statements/{party}/{form}")
                (folder / f"{party}.{form}").write_bytes(data)
            body = document["statement"]
            print(f"     {NAMES[party]}：应收 {yuan(body['owed'])}，应付 {yuan(body['owes'])}")


SUPERVISED = {
    "code": BANK_CODE, "bank": "演示银行", "number": "0001000200030000", "name": "数清结算监管户（演示）",
}  # fmt: skip


def account_of(party: str, number: int) -> dict[str, str]:
    return {"code": BANK_CODE, "bank": "演示银行", "number": f"000100020003{number:04d}", "name": NAMES[party]}


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
