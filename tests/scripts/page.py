"""The built verifier page, run in Node: what it says to a bundle, a trust file, and a head or a node."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from scripts import build_verifier_page as builder

RUN = Path(__file__).with_name("run_page.mjs")
Asked = dict[str, Any]


def node_answers(asked: list[Asked]) -> list[dict[str, Any]]:
    """What the page says to each of these: {"bundle", "trust", "head"?: bytes, "rpc"?: address}."""
    assert builder.PAGE.exists(), "核验页没有构建：make setup / the page is not built"
    lines = []
    for item in asked:
        files = {name: base64.b64encode(item[name]).decode() for name in ("bundle", "trust", "head") if item.get(name)}
        lines.append(json.dumps({**files, "rpc": item.get("rpc", "")}))
    done = subprocess.run(
        ["node", RUN, builder.PAGE], input="\n".join(lines), capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(asked), done.stderr[-2000:]
    return answers
