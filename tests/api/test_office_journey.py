"""The seven steps through the office pages, every statement signed by the person the page asks."""

from __future__ import annotations

import pytest

from registry import store as views
from registry.case import State
from registry.objection import Outcome
from tests.api.house import Platform
from tests.api.office import Person, applied, attribute, person, typed_in, words
from tests.registry.registry_house import PROVIDER, RIVAL, a_form

REVIEW = {"review.description": "1", "review.source": "1", "review.right": "1", "review.note": "三项通过"}


def state(platform: Platform, application: str) -> State:
    with platform.reading() as session:
        return views.case(session, application).state


def moved(platform: Platform, application: str, move: str, first: Person, fields: dict[str, str], *more: Person) -> str:
    """Drafts a move, lets everybody sign it; what has become of it."""
    desk = first.drafted(f"/office/cases/{application}/moves/{move}", fields)
    outcome = first.signed(desk)
    for other in more:
        assert outcome == "open"
        assert f"/office/desk/{desk}" in other.get("/office/desk")
        outcome = other.signed(desk)
    return outcome


@pytest.mark.clause("G14", "I-02", "I-04", "I-05", "I-07", "I-15", "I-17", "I-20", "I-24", "I-27")
def test_seven_steps__with_correction_and_objection__through_the_pages(platform: Platform) -> None:
    applicant, rival = person(platform, f"party:{PROVIDER}"), person(platform, f"party:{RIVAL}")
    clerk, officer = person(platform, "staff:clerk"), person(platform, "staff:officer")
    reviewer, approver = person(platform, "staff:reviewer"), person(platform, "staff:approver")
    public = Person(platform)
    application = applied(applicant, a_form())
    assert state(platform, application) is State.SUBMITTED

    # 受理: asked to correct, corrected with a new form, accepted
    items = {"items.0.no": "1", "items.0.what": "数据样例", "items.0.why": "样例不足十行"}
    page = clerk.get(f"/office/cases/{application}/moves/I-04")
    deadline = {"deadline": "2026-08-17"}
    assert 'value="2026-08-17"' in page, "ten working days, preset"
    assert moved(platform, application, "I-04", clerk, items | deadline) == "done"
    assert "样例不足十行" in words(applicant.get(f"/office/cases/{application}"))
    typed = typed_in(applicant.get(f"/office/cases/{application}/correction/I-05"))
    shown = applicant.post("/office/drafts", {**typed, "do": "preview"})
    assert shown.url.path.endswith("/preview"), words(shown.text)
    draft = shown.url.path.split("/")[3]
    answer = {"answers.1": "已补充样例二十行", "form": draft}
    assert moved(platform, application, "I-05", applicant, answer) == "done"
    with platform.reading() as session:
        assert views.case(session, application).version == 2
    assert moved(platform, application, "I-07", clerk, {}) == "done"

    # 审查与公示, by two persons
    assert moved(platform, application, "I-15", reviewer, REVIEW, approver) == "done"
    listed = public.get("/notices")
    assert application in listed
    notice = words(public.get(f"/notices/{application}"))
    assert "2013年全国民航运输航班起降记录数据集（演示）" in notice
    for secret in ("演示联系人", "0571-00000000", "演示地址", PROVIDER):
        assert secret not in notice

    # 异议: one without a key, verified by the clerk; one with a key
    left = public.post(
        f"/notices/{application}/objection",
        {"objector": "某市民", "contact": "演示电话", "reason": "数据来源存疑", "papers": ""},
    )
    assert "等待核实" in left.text
    with platform.reading() as session:
        assert not views.case(session, application).objections, "unverified: not yet an objection"
    listed = clerk.get("/office/objections")
    request = listed.split("/office/objections/")[1][:32]
    desk = clerk.drafted(f"/office/objections/{request}/statement", {"verified": "1"})
    assert clerk.signed(desk) == "done"
    desk = rival.drafted(
        f"/office/notices/{application}/objection",
        {"objector": "绍兴某某数据有限公司（演示）", "contact": "演示", "reason": "主张权属", "papers": ""},
    )
    assert rival.signed(desk) == "done"
    assert state(platform, application) is State.OBJECTION
    with platform.reading() as session:
        raised = [item.id for item in views.case(session, application).objections]
    assert len(raised) == 2
    decisions = {}
    for number, identity in enumerate(raised):
        outcome = (Outcome.REJECTED, Outcome.WITHDRAWN)[number].value
        decisions |= {f"decisions.{identity}.outcome": outcome, f"decisions.{identity}.reason": "经查不成立"}
    assert moved(platform, application, "I-20", reviewer, decisions, approver) == "done"

    # 公示期满, 信息存证, 凭证核发
    platform.now += 14 * 86400
    with platform.books() as house:
        assert house.timers() == ["I-18"]
    assert application in officer.get("/office/work")
    assert moved(platform, application, "I-24", officer, {}) == "done"
    with platform.books() as house:
        code = house.take_receipt(house.receipt(application)).code
    platform.issue(code)
    assert state(platform, application) is State.ISSUED
    page = words(applicant.get(f"/office/cases/{application}"))
    assert "已核发" in page
    assert code in page
    assert "有效" in words(public.get(f"/check?code={code}"))


def test_desk__text_to_sign__is_the_canonical_statement_itself(platform: Platform) -> None:
    applicant, clerk = person(platform, f"party:{PROVIDER}"), person(platform, "staff:clerk")
    application = applied(applicant, a_form())
    desk = clerk.drafted(f"/office/cases/{application}/moves/I-07", {})
    text = attribute(clerk.get(f"/office/desk/{desk}"), "statement")
    assert '"accepted_on":"2026-08-03"' in text
    assert clerk.signed(desk) == "done"
