"""A natural person at the doors: a key made with a salted commitment, the clerk's comparison, the form, the papers, the
public pages and the proofs. Number and given name are looked for in the bytes of all that others see."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api import cli, jobs, keyfiles, sealed
from api.importing import run as run_import
from api.proofs import ALL, bundle_of
from ledger import anchoring, canonical, outbox, sm
from ledger import store as facts
from ledger.anchoring import Place
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from registry import store as views
from registry.case import State
from registry.form import SUBMITTED, Applicant, Form
from registry.intake import service as intake
from registry.intake import store as intake_rows
from registry.party import IdType, Party, PartyKind, check_party, commitment_of, opens, party_subject
from tests.api.house import Platform
from tests.api.office import JSON, Person, applied, fields_of, person, typed_in, words
from tests.api.published import Published
from tests.registry.intake.intake_forms import filled, typed
from tests.registry.registry_house import HUMAN, HUMAN_NUMBER, PROVIDER, a_form, a_person, attachment, by_persons

ME = a_person()
BY = party_subject(ME.party)
SECRETS = (HUMAN_NUMBER, HUMAN[1:])
FORM = by_persons(ME)


def request_of(human: Applicant, key: sm.Sm2Key, **changes: Any) -> dict[str, Any]:
    """What the browser sends: the signed party/v1, a contact, and what opens the commitment."""
    by = party_subject(human.party)
    body = Party(
        human.shown, PartyKind.NATURAL, "", key.public, "0x" + "0" * 40, ("provider",), commitment_of(human.person)
    )
    statement = Statement("party/v1", by, 0, None, body_of(body) | changes)
    signed = Signed(statement, (sign_sm2(key, statement, by=by),))
    shown = {"contact": {"contact": "演示联系人", "phone": "演示电话"}, "person": body_of(human.person)}
    return signed.document() | shown


def asked(platform: Platform, document: dict[str, Any]) -> tuple[int, dict[str, str]]:
    answer = Person(platform).http.post("/office/enrol", headers=JSON, content=canonical.encode(document))
    return answer.status_code, answer.json()


def admitted(platform: Platform, human: Applicant = ME) -> str:
    """Through the office: asked, compared by a clerk, confirmed; the desk's number."""
    key = sm.generate()
    status, answer = asked(platform, request_of(human, key))
    assert status == 200, answer
    platform.keys[party_subject(human.party)] = key
    assert person(platform, "staff:clerk").signed(answer["number"]) == "done"
    return answer["number"]


def waiting_rows(platform: Platform) -> str:
    """Everything the signature desk keeps, as it lies in the database file."""
    with closing(sqlite3.connect(platform.system.settings.home / "shuqing.db")) as connection:
        return str(connection.execute("SELECT * FROM waiting_statement").fetchall())


@pytest.mark.clause("G16", "G21", "I-01")
def test_admission__clerk_sees_the_paper__nothing_of_it_stays(platform: Platform) -> None:
    status, answer = asked(platform, request_of(ME, platform.keys.setdefault(BY, sm.generate())))
    assert status == 200, answer
    clerk, reviewer = person(platform, "staff:clerk"), person(platform, "staff:reviewer")
    assert ME.party in clerk.get("/office/admissions")
    page = words(clerk.get(f"/office/desk/{answer['number']}"))
    assert HUMAN_NUMBER in page
    assert HUMAN in page
    assert "相符" in page
    reviewer.get(f"/office/desk/{answer['number']}", 403)
    assert HUMAN_NUMBER in waiting_rows(platform)
    assert clerk.signed(answer["number"]) == "done"
    assert HUMAN_NUMBER not in words(clerk.get(f"/office/desk/{answer['number']}"))
    for secret in (*SECRETS, ME.salt):
        assert secret not in waiting_rows(platform)
    with platform.reading() as session:
        (fact,) = facts.facts_of(session, BY)
    for secret in (*SECRETS, ME.salt):
        assert secret.encode() not in fact.bytes()
    human = Person(platform, BY)
    assert human.log_in().status_code == 200
    assert "张**" in human.get("/office/applications")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"person": body_of(a_person("李四").person)}, "身份承诺"),
        ({"person": body_of(replace(ME, id_no="110105194912310021").person)}, "person.id_no"),
        ({"person": body_of(replace(ME, id_type=IdType.USCC, id_no=PROVIDER).person)}, "person.id_type"),
        ({"person": {}}, "person.id_type"),
        ({"person": "x"}, "person"),
        ({"person": None}, "person"),
    ],
)
def test_admission__what_does_not_open__refused_and_nothing_kept(
    platform: Platform, change: dict[str, Any], says: str
) -> None:
    document = request_of(ME, sm.generate()) | change
    if document["person"] is None:
        del document["person"]
    status, answer = asked(platform, document)
    assert status == 422
    assert says in answer["message"] + answer.get("field", "")
    assert HUMAN_NUMBER not in answer["message"]
    assert HUMAN_NUMBER not in waiting_rows(platform)


def test_admission__name_that_is_not_the_masked_one__refused(platform: Platform) -> None:
    status, answer = asked(platform, request_of(ME, sm.generate(), name="王**"))
    assert (status, answer["field"]) == (422, "body.name")
    status, answer = asked(platform, request_of(ME, sm.generate(), name=HUMAN))
    assert (status, answer["field"]) == (422, "name")


def test_admission__second_identity_for_one_paper__the_clerk_is_told(platform: Platform) -> None:
    admitted(platform)
    applied(person(platform, BY), FORM)
    double = a_person(salt="00" * 32)
    _, answer = asked(platform, request_of(double, sm.generate()))
    page = words(person(platform, "staff:clerk").get(f"/office/desk/{answer['number']}"))
    assert f"该证件已以当事方编号 {ME.party} 办理过登记" in page


@pytest.mark.clause("G16", "G21", "I-02")
def test_form__of_a_person__prefilled_and_filed_in_the_office(platform: Platform) -> None:
    admitted(platform)
    human = person(platform, BY)
    page = human.get("/office/applications/new")
    assert f'data-person="{ME.party}"' in page
    given = typed_in(page)
    assert (given["applicants.0.party"], given["applicants.0.kind"]) == (ME.party, "自然人")
    assert (given["rights.0.holder_id"], given["rights.0.holder_name"]) == (ME.party, "张**")
    wrong = fields_of(by_persons(replace(ME, salt="00" * 32)))
    told = human.post("/office/drafts", {**wrong, "do": "check"})
    assert "与入册时的身份承诺不符" in words(told.text)
    shown = human.post("/office/drafts", {**fields_of(FORM), "do": "preview"})
    assert "张**" in words(shown.text)
    application = applied(human, FORM)
    with platform.reading() as session:
        assert views.case(session, application).state is State.SUBMITTED
    assert application in human.get("/office/applications")
    assert words(person(platform, "staff:clerk").get(f"/office/cases/{application}"))
    person(platform, f"party:{PROVIDER}").get(f"/office/cases/{application}", 403)


def test_form__of_an_organisation__has_no_place_to_open_a_persons_key(platform: Platform) -> None:
    assert "data-person=" not in person(platform, f"party:{PROVIDER}").get("/office/applications/new")


@pytest.mark.clause("G21", "G24", "G27")
def test_nothing_personal__on_public_pages_and_in_proofs(platform: Platform) -> None:
    """The certificate's bundle with all its fields too: the printed page alone has the full name."""
    admitted(platform)
    code = platform.certificate(FORM)
    with platform.reading() as session:
        row = views.certificate(session, code)
        token = views.issue_of(session, code, 1).token  # type: ignore[union-attr]
    head = Published(platform).grow(1)
    with jobs.transaction(platform.system) as session:
        place = Place(31337, "0x" + "ab" * 20, "0x" + "cd" * 32, 42)
        anchoring.note_places(session, "EvidenceLog", {outbox.head_key(head.checkpoint.size): place})
        anchoring.note_places(session, "RightsRegistry", {row.fact_id: place})
    with platform.reading() as session:
        houses = platform.system.houses
        (admission,) = facts.facts_of(session, BY)
        bundles = [bundle_of(session, row.fact_id, houses, None, ALL), bundle_of(session, admission.id, houses)]
    public = [
        platform.client.get(path, params=query).content
        for path, query in (
            ("/check", {"code": code}), ("/check", {"code": code, "t": token}), (f"/api/check/{code}", {}),
            ("/register", {}), ("/api/register", {}), ("/statistics", {}),
            *((f"/api/certificates/{code}/{form}", {"t": token}) for form in ("vc", "json", "bundle")),
        )
    ]  # fmt: skip
    for data in [*public, *(bundle.bytes() for bundle in bundles)]:
        for secret in (*SECRETS, ME.salt):
            assert secret.encode() not in data
    assert "张**".encode() in public[0]
    assert code.encode() not in platform.client.get("/register", params={"q": HUMAN}).content
    assert "张**".encode() in bundles[0].bytes()
    assert platform.client.get(f"/api/certificates/{code}/pdf", params={"t": token}).status_code == 200


def test_import__row_of_the_signed_in_person__becomes_the_own_application(platform: Platform) -> None:
    """The own identity need not be repeated in each row; the salt opens it."""
    admitted(platform)
    cells = typed("1", FORM) | {"当事方编号": ""}
    wrong = typed("2", FORM) | {"身份盐值": "00"}
    rows = []
    for line in (cells, wrong):
        line["材料"] = ""
        rows.append(line)
    with jobs.transaction(platform.system) as session:
        identity = intake.open_import(session, BY, "a.xlsx", "0" * 64, at=platform.now).id
    home = platform.system.settings.home
    sealed.write(home, sealed.import_file(home, identity, "source"), filled(rows))
    run_import(platform.system, identity)
    with platform.reading() as session:
        row = intake_rows.import_(session, identity, BY)
        assert (row.written, row.wrong) == (1, 1), row
        (draft,) = intake.drafts(session, BY)
    form = read(Form, draft.body)
    assert form.applicants == (ME,)
    assert {(right.holder_id, right.holder_name) for right in form.rights} == {(ME.party, "张**")}
    papers = replace(form, attachments=tuple(attachment(kind) for kind in ("身份佐证", "数据样例", "合法取得佐证")))
    platform.state("/api/applications", SUBMITTED, "application:" + "c" * 32, papers, (BY, ""))


def test_cli__key_of_a_person__asked_for_and_kept_in_the_file(tmp_path: Path) -> None:
    """The paper is typed, not given as an option; the printed body is one that can be admitted."""
    file = tmp_path / "me.json"
    run = CliRunner()
    done = run.invoke(cli.app, ["keys", "new", str(file), "--person"], input=f"1\n{HUMAN_NUMBER}\n{HUMAN}\n")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()[-1]  # before it stands what the runner echoes of the typing
    told = json.loads(said)
    keys = keyfiles.load(file)
    body = read(Party, told["party"])
    assert keys.person is not None
    assert check_party(body, keys.by).name == "张**"
    assert body.commitment is not None
    assert opens(keys.person, body.commitment)
    assert (keys.person.id_no, keys.person.name) == (HUMAN_NUMBER, HUMAN)
    for secret in (*SECRETS, keys.person.salt):
        assert secret not in said
    other = tmp_path / "other.json"
    again = run.invoke(cli.app, ["keys", "new", str(other), "--person"], input=f"1\n{HUMAN_NUMBER}\n{HUMAN}\n")
    assert json.loads(again.stdout.splitlines()[-1])["by"] != keys.by, "a fresh salt"


@pytest.mark.parametrize(
    ("options", "typed_in"),
    [
        ((), ""), (("--person", "--by", f"party:{PROVIDER}"), ""), (("--person",), "3\n"),
        (("--person",), "1\n110105194912310021\n张三丰\n"), (("--person",), "2\ne 1\n张三丰\n"),
        (("--by", "party:P123"), ""),
    ],
)  # fmt: skip
def test_cli__key_of_a_person__wrong_answers__refused_and_no_file(
    tmp_path: Path, options: tuple[str, ...], typed_in: str
) -> None:
    file = tmp_path / "me.json"
    done = CliRunner().invoke(cli.app, ["keys", "new", str(file), *options], input=typed_in)
    assert done.exit_code == 2
    assert not file.exists()


def test_key_file__spoilt_person__is_refused(tmp_path: Path) -> None:
    keys = keyfiles.create_for_person(tmp_path / "me.json", IdType.RESIDENT, HUMAN_NUMBER, HUMAN)
    document = json.loads((tmp_path / "me.json").read_text())
    assert keyfiles.load(tmp_path / "me.json") == keys
    document["person"]["salt"] = "short"
    (tmp_path / "me.json").write_text(json.dumps(document))
    with pytest.raises(FieldError):
        keyfiles.load(tmp_path / "me.json")


def test_form_of_a_stranger__over_the_api__names_the_field(platform: Platform) -> None:
    admitted(platform)
    signed = platform.signed(SUBMITTED, "application:" + "d" * 32, by_persons(replace(ME, name="张三")), (BY, ""))
    answer = platform.post("/api/applications", signed.document(), BY)
    assert (answer.status_code, answer.json()["field"]) == (422, "body.applicants[0].id_no")
    both = replace(a_form(), applicants=(a_form().applicants[0], replace(ME, party="")))
    signed = platform.signed(SUBMITTED, "application:" + "d" * 32, both, (f"party:{PROVIDER}", ""))
    answer = platform.post("/api/applications", signed.document(), f"party:{PROVIDER}")
    assert (answer.status_code, answer.json()["field"]) == (422, "body.applicants[1].party")
