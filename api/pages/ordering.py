"""The forms of service orders: what is typed becomes a statement on the signature desk, for whoever signs its kind."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot
from api.office import application_form, deals, order_forms, order_words, refusals, score_forms, service_orders
from api.office.application_form import Message
from api.office.order_forms import Ground, Laid, Read, Reader
from api.office.service_orders import ACTS, Act
from api.office.typed import Typed
from api.office.widgets import Group
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from clearing.errors import Clash, ClearingError, TooEarly, UnknownFact
from clearing.settlement.service_order import service
from clearing.settlement.service_order.pass_through import PassAccount, passed
from clearing.settlement.service_order.settling import Advances
from clearing.settlement.service_order.statements import KINDS, CyclePaid, CycleSettled, Stated, subject_of
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Statement
from ledger.reading import body_of, read
from registry.asset import Twin
from registry.errors import RegistryError
from registry.party import party_subject

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

FORMS: Mapping[str, tuple[Laid, Reader]] = {**order_forms.FORMS, **score_forms.FORMS}
assert set(FORMS) == set(ACTS)
OF_ORDER, OF_CYCLE = frozenset({"score", "accept", "zero"}), frozenset({"settle", "invoice", "pay"})
TAKEN: Mapping[str, tuple[str, str, str]] = {
    "month": ("month", "该月已有评分。", "This month is scored already."),
    "incident": ("fact", "这件事已经认定过。", "This was found already."),
    "cycle": ("cycle", "该名称已用于另一个项目周期。", "This name is taken."),
}
"""Which field names what a statement opens, and what is said where that was opened before."""
EARLY = {"month": "month", "cycle": "last"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A form that somebody may fill in: its act and name, and what it is filled in on."""

    name: str
    act: Act
    ground: Ground

    @property
    def back(self) -> str:
        """The page of the contract."""
        return f"/office/service-orders/{self.ground.id}"

    @property
    def path(self) -> str:
        """The page of the form."""
        return f"{self.back}/acts/{self.name}/{self.ground.about}"

    def groups(self, values: Mapping[str, str]) -> tuple[Group, ...]:
        """The fields with what has been typed."""
        return FORMS[self.name][0](self.ground, values)

    @property
    def of(self) -> str:
        """What it is about, in words."""
        if self.name in OF_ORDER:
            return f"服务单“{self.ground.order.name}”"
        return f"项目周期 {self.ground.about}" if self.name in OF_CYCLE else ""


@router.get("/office/service-orders/{contract}/acts/{act}/{about}")
def form_page(
    request: Request, contract: str, act: str, about: str, visitor: HolderDep, session: ReadDep, system: SystemDep,
    now: NowDep,
) -> HTMLResponse:  # fmt: skip
    return _page(request, session, visitor, _asked(session, system, visitor, contract, act, about, now), {}, now)


@router.post("/office/service-orders/{contract}/acts/{act}/{about}")
def draft_statement(
    request: Request, contract: str, act: str, about: str, fields: FormDep, visitor: HolderDep, session: WriteDep,
    system: SystemDep, now: NowDep,
) -> Response:  # fmt: skip
    """Puts the statement onto the desk, or shows the form again: with one row more, computed, or with what is wrong."""
    asked, do = _asked(session, system, visitor, contract, act, about, now), fields.pop("do", "")
    if do.startswith("more."):
        return _page(request, session, visitor, asked, _with_row(fields, do), now)
    typed = Typed(fields)
    found = FORMS[asked.name][1](asked.ground, typed)
    if typed.messages:
        return _page(request, session, visitor, asked, fields, now, messages=typed.messages, status=422)
    try:
        body = _body(session, asked, found)
        subject = subject_of(asked.act.kind, body, about if asked.name in OF_ORDER else secrets.token_hex(16))
        statement = Statement(asked.act.kind, subject, *ledger.next_of(session, subject), body_of(body))
        service.rehearse(session, statement, at=now)
    except (ClearingError, LedgerError, RegistryError) as refusal:
        messages, top = _placed(refusal, asked, fields, found)
        return _page(request, session, visitor, asked, fields, now, messages=messages, told=top, status=422)
    if do == "preview" and isinstance(body, CycleSettled):
        return _page(request, session, visitor, asked, fields, now, computed=body)
    waiting = desk.draft(
        session, title=f"{asked.act.zh}：{asked.of or fields.get('name') or fields.get('month') or contract[:12]}",
        kind=statement.kind, subject=subject, body=statement.body, by=visitor.holder, at=now, back=asked.path,
        slots=[Slot(party_subject(getattr(body, role))) for role in KINDS[statement.kind][2]],
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


def _asked(
    session: Session, system: System, visitor: Visitor, contract: str, name: str, about: str, now: int
) -> Asked:  # fmt: skip
    """The form, for those whose party signs what it makes. Raises `UnknownFact`, `Forbidden`."""
    row = service_orders.seen(session, contract, visitor, system.settings.operator)
    if name not in FORMS:
        raise UnknownFact("service act", name[:20])
    act = ACTS[name]
    if not service_orders.may(act, row.terms, visitor.organisation):
        raise Forbidden(f"该文书由{act.signers}起草和签署。 / Drafted and signed by other parties of the contract.")
    held = service.reading(session, row.id, at=now)
    known = {order.id for order in held.orders} if name in OF_ORDER else {cycle.name for cycle in held.cycles}
    if name in OF_ORDER | OF_CYCLE and about not in known:
        raise UnknownFact("service order" if name in OF_ORDER else "project cycle", about[:80])
    return Asked(name, act, Ground(row.id, held, about))


def _body(session: Session, asked: Asked, found: Read) -> Stated:
    """The whole body: what was filled in, completed by what the service drafts. Raises what reading and drafting do."""
    terms, own = asked.ground.held.contract, found.own
    if asked.name == "settle":
        advances = read(Advances, own["advances"], "body.advances")
        accounts = tuple(
            read(PassAccount, item, f"body.pass_through[{place}]") for place, item in enumerate(own["pass_through"])
        )
        return service.draft(session, asked.ground.id, asked.ground.about, advances, accounts)
    if asked.name == "pay":
        texts = {name: own[name] for name in ("bank", "reference", "booked_on")}
        drafted = service.draft_payment(
            session, asked.ground.id, asked.ground.about, evidence=read(Twin, own["evidence"], "body.evidence"), **texts
        )
        return read(CyclePaid, body_of(drafted))
    parties = {name: getattr(terms, name) for name in ("contract", "buyer", "provider", "supervisor")}
    return read(KINDS[asked.act.kind][0], {**parties, **own})


def _placed(
    refusal: Exception, asked: Asked, values: Mapping[str, str], found: Read
) -> tuple[dict[str, tuple[Message, ...]], tuple[str, str]]:
    """A refusal beside the field it is about, or above the form where it is about none."""
    zh, en = refusals.told(refusal)
    groups, name = asked.groups(values), ""
    if isinstance(refusal, TooEarly):
        name = EARLY.get(asked.name, "")
    elif isinstance(refusal, Clash):
        name = "reference" if asked.name == "pay" else ""
    elif getattr(refusal, "field", "") in ("statement.no", "statement.prev") and asked.name in TAKEN:
        name, zh, en = TAKEN[asked.name]
    else:
        fields = {item.name for group in groups for item in group.widgets} | {group.anchor for group in groups}
        name = order_forms.field_of(str(getattr(refusal, "field", "")), found.places, fields)
    return ({name: (Message("S", zh, en),)}, ("", "")) if name else ({}, (zh, en))


def _with_row(fields: Mapping[str, str], do: str) -> dict[str, str]:
    """The fields after the button "more.⟨group⟩.⟨field⟩.⟨rows shown at least⟩"."""
    _, group, name, least = (*do.split("."), "", "", "")[:4]
    known = group in ("items", "costs", "events", "faults", "outages") and name.isidentifier() and least.isdecimal()
    return order_forms.with_row(fields, group, name, min(int(least), 9)) if known else dict(fields)


def _page(
    request: Request, session: Session, visitor: Visitor, asked: Asked, values: Mapping[str, str], now: int, *,
    messages: Mapping[str, tuple[Message, ...]] | None = None, told: tuple[str, str] = ("", ""),
    computed: CycleSettled | None = None, status: int = 200,
) -> HTMLResponse:  # fmt: skip
    held = asked.ground.held
    return office_page(
        request, "service_form", visitor, status, asked=asked, groups=asked.groups(values), messages=messages or {},
        kinds=application_form.act_kinds(), chinese=told[0], english=told[1], computed=computed, held=held,
        names=deals.names_of(session, service_orders.parties_of([held]), now), words=order_words, passed=passed,
        fees={fee.value: zh for fee, zh in order_forms.FEES.items()}, roles=service_orders.ROLES,
    )  # fmt: skip
