"""What intake makes of an admitted record: its class. Only class OK is billed; every other one is kept as evidence.

Pure: the agreement as it stood when the use occurred is passed in. Source: clearing.md §2.2, §2.4; exchange.md §5.3;
decisions D9, D24.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clearing.market.agreement import Role, Terms
from clearing.market.policy import Decision, Standing
from clearing.usage.record import FUTURE_LIMIT, Side, StatusClass, UsageRecord


class UseClass(StrEnum):
    """Class of a record at intake; the first that applies, in this order."""

    UNKNOWN = "UNKNOWN"  # no such agreement when the use occurred
    REPORTER = "REPORTER"  # the connector is not named in the agreement for this side
    REFUSED = "REFUSED"  # the connector stopped the use: evidence, nothing delivered
    FUTURE = "FUTURE"  # occurred more than five minutes after it was received
    STANDING = "STANDING"  # the agreement was not in force when the use occurred
    VERSION = "VERSION"  # another agreement revision or product version than the one in force
    SCOPE = "SCOPE"  # a purpose the agreement does not name
    TRIAL = "TRIAL"  # the connector marked the use as not billable
    UNIT = "UNIT"  # measured in another unit than the tariff's
    QUANTITY = "QUANTITY"  # nothing was used
    LATE = "LATE"  # received later than the signed limit
    FAILED = "FAILED"  # the call failed and the tariff does not bill failures
    DUP = "DUP"  # the request id was counted before on this side of the agreement
    OK = "OK"


@dataclass(frozen=True, slots=True)
class Context:
    """The agreement as it stood at `occurred_at`, and whether the request id was counted before."""

    revision: int
    terms: Terms
    standing: Standing
    counted_before: bool


def classify(record: UsageRecord, context: Context | None, received_at: int) -> UseClass:
    """The class of a record received at `received_at` (seconds UTC); `context` is None for an unknown agreement."""
    if context is None:
        return UseClass.UNKNOWN
    terms = context.terms
    if not _may_report(record, terms):
        return UseClass.REPORTER
    if record.decision is Decision.DENY:
        return UseClass.REFUSED
    late_limit = terms.settlement.period.late_limit
    checks = (
        (UseClass.FUTURE, record.occurred_at > received_at + FUTURE_LIMIT),
        (UseClass.STANDING, context.standing is not Standing.EFFECTIVE),
        (UseClass.VERSION, not _same_version(record, context)),
        (UseClass.SCOPE, record.purpose not in terms.purposes),
        (UseClass.TRIAL, not record.billable),
        (UseClass.UNIT, record.unit != terms.settlement.tariff.unit),
        (UseClass.QUANTITY, record.quantity == 0),
        (UseClass.LATE, received_at - record.occurred_at > late_limit),
        (UseClass.FAILED, record.status is not StatusClass.OK and not terms.settlement.tariff.bill_failures),
        (UseClass.DUP, context.counted_before),
    )
    return next((name for name, applies in checks if applies), UseClass.OK)


def _may_report(record: UsageRecord, terms: Terms) -> bool:
    consuming = record.side is Side.CONSUME
    return any(
        record.connector in party.connectors for party in terms.parties if (party.role is Role.CONSUMER) == consuming
    )


def _same_version(record: UsageRecord, context: Context) -> bool:
    product = context.terms.product
    return (record.revision, record.listing, record.version, record.certificate) == (
        context.revision, product.listing, product.version, product.certificate
    )  # fmt: skip
