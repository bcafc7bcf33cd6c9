"""The direction of imports and the one door for each driver, as tables (architecture page, "Direction").

We walk every file's syntax tree, so a forbidden import hidden inside a function is found too.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ledger", "registry", "clearing", "api")

MAY_IMPORT = {
    "ledger": {"ledger"},
    "registry": {"ledger", "registry"},
    "clearing": {"ledger", "registry", "clearing"},
    "api": {"ledger", "registry", "clearing", "api", "scripts"},
}
ONE_DOOR = {
    "web3": {"ledger/web3_chain.py"},
    "gmssl_pyx": {"ledger/sm.py"},
    "solcx": {"scripts/compile_contracts.py"},
    "pydantic_settings": {"api/settings.py"},
    "alembic": {"api/bootstrap.py", "scripts/migrations/env.py", "scripts/write_schema.py"},
    "typst": {"registry/document.py"},
    "pyhanko": {"registry/pades.py", "scripts/counterparties/time_stamp_authority.py"},
    "chinese_calendar": {"registry/calendar.py"},
    "psycopg": {"clearing/pricing/source_table.py"},
    "ibis": {"clearing/usage/bulk/spark.py"},
}
COMMIT_DOORS = {"api/deps.py", "api/jobs.py", "api/connector/state.py", "api/group.py"}
"""Requests, everything beside requests, the connector's own disk, and single records, which share one commit (D11)."""
ENVIRONMENT_DOOR = {"api/settings.py"}
FORBIDDEN = {"gmssl", "merkletools", "pymerkle", "random", "pickle", "pandas"}

STORAGE_NAMES = {"store", "service", "tables"}
STORAGE_FILES = {
    "ledger": {
        "tables.py", "store.py", "bulk.py", "outbox.py", "log.py", "anchoring.py", "archive.py", "bundle.py",
        "rebuild.py", "audit.py", "leader.py", "incidents.py", "subject_map.py", "answer.py", "erasure.py",
    },
    "registry": {
        "projecting.py", "numbering.py", "signers.py", "stating.py", "admitting.py", "holding.py", "entries.py",
        "validity.py", "filing.py", "moving.py", "depositing.py", "issuing.py", "answering.py", "waiting.py",
    },
    "clearing": {
        "taking.py", "settlement/disputed.py", "settlement/tracing.py", "settlement/office.py",
        "settlement/opening.py", "settlement/charging.py", "settlement/asking.py", "settlement/issuing.py",
        "settlement/netted.py", "settlement/covering.py", "settlement/paying.py", "settlement/closing.py",
        "settlement/auditing.py", "settlement/register.py", "settlement/projecting.py",
    },
}  # fmt: skip
DRIVERS = {"sqlalchemy", "sqlmodel", "httpx", "duckdb", "fastapi", "web3", "requests", "socket", "subprocess"}
DRIVER_DOORS = {
    "duckdb": {"clearing/pricing/scratch.py", "clearing/usage/bulk/duck.py", "registry/likeness/reading.py"},
    "httpx": {"ledger/witness.py"},
    "web3": {"ledger/web3_chain.py"},
    "requests": {"ledger/web3_chain.py"},
}


def sources(*folders: str) -> list[Path]:
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts
    )


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_up_only(package: str) -> None:
    allowed = MAY_IMPORT[package]
    ours = set(MAY_IMPORT) | {"scripts", "tests"}
    for path in sources(package):
        for module in imported(path):
            top = module.split(".")[0]
            assert top not in ours or top in allowed, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("driver", sorted(ONE_DOOR))
def test_each_driver_has_one_door(driver: str) -> None:
    for path in sources(*PACKAGES, "scripts"):
        if any(module == driver or module.startswith(driver + ".") for module in imported(path)):
            assert name_of(path) in ONE_DOOR[driver] or "/versions/" in name_of(path), f"{name_of(path)}: {driver}"


def test_nobody_imports_what_is_unfit() -> None:
    for path in sources(*PACKAGES, "scripts"):
        for module in imported(path):
            assert module.split(".")[0] not in FORBIDDEN, f"{name_of(path)} imports {module}"


def test_only_the_doors_commit() -> None:
    for path in sources(*PACKAGES):
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr == "commit":
                assert name_of(path) in COMMIT_DOORS, f"{name_of(path)}:{node.lineno} commits"


def test_only_settings_reads_the_environment() -> None:
    for path in sources(*PACKAGES, "scripts"):
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}:
                assert name_of(path) in ENVIRONMENT_DOOR, f"{name_of(path)}:{node.lineno} reads the environment"


@pytest.mark.parametrize("package", ["ledger", "registry", "clearing"])
def test_stage_files_are_pure(package: str) -> None:
    """Stage files load no database, network or engine driver; only store, service, tables and named doors do."""
    for path in sources(package):
        storage = path.stem in STORAGE_NAMES or path.relative_to(ROOT / package).as_posix() in STORAGE_FILES[package]
        for module in imported(path):
            top = module.split(".")[0]
            if top in DRIVERS and not storage:
                assert name_of(path) in DRIVER_DOORS.get(top, set()), f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("package", ["ledger", "registry", "clearing"])
def test_packages_read_no_clock(package: str) -> None:
    """Time is an argument: nothing below `api` asks a clock."""
    calls = {("time", "time"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
    waiting = {"ledger/web3_chain.py"}
    for path in sources(package):
        for node in nodes(path):
            named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if named and (node.value.id, node.attr) in calls:  # type: ignore[attr-defined]
                assert name_of(path) in waiting, f"{name_of(path)}:{node.lineno}"  # type: ignore[attr-defined]


def test_no_float_near_money_or_digests() -> None:
    """No float literal and no call of float() in ledger, registry or clearing; only the chain driver waits in parts
    of a second."""
    for path in sources("ledger", "registry", "clearing"):
        if name_of(path) == "ledger/web3_chain.py":
            continue
        for node in nodes(path):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            found = literal or call
            assert not found, f"{name_of(path)}:{node.lineno}"  # type: ignore[attr-defined]


def test_patterns_end_at_the_end() -> None:
    """In Python "$" also stands before a last line end, so a digest would have two writings."""
    for path in sources(*PACKAGES, "scripts"):
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                named = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                for word in node.keywords if named == "Meta" else ():
                    wrong = word.arg == "pattern" and ast.unparse(word.value).rstrip("'\"").endswith("$")
                    assert not wrong, f"{name_of(path)}:{node.lineno}: end the pattern with \\Z"


def test_no_utils() -> None:
    assert not [path for path in sources(*PACKAGES, "scripts") if path.stem.startswith("util")]


def test_every_column_has_a_class() -> None:
    """Decisions D3: fact, derived or operational, in the metadata itself."""
    from api import schema

    for table in schema.TABLES:
        for column in table.columns:
            assert column.info.get("class") in {"fact", "derived", "operational"}, f"{table.name}.{column.name}"
