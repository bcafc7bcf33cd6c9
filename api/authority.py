"""The door to the deposit authority (存证机构): one request, one signed receipt, over HTTP."""

from __future__ import annotations

import httpx

from ledger.errors import Malformed
from ledger.facts import Signed
from ledger.reading import body_of
from registry.certificate import DepositRequest
from registry.errors import DepositRefused


def deposit(url: str, request: DepositRequest) -> Signed:
    """Asks for the receipt of a request; asking again gives the first one. Raises `DepositRefused`."""
    try:
        answer = httpx.post(f"{url}/deposits", json={"request": body_of(request)}, timeout=10, trust_env=False)
        document = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise DepositRefused(
            f"存证机构没有应答（{type(error).__name__}），将重试。", f"no answer from the authority: {error}"
        ) from error
    if not answer.is_success:
        raise DepositRefused(str(document.get("message", ""))[:300], f"HTTP {answer.status_code}")
    try:
        return Signed.of_document(document)
    except Malformed as error:
        raise DepositRefused("回执格式不符。", str(error)) from error
