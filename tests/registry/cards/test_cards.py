"""A card lives its own life beside the certificate it names; its table of moves is all that can happen to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import load_workbook

from ledger.errors import BadSignature, FieldError
from registry import store as views
from registry import validity
from registry.asset import Twin
from registry.cards import service, store
from registry.cards.card import (
    CARD,
    MOVES,
    Basic,
    CardAct,
    CardState,
    CertificateRef,
    Confirmation,
    Development,
    Disposal,
    Management,
    Report,
    Rights,
    apply,
    decide,
)
from registry.cards.ledger_sheet import HEAD, comma_separated, workbook
from registry.errors import GuardRefused, IllegalMove
from tests.registry.registry_house import AGENCY, DEVELOPER, PROVIDER, RIVAL, House, a_form, moment, open_house

TWIN = Twin("0" * 64, "1" * 64)
ID = "a" * 32
BASIC = Basic("航班起降记录", "经营数据", "演示", "336776 条", "按年更新", "采集生成")
ENTER = CardAct(
    "D-01",
    PROVIDER,
    BASIC,
    Rights(("HOLD", "USE")),
    Development(("product-1",), ("延误分析",)),
    Management("数据部", "3级"),
)
VALUED = Report(Confirmation.VALUED, "某某评估（演示）", "演示-1", "收益法", "2026-08-01", TWIN)
ACTS = {
    "D-01": ENTER,
    "D-02": CardAct("D-02", PROVIDER, basic=BASIC, reason="更新说明"),
    "D-03": CardAct("D-03", PROVIDER, use="内部分析"),
    "D-04": CardAct("D-04", PROVIDER, disposal=Disposal.DESTROYED, reason="到期销毁"),
    "D-05": CardAct("D-05", PROVIDER, report=VALUED),
}
AFTER = {
    (None, "D-01"): "ENTERED", ("ENTERED", "D-02"): "ENTERED", ("ENTERED", "D-03"): "IN_USE",
    ("ENTERED", "D-04"): "DISPOSED", ("ENTERED", "D-05"): "ENTERED", ("IN_USE", "D-02"): "IN_USE",
    ("IN_USE", "D-03"): "IN_USE", ("IN_USE", "D-04"): "DISPOSED", ("IN_USE", "D-05"): "IN_USE",
}  # fmt: skip
NOW = moment("2026-08-10 09:00")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "registry.db")
    yield opened
    opened.session.close()
    opened.engine.dispose()


def act(house: House, body: CardAct, by: str = PROVIDER, identity: str = ID) -> None:
    signed = house.signed(CARD, f"card:{identity}", body, (f"party:{by}", ""))
    service.take_act(house.session, signed, at=house.now)


@pytest.mark.clause("G31", "D-01", "D-02", "D-03", "D-04", "D-05")
@pytest.mark.parametrize("state", [None, *CardState])
@pytest.mark.parametrize("move", sorted(ACTS))
def test_table__every_state_and_move__allowed_or_refused_as_written(state: CardState | None, move: str) -> None:
    card = None if state is None else replace(apply(None, ID, ENTER, NOW), state=state)
    expected = AFTER.get((state.value if state else None, move))
    if expected is None:
        with pytest.raises(IllegalMove):
            decide(card, ID, ACTS[move], NOW)
    else:
        assert decide(card, ID, ACTS[move], NOW).state.value == expected


@pytest.mark.parametrize("move", sorted(ACTS))
def test_fields__each_missing_or_foreign__is_refused_by_name(move: str) -> None:
    _, _, needs, may = MOVES[move]
    card = None if move == "D-01" else apply(None, ID, ENTER, NOW)
    for name in needs:
        empty = "" if name in ("reason", "use") else None
        with pytest.raises(GuardRefused, match=name):
            decide(card, ID, replace(ACTS[move], **{name: empty}), NOW)
    foreign = {"use": "x", "disposal": Disposal.OTHER, "report": VALUED, "reason": "x", "basic": BASIC}
    for name in sorted(foreign.keys() - needs - may):
        with pytest.raises(GuardRefused, match=name):
            decide(card, ID, replace(ACTS[move], **{name: foreign[name]}), NOW)


@pytest.mark.parametrize(
    "report",
    [
        replace(VALUED, issued_on="2026-08-11"),
        replace(VALUED, licence_no=" "),
        replace(VALUED, method=""),
        replace(VALUED, confirmation=Confirmation.IDENTIFIED),
    ],
)
def test_three_confirmations__paper_without_what_it_must_say__is_refused(report: Report) -> None:
    with pytest.raises(GuardRefused):
        decide(apply(None, ID, ENTER, NOW), ID, CardAct("D-05", PROVIDER, report=report), NOW)


@pytest.mark.clause("G31", "D-01", "D-04")
def test_card__names_a_certificate__its_changes_are_lines_and_disposing_cancels_nothing(house: House) -> None:
    code = house.certificate(a_form())
    ref = CertificateRef(AGENCY, "REGISTRATION_CERT", code, 1, "VALID", house.now)
    act(house, replace(ENTER, rights=Rights(("USE",), (ref,))))
    row = views.certificate(house.session, code)
    house.now = row.valid_until + 60
    validity.tell(house.session, house.signer, row, at=house.now, basis="C10", effective_at=row.valid_until)
    lines = store.lines_of(house.session, store.card(house.session, ID))
    assert [line.kind for line in lines] == ["入卡", "凭证变化"]
    assert "自动失效" in lines[1].text
    act(house, ACTS["D-04"])
    assert store.card(house.session, ID).state is CardState.DISPOSED
    assert validity.certificate_status(house.session, code, house.now - 3600).in_force
    assert [found.card for found in store.cards_naming(house.session, code)] == [ID]


@pytest.mark.clause("G31", "D-01")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"status": "CANCELLED"}, GuardRefused),
        ({"version": 2}, GuardRefused),
        ({"issuer": RIVAL}, FieldError),
        ({"paper_type": "EVIDENCE_CERT"}, FieldError),
        ({"as_of": 2**32 - 1}, FieldError),
    ],
)
def test_card__certificate_of_ours_misstated__is_refused(
    house: House, change: dict[str, object], error: type[Exception]
) -> None:
    code = house.certificate(a_form())
    ref = CertificateRef(AGENCY, "REGISTRATION_CERT", code, 1, "VALID", house.now)
    with pytest.raises(error):
        act(house, replace(ENTER, rights=Rights(("USE",), (replace(ref, **change),))))  # type: ignore[arg-type]
    assert store.find(house.session, ID) is None


def test_card__foreign_certificate__is_kept_as_stated(house: House) -> None:
    ref = CertificateRef(RIVAL, "DATA_IP_CERT", "某数知登字第1号", 1, "VALID", house.now)
    act(house, replace(ENTER, rights=Rights(("USE",), (ref,))))
    assert store.cards_naming(house.session, "某数知登字第1号")[0].status == "VALID"


def test_card__signed_by_another_party__is_refused(house: House) -> None:
    with pytest.raises(BadSignature):
        act(house, ENTER, by=DEVELOPER)
    act(house, ENTER)
    with pytest.raises(GuardRefused, match="持有单位"):
        act(house, replace(ACTS["D-03"], holder=DEVELOPER), by=DEVELOPER)


def test_ledger__as_workbook_and_csv__same_cells_and_no_formula(house: House) -> None:
    act(house, replace(ENTER, basic=replace(BASIC, name="=HYPERLINK(1)")))
    act(house, ACTS["D-05"])
    cards = store.cards_of(house.session, PROVIDER)
    sheet = load_workbook(io.BytesIO(workbook(cards))).active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    read = list(csv.reader(io.StringIO(comma_separated(cards).decode("utf-8-sig"))))
    assert cells[0] == read[0] == list(HEAD)
    assert cells[1][1] == "=HYPERLINK(1)"
    assert sheet["B2"].data_type == "s"
    assert read[1][1] == "'=HYPERLINK(1)"
    assert cells[1][13] == read[1][13] == "某某评估（演示） 2026-08-01"
