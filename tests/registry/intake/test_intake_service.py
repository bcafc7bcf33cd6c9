"""Drafts, the two steps of submission, papers and imports against a real house with real keys."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from ledger.errors import FieldError, Stale
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from registry import store as views
from registry.errors import FileRefused, Unknown
from registry.form import SUBMITTED, Form, publicity_text
from registry.intake import service, store
from registry.intake.attachment import Limits, Paper
from registry.intake.rows import rows_of
from registry.intake.sheets import read_book
from registry.precheck import Level
from tests.registry.intake.intake_forms import filled, typed
from tests.registry.intake.intake_forms import house as surroundings
from tests.registry.registry_house import CALENDAR, PROVIDER, RIVAL, House, a_form

HOLDER, OTHER = f"party:{PROVIDER}", f"party:{RIVAL}"


def drafted(house: House, form: Form, holder: str = HOLDER) -> str:
    return service.create_draft(house.session, holder, SUBMITTED, body_of(form), at=house.now).id


def signed(house: House, statement: Statement | None, by: str = HOLDER) -> Signed:
    assert statement is not None
    return Signed(statement, (house.signature(statement, by, ""),))


def submit(house: House, identity: str, what: Signed, seen: str, holder: str = HOLDER) -> None:
    service.submit(house.session, house.agency, holder, identity, what, seen, at=house.now, calendar=CALENDAR)


def test_draft__half_typed__is_kept_as_typed_and_every_field_is_named(house: House) -> None:
    body = {"applicants": [{"name": "某公司", "kind": "公司"}], "years": "五", "colour": "red"}
    made = service.create_draft(house.session, HOLDER, SUBMITTED, body, at=house.now)
    assert service.draft(house.session, HOLDER, made.id).body == body
    findings = service.check(house.session, house.agency, SUBMITTED, body, house.now)
    said = {item.field: item.zh for item in findings}
    assert said["applicants[0].kind"] == "申请人类型：应为自然人、法人、非法人组织之一，实为“公司”。"
    assert said["years"] == "申请年限：应为1至100的整数，实为“五”。"
    assert said["description"] == "数据信息：未填写。"
    assert said["applicants[0].id_no"] == "证件号码：未填写。"
    assert said["colour"].endswith("没有这一项，请删除。")
    assert {item.level for item in findings} == {Level.STOP}
    assert service.preview(house.session, house.agency, HOLDER, made.id, house.now).statement is None


def test_draft__of_somebody_else__is_not_there(house: House) -> None:
    identity = drafted(house, a_form())
    for call in (
        lambda: service.draft(house.session, OTHER, identity),
        lambda: service.edit_draft(house.session, OTHER, identity, {}, at=1),
        lambda: service.withdraw_draft(house.session, OTHER, identity),
        lambda: service.preview(house.session, house.agency, OTHER, identity, house.now),
    ):
        with pytest.raises(Unknown):
            call()
    assert service.drafts(house.session, OTHER) == []
    assert [item.id for item in service.drafts(house.session, HOLDER)] == [identity]
    with pytest.raises(FieldError):
        service.create_draft(house.session, HOLDER, "party/v1", {}, at=1)
    with pytest.raises(FieldError):
        service.create_draft(house.session, HOLDER, SUBMITTED, [], at=1)


@pytest.mark.clause("G16", "I-01", "I-02")
def test_two_steps__preview_then_the_signed_statement__draft_becomes_the_application(house: House) -> None:
    form = a_form()
    identity = drafted(house, form)
    seen = service.preview(house.session, house.agency, HOLDER, identity, house.now)
    assert seen.publicity == publicity_text(form)
    what = signed(house, seen.statement)
    submit(house, identity, what, seen.publicity_sha256)
    assert house.case(identity).form == form
    with pytest.raises(Unknown):
        service.draft(house.session, HOLDER, identity)
    submit(house, identity, what, seen.publicity_sha256)  # sent again: the first fact
    assert house.case(identity).form == form


def test_two_steps__draft_changed_after_the_preview__is_stale_and_kept(house: House) -> None:
    identity = drafted(house, a_form())
    seen = service.preview(house.session, house.agency, HOLDER, identity, house.now)
    other = a_form(years=3)
    service.edit_draft(house.session, HOLDER, identity, body_of(other), at=house.now)
    with pytest.raises(Stale):
        submit(house, identity, signed(house, seen.statement), seen.publicity_sha256)
    again = service.preview(house.session, house.agency, HOLDER, identity, house.now)
    with pytest.raises(Stale, match="publicity_sha256"):
        submit(house, identity, signed(house, again.statement), "0" * 64)
    with pytest.raises(FieldError, match="application:"):
        submit(house, "0" * 32, signed(house, again.statement), again.publicity_sha256)
    with pytest.raises(Unknown):
        submit(house, identity, signed(house, again.statement), again.publicity_sha256, holder=OTHER)
    assert service.draft(house.session, HOLDER, identity).body == body_of(other)


def test_withdrawn_draft__is_gone(house: House) -> None:
    identity = drafted(house, a_form())
    service.withdraw_draft(house.session, HOLDER, identity)
    with pytest.raises(Unknown):
        service.preview(house.session, house.agency, HOLDER, identity, house.now)


# Papers ---------------------------------------------------------------------------------------------------------------


def handed_in(house: House, form: Form, holder: str = HOLDER, draft: str = "") -> list[Paper]:
    papers = [
        Paper(
            secrets.token_hex(16), holder, draft, item.kind, item.name, 1, item.media_type, item.size,
            item.digest.sha256, item.digest.sm3, holder, house.now,
        )
        for item in form.attachments
    ]  # fmt: skip
    return [service.keep_paper(house.session, paper) for paper in papers]


@pytest.mark.clause("G16", "PC-22")
def test_submission__papers_not_handed_in_by_the_applicant__stopped(house: House) -> None:
    house.agency = replace(house.agency, papers_received=True)
    form = a_form()
    identity = drafted(house, form)
    assert service.preview(house.session, house.agency, HOLDER, identity, house.now).statement is None
    with pytest.raises(FieldError, match="PC-22 材料身份佐证"):
        house.file(form)
    handed_in(house, form, OTHER)
    with pytest.raises(FieldError, match="PC-22"):
        house.file(form)  # somebody else's paper is as good as none
    handed_in(house, form)
    seen = service.preview(house.session, house.agency, HOLDER, identity, house.now)
    submit(house, identity, signed(house, seen.statement), seen.publicity_sha256)
    first = form.attachments[0]
    changed = replace(form, attachments=(replace(first, size=first.size + 1), *form.attachments[1:]))
    with pytest.raises(FieldError, match="PC-22"):
        house.file(changed)


def test_paper__again_is_the_same__other_bytes_are_the_next_version(house: House) -> None:
    first, *_ = handed_in(house, a_form())
    again = service.keep_paper(house.session, replace(first, id="f" * 32, at=house.now + 9))
    assert again == first
    newer = service.keep_paper(house.session, replace(first, id="e" * 32, sha256="0" * 64))
    assert (newer.version, newer.kind, newer.name) == (2, first.kind, first.name)
    assert store.attachment(house.session, first.id) == first
    assert store.papers_by_name(house.session, HOLDER)[first.kind, first.name] == newer.attachment()


def test_paper__for_a_draft__counted_against_its_limits_and_only_by_its_holder(house: House) -> None:
    identity = drafted(house, a_form())
    papers = handed_in(house, a_form(), draft=identity)
    one = replace(papers[0], id="d" * 32, name="另一份.pdf")
    with pytest.raises(FileRefused, match="最多 3 个文件"):
        service.keep_paper(house.session, one, Limits(files=3))
    with pytest.raises(FileRefused, match="合计不超过"):
        service.keep_paper(house.session, one, Limits(application=sum(item.size for item in papers)))
    with pytest.raises(Unknown):
        service.keep_paper(house.session, replace(one, holder=OTHER))
    assert service.keep_paper(house.session, one).version == 1


def test_paper__a_look_at_it__is_noted(house: House) -> None:
    paper, *_ = handed_in(house, a_form())
    service.note_access(house.session, paper, "staff:clerk", "审查", at=house.now)
    (row,) = store.accesses(house.session, paper.id)
    assert (row.reader, row.purpose, row.opened_at) == ("staff:clerk", "审查", house.now)


# Imports --------------------------------------------------------------------------------------------------------------


def judged(house: House, *cells: dict[str, str]) -> list[service.Judged]:
    book = read_book("a.xlsx", filled(cells))
    found = rows_of("a.xlsx", book, surroundings(a_form()))
    return [service.judge(house.agency, HOLDER, row, house.now) for row in found]


def test_judge__stops_are_faults_of_the_row__red_is_counted(house: House) -> None:
    good, stopped, red = judged(
        house,
        typed("1", a_form()),
        {**typed("2", a_form()), "证件号码": PROVIDER[:-1] + "A", "数据名称": ""},
        {**typed("3", a_form()), "公共数据情形": "一"},
    )
    assert (good.faults, good.red) == ((), False)
    assert [(fault.heading, fault.rule) for fault in stopped.faults] == [
        ("数据名称", "数据名称未填写（PC-01）"),
        ("证件号码", "统一社会信用代码格式或校验位不正确，请核对证照（PC-02）"),
    ]
    assert (red.faults, red.red) == ((), True)


def test_import__again__writes_nothing_twice__not_even_what_was_submitted(house: House) -> None:
    rows = judged(house, typed("1", a_form()), typed("2", a_form(years=4)), {**typed("3", a_form()), "申请年限": "x"})
    for run in range(3):
        identity = service.open_import(house.session, HOLDER, "a.xlsx", "0" * 64, at=house.now).id
        service.begin_import(house.session, identity, 3, at=house.now)
        service.write_rows(house.session, identity, HOLDER, rows, at=house.now)
        service.end_import(house.session, identity, at=house.now)
        row = store.import_(house.session, identity)
        assert (row.state, row.total, row.done, row.wrong) == ("DONE", 3, 3, 1)
        assert (row.written, row.same) == ((2, 0) if run == 0 else (0, 2))
        if run == 1:
            done = rows[0].draft
            seen = service.preview(house.session, house.agency, HOLDER, done, house.now)
            submit(house, done, signed(house, seen.statement), seen.publicity_sha256)
    assert [item.id for item in service.drafts(house.session, HOLDER)] == [rows[1].draft]
    assert views.case(house.session, rows[0].draft).form == a_form()
    with pytest.raises(Unknown):
        store.import_(house.session, identity, OTHER)
