"""Made-up records and terms for the engines of bulk metering: each reading must be the one `read_meter` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from clearing.terms import AgreementTerms
from clearing.usage.bulk.duck import over_uses
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import MeterReading, read_meter
from tests.clearing.usage.test_reconcile import MARCH, items, reported

MARK = 5


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[MeteredUse], list[AgreementTerms]]:
    """Records of two agreements, replayed and out of order, and what is to be read: two revisions of one of them under
    terms of their own, one of the other, which may have a limit, and one that was never used."""
    uses: list[MeteredUse] = []
    for agreement in ("g", "h'演示"):
        for seq, use in enumerate(draw(reported())):
            position = draw(st.integers(1, MARK + 1))
            roots = {"batch": f"b{-position}", "root_sha256": f"x{position}", "root_sm3": f"y{position}"}
            changes = roots | {"agreement": agreement, "position": position, "digest": f"{agreement}{seq}"}
            uses.append(replace(use, connector=f"{use.connector}-{agreement}", **changes))  # type: ignore[arg-type]
    again = draw(st.lists(st.sampled_from(uses), max_size=6)) if uses else []
    first, second, other = (draw(items()) for _ in range(3))
    wanted = [
        first,
        replace(second, revision=2),
        replace(other, agreement="h'演示", limit=draw(st.sampled_from([None, None, 5]))),
        replace(first, agreement="unused"),
    ]
    return draw(st.permutations(uses + again)), draw(st.permutations(wanted))


def one_by_one(uses: list[MeteredUse], wanted: list[AgreementTerms]) -> tuple[MeterReading, ...]:
    """The oracle."""
    own: dict[str, list[MeteredUse]] = {}
    for use in uses:
        own.setdefault(use.agreement, []).append(use)
    return tuple(read_meter(item, MARCH, own.get(item.agreement, ()), MARK) for item in wanted)


def parquet(uses: list[MeteredUse], file: Path) -> Path:
    """The records as one Parquet file, those beyond the mark with them."""
    with over_uses(uses, MARK + 1) as engine:
        list(engine.rows(f"COPY known TO '{file}' (FORMAT parquet)"))
    return file
