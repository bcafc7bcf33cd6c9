"""Nobody sees a file without a purpose; applicants see their own, others after a decision; every look is logged."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from dataclasses import replace
from typing import Any

import pytest

from ledger import canonical, store
from ledger.digest import twin
from ledger.errors import BadSignature, Conflict, FieldError
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of
from registry.asset import Twin
from registry.errors import GuardRefused, NotEntitled, Unknown
from registry.inspection import service
from registry.inspection import store as views
from registry.inspection.access import (
    ATTACHMENT,
    DECIDED,
    INSPECTED,
    OPEN_FOR,
    REQUESTED,
    Basis,
    Decision,
    Request,
    Status,
    check_decision,
    require_open,
)
from registry.inspection.copying import Copy, copy_of, mark_text
from tests.registry.registry_house import DEVELOPER, PROVIDER, RIVAL, House, a_form, open_house

OWN, RIVALS, CLERKS = (f"party:{PROVIDER}", ""), (f"party:{RIVAL}", ""), ("staff:clerk", "intake")
REVIEWERS = ("staff:reviewer", "reviewer")


@pytest.fixture
def house(tmp_path: Any) -> House:
    return open_house(tmp_path / "inspection.db")


def request(matter: str, **changes: Any) -> Request:
    body = Request(
        "杭州某某航空数据有限公司（演示）", PROVIDER, Basis.APPLICANT, "核对本公司申请内容", matter, ("form",)
    )
    return replace(body, **changes)


def interested(matter: str, **changes: Any) -> Request:
    who = {"reader": "绍兴某某数据有限公司（演示）", "reader_id": RIVAL, "basis": Basis.INTERESTED}
    return request(matter, **who | {"interest": "就同一数据主张权利", "purpose": "准备异议材料"} | changes)


def ask(house: House, body: Any, *who: tuple[str, str]) -> str:
    identity = secrets.token_hex(16)
    signed = house.signed(REQUESTED, f"inspection:{identity}", body, *(who or (OWN,)))
    service.ask(house.session, house.agency, signed, at=house.now)
    return identity


def decide(house: House, identity: str, body: Decision, who: tuple[str, str] = REVIEWERS) -> Fact:
    signed = house.signed(DECIDED, f"inspection:{identity}", body, who)
    return service.decide(house.session, house.agency, signed, at=house.now).fact


def nothing_kept(sha256: str) -> bytes:
    raise Unknown("附件 / attachment", sha256)


def hand_out(house: House, identity: str, paper: str = "form", attachments: Any = nothing_kept) -> Copy:
    return service.hand_out(house.session, identity, paper, house.signer, at=house.now, attachments=attachments)


def opened(copy: Copy) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(copy.data)) as package:
        return {name: package.read(name) for name in package.namelist()}


@pytest.mark.clause("G30", "A17")
def test_applicant__own_form__is_handed_out_marked_and_logged(house: House) -> None:
    application = house.file(a_form())
    identity = ask(house, request(f"application:{application}"))
    before = store.count(house.session)
    copy = hand_out(house, identity)
    assert store.count(house.session) == before + 1
    files = opened(copy)
    form = files[f"{application}-form.json"]
    assert json.loads(form)["applicants"][0]["phone"] == "0571-00000000"
    fact = store.facts_of(house.session, f"inspection:{identity}")[-1]
    assert fact.kind == INSPECTED
    assert fact.body["purpose"] == "核对本公司申请内容"
    assert Twin(**fact.body["digest"]) == Twin.of(twin(form))
    assert json.loads(files["mark.json"]) == fact.body
    assert fact.body["mark"] in files["复制件标识.txt"].decode()
    assert copy.name == f"{fact.body['mark']}.zip"
    (line,) = views.log_of(house.session, f"application:{application}")
    assert (line.reader_id, line.basis, line.purpose, line.paper, line.mark, line.at, line.decided_by) == (
        PROVIDER, "登记申请人", "核对本公司申请内容", "form", fact.body["mark"], house.now, "",
    )  # fmt: skip
    again = hand_out(house, identity)
    assert again.said.mark != copy.said.mark
    assert len(views.log_of(house.session)) == 2


@pytest.mark.clause("G30")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purpose": ""}, "body.purpose"),
        ({"purpose": " \u3000\n"}, "body.purpose"),
        ({"basis": Basis.STATE_BODY}, "body.document_no"),
        ({"basis": Basis.INTERESTED}, "body.interest"),
        ({"papers": ("passport",)}, r"body.papers\[0\]"),
        ({"papers": ("form", "form")}, r"body.papers\[1\]"),
        ({"papers": ("record",)}, r"body.papers\[0\]"),
        ({"papers": ("attachment-" + "0" * 64,)}, r"body.papers\[0\]"),
        ({"papers": ()}, "body.papers"),
        ({"matter": "application:1"}, "body.matter"),
        ({"matter": "certificate:SJ331202613000１"}, "body.matter"),
        ({"matter": "party:" + PROVIDER}, "body.matter"),
        ({"basis": "路人"}, "body.basis"),
    ],
)
def test_request__what_is_missing__is_named_and_nothing_written(
    house: House, changes: dict[str, Any], field: str
) -> None:
    application = house.file(a_form())
    before = store.count(house.session)
    with pytest.raises(FieldError, match=field):
        ask(house, replace(request(f"application:{application}"), **changes))
    assert store.count(house.session) == before
    assert views.waiting(house.session) == []


@pytest.mark.clause("G30")
def test_request__of_somebody_else_as_applicant__refused(house: House) -> None:
    application = house.file(a_form())
    with pytest.raises(NotEntitled):
        ask(house, request(f"application:{application}", reader_id=RIVAL), RIVALS)
    with pytest.raises(BadSignature):
        ask(house, request(f"application:{application}"), RIVALS)
    with pytest.raises(BadSignature):
        ask(house, request(f"application:{application}"), OWN, RIVALS)
    with pytest.raises(Unknown):
        ask(house, request("application:" + "0" * 32))
    with pytest.raises(Unknown):
        ask(house, request("certificate:SJ3312026080001", papers=("record",)))


@pytest.mark.clause("G30")
def test_interested_party__waits_for_a_decision__sees_only_what_was_granted(house: House) -> None:
    application = house.file(a_form())
    identity = ask(house, interested(f"application:{application}", papers=("form", "file")), RIVALS)
    assert [row.id for row in views.waiting(house.session)] == [identity]
    with pytest.raises(GuardRefused, match="尚未准许"):
        hand_out(house, identity)
    decide(house, identity, Decision(True, "与本案有利害关系", ("file",)))
    assert views.waiting(house.session) == []
    with pytest.raises(GuardRefused, match="未准许查询 form"):
        hand_out(house, identity, "form")
    lines = opened(hand_out(house, identity, "file"))[f"{application}-file.jsonl"].splitlines()
    assert [Fact.of_bytes(line).kind for line in lines] == ["application-submitted/v1"]
    (line,) = views.log_of(house.session)
    assert (line.decided_by, line.basis) == ("staff:reviewer", "利害关系人")
    house.now += OPEN_FOR
    with pytest.raises(GuardRefused, match="期限"):
        hand_out(house, identity, "file")
    assert len(views.log_of(house.session)) == 1


@pytest.mark.clause("G30")
def test_refusal__is_final(house: House) -> None:
    application = house.file(a_form())
    identity = ask(house, interested(f"application:{application}"), RIVALS)
    decide(house, identity, Decision(False, "未能说明利害关系"))
    with pytest.raises(GuardRefused):
        hand_out(house, identity)
    with pytest.raises(GuardRefused, match="已有结论"):
        decide(house, identity, Decision(True, "改主意", ("form",)))


@pytest.mark.clause("G30")
def test_state_body__through_a_clerk__another_person_decides(house: House) -> None:
    code = house.certificate(a_form())
    body = request(
        f"certificate:{code}", reader="某某市公安局（演示）", reader_id="演示-公安", basis=Basis.STATE_BODY,
        purpose="查处案件", document_no="演示公协查〔2026〕1号", papers=("record",),
    )  # fmt: skip
    identity = ask(house, body, CLERKS)
    granted = Decision(True, "文书齐全", ("record",))
    with pytest.raises(NotEntitled, match="代收"):
        decide(house, identity, granted, CLERKS)
    with pytest.raises(NotEntitled):
        decide(house, identity, granted, ("staff:reviewer", "intake"))
    with pytest.raises(BadSignature):
        decide(house, identity, granted, RIVALS)
    decide(house, identity, granted)
    record = json.loads(opened(hand_out(house, identity, "record"))[f"{code}-v1.json"])
    assert record["record"]["rights"][0]["holder_id"] == PROVIDER
    (line,) = views.log_of(house.session, f"certificate:{code}")
    assert (line.reader, line.purpose) == ("某某市公安局（演示）", "查处案件")
    assert store.facts_of(house.session, f"inspection:{identity}")[-1].body["document_no"] == "演示公协查〔2026〕1号"


@pytest.mark.clause("G30")
def test_attachment__comes_from_the_store__and_only_with_its_own_digest(house: House) -> None:
    form = a_form()
    application = house.file(form)
    paper = form.attachments[0]
    name = f"{ATTACHMENT}{paper.digest.sha256}"
    identity = ask(house, request(f"application:{application}", papers=(name,)))
    with pytest.raises(Unknown):
        hand_out(house, identity, name)
    with pytest.raises(FieldError):
        hand_out(house, identity, name, lambda _: b"something else")
    assert views.log_of(house.session) == []
    files = opened(hand_out(house, identity, name, lambda _: paper.kind.encode()))
    assert files[f"{name}.pdf"] == paper.kind.encode()
    assert len(views.log_of(house.session)) == 1


def test_request__sent_again__is_the_first_fact__with_other_content_a_conflict(house: House) -> None:
    application = house.file(a_form())
    body = request(f"application:{application}")
    signed = house.signed(REQUESTED, "inspection:" + "a" * 32, body, OWN)
    first = service.ask(house.session, house.agency, signed, at=house.now)
    again = service.ask(house.session, house.agency, signed, at=house.now + 9)
    assert (again.fact.id, again.replayed) == (first.fact.id, True)
    statement = Statement(REQUESTED, "inspection:" + "a" * 32, 0, None, body_of(replace(body, purpose="其他")))
    other = Signed(statement, (house.signature(statement, *OWN),))
    with pytest.raises(Conflict):
        service.ask(house.session, house.agency, other, at=house.now)


def test_copy__same_paper_and_mark__same_bytes(house: House) -> None:
    application = house.file(a_form())
    copy = hand_out(house, ask(house, request(f"application:{application}")))
    data = opened(copy)[f"{application}-form.json"]
    assert copy_of(copy.said, f"{application}-form.json", data).data == copy.data
    assert "不得将获得的登记资料用于其他目的" in mark_text(copy.said)


@pytest.mark.clause("G30")
@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("granted", [True, False])
def test_decision__every_state_and_answer__only_what_is_asked_is_decided(status: Status, granted: bool) -> None:
    asked = request("application:" + "0" * 32, papers=("form", "file"))
    decision = Decision(granted, "理由", ("form",) if granted else ())
    if status is Status.ASKED:
        check_decision(status, asked, decision, "", "staff:a")
        for wrong in (
            replace(decision, reason=" "),
            replace(decision, papers=() if granted else ("form",)),
            replace(decision, papers=("record",)),
        ):
            with pytest.raises(FieldError):
                check_decision(status, asked, wrong, "", "staff:a")
    else:
        with pytest.raises(GuardRefused):
            check_decision(status, asked, decision, "", "staff:a")


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("offset", [-1, 0, OPEN_FOR - 1, OPEN_FOR])
def test_open__granted_and_in_time__and_never_else(status: Status, offset: int) -> None:
    may = status is Status.GRANTED and 0 <= offset < OPEN_FOR
    if may:
        require_open(status, ("form",), "form", 1_000, 1_000 + offset)
        return
    with pytest.raises(GuardRefused):
        require_open(status, ("form",), "form", 1_000, 1_000 + offset)


def test_views__replayed_from_the_facts__are_the_same_rows(house: House) -> None:
    application = house.file(a_form())
    own = ask(house, request(f"application:{application}"))
    hand_out(house, own)
    other = ask(house, interested(f"application:{application}"), RIVALS)
    decide(house, other, Decision(True, "可以", ("form",)))
    hand_out(house, other)
    ask(house, interested(f"application:{application}", reader_id=DEVELOPER), CLERKS)

    def rows() -> list[dict[str, Any]]:
        found = [row for table in views.TABLES for row in house.session.query(table).all()]
        return sorted((row.model_dump() for row in found), key=canonical.encode)

    before = rows()
    for table in views.TABLES:
        house.session.query(table).delete()
    house.session.expunge_all()
    for fact in store.all_facts(house.session):
        if fact.kind in views.PROJECTORS:
            views.PROJECTORS[fact.kind](house.session, fact)
    assert rows() == before
    assert len(before) == 5
