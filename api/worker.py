"""The worker: who may publish, and when. `api.jobs` says what is done.

Several workers may run; one holds the lease (`ledger.leader`) and works, the others wait for it. Its three loops never
wait for each other: the *sequencer* takes entries into the tree and signs heads, from the database alone; the
*publisher* does what depends on others: timers, deposits, witnesses, the chain; the *caller* brings messages to peers
of the Dataspace Protocol. A hanging node or peer delays no head.

A worker that was stopped, or has lost its lease without noticing, does no harm: every transaction it opens looks
whether the term is still its own (`Duty.require`), and so does every hand that is about to send (`Duty.may_send`).
Waiting is measured on the monotonic clock, because a demonstration's clock stands still.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import delete, insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api import calling, jobs
from api.bootstrap import System
from ledger import incidents, leader, tables
from ledger.chain import Pending
from ledger.errors import LedgerError, NotLeader

logger = structlog.get_logger()

LEASE = "publisher"
INTERVAL = 1
"""Seconds between two rounds of the publisher when no new head calls it earlier."""
MARKET_EVERY = 60
"""Seconds between two looks at the market's shelf; what it will state, every answer says at once."""
WORTH_A_LOOK = 2
"""A transaction that waits for more seconds than this is shown by `shuqing ledger status`."""


class Stopped(LedgerError):
    """The worker was asked to end; what waits is looked at again by the next one."""


class Duty:
    """This worker's claim to the lease, renewed by a thread of its own while the worker lives."""

    def __init__(self, system: System, stop: threading.Event) -> None:
        self._system, self._stop = system, stop
        self._lasts = system.settings.lease_seconds * 1_000
        self._name = f"{platform.node()[:60]}/{os.getpid()}/{secrets.token_hex(4)}"
        self._lease: leader.Lease | None = None
        self._good_until = 0.0
        self._shown: Pending | None = None
        self.leads = threading.Event()
        """Set while the lease is ours."""

    def keep(self) -> None:
        """Claims and renews until the worker stops, then gives the lease back."""
        while not self._stop.is_set():
            try:
                self._renew()
            except NotLeader as error:
                self._lose(str(error))
            except Exception as error:  # whatever it is: a worker that cannot renew loses the lease by time
                logger.warning("lease not renewed, will try again", error=str(error)[:300])
            if self._lease is not None and time.monotonic() > self._good_until:
                self._lose("租约已过期 / the lease ran out")
            self._stop.wait(self._lasts / 3_000 if self._lease else min(self._lasts / 10_000, 1.0))

    def release(self) -> None:
        """Gives the lease back, so that the next worker need not wait."""
        self.leads.clear()
        if self._lease is not None:
            with jobs.transaction(self._system, fenced=False) as session:
                leader.release(session, self._lease)
            self._lease = None

    def require(self, session: Session) -> None:
        lease = self._lease
        if lease is None:
            raise NotLeader(LEASE, "")
        leader.require(session, lease)

    def may_send(self) -> None:
        if time.monotonic() > self._good_until:
            raise NotLeader(LEASE, "")
        with jobs.snapshot(self._system) as session:
            self.require(session)

    def waits(self, pending: Pending | None) -> None:
        if pending is None or pending.seconds <= WORTH_A_LOOK:
            if pending is None and self._shown is not None:
                self._show(self._shown, waiting=False)
            return
        if self._stop.is_set():
            raise Stopped(
                f"停止时交易 {pending.tx} 尚未入块，下次启动将先读取链。"
                f" / Stopped while {pending.tx} was waiting; the chain is read first at the next start."
            )
        if self._shown is None or self._shown.tx != pending.tx:
            self._show(pending, waiting=True)

    def _renew(self) -> None:
        begun = time.monotonic()
        # Looking costs nothing: only a free lease is worth the writers' lock.
        if self._lease is None:
            with jobs.snapshot(self._system) as session:
                held = leader.current(session, LEASE)
            if held is not None and held.until > jobs.wall():
                return
        with jobs.transaction(self._system, fenced=False) as session:
            if self._lease is None:
                lease = leader.claim(session, LEASE, self._name, now=jobs.wall(), lasts=self._lasts)
                if lease is not None:  # what the one before waited for is found by its nonce
                    session.execute(delete(tables.chain_pending))
            else:
                lease = leader.renew(session, self._lease, now=jobs.wall(), lasts=self._lasts)
        if lease is None:
            return
        self._good_until = begun + self._lasts / 1_000
        if self._lease is None:
            logger.info("leads", term=lease.term)
        self._lease = lease
        self.leads.set()

    def _lose(self, why: str) -> None:
        logger.warning("leads no more", why=why)
        self._lease = None
        self.leads.clear()

    def _show(self, pending: Pending, *, waiting: bool) -> None:
        """Puts the waiting transaction where `shuqing ledger status` finds it, or takes it away."""
        table = tables.chain_pending
        with jobs.transaction(self._system) as session:
            session.execute(delete(table).where(table.c.sender == pending.sender))
            if waiting:
                session.execute(
                    insert(table).values(
                        sender=pending.sender,
                        contract=pending.contract,
                        function=pending.function,
                        nonce=pending.nonce,
                        tx=pending.tx,
                        replacements=pending.replacements,
                        since=jobs.wall() - 1_000 * pending.seconds,
                    )
                )
        self._shown = pending if waiting else None


def run(system: System, stop: threading.Event) -> None:
    """Works until `stop` is set: waits for the lease, then sequences and publishes."""
    with on_duty(system, stop) as duty:
        sealed = threading.Event()
        loops = [
            threading.Thread(target=_while_leading, args=(system, duty, stop, name, step), name=name)
            for name, step in (
                ("sequencer", Sequencer(system, sealed, stop).step),
                ("publisher", Publisher(system, sealed).step),
                ("caller", lambda: calling.run(system, stop)),
            )
        ]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()


def once(system: System) -> None:
    """Works until nothing is left to do, once a dead worker's lease has run out. Raises `NotLeader` if a living one
    has it, and what a witness, the chain or a contract refused."""
    stop = threading.Event()
    with on_duty(system, stop) as duty:
        if not duty.leads.wait(2 * system.settings.lease_seconds + 1):
            with jobs.snapshot(system) as session:
                held = leader.current(session, LEASE)
            raise NotLeader(LEASE, held.worker if held else "")
        jobs.timers(system)
        jobs.market_timers(system)
        while not jobs.publish(system).idle:
            pass
        while calling.once(system):
            pass


@contextmanager
def on_duty(system: System, stop: threading.Event) -> Iterator[Duty]:
    """Claims the lease in the background until the block is left; the system's transactions are void without it."""
    duty = Duty(system, stop)
    system.duty = duty
    keeper = threading.Thread(target=duty.keep, name="lease")
    keeper.start()
    try:
        yield duty
    finally:
        stop.set()
        keeper.join()
        duty.release()
        system.duty = None


class Sequencer:
    """Signs a head when `seal_entries` wait, or when the first one has waited for `seal_milliseconds`."""

    def __init__(self, system: System, sealed: threading.Event, stop: threading.Event) -> None:
        self._system, self._sealed, self._stop = system, sealed, stop
        self._first: float | None = None
        self._pause = max(system.settings.seal_milliseconds / 10_000, 0.01)

    @property
    def waiting(self) -> bool:
        """Did entries wait when last looked at?"""
        return self._first is not None

    def step(self) -> int:
        """Looks once; signs a head, or waits a moment. Answers the head's size, or 0."""
        settings = self._system.settings
        entries = jobs.unsealed(self._system, settings.seal_entries)
        now = time.monotonic()
        if not entries:
            self._first = None
        elif self._first is None:
            self._first = now
        due = self._first is not None and 1_000 * (now - self._first) >= settings.seal_milliseconds
        if not due and entries < settings.seal_entries:
            self._stop.wait(self._pause)
            return 0
        self._first = None
        _, size = jobs.sequence(self._system)
        self._sealed.set()
        return size


class Publisher:
    """One round a second, or as soon as a head is sealed: timers, deposits, witnesses, chain. One failing step keeps
    no other from its turn."""

    def __init__(self, system: System, sealed: threading.Event) -> None:
        self._system, self._sealed = system, sealed
        self._market_at = 0.0

    def step(self) -> None:
        """One round."""
        self._sealed.clear()
        self._attempt("timers", lambda: jobs.timers(self._system))
        if time.monotonic() >= self._market_at:
            self._market_at = time.monotonic() + MARKET_EVERY
            self._attempt("market", lambda: jobs.market_timers(self._system))
        self._attempt("deposits", lambda: jobs.deposits(self._system))
        done = self._attempt("relay", lambda: jobs.relay(self._system))
        if isinstance(done, jobs.Round) and not done.idle:
            logger.info("published", witnesses=done.witnesses, anchored=done.anchored, written=done.written)
        self._sealed.wait(INTERVAL)

    def _attempt(self, name: str, work: Callable[[], object]) -> object:
        try:
            done = work()
        except (NotLeader, Stopped, SQLAlchemyError):
            raise
        except Exception as error:  # of any package: the next step and the next round go on
            logger.warning("step failed, will try again", step=name, error=str(error)[:1000])
            if name != "relay":  # which reports for itself
                jobs.report(self._system, name, error)
            return None
        if name != "relay":
            jobs.put_right(self._system, {(incidents.FAILED, name)})
        return done


def _while_leading(system: System, duty: Duty, stop: threading.Event, name: str, step: Callable[[], object]) -> None:
    """Runs a loop's steps while the lease is ours. Whatever happens in one is said and the loop goes on: a worker that
    ended here would stop everything else too."""
    while not stop.is_set():
        if not duty.leads.wait(0.2):
            continue
        try:
            step()
        except (NotLeader, Stopped) as error:
            logger.info("step given up", loop=name, why=str(error))
            stop.wait(0.2)
        except Exception as error:
            logger.exception("loop failed, will try again", loop=name, error=str(error)[:1000])
            stop.wait(INTERVAL)
