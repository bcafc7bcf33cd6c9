"""Payment instructions under two signatures, pay-outs again, the bank's files, and the sums that must agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from clearing import money
from clearing.errors import BadTerms, Clash, WrongMove
from clearing.settlement import cycle as cycles
from clearing.settlement import payment, reissue, store
from clearing.settlement.bank_file import new_entries
from clearing.settlement.camt053 import read_bank_file
from clearing.settlement.cycle import CycleMove, State
from clearing.settlement.journal import Account, BankEffect, Kind
from clearing.settlement.netting import Run
from clearing.settlement.office import (
    Office,
    advance,
    in_state,
    next_statement,
    of_kind,
    require_two,
    salt,
    state_fact,
    state_move,
    take,
)
from clearing.settlement.payment import BankAccount, Batch, Direction
from clearing.settlement.store import StoredEntry
from ledger import canonical
from ledger import store as facts
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of, read


def draft_instructions(
    session: Session, *, cycle: str, account: BankAccount, accounts: Mapping[str, BankAccount]
) -> Statement:
    """The payment instructions of a netted cycle, for two persons to sign. `account` is the supervised one.

    Raises WrongMove unless netted and not instructed yet, BadTerms when a party has no usable account.
    """
    now = store.cycle(session, cycle)
    if now.state is not State.INSTRUCTED or store.instructions_of(session, cycle) is not None:
        now = in_state(session, cycle, State.NETTED)
    run_id = store.netting_of(session, cycle)
    if run_id is None:
        raise WrongMove(cycle, "a netting run", "nothing was netted")
    run = read(Run, facts.fact(session, run_id).body)
    batch = payment.batch_of(
        cycle, now.operator, now.period, run_id, now.currency, run.final, account, accounts,
        sum(item.amount for item in run.funded or ()),
    )  # fmt: skip
    return next_statement(session, "payment-instructions/v1", f"payments:{cycle}", body_of(batch))


def instruct(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Release payment instructions that a maker and a checker, two different persons, signed.

    Raises NotSigned without both, Clash when anything differs from what the netting run demands.
    """
    batch = read(Batch, of_kind(signed, "payment-instructions/v1").body)
    accounts = {item.party: item.account for item in batch.instructions}
    if facts.next_of(session, signed.statement.subject)[0] > signed.statement.no:
        return take(session, signed, at)
    demanded = draft_instructions(session, cycle=batch.cycle, account=batch.account, accounts=accounts)
    if demanded.digest() != signed.statement.digest():
        raise Clash(f"payments:{batch.cycle}", demanded.digest().sha256.hex(), signed.statement.digest().sha256.hex())
    require_two(session, office, signed, at)
    fact = take(session, signed, at)
    now = store.cycle(session, batch.cycle)
    if now.state is State.INSTRUCTED:
        state_move(session, office, cycles.renewed(now, at, office.working_days), at)
    else:
        advance(session, office, now, State.INSTRUCTED, at)
    return fact


def draft_reissue(session: Session, *, cycle: str, accounts: Mapping[str, BankAccount]) -> Statement:
    """Pay-outs that came back, to be paid again under new ids; `accounts` by the id of the returned instruction.

    Raises WrongMove for one that did not come back or was issued again already, BadTerms for an account no bank could
    use.
    """
    now = store.cycle(session, cycle)
    back = store.returned(session, now.period)
    for name in accounts:
        if name not in back:
            raise WrongMove(cycle, " | ".join(back) or "没有退汇 / nothing came back", name)
    if not accounts:
        raise BadTerms("accounts", "至少一笔退汇 / at least one returned payment", 0)
    links = [
        reissue.reissued(item, accounts[item.end_to_end])
        for name in sorted(accounts)
        for item in store.batch_of_instruction(session, name).instructions
        if item.end_to_end == name
    ]
    made = tuple(link.instruction for link in links)
    first = store.batch_of_instruction(session, links[0].replaces)
    batch = replace(first, instructions=made, funding=0, payout=sum(item.amount for item in made))
    body = reissue.ReissueOrder(batch, tuple(link.replaces for link in links))
    return next_statement(session, "payment-reissue/v1", f"payments:{cycle}", body_of(body))


def reissue_payments(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Release pay-outs again that maker and checker signed. Raises NotSigned, Clash, and as `draft_reissue`."""
    body = read(reissue.ReissueOrder, of_kind(signed, "payment-reissue/v1").body)
    if facts.next_of(session, signed.statement.subject)[0] > signed.statement.no:
        return take(session, signed, at)
    accounts = {
        old: item.account for old, item in zip(body.replaces, body.batch.instructions, strict=False)
    }  # fmt: skip
    demanded = draft_reissue(session, cycle=body.batch.cycle, accounts=accounts)
    if demanded.digest() != signed.statement.digest():
        raise Clash(signed.statement.subject, demanded.digest().sha256.hex(), signed.statement.digest().sha256.hex())
    require_two(session, office, signed, at)
    return take(session, signed, at)


@dataclass(frozen=True, slots=True)
class BankImport:
    """What an import did: the file's fact, whether it was known before, entries taken in, and the new balance, fen."""

    fact: str
    repeated: bool
    entries: int
    closing: int


def import_bank_file(session: Session, office: Office, data: bytes, *, at: int) -> BankImport:
    """Import a bank statement file. A repeated file or entry is ignored, a changed one refused with BankFileRefused."""
    file, entries = read_bank_file(data)
    known = store.bank_file(session, file.digest)
    if known is not None:
        return BankImport(known, True, 0, file.closing)
    fresh = new_entries(
        file,
        entries,
        store.bank_entries(session, file.bank, file.account),
        store.bank_closing(session, file.bank, file.account),
    )
    subject = f"bank:{file.bank}.{file.account}"
    parts = [canonical.encode(body_of(StoredEntry(entry, salt(office, subject, entry.reference)))) for entry in fresh]
    fact = state_fact(session, office, "bank-file/v1", subject, file, at, parts=parts, no=None)
    mirror = store.balance(session).get(Account(Kind.BNK, file.account), 0)
    if mirror != file.closing:
        raise WrongMove(f"BNK:{file.account}", money.yuan(file.closing), money.yuan(mirror))
    return BankImport(fact.id, False, len(fresh), file.closing)


def advance_payments(session: Session, office: Office, *, cycle: str, at: int) -> CycleMove:
    """Move on as far as the bank's entries allow: funded when net payers' money is booked, settled when all is."""
    now = store.cycle(session, cycle)
    batch = store.instructions_of(session, cycle)
    items = list(store.instructions(session, batch).values()) if batch else []
    if now.state is State.INSTRUCTED and payment.discharged(items, Direction.FUNDING):
        now = advance(session, office, now, State.FUNDED, at)
    if now.state is State.FUNDED and payment.discharged(items, Direction.PAYOUT):
        now = advance(session, office, now, State.SETTLED, at)
    return now


@dataclass(frozen=True, slots=True)
class MoneySums:
    """Money in and out of the supervised account for one cycle, fen: as the bank file and as the journal has it (D43).

    `suspense` is what stands in SUS over everything: unmatched money, never income.
    """

    file_in: int
    file_out: int
    journal_in: int
    journal_out: int
    suspense: int

    @property
    def agrees(self) -> bool:
        """Money in = money out, and the bank file says the same as the journal."""
        return self.file_in == self.journal_in == self.file_out == self.journal_out


def money_sums(session: Session, *, cycle: str) -> MoneySums:
    """The sums that must agree when a cycle is settled; out is net of returned payments."""
    now = store.cycle(session, cycle)
    entries = store.booked(session, now.period)
    paid_in = sum(applied for effect, _, applied in entries if effect in (BankEffect.RECEIPT, BankEffect.OVER))
    paid_out = -sum(amount for effect, amount, _ in entries if effect in (BankEffect.PAID, BankEffect.RETURNED))
    journal_in = journal_out = 0
    for _, item in store.transactions(session):
        for posting in item.postings:
            account = posting.account
            if not item.event.startswith("bank-") or account.agreement != "net" or account.period != now.period:
                continue
            if account.kind is Kind.RCV:
                journal_in -= posting.amount
            else:
                journal_out += posting.amount
    suspense = -sum(amount for account, amount in store.balance(session).items() if account.kind is Kind.SUS)
    return MoneySums(paid_in, paid_out, journal_in, journal_out, suspense)
