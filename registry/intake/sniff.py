"""What a file really is, by its own bytes; what is encrypted, carries macros or unpacks without end is refused.

Only what can be told for certain is told: a text is UTF-8 or GB18030 without control characters, a JSON is parsed, an
Office file is a zip with the parts that make it one. Nothing is unpacked onto a disk. An archive inside an archive is
not looked into.
"""

from __future__ import annotations

import codecs
import io
import zipfile
import zlib
from typing import BinaryIO

import msgspec

from registry.errors import FileRefused

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV, TEXT, JSON, ZIP = "text/csv", "text/plain", "application/json", "application/zip"

ENDINGS = {
    "pdf": PDF, "png": PNG, "jpg": JPEG, "jpeg": JPEG, "docx": DOCX, "xlsx": XLSX, "csv": CSV, "txt": TEXT,
    "json": JSON, "zip": ZIP,
}  # fmt: skip
"""The endings of a file name that are taken in, and the media type each promises."""

MAX_RATIO = 100
"""An archive may unpack to so many times its size …"""
FREE_BYTES = 10 * 1024 * 1024
"""… and always to so many bytes."""
MAX_UNPACKED = 2 * 1024 * 1024 * 1024
MAX_MEMBERS = 10_000
BLOCK = 1 << 20

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_TEXTUAL = frozenset({CSV, TEXT, JSON})
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f")


def ending_of(name: str) -> str:
    """The ending of a file name, lower case, without the dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def sniff(file: BinaryIO, size: int, name: str) -> str:
    """The media type of a file of `size` bytes that can be sought in. Raises `FileRefused`.

    The ending decides only between kinds of text, which bytes cannot tell apart.
    """
    if not size:
        raise FileRefused(name, "文件是空的", "the file is empty")
    head = _head(file)
    if head.startswith(_OLE):
        raise FileRefused(
            name,
            "是加密的或旧版的 Office 文件（doc、xls），请另存为 docx、xlsx 或 PDF",
            "an encrypted or legacy Office file",
        )
    if head.startswith(b"%PDF-"):
        return PDF
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"PK"):
        return _archive(file, size, name)
    promised = ENDINGS.get(ending_of(name), "")
    if promised not in _TEXTUAL:
        raise FileRefused(name, "内容不是可以接收的类型", "its content is of no type that is taken in")
    if not is_text(file):
        raise FileRefused(name, "不是 UTF-8 或 GB18030 文本", "it is not UTF-8 or GB18030 text")
    if promised == JSON:
        _require_json(file, name)
    return promised


def is_text(file: BinaryIO) -> bool:
    """Is this UTF-8 or GB18030 text without control characters?"""
    return any(_decodes(file, encoding) for encoding in ("utf-8-sig", "gb18030"))


def members(file: BinaryIO, size: int, name: str) -> list[zipfile.ZipInfo]:
    """The directory of a zip whose members were all unpacked, counted and found right. Raises `FileRefused`."""
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
            if len(found) > MAX_MEMBERS or len({item.filename for item in found}) != len(found):
                raise FileRefused(name, "压缩包内文件过多或重名", "too many members, or two of one name")
            if any(item.flag_bits & 1 for item in found):
                raise FileRefused(name, "压缩包已加密，无法核对内容", "the archive is encrypted")
            allowed = min(MAX_UNPACKED, max(FREE_BYTES, MAX_RATIO * size))
            _require_within(sum(item.file_size for item in found), allowed, name)
            left = allowed
            for item in found:
                left -= _unpacked(file, item, left, name)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError, KeyError) as error:
        raise FileRefused(name, "压缩包已损坏，无法读取", "the archive is damaged") from error


def require_no_macros(found: list[zipfile.ZipInfo], name: str) -> None:
    """Raises `FileRefused` if an Office file carries macros, whatever its name says."""
    for item in found:
        last = item.filename.lower().rpartition("/")[2]
        if last.startswith(("vbaproject", "vbadata")) or "macrosheets/" in item.filename.lower():
            raise FileRefused(name, "含有宏，请另存为不含宏的文件", "it carries macros")


def _unpacked(file: BinaryIO, item: zipfile.ZipInfo, left: int, name: str) -> int:
    """How many bytes a member really unpacks to; the size it names is not believed, nor is unpacking stopped there."""
    if item.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileRefused(name, "压缩包使用了不支持的压缩方式", "an unsupported way of compressing")
    file.seek(item.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("no local header")
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
    if item.compress_type == zipfile.ZIP_STORED:
        if item.file_size != item.compress_size:
            raise zipfile.BadZipFile("two sizes")
        return item.file_size
    inflate, taken, given = zlib.decompressobj(-15), item.compress_size, 0
    while taken > 0 and not inflate.eof:
        data = file.read(min(BLOCK, taken))
        if not data:
            raise EOFError
        taken -= len(data)
        while data and not inflate.eof:
            given += len(inflate.decompress(data, BLOCK))
            _require_within(given, left, name)
            data = inflate.unconsumed_tail
    if not inflate.eof or given != item.file_size:
        raise zipfile.BadZipFile("another size than named")
    return given


def _require_within(count: int, allowed: int, name: str) -> None:
    if count > allowed:
        raise FileRefused(name, f"压缩包展开后过大（超过 {allowed} 字节）", f"it unpacks to more than {allowed} bytes")


def _archive(file: BinaryIO, size: int, name: str) -> str:
    found = members(file, size, name)
    names = {item.filename for item in found}
    if "[Content_Types].xml" not in names:
        return ZIP
    require_no_macros(found, name)
    if "word/document.xml" in names:
        return DOCX
    if "xl/workbook.xml" in names:
        return XLSX
    raise FileRefused(name, "不是 docx 或 xlsx 文件", "an Office file of no type that is taken in")


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(16)


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            if not _CONTROLS.isdisjoint(decoder.decode(block)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _require_json(file: BinaryIO, name: str) -> None:
    file.seek(0)
    data = file.read()
    try:
        msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8), type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileRefused(name, "不是有效的 JSON", "it is not valid JSON") from error
