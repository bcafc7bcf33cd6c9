"""Events, documents and sheets for the tests: made up, each fact with an id of its own."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from clearing.settlement.service_order.scorecard import Event
from registry.asset import Twin
from tests.clearing.settlement.service_order import naive

SHANGHAI = timezone(timedelta(hours=8))


def instant(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Seconds UTC of a time in Shanghai."""
    return int(datetime(year, month, day, hour, minute, tzinfo=SHANGHAI).timestamp())


def fact(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def document(name: str = "") -> Twin:
    return Twin(fact(f"document {name}"), fact(f"document, other {name}"))


def event(row: str, name: str = "", **more: Any) -> Event:
    return Event(row, document(row + name), fact(row + name), **more)


START = instant(2026, 3, 2)


def plain(word: str, draw: Any) -> dict[str, Any]:
    """What an event under a row with this word must say, drawn at random."""
    if word == "availability":
        whole = draw(st.sampled_from([10_000, 2_678_400, 31]))
        return {"part": whole - draw(st.integers(0, min(whole, whole // 100 + 1))), "whole": whole}
    if word.startswith("tenths") or word in ("rate", "performance"):
        whole = draw(st.sampled_from([1, 3, 10, 100]))
        return {"part": draw(st.integers(0, whole)), "whole": whole}
    if word == "survey":
        return {"points": draw(st.sampled_from(["0", "59.9999", "60", "75.5", "79.9999", "80", "100"]))}
    if "/w" in word:
        late = draw(st.sampled_from([1, 6 * 86_400, naive.WEEK - 1, naive.WEEK, 2 * naive.WEEK, 25 * 86_400]))
        return {"due_at": START, "done_at": START + late, "count": draw(st.integers(1, 3))}
    if "-" in word:
        least, most = word.removeprefix("total").removeprefix("+").partition("max")[0].split("-")
        return {"points": draw(st.sampled_from([least, most]))}
    return {} if word == "all" else {"count": draw(st.integers(1, 3))}


def naive_of(event_: Event) -> dict[str, Any]:
    """An event as the naive formulas read it."""
    names = ("row", "count", "due_at", "done_at", "part", "whole", "points")
    return {name: getattr(event_, name) for name in names if getattr(event_, name) is not None}


@st.composite
def card_events(draw: st.DrawFn, text: dict[str, str], most: int = 8) -> list[Event]:
    """Events a card can have: what must be there once, and up to `most` more of any rows."""
    words = naive.rows(text)
    once = [code for code, word in words.items() if word in ("rate", "performance", "survey")]
    single = [*once, *(code for code, word in words.items() if word == "availability")]
    others = draw(st.lists(st.sampled_from(sorted(words)), max_size=most))
    codes = [*once, *(c for n, c in enumerate(others) if c not in once and (c not in single or c not in others[:n]))]
    return [event(code, str(n), authority=document("责任"), **plain(words[code], draw)) for n, code in enumerate(codes)]
