"""Identifier, multibase and DID document."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FieldError
from registry.credential.did import base58, did_document, did_web, multikey, public_of, unbase58
from tests.registry.seal_maker import an_issuer


@pytest.mark.parametrize(
    ("base", "did"),
    [
        ("https://w3c-ccg.example", "did:web:w3c-ccg.example"),
        ("https://w3c-ccg.example/user/alice", "did:web:w3c-ccg.example:user:alice"),
        ("https://Example.com:3000/user/alice/", "did:web:example.com%3A3000:user:alice"),
        ("http://127.0.0.1:8000", "did:web:127.0.0.1%3A8000"),
    ],
)
def test_did_web__address__as_the_method_says(base: str, did: str) -> None:
    assert did_web(base) == did


@pytest.mark.parametrize(
    "base", ["", "example.com", "ftp://example.com", "https://", "https://a.test/?q", "https://a@b.test"]
)
def test_did_web__no_address_of_a_site__names_the_setting(base: str) -> None:
    with pytest.raises(FieldError, match="check_base_url"):
        did_web(base)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (
            b"The quick brown fox jumps over the lazy dog.",
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
        ),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
        (b"", ""),
    ],
)
def test_base58__vectors_of_the_internet_draft(data: bytes, text: str) -> None:
    assert (base58(data), unbase58(text)) == (text, data)


@given(st.binary(max_size=80))
def test_base58__any_bytes__come_back(data: bytes) -> None:
    assert unbase58(base58(data)) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "a b", "数"])
def test_base58__a_character_that_is_none__is_refused(text: str) -> None:
    with pytest.raises(FieldError):
        unbase58(text)


def test_multikey__w3c_example_and_refusals() -> None:
    key = public_of("z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2")
    assert len(key) == 32
    assert multikey(key) == "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
    for wrong in (
        "",
        "z",
        "z6Mk",
        "u6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2",
        "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSj",
    ):
        with pytest.raises(FieldError):
            public_of(wrong)


def test_did_document__has_both_keys_and_only_public_ones() -> None:
    issuer = an_issuer()
    document = did_document(issuer)
    ed25519, sm2 = document["verificationMethod"]
    assert document["id"] == ed25519["controller"] == sm2["controller"] == "did:web:example.test"
    assert public_of(ed25519["publicKeyMultibase"]) == issuer.ed25519
    assert ed25519["id"] == f"{document['id']}#{ed25519['publicKeyMultibase']}" == issuer.method
    jwk = sm2["publicKeyJwk"]
    point = b"".join(base64.urlsafe_b64decode(jwk[axis] + "=") for axis in ("x", "y"))
    assert "04" + point.hex() == issuer.sm2
    assert set(jwk) == {"crv", "kty", "x", "y"}
    assert document["assertionMethod"] == [ed25519["id"], sm2["id"]]
