"""From facts to what figures count: deals paid, money asked for, disputes, deliveries, readings, statements, listings.

Everything is a fold over facts taken in up to `as_of`, in the order of (second, subject, act number), so the order in
which they are handed in changes nothing and a later fact cannot reach an earlier figure (clearing §12 invariant 27).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from clearing.market import listing_moves
from clearing.market.agreement import AGREEMENT_ACT, Role, act_of, id_of, read_terms
from clearing.market.delivery import act as delivering
from clearing.market.delivery import moves as deliveries
from clearing.market.listing import LISTING_MOVE, LISTING_SUBMITTED, Listing, ListingMove
from clearing.market.listing_moves import ORDERABLE, Actor, Case, actor_of
from clearing.market.profile.profile import DEAL_EVALUATION, DealEvaluation
from clearing.settlement import statement as statements
from clearing.settlement.bank_file import BankEntry
from clearing.settlement.cycle import CycleMove, State
from clearing.settlement.dispute import opening
from clearing.settlement.dispute.opening import DISPUTE_ACT, Dispute, DisputeAct
from clearing.settlement.guarantee import is_claim
from clearing.settlement.payment import Batch, Direction
from clearing.settlement.rating import Charge
from clearing.settlement.reporting.objection import ANSWER, PARTY_RELATION, Answer, Relation
from clearing.settlement.statement import PartA
from clearing.usage.metering import Exclusion, MeterReading
from clearing.usage.service_level import notice as serving
from clearing.usage.service_level.notice import OUTAGE_ACT, Outage, OutageAct
from ledger import canonical
from ledger.facts import Fact
from ledger.reading import read
from registry.asset import Twin

KINDS = (
    "charge/v1", "meter-reading/v1", "cycle-state/v1", "netting/v1", "payment-instructions/v1", "bank-file/v1",
    "notice/v1", "statement/v1", "statement-confirmed/v1", DISPUTE_ACT, delivering.DELIVERY_ACT, AGREEMENT_ACT,
    LISTING_SUBMITTED, LISTING_MOVE, DEAL_EVALUATION, PARTY_RELATION, ANSWER, OUTAGE_ACT,
)  # fmt: skip
"""The kinds of fact that figures rest on."""
WITH_PARTS = frozenset({"netting/v1", "bank-file/v1", AGREEMENT_ACT})
AGREED = frozenset({Exclusion.FAILED, Exclusion.REFUSED})
"""Records left out of a reading that are no difference between the two sides."""
SELLING = frozenset({Role.PROVIDER, Role.DEVELOPER})
"""Roles that sell; so does the assigner of the use policy, whatever it is called. Everybody else paid is a service."""
REPORTING = frozenset({Role.PROVIDER, Role.CONSUMER})
"""The two sides whose records are compared."""


class Left(StrEnum):
    """Why a deal is counted in no figure; it is listed instead."""

    OWN = "own"
    RELATED = "related"
    DISPUTED = "disputed"
    REVERSED = "reversed"


LEFT_NAMES: Mapping[Left, str] = {
    Left.OWN: "自营", Left.RELATED: "关联方", Left.DISPUTED: "争议中", Left.REVERSED: "已冲回",
}  # fmt: skip


class Side(StrEnum):
    """In which role a party stands in a deal; roles are never added up (exchange.md §8.3)."""

    SELLER = "seller"
    BUYER = "buyer"
    SERVICE = "service"


SIDE_NAMES: Mapping[Side, str] = {Side.SELLER: "卖方", Side.BUYER: "买方", Side.SERVICE: "服务方"}


@dataclass(frozen=True, slots=True)
class Told:
    """A fact with its parts, where the kind needs them."""

    fact: Fact
    parts: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Deal:
    """What one payee got of one agreement's account period through settled cycles: fen, tax included, net of what was
    given back. `settled_at` is when the first of these cycles was settled; `facts` are the netting runs and the moves
    into SETTLED, `nettings` the former; `left` says why it is not counted."""

    agreement: str
    period: str
    listing: str
    product: str
    category: str
    buyer: str
    payee: str
    side: Side
    amount: int
    settled_at: int
    facts: tuple[str, ...]
    nettings: tuple[str, ...]
    left: Left | None = None

    @property
    def order(self) -> tuple[str, str]:
        """The settled order it is part of: one agreement's account period."""
        return self.agreement, self.period

    def side_of(self, party: str) -> Side | None:
        """In which role the party stands in it, None if it does not."""
        return Side.BUYER if party == self.buyer else self.side if party == self.payee else None


@dataclass(frozen=True, slots=True)
class Payment:
    """What a net payer was asked to bring: until the end of the day `due` (a second in it); `covered` is the booking
    day on which the bank had all of it, "" while it has not."""

    end_to_end: str
    party: str
    amount: int
    due: int
    covered: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute as it stands with its facts; `answered` is when the other side first spoke, 0 before."""

    id: str
    case: Dispute
    answered: int
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery as it stands with its facts."""

    id: str
    case: deliveries.Case
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest reading of an agreement revision and period; `ok`: the two sides differ about nothing in it."""

    fact: str
    at: int
    body: MeterReading
    parties: tuple[str, ...]
    ok: bool


@dataclass(frozen=True, slots=True)
class Issued:
    """A statement, the end of its confirmation window, and when its party answered (0: not)."""

    fact: str
    party: str
    at: int
    until: int
    answered: int
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """A listing that was taken off by the operator's reviewer, an authority or in an emergency: a violation found."""

    fact: str
    at: int


@dataclass(frozen=True, slots=True)
class Shelved:
    """A listing with every state it entered, as (second, state), and what stopped it."""

    id: str
    value: Listing
    case: Case
    history: tuple[tuple[int, listing_moves.State], ...]
    stops: tuple[Stop, ...]

    def on_offer_since(self, at: int) -> int | None:
        """Since when it has been on offer without a break at `at`, None if it is not."""
        since: int | None = None
        for second, state in self.history:
            if second > at:
                break
            since = (since if since is not None else second) if state in ORDERABLE else None
        return since

    @property
    def stopped(self) -> bool:
        """Is it off the shelf now because a violation was found?"""
        held = self.case.held_by in (Actor.REVIEWER, Actor.APPROVER, Actor.AUTHORITY)
        emergency = self.case.state is listing_moves.State.EMERGENCY
        return emergency or (held and self.case.state is listing_moves.State.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Rated:
    """A score a party gave the other side of an agreement."""

    fact: str
    at: int
    product: str
    body: DealEvaluation


@dataclass(frozen=True, slots=True)
class Material:
    """Everything figures count, as the facts up to `as_of` (seconds UTC) say it is; `products` and delivery `modes` by
    agreement, `notices` the fact id of part B by (netting, party), `set_aside` (party, key) of the inputs that answered
    objections took out, `outages` every outage that was announced or reported."""

    as_of: int
    deals: tuple[Deal, ...]
    payments: tuple[Payment, ...]
    disputes: tuple[Disputed, ...]
    deliveries: tuple[Delivered, ...]
    readings: tuple[Reading, ...]
    statements: tuple[Issued, ...]
    listings: tuple[Shelved, ...]
    ratings: tuple[Rated, ...]
    products: Mapping[str, str]
    notices: Mapping[tuple[str, str], str]
    set_aside: frozenset[tuple[str, str]]
    modes: Mapping[str, str]
    outages: tuple[Outage, ...]

    @property
    def parties(self) -> tuple[str, ...]:
        """Everybody any figure could be of, in order."""
        found = {party for deal in self.deals for party in (deal.buyer, deal.payee)}
        found |= {item.party for item in self.payments} | {item.party for item in self.statements}
        return tuple(sorted(found | {item.value.seller for item in self.listings}))


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What deals need of an agreement: who sells, in which role everybody stands, its listing, its delivery mode."""

    listing: str
    seller: str
    roles: Mapping[str, Role]
    mode: str = ""

    @property
    def sellers(self) -> frozenset[str]:
        """The licensor and everybody in a role that sells."""
        return frozenset({self.seller, *(party for party, role in self.roles.items() if role in SELLING)} - {""})

    @property
    def sides(self) -> tuple[str, ...]:
        """The two sides that report use."""
        return tuple(sorted(party for party, role in self.roles.items() if role in REPORTING))


_UNKNOWN = _Agreement("", "", {})


def material_of(told: Iterable[Told], as_of: int, operator: str) -> Material:
    """Folds the facts up to `as_of`; what is later is passed over, and so are kinds that no figure rests on."""
    kept = [item for item in told if item.fact.at <= as_of and item.fact.kind in KINDS]
    kept.sort(key=lambda item: (item.fact.at, item.fact.subject, item.fact.statement.no))
    by: dict[str, list[Told]] = {kind: [] for kind in KINDS}
    for item in kept:
        by[item.fact.kind].append(item)
    cycles = _cycles(by["cycle-state/v1"])
    charges = {item.fact.id: read(Charge, item.fact.body) for item in by["charge/v1"]}
    agreements = _agreements(by[AGREEMENT_ACT])
    disputes = _disputes(by[DISPUTE_ACT])
    listings = _listings([*by[LISTING_SUBMITTED], *by[LISTING_MOVE]])
    shelf = {item.id: item for item in listings}
    products = {
        name: shelf[item.listing].value.product if item.listing in shelf else ""
        for name, item in agreements.items()
    }  # fmt: skip
    answers = [read(Answer, item.fact.body) for item in by[ANSWER]]
    deals = _deals(by["netting/v1"], cycles, charges, agreements, shelf)
    return Material(
        as_of,
        _left_out(deals, operator, _relations(by[PARTY_RELATION]), agreements, _disputed_orders(disputes, charges)),
        _payments(by["payment-instructions/v1"], by["bank-file/v1"], cycles),
        disputes,
        _deliveries(by[delivering.DELIVERY_ACT]),
        _readings(by["meter-reading/v1"], agreements),
        _statements(by["statement/v1"], by["statement-confirmed/v1"], cycles, disputes),
        listings,
        _ratings(by[DEAL_EVALUATION], products),
        products,
        {(str(item.fact.body["netting"]), str(item.fact.body["party"])): item.fact.id for item in by["notice/v1"]},
        frozenset((one.party, key) for one in answers for key in one.set_aside),
        {name: item.mode for name, item in agreements.items()},
        _outages(by[OUTAGE_ACT]),
    )  # fmt: skip


_Cycles = Mapping[tuple[str, State], tuple[CycleMove, Fact]]


def _cycles(told: Sequence[Told]) -> _Cycles:
    """Each state a cycle entered: cycle and state → the move and its fact."""
    found = {}
    for item in told:
        move = read(CycleMove, item.fact.body)
        found[move.cycle, move.state] = (move, item.fact)
    return found


def _agreements(told: Sequence[Told]) -> dict[str, _Agreement]:
    found: dict[str, _Agreement] = {}
    for item in told:
        terms = read_terms(item.fact.statement, act_of(item.fact.statement), item.parts) if item.parts else None
        if terms is not None:
            roles = {party.party: party.role for party in terms.parties}
            found[id_of(item.fact.subject)] = _Agreement(
                terms.product.listing, terms.policy.assigner, roles, terms.delivery.mode
            )
    return found


def _deals(
    told: Sequence[Told],
    cycles: _Cycles,
    charges: Mapping[str, Charge],
    agreements: Mapping[str, _Agreement],
    shelf: Mapping[str, Shelved],
) -> list[Deal]:
    buyers = {charge.agreement: charge.buyer for charge in charges.values()}
    found: dict[tuple[str, str, str], Deal] = {}
    for item in told:
        settled = cycles.get((str(item.fact.body["cycle"]), State.SETTLED))
        if settled is None:
            continue
        for line in statements.netted_items([statements.read_part(data) for data in item.parts], buyers):
            if is_claim(line.agreement):
                continue  # what a guarantor pays is no trade
            agreement = agreements.get(line.agreement, _UNKNOWN)
            listing = shelf.get(agreement.listing)
            sells = line.creditor in (agreement.sellers or {line.creditor})
            new = Deal(
                line.agreement, line.period, agreement.listing, listing.value.product if listing else "",
                listing.value.content.industry if listing else "", line.debtor, line.creditor,
                Side.SELLER if sells else Side.SERVICE, line.amount, settled[1].at,
                (item.fact.id, settled[1].id), (item.fact.id,),
            )  # fmt: skip
            key = (line.agreement, line.period, line.creditor)
            before = found.get(key)
            found[key] = new if before is None else replace(
                before, amount=before.amount + new.amount, settled_at=min(before.settled_at, new.settled_at),
                facts=tuple(dict.fromkeys((*before.facts, *new.facts))),
                nettings=tuple(dict.fromkeys((*before.nettings, *new.nettings))),
            )  # fmt: skip
    return [found[key] for key in sorted(found)]


def _left_out(
    deals: Sequence[Deal],
    operator: str,
    related: frozenset[frozenset[str]],
    agreements: Mapping[str, _Agreement],
    disputed: frozenset[tuple[str, str]],
) -> tuple[Deal, ...]:
    found = []
    for deal in deals:
        sellers = agreements.get(deal.agreement, _UNKNOWN).sellers or {deal.payee}
        left: Left | None = None
        if operator == deal.buyer or operator in sellers:
            left = Left.OWN
        elif any(deal.buyer == other or frozenset({deal.buyer, other}) in related for other in sellers | {deal.payee}):
            left = Left.RELATED
        elif deal.order in disputed:
            left = Left.DISPUTED
        elif deal.amount <= 0:
            left = Left.REVERSED
        found.append(replace(deal, left=left))
    return tuple(found)


def _disputed_orders(disputes: Sequence[Disputed], charges: Mapping[str, Charge]) -> frozenset[tuple[str, str]]:
    open_ = [item.case.complaint.charge for item in disputes if not item.case.over]
    return frozenset((charges[name].agreement, charges[name].period) for name in open_ if name and name in charges)


def _relations(told: Sequence[Told]) -> frozenset[frozenset[str]]:
    found: dict[frozenset[str], bool] = {}
    for item in told:
        body = read(Relation, item.fact.body)
        found[frozenset((body.first, body.second))] = body.related
    return frozenset(pair for pair, related in found.items() if related)


def _payments(instructed: Sequence[Told], files: Sequence[Told], cycles: _Cycles) -> tuple[Payment, ...]:
    booked: dict[str, list[tuple[str, int, str]]] = {}
    for item in files:
        for data in item.parts:
            document: Any = canonical.decode(data)
            entry = read(BankEntry, document["entry"], "part.entry")
            booked.setdefault(entry.end_to_end, []).append((entry.booking_date, entry.amount, item.fact.id))
    found = []
    for item in instructed:
        batch = read(Batch, item.fact.body)
        state = cycles.get((batch.cycle, State.INSTRUCTED))
        if state is None:
            continue
        for one in batch.instructions:
            if one.direction is Direction.FUNDING:
                entries = sorted(booked.get(one.end_to_end, []))
                covered, names = _covered(entries, one.amount)
                facts = tuple(dict.fromkeys((item.fact.id, state[1].id, *names)))
                found.append(Payment(one.end_to_end, one.party, one.amount, state[0].until, covered, facts))
    return tuple(sorted(found, key=lambda payment: payment.end_to_end))


def _covered(entries: Sequence[tuple[str, int, str]], amount: int) -> tuple[str, list[str]]:
    """The booking day on which all of it was there, "" if it is not, and the bank files that say so."""
    total = 0
    names: list[str] = []
    for day, fen, fact in entries:
        if fen > 0:
            total, names = total + fen, [*names, fact]
            if total >= amount:
                return day, names
    return "", names


def _disputes(told: Sequence[Told]) -> tuple[Disputed, ...]:
    found: dict[str, Disputed] = {}
    for item in told:
        body, identity = read(DisputeAct, item.fact.body), opening.id_of(item.fact.subject)
        before = found.get(identity)
        case = opening.moved(before.case if before else None, body, item.fact.at)
        answered = before.answered if before else 0
        if not answered and body.side is opening.Side.RESPONDENT:
            answered = item.fact.at
        facts = (*(before.facts if before else ()), item.fact.id)
        found[identity] = Disputed(identity, case, answered, facts)
    return tuple(found[name] for name in sorted(found))


def _deliveries(told: Sequence[Told]) -> tuple[Delivered, ...]:
    found: dict[str, Delivered] = {}
    for item in told:
        body, identity = read(delivering.DeliveryAct, item.fact.body), delivering.id_of(item.fact.subject)
        before = found.get(identity)
        case = deliveries.moved(before.case if before else None, body, item.fact.at)
        found[identity] = Delivered(identity, case, (*(before.facts if before else ()), item.fact.id))
    return tuple(found[name] for name in sorted(found))


def _readings(told: Sequence[Told], agreements: Mapping[str, _Agreement]) -> tuple[Reading, ...]:
    found: dict[tuple[str, int, str], Reading] = {}
    for item in told:
        body = read(MeterReading, item.fact.body)
        ok = not body.held and all(one.reason in AGREED for one in body.excluded)
        parties = agreements.get(body.agreement, _UNKNOWN).sides
        key = (body.agreement, body.revision, body.period)
        if key not in found or found[key].body.sequence <= body.sequence:
            found[key] = Reading(item.fact.id, item.fact.at, body, parties, ok)
    return tuple(found[key] for key in sorted(found))


def _statements(
    issued: Sequence[Told], confirmed: Sequence[Told], cycles: _Cycles, disputes: Sequence[Disputed]
) -> tuple[Issued, ...]:
    answers = {str(item.fact.body["statement"]): item.fact for item in confirmed}
    found = []
    for item in issued:
        body = read(PartA, item.fact.body)
        state = cycles.get((body.cycle, State.ISSUED))
        if state is None:
            continue
        filed = [
            (one.case.opened_at, one.facts[0]) for one in disputes
            if one.case.filer == body.party and item.fact.at <= one.case.opened_at <= state[0].until
        ]  # fmt: skip
        answer = answers.get(item.fact.id)
        said = [*filed, *([(answer.at, answer.id)] if answer else [])]
        first = min(said, default=(0, ""))
        facts = (item.fact.id, state[1].id, *([first[1]] if said else []))
        found.append(Issued(item.fact.id, body.party, item.fact.at, state[0].until, first[0], facts))
    return tuple(sorted(found, key=lambda one: (one.at, one.fact)))


def _outages(told: Sequence[Told]) -> tuple[Outage, ...]:
    found: dict[str, Outage] = {}
    for item in sorted(told, key=lambda one: (one.fact.subject, one.fact.statement.no)):
        subject = item.fact.subject
        found[subject] = serving.moved(found.get(subject), read(OutageAct, item.fact.body), item.fact.at)
    return tuple(found[subject] for subject in sorted(found))


def _listings(told: Sequence[Told]) -> tuple[Shelved, ...]:
    found: dict[str, Shelved] = {}
    for item in sorted(told, key=lambda one: (one.fact.subject, one.fact.statement.no)):
        fact, identity = item.fact, item.fact.subject.removeprefix("listing:")
        before = found.get(identity)
        if fact.kind == LISTING_SUBMITTED:
            value = read(Listing, fact.body)
            case = before.case if before else Case()
            after = listing_moves.submitted(identity, case, value, Twin.of(fact.statement.digest()), fact.at)
            shown = before.value if before and case.version else value
            found[identity] = _entered(before, identity, shown, after, fact, None)
            continue
        assert before is not None
        body, signature = read(ListingMove, fact.body), fact.signatures[0]
        actor = actor_of(signature.by, signature.role, before.value.seller, body.move)
        after = listing_moves.moved(identity, before.case, body, actor, signature.by, fact.at)
        found[identity] = _entered(before, identity, before.value, after, fact, actor)
    return tuple(found[name] for name in sorted(found))


def _entered(
    before: Shelved | None, identity: str, value: Listing, case: Case, fact: Fact, actor: Actor | None
) -> Shelved:
    history = before.history if before else ()
    stops = before.stops if before else ()
    changed = before is None or before.case.state is not case.state
    if changed and case.state in (listing_moves.State.EMERGENCY, listing_moves.State.SUSPENDED):
        emergency = case.state is listing_moves.State.EMERGENCY
        if emergency or actor in (Actor.REVIEWER, Actor.APPROVER, Actor.AUTHORITY):
            stops = (*stops, Stop(fact.id, fact.at))
    return Shelved(identity, value, case, (*history, (fact.at, case.state)), stops)


def _ratings(told: Sequence[Told], products: Mapping[str, str]) -> tuple[Rated, ...]:
    found = []
    for item in told:
        body = read(DealEvaluation, item.fact.body)
        found.append(Rated(item.fact.id, item.fact.at, products.get(body.agreement, ""), body))
    return tuple(found)
