"""A parcel: a zip that says what is in it. `manifest.json` lists every file with size and both digests.

The same files in the same order give the same bytes (fixed times, stored names), so a parcel made again is the same
parcel. Files are streamed through, never held whole. A reader believes nothing until `check` has read every file: none
missing, none more, each with the digests the manifest says, the manifest with those of whoever signed it.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Annotated, Any

from msgspec import Meta

from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError, Malformed
from ledger.reading import body_of, read
from registry.asset import Count, Short, Twin

MANIFEST = "manifest.json"
CHUNK = 1 << 20
LONGEST = 64 << 20
"""Bytes of a file that is read at once, as `Parcel.read` does."""
MOST_FILES = 200_000

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/@-]{0,180}\Z")]


@dataclass(frozen=True, slots=True)
class Packed:
    """A file in a parcel."""

    name: Name
    size: Count
    digest: Twin


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a parcel holds: its format, who made it ("party:…"), when (seconds UTC), counts by name, and every file."""

    format: Short
    by: Short
    at: Count
    counts: Mapping[str, Count]
    files: tuple[Packed, ...]
    about: Mapping[str, str]

    def bytes(self) -> bytes:
        """The canonical document that stands in the parcel and that is signed for."""
        return canonical.encode(body_of(self))

    def digest(self) -> TwinDigest:
        return twin(self.bytes())


class Packer:
    """Writes a parcel into a file object; as a context, what was begun and not finished is closed as it is."""

    def __init__(self, target: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._files: list[Packed] = []

    def __enter__(self) -> Packer:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, name: str, chunks: Iterable[bytes], *, listed: bool = True) -> Packed:
        """Streams one file in. A file that is not `listed` stands beside the manifest: a signature over it."""
        size, first, second = 0, hashlib.sha256(), hashlib.new("sm3")
        with self._zip.open(_entry(name), "w", force_zip64=True) as out:
            for chunk in chunks:
                size += len(chunk)
                first.update(chunk)
                second.update(chunk)
                out.write(chunk)
        packed = Packed(name, size, Twin(first.hexdigest(), second.hexdigest()))
        if listed:
            self._files.append(packed)
        return packed

    def manifest(
        self, format: str, by: str, at: int, counts: Mapping[str, int], about: Mapping[str, str] | None = None
    ) -> Manifest:
        """What has been added so far, as the manifest that `finish` writes."""
        return Manifest(format, by, at, dict(counts), tuple(self._files), dict(about or {}))

    def finish(self, manifest: Manifest) -> None:
        self.add(MANIFEST, [manifest.bytes()], listed=False)
        self._zip.close()


class Parcel:
    """A parcel that somebody handed in. Raises `Malformed` for what is none."""

    def __init__(self, source: IO[bytes], format: str) -> None:
        try:
            self._zip = zipfile.ZipFile(source)
            names = self._zip.namelist()
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise Malformed(f"不是可读的包：{error}。 / Not a readable parcel.") from error
        if len(set(names)) != len(names) or len(names) > MOST_FILES:
            raise Malformed("包内文件重名或过多。 / Names repeat in the parcel, or there are too many.")
        self.names = frozenset(names)
        value = canonical.decode(self._whole(MANIFEST, LONGEST))
        self.manifest = read(Manifest, value, "manifest")
        if self.manifest.format != format:
            raise FieldError("manifest.format", format, repr(self.manifest.format)[:80])

    def check(self, *beside: str) -> None:
        """Reads every file: each is as listed, and only these stand `beside` the manifest. Raises `Malformed`."""
        listed = {item.name for item in self.manifest.files}
        extra = sorted(self.names - listed - {MANIFEST, *beside})
        missing = sorted((listed | set(beside)) - self.names)
        if extra or missing or len(listed) != len(self.manifest.files):
            raise Malformed(
                f"包内文件与清单不符：多出 {extra[:3]}，缺少 {missing[:3]}。 / The files are not those of the manifest."
            )
        for item in self.manifest.files:
            size, first, second = 0, hashlib.sha256(), hashlib.new("sm3")
            for chunk in self.chunks(item.name):
                size += len(chunk)
                if size > item.size:
                    break
                first.update(chunk)
                second.update(chunk)
            if (size, Twin(first.hexdigest(), second.hexdigest())) != (item.size, item.digest):
                raise Malformed(f"{item.name} 的内容与清单不符。 / {item.name} is not what the manifest says.")

    def read(self, name: str, limit: int = LONGEST) -> bytes:
        """A whole file of at most `limit` bytes. Raises `Malformed`."""
        return self._whole(name, limit)

    def document(self, name: str) -> Any:
        """A file that holds one canonical document. Raises `Malformed`."""
        return canonical.decode(self._whole(name, LONGEST))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file piece by piece. Raises `Malformed`."""
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except (KeyError, ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise Malformed(f"包内 {name} 不可读：{error}。 / {name} cannot be read.") from error

    def lines(self, name: str) -> Iterator[bytes]:
        """A text file line by line, each with its line feed. Raises `Malformed`."""
        rest = b""
        for chunk in self.chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line + b"\n" for line in whole)
        if rest:
            yield rest

    def under(self, folder: str) -> list[str]:
        """The listed files of a folder, in the manifest's order."""
        return [item.name for item in self.manifest.files if item.name.startswith(f"{folder}/")]

    def _whole(self, name: str, limit: int) -> bytes:
        found = bytearray()
        for chunk in self.chunks(name):
            found += chunk
            if len(found) > limit:
                raise Malformed(f"包内 {name} 超过 {limit} 字节。 / {name} is larger than {limit} bytes.")
        return bytes(found)


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
