"""The paper is read back by programs: its text, its QR code, its attachment, its bytes."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pypdf
import pypdfium2
import pytest
import zxingcpp

from ledger import canonical
from ledger.digest import twin
from ledger.disclosure import names_of
from ledger.reading import body_of
from registry.asset import DataFile, Twin, content_of
from registry.certificate import PAPER_TYPE, Holder, Record, RegisterEntry, record_digest
from registry.document import DECLARATION, Paper, check_address, render_json, render_pdf
from registry.errors import PaperRefused
from registry.form import RegistrationType
from registry.party import PartyKind
from tests.registry.registry_house import AGENCY, FONTS, PROVIDER, a_form, moment


def a_paper(**changes: object) -> Paper:
    form = a_form()
    data = replace(form.description, **changes)  # type: ignore[arg-type]
    name = form.applicants[0].name
    digest = Twin.of(twin(b"x"))
    record = Record(
        "ab" * 16, "national_2026", AGENCY, RegistrationType.INITIAL,
        (Holder(name, PartyKind.LEGAL, PROVIDER),), data,
        form.source_kind, form.right_basis, form.rights, 5, False, (), (digest,) * 7, "5a" * 32,
    )  # fmt: skip
    at = moment("2026-09-01 10:12")
    entry = RegisterEntry(
        "SJ3312026090001", 1, PAPER_TYPE, AGENCY, "浙江某某数据登记有限公司（演示）", "演示-33-1",
        names_of(body_of(record)), record_digest(record),
        digest, "演示-000001", "存证服务（演示）", at, at, moment("2031-09-01 00:00"), "2031-08-31",
    )  # fmt: skip
    stated = canonical.encode({"credential": entry.code})
    return Paper(entry, record, twin(b"entry"), "https://example.test/check", "a-random-token", stated, True)


def text_of_pdf(pdf: bytes) -> str:
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    return "".join("".join(page.extract_text() for page in reader.pages).split())


def test_pdf__text__says_every_field_of_the_entry() -> None:
    paper = a_paper()
    text = text_of_pdf(render_pdf(paper, FONTS))
    entry = paper.entry
    for expected in (
        "数据产权登记凭证", entry.code, paper.record.description.data_name, entry.agency_name, "数据持有权",
        "数据使用权", "数据经营权", "2031年8月31日（含当日）", "2026年9月1日10:12:00", DECLARATION, "演示用印",
        "采集生成", "按年更新",
        paper.entry_digest.sha256.hex(), paper.entry_digest.sm3.hex(), "登记专用章", entry.receipt_number,
    ):  # fmt: skip
        assert "".join(expected.split()) in text, expected
    assert PROVIDER not in text
    assert PROVIDER[:4] in text
    assert "符合《" not in text


def test_pdf__qr__leads_to_the_check_page_and_says_nothing_personal() -> None:
    paper = a_paper()
    page = pypdfium2.PdfDocument(render_pdf(paper, FONTS))[0]
    bitmap = page.render(scale=3, grayscale=True)
    pixels = memoryview(bytes(bitmap.buffer)).cast("B", shape=(bitmap.height, bitmap.stride))
    found = [item.text for item in zxingcpp.read_barcodes(pixels)]
    assert found == [check_address(paper)]
    assert found == ["https://example.test/check?code=SJ3312026090001&v=1&t=a-random-token"]


def test_pdf__again__same_bytes_and_one_other_word_other_bytes() -> None:
    first = render_pdf(a_paper(), FONTS)
    assert render_pdf(a_paper(), FONTS) == first
    assert render_pdf(a_paper(limits="无"), FONTS) != first


def test_pdf__attachments__are_the_json_document_and_the_credential() -> None:
    paper = a_paper()
    reader = pypdf.PdfReader(io.BytesIO(render_pdf(paper, FONTS)))
    assert reader.attachments["SJ3312026090001-v1.vc.json"][0] == paper.credential
    attached = reader.attachments["SJ3312026090001-v1.json"][0]
    assert attached == render_json(paper)
    document = canonical.decode(attached)
    assert document["entry"]["code"] == "SJ3312026090001"
    assert document["entry_fact"]["sm3"] == paper.entry_digest.sm3.hex()


def test_pdf__says_that_it_is_set_as_pdf_a_3b() -> None:
    metadata = pypdf.PdfReader(io.BytesIO(render_pdf(a_paper(), FONTS))).trailer["/Root"]["/Metadata"].get_data()
    assert b"<pdfaid:part>3</pdfaid:part>" in metadata
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in metadata


@pytest.mark.parametrize(
    "hostile", ['#panic("x") *b* _i_ $x$ <a> @b `c` \\ // /* ', "]#import[", '"}], {"title": "假"']
)
def test_pdf__user_text__is_data_and_never_markup(hostile: str) -> None:
    text = text_of_pdf(render_pdf(a_paper(data_name=hostile), FONTS))
    assert "".join(hostile.split()) in text.replace("\u200b", "")
    assert "数据产权登记凭证" in text


def test_pdf__glyph_the_font_lacks__is_an_error_not_a_box() -> None:
    with pytest.raises(PaperRefused):
        render_pdf(a_paper(data_name="数据 \U00012000"), FONTS)


def test_pdf__folder_without_fonts__is_refused(tmp_path: object) -> None:
    with pytest.raises(PaperRefused):
        render_pdf(a_paper(), FONTS / "nothing-here")


def test_pdf__long_texts_and_many_files__stay_on_the_page() -> None:
    files = tuple(DataFile(f"part-{n:04d}-{'x' * 60}.csv", 10**12, 10**9, Twin.of(twin(b"%d" % n))) for n in range(40))
    paper = a_paper(
        data_name="数" * 200, overview="概述" * 2000, limits="限" * 4000, content=content_of(files), industry="y" * 190
    )
    pdf = render_pdf(paper, FONTS)
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) <= 4
    for page in document:
        width, height = page.get_size()
        for item in page.get_objects():
            left, bottom, right, top = item.get_bounds()
            assert -1 <= left <= right <= width + 1
            assert -1 <= bottom <= top <= height + 1
    assert "仅列前12个文件" in text_of_pdf(pdf)


def test_json__is_canonical_and_names_its_entry() -> None:
    paper = a_paper()
    data = render_json(paper)
    assert canonical.encode(json.loads(data)) == data
    assert json.loads(data)["declaration"] == DECLARATION
