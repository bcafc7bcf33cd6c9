"""Who must sign what happens to a listing: the trust file says of each move what the table of moves says."""

from __future__ import annotations

import pytest

from api.trust_file import REQUIRED
from clearing.market.listing import APPROVER, LISTING_MOVE, LISTING_SUBMITTED, REVIEWER, SYSTEM, Move
from clearing.market.listing_moves import MOVES, Actor
from clearing.market.sample import SAMPLE_ANNOUNCED
from ledger.facts import SM2, Fact, Signature, Statement
from ledger.signers import Accepted, read_rule
from ledger.trust import FORMAT, ChainTrust, Identity, LogTrust, Trust, WitnessTrust
from tests.clearing.market.house import COURT, OPERATOR, PROVIDER, SELLER

TRUST = Trust(
    format=FORMAT, made_at=0, origin="x", log=LogTrust("x", "", ""), witnesses=WitnessTrust(0, {}),
    chain=ChainTrust(31337, {}),
    identities={f"party:{OPERATOR}": Identity("", "", ("operator",)), f"party:{COURT}": Identity("", "", ("court",))},
    required=REQUIRED, vouchers={},
)  # fmt: skip
STAFF = {"staff:rev": (REVIEWER, OPERATOR), "staff:app": (APPROVER, OPERATOR), "staff:other": (REVIEWER, PROVIDER),
         "staff:friend": (APPROVER, PROVIDER)}  # fmt: skip
KNOWN = Accepted(
    frozenset(),
    {name: frozenset({role}) for name, (role, _) in STAFF.items()} | {f"party:{OPERATOR}": frozenset({"operator"})},
    {name: frozenset({f"party:{organisation}"}) for name, (_, organisation) in STAFF.items()},
    (),
)
SIGNERS: dict[str, tuple[str, frozenset[Actor]]] = {
    # who signs, in which role, and as whom the table may know them
    f"party:{SELLER}": ("", frozenset({Actor.SELLER, Actor.PARTY, Actor.AUTHORITY})),
    f"party:{COURT}": ("", frozenset({Actor.SELLER, Actor.PARTY, Actor.AUTHORITY})),
    f"party:{OPERATOR}": (SYSTEM, frozenset({Actor.SELLER, Actor.PARTY, Actor.AUTHORITY, Actor.CLOCK})),
    "staff:rev": (REVIEWER, frozenset({Actor.REVIEWER})),
    "staff:app": (APPROVER, frozenset({Actor.APPROVER})),
    "staff:other": (REVIEWER, frozenset()),
    "staff:friend": (APPROVER, frozenset()),
}
"""A move does not repeat who sells, so the rule cannot tell one party from another; the state of the listing can."""


def accepted_by(known: Accepted, kind: str, subject: str, body: dict[str, str], by: str, role: str) -> bool:
    """Does the trust file accept this statement under this one signature?"""
    fact = Fact(Statement(kind, subject, 0, None, body), (Signature(SM2, by, "", "", role),), 0, "0" * 64)
    rules = [rule for rule in map(read_rule, REQUIRED[kind]) if rule.applies(body)]
    return bool(rules) and not any(rule.unmet(fact, TRUST, known) for rule in rules)


def accepted(kind: str, subject: str, body: dict[str, str], by: str, role: str) -> bool:
    return accepted_by(KNOWN, kind, subject, body, by, role)


@pytest.mark.parametrize("move", [move for move in Move if move is not Move.SUBMIT])
@pytest.mark.parametrize("by", SIGNERS)
def test_move__signed_by__as_the_table_has_it(move: Move, by: str) -> None:
    role, capacities = SIGNERS[by]
    actors = {actor for (_, taken), edge in MOVES.items() if taken is move for actor in edge.actors}
    given = accepted(LISTING_MOVE, f"listing:{'a' * 32}", {"move": move.value}, by, role)
    assert given is bool(actors & capacities)


@pytest.mark.parametrize("kind", [LISTING_SUBMITTED, SAMPLE_ANNOUNCED])
def test_submission__by_the_seller_it_names_alone(kind: str) -> None:
    for by, expected in ((f"party:{SELLER}", True), (f"party:{OPERATOR}", False), ("staff:rev", False)):
        assert accepted(kind, f"x:{'a' * 32}", {"seller": SELLER}, by, "") is expected
