"""How a paper lies on the disk: encrypted in pieces of 1 MiB, each authenticated, so it can be read anywhere in it.

A file is the mark, a random salt of 16 bytes, then the pieces. The key of a file is derived from the installation's
key and the salt (HKDF-SHA-256); piece n is sealed with AES-256-GCM under the nonce n, its associated data says whether
it is the last one. So no two files share a key, no piece can be moved, and a shortened file does not open.
"""

from __future__ import annotations

import io
import secrets
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.errors import FileRefused

MARK = b"SQSEAL01"
SALT = 16
PIECE = 1 << 20
TAG = 16
_HEAD = len(MARK) + SALT


class Sealer:
    """Writes one sealed file: `write` as often as needed, then `finish`. At most one piece is held in memory."""

    def __init__(self, file: BinaryIO, secret: bytes) -> None:
        salt = secrets.token_bytes(SALT)
        self._file, self._key, self._piece, self._number = file, _key(secret, salt), bytearray(), 0
        file.write(MARK + salt)

    def write(self, data: bytes) -> None:
        """Adds bytes at the end."""
        self._piece += data
        while len(self._piece) > PIECE:  # the last piece is sealed by `finish`, even when it is full
            self._seal(bytes(self._piece[:PIECE]), last=False)
            del self._piece[:PIECE]

    def finish(self) -> None:
        """Seals what is left as the last piece."""
        self._seal(bytes(self._piece), last=True)
        self._piece.clear()

    def _seal(self, data: bytes, *, last: bool) -> None:
        self._file.write(self._key.encrypt(_nonce(self._number), data, _about(last)))
        self._number += 1


class Sealed(io.RawIOBase):
    """Reads a sealed file as what it holds, from any place. A piece that does not open raises `FileRefused`."""

    def __init__(self, file: BinaryIO, secret: bytes, name: str) -> None:
        self._file, self._name, self._at, self._held = file, name, 0, (-1, b"")
        whole = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(_HEAD)
        if len(head) != _HEAD or head[: len(MARK)] != MARK or whole < _HEAD + TAG:
            file.close()
            raise self._broken()
        self._key = _key(secret, head[len(MARK) :])
        self._pieces = -(-(whole - _HEAD) // (PIECE + TAG))
        self.size = whole - _HEAD - self._pieces * TAG
        """Bytes of what it holds."""

    def close(self) -> None:
        self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        number, start = divmod(self._at, PIECE)
        if self._at >= self.size:
            return 0
        data = self._open(number)[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _open(self, number: int) -> bytes:
        if self._held[0] != number:
            self._file.seek(_HEAD + number * (PIECE + TAG))
            data = self._file.read(PIECE + TAG)
            try:
                opened = self._key.decrypt(_nonce(number), data, _about(number == self._pieces - 1))
            except (InvalidTag, ValueError) as error:
                raise self._broken() from error
            self._held = (number, opened)
        return self._held[1]

    def _broken(self) -> FileRefused:
        return FileRefused(self._name, "保存的文件已损坏或密钥不符", "the stored file is damaged or of another key")


def _key(secret: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"shuqing/attachment/v1").derive(secret))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _about(last: bool) -> bytes:
    return MARK + (b"\x01" if last else b"\x00")
