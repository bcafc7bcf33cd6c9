"""申请: pre-check, drafts of later registrations, the filed form, and what the agency opens of its own accord."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry import store
from registry.afterlife import service as afterlives
from registry.afterlife import store as afterlife
from registry.agency import Agency
from registry.application import decide_opening, decide_submission
from registry.calendar import Calendar, day_of
from registry.case import DECISION, AgencyDecision, World
from registry.entries import entry_in_force, entry_of
from registry.foreign import store as foreign
from registry.foreign.paper import PaperType
from registry.form import (
    LATER,
    SUBMITTED,
    Applicant,
    Form,
    Operation,
    applicant_ids,
    held_by_applicants,
    operations_of,
    rights_concerned,
)
from registry.handover import store as handover
from registry.intake.attachment import holders_of, not_received, require_room
from registry.intake.store import papers_with
from registry.party import AFFILIATE, PARTY, Party, PartyKind, document_of, is_person, opens, party_subject
from registry.precheck import NOTHING, Finding, Known, Level, precheck, require_submittable
from registry.rights import Right
from registry.scheme import scheme_of
from registry.signers import actors_in
from registry.stating import hex_identity, is_known, require_kind, take_in
from registry.succession import Wish, drafted

PENDING = "在办 / pending"


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
    later, number = form.type in LATER, form.declarations.public_data_no.strip()
    verified = bool(number) and foreign.verified(session, number, PaperType.PUBLIC_DATA, at)
    return Known(
        verified_numbers=frozenset({number}) if verified else frozenset(),
        entry=entry_in_force(session, form.certificate, at) if later else None,
        blocked=blocked_by(session, form, at) if later else (),
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


def strangers(session: Session, form: Form) -> tuple[Finding, ...]:
    """PC-03 for each natural person who is not the one under whose party identity the form is to be signed.

    Type, number, name and salt must open a commitment of that party, of whatever act, so that a form drafted under an
    earlier name is still its form. One person has one identity, one identity one paper (registration.md 9).
    """
    found, others = [], dict[str, str]()
    for place, person in enumerate(form.applicants):
        if person.kind is PartyKind.NATURAL and is_person(person.party):
            found += [
                Finding("PC-03", Level.STOP, f"applicants[{place}].{field}", zh, en)
                for field, zh, en in _strange(session, person, others)
            ]
    return tuple(found)


def _strange(session: Session, person: Applicant, others: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a person: the field, and both languages. `others` are the papers of the same form."""
    admitted = [
        read(Party, fact.body)
        for fact in facts.facts_of(session, party_subject(person.party))
        if fact.kind == PARTY
    ]  # fmt: skip
    if not admitted:
        yield (
            "party",
            "该自然人尚未入册，请先生成钥匙并入册。",
            "No such person is admitted: be admitted with a key first.",
        )
        return
    try:
        known = any(party.commitment is not None and opens(person.person, party.commitment) for party in admitted)
    except FieldError:
        known = False  # a salt of another form opens nothing; the pre-check names it
    if not known:
        yield (
            "id_no",
            "证件类型、证件号码、姓名、身份盐值与入册时的身份承诺不符，请逐项核对。",
            "Type, number, name and salt do not open the commitment of this party: compare each of them.",
        )
        return
    paper = document_of(person.id_type, person.id_no)
    first = others.setdefault(paper, person.party)
    if {first, store.person_with(session, paper)} - {"", person.party}:
        yield (
            "party",
            "该证件已以另一当事方编号办理，一人只能有一个当事方编号。",
            "This paper belongs to another party: one person has one identity.",
        )
    elif store.paper_of(session, person.party) not in ("", paper):
        yield (
            "id_no",
            "该当事方此前以另一证件办理，证件号码不能更换。",
            "This party has filed under another paper: the number cannot change.",
        )


def draft_form(session: Session, code: str, wish: Wish, at: int) -> Form:
    """The form of a later registration of this certificate, restating what stands in the register; its papers and its
    signatures are still to come. Raises `Unknown`, `FieldError`."""
    row = store.certificate_at(session, code, at)
    return drafted(entry_of(session, row, at), store.case(session, row.application).form, wish)


def submit_application(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """Steps I-01 and I-02: an application form signed by every applicant, or by the representative."""
    statement = signed.statement
    require_kind(signed, SUBMITTED)
    identity = hex_identity(statement.subject, "application")
    form = read(Form, statement.body)
    scheme = scheme_of(form.scheme, day_of(at).isoformat())
    scheme.require_steps()
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    if statement.no != 0:
        raise FieldError("statement.no", "0", str(statement.no))
    handover.require_intake(session, agency.uscc)
    require_submittable(precheck(form, scheme, at))
    require_submittable(papers_not_received(session, agency, form))
    require_submittable(strangers(session, form))
    actors = actors_in(session, signed, form, at)
    entry = entry_in_force(session, form.certificate, at) if form.type in LATER else None
    decide_submission(identity, form, actors, World(agency.uscc, scheme, calendar, entry=entry), at)
    return take_in(session, signed, at)


def open_by_agency(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """B-04, Z-03 to Z-05: two persons of the agency open a 变更 or 注销 nobody applied for (art. 29, 37).

    Takes in register-decision/v1; the case stands at READY and goes on by I-24, I-25 and I-27 like any other, and
    nothing changes in the register before its deposit (art. 26). Raises `NotEntitled`, `GuardRefused`, `FieldError`.
    """
    statement = signed.statement
    require_kind(signed, DECISION)
    identity = hex_identity(statement.subject, "application")
    body = read(AgencyDecision, statement.body)
    scheme = scheme_of(body.form.scheme, day_of(at).isoformat())
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    if statement.no != 0:
        raise FieldError("statement.no", "0", str(statement.no))
    require_submittable(precheck(body.form, scheme, at))
    require_submittable(strangers(session, body.form))
    entry = entry_in_force(session, body.form.certificate, at)
    actors = actors_in(session, signed, body.form, at)
    decide_opening(identity, body, actors, World(agency.uscc, scheme, calendar, entry=entry), at)
    afterlives.require_ground(session, agency, body, at)
    return take_in(session, signed, at)


def blocked_by(session: Session, form: Form, at: int) -> tuple[str, ...]:
    """What blocks at `at` what this form asks for; a decision of the agency's has grounds of its own."""
    code, rights = form.certificate, rights_concerned(form)
    reasons = {reason for item in operations_of(form) for reason in _blocks(session, code, item, at, rights)}
    return tuple(sorted(reasons))


def _blocks(
    session: Session, code: str, operation: Operation, at: int, rights: frozenset[Right] = frozenset(Right)
) -> tuple[str, ...]:
    """Which remarks and open objections on a certificate block this operation (registration.md 1.6, 1.7)."""
    return afterlife.stops(session, code, operation, at, rights)
