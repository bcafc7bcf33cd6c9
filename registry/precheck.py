"""登记预检: what a machine can say about a form before anybody reads it (registration.md 4.5).

S findings stop submission because the form cannot be read, signed or attributed. R findings make 补正 or 不予登记
likely but may still be submitted; W is advice. Software never refuses on substance (art. 17). `RULES` is the table of
rules for an 初次登记, `CHECKS` the functions that try them; what must be looked up comes in as `Known`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from ledger.digest import twin
from ledger.errors import FieldError
from registry.asset import Twin, content_is_consistent
from registry.calendar import Calendar, add_years, day_of
from registry.certificate import InForce
from registry.clocks import completion, deemed_acceptance, period
from registry.errors import CalendarPending
from registry.form import (
    Applicant,
    Form,
    RegistrationType,
    applicant_ids,
    attachment_kinds,
    held_by_applicants,
    right_gaps,
)
from registry.party import IdType, PartyKind, is_person, number_is_valid, uscc_is_valid
from registry.personal import text_of, traces
from registry.rights import Right, RightRow
from registry.scheme import NameElement, Scheme
from registry.succession import Misfit, misfits, section_misfits, standing_misfit, window_misfit


class Level(StrEnum):
    """S stops, R is red but may be submitted, W is advice."""

    STOP = "S"
    RED = "R"
    ADVICE = "W"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of the pre-check, in both languages, at a field of the form."""

    rule: str
    level: Level
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A data sample as text, to be looked through for personal data."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the pre-check knows besides the form. Empty: nothing is known, so nothing is said.

    `registered` are (right, certificate or application) of the same applicants in the same data; `similar` are
    registrations of others, `disputes` open objections or disputes about the data; `signed` the party identities that
    signed (`None`: signing has not begun); `unreadable` names of attachments; `affiliates` applicants under common
    control with the agency; `verified_numbers` 公共数据资源 registrations that were checked (`None`: nobody can look);
    `entry` the certificate that a later registration is about, `blocked` what hangs on it and is in the way.
    """

    calendar: Calendar | None = None
    registered: tuple[tuple[Right, str], ...] = ()
    similar: tuple[str, ...] = ()
    disputes: tuple[str, ...] = ()
    signed: frozenset[str] | None = None
    unreadable: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    affiliates: frozenset[str] = frozenset()
    verified_numbers: frozenset[str] | None = None
    entry: InForce | None = None
    blocked: tuple[str, ...] = ()


NOTHING = Known()


@dataclass(frozen=True, slots=True)
class Subject:
    """A form under the pre-check: its rule set, the second it is looked at, and what is known."""

    form: Form
    scheme: Scheme
    at: int
    known: Known = field(default_factory=Known)


IDENTITY_PROOF = "身份佐证"
SAMPLE = "数据样例"
PROXY = "授权委托书"
COMPLIANCE_PROOF = "合规佐证"
CERTIFICATE = "数据产权登记凭证"
TYPE_PAPERS = {
    RegistrationType.INITIAL: (IDENTITY_PROOF, SAMPLE),
    RegistrationType.TRANSFER: ("转让合同", CERTIFICATE),
    RegistrationType.CHANGE: (CERTIFICATE, "变更内容佐证"),
    RegistrationType.RENEWAL: (CERTIFICATE,),
    RegistrationType.CANCELLATION: (CERTIFICATE,),
}
"""Papers of each type (art. 33 to 37)."""
EXTINCTION_PROOF = "权利消灭佐证"

RULES: Mapping[str, tuple[str, str]] = {
    "PC-01": ("SR", "必填项 / a required field is empty"),
    "PC-02": ("S", "统一社会信用代码校验 / check digit of a USCC"),
    "PC-03": ("S", "身份证件号码校验、身份承诺 / check digit of an identity number, commitment"),
    "PC-04": ("R", "申请人类型与证件类型 / party kind and id type"),
    "PC-05": ("W", "数据名称长度 / length of the data name"),
    "PC-06": ("W", "数据名称要素 / elements of the data name"),
    "PC-07": ("W", "数据概述长度 / length of the overview"),
    "PC-08": ("R", "所属行业 / industry in the table"),
    "PC-09": ("SR", "时域范围 / time span"),
    "PC-10": ("R", "来源与权利矩阵 / the matrix says no"),
    "PC-11": ("R", "权利佐证 / proof of a right"),
    "PC-12": ("R", "参与方同意 / consent of a fusion party"),
    "PC-13": ("R", "党政机关履职数据 / data of public duty"),
    "PC-14": ("R", "公共数据资源登记编号 / public data registration"),
    "PC-15": ("R", "登记机构作为申请人 / the agency as applicant"),
    "PC-16": ("W", "控制关系 / common control"),
    "PC-17": ("R", "未选权利 / no right chosen"),
    "PC-18": ("R", "有效期上限 / longest term"),
    "PC-19": ("R", "权利配置说明 / table of rights"),
    "PC-20": ("R", "限制范围 / limits"),
    "PC-21": ("R", "材料齐全 / papers"),
    "PC-22": ("S", "材料可读、摘要一致 / attachments readable, digests right"),
    "PC-23": ("R", "样例个人信息 / personal data in the sample"),
    "PC-24": ("R", "重复登记 / registered or pending already"),
    "PC-25": ("W", "相似数据 / same or similar data of others"),
    "PC-26": ("R", "权属纠纷 / open dispute"),
    "PC-27": ("S", "签署 / signatures"),
    "PC-28": ("R", "转让及凭证限制 / what is not held, not in force or blocked"),
    "PC-29": ("R", "转让方仍保留权利 / the transferor keeps the right"),
    "PC-30": ("R", "变更范围 / what a change may not touch"),
    "PC-31": ("R", "续期期间 / the window of a renewal"),
    "PC-32": ("W", "日历未公布 / calendar year missing"),
}
"""Levels and subject of every rule."""

_ATTRIBUTION = (("name", "申请人名称"), ("id_no", "证件号码"), ("contact", "联系人"), ("phone", "联系电话"))
_BRACKETS = re.compile(r"[（(\[【][^）)\]】]*[）)\]】]")
_FILLERS = re.compile(r"[\s0-9年月日度的及和与、，,.\-—~至·_/]+")


def precheck(form: Form, scheme: Scheme, at: int, known: Known = NOTHING) -> tuple[Finding, ...]:
    """Every finding about `form` as it stands at `at` (seconds UTC), most serious first. Raises `NotDefined`."""
    subject = Subject(form, scheme, at, known)
    found = [finding for check in CHECKS[form.type] for finding in check(subject)]
    return tuple(sorted(found, key=lambda item: ("SRW".index(item.level.value), item.rule, item.field)))


def stops(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings that stop submission."""
    return tuple(item for item in findings if item.level is Level.STOP)


def require_submittable(findings: tuple[Finding, ...]) -> None:
    """Raises `FieldError` with the first S finding, if there is one."""
    for item in stops(findings):
        raise FieldError(f"body.{item.field}", f"{item.rule} {item.zh} / {item.en}", "不能提交 / not submittable")


def characters(text: str) -> int:
    """字数 after NFC, as a person counts them."""
    return len(unicodedata.normalize("NFC", text))


def missing_elements(name: str, elements: Iterable[NameElement]) -> tuple[NameElement, ...]:
    """The elements of 数据名称 (art. 19) that nothing in the name tells of; what stands in brackets is overlooked."""
    text = _BRACKETS.sub("", unicodedata.normalize("NFC", name))
    elements = tuple(elements)
    rest = text
    missing = []
    for element in elements:
        tells = [match.group() for pattern in element.patterns for match in re.finditer(pattern, text)]
        tells += [word for word in element.words if word in text]
        for tell in sorted(filter(None, tells), key=len, reverse=True):
            rest = rest.replace(tell, "")
        if not tells and not element.remainder:
            missing.append(element)
    left = characters(_FILLERS.sub("", rest))
    return (*missing, *(element for element in elements if element.remainder and left < element.remainder))


def examined(form: Form, known: Known, bytes_of: Callable[[str], bytes | None]) -> Known:
    """`known` with what the attachments themselves say: those that cannot be read or have another digest, and the text
    of the data samples. `bytes_of` answers an attachment's bytes by its name, `None` when there is no such file."""
    unreadable, samples = list(known.unreadable), list(known.samples)
    for paper in form.attachments:
        content = bytes_of(paper.name)
        if content is None or len(content) != paper.size or Twin.of(twin(content)) != paper.digest:
            unreadable.append(paper.name)
        elif paper.kind == SAMPLE:
            samples.append(Sample(paper.name, text_of(content)))
    return replace(known, unreadable=tuple(unreadable), samples=tuple(samples))


# The checks -----------------------------------------------------------------------------------------------------------


def identity(subject: Subject) -> Iterator[Finding]:
    """PC-01 to PC-04, PC-15, PC-16: who applies."""
    form = subject.form
    for position, person in enumerate(form.applicants):
        where = f"applicants[{position}]"
        for name, label in _ATTRIBUTION:
            if not getattr(person, name).strip():
                yield _empty(f"{where}.{name}", label, Level.STOP)
        if not person.address.strip():
            yield _empty(f"{where}.address", "联系地址", Level.RED)
        if person.business is None and person.kind is not PartyKind.NATURAL:
            yield _empty(f"{where}.business", "经营情况", Level.RED)
        if person.id_type is IdType.USCC and person.id_no.strip() and not uscc_is_valid(person.id_no):
            yield Finding(
                "PC-02", Level.STOP, f"{where}.id_no",
                "统一社会信用代码格式或校验位不正确，请核对证照。",
                "The USCC has a wrong form or check digit; compare it with the licence (18 characters, no I O S V Z).",
            )  # fmt: skip
        of_person = person.id_type is IdType.RESIDENT or (
            person.id_type is IdType.OTHER and person.kind is PartyKind.NATURAL
        )
        if of_person and person.id_no.strip() and not number_is_valid(person.id_type, person.id_no):
            yield Finding(
                "PC-03", Level.STOP, f"{where}.id_no", "身份证件号码格式或校验位不正确，请核对证照。",
                "The identity number has a wrong form or check digit; compare it with the paper (capitals, no spaces).",
            )  # fmt: skip
        if (person.kind is PartyKind.NATURAL) == (person.id_type is IdType.USCC):
            wanted = "居民身份证或其他证件" if person.kind is PartyKind.NATURAL else "统一社会信用代码"
            yield Finding(
                "PC-04", Level.RED, f"{where}.id_type",
                f"申请人类型与证件类型不一致。{person.kind.value}请填{wanted}，或更正申请人类型。",
                "Party kind and id type differ: organisations give a USCC, natural persons an identity document.",
            )  # fmt: skip
        yield from _commitment(person, where)
        if person.identity in subject.known.affiliates:
            yield Finding(
                "PC-16", Level.ADVICE, where, "申请人与本登记机构存在控制关系，将记录回避。",
                "Applicant and agency are under common control; recusal will be recorded.",
            )  # fmt: skip
    if form.agency in applicant_ids(form):
        yield Finding(
            "PC-15", Level.RED, "applicants",
            "登记机构不得作为登记申请人在本登记机构申请登记。请向其他登记机构申请。",
            "An agency may not apply to itself; apply at another agency.",
        )  # fmt: skip


def _commitment(person: Applicant, where: str) -> Iterator[Finding]:
    """A natural person signs under a party identity of its own and opens what that committed to; see `registry.filing`
    for whether it does."""
    if person.kind is not PartyKind.NATURAL:
        for name, text in (("party", person.party), ("salt", person.salt)):
            if text:
                yield Finding(
                    "PC-04", Level.RED, f"{where}.{name}", "当事方编号和身份盐值仅由自然人填写，请删除。",
                    "Party identity and salt are given by natural persons only: take them off.",
                )  # fmt: skip
        return
    for name, label, fits in (
        ("party", "当事方编号", is_person(person.party)),
        ("salt", "身份盐值", re.fullmatch("[0-9a-f]{64}", person.salt) is not None),
    ):
        if not getattr(person, name).strip():
            yield _empty(f"{where}.{name}", label, Level.STOP)
        elif not fits:
            yield Finding(
                "PC-03", Level.STOP, f"{where}.{name}", f"{label}格式不正确，请照本人钥匙文件填写。",
                f"{name} has a wrong form: take it from the key file of the person.",
            )  # fmt: skip


def data(subject: Subject) -> Iterator[Finding]:
    """PC-01, PC-05 to PC-09, PC-20: what the data is."""
    described, scheme = subject.form.description, subject.scheme
    if not described.data_name.strip():
        yield _empty("description.data_name", "数据名称", Level.STOP)
    for name, label in (("overview", "数据概述"), ("industry", "所属行业")):
        if not getattr(described, name).strip():
            yield _empty(f"description.{name}", label, Level.RED)
    if not described.volume:
        yield _empty("description.volume", "数据量", Level.RED)
    advice = (
        ("PC-05", "data_name", "数据名称", described.data_name, "name_advice"),
        ("PC-07", "overview", "数据概述", described.overview, "overview_advice"),
    )
    for rule, name, label, text, limit in advice:
        count, most = characters(text), scheme.limits.get(limit)
        if most is not None and count > most:
            yield Finding(
                rule, Level.ADVICE, f"description.{name}", f"{label}共{count}字，不宜超过{most}个字，请精简。",
                f"{count} characters; more than {most} is not advisable: shorten it.",
            )  # fmt: skip
    if described.data_name.strip():
        for element in missing_elements(described.data_name, scheme.name_elements):
            yield Finding(
                "PC-06", Level.ADVICE, "description.data_name",
                f"数据名称未见“{element.name}”要素，请核对。（{element.advice}）",
                f"The data name shows no {element.en}; add it if it applies.",
            )  # fmt: skip
    table = scheme.industries
    if table is not None and described.industry.strip() and not table.has(described.industry, described.industry_code):
        near = table.suggestions(described.industry, described.industry_code)
        hint = f"是否为：{'；'.join(near)}。" if near else "如 G56 交通运输、仓储和邮政业/航空运输业。"
        yield Finding(
            "PC-08", Level.RED, "description.industry", f"所属行业应填写国民经济行业分类的门类及大类名称。{hint}",
            f"Give section/division as named in {table.id}, and the code that belongs to them.",
        )  # fmt: skip
    for name in ("time_from", "time_to"):
        if not _is_day(getattr(described, name)):
            yield Finding(
                "PC-09", Level.STOP, f"description.{name}", "日期不存在，请更正。", "There is no such day: correct it."
            )
    if described.time_from > described.time_to:
        yield Finding(
            "PC-09", Level.RED, "description.time_from", "时域范围起止颠倒。请使起始日期不晚于终止日期。",
            "The time span runs backwards: the first day must not be after the last.",
        )  # fmt: skip
    if not described.limits.strip():
        yield Finding(
            "PC-20", Level.RED, "description.limits", "限制范围为空；如没有请填“无”。",
            "Limits are empty; write 无 if there are none.",
        )  # fmt: skip


def ground(subject: Subject) -> Iterator[Finding]:
    """PC-11, PC-13, PC-14: where the data comes from."""
    form, scheme = subject.form, subject.scheme
    declared = form.declarations
    rule = scheme.public_data_rule(declared.public_data.value)
    if rule is not None and not rule.registrable:
        yield Finding(
            "PC-13", Level.RED, "declarations.public_data",
            "党政机关履职数据（含委托或授权代为收集的数据）不进行数据产权登记。如情形填错请更正。",
            "Data of public duty is not registered (art. 15(1)); correct the case if it was chosen by mistake.",
        )  # fmt: skip
    if rule is not None and rule.needs_number:
        number, verified = declared.public_data_no.strip(), subject.known.verified_numbers
        unknown = verified is not None and number not in verified
        if not number or unknown:
            more = f"登记编号 {number} 尚未核验。" if number else "请填写登记编号。"
            yield Finding(
                "PC-14", Level.RED, "declarations.public_data_no",
                f"公共数据产品和服务应先在公共数据资源登记平台完成登记。{more}",
                "Public data products are registered on the public data platform first (art. 15(2)): "
                + ("that number is not verified yet." if number else "give the number."),
            )  # fmt: skip
    if scheme.matrix[form.right_basis].needs_source_use and not form.description.sources:
        yield Finding(
            "PC-11", Level.RED, "description.sources", "登记衍生数据须列明原始数据的登记凭证。",
            "Derived data names the certificates of its sources: add them.",
        )  # fmt: skip


def rights(subject: Subject) -> Iterator[Finding]:
    """PC-10 to PC-12, PC-17 to PC-19: which rights are asked for, by whom, until when."""
    form, scheme = subject.form, subject.scheme
    if not form.rights:
        yield Finding("PC-17", Level.RED, "rights", "请至少选择一项权利。", "Choose at least one right.")
    if form.rights and {row.holder_id for row in held_by_applicants(form)} != applicant_ids(form):
        yield Finding(
            "PC-19", Level.RED, "rights", "权利配置说明应包含登记申请人并填写权利类型、期限、限制。",
            "Every applicant needs a row in the table of rights.",
        )  # fmt: skip
    messages = {
        "PC-10": (
            "按“{basis}”不可登记{right}：{detail}。",
            "Ground {basis} does not allow {code}: take it off the form.",
        ),
        "PC-11": ("登记{right}须提交：{detail}。", "Hand in the proof for {code} on ground {basis}: {detail}."),
        "PC-12": (
            "登记经营权须取得其他参与方{detail}同意。",
            "{code} needs the consent of every other party of the fusion: {detail} is missing.",
        ),
    }
    for gap in right_gaps(form, scheme):
        zh, en = messages[gap.rule]
        words = {
            "basis": f"{form.right_basis.value} {scheme.matrix[form.right_basis].text}",
            "right": scheme.right_names[gap.right],
            "detail": gap.detail.rstrip("。"),
            "code": gap.right.value,
        }
        yield Finding(
            gap.rule, Level.RED, "rights", zh.format(**words), en.format(**words | {"basis": form.right_basis.value})
        )
    yield from term(subject)
    for position, row in enumerate(form.rights):
        yield from _row(subject, position, row)


def term(subject: Subject) -> Iterator[Finding]:
    """PC-18: the term asked for."""
    form, scheme, last = subject.form, subject.scheme, _last_allowed_day(subject)
    asked = add_years(day_of(subject.at), form.years)
    if form.years > scheme.max_years or (form.authorised_until and form.authorised_until < asked.isoformat()):
        yield Finding(
            "PC-18", Level.RED, "years", f"申请有效期超过{last}。请缩短年限。",
            f"The term asked for ends after {last}: ask for fewer years.",
        )  # fmt: skip


def _row(subject: Subject, position: int, row: RightRow) -> Iterator[Finding]:
    where, last = f"rights[{position}]", _last_allowed_day(subject)
    from_day, to_day = row.term_from or "", row.term_to or ""
    half = bool(from_day) != bool(to_day) or from_day > to_day
    if half or not row.limits.strip():
        what = "期限起止" if half else "限制（没有请填“无”）"
        yield Finding(
            "PC-19", Level.RED, f"{where}.{'term_from' if half else 'limits'}",
            f"权利配置说明应包含登记申请人并填写权利类型、期限、限制。请补填第{position + 1}行的{what}。",
            f"Row {position + 1} of the table of rights is incomplete: {'its term' if half else 'its limits'}.",
        )  # fmt: skip
    if to_day > last:
        yield Finding(
            "PC-18", Level.RED, f"{where}.term_to", f"申请有效期超过{last}。请更正第{position + 1}行的期限。",
            f"The term of row {position + 1} ends after {last}: shorten it.",
        )  # fmt: skip


def papers(subject: Subject) -> Iterator[Finding]:
    """PC-21 to PC-23: what is handed in."""
    form, known = subject.form, subject.known
    needed = [*TYPE_PAPERS[form.type]]
    if form.cancellation is not None and form.cancellation.reason == "Z-02":
        needed.append(EXTINCTION_PROOF)
    if form.representative is not None:
        needed.append(PROXY)
    if form.declarations.personal_info or form.declarations.important_data:
        needed.append(COMPLIANCE_PROOF)
    for kind in needed:
        if kind not in attachment_kinds(form):
            yield Finding(
                "PC-21", Level.RED, "attachments", f"缺少材料：{kind}。", f"A paper is missing: {kind}. Add it."
            )
    if not content_is_consistent(form.description.content):
        yield Finding(
            "PC-22", Level.STOP, "description.content", "数据文件清单与内容摘要不一致，请重新计算。",
            "The content digest does not belong to the manifest: compute it again.",
        )  # fmt: skip
    for name in known.unreadable:
        yield Finding(
            "PC-22", Level.STOP, "attachments", f"材料{name}无法读取或摘要不一致，请重新上传。",
            f"Attachment {name} cannot be read or has another digest: upload it again.",
        )  # fmt: skip
    if form.declarations.personal_info:
        return
    for sample in known.samples:
        found = traces(sample.text)
        if found:
            zh, en = "、".join(item[0] for item in found), ", ".join(item[1] for item in found)
            yield Finding(
                "PC-23", Level.RED, "declarations.personal_info",
                f"数据样例疑似包含个人信息，请脱敏或更正说明。（{sample.name}：{zh}）",
                f"Sample {sample.name} seems to hold personal data ({en}): mask it or correct the declaration.",
            )  # fmt: skip


def section(subject: Subject) -> Iterator[Finding]:
    """A form with the section of another type, with one side of a transfer, or with a right twice cannot be
    attributed."""
    for item in section_misfits(subject.form):
        yield _misfit(item, Level.STOP)
    keys = [(row.holder_id, row.right) for row in subject.form.rights]
    if len(keys) != len(set(keys)):
        yield Finding(
            "PC-19", Level.STOP, "rights", "同一权利人的同一权利只填一行。", "One row for each right of each holder."
        )


def later(subject: Subject) -> Iterator[Finding]:
    """PC-28 to PC-31: what a 转让, 变更, 续期 or 注销 may not ask for. Only what cannot be read stops it."""
    form, known = subject.form, subject.known
    for reason in known.blocked:
        zh, _, en = reason.partition(" / ")
        yield Finding(
            "PC-28", Level.RED, "certificate", f"该凭证存在限制：{zh.rstrip('。')}。",
            f"The certificate is restricted: {(en or zh).rstrip('.')}.",
        )  # fmt: skip
    if known.entry is None or section_misfits(form):
        return
    day = day_of(subject.at)
    found = (
        standing_misfit(form, known.entry), window_misfit(form, known.entry, day, subject.scheme),
        *misfits(form, known.entry),
    )  # fmt: skip
    for misfit in found:
        if misfit is not None:
            yield _misfit(misfit, Level.RED)


def _misfit(item: Misfit, level: Level) -> Finding:
    return Finding(item.rule, level, item.field, item.zh, f"{item.en[:1].upper()}{item.en[1:]}.")


def register(subject: Subject) -> Iterator[Finding]:
    """PC-24 to PC-27: what the register and the signatures say."""
    form, known = subject.form, subject.known
    for right, where in known.registered:
        name = subject.scheme.right_names[right]
        yield Finding(
            "PC-24", Level.RED, "rights", f"同一申请人就该数据的{name}已登记或在办：{where}。请勿重复申请。",
            f"The same applicant has {right.value} in this data registered or pending: {where}. Do not file it twice.",
        )  # fmt: skip
    for where in known.similar:
        yield Finding(
            "PC-25", Level.ADVICE, "description.content", f"发现相似数据的登记{where}，将转人工核对。",
            f"Registration {where} is of the same or similar data; a person will compare them.",
        )  # fmt: skip
    for where in known.disputes:
        yield Finding(
            "PC-26", Level.RED, "description.content", f"该数据存在尚未解决的权属纠纷或异议。（{where}）请先行解决。",
            f"A dispute or objection about this data is open ({where}): settle it first.",
        )  # fmt: skip
    if known.signed is None or (form.representative is not None and form.representative.id_no in known.signed):
        return
    for position, person in enumerate(form.applicants):
        if person.identity not in known.signed:
            yield Finding(
                "PC-27", Level.STOP, f"applicants[{position}]", f"{person.name}尚未签署。",
                f"Not signed yet: {person.name}.",
            )  # fmt: skip


def dates(subject: Subject) -> Iterator[Finding]:
    """PC-32: can the expected dates be computed, if it is filed today?"""
    calendar, scheme = subject.known.calendar, subject.scheme
    if calendar is None:
        return
    try:
        accepted = deemed_acceptance(day_of(subject.at), scheme, calendar)
        completion(period("C06", accepted, scheme, calendar), scheme, calendar)
    except CalendarPending as pending:
        yield Finding(
            "PC-32", Level.ADVICE, "scheme", f"{pending.year}年工作日安排未公布，预计日期暂不能计算。",
            f"The working days of {pending.year} are not published; expected dates cannot be computed yet.",
        )  # fmt: skip


Check = Callable[[Subject], Iterator[Finding]]
COMMON: tuple[Check, ...] = (section, identity, data, papers, register, dates)
CHECKS: Mapping[RegistrationType, tuple[Check, ...]] = {
    RegistrationType.INITIAL: (*COMMON, ground, rights),
    RegistrationType.TRANSFER: (*COMMON, later),
    RegistrationType.CHANGE: (*COMMON, later),
    RegistrationType.RENEWAL: (*COMMON, later, term),
    RegistrationType.CANCELLATION: (*COMMON, later),
}
"""What is looked at, by type of registration; a later one restates rights that were judged when they were entered."""


def _last_allowed_day(subject: Subject) -> str:
    form = subject.form
    by_term = add_years(day_of(subject.at), subject.scheme.max_years).isoformat()
    return min(by_term, form.authorised_until) if form.authorised_until else by_term


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _empty(where: str, label: str, level: Level) -> Finding:
    return Finding("PC-01", level, where, f"{label}未填写。", f"{where} is empty: fill it in.")
