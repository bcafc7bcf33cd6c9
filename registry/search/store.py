"""The line of an entry, and which lines answer a question; other areas look through lines of their own here.

Pages follow each other by the key of their last line, never by a count: nothing is skipped or shown twice while new
certificates come in, and the thousandth page costs what the first does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, and_, column, delete, func, literal_column, select, text
from sqlalchemy import table as plain_table
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger.tables import metadata
from registry.asset import AssetKind
from registry.calendar import day_of
from registry.certificate import Record, RegisterEntry, Status
from registry.code import read_code
from registry.party import PartyKind
from registry.rights import Right
from registry.search.grams import MOST_RUNS, grams_of, runs_of, text_of, tokens_of
from registry.search.tables import AREAS, RegisterLineRow
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

_Bounds = tuple[int, int | None, int]
"""Below which place, from which place on, and how many rows."""


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
    organisations = {item.identity for item in record.holders if item.kind is not PartyKind.NATURAL}
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

    def rows(line: Any) -> Any:
        certificate = and_(col(CertificateRow.code) == line.c.code, col(CertificateRow.version) == line.c.version)
        query = select(line.c.place, CertificateRow).select_from(line).join(CertificateRow, certificate)
        return _of_status(query, wanted.status, at)

    since = None if wanted.since is None else wanted.since * _SECOND
    until = before if wanted.until is None else min(before, wanted.until * _SECOND)
    found = look(session, "register", rows, wanted.words, _filters(wanted), limit, until, since)
    return [(row[0], row[1]) for row in found]


def look(
    session: Session,
    area: str,
    rows: Callable[[Any], Any],
    words: str,
    filters: set[str],
    limit: int,
    before: int = FIRST,
    since: int | None = None,
) -> list[Any]:
    """Rows of an area's lines that have all words and the filters' tokens, highest place first, below `before`.

    `rows` makes the query that is answered from a line: a FROM with the columns of the area's table of lines, which it
    joins and narrows as it likes. Words without a letter or digit in them find nothing.
    """
    runs = runs_of(words)[:MOST_RUNS]
    if words.strip() and not runs:
        return []
    tokens = sorted({token for run in runs for token in tokens_of(run)} | filters)
    lines = metadata.tables[f"{area}_line"]
    bounds = (before, since, limit)
    if not tokens:
        return _read(session, rows(lines), lines.c.place, bounds)
    if session.get_bind().dialect.name == "sqlite":
        name = f"{area}_fts"
        index = plain_table(name, column("rowid"), column(name))
        matched = index.c[name].op("MATCH")(" AND ".join(_fts5(token) for token in tokens))
        query = rows(lines).join(index, index.c.rowid == lines.c.place).where(matched)
        return _read(session, _with_runs(query, lines, runs), index.c.rowid, bounds)
    return _on_postgresql(session, lines, rows, runs, filters, tokens, bounds)


def _on_postgresql(
    session: Session,
    lines: Table,
    rows: Callable[[Any], Any],
    runs: list[str],
    filters: set[str],
    tokens: list[str],
    bounds: _Bounds,
) -> list[Any]:
    """GIN knows no order, and the planner takes its filter for cheap: left alone, it reads a million texts for twenty
    lines, or sorts a million hits. So the newest lines are looked through first; a word that does not fill the page
    from them is rare enough to be fetched from the index as a whole."""
    newest = _bounded(select(lines), lines.c.place, bounds).order_by(lines.c.place.desc()).limit(LOOKED_THROUGH)
    line = newest.subquery("newest")
    query = rows(line).where(*(line.c.text.contains(run) for run in runs))
    query = query.where(*(line.c.grams.contains(token) for token in filters))
    seen = _read(session, query, line.c.place, bounds)
    if len(seen) == bounds[2]:
        return seen
    words = " & ".join(token.replace("*", ":*") for token in tokens)
    simple: Any = literal_column("'simple'")
    matched = func.to_tsvector(simple, lines.c.grams).op("@@")(func.to_tsquery(simple, words))
    hits = select(lines.c.place).where(matched).cte("hits").prefix_with("MATERIALIZED")
    query = rows(lines).join(hits, hits.c.place == lines.c.place)
    # Evaluated row by row the match costs a hundred times what the index does, and a plan made for any words at all
    # would not know which are rare.
    for setting, value, _ in _SETTINGS:
        session.execute(text(f"SET LOCAL {setting} = {value}"))
    found = _read(session, _with_runs(query, lines, runs), hits.c.place, bounds)
    for setting, _, after in _SETTINGS:
        session.execute(text(f"SET LOCAL {setting} = {after}"))
    return found


def _with_runs(query: Any, lines: Table, runs: list[str]) -> Any:
    # A run of one or two characters is its own token: whoever has the token has the run.
    return query.where(*(lines.c.text.contains(run) for run in runs if len(run) > 2))


def _bounded(query: Any, place: Any, bounds: _Bounds) -> Any:
    before, since, _ = bounds
    query = query.where(place < before)
    return query if since is None else query.where(place >= since)


def _read(session: Session, query: Any, place: Any, bounds: _Bounds) -> list[Any]:
    return list(session.execute(_bounded(query, place, bounds).order_by(place.desc()).limit(bounds[2])))


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
    """Makes SQLite's indexes from the lines of every area, so that none keeps anything of lines that are gone.

    PostgreSQL's index forgets by the database's own upkeep.
    """
    if session.get_bind().dialect.name == "sqlite":
        for area in AREAS:
            session.execute(text(f"INSERT INTO {area}_fts ({area}_fts) VALUES ('rebuild')"))


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
