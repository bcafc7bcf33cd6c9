from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from registry_house import AGENCY, a_form, moment

from ledger.errors import FieldError
from registry.asset import Source
from registry.form import Declarations, Form, PublicData, Representative
from registry.precheck import Level, precheck, require_submittable
from registry.rights import Basis, Right
from registry.scheme import NATIONAL_2026, scheme_of

NOW = moment("2026-08-03 09:00")


def data(form: Form, **changes: Any) -> Form:
    return replace(form, description=replace(form.description, **changes))


def person(form: Form, **changes: Any) -> Form:
    return replace(form, applicants=(replace(form.applicants[0], **changes),))


def test_precheck__complete_form__finds_nothing() -> None:
    assert precheck(a_form(), NATIONAL_2026, NOW) == ()


@pytest.mark.parametrize(
    ("form", "rule", "level"),
    [
        (data(a_form(), data_name=" "), "PC-01", "S"),
        (data(a_form(), industry=""), "PC-01", "R"),
        (person(a_form(), contact=" "), "PC-01", "S"),
        (person(a_form(), id_no="91350100M000100Y34"), "PC-02", "S"),
        (data(a_form(), data_name="数" * 41), "PC-05", "W"),
        (data(a_form(), overview="述" * 401), "PC-07", "W"),
        (data(a_form(), time_from="2014-01-01"), "PC-09", "R"),
        (data(a_form(), time_to="2013-02-30"), "PC-09", "S"),
        (replace(a_form(), right_basis=Basis.M7), "PC-10", "R"),
        (replace(a_form(), right_basis=Basis.M4A), "PC-10", "R"),
        (replace(a_form(), right_basis=Basis.M2), "PC-11", "R"),
        (replace(a_form(), right_basis=Basis.M5B), "PC-12", "R"),
        (replace(a_form(), right_basis=Basis.M6), "PC-11", "R"),
        (replace(a_form(), declarations=Declarations(False, False, PublicData.DUTY)), "PC-13", "R"),
        (replace(a_form(), declarations=Declarations(False, False, PublicData.OPERATED)), "PC-14", "R"),
        (a_form(AGENCY), "PC-15", "R"),
        (replace(a_form(), rights=()), "PC-17", "R"),
        (replace(a_form(), years=6), "PC-18", "R"),
        (replace(a_form(), authorised_until="2028-01-01"), "PC-18", "R"),
        (replace(a_form(), rights=(replace(a_form().rights[0], holder_id="X"),)), "PC-19", "R"),
        (data(a_form(), limits=" "), "PC-20", "R"),
        (replace(a_form(), attachments=()), "PC-21", "R"),
        (replace(a_form(), representative=Representative("代理人", AGENCY)), "PC-21", "R"),
        (replace(a_form(), declarations=Declarations(True, False)), "PC-21", "R"),
        (data(a_form(), content=replace(a_form().description.content, digest=a_form().attachments[0].digest)),
         "PC-22", "S"),
    ],
)  # fmt: skip
def test_precheck__each_rule__fires_at_its_level(form: Form, rule: str, level: str) -> None:
    found = [item for item in precheck(form, NATIONAL_2026, NOW) if item.rule == rule]
    assert found
    assert found[0].level == level
    assert found[0].zh.endswith("。")
    assert found[0].en[0].isascii()


def test_precheck__only_s_findings_stop() -> None:
    red = precheck(replace(a_form(), right_basis=Basis.M7), NATIONAL_2026, NOW)
    assert {item.level for item in red} == {Level.RED}
    require_submittable(red)
    with pytest.raises(FieldError, match="PC-02"):
        require_submittable(precheck(person(a_form(), id_no="x"), NATIONAL_2026, NOW))


def test_precheck__derived_data_with_sources__passes() -> None:
    assert precheck(a_form(sources=(Source("SJ3312026110001"),), rights=(Right.USE,)), NATIONAL_2026, NOW) == ()


def test_scheme__unknown_or_not_yet_in_force__is_refused() -> None:
    with pytest.raises(FieldError):
        scheme_of("legacy")
    with pytest.raises(FieldError):
        scheme_of("national_2026", "2026-06-30")
