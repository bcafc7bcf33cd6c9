"""ODRL and back: the same decisions, and whatever is not understood permits nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms, ClearingError
from clearing.market.odrl import CONFLICT, LEFT, read_policy, render_agreement, render_offer
from clearing.market.policy import (
    Action,
    Constraint,
    Counters,
    Decision,
    Effect,
    Left,
    Operator,
    Policy,
    Reason,
    Request,
    Rule,
    Standing,
    evaluate,
    windows_of,
)
from ledger import canonical
from ledger.errors import LedgerError
from tests.clearing.market.house import CONSUMER, SELLER
from tests.counts import few

LISTING = "a" * 32
NAMES = ("research", "teaching", "统计", "own", "CN-42")
NUMBERS = (Left.COUNT, Left.RATE, Left.DATE_TIME)
names = st.sampled_from(NAMES)


@st.composite
def constraints(draw: st.DrawFn) -> Constraint:
    left = draw(st.sampled_from(list(Left)))
    effect = draw(st.sampled_from(list(Effect)))
    if left in NUMBERS:
        operator = draw(st.sampled_from([Operator.LT, Operator.LTEQ, Operator.GT, Operator.GTEQ]))
        bound = st.integers(0, 20) | st.integers(1_700_000_000, 1_900_000_000) | st.integers(0, 2**53 - 1)
        window = draw(st.sampled_from([60, 3_600, 86_400])) if left is Left.RATE else 0
        return Constraint(left, operator, draw(bound), window, effect)
    operator = draw(st.sampled_from([Operator.ANY, Operator.NONE]))
    return Constraint(left, operator, tuple(draw(st.lists(names, min_size=1, max_size=3))), 0, effect)


rules = st.builds(Rule, st.sampled_from(list(Action)), st.lists(constraints(), max_size=4).map(tuple))
policies = st.builds(
    Policy, st.integers(1, 2**31), st.just(SELLER), st.just(CONSUMER), st.just(LISTING),
    st.lists(rules, min_size=1, max_size=4).map(tuple), st.lists(rules, max_size=2).map(tuple),
)  # fmt: skip
requests = st.builds(
    Request, st.sampled_from(list(Action)), names, names, st.integers(1, 30), st.just(Standing.EFFECTIVE), names, names
)


def again(document: dict[str, Any]) -> Policy:
    """Through JSON, as it travels."""
    carried = canonical.parse(json.dumps(document).encode())
    return read_policy(carried, assigner=SELLER, assignee=CONSUMER, target=LISTING)


@settings(max_examples=few(200), deadline=None)
@given(policies, st.lists(requests, min_size=5, max_size=10), st.integers(0, 20), st.integers(0, 2_000_000_000))
def test_round_trip__offer_catalogue_offer_and_agreement__the_same_decisions(
    policy: Policy, asked: list[Request], used: int, now: int
) -> None:
    counters = Counters(used, dict.fromkeys(windows_of(policy), used))
    for document in (
        render_offer(policy, "offer:1"),
        render_offer(policy, "offer:1", in_catalogue=True),
        render_agreement(policy, "agreement:1", 1_780_000_000),
    ):
        back = again(document)
        for request in asked:
            assert evaluate(back, request, counters, now) == evaluate(policy, request, counters, now)


FOREIGN: list[dict[str, Any]] = [
    {"action": "http://example.org/mine"},
    {"action": "use2"},
    {"action": ["read"]},
    {"action": "read", "duty": [{"action": "compensate"}]},
    {"action": "read", "constraint": [{"leftOperand": "payAmount", "operator": "eq", "rightOperand": "5"}]},
    {"action": "read", "constraint": [{"and": []}]},
    {"action": "read", "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": ["x"]}]},
    {"action": "read", "assignee": "party:x"},
]
"""Rules nobody here can decide."""


@settings(max_examples=few(60), deadline=None)
@given(policies, requests, st.sampled_from(FOREIGN))
def test_permission__not_understood__permits_nothing_more(
    policy: Policy, request_: Request, rule: dict[str, Any]
) -> None:
    """Planted among others it changes no decision; alone it is no policy; prohibited it is refused whole."""
    document = render_offer(policy, "offer:1")
    counters = Counters(0, dict.fromkeys(windows_of(policy), 0))
    planted = again(document | {"permission": [rule, *document["permission"]]})
    assert evaluate(planted, request_, counters, 1) == evaluate(policy, request_, counters, 1)
    with pytest.raises(BadTerms):
        again(document | {"permission": [rule]})
    with pytest.raises(BadTerms):
        again(document | {"prohibition": [rule]})


def test_action__nobody_named__denied() -> None:
    policy = again(render_offer(policy_of(Rule(Action.READ)), "offer:1"))
    for action in Action:
        request = Request(action, "research", CONSUMER, 1, Standing.EFFECTIVE)
        found = evaluate(policy, request, Counters(0, {}), 1)
        assert found.decision is (Decision.ALLOW if action is Action.READ else Decision.DENY)
        assert action is Action.READ or found.reasons == (Reason.SCOPE,)


def policy_of(*rules_: Rule, prohibition: tuple[Rule, ...] = ()) -> Policy:
    return Policy(1, SELLER, CONSUMER, LISTING, rules_, prohibition)


def targets(value: Any) -> list[str]:
    """Where a `target` stands, as a path."""
    if isinstance(value, dict):
        return [f".{name}{rest}" for name, inner in value.items() for rest in targets(inner)] + (
            [""] if "target" in value else []
        )
    return [f"[]{rest}" for inner in value for rest in targets(inner)] if isinstance(value, list) else []


def test_target__none_in_a_catalogue__one_in_messages__never_in_rules() -> None:
    policy = policy_of(Rule(Action.READ), prohibition=(Rule(Action.SELL),))
    assert targets(render_offer(policy, "offer:1", in_catalogue=True)) == []
    assert targets(render_offer(policy, "offer:1")) == [""]
    assert targets(render_agreement(policy, "agreement:1", 1)) == [""]
    for part in ("permission", "prohibition"):
        with pytest.raises(BadTerms) as error:
            again(render_offer(policy, "offer:1") | {part: [{"action": "read", "target": f"listing:{LISTING}"}]})
        assert error.value.field == f"offer.{part}[0].target"


def test_conflict__always_prohibit__and_asked_of_others_that_prohibit() -> None:
    policy = policy_of(Rule(Action.READ), prohibition=(Rule(Action.READ),))
    document = render_offer(policy, "offer:1")
    assert document[CONFLICT] == {"@id": "odrl:prohibit"}
    request = Request(Action.READ, "research", CONSUMER, 1, Standing.EFFECTIVE)
    assert evaluate(again(document), request, Counters(0, {}), 1).decision is Decision.DENY
    for wrong in ({"@id": "odrl:perm"}, "prohibit", None):
        spoiled = {name: value for name, value in document.items() if name != CONFLICT}
        spoiled |= {CONFLICT: wrong} if wrong else {}
        with pytest.raises(BadTerms):
            again(spoiled)


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ({"leftOperand": "dateTime", "operator": "lteq", "rightOperand": "2026-12-31T08:00:00+08:00"},
         Constraint(Left.DATE_TIME, Operator.LTEQ, 1_798_675_200)),
        ({"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"},
         Constraint(Left.PURPOSE, Operator.ANY, ("research",))),
        ({"leftOperand": "spatial", "operator": "neq", "rightOperand": "CN"},
         Constraint(Left.SPATIAL, Operator.NONE, ("CN",))),
        ({"leftOperand": "count", "operator": "lt", "rightOperand": {"@value": "5", "@type": "xsd:integer"}},
         Constraint(Left.COUNT, Operator.LT, 5)),
        ({"leftOperand": LEFT[Left.ENVIRONMENT], "operator": "isAnyOf", "rightOperand": ["TEE"]},
         Constraint(Left.ENVIRONMENT, Operator.ANY, ("TEE",))),
    ],
)  # fmt: skip
def test_constraint__as_others_write_it__understood(constraint: dict[str, Any], expected: Constraint) -> None:
    document = {"@id": "x", "@type": "Offer", "permission": [{"action": "use", "constraint": [constraint]}]}
    assert again(document).permission == (Rule(Action.USE, (expected,)),)


@pytest.mark.parametrize(
    "spoil",
    [
        {"permission": {}}, {"permission": []}, {"permission": ["read"]}, {"permission": [{"action": "read"}] * 51},
        {"assigner": "party:x"}, {"assignee": f"party:{SELLER}"}, {"target": "listing:" + "b" * 32},
        {"obligation": [{"action": "delete"}]}, {"prohibition": "none"},
        {"permission": [{"action": "read", "constraint": {}}]},
        {"permission": [{"action": "read", "constraint": ["x"]}]},
        *({"permission": [{"action": "read", "constraint": [
            {"leftOperand": "dateTime", "operator": "lt", "rightOperand": right}]}]}
          for right in ("soon", "2026-01-01T00:00:00", "2026-01-01T00:00:00.5Z", {"@value": 5}, ["x"],
                        "0001-01-01T00:00:00+14:00")),
        *({"permission": [{"action": "read", "constraint": [
            {"leftOperand": "count", "operator": "lt", "rightOperand": right}]}]}
          for right in ("5", {"@value": "٥", "@type": "xsd:integer"}, {"@value": "9" * 17, "@type": "xsd:integer"},
                        ["5"])),
    ],
    ids=repr,
)  # fmt: skip
def test_document__hostile_or_of_others__refused_by_name(spoil: dict[str, Any]) -> None:
    document = render_offer(policy_of(Rule(Action.READ)), "offer:1")
    with pytest.raises((ClearingError, LedgerError)):
        again(document | spoil)
    with pytest.raises(BadTerms):
        read_policy("offer", assigner=SELLER, assignee=CONSUMER, target=LISTING)
