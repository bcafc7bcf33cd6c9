"""试算: one 项目周期 from a document, with no database and nothing written. The format is that of `case.Case`."""

from __future__ import annotations

from typing import Any

from clearing.settlement.service_order.case import Case, outcome
from ledger.reading import body_of, read


def trial_order(document: Any) -> dict[str, Any]:
    """Scores, fees, damages, balance, dates and pass-through of a case; a wrong document names the field.

    Raises the ledger's FieldError or a ClearingError.
    """
    found: dict[str, Any] = body_of(outcome(read(Case, document, "case")))
    return found
