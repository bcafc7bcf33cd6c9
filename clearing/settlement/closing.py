"""A settled cycle is closed, once, by operator and auditor."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.errors import Clash, NotSigned, WrongMove
from clearing.settlement import store
from clearing.settlement.close import CycleClose, Totals, close_of
from clearing.settlement.cycle import State
from clearing.settlement.netting import Run
from clearing.settlement.office import Office, advance, in_state, next_statement, of_kind, salt, take
from clearing.settlement.paying import money_sums
from ledger import store as facts
from ledger.facts import EIP712, Fact, Signed, Statement
from ledger.reading import body_of, read

OPERATOR, AUDITOR = "operator", "auditor"


def draft_close(
    session: Session, office: Office, *, cycle: str, auditor: str, closed_at: int, deadline: int
) -> Statement:
    """The close of a settled cycle, for operator and auditor to sign. `auditor` is the auditor's 0x address.

    Raises WrongMove unless the cycle is settled and the bank file's sums are the journal's.
    """
    now = in_state(session, cycle, State.SETTLED)
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
        salt=salt(office, cycle, "totals"),
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
    return next_statement(session, "cycle-closed/v1", f"close:{cycle}", body_of(body))


def close(session: Session, office: Office, signed: Signed, *, at: int) -> Fact:
    """Close a cycle, once, under the EIP-712 signatures of operator and auditor.

    Raises NotSigned without two different keys in their roles, Clash when the close differs from the stored facts.
    """
    body = read(CycleClose, of_kind(signed, "cycle-closed/v1").body)
    if facts.next_of(session, signed.statement.subject)[0] > signed.statement.no:
        return take(session, signed, at)
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
    fact = take(session, signed, at)
    advance(session, office, store.cycle(session, body.cycle), State.CLOSED, at)
    return fact
