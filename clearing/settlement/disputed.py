"""What a dispute about a charge does to money: its disputed part is frozen, then released; what was upheld is given
back.

The rest of the line, of the statement and of the cycle goes on. A release restores every balance to the fen before
anything is given back; what is given back is a credit in the charge's own rounding lineage, posted by the next cycle
that states anything. Source: domain clearing §7, §9, §12 invariant 17; decisions D33, D37.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.settlement import correcting, hold, service, store
from clearing.settlement.hold import Hold
from clearing.settlement.journal import Account, Kind
from clearing.settlement.rating import Charge
from clearing.settlement.service import Office
from clearing.terms import SharingPlan
from ledger.facts import Fact

HOLD, RELEASE = "dispute-hold/v1", "dispute-release/v1"


def subject_of(dispute: str) -> str:
    """A hold and its release form one chain."""
    return f"hold:{dispute}"


def freeze(
    session: Session, office: Office, *, dispute: str, charge_id: str, disputed: int, plan: SharingPlan, at: int
) -> Fact | None:
    """Freeze what is still owed of a charge of which now `disputed` fen gross are disputed in all, less what is frozen
    of it already; None when all of it was netted before.

    Raises UnknownFact, BadMoney when more is disputed than was charged and not given back yet.
    """
    charge, invoice = store.charge(session, charge_id)
    taken = _taken(session, charge_id, charge, disputed, plan, invoiced=invoice is not None)
    for standing in store.holds(session, charge.period):
        for part in standing.body.parts if standing.body.charge == charge_id and standing.released is None else ():
            taken[part.party] = taken.get(part.party, 0) - part.amount
    balance = store.balance(session)
    owed = {party: -balance.get(Account(Kind.PAY, party, charge.agreement, charge.period), 0) for party in taken}
    parts = hold.parts_of(taken, owed)
    if not parts:
        return None
    body = Hold(dispute, charge_id, charge.agreement, charge.period, charge.buyer, parts)
    return service.state_fact(session, office, HOLD, subject_of(dispute), body, at)


def release(session: Session, office: Office, *, dispute: str, at: int) -> Fact | None:
    """Release what is frozen under a dispute; None when nothing is."""
    body = store.hold(session, dispute)
    return None if body is None else service.state_fact(session, office, RELEASE, subject_of(dispute), body, at)


def give_back(
    session: Session, office: Office, *, charge_id: str, amount: int, basis: str, plan: SharingPlan, at: int
) -> str:
    """Credit `amount` fen gross of a charge because of the fact `basis`. Returns the fact id of the credit.

    Raises UnknownFact, BadMoney when more is given back than was charged.
    """
    charge, _ = store.charge(session, charge_id)
    booked = store.posting_period(session, charge)
    credit = correcting.credit(charge_id, charge, _credits(session, charge_id), amount, basis, booked)
    weights = store.weights_of(session, charge_id)
    return service.post_charge(session, office, f"charge:{charge.reading}", credit, plan, at, weights=weights)


def _taken(
    session: Session, charge_id: str, charge: Charge, amount: int, plan: SharingPlan, *, invoiced: bool
) -> dict[str, int]:
    """What a credit of this amount would take from each payee now; the tax only once its invoice makes it owed."""
    credit = correcting.credit(charge_id, charge, _credits(session, charge_id), amount, "", "")
    divided = service.divided(session, "", credit, plan, store.weights_of(session, charge_id))
    taken = {line.party: -line.amount for line in divided.shares}
    if invoiced:
        taken[charge.invoice_issuer] = taken.get(charge.invoice_issuer, 0) - credit.tax
    return taken


def _credits(session: Session, charge_id: str) -> Sequence[Charge]:
    return [body for _, body in store.credits_of(session, charge_id)]
