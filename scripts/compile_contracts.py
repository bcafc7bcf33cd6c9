"""Compile contracts/src with the npm compiler and write contracts/artifacts; `--check` compares instead of writing.

Nothing is downloaded: py-solc-x drives the `solc` package of node_modules through scripts/solc-shim.js. The result is a
function of the sources, the compiler version and the settings below, so `--check` compares bytes and exits 1 with the
name of every artifact that differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import solcx

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "contracts" / "src"
ARTIFACTS = ROOT / "contracts" / "artifacts"
CONTRACTS = ("RightsRegistry", "AgreementRegistry", "EvidenceLog", "SettlementBook")

# The same words as in foundry.toml: the tests of forge run the bytecode that is committed.
SETTINGS: dict[str, Any] = {
    "evmVersion": "paris",
    "metadata": {"bytecodeHash": "none"},
    "optimizer": {"enabled": True, "runs": 200},
    "remappings": ["@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/"],
}
OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]


def compile_all() -> dict[str, str]:
    """Artifact texts by contract name. Raises solcx.exceptions.SolcError with the compiler's own words."""
    sources = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(SOURCES.glob("*.sol"))}
    output = solcx.compile_standard(
        {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sources.items()},
            "settings": {**SETTINGS, "outputSelection": {"*": {"*": [*OUTPUT, "metadata"]}}},
        },
        solc_binary=ROOT / "scripts" / "solc-shim.js",
        base_path=ROOT,
    )
    return {name: _artifact(name, output["contracts"][f"contracts/src/{name}.sol"][name]) for name in CONTRACTS}


def _artifact(name: str, compiled: dict[str, Any]) -> str:
    metadata = json.loads(compiled["metadata"])
    code = compiled["evm"]
    # Constructor arguments that are immutable are zero in the compiled runtime code; who compares it with the code on a
    # chain blanks these places first.
    blanks = sorted(
        (place["start"], place["length"])
        for places in code["deployedBytecode"]["immutableReferences"].values()
        for place in places
    )
    artifact = {
        "contract": name,
        "abi": compiled["abi"],
        "bytecode": "0x" + code["bytecode"]["object"],
        "runtime": "0x" + code["deployedBytecode"]["object"],
        "runtimeBlanks": blanks,
        "compiler": {"solc": metadata["compiler"]["version"], **SETTINGS},
        "sources": {
            path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in sorted(_paths(metadata["sources"]))
        },
    }
    return json.dumps(artifact, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _paths(sources: dict[str, Any]) -> list[str]:
    return [f"node_modules/{path}" if path.startswith("@") else path for path in sources]


def differing(compiled: dict[str, str]) -> list[str]:
    """Names of artifacts that are missing, unknown or not byte for byte what the sources give."""
    on_disk = {path.stem: path.read_text("utf-8") for path in ARTIFACTS.glob("*.json")}
    return sorted(name for name in compiled.keys() | on_disk.keys() if compiled.get(name) != on_disk.get(name))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="compare with the committed artifacts, write nothing")
    check = parser.parse_args(arguments).check
    compiled = compile_all()
    if check:
        wrong = differing(compiled)
        for name in wrong:
            print(f"产物与源码不符 / artifact differs from source: contracts/artifacts/{name}.json", file=sys.stderr)
        return 1 if wrong else 0
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, text in compiled.items():
        (ARTIFACTS / f"{name}.json").write_text(text, "utf-8")
        print(f"contracts/artifacts/{name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
