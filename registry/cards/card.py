"""A card as a value and the table of its moves; what is not in the table cannot happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.asset import Day, Long, Short, Twin
from registry.calendar import day_of
from registry.certificate import Instant
from registry.errors import GuardRefused, IllegalMove
from registry.form import Identity, Named

CARD = "card/v1"


class CardState(StrEnum):
    """Where a card stands."""

    ENTERED = "ENTERED"
    IN_USE = "IN_USE"
    DISPOSED = "DISPOSED"


STATE_NAMES: Mapping[CardState, str] = {
    CardState.ENTERED: "已入卡", CardState.IN_USE: "使用中", CardState.DISPOSED: "已处置"
}  # fmt: skip


class Disposal(StrEnum):
    """How an asset leaves the books; none of them cancels a certificate."""

    TRANSFERRED = "转让"
    DESTROYED = "销毁"
    DONATED = "捐赠"
    WRITTEN_OFF = "核销"
    OTHER = "其他"


class Confirmation(StrEnum):
    """三确: identified, right confirmed, value confirmed."""

    IDENTIFIED = "确认"
    ENTITLED = "确权"
    VALUED = "确值"


@dataclass(frozen=True, slots=True)
class Basic:
    """基本信息."""

    name: Named
    category: Named
    description: Long
    volume: Short
    update_rate: Short
    source: Short


@dataclass(frozen=True, slots=True)
class CertificateRef:
    """A certificate, our own or a foreign one, with the status it had when the act was signed."""

    issuer: Identity
    paper_type: Annotated[str, Meta(pattern=r"^[A-Z_]{1,40}\Z")]
    number: Named
    version: Annotated[int, Meta(ge=1)]
    status: Short
    as_of: Instant


@dataclass(frozen=True, slots=True)
class Rights:
    """权利信息."""

    rights: Annotated[tuple[Annotated[str, Meta(pattern=r"^(HOLD|USE|OPERATE)\Z")], ...], Meta(max_length=3)]
    certificate_refs: Annotated[tuple[CertificateRef, ...], Meta(max_length=50)] = ()
    limits: Long = ""


@dataclass(frozen=True, slots=True)
class Development:
    """开发利用信息: the products made from it, by listing or product id, and the scenes of use."""

    product_refs: Annotated[tuple[Named, ...], Meta(max_length=200)] = ()
    scenes: Annotated[tuple[Named, ...], Meta(max_length=50)] = ()


@dataclass(frozen=True, slots=True)
class Management:
    """管理信息: who is in charge and under which class; no names of people."""

    department: Named
    security_class: Short
    storage: Short = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A paper of 三确: who issued it under which licence, by which method, when, and its digest. No amount."""

    confirmation: Confirmation
    issuer: Named
    licence_no: Short
    method: Short
    issued_on: Day
    paper: Twin
    catalogue_no: Short = ""


@dataclass(frozen=True, slots=True)
class CardAct:
    """Body of card/v1 about "card:⟨32 hex⟩", signed by the holder.

    D-01 入卡 needs the four blocks, D-02 变更 at least one, D-03 使用 a use, D-04 处置 a disposal and a reason, D-05 a
    report of 三确. `use` says what for; who used it is not written here.
    """

    move: Annotated[str, Meta(pattern=r"^D-0[1-5]\Z")]
    holder: Identity
    basic: Basic | None = None
    rights: Rights | None = None
    development: Development | None = None
    management: Management | None = None
    use: Short = ""
    disposal: Disposal | None = None
    report: Report | None = None
    reason: Long = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A card as its facts say it is; days are legal days."""

    id: str
    holder: Identity
    state: CardState
    basic: Basic
    rights: Rights
    development: Development
    management: Management
    entered_on: str
    changed_at: int
    uses: int = 0
    reports: tuple[Report, ...] = ()
    disposed: str = ""


_BLOCKS = ("basic", "rights", "development", "management")
_LIVE = frozenset({CardState.ENTERED, CardState.IN_USE})
MOVES: Mapping[str, tuple[frozenset[CardState | None], CardState | None, frozenset[str], frozenset[str]]] = {
    "D-01": (frozenset({None}), CardState.ENTERED, frozenset(_BLOCKS), frozenset()),
    "D-02": (_LIVE, None, frozenset({"reason"}), frozenset(_BLOCKS)),
    "D-03": (_LIVE, CardState.IN_USE, frozenset({"use"}), frozenset()),
    "D-04": (_LIVE, CardState.DISPOSED, frozenset({"disposal", "reason"}), frozenset()),
    "D-05": (_LIVE, None, frozenset({"report"}), frozenset()),
}
"""Move → sources, target (None: the state stays), fields it needs, further fields it may have."""
MOVE_NAMES: Mapping[str, str] = {"D-01": "入卡", "D-02": "变更", "D-03": "使用", "D-04": "处置", "D-05": "三确"}


def decide(card: Card | None, identity: str, act: CardAct, now: int) -> Card:
    """The card after this act. Raises `IllegalMove`, `GuardRefused`."""
    sources, _, needs, may = MOVES[act.move]
    state = card.state if card else None
    if state not in sources:
        raise IllegalMove(state.value if state else "–", act.move)
    names = [name for name in CardAct.__dataclass_fields__ if name not in ("move", "holder")]
    filled = {name for name in names if getattr(act, name) not in (None, "")}
    for name in sorted(needs - filled):
        raise GuardRefused(act.move, "fields", f"须填写 {name}。", f"{name} is required")
    for name in sorted(filled - needs - may):
        raise GuardRefused(act.move, "fields", f"不应填写 {name}。", f"{name} does not belong to this move")
    if act.move == "D-02" and not filled & may:
        raise GuardRefused(act.move, "something_changes", "变更应至少涉及一个信息块。", "a change names a block")
    if card is not None and act.holder != card.holder:
        raise GuardRefused(act.move, "same_holder", "不是该卡片的持有单位。", "another holder")
    report = act.report
    if report is not None:
        _check_report(report, day_of(now).isoformat())
    return apply(card, identity, act, now)


def apply(card: Card | None, identity: str, act: CardAct, at: int) -> Card:
    """The card after an act that was decided and stored."""
    if card is None:
        assert act.basic is not None
        assert act.rights is not None
        assert act.development is not None
        assert act.management is not None
        day = day_of(at).isoformat()
        return Card(
            identity, act.holder, CardState.ENTERED, act.basic, act.rights, act.development, act.management, day, at
        )
    return replace(
        card,
        state=MOVES[act.move][1] or card.state,
        basic=act.basic or card.basic,
        rights=act.rights or card.rights,
        development=act.development or card.development,
        management=act.management or card.management,
        uses=card.uses + (act.move == "D-03"),
        reports=(*card.reports, act.report) if act.report else card.reports,
        disposed=act.disposal.value if act.disposal else card.disposed,
        changed_at=at,
    )


def _check_report(report: Report, today: str) -> None:
    """Reports of outsiders carry issuer, licence, method, date and digest; 确认 a catalogue number."""
    if report.issued_on > today:
        raise GuardRefused("D-05", "not_in_the_future", "出具日期不得晚于今天。", "issued on a day to come")
    if report.confirmation is Confirmation.IDENTIFIED and not report.catalogue_no.strip():
        raise GuardRefused("D-05", "catalogue_no", "确认须填写目录编号。", "an identification has a catalogue number")
    if report.confirmation is Confirmation.VALUED and not (report.licence_no.strip() and report.method.strip()):
        raise GuardRefused(
            "D-05", "licence_and_method", "确值报告须填写机构执业编号和评估方法。", "a valuation has licence and method"
        )


def line_of(act: CardAct) -> str:
    """What a ledger line says of an act."""
    more = {
        "D-01": act.basic.name if act.basic else "",
        "D-02": "、".join(name for name in _BLOCKS if getattr(act, name) is not None) + f"：{act.reason}",
        "D-03": act.use,
        "D-04": f"{act.disposal.value if act.disposal else ''}：{act.reason}",
        "D-05": f"{act.report.confirmation.value}　{act.report.issuer}" if act.report else "",
    }
    return more[act.move][:400]
