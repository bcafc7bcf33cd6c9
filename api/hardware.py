"""A secp256k1 key that never leaves its hardware: signing EIP-712 digests through PKCS #11 (OASIS, version 2.40).

The key file names the module, the token and the key instead of holding the key. SM2 is in no version of the standard,
and every maker numbers its mechanism otherwise; that key stays in the file. The package `python-pkcs11` comes with the
extra `shuqing[token]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ledger import eip712
from ledger.errors import BadSignature, FieldError

SECP256K1 = "1.3.132.0.10"
Sign = Callable[[bytes], bytes]
"""Makes 65 bytes r ‖ s ‖ v over a 32-byte digest, as `ledger.eip712.sign` does."""


@dataclass(frozen=True, slots=True)
class HardwareKey:
    """Where a key is: the maker's module (a shared library), the token by its label, the key by its own; `address` is
    what its signatures give."""

    module: str
    token: str
    key: str
    address: str


@contextmanager
def opened(key: HardwareKey, pin: str) -> Iterator[Sign]:
    """The token's signer, as long as the block lasts. Raises `FieldError` for a module, token, PIN or key that is not
    there, and for a key of another address."""
    from pkcs11 import KeyType, Mechanism, ObjectClass

    with _session(key, pin) as session:
        try:
            private = session.get_key(ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, label=key.key)
        except Exception as error:
            expected = "令牌中的一把密钥 / one key of the token"
            raise FieldError("evm.key", expected, f"{key.key}: {_why(error)}") from error

        def sign(digest: bytes) -> bytes:
            raw = bytes(private.sign(digest, mechanism=Mechanism.ECDSA))
            return recoverable(raw, digest, key.address)

        sign(bytes(32))  # another key is found out before anything is shown to be signed
        yield sign


def generate(module: str, token: str, label: str, pin: str) -> HardwareKey:
    """Makes a key inside the token, which cannot be read out, and says where it is. Raises `FieldError`."""
    from pkcs11 import Attribute, KeyType, ObjectClass
    from pkcs11.util.ec import encode_named_curve_parameters

    with _session(HardwareKey(module, token, label, ""), pin, write=True) as session:
        if list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label})):
            raise FieldError("evm.key", "尚未使用的标签 / a label not used yet", label)
        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(SECP256K1)}
        domain = session.create_domain_parameters(KeyType.EC, curve, local=True)
        hidden = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        public, _ = domain.generate_keypair(store=True, label=label, private_template=hidden)
        return HardwareKey(module, token, label, address_of(bytes(public[Attribute.EC_POINT])))


def recoverable(raw: bytes, digest: bytes, address: str) -> bytes:
    """A signature r ‖ s of a token as 65 bytes: s in the lower half, v by trying both. Raises `BadSignature` where
    neither gives the address."""
    if len(raw) != 64:
        raise BadSignature("secp256k1", f"令牌应给出 64 字节，实为 {len(raw)} / a token gives 64 bytes")
    r, s = raw[:32], int.from_bytes(raw[32:], "big")
    if not 0 < s < eip712.ORDER:
        raise BadSignature("secp256k1", "s 不在范围内 / s is out of range")
    low = min(s, eip712.ORDER - s).to_bytes(32, "big")
    for v in (27, 28):
        value = r + low + bytes([v])
        try:
            if eip712.recover(digest, value) == eip712.to_checksum(address):
                return value
        except BadSignature:
            continue
    raise BadSignature("secp256k1", f"令牌中的密钥不是 {address} 的 / the token's key is another's")


def address_of(point: bytes) -> str:
    """The checksummed address of a public key as tokens give it: an uncompressed point in a DER octet string."""
    bare = point[2:] if point[:2] == b"\x04\x41" else point
    if len(bare) != 65 or bare[0] != 4:
        raise FieldError("evm.point", "未压缩点 / an uncompressed point", bare.hex()[:20])
    return eip712.address_of_point(bare)


@contextmanager
def _session(key: HardwareKey, pin: str, *, write: bool = False) -> Iterator[Any]:
    try:
        import pkcs11
    except ImportError as error:
        expected = "pip install 'shuqing[token]'"
        raise FieldError("pkcs11", expected, "未安装 / not installed") from error
    try:
        session = pkcs11.lib(key.module).get_token(token_label=key.token).open(user_pin=pin, rw=write)
    except Exception as error:  # the binding raises classes of its own for module, token and PIN
        expected = "可用的模块、令牌和 PIN / a module, a token and its PIN"
        raise FieldError("evm.pkcs11", expected, f"{key.module} {key.token}: {_why(error)}") from error
    with session:
        yield session


def _why(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
