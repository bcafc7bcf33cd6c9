"""Which of the four formats a file is by its first bytes, whatever it is called or declared to be."""

from __future__ import annotations

from pathlib import Path

from clearing.pricing.errors import PricingRefused
from clearing.pricing.manifest import Format
from clearing.pricing.source_table import SQLITE_MAGIC

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "xlsx"),
    (b"PK\x05\x06", "xlsx"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xlsx"),  # encrypted or old: `workbook` says so
    (SQLITE_MAGIC, "table"),
)
_STRANGE = {b"\x1f\x8b": "gzip", b"%PDF": "PDF", b"BZh": "bzip2", b"7z\xbc\xaf": "7-Zip", b"\x28\xb5\x2f\xfd": "zstd",
            b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}  # fmt: skip
_SUFFIX: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx",
    ".db": "table", ".sqlite": "table", ".sqlite3": "table",
}  # fmt: skip


def format_of(path: Path) -> Format:
    """The format of the file's content; what has no known first bytes is CSV.

    Raises `PricingRefused` INPUT_FORM: `data.path` for a file that is empty, cannot be read or is of a known other
    kind (compressed, PDF, UTF-16).
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise PricingRefused(
            "INPUT_FORM", "data.path", "可读的文件 / a readable file", error.strerror or "?"
        ) from error
    if not head:
        raise PricingRefused("INPUT_FORM", "data.path", "有内容的文件 / a file with content", "空文件 / an empty file")
    for magic, kind in _STRANGE.items():
        if head.startswith(magic):
            raise PricingRefused("INPUT_FORM", "data.path", "csv | parquet | xlsx | SQLite", kind)
    return next((format_ for magic, format_ in _MAGIC if head.startswith(magic)), "csv")


def check_format(path: Path, declared: Format) -> None:
    """The content is of the declared format, or INPUT_FORM `data.format`."""
    found = format_of(path)
    if found != declared:
        raise PricingRefused("INPUT_FORM", "data.format", found, f"{declared}：文件内容不是 / the content is not")


def check_name(path: Path, found: Format) -> None:
    """A file whose suffix names a format is of it, or INPUT_FORM `data.path`; other suffixes say nothing."""
    named = _SUFFIX.get(path.suffix.lower(), found)
    if named != found:
        raise PricingRefused(
            "INPUT_FORM",
            "data.path",
            f"{path.suffix} 的内容为 {named} / content of that name",
            f"{found} 内容 / content",
        )
