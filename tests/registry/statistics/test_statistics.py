"""Every figure is what a count of the entries one by one gives, and says as of when, of what and by which rule."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from ledger import store
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from registry import store as views
from registry.asset import AssetKind
from registry.calendar import day_of
from registry.certificate import Status, certificate_subject, status_at
from registry.code import month_of
from registry.projecting import project
from registry.rights import Right, SourceKind
from registry.scheme import NATIONAL_2026
from registry.statistics import store as statistics
from registry.statistics.figures import CERTIFICATES, ENTRIES, PUBLISHED, RULE, Dimension, csv_of
from registry.telling import TOLD, Telling
from tests.counts import few
from tests.databases import in_memory
from tests.registry.search.register_world import SIGNER, START, Register

DAY = 86_400
PUTS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(list(AssetKind)),
            "source": st.sampled_from(list(SourceKind)),
            "rights": st.lists(st.sampled_from(list(Right)), min_size=1, max_size=3, unique=True),
            "waived": st.booleans(),
            "days": st.integers(0, 400),
            "years": st.integers(1, 5),
            "again": st.booleans(),
        }
    ),
    max_size=8,
)


@pytest.fixture
def register() -> Iterator[Register]:
    with opened() as session:
        yield Register(session)


def opened() -> Session:
    engine = in_memory()
    return Session(engine)


def counted(register: Register, dimension: Dimension, at: int) -> dict[str, int]:
    (found,) = (figure for figure in statistics.figures(register.session, at) if figure.dimension is dimension)
    assert {line.scheme for line in found.lines} <= {NATIONAL_2026.id}
    return {line.value: line.count for line in found.lines}


@pytest.mark.clause("G11", "trap-21")
@settings(max_examples=few(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(puts=PUTS, days=st.integers(401, 2_500))
def test_figures__any_register__equal_a_count_one_by_one(puts: list[dict], days: int) -> None:  # type: ignore[type-arg]
    at = START + days * DAY
    made = []
    with opened() as session:
        register = Register(session)
        for put in puts:
            days_on, again = put.pop("days"), put.pop("again")
            known = made[-1] if again and made else None
            code = register.put(
                at=START + days_on * DAY, code=known[0].code if known else "",
                version=known[0].version + 1 if known else 1, **put,
            )  # fmt: skip
            made.append(register.entries[code])
        published = [(entry, record) for entry, record in made if not record.publicity_waived]
        expected = {
            Dimension.TYPE: Counter(record.type.value for _, record in published),
            Dimension.MONTH: Counter(month_of(entry.deposited_at) for entry, _ in published),
            Dimension.KIND: Counter(record.description.kind.value for _, record in published),
            Dimension.SOURCE: Counter(record.source_kind.value for _, record in published),
            Dimension.RIGHT: Counter(row.right.value for _, record in published for row in record.rights),
            Dimension.PUBLICITY: Counter("经申请不公示" if r.publicity_waived else "已公示" for _, r in made),
            Dimension.STATUS: Counter(
                str(status_at(views.standing_of(session, views.certificate(session, code)), at))
                for code in register.entries
            ),
        }
        for dimension in Dimension:
            assert counted(register, dimension, at) == dict(expected[dimension]), dimension


@pytest.mark.clause("G11", "L-04", "L-07", "L-08")
def test_status__what_was_told__counts_under_that_and_under_nothing_else(register: Register) -> None:
    codes = [register.put(at=START + number, years=1) for number in range(5)]
    for code, status in zip(
        codes, (Status.CANCELLED, Status.TRANSFERRED, Status.RENEWAL_PENDING, Status.VALID), strict=False
    ):
        tell(register, code, 1, status)
    assert counted(register, Dimension.STATUS, START + 99) == {"CANCELLED": 1, "TRANSFERRED": 1, "VALID": 3}
    later = START + 366 * DAY
    expected = {"CANCELLED": 1, "TRANSFERRED": 1, "RENEWAL_PENDING": 1, "LAPSED": 2}
    assert counted(register, Dimension.STATUS, later) == expected
    tell(register, codes[2], 1, Status.LAPSED)
    assert counted(register, Dimension.STATUS, later) == {"CANCELLED": 1, "TRANSFERRED": 1, "LAPSED": 3}
    register.put(code=codes[0], version=2, at=START + DAY, years=5)
    assert counted(register, Dimension.STATUS, START + 2 * DAY) == {"TRANSFERRED": 1, "VALID": 4}


def tell(register: Register, code: str, version: int, status: Status) -> None:
    no, prev = store.next_of(register.session, certificate_subject(code))
    body = Telling(code, version, status, False, False, START, "test")
    statement = Statement(TOLD, certificate_subject(code), no, prev, body_of(body))
    signed = Signed(statement, (SIGNER.sign(statement, "system"),))
    project(register.session, store.append(register.session, signed, at=START).fact)


def test_status__last_day_in_beijing__is_still_valid(register: Register) -> None:
    code = register.put(years=1)
    entry, _ = register.entries[code]
    assert counted(register, Dimension.STATUS, entry.valid_until - 1) == {"VALID": 1}
    assert day_of(entry.valid_until - 1).isoformat() == entry.last_day
    assert counted(register, Dimension.STATUS, entry.valid_until) == {"LAPSED": 1}


@pytest.mark.clause("G11", "trap-21")
def test_figures__each__says_as_of_scope_and_rule__also_in_the_csv(register: Register) -> None:
    register.put()
    register.put(waived=True)
    figures = statistics.figures(register.session, START + 5)
    assert [figure.dimension for figure in figures] == list(Dimension)
    for figure in figures:
        assert (figure.as_of, figure.rule) == (START + 5, RULE)
        assert figure.scope in (PUBLISHED, ENTRIES, CERTIFICATES)
        assert figure.title
    data = csv_of(figures)
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert len(rows) == sum(len(figure.lines) for figure in figures)
    assert {row["截至"] for row in rows} == {"2026-08-03T09:00:05+08:00"}
    assert all(row["统计范围"] and row["统计规则"] == RULE and row["登记规则"] == NATIONAL_2026.id for row in rows)
