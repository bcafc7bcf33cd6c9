"""Runs imports beside the requests: in one thread of the server, or in the command. Killed anywhere, run again.

Each chunk of rows is one transaction: its drafts and the counters together, so a row is whole or not there, and other
writers have their turn between two chunks. Whoever runs an import holds a lock on its folder, which the system lets go
of when the process dies; so nobody runs the same import twice at once, and whoever looks at a stopped one carries on.
"""

from __future__ import annotations

import atexit
import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue

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


class _Stopped(Exception):
    """The process is about to end; the import stays as it is, to be carried on."""


class Importer:
    """Runs imports one after another in a thread of this process, which stops between two chunks when that ends."""

    PATIENCE = 10
    """Seconds the end of the process waits for the chunk that is being written."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._wanted: SimpleQueue[str] = SimpleQueue()
        self._known = set[str]()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, identity: str) -> None:
        """Sees to it that this import is run: soon, if it has not ended and nobody else runs it."""
        with self._lock:
            if identity in self._known:
                return
            self._known.add(identity)
            self._wanted.put(identity)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="import", daemon=True)
                self._thread.start()
                atexit.register(self.stop)

    def stop(self) -> None:
        """Stops after the chunk being written; what is left is carried on by whoever looks at it next."""
        self._stop.set()
        self._wanted.put("")
        if self._thread is not None:
            self._thread.join(self.PATIENCE)

    def _work(self) -> None:
        while not self._stop.is_set():
            identity = self._wanted.get()
            if identity:
                try:
                    run(self._system, identity, stop=self._stop)
                except Exception:
                    logger.exception("import failed", id=identity)
                with self._lock:
                    self._known.discard(identity)


def run(system: System, identity: str, tell: Tell | None = None, stop: threading.Event | None = None) -> None:
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
            _import(system, identity, name, holder, _between(tell, stop))
        except _Stopped:
            return
        except FileRefused as refused:
            _end(system, identity, refused=str(refused))
        except Exception:
            _end(system, identity, refused="平台内部错误，请重新上传。 / A fault of ours: upload the file again.")
            raise


def _between(tell: Tell | None, stop: threading.Event | None) -> Tell:
    """What is done after each chunk."""

    def after(done: int, total: int) -> None:
        if tell is not None:
            tell(done, total)
        if stop is not None and stop.is_set():
            raise _Stopped

    return after


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
