"""Who calls: an API key per party or person. A write is also signed; the key only opens the door."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from sqlmodel import Session

from api import sessions
from api.apikey import Caller, Forbidden, caller_of, digest_of
from api.deps import NowDep, ReadDep, SystemDep
from ledger.facts import Signed
from registry import store as registry
from registry.errors import Unknown
from registry.party import connector_subject, party_subject

Question = TypeVar("Question")
Answer = TypeVar("Answer")


_bearer = HTTPBearer(
    scheme_name="api_key", description="接口密钥 sq_… / the API key of a party, person or connector", auto_error=False
)


def caller(
    request: Request,
    session: ReadDep,
    now: NowDep,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The caller of this request: by API key, or by the session of our own pages. Raises `Unauthorised`, `Forged`."""
    found = sender(request, session, now, given)
    if found.by_session and request.method not in sessions.SAFE:
        sessions.require_own_page(request, request.headers.get("x-csrf-token", ""))
    return found


def sender(
    request: Request,
    session: ReadDep,
    now: NowDep,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """As `caller`, for a form with a file: its token is among its fields, and whoever reads them asks for it."""
    if given is None and "Authorization" not in request.headers:
        visitor = sessions.visitor_of(session, request, now)
        if visitor is not None:
            return Caller(visitor.holder, by_session=True)
    return caller_of(session, given.credentials if given else "", now)


CallerDep = Annotated[Caller, Depends(caller)]
SenderDep = Annotated[Caller, Depends(sender)]


def _operator(caller: CallerDep, system: SystemDep) -> Caller:
    """Only the operator's own key drives a cycle and answers for its records."""
    if caller.holder != f"party:{system.settings.operator}":
        raise Forbidden("只有平台运营方可以办理。 / Only the operator may do this.")
    return caller


OperatorDep = Annotated[Caller, Depends(_operator)]


def key_of(request: Request) -> str:
    """The API key a request came with, as `caller` would read it, or ""."""
    return key_in(request.headers.get("Authorization", ""))


def key_in(authorization: str) -> str:
    """The API key in the header of that name, or ""."""
    scheme, _, key = authorization.partition(" ")
    return key if scheme.lower() == "bearer" else ""


def require_reporter(session: Session, caller: Caller, connector: str, *, at: int) -> None:
    """Raises `Unknown`, or `Forbidden` unless the caller is the connector or its owner at `at`."""
    owner = registry.connector_at(session, connector, at).owner
    if caller.holder not in (connector_subject(connector), party_subject(owner)):
        raise Forbidden(f"{caller.holder} 不能代连接器 {connector} 报送。 / It may not report for this connector.")


class Known(Generic[Question, Answer]):
    """What the database answered less than a second ago, so that a stream of requests does not ask for each of them.

    An ended key is therefore refused within a second. Refusals are not kept: whatever makes them good counts at once.
    `name` is what a question is kept under.
    """

    SECONDS, MOST = 1, 10_000

    def __init__(
        self,
        engine: Engine,
        look: Callable[[Session, Question], Answer],
        name: Callable[[Question], Hashable] = lambda question: question,
    ) -> None:
        self._engine, self._look, self._name = engine, look, name
        self._kept: dict[Hashable, tuple[float, Answer]] = {}

    async def get(self, question: Question) -> Answer:
        """The answer of `look`, which is run in a thread when it must be. Raises what it raises."""
        name, asked = self._name(question), time.monotonic()
        kept = self._kept.get(name)
        if kept is not None and asked - kept[0] < self.SECONDS:
            return kept[1]
        answer = await run_in_threadpool(self._ask, question)
        if len(self._kept) >= self.MOST:
            self._kept.clear()
        self._kept[name] = (asked, answer)
        return answer

    def _ask(self, question: Question) -> Answer:
        with Session(self._engine) as session:
            return self._look(session, question)


def callers(engine: Engine, clock: Callable[[], int]) -> Known[str, Caller]:
    """Callers by API key; kept under its digest, never the key itself."""
    return Known(engine, lambda session, key: caller_of(session, key, clock()), digest_of)


def reporters(engine: Engine, clock: Callable[[], int]) -> Known[tuple[Caller, str], None]:
    """Who may report for which connector: asked with (caller, connector). Raises as `require_reporter`."""
    return Known(engine, lambda session, pair: require_reporter(session, *pair, at=clock()))


def require_own(caller: Caller, signed: Signed) -> None:
    """Raises `Forbidden` unless the caller is one of the signers of what it sends (relaying needs no key of ours)."""
    if caller.holder not in {signature.by for signature in signed.signatures}:
        raise Forbidden(
            f"{caller.holder} 不能提交他人签署的内容。 / {caller.holder} may not send what only others signed."
        )


def organisation_of(session: Session, caller: Caller, now: int) -> str:
    """The organisation the caller is or works for; a connector asks for nobody. Raises `Forbidden`."""
    kind, _, name = caller.holder.partition(":")
    if kind == "party":
        return name
    if kind == "staff":
        try:
            return registry.staff_at(session, name, now).organisation
        except Unknown:
            pass
    raise Forbidden("只给当事方及其人员查看。 / Only parties and their staff may look.")
