"""The agency's acts taken in, its yearly report made, and the breaches that the calendar finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.agency import Agency, Signer
from registry.calendar import Calendar, day_of, end_of
from registry.duties import store
from registry.duties.complaint import COMPLAINT, Addressee, ComplaintAct, answer_due, decide_complaint
from registry.duties.figures import AnnualReport, figures_of, span
from registry.duties.office import (
    ANNUAL,
    ANNUAL_DUE,
    BREACH,
    CHANGE,
    DISCLOSURE,
    LISTING,
    PROFILE,
    TOPIC_IDS,
    Breach,
    ChangeAct,
    ChangeState,
    Disclosure,
    Listing,
    Profile,
    annual_due,
    check_disclosure,
    check_profile,
    decide_change,
    latest_report_day,
    update_due,
)
from registry.duties.report import NOTICE
from registry.errors import CalendarPending, GuardRefused, NotEntitled
from registry.handover import store as handover
from registry.handover.leaving import decision_due, forwarding_due
from registry.scheme import SCHEMES

AUTHORITIES = ("province_authority", "national_authority")
_HEX32 = re.compile(r"[0-9a-f]{32}")


def take_act(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """Takes in a profile, listing, change, disclosure or complaint of this agency.

    A change that was reported late is taken in and a breach of C13 stated with it. Raises `FieldError`, `BadSignature`,
    `NotEntitled`, `IllegalMove`, `GuardRefused`, and `CalendarPending` where C13 needs an unpublished year.
    """
    statement = signed.statement
    if statement.kind not in _CHECKS or statement.parts is not None:
        raise FieldError("statement.kind", " | ".join(sorted(_CHECKS)), statement.kind)
    if facts.next_of(session, statement.subject) != (statement.no, statement.prev):
        return facts.append(session, signed, at=at)
    _CHECKS[statement.kind](session, agency, signed, at, calendar)
    return _take_in(session, signed, at)


def report_change(
    session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int, calendar: Calendar
) -> Appended:
    """`take_act`, and the breach of C13 if the report came less than five working days before the change."""
    taken = take_act(session, agency, signed, at=at, calendar=calendar)
    if taken.replayed or signed.statement.kind != CHANGE:
        return taken
    act = read(ChangeAct, signed.statement.body)
    if act.move == "P-01" and act.planned_on is not None:
        latest = latest_report_day(date.fromisoformat(act.planned_on), calendar)
        if day_of(at) > latest:
            _breach(session, agency, signer, "C13", end_of(latest), signed.statement.subject, "G12", at)
    return taken


def run_timers(session: Session, agency: Agency, signer: Signer, *, at: int, calendar: Calendar) -> list[Fact]:
    """States each breach that the calendar finds, once: C14 (system not updated), C18 (no yearly report). What needs an
    unpublished year fires nothing."""
    made = []
    for identity, change in store.changes(session, agency.uscc):
        if change.state is ChangeState.CONFIRMED:
            try:
                due = update_due(date.fromisoformat(change.confirmed_on), calendar)
            except CalendarPending:
                continue
            if at >= due:
                made.append(_breach(session, agency, signer, "C14", due, f"agency-change:{identity}", "G12", at))
    began, reported = store.first_day(session, agency.uscc), _reported_years(session, agency)
    if began is not None:
        for year in range(began.year, day_of(at).year):
            if year not in reported and at >= annual_due(year):
                made.append(_breach(session, agency, signer, "C18", annual_due(year), str(year), "G11", at))
    return [fact for fact in made if fact is not None]


def alerts(session: Session, agency: Agency, *, at: int, calendar: Calendar) -> list[dict[str, str | int]]:
    """Clocks of the agency that run, soonest first: C14, C16, C17, C18, complaints to be answered (Q-02) or passed on
    (Q-03); `due` exclusive, seconds UTC, 0: not known."""
    found: list[dict[str, str | int]] = []

    def note(rule: str, about: str, due: Callable[[], int]) -> None:
        try:
            found.append({"rule": rule, "about": about, "due": due()})
        except CalendarPending as error:
            found.append({"rule": rule, "about": f"{about}：{error}", "due": 0})

    for identity, change in store.changes(session, agency.uscc):
        if change.state is ChangeState.CONFIRMED:
            confirmed = date.fromisoformat(change.confirmed_on)
            note("C14", f"agency-change:{identity}", lambda day=confirmed: update_due(day, calendar))  # type: ignore[misc]
    exit_ = handover.leaving(session, agency.uscc)
    if exit_.state.value == "REPORTED":
        note("C16", "exit", lambda: decision_due(date.fromisoformat(exit_.reported_on), calendar))
    if exit_.state.value == "CONSENTED":
        note("C17", "exit", lambda: forwarding_due(date.fromisoformat(exit_.consented_on), calendar))
    last = day_of(at).year - 1
    if last not in _reported_years(session, agency):
        note("C18", str(last), lambda: annual_due(last))
    for identity, complaint in store.complaints_waiting(session, agency.uscc):
        rule = "Q-03" if complaint.to is Addressee.PROVINCE else "Q-02"
        received = complaint.received_at
        note(rule, f"complaint:{identity}", lambda received=received: answer_due(received, calendar))  # type: ignore[misc]
    return sorted(found, key=lambda item: item["due"])


def annual_report(
    session: Session, agency: Agency, year: int, *, at: int, calendar: Calendar, incidents: int = 0
) -> AnnualReport:
    """The report on a past year. Raises `GuardRefused` for a year that is not over."""
    _, end = span(year)
    if at < end:
        raise GuardRefused("年度报告", "year_is_over", f"{year} 年尚未结束。", f"{year} is not over")
    counted = store.counted(session, agency.uscc, year, calendar, incidents=incidents)
    rules = tuple(f"{scheme.id} {scheme.source}" for scheme in SCHEMES.values())
    due = date(year + 1, *ANNUAL_DUE).isoformat()
    return AnnualReport(agency.uscc, agency.name, year, end, due, rules, figures_of(counted), NOTICE)


def file_report(session: Session, agency: Agency, report: AnnualReport, signer: Signer, *, at: int) -> Appended:
    """States annual-report/v1 (A20); the same figures again change nothing, others are the next version."""
    subject = f"annual-report:{report.agency}:{report.year}"
    known = facts.facts_of(session, subject)
    if known and known[-1].body == body_of(report):
        return Appended(known[-1], replayed=True)
    return _state(session, ANNUAL, subject, report, signer, at)


def disclose(session: Session, agency: Agency, body: Disclosure, signer: Signer, *, at: int) -> Appended:
    """States the next version of a topic under the agency's key."""
    check_disclosure(body)
    subject = f"disclosure:{agency.uscc}:{TOPIC_IDS[body.topic]}"
    known = facts.facts_of(session, subject)
    if known and known[-1].body == body_of(body):
        return Appended(known[-1], replayed=True)
    return _state(session, DISCLOSURE, subject, body, signer, at)


# Checks of each kind --------------------------------------------------------------------------------------------------


def _profile(session: Session, agency: Agency, signed: Signed, at: int, calendar: Calendar) -> None:
    check_profile(read(Profile, signed.statement.body))
    _require_subject(signed, f"agency:{agency.uscc}")
    _require_signers(session, agency, signed, at, ({"agency"},))


def _listing(session: Session, agency: Agency, signed: Signed, at: int, calendar: Calendar) -> None:
    read(Listing, signed.statement.body)
    _require_subject(signed, f"listing:{agency.uscc}")
    _require_signers(session, agency, signed, at, ({"province_authority"}, {"national_authority"}, _TWO))


def _change(session: Session, agency: Agency, signed: Signed, at: int, calendar: Calendar) -> None:
    act = read(ChangeAct, signed.statement.body)
    identity = _identity(signed, "agency-change")
    _require_agency(agency, act.agency)
    decide_change(store.change(session, identity), act, at)
    if act.move == "P-01" and act.planned_on is not None:
        latest_report_day(date.fromisoformat(act.planned_on), calendar)
    authority = ({"province_authority"}, _TWO)
    _require_signers(session, agency, signed, at, authority if act.move == "P-02" else ({"agency"}, _TWO))


def _disclosure(session: Session, agency: Agency, signed: Signed, at: int, calendar: Calendar) -> None:
    body = check_disclosure(read(Disclosure, signed.statement.body))
    _require_subject(signed, f"disclosure:{agency.uscc}:{TOPIC_IDS[body.topic]}")
    _require_signers(session, agency, signed, at, ({"agency"},))


def _complaint(session: Session, agency: Agency, signed: Signed, at: int, calendar: Calendar) -> None:
    act = read(ComplaintAct, signed.statement.body)
    identity = _identity(signed, "complaint")
    _require_agency(agency, act.agency)
    decide_complaint(store.complaint(session, identity), act, at)
    signers = ({"intake"}, {"agency"}) if act.move == "Q-01" else ({"agency"}, _TWO)
    _require_signers(session, agency, signed, at, signers)


_TWO = {"reviewer", "approver"}
_CHECKS: dict[str, Callable[[Session, Agency, Signed, int, Calendar], None]] = {
    PROFILE: _profile,
    LISTING: _listing,
    CHANGE: _change,
    DISCLOSURE: _disclosure,
    COMPLAINT: _complaint,
}


def _require_signers(session: Session, agency: Agency, signed: Signed, at: int, allowed: Sequence[set[str]]) -> None:
    """Signed by just one of these groups of roles, each signature valid with the key in force."""
    roles = []
    for signature in signed.signatures:
        signers.require_signature(session, signed, signature.by, signature.role, at=at)
        kind, _, name = signature.by.partition(":")
        if kind == "staff":
            staff = registry.staff_at(session, name, at)
            own = staff.organisation == agency.uscc and signature.role in staff.roles.split()
            roles.append(signature.role if own else "–")
        elif name == agency.uscc:
            roles.append("agency")
        else:
            stated = registry.party_at(session, name, at).roles.split()
            roles.append(next((role for role in AUTHORITIES if role in stated), "–"))
    if set(roles) not in allowed or len(set(roles)) != len(roles):
        wanted = " | ".join("+".join(sorted(group)) for group in allowed)
        raise NotEntitled(
            signed.statement.kind, f"应由 {wanted} 签署，实为 {'+'.join(sorted(roles)) or '–'}。", f"signed by {wanted}"
        )


def _require_subject(signed: Signed, subject: str) -> None:
    if signed.statement.subject != subject:
        raise FieldError("statement.subject", subject, signed.statement.subject)


def _require_agency(agency: Agency, given: str) -> None:
    if given != agency.uscc:
        raise FieldError("body.agency", agency.uscc, given)


def _identity(signed: Signed, prefix: str) -> str:
    kind, _, identity = signed.statement.subject.partition(":")
    if kind != prefix or not _HEX32.fullmatch(identity):
        raise FieldError("statement.subject", f"{prefix}:<32 hex>", signed.statement.subject)
    return identity


def _reported_years(session: Session, agency: Agency) -> set[int]:
    return {row.year for row in store.annual_reports(session, agency.uscc)}


def _breach(
    session: Session, agency: Agency, signer: Signer, rule: str, due: int, about: str, basis: str, at: int
) -> Fact | None:
    subject = f"breach:{rule}:{agency.uscc}:{about.replace('agency-change:', '')}"
    if facts.next_of(session, subject)[0]:
        return None
    return _state(session, BREACH, subject, Breach(agency.uscc, rule, due, about, basis), signer, at).fact


def _state(session: Session, kind: str, subject: str, body: object, signer: Signer, at: int) -> Appended:
    no, prev = facts.next_of(session, subject)
    statement = Statement(kind, subject, no, prev, body_of(body))
    return _take_in(session, Signed(statement, (signer.sign(statement, "system"),)), at)


def _take_in(session: Session, signed: Signed, at: int) -> Appended:
    taken = facts.append(session, signed, at=at)
    if not taken.replayed:
        store.PROJECTORS[taken.fact.kind](session, taken.fact)
    return taken
