"""What a file really is decides; what lies on the disk opens again whole, or not at all."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import FieldError
from registry.errors import FileRefused
from registry.intake import sniff
from registry.intake.attachment import (
    Limits,
    checked_name,
    not_received,
    require_agreement,
    require_ending,
    require_room,
)
from registry.intake.sealing import MARK, PIECE, TAG, Sealed, Sealer
from tests.counts import few
from tests.registry.registry_house import a_form

SECRET = b"k" * 32


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def workbook() -> bytes:
    out = io.BytesIO()
    openpyxl.Workbook().save(out)
    return out.getvalue()


TYPES = b"[Content_Types].xml"
DOCX = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"})
GOOD = {
    "a.pdf": (b"%PDF-1.7\n%%EOF\n", sniff.PDF),
    "a.png": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 20, sniff.PNG),
    "a.jpg": (b"\xff\xd8\xff\xe0" + b"\x00" * 20, sniff.JPEG),
    "a.docx": (DOCX, sniff.DOCX),
    "a.xlsx": (workbook(), sniff.XLSX),
    "a.zip": (zipped({"x": b"x"}), sniff.ZIP),
    "a.csv": ("编号,名称\r\n1,数据\r\n".encode("gb18030"), sniff.CSV),
    "a.txt": ("说明：数据".encode(), sniff.TEXT),
    "a.json": (json.dumps({"数据": [1, 2.5, None]}, ensure_ascii=False).encode(), sniff.JSON),
}


def sniffed(name: str, data: bytes) -> str:
    return sniff.sniff(io.BytesIO(data), len(data), name)


def why(name: str, data: bytes) -> str:
    with pytest.raises(FileRefused) as caught:
        sniffed(name, data)
    return caught.value.zh


@pytest.mark.parametrize("name", GOOD)
def test_sniff__each_type__by_its_bytes(name: str) -> None:
    data, found = GOOD[name]
    assert sniffed(name, data) == found
    require_agreement("其他材料", name, found, found)
    require_agreement("其他材料", name, "application/octet-stream", found)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("other", GOOD)
def test_agreement__bytes_of_one_type_under_the_name_of_another__refused(name: str, other: str) -> None:
    """Texts apart (a JSON is a text), every pair of two types is refused, whoever notices it first."""
    data, found = GOOD[name]
    if found == sniff.ENDINGS[sniff.ending_of(other)]:
        return
    if {sniff.ending_of(name), sniff.ending_of(other)} <= {"csv", "txt", "json"} and other != "a.json":
        assert sniffed(other, data) == sniff.ENDINGS[sniff.ending_of(other)]
        return
    with pytest.raises(FileRefused) as caught:
        require_agreement("其他材料", other, "", sniffed(other, data))
    assert caught.value.zh


def test_agreement__declared_type_or_kind_does_not_fit__refused() -> None:
    with pytest.raises(FileRefused, match="声明的类型为 image/png，内容却是 application/pdf"):
        require_agreement("其他材料", "a.pdf", "image/png", sniff.PDF)
    with pytest.raises(FileRefused, match="“身份佐证”应为 application/pdf、image/jpeg、image/png"):
        require_agreement("身份佐证", "a.csv", "text/csv", sniff.CSV)
    require_agreement("数据样例", "a.csv", "application/vnd.ms-excel", sniff.CSV)
    with pytest.raises(FileRefused, match="扩展名应为"):
        require_ending("a.exe")


def test_sniff__what_is_not_taken_in__is_refused_by_name() -> None:
    assert why("a.txt", b"") == "文件是空的"
    assert "加密的或旧版" in why("a.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 100)
    assert "不是 UTF-8 或 GB18030 文本" in why("a.txt", b"a\x00b")
    assert "不是 UTF-8 或 GB18030 文本" in why("a.csv", b"\xff\xfe\x00")
    assert "不是有效的 JSON" in why("a.json", b'{"a":')
    assert "内容不是可以接收的类型" in why("a.pdf", b"MZ\x90\x00")
    macros = {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<w/>", "xl/vbaProject.bin": b"x"}
    assert "含有宏" in why("a.xlsx", zipped(macros))
    assert "不是 docx 或 xlsx" in why("a.docx", zipped({"[Content_Types].xml": b"<Types/>"}))


def test_archive__bomb__is_refused_while_it_is_counted() -> None:
    big = zipped({"x": b"\x00" * (64 << 20)})
    assert len(big) < 100_000
    assert "压缩包展开后过大" in why("a.zip", big)
    small = zipped({"x": b"\x00" * (9 << 20)})
    assert sniffed("a.zip", small) == sniff.ZIP, "ten megabytes are free"


def test_archive__that_lies_about_its_size__is_refused() -> None:
    """The directory says 10 bytes with their checksum; the stream goes on for 64 MiB."""
    data = bytearray(zipped({"x": b"\x00" * (64 << 20)}))
    size, crc = (10).to_bytes(4, "little"), zlib.crc32(b"\x00" * 10).to_bytes(4, "little")
    central = data.rindex(b"PK\x01\x02")
    data[central + 16 : central + 20], data[central + 24 : central + 28] = crc, size
    data[14:18], data[22:26] = crc, size
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as fooled:
        assert fooled.read("x") == b"\x00" * 10
    assert why("a.zip", bytes(data)) in {"压缩包已损坏，无法读取", f"压缩包展开后过大（超过 {sniff.FREE_BYTES} 字节）"}


def test_archive__encrypted_or_two_of_one_name__refused() -> None:
    data = bytearray(zipped({"x": b"secret"}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    assert "压缩包已加密" in why("a.zip", bytes(data))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("x", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("x", b"2")
    assert "重名" in why("a.zip", out.getvalue())


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), name=st.sampled_from(sorted(GOOD)))
@settings(max_examples=few(300), deadline=None)
def test_fuzz__one_byte_of_a_file_changed__a_type_or_a_refusal(place: int, byte: int, name: str) -> None:
    data = bytearray(GOOD[name][0])
    data[place % len(data)] = byte
    try:
        assert sniffed(name, bytes(data)) in sniff.ENDINGS.values()
    except FileRefused:
        return


@given(data=st.binary(max_size=300), name=st.sampled_from(sorted(GOOD)))
@settings(max_examples=few(300), deadline=None)
def test_fuzz__any_bytes__a_type_or_a_refusal(data: bytes, name: str) -> None:
    try:
        assert sniffed(name, data) in sniff.ENDINGS.values()
    except FileRefused:
        return


def test_room__limits__to_the_byte() -> None:
    limits = Limits(file=100, files=3, application=250)
    require_room(100, "a", [100, 50], limits)
    for size, others, words in (
        (101, [], "100 字节"),
        (1, [1, 1, 1], "最多 3 个文件"),
        (51, [100, 100], "合计不超过 250"),
    ):
        with pytest.raises(FileRefused, match=words):
            require_room(size, "a", others, limits)


def test_name__path_mark_or_invisible__refused() -> None:
    assert checked_name(" 营业执照.pdf ", "name") == "营业执照.pdf"
    for name in ("", " ", "..", "a/b", "a\\b", "a|b", "x" * 201, "a\u202eb", "a\nb"):
        with pytest.raises(FieldError):
            checked_name(name, "name")


def test_form__papers_not_handed_in__each_a_stop() -> None:
    findings = not_received(a_form(), ())
    assert [item.rule for item in findings] == ["PC-22"] * 3
    assert findings[0].zh == "材料身份佐证.pdf无法读取或摘要不一致，请重新上传。"


# Sealing --------------------------------------------------------------------------------------------------------------


def sealed(data: bytes, pieces: int = 1) -> io.BytesIO:
    file = io.BytesIO()
    sealer = Sealer(file, SECRET)
    step = max(1, -(-len(data) // pieces))
    for start in range(0, len(data), step):
        sealer.write(data[start : start + step])
    sealer.finish()
    return file


def opened(file: io.BytesIO, secret: bytes = SECRET) -> io.BufferedReader:
    return io.BufferedReader(Sealed(file, secret, "a"))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
@pytest.mark.parametrize("pieces", [1, 7])
def test_sealed__any_length_in_any_steps__opens_as_it_was(size: int, pieces: int) -> None:
    data = os.urandom(size)
    file = sealed(data, pieces)
    assert size < 32 or data[:32] not in file.getvalue()
    with opened(file) as reader:
        assert reader.read() == data
        assert reader.raw.size == size  # type: ignore[attr-defined]
        for place in (0, size // 2, max(0, size - 3)):
            reader.seek(place)
            assert reader.read(5) == data[place : place + 5]


def test_sealed__same_bytes_twice__differ_on_the_disk() -> None:
    assert sealed(b"same").getvalue() != sealed(b"same").getvalue()


def test_sealed__changed_shortened_moved_or_of_another_key__does_not_open() -> None:
    data = os.urandom(2 * PIECE + 5)
    whole = sealed(data).getvalue()
    head, step = len(MARK) + 16, PIECE + TAG
    first, second, rest = whole[head : head + step], whole[head + step : head + 2 * step], whole[head + 2 * step :]
    wrong = [
        whole[:head] + second + first + rest,
        whole[:head] + first + second,
        whole[:head] + first + rest,
        whole + b"x",
        whole[:-1],
        whole[:head],
        b"X" + whole[1:],
        whole[:10] + bytes([whole[10] ^ 1]) + whole[11:],
        whole[: head + 3] + bytes([whole[head + 3] ^ 1]) + whole[head + 4 :],
    ]
    for number, changed in enumerate(wrong):
        with pytest.raises(FileRefused, match="已损坏"), opened(io.BytesIO(changed)) as reader:
            assert reader.read() != data, number
    with pytest.raises(FileRefused, match="已损坏"), opened(io.BytesIO(whole), b"j" * 32) as reader:
        reader.read()
