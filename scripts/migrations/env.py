"""Alembic's entry: one schema for SQLite and PostgreSQL; the engine comes from `api.bootstrap.migrate`."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from api import schema

config = context.config


def run() -> None:
    engine = config.attributes["engine"]
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()


assert schema.TABLES
run()
