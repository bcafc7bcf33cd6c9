"""Who calls: an API key per party or person. A write is also signed; the key only opens the door.

A key is 32 random bytes shown once; the table keeps a prefix to find it and its SHA-256 to check it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import BigInteger, String
from sqlmodel import Field, Session, SQLModel, select

from api.deps import NowDep, ReadDep
from ledger.facts import Signed


class Unauthorised(Exception):
    """No key, or a key nobody holds."""


class Forbidden(Exception):
    """The key's holder may not do this."""


class ApiKey(SQLModel, table=True):
    """An API key: operational, never a fact; lost on import and issued anew."""

    __tablename__ = "api_key"

    prefix: str = Field(primary_key=True, sa_type=String(12), sa_column_kwargs={"info": {"class": "operational"}})
    sha256: str = Field(sa_type=String(64), sa_column_kwargs={"info": {"class": "operational"}})
    holder: str = Field(sa_type=String(240), index=True, sa_column_kwargs={"info": {"class": "operational"}})
    made_at: int = Field(sa_type=BigInteger, sa_column_kwargs={"info": {"class": "operational"}})
    ended_at: int | None = Field(
        default=None, sa_type=BigInteger, nullable=True, sa_column_kwargs={"info": {"class": "operational"}}
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of the key a request came with: "party:…", "staff:…" or "connector:…"."""

    holder: str


def issue(session: Session, holder: str, *, at: int) -> str:
    """Makes a key for `holder` and returns it; it is not stored and cannot be shown again."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    session.add(ApiKey(prefix=prefix, sha256=_digest(secret), holder=holder, made_at=at))
    return f"sq_{prefix}_{secret}"


_bearer = HTTPBearer(
    scheme_name="api_key", description="接口密钥 sq_… / the API key of a party, person or connector", auto_error=False
)


def caller(
    session: ReadDep, now: NowDep, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """The caller of this request. Raises `Unauthorised`."""
    parts = given.credentials.strip().split("_") if given else []
    if len(parts) != 3 or parts[0] != "sq":
        raise Unauthorised(
            "缺少接口密钥：请求头 Authorization: Bearer sq_…。 / No API key: send Authorization: Bearer sq_…."
        )
    found = session.exec(select(ApiKey).where(ApiKey.prefix == parts[1])).first()
    if found is None or not hmac.compare_digest(found.sha256, _digest(parts[2])) or (found.ended_at or now + 1) <= now:
        raise Unauthorised("接口密钥无效或已停用。 / The API key is unknown or ended.")
    return Caller(found.holder)


CallerDep = Annotated[Caller, Depends(caller)]


def require_own(caller: Caller, signed: Signed) -> None:
    """Raises `Forbidden` unless the caller is one of the signers of what it sends (relaying needs no key of ours)."""
    if caller.holder not in {signature.by for signature in signed.signatures}:
        raise Forbidden(
            f"{caller.holder} 不能提交他人签署的内容。 / {caller.holder} may not send what only others signed."
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
