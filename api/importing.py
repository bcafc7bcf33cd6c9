"""Runs imports beside the requests: in one thread of the server, or in the command. Killed anywhere, run again.

Each chunk of rows is one transaction: its drafts and the counters together, so a row is whole or not there, and other
writers have their turn between two chunks. Whoever runs an import holds a lock on its folder, which the system lets go
of when the process dies; so nobody runs the same import twice at once, and whoever looks at a stopped one carries on.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import structlog

from api import jobs, sealed
from api.bootstrap import System
from registry.errors import FileRefused
from registry.intake import service, store
from registry.intake.rows import Fault, House, rows_of
from registry.intake.service import ImportState
from registry.intake.sheets import Book, read_book
from registry.intake.workbook import errors_xlsx

logger = structlog.get_logger()

CHUNK = 250
"""Rows written in one transaction."""
ENDS = frozenset({ImportState.DONE.value, ImportState.REFUSED.value})

Tell = Callable[[int, int], None]
"""Told how many rows of how many are done."""


class Importer:
    """Runs imports one after another in a thread of this process."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="import")

    def start(self, identity: str) -> None:
        """Sees to it that this import is run: soon, if it has not ended and nobody else runs it."""
        self._pool.submit(self._run, identity)

    def _run(self, identity: str) -> None:
        try:
            run(self._system, identity)
        except Exception:
            logger.exception("import failed", id=identity)


def run(system: System, identity: str, tell: Tell = lambda _done, _total: None) -> None:
    """Runs an import to its end, unless it has ended or somebody runs it. Raises `Unknown`."""
    with _alone(system, identity) as alone:
        if not alone:
            return
        with jobs.snapshot(system) as session:
            row = store.import_(session, identity)
            if row.state in ENDS:
                return
            name, holder = row.name, row.holder
        try:
            _import(system, identity, name, holder, tell)
        except FileRefused as refused:
            _end(system, identity, refused=str(refused))
        except Exception:
            _end(system, identity, refused="平台内部错误，请重新上传。 / A fault of ours: upload the file again.")
            raise


@dataclass(frozen=True, slots=True)
class _Job:
    identity: str
    name: str
    holder: str
    book: Book
    house: House


def _import(system: System, identity: str, name: str, holder: str, tell: Tell) -> None:
    home, source = system.settings.home, sealed.import_file(system.settings.home, identity, "source")
    if not source.exists():
        raise FileRefused(name, "上传的文件已不在，请重新上传", "the uploaded file is gone; upload it again")
    book = read_book(name, sealed.read(home, source, name))
    with jobs.snapshot(system) as session:
        papers = store.papers_by_name(session, holder)
    house = House(system.settings.agency, system.house.scheme, holder, papers)
    faults = _write(system, _Job(identity, name, holder, book, house), tell)
    errors = sealed.import_file(home, identity, "errors")
    if faults:
        sealed.write(home, errors, errors_xlsx(book, faults))
    else:
        errors.unlink(missing_ok=True)
    _end(system, identity)


def _write(system: System, job: _Job, tell: Tell) -> list[Fault]:
    rows, total, done = rows_of(job.name, job.book, job.house), len(job.book.applications), 0
    faults: list[Fault] = []
    first = True
    while chunk := list(islice(rows, CHUNK)):
        at = system.clock()
        judged = [service.judge(system.house, job.holder, row, at) for row in chunk]
        with jobs.transaction(system) as session:
            if first:
                service.begin_import(session, job.identity, total, at=at)
            service.write_rows(session, job.identity, job.holder, judged, at=at)
        first = False
        faults.extend(fault for item in judged for fault in item.faults)
        done += len(chunk)
        tell(done, total)
    return faults


def _end(system: System, identity: str, *, refused: str = "") -> None:
    """Ends the import and, after that is stored, throws the uploaded file away: it holds personal data."""
    with jobs.transaction(system) as session:
        service.end_import(session, identity, at=system.clock(), refused=refused)
    sealed.import_file(system.settings.home, identity, "source").unlink(missing_ok=True)


@contextmanager
def _alone(system: System, identity: str) -> Iterator[bool]:
    """True if nobody else runs this import now."""
    lock = sealed.import_file(system.settings.home, identity, "lock")
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
