"""Where two documents part: a recomputed report against the one at hand, so that a verifier can name the first leaf."""

from __future__ import annotations

from typing import Any


def first_difference(expected: Any, given: Any, pointer: str = "") -> tuple[str, str, str] | None:
    """(JSON pointer, expected, given) of the first leaf that differs, in the order `expected` was written; or None."""
    if isinstance(expected, dict) and isinstance(given, dict):
        for key in [*expected, *sorted(set(given) - set(expected))]:
            child = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in expected or key not in given:
                return child, _shown(expected.get(key)), _shown(given.get(key))
            found = first_difference(expected[key], given[key], child)
            if found:
                return found
        return None
    if isinstance(expected, list) and isinstance(given, list):
        for position, (one, other) in enumerate(zip(expected, given, strict=False)):
            found = first_difference(one, other, f"{pointer}/{position}")
            if found:
                return found
        if len(expected) != len(given):
            position = min(len(expected), len(given))
            longer = expected if len(expected) > len(given) else given
            shown = _shown(longer[position])
            return f"{pointer}/{position}", *((shown, "—") if longer is expected else ("—", shown))
        return None
    if type(expected) is type(given) and expected == given:
        return None
    return pointer, _shown(expected), _shown(given)


def _shown(value: Any) -> str:
    return "—" if value is None else str(value)[:120]
