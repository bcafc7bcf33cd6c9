"""What every recomputable report of pricing is: a document, the bytes that are kept, and its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger.digest import TwinDigest


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report with its evidence, as document and as the bytes that are kept."""

    document: dict[str, Any]
    data: bytes
    evidence: bytes

    @property
    def digest(self) -> TwinDigest:
        """Twin digest of the report without this digest itself."""
        return TwinDigest.of_document(self.document["digests"]["report"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a recomputation. When not equal: `where` (report or evidence), the JSON pointer, both values."""

    equal: bool
    where: str = ""
    pointer: str = ""
    expected: str = ""
    given: str = ""
