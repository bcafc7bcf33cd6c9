"""Who must sign what happens to an element: the trust file says of each move what the table of moves says."""

from __future__ import annotations

import pytest

from clearing.pricing.element.element import DEVELOPER, ELEMENT_MOVE, ELEMENT_VERSION, REVIEWER, STATED, SYSTEM, Move
from clearing.pricing.element.moves import MOVES, Actor
from ledger.signers import Accepted
from tests.api.test_listing_trust import accepted_by
from tests.clearing.market.house import OPERATOR, PROVIDER, SELLER

KNOWN = Accepted(
    frozenset(),
    {"staff:rev": frozenset({REVIEWER}), "staff:own": frozenset({REVIEWER}), "staff:dev": frozenset({DEVELOPER}),
     f"party:{OPERATOR}": frozenset({"operator"})},
    {"staff:rev": frozenset({f"party:{OPERATOR}"}), "staff:own": frozenset({f"party:{SELLER}"}),
     "staff:dev": frozenset({f"party:{SELLER}"})},
    (),
)  # fmt: skip
STAFF = frozenset({Actor.DEVELOPER, Actor.SUBMITTER})
"""A move does not repeat whose the element is, so the rule cannot tell whose staff signed; its state can."""
PARTY = STAFF | {Actor.HOLDER}
SIGNERS: dict[str, tuple[str, frozenset[Actor]]] = {
    f"party:{SELLER}": ("", PARTY),
    f"party:{PROVIDER}": ("", PARTY),
    f"party:{OPERATOR}": (SYSTEM, PARTY | {Actor.CLOCK}),
    "staff:dev": (DEVELOPER, STAFF),
    "staff:rev": (REVIEWER, STAFF | {Actor.REVIEWER}),
    "staff:own": (REVIEWER, STAFF),
}


@pytest.mark.parametrize("move", [move for move in Move if move not in STATED])
@pytest.mark.parametrize("by", SIGNERS)
def test_move__signed_by__as_the_table_has_it(move: Move, by: str) -> None:
    role, capacities = SIGNERS[by]
    actors = {actor for (_, taken), edge in MOVES.items() if taken is move for actor in edge.actors}
    given = accepted_by(KNOWN, ELEMENT_MOVE, "element:x", {"move": move.value}, by, role)
    assert given is bool(actors & capacities)


def test_move__stated_by_a_version__no_rule_takes_it_as_a_move() -> None:
    for move in STATED:
        assert not accepted_by(KNOWN, ELEMENT_MOVE, "element:x", {"move": move.value}, f"party:{SELLER}", "")


def test_version__by_the_developer_it_names_alone() -> None:
    for by, expected in ((f"party:{SELLER}", True), (f"party:{OPERATOR}", False), ("staff:dev", False)):
        assert accepted_by(KNOWN, ELEMENT_VERSION, "element:x", {"developer": SELLER}, by, "") is expected
