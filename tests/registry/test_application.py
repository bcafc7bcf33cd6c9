"""Every cell of (type, state, move, role): the expected tables are written out here by hand, from registration.md 1.3
and 1.4."""

from __future__ import annotations

from itertools import product

import pytest

from registry.application import BY_AGENCY, RULES, STATED_OTHERWISE, guards_of, rule_for
from registry.case import FINAL, Role, State
from registry.errors import IllegalMove, NotEntitled
from registry.form import RegistrationType
from registry.scheme import NATIONAL_2026

TWO = {"reviewer+approver"}
APPLICANT = {"applicant", "representative"}
BEFORE_DEPOSIT = {
    "DRAFT", "SUBMITTED", "CORRECTION", "UNDER_REVIEW", "SUPPLEMENT", "PUBLICITY", "OBJECTION", "READY",
}  # fmt: skip
TABLE: dict[str, tuple[set[str], str, set[str]]] = {
    "I-01": ({"–"}, "DRAFT", APPLICANT),
    "I-02": ({"DRAFT"}, "SUBMITTED", APPLICANT),
    "I-03": (BEFORE_DEPOSIT, "WITHDRAWN", APPLICANT),
    "I-04": ({"SUBMITTED"}, "CORRECTION", {"intake"}),
    "I-05": ({"CORRECTION"}, "SUBMITTED", APPLICANT),
    "I-06": ({"CORRECTION"}, "NOT_FILED", {"system"}),
    "I-07": ({"SUBMITTED"}, "UNDER_REVIEW", {"intake"}),
    "I-08": ({"SUBMITTED"}, "UNDER_REVIEW", {"system"}),
    "I-09": ({"SUBMITTED"}, "NOT_ACCEPTED", TWO),
    "I-10": ({"UNDER_REVIEW"}, "SUPPLEMENT", {"reviewer"}),
    "I-11": ({"SUPPLEMENT"}, "UNDER_REVIEW", APPLICANT | {"reviewer"}),
    "I-12": ({"SUPPLEMENT"}, "TERMINATED", TWO),
    "I-13": ({"UNDER_REVIEW"}, "", TWO),
    "I-14": ({"UNDER_REVIEW", "SUPPLEMENT", "PUBLICITY", "OBJECTION", "READY"}, "REFUSED", TWO),
    "I-15": ({"UNDER_REVIEW"}, "PUBLICITY", TWO),
    "I-16": ({"UNDER_REVIEW"}, "READY", TWO),
    "I-17": ({"PUBLICITY", "OBJECTION"}, "OBJECTION", {"objector", "intake"}),
    "I-18": ({"PUBLICITY"}, "READY", {"system"}),
    "I-19": ({"OBJECTION"}, "READY", TWO),
    "I-20": ({"OBJECTION"}, "PUBLICITY", TWO),
    "I-21": ({"OBJECTION"}, "REFUSED", TWO),
    "I-22": ({"OBJECTION"}, "UNDER_REVIEW", TWO),
    "I-23": ({"READY", "OBJECTION"}, "OBJECTION", {"objector", "intake"}),
    "I-24": ({"READY"}, "DEPOSITING", {"deposit_officer"}),
    "I-25": ({"DEPOSITING"}, "REGISTERED", {"system"}),
    "I-26": ({"DEPOSITING"}, "READY", {"system"}),
    "I-27": ({"REGISTERED"}, "ISSUED", {"system"}),
    "B-04": ({"–"}, "READY", TWO),
    "Z-03": ({"–"}, "READY", TWO),
    "Z-04": ({"–"}, "READY", TWO),
    "Z-05": ({"–"}, "READY", TWO),
}
SIGNERS = {role.value: (role,) for role in Role} | {"reviewer+approver": (Role.REVIEWER, Role.APPROVER)}

INITIAL, TRANSFER, CHANGE, RENEWAL, CANCELLATION = RegistrationType
FIRST_ONLY = {INITIAL: {"matrix_passed"}}
SOURCES = {INITIAL: {"source_rights_held"}, RENEWAL: {"source_rights_held"}}
STANDING = {kind: {"certificate_is_in_force"} for kind in (TRANSFER, CHANGE, RENEWAL, CANCELLATION)}
FITS = {kind: {"differs_only_as_allowed"} for kind in STANDING}
FREE = {kind: {"nothing_blocks_it"} for kind in STANDING}
GROUND = {kind: {"ground_still_stands"} for kind in (CHANGE, CANCELLATION)}
BY_TYPE: dict[str, list[dict[RegistrationType, set[str]]]] = {
    "I-02": [STANDING, {RENEWAL: {"filed_in_its_window", "no_other_renewal"}}],
    "I-15": [FIRST_ONLY, SOURCES, STANDING, FITS, FREE],
    "I-16": [FIRST_ONLY, SOURCES, STANDING, FITS, FREE],
    "I-24": [
        FIRST_ONLY, SOURCES, STANDING, FREE, GROUND, {kind: {"still_applies"} for kind in STANDING},
        {INITIAL: {"term_still_runs"}, RENEWAL: {"term_still_runs"}},
    ],
    "I-25": [STANDING, FREE, GROUND],
    **{move: [STANDING, FITS] for move in ("B-04", "Z-03", "Z-04", "Z-05")},
}  # fmt: skip
"""By move: the guards that some types have and others have not."""


def test_table__names_every_move_once() -> None:
    assert set(RULES) == set(TABLE)


@pytest.mark.clause("G14", "G32", "G33")
@pytest.mark.parametrize("kind", list(RegistrationType))
@pytest.mark.parametrize("move", sorted(TABLE))
def test_table__every_type_every_state_and_every_signer(move: str, kind: RegistrationType) -> None:
    """All five types go the same way: what a type changes is which guards stand at a move."""
    sources, target, signers = TABLE[move]
    for state, who in product([None, *State], SIGNERS):
        name = state.value if state else "–"
        if name not in sources:
            with pytest.raises(IllegalMove):
                rule_for(state, move, SIGNERS[who])
        elif who not in signers:
            with pytest.raises(NotEntitled):
                rule_for(state, move, SIGNERS[who])
        else:
            rule = rule_for(state, move, SIGNERS[who])
            assert rule.target == (State(target) if target else None)
            special = set().union(*(table.get(kind, set()) for table in BY_TYPE.get(move, [])))
            every = {guard.__name__ for guard in rule.guards}
            some = set().union(*(names for table in BY_TYPE.get(move, []) for names in table.values()))
            assert {guard.__name__ for guard in guards_of(rule, kind)} == (every - some) | special


def test_table__nothing_leads_out_of_a_final_state() -> None:
    assert not [rule.move for rule in RULES.values() if rule.sources & FINAL]
    assert set(RULES) >= STATED_OTHERWISE >= BY_AGENCY


def test_table__every_row_names_paper_clock_and_article() -> None:
    assert all(rule.paper and rule.clock and rule.basis for rule in RULES.values())
    assert len(NATIONAL_2026.steps) == 7
