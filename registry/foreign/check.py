"""核验: the states of a foreign certificate and the moves between them, and how long an answer may be relied upon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.errors import FieldError
from registry.asset import Day, Long, Twin
from registry.calendar import day_of
from registry.certificate import Instant
from registry.errors import IllegalMove

CHECKED = "foreign-check/v1"
GOOD_FOR = 30 * 86_400
"""Seconds an answer may be relied upon before it is asked again (P)."""


class ForeignState(StrEnum):
    """Where a foreign certificate stands with us; nothing of it says whether it is in force for anybody else."""

    IMPORTED = "IMPORTED"
    VERIFIED = "VERIFIED"
    FAILED = "FAILED"
    UNVERIFIABLE = "UNVERIFIABLE"


STATE_NAMES: Mapping[ForeignState, str] = {
    ForeignState.IMPORTED: "已导入，未核验",
    ForeignState.VERIFIED: "核验一致",
    ForeignState.FAILED: "核验不符",
    ForeignState.UNVERIFIABLE: "无法核验",
}
RESULTS = frozenset({ForeignState.VERIFIED, ForeignState.FAILED, ForeignState.UNVERIFIABLE})
MOVES: Mapping[ForeignState, frozenset[ForeignState]] = dict.fromkeys(ForeignState, RESULTS)
"""From every state to every result: a check can be repeated, and no paper is ever unchecked again."""


class Method(StrEnum):
    """How it was checked."""

    ISSUER_SITE = "签发方查询网站"
    ISSUER_API = "签发方接口"
    ISSUER_LETTER = "签发方书面答复"
    SIGNATURE = "电子签名验证"
    ORIGINAL = "核对原件"


@dataclass(frozen=True, slots=True)
class ForeignCheck:
    """Body of foreign-check/v1: what one check found, by which method, as of when, on which evidence.

    `evidence` is the digest of what was kept of it (answer, letter, screen); `valid_until` what the issuer said.
    """

    result: ForeignState
    method: Method
    as_of: Instant
    evidence: Twin
    note: Long = ""
    valid_until: Day | None = None


def checked(state: ForeignState, check: ForeignCheck, before: int, at: int) -> ForeignState:
    """The state after a check. `before` is the `as_of` of the check before it, or 0.

    Raises `IllegalMove` for what is no result, `FieldError` for a check of the future or older than the last one.
    """
    if check.result not in MOVES[state]:
        raise IllegalMove(state.value, check.result.value)
    if not before <= check.as_of <= at:
        raise FieldError("body.as_of", f"{before} – {at}", str(check.as_of))
    if check.result is not ForeignState.VERIFIED and not check.note.strip():
        raise FieldError(
            "body.note", "说明不符或无法核验之处 / what differs, or why it cannot be checked", "空 / empty"
        )
    return check.result


def relied_upon(state: ForeignState, as_of: int, valid_until: str, at: int) -> bool:
    """May the answer be relied upon at `at`: verified, not too long ago, and the paper not over?"""
    over = bool(valid_until) and day_of(at).isoformat() > valid_until
    return state is ForeignState.VERIFIED and as_of <= at < as_of + GOOD_FOR and not over
