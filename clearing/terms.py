"""What an agreement copies into itself: tariff, tax, sharing plan and period rules, as values (D32).

Amounts are integer fen, prices are an integer numerator of fen per integer divisor of units, weights are integers
that add up to 10^9. Nothing here computes a price: `settlement.rating` and `settlement.sharing` do. `check_terms`
refuses at signing what could not be settled later. A field that came later is None where it is not used and then has
no place in the signed bytes, so terms signed before it keep theirs. Source: domain clearing §2.5, §3, §4; D32, D33.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Annotated

import msgspec

from clearing.errors import BadTerms

MAX_FEN = 10**15 - 1
WHOLE = 10**9  # the sum of the weights of one ratio step
MILLION = 10**6
CURRENCY = "CNY"
SHANGHAI = timezone(timedelta(hours=8))  # no daylight saving since 1991
DAY = 86_400
LATEST = 366 * DAY  # the longest late limit that can be signed

Fen = Annotated[int, msgspec.Meta(ge=0, le=MAX_FEN)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
Millionths = Annotated[int, msgspec.Meta(ge=0, le=MILLION)]
Short = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_EXACT = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,50})?", re.ASCII)
Exact = Annotated[str, msgspec.Meta(pattern=rf"^{_EXACT.pattern}\Z")]
"""A decimal ≥ 0 as text, read as an exact fraction."""
Hex64 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Address = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
"""A secp256k1 address in its one writing: lower case, since an EIP-712 signature does not cover the case."""


class TariffKind(StrEnum):
    """固定价 · 按量 (also 按次, 按条, 按时长) · 分段累进 · 全量阶梯 · 订阅含量 · 收入分成 · 成功费."""

    FIXED = "fixed"
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    SUBSCRIPTION = "subscription"
    REVENUE_SHARE = "revenue_share"
    SUCCESS_FEE = "success_fee"


class TaxBasis(StrEnum):
    """含税 · 不含税: on which side of the tax the tariff's numbers stand."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"


class PeriodBasis(StrEnum):
    """账期基准 发生日 · 入账日 · 支付日: which date puts a use into a period."""

    OCCURRED = "occurred"
    RECEIVED = "received"
    PAID = "paid"


class BillingBasis(StrEnum):
    """What is billed: records of use (§5.4), both sides' reconciled or one side's alone, which must be agreed to; or no
    record but what was delivered and accepted (有效完成数量, exchange.md §4.8)."""

    BOTH = "BOTH"
    PROVIDER = "PROVIDER"
    CONSUMER = "CONSUMER"
    ACCEPTED = "ACCEPTED"


class ShareBase(StrEnum):
    """The amount the first plan step starts from; tax never takes part."""

    NET = "net"


class StepKind(StrEnum):
    """成本补偿 · 瀑布 · 比例 · 阶梯 · 数据量贡献 · 信息价值贡献 (Shapley) · 保底 · 封顶."""

    COST_RECOVERY = "cost_recovery"
    TRANCHE = "tranche"
    RATIO = "ratio"
    TIERED = "tiered"
    CONTRIBUTION = "contribution"
    SHAPLEY = "shapley"
    GUARANTEE = "guarantee"
    CAP = "cap"


DERIVED = frozenset({StepKind.CONTRIBUTION, StepKind.SHAPLEY})
"""Steps whose weights are no terms but facts of a period, derived from what was metered or measured."""
DIVIDING = frozenset({StepKind.RATIO, StepKind.TIERED}) | DERIVED
"""Steps that divide everything that is left; a plan has at most one."""


class NettingMode(StrEnum):
    """多边轧差 · 双边轧差 · 合约更替: what the parties signed for; only the last replaces obligations by new ones.

    - multilateral: payment netting over all parties of the cycle, no novation (default)
    - bilateral: each pair by itself, no novation
    - clearing_house: each obligation becomes two against a clearing house
    """

    MULTILATERAL = "multilateral"
    BILATERAL = "bilateral"
    CLEARING_HOUSE = "clearing_house"


@dataclass(frozen=True, slots=True)
class Tier:
    """One price band. It runs from `start` units to the next tier's start, half-open; the last has no end.

    `numerator` fen per `divisor` units.
    """

    start: Quantity
    numerator: Fen
    divisor: Positive = 1


@dataclass(frozen=True, slots=True)
class QualityBand:
    """质量系数 `millionths` for scores from `least` on, up to the next band's. Without one the charge is held."""

    least: Exact
    millionths: Millionths | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """What the amount is multiplied by, looked up in `bands` by the unrounded score under one version of a scheme.

    The bands begin at score 0, each lower bound is inclusive, and a higher score never has a lower coefficient.
    """

    scheme: Short
    version: Positive
    bands: tuple[QualityBand, ...]


@dataclass(frozen=True, slots=True)
class Credit:
    """服务抵扣 for an availability from `least` millionths on, up to the next row's.

    What is taken off is `millionths` of the amount and `fen` besides.
    """

    least: Millionths
    millionths: Millionths = 0
    fen: Fen = 0


@dataclass(frozen=True, slots=True)
class Success:
    """成功费 and its limits: which `event` counts, and how late.

    An event counts up to `window` seconds after what it is put down to, a claw-back up to `clawback` seconds after the
    success it takes back. `cap_fen` is the most that one success costs.
    """

    event: Short
    window: Quantity
    clawback: Quantity
    cap_fen: Fen | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """One price rule. Which fields count depends on `kind`; `check_tariff` refuses the others.

    - fixed: `fixed_fen` per period
    - per_unit: one tier starting at 0, charged on ceil(quantity / block) blocks
    - graduated: every slice of the quantity at its own tier's price
    - volume: the whole quantity at the price of the tier it ends in
    - subscription: `fixed_fen`, then the tiers (graduated) on what exceeds `allowance`
    - revenue_share: `rate` millionths of the amount declared for the period, which `base` says in words
    - success_fee: `fixed_fen` for each success, or `rate` millionths of its amount, within `success`
    `minimum_fen` 保底 and `maximum_fen` 封顶 hold per agreement and period, on the tariff's own tax basis; `quality`
    comes before them, `credits` after. With `part_period` the fixed amount of a period in which the agreement begins
    or ends counts by its active days; the allowance stays whole.
    """

    kind: TariffKind
    unit: Short
    fixed_fen: Fen = 0
    tiers: tuple[Tier, ...] = ()
    allowance: Quantity = 0
    block: Positive = 1
    minimum_fen: Fen | None = None
    maximum_fen: Fen | None = None
    bill_failures: bool = False
    version: Positive = 1
    part_period: bool | None = None
    rate: Millionths | None = None
    base: Short | None = None
    success: Success | None = None
    quality: Quality | None = None
    credits: tuple[Credit, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tax:
    """VAT: whether the tariff's numbers contain it, and the rate in basis points (600 = 6 %)."""

    basis: TaxBasis
    bp: Annotated[int, msgspec.Meta(ge=0, le=10_000)]


@dataclass(frozen=True, slots=True)
class PriceCap:
    """政府指导价: the most `size` units of a product may cost, on the tax basis the authorising body set it on.

    `document` is the SHA-256 of its decision.
    """

    product: Short
    unit: Short
    size: Positive
    fen: Fen
    basis: TaxBasis
    document: Hex64


@dataclass(frozen=True, slots=True)
class Weight:
    """One party's agreed proportion in a dividing step, of 10^9."""

    party: Short
    weight: Annotated[int, msgspec.Meta(ge=0, le=WHOLE)]


@dataclass(frozen=True, slots=True)
class Holder:
    """A party of the plan and the role it is paid for (持有方 holder, 加工方 processor, 经营方 operator, 平台 …)."""

    party: Short
    role: Short


@dataclass(frozen=True, slots=True)
class Slice:
    """Weights (sum 10^9) for the revenue from `start` fen on, up to the next slice's start, half-open."""

    start: Fen
    weights: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan, evaluated on the cumulative revenue of the plan version.

    - cost_recovery: `party` takes up to `limit_fen` in all, before what follows
    - tranche: the same for a place in a waterfall, after all costs; what it leaves flows on
    - ratio: what is left is divided by `weights` (sum 10^9)
    - tiered: the same by `slices` of what is left, counted from the start of the plan version
    - contribution: `weights` are agreed proportions (sum < 10^9, may be none), the rest of 10^9 is divided by what
      each contributor's connectors metered in the period
    - shapley: the same by each contributor's Shapley value; a sampled one counts only up to a standard error of
      `error` millionths of the value of all data together
    - guarantee: `party` gets at least `limit_fen` in all, out of what `funder` has, never below 0; what is then
      missing is owed by `guarantor`, outside of the division and once the plan version has ended
    - cap: `party` keeps at most `limit_fen` in all, the excess goes to `overflow`
    Ratio, tiered, contribution and shapley always divide everything, so a plan has one of them at most.
    """

    kind: StepKind
    party: Short | None = None
    limit_fen: Fen | None = None
    weights: tuple[Weight, ...] = ()
    overflow: Short | None = None
    slices: tuple[Slice, ...] | None = None
    funder: Short | None = None
    guarantor: Short | None = None
    error: Millionths | None = None


@dataclass(frozen=True, slots=True)
class SharingPlan:
    """Who gets what of each charge. One version is one rounding lineage (D33).

    `residual` takes what is left when no step divides it; `effective` is seconds UTC: the version serves periods that
    start at or after it.
    """

    version: Positive
    effective: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    holders: tuple[Holder, ...]
    steps: tuple[Step, ...]
    residual: Short
    base: ShareBase = ShareBase.NET

    @property
    def derived(self) -> Step | None:
        """The step whose weights are derived anew for every period, if there is one."""
        return next((step for step in self.steps if step.kind in DERIVED), None)


@dataclass(frozen=True, slots=True)
class PeriodRules:
    """账期基准, cut-off and late limit. `grace` and `late_limit` are seconds."""

    basis: PeriodBasis = PeriodBasis.OCCURRED
    grace: Annotated[int, msgspec.Meta(ge=0, le=31 * DAY)] = DAY
    late_limit: Annotated[int, msgspec.Meta(ge=0, le=LATEST)] = 30 * DAY


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the two sides' records of one use may differ and still agree.

    Quantities agree when they differ by at most `units`, or by at most `ppm` millionths of the larger one; dates agree
    across the end of a period when they lie at most `seconds` apart.
    """

    units: Quantity = 0
    ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    seconds: Annotated[int, msgspec.Meta(ge=0, le=31 * DAY)] = 0


NON_TAX_ROLES: Mapping[str, str] = {
    "authority": "non_tax_authority",
    "treasury": "treasury",
    "issuer": "ticket_issuer",
}
"""Roles on record that the three public parties of non-tax revenue must have."""


@dataclass(frozen=True, slots=True)
class NonTax:
    """非税收入: who assesses what a use costs (执收单位), whose account takes it (财政), who issues the 财政电子票据
    (开票单位), by identity, and the 收费项目 code of the due.
    """

    authority: Short
    treasury: Short
    issuer: Short
    item: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2,20}\Z")]


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything settlement needs of one agreement version, copied and signed: no later stage looks further back.

    `buyer` pays; `invoice_issuer` receives the tax once its invoice is recorded and is one of the plan's holders.
    Without a `tolerance` the two sides' records agree only when they are equal. `cap` is the guided price of a product
    of authorised public data. With `non_tax` nothing is charged, divided or netted here: what is owed is assessed as
    non-tax revenue, and the plan only says that all of it is the treasury's.
    """

    buyer: Short
    invoice_issuer: Short
    tariff: Tariff
    tax: Tax
    plan: SharingPlan
    period: PeriodRules = PeriodRules()
    netting: NettingMode = NettingMode.MULTILATERAL
    currency: Annotated[str, msgspec.Meta(pattern=r"^CNY\Z")] = CURRENCY
    tolerance: Tolerance | None = None
    cap: PriceCap | None = None
    non_tax: NonTax | None = None


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """One agreement revision as settlement takes it over: its name, revision and signed terms.

    `free` marks a use for 公共治理 or 公益事业: metered and stated, price 0. `billing` says what is counted; `limit` is
    the number of units the use policy allows in all (None: no limit): what exceeds it is not billed. It limits uses, so
    there is none where acceptance is billed.
    """

    agreement: str
    revision: int
    terms: Terms
    free: bool = False
    billing: BillingBasis = BillingBasis.PROVIDER
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """An agreement revision that was in force until `until`, seconds UTC: the end of its term, or an act before it."""

    item: AgreementTerms
    until: int


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open window [start, end) in seconds UTC with a name like `2026-03`."""

    name: str
    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise BadTerms("period", "0 ≤ start < end", (self.start, self.end))

    def __contains__(self, at: int) -> bool:
        return self.start <= at < self.end


def month(name: str) -> Period:
    """The calendar month `YYYY-MM` of Asia/Shanghai as a period. Raises BadTerms on any other text."""
    try:
        first = datetime.strptime(name, "%Y-%m").replace(tzinfo=SHANGHAI)
        following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    except (ValueError, OverflowError):
        raise BadTerms("period", "a month YYYY-MM", name) from None
    if first.strftime("%Y-%m") != name:
        raise BadTerms("period", "a month YYYY-MM", name)
    return Period(name, int(first.timestamp()), int(following.timestamp()))


def month_after(name: str) -> str:
    """The name of the month after `YYYY-MM`. Raises BadTerms on any other text."""
    return datetime.fromtimestamp(month(name).end, SHANGHAI).strftime("%Y-%m")


_TIERED = frozenset({TariffKind.PER_UNIT, TariffKind.GRADUATED, TariffKind.VOLUME, TariffKind.SUBSCRIPTION})
_PERIODIC = frozenset({TariffKind.FIXED, TariffKind.SUBSCRIPTION})
BY_QUANTITY = _TIERED - _PERIODIC
"""Kinds that price a quantity and nothing else."""


def check_tariff(tariff: Tariff) -> None:
    """Refuse a tariff that has no price, two prices or an impossible bound. Raises BadTerms naming the field."""
    kind = tariff.kind
    wants = "tiers for every kind priced by the unit, none for the others"
    _require(bool(tariff.tiers) == (kind in _TIERED), "tariff.tiers", wants, len(tariff.tiers))
    if tariff.tiers:
        _check_tiers(tariff.tiers)
    one = kind is not TariffKind.PER_UNIT or len(tariff.tiers) == 1
    _require(one, "tariff.tiers", "one tier for per_unit", len(tariff.tiers))
    has_fixed = kind in _PERIODIC or (kind is TariffKind.SUCCESS_FEE and tariff.rate is None)
    _require(has_fixed or tariff.fixed_fen == 0, "tariff.fixed_fen", f"0 for {kind}", tariff.fixed_fen)
    _require(0 <= tariff.fixed_fen <= MAX_FEN, "tariff.fixed_fen", f"0 to {MAX_FEN}", tariff.fixed_fen)
    subscribed = kind is TariffKind.SUBSCRIPTION
    _require(subscribed or tariff.allowance == 0, "tariff.allowance", f"0 for {kind}", tariff.allowance)
    _require(tariff.allowance >= 0, "tariff.allowance", "≥ 0", tariff.allowance)
    _require(tariff.block >= 1, "tariff.block", "≥ 1", tariff.block)
    _require(tariff.block == 1 or kind is TariffKind.PER_UNIT, "tariff.block", f"1 for {kind}", tariff.block)
    parted = tariff.part_period is None or kind in _PERIODIC
    _require(parted, "tariff.part_period", f"none for {kind}", tariff.part_period)
    _check_bounds(tariff)
    _check_rate(tariff)
    if tariff.quality is not None:
        _check_quality(tariff.quality)
    if tariff.credits is not None:
        _check_credits(tariff.credits)


def _check_bounds(tariff: Tariff) -> None:
    for field, amount in (("minimum_fen", tariff.minimum_fen), ("maximum_fen", tariff.maximum_fen)):
        _require(amount is None or 0 <= amount <= MAX_FEN, f"tariff.{field}", f"0 to {MAX_FEN}", amount)
    if tariff.minimum_fen is not None and tariff.maximum_fen is not None:
        expected = f"≤ maximum {tariff.maximum_fen}"
        _require(tariff.minimum_fen <= tariff.maximum_fen, "tariff.minimum_fen", expected, tariff.minimum_fen)


def _check_rate(tariff: Tariff) -> None:
    """Revenue share and success fee: a rate of something that is named, and no adjustment a claw-back cannot undo."""
    kind, succeeds = tariff.kind, tariff.kind is TariffKind.SUCCESS_FEE
    if kind is TariffKind.REVENUE_SHARE:
        _require(tariff.rate is not None, "tariff.rate", "millionths of the base", tariff.rate)
        _require(tariff.base is not None, "tariff.base", "what the rate is taken of, in words", tariff.base)
    else:
        _require(tariff.base is None, "tariff.base", f"none for {kind}", tariff.base)
        _require(succeeds or tariff.rate is None, "tariff.rate", f"none for {kind}", tariff.rate)
    valid = tariff.rate is None or 0 <= tariff.rate <= MILLION
    _require(valid, "tariff.rate", f"0 to {MILLION}", tariff.rate)
    expected = "the event and its windows" if succeeds else f"none for {kind}"
    _require((tariff.success is not None) == succeeds, "tariff.success", expected, tariff.success)
    if succeeds:
        expected = "none for success_fee: a claw-back must take back just what was charged"
        for field in ("minimum_fen", "maximum_fen", "quality", "credits"):
            given = getattr(tariff, field)
            _require(given is None, f"tariff.{field}", expected, given)


def _check_quality(quality: Quality) -> None:
    field = "tariff.quality.bands"
    _require(bool(quality.bands), field, "at least one band", 0)
    least = [exact(band.least, f"{field}.least") for band in quality.bands]
    _require(least[0] == 0, f"{field}[0].least", "0", quality.bands[0].least)
    for number, (lower, upper) in enumerate(pairwise(least), start=1):
        _require(lower < upper, f"{field}[{number}].least", f"> {lower}", quality.bands[number].least)
    for number, (below, band) in enumerate(pairwise(quality.bands), start=1):
        known = -1 if below.millionths is None else below.millionths
        given = -1 if band.millionths is None else band.millionths
        expected = "a coefficient no lower than the band below has"
        _require(given >= known, f"{field}[{number}].millionths", expected, band.millionths)
    _require(quality.bands[-1].millionths is not None, field, "a coefficient in the highest band", None)


def _check_credits(rows: tuple[Credit, ...]) -> None:
    field = "tariff.credits"
    _require(bool(rows) and rows[0].least == 0, f"{field}[0].least", "0", rows[0].least if rows else None)
    for number, (below, row) in enumerate(pairwise(rows), start=1):
        _require(row.least > below.least, f"{field}[{number}].least", f"> {below.least}", row.least)
        falls = row.millionths <= below.millionths and row.fen <= below.fen
        _require(falls, f"{field}[{number}]", "no more than is taken off for a lower availability", row.millionths)


def _check_tiers(tiers: tuple[Tier, ...]) -> None:
    _require(tiers[0].start == 0, "tariff.tiers[0].start", "0", tiers[0].start)
    for number, tier in enumerate(tiers):
        _require(0 <= tier.numerator <= MAX_FEN, f"tariff.tiers[{number}].numerator", f"0 to {MAX_FEN}", tier.numerator)
        _require(tier.divisor >= 1, f"tariff.tiers[{number}].divisor", "≥ 1", tier.divisor)
        if number:
            before = tiers[number - 1].start
            _require(tier.start > before, f"tariff.tiers[{number}].start", f"> {before}", tier.start)


def volume_warnings(tariff: Tariff) -> tuple[str, ...]:
    """Bounds at which a 全量阶梯 total falls when one more unit is used: said at signing, not refused."""
    if tariff.kind is not TariffKind.VOLUME:
        return ()
    pairs = zip(tariff.tiers, tariff.tiers[1:], strict=False)
    return tuple(
        f"总价在 {upper.start} 处下降 the total falls at {upper.start} {tariff.unit}"
        for lower, upper in pairs
        if upper.start * upper.numerator * lower.divisor < (upper.start - 1) * lower.numerator * upper.divisor
    )


ORDER: Mapping[StepKind, int] = {
    StepKind.COST_RECOVERY: 0,
    StepKind.TRANCHE: 1,
    **dict.fromkeys(DIVIDING, 2),
    StepKind.GUARANTEE: 3,
    StepKind.CAP: 4,
}
"""The place of each kind in a plan: steps stand in this order."""
USED: Mapping[StepKind, frozenset[str]] = {
    StepKind.COST_RECOVERY: frozenset({"party", "limit_fen"}),
    StepKind.TRANCHE: frozenset({"party", "limit_fen"}),
    StepKind.RATIO: frozenset({"weights"}),
    StepKind.TIERED: frozenset({"slices"}),
    StepKind.CONTRIBUTION: frozenset({"weights"}),
    StepKind.SHAPLEY: frozenset({"weights", "error"}),
    StepKind.GUARANTEE: frozenset({"party", "limit_fen", "funder", "guarantor"}),
    StepKind.CAP: frozenset({"party", "limit_fen", "overflow"}),
}
"""The fields that mean something in a step of each kind; any other is refused."""
_OPTIONAL = ("party", "limit_fen", "weights", "overflow", "slices", "funder", "guarantor", "error")


def check_plan(plan: SharingPlan) -> None:
    """Refuse a plan that does not give away exactly what comes in. Raises BadTerms naming the field.

    Order of steps: cost recovery, tranches, at most one step that divides, guarantees, caps; one guarantee and one cap
    per party. Who funds a guarantee has none; excess never flows into a capped party; no cap is below its party's
    guarantee.
    """
    parties = [holder.party for holder in plan.holders]
    _require(bool(parties), "plan.holders", "at least one party", 0)
    known = set(parties)
    if len(known) != len(parties):
        raise BadTerms("plan.holders", "each party once", _twice(parties))
    _require(plan.version >= 1, "plan.version", "≥ 1", plan.version)
    _require(plan.residual in known, "plan.residual", "a party of plan.holders", plan.residual)
    _require(bool(plan.steps), "plan.steps", "at least one step", 0)
    ranks = [ORDER[step.kind] for step in plan.steps]
    order = "cost_recovery, tranche, one dividing step, guarantee, cap, in this order"
    _require(ranks == sorted(ranks), "plan.steps", order, [str(step.kind) for step in plan.steps])
    _require(ranks.count(2) <= 1, "plan.steps", "at most one dividing step", ranks.count(2))
    for number, step in enumerate(plan.steps):
        _check_step(f"plan.steps[{number}]", step, known)
    _check_guarantees(plan.steps)


def _check_step(field: str, step: Step, known: set[str]) -> None:
    used = USED[step.kind]
    for name in _OPTIONAL:
        given = getattr(step, name)
        if name not in used and given not in (None, ()):
            raise BadTerms(f"{field}.{name}", f"none in a {step.kind} step", given)
    if step.kind in DIVIDING:
        _check_dividing(field, step, known)
        return
    _require(step.party in known, f"{field}.party", "a party of plan.holders", step.party)
    valid = step.limit_fen is not None and 0 <= step.limit_fen <= MAX_FEN
    _require(valid, f"{field}.limit_fen", f"0 to {MAX_FEN}", step.limit_fen)
    for name in ("overflow", "funder"):
        if name in used:
            given = getattr(step, name)
            other = given in known and given != step.party
            _require(other, f"{field}.{name}", "another party of plan.holders", given)
    if step.kind is StepKind.GUARANTEE:
        other = step.guarantor is not None and step.guarantor != step.party
        _require(other, f"{field}.guarantor", "another party, which owes what the funder has not", step.guarantor)


def _check_dividing(field: str, step: Step, known: set[str]) -> None:
    if step.kind is StepKind.TIERED:
        slices = step.slices or ()
        _require(bool(slices) and slices[0].start == 0, f"{field}.slices", "a first slice from 0 on", len(slices))
        for number, (below, part) in enumerate(pairwise(slices), start=1):
            _require(part.start > below.start, f"{field}.slices[{number}].start", f"> {below.start}", part.start)
        for number, part in enumerate(slices):
            total = _weights_total(f"{field}.slices[{number}].weights", part.weights, known)
            _require(total == WHOLE, f"{field}.slices[{number}].weights", f"a sum of {WHOLE}", total)
        return
    total = _weights_total(f"{field}.weights", step.weights, known)
    if step.kind is StepKind.RATIO:
        _require(total == WHOLE, f"{field}.weights", f"a sum of {WHOLE}", total)
    else:
        _require(total < WHOLE, f"{field}.weights", f"a sum below {WHOLE}, the rest is derived", total)
    _require(step.error is None or 0 <= step.error <= MILLION, f"{field}.error", f"0 to {MILLION}", step.error)


def _weights_total(field: str, weights: tuple[Weight, ...], known: set[str]) -> int:
    named = [weight.party for weight in weights]
    if len(set(named)) != len(named):
        raise BadTerms(field, "each party once", _twice(named))
    for weight in weights:
        if weight.party not in known:
            raise BadTerms(f"{field}.party", "a party of plan.holders", weight.party)
        if not 0 <= weight.weight <= WHOLE:
            raise BadTerms(f"{field}.weight", f"0 to {WHOLE}", weight.weight)
    return sum(weight.weight for weight in weights)


def _check_guarantees(steps: tuple[Step, ...]) -> None:
    guaranteed = {step.party: step.limit_fen or 0 for step in steps if step.kind is StepKind.GUARANTEE}
    capped = {step.party for step in steps if step.kind is StepKind.CAP}
    for kind, parties in ((StepKind.GUARANTEE, guaranteed), (StepKind.CAP, capped)):
        named = [str(step.party) for step in steps if step.kind is kind]
        _require(len(named) == len(parties), "plan.steps", f"one {kind} per party", _twice(named))
    for number, step in enumerate(steps):
        field = f"plan.steps[{number}]"
        if step.kind is StepKind.GUARANTEE:
            expected = "a party without a guarantee of its own"
            _require(step.funder not in guaranteed, f"{field}.funder", expected, step.funder)
        elif step.kind is StepKind.CAP:
            _require(step.overflow not in capped, f"{field}.overflow", "a party without a cap", step.overflow)
            least = guaranteed.get(step.party, 0)
            _require((step.limit_fen or 0) >= least, f"{field}.limit_fen", f"≥ its guarantee {least}", step.limit_fen)


def _twice(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def check_cap(tariff: Tariff, tax: Tax, cap: PriceCap) -> None:
    """Refuse a price that may exceed a guided one, compared by the same unit and on the cap's tax basis.

    Only a price by the unit or of a whole period can be compared; a minimum of a price by the unit would exceed every
    cap where little is used. Raises BadTerms naming the field.
    """
    check_comparable(tariff, cap)
    factor = tax_factor(tax, cap.basis)
    limit = Fraction(cap.fen, cap.size)
    if tariff.kind is TariffKind.FIXED:
        for field, amount in (("fixed_fen", tariff.fixed_fen), ("minimum_fen", tariff.minimum_fen or 0)):
            _require(amount * factor <= limit, f"tariff.{field}", f"≤ {limit} fen on the cap's tax basis", amount)
        return
    _require(not tariff.minimum_fen, "tariff.minimum_fen", "none under a guided price", tariff.minimum_fen)
    _require(tariff.block in (1, cap.size), "tariff.block", f"1 or the cap's {cap.size}", tariff.block)
    for number, tier in enumerate(tariff.tiers):
        price = Fraction(tier.numerator, tier.divisor * tariff.block) * factor
        expected = f"≤ {limit} fen per {cap.unit} on the cap's tax basis"
        _require(price <= limit, f"tariff.tiers[{number}]", expected, str(price))


def check_comparable(tariff: Tariff, cap: PriceCap) -> None:
    """Refuse a guided price that this kind of tariff cannot be compared with. Raises BadTerms naming the field."""
    kind = tariff.kind
    comparable = kind in BY_QUANTITY or kind is TariffKind.FIXED
    _require(comparable, "tariff.kind", "a price by the unit or the period under a guided price", str(kind))
    _require(tariff.unit == cap.unit, "cap.unit", tariff.unit, cap.unit)


def tax_factor(tax: Tax, basis: TaxBasis) -> Fraction:
    """What an amount on the tariff's tax basis is multiplied by to stand on another."""
    if tax.basis is basis:
        return Fraction(1)
    factor = Fraction(10_000 + tax.bp, 10_000)
    return factor if basis is TaxBasis.INCLUSIVE else 1 / factor


def exact(text: str, field: str) -> Fraction:
    """A decimal ≥ 0 in its text as a fraction, never rounded. Raises BadTerms on any other text."""
    if _EXACT.fullmatch(text) is None:
        raise BadTerms(field, "a decimal ≥ 0 with at most 50 places", text)
    return Fraction(text)


def check_terms(terms: Terms) -> None:
    """Refuse terms that could not be settled. Raises BadTerms naming the field."""
    check_tariff(terms.tariff)
    if terms.cap is not None:
        check_cap(terms.tariff, terms.tax, terms.cap)
    check_plan(terms.plan)
    parties = {holder.party for holder in terms.plan.holders}
    expected = "multilateral：其他方式尚不办理 / other modes are not offered yet"
    _require(terms.netting is NettingMode.MULTILATERAL, "netting", expected, terms.netting)
    _require(terms.currency == CURRENCY, "currency", CURRENCY, terms.currency)
    _require(0 <= terms.tax.bp <= 10_000, "tax.bp", "0 to 10000", terms.tax.bp)
    _require(terms.invoice_issuer in parties, "invoice_issuer", "a party of plan.holders", terms.invoice_issuer)
    _require(terms.buyer not in parties, "buyer", "not a party of plan.holders", terms.buyer)
    if terms.non_tax is not None:
        _check_non_tax(terms, terms.non_tax)


def _check_non_tax(terms: Terms, non_tax: NonTax) -> None:
    """No VAT, nothing divided among payees, and nobody pays itself (收缴分离)."""
    _require(terms.tax.bp == 0, "tax.bp", "0（非税收入不分税 / non-tax revenue has no VAT）", terms.tax.bp)
    holders = [holder.party for holder in terms.plan.holders]
    expected = f"{non_tax.treasury}（全额缴入财政，不作收益分配 / all of it is the treasury's）"
    _require(holders == [non_tax.treasury], "plan.holders", expected, holders)
    three = {non_tax.authority, non_tax.treasury, terms.buyer}
    expected = "执收单位、财政、付款方各不相同 / authority, treasury and buyer differ"
    _require(len(three) == 3, "non_tax.treasury", expected, non_tax.treasury)
    expected = "付款方以外的开票单位 / an issuer other than the buyer"
    _require(non_tax.issuer != terms.buyer, "non_tax.issuer", expected, non_tax.issuer)


def _require(holds: bool, field: str, expected: str, given: object) -> None:
    if not holds:
        raise BadTerms(field, expected, given)
