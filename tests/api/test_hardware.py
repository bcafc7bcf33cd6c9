"""Signatures of a token in the form contracts take: low s, the right v, and only of the key it is said to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coincurve import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from api import hardware, keyfiles
from api.hardware import HardwareKey
from ledger import eip712
from ledger.errors import BadSignature, FieldError
from tests.counts import few

KEY = (7).to_bytes(32, "big")
ADDRESS = eip712.address_of(KEY)


@settings(max_examples=few(100), deadline=None)
@given(st.integers(1, eip712.ORDER - 1), st.binary(min_size=32, max_size=32), st.booleans())
def test_recoverable__either_half__gives_what_the_key_in_software_signs_for(d: int, digest: bytes, high: bool) -> None:
    private = d.to_bytes(32, "big")
    address, signed = eip712.address_of(private), eip712.sign(private, digest)
    s = int.from_bytes(signed[32:64], "big")
    raw = signed[:32] + (eip712.ORDER - s if high else s).to_bytes(32, "big")
    assert hardware.recoverable(raw, digest, address) == signed
    with pytest.raises(BadSignature):
        hardware.recoverable(raw, digest, ADDRESS if address != ADDRESS else eip712.address_of((8).to_bytes(32, "big")))


@pytest.mark.parametrize("raw", [b"", bytes(64), b"\xff" * 64, bytes(63), bytes(65)])
def test_recoverable__no_signature__refused(raw: bytes) -> None:
    with pytest.raises(BadSignature):
        hardware.recoverable(raw, bytes(32), ADDRESS)


def test_address__of_a_point_with_or_without_its_wrapping() -> None:
    point = PrivateKey(KEY).public_key.format(compressed=False)
    assert hardware.address_of(point) == hardware.address_of(b"\x04\x41" + point) == ADDRESS
    for wrong in (b"", point[:-1], point[1:], b"\x04" + bytes(64)):
        with pytest.raises(FieldError):
            hardware.address_of(wrong)


def test_key_file__names_the_token_instead_of_the_key(tmp_path: Path) -> None:
    where = HardwareKey("/usr/lib/module.so", "sq", "k1", ADDRESS)
    made = keyfiles.create(tmp_path / "key.json", "party:91330100MA0000005U", hardware=where)
    assert (made.address, made.evm) == (ADDRESS, b"")
    again = keyfiles.load(tmp_path / "key.json")
    assert (again.hardware, again.address, again.evm) == (where, ADDRESS, b"")
    document = json.loads((tmp_path / "key.json").read_text())
    assert document["evm"] == {"module": "/usr/lib/module.so", "token": "sq", "key": "k1", "address": ADDRESS}
    document["evm"]["pin"] = "1234"
    (tmp_path / "key.json").write_text(json.dumps(document))
    with pytest.raises(FieldError):
        keyfiles.load(tmp_path / "key.json")


def test_open__module_that_is_not_there__says_so() -> None:
    with (
        pytest.raises(FieldError) as error,
        hardware.opened(HardwareKey("/nowhere/module.so", "sq", "k1", ADDRESS), "1234"),
    ):
        pass
    assert "/nowhere/module.so" in str(error.value)
