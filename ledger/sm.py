"""SM2 (GB/T 32918) and SM3 (GB/T 32905): the only importer of the SM library.

Signatures are r‖s, 64 bytes; public keys 04‖x‖y, 130 hex characters; DER exists only inside this file. What is signed
is always a fixed 32-byte message, and the signer id is always given, never assumed by the library (tech rules §3.3).
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import gmssl_pyx

from ledger.digest import sm3
from ledger.errors import FieldError, WrongChain

swift_sm3: Callable[[bytes], bytes] = gmssl_pyx.sm3_hash
"""SM3 of short texts by this library: what `ledger.digest.sm3` answers (`self_check`), for many hashes at once."""

DEFAULT_SIGNER_ID = "1234567812345678"
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_A = P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
_GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """A key pair; `private` is 32 bytes and never printed, `public` is 130 hex characters."""

    private: bytes
    public: str

    def __repr__(self) -> str:
        return f"Sm2Key(public={self.public})"


def generate() -> Sm2Key:
    """A fresh key pair from the operating system's randomness."""
    return from_private((secrets.randbelow(N - 2) + 1).to_bytes(32, "big"))


def from_private(private: bytes) -> Sm2Key:
    """The pair of a 32-byte private key. Raises `FieldError` if it is not in [1, n-2]."""
    scalar = int.from_bytes(private, "big")
    if len(private) != 32 or not 1 <= scalar <= N - 2:
        raise FieldError("private", "1…n-2 之间的 32 字节 / 32 bytes in 1…n-2", f"{len(private)} 字节 / bytes")
    x, y = _multiply(scalar)
    return Sm2Key(private, f"04{x:064x}{y:064x}")


def check_public(public: str) -> str:
    """Returns `public` if it is 04‖x‖y of a point on the curve. Raises `FieldError`."""
    if (
        isinstance(public, str)
        and len(public) == 130
        and public.startswith("04")
        and not public.strip("0123456789abcdef")
    ):
        x, y = int(public[2:66], 16), int(public[66:], 16)
        if x < P and y < P and (y * y - (x * x * x + _A * x + _B)) % P == 0:
            return public
    raise FieldError("key", "SM2 曲线上的公钥 04‖x‖y / an SM2 public key 04‖x‖y on the curve", repr(public)[:80])


def sign(key: Sm2Key, message: bytes, signer_id: str = DEFAULT_SIGNER_ID) -> bytes:
    """r‖s over the 32-byte `message`, bound to `signer_id`. Raises `FieldError` for another length."""
    _check_message(message)
    return _raw(gmssl_pyx.sm2_sign_sm3_digest(key.private, sm3(_z(key.public, signer_id) + message)))


def verify(public: str, message: bytes, value: bytes, signer_id: str = DEFAULT_SIGNER_ID) -> bool:
    """Is `value` (64 bytes r‖s) a signature of `public` over the 32-byte message? Never raises on bad signatures."""
    _check_message(message)
    if len(value) != 64:
        return False
    r, s = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    try:
        point = bytes.fromhex(check_public(public))[1:]
        return _says(point, sm3(_z(public, signer_id) + message), _der(r, s))
    except FieldError:
        return False


def self_check() -> None:
    """Known answers of SM3 and SM2 from the standards, so that nothing starts on a platform where another function
    stands under their names or a check always says yes. Raises `WrongChain`."""
    # GB/T 32905-2016, annex A.1 and A.2: one block and two.
    for data, answer in ((b"abc", _SM3_OF_ABC), (b"abcd" * 16, _SM3_OF_TWO_BLOCKS)):
        if {sm3(data).hex(), swift_sm3(data).hex(), gmssl_pyx.sm3_hash(data).hex()} != {answer}:
            raise WrongChain("SM3 自检失败。 / SM3 self-check failed.")
    # GB/T 32918.5-2017, annex A.2: key, digest and signature of the signing example on the recommended curve.
    example = from_private(bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"))
    known = _der(_EXAMPLE_R, _EXAMPLE_S)
    point = bytes.fromhex(example.public)[1:]
    if sm3(_z(example.public, DEFAULT_SIGNER_ID) + b"message digest") != _EXAMPLE_DIGEST:
        raise WrongChain("SM2 自检失败。 / SM2 self-check failed.")
    message = sm3(b"message digest")
    value = sign(example, message)
    right = _says(point, _EXAMPLE_DIGEST, known) and verify(example.public, message, value)
    with _quiet():
        wrong = _says(point, bytes(32), known) or verify(example.public, sm3(b"another"), value)
    if wrong or not right:
        raise WrongChain("SM2 自检失败。 / SM2 self-check failed.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's own lines off stderr; only while nothing else runs, for the descriptor is everybody's."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


_SM3_OF_ABC = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
_SM3_OF_TWO_BLOCKS = "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
_EXAMPLE_DIGEST = bytes.fromhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
_EXAMPLE_R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
_EXAMPLE_S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA


def _check_message(message: bytes) -> None:
    if len(message) != 32:
        raise FieldError("message", "32 字节 / 32 bytes", f"{len(message)}")


def _says(point: bytes, digest: bytes, der: bytes) -> bool:
    """The library's verdict over a digest. It also writes lines of its C source to stderr when it says no: that is
    compiled into it, and turning file descriptor 2 away would take the words of other threads with it."""
    try:
        return bool(gmssl_pyx.sm2_verify_sm3_digest(point, digest, der))
    except gmssl_pyx.GmsslInnerError:
        return False


@lru_cache(maxsize=4096)
def _z(public: str, signer_id: str) -> bytes:
    """Z of GB/T 32918.2 §5.5: binds the curve, the public key and the signer id."""
    identity = signer_id.encode()
    if not 0 < len(identity) < 8192:
        raise FieldError("signer_id", "1 至 8191 字节 / 1 to 8191 bytes", f"{len(identity)}")
    curve = b"".join(value.to_bytes(32, "big") for value in (_A, _B, _GX, _GY))
    return sm3((len(identity) * 8).to_bytes(2, "big") + identity + curve + bytes.fromhex(public)[1:])


def _der(r: int, s: int) -> bytes:
    def integer(value: int) -> bytes:
        body = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\x02" + bytes([len(body)]) + body

    body = integer(r) + integer(s)
    return b"\x30" + bytes([len(body)]) + body


def _raw(der: bytes) -> bytes:
    """r‖s of the library's own DER output (SEQUENCE of two INTEGERs, each shorter than 128 bytes)."""
    length = der[3]
    r = int.from_bytes(der[4 : 4 + length], "big")
    s = int.from_bytes(der[6 + length :], "big")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _multiply(scalar: int) -> tuple[int, int]:
    """scalar·G in affine coordinates, 0 < scalar < n; used for key derivation only, the library signs.

    Jacobian coordinates (X/Z², Y/Z³), so that one inversion at the end is enough. Formulas: dbl-2001-b (a = −3) and
    madd of the Explicit-Formulas Database. No sum on the way meets ±G or the neutral element: the scalars so far are
    2…n − 2 before G is added.
    """
    x, y, z = _GX, _GY, 1
    for bit in bin(scalar)[3:]:
        delta, gamma = z * z % P, y * y % P
        beta, alpha = x * gamma % P, 3 * (x - delta) * (x + delta) % P
        z = 2 * y * z % P
        x = (alpha * alpha - 8 * beta) % P
        y = (alpha * (4 * beta - x) - 8 * gamma * gamma) % P
        if bit == "1":
            square = z * z % P
            h, r = (_GX * square - x) % P, (_GY * square * z - y) % P
            cube, part = h * h * h % P, x * h * h % P
            z = z * h % P
            x = (r * r - cube - 2 * part) % P
            y = (r * (part - x) - y * cube) % P
    inverse = pow(z, -1, P)
    return x * inverse * inverse % P, y * inverse * inverse * inverse % P
