"""登记预检: what a machine can say about a form before anybody reads it (registration.md 4.5).

S findings stop submission because the form cannot be read, signed or attributed. R findings make 补正 or 不予登记
likely but may still be submitted; W is advice. Software never refuses on substance (art. 17).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ledger.errors import FieldError
from registry.asset import content_is_consistent
from registry.calendar import add_years, day_of
from registry.certificate import InForce
from registry.form import (
    Form,
    PublicData,
    RegistrationType,
    applicant_ids,
    attachment_kinds,
    held_by_applicants,
    right_gaps,
)
from registry.party import IdType, PartyKind, resident_id_is_valid, uscc_is_valid
from registry.rights import MATRIX, RIGHT_NAMES
from registry.scheme import Scheme
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

_ATTRIBUTION = (("name", "申请人名称"), ("id_no", "证件号码"), ("contact", "联系人"), ("phone", "联系电话"))


def precheck(
    form: Form, scheme: Scheme, at: int, entry: InForce | None = None, blocked: tuple[str, ...] = ()
) -> tuple[Finding, ...]:
    """Every finding about `form` as it stands at `at` (seconds UTC), most serious first.

    `entry` is the certificate that a later registration is about, `blocked` what hangs on it and is in the way; without
    them what depends on the register is unsaid.
    """
    first = form.type is RegistrationType.INITIAL
    ground = (*_ground(form), *_rights(form, scheme, at)) if first else _later(form, scheme, at, entry, blocked)
    found = (*_section(form), *_identity(form), *_data(form, scheme), *_row_per_right(form), *ground, *_papers(form))
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


def _identity(form: Form) -> Iterator[Finding]:
    for position, person in enumerate(form.applicants):
        where = f"applicants[{position}]"
        for name, label in _ATTRIBUTION:
            if not getattr(person, name).strip():
                yield _empty(f"{where}.{name}", label, Level.STOP)
        if not person.address.strip():
            yield _empty(f"{where}.address", "联系地址", Level.RED)
        if person.business is None and person.kind is not PartyKind.NATURAL:
            yield _empty(f"{where}.business", "经营情况", Level.RED)
        bad = (person.id_type is IdType.USCC and not uscc_is_valid(person.id_no)) or (
            person.id_type is IdType.RESIDENT and not resident_id_is_valid(person.id_no)
        )
        if bad:
            yield Finding(
                "PC-02" if person.id_type is IdType.USCC else "PC-03", Level.STOP, f"{where}.id_no",
                "统一社会信用代码（身份证件号码）格式或校验位不正确，请核对证照。",
                "The identity number has a wrong form or check digit.",
            )  # fmt: skip
        if (person.kind is PartyKind.NATURAL) == (person.id_type is IdType.USCC):
            yield Finding(
                "PC-04", Level.RED, f"{where}.id_type", "申请人类型与证件类型不一致。", "Party kind and id type differ."
            )
    if form.agency in applicant_ids(form):
        yield Finding(
            "PC-15", Level.RED, "applicants", "登记机构不得作为登记申请人在本登记机构申请登记。",
            "An agency may not apply to itself.",
        )  # fmt: skip


def _data(form: Form, scheme: Scheme) -> Iterator[Finding]:
    data = form.description
    if not data.data_name.strip():
        yield _empty("description.data_name", "数据名称", Level.STOP)
    for name, label in (("overview", "数据概述"), ("industry", "所属行业")):
        if not getattr(data, name).strip():
            yield _empty(f"description.{name}", label, Level.RED)
    if not data.volume:
        yield _empty("description.volume", "数据量", Level.RED)
    advice = (
        ("PC-05", "data_name", "数据名称", data.data_name, scheme.name_advice),
        ("PC-07", "overview", "数据概述", data.overview, scheme.overview_advice),
    )
    for rule, name, label, text, limit in advice:
        count = characters(text)
        if count > limit:
            yield Finding(
                rule, Level.ADVICE, f"description.{name}", f"{label}共{count}字，不宜超过{limit}个字。",
                f"{count} characters; more than {limit} is not advisable.",
            )  # fmt: skip
    for name in ("time_from", "time_to"):
        if not _is_day(getattr(data, name)):
            yield Finding("PC-09", Level.STOP, f"description.{name}", "日期不存在。", "There is no such day.")
    if data.time_from > data.time_to:
        yield Finding(
            "PC-09", Level.RED, "description.time_from", "时域范围起止颠倒。", "The time span runs backwards."
        )
    if not data.limits.strip():
        yield Finding(
            "PC-20",
            Level.RED,
            "description.limits",
            "限制范围为空；如没有请填“无”。",
            "Limits are empty; write 无 if none.",
        )
    if not content_is_consistent(data.content):
        yield Finding(
            "PC-22", Level.STOP, "description.content", "数据文件清单与内容摘要不一致，请重新计算。",
            "The content digest does not belong to the manifest.",
        )  # fmt: skip


def _ground(form: Form) -> Iterator[Finding]:
    declared = form.declarations
    if declared.public_data is PublicData.DUTY:
        yield Finding(
            "PC-13", Level.RED, "declarations.public_data",
            "党政机关履职数据（含委托或授权代为收集的数据）不进行数据产权登记。",
            "Data of public duty is not registered (art. 15(1)).",
        )  # fmt: skip
    if declared.public_data is PublicData.OPERATED and not declared.public_data_no.strip():
        yield Finding(
            "PC-14", Level.RED, "declarations.public_data_no", "公共数据产品和服务应先在公共数据资源登记平台完成登记。",
            "Public data products are registered on the public data platform first (art. 15(2)).",
        )  # fmt: skip
    if MATRIX[form.right_basis].needs_source_use and not form.description.sources:
        yield Finding(
            "PC-11", Level.RED, "description.sources", "登记衍生数据须列明原始数据的登记凭证。",
            "Derived data names the certificates of its sources.",
        )  # fmt: skip


def _rights(form: Form, scheme: Scheme, at: int) -> Iterator[Finding]:
    if not form.rights:
        yield Finding("PC-17", Level.RED, "rights", "请至少选择一项权利。", "Choose at least one right.")
    holders = {row.holder_id for row in held_by_applicants(form)}
    if form.rights and holders != applicant_ids(form):
        yield Finding(
            "PC-19", Level.RED, "rights", "权利配置说明应包含登记申请人并填写权利类型、期限、限制。",
            "Every applicant has a row in the table of rights.",
        )  # fmt: skip
    messages = {
        "PC-10": ("按“{basis}”不可登记{right}：{detail}。", "Ground {basis} does not allow {code}."),
        "PC-11": ("登记{right}须提交：{detail}。", "A proof for {code} is missing on ground {basis}."),
        "PC-12": ("登记经营权须取得其他参与方{detail}同意。", "The consent of a fusion party is missing for {code}."),
    }
    for gap in right_gaps(form):
        zh, en = messages[gap.rule]
        words = {
            "basis": form.right_basis.value,
            "right": RIGHT_NAMES[gap.right],
            "detail": gap.detail,
            "code": gap.right.value,
        }
        yield Finding(gap.rule, Level.RED, "rights", zh.format(**words), en.format(**words))
    yield from _term(form, scheme, at)


def _term(form: Form, scheme: Scheme, at: int) -> Iterator[Finding]:
    last = _last_allowed_day(form, scheme, at)
    asked = add_years(day_of(at), form.years)
    too_long = form.years > scheme.max_years or (form.authorised_until and form.authorised_until < asked.isoformat())
    if too_long:
        yield Finding("PC-18", Level.RED, "years", f"申请有效期超过{last}。", f"The term asked for ends after {last}.")


def _section(form: Form) -> Iterator[Finding]:
    """A form with the section of another type, or with one side of a transfer, cannot be attributed."""
    for item in section_misfits(form):
        yield _finding(item, Level.STOP)


def _finding(item: Misfit, level: Level) -> Finding:
    return Finding(item.rule, level, item.field, item.zh, f"{item.en[:1].upper()}{item.en[1:]}.")


def _row_per_right(form: Form) -> Iterator[Finding]:
    keys = [(row.holder_id, row.right) for row in form.rights]
    if len(keys) != len(set(keys)):
        yield Finding(
            "PC-19", Level.STOP, "rights", "同一权利人的同一权利只填一行。", "One row for each right of each holder."
        )


def _later(form: Form, scheme: Scheme, at: int, entry: InForce | None, blocked: tuple[str, ...]) -> Iterator[Finding]:
    """PC-24, PC-28 to PC-31: what a 转让, 变更, 续期 or 注销 may not ask for. Only what cannot be read stops it."""
    if form.type is RegistrationType.RENEWAL:
        yield from _term(form, scheme, at)
    for reason in blocked:
        yield Finding(
            "PC-28",
            Level.RED,
            "certificate",
            f"该凭证存在限制：{reason}。",
            f"The certificate is restricted: {reason}.",
        )
    if entry is None or section_misfits(form):
        return
    found = (
        standing_misfit(form, entry), window_misfit(form, entry, day_of(at), scheme), *misfits(form, entry),
    )  # fmt: skip
    for misfit in found:
        if misfit is not None:
            yield _finding(misfit, Level.RED)


def _papers(form: Form) -> Iterator[Finding]:
    needed = [*TYPE_PAPERS[form.type]]
    if form.cancellation is not None and form.cancellation.reason == "Z-02":
        needed.append(EXTINCTION_PROOF)
    if form.representative is not None:
        needed.append(PROXY)
    if form.declarations.personal_info or form.declarations.important_data:
        needed.append(COMPLIANCE_PROOF)
    for kind in needed:
        if kind not in attachment_kinds(form):
            yield Finding("PC-21", Level.RED, "attachments", f"缺少材料：{kind}。", f"A paper is missing: {kind}.")


def _last_allowed_day(form: Form, scheme: Scheme, at: int) -> str:
    by_term = add_years(day_of(at), scheme.max_years).isoformat()
    return min(by_term, form.authorised_until) if form.authorised_until else by_term


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _empty(field: str, label: str, level: Level) -> Finding:
    return Finding("PC-01", level, field, f"{label}未填写。", f"{field} is empty.")
