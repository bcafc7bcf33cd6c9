"""Versions of elements and their moves: load, decide by the pure stages, store the fact, fold it; what may be quoted.

Nothing here commits or reads a clock. A statement that was stored before is answered with its first fact. Source:
pricing.md §9, §12.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import NotSigned, UnknownFact
from clearing.market import service as market
from clearing.market.errors import NotEntitled
from clearing.market.shelf.service import may_review
from clearing.pricing.element import moves, store
from clearing.pricing.element.element import (
    DEVELOPER,
    ELEMENT_MOVE,
    ELEMENT_VERSION,
    REVIEWER,
    SYSTEM,
    ElementMove,
    ElementVersion,
    Move,
    check_identifier,
    check_ready,
    check_version,
    id_of,
    subject_of,
)
from clearing.pricing.element.moves import CITABLE, SHOWN, STATE_NAMES, Actor, Case, Signer, State
from clearing.pricing.element.store import VersionRow, Wanted
from clearing.pricing.errors import PricingRefused
from clearing.pricing.request import Request
from ledger import store as ledger
from ledger.errors import Erased
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry import holding, signers
from registry import store as registry
from registry.certificate import UseAuthorisation
from registry.party import party_subject
from registry.rights import Right

BY_SOURCE = "§9 来源的数据使用权丧失，下架 / taken down: a right of use in a source is lost"
"""The rule the clock's move names (decisions D14)."""
WITHHELD = "—"
"""In place of the parameters of a desensitisation, which are for developer and reviewers."""


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version as one reader may see it, with the moves the table has for it now."""

    element: str
    value: ElementVersion
    case: Case
    fact: str
    sha256: str
    sm3: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Versions found, by element and version; `next` is what to ask for the following page, "" at the end."""

    versions: tuple[VersionView, ...]
    next: str


def state(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in an element-version/v1 of its developer: the first version, a working version stated anew, a new version.

    Raises `BadTerms`, `FieldError`, `WrongMove` while a version is under review, `NotSigned`, `BadSignature`, and the
    ledger's `Conflict` and `Stale`.
    """
    statement = taking.of_kind(signed, ELEMENT_VERSION)
    identity = id_of(statement.subject)
    body = check_version(read(ElementVersion, statement.body))
    taking.require_one(session, signed, party_subject(body.developer), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    before = store.newest(session, identity)
    moves.check_stated(identity, (before.value, before.case) if before else None, body)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def move(session: Session, signed: Signed, *, operator: str, at: int) -> Appended:
    """Takes in an element-move/v1 of the developer or its staff, of a holder, or of a reviewer (`operator`: USCC).

    元件发布 and its passing ask for everything a publication needs, the rights in the sources as the register has them
    now included. Raises `BadTerms`, `FieldError`, `WrongMove`, `NotEntitled`, `UnknownFact`, `NotSigned`,
    `BadSignature`, `PricingRefused` RIGHT_MISSING, and the ledger's `Conflict` and `Stale`.
    """
    statement = taking.of_kind(signed, ELEMENT_MOVE)
    identity, body = id_of(statement.subject), read(ElementMove, statement.body)
    row = store.version(session, identity, body.version)
    signer = _signer(session, signed, row, body.move, operator, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    moves.check_move(identity, row.value, row.case, body, signer)
    if body.move in (Move.SUBMIT, Move.PASS):
        check_ready(row.value, at)
        _require_rights(session, row.value, at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def run_timers(session: Session, signer: SystemSigner, *, at: int) -> int:
    """Takes down what a right of use in a source was lost for, under the operator's system key; answers how many."""
    done = 0
    for row in store.doubtful(session, at):
        lost = _lost(session, row.value, at)
        if lost is not None:
            body = ElementMove(Move.DELIST, row.value.version, str(lost)[:1000], rule=BY_SOURCE)
            _state(session, signer, row, body, at)
            done += 1
    return done


def element(session: Session, identity: str, *, party: str, operator: str, at: int) -> tuple[VersionView, ...]:
    """Every version of an element that this party (USCC) may see, oldest first. Raises `UnknownFact` if there is none,
    `BadTerms` for what is no identifier.

    Developer, operator and supervisors see all of them; others what was published, without the parameters of the
    desensitisation.
    """
    check_identifier(identity, "element")
    inside = _reviews(session, party, operator, at)
    rows = store.versions(session, identity)
    found = tuple(_view(row, party, inside) for row in rows if inside or _open_to(row, party))
    if not found:
        raise UnknownFact("element", identity)
    return found


def search(
    session: Session,
    wanted: Wanted,
    *,
    party: str,
    operator: str,
    at: int,
    limit: int,
    after: tuple[str, int] = ("", 0),
) -> Page:
    """Versions that answer a question, as far as this party (USCC) may see them, after the one named."""
    inside = _reviews(session, party, operator, at)
    rows = store.search(session, replace(wanted, seen_by=party, every=inside), limit + 1, after)
    shown = tuple(_view(row, party, inside) for row in rows[:limit])
    following = f"{shown[-1].element}.{shown[-1].value.version}" if len(rows) > limit else ""
    return Page(shown, following)


def require_quotable(session: Session, request: Request) -> None:
    """§9: a quote of an element that is known here fits its state, domain and scenes; others are not asked about.

    发布审核中 and 已发布 may be cited, 开发中 gives a 试算 only, 下架 nothing. Raises `PricingRefused` STATE_FORBIDS,
    RIGHT_MISSING for a scene outside the element's, INPUT_FORM for a domain that is not the element's.
    """
    asked = request.element
    rows = {row.value.version: row for row in store.versions(session, asked.id.removeprefix("element:"))}
    if not rows:
        return
    row = rows.get(asked.version)
    if row is None:
        raise PricingRefused("STATE_FORBIDS", "request.element.version", " | ".join(map(str, rows)), asked.version)
    stands = row.case.state
    allowed = CITABLE if asked.citable else CITABLE | {State.DEVELOPING}
    if stands not in allowed:
        expected = " | ".join(f"{STATE_NAMES[item]} {item}" for item in State if item in allowed)
        raise PricingRefused("STATE_FORBIDS", "request.element", expected, f"{STATE_NAMES[stands]} {stands}")
    if request.domain != row.value.domain:
        raise PricingRefused("INPUT_FORM", "request.domain", row.value.domain, request.domain)
    if request.scene not in row.value.scenes:
        raise PricingRefused("RIGHT_MISSING", "request.scene", " | ".join(row.value.scenes), request.scene)


def _reviews(session: Session, party: str, operator: str, at: int) -> bool:
    return may_review(session, party, operator, operator, at) or party == operator


def _open_to(row: VersionRow, party: str) -> bool:
    return row.value.developer == party or row.case.state in SHOWN


def _view(row: VersionRow, party: str, inside: bool) -> VersionView:
    value = row.value
    if not inside and value.developer != party and value.desensitisation is not None:
        value = replace(value, desensitisation=replace(value.desensitisation, parameters=WITHHELD))
    digest, open_moves = row.digest, moves.open_moves(row.case.state)
    return VersionView(row.element, value, row.case, row.fact_id, digest.sha256, digest.sm3, open_moves)


def _lost(session: Session, value: ElementVersion, at: int) -> PricingRefused | None:
    """Why a published version rests on a right that is gone; None if it does not."""
    try:
        check_ready(value, at)
        _require_rights(session, value, at)
    except PricingRefused as refused:
        return refused
    return None


def _require_rights(session: Session, value: ElementVersion, at: int) -> None:
    """The register says of every source that the developer may use it at `at`: by a right of its own, or by leave of a
    holder whose scenes cover those of the element. Raises RIGHT_MISSING."""
    for i, source in enumerate(value.sources):
        where = f"version.sources[{i}].certificate"
        title = market.title_of(session, source.certificate, value.developer, at)
        if title is None or not title.in_force:
            given = title.reason if title else "无此凭证 / no such certificate"
            raise PricingRefused("RIGHT_MISSING", where, f"{source.certificate} 有效 / in force", given)
        if Right.USE not in title.rights and not _has_leave(session, source.certificate, value, at):
            expected = f"{value.developer} {Right.USE} @ {at}: {', '.join(value.scenes)}"
            raise PricingRefused("RIGHT_MISSING", where, expected, source.certificate)


def _has_leave(session: Session, certificate: str, value: ElementVersion, at: int) -> bool:
    """Is there leave of a holder of the right of use that covers every scene of the element?"""
    for given in registry.authorisations_of(session, value.developer, certificate, at):
        try:
            leave = read(UseAuthorisation, ledger.fact(session, given.fact_id).body)
        except Erased:
            continue
        if set(value.scenes) <= set(leave.scenes) and holding.holds_right(
            session, given.holder, certificate, Right.USE, at
        ):
            return True
    return False


def _signer(session: Session, signed: Signed, row: VersionRow, taken: Move, operator: str, at: int) -> Signer:
    """Who signed, for whom and in which capacities; each is one the signer has."""
    subject, developer = signed.statement.subject, row.value.developer
    if len(signed.signatures) != 1:
        raise NotSigned(subject, "one signature", str(len(signed.signatures)))
    signature = signed.signatures[0]
    by, role, key = signature.by, signature.role, signature.key
    kind, _, identity = by.partition(":")
    actors = {Actor.SUBMITTER} if by == row.case.submitter else set()
    if kind == "staff":
        if role not in (DEVELOPER, REVIEWER):
            raise NotSigned(subject, f"{DEVELOPER} | {REVIEWER}", role or by)
        signers.require_signature(session, signed, by, role, at=at)
        member = registry.staff_at(session, identity, at)
        if role not in member.roles.split():
            raise NotSigned(subject, f"a member of staff in the role {role}", by)
        organisation = member.organisation
        if role == DEVELOPER and organisation != developer:
            raise NotEntitled(taken, f"开发方的经办人 / staff of the developer {developer}", organisation)
        if role == REVIEWER and not may_review(session, organisation, operator, developer, at):
            raise NotEntitled(taken, "运营方的审核人 / a reviewer of the operator", organisation)
        actors |= {Actor.DEVELOPER if role == DEVELOPER else Actor.REVIEWER}
        return Signer(by, organisation, key, frozenset(actors))
    if kind != "party" or role:
        raise NotSigned(subject, f"{party_subject(developer)} | holder | staff", f"{by} {role}".strip())
    signers.require_signature(session, signed, by, at=at)
    if identity == developer:
        actors |= {Actor.DEVELOPER, Actor.HOLDER}
    certificate = row.value.certificate
    if certificate and holding.holds_right(session, identity, certificate, Right.HOLD, at):
        actors |= {Actor.HOLDER}
    return Signer(by, identity, key, frozenset(actors))


def _state(session: Session, signer: SystemSigner, row: VersionRow, body: ElementMove, at: int) -> None:
    """A move of the clock, under the operator's system key."""
    clock = Signer(signer.by, "", signer.public, frozenset({Actor.CLOCK}))
    moves.check_move(row.element, row.value, row.case, body, clock)
    subject = subject_of(row.element)
    statement = Statement(ELEMENT_MOVE, subject, *ledger.next_of(session, subject), body_of(body))
    taking.take(session, Signed(statement, (signer.sign(statement, SYSTEM),)), store.PROJECTORS, at=at)
