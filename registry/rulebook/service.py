"""Taking in what two members of the agency's staff state for everybody: a year's working days, a rule-set version.

None of these commits. A statement sent again gets the first fact back.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import BadSignature, FieldError
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry import store as views
from registry.agency import Agency
from registry.asset import Twin
from registry.calendar import day_of, published
from registry.errors import NotEntitled
from registry.rulebook import store
from registry.rulebook.rule_set import RULE_SET, RuleSet, check_rule_set, rule_set_subject
from registry.rulebook.year_table import CALENDAR, YearTable, calendar_subject, check_rows, require_future
from registry.scheme import VERSIONS, twin_of
from registry.signers import require_signature


@dataclass(frozen=True, slots=True)
class RuleSetState:
    """A shipped version of a rule set, and the fact that put it into the log ("" = not yet).

    `agrees` is false when the log holds another text under this version than the program ships.
    """

    scheme: str
    version: str
    title: str
    source: str
    effective_from: str
    effective_to: str
    digest: Twin
    fact_id: str = ""
    recorded_at: int | None = None
    agrees: bool = True


def publish_calendar(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in calendar-published/v1: the working days of a year, or a new version of them.

    An amendment is compared with the calendar in force inside this transaction. Raises `FieldError`, `BadSignature`,
    `NotEntitled`.
    """
    statement = signed.statement
    _require_kind(signed, CALENDAR)
    body = check_rows(read(YearTable, statement.body))
    if statement.subject != calendar_subject(body.year):
        raise FieldError("statement.subject", calendar_subject(body.year), statement.subject)
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    if body.version != statement.no + 1:
        raise FieldError("body.version", str(statement.no + 1), str(body.version))
    require_future(store.InForce(published()).of(session), body, day_of(at))
    require_two_of_staff(session, agency, signed, at)
    return _take_in(session, signed, at)


def record_rule_set(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in rule-set/v1: the version of a rule set the agency works by, with the digest of the shipped text."""
    statement = signed.statement
    _require_kind(signed, RULE_SET)
    body = check_rule_set(read(RuleSet, statement.body))
    if statement.subject != rule_set_subject(body.scheme):
        raise FieldError("statement.subject", rule_set_subject(body.scheme), statement.subject)
    if _is_known(session, signed):
        return facts.append(session, signed, at=at)
    if any((row.scheme, row.version) == (body.scheme, body.version) for row in store.rule_sets(session)):
        raise FieldError("body.version", "尚未入日志的版本 / a version not yet in the log", body.version)
    require_two_of_staff(session, agency, signed, at)
    return _take_in(session, signed, at)


def rule_sets(session: Session) -> tuple[RuleSetState, ...]:
    """Every shipped version with what the log says about it."""
    recorded = {(row.scheme, row.version): row for row in store.rule_sets(session)}
    states = []
    for scheme in (item for versions in VERSIONS.values() for item in versions):
        digest, row = twin_of(scheme), recorded.get((scheme.id, scheme.version))
        states.append(
            RuleSetState(
                scheme.id, scheme.version, scheme.title, scheme.source, scheme.effective_from, scheme.effective_to,
                digest, row.fact_id if row else "", row.from_at if row else None,
                row is None or Twin(row.sha256, row.sm3) == digest,
            )
        )  # fmt: skip
    return tuple(states)


def require_two_of_staff(session: Session, agency: Agency, signed: Signed, at: int) -> None:
    """Exactly two different members of the agency's staff signed, with different keys (registration.md 2.3).

    Raises `BadSignature`, `NotEntitled`, `Unknown`.
    """
    signers = [signature.by for signature in signed.signatures]
    two = len(signers) == 2 == len(set(signers)) and len({item.key for item in signed.signatures}) == 2
    if not two or not all(by.startswith("staff:") for by in signers):
        raise BadSignature(
            signed.statement.subject, f"须由本机构两名不同经办人签署 / two members of staff sign, not {sorted(signers)}"
        )
    for by in signers:
        staff = views.staff_at(session, by.partition(":")[2], at)
        if staff.organisation != agency.uscc:
            raise NotEntitled(
                signed.statement.kind, f"{by} 不是本登记机构的经办人。", f"{by} is not staff of this agency"
            )
        require_signature(session, signed, by, at=at)


def _require_kind(signed: Signed, kind: str) -> None:
    if signed.statement.kind != kind:
        raise FieldError("statement.kind", kind, signed.statement.kind)
    if signed.statement.parts is not None:
        raise FieldError("statement.parts", "无 / none", "有 / present")


def _is_known(session: Session, signed: Signed) -> bool:
    """Is this act number taken, or not next? Then the ledger answers: the first fact, a conflict, or stale."""
    return facts.next_of(session, signed.statement.subject) != (signed.statement.no, signed.statement.prev)


def _take_in(session: Session, signed: Signed, at: int) -> Appended:
    taken = facts.append(session, signed, at=at)
    if not taken.replayed:
        store.project(session, taken.fact)
    return taken
