"""Erasing facts from an installation: the texts, the views that told of them, and what the database file still held."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from api import checks, jobs
from api.bootstrap import System
from ledger import erasure, rebuild, store
from ledger.errors import StillNeeded
from ledger.facts import Fact
from registry.case import MOVE
from registry.certificate import DEPOSIT_RECEIPT, ENTRY, ISSUED
from registry.errors import GuardRefused
from registry.form import SUBMITTED
from registry.objection import OBJECTION
from registry.retention import store as retention
from registry.search import store as search


def erase(system: System, fact_ids: Sequence[str], *, ground: str, basis: str, ordered_by: str) -> list[Fact]:
    """Erases these published facts together under one ground; all of them or none.

    The views are made again from what is left, so that they neither keep a word of it nor differ from a later reindex.
    Raises `StillNeeded` if they cannot be, or if a sum that was counted cannot be recomputed without it: what
    statements count lives as long as they do (decisions D12). Raises what `ledger.erasure.erase` raises.
    """
    with jobs.transaction(system) as session:
        for fact_id in fact_ids:
            _require_approved(session, fact_id)
        if session.get_bind().dialect.name == "sqlite":
            session.connection().exec_driver_sql("PRAGMA secure_delete=ON")
        erased = [
            erasure.erase(
                session,
                fact_id,
                ground=ground,
                basis=basis,
                ordered_by=ordered_by,
                signer=system.operator.signer,
                at=system.clock(),
            )
            for fact_id in fact_ids
        ]
        _make_views_again(system, session)
    _empty_write_ahead_log(system)
    return erased


REGISTRATION = frozenset(
    {SUBMITTED, MOVE, OBJECTION, DEPOSIT_RECEIPT, ENTRY, ISSUED, "certificate-status/v1", "agency-exit/v1"}
)
"""Kinds whose texts go only after two persons approved it (guide art. 10(二); registration.md C20)."""


def _require_approved(session: Session, fact_id: str) -> None:
    fact = store.fact(session, fact_id)
    if fact.kind in REGISTRATION and retention.approval(session, fact_id) is None:
        raise GuardRefused(
            "擦除", "two_persons_approved", f"{fact.kind} 的删除须有两人批准（deletion-approval/v1）。",
            "two persons must have approved the deletion of a registration fact",
        )  # fmt: skip


def _make_views_again(system: System, session: Session) -> None:
    rebuild.clear_views(session)
    try:
        rebuild.fold(session, session, system.projectors)
    except Exception as error:  # a projector that misses what it builds on raises whatever it likes
        raise StillNeeded(f"{type(error).__name__} {error}"[:300]) from error
    search.make_index_again(session)
    missing = checks.findings(system, session, checks.settled)
    if missing:
        raise StillNeeded(missing[0])


def _empty_write_ahead_log(system: System) -> None:
    """The texts stand in SQLite's write-ahead log until it is written back; elsewhere the database's own upkeep
    (PostgreSQL: VACUUM, its WAL, backups) is the administrator's."""
    if system.engine.dialect.name == "sqlite":
        connection = system.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
