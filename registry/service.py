"""Registration as the outside calls it: check who signed, load the views, decide, store the fact, project it.

Every function takes the session and the instant `at` (seconds UTC); none commits. A statement sent again gets the first
fact back (`Appended.replayed`), the same act number with other content raises `ledger.errors.Conflict`, a statement
written against an older state `ledger.errors.Stale`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from ledger import sm
from ledger import store as facts
from ledger.digest import TwinDigest, twin
from ledger.errors import BadSignature, FieldError, LedgerError
from ledger.facts import SM2, Fact, PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import verify_sm2
from ledger.store import Appended
from registry import document, store
from registry import worklist as todo
from registry.afterlife import store as afterlife
from registry.afterlife.blocking import flags_of, hindrances
from registry.afterlife.remark import RemarkKind
from registry.application import (
    actors_of,
    decide,
    decide_objection,
    decide_opening,
    decide_submission,
    timer_act,
)
from registry.asset import (
    Twin,
)
from registry.calendar import (
    Calendar,
    day_of,
)
from registry.case import (
    DECISION,
    FINAL,
    MOVE,
    Act,
    Actor,
    AgencyDecision,
    Case,
    Role,
    State,
    World,
    rules_of,
)
from registry.catalogue import (
    Check,
    CodeAnswer,
    Found,
    Integrity,
    Listing,
    PublicRight,
    PublicView,
    integrity_of,
)
from registry.certificate import (
    DEPOSIT_RECEIPT,
    ENDING,
    ENTRY,
    IN_FORCE,
    ISSUED,
    USE_AUTHORISATION,
    DepositReceipt,
    DepositRequest,
    Document,
    InForce,
    Issue,
    Record,
    RegisterEnding,
    RegisterEntry,
    SealMark,
    Status,
    UseAuthorisation,
    certificate_subject,
    deposit_subject,
    record_digest,
    record_in,
    record_parts,
    register_ending,
    register_entry,
    status_at,
)
from registry.code import is_code, month_of, numbered, read_code
from registry.credential.did import Issuer
from registry.credential.proof import secured
from registry.credential.status_list import place as free_place
from registry.credential.vc import credential
from registry.document import Paper
from registry.duties import store as duties
from registry.errors import (
    CalendarPending,
    DepositRefused,
    GuardRefused,
    NotEntitled,
    PaperRefused,
    RegistryError,
    Unknown,
)
from registry.form import (
    LATER,
    SUBMITTED,
    Applicant,
    Form,
    Operation,
    RegistrationType,
    applicant_ids,
    held_by_applicants,
    operations_of,
    rights_concerned,
)
from registry.handover import store as handover
from registry.intake.attachment import holders_of, not_received, require_room
from registry.intake.store import papers_with
from registry.objection import OBJECTION, Objection
from registry.party import (
    AFFILIATE,
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
from registry.precheck import NOTHING, Finding, Known, precheck, require_submittable
from registry.rights import MATRIX, Right, RightRow
from registry.scheme import scheme_of
from registry.seal import Sealed
from registry.search import store as search
from registry.search.grams import runs_of
from registry.search.store import Wanted
from registry.succession import Wish, drafted, keeps_its_term, record_of, remainder_of
from registry.tables import CertificateRow
from registry.telling import TOLD, Telling, state_at

_HEX32 = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
PENDING = "在办 / pending"
MOST_LOOKED = 1_000
"""Lines judged for one page of a status; then the page ends early, and the next one goes on from there."""


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
    papers_received: bool = False
    """Must the papers a form names have been handed in here (PC-22)?"""
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
class Draft:
    """The papers of a certificate version before the seal: `body` is the unsigned PDF, `picture` the drawn seal.

    The rest is what certificate-issued/v1 will say; `issued` that it has said so already.
    """

    code: str
    version: int
    agency: str
    body: bytes
    json: bytes
    credential: bytes
    picture: bytes
    entry: Twin
    token: str
    check_url: str
    status_list: int
    status_index: int
    issued: bool


@dataclass(frozen=True, slots=True)
class Papers:
    """The issued papers of a certificate: sealed PDF, JSON document, credential, and the certificate-issued fact."""

    code: str
    pdf: bytes
    json: bytes
    credential: bytes
    fact: Fact
    replayed: bool


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """Status of a certificate at `as_of`, in the version of that time; `None` before its validity began."""

    code: str
    version: int
    status: Status | None
    in_force: bool
    valid_from: int
    valid_until: int
    as_of: int


class MatterSource(Protocol):
    """Another area's matters for the work list: what waits for somebody at this agency now."""

    def __call__(self, session: Session, agency: Agency, at: int, calendar: Calendar) -> Sequence[todo.Matter]:
        """Every open matter of the area."""


@dataclass(frozen=True, slots=True)
class Worklist:
    """The lines somebody sees at `as_of`, how many of each level, and the calendar they were counted by."""

    as_of: int
    calendar: str
    counts: dict[todo.Level, int]
    lines: tuple[todo.Line, ...]


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


def check_form(agency: Agency, form: Form, at: int, known: Known = NOTHING) -> tuple[Finding, ...]:
    """登记预检 of a form before it is signed; `known` comes from `known_of`. Raises `FieldError`, `NotDefined`."""
    scheme = scheme_of(form.scheme, day_of(at).isoformat())
    scheme.require_steps()
    return precheck(form, scheme, at, known)


def known_of(session: Session, form: Form, at: int, calendar: Calendar, *, application: str = "") -> Known:
    """What the register and the calendar say about a form, for the pre-check; `application` is its own id, if filed.

    Others' certificates are named, their pending applications are not: those are nobody else's business yet.
    """
    content, own = form.description.content.digest.sha256, applicant_ids(form)
    in_force, pending = store.taken(session, content, at, but=application)
    wanted = {(row.right.value, row.holder_id) for row in held_by_applicants(form)}
    others = {where for _, holder, where in in_force if holder not in own and where != form.certificate}
    others |= {PENDING for _, holder, _ in pending if holder not in own}
    later = form.type in LATER
    return Known(
        entry=entry_in_force(session, form.certificate, at) if later else None,
        blocked=_blocked(session, form, at) if later else (),
        calendar=calendar,
        registered=tuple(
            (Right(right), where)
            for right, holder, where in sorted({*in_force, *pending})
            if (right, holder) in wanted and where != form.certificate
        ),
        similar=tuple(sorted(others)),
        disputes=(PENDING,) if store.disputed(session, content, but=application) else (),
        affiliates=frozenset(store.with_role(session, own, AFFILIATE, at)),
    )


def papers_not_received(session: Session, agency: Agency, form: Form) -> tuple[Finding, ...]:
    """PC-22 for each paper the form names that was not handed in here by its applicants or representative.

    Nothing where the agency keeps papers elsewhere. Raises `FileRefused` when there are too many or they are too large.
    """
    if not agency.papers_received or not form.attachments:
        return ()
    first, *others = form.attachments
    require_room(first.size, first.name, [item.size for item in others])
    digests = {item.digest.sha256 for item in form.attachments}
    return not_received(form, papers_with(session, holders_of(form), digests))


def entry_in_force(session: Session, code: str, at: int) -> InForce:
    """What a later registration of this certificate builds on: its version at `at`, with the holders as their last
    forms describe them. Raises `Unknown`."""
    return _entry(session, store.certificate_at(session, code, at), at)


def draft_form(session: Session, code: str, wish: Wish, at: int) -> Form:
    """The form of a later registration of this certificate, restating what stands in the register; its papers and its
    signatures are still to come. Raises `Unknown`, `FieldError`."""
    row = store.certificate_at(session, code, at)
    return drafted(_entry(session, row, at), store.case(session, row.application).form, wish)


def submit_application(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """Steps I-01 and I-02: an application form signed by every applicant, or by the representative."""
    statement = signed.statement
    _require_kind(signed, SUBMITTED)
    identity = _hex_identity(statement.subject, "application")
    form = read(Form, statement.body)
    scheme = scheme_of(form.scheme, day_of(at).isoformat())
    scheme.require_steps()
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    if statement.no != 0:
        raise FieldError("statement.no", "0", str(statement.no))
    handover.require_intake(session, agency.uscc)
    require_submittable(precheck(form, scheme, at))
    require_submittable(papers_not_received(session, agency, form))
    actors = _actors(session, signed, form, at)
    entry = entry_in_force(session, form.certificate, at) if form.type in LATER else None
    decide_submission(identity, form, actors, World(agency.uscc, scheme, calendar, entry=entry), at)
    return _take_in(session, signed, at)


def open_by_agency(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """B-04, Z-03 to Z-05: two persons of the agency open a 变更 or 注销 nobody applied for (art. 29, 37).

    Takes in register-decision/v1; the case stands at READY and goes on by I-24, I-25 and I-27 like any other.
    """
    statement = signed.statement
    _require_kind(signed, DECISION)
    identity = _hex_identity(statement.subject, "application")
    body = read(AgencyDecision, statement.body)
    scheme = scheme_of(body.form.scheme, day_of(at).isoformat())
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    if statement.no != 0:
        raise FieldError("statement.no", "0", str(statement.no))
    require_submittable(precheck(body.form, scheme, at))
    entry = entry_in_force(session, body.form.certificate, at)
    _require_outcome(session, body)
    actors = _actors(session, signed, body.form, at)
    decide_opening(identity, body, actors, World(agency.uscc, scheme, calendar, entry=entry), at)
    return _take_in(session, signed, at)


def _require_outcome(session: Session, body: AgencyDecision) -> None:
    """While an objection after registration is open, the agency acts on an outcome, or on the law (art. 29, P)."""
    code = body.form.certificate
    if body.move == "Z-05" or not afterlife.objection_open(session, code):
        return
    if not afterlife.is_decision(session, body.basis, code):
        raise GuardRefused(
            body.move, "rests_on_an_outcome", "登记后异议未了结，应依其结果处置。", "an objection is open"
        )


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
        require_submittable(precheck(act.form, rules_of(case), at))
        require_submittable(papers_not_received(session, agency, act.form))
    decide(case, act, _actors(session, signed, case.form, at), _world(session, agency, case, at, calendar), at)
    return _take_in(session, signed, at)


def rehearse(
    session: Session,
    agency: Agency,
    application: str,
    act: Act,
    actors: tuple[Actor, ...],
    *,
    at: int,
    calendar: Calendar,
) -> None:
    """Raises what `move` would raise if these actors signed this act now; a page asks before it lets them sign."""
    case = store.case(session, application)
    if act.form is not None:
        require_submittable(precheck(act.form, rules_of(case), at))
    decide(case, act, actors, world_of(session, agency, case, at, calendar), at)


def world_of(session: Session, agency: Agency, case: Case, at: int, calendar: Calendar) -> World:
    """What a decision about this case must know at `at` besides the case: also for pages that show its clocks."""
    return _world(session, agency, case, at, calendar)


def may_object(session: Session, agency: Agency, case: Case, *, at: int, calendar: Calendar) -> bool:
    """Would an objection of somebody outside be taken in now?"""
    somebody = Actor("party:", Role.OBJECTOR, "")
    try:
        decide_objection(case, (somebody,), _world(session, agency, case, at, calendar), at)
    except (RegistryError, LedgerError):
        return False
    return True


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
    """Makes every move whose time has come (I-06, I-08, I-18), and tells what time, or a renewal filed or given up, has
    made of a certificate (L-03, L-04, L-06); a date in an unpublished year fires nothing."""
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
    return made + _tell_what_time_made(session, agency, signer, at)


def _tell_what_time_made(session: Session, agency: Agency, signer: Signer, at: int) -> list[Fact]:
    made = []
    for row in store.to_be_told(session, at):
        if row.agency != agency.uscc:
            continue
        if row.renewal_filed_at is not None:  # L-03: the mark, in time before expiry
            told = tell(session, signer, row, at=at, basis="R-01", effective_at=row.renewal_filed_at)
        elif row.valid_until <= at:
            basis = "R-04" if row.told == Status.RENEWAL_PENDING else "C10"  # L-06, L-04
            told = tell(session, signer, row, at=at, basis=basis, effective_at=row.valid_until)
        else:  # the renewal came to nothing while the term still runs
            told = tell(session, signer, row, at=at, basis="R-04")
        if told is not None:
            made.append(told)
    return made


def deposit_record(session: Session, application: str) -> Record:
    """The deposit record of a case: what I-24 commits to and the deposit authority takes in."""
    return _records(session, store.case(session, application))[0]


def _records(session: Session, case: Case) -> tuple[Record, Record | None]:
    """The deposit record, and that of what a transferor's certificate keeps, if it keeps something."""
    known = facts.facts_of(session, f"application:{case.application}")
    if case.record is not None:
        requests = [i for i, fact in enumerate(known) if fact.kind == MOVE and fact.body["move"] == "I-24"]
        known = known[: requests[-1]]
    if case.form.type not in LATER:
        return record_of(case, known), None
    entry = _base(session, case)
    return record_of(case, known, entry), remainder_of(case, known, entry)


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
        return Registered(case.code, _made_by(session, case), taken.fact, replayed=True)
    store.project(session, taken.fact)
    # The registration is complete at the deposit (art. 26), so what is in force is asked for that instant.
    world = _world(session, agency, case, receipt.deposited_at, calendar, receipt_record=receipt.record)
    entry = _enter(session, agency, case, receipt, taken.fact, signer, at)
    code = str(entry.body["code"])
    world = replace(world, entry_code=code)
    _system_move(session, case, Act("I-25", rule="G26", receipt=taken.fact.id, code=code), world, signer, at)
    if entry.kind == ENDING:  # no paper follows a whole 注销: its notice is this very fact
        ended = store.certificate_version(session, code, int(entry.body["version"]))
        tell(session, signer, ended, at=at, basis=entry.id, effective_at=receipt.deposited_at)
        registered = store.case(session, case.application)
        _system_move(session, registered, Act("I-27", rule="G27", code=code), world, signer, at)
    for row in store.certificates_of(session, case.application):
        if at < row.valid_until:
            tell(session, signer, row, at=at, basis=entry.id, effective_at=row.valid_from)
    return Registered(code, entry, taken.fact, replayed=False)


def record_deposit_refusal(
    session: Session, agency: Agency, application: str, reason: str, signer: Signer, *, at: int, calendar: Calendar
) -> Fact:
    """I-26: the deposit authority refused; the case waits for a new request. A time-out is retried, never this."""
    case = store.case(session, application)
    act = Act("I-26", rule="G26", reason=reason)
    return _system_move(session, case, act, _world(session, agency, case, at, calendar), signer, at)


def draft_papers(
    session: Session,
    code: str,
    *,
    fonts: Path,
    check_url: str,
    issuer: Issuer,
    trial: bool,
    at: int,
    version: int | None = None,
) -> Draft:
    """凭证核发, first half: PDF body, JSON document and credential of a version (the newest), ready for the seal.

    Writes nothing. Of an issued certificate it makes the same bytes again, from facts alone. Raises `Unknown`,
    `PaperRefused`.
    """
    row = store.certificate(session, code) if version is None else store.certificate_version(session, code, version)
    entry_fact = facts.fact(session, row.fact_id)
    entry, record = read(RegisterEntry, entry_fact.body), _entered_record(session, row.fact_id)
    known = store.issue_of(session, row.code, row.version)
    if known is not None:
        body = read(Issue, facts.fact(session, known.fact_id).body)
        check_url, token, trial = body.check_url, body.token, body.seal.trial
        number, index = body.status_list, body.status_index
        (stated,) = facts.parts_of(session, known.fact_id)
    else:
        token = secrets.token_urlsafe(9)
        number, index = free_place(*store.status_taken(session), secrets.randbelow)
        plain = credential(entry, record, entry_fact.digest(), issuer, number, index, document.DECLARATION)
        stated = secured(plain, issuer, at)
    paper = Paper(entry, record, entry_fact.digest(), check_url, token, stated, trial)
    return Draft(
        code=row.code,
        version=row.version,
        agency=entry.agency_name,
        body=document.render_pdf(paper, fonts),
        json=document.render_json(paper),
        credential=stated,
        picture=document.render_seal(entry.agency_name, trial, fonts),
        entry=Twin.of(entry_fact.digest()),
        token=token,
        check_url=check_url,
        status_list=number,
        status_index=index,
        issued=known is not None,
    )


def issue(
    session: Session, agency: Agency, draft: Draft, sealed: Sealed, *, signer: Signer, at: int, calendar: Calendar
) -> Papers:
    """Step 凭证核发: states the digests of sealed PDF, body, JSON and credential; I-27 with the last of a case.

    Again for an issued certificate: the first fact, if body, papers and signed file are those that were issued, else
    `PaperRefused`. The signed file is made once and kept by the caller; only its body can be made again.
    """
    row = store.certificate_version(session, draft.code, draft.version)
    if not sealed.pdf.startswith(draft.body):
        raise PaperRefused("盖章文件与本版本的正文不符。", "the sealed file is not the body of this version")
    documents = (
        _document("body", draft.body), _document("pdf", sealed.pdf), _document("json", draft.json),
        _document("vc", draft.credential),
    )  # fmt: skip
    known = store.issue_of(session, row.code, row.version)
    if known is not None:
        stored = facts.fact(session, known.fact_id)
        if read(Issue, stored.body).documents != documents:
            raise PaperRefused("重新生成的文件与已核发的摘要不一致。", "the bytes differ from those issued")
        return Papers(row.code, sealed.pdf, draft.json, draft.credential, stored, replayed=True)
    duties.require_listed(session, agency.uscc, "I-27")
    number, taken = store.status_taken(session)
    if number == draft.status_list and draft.status_index in taken:
        raise PaperRefused("状态列表位置已被占用，将重新生成。", "its place in the status list was taken meanwhile")
    body = Issue(
        row.code, row.version, draft.entry, documents, draft.token, draft.check_url, draft.status_list,
        draft.status_index, sealed.mark,
    )  # fmt: skip
    parts = (draft.credential,)
    statement = _statement(session, ISSUED, certificate_subject(row.code), body, PartsRoot.over(parts))
    fact = _take_in(session, Signed(statement, (signer.sign(statement, "system"),)), at, parts).fact
    case = store.case(session, row.application)
    if not store.not_issued(session, case.application):
        world = replace(_world(session, agency, case, at, calendar), entry_code=case.code)
        _system_move(session, case, Act("I-27", rule="G27", code=case.code), world, signer, at)
    return Papers(row.code, sealed.pdf, draft.json, draft.credential, fact, replayed=False)


def issued_seal(session: Session, code: str, version: int) -> SealMark:
    """What was stated of the seal on the papers of a version. Raises `Unknown` before they are issued."""
    known = store.issue_of(session, code, version)
    if known is None:
        raise Unknown("已核发的凭证文件 / issued papers", code)
    return read(Issue, facts.fact(session, known.fact_id).body).seal


def tell(
    session: Session, signer: Signer, row: CertificateRow, *, at: int, basis: str, effective_at: int | None = None
) -> Fact | None:
    """States certificate-status/v1 if the version's state at `at` is not the one told last; else `None`.

    Call it after whatever may have changed the state; `basis` is the fact id or the rule behind the change,
    `effective_at` the second from which it holds (default: `at`). It is told of no earlier second than the telling
    before, and one second later where the very same was told of that second already: on the chain the two would be one.
    """
    state = state_at(store.standing_of(session, row), at)
    if state is None or state == store.last_told(session, row.code, row.version):
        return None
    since = at if effective_at is None else effective_at
    if row.told:  # the contract dates a first change back, later ones not behind what it may have answered since
        since = max(since, store.latest_told(session))
    since = store.next_instant(session, row, state, since)
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
    row = store.certificate_at(session, code, at)
    status = status_at(store.standing_of(session, row), at)
    return CertificateStatus(code, row.version, status, status in IN_FORCE, row.valid_from, row.valid_until, at)


def version_status(session: Session, row: CertificateRow, at: int) -> tuple[Status | None, bool]:
    """Status of one version, and whether a temporary control rests on its certificate at `at`."""
    flags = flags_of(afterlife.remarks_of(session, row.code), at)
    controlled = any(flag.kind is RemarkKind.TEMP_CONTROL for flag in flags)
    return status_at(store.standing_of(session, row), at), controlled


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


def check(
    session: Session,
    code: str,
    at: int,
    *,
    file: TwinDigest | None = None,
    token: str = "",
    purpose: Operation | None = None,
) -> Check:
    """The public check page: integrity of a file and current status, two separate answers. Never raises.

    It answers for the newest version, unless file or token are those of an older one: that paper is intact, and
    superseded. With both good, it is `ok` if no remark and no open objection stops the `purpose`; without one, none may
    stop any.
    """
    nothing = integrity_of((), file)
    if not is_code(code):
        return Check(code[:40], CodeAnswer.MALFORMED_CODE, nothing, at)
    try:
        row = store.version_shown(session, code, file.sha256.hex() if file else "", token)
    except Unknown:
        return Check(code, CodeAnswer.UNKNOWN_CODE, nothing, at)
    issued = store.issue_of(session, row.code, row.version)
    stated = read(Issue, facts.fact(session, issued.fact_id).body) if issued else None
    documents = stated.documents if stated else ()
    status = status_at(store.standing_of(session, row), at)
    if status is None:
        return Check(code, CodeAnswer.UNKNOWN_CODE, nothing, at)
    integrity, remarks = integrity_of(documents, file), afterlife.remarks_of(session, code)
    ended = afterlife.ended_rights(session, code)
    objection = status in IN_FORCE and afterlife.objection_open(session, code)
    stops = hindrances(remarks, objection, purpose, at, row.version) if status in IN_FORCE else ()
    return Check(
        code=code,
        status=status,
        integrity=integrity,
        as_of=at,
        version=row.version,
        agency=row.agency_name,
        deposited_at=row.deposited_at,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        last_day=row.last_day,
        issued=issued is not None,
        seal=stated.seal if stated else None,
        token_matches=issued is not None and secrets.compare_digest(issued.token.encode(), token.encode()),
        entry=Twin(row.fact_id, row.entry_sm3),
        entry_id=row.fact_id,
        view=_public_view(_entered_record(session, row.fact_id), ended) if row.public else None,
        flags=flags_of(remarks, at) if status in IN_FORCE else (),
        objection=objection,
        cancelled=tuple(sorted(ended)),
        purpose=purpose,
        stops=stops,
        ok=integrity is Integrity.INTACT and status is Status.VALID and not stops,
    )


def catalogue(
    session: Session, at: int, wanted: Wanted | None = None, *, limit: int = 50, before: int = search.FIRST
) -> Found:
    """The public register, newest deposit first, from below the place `before`; `Found.next` is where the next page
    begins. A registration whose publicity was waived is found by its whole code alone. Raises `FieldError`."""
    wanted = wanted or Wanted()
    if wanted.agency:
        check_uscc(wanted.agency, "agency")
    listed: list[tuple[int, Listing]] = []
    looked, more = 0, True
    while more and len(listed) <= limit and looked < MOST_LOOKED:
        rows = search.find(session, wanted, at, limit + 1, before)
        looked, more = looked + len(rows), len(rows) > limit
        for place, row in rows:
            status = status_at(store.standing_of(session, row), at) or Status.VALID
            if wanted.status in (None, status):
                listed.append((place, _listing(row, status)))
            before = place
    if len(listed) > limit:
        listed, before, more = listed[:limit], listed[limit - 1][0], True
    found = tuple(listing for _, listing in listed)
    return Found(found or _waived(session, wanted, at), str(before) if more else "")


def _waived(session: Session, wanted: Wanted, at: int) -> tuple[Listing, ...]:
    """A waived registration by its whole code: code, status and agency, and nothing a filter could ask out of it."""
    code = "".join(runs_of(wanted.words)).upper()
    if wanted.filtered or not is_code(code):
        return ()
    try:
        row = store.certificate(session, code)
    except Unknown:
        return ()
    status = status_at(store.standing_of(session, row), at) or Status.VALID
    return () if row.public else (Listing(row.code, agency=row.agency_name, status=status),)


def _listing(row: CertificateRow, status: Status) -> Listing:
    return Listing(
        row.code, row.version, row.data_name, row.kind, row.agency_name, row.deposited_at, row.last_day, status
    )


def _holders_in_force(session: Session, certificate_code: str, right: Right, at: int) -> set[str]:
    """Who holds this right under this certificate at `at`; nobody when it is unknown or not in force."""
    try:
        row = store.certificate_at(session, certificate_code, at)
    except Unknown:
        return set()
    if status_at(store.standing_of(session, row), at) not in IN_FORCE:
        return set()
    day = day_of(at).isoformat()
    if right in afterlife.ended_rights(session, row.code):
        return set()
    return {
        held.holder
        for held in store.holdings(session, row.code, row.version)
        if held.right == right.value and (held.term_from or day) <= day <= (held.term_to or day)
    }


def worklist(
    session: Session,
    agency: Agency,
    by: str,
    *,
    at: int,
    calendar: Calendar,
    role: str = "",
    sources: Sequence[MatterSource] = (),
) -> Worklist:
    """What waits for `by`: staff of the agency by role, the agency itself for all roles, others for their own matters.

    `sources` are other areas' matters. Raises `Unknown`, `NotEntitled` for a role that is not held.
    """
    viewer = _viewer(session, agency, by, at)
    if role and viewer.roles and role not in viewer.roles:
        raise NotEntitled("worklist", f"{by} 没有角色 {role[:40]}。", f"{by} does not have role {role[:40]}")
    own = [item for item in store.cases_in(session, todo.states_of(viewer)) if item.form.agency == agency.uscc]
    matters = [matter for item in own for matter in todo.matters_of(item, rules_of(item), calendar)]
    for source in sources:
        matters.extend(source(session, agency, at, calendar))
    found = todo.lines(todo.seen_by(matters, viewer, role), at, calendar)
    return Worklist(at, calendar.version, todo.counts(found), found)


def _viewer(session: Session, agency: Agency, by: str, at: int) -> todo.Viewer:
    kind, _, identity = by.partition(":")
    if kind == "staff":
        staff = store.staff_at(session, identity, at)
        roles = frozenset(staff.roles.split()) if staff.active and staff.organisation == agency.uscc else frozenset()
        return todo.Viewer(by, staff.organisation, roles)
    if kind != "party":
        raise NotEntitled("worklist", f"{by} 不办理登记事项。", f"{by} does not act on registrations")
    return todo.Viewer(by, identity, whole_agency=identity == agency.uscc)


# Inside ---------------------------------------------------------------------------------------------------------------

_NEWEST = 2**53 - 1


def _world(
    session: Session, agency: Agency, case: Case, at: int, calendar: Calendar, receipt_record: Twin | None = None
) -> World:
    later = case.form.type in LATER and case.state not in FINAL and case.state is not State.REGISTERED
    return World(
        agency=agency.uscc,
        scheme=rules_of(case),
        calendar=calendar,
        conflicts=store.conflicts_of(session, case, at),
        source_gaps=source_gaps(session, case.form, at),
        record=record_digest(deposit_record(session, case.application)) if case.state is State.READY else None,
        receipt_record=receipt_record,
        entry=entry_in_force(session, case.form.certificate, at) if later else None,
        # An agency's own decision carries out what would block an application.
        blocked=_blocked(session, case.form, at) if later and not case.opened_by else (),
        national_release=agency.national_release,
    )


def _blocked(session: Session, form: Form, at: int) -> tuple[str, ...]:
    """What blocks at `at` what this form asks for; an agency's own decision carries out what would block it."""
    code, rights = form.certificate, rights_concerned(form)
    reasons = {reason for item in operations_of(form) for reason in _blocks(session, code, item, at, rights)}
    if afterlife.rights_to_drop(session, code):
        reasons.add("已注销的权利尚未在新版本中除去。 / A version without the cancelled rights is to be made first.")
    return tuple(sorted(reasons))


def _blocks(
    session: Session, code: str, operation: Operation, at: int, rights: frozenset[Right] = frozenset(Right)
) -> tuple[str, ...]:
    """Which remarks and open objections on a certificate block this operation (registration.md 1.6, 1.7)."""
    return afterlife.stops(session, code, operation, at, rights)


def _entry(session: Session, row: CertificateRow, at: int) -> InForce:
    """A certificate version as a later registration finds it at `at`."""
    record = _entered_record(session, row.fact_id)
    wanted = [item.id_no for item in record.holders]
    people: dict[str, Applicant] = {}
    seen: CertificateRow | None = row
    while seen is not None and not people.keys() >= set(wanted):
        for person in store.case(session, seen.application).form.applicants:
            people.setdefault(person.id_no, person)
        before = (seen.predecessor, seen.predecessor_version)
        seen = store.certificate_version(session, *before) if seen.predecessor else None
    return InForce(
        code=row.code,
        version=row.version,
        status=status_at(store.standing_of(session, row), at),
        record=record,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        last_day=row.last_day,
        applicants=tuple(people[name] for name in wanted),
        renewal_filed=row.renewal_filed_at is not None,
    )


def _base(session: Session, case: Case) -> InForce:
    """The version that a case builds on: the newest, and once it is registered the one that it continued or ended."""
    made = _made_row(session, case)
    row = made if made is not None else store.certificate(session, case.form.certificate)
    return _entry(session, row, row.valid_from)


def _made_row(session: Session, case: Case) -> CertificateRow | None:
    """The version that a registered case of a later type ended; `None` before it is registered."""
    if not case.code:
        return None
    body = _made_by(session, case).body
    ended = body.get("predecessor", body)
    return store.certificate_version(session, str(ended["code"]), int(ended["version"]))


def _made_by(session: Session, case: Case) -> Fact:
    """The register entry, or the ending, of a registered case."""
    known = store.certificate_of(session, case.application)
    if known is not None:
        return facts.fact(session, known.fact_id)
    endings = [fact for fact in facts.facts_of(session, certificate_subject(case.code)) if fact.kind == ENDING]
    return endings[-1]


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
    """States what the deposit makes of the register: an entry under a new code or as the next version, two entries that
    share a predecessor when only part of the rights moved, or an ending."""
    record, rest = _records(session, case)
    before = record.predecessor
    entry = _base(session, case) if before is not None else None
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
        _source_ends(session, case.form),
        kept,
    )
    if entry.valid_until <= entry.valid_from:
        raise GuardRefused("I-25", "term_still_runs", "来源凭证或授权已届满。", "a source right has ended")
    return _state_record(session, ENTRY, entry, record, signer, at)


def _state_record(
    session: Session, kind: str, body: RegisterEntry | RegisterEnding, record: Record, signer: Signer, at: int
) -> Fact:
    parts = record_parts(record)
    statement = _statement(session, kind, certificate_subject(body.code), body, PartsRoot.over(parts))
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
    return actors_of(form, signed.signatures, organisations_of(session, signed, at))


def organisations_of(session: Session, signed: Signed, at: int) -> dict[str, str]:
    """The organisation (USCC) of each member of staff who signed, after every signature was verified with the key in
    force and every staff role with the staff's own. Raises `BadSignature`, `NotEntitled`, `Unknown`."""
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
    return organisations


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


def _public_view(record: Record, ended: frozenset[Right] = frozenset()) -> PublicView:
    data = record.description
    return PublicView(
        data.data_name,
        data.overview,
        data.limits,
        tuple(_public_right(row) for row in record.rights if row.right not in ended),
        record.source_kind.value,
        data.kind.value,
        tuple(source.certificate for source in data.sources),
    )


def _public_right(row: RightRow) -> PublicRight:
    return PublicRight(row.holder_name, masked(row.holder_id), row.right.value, row.limits)


# For the subpackages --------------------------------------------------------------------------------------------------

require_kind = _require_kind
is_known = _is_known


def require_staff(session: Session, signed: Signed, agency: Agency, roles: Set[str], at: int) -> str:
    """Exactly one member of the agency's staff signed, validly and in one of these roles; answers "staff:…".

    Raises `BadSignature` or `NotEntitled`.
    """
    if len(signed.signatures) != 1 or not signed.signatures[0].by.startswith("staff:"):
        raise BadSignature("staff:…", "应由登记机构一名经办人签名 / one member of the agency's staff must sign")
    signature = signed.signatures[0]
    _require_valid(signed.statement, signature, keys_of(session, signature.by, at).sm2)
    staff = store.staff_at(session, signature.by.partition(":")[2], at)
    if staff.organisation != agency.uscc or signature.role not in roles & set(staff.roles.split()):
        raise NotEntitled(
            signed.statement.kind, f"应由本登记机构的 {'、'.join(sorted(roles))} 签署。",
            f"a {' or '.join(sorted(roles))} of this agency must sign",
        )  # fmt: skip
    return signature.by
