"""The use policy against a table written by hand, and by property."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms
from clearing.market.policy import (
    Action,
    Constraint,
    Counters,
    Decision,
    Effect,
    Left,
    Operator,
    Policy,
    Request,
    Rule,
    Standing,
    check_policy,
    evaluate,
    limit_of,
    policy_digest,
    windows_of,
)
from ledger.reading import body_of, read
from tests.counts import few

READ = Rule(
    Action.READ,
    (
        Constraint(Left.PURPOSE, Operator.ANY, ("research", "teaching")),
        Constraint(Left.RECIPIENT, Operator.NONE, ("competitor",)),
        Constraint(Left.COUNT, Operator.LTEQ, 100),
        Constraint(Left.COUNT, Operator.LTEQ, 80, effect=Effect.FLAG),
        Constraint(Left.RATE, Operator.LTEQ, 10, window=60),
        Constraint(Left.DATE_TIME, Operator.GTEQ, 1_000),
        Constraint(Left.DATE_TIME, Operator.LT, 2_000),
    ),
)
POLICY = Policy(1, "P", "C", "T", (READ,), (Rule(Action.READ, (Constraint(Left.SPATIAL, Operator.ANY, ("abroad",)),)),))
ASK = Request(Action.READ, "research", "someone", 1, Standing.EFFECTIVE)


@pytest.mark.parametrize(
    ("change", "total", "minute", "now", "decision", "reasons"),
    [
        ({}, 0, 0, 1_500, "allow", []),
        ({"purpose": "teaching"}, 79, 9, 1_000, "allow", []),
        ({"purpose": "marketing"}, 0, 0, 1_500, "deny", ["UC21"]),
        ({"purpose": ""}, 0, 0, 1_500, "deny", ["UC21"]),
        ({"recipient": "competitor"}, 0, 0, 1_500, "deny", ["UC20"]),
        ({}, 80, 0, 1_500, "flag", ["UC25"]),
        ({}, 99, 0, 1_500, "flag", ["UC25"]),
        ({}, 100, 0, 1_500, "deny", ["UC25"]),
        ({"quantity": 2}, 99, 0, 1_500, "deny", ["UC25"]),
        ({}, 0, 10, 1_500, "deny", ["UC26"]),
        ({}, 0, 0, 999, "deny", ["UC24"]),
        ({}, 0, 0, 2_000, "deny", ["UC24"]),
        ({"action": Action.SELL}, 0, 0, 1_500, "deny", ["UC27"]),
        ({"region": "abroad"}, 0, 0, 1_500, "deny", ["UC23"]),
        ({"standing": Standing.NOT_YET}, 0, 0, 1_500, "deny", ["UC10"]),
        ({"standing": Standing.ENDED}, 0, 0, 1_500, "deny", ["UC11"]),
        ({"standing": Standing.SUSPENDED}, 0, 0, 1_500, "deny", ["UC12"]),
        ({"purpose": "x", "recipient": "competitor"}, 0, 0, 1_500, "deny", ["UC21", "UC20"]),
    ],
)
def test_evaluate__table(
    change: dict[str, object], total: int, minute: int, now: int, decision: str, reasons: list[str]
):
    outcome = evaluate(POLICY, replace(ASK, **change), Counters(total, {60: minute}), now)  # type: ignore[arg-type]
    assert (outcome.decision, [reason.value for reason in outcome.reasons]) == (decision, reasons)


def test_evaluate__window_not_counted__refused_with_uc90():
    outcome = evaluate(POLICY, ASK, Counters(0, {}), 1_500)
    assert (outcome.decision, [r.value for r in outcome.reasons]) == (Decision.DENY, ["UC90"])


def test_evaluate__environment_asked_for_but_not_proven__uc22():
    rule = Rule(Action.READ, (Constraint(Left.ENVIRONMENT, Operator.ANY, ("TEE",)),))
    policy = replace(POLICY, permission=(rule,))
    assert evaluate(policy, ASK, Counters(0, {}), 0).reasons[0].value == "UC22"
    assert evaluate(policy, replace(ASK, environment="TEE"), Counters(0, {}), 0).decision is Decision.ALLOW


def test_evaluate__prohibition_and_permission_both_apply__prohibition_wins():
    policy = replace(POLICY, prohibition=(Rule(Action.READ),))
    assert evaluate(policy, ASK, Counters(0, {60: 0}), 1_500).decision is Decision.DENY


def test_evaluate__two_permissions__the_one_that_passes_speaks():
    wide = Rule(Action.READ, (Constraint(Left.PURPOSE, Operator.ANY, ("marketing",)),))
    policy = replace(POLICY, permission=(READ, wide))
    asked = replace(ASK, purpose="marketing")
    assert evaluate(policy, asked, Counters(10_000, {60: 0}), 1_500).decision is Decision.ALLOW


@given(used=st.integers(0, 200), quantity=st.integers(1, 50), limit=st.integers(0, 200))
@settings(deadline=None, max_examples=few(200))
def test_evaluate__any_count__never_passes_the_limit(used: int, quantity: int, limit: int):
    policy = replace(POLICY, permission=(Rule(Action.READ, (Constraint(Left.COUNT, Operator.LTEQ, limit),)),))
    outcome = evaluate(policy, replace(ASK, quantity=quantity), Counters(used, {}), 0)
    assert (outcome.decision is Decision.ALLOW) == (used + quantity <= limit)
    assert limit_of(policy, Action.READ) == limit


def test_policy__as_a_document_and_back__same_value_and_digest():
    again = read(Policy, body_of(POLICY))
    assert again == POLICY
    assert policy_digest(again) == policy_digest(POLICY)
    assert windows_of(POLICY) == (60,)
    assert limit_of(POLICY, Action.READ) == 100


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint(Left.COUNT, Operator.ANY, ("x",)),
        Constraint(Left.PURPOSE, Operator.LTEQ, ("x",)),
        Constraint(Left.PURPOSE, Operator.ANY, 5),
        Constraint(Left.COUNT, Operator.LTEQ, ("5",)),
        Constraint(Left.RATE, Operator.LTEQ, 5),
        Constraint(Left.COUNT, Operator.LTEQ, 5, window=60),
    ],
)
def test_check_policy__operator_and_value_do_not_fit__refused_at_signing_and_denied_at_use(constraint: Constraint):
    policy = replace(POLICY, permission=(Rule(Action.READ, (constraint,)),))
    with pytest.raises(BadTerms):
        check_policy(policy)
    assert evaluate(policy, ASK, Counters(0, {60: 0}), 0).reasons[0].value == "UC90"
