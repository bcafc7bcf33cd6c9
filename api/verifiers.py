"""The two stand-alone verifiers as files to hand out: the page and the Python program, with their digests."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "api" / "built" / "verifier.html"
PROGRAM = ROOT / "scripts" / "verify_bundle.py"
_POLICY = re.compile(rb'http-equiv="Content-Security-Policy" content="([^"]+)"')


class NotBuilt(Exception):
    """A verifier's file is not part of this installation."""


def page() -> bytes:
    """The verifier page, made at set-up from npm packages. Raises `NotBuilt`."""
    if not PAGE.exists():
        raise NotBuilt(
            "本安装没有构建核验页：请先运行 make setup，或改用 verify_bundle.py。"
            " / The verifier page is not built here: run make setup, or use verify_bundle.py."
        )
    return PAGE.read_bytes()


def program() -> bytes:
    """The stand-alone Python verifier. Raises `NotBuilt`."""
    if not PROGRAM.exists():
        raise NotBuilt("本安装不含 verify_bundle.py。 / verify_bundle.py is not part of this installation.")
    return PROGRAM.read_bytes()


def policy(page: bytes) -> str:
    """The Content-Security-Policy the page states for itself: its own script and style, and the reader's node."""
    found = _POLICY.search(page)
    return found.group(1).decode() if found else "default-src 'none'"
