"""A cycle's charges: meter, rate, share and post what every agreement revision owes, and earlier periods again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy.orm import Session

from clearing.errors import BadTerms
from clearing.errors import Held as HeldBack
from clearing.settlement import correcting, guarantee, rating, sharing, stating, store
from clearing.settlement.audit import Guaranteed
from clearing.settlement.correcting import Standing
from clearing.settlement.cycle import CycleMove, State
from clearing.settlement.guarantee import GUARANTEE_CALL
from clearing.settlement.office import (
    Accepted,
    Office,
    ServedBefore,
    Uses,
    advance,
    digest,
    in_state,
    nothing_accepted,
    nothing_guaranteed,
    state_fact,
)
from clearing.settlement.sharing import Shares
from clearing.settlement.stating import Waiting
from clearing.settlement.weighing import Derived
from clearing.terms import AgreementTerms, BillingBasis, SharingPlan
from clearing.usage.bulk.duck import over_uses
from clearing.usage.bulk.reading import read_meters
from clearing.usage.metering import MeterReading, read_meter


@dataclass(frozen=True, slots=True)
class RatedCycle:
    """What rating a cycle came to: the fact ids of the charges in order, what is held with the reason, and the fact ids
    of the guarantees that were called."""

    charges: tuple[str, ...]
    held: tuple[Waiting, ...]
    guarantees: tuple[str, ...] = ()


def rate(
    session: Session,
    office: Office,
    *,
    cycle: str,
    agreements: Sequence[AgreementTerms],
    uses: Uses,
    at: int,
    earlier: Sequence[AgreementTerms] = (),
    served: ServedBefore = nothing_guaranteed,
    accepted: Accepted = nothing_accepted,
) -> RatedCycle:
    """Meter, rate, share and post every agreement of the period; then look again at what earlier periods of the
    `earlier` agreement revisions may have got since, records, acceptances or statements, and post the difference; last,
    call what is missing to the guarantees of plan versions that are over (`served`).

    What lacks something its terms ask for is read and held, and stops nothing else: the next cycle tries again.
    Raises WrongMove unless the cycle is cut off, BadTerms when an agreement revision is listed twice.
    """
    now = in_state(session, cycle, State.CUT_OFF)
    ordered = each_once(agreements, "agreements")
    charged: list[str] = []
    held: list[Waiting] = []
    for item, reading in zip(ordered, _read_all(session, now, ordered, uses, accepted), strict=True):
        try:
            charged.append(_rate_one(session, office, now, item, reading, at))
        except HeldBack as reason:
            held.append(stating.waiting(item, now.period, reason))
    for item in each_once(earlier, "earlier"):
        posted, waiting = _rate_again(session, office, now, item, uses, accepted, at)
        charged += posted
        held += waiting
    waiting_now = {(one.agreement, one.revision) for one in held}
    calls = tuple(
        state_fact(session, office, GUARANTEE_CALL, guarantee_subject(call.claim), call, at).id
        for one in guaranteed(session, now, served)
        for call in guarantee.due(
            one.version,
            sharing.given(one.version.item.terms.plan, one.version.lineage, one.total, one.entitled),
            one.shares, one.called, waiting_now, now.period,
        )
    )  # fmt: skip
    advance(session, office, now, State.RATED, at, posted=store.next_number(session))
    return RatedCycle(tuple(charged), tuple(held), calls)


def guaranteed(session: Session, now: CycleMove, served: ServedBefore) -> list[Guaranteed]:
    """The plan versions with a guarantee that are over for this cycle, as they stand now, or stood when it was rated;
    none before it is cut off."""
    cut, found = store.entered(session, now.cycle, State.CUT_OFF), []
    if cut is None:
        return []
    for version in guarantee.ended(served(session, cut.at), cut.at):
        state = store.lineage_state(session, version.lineage, now.posted)
        called = store.called(session, version.claims, now.period, now.posted)
        found.append(Guaranteed(version, state.shares, state.total, state.entitled, called))
    return found


def each_once(agreements: Sequence[AgreementTerms], field: str) -> list[AgreementTerms]:
    """In order of agreement and revision. Raises BadTerms naming the field when one is there twice."""
    ordered = sorted(agreements, key=lambda item: (item.agreement, item.revision))
    names = [(item.agreement, item.revision) for item in ordered]
    if len(set(names)) != len(names):
        raise BadTerms(field, "each revision once", names)
    return ordered


def _read_all(
    session: Session, now: CycleMove, items: Sequence[AgreementTerms], uses: Uses, accepted: Accepted
) -> tuple[MeterReading, ...]:
    """All readings of the period: those over records by one query in DuckDB, those of what was accepted one by one; the
    audit makes each anew with `read_meter`."""
    mark = now.high_water or 0
    metered = [item for item in items if item.billing is not BillingBasis.ACCEPTED]
    names = sorted({item.agreement for item in metered})
    with over_uses(chain.from_iterable(uses(session, name) for name in names), mark) as engine:
        over_records = iter(read_meters(metered, now.window, engine))
    return tuple(
        read_meter(item, now.window, (), mark, accepted(session, item, mark))
        if item.billing is BillingBasis.ACCEPTED
        else next(over_records)
        for item in items
    )


def _rate_one(
    session: Session, office: Office, now: CycleMove, item: AgreementTerms, reading: MeterReading, at: int
) -> str:
    """Posts the reading, then the charge. Raises Held between the two."""
    read_fact = state_fact(session, office, "meter-reading/v1", reading_subject(item, now.period), reading, at)
    stated = store.stated(session, item.agreement, item.revision, at).get(now.period)
    due = stating.charged(read_fact.id, reading, item, stated)
    return post_charge(session, office, f"charge:{read_fact.id}", due.charge, item.terms.plan, at, weights=due.weights)


def _rate_again(
    session: Session, office: Office, now: CycleMove, item: AgreementTerms, uses: Uses, accepted: Accepted, at: int
) -> tuple[list[str], list[Waiting]]:
    """Every earlier period: its charge where it was held, else reversal and new charge where what came since the last
    cut-off, or was stated since, changes it. What would be held now goes on as it stands."""
    posted: list[str] = []
    held: list[Waiting] = []
    mark, by_acceptance = now.high_water or 0, item.billing is BillingBasis.ACCEPTED
    acceptances = list(accepted(session, item, mark)) if by_acceptance else []
    stated = store.stated(session, item.agreement, item.revision, at)
    charges = store.charges_in_force(session, item.agreement, item.revision, now.period)
    for reading_id, before in store.last_readings(session, item.agreement, item.revision, now.period):
        if before.end > now.start:
            continue
        found = None
        if correcting.may_change(before, item, now.window):
            records = () if by_acceptance else uses(session, item.agreement)
            found = correcting.read_again(before, item, records, mark, now.period, acceptances)
        name, reading = reading_id, before
        if found is not None:
            reading = found
            name = state_fact(session, office, "meter-reading/v1", reading_subject(item, before.period), found, at).id
        standing = standing_of(session, item, charges.get(before.period))
        try:
            due = correcting.due(
                name, reading, item, stated.get(before.period), standing, now.period, anew=found is not None
            )  # fmt: skip
        except HeldBack as reason:
            held.append(stating.waiting(item, before.period, reason))
            continue
        for one in due:
            source = standing.charge.reading if standing and one is due[0] else name
            subject, plan = f"charge:{source}", item.terms.plan
            posted.append(post_charge(session, office, subject, one.charge, plan, at, weights=one.weights))
    return posted, held


def standing_of(session: Session, item: AgreementTerms, charge: tuple[str, rating.Charge] | None) -> Standing | None:
    """The charge in force of a period, with the weights it was divided by; None before it is charged."""
    if charge is None:
        return None
    derived = item.terms.plan.derived is not None
    return Standing(*charge, store.weights_of(session, charge[0]) if derived else None)


def post_charge(
    session: Session,
    office: Office,
    subject: str,
    charge: rating.Charge,
    plan: SharingPlan,
    at: int,
    *,
    weights: Derived | None = None,
) -> str:
    """Append a charge, or what corrects one, and divide it in its rounding lineage, by these `weights` where the plan
    derives them. Returns the charge's fact id.

    A charge and what gives it back form one chain (`subject`).
    """
    fact = state_fact(session, office, "charge/v1", subject, charge, at)
    shares = divided(session, fact.id, charge, plan, weights)
    state_fact(session, office, "shares/v1", lineage_subject(shares.lineage), shares, at)
    return fact.id


def divided(
    session: Session, charge_id: str, charge: rating.Charge, plan: SharingPlan, weights: Derived | None
) -> Shares:
    """The shares of a charge that is posted next in its lineage."""
    lineage = sharing.lineage_of(charge.agreement, plan, charge.currency)
    before = store.lineage_total(session, lineage)
    entitled = store.entitled(session, lineage) if plan.derived else None
    return sharing.share(charge_id, charge, plan, before, weights=weights, entitled=entitled)


def reading_subject(item: AgreementTerms, period: str) -> str:
    """Readings of one agreement revision and period form one chain; act 0 is the first, later ones are adjustments."""
    return f"reading:{digest(f'{item.agreement}/{item.revision}/{period}')}"


def lineage_subject(lineage: str) -> str:
    """The shares of one rounding lineage form one chain, so none can be left out."""
    return f"lineage:{digest(lineage)}"


def guarantee_subject(claim: str) -> str:
    """What is called under one guarantee forms one chain, so none can be left out."""
    return f"guarantee:{digest(claim)}"
