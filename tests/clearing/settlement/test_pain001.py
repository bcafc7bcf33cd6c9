"""pain.001: the schema's own verdict, sums, ids that a resend keeps, and what no file may carry."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms, BankFileRefused
from clearing.settlement import pain001
from clearing.settlement.pain001 import funding_initiation, pain001_xml, payout_initiation, read_pain001
from clearing.settlement.payment import BankAccount, Batch, batch_of
from ledger.errors import FieldError
from tests.clearing.settlement.schemas import problems
from tests.clearing.settlement.test_payment import ACCOUNTS, SUPERVISED, a_batch
from tests.counts import few

NUMBERS = dict.fromkeys("ABZ", "2026-03/1")
WHEN = {"execution": "2026-04-15", "created_at": 1_776_214_800}
NS = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"


def payouts(batch: Batch | None = None) -> bytes:
    return pain001_xml(payout_initiation(batch or a_batch(), NUMBERS, **WHEN))


def texts(data: bytes, name: str) -> list[str]:
    return [item.text or "" for item in ElementTree.fromstring(data).iter(NS + name)]


def test_payouts__file__is_valid_by_the_schema_and_says_what_the_bank_needs() -> None:
    data = payouts()
    assert problems("pain.001.001.09", data) == []
    assert texts(data, "InstdAmt") == ["0.70", "0.30"]
    assert texts(data, "NbOfTxs") == ["2", "2"]
    assert texts(data, "CtrlSum") == ["1.00", "1.00"]
    assert set(texts(data, "MmbId")) == {"102100099996"}
    assert texts(data, "Cd") == ["CNAPS"] * 3
    assert texts(data, "Ustrd") == ["清分结算 2026-03 账单 2026-03/1"] * 2
    accounts = [item.text for item in ElementTree.fromstring(data).findall(f".//{NS}Othr/{NS}Id")]
    assert accounts == ["0100000000000001", "0065", "0066"]
    assert [item.text for item in ElementTree.fromstring(data).findall(f".//{NS}Cdtr/{NS}Nm")] == [
        "演示A公司", "演示B公司",
    ]  # fmt: skip
    assert all(len(name) <= 35 for tag in ("MsgId", "PmtInfId", "EndToEndId") for name in texts(data, tag))


def test_payouts__sent_again__same_ids__another_batch__others() -> None:
    first, again = payouts(), pain001_xml(payout_initiation(a_batch(), NUMBERS, execution="2026-04-16", created_at=0))
    ids = [texts(first, tag) for tag in ("MsgId", "PmtInfId", "EndToEndId")]
    assert [texts(again, tag) for tag in ("MsgId", "PmtInfId", "EndToEndId")] == ids
    assert payouts() == first
    other = payouts(replace(a_batch(), cycle="d"))
    assert texts(other, "MsgId") != ids[0]


def test_funding__net_payer__pays_into_the_supervised_account() -> None:
    data = pain001_xml(funding_initiation(a_batch(), "Z", NUMBERS, **WHEN))
    assert problems("pain.001.001.09", data) == []
    back = read_pain001(data)
    assert back.payer == ACCOUNTS["Z"]
    assert [(item.account, item.amount) for item in back.transfers] == [(SUPERVISED, 100)]
    assert back.message != read_pain001(payouts()).message
    with pytest.raises(BadTerms, match="net payer"):
        funding_initiation(a_batch(), "A", NUMBERS, **WHEN)


hostile = st.one_of(
    st.sampled_from(["A<b>&c", "]]>", "&lol;", "甲（乙）公司", 'O\'Brien "x"', "<!--", "名　称"]),
    st.text("甲乙公司（）·&<>;'\"=+-@%# ABab09\u3000𠮷é", min_size=1, max_size=40),
)


@settings(deadline=None, max_examples=few(60))
@given(st.lists(st.tuples(st.integers(1, 10**12), hostile, st.text("0123456789", min_size=1, max_size=32)),
                min_size=1, max_size=8))  # fmt: skip
def test_any_batch__written_and_read_back__same_sums_names_and_zeros(rows: list[tuple[int, str, str]]) -> None:
    accounts = {
        f"P{n}": BankAccount("102100099996", "演示银行", number, name) for n, (_, name, number) in enumerate(rows)
    }
    total = sum(amount for amount, _, _ in rows)
    positions = {f"P{n}": amount for n, (amount, _, _) in enumerate(rows)} | {"Z": -total}
    try:
        batch = batch_of("c", "O", "2026-03", "n" * 64, "CNY", positions, SUPERVISED, accounts | {"Z": ACCOUNTS["Z"]})
        data = pain001_xml(payout_initiation(batch, dict.fromkeys(accounts, "1"), **WHEN))
    except BadTerms:
        assert any(name != name.strip() or name[0] in "=+-@" for _, name, _ in rows)
        return
    back = ElementTree.fromstring(data)
    amounts = [Decimal(item.text or "") for item in back.iter(NS + "InstdAmt")]
    assert sum(amounts) * 100 == total == batch.payout
    assert {Decimal(item.text or "") for item in back.iter(NS + "CtrlSum")} == {sum(amounts)}
    assert [item.text for item in back.findall(f".//{NS}Cdtr/{NS}Nm")] == [name for _, name, _ in rows]
    assert [item.text for item in back.findall(f".//{NS}CdtrAcct//{NS}Othr/{NS}Id")] == [no for _, _, no in rows]


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        (lambda b: replace(b, payout=99), BadMoney, "payout"),
        (lambda b: replace(b, currency="USD"), BadTerms, "currency"),
        (lambda b: replace(b, instructions=()), BadTerms, "instructions"),
        (lambda b: replace(b, instructions=(b.instructions[0], b.instructions[0])), BadTerms, "end_to_end"),
        (lambda b: _first(b, amount=10**15), BadMoney, "SQ"),
        (lambda b: _first(b, amount=0), BadMoney, "SQ"),
        (lambda b: _first(b, amount=-70), BadMoney, "SQ"),
        (lambda b: _first(b, end_to_end="A" * 36), BadTerms, "end_to_end"),
        (lambda b: _first(b, account=replace(ACCOUNTS["A"], code="10210009999")), BadTerms, "code"),
        (lambda b: _first(b, account=replace(ACCOUNTS["A"], number="1" * 33)), BadTerms, "number"),
        (lambda b: _first(b, account=replace(ACCOUNTS["A"], name="a\ufffe")), FieldError, "FFFE"),
        (lambda b: _first(b, account=replace(ACCOUNTS["A"], name="演示A公司 ")), BadTerms, "space"),
        (lambda b: _first(b, account=replace(ACCOUNTS["A"], name="=cmd|' /C calc'!A0")), BadTerms, "name"),
    ],
)  # fmt: skip
def test_payouts__what_no_bank_should_get__is_refused(change, error, field) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=re.escape(field)):
        payouts(change(a_batch()))


def _first(batch: Batch, **changes: object) -> Batch:
    return replace(batch, instructions=(replace(batch.instructions[0], **changes), *batch.instructions[1:]))


@pytest.mark.parametrize(
    ("numbers", "when", "limit", "field"),
    [
        ({"A": "1"}, WHEN, 140, "statement number of B"),
        ({"A": "1", "B": "张三"}, WHEN, 140, "letters, digits"),
        (NUMBERS, WHEN, 20, "at most 20"),
        (NUMBERS, {**WHEN, "execution": "2026-02-30"}, 140, "execution"),
        (NUMBERS, {**WHEN, "execution": "20260415"}, 140, "execution"),
    ],
)
def test_payouts__number_day_or_text_that_does_not_fit__is_refused(
    numbers: dict[str, str], when: dict[str, object], limit: int, field: str
) -> None:
    with pytest.raises(BadTerms, match=field):
        payout_initiation(a_batch(), numbers, limit=limit, **when)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("<CtrlSum>1.00", "<CtrlSum>1.01", "CtrlSum"),
        ("<NbOfTxs>2", "<NbOfTxs>3", "NbOfTxs"),
        (">0.70<", ">0.7<", "InstdAmt"),
        (">0.70<", ">-0.70<", "CtrlSum"),
        ('Ccy="CNY">0.70', 'Ccy="USD">0.70', "InstdAmt"),
        ("<Cd>CNAPS", "<Cd>CHIPS", "ClrSysMmbId"),
        ("pain.001.001.09", "pain.001.001.03", "Document"),
    ],
)
def test_read__a_file_changed_on_its_way__is_refused_naming_the_element(old: str, new: str, field: str) -> None:
    with pytest.raises(BankFileRefused) as refused:
        read_pain001(payouts().replace(old.encode(), new.encode(), 1))
    assert field in refused.value.field


def test_xml__written_wrongly__is_not_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read back before it is released: a writer that drops an account's zeros is caught."""
    real = pain001._leaf
    monkeypatch.setattr(pain001, "_leaf", lambda parent, way, text: real(parent, way, text.lstrip("0") or text))
    with pytest.raises(BankFileRefused):
        payouts()
