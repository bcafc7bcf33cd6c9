"""A body is read into the frozen dataclass that describes it, strictly, or refused by the name of its field.

msgspec does the typed conversion; this file adds what it leaves out for dataclasses (unknown fields are refused) and
turns its messages into `FieldError`.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from ledger import canonical
from ledger.errors import FieldError

T = TypeVar("T")

_AT = re.compile(r"^(?P<expected>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.+?)`")


def read(type_: type[T], value: Any, where: str = "body") -> T:
    """`value` (dicts, lists, str, int, bool) as `type_`, a frozen dataclass. Raises `FieldError`."""
    try:
        result = msgspec.convert(value, type=type_, strict=True)
    except msgspec.ValidationError as error:
        raise _field_error(str(error), value, where) from error
    _refuse_unknown(value, result, where)
    return result


def body_of(value: Any) -> Any:
    """The plain document of a dataclass: `None` fields left out, enums by value, tuples as lists."""
    return _without_none(msgspec.to_builtins(value, str_keys=True))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        if canonical.are_counts(value):
            return [item if type(item) is int else list(item) for item in value]
        return [_without_none(item) for item in value]
    return value


def _refuse_unknown(given: Any, understood: Any, path: str) -> None:
    """Every key of `given` must stand in what it was read as, a dataclass or a dict; null stands nowhere."""
    members = _members(understood) if isinstance(given, dict) else None
    if members is not None:
        for key, item in given.items():
            if members.get(key) is None:
                known = ", ".join(sorted(name for name, value in members.items() if value is not None)) or "—"
                raise FieldError(f"{path}.{key}", f"已知字段之一 / one of: {known}", "未知字段 / unknown field")
            if isinstance(item, dict | list):
                _refuse_unknown(item, members[key], f"{path}.{key}")
    elif isinstance(given, list) and isinstance(understood, list | tuple) and not canonical.are_counts(given):
        for position, (item, known_item) in enumerate(zip(given, understood, strict=True)):
            if isinstance(item, dict | list):
                _refuse_unknown(item, known_item, f"{path}[{position}]")


def _members(understood: Any) -> dict[str, Any] | None:
    if isinstance(understood, dict):
        return understood
    fields = getattr(understood, "__dataclass_fields__", None) or getattr(understood, "__struct_fields__", None)
    return None if fields is None else {name: getattr(understood, name) for name in fields}


def _field_error(message: str, value: Any, where: str) -> FieldError:
    found = _AT.match(message)
    expected, path = (found["expected"], found["path"] or "") if found else (message, "")
    missing = _MISSING.match(expected)
    if missing:
        return FieldError(f"{where}{path}.{missing['name']}", "必填 / required", "缺失 / missing")
    return FieldError(where + path, expected.removeprefix("Expected ").replace("`", ""), _given(value, path))


def _given(value: Any, path: str) -> str:
    for name, position in re.findall(r"\.([^.\[]+)|\[([0-9]+)\]", path):
        try:
            value = value[name] if name else value[int(position)]
        except (KeyError, IndexError, TypeError):
            return "?"
    return repr(value)[:80]
