"""Forms of the market for people with a session: a demand matched now, recommendations switched on or off.

Neither is signed by who presses the button: what follows is stated by the operator's system key.
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.deps import NowDep, SystemDep, WriteDep
from api.pages.office import FormDep, see
from api.routes.demand import require_inside
from api.sessions import HolderDep
from clearing.market.matching import service as matching
from clearing.market.recommending import service as recommending
from clearing.settlement.reporting import store as reporting
from clearing.usage.service_level import service as service_level
from ledger.errors import FieldError

router = APIRouter(include_in_schema=False)


@router.post("/demands/mine/{demand}/matches")
def match_now(
    demand: str, form: FormDep, found: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    require_inside(session, system, demand, found.organisation)
    records, grades = service_level.records(session, at=now), reporting.grades(session)
    matching.take_ranking(
        session, demand, signer=system.operator.signer, at=now, records=records, grades=grades
    )  # fmt: skip
    return see(f"/demands/mine/{demand}/matches")


@router.post("/recommendations")
def switch_now(form: FormDep, found: HolderDep, session: WriteDep, system: SystemDep, now: NowDep) -> Response:
    given = form.get("switch", "")
    if given not in ("on", "off"):
        raise FieldError("switch", "on | off", given[:20])
    recommending.switch(session, found.organisation, on=given == "on", signer=system.operator.signer, at=now)
    return see("/recommendations")
