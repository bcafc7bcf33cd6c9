"""The working days and the rule sets in force: read by anybody, stated by two members of staff."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from registry.rulebook import service, store

router = APIRouter(prefix="/api", tags=["rulebook 日历与规则"])


@router.post(
    "/calendars",
    openapi_extra=describe("calendar-published/v1", "registry.rulebook.year_table.YearTable"),
    summary="发布年度工作日安排（两人签署） / publish a year's working days, signed by two",
)
def calendar(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.publish_calendar(session, system.house, body.signed, at=now))


@router.get("/calendars", summary="工作日安排及版本 / working days and their versions")
def calendars(session: ReadDep, system: SystemDep) -> dict[str, Any]:
    in_force = system.calendar
    published = [
        {"year": row.year, "version": row.version, "document_no": row.document_no, "at": row.from_at,
         "fact": row.fact_id}
        for row in store.years(session)
    ]  # fmt: skip
    return {
        "version": in_force.version,
        "years": sorted(in_force.years),
        "holidays": sorted(day.isoformat() for day in in_force.holidays),
        "workdays": sorted(day.isoformat() for day in in_force.workdays),
        "published": published,
    }


@router.post(
    "/rule-sets",
    openapi_extra=describe("rule-set/v1", "registry.rulebook.rule_set.RuleSet"),
    summary="规则版本入日志（两人签署） / put a rule-set version into the log, signed by two",
)
def rule_set(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.record_rule_set(session, system.house, body.signed, at=now))


@router.get("/rule-sets", summary="规则及其摘要 / the rule sets and their digests")
def rule_sets(session: ReadDep) -> dict[str, Any]:
    return {"rule_sets": plain(service.rule_sets(session))}
