"""The HTTP application: routes over one `System`, errors by one table, nothing fetched from anywhere else."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api import errors
from api.bootstrap import System
from api.pages import cards as card_pages
from api.pages import public
from api.pages.guard import AnswerHeaders, Window
from api.routes import cards, duties, likeness, log, market, registry, settlement, tiles, usage

MODULES = (usage, log, tiles, cards, duties, registry, likeness, market, settlement, card_pages, public)
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


def create(system: System) -> FastAPI:
    """The application that serves this installation."""
    # With docs or redoc on, a browser would load scripts from somebody else's server.
    app = FastAPI(
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
    app.add_middleware(usage.Direct)
    app.add_middleware(AnswerHeaders)
    errors.install(app)
    for module in MODULES:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(packages=[("api", "static")]))
    return app
