"""数据元件 over HTTP: versions stated, moved, reviewed and found; who may see what of them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.market.product import ElementForm
from clearing.pricing.element import service
from clearing.pricing.element.moves import State
from clearing.pricing.element.store import Wanted
from ledger.errors import FieldError

router = APIRouter(prefix="/api", tags=["pricing 定价"])

_PLACE = re.compile(r"([0-9A-Z]{20})\.([0-9]{1,10})")
Text = Annotated[str, Query(max_length=200)]


@router.post(
    "/elements",
    openapi_extra=describe("element-version/v1", "clearing.pricing.element.element.ElementVersion"),
    summary="数据元件：新建、修改开发中的版本、新版本 / an element, its working version anew, or a new version",
)
def element_version(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.state(session, body.signed, at=now))


@router.post(
    "/elements/moves",
    openapi_extra=describe("element-move/v1", "clearing.pricing.element.element.ElementMove"),
    summary="元件发布、撤回、审核评价、下架 / a move of a version",
)
def element_move(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.move(session, body.signed, operator=system.settings.operator, at=now))


@router.get("/elements", summary="数据元件检索：已发布和下架的，开发方另见自己的 / published elements, and one's own")
def elements(
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    q: Annotated[str, Query(max_length=80, description="名称中的字词 / a piece of the name")] = "",
    domain: Annotated[Text, Query(description="信息领域 / information domain")] = "",
    form: Annotated[Text, Query(description="数据集型 | 数据特征型")] = "",
    state: Annotated[Text, Query(description="DEVELOPING | REVIEW | PUBLISHED | DELISTED")] = "",
    developer: Annotated[Text, Query(description="开发方统一社会信用代码 / USCC of the developer")] = "",
    after: Annotated[Text, Query(description="上一页给出的 next / the next of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    for name, text in (("q", q), ("domain", domain), ("developer", developer)):
        if not text.isprintable():
            raise FieldError(name, "可显示的字符 / printable characters", ascii(text)[:80])
    wanted = Wanted(q, domain, _form(form), _state(state), developer)
    party, operator = organisation_of(session, caller, now), system.settings.operator
    page = service.search(session, wanted, party=party, operator=operator, at=now, limit=limit, after=_place(after))
    return {"as_of": now, "versions": plain(page.versions), "next": page.next}


@router.get("/elements/{element}", summary="一个数据元件的各版本 / the versions of an element the caller may see")
def one_element(element: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    party, operator = organisation_of(session, caller, now), system.settings.operator
    found = service.element(session, element, party=party, operator=operator, at=now)
    return {"as_of": now, "element": element, "versions": plain(found)}


def _form(text: str) -> ElementForm | None:
    if text and text not in set(ElementForm):
        raise FieldError("form", " | ".join(ElementForm), text[:80])
    return ElementForm(text) if text else None


def _state(text: str) -> State | None:
    if text and text not in set(State) - {State.NONE}:
        raise FieldError("state", " | ".join(item for item in State if item is not State.NONE), text[:80])
    return State(text) if text else None


def _place(text: str) -> tuple[str, int]:
    found = _PLACE.fullmatch(text)
    if text and not found:
        raise FieldError("after", "上一页的 next / the next of the page before", text[:80])
    return (found[1], int(found[2])) if found else ("", 0)
