"""What signed certificate papers cost: 1,000 of them, made by two processes.

Each paper is another entry (code, time, digests, QR token, place in the status list): credential with Ed25519 and SM2
signatures, PDF body set by typst with both attachments, seal pressed with P-256 and checked again as in the
application, digests of all four papers. No database and no time-stamp authority, which is the network's time. Each
process reads the fonts once. `python -m scripts.bench.papers` prints the figures, beside them the same without seal.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger.digest import twin
from ledger.disclosure import names_of
from ledger.reading import body_of
from registry import document
from registry.asset import Twin
from registry.certificate import PAPER_TYPE, Record, RegisterEntry, holder_of, record_digest
from registry.credential.proof import secured
from registry.credential.vc import credential
from registry.form import RegistrationType
from scripts.bench import NOW
from tests.registry.registry_house import FONTS, a_form
from tests.registry.seal_maker import shared_issuer, shared_seal

PAPERS = 1_000
WORKERS = 2
TARGET = 60


def signed_papers() -> dict[str, Any]:
    """Seconds of 1,000 signed papers by two processes, start of the processes included."""
    with ProcessPoolExecutor(WORKERS) as pool:
        started = time.perf_counter()
        made = list(pool.map(_timed, range(PAPERS), chunksize=25))
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        list(pool.map(_make, range(PAPERS), [False] * PAPERS, chunksize=25))
        unsealed = time.perf_counter() - started
    return {
        "recipe": f"{PAPERS:,} certificates, {WORKERS} processes: credential, PDF/A-3b body with QR code and two "
        "attachments, P-256 seal pressed and verified, twin digests; one run. Beside it the same without the seal",
        "papers": PAPERS,
        "workers": WORKERS,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sum(spent for _, spent in made), 1),
        "papers_per_s": round(PAPERS / seconds, 1),
        "seconds_without_seal": round(unsealed, 1),
        "bytes_a_pdf": sum(size for size, _ in made) // PAPERS,
    }


def _timed(number: int) -> tuple[int, float]:
    """The size of one paper's PDF and the processor seconds it took: on a busy machine the wall clock says little."""
    started = time.process_time()
    return _make(number), time.process_time() - started


def _make(number: int, sealed: bool = True) -> int:
    """One paper, from entry to digests; the size of its PDF."""
    issuer, seal = shared_issuer(), shared_seal()
    entry, record = _entry(number)
    digest = twin(entry.code.encode())
    plain = credential(entry, record, digest, issuer, 1, number, document.DECLARATION)
    stated = secured(plain, issuer, NOW)
    paper = document.Paper(entry, record, digest, f"{issuer.base}/check", f"token-{number:06d}", stated, True)
    pdf = document.render_pdf(paper, Path(FONTS))
    papers = [pdf, document.render_json(paper), stated]
    if sealed:
        picture = document.render_seal(entry.agency_name, True, Path(FONTS))
        pdf = seal.press(pdf, picture, reason=entry.code, place=entry.agency_name, at=NOW).pdf
        papers.append(pdf)
    assert all(twin(data).sm3 for data in papers)
    return len(pdf)


def _entry(number: int) -> tuple[RegisterEntry, Record]:
    form = a_form()
    data = replace(form.description, data_name=f"演示数据集第 {number} 号")
    applicant = form.applicants[0]
    link = Twin.of(twin(b"%d" % number))
    record = Record(
        f"{number:032x}", "national_2026", form.agency, RegistrationType.INITIAL,
        (holder_of(applicant),), data, form.source_kind, form.right_basis,
        form.rights, 5, False, (), (link,) * 7, f"{number:064x}",
    )  # fmt: skip
    at = NOW + number
    entry = RegisterEntry(
        f"SJ331202609{number % 9999 + 1:04d}", 1, PAPER_TYPE, form.agency, "浙江某某数据登记有限公司（演示）",
        "演示-33-1", names_of(body_of(record)), record_digest(record), link, f"演示-{number:06d}", "存证服务（演示）",
        at, at, at + 5 * 365 * 86_400, "2031-07-24",
    )  # fmt: skip
    return entry, record


def main() -> int:
    found = signed_papers()
    print(json.dumps(found, ensure_ascii=False, indent=2))
    met = found["seconds"] <= TARGET
    print(f"{'✓' if met else '✗ 未达 / short'}  {PAPERS:,} signed papers, s: {found['seconds']} (≤ {TARGET})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
