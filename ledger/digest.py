"""Every byte string has two digests, SHA-256 for the wide ecosystem and SM3 (GB/T 32905) for 国密; both must match.

The leaf that enters a tree binds both at once (decisions D5): tag ‖ SHA-256 ‖ SM3, identical in both trees.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ledger.errors import FieldError, OneSided, WrongChain

LEAF_TAG = b"shuqing/leaf/v1\x00"
try:
    _SM3 = hashlib.new("sm3")
except ValueError as _missing:
    raise WrongChain(
        "本机 Python 所用的 OpenSSL 不提供 SM3，不能启动。 / The OpenSSL of this Python has no SM3; nothing can start."
    ) from _missing


@dataclass(frozen=True, slots=True, order=True)
class TwinDigest:
    """SHA-256 and SM3 of the same bytes, 32 bytes each."""

    sha256: bytes
    sm3: bytes

    def __post_init__(self) -> None:
        if len(self.sha256) != 32 or len(self.sm3) != 32:
            raise FieldError(
                "digest", "两个 32 字节摘要 / two digests of 32 bytes", f"{len(self.sha256)}+{len(self.sm3)}"
            )

    def document(self) -> dict[str, str]:
        """The form used inside canonical documents: lower-case hex."""
        return {"sha256": self.sha256.hex(), "sm3": self.sm3.hex()}

    @classmethod
    def of_document(cls, value: Any, field: str = "digest") -> TwinDigest:
        """Reads `{"sha256": hex, "sm3": hex}`. Raises `FieldError`."""
        if isinstance(value, dict) and set(value) < {"sha256", "sm3"}:
            raise OneSided(field, "SHA-256 与 SM3 / SHA-256 and SM3", f"只有 / only: {', '.join(value) or '—'}")
        if not isinstance(value, dict) or set(value) != {"sha256", "sm3"}:
            raise FieldError(field, '{"sha256": …, "sm3": …}', repr(value)[:80])
        return cls(hex32(value["sha256"], f"{field}.sha256"), hex32(value["sm3"], f"{field}.sm3"))


def hex32(text: Any, field: str) -> bytes:
    """32 bytes from exactly 64 lower-case hex characters. Raises `FieldError`."""
    if not is_hex(text, 64):
        raise FieldError(field, "64 位小写十六进制 / 64 lower-case hex characters", repr(text)[:80])
    return bytes.fromhex(text)


def is_hex(text: Any, length: int) -> bool:
    """Is this a text of exactly `length` lower-case hex characters?"""
    if not isinstance(text, str) or len(text) != length or not text.isascii():
        return False
    return not text.encode().translate(None, b"0123456789abcdef")


def sha256(data: bytes) -> bytes:
    """SHA-256 (FIPS 180-4)."""
    return hashlib.sha256(data).digest()


def sm3(data: bytes) -> bytes:
    """SM3 (GB/T 32905-2016) from the linked OpenSSL; `ledger.sm.self_check` proves it before anything starts."""
    state = _SM3.copy()
    state.update(data)
    return state.digest()


def twin(data: bytes) -> TwinDigest:
    """Both digests of `data`."""
    return TwinDigest(sha256(data), sm3(data))


def tagged(tag: bytes) -> Callable[[bytes, bytes], bytes]:
    """Answers (a, b) → SHA-256(tag ‖ a) ‖ SM3(tag ‖ b), 64 bytes: for a tag that begins many short texts.

    A copied state costs less than a new one, and SM3's far less.
    """
    sha256_copy, sm3_copy = hashlib.sha256(tag).copy, hashlib.new("sm3", tag).copy

    def both(first: bytes, second: bytes) -> bytes:
        one, other = sha256_copy(), sm3_copy()
        one.update(first)
        other.update(second)
        return one.digest() + other.digest()

    return both


def leaf(digest: TwinDigest) -> bytes:
    """The leaf bytes of a fact or part in both trees (decisions D5)."""
    return LEAF_TAG + digest.sha256 + digest.sm3


def derive_salt(secret: bytes, identity: str) -> str:
    """Salt of a commitment: HMAC-SHA-256(per-object secret, identity), 64 hex (decisions D4).

    A retry gives the same bytes; destroying the secret together with the body erases the link.
    """
    return hmac.new(secret, identity.encode(), hashlib.sha256).hexdigest()
