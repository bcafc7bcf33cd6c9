"""The numbered list: good bundles pass all of it, and every step is the first to refuse something (decisions D41)."""

from __future__ import annotations

import base64
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger import bundle, canonical, checkpoint, merkle, signing
from ledger.bundle import Bundle, Proved, path_document, path_of_document
from ledger.chain import EvidenceLogModel, MemoryChain
from ledger.checkpoint import Checkpoint
from ledger.digest import twin
from ledger.errors import Malformed
from ledger.facts import Fact, PartsRoot, Signature
from ledger.merkle import MemoryTree
from ledger.trust import Identity, WitnessTrust
from ledger.trust import read as read_trust
from ledger.verify import Report
from tests.ledger.builders import NOW, SIGNERS, ActRules, World, act_signatures, key, sign, state
from tests.ledger.cases import PARTS, Case, act, made, resign_head

CASE = made()
NAMES = sorted(CASE.bundles)
STEPS = [f"V{n:02d}" for n in range(1, 15)]


def document(name: str) -> dict[str, Any]:
    return copy.deepcopy(CASE.bundles[name].document())


def check(value: Bundle | dict[str, Any] | bytes, **more: Any) -> Report:
    if isinstance(value, Bundle):
        value = value.bytes()
    elif isinstance(value, dict):
        value = canonical.encode(value)
    return CASE.check(value, **more)


def refused(value: Bundle | dict[str, Any] | bytes, code: str, **more: Any) -> Report:
    report = check(value, **more)
    assert report.failed is not None, "accepted"
    assert report.failed.code == code, report.failed
    assert report.failed.number == int(code[1:])
    assert not report.intact
    assert report.status.code == "UNKNOWN"
    return report


# --- good bundles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_verify__good_bundle__all_fourteen_steps(name: str) -> None:
    report = check(CASE.bundles[name])
    assert [step.code for step in report.steps] == STEPS
    assert [step.number for step in report.steps] == list(range(1, 15))
    assert report.intact
    assert report.failed is None
    assert report.trust_level == "T2"
    assert report.not_proved


def test_verify__status_comes_from_the_chain_only() -> None:
    assert check(CASE.bundles["act"]).status.code == "IN_FORCE"
    assert len(check(CASE.bundles["act"]).not_proved) == 2
    assert check(CASE.bundles["act"], chain=None).status.code == "UNKNOWN"
    assert check(CASE.bundles["entry"]).status.code == "UNKNOWN"


@pytest.mark.parametrize("name", NAMES)
def test_verify__offline_with_a_head_of_ones_own__intact_but_status_unknown(name: str) -> None:
    report = check(CASE.bundles[name], chain=None)
    assert (report.intact, report.status.code, report.trust_level) == (True, "UNKNOWN", "T1")


@pytest.mark.parametrize("name", NAMES)
def test_bundle__bytes__read_back_to_the_same_values_with_or_without_line_feed(name: str) -> None:
    value = CASE.bundles[name]
    assert Bundle.of_bytes(value.bytes()) == value
    assert Bundle.of_bytes(value.bytes()[:-1]) == value
    assert check(value.bytes()[:-1]).intact
    assert len(value.bytes()) < 8 * 1024


def test_trust__document__read_back() -> None:
    trust = CASE.world.trust()
    assert read_trust(canonical.parse(canonical.encode(trust.document()))) == trust


# --- each step first to refuse ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b"\xff\xfe",
        CASE.bundles["entry"].bytes() + b"\n",
        b" " + CASE.bundles["entry"].bytes(),
        CASE.bundles["entry"].bytes().replace(b'","', b'", "', 1),
        CASE.bundles["entry"].bytes().replace("航班".encode(), b"\\u822a\\u73ed"),
        b'{"chain":{}' + CASE.bundles["entry"].bytes()[1:],
        b"[" * 100_000,
        b'{"a":"' + b"x" * 1_100_000 + b'"}',
    ],
)
def test_v01__not_one_canonical_document(data: bytes) -> None:
    refused(data, "V01")


@pytest.mark.parametrize("field", ["chain", "entry", "fact", "format", "head", "supports"])
def test_v01__field_missing__named(field: str) -> None:
    value = document("entry")
    del value[field]
    assert field in refused(value, "V01").failed.detail  # type: ignore[union-attr]


def test_v01__parts_or_supports_out_of_order_or_twice() -> None:
    for name in ("parts", "supports"):
        value = document("batch")
        refused(value | {name: value[name][::-1]}, "V01")
        refused(value | {name: [value[name][0], *value[name]]}, "V01")


def test_v02__no_node_and_no_head_of_ones_own() -> None:
    refused(CASE.bundles["entry"], "V02", chain=None, head=None)


def test_v02__another_log_than_the_trusted_one() -> None:
    refused(CASE.bundles["entry"], "V02", trust=replace(CASE.world.trust(), origin="shuqing/other"))


def test_v03__empty_role__would_be_a_second_form_of_the_fact() -> None:
    value = document("entry")
    value["fact"]["signatures"][0]["role"] = ""
    refused(value, "V03")


def test_v03__part_of_a_fact_that_has_none_or_fewer() -> None:
    refused(replace(CASE.bundles["entry"], parts=CASE.bundles["batch"].parts), "V03")
    value = document("batch")
    value["parts"][-1]["index"] = len(PARTS)
    refused(value, "V03")


def test_v03__a_support_that_is_no_identity_or_of_nobody_who_signed() -> None:
    batch, entry = CASE.bundles["batch"], CASE.bundles["entry"]
    refused(replace(batch, supports=(*batch.supports, entry.main)), "V03")
    refused(replace(entry, supports=batch.supports[-1:]), "V03")


def test_v03__no_signature_or_one_twice() -> None:
    refused(restated("entry", {}, lambda _: ()), "V03")
    refused(restated("act", {}, lambda s: act_signatures(s) + act_signatures(s)[:1]), "V03")


@pytest.mark.parametrize("side", ["sha256", "sm3"])
@pytest.mark.parametrize("place", ["entry", "part", "support", "prev", "parts"])
def test_v04__one_algorithm_missing__its_own_code(place: str, side: str) -> None:
    value = document("batch")
    statement = value["fact"]["statement"]
    statement["no"], statement["prev"] = 1, twin(b"x").document()
    target = {
        "entry": value["entry"]["path"], "part": value["parts"][0]["path"], "prev": statement["prev"],
        "support": value["supports"][0]["entry"]["path"], "parts": statement["parts"]["root"],
    }[place]  # fmt: skip
    del target[side]
    report = refused(value, "V04")
    assert "SHA-256" in report.failed.detail  # type: ignore[union-attr]


def test_v04__paths_of_unequal_length__its_own_code() -> None:
    value = document("batch")
    path = base64.b64decode(value["entry"]["path"]["sm3"])
    value["entry"]["path"]["sm3"] = base64.b64encode(path[:-32]).decode()
    refused(value, "V04")


def with_fact(name: str, fact: Fact, **more: Any) -> Bundle:
    value = CASE.bundles[name]
    return replace(value, main=replace(value.main, fact=fact), **more)


def restated(name: str, body: dict[str, Any], signatures: Callable[[Any], tuple[Signature, ...]]) -> Bundle:
    old = CASE.bundles[name].main.fact
    statement = replace(old.statement, body=old.body | body)
    return with_fact(name, replace(old, statement=statement, signatures=signatures(statement), _cache={}))


def test_v05__typed_signature_of_a_kind_without_a_struct() -> None:
    fact = CASE.bundles["entry"].main.fact
    evm = next(s for s in CASE.bundles["act"].main.fact.signatures if s.nonce)
    refused(with_fact("entry", replace(fact, signatures=(*fact.signatures, evm), _cache={})), "V05")


@pytest.mark.parametrize(
    "domain",
    [
        {"chain_id": 1, "contract": CASE.world.chain.address("Notary")},
        {"chain_id": 0, "contract": CASE.world.chain.address("EvidenceLog")},
        {"chain_id": 0, "contract": 7},
        {"chain_id": 0},
        "0",
    ],
)
def test_v05__domain_of_another_chain_or_contract(domain: Any) -> None:
    signatures = CASE.bundles["act"].main.fact.signatures
    refused(restated("act", {"domain": domain}, lambda _: signatures), "V05")


def test_v06__signature_over_other_content() -> None:
    refused(restated("entry", {"right": "use"}, lambda _: CASE.bundles["entry"].main.fact.signatures), "V06")


def test_v06__valid_signature_of_an_unknown_key_in_the_agencys_name() -> None:
    forge = lambda s: (signing.sign_sm2(key("forger"), s, by="party:A"),)  # noqa: E731
    refused(restated("entry", {"right": "use"}, forge), "V06")


@pytest.mark.parametrize("gone", [0, 1])
def test_v06__support_left_out__the_chain_of_keys_is_broken(gone: int) -> None:
    supports = CASE.bundles["batch"].supports
    left = tuple(s for s in supports if s.fact.kind != ("connector/v1", "party/v1")[gone])
    # Without the connector, the owner's identity is that of nobody who signed.
    refused(replace(CASE.bundles["batch"], supports=left), ("V03", "V06")[gone])


def identity(name: str, body_key: str, *by: str, number: int = 0) -> Proved:
    """An identity fact that names another key, signed by `by` with their real keys, in the place of a real one."""
    old = CASE.bundles["act"].supports[number]
    statement = replace(old.fact.statement, subject=name, body={"sm2": key(body_key).public})
    return replace(old, fact=Fact(statement, sign(statement, *by).signatures, NOW, "0" * 64))


def test_v06__identities_that_vouch_for_each_other_only() -> None:
    forge = lambda s: (signing.sign_sm2(key("party:Q"), s, by="party:Q"),)  # noqa: E731
    circle = (identity("party:Q", "party:Q", "party:R"), identity("party:R", "party:R", "party:Q", number=1))
    alone = (identity("party:Q", "party:Q", "party:Q"),)
    for supports in (circle, alone):
        refused(replace(restated("entry", {"x": 1}, forge), supports=supports), "V06")


def test_v06__accepted_party_names_a_second_key_for_the_agency__role_not_given_away() -> None:
    """Whoever is in the trust file has the keys of the trust file and no others."""
    x = CASE.bundles["act"].supports[0]
    forged = identity("party:A", "forger", "party:X", number=1)
    value = restated("entry", {"right": "all"}, lambda s: (signing.sign_sm2(key("forger"), s, by="party:A"),))
    refused(replace(value, supports=(x, forged)), "V06")


def test_v07__signed_by_somebody_accepted_without_the_role() -> None:
    value = restated("entry", {}, lambda s: sign(s, "party:X").signatures)
    refused(replace(value, supports=CASE.bundles["act"].supports[:1]), "V07")


def test_v07__kind_without_a_rule_in_the_trust_file() -> None:
    refused(CASE.bundles["entry"], "V07", trust=CASE.world.trust(required={}))
    refused(CASE.bundles["entry"], "V07", trust=CASE.world.trust(required={"entry/v1": ("most:signers",)}))
    refused(CASE.bundles["entry"], "V07", trust=CASE.world.trust(required={"entry/v1": ("each:signers",)}))


def test_v07__batch_signed_by_the_owner_instead_of_the_connector() -> None:
    owner = tuple(s for s in CASE.bundles["batch"].supports if s.fact.kind == "party/v1")
    value = restated("batch", {}, lambda s: sign(s, "party:X").signatures)
    refused(replace(value, supports=owner), "V07")


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_v07__act_lacks_one_of_its_signatures(count: int) -> None:
    def some(statement: Any) -> tuple[Signature, ...]:
        every = act_signatures(statement)
        return every[:count] + every[count + 1 :]

    refused(restated("act", {}, some), "V07")


def test_v07__act_signed_in_swapped_roles() -> None:
    swapped = {"RX": "RY", "RY": "RX"}
    refused(restated("act", {}, lambda s: tuple(replace(x, role=swapped[x.role]) for x in act_signatures(s))), "V07")


@pytest.mark.parametrize(
    "signers",
    [
        [],
        {},
        "xy",
        7,
        [7],
        [{}],
        [{"party": ["X"], "role": "RX", "address": "0x"}],
        [{"party": "X", "role": "RX", "address": 5}],
    ],
)
def test_v07__hostile_list_of_signers__refused_not_crashed(signers: Any) -> None:
    refused(restated("act", {"signers": signers}, act_signatures), "V07")


def test_v08__real_fact_in_another_place() -> None:
    value = CASE.bundles["entry"]
    refused(replace(value, main=replace(value.main, index=value.main.index + 1)), "V08")
    refused(replace(value, main=replace(value.main, index=10**9)), "V08")
    refused(replace(value, main=replace(value.main, path=value.main.path[:-1])), "V08")


def test_v08__signed_fact_that_was_never_logged() -> None:
    refused(restated("entry", {"right": "all"}, lambda s: sign(s, "party:A").signatures), "V08")


def test_v08__support_that_was_never_logged() -> None:
    value = CASE.bundles["batch"]
    forged = identity("party:X", "party:X", "party:X", "party:A")
    refused(replace(value, supports=(forged, value.supports[1])), "V08")


def test_v08__part_of_the_batch_altered_or_moved() -> None:
    value = CASE.bundles["batch"]
    first, part = value.parts
    path = tuple(MemoryTree([twin(p) for p in PARTS]).path(2))
    for changed in (replace(part, data=b'{"n":9}'), replace(part, index=2), replace(part, index=2, path=path)):
        refused(replace(value, parts=(first, changed)), "V08")


def forged_root(value: Bundle) -> Bundle:
    """Re-sealed as far as anybody can without keys: the root along the given path written into the note."""
    try:
        old = checkpoint.parse(value.note)[0]
    except Malformed:
        return value
    found = merkle.root_of_path(merkle.leaf_hash(value.main.fact.digest()), value.main.index, old.size, value.main.path)
    if found is None:
        return value
    return replace(value, note=value.note.replace(checkpoint.text(old), checkpoint.text(replace(old, root=found))))


def test_v09__root_recomputed_but_not_signed() -> None:
    refused(forged_root(restated("entry", {"right": "all"}, lambda s: sign(s, "party:A").signatures)), "V09")


def test_v09__other_log_too_few_or_wrong_witnesses() -> None:
    value, trust = CASE.bundles["entry"], CASE.world.trust()
    refused(value, "V09", trust=replace(trust, log=replace(trust.log, sm2=key("x").public)))
    refused(value, "V09", trust=replace(trust, log=replace(trust.log, ed25519="11" * 32)))
    keys = {"w.c": checkpoint.ed25519_public(b"\x0c" * 32)} | trust.witnesses.keys
    refused(value, "V09", trust=replace(trust, witnesses=WitnessTrust(3, keys)))
    for line in range(6, 10):
        rows = value.note.split("\n")
        refused(replace(value, note="\n".join(rows[:line] + rows[line + 1 :])), "V09")


def test_v09__one_witness_under_two_names__counted_once() -> None:
    public = CASE.world.witnesses()["w.a"]
    trust = replace(CASE.world.trust(), witnesses=WitnessTrust(2, {"w.a": public, "w.z": public}))
    refused(CASE.bundles["entry"], "V09", trust=trust)


@pytest.mark.parametrize("change", [{"size": 1}, {"at": 5}, {"root": twin(b"x")}])
def test_v10__not_the_head_one_obtained_oneself(change: dict[str, Any]) -> None:
    refused(CASE.bundles["entry"], "V10", head=replace(CASE.head, **change))
    refused(CASE.bundles["entry"], "V10", head=replace(CASE.head, **change), chain=None)


def test_v11__head_larger_than_any_on_the_chain() -> None:
    fact = CASE.bundles["entry"].main.fact
    digests = [fact.digest()] + [twin(b"%d" % i) for i in range(40)]
    tree = MemoryTree(digests)
    note = resign_head(CASE, Checkpoint(CASE.head.origin, 41, tree.root(), NOW))
    value = replace(CASE.bundles["entry"], main=Proved(fact, 0, tuple(tree.path(0))), note=note)
    refused(value, "V11", head=None)


@pytest.mark.parametrize("change", [{"block": 1}, {"block": 10**9}, {"tx": "0x" + "ab" * 32}])
def test_v11__place_on_the_chain_that_holds_no_such_event__and_is_not_checked_without_a_node(
    change: dict[str, Any],
) -> None:
    value = CASE.bundles["entry"]
    changed = replace(value, chain=replace(value.chain, **change))
    refused(changed, "V11")
    assert check(changed, chain=None).not_checked == ("chain.tx", "chain.block")
    assert check(changed, chain=None).intact
    assert check(value).not_checked == ()


def test_v11__signed_head_that_was_not_anchored() -> None:
    note = resign_head(CASE, replace(CASE.head, at=NOW + 61))
    refused(replace(CASE.bundles["entry"], note=note), "V11", head=None)


def test_v11__other_chain_address_or_code() -> None:
    value, trust = CASE.bundles["entry"], CASE.world.trust()
    refused(value, "V11", trust=replace(trust, chain=replace(trust.chain, chain_id=31337)))
    for name, contract in trust.chain.contracts.items():
        for changed in (replace(contract, address="0x" + "1" * 40), replace(contract, code_keccak256="0x" + "0" * 64)):
            contracts = trust.chain.contracts | {name: changed}
            refused(value, "V11", trust=replace(trust, chain=replace(trust.chain, contracts=contracts)))


def test_v11__trust_file_names_no_log_contract() -> None:
    trust = CASE.world.trust()
    contracts = {"Notary": trust.chain.contracts["Notary"]}
    refused(CASE.bundles["entry"], "V11", trust=replace(trust, chain=replace(trust.chain, contracts=contracts)))


def published(at: int, witnessed_at: int) -> tuple[Case, bytes]:
    """A world whose log, witnesses and chain all agree on a head with these times."""
    world = World()
    session = world.session()
    fact = state(session, "entry/v1", "entry:1", {}, "party:A")
    head = world.publish(session, at=at, witnessed_at=witnessed_at)
    return Case(world, session, head.checkpoint, {}, {}), bundle.assemble(session, fact.id).bytes()


@pytest.mark.parametrize(("at", "witnessed_at", "ok"), [
    (NOW - 300, NOW, True), (NOW - 301, NOW, False), (NOW, NOW - 300, True), (NOW, NOW - 301, False),
])  # fmt: skip
def test_v12__fact_after_its_head_or_witness_before_it(at: int, witnessed_at: int, ok: bool) -> None:
    case, data = published(at, witnessed_at)
    report = case.check(data)
    assert report.intact is ok
    if not ok:
        assert report.failed is not None
        assert report.failed.code == "V12"
    case.session.close()
    case.world.engine.dispose()


def test_v13__chain_holds_another_commitment() -> None:
    kept = CASE.world.notary.kept
    saved = dict(kept)
    try:
        for name in kept:
            kept[name] = b"\1" * 32
        refused(CASE.bundles["act"], "V13")
    finally:
        kept.update(saved)


def test_v14__signed_logged_anchored_but_the_sum_is_wrong() -> None:
    case = made()
    bad = act(case.world, case.session, subject="act:2", total=7)
    case.world.publish(case.session, at=NOW + 90)
    case.world.chain.send(case.world.face.call(case.world.chain, [bad]))
    data = bundle.assemble(case.session, bad.id, supports=[case.facts[f"party:{n}"].id for n in SIGNERS]).bytes()
    report = case.check(data, head=None)
    assert report.failed is not None
    assert report.failed.code == "V14"
    case.session.close()
    case.world.engine.dispose()


def test_verify__rules_that_break_on_hostile_content__a_refusal_not_a_crash() -> None:
    for error in (AttributeError("x"), OverflowError("x"), KeyError("x"), ZeroDivisionError("x")):

        class Broken(ActRules):
            def recompute(self, bundle: Bundle, error: Exception = error) -> None:
                raise error

        refused(CASE.bundles["act"], "V14", rules={"act/v1": Broken()})


# --- many re-sealed mutants ---------------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place of a document, containers included."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name in sorted(value):
            yield from leaves(value[name], (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))


def alternatives(value: Any) -> Iterator[Any]:
    """Other values of the same type, the kind of change somebody would want to make."""
    if isinstance(value, int):
        yield from (value + 1, value * 1000 + 7)
    elif isinstance(value, str):
        if value:
            middle = len(value) // 2
            other = "1" if value[middle] != "1" else "2"
            yield value[:middle] + other + value[middle + 1 :]
            yield value[:-1]
        yield value + "0"
    elif isinstance(value, list):
        yield from (value[1:], value[:-1]) if len(value) > 1 else ([],)
        yield [*value, *value[:1]]
    elif isinstance(value, dict):
        yield {**value, "extra": 1}
        yield from ({other: value[other] for other in value if other != name} for name in sorted(value))


def shows_less(path: tuple[Any, ...], new: Any, old: Any) -> bool:
    """Some of the parts left out: what is still shown is as true as before."""
    return path == ("parts",) and 0 < len(new) < len(old)


def put(document_: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(document_)
    at: Any = result
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return result


def reseal(value: dict[str, Any]) -> Iterator[bytes]:
    """The mutant as it is, with its unsigned sums recomputed, and signed again by a forger under the same names."""
    data = canonical.encode(value)
    yield data
    try:
        read = Bundle.of_bytes(data)
    except Malformed:
        return
    fact = read.main.fact
    yield forged_root(read).bytes()
    forged = tuple(
        signing.sign_sm2(key("forger"), fact.statement, by=s.by, role=s.role) if not s.nonce else s
        for s in fact.signatures
    )
    read = replace(read, main=replace(read.main, fact=replace(fact, signatures=forged, _cache={})))
    yield forged_root(read).bytes()


def mutants() -> Iterator[tuple[str, bytes]]:
    for name in NAMES:
        original = document(name)
        seen = {canonical.encode(original), canonical.encode(original) + b"\n"}
        for path, old in leaves(original):
            for new in alternatives(old):
                if new == old or shows_less(path, new, old):
                    continue
                changed = put(original, path, new)
                signed = path[:2] == ("fact", "statement")
                for data in reseal(changed) if signed else list(reseal(changed))[:2]:
                    if data not in seen:
                        seen.add(data)
                        yield f"{name}:{'.'.join(map(str, path))}", data


def transplants() -> Iterator[tuple[str, bytes]]:
    """Parts of one real bundle in another."""
    for one in NAMES:
        for two in NAMES:
            if one != two:
                for field in ("fact", "entry", "parts", "supports", "chain", "head"):
                    value, other = document(one), document(two)
                    if field in other and other[field] != value.get(field):
                        yield f"{one}<-{two}.{field}", canonical.encode(value | {field: other[field]})
                a, b = document(one), document(two)
                a["fact"]["signatures"] = b["fact"]["signatures"]
                yield f"{one}<-{two}.signatures", canonical.encode(a)
                a, b = document(one), document(two)
                a["fact"]["statement"] = b["fact"]["statement"]
                yield f"{one}<-{two}.statement", canonical.encode(a)


def test_mutants__hundreds_of_resealed_forgeries__all_refused_and_many_steps_first() -> None:
    histogram: Counter[str] = Counter()
    accepted = []
    total = 0
    for name, data in [*mutants(), *transplants()]:
        report = check(data)
        total += 1
        if report.failed is None:
            accepted.append(name)
        else:
            histogram[report.failed.code] += 1
    assert accepted == []
    assert total >= 300, total
    for code, least in (("V01", 60), ("V04", 2), ("V05", 5), ("V06", 60), ("V07", 2), ("V08", 20), ("V09", 30)):
        assert histogram[code] >= least, histogram


def test_mutants__every_fiftieth_byte_flipped__refused_and_never_a_crash() -> None:
    for name in NAMES:
        data = CASE.bundles[name].bytes()
        for at in range(0, len(data), 50):
            flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            assert check(flipped).failed is not None, (name, at)


def test_mutants__parts_root_rewritten_with_the_part__the_signature_notices() -> None:
    value = CASE.bundles["batch"]
    parts = [*PARTS[:3], b'{"n":99}', PARTS[4]]
    part = value.parts[1]
    fact = value.main.fact
    statement = replace(fact.statement, parts=PartsRoot.over(parts))
    path = tuple(MemoryTree([twin(p) for p in parts]).path(3))
    mutant = with_fact("batch", replace(fact, statement=statement, _cache={}))
    refused(replace(mutant, parts=(replace(part, data=parts[3], path=path),)), "V06")


def test_identity__role_without_the_signature_of_that_name() -> None:
    trust = CASE.world.trust()
    identities = trust.identities | {"party:B": Identity(key("party:B").public, roles=("agency",))}
    identities["party:A"] = replace(identities["party:A"], roles=())
    refused(CASE.bundles["entry"], "V07", trust=replace(trust, identities=identities))


@pytest.mark.parametrize("bad", ["", "AAA", "AAAA", "!!!!", base64.b64encode(bytes(31)).decode(), "A" * 43 + "B="])
def test_path__base64_in_any_other_form_or_length__refused(bad: str) -> None:
    value = document("entry")
    value["entry"]["path"] = {"sha256": bad, "sm3": bad}
    assert check(value).failed is not None
    good = path_document(CASE.bundles["entry"].main.path)
    assert path_of_document(good, "path") == CASE.bundles["entry"].main.path


def test_verify__another_chain_with_the_same_name__not_believed() -> None:
    """A node that knows nothing of our head."""
    models = {"EvidenceLog": EvidenceLogModel("0x" + "1" * 40), "Notary": CASE.world.notary}
    refused(CASE.bundles["entry"], "V11", chain=MemoryChain(models, now=NOW))
