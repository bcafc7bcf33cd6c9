"""Statements go out, are confirmed by their parties, and the window to do so ends."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.errors import Clash, WrongMove
from clearing.settlement import statement as statements
from clearing.settlement import store
from clearing.settlement.cycle import ORDER, CycleMove, State
from clearing.settlement.journal import Kind
from clearing.settlement.office import Office, advance, in_state, of_kind, salt, state_fact, take
from clearing.settlement.store import Confirmation
from ledger import store as facts
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of, read


def issue_statements(session: Session, office: Office, *, cycle: str, at: int) -> list[str]:
    """Issue part A to every party with a movement or an obligation. Returns the fact ids in order of party.

    Tax without an invoice stays with its charge and is owed in a later cycle. Raises WrongMove unless rated, and out of
    the order of periods: the closing of one statement is the opening of the next.
    """
    now = in_state(session, cycle, State.RATED)
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
        data = statements.salted(parts, lambda no, subject=subject: salt(office, subject, no))  # type: ignore[misc]
        issued.append(state_fact(session, office, "statement/v1", subject, body, at, parts=data).id)
    advance(session, office, now, State.ISSUED, at)
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
    answer = read(Confirmation, of_kind(signed, "statement-confirmed/v1").body)
    fact = facts.fact(session, answer.statement)
    if fact.kind != "statement/v1" or fact.subject != signed.statement.subject:
        raise Clash(signed.statement.subject, "the statement of this subject", fact.subject)
    body = read(statements.PartA, fact.body)
    office.require_signature(session, signed, f"party:{body.party}", "", at)
    stored = store.statement_of(session, body.cycle, body.party)
    if stored.confirmed_at is None:
        in_state(session, body.cycle, State.ISSUED)
    return take(session, signed, at)


def close_window(session: Session, office: Office, *, cycle: str, at: int) -> CycleMove:
    """End the confirmation window: at once when every party confirmed, else when its clock has run out.

    What is not confirmed by both sides waits; silence is not consent. Raises WrongMove while the window runs.
    """
    now = in_state(session, cycle, State.ISSUED)
    waiting = [item.body.party for item in store.statements(session, cycle) if item.confirmed_at is None]
    if waiting and at < now.until:
        raise WrongMove(cycle, f"every statement confirmed or a time ≥ {now.until}", f"waiting for {waiting}")
    return advance(session, office, now, State.CONFIRMED, at)
