"""The template filled in gives the forms back; every wrong cell is named; whatever is in the cells, nothing crashes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger import canonical
from ledger.reading import body_of
from registry.asset import (
    AssetKind,
    DataFile,
    DataForm,
    RegionScope,
    Source,
    Structure,
    Twin,
    UpdateRate,
    Volume,
    content_of,
)
from registry.errors import FileRefused
from registry.form import Attachment, Declarations, Form, PublicData, Representative
from registry.intake import workbook
from registry.intake.columns import MAIN, MAX_ROWS, RIGHT_ROWS, SHEETS, Cell
from registry.intake.problems import problems, readable
from registry.intake.rows import Row, draft_id, rows_of
from registry.intake.sheets import read_book, text_of
from registry.party import IdType, PartyKind
from registry.rights import Basis, Right, RightRow, SourceKind
from tests.counts import few
from tests.registry.intake.intake_forms import as_csv, filled, house, saved, table, typed, typed_rights
from tests.registry.registry_house import PROVIDER, a_form, applicant, uscc

WORDS = st.text("数据航班权利甲乙丙丁abcXYZ019-=+@'\"，。（）·<&>", min_size=1, max_size=30).map(str.strip).filter(bool)
NAMES = WORDS.filter(lambda text: "|" not in text)
DAYS = st.dates().map(lambda day: f"{day.year:04}-{day.month:02}-{day.day:02}")
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
TWINS = st.builds(Twin, HEX, HEX)
COUNTS = st.integers(0, 10**15 - 1)
VOLUMES = st.builds(Volume, COUNTS.map(str), st.sampled_from(["条", "TB"]))
MAYBE = st.just("") | WORDS
FILES = st.lists(st.builds(DataFile, NAMES, COUNTS, COUNTS, TWINS), min_size=1, max_size=3, unique_by=lambda f: f.name)
PAPERS = st.lists(
    st.builds(Attachment, NAMES, NAMES, st.just("application/pdf"), COUNTS, TWINS),
    max_size=3,
    unique_by=lambda item: (item.kind, item.name),
)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """Any form with one applicant whose texts have one line."""
    base = a_form()
    person = replace(
        applicant(uscc(draw(st.integers(0, 9_999_999))), draw(WORDS)),
        kind=draw(st.sampled_from(PartyKind)), id_type=draw(st.sampled_from(IdType)), contact=draw(WORDS),
        phone=draw(WORDS), address=draw(WORDS),
    )  # fmt: skip
    if draw(st.booleans()):
        person = replace(person, business=None)
    if person.kind is PartyKind.NATURAL:
        person = replace(person, party=f"P{draw(HEX)[:17].upper()}", salt=draw(MAYBE))
    inline = draw(st.booleans())
    shared = draw(WORDS)
    kinds = draw(st.lists(st.sampled_from(Right), min_size=1, max_size=3, unique=True))
    rights = tuple(
        RightRow(person.shown, person.identity, kind, shared)
        if inline
        else RightRow(
            draw(WORDS), draw(WORDS), kind, draw(WORDS), draw(st.none() | DAYS), draw(st.none() | DAYS), draw(WORDS),
            tuple(draw(st.lists(WORDS, max_size=2))),
        )
        for kind in kinds
    )  # fmt: skip
    description = replace(
        base.description,
        data_name=draw(WORDS), overview=draw(WORDS), kind=draw(st.sampled_from(AssetKind)), industry=draw(WORDS),
        region_scope=draw(st.sampled_from(RegionScope)), time_from=draw(DAYS), time_to=draw(DAYS),
        update_rate=draw(st.sampled_from(UpdateRate)), form=draw(st.sampled_from(DataForm)),
        structure=draw(st.sampled_from(Structure)), limits=draw(WORDS), content=content_of(tuple(draw(FILES))),
        volume=tuple(draw(st.lists(VOLUMES, min_size=1, max_size=2))),
        sources=tuple(draw(st.lists(st.builds(Source, NAMES, st.just("") | NAMES), max_size=2))),
    )  # fmt: skip
    return replace(
        base,
        applicants=(person,), description=description, source_kind=draw(st.sampled_from(SourceKind)),
        right_basis=draw(st.sampled_from(Basis)), rights=rights, attachments=tuple(draw(PAPERS)),
        declarations=draw(st.builds(Declarations, st.booleans(), st.booleans(), st.sampled_from(PublicData), MAYBE)),
        years=draw(st.integers(1, 100)), authorised_until=draw(st.none() | DAYS), waiver_reason=draw(MAYBE),
        participants=tuple(draw(st.lists(WORDS, max_size=2))),
        representative=draw(st.none() | st.builds(Representative, WORDS, WORDS)),
    )  # fmt: skip


def is_inline(form: Form) -> bool:
    (person,) = form.applicants
    same = {(row.holder_name, row.holder_id, row.limits) for row in form.rights}
    plain = all((row.term_from, row.term_to, row.clause, row.consents) == (None, None, "", ()) for row in form.rights)
    return plain and same <= {(person.shown, person.identity, form.rights[0].limits)}


def rows(data: bytes, form: Form, name: str = "a.xlsx") -> list[Row]:
    return list(rows_of(name, read_book(name, data), house(form)))


def one(cells: dict[str, str], form: Form | None = None) -> Row:
    return rows(filled([cells]), form or a_form())[0]


@pytest.mark.clause("G16")
@given(form=forms())
@settings(max_examples=few(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_template__filled_in_and_imported__gives_the_form_back(form: Form) -> None:
    inline = is_inline(form)
    cells = typed("1", form, rights_inline=inline)
    (row,) = rows(filled([cells], [] if inline else typed_rights("1", form)), form)
    assert row.faults == ()
    assert row.form == form


@given(form=forms().filter(is_inline), encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]))
@settings(
    max_examples=few(40), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
def test_csv__in_either_encoding__gives_the_form_back(form: Form, encoding: str) -> None:
    data = as_csv([typed("1", form)], encoding)
    if encoding == "gb18030":
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return
    (row,) = rows(data, form, "a.csv")
    assert row.faults == ()
    assert row.form == form


@pytest.mark.parametrize("column", [c for c in MAIN if c.choices], ids=lambda c: c.heading)
def test_enumerated_cell__wrong__is_named_with_every_choice_and_what_was_typed(column: object) -> None:
    heading = column.heading  # type: ignore[attr-defined]
    row = one({**typed("1", a_form()), heading: "都不是"})
    (fault,) = row.faults
    assert fault.heading == heading
    assert "都不是" in fault.rule
    assert all(name in fault.rule for name, _ in column.choices)  # type: ignore[attr-defined]


@pytest.mark.parametrize("column", [c for c in MAIN if c.required], ids=lambda c: c.heading)
def test_required_cell__empty__is_named(column: object) -> None:
    heading = column.heading  # type: ignore[attr-defined]
    cells = {name: value for name, value in typed("1", a_form()).items() if name != heading}
    found = {fault.heading: fault.rule for fault in one(cells).faults}
    if heading in ("数据名称", "数据概述", "所属行业", "行业代码", "限制范围", "联系地址"):
        assert heading not in found, "the form may be without it; the pre-check says so"
    else:
        assert found[heading].startswith("未填写")
        assert set(found) <= {heading}


WRONG = {
    "证件号码": ("x" * 65, "不超过64个字，实为65个字"),
    "时域起": ("2024-02-30", "日期不存在，实为“2024-02-30”"),
    "时域止": ("去年", "应为日期，如 2024-01-31，实为“去年”"),
    "注册时间": ("2020", "应为日期"),
    "数据量": ("很多", "应为数字、空格、单位"),
    "数据文件": ("flights.csv|24", "应为“文件名|字节数|行数|SHA-256|SM3”"),
    "登记权利": ("所有权", "应为数据持有权、数据使用权、数据经营权，实为“所有权”"),
    "申请年限": ("五", "应为1至100的整数，实为“五”"),
    "来源授权截止日": ("明年", "应为日期"),
    "材料": ("身份佐证|没有这份.pdf", "没有已上传的材料“身份佐证|没有这份.pdf”，请先上传"),
    "代理人名称": ("某某代理", "未填写（代理人各项应同时填写）"),
    "数据概述": ("第一行\n第二行", "含有换行、控制符或不可见字符（U+000A），请删除"),
    "经营范围": ("字" * 4001, "不超过4000个字，实为4001个字"),
    "联系人": ("张\u202e三", "含有换行、控制符或不可见字符（U+202E）"),
}


@pytest.mark.parametrize("heading", WRONG)
def test_wrong_cell__is_named_with_its_rule(heading: str) -> None:
    value, rule = WRONG[heading]
    faults = one({**typed("1", a_form()), heading: value}).faults
    where = "代理人证件号码" if heading == "代理人名称" else heading
    assert [fault.heading for fault in faults] == [where]
    assert faults[0].rule.startswith(rule)


def test_right_row__wrong__is_named_in_its_sheet_and_in_the_application() -> None:
    form = a_form()
    rights = typed_rights("1", form)
    rights[1]["权利类型"] = "所有权"
    (row,) = rows(filled([typed("1", form, rights_inline=False)], rights), form)
    assert {(fault.sheet, fault.number, fault.heading) for fault in row.faults} == {
        ("权利", 3, "权利类型"), ("申请", 2, "登记权利"),
    }  # fmt: skip
    (both,) = rows(filled([typed("1", form)], typed_rights("1", form)), form)
    assert "应留空" in both.faults[0].rule


def test_key__twice__names_the_first_line() -> None:
    first, second = rows(filled([typed("7", a_form()), typed("7", a_form())]), a_form())
    assert first.faults == ()
    assert second.faults[0].rule == "与第2行重复，实为“7”"


def test_days_and_numbers_as_a_spreadsheet_keeps_them__are_read() -> None:
    book = openpyxl.load_workbook(io.BytesIO(filled([typed("1", a_form())])))
    page = book["申请"]
    place = {cell.value: cell.column for cell in page[1]}
    from datetime import datetime

    page.cell(2, place["时域起"]).value = datetime(2013, 1, 1)
    page.cell(2, place["申请年限"]).value = 5
    page.cell(2, place["时域止"]).value = "2013年12月31日"
    page.cell(2, place["涉及个人信息"]).value = False
    (row,) = rows(saved(book), a_form())
    assert row.faults == ()
    assert row.form == a_form()


def test_text_of__numbers__as_typed() -> None:
    assert [text_of(value) for value in (336776.0, 0.5, 1e20, 7, True, None, 1e-7)] == [
        "336776", "0.5", "100000000000000000000", "7", "是", "", "0.0000001",
    ]  # fmt: skip


def test_draft_id__depends_on_holder_key_and_content_alone() -> None:
    body = body_of(a_form())
    document, other = canonical.encode(body), canonical.encode(body | {"years": 4})
    same = draft_id("party:a", "1", document)
    assert same == draft_id("party:a", "1", canonical.encode(dict(reversed(body.items()))))
    others = {draft_id("party:b", "1", document), draft_id("party:a", "2", document), draft_id("party:a", "1", other)}
    assert len({same, *others}) == 4


@given(form=forms(), data=st.data())
@settings(max_examples=few(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_problems__none_found__exactly_where_the_form_can_be_read(form: Form, data: st.DataObject) -> None:
    """The quick way and the thorough way agree, also when one place of a good body is replaced."""
    body = body_of(form)
    assert problems(body, Form) == []
    places = list(_places(body, ()))
    *way, last = places[data.draw(st.integers(0, 10**6)) % len(places)]
    target = body
    for step in way:
        target = target[step]
    target[last] = data.draw(
        st.sampled_from(
            ["", "2024-02-30", "2024-02-29", "x" * 5000, "a\nb", "NFC e\u0301", [], {}, True, -1, 2**60, "全国", 3]
        )
    )
    found = problems(body, Form)
    assert (readable(body, Form) is None) == bool(found), found
    assert all(item.zh and item.en for item in found)


def _places(value: object, path: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _places(item, (*path, key))


# The template and the error file --------------------------------------------------------------------------------------


def test_template__headings_dropdowns_and_rules__are_those_of_the_table() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook.template_xlsx()))
    assert book.sheetnames == ["申请", "权利", "说明"]
    for sheet, columns in SHEETS.items():
        page = book[sheet]
        assert [cell.value for cell in page[1]] == [column.heading for column in columns]
        dropdowns = {
            str(rule.sqref).split(":")[0]: rule.formula1.strip('"').split(",")
            for rule in page.data_validations.dataValidation
        }
        wanted = {
            f"{page.cell(2, place).coordinate}": [name for name, _ in column.choices]
            for place, column in enumerate(columns, 1)
            if column.choices
        }
        assert dropdowns == wanted
    said = {row[0].value for row in book["说明"].iter_rows()}
    assert {column.heading for column in (*MAIN, *RIGHT_ROWS)} <= said


def test_error_file__only_wrong_rows_as_typed_marked_and_correctable() -> None:
    form = a_form()
    wrong = {**typed("b", form), "地域范围": "=1+1", "数据名称": '=HYPERLINK("http://x")', "申请年限": "5.5"}
    split = typed("c", form, rights_inline=False)
    rights = [{**line, "权利起": "昨天"} for line in typed_rights("c", form)]
    data = filled([typed("a", form), wrong, split], rights)
    book = read_book("a.xlsx", data)
    faults = [fault for row in rows_of("a.xlsx", book, house(form)) for fault in row.faults]
    made = workbook.errors_xlsx(book, faults)
    lines = table(made)
    assert [line["内部编号"] for line in lines] == ["b", "c"]
    reasons = lines[0].pop("错误")
    assert lines[0] == {name: value for name, value in wrong.items() if value}
    assert reasons.split("；") == [
        "地域范围：应为国际、全国、省级、市级、区县级、区县级以下之一，实为“=1+1”",
        "申请年限：应为1至100的整数，实为“5.5”",
    ]
    page = openpyxl.load_workbook(io.BytesIO(made))["申请"]
    marked = {page.cell(1, cell.column).value for cell in page[2] if cell.fill.fgColor.rgb == "FFFBEAE8"}
    assert marked == {"地域范围", "申请年限"}
    assert not any(
        cell.data_type == "f"
        for sheet in ("申请", "权利")
        for row in openpyxl.load_workbook(io.BytesIO(made))[sheet]
        for cell in row
    )
    assert [line["权利起"] for line in table(made, "权利")] == ["昨天"] * 3
    corrected = openpyxl.load_workbook(io.BytesIO(made))
    place = {cell.value: cell.column for cell in corrected["申请"][1]}
    corrected["申请"].cell(2, place["地域范围"]).value = "全国"
    corrected["申请"].cell(2, place["申请年限"]).value = "5"
    for row in corrected["权利"].iter_rows(min_row=2):
        row[4].value = None
    assert [(row.key, row.faults) for row in rows(saved(corrected), form)] == [("b", ()), ("c", ())]


# Files refused whole --------------------------------------------------------------------------------------------------


def refused(name: str, data: bytes) -> str:
    with pytest.raises(FileRefused) as caught:
        list(rows_of(name, read_book(name, data), house(a_form())))
    return caught.value.zh


def changed(change: object) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(filled([typed("1", a_form())])))
    change(book)  # type: ignore[operator]
    return saved(book)


def test_file__formula__refused_with_its_place() -> None:
    assert (
        refused("a.xlsx", changed(lambda book: book["申请"].__setitem__("S2", "=1+1")))
        == "单元格 S2 是公式，请改为填写值"
    )


def test_file__merged_cells__refused() -> None:
    assert "合并单元格 A2:B2" in refused("a.xlsx", changed(lambda book: book["申请"].merge_cells("A2:B2")))


def test_file__cell_far_away__refused_before_anything_is_made_of_it() -> None:
    assert "XFD1048576" in refused("a.xlsx", changed(lambda book: book["申请"].__setitem__("XFD1048576", "x")))


def test_file__wrong_headings__refused_and_named() -> None:
    assert "缺少：数据名称" in refused("a.xlsx", changed(lambda book: book["申请"].__setitem__("S1", None)))
    assert "缺少：数据名称" in refused("a.xlsx", changed(lambda book: book["申请"].__setitem__("S1", "名称")))
    assert "多出：备注" in refused("a.xlsx", changed(lambda book: book["申请"].__setitem__("AU1", "备注")))
    assert "重复：数据名称" in refused("a.xlsx", changed(lambda book: book["申请"].__setitem__("AU1", "数据名称")))
    assert "没有名为“申请”的工作表" in refused("a.xlsx", changed(lambda book: setattr(book["申请"], "title", "Sheet1")))


def test_file__nothing_in_it__refused() -> None:
    assert refused("a.xlsx", workbook.template_xlsx()) == "“申请”表没有内容"
    assert refused("a.csv", workbook.template_csv()) == "“申请”表没有内容"
    assert refused("a.csv", b"") == "文件是空的"


def test_file__too_many_rows__refused() -> None:
    line = [""] * len(MAIN)
    line[0] = "1"
    head = workbook.template_csv()
    assert f"超过 {MAX_ROWS} 行" in refused("a.csv", head + (",".join(line) + "\r\n").encode() * (MAX_ROWS + 1))


def test_file__right_of_no_application__refused() -> None:
    form = a_form()
    assert "“权利”表第 2 行的内部编号“9”" in refused("a.xlsx", filled([typed("1", form)], typed_rights("9", form)))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.pdf", b"%PDF-1.7", "请上传 xlsx 或 csv 文件"),
        ("a.csv", b"%PDF-1.7", "扩展名为 csv，内容却是 application/pdf"),
        ("a.xlsx", b"a,b,c\n", "内容不是可以接收的类型"),
        ("a.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600, "加密的或旧版"),
        ("a.xlsx", b"PK\x03\x04 and nothing more", "压缩包已损坏"),
        ("a.csv", "内部编号\n".encode("utf-16"), "不是 UTF-8 或 GB18030 文本"),
        ("a.csv", b'"a\n', "不是有效的 CSV"),
        ("a.csv", b"a\x00b\n", "不是 UTF-8 或 GB18030 文本"),
        ("a.csv", "内部编号,数据名称\n".encode("gb18030"), "表头缺少"),
    ],
)
def test_file__of_another_kind__refused(name: str, data: bytes, words: str) -> None:
    assert words in refused(name, data)


def test_csv__more_cells_than_headings__refused_with_its_line() -> None:
    data = workbook.template_csv() + b"1" + b"," * len(MAIN) + b"x\r\n"
    assert "第 2 行的单元格比表头多" in refused("a.csv", data)


def test_xlsx__document_type_or_macros__refused() -> None:
    good = filled([typed("1", a_form())])
    assert "不允许的声明" in refused("a.xlsx", _with(good, "xl/worksheets/sheet1.xml", b"<!DOCTYPE x><worksheet/>"))
    assert "不是有效的 XML" in refused("a.xlsx", _with(good, "xl/worksheets/sheet1.xml", b"<worksheet>"))
    assert "含有宏" in refused("a.xlsx", _with(good, "xl/vbaProject.bin", b"x"))


def _with(data: bytes, name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given_, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for item in given_.infolist():
            if item.filename != name:
                made.writestr(item, given_.read(item))
        made.writestr(name, content)
    return out.getvalue()


# Whatever is in it ----------------------------------------------------------------------------------------------------

CELLS = st.text(max_size=40).filter(lambda text: not any(0xD800 <= ord(mark) <= 0xDFFF for mark in text))


@given(data=st.data())
@settings(max_examples=few(150), deadline=None)
def test_fuzz__any_text_in_any_cells__faults_or_a_form_never_a_crash(data: st.DataObject) -> None:
    cells = typed("1", a_form())
    for heading in data.draw(st.lists(st.sampled_from([column.heading for column in MAIN]), max_size=6, unique=True)):
        cells[heading] = data.draw(CELLS)
    try:
        found = rows(as_csv([cells]), a_form(), "a.csv")
    except FileRefused:
        return
    for row in found:
        if row.faults:
            assert all(fault.text for fault in row.faults)
            workbook.errors_xlsx(read_book("a.csv", as_csv([cells])), row.faults)
        else:
            assert row.form is not None


@given(
    value=st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | CELLS, column=st.sampled_from(MAIN)
)
@example(value=float("nan"), column=MAIN[3])
@settings(max_examples=few(25), deadline=None)
def test_fuzz__any_value_of_a_spreadsheet__faults_or_a_form_never_a_crash(value: object, column: object) -> None:
    book = openpyxl.load_workbook(io.BytesIO(filled([typed("1", a_form())])))
    page = book["申请"]
    place = [cell.value for cell in page[1]].index(column.heading) + 1  # type: ignore[attr-defined]
    try:
        page.cell(2, place).value = value
    except openpyxl.utils.exceptions.IllegalCharacterError:
        return
    try:
        found = rows(saved(book), a_form())
    except FileRefused:
        return
    assert [bool(row.faults) != (row.form is not None) for row in found] == [True]


@given(place=st.integers(0, 200_000), byte=st.integers(0, 255))
@settings(max_examples=few(150), deadline=None)
def test_fuzz__one_byte_of_a_workbook_changed__refused_or_read(place: int, byte: int) -> None:
    data = bytearray(GOOD)
    data[place % len(data)] = byte
    try:
        for row in rows(bytes(data), a_form()):
            assert bool(row.faults) != (row.form is not None)
    except FileRefused:
        return


GOOD = filled([typed("1", a_form())])


def test_columns__every_field_of_the_form__can_be_typed() -> None:
    """A field added to the form without a column would be lost silently in an import."""
    paths = [column.path.replace("[0]", "") for column in MAIN if column.path]
    fixed = {"scheme", "agency", "type", "certificate"}
    """Rows are 初次登记 with one agency; the forms of later types are drafted from the register."""

    def leaves(value: object, path: str) -> set[str]:
        if path in paths or path in fixed:
            return set()
        if isinstance(value, dict):
            return set().union(*(leaves(item, f"{path}.{key}" if path else key) for key, item in value.items()))
        if isinstance(value, list):
            return set().union(*(leaves(item, path) for item in value)) if value else set()
        return {path}

    full = replace(a_form(), authorised_until="2030-01-01", waiver_reason="x", participants=("x",),
                   representative=Representative("x", PROVIDER))  # fmt: skip
    assert leaves(body_of(full), "") == set()
    assert {column.cell for column in MAIN} == set(Cell)
