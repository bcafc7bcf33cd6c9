"""What stands in the register: the entry that a later registration builds on, and the record that a case deposits."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import read
from registry import store
from registry.case import MOVE, Case
from registry.certificate import ENDING, InForce, Record, RegisterEntry, certificate_subject, record_in, status_at
from registry.form import LATER, Applicant
from registry.party import PartyKind
from registry.succession import record_of, remainder_of
from registry.tables import CertificateRow


def entry_in_force(session: Session, code: str, at: int) -> InForce:
    """What a later registration of this certificate builds on: its version at `at`, with the holders as their last
    forms describe them. Raises `Unknown`."""
    return entry_of(session, store.certificate_at(session, code, at), at)


def entry_of(session: Session, row: CertificateRow, at: int) -> InForce:
    """A certificate version as a later registration finds it at `at`."""
    record = entered_record(session, row.fact_id)
    wanted = [item.identity for item in record.holders]
    people: dict[str, Applicant] = {}
    seen: CertificateRow | None = row
    while seen is not None and not people.keys() >= set(wanted):
        for person in store.case(session, seen.application).form.applicants:
            people.setdefault(person.identity, person)
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


def names_on_file(session: Session, row: CertificateRow, record: Record) -> dict[str, str]:
    """The full names of the natural persons among the holders of a version, by party identity: the register has them
    masked, the forms on file in full. Raises `Unknown` where a form was erased."""
    persons = {item.identity for item in record.holders if item.kind is PartyKind.NATURAL}
    known = entry_of(session, row, row.valid_from).applicants if persons else ()
    return {item.identity: item.name for item in known if item.identity in persons}


def base_of(session: Session, case: Case) -> InForce:
    """The version that a case builds on: the newest, and once it is registered the one that it continued or ended."""
    made = _made_row(session, case)
    row = made if made is not None else store.certificate(session, case.form.certificate)
    return entry_of(session, row, row.valid_from)


def _made_row(session: Session, case: Case) -> CertificateRow | None:
    """The version that a registered case of a later type ended; `None` before it is registered."""
    if not case.code:
        return None
    body = made_by(session, case).body
    ended = body.get("predecessor", body)
    return store.certificate_version(session, str(ended["code"]), int(ended["version"]))


def made_by(session: Session, case: Case) -> Fact:
    """The register entry, or the ending, of a registered case."""
    known = store.certificate_of(session, case.application)
    if known is not None:
        return facts.fact(session, known.fact_id)
    endings = [fact for fact in facts.facts_of(session, certificate_subject(case.code)) if fact.kind == ENDING]
    return endings[-1]


def entered_record(session: Session, fact_id: str) -> Record:
    """The record a register entry keeps in its parts."""
    return record_in(read(RegisterEntry, facts.fact(session, fact_id).body), facts.parts_of(session, fact_id))


def deposit_record(session: Session, application: str) -> Record:
    """The deposit record of a case: what I-24 commits to and the deposit authority takes in."""
    return records_of(session, store.case(session, application))[0]


def records_of(session: Session, case: Case) -> tuple[Record, Record | None]:
    """The deposit record, and that of what a transferor's certificate keeps, if it keeps something."""
    known = facts.facts_of(session, f"application:{case.application}")
    if case.record is not None:
        requests = [i for i, fact in enumerate(known) if fact.kind == MOVE and fact.body["move"] == "I-24"]
        known = known[: requests[-1]]
    if case.form.type not in LATER:
        return record_of(case, known), None
    entry = base_of(session, case)
    return record_of(case, known, entry), remainder_of(case, known, entry)
