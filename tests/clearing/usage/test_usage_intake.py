"""Intake on a real SQLite database: once, whole, with a class for each record (decisions D9, D10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from clearing.market import service as market
from clearing.market.agreement import Act, State
from clearing.market.policy import Decision, Reason
from clearing.terms import month
from clearing.usage import service, store, tables
from clearing.usage.batch import freeze, receive
from clearing.usage.control import Alarm, alarms
from clearing.usage.metering import Exclusion, read_meter
from clearing.usage.record import Side, StatusClass
from clearing.usage.service import Admission, Refusal
from ledger import bulk, canonical, log, signing, sm
from ledger import store as ledger
from ledger.errors import BadSignature, FieldError, Stale
from ledger.facts import Signed
from registry.errors import Unknown
from tests.clearing.market.house import DAY, DOMAIN, NOW, House
from tests.clearing.usage.batches import Line, admit, batch, line_of

DENIED = {"decision": Decision.DENY, "reasons": (Reason.COUNT,), "billable": False, "status": StatusClass.NONE}


def class_of(house: House, line: Line, at: int = NOW + 60, **changes: object) -> str:
    records = line.more(1, **changes)
    assert isinstance(admit(house, records, at), Admission)
    return store.record_at(house.session, line.connector, records[0].record.seq).use_class


def test_admit__good_batch__promise_signed_by_the_operator_names_the_fact(house: House):
    line = line_of(house)
    answer = admit(house, line.more(5))
    assert isinstance(answer, Admission)
    document = answer.document()
    promise = Signed.of_document(document["promise"])
    assert (document["classes"], document["fact"], answer.replayed) == ({"OK": 5}, answer.fact.id, False)
    body = promise.statement.body
    digest = answer.fact.digest().document()
    assert (body["digest"], body["received_at"], body["integrate_by"]) == (digest, NOW + 60, NOW + 60 + 3600)
    key = house.keys[house.operator.by.removeprefix("party:")].sm2.public
    signing.require_sm2(promise.statement, promise.signatures, by=house.operator.by, key=key)
    assert len(ledger.parts_of(house.session, answer.fact.id)) == 5


def test_has_billable__from_the_first_record_that_is_billed_on(house: House):
    line = line_of(house)
    assert not store.has_billable(house.session, line.agreement)
    admit(house, line.more(2, **DENIED))
    assert not store.has_billable(house.session, line.agreement)
    admit(house, line.more(1))
    assert store.has_billable(house.session, line.agreement)


def test_admit__same_batch_again__first_answer_and_nothing_counted(house: House):
    line = line_of(house)
    signed, parts = batch(house, line.more(5))
    first = service.admit(house.session, receive(signed, parts), signer=house.operator, at=NOW + 60)
    again = service.admit(house.session, receive(signed, parts), signer=house.operator, at=NOW + 99)
    assert isinstance(first, Admission)
    assert isinstance(again, Admission)
    assert (again.replayed, again.answer) == (True, first.answer)
    house.session.execute(tables.answer.delete())  # as after an import: the same words, signed once more
    anew = service.admit(house.session, receive(signed, parts), signer=house.operator, at=NOW + 120)
    assert isinstance(anew, Admission)
    assert _unsigned(anew.document()) == _unsigned(first.document())
    assert len(store.metered_uses(house.session, line.agreement)) == 5


def test_admit__other_content_under_the_same_number__refusal_that_is_kept(house: House):
    line = line_of(house)
    records = line.more(3)
    signed, parts = batch(house, records)
    service.admit(house.session, receive(signed, parts), signer=house.operator, at=NOW + 60)
    other = Line(line.agreement, line.listing, line.policy)
    false, false_parts = batch_at_zero(house, other)
    answer = service.admit(house.session, receive(false, false_parts), signer=house.operator, at=NOW + 61)
    assert isinstance(answer, Refusal)
    assert answer.stored_sha256 == signed.statement.digest().sha256.hex()
    for _ in range(2):
        service.record_refusal(house.session, answer)
    house.session.commit()
    rows = house.session.execute(tables.refusal.select()).all()
    assert [(row.given_sha256, row.first_seq, row.last_seq) for row in rows] == [
        (false.statement.digest().sha256.hex(), 1, 3)
    ]
    assert Signed.of_document(answer_document(rows[0].document)) == false
    assert len(store.metered_uses(house.session, line.agreement)) == 3


def test_admit__numbers_taken_in_before_under_a_new_batch_number__refusal(house: House):
    line = line_of(house)
    admit(house, line.more(3))
    again = Line(line.agreement, line.listing, line.policy)
    assert isinstance(admit(house, again.more(2)), Refusal)


def test_admit__gap_then_the_missing_ones__finding_opens_and_closes(house: House):
    line = line_of(house)
    first, lost, last = line.more(2), line.more(3), line.more(2)
    admit(house, first)
    admit(house, last)
    gap = store.findings(house.session)[0]
    assert (gap.kind, gap.first_seq, gap.last_seq) == ("GAP", 3, 5)
    admit(house, lost[:1])
    assert [(f.first_seq, f.last_seq) for f in store.findings(house.session)] == [(4, 5)]
    admit(house, lost[1:])
    assert store.findings(house.session) == []
    assert len(store.metered_uses(house.session, line.agreement)) == 7


def test_admit__record_that_does_not_continue_the_one_before__fork_finding(house: House):
    line = line_of(house)
    admit(house, line.more(2))
    fork = Line(line.agreement, line.listing, line.policy)
    fork.more(2)
    admit(house, fork.more(1))
    assert [(f.kind, f.first_seq) for f in store.findings(house.session)] == [("FORK", 3)]


@pytest.mark.parametrize("attack", ["key", "body", "part", "unsigned", "stale"])
def test_admit__malformed_or_wrongly_signed__refused_whole(house: House, attack: str):
    line = line_of(house)
    signed, parts = batch(house, line.more(3))
    errors: tuple[type[Exception], ...] = (BadSignature,)
    if attack == "key":
        other = sm.generate()
        signed = replace(signed, signatures=(signing.sign_sm2(other, signed.statement, by=signed.signatures[0].by),))
    elif attack == "body":
        statement = replace(signed.statement, body=signed.statement.body | {"count": 2})
        signed, errors = replace(signed, statement=statement), (FieldError,)
    elif attack == "part":
        parts[1], errors = parts[1].replace(b'"quantity":1', b'"quantity":9'), (FieldError,)
    elif attack == "unsigned":
        signed = replace(signed, signatures=())
    else:
        statement = replace(signed.statement, no=4, prev=signed.statement.digest())
        by = signed.signatures[0].by
        signed = Signed(statement, (signing.sign_sm2(house.connector, statement, by=by),))
        errors = (Stale,)
    with pytest.raises(errors):
        service.admit(house.session, receive(signed, parts), signer=house.operator, at=NOW + 60)
    for table in (*store.VIEWS, tables.refusal):
        assert house.session.execute(table.select()).first() is None


def test_admit__unknown_connector__refused(house: House):
    line = line_of(house)
    line.connector = "conn-unknown"
    with pytest.raises(Unknown):
        admit(house, line.more(1))


def test_admit__key_of_another_than_the_connector__refused(house: House):
    """The signature holds under the key it names, and that key is not the one on record."""
    line = line_of(house)
    signed, parts = batch(house, line.more(2))
    other = signing.sign_sm2(sm.generate(), signed.statement, by=signed.signatures[0].by)
    received = receive(replace(signed, signatures=(other,)), parts)
    with pytest.raises(BadSignature, match="登记在案"):
        service.admit(house.session, received, signer=house.operator, at=NOW + 60)


def test_classify__each_semantic_fault__stored_and_never_billed(house: House):
    """One record per fault on one real agreement; the good ones around them are billed, the others are not."""
    line = line_of(house)
    faults: list[tuple[str, int, dict[str, object]]] = [
        ("OK", 60, {}),
        ("UNKNOWN", 60, {"agreement": "f" * 64}),
        ("UNKNOWN", 60, {"occurred_at": NOW - 1}),
        ("REPORTER", 60, {"side": Side.CONSUME}),
        ("REFUSED", 60, DENIED),
        ("FUTURE", 60, {"occurred_at": NOW + 60 + 301}),
        ("OK", 60, {"occurred_at": NOW + 60 + 300}),
        ("VERSION", 60, {"revision": 2}),
        ("VERSION", 60, {"version": 2}),
        ("SCOPE", 60, {"purpose": "marketing"}),
        ("TRIAL", 60, {"billable": False}),
        ("UNIT", 60, {"unit": "row"}),
        ("QUANTITY", 60, {"quantity": 0}),
        ("LATE", 10 + 30 * DAY + 1, {}),
        ("OK", 10 + 30 * DAY, {}),
        ("FAILED", 60, {"status": StatusClass.SERVER}),
        ("OK", 60, {"request_id": "request-000001"}),  # metering finds the second use of a request id
    ]
    found = [class_of(house, line, NOW + at, **changes) for _, at, changes in faults]
    assert found == [name for name, _, _ in faults]
    log.integrate(house.session)
    uses = store.metered_uses(house.session, line.agreement)
    item = market.agreement_terms(house.session, NOW, NOW + DAY)[0]
    reading = read_meter(item, month("2026-05"), uses, 10**9)
    assert (reading.quantity, reading.counted) == (3, 3)
    reasons = [item.reason for item in reading.excluded]
    assert set(reasons) == {Exclusion[name] for name in ("DUP", "FAILED", "REFUSED", "LATE", "UNIT", "SCOPE")}
    assert reasons.count(Exclusion.DUP) == 1


@pytest.mark.parametrize("apart", [False, True])
def test_metering__same_request_twice__counted_once(house: House, apart: bool):
    line = line_of(house)
    records = line.more(2, request_id="request-same")
    for group in [records[:1], records[1:]] if apart else [records]:
        assert isinstance(admit(house, group), Admission)
    log.integrate(house.session)
    item = market.agreement_terms(house.session, NOW, NOW + DAY)[0]
    uses = store.metered_uses(house.session, line.agreement)
    reading = read_meter(item, month("2026-05"), uses, 10**9)
    assert (reading.quantity, [(item.seq, item.reason) for item in reading.excluded]) == (1, [(2, Exclusion.DUP)])
    assert store.counter(house.session, line.agreement).used == 1


def test_admit__two_records_under_one_identity__refused_by_the_table_itself(house: House):
    """The last word on (connector, seq) is a constraint inside the transaction, whoever looked before (D10)."""
    line = line_of(house)
    answer = admit(house, line.more(1))
    assert isinstance(answer, Admission)
    row = tuple(house.session.execute(tables.record.select()).one())
    with pytest.raises(IntegrityError), house.session.begin_nested():
        bulk.insert_rows(house.session, tables.record, [row])


def test_classify__suspended_ended_and_resumed__judged_by_the_time_of_use(house: House):
    line = line_of(house)
    suspend = house.by_court(line.agreement, Act.SUSPEND, State.SUSPENDED)
    market.record_act(house.session, suspend, domain=DOMAIN, at=NOW + 100)
    resume = house.by_court(line.agreement, Act.RESUME, State.EFFECTIVE)
    market.record_act(house.session, resume, domain=DOMAIN, at=NOW + 200)
    found = [class_of(house, line, NOW + 300, occurred_at=NOW + second) for second in (99, 100, 199, 200)]
    assert found == ["OK", "STANDING", "STANDING", "OK"]
    assert class_of(house, line, NOW + 301 * DAY, occurred_at=NOW + 300 * DAY) == "STANDING"


def test_metered_uses__window_and_high_water__only_what_lies_inside(house: House):
    line = line_of(house)
    admit(house, line.more(2))
    log.integrate(house.session)
    first = log.size(house.session)
    admit(house, line.more(3, occurred_at=NOW + DAY), at=NOW + DAY)
    assert len(store.metered_uses(house.session, line.agreement)) == 5
    assert len(store.metered_uses(house.session, line.agreement, upto=first)) == 2
    assert len(store.metered_uses(house.session, line.agreement, NOW + DAY, NOW + 2 * DAY)) == 3


def test_views__thrown_away_and_folded_again__same_rows(house: House):
    line = line_of(house)
    admit(house, line.more(2))
    gap = line.more(2)
    admit(house, line.more(2, request_id="request-same"))
    admit(house, gap)
    before = [house.session.execute(table.select()).all() for table in store.VIEWS]
    for table in reversed(store.VIEWS):
        house.session.execute(table.delete())
    for fact in ledger.all_facts(house.session):
        store.project(house.session, fact)
    assert [house.session.execute(table.select()).all() for table in store.VIEWS] == before


def test_counter__near_and_over_the_limit__alarms(house: House):
    line = line_of(house, limit=5)
    admit(house, line.more(4) + line.more(1, **DENIED))
    counter = store.counter(house.session, line.agreement)
    assert (counter.used, counter.limit, counter.refused) == (4, 5, 1)
    assert alarms(counter) == (Alarm.NEAR_LIMIT, Alarm.REFUSED_USE)
    admit(house, line.more(2))
    assert alarms(store.counter(house.session, line.agreement))[0] is Alarm.OVER_LIMIT


def _unsigned(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"promise": document["promise"]["statement"]}


def batch_at_zero(house: House, line: Line) -> tuple[Signed, list[bytes]]:
    records = line.more(3)
    return freeze(records, 0, None, house.connector), [item.data for item in records]


def answer_document(text: str) -> object:
    return canonical.decode(text.encode())
