"""An agency leaves by the table H-01 … H-09 and by nothing else; C15 to C17 as in V17."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest

from ledger import sm
from ledger.errors import BadSignature
from registry.asset import Twin
from registry.calendar import day_of
from registry.errors import GuardRefused, IllegalMove, NotEntitled, RegistryError
from registry.handover import service, store
from registry.handover.leaving import (
    EXIT,
    NO_INTAKE,
    RULES,
    CertificateLine,
    ExitAct,
    ExitRole,
    ExitState,
    FormerLog,
    Leaving,
    Surroundings,
    decide,
    decision_due,
    earliest_exit,
    forwarding_due,
    rule_for,
)
from tests.registry.registry_house import AGENCY, CALENDAR, RIVAL, House, a_form, moment, open_house

TWIN = Twin("0" * 64, "1" * 64)
LOG = FormerLog("shuqing/test", "0" * 64, "04" + "0" * 128, "04" + "0" * 128, (), 0)
ACTS = {
    "H-01": ExitAct("H-01", planned_exit="2027-05-20", plan=TWIN),
    "H-02": ExitAct("H-02", decision="agree", paper=TWIN, receiver=RIVAL),
    "H-03": ExitAct("H-03", paper=TWIN),
    "H-04": ExitAct("H-04", decision="agree", paper=TWIN),
    "H-05": ExitAct("H-05"),
    "H-06": ExitAct("H-06", manifest=TWIN, log=LOG),
    "H-07": ExitAct("H-07", manifest=TWIN),
    "H-08": ExitAct("H-08", as_of=moment("2026-11-20 09:00")),
    "H-09": ExitAct("H-09"),
}
WAY = {
    "H-01": (ExitState.NONE, ExitState.REPORTED), "H-02": (ExitState.REPORTED, ExitState.CONSENTED),
    "H-03": (ExitState.CONSENTED, ExitState.FORWARDED), "H-04": (ExitState.FORWARDED, ExitState.AGREED),
    "H-05": (ExitState.AGREED, ExitState.CLOSED), "H-06": (ExitState.CLOSED, ExitState.EXPORTED),
    "H-07": (ExitState.EXPORTED, ExitState.HANDED_OVER), "H-08": (ExitState.HANDED_OVER, ExitState.IN_CUSTODY),
    "H-09": (ExitState.IN_CUSTODY, ExitState.EXITED),
}  # fmt: skip
ELSEWHERE = {("H-01", ExitState.DECLINED), ("H-05", ExitState.NONE), ("H-06", ExitState.EXPORTED)}
"""Also allowed: reporting again, closing after removal from the catalogue, exporting again."""
SIGN = {
    "H-01": {"agency"}, "H-02": {"province_authority", "approver+reviewer"},
    "H-03": {"province_authority", "approver+reviewer"},
    "H-04": {"national_authority", "province_authority", "approver+reviewer"}, "H-05": {"agency"}, "H-06": {"agency"},
    "H-07": {"agency+receiver"}, "H-08": {"receiver"}, "H-09": {"agency", "province_authority"},
}  # fmt: skip
NOW = moment("2026-11-20 09:00")


def groups() -> Iterator[tuple[ExitRole, ...]]:
    for size in range(3):
        yield from combinations(sorted(ExitRole), size)


@pytest.mark.clause("G13", "G38", "H-01", "H-02", "H-03", "H-04", "H-05", "H-06", "H-07", "H-08", "H-09")
def test_table__every_state_move_and_group_of_roles__allowed_or_refused_as_written() -> None:
    """The expectations above are written from registration.md 1.8, not read from the table."""
    allowed = 0
    for state in ExitState:
        for move in WAY:
            for roles in groups():
                expected = WAY[move][0] is state or (move, state) in ELSEWHERE
                if not expected:
                    with pytest.raises(IllegalMove):
                        rule_for(state, move, roles)
                elif "+".join(sorted(roles)) in SIGN[move]:
                    rule_for(state, move, roles)
                    allowed += 1
                else:
                    with pytest.raises(NotEntitled):
                        rule_for(state, move, roles)
    assert allowed == sum(len(SIGN[move]) for move in WAY) + len(ELSEWHERE)


@pytest.mark.clause("G13", "G42", "C15")
def test_c15__six_months_count_as_above__v17() -> None:
    assert earliest_exit(date(2026, 11, 20)) == date(2027, 5, 20)
    assert earliest_exit(date(2026, 8, 31)) == date(2027, 2, 28)
    roles, around = (ExitRole.AGENCY,), Surroundings()
    decide(Leaving(AGENCY), ACTS["H-01"], roles, around, NOW)
    with pytest.raises(GuardRefused, match="六个月"):
        decide(Leaving(AGENCY), replace(ACTS["H-01"], planned_exit="2027-05-19"), roles, around, NOW)


@pytest.mark.clause("G13", "C16", "C17")
def test_c16_c17__province_decides_and_reports__v17() -> None:
    assert day_of(decision_due(date(2026, 11, 20), CALENDAR) - 1) == date(2026, 12, 18)
    assert day_of(forwarding_due(date(2026, 12, 18), CALENDAR) - 1) == date(2026, 12, 25)


@pytest.mark.parametrize("move", sorted(ACTS))
def test_fields__each_missing_or_foreign__is_refused_by_name(move: str) -> None:
    rule, act = RULES[move], ACTS[move]
    case = Leaving(AGENCY, WAY[move][0], planned_exit="2026-01-01", receiver=RIVAL, manifest=TWIN)
    roles = tuple(sorted(next(iter(rule.signers))))
    decide(case, act, roles, Surroundings(), NOW)
    for name in rule.needs:
        empty = "" if name == "decision" else None
        with pytest.raises(GuardRefused, match=name):
            decide(case, replace(act, **{name: empty}), roles, Surroundings(), NOW)
    foreign = {"planned_exit": "2027-06-01", "manifest": TWIN, "log": LOG, "as_of": NOW, "plan": TWIN}
    for name in sorted(foreign.keys() - rule.needs - rule.may):
        with pytest.raises(GuardRefused, match=name):
            decide(case, replace(act, **{name: foreign[name]}), roles, Surroundings(), NOW)


@pytest.mark.parametrize(
    ("move", "case", "act", "around", "guard"),
    [
        ("H-02", {}, {"receiver": ""}, {}, "receiver_is_named"),
        ("H-02", {}, {"receiver": AGENCY}, {}, "receiver_is_named"),
        ("H-05", {}, {}, {"running": ("a",)}, "nothing_runs"),
        ("H-05", {"state": ExitState.NONE}, {}, {}, "removed_or_agreed"),
        ("H-05", {"state": ExitState.NONE}, {}, {"removed": True}, "removed_or_agreed"),
        ("H-06", {}, {}, {"running": ("a",)}, "nothing_runs"),
        ("H-07", {}, {"manifest": Twin("2" * 64, "1" * 64)}, {}, "same_manifest"),
        ("H-08", {}, {}, {"stated": (CertificateLine("c", 1, "VALID", 0, 1),)}, "every_certificate_unchanged"),
        ("H-09", {"planned_exit": "2026-11-21"}, {}, {}, "planned_day_reached"),
    ],
)
@pytest.mark.clause("G13", "H-02", "H-05", "H-06", "H-07", "H-08", "H-09")
def test_guards__condition_not_met__is_refused_by_its_name(
    move: str, case: dict[str, object], act: dict[str, object], around: dict[str, object], guard: str
) -> None:
    known = Leaving(AGENCY, WAY[move][0], planned_exit="2026-01-01", receiver=RIVAL, manifest=TWIN)
    roles = tuple(sorted(next(iter(RULES[move].signers))))
    with pytest.raises(GuardRefused) as refused:
        decide(
            replace(known, **case),  # type: ignore[arg-type]
            replace(ACTS[move], **act),  # type: ignore[arg-type]
            roles,
            Surroundings(**around),  # type: ignore[arg-type]
            NOW,
        )
    assert refused.value.guard == guard


@pytest.mark.clause("G13", "G38", "H-05")
def test_removed_agency__closes_with_a_receiver_named__without_h01_to_h04() -> None:
    act = ExitAct("H-05", receiver=RIVAL, paper=TWIN)
    decide(Leaving(AGENCY), act, (ExitRole.AGENCY,), Surroundings(removed=True), NOW)


# With real keys and facts --------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "registry.db", now="2026-08-03 09:00")
    yield opened
    opened.session.close()
    opened.engine.dispose()


def exit_(house: House, act: ExitAct, *who: tuple[str, str]) -> None:
    signed = house.signed(EXIT, f"exit:{AGENCY}", act, *who)
    service.take_act(house.session, signed, at=house.now)


OWN = (f"party:{AGENCY}", "")
TWO = (("staff:reviewer", "reviewer"), ("staff:approver", "approver"))


@pytest.mark.clause("G13", "H-04", "H-05")
def test_exit__agreed__running_cases_go_on_but_nothing_new_is_taken_in(house: House) -> None:
    running = house.file(a_form())
    exit_(house, ExitAct("H-01", planned_exit="2027-02-03", plan=TWIN), OWN)
    exit_(house, ACTS["H-02"], *TWO)
    exit_(house, ACTS["H-03"], *TWO)
    house.file(a_form(content=b"still open\n"))
    exit_(house, ACTS["H-04"], *TWO)
    assert store.leaving(house.session, AGENCY).state in NO_INTAKE
    with pytest.raises(GuardRefused, match="不再受理"):
        house.file(a_form(content=b"too late\n"))
    house.accept(running)
    with pytest.raises(GuardRefused, match="在办件"):
        exit_(house, ACTS["H-05"], OWN)


@pytest.mark.clause("G13", "H-02")
@pytest.mark.parametrize("who", [(("staff:clerk", "intake"),), ((f"party:{RIVAL}", ""),), TWO[:1]])
def test_exit__signed_by_somebody_else__is_refused_and_nothing_is_kept(
    house: House, who: tuple[tuple[str, str], ...]
) -> None:
    exit_(house, ExitAct("H-01", planned_exit="2027-02-03", plan=TWIN), OWN)
    with pytest.raises((NotEntitled, BadSignature)):
        exit_(house, ACTS["H-02"], *who)
    assert store.leaving(house.session, AGENCY).state is ExitState.REPORTED


@pytest.mark.clause("G13", "H-02")
def test_exit__declined__may_be_reported_again(house: House) -> None:
    exit_(house, ExitAct("H-01", planned_exit="2027-02-03", plan=TWIN), OWN)
    exit_(house, ExitAct("H-02", decision="decline", paper=TWIN), *TWO)
    assert store.leaving(house.session, AGENCY).state is ExitState.DECLINED
    house.now += 86400
    exit_(house, ExitAct("H-01", planned_exit="2027-02-04", plan=TWIN), OWN)
    assert store.leaving(house.session, AGENCY).planned_exit == "2027-02-04"


def test_exit__wrong_key__is_refused(house: House) -> None:
    house.keys[f"party:{AGENCY}"] = sm.generate()
    with pytest.raises((BadSignature, RegistryError)):
        exit_(house, ExitAct("H-01", planned_exit="2027-02-03", plan=TWIN), OWN)
