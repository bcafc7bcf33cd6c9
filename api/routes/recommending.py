"""Recommendations over HTTP: searches an organisation sends to be kept, both lists, and the switch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from msgspec import Meta

from api.asking import asked_goods
from api.auth import CallerDep, organisation_of
from api.bodies import DocumentDep
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import plain
from clearing.market.recommending import service, store
from clearing.market.recommending.reasons import Switch
from clearing.market.shelf import service as shelf
from ledger.reading import read

router = APIRouter(prefix="/api", tags=["market 交易"])

Asked = Annotated[str, Meta(max_length=80)]


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched, in the words of `GET /api/market/products`."""

    q: Asked = ""
    type: Asked = ""
    industry: Asked = ""
    grade: Asked = ""
    level: Asked = ""
    regime: Asked = ""
    after: Annotated[str, Meta(max_length=19)] = ""


@router.post("/market/searches", summary="以本单位名义检索，留存 90 天 / search, and let it be kept for 90 days")
def search(
    value: DocumentDep, caller: CallerDep, session: WriteDep, now: NowDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:  # fmt: skip
    asked = asked_goods(**asdict(read(Search, value, "request")))
    kept = service.keep_search(session, organisation_of(session, caller, now), asked.wanted, at=now)
    found = shelf.search(session, asked.wanted, at=now, limit=limit, before=asked.before)
    return {"as_of": now, "kept": kept, "products": plain(found.offers), "next": found.next}


@router.get("/market/searches", summary="留存的本单位检索 / the searches kept of one's organisation")
def searches(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "searches": plain(store.searches(session, organisation_of(session, caller, now), now))}


@router.get("/recommendations", summary="推荐：附理由的和对所有人相同的 / recommendations with reasons, and without")
def recommendations(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, **plain(service.recommend(session, organisation_of(session, caller, now), at=now))}


@router.post("/recommendations", summary='打开或关闭个性化推荐 / the switch: {"on": true | false}')
def set_switch(
    value: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    switch, party = read(Switch, value, "request"), organisation_of(session, caller, now)
    service.switch(session, party, on=switch.on, signer=system.operator.signer, at=now)
    return {"as_of": now, "on": switch.on}
