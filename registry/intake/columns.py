"""The import template as a table: one row of it is one column, with the field of the form it fills and its rule.

Template, dropdowns, the sheet 说明, reading, the error file and every message about a field are made from this table.
One line of sheet 申请 is one application of one applicant; joint applications are filed one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from registry.asset import AssetKind, DataForm, RegionScope, Structure, UpdateRate
from registry.form import PublicData
from registry.intake.problems import NAMES_OF_VALUES
from registry.party import IdType, PartyKind
from registry.rights import MATRIX, Basis, Right, SourceKind

APPLICATIONS, RIGHTS, HELP = "申请", "权利", "说明"
ERRORS = "错误"
"""Heading of the column an error file adds; it is ignored when the corrected file comes back."""

MAX_ROWS = 10_000
"""Applications in one file."""
MAX_RIGHTS = 30_000
"""Lines of the sheet 权利 in one file."""
MAX_COLUMNS = 80
MAX_BYTES = 20 * 1024 * 1024
"""Bytes of one file."""
MAX_INSIDE = 200 * 1024 * 1024
"""Bytes of an XLSX when unpacked."""
MAX_CELL = 32_767
"""Characters of one cell (the limit of XLSX itself)."""
KEY_LENGTH = 64


class Cell(StrEnum):
    """How a cell is read. LINES: several values, one a line (Alt+Enter)."""

    TEXT = "文字"
    CHOICE = "选项"
    DAY = "日期"
    NUMBER = "整数"
    YES_NO = "是或否"
    LINES = "每行一项"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: heading, path in the form ("" for the key), how it is read, and what 说明 says about it.

    `choices` are (what is typed, the form's value).
    """

    heading: str
    path: str
    cell: Cell
    required: bool
    rule: str
    example: str
    choices: tuple[tuple[str, str], ...] = ()


KEY = "内部编号"
YES_NO = (("是", "true"), ("否", "false"))


def _choices(kind: Iterable[StrEnum]) -> tuple[tuple[str, str], ...]:
    return tuple((NAMES_OF_VALUES.get(item.value, item.value), item.value) for item in kind)


def _text(heading: str, path: str, rule: str, example: str, *, required: bool = True) -> Column:
    return Column(heading, path, Cell.TEXT, required, rule, example)


def _choice(heading: str, path: str, kind: Iterable[StrEnum], example: str, rule: str = "从下拉选项中选择") -> Column:
    return Column(heading, path, Cell.CHOICE, True, rule, example, _choices(kind))


def _day(heading: str, path: str, rule: str, example: str, *, required: bool = True) -> Column:
    return Column(heading, path, Cell.DAY, required, rule, example)


def _lines(heading: str, path: str, rule: str, example: str, *, required: bool = True) -> Column:
    return Column(heading, path, Cell.LINES, required, rule, example)


_GROUNDS = "；".join(f"{ground.basis.value} {ground.text}" for ground in MATRIX.values())

MAIN: tuple[Column, ...] = (
    _text(KEY, "", f"申请人自己的编号，文件内不重复，不超过{KEY_LENGTH}个字", "2026-001"),
    _text("申请人名称", "applicants[0].name", "营业执照或身份证件上的全称", "杭州某某数据有限公司"),
    _choice("申请人类型", "applicants[0].kind", PartyKind, "法人"),
    _choice("证件类型", "applicants[0].id_type", IdType, "统一社会信用代码"),
    _text("证件号码", "applicants[0].id_no", "校验位正确", "91330100MAE0001410"),
    _text("身份盐值", "applicants[0].salt", "自然人照本人钥匙文件填写（64位）；单位不填", "", required=False),
    _text("当事方编号", "applicants[0].party", "自然人填写；本人导入的可不填；单位不填", "", required=False),
    _text("联系人", "applicants[0].contact", "", "张某"),
    _text("联系电话", "applicants[0].phone", "固定电话加区号，境外电话加国别代码", "0571-00000000"),
    _text("联系地址", "applicants[0].address", "", "浙江省杭州市某某路1号"),
    _text("法定代表人", "applicants[0].business.legal_representative", "自然人六项都不填", "李某", required=False),
    _day("注册时间", "applicants[0].business.founded", "日期", "2020-01-01", required=False),
    _text("注册地址", "applicants[0].business.address", "", "浙江省杭州市某某路1号", required=False),
    _text("营业期限", "applicants[0].business.term", "", "长期", required=False),
    _text("经营范围", "applicants[0].business.scope", "", "数据处理服务", required=False),
    _text("存续情况", "applicants[0].business.standing", "", "存续", required=False),
    _text("代理人名称", "representative.name", "委托代理的，与代理人证件号码同时填写", "", required=False),
    _text("代理人证件号码", "representative.id_no", "统一社会信用代码；自然人填其当事方编号", "", required=False),
    _text("数据名称", "description.data_name", "原则上含时间、地域、行业、内容、数据类型，不宜超过40个字",
          "2024年全国高空设备租赁数据集"),
    _text("数据概述", "description.overview", "功能、形式、用途，不宜超过400个字，不换行", "该数据为……"),
    _choice("数据类别", "description.kind", AssetKind, "数据资源"),
    _text("所属行业", "description.industry", "国民经济行业分类的门类名/大类名", "交通运输、仓储和邮政业/航空运输业"),
    _text("行业代码", "description.industry_code", "门类字母加大类两位数字", "G56"),
    _choice("地域范围", "description.region_scope", RegionScope, "全国"),
    _day("时域起", "description.time_from", "日期，不晚于时域止", "2024-01-01"),
    _day("时域止", "description.time_to", "日期", "2024-12-31"),
    _choice("更新频率", "description.update_rate", UpdateRate, "按月更新"),
    _lines("数据量", "description.volume", "数字、空格、单位；行数和字节数可各写一行", "336776 条"),
    _choice("数据形态", "description.form", DataForm, "表格"),
    _choice("数据结构", "description.structure", Structure, "结构化"),
    _text("限制范围", "description.limits", "没有限制请填“无”", "无"),
    _lines("数据文件", "description.content", "文件名|字节数|行数|SHA-256|SM3，由 shuqing intake digest 生成",
           "flights.csv|24|2|（64位）|（64位）"),
    _lines("原始数据凭证", "description.sources", "衍生数据：凭证编号，或 凭证编号|使用授权编号", "", required=False),
    _choice("数据来源", "source_kind", SourceKind, "采集生成"),
    _choice("来源依据", "right_basis", Basis, "M1", _GROUNDS),
    _lines("登记权利", "rights", "申请人自己的权利，用顿号隔开；更复杂的，此栏留空，填写“权利”表",
           "数据持有权、数据使用权", required=False),
    _text("权利限制", "rights", "登记权利各项共同的限制；没有请填“无”", "无", required=False),
    _lines("其他参与方", "participants", "合作融合数据的其他参与方名称", "", required=False),
    Column("涉及个人信息", "declarations.personal_info", Cell.YES_NO, True, "涉及的须提交合规佐证", "否", YES_NO),
    Column("涉及重要数据", "declarations.important_data", Cell.YES_NO, True, "涉及的须提交合规佐证", "否", YES_NO),
    _choice("公共数据情形", "declarations.public_data", PublicData, "无", "第十五条（一）（二）（三），不涉及选“无”"),
    _text("公共数据登记编号", "declarations.public_data_no", "情形（二）填写公共数据资源登记编号", "", required=False),
    Column("申请年限", "years", Cell.NUMBER, True, "年，一般不超过5", "5"),
    _day("来源授权截止日", "authorised_until", "来源授权早于申请年限届满的填写", "", required=False),
    _text("申请不公示理由", "waiver_reason", "申请不公示的填写", "", required=False),
    _lines("材料", "attachments", "材料类型|文件名，每份一行；须先上传", "身份佐证|营业执照.pdf", required=False),
)  # fmt: skip

RIGHT_ROWS: tuple[Column, ...] = (
    _text(KEY, "", "“申请”表中的内部编号", "2026-001"),
    _text("权利人名称", "holder_name", "", "杭州某某数据有限公司"),
    _text("权利人证件号码", "holder_id", "统一社会信用代码；自然人填其当事方编号", "91330100MAE0001410"),
    _choice("权利类型", "right", Right, "数据持有权"),
    _day("权利起", "term_from", "日期", "", required=False),
    _day("权利止", "term_to", "日期", "", required=False),
    _text("权利限制内容", "limits", "没有请填“无”", "无"),
    _text("合同条款", "clause", "来源依据为 M5a、M8 的填写", "", required=False),
    _lines("同意方", "consents", "M5b 登记经营权：已书面同意的其他参与方", "", required=False),
)  # fmt: skip

SHEETS: Mapping[str, tuple[Column, ...]] = {APPLICATIONS: MAIN, RIGHTS: RIGHT_ROWS}

_LABELS = {
    **{column.path.replace("[0]", ""): column.heading for column in reversed(MAIN) if column.path},
    **{f"rights.{column.path}": column.heading for column in RIGHT_ROWS if column.path},
    "applicants": "申请人",
    "applicants.business": "经营情况",
    "representative": "代理人",
    "description": "数据信息",
    "declarations": "声明",
    "rights": "权利配置说明",
    "attachments": "材料",
    "attachments.kind": "材料类型",
    "attachments.name": "材料文件名",
    "description.content": "数据文件",
    "scheme": "登记规则",
    "agency": "登记机构",
    "type": "登记类型",
}


def label_of(path: str) -> str:
    """What people call the field at this path of a form; the nearest one above it that has a name, else the path."""
    plain = re.sub(r"\[\d+\]", "", path)
    while plain and plain not in _LABELS:
        plain = plain.rpartition(".")[0]
    return _LABELS.get(plain, path)


def heading_of(path: str) -> str:
    """The heading of sheet 申请 under which the field at this path was typed, "" if it has none."""
    while path:
        for column in MAIN:
            if column.path == path:
                return column.heading
        path = path[: path.rindex("[")] if path.endswith("]") else path.rpartition(".")[0]
    return ""
