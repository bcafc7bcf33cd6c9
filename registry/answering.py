"""公开查询: the check of a paper and the search of the register."""

from __future__ import annotations

import secrets

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.digest import TwinDigest
from ledger.reading import read
from registry import store
from registry.afterlife import store as afterlife
from registry.afterlife.blocking import flags_of, hindrances
from registry.asset import Twin
from registry.catalogue import (
    Check,
    CodeAnswer,
    Custodian,
    Found,
    Integrity,
    Listing,
    PublicRight,
    PublicView,
    integrity_of,
)
from registry.certificate import IN_FORCE, Issue, Record, Status, status_at
from registry.code import is_code
from registry.entries import entered_record
from registry.errors import Unknown
from registry.form import Operation
from registry.handover import store as handover
from registry.party import check_uscc, is_person, masked
from registry.rights import RightRow
from registry.search import store as search
from registry.search.grams import runs_of
from registry.search.store import Wanted
from registry.tables import CertificateRow

MOST_LOOKED = 1_000
"""Lines judged for one page of a status; then the page ends early, and the next one goes on from there."""


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
        view=_public_view(entered_record(session, row.fact_id)) if row.public else None,
        flags=flags_of(remarks, at) if status in IN_FORCE else (),
        objection=objection,
        purpose=purpose,
        stops=stops,
        custodian=_custodian(session, row.code, at),
        ok=integrity is Integrity.INTACT and status is Status.VALID and not stops,
    )


def _custodian(session: Session, code: str, at: int) -> Custodian | None:
    kept = handover.custody_of(session, code)
    if kept is None or at < kept.since:
        return None
    try:
        name = store.party_at(session, kept.custodian, at).name
    except Unknown:
        name = ""
    return Custodian(kept.custodian, name, kept.since)


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
    number = "" if is_person(row.holder_id) else masked(row.holder_id)
    return PublicRight(row.holder_name, number, row.right.value, row.limits)
