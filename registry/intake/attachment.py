"""A paper handed in: which types its kind may have, how large and how many, and the record that is kept of it.

The record (registration.md 4.2) says kind, file name, media type, size, SHA-256, SM3, uploader and time. It is never
changed: a replacement is a new version beside it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger import canonical
from ledger.errors import FieldError
from registry.asset import Twin
from registry.errors import FileRefused
from registry.form import Attachment, Form, applicant_ids
from registry.intake import sniff
from registry.precheck import IDENTITY_PROOF, PROXY, Finding, Level

_SCANS = frozenset({sniff.PDF, sniff.PNG, sniff.JPEG})
_ANY = frozenset(sniff.ENDINGS.values())

TYPES_OF_KIND: Mapping[str, frozenset[str]] = {IDENTITY_PROOF: _SCANS, PROXY: _SCANS}
"""Media types by kind of paper; every other kind may be any type that is taken in at all (P)."""

GENERIC = frozenset({"", "application/octet-stream"})
"""Declared types that promise nothing."""
_ALIKE = {"application/vnd.ms-excel": sniff.CSV, "application/x-zip-compressed": sniff.ZIP, "image/jpg": sniff.JPEG}
"""What some systems call these types; a browser on Windows sends a CSV as an Excel file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of papers (P): bytes a file, files an application, bytes an application."""

    file: int = 50 * 1024 * 1024
    files: int = 200
    application: int = 500 * 1024 * 1024


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Paper:
    """The record of one paper. `holder` is "party:USCC"; `draft` the draft or application it was handed in for, ""
    when it may serve many; `uploader` who sent it; `at` seconds UTC."""

    id: str
    holder: str
    draft: str
    kind: str
    name: str
    version: int
    media_type: str
    size: int
    sha256: str
    sm3: str
    uploader: str
    at: int

    def attachment(self) -> Attachment:
        """The same paper as a form names it."""
        return Attachment(self.kind, self.name, self.media_type, self.size, Twin(self.sha256, self.sm3))


def checked_name(name: str, field: str) -> str:
    """A kind or file name in NFC, fit for a form and a message. Raises `FieldError`."""
    text = unicodedata.normalize("NFC", name.strip())
    bad = next((mark for mark in "/\\|" if mark in text), "")
    if not 1 <= len(text) <= 200 or bad or text in (".", ".."):
        raise FieldError(field, "1 至 200 个字，不含 / \\ | / 1 to 200 characters without / \\ |", repr(name)[:80])
    try:
        canonical.encode(text)
    except FieldError as error:
        raise FieldError(field, error.expected, error.given) from error
    return text


def require_ending(name: str) -> None:
    """Raises `FileRefused` at once for a name whose ending is not taken in, before its bytes are read."""
    if sniff.ending_of(name) not in sniff.ENDINGS:
        allowed = "、".join(sniff.ENDINGS)
        raise FileRefused(name, f"扩展名应为 {allowed} 之一", f"its ending must be one of {', '.join(sniff.ENDINGS)}")


def require_agreement(kind: str, name: str, declared: str, found: str) -> None:
    """What was declared, what the ending promises and what the bytes are must be one type, allowed for this kind."""
    promised = sniff.ENDINGS[sniff.ending_of(name)]
    given = declared.partition(";")[0].strip().lower()
    if found != promised:
        raise FileRefused(
            name, f"扩展名为 {sniff.ending_of(name)}，内容却是 {found}", f"named as {promised}, but it is {found}"
        )
    if given not in GENERIC and found not in (given, _ALIKE.get(given)):
        raise FileRefused(
            name, f"声明的类型为 {given[:80]}，内容却是 {found}", f"declared as {given[:80]}, but it is {found}"
        )
    allowed = TYPES_OF_KIND.get(kind, _ANY)
    if found not in allowed:
        raise FileRefused(
            name, f"“{kind}”应为 {'、'.join(sorted(allowed))}", f"{kind} must be {', '.join(sorted(allowed))}"
        )


def require_room(size: int, name: str, others: list[int], limits: Limits = LIMITS) -> None:
    """Raises `FileRefused` when this file, or the application with it, is over the limits."""
    if size > limits.file:
        raise FileRefused(name, f"超过每个文件 {limits.file} 字节的上限", f"more than {limits.file} bytes")
    if len(others) + 1 > limits.files:
        raise FileRefused(name, f"每件申请最多 {limits.files} 个文件", f"at most {limits.files} files an application")
    if sum(others) + size > limits.application:
        raise FileRefused(
            name,
            f"每件申请的材料合计不超过 {limits.application} 字节",
            f"more than {limits.application} bytes in one application",
        )


def holders_of(form: Form) -> frozenset[str]:
    """Whose uploaded papers this form may name: those of its applicants and of its representative."""
    ids = applicant_ids(form) | ({form.representative.id_no} if form.representative else set())
    return frozenset(f"party:{item}" for item in ids)


def not_received(form: Form, papers: Iterable[Paper]) -> tuple[Finding, ...]:
    """PC-22 for every paper the form names that was not handed in here with this size and these digests."""
    received = {(paper.size, paper.sha256, paper.sm3) for paper in papers}
    return tuple(
        Finding(
            "PC-22", Level.STOP, f"attachments[{place}]",
            f"材料{item.name}无法读取或摘要不一致，请重新上传。",
            f"The paper {item.name} cannot be read or has another digest; upload it again.",
        )
        for place, item in enumerate(form.attachments)
        if (item.size, item.digest.sha256, item.digest.sm3) not in received
    )  # fmt: skip
