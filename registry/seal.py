"""登记专用章: the agency's electronic seal on the paper, a PDF signature (PAdES) whose visible mark is the drawn seal.

Nothing here reads a clock, a key file or the network: the instant, the key and the question to the authority are
handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from registry.asset import Twin
from registry.certificate import SealMark
from registry.errors import PaperRefused

Ask = Callable[[bytes], bytes]
"""Puts a time-stamp request (DER) to the authority and brings its answer (DER). Raises `PaperRefused`."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed paper, and what certificate-issued/v1 says of its seal."""

    pdf: bytes
    mark: SealMark


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a signed PDF found; instants in seconds UTC. `stamped_at` is `None` without a time stamp."""

    holder: str
    certificate: Twin
    stamped_at: int | None
    stamped_by: str


@dataclass(frozen=True, slots=True)
class Seal:
    """The agency's seal: private key (PKCS #8, DER), its key certificate and those above it (DER, the own one first).

    `trial` says that it is a 演示用印, which the paper then says too. `ask` is there where a time-stamp authority is
    configured, whose root certificate (DER) is `stamp_root`.
    """

    key: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    trial: bool
    ask: Ask | None = field(default=None, repr=False)
    stamp_root: bytes = field(default=b"", repr=False)

    def press(self, body: bytes, picture: bytes, *, reason: str, place: str, at: int) -> Sealed:
        """The body with the seal on it, checked before it is handed out; `picture` is a PDF page of 102 × 102 points.

        Raises `PaperRefused` if the key certificate does not hold at `at`, or the authority does not answer rightly.
        """
        from registry import pades  # pyHanko takes as long to load as most commands do in all, and few press a seal

        pdf = pades.signed(self, body, picture, reason, place, at)
        seen = pades.examine(pdf, self.chain[-1:], (self.stamp_root,) if self.ask else (), at=at)
        if not pdf.startswith(body):
            raise PaperRefused("盖章后的文件与正文不符。", "the sealed file is not the body with its seal")
        return Sealed(pdf, SealMark(seen.certificate, seen.holder, self.trial, seen.stamped_at, seen.stamped_by))
