"""Files made at set-up and handed out: the two stand-alone verifiers, and the scripts of the office pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "api" / "built" / "verifier.html"
SCRIPT = ROOT / "api" / "built" / "office.js"
PICTURES = ROOT / "api" / "built" / "pictures.js"
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


def office_script() -> bytes:
    """The script of the office pages, made at set-up from npm packages. Raises `NotBuilt`."""
    if not SCRIPT.exists():
        raise NotBuilt(
            "本安装没有构建办事页面的脚本：请先运行 make setup。 / The office script is not built here: run make setup."
        )
    return SCRIPT.read_bytes()


def pictures_script() -> bytes:
    """The script of the pages with pictures, made at set-up from npm packages. Raises `NotBuilt`."""
    if not PICTURES.exists():
        raise NotBuilt(
            "本安装没有构建作图的脚本：请先运行 make setup。"
            " / The script of the pictures is not built here: run make setup."
        )
    return PICTURES.read_bytes()


def program() -> bytes:
    """The stand-alone Python verifier. Raises `NotBuilt`."""
    if not PROGRAM.exists():
        raise NotBuilt("本安装不含 verify_bundle.py。 / verify_bundle.py is not part of this installation.")
    return PROGRAM.read_bytes()


def policy(page: bytes) -> str:
    """The Content-Security-Policy the page states for itself: its own script and style, and the reader's node."""
    found = _POLICY.search(page)
    return found.group(1).decode() if found else "default-src 'none'"
