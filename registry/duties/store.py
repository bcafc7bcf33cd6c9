"""The agency's facts folded into views, the counting of a year, and who decided what about a certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from ledger import canonical, tables
from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry import store as registry
from registry.afterlife import dispute as disputes
from registry.application import RULES
from registry.asset import Long, Short
from registry.calendar import Calendar, day_of, end_of
from registry.case import DECISION, MOVE, Case, State, World, completion_due
from registry.certificate import certificate_subject, status_at
from registry.clocks import period
from registry.duties.complaint import (
    COMPLAINT,
    Addressee,
    Category,
    Complaint,
    ComplaintAct,
    ComplaintState,
    answer_due,
    folded,
)
from registry.duties.figures import AnnualReport, Counted, kept, span, tally
from registry.duties.office import (
    ANNUAL,
    BREACH,
    CHANGE,
    DISCLOSURE,
    LISTING,
    PROFILE,
    Breach,
    Change,
    ChangeAct,
    Disclosure,
    Listing,
    ListingState,
    Profile,
    Topic,
    changed,
)
from registry.duties.tables import (
    AgencyChangeRow,
    AgencyListingRow,
    AgencyProfileRow,
    AnnualReportRow,
    BreachRow,
    ComplaintRow,
    DisclosureRow,
)
from registry.errors import GuardRefused
from registry.form import SUBMITTED
from registry.objection import OBJECTION
from registry.scheme import Scheme, scheme_of
from registry.tables import ApplicationRow, CertificateRow, StaffRow


def _identity(fact: Fact) -> str:
    return fact.subject.partition(":")[2]


def _add(session: Session, row: SQLModel) -> None:
    session.add(row)
    session.flush()


def _profiled(session: Session, fact: Fact) -> None:
    values = {
        "at": fact.at, "fact_id": fact.id, "profile": canonical.encode(body_of(read(Profile, fact.body))).decode()
    }  # fmt: skip
    _put(session, AgencyProfileRow, _identity(fact), agency=_identity(fact), **values)


def _listed(session: Session, fact: Fact) -> None:
    body = read(Listing, fact.body)
    _add(
        session,
        AgencyListingRow(
            agency=_identity(fact), no=fact.statement.no, state=body.state.value, since=body.since,
            document_no=body.document_no, at=fact.at, fact_id=fact.id,
        ),
    )  # fmt: skip


def _changed(session: Session, fact: Fact) -> None:
    act, identity = read(ChangeAct, fact.body), _identity(fact)
    known = changed(change(session, identity), act, fact.at)
    document = canonical.encode(body_of(known)).decode()
    _put(
        session, AgencyChangeRow, identity, id=identity, agency=act.agency, state=known.state.value, change=document
    )  # fmt: skip


def _disclosed(session: Session, fact: Fact) -> None:
    body = read(Disclosure, fact.body)
    agency, _, topic = _identity(fact).partition(":")
    _add(
        session,
        DisclosureRow(
            agency=agency, topic=topic, version=fact.statement.no + 1, title=body.title,
            effective_from=body.effective_from, file_name=body.paper.name, sha256=body.paper.digest.sha256,
            sm3=body.paper.digest.sm3, text=body.text, at=fact.at, fact_id=fact.id,
        ),
    )  # fmt: skip


def _complained(session: Session, fact: Fact) -> None:
    act, identity = read(ComplaintAct, fact.body), _identity(fact)
    known = folded(complaint(session, identity), act, fact.at)
    _put(
        session, ComplaintRow, identity, id=identity, agency=known.agency, addressee=known.to.value,
        category=known.category.value, state=known.state.value, received_at=known.received_at,
        closed_at=known.closed_at,
    )  # fmt: skip


def _breached(session: Session, fact: Fact) -> None:
    body = read(Breach, fact.body)
    _add(
        session,
        BreachRow(
            subject=fact.subject, agency=body.agency, rule=body.rule, due=body.due, about=body.about, at=fact.at,
            fact_id=fact.id,
        ),
    )  # fmt: skip


def _reported(session: Session, fact: Fact) -> None:
    body = read(AnnualReport, fact.body)
    _add(
        session,
        AnnualReportRow(agency=body.agency, year=body.year, no=fact.statement.no, at=fact.at, fact_id=fact.id),
    )


def _put(session: Session, table: type[SQLModel], key: str, **values: object) -> None:
    row = session.get(table, key)
    if row is None:
        _add(session, table(**values))
        return
    for name, value in values.items():
        setattr(row, name, value)
    session.flush()


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    PROFILE: _profiled,
    LISTING: _listed,
    CHANGE: _changed,
    DISCLOSURE: _disclosed,
    COMPLAINT: _complained,
    BREACH: _breached,
    ANNUAL: _reported,
}
TABLES = (
    AgencyProfileRow,
    AgencyListingRow,
    AgencyChangeRow,
    DisclosureRow,
    ComplaintRow,
    BreachRow,
    AnnualReportRow,
)


# Standing -------------------------------------------------------------------------------------------------------------


def profile(session: Session, agency: str) -> Profile | None:
    """The newest profile of an agency."""
    row = session.get(AgencyProfileRow, agency)
    return read(Profile, canonical.decode(row.profile.encode())) if row else None


def listing(session: Session, agency: str) -> AgencyListingRow | None:
    """What was last recorded of the agency's place in the catalogue."""
    return session.scalars(
        select(AgencyListingRow)
        .where(col(AgencyListingRow.agency) == agency)
        .order_by(col(AgencyListingRow.no).desc())
        .limit(1)
    ).first()


def is_removed(session: Session, agency: str) -> bool:
    """Was the agency removed from the catalogue (art. 38)?"""
    row = listing(session, agency)
    return row is not None and row.state == ListingState.REMOVED.value


def require_listed(session: Session, agency: str, move: str) -> None:
    """Raises `GuardRefused` while the agency is suspended or removed: it may then publish, deposit and issue nothing
    (art. 38; P). Before any act about its listing, the catalogue number in its settings stands for it."""
    row = listing(session, agency)
    if row is not None and row.state != ListingState.LISTED.value:
        how = "已移出目录" if row.state == ListingState.REMOVED.value else "已被暂停"
        raise GuardRefused(
            move, "agency_is_listed", f"本机构{how}（{row.document_no}）。",
            "this agency is suspended or not in the catalogue",
        )  # fmt: skip


def change(session: Session, identity: str) -> Change | None:
    """A reported change."""
    row = session.get(AgencyChangeRow, identity)
    return read(Change, canonical.decode(row.change.encode())) if row else None


def changes(session: Session, agency: str) -> list[tuple[str, Change]]:
    """Every reported change of an agency with its id."""
    rows = session.scalars(
        select(AgencyChangeRow).where(col(AgencyChangeRow.agency) == agency).order_by(col(AgencyChangeRow.id))
    )
    return [(row.id, read(Change, canonical.decode(row.change.encode()))) for row in rows]


def complaint(session: Session, identity: str) -> Complaint | None:
    """A complaint."""
    row = session.get(ComplaintRow, identity)
    return _complaint(row) if row is not None else None


def _complaint(row: ComplaintRow) -> Complaint:
    state, to = ComplaintState(row.state), Addressee(row.addressee)
    return Complaint(row.agency, to, Category(row.category), state, row.received_at, row.closed_at)


def complaints_waiting(session: Session, agency: str) -> list[tuple[str, Complaint]]:
    """The complaints and opinions that nobody has answered or passed on, oldest first, with their ids."""
    rows = session.scalars(
        select(ComplaintRow)
        .where(col(ComplaintRow.agency) == agency, col(ComplaintRow.state) == ComplaintState.RECEIVED.value)
        .order_by(col(ComplaintRow.received_at), col(ComplaintRow.id))
    )
    return [(row.id, _complaint(row)) for row in rows]


def breaches(session: Session, agency: str) -> list[BreachRow]:
    """Every breach on record, oldest first."""
    query = select(BreachRow).where(col(BreachRow.agency) == agency)
    return list(session.scalars(query.order_by(col(BreachRow.at), col(BreachRow.subject))))


def disclosures(session: Session, agency: str) -> list[DisclosureRow]:
    """Every version of every topic, newest version first."""
    return list(
        session.scalars(
            select(DisclosureRow)
            .where(col(DisclosureRow.agency) == agency)
            .order_by(col(DisclosureRow.topic), col(DisclosureRow.version).desc())
        )
    )


def disclosed_file(session: Session, sha256: str) -> DisclosureRow | None:
    """The disclosure whose paper has this SHA-256."""
    return session.scalars(select(DisclosureRow).where(col(DisclosureRow.sha256) == sha256)).first()


def annual_reports(session: Session, agency: str) -> list[AnnualReportRow]:
    """Every yearly report made, with its versions."""
    query = select(AnnualReportRow).where(col(AnnualReportRow.agency) == agency)
    return list(session.scalars(query.order_by(col(AnnualReportRow.year), col(AnnualReportRow.no))))


# Counting -------------------------------------------------------------------------------------------------------------


def counted(session: Session, agency: str, year: int, calendar: Calendar, *, incidents: int = 0) -> Counted:
    """What the facts say of a year; `incidents` is what only the operator's log knows."""
    start, end = span(year)
    mine = set(session.scalars(select(col(ApplicationRow.id)).where(col(ApplicationRow.agency) == agency)))
    states: dict[str, str] = {}
    moves: list[str] = []
    grounds: list[str] = []
    outcomes: list[str] = []
    filed: list[str] = []
    ended: list[tuple[str, int]] = []
    raised = 0
    for fact in _between(session, 0, end, SUBMITTED, MOVE, OBJECTION, DECISION):
        within = fact.at >= start
        if fact.kind == OBJECTION:
            application = str(fact.body["application"])
            if application in mine:
                states[application] = State.OBJECTION.value
                raised += within
            continue
        application = _identity(fact)
        if application not in mine:
            continue
        if fact.kind == DECISION:
            states[application] = State.READY.value
            continue
        if fact.kind == SUBMITTED:
            states[application] = State.SUBMITTED.value
            if within:
                filed.append(str(fact.body["type"]))
            continue
        move = str(fact.body["move"])
        target = RULES[move].target
        if target is not None:
            states[application] = target.value
        if within:
            moves.append(move)
            if fact.body.get("ground"):
                grounds.append(str(fact.body["ground"]))
            outcomes += [str(item["outcome"]) for item in fact.body.get("decisions", [])]
            if move in ("I-27", "I-12", "I-14", "I-21"):
                ended.append((application, fact.at))
    clocks = {
        "C03": tally(_completed(session, ended, calendar, end)),
        "C11": tally(_notified(session, agency, start, end, calendar)),
        "Q-02": tally(_answered(session, agency, start, end, calendar)),
    }
    return Counted(
        tally(filed), tally(states.values()), tally(moves), tally(grounds), tally(outcomes), clocks,
        tally(_status_names(session, agency, end)), _others(session, agency, start, end, raised, incidents),
    )  # fmt: skip


def _completed(session: Session, ended: list[tuple[str, int]], calendar: Calendar, end: int) -> Iterator[str]:
    """C03 of each case that ended in the year, once it had been accepted."""
    for application, at in ended:
        case = registry.case(session, application)
        if case.accepted_on:
            world = World(case.form.agency, scheme_of(case.form.scheme), calendar)
            yield from _how(at, partial(_completion_due, _closed(case, at), world), end)


def _completion_due(case: Case, world: World) -> int:
    due = completion_due(case, world)
    assert due is not None
    return due


def _notice_due(complete_at: int, scheme: Scheme, calendar: Calendar) -> int:
    return end_of(period("C11", day_of(complete_at), scheme, calendar))


def _how(done: int | None, due: Callable[[], int], end: int) -> Iterator[str]:
    found = kept(done, due, end)
    if found is not None:
        yield found.value


def _notified(session: Session, agency: str, start: int, end: int, calendar: Calendar) -> Iterator[str]:
    """C11 of each objection after registration: from its complete papers to the written notice (O-03)."""
    running: dict[str, tuple[int | None, Scheme]] = {}
    for fact in _between(session, 0, end, disputes.OBJECTION, disputes.MOVE):
        identity = _identity(fact)
        if fact.kind == disputes.OBJECTION:
            row = registry.certificate(session, str(fact.body["certificate"]))
            if row.agency == agency:
                running[identity] = fact.at, scheme_of(registry.case(session, row.application).form.scheme)
            continue
        if identity not in running:
            continue
        since, scheme = running[identity]
        move = fact.body["move"]
        if move == "O-02":
            running[identity] = fact.at if fact.body["answers"] else None, scheme
        elif move in ("O-03", "O-11"):
            del running[identity]
            if move == "O-03" and fact.at >= start and since is not None:
                yield from _how(fact.at, partial(_notice_due, since, scheme, calendar), end)
    for since, scheme in running.values():
        if since is not None:
            yield from _how(None, partial(_notice_due, since, scheme, calendar), end)


def _answered(session: Session, agency: str, start: int, end: int, calendar: Calendar) -> Iterator[str]:
    """Each complaint answered, and each opinion passed on, in the year; those over and not dealt with at its end."""
    waiting: dict[str, int] = {}
    for fact in _between(session, 0, end, COMPLAINT):
        if fact.body["agency"] != agency:
            continue
        if fact.body["move"] == "Q-01":
            waiting[_identity(fact)] = fact.at
            continue
        since = waiting.pop(_identity(fact))
        if fact.at >= start:
            yield from _how(fact.at, partial(answer_due, since, calendar), end)
    for since in waiting.values():
        yield from _how(None, partial(answer_due, since, calendar), end)


def _closed(case: Case, at: int) -> Case:
    """A case that ended inside a pause: the pause ended with it."""
    day = day_of(at).isoformat()
    return replace(case, pauses=tuple(pause if pause.end else replace(pause, end=day) for pause in case.pauses))


def _status_names(session: Session, agency: str, at: int) -> Iterator[str]:
    rows = session.scalars(
        select(CertificateRow).where(col(CertificateRow.agency) == agency, col(CertificateRow.deposited_at) < at)
    )
    for row in rows:
        status = status_at(registry.standing_of(session, row), at - 1)
        if status is not None:
            yield status.value


def _others(session: Session, agency: str, start: int, end: int, raised: int, incidents: int) -> dict[str, int]:
    acts = [fact.body for fact in _between(session, start, end, COMPLAINT) if fact.body["agency"] == agency]
    staff: dict[str, StaffRow] = {}
    for member in session.scalars(
        select(StaffRow)
        .where(col(StaffRow.organisation) == agency, col(StaffRow.from_at) < end)
        .order_by(col(StaffRow.no))
    ):
        staff[member.id] = member
    told: dict[str, bool] = {}
    for fact in _between(session, 0, end, "certificate-status/v1"):
        told[str(fact.body["code"])] = bool(fact.body["encumbered"])
    return {
        "objections": raised,
        "register_objections": sum(
            registry.certificate(session, str(fact.body["certificate"])).agency == agency
            for fact in _between(session, start, end, disputes.OBJECTION)
        ),
        "decisions": sum(fact.body["form"]["agency"] == agency for fact in _between(session, start, end, DECISION)),
        "complaints": sum(body["move"] == "Q-01" for body in acts),
        "complaints_answered": sum(body["move"] != "Q-01" for body in acts),
        "inspections": sum(1 for _ in _between(session, start, end, "inspection/v1")),
        "fee_versions": sum(
            fact.body["topic"] == Topic.FEES.value and fact.subject.split(":")[1] == agency
            for fact in _between(session, start, end, DISCLOSURE)
        ),
        "changes": sum(
            fact.body["move"] == "P-01" and fact.body["agency"] == agency
            for fact in _between(session, start, end, CHANGE)
        ),
        "breaches": sum(fact.body["agency"] == agency for fact in _between(session, start, end, BREACH)),
        "incidents": incidents,
        "reviewers": sum(row.active and "reviewer" in row.roles.split() for row in staff.values()),
        "encumbered": sum(told.values()),
    }


def _between(session: Session, start: int, end: int, *kinds: str) -> Iterator[Fact]:
    """Facts of these kinds taken in at start ≤ at < end, in the order they came."""
    table = tables.fact
    rows = session.execute(
        select(table.c.bytes)
        .where(table.c.kind.in_(kinds), table.c.at >= start, table.c.at < end, table.c.bytes.is_not(None))
        .order_by(table.c.seq)
    )
    for row in rows:
        yield Fact.of_bytes(row.bytes)


# Who decided what -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """One step on the way to a certificate or in its life: when, what, by whom in which role, why, under which rule."""

    at: int
    kind: Short
    step: Short
    by: tuple[Short, ...]
    reason: Long
    rule: Short
    scheme: Short
    fact_id: Short


def decisions_of(session: Session, code: str) -> list[Decision]:
    """Every signed step about a certificate, oldest first (art. 38: liability for accuracy). Raises `Unknown`."""
    row = registry.certificate(session, code)
    case = registry.case(session, row.application)
    found = [
        *facts.facts_of(session, f"application:{row.application}"),
        *(item for raised in case.objections for item in facts.facts_of(session, f"objection:{raised.id}")),
        *facts.facts_of(session, certificate_subject(code)),
    ]
    return sorted((_decision(fact, case.form.scheme) for fact in found), key=lambda item: item.at)


def _decision(fact: Fact, scheme: str) -> Decision:
    body = fact.body
    move = str(body.get("move", ""))
    why = [str(body[name]) for name in ("ground", "reason", "basis") if body.get(name)]
    rule = RULES[move].basis if move in RULES else str(body.get("rule", ""))
    by = tuple(f"{item.by} {item.role}".strip() for item in fact.signatures)
    calendar = str(body.get("calendar", ""))
    return Decision(
        fact.at, fact.kind, move, by, "；".join(why), " ".join(filter(None, (rule, calendar))), scheme, fact.id
    )


def first_day(session: Session, agency: str) -> date | None:
    """The day of the first application filed with this agency; `None` before it."""
    first = session.scalar(
        select(col(ApplicationRow.submitted_at))
        .where(col(ApplicationRow.agency) == agency)
        .order_by(col(ApplicationRow.submitted_at))
        .limit(1)
    )
    return day_of(first) if first is not None else None
