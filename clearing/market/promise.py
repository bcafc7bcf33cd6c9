"""What the terms promise beside use and price: how a delivery is inspected, which service level is kept.

Values only, copied into the signed terms; `delivery` counts the inspection, `clearing.usage.service_level` measures
what was promised. Source: exchange.md §4.1 (质量/SLA; 验收), §4.8, §8.2; 民法典 203, 621.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from registry.party import check_identity

MOST_ROUNDS = 20
NOTICE_HOURS = 72
"""Least notice of a planned outage (§8.2): the terms may ask for more."""

Ppm = Annotated[int, Meta(ge=0, le=1_000_000)]
Milliseconds = Annotated[int, Meta(ge=1, le=86_400_000)]


class Silence(StrEnum):
    """What silence after delivery means (§4.8)."""

    ACCEPT = "accept"
    REJECT = "reject"
    ESCALATE = "escalate"


class Counting(StrEnum):
    """自然日（末日为法定休假日的顺延，民法典 203） · 工作日: how the days of the inspection are counted."""

    DAYS = "days"
    WORKING_DAYS = "working_days"


class MeasuringPoint(StrEnum):
    """Whose connector's records are measured: that of the side that delivers, or of the side that uses."""

    PROVIDER = "PROVIDE"
    CONSUMER = "CONSUME"


@dataclass(frozen=True, slots=True)
class Inspection:
    """验收 beside `acceptance_days` and `silence` of the terms.

    `quality_in_use`: quality shows only in use, so silence after the agreed days accepts nothing. `rounds`: how many
    times one item may be delivered again. `decider`: the 监理 that decides what the sides do not agree on, by identity;
    "" leaves it to an authority on record.
    """

    counting: Counting = Counting.DAYS
    quality_in_use: bool = False
    rounds: Annotated[int, Meta(ge=0, le=MOST_ROUNDS)] = 2
    decider: str = ""


@dataclass(frozen=True, slots=True)
class ServiceTargets:
    """服务水平 as numbers: shares in millionths, times in milliseconds; what is absent was not promised.

    A planned outage counts as planned only with at least `notice_hours` of notice.
    """

    measured: MeasuringPoint = MeasuringPoint.PROVIDER
    availability: Ppm | None = None
    p50_ms: Milliseconds | None = None
    p95_ms: Milliseconds | None = None
    p99_ms: Milliseconds | None = None
    accuracy: Ppm | None = None
    compliance: Ppm | None = None
    notice_hours: Annotated[int, Meta(ge=NOTICE_HOURS, le=8_784)] = NOTICE_HOURS


def check_inspection(inspection: Inspection, parties: frozenset[str]) -> None:
    """Whoever decides is on no side of the agreement. Raises `BadTerms`, `FieldError`."""
    if not inspection.decider:
        return
    field = "terms.inspection.decider"
    check_identity(inspection.decider, field)
    if inspection.decider in parties:
        raise BadTerms(field, "合约各方以外的监理 / nobody who is a party of the agreement", inspection.decider)
