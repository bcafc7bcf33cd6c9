"""What a route may ask for, and the one place where a request's work is committed.

`session` is declared with `scope="function"`: FastAPI then leaves it *before* the answer is sent, so a commit that
fails can never be answered with 2xx (decisions D1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel import Session

from api.bootstrap import System


def system(request: Request) -> System:
    """The installation this application serves."""
    found: System = request.app.state.system
    return found


SystemDep = Annotated[System, Depends(system)]


def write_session(system: SystemDep) -> Iterator[Session]:
    """One transaction, committed when the route has returned and before anything is answered."""
    with Session(system.engine) as session:
        yield session
        session.commit()


def read_session(system: SystemDep) -> Iterator[Session]:
    """A snapshot to read from; nothing written through it is kept."""
    with Session(system.reader) as session:
        yield session


WriteDep = Annotated[Session, Depends(write_session, scope="function")]
ReadDep = Annotated[Session, Depends(read_session, scope="function")]


def now(system: SystemDep) -> int:
    """The second at which the request is taken in."""
    return system.clock()


NowDep = Annotated[int, Depends(now)]
