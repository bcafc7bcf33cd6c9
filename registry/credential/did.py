"""The agency as did:web issuer: identifier, DID document, and the multibase forms that carry keys and signatures.

did:web:⟨host⟩ is resolved at https://⟨host⟩/.well-known/did.json, with a path at …/⟨path⟩/did.json (did:web method
specification). Base58 is Bitcoin's alphabet (multibase "z"), base64url is unpadded (multibase "u").
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from ledger.errors import FieldError

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519 = b"\xed\x01"  # multicodec ed25519-pub as varint


@dataclass(frozen=True, slots=True)
class Anchorage:
    """Where register entries are written: chain id and address of RightsRegistry."""

    chain_id: int
    contract: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who states credentials: the address its documents are served under, its name there, and its two keys.

    `ed25519` is the public key (32 bytes), `sm2` the public key (04‖x‖y hex), `by` how it signs facts; the callables
    sign bytes, and 32 bytes, with the private keys they keep to themselves.
    """

    base: str
    by: str
    ed25519: bytes
    sm2: str
    anchorage: Anchorage
    sign: Callable[[bytes], bytes] = field(repr=False)
    sign_sm2: Callable[[bytes], bytes] = field(repr=False)

    @property
    def did(self) -> str:
        """did:web of the address."""
        return did_web(self.base)

    @property
    def method(self) -> str:
        """The id of the Ed25519 key in the DID document."""
        return f"{self.did}#{multikey(self.ed25519)}"


def did_web(base: str) -> str:
    """ "http://127.0.0.1:8000" → "did:web:127.0.0.1%3A8000". Raises `FieldError` unless it is an http(s) address."""
    parts = urlsplit(base)
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise FieldError("check_base_url", "http(s)://主机[/路径] / http(s)://host[/path]", repr(base)[:80])
    path = [quote(step, safe="") for step in parts.path.split("/") if step]
    return ":".join(["did:web", parts.netloc.lower().replace(":", "%3A"), *path])


def multikey(public: bytes) -> str:
    """An Ed25519 public key (32 bytes) as a Multikey: "z6Mk…"."""
    return "z" + base58(_ED25519 + public)


def public_of(multikey: str) -> bytes:
    """The Ed25519 public key of a Multikey. Raises `FieldError`."""
    data = unbase58(multikey[1:]) if multikey.startswith("z") else b""
    if len(data) != 34 or not data.startswith(_ED25519):
        raise FieldError("publicKeyMultibase", "z6Mk…", repr(multikey)[:80])
    return data[2:]


def base58(data: bytes) -> str:
    """Base58 with Bitcoin's alphabet; each leading zero byte is a "1"."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def unbase58(text: str) -> bytes:
    """The bytes of a base58 text. Raises `FieldError` on another character."""
    number = 0
    for char in text:
        if char not in _ALPHABET:
            raise FieldError("base58", _ALPHABET, repr(char))
        number = number * 58 + _ALPHABET.index(char)
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base64url(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def did_document(issuer: Issuer) -> dict[str, Any]:
    """The DID document: the Ed25519 key for Data Integrity proofs, and the SM2 key as a JWK (curve name "SM2", not
    registered with IANA) for those who check the signature beside them."""
    did, point = issuer.did, bytes.fromhex(issuer.sm2)
    jwk = {"crv": "SM2", "kty": "EC", "x": base64url(point[1:33]), "y": base64url(point[33:])}
    return {
        "@context": [
            "https://www.w3.org/ns/did/v1",
            "https://w3id.org/security/multikey/v1",
            "https://w3id.org/security/jwk/v1",
        ],
        "id": did,
        "verificationMethod": [
            {
                "id": issuer.method,
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": multikey(issuer.ed25519),
            },
            {"id": f"{did}#sm2", "type": "JsonWebKey", "controller": did, "publicKeyJwk": jwk},
        ],
        "assertionMethod": [issuer.method, f"{did}#sm2"],
    }
