"""Mandates taken in and ended, and the question whether a broker may act.

Nothing here commits or reads a clock. A statement that was stored before is answered with its first fact. Source:
exchange.md §1.1, §1.3, §1.4.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, NotSigned, WrongMove
from clearing.market.broker import store
from clearing.market.broker.mandate import (
    BROKER,
    MANDATE,
    MANDATE_ENDING,
    Held,
    Mandate,
    MandateEnding,
    Task,
    check_mandate,
    check_use,
    id_of,
)
from clearing.market.errors import NotEntitled
from ledger import store as ledger
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.calendar import day_of
from registry.errors import Unknown
from registry.party import party_subject
from registry.stating import is_known


def give(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a mandate/v1 signed by its principal and by a broker on the register.

    Raises `BadTerms`, `FieldError`, `NotEntitled`, `BadSignature`, and the ledger's `Conflict` and `Stale`.
    """
    statement = taking.of_kind(signed, MANDATE)
    id_of(statement.subject)
    body = read(Mandate, statement.body)
    signers.require_all(session, signed, {party_subject(body.principal), party_subject(body.broker)}, at)
    if is_known(session, signed):
        return ledger.append(session, signed, at=at)
    if statement.no:
        raise BadTerms("statement.no", "0", statement.no)
    check_mandate(body, day_of(at))
    _require_registered(session, body.broker, at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def end(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a mandate-ending/v1 signed by the principal or the broker. Raises as `give`, and `WrongMove`."""
    statement = taking.of_kind(signed, MANDATE_ENDING)
    held = store.mandate(session, id_of(statement.subject))
    read(MandateEnding, statement.body)
    sides = [party_subject(held.value.principal), party_subject(held.value.broker)]
    given = [signature.by for signature in signed.signatures]
    if len(given) != 1 or given[0] not in sides:
        raise NotSigned(statement.subject, " | ".join(sides), ", ".join(given)[:200] or "—")
    signers.require_signature(session, signed, given[0], at=at)
    if is_known(session, signed):
        return ledger.append(session, signed, at=at)
    if held.ended_at:
        raise WrongMove(statement.subject, "未解除的委托 / a mandate that was not ended", str(held.ended_at))
    return taking.take(session, signed, store.PROJECTORS, at=at)


def require(
    session: Session, mandate: str, *, broker: str, principal: str, task: Task, listing: str = "", other: str = "",
    at: int,
) -> Held:  # fmt: skip
    """The mandate, if it lets this broker do this now. `other` is the other side of the deal, "" where there is none.

    Raises `UnknownFact`, `NotEntitled`.
    """
    held = store.mandate(session, mandate)
    against = store.in_force(session, broker, other, at) if other else ()
    check_use(held, broker, principal, task, listing, other, against, at)
    _require_registered(session, broker, at)
    return held


def _require_registered(session: Session, broker: str, at: int) -> None:
    try:
        roles = registry.party_at(session, broker, at).roles.split()
    except Unknown:
        roles = []
    if BROKER not in roles:
        raise NotEntitled("mandate", f"登记在册的经纪（角色 {BROKER}） / a broker on the register", broker)
