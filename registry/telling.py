"""What the agency tells of a certificate when its state changes: status and flags, to the log, the chain, the list.

The state itself is never stored by hand: it follows from entries, remarks, objections, endings and time
(`registry.certificate.Standing`). A telling says what it became, from when, and on which ground, so that whoever keeps
an own copy (RightsRegistry, the status list) can follow; nothing is told twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from registry.asset import Short
from registry.certificate import IN_FORCE, Instant, Standing, Status, status_at

TOLD = "certificate-status/v1"


@dataclass(frozen=True, slots=True)
class CertificateState:
    """What holds of a certificate version at an instant: its status (decisions D19) and two independent flags."""

    status: Status
    encumbered: bool = False
    objection: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """Body of certificate-status/v1: the state of one version from `effective_at` (second UTC) on.

    `basis` names what brought it about: a fact id, or the rule or clock a timer acted under.
    """

    code: Short
    version: Annotated[int, Meta(ge=1)]
    status: Status
    encumbered: bool
    objection: bool
    effective_at: Instant
    basis: Short


def state_at(standing: Standing, at: int) -> CertificateState | None:
    """The state to be told at an instant; `None` before the certificate began. An ended certificate keeps no flags.

    A renewal that is pending is told before expiry: the contract takes the mark only then, and would otherwise call the
    certificate lapsed (decisions D19). Until expiry it is as good as VALID, and `status_at` says so.
    """
    status = status_at(standing, at)
    if status is None:
        return None
    filed = standing.renewal_filed_at
    if status is Status.VALID and filed is not None and filed <= at:
        status = Status.RENEWAL_PENDING
    if status not in IN_FORCE:
        return CertificateState(status)
    return CertificateState(status, standing.encumbered, standing.objection)
