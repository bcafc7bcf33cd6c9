"""Which of the three rights may be registered on which ground (guide art. 20 and 21), as a table.

持有权, 使用权 and 经营权 are independent; several holders may hold the same right in the same data (art. 21), so
the key of a right is (data, right, holder) and never (data, right).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.asset import Day, Long, Short
from registry.party import PartyKind


class Right(StrEnum):
    """The three rights of art. 3; old labels (资源持有权, 加工使用权, 产品经营权) map to the same codes."""

    HOLD = "HOLD"
    USE = "USE"
    OPERATE = "OPERATE"


RIGHT_NAMES: Mapping[Right, str] = {
    Right.HOLD: "数据持有权",
    Right.USE: "数据使用权",
    Right.OPERATE: "数据经营权",
}


class SourceKind(StrEnum):
    """数据来源 of annex 1: the form's list."""

    COLLECTED = "采集生成"
    CRAWLED = "通过自动化程序收集公开数据"
    CONTRACT = "协议取得"
    DERIVED = "衍生创造"


class Basis(StrEnum):
    """The ground of art. 21 (registration.md 3.1); a second field beside the source kind."""

    M1 = "M1"
    M2 = "M2"
    M3 = "M3"
    M4A = "M4a"
    M4B = "M4b"
    M5A = "M5a"
    M5B = "M5b"
    M6 = "M6"
    M7 = "M7"
    M8 = "M8"


class Verdict(StrEnum):
    """Y allowed, N not registrable, K only as the contract says, C only with the consent of all others."""

    YES = "Y"
    NO = "N"
    CONTRACT = "K"
    CONSENT = "C"


@dataclass(frozen=True, slots=True)
class Ground:
    """One row of the matrix. `proofs` are attachment kinds that must be there; `why_not` explains each N.

    `usual` is a reading of ours (P): another source kind is a warning for the reviewer, not a refusal.
    """

    basis: Basis
    text: str
    article: str
    usual: frozenset[SourceKind]
    verdicts: Mapping[Right, Verdict]
    proofs: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    why_not: str = ""
    only_kind: PartyKind | None = None
    needs_source_use: bool = False


def _row(hold: str, use: str, operate: str) -> Mapping[Right, Verdict]:
    return {Right.HOLD: Verdict(hold), Right.USE: Verdict(use), Right.OPERATE: Verdict(operate)}


_ANY = frozenset(SourceKind)
_CONTRACT_OR_COLLECTED = frozenset({SourceKind.CONTRACT, SourceKind.COLLECTED})

CONTRACT_EXTRACT = "合同摘录"
PARTICIPANT_CONSENT = "其他参与方同意书"

MATRIX: Mapping[Basis, Ground] = {
    ground.basis: ground
    for ground in (
        Ground(
            Basis.M1, "自身或共同参与的生产经营活动中采集生成", "21(一)", frozenset({SourceKind.COLLECTED}),
            _row("Y", "Y", "Y"), proofs=("合法取得佐证",), conditions=("不违反法律法规、合同约定",),
        ),
        Ground(
            Basis.M2, "基于民事合同授权他人采集由其促成产生的数据", "21(二)", _CONTRACT_OR_COLLECTED,
            _row("Y", "Y", "Y"), proofs=("授权采集合同",), conditions=("数据已实际获取",),
        ),
        Ground(
            Basis.M3, "自然人合法采集、生成、获取", "21(三)", _ANY,
            _row("Y", "Y", "Y"), proofs=("合法取得佐证",), only_kind=PartyKind.NATURAL,
        ),
        Ground(
            Basis.M4A, "通过自动化程序收集的公开数据", "21(四)", frozenset({SourceKind.CRAWLED}),
            _row("Y", "Y", "N"), proofs=("公开数据收集说明",),
            conditions=("落实分类分级保护", "不侵入、不干扰、不破坏技术措施、不损害权益", "确属公开数据"),
            why_not="原样收集的公开数据只可登记持有权和使用权（第二十一条第四项）",
        ),
        Ground(
            Basis.M4B, "由公开数据形成的数据产品", "21(四)", frozenset({SourceKind.CRAWLED}),
            _row("Y", "Y", "Y"), proofs=("公开数据收集说明", "不实质性替代说明"),
            conditions=("M4a 各项", "不实质性替代被收集方产品和服务"),
        ),
        Ground(
            Basis.M5A, "合作融合开发，合同有约定", "21(五)", _CONTRACT_OR_COLLECTED,
            _row("K", "K", "K"), proofs=(CONTRACT_EXTRACT,),
        ),
        Ground(
            Basis.M5B, "已融合数据，合同未约定或约定不明确", "21(五)", _CONTRACT_OR_COLLECTED,
            _row("Y", "Y", "C"), proofs=("参与方名单",),
        ),
        Ground(
            Basis.M6, "对享有使用权的数据加工形成的衍生数据", "21(六)", frozenset({SourceKind.DERIVED}),
            _row("Y", "Y", "Y"), proofs=("衍生加工说明",),
            conditions=("享有原始数据使用权", "衍生数据权属合同优先", "内容、形式、结构实质改变且价值显著提升"),
            needs_source_use=True,
        ),
        Ground(
            Basis.M7, "受托处理数据", "21(七)", _ANY,
            _row("N", "N", "N"),
            why_not="受托人对委托处理的原始数据、过程数据、结果数据不可登记（第二十一条第七项），法律另有规定或合同另有约定的按约定依据申请",
        ),
        Ground(
            Basis.M8, "仅有协议，不属于前述情形", "20", frozenset({SourceKind.CONTRACT}),
            _row("K", "K", "K"), proofs=(CONTRACT_EXTRACT,),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RightRow:
    """One row of 权利配置说明 (annex 1): who has which right, until when, with which limits.

    `clause` is the contract clause that gives the right (K), `consents` names the participants who agreed (C).
    """

    holder_name: Annotated[str, Meta(min_length=1, max_length=200)]
    holder_id: Annotated[str, Meta(min_length=1, max_length=64)]
    right: Right
    limits: Long
    term_from: Day | None = None
    term_to: Day | None = None
    clause: Short = ""
    consents: tuple[Short, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a right cannot be registered as asked: the rule of the pre-check and what is missing or forbidden."""

    rule: str
    right: Right
    detail: str


def judge(
    basis: Basis,
    right: Right,
    holder_kind: PartyKind,
    attachments: frozenset[str],
    clause: str = "",
    participants: frozenset[str] = frozenset(),
    consents: frozenset[str] = frozenset(),
) -> tuple[Gap, ...]:
    """What stands between this holder and this right on this ground; empty when the matrix is satisfied.

    `attachments` are the kinds handed in, `participants` the other parties of a fusion, `consents` those who agreed.
    """
    ground = MATRIX[basis]
    verdict = ground.verdicts[right]
    if verdict is Verdict.NO:
        return (Gap("PC-10", right, ground.why_not),)
    if ground.only_kind is not None and holder_kind is not ground.only_kind:
        return (Gap("PC-10", right, f"{basis.value} 仅适用于{ground.only_kind.value}（第{ground.article}）"),)
    gaps = [Gap("PC-11", right, proof) for proof in ground.proofs if proof not in attachments]
    if verdict is Verdict.CONTRACT and not clause:
        gaps.append(Gap("PC-11", right, "约定该项权利的合同条款"))
    if verdict is Verdict.CONSENT:
        # Art. 21(五) asks for the consent of all others, so an empty list of others cannot be an answer.
        missing = sorted(participants - consents) or ([] if participants else ["（未列明参与方）"])
        gaps.extend(Gap("PC-12", right, name) for name in missing)
    return tuple(gaps)
