"""The measurement of the check page fills a register by hand, so it must keep up with the tables."""

from __future__ import annotations

from scripts.bench.check_page import QUESTIONS, check_page


def test_check_page__a_small_register__every_part_is_measured() -> None:
    found = check_page(certificates=60, sample=6)
    assert (found["certificates"], found["codes"]) == (60, 6)
    assert set(found["search_ms"]) == set(QUESTIONS)
    assert found["search_ms"]["everything"]["lines"] == 20
    assert all(found[name]["p50"] > 0 for name in ("check_ms", "api_check_ms", "page_check_ms", "statistics_ms"))
