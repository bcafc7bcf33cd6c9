"""Pages of a delivery for both its sides: where it stands, until when somebody may act, and what to do next."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.auth import CallerDep, organisation_of
from api.deps import NowDep, ReadDep, SystemDep
from api.pages.render import page
from api.routes.delivery import side_of
from clearing.market import store as agreements
from clearing.market.delivery import service as delivering
from clearing.market.delivery import store
from clearing.market.delivery.act import Act, Reason, Side
from clearing.market.delivery.moves import TURNS, inspection_of, open_acts
from clearing.market.delivery.service import ACT_NAMES, CLOSED, PROGRESS_NAMES, STATE_NAMES
from clearing.market.product import MODE_NAMES
from clearing.market.promise import Counting, Silence
from clearing.market.shelf import store as shelf

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

SIDE_NAMES = {Side.PROVIDER: "供方", Side.CONSUMER: "需方", Side.DECIDER: "监理或裁决方"}
REASON_NAMES = {
    Reason.QUANTITY: "数量不符", Reason.QUALITY: "质量不符", Reason.VERSION: "版本不符", Reason.FORMAT: "格式不符",
    Reason.DELAY: "交付迟延", Reason.OTHER: "其他",
}  # fmt: skip
SILENCE_NAMES = {Silence.ACCEPT: "视为验收通过", Silence.REJECT: "视为提出异议", Silence.ESCALATE: "提请决定"}
COUNTING_NAMES = {Counting.DAYS: "日（末日为休息日的顺延）", Counting.WORKING_DAYS: "个工作日"}
COMMANDS = {Act.RECEIVE: "receive", Act.REFUSE: "receive", Act.REDELIVER: "deliver"}
"""What needs the files is done by command where they are; every other act has a form."""
FORMS = frozenset(Act) - set(COMMANDS) - {Act.DELIVER}


@router.get("/deliveries")
def deliveries_page(
    request: Request, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    organisation = organisation_of(session, caller, now)
    found = delivering.readings(session, organisation, calendar=system.calendar, at=now)
    names = {made.row.id: _product(session, made.row.agreement) for made in found}
    dues = {made.row.id: delivering.first_due(list(made.items)) for made in found}
    return page(
        request, "deliveries", found=found, names=names, dues=dues, organisation=organisation, closed=CLOSED,
        progress=PROGRESS_NAMES, now=now,
    )  # fmt: skip


@router.get("/deliveries/{delivery}")
def delivery_page(
    request: Request, delivery: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    made = delivering.reading(session, delivery, calendar=system.calendar, at=now)
    side = side_of(session, made, caller, system, now)
    terms = delivering.terms_of(session, made.row)
    steps = [(one, open_acts(one.state, side) if side else (), TURNS.get(one.state)) for one in made.items]
    return page(
        request, "delivery", made=made, steps=steps, side=side, terms=terms, inspection=inspection_of(terms),
        product=_product(session, made.row.agreement), acts=store.acts_of(session, delivery), now=now, closed=CLOSED,
        progress=PROGRESS_NAMES, states=STATE_NAMES, act_names=ACT_NAMES, sides=SIDE_NAMES, reasons=REASON_NAMES,
        forms=FORMS, silences=SILENCE_NAMES, countings=COUNTING_NAMES, modes=MODE_NAMES, commands=COMMANDS,
    )  # fmt: skip


def _product(session: ReadDep, agreement: str) -> str:
    return shelf.listing(session, agreements.agreement(session, agreement).listing).value.name
