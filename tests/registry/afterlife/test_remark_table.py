"""Every cell of (state, move, role) for remarks: written out by hand from registration.md 1.7."""

from __future__ import annotations

from itertools import product

import pytest

from registry.afterlife.remark import RULES, RemarkState, rule_for
from registry.case import Role
from registry.errors import IllegalMove, NotEntitled

STANDING = {"PENDING", "ACTIVE", "UNVERIFIED"}
TABLE: dict[tuple[str, str], tuple[set[str], str]] = {
    ("E-01", "reviewer+approver"): ({"–"}, "ACTIVE"),
    ("E-02", "reviewer+approver"): (STANDING, "ACTIVE"),
    ("E-03", "reviewer+approver"): (STANDING, "LIFTED"),
    ("E-04", "system"): ({"UNVERIFIED", "ENDED"}, ""),
    ("E-04", "reviewer"): ({"UNVERIFIED"}, "ENDED"),
}
SIGNERS = {role.value: (role,) for role in Role} | {"reviewer+approver": (Role.REVIEWER, Role.APPROVER)}
MOVES = ("E-01", "E-02", "E-03", "E-04", "E-05")


@pytest.mark.clause("G23", "E-01", "E-02", "E-03", "E-04")
@pytest.mark.parametrize("move", MOVES)
def test_table__every_state_and_every_signer(move: str) -> None:
    for state, who in product([None, *RemarkState], SIGNERS):
        name = state.value if state else "–"
        row = TABLE.get((move, who))
        if row is not None and name in row[0]:
            rule = rule_for(state, move, list(SIGNERS[who]))
            assert (rule.target.value if rule.target else "") == row[1]
            continue
        possible = any(known == move and name in sources for (known, _), (sources, _) in TABLE.items())
        with pytest.raises(NotEntitled if possible else IllegalMove):
            rule_for(state, move, list(SIGNERS[who]))


def test_table__names_every_row_once() -> None:
    rows = [(rule.move, "+".join(sorted(signer.value for signer in group))) for rule in RULES for group in rule.signers]
    assert sorted(rows) == sorted((move, "+".join(sorted(who.split("+")))) for move, who in TABLE)


def test_two_of_one_role__refused() -> None:
    with pytest.raises(NotEntitled):
        rule_for(None, "E-01", [Role.REVIEWER, Role.REVIEWER])
    with pytest.raises(NotEntitled):
        rule_for(None, "E-01", [Role.REVIEWER, Role.APPROVER, Role.APPROVER])
