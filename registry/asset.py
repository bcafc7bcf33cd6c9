"""What is registered: the description of the data (guide, annex 1) and the digest of its very content.

The form's own words are the values of the enumerations, so that what is signed is what the paper says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger import canonical
from ledger.digest import TwinDigest, twin

Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]
Short = Annotated[str, Meta(max_length=200)]
Long = Annotated[str, Meta(max_length=4000)]


class AssetKind(StrEnum):
    """数据资源 raw or collected data, 数据元件 features derived from it, 数据产品 what is sold."""

    RESOURCE = "resource"
    ELEMENT = "element"
    PRODUCT = "product"


class RegionScope(StrEnum):
    """地域范围 of annex 1."""

    INTERNATIONAL = "国际"
    NATIONAL = "全国"
    PROVINCE = "省级"
    CITY = "市级"
    COUNTY = "区县级"
    BELOW_COUNTY = "区县级以下"


class UpdateRate(StrEnum):
    """更新频率 of annex 1."""

    DAY = "按天更新"
    WEEK = "按周更新"
    MONTH = "按月更新"
    YEAR = "按年更新"
    DEMAND = "按需更新"
    REALTIME = "实时更新"
    OTHER = "其他"


class DataForm(StrEnum):
    """数据形态 of annex 1: what it is."""

    PICTURE = "图片"
    TEXT = "文本"
    VIDEO = "视频"
    AUDIO = "音频"
    TABLE = "表格"
    OTHER = "其他"


class Structure(StrEnum):
    """数据形态 of annex 1: how it is structured."""

    STRUCTURED = "结构化"
    SEMI = "半结构化"
    FREE = "非结构化"


@dataclass(frozen=True, slots=True)
class Twin:
    """A twin digest inside a body: SHA-256 and SM3 of the same bytes, 64 lower-case hex characters each."""

    sha256: Hex64
    sm3: Hex64

    @classmethod
    def of(cls, digest: TwinDigest) -> Twin:
        """The body form of a ledger digest."""
        return cls(digest.sha256.hex(), digest.sm3.hex())


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of the data: name, size in bytes, rows (0 where rows mean nothing) and twin digest."""

    name: Short
    size: Count
    rows: Count
    digest: Twin


@dataclass(frozen=True, slots=True)
class Content:
    """The data itself, as a manifest of its files; `digest` is the twin digest of the canonical manifest."""

    files: Annotated[tuple[DataFile, ...], Meta(min_length=1, max_length=10_000)]
    digest: Twin


@dataclass(frozen=True, slots=True)
class Volume:
    """数据量: a number as text and its unit, e.g. ("336776", "条"); no fraction is ever computed from it."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,6})?\Z")]
    unit: Short


@dataclass(frozen=True, slots=True)
class Source:
    """A certificate this data is derived from, and the use authorisation of an applicant who is not its holder."""

    certificate: Short
    authorisation: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """【数据信息】 of annex 1. Lengths of 40 and 400 characters are advice (不宜), checked by the pre-check only."""

    data_name: Short
    overview: Long
    kind: AssetKind
    industry: Short
    industry_code: Short
    region_scope: RegionScope
    time_from: Day
    time_to: Day
    update_rate: UpdateRate
    volume: tuple[Volume, ...]
    form: DataForm
    structure: Structure
    limits: Long
    content: Content
    sources: tuple[Source, ...] = ()


def data_file(name: str, data: bytes, rows: int = 0) -> DataFile:
    """The manifest line of one file held in memory."""
    return DataFile(name, len(data), rows, Twin.of(twin(data)))


def content_of(files: tuple[DataFile, ...]) -> Content:
    """The content of these files; the order of the files does not change the digest."""
    ordered = tuple(sorted(files, key=lambda item: item.name))
    return Content(ordered, Twin.of(_manifest_digest(ordered)))


def content_is_consistent(content: Content) -> bool:
    """Does the content digest belong to the manifest, and is every file named once?"""
    names = [item.name for item in content.files]
    ordered = tuple(sorted(content.files, key=lambda item: item.name))
    return len(set(names)) == len(names) and Twin.of(_manifest_digest(ordered)) == content.digest


def _manifest_digest(files: tuple[DataFile, ...]) -> TwinDigest:
    lines = [
        {
            "digest": {"sha256": item.digest.sha256, "sm3": item.digest.sm3},
            "name": item.name,
            "rows": item.rows,
            "size": item.size,
        }
        for item in files
    ]
    return twin(canonical.encode({"files": lines, "tag": "data-manifest/v1"}))
