"""Which of the three rights may be registered on which ground (guide art. 20 and 21), as a table.

持有权, 使用权 and 经营权 are independent; several holders may hold the same right in the same data (art. 21), so
the key of a right is (data, right, holder) and never (data, right). The rows are data: `registry/rules/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger.reading import read
from registry.asset import Day, Long, Short
from registry.party import PartyKind
from registry.rulefile import DEFAULT, rule_documents


class Right(StrEnum):
    """The three rights of art. 3; old labels (资源持有权, 加工使用权, 产品经营权) map to the same codes."""

    HOLD = "HOLD"
    USE = "USE"
    OPERATE = "OPERATE"


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


CONTRACT_EXTRACT = "合同摘录"
PARTICIPANT_CONSENT = "其他参与方同意书"

_SHIPPED = rule_documents()[DEFAULT]

RIGHT_NAMES: Mapping[Right, str] = {Right(code): name for code, name in _SHIPPED["right_names"].items()}

MATRIX: Mapping[Basis, Ground] = {
    Basis(basis): read(Ground, row, f"rules/{DEFAULT}.json.matrix.{basis}") for basis, row in _SHIPPED["matrix"].items()
}
"""The matrix of the default rule set; a case is judged by that of its own (`registry.scheme`)."""


@dataclass(frozen=True, slots=True)
class RightRow:
    """One row of 权利配置说明 (annex 1): who has which right, until when, with which limits.

    `holder_id` is a party identity: a USCC, or that of a natural person, whose name stands masked in the register.
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
    matrix: Mapping[Basis, Ground] | Mapping[str, Ground] = MATRIX,
) -> tuple[Gap, ...]:
    """What stands between this holder and this right on this ground; empty when the matrix is satisfied.

    `attachments` are the kinds handed in, `participants` the other parties of a fusion, `consents` those who agreed,
    `matrix` that of the case's rule set. Raises `NotDefined` when that rule set has none.
    """
    ground = matrix[basis]
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
