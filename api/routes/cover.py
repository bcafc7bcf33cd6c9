"""Guarantors of what net payers bring, over HTTP: what they state, and the call of those who are asked to pay."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api.auth import CallerDep, OperatorDep, organisation_of, require_own
from api.bodies import DocumentDep, SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.office import covers
from api.routes.settlement import XLSX
from api.views import appended, plain
from clearing.settlement import batch_sheet, payment
from clearing.settlement import service as settlement
from clearing.settlement.cover import COVER_CALL, FUNDING_GUARANTEE, RECOURSE_REPAID, Day
from clearing.settlement.payment import BankAccount
from clearing.settlement.stating import Month
from clearing.terms import Fen, Short
from ledger import reading
from ledger.facts import require_fields

router = APIRouter(prefix="/api", tags=["settlement 清算"])


@router.get("/funding-guarantees", summary="担保备付：现行的担保 / the guarantees that concern the caller")
def guarantees(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    party = organisation_of(session, caller, now)
    found = covers.rows(session, system.settings.operator, party, now)
    return {
        "guarantees": [
            {"fact": one.standing.fact, "at": one.standing.at, "stands": one.stands, "owed": one.owed,
             **plain(one.standing.body)}
            for one in found
        ]
    }  # fmt: skip


@router.post("/funding-guarantees/draft", summary="待签担保 / what guarantor and party are to sign")
def draft_guarantee(
    value: DocumentDep, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    """For the caller's own organisation as guarantor; `most` 0 ends what stands."""
    require_fields(value, "request", {"party", "most", "first", "last"}, set())
    party = reading.read(Short, value["party"], "party")
    covers.require_known(session, party, now)
    drafted = settlement.draft_guarantee(
        session, operator=system.settings.operator, guarantor=organisation_of(session, caller, now), party=party,
        most=reading.read(Fen, value["most"], "most"), first=reading.read(Day, value["first"], "first"),
        last=reading.read(Day, value["last"], "last"),
    )  # fmt: skip
    return {"statement": drafted.document()}


@router.post(
    "/funding-guarantees",
    openapi_extra=describe(FUNDING_GUARANTEE, "clearing.settlement.cover.FundingGuarantee"),
    summary="担保备付（担保方与被担保方签署） / a guarantee signed by guarantor and party",
)
def give_guarantee(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(settlement.give_guarantee(session, system.office, body.signed, at=now))


@router.post("/recourse-payments/draft", summary="待签收到偿还 / that a party has repaid its guarantor, to sign")
def draft_repaid(
    value: DocumentDep, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    """For the caller's own organisation as guarantor."""
    require_fields(value, "request", {"party", "period", "amount"}, set())
    drafted = settlement.draft_repaid(
        session, operator=system.settings.operator, guarantor=organisation_of(session, caller, now),
        party=reading.read(Short, value["party"], "party"), period=reading.read(Month, value["period"], "period"),
        amount=reading.read(Fen, value["amount"], "amount"),
    )  # fmt: skip
    return {"statement": drafted.document()}


@router.post(
    "/recourse-payments",
    openapi_extra=describe(RECOURSE_REPAID, "clearing.settlement.cover.RecourseRepaid"),
    summary="收到偿还（担保方签署） / a party has repaid its guarantor, signed by the guarantor",
)
def take_repaid(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(settlement.take_repaid(session, system.office, body.signed, at=now))


@router.post("/cycles/{cycle}/cover-calls/draft", summary="待签催付 / the call of the guarantors, to sign")
def draft_call(
    cycle: str, value: DocumentDep, caller: OperatorDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_fields(value, "request", {"accounts"}, set())
    accounts = reading.read(dict[str, BankAccount], value["accounts"], "accounts")
    drafted = settlement.draft_call(session, system.office, cycle=cycle, accounts=accounts, at=now)
    return {"statement": drafted.document()}


@router.post(
    "/cover-calls",
    openapi_extra=describe(COVER_CALL, "clearing.settlement.cover.CoverCall"),
    summary="向担保方催付（两人签署） / the call of guarantors signed by two persons",
)
def call_cover(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return {"fact": settlement.call_cover(session, system.office, body.signed, at=now).id}


@router.get("/cycles/{cycle}/cover/{party}", summary="代付文件 / the file the guarantor of a party hands to its bank")
def cover_file(
    cycle: str,
    party: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    form: Annotated[Literal["csv", "xlsx"], Query()] = "csv",
) -> Response:
    asked, batch = covers.called(session, cycle, party)
    covers.require_concerned(asked, organisation_of(session, caller, now), system.settings.operator)
    if form == "xlsx":
        return Response(batch_sheet.funding_xlsx(batch, party), media_type=XLSX)
    return Response(payment.funding_csv(batch, party), media_type="text/csv; charset=utf-8")
