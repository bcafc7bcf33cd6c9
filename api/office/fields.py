"""A form as browsers send it (application/x-www-form-urlencoded), as text values by name, read strictly.

What people type is put into the one form our documents have: Unicode NFC, no invisible characters, line ends as a
space (canonical texts have no line ends). Nothing else is repaired.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from api.bodies import WrongType
from ledger.errors import FieldError, Malformed

MAX_FORM = 1024 * 1024
MAX_FIELDS = 2000
TYPE = "application/x-www-form-urlencoded"
_NAME = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_INVISIBLE = re.compile("[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")


def read_fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a posted form; of several with one name the last counts. Raises `WrongType` or `FieldError`."""
    if content_type.partition(";")[0].strip().lower() != TYPE:
        raise WrongType("Content-Type", TYPE, repr(content_type)[:80])
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise Malformed("表单无法读取。 / The form cannot be read.") from error
    return {_name(name): tidy(value) for name, value in pairs}


def of_document(value: Any) -> dict[str, str]:
    """The fields of a form that our script sends as {"fields": {name: text}}, read as strictly. Raises `FieldError`."""
    fields = value.get("fields") if isinstance(value, dict) and set(value) == {"fields"} else None
    if not isinstance(fields, dict) or len(fields) > MAX_FIELDS:
        raise FieldError("request", '{"fields": {…}}', repr(value)[:80])
    for name, text in fields.items():
        if not isinstance(text, str):
            raise FieldError(f"fields.{_name(name)}", "文本 / a text", repr(text)[:80])
    return {_name(name): tidy(text) for name, text in fields.items()}


def _name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > 128:
        raise FieldError("form", "表单字段名 / a field name", repr(name)[:80])
    return name


def tidy(text: str) -> str:
    """A typed text as it is kept: NFC, line ends as spaces, without invisible characters and surrounding space."""
    lines = re.sub(r"[ \t]*(?:\r\n|\r|\n)+[ \t]*", " ", text).replace("\t", " ")
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", lines)).strip()


def rows(values: Mapping[str, str], group: str) -> list[dict[str, str]]:
    """The rows of a repeated group: "rights.0.right", "rights.1.right" … in order; numbers need not be contiguous."""
    found: dict[int, dict[str, str]] = {}
    for name, value in values.items():
        head, _, rest = name.removeprefix(f"{group}.").partition(".")
        if name.startswith(f"{group}.") and head.isdecimal() and rest and len(head) <= 4:
            found.setdefault(int(head), {})[rest] = value
    return [found[number] for number in sorted(found)]


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """A document as field values, the reverse of what the forms read; lists of texts joined by "；"."""
    if isinstance(value, dict):
        return {
            name: text
            for key, inner in value.items()
            for name, text in flat(inner, f"{prefix}.{key}" if prefix else key).items()
        }
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            return {prefix: "；".join(value)}
        return {
            name: text for place, item in enumerate(value) for name, text in flat(item, f"{prefix}.{place}").items()
        }
    if value is True or value is False:
        return {prefix: "1" if value else ""}
    return {prefix: str(value)}
