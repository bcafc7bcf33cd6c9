"""Every cell of (state, move, role) for objections after registration: written out by hand from registration.md 1.6."""

from __future__ import annotations

from itertools import product

import pytest

from registry.afterlife.dispute import OPEN, DisputeState
from registry.afterlife.dispute_moves import RULES, rule_for
from registry.case import Role
from registry.errors import IllegalMove, NotEntitled
from registry.scheme import NATIONAL_2026

SIDES = ("applicant", "representative", "objector", "intake")
REGISTRANT, OBJECTOR = SIDES[:2], SIDES[2:]
TWO = "reviewer+approver"
TABLE: dict[tuple[str, str], dict[str, str]] = {
    # (state, move): {signers: state after; "" stays}
    ("FILED", "O-02"): {"intake": "INCOMPLETE"},
    ("INCOMPLETE", "O-02"): dict.fromkeys(OBJECTOR, "FILED"),
    ("FILED", "O-03"): {"intake": "NOTIFIED"},
    ("NOTIFIED", "O-04"): dict.fromkeys(REGISTRANT, "ADMITTED"),
    ("ADMITTED", "O-04"): {"system": "CLOSED"},
    ("NOTIFIED", "O-05"): dict.fromkeys(REGISTRANT, "CONTESTED"),
    ("CONTESTED", "O-05"): dict.fromkeys(REGISTRANT, "CONTESTED") | {"reviewer": ""},
    ("NOTIFIED", "O-06"): {"system": "CONTESTED"},
    ("CONTESTED", "O-07"): {TWO: "CONCLUDED"},
    ("CONCLUDED", "O-08"): dict.fromkeys(SIDES, "") | {"system": "CLOSED"},
    ("CONCLUDED", "O-09"): dict.fromkeys(SIDES, "DISPUTED"),
    ("DISPUTED", "O-10"): {TWO: "CLOSED", "system": "CLOSED"},
    **{
        (state, "O-11"): dict.fromkeys(OBJECTOR, "WITHDRAWN")
        for state in ("FILED", "INCOMPLETE", "NOTIFIED", "ADMITTED", "CONTESTED", "CONCLUDED", "DISPUTED")
    },
}
SIGNERS = {role.value: (role,) for role in Role} | {TWO: (Role.REVIEWER, Role.APPROVER)}
MOVES = [f"O-{number:02d}" for number in range(1, 13)]


@pytest.mark.clause("G29", *MOVES[1:11])
@pytest.mark.parametrize("move", MOVES)
def test_table__every_state_and_every_signer(move: str) -> None:
    for state, who in product(DisputeState, SIGNERS):
        row = TABLE.get((state.value, move))
        if row is None:
            with pytest.raises(IllegalMove):
                rule_for(state, move, SIGNERS[who])
        elif who not in row:
            with pytest.raises(NotEntitled):
                rule_for(state, move, SIGNERS[who])
        else:
            rule = rule_for(state, move, SIGNERS[who])
            assert (rule.target.value if rule.target else "") == row[who], (state, who)


def test_table__every_row_is_in_the_hand_written_one() -> None:
    cells = {(state, move) for state, move in TABLE}
    assert {(state.value, rule.move) for rule in RULES for state in rule.sources if state} == cells


def test_open_and_closed() -> None:
    assert {state.value for state in OPEN} == {state for state, move in TABLE if move == "O-11"}


def test_nobody_closes_or_admits_but_who_the_table_names() -> None:
    """Silence leads to investigation only: the one move of a timer is O-06."""
    by_system = {(rule.move, rule.target) for rule in RULES if (frozenset({Role.SYSTEM}),) == rule.signers}
    assert ("O-06", DisputeState.CONTESTED) in by_system
    assert not any(target is DisputeState.ADMITTED for _, target in by_system)


def test_several_registrants_sign_together_others_once() -> None:
    assert rule_for(DisputeState.NOTIFIED, "O-04", [Role.APPLICANT, Role.APPLICANT]).target is DisputeState.ADMITTED
    with pytest.raises(NotEntitled):
        rule_for(DisputeState.INCOMPLETE, "O-02", [Role.OBJECTOR, Role.OBJECTOR])


def test_clocks__stand_in_the_scheme() -> None:
    assert (NATIONAL_2026.clocks["C11"].length, NATIONAL_2026.clocks["C12"].length) == (5, 10)
