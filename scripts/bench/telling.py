"""How a bench says its figures: each beside its target, machine and recipe with them, as lines and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Targets = Callable[[dict[str, Any]], Iterable[tuple[str, float, str, float]]]
"""From the results of some parts to (what, measured, "≥" or "≤", target) of every figure we are held to."""


def told(what: str, measured: float, sign: str, target: float) -> str:
    """One figure beside its target."""
    met = measured >= target if sign == "≥" else measured <= target
    return f"{'✓' if met else '✗ 未达 / short'}  {what}: {measured:,} ({sign} {target:,})"


def run(doc: str, parts: Mapping[str, Callable[[], dict[str, Any]]], targets: Targets) -> int:
    """Read the options, run the parts named one after the other, print and, when asked, write what was measured."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--only", default=",".join(parts), help="parts, by comma")
    parser.add_argument("--json", type=Path, help="also write everything there")
    given = parser.parse_args()
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    results: dict[str, Any] = {}
    for name in given.only.split(","):
        started, load = time.monotonic(), os.getloadavg()[0]
        results[name] = parts[name]()
        print(f"… {name}: {time.monotonic() - started:.0f} s, load before {load:.1f}", file=sys.stderr, flush=True)
        for line in targets({name: results[name]}):
            print(told(*line), file=sys.stderr, flush=True)
    document = {"machine": machine, "results": results}
    print(json.dumps(document, ensure_ascii=False, indent=1))
    print()
    for line in targets(results):
        print(told(*line))
    if given.json:
        given.json.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return 0
