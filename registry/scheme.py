"""Which rule set a case follows: steps, clocks, limits, matrix, reasons and papers as data (registration.md 7.1).

Every rule set is a file in `registry/rules/`, read and checked here at import. A case keeps the version that was in
force on the day it was submitted. What a source does not say is absent, never invented: asking for it raises
`NotDefined`, so a rule set cannot be used for a step it does not define. The national guide names no effective date,
so `effective_from` is a parameter of ours (2026-07-01, unverified). Papers say 参照, never 符合.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError
from ledger.reading import read
from registry.asset import Twin
from registry.errors import NotDefined
from registry.industry import TABLES, Industries
from registry.rights import Basis, Ground, Right, Verdict
from registry.rulefile import documents, rule_documents

TAG = "rule-set/v1"

Text = Annotated[str, Meta(min_length=1, max_length=500)]
DayOrNone = Annotated[str, Meta(pattern=r"^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?\Z")]
V = TypeVar("V")

PROCEDURE = ("申请", "受理", "审查", "公示", "异议处理", "信息存证", "凭证核发")
"""The seven steps of art. 14, which `registry.application` runs."""


class Unit(StrEnum):
    """How a clock counts."""

    WORKING_DAY = "工作日"
    DAY = "日"
    MONTH = "月"
    YEAR = "年"


class Direction(StrEnum):
    """Whether a period runs on from its trigger, or must lie before it (art. 12, 36)."""

    AFTER = "after"
    BEFORE = "before"


class Bound(StrEnum):
    """Whether the length is what it is, the most there may be, or the least."""

    EXACTLY = "exactly"
    AT_MOST = "at most"
    AT_LEAST = "at least"


class Announce(StrEnum):
    """公示 of a type of registration: always, only if a published item changes, or never."""

    REQUIRED = "required"
    PUBLISHED_ITEMS = "published_items"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock: what starts it, its length, what happens at its end, and the article (P: a reading of ours).

    `pauses` names the kinds of pause that it does not count, `stops` what ends it, `fixed` a day of the year "MM-DD".
    """

    name: Text
    trigger: Text
    length: Annotated[int, Meta(ge=0, le=1000)]
    unit: Unit
    on_expiry: Text
    basis: Text
    pauses: tuple[str, ...] = ()
    stops: str = ""
    direction: Direction = Direction.AFTER
    bound: Bound = Bound.EXACTLY
    fixed: Annotated[str, Meta(pattern=r"^((0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?\Z")] = ""


@dataclass(frozen=True, slots=True)
class TypeRule:
    """A type of registration: is it published, and may the applicant ask for no publicity? `None`: not said."""

    name: Text
    basis: Text
    publicity: Announce | None = None
    waivable: bool | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A name of a right, also an older one, and the code it means."""

    label: Text
    right: Right


@dataclass(frozen=True, slots=True)
class PublicDataRule:
    """What holds for a case of public data (art. 15); `ends_with` is the reason with which such a case ends."""

    case: Annotated[str, Meta(pattern=r"^[一二三]\Z")]
    text: Text
    registrable: bool
    needs_number: bool
    basis: Text
    ends_with: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """A ground on which an application ends, and the moves that may be based on it."""

    text: Text
    moves: tuple[Annotated[str, Meta(pattern=r"^[A-Z]-[0-9]{2}\Z")], ...]
    basis: Text


@dataclass(frozen=True, slots=True)
class NameElement:
    """An element of 数据名称 (art. 19) and the tells by which a program sees it; a tell is a guess, so advice only.

    `remainder` > 0: the element is there when so many characters are left once all other elements are taken away.
    """

    name: Text
    en: Text
    advice: Text
    patterns: tuple[Text, ...]
    words: tuple[Text, ...]
    remainder: Annotated[int, Meta(ge=0, le=40)] = 0


@dataclass(frozen=True, slots=True)
class OverviewRule:
    """What 数据概述 should cover."""

    covers: tuple[Text, ...]
    basis: Text


class Defined(dict[str, V]):
    """What a rule set lays down under names; a name it does not lay down raises `NotDefined`."""

    def __init__(self, scheme: str, zh: str, en: str, values: Mapping[str, V]) -> None:
        super().__init__(values)
        self._scheme, self._zh, self._en = scheme, zh, en

    def __missing__(self, key: str) -> V:
        raise NotDefined(self._scheme, f"{self._zh} {key}", f"{self._en} {key}")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One version of a rule set. Days are ISO dates ("": not said); lengths are counted in the unit of their clock.

    `validity` is "day_before" (anniversary − 1, inclusive) or "same_day"; neither exceeds `max_years`. `unverified`
    names fields that no official text confirms.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{2,39}\Z")]
    version: Annotated[str, Meta(pattern=r"^[0-9]{1,4}\Z")]
    title: Text
    source: Text
    steps: Annotated[tuple[Text, ...], Meta(min_length=1)]
    paper: Text
    effective_from: DayOrNone = ""
    effective_to: DayOrNone = ""
    object: str = ""
    registrar: str = ""
    types: tuple[TypeRule, ...] = ()
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    limits: Mapping[str, Annotated[int, Meta(ge=1, le=10_000)]] = field(default_factory=dict)
    validity: Annotated[str, Meta(pattern=r"^(day_before|same_day)?\Z")] = ""
    paper_kind: Annotated[str, Meta(pattern=r"^[A-Z_]{0,40}\Z")] = ""
    right_names: Mapping[str, Text] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    matrix: Mapping[str, Ground] = field(default_factory=dict)
    public_data: tuple[PublicDataRule, ...] = ()
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    name_elements: tuple[NameElement, ...] = ()
    overview: OverviewRule | None = None
    industry: str = ""
    unverified: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = (
            ("clocks", "时限", "clock"), ("limits", "限额", "limit"), ("right_names", "权利名称", "the name of right"),
            ("matrix", "来源依据", "ground of right"), ("reasons", "事由", "reason"),
        )  # fmt: skip
        for name, zh, en in names:
            object.__setattr__(self, name, Defined(self.id, zh, en, getattr(self, name)))

    @property
    def max_extension(self) -> int:
        """Working days by which 办结 may be extended in total. Raises `NotDefined`."""
        return self.limits["max_extension"]

    @property
    def max_years(self) -> int:
        """The longest validity in years. Raises `NotDefined`."""
        return self.limits["max_years"]

    @property
    def validity_end(self) -> str:
        """ "day_before" or "same_day". Raises `NotDefined`."""
        if not self.validity:
            raise NotDefined(self.id, "有效期末日", "the last day of validity")
        return self.validity

    @property
    def name_advice(self) -> int:
        """Characters of 数据名称 beyond which advice is given. Raises `NotDefined`."""
        return self.limits["name_advice"]

    @property
    def overview_advice(self) -> int:
        """Characters of 数据概述 beyond which advice is given. Raises `NotDefined`."""
        return self.limits["overview_advice"]

    @property
    def industries(self) -> Industries | None:
        """The table of industries the form refers to."""
        return TABLES.get(self.industry)

    def require_steps(self, steps: Iterable[str] = PROCEDURE) -> None:
        """Raises `NotDefined` unless the rule set defines all these steps."""
        missing = [step for step in steps if step not in self.steps]
        if missing:
            raise NotDefined(self.id, f"步骤 {'、'.join(missing)}", f"the steps {', '.join(missing)}")

    def type_rule(self, name: str) -> TypeRule:
        """The rule for a type of registration. Raises `NotDefined`."""
        for rule in self.types:
            if rule.name == name:
                return rule
        raise NotDefined(self.id, f"登记类型 {name}", f"type of registration {name}")

    def publicity_required(self, name: str) -> Announce:
        """Whether this type of registration is published. Raises `NotDefined`."""
        announced = self.type_rule(name).publicity
        if announced is None:
            raise NotDefined(self.id, f"{name}是否公示", f"publicity of {name}")
        return announced

    def right_of(self, label: str) -> Right:
        """The code of a right by any of its names, old ones too. Raises `NotDefined`."""
        for known in self.labels:
            if known.label == label.strip():
                return known.right
        raise NotDefined(self.id, f"权利名称 {label[:40]}", f"the name of right {label[:40]}")

    def grounds(self, move: str) -> frozenset[str]:
        """The reasons on which this move may be based."""
        return frozenset(code for code, reason in self.reasons.items() if move in reason.moves)

    def public_data_rule(self, case: str) -> PublicDataRule | None:
        """The rule for a case of art. 15; `None` for data that is not public data."""
        return next((rule for rule in self.public_data if rule.case == case), None)


def _require(fits: bool, where: str, place: str, expected: str, given: str) -> None:
    if not fits:
        raise FieldError(f"{where}.{place}", expected, given[:80])


def _require_matrix(scheme: Scheme, where: str) -> None:
    """All grounds or none; each says what it means for every right, and why where it says no."""
    if not scheme.matrix:
        return
    wanted, given = {item.value for item in Basis}, set(scheme.matrix)
    _require(given == wanted, where, "matrix", " | ".join(sorted(wanted)), " | ".join(sorted(given)))
    for basis, ground in scheme.matrix.items():
        at = f"matrix.{basis}"
        _require(ground.basis.value == basis, where, f"{at}.basis", basis, ground.basis.value)
        _require(set(ground.verdicts) == set(Right), where, f"{at}.verdicts", " ".join(Right), str(ground.verdicts))
        explained = Verdict.NO not in ground.verdicts.values() or bool(ground.why_not)
        _require(explained, where, f"{at}.why_not", "N 须说明理由 / say why", "—")


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def scheme_from(document: object, where: str) -> Scheme:
    """A rule set from its document, checked whole. Raises `FieldError` naming file and field."""
    given = document if isinstance(document, dict) else {}
    for name, kind in (("clocks", Clock), ("matrix", Ground), ("reasons", Reason)):
        for key, value in dict(given.get(name) or {}).items():  # one by one, so that an error names the key
            read(kind, value, f"{where}.{name}.{key}")
    scheme = read(Scheme, document, where)
    _require(not scheme.effective_to or scheme.effective_from <= scheme.effective_to, where, "effective_to",
             "不早于 effective_from / not before it", scheme.effective_to)  # fmt: skip
    for code in scheme.clocks:
        _require(bool(re.fullmatch("[A-Z][0-9]{2}", code)), where, f"clocks.{code}", "如 C01 / e.g. C01", code)
    for code, reason in scheme.reasons.items():
        fits = bool(re.fullmatch("[A-Z]{2}-[0-9]{1,2}", code)) and bool(reason.moves)
        _require(fits, where, f"reasons.{code}", "如 RF-1，并列明办理步骤 / e.g. RF-1, with its moves", code)
    _require_matrix(scheme, where)
    labels = [item.label for item in scheme.labels]
    _require(len(labels) == len(set(labels)), where, "labels", "每个名称一次 / each label once", str(labels)[:80])
    for name in scheme.right_names:
        _require(name in list(Right), where, f"right_names.{name}", " | ".join(Right), name)
    for rule in scheme.public_data:
        known = not rule.ends_with or rule.ends_with in scheme.reasons
        _require(known, where, "public_data.ends_with", "reasons 中的代码 / a code of reasons", rule.ends_with)
    for element in scheme.name_elements:
        for pattern in element.patterns:
            _require(_compiles(pattern), where, f"name_elements.{element.name}", "正则表达式 / a regex", pattern)
    named = not scheme.industry or scheme.industry in TABLES
    _require(named, where, "industry", " | ".join(TABLES), scheme.industry)
    return scheme


def library(sets: Mapping[str, Any]) -> Mapping[str, tuple[Scheme, ...]]:
    """Every rule set of these documents (by file) in all its versions, oldest first, which never overlap in time.

    Raises `FieldError`: two versions of one rule set in force on one day would leave a case without a rule.
    """
    found: dict[str, list[Scheme]] = {}
    for stem, value in sets.items():
        scheme = scheme_from(value, f"rules/{stem}.json")
        found.setdefault(scheme.id, []).append(scheme)
    for name, versions in found.items():
        versions.sort(key=lambda item: (item.effective_from, int(item.version)))
        for earlier, later in pairwise(versions):
            apart = bool(earlier.effective_to) and earlier.effective_to < later.effective_from
            rising = int(earlier.version) < int(later.version)
            expected = f"版本 {earlier.version} 失效之后 / after version {earlier.version} ended"
            _require(apart and rising, f"rules ({name})", "effective_from", expected, later.effective_from)
    return {name: tuple(versions) for name, versions in found.items()}


VERSIONS: Mapping[str, tuple[Scheme, ...]] = library(rule_documents())
SCHEMES: Mapping[str, Scheme] = {name: versions[-1] for name, versions in VERSIONS.items()}
"""The newest version of every rule set."""
NATIONAL_2026 = SCHEMES["national_2026"]


def scheme_of(scheme_id: str, day: str = "", versions: Mapping[str, tuple[Scheme, ...]] = VERSIONS) -> Scheme:
    """The rule set with this id, in the version in force on `day` (ISO; "" asks no date: the newest).

    Raises `FieldError` for an unknown id or a day on which it is not in force, `NotDefined` when it says no date.
    """
    known = versions.get(scheme_id)
    if known is None:
        raise FieldError("scheme", " | ".join(sorted(versions)), repr(scheme_id)[:40])
    if not day:
        return known[-1]
    for scheme in known:
        if not scheme.effective_from:
            raise NotDefined(scheme.id, "施行日期", "the day it takes effect")
        if scheme.effective_from <= day and (not scheme.effective_to or day <= scheme.effective_to):
            return scheme
    spans = "；".join(f"{item.effective_from} … {item.effective_to or '—'}" for item in known)
    raise FieldError("scheme", f"{scheme_id} 施行期间 {spans} / in force then", day)


def scheme_at(scheme_id: str, day: str, versions: Mapping[str, tuple[Scheme, ...]] = VERSIONS) -> Scheme:
    """The newest version of a rule set that had taken effect by `day`, also after it ended: what a case that was taken
    in then goes on with. Raises `FieldError`."""
    known = [item for item in versions.get(scheme_id, ()) if item.effective_from <= day]
    return known[-1] if known else scheme_of(scheme_id, day, versions)


@cache
def digest_of(scheme_id: str, version: str) -> TwinDigest:
    """Twin digest of a shipped version with its table of industries, under its own tag (registration.md A19).

    Raises `FieldError` if no such version is shipped.
    """
    for document in rule_documents().values():
        if (document["id"], document["version"]) == (scheme_id, version):
            table = next((item for item in documents().values() if item["id"] == document.get("industry")), None)
            value = {"rules": document, "tag": TAG} | ({"industry": table} if table else {})
            return twin(canonical.encode(value))
    known = " | ".join(f"{item.id} {item.version}" for items in VERSIONS.values() for item in items)
    raise FieldError("body.version", known, f"{scheme_id} {version}"[:60])


def twin_of(scheme: Scheme) -> Twin:
    """The digest as a body carries it."""
    return Twin.of(digest_of(scheme.id, scheme.version))
