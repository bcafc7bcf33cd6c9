"""An endless stream of forged bundles (decisions D41), made from the real bundles of a demonstration.

A mutant that counts is re-sealed: one meaning changed, the document canonical again, every checksum that the forger can
reach recomputed. How far he reaches is his `Reach`: nobody's key, the log's, the witnesses' too, or the keys of those
who signed the fact as well. Whatever he reaches, something a stranger holds on his own must refuse the file: the head
he obtained, the chain, or the sense of the content. Changes that leave everything true (fewer parts shown, an anchor
nobody asks a node about) are not made. The stream is the same for the same seed.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from api import keyfiles
from api.keyfiles import KeyFile
from clearing.market.agreement import Role, Signer, sign_act
from clearing.settlement.onchain import sign_close
from ledger import canonical, checkpoint, merkle, signing
from ledger.bundle import path_document
from ledger.checkpoint import Checkpoint, LogKeys
from ledger.digest import TwinDigest, twin
from ledger.errors import LedgerError
from ledger.facts import EIP712, Signature, Statement
from ledger.merkle import MemoryTree

Document = dict[str, Any]
Path_ = tuple[str | int, ...]

HEAD, NODE = "head", "node"
TRUSTED = "trusted"
"""How the verifier anchors: its own old head, a node, or a head that came from the forger's own log."""


class Reach(IntEnum):
    """Whose keys the forger has."""

    NONE = 0
    SUMS = 1
    LOG = 2
    WITNESSES = 3
    SIGNERS = 4


@dataclass(frozen=True)
class Mutant:
    """One forged file: what was done, the bytes, how it is judged; `note` is the forger's head when that is trusted.

    `believed` is a head the node is made to know of, as if the log had anchored it.
    """

    what: str
    data: bytes
    anchor: str
    note: str = ""
    believed: bool = False


@dataclass(frozen=True)
class Corpus:
    """Genuine bundles by name and every key of the world they come from."""

    bundles: Mapping[str, Document]
    trust: Document
    log: LogKeys
    witnesses: Mapping[str, bytes]
    keys: Mapping[str, KeyFile]

    @classmethod
    def of_demo(cls, out: Path, older: Mapping[str, Document]) -> Corpus:
        """The bundles a demonstration left in its folder, and `older` ones under an earlier head."""
        found = {
            file.stem.removeprefix("bundle-"): json.loads(file.read_bytes()) for file in sorted(out.glob("bundle-*"))
        }
        trust = json.loads((out / "trust.json").read_bytes())
        # Every witness must have signed, so that no line of a head is one too many.
        trust["witnesses"]["k"] = len(trust["witnesses"]["keys"])
        home, world = out / "world" / "platform", out / "world"
        log = keyfiles.load(home / "keys" / "log.json")
        secrets = [bytes.fromhex(file.read_text().strip()) for file in world.glob("*-witness/ed25519.key")]
        names = {public: name for name, public in trust["witnesses"]["keys"].items()}
        files = [*(home / "keys").glob("[ao][gp]e*.json"), *(world / "keys").glob("*.json")]
        keys = {key.by: key for key in map(keyfiles.load, [*files, world / "connector" / "key.json"])}
        return cls(
            {**found, **older},
            trust,
            LogKeys(trust["origin"], log.ed25519, log.sm2),
            {names[checkpoint.ed25519_public(secret)]: secret for secret in secrets},
            keys,
        )

    def note(self, point: Checkpoint, *, log: bool = True, at: int | None = None, witnesses: bool = True) -> str:
        """A head signed by the log and cosigned at `at`."""
        keys = self.log if log else LogKeys(point.origin, b"\x07" * 32, self.log.sm2)
        note = checkpoint.sign_note(point, LogKeys(point.origin, keys.ed25519, keys.sm2))
        seen = point.at if at is None else at
        lines = [checkpoint.cosign(note, name, key, seen) for name, key in self.witnesses.items()] if witnesses else []
        return checkpoint.add_lines(note, lines)


def stream(corpus: Corpus, seed: int) -> Iterator[Mutant]:
    """Distinct mutants without end."""
    makers: list[tuple[int, Callable[[Corpus, random.Random], Mutant | None]]] = [
        (46, _leaf), (18, _transplant), (5, _shape), (6, _one_side), (3, _other_log), (4, _wrong_clock), (5, _fork),
        (6, _double_issue), (7, _false_content), (6, _wrong_signers), (2, _byte), (4, _place),
    ]  # fmt: skip
    chance = random.Random(seed)
    seen = {canonical.encode(bundle) + b"\n" for bundle in corpus.bundles.values()}
    while True:
        (maker,) = chance.choices([maker for _, maker in makers], [weight for weight, _ in makers])
        try:
            mutant = maker(corpus, chance)
        except (LedgerError, LookupError, TypeError, ValueError, OverflowError):
            continue  # this change cannot be written down in the form at all
        if mutant is not None and mutant.data not in seen:
            seen.add(mutant.data)
            yield mutant


# one meaning changed --------------------------------------------------------------------------------------------------


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every text, number and truth value with the way to it."""
    if isinstance(value, dict | list):
        items = sorted(value.items()) if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def other(value: Any, chance: random.Random) -> Any:
    """Another value of the same type, of the kind a forger would like."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return abs(chance.choice((value + 1, value - 1, value * 2 + 1, value + chance.randrange(1, 10**6))))
    if not value:
        return chance.choice("ab1")
    at = chance.randrange(len(value))
    kinds = ("0123456789abcdef", string.digits, string.ascii_letters)
    alphabet = next((kind for kind in kinds if all(mark in kind for mark in value)), string.ascii_letters)
    mark = chance.choice([mark for mark in alphabet if mark != value[at]])
    shorter, longer, same = value[:at] + value[at + 1 :], value + mark, (value.swapcase(), value + " ")
    return chance.choice((value[:at] + mark + value[at + 1 :],) * 4 + (shorter, longer, *same))


def _leaf(corpus: Corpus, chance: random.Random) -> Mutant | None:
    name, bundle = _pick(corpus, chance)
    opened = _opened(bundle)
    path, value = chance.choice(list(leaves(opened)))
    changed = copy.deepcopy(opened)
    _put(changed, path, other(value, chance))
    anchor = chance.choice((HEAD, NODE))
    if path[0] == "chain" and path[1] in ("tx", "block"):
        anchor = NODE  # without one nobody can check them, and the report says so
    if path[0] == "head":
        reach = Reach.NONE
    else:
        reach = chance.choice((Reach.NONE, Reach.SUMS, Reach.SUMS, Reach.LOG, Reach.WITNESSES, Reach.WITNESSES))
    document = sealed(corpus, _closed(changed), reach)
    if reach > Reach.NONE and document | {"head": 0} == bundle | {"head": 0}:
        return None  # the change was a checksum, and is undone
    return Mutant(f"{name} {'.'.join(map(str, path))} {reach.name}", written(document), anchor)


def _transplant(corpus: Corpus, chance: random.Random) -> Mutant | None:
    """A piece of one genuine bundle in another."""
    name, bundle = _pick(corpus, chance)
    donor_name, donor = _pick(corpus, chance)
    pieces: list[Path_] = [
        ("fact",), ("entry",), ("parts",), ("head",), ("chain",), ("supports",), ("fact", "signatures"),
        ("fact", "statement"), ("fact", "statement", "body"), ("fact", "statement", "subject"), ("fact", "at"),
        ("fact", "statement", "parts"), ("fact", "statement", "kind"), ("fact", "salt"), ("entry", "path"),
    ]  # fmt: skip
    for list_ in ("parts", "supports"):
        pieces += [(list_, i) for i in range(min(len(bundle.get(list_, ())), len(donor.get(list_, ()))))]
    count = min(len(bundle["fact"]["signatures"]), len(donor["fact"]["signatures"]))
    pieces += [("fact", "signatures", i) for i in range(count)]
    body = donor["fact"]["statement"]["body"]
    pieces += [("fact", "statement", "body", key) for key in body if key in bundle["fact"]["statement"]["body"]]
    inner = ("supports", chance.randrange(8), *chance.choice((("fact",), ("entry",), ("fact", "signatures"))))
    path = chance.choice([*pieces, inner])
    found = _at(donor, path)
    if found is None or found == _at(bundle, path):
        return None
    signers = {signature["by"] for signature in bundle["fact"]["signatures"]}
    if path == ("supports",) and not found and signers <= set(corpus.trust["identities"]):
        return None  # the verifier knows these signers himself
    same_fact = bundle["fact"]["statement"].get("parts") == donor["fact"]["statement"].get("parts")
    if path[0] == "parts" and same_fact:
        return None  # other parts of the very same fact are as true
    changed = copy.deepcopy(bundle)
    _put(changed, path, copy.deepcopy(found))
    reach = Reach.NONE if path[0] in ("chain", "head") else chance.choice((Reach.NONE, Reach.SUMS, Reach.WITNESSES))
    anchor = NODE if path[0] == "chain" else chance.choice((HEAD, NODE))
    document = sealed(corpus, changed, reach)
    if document in corpus.bundles.values():
        return None
    return Mutant(f"{name} ← {donor_name} {'.'.join(map(str, path))} {reach.name}", written(document), anchor)


# steps that one changed leaf seldom reaches ---------------------------------------------------------------------------


def _shape(corpus: Corpus, chance: random.Random) -> Mutant:
    """Another shape: a field more or less, another type, another order, one thing twice."""
    name, bundle = _pick(corpus, chance)
    changed = copy.deepcopy(bundle)
    places = [path for path, _ in _nodes(changed) if path[:3] != ("fact", "statement", "body")]
    path = chance.choice(places)
    value = _at(changed, path)
    surgery = chance.randrange(4)
    if surgery == 0:
        _put(changed, path, chance.choice([7, "text", [], {}, [value], {"value": value}, True]))
    elif surgery == 1 and isinstance(path[-1], str):
        del _at(changed, path[:-1])[path[-1]]
    elif isinstance(value, dict):
        value[f"x{chance.randrange(10**6)}"] = chance.randrange(10**6)
    elif isinstance(value, list) and len(value) > 1 and path != ("head", "note"):
        value.append(copy.deepcopy(value[0])) if surgery == 2 else value.reverse()
    else:
        _put(changed, path, {"was": value})
    if path in (("parts",), ("supports",)) and not changed.get(path[0]):  # an annex may lawfully be left out
        changed["format"] = "shuqing-bundle/v2"
    anchor = NODE if path[0] == "chain" else HEAD
    return Mutant(f"{name} shape {'.'.join(map(str, path))}", written(changed), anchor)


def _one_side(corpus: Corpus, chance: random.Random) -> Mutant:
    """One algorithm of two is missing, or shorter than the other."""
    name, bundle = _pick(corpus, chance)
    changed = copy.deepcopy(bundle)
    twins = [
        path
        for path, value in _nodes(changed)
        if isinstance(value, dict) and set(value) == {"sha256", "sm3"} and path[:3] != ("fact", "statement", "body")
    ]
    path, side = chance.choice(twins), chance.choice(("sha256", "sm3"))
    place = _at(changed, path)
    raw = base64.b64decode(place[side]) if path[-1] == "path" else b""
    if len(raw) > 32 and chance.random() < 0.7:
        cut = 32 * chance.randrange(1, len(raw) // 32)
        place[side] = base64.b64encode(chance.choice((raw[:cut], raw + raw[:cut]))).decode()
    else:
        del place[side]
    # A second, harmless change makes the file another one each time.
    changed["fact"]["salt"] = f"{chance.getrandbits(256):064x}"
    return Mutant(f"{name} one side {'.'.join(map(str, path))}", written(changed), chance.choice((HEAD, NODE)))


def _other_log(corpus: Corpus, chance: random.Random) -> Mutant:
    """The head of a log under another name, well signed."""
    name, bundle = _pick(corpus, chance)
    changed = copy.deepcopy(bundle)
    point = point_of(changed)
    origin = other(corpus.trust["origin"].replace("/", "-"), chance) + "/log"
    changed["head"]["note"] = corpus.note(Checkpoint(origin, point.size, point.root, point.at)).split("\n")
    return Mutant(f"{name} of log {origin}", written(changed), chance.choice((HEAD, NODE)))


def _wrong_clock(corpus: Corpus, chance: random.Random) -> Mutant:
    """Log, witnesses or intake with a wrong clock, all signed with the real keys; even the head is believed."""
    name, bundle = _pick(corpus, chance)
    changed = copy.deepcopy(bundle)
    skew = 301 + chance.randrange(10**6)
    point, seen = point_of(changed), None
    kind = chance.randrange(3)
    if kind == 0:
        changed["fact"]["at"] = point.at + skew
    elif kind == 1 and changed["supports"]:
        chance.choice(changed["supports"])["fact"]["at"] = changed["fact"]["at"] + skew
    else:
        seen = point.at - skew
    document = sealed(corpus, changed, Reach.WITNESSES, seen=seen, grow=True)
    return _believed(f"{name} clock {kind} {skew}", document, chance)


def _fork(corpus: Corpus, chance: random.Random) -> Mutant:
    """The log shows this reader another history: a head of its own, signed by all, that was never anchored."""
    name, bundle = _pick(corpus, chance)
    changed = copy.deepcopy(bundle)
    changed["fact"]["salt"] = f"{chance.getrandbits(256):064x}"
    document = sealed(corpus, changed, Reach.WITNESSES, grow=chance.random() < 0.5)
    return Mutant(f"{name} in a fork", written(document), chance.choice((HEAD, NODE)))


def _double_issue(corpus: Corpus, chance: random.Random) -> Mutant | None:
    """The real signers state a second thing in the place of the first; the log and its head go along, the chain not."""
    name = chance.choice([name for name, bundle in corpus.bundles.items() if _kind(bundle) in _CHAIN_BOUND])
    changed = copy.deepcopy(corpus.bundles[name])
    changed.pop("parts", None)
    body = changed["fact"]["statement"]["body"]
    kind = _kind(changed)
    if kind == "agreement-act/v1":
        left = body["signers"].pop(chance.randrange(len(body["signers"])))
        signed = changed["fact"]["signatures"]
        changed["fact"]["signatures"] = [s for s in signed if s["by"] != f"party:{left['party']}"]
        changed["supports"] = [s for s in changed["supports"] if not _is_about(s, left["party"])]
        body["deadline"] += chance.randrange(1, 10**6)
    else:
        field = chance.choice(_CHAIN_BOUND[kind])
        body[field] = other(body[field], chance)
    document = sealed(corpus, changed, Reach.SIGNERS, grow=True)
    return Mutant(f"{name} double issue", written(document), NODE, believed=True)


_CHAIN_BOUND: Mapping[str, tuple[str, ...]] = {
    "register-entry/v1": ("valid_from", "valid_until", "agency_name", "deposited_at", "authority_name"),
    "cycle-closed/v1": ("root_sha256", "root_sm3", "closed_at", "totals_commitment"),
    "agreement-act/v1": (),
}
"""Fields the chain has a word about (and that are no part of the name under which it keeps the fact)."""


def _false_content(corpus: Corpus, chance: random.Random) -> Mutant | None:
    """Everybody signs, the log proves and its head is believed, but the content contradicts itself."""
    name = chance.choice([name for name, bundle in corpus.bundles.items() if "parts" in bundle])
    changed = copy.deepcopy(corpus.bundles[name])
    body, kind = changed["fact"]["statement"]["body"], _kind(changed)
    part = chance.choice(changed["parts"])
    data = json.loads(part["data"])
    step = chance.randrange(1, 10**6)
    if kind == "usage-batch/v1":
        if chance.random() < 0.5:
            body["first_seq"] += step
        else:
            data["seq"] += step
    elif kind == "statement/v1":
        data["no"] += step
    else:
        whole = len(changed["parts"]) == changed["fact"]["statement"]["parts"]["count"]
        surgery = chance.randrange(4)
        if surgery == 0 and whole:
            field = "terms_digest" if kind == "agreement-act/v1" else "record_digest"
            side = chance.choice(("sha256", "sm3"))
            body[field][side] = f"{chance.getrandbits(256):064x}"
        elif surgery == 1:
            data["field"] = "".join(chance.choices(string.ascii_lowercase, k=8))
        elif surgery == 2:
            body["fields"][part["index"]] = "".join(chance.choices(string.ascii_lowercase, k=8))
        else:
            body["fields"].append("".join(chance.choices(string.ascii_lowercase, k=8)))
    part["data"] = canonical.encode(data).decode()
    document = sealed(corpus, changed, Reach.SIGNERS, grow=True)
    return _believed(f"{name} false content", document, chance, online=False)


def _wrong_signers(corpus: Corpus, chance: random.Random) -> Mutant | None:
    """Real persons with real keys, but not those who must sign, or not all, or more."""
    name, bundle = _pick(corpus, chance)
    changed = copy.deepcopy(bundle)
    statement = changed["fact"]["statement"]
    statement["body"] |= {"deadline": chance.randrange(10**9)} if "deadline" in statement["body"] else {}
    if "deadline" not in statement["body"]:
        statement["no"], statement["prev"] = 1 + chance.randrange(10**6), twin(b"before").document()
    signatures = signatures_of(corpus, changed)
    surgery = chance.randrange(3)
    if surgery == 0 and len(signatures) > 1:
        del signatures[chance.randrange(len(signatures))]
    else:
        stated = Statement.of_document(statement)
        known = [by for by in corpus.keys if by in corpus.trust["identities"] and by not in {s.by for s in signatures}]
        stranger = chance.choice(known)
        extra = signing.sign_sm2(corpus.keys[stranger].sm2, stated, by=stranger, role=chance.choice(("", "PROVIDER")))
        signatures = [extra] if surgery == 1 or _kind(changed) != "agreement-act/v1" else [*signatures, extra]
    present = {signature.by for signature in signatures}
    if present == {s["by"] for s in bundle["fact"]["signatures"]} and _kind(changed) != "agreement-act/v1":
        return None
    changed["fact"]["signatures"] = [signature.document() for signature in signatures]
    reach = chance.choice((Reach.SUMS, Reach.WITNESSES))
    return Mutant(f"{name} signed by {sorted(present)}", written(sealed(corpus, changed, reach)), HEAD)


def _byte(corpus: Corpus, chance: random.Random) -> Mutant | None:
    """One bit flipped, or a byte more or less; nothing re-sealed."""
    name, bundle = _pick(corpus, chance)
    data = bytearray(written(bundle))
    at = chance.randrange(len(data) - 1)
    data[at] ^= 1 << chance.randrange(8)
    return Mutant(f"{name} bit at {at}", bytes(data), NODE)


def _place(corpus: Corpus, chance: random.Random) -> Mutant:
    """Another place on the chain: a node must not find the anchor there."""
    name, bundle = _pick(corpus, chance)
    changed = copy.deepcopy(bundle)
    field = chance.choice(("block", "tx", "contract", "chain_id"))
    changed["chain"][field] = other(changed["chain"][field], chance)
    return Mutant(f"{name} place {field}", written(changed), NODE)


# sealing --------------------------------------------------------------------------------------------------------------


def sealed(corpus: Corpus, bundle: Document, reach: Reach, *, seen: int | None = None, grow: bool = False) -> Document:
    """The changed bundle with every checksum recomputed that the forger reaches. `seen`: when the witnesses looked.

    With `grow` the forged facts stand in a tree of their own, as a log would have built that took them in.
    """
    if reach is Reach.NONE:
        return bundle
    bundle = copy.deepcopy(bundle)
    _reseal_parts(bundle)
    if reach is Reach.SIGNERS:
        bundle["fact"]["signatures"] = [signature.document() for signature in signatures_of(corpus, bundle)]
    point = point_of(bundle)
    items = [bundle, *bundle["supports"]]
    if grow:
        digests = [twin(canonical.encode(item["fact"])) for item in items] + [twin(b"%d" % i) for i in range(5)]
        tree = MemoryTree(digests)
        # Supports must stand by ascending index, so the fact itself comes last among ours.
        order = [*range(1, len(items)), 0]
        tree = MemoryTree([digests[i] for i in order] + digests[len(items) :])
        for place, item in enumerate(order):
            items[item]["entry"] = {"index": place, "path": path_document(tree.path(place))}
        point = Checkpoint(point.origin, len(digests), tree.root(), point.at)
    else:
        root = _root_of(bundle, point.size)
        if root is None:
            return bundle
        point = Checkpoint(point.origin, point.size, root, point.at)
    if reach is Reach.SUMS:
        fresh = checkpoint.text(point).split("\n")[:5]
        bundle["head"]["note"] = [*fresh, *bundle["head"]["note"][5:]]
    else:
        rows = corpus.note(point, at=seen, witnesses=reach >= Reach.WITNESSES).split("\n")
        if reach is Reach.LOG:
            rows = [*rows[:8], *bundle["head"]["note"][8:]]
        bundle["head"]["note"] = rows
    return bundle


def signatures_of(corpus: Corpus, bundle: Document) -> list[Signature]:
    """What the real signers would have signed, had they stated this."""
    statement = Statement.of_document(bundle["fact"]["statement"])
    signatures: list[Signature] = []
    for old in bundle["fact"]["signatures"]:
        keys = corpus.keys[old["by"]]
        if old["alg"] != EIP712:
            signatures.append(signing.sign_sm2(keys.sm2, statement, by=old["by"], role=old.get("role", "")))
        elif statement.kind == "agreement-act/v1":
            signer = Signer(Role(old["role"]), old["by"].removeprefix("party:"), old["key"].lower())
            signatures.append(sign_act(statement, signer, keys.sm2, keys.evm, int(old["nonce"]))[1])
        else:
            chain = corpus.trust["chain"]
            place = {"chain_id": chain["chain_id"], "address": chain["contracts"]["SettlementBook"]["address"]}
            signatures.append(sign_close(keys.evm, statement, by=old["by"], role=old["role"], **place))
    return signatures


def written(bundle: Document) -> bytes:
    """The file."""
    return canonical.encode(bundle) + b"\n"


def point_of(bundle: Document) -> Checkpoint:
    """The checkpoint of a bundle's head."""
    return checkpoint.parse("\n".join(bundle["head"]["note"]))[0]


def _believed(what: str, document: Document, chance: random.Random, online: bool = True) -> Mutant:
    """The verifier took the forger's head for a good one, from its log or from a node."""
    if online and chance.random() < 0.5:
        return Mutant(what, written(document), NODE, believed=True)
    return Mutant(what, written(document), TRUSTED, note="\n".join(document["head"]["note"]))


def _root_of(bundle: Document, size: int) -> TwinDigest | None:
    """The root to which the fact's own path leads."""
    sides = [base64.b64decode(bundle["entry"]["path"][name]) for name in ("sha256", "sm3")]
    path = [TwinDigest(sides[0][i : i + 32], sides[1][i : i + 32]) for i in range(0, len(sides[0]), 32)]
    leaf = merkle.leaf_hash(twin(canonical.encode(bundle["fact"])))
    return merkle.root_of_path(leaf, bundle["entry"]["index"], size, path)


def _reseal_parts(bundle: Document) -> None:
    """A parts root over what is shown, each at its number, with made-up neighbours where nothing is shown."""
    statement, shown = bundle["fact"]["statement"], bundle.get("parts", [])
    if not shown or "parts" not in statement:
        return
    count = statement["parts"]["count"]
    data = [twin(b"neighbour %d" % i) for i in range(count)]
    for part in shown:
        data[part["index"]] = twin(part["data"].encode())
    tree = MemoryTree(data)
    statement["parts"]["root"] = tree.root().document()
    for part in shown:
        part["path"] = path_document(tree.path(part["index"]))


def _pick(corpus: Corpus, chance: random.Random) -> tuple[str, Document]:
    name = chance.choice(list(corpus.bundles))
    return name, corpus.bundles[name]


def _kind(bundle: Document) -> str:
    return str(bundle["fact"]["statement"]["kind"])


def _is_about(support: Document, party: str) -> bool:
    return bool(support["fact"]["statement"]["subject"] == f"party:{party}")


def _opened(bundle: Document) -> Document:
    """A copy whose parts are documents, so that a change inside one is one changed meaning."""
    opened = copy.deepcopy(bundle)
    for part in opened.get("parts", ()):
        part["data"] = json.loads(part["data"])
    return opened


def _closed(opened: Document) -> Document:
    for part in opened.get("parts", ()):
        part["data"] = canonical.encode(part["data"]).decode()
    return opened


def _nodes(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict | list):
        items: Any = sorted(value.items()) if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _nodes(item, (*path, key))


def _at(value: Any, path: Path_) -> Any:
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return None
    return value


def _put(value: Any, path: Path_, new: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new
