"""The HTTP application: routes over one `System`, errors by one table, nothing fetched from anywhere else."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from api import errors
from api.bootstrap import System
from api.importing import Importer
from api.pages import (
    afterlife as afterlife_pages,
)
from api.pages import (
    agreements,
    applicant,
    case,
    certificates,
    covers,
    cycles,
    dealing,
    deals,
    delivering,
    entry,
    listings,
    notices,
    objecting,
    ordering,
    pricing,
    public,
    service_orders,
    signing,
    staff,
    statements,
)
from api.pages import (
    broker as broker_pages,
)
from api.pages import (
    cards as card_pages,
)
from api.pages import (
    credit as credit_pages,
)
from api.pages import (
    delivery as delivery_pages,
)
from api.pages import (
    demand as demand_pages,
)
from api.pages import (
    disclosure as disclosure_pages,
)
from api.pages import (
    dispute as dispute_pages,
)
from api.pages import (
    gratis as gratis_pages,
)
from api.pages import (
    intake as intake_pages,
)
from api.pages import (
    market as market_pages,
)
from api.pages import (
    profile as profile_pages,
)
from api.pages import (
    recommending as recommending_pages,
)
from api.pages import (
    register as register_pages,
)
from api.pages.guard import (
    AnswerHeaders,
    Window,
)
from api.routes import (
    afterlife,
    broker,
    cards,
    cover,
    credentials,
    delivery,
    demand,
    desk,
    dispute,
    dsp,
    duties,
    element,
    filing,
    foreign,
    gratis,
    inspection,
    intake,
    likeness,
    log,
    market,
    negotiation,
    profile,
    public_revenue,
    recommending,
    reconciliation,
    register,
    registry,
    reporting,
    rulebook,
    service_level,
    service_order,
    settlement,
    shelf,
    tiles,
    usage,
    worklist,
)
from api.watching import Watch

MODULES = (
    usage,
    log,
    tiles,
    likeness,
    market,
    shelf,
    broker,
    demand,
    gratis,
    negotiation,
    profile,
    recommending,
    desk,
    dsp,
    delivery,
    service_level,
    reconciliation,
    settlement,
    cover,
    dispute,
    service_order,
    public_revenue,
    reporting,
    rulebook,
    worklist,
    intake,
    intake_pages,
    afterlife,
    register,
    inspection,
    filing,
    element,
    foreign,
    register_pages,
    market_pages,
    disclosure_pages,
    demand_pages,
    broker_pages,
    gratis_pages,
    profile_pages,
    recommending_pages,
    credentials,
    cards,
    duties,
    card_pages,
    delivery_pages,
    dispute_pages,
    registry,
    public,
)
"""In this order: registry's route for a paper of any form would take other words behind a code for one."""


OFFICE = (
    entry, signing, applicant, case, staff, notices, objecting, certificates, afterlife_pages, delivering, dealing,
    deals, agreements, listings, statements, cycles, covers, service_orders, ordering, credit_pages,
    pricing,
)  # fmt: skip
"""Pages for people with a session, and what leads there; their writes are forms, not signed bodies."""


_TEXT = {"type": "string"}
REFUSED: dict[str, Any] = {
    "description": "拒绝，未写入任何内容 / refused, nothing was written",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error", "message"],
                "properties": dict.fromkeys(("error", "message", "field", "expected", "given", "code"), _TEXT),
            }
        }
    },
}


class Application(FastAPI):
    """FastAPI, but for the one route that must not pay for it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if usage.is_single(scope):
            await usage.answer_single(self, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create(system: System) -> FastAPI:
    """The application that serves this installation."""
    # With docs or redoc on, a browser would load scripts from somebody else's server.
    app = Application(
        title="数清 ShuQing",
        description="数据产权登记与交易清算 / data property registration and exchange clearing",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        responses={"4XX": REFUSED},
    )
    app.state.system = system
    app.state.window = Window()
    app.state.desk = usage.Desk(system)
    app.state.watch = Watch(system.reader)
    app.state.importer = Importer(system)
    app.add_middleware(AnswerHeaders)
    errors.install(app)
    for module in (*MODULES, *OFFICE):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(packages=[("api", "static")]))
    return app
