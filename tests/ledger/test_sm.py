"""SM2 against the standard's example, gmssl (an implementation in plain Python) and OpenSSL, in both directions."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gmssl_pyx
import pytest
from eth_hash.auto import keccak
from gmssl.sm2 import CryptSM2
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import eip712, sm
from ledger.digest import sm3
from ledger.errors import FieldError, WrongChain
from tests.counts import few
from tests.second_sm2 import second_sm2

ROOT = Path(__file__).resolve().parent.parent.parent

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


def other(key: sm.Sm2Key) -> CryptSM2:
    """gmssl with our key."""
    return second_sm2(key.public, key.private.hex())


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
    value = other(key).sign_with_sm3(message, f"{k:064x}")
    assert value is not None
    assert sm.verify(key.public, message, bytes.fromhex(value))


@settings(max_examples=few(12), deadline=None)
@given(st.integers(1, sm.N - 2), st.binary(min_size=32, max_size=32))
def test_sign__verified_by_the_oracle(d: int, message: bytes) -> None:
    key = sm.from_private(d.to_bytes(32, "big"))
    value = sm.sign(key, message)
    assert len(value) == 64
    assert other(key).verify_with_sm3(value.hex(), message)
    assert sm.verify(key.public, message, value)


def test_sign__key_whose_x_starts_with_04__verified_by_the_oracle() -> None:
    keys = (sm.from_private(d.to_bytes(32, "big")) for d in range(1, 3_000))
    hard = [key for key in keys if key.public.startswith(("0404", "0400"))]
    assert len(hard) == 20
    for key in hard[:4]:
        assert other(key).verify_with_sm3(sm.sign(key, MESSAGE).hex(), MESSAGE)


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


@pytest.mark.parametrize(
    "value", [b"", VALID[:63], VALID + b"\0", VALID[:32], sm._der(1, 1)], ids=["none", "63", "65", "32", "der"]
)
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
    "d", [*range(1, 18), *(sm.N // 2 + i for i in range(-2, 3)), 2**255, *range(sm.N - 6, sm.N - 1)]
)
def test_from_private__at_the_edges__is_the_point_of_the_oracle(d: int) -> None:
    oracle = second_sm2(PUBLIC, D)
    assert sm.from_private(d.to_bytes(32, "big")).public == "04" + oracle._kg(d, oracle.ecc_table["g"])


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


# --- the check at start: every fault is simulated ---------------------------------------------------------------------


def test_self_check__good_platform__passes_and_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    sm.self_check()
    eip712.self_check()
    assert capfd.readouterr() == ("", "")


FAULTS: dict[str, tuple[Any, str, Any]] = {
    "sm3 answers nothing": (sm, "sm3", lambda data: bytes(32)),
    "sm3 is sha-256": (sm, "sm3", lambda data: hashlib.sha256(data).digest()),
    "sm3 is keccak": (sm, "sm3", keccak),
    "sm3 right for one block only": (sm, "sm3", lambda data: sm3(data[:60])),
    "the library's sm3 is another": (gmssl_pyx, "sm3_hash", lambda data: hashlib.sha256(data).digest()),
    "every signature is good": (gmssl_pyx, "sm2_verify_sm3_digest", lambda *given_: True),
    "no signature is good": (gmssl_pyx, "sm2_verify_sm3_digest", lambda *given_: False),
    "signing ignores its message": (
        gmssl_pyx, "sm2_sign_sm3_digest", lambda private, digest: sm._der(*_words(VALUE)),
    ),
    "another curve": (sm, "_GX", sm._GX ^ 1),
    "z of another form": (sm, "_z", lambda public, signer_id: bytes(32)),
}  # fmt: skip


def _words(value: bytes) -> tuple[int, int]:
    return int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")


@pytest.mark.parametrize("name", FAULTS)
def test_self_check__a_fault__refuses_to_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FAULTS[name])
    with pytest.raises(WrongChain):
        sm.self_check()


@pytest.mark.parametrize("other_hash", [sm3, lambda data: hashlib.sha3_256(data).digest(), lambda data: bytes(32)])
def test_self_check__keccak_is_another_function__refuses_to_start(
    other_hash: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library of the national suite answers SM3 where keccak256 is asked for; SHA3-256 is its other double."""
    monkeypatch.setattr(eip712, "keccak", other_hash)
    with pytest.raises(WrongChain, match="keccak256"):
        eip712.self_check()


def test_start__openssl_without_sm3__says_so() -> None:
    program = (
        "import hashlib; made = hashlib.new\n"
        "def new(name, *rest, **more):\n"
        "    if name == 'sm3': raise ValueError('unsupported hash type sm3')\n"
        "    return made(name, *rest, **more)\n"
        "hashlib.new = new\n"
        "import api.cli\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "本机 Python 所用的 OpenSSL 不提供 SM3" in done.stderr.splitlines()[-1]


# --- OpenSSL as a second opinion --------------------------------------------------------------------------------------

PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""SubjectPublicKeyInfo of an SM2 key up to the point: id-ecPublicKey, 1.2.156.10197.1.301."""


def openssl(*arguments: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    found = shutil.which("openssl")
    if found is None:
        pytest.skip("no openssl command on this machine")
    return subprocess.run([found, *map(str, arguments)], input=data, capture_output=True, check=False)


@pytest.fixture(scope="module")
def with_sm2() -> None:
    known = openssl("ecparam", "-name", "SM2", "-noout")
    if known.returncode != 0:
        pytest.skip(f"this openssl has no SM2: {known.stderr.decode()[:200]}")


def spki(public: str) -> bytes:
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(PREFIX + bytes.fromhex(public)) + (
        b"-----END PUBLIC KEY-----\n"
    )  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_openssl__sm3_of_any_length__agrees(size: int) -> None:
    data = bytes(range(256)) * 4
    done = openssl("dgst", "-sm3", "-binary", data=data[:size])
    if done.returncode != 0:
        pytest.skip(f"this openssl has no SM3: {done.stderr.decode()[:200]}")
    assert done.stdout == sm3(data[:size])


@pytest.mark.parametrize("signer_id", [sm.DEFAULT_SIGNER_ID, "ALICE123@YAHOO.COM"])
def test_openssl__verifies_what_we_sign_and_refuses_what_we_refuse(
    with_sm2: None, tmp_path: Path, signer_id: str
) -> None:
    (tmp_path / "key.pem").write_bytes(spki(KEY.public))
    (tmp_path / "message").write_bytes(MESSAGE)
    given_ = ("-pubin", "-inkey", tmp_path / "key.pem", "-rawin", "-digest", "sm3", "-in", tmp_path / "message",
              "-sigfile", tmp_path / "value", "-pkeyopt")  # fmt: skip
    for _ in range(few(5)):
        (tmp_path / "value").write_bytes(sm._der(*_words(sm.sign(KEY, MESSAGE, signer_id))))
        good = openssl("pkeyutl", "-verify", *given_, f"distid:{signer_id}")
        assert good.returncode == 0, good.stdout + good.stderr
        assert openssl("pkeyutl", "-verify", *given_, "distid:another").returncode != 0
    (tmp_path / "message").write_bytes(MESSAGE[:-1] + bytes([MESSAGE[-1] ^ 1]))
    assert openssl("pkeyutl", "-verify", *given_, f"distid:{signer_id}").returncode != 0


def test_openssl__signs_and_we_verify(with_sm2: None, tmp_path: Path) -> None:
    """Its own key, its own nonce, its own encoding; we read the key out of its file."""
    made = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", tmp_path / "key.pem")
    assert made.returncode == 0, made.stderr
    public = openssl("pkey", "-in", tmp_path / "key.pem", "-pubout", "-outform", "DER").stdout
    assert public.startswith(PREFIX)
    (tmp_path / "message").write_bytes(MESSAGE)
    for _ in range(few(5)):
        done = openssl("pkeyutl", "-sign", "-inkey", tmp_path / "key.pem", "-rawin", "-digest", "sm3", "-in",
                       tmp_path / "message", "-pkeyopt", f"distid:{sm.DEFAULT_SIGNER_ID}")  # fmt: skip
        assert done.returncode == 0, done.stderr
        value = sm._raw(done.stdout)
        assert sm.verify(public[len(PREFIX) :].hex(), MESSAGE, value)
        assert not sm.verify(KEY.public, MESSAGE, value)
