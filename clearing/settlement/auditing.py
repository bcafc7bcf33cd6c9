"""A cycle made again from agreements, usage records and acceptances alone, compared with every stored fact and row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from clearing.errors import ClearingError
from clearing.settlement import correcting, rating, reissue, store
from clearing.settlement.audit import EarlierPeriod, Finding, Stored, StoredRun, audit_cycle
from clearing.settlement.charging import guaranteed, standing_of
from clearing.settlement.cover import Standing
from clearing.settlement.cycle import ORDER, CycleMove, State
from clearing.settlement.dispute import store as disputes
from clearing.settlement.netting import Run
from clearing.settlement.notice import PartB
from clearing.settlement.office import (
    Accepted,
    RevisionTerms,
    ServedBefore,
    Uses,
    nothing_accepted,
    nothing_guaranteed,
)
from clearing.settlement.payment import Batch, Direction
from clearing.settlement.sharing import Shares
from clearing.settlement.stating import Stated
from clearing.terms import AgreementTerms, BillingBasis
from ledger import store as facts
from ledger.errors import LedgerError
from ledger.reading import read


def audit(
    session: Session,
    *,
    cycle: str,
    agreements: Sequence[AgreementTerms],
    uses: Uses,
    secret: bytes | None = None,
    earlier: Sequence[AgreementTerms] = (),
    served: ServedBefore = nothing_guaranteed,
    revision: RevisionTerms | None = None,
    accepted: Accepted = nothing_accepted,
) -> list[Finding]:
    """Recompute the cycle from agreements, usage records and what was `accepted` alone and compare with every stored
    fact and journal row.

    With the cycle's netting `secret` the sum tree is rebuilt too. `revision` finds the plan of a charge that a dispute
    gives back after its agreement left `agreements` and `earlier`. Never repairs; returns what differs.
    """
    torn = store.unbalanced(session)
    found = [Finding(f"journal transaction {number}", "sum of postings", "0", str(torn[number])) for number in torn]
    try:
        stored = _load(session, cycle, torn, agreements, earlier, served)
        known = {(item.agreement, item.revision) for item in (*agreements, *earlier)}
        credited = sorted({(item.agreement, item.revision) for item in stored.credits} - known)
        ended = [revision(session, *one) for one in credited] if revision else []
        counted = {
            (item.agreement, item.revision): tuple(accepted(session, item, stored.move.high_water or 0))
            for item in (*agreements, *earlier)
            if item.billing is BillingBasis.ACCEPTED
        }
    except (ClearingError, LedgerError) as error:
        return [*found, Finding(f"cycle {cycle}", "*", "rows that can be read", str(error))]
    metered = {item.agreement for item in (*agreements, *earlier) if item.billing is not BillingBasis.ACCEPTED}
    admitted = {name: list(uses(session, name)) for name in metered}
    return found + audit_cycle(stored, agreements, admitted, secret, earlier, ended, counted)


def _stated(
    session: Session, now: CycleMove, agreements: Sequence[AgreementTerms]
) -> dict[tuple[str, int, str], Stated]:
    """What was stated of every agreement revision and period when the cycle was rated, from the signed facts."""
    rated = store.rated_at(session, now.cycle)
    return {
        (item.agreement, item.revision, period): found
        for item in agreements
        for period, found in store.stated(session, item.agreement, item.revision, rated).items()
    }


def _earlier(session: Session, now: CycleMove, item: AgreementTerms) -> list[EarlierPeriod]:
    charges = store.charges_in_force(session, item.agreement, item.revision, now.period)
    return [
        (name, reading, standing_of(session, item, charges.get(reading.period)))
        for name, reading in store.last_readings(session, item.agreement, item.revision, now.period)
    ]


def _load(
    session: Session,
    cycle: str,
    torn: Mapping[int, int],
    agreements: Sequence[AgreementTerms],
    earlier: Sequence[AgreementTerms],
    served: ServedBefore,
) -> Stored:
    now = store.cycle(session, cycle)
    rated = ORDER.index(now.state) >= ORDER.index(State.RATED)
    issued = store.statements(session, cycle)
    charges, credits = store.charges(session, now.period), _credits_due(session, now.period)
    lineages = store.lineages_before(session, now.period)
    runs = _runs(session, cycle)
    corrected = {body.corrects.charge for body in (*credits, *(body for _, body in charges)) if body.corrects}
    return Stored(
        move=now,
        readings=store.readings(session, now.period),
        charges=charges,
        shares=[(name, read(Shares, facts.fact(session, name).body)) for name in store.shares_ids(session, now.period)],
        guaranteed=guaranteed(session, now, served) if rated else [],
        calls=store.guarantee_calls(session, now.period),
        lineages={name: total for name, (total, _) in lineages.items()},
        entitled={name: entitled for name, (_, entitled) in lineages.items()},
        stated=_stated(session, now, (*agreements, *earlier)),
        earlier=[found for item in earlier for found in _earlier(session, now, item)],
        weights={name: store.weights_of(session, name) for name in corrected},
        corrected=store.corrected_later(session, now.period),
        credits=credits,
        holds=[(item.fact_id, item.body, item.released) for item in store.holds(session, now.period)],
        invoices=store.invoices(session, now.period),
        transactions=store.transactions(session, without=torn),
        statements=[(item.fact_id, item.body, store.part_documents(session, item.fact_id)) for item in issued],
        openings=store.statements_before(session, now),
        buyers=store.buyers(session),
        confirmed=frozenset(item.body.party for item in issued if item.confirmed_at is not None),
        runs=runs,
        limits=store.limits(session, now.operator, facts.fact(session, runs[0].fact_id).at) if runs else None,
        reissues=[
            (fact.id, read(reissue.ReissueOrder, fact.body))
            for fact in facts.facts_of(session, f"payments:{cycle}")
            if fact.kind == "payment-reissue/v1"
        ],
        guarantors=_guarantors(session, now, runs),
        repaid=store.repaid(session, now.operator, now.period),
        notices={item.body.party: read(PartB, facts.fact(session, item.notice).body) for item in issued if item.notice},
    )


def _runs(session: Session, cycle: str) -> list[StoredRun]:
    """Every netting run of a cycle in order, with what came of it."""
    defaults = {body.netting: (name, body) for name, body in store.defaults(session, cycle)}
    batches = {}
    for fact in facts.facts_of(session, f"payments:{cycle}"):
        if fact.kind != "payment-instructions/v1":
            continue
        body = read(Batch, fact.body)
        batches[body.netting] = (fact.id, body)
    found = []
    for fact in facts.facts_of(session, f"netting:{cycle}"):
        if fact.kind != "netting/v1":
            continue
        batch = batches.get(fact.id)
        orders = store.instructions(session, batch[0]).values() if batch else ()
        paid = {item.party: item.booked for item in orders if item.direction is Direction.FUNDING and item.booked}
        parts = tuple(store.part_documents(session, fact.id))
        call = store.cover_call(session, cycle, batch[0]) if batch else None
        covered = store.booked_on(session, call[0]) if call else ()
        found.append(StoredRun(fact.id, read(Run, fact.body), parts, batch, paid, defaults.get(fact.id), call, covered))
    return found


def _guarantors(session: Session, now: CycleMove, runs: Sequence[StoredRun]) -> dict[str, Standing]:
    """The guarantee for everybody who was to bring money, as it stood when the cycle was netted."""
    payers = {
        item.party
        for one in runs
        if one.batch and (one.call or one.default)
        for item in one.batch[1].instructions
        if item.direction is Direction.FUNDING
    }
    return {party: found for party in sorted(payers) if (found := store.guarantee_of(session, now, party))}


def _credits_due(session: Session, period: str) -> list[rating.Charge]:
    """What follows from the disputes that ended with something upheld: the credits this cycle posted, as they must be,
    and those of its own charges that nobody posted."""
    found = []
    for charge_id, upheld, basis in disputes.upheld(session):
        charge, _ = store.charge(session, charge_id)
        before: list[rating.Charge] = []
        booked = charge.period
        for _, credit in store.credits_of(session, charge_id):
            if credit.corrects is not None and credit.corrects.basis == basis:
                booked = credit.booked or ""
                break
            before.append(credit)
        if booked == period:
            found.append(correcting.credit(charge_id, charge, before, upheld, basis, booked))
    return found
