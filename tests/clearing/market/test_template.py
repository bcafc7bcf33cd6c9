"""The model texts: published once, answered whole, and under every signature with what is agreed otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clearing.errors import BadTerms
from clearing.market.agreement import Role, TermsParty, check_terms, terms_digest
from clearing.market.template import (
    Deviation,
    Particular,
    Template,
    check_template,
    digest_of,
    fill,
    models,
    written,
)
from registry.asset import Twin
from tests.clearing.market.house import CONSUMER, PROVIDER, SELLER, House

PUBLISHED = {
    ("entrust", 1): "9b6ace1b15386d08",
    ("fuse", 1): "7fcf1b93f3280965",
    ("mediate", 1): "1a67f01240198606",
    ("provide", 1): "d8f18809291bf669",
}
"""A published version never changes: another text is another version, with its own line here."""
ROLES = {"provide": {}, "entrust": {"SERVICE": 1}, "fuse": {"DEVELOPER": 1}, "mediate": {"BROKER": 1}}
BOTH = {"PROVIDER": 1, "CONSUMER": 1}


def filled(identity: str) -> Template:
    model = models()[identity, 1]
    return fill(identity, 1, {asked.name: f"{asked.title}（演示）" for asked in model.particulars})


def test_models__the_four_national_types__each_version_as_published() -> None:
    assert {key: digest_of(model).sha256[:16] for key, model in models().items()} == PUBLISHED
    for model in models().values():
        assert [clause.no for clause in model.clauses] == list(range(1, len(model.clauses) + 1))
        titles = {clause.title for clause in model.clauses}
        assert {"验收", "违约责任", "争议解决", "价格与结算", "使用存证与对账", "变更与中止"} <= titles
        text = "".join(clause.text for clause in model.clauses)
        for asked in model.particulars:
            assert asked.title in text, f"{model.id}: no clause speaks of {asked.title}"


@pytest.mark.parametrize("identity", ROLES)
def test_template__answered_whole_with_the_roles_of_its_type__is_good(identity: str) -> None:
    check_template(filled(identity), BOTH | ROLES[identity])
    for role in BOTH | ROLES[identity]:
        with pytest.raises(BadTerms, match=role):
            check_template(filled(identity), {**BOTH, **ROLES[identity], role: 0})


FAULTS: dict[str, tuple[Callable[[Template], Template], str]] = {
    "another type": (lambda t: replace(t, id="lease"), "template.id"),
    "a version that is not out": (lambda t: replace(t, version=2), "template.id"),
    "another text": (lambda t: replace(t, digest=Twin("0" * 64, "0" * 64)), "template.digest"),
    "no answers": (lambda t: replace(t, particulars=()), "template.particulars"),
    "an answer left out": (lambda t: replace(t, particulars=t.particulars[1:]), "template.particulars"),
    "an answer twice": (lambda t: replace(t, particulars=(*t.particulars, t.particulars[0])), "template.particulars"),
    "in another order": (lambda t: replace(t, particulars=t.particulars[::-1]), "template.particulars"),
    "an answer nobody asked": (
        lambda t: replace(t, particulars=(*t.particulars, Particular("colour", "蓝"))),
        "template.particulars",
    ),
    "a clause there is not": (lambda t: replace(t, deviations=(Deviation(99, "另行约定"),)), "template.deviations"),
    "a clause twice": (
        lambda t: replace(t, deviations=(Deviation(2, "甲"), Deviation(2, "乙"))),
        "template.deviations",
    ),
    "clauses out of order": (
        lambda t: replace(t, deviations=(Deviation(3, "甲"), Deviation(2, "乙"))),
        "template.deviations",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_terms__with_a_bad_template__are_refused_by_field(house: House, what: str) -> None:
    change, field = FAULTS[what]
    terms = house.terms(house.listed())
    check_terms(terms)
    with pytest.raises(BadTerms, match=field):
        check_terms(replace(terms, template=change(terms.template)))


def test_terms__of_a_brokered_deal__need_the_broker(house: House) -> None:
    terms = replace(house.terms(house.listed()), template=filled("mediate"))
    with pytest.raises(BadTerms, match="BROKER"):
        check_terms(terms)
    check_terms(replace(terms, parties=(*terms.parties, TermsParty(SELLER, Role.BROKER))))
    assert {PROVIDER, CONSUMER} <= {party.party for party in terms.parties}


def test_deviation__stands_in_the_text_in_the_place_of_its_clause_and_under_the_signature(house: House) -> None:
    terms = house.terms(house.listed())
    agreed = replace(terms.template, deviations=(Deviation(5, "数据以加密介质交付。"),))
    clauses = {item.no: item for item in written(agreed)}
    model = {clause.no: clause for clause in models()["provide", 1].clauses}
    assert (clauses[5].text, clauses[5].instead) == ("数据以加密介质交付。", model[5].text)
    assert all((item.text, item.instead) == (model[no].text, "") for no, item in clauses.items() if no != 5)
    assert terms_digest(replace(terms, template=agreed)) != terms_digest(terms)


def test_fill__unknown_model__names_those_there_are() -> None:
    wrong: Any = ("lease", 1, {})
    with pytest.raises(BadTerms, match="provide 1"):
        fill(*wrong)
