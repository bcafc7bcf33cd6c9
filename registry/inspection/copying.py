"""The mark that every copy carries: whose it is, for which purpose, and that it serves no other (guide art. 30)."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

from ledger import canonical
from ledger.reading import body_of
from registry.calendar import text_of
from registry.inspection.access import Inspected

_EARLIEST = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Copy:
    """A paper ready to be handed out: a zip of the paper, unchanged, and its mark; named by the mark."""

    name: str
    data: bytes
    said: Inspected


def mark_of(inspection: str, no: int) -> str:
    """The mark of the paper handed out as act `no` of a request: it leads back to its fact."""
    return f"G30-{inspection}-{no}"


def mark_text(said: Inspected) -> str:
    """What the mark says in words, Chinese first."""
    return (
        f"复制件标识 {said.mark}\n查询人 {said.reader}（{said.basis.value}）\n目的 {said.purpose}\n"
        f"资料 {said.matter} {said.paper}\n时间 {text_of(said.at)}\n"
        f"SHA-256 {said.digest.sha256}\nSM3 {said.digest.sm3}\n"
        "不得将获得的登记资料用于其他目的；未经权利人同意，不得泄露（第三十条）。\n"
        "This copy serves the stated purpose only and may not be disclosed without the holder's consent (art. 30).\n"
    )


def copy_of(said: Inspected, file_name: str, data: bytes) -> Copy:
    """The same zip from the same paper and mark."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in (
            ("复制件标识.txt", mark_text(said).encode()),
            ("mark.json", canonical.encode(body_of(said))),
            (file_name, data),
        ):
            package.writestr(zipfile.ZipInfo(name, _EARLIEST), content)
    return Copy(f"{said.mark}.zip", packed.getvalue(), said)
