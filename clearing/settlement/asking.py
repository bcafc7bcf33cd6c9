"""What a charge asks of the parties: what both sides state of a period, and the invoice for its tax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import Held as HeldBack
from clearing.errors import NotSigned, TooEarly
from clearing.settlement import stating, store
from clearing.settlement.charging import each_once
from clearing.settlement.cycle import State
from clearing.settlement.inputs import Inputs
from clearing.settlement.invoice import Invoice, check_invoice
from clearing.settlement.office import Office, Terms, next_statement, of_kind, require_subject, take
from clearing.settlement.stating import PERIOD_INPUTS, PeriodInputs, Waiting
from clearing.settlement.weighing import Derived
from clearing.terms import AgreementTerms, month_after
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended


def draft_inputs(
    session: Session, terms: Terms, *, agreement: str, revision: int, period: str, inputs: Inputs,
    weights: Derived | None = None,
) -> Statement:  # fmt: skip
    """What buyer and invoice issuer sign to state a period. Raises UnknownFact, BadTerms, BadMoney."""
    item = terms(session, agreement, revision)
    body = PeriodInputs(agreement, revision, period, item.terms.buyer, item.terms.invoice_issuer, inputs, weights)
    stating.check(body, item)
    return next_statement(session, PERIOD_INPUTS, stating.subject_of(agreement, revision, period), body_of(body))


def state_inputs(session: Session, office: Office, signed: Signed, terms: Terms, *, at: int) -> Appended:
    """Take in what both sides state of a period. The same act again returns the first fact.

    A period that was rated already is corrected by the next cycle. Raises BadTerms and BadMoney naming what could not
    be rated, NotSigned unless buyer and invoice issuer both signed, TooEarly in a second in which a cycle was rated:
    what stands at a rating must be told from what came after it.
    """
    body = read(PeriodInputs, of_kind(signed, PERIOD_INPUTS).body)
    require_subject(signed, stating.subject_of(body.agreement, body.revision, body.period))
    item = terms(session, body.agreement, body.revision)
    stating.check(body, item)
    both = sorted(f"party:{party}" for party in (body.buyer, body.invoice_issuer))
    given = sorted(signature.by for signature in signed.signatures)
    if given != both:
        raise NotSigned(signed.statement.subject, " + ".join(both), " + ".join(given)[:200])
    for by in both:
        office.require_signature(session, signed, by, "", at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    rated = store.last_entered(session, State.RATED)
    if at <= rated:
        raise TooEarly(signed.statement.subject, rated + 1, at)
    return Appended(take(session, signed, at), replayed=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one agreement revision asks for in a period: `missing` of it, and the fact that stands, if any."""

    agreement: str
    revision: int
    period: str
    asked: tuple[str, ...]
    missing: tuple[str, ...]
    fact: str | None


def asked_of(session: Session, *, cycle: str, agreements: Sequence[AgreementTerms]) -> list[Asked]:
    """What these agreement revisions ask for in the period of a cycle, those that ask for nothing left out."""
    period, found = store.cycle(session, cycle).period, []
    for item in each_once(agreements, "agreements"):
        if asks := stating.asked(item):
            stands = store.stated(session, item.agreement, item.revision, None).get(period)
            lacks = stating.missing(item, stands.body if stands else None)
            fact = stands.fact if stands else None
            found.append(Asked(item.agreement, item.revision, period, asks, lacks, fact))
    return found


def held_now(session: Session, *, cycle: str, agreements: Sequence[AgreementTerms]) -> list[Waiting]:
    """The periods up to that of a cycle that were read and are not charged, with what they still lack. One that lacks
    nothing any more is left out: the next cycle charges it."""
    after, found = month_after(store.cycle(session, cycle).period), []
    for item in each_once(agreements, "agreements"):
        charges = store.charges_in_force(session, item.agreement, item.revision, after)
        stands = store.stated(session, item.agreement, item.revision, None)
        for name, reading in store.last_readings(session, item.agreement, item.revision, after):
            if reading.period in charges:
                continue
            try:
                stating.charged(name, reading, item, stands.get(reading.period))
            except HeldBack as reason:
                found.append(stating.waiting(item, reading.period, reason))
    return found


def draft_invoice(session: Session, *, charge: str, number: str, issued_at: int) -> Statement:
    """What the invoice issuer is to sign for the tax of one charge. Raises UnknownFact."""
    body, _ = store.charge(session, charge)
    invoice = Invoice(charge, body.agreement, body.period, body.invoice_issuer, number, body.gross, body.tax, issued_at)
    return Statement("invoice/v1", f"invoice:{charge}", 0, None, body_of(invoice))


def record_invoice(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Record an invoice signed by its issuer: the tax of the charge is owed from now on.

    Raises BadTerms when it differs from the charge by a fen, the ledger's Conflict for a second one.
    """
    invoice = read(Invoice, of_kind(signed, "invoice/v1").body)
    charge, _ = store.charge(session, invoice.charge)
    require_subject(signed, f"invoice:{invoice.charge}")
    check_invoice(invoice, charge)
    office.require_signature(session, signed, f"party:{invoice.issuer}", "", at)
    return take(session, signed, at)
