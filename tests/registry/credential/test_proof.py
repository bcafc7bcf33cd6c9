"""The proof: W3C's own vector, an independent verifier, and every field changed."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import canonical
from ledger.errors import BadSignature
from registry.credential.did import Issuer, base58, did_document, public_of, unbase58
from registry.credential.proof import hash_data, require_secured, secured
from tests.registry.credential.independent import jcs, sm2_verified, verified
from tests.registry.seal_maker import an_issuer

AT = 1_788_000_000
CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"]
METHOD = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
ALUMNI: dict[str, Any] = {
    "@context": CONTEXT,
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}
OPTIONS = {
    "type": "DataIntegrityProof",
    "cryptosuite": "eddsa-jcs-2022",
    "created": "2023-02-24T23:36:38Z",
    "verificationMethod": f"did:key:{METHOD}#{METHOD}",
    "proofPurpose": "assertionMethod",
    "@context": CONTEXT,
}


def test_proof__w3c_vector_of_eddsa_jcs_2022__same_hashes_same_signature() -> None:
    """Data Integrity EdDSA Cryptosuites v1.0, appendix B, representation eddsa-jcs-2022."""
    data = hash_data(ALUMNI, OPTIONS)
    assert data.hex() == (
        "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db"
        "59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19"
    )
    secret = unbase58("3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq")
    assert secret[:2] == b"\x80\x26"
    key = Ed25519PrivateKey.from_private_bytes(secret[2:])
    assert key.public_key().public_bytes_raw() == public_of(METHOD)
    assert "z" + base58(key.sign(data)) == (
        "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX"
    )
    assert hashlib.sha256(jcs(ALUMNI)).digest() == data[32:]


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return an_issuer()


@pytest.fixture(scope="module")
def document(issuer: Issuer) -> dict[str, Any]:
    subject = {"dataName": "航班数据（演示）", "rights": ["HOLD", "USE"], "version": 1}
    return {"@context": ALUMNI["@context"], "issuer": issuer.did, "credentialSubject": subject}


def test_secured__an_independent_verifier_and_ours_find_both_signatures_good(
    issuer: Issuer, document: dict[str, Any]
) -> None:
    data = secured(document, issuer, AT)
    keys = did_document(issuer)
    assert verified(data, keys)
    assert sm2_verified(data, keys)
    require_secured(json.loads(data), issuer.ed25519, issuer.sm2)
    assert canonical.encode(json.loads(data)) == data == jcs(json.loads(data))


def test_secured__other_issuers_key__is_refused(issuer: Issuer, document: dict[str, Any]) -> None:
    data, other = secured(document, issuer, AT), an_issuer()
    assert not verified(data, did_document(other) | {"assertionMethod": did_document(issuer)["assertionMethod"]} | {
        "verificationMethod": [
            {**did_document(other)["verificationMethod"][0], "id": did_document(issuer)["verificationMethod"][0]["id"]}
        ]
    })  # fmt: skip
    with pytest.raises(BadSignature):
        require_secured(json.loads(data), other.ed25519, issuer.sm2)
    with pytest.raises(BadSignature):
        require_secured(json.loads(data), issuer.ed25519, other.sm2)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from leaves(item, (*path, key))


def changed(document: Any, path: tuple[Any, ...], *, remove: bool) -> Any:
    made = copy.deepcopy(document)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    old = inner[path[-1]]
    if remove:
        del inner[path[-1]]
    elif isinstance(old, str):
        inner[path[-1]] = old[:-1] + ("y" if old.endswith("x") else "x")
    elif isinstance(old, bool | int):
        inner[path[-1]] = old + 1
    else:
        inner[path[-1]] = "x"
    return made


def test_secured__every_value_changed_or_taken_away__is_refused_by_both_verifiers(
    issuer: Issuer, document: dict[str, Any]
) -> None:
    good = json.loads(secured(document, issuer, AT))
    keys, tried = did_document(issuer), 0
    for path in leaves(good):
        for remove in (False, True):
            bad = changed(good, path, remove=remove)
            with pytest.raises(BadSignature):
                require_secured(bad, issuer.ed25519, issuer.sm2)
            with suppress(KeyError, ValueError, StopIteration, IndexError, TypeError, AttributeError):
                assert not verified(jcs(bad), keys), path
            tried += 1
    assert tried > 40


@pytest.mark.parametrize(
    "hostile", [{}, {"proof": []}, {"proof": {}, "sm2Signature": {}}, {"proof": 1, "sm2Signature": ""}]
)
def test_require_secured__no_credential_at_all__is_refused(hostile: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        require_secured(hostile, bytes(32), "04" + "0" * 128)
