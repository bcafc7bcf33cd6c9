"""Chinese names of kinds, moves, roles, fields and values: one file for these pages and for the browser's script."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ledger.errors import FieldError
from registry.calendar import text_of

_WORDS: Mapping[str, Any] = json.loads(files("api.office").joinpath("words.json").read_text(encoding="utf-8"))

KINDS: Mapping[str, str] = _WORDS["kinds"]
MOVES: Mapping[str, str] = _WORDS["moves"]
MOVES_EN: Mapping[str, str] = _WORDS["moves_en"]
ROLES: Mapping[str, str] = _WORDS["roles"]
FIELDS: Mapping[str, str] = _WORDS["fields"]
VALUES: Mapping[str, Mapping[str, str]] = _WORDS["values"]
INSTANTS = frozenset(_WORDS["instants"])
FEN = frozenset(_WORDS["fen"])
PARTIES = frozenset(_WORDS["parties"])
"""Fields that hold seconds UTC, amounts in fen, and parties by their identity; "parent.name" where a name alone is not
enough."""


def moment(instant: int) -> str:
    """ "2026-09-01 10:12:03 +08:00"."""
    text = text_of(instant)
    return f"{text[:10]} {text[11:19]} {text[19:]}"


def told(error: Exception) -> tuple[str, str]:
    """What went wrong as a person is told it, in Chinese and English; a field by the name it has on the page."""
    if isinstance(error, FieldError):
        name = error.field.rpartition(".")[2].partition("[")[0]
        expected, _, en = error.expected.partition(" / ")
        given, _, given_en = error.given.partition(" / ")
        chinese = f"{label(name)}：应为{expected}，现为{given}。" if name else f"应为{expected}，现为{given}。"
        return chinese, f"{name}: expected {en or expected}, given {given_en or given}."
    chinese, _, english = str(error).partition(" / ")
    return chinese, english


def basis(text: str) -> str:
    """The articles a move rests on: "G17(一)" as "指引第17条(一)", "P" as a rule of this product."""
    named = re.sub(r"G([0-9]+)((?:\([^)]*\))?)", r"指引第\1条\2", text)
    return re.sub(r"\bP\b", "产品规则", named).replace(", ", "；").replace(" ", "、")


def item_name(item: str) -> str:
    """What an item of a change is called: "description.limits", "description.rights.<id>.USE", "<id>.address"."""
    head, _, rest = item.partition(".")
    if head != "description":
        return f"{label(rest.rpartition('.')[2], 'applicants')}（{head}）"
    if rest.startswith("rights."):
        _, holder, right = rest.split(".")
        return f"{VALUES['right'].get(right, right)}的限制和期限（{holder}）"
    return label(rest, "description")


def limit(text: str) -> str:
    """A limit of the publicity text: the code of a right before the colon as its name."""
    code, colon, rest = text.partition(": ")
    return f"{VALUES['right'][code]}：{rest}" if colon and code in VALUES["right"] else text


def label(name: str, parent: str = "") -> str:
    """What a field is called: "parent.name" before "name", because one word may mean two things."""
    return FIELDS.get(f"{parent}.{name}", FIELDS.get(name, name))
