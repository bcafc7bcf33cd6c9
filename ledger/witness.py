"""A witness cosigns a log's heads only while they tell one growing history; a publisher asks several of them.

The rule is C2SP tlog-witness. `judge` decides; `add_checkpoint` decides, remembers and cosigns inside one transaction
of the witness's own state, so that what it remembers is durable before its signature leaves. `HttpWitness` is the
publisher's side of the wire:

    POST ⟨url⟩/add-checkpoint {"note": [line, …], "old_size": n, "path": [{"sha256": hex, "sm3": hex}, …]}
    200 {"line": "— name base64", …}        409 {"error": "stale-size", "size": n, …}: prove from n and ask again
    4xx {"error": one of `Reason`, "message": …, …}

"note" lists the lines of the signed note without their line feeds; "path" is the consistency proof from old_size.

`TlogWitness` speaks to stock witnesses, which follow the SHA-256 tree only, in the words of C2SP tlog-witness itself:

    POST ⟨url⟩/add-checkpoint "old ⟨n⟩" LF, each hash of the path in base64 LF, LF, the note
    200 signature lines        409 with type text/x.tlog.size "⟨n⟩" LF: prove from n and ask again
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

import httpx

from ledger.checkpoint import Checkpoint, LogPublic, cosign, parse, text, verify_log, verify_witnesses
from ledger.digest import TwinDigest
from ledger.errors import BadSignature, Malformed, WitnessRefused
from ledger.merkle import EMPTY, verify_consistency

MAX_PATH = 126
"""A consistency path is at most two hashes per level; 2^53 leaves have 53 levels."""
MAX_ANSWER = 64 * 1024

Prove = Callable[[int, int], Sequence[TwinDigest]]
"""Consistency path of the log from one size to another (`ledger.log.consistency` with its session bound)."""


class Reason(Enum):
    """Why a witness did not cosign."""

    UNKNOWN_LOG = "unknown-log"
    """The checkpoint is of a log that this witness does not watch."""
    BAD_SIGNATURE = "bad-signature"
    """A log signature is missing or wrong."""
    ROLLBACK = "rollback"
    """The head is smaller than one already cosigned."""
    EQUIVOCATION = "equivocation"
    """Same size, other root: the log signed two histories. Both notes are kept as evidence."""
    STALE_SIZE = "stale-size"
    """The proof starts from another size than the one cosigned last; `size` says which."""
    INCONSISTENT = "inconsistent"
    """The consistency proof does not lead from the cosigned head to the offered one."""
    UNAVAILABLE = "unavailable"
    """The witness did not answer, or not in the agreed form (publisher's side only)."""


class Refused(WitnessRefused):
    """One witness refused one head: `reason`, and in `size` the size it cosigned last, where that matters."""

    def __init__(self, reason: Reason, detail: str, size: int | None = None) -> None:
        self.reason, self.size = reason, size
        super().__init__(f"见证方拒绝联署（{reason.value}）：{detail}。 / Witness refused ({reason.value}): {detail}.")


class WitnessState(Protocol):
    """What a witness remembers; every call belongs to the one transaction of `add_checkpoint`."""

    def latest(self, origin: str) -> str | None:
        """The note cosigned last for this log, or None."""

    def keep(self, checkpoint: Checkpoint, note: str) -> None:
        """Makes this note the one cosigned last."""

    def keep_evidence(self, reason: Reason, offered: str, cosigned: str) -> None:
        """Keeps two notes signed by the log that contradict each other; must survive the refusal."""


def judge(
    previous: Checkpoint | None,
    note: str,
    path: Sequence[TwinDigest],
    log: LogPublic,
    *,
    old_size: int | None = None,
) -> Checkpoint:
    """The checkpoint of `note` if a witness whose last cosigned head is `previous` may cosign it.

    `path` is the consistency proof from `previous` (from the empty tree, if None: no hashes); `old_size`, where given,
    is the size it was made for. The same head again is accepted. Raises `Refused`; `Malformed` for a broken note.
    """
    offered, _ = parse(note)
    if offered.origin != log.origin:
        raise Refused(Reason.UNKNOWN_LOG, f"{offered.origin} ≠ {log.origin}")
    try:
        verify_log(note, log.origin, log.ed25519, log.sm2)
    except BadSignature as error:
        raise Refused(Reason.BAD_SIGNATURE, str(error)) from error
    size, root = (previous.size, previous.root) if previous else (0, EMPTY)
    if offered.size < size:
        raise Refused(Reason.ROLLBACK, f"{offered.size} < {size}", size)
    if offered.size == size and offered.root != root:
        raise Refused(Reason.EQUIVOCATION, f"大小 {size} 有两个根 / two roots of size {size}", size)
    if old_size is not None and old_size != size:
        raise Refused(Reason.STALE_SIZE, f"证明起点应为 {size} / the proof must start at {size}: {old_size}", size)
    if not verify_consistency(size, offered.size, root, offered.root, path):
        raise Refused(Reason.INCONSISTENT, f"{size} → {offered.size}", size)
    return offered


def add_checkpoint(
    state: WitnessState,
    *,
    note: str,
    old_size: int,
    path: Sequence[TwinDigest],
    log: LogPublic,
    name: str,
    key: bytes,
    now: int,
) -> str:
    """The cosignature line of witness `name`, after the head was kept in `state`. Raises `Refused`, `Malformed`.

    The caller opens an exclusive transaction before and commits it after, also when `Refused` is raised (the evidence),
    and lets the line out only then.
    """
    cosigned = state.latest(log.origin)
    try:
        checkpoint = judge(parse(cosigned)[0] if cosigned else None, note, path, log, old_size=old_size)
    except Refused as refusal:
        if cosigned and refusal.reason in (Reason.EQUIVOCATION, Reason.ROLLBACK):
            state.keep_evidence(refusal.reason, note, cosigned)
        raise
    line = cosign(note, name, key, now)
    state.keep(checkpoint, note)
    return line


class HttpWitness:
    """One witness over HTTP: `name` and `public` (Ed25519, 64 hex) are what its lines are checked against."""

    __slots__ = ("_size", "_timeout", "_url", "name", "public")

    def __init__(self, name: str, public: str, url: str, timeout: int = 5) -> None:
        self.name, self.public = name, public
        self._url, self._timeout = url.rstrip("/") + "/add-checkpoint", timeout
        self._size = 0

    def cosign(self, note: str, prove: Prove) -> str:
        """The witness's checked line for `note`; `prove(old, new)` makes the consistency path from the size it knows.

        Raises `Refused`: UNAVAILABLE for no answer in `timeout` seconds, a strange one or a wrong signature.
        """
        size = parse(note)[0].size
        try:
            line = self._ask(note, min(self._size, size), size, prove)
        except Refused as refusal:
            if refusal.reason is not Reason.STALE_SIZE or refusal.size is None or not 0 <= refusal.size <= size:
                raise
            line = self._ask(note, refusal.size, size, prove)
        self._size = size
        return line

    def _ask(self, note: str, old_size: int, size: int, prove: Prove) -> str:
        path = [step.document() for step in prove(old_size, size)]
        body = {"note": note.split("\n")[:-1], "old_size": old_size, "path": path}
        try:
            answer = httpx.post(self._url, json=body, timeout=self._timeout, trust_env=False)
            document = answer.json() if len(answer.content) <= MAX_ANSWER else None
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(Reason.UNAVAILABLE, f"{self.name}: {type(error).__name__}: {error}") from error
        if not isinstance(document, dict):
            raise self._strange(answer.status_code)
        if answer.status_code != 200:
            raise self._refusal(answer.status_code, document)
        return self._checked(note, document.get("line"))

    def _checked(self, note: str, line: object) -> str:
        if not isinstance(line, str):
            raise self._strange(200)
        alone = f"{text(parse(note)[0])}\n{line}\n"
        try:
            found = verify_witnesses(alone, {self.name: self.public})
        except (Malformed, BadSignature) as error:
            raise Refused(Reason.UNAVAILABLE, f"{self.name}: {error}") from error
        if not found:
            raise Refused(Reason.UNAVAILABLE, f"{self.name}: 联署行不是它的密钥 / the line is not of its key")
        return line

    def _refusal(self, status: int, document: dict[str, object]) -> Refused:
        size = document.get("size")
        try:
            reason = Reason(document.get("error"))
        except ValueError:
            return self._strange(status, str(document.get("message", "")))
        return Refused(
            reason, f"{self.name}: {str(document.get('message', ''))[:300]}", size if type(size) is int else None
        )

    def _strange(self, status: int, message: str = "") -> Refused:
        return Refused(Reason.UNAVAILABLE, f"{self.name}: HTTP {status} {message[:300]}".rstrip())


class TlogWitness(HttpWitness):
    """A stock witness (C2SP tlog-witness). It signs a text with both roots, having followed the SHA-256 tree alone."""

    __slots__ = ()

    def _ask(self, note: str, old_size: int, size: int, prove: Prove) -> str:
        hashes = "".join(base64.b64encode(step.sha256).decode() + "\n" for step in prove(old_size, size))
        body = f"old {old_size}\n{hashes}\n{note}".encode()
        try:
            answer = httpx.post(self._url, content=body, timeout=self._timeout, trust_env=False)
            content = answer.content.decode() if len(answer.content) <= MAX_ANSWER else ""
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(Reason.UNAVAILABLE, f"{self.name}: {type(error).__name__}: {error}") from error
        status = answer.status_code
        if status == 200:
            mine = [line for line in content.split("\n") if line.startswith(f"— {self.name} ")]
            return self._checked(note, mine[0] if mine else None)
        cosigned = re.fullmatch("(0|[1-9][0-9]{0,15})\n", content)
        if status == 409 and cosigned and answer.headers.get("content-type") == "text/x.tlog.size":
            raise Refused(Reason.STALE_SIZE, f"{self.name}: {cosigned[1]}", int(cosigned[1]))
        reasons = {403: Reason.BAD_SIGNATURE, 404: Reason.UNKNOWN_LOG, 409: Reason.EQUIVOCATION}
        reasons[422] = Reason.EQUIVOCATION if old_size == size else Reason.INCONSISTENT
        if status not in reasons:
            raise self._strange(status, content)
        raise Refused(reasons[status], f"{self.name}: {content[:300]}")
