"""时间戳机构（演示）: says when a digest was shown to it, under a key certificate of the 演示 certification authority.

    python -m scripts.counterparties.time_stamp_authority --home DIR --port N --ca ⟨url⟩ [--clock FILE]

GET  /key  {"certificates": PEM, its own first, the root last, "kind": "time-stamp-authority", "name"}
POST /     application/timestamp-query → application/timestamp-reply (RFC 3161, section 3.4), SHA-256 or stronger; each
           answer has a serial number of its own, kept on disk before it is given

Its time is the clock file's: the demonstration's, not the world's.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from asn1crypto import keys, tsp, x509
from cryptography import x509 as certificates
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from scripts.counterparties import Answer, Clock, Refusal, Request, Route, answer, parser, pem_key, serve, store

POLICY = "2.25.204738201937452061829304756102938475610"
"""Object identifier of what this authority promises (UUID arc): nothing beyond this demonstration."""
HASHES = {"sha256", "sha384", "sha512"}
SCHEMA = """
CREATE TABLE IF NOT EXISTS stamp (no INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS chain (one INTEGER PRIMARY KEY CHECK (one = 1), certificates TEXT NOT NULL)
"""


class _Stamper(DummyTimeStamper):
    """pyHanko's own stand-in for a time-stamp authority, with our policy and the serial number we counted."""

    serial = 0

    def _build_tst_info(self, message_imprint: Any, dt: datetime, req: Any) -> Any:
        info = super()._build_tst_info(message_imprint, dt, req)
        info["policy"], info["serial_number"] = POLICY, self.serial
        return info


@dataclass(frozen=True, slots=True)
class Authority:
    name: str
    key: keys.PrivateKeyInfo
    chain: str
    clock: Clock
    transaction: Any

    def show_key(self, request: Request) -> Answer:
        return answer({"certificates": self.chain, "kind": "time-stamp-authority", "name": self.name})

    def stamp(self, request: Request) -> Answer:
        try:
            question = tsp.TimeStampReq.load(request.body, strict=True)
            imprint = question["message_imprint"]
            algorithm, digest = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
        except (ValueError, TypeError) as error:
            raise Refusal(400, "malformed", f"不是时间戳请求：{error}。 / Not a time-stamp request.") from error
        if algorithm not in HASHES:
            raise Refusal(400, "hash", f"不接受 {algorithm}。 / {algorithm} is not accepted.")
        now = self.clock.now()
        with self.transaction() as database:
            serial = database.execute("INSERT INTO stamp VALUES (NULL, ?, ?)", (digest.hex(), now)).lastrowid
        own, *above = _loaded(self.chain)
        others = SimpleCertificateStore()
        others.register_multiple(above)
        stamper = _Stamper(own, self.key, others, datetime.fromtimestamp(now, UTC))
        stamper.serial = serial
        return Answer(200, stamper.request_tsa_response(question).dump(), "application/timestamp-reply")


def _loaded(chain: str) -> list[x509.Certificate]:
    found = certificates.load_pem_x509_certificates(chain.encode())
    return [x509.Certificate.load(item.public_bytes(Encoding.DER)) for item in found]


def _certified(name: str, key: rsa.RSAPrivateKey, ca: str, transaction: Any) -> str:
    """The certificates of this key, asked from the certification authority on first start."""
    with transaction() as database:
        stored = database.execute("SELECT certificates FROM chain").fetchone()
        if stored is None:
            subject = certificates.Name([certificates.NameAttribute(NameOID.COMMON_NAME, name)])
            request = certificates.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
            body = {"request": base64.b64encode(request.public_bytes(Encoding.DER)).decode(), "use": "stamp"}
            given = httpx.post(f"{ca}/certificates", json=body, timeout=10, trust_env=False).raise_for_status().json()
            database.execute("INSERT INTO chain VALUES (1, ?)", (given["certificates"],))
            return str(given["certificates"])
        return str(stored["certificates"])


def main() -> None:
    options = parser("时间戳机构", "时间戳服务机构（演示）")
    options.add_argument("--ca", required=True, help="address of the certification authority")
    given = options.parse_args()
    transaction = store(given.home, SCHEMA)
    key = pem_key(given.home / "tsa.key", lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
    assert isinstance(key, rsa.RSAPrivateKey)
    secret = keys.PrivateKeyInfo.load(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    chain = _certified(given.name, key, given.ca, transaction)
    authority = Authority(given.name, secret, chain, Clock(given.clock), transaction)
    serve((Route("GET", "/key", authority.show_key), Route("POST", "/", authority.stamp)), given.port)


if __name__ == "__main__":
    main()
