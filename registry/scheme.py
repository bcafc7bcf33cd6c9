"""Which rule set a case follows: clocks, limits and papers as data; a case keeps the scheme of its submission day.

Only the national guide is laid down here. It names no effective date, so `effective_from` is a parameter of ours
(default 2026-07-01, unverified). Papers say 参照, never 符合.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.errors import FieldError


class Unit(StrEnum):
    """How a clock counts."""

    WORKING_DAY = "工作日"
    MONTH = "月"
    YEAR = "年"


class Announce(StrEnum):
    """公示 of a type of registration: always, only if a published item changes, or never."""

    REQUIRED = "required"
    PUBLISHED_ITEMS = "published_items"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock: what starts it, its length, what happens at its end, and the article (P: a reading of ours)."""

    name: str
    trigger: str
    length: int
    unit: Unit
    on_expiry: str
    basis: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """A rule set. Days are ISO dates; lengths are counted in the unit of their clock.

    `validity_end` is "day_before" (anniversary − 1, inclusive) or "same_day"; neither exceeds `max_years`.
    """

    id: str
    title: str
    source: str
    effective_from: str
    effective_to: str
    steps: tuple[str, ...]
    clocks: Mapping[str, Clock]
    max_extension: int
    max_years: int
    validity_end: str
    name_advice: int
    overview_advice: int
    paper: str
    publicity: Mapping[str, Announce]

    def publicity_required(self, name: str) -> Announce:
        """Whether this type of registration is published. The guide exempts none but says so only of the first (P)."""
        return self.publicity[name]


NATIONAL_2026 = Scheme(
    id="national_2026",
    title="《数据产权登记工作指引（试行）》",
    source="国数综政策〔2026〕35号",
    effective_from="2026-07-01",
    effective_to="",
    steps=("申请", "受理", "审查", "公示", "异议处理", "信息存证", "凭证核发"),
    clocks={
        "C01": Clock("受理告知", "收到申请材料", 3, Unit.WORKING_DAY, "视为受理 I-08", "G17"),
        "C02": Clock("补正期限", "补正告知", 10, Unit.WORKING_DAY, "视为未提出申请 I-06", "G17, P"),
        "C03": Clock("办结", "受理", 10, Unit.WORKING_DAY, "超期提醒", "G28"),
        "C05": Clock("补充材料", "补充通知", 10, Unit.WORKING_DAY, "可终止，须具备两项条件", "G18, P"),
        "C06": Clock("公示期", "发布公示", 5, Unit.WORKING_DAY, "公示结束 I-18", "G24"),
        "C07": Clock("异议调查", "收到异议", 10, Unit.WORKING_DAY, "超期提醒", "G25"),
        "C08": Clock("有效期", "存证", 5, Unit.YEAR, "届满", "G26"),
        "C09": Clock("续期窗口", "有效期届满前", 6, Unit.MONTH, "届满前一日", "G36"),
        "C11": Clock("异议通知", "收到齐全的异议材料", 5, Unit.WORKING_DAY, "超期提醒", "G29"),
        "C12": Clock("异议答复", "通知登记申请人", 10, Unit.WORKING_DAY, "转入调查 O-06", "P"),
    },
    max_extension=10,
    max_years=5,
    validity_end="day_before",
    name_advice=40,
    overview_advice=400,
    paper="数据产权登记凭证",
    publicity={
        "初次登记": Announce.REQUIRED,
        "转让登记": Announce.REQUIRED,
        "变更登记": Announce.PUBLISHED_ITEMS,
        "续期登记": Announce.REQUIRED,
        "注销登记": Announce.NONE,
    },
)

SCHEMES: Mapping[str, Scheme] = {NATIONAL_2026.id: NATIONAL_2026}


def scheme_of(scheme_id: str, day: str = "") -> Scheme:
    """The scheme with this id, in force on `day` (ISO; "" asks no date). Raises `FieldError`."""
    scheme = SCHEMES.get(scheme_id)
    if scheme is None:
        raise FieldError("scheme", " | ".join(sorted(SCHEMES)), repr(scheme_id)[:40])
    if day and (day < scheme.effective_from or (scheme.effective_to and day > scheme.effective_to)):
        raise FieldError("scheme", f"{scheme.id} 自 {scheme.effective_from} 起 / in force from then", day)
    return scheme
