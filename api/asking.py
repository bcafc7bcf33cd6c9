"""What a page or program asks of register and market, read from the address: words, filters, and where to go on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from clearing.market.demand.demand import Scene
from clearing.market.demand.store import Wanted as Needs
from clearing.market.gates import CODES
from clearing.market.listing import PriceRegime, ProductType
from clearing.market.product import Level, QualityGrade
from clearing.market.shelf.store import Wanted as Goods
from ledger.errors import FieldError
from registry.asset import AssetKind
from registry.calendar import end_of, start_of
from registry.certificate import Status
from registry.party import check_uscc
from registry.rights import Right
from registry.search.store import FIRST, Wanted

Choice = TypeVar("Choice", bound=StrEnum)

_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_PLACE = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Asked:
    """The question as it was typed, so that a page can show it again, and as the register reads it."""

    typed: dict[str, str]
    wanted: Wanted
    before: int


def asked(
    q: Annotated[str, Query(max_length=80, description="任意字词 / words, or pieces of words")] = "",
    kind: Annotated[str, Query(max_length=20, description="resource | element | product")] = "",
    right: Annotated[str, Query(max_length=20, description="HOLD | USE | OPERATE")] = "",
    agency: Annotated[str, Query(max_length=18, description="登记机构统一社会信用代码 / USCC")] = "",
    status: Annotated[str, Query(max_length=20, description="VALID | LAPSED | …")] = "",
    since: Annotated[str, Query(max_length=10, description="存证日期自 / deposited on or after")] = "",
    until: Annotated[str, Query(max_length=10, description="存证日期至 / deposited on or before")] = "",
    after: Annotated[str, Query(max_length=19, description="上一页给出的 next / the next of the page before")] = "",
) -> Asked:
    """The question in the address. Raises `FieldError` naming what is not understood."""
    before = place_of(after)
    typed = {
        "q": q, "kind": kind, "right": right, "agency": agency, "status": status, "since": since, "until": until,
    }  # fmt: skip
    wanted = Wanted(
        words=q,
        kind=_choice(AssetKind, kind, "kind"),
        agency=check_uscc(agency, "agency") if agency else "",
        right=_choice(Right, right, "right"),
        status=_choice(Status, status, "status"),
        since=start_of(_day(since, "since")) if since else None,
        until=end_of(_day(until, "until")) if until else None,
    )
    return Asked({name: value for name, value in typed.items() if value}, wanted, before)


@dataclass(frozen=True, slots=True)
class AskedGoods:
    """The question to the market as it was typed, and as the shelf reads it."""

    typed: dict[str, str]
    wanted: Goods
    before: int


def asked_goods(
    q: Annotated[str, Query(max_length=80, description="任意字词 / words, or pieces of words")] = "",
    type: Annotated[str, Query(max_length=20, description="DS | TB | API | …")] = "",
    industry: Annotated[str, Query(max_length=20, description="如 G56 / a division of GB/T 4754")] = "",
    grade: Annotated[str, Query(max_length=20, description="A … E：质量等级 / grade of quality")] = "",
    level: Annotated[str, Query(max_length=20, description="一般数据 | 重要数据 / level of the data")] = "",
    regime: Annotated[str, Query(max_length=20, description="政府指导价 | 自主定价 | 免费")] = "",
    shown: Annotated[str, Query(max_length=20, description="all：含暂停和下架预告 / with those not on offer")] = "",
    after: Annotated[str, Query(max_length=19, description="上一页给出的 next / the next of the page before")] = "",
) -> AskedGoods:
    """The question in the address. Raises `FieldError` naming what is not understood."""
    _known(industry, "industry")
    if shown not in ("", "all"):
        raise FieldError("shown", "all", repr(shown)[:40])
    typed = {
        "q": q, "type": type, "industry": industry, "grade": grade, "level": level, "regime": regime, "shown": shown,
    }  # fmt: skip
    wanted = Goods(
        words=q,
        type=_choice(ProductType, type, "type"),
        industry=industry,
        grade=_choice(QualityGrade, grade, "grade"),
        level=_choice(Level, level, "level"),
        regime=_choice(PriceRegime, regime, "regime"),
        all_shown=shown == "all",
    )
    return AskedGoods({name: value for name, value in typed.items() if value}, wanted, place_of(after))


AskedGoodsDep = Annotated[AskedGoods, Depends(asked_goods)]


@dataclass(frozen=True, slots=True)
class AskedDemands:
    """The question for demands as it was typed, and as the market reads it."""

    typed: dict[str, str]
    wanted: Needs
    before: int


def asked_demands(
    q: Annotated[str, Query(max_length=80, description="任意字词 / words, or pieces of words")] = "",
    sector: Annotated[str, Query(max_length=20, description="如 G56 / a division of GB/T 4754")] = "",
    scene: Annotated[str, Query(max_length=20, description="描述 | 诊断 | 预测 | 策略")] = "",
    output: Annotated[str, Query(max_length=20, description="DS | TB | API | …")] = "",
    shown: Annotated[str, Query(max_length=20, description="all：含已办结 / with those that ended")] = "",
    after: Annotated[str, Query(max_length=19, description="上一页给出的 next / the next of the page before")] = "",
) -> AskedDemands:
    """The question in the address. Raises `FieldError` naming what is not understood."""
    _known(sector, "sector")
    if shown not in ("", "all"):
        raise FieldError("shown", "all", repr(shown)[:40])
    typed = {"q": q, "sector": sector, "scene": scene, "output": output, "shown": shown}
    wanted = Needs(
        words=q,
        sector=sector,
        scene=_choice(Scene, scene, "scene"),
        output=_choice(ProductType, output, "output"),
        all_shown=shown == "all",
    )
    return AskedDemands({name: value for name, value in typed.items() if value}, wanted, place_of(after))


AskedDemandsDep = Annotated[AskedDemands, Depends(asked_demands)]


def place_of(after: str) -> int:
    """The place a page goes on from. Raises `FieldError` for what no page gave."""
    if after and not (_PLACE.fullmatch(after) and int(after) <= FIRST):
        raise FieldError("after", "上一页给出的 next / the next of the page before", after)
    return int(after) if after else FIRST


AskedDep = Annotated[Asked, Depends(asked)]


def _known(code: str, field: str) -> None:
    if code and code not in CODES:
        raise FieldError(field, "如 G56 / a division of GB/T 4754", repr(code)[:40])


def _choice(kinds: type[Choice], value: str, field: str) -> Choice | None:
    if not value:
        return None
    try:
        return kinds(value)
    except ValueError:
        raise FieldError(field, " | ".join(kinds), repr(value)[:40]) from None


def _day(text: str, field: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise FieldError(field, "如 2026-09-01 的日期 / a date like 2026-09-01", repr(text)[:40])
