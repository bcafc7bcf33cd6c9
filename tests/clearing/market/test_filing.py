"""备案: the whole table of moves, what each act must carry, who may file, and what is reported."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import product as pairs
from pathlib import Path

import openpyxl
import pytest

from clearing.errors import BadTerms, NotSigned, UnknownFact, WrongMove
from clearing.market import store as market
from clearing.market.agreement import Terms, terms_digest
from clearing.market.errors import NotEntitled
from clearing.market.filing import service, store, tables
from clearing.market.filing.filing import (
    AGREEMENT_FILING,
    MOVES,
    Act,
    AgreementFiling,
    State,
    decide,
    id_of,
    subject_of,
)
from clearing.market.filing.report import report_xlsx
from ledger import store as ledger
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from ledger.store import Appended
from registry.asset import Twin
from tests.clearing.market.house import CONSUMER, COURT, NOW, OPERATOR, PROVIDER, House

AUTHORITY = "浙江省数据局（演示）"
TERMS, OTHER = Twin("a" * 64, "b" * 64), Twin("c" * 64, "d" * 64)
GOOD = {
    Act.SUBMIT: {},
    Act.RETURN: {"answered": NOW, "reason": "材料不全"},
    Act.FILE: {"answered": NOW, "number": "浙数合备〔2026〕1号", "receipt": OTHER},
    Act.CHANGE: {"reason": "已按变更后的合约重新备案"},
    Act.WITHDRAW: {"reason": "不再备案"},
}
WAY = {
    State.UNFILED: (),
    State.SUBMITTED: (Act.SUBMIT,),
    State.RETURNED: (Act.SUBMIT, Act.RETURN),
    State.FILED: (Act.SUBMIT, Act.RETURN, Act.SUBMIT, Act.FILE),
    State.CHANGED: (Act.SUBMIT, Act.FILE, Act.CHANGE),
    State.WITHDRAWN: (Act.SUBMIT, Act.WITHDRAW),
}


def act(kind: Act, **changes: object) -> AgreementFiling:
    values: dict[str, object] = {**GOOD[kind], "filer": PROVIDER, "authority": AUTHORITY, "terms": TERMS} | changes
    return AgreementFiling(kind, **values)  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "market.db")
    yield made
    made.close()


class Filing:
    """An agreement of the house and the statements about its filing."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.agreement, _ = house.conclude()
        self.terms = terms_digest(house_terms(house, self.agreement))

    def signed(self, kind: Act, by: str = PROVIDER, subject: str = "", **changes: object) -> Signed:
        about = subject or subject_of(self.agreement, 1)
        body = act(kind, **{"terms": self.terms, "filer": by} | changes)
        statement = Statement(AGREEMENT_FILING, about, *ledger.next_of(self.house.session, about), body_of(body))
        key = self.house.keys[by].sm2
        return Signed(statement, (sign_sm2(key, statement, by=f"party:{by}", role=""),))

    def take(self, signed: Signed, at: int = NOW) -> Appended:
        return service.take(self.house.session, signed, operator=OPERATOR, at=at)

    def state(self) -> State:
        row = store.find(self.house.session, self.agreement, 1)
        return row.state if row else State.UNFILED


def house_terms(house: House, agreement: str) -> Terms:
    return market.terms_of(house.session, agreement, 1)


@pytest.fixture
def filing(house: House) -> Filing:
    return Filing(house)


@pytest.mark.parametrize(("state", "kind"), list(pairs(State, Act)))
def test_moves__every_act_in_every_state__as_the_table_has_it(filing: Filing, state: State, kind: Act) -> None:
    for earlier in WAY[state]:
        filing.take(filing.signed(earlier))
    assert filing.state() is state
    signed = filing.signed(kind)
    if (state, kind) in MOVES:
        assert filing.take(signed).fact.body["act"] == kind
        assert filing.state() is MOVES[state, kind]
        assert filing.take(signed).replayed
    else:
        with pytest.raises(WrongMove):
            filing.take(signed)
        assert filing.state() is state


def test_moves__the_table_is_that_of_the_rule() -> None:
    """§4.7: UNFILED → SUBMITTED ⇄ RETURNED → FILED → CHANGED, WITHDRAWN."""
    assert {(before.value, after.value) for (before, _), after in MOVES.items()} == {
        ("UNFILED", "SUBMITTED"), ("SUBMITTED", "RETURNED"), ("RETURNED", "SUBMITTED"), ("SUBMITTED", "FILED"),
        ("FILED", "CHANGED"), ("SUBMITTED", "WITHDRAWN"), ("RETURNED", "WITHDRAWN"), ("FILED", "WITHDRAWN"),
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "field"), list(pairs(Act, ("answered", "number", "reason", "receipt"))))
def test_fields__too_many_or_too_few__named(kind: Act, field: str) -> None:
    before = next(state for state, act_ in MOVES if act_ is kind)
    first = act(Act.SUBMIT) if before is not State.UNFILED else None
    assert decide(before, first, act(kind), TERMS, NOW) is MOVES[before, kind]
    has = field in GOOD[kind]
    if field == "receipt" and (has or kind in (Act.RETURN, Act.FILE)):
        return  # an answer may come without a paper
    value: object = {"answered": NOW, "number": "1", "reason": "x", "receipt": OTHER}[field]
    blank: object = None if field in ("answered", "receipt") else ""
    with pytest.raises(BadTerms) as error:
        decide(before, first, act(kind, **{field: blank if has else value}), TERMS, NOW)
    assert error.value.field == f"body.{field}"


@pytest.mark.parametrize(("field", "changes"), [
    ("body.terms", {"terms": OTHER}), ("body.filer", {"filer": CONSUMER}),
    ("body.authority", {"authority": "别的机关"}), ("body.answered", {"answered": NOW + 1}),
])  # fmt: skip
def test_filing__one_thing_wrong__named(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(BadTerms) as error:
        decide(State.SUBMITTED, act(Act.SUBMIT), act(Act.FILE, **changes), TERMS, NOW)
    assert error.value.field == field


@pytest.mark.parametrize(("by", "may"), [(PROVIDER, True), (CONSUMER, True), (COURT, False)])
def test_filer__a_party_of_the_agreement__and_nobody_else(filing: Filing, by: str, may: bool) -> None:
    signed = filing.signed(Act.SUBMIT, by)
    if may:
        filing.take(signed)
        other = CONSUMER if by == PROVIDER else PROVIDER
        with pytest.raises(BadTerms):
            filing.take(filing.signed(Act.FILE, other))
    else:
        with pytest.raises(NotEntitled):
            filing.take(signed)


def test_filing__signed_by_another_or_about_nothing__refused(filing: Filing) -> None:
    signed = filing.signed(Act.SUBMIT)
    key = filing.house.keys[CONSUMER].sm2
    forged = Signed(signed.statement, (sign_sm2(key, signed.statement, by=f"party:{CONSUMER}", role=""),))
    with pytest.raises(NotSigned):
        filing.take(forged)
    with pytest.raises(UnknownFact):
        filing.take(filing.signed(Act.SUBMIT, subject=subject_of("0" * 64, 1)))
    with pytest.raises(BadTerms):
        filing.take(filing.signed(Act.SUBMIT, subject=subject_of(filing.agreement, 2)))
    for subject in (f"agreement-filing:{filing.agreement}", f"agreement-filing:{filing.agreement}.0", "x:1",
                    f"agreement-filing:{filing.agreement}.01", f"agreement-filing:{'A' * 64}.1"):  # fmt: skip
        with pytest.raises((BadTerms, FieldError)):
            id_of(subject)


def test_report__says_what_is_reported_and_no_price(filing: Filing) -> None:
    session = filing.house.session
    blank = service.report(session, filing.agreement, 1, {PROVIDER: "某某数据公司（演示）"}, NOW)
    assert (blank["filing"], blank["number"], blank["acts"]) == ("UNFILED", "", [])
    for kind in (Act.SUBMIT, Act.FILE):
        filing.take(filing.signed(kind))
    report = service.report(session, filing.agreement, 1, {PROVIDER: "某某数据公司（演示）"}, NOW)
    assert (report["filing"], report["number"]) == ("FILED", GOOD[Act.FILE]["number"])
    assert report["terms"] == body_of(filing.terms)
    assert {"settlement", "policy", "liability", "salt", "parties"}.isdisjoint(report["content"])
    assert report["content"]["scope"] == house_terms(filing.house, filing.agreement).scope
    assert report["parties"][0]["name"] == "某某数据公司（演示）"
    assert [one["act"] for one in report["acts"]] == ["SUBMIT", "FILE"]
    stored = ledger.facts_of(session, f"agreement:{filing.agreement}")[0]
    assert report["act"] == {"fact": stored.id, "at": stored.at}


def test_workbook__every_cell_is_text(filing: Filing) -> None:
    filing.take(filing.signed(Act.SUBMIT, authority="=1+1"))
    report = service.report(filing.house.session, filing.agreement, 1, {}, NOW)
    book = openpyxl.load_workbook(io.BytesIO(report_xlsx(report, [("使用范围", "=HYPERLINK(1)")])))
    assert book.sheetnames == ["合约备案", "备案经过"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    shown = {str(row[0].value): str(row[1].value) for row in book["合约备案"].iter_rows()}
    assert (shown["备案机关"], shown["备案状态"], shown["使用范围"]) == ("=1+1", "已提交", "=HYPERLINK(1)")


def test_rebuild__the_same_rows(filing: Filing) -> None:
    for kind in WAY[State.FILED]:
        filing.take(filing.signed(kind))
    session = filing.house.session
    before = store.find(session, filing.agreement, 1)
    session.execute(tables.filing.delete())
    for fact, _ in store.acts(session, filing.agreement, 1):
        store.PROJECTORS[fact.kind](session, fact)
    assert store.find(session, filing.agreement, 1) == before
    assert before is not None
    assert replace(before, number="") != before
