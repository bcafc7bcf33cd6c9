"""Articles of the guide that no single move carries: what it is, whom it serves, and the principles it asks for."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from registry import store
from registry.asset import AssetKind
from registry.case import State
from registry.certificate import Status
from registry.document import DECLARATION
from registry.errors import GuardRefused
from registry.scheme import NATIONAL_2026, SCHEMES
from tests.registry.registry_house import DEVELOPER, PROVIDER, House, a_form, applicant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.clause("G1")
def test_rule_set__names_the_guide_and_its_number_and_when_it_is_taken_to_apply() -> None:
    """The default rule set is the guide; its day of effect is a parameter of ours, said to be unverified."""
    assert NATIONAL_2026.title == "《数据产权登记工作指引（试行）》"
    assert NATIONAL_2026.source == "国数综政策〔2026〕35号"
    assert NATIONAL_2026.effective_from == "2026-07-01"
    assert "effective_from" in NATIONAL_2026.unverified
    assert SCHEMES[NATIONAL_2026.id] is NATIONAL_2026


@pytest.mark.clause("G2")
def test_papers_and_pages__say_modelled_on__never_conforming_to() -> None:
    """Art. 2: 参照本指引进行. The word 符合 beside the guide's name would promise what nobody has certified."""
    assert "参照《数据产权登记工作指引（试行）》" in DECLARATION
    files = subprocess.run(["git", "ls-files", "api/templates", "registry", "api/court.txt"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    for name in files:
        if name.endswith((".html", ".typ", ".txt")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert "符合《数据产权登记" not in text, name
            assert "符合国数综政策" not in text, name


@pytest.mark.clause("G2", "G3")
@pytest.mark.parametrize("kind", list(AssetKind))
def test_every_form_of_data__resource_element_product__can_be_registered(house: House, kind: AssetKind) -> None:
    """Art. 2: 数据资源、数据产品和服务等各类形态数据."""
    form = a_form()
    code = house.certificate(replace(form, description=replace(form.description, kind=kind)))
    assert store.certificate(house.session, code).kind == kind.value


@pytest.mark.clause("G4", "I-01", "I-02")
def test_principles__nobody_is_registered_without_their_own_signature(house: House) -> None:
    """Art. 4, 16: 平等自愿. A joint application needs every applicant, whoever else signs."""
    both = (applicant(PROVIDER, "甲（演示）"), applicant(DEVELOPER, "乙（演示）"))
    form = a_form(applicants=both)
    with pytest.raises(GuardRefused, match=DEVELOPER):
        house.file(form, f"party:{PROVIDER}")
    identity = house.file(form)
    assert house.case(identity).state is State.SUBMITTED


@pytest.mark.clause("G4", "G31")
def test_principles__a_certificate_says_what_holds_now__for_anybody_who_asks(house: House) -> None:
    """Art. 4: 公平诚信; art. 31: the paper is evidence, so what it shows can be checked by whoever relies on it."""
    from registry import answering

    code = house.certificate(a_form())
    found = answering.check(house.session, code, house.now)
    assert found.status is Status.VALID
    assert found.view is not None
    assert found.view.rights
