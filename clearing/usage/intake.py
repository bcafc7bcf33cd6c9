"""What intake makes of an admitted record: its class. Only class OK is billed; every other one is kept as evidence.

A request id that comes twice is found by reconciliation, over all records of an agreement (decisions D10): the class
of a record does not depend on what came before it.

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
    OK = "OK"


@dataclass(frozen=True, slots=True)
class Context:
    """The agreement as it stood at `occurred_at`."""

    revision: int
    terms: Terms
    standing: Standing


def classify(record: UsageRecord, context: Context | None, received_at: int) -> UseClass:
    """The class of a record received at `received_at` (seconds UTC); `context` is None for an unknown agreement."""
    if context is None:
        return UseClass.UNKNOWN
    terms = context.terms
    if not _may_report(record, terms):
        return UseClass.REPORTER
    if record.decision is Decision.DENY:
        return UseClass.REFUSED
    if record.occurred_at > received_at + FUTURE_LIMIT:
        return UseClass.FUTURE
    if context.standing is not Standing.EFFECTIVE:
        return UseClass.STANDING
    if not _same_version(record, context):
        return UseClass.VERSION
    if record.purpose not in terms.purposes:
        return UseClass.SCOPE
    if not record.billable:
        return UseClass.TRIAL
    tariff = terms.settlement.tariff
    if record.unit != tariff.unit:
        return UseClass.UNIT
    if record.quantity == 0:
        return UseClass.QUANTITY
    if received_at - record.occurred_at > terms.settlement.period.late_limit:
        return UseClass.LATE
    if record.status is not StatusClass.OK and not tariff.bill_failures:
        return UseClass.FAILED
    return UseClass.OK


def _may_report(record: UsageRecord, terms: Terms) -> bool:
    consuming = record.side is Side.CONSUME
    for party in terms.parties:
        if record.connector in party.connectors and (party.role is Role.CONSUMER) == consuming:
            return True
    return False


def _same_version(record: UsageRecord, context: Context) -> bool:
    product = context.terms.product
    return (
        record.revision == context.revision
        and record.listing == product.listing
        and record.version == product.version
        and record.certificate == product.certificate
    )
