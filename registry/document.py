"""The certificate on paper: the body of the PDF (PDF/A-3b setting, JSON document and credential inside) and the JSON
document, both from the register entry; and the drawn seal.

The PDF body is byte-identical on a re-run: fixed document date (the deposit), named fonts only, no system fonts. It
bears no seal: `registry.seal` puts it on as the visible mark of the signature. A missing glyph is an error, never a
box. Layout and fields are our own reading of annex 6, whose picture was not available; the paper says 参照, and a seal
for demonstration or test says 演示用印.
"""

from __future__ import annotations

import io
import json
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import segno
import typst

from ledger import canonical
from ledger.digest import TwinDigest
from ledger.reading import body_of
from registry.asset import AssetKind, DataFile
from registry.calendar import text_of
from registry.certificate import STATUS_NAMES, Holder, Record, RegisterEntry, Status
from registry.errors import PaperRefused
from registry.rights import MATRIX, RIGHT_NAMES, RightRow
from registry.scheme import scheme_at

TEMPLATE = Path(__file__).with_name("certificate.typ")
SEAL_TEMPLATE = Path(__file__).with_name("seal.typ")
DECLARATION = (
    "本凭证内容与国家数据产权登记服务系统中存证的信息不一致的，以存证信息为准。"
    "权利限制及效力状态以查询核验结果为准。样式和字段参照《数据产权登记工作指引（试行）》。"
)
SEAL_NAME = "登记专用章"
DEMO_SEAL = "演示用印"
KIND_NAMES: Mapping[AssetKind, str] = {
    AssetKind.RESOURCE: "数据资源",
    AssetKind.ELEMENT: "数据元件",
    AssetKind.PRODUCT: "数据产品",
}
_SHOWN_FILES = 12
_TYPESETTING = threading.Lock()  # a compiler serves one call at a time


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed: entry and record, the twin digest of the fact, and where and with which token to check it.

    `credential` is the verifiable credential that goes along inside the PDF; `trial`: the seal will be a 演示用印.
    `names` are the full names of natural persons by party identity, which the printed page alone has.
    """

    entry: RegisterEntry
    record: Record
    entry_digest: TwinDigest
    check_url: str
    token: str
    credential: bytes
    trial: bool
    names: Mapping[str, str] = field(default_factory=dict)


def check_address(paper: Paper) -> str:
    """What the QR code says: check page, code, version, random token; no personal data."""
    query = {"code": paper.entry.code, "v": paper.entry.version, "t": paper.token}
    return f"{paper.check_url}?{urlencode(query)}"


def render_json(paper: Paper) -> bytes:
    """The certificate as a canonical JSON document: register entry and record, the digests, how to check."""
    return canonical.encode(
        {
            "check": check_address(paper),
            "declaration": DECLARATION,
            "entry": body_of(paper.entry),
            "record": body_of(paper.record),
            "entry_fact": paper.entry_digest.document(),
            "paper": "数据产权登记凭证",
            "tag": "certificate-document/v1",
        }
    )


def render_pdf(paper: Paper, fonts: Path) -> bytes:
    """The certificate as PDF, still without its seal.

    `fonts` is a folder with Noto Sans SC (npm @expo-google-fonts/noto-sans-sc). Raises `PaperRefused` if a text needs a
    glyph the font does not have.
    """
    qr = io.BytesIO()
    segno.make(check_address(paper), error="m", micro=False).save(qr, kind="svg", border=0, xmldecl=False, scale=4)
    inputs = {
        "paper": json.dumps(_fields(paper), ensure_ascii=False),
        "qr": qr.getvalue().decode(),
        "document": render_json(paper).decode(),
        "credential": paper.credential.decode(),
    }
    return typeset(TEMPLATE, inputs, fonts, paper.entry.deposited_at)


@lru_cache(maxsize=16)
def render_seal(agency: str, trial: bool, fonts: Path) -> bytes:
    """The drawn 登记专用章 of an agency, a PDF page of 102 × 102 points. Raises `PaperRefused`."""
    words = {"agency": agency, "name": SEAL_NAME, "note": DEMO_SEAL if trial else ""}
    return typeset(SEAL_TEMPLATE, {"seal": json.dumps(words, ensure_ascii=False)}, fonts, 0)


def typeset(template: Path, inputs: Mapping[str, str], fonts: Path, at: int) -> bytes:
    """A PDF (A-3b setting) of a typst template: the same bytes for the same `inputs` and document time `at` (seconds).

    Raises `PaperRefused` if the font folder is missing or a text needs a glyph the font does not have.
    """
    try:
        with _TYPESETTING, warnings.catch_warnings():
            warnings.simplefilter("error")
            pdf = _compiler(template, fonts).compile(
                format="pdf", pdf_standards=["a-3b"], sys_inputs=dict(inputs), timestamp=at
            )
    except (typst.TypstError, UserWarning) as error:
        raise PaperRefused(f"排版失败：{error}", f"typesetting failed: {error}") from error
    assert isinstance(pdf, bytes)
    return pdf + b"\n"  # what a signature appends must begin on a line of its own (PDF/A, ISO 19005-3, 6.1.9)


@lru_cache(maxsize=8)
def _compiler(template: Path, fonts: Path) -> typst.Compiler:
    """One compiler a template and process: the fonts, 20 MB, are read once."""
    folders = [str(path) for path in _font_folders(fonts)]
    return typst.Compiler(str(template), root=str(template.parent), font_paths=folders, ignore_system_fonts=True)


def _font_folders(fonts: Path) -> list[Path]:
    """Only the two weights the template uses: scanning all nine costs a second per paper."""
    chosen = [fonts / name for name in ("400Regular", "700Bold")]
    found = [path for path in chosen if path.is_dir()] or ([fonts] if fonts.is_dir() else [])
    if not found:
        raise PaperRefused(f"字体目录不存在：{fonts.name}", f"no font folder {fonts.name}")
    return found


def _fields(paper: Paper) -> dict[str, Any]:
    entry, record, data = paper.entry, paper.record, paper.record.description
    deposited = datetime.fromisoformat(text_of(entry.deposited_at))
    scheme = scheme_at(record.scheme, deposited.date().isoformat())
    main = [
        ["数据名称", data.data_name],
        ["数据概述", _shortened(data.overview, 420)],
        ["权利人", "；".join(_holder(item, paper.names) for item in record.holders)],
        ["数据来源", f"{record.source_kind.value}　依据 {record.right_basis.value}　{MATRIX[record.right_basis].text}"],
        ["限制范围", _shortened(data.limits or "无", 260)],
        ["备注", _shortened("；".join(record.remarks) or "无", 260)],
    ]
    pairs = [
        ["所属行业", f"{data.industry}（{data.industry_code}）", "地域范围", data.region_scope.value],
        ["时域范围", f"{_day(data.time_from)} 至 {_day(data.time_to)}", "更新频率", data.update_rate.value],
        [
            "数据量", "；".join(f"{item.number} {item.unit}" for item in data.volume) or "—",
            "数据形态", f"{data.form.value}　{data.structure.value}",
        ],
    ]  # fmt: skip
    if entry.predecessor is not None:
        before = entry.predecessor
        main.append(["前一凭证", f"{before.code}　第{before.version}版（{STATUS_NAMES[Status(before.status)]}）"])
    times = [
        ["存证时间", f"{_seconds(entry.deposited_at)}　{entry.authority_name}　回执 {entry.receipt_number}"],
        ["有效期", f"{_day(text_of(entry.valid_from)[:10])}起至{_day(entry.last_day)}（含当日）"],
        ["登记机构", f"{entry.agency_name}　目录编号 {entry.agency_catalogue_no}"],
    ]
    return {
        "title": scheme.paper,
        "subtitle": "CERTIFICATE OF DATA PROPERTY RIGHT REGISTRATION",
        "code": entry.code,
        "version": str(entry.version),
        "type": record.type.value,
        "agency": entry.agency_name,
        "scheme_note": f"参照 {scheme.source}",
        "date": {name: getattr(deposited, name) for name in ("year", "month", "day", "hour", "minute", "second")},
        "date_text": _day(deposited.date().isoformat()),
        "main": main,
        "pairs": pairs,
        "times": times,
        "rights_title": "权利登记事项",
        "rights_head": ["权利人", "权利类型", "权利期限", "权利限制"],
        "rights": [_right_row(row, paper.names) for row in record.rights],
        "qr_note": "扫码查询核验：凭证完整性与当前效力状态分别给出",
        "declaration": DECLARATION,
        "annex_title": "附页　登记信息与存证摘要",
        "data_title": "数据信息",
        "data": _data_rows(paper),
        "files_title": f"数据文件清单（共 {len(data.content.files)} 个）",
        "files_head": ["文件", "字节", "行数", "SHA-256 / SM3"],
        "files": [_file_row(item) for item in data.content.files[:_SHOWN_FILES]],
        "proof_title": "存证与核验",
        "proof": [
            ["登记簿条目", "以下为登记簿条目的双摘要；本凭证的 PDF 与 JSON 由同一条目生成。"],
            ["SHA-256", _groups(paper.entry_digest.sha256.hex())],
            ["SM3", _groups(paper.entry_digest.sm3.hex())],
            ["存证内容 SHA-256", _groups(entry.record_digest.sha256)],
            ["存证内容 SM3", _groups(entry.record_digest.sm3)],
            ["登记过程", f"共 {len(record.facts)} 项签名事项，其摘要逐项列入存证内容"],
            ["查询核验", check_address(paper)],
            [
                "登记专用章",
                "首页印章即本文件的数字签名，以阅读器点击可查看签章人与时间；未见印章或签名无效的，以查询核验结果为准。"
                + (f"本凭证所盖为{DEMO_SEAL}，不具法律效力。" if paper.trial else ""),
            ],
        ],
        "attachments": [
            ["document", f"{entry.code}-v{entry.version}.json", "数据产权登记凭证（JSON）"],
            ["credential", f"{entry.code}-v{entry.version}.vc.json", "数据产权登记凭证（可验证凭证）"],
        ],
    }


def _data_rows(paper: Paper) -> list[list[str]]:
    record, data = paper.record, paper.record.description
    rows = [
        ["数据类型", KIND_NAMES[data.kind]],
        ["内容 SHA-256", _groups(data.content.digest.sha256)],
        ["内容 SM3", _groups(data.content.digest.sm3)],
    ]
    if data.sources:
        rows.insert(1, ["原始数据凭证", "；".join(item.certificate for item in data.sources)])
    if len(data.content.files) > _SHOWN_FILES:
        rows.append(["清单", f"仅列前 {_SHOWN_FILES} 个文件，全部见所附 JSON"])
    if record.publicity_waived:
        rows.append(["公示", "经申请不公示"])
    return rows


def _holder(holder: Holder, names: Mapping[str, str]) -> str:
    return f"{names.get(holder.identity, holder.name)}（{holder.kind.value}，{holder.shown_number}）"


def _right_row(row: RightRow, names: Mapping[str, str]) -> list[str]:
    name = names.get(row.holder_id, row.holder_name)
    return [name, RIGHT_NAMES[row.right], _term(row.term_from, row.term_to), _shortened(row.limits or "无", 120)]


def _file_row(item: DataFile) -> list[str]:
    digests = f"{_groups(item.digest.sha256)}\n{_groups(item.digest.sm3)}"
    return [item.name, str(item.size), str(item.rows or "—"), digests]


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 12] + "……（全文见所附 JSON）"


def _groups(digest: str) -> str:
    return " ".join(digest[i : i + 8] for i in range(0, len(digest), 8))


def _seconds(instant: int) -> str:
    text = text_of(instant)
    return f"{_day(text[:10])} {text[11:19]}"


def _day(iso: str) -> str:
    year, month, day = iso.split("-")
    return f"{year}年{int(month)}月{int(day)}日"


def _term(start: str | None, end: str | None) -> str:
    if start is None and end is None:
        return "登记有效期内"
    return f"{start or '登记之日'} 至 {end or '有效期届满'}"
