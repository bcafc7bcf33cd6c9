"""An agreement of a party: its terms in words, what has been done, and the form of each act, signed at the desk."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.office import agreement_acts as acts
from api.office import deals, plan_form, plan_words, refusals, words
from api.office.agreement_acts import SIGNING, Held
from api.office.application_form import Message as Told
from api.office.typed import Typed
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from clearing.errors import ClearingError
from clearing.market.agreement import AGREEMENT_ACT, Act, subject_of
from clearing.market.filing import store as filings
from clearing.market.filing.filing import STATE_NAMES
from clearing.market.template import model_of, written
from clearing.usage import store as usage
from clearing.usage.control import Alarm, alarms
from ledger.errors import LedgerError
from registry.calendar import day_of
from registry.errors import IllegalMove, RegistryError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

NAMES = words.VALUES["act"]
STATES = words.VALUES["to_state"]
ALARMS = {
    Alarm.NEAR_LIMIT: ("接近上限", "Near the limit", "warn"),
    Alarm.OVER_LIMIT: ("已超上限", "Over the limit", "bad"),
    Alarm.REFUSED_USE: ("有被拒绝的使用", "Uses were refused", "warn"),
}


@router.get("/office/agreements/{agreement}")
def agreement_page(request: Request, agreement: str, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    held = acts.held_of(session, visitor, agreement, now)
    counter = usage.counter(session, held.row.id)
    return office_page(
        request,
        "agreement",
        visitor,
        held=held,
        blocks=acts.blocks_of(session, held),
        sentences=plan_words.told_of(held.terms.settlement, held.names),
        model=model_of(held.terms.template),
        clauses=written(held.terms.template),
        possible=[(act, NAMES[act], acts.TOLD[act]) for act in acts.possible(held, now)],
        waiting=deals.waiting_for(session, [subject_of(agreement)]),
        names=NAMES,
        states=STATES,
        roles=words.ROLES,
        filing=filings.find(session, held.row.id, held.row.revision),
        filings=STATE_NAMES,
        counter=counter,
        alarms=[ALARMS[alarm] for alarm in alarms(counter)],
        now=now,
    )


@router.get("/office/agreements/{agreement}/acts/{act}")
def act_form(
    request: Request, agreement: str, act: Act, visitor: HolderDep, session: ReadDep, now: NowDep
) -> HTMLResponse:
    held = _begin(session, visitor, agreement, act, now)
    values = acts.values_of(held, act, day_of(now + SIGNING).isoformat())
    return _form(request, session, visitor, held, act, values)


@router.post("/office/agreements/{agreement}/acts/{act}")
def draft_act(
    request: Request, agreement: str, act: Act, fields: FormDep, visitor: HolderDep, session: WriteDep,
    system: SystemDep, now: NowDep,
) -> Response:  # fmt: skip
    """Makes the act, asks the table whether it could be taken in now, and puts it onto the desk of every signer."""
    held, do = _begin(session, visitor, agreement, act, now), fields.pop("do", "")
    if do:
        return _form(request, session, visitor, held, act, plan_form.changed(fields, do))
    typed = Typed(fields)
    try:
        made = acts.drafted(session, held, act, typed, domain=system.agreement_domain, at=now)
    except (ClearingError, RegistryError, LedgerError) as refusal:
        return _form(request, session, visitor, held, act, fields, refusal=refusal)
    if made is None:
        return _form(request, session, visitor, held, act, fields, messages=typed.messages)
    statement, parts, slots = made
    waiting = desk.draft(
        session, title=f"{NAMES[act]}：{held.row.id[:8]}…", kind=AGREEMENT_ACT, subject=statement.subject,
        body=statement.body, parts=parts, slots=slots, by=visitor.holder, at=now,
        back=f"/office/agreements/{agreement}/acts/{act}",
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


def _begin(session: Session, visitor: Visitor, agreement: str, act: Act, now: int) -> Held:
    held = acts.held_of(session, visitor, agreement, now)
    if act not in acts.possible(held, now):
        raise IllegalMove(STATES[held.row.state.value], NAMES[act])
    return held


def _form(
    request: Request,
    session: Session,
    visitor: Visitor,
    held: Held,
    act: Act,
    values: Mapping[str, str],
    *,
    messages: Mapping[str, tuple[Told, ...]] | None = None,
    refusal: Exception | None = None,
) -> HTMLResponse:
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    return office_page(
        request,
        "agreement_form",
        visitor,
        409 if refusal else 422 if messages else 200,
        held=held,
        act=act,
        title=NAMES[act],
        told=acts.TOLD[act],
        groups=[group.filled(values) for group in acts.groups(session, held, act, values)],
        messages=messages or {},
        chinese=chinese,
        english=english,
        states=STATES,
    )
