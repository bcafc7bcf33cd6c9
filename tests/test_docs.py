"""The documentation is checked against the code: what README and docstrings name exists, and what exists is named.

We walk the application's routes, the command tree, the projectors, the table metadata and every file's syntax tree, so
a route, command, kind, column or module added without a word about it turns one of these tests red.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from eth_hash.auto import keccak
from starlette.routing import Mount
from typer.main import get_command

from ledger import canonical, checkpoint, digest, erasure, merkle, subject_map, trust, verify
from ledger.chain import head_commitment
from ledger.facts import Fact
from scripts import verify_bundle

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ledger", "registry", "clearing", "api")
READMES = (
    "README.md",
    "api/STAGES.md",
    "api/COMMANDS.md",
    *(f"{folder}/README.md" for folder in ("contracts", *PACKAGES, "scripts")),
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
STAGES = (ROOT / "api" / "STAGES.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "api" / "COMMANDS.md").read_text(encoding="utf-8")
SENTENCES = (
    "`registry` never sees a price. `clearing` never sees a transaction hash. "
    "`ledger` never sees a name. `api` never computes."
)
METHODS = "GET|POST|PUT|PATCH|DELETE"


def section(title: str) -> str:
    """The text of the README between the heading that contains `title` and the next heading of its level."""
    found = re.search(rf"^## [^\n]*{re.escape(title)}[^\n]*\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found.group(1)


def rows(text: str) -> list[list[str]]:
    """The cells of every table row that is neither head nor rule."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {i for i, row in enumerate(cells) if all(set(cell) <= set("-:") for cell in row)}
    return [row for i, row in enumerate(cells) if i not in rules and i + 1 not in rules]


def ticked(text: str) -> set[str]:
    """Everything that stands between single backticks."""
    return set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text))


def test_readme__four_sentences__verbatim_and_short_enough_to_read() -> None:
    assert SENTENCES in README
    assert len(README.splitlines()) <= 350


def test_readme__house_table__every_top_level_folder() -> None:
    """Folders that hold something of ours: those with a tracked kind of file directly in them or below."""
    kinds = {".py", ".sol", ".md", ".json", ".js"}
    made = {"node_modules", "out", "cache", "demo-out", "dist", "build"}
    folders = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and path.name not in made and not path.name.startswith((".", "_"))
        and any(file.suffix in kinds for file in path.rglob("*"))
        and not path.name.endswith(".egg-info")
    }  # fmt: skip
    named = {cell.strip("`/") for row in rows(section("The house")) for cell in row[:1]}
    assert folders == named


def served(routes: Any) -> Iterator[str]:
    """ "METHOD /path" of every route, those of included routers too; of mounted files only the path."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from served(route.original_router.routes)
        elif isinstance(route, Mount):
            yield route.path
        else:
            yield from (f"{method} {route.path}" for method in route.methods - {"HEAD"})


# --- the stage table -------------------------------------------------------------------------------------------------


def test_stage_table__routes__all_of_the_application_and_no_other() -> None:
    """The application is built around a stub: no database, key or chain is needed to know its routes."""
    from api.app import create

    found = set(served(create(SimpleNamespace(engine=None, reader=None, clock=None)).routes))  # type: ignore[arg-type]
    mounted = {name for name in found if name.startswith("/")}
    assert mounted <= ticked(STAGES)
    routes = found - mounted - {"GET /openapi.json"}
    table = {name for name in ticked(STAGES) if re.fullmatch(rf"(?:{METHODS}) /\S*", name)}
    assert routes - table == set(), "routes the README does not name"
    assert table - found == set(), "routes that do not exist"


def test_stage_table__kinds__all_that_have_a_projector_or_are_the_ledgers_own_and_no_other() -> None:
    from api.bootstrap import projectors

    named = {kind for row in rows(STAGES) for kind in ticked(row[3])}
    assert named == set(projectors()) | {subject_map.KIND, erasure.KIND}


def test_stage_table__services_and_contracts__exist() -> None:
    for row in rows(STAGES):
        for name in ticked(row[2]):
            module, _, function = name.rpartition(".")
            assert callable(getattr(importlib.import_module(module), function, None)), name
        assert not row[4] or (ROOT / "contracts" / "artifacts" / f"{row[4]}.json").exists(), row[4]


def test_contracts_readme__every_deployed_contract__named() -> None:
    text = (ROOT / "contracts" / "README.md").read_text(encoding="utf-8")
    for file in (ROOT / "contracts" / "artifacts").glob("*.json"):
        assert file.stem in text, file.stem


# --- commands, settings, columns -------------------------------------------------------------------------------------


def commands(command: Any, name: str) -> Iterator[str]:
    """The full names of the leaves of a command tree."""
    if hasattr(command, "commands"):
        for part, inner in command.commands.items():
            yield from commands(inner, f"{name} {part}")
    else:
        yield name


def test_command_table__all_of_the_command_tree_and_no_other() -> None:
    from api import cli

    app: typer.Typer = cli.app
    known = set(commands(get_command(app), "shuqing"))
    assert {row[0].strip("`") for row in rows(COMMANDS)} == known
    assert {row[0].strip("`") for row in rows(section("Commands"))} < known


@pytest.mark.parametrize("readme", READMES)
def test_readme__commands_in_running_text__exist(readme: str) -> None:
    """Every `shuqing …` in backticks or code begins with a command there is."""
    from api import cli

    known = set(commands(get_command(cli.app), "shuqing"))
    groups = {name.rpartition(" ")[0] for name in known}
    text = (ROOT / readme).read_text(encoding="utf-8")
    for found in re.findall(r"(?:`|bin/)(shuqing [a-z]+(?: [a-z]+)?)", text):
        first = " ".join(found.split()[:2])
        assert found in known or first in known or found in groups, found


def test_readme__make_targets__exist() -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for readme in READMES:
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE):
            assert target in made, f"{readme}: make {target}"


def test_configuration__fields_and_variables__all_and_no_other() -> None:
    from api import settings

    text = section("Configuration")
    named = {name for row in rows(text) for name in ticked(row[0])}
    assert named == set(settings.Settings.model_fields)
    fields = {f"SHUQING_{name.upper()}" for name in settings.Settings.model_fields} | {"SHUQING_⟨FIELD⟩"}
    variables = {name for name in ticked(text) if name.startswith("SHUQING_")}
    assert {"SHUQING_HOME", "SHUQING_⟨FIELD⟩"} <= variables <= fields


def test_storage__operational_columns__are_the_closed_list_of_the_readme() -> None:
    """Decisions D3: a column is named with its table unless its whole table is operational."""
    from api import schema

    listed = re.search(r"^- \*\*operational\*\*: (.*?), nothing else\.$", README, re.MULTILINE)
    assert listed
    found = set()
    for table in schema.TABLES:
        columns = {column.name for column in table.columns if column.info["class"] == "operational"}
        whole = len(columns) == len(table.columns)
        found |= {table.name} if whole else {f"{table.name}.{name}" for name in columns}
    assert ticked(listed.group(1)) == found


# --- the worked example ----------------------------------------------------------------------------------------------


def test_worked_example__recomputes_by_hand_and_by_the_library() -> None:
    """By hand first (hashlib only, from the sentences above the example), because the library could share an error."""
    block = re.search(r"```hex-example\n(.*?)```", README, re.DOTALL)
    assert block
    given = dict(line.split(maxsplit=1) for line in block.group(1).splitlines())
    data = given["bytes"].encode()
    sha256, sm3 = hashlib.sha256(data).digest(), hashlib.new("sm3", data).digest()
    assert (given["sha256"], given["sm3"]) == (sha256.hex(), sm3.hex())
    leaf = b"shuqing/leaf/v1\x00" + sha256 + sm3
    assert given["leaf"] == leaf.hex()
    assert given["leaf-sha256"] == hashlib.sha256(b"\x00" + leaf).hexdigest()
    assert given["leaf-sm3"] == hashlib.new("sm3", b"\x00" + leaf).hexdigest()

    for side, name in (("sha256", "sha256"), ("sm3", "sm3")):

        def node(left: str, right: str, name: str = name) -> str:
            return hashlib.new(name, b"\x01" + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()

        assert given[f"root-{side}"] == node(given[f"path-{side}"], given[f"leaf-{side}"])
        part = given["part"].encode()
        digests = hashlib.sha256(part).digest() + hashlib.new("sm3", part).digest()
        shown = hashlib.new(name, b"\x00shuqing/leaf/v1\x00" + digests).hexdigest()
        assert json.loads(data)["statement"]["parts"]["root"][side] == node(shown, given[f"part-path-{side}"])
    numbers = [int(given[name]).to_bytes(32, "big") for name in ("size", "time")]
    roots = bytes.fromhex(given["root-sha256"] + given["root-sm3"])
    assert given["commitment"] == keccak(numbers[0] + roots + numbers[1]).hex()

    fact = Fact.of_bytes(data)
    assert fact.bytes() == data
    assert digest.leaf(fact.digest()) == leaf
    assert merkle.leaf_hash(fact.digest()).document() == {"sha256": given["leaf-sha256"], "sm3": given["leaf-sm3"]}


def test_worked_example__is_a_real_bundle__both_verifiers_find_it_intact() -> None:
    file, trusted = (ROOT / "tests" / "vectors" / f"example-{name}.json" for name in ("bundle", "trust"))
    bundle, trust_bytes = file.read_bytes(), trusted.read_bytes()
    document = json.loads(bundle)
    block = re.search(r"```hex-example\n(.*?)```", README, re.DOTALL)
    assert block
    given = dict(line.split(maxsplit=1) for line in block.group(1).splitlines())
    assert canonical.encode(document["fact"]).decode() == given["bytes"]
    assert document["parts"][0]["data"] == given["part"]
    for side in ("sha256", "sm3"):
        assert base64.b64decode(document["entry"]["path"][side]).hex() == given[f"path-{side}"]
        assert base64.b64decode(document["parts"][0]["path"][side]).hex() == given[f"part-path-{side}"]
    point = checkpoint.parse("\n".join(document["head"]["note"]))[0]
    assert (str(point.size), str(point.at)) == (given["size"], given["time"])
    assert point.root.document() == {"sha256": given["root-sha256"], "sm3": given["root-sm3"]}
    assert head_commitment(point.size, point.root.sha256, point.root.sm3, point.at).hex() == given["commitment"]
    assert verify.verify(bundle, trust.read(json.loads(trust_bytes)), head=point).intact
    own = verify_bundle.read_trust(trust_bytes)
    head = verify_bundle.read_given("\n".join(document["head"]["note"]).encode(), own)
    steps = verify_bundle.run(verify_bundle.Case(bundle, own, None, head))
    assert all(step["ok"] is not False for step in steps)


# --- modules, docstrings, paths --------------------------------------------------------------------------------------


def folders_with_code() -> list[Path]:
    """Every package folder of ours, nested ones too."""
    return sorted({path.parent for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")})


@pytest.mark.parametrize("folder", folders_with_code(), ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_package__docstring_or_readme__names_every_module(folder: Path) -> None:
    """A module counts as named when its name stands in backticks, alone or as a file, there or in the README above."""
    init = folder / "__init__.py"
    text = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
    assert text, f"{init.relative_to(ROOT)} has no docstring"
    text += (ROOT / folder.relative_to(ROOT).parts[0] / "README.md").read_text(encoding="utf-8")
    named = {name.removesuffix("/").removesuffix(".py") for name in ticked(text)}
    inside = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    inside |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert inside - named == set()


def test_package__docstring__names_only_modules_there_are() -> None:
    """A list item that begins with `name` promises a module or package of that name."""
    for folder in folders_with_code():
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        for line in re.findall(r"^[-*] ((?:`\w+`(?:, | and )?)+)", text, re.MULTILINE):
            for name in ticked(line):
                assert (folder / f"{name}.py").exists() or (folder / name).is_dir(), f"{folder.name}: {name}"


def test_scripts_readme__every_script__named() -> None:
    named = ticked((ROOT / "scripts" / "README.md").read_text(encoding="utf-8"))
    for path in (ROOT / "scripts").rglob("*.py"):
        if path.name not in {"__init__.py", "env.py"} and "versions" not in path.parts:
            assert path.name in named, path.name


def without_docstring(path: Path) -> Iterator[str]:
    """Public classes and functions of a module that say nothing; what a route does stands in the stage table."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not ast.get_docstring(tree):
        yield f"{path.relative_to(ROOT)}"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        route = any(ast.unparse(item).startswith("router.") for item in node.decorator_list)
        if not ast.get_docstring(node) and not route:
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings__every_public_class_and_function__has_one(package: str) -> None:
    missing = [item for path in sorted((ROOT / package).rglob("*.py")) for item in without_docstring(path)]
    assert missing == []


@pytest.mark.parametrize("readme", READMES)
def test_readme__paths_and_links__lead_somewhere(readme: str) -> None:
    """Paths in backticks count when they end in a known suffix or a slash; ⟨…⟩, <…> and results of runs do not."""
    folder = (ROOT / readme).parent
    text = (ROOT / readme).read_text(encoding="utf-8")
    made = (
        "demo-out/",
        "api/built/",
        "world/",
        "statements/",
        "node_modules/",
        "keys/",
        "papers/",
        "artifacts/",
        "deployments/",
    )
    shape = re.compile(r"[\w.*/-]+(?:/|\.(?:py|js|md|json|sol|toml|typ|lock|key|xlsx))")
    made_files = {"settings.json", "deployment.json", "trust.json", "log.json", "relay.json", "operator.json",
                  "agency.json", "agreement-consumer.json", "agreement-broker.json", "price-report.json",
                  ".xlsx", ".json"}  # fmt: skip
    for name in ticked(text):
        if shape.fullmatch(name) and not name.startswith((*made, "/")) and name not in made_files:
            assert list(folder.glob(name)) or list(ROOT.glob(name)) or list(folder.rglob(name)), f"{readme}: {name}"
    for command in re.findall(r"^(?:python3?|node_modules/\S+) (?:-m )?(\S+)", text, re.MULTILINE):
        path = command if command.endswith(".py") else command.replace(".", "/") + ".py"
        assert command.startswith(("-", "test")) or (ROOT / path).exists(), f"{readme}: {command}"
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        assert "://" not in file, target
        found = (folder / file).resolve() if file else ROOT / readme
        assert found.exists(), f"{readme}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}, target


@pytest.mark.parametrize("readme", READMES)
def test_readme__no_host_and_no_machine_path(readme: str) -> None:
    """The only addresses are of this machine; no path begins at the root of somebody's disk."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    for host in re.findall(r"\b(?:https?|wss?|git|ssh)://([^\s/`)]+)", text):
        assert host.split(":")[0] in {"127.0.0.1", "localhost"}, host
    assert not re.findall(r"(?<![\w.~}⟩])/(?:home|root|tmp|work|usr|var|opt|etc|mnt|Users)\b", text)
