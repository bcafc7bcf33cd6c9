"""What a price needs of a period besides the metered quantity: stated, signed, and copied into the charge.

Each part names the SHA-256 of the signed evidence it was taken from. Amounts are fen, times seconds UTC. Which parts a
tariff asks for is in its terms; `settlement.rating` holds a charge whose part is missing. Source: domain clearing §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from clearing.terms import MAX_FEN, Exact, Fen, Hex64, Positive, PriceCap, Quantity, Short

Change = Annotated[int, msgspec.Meta(ge=-MAX_FEN, le=MAX_FEN)]


@dataclass(frozen=True, slots=True)
class Active:
    """The agreement was in force on `days` of the `of` days of the period."""

    days: Quantity
    of: Positive
    evidence: Hex64


@dataclass(frozen=True, slots=True)
class Declared:
    """收入分成: the base of the period as its owner declared it, fen. An audit that differs re-rates the period."""

    amount: Fen
    evidence: Hex64


@dataclass(frozen=True, slots=True)
class SuccessEvent:
    """成功: a success worth `amount` fen, or a claw-back (`amount` < 0) of one that stands at `before` fen.

    `case` names the success. It came `at` a second and is put down to what was at `since`: the use that led to a
    success, the success that a claw-back takes back.
    """

    case: Short
    amount: Change
    at: Quantity
    since: Quantity
    evidence: Hex64
    before: Fen = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of the period under one version of a scheme, unrounded; None where 符合性审查 was not passed."""

    scheme: Short
    version: Positive
    evidence: Hex64
    score: Exact | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Of `owed` seconds of service `down` were lost to unplanned outages."""

    owed: Quantity
    down: Quantity
    evidence: Hex64


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything stated for one agreement and period. `cap` is a guided price in force that the terms do not know."""

    active: Active | None = None
    declared: Declared | None = None
    events: tuple[SuccessEvent, ...] | None = None
    scored: Scored | None = None
    measured: Measured | None = None
    cap: PriceCap | None = None
