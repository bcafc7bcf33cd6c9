"""Messages of negotiations at the two doors, and the act they agree on at the desk until everybody has signed it.

The act is frozen by AGREEMENT: from then on it waits at the desk for both signatures of every signer, wherever they
sign. It goes in with FINALISE and by no other way; a negotiation that is terminated takes it off the desk. Nothing here
commits.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from api.bootstrap import System
from api.desk import store
from api.desk.waiting import Outcome, Slot, Waiting, drafted
from clearing.market.agreement import (
    AGREEMENT_ACT,
    Act,
    AgreementAct,
    act_of,
    required_signers,
)
from clearing.market.agreement import subject_of as agreement_subject
from clearing.market.negotiation import service as negotiating
from clearing.market.negotiation import store as negotiations
from clearing.market.negotiation.message import (
    NEGOTIATION_MESSAGE,
    Message,
    document_parts,
    id_of,
    message_of,
)
from clearing.market.negotiation.moves import Consent
from clearing.market.negotiation.service import Refusal
from clearing.market.negotiation.store import NegotiationRow
from clearing.market.shelf import store as shelf
from ledger import canonical
from ledger import store as facts
from ledger.facts import Signed, Statement
from ledger.store import Appended
from registry.party import party_subject

WAITS = (Outcome.OPEN, Outcome.READY)


def take(
    session: Session, system: System, signed: Signed, parts: Sequence[bytes], *, at: int
) -> Appended | Refusal:  # fmt: skip
    """Takes in a message, whichever door it came through, and keeps the desk in step. A refused one is noted.

    FINALISE may come without parts: then it brings the act as it was signed at the desk.
    """
    brought = parts or conclusion(session, signed.statement)
    taken = negotiating.send(
        session, signed, brought, domain=system.agreement_domain, operator=system.settings.operator, at=at
    )
    if isinstance(taken, Refusal):
        negotiating.record_refusal(session, taken)
        return taken
    follow(session, taken, at)
    return taken


def follow(session: Session, taken: Appended, at: int) -> None:
    """What a message that was taken in means for the desk; the same again when it was taken in before."""
    message = message_of(taken.fact.statement)
    row = negotiations.negotiation(session, id_of(taken.fact.subject))
    waiting = act_at_desk(session, row)
    signs = row.consent is not Consent.RELAYED  # else there is nothing anybody could conclude by signing
    if message.message is Message.AGREEMENT and signs and waiting is None and not taken.replayed:
        _lay_out(session, row, message.sender, at)
    elif message.message is Message.FINALISE and waiting is not None:
        store.finish(session, waiting.id, Outcome.DONE, facts.facts_of(session, waiting.statement.subject)[0].id)
    elif message.message is Message.TERMINATE and waiting is not None:
        store.finish(session, waiting.id, Outcome.WITHDRAWN, "协商已终止。 / The negotiation was terminated.")


def act_at_desk(session: Session, row: NegotiationRow) -> Waiting | None:
    """The act this negotiation agreed on, as long as it waits at the desk."""
    if not row.agreement:
        return None
    return store.latest(session, AGREEMENT_ACT, agreement_subject(row.agreement), WAITS)


def is_negotiated(session: Session, statement: Statement) -> bool:
    """Is this the act that a negotiation here agreed on?"""
    act = act_of(statement)
    return act.act is Act.CONCLUDE and negotiations.find(session, act.negotiation_id) is not None


def conclusion(session: Session, statement: Statement) -> tuple[bytes, ...]:
    """What FINALISE brings: the act with every signature given at the desk, then the fields of its terms; () for any
    other message, or as long as a signature is missing."""
    if statement.kind != NEGOTIATION_MESSAGE or statement.body.get("message") != Message.FINALISE:
        return ()
    row = negotiations.find(session, id_of(statement.subject))
    waiting = act_at_desk(session, row) if row is not None else None
    if waiting is None or waiting.missing:
        return ()
    return (canonical.encode(waiting.signed.document()), *waiting.parts)


def slots_of(act: AgreementAct) -> tuple[Slot, ...]:
    """Where an act has to be signed: by each of its signers, with SM2 and with its address."""
    return tuple(
        Slot(party_subject(signer.party), signer.role.value, address=signer.address) for signer in required_signers(act)
    )


def _lay_out(session: Session, row: NegotiationRow, by: str, at: int) -> None:
    statement = negotiating.agreed_act(session, row.id)
    assert statement is not None
    document = negotiations.proposal_of(session, row.proposal)[2]
    title = f"数字合约：{shelf.listing(session, row.listing).value.name}"
    slots, back = slots_of(act_of(statement)), f"/office/deals/{row.id}"
    store.put(
        session, drafted(statement, slots, title=title, by=by, at=at, back=back, parts=document_parts(document))
    )  # fmt: skip
