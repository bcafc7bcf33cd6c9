"""Agreements, usage batches and price quotes over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from msgspec import Meta
from sqlmodel import Session

from api.apikey import Forbidden
from api.auth import CallerDep, key_in, require_own
from api.bodies import BatchDep, SignedDep, describe, describe_batch, read_body, require_media
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from api.watching import LONGEST
from clearing.market import service as market
from clearing.pricing import service as pricing
from clearing.pricing import store as pricing_store
from clearing.usage import service as usage
from clearing.usage.service import Refusal
from ledger import canonical
from ledger.facts import Signed
from ledger.reading import read
from registry.asset import Hex64
from registry.party import connector_subject

router = APIRouter(prefix="/api")

MAX_ASKED = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """From which act on a connector asks for, by agreement; `wait` at most so many seconds for one."""

    known: Annotated[dict[Hex64, Annotated[int, Meta(ge=0, le=2**53 - 1)]], Meta(min_length=1, max_length=10_000)]
    wait: Annotated[int, Meta(ge=0, le=LONGEST)] = 0


@router.post(
    "/agreements/acts",
    openapi_extra=describe("agreement-act/v1", "clearing.market.agreement.AgreementAct; parts: fields of new terms"),
    summary="数字合约：签署、变更、中止、解除 / an act of an agreement, signed by all it concerns",
    tags=["market 交易"],
)
def agreement_act(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(market.record_act(session, body.signed, body.parts, domain=system.agreement_domain, at=now))


@router.post(
    "/connectors/{connector}/acts",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object", "description": "api.routes.market.Asked"}}},
        },
        "security": [{"api_key": []}],
    },
    summary="连接器所服务合约的新事项（可等待） / new acts of a connector's agreements; waits until there is one",
    tags=["market 交易"],
)
async def acts(connector: str, request: Request) -> dict[str, Any]:
    """Acts from the numbers in `known` on, at once or within `wait` seconds; none if none came."""
    state, loop = request.app.state, asyncio.get_running_loop()
    caller = await state.desk.callers.get(key_in(request.headers.get("authorization", "")))
    require_media(request.headers.get("content-type", ""), "application/json")
    asked = read(Asked, canonical.parse(await read_body(request, MAX_ASKED)), "request")
    if caller.holder != connector_subject(connector):
        raise Forbidden("只能查询本连接器的合约。 / A connector asks for its own agreements only.")

    def admit() -> None:
        with Session(state.system.reader) as session:
            usage.require_named(session, connector, asked.known)

    def look() -> list[tuple[Signed, list[bytes]]]:
        with Session(state.system.reader) as session:
            return usage.acts_from(session, asked.known)

    await run_in_threadpool(admit)
    until, mark, found = loop.time() + asked.wait, None, []
    while True:
        newest = await state.watch.mark()
        if newest != mark:
            mark, found = newest, await run_in_threadpool(look)
        if found or loop.time() >= until or await request.is_disconnected():
            break
        await state.watch.after(mark, min(until, loop.time() + 1))
    told = [(item.document(), [part.decode() for part in parts]) for item, parts in found]
    return {"acts": [{"signed": signed, "parts": parts} for signed, parts in told]}


@router.post(
    "/usage/batches",
    openapi_extra=describe_batch("usage-batch/v1", "clearing.usage.batch.BatchHeader; records: clearing.usage.record"),
    summary="使用存证批次 / a batch of usage records under the connector's signature",
    tags=["usage 使用"],
)
def usage_batch(batch: BatchDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> Response:
    require_own(caller, batch.signed)
    result = usage.admit(session, batch, signer=system.operator.signer, at=now)
    if isinstance(result, Refusal):
        usage.record_refusal(session, result)
        message = (
            "同一序号区间已有不同内容，未计入，已存拒收记录。 / Another batch holds these numbers; kept as refused."
        )
        return JSONResponse({"error": "Conflict", "message": message, **result.answer()}, 409)
    return Response(result.answer, media_type="application/json")


@router.post(
    "/quotes",
    openapi_extra=describe("price-quote/v1", "clearing.pricing.price_report.PriceQuote; parts: report, evidence"),
    summary="报价存证 / a price quote with its report and evidence",
    tags=["pricing 定价"],
)
def quote(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    taken = pricing.take_quote(
        session,
        body.signed,
        body.parts,
        at=now,
        require_signature=system.require_signature,
        right_in_force=system.right_in_force,
    )
    return plain(taken)  # type: ignore[no-any-return]


@router.get("/quotes/{report_id}", summary="定价报告 / the price report of a quote", tags=["pricing 定价"])
def quote_report(report_id: str, caller: CallerDep, session: ReadDep, system: SystemDep) -> Response:
    issuer = pricing_store.quote(session, report_id).quote.issuer
    if caller.holder not in {issuer, f"party:{system.settings.operator}", f"party:{system.settings.agency}"}:
        raise Forbidden(
            "定价报告含成本，只给出具方、运营方和登记机构。 / A price report holds costs: not for everybody."
        )
    report, _ = pricing_store.documents(session, report_id)
    return Response(report, media_type="application/json")
