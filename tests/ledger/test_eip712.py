"""EIP-712 hashing and secp256k1 signatures: the EIP's own example, and eth_account as an independent oracle."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import eip712
from ledger.errors import BadSignature, FieldError
from tests.counts import few

PERSON = (("string", "name"), ("address", "wallet"))
MAIL_TYPES = {"Person": PERSON, "Mail": (("Person", "from"), ("Person", "to"), ("string", "contents"))}
MAIL_DOMAIN = {
    "name": "Ether Mail",
    "version": "1",
    "chainId": 1,
    "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
}
MAIL = {
    "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
    "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
    "contents": "Hello, Bob!",
}


def test_typed_digest__mail_example_of_the_eip() -> None:
    assert eip712.type_string("Mail", MAIL_TYPES) == (
        "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    )
    assert eip712.hash_struct("Mail", MAIL_TYPES, MAIL).hex() == (
        "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
    )
    digest = eip712.typed_digest(MAIL_DOMAIN, "Mail", MAIL_TYPES, MAIL)
    assert digest.hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    key = keccak(b"cow")
    assert eip712.address_of(key) == MAIL["from"]["wallet"]  # type: ignore[index]
    assert eip712.sign(key, digest).hex() == (
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
        "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
    )


def values(kind: str) -> st.SearchStrategy[Any]:
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda data: eip712.to_checksum("0x" + data.hex()))
    if kind == "bool":
        return st.booleans()
    if kind == "bytes":
        return st.binary(max_size=100)
    if kind.startswith("bytes"):
        size = int(kind[5:])
        return st.binary(min_size=size, max_size=size)
    return st.integers(0, 2 ** int(kind[4:]) - 1)


@pytest.mark.parametrize("name", sorted(eip712.TYPES))
def test_typed_digest__random_messages_of_our_types__agree_with_eth_account(name: str) -> None:
    @settings(max_examples=few(10), deadline=None)
    @given(st.fixed_dictionaries({field: values(kind) for kind, field in eip712.TYPES[name]}), st.integers(1, 2**40))
    def check(message: dict[str, Any], chain_id: int) -> None:
        domain = eip712.domain("EvidenceLog", chain_id, "0x" + "ab" * 20)
        full = {
            "types": {
                "EIP712Domain": [
                    {"type": "string", "name": "name"},
                    {"type": "string", "name": "version"},
                    {"type": "uint256", "name": "chainId"},
                    {"type": "address", "name": "verifyingContract"},
                ],
                name: [{"type": kind, "name": field} for kind, field in eip712.TYPES[name]],
            },
            "primaryType": name,
            "domain": domain,
            "message": message,
        }
        signable = encode_typed_data(full_message=full)
        digest = eip712.digest_of("EvidenceLog", chain_id, "0x" + "ab" * 20, name, message)
        assert digest == keccak(b"\x19" + signable.version + signable.header + signable.body)
        key = keccak(digest)
        assert eip712.sign(key, digest) == bytes(Account.sign_message(signable, key).signature)
        assert eip712.recover(digest, eip712.sign(key, digest)) == Account.from_key(key).address

    check()


def test_typed_digest__arrays_and_nested_types__agree_with_eth_account() -> None:
    types = {
        "Group": (("string", "name"), ("Person[]", "members"), ("bytes", "note"), ("bool", "open"), ("int64[2]", "at")),
        "Person": PERSON,
    }
    message = {"name": "组", "members": [MAIL["from"], MAIL["to"]], "note": b"\x01\x02", "open": True, "at": [-5, 7]}
    listed = {name: [{"type": kind, "name": field} for kind, field in fields] for name, fields in types.items()}
    signable = encode_typed_data({"name": "x", "chainId": 7}, listed, message)
    assert eip712.typed_digest({"name": "x", "chainId": 7}, "Group", types, message) == keccak(
        b"\x19" + signable.version + signable.header + signable.body
    )


@settings(max_examples=few(20), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), values("address")), max_size=5))
def test_rows_hash__is_keccak_of_abi_encode(rows: list[tuple[int, str]]) -> None:
    assert eip712.rows_hash(eip712.SIGNER_REF_TYPES, rows) == keccak(encode(["(uint8,address)[]"], [rows]))


def test_signers_hash__any_order_in__sorted_by_role_then_address() -> None:
    low, high = "0x" + "0a" * 20, "0x" + "B0" * 20
    expected = keccak(encode(["(uint8,address)[]"], [[(1, high), (2, low), (2, high)]]))
    assert eip712.signers_hash([(2, high), (1, high), (2, low)]) == expected


def test_recover__what_the_contracts_refuse__is_refused_here() -> None:
    key, digest = eip712.new_key(), keccak(b"x")
    good = eip712.sign(key, digest)
    assert eip712.recover(digest, good) == eip712.address_of(key)
    high = (eip712.ORDER - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    for bad in (
        good[:64],
        good + b"\0",
        good[:64] + bytes([good[64] - 27]),
        good[:32] + high + bytes([55 - good[64]]),
        bytes(64) + b"\x1b",
        b"\xff" * 32 + good[32:],
    ):
        with pytest.raises(BadSignature):
            eip712.recover(digest, bad)
    flipped = bytes([digest[0] ^ 1]) + digest[1:]
    assert eip712.recover(flipped, good) != eip712.address_of(key)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("act", 256), ("act", -1), ("act", True), ("act", "1"),
        ("subject", b"short"), ("subject", "0x12"), ("nonce", 2**256), ("deadline", 1.0),
    ],
)  # fmt: skip
def test_typed_digest__value_outside_its_type__names_the_field(field: str, value: object) -> None:
    message = {**eip712.council_act(1, bytes(32), bytes(32), 1, 1), field: value}
    with pytest.raises(FieldError) as error:
        eip712.digest_of("EvidenceLog", 1, "0x" + "11" * 20, "CouncilAct", message)
    assert error.value.field == field


def test_typed_digest__field_missing_or_unknown__refused() -> None:
    message = eip712.council_act(1, bytes(32), bytes(32), 1, 1)
    for wrong in ({**message, "more": 1}, {name: message[name] for name in ("act", "subject")}):
        with pytest.raises(FieldError):
            eip712.digest_of("EvidenceLog", 1, "0x" + "11" * 20, "CouncilAct", wrong)


@settings(max_examples=few(30), deadline=None)
@given(st.binary(min_size=20, max_size=20))
def test_to_checksum__agrees_with_eth_account(data: bytes) -> None:
    from eth_utils.address import to_checksum_address

    assert eip712.to_checksum("0x" + data.hex()) == to_checksum_address(data)


def test_word__address_right_aligned__anything_else_refused() -> None:
    assert eip712.word("0x" + "11" * 20) == bytes(12) + b"\x11" * 20
    assert eip712.word(b"\x22" * 32) == b"\x22" * 32
    with pytest.raises(FieldError):
        eip712.word(b"\x22" * 31)
