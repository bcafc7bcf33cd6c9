"""Netting: positions sum to 0, F ≤ B ≤ G, brute force for the minimum, and a proof that catches every change."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms, ProofRefused
from clearing.settlement import netting
from clearing.settlement.netting import (
    Certificate,
    Position,
    Transfer,
    bilateral,
    check_certificate,
    check_payments,
    check_proof,
    columns_of,
    net,
    novated,
    own_of,
    participant_secret,
    payments_of,
    positions_of,
    sum_tree,
)
from clearing.settlement.statement import Item, Obligation
from clearing.terms import NettingMode
from ledger.errors import FieldError
from tests.counts import few

check = settings(deadline=None, max_examples=few(60))
SECRET = b"s" * 32


def owe(debtor: str, creditor: str, amount: int) -> Obligation:
    return Obligation(debtor, creditor, amount, (Item("g", "2026-03", amount),))


@st.composite
def graphs(draw: st.DrawFn, parties: str = "ABCDEF", most: int = 10_000) -> list[Obligation]:
    pairs = draw(st.lists(st.sampled_from(list(permutations(parties, 2))), min_size=1, max_size=12, unique=True))
    return [owe(debtor, creditor, draw(st.integers(1, most))) for debtor, creditor in sorted(pairs)]


@check
@given(graphs(), st.randoms(use_true_random=False))
def test_net__any_obligations__certificate_holds_and_order_has_no_effect(
    obligations: list[Obligation], rng: object
) -> None:
    found = net(obligations)
    check_certificate(obligations, found)
    assert sum(position.net for position in found.positions) == 0
    assert found.minimum <= found.bilateral <= found.gross
    assert len(found.transfers) <= len(found.positions) - 1
    shuffled = list(obligations)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert net(shuffled) == found


@settings(deadline=None, max_examples=few(25))
@given(graphs("ABC", 3))
def test_net__three_parties__no_plan_of_whole_fen_moves_less(obligations: list[Obligation]) -> None:
    """Brute force over every way to move money along the six edges."""
    found = net(obligations)
    wanted = dict.fromkeys("ABC", 0) | {item.party: item.net for item in found.positions}
    edges = list(permutations("ABC", 2))
    best = min(
        sum(flow)
        for flow in product(range(7), repeat=6)
        if sum(flow) <= found.minimum
        and all(
            sum(f for f, (_, to) in zip(flow, edges, strict=True) if to == party)
            - sum(f for f, (by, _) in zip(flow, edges, strict=True) if by == party)
            == wanted[party]
            for party in "ABC"
        )
    )
    assert best == found.minimum


SAMPLE = [owe("A", "B", 50), owe("B", "C", 50), owe("C", "A", 20)]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"positions": (Position("A", 0, 0, 0, -30), Position("B", 0, 0, 0, 1), Position("C", 0, 0, 0, 30))}, 1),
        ({"gross": 119}, 3),
        ({"bilateral": 119}, 4),
        ({"transfers": (Transfer("A", "C", 29),)}, 5),
        ({"transfers": (Transfer("A", "B", 30), Transfer("B", "C", 30))}, 6),
        ({"transfers": (Transfer("A", "C", 10), Transfer("A", "C", 10), Transfer("A", "C", 10))}, 7),
    ],
)
def test_check_certificate__each_false_claim__fails_at_its_step(change: dict[str, object], step: int) -> None:
    """Both the wrong and the wasteful: two transfers where one does it move more than the minimum."""
    with pytest.raises(ProofRefused) as refused:
        check_certificate(SAMPLE, replace(net(SAMPLE), **change))  # type: ignore[arg-type]
    assert refused.value.step == step


def test_net__of_nonsense__is_refused() -> None:
    for bad in (owe("A", "A", 5), owe("A", "B", 0), owe("A", "B", -1)):
        with pytest.raises(BadTerms, match="obligation"):
            net([bad])


@check
@given(graphs())
def test_sum_tree__every_participant__proves_its_own_obligations_in_three_kilobytes(
    obligations: list[Obligation],
) -> None:
    certificate = net(obligations)
    root, proofs = sum_tree(obligations, SECRET)
    assert (root.incoming, root.outgoing) == (certificate.gross, certificate.gross)
    assert root.count == 2 * len(obligations)
    for position in certificate.positions:
        own = own_of(position.party, obligations)
        check_proof(own, proofs[position.party], root, certificate.gross, position.net)
        assert proofs[position.party].packed_size() <= 3072


def test_packed_size__ten_thousand_parties__stays_below_three_kilobytes() -> None:
    """20,000 leaves are at most 15 steps."""
    leaf = netting.LeafProof(0, 0, 0, tuple([netting.Sibling(True, netting.Sum("", "", "", 0, 0, 0))] * 15))
    assert netting.Proof("A", "", (leaf, leaf)).packed_size() <= 3072


@check
@given(graphs(), st.data())
def test_check_proof__an_altered_dropped_or_added_obligation__is_refused(
    obligations: list[Obligation], data: st.DataObject
) -> None:
    certificate = net(obligations)
    root, proofs = sum_tree(obligations, SECRET)
    position = data.draw(st.sampled_from(certificate.positions))
    own = list(own_of(position.party, obligations))
    victim = data.draw(st.integers(0, len(own) - 1))
    forms = [
        own[:victim] + own[victim + 1 :],
        [*own, owe(position.party, "X", 7)],
        [owe(item.debtor, item.creditor, item.amount + (index == victim)) for index, item in enumerate(own)],
        [replace(item, items=(Item("h", "2026-03", item.amount),)) if index == victim else item
         for index, item in enumerate(own)],
    ]  # fmt: skip
    for form in forms:
        with pytest.raises(ProofRefused):
            check_proof(form, proofs[position.party], root, certificate.gross, position.net)


def test_check_proof__a_negative_leaf__is_refused_before_any_hash() -> None:
    """−10 and +60 add up to the right 50; trap 17."""
    root, proofs = sum_tree(SAMPLE, SECRET)
    first, second = proofs["B"].leaves
    forged = replace(proofs["B"], leaves=(replace(first, incoming=-10), replace(second, incoming=60)))
    with pytest.raises(ProofRefused) as refused:
        check_proof(own_of("B", SAMPLE), forged, root, 120, 0)
    assert refused.value.step == 3


def test_check_proof__false_sums_siblings_root_or_position__are_refused() -> None:
    root, proofs = sum_tree(SAMPLE, SECRET)
    own, proof = own_of("B", SAMPLE), proofs["B"]
    first, second = proof.leaves
    sibling = first.path[0]
    swapped = replace(first, path=(replace(sibling, left=not sibling.left), *first.path[1:]))
    richer = replace(sibling, node=replace(sibling.node, incoming=sibling.node.incoming + 1))
    cases = [
        (replace(proof, leaves=(swapped, second)), root, 120, 0),
        (replace(proof, leaves=(replace(first, path=(richer, *first.path[1:])), second)), root, 120, 0),
        (replace(proof, leaves=(first,)), root, 120, 0),
        (replace(proof, leaves=(first, first)), root, 120, 0),
        (proof, replace(root, incoming=121), 120, 0),
        (proof, root, 121, 0),
        (proof, root, 120, 1),
        (replace(proof, secret="00" * 32), root, 120, 0),
    ]
    for forged, top, gross, position in cases:
        with pytest.raises(ProofRefused):
            check_proof(own, forged, top, gross, position)


def test_sum_tree__what_a_participant_sees__holds_no_neighbours_total() -> None:
    """Each total is split over two leaves, so no node beside a leaf carries a whole party's money (D36)."""
    obligations = [owe("A", "B", 1_000_003), owe("C", "D", 2_000_017), owe("B", "E", 3_000_029)]
    totals = {amount for item in net(obligations).positions for amount in (item.incoming, item.outgoing) if amount}
    _, proofs = sum_tree(obligations, SECRET)
    for party, proof in proofs.items():
        others = {s.node.incoming for leaf in proof.leaves for s in leaf.path if s.node.low == s.node.high}
        own = {item.amount for item in own_of(party, obligations)}
        assert not (others & (totals - own))


def test_participant_secret__same_cycle_and_party__is_the_same_and_differs_otherwise() -> None:
    assert participant_secret(SECRET, "A") == participant_secret(SECRET, "A")
    assert participant_secret(SECRET, "A") != participant_secret(SECRET, "B")


def test_net__nothing__is_an_empty_certificate() -> None:
    assert net([]) == Certificate(0, 0, 0, (), ())
    with pytest.raises(BadTerms):
        sum_tree([], SECRET)


def huge(amounts: list[int]) -> list[Obligation]:
    return [owe("A", "B", amount) for amount in amounts]


@check
@given(graphs(), st.lists(st.integers(0, 11), max_size=6))
def test_columns__any_obligations_also_repeated__equal_the_definitions(
    obligations: list[Obligation], again: list[int]
) -> None:
    """The arrays that sum a million against the dictionaries that define the sums."""
    all_ = obligations + [obligations[place % len(obligations)] for place in again]
    found = columns_of(all_)
    assert found.positions() == positions_of(all_)
    assert found.bilateral() == bilateral(all_)
    assert found.gross == sum(item.amount for item in all_)


@pytest.mark.parametrize("amounts", [[2**63], [10**15], [10**15 - 1, 1], [True], [1, 2**70]])
def test_net__amounts_out_of_bounds_alone_or_together__are_refused(amounts: list[int]) -> None:
    for run in (net, lambda owed: sum_tree(owed, SECRET), lambda owed: check_certificate(owed, net(SAMPLE))):
        with pytest.raises(BadMoney):
            run(huge(amounts))  # type: ignore[operator]


@check
@given(graphs())
def test_payments_of__every_mode__leaves_everybody_with_its_position(obligations: list[Obligation]) -> None:
    found = net(obligations)
    balance = {item.party: item.net for item in found.positions}
    moved = {}
    for mode in NettingMode:
        payments = payments_of(obligations, mode, "house")
        check_payments(balance, payments)
        moved[mode] = sum(item.amount for item in payments if item.payer != "house")
        assert all(item.amount > 0 for item in payments)
    assert moved[NettingMode.MULTILATERAL] == moved[NettingMode.CLEARING_HOUSE] == found.minimum
    assert moved[NettingMode.BILATERAL] == found.bilateral


@check
@given(graphs())
def test_novated__to_a_house__nobodys_position_moves_and_the_houses_is_nothing(obligations: list[Obligation]) -> None:
    before = {item.party: item.net for item in positions_of(obligations)}
    after = {item.party: item.net for item in positions_of(novated(obligations, "house"))}
    assert after == before | {"house": 0}
    assert all("house" in (item.debtor, item.creditor) for item in novated(obligations, "house"))


def test_novated__to_a_party_or_nobody__is_refused() -> None:
    for house in ("A", ""):
        with pytest.raises(BadTerms, match="house"):
            novated(SAMPLE, house)
        with pytest.raises(BadTerms, match="house"):
            payments_of(SAMPLE, NettingMode.CLEARING_HOUSE, house)


@check
@given(graphs(), st.lists(st.integers(0, 11), max_size=4), st.randoms(use_true_random=False))
def test_sum_tree__in_another_order__is_the_same_also_with_repeated_pairs(
    obligations: list[Obligation], again: list[int], rng: object
) -> None:
    twins = [obligations[place % len(obligations)] for place in again]
    all_ = obligations + [replace(item, items=(Item("h", "2026-04", item.amount),)) for item in twins]
    shuffled = list(all_)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sum_tree(shuffled, SECRET) == sum_tree(all_, SECRET)
    root, proofs = sum_tree(all_, SECRET)
    for position in positions_of(all_):
        own = own_of(position.party, shuffled)
        check_proof(own, proofs[position.party], root, sum(item.amount for item in all_), position.net)


def test_sum_tree__a_fixed_run__has_this_root() -> None:
    """Format 2, rebuilt here from the docstring by the standard library alone."""
    obligations = [owe("A", "B", 50), owe("B", "A", 20)]
    root, proofs = sum_tree(obligations, SECRET)
    documents = [
        b'{"amount":%d,"creditor":"%s","debtor":"%s","items":[{"agreement":"g","amount":%d,"period":"2026-03"}]}' % row
        for row in ((50, b"B", b"A", 50), (20, b"A", b"B", 20))
    ]
    leaves = []
    for party, owed in (("A", 20), ("B", 50)):
        secret = mac(SECRET, b"participant\0" + party.encode())
        salts = mac(secret, b"obligation\0\0\0\1")
        hashes = [sha(b"\2" + salts[16 * k : 16 * k + 16] + document) for k, document in enumerate(documents)]
        top = sha(b"\4" + b"".join(hashes))
        totals = (owed, 70 - owed, 2)
        first = [
            int.from_bytes(mac(secret, b"split/%d\0" % n)[:16], "big") % (total + 1) for n, total in enumerate(totals)
        ]
        for number, part in enumerate((first, [total - one for total, one in zip(totals, first, strict=True)])):
            name = mac(secret, b"pseudonym/%d\0" % number)
            sums = b"".join(x.to_bytes(size, "big") for x, size in zip(part, (8, 8, 4), strict=True))
            commitment = sha(b"\3" + top + mac(secret, b"salt/%d\0" % number))
            leaves.append((name[:8], name[:8], part, sha(b"\0" + name + commitment + sums)))
    leaves.sort()
    while len(leaves) > 1:
        pairs = list(zip(leaves[::2], leaves[1::2], strict=True))
        leaves = [
            (
                one[0],
                two[1],
                [a + b for a, b in zip(one[2], two[2], strict=True)],
                sha(b"\1" + packed(one) + packed(two)),
            )
            for one, two in pairs
        ]
    assert leaves[0][3].hex() == root.hash
    assert leaves[0][2] == [70, 70, 4]
    assert root.hash == "758b1054418deb24332b0e2b92d45f5f23c5920f0b8a0d60444b88e0e74bbd03"
    assert proofs["A"].packed_size() == 32 + 2 * (20 + 69 * 2)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def packed(node: tuple[bytes, bytes, list[int], bytes]) -> bytes:
    low, high, sums, digest = node
    return digest + low + high + b"".join(x.to_bytes(size, "big") for x, size in zip(sums, (8, 8, 4), strict=True))


def test_sum_tree__a_text_without_canonical_form__is_refused() -> None:
    """The fast encoder would take it; the check of texts must not let it get there."""
    for bad in (owe("A\u200b", "B", 1), Obligation("A", "B", 1, (Item("g\n", "p", 1),))):
        with pytest.raises(FieldError):
            sum_tree([bad], SECRET)
