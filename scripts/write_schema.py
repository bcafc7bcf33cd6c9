"""Writes the first revision of the database from the tables' metadata: `python -m scripts.write_schema`.

As long as no release is deployed, a changed table changes revision 0001; after the first release, revisions are added
and this script goes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations.ops import DowngradeOps, UpgradeOps
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from api import schema

FILE = Path(__file__).parent / "migrations" / "versions" / "0001_first_schema.py"
HEAD = '''"""The first schema: facts, log, views of registry and clearing, API keys. Made by scripts/write_schema.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.tables import guards
from registry.search.tables import search_index

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}
    dialect = op.get_bind().dialect.name
    searched = [statement for area in ("register", "market", "demand") for statement in search_index(area, dialect)]
    for statement in (*guards(dialect), *searched):
        op.execute(statement)


def downgrade() -> None:
    {downgrade}
    op.execute("DROP TABLE IF EXISTS register_fts")
    op.execute("DROP TABLE IF EXISTS market_fts")
    op.execute("DROP TABLE IF EXISTS demand_fts")
'''


def text() -> str:
    """The revision as Python, not yet formatted."""
    with create_engine("sqlite://").connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        made = produce_migrations(context, SQLModel.metadata)
    assert isinstance(made.upgrade_ops, UpgradeOps)
    assert isinstance(made.downgrade_ops, DowngradeOps)
    up, down = (
        render_python_code(ops, render_as_batch=True, migration_context=context)
        for ops in (made.upgrade_ops, made.downgrade_ops)
    )
    return HEAD.format(upgrade=_bare(up), downgrade=_bare(down))


def _bare(code: str) -> str:
    """Without the comments of the generator."""
    return "\n".join(line for line in code.splitlines() if "Alembic" not in line).strip()


if __name__ == "__main__":
    assert schema.TABLES
    FILE.write_text(text(), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", FILE], check=True)
