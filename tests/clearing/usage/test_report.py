"""The 使用对账报告 over records that two connectors signed and sent, and what metering makes of the same records."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import openpyxl
import pytest

from clearing.errors import BadTerms, UnknownFact
from clearing.market import service as market
from clearing.market.agreement import Act, State
from clearing.terms import BillingBasis, Tolerance, month
from clearing.usage import report as reports
from clearing.usage import service, store
from clearing.usage.batch import freeze, receive
from clearing.usage.closing import Lapse
from clearing.usage.finding import FindingKind
from clearing.usage.metering import read_meter
from clearing.usage.reconcile import Match
from clearing.usage.record import Side, StatusClass
from clearing.usage.report import Report
from clearing.usage.service import Refusal
from clearing.usage.workbook import LAPSE_NAMES, MATCH_NAMES, report_xlsx
from ledger import canonical, log
from ledger import store as ledger
from tests.clearing.market.house import CONNECTOR, DAY, DOMAIN, NOW, House
from tests.clearing.usage.batches import Line, TwoSides

MAY = month("2026-05")


def report(two: TwoSides, at: int = NOW + 60) -> Report:
    return service.reconciliation(two.house.session, two.agreement, MAY.start, MAY.end, at=at)


def counts(found: Report) -> dict[Match, int]:
    return {item.match: item.count for item in found.classes if item.count}


def test_report__both_sides_alike__only_ok_and_metering_bills_the_same(house: House) -> None:
    two = TwoSides(house)
    two.report(7)
    found = report(two)
    assert (counts(found), found.differences) == ({Match.OK: 7}, ())
    assert (found.billed, found.held, found.unit, found.billing) == (7, 0, "call", BillingBasis.BOTH)
    assert [item.match for item in found.classes] == list(Match)
    log.integrate(house.session)
    item = market.agreement_terms(house.session, MAY.start, MAY.end)[0]
    reading = read_meter(item, MAY, store.metered_uses(house.session, two.agreement), 10**9)
    assert (reading.quantity, reading.held, reading.counted) == (7, 0, 14)


FAULTS: list[tuple[Match, dict[str, object], int, int]] = [
    # what the consumer says otherwise of the second of three uses of two units, the class, what is billed and held
    (Match.QTY, {"quantity": 1}, 5, 1),
    (Match.UNIT, {"unit": "row"}, 4, 2),
    (Match.VERSION, {"version": 2}, 4, 2),
    (Match.VERSION, {"revision": 2}, 4, 2),
    (Match.OUTCOME, {"status": StatusClass.SERVER}, 4, 2),
    (Match.SCOPE, {"purpose": "marketing"}, 4, 0),
    (Match.TIME, {"occurred_at": MAY.end + 10}, 4, 0),
]


@pytest.mark.parametrize(("match", "changes", "billed", "held"), FAULTS, ids=[str(i) for i in range(len(FAULTS))])
def test_report__one_side_says_otherwise__the_use_is_named(
    house: House, match: Match, changes: dict[str, Any], billed: int, held: int
) -> None:
    two, at = TwoSides(house), MAY.end + DAY
    two.report(1, at=at, provide={"quantity": 2}, consume={"quantity": 2})
    two.report(1, at=at, provide={"quantity": 2}, consume={"quantity": 2} | changes)
    two.report(1, at=at, provide={"quantity": 2}, consume={"quantity": 2})
    found = report(two, at)
    assert counts(found) == {Match.OK: 2, match: 1}
    assert [(item.match, item.request_id) for item in found.differences] == [(match, "request-000002")]
    assert (found.billed, found.held) == (billed, held)


def test_report__missing_doubled_contradicted_unsigned__each_record_once(house: House) -> None:
    two = TwoSides(house)
    both, provider_only, doubled = (two.provide.more(1)[0] for _ in range(3))
    again = two.provide.more(1, request_id=doubled.record.request_id)[0]
    other = two.provide.more(1, request_id=doubled.record.request_id, quantity=9)[0]
    two.send_provided([both, provider_only, doubled, again, other])
    alone = two.provide.more(1)[0]
    service.hold(house.session, [alone], signer=house.operator, at=NOW + 60)
    said = {"side": Side.CONSUME}
    two.send_consumed(
        [
            *two.consume.more(1, **said),
            *two.consume.more(1, request_id=doubled.record.request_id, **said),
            *two.consume.more(1, request_id="request-consumer", **said),
        ]
    )
    found = report(two)
    assert counts(found) == {
        Match.OK: 2, Match.P_ONLY: 1, Match.C_ONLY: 1, Match.DUP: 1, Match.CONFLICT: 1, Match.SIG: 1,
    }  # fmt: skip
    assert (found.billed, found.held) == (2, 2)
    named = {item.match: (item.request_id, item.counts) for item in found.differences}
    first = f"{CONNECTOR}/{doubled.record.seq}"
    assert named == {
        Match.P_ONLY: (provider_only.record.request_id, ""),
        Match.C_ONLY: ("request-consumer", ""),
        Match.DUP: (doubled.record.request_id, first),
        Match.CONFLICT: (doubled.record.request_id, first),
        Match.SIG: (alone.record.request_id, ""),
    }
    assert [(item.connector, item.kind) for item in found.seams] == [(CONNECTOR, "UNSIGNED")]
    two.send_provided([alone])
    assert counts(report(two))[Match.P_ONLY] == 2  # signed for now, and the consumer has nothing of it
    assert report(two).seams == ()


def test_report__text_of_an_unsigned_record_erased__the_rest_is_reported(house: House) -> None:
    two = TwoSides(house)
    two.report(1)
    (answer,) = service.hold(house.session, two.provide.more(1), signer=house.operator, at=NOW + 60)
    assert isinstance(answer, bytes)
    assert counts(report(two)) == {Match.OK: 1, Match.SIG: 1}
    ledger.erase(house.session, canonical.decode(answer)["fact"])
    found = report(two)
    assert (counts(found), [item.kind for item in found.seams]) == ({Match.OK: 1}, ["UNSIGNED"])


def test_report__another_story_under_the_same_numbers__refused_and_the_first_stands(house: House) -> None:
    two = TwoSides(house)
    two.report(2)
    false = Line(two.agreement, two.provide.listing, two.provide.policy)
    records = false.more(2, quantity=5)
    answer = service.admit(
        house.session,
        receive(freeze(records, 0, None, house.connector), [item.data for item in records]),
        signer=house.operator,
        at=NOW + 70,
    )
    assert isinstance(answer, Refusal)
    assert counts(report(two)) == {Match.OK: 2}


def test_report__beyond_the_limit_of_the_policy__breach_evidence(house: House) -> None:
    two = TwoSides(house, limit=3)
    two.report(5)
    found = report(two)
    assert (counts(found), found.billed, found.held) == ({Match.OK: 3, Match.SCOPE: 2}, 3, 0)


@pytest.mark.parametrize("billing", [BillingBasis.PROVIDER, BillingBasis.CONSUMER])
def test_report__one_sided_basis__compared_all_the_same_and_that_side_billed(
    house: House, billing: BillingBasis
) -> None:
    two = TwoSides(house, billing=billing)
    two.report(1, provide={"quantity": 4}, consume={"quantity": 3})
    found = report(two)
    assert counts(found) == {Match.QTY: 1}
    assert (found.billed, found.held) == (4 if billing is BillingBasis.PROVIDER else 3, 0)


def test_report__more_differences_than_a_report_lists__the_rest_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = TwoSides(house)
    two.send_provided(two.provide.more(5))
    monkeypatch.setattr(reports, "LISTED", 2)
    found = report(two)
    assert (counts(found), len(found.differences), found.unlisted) == ({Match.P_ONLY: 5}, 2, 3)


def test_report__no_such_agreement_or_an_empty_window__refused(house: House) -> None:
    with pytest.raises(UnknownFact):
        service.reconciliation(house.session, "f" * 64, MAY.start, MAY.end, at=NOW)
    two = TwoSides(house)
    with pytest.raises(BadTerms):
        service.reconciliation(house.session, two.agreement, MAY.end, MAY.start, at=NOW)


def test_workbook__what_the_report_says__as_text_only(house: House) -> None:
    two, at = TwoSides(house), MAY.end + 9 * DAY
    two.report(2)
    two.send_provided(two.provide.more(1, unit="=1+1"))
    found = report(two, at)
    book = openpyxl.load_workbook(io.BytesIO(report_xlsx(found)))
    assert book.sheetnames == ["对账汇总", "差异明细", "截止与心跳"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    rows = {row[0].value: [cell.value for cell in row] for row in book["对账汇总"].iter_rows()}
    for item in found.classes:
        assert rows[item.match.value][2:5] == [str(item.count), str(item.billed), str(item.held)]
    listed = list(book["差异明细"].iter_rows(min_row=2, values_only=True))
    assert [row[0].split()[0] for row in listed] == [item.match.value for item in found.differences] == ["P-ONLY"]
    assert len(list(book["截止与心跳"].iter_rows(min_row=2))) == len(found.tails) == 4


def test_workbook__every_class_and_lapse__has_a_name() -> None:
    assert set(MATCH_NAMES) == set(Match)
    assert set(LAPSE_NAMES) == {*Lapse, *FindingKind}


def test_report__two_revisions__each_use_by_its_own_and_none_twice(house: House) -> None:
    """An amendment raises the tolerance: what differed by one before it is QTY, after it OK-T."""
    two = TwoSides(house)
    two.report(1, provide={"quantity": 4}, consume={"quantity": 3})
    terms = market.store.terms_of(house.session, two.agreement, 1)
    settled = replace(terms.settlement, tolerance=Tolerance(1))
    changed = replace(terms, settlement=settled, salt="9" * 64)
    signed = house.sign(house.act(two.agreement, Act.AMEND, State.EFFECTIVE, terms=changed))
    market.record_act(house.session, signed, house.parts[signed.statement.parts], domain=DOMAIN, at=NOW + 100)
    later = {"quantity": 4, "revision": 2, "occurred_at": NOW + 200}
    two.report(1, at=NOW + 260, provide=later, consume=later | {"quantity": 3})
    two.report(1, at=NOW + 260, provide=later | {"revision": 9}, consume=later | {"revision": 9})
    found = report(two, NOW + 300)
    assert counts(found) == {Match.QTY: 1, Match.OK_T: 1, Match.VERSION: 1}
    assert (found.billed, found.held) == (6, 1)
