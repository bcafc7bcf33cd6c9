"""Taking in an act of a delivery, and what was accepted: load, decide by the pure stages, store the fact.

Nothing here commits, reads a clock or lets time act by itself: whoever asks hands in the second and the calendar.
Source: exchange.md §3.3, §4.8, §1.3 (deliver, receive; accept, reject).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import Clash, WrongMove
from clearing.market import service as market
from clearing.market import store as agreements
from clearing.market.agreement import Role, Terms
from clearing.market.delivery import store
from clearing.market.delivery.accepting import Acceptance, acceptances
from clearing.market.delivery.act import Act, DeliveryAct, Side, act_of, id_of, subject_of
from clearing.market.delivery.moves import (
    CLOCK,
    TURNS,
    Counted,
    Progress,
    Seen,
    State,
    counted,
    decide,
    inspection_of,
    longest_inspection,
    open_acts,
    progress,
    seen_all,
)
from clearing.market.delivery.store import DeliveryRow
from clearing.market.errors import NotEntitled
from clearing.market.policy import Standing
from clearing.market.shelf import store as shelf
from clearing.terms import AgreementTerms, BillingBasis
from ledger.facts import Signed
from ledger.store import Appended
from registry.agency import Agency
from registry.calendar import Calendar
from registry.clocks import Due, Running
from registry.rulebook.store import calendar_at
from registry.worklist import Matter, Step

ACT_NAMES = {
    Act.DELIVER: ("交付", "deliver"),
    Act.WITHDRAW: ("撤回交付", "withdraw what was delivered"),
    Act.RECEIVE: ("签收（与交付记录一致）", "receive: as stated"),
    Act.REFUSE: ("拒收（与交付记录不符）", "refuse: other than stated"),
    Act.ACCEPT: ("验收通过", "accept"),
    Act.OBJECT: ("提出异议", "object"),
    Act.LATE: ("逾期异议（供方明知瑕疵）", "late objection: the provider knew"),
    Act.ADMIT: ("承认并整改", "admit and rectify"),
    Act.CONTEST: ("不认可异议", "contest the objection"),
    Act.CONCEDE: ("同意不计入", "concede that it does not count"),
    Act.REDELIVER: ("重新交付", "deliver again"),
    Act.ESCALATE: ("提请决定", "ask for a decision"),
    Act.DECIDE: ("作出决定", "decide"),
}
STATE_NAMES = {
    State.SENT: "待签收", State.INSPECTION: "验收中", State.DEEMED: "视为验收", State.OBJECTED: "有异议",
    State.CONTESTED: "异议未获认可", State.RECTIFYING: "整改中", State.ESCALATED: "待决定", State.ACCEPTED: "已验收",
    State.REJECTED: "不计入", State.DECIDED: "已决定", State.WITHDRAWN: "已撤回",
}  # fmt: skip
PROGRESS_NAMES = {
    Progress.DECISION: "待决定", Progress.DISPUTED: "有异议", Progress.DELIVERED: "待签收",
    Progress.INSPECTION: "验收中", Progress.WITHDRAWN: "已撤回", Progress.ACCEPTED: "已验收",
    Progress.PARTLY: "部分验收", Progress.REJECTED: "未通过验收",
}  # fmt: skip
CLOSED = frozenset({Progress.WITHDRAWN, Progress.ACCEPTED, Progress.PARTLY, Progress.REJECTED})
DELIVERING = frozenset({Role.PROVIDER, Role.DEVELOPER, Role.OPERATOR, Role.SERVICE})
"""Roles of an agreement's parties that hand data over; a broker never does (§1.3)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A delivery as it reads at `as_of` (seconds UTC): its items, its progress, the quantities by unit."""

    row: DeliveryRow
    as_of: int
    progress: Progress
    items: tuple[Seen, ...]
    counted: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The accepted quantity (有效完成数量) of one delivery and period in one unit, as it reads at one instant.

    `closed` says that nothing of the delivery is open any more, so the quantity will not change.
    """

    delivery: str
    period: str
    closed: bool
    quantity: Counted


def take(session: Session, signed: Signed, *, calendar: Calendar, at: int) -> Appended:
    """Takes in a delivery-act/v1 under exactly one signature, of the side that speaks. The same act again gets the
    first fact.

    A delivery begins under an agreement in force, by a party that hands data over, in the revision of that moment; a
    period of a continuous mode is delivered once. Raises `BadTerms`, `FieldError`, `NotSigned`, `BadSignature`,
    `NotEntitled`, `WrongMove`, `Lapsed`, `TooEarly`, `Clash`, `UnknownFact`, and the ledger's `Conflict`, `Stale`.
    """
    body = act_of(signed.statement)
    taking.require_one(session, signed, body.sender, body.side.value, at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    row = store.find(session, id_of(signed.statement.subject))
    terms = _begin(session, body, at) if row is None else terms_of(session, row)
    if body.side is Side.DECIDER:
        _require_decider(session, body, terms, at)
    decide(row.case if row else None, body, terms, calendar, at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def reading(session: Session, identity: str, *, calendar: Calendar, at: int) -> Reading:
    """A delivery as it reads at `at`. Raises `UnknownFact`."""
    return _read(session, store.delivery(session, identity), calendar, at)


def readings(session: Session, party: str, *, calendar: Calendar, at: int) -> list[Reading]:
    """Every delivery to or from a party as it reads at `at`, the latest act first."""
    return [_read(session, row, calendar, at) for row in store.deliveries(session, party=party)]


def accepted_quantities(
    session: Session, agreement: str, *, calendar: Calendar, at: int, period: str = ""
) -> list[Accepted]:
    """The accepted quantities of an agreement, per delivery, period and unit, as they read at `at`; in the order of
    period and delivery. Only the receipt, the terms, the acts and the time handed in decide; a claim counts nothing."""
    rows = store.deliveries(session, agreement=agreement, period=period)
    found = []
    for row in sorted(rows, key=lambda item: (item.period, item.id)):
        made = _read(session, row, calendar, at)
        found += [Accepted(row.id, row.period, made.progress in CLOSED, quantity) for quantity in made.counted]
    return found


def settling(session: Session, start: int, end: int) -> list[AgreementTerms]:
    """The settlement terms of every agreement revision that may have to be billed in [start, end), seconds UTC: those
    in force, and where acceptance is billed also those that ended, while the acts or an inspection of what was
    delivered under them fall into that time. The same whenever it is asked, once the time is over. What is owed as
    non-tax revenue is assessed (`public_revenue`), never billed here, so that none of it is ever netted."""
    found = {(item.agreement, item.revision): item for item in market.agreement_terms(session, start, end)}
    for agreement, revision, act, at in store.acts_before(session, end):
        if (agreement, revision) in found:
            continue
        terms = agreements.terms_of(session, agreement, revision)
        lasts = longest_inspection(terms) if act is Act.RECEIVE else 0
        if at + lasts >= start and terms.billing is BillingBasis.ACCEPTED:
            found[agreement, revision] = market.settled_by(agreement, revision, terms)
    return [item for item in found.values() if item.terms.non_tax is None]


def accepted_under(session: Session, item: AgreementTerms, high_water: int) -> list[Acceptance]:
    """Everything that is accepted under an agreement revision, as the acts and the calendar among the first
    `high_water` log entries say: what settlement bills. Raises `Erased`."""
    terms, calendar = agreements.terms_of(session, item.agreement, item.revision), calendar_at(session, high_water)
    return [
        one
        for delivery, acts in store.told(session, item.agreement, item.revision, high_water).items()
        for one in acceptances(delivery, acts, terms, calendar)
    ]


def terms_of(session: Session, row: DeliveryRow) -> Terms:
    """The terms a delivery was made under."""
    return agreements.terms_of(session, row.agreement, row.revision)


def waiting(session: Session, agency: Agency, at: int, calendar: Calendar) -> list[Matter]:
    """Open deliveries for the work list: one matter for each side that can move, with the clock of its inspection."""
    found = []
    for row in store.deliveries(session, open_only=True):
        made = _read(session, row, calendar, at)
        for side in Side:
            own = [one for one in made.items if TURNS.get(one.state) is side]
            if own:
                found.append(_matter(session, row, made, side, own))
    return found


# Inside ---------------------------------------------------------------------------------------------------------------


def _matter(session: Session, row: DeliveryRow, made: Reading, side: Side, own: list[Seen]) -> Matter:
    decider = inspection_of(terms_of(session, row)).decider
    parties = {Side.PROVIDER: row.provider, Side.CONSUMER: row.consumer, Side.DECIDER: decider}
    acts = dict.fromkeys(act for one in own for act in open_acts(one.state, side))
    agreement = agreements.agreement(session, row.agreement)
    return Matter(
        subject=subject_of(row.id),
        title=shelf.listing(session, agreement.listing).value.name,
        type="delivery",
        state=made.progress.value,
        state_name=PROGRESS_NAMES[made.progress],
        role=side.value,
        steps=tuple(Step(act.value, *ACT_NAMES[act]) for act in acts),
        due=first_due(own),
        parties=frozenset(filter(None, [parties[side]])),
        private=True,
    )


def first_due(items: list[Seen]) -> Due:
    """The clock that ends first; one that waits for the calendar where none has an end."""
    running = [one.due for one in items if one.due.running is not Running.NONE]
    return min(running, key=lambda due: (due.ends is None, due.ends or 0), default=Due(CLOCK, Running.NONE))


def _read(session: Session, row: DeliveryRow, calendar: Calendar, at: int) -> Reading:
    items = seen_all(row.case, terms_of(session, row), calendar, at)
    return Reading(row, at, progress(items), items, counted(items))


def _begin(session: Session, body: DeliveryAct, at: int) -> Terms:
    """The terms in force for a new delivery: both are parties of them, and the agreement is in force."""
    if body.act is not Act.DELIVER or body.shipment is None:
        raise WrongMove("delivery", f"NONE, {Side.PROVIDER}: {Act.DELIVER}", f"{body.act} of {body.side}")
    revision, terms, standing = agreements.terms_at(session, body.agreement, at)
    if standing is not Standing.EFFECTIVE:
        raise WrongMove(f"agreement:{body.agreement[:12]}…", Standing.EFFECTIVE, standing)
    if body.shipment.revision != revision:
        raise WrongMove(f"agreement:{body.agreement[:12]}…", f"revision {revision}", f"{body.shipment.revision}")
    handing = {party.party for party in terms.parties if party.role in DELIVERING}
    if body.provider not in handing:
        raise NotEntitled(body.act, " | ".join(sorted(handing)), body.provider)
    if body.consumer != terms.policy.assignee:
        raise NotEntitled(body.act, f"to {terms.policy.assignee}", body.consumer)
    if body.shipment.period is not None:
        for row in store.deliveries(session, agreement=body.agreement, period=body.shipment.period):
            if any(item.state is not State.WITHDRAWN for item in row.case.items):
                raise Clash(f"{body.agreement[:12]}… {body.shipment.period}", f"one delivery, {row.id}", "another")
    return terms


def _require_decider(session: Session, body: DeliveryAct, terms: Terms, at: int) -> None:
    """The 监理 the terms name; where they name none, an authority on record."""
    named, decider = inspection_of(terms).decider, body.decider or ""
    if named and decider != named:
        raise NotEntitled(body.act, named, decider)
    if not named and not market.is_authority(session, decider, at):
        raise NotEntitled(body.act, " | ".join(sorted(market.AUTHORITY_ROLES)), decider)
    if decider in {party.party for party in terms.parties}:
        raise NotEntitled(body.act, "合约各方以外 / nobody who is a party of the agreement", decider)
