"""Showing a product without giving it away (exchange.md §2.7): statistics of k rows or more, a sample nobody chose.

A fixed sample is drawn by a public beacon: the seller announces the data's digest, its number of rows and how many are
wanted; the first head of the log that covers the announcement decides which rows. Whoever has announcement and head
draws the same rows. Data can be announced once, so the seller cannot try again until the rows please.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.product import Paper, Text
from ledger.digest import TwinDigest
from registry.asset import Count, Twin
from registry.party import check_identity

SAMPLE_ANNOUNCED = "sample-announced/v1"
DRAW = "shuqing/draw/v1"
K = 10
"""Rows a group of a statistic must have (P)."""
MOST_ROWS = 1_000
PART = 10
"""A sample has at most MOST_ROWS rows and at most one row in PART of the data (P)."""


class Measure(StrEnum):
    """What may be told of a group. Least and largest values are not among them: they are single rows."""

    COUNT = "频数"
    MEAN = "均值"
    MEDIAN = "中位数"
    DISTINCT = "取值个数"


@dataclass(frozen=True, slots=True)
class Group:
    """One group of rows with its value as text; for 频数 the value is the number of rows itself."""

    label: Text
    rows: Count
    value: Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,6})?\Z")]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic over `rows` rows in groups; `noise` names what was added, "无" for nothing."""

    field: Text
    measure: Measure
    rows: Count
    groups: Annotated[tuple[Group, ...], Meta(min_length=1, max_length=200)]
    noise: Text


@dataclass(frozen=True, slots=True)
class Sample:
    """固定样例: the same for everyone, part of the listing's digest. Named, never held here.

    `announcement` is the id of its sample-announced/v1, `head` and `root` the log head that drew the rows; `digest` is
    that of the sample file, `terms` that of the terms a viewer accepts; `expires` in seconds UTC.
    """

    announcement: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    head: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    root: Twin
    digest: Twin
    watermark: Text
    expires: Count
    terms: Twin


@dataclass(frozen=True, slots=True)
class Synthetic:
    """合成样例: made by a generator that is named; always shown under the word 合成."""

    digest: Twin
    generator: Text


@dataclass(frozen=True, slots=True)
class Preview:
    """What may be seen before an agreement; `reports` are third parties', named by digest."""

    statistics: Annotated[tuple[Statistic, ...], Meta(max_length=50)] = ()
    sample: Sample | None = None
    synthetic: Synthetic | None = None
    reports: Annotated[tuple[Paper, ...], Meta(max_length=20)] = ()


@dataclass(frozen=True, slots=True)
class Announced:
    """Body of sample-announced/v1: `count` rows out of `population` rows of the data with this digest."""

    seller: str
    certificate: Text
    content: Twin
    population: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    count: Annotated[int, Meta(ge=1, le=MOST_ROWS)]


@dataclass(frozen=True, slots=True)
class Draw:
    """An announcement as the log has it: its statement's digest, and the first head that covers it, None before."""

    value: Announced
    digest: Twin
    head: int | None = None
    root: Twin | None = None

    def rows(self) -> tuple[int, ...]:
        """The rows drawn, counted from 0, rising. Raises `BadTerms` before the head is there."""
        if self.root is None:
            raise BadTerms("sample.head", "首个覆盖公告的树头 / the first head over it", "尚无 / none yet")
        seed = seed_of(_pair(self.root), _pair(self.digest))
        return drawn(seed, self.value.population, self.value.count)


def subject_of(identity: str) -> str:
    """The subject of a sample's announcement with this 32-hex id."""
    return f"sample:{identity}"


def check_announced(body: Announced, subject: str) -> Announced:
    """The body belongs to its subject and asks for a sample, not for the data. Raises `BadTerms`, `FieldError`."""
    check_identity(body.seller, "body.seller")
    if not subject.startswith("sample:") or len(subject) != 39:
        raise BadTerms("statement.subject", "sample:<32 hex>", subject)
    if body.count * PART > body.population:
        raise BadTerms("body.count", f"≤ {body.population // PART}，总行数的 1/{PART} / of all rows", body.count)
    return body


def seed_of(root: TwinDigest, announcement: TwinDigest) -> bytes:
    """The seed both sides compute: SHA-256(tag ‖ 0x00 ‖ both roots of the head ‖ both digests of the announcement)."""
    return sha256(
        DRAW.encode() + b"\x00" + root.sha256 + root.sm3 + announcement.sha256 + announcement.sm3
    ).digest()  # fmt: skip


def drawn(seed: bytes, population: int, count: int) -> tuple[int, ...]:
    """`count` different numbers below `population`, rising, every set of them equally likely.

    The first `count` steps of a Fisher–Yates shuffle; numbers come from SHA-256(seed ‖ counter), biased ones are thrown
    away.
    """
    moved: dict[int, int] = {}
    numbers = _numbers(seed)
    chosen = []
    for place in range(count):
        left = population - place
        limit = 2**64 - 2**64 % left
        other = place + next(number for number in numbers if number < limit) % left
        chosen.append(moved.get(other, other))
        moved[other] = moved.get(place, place)
    return tuple(sorted(chosen))


def leaks(statistic: Statistic) -> Iterator[tuple[str, str]]:
    """(what was expected, what was given) of every way in which a statistic tells of fewer than K rows."""
    labels = [group.label for group in statistic.groups]
    if len(set(labels)) != len(labels):
        yield "每组一个名称 / each group once", "重复 / repeated"
    for group in statistic.groups:
        if group.rows < K:
            yield f"≥ {K} 行 / rows in {group.label}", str(group.rows)
        if statistic.measure is Measure.COUNT and group.value != str(group.rows):
            yield f"频数等于行数 / the count {group.rows} in {group.label}", group.value
    # What is missing from the total is a group too: nobody named it, everybody can compute it.
    rest = statistic.rows - sum(group.rows for group in statistic.groups)
    if rest < 0 or 0 < rest < K:
        yield f"未列出的行数为 0 或 ≥ {K} / rows not listed", str(rest)


def _numbers(seed: bytes) -> Iterator[int]:
    counter = 0
    while True:
        yield int.from_bytes(sha256(seed + counter.to_bytes(8, "big")).digest()[:8], "big")
        counter += 1


def _pair(digest: Twin) -> TwinDigest:
    return TwinDigest(bytes.fromhex(digest.sha256), bytes.fromhex(digest.sm3))
