"""A demand and what is done with it, as values: the demand, its private budget, the moves.

Which move may follow which state stands in `moves`. Source: exchange.md §3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.gates import CODES
from clearing.market.listing import Identity, ProductType
from clearing.market.product import Environment, Level, Mode, Note, Period, Text, Uscc, day_from
from clearing.terms import MAX_FEN
from registry.asset import DataForm, Day, Twin
from registry.party import check_identity

DEMAND = "demand/v1"
DEMAND_BUDGET = "demand-budget/v1"
DEMAND_MOVE = "demand-move/v1"
OFFICER = "demand_officer"
"""Role in which the operator's staff handles demands."""

Optional = Annotated[str, Meta(max_length=200)]
Fen = Annotated[int, Meta(ge=0, le=MAX_FEN)]
Number = Annotated[int, Meta(ge=0, le=99)]


class Scene(StrEnum):
    """场景类型: what the data is to tell."""

    DESCRIPTION = "描述"
    DIAGNOSIS = "诊断"
    PREDICTION = "预测"
    STRATEGY = "策略"


class Sort(StrEnum):
    """Whose data is wanted: 公共数据 or 社会数据."""

    PUBLIC = "公共"
    SOCIAL = "社会"


class Visibility(StrEnum):
    """Who sees a demand once it was checked: everybody, parties on record, or parties that are named."""

    PUBLIC = "公开"
    PARTIES = "入册主体"
    INVITED = "指定主体"


class Move(StrEnum):
    """What is done with a demand; `state` is stated by demand/v1, the others by demand-move/v1."""

    STATE = "state"
    CHECK = "check"
    MERGE = "merge"
    UNMERGE = "unmerge"
    SPLIT = "split"
    REASSIGN = "reassign"
    ESCALATE = "escalate"
    CLAIM = "claim"
    LINK = "link"
    EVALUATE = "evaluate"
    ANALYSE = "analyse"
    REPORT = "report"
    WITHDRAW = "withdraw"
    CLOSE = "close_unmet"


MOVE_NAMES: Mapping[Move, tuple[str, str]] = {
    Move.STATE: ("梳理", "state the demand"),
    Move.CHECK: ("校核", "check for duplicates and in the catalogue"),
    Move.MERGE: ("汇总分析", "merge with another, or go on alone"),
    Move.UNMERGE: ("拆出", "take out of the demand it was merged into"),
    Move.SPLIT: ("分解", "split into parts"),
    Move.REASSIGN: ("改派", "give a part to another owner"),
    Move.ESCALATE: ("升级督办", "escalate an unclaimed part"),
    Move.CLAIM: ("认领", "claim a part"),
    Move.LINK: ("资源关联", "link a listing or a promise"),
    Move.EVALUATE: ("评价", "evaluate"),
    Move.ANALYSE: ("绩效分析", "analyse"),
    Move.REPORT: ("上报", "report"),
    Move.WITHDRAW: ("撤回", "withdraw"),
    Move.CLOSE: ("未满足关闭", "close unmet"),
}


class Reason(StrEnum):
    """Reason codes: W of a withdrawal, U of a demand closed unmet."""

    NOT_NEEDED = "W01"
    MET_ELSEWHERE = "W02"
    STATED_ANEW = "W03"
    WITHDRAWN_OTHER = "W99"
    NO_SOURCE = "U01"
    NO_RIGHT = "U02"
    LEVEL = "U03"
    BUDGET = "U04"
    DEADLINE = "U05"
    DUPLICATE = "U06"
    UNLAWFUL = "U07"
    UNMET_OTHER = "U99"


REASON_NAMES: Mapping[Reason, str] = {
    Reason.NOT_NEEDED: "不再需要",
    Reason.MET_ELSEWHERE: "已另行满足",
    Reason.STATED_ANEW: "重新提出",
    Reason.WITHDRAWN_OTHER: "其他",
    Reason.NO_SOURCE: "没有来源",
    Reason.NO_RIGHT: "无法取得权利",
    Reason.LEVEL: "分级不允许",
    Reason.BUDGET: "预算不足",
    Reason.DEADLINE: "已过期限",
    Reason.DUPLICATE: "与其他需求重复",
    Reason.UNLAWFUL: "目的不合法",
    Reason.UNMET_OTHER: "其他",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """所需数据. An empty field asks for nothing: days "" for any time, region "" for any place, `period` None for any
    update."""

    sort: Sort
    theme: Text
    fields: Annotated[tuple[Text, ...], Meta(max_length=200)] = ()
    time_from: Annotated[str, Meta(max_length=10)] = ""
    time_to: Annotated[str, Meta(max_length=10)] = ""
    region: Optional = ""
    period: Period | None = None
    forms: Annotated[tuple[DataForm, ...], Meta(max_length=10)] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """Body of demand/v1. The demander is named by USCC, `linked` are products it has in mind.

    `output`, `modes`, `environments` are what the demander can take, empty for any; `ceiling` is the highest level it
    may hold, `personal` whether it needs personal data; `public_body` and `fiscal` are what the venue rule asks about a
    buyer. `invited` are the parties that see it under `Visibility.INVITED`. `broker` states it for the demander under
    `mandate`; both are given or none.
    """

    demander: str
    title: Annotated[str, Meta(min_length=1, max_length=80)]
    sector: Annotated[str, Meta(pattern=r"^[A-Z][0-9]{2}\Z")]
    scene: Scene
    step: Text
    metric: Text
    wanted: Wanted
    purpose: Text
    ceiling: Level
    deadline: Day
    visibility: Visibility
    note: Note = ""
    scenario: Optional = ""
    output: Annotated[tuple[ProductType, ...], Meta(max_length=9)] = ()
    modes: Annotated[tuple[Mode, ...], Meta(max_length=7)] = ()
    environments: Annotated[tuple[Environment, ...], Meta(max_length=6)] = ()
    personal: bool = False
    public_body: bool = False
    fiscal: bool = False
    invited: Annotated[tuple[Uscc, ...], Meta(max_length=50)] = ()
    linked: Annotated[tuple[Identity, ...], Meta(max_length=50)] = ()
    broker: Annotated[str, Meta(max_length=18)] = ""
    mandate: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """Body of demand-budget/v1 about "demand-budget:<the demand's id>": a band of fen, CNY, for the whole of it."""

    low_fen: Fen
    high_fen: Fen


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a demand: what it is, its one owner (USCC) and the last day for it."""

    what: Text
    owner: Uscc
    due: Day


@dataclass(frozen=True, slots=True)
class Link:
    """What meets a part: a listing by its id, or a promise in words with its last day; exactly one of them."""

    listing: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""
    promise: Note = ""
    due: Annotated[str, Meta(max_length=10)] = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """评价: satisfaction from 1 to 5, whether the demand was met, and in time."""

    satisfaction: Annotated[int, Meta(ge=1, le=5)]
    met: bool
    timely: bool
    note: Note = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """绩效分析: how many evaluated, their mean satisfaction with two decimals, and whole days from the statement of
    the demand to each stage; computed by `moves.figures_of`, so that anybody can do it again."""

    evaluations: int
    satisfaction: str
    days_to_check: int
    days_to_claim: int
    days_to_link: int
    days_to_evaluate: int


@dataclass(frozen=True, slots=True)
class Reported:
    """上报: to which platform, its number there, the day, and the digest of the paper."""

    to: Text
    number: Text
    day: Day
    paper: Twin | None = None


@dataclass(frozen=True, slots=True)
class DemandMove:
    """Body of demand-move/v1. Which fields a move must carry stands in `moves`; the others stay empty.

    `duplicates` (demands) and `listings` are what the check found, `into` the demand this one goes along with ("": it
    goes on alone), `number` counts parts from 0, `rule` is what the clock acts by.
    """

    move: Move
    reason: Note = ""
    code: Reason | None = None
    duplicates: Annotated[tuple[Identity, ...], Meta(max_length=50)] = ()
    listings: Annotated[tuple[Identity, ...], Meta(max_length=50)] = ()
    into: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""
    parts: Annotated[tuple[Part, ...], Meta(max_length=50)] = ()
    number: Number | None = None
    part: Part | None = None
    link: Link | None = None
    evaluation: Evaluation | None = None
    figures: Figures | None = None
    reported: Reported | None = None
    rule: Optional = ""


def subject_of(demand: str) -> str:
    """The subject of the demand with this 32-hex id."""
    return f"demand:{demand}"


def budget_subject_of(demand: str) -> str:
    """The subject of its budget."""
    return f"demand-budget:{demand}"


def id_of(subject: str, prefix: str = "demand") -> str:
    """The 32-hex id inside a subject. Raises `BadTerms`."""
    identity = subject.removeprefix(f"{prefix}:")
    if identity == subject or len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", f"{prefix}:<32 hex>", subject[:120])
    return identity


def check_demand(demand: Demand, today: date) -> Demand:
    """The demand holds together and can still be met. Raises `BadTerms` or `FieldError`."""
    check_identity(demand.demander, "body.demander")
    if demand.sector not in CODES:
        raise BadTerms("body.sector", "GB/T 4754 大类代码，如 G56 / a division code", demand.sector)
    if day_from(demand.deadline, "body.deadline") < today:
        raise BadTerms("body.deadline", f"≥ {today}，不早于当日 / not before today", demand.deadline)
    wanted = demand.wanted
    if bool(wanted.time_from) is not bool(wanted.time_to):
        raise BadTerms(
            "body.wanted.time_to", "起止日期都有或都没有 / both days or none", wanted.time_to or "空 / empty"
        )
    if wanted.time_from:
        first, last = (day_from(getattr(wanted, name), f"body.wanted.{name}") for name in ("time_from", "time_to"))
        if first > last:
            raise BadTerms("body.wanted.time_from", f"≤ {last}", wanted.time_from)
    invited = demand.visibility is Visibility.INVITED
    if bool(demand.invited) is not invited:
        expected = (
            "指定的主体 / the parties invited" if invited else "仅“指定主体”填写 / only where parties are invited"
        )
        raise BadTerms("body.invited", expected, list(demand.invited))
    for place, party in enumerate(demand.invited):
        check_identity(party, f"body.invited[{place}]")
    if demand.fiscal and not demand.public_body:
        raise BadTerms("body.fiscal", "仅公共机构使用财政资金 / funds of public bodies only", demand.fiscal)
    if bool(demand.broker) is not bool(demand.mandate):
        raise BadTerms("body.mandate", "经纪与委托一并填写 / given with a broker", demand.mandate or "—")
    _check_once(demand)
    return demand


def check_budget(budget: Budget) -> Budget:
    """Raises `BadTerms` for a band that ends before it begins."""
    if budget.low_fen > budget.high_fen:
        raise BadTerms("body.high_fen", f"≥ {budget.low_fen}", budget.high_fen)
    return budget


def _check_once(demand: Demand) -> None:
    lists = {
        "wanted.fields": demand.wanted.fields, "wanted.forms": demand.wanted.forms, "output": demand.output,
        "modes": demand.modes, "environments": demand.environments, "invited": demand.invited, "linked": demand.linked,
    }  # fmt: skip
    for name, items in lists.items():
        if len(set(items)) != len(items):
            raise BadTerms(f"body.{name}", "每项一次 / each once", "重复 / repeated")
