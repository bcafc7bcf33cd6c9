"""What a party sees of its statement in the office: words for lines and reasons, and what it may still say to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from clearing.settlement import store
from clearing.settlement.cycle import CycleMove, State
from clearing.settlement.notice import PartB, Reason
from clearing.settlement.statement import Line, ObligationPart
from clearing.settlement.store import StoredStatement
from clearing.settlement.tracing import What
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
}
STEPS = {
    What.SHARES: "应分额",
    What.CHARGE: "计费结果",
    What.CORRECTED: "所更正的计费结果",
    What.BASIS: "更正的依据",
    What.INVOICE: "发票",
    What.READING: "计量读数",
    What.AGREEMENT: "合约条款",
    What.NETTING: "轧差",
    What.NOTICE: "净额通知",
    What.DEFAULT: "逾期未备付",
    What.INSTRUCTIONS: "付款指令",
    What.BANK: "银行对账文件",
    What.HOLD: "争议冻结",
    What.DISPUTE: "争议中的陈述",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A line as the page shows it: `charge` is the fact id of a charge its payer may dispute, or ""."""

    line: Line
    event: str
    charge: str


@dataclass(frozen=True, slots=True)
class Account:
    """A party's statement of one cycle, whole."""

    cycle: CycleMove
    stored: StoredStatement
    lines: tuple[Shown, ...]
    obligations: tuple[ObligationPart, ...]
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
    notice = read(PartB, facts.fact(session, stored.notice).body) if stored.notice else None
    return Account(
        store.cycle(session, cycle),
        stored,
        tuple(_shown(part) for part in parts if isinstance(part, Line)),
        tuple(part for part in parts if isinstance(part, ObligationPart)),
        notice,
    )


def _shown(line: Line) -> Shown:
    owed = line.event == "charge" and line.account.startswith("RCV:") and line.amount < 0
    return Shown(line, event_name(line.event), line.event_id if owed else "")
