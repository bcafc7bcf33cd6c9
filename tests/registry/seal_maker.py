"""A certification authority, a seal and a time-stamp authority for tests, all in this process, all 演示."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from asn1crypto import keys, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from ledger import sm
from registry.credential.did import Anchorage, Issuer
from registry.seal import Seal

YEARS = 6 * 365
START = datetime(2026, 1, 1, tzinfo=UTC)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Authority:
    """A root that issues certificates for seals ("seal") and time stamps ("stamp")."""

    key: ec.EllipticCurvePrivateKey
    root: x509.Certificate

    def issue(
        self, name: str, public: Any, use: str, *, start: datetime = START, days: int = YEARS
    ) -> x509.Certificate:
        stamp = use == "stamp"
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(self.root.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(digital_signature=True, content_commitment=not stamp), critical=True)
        )
        if stamp:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        return builder.sign(self.key, SHA256())


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


def authority(name: str = "演示认证机构") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    root = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=2 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, SHA256())
    )
    return Authority(key, root)


def a_seal(house: Authority | None = None, *, trial: bool = True, stamper: Stamper | None = None, **more: Any) -> Seal:
    """A seal under `house` (default: the shared test authority), with a time stamp if there is a `stamper`."""
    house = house or shared()
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = house.issue("某某登记机构　登记专用章（演示）", key.public_key(), "seal", **more)
    return Seal(
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        (der(leaf), der(house.root)),
        trial,
        stamper.answer if stamper else None,
        der(stamper.house.root) if stamper else b"",
    )


class Stamper:
    """A time-stamp authority that answers at `now` (seconds UTC)."""

    def __init__(self, house: Authority, now: int) -> None:
        self.house, self.now, self.asked = house, now, 0
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key = keys.PrivateKeyInfo.load(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        self._leaf = house.issue("演示时间戳机构", key.public_key(), "stamp")

    def answer(self, question: bytes) -> bytes:
        self.asked += 1
        store = SimpleCertificateStore()
        store.register(asn1.Certificate.load(der(self.house.root)))
        made = DummyTimeStamper(
            asn1.Certificate.load(der(self._leaf)), self._key, store, datetime.fromtimestamp(self.now, UTC)
        )
        return bytes(made.request_tsa_response(tsp.TimeStampReq.load(question)).dump())


@cache
def shared() -> Authority:
    return authority()


@cache
def shared_seal() -> Seal:
    return a_seal()


def an_issuer(base: str = "https://example.test", by: str = "party:91330100MA0000001X") -> Issuer:
    """An issuer with fresh keys; nothing is written to any chain."""
    private, own = Ed25519PrivateKey.generate(), sm.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    anchorage = Anchorage(31337, "0x" + "4" * 40)
    return Issuer(base, by, public, own.public, anchorage, private.sign, lambda message: sm.sign(own, message))


@cache
def shared_issuer() -> Issuer:
    return an_issuer()
