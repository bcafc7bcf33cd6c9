"""The signature desk: nothing is stored before everybody has signed the same bytes, and nothing by halves after."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from api.desk.waiting import Outcome, Slot, Waiting
from ledger import canonical, eip712, sm
from ledger import store as facts
from ledger.digest import twin
from ledger.facts import Signature, Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry import store as views
from registry.case import State
from registry.party import Party, PartyKind
from tests.api.house import Platform
from tests.api.office import JSON, Person, attribute, fields_of, person, words
from tests.registry.registry_house import AGENCY, DEVELOPER, PROVIDER, a_form, applicant, uscc

REVIEW = {"review.description": "1", "review.source": "1", "review.right": "1"}


def under_review(platform: Platform) -> tuple[str, Person, Person]:
    """An accepted case, its reviewer and its approver."""
    with platform.books() as house:
        application = house.file(a_form())
        house.accept(application)
    return application, person(platform, "staff:reviewer"), person(platform, "staff:approver")


def test_two_applicants__both_sign__then_it_is_filed(platform: Platform) -> None:
    two = a_form(applicants=(applicant(PROVIDER, "甲"), applicant(DEVELOPER, "乙")))
    one, other = person(platform, f"party:{PROVIDER}"), person(platform, f"party:{DEVELOPER}")
    draft = one.post("/office/drafts", {**fields_of(two), "do": "preview"}).url.path
    desk = one.drafted(draft.replace("preview", "submission"), {})
    before = platform.count()
    assert one.signed(desk) == "open"
    assert platform.count() == before
    assert desk in other.get("/office/desk")
    assert other.signed(desk) == "done"
    assert platform.count() == before + 1
    assert other.sign(desk).status_code == 409


@pytest.mark.clause("I-15")
def test_two_roles__one_person_with_both__cannot_sign_twice(platform: Platform) -> None:
    application, reviewer, _ = under_review(platform)
    with platform.books() as house:
        house.hire("both", "reviewer", "approver")
    both = person(platform, "staff:both")
    desk = both.drafted(f"/office/cases/{application}/moves/I-15", REVIEW)
    assert both.signed(desk) == "open"
    assert both.sign(desk).status_code == 409
    assert "tag warn" in both.get(f"/office/desk/{desk}")
    reviewer.get(f"/office/desk/{desk}", 403)
    assert person(platform, "staff:approver").signed(desk) == "done"


def test_signature__wrong_key_role_text_or_holder__refused_and_nothing_kept(platform: Platform) -> None:
    application, reviewer, approver = under_review(platform)
    desk = reviewer.drafted(f"/office/cases/{application}/moves/I-15", REVIEW)
    assert reviewer.sign(desk, role="approver").status_code == 403
    assert reviewer.sign(desk, value="1" * 128).status_code == 403
    assert reviewer.sign(desk, key=approver.key.public).status_code == 403
    assert reviewer.sign(desk, by="staff:approver").status_code == 403
    assert reviewer.sign(desk, extra="x").status_code == 422
    other = Statement("application-move/v1", f"application:{application}", 5, twin(b"x"), {"move": "I-15"})
    foreign = sign_sm2(reviewer.key, other, by=reviewer.by, role="reviewer")
    assert reviewer.sign(desk, value=foreign.value).status_code == 403
    assert "0 / 2" in words(reviewer.get("/office/desk"))
    assert Person(platform).http.get(f"/office/desk/{desk}").status_code == 401
    outsider = person(platform, f"party:{PROVIDER}")
    outsider.get(f"/office/desk/{desk}", 403)
    assert reviewer.signed(desk) == "open"


@pytest.mark.clause("I-14", "I-15")
def test_stale__somebody_acted_meanwhile__said_and_drafted_anew_with_what_was_typed(platform: Platform) -> None:
    application, reviewer, approver = under_review(platform)
    late = reviewer.drafted(f"/office/cases/{application}/moves/I-13", {"days": "3", "reason": "数据量大"})
    desk = reviewer.drafted(f"/office/cases/{application}/moves/I-13", {"days": "2", "reason": "来源复杂"})
    assert reviewer.signed(desk) == "open"
    assert approver.signed(desk) == "done"
    page = words(reviewer.get(f"/office/desk/{late}"))
    assert "已过时" in page
    before = platform.count()
    answer = reviewer.http.post(
        f"/office/desk/{late}/signatures",
        headers=JSON | {"X-CSRF-Token": reviewer.csrf},
        json={
            "signature": sign_sm2(reviewer.key, _statement(reviewer, late), by=reviewer.by, role="reviewer").document()
        },
    )
    assert answer.json()["outcome"] == "stale"
    assert platform.count() == before
    again = reviewer.get(f"/office/cases/{application}/moves/I-13?again={late}")
    assert 'value="3"' in again
    assert "数据量大" in again


def _statement(somebody: Person, desk: str) -> Statement:
    return Statement.of_document(
        canonical.decode(attribute(somebody.get(f"/office/desk/{desk}"), "statement").encode())
    )


def test_refusal_with_the_last_signature__is_shown_and_nothing_is_stored(platform: Platform) -> None:
    """Accepted today was drafted yesterday: the service refuses, the page says why."""
    with platform.books() as house:
        application = house.file(a_form())
    clerk = person(platform, "staff:clerk")
    desk = clerk.drafted(f"/office/cases/{application}/moves/I-07", {})
    platform.now += 86400
    before = platform.count()
    assert clerk.signed(desk) == "refused"
    assert platform.count() == before
    page = words(clerk.get(f"/office/desk/{desk}"))
    assert "受理日期应为告知当日" in page
    assert "没有写入任何内容" in page
    with platform.reading() as session:
        assert views.case(session, application).state is State.SUBMITTED
    assert clerk.signed(clerk.drafted(f"/office/cases/{application}/moves/I-07", {})) == "done"


def test_refusal_before_signing__is_shown_beside_the_form_and_nobody_is_asked_to_sign(platform: Platform) -> None:
    application, reviewer, _ = under_review(platform)
    answer = reviewer.post(f"/office/cases/{application}/moves/I-15", REVIEW | {"review.right": ""}, 409)
    assert "描述、来源、产权三项审查未全部通过" in answer.text
    answer = reviewer.post(f"/office/cases/{application}/moves/I-13", {"days": "30", "reason": "x"}, 409)
    assert "延长合计不得超过10个工作日" in answer.text
    assert "没有等待您签署的文件" in reviewer.get("/office/desk")


def test_last_signature__commit_fails__neither_fact_nor_signature(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    with platform.books() as house:
        application = house.file(a_form())
    clerk = person(platform, "staff:clerk")
    desk = clerk.drafted(f"/office/cases/{application}/moves/I-07", {})
    clerk.get(f"/office/desk/{desk}")
    before = platform.count()

    def failing(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", failing)
        assert clerk.sign(desk).status_code == 503
    assert platform.count() == before
    assert "0 / 1" in words(clerk.get("/office/desk"))
    assert clerk.signed(desk) == "done"


def test_withdrawal__by_the_drafter_only(platform: Platform) -> None:
    application, reviewer, approver = under_review(platform)
    desk = reviewer.drafted(f"/office/cases/{application}/moves/I-15", REVIEW)
    approver.post(f"/office/desk/{desk}/withdrawal", {}, 409)
    reviewer.post(f"/office/desk/{desk}/withdrawal", {})
    assert "已撤回" in reviewer.get(f"/office/desk/{desk}")
    assert approver.sign(desk).status_code == 409


def admission(platform: Platform, code: str, key: sm.Sm2Key, **changes: object) -> tuple[Signed, dict[str, object]]:
    body = Party(
        "某某新公司（演示）", PartyKind.LEGAL, code, key.public, eip712.address_of(eip712.new_key()), ("provider",)
    )
    statement = Statement("party/v1", f"party:{code}", 0, None, body_of(body) | changes)
    signed = Signed(statement, (sign_sm2(key, statement, by=f"party:{code}"),))
    return signed, signed.document() | {"contact": {"contact": "演示联系人", "phone": "演示电话"}}


def enrol(platform: Platform, document: dict[str, object]) -> tuple[int, dict[str, str]]:
    answer = Person(platform).http.post("/office/enrol", headers=JSON, json=document)
    return answer.status_code, answer.json()


@pytest.mark.clause("G16", "I-01")
def test_admission__signed_by_the_stranger_a_clerk_and_the_agency__then_logs_in(platform: Platform) -> None:
    code, key = uscc(77), sm.generate()
    signed, document = admission(platform, code, key)
    status, answer = enrol(platform, document)
    assert status == 200, answer
    platform.keys[f"party:{code}"] = key
    stranger = Person(platform, f"party:{code}")
    assert stranger.log_in().status_code == 404, "not yet"
    clerk, reviewer = person(platform, "staff:clerk"), person(platform, "staff:reviewer")
    assert answer["number"] in clerk.get("/office/admissions")
    reviewer.get("/office/admissions", 403)
    reviewer.get(f"/office/desk/{answer['number']}", 403)
    assert clerk.signed(answer["number"]) == "done"
    assert stranger.log_in().status_code == 200
    with platform.reading() as session:
        fact = facts.facts_of(session, f"party:{code}")[0]
    assert [item.by for item in fact.signatures] == [f"party:{code}", "staff:clerk", f"party:{AGENCY}"]
    assert fact.statement == signed.statement


def test_admission__bad_requests__refused_in_words(platform: Platform) -> None:
    code, key = uscc(78), sm.generate()
    signed, good = admission(platform, code, key)
    other = sign_sm2(sm.generate(), signed.statement, by=f"party:{code}")
    assert enrol(platform, good | {"signatures": [other.document()]})[0] == 403
    assert enrol(platform, good | {"contact": {"contact": "", "phone": ""}})[0] == 422
    assert enrol(platform, admission(platform, code, key, roles=["agency"])[1])[0] == 422
    assert enrol(platform, admission(platform, "9133010OMAE0001410", key)[1])[0] == 422
    assert enrol(platform, admission(platform, PROVIDER, key)[1])[0] == 409
    for _ in range(3):
        assert enrol(platform, good)[0] == 200
    status, answer = enrol(platform, good)
    assert status == 409
    assert "已有入册申请" in answer["message"]
    clerk = person(platform, "staff:clerk")
    desk = clerk.get("/office/admissions").split("/office/desk/")[1][:32]
    clerk.post(f"/office/desk/{desk}/refusal", {"reason": "证照不符"})
    assert "证照不符" in clerk.get(f"/office/desk/{desk}")


def test_colleague__hired_by_the_agencys_own_key__in_the_browser(platform: Platform) -> None:
    agency = person(platform, f"party:{AGENCY}")
    key = sm.generate()
    fields = {"identity": "newcomer", "sm2": key.public, "role.intake": "1", "active": "1"}
    for wrong in ({"sm2": "04ab"}, {"role.intake": ""}, {"identity": "某人"}):
        agency.post("/office/colleagues", fields | wrong, 422)
    assert agency.signed(agency.drafted("/office/colleagues", fields)) == "done"
    platform.keys["staff:newcomer"] = key
    assert "受理经办人" in person(platform, "staff:newcomer").get("/office/work")


def test_place__one_of_ones_own_before_one_for_anybody() -> None:
    statement = Statement("x/v1", "x:1", 0, None, {})
    slots = (Slot("", "reviewer", "A"), Slot("staff:a", "reviewer"), Slot("", "approver", "A"))
    given = Signature("sm2-sm3", "staff:b", "04", "00", "reviewer")
    waiting = Waiting("1", "", statement, slots, (None, None, None), "staff:a", 0, "", Outcome.OPEN, "")
    assert waiting.place_for("staff:a", "A", frozenset({"reviewer", "approver"})) == 1
    assert waiting.place_for("staff:b", "A", frozenset({"reviewer"})) == 0
    assert waiting.place_for("staff:b", "B", frozenset({"reviewer"})) is None
    assert waiting.place_for("party:A", "A", frozenset({"reviewer"})) is None
    signed = Waiting("1", "", statement, slots, (given, None, None), "staff:a", 0, "", Outcome.OPEN, "")
    assert signed.place_for("staff:b", "A", frozenset({"approver"})) is None
    ended = Waiting("1", "", statement, slots, (None, None, None), "staff:a", 0, "", Outcome.DONE, "")
    assert ended.place_for("staff:a", "A", frozenset({"reviewer"})) is None
