"""Five kinds of value that never mix (pricing §10): book, appraisal, guide, deal and pledge.

An amount of one kind adds only to its own kind. `BookAmount + GuideAmount` is an error for the type checker and a
`KindMixed` (a `TypeError`) at run time; nothing converts one into another, and there is no single "value".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from clearing.pricing.arithmetic import MAX_INTEGER, integer
from clearing.pricing.errors import KindMixed, PricingRefused
from clearing.pricing.manifest import Digests
from clearing.pricing.quality import Count
from clearing.pricing.request import Name

Kind = Literal["book", "appraisal", "guide", "deal", "pledge"]
Qualifier = Literal["exact", "at_least", "about"]


@dataclass(frozen=True, slots=True)
class Amount:
    """Fen ≥ 0 of one kind of value. Use a subclass; `fen` is the only way to the number. Raises INPUT_FORM."""

    fen: int

    kind: ClassVar[Kind]

    def __post_init__(self) -> None:
        if type(self) is Amount:
            raise KindMixed("kind", " | ".join(KINDS), "没有类型的金额 / an amount of no kind")
        integer(self.fen, f"{self.kind}.fen", 0, MAX_INTEGER)

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            raise KindMixed("amount", f"{NAMES[self.kind]} {self.kind}", _said(other))
        return type(self)(self.fen + other.fen)

    def __sub__(self, other: Self) -> Self:
        if type(other) is not type(self):
            raise KindMixed("amount", f"{NAMES[self.kind]} {self.kind}", _said(other))
        return type(self)(self.fen - other.fen)


@dataclass(frozen=True, slots=True)
class BookAmount(Amount):
    """账面价值: cost in the books, never a price or an appraisal."""

    kind: ClassVar[Kind] = "book"


@dataclass(frozen=True, slots=True)
class AppraisalAmount(Amount):
    """评估价值: a third party's opinion at a base date, never a deal price."""

    kind: ClassVar[Kind] = "appraisal"


@dataclass(frozen=True, slots=True)
class GuideAmount(Amount):
    """指导价: this model's P1 or P2, never an amount due."""

    kind: ClassVar[Kind] = "guide"


@dataclass(frozen=True, slots=True)
class DealAmount(Amount):
    """成交价: what contract or auction say; the only kind that settlement reads."""

    kind: ClassVar[Kind] = "deal"


@dataclass(frozen=True, slots=True)
class PledgeAmount(Amount):
    """质押/授信额度: what a bank lends on, never the value of the asset."""

    kind: ClassVar[Kind] = "pledge"


NAMES: dict[Kind, str] = {
    "book": "账面价值",
    "appraisal": "评估价值",
    "guide": "指导价",
    "deal": "成交价",
    "pledge": "质押/授信额度",
}
KINDS: dict[str, type[Amount]] = {
    kind.kind: kind for kind in (BookAmount, AppraisalAmount, GuideAmount, DealAmount, PledgeAmount)
}
A = TypeVar("A", bound=Amount)


@dataclass(frozen=True, slots=True)
class Stated(Generic[A]):
    """An amount as somebody stated it: how exact, as of when (UTC seconds), over what, by whom, in which document.

    A pledge over several assets has one row with all of them in `scope`; nothing splits it.
    """

    amount: A
    qualifier: Qualifier
    as_of: Count
    scope: tuple[Name, ...]
    issuer: Name
    document: Digests

    def __post_init__(self) -> None:
        if type(self.amount) not in KINDS.values():
            raise KindMixed("amount", " | ".join(KINDS), _said(self.amount))
        if not self.scope:
            raise PricingRefused("INPUT_FORM", "scope", "至少一项资产 / at least one asset", "无 / none")

    def body(self) -> dict[str, Any]:
        """The row as JSON-ready values, its kind first."""
        return {
            "kind": self.amount.kind,
            "amount_fen": self.amount.fen,
            "qualifier": self.qualifier,
            "as_of": self.as_of,
            "scope": list(self.scope),
            "issuer": self.issuer,
            "document": {"sha256": self.document.sha256, "sm3": self.document.sm3},
        }


BookValue = Stated[BookAmount]
AppraisalValue = Stated[AppraisalAmount]
GuideValue = Stated[GuideAmount]
DealValue = Stated[DealAmount]
PledgeValue = Stated[PledgeAmount]


def _said(value: object) -> str:
    return value.kind if isinstance(value, Amount) and type(value) is not Amount else type(value).__name__
