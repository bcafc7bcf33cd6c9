"""The stand-alone verifier: its algorithms against other implementations, real bundles, and forgeries it must refuse.

Bundles come from `bundle_maker` (the writing side, ledger and packages above); scripts/verify_bundle.py shares nothing
with it. A mutant that counts is re-sealed (decisions D41): one meaning changed, every unsigned checksum recomputed.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from bundle_maker import (
    AGENCY,
    AGREEMENT,
    CHAIN_ID,
    CODE,
    CONNECTOR,
    CONSUMER,
    CONTRACTS,
    OPERATOR,
    PROVIDER,
    STAFF,
    Made,
    World,
    build,
    encode,
)  # fmt: skip
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_abi import encode as abi_encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from gmssl import sm3 as gmssl_sm3
from hypothesis import given, settings
from hypothesis import strategies as st

from api import bootstrap
from clearing.market import agreement
from ledger import canonical, checkpoint, eip712, merkle, sm, verify
from ledger import trust as library_trust
from ledger.digest import sm3, twin
from ledger.facts import Signature, Statement
from registry.onchain import certificate_key
from scripts import verify_bundle as vb
from tests.counts import few
from tests.second_sm2 import second_sm2

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "verify_bundle.py"
SOURCE = SCRIPT.read_text(encoding="utf-8")
FEW = settings(max_examples=few(25), deadline=None, derandomize=True)


@pytest.fixture(scope="module", autouse=True)
def _remember_signatures() -> Iterator[None]:
    """Thousands of runs repeat the same few verifications; they're pure, so we remember their answers."""
    names = ("sm3", "sm2_verify", "ed25519_verify", "evm_address_of")
    plain = {name: getattr(vb, name) for name in names}
    for name in names:
        setattr(vb, name, lru_cache(maxsize=None)(plain[name]))
    yield
    for name in names:
        setattr(vb, name, plain[name])


@pytest.fixture(scope="module")
def made() -> Made:
    return build()


@pytest.fixture(scope="module")
def other() -> Made:
    """Another genuine world: the same parties by name, all keys different, another log."""
    return build("shuqing/other-log", "other ")


def verdict(
    data: bytes | dict[str, Any], trust: dict[str, Any], head: Any = None, node: vb.Node | None = None
) -> dict[str, Any]:
    """The report on a bundle; `head` is a note (checked like --head) or None."""
    data = data if isinstance(data, bytes) else encode(data)
    read = vb.read_trust(canonical.encode(trust))
    given_head = vb.read_given(head.encode(), read) if head is not None else None
    case = vb.Case(data, read, node, given_head)
    return vb.report(case, vb.run(case))


def code_of(data: bytes | dict[str, Any], made: Made, **more: Any) -> str:
    """Code of the step that failed, "" if none did."""
    return str(verdict(data, more.pop("trust", made.world.trust()), more.pop("head", made.note), **more)["failed"])


# the file itself ------------------------------------------------------------------------------------------------------


def test_file__standard_library_only_and_at_most_900_lines() -> None:
    modules = set()
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    assert modules <= sys.stdlib_module_names
    assert len(SOURCE.splitlines()) <= 900
    ast.parse(SOURCE, feature_version=(3, 9))


def test_file__runs_without_site_packages(made: Made, tmp_path: Path) -> None:
    paths = files(made, tmp_path, "agreement")
    command = [sys.executable, "-I", "-S", str(SCRIPT), *paths]
    done = subprocess.run(command, capture_output=True, timeout=60, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert "完好 INTACT" in done.stdout.decode()


# algorithms against other implementations -----------------------------------------------------------------------------


def test_self_test__passes_and_notices_a_broken_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    vb.self_test()
    for name in ("sm3", "keccak256", "sha256"):
        with monkeypatch.context() as patch:
            patch.setattr(vb, name, lambda data: hashlib.sha512(data).digest()[:32])
            with pytest.raises(vb.Unusable):
                vb.self_test()


@pytest.mark.parametrize("length", [0, 1, 3, 54, 55, 56, 63, 64, 65, 119, 128, 135, 136, 137, 271, 272, 1000])
def test_hashes__equal_hashlib_gmssl_and_eth_hash(length: int) -> None:
    data = bytes(i * 7 % 256 for i in range(length))
    assert vb.sm3(data) == sm3(data)
    assert vb.sm3(data).hex() == gmssl_sm3.sm3_hash(list(data))
    assert vb.keccak256(data) == keccak(data)


@FEW
@given(st.integers(1, sm.N - 2), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_sm2__accepts_what_the_library_and_gmssl_sign__refuses_one_flipped_bit(
    private: int, message: bytes, bit: int
) -> None:
    key = sm.from_private(private.to_bytes(32, "big"))
    value = sm.sign(key, message)
    assert vb.sm2_verify(key.public, message, value, sm.DEFAULT_SIGNER_ID)
    assert not vb.sm2_verify(key.public, message, value, "another signer id")
    flipped = (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(64, "big")
    assert not vb.sm2_verify(key.public, message, flipped, sm.DEFAULT_SIGNER_ID)
    oracle = second_sm2(key.public, f"{private:064x}")
    by_gmssl = bytes.fromhex(oracle.sign_with_sm3(message, f"{(private * 31 + 7) % (sm.N - 2) + 1:064x}"))
    assert vb.sm2_verify(key.public, message, by_gmssl, sm.DEFAULT_SIGNER_ID)


def test_sm2__refuses_keys_off_the_curve_and_values_out_of_range() -> None:
    key = sm.from_private(b"\x05" * 32)
    value = sm.sign(key, b"\x01" * 32)
    r, s = value[:32], value[32:]
    n = sm.N.to_bytes(32, "big")
    shifted = (int.from_bytes(s, "big") + sm.N) % 2**256
    bad_values = [
        bytes(32) + s,
        r + bytes(32),
        n + s,
        r + n,
        r + shifted.to_bytes(32, "big"),
        value[:63],
        value + b"\0",
    ]
    assert not any(vb.sm2_verify(key.public, b"\x01" * 32, bad, sm.DEFAULT_SIGNER_ID) for bad in bad_values)
    # r + s = n makes t = 0, which GB/T 32918.2 refuses
    zero = (sm.N - int.from_bytes(r, "big")).to_bytes(32, "big")
    assert not vb.sm2_verify(key.public, b"\x01" * 32, r + zero, sm.DEFAULT_SIGNER_ID)
    off = key.public[:-1] + ("0" if key.public[-1] != "0" else "1")
    high = "04" + f"{int(key.public[2:66], 16) + sm.P:x}"[-64:] + key.public[66:]
    for public in (off, high, "04" + "00" * 64, "05" + key.public[2:], key.public[:-2]):
        assert not vb.sm2_verify(public, b"\x01" * 32, value, sm.DEFAULT_SIGNER_ID)


@FEW
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_ed25519__equals_cryptography(private: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(private)
    public, value = key.public_key().public_bytes_raw(), key.sign(message)
    assert vb.ed25519_verify(public, message, value)
    assert not vb.ed25519_verify(public, message + b"\0", value)
    flipped = (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(64, "big")
    assert not vb.ed25519_verify(public, message, flipped)


def test_ed25519__refuses_s_plus_l_and_encodings_that_are_not_canonical() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    public, value = key.public_key().public_bytes_raw(), key.sign(b"text")
    s = int.from_bytes(value[32:], "little")
    assert not vb.ed25519_verify(public, b"text", value[:32] + (s + vb.ED_L).to_bytes(32, "little"))
    minus_zero = (1 | 1 << 255).to_bytes(32, "little")  # x = 0 with a sign
    too_large = (vb.ED_P + 1).to_bytes(32, "little")  # y = p + 1, the same point as y = 1
    assert vb.ed_decode((1).to_bytes(32, "little")) is not None
    assert vb.ed_decode(minus_zero) is None
    assert vb.ed_decode(too_large) is None
    # With the neutral point as key [k]A vanishes, so R = [s]B always fits: only R's own encoding decides.
    neutral = (1).to_bytes(32, "little")
    assert vb.ed25519_verify(neutral, b"text", neutral + bytes(32))
    assert not vb.ed25519_verify(neutral, b"text", too_large + bytes(32))


@FEW
@given(st.integers(1, eip712.ORDER - 1), st.binary(min_size=32, max_size=32), st.integers(0, 519))
def test_secp256k1__equals_coincurve_and_eth_account(private: int, digest: bytes, bit: int) -> None:
    secret = private.to_bytes(32, "big")
    value, address = eip712.sign(secret, digest), Account.from_key(secret).address.lower()
    assert vb.evm_address_of(digest, value) == address
    assert bytes(Account.unsafe_sign_hash(digest, secret).signature) == value
    flipped = (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(65, "big")
    assert vb.evm_address_of(digest, flipped) != address


def test_secp256k1__refuses_high_s_odd_v_and_zero() -> None:
    value = eip712.sign(b"\x09" * 32, b"\x01" * 32)
    s = eip712.ORDER - int.from_bytes(value[32:64], "big")
    twisted = value[:32] + s.to_bytes(32, "big") + bytes([55 - value[64]])
    assert Account._recover_hash(b"\x01" * 32, signature=twisted).lower() == vb.evm_address_of(b"\x01" * 32, value)
    zero_r, zero_s = bytes(32) + value[32:], value[:32] + bytes(32) + value[64:]
    for bad in (twisted, value[:64] + b"\x00", value[:64] + b"\x1d", value[:64], zero_r, zero_s, value + b"\0"):
        assert vb.evm_address_of(b"\x01" * 32, bad) == ""


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 21])
def test_inclusion__every_index_equals_the_library_for_both_hashes(size: int) -> None:
    digests = [twin(bytes([i])) for i in range(size)]
    tree = merkle.MemoryTree(digests)
    for index in range(size):
        leaf = b"shuqing/leaf/v1\x00" + digests[index].sha256 + digests[index].sm3
        path = tree.path(index)
        for side, hasher in (("sha256", vb.sha256), ("sm3", vb.sm3)):
            steps = [getattr(step, side) for step in path]
            root = getattr(tree.root(), side)
            assert vb.root_of_path(hasher, leaf, index, size, steps) == root
            for wrong in range(size + 2):
                assert (vb.root_of_path(hasher, leaf, wrong, size, steps) == root) == (wrong == index)
            assert vb.root_of_path(hasher, leaf, index, size, [*steps, root]) is None
            assert not steps or vb.root_of_path(hasher, leaf, index, size, steps[:-1]) is None


def test_inclusion__an_interior_node_is_no_leaf() -> None:
    leaves = [b"a", b"b", b"c", b"d"]
    hashes = [vb.sha256(b"\x00" + leaf) for leaf in leaves]
    left, right = vb.sha256(b"\x01" + hashes[0] + hashes[1]), vb.sha256(b"\x01" + hashes[2] + hashes[3])
    root = vb.sha256(b"\x01" + left + right)
    assert vb.root_of_path(vb.sha256, hashes[0] + hashes[1], 0, 2, [right]) != root


def test_typed_digest__agreement_act_equals_eth_account(made: Made) -> None:
    fact = next(fact for fact in made.world.facts if fact.kind == "agreement-act/v1" and fact.statement.no == 1)
    case = vb.Case(b"", made.world.trust(), None, None)
    for signer, signature in zip(agreement.act_of(fact.statement).signers, fact.signatures[1::2], strict=True):
        document = agreement.typed_act(fact.statement, signer, int(signature.nonce))
        full = copy.deepcopy(document)
        full["types"]["EIP712Domain"] = [
            {"name": name, "type": type_}
            for name, type_ in (
                ("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"),
            )
        ]  # fmt: skip
        signable = encode_typed_data(full_message=full)
        expected = keccak(b"\x19" + signable.version + signable.header + signable.body)
        assert vb.agreement_digest(case, fact.statement.document(), signature.document()) == expected


@pytest.mark.parametrize(
    ("function", "contract", "words"),
    [
        ("commitmentAt(uint64)", "EvidenceLog", 1),
        ("inForce(bytes32)", "RightsRegistry", 3),
        ("matches(bytes32,bytes32,bytes32)", "RightsRegistry", 1),
        ("agreement(bytes32)", "AgreementRegistry", 6),
        ("closed(bytes32,bytes32,bytes3)", "SettlementBook", 1),
    ],
)
def test_abi__the_calls_exist_in_the_contracts(function: str, contract: str, words: int) -> None:
    assert f'"{function}", {words}, ' in SOURCE
    document = json.loads((ROOT / "contracts" / "artifacts" / f"{contract}.json").read_text(encoding="utf-8"))
    found = {}
    for item in document["abi"]:
        if item["type"] == "function":
            flat = [part for output in item["outputs"] for part in output.get("components", [output])]
            found[f"{item['name']}({','.join(i['type'] for i in item['inputs'])})"] = len(flat)
    assert found[function] == words


def test_codes__are_those_of_the_one_table() -> None:
    codes = json.loads((ROOT / "contracts" / "codes.json").read_text(encoding="utf-8"))
    assert {name: number for number, name in enumerate(vb.STATES)} == codes["agreementStates"]
    assert {name: number for number, name in enumerate(vb.ACTS) if name} == codes["agreementActs"]
    assert codes["agreementRoles"] == vb.ROLES
    assert {name: number for number, name in enumerate(vb.IN_FORCE)} == codes["inForceCodes"]
    assert len(vb.REASONS) == len(codes["inForceReasons"])
    for types, name in ((vb.AGREEMENT_ACT, "AgreementAct"), (vb.CYCLE_CLOSE, "CycleClose")):
        assert types == eip712.type_string(name, eip712.TYPES)


# strict JSON ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", '{"a":null}', '{"a":1.0}', '{"a":1e3}', '{"a":NaN}', '{"a":-Infinity}', '{"a":1,"a":1}',
        '{"b":1,"a":2}', '{"a": 1}', '{"a":"\\u0041"}', '{"a":9007199254740992}', '{"a":-9007199254740992}',
        '{"a":' + "9" * 100_000 + "}", '{"a":-0}', '{"键":1}', '{"":1}', '{"a":"\u202e"}', '{"a":"\u200b"}',
        '{"a":"e\u0301"}', '{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"a":"\x7f"}', "[" * 50 + "]" * 50,
        '\ufeff{"a":1}', '{"a":1}\n', '{"a":01}', '{"a":"\ufffe"}',
    ],
)  # fmt: skip
def test_canonical__refuses_every_other_form(text: str) -> None:
    with pytest.raises(ValueError):
        vb.read_canonical(text.encode())
    with pytest.raises(canonical.Malformed):
        canonical.decode(text.encode())


def test_canonical__a_deep_nest_is_refused_whatever_the_recursion_limit() -> None:
    """web3 raises Python's limit to 100,000, where the C parser overflows its stack: so nesting is counted first."""
    for text in ("[" * 500_000, '{"a":' * 100_000, '["' + "[" * 500_000, "[" * 26 + "]" * 26, '["\\"' + "[" * 99_999):
        with pytest.raises(ValueError):
            vb.read_json(text.encode())
    assert vb.read_json(b'["' + b"[{" * 500 + b'\\"","\\\\"]') == ["[{" * 500 + '"', "\\"]
    assert vb.read_json(b"[" * 24 + b"1" + b"]" * 24)


_values = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcXYZ019_.:@$/-", min_size=1, max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=few(150), deadline=None, derandomize=True)
@given(_values)
def test_canonical__same_bytes_and_same_refusals_as_the_library(value: Any) -> None:
    try:
        expected = canonical.encode(value)
    except canonical.Malformed:
        with pytest.raises(ValueError):
            vb.check_profile(value, 0)
        return
    assert vb.canonical(value) == expected
    assert vb.read_canonical(expected) == value


# real bundles ---------------------------------------------------------------------------------------------------------

NAMES = ("certificate", "agreement", "amendment", "usage", "batch", "line", "close", "note")


@pytest.mark.parametrize("name", NAMES)
def test_genuine__is_intact_and_status_is_never_valid_offline(made: Made, name: str) -> None:
    report = verdict(made.bundles[name], made.world.trust(), made.note)
    assert report["failed"] == ""
    assert [step["code"] for step in report["steps"]] == [f"V{i:02d}" for i in range(1, 15)]
    assert {step["code"] for step in report["steps"] if step["ok"] is None} == {"V11", "V13"}
    assert report["status"] == ("UNKNOWN" if name in ("certificate", "agreement", "amendment", "close") else "N/A")
    assert report["trust_level"].startswith("T1")
    assert report["not_proved"]


def test_genuine__library_agrees_about_bundles_and_their_mutants(made: Made) -> None:
    trust = library_trust.read(made.world.trust())
    head, _ = checkpoint.parse(made.note)
    for name in ("certificate", "line"):
        documents = [made.bundles[name], *(mutant for _, mutant in changed(made.bundles[name]))]
        for document in documents:
            ours = code_of(document, made)
            failed = verify.verify(encode(document), trust, head=head).failed
            assert (failed.code if failed else "") == ours


@pytest.mark.parametrize("name", NAMES)
def test_writings__one_meaning_has_one_writing_and_both_programs_say_so_at_the_same_step(made: Made, name: str) -> None:
    """An address in the other case, a digest and a space: no signature over decoded values would see them."""
    trust = library_trust.read(made.world.trust())
    head, _ = checkpoint.parse(made.note)
    for what, document in other_writings(made, name).items():
        ours = code_of(document, made)
        failed = verify.verify(encode(document), trust, rules=bootstrap.rules(), head=head).failed
        assert ours, f"accepted: {what}"
        assert (failed.code if failed else "") == ours, what


# forgeries ------------------------------------------------------------------------------------------------------------

Path_ = tuple[str | int, ...]
HINTS = {("chain", "tx"), ("chain", "block")}
"""Without a node nobody can check them, and the report says so."""


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every text, number and truth value of a document with the way to it."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from leaves(item, (*path, position))
    else:
        yield path, value


def other_value(value: Any) -> Any:
    """The same kind of value with another meaning: what a forger would write."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    at = len(value) // 2
    swap = {"a": "b", "1": "2", "A": "B"}.get(
        value[at : at + 1], "a" if value[at : at + 1] in "0123456789bcdef" else "1"
    )
    return value[:at] + swap + value[at + 1 :]


def put(document: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    """A copy with one place set."""
    result = copy.deepcopy(document)
    place: Any = result
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return result


def without(document: dict[str, Any], *path: str | int) -> dict[str, Any]:
    """A copy with one place removed."""
    result = copy.deepcopy(document)
    place: Any = result
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return result


def changed(bundle: dict[str, Any]) -> Iterator[tuple[Path_, dict[str, Any]]]:
    """One meaning changed at a time, everywhere, the hints left out."""
    for path, value in leaves(bundle):
        if path not in HINTS:
            yield path, put(bundle, path, other_value(value))


def written_otherwise(bundle: dict[str, Any]) -> Iterator[tuple[Path_, str, dict[str, Any]]]:
    """The same meaning in another writing: a text in the other case, or with a space behind it."""
    for path, value in leaves(bundle):
        if path in HINTS or not isinstance(value, str):
            continue
        for how, other in (("case", value.swapcase()), ("space", value + " ")):
            if other != value:
                yield path, how, put(bundle, path, other)


def other_writings(made: Made, name: str) -> dict[str, dict[str, Any]]:
    """Each as it is, and re-sealed by the log in league with its witnesses."""
    found: dict[str, dict[str, Any]] = {}
    for path, how, document in written_otherwise(made.bundles[name]):
        what = f"{name} {path} {how}"
        found[what] = document
        if "path" in path or path[0] not in ("fact", "parts", "supports"):
            continue
        sealed = made.world.reseal(document, as_log=True, witnesses=(1, 2))
        if any(sealed.get(piece) != made.bundles[name].get(piece) for piece in ("fact", "parts", "supports")):
            found[f"{what} by all"] = sealed
    return found


Seen = Counter[str]


def refuse_all(mutants: dict[str, Any], made: Made, seen: Seen, **more: Any) -> None:
    for name, mutant in mutants.items():
        code = code_of(mutant, made, **more)
        assert code, f"accepted: {name}"
        seen[code] += 1


def one_meaning_changed(made: Made, name: str) -> dict[str, bytes | dict[str, Any]]:
    """Plain changes; re-sealed by an outsider, by the log, and by the log in league with two witnesses."""
    bundle, world = made.bundles[name], made.world
    mutants: dict[str, bytes | dict[str, Any]] = {}
    for path, mutant in changed(bundle):
        mutants[f"{name} {path} plain"] = mutant
        if "path" in path or (path[0] not in ("fact", "parts") and path[:2] != ("supports", 0)):
            continue
        sealed = world.reseal(mutant)
        if all(sealed.get(piece) == bundle.get(piece) for piece in ("fact", "parts", "supports")):
            continue  # the change was a checksum, and is undone
        mutants[f"{name} {path} re-sealed"] = sealed
        mutants[f"{name} {path} by the log"] = world.reseal(mutant, as_log=True)
        mutants[f"{name} {path} by all"] = world.reseal(mutant, as_log=True, witnesses=(1, 2))
    return mutants


def flipped(data: bytes, hints: list[tuple[int, int]], step: int) -> Iterator[tuple[str, bytes]]:
    """One bit of every `step`-th byte flipped, the hints left out."""
    for place in range(0, len(data) - 1, step):
        if not any(first <= place < last for first, last in hints):
            changed_data = bytearray(data)
            changed_data[place] ^= 1 << place % 7
            yield f"byte {place}", bytes(changed_data)


def hints_of(data: bytes) -> list[tuple[int, int]]:
    found = []
    for mark, end in ((b'"block":', b","), (b'"tx":"', b'"')):
        first = data.index(mark) + len(mark)
        found.append((first, data.index(end, first)))
    return found


def transplants(made: Made, other: Made) -> dict[str, bytes | dict[str, Any]]:
    """Pieces of one genuine bundle in another, from the same log and from another one."""
    mutants: dict[str, bytes | dict[str, Any]] = {}
    for name in NAMES:
        for source, donor in [(f"own {n}", made.bundles[n]) for n in NAMES] + [
            (f"other {n}", other.bundles[n]) for n in NAMES
        ]:
            for piece in ("fact", "entry", "parts", "head", "supports"):
                if piece not in donor or donor[piece] == made.bundles[name].get(piece):
                    continue
                mutant = put(made.bundles[name], (piece,), donor[piece])
                roots = [bundle["fact"]["statement"].get("parts") for bundle in (donor, made.bundles[name])]
                if piece == "parts" and roots[0] == roots[1]:
                    continue  # they are parts of this very fact
                mutants[f"{name} with {piece} of {source}"] = mutant
    return mutants


def hand_made(made: Made) -> dict[str, bytes | dict[str, Any]]:
    """What a clever forger would try, one by one."""
    world, bundles = made.world, made.bundles
    usage, deal, amended = bundles["usage"], bundles["agreement"], bundles["amendment"]
    note = usage["head"]["note"]
    mutants: dict[str, bytes | dict[str, Any]] = {}
    for name, bundle in bundles.items():
        for side in ("sha256", "sm3"):
            mutants[f"{name} entry without {side}"] = without(bundle, "entry", "path", side)
            mutants[f"{name} entry with empty {side}"] = put(bundle, ("entry", "path", side), "")
            if bundle["supports"]:
                mutants[f"{name} support without {side}"] = without(bundle, "supports", 0, "entry", "path", side)
            if "parts" in bundle:
                mutants[f"{name} part without {side}"] = without(bundle, "parts", 0, "path", side)
                mutants[f"{name} root without {side}"] = without(bundle, "fact", "statement", "parts", "root", side)
        for line in range(len(note)):
            mutants[f"{name} note without line {line}"] = without(bundle, "head", "note", line)
        rows = bundle["head"]["note"]
        mutants[f"{name} witness twice"] = put(bundle, ("head", "note"), [*rows[:8], rows[8], rows[8], ""])
        mutants[f"{name} log line twice"] = put(bundle, ("head", "note"), [*rows[:7], rows[6], *rows[7:]])
        renamed = rows[8].replace("witness-1", "witness-3")
        mutants[f"{name} witness under another name"] = put(bundle, ("head", "note"), [*rows[:9], renamed, ""])
        mutants[f"{name} sides swapped"] = put(
            bundle,
            ("entry", "path"),
            {"sha256": bundle["entry"]["path"]["sm3"], "sm3": bundle["entry"]["path"]["sha256"]},
        )
        mutants[f"{name} no signatures"] = world.reseal(put(bundle, ("fact", "signatures"), []), as_log=True)
        mutants[f"{name} unknown field"] = {**bundle, "keys": {}}
        mutants[f"{name} null"] = json.dumps({**bundle, "parts": None}, sort_keys=True, separators=(",", ":")).encode()
        mutants[f"{name} pretty"] = json.dumps(bundle, indent=1, ensure_ascii=False).encode()
        mutants[f"{name} two line feeds"] = encode(bundle) + b"\n"
        mutants[f"{name} cut"] = encode(bundle)[:-20]
        stray = {"data": "{}", "index": 0, "path": {"sha256": "", "sm3": ""}}
        mutants[f"{name} wrong part"] = put(bundle, ("parts",), [stray])
        mutants[f"{name} no part"] = put(bundle, ("parts",), [])
        for piece in ("parts", "supports"):
            rows = bundle.get(piece, [])
            if rows:
                mutants[f"{name} {piece} twice"] = put(bundle, (piece,), [rows[0], *rows])
            if len(rows) > 1:
                mutants[f"{name} {piece} turned"] = put(bundle, (piece,), rows[::-1])
    for drop in range(4):
        fewer = without(deal, "fact", "signatures", drop)
        mutants[f"agreement without signature {drop}"] = fewer
        mutants[f"agreement without signature {drop} by all"] = world.reseal(fewer, as_log=True, witnesses=(1, 2))
    extra = world.sign(statement_of(deal), AGENCY).document()
    more = put(deal, ("fact", "signatures"), [*deal["fact"]["signatures"], extra])
    mutants["agreement with one signature more"] = world.reseal(more, as_log=True, witnesses=(1, 2))
    twice = put(deal, ("fact", "signatures"), [*deal["fact"]["signatures"], deal["fact"]["signatures"][0]])
    mutants["agreement with a signature twice"] = world.reseal(twice, as_log=True, witnesses=(1, 2))
    swapped = copy.deepcopy(deal)
    first, second = swapped["fact"]["signatures"][0], swapped["fact"]["signatures"][2]
    first["role"], second["role"] = second["role"], first["role"]
    mutants["agreement with roles swapped"] = world.reseal(swapped, as_log=True, witnesses=(1, 2))
    moved = put(amended, ("fact", "signatures"), deal["fact"]["signatures"])
    mutants["amendment under the signatures of the first act"] = world.reseal(moved, as_log=True, witnesses=(1, 2))
    mutants["amendment without prev"] = world.reseal(without(amended, "fact", "statement", "prev"), as_log=True)
    mutants["agreement without supports"] = {**deal, "supports": []}
    mutants["usage without its connector"] = {**usage, "supports": usage["supports"][1:]}
    mutants["usage without the connector's owner"] = {**usage, "supports": usage["supports"][:1]}
    mutants["usage with a fact that is no identity"] = {
        **usage,
        "supports": [*usage["supports"], proof(bundles["line"])],
    }
    mutants["batch claims a record as its own"] = {**bundles["line"], "parts": usage["parts"]}
    mutants["part under another number"] = world.reseal(put(usage, ("parts", 0, "index"), 2), as_log=True)
    high = int(deal["fact"]["signatures"][1]["value"][64:128], 16)
    twisted = deal["fact"]["signatures"][1]["value"][:64] + f"{eip712.ORDER - high:064x}"
    twisted += {"1b": "1c", "1c": "1b"}[deal["fact"]["signatures"][1]["value"][128:]]
    malleable = put(deal, ("fact", "signatures", 1, "value"), twisted)
    mutants["agreement with high s"] = world.reseal(malleable, as_log=True, witnesses=(1, 2))
    return mutants


def proof(bundle: dict[str, Any]) -> dict[str, Any]:
    return {"fact": bundle["fact"], "entry": bundle["entry"]}


def statement_of(bundle: dict[str, Any]) -> Statement:
    return Statement.of_document(bundle["fact"]["statement"])


def own_keys(made: Made) -> list[tuple[str, dict[str, Any], Made]]:
    """Forgers with real keys of their own place: (name, bundle, world to check it in)."""
    made_up: list[tuple[str, dict[str, Any], Made]] = []

    def case(name: str, change: Callable[[World], dict[str, Any]]) -> None:
        world = World()
        world.party(PROVIDER, AGENCY)
        world.connector(CONNECTOR, PROVIDER)
        world.staff(STAFF, AGENCY)
        bundle = change(world)
        made_up.append((name, bundle, Made(world, {}, "\n".join(bundle["head"]["note"]))))

    def signed(world: World, kind: str, subject: str, body: dict[str, Any], name: str, by: str = "") -> int:
        statement = Statement(kind, subject, 0, None, body)
        return world.add(statement, world.sign(statement, name, by))

    def party_without_agency(world: World) -> dict[str, Any]:
        fake, deal = world.party(CONSUMER), world.agreement()
        return world.bundle(deal, 0, fake)

    def party_vouched_by_a_party(world: World) -> dict[str, Any]:
        fake, deal = world.party(CONSUMER, PROVIDER), world.agreement()
        return world.bundle(deal, 0, fake)

    def party_vouched_by_the_operator(world: World) -> dict[str, Any]:
        fake, deal = world.party(CONSUMER, OPERATOR), world.agreement()
        return world.bundle(deal, 0, fake)

    def connector_of_somebody_else(world: World) -> dict[str, Any]:
        other_party = world.party(CONSUMER, AGENCY)
        body = {"owner": PROVIDER, "sm2": world.sm2("c-0002").public, "software": "演示"}
        fake = signed(world, "connector/v1", "connector:c-0002", body, CONSUMER)
        return world.bundle(world.batch("c-0002"), fake, other_party)

    def staff_who_left(world: World) -> dict[str, Any]:
        left = world.staff("s-0009", AGENCY, active=False)
        return world.bundle(signed(world, "staff-note/v1", "note:s-0009", {}, "s-0009", "staff:s-0009"), left)

    def entry_by_the_operator(world: World) -> dict[str, Any]:
        return world.bundle(signed(world, "register-entry/v1", "certificate:X", {}, OPERATOR))

    def statement_by_the_party(world: World) -> dict[str, Any]:
        return world.bundle(signed(world, "statement/v1", "statement:X", {}, PROVIDER), 0)

    def batch_by_another_connector(world: World) -> dict[str, Any]:
        place = world.with_parts(
            "usage-batch/v1", "connector-log:c-0007", {}, [{}], CONNECTOR, f"connector:{CONNECTOR}"
        )
        return world.bundle(place, 1, 0)

    def kind_nobody_listed(world: World) -> dict[str, Any]:
        return world.bundle(signed(world, "filler/v1", "filler:1", {}, AGENCY))

    def typed_signature_of_a_kind_without_struct(world: World) -> dict[str, Any]:
        statement = Statement("register-entry/v1", "certificate:X", 0, None, {})
        value = eip712.sign(world.evm(AGENCY), statement.digest().sha256).hex()
        typed = {"alg": "eip712-secp256k1", "by": f"party:{AGENCY}", "key": world.address(AGENCY), "value": value}
        place = world.add(statement, Signature.of_document({**typed, "nonce": "0"}))
        return world.bundle(place)

    def domain(chain_id: int, contract: str) -> Callable[[World], dict[str, Any]]:
        def change(world: World) -> dict[str, Any]:
            fellow, deal = world.party(CONSUMER, AGENCY), world.agreement({"chain_id": chain_id, "contract": contract})
            return world.bundle(deal, 0, fellow)

        return change

    def taken_in_after_the_head(world: World) -> dict[str, Any]:
        place = world.register_entry()
        return world.bundle(place, note=world.note(time=world.at - 301))

    def witnesses_too_early(world: World) -> dict[str, Any]:
        place = world.register_entry()
        keys, time = world.log_keys(), world.at + 60
        head = checkpoint.Checkpoint(world.origin, len(world.facts), world.tree().root(), time)
        note = checkpoint.sign_note(head, keys)
        lines = [checkpoint.cosign(note, *world.witness(number), time - 301) for number in (1, 2)]
        return world.bundle(place, note=checkpoint.add_lines(note, lines))

    def identity_after_the_act(world: World) -> dict[str, Any]:
        deal = world.agreement()
        world.at += 301
        return world.bundle(deal, 0, world.party(CONSUMER, AGENCY))

    def one_witness(world: World) -> dict[str, Any]:
        return world.bundle(world.register_entry(), note=world.note(witnesses=(3,)))

    def record_of_another_number(world: World) -> dict[str, Any]:
        body = {"connector": CONNECTOR, "first_seq": 1}
        rows = [{"connector": CONNECTOR, "seq": 7}]
        by = f"connector:{CONNECTOR}"
        place = world.with_parts("usage-batch/v1", f"connector-log:{CONNECTOR}", body, rows, CONNECTOR, by)
        return world.bundle(place, 1, 0, parts=[0])

    def line_of_another_party(world: World) -> dict[str, Any]:
        place = world.with_parts("statement/v1", "statement:X", {"party": PROVIDER}, [{"party": CONSUMER}], OPERATOR)
        return world.bundle(place, parts=[0])

    def part_that_is_no_document(world: World) -> dict[str, Any]:
        place = world.with_parts("statement/v1", "statement:X", {"party": PROVIDER}, [[1, 2]], OPERATOR)
        return world.bundle(place, parts=[0])

    def record_digest_of_another_record(world: World) -> dict[str, Any]:
        return entry_of(world, record_digest=twin(b"another").document())

    def fields_under_other_names(world: World) -> dict[str, Any]:
        return entry_of(world, fields=["agency", "application", "rights", "sources", "type"])

    def fewer_names_than_parts(world: World) -> dict[str, Any]:
        return entry_of(world, fields=["agency", "application", "rights"])

    def entry_of(world: World, **changes: Any) -> dict[str, Any]:
        genuine = world.register_entry()
        statement, parts = world.facts[genuine].statement, world.parts[genuine]
        stated = replace(statement, subject="certificate:X", body=statement.body | changes)
        return world.bundle(world.add(stated, world.sign(stated, AGENCY), parts=parts), parts=range(5))

    for code, change in (
        ("V06", party_without_agency), ("V06", party_vouched_by_a_party), ("V06", party_vouched_by_the_operator),
        ("V06", connector_of_somebody_else), ("V06", staff_who_left), ("V07", entry_by_the_operator),
        ("V07", statement_by_the_party), ("V07", batch_by_another_connector), ("V07", kind_nobody_listed),
        ("V05", typed_signature_of_a_kind_without_struct), ("V05", domain(1, CONTRACTS["AgreementRegistry"])),
        ("V05", domain(CHAIN_ID, CONTRACTS["RightsRegistry"])), ("V12", taken_in_after_the_head),
        ("V12", witnesses_too_early), ("V12", identity_after_the_act), ("V09", one_witness),
        ("V14", record_of_another_number), ("V14", line_of_another_party), ("V14", part_that_is_no_document),
        ("V14", record_digest_of_another_record), ("V14", fields_under_other_names), ("V14", fewer_names_than_parts),
    ):  # fmt: skip
        case(f"{code} {getattr(change, '__name__', 'domain')}", change)
    return made_up


def test_forgeries__all_refused__every_step_fails_first_somewhere(made: Made, other: Made) -> None:
    seen: Seen = Counter()
    resealed: Seen = Counter()
    for name in ("certificate", "agreement", "usage", "line", "close", "note"):
        mutants = one_meaning_changed(made, name)
        refuse_all({n: m for n, m in mutants.items() if n.endswith("plain")}, made, seen)
        refuse_all({n: m for n, m in mutants.items() if not n.endswith("plain")}, made, resealed)
    for name in ("certificate", "agreement", "usage"):
        data = encode(made.bundles[name])
        refuse_all(dict(flipped(data, hints_of(data), 61)), made, seen)
    refuse_all(transplants(made, other), made, seen)
    refuse_all(hand_made(made), made, seen)
    for name, bundle, house in own_keys(made):
        report = verdict(bundle, house.world.trust(), None if name.endswith("one_witness") else house.note)
        assert report["failed"] == name[:3], f"{name}: {report['steps'][-1]}"
        resealed[report["failed"]] += 1
    refuse_all(dict(other.bundles), made, seen)
    refuse_all(made.bundles, made, seen, head=made.world.note(time=made.world.at + 61))
    with stub_chain(made) as node:
        node.heads = {}
        refuse_all(made.bundles, made, seen, head=None, node=vb.Node(node.url))
        node.heads, node.matching = head_of(made), set()
        node.in_force = (1, 1, made.world.at)
        refuse_all({"certificate": made.bundles["certificate"]}, made, seen, head=None, node=vb.Node(node.url))
    total = seen + resealed
    print(f"\n{sum(total.values())} mutants, {sum(resealed.values())} of them re-sealed; first failing step:")
    for code in sorted(total):
        print(f"  {code} {total[code]:5d}  re-sealed {resealed[code]:5d}  {vb.STEPS[int(code[1:]) - 1][0]}")
    assert sum(resealed.values()) >= 400
    assert set(total) == {f"V{number:02d}" for number in range(1, 15)}


def test_hints__are_not_evidence(made: Made) -> None:
    for path in HINTS:
        value = made.bundles["certificate"][path[0]][path[1]]
        assert code_of(put(made.bundles["certificate"], path, other_value(value)), made) == ""


@pytest.mark.parametrize(
    ("code", "path", "value"),
    [
        ("V02", ("origin",), "shuqing/else"),
        ("V09", ("log", "ed25519"), "00" * 32),
        ("V09", ("log", "sm2"), "04" + "11" * 64),
        ("V09", ("witnesses", "k"), 3),
        ("V09", ("witnesses", "keys", "witness-1.demo"), "22" * 32),
        ("V05", ("chain", "chain_id"), 1),
        ("V05", ("chain", "contracts", "AgreementRegistry", "address"), "0x" + "33" * 20),
        ("V11", ("chain", "contracts", "EvidenceLog", "address"), "0x" + "33" * 20),
        ("V06", ("identities", f"party:{AGENCY}", "sm2"), "04" + "44" * 64),
        ("V06", ("identities", f"party:{AGENCY}", "roles"), ["operator"]),
        ("V07", ("required", "agreement-act/v1"), []),
        ("V07", ("required", "agreement-act/v1"), ["role:agency"]),
        ("V07", ("required", "agreement-act/v1"), ["each:signers", "role:nobody"]),
        ("V07", ("required",), {}),
    ],
)
def test_wrong_trust__refused_at_its_step(made: Made, code: str, path: Path_, value: Any) -> None:
    trust = put(made.world.trust(), path, value)
    if path == ("origin",):
        trust["log"]["name"] = value
    head = json.dumps(dict(zip(("size", "sha256", "sm3", "time"), plain_head(made), strict=True)))
    assert code_of(made.bundles["agreement"], made, trust=trust, head=head) == code


def plain_head(made: Made) -> tuple[int, str, str, int]:
    head, _ = checkpoint.parse(made.note)
    return head.size, head.root.sha256.hex(), head.root.sm3.hex(), head.at


# nothing a stranger writes ends in a traceback ------------------------------------------------------------------------

JUNK: tuple[Any, ...] = (
    True, False, 0, -1, 2**53 - 1, 2**60, "", "x", "é", "é" * 40, "\x00", "0x", [], [[]], {}, {"sha256": 1}, None, 1.5,
    "0" * 64, "9" * 400, ["a"], {"a": {}},
)  # fmt: skip


def test_fuzz__any_value_anywhere_is_refused_or_changes_nothing(made: Made) -> None:
    chance, trust, codes = random.Random(20260302), vb.read_trust(canonical.encode(made.world.trust())), Counter[str]()
    places = {name: [path for path, _ in nodes(made.bundles[name])] for name in NAMES}
    for _ in range(700):
        name = chance.choice(NAMES)
        mutant = copy.deepcopy(made.bundles[name])
        for _ in range(chance.choice((1, 1, 2))):
            try:
                mutant = put(mutant, chance.choice(places[name]), chance.choice(JUNK))
            except (KeyError, TypeError, IndexError):
                continue
        data = json.dumps(mutant, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        case = vb.Case(data, trust, None, plain_head(made))
        codes[vb.report(case, vb.run(case))["failed"]] += 1
    assert set(codes) >= {"V01", "V03", "V04", "V06"}


def nodes(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every place of a document, also those that hold others."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key in sorted(value):
            yield from nodes(value[key], (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from nodes(item, (*path, position))


def test_fuzz__signed_junk_bodies_end_in_a_verdict() -> None:
    """Also a forger with trusted keys gets a verdict, never a traceback: bodies of every kind with junk inside."""
    world = World()
    kinds = [*world.trust()["required"], "party/v1"]
    bodies: list[Any] = [{}, {"signers": []}, {"signers": [{}]}, {"domain": 1}, {"record": []}, {"terms_digest": "x"}]
    for kind in kinds:
        template = {
            "domain": {"chain_id": CHAIN_ID, "contract": CONTRACTS["AgreementRegistry"]},
            "signers": [],
            "act": [],
        }
        for body in [
            *bodies,
            template,
            {**template, "signers": [{"role": [], "address": {}}]},
            {"name": 1, "currency": []},
        ]:
            statement = Statement(kind, "agreement:zz", 0, None, body)
            typed = {"alg": "eip712-secp256k1", "by": f"party:{AGENCY}", "key": world.address(AGENCY)}
            typed |= {"value": "11" * 64 + "1b", "nonce": "9" * 78, "role": "PROVIDER"}
            world.add(statement, world.sign(statement, AGENCY), Signature.of_document(typed))
            world.add(statement, world.sign(statement, AGENCY), world.sign(statement, OPERATOR))
    trust, note = world.trust(), world.note()
    with stub_chain(Made(world, {}, note)) as node:
        node.heads = head_of(Made(world, {}, note))
        for place in range(len(world.facts)):
            for asked in (None, vb.Node(node.url)):
                report = verdict(world.bundle(place, note=note), trust, None if asked else note, asked)
                assert report["integrity"] in ("REFUSED", "INTACT")


@settings(max_examples=few(150), deadline=None, derandomize=True)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | _values.map(lambda v: json.dumps(v).encode()))
def test_fuzz__random_input_is_refused_at_step_one(data: bytes) -> None:
    case = vb.Case(data, {}, None, None)
    assert vb.report(case, vb.run(case))["failed"] == "V01"


@settings(max_examples=few(100), deadline=None, derandomize=True)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | _values.map(lambda v: json.dumps(v).encode()))
def test_fuzz__random_trust_and_head_files_are_unusable(data: bytes) -> None:
    with pytest.raises(vb.Unusable):
        vb.read_trust(data)
    with pytest.raises(vb.Unusable):
        vb.read_given(data, {})


def test_size__more_than_a_mebibyte_is_refused() -> None:
    case = vb.Case(b'"' + b"a" * vb.MAX_BYTES + b'"', {}, None, None)
    assert vb.run(case)[-1]["code"] == "V01"


# the command ----------------------------------------------------------------------------------------------------------


def files(made: Made, folder: Path, name: str, data: bytes = b"") -> list[str]:
    """Writes bundle, trust file and head; answers the arguments."""
    (folder / "bundle.json").write_bytes(data or encode(made.bundles[name]))
    (folder / "trust.json").write_text(json.dumps(made.world.trust(), indent=2), encoding="utf-8")
    (folder / "head.txt").write_text(made.note, encoding="utf-8")
    return [str(folder / "bundle.json"), "--trust", str(folder / "trust.json"), "--head", str(folder / "head.txt")]


def test_command__intact_is_0__and_says_what_is_not_proved(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vb.main(files(made, tmp_path, "certificate")) == 0
    text = capsys.readouterr().out
    assert text.count("✓") == 12
    assert text.count("–") >= 2
    assert "UNKNOWN" in text
    assert "未证明 not proved" in text
    assert "T1" in text
    assert vb.main([*files(made, tmp_path, "certificate"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["integrity"] == "INTACT"


def test_command__refused_is_1__and_names_step_expected_and_got(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = made.world.reseal(put(made.bundles["usage"], ("fact", "at"), made.world.at))
    assert vb.main(files(made, tmp_path, "usage", encode(forged))) == 1
    text = capsys.readouterr().out
    assert "✗  9 V09" in text
    assert "应为 expected" in text
    assert "实为 got" in text
    assert vb.main([*files(made, tmp_path, "usage", encode(forged)), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["integrity"], answer["failed"]) == ("REFUSED", "V09")
    assert answer["steps"][-1]["expected"]


def test_command__head_as_json_counts_as_well(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = files(made, tmp_path, "line")
    size, sha256, sm3_root, time = plain_head(made)
    head = {"size": size, "sha256": sha256, "sm3": sm3_root, "time": time}
    (tmp_path / "head.txt").write_text(json.dumps(head), encoding="utf-8")
    assert vb.main(arguments) == 0
    (tmp_path / "head.txt").write_text(json.dumps({**head, "sm3": "00" * 32}), encoding="utf-8")
    assert vb.main(arguments) == 1
    assert "V10" in capsys.readouterr().out


def test_command__unusable_input_of_the_verifier_is_2(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = files(made, tmp_path, "line")
    for path, content in (
        ("trust.json", "{}"), ("trust.json", None), ("head.txt", "{}"), ("head.txt", ""), ("bundle.json", None),
        ("head.txt", made.note.replace("time 1", "time 2")),
    ):  # fmt: skip
        files(made, tmp_path, "line")
        if content is None:
            (tmp_path / path).unlink()
        else:
            (tmp_path / path).write_text(content, encoding="utf-8")
        assert vb.main(arguments) == 2
        assert capsys.readouterr().err
    for wrong in ([], arguments[:3], [*arguments, "--rpc", "http://127.0.0.1:1"]):
        with pytest.raises(SystemExit) as stopped:
            vb.main(wrong)
        assert stopped.value.code == 2
    capsys.readouterr()
    assert vb.main([*arguments[:3], "--rpc", "file:///etc/passwd"]) == 2
    assert vb.main([*files(made, tmp_path, "line")[:3], "--rpc", "http://127.0.0.1:1", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["integrity"] == "NOT CHECKED"


# the chain, played by a small JSON-RPC server -------------------------------------------------------------------------


class StubChain:
    """What a node would answer; every field may be bent by a test."""

    def __init__(self, made: Made) -> None:
        self.chain_id, self.code = CHAIN_ID, {CONTRACTS[name]: code for name, code in CODE.items()}
        self.heads: dict[int, bytes] = head_of(made)
        self.matching: set[tuple[bytes, bytes]] = {
            (fact.digest().sha256, fact.digest().sm3) for fact in made.world.facts if fact.kind == "register-entry/v1"
        }
        self.in_force = (1, 1, made.world.at + 100)
        self.agreement = (0, 0, bytes(32), bytes(32), bytes(32), made.world.at + 100)
        self.closed = bytes(32)
        self.receipts: dict[str, Any] = {"0x" + "7e" * 32: receipt_of(max(self.heads))}
        self.asked: list[tuple[str, str]] = []
        self.raw: bytes | None = None
        self.url = ""

    def answer(self, request: dict[str, Any]) -> Any:
        method, params = request["method"], request["params"]
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_getCode":
            return "0x" + self.code.get(params[0], b"").hex()
        if method == "eth_getTransactionReceipt":
            return self.receipts.get(params[0])
        if method == "eth_call":
            return "0x" + self.call(params[0]["to"], bytes.fromhex(params[0]["data"][2:])).hex()
        raise KeyError(method)

    def call(self, to: str, data: bytes) -> bytes:
        name, arguments = next(c for c in CONTRACTS if CONTRACTS[c] == to), data[4:]
        self.asked.append((name, data[:4].hex()))
        selector = {keccak(text.encode())[:4]: text for text in FUNCTIONS}[data[:4]]
        if selector == "commitmentAt(uint64)":
            return self.heads.get(int.from_bytes(arguments, "big"), bytes(32))
        if selector == "inForce(bytes32)":
            self.key = arguments
            return abi_encode(["uint8", "uint8", "uint64"], self.in_force)
        if selector == "matches(bytes32,bytes32,bytes32)":
            assert arguments[:32] == self.key
            return abi_encode(["bool"], [(arguments[32:64], arguments[64:]) in self.matching])
        if selector == "agreement(bytes32)":
            assert arguments.hex() == AGREEMENT
            return abi_encode(["uint8", "uint32", "bytes32", "bytes32", "bytes32", "uint64"], self.agreement)
        return self.closed


FUNCTIONS = (
    "commitmentAt(uint64)", "inForce(bytes32)", "matches(bytes32,bytes32,bytes32)", "agreement(bytes32)",
    "closed(bytes32,bytes32,bytes3)",
)  # fmt: skip


def receipt_of(size: int) -> dict[str, Any]:
    topics = ["0x" + keccak(b"Anchored(uint64,bytes32,bytes32,uint64)").hex(), f"0x{size:064x}"]
    log = {"address": CONTRACTS["EvidenceLog"], "topics": topics, "data": "0x"}
    return {"status": "0x1", "blockNumber": "0x11", "logs": [log]}


def head_of(made: Made) -> dict[int, bytes]:
    """What EvidenceLog keeps for the head, computed by eth_abi."""
    head, _ = checkpoint.parse(made.note)
    values = (head.size, head.root.sha256, head.root.sm3, head.at)
    return {head.size: keccak(abi_encode(["uint64", "bytes32", "bytes32", "uint64"], values))}


@contextmanager
def stub_chain(made: Made) -> Iterator[StubChain]:
    stub = StubChain(made)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = stub.raw
            if body is None:
                body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": stub.answer(request)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def chain(made: Made) -> Iterator[StubChain]:
    with stub_chain(made) as stub:
        yield stub


def ask(made: Made, chain: StubChain, name: str) -> dict[str, Any]:
    return verdict(made.bundles[name], made.world.trust(), None, vb.Node(chain.url, 5))


def last_act(made: Made, name: str) -> bytes:
    digest = statement_of(made.bundles[name]).digest()
    return keccak(digest.sha256 + digest.sm3)


def test_chain__certificate_in_force__has_the_contract_s_own_as_of(made: Made, chain: StubChain) -> None:
    report = ask(made, chain, "certificate")
    assert (report["failed"], report["status"]) == ("", "IN_FORCE")
    assert report["as_of"] == vb.instant(made.world.at + 100)
    assert report["trust_level"].startswith("T2")
    assert chain.key == registry_key(made)
    chain.in_force = (2, 6, made.world.at)
    report = ask(made, chain, "certificate")
    assert (report["failed"], report["status"]) == ("", "NOT_IN_FORCE")
    assert "注销" in report["reason"]


def registry_key(made: Made) -> bytes:
    body = made.bundles["certificate"]["fact"]["statement"]["body"]
    return certificate_key(AGENCY, body["paper_type"], body["code"], body["version"])


def test_chain__certificate_not_deposited_is_unknown__other_digests_are_refused(made: Made, chain: StubChain) -> None:
    chain.matching = set()
    chain.in_force = (0, 0, made.world.at)
    report = ask(made, chain, "certificate")
    assert (report["failed"], report["status"]) == ("", "UNKNOWN")
    for answer in ((1, 1), (2, 6), (0, 11)):
        chain.in_force = (*answer, made.world.at)
        assert ask(made, chain, "certificate")["failed"] == "V13"
    chain.in_force = (9, 1, made.world.at)
    chain.matching = StubChain(made).matching
    assert ask(made, chain, "certificate")["failed"] == "V13"


def test_chain__agreement_tells_state_and_whether_the_act_is_the_last(made: Made, chain: StubChain) -> None:
    assert ask(made, chain, "agreement")["status"] == "UNKNOWN"
    body = made.bundles["agreement"]["fact"]["statement"]["body"]
    listed = vb.signers_hash(body["signers"])
    chain.agreement = (2, 1, listed, bytes(32), last_act(made, "agreement"), made.world.at + 7)
    assert ask(made, chain, "amendment")["status"] == "UNKNOWN"
    chain.agreement = (2, 2, bytes(32), bytes(32), last_act(made, "amendment"), made.world.at + 7)
    assert ask(made, chain, "amendment")["failed"] == "V13"
    chain.agreement = (2, 2, listed, bytes(32), last_act(made, "amendment"), made.world.at + 7)
    first, second = ask(made, chain, "agreement"), ask(made, chain, "amendment")
    assert (first["status"], second["status"]) == ("EFFECTIVE", "EFFECTIVE")
    assert "another act" in first["reason"]
    assert "this act" in second["reason"]
    assert second["as_of"] == vb.instant(made.world.at + 7)


def test_chain__closed_cycle_is_compared_with_the_book(made: Made, chain: StubChain) -> None:
    assert ask(made, chain, "close")["status"] == "UNKNOWN"
    body = made.bundles["close"]["fact"]["statement"]["body"]
    values = [bytes.fromhex(body[name]) for name in ("root_sha256", "root_sm3", "totals_commitment")]
    chain.closed = keccak(abi_encode(["bytes32", "bytes32", "bytes32", "uint64"], [*values, body["closed_at"]]))
    assert ask(made, chain, "close")["status"] == "CLOSED"
    chain.closed = b"\x01" * 32
    assert ask(made, chain, "close")["failed"] == "V13"


def test_chain__other_kinds_have_no_status(made: Made, chain: StubChain) -> None:
    report = ask(made, chain, "usage")
    assert (report["failed"], report["status"]) == ("", "N/A")
    assert {name for name, _ in chain.asked} == {"EvidenceLog"}


def test_chain__fake_chain_code_or_head_is_refused(made: Made, chain: StubChain) -> None:
    chain.chain_id = 1
    assert ask(made, chain, "line")["failed"] == "V11"
    chain.chain_id = CHAIN_ID
    for address in list(chain.code):
        genuine = chain.code[address]
        for code in (b"", genuine + b"\x00"):
            chain.code[address] = code
            assert ask(made, chain, "line")["failed"] == "V11"
        chain.code[address] = genuine
    assert ask(made, chain, "line")["failed"] == ""
    for size in list(chain.heads):
        chain.heads[size] = b"\x02" * 32
    assert ask(made, chain, "line")["failed"] == "V11"


def test_chain__the_receipt_must_have_succeeded_there_with_the_trusted_contract_s_event(
    made: Made, chain: StubChain
) -> None:
    (tx,) = chain.receipts
    good = chain.receipts[tx]
    log = good["logs"][0]
    others: list[Any] = [
        None, {**good, "status": "0x0"}, {**good, "blockNumber": "0x12"}, {**good, "logs": []},
        {**good, "logs": [{**log, "address": CONTRACTS["RightsRegistry"]}]},
        {**good, "logs": [{**log, "topics": [log["topics"][0], "0x1"]}]},
        {**good, "logs": [{**log, "topics": ["0x" + "00" * 32, log["topics"][1]]}]},
    ]  # fmt: skip
    for answer in others:
        chain.receipts[tx] = answer
        assert ask(made, chain, "line")["failed"] == "V11"
    chain.receipts[tx] = {**good, "logs": [{**log, "topics": []}, log]}
    assert ask(made, chain, "line")["failed"] == ""
    for broken in ({**good, "logs": 7}, {**good, "status": []}, {**good, "logs": [{}]}, {**good, "blockNumber": "x"}):
        chain.receipts[tx] = broken
        with pytest.raises(vb.Unusable):
            ask(made, chain, "line")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"result":null}',
        b'{"result":1}',
        b'{"result":"0xzz"}',
        b'{"error":{"code":3}}',
        b"\xff",
    ],
)
def test_chain__a_node_without_a_usable_answer_is_no_verdict(made: Made, chain: StubChain, raw: bytes) -> None:
    chain.raw = raw
    with pytest.raises(vb.Unusable):
        ask(made, chain, "certificate")


def test_chain__the_command_asks_the_node(
    made: Made, chain: StubChain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*files(made, tmp_path, "certificate")[:3], "--rpc", chain.url]
    assert vb.main(arguments) == 0
    assert "IN_FORCE" in capsys.readouterr().out
    chain.raw = b"{}"
    assert vb.main(arguments) == 2
