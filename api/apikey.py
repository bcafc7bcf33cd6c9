"""API keys: who holds one, made, looked up and ended. Those who ask by HTTP come to `auth`.

A key is 32 random bytes shown once; the table keeps a prefix to find it and its SHA-256 to check it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import BigInteger, String, bindparam, inspect, select
from sqlmodel import Field, Session, SQLModel


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


# Made once, and no object of the mapper: a stream of single records asks for hundreds of keys a second.
_KEY = inspect(ApiKey).local_table
_KEY_OF = select(_KEY.c.sha256, _KEY.c.holder, _KEY.c.ended_at).where(_KEY.c.prefix == bindparam("prefix"))


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of the key a request came with: "party:…", "staff:…" or "connector:…"; `by_session`: logged in."""

    holder: str
    by_session: bool = False


def issue(session: Session, holder: str, *, at: int) -> str:
    """Makes a key for `holder` and returns it; it is not stored and cannot be shown again."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    session.add(ApiKey(prefix=prefix, sha256=digest_of(secret), holder=holder, made_at=at))
    return f"sq_{prefix}_{secret}"


def caller_of(session: Session, key: str, now: int) -> Caller:
    """The holder of this API key. Raises `Unauthorised`."""
    parts = key.strip().split("_")
    if len(parts) != 3 or parts[0] != "sq":
        raise Unauthorised(
            "缺少接口密钥：请求头 Authorization: Bearer sq_…。 / No API key: send Authorization: Bearer sq_…."
        )
    found = session.execute(_KEY_OF, {"prefix": parts[1]}).first()
    if (
        found is None
        or not hmac.compare_digest(found.sha256, digest_of(parts[2]))
        or (found.ended_at or now + 1) <= now
    ):
        raise Unauthorised("接口密钥无效或已停用。 / The API key is unknown or ended.")
    return Caller(found.holder)


def digest_of(secret: str) -> str:
    """What is stored in place of a key's secret, and what a kept answer is found by in place of the key."""
    return hashlib.sha256(secret.encode()).hexdigest()
