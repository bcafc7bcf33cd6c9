"""What a party sees of its statement in the office: words for lines and reasons, and what it may still say to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from clearing.money import yuan
from clearing.settlement import store
from clearing.settlement.cycle import CycleMove, State
from clearing.settlement.flows import Flow, What, flows_of
from clearing.settlement.guarantee import agreement_of
from clearing.settlement.netting.gridlock import Reason as Limit
from clearing.settlement.notice import Held, PartB, Reason
from clearing.settlement.statement import Line, ObligationPart
from clearing.settlement.store import StoredStatement
from clearing.settlement.tracing import What as Evidence
from clearing.settlement.workbook import event_name
from ledger import store as facts
from ledger.reading import read

STATES = {
    State.OPEN: "开放",
    State.CUT_OFF: "已截止",
    State.RATED: "已计费",
    State.ISSUED: "已出账，待确认",
    State.CONFIRMED: "确认期已结束",
    State.NETTED: "已轧差",
    State.INSTRUCTED: "付款指令已发出",
    State.FUNDED: "备付已到账",
    State.SETTLED: "已结算",
    State.CLOSED: "已关账",
}
REASONS = {
    Reason.UNCONFIRMED: "双方未都确认",
    Reason.DISPUTED: "争议中，已冻结",
    Reason.CORRECTED: "出账后已更正",
    Reason.DEFAULTED: "有付款方逾期未备付，移出轧差",
    Reason.LIMITED: "超出净借记限额或双边限额，留待下期",
}
STEPS = {
    Evidence.SHARES: "应分额",
    Evidence.GUARANTEE: "保底差额",
    Evidence.CHARGE: "计费结果",
    Evidence.CORRECTED: "所更正的计费结果",
    Evidence.BASIS: "更正的依据",
    Evidence.INVOICE: "发票",
    Evidence.READING: "计量读数",
    Evidence.ACCEPTANCE: "验收或签收（期满视为验收）",
    Evidence.STATED: "双方申报的账期要素",
    Evidence.AGREEMENT: "合约条款",
    Evidence.NETTING: "轧差",
    Evidence.NOTICE: "净额通知",
    Evidence.DEFAULT: "逾期未备付",
    Evidence.INSTRUCTIONS: "付款指令",
    Evidence.BANK: "银行对账文件",
    Evidence.HOLD: "争议冻结",
    Evidence.DISPUTE: "争议中的陈述",
}

FLOWS = {What.NET: "不含税款", What.TAX: "税额", What.GUARANTEE: "保底差额", What.WHOLE: "未分税额的款项"}
OWN = "本单位"


def reason_of(held: Held, reader: str) -> str:
    """Why something waits, in words for the side that reads it: whose cap, or the pair's limit, and never how much."""
    if held.limit is None:
        return REASONS[held.reason]
    if held.limit is Limit.PAIR_LIMIT:
        return "超出双方之间的双边限额，留待下期"
    return f"超出{'本方' if reader == held.debtor else '付款方'}净借记限额，留待下期"


@dataclass(frozen=True, slots=True)
class Shown:
    """A line as the page shows it: `charge` is the fact id of a charge its payer may dispute, or ""; `agreement` is the
    one it follows from, also where the journal means a guarantee."""

    line: Line
    event: str
    charge: str
    agreement: str


@dataclass(frozen=True, slots=True)
class Account:
    """A party's statement of one cycle, whole."""

    cycle: CycleMove
    stored: StoredStatement
    lines: tuple[Shown, ...]
    obligations: tuple[ObligationPart, ...]
    flows: tuple[Flow, ...]
    notice: PartB | None

    @property
    def open(self) -> bool:
        """May it still be confirmed?"""
        return self.cycle.state is State.ISSUED and self.stored.confirmed_at is None


def accounts(session: Session, party: str) -> list[tuple[CycleMove, StoredStatement]]:
    """Every statement of a party, the newest first."""
    found = []
    for cycle in reversed(store.cycles(session)):
        found += [(cycle, item) for item in store.statements(session, cycle.cycle) if item.body.party == party]
    return found


def account(session: Session, cycle: str, party: str) -> Account:
    """One statement with its lines and obligations. Raises `UnknownFact`."""
    stored = store.statement_of(session, cycle, party)
    parts: Sequence[Line | ObligationPart] = store.part_documents(session, stored.fact_id)
    lines = tuple(part for part in parts if isinstance(part, Line))
    owed = tuple(part for part in parts if isinstance(part, ObligationPart))
    charges = [store.charge(session, line.event_id)[0] for line in lines if line.event == "charge"]
    notice = read(PartB, facts.fact(session, stored.notice).body) if stored.notice else None
    return Account(
        store.cycle(session, cycle),
        stored,
        tuple(_shown(line) for line in lines),
        owed,
        flows_of(party, owed, lines, charges),
        notice,
    )


def amounts(found: Account) -> list[tuple[ObligationPart, dict[What, int]]]:
    """Each obligation with what flows for it, as the table shows them; fen."""
    by_pair: dict[tuple[str, str], dict[What, int]] = {}
    for flow in found.flows:
        by_pair.setdefault((flow.payer, flow.payee), {})[flow.what] = flow.amount
    return [(owed, by_pair.get((owed.debtor, owed.creditor), {})) for owed in found.obligations]


def kinds(found: Account) -> list[tuple[What, str, int]]:
    """What flows in this statement, what it is called and how much it is in all: the columns of the table."""
    sums = Counter[What]()
    for flow in found.flows:
        sums[flow.what] += flow.amount
    return [(what, name, sums[what]) for what, name in FLOWS.items() if what in sums]


def picture(found: Account, own: str, names: Mapping[str, str]) -> str:
    """The flows as the script draws them: payers, what it is, payees, with amounts as text in yuan; "" for none.

    A party that pays and is paid stands on both sides, so no flow runs in a circle.
    """

    def called(party: str) -> str:
        return OWN if party == own else names.get(party, party)

    nodes, sums, links = dict[str, tuple[str, int]](), Counter[str](), Counter[tuple[str, str]]()
    for flow in found.flows:
        payer, middle, payee = f"from:{flow.payer}", f"is:{flow.what}", f"to:{flow.payee}"
        nodes |= {payer: (called(flow.payer), 0), middle: (FLOWS[flow.what], 1), payee: (called(flow.payee), 2)}
        for place in (payer, middle, payee):
            sums[place] += flow.amount
        for link in ((payer, middle), (middle, payee)):
            links[link] += flow.amount
    if not nodes:
        return ""
    drawn = {
        "form": "flows",
        "unit": "元",
        "nodes": [{"id": name, "label": label, "column": column, "amount": yuan(sums[name])}
                  for name, (label, column) in nodes.items()],
        "links": [{"source": source, "target": target, "amount": yuan(amount)}
                  for (source, target), amount in links.items()],
    }  # fmt: skip
    return json.dumps(drawn, ensure_ascii=False)


def _shown(line: Line) -> Shown:
    owed = line.event == "charge" and line.account.startswith("RCV:") and line.amount < 0
    return Shown(line, event_name(line.event), line.event_id if owed else "", agreement_of(line.agreement))
