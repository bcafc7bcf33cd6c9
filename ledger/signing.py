"""Parties sign statements with their own SM2 keys; the message binds kind and both digests (decisions D13).

The secp256k1 side signs the same pair of digests in a typed struct (EIP-712); which struct depends on the contract the
statement is written to, so the package that owns the kind builds it (`ledger.eip712`).
"""

from __future__ import annotations

from ledger import sm
from ledger.digest import sm3
from ledger.errors import BadSignature
from ledger.facts import DEFAULT_SIGNER_ID, SM2, Signature, Statement
from ledger.sm import Sm2Key


def message(statement: Statement) -> bytes:
    """M = SM3("shuqing/⟨kind⟩" ‖ 0x00 ‖ SHA-256(bytes) ‖ SM3(bytes)); the kind ends in its version, e.g. "/v1"."""
    digest = statement.digest()
    return sm3(b"shuqing/" + statement.kind.encode() + b"\x00" + digest.sha256 + digest.sm3)


def sign_sm2(
    key: Sm2Key, statement: Statement, *, by: str, role: str = "", signer_id: str = DEFAULT_SIGNER_ID
) -> Signature:
    """The SM2 signature of `by` over the statement."""
    value = sm.sign(key, message(statement), signer_id)
    return Signature(SM2, by, key.public, value.hex(), role, signer_id)


def verify_sm2(statement: Statement, signature: Signature) -> bool:
    """Is this SM2 signature valid for the statement under the key it names? Whose key that is, is not asked here."""
    if signature.alg != SM2:
        return False
    return sm.verify(signature.key, message(statement), bytes.fromhex(signature.value), signature.signer_id)


def require_sm2(statement: Statement, signatures: tuple[Signature, ...], *, by: str, key: str, role: str = "") -> None:
    """Raises `BadSignature` unless `by` signed the statement with SM2 key `key` (and in `role`, if given)."""
    for signature in signatures:
        if signature.alg == SM2 and signature.by == by and (not role or signature.role == role):
            if signature.key != key:
                raise BadSignature(by, "不是登记在案的公钥 / not the key on record")
            if not verify_sm2(statement, signature):
                raise BadSignature(by, "与内容不符 / does not match the statement")
            return
    raise BadSignature(by, f"缺少 SM2 签名{role and '，角色 ' + role} / no SM2 signature{role and ' as ' + role}")


def key_of(statement: Statement, signatures: tuple[Signature, ...], *, by: str) -> str:
    """The SM2 key under which `by` signed; whether it is the one on record is not asked here. Raises `BadSignature`."""
    for signature in signatures:
        if signature.alg == SM2 and signature.by == by:
            if not verify_sm2(statement, signature):
                raise BadSignature(by, "与内容不符 / does not match the statement")
            return signature.key
    raise BadSignature(by, "缺少 SM2 签名 / no SM2 signature")


class SystemSigner:
    """Signs what timers and the system itself state, under a named party or staff id (decisions D14)."""

    __slots__ = ("_key", "by")

    def __init__(self, key: Sm2Key, by: str) -> None:
        self._key, self.by = key, by

    @property
    def public(self) -> str:
        return self._key.public

    def sign(self, statement: Statement, role: str = "") -> Signature:
        return sign_sm2(self._key, statement, by=self.by, role=role)
