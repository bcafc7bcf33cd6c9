"""Negotiations over HTTP: one door for every signed message, and what a party sees of its own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from api import errors
from api.apikey import Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import dealing
from api.views import appended, plain
from clearing.market.broker import store as mandates
from clearing.market.negotiation import service as negotiating
from clearing.market.negotiation import store
from clearing.market.negotiation.message import Message, Side
from clearing.market.negotiation.moves import state_at
from clearing.market.negotiation.service import Next, Refusal
from clearing.market.negotiation.store import NegotiationRow

router = APIRouter(prefix="/api", tags=["market 交易"])


@router.post(
    "/negotiations/messages",
    openapi_extra=describe(
        "negotiation-message/v1|negotiation-brokered/v1",
        "clearing.market.negotiation.message.NegotiationMessage; parts: fields of the proposal, with FINALISE the"
        " signed agreement-act/v1 as text and then the fields of its terms; none if it was signed at the desk",
    ),
    summary="协商：询价、报价、要约、接受、定稿、核验、签署、终止 / a message of a negotiation",
)
def message(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> Response:
    require_own(caller, body.signed)
    taken = dealing.take(session, system, body.signed, body.parts, at=now)
    if isinstance(taken, Refusal):
        return JSONResponse(errors.document(taken.error), errors.status_of(taken.error))
    return JSONResponse(appended(taken))


@router.get("/negotiations", summary="本方的协商 / the caller's negotiations")
def negotiations(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    rows = store.negotiations(session, party=organisation_of(session, caller, now))
    return {"as_of": now, "negotiations": [_line(row, now) for row in rows]}


@router.get("/negotiations/{negotiation}", summary="一次协商的全过程 / one negotiation, to its parties only")
def negotiation(negotiation: str, caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    row = store.negotiation(session, negotiation)
    act = negotiating.agreed_act(session, negotiation)
    signers = {signer["party"] for signer in act.body["signers"]} if act else set()
    brokers = {
        mandates.mandate(session, name).value.broker for name in (row.consumer_mandate, row.provider_mandate) if name
    }
    if organisation_of(session, caller, now) not in {row.consumer, row.provider} | signers | brokers:
        raise Forbidden("协商只对双方、其经纪和签署方公开。 / Shown to its sides, their brokers and its signers only.")
    fact, body, document = store.proposal_of(session, row.proposal)
    return {
        "as_of": now,
        "negotiation": _line(row, now),
        "messages": [plain(item) for item in store.said(session, negotiation)],
        "proposal": {
            "fact": fact.id,
            "content": body.content,
            "digest": plain(body.digest),
            "document": plain(document),
        },
        "act": act.document() if act else {},
        "refused": [plain(item) for item in store.refusals(session, negotiation)],
    }


@router.get("/negotiations/{negotiation}/agreement", summary="定稿文书草稿 / the message that freezes the agreement")
def frozen(
    negotiation: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    days: Annotated[int, Query(ge=1, le=365)] = 30,
) -> dict[str, Any]:
    """For the provider, not signed and not kept: the act with an id drawn now and the signers' keys on record, to be
    integrated within so many days; under `parts` nothing, for it brings the latest proposal."""
    row = store.negotiation(session, negotiation)
    if organisation_of(session, caller, now) != row.provider:
        raise Forbidden("定稿由提供方办理。 / The provider freezes the agreement.")
    said = Next(Message.AGREEMENT, Side.PROVIDER, row.consumer, row.provider, row.listing, deadline=now + days * 86_400)
    statement, _ = negotiating.draft(session, negotiation, said, domain=system.agreement_domain, at=now)
    return {"statement": statement.document()}


def _line(row: NegotiationRow, now: int) -> dict[str, Any]:
    return {**plain(row), "state": state_at(row.state, row.valid_until, now).value}
