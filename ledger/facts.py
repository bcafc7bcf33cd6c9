"""A fact is what somebody stated and signed, with the time it was taken in and a salt that keeps its digest silent.

A *statement* is what a party says about a subject: act number `no` of that subject, linked to the act before by
`prev` (decisions D5), so that the acts of a subject form a chain nobody can reorder or thin out. A *fact* is the
statement with its signatures, the instant it was received and a salt (decisions D4). A fact may commit to many small
*parts* (usage records, statement lines) by a twin Merkle root, so one part can be proved without the others.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ledger import canonical
from ledger.digest import LEAF_TAG, TwinDigest, hex32, is_hex, sha256, twin
from ledger.errors import FieldError
from ledger.merkle import root_over
from ledger.sm import swift_sm3

DEFAULT_SIGNER_ID = "1234567812345678"
SM2 = "sm2-sm3"
EIP712 = "eip712-secp256k1"

_KIND = re.compile(r"[a-z][a-z0-9-]{0,62}/v[1-9][0-9]?")
_SUBJECT = re.compile(r"[a-z][a-z0-9-]{0,30}:[A-Za-z0-9:._-]{1,200}")


@dataclass(frozen=True, slots=True)
class PartsRoot:
    """How many parts belong to a fact, and the twin root over them in order."""

    count: int
    root: TwinDigest

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise FieldError("statement.parts.count", "≥ 1", repr(self.count)[:80])

    @classmethod
    def over(cls, parts: Sequence[bytes]) -> PartsRoot:
        """The commitment to these parts (each a canonical document)."""
        return Parts.of(parts).commitment


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a fact as they came, each hashed once: their bytes, their digests and the commitment to them."""

    data: tuple[builtins.bytes, ...]
    sha256: tuple[builtins.bytes, ...]
    sm3: tuple[builtins.bytes, ...]
    commitment: PartsRoot

    @classmethod
    def of(cls, data: Sequence[builtins.bytes]) -> Parts:
        """Raises `FieldError` if there is no part, or if one holds a line feed (canonical JSON has none)."""
        for place, part in enumerate(data):
            if b"\n" in part:
                raise FieldError(f"parts[{place}]", "规范文本 / a canonical text", "含换行 / holds a line feed")
        first, second = tuple(map(sha256, data)), tuple(map(swift_sm3, data))
        leaves = [LEAF_TAG + one + other for one, other in zip(first, second, strict=True)]
        root = TwinDigest(root_over(leaves, sha256), root_over(leaves, swift_sm3))
        return cls(tuple(data), first, second, PartsRoot(len(data), root))


@dataclass(frozen=True)
class Statement:
    """What a party states: `body` about `subject`, as its act number `no`, after the act whose statement is `prev`."""

    kind: str
    subject: str
    no: int
    prev: TwinDigest | None
    body: dict[str, Any]
    parts: PartsRoot | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or not _KIND.fullmatch(self.kind):
            raise FieldError(
                "statement.kind", "如 application-move/v1 / e.g. application-move/v1", repr(self.kind)[:80]
            )
        if not isinstance(self.subject, str) or not _SUBJECT.fullmatch(self.subject):
            raise FieldError("statement.subject", "type:id", repr(self.subject)[:80])
        if type(self.no) is not int or self.no < 0:
            raise FieldError("statement.no", "≥ 0", repr(self.no)[:80])
        if (self.no == 0) != (self.prev is None):
            raise FieldError(
                "statement.prev", "第 0 号事项没有 prev，其余必有 / absent for act 0 only", f"no={self.no}"
            )
        if not isinstance(self.body, dict):
            raise FieldError("statement.body", "对象 / an object", repr(self.body)[:80])

    def document(self) -> dict[str, Any]:
        result: dict[str, Any] = {"body": self.body, "kind": self.kind, "no": self.no, "subject": self.subject}
        if self.prev is not None:
            result["prev"] = self.prev.document()
        if self.parts is not None:
            result["parts"] = {"count": self.parts.count, "root": self.parts.root.document()}
        return result

    @cached_property
    def _bytes(self) -> builtins.bytes:
        return canonical.encode(self.document())

    def bytes(self) -> builtins.bytes:
        """The canonical bytes that signatures cover."""
        return self._bytes

    def digest(self) -> TwinDigest:
        """Twin digest of the act without signatures (decisions D22): what `prev` of the next act names."""
        return twin(self._bytes)

    @classmethod
    def of_document(cls, value: Any) -> Statement:
        """Reads a statement; unknown or missing fields are refused with `FieldError`."""
        require_fields(value, "statement", {"body", "kind", "no", "subject"}, {"prev", "parts"})
        parts = None
        if "parts" in value:
            require_fields(value["parts"], "statement.parts", {"count", "root"}, set())
            parts = PartsRoot(
                value["parts"]["count"], TwinDigest.of_document(value["parts"]["root"], "statement.parts.root")
            )
        prev = TwinDigest.of_document(value["prev"], "statement.prev") if "prev" in value else None
        return cls(value["kind"], value["subject"], value["no"], prev, value["body"], parts)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over a statement.

    alg "sm2-sm3": `key` is the public key 04‖x‖y (130 hex), `value` r‖s (128 hex), `signer_id` the SM2 user id.
    alg "eip712-secp256k1": `key` is the 0x address, `value` r‖s‖v (130 hex), `nonce` the unordered nonce (decimal);
    the typed struct is rebuilt from the statement by its kind (decisions D13).
    """

    alg: str
    by: str
    key: str
    value: str
    role: str = ""
    signer_id: str = DEFAULT_SIGNER_ID
    nonce: str = ""

    def document(self) -> dict[str, str]:
        result = {"alg": self.alg, "by": self.by, "key": self.key, "value": self.value}
        if self.role:
            result["role"] = self.role
        if self.alg == SM2:
            result["signer_id"] = self.signer_id
        else:
            result["nonce"] = self.nonce
        return result

    @classmethod
    def of_document(cls, value: Any, where: str = "signature") -> Signature:
        """Reads a signature; raises `FieldError` by the name of the field."""
        if not isinstance(value, dict):
            raise FieldError(where, "对象 / an object", repr(value)[:80])
        alg = value.get("alg")
        if alg == SM2:
            require_fields(value, where, {"alg", "by", "key", "value", "signer_id"}, {"role"})
            _require_hex(value, "key", 130, where)
            if not value["key"].startswith("04"):
                raise FieldError(f"{where}.key", "04‖x‖y", value["key"][:8])
            _require_hex(value, "value", 128, where)
            if not isinstance(value["signer_id"], str) or not 1 <= len(value["signer_id"]) <= 64:
                raise FieldError(
                    f"{where}.signer_id", "1 至 64 个字符 / 1 to 64 characters", repr(value["signer_id"])[:80]
                )
        elif alg == EIP712:
            require_fields(value, where, {"alg", "by", "key", "value", "nonce"}, {"role"})
            if not isinstance(value["key"], str) or not re.fullmatch(r"0x[0-9a-fA-F]{40}", value["key"]):
                raise FieldError(f"{where}.key", "0x 地址 / a 0x address", repr(value["key"])[:80])
            _require_hex(value, "value", 130, where)
            if not isinstance(value["nonce"], str) or not re.fullmatch(r"0|[1-9][0-9]{0,77}", value["nonce"]):
                raise FieldError(f"{where}.nonce", "十进制数 / a decimal number", repr(value["nonce"])[:80])
        else:
            raise FieldError(f"{where}.alg", f"{SM2} | {EIP712}", repr(alg)[:80])
        if not isinstance(value["by"], str) or not _SUBJECT.fullmatch(value["by"]):
            raise FieldError(f"{where}.by", "party:… | staff:… | connector:…", repr(value["by"])[:80])
        role = value.get("role", "")
        # An empty role is left out of the document: were it accepted here, two byte forms would make one fact.
        if not isinstance(role, str) or len(role) > 64 or ("role" in value and not role):
            raise FieldError(f"{where}.role", "短文本 / a short text", repr(role)[:80])
        return cls(
            alg, value["by"], value["key"], value["value"], role,
            value.get("signer_id", DEFAULT_SIGNER_ID), value.get("nonce", ""),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement on its way in: stated and signed, not yet taken into the log."""

    statement: Statement
    signatures: tuple[Signature, ...]

    def document(self) -> dict[str, Any]:
        return {
            "signatures": [signature.document() for signature in self.signatures],
            "statement": self.statement.document(),
        }

    @classmethod
    def of_document(cls, value: Any) -> Signed:
        """Reads `{"statement": …, "signatures": […]}`; raises `FieldError`."""
        require_fields(value, "request", {"signatures", "statement"}, set())
        return cls(Statement.of_document(value["statement"]), _signatures(value["signatures"]))


@dataclass(frozen=True)
class Fact:
    """A statement with its signatures, the second it was taken in (UTC) and its salt (64 hex)."""

    statement: Statement
    signatures: tuple[Signature, ...]
    at: int
    salt: str
    _cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def document(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "salt": self.salt,
            "signatures": [signature.document() for signature in self.signatures],
            "statement": self.statement.document(),
        }

    def bytes(self) -> builtins.bytes:
        """The canonical bytes whose twin digest enters the log."""
        if "bytes" not in self._cache:
            self._cache["bytes"] = canonical.encode(self.document())
        return self._cache["bytes"]  # type: ignore[no-any-return]

    def digest(self) -> TwinDigest:
        if "digest" not in self._cache:
            self._cache["digest"] = twin(self.bytes())
        return self._cache["digest"]  # type: ignore[no-any-return]

    @property
    def id(self) -> str:
        """The fact's name everywhere: SHA-256 of its bytes, hex."""
        return self.digest().sha256.hex()

    @property
    def kind(self) -> str:
        return self.statement.kind

    @property
    def subject(self) -> str:
        return self.statement.subject

    @property
    def body(self) -> dict[str, Any]:
        return self.statement.body

    @classmethod
    def of_bytes(cls, data: builtins.bytes) -> Fact:
        """Reads canonical fact bytes. Raises `Malformed` or `FieldError`."""
        return cls.of_document(canonical.decode(data))

    @classmethod
    def of_document(cls, value: Any) -> Fact:
        require_fields(value, "fact", {"at", "salt", "signatures", "statement"}, set())
        if type(value["at"]) is not int or value["at"] < 0:
            raise FieldError("fact.at", "UTC 秒 / seconds UTC", repr(value["at"])[:80])
        hex32(value["salt"], "fact.salt")
        return cls(
            Statement.of_document(value["statement"]), _signatures(value["signatures"]), value["at"], value["salt"]
        )


def _signatures(value: Any) -> tuple[Signature, ...]:
    if not isinstance(value, list) or len(value) > 64:
        raise FieldError("signatures", "不超过 64 项的列表 / a list of at most 64", repr(value)[:80])
    return tuple([Signature.of_document(item, f"signatures[{i}]") for i, item in enumerate(value)])


def require_fields(value: Any, where: str, required: set[str], optional: set[str]) -> None:
    """Raises `FieldError` unless `value` is an object with all required and no unknown fields."""
    if not isinstance(value, dict):
        raise FieldError(where, "对象 / an object", repr(value)[:80])
    names = value.keys()
    if names == required:
        return
    for name in sorted(required - names):
        raise FieldError(f"{where}.{name}", "必填 / required", "缺失 / missing")
    for name in sorted(names - required - optional):
        raise FieldError(f"{where}.{name}", f"{sorted(required | optional)}", "未知字段 / unknown field")


def _require_hex(value: dict[str, Any], name: str, length: int, where: str) -> None:
    if not is_hex(value[name], length):
        expected = f"{length} 位小写十六进制 / {length} lower-case hex characters"
        raise FieldError(f"{where}.{name}", expected, repr(value[name])[:80])
