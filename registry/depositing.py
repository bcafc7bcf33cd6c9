"""信息存证: the request to the deposit authority, its receipt, and the register entry made from both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.facts import Fact, PartsRoot, Signed
from ledger.reading import read
from registry import store
from registry.afterlife.service import close_acted_on
from registry.agency import Agency, Signer
from registry.calendar import Calendar
from registry.case import Act, Case, rules_of
from registry.certificate import (
    DEPOSIT_RECEIPT,
    ENDING,
    ENTRY,
    DepositReceipt,
    DepositRequest,
    Record,
    RegisterEnding,
    RegisterEntry,
    certificate_subject,
    deposit_subject,
    record_parts,
    register_ending,
    register_entry,
)
from registry.code import month_of, numbered, read_code
from registry.entries import base_of, made_by, records_of
from registry.errors import DepositRefused, GuardRefused
from registry.form import RegistrationType
from registry.handover import store as handover
from registry.holding import source_ends
from registry.moving import system_move, world_of
from registry.numbering import take_serial
from registry.party import party_subject
from registry.projecting import project
from registry.signers import require_key
from registry.stating import next_statement, require_kind, take_in
from registry.succession import keeps_its_term
from registry.validity import tell


@dataclass(frozen=True, slots=True)
class Registered:
    """What a deposit led to: the code, the register-entry fact and the receipt fact."""

    code: str
    entry: Fact
    receipt: Fact
    replayed: bool


def deposit_request(session: Session, agency: Agency, application: str) -> DepositRequest:
    """What to send to the deposit authority for a case in state DEPOSITING (or later, to ask again)."""
    case = store.case(session, application)
    if case.record is None or case.requested_at is None:
        raise GuardRefused(
            "I-25", "deposit_requested", "尚未提出存证请求（I-24）。", "deposit has not been requested (I-24)"
        )
    return DepositRequest(
        deposit_subject(case.record), application, agency.uscc, agency.authority, case.record, case.requested_at
    )


def record_deposit_receipt(
    session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int, calendar: Calendar
) -> Registered:
    """Step 信息存证: verifies the authority's receipt, allocates the code and makes the register entry, in one go.

    The same receipt again returns the first result. Raises `DepositRefused`, `BadSignature`, `CodeExhausted`.
    """
    receipt = _verified_receipt(agency, signed)
    case = store.case(session, receipt.application)
    if case.record is None or case.requested_at is None or receipt.record != case.record:
        raise DepositRefused("与本案存证请求的摘要不符。", "it is not for the requested record")
    if not case.requested_at <= receipt.deposited_at <= at:
        raise DepositRefused("存证时间不在请求与收到回执之间。", "its time is not between request and receipt")
    taken = facts.append(session, signed, at=at)
    if taken.replayed and case.code:
        return Registered(case.code, made_by(session, case), taken.fact, replayed=True)
    project(session, taken.fact)
    # The registration is complete at the deposit (art. 26), so what is in force is asked for that instant.
    world = world_of(session, agency, case, receipt.deposited_at, calendar, receipt_record=receipt.record)
    entry = _enter(session, agency, case, receipt, taken.fact, signer, at)
    code = str(entry.body["code"])
    world = replace(world, entry_code=code)
    system_move(session, case, Act("I-25", rule="G26", receipt=taken.fact.id, code=code), world, signer, at)
    if entry.kind == ENDING:  # no paper follows a whole 注销: its notice is this very fact
        ended = store.certificate_version(session, code, int(entry.body["version"]))
        tell(session, signer, ended, at=at, basis=entry.id, effective_at=receipt.deposited_at)
        registered = store.case(session, case.application)
        system_move(session, registered, Act("I-27", rule="G27", code=code), world, signer, at)
    for row in store.certificates_of(session, case.application):
        if at < row.valid_until:
            tell(session, signer, row, at=at, basis=entry.id, effective_at=row.valid_from)
    close_acted_on(session, agency, case, entry, signer, at=at, calendar=calendar)
    return Registered(code, entry, taken.fact, replayed=False)


def record_deposit_refusal(
    session: Session, agency: Agency, application: str, reason: str, signer: Signer, *, at: int, calendar: Calendar
) -> Fact:
    """I-26: the deposit authority refused; the case waits for a new request. A time-out is retried, never this."""
    case = store.case(session, application)
    act = Act("I-26", rule="G26", reason=reason)
    return system_move(session, case, act, world_of(session, agency, case, at, calendar), signer, at)


def _verified_receipt(agency: Agency, signed: Signed) -> DepositReceipt:
    require_kind(signed, DEPOSIT_RECEIPT)
    receipt = read(DepositReceipt, signed.statement.body)
    if (receipt.authority, receipt.agency) != (agency.authority, agency.uscc):
        raise DepositRefused("回执的存证机构或登记机构不符。", "other authority or agency")
    if signed.statement.no != 0 or signed.statement.subject != deposit_subject(receipt.record):
        raise DepositRefused("回执的主题与存证内容不符。", "its subject does not belong to the record")
    require_key(signed, party_subject(agency.authority), agency.authority_key)
    return receipt


def _enter(
    session: Session, agency: Agency, case: Case, receipt: DepositReceipt, fact: Fact, signer: Signer, at: int
) -> Fact:
    """States what the deposit makes of the register: an entry under a new code or as the next version, two entries that
    share a predecessor when only part of the rights moved, or an ending."""
    record, rest = records_of(session, case)
    before = record.predecessor
    entry = base_of(session, case) if before is not None else None
    if before is not None and not record.rights:
        assert case.form.cancellation is not None
        ground = case.form.cancellation.reason
        ending = register_ending(record, receipt, fact.digest(), ground, agency.name, agency.authority_name)
        return _state_record(session, ENDING, ending, record, signer, at)
    kept = entry.last_day if entry is not None and keeps_its_term(record.type) else None
    if before is None or record.type is RegistrationType.TRANSFER:
        code = _code_for(session, agency, receipt, at)
    else:
        code = before.code
    first = _state_entry(session, agency, case, record, code, receipt, fact, kept, signer, at)
    if rest is not None and before is not None:
        # Next to each other in the log, as the contract wants the entries that share a predecessor.
        _state_entry(session, agency, case, rest, before.code, receipt, fact, kept, signer, at)
    return first


def _state_entry(
    session: Session, agency: Agency, case: Case, record: Record, code: str, receipt: DepositReceipt, fact: Fact,
    kept: str | None, signer: Signer, at: int,
) -> Fact:  # fmt: skip
    entry = register_entry(
        record,
        receipt,
        fact.digest(),
        code,
        rules_of(case),
        agency.name,
        agency.catalogue_no,
        agency.authority_name,
        source_ends(session, case.form),
        kept,
    )
    if entry.valid_until <= entry.valid_from:
        raise GuardRefused("I-25", "term_still_runs", "来源凭证或授权已届满。", "a source right has ended")
    return _state_record(session, ENTRY, entry, record, signer, at)


def _state_record(
    session: Session, kind: str, body: RegisterEntry | RegisterEnding, record: Record, signer: Signer, at: int
) -> Fact:
    parts = record_parts(record)
    statement = next_statement(session, kind, certificate_subject(body.code), body, PartsRoot.over(parts))
    return take_in(session, Signed(statement, (signer.sign(statement, "system"),)), at, parts).fact


def _code_for(session: Session, agency: Agency, receipt: DepositReceipt, at: int) -> str:
    """The code the national system assigned, if it did; else the next of this month. Raises `CodeExhausted`."""
    handover.require_own_digit(session, agency.region, agency.digit)
    if not receipt.cert_code:
        month = month_of(at)
        serial = take_serial(session, agency.region, agency.digit, month)
        return str(numbered(agency.region, agency.digit, month, serial))
    assigned = read_code(receipt.cert_code, "body.cert_code")
    if (assigned.region, assigned.agency) != (agency.region, agency.digit):
        raise DepositRefused("编码的地区或机构位不是本机构的。", "the code is of another region or agency")
    if store.is_taken(session, receipt.cert_code):
        raise DepositRefused(f"编码 {receipt.cert_code} 已在登记簿中。", "the code is in the register already")
    return receipt.cert_code
