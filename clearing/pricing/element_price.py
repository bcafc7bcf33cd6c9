"""The formulas of the price, each a named, versioned strategy, and the one way they fit together (pricing §4, §6).

I(X) = V(N)·Q(Z)·D(X); g joins value and cost; P1 = (1+r)·g; P'' is the market's assessment; P2 = β·P''. A strategy is
never edited: a change is a new version, because even an equal result may print other digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any, Literal

from clearing.pricing import information
from clearing.pricing.arithmetic import HALF, MAX_INTEGER, ONE, TWO, ZERO, exact
from clearing.pricing.errors import PricingRefused

Stage = Literal["resource", "element", "product"]
SLOTS = (
    "volume", "quality", "entropy", "columns", "density", "value", "cost", "joint", "agreed",
    "scarcity", "decay", "scale", "completeness", "history", "market", "bidding", "round", "cap",
)  # fmt: skip
MARKET_SLOTS = ("scarcity", "decay", "scale", "completeness", "history", "market", "bidding")
TUPLES = ("columns.joint@1",)
"""Strategies of columns that take the counts of tuples; the others take E_j and L_j of each column."""
ADJUSTMENTS = ("scarcity", "timeliness", "scale", "completeness")


def _share(value: Decimal, field: str, low: Decimal = ZERO, high: Decimal = ONE) -> None:
    if not low <= value <= high:
        raise PricingRefused("SCORE_RANGE", field, f"[{low}, {high}]", str(value))


@exact
def volume_logistic(volume: int, increment: int) -> Decimal:
    """V = 1/(1+exp(−N/C)), as printed: one half at N = 0, rising towards 1, never falling. Range [0.5, 1]."""
    return ONE / (ONE + (-(Decimal(volume) / Decimal(increment))).exp())


@exact
def volume_centred(volume: int, increment: int) -> Decimal:
    """V = 2·logistic − 1: zero at N = 0. Range [0, 1]."""
    return TWO * volume_logistic(volume, increment) - ONE


@exact
def quality_weighted_square(scores: Sequence[Decimal], weights: Sequence[Decimal]) -> Decimal:
    """Q = (Σ β_i·z_i)². A negative score or weight is refused, because the square would hide its sign."""
    s = ZERO
    for position, (score, weight) in enumerate(zip(scores, weights, strict=True)):
        _share(score, f"quality_scores[{position}]")
        _share(weight, f"quality_weights[{position}]")
        s = s + weight * score
    return s * s


@exact
def density_identity(entropy: Decimal, maximum: Decimal) -> Decimal:
    """D = E, as printed; no upper bound but L."""
    return entropy


@exact
def density_normalised(entropy: Decimal, maximum: Decimal) -> Decimal:
    """D = min(1, E/L), 0 when L = 0; the min absorbs a last digit above 1."""
    return min(ONE, entropy / maximum) if maximum else ZERO


@exact
def density_log1p(entropy: Decimal, maximum: Decimal) -> Decimal:
    """D = ln(1+E)."""
    return (ONE + entropy).ln()


@exact
def value_product(volume: Decimal, quality: Decimal, density: Decimal) -> Decimal:
    """I = V·Q·D, dimensionless."""
    return volume * quality * density


@exact
def cost_domain(domain_factor: Decimal, data_cost_fen: int, model_cost_fen: int) -> Decimal:
    """Cy = domain factor · (data cost + model cost), fen."""
    return domain_factor * (Decimal(data_cost_fen) + Decimal(model_cost_fen))


@exact
def joint_linear(value_fen: Decimal, cost_fen: Decimal, share: Decimal) -> Decimal:
    """g = w·(u·I) + (1−w)·Cy."""
    return share * value_fen + (ONE - share) * cost_fen


@exact
def joint_cobb_douglas(value_fen: Decimal, cost_fen: Decimal, share: Decimal) -> Decimal:
    """g = (u·I)^a·Cy^(1−a) by exp and ln; a = 0 and a = 1 give the factor itself, a zero factor gives 0."""
    if share == 0:
        return +cost_fen
    if share == 1:
        return +value_fen
    if value_fen == 0 or cost_fen == 0:
        return ZERO
    return (share * value_fen.ln() + (ONE - share) * cost_fen.ln()).exp()


@exact
def joint_cost_plus(value_fen: Decimal, cost_fen: Decimal, share: Decimal) -> Decimal:
    """g = Cy; the value is still computed and reported."""
    return +cost_fen


@exact
def agreed_markup(expected_return: Decimal, joint: Decimal) -> Decimal:
    """P1 = (1+r)·g, unrounded."""
    return (ONE + expected_return) * joint


@exact
def decay_half_life(age_s: int, half_life_s: int) -> Decimal:
    """x = exp(−ln 2·age/half-life); 1 at age 0. A negative age is NEGATIVE_AGE."""
    if age_s < 0:
        raise PricingRefused("NEGATIVE_AGE", "data_time", "≤ as_of", age_s)
    return (-(TWO.ln() * (Decimal(age_s) / Decimal(half_life_s)))).exp()


@exact
def scarcity_substitutes(substitutes: int) -> Decimal:
    """x = 1/(1+k), k = listed substitutable elements at `as_of`."""
    return ONE / (ONE + Decimal(substitutes))


@exact
def scarcity_declared(declared: Decimal) -> Decimal:
    """x as an assessor states it, in [0,1]; assessor and evidence stand in the request."""
    _share(declared, "scarcity.declared")
    return +declared


@exact
def completeness_dimension(score: Decimal) -> Decimal:
    """x = the 完整性 score of the same quality report."""
    return +score


def history_weighted_median(trades: Sequence[tuple[int, str, int]]) -> int:
    """The first unit price, sorted by (price, trade id), where 2·cumulative weight ≥ total: always one real price.

    `trades`: (unit price fen, trade id, weight), weights positive integers, at least one trade.
    """
    ordered = sorted(trades)
    total, cumulative = sum(weight for _, _, weight in ordered), 0
    for price, _, weight in ordered:
        cumulative += weight
        if 2 * cumulative >= total:
            return price
    raise PricingRefused("INPUT_FORM", "trades", "至少一笔 / at least one", len(ordered))


@exact
def market_weighted_adjustment(
    history_weight: Decimal,
    history_fen: int,
    agreed: Decimal,
    strengths: Sequence[Decimal],
    positions: Sequence[Decimal],
) -> Decimal:
    """b = λ·C0 + (1−λ)·P1; then for S, T, N, W in order b = b·(1 + a·(x−0.5)·2). Neutral at x = 0.5 or a = 0."""
    b = history_weight * Decimal(history_fen) + (ONE - history_weight) * agreed
    for strength, position in zip(strengths, positions, strict=True):
        b = b * adjustment_factor(strength, position)
    return b


@exact
def adjustment_factor(strength: Decimal, position: Decimal) -> Decimal:
    """1 + a·(x−0.5)·2, for 0 ≤ a < 1 and 0 ≤ x ≤ 1."""
    return ONE + strength * (position - HALF) * 2


@exact
def bidding_factor(market_factor: Decimal, assessment: Decimal) -> Decimal:
    """P2 = β_market·P''."""
    return market_factor * assessment


def _rounder(mode: str) -> Callable[[Decimal], int]:
    @exact
    def to_fen(price: Decimal) -> int:
        if price and price.adjusted() > 20:
            raise PricingRefused("INPUT_FORM", "price", f"≤ {MAX_INTEGER}", f"{price:.3E}")
        fen = int(price.quantize(ONE, rounding=mode))
        if fen > MAX_INTEGER:
            raise PricingRefused("INPUT_FORM", "price", f"≤ {MAX_INTEGER}", fen)
        return fen

    to_fen.__doc__ = f"Whole fen by {mode}, once, at the end."
    return to_fen


def cap_public(rounded_fen: int, cap_fen: int) -> int:
    """min(rounded price, cap), after rounding, both fen per the same billing unit."""
    return min(rounded_fen, cap_fen)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number a strategy takes from the policy: what it is and its closed range, as text."""

    name: str
    low: str
    high: str = ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """One row of the strategy table. `introduced` and `retired` are UTC seconds; a retired row stays executable.

    `vectors` is the SHA-256 of the row's reference vectors (tests/clearing/pricing/vectors/strategies.json).
    """

    id: str
    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    introduced: int
    retired: int | None
    vectors: str

    @property
    def slot(self) -> str:
        return self.id.partition(".")[0]


INTRODUCED = 1767196800
"""2026-01-01T00:00:00+08:00: the day the first table came into use."""
JOINT_INTRODUCED = 1796054400
"""2026-12-01T00:00:00+08:00."""

_INCREMENT = Parameter("increment", "1")
_SHARE = Parameter("joint_share", "0", "1")
_STRENGTHS = tuple(Parameter(f"adjust_{name}", "0", "0.999999999999999999") for name in ADJUSTMENTS)
_HISTORY = Parameter("history_weight", "0", "1")

VECTORS = {
    "volume.logistic@1": "c4820e50a970e57164a12aeb93ee1071698632d11dcb896bda13d9fad8fdc599",
    "volume.centred@1": "fc1e37fe0e946aa6c5da273fffe2d7b6e5a2e9a69451177e93bb9b05e7643faf",
    "scale.centred_volume@1": "668c8f85cb9a86a3b6b83fa26a18fe65cc07a6653462963a6f31cc6f0e18f8a4",
    "quality.weighted_square@1": "4b2deb960870ea3b5e0f5e878ff22edff62474d3ef6881fb637194562a036944",
    "entropy.shannon_bits@1": "0a0cd91a9eb7da4b9290c6788d9213d555492fff93a2d984f92e3b70df5de4ab",
    "columns.mean@1": "832ae48c8c9c1d8dfb3528338e69002dc8cd9aaf294341bed891c15fc90ec1d1",
    "columns.joint@1": "cd6803dcf77f0e8cf60261601a53f4f103b3f9fb392bc264540ddae38594377e",
    "density.identity@1": "20d49e5f58ed32488a7b78817163d53f4c6359e32121a25ba8fe76a9de2d36b4",
    "density.normalised@1": "8122770686d131aac79a279a3839584ff39eb2f17ef05a6a804b9f2e8f15e67a",
    "density.log1p@1": "c6b6835d42882d8958a94dba66edf29f02533fbdc885bc3b4ad79789e713ab82",
    "value.product@1": "239edceb618e297ded72a1b5914f503cc93e7bc6ff5a8a801415f29a50d66e4d",
    "cost.domain@1": "215f250da2ccf96259aecaa4e2c80fa9076400ba5068272476b5063aacf9f5c8",
    "joint.linear@1": "82839a62f355a3acd9ff971c193ec8eded218dfc977286159196a52ea6362bb3",
    "joint.cobb_douglas@1": "edd2c0d2320e98ca170e9aec7a6033aa047be8cb31041961b1c51acde0b541dd",
    "joint.cost_plus@1": "5798956383f4c51d0ad1d25345909ca13f7c2758448455098532a69fd579f9ce",
    "agreed.markup@1": "57e6728e79670727cee184abf354c2256ff55f085ac35b02387cd8e737892390",
    "decay.half_life@1": "c42c1d1013f06882b60d358aaff006aded934e579a0bffa59683ee9ee2260d5d",
    "scarcity.substitutes@1": "8f531715d671e334b9b944d0893d5e4f5310a96b99aad1366d1aa168d19846b5",
    "scarcity.declared@1": "75b400555a97bbc48b4268ea930f99a4f9662b60ab73d6ada5bc6dc1b055540b",
    "completeness.dimension@1": "64f20b9db3c08517d1eca2ae49ae7440934d82a5f7bee2ea01b640137da86197",
    "history.weighted_median@1": "854e3bfdd4ed13fa7c4dc9406537d784402af48816f2f635de8d65322c6a81ef",
    "market.weighted_adjustment@1": "5c7d4c8c044ed9eaaf027032c0dfbe713e7ad082e437709b56002816bec3527f",
    "bidding.factor@1": "0f997ac46985b704f20b26f53bc81e11b47f9c145197a18915f0417c3ea92ba2",
    "round.half_up_fen@1": "635966997ab9c95cbd03d36afa8858c910247241923431c3d69415d584286765",
    "round.half_even_fen@1": "508b87a1a8c3ad2227b7eacf03da802b3a42528d89d27dee9bdece4ce9022a86",
    "round.down_fen@1": "6f127cfac1ccff9b70e694eed86d777144f6a5714a5bbfaedf213a0496f091f6",
    "round.up_fen@1": "7d2b8964a5a5b41ea7bdea44d07e6c53d6d31c6d21388046e3d1ba7db4cf166f",
    "cap.public@1": "8a2f4e110f6f395af4fb183cbd3e7591e6643854b699d42489b8e50ed6fc5220",
}


def _row(id_: str, function: Callable[..., Any], *parameters: Parameter, introduced: int = INTRODUCED) -> Strategy:
    return Strategy(id_, function, parameters, introduced, None, VECTORS[id_])


STRATEGIES: dict[str, Strategy] = {
    row.id: row
    for row in (
        _row("volume.logistic@1", volume_logistic, _INCREMENT),
        _row("volume.centred@1", volume_centred, _INCREMENT),
        _row("quality.weighted_square@1", quality_weighted_square),
        _row("entropy.shannon_bits@1", information.shannon_bits),
        _row("columns.mean@1", information.mean),
        _row("columns.joint@1", information.joint, introduced=JOINT_INTRODUCED),
        _row("density.identity@1", density_identity),
        _row("density.normalised@1", density_normalised),
        _row("density.log1p@1", density_log1p),
        _row("value.product@1", value_product),
        _row("cost.domain@1", cost_domain, Parameter("domain_factor", "0")),
        _row("joint.linear@1", joint_linear, _SHARE),
        _row("joint.cobb_douglas@1", joint_cobb_douglas, _SHARE),
        _row("joint.cost_plus@1", joint_cost_plus),
        _row("agreed.markup@1", agreed_markup, Parameter("expected_return", "0", "1")),
        _row("decay.half_life@1", decay_half_life, Parameter("half_life_s", "1")),
        _row("scarcity.substitutes@1", scarcity_substitutes),
        _row("scarcity.declared@1", scarcity_declared),
        _row("scale.centred_volume@1", volume_centred, Parameter("scale_increment", "1")),
        _row("completeness.dimension@1", completeness_dimension),
        _row("history.weighted_median@1", history_weighted_median),
        _row("market.weighted_adjustment@1", market_weighted_adjustment, _HISTORY, *_STRENGTHS),
        _row("bidding.factor@1", bidding_factor, Parameter("market_factor", "0")),
        _row("round.half_up_fen@1", _rounder(ROUND_HALF_UP)),
        _row("round.half_even_fen@1", _rounder(ROUND_HALF_EVEN)),
        _row("round.down_fen@1", _rounder(ROUND_DOWN)),
        _row("round.up_fen@1", _rounder(ROUND_UP)),
        _row("cap.public@1", cap_public),
    )
}
"""The table of §4. A row is never altered: tests pin every function to its vectors."""


def strategy(id_: str, slot: str, as_of: int | None = None) -> Strategy:
    """The row `id_` for `slot`. With `as_of`, a row retired by then is refused: STRATEGY_RETIRED."""
    row = STRATEGIES.get(id_)
    if row is None or row.slot != slot:
        known = " | ".join(name for name, other in STRATEGIES.items() if other.slot == slot)
        raise PricingRefused("METHOD_NOT_ALLOWED", f"strategies.{slot}", known, id_)
    if as_of is not None and row.retired is not None and row.retired <= as_of:
        raise PricingRefused("STRATEGY_RETIRED", f"strategies.{slot}", "在用版本 / a version in use", id_)
    return row


@dataclass(frozen=True, slots=True)
class StageRule:
    """What a stage allows: joint strategy → (low, low allowed, high, high allowed) of its share; a market model."""

    joint: Mapping[str, tuple[Decimal, bool, Decimal, bool]]
    market: bool


_LINEAR, _DOUGLAS, _PLUS = "joint.linear@1", "joint.cobb_douglas@1", "joint.cost_plus@1"
_ANY = (ZERO, True, ONE, True)
STAGES: dict[str, StageRule] = {
    "resource": StageRule({_PLUS: _ANY, _LINEAR: (ZERO, True, HALF, True), _DOUGLAS: (ZERO, True, HALF, True)}, False),
    "element": StageRule({_LINEAR: (ZERO, False, ONE, False), _DOUGLAS: (ZERO, False, ONE, False)}, True),
    "product": StageRule({_LINEAR: (ZERO, False, ONE, True), _DOUGLAS: (ZERO, False, ONE, True)}, True),
}


def check_stage(stage: str, joint: str, share: Decimal, market: bool) -> StageRule:
    """The (stage, joint, market) triple must stand in §6: else NO_STAGE or METHOD_NOT_ALLOWED."""
    rule = STAGES.get(stage)
    if rule is None:
        raise PricingRefused("NO_STAGE", "stage", " | ".join(STAGES), stage)
    if joint not in rule.joint:
        raise PricingRefused("METHOD_NOT_ALLOWED", "strategies.joint", " | ".join(rule.joint), joint)
    low, low_in, high, high_in = rule.joint[joint]
    if not (low < share < high or (low_in and share == low) or (high_in and share == high)):
        shown = f"{'[' if low_in else '('}{low}, {high}{']' if high_in else ')'}"
        raise PricingRefused("METHOD_NOT_ALLOWED", "parameters.joint_share", shown, str(share))
    if market != rule.market:
        expected = "必须有市场模型 / required" if rule.market else "不得有市场模型 / refused"
        raise PricingRefused(
            "METHOD_NOT_ALLOWED", "strategies.market", expected, "有 / present" if market else "无 / absent"
        )
    return rule


@dataclass(frozen=True, slots=True)
class Method:
    """A policy made ready to compute: the function of each slot in use, and the numbers they need."""

    functions: Mapping[str, Callable[..., Any]]
    volume_increment: int
    domain_factor: Decimal
    scale_increment: int
    half_life_s: int
    strengths: tuple[Decimal, ...]

    @property
    def market(self) -> bool:
        return "market" in self.functions


@dataclass(frozen=True, slots=True)
class Figures:
    """Every number that enters the price, after gate, quality and entropy. Money is integer fen.

    `positions` are x_S, x_T, x_N, x_W; None where the adjustment is not in use. `history_fen` None = cold start.
    """

    volume: int
    scores: tuple[Decimal, ...]
    weights: tuple[Decimal, ...]
    entropy: Decimal
    maximum: Decimal
    unit_value_fen: int
    data_cost_fen: int
    model_cost_fen: int
    expected_return: Decimal
    joint_share: Decimal
    history_weight: Decimal = ZERO
    history_fen: int | None = None
    positions: tuple[Decimal | None, ...] = (None, None, None, None)
    market_factor: Decimal = ONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every intermediate value at full precision. The last four are None at a stage without a market model."""

    volume: Decimal
    quality: Decimal
    density: Decimal
    information: Decimal
    value: Decimal
    cost: Decimal
    joint: Decimal
    agreed: Decimal
    history_weight: Decimal | None
    factors: tuple[Decimal, ...] | None
    assessment: Decimal | None
    bidding: Decimal | None

    @property
    def last(self) -> Decimal:
        """The last price the stage computes: P2, or P1 where there is no market model."""
        return self.agreed if self.bidding is None else self.bidding


@exact
def evaluate(method: Method, figures: Figures) -> Outcome:
    """The whole model in printed order: V, Q, D, I, u·I, Cy, g, P1 and, with a market model, P'' and P2. No rounding.

    Without history λ is forced to 0. An adjustment that is in use but has no x is SCORE_RANGE.
    """
    run = method.functions
    volume = run["volume"](figures.volume, method.volume_increment)
    quality = run["quality"](figures.scores, figures.weights)
    density = run["density"](figures.entropy, figures.maximum)
    worth = run["value"](volume, quality, density)
    value = Decimal(figures.unit_value_fen) * worth
    cost = run["cost"](method.domain_factor, figures.data_cost_fen, figures.model_cost_fen)
    joint = run["joint"](value, cost, figures.joint_share)
    agreed = run["agreed"](figures.expected_return, joint)
    if not method.market:
        return Outcome(volume, quality, density, worth, value, cost, joint, agreed, None, None, None, None)
    positions = []
    for name, strength, position in zip(ADJUSTMENTS, method.strengths, figures.positions, strict=True):
        if position is None and strength:
            raise PricingRefused(
                "SCORE_RANGE", f"adjust_{name}", "a>0 时须有 x / an x, because a > 0", "缺失 / missing"
            )
        if position is not None:
            _share(position, f"x_{name}")
        positions.append(HALF if position is None else position)
    weight = ZERO if figures.history_fen is None else figures.history_weight
    assessment = run["market"](weight, figures.history_fen or 0, agreed, method.strengths, positions)
    factors = tuple(adjustment_factor(a, x) for a, x in zip(method.strengths, positions, strict=True))
    bidding = run["bidding"](figures.market_factor, assessment)
    return Outcome(
        volume, quality, density, worth, value, cost, joint, agreed, weight, factors, assessment, bidding
    )  # fmt: skip
