"""Forms as people type them into the template: `registry.intake.rows` the other way round, written by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import openpyxl

from registry.form import Form
from registry.intake import workbook
from registry.intake.rows import House
from tests.registry.registry_house import AGENCY, PROVIDER

RIGHT = {"HOLD": "数据持有权", "USE": "数据使用权", "OPERATE": "数据经营权"}
KIND = {"resource": "数据资源", "element": "数据元件", "product": "数据产品"}


def house(form: Form | None = None, **papers: Any) -> House:
    """An import's surroundings in which the papers this form names were handed in."""
    named = {(item.kind, item.name): item for item in (form.attachments if form else ())}
    return House(AGENCY, "national_2026", f"party:{PROVIDER}", named)


def typed(key: str, form: Form, *, rights_inline: bool = True) -> dict[str, str]:
    """The cells of sheet 申请 for a form with one applicant."""
    (person,) = form.applicants
    data, business, agent = form.description, person.business, form.representative
    cells = {
        "内部编号": key,
        "申请人名称": person.name, "申请人类型": person.kind.value, "证件类型": person.id_type.value,
        "证件号码": person.id_no, "身份盐值": person.salt, "当事方编号": person.party,
        "联系人": person.contact, "联系电话": person.phone, "联系地址": person.address,
        "数据名称": data.data_name, "数据概述": data.overview, "数据类别": KIND[data.kind.value],
        "所属行业": data.industry, "行业代码": data.industry_code, "地域范围": data.region_scope.value,
        "时域起": data.time_from, "时域止": data.time_to, "更新频率": data.update_rate.value,
        "数据量": "\n".join(f"{item.number} {item.unit}" for item in data.volume),
        "数据形态": data.form.value, "数据结构": data.structure.value, "限制范围": data.limits,
        "数据文件": "\n".join(
            f"{f.name}|{f.size}|{f.rows}|{f.digest.sha256}|{f.digest.sm3}" for f in data.content.files
        ),
        "原始数据凭证": "\n".join(
            f"{s.certificate}|{s.authorisation}" if s.authorisation else s.certificate for s in data.sources
        ),
        "数据来源": form.source_kind.value, "来源依据": form.right_basis.value,
        "其他参与方": "\n".join(form.participants),
        "涉及个人信息": "是" if form.declarations.personal_info else "否",
        "涉及重要数据": "是" if form.declarations.important_data else "否",
        "公共数据情形": form.declarations.public_data.value, "公共数据登记编号": form.declarations.public_data_no,
        "申请年限": str(form.years), "来源授权截止日": form.authorised_until or "",
        "申请不公示理由": form.waiver_reason,
        "材料": "\n".join(f"{item.kind}|{item.name}" for item in form.attachments),
    }  # fmt: skip
    if business:
        cells |= {
            "法定代表人": business.legal_representative, "注册时间": business.founded, "注册地址": business.address,
            "营业期限": business.term, "经营范围": business.scope, "存续情况": business.standing,
        }  # fmt: skip
    if agent:
        cells |= {"代理人名称": agent.name, "代理人证件号码": agent.id_no}
    if rights_inline:
        cells |= {"登记权利": "、".join(RIGHT[row.right.value] for row in form.rights)}
        cells |= {"权利限制": form.rights[0].limits if form.rights else ""}
    return cells


def typed_rights(key: str, form: Form) -> list[dict[str, str]]:
    """The cells of sheet 权利 for a form."""
    return [
        {
            "内部编号": key, "权利人名称": row.holder_name, "权利人证件号码": row.holder_id,
            "权利类型": RIGHT[row.right.value], "权利起": row.term_from or "", "权利止": row.term_to or "",
            "权利限制内容": row.limits, "合同条款": row.clause, "同意方": "\n".join(row.consents),
        }
        for row in form.rights
    ]  # fmt: skip


def filled(rows: Iterable[Mapping[str, Any]], rights: Iterable[Mapping[str, Any]] = ()) -> bytes:
    """The template as downloaded, filled in with another library as a person would, and saved."""
    book = openpyxl.load_workbook(io.BytesIO(workbook.template_xlsx()))
    for sheet, lines in (("申请", rows), ("权利", rights)):
        page = book[sheet]
        place = {cell.value: cell.column for cell in page[1]}
        for number, line in enumerate(lines, 2):
            for heading, value in line.items():
                if value != "":
                    cell = page.cell(number, place[heading])
                    cell.value = value
                    if isinstance(value, str):
                        cell.data_type = "s"
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_csv(rows: Sequence[Mapping[str, str]], encoding: str = "utf-8-sig") -> bytes:
    headings = workbook.template_csv().decode("utf-8-sig").strip().split(",")
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(headings)
    writer.writerows([row.get(heading, "") for heading in headings] for row in rows)
    return out.getvalue().encode(encoding)


def table(data: bytes, sheet: str = "申请") -> list[dict[str, str]]:
    """The lines of a sheet as another library reads them."""
    page = openpyxl.load_workbook(io.BytesIO(data))[sheet]
    headings = [cell.value for cell in page[1]]
    return [
        {heading: cell.value for heading, cell in zip(headings, row, strict=False) if cell.value is not None}
        for row in page.iter_rows(min_row=2)
    ]
