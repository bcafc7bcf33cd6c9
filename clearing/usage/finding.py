"""What is wrong inside a connector's own chain, and what the operator says about it so that a period can be cut off.

A finding never stops the intake (D9); it blocks the cut-off of a settlement cycle until the missing numbers came, or
until two persons of the operator state a reason for everybody to see. An explanation bills nothing and mends nothing:
a GAP stays empty, the later side of a FORK and what is UNSIGNED stay as they were admitted.

Source: exchange.md §5.3 (gap, fork); decisions D9.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.usage.record import ConnectorId
from ledger.errors import FieldError
from ledger.facts import Statement
from ledger.reading import read
from registry.asset import Twin

FINDING_EXPLAINED = "usage-finding-explained/v1"
MAKER, CHECKER = "payment_maker", "payment_checker"
"""The two persons of the operator who answer for a cycle's money answer for its records too."""

Seq = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class FindingKind(StrEnum):
    """GAP: numbers that never came. FORK: a record that does not continue the one before, or stands in two versions.
    UNSIGNED: records that came alone and that no batch of their connector covers."""

    GAP = "GAP"
    FORK = "FORK"
    UNSIGNED = "UNSIGNED"


@dataclass(frozen=True, slots=True)
class Finding:
    """Numbers first_seq … last_seq of a connector, noticed at `since` (seconds UTC)."""

    connector: str
    kind: FindingKind
    first_seq: int
    last_seq: int
    since: int

    def __str__(self) -> str:
        return f"{self.connector} {self.kind} #{self.first_seq}–{self.last_seq}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Body of usage-finding-explained/v1: why these numbers may stay as they are; `evidence` is a document's digest."""

    connector: ConnectorId
    finding: FindingKind
    first_seq: Seq
    last_seq: Seq
    reason: Reason
    evidence: Twin | None = None

    def covers(self, finding: Finding) -> bool:
        """Does this explain the whole finding? One that was partly mended since still is."""
        same = (self.connector, self.finding) == (finding.connector, finding.kind)
        return same and self.first_seq <= finding.first_seq and finding.last_seq <= self.last_seq


def subject_of(connector: str) -> str:
    """The subject of what is said about a connector's findings."""
    return f"usage-finding:{connector}"


def read_explanation(statement: Statement) -> Explanation:
    """The body of a usage-finding-explained/v1 that agrees with its subject. Raises `FieldError`."""
    if statement.kind != FINDING_EXPLAINED:
        raise FieldError("statement.kind", FINDING_EXPLAINED, statement.kind)
    if statement.parts is not None:
        raise FieldError("statement.parts", "没有分项 / no parts", str(statement.parts.count))
    body = read(Explanation, statement.body)
    if statement.subject != subject_of(body.connector):
        raise FieldError("statement.subject", subject_of(body.connector), statement.subject)
    if body.first_seq > body.last_seq:
        raise FieldError("body.last_seq", f"≥ {body.first_seq}", str(body.last_seq))
    return body


def unexplained(findings: Iterable[Finding], explanations: Iterable[Explanation]) -> list[Finding]:
    """The findings that no single explanation covers, in their order."""
    said = tuple(explanations)
    return [finding for finding in findings if not any(item.covers(finding) for item in said)]
