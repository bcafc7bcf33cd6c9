"""The public register for programs: search, and statistics as JSON and CSV."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.asking import AskedDep
from api.deps import NowDep, ReadDep
from api.views import plain
from registry import answering
from registry.statistics import store as statistics
from registry.statistics.figures import csv_of

router = APIRouter(prefix="/api", tags=["registry 登记"])


@router.get("/certificates", summary="登记结果公示 / public register of results")
def certificates(
    session: ReadDep, now: NowDep, asked: AskedDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> dict[str, Any]:
    found = answering.catalogue(session, now, asked.wanted, limit=limit, before=asked.before)
    return {"as_of": now, "certificates": plain(found.listings), "next": found.next}


@router.get("/statistics", summary="登记统计 / statistics of the register")
def figures(session: ReadDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "figures": plain(statistics.figures(session, now))}


@router.get("/statistics.csv", summary="登记统计（CSV） / the same as CSV")
def figures_csv(session: ReadDep, now: NowDep) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="statistics.csv"'}
    return Response(csv_of(statistics.figures(session, now)), media_type="text/csv; charset=utf-8", headers=headers)
