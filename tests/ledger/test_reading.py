"""A body is read strictly, or refused by the name of its field."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import msgspec
import pytest

from ledger.errors import FieldError
from ledger.reading import body_of, read


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    count: Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class Body:
    title: str
    items: tuple[Item, ...]
    colour: Colour
    inner: Item | None = None
    flag: bool = False
    more: dict[str, int] | None = None
    rows: tuple[tuple[int, ...], ...] | None = None


GOOD: dict[str, Any] = {"title": "甲", "items": [{"name": "a", "count": 1}, {"name": "b", "count": 0}], "colour": "red"}


def test_read__good_body__dataclass_and_back() -> None:
    body = read(Body, GOOD)
    assert body == Body("甲", (Item("a", 1), Item("b", 0)), Colour.RED)
    assert body_of(body) == GOOD | {"flag": False}
    assert read(Body, body_of(body)) == body


def change(path: str, value: Any) -> dict[str, Any]:
    """GOOD with the value at `path` ("items.1.count") replaced."""
    result = copy.deepcopy(GOOD)
    at: Any = result
    *way, last = path.split(".")
    for step in way:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    at[int(last) if last.isdigit() else last] = value
    return result


@pytest.mark.parametrize(
    ("value", "field", "expected", "given"),
    [
        ({k: v for k, v in GOOD.items() if k != "title"}, "body.title", "required", "missing"),
        (change("items.1", {"name": "b"}), "body.items[1].count", "required", "missing"),
        (change("title", 7), "body.title", "str", "7"),
        (change("items.0.count", "1"), "body.items[0].count", "int", "'1'"),
        (change("items.1.count", -1), "body.items[1].count", ">= 0", "-1"),
        (change("items.1.count", True), "body.items[1].count", "int", "True"),
        (change("items", {}), "body.items", "array", "{}"),
        (change("flag", 1), "body.flag", "bool", "1"),
        (change("colour", "green"), "body.colour", "", "'green'"),
        (change("extra", 1), "body.extra", "colour, flag, items, title", "unknown"),
        (change("items.1.price", 1), "body.items[1].price", "count, name", "unknown"),
        (change("inner", {"name": "x", "count": 1, "y": 2}), "body.inner.y", "count, name", "unknown"),
        (change("inner", None), "body.inner", "colour, flag, items, title", "unknown"),
        (change("more", {"a": 1} | {"b": None}), "body.more", "int", "?"),
        (change("rows", [[1, 2], [3, {"a": 1}]]), "body.rows[1][1]", "int", "{"),
        (change("more", {"a": "b"}), "body.more", "int", "?"),
        ([], "body", "object", "[]"),
        ("x", "body", "object", "'x'"),
        (None, "body", "object", "None"),
    ],
)
def test_read__wrong_body__names_field_expected_and_given(value: Any, field: str, expected: str, given: str) -> None:
    with pytest.raises(FieldError) as refused:
        read(Body, value)
    assert refused.value.field.startswith(field)
    assert expected in refused.value.expected
    assert given in refused.value.given
    assert refused.value.field in str(refused.value)


def test_read__where__stands_in_the_message() -> None:
    with pytest.raises(FieldError, match=r"trust\.items\[0\]\.name"):
        read(Body, change("items.0.name", 1), "trust")


def test_read__hostile_long_value__cut_in_the_message() -> None:
    with pytest.raises(FieldError) as refused:
        read(Body, change("title", ["x" * 10_000]))
    assert len(refused.value.given) <= 80
