"""The credential of a certificate version (W3C Verifiable Credentials 2.0) and the JSON-LD context of its terms.

It says what the paper says, without anything personal: of an organisation the name, of a natural person not even that;
of any party identity only a salted commitment, which the holder can open with the salt derived below.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from ledger import canonical
from ledger.digest import TwinDigest, derive_salt, twin
from registry.calendar import text_of
from registry.certificate import Holder, Record, RegisterEntry
from registry.credential.did import Issuer
from registry.credential.status_list import Purpose
from registry.onchain import certificate_key
from registry.party import PartyKind
from registry.rights import Right

W3C = "https://www.w3.org/ns/credentials/v2"
CONTEXT_PATH = "/contexts/registration/v1"
TYPE = "DataPropertyRightRegistration"
COMMITMENT = "id-commitment/v1"
"""The tag in front of an identity number that is committed to."""

TERMS = (
    TYPE, "agency", "anchor", "certCode", "certificateKey", "chainId", "contract", "dataName", "declaration",
    "depositedAt", "digests", "holder", "idCommitment", "kind", "name", "rights", "sha-256", "sm3", "version",
)  # fmt: skip


def credential(
    entry: RegisterEntry, record: Record, digest: TwinDigest, issuer: Issuer, number: int, index: int, declaration: str
) -> dict[str, Any]:
    """The credential without signatures; `digest` is that of the register-entry fact, `number` and `index` its place in
    the status lists, `declaration` the sentences of the paper."""
    anchorage = issuer.anchorage
    key = certificate_key(entry.agency, entry.paper_type, entry.code, entry.version)
    return {
        "@context": [W3C, issuer.base + CONTEXT_PATH],
        "id": f"{issuer.base}/check?{urlencode({'code': entry.code, 'v': entry.version})}",
        "type": ["VerifiableCredential", TYPE],
        "issuer": issuer.did,
        "validFrom": text_of(entry.valid_from),
        "validUntil": text_of(entry.valid_until - 1),
        "credentialSubject": {
            "certCode": entry.code,
            "version": entry.version,
            "dataName": record.description.data_name,
            "rights": [right.value for right in Right if any(row.right is right for row in record.rights)],
            "holder": [_holder(item, record) for item in record.holders],
            "agency": entry.agency_name,
            "depositedAt": text_of(entry.deposited_at),
            "digests": _digests(digest),
            "anchor": {
                "chainId": anchorage.chain_id,
                "contract": anchorage.contract,
                "certificateKey": "0x" + key.hex(),
            },
            "declaration": declaration,
        },
        "credentialStatus": [
            {
                "id": f"{list_address(issuer, purpose, number)}#{index}",
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose.value,
                "statusListIndex": str(index),
                "statusListCredential": list_address(issuer, purpose, number),
            }
            for purpose in Purpose
        ],
    }


def id_commitment(id_no: str, salt: str) -> TwinDigest:
    """The commitment to a holder's party identity under a salt (64 hex): of an organisation the USCC, of a natural
    person the P identity, which itself follows from a commitment."""
    return twin(canonical.encode({"id_no": id_no, "salt": salt, "tag": COMMITMENT}))


def id_salt(record: Record, id_no: str) -> str:
    """The salt of a holder's commitment: it follows from the record's own salt, which the holder has in the JSON paper
    and a reader of the credential has not."""
    return derive_salt(bytes.fromhex(record.salt), f"{COMMITMENT}:{id_no}")


def list_address(issuer: Issuer, purpose: Purpose, number: int) -> str:
    """Where a status list is served."""
    return f"{issuer.base}/credentials/status/{purpose.value}/{number}"


def context(base: str) -> dict[str, Any]:
    """Our JSON-LD context, served by ourselves under `base`; it never changes, a new meaning gets a new number."""
    address = base + CONTEXT_PATH
    terms: dict[str, Any] = {term: f"{address}#{term}" for term in TERMS}
    signature = {"@id": f"{address}#sm2Signature", "@type": "@json"}
    return {"@context": {"@protected": True, **terms, "sm2Signature": signature}}


def _digests(digest: TwinDigest) -> dict[str, str]:
    return {"sha-256": digest.sha256.hex(), "sm3": digest.sm3.hex()}


def _holder(holder: Holder, record: Record) -> dict[str, Any]:
    rights = [row.right.value for row in record.rights if row.holder_id == holder.identity]
    shown: dict[str, Any] = {
        "kind": holder.kind.value,
        "rights": rights,
        "idCommitment": _digests(id_commitment(holder.identity, id_salt(record, holder.identity))),
    }
    return shown if holder.kind is PartyKind.NATURAL else {"name": holder.name, **shown}
