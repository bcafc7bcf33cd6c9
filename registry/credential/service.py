"""The status lists as the outside asks for them: rebuilt from the register whenever somebody does."""

from __future__ import annotations

from sqlalchemy.orm import Session

from registry import store, validity
from registry.calendar import text_of
from registry.credential.did import Issuer
from registry.credential.proof import secured
from registry.credential.status_list import Purpose, encoded, purposes_of
from registry.credential.vc import CONTEXT_PATH, W3C, list_address
from registry.errors import Unknown

HOLDS = 86_400
"""Seconds a list may be relied on at most; whoever needs to know now asks again (`ttl`)."""
TTL = 300_000
"""Milliseconds after which a reader should fetch the list again."""


def status_list(session: Session, issuer: Issuer, purpose: Purpose, number: int, at: int) -> bytes:
    """The signed list of this purpose and number, saying how things stand at `at` (seconds UTC). Raises `Unknown`.

    The encoded list is the same bytes for the same statuses. List 1 is there before the first certificate.
    """
    places = store.status_places(session, number)
    if not places and number != 1:
        raise Unknown("状态列表 / status list", f"{purpose.value}/{number}")
    marked = [index for index, row in places if purpose in purposes_of(*validity.version_status(session, row, at))]
    address = list_address(issuer, purpose, number)
    document = {
        "@context": [W3C, issuer.base + CONTEXT_PATH],
        "id": address,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer.did,
        "validFrom": text_of(at),
        "validUntil": text_of(at + HOLDS),
        "credentialSubject": {
            "id": f"{address}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose.value,
            "encodedList": encoded(marked),
            "ttl": TTL,
        },
    }
    return secured(document, issuer, at)
