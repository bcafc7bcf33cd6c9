"""The agency's seal in the home folder: `keys/seal.pem` with private key and key certificates, and the door to the
time-stamp authority (RFC 3161).

`shuqing init` makes a key with a certificate it signs itself: a 演示用印, good for trials. For a seal that counts the
certificate comes from a certification authority: `shuqing seal request`, then `shuqing seal install`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from api import keyfiles
from api.settings import Settings, SettingsError
from ledger.errors import FieldError
from registry.errors import PaperRefused
from registry.seal import Ask, Seal

FILE = "seal.pem"
TRIAL_DAYS = 3 * 365
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n?", re.DOTALL)


def path_of(home: Path) -> Path:
    """Where the seal is kept."""
    return home / "keys" / FILE


def create(path: Path, agency: str, *, at: int) -> None:
    """A fresh P-256 key with a certificate of its own making, valid from the day before `at` (seconds UTC) for three
    years; the file must not exist yet (FileExistsError)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(agency, "演示用印")
    start = datetime.fromtimestamp(at, UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=TRIAL_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret + certificate.public_bytes(Encoding.PEM))


def request(path: Path, agency: str) -> bytes:
    """A certificate signing request (PKCS #10, PEM) for the key in `path`. Raises `FieldError`."""
    key, _ = _read(path)
    made = x509.CertificateSigningRequestBuilder().subject_name(_named(agency, "登记专用章")).sign(key, SHA256())
    return made.public_bytes(Encoding.PEM)


def install(path: Path, certificates: bytes, *, at: int) -> str:
    """Puts the certificates of an authority (PEM: the seal's own first, its root last) beside the key, in place of
    those there; answers whom the first one names. Raises `FieldError` if they do not belong to the key, do not certify
    each other up to a root that signs itself, or do not hold at `at`; the file is then as it was."""
    key, _ = _read(path)
    chain = _certificates(certificates, "certificates")
    if chain[0].public_key() != key.public_key():
        raise FieldError(
            "certificates", "印章密钥的证书在前 / the certificate of this key first", "另一密钥 / another key"
        )
    _require_chain(chain, at)
    if len(chain) < 2:
        raise FieldError("certificates", "由认证机构签发 / issued by an authority", "自签 / self-signed")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    part = path.with_suffix(".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret + b"".join(item.public_bytes(Encoding.PEM) for item in chain))
    part.replace(path)
    return str(chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def seal_of(settings: Settings) -> Seal:
    """The installation's seal. Raises `SettingsError` if there is none, `FieldError` if the file is not one."""
    path = path_of(settings.home)
    if not path.exists():
        raise SettingsError(
            f"缺少印章 {path}，请用 shuqing seal new 生成。 / No seal {path}: make one with shuqing seal new."
        )
    key, chain = _read(path)
    ask, root = None, b""
    if settings.time_stamp_authority is not None:
        ask, root = door(settings.time_stamp_authority.url), root_of(settings.path(settings.time_stamp_authority.root))
    return Seal(
        key=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        chain=tuple(item.public_bytes(Encoding.DER) for item in chain),
        trial=settings.demo or len(chain) == 1,
        ask=ask,
        stamp_root=root,
    )


def root_of(path: Path) -> bytes:
    """The certificate in a PEM file, as DER. Raises `FieldError`."""
    (certificate,) = _certificates(path.read_bytes(), str(path))[:1]
    return certificate.public_bytes(Encoding.DER)


def door(url: str) -> Ask:
    """Asks the time-stamp authority at this address over HTTP (RFC 3161, section 3.4)."""

    def ask(question: bytes) -> bytes:
        kind = {"Content-Type": "application/timestamp-query"}
        try:
            answer = httpx.post(url, content=question, headers=kind, timeout=10, trust_env=False)
        except httpx.HTTPError as error:
            why = type(error).__name__
            raise PaperRefused(f"时间戳机构没有应答（{why}），将重试。", f"no answer from the TSA: {why}") from error
        if not answer.is_success:
            raise PaperRefused(f"时间戳机构拒绝（{answer.status_code}）。", f"the TSA answered {answer.status_code}")
        return answer.content

    return ask


def _read(path: Path) -> tuple[ec.EllipticCurvePrivateKey, list[x509.Certificate]]:
    keyfiles.require_private(path)
    data = path.read_bytes()
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise FieldError(str(path), "PEM 私钥 / a private key in PEM", type(error).__name__) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise FieldError(str(path), "P-256 密钥 / a P-256 key", type(key).__name__)
    chain = _certificates(data, str(path))
    if chain[0].public_key() != key.public_key():
        raise FieldError(str(path), "密钥与证书相配 / key and certificate that belong together", "不相配 / they do not")
    return key, chain


def _certificates(data: bytes, field: str) -> list[x509.Certificate]:
    blocks = [found.group(0) for found in _PEM.finditer(data) if found.group(1) == b"CERTIFICATE"]
    try:
        chain = [x509.load_pem_x509_certificate(block) for block in blocks]
    except ValueError as error:
        raise FieldError(field, "PEM 证书 / certificates in PEM", type(error).__name__) from error
    if not chain:
        raise FieldError(field, "PEM 证书 / certificates in PEM", "没有 / none")
    return chain


def _require_chain(chain: Sequence[x509.Certificate], at: int) -> None:
    moment = datetime.fromtimestamp(at, UTC)
    for position, item in enumerate(chain):
        if not item.not_valid_before_utc <= moment <= item.not_valid_after_utc:
            given = f"{item.not_valid_before_utc:%Y-%m-%d} … {item.not_valid_after_utc:%Y-%m-%d}"
            raise FieldError(f"certificates[{position}]", "在有效期内 / in its validity", given)
        try:
            item.verify_directly_issued_by(chain[min(position + 1, len(chain) - 1)])
        except (ValueError, TypeError, InvalidSignature) as error:
            expected = "由下一证书签发，末者自签 / issued by the next one, the last by itself"
            raise FieldError(f"certificates[{position}]", expected, type(error).__name__) from error


def _named(agency: str, kind: str) -> x509.Name:
    """Whose seal (at most 64 characters, X.520) and which."""
    attributes = {NameOID.ORGANIZATION_NAME: agency[:64], NameOID.COMMON_NAME: kind}
    return x509.Name([x509.NameAttribute(name, value) for name, value in attributes.items()])


def _usage() -> x509.KeyUsage:
    wanted = {"digital_signature", "content_commitment"}
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in wanted for name in names})
