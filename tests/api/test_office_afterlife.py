"""After the issue through the office pages: later registrations drafted from the register, remarks, objections to a
registration, what the agency does of its own motion; each signed at the desk by whom the table names."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import Session

from ledger.reading import body_of
from registry import store as views
from registry.afterlife import store as afterlife
from registry.afterlife.dispute import DisputeState
from registry.calendar import day_of, last_day, start_of
from registry.form import RegistrationType
from registry.rights import Right
from tests.api.house import Platform
from tests.api.office import Person, person, typed_in, words
from tests.api.test_office_intake import hand_in, listed, pdf
from tests.registry.registry_house import DEVELOPER, PROVIDER, RIVAL, a_form, applicant, attachment

RECEIVER = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")


def paper(somebody: Person, kind: str) -> dict[str, Any]:
    answer = hand_in(somebody, kind, pdf(kind))
    assert answer.status_code == 200, answer.text
    return listed(answer.json())


def papers(somebody: Person, *kinds: str) -> str:
    return json.dumps([paper(somebody, kind) for kind in kinds], ensure_ascii=False)


def instrument(somebody: Person, kind: str, issuer_id: str, **more: str) -> dict[str, str]:
    texts = {
        "type": kind,
        "issuer": "某某机关（演示）",
        "issuer_id": issuer_id,
        "number": "演示1号",
        "issued_on": "2026-08-01",
    }
    fields = {f"instrument.{name}": text for name, text in (texts | more).items()}
    return fields | {"instrument.paper": papers(somebody, "法律文书")}


def asked(somebody: Person, path: str, fields: dict[str, str]) -> str:
    """Checks a form, looks at what is said, and drafts it; the id at the desk."""
    shown = somebody.post(path, {**fields, "do": "check"}).text
    return somebody.drafted(path, {**typed_in(shown), "do": "submit"})


def both(desk: str, first: Person, second: Person) -> None:
    assert first.signed(desk) == "open"
    assert second.signed(desk) == "done", words(second.get(f"/office/desk/{desk}"))


def signed(desk: str, *people: Person) -> None:
    *some, last = people
    for somebody in some:
        assert somebody.signed(desk) == "open"
    assert last.signed(desk) == "done", words(last.get(f"/office/desk/{desk}"))


@pytest.mark.clause("G36", "PC-31")
def test_renewal__drafted_from_the_register__filed_in_its_window(platform: Platform) -> None:
    code = platform.certificate(a_form())
    holder = person(platform, f"party:{PROVIDER}")
    assert code in holder.get("/office/certificates")
    path = f"/office/certificates/{code}/registrations/renewal"
    person(platform, f"party:{RIVAL}").get(path, 403)
    person(platform, "staff:clerk").get(path, 403)
    holder.get(f"/office/certificates/{code}/registrations/nonsense", 404)
    typed = typed_in(holder.get(path))
    assert typed["years"] == "5"
    fields = {**typed, "years": "3", "attachments": papers(holder, "数据产权登记凭证")}
    for do in ("check", "submit"):
        assert "PC-31" in words(holder.post(path, {**fields, "do": do}, 409).text)
    holder.post(path, {**fields, "years": "x"}, 422)
    with platform.reading() as session:
        last = date.fromisoformat(views.certificate(session, code).last_day)
    platform.now = start_of(last - timedelta(days=60)) + 36_000
    holder = person(platform, f"party:{PROVIDER}")
    assert "PC-21" in words(holder.post(path, {**fields, "attachments": "", "do": "check"}).text)
    unseen = holder.post(path, {**fields, "seen": "0" * 64, "do": "submit"})
    assert unseen.url.path == path, "what was not shown is not drafted"
    checked = words(holder.post(path, {**fields, "do": "check"}).text)
    assert "可以提交" in checked
    assert "PC-31" not in checked
    desk = asked(holder, path, fields)
    signed(desk, holder)
    found = re.search(r"/office/cases/([0-9a-f]{32})", holder.get(f"/office/desk/{desk}"))
    assert found
    with platform.reading() as session:
        form = views.case(session, found[1]).form
    assert (form.type, form.years, form.certificate) == (RegistrationType.RENEWAL, 3, code)
    assert "续期登记" in holder.get(f"/office/cases/{found[1]}")


@pytest.mark.clause("G34", "G35", "G37")
def test_transfer_change_cancellation__only_what_may_change__signed_by_all_who_apply(platform: Platform) -> None:
    code = platform.certificate(a_form())
    holder, receiver = person(platform, f"party:{PROVIDER}"), person(platform, f"party:{DEVELOPER}")
    path = f"/office/certificates/{code}/registrations"

    row = RECEIVER
    transferee = {name: getattr(row, name) for name in ("name", "id_no", "contact", "phone", "address")}
    transferee |= {"kind": row.kind.value, "id_type": row.id_type.value}
    assert row.business is not None
    for name in ("legal_representative", "founded", "address", "term", "scope", "standing"):
        transferee[f"business.{name}"] = getattr(row.business, name)
    fields = {f"applicants.0.{name}": text for name, text in transferee.items()}
    holder.post(f"{path}/transfer", {**fields, "do": "submit"}, 422)
    fields |= {"moved.use": "1", "attachments": papers(holder, "转让合同", "数据产权登记凭证")}
    desk = asked(holder, f"{path}/transfer", fields)
    signed(desk, holder, receiver)

    typed = typed_in(holder.get(f"{path}/change"))
    assert "description.kind" not in typed
    holder.post(f"{path}/change", {**typed, "do": "submit"}, 422)  # nothing differs
    typed |= {"description.limits": "不得出境", "attachments": papers(holder, "数据产权登记凭证", "变更内容佐证")}
    checked = words(holder.post(f"{path}/change", {**typed, "do": "check"}).text)
    assert "限制范围 不得再次转售；不得出境 不得出境" in checked, checked
    signed(asked(holder, f"{path}/change", typed), holder)

    fields = {"reason": "Z-01", "ended.operate": "1", "attachments": papers(holder, "数据产权登记凭证")}
    signed(asked(holder, f"{path}/cancellation", fields), holder)


@pytest.mark.clause("G23", "E-01", "E-03")
def test_pledge__recorded_by_two_persons__shown_on_the_check_page__lifted_with_consent(platform: Platform) -> None:
    code = platform.certificate(a_form())
    reviewer, approver = person(platform, "staff:reviewer"), person(platform, "staff:approver")
    clerk, pledgee = person(platform, "staff:clerk"), person(platform, f"party:{RIVAL}")
    path = f"/office/certificates/{code}"
    clerk.get(f"{path}/remark", 409)
    assert "未记载查封、质押" in words(Person(platform).get(f"/check?code={code}"))
    fields = {"record.kind": "PLEDGE", "record.from_day": day_of(platform.now).isoformat(), "record.signing": "silent",
              "record.rights.hold": "1", "record.terms": "主债权（演示）"}  # fmt: skip
    reviewer.post(f"{path}/remark", fields, 422)
    desk = reviewer.drafted(f"{path}/remark", fields | instrument(reviewer, "pledgee", RIVAL))
    both(desk, reviewer, approver)
    page = words(Person(platform).get(f"/check?code={code}"))
    assert "质押" in page
    assert "主债权" not in page
    with platform.reading() as session:
        (remark,) = afterlife.remarks_of(session, code)
    assert remark.record.rights == (Right.HOLD,)
    assert "主债权" in words(person(platform, f"party:{PROVIDER}").get(path))
    assert "主债权" not in words(person(platform, f"party:{DEVELOPER}").get(path))

    assert f"{path}/remarks/{remark.id}/consent" in pledgee.get(path)
    signed(pledgee.drafted(f"{path}/remarks/{remark.id}/consent", {"operation": "lift"}), pledgee)
    desk = reviewer.drafted(f"/office/remarks/{remark.id}/moves/E-03", {"reason": "债务已清偿"})
    both(desk, reviewer, approver)
    assert "未记载查封、质押" in words(Person(platform).get(f"/check?code={code}"))
    reviewer.get(f"/office/remarks/{remark.id}/moves/E-02", 409)


@pytest.mark.clause("G29", "O-01", "O-03", "O-05", "O-07", "O-08", "Z-03")
def test_objection_to_a_registration__from_filing_to_the_cancellation_it_led_to(platform: Platform) -> None:
    code = platform.certificate(a_form())
    rival, holder = person(platform, f"party:{RIVAL}"), person(platform, f"party:{PROVIDER}")
    clerk, reviewer = person(platform, "staff:clerk"), person(platform, "staff:reviewer")
    approver = person(platform, "staff:approver")
    path = f"/office/certificates/{code}/objection"
    fields = {"objector": "绍兴某某数据有限公司（演示）", "contact": "演示", "dispute_ground": "权属争议",
              "rights.use": "1", "rights.operate": "1", "reason": "本公司主张权属"}  # fmt: skip
    assert "随附材料" in words(rival.post(path, fields, 422).text)
    signed(rival.drafted(path, fields | {"papers": papers(rival, "异议申请书")}), rival)
    with platform.reading() as session:
        (known,) = afterlife.disputes_in(session, (DisputeState.FILED,))
    place = f"/office/register-objections/{known.id}"
    assert place in holder.get(f"/office/certificates/{code}")
    assert "OBJECTION_OPEN" in Person(platform).get(f"/check?code={code}")
    person(platform, f"party:{DEVELOPER}").get(place, 403)
    assert len(re.findall('formaction="/api/attachments/', clerk.get(place))) == 1

    def moved(move: str, fields: dict[str, str], *people: Person) -> None:
        signed(people[0].drafted(f"{place}/moves/{move}", fields), *people)

    work = clerk.get("/office/work")
    assert place in work
    assert "C11 异议通知" in work
    assert place not in reviewer.get("/office/work")
    rival.get(f"{place}/moves/O-03", 409)
    moved("O-03", {"papers": papers(clerk, "书面通知")}, clerk)
    clerk.get(f"{place}/moves/O-08", 409)
    assert "C12 异议答复" in holder.get("/office/applications")
    assert place not in rival.get("/office/applications")
    moved("O-05", {"reason": "不认可", "papers": papers(holder, "说明材料")}, holder)
    moved("O-05", {"items.0.what": "采集记录", "items.0.why": "核对来源"}, reviewer)
    reviewer.post(f"{place}/moves/O-07", {"reason": "经查"}, 422)
    conclusion = {"conclusion": "upheld", "reason": "经查属实", "papers": papers(reviewer, "书面处理结论")}
    moved("O-07", conclusion, reviewer, approver)
    moved("O-08", {}, holder)
    moved("O-08", {}, rival)
    act = f"/office/certificates/{code}/acts/Z-03"
    assert known.id in reviewer.get(act)
    fields = {"objection": known.id, "rights.use": "1", "rights.operate": "1", "ground": "第三十七条第三项",
              "reason": "双方均认可处理结论"}  # fmt: skip
    reviewer.post(act, {**fields, "objection": ""}, 422)
    desk = reviewer.drafted(act, fields)
    both(desk, reviewer, approver)
    with platform.reading() as session:
        assert afterlife.dispute(session, known.id).state is DisputeState.CONCLUDED
        assert registered(session, code) == set(Right), "decided, not deposited"
    deposited(platform, code, desk, reviewer)
    with platform.reading() as session:
        assert afterlife.dispute(session, known.id).state is DisputeState.CLOSED
        assert registered(session, code) == {Right.HOLD}


@pytest.mark.clause("G29", "O-01", "O-03", "C11", "D14")
def test_objection_without_a_key__left_on_the_public_page__filed_when_a_clerk_has_verified_it(
    platform: Platform,
) -> None:
    code = platform.certificate(a_form())
    public, clerk = Person(platform), person(platform, "staff:clerk")
    path = f"/certificates/{code}/objection"
    assert path in public.get(f"/check?code={code}")
    Person(platform).get("/certificates/SJ3312026089999/objection", 404)
    evidence = [body_of(attachment(kind)) for kind in ("异议申请书", "初步证据")]
    typed = {"objector": "王某某（演示）", "contact": "0571-00000000", "ground": "登记错误", "rights.use": "1",
             "reason": "时域有误", "papers": json.dumps(evidence, ensure_ascii=False)}  # fmt: skip
    for missing, said in (
        ("objector", "姓名"), ("contact", "联系方式"), ("reason", "异议理由"), ("ground", "异议事由"),
        ("rights.use", "涉及的权利"), ("papers", "papers"),
    ):  # fmt: skip
        refused = public.post(path, typed | {missing: ""}, 422)
        assert said in words(refused.text) or missing == "papers", missing
    for _ in range(2):
        assert "等待核实" in words(public.post(path, typed).text)
    assert "OBJECTION_OPEN" not in public.get(f"/check?code={code}"), "left is not filed"
    person(platform, "staff:reviewer").get("/office/objections", 403)
    assert "2 待核实的异议" in words(clerk.get("/office/work"))
    first, second = sorted(set(re.findall(r"/office/objections/([0-9a-f]{32})", clerk.get("/office/objections"))))
    clerk.post(f"/office/objections/{first}/refusal", {"reason": "所留联系方式无法联系到本人"})
    page = clerk.get(f"/office/objections/{second}")
    assert code in page
    assert "登记错误" in page
    clerk.post(f"/office/objections/{second}/statement", {}, 422)
    signed(clerk.drafted(f"/office/objections/{second}/statement", {"verified": "1"}), clerk)
    clerk.post(f"/office/objections/{second}/statement", {"verified": "1"}, 409)
    with platform.reading() as session:
        known = afterlife.dispute(session, second)
    assert (known.state, known.objector, known.rights) == (DisputeState.FILED, "", (Right.USE,))
    assert "OBJECTION_OPEN" in public.get(f"/check?code={code}")
    listed = words(clerk.get("/office/objections"))
    assert "没有待核实的异议" in listed
    due = last_day(day_of(platform.now), 5, platform.system.calendar).isoformat()
    assert f"{code} 登记错误 已提出" in listed
    assert due in listed
    place = f"/office/register-objections/{second}"
    signed(clerk.drafted(f"{place}/moves/O-03", {"papers": papers(clerk, "书面通知")}), clerk)
    assert "没有待审查的登记后异议" in words(clerk.get("/office/objections"))


@pytest.mark.clause("B-04")
def test_correction__by_a_judgment__says_only_what_differs(platform: Platform) -> None:
    code = platform.certificate(a_form())
    reviewer, approver = person(platform, "staff:reviewer"), person(platform, "staff:approver")
    path = f"/office/certificates/{code}/acts/B-04"
    person(platform, "staff:clerk").get(path, 409)
    typed = typed_in(reviewer.get(path)) | {"reason": "依生效判决更正"}
    typed |= instrument(reviewer, "court", "演示法院", effective_on="2026-08-01")
    assert "至少一项变更" in words(reviewer.post(path, typed, 422).text)
    typed |= {"description.data_name": "2013年全国民航运输航班起降数据集（演示）"}
    desk = reviewer.drafted(path, typed)
    both(desk, reviewer, approver)
    deposited(platform, code, desk, reviewer)
    with platform.reading() as session:
        row = views.certificate(session, code)
        assert (row.version, row.data_name) == (2, "2013年全国民航运输航班起降数据集（演示）")


@pytest.mark.clause("G37", "Z-04")
def test_own_motion__the_whole_certificate__ends_with_its_deposit(platform: Platform) -> None:
    code = platform.certificate(a_form())
    reviewer, approver = person(platform, "staff:reviewer"), person(platform, "staff:approver")
    path = f"/office/certificates/{code}/acts/Z-04"
    fields = {f"rights.{right.value.lower()}": "1" for right in Right}
    fields |= {"ground": "第三十七条第二款", "reason": "登记错误", "notice": papers(reviewer, "注销通知")}
    desk = reviewer.drafted(path, fields)
    both(desk, reviewer, approver)
    assert "已注销" not in words(Person(platform).get(f"/check?code={code}"))
    deposited(platform, code, desk, reviewer)
    assert "已注销" in words(Person(platform).get(f"/check?code={code}"))


def registered(session: Session, code: str) -> set[Right]:
    row = views.certificate(session, code)
    return {Right(item.right) for item in views.holdings(session, code, row.version)}


def deposited(platform: Platform, code: str, desk: str, reviewer: Person) -> None:
    """The case that two persons opened is shown on its certificate and deposited at the officer's word."""
    case = re.search(r"/office/cases/([0-9a-f]{32})", reviewer.get(f"/office/desk/{desk}"))
    assert case
    place = f"/office/cases/{case[1]}"
    assert place in reviewer.get(f"/office/certificates/{code}")
    officer = person(platform, "staff:officer")
    assert place in officer.get("/office/work")
    signed(officer.drafted(f"{place}/moves/I-24", {}), officer)
    with platform.books() as house:
        house.take_receipt(house.receipt(case[1]))
    assert f'href="{place}"' not in officer.get("/office/work")
