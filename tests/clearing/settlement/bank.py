"""A 演示 bank statement file, as a bank would write it."""

from __future__ import annotations

import csv
import io

from clearing.settlement.bank_file import ENTRY_COLUMNS, FILE_COLUMNS


def entry(reference: str, amount: str, **more: str) -> dict[str, str]:
    """One entry row; amounts are yuan text."""
    base = dict.fromkeys(ENTRY_COLUMNS, "")
    return {**base, "reference": reference, "amount": amount, "booking_date": "2026-04-15",
            "value_date": "2026-04-15", **more}  # fmt: skip


def bank_file(opening: str, closing: str, *entries: dict[str, str], day: str = "2026-04-15") -> bytes:
    """The whole file, of one day."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(FILE_COLUMNS)
    writer.writerow(("102100099996", "0100000000000001", "CNY", opening, closing, day, day))
    writer.writerow(ENTRY_COLUMNS)
    for row in entries:
        writer.writerow([row[name] for name in ENTRY_COLUMNS])
    return out.getvalue().encode()
