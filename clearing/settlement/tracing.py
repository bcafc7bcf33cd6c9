"""追溯: from one line of a statement back to the facts it follows from, down to the batches of usage records or the
acts that accepted what is billed.

Every step is a fact with its digest, so whoever holds the trace asks for the proof bundle of each and needs no other
word. Nothing is computed but the order. Source: domain clearing §11 (trace).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement import store
from clearing.settlement.guarantee import GuaranteeCall
from clearing.settlement.hold import Hold
from clearing.settlement.invoice import Invoice
from clearing.settlement.netting.default import Default
from clearing.settlement.sharing import Shares
from clearing.settlement.statement import Line
from clearing.usage.metering import BatchRoot, MeterReading
from ledger import store as facts
from ledger.errors import UnknownFact as NoSuchFact
from ledger.facts import Fact
from ledger.reading import read


class What(StrEnum):
    """What a step of a trace is."""

    SHARES = "shares"  # 应分额
    GUARANTEE = "guarantee"  # 保底差额
    CHARGE = "charge"  # 计费结果
    CORRECTED = "corrected"  # 所更正的计费结果
    BASIS = "basis"  # 更正的依据
    INVOICE = "invoice"  # 发票
    READING = "reading"  # 计量读数
    ACCEPTANCE = "acceptance"  # 验收（或签收后默示验收）
    STATED = "stated"  # 双方申报的账期要素
    AGREEMENT = "agreement"  # 合约条款
    NETTING = "netting"  # 轧差
    NOTICE = "notice"  # 净额通知
    DEFAULT = "default"  # 逾期未备付
    INSTRUCTIONS = "instructions"  # 付款指令
    BANK = "bank"  # 银行对账文件
    HOLD = "hold"  # 冻结
    DISPUTE = "dispute"  # 争议


@dataclass(frozen=True, slots=True)
class Step:
    """One fact on the way back, and what it is there."""

    what: What
    fact: Fact


@dataclass(frozen=True, slots=True)
class Trace:
    """A line, the facts behind it from the nearest on, and the batches its records came in (none without a reading)."""

    line: Line
    steps: tuple[Step, ...]
    batches: tuple[BatchRoot, ...]


def line_of(session: Session, statement: str, no: int) -> Line:
    """Line `no` of the statement with this fact id. Raises UnknownFact."""
    try:
        parts = store.part_documents(session, statement)
    except NoSuchFact:
        raise UnknownFact("statement", statement) from None
    if not 0 <= no < len(parts) or not isinstance(part := parts[no], Line):
        raise UnknownFact("statement line", f"{statement}#{no}")
    return part


def trace(session: Session, line: Line) -> Trace:
    """The facts behind a line. Raises UnknownFact when one is missing."""
    steps = tuple(_steps(session, line))
    readings = [read(MeterReading, step.fact.body) for step in steps if step.what is What.READING]
    return Trace(line, steps, readings[0].batches if readings else ())


def _steps(session: Session, line: Line) -> Iterator[Step]:
    if line.event == "share":
        yield (step := Step(What.SHARES, facts.fact(session, line.event_id)))
        yield from _charge(session, read(Shares, step.fact.body).charge)
    elif line.event == "charge":
        yield from _charge(session, line.event_id)
    elif line.event == "tax":
        yield (step := Step(What.INVOICE, facts.fact(session, line.event_id)))
        yield from _charge(session, read(Invoice, step.fact.body).charge)
    elif line.event == "guarantee":
        yield from _guarantee(session, line.event_id)
    elif line.event in ("hold", "release"):
        yield (step := Step(What.HOLD, facts.fact(session, line.event_id)))
        body = read(Hold, step.fact.body)
        yield from (Step(What.DISPUTE, fact) for fact in facts.facts_of(session, f"dispute:{body.dispute}"))
        yield from _charge(session, body.charge)
    elif line.event == "netting":
        yield (step := Step(What.NETTING, facts.fact(session, line.event_id)))
        cycle = step.fact.subject.removeprefix("netting:")
        yield from (Step(What.NOTICE, fact) for fact in facts.facts_of(session, f"notice:{cycle}.{line.party}"))
    elif line.event in ("reversal-netting", "reversal-instruction"):
        yield (step := Step(What.DEFAULT, facts.fact(session, line.event_id)))
        yield Step(What.NETTING, facts.fact(session, read(Default, step.fact.body).netting))
    elif line.event == "instruction":
        yield Step(What.INSTRUCTIONS, facts.fact(session, line.event_id))
    elif line.event.startswith("bank-"):
        found = store.bank_entry(session, line.event_id)
        yield Step(What.BANK, facts.fact(session, found.file))
        if found.instructions is not None:
            yield Step(What.INSTRUCTIONS, facts.fact(session, found.instructions))


def _guarantee(session: Session, name: str) -> Iterator[Step]:
    """A call, those it follows, the last division it was computed from, and the terms that guarantee."""
    call = facts.fact(session, name)
    chain = facts.facts_of(session, call.subject)
    yield from (Step(What.GUARANTEE, fact) for fact in reversed(chain) if fact.statement.no <= call.statement.no)
    body = read(GuaranteeCall, call.body)
    if body.shares is not None:
        yield (step := Step(What.SHARES, facts.fact(session, body.shares)))
        yield from _of_charge(session, read(Shares, step.fact.body).charge)
    yield from _terms(session, body.agreement, body.revision)


def _terms(session: Session, agreement: str, revision: int) -> Iterator[Step]:
    for fact in facts.facts_of(session, f"agreement:{agreement}"):
        if fact.body.get("revision") == revision and fact.statement.parts is not None:
            yield Step(What.AGREEMENT, fact)


def _charge(session: Session, name: str) -> Iterator[Step]:
    """A charge with what stands behind it, and the terms it was made under."""
    yield from _of_charge(session, name)
    body, _ = store.charge(session, name)
    yield from _terms(session, body.agreement, body.revision)


def _of_charge(session: Session, name: str) -> Iterator[Step]:
    """A charge, what it corrects and why, its invoice, its reading, and what both sides stated of its period."""
    body, invoice = store.charge(session, name)
    yield Step(What.CHARGE, facts.fact(session, name))
    if body.corrects is not None:
        yield Step(What.CORRECTED, facts.fact(session, body.corrects.charge))
        if body.corrects.basis != body.reading:
            yield Step(What.BASIS, facts.fact(session, body.corrects.basis))
    if invoice is not None:
        yield Step(What.INVOICE, facts.fact(session, invoice))
    yield (step := Step(What.READING, facts.fact(session, body.reading)))
    accepted = read(MeterReading, step.fact.body).accepted or ()
    yield from (
        Step(What.ACCEPTANCE, facts.fact(session, name)) for name in dict.fromkeys(one.fact for one in accepted)
    )
    at = facts.fact(session, name).at
    if (stated := store.stated(session, body.agreement, body.revision, at).get(body.period)) is not None:
        yield Step(What.STATED, facts.fact(session, stated.fact))
