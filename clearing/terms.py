"""What an agreement copies into itself: tariff, tax, sharing plan and period rules, as values (D32).

Amounts are integer fen, prices are an integer numerator of fen per integer divisor of units, weights are integers
that add up to 10^9. Nothing here computes a price: `settlement.rating` and `settlement.sharing` do. `check_terms`
refuses at signing what could not be settled later. Source: domain clearing §2.5, §3, §4; D32, D33.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated

import msgspec

from clearing.errors import BadTerms

MAX_FEN = 10**15 - 1
WHOLE = 10**9  # the sum of the weights of one ratio step
CURRENCY = "CNY"
SHANGHAI = timezone(timedelta(hours=8))  # no daylight saving since 1991
DAY = 86_400
LATEST = 366 * DAY  # the longest late limit that can be signed

Fen = Annotated[int, msgspec.Meta(ge=0, le=MAX_FEN)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
Short = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Address = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
"""A secp256k1 address in its one writing: lower case, since an EIP-712 signature does not cover the case."""


class TariffKind(StrEnum):
    """固定价 · 按量 · 分段累进 · 全量阶梯 · 订阅含量."""

    FIXED = "fixed"
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    SUBSCRIPTION = "subscription"


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
    """Whose record is billed (§5.4): both reconciled, or one side's alone, which must be agreed to."""

    BOTH = "BOTH"
    PROVIDER = "PROVIDER"
    CONSUMER = "CONSUMER"


class ShareBase(StrEnum):
    """The amount the first plan step starts from; tax never takes part."""

    NET = "net"


class StepKind(StrEnum):
    """成本补偿 · 比例 · 封顶."""

    COST_RECOVERY = "cost_recovery"
    RATIO = "ratio"
    CAP = "cap"


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
class Tariff:
    """One price rule. Which fields count depends on `kind`; `check_tariff` refuses the others.

    - fixed: `fixed_fen` per period
    - per_unit: one tier starting at 0, charged on ceil(quantity / block) blocks
    - graduated: every slice of the quantity at its own tier's price
    - volume: the whole quantity at the price of the tier it ends in
    - subscription: `fixed_fen`, then the tiers (graduated) on what exceeds `allowance`
    `minimum_fen` 保底 and `maximum_fen` 封顶 hold per agreement and period, on the tariff's own tax basis.
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


@dataclass(frozen=True, slots=True)
class Tax:
    """VAT: whether the tariff's numbers contain it, and the rate in basis points (600 = 6 %)."""

    basis: TaxBasis
    bp: Annotated[int, msgspec.Meta(ge=0, le=10_000)]


@dataclass(frozen=True, slots=True)
class Weight:
    """One party's agreed proportion in a ratio step, of 10^9."""

    party: Short
    weight: Annotated[int, msgspec.Meta(ge=0, le=WHOLE)]


@dataclass(frozen=True, slots=True)
class Holder:
    """A party of the plan and the role it is paid for (持有方 holder, 加工方 processor, 经营方 operator, 平台 …)."""

    party: Short
    role: Short


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan, evaluated on the cumulative revenue of the plan version.

    - cost_recovery: `party` takes up to `limit_fen` in all, before what follows
    - ratio: what is left is divided by `weights` (sum 10^9); always takes everything, so it comes once
    - cap: `party` keeps at most `limit_fen` in all, the excess goes to `overflow`; stands after the ratio step
    """

    kind: StepKind
    party: Short | None = None
    limit_fen: Fen | None = None
    weights: tuple[Weight, ...] = ()
    overflow: Short | None = None


@dataclass(frozen=True, slots=True)
class SharingPlan:
    """Who gets what of each charge. One version is one rounding lineage (D33).

    `residual` takes what is left when no ratio step follows cost recovery; `effective` is seconds UTC: the version
    serves periods that start at or after it.
    """

    version: Positive
    effective: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    holders: tuple[Holder, ...]
    steps: tuple[Step, ...]
    residual: Short
    base: ShareBase = ShareBase.NET


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


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything settlement needs of one agreement version, copied and signed: no later stage looks further back.

    `buyer` pays; `invoice_issuer` receives the tax once its invoice is recorded and is one of the plan's holders.
    Without a `tolerance` the two sides' records agree only when they are equal.
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


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """One agreement revision as settlement takes it over: its name, revision and signed terms.

    `free` marks a use for 公共治理 or 公益事业: metered and stated, price 0. `billing` says whose records are counted;
    `limit` is the number of units the use policy allows in all (None: no limit): what exceeds it is not billed.
    """

    agreement: str
    revision: int
    terms: Terms
    free: bool = False
    billing: BillingBasis = BillingBasis.PROVIDER
    limit: int | None = None


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


def check_tariff(tariff: Tariff) -> None:
    """Refuse a tariff that has no price, two prices or an impossible bound. Raises BadTerms naming the field."""
    tiered = tariff.kind is not TariffKind.FIXED
    _require(bool(tariff.tiers) == tiered, "tariff.tiers", "tiers for every kind but fixed", len(tariff.tiers))
    if tiered:
        _check_tiers(tariff.tiers)
    _require(
        tariff.kind is not TariffKind.PER_UNIT or len(tariff.tiers) == 1,
        "tariff.tiers",
        "one tier for per_unit",
        len(tariff.tiers),
    )
    has_fixed = tariff.kind in (TariffKind.FIXED, TariffKind.SUBSCRIPTION)
    _require(has_fixed or tariff.fixed_fen == 0, "tariff.fixed_fen", f"0 for {tariff.kind}", tariff.fixed_fen)
    _require(0 <= tariff.fixed_fen <= MAX_FEN, "tariff.fixed_fen", f"0 to {MAX_FEN}", tariff.fixed_fen)
    _require(
        tariff.kind is TariffKind.SUBSCRIPTION or tariff.allowance == 0,
        "tariff.allowance",
        f"0 for {tariff.kind}",
        tariff.allowance,
    )
    _require(tariff.allowance >= 0, "tariff.allowance", "≥ 0", tariff.allowance)
    _require(tariff.block >= 1, "tariff.block", "≥ 1", tariff.block)
    _require(
        tariff.block == 1 or tariff.kind is TariffKind.PER_UNIT, "tariff.block", f"1 for {tariff.kind}", tariff.block
    )
    for field, amount in (("minimum_fen", tariff.minimum_fen), ("maximum_fen", tariff.maximum_fen)):
        _require(amount is None or 0 <= amount <= MAX_FEN, f"tariff.{field}", f"0 to {MAX_FEN}", amount)
    if tariff.minimum_fen is not None and tariff.maximum_fen is not None:
        _require(
            tariff.minimum_fen <= tariff.maximum_fen,
            "tariff.minimum_fen",
            f"≤ maximum {tariff.maximum_fen}",
            tariff.minimum_fen,
        )


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


def check_plan(plan: SharingPlan) -> None:
    """Refuse a plan that does not give away exactly what comes in. Raises BadTerms naming the field.

    Order of steps: cost recovery (any number), at most one ratio, caps (any number, one per party, no overflow into a
    capped party).
    """
    parties = [holder.party for holder in plan.holders]
    _require(bool(parties), "plan.holders", "at least one party", 0)
    _require(len(set(parties)) == len(parties), "plan.holders", "each party once", parties)
    _require(plan.version >= 1, "plan.version", "≥ 1", plan.version)
    known = set(parties)
    _require(plan.residual in known, "plan.residual", "a party of plan.holders", plan.residual)
    _require(bool(plan.steps), "plan.steps", "at least one step", 0)
    order = [StepKind.COST_RECOVERY, StepKind.RATIO, StepKind.CAP]
    ranks = [order.index(step.kind) for step in plan.steps]
    _require(
        ranks == sorted(ranks),
        "plan.steps",
        "cost_recovery, then ratio, then cap",
        [str(step.kind) for step in plan.steps],
    )
    _require(ranks.count(1) <= 1, "plan.steps", "at most one ratio step", ranks.count(1))
    for number, step in enumerate(plan.steps):
        _check_step(f"plan.steps[{number}]", step, known)
    capped = [step.party for step in plan.steps if step.kind is StepKind.CAP]
    _require(len(set(capped)) == len(capped), "plan.steps", "one cap per party", capped)
    for step in plan.steps:
        _require(
            step.kind is not StepKind.CAP or step.overflow not in capped,
            "plan.steps.overflow",
            "a party without a cap",
            step.overflow,
        )


def _check_step(field: str, step: Step, known: set[str]) -> None:
    if step.kind is StepKind.RATIO:
        named = [weight.party for weight in step.weights]
        _require(len(set(named)) == len(named), f"{field}.weights", "each party once", named)
        for weight in step.weights:
            _require(weight.party in known, f"{field}.weights.party", "a party of plan.holders", weight.party)
            _require(0 <= weight.weight <= WHOLE, f"{field}.weights.weight", f"0 to {WHOLE}", weight.weight)
        total = sum(weight.weight for weight in step.weights)
        _require(total == WHOLE, f"{field}.weights", f"a sum of {WHOLE}", total)
        unused = step.party is None and step.limit_fen is None and step.overflow is None
        _require(unused, field, "no party, limit_fen or overflow in a ratio step", step.party)
        return
    _require(step.party in known, f"{field}.party", "a party of plan.holders", step.party)
    _require(
        step.limit_fen is not None and 0 <= step.limit_fen <= MAX_FEN,
        f"{field}.limit_fen",
        f"0 to {MAX_FEN}",
        step.limit_fen,
    )
    _require(not step.weights, f"{field}.weights", f"none in a {step.kind} step", len(step.weights))
    if step.kind is StepKind.CAP:
        _require(
            step.overflow in known and step.overflow != step.party,
            f"{field}.overflow",
            "another party of plan.holders",
            step.overflow,
        )
    else:
        _require(step.overflow is None, f"{field}.overflow", f"none in a {step.kind} step", step.overflow)


def check_terms(terms: Terms) -> None:
    """Refuse terms that could not be settled. Raises BadTerms naming the field."""
    check_tariff(terms.tariff)
    check_plan(terms.plan)
    parties = {holder.party for holder in terms.plan.holders}
    expected = "multilateral：其他方式尚不办理 / other modes are not offered yet"
    _require(terms.netting is NettingMode.MULTILATERAL, "netting", expected, terms.netting)
    _require(terms.currency == CURRENCY, "currency", CURRENCY, terms.currency)
    _require(0 <= terms.tax.bp <= 10_000, "tax.bp", "0 to 10000", terms.tax.bp)
    _require(terms.invoice_issuer in parties, "invoice_issuer", "a party of plan.holders", terms.invoice_issuer)
    _require(terms.buyer not in parties, "buyer", "not a party of plan.holders", terms.buyer)


def _require(holds: bool, field: str, expected: str, given: object) -> None:
    if not holds:
        raise BadTerms(field, expected, given)
