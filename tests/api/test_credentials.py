"""The credential over HTTP: a stranger with the file alone finds the key, the terms and the status."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from registry import store
from tests.api.house import Platform
from tests.registry.credential.independent import bits, jcs, sm2_verified, verified
from tests.registry.registry_house import PROVIDER, a_form


def fetched(platform: Platform, address: str) -> Any:
    """What is served under an address of this platform."""
    base = platform.system.settings.check_base_url
    assert address.startswith(base + "/")
    answer = platform.client.get(address.removeprefix(base))
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.clause("G27", "G29")
def test_credential__from_the_file_alone__key_terms_and_status_are_found(platform: Platform) -> None:
    code = platform.certificate(a_form())
    with platform.reading() as session:
        row = store.certificate(session, code)
        token = store.issue_of(session, code, 1).token  # type: ignore[union-attr]
    answer = platform.client.get(f"/api/certificates/{code}/vc", params={"t": token})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vc")
    found = json.loads(answer.content)

    host = found["issuer"].removeprefix("did:web:").replace("%3A", ":")
    keys = fetched(platform, f"http://{host}/.well-known/did.json")
    assert keys.headers["content-type"] == "application/did+ld+json"
    assert keys.json()["id"] == found["issuer"]
    assert platform.client.get("/did.json").content == keys.content
    assert verified(answer.content, keys.json())
    assert sm2_verified(answer.content, keys.json())

    terms = fetched(platform, found["@context"][1])
    assert terms.headers["content-type"] == "application/ld+json"
    assert found["type"][1] in terms.json()["@context"]

    for entry in found["credentialStatus"]:
        served = fetched(platform, entry["statusListCredential"])
        assert served.headers["content-type"] == "application/vc"
        assert verified(served.content, keys.json())
        assert int(entry["statusListIndex"]) not in bits(served.content)
        assert PROVIDER not in served.text
    assert urlsplit(found["id"]).path == "/check"
    platform.now = row.valid_until + 1
    assert all(not bits(fetched(platform, item["statusListCredential"]).content) for item in found["credentialStatus"])


def test_credential__without_the_token__is_not_handed_out(platform: Platform) -> None:
    code = platform.certificate(a_form())
    assert platform.client.get(f"/api/certificates/{code}/vc").status_code == 403
    assert platform.client.get(f"/api/certificates/{code}/body").status_code == 422


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("revocation/1", 200), ("suspension/1", 200), ("revocation/2", 404), ("message/1", 422), ("revocation/0", 422),
        ("revocation/x", 422), ("revocation/10000", 422),
    ],
)  # fmt: skip
def test_status_lists__only_those_there_are(shared: Platform, path: str, status: int) -> None:
    assert shared.client.get(f"/credentials/status/{path}").status_code == status


def test_documents__are_canonical_and_name_no_private_key(shared: Platform) -> None:
    for path in ("/.well-known/did.json", "/contexts/registration/v1", "/credentials/status/revocation/1"):
        data = shared.client.get(path).content
        assert jcs(json.loads(data)) == data
        for secret in (shared.system.agency.ed25519.hex(), shared.system.agency.sm2.private.hex()):
            assert secret not in data.decode()
