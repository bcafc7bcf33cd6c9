"""The strategies: vectors from an independent oracle, and properties of pricing §14 (1-8, 10-15, 20, 25)."""

import hashlib
import json
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pricing_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.pricing import element_price as e
from clearing.pricing import information, policies
from clearing.pricing.arithmetic import CONTEXT, ONE, ZERO, recorded, stored
from clearing.pricing.cap import Year, allowances, check_price, limit_of
from clearing.pricing.element_price import STRATEGIES, VECTORS, Figures, Method, evaluate
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import ColumnCounts, ColumnInformation, admit, mean, measure, shannon_bits
from clearing.pricing.quality import DIMENSIONS, Rule, RuleCount, dimension_score, grade_of, normalise
from ledger import canonical
from tests.counts import few


@pytest.fixture(autouse=True, scope="module")
def _working_precision():
    """Comparisons in this file need 50 digits too."""
    with localcontext(CONTEXT):
        yield


QUICK = settings(max_examples=few(60), deadline=None)
FILE = json.loads((Path(__file__).parent / "vectors" / "strategies.json").read_bytes())

counts = st.integers(0, 10**12)
positive = st.integers(1, 10**12)
fen = st.integers(0, 10**12)


@st.composite
def ratios(draw) -> Decimal:
    bottom = draw(st.integers(1, 10**9))
    with localcontext(CONTEXT):
        return Decimal(draw(st.integers(0, bottom))) / Decimal(bottom)


six = st.tuples(*[ratios()] * 6)
profiles = st.dictionaries(st.integers(1, 10**6), st.integers(1, 50), min_size=1, max_size=8).map(
    lambda pairs: tuple(sorted(pairs.items(), reverse=True))
)


def test_table__every_strategy__has_vectors_from_the_oracle_and_gives_them():
    assert set(FILE) == set(STRATEGIES) == set(VECTORS) == set(oracle.CASES)
    for id_, rows in FILE.items():
        assert hashlib.sha256(canonical.encode(rows)).hexdigest() == STRATEGIES[id_].vectors, id_
        for row in rows:
            assert oracle.expected(id_, row["args"]) == row["result"], id_
            assert _ours(id_, row["args"]) == row["result"], (id_, row)


def _ours(id_: str, args: list) -> object:
    if id_ == "columns.mean@1":
        args = [[ColumnInformation(name, Decimal(a), Decimal(b)) for name, a, b in args[0]]]
    elif id_ == "columns.joint@1":
        args = [[tuple(item) for item in args[0]], Decimal(args[1])]
    elif id_ not in ("entropy.shannon_bits@1", "history.weighted_median@1"):
        args = [_decimals(value) for value in args]
    else:
        args = [[tuple(item) for item in args[0]]]
    result = STRATEGIES[id_].function(*args)
    if isinstance(result, tuple):
        return [recorded(item) for item in result]
    return recorded(result) if isinstance(result, Decimal) else result


def _decimals(value: object) -> object:
    if isinstance(value, list):
        return [_decimals(item) for item in value]
    return Decimal(value) if isinstance(value, str) else value


def test_policies__released_versions__keep_their_digest():
    pinned = {
        "demo.civil-aviation.resource@1": "24bc53ff585a9c398fc9a5b5118938423db09b4dc4d11fff7f0fca20b69f0640",
        "demo.civil-aviation.element@1": "20613c2e0f3f9c14fe0fbb0c727462fde50fffd13596daa46efa5157599f16fc",
        "demo.civil-aviation.product@1": "79119b079e21ee6baf78f9bf8e83611be9e10d66149f5d47c1b70e3a22642473",
        "demo.civil-aviation.element-joint@1": "a885b03288ecb7d1756167549274b146a2920648303acba8f1eaf1d7f47daef8",
    }
    assert {f"{policy.id}@{policy.version}": policy.digest().sha256.hex() for policy in policies.POLICIES} == pinned


@QUICK
@given(counts, positive, st.integers(1, 1000), counts)
def test_volume__bounds_monotone_and_unit_scaling(n, c, k, more):
    v = e.volume_logistic(n, c)
    assert Decimal("0.5") <= v <= 1
    assert 0 <= e.volume_centred(n, c) <= 1
    assert e.volume_logistic(n + more, c) >= v
    assert e.volume_logistic(n, c + more) <= v
    assert e.volume_logistic(k * n, k * c) == v
    assert abs(Fraction(v) - oracle.logistic(n, c)) < Fraction(1, 10**48) if n // c < 100 else v <= 1


@QUICK
@given(six, st.integers(0, 5), ratios())
def test_quality__bounds_and_monotone_in_each_score(scores, index, other):
    weights = tuple(Decimal(w) for w in ("0.2", "0.25", "0.25", "0.15", "0.1", "0.05"))
    q = e.quality_weighted_square(scores, weights)
    raised = (*scores[:index], max(other, scores[index]), *scores[index + 1 :])
    assert 0 <= q <= e.quality_weighted_square(raised, weights) <= 1


def test_quality__negative_score__is_refused_not_squared():
    with pytest.raises(PricingRefused, match="SCORE_RANGE"):
        e.quality_weighted_square([Decimal("-1")] * 6, [ZERO] * 6)


@QUICK
@given(profiles, st.integers(1, 1000))
def test_entropy__bounds_and_repeating_the_data(profile, times):
    value = shannon_bits(profile)
    n = sum(c * m for c, m in profile)
    categories = sum(m for _, m in profile)
    assert recorded(value) >= recorded(ZERO)
    assert Decimal(recorded(value)) <= Decimal(recorded(information.maximum_bits(categories)))
    assert shannon_bits(tuple((c * times, m) for c, m in profile)) == value
    assert n > 0


@settings(max_examples=few(15), deadline=None)
@given(st.lists(st.integers(1, 500), min_size=2, max_size=12))
def test_entropy__against_the_oracle_and_merging_never_raises_it(groups):
    def profile(sizes):
        return tuple((c, sizes.count(c)) for c in sorted(set(sizes), reverse=True))

    value = shannon_bits(profile(groups))
    assert recorded(value) == oracle.text(oracle.entropy(groups))
    merged = shannon_bits(profile([groups[0] + groups[1], *groups[2:]]))
    assert Decimal(recorded(merged)) <= Decimal(recorded(value))


@pytest.mark.parametrize(
    ("profile", "bits"),
    [(((9, 1),), "0.000000000000"), (((5, 2),), "1.000000000000"), (((1, 1024),), "10.000000000000")],
    ids=["constant", "two-valued", "unique"],
)
def test_entropy__known_columns(profile, bits):
    assert recorded(shannon_bits(profile)) == bits


def _column(name: str, profile: tuple, kind: str = "discrete", nulls: int = 0) -> ColumnCounts:
    n, distinct = sum(c * m for c, m in profile), sum(m for _, m in profile)
    return ColumnCounts(name, kind, False, n + nulls, nulls, 0, distinct, profile)


def test_columns__constant_column_and_identifier_like_column():
    base = (_column("a", ((60, 1), (40, 1))), _column("b", ((25, 4),)))
    threshold = Decimal("0.9")
    plain = mean(measure(admit(base, threshold).admitted, "drop"))
    with_key = admit((*base, _column("key", ((1, 100),))), threshold)
    assert with_key.excluded == (("key", "identifier_like"),)
    assert mean(measure(with_key.admitted, "drop")) == plain
    with_constant = mean(measure(admit((*base, _column("c", ((100, 1),))), threshold).admitted, "drop"))
    assert with_constant[0] < plain[0]
    small = admit((_column("key", ((1, 99),)),), threshold)
    assert not small.excluded
    assert small.warnings == ("small_sample:key",)
    exactly = admit((_column("key", ((11, 1), (1, 89))),), threshold)
    assert not exactly.excluded, "0.9 itself is not above the threshold"


def test_columns__nulls_as_value__adds_one_category():
    column = _column("a", ((60, 1), (40, 1)), nulls=40)
    assert information.with_nulls(column, "as_value") == ((60, 1), (40, 2))
    assert information.with_nulls(column, "drop") == column.profile


@QUICK
@given(profiles)
def test_density__bounds(profile):
    entropy = shannon_bits(profile)
    maximum = information.maximum_bits(sum(m for _, m in profile))
    assert 0 <= e.density_normalised(entropy, maximum) <= 1
    assert e.density_log1p(entropy, maximum) <= entropy
    assert e.density_identity(entropy, maximum) == entropy


def _method(joint: str = "joint.linear@1") -> Method:
    ids = dict(policies.POLICIES[1].strategies) | {"joint": joint}
    strengths = tuple(Decimal(a) for a in ("0.1", "0.2", "0.3", "0.4"))
    return Method({slot: STRATEGIES[id_].function for slot, id_ in ids.items()}, 20000, ONE, 20000, 86400, strengths)


@st.composite
def figures(draw) -> Figures:
    maximum = Decimal(draw(st.integers(0, 64)))
    with localcontext(CONTEXT):
        entropy = maximum * draw(ratios())
    return Figures(
        volume=draw(counts), scores=draw(six),
        weights=tuple(Decimal(w) for w in ("0.2", "0.25", "0.25", "0.15", "0.1", "0.05")),
        entropy=entropy, maximum=maximum, unit_value_fen=draw(fen), data_cost_fen=draw(fen),
        model_cost_fen=draw(fen), expected_return=draw(ratios()), joint_share=draw(ratios()),
        history_weight=draw(ratios()), history_fen=draw(st.none() | fen),
        positions=tuple(draw(st.tuples(*[ratios()] * 4))), market_factor=draw(ratios()) + 1,
    )  # fmt: skip


JOINTS = st.sampled_from(["joint.linear@1", "joint.cobb_douglas@1", "joint.cost_plus@1"])


@QUICK
@given(figures(), JOINTS, st.data())
def test_model__each_input_grows__no_price_falls(base, joint, data):
    method = _method(joint)
    before = evaluate(method, base)
    name = data.draw(
        st.sampled_from(
            ["volume", "score", "entropy", "unit_value_fen", "data_cost_fen", "model_cost_fen", "expected_return",
             "history_fen", "position", "market_factor"]
        )
    )  # fmt: skip
    index, other = data.draw(st.integers(0, 3)), data.draw(ratios())
    if name == "score":
        scores = list(base.scores)
        scores[index] = max(other, scores[index])
        after = evaluate(method, replace(base, scores=tuple(scores)))
    elif name == "position":
        positions = list(base.positions)
        positions[index] = max(other, positions[index])
        after = evaluate(method, replace(base, positions=tuple(positions)))
    elif name == "entropy":
        after = evaluate(method, replace(base, entropy=base.maximum))
    elif name in ("expected_return", "market_factor"):
        after = evaluate(method, replace(base, **{name: max(other, getattr(base, name))}))
    elif name == "history_fen" and base.history_fen is None:
        return
    else:
        after = evaluate(method, replace(base, **{name: getattr(base, name) + data.draw(fen)}))
    for slot in ("volume", "quality", "information", "joint", "agreed", "assessment", "bidding"):
        assert getattr(after, slot) >= getattr(before, slot), (name, slot)


@QUICK
@given(figures())
def test_joint__between_value_and_cost__and_geometric_below_arithmetic(base):
    linear, douglas = evaluate(_method(), base), evaluate(_method("joint.cobb_douglas@1"), base)
    low, high = sorted((linear.value, linear.cost))
    places = Decimal("1E-12")
    for outcome in (linear, douglas):
        assert low - places <= outcome.joint <= high + places
    assert douglas.joint <= linear.joint + places


@QUICK
@given(fen, fen)
def test_joint__ends__are_the_factors(value, cost):
    value, cost = Decimal(value), Decimal(cost)
    for function in (e.joint_linear, e.joint_cobb_douglas):
        assert function(value, cost, ZERO) == cost
        assert function(value, cost, ONE) == value


@QUICK
@given(figures())
def test_market__bounds_neutrality_and_history(base):
    outcome = evaluate(_method(), base)
    cold = evaluate(_method(), replace(base, history_fen=None))
    assert cold.assessment == evaluate(_method(), replace(base, history_weight=ZERO)).assessment
    neutral = evaluate(_method(), replace(base, positions=(Decimal("0.5"),) * 4, history_fen=None))
    assert neutral.assessment == neutral.agreed
    only = evaluate(_method(), replace(base, history_weight=ONE, history_fen=777, expected_return=ONE))
    assert only.assessment == evaluate(_method(), replace(base, history_weight=ONE, history_fen=777)).assessment
    low = high = outcome.agreed if base.history_fen is None else None
    if low is not None:
        for a in _method().strengths:
            low, high = low * (1 - a), high * (1 + a)
        assert low - Decimal("1E-6") <= outcome.assessment <= high + Decimal("1E-6")


trades = st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 50)), min_size=1, max_size=9).map(
    lambda items: [(price, f"t{i}", weight) for i, (price, weight) in enumerate(items)]
)


@QUICK
@given(trades, st.randoms(use_true_random=False), st.integers(1, 9), st.integers(0, 8), st.integers(0, 10**6))
def test_median__is_one_of_the_prices__order_and_weight_scale_do_not_matter(items, random, k, index, more):
    median = e.history_weighted_median(items)
    shuffled = random.sample(items, len(items))
    assert median in {price for price, _, _ in items}
    assert e.history_weighted_median(shuffled) == median
    assert e.history_weighted_median([(p, i, w * k) for p, i, w in items]) == median
    assert median == oracle.expected("history.weighted_median@1", [items])
    raised = [(p + more if at == index else p, i, w) for at, (p, i, w) in enumerate(items)]
    assert e.history_weighted_median(raised) >= median


@QUICK
@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 10**9))
def test_decay__starts_at_one_halves_and_never_rises(age, half_life, more):
    x = e.decay_half_life(age, half_life)
    assert e.decay_half_life(0, half_life) == 1
    assert 0 <= e.decay_half_life(age + more, half_life) <= x <= 1
    assert recorded(e.decay_half_life(age + half_life, half_life) * 2) == recorded(x)


def test_decay__negative_age__is_refused():
    with pytest.raises(PricingRefused, match="NEGATIVE_AGE"):
        e.decay_half_life(-1, 10)


@QUICK
@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_cap__lowers_only_above_and_is_idempotent(price, cap):
    final = e.cap_public(price, cap)
    assert final <= cap
    assert final <= price
    assert e.cap_public(final, cap) == final
    assert final == price or price > cap


@pytest.mark.parametrize("purpose", ["governance", "welfare"])
def test_cap__free_purposes__zero_and_anything_above_exceeds(purpose):
    limit = limit_of("guided", purpose, None, product="p", version=1, billing_unit="call", billing_size=1, at=5)
    assert limit.free
    assert limit.cap_fen == 0
    with pytest.raises(PricingRefused, match="CAP_EXCEEDED"):
        check_price(limit, 1)


@QUICK
@given(st.lists(st.tuples(fen, fen), max_size=8))
def test_allowance__never_negative_and_excess_is_never_forgotten(years):
    result = allowances([Year(base, actual) for base, actual in years])
    assert all(year.allowed_fen >= 0 and year.over_fen >= 0 for year in result)
    if result:
        assert result[-1].over_fen >= sum(actual - base for base, actual in years)
    for earlier, later in pairwise(result):
        assert later.deduct_fen == earlier.over_fen


@QUICK
@given(st.integers(0, 10**15), st.integers(0, 10**18))
def test_rounding__within_one_fen__half_rules_differ_only_on_halves(whole, part):
    price = Decimal(f"{whole}.{part:018d}")
    rounded = {
        mode: STRATEGIES[f"round.{mode}_fen@1"].function(price) for mode in ("half_up", "half_even", "down", "up")
    }
    assert all(abs(value - price) <= 1 for value in rounded.values())
    if rounded["half_up"] != rounded["half_even"]:
        assert price * 2 % 2 == 1
    assert rounded["down"] <= rounded["half_even"] <= rounded["up"]


@QUICK
@given(figures(), st.integers(0, 4))
def test_money_scaling__linear__ten_times_the_money_is_ten_times_the_price(base, power):
    times = 10**power
    scaled = replace(
        base, unit_value_fen=base.unit_value_fen * times, data_cost_fen=base.data_cost_fen * times,
        model_cost_fen=base.model_cost_fen * times,
        history_fen=None if base.history_fen is None else base.history_fen * times,
    )  # fmt: skip
    assert evaluate(_method(), scaled).bidding == evaluate(_method(), base).bidding * times


def _rules(*rows: tuple[str, int, int]) -> list[RuleCount]:
    return [
        RuleCount(Rule(f"r{i}", "type", "accuracy", weight), applicable, passed)
        for i, (weight, applicable, passed) in enumerate(rows)
    ]


def test_score__rule_without_applicable_rows__gives_its_weight_to_the_others():
    score = dimension_score(_rules(("0.5", 0, 0), ("0.3", 10, 5), ("0.2", 10, 10)), "accuracy")
    assert score is not None
    assert recorded(score.value) == "0.700000000000"
    assert dimension_score(_rules(("1", 0, 0)), "accuracy") is None
    with pytest.raises(PricingRefused, match="SCORE_RANGE"):
        dimension_score(_rules(("0.5", 1, 1)), "accuracy")


@QUICK
@given(st.integers(0, 10**6))
def test_grades__partition_zero_to_hundred_and_rise(s):
    scheme = policies.POLICIES[0].scheme
    grades = "EDCBA"
    with localcontext(CONTEXT):
        value = Decimal(s) / 10**4
    expected = grades[min(4, int(value) // 20)]
    assert grade_of(scheme, value) == expected


def test_grades__edge_belongs_to_the_upper_band():
    scheme = policies.POLICIES[0].scheme
    assert grade_of(scheme, Decimal("80")) == "A"
    assert grade_of(scheme, Decimal("79.99999999999999999999999999")) == "B"


def test_normalise__only_once():
    score = normalise("85", "percent")
    with pytest.raises(TypeError):
        normalise(score, "percent")  # type: ignore[arg-type]
    assert normalise("B", "grade", policies.POLICIES[0].scheme.bands).value == Decimal("0.6")
    with pytest.raises(PricingRefused, match="SCORE_RANGE"):
        normalise("S级", "grade", policies.POLICIES[0].scheme.bands)


@pytest.mark.parametrize(
    ("value", "text"), [("-0E-20", "0.000000000000"), ("0E-12", "0.000000000000"), ("1E+3", "1000.000000000000")]
)
def test_recorded__no_negative_zero_no_exponent(value, text):
    assert recorded(Decimal(value)) == text
    assert "E" not in stored(Decimal(value))


def test_dimensions__six_in_fixed_order():
    assert DIMENSIONS == ("normativity", "completeness", "accuracy", "consistency", "timeliness", "accessibility")
