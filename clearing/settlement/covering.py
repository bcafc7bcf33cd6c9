"""Guarantors of what net payers bring: what they state, and the call when the funding clock has run out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, Clash, NotSigned, TooEarly, WrongMove
from clearing.settlement import cover, journal, store
from clearing.settlement.cover import (
    COVER_CALL,
    FUNDING_GUARANTEE,
    RECOURSE_REPAID,
    Asked,
    CoverCall,
    FundingGuarantee,
    RecourseRepaid,
)
from clearing.settlement.cycle import CLOCKS, ORDER, CycleMove, State
from clearing.settlement.netting import Run
from clearing.settlement.office import (
    Office,
    in_state,
    next_statement,
    of_kind,
    require_subject,
    require_two,
    state_move,
    take,
)
from clearing.settlement.payment import BankAccount, Batch, Direction
from ledger import store as facts
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry.calendar import text_of


def draft_guarantee(
    session: Session, *, operator: str, guarantor: str, party: str, most: int, first: str, last: str
) -> Statement:
    """What a guarantor and its party sign: it stands for the party in the operator's cycles netted from `first` to
    `last`, with at most `most` fen; 0 ends it.

    Raises FieldError for an amount or day out of bounds, BadTerms for a party that would stand for itself and for days
    out of order.
    """
    body = read(FundingGuarantee, body_of(FundingGuarantee(operator, guarantor, party, most, first, last)))
    cover.check(body)
    return next_statement(session, FUNDING_GUARANTEE, cover.subject_of(operator, party), body_of(body))


def give_guarantee(session: Session, office: Office, signed: Signed, *, at: int) -> Appended:
    """Take in what guarantor and party agreed, in place of what stood for the party. The same act again returns the
    first fact.

    Raises FieldError or BadTerms naming the field, NotSigned unless just these two signed, BadTerms while another
    guarantor stands, WrongMove while a cycle that was netted under what stands is not funded, TooEarly in a second in
    which a cycle was netted: what stood at a netting must be told from what came after it.
    """
    body = read(FundingGuarantee, of_kind(signed, FUNDING_GUARANTEE).body)
    if f"party:{body.operator}" != office.signer.by:
        raise BadTerms("body.operator", office.signer.by.removeprefix("party:"), body.operator)
    require_subject(signed, cover.subject_of(body.operator, body.party))
    cover.check(body)
    both = [f"party:{body.guarantor}", f"party:{body.party}"]
    given = sorted((item.by, item.role) for item in signed.signatures)
    if given != sorted((by, "") for by in both):
        expected = f"担保方和被担保方各一次签名 / {' and '.join(both)}, once each"
        raise NotSigned(signed.statement.subject, expected, str(given)[:200])
    for by in both:
        office.require_signature(session, signed, by, "", at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    acts = facts.facts_of(session, signed.statement.subject)
    before = read(FundingGuarantee, acts[-1].body) if acts else None
    if before and before.guarantor != body.guarantor and before.most and text_of(at)[:10] <= before.last:
        expected = f"{before.guarantor}，其担保至 {before.last} / who stands until then"
        raise BadTerms("body.guarantor", expected, body.guarantor)
    for now in store.cycles(session):
        if now.state in (State.NETTED, State.INSTRUCTED) and _stands_in(session, now, body.party):
            raise WrongMove(now.cycle, "已备付，担保方可变更 / funded, before what stands is changed", str(now.state))
    if at <= (netted := store.last_entered(session, State.NETTED)):
        raise TooEarly(signed.statement.subject, netted + 1, at)
    return Appended(take(session, signed, at), replayed=False)


def _stands_in(session: Session, now: CycleMove, party: str) -> bool:
    """Was the cycle netted under a guarantee for the party, and is the party in the run?"""
    run = store.netting_of(session, now.cycle)
    named = run is not None and party in read(Run, facts.fact(session, run).body).final
    return named and store.guarantee_of(session, now, party) is not None


def to_call(session: Session, *, cycle: str) -> tuple[Asked, ...]:
    """Which guarantors are to be called for instructions that stand and were not funded, and for how much; none once
    they were called."""
    now, batch = store.cycle(session, cycle), store.instructions_of(session, cycle)
    if now.state is not State.INSTRUCTED or batch is None or store.cover_call(session, cycle, batch):
        return ()
    orders = store.instructions(session, batch).values()
    short = {item.party: item.due for item in orders if item.direction is Direction.FUNDING and item.due > 0}
    standing = {party: found for party in short if (found := store.guarantee_of(session, now, party))}
    balance = store.balance(session) if standing else {}
    owed = {party: journal.recourse_of(balance, party, one.body.guarantor) for party, one in standing.items()}
    return cover.asked_of(short, standing, owed)


def draft_call(
    session: Session, office: Office, *, cycle: str, accounts: Mapping[str, BankAccount], at: int
) -> Statement:
    """The call of the guarantors, for maker and checker to sign; `accounts` by guarantor. They have the time that net
    payers have.

    Raises WrongMove unless instructed and somebody short has a guarantor that was not called, and while a call of it
    for the same party waits in another cycle, which it may have to pay first; TooEarly before the funding clock has run
    out, BadTerms for an account no bank could use.
    """
    now = in_state(session, cycle, State.INSTRUCTED)
    return _draft(session, now, accounts, office.working_days(at, CLOCKS[State.INSTRUCTED]), at)


def _draft(session: Session, now: CycleMove, accounts: Mapping[str, BankAccount], until: int, at: int) -> Statement:
    asked, batch = to_call(session, cycle=now.cycle), store.instructions_of(session, now.cycle)
    if not asked or batch is None:
        raise WrongMove(now.cycle, "有未催付的担保方 / a guarantor that was not called", "无 / none")
    if at < now.until:
        raise TooEarly(now.cycle, now.until, at)
    if other := _called_elsewhere(session, now, asked):
        raise WrongMove(
            other, "对同一担保的前一催付已办结 / the earlier call under the same guarantee done", "未办结 / open"
        )
    first = read(Batch, facts.fact(session, batch).body)
    body = cover.call_of(first, batch, asked, accounts, until)
    return next_statement(session, COVER_CALL, f"payments:{now.cycle}", body_of(body))


def _called_elsewhere(session: Session, now: CycleMove, asked: Sequence[Asked]) -> str | None:
    """Another cycle in which one of these guarantors is still to pay for the same party."""
    pairs = {(item.party, item.guarantor) for item in asked}
    for other in store.cycles(session):
        batch = store.instructions_of(session, other.cycle)
        if other.state is not State.INSTRUCTED or other.cycle == now.cycle or batch is None:
            continue
        if call := store.cover_call(session, other.cycle, batch):
            due = {item.party for item in store.instructions(session, call[0]).values() if item.due > 0}
            if any((item.party, item.guarantor) in pairs and item.party in due for item in call[1].asked):
                return other.cycle
    return None


def call_cover(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Take in a call that maker and checker signed; the cycle then waits until the clock of the guarantors runs out.

    Raises NotSigned without both, BadTerms when it leaves them less than a working day, Clash when anything differs
    from what is missing now, and as `draft_call`.
    """
    body = read(CoverCall, of_kind(signed, COVER_CALL).body)
    if facts.next_of(session, signed.statement.subject)[0] > signed.statement.no:
        return take(session, signed, at)
    now = in_state(session, body.batch.cycle, State.INSTRUCTED)
    accounts = {
        asked.guarantor: item.account for asked, item in zip(body.asked, body.batch.instructions, strict=False)
    }  # fmt: skip
    demanded = _draft(session, now, accounts, body.until, at)
    if demanded.digest() != signed.statement.digest():
        raise Clash(signed.statement.subject, demanded.digest().sha256.hex(), signed.statement.digest().sha256.hex())
    least, most = office.working_days(at, 1), office.working_days(at, CLOCKS[State.INSTRUCTED])
    if not least <= body.until <= most:
        raise BadTerms("body.until", f"{least} – {most}，否则请重新起草 / else draft it anew", body.until)
    require_two(session, office, signed, at)
    fact = take(session, signed, at)
    state_move(session, office, replace(now, until=body.until), at)
    return fact


def draft_repaid(session: Session, *, operator: str, guarantor: str, party: str, period: str, amount: int) -> Statement:
    """What a guarantor signs once a party has repaid it `amount` fen of what it paid in the cycle of `period`.

    Raises FieldError for an amount or period out of bounds, and as `take_repaid` for what is not owed.
    """
    body = read(RecourseRepaid, body_of(RecourseRepaid(operator, guarantor, party, period, amount)))
    _require_owed(session, body)
    return next_statement(session, RECOURSE_REPAID, cover.repaid_subject_of(operator, guarantor, party), body_of(body))


def take_repaid(session: Session, office: Office, signed: Signed, *, at: int) -> Appended:
    """Take in that a party has repaid its guarantor: what it owes it is less from now on. The same act again returns
    the first fact.

    Raises FieldError or BadTerms naming the field, also for more than is owed; NotSigned unless the guarantor alone
    signed; WrongMove before the cycle is funded, as a default could still undo what the guarantor paid.
    """
    body = read(RecourseRepaid, of_kind(signed, RECOURSE_REPAID).body)
    if f"party:{body.operator}" != office.signer.by:
        raise BadTerms("body.operator", office.signer.by.removeprefix("party:"), body.operator)
    require_subject(signed, cover.repaid_subject_of(body.operator, body.guarantor, body.party))
    given = [(item.by, item.role) for item in signed.signatures]
    if given != [(f"party:{body.guarantor}", "")]:
        raise NotSigned(signed.statement.subject, f"担保方一方签名 / party:{body.guarantor} alone", str(given)[:200])
    office.require_signature(session, signed, f"party:{body.guarantor}", "", at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    _require_owed(session, body)
    return Appended(take(session, signed, at), replayed=False)


def _require_owed(session: Session, body: RecourseRepaid) -> None:
    account = journal.owes_guarantor(body.party, body.guarantor, body.period)
    owed = store.balance(session).get(account, 0)
    if not 0 < body.amount <= owed:
        raise BadTerms("body.amount", f"1 – {owed}，{body.period} 尚欠 / what is owed for it", body.amount)
    for now in store.cycles(session):
        if now.period == body.period and ORDER.index(now.state) < ORDER.index(State.FUNDED):
            raise WrongMove(now.cycle, "已备付 / funded", str(now.state))
