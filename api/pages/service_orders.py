"""服务单 in the office: the contracts a visitor may see, and one of them whole, in sentences and in yuan."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep
from api.office import deals, order_words, service_orders
from api.office.order_forms import FEES
from api.office.refusals import told
from api.pages.office import office_page
from api.sessions import HolderDep
from clearing.settlement.service_order import clocks, service
from clearing.settlement.service_order.pass_through import passed
from clearing.settlement.service_order.scheme import Scheme
from registry.calendar import start_of
from registry.errors import RegistryError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/office/service-orders")
def contracts_page(
    request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    rows = service_orders.rows(session, visitor, system.settings.operator, now)
    names = deals.names_of(session, service_orders.parties_of(row.held for row in rows), now)
    return office_page(request, "service_orders", visitor, rows=rows, names=names, roles=service_orders.ROLES)


@router.get("/office/service-orders/{contract}")
def contract_page(
    request: Request, contract: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep,
    requested: str = "",
) -> HTMLResponse:  # fmt: skip
    """One contract whole; `requested` is a day from which the clocks of a request are shown."""
    row = service_orders.seen(session, contract, visitor, system.settings.operator)
    held = service.reading(session, row.id, at=now)
    own = visitor.organisation
    acts = [(name, act) for name, act in service_orders.ACTS.items() if name in service_orders.FREE
            and service_orders.may(act, row.terms, own)]  # fmt: skip
    return office_page(
        request, "service_contract", visitor, id=row.id, held=held, terms=row.terms, scheme=row.terms.scheme,
        names=deals.names_of(session, service_orders.parties_of([held]), now), roles=service_orders.ROLES,
        waits=service_orders.waits(held, own, now), now=now, acts=acts, own=service_orders.role_of(row.terms, own),
        drafts=service_orders.of_contract(service_orders.at_desk(session, visitor), row.id),
        chapters=order_words.chapters(row.terms), words=order_words, state=service_orders.order_state,
        score=service_orders.order_score, band=service_orders.month_band, passed=passed,
        fees={fee.value: zh for fee, zh in FEES.items()},
        right=order_words.right_text(held), requested=requested[:10],
        clocks=_clocks(requested, row.terms.scheme, system) if requested else [],
        incidents={item.number: item.name for item in row.terms.scheme.incidents},
    )  # fmt: skip


def _clocks(requested: str, scheme: Scheme, system: System) -> list[tuple[str, int | str]]:
    """Until when a request of a day is to be answered and an order placed, or why that cannot be said."""
    try:
        at = start_of(date.fromisoformat(requested))
        due = clocks.response_due(at, scheme, system.calendar)
        return [
            ("按工作日答复至", due.working_days), ("按自然日答复至", due.calendar_days), ("考核以此为准", due.scores),
            ("下达服务单至", clocks.placing_due(at, scheme, system.calendar)),
        ]  # fmt: skip
    except (ValueError, OverflowError):
        return [("需求提出日", "请填写日期，如 2026-04-30。 / A day, like 2026-04-30.")]
    except RegistryError as refusal:
        return [("需求提出日", " / ".join(told(refusal)))]
