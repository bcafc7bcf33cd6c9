"""Which remark stops which operation: every cell of registration.md 1.7, written out here by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from registry.afterlife.blocking import (
    OBJECTION,
    TABLE,
    Effect,
    Operation,
    flags_of,
    hindrances,
    stops,
    use,
    verdicts,
)
from registry.afterlife.remark import (
    Consent,
    Consentable,
    Recorded,
    Remark,
    RemarkKind,
    RemarkState,
    Signing,
)
from registry.certificate import Status
from registry.rights import Right
from tests.registry.afterlife.afterlife_house import instrument
from tests.registry.registry_house import moment

NOW = moment("2026-09-01 12:00")
COLUMNS = ("transfer", "change_identity", "change_description", "renewal", "cancellation", "repledge", "contract")
CELLS = {
    "AGREED": "terms yes yes yes yes yes terms",
    "PRESERVATION": "block yes block yes block block warn",
    "TEMP_CONTROL": "block yes block yes block block block",
    "PLEDGE": "consent yes consent yes consent next_rank redirect",
    "STATUTORY": "terms yes yes yes yes yes terms",
    "OTHER": "terms yes yes yes yes yes terms",
}
OF_OBJECTION = "block yes warn yes block warn warn"


def remark(kind: RemarkKind, **changes: object) -> Remark:
    record = Recorded(kind, tuple(Right), "2026-08-01", certificate="SJ3312026080001")
    return replace(Remark("0" * 32, record, instrument(kind), NOW - 86_400, NOW - 86_400), **changes)  # type: ignore[arg-type]


@pytest.mark.clause("G23", "E-05")
@pytest.mark.parametrize(("kind", "column"), list(product(CELLS, range(7))))
def test_table__every_cell(kind: str, column: int) -> None:
    expected, operation = CELLS[kind].split()[column], Operation(COLUMNS[column])
    assert TABLE[RemarkKind(kind)][operation].value == expected
    [verdict] = verdicts([remark(RemarkKind(kind))], operation, NOW)
    assert (verdict.effect.value, verdict.rank) == (expected, 1)
    stopped = stops([remark(RemarkKind(kind))], False, operation, NOW)
    assert bool(stopped) == (expected in ("block", "consent"))


def test_table__has_no_other_cell() -> None:
    assert {kind.value for kind in TABLE} == set(CELLS)
    assert all([operation.value for operation in row] == list(COLUMNS) for row in TABLE.values())


@pytest.mark.clause("G29")
def test_objection__blocks_transfer_and_cancellation_allows_identity_and_renewal() -> None:
    assert " ".join(OBJECTION[Operation(column)].value for column in COLUMNS) == OF_OBJECTION
    for column in COLUMNS:
        found = stops([], True, Operation(column), NOW)
        assert bool(found) == (column in ("transfer", "cancellation"))


@pytest.mark.parametrize(
    ("state", "changes", "counts"),
    [
        (RemarkState.ACTIVE, {}, True),
        (RemarkState.UNVERIFIED, {"to_day": "2026-08-31"}, True),
        (RemarkState.LIFTED, {"end": RemarkState.LIFTED, "ended_at": NOW}, False),
        (RemarkState.ENDED, {"end": RemarkState.ENDED, "ended_at": NOW}, False),
    ],
)
def test_only_what_is_in_effect_stops_anything(state: RemarkState, changes: dict[str, object], counts: bool) -> None:
    seized = remark(RemarkKind.PRESERVATION, **changes)
    found = verdicts([seized], Operation.TRANSFER, NOW)
    assert [verdict.state for verdict in found] == ([state] if counts else [])


def test_agreed__ends_by_itself_and_a_later_one_does_not_count_yet() -> None:
    agreed = remark(RemarkKind.AGREED, to_day="2026-09-01")
    assert verdicts([agreed], Operation.TRANSFER, moment("2026-09-01 23:59"))
    assert not verdicts([agreed], Operation.TRANSFER, moment("2026-09-02 00:00"))
    ahead = replace(agreed, record=replace(agreed.record, from_day="2026-09-02"), to_day=None)
    assert not verdicts([ahead], Operation.TRANSFER, moment("2026-09-01 23:59"))
    assert verdicts([ahead], Operation.TRANSFER, moment("2026-09-02 00:00"))


def test_consent__counts_for_its_operation_and_version_only() -> None:
    consents = (Consent(Consentable.TRANSFER, "SJ3312026080001", 2),)
    pledged = remark(RemarkKind.PLEDGE, consents=consents)
    assert stops([pledged], False, Operation.TRANSFER, NOW, version=2) == ()
    assert stops([pledged], False, Operation.TRANSFER, NOW, version=3)
    assert stops([pledged], False, Operation.CANCELLATION, NOW, version=2)
    assert stops([pledged], False, Operation.CHANGE_DESCRIPTION, NOW, version=2)


def test_rights__a_remark_on_another_right_does_not_stop_it() -> None:
    seized = remark(RemarkKind.PRESERVATION)
    seized = replace(seized, record=replace(seized.record, rights=(Right.HOLD,)))
    assert stops([seized], False, Operation.TRANSFER, NOW, rights={Right.USE}) == ()
    assert stops([seized], False, Operation.TRANSFER, NOW, rights={Right.USE, Right.HOLD})


def test_several__ranked_by_receipt_and_the_ended_ones_give_their_rank_up() -> None:
    lifted = remark(RemarkKind.PLEDGE, end=RemarkState.LIFTED, ended_at=NOW - 5)
    found = verdicts([lifted, remark(RemarkKind.PLEDGE), remark(RemarkKind.PRESERVATION)], Operation.REPLEDGE, NOW)
    assert [(verdict.rank, verdict.effect) for verdict in found] == [(1, Effect.NEXT_RANK), (2, Effect.BLOCK)]


@pytest.mark.parametrize(
    ("kind", "words", "signing"),
    [
        ("PRESERVATION", Signing.SILENT, False),
        ("PRESERVATION", Signing.ALLOWED, True),
        ("TEMP_CONTROL", Signing.SILENT, False),
        ("TEMP_CONTROL", Signing.ALLOWED, True),
        ("PLEDGE", Signing.SILENT, True),
        ("AGREED", Signing.SILENT, True),
        ("AGREED", Signing.BLOCKED, False),
        ("OTHER", Signing.SILENT, True),
        ("STATUTORY", Signing.BLOCKED, False),
    ],
)
def test_use__seizure_and_control_stop_new_signing_unless_their_words_allow_it(
    kind: str, words: Signing, signing: bool
) -> None:
    found = remark(RemarkKind(kind))
    effect = use([replace(found, record=replace(found.record, signing=words))], Status.VALID, NOW)
    assert (effect.in_force, effect.signing, bool(effect.reasons)) == (True, signing, not signing)


def test_use__a_pledge_redirects_income_by_rank_and_the_ended_certificate_ends_use() -> None:
    first, second = remark(RemarkKind.PLEDGE), remark(RemarkKind.PLEDGE)
    second = replace(second, instrument=replace(second.instrument, issuer_id="演示-2"))
    assert use([first, second], Status.VALID, NOW).pledgees == (first.instrument.issuer_id, "演示-2")
    assert use([], Status.RENEWAL_PENDING, NOW).in_force
    for status in (Status.LAPSED, Status.CANCELLED, Status.TRANSFERRED, Status.SUPERSEDED, None):
        assert (use([], status, NOW).in_force, use([], status, NOW).signing) == (False, False)


def test_hindrances__by_purpose_and_all_of_them_without_one() -> None:
    seized = [remark(RemarkKind.PRESERVATION)]
    assert hindrances(seized, False, Operation.RENEWAL, NOW, 1) == ()
    assert hindrances(seized, False, Operation.TRANSFER, NOW, 1)
    assert hindrances(seized, False, Operation.CONTRACT, NOW, 1), "D24 is stricter than the table's warning"
    assert hindrances(seized, False, None, NOW, 1)
    assert hindrances([], True, None, NOW, 1)
    assert hindrances([], True, Operation.RENEWAL, NOW, 1) == ()
    assert hindrances([remark(RemarkKind.AGREED)], False, None, NOW, 1) == ()
    assert hindrances([], False, None, NOW, 1) == ()


def test_nothing_public_names_an_authority_a_creditor_or_a_text() -> None:
    secret = remark(RemarkKind.PLEDGE)
    secret = replace(
        secret,
        record=replace(secret.record, terms="借款合同全文"),
        instrument=replace(secret.instrument, issuer="某某银行", issuer_id="91330000BANK", number="字第1号"),
    )
    texts = str(flags_of([secret], NOW)) + str(hindrances([secret], True, None, NOW, 1))
    assert "质权" in texts
    for hidden in ("借款合同", "某某银行", "91330000BANK", "字第1号", secret.instrument.digest.sha256):
        assert hidden not in texts
