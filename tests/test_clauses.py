"""The clause table is what the marks of the tests say, and no article of the guide is without a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_clause_table__covers_every_article_and_is_the_one_the_tests_make() -> None:
    """In a process of its own: collecting tests inside a test would import them twice."""
    command = [sys.executable, "-m", "scripts.clause_table", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
