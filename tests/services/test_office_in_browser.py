"""The office in a real browser: a stranger is admitted, applies, is reviewed, published, objected to, registered and
checked; every key is unlocked and every signature made by the page's own script."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import keyfiles
from ledger import store as facts
from ledger.signing import verify_sm2
from registry import store as views
from registry.calendar import day_of
from registry.case import State
from tests.api.house import Platform, open_platform, template
from tests.registry.registry_house import AGENCY, RIVAL, uscc
from tests.services.player import Player, opened, ready

pytestmark = pytest.mark.services

STRANGER = uscc(42)
NAME = "湖州某某地图数据有限公司（演示）"
PASSPHRASE = "演示口令一二三四"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    ready()
    folder = tmp_path_factory.mktemp("office")
    with open_platform(folder / "home", template(folder), papers_received=True) as platform:
        yield platform


@pytest.fixture(scope="module")
def keys(house: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Everybody's key file as the command line writes it."""
    folder = tmp_path_factory.mktemp("keys")
    files = {}
    for by in ("staff:clerk", "staff:reviewer", "staff:approver", "staff:officer", f"party:{RIVAL}", f"party:{AGENCY}"):
        file = folder / f"{by.replace(':', '-')}.json"
        keyfiles.create(file, by)
        document = json.loads(file.read_text()) | {"sm2": house.keys[by].private.hex()}
        file.write_text(json.dumps(document))
        files[by] = file
    return files


@pytest.fixture(scope="module")
def player(house: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    with opened(tmp_path_factory.mktemp("browser"), str(house.client.base_url).rstrip("/")) as found:
        yield found


def downloaded(player: Player) -> Path:
    """The key file the browser has just saved."""
    end = time.monotonic() + 20
    while True:
        found = list(player.downloads.glob("*.shuqing-key.json"))
        if found:
            return found[0]
        assert time.monotonic() < end, "nothing was downloaded"
        time.sleep(0.1)


def case_of(house: Platform) -> Any:
    with house.reading() as session:
        found = views.cases_in(session, list(State))
        assert len(found) == 1
        return found[0]


def after_the_issue(house: Platform, player: Player, keys: dict[str, Path], code: str, paper: Path) -> None:
    """A renewal too early is refused before anybody signs; a change is drafted from the register and signed; a
    pledge is recorded by two persons and shown on the check page."""

    def hand_in(field: str, kind: str) -> None:
        player.set(f'[id="kind-{field}"]', kind)
        player.page.choose(f'[id="file-{field}"]', paper)
        player.wait(f"document.querySelector('[name=\"{field}\"]').value.includes({json.dumps(kind)})")

    player.go("/office/certificates")
    player.picture("certificates")
    player.press("main table a")
    player.picture("certificate-holder")
    player.go(f"/office/certificates/{code}/registrations/renewal")
    hand_in("attachments", "数据产权登记凭证")
    player.press('button[value="check"]')
    assert "PC-31" in player.text(), "not yet in its window"
    player.picture("renewal-early")
    player.go(f"/office/certificates/{code}")
    player.press('a[href$="/registrations/change"]')
    player.fill(description__limits="不得出境")
    for kind in ("数据产权登记凭证", "变更内容佐证"):
        hand_in("attachments", kind)
    player.press('button[value="check"]')
    player.picture("change-checked")
    player.press('button[value="submit"]')
    player.sign()
    player.log_out()

    player.log_in(keys["staff:reviewer"])
    player.go(f"/office/certificates/{code}/remark")
    player.press("main form.long-form .row button")
    assert "尚不能办理" in player.text()
    player.fill(
        record__kind="PLEDGE", record__from_day=day_of(house.now).isoformat(), record__rights__hold="1",
        record__terms="主债权（演示）", instrument__type="pledgee", instrument__issuer="某某银行（演示）",
        instrument__issuer_id=RIVAL, instrument__number="质押1号（演示）", instrument__issued_on="2026-08-01",
    )  # fmt: skip
    hand_in("instrument.paper", "质押合同")
    player.picture("remark")
    player.press("main form.long-form .row button")
    player.picture("statement-remark")
    player.sign(done=False)
    player.log_out()
    player.log_in(keys["staff:approver"])
    player.sign_first()
    player.go(f"/office/certificates/{code}")
    player.picture("certificate-agency")
    player.picture("certificate-agency", 360)
    player.log_out()
    player.go(f"/check?code={code}")
    assert "质押" in player.text()
    assert "主债权" not in player.text()
    player.picture("check-pledged", 360)


@pytest.mark.clause("G14", "G16", "G17", "G24", "G25", "G26", "G27")
@pytest.mark.clause("G14", "I-02", "I-04", "I-05", "I-07", "I-15", "I-17", "I-20", "I-24", "I-27")
def test_seven_steps__by_people_who_never_read_the_code(
    house: Platform, player: Player, keys: dict[str, Path], tmp_path: Path
) -> None:
    # 入册: a stranger makes a key in the browser; a clerk looks at the papers and signs
    player.go("/office/enrol")
    player.fill(name=NAME, uscc=STRANGER, contact="演示联系人", phone="0572-0000000")
    for number in ("e-pass", "e-pass2"):
        player.set(f"#{number}", PASSPHRASE)
    player.press("[data-enrol-go]", leaves=False)
    player.wait("!document.querySelector('[data-enrol-done]').hidden")
    player.picture("enrol")
    own = downloaded(player)
    assert json.loads(own.read_text())["cipher"] == "AES-256-GCM"
    player.log_in(keys["staff:clerk"])
    player.picture("work-list-empty")
    player.go("/office/admissions")
    player.press("main table a")
    player.wait("document.querySelector('[data-words] dl')")
    player.picture("admission")
    player.sign()
    player.log_out()

    # 申请
    player.log_in(own, PASSPHRASE, keyboard=True)
    player.go("/office/applications/new")
    player.picture("application-empty")
    player.press('button[value="check"]')
    assert "必须改正" in player.text(), player.text()[:1500]
    player.picture("application-errors")
    file, papers = tmp_path / "map.csv", {}
    file.write_text("x,y,name\n1,2,甲\n3,4,乙\n", encoding="utf-8")
    for kind in ("身份佐证", "数据样例", "合法取得佐证"):
        papers[kind] = tmp_path / f"{kind}.pdf"
        papers[kind].write_bytes(b"%PDF-1.7\n" + kind.encode() + b"\n%%EOF\n")
    player.fill(
        applicants__0__contact="演示联系人",
        applicants__0__phone="0572-0000000",
        applicants__0__address="演示地址",
        applicants__0__business__legal_representative="演示",
        applicants__0__business__founded="2020-01-01",
        applicants__0__business__standing="存续",
        description__data_name="2025年湖州市交通道路地图数据集（演示）",
        description__overview="该数据为演示用道路坐标与名称。",
        description__industry="交通运输、仓储和邮政业/道路运输业",
        description__industry_code="G54",
        description__region_scope="市级",
        description__time_from="2025-01-01",
        description__time_to="2025-12-31",
        description__update_rate="按年更新",
        description__form="表格",
        description__structure="结构化",
        description__limits="无",
        description__volume__0__number="2",
        source_kind="采集生成",
        right_basis="M1",
        rights__0__right="HOLD",
    )
    player.page.choose('[id="file-description.content"]', file)
    player.wait("document.querySelector('[name=\"description.content\"]').value.includes('map.csv')")
    wrong = tmp_path / "证照.exe", tmp_path / "证照.pdf"
    for file, said in zip(wrong, ("扩展名应为", "内容不是可以接收的类型"), strict=True):
        file.write_bytes(b"MZ not a paper")
        player.page.choose("#file-attachments", file)
        player.wait(f"document.querySelector('#file-attachments ~ [data-papers-said]').innerText.includes('{said}')")
    player.picture("paper-refused")
    for kind, paper in papers.items():
        player.set("#kind-attachments", kind)
        player.page.choose("#file-attachments", paper)
        player.wait(f"document.querySelector('[name=attachments]').value.includes({json.dumps(paper.name)})")
    player.press('button[value="add.rights"]')
    player.fill(rights__1__right="USE")
    player.picture("application-filled")
    player.press('button[value="preview"]')
    assert "公示时公开的内容" in player.text(), player.text()
    player.picture("preview")
    player.press("main form button")
    player.picture("statement-application")
    player.sign()
    application = case_of(house).application
    player.go(f"/office/cases/{application}")
    player.picture("case-applicant")
    player.log_out()

    # 受理: a correction asked for and answered
    player.log_in(keys["staff:clerk"])
    player.picture("work-list")
    player.go(f"/office/cases/{application}")
    player.picture("case-clerk")
    assert player.page.value("document.querySelectorAll('[formaction^=\"/api/attachments/\"]').length") == len(papers)
    player.go(f"/office/cases/{application}/moves/I-04")
    player.press("main form.long-form .row button")
    assert "至少一项" in player.text()
    player.picture("correction-refused")
    player.set('[name="items.0.what"]', "经营范围")
    player.set('[name="items.0.why"]', "未填写经营范围")
    player.press("main form.long-form .row button")
    player.sign()
    player.log_out()
    player.log_in(own, PASSPHRASE)
    player.go(f"/office/cases/{application}/correction/I-05")
    player.set('[name="applicants.0.business.scope"]', "道路地图数据服务")
    player.press('button[value="preview"]')
    player.press('a[href*="moves/I-05"]')
    player.set('[name="answers.1"]', "已补填经营范围")
    player.picture("answer")
    player.press("main form.long-form .row button")
    player.sign()
    player.log_out()
    player.log_in(keys["staff:clerk"])
    player.go(f"/office/cases/{application}/moves/I-07")
    player.press("main form.long-form .row button")
    player.sign()
    player.log_out()
    assert case_of(house).state is State.UNDER_REVIEW

    # 审查、公示, by two persons
    player.log_in(keys["staff:reviewer"])
    player.go(f"/office/cases/{application}/moves/I-15")
    for name in ("description", "source", "right"):
        player.set(f'[name="review.{name}"]', "1")
    player.picture("review")
    player.press("main form.long-form .row button")
    player.sign(done=False)
    assert "等待签署" in player.text()
    player.log_out()
    player.log_in(keys["staff:approver"])
    player.go("/office/desk")
    player.picture("desk")
    player.sign_first()
    player.log_out()
    assert case_of(house).state is State.PUBLICITY

    # 异议: somebody without a key, on a phone
    player.go("/")
    player.picture("home", 360)
    player.go("/notices")
    player.picture("notices", 360)
    player.press("main table a")
    player.picture("notice", 360)
    player.picture("notice")
    player.press("#object button")
    assert "请填写" in player.text()
    player.picture("objection-errors", 360)
    player.fill(objector="某市民", contact="演示电话", reason="该地图含本人测绘成果")
    player.press("#object button:last-of-type")
    assert "等待核实" in player.text()
    player.picture("objection-left", 360)
    player.log_in(keys["staff:clerk"])
    player.go("/office/objections")
    player.press("main table a")
    player.picture("objection-request")
    player.set('[name="verified"]', "1")
    player.press("main form button")
    player.sign()
    player.log_out()
    player.log_in(keys[f"party:{RIVAL}"])
    player.go(f"/notices/{application}")
    player.fill(contact="演示", reason="本公司主张权属")
    player.press("#object button:last-of-type")
    player.sign()
    player.log_out()
    player.log_in(keys["staff:reviewer"])
    player.go(f"/office/cases/{application}/moves/I-20")
    for raised in case_of(house).objections:
        player.set(f'[name="decisions.{raised.id}.outcome"]', "rejected")
        player.set(f'[name="decisions.{raised.id}.reason"]', "经查异议不成立")
    player.picture("decisions")
    player.press("main form.long-form .row button")
    player.sign(done=False)
    player.log_out()
    player.log_in(keys["staff:approver"])
    player.sign_first()
    player.log_out()

    # 信息存证、凭证核发; the worker's part is done here
    house.now += 14 * 86400
    with house.books() as books:
        assert books.timers() == ["I-18"]
    player.log_in(keys["staff:officer"])
    player.picture("work-list-officer")
    player.go(f"/office/cases/{application}/moves/I-24")
    player.picture("deposit")
    player.press("main form.long-form .row button")
    player.sign()
    player.log_out()
    with house.books() as books:
        code = books.take_receipt(books.receipt(application)).code
    house.issue(code)

    # 公开核验
    player.go("/check")
    player.set("#code", code)
    player.press("form[action='/check'] button")
    assert "有效" in player.text()
    player.picture("check", 360)
    player.log_in(own, PASSPHRASE)
    player.go(f"/office/cases/{application}")
    player.picture("case-issued")
    player.picture("case-issued", 360)
    after_the_issue(house, player, keys, code, papers["身份佐证"])
    with house.reading() as session:
        for fact in facts.facts_of(session, f"application:{application}"):
            assert all(verify_sm2(fact.statement, item) for item in fact.signatures)
    with house.reading() as session:
        assert views.case(session, application).state is State.ISSUED

    # The browser spoke to this site only, and no policy was broken.
    assert all(address.startswith((player.url, "blob:", "data:")) for address in player.page.requested)
    assert [line for line in player.page.said if "Content Security Policy" in line or "xception" in line] == []
