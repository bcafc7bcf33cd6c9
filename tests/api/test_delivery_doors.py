"""Delivery and acceptance over HTTP, as pages and by command: from the hand-over to the accepted quantity."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.cli import app
from api.desk import store as waiting
from clearing.market.delivery.act import Act, Objection, Reason
from clearing.market.promise import Counting, Inspection
from ledger.facts import Signed
from ledger.reading import body_of
from registry.calendar import text_of
from tests.api.office import Person, person
from tests.api.shop import Shop, open_shop
from tests.clearing.market.handing import Handing, digest, found, sent
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, PROVIDER, SELLER

ACTS = "/api/deliveries/acts"
GIVER, TAKER, STRANGER = f"party:{PROVIDER}", f"party:{CONSUMER}", f"party:{COURT}"
XSS = '"><script>alert(1)</script>'


@dataclass
class Counter:
    """A delivery behind the doors of a real server; between two requests the house holds no lock."""

    shop: Shop
    handing: Handing

    def make(self, act: Act, **fields: object) -> Signed:
        made = self.handing.make(self.handing.body(act, **fields))
        self.shop.house.session.commit()
        return made

    def send(self, made: Signed, who: str) -> httpx.Response:
        return self.shop.platform.post(ACTS, made.document(), who)

    def say(self, act: Act, who: str, **fields: object) -> dict[str, Any]:
        answer = self.send(self.make(act, **fields), who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def deliver(self, *items: Any) -> None:
        shipment = self.handing.shipment(*items)
        self.say(Act.DELIVER, GIVER, shipment=shipment)

    def receive(self) -> None:
        self.say(Act.RECEIVE, TAKER, found=tuple(found(item.sent) for item in self.handing.case.items))
        self.shop.house.session.commit()

    def get(self, by: str, suffix: str = "") -> httpx.Response:
        return self.shop.get(f"/api/deliveries/{self.handing.id}{suffix}", by)

    def page(self, by: str) -> str:
        answer = self.shop.get(f"/deliveries/{self.handing.id}", by)
        assert answer.status_code == 200, answer.text
        return unescape(re.sub(r"\s+", " ", answer.text))

    def accepted(self, by: str = GIVER) -> list[Any]:
        return list(self.shop.get(f"/api/agreements/{self.handing.agreement}/accepted", by).json()["accepted"])


@pytest.fixture
def counter(tmp_path: Path, empty_database: Path) -> Iterator[Counter]:
    with open_shop(tmp_path / "home", empty_database) as shop:
        handing = Handing(shop.house, inspection=Inspection(Counting.WORKING_DAYS))
        shop.house.session.commit()
        yield Counter(shop, handing)


def test_journey__deliver_receive_object_answer_redeliver_and_silence(counter: Counter) -> None:
    counter.deliver(sent("a", 10), sent("b", 20))
    assert counter.get(TAKER).json()["items"][0]["next"] == ["RECEIVE", "REFUSE"]
    assert counter.get(GIVER).json()["items"][0]["next"] == ["WITHDRAW"]
    assert counter.accepted()[0]["quantity"] == {
        "unit": "row", "delivered": 30, "accepted": 0, "deemed": 0, "inspected": 30, "disputed": 0, "rejected": 0,
    }  # fmt: skip
    counter.receive()
    line = counter.get(TAKER).json()["delivery"]
    assert (line["progress"], line["progress_name"]) == ("INSPECTION", "验收中")
    assert line["clock"]["ends_at"] == "2026-06-06T00:00:00+08:00"  # 5 working days after Friday 29 May
    counter.shop.platform.now = NOW + DAY
    counter.say(Act.OBJECT, TAKER, objections=(Objection("b", 4, Reason.QUALITY, "四行乱码"),), evidence=(digest(1),))
    counter.say(Act.ADMIT, GIVER, items=("b",), by="2026-06-03", text="重新导出")
    counter.say(Act.REDELIVER, GIVER, shipment=counter.handing.shipment(sent("b", 4, 9)))
    counter.say(Act.REFUSE, TAKER, found=(found(sent("b", 4, 9), bytes=1),))
    counter.say(Act.REDELIVER, GIVER, shipment=counter.handing.shipment(sent("b", 4, 12)))
    counter.say(Act.RECEIVE, TAKER, found=(found(sent("b", 4, 12)),))
    assert [item["state"] for item in counter.get(GIVER).json()["items"]] == ["INSPECTION", "INSPECTION"]
    counter.shop.platform.now = NOW + 30 * DAY
    said = counter.get(GIVER).json()
    assert [(item["state"], item["accepted"], item["deemed"]) for item in said["items"]] == [
        ("DEEMED", 10, 10), ("DEEMED", 20, 4),
    ]  # fmt: skip
    assert said["delivery"]["progress"] == "ACCEPTED"
    assert [done["act"] for done in said["acts"]][:3] == ["DELIVER", "RECEIVE", "OBJECT"]
    for by in (GIVER, TAKER, f"party:{SELLER}", f"party:{counter.shop.platform.system.settings.operator}"):
        [line] = counter.accepted(by)
        assert (line["closed"], line["quantity"]["accepted"]) == (True, 30)


def test_page__says_the_state_the_end_in_beijing_and_what_to_do_next__to_each_side(counter: Counter) -> None:
    counter.deliver(sent("a", 10, what=XSS))
    assert XSS not in counter.shop.get(f"/deliveries/{counter.handing.id}", TAKER).text
    taker, giver = counter.page(TAKER), counter.page(GIVER)
    assert "待签收" in taker
    assert "签收（与交付记录一致）" in taker
    assert "shuqing delivery receive" in taker
    assert "撤回交付" in giver
    assert "签收（与交付记录一致）：" not in giver
    counter.receive()
    taker, giver = counter.page(TAKER), counter.page(GIVER)
    assert "2026-06-06 00:00:00 +08:00" in taker
    assert "验收通过</a>" in taker
    assert "提出异议</a>" in taker
    assert "提出异议</a>" not in giver
    assert "等待需方" in giver
    assert "签收次日起 5 个工作日" in taker
    assert "视为验收通过" in taker
    counter.shop.platform.now = NOW + 30 * DAY
    assert "其中 10 因期满未提出异议视为验收" in counter.page(GIVER)
    for by in (GIVER, TAKER):
        listed = unescape(counter.shop.get("/deliveries", by).text)
        assert f'href="/deliveries/{counter.handing.id}"' in listed
        assert "已验收" in listed
    assert "尚无交付" in counter.shop.get("/deliveries", STRANGER).text


def test_page__year_without_a_calendar__says_so_and_deems_nothing(counter: Counter) -> None:
    counter.shop.platform.now = NOW + 214 * DAY  # 2026-12-29
    handing = counter.handing
    counter.say(Act.DELIVER, GIVER, shipment=handing.shipment())
    counter.receive()
    counter.shop.platform.now = NOW + 260 * DAY
    assert "2027年工作日安排未公布" in counter.page(TAKER)
    assert counter.get(TAKER).json()["delivery"]["clock"] == {
        "clock": "inspection", "running": "calendar_pending", "last": "", "calendar": "", "year": 2027,
    }  # fmt: skip
    assert counter.accepted()[0]["quantity"]["accepted"] == 0


def test_doors__for_the_parties_of_the_agreement_and_nobody_else(counter: Counter) -> None:
    counter.deliver()
    paths = (
        f"/api/deliveries/{counter.handing.id}", f"/deliveries/{counter.handing.id}",
        f"/api/agreements/{counter.handing.agreement}/accepted",
        f"/api/agreements/{counter.handing.agreement}/delivery",
    )  # fmt: skip
    for path in paths:
        assert counter.shop.get(path, STRANGER).status_code == 403
        assert counter.shop.platform.client.get(path).status_code == 401
        assert counter.shop.get(path, TAKER).status_code == 200
    made = counter.make(Act.WITHDRAW, items=("data.csv",))
    assert counter.send(made, TAKER).status_code == 403
    assert counter.shop.get("/api/deliveries", STRANGER).json()["deliveries"] == []
    assert [line["id"] for line in counter.shop.get("/api/deliveries", TAKER).json()["deliveries"]] == [
        counter.handing.id
    ]


def test_bad_input__named_in_both_languages_and_no_fact(counter: Counter) -> None:
    counter.deliver()
    before = counter.shop.platform.count()
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"act": Act.RECEIVE, "found": (found(sent(), bytes=1),)}, 422, "BadTerms"),
        ({"act": Act.RECEIVE, "found": (found(sent("other")),)}, 422, "BadTerms"),
        ({"act": Act.ACCEPT, "items": ("data.csv",)}, 409, "WrongMove"),
        ({"act": Act.RECEIVE}, 422, "BadTerms"),
    ]
    for fields, status, error in cases:
        act = fields.pop("act")
        answer = counter.send(counter.make(act, **fields), TAKER)
        assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
        assert " expected " in answer.json()["message"]
    made = counter.make(Act.WITHDRAW, items=("data.csv",)).document()
    for name, value in (("act", "BURN"), ("items", [1]), ("items", []), ("agreement", "x"), ("extra", 1)):
        broken = json.loads(json.dumps(made))
        broken["statement"]["body"][name] = value
        answer = counter.shop.platform.post(ACTS, broken, GIVER)
        assert answer.status_code == 422, answer.text
    for path in (f"/api/deliveries/{'0' * 32}", "/api/deliveries/x", f"/deliveries/{'0' * 32}",
                 f"/api/agreements/{'0' * 64}/accepted", f"/api/agreements/{'0' * 64}/delivery"):  # fmt: skip
        assert counter.shop.get(path, GIVER).status_code == 404, path
    path = f"/api/agreements/{counter.handing.agreement}/accepted?period=2026-13"
    assert counter.shop.get(path, GIVER).status_code == 422
    assert counter.shop.platform.count() == before


def test_late_objection__says_when_the_time_was_over(counter: Counter) -> None:
    counter.deliver()
    counter.receive()
    counter.shop.platform.now = NOW + 30 * DAY
    fields = {"objections": (Objection("data.csv", 1, Reason.QUALITY, "演示"),), "evidence": (digest(1),)}
    answer = counter.send(counter.make(Act.OBJECT, **fields), TAKER)
    assert (answer.status_code, answer.json()["error"]) == (409, "Lapsed")
    counter.say(Act.LATE, TAKER, text="供方明知", **fields)
    assert counter.accepted()[0]["quantity"]["disputed"] == 1


def test_worklist__whoever_has_to_act_sees_it_with_its_clock(counter: Counter) -> None:
    def waits(by: str) -> list[tuple[str, list[str]]]:
        lines = counter.shop.get("/api/worklist", by).json()["lines"]
        return [(line["state"], [step["move"] for step in line["steps"]]) for line in lines]

    counter.deliver()
    assert (waits(TAKER), waits(GIVER)) == ([("DELIVERED", ["RECEIVE", "REFUSE"])], [])
    counter.receive()
    [line] = counter.shop.get("/api/worklist", TAKER).json()["lines"]
    assert text_of(line["ends"]) == "2026-06-06T00:00:00+08:00"
    counter.shop.platform.now = NOW + 30 * DAY
    assert (waits(TAKER), waits(GIVER)) == ([], [])


def test_bundle__of_an_act__for_both_sides(counter: Counter) -> None:
    counter.deliver()
    fact = counter.get(TAKER).json()["acts"][0]["fact_id"]
    seen = {by: counter.shop.get(f"/api/bundles/{fact}", by).status_code for by in (GIVER, TAKER, STRANGER)}
    assert seen == {GIVER: 409, TAKER: 409, STRANGER: 403}


# By command -----------------------------------------------------------------------------------------------------------


def test_commands__both_sides_by_their_files_alone(counter: Counter, tmp_path: Path) -> None:
    shop, house = counter.shop, counter.shop.house
    url = str(shop.platform.client.base_url)

    def key_file(party: str) -> Path:
        keys, path = house.keys[party], tmp_path / f"{party}.json"
        if not path.exists():
            document = {"by": f"party:{party}", "ed25519": "11" * 32, "evm": keys.evm.hex(),
                        "sm2": keys.sm2.private.hex()}  # fmt: skip
            path.write_text(json.dumps(document))
            path.chmod(0o600)
        return path

    def run(party: str, *words: str, key: bool = True, code: int = 0) -> str:
        more = ["--url", url, "--api-key", shop.platform.token(f"party:{party}")]
        more += ["--key", str(key_file(party))] if key else []
        done = CliRunner().invoke(app, ["delivery", *words, *more])
        assert done.exit_code == code, done.output
        return str(done.output)

    good, bad, mended = (tmp_path / name for name in ("a.csv", "b.csv", "b2.csv"))
    good.write_text("1\n2\n")
    bad.write_text("broken")
    mended.write_text("mended")
    when = ["--channel", "sftp", "--delivered-at", str(NOW)]
    agreement = ["--agreement", counter.handing.agreement, "--unit", "row", "--quantity", "a=2"]
    made = json.loads(run(PROVIDER, "deliver", f"a={good}", f"b={bad}", *agreement, *when))
    delivery = made["delivery"]
    other = tmp_path / "c.csv"
    other.write_text("other")
    lines = [json.loads(line) for line in run(CONSUMER, "receive", delivery, f"a={good}", f"b={other}").splitlines()]
    assert [line["act"] for line in lines] == ["RECEIVE", "REFUSE"]
    assert "REDELIVER" in run(PROVIDER, "show", delivery, key=False)
    run(PROVIDER, "deliver", f"b={mended}", "--again", delivery, *when)
    run(CONSUMER, "receive", delivery, f"b={mended}")
    run(CONSUMER, "object", delivery, "a=1", "--reason", "quantity", "--text", "少一行", "--evidence", str(good))
    run(CONSUMER, "answer", delivery, "ACCEPT", "--item", "b")
    run(PROVIDER, "answer", delivery, "CONTEST", "--text", "数量无误")
    run(CONSUMER, "answer", delivery, "ESCALATE", "--text", "请决定")
    shown = run(CONSUMER, "show", delivery, key=False)
    assert "待决定 DECISION" in shown
    run(PROVIDER, "answer", delivery, "CONCEDE")
    assert "部分验收 PARTLY" in run(CONSUMER, "show", delivery, key=False)
    assert "ACCEPT" in run(CONSUMER, "answer", delivery, "ACCEPT", code=2)
    assert "ITEM=FILE" in run(CONSUMER, "receive", delivery, "nonsense", code=2)
    assert "--again" in run(PROVIDER, "deliver", f"a={good}", *when, code=2)


# In the browser -------------------------------------------------------------------------------------------------------


def somebody(counter: Counter, party: str) -> Person:
    """A party of the market's house, logged in with its own key."""
    platform = counter.shop.platform
    platform.keys[f"party:{party}"] = counter.shop.house.keys[party].sm2
    return person(platform, f"party:{party}")


def test_office__the_receiver_objects_and_the_provider_concedes__each_by_a_form_and_a_signature(
    counter: Counter,
) -> None:
    counter.deliver(sent("a", 10), sent("b", 20))
    counter.receive()
    taker, giver = somebody(counter, CONSUMER), somebody(counter, PROVIDER)
    path = f"/office/deliveries/{counter.handing.id}/acts"
    assert f'href="{path}/OBJECT"' in taker.get(f"/deliveries/{counter.handing.id}")
    paper = {"kind": "说明材料", "name": "a.txt", "media_type": "text/plain", "size": 1, "digest": body_of(digest(1))}
    fields = {"item.1": "5", "reason": "quality", "text": "五行乱码", "papers": json.dumps([paper])}
    desk = taker.drafted(f"{path}/OBJECT", fields)
    before = counter.shop.platform.count()
    assert taker.signed(desk) == "done"
    assert counter.shop.platform.count() == before + 1
    assert counter.get(TAKER).json()["items"][1]["pending"] == 5
    desk = giver.drafted(f"{path}/CONCEDE", {"item.0": "1"})
    assert giver.signed(desk) == "done"
    item = counter.get(TAKER).json()["items"][1]
    assert (item["state"], item["accepted"], item["rejected"]) == ("REJECTED", 15, 5)


def test_office__wrong_forms__said_on_the_page_and_nothing_drafted(counter: Counter) -> None:
    counter.deliver()
    counter.receive()
    taker, giver = somebody(counter, CONSUMER), somebody(counter, PROVIDER)
    path = f"/office/deliveries/{counter.handing.id}/acts"
    for act, fields, said in (
        ("ACCEPT", {}, "至少一项"),
        ("OBJECT", {"item.0": "x"}, "整数"),
        ("OBJECT", {"item.0": "5", "reason": "quality", "text": "乱码"}, "evidence"),
        ("OBJECT", {"item.0": "999", "reason": "quality", "text": "乱码", "papers": "["}, "材料清单"),
        ("OBJECT", {"item.0": "5", "reason": "mood", "text": "乱码"}, "理由"),
    ):
        answer = taker.post(f"{path}/{act}", fields, 422)
        assert said in answer.text, (act, fields)
    giver.post(f"{path}/ACCEPT", {"item.0": "1"}, 422)  # open to nobody on this side: no item to choose
    taker.get(f"{path}/DELIVER", 422)
    taker.get(f"{path}/nonsense", 422)
    somebody(counter, COURT).get(f"{path}/ACCEPT", 403)
    with counter.shop.platform.reading() as session:
        assert waiting.about(session, [f"delivery:{counter.handing.id}"]) == []


def test_office__signed_after_the_time_was_over__refused_on_the_desk(counter: Counter) -> None:
    counter.deliver()
    counter.receive()
    taker = somebody(counter, CONSUMER)
    paper = {"kind": "说明材料", "name": "a.txt", "media_type": "text/plain", "size": 1, "digest": body_of(digest(1))}
    fields = {"item.0": "5", "reason": "quality", "text": "乱码", "papers": json.dumps([paper])}
    desk = taker.drafted(f"/office/deliveries/{counter.handing.id}/acts/OBJECT", fields)
    counter.shop.platform.now = NOW + 30 * DAY
    taker = somebody(counter, CONSUMER)
    assert taker.signed(desk) == "refused"
    assert "已失效" in taker.get(f"/office/desk/{desk}")
