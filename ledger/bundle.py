"""One proof file for one fact, or for some parts of it: format `shuqing-bundle/v1`.

A bundle is one canonical JSON document (`ledger.canonical`), a trailing line feed tolerated, at most 1 MiB:

    {"format": "shuqing-bundle/v1",
     "fact":  {"at", "salt", "signatures": […], "statement": {"body", "kind", "no", "prev"?, "parts"?, "subject"}},
     "entry": {"index", "path": {"sha256", "sm3"}},
     "parts": [{"data", "index", "path": {"sha256", "sm3"}}, …],      (only when parts are shown)
     "head":  {"note": [lines]},
     "chain": {"block", "chain_id", "contract", "tx"},
     "supports": [{"fact", "entry"}, …]}

* The *core* is everything but `parts` and `supports`, which are annexes: the core is complete without them.
* A path is the base64 of its 32-byte hashes joined, nearest sibling first, once for each algorithm; a file that lacks
  a side is refused.
* The fact's digest is SHA-256 and SM3 of its canonical bytes. Its leaf is "shuqing/leaf/v1" 0x00 ‖ SHA-256 ‖ SM3; the
  tree is RFC 9162's, once with each hash. The parts of a fact form the same tree under `statement.parts.root`.
* `parts` shows some of the parts, by ascending index, each once, at least one: records and lines, or the disclosed
  fields of a statement that keeps its content in salted fields (`ledger.disclosure`). What is not shown stays secret.
* `head.note` is the C2SP checkpoint with the log's and the witnesses' signatures (`ledger.checkpoint`), split at "\\n".
* `chain` says where the head was anchored: contract and tx in lower-case 0x hex. With a node all four are checked
  against the receipt; without one, tx and block are reported as not checked.
* `supports` are the identity facts of who signed the fact or another support (at most 32, by ascending index), proved
  in the same head; their keys count if those signed them whom the trust file names as vouchers of their kind.
* A bundle carries no trust anchors and no whole-file digest: keys, witness policy and contracts come from the trust
  file of whoever checks it. README.md shows one bundle byte by byte.
"""

from __future__ import annotations

import base64
import binascii
import builtins
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy.orm import Session

from ledger import anchoring, canonical, log, outbox, reading, store
from ledger.anchoring import Place
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError, LedgerError, OneSided
from ledger.facts import Fact, require_fields
from ledger.merkle import MemoryTree

FORMAT = "shuqing-bundle/v1"
MAX_BYTES = 1024 * 1024
MAX_SUPPORTS = 32


class NotPublished(LedgerError):
    """The fact has no published head over it yet, so it cannot be proved to a stranger."""

    def __init__(self, fact_id: str, state: str) -> None:
        super().__init__(
            f"事实 {fact_id} 尚未发布（当前：{state}），请稍后再取证据包。"
            f" / Fact {fact_id} is not published yet ({state}); ask for the bundle later."
        )


@dataclass(frozen=True, slots=True)
class Proved:
    """A fact with its place in the tree of the bundle's head."""

    fact: Fact
    index: int
    path: tuple[TwinDigest, ...]

    def document(self) -> dict[str, Any]:
        return {"entry": {"index": self.index, "path": path_document(self.path)}, "fact": self.fact.document()}


@dataclass(frozen=True, slots=True)
class ProvedPart:
    """One part of the fact, with its path under `statement.parts.root`."""

    data: bytes
    index: int
    path: tuple[TwinDigest, ...]

    def document(self) -> dict[str, Any]:
        return {"data": self.data.decode(), "index": self.index, "path": path_document(self.path)}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A proof file as values; `bytes()` is the file."""

    main: Proved
    note: str
    chain: Place
    supports: tuple[Proved, ...] = ()
    parts: tuple[ProvedPart, ...] = ()

    def document(self) -> dict[str, Any]:
        result = {
            "chain": {
                "block": self.chain.block,
                "chain_id": self.chain.chain_id,
                "contract": self.chain.address,
                "tx": self.chain.tx,
            },
            "format": FORMAT,
            "head": {"note": self.note.split("\n")},
            "supports": [support.document() for support in self.supports],
            **self.main.document(),
        }
        if self.parts:
            result["parts"] = [part.document() for part in self.parts]
        return result

    def bytes(self) -> builtins.bytes:
        return canonical.encode(self.document()) + b"\n"

    @classmethod
    def of_bytes(cls, data: builtins.bytes) -> Bundle:
        """Reads a bundle strictly. Raises `Malformed` or `FieldError`."""
        return cls.of_document(read_document(data))

    @classmethod
    def of_document(cls, value: dict[str, Any]) -> Bundle:
        """The values of a document that has the right shape. Raises `FieldError`, `OneSided`."""
        place = value["chain"]
        return cls(
            _proved(value, "bundle"),
            "\n".join(value["head"]["note"]),
            Place(place["chain_id"], place["contract"], place["tx"], place["block"]),
            tuple(_proved(item, f"bundle.supports[{i}]") for i, item in enumerate(value["supports"])),
            tuple(_part(item, f"bundle.parts[{i}]") for i, item in enumerate(value.get("parts", ()))),
        )


Natural = Annotated[int, Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class _Sides:
    # Both are required; a side that lacks is refused with its own code, so the shape lets it pass.
    sha256: str | None = None
    sm3: str | None = None


@dataclass(frozen=True, slots=True)
class _Root:
    count: Natural
    root: _Sides


@dataclass(frozen=True, slots=True)
class _Statement:
    body: dict[str, Any]
    kind: str
    no: Natural
    subject: str
    prev: _Sides | None = None
    parts: _Root | None = None


@dataclass(frozen=True, slots=True)
class _Signature:
    alg: str
    by: str
    key: str
    value: str
    role: str | None = None
    signer_id: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class _Fact:
    at: Natural
    salt: str
    signatures: list[_Signature]
    statement: _Statement


@dataclass(frozen=True, slots=True)
class _Entry:
    index: Natural
    path: _Sides


@dataclass(frozen=True, slots=True)
class _Part:
    data: str
    index: Natural
    path: _Sides


@dataclass(frozen=True, slots=True)
class _Support:
    entry: _Entry
    fact: _Fact


@dataclass(frozen=True, slots=True)
class _Head:
    note: list[str]


@dataclass(frozen=True, slots=True)
class _Chain:
    block: Natural
    chain_id: Natural
    contract: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
    tx: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which fields a bundle has, of which types; what their texts must look like is the values' own affair."""

    chain: _Chain
    entry: _Entry
    fact: _Fact
    format: Annotated[str, Meta(pattern=rf"^{FORMAT}\Z")]
    head: _Head
    supports: Annotated[list[_Support], Meta(max_length=MAX_SUPPORTS)]
    parts: Annotated[list[_Part], Meta(min_length=1)] | None = None


def read_document(data: bytes) -> dict[str, Any]:
    """The document of a bundle file, of the right shape. Raises `Malformed` or `FieldError`."""
    if len(data) > MAX_BYTES:
        raise FieldError("bundle", f"≤ {MAX_BYTES} 字节 / bytes", str(len(data)))
    value: dict[str, Any] = canonical.decode(data.removesuffix(b"\n"))
    reading.read(_Shape, value, "bundle")
    for name, indexes in (
        ("parts", [part["index"] for part in value.get("parts", ())]),
        ("supports", [support["entry"]["index"] for support in value["supports"]]),
    ):
        if indexes != sorted(set(indexes)):
            raise FieldError(f"bundle.{name}", "升序且不重复的序号 / ascending numbers, each once", str(indexes)[:80])
    return value


def assemble(session: Session, fact_id: str, *, parts: Sequence[int] = (), supports: Sequence[str] = ()) -> Bundle:
    """The bundle of a fact and of its parts with the numbers `parts`, under the newest published head.

    `supports` are ids of identity facts to include. Raises `NotPublished`, `UnknownFact`, `Erased`, `FieldError`.
    """
    fact = store.fact(session, fact_id)
    size = outbox.published_size(session)
    head = log.head_at(session, size)
    place = anchoring.place_of(session, outbox.HEADS, outbox.head_key(size))
    state = outbox.state_of(session, fact_id)
    if head is None or place is None or state is not outbox.State.PUBLISHED:
        raise NotPublished(fact_id, state.value if state else "—")

    def proved(item: Fact) -> Proved:
        inclusion = log.prove(session, item.id, size)
        return Proved(item, inclusion.index, tuple(inclusion.path))

    others = tuple(sorted((proved(store.fact(session, id_)) for id_ in supports), key=lambda item: item.index))
    place = replace(place, address=place.address.lower())
    return Bundle(proved(fact), head.note, place, others, _shown(session, fact_id, parts))


def _shown(session: Session, fact_id: str, wanted: Sequence[int]) -> tuple[ProvedPart, ...]:
    if not wanted:
        return ()
    data = store.parts_of(session, fact_id)
    for number in wanted:
        if not 0 <= number < len(data):
            raise FieldError("part", f"0…{len(data) - 1}" if data else "没有分项 / no parts", str(number))
    tree = MemoryTree([twin(item) for item in data])
    return tuple(ProvedPart(data[number], number, tuple(tree.path(number))) for number in sorted(set(wanted)))


def path_document(path: Sequence[TwinDigest]) -> dict[str, str]:
    """A path in the two base64 strings of the format."""
    return {
        "sha256": base64.b64encode(b"".join(step.sha256 for step in path)).decode(),
        "sm3": base64.b64encode(b"".join(step.sm3 for step in path)).decode(),
    }


def path_of_document(value: Any, where: str) -> tuple[TwinDigest, ...]:
    """Reads a path; a missing side or sides of different length are refused with `FieldError`."""
    if isinstance(value, dict) and set(value) < {"sha256", "sm3"}:
        raise OneSided(where, "SHA-256 与 SM3 / SHA-256 and SM3", f"只有 / only: {', '.join(value) or '—'}")
    require_fields(value, where, {"sha256", "sm3"}, set())
    sides = {}
    for name in ("sha256", "sm3"):
        try:
            raw = base64.b64decode(value[name].encode("ascii"), validate=True)
        except (UnicodeError, binascii.Error) as error:
            raise FieldError(f"{where}.{name}", "base64", repr(value[name])[:80]) from error
        if len(raw) % 32 or len(raw) > 64 * 32 or base64.b64encode(raw).decode() != value[name]:
            raise FieldError(f"{where}.{name}", "32 字节的整数倍 / whole 32-byte hashes", f"{len(raw)}")
        sides[name] = [raw[i : i + 32] for i in range(0, len(raw), 32)]
    if len(sides["sha256"]) != len(sides["sm3"]):
        raise OneSided(
            where, "两种算法等长 / both algorithms of equal length", f"{len(sides['sha256'])}≠{len(sides['sm3'])}"
        )
    return tuple(TwinDigest(a, b) for a, b in zip(sides["sha256"], sides["sm3"], strict=True))


def _proved(value: dict[str, Any], where: str) -> Proved:
    entry = value["entry"]
    return Proved(
        Fact.of_document(value["fact"]), entry["index"], path_of_document(entry["path"], f"{where}.entry.path")
    )


def _part(value: dict[str, Any], where: str) -> ProvedPart:
    return ProvedPart(value["data"].encode(), value["index"], path_of_document(value["path"], f"{where}.path"))
