"""The after-life of a certificate over HTTP: who may write and read, what the public check shows, nothing personal."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import Session

from api import bootstrap, jobs
from api.papers import path_of
from ledger import rebuild
from registry.afterlife.dispute import DisputeAct, DisputeGround, RegisterObjection
from registry.afterlife.instrument import AuthorityType, Instrument
from registry.afterlife.remark import Consent, Consentable, Recorded, RemarkAct, RemarkKind
from registry.asset import Twin
from registry.calendar import day_of
from registry.case import DECISION, Act
from registry.form import Operation, RegistrationType
from registry.rights import Right
from registry.store import certificate
from tests.api.house import Platform, open_platform
from tests.registry.registry_house import DEVELOPER, PASSED, PROVIDER, RIVAL, a_form, attachment, decision

TWO = (("staff:reviewer", "reviewer"), ("staff:approver", "approver"))
ALL = tuple(Right)
SECRETS = ("某某银行", "执保1号", "裁定全文", RIVAL, "演示联系方式", "本公司主张", "演示-court")


class Scene:
    """A platform with one issued certificate."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.code = platform.certificate(a_form())

    @property
    def today(self) -> str:
        return day_of(self.platform.now).isoformat()

    def post(self, path: str, kind: str, subject: str, body: Any, *who: tuple[str, str]) -> httpx.Response:
        signed = self.platform.signed(kind, subject, body, *who)
        return self.platform.post(path, signed.document(), who[0][0])

    def record(self, kind: RemarkKind, issuer: AuthorityType, issuer_id: str) -> str:
        identity = secrets.token_hex(16)
        paper = Instrument(issuer, "某某银行", issuer_id, "执保1号", "2026-08-01", Twin("1" * 64, "2" * 64))
        record = Recorded(kind, ALL, self.today, certificate=self.code, terms="裁定全文")
        body = RemarkAct("E-01", record=record, instrument=paper)
        answer = self.post("/api/remarks", "remark/v1", f"remark:{identity}", body, *TWO)
        assert answer.status_code == 200, answer.text
        return identity

    def lift(self, identity: str, issuer: AuthorityType, issuer_id: str) -> None:
        paper = Instrument(issuer, "某某银行", issuer_id, "解除", "2026-08-01", Twin("1" * 64, "2" * 64))
        body = RemarkAct("E-03", instrument=paper)
        assert self.post("/api/remarks", "remark/v1", f"remark:{identity}", body, *TWO).status_code == 200

    def decide(self, move: str, status: int, *who: tuple[str, str], **more: Any) -> str:
        """A decision of the agency on the whole certificate, or on its overview; the case's id."""
        case = secrets.token_hex(16)
        with self.platform.books() as house:
            known = house.case(certificate(house.session, self.code).application).form.description
            wish = {"description": replace(known, overview="另一概述")} if move == "B-04" else {"reason": move}
            kind = RegistrationType.CHANGE if move == "B-04" else RegistrationType.CANCELLATION
            form = house.draft(self.code, kind, **wish)
        body = decision(move, form, **more)
        answer = self.post("/api/applications/decisions", DECISION, f"application:{case}", body, *who)
        assert answer.status_code == status, answer.text
        return case

    def object(self) -> str:
        identity = secrets.token_hex(16)
        body = RegisterObjection(
            self.code, "异议人", "演示联系方式", DisputeGround.ERROR, ALL, "本公司主张", (attachment("异议申请书"),)
        )
        who = (f"party:{RIVAL}", "")
        subject = f"register-objection:{identity}"
        answer = self.post("/api/register-objections", "register-objection/v1", subject, body, who)
        assert answer.status_code == 200, answer.text
        return identity

    def move(self, identity: str, act: DisputeAct, *who: tuple[str, str]) -> httpx.Response:
        subject = f"register-objection:{identity}"
        return self.post("/api/register-objections/moves", "register-objection-move/v1", subject, act, *who)

    def get(self, path: str, by: str, **query: str) -> httpx.Response:
        return self.platform.client.get(path, params=query, headers=self.platform.headers(by))

    def check(self, **query: str) -> dict[str, Any]:
        answer = self.platform.client.get(f"/api/check/{self.code}", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def page(self, **query: str) -> str:
        answer = self.platform.client.get("/check", params={"code": self.code, **query})
        assert answer.status_code == 200, answer.text
        return answer.text

    def upload(self, **fields: str) -> str:
        file = path_of(self.platform.system, self.code, 1, "pdf").read_bytes()
        answer = self.platform.client.post(
            "/check", data={"code": self.code, **fields}, files={"file": ("a.pdf", file)}
        )
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
def scene(tmp_path: Path, empty_database: Path) -> Iterator[Scene]:
    with open_platform(tmp_path / "home", empty_database) as platform:
        yield Scene(platform)


GOOD = "文件完整、凭证有效"


@pytest.mark.clause("E-06", "G23")
def test_check__shows_kinds_dates_and_authority_type_at_once__no_names_no_texts(scene: Scene) -> None:
    assert (scene.check()["flags"], scene.check()["objection"]) == ([], False)
    assert "未记载查封、质押、管制等限制" in scene.page()
    assert GOOD in scene.upload()
    seizure = scene.record(RemarkKind.PRESERVATION, AuthorityType.COURT, "演示-court")
    pledge = scene.record(RemarkKind.AGREED, AuthorityType.PARTIES, "演示-parties")
    scene.object()
    found = scene.check()
    assert [(flag["kind"], flag["authority"], flag["rank"], flag["from_day"]) for flag in found["flags"]] == [
        ("PRESERVATION", "court", 1, scene.today),
        ("AGREED", "parties", 2, scene.today),
    ]
    assert (found["objection"], found["ok"]) == (True, False)
    page = scene.page()
    for shown in ("查封等保全", "人民法院", f"{scene.today} 至 未定", "登记后异议未了结", "转让"):
        assert shown in page
    for hidden in SECRETS:
        assert hidden not in page, hidden
        assert hidden not in str(found), hidden
    scene.lift(seizure, AuthorityType.COURT, "演示-court")
    assert [flag["kind"] for flag in scene.check()["flags"]] == ["AGREED"]
    assert pledge


@pytest.mark.clause("G31", "E-06")
def test_check__good_only_for_a_purpose_that_nothing_stops(scene: Scene) -> None:
    assert not scene.check()["ok"], "no file was compared"
    scene.record(RemarkKind.PRESERVATION, AuthorityType.COURT, "演示-court")
    assert GOOD not in scene.upload()
    good = {purpose.value for purpose in Operation if GOOD in scene.upload(purpose=purpose.value)}
    assert good == {"change_identity", "renewal"}
    stopped = scene.check(purpose="transfer")
    assert stopped["purpose"] == "transfer"
    assert len(stopped["stops"]) == 1
    assert scene.check(purpose="renewal")["stops"] == []
    assert GOOD not in scene.upload(purpose="nonsense"), "an unknown purpose counts as none"
    answer = scene.platform.client.get(f"/api/check/{scene.code}", params={"purpose": "nonsense"})
    assert answer.status_code == 422
    assert answer.json()["error"] == "FieldError"


@pytest.mark.clause("G29", "O-01", "O-03", "O-04")
def test_objection__over_http__seen_by_those_it_concerns_only(scene: Scene) -> None:
    identity = scene.object()
    notice = DisputeAct("O-03", papers=(attachment("异议书面通知"),))
    assert scene.move(identity, notice, ("staff:clerk", "intake")).status_code == 200
    for by, status in (
        (f"party:{RIVAL}", 200), (f"party:{PROVIDER}", 200), ("staff:reviewer", 200), (f"party:{DEVELOPER}", 403),
    ):  # fmt: skip
        answer = scene.get(f"/api/register-objections/{identity}", by)
        assert answer.status_code == status, by
    assert answer.json()["error"] == "Forbidden"
    refused = scene.move(identity, DisputeAct("O-07"), *TWO)
    assert (refused.status_code, refused.json()["error"]) == (409, "IllegalMove")
    refused = scene.move(identity, DisputeAct("O-04"), (f"party:{RIVAL}", ""))
    assert (refused.status_code, refused.json()["error"]) == (403, "NotEntitled")
    assert scene.move(identity, DisputeAct("O-04"), (f"party:{PROVIDER}", "")).status_code == 200
    state = scene.get(f"/api/register-objections/{identity}", f"party:{PROVIDER}").json()
    assert state["state"] == "ADMITTED"
    case = scene.decide("Z-03", 200, *TWO, objection=identity, instrument=None)
    assert (scene.check()["status"], scene.check()["objection"]) == ("VALID", True), "decided, not deposited"
    with scene.platform.books() as house:
        house.deposit(case)
    assert scene.check()["status"] == "CANCELLED"
    assert "flags" in scene.check()
    assert scene.get(f"/api/register-objections/{identity}", f"party:{PROVIDER}").json()["state"] == "CLOSED"


@pytest.mark.clause("G37", "B-04")
def test_decision__by_one_person_or_for_nothing__refused(scene: Scene) -> None:
    before = scene.platform.count()
    scene.decide("Z-05", 403, TWO[0])
    scene.decide("Z-05", 409, *TWO, notice=None)
    scene.decide("B-04", 409, *TWO, instrument=None)
    assert scene.platform.count() == before


def test_remarks__in_full_for_agency_and_holder__its_own_for_a_pledgee__nobody_else(scene: Scene) -> None:
    mine = scene.record(RemarkKind.PLEDGE, AuthorityType.PLEDGEE, RIVAL)
    other = scene.record(RemarkKind.PLEDGE, AuthorityType.PLEDGEE, "演示-other")
    query = {"certificate": scene.code, "operation": "transfer"}
    for by in ("staff:clerk", f"party:{PROVIDER}"):
        answer = scene.get("/api/remarks", by, **query).json()
        assert [item["id"] for item in answer["remarks"]] == [mine, other]
    assert [verdict["effect"] for verdict in answer["verdicts"]] == ["consent", "consent"]
    assert len(answer["stops"]) == 2
    answer = scene.get("/api/remarks", f"party:{RIVAL}", certificate=scene.code).json()
    assert [item["id"] for item in answer["remarks"]] == [mine]
    assert scene.get("/api/remarks", f"party:{DEVELOPER}", **query).status_code == 403
    assert scene.get("/api/remarks", "staff:clerk", certificate="SJ3312026120001").status_code == 404
    consent = Consent(Consentable.TRANSFER, scene.code, 1)
    who = (f"party:{RIVAL}", "")
    assert (
        scene.post("/api/remarks/consents", "remark-consent/v1", f"remark:{mine}", consent, who).status_code == 200
    )  # fmt: skip
    answer = scene.get("/api/remarks", "staff:clerk", **query).json()
    assert [verdict["consented"] for verdict in answer["verdicts"]] == [True, False]


@pytest.mark.clause("E-04", "O-06")
def test_worker__runs_both_timers(scene: Scene) -> None:
    identity = secrets.token_hex(16)
    paper = Instrument(AuthorityType.PARTIES, "约定", "演示", "1", "2026-08-01", Twin("1" * 64, "2" * 64))
    record = Recorded(RemarkKind.AGREED, ALL, scene.today, scene.today, certificate=scene.code)
    body = RemarkAct("E-01", record=record, instrument=paper)
    assert scene.post("/api/remarks", "remark/v1", f"remark:{identity}", body, *TWO).status_code == 200
    dispute = scene.object()
    notice = DisputeAct("O-03", papers=(attachment("异议书面通知"),))
    assert scene.move(dispute, notice, ("staff:clerk", "intake")).status_code == 200
    scene.platform.now += 40 * 86_400
    before = scene.platform.count()
    jobs.timers(scene.platform.system)
    assert scene.platform.count() == before + 2
    jobs.timers(scene.platform.system)
    assert scene.platform.count() == before + 2
    state = scene.get(f"/api/register-objections/{dispute}", f"party:{PROVIDER}").json()["state"]
    assert state == "CONTESTED"


def test_views__rebuilt_in_place_are_the_same(scene: Scene) -> None:
    scene.record(RemarkKind.PLEDGE, AuthorityType.PLEDGEE, RIVAL)
    scene.object()
    tables = [table for table in rebuild.view_tables() if table.name.startswith(("remark", "register", "certificate"))]

    def rows(session: Session) -> list[Any]:
        return [tuple(row) for table in tables for row in session.execute(table.select())]

    with jobs.transaction(scene.platform.system) as session:
        before = rows(session)
        rebuild.clear_views(session)
        assert rows(session) == []
        rebuild.fold(session, session, bootstrap.projectors())
        session.expire_all()
        assert rows(session) == before
    assert len(before) > 6
    assert [flag["kind"] for flag in scene.check()["flags"]] == ["PLEDGE"]


def test_waived__without_the_token_no_flags_and_never_good_by_mistake(scene: Scene) -> None:
    form = a_form(content=b"waived\n", waiver_reason="涉及商业秘密")
    with scene.platform.books() as house:
        identity = house.file(form)
        house.accept(identity)
        house.move(identity, Act("I-16", review=PASSED, reason="涉及商业秘密"), *(by for by, _ in TWO))
        scene.code = house.deposit(identity).code
    scene.platform.issue(scene.code)
    scene.record(RemarkKind.PRESERVATION, AuthorityType.COURT, "演示-court")
    assert scene.check().keys().isdisjoint({"flags", "objection", "stops"})
    assert GOOD not in scene.upload()
    assert "查封等保全" not in scene.page()
