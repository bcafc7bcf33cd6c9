"""What is stated of a 数据元件: a version by its developer, a move by who takes it; the identifier it goes by.

The layout of the metadata is modelled on T/CIITA 406-2022 (字段参照: we do not hold its full text and claim no
conformity). Source: pricing.md §9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta
from stdnum.iso7064 import mod_37_36

from clearing.errors import BadTerms
from clearing.market.agreement import Seconds, Short
from clearing.market.product import DataField, ElementForm, Note, Text, Words, day_from
from clearing.pricing.errors import PricingRefused
from clearing.pricing.policies import POLICIES
from registry.asset import DataForm, Day, Twin, UpdateRate, Volume
from registry.party import check_identity
from registry.rights import Right

ELEMENT_VERSION = "element-version/v1"
ELEMENT_MOVE = "element-move/v1"
DEVELOPER = "element_developer"
REVIEWER = "element_reviewer"
SYSTEM = "system"
"""Roles in which moves are signed; the operator's system key states what time brings about."""

DOMAINS = tuple(dict.fromkeys(policy.domain for policy in POLICIES))
"""信息领域: the controlled list is that of the published policies, so that free text selects none (§9)."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LENGTH = 20
_IDENTITY = re.compile(r"[0-9A-Z]{20}")


class Move(StrEnum):
    """元件开发 (create, revise, new version, relist: element-version/v1) · 元件发布 · 撤回 · 审核评价 · 下架."""

    CREATE = "create"
    REVISE = "revise"
    NEW_VERSION = "new_version"
    RELIST = "relist"
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    REJECT = "reject"
    PASS = "pass"
    DELIST = "delist"


STATED = frozenset({Move.CREATE, Move.REVISE, Move.NEW_VERSION, Move.RELIST})
"""Moves that element-version/v1 takes; the others are element-move/v1."""


@dataclass(frozen=True, slots=True)
class Source:
    """A resource the element is made from: 登记凭证 number, rights held in it and the scenes they are held for.

    The rights are held from `valid_from` (included) to `valid_to` (excluded), seconds UTC; None: without an end.
    """

    resource: Short
    certificate: Short
    rights: Annotated[tuple[Right, ...], Meta(min_length=1, max_length=3)]
    scenes: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=50)]
    valid_from: Seconds
    valid_to: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Desensitisation:
    """脱敏证明: method and parameters in words, digest of the report, who issued it. Both forms need one."""

    method: Words
    parameters: Words
    report: Twin
    issuer: Text


@dataclass(frozen=True, slots=True)
class Metadata:
    """核心元数据 (字段参照 T/CIITA 406-2022): what the data tells of; `digest` is that of the data itself."""

    overview: Annotated[str, Meta(min_length=1, max_length=400)]
    keywords: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=20)]
    fields: Annotated[tuple[DataField, ...], Meta(min_length=1, max_length=500)]
    time_from: Day
    time_to: Day
    region: Text
    update: UpdateRate
    volume: Volume
    digest: Twin


@dataclass(frozen=True, slots=True)
class ElementVersion:
    """Body of element-version/v1: one version of an element, signed by its developer (USCC).

    `scenes` are those the element may be used in, `certificate` its own 登记凭证 ("" for none). What 元件发布 asks for
    may still be missing while 开发中; `security` is the result of the 安全审核, at the latest stated by the reviewer.
    """

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    developer: str
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    type: DataForm
    form: ElementForm
    domain: Short
    metadata: Metadata
    sources: Annotated[tuple[Source, ...], Meta(min_length=1, max_length=200)]
    scenes: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=50)]
    desensitisation: Desensitisation | None = None
    quality: Twin | None = None
    cost: Twin | None = None
    security: Twin | None = None
    certificate: Annotated[str, Meta(max_length=200)] = ""


@dataclass(frozen=True, slots=True)
class ElementMove:
    """Body of element-move/v1. Which fields a move carries stands in `moves`; the others stay empty.

    `review` is the digest of the 审核评价, `security` that of the 安全审核, `rule` what a timer acts by.
    """

    move: Move
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    reason: Note = ""
    review: Twin | None = None
    security: Twin | None = None
    rule: Annotated[str, Meta(max_length=200)] = ""


def identity_of(stem: str) -> str:
    """The identifier over 19 characters of 0-9 A-Z drawn at random, with its check character at the end.

    The check character is that of ISO/IEC 7064 MOD 37,36: one wrong character is always found, two swapped neighbours
    nearly always. Nothing is coded in: no owner, domain, form or date. Raises `BadTerms`.
    """
    if not re.fullmatch(r"[0-9A-Z]{19}", stem):
        raise BadTerms("element.stem", "19 个字符 0-9 A-Z / 19 characters", stem[:40])
    return stem + mod_37_36.calc_check_digit(stem)


def check_identifier(text: str, field: str) -> str:
    """The identifier, if its check character (`identity_of`) is right. Raises `BadTerms`."""
    if not _IDENTITY.fullmatch(text):
        raise BadTerms(field, "20 个字符 0-9 A-Z / 20 characters", text[:80])
    right = mod_37_36.calc_check_digit(text[:-1])
    if text[-1] != right:
        raise BadTerms(field, f"校验位 {right} / check character {right} (ISO/IEC 7064 MOD 37,36)", text)
    return text


def subject_of(identity: str) -> str:
    """The subject of the element with this identifier."""
    return f"element:{identity}"


def id_of(subject: str) -> str:
    """The identifier inside a subject. Raises `BadTerms`."""
    kind, _, identity = subject.partition(":")
    if kind != "element":
        raise BadTerms("statement.subject", "element:<20 × 0-9 A-Z>", subject[:120])
    return check_identifier(identity, "statement.subject")


def check_version(value: ElementVersion) -> ElementVersion:
    """What a version must be whatever its state. Raises `BadTerms`, `FieldError`."""
    check_identity(value.developer, "body.developer")
    _require(value.domain in DOMAINS, "body.domain", " | ".join(DOMAINS), value.domain)
    told = value.metadata
    first, last = day_from(told.time_from, "body.metadata.time_from"), day_from(told.time_to, "body.metadata.time_to")
    _require(first <= last, "body.metadata.time_to", f"≥ {first.isoformat()}", last.isoformat())
    _once([item.name for item in told.fields], "body.metadata.fields")
    _once([item.resource for item in value.sources], "body.sources")
    _once(value.scenes, "body.scenes")
    for i, source in enumerate(value.sources):
        _once(source.rights, f"body.sources[{i}].rights")
        if source.valid_to is not None:
            _require(source.valid_from < source.valid_to, f"body.sources[{i}].valid_to", f"> {source.valid_from}",
                     source.valid_to)  # fmt: skip
    return value


def check_ready(value: ElementVersion, at: int) -> None:
    """What 元件发布 needs of the version itself: desensitisation proof, quality report, cost table, and `USE` claimed
    in every source, at `at` (seconds UTC) and for every scene of the element.

    Raises `BadTerms`, and `PricingRefused` RIGHT_MISSING.
    """
    for name in ("desensitisation", "quality", "cost"):
        there = getattr(value, name) is not None
        _require(there, f"version.{name}", "元件发布前必填 / required to publish", "缺失 / missing")
    for i, source in enumerate(value.sources):
        where = f"version.sources[{i}]"
        if Right.USE not in source.rights:
            raise PricingRefused("RIGHT_MISSING", f"{where}.rights", Right.USE, ", ".join(source.rights))
        if at < source.valid_from:
            raise PricingRefused("RIGHT_MISSING", f"{where}.valid_from", f"≤ {at}", source.valid_from)
        if source.valid_to is not None and at >= source.valid_to:
            raise PricingRefused("RIGHT_MISSING", f"{where}.valid_to", f"> {at}", source.valid_to)
        beyond = [scene for scene in value.scenes if scene not in source.scenes]
        if beyond:
            raise PricingRefused("RIGHT_MISSING", f"{where}.scenes", f"⊇ {', '.join(value.scenes)}", beyond[0])


def _once(items: tuple[str, ...] | list[str], field: str) -> None:
    _require(len(set(items)) == len(items), field, "不重复 / each once", "重复 / repeated")


def _require(holds: bool, field: str, expected: str, given: object) -> None:
    if not holds:
        raise BadTerms(field, expected, given)
