"""担保备付: a named guarantor stands behind what a party brings to its cycles, and is called when the party does not.

Guarantor and party both sign, for the party will owe what is paid for it. Their statement says on which days and how
much: the most that the party may owe the guarantor for such payments at any time, what is owed from before counted. One
guarantor a party: while a statement stands nobody else may stand, and a later one of the same two takes its place; 0
fen ends it. What stood when a cycle was
netted stands for that cycle, so it may not be changed until the cycle is funded.

Nothing else is a cover here. The platform holds no collateral, and the journal's advances (ADV) belong to a service
order and are with its provider already: to use them would be to pay with the provider's money. Source: domain clearing
§8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from clearing import money
from clearing.errors import BadTerms
from clearing.settlement.netting import Funded, default, net
from clearing.settlement.netting import limits as limiting
from clearing.settlement.netting.default import Cover, Default, Guarantee, Resolution
from clearing.settlement.netting.limits import Stood
from clearing.settlement.payment import BankAccount, Batch, Direction, Instruction, check_account
from clearing.settlement.statement import Item, Obligation
from clearing.settlement.stating import Month
from clearing.settlement.suspense import days_between
from clearing.terms import Fen, Short

FUNDING_GUARANTEE = "funding-guarantee/v1"
COVER_CALL = "cover-call/v1"
RECOURSE_REPAID = "recourse-repaid/v1"
Day = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]


@dataclass(frozen=True, slots=True)
class FundingGuarantee:
    """Body of funding-guarantee/v1, signed by both: in the operator's cycles that are netted from the day `first` to
    the day `last` the guarantor pays what `party` does not bring, until the party owes it `most` fen for it."""

    operator: Short
    guarantor: Short
    party: Short
    most: Fen
    first: Day
    last: Day


@dataclass(frozen=True, slots=True)
class Standing:
    """A guarantee with the fact that states it and the second UTC in which it was taken in."""

    fact: str
    at: int
    body: FundingGuarantee


@dataclass(frozen=True, slots=True)
class Asked:
    """`party` has not brought `missing` fen; its `guarantor` is asked for `amount` of it under the guarantee with this
    fact id."""

    party: str
    missing: int
    guarantor: str
    amount: int
    guarantee: str


@dataclass(frozen=True, slots=True)
class CoverCall:
    """Body of cover-call/v1, signed by maker and checker: to the `instructions` (fact id) that were not funded, what
    each guarantor is asked for, and until when, seconds UTC. The batch has one instruction for each of `asked` in
    order: what the party was to bring, from the account of its guarantor."""

    batch: Batch
    instructions: str
    asked: tuple[Asked, ...]
    until: int


@dataclass(frozen=True, slots=True)
class RecourseRepaid:
    """Body of recourse-repaid/v1, signed by the guarantor, against whom it speaks: of what it paid for `party` in the
    cycle of `period`, the party has repaid `amount` fen > 0 to it directly."""

    operator: Short
    guarantor: Short
    party: Short
    period: Month
    amount: Fen


def repaid_subject_of(operator: str, guarantor: str, party: str) -> str:
    """What one party repaid to one guarantor forms one chain."""
    return f"recourse:{operator}.{guarantor}.{party}"


def subject_of(operator: str, party: str) -> str:
    """The guarantees for one party in an operator's cycles form one chain."""
    return f"funding-guarantee:{operator}.{party}"


def check(body: FundingGuarantee) -> None:
    """Raises BadTerms for a party that would stand for itself and for days that are none or out of order."""
    if body.guarantor == body.party:
        raise BadTerms("body.guarantor", "被担保方以外的一方 / not the party itself", body.guarantor)
    if days_between(body.first, body.last) < 0:
        raise BadTerms("body.last", f"不早于 {body.first} / not before {body.first}", body.last)


def stands_on(body: FundingGuarantee, day: str) -> bool:
    """Does it cover a cycle netted on this day?"""
    return body.most > 0 and body.first <= day <= body.last


def asked_of(short: Mapping[str, int], standing: Mapping[str, Standing], owed: Mapping[str, int]) -> tuple[Asked, ...]:
    """Who is asked for how much. `short` is what each party has yet to bring, fen; `standing` the guarantee of those
    that have one, `owed` what they owe their guarantor from before."""
    found = []
    for party in sorted(short):
        if (stands := standing.get(party)) is None:
            continue
        amount = min(short[party], stands.body.most - owed.get(party, 0))
        if amount > 0:
            found.append(Asked(party, short[party], stands.body.guarantor, amount, stands.fact))
    return tuple(found)


def call_of(
    first: Batch, instructions: str, asked: Sequence[Asked], accounts: Mapping[str, BankAccount], until: int
) -> CoverCall:
    """The call of guarantors, with their instructions in place of those of the batch `first`.

    Raises BadTerms when a guarantor has no usable account.
    """
    made = []
    for item in asked:
        if item.guarantor not in accounts:
            raise BadTerms("accounts", f"担保方的账户 / a bank account of {item.guarantor}", "无 / missing")
        account = accounts[item.guarantor]
        check_account(account, f"accounts.{item.guarantor}")
        made.append(
            Instruction(end_to_end_of(first.netting, item.party), Direction.FUNDING, item.party, item.amount, account)
        )
    batch = replace(first, instructions=tuple(made), funding=sum(item.amount for item in made), payout=0)
    return CoverCall(batch, instructions, tuple(asked), until)


def end_to_end_of(netting: str, party: str) -> str:
    """The id of the instruction by which a guarantor brings what a party did not bring under a run."""
    return "SQ" + hashlib.sha256(f"{netting}|cover|{party}".encode()).hexdigest()[:32].upper()


@dataclass(frozen=True, slots=True)
class Carried:
    """What goes on from a run that a default undid: what counts in the next one, what goes back to guarantors, and the
    part of each removed obligation for which money is there, which stays in, all sorted."""

    funded: tuple[Funded, ...]
    returned: tuple[Funded, ...]
    covered: tuple[Obligation, ...]


def covers_of(brought: Sequence[Funded]) -> dict[str, Cover]:
    """What guarantors have paid for each party, as its cover."""
    return {item.party: Cover(guarantee=Guarantee(item.by, item.amount)) for item in brought if item.by is not None}


def own_of(brought: Sequence[Funded]) -> dict[str, int]:
    """What parties have brought themselves."""
    return {item.party: item.amount for item in brought if item.by is None}


def resolved(obligations: Sequence[Obligation], brought: Sequence[Funded]) -> Resolution:
    """The waterfall over a run with the money that is there. What was brought for a party that left an earlier run is
    asked for nothing here."""
    own, covers = default.within(obligations, own_of(brought)), covers_of(brought)
    named = {party for item in obligations for party in (item.debtor, item.creditor)}
    return default.resolve(obligations, own, {party: covers[party] for party in covers if party in named})


def default_of(cycle: str, netting: str, instructions: str, found: Resolution, goes_on: Carried) -> Default:
    """What is stated of a resolution. A creditor gets its part of what the one that left and its guarantor brought."""
    covered = {(item.debtor, item.creditor): item.amount for item in goes_on.covered}
    exposures = tuple(
        replace(item, covered=(got := covered.get((item.defaulter, item.creditor), 0)), borne=item.claim - got)
        for item in found.exposures
    )
    return Default(cycle, netting, instructions, goes_on.funded, found.excluded, exposures, goes_on.returned or None)


def joined(obligations: Sequence[Obligation], covered: Sequence[Obligation]) -> tuple[Obligation, ...]:
    """The obligations of a run with the paid parts of those that left an earlier one, by debtor and creditor."""
    return tuple(sorted((*obligations, *covered), key=lambda item: (item.debtor, item.creditor)))


def carried(found: Resolution, brought: Sequence[Funded], limits: Stood | None) -> Carried:
    """What of the money `brought` counts where: what was brought for a party that left, by itself and then by its
    guarantor, pays its creditors in proportion to their claims; a guarantor's pays else what its party still needs in
    the run that follows, within these limits and with what is paid to it there, and the rest is the guarantor's."""
    own, drawn = own_of(brought), dict[str, int]()
    claims = {party: [item for item in found.removed if item.debtor == party] for party in found.excluded}
    for item in brought:
        if item.by is not None and item.party in claims:
            unpaid = sum(owed.amount for owed in claims[item.party]) - own.get(item.party, 0)
            drawn[item.party] = min(item.amount, unpaid)
    covered: list[Obligation] = []
    for party, owes in claims.items():
        if paid := own.get(party, 0) + drawn.get(party, 0):
            parts = money.split(paid, {item.creditor: item.amount for item in owes})
            covered += [part_of(item, parts[item.creditor]) for item in owes if parts[item.creditor]]
    goes_in, _, _ = limiting.applied(found.kept, limits, covered)
    needs = {item.party: -item.net - own.get(item.party, 0) for item in net(joined(goes_in, covered)).positions}
    for item in brought:
        if item.by is not None and item.party not in claims:
            drawn[item.party] = max(0, min(item.amount, needs.get(item.party, 0)))
    used, back = [], []
    for item in brought:
        if item.by is None:
            continue
        used.append(Funded(item.party, drawn.get(item.party, 0), item.by))
        back.append(Funded(item.party, item.amount - drawn.get(item.party, 0), item.by))
        own[item.by] = own.get(item.by, 0) + item.amount - drawn.get(item.party, 0)
    funded = [*(Funded(party, amount) for party, amount in own.items()), *used]
    return Carried(_sorted(funded), _sorted(back), joined((), covered))


def _sorted(items: Sequence[Funded]) -> tuple[Funded, ...]:
    return tuple(sorted((item for item in items if item.amount), key=lambda item: (item.party, item.by or "")))


def part_of(item: Obligation, amount: int) -> Obligation:
    """The part of an obligation that `amount` fen pay: what is taken off for refunds whole, the rest in order."""
    left = amount - sum(part.amount for part in item.items if part.amount < 0)
    taken: list[Item] = []
    for part in item.items:
        paid = part.amount if part.amount < 0 else min(part.amount, left)
        left -= max(paid, 0)
        if paid:
            taken.append(replace(part, amount=paid))
    return Obligation(item.debtor, item.creditor, amount, tuple(taken))


def less(removed: Sequence[Obligation], covered: Sequence[Obligation]) -> tuple[Obligation, ...]:
    """What of the removed obligations stays owed outside of the run."""
    paid = {
        (item.debtor, item.creditor, part.agreement, part.period): part.amount
        for item in covered
        for part in item.items
    }
    found = []
    for item in removed:
        rest = [
            replace(part, amount=part.amount - paid.get((item.debtor, item.creditor, part.agreement, part.period), 0))
            for part in item.items
        ]
        items = tuple(part for part in rest if part.amount)
        if items:
            found.append(Obligation(item.debtor, item.creditor, sum(part.amount for part in items), items))
    return tuple(found)
