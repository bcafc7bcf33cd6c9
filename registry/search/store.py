"""The line of an entry, and which lines answer a question.

Pages follow each other by the key of their last line, never by a count: nothing is skipped or shown twice while new
certificates come in, and the thousandth page costs what the first does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, column, delete, func, literal_column, select, text
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
    asked = {token for run in runs for token in tokens_of(run)}
    if wanted.kind:
        asked.add(_kind(wanted.kind))
    if wanted.agency:
        asked.add(_agency(wanted.agency))
    if wanted.right:
        asked.add(_right(wanted.right))
    tokens = sorted(asked)
    line, certificate = aliased(RegisterLineRow), aliased(CertificateRow)
    place: Any = col(line.place)
    query: Any = select(place, certificate).join(
        certificate, and_(col(certificate.code) == col(line.code), col(certificate.version) == col(line.version))
    )
    if tokens and session.get_bind().dialect.name == "sqlite":
        query = query.join(_FTS, _FTS.c.rowid == place).where(
            _FTS.c.register_fts.op("MATCH")(" AND ".join(_fts5(token) for token in tokens))
        )
        place = _FTS.c.rowid
    elif tokens:
        found = func.to_tsvector(literal_column("'simple'"), col(line.grams))
        words = " & ".join(token.replace("*", ":*") for token in tokens)
        query = query.where(found.op("@@")(func.to_tsquery(literal_column("'simple'"), words)))
    # A run of one or two characters is its own token: whoever has the token has the run.
    query = query.where(*(col(line.text).contains(run) for run in runs if len(run) > 2))
    query = query.where(place < before)
    if wanted.since is not None:
        query = query.where(place >= wanted.since * _SECOND)
    if wanted.until is not None:
        query = query.where(place < wanted.until * _SECOND)
    query = _of_status(query, certificate, wanted.status, at)
    rows = session.execute(query.order_by(place.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]


def lines(session: Session) -> int:
    """How many certificates are published."""
    return session.execute(select(func.count()).select_from(RegisterLineRow)).scalar_one()


def make_index_again(session: Session) -> None:
    """Makes SQLite's index from the lines, so that it keeps nothing of lines that are gone (erasure, repair).

    PostgreSQL's index forgets by the database's own upkeep.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("INSERT INTO register_fts (register_fts) VALUES ('rebuild')"))


def _of_status(query: Select[Any], certificate: type[CertificateRow], status: Status | None, at: int) -> Select[Any]:
    """What a status needs: time alone makes VALID and LAPSED; whatever else ends a certificate was told."""
    match status:
        case None:
            return query
        case Status.VALID:
            return query.where(col(certificate.valid_until) > at)
        case Status.LAPSED | Status.RENEWAL_PENDING:
            return query.where(col(certificate.valid_until) <= at)
        case _:
            told = select(col(ToldRow.code)).where(col(ToldRow.status) == status.value)
            return query.where(col(certificate.code).in_(told))


def _fts5(token: str) -> str:
    return f'"{token[:-1]}"*' if token.endswith("*") else f'"{token}"'


def _kind(kind: AssetKind) -> str:
    return f"k0{kind.value}"


def _right(right: Right) -> str:
    return f"r0{right.value.lower()}"


def _agency(agency: str) -> str:
    return f"a0{agency.lower()}"
