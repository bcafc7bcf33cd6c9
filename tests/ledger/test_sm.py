"""SM2 against the standard's example and gmssl, an independent implementation in plain Python, in both directions."""

from __future__ import annotations

import gmssl_pyx
import pytest
from gmssl import sm2 as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import sm
from ledger.digest import sm3
from ledger.errors import FieldError, WrongChain
from tests.counts import few

# GB/T 32918.5-2017, annex A.2 (the recommended curve; the standard's example k, e over "message digest").
D = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"
K = "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21"
PUBLIC = (
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
Z = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
E = "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
VALUE = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
KEY = sm.from_private(bytes.fromhex(D))
MESSAGE = sm3(b"what is signed")


def other(key: sm.Sm2Key) -> oracle.CryptSM2:
    """gmssl with our key; it strips leading 0 and 4 of a key that starts with 04, so the prefix is left out."""
    assert not key.public[2:].startswith("04")
    return oracle.CryptSM2(private_key=key.private.hex(), public_key=key.public[2:])


def test_standard__public_key_of_the_example() -> None:
    assert KEY.public == PUBLIC


def test_standard__z_and_e_of_the_example() -> None:
    assert sm._z(PUBLIC, sm.DEFAULT_SIGNER_ID).hex() == Z
    assert sm3(bytes.fromhex(Z) + b"message digest").hex() == E


def test_standard__the_oracle_makes_the_example_signature_with_the_example_k() -> None:
    assert other(KEY).sign(bytes.fromhex(E), K) == VALUE.hex()


def test_standard__the_library_verifies_the_example_signature() -> None:
    r, s = int.from_bytes(VALUE[:32], "big"), int.from_bytes(VALUE[32:], "big")
    assert gmssl_pyx.sm2_verify_sm3_digest(bytes.fromhex(PUBLIC)[1:], bytes.fromhex(E), sm._der(r, s))


@settings(max_examples=few(12), deadline=None)
@given(st.integers(1, sm.N - 2), st.binary(min_size=32, max_size=32), st.integers(1, sm.N - 1))
def test_verify__signed_by_the_oracle_with_a_fixed_k__accepted(d: int, message: bytes, k: int) -> None:
    key = sm.from_private(d.to_bytes(32, "big"))
    if key.public[2:].startswith("04"):
        return
    value = other(key).sign_with_sm3(message, f"{k:064x}")
    assert value is not None
    assert sm.verify(key.public, message, bytes.fromhex(value))


@settings(max_examples=few(12), deadline=None)
@given(st.integers(1, sm.N - 2), st.binary(min_size=32, max_size=32))
def test_sign__verified_by_the_oracle(d: int, message: bytes) -> None:
    key = sm.from_private(d.to_bytes(32, "big"))
    if key.public[2:].startswith("04"):
        return
    value = sm.sign(key, message)
    assert len(value) == 64
    assert other(key).verify_with_sm3(value.hex(), message)
    assert sm.verify(key.public, message, value)


def test_sign__many_times__always_64_bytes_even_with_leading_zeros() -> None:
    values = [sm.sign(KEY, MESSAGE) for _ in range(600)]
    assert {len(value) for value in values} == {64}
    assert len(set(values)) == 600
    short = [value for value in values if value[0] == 0 or value[32] == 0]
    assert all(sm.verify(KEY.public, MESSAGE, value) for value in short[:5] + values[:5])


VALID = sm.sign(KEY, MESSAGE)


def test_verify__every_flipped_bit__refused() -> None:
    for bit in range(0, 512, 7):
        altered = bytearray(VALID)
        altered[bit // 8] ^= 1 << bit % 8
        assert not sm.verify(KEY.public, MESSAGE, bytes(altered))


@pytest.mark.parametrize("value", [b"", VALID[:63], VALID + b"\0", VALID[:32], sm._der(1, 1)])
def test_verify__truncated_or_longer__refused(value: bytes) -> None:
    assert not sm.verify(KEY.public, MESSAGE, value)


@pytest.mark.parametrize("number", [0, sm.N, sm.N + 1, 2**256 - 1])
def test_verify__r_or_s_out_of_range__refused(number: int) -> None:
    word = number.to_bytes(32, "big")
    assert not sm.verify(KEY.public, MESSAGE, word + VALID[32:])
    assert not sm.verify(KEY.public, MESSAGE, VALID[:32] + word)


def test_verify__r_plus_n__is_not_a_second_form_of_the_signature() -> None:
    r, s = int.from_bytes(VALID[:32], "big"), int.from_bytes(VALID[32:], "big")
    for altered in ((r, sm.N - s), (s, r), (sm.N - r, s)):
        assert not sm.verify(KEY.public, MESSAGE, b"".join(n.to_bytes(32, "big") for n in altered))


def test_verify__r_plus_s_is_zero__refused() -> None:
    assert not sm.verify(KEY.public, MESSAGE, (5).to_bytes(32, "big") + (sm.N - 5).to_bytes(32, "big"))


@pytest.mark.parametrize("signer_id", ["", "1234567812345679", "ALICE123@YAHOO.COM", "x" * 8192])
def test_verify__another_signer_id__refused(signer_id: str) -> None:
    assert not sm.verify(KEY.public, MESSAGE, VALID, signer_id)


def test_verify__own_signer_id__accepted_only_with_it() -> None:
    value = sm.sign(KEY, MESSAGE, "ALICE")
    assert sm.verify(KEY.public, MESSAGE, value, "ALICE")
    assert not sm.verify(KEY.public, MESSAGE, value)


BAD_KEYS = [
    PUBLIC[:-1] + "4",
    "04" + "0" * 128,
    "04" + f"{sm.P:064x}" + PUBLIC[66:],
    "02" + PUBLIC[2:],
    PUBLIC[2:],
    PUBLIC[:-2],
    PUBLIC + "00",
    PUBLIC.upper(),
    "04" + "g" * 128,
    "",
]


@pytest.mark.parametrize("public", BAD_KEYS)
def test_public__off_the_curve_or_another_form__refused_everywhere(public: str) -> None:
    with pytest.raises(FieldError):
        sm.check_public(public)
    assert not sm.verify(public, MESSAGE, VALID)


def test_check_public__good__answers_it() -> None:
    assert sm.check_public(PUBLIC) == PUBLIC


@pytest.mark.parametrize(
    "private", [bytes(32), (sm.N - 1).to_bytes(32, "big"), sm.N.to_bytes(32, "big"), b"\1" * 31, b""]
)
def test_from_private__out_of_range__refused(private: bytes) -> None:
    with pytest.raises(FieldError):
        sm.from_private(private)


@pytest.mark.parametrize("message", [b"", bytes(31), bytes(33)])
def test_message__not_32_bytes__refused(message: bytes) -> None:
    with pytest.raises(FieldError):
        sm.sign(KEY, message)
    with pytest.raises(FieldError):
        sm.verify(KEY.public, message, VALID)


def test_generate__fresh_and_on_the_curve__repr_hides_the_private_half() -> None:
    one, two = sm.generate(), sm.generate()
    assert one != two
    assert sm.check_public(one.public) == one.public
    assert one.private.hex() not in repr(one)
    assert str(one.private) not in repr(one)


def test_self_check__good_platform_passes__broken_sm3_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    sm.self_check()
    monkeypatch.setattr(sm, "sm3", lambda data: bytes(32))
    with pytest.raises(WrongChain):
        sm.self_check()
