"""Records that come alone: taken in once, answered with proof, billed only by the batch that repeats them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from clearing.usage import service, store, tables
from clearing.usage.held import USAGE_HELD, HeldAnswer
from clearing.usage.record import Admitted, decode, encode
from clearing.usage.service import Admission, Refusal
from ledger import canonical, log, sm
from ledger import store as ledger
from ledger.errors import BadSignature, Erased, FieldError, LedgerError
from tests.clearing.market.house import CONNECTOR, NOW, House
from tests.clearing.usage.batches import Line, admit, line_of


def hold(house: House, *items: Admitted, at: int = NOW + 30) -> list[Any]:
    """What `service.hold` answers, with answers read back."""
    given = service.hold(house.session, items, signer=house.operator, at=at)
    return [HeldAnswer.of_document(canonical.decode(item)) if isinstance(item, bytes) else item for item in given]


def key_of(house: House) -> str:
    return house.keys[house.operator.by.removeprefix("party:")].sm2.public


def other(item: Admitted, **changes: object) -> Admitted:
    """The same number with other content."""
    return decode(encode(structs.replace(item.record, **changes)))


def rows(house: House) -> list[Any]:
    return list(house.session.execute(tables.held.select().order_by(tables.held.c.connector, tables.held.c.seq)))


@pytest.mark.parametrize("size", [*range(1, 10), 33])
def test_hold__any_group_size__every_answer_proves_its_record_offline(house: House, size: int) -> None:
    items = line_of(house).more(size)
    answers = hold(house, *items)
    assert len({answer.fact.id for answer in answers}) == 1
    for item, answer in zip(items, answers, strict=True):
        promise = answer.verify(item.data, house.operator.by, key_of(house))
        assert (promise.received_at, promise.integrate_by) == (NOW + 30, NOW + 30 + service.INTEGRATE_WITHIN)
    fact = ledger.fact(house.session, answers[0].fact.id)
    assert (fact.kind, fact.subject) == (USAGE_HELD, f"usage-intake:{house.operator.by.removeprefix('party:')}")
    while log.integrate(house.session):
        pass
    assert log.index_of(house.session, fact.id) is not None


def test_hold__second_group__continues_the_first(house: House) -> None:
    line = line_of(house)
    first, second = hold(house, *line.more(3))[0], hold(house, *line.more(2))[0]
    assert second.fact.statement.no == first.fact.statement.no + 1
    assert second.fact.statement.prev == first.fact.statement.digest()


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "index": lambda a: a.update(index=a["index"] ^ 1),
    "path cut": lambda a: a["path"].update(sha256=a["path"]["sha256"][: 44 * 2 - 4]),
    "path other": lambda a: a["path"].update(sm3=a["path"]["sha256"]),
    "path empty": lambda a: a["path"].update(sha256="", sm3=""),
    "one side": lambda a: a["path"].pop("sm3"),
    "fact id": lambda a: a.update(fact="0" * 64),
    "fact at": lambda a: a["document"].update(at=a["document"]["at"] + 1),
    "fact salt": lambda a: a["document"].update(salt="0" * 64),
    "root": lambda a: a["document"]["statement"]["parts"]["root"].update(sm3="0" * 64),
    "count": lambda a: a["document"]["statement"]["parts"].update(count=9),
    "kind": lambda a: a["document"]["statement"].update(kind="usage-note/v1"),
    "promise body": lambda a: a["promise"]["statement"]["body"].update(integrate_by=2**40),
    "promise kind": lambda a: a["promise"]["statement"].update(kind="log-promise/v2"),
    "promise subject": lambda a: a["promise"]["statement"].update(subject="log-promise:" + "0" * 64),
    "promise signature": lambda a: a["promise"]["signatures"][0].update(value="0" * 128),
    "promise unsigned": lambda a: a["promise"].update(signatures=[]),
    "promise signer": lambda a: a["promise"]["signatures"][0].update(by="party:other"),
    "missing": lambda a: a.pop("promise"),
    "extra": lambda a: a.update(extra=1),
    "text index": lambda a: a.update(index="1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_verify__answer_changed_anywhere__refused(house: House, change: Callable[[dict[str, Any]], None]) -> None:
    items = line_of(house).more(5)
    document = canonical.decode(_bytes(house, items)[2])
    HeldAnswer.of_document(document).verify(items[2].data, house.operator.by, key_of(house))
    changed = copy.deepcopy(document)
    change(changed)
    with pytest.raises(LedgerError):
        HeldAnswer.of_document(changed).verify(items[2].data, house.operator.by, key_of(house))


def test_verify__fact_changed_and_its_id_too__refused_by_the_promise(house: House) -> None:
    items = line_of(house).more(2)
    answer = hold(house, *items)[0]
    resealed = replace(answer, fact=replace(answer.fact, at=answer.fact.at - 60, _cache={}))
    with pytest.raises(FieldError, match="promise"):
        resealed.verify(items[0].data, house.operator.by, key_of(house))


def test_verify__another_record_or_another_key__refused(house: House) -> None:
    items = line_of(house).more(2)
    answer = hold(house, *items)[0]
    with pytest.raises(FieldError, match="path"):
        answer.verify(items[1].data, house.operator.by, key_of(house))
    with pytest.raises(BadSignature):
        answer.verify(items[0].data, house.operator.by, sm.generate().public)
    with pytest.raises(BadSignature):
        answer.verify(items[0].data, "party:other", key_of(house))


def test_hold__same_record_again__first_answer_to_the_byte_whether_in_one_group_or_later(house: House) -> None:
    items = line_of(house).more(4)
    first = _bytes(house, [*items, items[1]])
    assert first[4] == first[1]
    again = service.hold(house.session, items[::-1], signer=house.operator, at=NOW + 90)
    assert again == first[3::-1]
    assert len(rows(house)) == 4
    fact = HeldAnswer.of_document(canonical.decode(first[0])).fact
    assert ledger.next_of(house.session, fact.subject)[0] == 1


def test_hold__again_after_an_import_without_answers__same_promise_signed_anew_and_then_kept(house: House) -> None:
    item = line_of(house).more(1)[0]
    first = hold(house, item)[0]
    house.session.execute(tables.answer.delete())
    second, third = hold(house, item)[0], hold(house, item)[0]
    assert (second.fact, second.promise.statement) == (first.fact, first.promise.statement)
    assert second == third
    second.verify(item.data, house.operator.by, key_of(house))


def test_hold__other_content_under_a_number__refusal_beside_good_answers(house: House) -> None:
    items = line_of(house).more(3)
    false = other(items[1], quantity=9)
    same_group = hold(house, items[0], items[1], false, items[2])
    assert isinstance(same_group[2], Refusal)
    later = hold(house, other(items[2], quantity=7), items[0])
    assert (same_group[2].stored_sha256, same_group[2].given.sha256) == (
        items[1].digest.sha256.hex(), false.digest.sha256.hex(),
    )  # fmt: skip
    assert isinstance(later[0], Refusal)
    assert later[1] == same_group[0]
    for refusal in (same_group[2], later[0], same_group[2]):
        service.record_refusal(house.session, refusal)
    kept = house.session.execute(tables.refusal.select().order_by(tables.refusal.c.first_seq)).all()
    assert [(row.connector, row.first_seq, row.last_seq) for row in kept] == [(CONNECTOR, 2, 2), (CONNECTOR, 3, 3)]
    assert decode(kept[0].document.encode()) == false
    assert len(rows(house)) == 3


def test_hold__out_of_order_with_holes__admitted(house: House) -> None:
    items = line_of(house).more(9)
    hold(house, items[7], items[2])
    hold(house, items[0], items[8], items[3])
    assert [row.seq for row in rows(house)] == [1, 3, 4, 8, 9]
    found = [(f.kind, f.first_seq, f.last_seq) for f in store.findings(house.session)]
    assert found == [("UNSIGNED", 1, 1), ("UNSIGNED", 3, 4), ("UNSIGNED", 8, 9)]


def test_hold__large_group__every_row_once(house: House) -> None:
    items = line_of(house).more(300)
    hold(house, *items)
    assert [(row.seq, row.position, row.sha256) for row in rows(house)] == [
        (place + 1, place, item.digest.sha256.hex()) for place, item in enumerate(items)
    ]


def test_admit__batch_that_repeats_what_was_held__billed_once_and_nothing_left_unsigned(house: House) -> None:
    line = line_of(house)
    items = line.more(6)
    hold(house, *items[1:4])
    assert store.metered_uses(house.session, line.agreement) == []
    assert store.classes(house.session, line.agreement) == {}
    answer = admit(house, items)
    assert isinstance(answer, Admission)
    assert [use.seq for use in store.metered_uses(house.session, line.agreement)] == [1, 2, 3, 4, 5, 6]
    assert {row.batch for row in rows(house)} == {answer.fact.id}
    assert store.findings(house.session) == []


def test_admit__batch_over_some_of_them__the_others_stay_unsigned(house: House) -> None:
    line = line_of(house)
    items = line.more(6)
    hold(house, *items)
    admit(house, items[:4])
    assert [(f.kind, f.first_seq, f.last_seq) for f in store.findings(house.session)] == [("UNSIGNED", 5, 6)]


@pytest.mark.parametrize("place", [0, 2, 3])
def test_admit__batch_that_contradicts_what_was_held__refusal_with_evidence(house: House, place: int) -> None:
    line = line_of(house)
    held = line.more(4)
    hold(house, held[place])
    second_history = Line(line.agreement, line.listing, line.policy).more(4)
    answer = admit(house, second_history)
    assert isinstance(answer, Refusal)
    assert answer.stored_sha256 == held[place].digest.sha256.hex()
    assert store.metered_uses(house.session, line.agreement) == []
    assert isinstance(admit(house, held), Admission)


def test_hold__record_of_a_batch__answer_out_of_the_batch_or_refusal(house: House) -> None:
    items = line_of(house).more(4)
    batch = admit(house, items)
    assert isinstance(batch, Admission)
    answer, refusal = hold(house, items[2], other(items[1], quantity=5))
    assert (answer.fact, answer.index) == (batch.fact, 2)
    assert answer.promise.document() == batch.document()["promise"]
    answer.verify(items[2].data, house.operator.by, key_of(house))
    assert isinstance(refusal, Refusal)
    assert rows(house) == []


def test_findings__held_records_that_do_not_continue_each_other__fork(house: House) -> None:
    line = line_of(house)
    items = line.more(3)
    stray = Line(line.agreement, line.listing, line.policy)
    stray.more(3)
    hold(house, *items, *stray.more(1))
    found = {(f.kind, f.first_seq, f.last_seq) for f in store.findings(house.session, CONNECTOR)}
    assert found == {("FORK", 4, 4), ("UNSIGNED", 1, 4)}
    assert store.findings(house.session, "conn-other") == []


def test_findings__batch_before_or_after_does_not_fit_the_held_record__fork(house: House) -> None:
    line = line_of(house)
    items = line.more(6)
    stray = Line(line.agreement, line.listing, line.policy).more(6)
    hold(house, stray[2])
    admit(house, items[:2])
    assert ("FORK", 3) in {(f.kind, f.first_seq) for f in store.findings(house.session)}
    admit(house, items[3:])
    assert {("FORK", 3), ("FORK", 4), ("UNSIGNED", 3)} <= {(f.kind, f.first_seq) for f in store.findings(house.session)}


def test_findings__both_histories_in_the_log_by_whatever_means__fork(house: House) -> None:
    """Had the platform let a contradicting batch through, its facts would still tell."""
    line = line_of(house)
    held = line.more(2)
    hold(house, *held)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "held_otherwise", lambda *_: None)
        assert isinstance(admit(house, Line(line.agreement, line.listing, line.policy).more(2)), Admission)
    found = {(f.kind, f.first_seq, f.last_seq) for f in store.findings(house.session)}
    assert {("FORK", 1, 1), ("FORK", 2, 2), ("UNSIGNED", 1, 2)} <= found


def test_hold__first_answer_was_erased__said_so_to_that_record_alone(house: House) -> None:
    line = line_of(house)
    items = line.more(2)
    fact = hold(house, items[0])[0].fact
    ledger.erase(house.session, fact.id)
    gone, fresh = hold(house, *items)
    assert isinstance(gone, Erased)
    fresh.verify(items[1].data, house.operator.by, key_of(house))


def test_project__facts_folded_again__same_rows(house: House) -> None:
    line = line_of(house)
    items = line.more(8)
    hold(house, *items[4:6])
    hold(house, items[0], items[2])
    admit(house, items[:5])
    before = rows(house)
    for table in store.VIEWS:
        house.session.execute(table.delete())
    for fact in ledger.all_facts(house.session):
        store.project(house.session, fact)
    assert rows(house) == before
    assert {row.batch is None for row in before} == {True, False}


def _bytes(house: House, items: Sequence[Admitted]) -> list[Any]:
    return service.hold(house.session, items, signer=house.operator, at=NOW + 30)
