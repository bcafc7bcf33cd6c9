"""An invoice as its issuer states it: only a recorded invoice turns the tax of a charge into something owed."""

from __future__ import annotations

from dataclasses import dataclass

from clearing import money
from clearing.errors import BadTerms
from clearing.settlement.rating import Charge


@dataclass(frozen=True, slots=True)
class Invoice:
    """The body of an invoice fact, signed by its issuer. Amounts are fen and equal the charge's."""

    charge: str
    agreement: str
    period: str
    issuer: str
    number: str
    gross: int
    tax: int
    issued_at: int


def check_invoice(invoice: Invoice, charge: Charge) -> None:
    """An invoice that is off by one fen starts nothing. Raises BadTerms naming the field."""
    for field, expected, given in (
        ("issuer", charge.invoice_issuer, invoice.issuer),
        ("agreement", charge.agreement, invoice.agreement),
        ("period", charge.period, invoice.period),
        ("gross", charge.gross, money.fen(invoice.gross, "gross")),
        ("tax", charge.tax, money.fen(invoice.tax, "tax")),
    ):
        if expected != given:
            raise BadTerms(f"invoice.{field}", str(expected), given)
    if not invoice.number or len(invoice.number) > 40:
        raise BadTerms("invoice.number", "1 to 40 characters", invoice.number)
