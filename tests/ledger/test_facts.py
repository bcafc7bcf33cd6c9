"""Statement, signature and fact: one document each, and every other document refused by the name of its field."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError, Malformed, OneSided
from ledger.facts import EIP712, SM2, Fact, PartsRoot, Signature, Signed, Statement
from tests.counts import few

HEX = "0123456789abcdef"
DIGESTS = st.binary(max_size=4).map(twin)
NAMES = st.from_regex(r"\A[a-z][a-z0-9-]{0,8}:[A-Za-z0-9:._-]{1,12}\Z")
ROLES = st.sampled_from(["", "agency", "甲方"])
SIGNATURES = st.one_of(
    st.builds(
        Signature, st.just(SM2), NAMES, st.text(HEX, min_size=128, max_size=128).map("04".__add__),
        st.text(HEX, min_size=128, max_size=128), ROLES, st.sampled_from(["1234567812345678", "ALICE"]),
    ),
    st.builds(
        Signature, st.just(EIP712), NAMES, st.text(HEX, min_size=40, max_size=40).map("0x".__add__),
        st.text(HEX, min_size=130, max_size=130), ROLES, nonce=st.integers(0, 2**250).map(str),
    ),
)  # fmt: skip
BODIES = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(-9, 9) | st.just("文") | st.lists(st.booleans()))


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    no = draw(st.integers(0, 3))
    parts = draw(st.none() | st.builds(PartsRoot, st.integers(1, 2**40), DIGESTS))
    prev = draw(DIGESTS) if no else None
    return Statement(draw(st.from_regex(r"\A[a-z][a-z0-9-]{0,9}/v[1-9]\Z")), draw(NAMES), no, prev, draw(BODIES), parts)


@settings(max_examples=few(120), deadline=None)
@given(
    statements(), st.lists(SIGNATURES, max_size=3), st.integers(0, 2**53 - 1), st.text(HEX, min_size=64, max_size=64)
)
def test_fact__any__comes_back_from_its_bytes(
    statement: Statement, signatures: list[Signature], at: int, salt: str
) -> None:
    fact = Fact(statement, tuple(signatures), at, salt)
    again = Fact.of_bytes(fact.bytes())
    assert again == fact
    assert again.bytes() == fact.bytes()
    assert (again.digest(), again.id) == (twin(fact.bytes()), twin(fact.bytes()).sha256.hex())
    assert again.statement.digest() == twin(canonical.encode(fact.document()["statement"]))
    signed = Signed(statement, tuple(signatures))
    assert Signed.of_document(signed.document()) == signed


SM2_SIGNATURE = {
    "alg": SM2,
    "by": "party:A",
    "key": "04" + "a" * 128,
    "value": "b" * 128,
    "signer_id": "1234567812345678",
}
EVM_SIGNATURE = {"alg": EIP712, "by": "party:A", "key": "0x" + "a" * 40, "value": "b" * 130, "nonce": "7"}
TWIN = twin(b"p").document()
GOOD: dict[str, Any] = {
    "at": 1,
    "salt": "0" * 64,
    "signatures": [SM2_SIGNATURE, EVM_SIGNATURE],
    "statement": {
        "body": {"x": 1}, "kind": "entry/v1", "no": 1, "subject": "entry:1", "prev": TWIN,
        "parts": {"count": 2, "root": dict(TWIN)},
    },
}  # fmt: skip
GONE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    at: Any = document
    *way, last = path.split(".")
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    name = int(last) if last.isdigit() else last
    if value is GONE:
        del at[name]
    else:
        at[name] = value
    return document


def test_good_document__is_good() -> None:
    assert Fact.of_document(GOOD).document() == GOOD


MALFORMED = [
    ("at", GONE, "fact.at"),
    ("at", -1, "fact.at"),
    ("at", True, "fact.at"),
    ("at", "1", "fact.at"),
    ("salt", GONE, "fact.salt"),
    ("salt", "0" * 63, "fact.salt"),
    ("salt", "G" * 64, "fact.salt"),
    ("other", 1, "fact.other"),
    ("signatures", GONE, "fact.signatures"),
    ("signatures", {}, "signatures"),
    ("signatures", [SM2_SIGNATURE] * 65, "signatures"),
    ("signatures.0", 7, "signatures[0]"),
    ("signatures.0.alg", "rsa", "signatures[0].alg"),
    ("signatures.0.alg", GONE, "signatures[0].alg"),
    ("signatures.0.alg", ["sm2-sm3"], "signatures[0].alg"),
    ("signatures.0.alg", EIP712, "signatures[0].nonce"),
    ("signatures.0.by", "A", "signatures[0].by"),
    ("signatures.0.by", 1, "signatures[0].by"),
    ("signatures.0.by", "party:A\n", "signatures[0].by"),
    ("signatures.0.by", GONE, "signatures[0].by"),
    ("signatures.0.key", "04" + "a" * 127, "signatures[0].key"),
    ("signatures.0.key", "04" + "A" * 128, "signatures[0].key"),
    ("signatures.0.key", "03" + "a" * 128, "signatures[0].key"),
    ("signatures.0.value", "b" * 127 + "\n", "signatures[0].value"),
    ("signatures.0.value", GONE, "signatures[0].value"),
    ("signatures.0.signer_id", "", "signatures[0].signer_id"),
    ("signatures.0.signer_id", "x" * 65, "signatures[0].signer_id"),
    ("signatures.0.signer_id", GONE, "signatures[0].signer_id"),
    ("signatures.0.nonce", "1", "signatures[0].nonce"),
    ("signatures.0.role", 1, "signatures[0].role"),
    ("signatures.0.role", "r" * 65, "signatures[0].role"),
    ("signatures.0.role", "", "signatures[0].role"),
    ("signatures.1.key", "a" * 42, "signatures[1].key"),
    ("signatures.1.key", "0x" + "a" * 40 + "\n", "signatures[1].key"),
    ("signatures.1.value", "b" * 128, "signatures[1].value"),
    ("signatures.1.nonce", "007", "signatures[1].nonce"),
    ("signatures.1.nonce", "-1", "signatures[1].nonce"),
    ("signatures.1.nonce", 7, "signatures[1].nonce"),
    ("signatures.1.nonce", GONE, "signatures[1].nonce"),
    ("signatures.1.signer_id", "1234567812345678", "signatures[1].signer_id"),
    ("statement", [], "statement"),
    ("statement.kind", "entry", "statement.kind"),
    ("statement.kind", "Entry/v1", "statement.kind"),
    ("statement.kind", "entry/v0", "statement.kind"),
    ("statement.kind", "entry/v1\n", "statement.kind"),
    ("statement.kind", GONE, "statement.kind"),
    ("statement.kind", 1, "statement.kind"),
    ("statement.subject", "entry", "statement.subject"),
    ("statement.subject", "entry:", "statement.subject"),
    ("statement.subject", "entry:数", "statement.subject"),
    ("statement.subject", "entry:" + "1" * 201, "statement.subject"),
    ("statement.no", -1, "statement.no"),
    ("statement.no", "1", "statement.no"),
    ("statement.no", True, "statement.no"),
    ("statement.no", 0, "statement.prev"),
    ("statement.prev", GONE, "statement.prev"),
    ("statement.prev", TWIN["sm3"], "statement.prev"),
    ("statement.prev.sm3", GONE, "statement.prev"),
    ("statement.prev.sha256", "0" * 63, "statement.prev.sha256"),
    ("statement.body", [], "statement.body"),
    ("statement.body", GONE, "statement.body"),
    ("statement.parts", 2, "statement.parts"),
    ("statement.parts.count", 0, "statement.parts.count"),
    ("statement.parts.count", True, "statement.parts.count"),
    ("statement.parts.count", GONE, "statement.parts.count"),
    ("statement.parts.root", GONE, "statement.parts.root"),
    ("statement.parts.root.sha256", GONE, "statement.parts.root"),
    ("statement.parts.extra", 1, "statement.parts.extra"),
    ("statement.note", "x", "statement.note"),
]


@pytest.mark.parametrize(("path", "value", "field"), MALFORMED, ids=[f"{m[0]}-{i}" for i, m in enumerate(MALFORMED)])
def test_fact__malformed_document__refused_by_the_name_of_its_field(path: str, value: Any, field: str) -> None:
    with pytest.raises(FieldError) as refused:
        Fact.of_document(changed(path, value))
    assert refused.value.field == field


@pytest.mark.parametrize("path", ["statement.prev.sm3", "statement.parts.root.sha256"])
def test_fact__digest_of_one_algorithm__has_its_own_error(path: str) -> None:
    with pytest.raises(OneSided):
        Fact.of_document(changed(path, GONE))


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_fact__not_an_object__refused(value: Any) -> None:
    with pytest.raises(FieldError):
        Fact.of_document(value)
    with pytest.raises(FieldError):
        Signed.of_document(value)


def test_of_bytes__not_canonical__refused() -> None:
    data = canonical.encode(GOOD)
    with pytest.raises(Malformed):
        Fact.of_bytes(data + b" ")
    with pytest.raises(Malformed):
        Fact.of_bytes(b"\xff")


@pytest.mark.parametrize("bad", ["a\u202eb", 1.5, None, 2**53])
def test_statement__body_outside_the_profile__has_no_bytes(bad: Any) -> None:
    with pytest.raises(Malformed, match=r"\$\.body\.x"):
        Statement("entry/v1", "entry:1", 0, None, {"x": bad}).bytes()


def test_parts_root__of_nothing__refused() -> None:
    with pytest.raises(FieldError, match=r"parts\.count"):
        PartsRoot.over([])


def test_parts_root__order_count_and_bytes_matter() -> None:
    root = PartsRoot.over([b"a", b"b", b"c"])
    assert root.count == 3
    others = [PartsRoot.over(parts) for parts in ([b"b", b"a", b"c"], [b"a", b"b"], [b"a", b"b", b"C"], [b"ab", b"c"])]
    assert root.root not in [other.root for other in others]


def test_statement_digest__leaves_signatures_time_and_salt_out() -> None:
    one = Fact.of_document(GOOD)
    other = Fact.of_document(changed("signatures", []) | {"at": 2, "salt": "1" * 64})
    assert one.statement.digest() == other.statement.digest()
    assert one.id != other.id
