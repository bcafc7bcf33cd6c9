"""Where the data comes from: a data API over HTTP, the provider's connector, or a folder of files.

An answer is held whole until its use is on record (D11): in memory while it is small, else in a nameless file beside
the state, which is gone when it was handed over or this process ends. Only a stream of events, which has no end, is
handed on as it comes (`api.connector.stream`).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import quote, unquote

import aiohttp
from yarl import URL

from api.connector.stream import STREAM

FOLDER = "folder:"
"""What an `upstream` begins with that is a folder of files and no address."""
FILES = "/files/"
MEMORY = 4 * 1024 * 1024
"""Bytes of an answer that are held in memory; what is longer is held on disk."""
CHUNK = 256 * 1024


@dataclass(slots=True)
class Body:
    """The content of an answer: bytes, or a file at its beginning; `size` in bytes."""

    content: bytes | IO[bytes]
    size: int

    async def chunks(self) -> AsyncIterator[bytes]:
        """Everything, once; a file is closed then, also when the reader goes away. What was added to a file meanwhile
        is not part of it."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        left = self.size
        try:
            while left and (data := await asyncio.to_thread(self.content.read, min(CHUNK, left))):
                left -= len(data)
                yield data
        finally:
            self.content.close()


@dataclass(frozen=True, slots=True)
class Live:
    """The content of an answer that has no end; `size` is that of nothing yet."""

    answer: aiohttp.ClientResponse
    size: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """What comes, until the source ends it, breaks, or is silent for longer than its patience."""
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async for data in self.answer.content.iter_any():
                yield data

    def close(self) -> None:
        self.answer.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the source answered, its body whole unless it is a stream; `headers` as they came."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: Body | Live


class Source(Protocol):
    """Whatever a connector stands before."""

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """The answer to a call of this target (path and query, as they came); None when there is none."""

    async def close(self) -> None: ...


class HttpSource:
    """A data API, or another connector. `patience` is how many seconds it may be silent."""

    def __init__(self, address: str, patience: int, spool: Path) -> None:
        self._address, self._patience, self._spool = address.rstrip("/"), patience, spool
        self._client: aiohttp.ClientSession | None = None

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        url = URL(self._address + target, encoded=True)
        try:
            answer = await self._session().request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            )
            if answer.content_type == STREAM and answer.status == 200:
                return Answer(answer.status, answer.raw_headers, Live(answer))
            async with answer:
                return Answer(answer.status, answer.raw_headers, await self._collected(answer))
        except (aiohttp.ClientError, TimeoutError, OSError):  # OSError: no room for a long answer
            return None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _collected(self, answer: aiohttp.ClientResponse) -> Body:
        if answer.content_length is not None and answer.content_length <= MEMORY:
            content = await answer.read()
            return Body(content, len(content))
        held, size = bytearray(), 0
        file: IO[bytes] | None = None
        try:
            async for data in answer.content.iter_chunked(CHUNK):
                size += len(data)
                held += data
                if len(held) > MEMORY or (file is not None and len(held) >= CHUNK):
                    file = file or self._nameless()
                    await asyncio.to_thread(file.write, bytes(held))
                    held.clear()
            if file is None:
                return Body(bytes(held), size)
            await asyncio.to_thread(file.write, bytes(held))
            await asyncio.to_thread(file.seek, 0)
        except BaseException:
            if file is not None:
                file.close()
            raise
        return Body(file, size)

    def _nameless(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._spool)

    def _session(self) -> aiohttp.ClientSession:
        """The one client, made inside the loop; what it would add or change by itself is switched off."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._patience, sock_read=self._patience),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("user-agent", "accept", "content-type"),
                trust_env=False,
            )
        return self._client


class FolderSource:
    """Files below a folder, by their names: a data set, a report. Hidden ones and links are not there for anybody."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._known: dict[tuple[str, int, int, int], tuple[str, str]] = {}

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        path, _, _ = target.partition("?")
        name = unquote(path.removeprefix(FILES), errors="replace")
        if method != "GET" or not path.startswith(FILES) or not self._is_served(name):
            return Answer(404, (), Body(b"", 0))
        try:
            return await asyncio.to_thread(self._opened, name)
        except OSError:
            return None

    async def close(self) -> None: ...

    async def catalogue(self) -> list[dict[str, Any]]:
        """Every file: its name, size in bytes, twin digest, and when it was changed last (seconds UTC)."""
        return await asyncio.to_thread(self._listed)

    def _listed(self) -> list[dict[str, Any]]:
        found = []
        for path in sorted(self._root.rglob("*")):
            name = path.relative_to(self._root).as_posix()
            if self._is_served(name):
                with path.open("rb") as file:
                    about, (sha256, sm3) = os.fstat(file.fileno()), self._digests(name, file)
                found.append(
                    {"name": name, "bytes": about.st_size, "sha256": sha256, "sm3": sm3, "changed": int(about.st_mtime)}
                )
        return found

    def _opened(self, name: str) -> Answer:
        file = (self._root / name).open("rb")
        try:
            sha256, sm3 = self._digests(name, file)
            size = os.fstat(file.fileno()).st_size
        except BaseException:
            file.close()
            raise
        digests = ", ".join(
            f"{kind}=:{base64.b64encode(bytes.fromhex(value)).decode()}:"
            for kind, value in (("sha-256", sha256), ("sm3", sm3))
        )
        headers = {
            "content-type": mimetypes.guess_type(name)[0] or "application/octet-stream",
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2], safe='')}",
            "repr-digest": digests,  # RFC 9530
        }
        return Answer(200, tuple((n.encode(), value.encode()) for n, value in headers.items()), Body(file, size))

    def _digests(self, name: str, file: IO[bytes]) -> tuple[str, str]:
        """SHA-256 and SM3 of the file, worked out once for every state of it; the file is at its beginning again."""
        about = os.fstat(file.fileno())
        state = (name, about.st_ino, about.st_size, about.st_mtime_ns)
        if state not in self._known:
            both = hashlib.sha256(), hashlib.new("sm3")
            while data := file.read(CHUNK):
                for one in both:
                    one.update(data)
            file.seek(0)
            self._known[state] = (both[0].hexdigest(), both[1].hexdigest())
        return self._known[state]

    def _is_served(self, name: str) -> bool:
        parts: Sequence[str] = name.split("/")
        if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return False
        path = self._root.joinpath(*parts)
        return path.is_file() and path.resolve() == path


def source_of(upstream: str, patience: int, spool: Path) -> Source:
    """The source that an `upstream` names."""
    if upstream.startswith(FOLDER):
        return FolderSource(Path(upstream.removeprefix(FOLDER)))
    return HttpSource(upstream, patience, spool)
