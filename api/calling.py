"""Calling a peer of the Dataspace Protocol back: what one side said is brought to the address the other one named.

Called is only who the operator has listed, and only under the addresses listed for it (`Settings.dataspace_peers`).
Messages go in their order, each until the peer has taken it: no answer or a server's error is tried again, ever more
seldom, for about a day; a refusal a few times, for the peer may not have noted yet what it said itself, and then it
stands. A message may come twice, when this process dies between the call and the note of it. No transaction is open
while a peer is asked.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from sqlalchemy import BigInteger, Column, Integer, String, and_, func, select
from sqlmodel import Field, Session, SQLModel, col

from api import dsp, jobs, keyfiles
from api.bootstrap import System
from api.settings import PeerSettings
from clearing.market.negotiation import store, tables
from clearing.market.negotiation.dataspace import is_below
from clearing.market.negotiation.message import BRINGS, Message, Side, message_of
from ledger import store as ledger
from ledger.errors import Erased, FieldError

logger = structlog.get_logger()

TIMEOUT = 5
"""Seconds a peer has to answer."""
INTERVAL = 0.5
"""Seconds between two looks at what is due."""
LONGEST = 3_600_000
"""Milliseconds between two tries at most; they begin at one second and double."""
TRIES = 36
"""After so many tries without an answer a message is left; the peer may still ask for the state."""
REFUSALS = 4
"""After so many refusals (HTTP 3xx, 4xx) it is left too."""
AT_ONCE = 50
"""Peers called in one round."""
SIDE_BY_SIDE = 8
"""Of them at the same time, so that one who hangs keeps few waiting."""


def _column(type_: Any, *, key: bool = False) -> Any:
    info = {"class": "operational"}
    return Field(sa_column=Column(type_, primary_key=key, nullable=False, info=info, autoincrement=False))


class PeerCall(SQLModel, table=True):
    """Where a side of a negotiation is called: `done` messages of both sides were dealt with; the next is tried at
    `due` (milliseconds UTC) for the `tries`-th time; `answer` is what the last call came to."""

    __tablename__ = "dataspace_call"
    negotiation: str = _column(String(64), key=True)
    side: str = _column(String(8), key=True)
    address: str = _column(String(500))
    done: int = _column(Integer)
    tries: int = _column(Integer)
    due: int = _column(BigInteger)
    answer: str = _column(String(200))


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is due: what is posted where; `url` is "" for a message that is not brought to this side, and
    `fault` what keeps it from being brought now."""

    negotiation: str
    side: str
    done: int
    tries: int
    url: str
    document: dict[str, Any]
    authorization: str
    fault: str = ""


def listen(session: Session, system: System, negotiation: str, side: Side, party: str, address: str) -> None:
    """From now on this side of the negotiation is called at `address`, if the operator has listed it there."""
    if not 0 < len(address) <= 500 or _peer(system, party, address) is None:
        return
    if session.get(PeerCall, (negotiation, side.value)) is None:
        row = PeerCall(
            negotiation=negotiation, side=side.value, address=address.rstrip("/"), done=0, tries=0, due=0, answer=""
        )
        session.add(row)


def run(system: System, stop: threading.Event) -> int:
    """One look: makes the calls that are due; waits a moment if there are none. Answers how many messages were dealt
    with."""
    done = once(system)
    if not done:
        stop.wait(INTERVAL)
    return done


def once(system: System) -> int:
    """Makes the calls that are due now, one message for each peer."""
    with jobs.snapshot(system) as session:
        calls = [_call(session, system, row) for row in _due(session, jobs.wall())]
    dealt = 0
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        answers = list(pool.map(_post, calls))
    for call, (allowed, answer) in zip(calls, answers, strict=True):
        over = call.tries + 1 >= allowed
        if answer:
            logger.info("called back", negotiation=call.negotiation, side=call.side, over=over, answer=answer)
        with jobs.transaction(system) as session:
            row = session.get(PeerCall, (call.negotiation, call.side))
            if row is None or row.done != call.done:
                continue
            row.answer = answer or row.answer
            if over:
                row.done, row.tries, row.due = call.done + 1, 0, 0
                dealt += 1
            else:
                row.tries = call.tries + 1
                row.due = jobs.wall() + min(1_000 << call.tries, LONGEST)
            session.add(row)
    return dealt


# Inside ---------------------------------------------------------------------------------------------------------------


def _peer(system: System, party: str, address: str) -> PeerSettings | None:
    """The listed peer this address belongs to."""
    for peer in system.settings.dataspace_peers:
        if peer.uscc == party and is_below(address, peer.url):
            return peer
    return None


def _due(session: Session, now: int) -> list[PeerCall]:
    """Sides with a message they were not told of, whose time has come."""
    said = tables.message
    newer = and_(said.c.negotiation == col(PeerCall.negotiation), said.c.no >= col(PeerCall.done))
    query = (
        select(PeerCall)
        .where(col(PeerCall.due) <= now, select(func.count()).where(newer).scalar_subquery() > 0)
        .order_by(col(PeerCall.due), col(PeerCall.negotiation))
        .limit(AT_ONCE)
    )
    return list(session.scalars(query))


def _call(session: Session, system: System, row: PeerCall) -> Call:
    negotiation = store.negotiation(session, row.negotiation)
    fact = store.messages_of(session, row.negotiation)[row.done]
    body = message_of(fact.statement)
    party = negotiation.consumer if row.side == Side.CONSUMER else negotiation.provider
    peer = _peer(system, party, row.address)
    made = None
    if body.side != row.side and peer is not None:
        try:
            proposal = fact.id if body.message in BRINGS else negotiation.proposal
            brings = body.message in BRINGS or body.message is Message.AGREEMENT
            document = store.proposal_of(session, proposal)[2] if brings else None
            made = dsp.message(negotiation, fact, body, document, ledger.parts_of(session, fact.id))
        except Erased:  # what was erased is told to nobody
            made = None
    url, document_ = (row.address + made[0], made[1]) if made is not None else ("", {})
    authorization, fault = "", ""
    if peer is not None and peer.authorization is not None:
        try:
            authorization = keyfiles.token(system.settings.path(peer.authorization))
        except (OSError, ValueError, FieldError) as error:
            fault = f"{type(error).__name__}: {error}"[:200]
    return Call(row.negotiation, row.side, row.done, row.tries, url, document_, authorization, fault)


def _post(call: Call) -> tuple[int, str]:
    """After how many tries such an answer ends the matter, and the answer. Redirections are not followed: they lead
    where nobody listed."""
    if not call.url:
        return 1, ""
    if call.fault:
        return TRIES, call.fault
    headers = {"Authorization": call.authorization} if call.authorization else {}
    try:
        with httpx.stream(
            "POST", call.url, json=call.document, headers=headers, timeout=TIMEOUT, trust_env=False
        ) as answer:
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return TRIES, f"{type(error).__name__}: {error}"[:200]
    if 200 <= status < 300:
        return 1, f"HTTP {status}"
    return TRIES if status >= 500 or status in (408, 429) else REFUSALS, f"HTTP {status}"
