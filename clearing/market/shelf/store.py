"""Folding listings into rows, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import RowMapping, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market import listing_moves
from clearing.market.listing import (
    LISTING_MOVE,
    LISTING_SUBMITTED,
    Listing,
    ListingMove,
    Move,
    PriceRegime,
    ProductType,
)
from clearing.market.listing_moves import SHOWN, Case, State, actor_of
from clearing.market.product import DatasetClass, ElementForm, Level, QualityGrade
from clearing.market.sample import SAMPLE_ANNOUNCED, Announced, Draw
from clearing.market.shelf import tables
from ledger import canonical, log
from ledger.errors import UnknownFact as NotInLog
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry import store as registry
from registry.asset import Twin
from registry.rights import Right
from registry.search.grams import grams_of, text_of
from registry.search.store import FIRST, look

_ON_OFFER = sorted(state.value for state in listing_moves.ORDERABLE)
VIEWS: tuple[Table, ...] = (tables.listing, tables.version, tables.line, tables.sample)


@dataclass(frozen=True, slots=True)
class ListingRow:
    """A listing as it stands: `value` and `digest` are of the version shown, `since` when it entered its state."""

    id: str
    value: Listing
    state: State
    since: int
    digest: Twin
    case: Case


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list shows of a product, and what its filters ask."""

    listing: str
    product: str
    version: int
    name: str
    overview: str
    type: ProductType
    industry: str
    theme: str
    level: Level
    regime: PriceRegime
    seller: str
    certificate: str
    unit: str
    tags: tuple[str, ...] = ()
    grade: QualityGrade | None = None
    element: ElementForm | None = None
    dataset_class: DatasetClass | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: words that must all stand in a line, and filters; "" or `None` asks nothing.

    Without `all_shown` only listings that can be ordered by their state are looked at.
    """

    words: str = ""
    type: ProductType | None = None
    industry: str = ""
    grade: QualityGrade | None = None
    level: Level | None = None
    regime: PriceRegime | None = None
    all_shown: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A line found: its place, what it shows, the state of its listing, and whether its certificate is beyond doubt."""

    place: int
    summary: Summary
    state: State
    undoubted: bool


def listing(session: Session, identity: str) -> ListingRow:
    """The listing with this 32-hex id. Raises `UnknownFact`."""
    found = find_listing(session, identity)
    if found is None:
        raise UnknownFact("listing", identity)
    return found


def find_listing(session: Session, identity: str) -> ListingRow | None:
    """The listing with this id, None before its first statement."""
    row = session.execute(select(tables.listing).where(tables.listing.c.id == identity)).mappings().first()
    return _row(row) if row else None


def listings(session: Session, *, state: State | None = None, seller: str = "") -> list[ListingRow]:
    """Listings, newest state first, by state or seller."""
    query = select(tables.listing).order_by(tables.listing.c.since.desc(), tables.listing.c.id)
    if state is not None:
        query = query.where(tables.listing.c.state == state.value)
    if seller:
        query = query.where(tables.listing.c.seller == seller)
    return [_row(row) for row in session.execute(query).mappings()]


def of_product(session: Session, product: str) -> list[ListingRow]:
    """Every listing of a product, newest state first: several shelves may show one product."""
    table = tables.listing
    query = select(table).where(table.c.product == product).order_by(table.c.since.desc(), table.c.id)
    return [_row(row) for row in session.execute(query).mappings()]


def version_of(session: Session, identity: str, digest: Twin) -> Listing | None:
    """The version of a listing with this statement digest."""
    table = tables.version
    query = select(table.c.document).where(table.c.listing == identity, table.c.sha256 == digest.sha256)
    document = session.execute(query).scalar()
    return None if document is None else _listing(document)


def under_review(session: Session, row: ListingRow) -> Listing:
    """The version that is being reviewed; without one, the version shown."""
    if row.case.review is None:
        return row.value
    return version_of(session, row.id, row.case.review.digest) or row.value


def find(session: Session, wanted: Wanted, at: int, limit: int, before: int = FIRST) -> list[Hit]:
    """The next lines below the place `before` that answer the question, latest on the shelf first."""
    shelf = tables.listing

    def rows(line: Any) -> Any:
        sound = registry.undoubted(shelf.c.certificate, shelf.c.seller, Right.OPERATE, at).label("sound")
        query = select(line.c.place, line.c.summary, shelf.c.state, sound).select_from(line)
        query = query.join(shelf, shelf.c.id == line.c.listing)
        if wanted.all_shown:
            return query
        return query.where(shelf.c.state.in_(_ON_OFFER))

    found = look(session, "market", rows, wanted.words, _filters(wanted), limit, before)
    return [Hit(row.place, _summary(row.summary), State(row.state), bool(row.sound)) for row in found]


def doubtful(session: Session, at: int) -> list[ListingRow]:
    """Listings that can be ordered by their state and whose certificate is not beyond doubt at `at`."""
    table = tables.listing
    query = select(table).where(
        table.c.state.in_(_ON_OFFER),
        ~registry.undoubted(table.c.certificate, table.c.seller, Right.OPERATE, at),
    )
    return [_row(row) for row in session.execute(query.order_by(table.c.id)).mappings()]


def noticed(session: Session, at: int) -> list[ListingRow]:
    """Listings whose notice has run out by `at`."""
    table = tables.listing
    query = select(table).where(table.c.state == State.NOTICE.value, table.c.until <= at)
    return [_row(row) for row in session.execute(query.order_by(table.c.id)).mappings()]


def draw(session: Session, identity: str) -> Draw:
    """An announced sample with the head that draws it, if the log has one. Raises `UnknownFact`."""
    found = find_draw(session, identity)
    if found is None:
        raise UnknownFact("sample", identity)
    return found


def find_draw(session: Session, identity: str) -> Draw | None:
    """An announced sample; None if there is none of this id."""
    row = session.execute(select(tables.sample).where(tables.sample.c.id == identity)).mappings().first()
    if row is None:
        return None
    value = read(Announced, canonical.decode(row["document"].encode()))
    head = _first_head(session, row["fact_id"])
    digest = Twin(row["sha256"], row["sm3"])
    if head is None:
        return Draw(value, digest)
    return Draw(value, digest, head.checkpoint.size, Twin.of(head.checkpoint.root))


def announced(session: Session, content: Twin) -> str:
    """The id of the sample announced for this data, "" if none was."""
    query = select(tables.sample.c.id).where(tables.sample.c.content == content.sha256)
    return session.execute(query).scalar() or ""


def line_of(row: ListingRow, place: int) -> dict[str, Any]:
    """The columns of a listing's line: names, overview, tags, theme, and the fields with what they mean."""
    value = row.value
    fields = [text for item in value.content.fields for text in (item.name, item.meaning)]
    searched = text_of([value.name, value.overview, value.content.theme, *value.content.tags, *fields])
    grade = value.quality.grade if value.quality else None
    summary = Summary(
        row.id, value.product, value.version, value.name, value.overview, value.type, value.content.industry,
        value.content.theme, value.security.level, value.regime, value.seller, value.certificate, value.unit,
        value.content.tags, grade, value.content.element, value.content.dataset_class,
    )  # fmt: skip
    asked = Wanted(
        type=value.type, industry=value.content.industry, grade=grade, level=value.security.level, regime=value.regime
    )
    return {
        "place": place, "listing": row.id, "summary": canonical.encode(body_of(summary)).decode(), "text": searched,
        "grams": " ".join([grams_of(searched), *sorted(_filters(asked))]),
    }  # fmt: skip


def shelved(session: Session) -> int:
    """How many listings a search can show."""
    return session.execute(select(func.count()).select_from(tables.line)).scalar_one()


def _first_head(session: Session, fact_id: str) -> log.Head | None:
    try:
        index = log.index_of(session, fact_id)
    except NotInLog:
        return None
    return log.first_over(session, index)


def _filters(wanted: Wanted) -> set[str]:
    """Tokens of the filters, letters and digits. A text's tokens hold no digit, so none is taken for another."""
    found = set()
    if wanted.type:
        found.add(f"t0{wanted.type.value.lower()}")
    if wanted.industry:
        found.add(f"i0{wanted.industry.lower()}")
    if wanted.grade:
        found.add(f"q0{wanted.grade.value.lower()}")
    if wanted.level:
        found.add(f"l0{wanted.level.name.lower()}")
    if wanted.regime:
        found.add(f"p0{wanted.regime.name.lower().replace('_', '')}")
    return found


def _project_submitted(session: Session, fact: Fact) -> None:
    value = read(Listing, fact.body)
    identity = fact.subject.removeprefix("listing:")
    before = find_listing(session, identity)
    digest = Twin.of(fact.statement.digest())
    case = listing_moves.submitted(identity, before.case if before else Case(), value, digest, fact.at)
    session.execute(
        insert(tables.version).values(
            listing=identity, no=fact.statement.no, version=value.version, at=fact.at, sha256=digest.sha256,
            sm3=digest.sm3, document=canonical.encode(body_of(value)).decode(),
        )
    )  # fmt: skip
    row = ListingRow(identity, value, case.state, case.since, digest, case)
    if before is None:
        session.execute(insert(tables.listing).values(columns_of(row)))
    elif case.version:
        _write(session, replace(row, value=before.value, digest=before.digest))
    else:
        _write(session, row)


def _project_move(session: Session, fact: Fact) -> None:
    body = read(ListingMove, fact.body)
    identity = fact.subject.removeprefix("listing:")
    row = listing(session, identity)
    signature = fact.signatures[0]
    actor = actor_of(signature.by, signature.role, row.value.seller, body.move)
    case = listing_moves.moved(identity, row.case, body, actor, signature.by, fact.at)
    value, digest = row.value, row.digest
    if body.move is Move.APPROVE:
        value = under_review(session, row)
        digest = case.digest or digest
    row = ListingRow(identity, value, case.state, case.since, digest, case)
    _write(session, row)
    _shelve(session, row, anew=body.move is Move.APPROVE)


def _project_announced(session: Session, fact: Fact) -> None:
    value = read(Announced, fact.body)
    digest = Twin.of(fact.statement.digest())
    session.execute(
        insert(tables.sample).values(
            id=fact.subject.removeprefix("sample:"), seller=value.seller, content=value.content.sha256, at=fact.at,
            fact_id=fact.id, sha256=digest.sha256, sm3=digest.sm3,
            document=canonical.encode(body_of(value)).decode(),
        )
    )  # fmt: skip


def _shelve(session: Session, row: ListingRow, *, anew: bool) -> None:
    """Keeps the line of a listing: on the shelf it has one, in the front when a version has just been put there."""
    table = tables.line
    there = session.execute(select(table.c.place).where(table.c.listing == row.id)).scalar()
    if there is not None and (anew or row.state not in SHOWN):
        session.execute(delete(table).where(table.c.place == there))
        there = None
    if there is None and row.state in SHOWN:
        place = (session.execute(select(func.max(table.c.place))).scalar() or 0) + 1
        session.execute(insert(table).values(line_of(row, place)))


def _write(session: Session, row: ListingRow) -> None:
    session.execute(update(tables.listing).where(tables.listing.c.id == row.id).values(columns_of(row)))


def columns_of(row: ListingRow) -> dict[str, Any]:
    """The columns of a listing."""
    value, case = row.value, row.case
    return {
        "id": row.id, "state": case.state.value, "since": case.since, "until": case.until, "product": value.product,
        "version": value.version, "name": value.name, "type": value.type.value, "seller": value.seller,
        "certificate": value.certificate, "sha256": row.digest.sha256, "sm3": row.digest.sm3,
        "document": canonical.encode(body_of(value)).decode(), "case": canonical.encode(body_of(case)).decode(),
    }  # fmt: skip


def _row(row: RowMapping) -> ListingRow:
    case = read(Case, canonical.decode(row["case"].encode()), "case")
    return ListingRow(
        row["id"], _listing(row["document"]), State(row["state"]), row["since"], Twin(row["sha256"], row["sm3"]), case
    )


@lru_cache(maxsize=256)
def _listing(document: str) -> Listing:
    """Listings are frozen, and the same text is the same listing."""
    return read(Listing, canonical.decode(document.encode()))


@lru_cache(maxsize=2_000)
def _summary(document: str) -> Summary:
    return read(Summary, canonical.decode(document.encode()), "summary")


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    LISTING_SUBMITTED: _project_submitted,
    LISTING_MOVE: _project_move,
    SAMPLE_ANNOUNCED: _project_announced,
}
