"""认证机构（演示）: issues key certificates for the agency's seal and for the time-stamp authority, under its own root.

GET  /key           {"certificate": root (PEM), "kind": "certificate-authority", "name"}
POST /certificates  {"request": PKCS #10 (DER, base64), "use": "seal" | "stamp"} → {"certificates": PEM, the
                    issued one first, the root last}; valid for three years from the day before

The same request again gets the first answer byte for byte (200 instead of 201). A request whose own signature does not
fit is refused. Whom it names is taken from the request as it stands: this stand-in checks nobody's papers, and says so
in the issuer's name, which carries 演示, as does every certificate.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.digest import sha256
from ledger.errors import FieldError
from scripts.counterparties import (
    NOTICE,
    Answer,
    Clock,
    Request,
    Route,
    answer,
    p256_key,
    parser,
    serve,
    signed_answer,
    store,
)

DAYS = 3 * 365
ROOT_DAYS = 20 * 365
SCHEMA = """
CREATE TABLE IF NOT EXISTS certificate (
  no INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL UNIQUE, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS root (one INTEGER PRIMARY KEY CHECK (one = 1), certificate TEXT NOT NULL)
"""
USES = ("seal", "stamp")


@dataclass(frozen=True, slots=True)
class Authority:
    name: str
    key: ec.EllipticCurvePrivateKey
    root: x509.Certificate
    clock: Clock
    transaction: Any

    def show_key(self, request: Request) -> Answer:
        return answer({"certificate": _pem(self.root), "kind": "certificate-authority", "name": self.name})

    def certify(self, request: Request) -> Answer:
        asked = request.document({"request", "use"})
        if asked["use"] not in USES:
            raise FieldError("use", " | ".join(USES), repr(asked["use"])[:80])
        wanted = _request(asked["request"])
        digest = sha256(wanted.public_bytes(Encoding.DER) + str(asked["use"]).encode()).hex()
        with self.transaction() as database:
            stored = database.execute("SELECT answer FROM certificate WHERE request = ?", (digest,)).fetchone()
            if stored is not None:
                return signed_answer(stored["answer"])
            made = self._issue(wanted, str(asked["use"]))
            given = answer({"certificates": _pem(made) + _pem(self.root)}, 201)
            database.execute("INSERT INTO certificate VALUES (NULL, ?, ?)", (digest, given.body.decode()))
            return given

    def _issue(self, wanted: x509.CertificateSigningRequest, use: str) -> x509.Certificate:
        start = datetime.fromtimestamp(self.clock.now(), UTC) - timedelta(days=1)
        note = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{NOTICE}用证书，不具法律效力")
        stamp = use == "stamp"
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([*wanted.subject, note]))
            .issuer_name(self.root.subject)
            .public_key(wanted.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage("digital_signature", *(() if stamp else ("content_commitment",))), critical=True)
        )
        if stamp:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        return builder.sign(self.key, SHA256())


def _request(text: Any) -> x509.CertificateSigningRequest:
    try:
        wanted = x509.load_der_x509_csr(base64.b64decode(text, validate=True))
        fits = wanted.is_signature_valid and wanted.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, TypeError, AttributeError) as error:
        raise FieldError("request", "PKCS #10 (DER, base64)", repr(text)[:80]) from error
    if not fits:
        raise FieldError("request", "自签完好并有名称 / its own signature and a common name", "没有 / missing")
    return wanted


def _root(name: str, key: ec.EllipticCurvePrivateKey, clock: Clock, transaction: Any) -> x509.Certificate:
    """The root certificate, made on first start."""
    with transaction() as database:
        stored = database.execute("SELECT certificate FROM root").fetchone()
        if stored is not None:
            return x509.load_pem_x509_certificate(stored["certificate"].encode())
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = datetime.fromtimestamp(clock.now(), UTC) - timedelta(days=1)
        root = (
            x509.CertificateBuilder()
            .subject_name(named)
            .issuer_name(named)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=ROOT_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .sign(key, SHA256())
        )
        database.execute("INSERT INTO root VALUES (1, ?)", (_pem(root),))
        return root


def _usage(*wanted: str) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in wanted for name in names})


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def main() -> None:
    given = parser("认证机构", "电子认证服务机构（演示）").parse_args()
    clock, transaction = Clock(given.clock), store(given.home, SCHEMA)
    key = p256_key(given.home)
    authority = Authority(given.name, key, _root(given.name, key, clock, transaction), clock, transaction)
    serve((Route("GET", "/key", authority.show_key), Route("POST", "/certificates", authority.certify)), given.port)


if __name__ == "__main__":
    main()
