"""Everything that is wrong with the body of a draft, not only the first thing, each at its field and in both languages.

The rules are those of the form's own types (`registry.form.Form`), read from them, so a field added there is checked
here. What the words mean is the pre-check's business; this says whether the form can be read at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, TypeVar

import msgspec
import msgspec.inspect as types

from ledger import canonical
from ledger.errors import FieldError
from ledger.reading import body_of
from registry.asset import AssetKind
from registry.rights import RIGHT_NAMES

NAMES_OF_VALUES: Mapping[str, str] = {
    AssetKind.RESOURCE.value: "数据资源",
    AssetKind.ELEMENT.value: "数据元件",
    AssetKind.PRODUCT.value: "数据产品",
    **{right.value: name for right, name in RIGHT_NAMES.items()},
}
"""What people call the values that are codes; every other enumeration holds the form's own words."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATES = re.compile(rb'"(\d{4}-\d{2}-\d{2})"')
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """One field that cannot be read: its path in the form ("applicants[0].name") and the rule it breaks."""

    path: str
    zh: str
    en: str


@cache
def shape_of(kind: type) -> types.Type:
    """The type of a form, taken apart once."""
    return types.type_info(kind)


def problems(body: Any, kind: type) -> list[Problem]:
    """Every field of `body` that keeps it from being read as `kind`, in the form's order; empty: it can be read."""
    return list(_walk(body, shape_of(kind), ""))


def readable(body: Any, kind: type[T]) -> tuple[T, bytes] | None:
    """The body as `kind` and its canonical bytes, if it has no problem at all; far quicker than looking for each.

    Unknown fields are not looked for: this is for bodies made by a program.
    """
    try:
        form = msgspec.convert(body, type=kind, strict=True)
        document = canonical.encode(body_of(form))
    except (msgspec.ValidationError, FieldError):
        return None
    days = {match[1].decode() for match in _DATES.finditer(document)}
    # A text that looks like a day may stand where none is meant; then the thorough way decides.
    return (form, document) if all(map(_is_day, days)) or not problems(body, kind) else None


def shown(value: Any) -> str:
    """What was typed, short enough for a message."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _walk(value: Any, shape: types.Type, path: str) -> Iterator[Problem]:
    if isinstance(shape, types.UnionType):
        inner = [item for item in shape.types if not isinstance(item, types.NoneType)]
        if value is not None:
            yield from _walk(value, inner[0], path)
    elif isinstance(shape, types.DataclassType):
        yield from _object(value, shape, path)
    elif isinstance(shape, types.VarTupleType):
        yield from _list(value, shape, path)
    else:
        yield from _leaf(value, shape, path)


def _object(value: Any, shape: types.DataclassType, path: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong(path, "应填写各项内容", "an object is expected", value)
        return
    known = {field.encode_name for field in shape.fields}
    for name in value:
        if name not in known:
            yield Problem(_join(path, str(name)[:80]), "没有这一项，请删除", "unknown field")
    for field in shape.fields:
        here = _join(path, field.encode_name)
        if field.encode_name in value:
            yield from _walk(value[field.encode_name], field.type, here)
        elif field.required:
            yield _empty(here)


def _list(value: Any, shape: types.VarTupleType, path: str) -> Iterator[Problem]:
    if not isinstance(value, list | tuple):
        yield _wrong(path, "应为列表", "a list is expected", value)
        return
    least, most = shape.min_length or 0, shape.max_length
    if len(value) < least:
        yield _empty(path)
    if most is not None and len(value) > most:
        yield Problem(path, f"最多{most}项，实为{len(value)}项", f"at most {most} items, given {len(value)}")
        return
    for place, item in enumerate(value):
        yield from _walk(item, shape.item_type, f"{path}[{place}]")


def _leaf(value: Any, shape: types.Type, path: str) -> Iterator[Problem]:
    if isinstance(shape, types.StrType):
        yield from _text(value, shape, path)
    elif value == "":
        yield _empty(path)
    elif isinstance(shape, types.EnumType):
        if value not in [item.value for item in shape.cls]:
            words = "、".join(NAMES_OF_VALUES.get(item.value, item.value) for item in shape.cls)
            codes = " | ".join(str(item.value) for item in shape.cls)
            yield _wrong(path, f"应为{words}之一", f"one of {codes}", value)
    elif isinstance(shape, types.BoolType):
        if not isinstance(value, bool):
            yield _wrong(path, "应填“是”或“否”", "true or false", value)
    elif isinstance(shape, types.IntType):
        low, high = shape.ge or 0, shape.le
        if type(value) is not int or value < low or (high is not None and value > high):
            yield _wrong(path, f"应为{low}至{high}的整数", f"an integer from {low} to {high}", value)


def _text(value: Any, shape: types.StrType, path: str) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield _wrong(path, "应为文字", "a text is expected", value)
    elif not value and (shape.min_length or shape.pattern):
        yield _empty(path)
    elif shape.max_length is not None and len(value) > shape.max_length:
        yield Problem(
            path, f"不超过{shape.max_length}个字，实为{len(value)}个字", f"at most {shape.max_length} characters"
        )
    elif shape.pattern and not re.search(shape.pattern, value):
        yield _wrong(path, *_PATTERNS.get(_pattern_name(shape.pattern), ("格式不正确", "wrong form")), value)
    elif shape.pattern and _pattern_name(shape.pattern) == "day" and not _is_day(value):
        yield _wrong(path, "日期不存在", "there is no such day", value)
    else:
        try:
            canonical.encode(value)
        except FieldError as error:
            yield Problem(
                path,
                f"含有换行、控制符或不可见字符（{error.given}），请删除",
                f"holds a line break, control or invisible character ({error.given})",
            )


_PATTERNS = {
    "day": ("应为日期，如 2024-01-31", "a day such as 2024-01-31"),
    "digest": ("应为64位小写十六进制摘要", "64 lower-case hexadecimal characters"),
    "number": ("应为数字，如 336776 或 0.5", "a number such as 336776 or 0.5"),
}


def _pattern_name(pattern: str) -> str:
    if pattern.startswith("^[0-9]{4}-"):
        return "day"
    return "digest" if "a-f" in pattern else "number"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return bool(_DATE.fullmatch(text))


def _empty(path: str) -> Problem:
    return Problem(path, "未填写", "is empty")


def _wrong(path: str, zh: str, en: str, value: Any) -> Problem:
    return Problem(path, f"{zh}，实为“{shown(value)}”", f"{en}, given {shown(value)!r}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
