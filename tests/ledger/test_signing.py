"""Whose signature stands over which statement (decisions D13)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import signing, sm
from ledger.digest import sha256, sm3
from ledger.errors import BadSignature
from ledger.facts import EIP712, Signature, Statement
from tests.ledger.builders import key

STATEMENT = Statement("entry/v1", "entry:1", 0, None, {"x": 1})
A, B = key("party:A"), key("party:B")
SIGNED = signing.sign_sm2(A, STATEMENT, by="party:A", role="agency")


def test_message__as_the_decision_says__and_a_fixed_vector() -> None:
    data = b'{"body":{"x":1},"kind":"entry/v1","no":0,"subject":"entry:1"}'
    assert STATEMENT.bytes() == data
    found = signing.message(STATEMENT)
    assert found == sm3(b"shuqing/entry/v1\x00" + sha256(data) + sm3(data))
    assert found.hex() == "a523bf8eb70864f3c187b8d9b94b0dc6c6d7e089c24323f91055e2e7128528d8"


def test_sign_sm2__verifies_and_names_its_key() -> None:
    assert (SIGNED.by, SIGNED.role, SIGNED.key) == ("party:A", "agency", A.public)
    assert signing.verify_sm2(STATEMENT, SIGNED)
    assert sm.verify(A.public, signing.message(STATEMENT), bytes.fromhex(SIGNED.value))


@pytest.mark.parametrize(
    "altered",
    [
        replace(STATEMENT, body={"x": 2}),
        replace(STATEMENT, kind="entry/v2"),
        replace(STATEMENT, subject="entry:2"),
        replace(STATEMENT, no=1, prev=STATEMENT.digest()),
    ],
)
def test_verify_sm2__another_statement__refused(altered: Statement) -> None:
    assert not signing.verify_sm2(altered, SIGNED)


@pytest.mark.parametrize(
    "altered",
    [
        replace(SIGNED, key=B.public),
        replace(SIGNED, signer_id="ALICE"),
        replace(SIGNED, alg=EIP712),
        replace(SIGNED, value="0" * 128),
        replace(SIGNED, value=SIGNED.value[:-2]),
    ],
)
def test_verify_sm2__another_key_id_algorithm_or_value__refused(altered: Signature) -> None:
    assert not signing.verify_sm2(STATEMENT, altered)


def test_require_sm2__the_right_one__passes() -> None:
    signing.require_sm2(STATEMENT, (SIGNED,), by="party:A", key=A.public)
    signing.require_sm2(STATEMENT, (SIGNED,), by="party:A", key=A.public, role="agency")


@pytest.mark.parametrize(
    ("signatures", "by", "key_", "role"),
    [
        ((), "party:A", A.public, ""),
        ((SIGNED,), "party:B", B.public, ""),
        ((SIGNED,), "party:A", B.public, ""),
        ((SIGNED,), "party:A", A.public, "operator"),
        ((replace(SIGNED, value="1" * 128),), "party:A", A.public, ""),
        ((replace(SIGNED, alg=EIP712),), "party:A", A.public, ""),
        ((signing.sign_sm2(B, STATEMENT, by="party:A"),), "party:A", A.public, ""),
    ],
)
def test_require_sm2__missing_other_key_role_or_content__refused_by_name(
    signatures: tuple[Signature, ...], by: str, key_: str, role: str
) -> None:
    with pytest.raises(BadSignature) as refused:
        signing.require_sm2(STATEMENT, signatures, by=by, key=key_, role=role)
    assert refused.value.by == by


def test_system_signer__signs_as_its_name__key_not_shown() -> None:
    signer = signing.SystemSigner(A, "staff:timer")
    signed = signer.sign(STATEMENT, "timer")
    assert (signed.by, signed.role, signed.key) == ("staff:timer", "timer", signer.public)
    assert signing.verify_sm2(STATEMENT, signed)
    assert A.private.hex() not in repr(signer)
