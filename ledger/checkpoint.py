"""A head of the log in the form the transparency world reads: a checkpoint in a signed note, cosigned by witnesses.

Sources: C2SP tlog-checkpoint, signed-note and tlog-cosignature (cosignature/v1); the SM3 root and the time stand in
extension lines of the text, so every signature covers both roots (decisions D5) and the instant.

The text is five lines, each ended by a line feed: origin; size in decimal; base64 of the SHA-256 root; "sm3 " and
base64 of the SM3 root; "time " and the seconds UTC at which the log sealed the head. An empty line follows, then one
line per signature: em dash, space, key name, space, base64 of (4 bytes key id ‖ value). Key name of the log = origin.

| line        | key id = first 4 bytes of SHA-256 of               | value                                        |
|-------------|----------------------------------------------------|----------------------------------------------|
| log Ed25519 | name ‖ LF ‖ 01 ‖ public key (32)                   | signature (64) of the text                   |
| log SM2     | name ‖ LF ‖ ff ‖ "sm2" ‖ public key (65, 04‖x‖y)   | r‖s (64), default signer id, of the 32 bytes |
|             |                                                    | SM3("shuqing/checkpoint/v1" ‖ 00 ‖ text)     |
| witness     | name ‖ LF ‖ 04 ‖ public key (32)                   | time (8, big-endian) ‖ signature (64) of     |
|             |                                                    | "cosignature/v1" LF "time ⟨n⟩" LF ‖ text     |

A reader ignores lines of keys it does not know and refuses the whole note when a line of a key it knows is wrong.

Worked example: Ed25519 private key of the log 32 bytes 01, SM2 private key 32 bytes 02, of the witness 32 bytes 03.

    log.demo
    3
    UNhY4JhezH9gQYqvDMWrWH9CwlcKiECVqejMrND2VFw=
    sm3 y7IZgrGFnTmezqxSAOpSTqOT3Itaz2pUDmbaX9eXnrM=
    time 1772413200

    — log.demo hk0pjqXL+oFBLfOjytTzfwetGzk69miKBt+F4HVZjA8mi5CyjMJcyBzH9m0gjskoh3wkpoGrk9pOhPJ1olZTykcBaAE=
    — log.demo WXbV5+HrVQgzBRC2zxnBmxq3jAVRiXr4PWu+Yu/GCfYZkcWbO0PHobOBhWbAy4z+vexFZlOR7NnCpm9NFvFXsNeDUb0=
    — w.demo UmvoyAAAAABppOER2P41IRvGh26Xmg4U6/RcKnW8tEuKT5pDX0Omb3N4pzuCwMaI8cyvxa5Lvaps1lmnZTWZUtqbsEYCMzIo1peNBg==
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger import sm
from ledger.canonical import MAX_INT
from ledger.digest import TwinDigest, hex32, sha256, sm3
from ledger.errors import BadSignature, FieldError, Malformed
from ledger.sm import Sm2Key

MAX_NOTE = 64 * 1024
MAX_LINES = 64

_NAME = re.compile(r"[!-*,-~]{1,128}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_ED25519, _COSIGNATURE, _OTHER = b"\x01", b"\x04", b"\xff"
_SM2_TAG = b"shuqing/checkpoint/v1\x00"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`size` leaves with twin root `root` in the log `origin`, sealed at `at` (seconds UTC)."""

    origin: str
    size: int
    root: TwinDigest
    at: int

    def __post_init__(self) -> None:
        _check_name(self.origin, "checkpoint.origin")
        for name, value in (("size", self.size), ("at", self.at)):
            if type(value) is not int or not 0 <= value <= MAX_INT:
                raise FieldError(f"checkpoint.{name}", "0…2^53-1", repr(value)[:80])


@dataclass(frozen=True, slots=True)
class LogPublic:
    """What a reader must know of a log to check its heads: origin, Ed25519 key (64 hex), SM2 key (130 hex)."""

    origin: str
    ed25519: str
    sm2: str

    def __post_init__(self) -> None:
        _check_name(self.origin, "log.origin")
        hex32(self.ed25519, "log.ed25519")
        sm.check_public(self.sm2)

    def document(self) -> dict[str, str]:
        return {"ed25519": self.ed25519, "origin": self.origin, "sm2": self.sm2}

    @classmethod
    def of_document(cls, value: Any, field: str = "log") -> LogPublic:
        """Reads `{"origin", "ed25519", "sm2"}`. Raises `FieldError`."""
        if not isinstance(value, dict) or set(value) != {"origin", "ed25519", "sm2"}:
            raise FieldError(field, '{"origin", "ed25519", "sm2"}', repr(value)[:80])
        return cls(value["origin"], value["ed25519"], value["sm2"])


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The log's two private keys; never printed."""

    origin: str
    ed25519: bytes
    sm2: Sm2Key

    def public(self) -> LogPublic:
        return LogPublic(self.origin, ed25519_public(self.ed25519), self.sm2.public)

    def __repr__(self) -> str:
        return f"LogKeys(origin={self.origin!r})"


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One signature line of a note: key name, 4-byte key id, and what follows it."""

    name: str
    key_id: bytes
    value: bytes

    def text(self) -> str:
        """The line without its line feed."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.value).decode()}"

    @classmethod
    def of_text(cls, line: str) -> NoteLine:
        """Reads one line without its line feed. Raises `Malformed`."""
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—":
            raise _malformed("签名行应为“— 名称 base64” / a signature line is “— name base64”", line)
        _check_name(parts[1], "note.signature.name")
        value = _base64(parts[2], "note.signature")
        if not 5 <= len(value) <= 8192:
            raise FieldError("note.signature", "5 至 8192 字节 / 5 to 8192 bytes", f"{len(value)}")
        return cls(parts[1], value[:4], value[4:])


def text(checkpoint: Checkpoint) -> str:
    """The five lines that log and witnesses sign, ending in a line feed."""
    root = checkpoint.root
    return (
        f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(root.sha256).decode()}\n"
        f"sm3 {base64.b64encode(root.sm3).decode()}\ntime {checkpoint.at}\n"
    )


def parse(note: str) -> tuple[Checkpoint, tuple[NoteLine, ...]]:
    """Checkpoint and signature lines of a note; checks form only, no signature. Raises `Malformed`, `FieldError`."""
    body, lines = _split(note)
    rows = body.split("\n")[:-1]
    if len(rows) != 5:
        raise _malformed(f"检查点应为 5 行，实为 {len(rows)} / a checkpoint has 5 lines, this one {len(rows)}", body)
    root = TwinDigest(_base64(rows[2], "checkpoint.root", 32), _base64(_after("sm3 ", rows[3]), "checkpoint.sm3", 32))
    checkpoint = Checkpoint(
        rows[0], _number(rows[1], "checkpoint.size"), root, _number(_after("time ", rows[4]), "checkpoint.time")
    )
    return checkpoint, lines


def sign_note(checkpoint: Checkpoint, keys: LogKeys) -> str:
    """The note with the log's Ed25519 and SM2 lines. Raises `FieldError` if the checkpoint names another log."""
    if checkpoint.origin != keys.origin:
        raise FieldError("checkpoint.origin", keys.origin, checkpoint.origin)
    body, public = text(checkpoint), keys.public()
    lines = (
        NoteLine(keys.origin, ed25519_key_id(keys.origin, public.ed25519), _sign(keys.ed25519, body.encode())),
        NoteLine(keys.origin, sm2_key_id(keys.origin, public.sm2), sm.sign(keys.sm2, sm2_message(body))),
    )
    return body + "\n" + "".join(line.text() + "\n" for line in lines)


def verify_log(note: str, name: str, ed25519: str, sm2: str) -> Checkpoint:
    """The checkpoint of a note that log `name` signed with both of its keys (64 and 130 hex).

    Raises `Malformed` for a broken note, `BadSignature` for another origin, a missing line or a wrong one.
    """
    checkpoint, lines = parse(note)
    if checkpoint.origin != name:
        raise BadSignature(name, f"检查点来自 {checkpoint.origin} / the checkpoint is of {checkpoint.origin}")
    body = text(checkpoint)
    by_key = {(line.name, line.key_id): line.value for line in lines}
    value = by_key.get((name, ed25519_key_id(name, ed25519)))
    if value is None or not _verify(ed25519, body.encode(), value):
        raise BadSignature(name, "检查点 Ed25519 签名 / Ed25519 signature of the checkpoint")
    value = by_key.get((name, sm2_key_id(name, sm2)))
    if value is None or not sm.verify(sm2, sm2_message(body), value):
        raise BadSignature(name, "检查点 SM2 签名 / SM2 signature of the checkpoint")
    return checkpoint


def cosign(note: str, name: str, key: bytes, now: int) -> str:
    """The line by which witness `name` with Ed25519 private key `key` cosigns the note at `now` (seconds UTC)."""
    _check_name(name, "witness.name")
    if type(now) is not int or not 0 < now <= MAX_INT:
        raise FieldError("witness.time", "1…2^53-1", repr(now)[:80])
    body = text(parse(note)[0])
    value = now.to_bytes(8, "big") + _sign(key, cosignature_message(body, now))
    return NoteLine(name, cosignature_key_id(name, ed25519_public(key)), value).text()


def verify_witnesses(note: str, witnesses: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """(name, time) of each of these witnesses (name → Ed25519 key, 64 hex) that cosigned the note, sorted by name.

    Lines of unknown keys are ignored. Raises `BadSignature` when a line of a known key is wrong, `FieldError` when two
    names share one key: they would be one witness counted twice.
    """
    if len(set(witnesses.values())) != len(witnesses):
        raise FieldError("witnesses", "每个见证方一个密钥 / one key per witness", "重复的密钥 / a key twice")
    checkpoint, lines = parse(note)
    body = text(checkpoint)
    known = {(name, cosignature_key_id(name, public)): public for name, public in witnesses.items()}
    found = []
    for line in lines:
        public = known.get((line.name, line.key_id))
        if public is None:
            continue
        time = int.from_bytes(line.value[:8], "big")
        if len(line.value) != 72 or not _verify(public, cosignature_message(body, time), line.value[8:]):
            raise BadSignature(line.name, "检查点联署 / cosignature of the checkpoint")
        found.append((line.name, time))
    return tuple(sorted(found))


def add_lines(note: str, lines: Iterable[str]) -> str:
    """The note with more signature lines (each without line feed); a key that already signed keeps its first line."""
    _, present = _split(note)
    seen = {(line.name, line.key_id) for line in present}
    added = []
    for line in map(NoteLine.of_text, lines):
        if (line.name, line.key_id) not in seen:
            seen.add((line.name, line.key_id))
            added.append(line.text() + "\n")
    result = note + "".join(added)
    parse(result)
    return result


def generate_ed25519() -> bytes:
    """A fresh Ed25519 private key, 32 bytes from the operating system's randomness."""
    return secrets.token_bytes(32)


def ed25519_public(key: bytes) -> str:
    """Public key (64 hex) of an Ed25519 private key of 32 bytes. Raises `FieldError`."""
    if len(key) != 32:
        raise FieldError("ed25519", "32 字节 / 32 bytes", f"{len(key)}")
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw().hex()


def ed25519_key_id(name: str, public: str) -> bytes:
    """Key id of an Ed25519 signer of notes."""
    return sha256(name.encode() + b"\n" + _ED25519 + hex32(public, "ed25519"))[:4]


def cosignature_key_id(name: str, public: str) -> bytes:
    """Key id of a witness."""
    return sha256(name.encode() + b"\n" + _COSIGNATURE + hex32(public, "ed25519"))[:4]


def sm2_key_id(name: str, public: str) -> bytes:
    """Key id of an SM2 signer of notes: type byte 0xff, as C2SP reserves for others, with our own label."""
    return sha256(name.encode() + b"\n" + _OTHER + b"sm2" + bytes.fromhex(sm.check_public(public)))[:4]


def log_vkey(name: str, public: str) -> str:
    """The verifier key by which stock clients know a log: name+key id+base64(01 ‖ Ed25519 key), C2SP signed-note."""
    return _vkey(name, ed25519_key_id(name, public), _ED25519, public)


def witness_vkey(name: str, public: str) -> str:
    """The verifier key of a witness: name+key id+base64(04 ‖ Ed25519 key), C2SP tlog-cosignature."""
    return _vkey(name, cosignature_key_id(name, public), _COSIGNATURE, public)


def _vkey(name: str, key_id: bytes, kind: bytes, public: str) -> str:
    return f"{name}+{key_id.hex()}+{base64.b64encode(kind + hex32(public, 'ed25519')).decode()}"


def sm2_message(body: str) -> bytes:
    """The 32 bytes that the log's SM2 key signs for a checkpoint text."""
    return sm3(_SM2_TAG + body.encode())


def cosignature_message(body: str, time: int) -> bytes:
    """The bytes that a witness signs for a checkpoint text at `time`."""
    return f"cosignature/v1\ntime {time}\n{body}".encode()


def _sign(key: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(key).sign(message)


def _verify(public: str, message: bytes, value: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(hex32(public, "ed25519")).verify(value, message)
    except InvalidSignature:
        return False
    return True


def _split(note: str) -> tuple[str, tuple[NoteLine, ...]]:
    """Text (with its line feed) and signature lines; a key may sign once."""
    if not isinstance(note, str) or len(note) > MAX_NOTE:
        raise _malformed(f"签名文本应为不超过 {MAX_NOTE} 字符的文本 / a note is text of at most {MAX_NOTE}", repr(note))
    body, blank, tail = note.partition("\n\n")
    rows = tail.split("\n")
    if not blank or rows[-1] or not 1 < len(rows) <= MAX_LINES + 1:
        raise _malformed(
            f"应为正文、空行、1 至 {MAX_LINES} 个以换行结束的签名行"
            f" / expected text, an empty line and 1 to {MAX_LINES} signature lines, each ended by a line feed",
            note,
        )
    lines = tuple(NoteLine.of_text(row) for row in rows[:-1])
    if len({(line.name, line.key_id) for line in lines}) != len(lines):
        raise _malformed("同一密钥签了两行 / one key signed twice", tail)
    return body + "\n", lines


def _after(prefix: str, row: str) -> str:
    if not row.startswith(prefix):
        raise FieldError("checkpoint", f"以“{prefix}”开头的行 / a line that starts with “{prefix}”", repr(row)[:80])
    return row[len(prefix) :]


def _number(row: str, field: str) -> int:
    if not _NUMBER.fullmatch(row):
        raise FieldError(field, "十进制整数 / a decimal integer", repr(row)[:80])
    return int(row)


def _base64(row: str, field: str, length: int | None = None) -> bytes:
    try:
        value = base64.b64decode(row.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise FieldError(field, "标准 base64 / standard base64", repr(row)[:80]) from error
    # Spare bits and padding can be written in several ways; only the one an encoder writes is accepted.
    if base64.b64encode(value).decode() != row:
        raise FieldError(field, "规范的 base64 / canonical base64", repr(row)[:80])
    if length is not None and len(value) != length:
        raise FieldError(field, f"{length} 字节 / {length} bytes", f"{len(value)}")
    return value


def _check_name(name: Any, field: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise FieldError(
            field,
            "1 至 128 个可见 ASCII 字符，无空格与加号 / 1 to 128 visible ASCII, no space or plus",
            repr(name)[:80],
        )


def _malformed(reason: str, given: str) -> Malformed:
    return Malformed(f"不是有效的签名检查点：{reason}；实为 {given[:80]!r}。 / Not a valid signed checkpoint.")
