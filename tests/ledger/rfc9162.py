"""RFC 9162 once more, from its text alone, for one hash: what the ledger's trees are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.digest import TwinDigest


def h(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@dataclass
class Tree:
    """The tree with hash function `name` over the inputs D[0], D[1], …; `whole` may know the hash of some subtrees."""

    name: str
    d: Callable[[int], bytes]
    whole: Callable[[int, int], bytes | None] = lambda start, end: None
    memo: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def mth(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]), section 2.1.1."""
        if (start, end) not in self.memo:
            known = self.whole(start, end)
            if known is not None:
                return known
            if start == end:
                found = h(self.name, b"")
            elif end - start == 1:
                found = h(self.name, b"\x00" + self.d(start))
            else:
                k = split(end - start)
                found = h(self.name, b"\x01" + self.mth(start, start + k) + self.mth(start + k, end))
            self.memo[start, end] = found
        return self.memo[start, end]

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """PATH(m, D[start:end]), section 2.1.3.1."""
        if end - start == 1:
            return []
        k = split(end - start)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D_n), section 2.1.4.1."""
        return self._subproof(m, 0, n, True)

    def _subproof(self, m: int, start: int, end: int, whole: bool) -> list[bytes]:
        n = end - start
        if m == n:
            return [] if whole else [self.mth(start, end)]
        k = split(n)
        if m <= k:
            return [*self._subproof(m, start, start + k, whole), self.mth(start + k, end)]
        return [*self._subproof(m - k, start + k, end, False), self.mth(start, start + k)]


@dataclass(frozen=True)
class Twin:
    """Both trees over the same inputs, answering in the ledger's pairs."""

    sha256: Tree
    sm3: Tree

    @classmethod
    def over(cls, d: Callable[[int], bytes]) -> Twin:
        return cls(Tree("sha256", d), Tree("sm3", d))

    def root(self, size: int) -> TwinDigest:
        return TwinDigest(self.sha256.mth(0, size), self.sm3.mth(0, size))

    def path(self, index: int, size: int) -> list[TwinDigest]:
        return _pairs(self.sha256.path(index, 0, size), self.sm3.path(index, 0, size))

    def proof(self, first: int, second: int) -> list[TwinDigest]:
        return _pairs(self.sha256.proof(first, second), self.sm3.proof(first, second))


def _pairs(left: list[bytes], right: list[bytes]) -> list[TwinDigest]:
    return [TwinDigest(x, y) for x, y in zip(left, right, strict=True)]
