"""Publicity, deposit and results go to the national system as files and come back as signed receipts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.bootstrap import projectors
from ledger import canonical, rebuild, store
from ledger.errors import BadSignature, FieldError, Malformed
from ledger.facts import Signed
from registry.case import Act, State, awaits_release, publicity_ends
from registry.code import LAST_SERIAL
from registry.errors import DepositRefused, GuardRefused
from registry.form import RegistrationType, publicity_text
from registry.moving import world_of
from registry.national import service
from registry.national.exchange import RECEIPT_FORMAT
from registry.numbering import last_serial, take_serial
from registry.objection import Decision, Outcome
from registry.parcel import Packer, Parcel
from registry.tables import CodeCounterRow
from scripts.counterparties.national_system import NationalSystem
from tests.registry.national.national_house import Connected
from tests.registry.registry_house import AGENCY, CALENDAR, DEVELOPER, PASSED, PROVIDER, RIVAL, TWO, a_form


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Connected]:
    connected = Connected(tmp_path)
    yield connected
    connected.close()


def published(link: Connected, **form: object) -> str:
    identity = link.house.file(a_form(**form))  # type: ignore[arg-type]
    link.house.accept(identity)
    link.publish(identity)
    return identity


@pytest.mark.clause("G24", "I-15", "I-18", "C06")
def test_publicity__starts_with_the_national_release_and_not_with_the_act(link: Connected) -> None:
    link.at("2026-09-10 09:00")
    identity = published(link)
    assert awaits_release(link.house.case(identity))
    link.at("2026-09-18 10:00")
    assert link.exchange().released == 1
    case = link.house.case(identity)
    world = world_of(link.house.session, link.house.agency, case, link.house.now, CALENDAR)
    assert case.released_at == link.house.now
    link.at("2026-09-25 00:00")  # V3: released on Friday 09-18, ends 09-24
    assert publicity_ends(case, world) == link.house.now
    assert link.house.timers() == ["I-18"]


@pytest.mark.clause("G24", "I-18")
def test_publicity__not_released__never_ends_however_long_it_waits(link: Connected) -> None:
    link.at("2026-09-10 09:00")
    identity = published(link)
    link.at("2026-12-20 09:00")
    assert link.house.timers() == []
    with pytest.raises(GuardRefused, match="尚未由国家系统发布"):
        link.house.object(identity)
    assert link.house.case(identity).state is State.PUBLICITY


@pytest.mark.clause("G24", "G28", "C03")
def test_publicity__waiting_for_the_release__c03_runs_on(link: Connected) -> None:
    link.at("2026-09-10 09:00")
    identity = published(link)
    assert link.house.case(identity).pauses == ()
    link.at("2026-09-11 09:00")
    link.exchange()
    assert [pause.start for pause in link.house.case(identity).pauses] == ["2026-09-11"]


@pytest.mark.clause("G24", "I-15")
@pytest.mark.parametrize(("connected", "release"), [(True, ""), (False, "national")])
def test_publicity__release_that_does_not_fit_the_connection__is_refused(
    link: Connected, connected: bool, release: str
) -> None:
    link.house.agency = replace(link.house.agency, national_release=connected)
    identity = link.house.file(a_form())
    link.house.accept(identity)
    text = publicity_text(link.house.case(identity).form)
    with pytest.raises(GuardRefused, match="release"):
        link.house.move(identity, Act("I-15", review=PASSED, publicity=text, release=release), *TWO)


@pytest.mark.clause("G6", "G26", "I-24", "I-25")
def test_exchange__the_whole_way__three_packages_lead_to_a_certificate_and_its_report(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    identity = published(link)
    link.exchange()
    link.at("2026-09-11 09:00")
    link.house.timers()
    link.house.ask_deposit(identity)
    done = link.exchange()
    assert done.deposited == (link.house.case(identity).code,)
    link.house.issue(done.deposited[0])
    open_ = service.waiting(link.house.session, link.house.agency)
    assert [fact.kind for fact in open_.results] == ["register-entry/v1", "certificate-issued/v1"]
    assert link.exchange().acknowledged == 1
    status = service.sync_status(link.house.session, link.house.agency)
    assert (status.publicity, status.deposits, status.results, status.packages, status.acknowledged) == (0, 0, 0, 3, 3)
    with pytest.raises(GuardRefused, match="没有待报送"):
        link.package()


@pytest.mark.clause("G6", "G26", "G37", "Z-01", "L-07")
def test_exchange__a_whole_cancellation__its_ending_is_reported_once(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    identity = published(link)
    link.exchange()
    link.at("2026-09-11 09:00")
    link.house.timers()
    link.house.ask_deposit(identity)
    code = link.exchange().deposited[0]
    link.exchange()
    ending = link.house.file(link.house.draft(code, RegistrationType.CANCELLATION))
    link.house.review(ending)
    link.house.ask_deposit(ending)
    assert link.exchange().deposited == (code,)
    open_ = service.waiting(link.house.session, link.house.agency)
    assert [fact.kind for fact in open_.results] == ["register-ending/v1", "certificate-status/v1"]
    assert link.exchange().acknowledged == 1
    assert service.waiting(link.house.session, link.house.agency).results == ()


@pytest.mark.clause("G6")
def test_exchange__a_lost_package__is_made_good_by_the_next(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    first = published(link)
    lost = link.package()
    second = published(link, content=b"other\n")
    done = link.exchange()
    assert done.released == 2
    late = link.take(link.answered(lost))
    assert (late.released, late.known, late.acknowledged) == (0, 1, 1)
    assert not awaits_release(link.house.case(first))
    assert not awaits_release(link.house.case(second))


@pytest.mark.clause("G26", "I-26")
def test_exchange__a_refused_deposit__is_i26_and_may_be_asked_again(tmp_path: Path) -> None:
    link = Connected(tmp_path)
    link.at("2026-09-01 09:00")
    identity = published(link)
    link.exchange()
    link.at("2026-09-11 09:00")
    link.house.timers()
    link.house.ask_deposit(identity)
    record = link.house.case(identity).record
    assert record is not None
    link.national = NationalSystem(link.authority, link.agencies, frozenset({record.sha256}))
    receipts = link.answered(link.package())
    assert link.take(receipts).refused == 1
    assert link.house.case(identity).state is State.READY
    assert link.take(receipts).refused == 0
    link.house.ask_deposit(identity)
    assert len(link.exchange().deposited) == 1
    link.close()


@pytest.mark.clause("G26", "I-25")
def test_exchange__codes_of_the_national_system__stand_in_the_register_and_the_counter_stays_above(
    tmp_path: Path,
) -> None:
    link = Connected(tmp_path, codes="SJ331")
    link.at("2026-09-01 09:00")
    identity = published(link)
    link.exchange()
    link.at("2026-09-11 09:00")
    link.house.timers()
    link.house.ask_deposit(identity)
    code = link.exchange().deposited[0]
    serial = int(code[-4:])
    assert code.startswith("SJ331202609")
    assert last_serial(link.house.session, "33", "1", "202609") == serial
    assert take_serial(link.house.session, "33", "1", "202609") == serial + 1
    link.close()


@pytest.mark.parametrize(("code", "why"), [("SJ3322026090007", "机构位"), ("SJ3212026090007", "地区")])
def test_exchange__a_code_of_another_agency__is_refused(link: Connected, code: str, why: str) -> None:
    link.at("2026-09-01 09:00")
    identity = published(link)
    link.exchange()
    link.at("2026-09-11 09:00")
    link.house.timers()
    link.house.ask_deposit(identity)
    with pytest.raises(DepositRefused, match=why):
        link.house.take_receipt(link.house.receipt(identity, cert_code=code))


@pytest.mark.clause("G26", "I-25")
def test_exchange__codes_used_up__the_receipt_waits_and_the_rest_is_taken_in(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    waiting = published(link)
    link.exchange()
    link.at("2026-09-11 09:00")
    link.house.timers()
    link.house.ask_deposit(waiting)
    row = CodeCounterRow(region="33", agency="1", month="202609", last=LAST_SERIAL)
    link.house.session.add(row)
    other = published(link, content=b"another\n")
    receipts = link.answered(link.package())
    done = link.take(receipts)
    assert (done.released, done.deposited, len(done.waiting)) == (1, (), 1)
    assert "CODE_EXHAUSTED" in done.waiting[0]
    assert link.house.case(waiting).state is State.DEPOSITING
    assert not awaits_release(link.house.case(other))
    link.at("2026-10-10 09:00")
    assert link.take(receipts).deposited == ("SJ3312026100001",)


# What must be refused ------------------------------------------------------------------------------------------------


def rebuilt(receipts: bytes, change: Callable[[dict[str, object]], None], *, relist: bool = True) -> bytes:
    """The parcel with its first receipt changed, and listed as changed."""
    parcel = Parcel(io.BytesIO(receipts), RECEIPT_FORMAT)
    out = io.BytesIO()
    packer = Packer(out)
    for place, name in enumerate(parcel.under("receipts")):
        document = parcel.document(name)
        if place == 0:
            change(document)
        packer.add(name, [canonical.encode(document)])
    made = packer.manifest(RECEIPT_FORMAT, parcel.manifest.by, parcel.manifest.at, parcel.manifest.counts)
    packer.finish(made if relist else parcel.manifest)
    return out.getvalue()


def other_time(document: dict[str, object]) -> None:
    document["statement"]["body"]["released_at"] += 1  # type: ignore[index]


def other_text(document: dict[str, object]) -> None:
    document["statement"]["body"]["text_digest"]["sha256"] = "0" * 64  # type: ignore[index]


def other_kind(document: dict[str, object]) -> None:
    document["statement"]["kind"] = "party/v1"  # type: ignore[index]


def other_authority(document: dict[str, object]) -> None:
    document["statement"]["body"]["authority"] = RIVAL  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (other_time, (BadSignature, DepositRefused)),
        (other_text, (BadSignature, DepositRefused)),
        (other_kind, FieldError),
        (other_authority, DepositRefused),
    ],
)
def test_import__forged_receipt__is_refused_and_nothing_is_kept(
    link: Connected, change: Callable[[dict[str, object]], None], error: type[Exception]
) -> None:
    link.at("2026-09-01 09:00")
    identity = published(link)
    receipts = link.answered(link.package())
    link.house.now += 5
    before = store.count(link.house.session)
    with pytest.raises(error):
        link.take(rebuilt(receipts, change))
    assert store.count(link.house.session) == before
    assert awaits_release(link.house.case(identity))


@pytest.mark.parametrize("damage", ["cut", "not a zip", "unlisted", "other digest", "empty"])
def test_import__damaged_parcel__is_malformed(link: Connected, damage: str) -> None:
    link.at("2026-09-01 09:00")
    published(link)
    receipts = link.answered(link.package())
    if damage == "unlisted":
        with io.BytesIO(receipts) as out:
            with zipfile.ZipFile(out, "a") as more:
                more.writestr("receipts/99999.json", b"{}")
            receipts = out.getvalue()
    made = {
        "cut": receipts[: len(receipts) // 2],
        "not a zip": b"receipts",
        "other digest": rebuilt(receipts, other_time, relist=False),
        "empty": b"",
    }
    with pytest.raises(Malformed):
        link.take(made.get(damage, receipts))


def test_package__of_an_agency_nobody_named__is_not_answered(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    published(link)
    package = link.package()
    link.national = NationalSystem(link.authority, {}, frozenset())
    with pytest.raises(FieldError, match="agency"):
        link.answered(package)
    link.national = NationalSystem(link.authority, {AGENCY: link.house.keys[f"party:{PROVIDER}"].public}, frozenset())
    with pytest.raises(BadSignature):
        link.answered(package)


def test_release__receipt_for_another_case_or_time__is_refused(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    published(link)
    receipts = Parcel(io.BytesIO(link.answered(link.package())), RECEIPT_FORMAT)
    signed = Signed.of_document(receipts.document("receipts/00000.json"))
    with pytest.raises(DepositRefused, match="发布时间"):
        service.take_release(link.house.session, link.house.agency, signed, at=link.house.now - 1)
    (link.clock.parent / "other").mkdir()
    other = Connected(link.clock.parent / "other")
    other.house.agency = replace(other.house.agency, authority_key=link.house.agency.authority_key)
    with pytest.raises(DepositRefused, match="不是本机构"):
        service.take_release(other.house.session, other.house.agency, signed, at=link.house.now)
    other.close()


def test_refused_case__later_release__changes_nothing(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    identity = published(link, code=DEVELOPER, name="宁波某某数据元件有限公司（演示）")
    package = link.package()
    link.house.move(identity, Act("I-14", ground="RF-2", reason="来源违法"), *TWO)
    assert link.take(link.answered(package)).released == 1
    case = link.house.case(identity)
    assert (case.state, case.released_at) == (State.REFUSED, None)


@pytest.mark.clause("G24", "G25", "I-15", "I-22")
def test_publicity__released_twice_after_a_correction__the_same_case_from_the_facts_alone(link: Connected) -> None:
    link.at("2026-09-01 09:00")
    identity = published(link)
    link.exchange()
    objection = link.house.object(identity)
    upheld = Decision(objection, Outcome.UPHELD, "描述需更正")
    link.house.move(identity, Act("I-22", decisions=(upheld,), reason="更正描述"), *TWO)
    link.publish(identity)
    assert awaits_release(link.house.case(identity))
    link.house.now += 60
    link.exchange()
    case = link.house.case(identity)
    assert case.released_at == link.house.now
    session = link.house.session
    rebuild.clear_views(session)
    rebuild.fold(session, session, projectors())
    assert link.house.case(identity) == case
