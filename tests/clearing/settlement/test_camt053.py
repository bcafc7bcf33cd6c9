"""camt.053: the same facts as the CSV of the same entries, and everything a bank file must not do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import money
from clearing.errors import BankFileRefused
from clearing.settlement import bank_xml
from clearing.settlement.bank_file import new_entries
from clearing.settlement.camt053 import read_bank_file, read_camt053
from tests.clearing.settlement.bank import bank_file, entry
from tests.clearing.settlement.camt import camt_file, entry_xml, transaction
from tests.clearing.settlement.schemas import problems
from tests.counts import few

ROWS = (
    entry("R-1", "100.50", name="演示Z公司", counter_account="0090", end_to_end="SQ1", remark="清分 & 结算"),
    entry("R-2", "-30.00", name="演示A公司", counter_account="0065", end_to_end="SQ2"),
    entry("R-3", "30.00", name="演示A公司", end_to_end="SQ2", return_code="AC01"),
)
VERSIONS = ("02", "08", "10")


def refused(data: bytes) -> BankFileRefused:
    with pytest.raises(BankFileRefused) as caught:
        read_camt053(data)
    return caught.value


@pytest.mark.parametrize("version", VERSIONS)
def test_read__each_version__is_the_schemas_and_gives_the_facts_of_the_csv(version: str) -> None:
    data = camt_file("0.00", "100.50", *ROWS, version=version)
    assert problems(f"camt.053.001.{version}", data) == []
    found, expected = read_bank_file(data), read_bank_file(bank_file("0.00", "100.50", *ROWS))
    assert found[1] == expected[1]
    assert [getattr(found[0], name) for name in ("bank", "account", "opening", "closing", "first_day", "entries")] == [
        "102100099996", "0100000000000001", 0, 10_050, "2026-04-15", 3,
    ]  # fmt: skip
    assert found[0].digest != expected[0].digest


rows = st.lists(
    st.builds(
        lambda fen, name, account, code: (fen, {"name": name, "counter_account": account, "return_code": code}),
        st.integers(-(10**9), 10**9).filter(bool),
        st.text(st.characters(categories=("L", "N", "P", "S")), max_size=40),
        st.text("0123456789", max_size=32),
        st.sampled_from(["", "AC01", "AC04", "MD07"]),
    ).filter(lambda row: row[1]["name"] or not row[1]["counter_account"]),
    max_size=8,
)


@settings(deadline=None, max_examples=few(60))
@given(rows, st.integers(-(10**9), 10**9), st.sampled_from(VERSIONS))
def test_read__any_entries__csv_and_camt_give_the_same_facts(
    items: list[tuple[int, dict[str, str]]], opening: int, version: str
) -> None:
    made = [entry(f"R{n}", money.yuan(fen), end_to_end=f"SQ{n}", **more) for n, (fen, more) in enumerate(items)]
    closing = opening + sum(fen for fen, _ in items)
    texts = money.yuan(opening), money.yuan(closing)
    found = read_bank_file(camt_file(*texts, *made, version=version))
    expected = read_bank_file(bank_file(*texts, *made))
    assert found[1] == expected[1]
    assert (found[0].opening, found[0].closing) == (opening, closing) == (expected[0].opening, expected[0].closing)


def batch_entry(*amounts: str, total: str, version: str = "08", more: str = "") -> str:
    parts = [entry(f"R{n}", amount, end_to_end=f"SQ{n}") for n, amount in enumerate(amounts)]
    details = "".join(transaction(part, version, amount=part["amount"].lstrip("-")) for part in parts)
    return entry_xml(entry("B1", total), version, more + details)


@pytest.mark.parametrize("version", VERSIONS)
def test_batch_entry__amounts_add_up__is_split(version: str) -> None:
    batch = "<Btch><NbOfTxs>3</NbOfTxs></Btch>"
    made = batch_entry("-1.00", "-2.00", "-3.00", total="-6.00", version=version, more=batch)
    data = camt_file("6.00", "0.00", version=version, entries=[made])
    assert problems(f"camt.053.001.{version}", data) == []
    assert [(item.reference, item.amount, item.end_to_end) for item in read_camt053(data)[1]] == [
        ("B1/1", -100, "SQ0"), ("B1/2", -200, "SQ1"), ("B1/3", -300, "SQ2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (batch_entry("1.00", "2.00", total="3.01"), "Ntry/Amt"),
        (batch_entry("1.00", "-2.00", total="3.00"), "TxDtls/CdtDbtInd"),
        (batch_entry("1.00", "2.00", total="3.00", more="<Btch><NbOfTxs>3</NbOfTxs></Btch>"), "NbOfTxs"),
        (batch_entry("1.00", "2.00", total="3.00", more='<Btch><TtlAmt Ccy="CNY">4.00</TtlAmt></Btch>'), "TtlAmt"),
        (batch_entry("3.00", "0.00", total="3.00"), "TxDtls/Amt"),
        (entry_xml(entry("B", "3.00"), "08", transaction(entry("R", "1.00"), "08") * 2), "TxDtls"),
        (entry_xml(entry("B", "3.00"), "08", transaction(entry("R", "1.00"), "08", amount="2.00")), "Ntry/Amt"),
        (entry_xml(entry("B", "3.00"), "08", "").replace("CRDT", "BOTH"), "CdtDbtInd"),
        (entry_xml(entry("B", "3.00"), "08", "").replace("3.00", "-3.00"), "Ntry/Amt"),
        (entry_xml(entry("B", "3.00"), "08", "").replace("3.00", "3.001"), "Ntry/Amt"),
        (entry_xml(entry("B", "3.00"), "08", "").replace("3.00", "1e2"), "Ntry/Amt"),
        (entry_xml(entry("B", "3.00"), "08", "").replace("3.00", "10000000000000.00"), "Ntry/Amt"),
        (entry_xml(entry("B", "3.00"), "08", "").replace('"CNY"', '"USD"'), "Ntry/Amt"),
        (entry_xml(entry("B", "3.00"), "08", "").replace(' Ccy="CNY"', ""), "Ntry/Amt"),
        (entry_xml(entry("B", "0.00"), "08", ""), "Ntry/Amt"),
        (entry_xml(entry("B", "3.00"), "08", "").replace("BOOK", "PDNG"), "Sts"),
        (entry_xml(entry("", "3.00"), "08", ""), "reference"),
        (entry_xml(entry("B", "3.00", booking_date="2026-02-30"), "08", ""), "booking_date"),
        (
            entry_xml(entry("B", "3.00"), "08", "").replace("<CdtDbtInd>", "<CdtDbtInd>CRDT</CdtDbtInd><CdtDbtInd>"),
            "CdtDbtInd",
        ),
        (entry_xml(entry("B", "3.00"), "08", "") * 2, "reference"),
        (entry_xml(entry("B", "3.00"), "08", "") + entry_xml(entry("C", "1.00"), "08", ""), "closing"),
    ],
)
def test_entry__that_does_not_hold__is_refused_naming_the_element(made: str, field: str) -> None:
    assert field in refused(camt_file("0.00", "3.00", entries=[made])).field


GOOD = camt_file("0.00", "100.50", *ROWS)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("<Cd>CLBD", "<Cd>CLAV", "Stmt"),
        ("<Cd>CLBD", "<Cd>OPBD", "Bal"),
        ("<Ccy>CNY</Ccy>", "<Ccy>USD</Ccy>", "currency"),
        ("<Cd>CNAPS", "<Cd>USABA", "ClrSysMmbId"),
        ("<MmbId>102100099996", "<MmbId>10210009999", "bank"),
        ("<Othr><Id>0100000000000001</Id></Othr>", "<IBAN>DE89370400440532013000</IBAN>", "account"),
        ("</Stmt>", "</Stmt><Stmt/>", "Stmt"),
        ("<Stmt>", "<Stmt><StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>", "StmtPgntn"),
        (
            "</CreDtTm></GrpHdr>",
            "</CreDtTm><MsgPgntn><PgNb>2</PgNb><LastPgInd>true</LastPgInd></MsgPgntn></GrpHdr>",
            "MsgPgntn",
        ),
        ("<Ntry>", "<TxsSummry><TtlNtries><NbOfNtries>4</NbOfNtries></TtlNtries></TxsSummry><Ntry>", "NbOfNtries"),
        ("<Ntry>", "<TxsSummry><TtlCdtNtries><Sum>130.51</Sum></TtlCdtNtries></TxsSummry><Ntry>", "Sum"),
        ("camt.053.001.08", "camt.053.001.99", "Document"),
        ('xmlns="urn', 'xmlns="', "Document"),
        (' xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"', "", "Document"),
        ("<Ntry>", '<Ntry xmlns="urn:x">', "Ntry"),
        ("</Stmt>", "text</Stmt>", "Stmt"),
        ("</Stmt>", "", "file"),
        ('encoding="UTF-8"', 'encoding="GBK"', "encoding"),
    ],
)
def test_file__that_does_not_hold__is_refused_naming_the_element(old: str, new: str, field: str) -> None:
    assert old in GOOD.decode()
    assert field in refused(GOOD.decode().replace(old, new, 1).encode()).field


def test_file__bank_totals_that_hold__are_accepted_and_supplementary_data_is_skipped() -> None:
    totals = ("<TxsSummry><TtlNtries><NbOfNtries>3</NbOfNtries><Sum>160.5</Sum></TtlNtries>"
              "<TtlDbtNtries><NbOfNtries>1</NbOfNtries><Sum>30</Sum></TtlDbtNtries></TxsSummry>")  # fmt: skip
    extra = '<SplmtryData><Envlp><x xmlns="urn:bank">a<b/></x></Envlp></SplmtryData></BkToCstmrStmt>'
    data = camt_file("0.00", "100.50", *ROWS, summary=totals).replace(b"</BkToCstmrStmt>", extra.encode())
    assert problems("camt.053.001.08", data) == []
    assert read_camt053(data)[1] == read_camt053(GOOD)[1]


LAUGHS = '<!DOCTYPE Document [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    "declared",
    [
        LAUGHS,
        '<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE Document [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>',
        '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd">',
        "<!DOCTYPE Document>",
    ],
)
def test_file__with_a_document_type__is_refused_before_any_entity(declared: str) -> None:
    text = (
        GOOD.decode().replace("?>\n", f"?>\n{declared}\n", 1).replace("DEMO-1", "&i;" if declared is LAUGHS else "&x;")
    )
    error = refused(text.encode())
    assert (error.field, error.row) == ("DOCTYPE", 2)


def test_file__in_utf_16_or_too_large_or_too_deep__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(GOOD.decode().replace("UTF-8", "UTF-16").encode("utf-16")).field == "encoding"
    assert refused(GOOD.decode().encode("utf-16-le")).field in {"encoding", "file"}
    deep = GOOD.replace(b"<Ntry>", b"<Ntry>" + b"<a>" * 40 + b"</a>" * 40, 1)
    assert "levels" in refused(deep).expected
    skipped = GOOD.replace(b"<Ntry>", b"<Ntry><SplmtryData>" + b"<a>" * 40 + b"</a>" * 40 + b"</SplmtryData>", 1)
    assert "levels" in refused(skipped).expected
    monkeypatch.setattr(bank_xml, "MAX_ELEMENTS", 20)
    assert "elements" in refused(GOOD).expected
    monkeypatch.setattr(bank_xml, "MAX_BYTES", len(GOOD) - 1)
    assert refused(GOOD).field == "file"


@settings(deadline=None, max_examples=few(100))
@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_file__of_any_bytes__is_refused_and_nothing_else(noise: bytes, where: int) -> None:
    for data in (b"<" + noise, GOOD[:where] + noise + GOOD[where:]):
        try:
            file, entries = read_bank_file(data)
        except BankFileRefused:
            continue
        assert file.opening + sum(item.amount for item in entries) == file.closing


def test_return__keeps_the_roles_of_the_payment__the_other_side_is_the_payee() -> None:
    account = "<Id><Othr><Id>{}</Id></Othr></Id>"
    ours = f"<DbtrAcct>{account.format('0100000000000001')}</DbtrAcct>"
    payee = f"<Cdtr><Pty><Nm>演示A公司</Nm></Pty></Cdtr><CdtrAcct>{account.format('0065')}</CdtrAcct>"
    row = entry("R1", "30.00", return_code="AC04", end_to_end="SQ2")
    details = transaction(row, "08").replace("<RtrInf>", f"<RltdPties>{ours}{payee}</RltdPties><RtrInf>")
    data = camt_file("0.00", "30.00", entries=[entry_xml(row, "08", details)])
    assert problems("camt.053.001.08", data) == []
    found = read_camt053(data)[1][0]
    assert (found.name, found.counter_account, found.return_code) == ("演示A公司", "0065", "AC04")


@pytest.mark.parametrize(
    ("reason", "code"),
    [("<Rsn><Cd>AC01</Cd></Rsn>", "AC01"), ("<Rsn><Prtry>T5</Prtry></Rsn>", "T5"), ("", "MS03"),
     ("<Rsn><Prtry>账号户名不符</Prtry></Rsn>", "NARR")],
)  # fmt: skip
def test_return__every_reason__is_a_code(reason: str, code: str) -> None:
    row = entry("R1", "30.00")
    details = transaction(row, "08").replace("</TxDtls>", f"<RtrInf>{reason}</RtrInf></TxDtls>")
    assert read_camt053(camt_file("0.00", "30.00", entries=[entry_xml(row, "08", details)]))[1][0].return_code == code


def test_strangers_reference__that_cannot_be_ours__does_not_stop_the_file() -> None:
    row = entry("R1", "30.00", end_to_end="INV-7/甲 <x>".replace("<x>", ""))
    assert read_camt053(camt_file("0.00", "30.00", row))[1][0].end_to_end == ""


def test_new_entries__same_entry_again_in_the_other_form__is_ignored_and_changed_refused() -> None:
    file, entries = read_bank_file(GOOD)
    known = {item.reference: item for item in read_bank_file(bank_file("0.00", "100.50", *ROWS))[1]}
    assert new_entries(file, entries, known, 10_050) == ()
    changed = read_bank_file(GOOD.replace("演示Z公司".encode(), "演示Y公司".encode()))
    with pytest.raises(BankFileRefused, match="R-1"):
        new_entries(*changed, known, 10_050)
