"""What goes to the national system and what comes back, as values; the connection is somebody else's matter.

Every answer is a statement signed by the authority named in the agency's settings. Asking again gives the first answer,
so a package that was lost is made good by the next one, which holds everything not yet acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.facts import Fact
from registry.asset import Count, Hex64, Long, Short, Twin
from registry.case import MOVE
from registry.certificate import ENDING, ENTRY, ISSUED, DepositRequest, Instant
from registry.form import Identity, Named
from registry.telling import TOLD

PUBLICITY_RECEIPT = "publicity-receipt/v1"
DEPOSIT_REFUSAL = "deposit-refusal/v1"
PACKAGE = "national-package/v1"
PACKAGE_RECEIPT = "national-package-receipt/v1"

PACKAGE_FORMAT = "shuqing-national-package/v1"
RECEIPT_FORMAT = "shuqing-national-receipts/v1"
PACKAGE_SIGNATURE = "package.json"
"""The signed statement over a package's manifest; it stands beside the manifest, which cannot name it."""

RESULTS = (ENTRY, ENDING, ISSUED, TOLD)
"""Kinds of fact that are reported as results of registration (art. 6: 汇集登记结果)."""

PARALLEL_EVIDENCE = (
    "本系统的日志与链上记录为并行佐证，以国家数据产权登记服务系统的存证为准（参照）。"
    " / Our log and chain are parallel evidence; the deposit in the national system prevails."
)


@dataclass(frozen=True, slots=True)
class PublicityRequest:
    """A text to be released: `application_digest` is the digest of the I-15 fact, so each publication is asked once."""

    application_digest: Twin
    text: Annotated[str, Meta(min_length=1, max_length=100_000)]


@dataclass(frozen=True, slots=True)
class PublicityReceipt:
    """Body of publicity-receipt/v1, act 0 of "publicity:⟨application sha256⟩": C06 starts at `released_at`."""

    application_digest: Twin
    authority: Identity
    number: Named
    released_at: Instant
    text_digest: Twin


@dataclass(frozen=True, slots=True)
class DepositRefusal:
    """Body of deposit-refusal/v1, act 0 of "deposit-refusal:⟨record sha256⟩": the deposit was refused, and why."""

    authority: Identity
    agency: Identity
    application: str
    record: Twin
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    number: Named
    refused_at: Instant


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a package: a publicity text, a deposit request or a result, by the id it is asked under."""

    kind: Annotated[str, Meta(pattern=r"^(publicity|deposit|result)\Z")]
    id: Hex64


@dataclass(frozen=True, slots=True)
class PackageMade:
    """Body of national-package/v1, act n of "national:⟨agency⟩": package n + 1; its parts are its items."""

    agency: Identity
    authority: Identity
    number: Annotated[int, Meta(ge=1)]
    manifest: Twin
    publicity: Count
    deposits: Count
    results: Count


@dataclass(frozen=True, slots=True)
class PackageReceipt:
    """Body of national-package-receipt/v1, act 0 of "package:⟨manifest sha256⟩": the authority has the package."""

    authority: Identity
    agency: Identity
    package: Annotated[int, Meta(ge=1)]
    manifest: Twin
    number: Named
    received_at: Instant


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the national system has not answered or acknowledged yet."""

    publicity: tuple[PublicityRequest, ...]
    deposits: tuple[DepositRequest, ...]
    results: tuple[Fact, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return (
            *(Item("publicity", request.application_digest.sha256) for request in self.publicity),
            *(Item("deposit", request.record.sha256) for request in self.deposits),
            *(Item("result", fact.id) for fact in self.results),
        )


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How far the national system has been told: what waits, since when, and the last package. Instants seconds UTC.

    `acknowledged` is the number of the newest package it acknowledged, 0 before the first.
    """

    publicity: int
    deposits: int
    results: int
    oldest: int | None
    packages: int
    acknowledged: int
    last_package_at: int | None
    notice: Short = PARALLEL_EVIDENCE


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import of receipts led to."""

    released: int = 0
    deposited: tuple[str, ...] = ()
    refused: int = 0
    acknowledged: int = 0
    known: int = 0
    waiting: tuple[Long, ...] = ()


def publicity_request(published: Fact) -> PublicityRequest:
    """The request that an I-15 fact leads to: its publicity text in canonical form."""
    assert (published.kind, published.body["move"]) == (MOVE, "I-15")
    text = canonical.encode(published.body["publicity"]).decode()
    return PublicityRequest(Twin.of(published.digest()), text)


def text_digest(request: PublicityRequest) -> TwinDigest:
    """Twin digest of the text, as the receipt must name it."""
    return twin(request.text.encode())


def package_subject(agency: str) -> str:
    """The subject of an agency's packages."""
    return f"national:{agency}"
