"""Samples that do not leak: the draw against an independent one, statistics below k, announcements made once."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clearing.errors import BadTerms, Clash
from clearing.market.errors import Defective, GateRefused
from clearing.market.listing import Listing
from clearing.market.sample import (
    SAMPLE_ANNOUNCED,
    Announced,
    Group,
    Measure,
    Preview,
    Sample,
    Statistic,
    drawn,
    leaks,
    seed_of,
)
from clearing.market.shelf import service, store
from ledger import log, sm
from ledger.checkpoint import LogKeys
from ledger.digest import TwinDigest
from registry.asset import Twin
from tests.clearing.market.house import CODE, DAY, NOW, PROVIDER, SELLER, House, listing_of
from tests.counts import few

CONTENT = Twin("4" * 64, "4" * 64)
TWIN = Twin("a" * 64, "b" * 64)
KEYS = LogKeys("demo.example/log", b"\x01" * 32, sm.from_private(b"\x02" * 32))


def shuffled(seed: bytes, population: int, count: int) -> list[int]:
    """The same draw written the long way: a whole list, shuffled from its front, numbers by rejection."""
    rows, used = list(range(population)), 0
    for place in range(count):
        size = population - place
        while True:
            number = int.from_bytes(hashlib.sha256(seed + used.to_bytes(8, "big")).digest()[:8], "big")
            used += 1
            if number < 2**64 // size * size:
                break
        other = place + number % size
        rows[place], rows[other] = rows[other], rows[place]
    return sorted(rows[:count])


@given(st.binary(min_size=32, max_size=32), st.integers(1, 400), st.data())
@examples(max_examples=few(100), deadline=None)
def test_drawn__any_seed__as_by_the_long_way_and_every_row_once(
    seed: bytes, population: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, population))
    rows = drawn(seed, population, count)
    assert list(rows) == shuffled(seed, population, count)
    assert len(set(rows)) == count
    assert 0 <= rows[0] <= rows[-1] < population


def test_drawn__a_large_population__needs_no_list_of_it() -> None:
    rows = drawn(b"\x05" * 32, 2**53 - 1, 1_000)
    assert len(set(rows)) == 1_000
    assert rows[-1] > 2**52


def test_drawn__over_many_seeds__every_row_as_often_as_any_other() -> None:
    """6,000 draws of 3 rows out of 10: each row 1,800 times, ±6 standard deviations."""
    hits = Counter(row for seed in range(6_000) for row in drawn(seed.to_bytes(32, "big"), 10, 3))
    assert all(abs(hits[row] - 1_800) < 6 * (6_000 * 0.3 * 0.7) ** 0.5 for row in range(10))


def test_seed__every_byte_of_head_and_announcement_counts() -> None:
    base = (TwinDigest(b"\x01" * 32, b"\x02" * 32), TwinDigest(b"\x03" * 32, b"\x04" * 32))
    other = b"\x09" * 32
    seeds = {
        seed_of(*base), seed_of(TwinDigest(other, base[0].sm3), base[1]),
        seed_of(TwinDigest(base[0].sha256, other), base[1]), seed_of(base[0], TwinDigest(other, base[1].sm3)),
        seed_of(base[0], TwinDigest(base[1].sha256, other)),
    }  # fmt: skip
    assert len(seeds) == 5


# --- statistics ------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(-5, 40))
def test_leaks__exactly_when_a_group_or_the_rest_is_below_ten(counts: list[int], rest: int) -> None:
    groups = tuple(Group(f"组{n}", count, str(count)) for n, count in enumerate(counts))
    rows = sum(counts) + rest
    if rows < 0:
        return
    found = list(leaks(Statistic("f", Measure.COUNT, rows, groups, "无")))
    assert bool(found) is (min(counts) < 10 or rest < 0 or 0 < rest < 10)


def test_leaks__a_count_that_is_not_the_number_of_rows_or_a_group_twice__told() -> None:
    assert list(leaks(Statistic("f", Measure.COUNT, 20, (Group("a", 20, "3"),), "无")))
    assert not list(leaks(Statistic("f", Measure.MEAN, 20, (Group("a", 20, "3.5"),), "无")))
    assert list(leaks(Statistic("f", Measure.MEAN, 20, (Group("a", 10, "1"), Group("a", 10, "2")), "无")))


def test_measures__none_tells_of_a_single_row() -> None:
    assert not {"最大值", "最小值"} & {measure.value for measure in Measure}


def test_submit__statistic_below_k__refused_by_the_pre_check(house: House) -> None:
    small = Preview((Statistic("origin", Measure.COUNT, 109, (Group("a", 100, "100"), Group("b", 9, "9")), "无"),))
    with pytest.raises(Defective) as refused:
        house.submit(listing_of(preview=small), secrets.token_hex(16))
    assert {item.code for item in refused.value.defects} == {"LP-12"}  # type: ignore[attr-defined]


# --- announcing ------------------------------------------------------------------------------------------------------


def announce(house: House, identity: str, by: str = SELLER, **changes: object) -> None:
    body = replace(Announced(SELLER, CODE, CONTENT, 1_000, 50), **changes)  # type: ignore[arg-type]
    signed = house.signed(SAMPLE_ANNOUNCED, f"sample:{identity}", body, f"party:{by}", house.keys[by].sm2)
    service.announce_sample(house.session, signed, at=NOW)


def with_sample(identity: str, head: int, root: Twin) -> Listing:
    sample = Sample(identity, head, root, TWIN, "水印-1", NOW + DAY, TWIN)
    return listing_of(preview=Preview(sample=sample))


def test_announced__a_later_head_draws_the_rows_and_the_listing_must_name_that_head(house: House) -> None:
    identity = secrets.token_hex(16)
    announce(house, identity)
    draw = store.draw(house.session, identity)
    assert draw.root is None
    with pytest.raises(BadTerms):
        draw.rows()
    with pytest.raises(Defective):
        house.submit(with_sample(identity, 1, TWIN), secrets.token_hex(16))
    log.integrate(house.session)
    log.seal(house.session, KEYS, at=NOW + 5)
    house.submit(listing_of(product="8" * 32), secrets.token_hex(16))
    log.integrate(house.session)
    second = log.seal(house.session, KEYS, at=NOW + 6)
    assert second is not None
    draw = store.draw(house.session, identity)
    assert draw.root is not None
    assert draw.head == 1
    assert len(draw.rows()) == 50
    later = Twin.of(second.checkpoint.root)
    with pytest.raises(Defective) as refused:
        house.submit(with_sample(identity, second.checkpoint.size, later), secrets.token_hex(16))
    assert {item.field for item in refused.value.defects} == {"body.preview.sample.head"}  # type: ignore[attr-defined]
    house.submit(with_sample(identity, 1, draw.root), secrets.token_hex(16))


def test_announced__twice_for_the_same_data__refused(house: House) -> None:
    """Who could announce again could try until the rows please."""
    announce(house, secrets.token_hex(16))
    with pytest.raises(Clash):
        announce(house, secrets.token_hex(16), count=49)


def test_announced__for_data_that_is_not_the_certificates_or_of_another__refused(house: House) -> None:
    with pytest.raises(GateRefused):
        announce(house, secrets.token_hex(16), content=TWIN)
    with pytest.raises(GateRefused):
        announce(house, secrets.token_hex(16), by=PROVIDER, seller=PROVIDER)
    with pytest.raises(GateRefused):
        announce(house, secrets.token_hex(16), certificate="420000260699999")


@pytest.mark.parametrize(("population", "count", "taken"), [(500, 50, True), (499, 50, False), (10, 1, True)])
def test_announced__at_most_a_tenth_of_the_rows(house: House, population: int, count: int, taken: bool) -> None:
    if taken:
        announce(house, secrets.token_hex(16), population=population, count=count)
    else:
        with pytest.raises(BadTerms):
            announce(house, secrets.token_hex(16), population=population, count=count)
