"""`make bench`: what ledger and registry cost, measured now on this machine, each figure beside its target.

    python -m scripts.bench_ledger [--only PART,…] [--json FILE]

Parts of the ledger: intake (batches on SQLite and, where Debian's PostgreSQL is there, on PostgreSQL), http, single,
heads, gas, proof, completeness, rebuild, memory, proofs. Of the registry: check (the public check and search with 10^6
certificates, both databases), import (10,000 applications), papers (1,000 signed ones, one run), codes (32 writers).
Of the market: products (the search of 10^5 products, both databases). Of usage: connector (what it adds to a call),
revocation (how soon a suspension stops it), buffer (10^6 records through three kills), signatures (checks per second).
Of pricing: quality (a data file counted, scored and measured: flights, and 10^8 cells), reprice (10,000 stored quotes).
Each is a function in `scripts/bench/` with its recipe in the file, run alone. Times are medians of at least five runs
unless the recipe says otherwise; gas comes from receipts of a real anvil (paris). A figure short of its target is
printed as such. The numbers mean nothing on another machine; this one is printed with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scripts.bench import (
    chain,
    check_page,
    codes,
    completeness,
    connector,
    heads,
    intake,
    log,
    papers,
    products,
    proof,
    quality,
    registry_import,
    reprice,
    signatures,
    single,
)
from scripts.bench.telling import run
from tests.services.server import Missing, postgresql, provide


def batches() -> dict[str, Any]:
    """Batch intake on both databases; PostgreSQL with fsync and synchronous_commit on."""
    found: dict[str, Any] = {"sqlite": intake.batch_intake()}
    try:
        provide()
        with postgresql(durable=True) as server:
            found["postgresql"] = intake.batch_intake(server.database())
    except Missing as why:
        found["postgresql"] = {"missing": str(why)}
    return found


def checks() -> dict[str, Any]:
    """The public check and search on both databases."""
    found: dict[str, Any] = {"sqlite": check_page.check_page()}
    try:
        provide()
        with postgresql(durable=True) as server:
            found["postgresql"] = check_page.check_page(server.database())
    except Missing as why:
        found["postgresql"] = {"missing": str(why)}
    return found


def goods() -> dict[str, Any]:
    """The search of the market on both databases."""
    found: dict[str, Any] = {"sqlite": products.products()}
    try:
        provide()
        with postgresql(durable=True) as server:
            found["postgresql"] = products.products(server.database())
    except Missing as why:
        found["postgresql"] = {"missing": str(why)}
    return found


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "intake": batches,
    "http": intake.http_intake,
    "single": single.single_intake,
    "heads": heads.accepted_to_signed,
    "gas": chain.gas,
    "proof": proof.bundles,
    "completeness": completeness.completeness,
    "check": checks,
    "rebuild": log.rebuild_million,
    "memory": log.build_10m_memory,
    "proofs": log.proofs,
    "import": registry_import.import_10k,
    "papers": papers.signed_papers,
    "codes": codes.codes,
    "products": goods,
    "connector": connector.overhead,
    "revocation": connector.revocation,
    "buffer": connector.buffer,
    "signatures": signatures.signatures,
    "quality": quality.quality,
    "reprice": reprice.repricing,
}


def targets(results: dict[str, Any]) -> Iterator[tuple[str, float, str, float]]:
    """(what, measured, "≥" or "≤", target) of every figure we are held to."""
    for database, found in results.get("intake", {}).items():
        if "missing" not in found:
            best = max(found[f"{n}_worker"]["evidence"]["median"] for n in (1, 2))
            yield f"batch intake, {database}, records/s", best, "≥", 50_000
    if "single" in results:
        yield "single records over HTTP, records/s", results["single"]["single_intake_records_per_s"], "≥", 3_000
    if "heads" in results:
        yield "accepted → head signed, p99, s", results["heads"]["p99_s"], "≤", 2
    for name, limit in chain.LIMITS.items() if "gas" in results else ():
        yield f"gas: {name}", results["gas"][name], "≤", limit
    for kind, found in results.get("proof", {}).items():
        yield f"bundle {kind}: core bytes at 10^7", found["core_bytes_at_10^7"], "≤", 8_192
        yield f"bundle {kind}: library, ms", found["library_ms"], "≤", 50
        yield f"bundle {kind}: stand-alone, ms", found["stand_alone_ms"], "≤", 1_000
    if "completeness" in results:
        yield "completeness proof at 10^6 subjects, bytes", results["completeness"]["proof_bytes_max"], "≤", 10_240
    for database, found in results.get("check", {}).items():
        for name in ("check_ms", "api_check_ms", "page_check_ms") if "missing" not in found else ():
            yield f"{name.removesuffix('_ms')} at 10^6 certificates, {database}, p99, ms", found[name]["p99"], "≤", 20
    if "rebuild" in results:
        yield "rebuild of 10^6 entries, s", results["rebuild"]["seconds"], "≤", 60
    if "import" in results:
        yield "import of 10,000 rows with the error file, s", results["import"]["median_s"], "≤", 60
    for database, found in results.get("codes", {}).items():
        if "missing" not in found:
            yield f"codes, 32 writers, {database}: given twice", found["duplicates"], "≤", 0
            yield f"codes, 32 writers, {database}: gaps", len(found["gaps"]) + len(found["beyond_counter"]), "≤", 0
    for database, found in results.get("products", {}).items():
        if "missing" not in found:
            yield f"search of 10^5 products, {database}, p99, ms", found["p99"], "≤", products.LIMIT
    if "connector" in results:
        yield "connector, added to a call, ms", results["connector"]["added_ms"], "≤", 2
        yield "connector, calls/s on one core", results["connector"]["calls_per_s"], "≥", 1_000
    if "revocation" in results:
        yield "suspension → first refused call, largest, ms", results["revocation"]["suspended_ms"]["max"], "≤", 1_000
    if "buffer" in results:
        found = results["buffer"]
        gone = found["said_durable_and_lost"] + found["left"] + found["findings"]
        yield "offline buffer: lost, left, gaps and forks", gone, "≤", 0
        yield "offline buffer: records on the platform", found["different_requests"], "≥", found["records"]
        yield "offline buffer: counted twice", found["on_the_platform"] - found["different_requests"], "≤", 0
    if "signatures" in results:
        yield "SM2 checks/s on one core", results["signatures"]["sm2_per_s"], "≥", 1_500
        yield "secp256k1 checks/s on one core", results["signatures"]["secp256k1_per_s"], "≥", 10_000
    if "quality" in results:
        yield "flights evaluated, s", results["quality"]["flights"]["seconds"], "≤", quality.FLIGHTS_S
        for kind in ("parquet", "csv"):
            found = results["quality"][f"large_{kind}"]
            yield f"10^8 cells evaluated, {kind}, s", found["seconds"], "≤", quality.LARGE_S
            yield f"10^8 cells evaluated, {kind}, memory, MB", found["peak_mb"], "≤", quality.LARGE_MB
    if "reprice" in results:
        yield "10,000 quotes priced again from evidence, s", results["reprice"]["seconds"], "≤", reprice.LIMIT_S
    if "memory" in results:
        yield "memory while building 10^7 leaves, MB", results["memory"]["peak_mb"], "≤", 500
    if "papers" in results:
        yield "1,000 signed certificate papers, 2 processes, s", results["papers"]["seconds"], "≤", papers.TARGET


if __name__ == "__main__":
    raise SystemExit(run(__doc__ or "", PARTS, targets))
