"""The door to the deposit authority (存证机构), and to the national system over HTTP: a request, a signed receipt."""

from __future__ import annotations

from typing import Any

import httpx

from ledger.errors import Malformed
from ledger.facts import Signed
from ledger.reading import body_of
from registry.asset import Twin
from registry.certificate import DepositRequest
from registry.errors import DepositRefused
from registry.national.exchange import PublicityRequest


class HttpAuthority:
    """`registry.national.interface.NationalSystem` over HTTP; asking again gives the first answer."""

    def __init__(self, url: str) -> None:
        self._url = url

    def release(self, request: PublicityRequest) -> Signed | None:
        return _signed(self._ask("POST", "/publicity", json=body_of(request)))

    def deposit(self, request: DepositRequest) -> Signed | None:
        return _signed(self._ask("POST", "/deposits", json={"request": body_of(request)}))

    def receipt(self, record: Twin) -> Signed | None:
        return _signed(self._ask("GET", f"/deposits/{record.sha256}"))

    def report(self, package: bytes) -> bytes | None:
        headers = {"Content-Type": "application/zip"}
        return self._ask("POST", "/packages", content=package, headers=headers).content

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = httpx.request(method, f"{self._url}{path}", timeout=10, trust_env=False, **more)
        except httpx.HTTPError as error:
            raise DepositRefused(
                f"存证机构没有应答（{type(error).__name__}），将重试。", f"no answer from the authority: {error}"
            ) from error
        if not answer.is_success:
            raise DepositRefused(_message(answer), f"HTTP {answer.status_code}")
        return answer


def _message(answer: httpx.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return ""
    return str(document.get("message", ""))[:300] if isinstance(document, dict) else ""


def _signed(answer: httpx.Response) -> Signed:
    try:
        return Signed.of_document(answer.json())
    except (Malformed, ValueError) as error:
        raise DepositRefused("回执格式不符。", str(error)) from error
