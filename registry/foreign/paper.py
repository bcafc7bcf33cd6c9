"""The transcript of a foreign certificate, and what cannot be one (registration.md 7.2, 7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError
from registry.asset import Day, Short, Twin
from registry.form import Identity, Named

FOREIGN = "foreign-certificate/v1"


class PaperType(StrEnum):
    """Kinds of paper. None is ever converted into another: they say different things about different acts."""

    EVIDENCE = "EVIDENCE_CERT"
    REGISTRATION = "REGISTRATION_CERT"
    FILING = "FILING_RECORD"
    LICENCE = "LICENCE_CERT"
    DATA_IP = "DATA_IP_CERT"
    PUBLIC_DATA = "PUBLIC_DATA_CODE"
    TRADE = "TRADE_CERT"


PAPER_NAMES: Mapping[PaperType, str] = {
    PaperType.EVIDENCE: "存证证书",
    PaperType.REGISTRATION: "登记凭证",
    PaperType.FILING: "备案",
    PaperType.LICENCE: "许可凭证",
    PaperType.DATA_IP: "数据知识产权登记证书",
    PaperType.PUBLIC_DATA: "公共数据资源登记码",
    PaperType.TRADE: "交易凭证",
}
PAPER_SAYS: Mapping[PaperType, str] = {
    PaperType.EVIDENCE: "某一时刻存在该内容；未经审查、公示，不得用于第三十一条用途",
    PaperType.REGISTRATION: "经审查、公示登记的权利",
    PaperType.FILING: "已办理备案，至多经形式审查，不得用于第三十一条用途",
    PaperType.LICENCE: "许可使用关系，不是产权登记",
    PaperType.DATA_IP: "地方数据知识产权登记，权利类型不与三权对应",
    PaperType.PUBLIC_DATA: "公共数据资源登记，不标示三权",
    PaperType.TRADE: "一次交易已完成，不是产权登记",
}
"""What each paper says, and what it does not: an 存证证书 shown as a 登记凭证 is misrepresentation."""

USES_OF_ART_31 = frozenset({PaperType.REGISTRATION})


@dataclass(frozen=True, slots=True)
class ForeignPaper:
    """Body of foreign-certificate/v1, act 0 of its subject: what stands on the paper, as a member of staff read it.

    `issuer` is the issuer's USCC or other identity number. `provider` and `receiver` are the persons a transcript
    names as giving and taking ("" where the paper names none), `transcript` the digest of the file that was handed in.
    """

    issuer: Identity
    issuer_name: Named
    paper_type: PaperType
    number: Identity
    version: Annotated[str, Meta(min_length=1, max_length=20)]
    holder_name: Named
    data_name: Short
    transcript: Twin
    holder_id: Short = ""
    provider: Short = ""
    receiver: Short = ""
    address: Short = ""
    phone: Short = ""
    url: Short = ""
    issued_on: Day | None = None
    valid_until: Day | None = None

    @property
    def key(self) -> tuple[str, PaperType, str, str]:
        """What names a foreign certificate: issuer, kind of paper, number, version."""
        return self.issuer, self.paper_type, self.number, self.version


def subject_of(paper: ForeignPaper) -> str:
    """ "foreign:<32 hex>": the same for the same key, so that one certificate has one history."""
    issuer, kind, number, version = paper.key
    name = {"issuer": issuer, "number": number, "paper_type": kind.value, "tag": FOREIGN, "version": version}
    return f"foreign:{twin(canonical.encode(name)).sha256.hex()[:32]}"


def require_plausible(paper: ForeignPaper, known: Iterable[tuple[str, PaperType]]) -> None:
    """Raises `FieldError` for a transcript that cannot be of a real paper.

    `known` are (issuer, kind) of the papers on record with this number. Junk is one text in several places that never
    hold the same, and one number of one issuer on two kinds of paper.
    """
    for name in ("issuer", "number", "version", "holder_name"):
        if getattr(paper, name) != getattr(paper, name).strip() or not getattr(paper, name).strip():
            raise FieldError(
                f"body.{name}", "非空白、首尾无空格的文本 / text without blanks around it", "空白 / blanks"
            )
    told = [item for name in ("provider", "receiver", "address", "phone", "url") if (item := _folded(paper, name))]
    if len(told) > 1 and len(set(told)) == 1:
        raise FieldError(
            "body.provider", "提供方、接收方、地址、电话、网址各自的内容 / different texts for different things",
            f"{len(told)} 处均为“{told[0][:40]}” / one text in all of them",
        )  # fmt: skip
    if paper.url and paper.phone and _folded(paper, "url") == _folded(paper, "phone"):
        raise FieldError("body.url", "网址 / an address on the web", "与电话相同 / the same as the phone")
    for issuer, kind in known:
        if issuer == paper.issuer and kind is not paper.paper_type:
            raise FieldError(
                "body.number", "一个编号只属于一种凭证 / a number of one kind of paper",
                f"{paper.number} 已作为{PAPER_NAMES[kind]}导入 / on record as {kind.value}",
            )  # fmt: skip


def _folded(paper: ForeignPaper, name: str) -> str:
    return "".join(str(getattr(paper, name)).split()).casefold()
