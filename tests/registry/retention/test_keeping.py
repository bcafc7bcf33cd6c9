"""Twenty years from the end of force; proofs renewed before their algorithms age; two persons delete, or nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ledger import archive, log, sm
from ledger import store as facts
from ledger.checkpoint import LogKeys, generate_ed25519
from ledger.errors import FieldError
from registry import store as views
from registry.certificate import Standing, Status
from registry.errors import GuardRefused, NotEntitled
from registry.retention import service, store
from registry.retention.keeping import (
    DELETION,
    POLICY,
    Algorithm,
    DeletionApproval,
    ended_on,
    keeping_of,
    renewal_due,
)
from tests.registry.registry_house import House, a_form, moment, open_house

TWO = (("staff:reviewer", "reviewer"), ("staff:approver", "approver"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "registry.db")
    yield opened
    opened.session.close()
    opened.engine.dispose()


@pytest.mark.clause("G10", "C20")
@pytest.mark.parametrize(
    ("ended", "pending", "until"),
    [
        (date(2031, 8, 31), (), "2051-08-31"),
        (date(2028, 2, 29), (), "2048-02-29"),
        (date(2031, 8, 31), ("异议",), ""),
        (None, (), ""),
    ],
)
def test_c20__twenty_years_from_the_end_of_force__v18(ended: date | None, pending: tuple[str, ...], until: str) -> None:
    assert keeping_of("SJ3312026090001", ended, pending).until == until


@pytest.mark.clause("G10", "C20")
def test_end_of_force__lapse_is_the_last_day_of_validity_and_an_ending_its_own() -> None:
    until = moment("2031-09-01 00:00")
    assert ended_on(Standing(0, until), Status.LAPSED, until) == date(2031, 8, 31)
    assert ended_on(Standing(0, until), Status.VALID, until - 1) is None
    early = Standing(0, until, Status.CANCELLED, moment("2029-05-05 12:00"))
    assert ended_on(early, Status.CANCELLED, until) == date(2029, 5, 5)


@pytest.mark.clause("G10")
def test_renewal__interval_or_an_ageing_algorithm__whichever_is_first() -> None:
    made = moment("2026-09-01 09:00")
    assert renewal_due(10, made, None).due == "2031-09-01"
    weak = replace(POLICY, algorithms=(*POLICY.algorithms, Algorithm("sha-1", "old", 2027)))
    assert renewal_due(10, made, None, weak) == replace(
        renewal_due(10, made, None, weak), due="2027-12-31", why=("sha-1",)
    )
    later = renewal_due(10, made, moment("2030-01-01 09:00"))
    assert later.due == "2032-12-31"
    assert set(later.why) == {"ed25519", "secp256k1-keccak256", "sm2-sm3"}


@pytest.mark.clause("G10")
def test_renew__all_content_under_a_head__can_be_recomputed_by_anybody(house: House) -> None:
    house.certificate(a_form())
    size = sealed(house)
    lines = list(archive.fact_lines(house.session, size))
    taken = service.renew(house.session, size, lines, house.signer, at=house.now)
    assert taken.fact.body["content"] == hashlib.sha3_512(b"".join(lines)).hexdigest()
    assert lines == list(archive.export(house.session, "x"))[1 : size + 1]
    assert store.renewed_at(house.session, size) == house.now
    with pytest.raises(FieldError, match="lines"):
        service.renew(house.session, size, lines[:-1], house.signer, at=house.now)
    with pytest.raises(FieldError, match="size"):
        service.renew(house.session, size + 1, lines, house.signer, at=house.now)


@pytest.mark.clause("G10")
def test_plan__names_the_newest_head_and_after_a_renewal_the_next_date(house: House) -> None:
    house.certificate(a_form())
    size = sealed(house)
    assert [(item.size, item.due[:4]) for item in store.renewals_due(house.session, "2040-01-01")] == [(size, "2031")]
    assert store.renewals_due(house.session, "2030-01-01") == []
    house.at("2031-01-01 09:00")
    lines = archive.fact_lines(house.session, size)
    service.renew(house.session, size, lines, house.signer, at=house.now)
    assert [item.due for item in store.renewals_due(house.session, "2040-01-01")] == ["2032-12-31"]


def sealed(house: House) -> int:
    while log.integrate(house.session):
        pass
    head = log.seal(house.session, LogKeys("shuqing/test", generate_ed25519(), sm.generate()), at=house.now)
    assert head is not None
    return head.checkpoint.size


@pytest.mark.clause("G10", "C20")
def test_deletion__before_twenty_years_are_over__is_refused_and_afterwards_needs_two(house: House) -> None:
    code = house.certificate(a_form())
    row = views.certificate(house.session, code)
    first = facts.facts_of(house.session, f"application:{row.application}")[0]
    body = DeletionApproval(first.id, "保存期满", "G10(二)", code)
    last = date.fromisoformat(row.last_day)
    assert store.keeping(house.session, code, house.now).until == ""
    house.now = row.valid_until
    assert store.keeping(house.session, code, house.now).until == last.replace(year=last.year + 20).isoformat()
    with pytest.raises(GuardRefused, match="保存期限未满"):
        approve(house, body, *TWO)
    house.now = moment(f"{last.year + 20}-{last:%m-%d} 23:59")
    with pytest.raises(GuardRefused, match="保存期限未满"):
        approve(house, body, *TWO)
    house.now += 60
    for alone in ((TWO[0],), (TWO[1],), (TWO[0], ("staff:second", "reviewer"))):
        with pytest.raises(NotEntitled):
            approve(house, body, *alone)
    approve(house, body, *TWO)
    assert store.approval(house.session, first.id) is not None


@pytest.mark.clause("G10", "C20")
def test_deletion__demanded_by_law_earlier__two_persons_and_the_basis_on_record(house: House) -> None:
    code = house.certificate(a_form())
    row = views.certificate(house.session, code)
    first = facts.facts_of(house.session, f"application:{row.application}")[0]
    approve(house, DeletionApproval(first.id, "法院判决", "（2026）某民终1号", code, lawful_earlier=True), *TWO)
    found = store.approval(house.session, first.id)
    assert found is not None
    assert found.basis == "（2026）某民终1号"
    foreign = facts.facts_of(house.session, "staff:clerk")[0]
    with pytest.raises(FieldError, match="body"):
        approve(house, DeletionApproval(foreign.id, "x", "x", code), *TWO)


def approve(house: House, body: DeletionApproval, *who: tuple[str, str]) -> None:
    signed = house.signed(DELETION, f"deletion:{body.fact}", body, *who)
    service.approve_deletion(house.session, house.agency, signed, at=house.now)
