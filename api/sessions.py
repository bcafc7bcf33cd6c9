"""Who looks at the office pages: a browser proves its key once, then holds a cookie for a while.

The browser signs a challenge of ours with the key on record (SM2 over the message of decisions D13, kind "login/v1",
which no service takes in as a fact); the key itself never comes here. A session is 32 random bytes in a cookie no
script can read; the table keeps their SHA-256. What is written through a cookie must also carry a token that only our
own pages know and must come from our own address.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from sqlalchemy import BigInteger, Column, String
from sqlmodel import Field, Session, SQLModel, col, delete, select

from api.bootstrap import System
from api.deps import ReadDep, SystemDep
from ledger.errors import BadSignature, LedgerError
from ledger.facts import SM2, Signed, Statement
from ledger.signing import verify_sm2
from registry import signers
from registry import store as registry
from registry.errors import RegistryError

COOKIE = "sq_session"
KIND = "login/v1"
CHALLENGE_SECONDS = 300
IDLE_SECONDS = 30 * 60
LONGEST_SECONDS = 12 * 3600
SAFE = frozenset({"GET", "HEAD"})


class NotLoggedIn(Exception):
    """No session, or one that has ended."""


class Forged(Exception):
    """A write came with a cookie but not from our own page."""


def _column(type_: Any, *, key: bool = False, index: bool = False, unique: bool = False) -> Any:
    info = {"class": "operational"}
    return Field(sa_column=Column(type_, primary_key=key, index=index, unique=unique, nullable=False, info=info))


class WebSession(SQLModel, table=True):
    """A browser session: operational, never a fact. `nonce` is the challenge it answered, so none is answered twice;
    times are seconds of the machine's clock, because a demonstration's clock stands still."""

    __tablename__ = "web_session"

    sha256: str = _column(String(64), key=True)
    nonce: str = _column(String(32), unique=True)
    holder: str = _column(String(240), index=True)
    sm2: str = _column(String(130))
    made_at: int = _column(BigInteger)
    ends_at: int = _column(BigInteger)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is logged in: `holder` "party:…" or "staff:…", in which roles and for which organisation, under what name.

    `csrf` is the token that forms and scripts of this session send back; `left` the seconds until it ends unused.
    """

    holder: str
    organisation: str
    roles: frozenset[str]
    name: str
    csrf: str
    left: int

    @property
    def is_staff(self) -> bool:
        return self.holder.startswith("staff:")


def wall() -> int:
    """Seconds of the machine's clock: for sessions only, never for facts."""
    return int(time.time())


def challenge(system: System, by: str, site: str) -> Statement:
    """What the browser is to sign: who, at which address, a fresh nonce, until when; ours by its `mac`."""
    nonce, ends = secrets.token_hex(16), wall() + CHALLENGE_SECONDS
    body = {"by": by, "ends": ends, "mac": _mac(system, by, site, nonce, ends), "site": site}
    return Statement(KIND, f"login:{nonce}", 0, None, body)


def log_in(session: Session, system: System, signed: Signed, site: str, *, at: int) -> str:
    """Opens a session for whoever answered our challenge with the key on record; returns the cookie's value.

    Raises `BadSignature`, or what `keys_of` raises.
    """
    statement, body = signed.statement, signed.statement.body
    by, ends, nonce = str(body.get("by")), body.get("ends"), statement.subject.removeprefix("login:")
    ours = (
        statement.kind == KIND
        and set(body) == {"by", "ends", "mac", "site"}
        and body["site"] == site
        and type(ends) is int
        and hmac.compare_digest(str(body["mac"]).encode(), _mac(system, by, site, nonce, ends).encode())
    )
    if not ours:
        raise BadSignature(by, "不是本站发出的登录请求 / not a challenge of this site")
    if wall() >= int(ends or 0):
        raise BadSignature(by, "登录请求已过期，请重新登录 / the challenge has expired, log in again")
    key = signers.keys_of(session, by, at).sm2
    given = [item for item in signed.signatures if item.by == by and item.alg == SM2 and item.key == key]
    if len(signed.signatures) != 1 or not given or not verify_sm2(statement, given[0]):
        raise BadSignature(by, "不是登记在案的钥匙所签 / not signed with the key on record")
    now, token = wall(), secrets.token_hex(32)
    session.exec(delete(WebSession).where(col(WebSession.ends_at) <= now - CHALLENGE_SECONDS))
    if session.exec(select(WebSession).where(WebSession.nonce == nonce)).first() is not None:
        raise BadSignature(by, "登录请求已用过，请重新登录 / the challenge was used already, log in again")
    session.add(
        WebSession(
            sha256=_digest(token), nonce=nonce, holder=by, sm2=key, made_at=now, ends_at=now + IDLE_SECONDS
        )
    )  # fmt: skip
    session.flush()
    return token


def extend(session: Session, request: Request) -> None:
    """Lets the session of this request run on; at most `LONGEST_SECONDS` in all."""
    row = session.get(WebSession, _digest(request.cookies.get(COOKIE, "")))
    if row is not None and row.ends_at > wall():
        row.ends_at = min(wall() + IDLE_SECONDS, row.made_at + LONGEST_SECONDS)


def end(session: Session, request: Request) -> None:
    """Ends the session of this request. Its row stays until the challenge it answered could not be used again."""
    row = session.get(WebSession, _digest(request.cookies.get(COOKIE, "")))
    if row is not None:
        row.ends_at = min(row.ends_at, wall())


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Not readable by scripts, never sent along from another site, over TLS only where there is TLS."""
    response.set_cookie(
        COOKIE, token, max_age=LONGEST_SECONDS, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def site_of(request: Request) -> str:
    """The address under which the browser knows us, "https://host"."""
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


def visitor_of(session: Session, request: Request, at: int) -> Visitor | None:
    """Who is logged in, or `None`. A session ends at once when its key is replaced or its holder dismissed."""
    token = request.cookies.get(COOKIE, "")
    row = session.get(WebSession, _digest(token)) if token else None
    if row is None or row.ends_at <= wall():
        return None
    try:
        if signers.keys_of(session, row.holder, at).sm2 != row.sm2:
            return None
    except (RegistryError, LedgerError):
        return None
    kind, _, identity = row.holder.partition(":")
    csrf, left = _csrf(token), row.ends_at - wall()
    if kind == "staff":
        staff = registry.staff_at(session, identity, at)
        return Visitor(row.holder, staff.organisation, frozenset(staff.roles.split()), identity, csrf, left)
    if kind == "party":
        party = registry.party_at(session, identity, at)
        return Visitor(row.holder, identity, frozenset(party.roles.split()), party.name, csrf, left)
    return None


def require_own_page(request: Request, token: str) -> None:
    """Raises `Forged` unless a write comes from our own address with the session's own token."""
    origin = request.headers.get("origin", "")
    own = not origin or urlsplit(origin).netloc == request.headers.get("host", "")
    foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    expected = _csrf(request.cookies.get(COOKIE, ""))
    if not own or foreign or not hmac.compare_digest(token.encode(), expected.encode()):
        raise Forged(
            "请求不是从本站页面发出的，或页面已过期，请刷新后重试。"
            " / The request did not come from a page of this site, or the page is out of date; reload it."
        )


def visitor(request: Request, session: ReadDep, system: SystemDep) -> Visitor | None:
    """Who is logged in, or nobody."""
    return visitor_of(session, request, system.clock())


VisitorDep = Annotated[Visitor | None, Depends(visitor)]


def holder(found: VisitorDep) -> Visitor:
    """Who is logged in. Raises `NotLoggedIn`."""
    if found is None:
        raise NotLoggedIn("请先登录，或登录已结束。 / Please log in; there is no session, or it has ended.")
    return found


HolderDep = Annotated[Visitor, Depends(holder)]


def script_writer(request: Request, found: HolderDep) -> Visitor:
    """Who is logged in, for a write that our script sends with the token as a header. Raises `Forged`."""
    require_own_page(request, request.headers.get("x-csrf-token", ""))
    return found


ScriptDep = Annotated[Visitor, Depends(script_writer)]


def _mac(system: System, by: str, site: str, nonce: str, ends: int) -> str:
    text = "\n".join((KIND, by, site, nonce, str(ends)))
    return hmac.new(system.office.secret, text.encode(), hashlib.sha256).hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _csrf(token: str) -> str:
    return hashlib.sha256(b"csrf\x00" + token.encode()).hexdigest()
