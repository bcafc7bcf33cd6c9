"""What both sides confirmed is netted within the limits set, and netted again without who has not paid in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, TooEarly, WrongMove
from clearing.settlement import cover, covering, netting, store
from clearing.settlement import notice as notices
from clearing.settlement import statement as statements
from clearing.settlement.cycle import CycleMove, State
from clearing.settlement.netting import Funded, Proof, Run
from clearing.settlement.netting import limits as limiting
from clearing.settlement.netting.limits import NETTING_LIMITS, Cap, NettingLimits, PairLimit, Stood
from clearing.settlement.notice import Held, PartB
from clearing.settlement.office import (
    Office,
    advance,
    in_state,
    next_statement,
    of_kind,
    require_subject,
    require_two,
    salt,
    state_fact,
    take,
)
from clearing.settlement.statement import Obligation, ObligationPart
from ledger import store as facts
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended


def draft_limits(session: Session, *, operator: str, caps: Sequence[Cap], pairs: Sequence[PairLimit]) -> Statement:
    """The limits of an operator's cycles from now on, for maker and checker to sign; in any order, nothing lifts all.

    Raises BadTerms for a party or pair named twice and for a party that would owe itself, FieldError for an amount out
    of bounds.
    """
    body = NettingLimits(
        operator,
        tuple(sorted(caps, key=lambda cap: cap.party)),
        tuple(sorted(pairs, key=lambda pair: (pair.debtor, pair.creditor))),
    )
    limiting.check(read(NettingLimits, body_of(body)))
    return next_statement(session, NETTING_LIMITS, limiting.subject_of(operator), body_of(body))


def set_limits(session: Session, office: Office, signed: Signed, *, at: int) -> Appended:
    """Take in the limits that every netting from the next second on is made under. The same act again returns the
    first fact.

    Raises FieldError or BadTerms naming the field, also of a party that is not on record, whom a limit would not hold;
    NotSigned unless maker and checker of the operator both signed; TooEarly in a second in which a cycle was netted:
    what stood at a netting must be told from what came after it.
    """
    body = read(NettingLimits, of_kind(signed, NETTING_LIMITS).body)
    if f"party:{body.operator}" != office.signer.by:
        raise BadTerms("body.operator", office.signer.by.removeprefix("party:"), body.operator)
    require_subject(signed, limiting.subject_of(body.operator))
    limiting.check(body)
    require_two(session, office, signed, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    office.require_on_record(session, limiting.named(body), at)
    netted = store.last_entered(session, State.NETTED)
    if at <= netted:
        raise TooEarly(signed.statement.subject, netted + 1, at)
    return Appended(take(session, signed, at), replayed=False)


def net(session: Session, office: Office, *, cycle: str, at: int) -> str:
    """Net what both sides confirmed and issue part B to every party. Returns the netting fact's id.

    Without any eligible obligation the run is empty: the notices say what waits and why, and the cycle goes on to its
    close with instructions that pay nothing. Raises WrongMove unless confirmed, TooEarly in the second in which limits
    were set: they count from the next one on.
    """
    now = in_state(session, cycle, State.CONFIRMED)
    stood = store.limits(session, now.operator)
    if stood is not None and at <= stood.at:
        raise TooEarly(cycle, stood.at + 1, at)
    obligations, held = eligible(session, cycle)
    run_id = _net(session, office, now, obligations, held, at, stood)
    advance(session, office, now, State.NETTED, at)
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
    stood: Stood | None,
    funded: tuple[Funded, ...] = (),
    covered: Sequence[Obligation] = (),
) -> str:
    """The run within the limits that `stood`, and a notice to every party. `funded` is what was paid in under the run
    that this one replaces, `covered` what was paid of obligations that left it."""
    obligations, waiting, choice = limiting.applied(obligations, stood, covered)
    obligations = cover.joined(obligations, covered)
    held = notices.merged((*held, *notices.limited(waiting)))
    certificate = netting.net(obligations)
    netting.check_certificate(obligations, certificate)
    root, proofs = netting.sum_tree(obligations, netting_secret(office, now.cycle)) if obligations else (None, {})
    subject = f"netting:{now.cycle}"
    parts = [
        ObligationPart("obligation", number, item.debtor, item.creditor, item.amount, item.items)
        for number, item in enumerate(obligations)
    ]
    data = statements.salted(parts, lambda no: salt(office, subject, no))
    run = Run(now.cycle, now.operator, now.period, now.currency, certificate, root, funded or None, choice)
    fact = state_fact(session, office, "netting/v1", subject, run, at, parts=data)
    by_party = {item.party: item for item in certificate.positions}
    paid = run.brought
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
        state_fact(session, office, "notice/v1", f"notice:{now.cycle}.{party}", body, at)
    return fact.id


def netting_secret(office: Office, cycle: str) -> bytes:
    """The secret of one cycle from which each participant's own is derived; the auditor gets it to rebuild leaves."""
    return hmac.new(office.secret, b"netting\x00" + cycle.encode(), hashlib.sha256).digest()


def declare_default(session: Session, office: Office, *, cycle: str, at: int) -> str:
    """A net payer has not brought its money in time: its obligations leave the run, the rest is netted again within
    the limits of the run undone, and what others had paid in counts towards their new position (§8). What a party that
    left, or its guarantor, had brought pays its creditors, as parts of their claims that stay in the run; what a
    guarantor has paid for one that no longer needs it goes back to it. New instructions are to be signed; what is paid
    on the old ones later waits in suspense. Returns the fact id of the default.

    Raises WrongMove unless instructed and somebody is short, and while a guarantor is to be called first; TooEarly
    before the funding clock, or that of the guarantors, has run out.
    """
    now = in_state(session, cycle, State.INSTRUCTED)
    run_id, batch_id = store.netting_of(session, cycle), store.instructions_of(session, cycle)
    if run_id is None or batch_id is None:
        raise WrongMove(cycle, "付款指令 / payment instructions", "无 / none")
    if at < now.until:
        raise TooEarly(cycle, now.until, at)
    obligations, held = netted_in(session, cycle, run_id)
    brought = store.brought(session, run_id, batch_id)
    found = cover.resolved(obligations, brought)
    if not found.excluded:
        raise WrongMove(cycle, "未备付的净付款方 / a net payer that is short", "均已到账 / everything is there")
    if asked := covering.to_call(session, cycle=cycle):
        told = "，".join(f"{item.guarantor} 担保 {item.party} / {item.guarantor} for {item.party}" for item in asked)
        raise WrongMove(cycle, f"先向担保方催付 / the guarantors called first: {told}"[:400], "未催付 / not called")
    limits = _limits_of(session, run_id)
    carried = cover.carried(found, brought, limits)
    body = cover.default_of(cycle, run_id, batch_id, found, carried)
    fact = state_fact(session, office, "funding-default/v1", f"netting:{cycle}", body, at)
    held = (*held, *notices.left(cover.less(found.removed, carried.covered)))
    _net(session, office, now, found.kept, held, at, limits, carried.funded, carried.covered)
    return fact.id


def _limits_of(session: Session, run_id: str) -> Stood | None:
    """The limits a run was made under."""
    choice = read(Run, facts.fact(session, run_id).body).choice
    if choice is None:
        return None
    fact = facts.fact(session, choice.limits)
    return Stood(fact.id, fact.at, read(NettingLimits, fact.body))


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
