"""The line of an entry, and which lines answer a question.

Pages follow each other by the key of their last line, never by a count: nothing is skipped or shown twice while new
certificates come in, and the thousandth page costs what the first does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, column, delete, func, literal_column, select, text
from sqlalchemy import table as plain_table
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from registry.asset import AssetKind
from registry.calendar import day_of
from registry.certificate import Record, RegisterEntry, Status
from registry.code import read_code
from registry.party import PartyKind
from registry.rights import Right
from registry.search.grams import MOST_RUNS, grams_of, runs_of, text_of, tokens_of
from registry.search.tables import RegisterLineRow
from registry.tables import CertificateRow, ToldRow

_SECOND = 10**9
"""Places of one second: 100 months of assignment × 100 regions × 10 agencies × 10,000 serials."""
FIRST = 2**63 - 1
"""Above every place: where the first page begins."""

LOOKED_THROUGH = 5_000
"""Newest lines that PostgreSQL looks through before it asks the index."""

_SETTINGS = (
    ("enable_seqscan", "off", "on"),
    ("plan_cache_mode", "force_custom_plan", "auto"),
    ("work_mem", "'64MB'", "DEFAULT"),
)

_FTS = plain_table("register_fts", column("rowid"), column("register_fts"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: words that must all stand in a line, and filters; "" or `None` asks nothing.

    `since` and `until` bound the deposit in seconds UTC, the latter excluded. `status` is judged at the instant asked.
    """

    words: str = ""
    kind: AssetKind | None = None
    agency: str = ""
    right: Right | None = None
    status: Status | None = None
    since: int | None = None
    until: int | None = None

    @property
    def filtered(self) -> bool:
        """Is anything asked besides the words?"""
        return any(
            item not in (None, "") for item in (self.kind, self.agency, self.right, self.status, self.since, self.until)
        )


def place_of(code: str, deposited_at: int) -> int:
    """Where a certificate stands in the register: by deposit, within a second by code. Fits 63 bits."""
    known = read_code(code)
    day = day_of(deposited_at)
    late = (int(known.month[:4]) - day.year) * 12 + int(known.month[4:]) - day.month
    number = int(f"{known.region}{known.agency}{known.serial:04d}")
    return deposited_at * _SECOND + late % 100 * 10**7 + number


def line_of(entry: RegisterEntry, record: Record) -> dict[str, Any]:
    """The columns of the line of a published certificate. Names of natural persons are not among what is searched."""
    data = record.description
    organisations = {item.id_no for item in record.holders if item.kind is not PartyKind.NATURAL}
    names = [row.holder_name for row in record.rights if row.holder_id in organisations]
    searched = text_of(
        [entry.code, data.data_name, data.overview, *dict.fromkeys(names), entry.agency_name, data.industry]
    )
    filters = {_kind(data.kind), _agency(record.agency), *(_right(row.right) for row in record.rights)}
    return {
        "place": place_of(entry.code, entry.deposited_at), "code": entry.code, "version": entry.version,
        "text": searched, "grams": " ".join([grams_of(searched), *sorted(filters)]),
    }  # fmt: skip


def enter(session: Session, entry: RegisterEntry, record: Record) -> None:
    """Puts the line of a new version in the place of the one before; a waived publicity leaves none."""
    session.execute(delete(RegisterLineRow).where(col(RegisterLineRow.code) == entry.code))
    if not record.publicity_waived:
        session.add(RegisterLineRow(**line_of(entry, record)))
        session.flush()


def find(
    session: Session, wanted: Wanted, at: int, limit: int, before: int = FIRST
) -> list[tuple[int, CertificateRow]]:
    """The next lines below the place `before` that answer the question, newest first, with their places.

    Of a status only what the views can tell in one look is asked here; the caller judges each row by its standing.
    """
    runs = runs_of(wanted.words)[:MOST_RUNS]
    if wanted.words.strip() and not runs:
        return []
    filters = _filters(wanted)
    tokens = sorted({token for run in runs for token in tokens_of(run)} | filters)
    if not tokens:
        return _read(session, _query(RegisterLineRow.place), wanted, at, limit, before)
    if session.get_bind().dialect.name == "sqlite":
        matched = _FTS.c.register_fts.op("MATCH")(" AND ".join(_fts5(token) for token in tokens))
        query = _query(_FTS.c.rowid).join(_FTS, _FTS.c.rowid == RegisterLineRow.place).where(matched)
        return _read(session, _with_runs(query, runs), wanted, at, limit, before, _FTS.c.rowid)
    return _on_postgresql(session, wanted, at, limit, before, runs, filters, tokens)


def _on_postgresql(
    session: Session, wanted: Wanted, at: int, limit: int, before: int, runs: list[str], filters: set[str],
    tokens: list[str],
) -> list[tuple[int, CertificateRow]]:  # fmt: skip
    """GIN knows no order, and the planner takes its filter for cheap: left alone, it reads a million texts for twenty
    lines, or sorts a million hits. So the newest lines are looked through first; a word that does not fill the page
    from them is rare enough to be fetched from the index as a whole."""
    newest = _bounded(select(RegisterLineRow), col(RegisterLineRow.place), wanted, before)
    newest = newest.order_by(col(RegisterLineRow.place).desc()).limit(LOOKED_THROUGH)
    line = aliased(RegisterLineRow, newest.subquery("newest"))
    query: Any = select(col(line.place), CertificateRow).join(
        CertificateRow, and_(col(CertificateRow.code) == line.code, col(CertificateRow.version) == line.version)
    )
    query = query.where(*(col(line.text).contains(run) for run in runs))
    query = query.where(*(col(line.grams).contains(token) for token in filters))
    seen = _read(session, query, wanted, at, limit, before, col(line.place))
    if len(seen) == limit:
        return seen
    words = " & ".join(token.replace("*", ":*") for token in tokens)
    simple: Any = literal_column("'simple'")
    matched = func.to_tsvector(simple, col(RegisterLineRow.grams)).op("@@")(func.to_tsquery(simple, words))
    hits = select(col(RegisterLineRow.place)).where(matched).cte("hits").prefix_with("MATERIALIZED")
    query = _query(hits.c.place).join(hits, hits.c.place == RegisterLineRow.place)
    # Evaluated row by row the match costs a hundred times what the index does, and a plan made for any words at all
    # would not know which are rare.
    for setting, value, _ in _SETTINGS:
        session.execute(text(f"SET LOCAL {setting} = {value}"))
    found = _read(session, _with_runs(query, runs), wanted, at, limit, before, hits.c.place)
    for setting, _, after in _SETTINGS:
        session.execute(text(f"SET LOCAL {setting} = {after}"))
    return found


def _query(place: Any) -> Any:
    certificate = and_(
        col(CertificateRow.code) == RegisterLineRow.code, col(CertificateRow.version) == RegisterLineRow.version
    )
    return select(place, CertificateRow).select_from(RegisterLineRow).join(CertificateRow, certificate)


def _with_runs(query: Any, runs: list[str]) -> Any:
    # A run of one or two characters is its own token: whoever has the token has the run.
    return query.where(*(col(RegisterLineRow.text).contains(run) for run in runs if len(run) > 2))


def _bounded(query: Any, place: Any, wanted: Wanted, before: int) -> Any:
    query = query.where(place < before)
    if wanted.since is not None:
        query = query.where(place >= wanted.since * _SECOND)
    if wanted.until is not None:
        query = query.where(place < wanted.until * _SECOND)
    return query


def _read(
    session: Session, query: Any, wanted: Wanted, at: int, limit: int, before: int, place: Any = None
) -> list[tuple[int, CertificateRow]]:
    place = col(RegisterLineRow.place) if place is None else place
    query = _of_status(_bounded(query, place, wanted, before), wanted.status, at)
    return [(row[0], row[1]) for row in session.execute(query.order_by(place.desc()).limit(limit))]


def _filters(wanted: Wanted) -> set[str]:
    found = set()
    if wanted.kind:
        found.add(_kind(wanted.kind))
    if wanted.agency:
        found.add(_agency(wanted.agency))
    if wanted.right:
        found.add(_right(wanted.right))
    return found


def lines(session: Session) -> int:
    """How many certificates are published."""
    return session.execute(select(func.count()).select_from(RegisterLineRow)).scalar_one()


def make_index_again(session: Session) -> None:
    """Makes SQLite's index from the lines, so that it keeps nothing of lines that are gone (erasure, repair).

    PostgreSQL's index forgets by the database's own upkeep.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("INSERT INTO register_fts (register_fts) VALUES ('rebuild')"))


def _of_status(query: Any, status: Status | None, at: int) -> Any:
    """What a status needs: time alone makes VALID and LAPSED; whatever else ends a certificate was told."""
    match status:
        case None:
            return query
        case Status.VALID:
            return query.where(col(CertificateRow.valid_until) > at)
        case Status.LAPSED | Status.RENEWAL_PENDING:
            return query.where(col(CertificateRow.valid_until) <= at)
        case _:
            told = select(col(ToldRow.code)).where(col(ToldRow.status) == status.value)
            return query.where(col(CertificateRow.code).in_(told))


def _fts5(token: str) -> str:
    return f'"{token[:-1]}"*' if token.endswith("*") else f'"{token}"'


def _kind(kind: AssetKind) -> str:
    return f"k0{kind.value}"


def _right(right: Right) -> str:
    return f"r0{right.value.lower()}"


def _agency(agency: str) -> str:
    return f"a0{agency.lower()}"
