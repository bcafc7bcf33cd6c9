"""Settlement, step by step: each function loads, decides with a pure stage, appends facts and projects them.

Nobody commits here. What the system states is signed by the office's system signer; what a party or a person states
comes in already signed. Order: open_cycle → cut_off → state_inputs* → rate → record_invoice* → issue_statements →
confirm_statement* → close_window → net → instruct → import_bank_file* → advance_payments → close.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from sqlalchemy.orm import Session

from clearing import money, taking
from clearing.errors import BadTerms, Clash, ClearingError, NotSigned, TooEarly, WrongMove
from clearing.errors import Held as HeldBack
from clearing.settlement import correcting, guarantee, netting, payment, rating, reissue, sharing, stating, store
from clearing.settlement import cycle as cycles
from clearing.settlement import notice as notices
from clearing.settlement import statement as statements
from clearing.settlement.audit import EarlierPeriod, Finding, Guaranteed, Stored, StoredRun, audit_cycle
from clearing.settlement.bank_file import new_entries
from clearing.settlement.camt053 import read_bank_file
from clearing.settlement.close import CycleClose, Totals, close_of
from clearing.settlement.correcting import Standing
from clearing.settlement.cycle import ORDER, CycleMove, State, WorkingDays
from clearing.settlement.dispute import store as disputes
from clearing.settlement.guarantee import GUARANTEE_CALL
from clearing.settlement.inputs import Inputs
from clearing.settlement.invoice import Invoice, check_invoice
from clearing.settlement.journal import Account, BankEffect, Kind
from clearing.settlement.netting import Funded, Proof, Run, default
from clearing.settlement.notice import Held, PartB
from clearing.settlement.payment import BankAccount, Batch, Direction
from clearing.settlement.sharing import Shares
from clearing.settlement.statement import Obligation, ObligationPart
from clearing.settlement.stating import PERIOD_INPUTS, PeriodInputs, Stated, Waiting
from clearing.settlement.store import Confirmation, StoredEntry
from clearing.settlement.weighing import Derived
from clearing.terms import AgreementTerms, Period, Served, SharingPlan, month_after
from clearing.usage.bulk.duck import over_uses
from clearing.usage.bulk.reading import read_meters
from clearing.usage.finding import CHECKER, MAKER
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import MeterReading
from clearing.usage.service import open_findings
from ledger import canonical
from ledger import store as facts
from ledger.digest import derive_salt
from ledger.errors import LedgerError
from ledger.facts import EIP712, Fact, PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import SystemSigner
from ledger.store import Appended

OPERATOR, AUDITOR = "operator", "auditor"

Uses = Callable[[Session, str], Iterable[MeteredUse]]
"""(session, agreement) → every admitted usage record of the agreement, of all periods."""

ServedBefore = Callable[[Session, int], Iterable[Served]]
"""(session, second UTC) → every revision ever in force of the agreements with a guarantee, as known before then."""

RevisionTerms = Callable[[Session, str, int], AgreementTerms]
"""(session, agreement, revision) → what it settles by, however long ago it ended."""


def nothing_guaranteed(session: Session, before: int) -> tuple[Served, ...]:
    """Of agreements none of which has a guarantee."""
    return ()


@dataclass(frozen=True, slots=True)
class Office:
    """What settlement needs from outside.

    `require_signature(session, signed, by, role, at)` raises unless `by` ("party:…", "staff:…") signed in `role` with
    the key on record; who signs in a role must be staff of the operator and have it. `typed_signer_ok(session,
    statement, signature, by, at)` says whether an EIP-712 signature is that of `by`. `secret` is 32 bytes from which
    salts and netting secrets are derived, so a re-run has the same bytes.
    """

    signer: SystemSigner
    secret: bytes
    working_days: WorkingDays
    require_signature: Callable[[Session, Signed, str, str, int], None]
    typed_signer_ok: Callable[[Session, Statement, Signature, str, int], bool]


def open_cycle(session: Session, office: Office, *, operator: str, period: Period, grace: int, at: int) -> CycleMove:
    """Open the cycle of one period. The same call again returns the cycle; another grace raises Conflict."""
    move = cycles.opened(operator, period, grace)
    fact = _state(session, office, move, at, no=0)
    return read(CycleMove, fact.body)


def cut_off(session: Session, office: Office, *, cycle: str, high_water: int, at: int) -> CycleMove:
    """Fix the set of records: the first `high_water` log entries.

    Raises TooEarly before period end + grace, and WrongMove while a gap or fork in the records of a connector concerned
    is neither mended nor explained (D9).
    """
    now = store.cycle(session, cycle)
    if now.state is State.OPEN and at >= now.until:
        waiting = [str(item) for item in open_findings(session, now.start, now.end)]
        if waiting:
            raise WrongMove(
                cycle, "缺号与分叉已补齐或说明 / every gap and fork mended or explained", "; ".join(waiting)
            )
    return _advance(session, office, now, State.CUT_OFF, at, high_water=high_water)


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
) -> RatedCycle:
    """Meter, rate, share and post every agreement of the period; then look again at what earlier periods of the
    `earlier` agreement revisions may have got since, records or statements, and post the difference; last, call what
    is missing to the guarantees of plan versions that are over (`served`).

    What lacks something its terms ask for is read and held, and stops nothing else: the next cycle tries again.
    Raises WrongMove unless the cycle is cut off, BadTerms when an agreement revision is listed twice.
    """
    now = _in_state(session, cycle, State.CUT_OFF)
    ordered = _each_once(agreements, "agreements")
    charged: list[str] = []
    held: list[Waiting] = []
    for item, reading in zip(ordered, _read_all(session, now, ordered, uses), strict=True):
        try:
            charged.append(_rate_one(session, office, now, item, reading, at))
        except HeldBack as reason:
            held.append(stating.waiting(item, now.period, reason))
    for item in _each_once(earlier, "earlier"):
        posted, waiting = _rate_again(session, office, now, item, uses, at)
        charged += posted
        held += waiting
    waiting_now = {(one.agreement, one.revision) for one in held}
    calls = tuple(
        _system(session, office, GUARANTEE_CALL, guarantee_subject(call.claim), call, at).id
        for one in _guaranteed(session, now, served)
        for call in guarantee.due(
            one.version,
            sharing.given(one.version.item.terms.plan, one.version.lineage, one.total, one.entitled),
            one.shares, one.called, waiting_now, now.period,
        )
    )  # fmt: skip
    _advance(session, office, now, State.RATED, at, posted=store.next_number(session))
    return RatedCycle(tuple(charged), tuple(held), calls)


def _guaranteed(session: Session, now: CycleMove, served: ServedBefore) -> list[Guaranteed]:
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


def _each_once(agreements: Sequence[AgreementTerms], field: str) -> list[AgreementTerms]:
    ordered = sorted(agreements, key=lambda item: (item.agreement, item.revision))
    names = [(item.agreement, item.revision) for item in ordered]
    if len(set(names)) != len(names):
        raise BadTerms(field, "each revision once", names)
    return ordered


def _read_all(
    session: Session, now: CycleMove, items: Sequence[AgreementTerms], uses: Uses
) -> tuple[MeterReading, ...]:
    """All readings of the period by one query in DuckDB; the audit makes each anew with `read_meter`."""
    names = sorted({item.agreement for item in items})
    with over_uses(chain.from_iterable(uses(session, name) for name in names), now.high_water or 0) as engine:
        return read_meters(items, now.window, engine)


def _rate_one(
    session: Session, office: Office, now: CycleMove, item: AgreementTerms, reading: MeterReading, at: int
) -> str:
    """Posts the reading, then the charge. Raises Held between the two."""
    read_fact = _system(session, office, "meter-reading/v1", reading_subject(item, now.period), reading, at)
    stated = store.stated(session, item.agreement, item.revision, at).get(now.period)
    due = stating.charged(read_fact.id, reading, item, stated)
    return post_charge(session, office, f"charge:{read_fact.id}", due.charge, item.terms.plan, at, weights=due.weights)


def _rate_again(
    session: Session, office: Office, now: CycleMove, item: AgreementTerms, uses: Uses, at: int
) -> tuple[list[str], list[Waiting]]:
    """Every earlier period: its charge where it was held, else reversal and new charge where what came since the last
    cut-off, or was stated since, changes it. What would be held now goes on as it stands."""
    posted: list[str] = []
    held: list[Waiting] = []
    stated = store.stated(session, item.agreement, item.revision, at)
    charges = store.charges_in_force(session, item.agreement, item.revision, now.period)
    for reading_id, before in store.last_readings(session, item.agreement, item.revision, now.period):
        if before.end > now.start:
            continue
        found = None
        if correcting.may_change(before, item, now.window):
            found = correcting.read_again(before, item, uses(session, item.agreement), now.high_water or 0, now.period)
        name, reading = reading_id, before
        if found is not None:
            reading = found
            name = _system(session, office, "meter-reading/v1", reading_subject(item, before.period), found, at).id
        standing = _standing(session, item, charges.get(before.period))
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


def _standing(session: Session, item: AgreementTerms, charge: tuple[str, rating.Charge] | None) -> Standing | None:
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
    fact = _system(session, office, "charge/v1", subject, charge, at)
    shares = divided(session, fact.id, charge, plan, weights)
    _system(session, office, "shares/v1", lineage_subject(shares.lineage), shares, at)
    return fact.id


def divided(
    session: Session, charge_id: str, charge: rating.Charge, plan: SharingPlan, weights: Derived | None
) -> Shares:
    """The shares of a charge that is posted next in its lineage."""
    lineage = sharing.lineage_of(charge.agreement, plan, charge.currency)
    before = store.lineage_total(session, lineage)
    entitled = store.entitled(session, lineage) if plan.derived else None
    return sharing.share(charge_id, charge, plan, before, weights=weights, entitled=entitled)


Terms = Callable[[Session, str, int], AgreementTerms]
"""(session, agreement, revision) → its terms. Raises UnknownFact."""


def draft_inputs(
    session: Session, terms: Terms, *, agreement: str, revision: int, period: str, inputs: Inputs,
    weights: Derived | None = None,
) -> Statement:  # fmt: skip
    """What buyer and invoice issuer sign to state a period. Raises UnknownFact, BadTerms, BadMoney."""
    item = terms(session, agreement, revision)
    body = PeriodInputs(agreement, revision, period, item.terms.buyer, item.terms.invoice_issuer, inputs, weights)
    stating.check(body, item)
    return _next(session, PERIOD_INPUTS, stating.subject_of(agreement, revision, period), body_of(body))


def state_inputs(session: Session, office: Office, signed: Signed, terms: Terms, *, at: int) -> Appended:
    """Take in what both sides state of a period. The same act again returns the first fact.

    A period that was rated already is corrected by the next cycle. Raises BadTerms and BadMoney naming what could not
    be rated, NotSigned unless buyer and invoice issuer both signed, TooEarly in a second in which a cycle was rated:
    what stands at a rating must be told from what came after it.
    """
    body = read(PeriodInputs, _of_kind(signed, PERIOD_INPUTS).body)
    _require_subject(signed, stating.subject_of(body.agreement, body.revision, body.period))
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
    rated = store.last_rated(session)
    if at <= rated:
        raise TooEarly(signed.statement.subject, rated + 1, at)
    return Appended(_take(session, signed, at), replayed=False)


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
    for item in _each_once(agreements, "agreements"):
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
    for item in _each_once(agreements, "agreements"):
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


def state_fact(session: Session, office: Office, kind: str, subject: str, body: Any, at: int) -> Fact:
    """Append what the system states about a subject as its next act, and project it."""
    return _system(session, office, kind, subject, body, at)


def reading_subject(item: AgreementTerms, period: str) -> str:
    """Readings of one agreement revision and period form one chain; act 0 is the first, later ones are adjustments."""
    return f"reading:{_digest(f'{item.agreement}/{item.revision}/{period}')}"


def lineage_subject(lineage: str) -> str:
    """The shares of one rounding lineage form one chain, so none can be left out."""
    return f"lineage:{_digest(lineage)}"


def guarantee_subject(claim: str) -> str:
    """What is called under one guarantee forms one chain, so none can be left out."""
    return f"guarantee:{_digest(claim)}"


def draft_invoice(session: Session, *, charge: str, number: str, issued_at: int) -> Statement:
    """What the invoice issuer is to sign for the tax of one charge. Raises UnknownFact."""
    body, _ = store.charge(session, charge)
    invoice = Invoice(charge, body.agreement, body.period, body.invoice_issuer, number, body.gross, body.tax, issued_at)
    return Statement("invoice/v1", f"invoice:{charge}", 0, None, body_of(invoice))


def record_invoice(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Record an invoice signed by its issuer: the tax of the charge is owed from now on.

    Raises BadTerms when it differs from the charge by a fen, the ledger's Conflict for a second one.
    """
    invoice = read(Invoice, _of_kind(signed, "invoice/v1").body)
    charge, _ = store.charge(session, invoice.charge)
    _require_subject(signed, f"invoice:{invoice.charge}")
    check_invoice(invoice, charge)
    office.require_signature(session, signed, f"party:{invoice.issuer}", "", at)
    return _take(session, signed, at)


def issue_statements(session: Session, office: Office, *, cycle: str, at: int) -> list[str]:
    """Issue part A to every party with a movement or an obligation. Returns the fact ids in order of party.

    Tax without an invoice stays with its charge and is owed in a later cycle. Raises WrongMove unless rated, and out of
    the order of periods: the closing of one statement is the opening of the next.
    """
    now = _in_state(session, cycle, State.RATED)
    for other in store.cycles(session):
        stated = ORDER.index(other.state) >= ORDER.index(State.ISSUED)
        if other.operator == now.operator and other.cycle != cycle and stated is not (other.period < now.period):
            raise WrongMove(
                cycle, "按账期先后出账 / statements in the order of periods", f"{other.cycle} {other.state}"
            )
    balance = store.balance(session)
    unshared = {account.name: amount for account, amount in balance.items() if account.kind is Kind.REV}
    if unshared:
        raise WrongMove(cycle, "REV = 0", str(unshared))
    owing = statements.owing(statements.obligations_of(balance, store.buyers(session)))
    before = store.last_statements(session)
    last = store.next_number(session)
    since = min((body.last for body in before.values()), default=0)
    moving = statements.moving(store.transactions(session, since))
    # Also who stands at zero again: what was charged and reversed is told, and a fen of rounding may still be owed.
    if not moving.keys() | owing.keys() <= before.keys():
        moving = statements.moving(store.transactions(session))
    issued = []
    for party in sorted(moving.keys() | owing.keys() | before.keys()):
        first = before[party].last if party in before else 0
        lines = statements.lines_of(party, [item for item in moving.get(party, ()) if item[0] >= first])
        body, parts = statements.part_a(
            cycle=cycle,
            operator=now.operator,
            period=now.period,
            party=party,
            currency=now.currency,
            opening=before[party].closing if party in before else 0,
            window=(first, last),
            lines=lines,
            obligations=owing.get(party, ()),
        )
        if not parts:
            continue
        subject = statement_subject(cycle, party)
        data = statements.salted(parts, lambda no, subject=subject: _salt(office, subject, no))  # type: ignore[misc]
        issued.append(_system(session, office, "statement/v1", subject, body, at, parts=data).id)
    _advance(session, office, now, State.ISSUED, at)
    return issued


def statement_subject(cycle: str, party: str) -> str:
    """A statement and what its party says to it form one chain."""
    return f"statement:{cycle}.{party}"


def draft_confirmation(session: Session, *, cycle: str, party: str) -> Statement:
    """What a party signs to accept its statement. Raises UnknownFact."""
    found = store.statement_of(session, cycle, party)
    subject = statement_subject(cycle, party)
    first = facts.fact(session, found.fact_id).statement
    return Statement("statement-confirmed/v1", subject, 1, first.digest(), body_of(Confirmation(found.fact_id)))


def confirm_statement(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Record a party's confirmation of its statement, signed with its own key.

    Raises WrongMove outside the window, Clash when it names another statement, Conflict for another second answer.
    """
    answer = read(Confirmation, _of_kind(signed, "statement-confirmed/v1").body)
    fact = facts.fact(session, answer.statement)
    if fact.kind != "statement/v1" or fact.subject != signed.statement.subject:
        raise Clash(signed.statement.subject, "the statement of this subject", fact.subject)
    body = read(statements.PartA, fact.body)
    office.require_signature(session, signed, f"party:{body.party}", "", at)
    stored = store.statement_of(session, body.cycle, body.party)
    if stored.confirmed_at is None:
        _in_state(session, body.cycle, State.ISSUED)
    return _take(session, signed, at)


def close_window(session: Session, office: Office, *, cycle: str, at: int) -> CycleMove:
    """End the confirmation window: at once when every party confirmed, else when its clock has run out.

    What is not confirmed by both sides waits; silence is not consent. Raises WrongMove while the window runs.
    """
    now = _in_state(session, cycle, State.ISSUED)
    waiting = [item.body.party for item in store.statements(session, cycle) if item.confirmed_at is None]
    if waiting and at < now.until:
        raise WrongMove(cycle, f"every statement confirmed or a time ≥ {now.until}", f"waiting for {waiting}")
    return _advance(session, office, now, State.CONFIRMED, at)


def net(session: Session, office: Office, *, cycle: str, at: int) -> str:
    """Net what both sides confirmed and issue part B to every party. Returns the netting fact's id.

    Without any eligible obligation the run is empty: the notices say what waits and why, and the cycle goes on to its
    close with instructions that pay nothing. Raises WrongMove unless confirmed.
    """
    now = _in_state(session, cycle, State.CONFIRMED)
    obligations, held = eligible(session, cycle)
    run_id = _net(session, office, now, obligations, held, at)
    _advance(session, office, now, State.NETTED, at)
    return run_id


def eligible(session: Session, cycle: str) -> tuple[tuple[Obligation, ...], tuple[Held, ...]]:
    """What of the cycle's statements is netted: the obligations both sides confirmed, as far as the balances still hold
    them; and what waits, with the reason."""
    confirmed: set[str] = set()
    stated: dict[tuple[str, str], Obligation] = {}
    for item in store.statements(session, cycle):
        if item.confirmed_at is not None:
            confirmed.add(item.body.party)
        for part in store.part_documents(session, item.fact_id):
            if isinstance(part, ObligationPart):
                stated[part.debtor, part.creditor] = Obligation(part.debtor, part.creditor, part.amount, part.items)
    obligations = [stated[pair] for pair in sorted(stated)]
    return notices.sort_out(obligations, confirmed, store.balance(session), store.buyers(session))


def _net(
    session: Session,
    office: Office,
    now: CycleMove,
    obligations: Sequence[Obligation],
    held: Sequence[Held],
    at: int,
    funded: tuple[Funded, ...] = (),
) -> str:
    """The run and a notice to every party. `funded` is what was paid in under the run that this one replaces."""
    certificate = netting.net(obligations)
    netting.check_certificate(obligations, certificate)
    root, proofs = netting.sum_tree(obligations, netting_secret(office, now.cycle)) if obligations else (None, {})
    subject = f"netting:{now.cycle}"
    parts = [
        ObligationPart("obligation", number, item.debtor, item.creditor, item.amount, item.items)
        for number, item in enumerate(obligations)
    ]
    data = statements.salted(parts, lambda no: _salt(office, subject, no))
    run = Run(now.cycle, now.operator, now.period, now.currency, certificate, root, funded or None)
    fact = _system(session, office, "netting/v1", subject, run, at, parts=data)
    by_party = {item.party: item for item in certificate.positions}
    paid = {item.party: item.amount for item in funded}
    for item in store.statements(session, now.cycle):
        party = item.body.party
        body = PartB(
            cycle=now.cycle,
            operator=now.operator,
            period=now.period,
            party=party,
            currency=now.currency,
            statement=item.fact_id,
            netting=fact.id,
            gross=certificate.gross,
            position=by_party.get(party, netting.Position(party, 0, 0, 0, 0)),
            root=root,
            proof=proofs.get(party, Proof(party, "", ())),
            held=tuple(entry for entry in held if party in (entry.debtor, entry.creditor)),
            funded=paid.get(party),
        )
        _system(session, office, "notice/v1", f"notice:{now.cycle}.{party}", body, at)
    return fact.id


def netting_secret(office: Office, cycle: str) -> bytes:
    """The secret of one cycle from which each participant's own is derived; the auditor gets it to rebuild leaves."""
    return hmac.new(office.secret, b"netting\x00" + cycle.encode(), hashlib.sha256).digest()


def draft_instructions(
    session: Session, *, cycle: str, account: BankAccount, accounts: Mapping[str, BankAccount]
) -> Statement:
    """The payment instructions of a netted cycle, for two persons to sign. `account` is the supervised one.

    Raises WrongMove unless netted and not instructed yet, BadTerms when a party has no usable account.
    """
    now = store.cycle(session, cycle)
    if now.state is not State.INSTRUCTED or store.instructions_of(session, cycle) is not None:
        now = _in_state(session, cycle, State.NETTED)
    run_id = store.netting_of(session, cycle)
    if run_id is None:
        raise WrongMove(cycle, "a netting run", "nothing was netted")
    run = read(Run, facts.fact(session, run_id).body)
    batch = payment.batch_of(
        cycle, now.operator, now.period, run_id, now.currency, run.final, account, accounts,
        sum(item.amount for item in run.funded or ()),
    )  # fmt: skip
    return _next(session, "payment-instructions/v1", f"payments:{cycle}", body_of(batch))


def instruct(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Release payment instructions that a maker and a checker, two different persons, signed.

    Raises NotSigned without both, Clash when anything differs from what the netting run demands.
    """
    batch = read(Batch, _of_kind(signed, "payment-instructions/v1").body)
    accounts = {item.party: item.account for item in batch.instructions}
    if facts.next_of(session, signed.statement.subject)[0] > signed.statement.no:
        return _take(session, signed, at)
    demanded = draft_instructions(session, cycle=batch.cycle, account=batch.account, accounts=accounts)
    if demanded.digest() != signed.statement.digest():
        raise Clash(f"payments:{batch.cycle}", demanded.digest().sha256.hex(), signed.statement.digest().sha256.hex())
    _require_two(session, office, signed, at)
    fact = _take(session, signed, at)
    now = store.cycle(session, batch.cycle)
    if now.state is State.INSTRUCTED:
        _state(session, office, cycles.renewed(now, at, office.working_days), at)
    else:
        _advance(session, office, now, State.INSTRUCTED, at)
    return fact


def _require_two(session: Session, office: Office, signed: Signed, at: int) -> None:
    """Maker and checker, two different persons, signed. Raises NotSigned, BadSignature."""
    signers = {item.role: item.by for item in signed.signatures if item.role in (MAKER, CHECKER)}
    if len(set(signers.values())) != 2:
        raise NotSigned(signed.statement.subject, f"two persons, {MAKER} and {CHECKER}", str(signers))
    for role, by in signers.items():
        office.require_signature(session, signed, by, role, at)


def draft_reissue(session: Session, *, cycle: str, accounts: Mapping[str, BankAccount]) -> Statement:
    """Pay-outs that came back, to be paid again under new ids; `accounts` by the id of the returned instruction.

    Raises WrongMove for one that did not come back or was issued again already, BadTerms for an account no bank could
    use.
    """
    now = store.cycle(session, cycle)
    back = store.returned(session, now.period)
    for name in accounts:
        if name not in back:
            raise WrongMove(cycle, " | ".join(back) or "没有退汇 / nothing came back", name)
    if not accounts:
        raise BadTerms("accounts", "至少一笔退汇 / at least one returned payment", 0)
    links = [
        reissue.reissued(item, accounts[item.end_to_end])
        for name in sorted(accounts)
        for item in store.batch_of_instruction(session, name).instructions
        if item.end_to_end == name
    ]
    made = tuple(link.instruction for link in links)
    first = store.batch_of_instruction(session, links[0].replaces)
    batch = replace(first, instructions=made, funding=0, payout=sum(item.amount for item in made))
    body = reissue.ReissueOrder(batch, tuple(link.replaces for link in links))
    return _next(session, "payment-reissue/v1", f"payments:{cycle}", body_of(body))


def reissue_payments(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Release pay-outs again that maker and checker signed. Raises NotSigned, Clash, and as `draft_reissue`."""
    body = read(reissue.ReissueOrder, _of_kind(signed, "payment-reissue/v1").body)
    if facts.next_of(session, signed.statement.subject)[0] > signed.statement.no:
        return _take(session, signed, at)
    accounts = {
        old: item.account for old, item in zip(body.replaces, body.batch.instructions, strict=False)
    }  # fmt: skip
    demanded = draft_reissue(session, cycle=body.batch.cycle, accounts=accounts)
    if demanded.digest() != signed.statement.digest():
        raise Clash(signed.statement.subject, demanded.digest().sha256.hex(), signed.statement.digest().sha256.hex())
    _require_two(session, office, signed, at)
    return _take(session, signed, at)


def declare_default(session: Session, office: Office, *, cycle: str, at: int) -> str:
    """A net payer has not brought its money in time: its obligations leave the run, the rest is netted again, and what
    others had paid in counts towards their new position (§8). New instructions are to be signed; what is paid on the
    old ones later waits in suspense. Returns the fact id of the default.

    Raises WrongMove unless instructed and somebody is short, TooEarly before the funding clock has run out.
    """
    now = _in_state(session, cycle, State.INSTRUCTED)
    run_id, batch_id = store.netting_of(session, cycle), store.instructions_of(session, cycle)
    if run_id is None or batch_id is None:
        raise WrongMove(cycle, "付款指令 / payment instructions", "无 / none")
    if at < now.until:
        raise TooEarly(cycle, now.until, at)
    obligations, held = netted_in(session, cycle, run_id)
    funded = store.paid_in(session, run_id, batch_id)
    found = default.resolve(obligations, default.within(obligations, funded), {})
    if not found.excluded:
        raise WrongMove(cycle, "未备付的净付款方 / a net payer that is short", "均已到账 / everything is there")
    body = default.default_of(cycle, run_id, batch_id, found, funded)
    fact = _system(session, office, "funding-default/v1", f"netting:{cycle}", body, at)
    _net(session, office, now, found.kept, (*held, *notices.left(found.removed)), at, body.funded)
    return fact.id


def netted_in(session: Session, cycle: str, run_id: str) -> tuple[tuple[Obligation, ...], tuple[Held, ...]]:
    """The obligations of a run, and what its notices say was left out of it."""
    parts = [part for part in store.part_documents(session, run_id) if isinstance(part, ObligationPart)]
    held = {
        (item.debtor, item.creditor, item.reason): item
        for stored in store.statements(session, cycle)
        if stored.notice is not None
        for item in read(PartB, facts.fact(session, stored.notice).body).held
    }
    obligations = tuple(Obligation(part.debtor, part.creditor, part.amount, part.items) for part in parts)
    return obligations, tuple(held[pair] for pair in sorted(held))


@dataclass(frozen=True, slots=True)
class BankImport:
    """What an import did: the file's fact, whether it was known before, entries taken in, and the new balance, fen."""

    fact: str
    repeated: bool
    entries: int
    closing: int


def import_bank_file(session: Session, office: Office, data: bytes, *, at: int) -> BankImport:
    """Import a bank statement file. A repeated file or entry is ignored, a changed one refused with BankFileRefused."""
    file, entries = read_bank_file(data)
    known = store.bank_file(session, file.digest)
    if known is not None:
        return BankImport(known, True, 0, file.closing)
    fresh = new_entries(
        file,
        entries,
        store.bank_entries(session, file.bank, file.account),
        store.bank_closing(session, file.bank, file.account),
    )
    subject = f"bank:{file.bank}.{file.account}"
    parts = [canonical.encode(body_of(StoredEntry(entry, _salt(office, subject, entry.reference)))) for entry in fresh]
    fact = _system(session, office, "bank-file/v1", subject, file, at, parts=parts, no=None)
    mirror = store.balance(session).get(Account(Kind.BNK, file.account), 0)
    if mirror != file.closing:
        raise WrongMove(f"BNK:{file.account}", money.yuan(file.closing), money.yuan(mirror))
    return BankImport(fact.id, False, len(fresh), file.closing)


def advance_payments(session: Session, office: Office, *, cycle: str, at: int) -> CycleMove:
    """Move on as far as the bank's entries allow: funded when net payers' money is booked, settled when all is."""
    now = store.cycle(session, cycle)
    batch = store.instructions_of(session, cycle)
    items = list(store.instructions(session, batch).values()) if batch else []
    if now.state is State.INSTRUCTED and payment.discharged(items, Direction.FUNDING):
        now = _advance(session, office, now, State.FUNDED, at)
    if now.state is State.FUNDED and payment.discharged(items, Direction.PAYOUT):
        now = _advance(session, office, now, State.SETTLED, at)
    return now


@dataclass(frozen=True, slots=True)
class MoneySums:
    """Money in and out of the supervised account for one cycle, fen: as the bank file and as the journal has it (D43).

    `suspense` is what stands in SUS over everything: unmatched money, never income.
    """

    file_in: int
    file_out: int
    journal_in: int
    journal_out: int
    suspense: int

    @property
    def agrees(self) -> bool:
        """Money in = money out, and the bank file says the same as the journal."""
        return self.file_in == self.journal_in == self.file_out == self.journal_out


def money_sums(session: Session, *, cycle: str) -> MoneySums:
    """The sums that must agree when a cycle is settled; out is net of returned payments."""
    now = store.cycle(session, cycle)
    entries = store.booked(session, now.period)
    paid_in = sum(applied for effect, _, applied in entries if effect in (BankEffect.RECEIPT, BankEffect.OVER))
    paid_out = -sum(amount for effect, amount, _ in entries if effect in (BankEffect.PAID, BankEffect.RETURNED))
    journal_in = journal_out = 0
    for _, item in store.transactions(session):
        for posting in item.postings:
            account = posting.account
            if not item.event.startswith("bank-") or account.agreement != "net" or account.period != now.period:
                continue
            if account.kind is Kind.RCV:
                journal_in -= posting.amount
            else:
                journal_out += posting.amount
    suspense = -sum(amount for account, amount in store.balance(session).items() if account.kind is Kind.SUS)
    return MoneySums(paid_in, paid_out, journal_in, journal_out, suspense)


def draft_close(
    session: Session, office: Office, *, cycle: str, auditor: str, closed_at: int, deadline: int
) -> Statement:
    """The close of a settled cycle, for operator and auditor to sign. `auditor` is the auditor's 0x address.

    Raises WrongMove unless the cycle is settled and the bank file's sums are the journal's.
    """
    now = _in_state(session, cycle, State.SETTLED)
    sums = money_sums(session, cycle=cycle)
    if (sums.file_in, sums.file_out) != (sums.journal_in, sums.journal_out):
        journal_sums, file_sums = (sums.journal_in, sums.journal_out), (sums.file_in, sums.file_out)
        raise WrongMove(cycle, f"bank file in, out = journal in, out {journal_sums}", str(file_sums))
    charges = [charge for _, charge in store.charges(session, now.period)]
    run_id = store.netting_of(session, cycle)
    netted = read(Run, facts.fact(session, run_id).body).certificate.gross if run_id else 0
    totals = Totals(
        gross=sum(charge.gross for charge in charges),
        net=sum(charge.net for charge in charges),
        shared=store.shared_total(session, now.period),
        netted=netted,
        money_in=sums.file_in,
        money_out=sums.file_out,
        suspense=sums.suspense,
        salt=_salt(office, cycle, "totals"),
    )
    body = close_of(
        cycle=cycle,
        operator=now.operator,
        period=now.period,
        currency=now.currency,
        statements=[facts.fact(session, item.fact_id).digest() for item in store.statements(session, cycle)],
        totals=totals,
        closed_at=closed_at,
        auditor=auditor,
        deadline=deadline,
    )
    return _next(session, "cycle-closed/v1", f"close:{cycle}", body_of(body))


def close(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Close a cycle, once, under the EIP-712 signatures of operator and auditor.

    Raises NotSigned without two different keys in their roles, Clash when the close differs from the stored facts.
    """
    body = read(CycleClose, _of_kind(signed, "cycle-closed/v1").body)
    if facts.next_of(session, signed.statement.subject)[0] > signed.statement.no:
        return _take(session, signed, at)
    demanded = draft_close(
        session, office, cycle=body.cycle, auditor=body.auditor, closed_at=body.closed_at, deadline=body.deadline
    )
    if demanded.digest() != signed.statement.digest():
        raise Clash(f"close:{body.cycle}", demanded.digest().sha256.hex(), signed.statement.digest().sha256.hex())
    typed = {item.role: item for item in signed.signatures if item.alg == EIP712}
    if set(typed) != {OPERATOR, AUDITOR} or len({item.key.lower() for item in typed.values()}) != 2:
        raise NotSigned(f"close:{body.cycle}", "operator and auditor, two different keys", str(sorted(typed)))
    if typed[AUDITOR].key.lower() != body.auditor:
        raise NotSigned(f"close:{body.cycle}", body.auditor, typed[AUDITOR].key)
    for role, signature in typed.items():
        if role == OPERATOR and signature.by != f"party:{body.operator}":
            raise NotSigned(f"close:{body.cycle}", f"party:{body.operator}", signature.by)
        if not office.typed_signer_ok(session, signed.statement, signature, signature.by, at):
            raise NotSigned(f"close:{body.cycle}", f"a valid signature of {signature.by}", signature.value[:20])
    fact = _take(session, signed, at)
    _advance(session, office, store.cycle(session, body.cycle), State.CLOSED, at)
    return fact


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
) -> list[Finding]:
    """Recompute the cycle from agreements and usage records alone and compare with every stored fact and journal row.

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
    except (ClearingError, LedgerError) as error:
        return [*found, Finding(f"cycle {cycle}", "*", "rows that can be read", str(error))]
    admitted = {name: list(uses(session, name)) for name in {item.agreement for item in (*agreements, *earlier)}}
    return found + audit_cycle(stored, agreements, admitted, secret, earlier, ended)


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
        (name, reading, _standing(session, item, charges.get(reading.period)))
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
    corrected = {body.corrects.charge for body in (*credits, *(body for _, body in charges)) if body.corrects}
    return Stored(
        move=now,
        readings=store.readings(session, now.period),
        charges=charges,
        shares=[(name, read(Shares, facts.fact(session, name).body)) for name in store.shares_ids(session, now.period)],
        guaranteed=_guaranteed(session, now, served) if rated else [],
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
        runs=_runs(session, cycle),
        reissues=[
            (fact.id, read(reissue.ReissueOrder, fact.body))
            for fact in facts.facts_of(session, f"payments:{cycle}")
            if fact.kind == "payment-reissue/v1"
        ],
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
        found.append(StoredRun(fact.id, read(Run, fact.body), parts, batch, paid, defaults.get(fact.id)))
    return found


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


def _in_state(session: Session, cycle: str, state: State) -> CycleMove:
    now = store.cycle(session, cycle)
    if now.state is not state:
        raise WrongMove(cycle, str(state), str(now.state))
    return now


def _advance(
    session: Session, office: Office, now: CycleMove, to: State, at: int, *, high_water: int | None = None,
    posted: int | None = None,
) -> CycleMove:  # fmt: skip
    move = cycles.advanced(now, to, at, office.working_days, high_water=high_water, posted=posted)
    _state(session, office, move, at)
    return move


def _state(session: Session, office: Office, move: CycleMove, at: int, no: int | None = None) -> Fact:
    return _system(session, office, "cycle-state/v1", f"cycle:{move.cycle}", move, at, no=no)


def _system(
    session: Session,
    office: Office,
    kind: str,
    subject: str,
    body: Any,
    at: int,
    *,
    parts: Sequence[bytes] = (),
    no: int | None = None,
) -> Fact:
    """Append what the system states. `no` 0 insists on being the first act; otherwise the next one is taken."""
    root = PartsRoot.over(parts) if parts else None
    if no == 0:
        statement = Statement(kind, subject, 0, None, body_of(body), root)
    else:
        statement = _next(session, kind, subject, body_of(body), root)
    signed = Signed(statement, (office.signer.sign(statement),))
    return _take(session, signed, at, parts)


def _next(session: Session, kind: str, subject: str, body: dict[str, Any], parts: PartsRoot | None = None) -> Statement:
    no, prev = facts.next_of(session, subject)
    return Statement(kind, subject, no, prev, body, parts)


def _take(session: Session, signed: Signed, at: int, parts: Sequence[bytes] = ()) -> Fact:
    appended = facts.append(session, signed, at=at, parts=parts)
    if not appended.replayed:
        store.project(session, appended.fact)
    return appended.fact


def _of_kind(signed: Signed, kind: str) -> Statement:
    if signed.statement.kind != kind:
        raise Clash(signed.statement.subject, kind, signed.statement.kind)
    return signed.statement


def _require_subject(signed: Signed, subject: str) -> None:
    if signed.statement.subject != subject:
        raise Clash(signed.statement.subject, subject, signed.statement.subject)


def _salt(office: Office, subject: str, part: object) -> str:
    return derive_salt(office.secret, f"{subject}#{part}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
