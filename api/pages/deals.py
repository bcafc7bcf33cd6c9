"""A party's agreements and negotiations: the list, one negotiation with its rounds, and the form of each message."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import Slot
from api.office import deals, plan_form, plan_words, refusals, talk_form, terms_form, words
from api.office.application_form import Message as Told
from api.office.deals import OPENING
from api.office.talk_form import Asked
from api.office.typed import Typed
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from clearing.errors import ClearingError, UnknownFact
from clearing.market import store as agreements
from clearing.market.agreement import Terms
from clearing.market.listing_moves import ORDERABLE
from clearing.market.negotiation import service as negotiating
from clearing.market.negotiation import store
from clearing.market.negotiation.message import NEGOTIATION_MESSAGE, Document, Message, Side, subject_of
from clearing.market.negotiation.moves import Consent, state_at
from clearing.market.negotiation.service import ANSWERS, MESSAGE_NAMES, STATE_NAMES, Next
from clearing.market.shelf import store as shelf
from clearing.market.shelf.store import ListingRow
from clearing.market.template import model_of, written
from ledger.errors import LedgerError
from registry import store as registry
from registry.errors import RegistryError
from registry.party import is_party, party_subject

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

SIDES = words.VALUES["side"]


@router.get("/office/deals")
def deals_page(request: Request, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    own = visitor.organisation
    rows = store.negotiations(session, party=own)
    held = agreements.agreements(session, party=own)
    parties = {party for row in rows for party in (row.consumer, row.provider)}
    parties |= {party for row in held for party in (row.consumer, row.seller)}
    listings = {row.listing for row in rows} | {row.listing for row in held}
    return office_page(
        request,
        "deals",
        visitor,
        rows=[(row, state_at(row.state, row.valid_until, now), deals.side_of(row, own)) for row in rows],
        held=sorted(held, key=lambda row: -row.since),
        products={listing: shelf.listing(session, listing).value for listing in listings},
        names=deals.names_of(session, parties, now),
        states=STATE_NAMES,
        answers=ANSWERS,
        sides=SIDES,
        agreement_states=words.VALUES["to_state"],
        now=now,
    )


@router.get("/office/deals/{negotiation}")
def deal_page(
    request: Request,
    negotiation: str,
    visitor: HolderDep,
    session: ReadDep,
    now: NowDep,
    round_: Annotated[int | None, Query(alias="round", ge=0, le=10_000)] = None,
) -> HTMLResponse:
    deal = deals.deal_of(session, visitor, negotiation, now)
    shown, at = deals.blocks_of(deal, round_)
    terms = at.document if at and isinstance(at.document, Terms) else None
    return office_page(
        request,
        "deal",
        visitor,
        deal=deal,
        blocks=shown,
        sentences=plan_words.told_of(terms.settlement, deal.names) if terms else (),
        shown=at,
        model=model_of(terms.template) if terms else None,
        clauses=written(terms.template) if terms else (),
        is_latest=at is None or at is deal.rounds[-1],
        moves=deals.moves_of(deal),
        own=party_subject(visitor.organisation),
        refused=deals.refused(session, deal),
        waiting=deals.waiting_for(session, deals.subjects_of(deal.row)),
        states=STATE_NAMES,
        messages={message.value: zh for message, (zh, _) in MESSAGE_NAMES.items()},
        sides=SIDES,
        roles=words.ROLES,
        now=now,
    )


@router.get("/office/deals/{negotiation}/moves/{message}")
def move_form(
    request: Request, negotiation: str, message: Message, visitor: HolderDep, session: ReadDep, now: NowDep,
    again: Annotated[str, Query(max_length=32)] = "",
) -> HTMLResponse:  # fmt: skip
    deal = deals.deal_of(session, visitor, negotiation, now)
    asked = deals.asked_of(deal, message, now, _again(session, visitor, again))
    return _form(request, visitor, asked, talk_form.values_of(asked), deal.names, deal=deal)


@router.post("/office/deals/{negotiation}/moves/{message}")
def draft_move(
    request: Request, negotiation: str, message: Message, fields: FormDep, visitor: HolderDep, session: WriteDep,
    system: SystemDep, now: NowDep,
) -> Response:  # fmt: skip
    """Makes the next message, asks the table whether it could be said now, and puts it onto the desk."""
    deal = deals.deal_of(session, visitor, negotiation, now)
    if deal.side is None:
        raise Forbidden("只有双方可以发言。 / Only the two sides speak.")
    asked, row = deals.asked_of(deal, message, now), deal.row
    return _draft(
        request, session, system, visitor, asked, fields, deal.side, (row.consumer, row.provider), row.listing, now,
        identity=negotiation, names=deal.names, deal=deal,
    )  # fmt: skip


@router.get("/office/market/{product}/{message}")
def opening_form(
    request: Request, product: str, message: Message, visitor: HolderDep, session: ReadDep, now: NowDep,
    again: Annotated[str, Query(max_length=32)] = "",
) -> HTMLResponse:  # fmt: skip
    listed = _listed(session, product, message, visitor)
    parties = _parties(message, visitor, listed, "")
    asked = _opening(listed, message, parties[0], now, _again(session, visitor, again))
    names = deals.names_of(session, set(parties) - {""}, now)
    return _form(request, visitor, asked, talk_form.values_of(asked), names, product=product)


@router.post("/office/market/{product}/{message}")
def draft_opening(
    request: Request, product: str, message: Message, fields: FormDep, visitor: HolderDep, session: WriteDep,
    system: SystemDep, now: NowDep,
) -> Response:  # fmt: skip
    """Begins a negotiation about a product under an id of its own."""
    listed = _listed(session, product, message, visitor)
    consumer, provider = _parties(message, visitor, listed, fields.get("consumer", ""))
    asked = _opening(listed, message, consumer, now, None)
    return _draft(
        request, session, system, visitor, asked, fields, OPENING[message], (consumer, provider), listed.id, now,
        identity=secrets.token_hex(32), names=deals.names_of(session, {consumer, provider} - {""}, now),
        product=product,
    )  # fmt: skip


# Inside ---------------------------------------------------------------------------------------------------------------


def _draft(
    request: Request,
    session: Session,
    system: System,
    visitor: Visitor,
    asked: Asked,
    fields: dict[str, str],
    side: Side,
    parties: tuple[str, str],
    listing: str,
    now: int,
    *,
    identity: str,
    names: Mapping[str, str],
    deal: deals.Deal | None = None,
    product: str = "",
) -> Response:
    if do := fields.pop("do", ""):
        changed = plan_form.changed(fields, do)
        return _form(request, visitor, asked, changed, names, deal=deal, product=product)
    typed, (consumer, provider) = Typed(fields), parties
    filled = talk_form.read(asked, typed)
    if product and side is Side.PROVIDER and not _is_known(session, consumer, now):
        typed.wrong("consumer", "请填写在册使用方的统一社会信用代码或当事方编号。", "A consumer on record.")
    if typed.messages:
        return _form(request, visitor, asked, fields, names, deal=deal, product=product, messages=typed.messages)
    said = Next(
        asked.message, side, consumer, provider, listing, filled.document, filled.valid_until, filled.reason,
        filled.deadline,
    )  # fmt: skip
    try:
        statement, parts = negotiating.draft(session, identity, said, domain=system.agreement_domain, at=now)
    except (ClearingError, RegistryError, LedgerError) as refusal:
        return _form(request, visitor, asked, fields, names, deal=deal, product=product, refusal=refusal)
    back = f"/office/market/{product}/{asked.message}" if product else f"/office/deals/{identity}/moves/{asked.message}"
    made = desk.draft(
        session, title=f"{MESSAGE_NAMES[asked.message][0]}：{asked.listing.name}", kind=NEGOTIATION_MESSAGE,
        subject=subject_of(identity), body=statement.body, parts=parts, by=visitor.holder, at=now, back=back,
        slots=(Slot(party_subject(consumer if side is Side.CONSUMER else provider), side.value),),
    )  # fmt: skip
    return see(f"/office/desk/{made.id}")


def _form(
    request: Request,
    visitor: Visitor,
    asked: Asked,
    values: Mapping[str, str],
    names: Mapping[str, str],
    *,
    deal: deals.Deal | None = None,
    product: str = "",
    messages: Mapping[str, tuple[Told, ...]] | None = None,
    refusal: Exception | None = None,
) -> HTMLResponse:
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    blocks, shown = deals.blocks_of(deal) if deal else ((), None)
    return office_page(
        request,
        "deal_form",
        visitor,
        409 if refusal else 422 if messages else 200,
        title=MESSAGE_NAMES[asked.message],
        asked=asked,
        deal=deal,
        product=product,
        groups=[group.filled(values) for group in talk_form.groups(asked, names, values)],
        asks_consumer=bool(product) and OPENING.get(asked.message) is Side.PROVIDER,
        consumer=values.get("consumer", ""),
        blocks=() if asked.content is not None else blocks,
        shown=shown,
        messages=messages or {},
        chinese=chinese,
        english=english,
        states=STATE_NAMES,
        told=_explained(asked.message, deal),
    )


def _explained(message: Message, deal: deals.Deal | None) -> str:
    if deal is not None and deal.row.consent is Consent.RELAYED:
        return _UNSIGNED.get(message, _EXPLAINED.get(message, ""))
    return _EXPLAINED.get(message, "")


_UNSIGNED: Mapping[Message, str] = {
    Message.AGREEMENT: "按最近一次的提议走完数据空间协议。使用方没有签名：不产生合约，不得使用，不计费。",
    Message.FINALISE: "结束数据空间协议的磋商。使用方没有签名：合约不成立，不得使用，不计费。",
}
"""Towards a peer that does not sign."""
_EXPLAINED: Mapping[Message, str] = {
    Message.INQUIRE: "向卖方询价。询价不构成要约，双方都可以撤回。",
    Message.SELECT: "选定对方的报价，之后可以下单。",
    Message.ORDER: "按选定的报价下单，之后双方商定完整条款。",
    Message.ACCEPT: "接受对方最近一次的要约。接受后由提供方定稿；全体签署方签署合约之前，合同尚未成立。",
    Message.AGREEMENT: "把最近一次的条款定稿为合约文书：内容从此不能改动，送各签署方签署。",
    Message.VERIFICATION: "核验定稿的合约：确认下列条款与摘要就是双方商定的。还须在签署台签署合约文书。",
    Message.FINALISE: "各签署方都已签署。签署本文书后合约成立，并按约定生效。",
    Message.TERMINATE: "终止协商。终止后不能恢复，须另起协商。",
    Message.WITHDRAW: "撤回本次询价。",
}


def _again(session: Session, visitor: Visitor, identity: str) -> Document | None:
    return deals.drafted(waiting.get(session, identity), visitor) if identity else None


def _listed(session: Session, product: str, message: Message, visitor: Visitor) -> ListingRow:
    """The listing of a product that can be ordered now. Raises `UnknownFact`, `Forbidden`."""
    if message not in OPENING:
        raise UnknownFact("page", message.value)
    rows = [row for row in shelf.of_product(session, product) if row.state in ORDERABLE]
    if not rows:
        raise UnknownFact("product", product[:40])
    is_seller = rows[0].value.seller == visitor.organisation
    if is_seller is not (OPENING[message] is Side.PROVIDER):
        raise Forbidden("询价和提出条款由使用方办理，发出要约由卖方办理。 / Consumers ask, sellers offer.")
    return rows[0]


def _parties(message: Message, visitor: Visitor, listed: ListingRow, consumer: str) -> tuple[str, str]:
    """Consumer and provider of a negotiation that this visitor begins."""
    own = visitor.organisation if OPENING[message] is Side.CONSUMER else consumer
    return own, listed.value.seller


def _opening(
    listed: ListingRow, message: Message, consumer: str, now: int, drafted: Document | None
) -> Asked:  # fmt: skip
    base = drafted
    if base is None and message is not Message.INQUIRE:
        base = terms_form.begun(listed.value, listed.id, listed.digest, consumer, at=now)
    return Asked(message, listed.value, base, now)


def _is_known(session: Session, party: str, now: int) -> bool:
    if not is_party(party):
        return False
    try:
        registry.party_at(session, party, now)
    except RegistryError:
        return False
    return True
