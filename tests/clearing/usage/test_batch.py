"""Batches are taken whole or not at all: every broken one is refused by the name of what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from clearing.market.policy import Decision, Reason
from clearing.usage.batch import check_batch, freeze
from clearing.usage.record import Link, StatusClass, decode, encode
from ledger import canonical, sm
from ledger.errors import FieldError, Malformed
from ledger.facts import PartsRoot, Statement
from registry.asset import Twin
from tests.clearing.usage.batches import Line

KEY = sm.generate()


@pytest.fixture
def line() -> Line:
    return Line("a" * 64, "b" * 32, "e" * 64)


def test_freeze_and_check__ten_records__same_header_and_records(line: Line):
    records = line.more(10)
    signed = freeze(records, 0, None, KEY)
    batch = check_batch(signed.statement, [item.data for item in records])
    header = batch.header
    assert batch.records == tuple(item.record for item in records)
    assert (header.first_seq, header.last_seq, header.count, header.first_prev) == (1, 10, 10, None)
    assert (header.agreements[0].first, header.agreements[0].last, header.agreements[0].quantity) == (1, 10, 10)


def test_freeze__refused_uses__not_in_the_billable_quantity(line: Line):
    denied = {"decision": Decision.DENY, "reasons": (Reason.COUNT,), "billable": False, "status": StatusClass.NONE}
    records = line.more(2) + line.more(1, **denied)
    assert freeze(records, 0, None, KEY).statement.body["agreements"][0]["quantity"] == 2


@pytest.mark.parametrize("drop", [0, 3, 9])
def test_check__a_record_left_out__refused(line: Line, drop: int):
    records = line.more(10)
    signed = freeze(records, 0, None, KEY)
    parts = [item.data for i, item in enumerate(records) if i != drop]
    with pytest.raises(FieldError, match=r"statement\.parts"):
        check_batch(signed.statement, parts)
    # The same with the root recomputed over what is left: the chain or the header tells.
    resealed = replace(signed.statement, parts=PartsRoot.over(parts))
    with pytest.raises(FieldError):
        check_batch(resealed, parts)


def test_check__two_records_exchanged_and_resealed__refused_by_seq(line: Line):
    records = line.more(4)
    records[1], records[2] = records[2], records[1]
    parts = [item.data for item in records]
    signed = freeze(records, 0, None, KEY)
    with pytest.raises(FieldError, match=r"parts\[1\]\.seq"):
        check_batch(signed.statement, parts)


def test_check__a_record_changed_and_resealed__refused_by_prev_of_the_next(line: Line):
    records = line.more(4)
    records[1] = decode(encode(structs.replace(records[1].record, quantity=9)))
    with pytest.raises(FieldError, match=r"parts\[2\]\.prev"):
        check_batch(freeze(records, 0, None, KEY).statement, [item.data for item in records])


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", 3), ("last_seq", 5), ("first_seq", 2), ("last_hash", Twin("0" * 64, "0" * 64)), ("connector", "other")],
)
def test_check__header_says_something_else__refused(line: Line, name: str, value: object):
    records = line.more(4)
    statement = freeze(records, 0, None, KEY).statement
    document = {"sha256": value.sha256, "sm3": value.sm3} if isinstance(value, Twin) else value
    with pytest.raises(FieldError):
        check_batch(replace(statement, body=statement.body | {name: document}), [item.data for item in records])


def test_check__records_of_another_connector__refused(line: Line):
    records = [*line.more(2), decode(encode(structs.replace(line.more(1)[0].record, connector="conn-other")))]
    with pytest.raises(FieldError, match=r"parts\[2\]\.connector"):
        check_batch(freeze(records, 0, None, KEY).statement, [item.data for item in records])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"decision": Decision.DENY, "reasons": (Reason.COUNT,), "status": StatusClass.NONE}, "billable"),
        ({"decision": Decision.DENY, "reasons": (Reason.COUNT,), "billable": False}, "status"),
        ({"reasons": (Reason.COUNT,)}, "reasons"),
        ({"decision": Decision.FLAG}, "reasons"),
        ({"prev": Link("0" * 64, "0" * 64)}, "prev"),
        ({"request_id": "short"}, "request_id"),
        ({"quantity": -1}, "quantity"),
        ({"agreement": "A" * 64}, "agreement"),
    ],
)
def test_decode__a_record_that_contradicts_itself__names_the_field(line: Line, changes: dict, field: str):
    with pytest.raises(FieldError, match=field):
        line.more(1, **changes)


def test_decode__unknown_field_or_loose_json__refused(line: Line):
    data = line.more(1)[0].data
    value = canonical.decode(data)
    with pytest.raises(FieldError, match="colour"):
        decode(canonical.encode(value | {"colour": "red"}))
    with pytest.raises(Malformed):
        decode(data.replace(b'"agr_seq":1', b'"agr_seq": 1'))


def test_check__kind_or_subject_of_something_else__refused(line: Line):
    records = line.more(1)
    statement = freeze(records, 0, None, KEY).statement
    parts = [records[0].data]
    for changed in (
        Statement("usage-batch/v2", statement.subject, 0, None, statement.body, statement.parts),
        Statement(statement.kind, "connector-log:other", 0, None, statement.body, statement.parts),
    ):
        with pytest.raises(FieldError, match="statement"):
            check_batch(changed, parts)
