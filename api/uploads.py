"""A file on its way in: streamed from the request into its sealed place, never whole in memory or plain on a disk.

Two ways of sending are read: a form (multipart/form-data, RFC 7578, as browsers send it) with the file in the field
"file" and short texts beside it, or the bare bytes as the body with the same texts in the query.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import parse_options_header

from api.auth import CallerDep, SenderDep
from api.bodies import TooLarge
from api.bootstrap import System
from api.deps import SystemDep
from api.sealed import Incoming
from api.sessions import HolderDep, require_own_page
from ledger.errors import FieldError
from registry.intake.attachment import LIMITS

FORM = "multipart/form-data"
MAX_TEXT = 4_000
"""Bytes of one short text of a form."""
MAX_TEXTS = 10
MAX_DATA = 256 << 20
"""Bytes of a data file that is counted for a price; `shuqing price` counts larger ones where they lie."""
PASSING = ".passing"
"""Folder of the home folder where a data file lies while it is counted."""
_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".xlsx", ".json")


class DataTooLarge(TooLarge):
    """The data file is larger than the page counts."""

    def __init__(self, limit: int) -> None:
        Exception.__init__(
            self,
            f"数据文件超过 {limit >> 20} MiB：请在自己的机器上用 shuqing price case 与 report 计数，再交入证据 JSON。"
            f" / More than {limit >> 20} MiB: count it yourself with shuqing price, and hand in the evidence.",
        )


class Taking(Protocol):
    """What a form's file is written to."""

    name: str
    declared: str
    named: bool

    def write(self, data: bytes) -> object: ...


class Passing:
    """A file that is looked at and never kept: plain in a folder of this process's user alone, and gone when the
    request ends, in whatever way it ends; what a killed server left, the next one's start sweeps away.
    `texts` are the other fields of the form."""

    def __init__(self, home: Path) -> None:
        self.name, self.declared, self.named = "", "", False
        self.texts: dict[str, str] = {}
        self._place = home / PASSING

    def __enter__(self) -> Passing:
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _held(self._place):  # no sweep between making the folder and holding it
            self._folder = Path(tempfile.mkdtemp(dir=self._place))
            self._hold = os.open(self._folder, os.O_RDONLY)
            fcntl.flock(self._hold, fcntl.LOCK_EX)
        self._first = self._folder / "incoming"
        self._file = self._first.open("xb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        shutil.rmtree(self._folder)
        os.close(self._hold)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def finish(self) -> Path:
        """All bytes have come; the file, under a plain name with the ending it came with."""
        self._file.close()
        ending = Path(self.name).suffix.lower()
        return self._first.rename(self._first.with_name(f"data{ending if ending in _ENDINGS else ''}"))


def sweep(home: Path) -> None:
    """Deletes the data files that killed servers left; those of a server still alive are held, and stay."""
    place = home / PASSING
    if not place.is_dir():
        return
    with _held(place):
        for folder in place.iterdir():
            hold = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            except BlockingIOError:
                continue
            finally:
                os.close(hold)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Alone with this folder among all processes; the hold of a process that dies is gone with it."""
    hold = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(hold, fcntl.LOCK_EX)
        yield
    finally:
        os.close(hold)


class Form:
    """Reads a form as it arrives: the field "file" goes into `incoming`, the others are kept as texts."""

    def __init__(self, boundary: bytes, incoming: Taking) -> None:
        self.incoming, self.texts, self.ended = incoming, dict[str, bytes](), False
        self._name, self._headers, self._header, self._value = "", dict[bytes, bytes](), b"", b""
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._named,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._name, self._headers, self._header, self._value = "", {}, b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _named(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name in self.texts or (self._name == "file" and self.incoming.named):
            raise FieldError(f"form.{self._name}"[:80], "出现一次 / once", "重复出现 / twice")
        if self._name == "file":
            name = options.get(b"filename", b"").decode("utf-8", "replace")
            self.incoming.name = name.replace("\\", "/").rpartition("/")[2]
            self.incoming.declared = self._headers.get(b"content-type", b"").decode("latin-1")
            self.incoming.named = True
        elif len(self.texts) >= MAX_TEXTS:
            raise FieldError("form", f"至多 {MAX_TEXTS} 项 / at most {MAX_TEXTS} texts", "更多 / more")
        else:
            self.texts[self._name] = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self.incoming.write(data[start:end])
        else:
            self.texts[self._name] += data[start:end]
            if len(self.texts[self._name]) > MAX_TEXT:
                raise FieldError(f"form.{self._name}"[:80], f"至多 {MAX_TEXT} 字节 / bytes", "更长 / longer")

    def _end(self) -> None:
        self.ended = True


@asynccontextmanager
async def _reading(request: Request, system: System) -> AsyncIterator[Incoming]:
    """The file of this request; thrown away again unless the route puts it into its place."""
    with Incoming(system.settings.home, LIMITS.file) as incoming:
        incoming.texts = dict(request.query_params)
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind == FORM.encode():
            incoming.texts |= await _form(request, options.get(b"boundary", b""), incoming, LIMITS.file)
        else:
            incoming.name = incoming.texts.get("name", "")
            incoming.declared = request.headers.get("content-type", "")
            await _pour(request, incoming.write, LIMITS.file)
        incoming.finish()
        yield incoming


async def _received(request: Request, _caller: CallerDep, system: SystemDep) -> AsyncIterator[Incoming]:
    async with _reading(request, system) as incoming:
        yield incoming


async def _posted(request: Request, caller: SenderDep, system: SystemDep) -> AsyncIterator[Incoming]:
    """As `_received`, from a form of our own page that runs no script: the session's token is the field "csrf"."""
    async with _reading(request, system) as incoming:
        token = incoming.texts.pop("csrf", "")
        if caller.by_session:
            require_own_page(request, token)
        yield incoming


async def _passing(request: Request, _holder: HolderDep, system: SystemDep) -> AsyncIterator[Passing]:
    """The file of a form of our own page, from who is logged in."""
    with Passing(system.settings.home) as passing:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        try:
            boundary = options.get(b"boundary", b"") if kind == FORM.encode() else b""
            passing.texts = await _form(request, boundary, passing, MAX_DATA)
        except TooLarge as error:
            raise DataTooLarge(MAX_DATA) from error
        require_own_page(request, passing.texts.pop("csrf", ""))
        yield passing


# What was not kept is thrown away before the answer is sent.
ReceivedDep = Annotated[Incoming, Depends(_received, scope="function")]
PostedDep = Annotated[Incoming, Depends(_posted, scope="function")]
PassingDep = Annotated[Passing, Depends(_passing, scope="function")]


async def _form(request: Request, boundary: bytes, incoming: Taking, limit: int) -> dict[str, str]:
    """Reads the form: its file into `incoming`, its other fields as texts."""
    if not boundary:
        raise FieldError("Content-Type", f"{FORM}; boundary=…", "没有 boundary / no boundary")
    try:
        form = Form(boundary, incoming)
        await _pour(request, form.parser.write, limit + (1 << 20))
        form.parser.finalize()
    except (FormParserError, MultipartParseError) as error:
        raise FieldError("form", "完整的表单 / a complete form", str(error)[:80]) from error
    if not form.ended or not incoming.named:
        raise FieldError("form.file", "一个文件 / a file", "没有 / none")
    return {name: text.decode("utf-8", "replace") for name, text in form.texts.items()}


async def _pour(request: Request, write: Callable[[bytes], object], limit: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise TooLarge(limit)
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > limit:
            raise TooLarge(limit)
        if chunk:
            await run_in_threadpool(write, chunk)
