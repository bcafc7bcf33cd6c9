"""The policy, and the dates that follow from it; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from msgspec import Meta

from registry.asset import Count, Hex64, Long, Short, Twin
from registry.calendar import ONE_DAY, add_years, day_of
from registry.certificate import Instant, Standing, Status
from registry.errors import GuardRefused

RENEWAL = "proof-renewal/v1"
DELETION = "deletion-approval/v1"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm in use, what for, and the year by whose end proofs resting on it are renewed (P)."""

    id: Short
    use: Short
    renew_by: int


@dataclass(frozen=True, slots=True)
class Policy:
    """`years` counted from the end of force (P: the guide names no start); a head's proof is renewed `renew_after`
    years after the last time, or when one of its algorithms is due; `renewal` is what it is hashed with then."""

    version: Short
    years: int
    renew_after: int
    algorithms: tuple[Algorithm, ...]
    renewal: Short


POLICY = Policy(
    version="retention-2026",
    years=20,
    renew_after=5,
    algorithms=(
        Algorithm("sha-256", "双摘要 / twin digest", 2036),
        Algorithm("sm3", "双摘要 / twin digest", 2036),
        Algorithm("sm2-sm3", "签名 / signatures", 2032),
        Algorithm("ed25519", "树头和见证 / heads and witnesses", 2032),
        Algorithm("secp256k1-keccak256", "链上 / chain", 2032),
    ),
    renewal="sha3-512",
)
HASHES: Mapping[str, str] = {"sha3-512": "sha3_512", "sha-512": "sha512"}
"""Algorithms a renewal may use → their name in hashlib."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Body of proof-renewal/v1 about "renewal:⟨head size⟩": an old head bound under a newer algorithm and time.

    `note` is the twin digest of the signed note, `content` the digest by `algorithm` over the `lines` archive lines of
    all facts under the head in log order, so the content itself is bound again and not only its old digests.
    """

    size: Annotated[int, Meta(ge=1)]
    root: Twin
    head_at: Instant
    note: Twin
    algorithm: Annotated[str, Meta(pattern=r"^(sha3-512|sha-512)\Z")]
    content: Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]
    lines: Count
    policy: Short


@dataclass(frozen=True, slots=True)
class DeletionApproval:
    """Body of deletion-approval/v1 about "deletion:⟨fact id⟩", signed by two persons: reviewer and approver.

    `code` names the certificate whose file it is, "" where the fact led to none.
    """

    fact: Hex64
    ground: Annotated[str, Meta(min_length=1, max_length=500)]
    basis: Annotated[str, Meta(min_length=1, max_length=500)]
    code: Annotated[str, Meta(max_length=15)] = ""
    lawful_earlier: bool = False
    note: Long = ""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Until when a certificate's file is kept at least; `until` "" while it is in force or a dispute is open."""

    code: str
    ended_on: str
    until: str
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DueRenewal:
    """A head whose proof is to be renewed, by when (legal day), and why."""

    size: int
    head_at: int
    due: str
    why: tuple[str, ...]


def ended_on(standing: Standing, status: Status | None, now: int) -> date | None:
    """The last day on which a certificate was in force; `None` while it is."""
    if standing.ended is not None and now >= standing.ended_at:
        return day_of(standing.ended_at)
    if status is Status.LAPSED:
        return day_of(standing.valid_until) - ONE_DAY
    return None


def keeping_of(code: str, ended: date | None, pending: Iterable[str], policy: Policy = POLICY) -> Keeping:
    """C20, V18: at least twenty years from the end of force; a pending dispute or inquiry keeps it open (P)."""
    open_ = tuple(sorted(pending))
    if ended is None:
        return Keeping(code, "", "", open_)
    until = add_years(ended, policy.years).isoformat()
    return Keeping(code, ended.isoformat(), "" if open_ else until, open_)


def renewal_due(size: int, head_at: int, renewed_at: int | None, policy: Policy = POLICY) -> DueRenewal:
    """When the proof of a head is to be renewed next: the earlier of the interval and of its algorithms' years."""
    since = day_of(renewed_at if renewed_at is not None else head_at)
    interval = add_years(since, policy.renew_after)
    years = {item.id: date(item.renew_by, 12, 31) for item in policy.algorithms}
    late = {name: day for name, day in years.items() if renewed_at is None or day_of(renewed_at) <= day}
    first = min([interval, *late.values()])
    why = [f"{policy.renew_after} 年 / years"] if interval == first else []
    why += sorted(name for name, day in late.items() if day == first)
    return DueRenewal(size, head_at, first.isoformat(), tuple(why))


def content_digest(lines: Iterable[bytes], algorithm: str) -> tuple[str, int]:
    """The digest over archive lines and how many there were."""
    state, count = hashlib.new(HASHES[algorithm]), 0
    for line in lines:
        state.update(line)
        count += 1
    return state.hexdigest(), count


def require_deletable(approval: DeletionApproval, keeping: Keeping | None, now: int) -> None:
    """Raises `GuardRefused` before the time is over, unless law demands it earlier and the basis says so."""
    if approval.lawful_earlier:
        return
    today = day_of(now).isoformat()
    if keeping is None or not keeping.until or keeping.until >= today:
        until = keeping.until if keeping and keeping.until else "—"
        why = "、".join(keeping.pending) if keeping else ""
        raise GuardRefused(
            "删除", "kept_long_enough", f"保存期限未满（至 {until}{why and '；未决：' + why}）。",
            "the time of keeping is not over",
        )  # fmt: skip
