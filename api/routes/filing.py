"""备案 of agreements over HTTP: stated by a party, reported as JSON and XLSX."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.office import history, spoken
from api.routes.delivery import concerned
from api.views import appended
from clearing.market import store as agreements
from clearing.market.filing import service
from clearing.market.filing.report import report_xlsx
from registry.party import party_subject

router = APIRouter(prefix="/api", tags=["market 交易"])
RevisionQuery = Annotated[int, Query(ge=0, le=2**31, description="版次；0 为现行 / revision; 0: the present one")]


@router.post(
    "/filings",
    openapi_extra=describe("agreement-filing/v1", "clearing.market.filing.filing.AgreementFiling"),
    summary="合约备案：提交、退回、备案、变更、撤回 / what a filer states about the filing of an agreement",
)
def filing(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take(session, body.signed, operator=system.settings.operator, at=now))


@router.get("/agreements/{agreement}/filing", summary="合约备案报告 / what is reported of an agreement")
def report(
    agreement: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, revision: RevisionQuery = 0
) -> dict[str, Any]:
    return _report(session, caller, system, agreement, revision, now)


@router.get("/agreements/{agreement}/filing/xlsx", summary="合约备案报告（Excel） / the report as XLSX")
def report_workbook(
    agreement: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, revision: RevisionQuery = 0
) -> Response:
    found = _report(session, caller, system, agreement, revision, now)
    data = report_xlsx(found, list(_lines(found)))
    return Response(data, media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def _report(
    session: ReadDep, caller: Caller, system: SystemDep, agreement: str, revision: int, now: int
) -> dict[str, Any]:
    row = agreements.agreement(session, agreement)
    if organisation_of(session, caller, now) not in concerned(session, row.id, system):
        raise Forbidden("备案报告只给合约各方和运营方。 / The report is for the agreement's parties and the operator.")
    number = revision or row.revision
    parties = {party.party for party in agreements.terms_of(session, row.id, number).parties}
    named = history.names(session, {party_subject(party) for party in parties}, now)
    names = {by.removeprefix("party:"): name for by, name in named.items() if name != by}
    return service.report(session, row.id, number, names, now)


def _lines(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for block in spoken.blocks(report["content"], "terms", {}):
        for line in block.lines:
            yield f"{block.title} {line.label}".strip(), line.text
