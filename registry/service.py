"""Registration as the outside calls it: check who signed, load the views, decide, store the fact, project it.

Every function takes the session and the instant `at` (seconds UTC); none commits. A statement sent again gets the first
fact back (`Appended.replayed`), the same act number with other content raises `ledger.errors.Conflict`, a statement
written against an older state `ledger.errors.Stale`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from ledger import sm
from ledger import store as facts
from ledger.digest import TwinDigest, twin
from ledger.errors import BadSignature, FieldError
from ledger.facts import SM2, Fact, PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import verify_sm2
from ledger.store import Appended
from registry import document, store
from registry.application import actors_of, decide, decide_objection, decide_submission, timer_act
from registry.asset import Twin
from registry.calendar import Calendar, day_of
from registry.case import MOVE, Act, Actor, Case, State, World
from registry.catalogue import Check, CodeAnswer, Listing, PublicRight, PublicView, integrity_of
from registry.certificate import (
    DEPOSIT_RECEIPT,
    ENTRY,
    IN_FORCE,
    ISSUED,
    USE_AUTHORISATION,
    DepositReceipt,
    DepositRequest,
    Document,
    Issue,
    Record,
    RegisterEntry,
    Status,
    UseAuthorisation,
    certificate_subject,
    deposit_subject,
    record_digest,
    record_in,
    record_of,
    record_parts,
    register_entry,
    status_at,
)
from registry.code import is_code, month_of, numbered, read_code
from registry.document import Paper
from registry.duties import store as duties
from registry.errors import CalendarPending, DepositRefused, GuardRefused, NotEntitled, PaperRefused, Unknown
from registry.form import SUBMITTED, Form
from registry.handover import store as handover
from registry.objection import OBJECTION, Objection
from registry.party import (
    CONNECTOR,
    PARTY,
    STAFF,
    Connector,
    Party,
    Staff,
    check_party,
    check_uscc,
    masked,
    party_subject,
)
from registry.precheck import Finding, precheck, require_submittable
from registry.rights import MATRIX, Right, RightRow
from registry.scheme import scheme_of
from registry.tables import CertificateRow
from registry.telling import TOLD, Telling, state_at

_HEX32 = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Signer(Protocol):
    """The agency's system key: signs what timers and the system state (decisions D14)."""

    @property
    def by(self) -> str:
        """ "party:<USCC>" of the agency."""

    def sign(self, statement: Statement, role: str = "") -> Signature:
        """The signature over a statement in a role."""


@dataclass(frozen=True, slots=True)
class Agency:
    """The registration agency this house works for, and the deposit authority it deposits with.

    `region` and `digit` are the agency's parts of the code (annex 6), `authority_key` the authority's SM2 public key,
    `national_release` says that the national system releases publicity texts (`registry.national`).
    """

    uscc: str
    name: str
    region: str
    digit: str
    catalogue_no: str
    authority: str
    authority_name: str
    authority_key: str
    scheme: str = "national_2026"
    national_release: bool = False

    def __post_init__(self) -> None:
        check_uscc(self.uscc, "agency.uscc")
        check_uscc(self.authority, "agency.authority")
        sm.check_public(self.authority_key)
        numbered(self.region, self.digit, "202601", 1)


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """Public keys in force: SM2 as 04‖x‖y hex, EVM address in lower case ("" for staff and connectors)."""

    sm2: str
    evm: str


@dataclass(frozen=True, slots=True)
class Registered:
    """What a deposit led to: the code, the register-entry fact and the receipt fact."""

    code: str
    entry: Fact
    receipt: Fact
    replayed: bool


@dataclass(frozen=True, slots=True)
class Papers:
    """The issued papers of a certificate: bytes of both forms and the certificate-issued fact."""

    code: str
    pdf: bytes
    json: bytes
    fact: Fact
    replayed: bool


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """Status of the newest version of a certificate at `as_of`; `None` before its validity began."""

    code: str
    version: int
    status: Status | None
    in_force: bool
    valid_from: int
    valid_until: int
    as_of: int


# Parties, staff, connectors -------------------------------------------------------------------------------------------


def keys_of(session: Session, by: str, at: int) -> PartyKeys:
    """The keys of "party:…", "staff:…" or "connector:…" in force at `at`. Raises `Unknown`."""
    kind, _, identity = by.partition(":")
    if kind == "party":
        party = store.party_at(session, identity, at)
        handover.require_in_office(session, identity, by, at)
        return PartyKeys(party.sm2, party.evm)
    if kind == "staff":
        staff = store.staff_at(session, identity, at)
        if not staff.active:
            raise BadSignature(by, "该经办人已停用 / this member of staff is no longer active")
        handover.require_in_office(session, staff.organisation, by, at)
        return PartyKeys(staff.sm2, "")
    if kind == "connector":
        return PartyKeys(store.connector_at(session, identity, at).sm2, "")
    raise Unknown("签名人 / signer", by)


def require_signature(session: Session, signed: Signed, by: str, role: str = "", *, at: int | None = None) -> None:
    """Raises `BadSignature` unless `by` signed with the SM2 key in force at `at` (default: the newest key)."""
    for signature in signed.signatures:
        if signature.by == by and signature.alg == SM2 and (not role or signature.role == role):
            _require_valid(signed.statement, signature, keys_of(session, by, _NEWEST if at is None else at).sm2)
            return
    raise BadSignature(by, f"缺少签名{role and '，角色 ' + role} / no signature{role and ' as ' + role}")


def register_party(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in party/v1: identity and keys of an organisation, signed by itself and by the agency.

    A later version is signed with the new key and, if the key changes, with the old one too (decisions D15).
    """
    _require_kind(signed, PARTY)
    body = check_party(read(Party, signed.statement.body), signed.statement.subject)
    sm.check_public(body.sm2)
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    own, house = party_subject(body.uscc), party_subject(agency.uscc)
    _require_key(signed, own, body.sm2)
    if signed.statement.no > 0:
        _require_key(signed, own, keys_of(session, own, at).sm2)
    if own != house:
        _require_key(signed, house, keys_of(session, house, at).sm2)
    return _take_in(session, signed, at)


def register_staff(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in staff/v1: the key and roles of a person who acts for an organisation, signed by that organisation."""
    _require_kind(signed, STAFF)
    body = read(Staff, signed.statement.body)
    check_uscc(body.organisation, "body.organisation")
    sm.check_public(body.sm2)
    _require_name(signed.statement.subject, "staff")
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    _require_all(session, signed, {party_subject(body.organisation)}, at)
    _require_same_owner(session, signed, "organisation")
    return _take_in(session, signed, at)


def register_connector(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in connector/v1: a metering connector's key, signed by its owner."""
    _require_kind(signed, CONNECTOR)
    body = read(Connector, signed.statement.body)
    check_uscc(body.owner, "body.owner")
    sm.check_public(body.sm2)
    _require_name(signed.statement.subject, "connector")
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    _require_all(session, signed, {party_subject(body.owner)}, at)
    _require_same_owner(session, signed, "owner")
    return _take_in(session, signed, at)


# The seven steps ------------------------------------------------------------------------------------------------------


def check_form(agency: Agency, form: Form, at: int) -> tuple[Finding, ...]:
    """登记预检 of a form before it is signed."""
    return precheck(form, scheme_of(form.scheme), at)


def submit_application(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """Steps I-01 and I-02: an application form signed by every applicant, or by the representative."""
    statement = signed.statement
    _require_kind(signed, SUBMITTED)
    identity = _hex_identity(statement.subject, "application")
    form = read(Form, statement.body)
    scheme = scheme_of(form.scheme, day_of(at).isoformat())
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    if statement.no != 0:
        raise FieldError("statement.no", "0", str(statement.no))
    handover.require_intake(session, agency.uscc)
    require_submittable(precheck(form, scheme, at))
    actors = _actors(session, signed, form, at)
    decide_submission(identity, form, actors, World(agency.uscc, scheme, calendar), at)
    return _take_in(session, signed, at)


def move(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """Any move of the table that is stated by an application-move/v1, signed by whom the table names."""
    statement = signed.statement
    _require_kind(signed, MOVE)
    identity = _hex_identity(statement.subject, "application")
    act = read(Act, statement.body)
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    if act.move in ("I-15", "I-24"):
        duties.require_listed(session, agency.uscc, act.move)
    case = store.case(session, identity)
    if act.form is not None:
        require_submittable(precheck(act.form, scheme_of(act.form.scheme), at))
    decide(case, act, _actors(session, signed, case.form, at), _world(session, agency, case, at, calendar), at)
    return _take_in(session, signed, at)


def object_to(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """An objection (I-17, I-23), signed by the objecting party or by the clerk who verified the objector's contact."""
    _require_kind(signed, OBJECTION)
    _hex_identity(signed.statement.subject, "objection")
    body = read(Objection, signed.statement.body)
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    case = store.case(session, body.application)
    actors = _actors(session, signed, case.form, at)
    decide_objection(case, actors, _world(session, agency, case, at, calendar), at)
    return _take_in(session, signed, at)


def run_timers(session: Session, agency: Agency, signer: Signer, *, at: int, calendar: Calendar) -> list[Fact]:
    """Makes every move whose time has come (I-06, I-08, I-18); a date in an unpublished year fires nothing."""
    made = []
    for case in store.cases_in(session, (State.SUBMITTED, State.CORRECTION, State.PUBLICITY)):
        if case.form.agency != agency.uscc:
            continue
        world = _world(session, agency, case, at, calendar)
        try:
            act = timer_act(case, world, at)
        except CalendarPending:
            continue
        if act is not None:
            made.append(_system_move(session, case, act, world, signer, at))
    return made


def deposit_record(session: Session, application: str) -> Record:
    """The deposit record of a case: what I-24 commits to and the deposit authority takes in."""
    case = store.case(session, application)
    known = facts.facts_of(session, f"application:{application}")
    if case.record is not None:
        requests = [i for i, fact in enumerate(known) if fact.kind == MOVE and fact.body["move"] == "I-24"]
        known = known[: requests[-1]]
    return record_of(case, known)


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
    known = store.certificate_of(session, case.application)
    if taken.replayed and known is not None:
        return Registered(known.code, facts.fact(session, known.fact_id), taken.fact, replayed=True)
    store.project(session, taken.fact)
    world = _world(session, agency, case, at, calendar, receipt_record=receipt.record)
    entry = _enter(session, agency, case, receipt, taken.fact, signer, at)
    code = str(entry.body["code"])
    act = Act("I-25", rule="G26", receipt=taken.fact.id, code=code)
    _system_move(session, case, act, _with_code(world, code), signer, at)
    return Registered(code, entry, taken.fact, replayed=False)


def record_deposit_refusal(
    session: Session, agency: Agency, application: str, reason: str, signer: Signer, *, at: int, calendar: Calendar
) -> Fact:
    """I-26: the deposit authority refused; the case waits for a new request. A time-out is retried, never this."""
    case = store.case(session, application)
    act = Act("I-26", rule="G26", reason=reason)
    return _system_move(session, case, act, _world(session, agency, case, at, calendar), signer, at)


def issue(
    session: Session,
    agency: Agency,
    code: str,
    *,
    fonts: Path,
    check_url: str,
    signer: Signer,
    at: int,
    calendar: Calendar,
) -> Papers:
    """Step 凭证核发: makes PDF and JSON from the register entry and states their digests (I-27).

    Again for an issued certificate it makes the same bytes from the same facts, or raises `PaperRefused`.
    """
    row = store.certificate(session, code)
    entry_fact = facts.fact(session, row.fact_id)
    entry = read(RegisterEntry, entry_fact.body)
    known = store.issue_of(session, row.code, row.version)
    address, token = (known.check_url, known.token) if known else (check_url, secrets.token_urlsafe(9))
    paper = Paper(entry, _entered_record(session, row.fact_id), entry_fact.digest(), address, token)
    pdf, text = document.render_pdf(paper, fonts), document.render_json(paper)
    documents = (_document("pdf", pdf), _document("json", text))
    if known is not None:
        stored = facts.fact(session, known.fact_id)
        if read(Issue, stored.body).documents != documents:
            raise PaperRefused("重新生成的文件与已核发的摘要不一致。", "the bytes differ from those issued")
        return Papers(code, pdf, text, stored, replayed=True)
    duties.require_listed(session, agency.uscc, "I-27")
    body = Issue(row.code, row.version, Twin.of(entry_fact.digest()), documents, token, address)
    fact = _state(session, ISSUED, certificate_subject(code), body, signer, "system", at)
    case = store.case(session, row.application)
    world = _with_code(_world(session, agency, case, at, calendar), code)
    _system_move(session, case, Act("I-27", rule="G27", code=code), world, signer, at)
    return Papers(code, pdf, text, fact, replayed=False)


def tell(
    session: Session, signer: Signer, row: CertificateRow, *, at: int, basis: str, effective_at: int | None = None
) -> Fact | None:
    """States certificate-status/v1 if the version's state at `at` is not the one told last; else `None`.

    Call it after whatever may have changed the state; `basis` is the fact id or the rule behind the change,
    `effective_at` the second from which it holds (default: `at`).
    """
    state = state_at(store.standing_of(session, row), at)
    if state is None or state == store.last_told(session, row.code, row.version):
        return None
    since = at if effective_at is None else effective_at
    body = Telling(row.code, row.version, state.status, state.encumbered, state.objection, since, basis)
    return _state(session, TOLD, certificate_subject(row.code), body, signer, "system", at)


def authorise_use(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in use-authorisation/v1: a holder of 使用权 lets another party derive data; signed by that holder."""
    _require_kind(signed, USE_AUTHORISATION)
    _hex_identity(signed.statement.subject, "authorisation")
    body = read(UseAuthorisation, signed.statement.body)
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    if not at < body.to_at or not body.from_at < body.to_at:
        raise FieldError("body.to_at", "晚于现在和 from_at / later than now and from_at", str(body.to_at))
    check_uscc(body.grantee, "body.grantee")
    _require_all(session, signed, {party_subject(body.holder)}, at)
    if not holds_right(session, body.holder, body.certificate, Right.USE, at):
        raise NotEntitled(
            "授权", f"{body.holder} 不享有 {body.certificate} 的使用权。", "the grantor holds no right of use"
        )
    return _take_in(session, signed, at)


# Answers --------------------------------------------------------------------------------------------------------------


def certificate_status(session: Session, code: str, at: int) -> CertificateStatus:
    """Status of a certificate at `at` (decisions D19); lapse follows from time alone. Raises `Unknown`."""
    row = store.certificate(session, code)
    status = status_at(store.standing_of(session, row), at)
    return CertificateStatus(code, row.version, status, status in IN_FORCE, row.valid_from, row.valid_until, at)


def holds_right(session: Session, uscc: str, certificate_code: str, right: Right, at: int) -> bool:
    """Does this party hold this right under this certificate, in force at `at`?"""
    return uscc in _holders_in_force(session, certificate_code, right, at)


def right_in_force(session: Session, certificate_code: str, right: Right, at: int) -> bool:
    """Does anybody hold this right under this certificate, in force at `at`?"""
    return bool(_holders_in_force(session, certificate_code, right, at))


def source_gaps(session: Session, form: Form, at: int) -> tuple[str, ...]:
    """Why an applicant may not derive data from a source: no certificate, not in force, no right of use."""
    gaps = []
    if MATRIX[form.right_basis].needs_source_use and not form.description.sources:
        gaps.append("未列明原始数据的登记凭证")
    for source in form.description.sources:
        for applicant in form.applicants:
            if not _may_use(session, applicant.id_no, source.certificate, source.authorisation, at):
                gaps.append(f"{applicant.id_no} 对 {source.certificate} 不享有有效的使用权")
    return tuple(gaps)


def check(session: Session, code: str, at: int, *, file: TwinDigest | None = None, token: str = "") -> Check:
    """The public check page: integrity of a file and current status, two separate answers. Never raises."""
    nothing = integrity_of((), file)
    if not is_code(code):
        return Check(code[:40], CodeAnswer.MALFORMED_CODE, nothing, at)
    try:
        row = store.certificate(session, code)
    except Unknown:
        return Check(code, CodeAnswer.UNKNOWN_CODE, nothing, at)
    issued = store.issue_of(session, row.code, row.version)
    documents = read(Issue, facts.fact(session, issued.fact_id).body).documents if issued else ()
    status = status_at(store.standing_of(session, row), at)
    if status is None:
        return Check(code, CodeAnswer.UNKNOWN_CODE, nothing, at)
    return Check(
        code=code,
        status=status,
        integrity=integrity_of(documents, file),
        as_of=at,
        version=row.version,
        agency=row.agency_name,
        deposited_at=row.deposited_at,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        last_day=row.last_day,
        issued=issued is not None,
        token_matches=issued is not None and secrets.compare_digest(issued.token.encode(), token.encode()),
        entry=Twin(row.fact_id, row.entry_sm3),
        entry_id=row.fact_id,
        view=_public_view(_entered_record(session, row.fact_id)) if row.public else None,
    )


def catalogue(session: Session, at: int, *, text: str = "", limit: int = 50, offset: int = 0) -> list[Listing]:
    """The public list of certificates; where publicity was waived the data name is not shown, nor found by it."""
    rows = store.certificates(session, text, limit=limit, offset=offset)
    return [
        Listing(
            row.code,
            row.version,
            row.data_name if row.public else "（未公示）",
            row.kind,
            row.agency_name,
            row.deposited_at,
            row.last_day,
            status_at(store.standing_of(session, row), at) or Status.VALID,
        )
        for row in rows
        if row.public or text in row.code
    ]


def _holders_in_force(session: Session, certificate_code: str, right: Right, at: int) -> set[str]:
    """Who holds this right under this certificate at `at`; nobody when it is unknown or not in force."""
    try:
        row = store.certificate(session, certificate_code)
    except Unknown:
        return set()
    if status_at(store.standing_of(session, row), at) not in IN_FORCE:
        return set()
    day = day_of(at).isoformat()
    return {
        held.holder
        for held in store.holdings(session, row.code, row.version)
        if held.right == right.value and (held.term_from or day) <= day <= (held.term_to or day)
    }


# Inside ---------------------------------------------------------------------------------------------------------------

_NEWEST = 2**53 - 1


def _world(
    session: Session, agency: Agency, case: Case, at: int, calendar: Calendar, receipt_record: Twin | None = None
) -> World:
    return World(
        agency=agency.uscc,
        scheme=scheme_of(case.form.scheme),
        calendar=calendar,
        conflicts=store.conflicts_of(session, case, at),
        source_gaps=source_gaps(session, case.form, at),
        record=record_digest(deposit_record(session, case.application)) if case.state is State.READY else None,
        receipt_record=receipt_record,
        national_release=agency.national_release,
    )


def _with_code(world: World, code: str) -> World:
    return replace(world, entry_code=code)


def _verified_receipt(agency: Agency, signed: Signed) -> DepositReceipt:
    _require_kind(signed, DEPOSIT_RECEIPT)
    receipt = read(DepositReceipt, signed.statement.body)
    if (receipt.authority, receipt.agency) != (agency.authority, agency.uscc):
        raise DepositRefused("回执的存证机构或登记机构不符。", "other authority or agency")
    if signed.statement.no != 0 or signed.statement.subject != deposit_subject(receipt.record):
        raise DepositRefused("回执的主题与存证内容不符。", "its subject does not belong to the record")
    _require_key(signed, party_subject(agency.authority), agency.authority_key)
    return receipt


def _enter(
    session: Session, agency: Agency, case: Case, receipt: DepositReceipt, fact: Fact, signer: Signer, at: int
) -> Fact:
    """Takes a code and states the register entry under it."""
    code = _code_for(session, agency, receipt, at)
    record = deposit_record(session, case.application)
    entry = register_entry(
        record,
        receipt,
        fact.digest(),
        code,
        scheme_of(case.form.scheme),
        agency.name,
        agency.catalogue_no,
        agency.authority_name,
        _source_ends(session, case.form),
    )
    if entry.valid_until <= entry.valid_from:
        raise GuardRefused("I-25", "term_still_runs", "来源凭证或授权已届满。", "a source right has ended")
    parts = record_parts(record)
    statement = _statement(session, ENTRY, certificate_subject(code), entry, PartsRoot.over(parts))
    return _take_in(session, Signed(statement, (signer.sign(statement, "system"),)), at, parts).fact


def _code_for(session: Session, agency: Agency, receipt: DepositReceipt, at: int) -> str:
    """The code the national system assigned, if it did; else the next of this month. Raises `CodeExhausted`."""
    handover.require_own_digit(session, agency.region, agency.digit)
    if not receipt.cert_code:
        month = month_of(at)
        serial = store.take_serial(session, agency.region, agency.digit, month)
        return str(numbered(agency.region, agency.digit, month, serial))
    assigned = read_code(receipt.cert_code, "body.cert_code")
    if (assigned.region, assigned.agency) != (agency.region, agency.digit):
        raise DepositRefused("编码的地区或机构位不是本机构的。", "the code is of another region or agency")
    if store.is_taken(session, receipt.cert_code):
        raise DepositRefused(f"编码 {receipt.cert_code} 已在登记簿中。", "the code is in the register already")
    return receipt.cert_code


def _system_move(session: Session, case: Case, act: Act, world: World, signer: Signer, at: int) -> Fact:
    """Decides, signs and stores a move of the system or a timer."""
    statement = _statement(session, MOVE, f"application:{case.application}", act)
    signature = signer.sign(statement, "system")
    decide(case, act, actors_of(case.form, (signature,), {}), world, at)
    return _take_in(session, Signed(statement, (signature,)), at).fact


def _state(session: Session, kind: str, subject: str, body: object, signer: Signer, role: str, at: int) -> Fact:
    statement = _statement(session, kind, subject, body)
    return _take_in(session, Signed(statement, (signer.sign(statement, role),)), at).fact


def _statement(session: Session, kind: str, subject: str, body: object, parts: PartsRoot | None = None) -> Statement:
    no, prev = facts.next_of(session, subject)
    return Statement(kind, subject, no, prev, body_of(body), parts)


def _take_in(session: Session, signed: Signed, at: int, parts: Sequence[bytes] = ()) -> Appended:
    taken = facts.append(session, signed, at=at, parts=parts)
    if not taken.replayed:
        store.project(session, taken.fact)
    return taken


def _is_known(session: Session, signed: Signed) -> bool:
    """Is this act number taken, or not next? Then the ledger answers: the first fact, a conflict, or stale."""
    return facts.next_of(session, signed.statement.subject) != (signed.statement.no, signed.statement.prev)


def _actors(session: Session, signed: Signed, form: Form, at: int) -> tuple[Actor, ...]:
    """Every signature verified with the key in force, as actors on this case."""
    if not signed.signatures:
        raise BadSignature(signed.statement.subject, "没有签名 / no signature")
    organisations: dict[str, str] = {}
    for signature in signed.signatures:
        _require_valid(signed.statement, signature, keys_of(session, signature.by, at).sm2)
        if signature.by.startswith("staff:"):
            staff = store.staff_at(session, signature.by.partition(":")[2], at)
            if signature.role not in staff.roles.split():
                raise NotEntitled(
                    signed.statement.kind, f"{signature.by} 没有角色 {signature.role or '–'}。",
                    f"{signature.by} does not have role {signature.role or '–'}",
                )  # fmt: skip
            organisations[signature.by] = staff.organisation
    return actors_of(form, signed.signatures, organisations)


def _require_valid(statement: Statement, signature: Signature, key: str) -> None:
    if signature.alg != SM2:
        raise BadSignature(signature.by, "登记事项用 SM2 签名 / registration is signed with SM2")
    if signature.key != key:
        raise BadSignature(signature.by, "不是登记在案的公钥 / not the key on record")
    if not verify_sm2(statement, signature):
        raise BadSignature(signature.by, "与内容不符 / does not match the statement")


def _require_key(signed: Signed, by: str, key: str) -> None:
    """`by` signed with exactly this key (one signer may sign with two keys when a key changes)."""
    for signature in signed.signatures:
        if signature.by == by and signature.key == key:
            _require_valid(signed.statement, signature, key)
            return
    raise BadSignature(by, "缺少登记公钥的 SM2 签名 / no SM2 signature of the key on record")


def _require_all(session: Session, signed: Signed, by: set[str], at: int) -> None:
    """Exactly these signers signed, each validly."""
    given = sorted(signature.by for signature in signed.signatures)
    if given != sorted(by):
        raise BadSignature(", ".join(sorted(by)), f"签名人应为其一，实为 {given} / signed by {given}")
    for signature in signed.signatures:
        _require_valid(signed.statement, signature, keys_of(session, signature.by, at).sm2)


def _require_same_owner(session: Session, signed: Signed, field: str) -> None:
    """A later version of a staff member or connector stays with its organisation."""
    earlier = facts.facts_of(session, signed.statement.subject)
    if earlier and earlier[-1].body[field] != signed.statement.body[field]:
        raise FieldError(f"body.{field}", str(earlier[-1].body[field]), str(signed.statement.body[field]))


def _require_kind(signed: Signed, kind: str) -> None:
    if signed.statement.kind != kind:
        raise FieldError("statement.kind", kind, signed.statement.kind)
    if signed.statement.parts is not None:
        raise FieldError("statement.parts", "无 / none", "有 / present")


def _require_name(subject: str, prefix: str) -> None:
    kind, _, identity = subject.partition(":")
    if kind != prefix or not _NAME.fullmatch(identity):
        raise FieldError("statement.subject", f"{prefix}:<A-Z a-z 0-9 . _ ->", subject)


def _hex_identity(subject: str, prefix: str) -> str:
    kind, _, identity = subject.partition(":")
    if kind != prefix or not _HEX32.fullmatch(identity):
        raise FieldError("statement.subject", f"{prefix}:<32 hex>", subject)
    return identity


def _document(form: str, data: bytes) -> Document:
    return Document(form, len(data), Twin.of(twin(data)))


def _may_use(session: Session, uscc: str, code: str, authorisation: str, at: int) -> bool:
    if holds_right(session, uscc, code, Right.USE, at):
        return True
    given = store.authorisation(session, authorisation) if authorisation else None
    return (
        given is not None
        and (given.code, given.grantee) == (code, uscc)
        and given.from_at <= at < given.to_at
        and holds_right(session, given.holder, code, Right.USE, at)
    )


def _source_ends(session: Session, form: Form) -> Sequence[str]:
    """The last days of the source certificates and of the authorisations the applicants rely on."""
    ends = []
    for source in form.description.sources:
        ends.append(store.certificate(session, source.certificate).last_day)
        given = store.authorisation(session, source.authorisation) if source.authorisation else None
        if given is not None:
            ends.append(day_of(given.to_at - 1).isoformat())
    return ends


def _entered_record(session: Session, fact_id: str) -> Record:
    """The record a register entry keeps in its parts."""
    return record_in(read(RegisterEntry, facts.fact(session, fact_id).body), facts.parts_of(session, fact_id))


def _public_view(record: Record) -> PublicView:
    data = record.description
    return PublicView(
        data.data_name,
        data.overview,
        data.limits,
        tuple(_public_right(row) for row in record.rights),
        record.source_kind.value,
        data.kind.value,
        tuple(source.certificate for source in data.sources),
    )


def _public_right(row: RightRow) -> PublicRight:
    return PublicRight(row.holder_name, masked(row.holder_id), row.right.value, row.limits)
