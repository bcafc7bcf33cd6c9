"""Similar data is found in disguise and told apart from data of the same sort; the reviewer reads who holds it."""

from __future__ import annotations

import base64
import random
import secrets
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical, store
from ledger.errors import BadSignature, FieldError
from ledger.facts import PartsRoot, Signed, Statement
from ledger.reading import body_of
from registry.asset import Twin
from registry.likeness import service
from registry.likeness import store as views
from registry.likeness.columns import Column, usual_distance
from registry.likeness.compare import ALARM, compare
from registry.likeness.fingerprint import FINGERPRINT, Fingerprint, fingerprint_of
from registry.likeness.reading import columns_of
from registry.likeness.sketch import KEPT, groups_of, lines_of, shared, sketch
from tests.counts import few
from tests.registry.registry_house import DEVELOPER, PROVIDER, House, a_form, open_house

sys.path.insert(0, str(Path(__file__).parent))
from corpus import Table, corpus, half, real_tables, renamed, shuffled


@pytest.fixture(scope="module")
def tables() -> list[Table]:
    return real_tables(3_000)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path / "likeness.db")


@pytest.mark.clause("G39", "PC-25")
def test_corpus__eight_real_tables__recall_and_false_alarms(tables: list[Table]) -> None:
    """At least 95 % of the disguised copies are found, at most 1 % of the others raise an alarm; both are printed."""
    seed = 20261129
    found = missed = alarms = quiet = 0
    known: dict[int, tuple[Table, object]] = {}

    def sketched(table: Table):  # type: ignore[no-untyped-def]
        if id(table) not in known:
            known[id(table)] = (table, sketch(table.coded()).groups)
        return known[id(table)][1]

    for pair in corpus(tables, seed, few(1) if few(1) == 1 else 5):
        alarming = compare(sketched(pair.other), sketched(pair.one)).alarming
        if pair.same:
            found, missed = found + alarming, missed + (not alarming)
        else:
            alarms, quiet = alarms + alarming, quiet + (not alarming)
    print(f"recall {found}/{found + missed}, false alarms {alarms}/{alarms + quiet}, seed {seed}")
    assert len(tables) >= 5
    assert found * 100 >= 95 * (found + missed)
    assert alarms * 100 <= alarms + quiet


def test_sketch__does_not_depend_on_order_or_names_of_rows_and_columns(tables: list[Table]) -> None:
    rng = random.Random(1)
    for table in tables[:3]:
        one = sketch(table.coded()).groups
        other = sketch(renamed(shuffled(table, rng), rng).coded()).groups
        found = compare(one, other)
        assert found.permille == 1000, table.name


def test_sketch__twice__the_same_bytes(tables: list[Table]) -> None:
    assert lines_of(sketch(tables[0].coded())) == lines_of(sketch(tables[0].coded()))


@given(st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=200), st.sets(st.integers(0, 2**64 - 1), max_size=200))
def test_shared__is_the_share_of_the_names_within_reach_of_both(one: set[int], other: set[int]) -> None:
    """Against the plain definition over the whole sets, where both sketches hold everything."""
    ours, theirs = sorted(one)[:KEPT], sorted(one | other)[:KEPT]
    assert shared(ours, theirs) == 1000, "a table holds its own rows, however many others it has"


def test_numbering__is_no_telling_column() -> None:
    numbers = tuple(str(i) for i in range(1, 101))
    assert Column("id", numbers, np.arange(100)).is_numbering
    far = tuple(str(i * i * 7919 % 1_000_003) for i in range(1, 101))
    assert not Column("amount", far, np.arange(100)).is_numbering


def test_usual_distance__of_rounded_miles_in_kilometres__is_one_mile() -> None:
    values = sorted({round(miles * 1_609_344) for miles in range(1, 400) if miles % 7})
    assert usual_distance(values) == 1_610_000


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_reading__csv_in_both_encodings__same_columns(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "数据.csv"
    file.write_bytes("城市,人数\n杭州,10\n宁波,\n杭州,12\n".encode(encoding))
    city, people = columns_of(file)
    assert (city.name, city.values, people.values) == ("城市", ("宁波", "杭州"), ("10", "12"))
    assert [city.values[code] for code in city.codes] == ["杭州", "宁波", "杭州"]
    assert people.codes.tolist() == [0, -1, 1]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81\xff"])
def test_reading__no_table__refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(content)
    with pytest.raises(FieldError, match="file"):
        columns_of(file)


def stated(house: House, holder: str, content: Twin, table: Table, key: str = "") -> Signed:
    body, lines = fingerprint_of(holder, content, sketch(table.coded()))
    statement = Statement(
        FINGERPRINT, f"fingerprint:{secrets.token_hex(16)}", 0, None, body_of(body), PartsRoot.over(lines)
    )
    signed = Signed(statement, (house.signature(statement, key or f"party:{holder}", ""),))
    house.lines = lines  # type: ignore[attr-defined]
    return signed


def taken(house: House, holder: str, content: Twin, table: Table) -> store.Appended:
    signed = stated(house, holder, content, table)
    return service.take_fingerprint(house.session, signed, house.lines, at=house.now)  # type: ignore[attr-defined]


def test_report__a_disguised_copy_under_another_holder__names_certificate_and_share(
    house: House, tables: list[Table]
) -> None:
    """Flights are registered; half of them, renamed and shuffled, are applied for by somebody else."""
    rng = random.Random(2)
    flights, others = tables[0], tables[1]
    first = a_form(content=b"flights\n")
    code = house.certificate(first)
    taken(house, PROVIDER, first.description.content.digest, flights)
    identity = house.file(a_form(content=b"copy\n"))
    assert not service.report(house.session, identity).sketched
    copy = a_form(content=b"copy\n").description.content.digest
    taken(house, DEVELOPER, copy, renamed(shuffled(half(flights, rng), rng), rng))
    report = service.report(house.session, identity)
    assert report.sketched
    (similar,) = report.similar
    assert (similar.holder, similar.certificates) == (PROVIDER, (code,))
    assert similar.likeness.permille >= ALARM
    quiet = house.file(a_form(content=b"weather\n"))
    taken(house, DEVELOPER, a_form(content=b"weather\n").description.content.digest, others)
    assert service.report(house.session, quiet).similar == ()


@pytest.mark.clause("G39", "PC-24")
def test_report__the_very_same_content__is_named_without_a_sketch(house: House) -> None:
    first, second = house.file(a_form(content=b"x\n")), house.file(a_form(content=b"x\n"))
    report = service.report(house.session, second)
    assert report.same_applications == (first,)
    code = house.certificate(a_form(content=b"y\n"))
    third = house.file(a_form(content=b"y\n"))
    assert service.report(house.session, third).same_certificates == (code,)


def test_fingerprint__by_another_key_or_with_other_groups__nothing_is_written(
    house: House, tables: list[Table]
) -> None:
    content = a_form().description.content.digest
    before = store.count(house.session)
    foreign = stated(house, PROVIDER, content, tables[1], key=f"party:{DEVELOPER}")
    with pytest.raises(BadSignature):
        service.take_fingerprint(house.session, foreign, house.lines, at=house.now)  # type: ignore[attr-defined]
    good = stated(house, PROVIDER, content, tables[1])
    with pytest.raises(FieldError, match="value"):
        service.take_fingerprint(house.session, good, house.lines[:-1], at=house.now)  # type: ignore[attr-defined]
    assert store.count(house.session) == before
    first = service.take_fingerprint(house.session, good, house.lines, at=house.now)  # type: ignore[attr-defined]
    again = service.take_fingerprint(house.session, good, house.lines, at=house.now + 9)  # type: ignore[attr-defined]
    assert again.replayed
    assert again.fact == first.fact
    assert len(views.of_content(house.session, content.sha256)) == 1


def test_fingerprint__unsorted_names__refused() -> None:
    group = groups_of(lines_of(sketch(_grid())))[0]
    data = base64.b64decode(group.smallest)
    swapped = base64.b64encode(data[8:16] + data[:8] + data[16:]).decode()
    spoilt = canonical.encode(body_of(replace(group, smallest=swapped)))
    with pytest.raises(FieldError):
        groups_of([spoilt])


def test_fingerprint__nothing_that_tells_rows_apart__says_so() -> None:
    same = tuple(Column(name, ("a", "b"), np.arange(100) % 2) for name in "xyz")
    with pytest.raises(FieldError, match="能区分行"):
        fingerprint_of(PROVIDER, Twin("0" * 64, "0" * 64), sketch(same))


def _grid() -> tuple[Column, ...]:
    rng = random.Random(3)
    made = []
    for name in "abc":
        texts = [str(rng.randrange(10**9)) for _ in range(500)]
        values = sorted(set(texts))
        made.append(Column(name, tuple(values), np.array([values.index(text) for text in texts])))
    return tuple(made)


def test_body__other_method__refused(house: House, tables: list[Table]) -> None:
    body, lines = fingerprint_of(PROVIDER, a_form().description.content.digest, sketch(_grid()))
    other: Fingerprint = replace(body, method="other/v1")
    statement = Statement(FINGERPRINT, "fingerprint:" + "0" * 32, 0, None, body_of(other), PartsRoot.over(lines))
    signed = Signed(statement, (house.signature(statement, f"party:{PROVIDER}", ""),))
    with pytest.raises(FieldError, match="method"):
        service.take_fingerprint(house.session, signed, lines, at=house.now)
