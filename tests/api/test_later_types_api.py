"""The doors of the later types: drafting, the pre-check against the register, filing, and the agency's own decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.reading import body_of, read
from registry.case import DECISION
from registry.form import SUBMITTED, Form, Held, RegistrationType
from registry.rights import Right
from registry.succession import Wish
from tests.api.house import Platform
from tests.registry.registry_house import DEVELOPER, PROVIDER, RIVAL, a_form, applicant, decision

RECEIVER = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")


@pytest.mark.clause("G34")
def test_draft__by_a_holder__is_a_form_that_can_be_filed(platform: Platform) -> None:
    code = platform.certificate(a_form(), issued=False)
    wish = Wish(RegistrationType.TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=(RECEIVER,))
    path = f"/api/certificates/{code}/draft"
    assert platform.post(path, body_of(wish), f"party:{RIVAL}").status_code == 403
    answer = platform.post(path, body_of(wish), f"party:{PROVIDER}")
    assert answer.status_code == 200
    form = read(Form, answer.json()["form"])
    found = platform.post("/api/precheck", body_of(form), f"party:{PROVIDER}").json()["findings"]
    assert {item["rule"] for item in found} == {"PC-21"}, "only the papers are missing"
    who = [(f"party:{PROVIDER}", ""), (f"party:{DEVELOPER}", "")]
    platform.state("/api/applications", SUBMITTED, "application:" + "a" * 32, form, *who)


@pytest.mark.parametrize(
    ("wish", "status"),
    [({"type": "续期登记", "years": 0}, 422), ({"type": "初次登记"}, 422), ({"type": "转让登记"}, 422),
     ({"type": "变更登记"}, 422), ({"kind": "变更登记"}, 422), ({"type": "注销登记", "reason": "Z-01"}, 200)],
)  # fmt: skip
def test_draft__of_nothing_or_of_nonsense__names_the_field(
    shared: Platform, wish: dict[str, object], status: int
) -> None:
    with shared.reading() as session:
        from registry.store import certificates

        known = certificates(session)
    code = known[0].code if known else shared.certificate(a_form(), issued=False)
    before = shared.count()
    answer = shared.post(f"/api/certificates/{code}/draft", wish, f"party:{PROVIDER}")
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["field"]
    assert shared.count() == before
    unknown = shared.post("/api/certificates/SJ3312026089999/draft", wish, f"party:{PROVIDER}").status_code
    assert unknown == 404 or (unknown == 422 and status == 422), "what cannot be read is said first"


@pytest.mark.clause("G37", "Z-04")
def test_decision__by_two_persons__and_by_nobody_else(platform: Platform) -> None:
    code = platform.certificate(a_form(), issued=False)
    with platform.books() as house:
        form = house.draft(code, RegistrationType.CANCELLATION, reason="Z-04")
    decided = decision("Z-04", form)
    path, subject = "/api/applications/decisions", "application:" + "b" * 32
    alone = platform.signed(DECISION, subject, decided, (f"party:{PROVIDER}", ""))
    assert platform.post(path, alone.document(), f"party:{PROVIDER}").status_code == 403
    wrong = replace(decided, move="Z-05")
    two = [("staff:reviewer", "reviewer"), ("staff:approver", "approver")]
    answer = platform.post(path, platform.signed(DECISION, subject, wrong, *two).document(), "staff:reviewer")
    assert answer.status_code in (403, 409, 422), answer.text
    platform.state(path, DECISION, subject, decided, *two)
    state = platform.client.get(f"/api/applications/{'b' * 32}", headers=platform.headers(f"party:{PROVIDER}"))
    assert state.json()["state"] == "READY"
