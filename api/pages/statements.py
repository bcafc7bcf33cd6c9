"""清分账单 in the office: what is owed, where each line comes from, confirmed or disputed with the party's own key."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api import statement_paper
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot
from api.office import deals, refusals, statements
from api.pages.office import FormDep, office_page, see
from api.proofs import may_read
from api.routes.settlement import XLSX
from api.sessions import HolderDep, Visitor
from clearing.errors import BadMoney, ClearingError
from clearing.money import parse_yuan, yuan
from clearing.settlement import service as settlement
from clearing.settlement import store, tracing
from clearing.settlement.dispute import service as disputes
from clearing.settlement.dispute.opening import DISPUTE_ACT, Act, Complaint, DisputeAct, Side, Topic, act_of, subject_of
from clearing.settlement.store import Confirmation
from clearing.settlement.workbook import event_name, statement_xlsx
from ledger.errors import FieldError, LedgerError
from ledger.facts import Statement
from ledger.reading import body_of
from registry.errors import RegistryError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Form = Literal["pdf", "xlsx"]


@router.get("/office/statements")
def statements_page(request: Request, visitor: HolderDep, session: ReadDep) -> HTMLResponse:
    rows = statements.accounts(session, visitor.organisation)
    return office_page(request, "statements", visitor, rows=rows, states=statements.STATES)


@router.get("/office/statements/{cycle}")
def statement_page(request: Request, cycle: str, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    return _page(request, session, visitor, cycle, now)


@router.get("/office/statements/{cycle}/{form}")
def statement_file(cycle: str, form: Form, visitor: HolderDep, session: ReadDep, system: SystemDep) -> Response:
    return file_of(session, system, cycle, visitor.organisation, form)


@router.get("/office/statements/{cycle}/lines/{no}")
def line_page(
    request: Request,
    cycle: str,
    no: Annotated[int, Path(ge=0, le=10_000_000)],
    visitor: HolderDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
) -> HTMLResponse:
    found = statements.account(session, cycle, visitor.organisation)
    traced = tracing.trace(session, tracing.line_of(session, found.stored.fact_id, no))
    holder = f"party:{visitor.organisation}"
    steps = [(statements.STEPS[step.what], step, may_read(session, step.fact, holder, system.houses))
             for step in traced.steps]  # fmt: skip
    return office_page(
        request, "statement_line", visitor, account=found, traced=traced, steps=steps,
        event=event_name(traced.line.event), now=now,
    )  # fmt: skip


@router.post("/office/statements/{cycle}/confirmation")
def confirm(
    request: Request, cycle: str, _fields: FormDep, visitor: HolderDep, session: WriteDep, now: NowDep
) -> Response:
    """Puts the confirmation onto the desk, to be signed with the party's key."""
    found = statements.account(session, cycle, visitor.organisation)
    waiting = desk.draft(
        session, title=f"确认账单：{found.cycle.period}", kind="statement-confirmed/v1",
        subject=settlement.statement_subject(cycle, visitor.organisation),
        body=body_of(Confirmation(found.stored.fact_id)), slots=[Slot(f"party:{visitor.organisation}", "", "")],
        by=visitor.holder, at=now, back=f"/office/statements/{cycle}",
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


@router.post("/office/statements/{cycle}/disputes")
def dispute(
    request: Request, cycle: str, fields: FormDep, visitor: HolderDep, session: WriteDep, now: NowDep
) -> Response:
    """Puts a complaint about a charge onto the desk, with the list of its evidence."""
    statements.account(session, cycle, visitor.organisation)
    try:
        body = _complaint(session, visitor, fields)
        identity = secrets.token_hex(16)
        act_of(Statement(DISPUTE_ACT, subject_of(identity), 0, None, body))
    except (ClearingError, LedgerError, RegistryError) as refusal:
        return _page(request, session, visitor, cycle, now, refusal=refusal, typed=fields)
    title = f"账单争议：{fields.get('amount', '')} 元"
    waiting = desk.draft(
        session, title=title, kind=DISPUTE_ACT, subject=subject_of(identity), body=body,
        slots=[Slot(f"party:{visitor.organisation}", Side.FILER.value, "")], by=visitor.holder, at=now,
        back=f"/office/statements/{cycle}",
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


def file_of(session: Session, system: System, cycle: str, party: str, form: Form) -> Response:
    """A party's statement as a file to keep. Raises `UnknownFact`."""
    found = statement_paper.paper(session, cycle, party)
    if form == "pdf":
        kind = "application/pdf"
        data = statement_paper.render(session, found, system.settings.fonts_folder, trial=system.settings.demo)
    else:
        kind, data = XLSX, statement_xlsx(found.body, found.parts)
    name = f"statement-{found.body.period}.{form}"
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"',
                                                    "Cache-Control": "no-store"})  # fmt: skip


def _complaint(session: Session, visitor: Visitor, fields: FormDep) -> dict[str, object]:
    charge, _ = store.charge(session, fields.get("charge", ""))
    typed = fields.get("amount", "").strip()
    try:
        amount = parse_yuan(typed, "amount")
    except BadMoney:
        raise FieldError("amount", "元，两位小数，如 12.30 / yuan with two decimals", typed) from None
    if not 0 < amount <= charge.gross:
        raise FieldError("amount", f"0.01 – {yuan(charge.gross)} 元", typed)
    for name in ("text", "demand"):
        if not fields.get(name, "").strip():
            raise FieldError(name, "必填 / required", "空 / empty")
    listed = disputes.evidence_of(session, charge.agreement, Topic.STATEMENT, charge=fields["charge"])
    complaint = Complaint(
        Topic.STATEMENT, fields["text"].strip()[:2000], fields["demand"].strip()[:2000],
        tuple(disputes.entry_of(fact) for fact in listed), charge=fields["charge"], amount=amount,
    )  # fmt: skip
    body = DisputeAct(
        Act.OPEN, Side.FILER, charge.agreement, visitor.organisation, charge.invoice_issuer, complaint
    )  # fmt: skip
    return dict(body_of(body))


def _page(
    request: Request,
    session: Session,
    visitor: Visitor,
    cycle: str,
    now: int,
    *,
    refusal: Exception | None = None,
    typed: FormDep | None = None,
) -> HTMLResponse:
    found = statements.account(session, cycle, visitor.organisation)
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    subjects = [settlement.statement_subject(cycle, visitor.organisation)]
    parties = {party for part in found.obligations for party in (part.debtor, part.creditor)}
    names = deals.names_of(session, parties, now)
    return office_page(
        request, "account", visitor, 422 if refusal else 200, account=found, states=statements.STATES,
        reason_of=statements.reason_of, chinese=chinese, english=english, typed=typed or {}, now=now,
        waiting=deals.waiting_for(session, subjects), names=names, own=visitor.organisation,
        amounts=statements.amounts(found), picture=statements.picture(found, visitor.organisation, names),
        kinds=statements.kinds(found),
    )  # fmt: skip
