"""Key files: one JSON file per holder, readable by its owner only; a private key is never printed or logged."""

from __future__ import annotations

import json
import os
import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.hardware import HardwareKey
from ledger import checkpoint, eip712, sm
from ledger.errors import FieldError
from ledger.reading import body_of, read
from ledger.signing import SystemSigner
from ledger.sm import Sm2Key
from registry.party import (
    IdType,
    Party,
    PartyKind,
    Person,
    check_person,
    commitment_of,
    identity_of,
    is_party,
    masked_name,
    party_subject,
)

_IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys of one holder: `by` is how it signs ("party:…", "staff:…", "connector:…").

    `person` opens a natural person's commitment: number, name and salt stand in the own key file and nowhere public.
    Where the secp256k1 key is in `hardware`, `evm` is empty.
    """

    by: str
    sm2: Sm2Key
    evm: bytes
    ed25519: bytes
    person: Person | None = None
    hardware: HardwareKey | None = None

    @property
    def address(self) -> str:
        return self.hardware.address if self.hardware else eip712.address_of(self.evm)

    @property
    def signer(self) -> SystemSigner:
        return SystemSigner(self.sm2, self.by)

    def __repr__(self) -> str:
        return f"KeyFile(by={self.by}, sm2={self.sm2.public}, evm={self.address})"


def holder(by: str) -> str:
    """`by` itself, if somebody can sign under this name. Raises `FieldError`."""
    kind, _, identity = by.partition(":")
    known = is_party(identity) if kind == "party" else _IDENTITY.fullmatch(identity)
    if kind not in ("party", "staff", "connector") or not known:
        raise FieldError(
            "by",
            "party:统一社会信用代码或自然人当事方编号 | staff:编号 | connector:编号"
            " / party:USCC or P… | staff:id | connector:id",
            repr(by)[:60],
        )
    return by


def create(path: Path, by: str, person: Person | None = None, hardware: HardwareKey | None = None) -> KeyFile:
    """Makes fresh keys and writes them to `path`, which must not exist yet (FileExistsError)."""
    evm = b"" if hardware else eip712.new_key()
    keys = KeyFile(by, sm.generate(), evm, checkpoint.generate_ed25519(), person, hardware)
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "by": by, "ed25519": keys.ed25519.hex(), "evm": body_of(hardware) if hardware else keys.evm.hex(),
        "sm2": keys.sm2.private.hex(),
    }  # fmt: skip
    if person is not None:
        document["person"] = body_of(person)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file)
    return keys


def create_for_person(path: Path, id_type: IdType, id_no: str, name: str) -> KeyFile:
    """Makes the keys of a natural person, whose identity follows from the salt drawn here. Raises `FieldError`."""
    person = check_person(Person(id_type, id_no, unicodedata.normalize("NFC", name), secrets.token_hex(32)), "person")
    person = read(Person, body_of(person), "person")
    return create(path, party_subject(identity_of(commitment_of(person))), person)


def party_of(keys: KeyFile, roles: tuple[str, ...] = ()) -> Party:
    """What a natural person asks to be admitted as: the body of party/v1, without number and given name."""
    assert keys.person is not None
    name, commitment = masked_name(keys.person.name), commitment_of(keys.person)
    return Party(name, PartyKind.NATURAL, "", keys.sm2.public, keys.address, roles, commitment)


def require_private(path: Path) -> None:
    """Raises `FieldError` for a file that others may read."""
    if path.stat().st_mode & 0o077:
        raise FieldError(
            str(path), "仅所有者可读（0600） / readable by its owner only (0600)", oct(path.stat().st_mode & 0o777)
        )


def token(path: Path) -> str:
    """What the file of a token or an API key holds. Raises `FieldError` if others may read it."""
    require_private(path)
    return path.read_text(encoding="ascii").strip()


def keep_token(path: Path, text: str) -> None:
    """Writes a token to a file that must not exist yet, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> KeyFile:
    """Reads a key file. Raises `FieldError` if it is not one, or if others may read it."""
    require_private(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        elsewhere = read(HardwareKey, value["evm"], "evm") if isinstance(value["evm"], dict) else None
        return KeyFile(
            value["by"],
            sm.from_private(bytes.fromhex(value["sm2"])),
            b"" if elsewhere else bytes.fromhex(value["evm"]),
            bytes.fromhex(value["ed25519"]),
            read(Person, value["person"], "person") if "person" in value else None,
            elsewhere,
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
