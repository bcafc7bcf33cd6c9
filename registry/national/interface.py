"""One interface, whatever the connection: HTTP (`api.authority`) or files (`FileExchange`). Every call is idempotent.

An answer of `None` means: handed over, or about to be; the receipt comes later, by another call or by an import.
"""

from __future__ import annotations

from typing import Protocol

from ledger.facts import Signed
from registry.asset import Twin
from registry.certificate import DepositRequest
from registry.national.exchange import PublicityRequest


class NationalSystem(Protocol):
    """What any connection to the national system offers. Each raises `DepositRefused` if it is refused or silent."""

    def release(self, request: PublicityRequest) -> Signed | None:
        """Has a publicity text released: its publicity-receipt/v1."""

    def deposit(self, request: DepositRequest) -> Signed | None:
        """Has a record deposited: its deposit-receipt/v1."""

    def receipt(self, record: Twin) -> Signed | None:
        """The receipt of a record deposited before."""

    def report(self, package: bytes) -> bytes | None:
        """Hands a package over: the parcel of receipts for it."""


class FileExchange:
    """The connection by files: everything waits for `shuqing national export`, answers come with `national import`."""

    def release(self, request: PublicityRequest) -> Signed | None:
        return None

    def deposit(self, request: DepositRequest) -> Signed | None:
        return None

    def receipt(self, record: Twin) -> Signed | None:
        return None

    def report(self, package: bytes) -> bytes | None:
        return None
