"""Bitstring Status List v1.0 (W3C): one bit a certificate version, 1 where the purpose of the list applies to it.

| list | bit is 1 for |
|---|---|
| revocation | CANCELLED, TRANSFERRED, SUPERSEDED |
| suspension | RENEWAL_PENDING (届满待续), or held under temporary control (限制) while otherwise in force |

LAPSED sets no bit: `validUntil` has passed (registration.md 5.5). A place in a list is drawn at random, so that its
number says nothing about when or for whom a certificate was issued; half of each list stays empty.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Set
from enum import StrEnum

from ledger.errors import FieldError
from registry.certificate import IN_FORCE, Status
from registry.credential.did import base64url

SIZE = 131_072
"""Bits of a list: the least the recommendation allows, 16 KB."""
FULL = SIZE // 2
"""So many places of a list are given before the next one is begun."""
REVOKED = frozenset({Status.CANCELLED, Status.TRANSFERRED, Status.SUPERSEDED})
_GZIP = 31  # zlib's window bits for a gzip member; its header then carries no time and no name


class Purpose(StrEnum):
    """What a list is about (`statusPurpose`)."""

    REVOCATION = "revocation"
    SUSPENSION = "suspension"


def purposes_of(status: Status | None, controlled: bool = False) -> frozenset[Purpose]:
    """The lists in which a version of this status has its bit set; `controlled`: under temporary control."""
    if status in REVOKED:
        return frozenset({Purpose.REVOCATION})
    if status is Status.RENEWAL_PENDING or (controlled and status in IN_FORCE):
        return frozenset({Purpose.SUSPENSION})
    return frozenset()


def encoded(indices: Iterable[int]) -> str:
    """`encodedList`: the bit string with these bits set, index 0 leftmost, gzipped, multibase base64url ("u…")."""
    bits = bytearray(SIZE // 8)
    for index in indices:
        if not 0 <= index < SIZE:
            raise FieldError("status_index", f"0…{SIZE - 1}", str(index))
        bits[index // 8] |= 0x80 >> index % 8
    press = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    return "u" + base64url(press.compress(bytes(bits)) + press.flush())


def place(number: int, taken: Set[int], draw: Callable[[int], int]) -> tuple[int, int]:
    """List number and index for the next certificate: in list `number`, of which `taken` are given, or in the one
    after it when that is half full. `draw(n)` is a random number below n."""
    if len(taken) >= FULL:
        return number + 1, draw(SIZE)
    while (index := draw(SIZE)) in taken:
        pass
    return number, index
