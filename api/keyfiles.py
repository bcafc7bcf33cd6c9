"""Key files: one JSON file per holder, readable by its owner only; a private key is never printed or logged."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from ledger import checkpoint, eip712, sm
from ledger.errors import FieldError
from ledger.signing import SystemSigner
from ledger.sm import Sm2Key
from registry.party import uscc_is_valid

_IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys of one holder: `by` is how it signs ("party:…", "staff:…", "connector:…")."""

    by: str
    sm2: Sm2Key
    evm: bytes
    ed25519: bytes

    @property
    def address(self) -> str:
        return eip712.address_of(self.evm)

    @property
    def signer(self) -> SystemSigner:
        return SystemSigner(self.sm2, self.by)

    def __repr__(self) -> str:
        return f"KeyFile(by={self.by}, sm2={self.sm2.public}, evm={self.address})"


def holder(by: str) -> str:
    """`by` itself, if somebody can sign under this name. Raises `FieldError`."""
    kind, _, identity = by.partition(":")
    known = uscc_is_valid(identity) if kind == "party" else _IDENTITY.fullmatch(identity)
    if kind not in ("party", "staff", "connector") or not known:
        raise FieldError(
            "by",
            "party:统一社会信用代码 | staff:编号 | connector:编号 / party:USCC | staff:id | connector:id",
            repr(by)[:60],
        )
    return by


def create(path: Path, by: str) -> KeyFile:
    """Makes fresh keys and writes them to `path`, which must not exist yet (FileExistsError)."""
    keys = KeyFile(by, sm.generate(), eip712.new_key(), checkpoint.generate_ed25519())
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"by": by, "ed25519": keys.ed25519.hex(), "evm": keys.evm.hex(), "sm2": keys.sm2.private.hex()}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file)
    return keys


def load(path: Path) -> KeyFile:
    """Reads a key file. Raises `FieldError` if it is not one, or if others may read it."""
    if path.stat().st_mode & 0o077:
        raise FieldError(
            str(path), "仅所有者可读（0600） / readable by its owner only (0600)", oct(path.stat().st_mode & 0o777)
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return KeyFile(
            value["by"],
            sm.from_private(bytes.fromhex(value["sm2"])),
            bytes.fromhex(value["evm"]),
            bytes.fromhex(value["ed25519"]),
        )
    except (FieldError, ValueError, KeyError, TypeError) as error:
        raise FieldError(str(path), "密钥文件 / a key file", type(error).__name__) from error


def secret(path: Path) -> bytes:
    """32 random bytes kept in a file: made on first use, the same ever after."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    return bytes.fromhex(path.read_text(encoding="ascii"))
