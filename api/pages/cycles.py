"""The operator's account periods: where each stands, its statements, netting, payments, bank files and suspense.

The system's steps are those of the API. What two persons sign (limits, instructions, calls of guarantors, payments
issued again) is drafted here and signed at the desk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.bodies import MAX_BODY, TooLarge
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot, Waiting
from api.office import cycles, deals, limits, refusals, statements
from api.office.history import names as signers_of
from api.pages import statements as papers
from api.pages.office import FormDep, office_page, see
from api.pages.render import day as day_of
from api.routes import settlement as doors
from api.sessions import HolderDep, Visitor
from api.uploads import PassingDep
from clearing.errors import ClearingError
from clearing.settlement import service as settlement
from clearing.settlement import store
from clearing.settlement.netting.limits import subject_of as limits_of
from clearing.settlement.payment import BankAccount
from clearing.settlement.stating import Month
from clearing.terms import DAY, month
from clearing.usage.finding import CHECKER, MAKER
from ledger.errors import FieldError, LedgerError
from ledger.facts import Statement
from ledger.reading import read
from registry.errors import RegistryError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Step = Callable[[str, Caller, Session, System, int], Any]
STEPS: Mapping[str, Step] = {
    "cut-off": doors.cut_off,
    "rating": doors.rate,
    "statements": doors.issue_statements,
    "window": doors.close_window,
    "netting": doors.net,
    "payments": doors.payments,
    "default": doors.default,
}
"""The same doors the API has, behind one form."""
MOST_GRACE = 60
"""Days of grace the form takes."""
_REFUSALS = (ClearingError, LedgerError, RegistryError)


@router.get("/office/cycles")
def cycles_page(
    request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:  # fmt: skip
    _require_operator(visitor, system)
    return _list(request, session, visitor, system, now)


@router.post("/office/cycles")
def open_cycle(
    request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    _require_driver(visitor, system)
    try:
        with session.begin_nested():
            grace = fields.get("grace", "")
            if not re.fullmatch(r"[0-9]{1,2}", grace) or int(grace) > MOST_GRACE:
                raise FieldError("grace", f"0 – {MOST_GRACE} 日 / days", grace[:20])
            made = settlement.open_cycle(
                session, system.office, operator=system.settings.operator,
                period=month(read(Month, fields.get("period", ""), "period")), grace=int(grace) * DAY, at=now,
            )  # fmt: skip
    except _REFUSALS as refusal:
        return _list(request, session, visitor, system, now, refusal=refusal)
    return see(f"/office/cycles/{made.cycle}")


@router.post("/office/netting-limits")
def draft_limits(
    request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts caps and limits onto the desk, in place of what stands, for maker and checker to sign."""
    _require_driver(visitor, system)
    try:
        caps, pairs = limits.typed(fields)
        limits.require_known(session, caps, pairs, now)
        drafted = settlement.draft_limits(session, operator=system.settings.operator, caps=caps, pairs=pairs)
    except _REFUSALS as refusal:
        return _list(request, session, visitor, system, now, refusal=refusal, typed=fields)
    return _to_desk(session, visitor, system, drafted, "轧差限额", "/office/cycles", now)


@router.post("/office/bank-files")
def bank_file(
    request: Request, passing: PassingDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """The bank's file, taken in whole or refused whole, as over the API."""
    _require_driver(visitor, system)
    path, cycle = passing.finish(), passing.texts.get("cycle", "")
    if path.stat().st_size > MAX_BODY:
        raise TooLarge(MAX_BODY)
    try:
        with session.begin_nested():
            taken = settlement.import_bank_file(session, system.office, path.read_bytes(), at=now)
    except _REFUSALS as refusal:
        if cycle:
            return _page(request, session, visitor, system, cycle, now, refusal=refusal)
        return _list(request, session, visitor, system, now, refusal=refusal)
    return _page(request, session, visitor, system, cycle, now, taken=taken) if cycle else _list(
        request, session, visitor, system, now, taken=taken
    )  # fmt: skip


@router.get("/office/cycles/{cycle}")
def cycle_page(
    request: Request, cycle: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    _require_operator(visitor, system)
    return _page(request, session, visitor, system, cycle, now)


@router.get("/office/cycles/{cycle}/statements/{party}/{form}")
def statement_file(
    cycle: str, party: str, form: papers.Form, visitor: HolderDep, session: ReadDep, system: SystemDep
) -> Response:
    _require_operator(visitor, system)
    return papers.file_of(session, system, cycle, party, form)


@router.get("/office/payment-batches/{fact_id}/{form}")
def batch_file(
    fact_id: str,
    form: Literal["csv", "xlsx", "xml"],
    visitor: HolderDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    day: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    _require_operator(visitor, system)
    answer = doors.payment_file(fact_id, form, _caller(visitor), session, now, day)
    answer.headers["Content-Disposition"] = f'attachment; filename="payments-{fact_id[:12]}.{form}"'
    return answer


@router.post("/office/payment-batches/{fact_id}/results")
def batch_results(
    request: Request, fact_id: str, passing: PassingDep, visitor: HolderDep, session: ReadDep, system: SystemDep,
    now: NowDep,
) -> Response:  # fmt: skip
    """The bank's workbook back: the failed rows as a list, or the cycle with what is wrong with the file."""
    _require_driver(visitor, system)
    path, cycle = passing.finish(), passing.texts.get("cycle", "")
    if path.stat().st_size > MAX_BODY:
        raise TooLarge(MAX_BODY)
    try:
        answer = doors.batch_results(fact_id, "xlsx", path.read_bytes(), _caller(visitor), session)
    except _REFUSALS as refusal:
        return _page(request, session, visitor, system, cycle, now, refusal=refusal)
    answer.headers["Content-Disposition"] = f'attachment; filename="failed-{fact_id[:12]}.xlsx"'
    return answer


@router.get("/office/cycles/{cycle}/register")
def register_file(cycle: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep) -> Response:
    """台账 of the period."""
    _require_operator(visitor, system)
    answer = doors.register_file(cycle, _caller(visitor), session, now)
    answer.headers["Content-Disposition"] = f'attachment; filename="register-{cycle[:40]}.xlsx"'
    return answer


@router.post("/office/cycles/{cycle}/steps")
def take_step(
    request: Request, cycle: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """The next step of the system, by the same service as over the API; refused, nothing of it is written."""
    _require_driver(visitor, system)
    store.cycle(session, cycle)
    try:
        with session.begin_nested():
            name = fields.get("step", "")
            if name not in STEPS:
                raise FieldError("step", " | ".join(STEPS), name[:40])
            STEPS[name](cycle, _caller(visitor), session, system, now)
    except _REFUSALS as refusal:
        return _page(request, session, visitor, system, cycle, now, refusal=refusal)
    return see(f"/office/cycles/{cycle}")


@router.post("/office/cycles/{cycle}/instructions")
def draft_instructions(
    request: Request, cycle: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts the instructions onto the desk, for maker and checker to sign."""
    _require_driver(visitor, system)
    try:
        drafted = settlement.draft_instructions(
            session, cycle=cycle, account=_account(fields, "account"), accounts=_accounts(fields)
        )
    except _REFUSALS as refusal:
        return _page(request, session, visitor, system, cycle, now, refusal=refusal, typed=fields)
    title = f"付款指令：{drafted.body['period']}"
    return _to_desk(session, visitor, system, drafted, title, f"/office/cycles/{cycle}", now)


@router.post("/office/cycles/{cycle}/cover-calls")
def draft_call(
    request: Request, cycle: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts the call of the guarantors onto the desk, for maker and checker to sign."""
    _require_driver(visitor, system)
    try:
        drafted = settlement.draft_call(session, system.office, cycle=cycle, accounts=_accounts(fields), at=now)
    except _REFUSALS as refusal:
        return _page(request, session, visitor, system, cycle, now, refusal=refusal, typed=fields)
    title = f"向担保方催付：{drafted.body['batch']['period']}"
    return _to_desk(session, visitor, system, drafted, title, f"/office/cycles/{cycle}", now)


@router.post("/office/cycles/{cycle}/reissues")
def draft_reissue(
    request: Request, cycle: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts the payments that came back onto the desk, to be issued again by maker and checker."""
    _require_driver(visitor, system)
    try:
        drafted = settlement.draft_reissue(session, cycle=cycle, accounts=_accounts(fields))
    except _REFUSALS as refusal:
        return _page(request, session, visitor, system, cycle, now, refusal=refusal, typed=fields)
    title = f"退汇重付：{drafted.body['batch']['period']}"
    return _to_desk(session, visitor, system, drafted, title, f"/office/cycles/{cycle}", now)


def _to_desk(
    session: Session, visitor: Visitor, system: System, drafted: Statement, title: str, back: str, now: int
) -> Response:
    slots = [Slot("", role, system.settings.operator) for role in (MAKER, CHECKER)]
    waiting = desk.draft(
        session, title=title, kind=drafted.kind, subject=drafted.subject, body=drafted.body, slots=slots,
        by=visitor.holder, at=now, back=back,
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


def _accounts(fields: Mapping[str, str]) -> dict[str, BankAccount]:
    """The typed accounts by whom they are for: fields `a0.of`, `a0.code` …, numbered from 0 without a gap."""
    found, number = dict[str, BankAccount](), 0
    while f"a{number}.of" in fields:
        found[fields[f"a{number}.of"]] = _account(fields, f"a{number}")
        number += 1
    return found


def _account(fields: Mapping[str, str], name: str) -> BankAccount:
    return BankAccount(*(fields.get(f"{name}.{field}", "") for field in ("code", "bank", "number", "name")))


def _caller(visitor: Visitor) -> Caller:
    return Caller(visitor.holder, by_session=True)


def _require_operator(visitor: Visitor, system: System) -> None:
    """The operator itself or its staff."""
    if visitor.organisation != system.settings.operator:
        raise Forbidden("账期由平台运营方的人员办理。 / For the operator's own staff.")


def _require_driver(visitor: Visitor, system: System) -> None:
    """The operator itself, or one of the two kinds of its staff who answer for a cycle's money."""
    _require_operator(visitor, system)
    if not _drives(visitor):
        raise Forbidden("须由运营方或其付款经办、复核人员办理。 / For the operator, its maker and its checker.")


def _drives(visitor: Visitor) -> bool:
    return not visitor.is_staff or bool(visitor.roles & {MAKER, CHECKER})


def _list(
    request: Request, session: Session, visitor: Visitor, system: System, now: int, *,
    refusal: Exception | None = None, taken: settlement.BankImport | None = None,
    typed: Mapping[str, str] | None = None,
) -> HTMLResponse:  # fmt: skip
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    stands = limits.standing(session, system.settings.operator)
    signers = {item.by for item in stands.fact.signatures} if stands else set()
    return office_page(
        request, "cycles", visitor, 422 if refusal else 200, rows=cycles.rows(session, now), states=statements.STATES,
        waits=cycles.WAITS, chinese=chinese, english=english, taken=taken, drives=_drives(visitor), most=MOST_GRACE,
        stands=stands, typed=limits.lines_of(stands, typed or {}), signers=signers_of(session, signers, now),
        names=deals.names_of(session, stands.parties, now) if stands else {},
        waiting=_at_desk(session, limits_of(system.settings.operator)),
    )  # fmt: skip


def _at_desk(session: Session, subject: str) -> list[Waiting]:
    """What waits for signatures about a subject and could still be taken in."""
    return [item for item in deals.waiting_for(session, [subject]) if not desk.is_stale(session, item)]


def _page(
    request: Request, session: Session, visitor: Visitor, system: System, cycle: str, now: int, *,
    refusal: Exception | None = None, typed: Mapping[str, str] | None = None,
    taken: settlement.BankImport | None = None,
) -> HTMLResponse:  # fmt: skip
    found = cycles.sheet(session, cycle, now)
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    parties = {item.body.party for item in found.statements}
    parties |= {order.instruction.party for one in found.releases for order in one.orders}
    parties |= {item.guarantor for one in found.releases for item in one.asked}
    parties |= {item.guarantor for item in found.to_call}
    signers = {item.by for one in found.releases for item in one.fact.signatures}
    asks = found.instructs or found.returned or found.to_call
    supervised, known = cycles.accounts(session) if asks else (None, {})
    return office_page(
        request, "cycle", visitor, 422 if refusal else 200, sheet=found, cycle=found.cycle, states=statements.STATES,
        waits=cycles.WAITS, steps=cycles.STEPS, ways=cycles.WAYS, chinese=chinese, english=english, taken=taken,
        names=deals.names_of(session, parties, now), signers=signers_of(session, signers, now),
        drives=_drives(visitor), supervised=supervised, known=known, typed=typed or {}, today=day_of(now),
        waiting=_at_desk(session, f"payments:{cycle}"), proved=cycles.PROVED,
    )  # fmt: skip
