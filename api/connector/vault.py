"""What the connector keeps is unreadable without a key that lies beside its key file, not beside its state.

Whoever copies the state file, or the disk it was backed up to, sees how many records there are, of which agreements and
when; not what was used, by whom, under which terms, nor the access tokens. AES-256-GCM with a random nonce (NIST SP
800-38D), each value bound to its place, so that none can be put where another stood; keys by HKDF-SHA256 (RFC 5869).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api import keyfiles
from ledger.errors import FieldError

SIZE = 32
_NONCE = 12


class Vault:
    """Seals values for their places and opens them again; `name` says the same of equal texts and nothing more."""

    def __init__(self, key: bytes) -> None:
        self._content = AESGCM(_derived(key, b"content"))
        self._names = _derived(key, b"names")

    def seal(self, value: bytes, place: str) -> bytes:
        """Nonce, then the value enciphered and authenticated for its place."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._content.encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """The value. Raises `FieldError` for another key, another place or an altered value."""
        try:
            return self._content.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except (InvalidTag, ValueError) as error:
            expected = "用本状态的密钥加密的内容 / what was sealed here with the key of this state"
            raise FieldError(f"state.{place}", expected, "无法解密 / it cannot be opened") from error

    def name(self, text: str) -> str:
        """A keyed digest under which a text is found again, 64 hex."""
        return hmac.new(self._names, text.encode(), hashlib.sha256).hexdigest()


def load(path: Path, *, begun: bool) -> Vault:
    """The vault of the key file; makes one where nothing was kept yet. Raises `FieldError` where the key of a state
    that was begun is gone, or can be read by others."""
    if not path.exists():
        if begun:
            expected = "加密本状态的密钥，请从备份恢复 / the key of this state: restore it from a backup"
            raise FieldError(str(path), expected, "没有该文件 / no such file")
        keyfiles.keep_token(path, secrets.token_hex(SIZE))
    text = keyfiles.token(path)
    if len(text) != 2 * SIZE or text.strip("0123456789abcdef"):
        raise FieldError(str(path), "64 位十六进制 / 64 hex digits", "其他内容 / something else")
    return Vault(bytes.fromhex(text))


def _derived(key: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=SIZE, salt=None, info=b"shuqing/connector/v1/" + use).derive(key)
