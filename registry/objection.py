"""异议 against a publicity (guide art. 25): who objects, why, and what was decided about it.

Each objection has its own investigation clock C07 and outlives the publicity it was raised in. Objections after
registration (art. 29) are another procedure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.calendar import Calendar, day_of, end_of
from registry.clocks import period
from registry.form import Attachment, Named
from registry.scheme import Scheme

OBJECTION = "objection/v1"

Reason = Annotated[str, Meta(min_length=1, max_length=4000)]


class Outcome(StrEnum):
    """How an objection ended; an open one has no outcome. Silence never rejects or upholds it."""

    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    UPHELD = "upheld"


@dataclass(frozen=True, slots=True)
class Objection:
    """Body of objection/v1. Signed by the objecting party, or by the clerk who verified the objector's contact (D14).

    `application` is the 32-hex id, `objector` the name under which the objection is made, `contact` the contact that
    was verified; neither is ever published.
    """

    application: str
    objector: Named
    contact: Named
    reason: Reason
    papers: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Raised:
    """An objection inside a case: its id, when it was received, and its outcome once decided."""

    id: str
    received_at: int
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What two persons decided about one objection."""

    objection: str
    outcome: Outcome
    reason: Reason


def investigation_ends(raised: Raised, scheme: Scheme, calendar: Calendar) -> int:
    """End of C07 of this objection (exclusive instant): an alert only. Raises `CalendarPending`."""
    return end_of(investigation_last_day(day_of(raised.received_at), scheme, calendar))


def investigation_last_day(received: date, scheme: Scheme, calendar: Calendar) -> date:
    """The last day of C07 of an objection received on `received`."""
    return period("C07", received, scheme, calendar)
