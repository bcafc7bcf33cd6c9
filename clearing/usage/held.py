"""A record that comes alone is held at once and counted later: the rule of single-record intake.

Held: it is a part of the fact "usage-held/v1" about "usage-intake:<operator>", signed by the operator, which enters the
log like any other, so the record can be proved even if its connector never comes back. Not counted: only a batch under
the connector's own signature is metered and billed. That batch must repeat every held record of its numbers byte for
byte or it is refused; a held record that no batch covers is the finding UNSIGNED.

The answer of each record can be checked without the platform: the operator's log promise for the fact, the fact
itself, and the record's path under the fact's parts root. Source: exchange.md §5.3; decisions D6, D9, D10, D11, D13.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from clearing.usage.batch import LOG_PROMISE, MAX_RECORDS, USAGE_BATCH, Promise
from clearing.usage.record import Admitted, decode
from ledger import canonical, signing
from ledger.bundle import path_of_document
from ledger.digest import TwinDigest, leaf, sha256, twin
from ledger.errors import FieldError
from ledger.facts import Fact, PartsRoot, Signed, Statement, require_fields
from ledger.merkle import leaf_hash, paths_over, verify_inclusion
from ledger.reading import body_of, read
from ledger.signing import SystemSigner
from ledger.sm import swift_sm3
from registry.asset import Twin

USAGE_HELD = "usage-held/v1"


@dataclass(frozen=True, slots=True)
class HeldHeader:
    """Body of usage-held/v1: how many records the operator holds by this fact, of any connectors."""

    count: Annotated[int, Meta(ge=1, le=MAX_RECORDS)]


def subject_of(operator: str) -> str:
    """The subject of what the operator ("party:<USCC>") holds."""
    return f"usage-intake:{operator.removeprefix('party:')}"


def freeze(parts: PartsRoot, no: int, prev: TwinDigest | None, signer: SystemSigner) -> Signed:
    """The operator's signed statement that it holds these records, as its number `no`."""
    statement = Statement(USAGE_HELD, subject_of(signer.by), no, prev, body_of(HeldHeader(parts.count)), parts)
    return Signed(statement, (signer.sign(statement),))


def records_of(statement: Statement, parts: Sequence[bytes]) -> list[Admitted]:
    """The records of a stored usage-held/v1. Raises `Malformed`, `FieldError`."""
    header = read(HeldHeader, statement.body)
    if header.count != len(parts):
        raise FieldError("body.count", str(len(parts)), str(header.count))
    return [decode(data, f"parts[{position}]") for position, data in enumerate(parts)]


@dataclass(frozen=True, slots=True)
class Paths:
    """The twin root over the parts of a fact, and for each part the two sides of its audit path."""

    commitment: PartsRoot
    sha256: tuple[bytes, ...]
    sm3: tuple[bytes, ...]

    @classmethod
    def over(cls, digests: Sequence[TwinDigest]) -> Paths:
        """Over parts with these digests."""
        leaves = list(map(leaf, digests))
        (one, first), (other, second) = paths_over(leaves, sha256), paths_over(leaves, swift_sm3)
        return cls(PartsRoot(len(leaves), TwinDigest(one, other)), tuple(first), tuple(second))


class Group:
    """A fact that holds records, the operator's promise for it, and the paths of its parts: what its answers share."""

    __slots__ = ("_head", "_paths", "_tail")

    def __init__(self, fact: Fact, promise: dict[str, Any], paths: Paths) -> None:
        self._paths = paths
        # Canonical keys are sorted, so the shared parts stand around the record's own and are encoded once.
        self._head = b'{"document":%b,"fact":"%b","index":' % (fact.bytes(), fact.id.encode())
        self._tail = b',"promise":%b}' % canonical.encode(promise)

    def answer(self, index: int) -> bytes:
        """The answer of record `index`: the canonical bytes of a `HeldAnswer`, the same each time."""
        sides = b64encode(self._paths.sha256[index]), b64encode(self._paths.sm3[index])
        own = b'%d,"path":{"sha256":"%b","sm3":"%b"}' % (index, *sides)
        return self._head + own + self._tail


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """What whoever sent a record gets: its place under the parts root of a fact, and the promise to log that fact.

    The fact is a usage-held/v1, or the usage-batch/v1 that had brought the record before. As a document: {document,
    fact, index, path, promise}, where `document` is the whole fact, `fact` its id, and `path` as in a bundle
    (`ledger/bundle.py`).
    """

    fact: Fact
    promise: Signed
    index: int
    path: tuple[TwinDigest, ...]

    @classmethod
    def of_document(cls, value: Any) -> HeldAnswer:
        """Reads an answer. Raises `FieldError`."""
        require_fields(value, "answer", {"document", "fact", "index", "path", "promise"}, set())
        fact = Fact.of_document(value["document"])
        if value["fact"] != fact.id:
            raise FieldError("answer.fact", fact.id, repr(value["fact"])[:80])
        if type(value["index"]) is not int:
            raise FieldError("answer.index", "整数 / an integer", repr(value["index"])[:80])
        path = path_of_document(value["path"], "answer.path")
        return cls(fact, Signed.of_document(value["promise"]), value["index"], path)

    def verify(self, data: bytes, operator: str, key: str) -> Promise:
        """The promise, once it is proved to cover the record `data`; nothing but this answer is asked.

        `operator` is "party:<USCC>", `key` its SM2 public key (130 hex). Raises `FieldError` by the part of the answer
        that does not hold, or `BadSignature`.
        """
        stated, parts = self.fact.statement, self.fact.statement.parts
        if stated.kind not in (USAGE_HELD, USAGE_BATCH):
            raise FieldError("answer.document.statement.kind", f"{USAGE_HELD} | {USAGE_BATCH}", stated.kind)
        leaf = leaf_hash(twin(data))
        if parts is None or not verify_inclusion(leaf, self.index, parts.count, self.path, parts.root):
            raise FieldError("answer.path", "由该记录到分项根 / from this record to the parts root", "不符 / differs")
        said = self.promise.statement
        if (said.kind, said.subject) != (LOG_PROMISE, f"log-promise:{self.fact.id}"):
            raise FieldError(
                "answer.promise", f"{LOG_PROMISE} log-promise:{self.fact.id}", f"{said.kind} {said.subject}"
            )
        promise = read(Promise, said.body, "answer.promise.statement.body")
        covered = (Twin.of(self.fact.digest()), Twin.of(stated.digest()), self.fact.at)
        if (promise.digest, promise.statement, promise.received_at) != covered:
            raise FieldError("answer.promise", "所附事实 / the fact sent with it", "另一事实 / another fact")
        signing.require_sm2(said, self.promise.signatures, by=operator, key=key)
        return promise
