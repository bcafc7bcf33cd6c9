"""What the agency tells of a certificate: only what changed, and only once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.facts import Fact
from ledger.reading import read
from registry import store, validity
from registry.certificate import Standing, Status
from registry.telling import CertificateState, Telling, state_at
from tests.registry.registry_house import House, a_form


@pytest.mark.parametrize(
    ("at", "standing", "expected"),
    [
        (99, Standing(100, 200), None),
        (100, Standing(100, 200), CertificateState(Status.VALID)),
        (150, Standing(100, 200, encumbered=True), CertificateState(Status.VALID, True, False)),
        (150, Standing(100, 200, objection=True), CertificateState(Status.VALID, False, True)),
        (200, Standing(100, 200, encumbered=True, objection=True), CertificateState(Status.LAPSED)),
        (200, Standing(100, 200, renewal_filed_at=199), CertificateState(Status.RENEWAL_PENDING)),
        (150, Standing(100, 200, renewal_filed_at=150), CertificateState(Status.RENEWAL_PENDING)),
        (149, Standing(100, 200, renewal_filed_at=150), CertificateState(Status.VALID)),
        (200, Standing(100, 200, renewal_filed_at=200), CertificateState(Status.LAPSED)),
        (150, Standing(100, 200, Status.CANCELLED, 150, encumbered=True), CertificateState(Status.CANCELLED)),
    ],
)
def test_state__status_and_flags__flags_end_with_the_certificate(
    at: int, standing: Standing, expected: CertificateState | None
) -> None:
    assert state_at(standing, at) == expected


def test_tell__says_a_change_once_and_nothing_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    code = house.certificate(a_form())
    row = store.certificate(house.session, code)
    standing = store.standing_of(house.session, row)

    def tell(at: int) -> Fact | None:
        return validity.tell(house.session, house.signer, row, at=at, basis="C10")

    assert tell(row.valid_from) is None, "a fresh certificate is VALID without a word"
    monkeypatch.setattr(store, "standing_of", lambda session, row: replace(standing, encumbered=True))
    told = tell(row.valid_from + 5)
    assert told is not None
    assert read(Telling, told.body) == Telling(code, 1, Status.VALID, True, False, row.valid_from + 5, "C10")
    assert tell(row.valid_from + 6) is None
    monkeypatch.setattr(store, "standing_of", lambda session, row: standing)
    assert tell(row.valid_from + 7) is not None
    lapsed = tell(row.valid_until)
    assert lapsed is not None
    assert lapsed.body["status"] == "LAPSED"
    assert store.last_told(house.session, code, 1) == CertificateState(Status.LAPSED)


def test_tell__up_and_down_within_a_second__each_telling_is_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain knows a telling by its state and second: the same state told of the same second would be lost."""
    code = house.certificate(a_form())
    row = store.certificate(house.session, code)
    standing = store.standing_of(house.session, row)
    told = []
    for encumbered in (True, False, True, False, True):
        monkeypatch.setattr(store, "standing_of", lambda session, row, e=encumbered: replace(standing, encumbered=e))
        fact = validity.tell(house.session, house.signer, row, at=row.valid_from + 5, basis="E-01")
        assert fact is not None
        told.append((encumbered, fact.body["effective_at"] - row.valid_from))
    assert told == [(True, 5), (False, 5), (True, 6), (False, 6), (True, 7)]


def test_tell__a_later_change__is_not_dated_behind_what_was_told_of_anybody_since(house: House) -> None:
    """The contract keeps one latest instant for neighbours: a second change before it would be refused."""
    first, second = house.certificate(a_form()), house.certificate(a_form(content=b"other\n"))
    rows = [store.certificate(house.session, code) for code in (first, second)]
    pledged: dict[str, bool] = {}
    real = store.standing_of

    def told(position: int, encumbered: bool, effective_at: int) -> int:
        pledged[rows[position].code] = encumbered
        fact = validity.tell(
            house.session, house.signer, rows[position], at=house.now + 100, basis="E-01", effective_at=effective_at
        )
        assert fact is not None
        return int(fact.body["effective_at"]) - house.now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            store,
            "standing_of",
            lambda session, row: replace(real(session, row), encumbered=pledged.get(row.code, False)),
        )
        assert told(0, True, house.now + 10) == 10
        assert told(1, True, house.now + 50) == 50, "a first change is dated as it is"
        assert told(0, False, house.now + 20) == 50
        assert told(1, False, house.now + 60) == 60
