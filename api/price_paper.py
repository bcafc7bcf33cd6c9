"""The price report as a PDF: a page form of its document, which stays the one that counts and lies inside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from clearing.pricing.telling import told
from registry.calendar import text_of
from registry.document import typeset

TEMPLATE = Path(__file__).with_name("price.typ")


def render(report: Mapping[str, Any], data: bytes, fonts: Path) -> bytes:
    """The PDF/A-3 of a report with its bytes `data` attached; the same bytes for the same report. Raises `PaperRefused`
    for a text that needs a glyph the font does not have."""
    said = msgspec.to_builtins(told(report, text_of)) | {"id": report["identity"]["report_id"]}
    inputs = {"report": json.dumps(said, ensure_ascii=False), "document": data.decode()}
    return typeset(TEMPLATE, inputs, fonts, report["identity"]["as_of"])
