"""试算: a case from a document, computed by the same stages, with no database and nothing written.

Each function takes the parsed document and returns a plain dict; a wrong document raises the ledger's FieldError or a
ClearingError naming the field. Formats are those of the dataclasses below; amounts are integer fen.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, TypeVar

import msgspec

from clearing import money
from clearing.errors import BadTerms
from clearing.settlement import journal, netting, rating, sharing, weighing
from clearing.settlement.inputs import Inputs
from clearing.settlement.netting import default, gridlock
from clearing.settlement.rating import Charge
from clearing.settlement.sharing import Entitled
from clearing.settlement.statement import Item, Obligation, obligations_of
from clearing.settlement.weighing import Coalition, Contributed, Derived, Sampling
from clearing.terms import (
    MAX_FEN,
    AgreementTerms,
    Fen,
    NettingMode,
    Period,
    Quantity,
    SharingPlan,
    StepKind,
    Terms,
    check_plan,
    check_terms,
)
from clearing.usage.metering import MeterReading
from ledger.reading import body_of, read

K = TypeVar("K")
V = TypeVar("V")
Coalitions = Annotated[tuple[Coalition, ...], msgspec.Meta(min_length=1, max_length=100_000)]
Amount = Annotated[int, msgspec.Meta(ge=-MAX_FEN, le=MAX_FEN)]


@dataclass(frozen=True, slots=True)
class SplitCase:
    """`{"plan": SharingPlan, "payments": [fen, …]}`; payments < 0 are refunds. Net of tax.

    A contribution step takes `contributed`, one list per payment; a Shapley step takes `coalitions`, above 12 parties
    with `sampling`.
    """

    plan: SharingPlan
    payments: Annotated[tuple[Amount, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    contributed: Annotated[tuple[tuple[Contributed, ...], ...], msgspec.Meta(max_length=10_000)] | None = None
    coalitions: Coalitions | None = None
    sampling: Sampling | None = None


def trial_split(document: Any) -> dict[str, Any]:
    """Divide payments one after another in one rounding lineage.

    Returns `{"payments": [{"amount", "shares": {party: fen}}], "totals": {party: {"paid", "exact", "carry"}}, "sum"}`;
    a row names its derived `weights`, and `shortfalls` are what guarantors would owe after the last payment.
    """
    case = read(SplitCase, document, "split")
    check_plan(case.plan)
    derived = case.plan.derived is not None
    if case.contributed is not None and len(case.contributed) != len(case.payments):
        raise BadTerms("contributed", f"a list for each of {len(case.payments)} payments", len(case.contributed))
    lineage = sharing.lineage_of("trial", case.plan, "CNY")
    paid = dict.fromkeys((holder.party for holder in case.plan.holders), 0)
    exact = dict.fromkeys(paid, Fraction(0))
    total, entitled, rows = 0, dict[str, Fraction](), []
    for number, payment in enumerate(case.payments):
        contributed = case.contributed[number] if case.contributed is not None else None
        weights = _weights(case.plan, lineage, contributed, case.coalitions, case.sampling)
        shares = sharing.share(
            "trial", _payment(payment), case.plan, total, weights=weights, entitled=entitled if derived else None
        )
        total, entitled = shares.after, sharing.entitled_after(shares)
        for line in shares.shares:
            paid[line.party] += line.amount
            exact[line.party] += Fraction(line.entitlement)
        row: dict[str, Any] = {"amount": payment, "shares": {line.party: line.amount for line in shares.shares}}
        rows.append(row | ({"weights": body_of(weights)} if weights else {}))
    totals = {
        party: {"paid": paid[party], "exact": str(exact[party]), "carry": str(exact[party] - paid[party])}
        for party in sorted(exact)
    }
    missing = body_of(list(sharing.shortfalls(case.plan, paid)))
    return {"payments": rows, "totals": totals, "sum": total} | ({"shortfalls": missing} if missing else {})


def _weights(
    plan: SharingPlan,
    lineage: str,
    contributed: tuple[Contributed, ...] | None,
    coalitions: tuple[Coalition, ...] | None,
    sampling: Sampling | None,
) -> Derived | None:
    """The weights of one period; None where the plan agrees on them, or where nothing was given."""
    step = plan.derived
    kind = step.kind if step else None
    if contributed is not None and kind is not StepKind.CONTRIBUTION:
        raise BadTerms("contributed", "none without a contribution step", len(contributed))
    if (coalitions is not None or sampling is not None) and kind is not StepKind.SHAPLEY:
        raise BadTerms("coalitions", "none without a shapley step", len(coalitions or ()))
    if step is not None and contributed is not None:
        return weighing.contribution(step, contributed, lineage)
    if step is not None and coalitions is not None:
        return weighing.shapley(step, coalitions, lineage, sampling)
    return None


def _payment(net: int) -> Charge:
    """A payment as a charge without tax."""
    return Charge(
        reading="trial",
        agreement="trial",
        revision=0,
        period="trial",
        buyer="trial",
        invoice_issuer="trial",
        currency="CNY",
        tariff_version=1,
        unit="trial",
        quantity=0,
        lines=(),
        bound="",
        exact=str(net),
        rounding="half-up-once",
        gross=net,
        net=net,
        tax=0,
        tax_bp=0,
    )


Money = Annotated[int, msgspec.Meta(ge=0, le=MAX_FEN)]
QUEUE = 5_000
"""Obligations that may wait for limits in one trial."""


@dataclass(frozen=True, slots=True)
class Debt:
    """One obligation of a netting case. `id`, `due` (seconds UTC) and `divisible` matter where limits choose."""

    debtor: str
    creditor: str
    amount: Annotated[int, msgspec.Meta(ge=1, le=MAX_FEN)]
    id: str = ""
    due: Annotated[int, msgspec.Meta(ge=0)] = 0
    divisible: bool = False


@dataclass(frozen=True, slots=True)
class PartyLimit:
    """What a party has available and its net debit cap, fen. Who has no entry is not limited."""

    party: str
    funds: Money = 0
    cap: Money = 0


@dataclass(frozen=True, slots=True)
class PairLimit:
    """The most that may go through from `debtor` to `creditor`, fen."""

    debtor: str
    creditor: str
    limit: Money


@dataclass(frozen=True, slots=True)
class Paid:
    """What a party paid in for the run, fen."""

    party: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind a party, fen: collateral, advance, and its guarantor up to `guarantee`."""

    party: str
    collateral: Money = 0
    advance: Money = 0
    guarantor: str = ""
    guarantee: Money = 0


@dataclass(frozen=True, slots=True)
class NettingCase:
    """`{"obligations": [{"debtor", "creditor", "amount"}, …]}`; several between the same pair are added up.

    `mode` and, for a clearing house, `house`. `limits` and `pairs` choose what goes through, the rest waits. With
    `funded` the money is in: who paid less than its position is a defaulter, and `covers` stand behind it.
    """

    obligations: Annotated[tuple[Debt, ...], msgspec.Meta(min_length=1, max_length=100_000)]
    mode: NettingMode = NettingMode.MULTILATERAL
    house: str = ""
    limits: tuple[PartyLimit, ...] = ()
    pairs: tuple[PairLimit, ...] = ()
    funded: tuple[Paid, ...] | None = None
    covers: tuple[Backing, ...] = ()


def trial_netting(document: Any) -> dict[str, Any]:
    """Net obligations multilaterally and check the result with the separate checker.

    Returns gross, bilateral and minimum funding, positions, transfers, and `efficiency` = 1 − F/G as an exact fraction.
    With limits also `queue`: what passed, what waits and why, value, bound and prices. In another mode also `payments`.
    With `funded` also `default`: who bears what, and the run over the rest.
    """
    case = read(NettingCase, document, "netting")
    queue = None
    debts = case.obligations
    if case.limits or case.pairs:
        debts, queue = _queued(case)
    obligations = _summed(debts)
    result = _netted(obligations)
    if case.mode is not NettingMode.MULTILATERAL:
        payments = netting.payments_of(obligations, case.mode, case.house)
        result |= {"mode": case.mode.value, "payments": body_of(payments)}
    if queue is not None:
        result["queue"] = body_of(queue) | {"prices": dict(queue.prices)}
    if case.funded is not None:
        result["default"] = body_of(default.resolve(obligations, _funded(case.funded), _covers(case.covers)))
    return result


def _queued(case: NettingCase) -> tuple[tuple[Debt, ...], gridlock.Outcome]:
    if len(case.obligations) > QUEUE:
        raise BadTerms("obligations", f"at most {QUEUE} where limits choose", len(case.obligations))
    queue = [
        gridlock.Queued(debt.id or f"{number:04d}", debt.debtor, debt.creditor, debt.amount, debt.due, debt.divisible)
        for number, debt in enumerate(case.obligations, 1)
    ]
    limits = gridlock.Limits(
        _once("limits", [(entry.party, entry.funds + entry.cap) for entry in case.limits]),
        _once("pairs", [((entry.debtor, entry.creditor), entry.limit) for entry in case.pairs]),
    )
    outcome = gridlock.choose(queue, limits)
    gridlock.check_choice(queue, limits, outcome)
    amounts = {entry.id: entry.amount for entry in outcome.passed}
    passed = tuple(Debt(item.debtor, item.creditor, amounts[item.id]) for item in queue if item.id in amounts)
    return passed, outcome


def _funded(given: tuple[Paid, ...]) -> dict[str, int]:
    return _once("funded", [(entry.party, entry.amount) for entry in given])


def _covers(given: tuple[Backing, ...]) -> dict[str, default.Cover]:
    covers = []
    for entry in given:
        guarantee = default.Guarantee(entry.guarantor, entry.guarantee) if entry.guarantor else None
        covers.append((entry.party, default.Cover(entry.collateral, entry.advance, guarantee)))
    return _once("covers", covers)


def _once(field: str, pairs: list[tuple[K, V]]) -> dict[K, V]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadTerms(field, "each once", [str(key) for key, _ in pairs])
    return found


def _summed(debts: tuple[Debt, ...]) -> tuple[Obligation, ...]:
    totals: dict[tuple[str, str], int] = {}
    for debt in debts:
        pair = (debt.debtor, debt.creditor)
        totals[pair] = money.fen(totals.get(pair, 0) + debt.amount, "obligations.amount")
    return tuple(Obligation(*pair, totals[pair], (Item("trial", "trial", totals[pair]),)) for pair in sorted(totals))


def _netted(obligations: tuple[Obligation, ...]) -> dict[str, Any]:
    certificate = netting.net(obligations)
    netting.check_certificate(obligations, certificate)
    result: dict[str, Any] = body_of(certificate)
    result["efficiency"] = money.efficiency(certificate.minimum, certificate.gross)
    return result


@dataclass(frozen=True, slots=True)
class Usage:
    """What one agreement used in the period, and its terms. `free` marks 公共治理 or 公益事业.

    `inputs` are what the tariff asks for besides; `contributed` or `coalitions` with `sampling` what the plan asks for,
    with what its holders were `entitled` to before where `earned_before` is not 0.
    """

    agreement: str
    terms: Terms
    quantity: Quantity
    earned_before: Fen = 0
    free: bool = False
    inputs: Inputs | None = None
    contributed: tuple[Contributed, ...] | None = None
    coalitions: Coalitions | None = None
    sampling: Sampling | None = None
    entitled: tuple[Entitled, ...] | None = None


@dataclass(frozen=True, slots=True)
class SettlementCase:
    """`{"period": "2026-03", "agreements": [Usage, …]}`: metered quantities in, charges, shares and netting out.

    `earned_before` is the cumulative net revenue of the plan version before this period, fen.
    """

    period: str
    agreements: Annotated[tuple[Usage, ...], msgspec.Meta(min_length=1, max_length=1_000)]


def trial_settlement(document: Any) -> dict[str, Any]:
    """Rate, share, post and net one period. Tax counts as invoiced.

    Returns `{"charges", "shares", "trial_balance", "netting"}`; `netting` is absent when nobody owes anything.
    """
    case = read(SettlementCase, document, "settlement")
    names = [usage.agreement for usage in case.agreements]
    if len(set(names)) != len(names):
        raise BadTerms("agreements", "each agreement once", names)
    transactions: list[journal.Transaction] = []
    charges, shares = [], []
    for usage in case.agreements:
        check_terms(usage.terms)
        item = AgreementTerms(usage.agreement, 0, usage.terms, usage.free)
        reading = _reading(item, case.period, usage.quantity)
        charge = rating.rate("trial", reading, usage.terms, free=usage.free, inputs=usage.inputs)
        plan = usage.terms.plan
        lineage = sharing.lineage_of(usage.agreement, plan, usage.terms.currency)
        divided = sharing.share(
            usage.agreement,
            charge,
            plan,
            usage.earned_before,
            weights=_weights(plan, lineage, usage.contributed, usage.coalitions, usage.sampling),
            entitled=None if usage.entitled is None else {one.party: Fraction(one.exact) for one in usage.entitled},
        )
        transactions += [
            journal.charged(usage.agreement, charge, 0),
            journal.shared(usage.agreement, divided, 0),
            journal.invoiced(
                usage.agreement, charge.invoice_issuer, usage.agreement, case.period, charge.tax, charge.currency, 0
            ),
        ]
        charges.append(body_of(charge))
        shares.append(body_of(divided))
    balance = journal.balances(transactions)
    buyers = {usage.agreement: usage.terms.buyer for usage in case.agreements}
    obligations = obligations_of(balance, buyers)
    result: dict[str, Any] = {
        "charges": charges,
        "shares": shares,
        "trial_balance": {str(kind): amount for kind, amount in journal.trial_balance(balance).items()},
    }
    if obligations:
        result["netting"] = _netted(obligations)
    return result


def _reading(item: AgreementTerms, period: str, quantity: int) -> MeterReading:
    window = Period(period, 0, 1)
    return MeterReading(
        agreement=item.agreement,
        revision=item.revision,
        period=window.name,
        start=window.start,
        end=window.end,
        basis=item.terms.period.basis,
        unit=item.terms.tariff.unit,
        quantity=quantity,
        counted=0,
        excluded=(),
        batches=(),
        high_water=0,
    )
