"""What people hand in, as files of the home folder: sealed (`registry.intake.sealing`), whole or not at all.

`attachments/ab/⟨SHA-256⟩` holds papers by their content, `intake/⟨import⟩/` the file of an import while it is worked on
and its error file. The key is `keys/attachments.secret`, made on first use: without it nothing of this opens again.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from api import keyfiles
from registry.errors import FileRefused
from registry.intake.sealing import PIECE, Sealed, Sealer

SECRET = "attachments.secret"
INCOMING = ".incoming"
_FIRST = threading.Lock()
"""Held while the key is read, so that two first uses do not both make it."""


def secret(home: Path) -> bytes:
    """The installation's key for what people hand in."""
    with _FIRST:
        return keyfiles.secret(home / "keys" / SECRET)


def paper_file(home: Path, sha256: str) -> Path:
    """Where a paper with this content lies."""
    return home / "attachments" / sha256[:2] / sha256


def import_file(home: Path, identity: str, which: str) -> Path:
    """Where the "source" or the "errors" of an import lies."""
    return home / "intake" / identity / which


class Incoming:
    """A file being written: `write`, `finish`, look at it with `reader`, then `keep_at`; else it is gone at the end."""

    def __init__(self, home: Path, limit: int) -> None:
        self.name, self.declared, self.named = "", "", False
        self.texts: dict[str, str] = {}
        self.size = 0
        self._home, self._limit = home, limit
        self._sha256, self._sm3 = hashlib.sha256(), hashlib.new("sm3")

    def __enter__(self) -> Incoming:
        folder = self._home / INCOMING
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._part = folder / f"{secrets.token_hex(16)}.part"
        self._file = self._part.open("xb")
        self._part.chmod(0o600)
        self._sealer = Sealer(self._file, secret(self._home))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Takes more bytes. Raises `FileRefused` above the limit."""
        self.size += len(data)
        if self.size > self._limit:
            raise FileRefused(self.name, f"超过每个文件 {self._limit} 字节的上限", f"more than {self._limit} bytes")
        self._sha256.update(data)
        self._sm3.update(data)
        self._sealer.write(data)

    def finish(self) -> None:
        """All bytes have come: they are on the disk."""
        self._sealer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def sm3(self) -> str:
        return self._sm3.hexdigest()

    def reader(self) -> io.BufferedReader:
        """What was written, to be looked at."""
        return _opened(self._part, self._home, self.name)

    def keep_at(self, place: Path) -> None:
        """Puts the file into its place, whole; whatever lay there is replaced."""
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._part.replace(place)
        handle = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write(home: Path, place: Path, data: bytes) -> None:
    """Seals these bytes into a place, whole or not at all."""
    with Incoming(home, len(data)) as incoming:
        incoming.write(data)
        incoming.finish()
        incoming.keep_at(place)


def read(home: Path, place: Path, name: str) -> bytes:
    """All bytes of a sealed file. Raises `FileRefused` or `FileNotFoundError`."""
    with _opened(place, home, name) as file:
        return file.read()


def blocks(home: Path, place: Path, name: str, sha256: str) -> Iterator[bytes]:
    """The bytes of a sealed file piece by piece, after all of them were read once and found to have this digest.

    Raises `FileRefused` before the first piece.
    """
    try:
        with _opened(place, home, name) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        found = ""
    if found != sha256:
        raise FileRefused(name, "保存的文件不在或与摘要不一致", "the stored file is missing or of another digest")
    return _pieces(home, place, name)


def _pieces(home: Path, place: Path, name: str) -> Iterator[bytes]:
    with _opened(place, home, name) as file:
        while piece := file.read(PIECE):
            yield piece


def _opened(place: Path, home: Path, name: str) -> io.BufferedReader:
    return io.BufferedReader(Sealed(place.open("rb"), secret(home), name), PIECE)
