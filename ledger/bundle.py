"""One proof file for one fact, or for one part of it: format `shuqing-bundle/v1`.

A bundle is one canonical JSON document (`ledger.canonical`), a trailing line feed tolerated:

    {"format": "shuqing-bundle/v1",
     "fact":  {"at", "salt", "signatures": […], "statement": {"body", "kind", "no", "prev"?, "parts"?, "subject"}},
     "entry": {"index", "path": {"sha256", "sm3"}},
     "part":  {"data", "index", "path": {"sha256", "sm3"}},           (only when one part is proved)
     "head":  {"note": [lines]},
     "chain": {"chain_id", "contract", "tx", "block"},
     "supports": [{"fact", "entry"}, …]}

* A path is the base64 of its 32-byte hashes joined, nearest sibling first, once for each algorithm; a file that lacks
  a side is refused.
* The fact's digest is SHA-256 and SM3 of its canonical bytes. Its leaf is "shuqing/leaf/v1" 0x00 ‖ SHA-256 ‖ SM3; the
  tree is RFC 9162's, once with each hash. The parts of a fact form the same tree under `statement.parts.root`.
* `head.note` is the C2SP checkpoint with the log's and the witnesses' signatures (`ledger.checkpoint`), split at "\\n".
* `supports` are the identity facts of the signers, proved in the same head; their keys count if those signed them
  whom the trust file names as vouchers of their kind.
* A bundle carries no trust anchors and no whole-file digest: keys, witness policy and contracts come from the trust
  file of whoever checks it. `chain` only says where to look.
"""

from __future__ import annotations

import base64
import binascii
import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from ledger import anchoring, canonical, log, outbox, store
from ledger.anchoring import Place
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError, LedgerError, OneSided
from ledger.facts import Fact, require_fields
from ledger.merkle import MemoryTree

FORMAT = "shuqing-bundle/v1"
MAX_BYTES = 1024 * 1024


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
    part: ProvedPart | None = None

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
        if self.part is not None:
            result["part"] = self.part.document()
        return result

    def bytes(self) -> builtins.bytes:
        return canonical.encode(self.document()) + b"\n"

    @classmethod
    def of_bytes(cls, data: builtins.bytes) -> Bundle:
        """Reads a bundle strictly. Raises `Malformed` or `FieldError`."""
        if len(data) > MAX_BYTES:
            raise FieldError("bundle", f"≤ {MAX_BYTES} 字节 / bytes", str(len(data)))
        value = canonical.decode(data.removesuffix(b"\n"))
        require_fields(value, "bundle", {"chain", "entry", "fact", "format", "head", "supports"}, {"part"})
        if value["format"] != FORMAT:
            raise FieldError("format", FORMAT, repr(value["format"])[:80])
        require_fields(value["head"], "head", {"note"}, set())
        require_fields(value["chain"], "chain", {"block", "chain_id", "contract", "tx"}, set())
        note, supports = value["head"]["note"], value["supports"]
        if not isinstance(note, list) or not all(isinstance(line, str) for line in note):
            raise FieldError("head.note", "文本行的列表 / a list of lines", repr(note)[:80])
        if not isinstance(supports, list) or len(supports) > 32:
            raise FieldError("supports", "不超过 32 项的列表 / a list of at most 32", repr(supports)[:80])
        place = value["chain"]
        return cls(
            _proved(value, "bundle"),
            "\n".join(note),
            Place(
                _integer(place["chain_id"], "chain.chain_id"),
                _text(place["contract"], "chain.contract"),
                _text(place["tx"], "chain.tx"),
                _integer(place["block"], "chain.block"),
            ),
            tuple(_support(item, f"supports[{i}]") for i, item in enumerate(supports)),
            _part(value["part"]) if "part" in value else None,
        )


def assemble(session: Session, fact_id: str, *, part: int | None = None, supports: Sequence[str] = ()) -> Bundle:
    """The bundle of a fact (or of its part number `part`) under the newest published head.

    `supports` are ids of identity facts to include. Raises `NotPublished`, `UnknownFact`, `Erased`, `IndexError`.
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

    chosen = None
    if part is not None:
        data = store.parts_of(session, fact_id)
        if not 0 <= part < len(data):
            raise FieldError("part", f"0…{len(data) - 1}", str(part))
        chosen = ProvedPart(data[part], part, tuple(MemoryTree([twin(item) for item in data]).path(part)))
    others = tuple(proved(store.fact(session, id_)) for id_ in supports)
    return Bundle(proved(fact), head.note, place, others, chosen)


def path_document(path: Sequence[TwinDigest]) -> dict[str, str]:
    """A path in the two base64 strings of the format."""
    return {
        "sha256": base64.b64encode(b"".join(step.sha256 for step in path)).decode(),
        "sm3": base64.b64encode(b"".join(step.sm3 for step in path)).decode(),
    }


def path_of_document(value: Any, where: str) -> tuple[TwinDigest, ...]:
    """Reads a path; a missing side or sides of different length are refused with `FieldError`."""
    if isinstance(value, dict) and set(value) in ({"sha256"}, {"sm3"}):
        raise OneSided(where, "SHA-256 与 SM3 / SHA-256 and SM3", f"只有 {next(iter(value))} / that one only")
    require_fields(value, where, {"sha256", "sm3"}, set())
    sides = {}
    for name in ("sha256", "sm3"):
        try:
            raw = base64.b64decode(_text(value[name], f"{where}.{name}"), validate=True)
        except binascii.Error as error:
            raise FieldError(f"{where}.{name}", "base64", repr(value[name])[:80]) from error
        if len(raw) % 32 or len(raw) > 64 * 32 or base64.b64encode(raw).decode() != value[name]:
            raise FieldError(f"{where}.{name}", "32 字节的整数倍 / whole 32-byte hashes", f"{len(raw)}")
        sides[name] = [raw[i : i + 32] for i in range(0, len(raw), 32)]
    if len(sides["sha256"]) != len(sides["sm3"]):
        raise OneSided(
            where, "两种算法等长 / both algorithms of equal length", f"{len(sides['sha256'])}≠{len(sides['sm3'])}"
        )
    return tuple(TwinDigest(a, b) for a, b in zip(sides["sha256"], sides["sm3"], strict=True))


def _support(value: Any, where: str) -> Proved:
    require_fields(value, where, {"entry", "fact"}, set())
    return _proved(value, where)


def _proved(value: dict[str, Any], where: str) -> Proved:
    entry = value["entry"]
    require_fields(entry, f"{where}.entry", {"index", "path"}, set())
    return Proved(
        Fact.of_document(value["fact"]),
        _integer(entry["index"], f"{where}.entry.index"),
        path_of_document(entry["path"], f"{where}.entry.path"),
    )


def _part(value: Any) -> ProvedPart:
    require_fields(value, "part", {"data", "index", "path"}, set())
    return ProvedPart(
        _text(value["data"], "part.data").encode(),
        _integer(value["index"], "part.index"),
        path_of_document(value["path"], "part.path"),
    )


def _integer(value: Any, where: str) -> int:
    if type(value) is not int or value < 0:
        raise FieldError(where, "≥ 0", repr(value)[:80])
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise FieldError(where, "文本 / text", repr(value)[:80])
    return value
