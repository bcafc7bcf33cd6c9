"""Templates to pages: everything is escaped, an unknown name in a template is an error, times are Beijing times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.office import words
from clearing.money import yuan
from registry.calendar import text_of
from registry.intake.attachment import LIMITS
from registry.intake.sniff import ENDINGS
from registry.scheme import NATIONAL_2026


def day(instant: int) -> str:
    """The day in Beijing, "2026-09-01"."""
    return text_of(instant)[:10]


def grouped(digest: str) -> str:
    """A digest in groups of eight characters, so that it can be compared by eye and broken into lines."""
    return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))


_templates = Environment(
    loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_templates.filters |= {
    "moment": words.moment,
    "day": day,
    "grouped": grouped,
    "yuan": yuan,
    "limit": words.limit,
    "item_name": words.item_name,
}
_templates.globals |= {"source": NATIONAL_2026.title, "paper_most": LIMITS.file, "paper_endings": tuple(ENDINGS)}


def page(
    request: Request, name: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """The page `name`.html. A check may hold a token in its address, so no page is stored on the way."""
    demo = request.app.state.system.settings.demo
    text = _templates.get_template(f"{name}.html").render(demo=demo, path=request.url.path, **values)
    return HTMLResponse(text, status, {"Cache-Control": "no-store", **(headers or {})})


def fragment(name: str, **values: Any) -> str:
    """A piece of a page, as the page itself shows it."""
    return _templates.get_template(f"{name}.html").render(**values)


def error_page(request: Request, message: str, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """What went wrong, Chinese first; a message is "中文 / English"."""
    chinese, _, english = message.partition(" / ")
    return page(request, "error", status, headers, chinese=chinese, english=english, code=status)
