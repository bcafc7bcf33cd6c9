"""EIP-712: what a party signs with its secp256k1 key so that a contract can check it.

Pure hash building (no RPC, no web3) and the sign / recover pair. `TYPES` holds the types of the four contracts word for
word as their sources hash them; `message` functions turn plain arguments into the fields of one of them.
Source: EIP-712, EIP-55 (address checksum), EIP-2 (low s); contracts/src/I*.sol.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

from ledger.errors import BadSignature, FieldError, WrongChain

Field = tuple[str, str]
"""(type, name), in the order in which EIP-712 hashes them."""
Types = Mapping[str, Sequence[Field]]

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Number of points of secp256k1; a signature's s is at most half of it."""

EMPTY_KECCAK: Final = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
"""keccak256 of nothing: what a chain of the national suite, or a library set up for one, does not answer."""

_DOMAIN_FIELDS: Final[tuple[Field, ...]] = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
    ("bytes32", "salt"),
)


def self_check() -> None:
    """Raises `WrongChain` unless keccak256 is itself: neither SM3 (the national suite puts it there) nor SHA3-256."""
    if keccak(b"") != EMPTY_KECCAK:
        raise WrongChain("本机 keccak256 自检失败。 / This machine's keccak256 fails its self-test.")


def _fields(text: str) -> tuple[Field, ...]:
    return tuple((kind, name) for kind, name in (part.split(" ") for part in text.split(",")))


TYPES: Final[dict[str, tuple[Field, ...]]] = {
    # every contract
    "CouncilAct": _fields("uint8 act,bytes32 subject,bytes32 value,uint256 nonce,uint64 deadline"),
    "CancelNonce": _fields("address signer,uint256 nonce,uint64 deadline"),
    # RightsRegistry
    "DepositBatch": _fields("bytes32 agencyId,bytes32 entriesHash,uint256 nonce,uint64 deadline"),
    "StatusBatch": _fields("bytes32 agencyId,bytes32 changesHash,uint256 nonce,uint64 deadline"),
    "BulkStatus": _fields(
        "bytes32 agencyId,bytes indexes,uint8 status,bool encumbered,bool objection,uint64 effectiveAt,uint256 nonce,"
        "uint64 deadline"
    ),
    "RotateAgencyKey": _fields("bytes32 agencyId,address newKey,uint256 nonce,uint64 deadline"),
    # AgreementRegistry
    "AgreementAct": _fields(
        "bytes32 agreementId,bytes32 negotiationId,uint32 revision,uint8 act,uint8 fromState,uint8 toState,uint8 role,"
        "address signer,bytes32 signersHash,bytes32 termsSha256,bytes32 termsSm3,bytes32 actSha256,bytes32 actSm3,"
        "bytes32 prevActSha256,bytes32 prevActSm3,bytes32 groundSha256,bytes32 groundSm3,uint256 nonce,uint64 deadline"
    ),
    # EvidenceLog
    "Head": _fields("uint64 size,bytes32 sha256Root,bytes32 sm3Root,uint64 time"),
    "RotateLogKey": _fields("address newKey,uint256 nonce,uint64 deadline"),
    # SettlementBook
    "CycleClose": _fields(
        "bytes32 operatorId,bytes32 cycle,bytes3 currency,bytes32 rootSha256,bytes32 rootSm3,bytes32 totalsCommitment,"
        "uint64 closedAt,address auditor,uint64 deadline"
    ),
}

DOMAIN_NAMES: Final[dict[str, str]] = {
    "RightsRegistry": "ShuQing Rights",
    "AgreementRegistry": "ShuQing Agreement",
    "EvidenceLog": "ShuQing Log",
    "SettlementBook": "ShuQing Settlement",
}


def domain(contract: str, chain_id: int, address: str) -> dict[str, Any]:
    """The EIP-712 domain of one of our contracts: its name, version 1, chain and address."""
    if contract not in DOMAIN_NAMES:
        raise FieldError("contract", " | ".join(DOMAIN_NAMES), contract)
    return {
        "name": DOMAIN_NAMES[contract],
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": to_checksum(address),
    }


def digest_of(contract: str, chain_id: int, address: str, type_name: str, message: Mapping[str, Any]) -> bytes:
    """The 32 bytes to sign for a message of one of our types, on one contract of one chain."""
    return typed_digest(domain(contract, chain_id, address), type_name, TYPES, message)


# --- messages of our types ---------------------------------------------------------------------------------------


def council_act(act: int, subject: bytes, value: bytes, nonce: int, deadline: int) -> dict[str, Any]:
    """Fields of a CouncilAct; `subject` and `value` are 32 bytes."""
    return {"act": act, "subject": subject, "value": value, "nonce": nonce, "deadline": deadline}


def deposit_batch(agency_id: bytes, entries: Sequence[tuple[Any, ...]], nonce: int, deadline: int) -> dict[str, Any]:
    """Fields of a DepositBatch over `entries`, tuples in the order of RightsRegistry's struct Entry."""
    return {
        "agencyId": agency_id,
        "entriesHash": rows_hash(ENTRY_TYPES, entries),
        "nonce": nonce,
        "deadline": deadline,
    }


def status_batch(agency_id: bytes, changes: Sequence[tuple[Any, ...]], nonce: int, deadline: int) -> dict[str, Any]:
    """Fields of a StatusBatch over `changes`, tuples in the order of RightsRegistry's struct StatusChange."""
    return {
        "agencyId": agency_id,
        "changesHash": rows_hash(STATUS_CHANGE_TYPES, changes),
        "nonce": nonce,
        "deadline": deadline,
    }


def bulk_status(agency_id: bytes, change: tuple[Any, ...], nonce: int, deadline: int) -> dict[str, Any]:
    """Fields of a BulkStatus; `change` in the order of RightsRegistry's struct BulkChange (BULK_CHANGE_FIELDS)."""
    return {
        "agencyId": agency_id,
        **dict(zip(BULK_CHANGE_FIELDS, change, strict=True)),
        "nonce": nonce,
        "deadline": deadline,
    }


ENTRY_TYPES: Final = (
    "bytes32", "uint8", "uint32", "bytes32", "bytes32", "uint32", "uint32", "bytes32", "uint8", "uint32", "uint8",
)  # fmt: skip
"""code, paperType, version, factSha256, factSm3, validFrom, validUntil, predecessorCode, predecessorPaperType,
predecessorVersion, predecessorStatus"""
STATUS_CHANGE_TYPES: Final = ("bytes32", "uint8", "bool", "bool", "uint64")
"""key, status, encumbered, objection, effectiveAt"""
BULK_CHANGE_FIELDS: Final = ("indexes", "status", "encumbered", "objection", "effectiveAt")
SIGNER_REF_TYPES: Final = ("uint8", "address")
"""role, signer"""

ACT_FIELDS: Final = tuple(name for _, name in TYPES["AgreementAct"] if name not in ("role", "signer", "nonce"))
"""Fields of AgreementRegistry's struct Act, in order: what all signatures of one act share."""


def act_tuple(act: Mapping[str, Any]) -> tuple[Any, ...]:
    """The struct Act as the contract call takes it, from a mapping with the names of ACT_FIELDS."""
    return tuple(act[name] for name in ACT_FIELDS)


def agreement_act(act: Mapping[str, Any], role: int, signer: str, nonce: int) -> dict[str, Any]:
    """Fields of one signer's AgreementAct: the shared act plus role, signer and nonce."""
    return {**{name: act[name] for name in ACT_FIELDS}, "role": role, "signer": signer, "nonce": nonce}


def signers_hash(signers: Sequence[tuple[int, str]]) -> bytes:
    """Hash of the (role, signer) list, sorted by role and then by address as a number."""
    ordered = sorted(signers, key=lambda pair: (pair[0], int(pair[1], 16)))
    return rows_hash(SIGNER_REF_TYPES, ordered)


def commitment(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """keccak256(abi.encode(...)) over static values: how all four contracts make one word of several."""
    return keccak(_words(types, values))


def rows_hash(types: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """keccak256(abi.encode(rows)) of a dynamic array of structs with static fields."""
    head = (32).to_bytes(32, "big") + len(rows).to_bytes(32, "big")
    return keccak(head + b"".join(_words(types, row) for row in rows))


def word(value: bytes | str) -> bytes:
    """32 bytes as the council acts carry them: an address right-aligned, 32 bytes as they are."""
    data = _bytes(value, "value")
    if len(data) not in (20, 32):
        raise FieldError("value", "20 or 32 bytes", f"{len(data)} bytes")
    return data.rjust(32, b"\0")


# --- hashing -----------------------------------------------------------------------------------------------------


def typed_digest(domain: Mapping[str, Any], primary_type: str, types: Types, message: Mapping[str, Any]) -> bytes:
    """keccak256(0x1901 ‖ domain separator ‖ struct hash). Raises FieldError for a value that does not fit its type."""
    domain_fields = [field for field in _DOMAIN_FIELDS if field[1] in domain]
    separator = hash_struct("EIP712Domain", {"EIP712Domain": domain_fields}, domain)
    return keccak(b"\x19\x01" + separator + hash_struct(primary_type, types, message))


def type_string(primary_type: str, types: Types) -> str:
    """The type as it is hashed: the primary type, then every type it uses in alphabetical order."""
    used = _used(primary_type, types, set())
    return "".join(
        f"{name}({','.join(f'{kind} {field}' for kind, field in types[name])})"
        for name in [primary_type, *sorted(used - {primary_type})]
    )


def hash_struct(primary_type: str, types: Types, message: Mapping[str, Any]) -> bytes:
    """keccak256(type hash ‖ encoded fields)."""
    names = {name for _, name in types[primary_type]}
    if names != set(message):
        raise FieldError(primary_type, ", ".join(sorted(names)), ", ".join(sorted(message)))
    encoded = b"".join(_encode(kind, types, message[name], name) for kind, name in types[primary_type])
    return keccak(keccak(type_string(primary_type, types).encode()) + encoded)


def _used(name: str, types: Types, seen: set[str]) -> set[str]:
    if name in seen:
        return seen
    seen.add(name)
    for kind, _ in types[name]:
        base = kind.split("[")[0]
        if base in types:
            _used(base, types, seen)
    return seen


def _encode(kind: str, types: Types, value: Any, name: str) -> bytes:
    if kind.endswith("]"):
        inner, _, length = kind[:-1].rpartition("[")
        if length and len(value) != int(length):
            raise FieldError(name, f"{length} items", f"{len(value)} items")
        return keccak(b"".join(_encode(inner, types, item, name) for item in value))
    if kind in types:
        return hash_struct(kind, types, value)
    if kind == "string":
        return keccak(value.encode())
    if kind == "bytes":
        return keccak(_bytes(value, name))
    return _word(kind, value, name)


def _words(types: Sequence[str], values: Sequence[Any]) -> bytes:
    if len(types) != len(values):
        raise FieldError("values", f"{len(types)} values", f"{len(values)} values")
    return b"".join(_word(kind, value, kind) for kind, value in zip(types, values, strict=True))


def _word(kind: str, value: Any, name: str) -> bytes:
    """One value of a static type as 32 bytes."""
    if kind == "bool":
        if not isinstance(value, bool):
            raise FieldError(name, "true | false", repr(value))
        return int(value).to_bytes(32, "big")
    if kind == "address":
        data = _bytes(value, name)
        if len(data) != 20:
            raise FieldError(name, "20 bytes", f"{len(data)} bytes")
        return data.rjust(32, b"\0")
    if match := re.fullmatch(r"bytes(\d+)", kind):
        data, size = _bytes(value, name), int(match[1])
        if len(data) != size:
            raise FieldError(name, f"{size} bytes", f"{len(data)} bytes")
        return data.ljust(32, b"\0")
    if match := re.fullmatch(r"(u?)int(\d+)", kind):
        bits = int(match[2])
        low, high = (0, 2**bits) if match[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value < high:
            raise FieldError(name, f"integer in [{low}, {high})", repr(value))
        return value.to_bytes(32, "big", signed=not match[1])
    raise FieldError(name, "EIP-712 type", kind)


def _bytes(value: Any, name: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and re.fullmatch(r"0x([0-9a-fA-F]{2})*", value):
        return bytes.fromhex(value[2:])
    raise FieldError(name, "bytes or 0x hex", repr(value))


# --- keys --------------------------------------------------------------------------------------------------------


def new_key() -> bytes:
    """A fresh private key: 32 bytes from the operating system's generator."""
    return (1 + secrets.randbelow(ORDER - 1)).to_bytes(32, "big")


def address_of(private_key: bytes) -> str:
    """The checksummed address of a private key."""
    return _address(PrivateKey(private_key).public_key)


def address_of_point(point: bytes) -> str:
    """The checksummed address of a public key: 65 bytes, 04 ‖ x ‖ y. Raises `FieldError` for no point of the curve."""
    try:
        return _address(PublicKey(point))
    except ValueError as error:
        raise FieldError("point", "secp256k1", point.hex()[:20]) from error


def sign(private_key: bytes, digest: bytes) -> bytes:
    """65 bytes r ‖ s ‖ v over a 32-byte digest: low s, v 27 or 28, nonce by RFC 6979."""
    if len(digest) != 32:
        raise FieldError("digest", "32 bytes", f"{len(digest)} bytes")
    signature = PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def recover(digest: bytes, signature: bytes) -> str:
    """The checksummed address whose key made the signature.

    Raises BadSignature for another length than 65, v other than 27 or 28, s in the upper half, or no such point:
    the same refusals as the contracts make.
    """
    if len(digest) != 32:
        raise FieldError("digest", "32 bytes", f"{len(digest)} bytes")
    if len(signature) != 65:
        raise BadSignature("secp256k1", f"长度应为 65 字节，实为 {len(signature)} / expected 65 bytes")
    if signature[64] not in (27, 28):
        raise BadSignature("secp256k1", f"v 应为 27 或 28，实为 {signature[64]} / v must be 27 or 28")
    if int.from_bytes(signature[32:64], "big") > ORDER // 2:
        raise BadSignature("secp256k1", "s 位于上半区 / s lies in the upper half")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    except Exception as error:  # coincurve raises plain Exception and ValueError for impossible r and s
        raise BadSignature("secp256k1", "无法恢复公钥 / no public key gives this signature") from error
    return _address(key)


def to_checksum(address: str) -> str:
    """EIP-55 spelling of an address; refuses anything but 0x and 40 hex digits."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
        raise FieldError("address", "0x + 40 hex", address)
    small = address[2:].lower()
    marks = keccak(small.encode()).hex()
    return "0x" + "".join(c.upper() if int(mark, 16) >= 8 else c for c, mark in zip(small, marks, strict=False))


def _address(key: PublicKey) -> str:
    return to_checksum("0x" + keccak(key.format(compressed=False)[1:])[12:].hex())
