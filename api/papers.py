"""The certificate papers as files: made once when issued, kept in the home folder, checked against their digest.

The sealed PDF cannot be made a second time (its signature and time stamp are of one moment), so it is on disk before
the fact that states its digest is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlmodel import Session

from api.apikey import Forbidden
from api.bootstrap import System
from ledger.digest import twin
from ledger.errors import BrokenLog, FieldError
from registry import answering, store
from registry.catalogue import Integrity
from registry.issuing import Papers

MEDIA = {"pdf": "application/pdf", "json": "application/json", "vc": "application/vc"}
ENDINGS = {"pdf": "pdf", "json": "json", "vc": "vc.json"}


def path_of(system: System, code: str, version: int, form: str) -> Path:
    """Where a paper is kept."""
    return system.settings.home / "papers" / f"{code}-v{version}.{ENDINGS[form]}"


def keep(system: System, papers: Papers, version: int) -> None:
    """Writes the papers, each whole or not at all, and durable when this returns."""
    folder = system.settings.home / "papers"
    folder.mkdir(parents=True, exist_ok=True)
    for form, data in (("pdf", papers.pdf), ("json", papers.json), ("vc", papers.credential)):
        target = path_of(system, papers.code, version, form)
        part = target.with_suffix(target.suffix + ".part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def paper(system: System, session: Session, code: str, form: str, token: str, now: int) -> tuple[bytes, str]:
    """A paper's bytes and media type, for whoever holds the token of its QR code."""
    if form not in MEDIA:
        raise FieldError("form", " | ".join(MEDIA), form)
    row = store.certificate(session, code)
    if not answering.check(session, code, now, token=token).token_matches:
        raise Forbidden("请使用凭证二维码中的令牌。 / Use the token from the certificate's QR code.")
    data = path_of(system, code, row.version, form).read_bytes()
    found = answering.check(session, code, now, file=twin(data))
    if found.integrity is not Integrity.INTACT:
        raise BrokenLog(f"凭证文件 {code} 与已核发的摘要不符。 / The paper of {code} differs from what was issued.")
    return data, MEDIA[form]
