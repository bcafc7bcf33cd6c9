"""A register handed over: the leaving agency's export, the receiver's import (registration.md 1.8, H-06 to H-08).

The parcel holds `facts.jsonl` (every fact, part and head: `ledger.archive`), `chain.json` (where things stand on the
chain), `keys.json` (public parts only), and the files under `papers/`, `attachments/` and `disclosed/`. Its manifest,
with counts and twin digests, is what H-06 states, beside it as `exit.json`. No private key and no salt secret leaves.

The receiver continues the facts in an empty database of its own: two logs of different agencies both know the same
parties and cannot be one. It believes nothing but the leaving agency's key, which it has from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from api import disclosing, jobs, sealed
from api.bootstrap import System
from ledger import archive, canonical, log, rebuild, tables
from ledger.errors import FieldError, Malformed
from ledger.facts import Fact, Signature, Signed
from ledger.reading import read
from ledger.signing import require_sm2
from registry import store as registry
from registry.asset import Twin
from registry.errors import GuardRefused
from registry.handover import service, store
from registry.handover.leaving import FORMAT, ExitAct, ExitState, FormerLog, WitnessKey
from registry.parcel import CHUNK, Packer, Parcel
from registry.party import party_subject
from registry.tables import CertificateRow

EXIT_FILE = "exit.json"
FACTS_FILE = "facts.jsonl"
ATTACHMENTS = "attachments"
FOLDERS = ("papers", ATTACHMENTS, disclosing.FOLDER)


@dataclass(frozen=True, slots=True)
class Received:
    """What an import brought: counts of the manifest, and the draft of H-07 with the receiver's signature."""

    agency: str
    counts: dict[str, int]
    draft: dict[str, Any]


def hand_over(system: System, out: Path) -> Fact:
    """Writes the parcel and states H-06 for it, both or neither. Raises `GuardRefused`, `IllegalMove`."""
    agency, at = system.house.uscc, system.clock()
    part = out.with_suffix(out.suffix + ".part")
    with jobs.transaction(system) as session:
        if store.leaving(session, agency).state not in (ExitState.CLOSED, ExitState.EXPORTED):
            raise GuardRefused("H-06", "closed", "尚未停止受理并办结在办件（H-05）。", "intake is not closed (H-05)")
        with part.open("wb") as file, Packer(file) as packer:
            packer.add(FACTS_FILE, archive.export(session, system.settings.origin))
            packer.add("chain.json", [canonical.encode(_chain(session))])
            packer.add("keys.json", [canonical.encode(_keys(system))])
            files = 0
            for folder in FOLDERS:
                for path in sorted((system.settings.home / folder).rglob("*")):
                    if path.is_file():
                        packer.add(path.relative_to(system.settings.home).as_posix(), _pieces(system, path))
                        files += 1
            manifest = packer.manifest(FORMAT, party_subject(agency), at, _counts(session) | {"files": files})
            statement = service.exported(session, agency, Twin.of(manifest.digest()), _former_log(system, session))
            signed = Signed(statement, (system.agency.signer.sign(statement),))
            packer.add(EXIT_FILE, [canonical.encode(signed.document())], listed=False)
            packer.finish(manifest)
        fact = service.take_act(session, signed, at=at).fact
    part.replace(out)
    return fact


def receive(system: System, source: Path, key: str) -> Received:
    """Verifies a parcel under the leaving agency's SM2 public `key` and continues its facts in this empty database.

    All of it or nothing. Raises `Malformed`, `FieldError`, `BadSignature`.
    """
    at = system.clock()
    with source.open("rb") as file:
        parcel = Parcel(file, FORMAT)
        parcel.check(EXIT_FILE)
        signed = Signed.of_document(parcel.document(EXIT_FILE))
        agency = signed.statement.subject.partition(":")[2]
        require_sm2(signed.statement, signed.signatures, by=party_subject(agency), key=key)
        act = read(ExitAct, signed.statement.body)
        if act.move != "H-06" or act.manifest != Twin.of(parcel.manifest.digest()):
            raise Malformed("移交清单与移出机构签署的摘要不符。 / The manifest is not the one that was signed.")
        with jobs.transaction(system) as session:
            archive.restore(session, parcel.lines(FACTS_FILE))
            rebuild.fold(session, session, system.projectors)
            counted = _counts(session) | {"files": len(_files(parcel))}
            if counted != dict(parcel.manifest.counts):
                raise Malformed(f"数量与清单不符：{counted}。 / The counts are not those of the manifest.")
            if registry.party_at(session, agency, at).sm2 != key:
                raise FieldError("key", "归档中该机构的公钥 / the agency's key in the archive", key[:16])
            service.take_act(session, signed, at=at)
            statement = service.handed_over(session, agency)
            if store.leaving(session, agency).receiver != system.house.uscc:
                raise FieldError("receiver", store.leaving(session, agency).receiver, system.house.uscc)
            for name in _files(parcel):
                _keep(system.settings.home, name, parcel)
    draft = Signed(statement, (system.agency.signer.sign(statement),)).document()
    return Received(agency, dict(parcel.manifest.counts), draft)


def custody(system: System, agency: str) -> dict[str, Any]:
    """States H-08 under the receiver's key: every certificate of `agency` as it is; the act, for the other side."""
    at = system.clock()
    with jobs.transaction(system) as session:
        statement, parts = service.in_custody(session, agency, at)
        signed = Signed(statement, (system.agency.signer.sign(statement),))
        service.take_act(session, signed, parts, at=at)
    return document(signed, parts)


def finish(system: System) -> dict[str, Any]:
    """States H-09 under the leaving agency's key, its last signature; the act, for the other side."""
    with jobs.transaction(system) as session:
        statement = service.exited(session, system.house.uscc)
        signed = Signed(statement, (system.agency.signer.sign(statement),))
        service.take_act(session, signed, at=system.clock())
    return document(signed, ())


def sign(system: System, value: Any) -> dict[str, Any]:
    """Adds this installation's agency's signature to an act another side has signed, and takes it in."""
    signed, parts = of_document(value)
    own: Signature = system.agency.signer.sign(signed.statement)
    both = Signed(signed.statement, (*(s for s in signed.signatures if s.by != own.by), own))
    with jobs.transaction(system) as session:
        service.take_act(session, both, parts, at=system.clock())
    return document(both, parts)


def take(system: System, value: Any) -> Fact:
    """Takes in an act that all its signers have signed."""
    signed, parts = of_document(value)
    with jobs.transaction(system) as session:
        return service.take_act(session, signed, parts, at=system.clock()).fact


def document(signed: Signed, parts: tuple[bytes, ...]) -> dict[str, Any]:
    """An act as the file that goes to the other side."""
    more = {"parts": [part.decode() for part in parts]} if parts else {}
    return signed.document() | more


def of_document(value: Any) -> tuple[Signed, tuple[bytes, ...]]:
    """An act from such a file. Raises `FieldError`."""
    if not isinstance(value, dict):
        raise FieldError("act", "对象 / an object", repr(value)[:80])
    texts = value.get("parts", [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise FieldError("act.parts", "文本的列表 / a list of texts", repr(texts)[:80])
    rest = {name: item for name, item in value.items() if name != "parts"}
    return Signed.of_document(rest), tuple(text.encode() for text in texts)


def _counts(session: Session) -> dict[str, int]:
    codes = select(col(CertificateRow.code)).distinct().subquery()
    certificates = session.scalar(select(func.count()).select_from(codes))
    facts = session.scalar(select(func.count()).select_from(tables.fact))
    heads = session.scalar(select(func.count()).select_from(tables.head))
    return {"certificates": int(certificates or 0), "facts": int(facts or 0), "heads": int(heads or 0)}


def _chain(session: Session) -> dict[str, Any]:
    table = tables.chain_receipt
    rows = session.execute(select(table).order_by(table.c.contract, table.c.key))
    return {"receipts": [dict(row) for row in rows.mappings()]}


def _keys(system: System) -> dict[str, Any]:
    public = system.log_keys.public()
    return {
        "agency": system.agency.sm2.public,
        "log": {"ed25519": public.ed25519, "origin": public.origin, "sm2": public.sm2},
        "operator": system.operator.sm2.public,
        "witnesses": [{"name": item.name, "public": item.public} for item in system.witnesses],
    }


def _former_log(system: System, session: Session) -> FormerLog:
    public = system.log_keys.public()
    head = log.latest(session)
    return FormerLog(
        public.origin, public.ed25519, public.sm2, system.operator.sm2.public,
        tuple(WitnessKey(item.name, item.public) for item in system.witnesses),
        head.checkpoint.size if head else 0,
    )  # fmt: skip


def _files(parcel: Parcel) -> list[str]:
    return [name for folder in FOLDERS for name in parcel.under(folder)]


def _pieces(system: System, path: Path) -> Iterator[bytes]:
    """A file's bytes; those of a sealed paper are opened, because its key does not leave."""
    if path.is_relative_to(system.settings.home / ATTACHMENTS):
        yield from sealed.blocks(system.settings.home, path, path.name, path.name)
        return
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def _keep(home: Path, name: str, parcel: Parcel) -> None:
    """Writes one file of the parcel under the home folder, whole or not at all."""
    target = (home / name).resolve()
    if not target.is_relative_to(home.resolve()):
        raise Malformed(f"包内文件名不可接受：{name[:80]}。 / A file name leads elsewhere.")
    if target.is_relative_to((home / ATTACHMENTS).resolve()):
        sealed.write(home, target, b"".join(parcel.chunks(name)))
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file:
        for piece in parcel.chunks(name):
            file.write(piece)
    part.replace(target)
