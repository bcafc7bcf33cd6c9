"""A stored price asked again: another time and another policy, from the evidence alone."""

import copy

import pytest

from clearing.pricing import trial
from clearing.pricing.errors import PricingRefused
from clearing.pricing.policies import published
from clearing.pricing.policy import read_policy
from clearing.pricing.price_report import verify
from clearing.pricing.repricing import reprice
from ledger import canonical
from tests.clearing.pricing.pricing_cases import AS_OF, changed, example

LATER = {"report_id": "f" * 32, "as_of": AS_OF + 86400, "valid_until": AS_OF + 10 * 86400}


def policy(**constants: object):
    document = published("demo.civil-aviation.element", 1).document()
    return read_policy({**document, "constants": {**document["constants"], **constants}})


def test_reprice__same_question__the_same_bytes_as_pricing_it_afresh():
    asked = changed(example(), "/request/as_of", LATER["as_of"])
    asked["request"] |= {"report_id": LATER["report_id"], "valid_until": LATER["valid_until"], "sensitivity": False}
    first = trial.price_case(example())
    again = reprice(first.evidence, policy(), **LATER)
    assert (again.data, again.evidence) == (lambda made: (made.data, made.evidence))(trial.price_case(asked))
    assert verify(again.data, again.evidence).equal


@pytest.mark.parametrize("constants", [{"unit_value_fen": 9000}, {"nulls": "as_value"}, {"identifier_threshold": "1"}])
def test_reprice__other_policy__as_if_priced_by_it(constants: dict):
    first = trial.price_case(example())
    again = reprice(first.evidence, policy(**constants), **LATER, supersedes="a" * 64)
    verdict = verify(again.data, again.evidence)
    assert (verdict.equal, verdict.policy) == (True, "altered")
    assert again.document["identity"]["supersedes"] == "a" * 64
    assert again.document["result"] != first.document["result"]
    asked = copy.deepcopy(example())
    asked["policy"] = policy(**constants).document()
    asked["request"] |= {**LATER, "supersedes": "a" * 64, "sensitivity": False}
    assert again.data == trial.price_case(asked).data


@pytest.mark.parametrize(
    ("constants", "changes", "code"),
    [
        ({"calendar": "day"}, {}, "METHOD_NOT_ALLOWED"),
        ({}, {"as_of": AS_OF + 10**9, "valid_until": AS_OF + 2 * 10**9}, "QUALITY_EXPIRED"),
    ],
)
def test_reprice__what_was_counted_or_stated_does_not_hold__refused(constants: dict, changes: dict, code: str):
    first = trial.price_case(example())
    with pytest.raises(PricingRefused) as refused:
        reprice(first.evidence, policy(**constants), **(LATER | changes))
    assert refused.value.code == code


@pytest.mark.parametrize("evidence", [b"[]", b"{}", b"{", canonical.encode({"request": 1})])
def test_reprice__no_evidence__refused(evidence: bytes):
    with pytest.raises(PricingRefused):
        reprice(evidence, policy(), **LATER)
