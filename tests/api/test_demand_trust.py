"""Who must sign what happens to a demand: the trust file says of each move what the table of moves says."""

from __future__ import annotations

import pytest

from clearing.market.demand.demand import DEMAND, DEMAND_MOVE, OFFICER, Move
from clearing.market.demand.moves import MOVES, Actor
from clearing.market.gratis import moves, request
from clearing.market.matching.score import MATCH_RANKING
from clearing.market.negotiation.message import BROKERED, Message
from ledger.signers import Accepted
from tests.api.test_listing_trust import TRUST, accepted_by
from tests.clearing.market.house import OPERATOR, PROVIDER, SELLER

KNOWN = Accepted(
    frozenset(),
    {"staff:dem": frozenset({OFFICER}), "staff:far": frozenset({OFFICER}),
     f"party:{OPERATOR}": frozenset({"operator"})},
    {"staff:dem": frozenset({f"party:{OPERATOR}"}), "staff:far": frozenset({f"party:{PROVIDER}"})},
    (),
)  # fmt: skip
SIGNERS: dict[str, tuple[str, frozenset[Actor]]] = {
    # who signs, in which role, and as whom the table may know them
    f"party:{SELLER}": ("", frozenset({Actor.DEMANDER, Actor.OWNER})),
    f"party:{OPERATOR}": ("system", frozenset({Actor.DEMANDER, Actor.OWNER, Actor.CLOCK})),
    "staff:dem": (OFFICER, frozenset({Actor.OFFICER})),
    "staff:far": (OFFICER, frozenset()),
}
"""A move does not repeat whose the demand is, so the rule cannot tell one party from another; its state can."""


@pytest.mark.parametrize("move", [move for move in Move if move is not Move.STATE])
@pytest.mark.parametrize("by", SIGNERS)
def test_move__signed_by__as_the_table_has_it(move: Move, by: str) -> None:
    role, capacities = SIGNERS[by]
    actors = {actor for (_, taken), edge in MOVES.items() if taken is move for actor in edge.actors}
    given = accepted_by(KNOWN, DEMAND_MOVE, f"demand:{'a' * 32}", {"move": move.value}, by, role)
    assert given is bool(actors & capacities)
    assert TRUST.required[DEMAND_MOVE]


def test_demand__by_the_demander_it_names_alone() -> None:
    for by, expected in ((f"party:{SELLER}", True), (f"party:{OPERATOR}", False), ("staff:dem", False)):
        assert accepted_by(KNOWN, DEMAND, f"demand:{'a' * 32}", {"demander": SELLER}, by, "") is expected


def test_ranking__stated_by_the_operator_alone() -> None:
    for by, expected in ((f"party:{OPERATOR}", True), (f"party:{SELLER}", False), ("staff:dem", False)):
        assert accepted_by(KNOWN, MATCH_RANKING, f"match-ranking:{'a' * 32}", {}, by, "system") is expected


DEAL = {"side": "CONSUMER", "consumer": SELLER, "provider": PROVIDER, "broker": OPERATOR}


@pytest.mark.parametrize("message", Message)
def test_brokered__only_what_the_table_of_brokers_has(message: Message) -> None:
    body = DEAL | {"message": message.value}
    given = accepted_by(KNOWN, "negotiation-brokered/v1", "negotiation:x", body, f"party:{OPERATOR}", "CONSUMER")
    assert given is (message in {said for said, _ in BROKERED})


@pytest.mark.parametrize(
    ("kind", "subject", "body", "signers"),
    [
        ("demand/v1", "demand:x", {"demander": SELLER, "broker": PROVIDER}, {SELLER, PROVIDER}),
        ("gratis-request/v1", "gratis-request:x", {"applicant": SELLER, "provider": PROVIDER}, {SELLER}),
        ("party-profile/v1", f"party-profile:{SELLER}", {}, {SELLER}),
        ("deal-evaluation/v1", "deal-evaluation:x", {"by": SELLER, "of": PROVIDER}, {SELLER}),
        ("recommendation-switch/v1", "recommendation-switch:x", {}, {OPERATOR}),
        ("mandate/v1", "mandate:x", {"principal": SELLER, "broker": PROVIDER}, set()),
        ("negotiation-message/v1", "negotiation:x", DEAL | {"message": "INQUIRE"}, {SELLER}),
        ("negotiation-brokered/v1", "negotiation:x", DEAL | {"message": "INQUIRE"}, {OPERATOR}),
        ("negotiation-brokered/v1", "negotiation:x", DEAL | {"message": "REQUEST"}, set()),
    ],
)  # fmt: skip
def test_statement__by_whom_alone(kind: str, subject: str, body: dict[str, str], signers: set[str]) -> None:
    """A mandate needs two signatures, so nobody's alone is enough."""
    role = body.get("side", "")
    found = {
        party for party in (SELLER, PROVIDER, OPERATOR)
        if accepted_by(KNOWN, kind, subject, body, f"party:{party}", role)
    }  # fmt: skip
    assert found == signers


GRATIS: dict[str, tuple[str, frozenset[moves.Actor]]] = {
    f"party:{SELLER}": ("", frozenset({moves.Actor.APPLICANT, moves.Actor.PROVIDER})),
    f"party:{OPERATOR}": ("system", frozenset({moves.Actor.APPLICANT, moves.Actor.PROVIDER, moves.Actor.CLOCK})),
    "staff:dem": (OFFICER, frozenset({moves.Actor.OFFICER})),
    "staff:far": (OFFICER, frozenset()),
}


@pytest.mark.parametrize("move", [move for move in request.Move if move is not request.Move.APPLY])
@pytest.mark.parametrize("by", GRATIS)
def test_gratis_move__signed_by__as_the_table_has_it(move: request.Move, by: str) -> None:
    role, capacities = GRATIS[by]
    actors = {actor for (_, taken), edge in moves.MOVES.items() if taken is move for actor in edge.actors}
    given = accepted_by(KNOWN, request.GRATIS_MOVE, "gratis-request:x", {"move": move.value}, by, role)
    assert given is bool(actors & capacities)
