"""How results look as JSON: plain values, and always the fact they rest on."""

from __future__ import annotations

from typing import Any

import msgspec

from ledger.store import Appended


def plain(value: Any) -> Any:
    """Frozen values as dicts and lists; absent ones left out."""
    return _without_none(msgspec.to_builtins(value, str_keys=True))


def appended(taken: Appended) -> dict[str, Any]:
    """The stored fact and whether it had been stored before."""
    fact = taken.fact
    return {
        "fact": fact.id,
        "digest": fact.digest().document(),
        "subject": fact.subject,
        "no": fact.statement.no,
        "at": fact.at,
        "replayed": taken.replayed,
    }


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
