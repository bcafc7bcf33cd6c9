"""Price and quality reports for readers: forms of their documents, which stay the ones that count.

The PDF holds the document it was made from; the HTML page asks for nothing from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from clearing.pricing.telling import Told, told
from registry.calendar import text_of
from registry.document import typeset

TEMPLATE = Path(__file__).with_name("price.typ")
_pages = Environment(loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def render(report: Mapping[str, Any], data: bytes, fonts: Path) -> bytes:
    """The PDF/A-3 of a price report with its bytes `data` attached; the same bytes for the same report. Raises
    `PaperRefused` for a text that needs a glyph the font does not have."""
    said = msgspec.to_builtins(told(report, text_of)) | {"id": report["identity"]["report_id"]}
    inputs = {"report": json.dumps(said, ensure_ascii=False), "document": data.decode()}
    return typeset(TEMPLATE, inputs, fonts, report["identity"]["as_of"])


def page(said: Told) -> str:
    """A report as one HTML page with its pictures."""
    return _pages.get_template("report.html").render(report=said)
