"""What the agency publishes and reports: disclosed papers as files, the yearly report, the disclosure pack."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from api import jobs
from api.bootstrap import System
from ledger import canonical, tables
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.facts import Fact
from ledger.reading import body_of
from registry.asset import Twin
from registry.duties import service, store
from registry.duties.figures import AnnualReport, span
from registry.duties.office import Disclosure, Topic
from registry.duties.report import report_json, report_pdf, report_xlsx
from registry.form import Attachment
from registry.parcel import Manifest, Packer
from registry.party import party_subject

FORMAT = "shuqing-disclosure/v1"
FOLDER = "disclosed"
LARGEST = 32 << 20


@dataclass(frozen=True, slots=True)
class Reported:
    """A yearly report with its three papers, and whether it is on record."""

    report: AnnualReport
    papers: dict[str, bytes]
    fact: Fact | None


def publish(system: System, topic: Topic, file: Path, title: str, effective_from: str, text: str) -> Fact:
    """Keeps a paper in the home folder and states the next version of its topic.

    Raises `FieldError`, `GuardRefused`.
    """
    data = file.read_bytes()
    if not 0 < len(data) <= LARGEST:
        raise FieldError("file", f"1…{LARGEST} 字节 / bytes", str(len(data)))
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    paper = Attachment(topic.value, file.name, kind, len(data), Twin.of(twin(data)))
    body = Disclosure(topic, title, effective_from, paper, text)
    with jobs.transaction(system) as session:
        fact = service.disclose(session, system.house, body, system.agency.signer, at=system.clock()).fact
        target = path_of(system, paper.digest.sha256)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = target.with_suffix(".part")
        part.write_bytes(data)
        part.replace(target)
    return fact


def path_of(system: System, sha256: str) -> Path:
    """Where a disclosed paper is kept, by its SHA-256."""
    return system.settings.home / FOLDER / sha256


def report(system: System, year: int, *, file: bool) -> Reported:
    """The yearly report with its papers; with `file` it is stated as a fact (A20). Raises `GuardRefused`."""
    start, end = span(year)
    at = system.clock()
    with jobs.snapshot(system) as session:
        table = tables.incident
        seen = session.scalar(
            select(func.count()).select_from(table).where(table.c.at >= 1_000 * start, table.c.at < 1_000 * end)
        )
        made = service.annual_report(
            session, system.house, year, at=at, calendar=system.calendar, incidents=int(seen or 0)
        )
    papers = {
        "json": report_json(made),
        "xlsx": report_xlsx(made),
        "pdf": report_pdf(made, system.settings.fonts_folder),
    }
    fact = None
    if file:
        with jobs.transaction(system) as session:
            fact = service.file_report(session, system.house, made, system.agency.signer, at=at).fact
    return Reported(made, papers, fact)


def disclose(system: System, out: Path) -> Manifest:
    """Writes the disclosure pack: every version of every disclosed paper, profile and listing, the filed reports."""
    agency, at = system.house.uscc, system.clock()
    part = out.with_suffix(out.suffix + ".part")
    with jobs.snapshot(system) as session, part.open("wb") as file, Packer(file) as packer:
        rows = store.disclosures(session, agency)
        for row in rows:
            data = path_of(system, row.sha256).read_bytes()
            if Twin.of(twin(data)) != Twin(row.sha256, row.sm3):
                raise FieldError(row.file_name, row.sha256, twin(data).sha256.hex())
            packer.add(f"{row.topic}/v{row.version}{Path(row.file_name).suffix}", [data])
        listing, profile = store.listing(session, agency), store.profile(session, agency)
        about = {
            "disclosures": [
                {"topic": row.topic, "version": row.version, "title": row.title, "from": row.effective_from,
                 "text": row.text, "sha256": row.sha256, "sm3": row.sm3, "fact": row.fact_id}
                for row in rows
            ],
            "listing": {"state": listing.state, "since": listing.since} if listing else {},
            "profile": body_of(profile) if profile else {},
            "reports": [{"year": row.year, "fact": row.fact_id} for row in store.annual_reports(session, agency)],
        }  # fmt: skip
        packer.add("disclosure.json", [canonical.encode(about)])
        manifest = packer.manifest(FORMAT, party_subject(agency), at, {"papers": len(rows)})
        packer.finish(manifest)
    part.replace(out)
    return manifest
