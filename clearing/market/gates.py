"""预检: everything a machine can say against a listing, as one table; every defect is told at once.

A row stops the listing, sends it to the substantive review, or is advice. The gates are those of exchange.md §8.4 that
close at listing (L); G10, the opinion on this very version, is asked by `listing_moves.check_opinion` when somebody
approves. The table is asked at submission, approval, resumption and when a notice is called off, always with that day's
rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from clearing.errors import BadTerms
from clearing.market import sample as samples
from clearing.market.errors import GateRefused
from clearing.market.listing import Listing, PriceRegime, ProductType, Title, check_title
from clearing.market.product import (
    CONTROLLED,
    LEVEL_ORDER,
    Circulation,
    Level,
    Masking,
    Mode,
    Origin,
    Period,
    Persons,
    day_from,
)
from clearing.market.sample import Draw
from clearing.market.venue import regimes_of, venue_of
from registry.calendar import add_years, day_of
from registry.industry import TABLES
from registry.precheck import missing_elements
from registry.rights import RIGHT_NAMES, Right, SourceKind
from registry.scheme import NATIONAL_2026

INDUSTRIES = TABLES["GB/T 4754-2017"]
CODES = dict(INDUSTRIES.names())
OPERATION_YEARS = 5
"""An authorisation of public data runs for at most so long (G8)."""
DESCRIBED = frozenset(
    {ProductType.DATASET, ProductType.TABLE, ProductType.ELEMENT, ProductType.API, ProductType.STREAM}
)
"""Types that are sold by their fields, so that the fields must be listed."""
RESULTS = frozenset({ProductType.REPORT, ProductType.MODEL, ProductType.ELEMENT, ProductType.SERVICE})
"""Types that hand over a result or a component, never the data (G3, P)."""
MODES: Mapping[ProductType, frozenset[Mode]] = {
    ProductType.DATASET: frozenset({Mode.PUSH, Mode.PRIVATE, Mode.CUSTODY}),
    ProductType.TABLE: frozenset({Mode.PUSH, Mode.PRIVATE, Mode.CUSTODY}),
    ProductType.REPORT: frozenset({Mode.REPORT, Mode.PUSH}),
    ProductType.ELEMENT: frozenset({Mode.API, Mode.PUSH, Mode.PRIVATE, Mode.CUSTODY}),
    ProductType.CUSTOM: frozenset(Mode),
    ProductType.API: frozenset({Mode.API, Mode.AGENT}),
    ProductType.STREAM: frozenset({Mode.STREAM}),
    ProductType.MODEL: frozenset({Mode.PRIVATE, Mode.AGENT, Mode.API}),
    ProductType.SERVICE: frozenset(Mode),
}
"""How each type can be delivered (P)."""


class Weight(StrEnum):
    """What a defect does: stop the listing, send it to the substantive review, or advise."""

    STOP = "stop"
    REVIEW = "review"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing found: the row's code and gate ("" for a plain rule), the field, and what is wrong, in both tongues."""

    code: str
    gate: str
    weight: Weight
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A listing with what is known at `at` (seconds UTC): titles by certificate code, as the seller has them; the draw
    its sample names; the version on the shelf before it."""

    listing: Listing
    at: int
    titles: Mapping[str, Title | None]
    draw: Draw | None = None
    before: Listing | None = None
    day: date = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "day", day_of(self.at))


Found = tuple[str, str, object]
"""A field, what was expected of it, and what was given."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: its code, gate and weight, what it demands in both languages, and the question."""

    code: str
    gate: str
    weight: Weight
    zh: str
    en: str
    ask: Callable[[Asked], Iterator[Found]]


def defects(asked: Asked) -> tuple[Defect, ...]:
    """Everything found, in the order of the table."""
    return tuple(
        Defect(
            rule.code, rule.gate, rule.weight, f"body.{where}" if not where.startswith("certificate") else where,
            f"{rule.zh}，应为 {expected}，实为 {given}", f"{rule.en}: expected {expected}, given {given}",
        )
        for rule in RULES
        for where, expected, given in rule.ask(asked)
    )  # fmt: skip


def stopping(found: tuple[Defect, ...]) -> tuple[Defect, ...]:
    """Those that stop the listing."""
    return tuple(item for item in found if item.weight is Weight.STOP)


def substantive(listing: Listing) -> tuple[str, ...]:
    """Why this version needs the substantive review, Chinese; empty if the formal one is enough."""
    reasons = (
        (listing.type is ProductType.ELEMENT, "数据元件"),
        (listing.provenance.origin is Origin.PUBLIC or listing.commerce.operation is not None, "公共数据"),
        (is_personal(listing), "个人信息"),
        (LEVEL_ORDER[highest_level(listing)] >= LEVEL_ORDER[Level.IMPORTANT], "分级达到重要"),
        (over_threshold(listing.security.persons), "敏感信息数量达到阈值"),
    )
    return tuple(text for there, text in reasons if there)


def over_threshold(persons: Persons | None) -> bool:
    """G5: n₁/50 + n₂/500 + n₃/5000 ≥ 1, with half the thresholds for what was got on duty. Exact, in integers."""
    if persons is None:
        return False
    weighed = 100 * persons.most_sensitive + 10 * persons.sensitive + persons.other
    return weighed * (2 if persons.on_duty else 1) >= 5_000


def highest_level(listing: Listing) -> Level:
    """The level of the whole or of its highest field, whichever is higher (G2)."""
    levels = [listing.security.level, *(item.level for item in listing.content.fields)]
    return max(levels, key=LEVEL_ORDER.__getitem__)


def is_personal(listing: Listing) -> bool:
    """Does the data tell of persons, or did it before it was masked (G4)?"""
    return (
        listing.provenance.origin is Origin.PERSONAL
        or any(item.personal for item in listing.content.fields)
        or listing.security.masking is not Masking.NOT_PERSONAL
    )


# The rows, in the order of the groups of §2.2, then the gates.


def _name(asked: Asked) -> Iterator[Found]:
    for element in missing_elements(asked.listing.name, NATIONAL_2026.name_elements):
        yield "name", f"含“{element.name}”要素 / {element.en}", asked.listing.name


def _industry(asked: Asked) -> Iterator[Found]:
    if asked.listing.content.industry not in CODES:
        yield "content.industry", f"{INDUSTRIES.id} 大类代码，如 G56 / a division code", asked.listing.content.industry


def _days(asked: Asked) -> Iterator[Found]:
    listing, read = asked.listing, dict[str, date]()
    operation, quality, preview = listing.commerce.operation, listing.quality, listing.preview
    papers = {f"provenance.chain[{n}].day": paper.day for n, paper in enumerate(listing.provenance.chain)}
    papers |= {f"preview.reports[{n}].day": paper.day for n, paper in enumerate(preview.reports if preview else ())}
    if listing.security.approval:
        papers["security.approval.day"] = listing.security.approval.day
    days = {name: getattr(listing.content, name) for name in ("time_from", "time_to", "updated_on")}
    texts = {f"content.{name}": text for name, text in days.items()} | papers
    if quality:
        texts["quality.assessed_on"] = quality.assessed_on
    if operation:
        texts |= {"commerce.operation.from_day": operation.from_day, "commerce.operation.to_day": operation.to_day}
    for name, text in texts.items():
        try:
            read[name] = day_from(text, name)
        except BadTerms:
            yield name, "存在的日期 / a day that exists", text
    if listing.content.time_from > listing.content.time_to:
        yield "content.time_from", f"≤ {listing.content.time_to}", listing.content.time_from
    for name in ("content.updated_on", "quality.assessed_on", *papers):
        if name in read and read[name] > asked.day:
            yield name, f"≤ {asked.day}，不晚于当日 / not after today", read[name]


def _fields(asked: Asked) -> Iterator[Found]:
    listed, kind = asked.listing.content.fields, asked.listing.type
    if kind in DESCRIBED and not listed:
        yield "content.fields", f"{kind.value} 须列出字段 / the fields of the data", "无 / none"
    names = [item.name for item in listed]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "content.fields", "字段名不重复 / each field once", name
    if len(set(asked.listing.content.tags)) != len(asked.listing.content.tags):
        yield "content.tags", "标签不重复 / each tag once", "重复 / repeated"


def _delivery(asked: Asked) -> Iterator[Found]:
    kind, delivery = asked.listing.type, asked.listing.delivery
    for mode in delivery.modes:
        if mode not in MODES[kind]:
            yield "delivery.modes", " | ".join(sorted(MODES[kind])), mode.value
    if kind in (ProductType.API, ProductType.STREAM) and delivery.interface is None:
        yield "delivery.interface", "接口说明 / a description of the interface", "无 / none"


def _kind(asked: Asked) -> Iterator[Found]:
    content, kind = asked.listing.content, asked.listing.type
    if (content.element is None) is (kind is ProductType.ELEMENT):
        expected = "数据集型 | 数据特征型" if kind is ProductType.ELEMENT else "仅数据元件填写 / elements only"
        yield "content.element", expected, content.element or "无 / none"
    if content.dataset_class is not None and kind is not ProductType.DATASET:
        yield "content.dataset_class", "仅数据集填写 / data sets only", content.dataset_class.value
    if content.period is Period.NEVER and kind is ProductType.STREAM:
        yield "content.period", "消息流有更新周期 / a stream is updated", content.period.value


def _quality(asked: Asked) -> Iterator[Found]:
    quality = asked.listing.quality
    if quality is None:
        return
    if (quality.grade is None) is quality.conforms:
        expected = "符合性通过时的等级 / a grade" if quality.conforms else "不符合时无等级 / none"
        yield "quality.grade", expected, quality.grade.value if quality.grade else "无 / none"
    if quality.assessor == asked.listing.seller:
        yield "quality.assessor", "卖方以外的评估机构 / an assessor who is not the seller", quality.assessor


def _sources(asked: Asked) -> Iterator[Found]:
    listing = asked.listing
    derived = listing.provenance.source_kind is SourceKind.DERIVED
    if derived and not listing.sources:
        yield "sources", "衍生创造须列明来源凭证 / the certificates it is derived from", "无 / none"
    if listing.certificate in listing.sources:
        yield "sources", "不含本产品自身的凭证 / not its own certificate", listing.certificate
    if listing.provenance.source_kind is SourceKind.CONTRACT and not listing.provenance.chain:
        yield "provenance.chain", "协议取得须列明授权链条 / the chain of authorisation", "无 / none"


def _persons(asked: Asked) -> Iterator[Found]:
    security, origin = asked.listing.security, asked.listing.provenance.origin
    told = origin is Origin.PERSONAL or any(item.personal for item in asked.listing.content.fields)
    if told and security.masking is Masking.NOT_PERSONAL:
        yield "security.masking", "个人信息的处理方式 / what was done to personal data", security.masking.value
    if security.masking in (Masking.DEIDENTIFIED, Masking.ANONYMOUS) and not security.method.strip():
        yield "security.method", f"{security.masking.value}的方法 / the method", "空 / empty"
    if security.masking in (Masking.PLAIN, Masking.DEIDENTIFIED) and security.persons is None:
        yield "security.persons", "各类敏感信息的条数 / how many records of each kind", "无 / none"


def _guide(asked: Asked) -> Iterator[Found]:
    if asked.listing.regime is PriceRegime.GUIDED and not asked.listing.guide_price:
        yield "guide_price", "政府指导价的依据 / the guide price it rests on", "空 / empty"


def _interface(asked: Asked) -> Iterator[Found]:
    before, listing = asked.before, asked.listing
    if before is not None and before.delivery.interface != listing.delivery.interface and not listing.migration_guide:
        yield "migration_guide", "接口变更须附迁移指南 / a guide where the interface changes", "空 / empty"
    if before is not None and (before.type, before.unit) != (listing.type, listing.unit):
        yield "type", f"{before.type.value} · {before.unit}，与在架版本一致 / as on the shelf", listing.unit


def _statistics(asked: Asked) -> Iterator[Found]:
    preview = asked.listing.preview
    for place, statistic in enumerate(preview.statistics if preview else ()):
        for expected, given in samples.leaks(statistic):
            yield f"preview.statistics[{place}]", expected, given


def _sample(asked: Asked) -> Iterator[Found]:
    preview = asked.listing.preview
    sample = preview.sample if preview else None
    if sample is None:
        return
    draw = asked.draw
    if draw is None or draw.root is None or draw.head is None:
        yield "preview.sample.announcement", "已入树头的公告 / an announcement under a head", sample.announcement
        return
    value, listing = draw.value, asked.listing
    announced = (value.seller, value.certificate, value.content)
    if announced != (listing.seller, listing.certificate, listing.content.digest):
        yield "preview.sample.announcement", "本产品数据的公告 / an announcement of this data", value.content.sha256
    if (sample.head, sample.root) != (draw.head, draw.root):
        yield "preview.sample.head", f"{draw.head}，首个覆盖公告的树头 / the first head over it", sample.head
    if sample.expires <= asked.at:
        yield "preview.sample.expires", f"> {asked.at}", sample.expires


def _title(asked: Asked) -> Iterator[Found]:
    yield from _closed(asked, asked.listing.certificate, asked.listing.right, "G1")


def _content(asked: Asked) -> Iterator[Found]:
    title = asked.titles.get(asked.listing.certificate)
    if title is not None and title.content != asked.listing.content.digest.sha256:
        expected = f"{title.content}，凭证登记的数据 / the data of the certificate"
        yield "content.digest.sha256", expected, asked.listing.content.digest.sha256


def _element_sources(asked: Asked) -> Iterator[Found]:
    for source in asked.listing.sources if asked.listing.type is ProductType.ELEMENT else ():
        yield from _closed(asked, source, Right.USE, "G1")


def _burden(asked: Asked) -> Iterator[Found]:
    yield from _closed(asked, asked.listing.certificate, asked.listing.right, "G9")


def _closed(asked: Asked, certificate: str, right: Right, gate: str) -> Iterator[Found]:
    """What `check_title` refuses, as a finding: one rule for listing and signing."""
    title = asked.titles.get(certificate)
    try:
        if gate == "G1" and right is Right.USE and title is not None and title.in_force:
            # An element's maker needs a right of use in the source, not the source itself.
            if right not in title.rights:
                yield "certificate.rights", f"{certificate}: {RIGHT_NAMES[right]}", sorted(title.rights) or "无 / none"
            return
        check_title(title, certificate, asked.listing.seller, right)
    except GateRefused as refused:
        if refused.gate == gate:
            yield refused.field, f"{certificate}: {refused.expected}", refused.given


def _level(asked: Asked) -> Iterator[Found]:
    listing, security = asked.listing, asked.listing.security
    highest = highest_level(listing)
    if highest is Level.CORE:
        yield "security.level", "核心数据不得上架 / core data is not listed", highest.value
    if LEVEL_ORDER[security.level] < LEVEL_ORDER[highest]:
        yield "security.level", f"≥ {highest.value}，不低于字段最高级 / no lower than its fields", security.level.value
    if highest is Level.IMPORTANT:
        for environment in sorted(set(listing.use.environments) - CONTROLLED):
            yield "use.environments", "受控环境 / a controlled environment", environment.value
        if security.approval is None:
            yield "security.approval", "主管方批准 / the regulator's approval", "无 / none"


def _circulation(asked: Asked) -> Iterator[Found]:
    security, kind = asked.listing.security, asked.listing.type
    if security.circulation is Circulation.NONE:
        yield "security.circulation", "可交易 / tradable", security.circulation.value
    if security.circulation is Circulation.INDIRECT and kind not in RESULTS:
        yield "type", f"{' | '.join(sorted(RESULTS))}，只作为结果或元件 / a result or component", kind.value


def _threshold(asked: Asked) -> Iterator[Found]:
    if over_threshold(asked.listing.security.persons):
        yield "security.persons", "n₁/50 + n₂/500 + n₃/5000 < 1", "≥ 1"


def _operation(asked: Asked) -> Iterator[Found]:
    listing, operation = asked.listing, asked.listing.commerce.operation
    if operation is None:
        if listing.provenance.origin is Origin.PUBLIC:
            yield "commerce.operation", "公共数据授权运营的授权 / the authorisation to operate", "无 / none"
        return
    try:
        first, last = day_from(operation.from_day, "from_day"), day_from(operation.to_day, "to_day")
    except BadTerms:
        return
    if not first <= asked.day <= last:
        yield "commerce.operation", f"{asked.day} 有效 / in force", f"{first} – {last}"
    if last >= add_years(first, OPERATION_YEARS):
        yield "commerce.operation.to_day", f"< {add_years(first, OPERATION_YEARS)}，不超过 {OPERATION_YEARS} 年", last


def _regime(asked: Asked) -> Iterator[Found]:
    listing = asked.listing
    allowed = regimes_of(asked.day, listing.commerce.operation)
    if listing.regime not in allowed:
        yield "regime", " | ".join(sorted(allowed)), listing.regime.value
    operation = listing.commerce.operation
    if operation is not None and listing.regime is PriceRegime.GUIDED and not operation.cap:
        yield "commerce.operation.cap", "价格上限 / the price cap", "空 / empty"


def _venue(asked: Asked) -> Iterator[Found]:
    commerce = asked.listing.commerce
    venue, rules = venue_of(asked.day, commerce.jurisdiction, commerce.operation, commerce.seller_kind)
    if rules and asked.listing.venue is not venue:
        yield "venue", f"{venue.value}（{'、'.join(rules)}）", asked.listing.venue.value


STOP, REVIEW, ADVICE = Weight
RULES: tuple[Rule, ...] = (
    Rule("LP-01", "", ADVICE, "名称宜含时间、地域、行业、内容、类型", "elements of the name", _name),
    Rule("LP-02", "", STOP, "所属行业", "industry in the table", _industry),
    Rule("LP-03", "", STOP, "日期", "days", _days),
    Rule("LP-04", "", STOP, "字段与标签", "fields and tags", _fields),
    Rule("LP-05", "", STOP, "交付方式", "delivery", _delivery),
    Rule("LP-06", "", STOP, "类型要素", "what its type asks for", _kind),
    Rule("LP-07", "", STOP, "质量", "quality", _quality),
    Rule("LP-08", "", STOP, "来源与授权链条", "sources and authorisation", _sources),
    Rule("LP-09", "", STOP, "个人信息", "personal data", _persons),
    Rule("LP-10", "", STOP, "指导价依据", "guide price", _guide),
    Rule("LP-11", "", STOP, "新版本", "a new version", _interface),
    Rule("LP-12", "", STOP, "预览统计", "statistics of the preview", _statistics),
    Rule("LP-13", "", STOP, "固定样例", "fixed sample", _sample),
    Rule("LP-14", "G1", STOP, "登记凭证与经营权", "certificate and right to operate", _title),
    Rule("LP-15", "G1", STOP, "数据与凭证一致", "the data is that of the certificate", _content),
    Rule("LP-16", "G1", STOP, "元件来源的使用权", "right of use in each source of an element", _element_sources),
    Rule("LP-17", "G2", STOP, "数据分级", "level of the data", _level),
    Rule("LP-18", "G3", STOP, "流通类型", "circulation", _circulation),
    Rule("LP-19", "G5", REVIEW, "敏感信息数量", "number of sensitive records", _threshold),
    Rule("LP-20", "G8", STOP, "公共数据授权", "authorisation of public data", _operation),
    Rule("LP-21", "G8", STOP, "价格机制", "price regime", _regime),
    Rule("LP-22", "G8", STOP, "交易场所", "venue", _venue),
    Rule("LP-23", "G9", STOP, "负担与冻结", "encumbrance", _burden),
)
"""The pre-check, row by row."""
