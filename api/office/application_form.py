"""The application form of annex 1 (registration.md 4.1) in a browser: sections of fields, the document they make, and a
message beside each field that needs one.

`checked` never refuses: it answers a form when the fields make one, and messages either way, so nothing typed is lost.
Substance is the pre-check's (`registry.precheck`): its findings stand beside the fields they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from api.office import words
from api.office.fields import rows
from api.office.widgets import Group, Widget
from ledger.errors import FieldError, Malformed
from ledger.reading import body_of, read
from registry.asset import (
    AssetKind,
    DataFile,
    DataForm,
    RegionScope,
    Structure,
    UpdateRate,
    content_of,
)
from registry.form import Attachment, Form, PublicData, RegistrationType
from registry.party import IdType, PartyKind, shown_name
from registry.precheck import (
    COMPLIANCE_PROOF,
    EXTINCTION_PROOF,
    IDENTITY_PROOF,
    PROXY,
    SAMPLE,
    TYPE_PAPERS,
    Finding,
    Level,
    precheck,
)
from registry.rights import MATRIX, Basis, Right, SourceKind
from registry.scheme import NATIONAL_2026, scheme_of

REPEATED: Mapping[str, int] = {"applicants": 20, "description.volume": 10, "description.sources": 50, "rights": 100}
"""Groups that may have several rows, and how many at most."""
AT_LEAST_ONE = frozenset({"applicants", "description.volume", "rights"})
FILES, PAPERS = "description.content", "attachments"
LATER = ("type", "certificate", "transfer", "change", "renewal", "cancellation")
"""What a form of a later type has besides: carried along as one field "later", not edited here."""
ANYTHING_ELSE = "其他材料"
_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


@dataclass(frozen=True, slots=True)
class Message:
    """What is said beside a field: `level` S stops, R is red but may be submitted, W is advice."""

    level: str
    zh: str
    en: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A form, if the fields make one, and the messages by field name; `findings` are the pre-check's."""

    form: Form | None
    messages: Mapping[str, tuple[Message, ...]]
    findings: tuple[Finding, ...] = ()

    @property
    def stops(self) -> bool:
        """Is there something without which it cannot be submitted?"""
        return self.form is None or any(item.level is Level.STOP for item in self.findings)


def paper_kinds() -> tuple[str, ...]:
    """The kinds of attachment the pre-check and the matrix ask for, and one for anything else."""
    proofs = dict.fromkeys(proof for ground in MATRIX.values() for proof in ground.proofs)
    first = (IDENTITY_PROOF, SAMPLE, PROXY, COMPLIANCE_PROOF)
    later = (kind for kinds in TYPE_PAPERS.values() for kind in kinds)
    return tuple(dict.fromkeys((*first, *proofs, *later, EXTINCTION_PROOF, ANYTHING_ELSE)))


def act_kinds() -> tuple[str, ...]:
    """The kinds of paper that go with an act after the issue."""
    return ("法律文书", "异议申请书", "书面通知", "书面处理结论", "说明材料", "质押合同", ANYTHING_ELSE)


def groups(values: Mapping[str, str]) -> list[Group]:
    """The sections of the form with what has been typed, one set of fields for each row."""
    laid = []
    for group in _SECTIONS:
        if not group.repeated:
            laid.append(replace(group, widgets=tuple(_filled(item, values) for item in group.widgets)))
            continue
        for place in range(count(values, group.repeated)):
            fields = tuple(
                _filled(replace(item, name=f"{group.repeated}.{place}.{item.name}"), values) for item in group.widgets
            )
            laid.append(replace(group, title=f"{group.title} {place + 1}", widgets=fields))
    return laid


def count(values: Mapping[str, str], group: str) -> int:
    """How many rows of a repeated group are shown."""
    return max(len(rows(values, group)), 1 if group in AT_LEAST_ONE else 0)


def renumbered(values: Mapping[str, str]) -> dict[str, str]:
    """The same fields with rows numbered from 0 without gaps, as `groups` shows them."""
    result = {name: text for name, text in values.items() if not any(name.startswith(f"{g}.") for g in REPEATED)}
    for group in REPEATED:
        for place, row in enumerate(rows(values, group)):
            result |= {f"{group}.{place}.{name}": text for name, text in row.items()}
    return result


def grown(values: Mapping[str, str], group: str) -> dict[str, str]:
    """One more row of a repeated group, within its limit. A new right begins with the first applicant."""
    result = renumbered(values)
    place = count(result, group)
    if group not in REPEATED or place >= REPEATED[group]:
        return result
    row = {"number": ""} if group == "description.volume" else {"name": ""}
    if group == "rights":
        natural = result.get("applicants.0.kind") == PartyKind.NATURAL.value
        kind = PartyKind.NATURAL if natural else PartyKind.LEGAL
        row = {
            "holder_name": shown_name(kind, result.get("applicants.0.name", "")),
            "holder_id": result.get(f"applicants.0.{'party' if kind is PartyKind.NATURAL else 'id_no'}", ""),
            "limits": "无",
        }
    if group == "description.sources":
        row = {"certificate": ""}
    for before in range(place):
        result.setdefault(f"{group}.{before}.{next(iter(row))}", "")
    return result | {f"{group}.{place}.{name}": text for name, text in row.items()}


def shrunk(values: Mapping[str, str], group: str, place: int) -> dict[str, str]:
    """Without one row of a repeated group."""
    kept = {name: text for name, text in renumbered(values).items() if not name.startswith(f"{group}.{place}.")}
    return renumbered(kept)


def checked(
    values: Mapping[str, str],
    agency: str,
    at: int,
    scheme: str = NATIONAL_2026.id,
    also: Callable[[Form], tuple[Finding, ...]] = lambda form: (),
) -> Checked:
    """What the fields make, and what is to be said about them; `also` finds what the form alone does not show."""
    messages: dict[str, list[Message]] = {}

    def say(name: str, zh: str, en: str) -> None:
        messages.setdefault(name, []).append(Message("S", zh, en))

    for item in (item for group in groups(values) for item in group.widgets):
        text = values.get(item.name, "")
        if item.required and not text:
            say(
                item.name,
                f"请{'选择' if item.kind in ('choice', 'files') else '填写'}{item.zh}。",
                f"{item.en} is missing.",
            )
        elif item.kind == "date" and text and not _DAY.fullmatch(text):
            say(item.name, "日期应为 年-月-日，如 2026-08-03。", "A day is written 2026-08-03.")
        elif item.kind == "choice" and text and text not in {value for value, _ in item.options}:
            say(item.name, "请从列表中选择。", "Choose one of the list.")
        elif item.kind == "number" and text and not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,6})?", text):
            say(item.name, "应为数字。", "A number.")
        elif len(text) > item.most and item.kind in ("text", "long"):
            say(item.name, f"不能超过 {item.most} 个字符。", f"At most {item.most} characters.")
    form, document = None, {}
    try:
        document = _document(values, agency, scheme)
    except FieldError as error:
        name = FILES if error.field.startswith(FILES) else PAPERS
        if name not in messages:
            say(name, *words.told(error))
    if not messages:
        try:
            form = read(Form, document, "form")
        except FieldError as error:
            say(name_of(error.field.removeprefix("form.")), *words.told(error))
        except Malformed as error:
            say("form", *words.told(error))
    findings = (*precheck(form, scheme_of(form.scheme), at), *also(form)) if form is not None else ()
    for finding in findings:
        name = name_of(finding.field)
        messages.setdefault(name, []).append(Message(finding.level.value, finding.zh, finding.en, finding.rule))
    return Checked(form, {name: tuple(items) for name, items in messages.items()}, findings)


def name_of(path: str) -> str:
    """ "rights[0].holder_id" of a document as the field's name "rights.0.holder_id"; a list of files is one field."""
    name = re.sub(r"\[([0-9]+)\]", r".\1", path)
    return next((whole for whole in (FILES, PAPERS) if name.startswith(f"{whole}.")), name)


def values_of(form: Mapping[str, Any], flat: Mapping[str, str]) -> dict[str, str]:
    """The field values of a form document, also of one somebody left unfinished; `flat` is the document by dotted
    names."""
    values = {
        name: text
        for name, text in flat.items()
        if not name.startswith((f"{FILES}.", f"{PAPERS}.")) and name not in ("scheme", "agency", "type")
    }
    if form.get("certificate"):
        values = {name: text for name, text in values.items() if name.partition(".")[0] not in LATER}
        values["later"] = _text({name: form[name] for name in LATER if name in form})
    values[FILES] = _text(_inner(form, "description", "content", "files"))
    values[PAPERS] = _text(_inner(form, "attachments"))
    return values


def _inner(form: Any, *names: str) -> Any:
    for name in names:
        form = form.get(name) if isinstance(form, Mapping) else None
    return form


def _text(items: Any) -> str:
    return json.dumps(items, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if items else ""


def _filled(widget: Widget, values: Mapping[str, str]) -> Widget:
    return replace(widget, value=values.get(widget.name, widget.value))


def _document(values: Mapping[str, str], agency: str, scheme: str) -> dict[str, Any]:
    """The document the fields make; what stays empty and may be absent is left out."""

    def optional(*names: str, of: Mapping[str, str] = values) -> dict[str, Any]:
        return {name.rpartition(".")[2]: of[name] for name in names if of.get(name)}

    description = {name: values.get(f"description.{name}", "") for name in _TEXTS}
    files = tuple(read(DataFile, item, FILES) for item in listed(values, FILES))
    if not files:
        raise FieldError(FILES, "至少一个数据文件（选择文件后自动计算摘要） / at least one file", "无 / none")
    names = [item.name for item in files]
    if len(set(names)) != len(names):
        raise FieldError(FILES, "文件名不重复 / distinct names", "重复 / twice")
    content = content_of(files)
    document: dict[str, Any] = {
        "scheme": scheme,
        "agency": agency,
        "type": RegistrationType.INITIAL.value,
        "applicants": [applicant_of(row) for row in rows(values, "applicants")],
        "description": description
        | {
            "volume": [
                {"number": row.get("number", ""), "unit": row.get("unit", "")}
                for row in rows(values, "description.volume")
            ],
            "content": body_of(content),
            "sources": [
                {"certificate": row.get("certificate", ""), "authorisation": row.get("authorisation", "")}
                for row in rows(values, "description.sources")
                if row.get("certificate")
            ],
        },
        "source_kind": values.get("source_kind", ""),
        "right_basis": values.get("right_basis", ""),
        "rights": [_right(row) for row in rows(values, "rights")],
        "declarations": {
            "personal_info": values.get("declarations.personal_info") == "1",
            "important_data": values.get("declarations.important_data") == "1",
            "public_data": values.get("declarations.public_data") or PublicData.NONE.value,
            "public_data_no": values.get("declarations.public_data_no", ""),
        },
        "attachments": [body_of(read(Attachment, item, PAPERS)) for item in listed(values, PAPERS)],
        "years": int(values["years"]) if values.get("years", "").isdecimal() else 0,
        "waiver_reason": values.get("waiver_reason", ""),
        "participants": _several(values.get("participants", "")),
    } | optional("authorised_until")
    if values.get("later"):
        document |= _later(values["later"])
    if values.get("representative.name") or values.get("representative.id_no"):
        document["representative"] = {name: values.get(f"representative.{name}", "") for name in ("name", "id_no")}
    return document


def _later(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FieldError("later", "登记事项 / the section of its type", "无法读取 / unreadable") from error
    if not isinstance(found, dict) or not found.keys() <= set(LATER):
        raise FieldError("later", " | ".join(LATER), repr(found)[:80])
    return found


def applicant_of(row: Mapping[str, str]) -> dict[str, Any]:
    """An applicant's document from the fields of its row."""
    person: dict[str, Any] = {name: row.get(name, "") for name in _PERSON}
    business = {name: row.get(f"business.{name}", "") for name in _BUSINESS}
    return person | ({"business": business} if any(business.values()) else {})


def _right(row: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: row.get(name, "") for name in ("holder_name", "holder_id", "right", "limits", "clause")}
    days = {name: row[name] for name in ("term_from", "term_to") if row.get(name)}
    return texts | days | {"consents": _several(row.get("consents", ""))}


def _several(text: str) -> list[str]:
    """Names typed in one field, separated by ；or ;."""
    return [item.strip() for item in re.split("[；;]", text) if item.strip()]


def listed(values: Mapping[str, str], name: str) -> list[Any]:
    """The list of files or papers in a field. Raises `FieldError`."""
    try:
        found = json.loads(values.get(name) or "[]")
    except (ValueError, RecursionError) as error:
        raise FieldError(name, "文件清单 / a list of files", "无法读取 / unreadable") from error
    if not isinstance(found, list):
        raise FieldError(name, "文件清单 / a list of files", type(found).__name__)
    return found


def _options(values: Iterable[Enum], names: Mapping[str, str] | None = None) -> tuple[tuple[str, str], ...]:
    return tuple((item.value, (names or {}).get(item.value, item.value)) for item in values)


_PERSON = ("name", "kind", "id_type", "id_no", "contact", "phone", "address", "party", "salt")
_BUSINESS = ("legal_representative", "founded", "address", "term", "scope", "standing")
_TEXTS = (
    "data_name", "overview", "kind", "industry", "industry_code", "region_scope", "time_from", "time_to",
    "update_rate", "form", "structure", "limits",
)  # fmt: skip

# fmt: off
_SECTIONS: tuple[Group, ...] = (
    Group("登记申请人", "Applicant", (
        Widget("name", "申请人名称", "Name", required=True, help="与营业执照或身份证件一致的全称"),
        Widget("kind", "申请人类型", "Kind", "choice", _options(PartyKind), required=True, value="法人"),
        Widget("id_type", "证件类型", "Kind of identity paper", "choice", _options(IdType),
               required=True, value="统一社会信用代码"),
        Widget("id_no", "证件号码", "Identity number", required=True, most=64,
               help="统一社会信用代码 18 位，大写；自然人填身份证件号码，只存于申请材料，不公开"),
        Widget("party", "当事方编号（自然人）", "Party identity (natural persons)", most=18,
               help="P 开头 18 位，见本人钥匙文件；单位不填"),
        Widget("salt", "身份盐值（自然人）", "Salt (natural persons)", most=64,
               help="64 位，见本人钥匙文件；单位不填"),
        Widget("contact", "联系人", "Contact", required=True, help="仅供办理使用，不公开"),
        Widget("phone", "联系电话", "Phone", required=True, help="座机含区号，国外含国别码，如 0571-00000000"),
        Widget("address", "联系地址", "Address"),
        Widget("business.legal_representative", "法定代表人（负责人）", "Legal representative"),
        Widget("business.founded", "成立日期", "Founded", "date"),
        Widget("business.address", "注册地址", "Registered address"),
        Widget("business.term", "营业期限", "Term of business", help="如 长期"),
        Widget("business.scope", "经营范围", "Scope of business", "long", most=4000),
        Widget("business.standing", "存续情况", "Standing", help="如 存续"),
    ), "applicants", "每一申请人都要签署。共同申请的，逐一添加。", "applicants"),
    Group("代理人（可不填）", "Representative (optional)", (
        Widget("representative.name", "代理人名称", "Name"),
        Widget("representative.id_no", "代理人证件号码", "Identity number", most=64,
               help="统一社会信用代码；自然人填当事方编号"),
    ), help="填写后由代理人签署，并须提交授权委托书。", anchor="representative"),
    Group("数据信息", "The data", (
        Widget("description.data_name", "数据名称", "Data name", required=True,
               help="时间＋地域＋行业＋内容＋数据类型，如“2024年全国高空设备租赁数据集”；不宜超过 40 个字"),
        Widget("description.overview", "数据概述", "Overview", "long", most=4000,
               help="功能、形态、用途；不宜超过 400 个字"),
        Widget("description.kind", "数据类别", "Kind of data", "choice",
               _options(AssetKind, words.VALUES["description.kind"]), required=True, value="resource"),
        Widget("description.industry", "所属行业", "Industry",
               help="国民经济行业分类的门类/大类，如“交通运输、仓储和邮政业/航空运输业”"),
        Widget("description.industry_code", "行业代码", "Industry code", help="如 G56"),
        Widget("description.region_scope", "地域范围", "Region", "choice", _options(RegionScope), required=True),
        Widget("description.time_from", "时域起", "Data from", "date", required=True),
        Widget("description.time_to", "时域止", "Data to", "date", required=True),
        Widget("description.update_rate", "更新频率", "Update rate", "choice", _options(UpdateRate), required=True),
        Widget("description.form", "数据形态", "Form", "choice", _options(DataForm), required=True),
        Widget("description.structure", "数据结构", "Structure", "choice", _options(Structure), required=True),
        Widget("description.limits", "限制范围", "Limits", "long", most=4000,
               help="使用主体、环境、地域、转售、出境等限制；没有请填“无”"),
        Widget(FILES, "数据文件", "Data files", "files", required=True,
               help="选择全部数据文件：浏览器计算 SHA-256 与 SM3 摘要，文件本身不上传"),
    ), anchor="description"),
    Group("数据量", "Volume", (
        Widget("number", "数量", "Number", "number", required=True),
        Widget("unit", "单位", "Unit", required=True, value="条", help="如 条、GB"),
    ), "description.volume", anchor="description.volume"),
    Group("来源数据的凭证", "Certificate of a source", (
        Widget("certificate", "凭证编码", "Certificate code", required=True, help="15 位，SJ 开头"),
        Widget("authorisation", "使用授权编号", "Use authorisation", most=64, help="申请人不是该凭证使用权人时填写"),
    ), "description.sources", "仅衍生数据填写。", "description.sources"),
    Group("数据来源与权利依据", "Source and ground of the rights", (
        Widget("source_kind", "数据来源", "Source", "choice", _options(SourceKind), required=True),
        Widget("right_basis", "权利依据（第二十一条）", "Ground (art. 21)", "choice",
               _options(Basis, words.VALUES["right_basis"]), required=True),
        Widget("participants", "其他融合参与方", "Other participants of a fusion", help="多个用分号；隔开；没有不填"),
    ), anchor="source_kind"),
    Group("权利配置说明", "Right", (
        Widget("holder_name", "权利人", "Holder", required=True),
        Widget("holder_id", "权利人证件号码", "Identity number", required=True, most=64,
               help="统一社会信用代码；自然人填当事方编号"),
        Widget("right", "权利", "Right", "choice", _options(Right, words.VALUES["right"]), required=True),
        Widget("limits", "权利限制", "Limits", "long", most=4000, value="无", help="没有请填“无”"),
        Widget("term_from", "期限起（可不填）", "From", "date"),
        Widget("term_to", "期限止（可不填）", "To", "date"),
        Widget("clause", "合同条款（按约定登记的）", "Contract clause"),
        Widget("consents", "已同意的参与方", "Consents", help="多个用分号；隔开"),
    ), "rights", "每个权利人、每项权利各填一行，须包含全部申请人。", "rights"),
    Group("声明", "Declarations", (
        Widget("declarations.personal_info", "涉及个人信息", "Personal information", "tick",
               help="涉及的须提交合规佐证"),
        Widget("declarations.important_data", "涉及重要数据", "Important data", "tick"),
        Widget("declarations.public_data", "公共数据情形（第十五条）", "Public data (art. 15)", "choice",
               _options(PublicData, words.VALUES["public_data"]), required=True, value="无"),
        Widget("declarations.public_data_no", "公共数据登记编号", "Public data number", help="情形（二）须填"),
    ), anchor="declarations"),
    Group("期限与公示", "Term and publicity", (
        Widget("years", "申请有效期（年）", "Years", "number", required=True, value="5", most=3,
               help="一般不超过 5 年"),
        Widget("authorised_until", "来源授权截止日（可不填）", "Source authorised until", "date"),
        Widget("waiver_reason", "申请不公示的理由（可不填）", "Reason to waive publicity", "long", most=4000,
               help="有正当理由方可申请，由登记机构决定"),
    ), anchor="years"),
    Group("附件材料", "Papers", (
        Widget(PAPERS, "附件", "Attachments", "papers",
               help="身份佐证、数据样例为必备材料；权利依据不同，所需佐证不同"),
    ), anchor="attachments"),
)
# fmt: on
