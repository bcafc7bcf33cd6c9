"""Tells of personal data in a sample: each kind seen, and what only looks like it left alone."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook

from registry.personal import MOST_CHARACTERS, luhn_is_valid, text_of, traces

pytestmark = pytest.mark.clause("G20", "PC-23")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a,b\n11010519491231002X,1", "居民身份证号码"),
        ("a,b\n11010519491231002x,1", "居民身份证号码"),
        ("a,b\n1,13800138000", "手机号码"),
        ("a,b\n1,+86 13800138000", "手机号码"),
        ("a,b\n6222020000000000000,1", "银行卡号"),
        ("a,b\n4111111111111111,1", "银行卡号"),
        ("\ufeff姓名,金额\n某,1", "列名 姓名"),
        ("id,Mobile,x\n1,2,3", "列名 Mobile"),
    ],
)
def test_traces__each_kind__is_named_and_its_value_is_not(text: str, kind: str) -> None:
    found = traces(text)
    assert [zh for zh, _ in found] == [kind]
    assert not any(digit.isdigit() for zh, en in found for digit in zh + en)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "year,month,day\n2013,1,1\n",
        "a\n110105194912310021",  # wrong check digit
        "a\n911010519491231002X",  # part of a longer number
        "a\n11010519491331002X",  # month 13
        "a\n12800138000",  # no such prefix
        "a\n138001380001",  # twelve digits
        "t\n1.13800138000",  # part of a decimal fraction
        "a\n4111111111111112",  # wrong Luhn digit
        "a,b\n1,2\n姓名 further down is no heading",
        "username_hash,filename\nx,y",
        "1412345678901",  # milliseconds
    ],
)
def test_traces__what_only_looks_like_it__is_left_alone(text: str) -> None:
    assert traces(text) == ()


def test_traces__look_at_the_beginning_only() -> None:
    assert traces("a\n" + "x" * MOST_CHARACTERS + " 13800138000") == ()


@pytest.mark.parametrize(
    ("number", "valid"), [("79927398713", True), ("79927398710", False), ("0", True), ("1", False)]
)
def test_luhn__published_example(number: str, valid: bool) -> None:
    assert luhn_is_valid(number) is valid


def test_text_of__utf8_gb18030_and_a_workbook() -> None:
    assert text_of("\ufeff姓名".encode()) == "姓名"
    assert text_of("姓名,电话".encode("gb18030")) == "姓名,电话"
    book = Workbook()
    book.active.append(["姓名", "数"])
    book.active.append(["某", 13800138000])
    file = io.BytesIO()
    book.save(file)
    assert text_of(file.getvalue()) == "姓名\t数\n某\t13800138000"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a workbook", b"\xff\xfe\x00\xd8\xff\xff"])
def test_text_of__what_is_no_text__is_nothing_to_look_at(content: bytes) -> None:
    assert traces(text_of(content)) == ()
