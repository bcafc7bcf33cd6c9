"""A small client for signed statements: ask for the next number, sign, send; for connector, CLI and demo.

It never signs by itself and holds no key but the API key that opens the door.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from clearing.usage.batch import BATCH_TYPE, batch_bytes
from clearing.usage.held import HeldAnswer
from ledger import canonical
from ledger.digest import TwinDigest
from ledger.errors import Malformed
from ledger.facts import Signature, Signed, Statement

SUBJECT_PATH = "/api/subjects/"
BATCH_PATH = "/api/usage/batches"
RECORD_PATH = "/api/usage/records"


class PlatformError(Exception):
    """The platform answered, and not with success: `status` and the document it sent (or its text under "message")."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status, self.document = status, document
        super().__init__(f"平台拒绝（{status}）：{document} / The platform refused ({status}): {document}")


class PlatformUnavailable(Exception):
    """No usable answer: no connection, a time-out, or a fault of the server. The same request may be sent again."""


@dataclass(frozen=True, slots=True)
class Next:
    """Number and link of the next statement about a subject."""

    no: int
    prev: TwinDigest | None


class PlatformClient:
    """Speaks to one platform. Close it, or use it in a `with` block."""

    def __init__(
        self, url: str, api_key: str = "", *, timeout: int = 30, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport, trust_env=False)

    def __enter__(self) -> PlatformClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON document at `path`. Raises `PlatformError`, `PlatformUnavailable`."""
        return self._answer(lambda: self._http.get(path, params=query))

    def fetch(self, path: str, **query: str | int) -> bytes:
        """The file at `path`, as it is. Raises as `get`."""
        try:
            response = self._http.get(path, params=query)
        except httpx.HTTPError as error:
            raise PlatformUnavailable(f"平台无应答：{error} / The platform does not answer: {error}") from error
        if not response.is_success:
            document = _document(response)
            raise PlatformError(response.status_code, document if isinstance(document, dict) else {"message": document})
        return response.content

    def post(self, path: str, document: Any) -> Any:
        """Sends a document in canonical form and returns the answer's. Raises as `get`."""
        return self.post_bytes(path, canonical.encode(document))

    def post_bytes(self, path: str, data: bytes, media_type: str = "application/json") -> Any:
        """Sends these very bytes."""
        headers = {"Content-Type": media_type}
        return self._answer(lambda: self._http.post(path, content=data, headers=headers))

    def send_batch(self, signed: Signed, parts: Sequence[bytes]) -> Any:
        """Sends a frozen batch, byte for byte the same every time; the answer holds the log promise."""
        return self.post_bytes(BATCH_PATH, batch_bytes(signed, parts), BATCH_TYPE)

    def hold(self, record: bytes) -> HeldAnswer:
        """Sends one usage record (its canonical bytes); `verify` of the answer needs no platform. Raises as `get`."""
        return HeldAnswer.of_document(self.post_bytes(RECORD_PATH, record))

    def next_of(self, subject: str) -> Next:
        """What the next statement about `subject` must carry."""
        document = self.get(SUBJECT_PATH + subject)
        prev = TwinDigest.of_document(document["prev"], "prev") if "prev" in document else None
        return Next(int(document["no"]), prev)

    def draft(self, kind: str, subject: str, body: dict[str, Any]) -> Statement:
        """The next statement about `subject`, not signed yet."""
        following = self.next_of(subject)
        return Statement(kind, subject, following.no, following.prev, body)

    def submit(
        self, path: str, statement: Statement, sign: Sequence[Callable[[Statement], Signature]], **more: Any
    ) -> Any:
        """Signs the statement with every given signer and sends it; `more` are further fields of the request."""
        signed = Signed(statement, tuple(signer(statement) for signer in sign))
        return self.post(path, {**signed.document(), **more})

    def _answer(self, send: Callable[[], httpx.Response]) -> Any:
        try:
            response = send()
        except httpx.HTTPError as error:
            raise PlatformUnavailable(f"平台无应答：{error} / The platform does not answer: {error}") from error
        document = _document(response)
        if response.is_success:
            return document
        if response.status_code >= 500:
            raise PlatformUnavailable(
                f"平台故障（{response.status_code}） / The platform failed: {response.status_code}"
            )
        raise PlatformError(response.status_code, document if isinstance(document, dict) else {"message": document})


def _document(response: httpx.Response) -> Any:
    if not response.content:
        return {}
    try:
        return canonical.parse(response.content)
    except Malformed:
        return response.text[:500]
