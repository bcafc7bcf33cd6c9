"""Data Integrity proofs with the suite eddsa-jcs-2022, and the SM2 signature that stands beside them (decisions D28).

| what | bytes signed |
|---|---|
| Ed25519 | SHA-256(JCS(proof without proofValue)) ‖ SHA-256(JCS(document without proof)); the proof repeats @context |
| SM2 | SM3("shuqing/credential/v1" ‖ 00 ‖ SHA-256(x) ‖ SM3(x)), x = JCS(document without proof and sm2Signature) |

JCS is RFC 8785; our canonical form is RFC 8785 over a narrower profile, so it gives the same bytes. The SM2 signature
is a property of the document, which the Ed25519 proof covers: a reader who knows only the standard suite needs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger import canonical, sm
from ledger.digest import sha256, sm3
from ledger.errors import BadSignature, FieldError
from ledger.facts import DEFAULT_SIGNER_ID, SM2
from registry.calendar import text_of
from registry.credential.did import Issuer, base58, unbase58

SUITE = "eddsa-jcs-2022"
TAG = b"shuqing/credential/v1"


def secured(document: Mapping[str, Any], issuer: Issuer, at: int) -> bytes:
    """The document with both signatures, made at `at` (seconds UTC), as canonical bytes. It has no proof yet."""
    value = issuer.sign_sm2(sm2_message(document)).hex()
    beside = {"alg": SM2, "by": issuer.by, "key": issuer.sm2, "signer_id": DEFAULT_SIGNER_ID, "value": value}
    covered = {**document, "sm2Signature": beside}
    proof = {
        "@context": document["@context"],
        "type": "DataIntegrityProof",
        "cryptosuite": SUITE,
        "created": text_of(at),
        "verificationMethod": issuer.method,
        "proofPurpose": "assertionMethod",
    }
    signature = issuer.sign(hash_data(covered, proof))
    return canonical.encode({**covered, "proof": {**proof, "proofValue": "z" + base58(signature)}})


def require_secured(document: Mapping[str, Any], public: bytes, sm2: str) -> None:
    """Raises `BadSignature` unless both signatures fit, under the issuer's Ed25519 key (32 bytes) and SM2 key (hex)."""
    issuer, proof, beside = str(document.get("issuer")), document.get("proof"), document.get("sm2Signature")
    if not isinstance(proof, dict) or not isinstance(beside, dict):
        raise BadSignature(issuer, "缺少证明或 SM2 签名 / proof or SM2 signature missing")
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    expected = {"type": "DataIntegrityProof", "cryptosuite": SUITE, "proofPurpose": "assertionMethod"}
    if {**options, **expected} != options or options.get("@context") != document.get("@context"):
        raise BadSignature(issuer, f"不是 {SUITE} 证明 / not a proof of this suite")
    if not str(options.get("verificationMethod")).startswith(f"{issuer}#"):
        raise BadSignature(issuer, "不是签发者的密钥 / not a key of the issuer")
    try:
        value = str(proof.get("proofValue"))
        signature = unbase58(value[1:]) if value.startswith("z") else b""
        plain = {name: item for name, item in document.items() if name != "proof"}
        Ed25519PublicKey.from_public_bytes(public).verify(signature, hash_data(plain, options))
        fits = beside.get("key") == sm2 and sm.verify(
            sm2, sm2_message(document), bytes.fromhex(str(beside.get("value")))
        )
    except (InvalidSignature, FieldError, ValueError) as error:
        raise BadSignature(issuer, "与内容不符 / does not match the document") from error
    if not fits:
        raise BadSignature(issuer, "SM2 签名与内容不符 / the SM2 signature does not match")


def hash_data(document: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
    """What Ed25519 signs: the hash of the proof's options before the hash of the document (vc-di-eddsa, 3.3)."""
    return sha256(canonical.encode(dict(options))) + sha256(canonical.encode(dict(document)))


def sm2_message(document: Mapping[str, Any]) -> bytes:
    """The 32 bytes that the SM2 signature is over; `proof` and `sm2Signature` are left out."""
    plain = canonical.encode({name: item for name, item in document.items() if name not in ("proof", "sm2Signature")})
    return sm3(TAG + b"\x00" + sha256(plain) + sm3(plain))
