"""A proof each party can check: all of its obligations and only those are in the run, and nobody else's money shows.

The proof is a Merkle-sum tree over salted leaves that look random (D36). Source: domain clearing §8.

Tree, format 2. Each participant has two leaves between which its sums are split. A leaf is
`H(0x00 ‖ pseudonym ‖ commitment ‖ in ‖ out ‖ count)`, commitment = `H(0x03 ‖ sub-root ‖ salt)`; a node is
`H(0x01 ‖ left ‖ right)`, each side as hash 32, low 8, high 8, in 8, out 8, count 4 bytes. low and high are the first
eight bytes of the smallest and largest pseudonym below; leaves are sorted by pseudonym, so a second leaf of the same
pseudonym has no place. H is SHA-256.

Sub-tree. A leaf is `H(0x02 ‖ salt ‖ canonical obligation)`, sorted by debtor, creditor, amount, bytes; a node is
`H(0x04 ‖ up to 16 hashes below)`, level by level up to one hash. Leaf number k (from 0) is salted with bytes
16k to 16k + 15 of HMAC-SHA-256 in counter mode under the participant's secret, whose block b (from 1) is
`HMAC(secret, "obligation" ‖ b as 4 bytes)`: PBKDF2 of one round. Format 1 had binary nodes and one HMAC call a leaf.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from clearing.errors import BadTerms, ProofRefused
from clearing.settlement.netting.certificate import Certificate
from clearing.settlement.netting.limits import Choice
from clearing.settlement.netting.positions import Position, columns_of
from clearing.settlement.statement import Obligation
from ledger import canonical
from ledger.reading import body_of

LEAVES = 2
LIMIT = 2**63
WIDTH = 16
SALT = 16
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Sum:
    """A node as its parent hashes it: hash and bounds as hex, sums in fen."""

    hash: str
    low: str
    high: str
    incoming: int
    outgoing: int
    count: int

    def packed(self) -> bytes:
        """The 68 bytes that enter the parent's hash. Raises ProofRefused(3) for a sum outside [0, 2^63)."""
        for amount in (self.incoming, self.outgoing):
            if not 0 <= amount < LIMIT:
                raise ProofRefused(3, "0 ≤ sum < 2^63", amount)
        if not 0 <= self.count < 2**32:
            raise ProofRefused(3, "0 ≤ count < 2^32", self.count)
        sums = self.incoming.to_bytes(8, "big") + self.outgoing.to_bytes(8, "big") + self.count.to_bytes(4, "big")
        return bytes.fromhex(self.hash + self.low + self.high) + sums


@dataclass(frozen=True, slots=True)
class Sibling:
    """One step up: the node beside the path and whether it stands on the left."""

    left: bool
    node: Sum


@dataclass(frozen=True, slots=True)
class LeafProof:
    """One of the participant's leaves: its share of the sums and the path to the root."""

    incoming: int
    outgoing: int
    count: int
    path: tuple[Sibling, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What one participant gets: its secret for this cycle (hex) and its leaves with their paths."""

    party: str
    secret: str
    leaves: tuple[LeafProof, ...]

    def packed_size(self) -> int:
        """Length in bytes of the proof's binary form: secret, then per leaf 20 bytes and 69 per step."""
        return 32 + sum(20 + 69 * len(leaf.path) for leaf in self.leaves)


def participant_secret(cycle_secret: bytes, party: str) -> bytes:
    """The per-participant secret: HMAC-SHA-256(secret of the cycle, party), so a re-run has the same bytes."""
    return hmac.digest(cycle_secret, b"participant\x00" + party.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Funded:
    """Fen > 0 that are there for a party: it has paid them in itself, or `by`, its guarantor, has."""

    party: str
    amount: int
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The body of a netting fact; the netted obligations are its parts. `root` carries the sum root (D36), absent when
    nothing is left to net after a default; `funded` what was paid in under the run that this one replaces; `choice`
    the limits it was made under, absent where none were set."""

    cycle: str
    operator: str
    period: str
    currency: str
    certificate: Certificate
    root: Sum | None = None
    funded: tuple[Funded, ...] | None = None
    choice: Choice | None = None

    @property
    def brought(self) -> dict[str, int]:
        """What is there for each party, fen, whoever paid it in."""
        found: dict[str, int] = {}
        for paid in self.funded or ():
            found[paid.party] = found.get(paid.party, 0) + paid.amount
        return found

    @property
    def final(self) -> dict[str, int]:
        """What each party is due (> 0) or has yet to bring (< 0), fen: its position and what it has paid in."""
        found = {item.party: item.net for item in self.certificate.positions}
        for party, amount in self.brought.items():
            found[party] = found.get(party, 0) + amount
        return dict(sorted(found.items()))


def sum_tree(obligations: Sequence[Obligation], cycle_secret: bytes) -> tuple[Sum, dict[str, Proof]]:
    """The root with its sums, and one proof per participant. The order of the obligations has no effect.

    Raises BadTerms for no obligations, FieldError for a text that has no canonical form, and as `columns_of`.
    """
    if not obligations:
        raise BadTerms("obligations", "at least one", 0)
    leaves: list[tuple[bytes, str, int, Sum]] = []
    shares: dict[str, list[tuple[int, int, int]]] = {}
    secrets: dict[str, bytes] = {}
    own, positions = _documents(obligations)
    for position in positions:
        secret = secrets[position.party] = participant_secret(cycle_secret, position.party)
        parts = shares[position.party] = _split_sums(secret, position)
        top = _sub_root(secret, own[position.party])
        for number, (incoming, outgoing, count) in enumerate(parts):
            pseudonym = _derive(secret, "pseudonym", number)
            leaves.append((pseudonym, position.party, number, _leaf(secret, number, top, incoming, outgoing, count)))
    leaves.sort(key=lambda item: item[0])
    paths: list[list[Sibling]] = [[] for _ in leaves]
    root = _build([leaf for *_, leaf in leaves], paths, 0)
    where = {(party, number): index for index, (_, party, number, _) in enumerate(leaves)}
    proofs = {
        party: Proof(
            party,
            secrets[party].hex(),
            tuple(LeafProof(*shares[party][number], tuple(paths[where[party, number]])) for number in range(LEAVES)),
        )
        for party in shares
    }
    return root, proofs


def check_proof(own: Sequence[Obligation], proof: Proof, root: Sum, gross: int, position: int) -> None:
    """A participant's check against its own confirmed obligations. Raises ProofRefused with the step that failed.

    (1) its two leaves rebuild from its own obligations: sub-root, in, out and count
    (2) on the way up each sibling lies strictly on its side, so no second leaf has its pseudonym
    (3) every sum is ≥ 0 and < 2^63  (4) at the root in = out = gross  (5) its position is the one on its notice
    """
    secret = bytes.fromhex(proof.secret)
    incoming = sum(item.amount for item in own if item.creditor == proof.party)
    outgoing = sum(item.amount for item in own if item.debtor == proof.party)
    _step(1, LEAVES, len(proof.leaves))
    stated = tuple(sum(getattr(leaf, name) for leaf in proof.leaves) for name in ("incoming", "outgoing", "count"))
    for leaf in proof.leaves:
        if min(leaf.incoming, leaf.outgoing, leaf.count) < 0:
            raise ProofRefused(3, "sums ≥ 0", (leaf.incoming, leaf.outgoing, leaf.count))
    _step(1, (incoming, outgoing, len(own)), stated)
    if any(proof.party not in (item.debtor, item.creditor) for item in own):
        raise ProofRefused(1, f"obligations of {proof.party} only", "another party's obligation")
    top = _sub_root(secret, _own_documents(own))
    for number, leaf in enumerate(proof.leaves):
        node = _leaf(secret, number, top, leaf.incoming, leaf.outgoing, leaf.count)
        for step in leaf.path:
            left, right = (step.node, node) if step.left else (node, step.node)
            if not left.high < right.low:
                raise ProofRefused(2, "pseudonyms in strict order", (left.high, right.low))
            node = _node(left, right)
        _step(1, root.hash, node.hash)
        _step(4, (root.incoming, root.outgoing, root.count), (node.incoming, node.outgoing, node.count))
    _step(4, (gross, gross), (root.incoming, root.outgoing))
    _step(5, incoming - outgoing, position)


def _step(step: int, expected: object, given: object) -> None:
    if expected != given:
        raise ProofRefused(step, str(expected), given)


def _derive(secret: bytes, label: str, number: int) -> bytes:
    return hmac.digest(secret, f"{label}/{number}".encode() + b"\x00", "sha256")


def _split_sums(secret: bytes, position: Position) -> list[tuple[int, int, int]]:
    """Divide in, out and count between the leaves at a point nobody without the secret can guess."""
    totals = (position.incoming, position.outgoing, position.count)
    first = tuple(
        int.from_bytes(_derive(secret, "split", field)[:16], "big") % (total + 1) for field, total in enumerate(totals)
    )
    second = tuple(total - part for total, part in zip(totals, first, strict=True))
    return [(first[0], first[1], first[2]), (second[0], second[1], second[2])]


def _documents(obligations: Sequence[Obligation]) -> tuple[dict[str, list[bytes]], tuple[Position, ...]]:
    """Each party's canonical obligations in the order of its sub-tree, and the positions.

    Every different text is checked once; then the encoder that the canonical form rests on gives the same bytes.
    """
    columns = columns_of(obligations)
    texts = {text for item in obligations for part in item.items for text in (part.agreement, part.period)}
    canonical.encode(sorted(texts.union(columns.parties)))
    data = [_encode(item) for item in obligations]
    pair = columns.debtor * len(columns.parties) + columns.creditor
    ranked = np.argsort(pair, kind="stable")
    order = ranked.tolist()
    if bool((np.diff(pair[ranked]) == 0).any()):
        order.sort(key=lambda number: (pair[number], columns.amount[number], data[number]))
    own: dict[str, list[bytes]] = {party: [] for party in columns.parties}
    sides = list(own.values())
    debtors, creditors = columns.debtor[ranked].tolist(), columns.creditor[ranked].tolist()
    for number, debtor, creditor in zip(order, debtors, creditors, strict=True):
        document = data[number]
        sides[debtor].append(document)
        sides[creditor].append(document)
    return own, columns.positions()


def _own_documents(own: Sequence[Obligation]) -> list[bytes]:
    """The same for the few obligations of one party, by the definition."""
    found = sorted((item.debtor, item.creditor, item.amount, canonical.encode(body_of(item))) for item in own)
    return [document for *_, document in found]


def _sub_root(secret: bytes, own: Sequence[bytes]) -> bytes:
    """Root over one party's canonical obligations, each hashed with a salt of its own."""
    if not own:
        return hashlib.sha256(b"\x02").digest()
    sha = hashlib.sha256
    salts = hashlib.pbkdf2_hmac("sha256", secret, b"obligation", 1, SALT * len(own))
    level = [
        sha(b"\x02" + salts[start : start + SALT] + document).digest()
        for start, document in zip(range(0, len(salts), SALT), own, strict=True)
    ]
    while len(level) > 1:
        level = [sha(b"\x04" + b"".join(level[at : at + WIDTH])).digest() for at in range(0, len(level), WIDTH)]
    return level[0]


def _leaf(secret: bytes, number: int, top: bytes, incoming: int, outgoing: int, count: int) -> Sum:
    pseudonym = _derive(secret, "pseudonym", number)
    commitment = hashlib.sha256(b"\x03" + top + _derive(secret, "salt", number)).digest()
    edge = pseudonym[:8].hex()
    bare = Sum("", edge, edge, incoming, outgoing, count)
    data = b"\x00" + pseudonym + commitment + bare.packed()[16:]
    return Sum(hashlib.sha256(data).hexdigest(), edge, edge, incoming, outgoing, count)


def _node(left: Sum, right: Sum) -> Sum:
    return Sum(
        hashlib.sha256(b"\x01" + left.packed() + right.packed()).hexdigest(),
        left.low,
        right.high,
        left.incoming + right.incoming,
        left.outgoing + right.outgoing,
        left.count + right.count,
    )


def _build(leaves: Sequence[Sum], paths: list[list[Sibling]], start: int) -> Sum:
    """Root of `leaves`, the left part being the largest power of two below; appends each leaf's siblings bottom up."""
    if len(leaves) == 1:
        return leaves[0]
    cut = 1 << (len(leaves) - 1).bit_length() - 1
    left = _build(leaves[:cut], paths, start)
    right = _build(leaves[cut:], paths, start + cut)
    beside = Sibling(False, right)
    for path in paths[start : start + cut]:
        path.append(beside)
    beside = Sibling(True, left)
    for path in paths[start + cut : start + len(leaves)]:
        path.append(beside)
    return _node(left, right)


def own_of(party: str, obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """The obligations a party is part of, in the order given."""
    return tuple(item for item in obligations if party in (item.debtor, item.creditor))
