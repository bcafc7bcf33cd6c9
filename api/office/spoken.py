"""A document (terms, an inquiry, a price, a listing) in words: every element a line, as the browser's script says it.

Names and values come from `words.json`, amounts are yuan beside their fen, instants Beijing times. Nothing is left out
but the salt, which says nothing. Two documents are compared line by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from api.office import words
from clearing import money
from registry.calendar import text_of

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One element: where it stands, its name, what it says, and what it said before ("" for what was not there;
    `None` if it says the same)."""

    path: Path
    label: str
    text: str
    before: str | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One element of the first level with the lines below it; simple elements in a row share one without a title."""

    title: str
    lines: tuple[Line, ...]


def blocks(
    document: Mapping[str, Any], root: str, names: Mapping[str, str], earlier: Mapping[str, Any] | None = None
) -> tuple[Block, ...]:
    """The document as blocks of lines; `root` is what it is called, `names` what parties are called, `earlier` the
    document it is compared with."""
    now = list(_lines(document, (root,), names))
    if earlier is not None:
        now = _compared(now, list(_lines(earlier, (root,), names)))
    found: dict[str, list[Line]] = {}
    for line in now:
        found.setdefault(str(line.path[1]), []).append(line)
    order = [name for name in (*document, *(name for name in found if name not in document)) if name in found]
    laid: list[Block] = []
    for name in order:
        title, own = words.label(name, root), tuple(found[name])
        if len(own) == 1 and own[0].label == title:
            before = laid.pop().lines if laid and not laid[-1].title else ()
            laid.append(Block("", (*before, *own)))
        else:
            laid.append(Block(title, tuple(replace(line, label=_below(line.label, title)) for line in own)))
    return tuple(laid)


def share(value: int, whole: int) -> str:
    """value / whole, where whole is a power of ten, with its decimals and no more."""
    rest = str(value % whole).rjust(len(str(whole)) - 1, "0").rstrip("0")
    return f"{value // whole}{rest and f'.{rest}'}"


def spoken(path: Path, value: Any, names: Mapping[str, str], *, instant: bool = False) -> str:
    """A scalar as a person reads it."""
    name, parent = _named(path)
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return _number(name, parent, value, instant)
    if value in names and name in words.PARTIES:
        return f"{names[value]}（{value}）"
    table = words.VALUES.get(f"{parent}.{name}", words.VALUES.get(name, {}))
    text = table.get(value, value)
    if value == "":
        return "（空）"
    return text if value in text else f"{text}（{value}）"


def _number(name: str, parent: str, value: int, instant: bool) -> str:
    named = {name, f"{parent}.{name}"}
    if instant or named & words.INSTANTS:
        return f"{text_of(value)[:19].replace('T', ' ')} 北京时间" if value else "自始"
    if named & words.FEN:
        return f"{money.yuan(value)} 元（{value} 分）"
    if name == "bp":
        return f"{share(value, 100)}%"
    if name == "weight":
        return f"{share(value, 10_000_000)}%"
    return str(value)


def _lines(value: Mapping[str, Any], path: Path, names: Mapping[str, str], label: str = "") -> Iterator[Line]:
    for name, inner in value.items():
        if name == "salt":
            continue
        here = (*path, name)
        own = label + words.label(name, _named(here)[1])
        instant = name == "right" and value.get("left") == "dateTime"
        yield from _element(inner, here, names, own, instant)


def _element(value: Any, path: Path, names: Mapping[str, str], label: str, instant: bool) -> Iterator[Line]:
    if isinstance(value, Mapping):
        yield from _lines(value, path, names, f"{label} · ")
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for place, item in enumerate(value):
            yield from _lines(item, (*path, place), names, f"{label} {place + 1} · ")
    elif isinstance(value, list):
        yield Line(path, label, "；".join(spoken(path, item, names) for item in value) or "无")
    else:
        yield Line(path, label, spoken(path, value, names, instant=instant))


def _below(label: str, title: str) -> str:
    """A line's name below its block's title: "价格 · 单价" of "价格与分配 · 价格 · 单价"."""
    return label.removeprefix(title).removeprefix(" · ").strip() or label


def _compared(now: list[Line], earlier: list[Line]) -> list[Line]:
    old, new = {line.path: line for line in earlier}, {line.path for line in now}
    told = [
        line if line.path in old and old[line.path].text == line.text
        else replace(line, before=old[line.path].text if line.path in old else "")
        for line in now
    ]  # fmt: skip
    return told + [replace(line, text="", before=line.text, gone=True) for line in earlier if line.path not in new]


def _named(path: Path) -> tuple[str, str]:
    """The last two names of a path; places in a list do not count."""
    own = [step for step in path if isinstance(step, str)]
    return own[-1], own[-2] if len(own) > 1 else ""
