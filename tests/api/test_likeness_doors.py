"""Sketches over HTTP and by command, tried by people who mean ill: nothing false gets in, nobody outside reads."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli import app
from ledger.facts import PartsRoot, Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.likeness.columns import Column
from registry.likeness.fingerprint import FINGERPRINT, fingerprint_of
from registry.likeness.sketch import sketch
from tests.api.house import Platform
from tests.registry.registry_house import DEVELOPER, PROVIDER, a_form


def request(platform: Platform, signer: str) -> dict[str, object]:
    """A sketch of made numbers in PROVIDER's name, signed by `signer`."""
    columns = []
    for name in "abc":
        texts = [str(secrets.randbelow(10**9)) for _ in range(300)]
        values = sorted(set(texts))
        columns.append(Column(name, tuple(values), np.array([values.index(text) for text in texts])))
    body, lines = fingerprint_of(PROVIDER, a_form().description.content.digest, sketch(columns))
    subject = f"fingerprint:{secrets.token_hex(16)}"
    statement = Statement(FINGERPRINT, subject, 0, None, body_of(body), PartsRoot.over(lines))
    signed = Signed(statement, (sign_sm2(platform.keys[signer], statement, by=signer),))
    return {**signed.document(), "parts": [line.decode() for line in lines]}


def test_fingerprint__replayed_flipped_or_by_another_key__first_answer_or_refused(shared: Platform) -> None:
    owner, rival = f"party:{PROVIDER}", f"party:{DEVELOPER}"
    good = request(shared, owner)
    first = shared.post("/api/fingerprints", good, owner)
    assert first.status_code == 200, first.text
    before = shared.count()
    again = shared.post("/api/fingerprints", good, owner)
    assert (again.json()["fact"], again.json()["replayed"]) == (first.json()["fact"], True)
    flipped = request(shared, owner)
    flipped["parts"] = [text.replace('"digits"', '"offsets"', 1) for text in flipped["parts"]]  # type: ignore[attr-defined]
    assert shared.post("/api/fingerprints", flipped, owner).status_code == 422
    assert shared.post("/api/fingerprints", request(shared, rival), rival).status_code == 403
    assert shared.post("/api/fingerprints", request(shared, owner) | {"parts": []}, owner).status_code == 422
    assert shared.count() == before


def test_report__for_the_agency_alone(shared: Platform) -> None:
    with shared.books() as house:
        identity = house.file(a_form(content=b"likeness\n"))
    path = f"/api/applications/{identity}/likeness"
    get = shared.client.get
    assert get(path).status_code == 401
    assert get(path, headers=shared.headers(f"party:{PROVIDER}")).status_code == 403
    assert get(path, headers=shared.headers("staff:reviewer")).json()["report"]["application"] == identity
    unknown = get(f"/api/applications/{'0' * 32}/likeness", headers=shared.headers("staff:reviewer"))
    assert unknown.status_code == 404


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81\xff", b"a,b\n1,2\n"])
def test_sketch__of_no_table_or_too_few_rows__says_so_and_writes_nothing(tmp_path: Path, content: bytes) -> None:
    data, out = tmp_path / "x.csv", tmp_path / "x.json"
    data.write_bytes(content)
    more = ["--holder", PROVIDER, "--sha256", "0" * 64, "--sm3", "0" * 64]
    done = CliRunner().invoke(app, ["likeness", "sketch", str(data), str(out), *more])
    assert done.exit_code == 2, done.output
    assert "file" in done.output
    assert not out.exists()
    out.write_text(json.dumps({"parts": []}))
    assert CliRunner().invoke(app, ["likeness", "compare", str(out), str(out)]).exit_code == 0
