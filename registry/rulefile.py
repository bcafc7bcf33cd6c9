"""The rule sets as they are shipped: JSON documents in `registry/rules/`, one file for each version of a rule set.

A file named `gbt4754_*` is a table of industries, every other file a rule set. Reading gives plain documents;
`registry.rights`, `registry.industry` and `registry.scheme` turn them into values and refuse what is not well-formed.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

DEFAULT = "national_2026"
INDUSTRY = "gbt4754_"


@cache
def documents() -> dict[str, dict[str, Any]]:
    """Every shipped document by the stem of its file, in the order of the names."""
    folder = resources.files("registry") / "rules"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".json")), key=lambda item: item.name)
    return {item.name.removesuffix(".json"): json.loads(item.read_text(encoding="utf-8")) for item in files}


def rule_documents() -> dict[str, dict[str, Any]]:
    """The rule sets among them."""
    return {stem: value for stem, value in documents().items() if not stem.startswith(INDUSTRY)}


def industry_documents() -> dict[str, dict[str, Any]]:
    """The tables of industries among them."""
    return {stem: value for stem, value in documents().items() if stem.startswith(INDUSTRY)}
