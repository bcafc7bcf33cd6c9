"""The twin tree cut into tiles: the form in which it is stored, read and handed out (C2SP tlog-tiles, height 8).

A tile of level L is a run of at most 256 neighbouring hashes of the tree's level 8·L, so tile N of level L+1 holds the
hashes over whole tiles of level L: its place i is the root over tile 256·N+i. Hashes inside a tile are recomputed from
it. Only the last tile of each level is partial and grows; a full tile never changes. A tree of 10^7 leaves has three
levels, and a path in it needs one tile of each and the three at the right edge.

Addresses: `⟨L⟩/⟨N⟩` and `entries/⟨N⟩`, where N is written in groups of three digits, all but the last after an x, and a
tile of W < 256 hashes ends in `.p/⟨W⟩`: `0/x001/x234/067`, `1/000.p/5`. An entry bundle is the run of entries under a
tile of level 0, each after its length in two bytes; our entry is the leaf text of 80 bytes (decisions D5), so the leaf
hash a stock reader computes, SHA-256(00 ‖ entry), is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from ledger import merkle
from ledger.digest import LEAF_TAG, TwinDigest
from ledger.errors import BrokenLog
from ledger.merkle import Flat, Read

HEIGHT = 8
WIDTH = 1 << HEIGHT
TOP = 8
"""Tile levels a tree can have: 2^53 leaves have seven."""
ENTRY_SIZE = len(LEAF_TAG) + 64

_NUMBER = r"(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})"
_ADDRESS = re.compile(rf"(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/{_NUMBER}(?:\.p/(?P<width>[1-9][0-9]{{0,2}}))?")

Load = Callable[[int, int], Flat]
"""Answers the hashes of tile (level, position). Raises `BrokenLog` if it is not there."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile in its place; `hashes` are at most 256 of each algorithm."""

    level: int
    position: int
    hashes: Flat


@dataclass(frozen=True, slots=True)
class Address:
    """What a reader asks for: a tile, or the entries under a tile of level 0; `width` hashes, 256 for a full one."""

    level: int
    position: int
    width: int
    entries: bool

    def text(self) -> str:
        """The address as C2SP writes it."""
        groups, rest = [f"{self.position % 1000:03}"], self.position // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"{'entries' if self.entries else self.level}/{'/'.join(groups)}{partial}"

    @classmethod
    def of_text(cls, text: str) -> Address | None:
        """Reads an address written in its one form, or None."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            return None
        entries = found["level"] == "entries"
        position = int(found["number"].replace("x", "").replace("/", ""))
        address = cls(0 if entries else int(found["level"]), position, int(found["width"] or WIDTH), entries)
        return address if address.text() == text else None

    def within(self, size: int) -> bool:
        """Does the tree of `size` leaves have it, or did it when the tree was smaller?"""
        return WIDTH * self.position + self.width <= size >> HEIGHT * self.level


def count(level: int, size: int) -> int:
    """How many tiles of this level a tree of `size` leaves has."""
    return -(-(size >> HEIGHT * level) // WIDTH) if 0 <= level < TOP else 0


def bundle(leaves: Iterable[bytes]) -> bytes:
    """The entry bundle of these facts, each given as SHA-256 ‖ SM3."""
    length = ENTRY_SIZE.to_bytes(2, "big") + LEAF_TAG
    return b"".join(length + leaf for leaf in leaves)


def reader(load: Load) -> Read:
    """Reads hashes of complete subtrees out of tiles, each tile loaded and each of its inner levels hashed once."""
    known: dict[tuple[int, int], list[Flat]] = {}

    def read(level: int, index: int) -> TwinDigest:
        tile_level, height = divmod(level, HEIGHT)
        position, place = divmod(index, WIDTH >> height)
        name = tile_level, position
        if name not in known:
            known[name] = [load(*name)]
        levels = known[name]
        while len(levels) <= height:
            levels.append(merkle.parents(levels[-1]))
        try:
            return merkle.hash_at(levels[height], place)
        except IndexError:
            raise missing(tile_level, position, f"({place + 1}) << {height}", len(levels[0][0]) // 32) from None

    return read


def missing(level: int, position: int, wanted: object, found: object) -> BrokenLog:
    """The error of a tile that holds fewer hashes than its tree."""
    return BrokenLog(
        f"树块 {level}/{position} 应有 {wanted} 个散列，实有 {found}。"
        f" / Tile {level}/{position} should hold {wanted} hashes; found {found}."
    )


class Edge:
    """The right edge of a growing tree: the partial tile of each level, and no more in memory."""

    __slots__ = ("_partial", "size")

    def __init__(self, size: int = 0, load: Load | None = None) -> None:
        """The edge of the tree of `size` leaves; `load` gives its partial tiles. Raises `BrokenLog`."""
        self.size = size
        self._partial: list[tuple[bytearray, bytearray]] = []
        for level in range(TOP):
            if size >> HEIGHT * level == 0:
                break
            position, width = divmod(size >> HEIGHT * level, WIDTH)
            hashes = load(level, position) if load and width else (b"", b"")
            if len(hashes[0]) != 32 * width:
                raise missing(level, position, width, len(hashes[0]) // 32)
            self._partial.append((bytearray(hashes[0]), bytearray(hashes[1])))

    def extend(self, leaves: Iterable[bytes]) -> Iterator[Tile]:
        """Appends leaves, each given as SHA-256 ‖ SM3; yields every tile as soon as it is full."""
        source = iter(leaves)
        while chunk := list(islice(source, WIDTH - self.size % WIDTH)):
            position = self.size // WIDTH
            self.size += len(chunk)
            yield from self._append(0, position, merkle.leaf_hashes(chunk))

    def partial(self) -> Iterator[Tile]:
        """The tiles that are not full."""
        for level, (left, right) in enumerate(self._partial):
            if left:
                yield Tile(level, self.size >> HEIGHT * (level + 1), (bytes(left), bytes(right)))

    def root(self) -> TwinDigest:
        """Root of the tree up to here."""
        tiles = {(tile.level, tile.position): tile.hashes for tile in self.partial()}
        return merkle.root(reader(lambda level, position: tiles[level, position]), self.size)

    def _append(self, level: int, position: int, hashes: Flat) -> Iterator[Tile]:
        if level == len(self._partial):
            self._partial.append((bytearray(), bytearray()))
        left, right = self._partial[level]
        left += hashes[0]
        right += hashes[1]
        if len(left) < 32 * WIDTH:
            return
        full = bytes(left), bytes(right)
        left.clear()
        right.clear()
        yield Tile(level, position, full)
        for _ in range(HEIGHT):
            full = merkle.parents(full)
        yield from self._append(level + 1, position // WIDTH, full)
