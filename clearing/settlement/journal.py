"""Double entry between the parties of the market: a transaction that does not balance cannot exist.

Debit is positive, credit negative, in integer fen. An account is kind:party:agreement:period; after netting the last
two are `net` and the cycle's period. The functions below turn one event each into one transaction; nothing else posts.
Source: domain clearing §7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from clearing import money
from clearing.errors import Unbalanced
from clearing.settlement.guarantee import GuaranteeCall
from clearing.settlement.hold import Hold
from clearing.settlement.rating import Charge
from clearing.settlement.sharing import Shares
from clearing.terms import CURRENCY

NET = "net"
NON_TAX = "non-tax"
"""Where an agreement stands in other accounts: of 非税收入, kept apart by what was assessed (`period` is its id)."""
ORDER = "order/"
"""Begins what stands in the place of the agreement in accounts of service orders: the contract follows, for 代列费用
a stroke and the fee too; `period` is the 项目周期."""
ORDER_EVENT = "order-"
RECOURSE = "recourse/"
"""Begins what stands in the place of the agreement where a guarantor has paid for a party: the other of the two
follows; `period` is the cycle's."""


class Kind(StrEnum):
    """Chart of accounts: debit balances RCV, RCVD, ADVP, PEN, BNK; credit balances the others. NTX is a debit while a
    refund that the treasury owes is not paid."""

    RCV = "RCV"  # 应收款: a buyer owes
    RCVD = "RCVD"  # 争议应收: the part of it that is disputed
    REV = "REV"  # 待分配收入: net charge not yet shared, 0 after rating
    TAX = "TAX"  # 税额: until the invoice is recorded
    PAY = "PAY"  # 应付分配款: owed to a payee
    HOLD = "HOLD"  # 冻结应付: the part of it that is disputed
    NTX = "NTX"  # 应缴非税收入: due to the treasury
    PASS = "PASS"  # 代列费用: put in for somebody else's fee, not spent yet
    ADV = "ADV"  # 预付款: a buyer's unused advance
    ADVP = "ADVP"  # 预付款(已付至收款方): the same money, already with the payee
    PEN = "PEN"  # 应收违约金: damages due from a provider
    REF = "REF"  # 应退款: a refund due to who paid
    TRN = "TRN"  # 在途付款: instructed, not yet booked
    SUS = "SUS"  # 待查到账: money not matched
    BNK = "BNK"  # 银行镜像: mirror of the supervised account, moved by bank files only


PARTY_KINDS = frozenset(
    {Kind.RCV, Kind.RCVD, Kind.PAY, Kind.HOLD}
)  # what a party owes and is owed: its statement is made of these, unless `Account.apart`


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """`party` is the 统一社会信用代码; for BNK and opening SUS the bank account, for TRN the payee. What a guarantor
    owes has its claim in the place of the `agreement` (`guarantee.claim_of`)."""

    kind: Kind
    party: str
    agreement: str = ""
    period: str = ""

    @property
    def name(self) -> str:
        return ":".join((self.kind, self.party, self.agreement, self.period))

    @property
    def non_tax(self) -> bool:
        """Is this 非税收入? It is paid gross to the treasury."""
        return self.agreement == NON_TAX

    @property
    def ordered(self) -> bool:
        """Is this of service orders? They are settled by 项目周期 and paid directly."""
        return self.agreement.startswith(ORDER)

    @property
    def apart(self) -> bool:
        """Is it kept out of the monthly cycle: in no statement, no obligation and no netting?"""
        return self.non_tax or self.ordered or self.agreement.startswith(RECOURSE)

    @property
    def stated(self) -> bool:
        """Does the party's 清分账单 show it?"""
        return self.kind in PARTY_KINDS and not self.apart


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of a transaction: debit > 0, credit < 0, fen."""

    account: Account
    amount: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one event changed. Identity is (event, event_id); postings sum to 0 or construction raises Unbalanced.

    `at` is when it was posted, `value_date` when it takes effect, both seconds UTC.
    """

    event: str
    event_id: str
    at: int
    value_date: int
    currency: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        difference = sum(money.fen(posting.amount, "posting") for posting in self.postings)
        if difference:
            raise Unbalanced(self.currency, difference)

    def mirror(self, event_id: str, at: int) -> Transaction:
        """The exact reversal, as a new transaction: the only correction there is."""
        postings = tuple(Posting(posting.account, -posting.amount) for posting in self.postings)
        return Transaction(f"reversal-{self.event}", event_id, at, at, self.currency, postings)


def _transaction(event: str, event_id: str, at: int, currency: str, legs: Iterable[tuple[Account, int]]) -> Transaction:
    postings = tuple(Posting(account, amount) for account, amount in legs if amount)
    return Transaction(event, event_id, at, at, currency, postings)


def charged(charge_id: str, charge: Charge, at: int) -> Transaction:
    """Charge: the buyer owes gross, of which net awaits division and tax awaits its invoice."""
    key = (charge.agreement, charge.period)
    return _transaction(
        "charge",
        charge_id,
        at,
        charge.currency,
        [
            (Account(Kind.RCV, charge.buyer, *key), charge.gross),
            (Account(Kind.REV, charge.agreement, *key), -charge.net),
            (Account(Kind.TAX, charge.invoice_issuer, *key), -charge.tax),
        ],
    )


def shared(shares_id: str, shares: Shares, at: int) -> Transaction:
    """Share: net revenue becomes what each holder is owed."""
    key = (shares.agreement, shares.period)
    legs = [(Account(Kind.REV, shares.agreement, *key), shares.after - shares.before)]
    legs += [(Account(Kind.PAY, line.party, *key), -line.amount) for line in shares.shares]
    return _transaction("share", shares_id, at, shares.currency, legs)


def guaranteed(call_id: str, call: GuaranteeCall, at: int) -> Transaction:
    """Guarantee: the guarantor owes what the plan version has not given, or is owed back what was called too much. It
    is no supply of the buyer's agreement, so no tax is in it."""
    key = (call.claim, call.period)
    return _transaction(
        "guarantee",
        call_id,
        at,
        call.currency,
        [
            (Account(Kind.RCV, call.guarantor, *key), call.amount),
            (Account(Kind.PAY, call.party, *key), -call.amount),
        ],
    )


def invoiced(
    invoice_id: str, issuer: str, agreement: str, period: str, tax: int, currency: str, at: int
) -> Transaction:
    """Invoice recorded: the tax is owed to its issuer."""
    return _transaction(
        "tax",
        invoice_id,
        at,
        currency,
        [
            (Account(Kind.TAX, issuer, agreement, period), tax),
            (Account(Kind.PAY, issuer, agreement, period), -tax),
        ],
    )


def held(hold_id: str, hold: Hold, currency: str, at: int) -> Transaction:
    """Dispute: the disputed part of what each payee is owed is frozen, and of what the buyer owes."""
    return _transaction("hold", hold_id, at, currency, _hold_legs(hold, 1))


def released(release_id: str, hold: Hold, currency: str, at: int) -> Transaction:
    """The dispute is over: what was frozen is owed again, to the fen."""
    return _transaction("release", release_id, at, currency, _hold_legs(hold, -1))


def _hold_legs(hold: Hold, sign: int) -> list[tuple[Account, int]]:
    key = (hold.agreement, hold.period)
    legs: list[tuple[Account, int]] = []
    for part in hold.parts:
        legs.append((Account(Kind.PAY, part.party, *key), sign * part.amount))
        legs.append((Account(Kind.HOLD, part.party, *key), -sign * part.amount))
    total = sign * sum(part.amount for part in hold.parts)
    return [*legs, (Account(Kind.RCVD, hold.buyer, *key), total), (Account(Kind.RCV, hold.buyer, *key), -total)]


@dataclass(frozen=True, slots=True)
class Netted:
    """One netted claim: the buyer's debt and the payee's claim of one agreement and period, fen ≠ 0."""

    debtor: str
    creditor: str
    agreement: str
    period: str
    amount: int


def netted(
    netting_id: str, period: str, items: Iterable[Netted], positions: Mapping[str, int], currency: str, at: int,
    funded: Mapping[str, int] | None = None,
) -> Transaction:  # fmt: skip
    """Netting: gross claims and debts are replaced by one net leg per party under `net:period`. `funded` is what
    parties had paid in under the run that this one replaces: it counts in their `positions`, and is owed to them no
    more."""
    legs: list[tuple[Account, int]] = []
    for item in items:
        legs.append((Account(Kind.PAY, item.creditor, item.agreement, item.period), item.amount))
        legs.append((Account(Kind.RCV, item.debtor, item.agreement, item.period), -item.amount))
    for party in sorted(positions):
        kind = Kind.PAY if positions[party] > 0 else Kind.RCV
        legs.append((Account(kind, party, NET, period), -positions[party]))
    for party, amount in (funded or {}).items():
        legs.append((Account(Kind.RCV, party, NET, period), amount))
    return _transaction("netting", netting_id, at, currency, legs)


def instructed(
    instructions_id: str, period: str, payouts: Iterable[tuple[str, int]], currency: str, at: int
) -> Transaction:
    """Payment out, first leg: what was owed is now on its way."""
    legs: list[tuple[Account, int]] = []
    for party, amount in payouts:
        legs.append((Account(Kind.PAY, party, NET, period), amount))
        legs.append((Account(Kind.TRN, party, NET, period), -amount))
    return _transaction("instruction", instructions_id, at, currency, legs)


class BankEffect(StrEnum):
    """What a bank entry does here."""

    RECEIPT = "receipt"  # a net payer funded its position
    OVER = "over"  # funded more than owed: the excess waits in suspense
    PAID = "paid"  # one of our instructions was booked
    RETURNED = "returned"  # 退汇: the money came back, the claim is open again
    UNKNOWN = "unknown"  # nothing matches: suspense, never income


@dataclass(frozen=True, slots=True)
class BankPosting:
    """A bank entry with what it was matched to. `amount` > 0 is money in; `applied` ≤ |amount| is what was matched."""

    effect: BankEffect
    amount: int
    applied: int
    party: str
    period: str


def banked(entry_id: str, account: str, entry: BankPosting, currency: str, at: int) -> Transaction:
    """One booked bank entry. BNK moves by exactly the entry; what does not match waits in SUS."""
    legs = [(Account(Kind.BNK, account), entry.amount)]
    if entry.effect in (BankEffect.RECEIPT, BankEffect.OVER):
        legs.append((Account(Kind.RCV, entry.party, NET, entry.period), -entry.applied))
        legs.append((Account(Kind.SUS, account), entry.applied - entry.amount))
    elif entry.effect is BankEffect.PAID:
        legs.append((Account(Kind.TRN, entry.party, NET, entry.period), -entry.amount))
    elif entry.effect is BankEffect.RETURNED:
        legs.append((Account(Kind.PAY, entry.party, NET, entry.period), -entry.amount))
    else:
        legs.append((Account(Kind.SUS, account), -entry.amount))
    return _transaction(f"bank-{entry.effect}", entry_id, at, currency, legs)


def recourse(
    entry_id: str, party: str, guarantor: str, period: str, amount: int, currency: str, at: int
) -> Transaction:
    """A guarantor's money was booked for a party: the party owes it to the guarantor from now on, and pays it directly.
    It is set off against nothing."""
    return _transaction("cover-recourse", entry_id, at, currency, _recourse(party, guarantor, period, amount))


def cover_returned(
    default_id: str, period: str, back: Iterable[tuple[str, str, int]], currency: str, at: int
) -> Transaction:
    """What guarantors had paid, over (party, guarantor, fen), and their parties did not need after a default: it counts
    for the guarantor, and the party owes it no more."""
    legs: list[tuple[Account, int]] = []
    for party, guarantor, amount in back:
        legs += [(Account(Kind.RCV, party, NET, period), amount), (Account(Kind.RCV, guarantor, NET, period), -amount)]
        legs += _recourse(party, guarantor, period, -amount)
    return _transaction("cover-returned", default_id, at, currency, legs)


def recourse_repaid(
    fact_id: str, party: str, guarantor: str, period: str, amount: int, currency: str, at: int
) -> Transaction:
    """A party has repaid its guarantor directly: what it owes it is less."""
    return _transaction("recourse-repaid", fact_id, at, currency, _recourse(party, guarantor, period, -amount))


def owes_guarantor(party: str, guarantor: str, period: str) -> Account:
    """What a party owes its guarantor for what that paid in a cycle."""
    return Account(Kind.RCV, party, f"{RECOURSE}{guarantor}", period)


def _recourse(party: str, guarantor: str, period: str, amount: int) -> list[tuple[Account, int]]:
    claim = Account(Kind.PAY, guarantor, f"{RECOURSE}{party}", period)
    return [(owes_guarantor(party, guarantor, period), amount), (claim, -amount)]


def recourse_of(balance: Mapping[Account, int], party: str, guarantor: str) -> int:
    """What a party owes its guarantor in all, over every cycle, fen."""
    name = f"{RECOURSE}{guarantor}"
    return sum(
        amount
        for account, amount in balance.items()
        if (account.kind, account.party, account.agreement) == (Kind.RCV, party, name)
    )


def recourses(balance: Mapping[Account, int]) -> dict[tuple[str, str, str], int]:
    """What parties owe their guarantors, fen, by (guarantor, party, period)."""
    return {
        (account.agreement.removeprefix(RECOURSE), account.party, account.period): amount
        for account, amount in balance.items()
        if account.kind is Kind.RCV and account.agreement.startswith(RECOURSE) and amount > 0
    }


def bank_opening(file_id: str, account: str, opening: int, currency: str, at: int) -> Transaction:
    """The balance an account already had when its first file came: money of unknown origin, so suspense."""
    legs = [(Account(Kind.BNK, account), opening), (Account(Kind.SUS, account, "opening"), -opening)]
    return _transaction("bank-opening", file_id, at, currency, legs)


def non_tax_assessed(due_id: str, due: str, payer: str, treasury: str, amount: int, at: int) -> Transaction:
    """应缴核定: the payer owes the whole amount, all of it is due to the treasury; no REV, no TAX, no PAY between.

    `due` is the id the accounts are kept apart by, `due_id` the fact. What is withdrawn is its mirror.
    """
    return _transaction("non-tax-assessed", due_id, at, CURRENCY, _non_tax(due, Kind.RCV, payer, treasury, amount))


def non_tax_paid(ticket_id: str, due: str, payer: str, treasury: str, amount: int, at: int) -> Transaction:
    """财政电子票据: what the payer paid to the treasury directly is owed no more. No bank mirror of ours moves."""
    return _transaction("non-tax-paid", ticket_id, at, CURRENCY, _non_tax(due, Kind.RCV, payer, treasury, -amount))


def non_tax_refund(refund_id: str, due: str, payer: str, treasury: str, amount: int, at: int) -> Transaction:
    """退付 decided: the treasury owes it back to who paid."""
    return _transaction("non-tax-refund", refund_id, at, CURRENCY, _non_tax(due, Kind.REF, payer, treasury, -amount))


def non_tax_refunded(paid_id: str, due: str, payer: str, treasury: str, amount: int, at: int) -> Transaction:
    """退付 booked: the treasury paid it back directly."""
    return _transaction("non-tax-refunded", paid_id, at, CURRENCY, _non_tax(due, Kind.REF, payer, treasury, amount))


def _non_tax(due: str, kind: Kind, payer: str, treasury: str, amount: int) -> list[tuple[Account, int]]:
    """The payer's account of this kind against the treasury's, both of this one `due`."""
    return [(Account(kind, payer, NON_TAX, due), amount), (Account(Kind.NTX, treasury, NON_TAX, due), -amount)]


@dataclass(frozen=True, slots=True)
class OrderCycle:
    """A 项目周期 of service orders under a contract, between whom, and the fact that moves it, `at` (seconds UTC)."""

    contract: str
    cycle: str
    buyer: str
    provider: str
    fact: str
    at: int

    def buyers(self, kind: Kind, fee: str = "") -> Account:
        """The buyer's account; of the sub-account of one `fee` with it."""
        return self._account(kind, self.buyer, fee)

    def providers(self, kind: Kind, fee: str = "") -> Account:
        """The provider's account; of the sub-account of one `fee` with it."""
        return self._account(kind, self.provider, fee)

    def _account(self, kind: Kind, party: str, fee: str) -> Account:
        return Account(kind, party, f"{ORDER}{self.contract}" + (f"/{fee}" if fee else ""), self.cycle)

    def transaction(self, event: str, legs: Iterable[tuple[Account, int]]) -> Transaction:
        return _transaction(f"{ORDER_EVENT}{event}", self.fact, self.at, CURRENCY, legs)


def order_advanced(of: OrderCycle, amount: int) -> Transaction:
    """Advances, paid to the provider directly: the buyer's until they are used up."""
    return of.transaction("advance", [(of.providers(Kind.ADVP), amount), (of.buyers(Kind.ADV), -amount)])


def order_carried(of: OrderCycle, before: OrderCycle, advance: int, penalty: int) -> Transaction:
    """What the 项目周期 `before` left over goes on in this one: advances not used up, and damages not offset."""
    legs = []
    for cycle, sign in ((of, 1), (before, -1)):
        legs += [(cycle.providers(Kind.ADVP), sign * advance), (cycle.buyers(Kind.ADV), -sign * advance)]
        legs += [(cycle.providers(Kind.PEN), sign * penalty), (cycle.buyers(Kind.PAY), -sign * penalty)]
    return of.transaction("carry", legs)


def order_charged(of: OrderCycle, amount: int) -> Transaction:
    """Settled fees: the buyer owes them to the one provider, so nothing waits to be shared. Prices include tax and the
    contract states none, so TAX does not move, nor does anything when the invoice comes."""
    return of.transaction("fees", [(of.buyers(Kind.RCV), amount), (of.providers(Kind.PAY), -amount)])


def order_damaged(of: OrderCycle, amount: int) -> Transaction:
    """Damages: the provider owes them to the buyer."""
    return of.transaction("damages", _damages(of, amount))


def order_forgiven(of: OrderCycle, amount: int) -> Transaction:
    """Damages above what was earned, where the contract counts a settlement below zero as zero: the mirror."""
    return of.transaction("forgiven", _damages(of, -amount))


def _damages(of: OrderCycle, amount: int) -> list[tuple[Account, int]]:
    return [(of.providers(Kind.PEN), amount), (of.buyers(Kind.PAY), -amount)]


def order_offset(of: OrderCycle, amount: int) -> Transaction:
    """Damages offset: what each owes the other is less by it."""
    owed = [(of.providers(Kind.PAY), amount), (of.buyers(Kind.PAY), amount)]
    return of.transaction("offset", [*owed, (of.providers(Kind.PEN), -amount), (of.buyers(Kind.RCV), -amount)])


def order_applied(of: OrderCycle, amount: int) -> Transaction:
    """Advances applied: fees are paid with money the provider has already."""
    used = [(of.buyers(Kind.ADV), amount), (of.providers(Kind.PAY), amount)]
    return of.transaction("applied", [*used, (of.buyers(Kind.RCV), -amount), (of.providers(Kind.ADVP), -amount)])


def order_paid(of: OrderCycle, amount: int) -> Transaction:
    """What was left to pay, paid to the provider directly: nobody owes it any more."""
    return of.transaction("paid", [(of.providers(Kind.PAY), amount), (of.buyers(Kind.RCV), -amount)])


def order_passed(of: OrderCycle, fees: Mapping[str, int]) -> Transaction:
    """Pass-through: what the buyer put in for each fee. It is part of 中标金额, so the provider has it like an advance,
    it is owed no more, and ADVP stands where RCV would."""
    return of.transaction("pass", _passed(of, fees, Kind.ADVP, Kind.PASS))


def order_pass_spent(of: OrderCycle, fees: Mapping[str, int]) -> Transaction:
    """Actual cost of each fee, which its document says is paid to the third party: nobody owes it any more."""
    return of.transaction("pass-cost", _passed(of, fees, Kind.PASS, Kind.ADVP))


def order_pass_left(of: OrderCycle, fees: Mapping[str, int]) -> Transaction:
    """The residue of each fee is due to the buyer."""
    return of.transaction("pass-residue", _passed(of, fees, Kind.PASS, Kind.REF))


def _passed(of: OrderCycle, fees: Mapping[str, int], debit: Kind, credit: Kind) -> list[tuple[Account, int]]:
    """Each fee by itself; ADVP is the provider's, the others are the buyer's."""
    legs = []
    for fee in sorted(fees):
        for kind, amount in ((debit, fees[fee]), (credit, -fees[fee])):
            legs.append((of.providers(kind, fee) if kind is Kind.ADVP else of.buyers(kind, fee), amount))
    return legs


def differences(expected: Iterable[Transaction], stored: Iterable[Transaction]) -> Iterator[str]:
    """Transactions that are missing, extra or other than they should be, each told with both."""
    wanted, found = ({(item.event, item.event_id): item for item in items} for items in (expected, stored))
    for event, name in sorted(wanted.keys() | found.keys()):
        one, other = wanted.get((event, name)), found.get((event, name))
        if one != other:
            yield f"journal {event} {name}: 应为 / expected {_told(one)}, 实为 / given {_told(other)}"[:900]


def _told(item: Transaction | None) -> str:
    if item is None:
        return "—"
    legs = " ".join(f"{leg.account.name} {leg.amount}" for leg in item.postings)
    return f"{item.at} {item.value_date} {item.currency} {legs}"


def balances(transactions: Iterable[Transaction], until: int | None = None) -> dict[Account, int]:
    """Balance of every account that is not zero, after all transactions posted up to `until` (seconds UTC)."""
    totals: defaultdict[Account, int] = defaultdict(int)
    for transaction in transactions:
        if until is None or transaction.at <= until:
            for posting in transaction.postings:
                totals[posting.account] += posting.amount
    return {account: total for account, total in sorted(totals.items()) if total}


def trial_balance(balance: Mapping[Account, int]) -> dict[Kind, int]:
    """Sum per account kind. Raises Unbalanced unless everything sums to 0."""
    totals: defaultdict[Kind, int] = defaultdict(int)
    for account, amount in balance.items():
        totals[account.kind] += amount
    difference = sum(totals.values())
    if difference:
        raise Unbalanced("CNY", difference)
    return {kind: totals[kind] for kind in Kind if totals[kind]}
