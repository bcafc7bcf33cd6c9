"""A verifier of credentials and status lists that shares nothing with the code under test but `cryptography`.

JSON is canonicalised by `json.dumps` with sorted keys (right for the texts, integers and booleans that occur here, as
all keys are ASCII); base58 is decoded by counting; gzip is Python's; SM2 is checked by gmssl, the test oracle.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def jcs(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def base58(text: str) -> bytes:
    number = sum(ALPHABET.index(char) * 58**position for position, char in enumerate(reversed(text)))
    head = len(text) - len(text.lstrip("1"))
    return bytes(head) + (number.to_bytes((number.bit_length() + 7) // 8, "big") if number else b"")


def verified(data: bytes, did_document: dict[str, Any]) -> bool:
    """vc-di-eddsa, section 3.3: verification of an eddsa-jcs-2022 proof, with the key found in the DID document."""
    secured = json.loads(data)
    proof = secured.pop("proof")
    value = proof.pop("proofValue")
    if (proof["type"], proof["cryptosuite"]) != ("DataIntegrityProof", "eddsa-jcs-2022"):
        return False
    if secured["@context"][: len(proof["@context"])] != proof["@context"] or secured["issuer"] != did_document["id"]:
        return False
    if proof["verificationMethod"] not in did_document["assertionMethod"]:
        return False
    method = next(item for item in did_document["verificationMethod"] if item["id"] == proof["verificationMethod"])
    key = base58(method["publicKeyMultibase"][1:])
    assert key[:2] == b"\xed\x01"
    message = hashlib.sha256(jcs(proof)).digest() + hashlib.sha256(jcs(secured)).digest()
    try:
        Ed25519PublicKey.from_public_bytes(key[2:]).verify(base58(value[1:]), message)
    except InvalidSignature:
        return False
    return value[0] == "z"


def sm2_verified(data: bytes, did_document: dict[str, Any]) -> bool:
    """The SM2 signature beside the proof, checked with gmssl under the JWK of the DID document."""
    from gmssl import sm2, sm3

    from tests.second_sm2 import second_sm2

    secured = json.loads(data)
    secured.pop("proof")
    beside = secured.pop("sm2Signature")
    jwk = next(item["publicKeyJwk"] for item in did_document["verificationMethod"] if item["id"].endswith("#sm2"))
    point = b"".join(base64.urlsafe_b64decode(jwk[axis] + "=") for axis in ("x", "y"))
    if beside["key"] != "04" + point.hex() or beside["alg"] != "sm2-sm3":
        return False
    plain = jcs(secured)
    inner = b"shuqing/credential/v1\x00" + hashlib.sha256(plain).digest() + hashlib.new("sm3", plain).digest()
    message = hashlib.new("sm3", inner).digest()
    identity = beside["signer_id"].encode()
    curve = sm2.default_ecc_table
    head = len(identity * 8).to_bytes(2, "big") + identity + bytes.fromhex(curve["a"] + curve["b"] + curve["g"]) + point
    z = bytes.fromhex(sm3.sm3_hash(list(head)))
    digest = bytes.fromhex(sm3.sm3_hash(list(z + message)))
    return bool(second_sm2("04" + point.hex()).verify(beside["value"], digest))


def bits(status_list: bytes) -> set[int]:
    """The indices that are set in a status list credential (Bitstring Status List, section 3.3)."""
    subject = json.loads(status_list)["credentialSubject"]
    text = subject["encodedList"]
    assert text[0] == "u"
    assert "=" not in text
    data = gzip.decompress(base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4)))
    assert len(data) * 8 >= 131_072
    text = "".join(f"{byte:08b}" for byte in data)
    return {place for place, bit in enumerate(text) if bit == "1"}
