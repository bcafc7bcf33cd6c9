"""轧差: obligations become one position per party, the fewest needed transfers, and a proof each party can check.

Multilateral payment netting without novation. Minimum funding F = Σ max(0, −position) is reached by paying positions
only; a separate checker confirms it. The proof is a Merkle-sum tree over salted leaves that look random: a party sees
that its own obligations and only those are in, and nobody else's totals. Source: domain clearing §8; decision D36.

Tree. Each participant has two leaves between which its sums are split. A leaf is
`H(0x00 ‖ pseudonym ‖ commitment ‖ in ‖ out ‖ count)`, commitment = `H(0x03 ‖ sub-root ‖ salt)`; a node is
`H(0x01 ‖ left ‖ right)`, each side as hash 32, low 8, high 8, in 8, out 8, count 4 bytes. low and high are the first
eight bytes of the smallest and largest pseudonym below; leaves are sorted by pseudonym, so a second leaf of the same
pseudonym has no place. Obligation leaves of the sub-tree are `H(0x02 ‖ salt ‖ canonical obligation)`. H is SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from clearing import money
from clearing.errors import BadTerms, ProofRefused
from clearing.settlement.statement import Obligation
from ledger import canonical
from ledger.reading import body_of

LEAVES = 2
LIMIT = 2**63


@dataclass(frozen=True, slots=True)
class Position:
    """净头寸 of one party: `incoming` − `outgoing` = `net`, fen; `count` obligations it is part of."""

    party: str
    incoming: int
    outgoing: int
    count: int
    net: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that has to move: `payer` → `payee`, fen > 0."""

    payer: str
    payee: str
    amount: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the checker needs: gross G, bilateral funding B, minimum funding F, positions and transfers."""

    gross: int
    bilateral: int
    minimum: int
    positions: tuple[Position, ...]
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """The body of a netting fact; the netted obligations are its parts. `root` carries the sum root (D36)."""

    cycle: str
    operator: str
    period: str
    currency: str
    certificate: Certificate
    root: Sum


def positions_of(obligations: Iterable[Obligation]) -> tuple[Position, ...]:
    """One position per party named, sorted by party. Sums to 0. Raises BadTerms for a bad obligation."""
    incoming: dict[str, int] = {}
    outgoing: dict[str, int] = {}
    count: dict[str, int] = {}
    for item in obligations:
        if item.debtor == item.creditor or item.amount <= 0:
            raise BadTerms("obligation", "two parties and an amount > 0", (item.debtor, item.creditor, item.amount))
        money.fen(item.amount, "obligation")
        outgoing[item.debtor] = outgoing.get(item.debtor, 0) + item.amount
        incoming[item.creditor] = incoming.get(item.creditor, 0) + item.amount
        for party in (item.debtor, item.creditor):
            count[party] = count.get(party, 0) + 1
    return tuple(
        Position(party, inn := incoming.get(party, 0), out := outgoing.get(party, 0), count[party], inn - out)
        for party in sorted(count)
    )


def bilateral(obligations: Iterable[Obligation]) -> int:
    """B: the money needed when each pair nets by itself."""
    pairs: dict[tuple[str, str], int] = {}
    for item in obligations:
        first, second = sorted((item.debtor, item.creditor))
        pairs[first, second] = pairs.get((first, second), 0) + (item.amount if item.debtor == first else -item.amount)
    return sum(abs(amount) for amount in pairs.values())


def transfers_of(positions: Sequence[Position]) -> tuple[Transfer, ...]:
    """At most n − 1 transfers that discharge all positions: largest payer to largest receiver, ties by party id."""
    owing = [(item.net, item.party) for item in positions if item.net < 0]
    due = [(-item.net, item.party) for item in positions if item.net > 0]
    heapify(owing)
    heapify(due)
    found: list[Transfer] = []
    while owing and due:
        (debt, payer), (claim, payee) = heappop(owing), heappop(due)
        amount = min(-debt, -claim)
        found.append(Transfer(payer, payee, amount))
        if debt + amount:
            heappush(owing, (debt + amount, payer))
        if claim + amount:
            heappush(due, (claim + amount, payee))
    return tuple(found)


def net(obligations: Sequence[Obligation]) -> Certificate:
    """Net a set of obligations. The order of the set has no effect."""
    positions = positions_of(obligations)
    return Certificate(
        gross=sum(item.amount for item in obligations),
        bilateral=bilateral(obligations),
        minimum=sum(max(0, -item.net) for item in positions),
        positions=positions,
        transfers=transfers_of(positions),
    )


def check_certificate(obligations: Sequence[Obligation], given: Certificate) -> None:
    """Confirm a netting run without re-running it. Raises ProofRefused with the number of the first step that fails.

    (1) each position is the sum of its obligations  (2) positions sum to 0  (3) gross  (4) F ≤ B ≤ G
    (5) transfers discharge every position exactly  (6) they move F, and no set of transfers can move less, because
    every net payer has to pay its position  (7) there are at most n − 1 of them
    """
    balance: dict[str, int] = {}
    for item in obligations:
        balance[item.debtor] = balance.get(item.debtor, 0) - item.amount
        balance[item.creditor] = balance.get(item.creditor, 0) + item.amount
    stated = {item.party: item.net for item in given.positions}
    _step(1, balance, stated)
    _step(2, 0, sum(stated.values()))
    _step(3, sum(item.amount for item in obligations), given.gross)
    if not given.minimum <= given.bilateral <= given.gross or given.bilateral != bilateral(obligations):
        raise ProofRefused(4, "F ≤ B ≤ G", (given.minimum, given.bilateral, given.gross))
    for move in given.transfers:
        balance[move.payer] = balance.get(move.payer, 0) + move.amount
        balance[move.payee] = balance.get(move.payee, 0) - move.amount
    _step(5, dict.fromkeys(balance, 0), balance)
    moved = sum(move.amount for move in given.transfers)
    _step(6, (sum(-amount for amount in stated.values() if amount < 0),) * 2, (given.minimum, moved))
    if len(given.transfers) > max(0, len(stated) - 1) or any(move.amount <= 0 for move in given.transfers):
        raise ProofRefused(7, f"at most {max(0, len(stated) - 1)} transfers > 0", len(given.transfers))


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
    return hmac.new(cycle_secret, b"participant\x00" + party.encode(), hashlib.sha256).digest()


def sum_tree(obligations: Sequence[Obligation], cycle_secret: bytes) -> tuple[Sum, dict[str, Proof]]:
    """The root with its sums, and one proof per participant. Raises BadTerms for no obligations."""
    if not obligations:
        raise BadTerms("obligations", "at least one", 0)
    leaves: list[tuple[bytes, str, int, Sum]] = []
    shares: dict[str, list[tuple[int, int, int]]] = {}
    secrets: dict[str, bytes] = {}
    own: dict[str, list[Obligation]] = {}
    for item in obligations:
        own.setdefault(item.debtor, []).append(item)
        own.setdefault(item.creditor, []).append(item)
    for position in positions_of(obligations):
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
    top = _sub_root(secret, own)
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


def _derive(secret: bytes, label: str, number: int, extra: bytes = b"") -> bytes:
    return hmac.new(secret, f"{label}/{number}".encode() + b"\x00" + extra, hashlib.sha256).digest()


def _split_sums(secret: bytes, position: Position) -> list[tuple[int, int, int]]:
    """Divide in, out and count between the leaves at a point nobody without the secret can guess."""
    totals = (position.incoming, position.outgoing, position.count)
    first = tuple(
        int.from_bytes(_derive(secret, "split", field)[:16], "big") % (total + 1) for field, total in enumerate(totals)
    )
    second = tuple(total - part for total, part in zip(totals, first, strict=True))
    return [(first[0], first[1], first[2]), (second[0], second[1], second[2])]


def _sub_root(secret: bytes, own: Sequence[Obligation]) -> bytes:
    """Root over one party's obligations, each hashed with a salt from the party's secret, sorted by pair."""
    level = []
    for item in sorted(own, key=_pair):
        data = canonical.encode(body_of(item))
        level.append(hashlib.sha256(b"\x02" + _derive(secret, "obligation", 0, data) + data).digest())
    while len(level) > 1:
        pairs = [level[index : index + 2] for index in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\x01" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0] if level else hashlib.sha256(b"\x02").digest()


def _pair(item: Obligation) -> tuple[str, str]:
    return item.debtor, item.creditor


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
    for index in range(len(leaves)):
        paths[start + index].append(Sibling(False, right) if index < cut else Sibling(True, left))
    return _node(left, right)


def own_of(party: str, obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """The obligations a party is part of, in the order given."""
    return tuple(item for item in obligations if party in (item.debtor, item.creditor))
