"""Listing a product and keeping its listing true: load, decide by the pure stages, store the fact, fold it.

Nothing here commits or reads a clock. A statement that was stored before is answered with its first fact. Source:
exchange.md §2.3, §2.4, §2.7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, Clash, NotSigned, UnknownFact, WrongMove
from clearing.market import gates, listing_moves
from clearing.market import sample as samples
from clearing.market import service as market
from clearing.market import store as agreements
from clearing.market.errors import Defective, GateRefused, NotEntitled
from clearing.market.gates import Asked, Defect
from clearing.market.listing import (
    APPROVER,
    LISTING_MOVE,
    LISTING_SUBMITTED,
    REVIEWER,
    SYSTEM,
    Listing,
    ListingMove,
    MigrationPlan,
    Move,
    ProductType,
    Title,
    check_listing,
    check_title,
    subject_of,
)
from clearing.market.listing_moves import ORDERABLE, PUBLIC, Actor, Case, State, actor_of
from clearing.market.sample import SAMPLE_ANNOUNCED, Announced, Draw
from clearing.market.shelf import store
from clearing.market.shelf.store import ListingRow, Summary, Wanted
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry import holding, signers
from registry import store as registry
from registry.asset import Twin
from registry.calendar import Calendar
from registry.errors import Unknown
from registry.party import party_subject
from registry.rights import Right
from registry.search.store import FIRST

BY_CERTIFICATE = "§2.4 登记凭证失效、注销或冻结，自动暂停 / suspended because its certificate no longer carries it"
BY_NOTICE = "§2.4 预告期满，自动下架 / delisted at the end of its notice"
BY_LAST = "§2.4 最后一份合约终止，退市 / retired after its last agreement"
"""The rules the clock's moves name (decisions D14)."""
SUPERVISORS = frozenset({"supervisor"})
"""Roles of party/v1 whose staff may review what the operator itself offers (§1.4: its reviews move to another)."""
LOOKED_AT = 2_000
"""Most lines one search looks at for products that can be ordered now."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A product found: whether it can be ordered at the instant asked, and if not, why."""

    summary: Summary
    state: State
    orderable: bool
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """Products found, latest on the shelf first; `next` is what to ask for the following page, "" at the end."""

    offers: tuple[Offer, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Product:
    """What the public sees of a product; `listing` is None while an emergency keeps its content back.

    `own_business` says that the operator offers it itself (建运一体); `reason`, `plan` and `until` belong to the state.
    """

    id: str
    product: str
    version: int
    name: str
    state: State
    since: int
    listed_at: int
    digest: Twin
    orderable: bool
    why: str
    listing: Listing | None
    own_business: bool
    reason: str = ""
    plan: MigrationPlan | None = None
    until: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """下架预告 for a licensee: which agreement rests on the listing, what is planned, until when it is served."""

    agreement: str
    listing: str
    name: str
    since: int
    until: int
    plan: MigrationPlan


def submit(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a listing-submitted/v1 signed by its seller, if the pre-check finds nothing that stops it.

    Raises `BadTerms`, `Defective` with every defect, `WrongMove` unless a version may be submitted now,
    `BadSignature`, and the ledger's `Conflict` and `Stale`.
    """
    body = read(Listing, taking.of_kind(signed, LISTING_SUBMITTED).body)
    check_listing(body, signed.statement.subject)
    signers.require_signature(session, signed, party_subject(body.seller), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    identity = signed.statement.subject.removeprefix("listing:")
    before = store.find_listing(session, identity)
    digest = Twin.of(signed.statement.digest())
    listing_moves.submitted(identity, before.case if before else Case(), body, digest, at)
    _require_own(session, body, before)
    _require_sound(session, identity, body, before, at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def precheck(session: Session, body: Listing, *, at: int, identity: str = "") -> tuple[Defect, ...]:
    """Everything a machine finds against a listing at `at`, whether it stops it or not; nothing is written.

    `identity` is that of the listing a new version is for. Raises `BadTerms`.
    """
    check_listing(body, subject_of(identity or "0" * 32))
    return gates.defects(_asked(session, body, store.find_listing(session, identity) if identity else None, at))


def rehearse(session: Session, identity: str, body: Listing, *, at: int) -> None:
    """Everything `submit` asks of a version of listing `identity` but the signature. Raises as it does."""
    check_listing(body, subject_of(identity))
    before = store.find_listing(session, identity)
    listing_moves.submitted(identity, before.case if before else Case(), body, Twin("0" * 64, "0" * 64), at)
    _require_own(session, body, before)
    _require_sound(session, identity, body, before, at)


def rehearse_move(session: Session, identity: str, body: ListingMove, *, at: int) -> None:
    """Everything `move` asks of a seller's move but the signature. Raises as it does."""
    row = store.listing(session, identity)
    seller = row.value.seller
    listing_moves.check_move(identity, row.case, body, Actor.SELLER, party_subject(seller), seller, seller, at)
    _require_guards(session, row, body.move, at)


def seller_moves(row: ListingRow) -> tuple[Move, ...]:
    """What the seller may do with a listing as it stands, in the order of the moves."""
    edges = {move: listing_moves.edge_of(row.id, row.case, move) for move in listing_moves.moves_from(row.case)}
    return tuple(move for move in Move if move in edges and Actor.SELLER in edges[move].actors)


def move(session: Session, signed: Signed, *, operator: str, at: int) -> Appended:
    """Takes in a listing-move/v1: of the seller, of the operator's staff as reviewer or approver, of an authority, or
    an objection of any party.

    Approval, publicity, resumption and calling off a notice ask the pre-check again, approval and publicity also for
    the opinion on this version (G10). Raises as `submit`, and `NotEntitled`, `TooEarly`.
    """
    body = read(ListingMove, taking.of_kind(signed, LISTING_MOVE).body)
    identity = signed.statement.subject.removeprefix("listing:")
    row = store.listing(session, identity)
    actor, by, organisation = _signer(session, signed, row, body.move, operator, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    listing_moves.check_move(identity, row.case, body, actor, by, organisation, row.value.seller, at)
    _require_guards(session, row, body.move, at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def announce_sample(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a sample-announced/v1 of the certificate's holder: the data is that of the certificate, and new here.

    Raises `BadTerms`, `GateRefused` (G1), `Clash` if a sample of this data was announced before, `BadSignature`.
    """
    body = read(Announced, taking.of_kind(signed, SAMPLE_ANNOUNCED).body)
    samples.check_announced(body, signed.statement.subject)
    signers.require_signature(session, signed, party_subject(body.seller), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if signed.statement.no:
        raise BadTerms("statement.no", "0", signed.statement.no)
    title = check_title(
        market.title_of(session, body.certificate, body.seller, at), body.certificate, body.seller, Right.OPERATE
    )
    if title.content != body.content.sha256:
        raise GateRefused("G1", "body.content", title.content, body.content.sha256)
    known = store.announced(session, body.content)
    if known:
        raise Clash(signed.statement.subject, "数据只公告一次 / data is announced once", samples.subject_of(known))
    return taking.take(session, signed, store.PROJECTORS, at=at)


def run_timers(session: Session, signer: SystemSigner, *, at: int) -> int:
    """Suspends what its certificate no longer carries, delists what was given notice of, retires what no agreement
    rests on any more; answers how many moves were stated."""
    done = 0
    for row in store.doubtful(session, at):
        why = _why_not(market.title_of(session, row.value.certificate, row.value.seller, at), row.value)
        if why:
            _state(session, signer, row, ListingMove(Move.SUSPEND, reason=why[:1000], rule=BY_CERTIFICATE), at)
            done += 1
    for row in store.noticed(session, at):
        _state(session, signer, row, ListingMove(Move.DELIST, rule=BY_NOTICE), at)
        done += 1
    for row in store.listings(session, state=State.DELISTED):
        if not agreements.running_on(session, row.id, at):
            _state(session, signer, row, ListingMove(Move.RETIRE, rule=BY_LAST), at)
            done += 1
    return done


def search(session: Session, wanted: Wanted, *, at: int, limit: int, before: int = FIRST) -> Page:
    """Products that answer a question. Unless all shown ones are asked for, only those that can be ordered at `at`."""
    found: list[Offer] = []
    looked = 0
    while True:
        hits = store.find(session, wanted, at, limit, before)
        looked += len(hits)
        for hit in hits:
            before = hit.place
            offer = _offer(session, hit, at)
            if offer.orderable or wanted.all_shown:
                found.append(offer)
            if len(found) == limit:
                return Page(tuple(found), str(before))
        if len(hits) < limit:
            return Page(tuple(found), "")
        if looked >= LOOKED_AT:
            return Page(tuple(found), str(before))


def product(session: Session, identity: str, *, operator: str, at: int) -> Product:
    """The public view of a product, of its listing that can be ordered or, without one, the newest. Raises
    `UnknownFact` for one that was never on a shelf."""
    rows = [row for row in store.of_product(session, identity) if row.case.version and row.state in PUBLIC]
    if not rows:
        raise UnknownFact("product", identity)
    shown = min(rows, key=lambda row: row.state not in ORDERABLE)
    return view(session, shown, operator=operator, at=at)


def view(session: Session, row: ListingRow, *, operator: str, at: int) -> Product:
    """The public view of a listing that has been on the shelf."""
    why = _why_closed(row.state) or _why_not(
        market.title_of(session, row.value.certificate, row.value.seller, at), row.value
    )
    case = row.case
    return Product(
        row.id, row.value.product, case.version, row.value.name, row.state, row.since, case.listed_at, row.digest,
        not why, why,
        None if row.state is State.EMERGENCY else row.value, row.value.seller == operator, case.reason, case.plan,
        case.until,
    )  # fmt: skip


def offered(session: Session, *, at: int, operator: str, limit: int, before: int = FIRST) -> tuple[list[Product], str]:
    """Products that can be ordered at `at`, latest on the shelf first, and what to ask for the following page."""
    page = search(session, Wanted(), at=at, limit=limit, before=before)
    rows = (store.listing(session, offer.summary.listing) for offer in page.offers)
    return [view(session, row, operator=operator, at=at) for row in rows], page.next


def notices(session: Session, party: str, *, at: int) -> list[Notice]:
    """What is going to be taken off the shelf and has running agreements of this party, soonest first."""
    found = []
    for row in store.listings(session, state=State.NOTICE):
        plan = row.case.plan
        for held in agreements.running_on(session, row.id, at) if plan else ():
            if plan and party in {held.consumer, held.seller, *agreements.signers_of(session, held.id)}:
                found.append(Notice(held.id, row.id, row.value.name, row.since, row.case.until, plan))
    return sorted(found, key=lambda item: (item.until, item.agreement))


def clocks_of(row: ListingRow, calendar: Calendar) -> dict[str, int]:
    """Instants by which something is due about a listing, seconds UTC: `review`, `explain`. Raises
    `CalendarPending`."""
    found: dict[str, int | None] = {}
    if row.case.review is not None:
        found["review"] = listing_moves.review_due(row.case.review, calendar)
    if not row.case.explained_at:
        found["explain"] = listing_moves.explain_due(row.case, calendar)
    return {name: instant for name, instant in found.items() if instant is not None}


def _offer(session: Session, hit: store.Hit, at: int) -> Offer:
    summary = hit.summary
    why = _why_closed(hit.state)
    if not why and not hit.undoubted:
        title = market.title_of(session, summary.certificate, summary.seller, at)
        try:
            check_title(title, summary.certificate, summary.seller, Right.OPERATE)
        except GateRefused as refused:
            why = str(refused)
    return Offer(summary, hit.state, not why, why)


def _why_closed(state: State) -> str:
    if state in ORDERABLE:
        return ""
    return f"{listing_moves.STATE_NAMES[state]}，不接受新订单 / {state}: no new order"


def _why_not(title: Title | None, value: Listing) -> str:
    """Why nothing new rests on this certificate, derived from the title as it is now; "" if something may."""
    try:
        check_title(title, value.certificate, value.seller, value.right)
    except GateRefused as refused:
        return str(refused)
    return ""


def _asked(session: Session, body: Listing, before: ListingRow | None, at: int) -> Asked:
    titles = {body.certificate: market.title_of(session, body.certificate, body.seller, at)}
    sources: Iterable[str] = body.sources if body.type is ProductType.ELEMENT else ()
    titles |= {source: _source_title(session, source, body.seller, at) for source in sources}
    shown = before.value if before is not None and before.case.version else None
    return Asked(body, at, titles, _draw(session, body), shown)


def _source_title(session: Session, source: str, seller: str, at: int) -> Title | None:
    """A source's title for who derives from it: leave of a holder counts as a right of use, for nothing else."""
    title = market.title_of(session, source, seller, at)
    if title is None or not holding.may_derive(session, seller, source, at):
        return title
    return replace(title, rights=title.rights | {Right.USE})


def _draw(session: Session, body: Listing) -> Draw | None:
    sample = body.preview.sample if body.preview else None
    return None if sample is None else store.find_draw(session, sample.announcement)


def _require_own(session: Session, body: Listing, before: ListingRow | None) -> None:
    """A listing keeps its seller and product; a product has one seller, and its id is not used again."""
    if before is not None:
        kept = (before.value.seller, before.value.product)
        if kept != (body.seller, body.product):
            raise BadTerms("body.seller, body.product", " ".join(kept), f"{body.seller} {body.product}")
    for row in store.of_product(session, body.product):
        if row.value.seller != body.seller:
            raise BadTerms("body.product", "本卖方的产品 / a product of this seller", body.product)
        if row.state is State.RETIRED:
            raise BadTerms("body.product", "未退市的产品 / a product that was not retired", body.product)


def _require_sound(session: Session, identity: str, body: Listing, before: ListingRow | None, at: int) -> None:
    found = gates.stopping(gates.defects(_asked(session, body, before, at)))
    if found:
        raise Defective(subject_of(identity), found)


def _require_guards(session: Session, row: ListingRow, taken: Move, at: int) -> None:
    if taken in (Move.APPROVE, Move.PUBLISH):
        value = store.under_review(session, row)
        listing_moves.check_opinion(
            row.id, row.case, bool(gates.substantive(value)), gates.over_threshold(value.security.persons)
        )
        _require_sound(session, row.id, value, row, at)
    if taken in (Move.RESUME, Move.CALL_OFF):
        _require_sound(session, row.id, row.value, None, at)
    if taken is Move.RETIRE:
        running = agreements.running_on(session, row.id, at)
        if running:
            raise WrongMove(subject_of(row.id), "无履行中的合约 / no running agreement", running[0].id)


def _signer(
    session: Session, signed: Signed, row: ListingRow, taken: Move, operator: str, at: int
) -> tuple[Actor, str, str]:
    """Who signed, in which capacity and for whom; the capacity is one the signer has."""
    subject = signed.statement.subject
    if len(signed.signatures) != 1:
        raise NotSigned(subject, "one signature", str(len(signed.signatures)))
    by, role = signed.signatures[0].by, signed.signatures[0].role
    kind, _, identity = by.partition(":")
    seller = row.value.seller
    if kind == "staff":
        if role not in (REVIEWER, APPROVER):
            raise NotSigned(subject, f"{REVIEWER} | {APPROVER}", role or by)
        signers.require_signature(session, signed, by, role, at=at)
        member = registry.staff_at(session, identity, at)
        if role not in member.roles.split():
            raise NotSigned(subject, f"a member of staff in the role {role}", by)
        if not may_review(session, member.organisation, operator, seller, at):
            raise NotEntitled(taken, "运营方的审核人 / a reviewer of the operator", member.organisation)
        return actor_of(by, role, seller, taken), by, member.organisation
    if kind != "party" or role in (REVIEWER, APPROVER, SYSTEM):
        raise NotSigned(subject, f"{party_subject(seller)} | staff | authority", by)
    actor = actor_of(by, role, seller, taken)
    if actor is Actor.AUTHORITY and not market.is_authority(session, identity, at):
        raise NotSigned(subject, f"{party_subject(seller)} | staff | authority", by)
    signers.require_signature(session, signed, by, at=at)
    return actor, by, identity


def may_review(session: Session, organisation: str, operator: str, seller: str, at: int) -> bool:
    """Does this organisation's staff review what `seller` offers? The operator's does; where the operator itself is the
    seller, a supervisor's."""
    if organisation == operator or seller != operator:
        return organisation == operator
    try:
        return bool(SUPERVISORS & set(registry.party_at(session, organisation, at).roles.split()))
    except Unknown:
        return False


def _state(session: Session, signer: SystemSigner, row: ListingRow, body: ListingMove, at: int) -> None:
    """A move of the clock, under the operator's system key."""
    subject = subject_of(row.id)
    listing_moves.check_move(row.id, row.case, body, Actor.CLOCK, signer.by, "", row.value.seller, at)
    no, prev = ledger.next_of(session, subject)
    statement = Statement(LISTING_MOVE, subject, no, prev, body_of(body))
    taking.take(session, Signed(statement, (signer.sign(statement, SYSTEM),)), store.PROJECTORS, at=at)
