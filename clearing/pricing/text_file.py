"""How a CSV file is written, found from its bytes; and a file in another encoding recoded to UTF-8, block by block.

An encoding is accepted only if the whole file decodes strictly: UTF-8 first, else GB 18030. A file of neither is
refused, never repaired. Some files in yet other encodings happen to be valid GB 18030, so what was found is written
into the declaration, where a person sees it.
"""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from clearing.pricing.errors import PricingRefused
from clearing.pricing.manifest import Dialect, Encoding

BLOCK = 1 << 20
"""Bytes read at a time."""
DELIMITERS = (",", ";", "\t", "|")
_HEAD = 1 << 18
_RECORDS = 200
_BOM = codecs.BOM_UTF8


def detect(file: BinaryIO) -> Dialect:
    """Encoding and delimiter of the CSV bytes in `file` (seekable, read from its start to its end, in blocks).

    The delimiter is the one of , ; tab | that splits every record of the first 256 KiB into the same number (most) of
    fields, and where none does so, the one that is most frequent in the header; a file of one column has ",".
    Raises `PricingRefused` INPUT_FORM: `data.encoding` for bytes that are neither UTF-8 nor GB 18030, or hold NUL;
    `data.header` for an empty file.
    """
    encoding = _encoding(file)
    file.seek(0)
    head = codecs.getincrementaldecoder(python_encoding(encoding))("strict").decode(file.read(_HEAD))
    if not head.strip():
        raise PricingRefused("INPUT_FORM", "data.header", "一行列名 / one row of names", "空文件 / an empty file")
    whole = len(head.encode("utf-8")) < _HEAD // 2
    return Dialect(encoding, _delimiter(head, whole))


def python_encoding(encoding: Encoding) -> str:
    """The decoder's name: a byte order mark is dropped whether it was declared or not."""
    return "utf-8-sig" if encoding == "utf-8" else encoding


def header(path: Path, dialect: Dialect) -> list[str]:
    """The first record of the file. Raises `UnicodeDecodeError` or `csv.Error` for one that cannot be read."""
    with path.open(encoding=python_encoding(dialect.encoding), newline="") as file:
        return next(csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote), [])


def recode(source: BinaryIO, target: TextIO, encoding: Encoding) -> None:
    """Copies `source` into `target` decoded, a block at a time. Raises `data.encoding` at the first wrong byte."""
    decoder = codecs.getincrementaldecoder(python_encoding(encoding))("strict")
    try:
        while block := source.read(BLOCK):
            target.write(decoder.decode(block))
        target.write(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        raise PricingRefused("INPUT_FORM", "data.encoding", encoding, f"{error.reason}: {_shown(error)}") from error


def _shown(error: UnicodeDecodeError) -> str:
    return error.object[error.start : error.start + 4].hex(" ")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK):
        yield block


def _encoding(file: BinaryIO) -> Encoding:
    encodings: tuple[Encoding, ...] = ("utf-8", "gb18030")
    for encoding in encodings:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            for block in _blocks(file):
                if b"\0" in block:
                    raise PricingRefused(
                        "INPUT_FORM", "data.encoding", "utf-8 | gb18030", "含 NUL 字节：UTF-16 或二进制 / NUL bytes"
                    )
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        file.seek(0)
        return "utf-8-sig" if encoding == "utf-8" and file.read(len(_BOM)) == _BOM else encoding
    raise PricingRefused("INPUT_FORM", "data.encoding", "utf-8 | gb18030", "两者皆非 / neither decodes the whole file")


def _delimiter(head: str, whole: bool) -> str:
    lines = head.splitlines(keepends=True)
    if not whole and len(lines) > 1:
        lines = lines[:-1]  # the last line may have been cut
    best, most = "", 1
    for delimiter in DELIMITERS:
        widths = _widths(lines, delimiter)
        if len(widths) == 1 and (width := next(iter(widths))) > most:
            best, most = delimiter, width
    if best:
        return best
    frequent = max(DELIMITERS, key=lines[0].count)
    return frequent if lines[0].count(frequent) else ","


def _widths(lines: list[str], delimiter: str) -> Counter[int]:
    found: Counter[int] = Counter()
    try:
        for number, record in enumerate(csv.reader(lines, delimiter=delimiter)):
            if number == _RECORDS:
                break
            if record:
                found[len(record)] += 1
    except csv.Error:
        found.clear()
    return found
