"""The HTTP application: routes over one `System`, errors by one table, nothing fetched from anywhere else."""

from __future__ import annotations

from fastapi import FastAPI

from api import errors
from api.bootstrap import System
from api.routes import log, market, registry, settlement


def create(system: System) -> FastAPI:
    """The application that serves this installation."""
    app = FastAPI(
        title="数清 ShuQing",
        description="数据产权登记与交易清算 / data property registration and exchange clearing",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
    )
    app.state.system = system
    errors.install(app)
    for module in (log, registry, market, settlement):
        app.include_router(module.router)
    return app
