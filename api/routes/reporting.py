"""Figures over HTTP: a party its own, operator and supervisors all; objections and their answers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, OperatorDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.office.deals import names_of
from api.pages.guard import LimitedDep
from api.views import appended, plain
from clearing.market import service as market
from clearing.settlement.reporting import service, store, workbook
from clearing.settlement.reporting.assessment import UNRATED, Assessment
from clearing.settlement.reporting.definitions import DEFINITIONS
from clearing.settlement.reporting.objection import Objection
from clearing.settlement.reporting.service import Account, as_of_at
from clearing.settlement.reporting.store import Objected

router = APIRouter(prefix="/api/reports", tags=["settlement 清算"])
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
AsOfQuery = Annotated[
    int | None, Query(ge=1, le=4_102_444_800, description="截至，UTC 秒；默认一分钟前 / as of; default: a minute ago")
]


@router.get("/definitions", summary="统一口径清单 / what each figure means, every version")
def definitions(caller: CallerDep) -> dict[str, Any]:
    return {"definitions": plain(DEFINITIONS)}


@router.get("/credit/{party}", summary="信用评分与等级，逐项依据 / credit of a party with every input and its facts")
def credit(
    party: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, as_of: AsOfQuery = None
) -> dict[str, Any]:
    _require_sees(session, caller, system, now, party)
    found = service.account(session, party, operator=system.settings.operator, as_of=as_of_at(as_of, now))
    return credit_document(found)


@router.post("/credit", summary="发布信用评分 / publish the credit of everybody who has a grade")
def publish(
    caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep, as_of: AsOfQuery = None
) -> dict[str, Any]:
    stated = service.publish(
        session, signer=system.operator.signer, operator=system.settings.operator, as_of=as_of_at(as_of, now), at=now
    )
    return {"facts": [fact.id for fact in stated]}


@router.get("/assessment/{period}", summary="考核统计报表 / every figure of a month, quarter or year")
def assessment(
    period: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, as_of: AsOfQuery = None
) -> dict[str, Any]:
    report = _assessment(session, caller, system, now, period, as_of)
    counts = {"effective_parties": report.effective_parties, "effective_products": report.effective_products}
    return {**plain(report), **counts}


@router.get("/assessment/{period}/xlsx", summary="考核统计报表（Excel） / the report as XLSX")
def assessment_workbook(
    period: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, as_of: AsOfQuery = None
) -> Response:
    report = _assessment(session, caller, system, now, period, as_of)
    parties = {row.party for row in report.parties} | {row.seller for row in report.products}
    return Response(workbook.assessment_xlsx(report, names_of(session, parties, now)), media_type=XLSX)


@router.get("/totals/{period}", summary="监管汇总：少于 10 个当事方的不列 / totals that name nobody, for supervisors")
def totals(
    period: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, as_of: AsOfQuery = None
) -> dict[str, Any]:
    _require_sees(session, caller, system, now)
    at = as_of_at(as_of, now)
    return plain(service.totals(session, period, operator=system.settings.operator, as_of=at))  # type: ignore[no-any-return]


@router.get("/totals/{period}/xlsx", summary="监管汇总（Excel） / the totals as XLSX")
def totals_workbook(
    period: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, as_of: AsOfQuery = None
) -> Response:
    _require_sees(session, caller, system, now)
    found = service.totals(session, period, operator=system.settings.operator, as_of=as_of_at(as_of, now))
    return Response(workbook.totals_xlsx(found), media_type=XLSX)


@router.get("/disclosure/{year}", summary="年度披露，公开 / what everybody is told of a year, naming nobody")
def disclosure(year: str, session: ReadDep, system: SystemDep, now: NowDep, _limited: LimitedDep) -> dict[str, Any]:
    return plain(service.disclose(session, year, operator=system.settings.operator, at=now))  # type: ignore[no-any-return]


@router.get("/disclosure/{year}/xlsx", summary="年度披露（Excel），公开 / the disclosure as XLSX")
def disclosure_workbook(
    year: str, session: ReadDep, system: SystemDep, now: NowDep, _limited: LimitedDep
) -> Response:  # fmt: skip
    found = service.disclose(session, year, operator=system.settings.operator, at=now)
    return Response(workbook.disclosure_xlsx(found), media_type=XLSX)


@router.get("/disclosure/{year}/preview", summary="年度披露预览，运营方和监管方 / as it would be as of another second")
def disclosure_preview(
    year: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep, as_of: AsOfQuery = None
) -> dict[str, Any]:
    _require_sees(session, caller, system, now)
    at = as_of_at(as_of, now)
    return plain(service.preview_disclosure(session, year, operator=system.settings.operator, as_of=at))  # type: ignore[no-any-return]


@router.get("/trades/{period}", summary="交易记录报告 / the deals of an account period")
def trades(period: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    organisation = organisation_of(session, caller, now)
    party = "" if sees_all(session, organisation, system, now) else organisation
    found = service.trades(session, period, operator=system.settings.operator, at=now, party=party)
    return plain(found)  # type: ignore[no-any-return]


@router.post(
    "/objections",
    openapi_extra=describe("credit-objection/v1", "clearing.settlement.reporting.objection.Objection"),
    summary="对统计指标的异议 / a party objects to a figure of its own",
)
def objection(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    taken = service.take_objection(
        session, body.signed, operator=system.settings.operator, working_days=system.office.working_days, at=now
    )
    return appended(taken)


@router.get("/objections", summary="异议及答复 / objections and their answers")
def objections(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    organisation = organisation_of(session, caller, now)
    party = "" if sees_all(session, organisation, system, now) else organisation
    return {"as_of": now, "objections": [_objection(item) for item in store.objections(session, party)]}


@router.get("/objections/{identity}", summary="一件异议和重新计算的结果 / one objection, and the figure computed again")
def one_objection(
    identity: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    set_aside: Annotated[list[str] | None, Query(max_length=500, description="搁置的记录 / inputs set aside")] = None,
) -> dict[str, Any]:
    found = store.objection(session, identity)
    _require_sees(session, caller, system, now, found.body.party)
    again = recomputed(session, system, found.body, tuple(set_aside or ()))
    return {"as_of": now, "objection": _objection(found), "recomputed": again}


@router.post(
    "/objections/answers",
    openapi_extra=describe("credit-objection-answer/v1", "clearing.settlement.reporting.objection.Answer"),
    summary="异议答复：重新计算，采纳或不采纳 / staff answer an objection with the figure computed again",
)
def answer(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    taken = service.take_answer(
        session, body.signed, signer=system.operator.signer, operator=system.settings.operator, at=now
    )
    return appended(taken)


@router.post(
    "/relations",
    openapi_extra=describe("party-relation/v1", "clearing.settlement.reporting.objection.Relation"),
    summary="关联关系：本方声明或经办人认定 / two parties are related, or are not (any more)",
)
def relation(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take_relation(session, body.signed, operator=system.settings.operator, at=now))


def credit_document(found: Account) -> dict[str, Any]:
    """A party's credit as JSON: the figure, its definition, what was published, what was objected to."""
    published = {"published": plain(found.published)} if found.published else {}
    return {
        "credit": plain(found.credit) | {"grade": found.credit.grade or UNRATED},
        "definition": plain(found.definition),
        **published,
        "objected": found.objected,
        "objections": [_objection(item) for item in found.objections],
    }


def recomputed(session: ReadDep, system: System, body: Objection, set_aside: tuple[str, ...] = ()) -> str:
    """The figure objected to, computed again."""
    return service.recomputed(session, body, operator=system.settings.operator, set_aside=set_aside)


def sees_all(session: ReadDep, organisation: str, system: System, now: int) -> bool:
    """The operator and the authorities see every party's figures."""
    return organisation == system.settings.operator or market.is_authority(session, organisation, now)


def _require_sees(session: ReadDep, caller: Caller, system: System, now: int, party: str = "") -> None:
    organisation = organisation_of(session, caller, now)
    if organisation != party and not sees_all(session, organisation, system, now):
        raise Forbidden("只能查看本方的指标。 / A party sees its own figures only.")


def _assessment(
    session: ReadDep, caller: Caller, system: System, now: int, period: str, as_of: int | None
) -> Assessment:
    organisation = organisation_of(session, caller, now)
    report = service.assess(session, period, operator=system.settings.operator, as_of=as_of_at(as_of, now))
    return report if sees_all(session, organisation, system, now) else report.of_party(organisation)


def _objection(item: Objected) -> dict[str, Any]:
    return {**plain(item), "state": "已答复" if item.answer else "有异议"}
