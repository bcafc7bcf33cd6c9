"""What connectors say about the end of their records, and how the two sides' records of an agreement compare."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, OperatorDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.market import store as market
from clearing.usage import service as usage
from clearing.usage import store as usage_store
from clearing.usage.report import Report
from clearing.usage.workbook import report_xlsx
from ledger.errors import FieldError

router = APIRouter(prefix="/api", tags=["usage 使用"])

LONGEST = 366 * 86_400
"""Seconds one report may cover."""
Second = Annotated[int, Query(ge=946_684_800, le=4_102_444_800)]


@router.post(
    "/usage/reports",
    openapi_extra=describe(
        "usage-period-close/v1|usage-heartbeat/v1", "clearing.usage.closing.PeriodClose or Heartbeat"
    ),
    summary="月度截止、心跳 / a connector's close of a month, or its heartbeat",
)
def usage_report(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(usage.take_report(session, body.signed, at=now))


@router.get("/usage/findings", summary="缺号、分叉与未签记录 / gaps, forks and unsigned records")
def findings(caller: OperatorDep, session: ReadDep, connector: str = "") -> dict[str, Any]:
    """Open findings of one connector or of all, and what was said about them."""
    found = usage_store.findings(session, connector)
    names = sorted({item.connector for item in found})
    return {
        "findings": [plain(item) for item in found],
        "explanations": [plain(item) for name in names for item in usage_store.explanations(session, name)],
    }


@router.post(
    "/usage/findings",
    openapi_extra=describe("usage-finding-explained/v1", "clearing.usage.finding.Explanation"),
    summary="说明缺号或分叉（运营方两人签署） / explain a finding, signed by two persons of the operator",
)
def explain(body: SignedDep, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return appended(usage.explain(session, body.signed, operator=system.settings.operator, at=now))


@router.get("/agreements/{agreement}/reconciliation", summary="使用对账报告 / both sides' records compared")
def reconciliation(
    agreement: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    start: Annotated[Second, Query(alias="from")],
    end: Annotated[Second, Query(alias="to")],
) -> dict[str, Any]:
    return plain(_report(session, caller, system, agreement, start, end, now))  # type: ignore[no-any-return]


@router.get("/agreements/{agreement}/reconciliation/xlsx", summary="使用对账报告（Excel） / the report as XLSX")
def reconciliation_workbook(
    agreement: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    start: Annotated[Second, Query(alias="from")],
    end: Annotated[Second, Query(alias="to")],
) -> Response:
    data = report_xlsx(_report(session, caller, system, agreement, start, end, now))
    return Response(data, media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def _report(
    session: ReadDep, caller: Caller, system: SystemDep, agreement: str, start: int, end: int, now: int
) -> Report:
    _require_party(session, caller, agreement, system.settings.operator)
    if not 0 < end - start <= LONGEST:
        raise FieldError("to", f"from < to ≤ from + {LONGEST}", f"{start} … {end}")
    return usage.reconciliation(session, agreement, start, end, at=now)


def _require_party(session: ReadDep, caller: Caller, agreement: str, operator: str) -> None:
    """The parties of the agreement, its signers, and the operator who settles it. Raises `Forbidden`."""
    row = market.agreement(session, agreement)
    before = market.before_of(session, agreement)
    parties = {party.party for party in market.terms_of(session, agreement, row.revision).parties}
    parties |= {signer.party for signer in before.signers} if before else set()
    if caller.holder not in {f"party:{name}" for name in (*parties, operator)}:
        raise Forbidden("对账报告只给合约各方。 / A reconciliation report is for the parties of its agreement.")
