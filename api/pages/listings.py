"""A seller's listings: drafting one, seeing everything the pre-check finds, submitting it, and what follows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import Slot
from api.office import listing_drafts, listing_form, refusals, spoken, store, words
from api.office.application_form import Message
from api.office.listing_drafts import Draft
from api.office.listing_form import Checked
from api.office.typed import Typed
from api.office.widgets import Group, Widget
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from clearing.errors import ClearingError
from clearing.market import gates
from clearing.market.gates import Defect
from clearing.market.listing import (
    LISTING_MOVE,
    LISTING_SUBMITTED,
    REJECT_NAMES,
    Listing,
    ListingMove,
    MigrationPlan,
    Move,
    subject_of,
)
from clearing.market.listing_moves import PUBLIC, STATE_NAMES, Case, next_version
from clearing.market.shelf import service as shelf
from clearing.market.shelf import store as shelves
from clearing.market.shelf.store import ListingRow
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.reading import body_of, read
from registry import store as registry
from registry.errors import CalendarPending, IllegalMove, RegistryError, Unknown
from registry.party import party_subject

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

MOVES: Mapping[Move, tuple[str, str]] = {
    Move.SUBMIT: ("起草新版本或补正", "草拟并签署提交下一版本。"),
    Move.WITHDRAW: ("撤回申请", "撤回正在审核的版本；在架的版本不受影响。"),
    Move.SUSPEND: ("暂停", "不再接受新订单；履行中的协议继续。"),
    Move.NOTICE: ("下架预告", "预告至少 30 天，写明数据迁移方案，通知全部被许可方。"),
    Move.CALL_OFF: ("撤销预告", "恢复上架。"),
    Move.DELIST: ("下架", "预告期满后下架；履行中的协议继续履行。"),
}
"""What a seller may do, as the page calls it."""
WEIGHTS = {
    gates.Weight.STOP: ("必须改正", "bad"),
    gates.Weight.REVIEW: ("转实质审核", "warn"),
    gates.Weight.ADVICE: ("建议", "plain"),
}


@router.get("/office/listings")
def listings_page(request: Request, visitor: HolderDep, session: ReadDep) -> HTMLResponse:
    return office_page(
        request,
        "listings",
        visitor,
        rows=shelves.listings(session, seller=visitor.organisation),
        drafts=listing_drafts.all_of(session, visitor.holder),
        certificates=store.certificates_of_holder(session, visitor.organisation),
        states=STATE_NAMES,
    )


@router.get("/office/listings/new")
def new_listing(
    request: Request, visitor: HolderDep, session: ReadDep, now: NowDep,
    certificate: Annotated[str, Query(max_length=15)] = "",
    of: Annotated[str, Query(max_length=32)] = "",
    again: Annotated[str, Query(max_length=32)] = "",
) -> HTMLResponse:  # fmt: skip
    """An empty form, one that begins with a certificate, with the version before, or with what was refused."""
    values, listing = _begun(session, visitor, certificate), secrets.token_hex(16)
    if of:
        row = _own(session, visitor, of)
        values, listing = listing_form.values_of(shelves.under_review(session, row)), row.id
    if again:
        earlier = waiting.get(session, again)
        if earlier.drafted_by == visitor.holder and earlier.statement.kind == LISTING_SUBMITTED:
            values = listing_form.values_of(read(Listing, earlier.statement.body))
            listing = earlier.statement.subject.removeprefix("listing:")
    return _form(request, session, visitor, Draft("", listing, values, now), {}, (), None)


@router.get("/office/listings/drafts/{draft}")
def open_draft(request: Request, draft: str, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    found = listing_drafts.get(session, visitor.holder, draft)
    checked, defects = _checked(session, visitor, found, now)
    return _form(request, session, visitor, found, checked.messages, defects, checked)


@router.post("/office/listings/drafts")
def keep_draft(
    request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, now: NowDep
) -> Response:  # fmt: skip
    """Keeps what was typed, whatever it is; then shows everything that is wrong, or puts it onto the desk."""
    do, identity, listing = fields.pop("do", "save"), fields.pop("draft", ""), fields.pop("listing", "")
    if identity:
        listing = listing_drafts.get(session, visitor.holder, identity).listing
    elif not _is_free(session, visitor, listing):
        raise Forbidden("上架编号不属于本方。 / That listing is not yours.")
    if do == "discard" and identity:
        listing_drafts.discard(session, visitor.holder, identity)
        return see("/office/listings")
    draft = listing_drafts.keep(session, visitor.holder, fields, listing=listing, at=now, identity=identity)
    checked, defects = _checked(session, visitor, draft, now)
    if do != "submit" or checked.listing is None or gates.stopping(defects):
        status = 422 if do == "submit" else 200
        return _form(request, session, visitor, draft, checked.messages, defects, checked, status=status)
    try:
        shelf.rehearse(session, listing, checked.listing, at=now)
    except (ClearingError, RegistryError, LedgerError) as refusal:
        return _form(request, session, visitor, draft, checked.messages, defects, checked, refusal=refusal, status=409)
    made = desk.draft(
        session, title=f"上架申请：{checked.listing.name}", kind=LISTING_SUBMITTED, subject=subject_of(listing),
        body=body_of(checked.listing), slots=(Slot(party_subject(visitor.organisation)),), by=visitor.holder, at=now,
        back="/office/listings/new",
    )  # fmt: skip
    return see(f"/office/desk/{made.id}")


@router.get("/office/listings/{listing}")
def listing_page(
    request: Request, listing: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    row = _own(session, visitor, listing)
    try:
        due: dict[str, int] = shelf.clocks_of(row, system.calendar)
    except CalendarPending:
        due = {}
    under = shelves.under_review(session, row) if row.case.review else None
    shown = under or row.value
    on_shelf = body_of(row.value) if under is not None and row.case.version else None
    return office_page(
        request,
        "listing",
        visitor,
        row=row,
        review=row.case.review,
        blocks=spoken.blocks(body_of(shown), "body", {}, on_shelf),
        shown=shown,
        due=due,
        is_public=row.case.version > 0 and row.state in PUBLIC,
        moves=[(move, *MOVES[move]) for move in shelf.seller_moves(row)],
        waiting=waiting.about(session, [subject_of(listing)]),
        history=_history(session, listing),
        states=STATE_NAMES,
        rejections=REJECT_NAMES,
    )


@router.get("/office/listings/{listing}/moves/{move}")
def move_form(request: Request, listing: str, move: Move, visitor: HolderDep, session: ReadDep) -> Response:
    row = _begin(session, visitor, listing, move)
    if move is Move.SUBMIT:
        return see(f"/office/listings/new?of={listing}")
    return _move_page(request, visitor, row, move, {})


@router.post("/office/listings/{listing}/moves/{move}")
def draft_move(
    request: Request, listing: str, move: Move, fields: FormDep, visitor: HolderDep, session: WriteDep, now: NowDep
) -> Response:
    row, typed = _begin(session, visitor, listing, move), Typed(fields)
    plan = None
    if move is Move.NOTICE:
        ends = typed.day("plan.ends")
        plan = MigrationPlan(
            typed.text("plan.export", most=1000), ends.isoformat() if ends else "", typed.text("plan.contact"),
            typed.text("plan.successor", most=32, required=False),
        )  # fmt: skip
    reason = typed.text("reason", most=1000, required=move in (Move.SUSPEND, Move.NOTICE))
    if typed.messages:
        return _move_page(request, visitor, row, move, fields, messages=typed.messages)
    try:
        body = read(ListingMove, body_of(ListingMove(move, reason, plan=plan)), "body")
        shelf.rehearse_move(session, listing, body, at=now)
    except (ClearingError, RegistryError, LedgerError) as refusal:
        return _move_page(request, visitor, row, move, fields, refusal=refusal)
    made = desk.draft(
        session, title=f"{MOVES[move][0]}：{row.value.name}", kind=LISTING_MOVE, subject=subject_of(listing),
        body=body_of(body), slots=(Slot(party_subject(visitor.organisation)),), by=visitor.holder, at=now,
        back=f"/office/listings/{listing}/moves/{move}",
    )  # fmt: skip
    return see(f"/office/desk/{made.id}")


# Inside ---------------------------------------------------------------------------------------------------------------


def _checked(session: Session, visitor: Visitor, draft: Draft, now: int) -> tuple[Checked, tuple[Defect, ...]]:
    """What the draft makes, and everything the pre-check finds against it."""
    row = shelves.find_listing(session, draft.listing)
    product = row.value.product if row else draft.listing
    version = next_version(row.case if row else Case())
    before = shelves.under_review(session, row) if row else None
    checked = listing_form.read_form(
        draft.values, product=product, version=version, seller=visitor.organisation, before=before
    )
    if checked.listing is None:
        return checked, ()
    try:
        defects = shelf.precheck(session, checked.listing, at=now, identity=row.id if row else "")
    except (ClearingError, RegistryError) as refusal:
        return Checked(checked.listing, {"name": (Message("S", *refusals.told(refusal)),)}), ()
    return Checked(checked.listing, listing_form.said_of(defects)), defects


def _form(
    request: Request,
    session: Session,
    visitor: Visitor,
    draft: Draft,
    messages: Mapping[str, tuple[Message, ...]],
    defects: tuple[Defect, ...],
    checked: Checked | None,
    *,
    refusal: Exception | None = None,
    status: int = 200,
) -> HTMLResponse:
    row = shelves.find_listing(session, draft.listing)
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    missing = sum(len(items) for items in messages.values()) if checked and checked.listing is None else 0
    return office_page(
        request,
        "listing_form",
        visitor,
        status,
        draft=draft,
        version=next_version(row.case if row else Case()),
        known=row is not None,
        groups=listing_form.groups(draft.values),
        messages=messages,
        defects=defects,
        weights=WEIGHTS,
        missing=missing,
        is_sound=checked is not None and checked.listing is not None and not gates.stopping(defects),
        chinese=chinese,
        english=english,
    )


def _move_page(
    request: Request,
    visitor: Visitor,
    row: ListingRow,
    move: Move,
    values: Mapping[str, str],
    *,
    messages: Mapping[str, tuple[Message, ...]] | None = None,
    refusal: Exception | None = None,
) -> HTMLResponse:
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    plan = Group("数据迁移方案", "Migration plan", (
        Widget("plan.export", "数据如何取出", "How data is taken out", "long", required=True, most=1000),
        Widget("plan.ends", "取数截止日（至少 30 天后）", "Until", "date", required=True),
        Widget("plan.contact", "咨询岗位", "Whom to ask", required=True),
        Widget("plan.successor", "后续上架编号", "Successor", most=32, help="没有就空着"),
    ))  # fmt: skip
    needed = move in (Move.SUSPEND, Move.NOTICE)
    reason = Widget("reason", "理由" if needed else "说明（可不填）", "Reason", "long", required=needed, most=1000)
    groups = (Group("理由", "Reason", (reason,)), *((plan,) if move is Move.NOTICE else ()))
    return office_page(
        request,
        "listing_move",
        visitor,
        409 if refusal else 422 if messages else 200,
        row=row,
        move=move,
        title=MOVES[move],
        groups=[group.filled(values) for group in groups],
        messages=messages or {},
        chinese=chinese,
        english=english,
        states=STATE_NAMES,
    )


def _own(session: Session, visitor: Visitor, listing: str) -> ListingRow:
    """A listing of the visitor's organisation. Raises `UnknownFact`, `Forbidden`."""
    row = shelves.listing(session, listing)
    if row.value.seller != visitor.organisation:
        raise Forbidden("只给卖方查看。 / Only its seller may look.")
    return row


def _begin(session: Session, visitor: Visitor, listing: str, move: Move) -> ListingRow:
    row = _own(session, visitor, listing)
    if move not in shelf.seller_moves(row) or move not in MOVES:
        raise IllegalMove(STATE_NAMES[row.state], words.VALUES["listing_move"][move.value])
    return row


def _is_free(session: Session, visitor: Visitor, listing: str) -> bool:
    """May a draft begin under this id: is it one, and nobody else's?"""
    if len(listing) != 32 or listing.strip("0123456789abcdef"):
        return False
    row = shelves.find_listing(session, listing)
    return row is None or row.value.seller == visitor.organisation


def _begun(session: Session, visitor: Visitor, certificate: str) -> dict[str, str]:
    """What is known before anybody types; of a certificate its code, its data's digest and its description."""
    found = {"right": "OPERATE", "certificate": certificate, "venue": "open", "delivery.modes.t0": "",
             "commerce.jurisdiction": visitor.organisation[2:4]}  # fmt: skip
    if not certificate:
        return found
    try:
        case = registry.case(session, registry.certificate(session, certificate).application)
    except Unknown:
        return found
    if visitor.organisation not in {held.holder for held in registry.holdings(session, certificate, 1)}:
        return found
    said = body_of(case.form.description)
    digest = said["content"]["digest"]
    return found | {
        "name": str(said["data_name"])[:40], "overview": str(said["overview"])[:400],
        "content.digest.sha256": digest["sha256"], "content.digest.sm3": digest["sm3"],
        "content.time_from": said["time_from"], "content.time_to": said["time_to"],
        "content.industry": str(said["industry_code"])[:3], "provenance.source_kind": case.form.source_kind.value,
    }  # fmt: skip


def _history(session: Session, listing: str) -> list[dict[str, Any]]:
    """The facts of a listing in order: when, what, by whom, with what it said."""
    found = []
    for fact in ledger.facts_of(session, subject_of(listing)):
        body = fact.body
        move = str(body.get("move", "submit"))
        name = {"submit": "提交", **words.VALUES["listing_move"]}.get(move, move)
        found.append(
            {"at": fact.at, "name": name, "by": "；".join(item.by for item in fact.signatures), "fact": fact.id,
             "reason": body.get("reason", ""), "items": body.get("items", ()), "codes": body.get("codes", ()),
             "version": body.get("version", 0)}
        )  # fmt: skip
    return found
