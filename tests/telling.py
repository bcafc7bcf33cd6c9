"""What tests say of what they counted: at the end of a run, since one process of several has no screen of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Tell = Callable[[str], None]
TOLD = "told"


def told(reports: list[pytest.TestReport]) -> list[str]:
    """A line for each thing that was told, with the file that told it."""
    return [
        f"{report.nodeid.partition('::')[0]}: {text}"
        for report in reports
        if report.when == "call"
        for name, text in report.user_properties
        if name == TOLD
    ]
