"""The form of an act of a delivery: what is typed becomes a statement on the signature desk, signed in the browser.

What needs a file's digest (deliver, receive) is done by `shuqing delivery`, where the files are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot
from api.office import application_form, moves, words
from api.office.widgets import Group, Widget
from api.pages.afterlife import Asked
from api.pages.delivery import FORMS, REASON_NAMES, SIDE_NAMES
from api.pages.office import FormDep, office_page, see
from api.routes.delivery import side_of
from api.sessions import HolderDep, Visitor
from clearing.errors import ClearingError
from clearing.market.delivery import service as delivering
from clearing.market.delivery.act import DELIVERY_ACT, Act, DeliveryAct, Side, act_of, subject_of
from clearing.market.delivery.moves import Seen, decide, open_acts
from clearing.market.delivery.service import ACT_NAMES, STATE_NAMES, Reading
from ledger import store as ledger
from ledger.errors import FieldError, LedgerError
from ledger.facts import Statement
from ledger.reading import body_of, read
from registry.errors import RegistryError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_COUNTED = frozenset({Act.OBJECT, Act.LATE, Act.DECIDE})
_WITH_PAPERS = frozenset({Act.OBJECT, Act.LATE, Act.CONTEST, Act.ESCALATE, Act.DECIDE})
_TEXT_WANTED = frozenset({Act.OBJECT, Act.LATE, Act.CONTEST, Act.ESCALATE})


@router.get("/office/deliveries/{delivery}/acts/{act}")
def act_page(
    request: Request, delivery: str, act: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    made, side, chosen = _asked(session, system, visitor, delivery, act, now)
    return _page(request, visitor, made, side, chosen, {}, None)


@router.post("/office/deliveries/{delivery}/acts/{act}")
def draft_act(
    request: Request, delivery: str, act: str, fields: FormDep, visitor: HolderDep, session: WriteDep,
    system: SystemDep, now: NowDep,
) -> Response:  # fmt: skip
    made, side, chosen = _asked(session, system, visitor, delivery, act, now)
    try:
        body = _body(made, side, chosen, fields, visitor)
        subject = subject_of(delivery)
        act_of(Statement(DELIVERY_ACT, subject, *ledger.next_of(session, subject), body_of(body)))
        decide(made.row.case, body, delivering.terms_of(session, made.row), system.calendar, now)
    except (ClearingError, LedgerError, RegistryError) as refusal:
        return _page(request, visitor, made, side, chosen, fields, refusal)
    drafted = desk.draft(
        session, title=f"{ACT_NAMES[chosen][0]}：交付 {delivery[:8]}", kind=DELIVERY_ACT, subject=subject,
        body=body_of(body), slots=(Slot(visitor.holder, side.value),), by=visitor.holder, at=now,
        back=f"/office/deliveries/{delivery}/acts/{chosen.value}",
    )  # fmt: skip
    return see(f"/office/desk/{drafted.id}")


def _asked(
    session: Session, system: System, visitor: Visitor, delivery: str, act: str, now: int
) -> tuple[Reading, Side, Act]:
    """The delivery, the visitor's side of it, and the act, if there is a form for it and it is open to that side."""
    made = delivering.reading(session, delivery, calendar=system.calendar, at=now)
    side = side_of(session, made, Caller(visitor.holder, by_session=True), system, now)
    if side is None or visitor.is_staff:
        raise Forbidden("交付由双方单位签署。 / Acts of a delivery are signed by the two organisations.")
    if act not in FORMS:
        raise FieldError("act", " | ".join(sorted(FORMS)), act[:20])
    return made, side, Act(act)


def _open(made: Reading, side: Side, act: Act) -> list[Seen]:
    """The items this act is open for."""
    return [one for one in made.items if act in open_acts(one.state, side)]


def _body(made: Reading, side: Side, act: Act, typed: Mapping[str, str], visitor: Visitor) -> DeliveryAct:
    """What was filled in. Raises `FieldError`."""
    items = _open(made, side, act)
    chosen = {one.item.id: typed[f"item.{place}"] for place, one in enumerate(items) if typed.get(f"item.{place}")}
    if not chosen:
        raise FieldError("items", "至少一项 / at least one item", "没有选 / none")
    papers = [paper.digest for paper in moves.papers_of(typed.get("papers", ""), "papers")]
    case = made.row.case
    document: dict[str, Any] = {
        "act": act.value, "side": side.value, "agreement": case.agreement, "provider": case.provider,
        "consumer": case.consumer,
    }  # fmt: skip
    if act is Act.DECIDE:
        document["rulings"] = [{"item": name, "accepted": _number(text)} for name, text in chosen.items()]
        document["decider"] = visitor.holder.removeprefix("party:")
        if papers:
            document["document"] = body_of(papers[0])
    elif act in _COUNTED:
        document["objections"] = [
            {"item": name, "quantity": _number(text), "reason": typed.get("reason", ""), "text": typed.get("text", "")}
            for name, text in chosen.items()
        ]
    else:
        document["items"] = list(chosen)
    if papers and act is not Act.DECIDE:
        document["evidence"] = [body_of(paper) for paper in papers]
    if typed.get("text") and act is not Act.OBJECT:
        document["text"] = typed["text"]
    if typed.get("by"):
        document["by"] = typed["by"]
    return read(DeliveryAct, document, "act")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise FieldError("items", "整数 / a whole number", text[:20])
    return int(text)


def _groups(made: Reading, side: Side, act: Act, typed: Mapping[str, str]) -> list[Group]:
    widgets = []
    for place, one in enumerate(_open(made, side, act)):
        item, name = one.item, f"item.{place}"
        shown = f"{item.id} {item.sent.what}（{STATE_NAMES[one.state]}，{item.pending} {item.sent.unit}）"
        kind = "number" if act in _COUNTED else "tick"
        told = "其中计入多少 how much counts" if act is Act.DECIDE else "其中有异议的数量 how much of it is wrong"
        told = told if kind == "number" else ""
        widgets.append(Widget(name, shown, "", kind, help=told, value=typed.get(name, "1" if kind == "tick" else "")))
    groups = [Group("项", "Items", tuple(widgets), anchor="items")]
    more = []
    if act in (Act.OBJECT, Act.LATE):
        options = tuple((reason.value, name) for reason, name in REASON_NAMES.items())
        more.append(Widget("reason", "理由", "Reason", "choice", options, True, value=typed.get("reason", "")))
    if act not in (Act.ACCEPT, Act.WITHDRAW):
        more.append(
            Widget("text", "说明", "Words", "long", required=act in _TEXT_WANTED, most=2000,
                   value=typed.get("text", ""))
        )  # fmt: skip
    if act is Act.ADMIT:
        more.append(Widget("by", "承诺整改日", "Rectified by", "date", value=typed.get("by", "")))
    if act in _WITH_PAPERS:
        zh = "决定文书" if act is Act.DECIDE else "证据"
        wanted = act in _COUNTED
        more.append(Widget("papers", zh, "Papers", "papers", required=wanted, value=typed.get("papers", "")))
    return [*groups, Group("内容", "Content", tuple(more))] if more else groups


def _page(
    request: Request, visitor: Visitor, made: Reading, side: Side, act: Act, typed: Mapping[str, str],
    refusal: Exception | None,
) -> HTMLResponse:  # fmt: skip
    chinese, english = words.told(refusal) if refusal else ("", "")
    zh, en = ACT_NAMES[act]
    groups = _groups(made, side, act, typed)
    facts = {"由谁签署": f"{SIDE_NAMES[side]} {visitor.name}", "截至": "签署后由平台核对并入册"}
    asked = Asked(f"{zh} {en}", f"交付 {made.row.id[:8]}", f"/deliveries/{made.row.id}", groups, facts)
    return office_page(
        request, "act", visitor, 200 if refusal is None else 422, asked=asked, groups=groups,
        kinds=application_form.act_kinds(), messages={}, refused=refusal is not None, chinese=chinese, english=english,
    )  # fmt: skip
