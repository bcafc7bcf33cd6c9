"""Drafting, signing and withdrawing at the desk. Nothing here commits; the request's session does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from api.bootstrap import System
from api.desk import dealing, store
from api.desk.takers import TAKERS, typed_is_good
from api.desk.waiting import DeskRefused, Outcome, Slot, Waiting, drafted
from api.office import refusals
from clearing.errors import ClearingError
from clearing.market.agreement import AGREEMENT_ACT
from clearing.market.negotiation.service import Refusal
from ledger import store as facts
from ledger.errors import BadSignature, Conflict, LedgerError, Stale
from ledger.facts import EIP712, SM2, PartsRoot, Signature, Statement
from ledger.signing import verify_sm2
from registry.errors import RegistryError


def draft(
    session: Session,
    *,
    title: str,
    kind: str,
    subject: str,
    body: dict[str, Any],
    slots: Sequence[Slot],
    by: str,
    at: int,
    back: str = "",
    note: Mapping[str, Any] | None = None,
    parts: Sequence[bytes] = (),
) -> Waiting:
    """Puts the next statement about `subject` onto the desk, to be signed in these places."""
    no, prev = facts.next_of(session, subject)
    statement = Statement(kind, subject, no, prev, body, PartsRoot.over(parts) if parts else None)
    waiting = drafted(statement, slots, title=title, by=by, at=at, back=back, note=note, parts=parts)
    store.put(session, waiting)
    return waiting


def is_stale(session: Session, waiting: Waiting) -> bool:
    """Has somebody acted on the subject since this was drafted?"""
    statement = waiting.statement
    return facts.next_of(session, statement.subject) != (statement.no, statement.prev)


def is_bound(session: Session, waiting: Waiting) -> bool:
    """Is this the act of a negotiation, which ends with it and is not withdrawn alone?"""
    return waiting.statement.kind == AGREEMENT_ACT and dealing.is_negotiated(session, waiting.statement)


def sign(
    session: Session,
    system: System,
    identity: str,
    signature: Signature,
    *,
    organisation: str,
    roles: frozenset[str],
    key: str,
    at: int,
    typed: Signature | None = None,
) -> Waiting:
    """Takes one signature, made with `key`, the signer's key on record; with the last one the statement is taken in.

    A place with an address needs `typed` too, the EIP-712 signature of that address over the same act. What the service
    refuses then is noted with its message, and no part of it is stored. Raises `DeskRefused` or `BadSignature` when the
    signature itself cannot be taken.
    """
    waiting = store.get(session, identity)
    if waiting.outcome is not Outcome.OPEN:
        raise DeskRefused("该文件已办结或已撤回。", "it has ended already")
    place = waiting.place_for(signature.by, organisation, roles)
    if place is None:
        raise DeskRefused("该文件不需要您签署，或您已签署。", "your signature is not needed, or was given already")
    if is_stale(session, waiting):
        return _finish(session, waiting, Outcome.STALE, _STALE)
    if signature.alg != SM2 or signature.key != key:
        raise BadSignature(signature.by, "不是登记在案的公钥 / not the key on record")
    if signature.role != waiting.slots[place].role:
        raise BadSignature(signature.by, f"角色应为 {waiting.slots[place].role or '–'} / signed in another role")
    if not verify_sm2(waiting.statement, signature):
        raise BadSignature(signature.by, "与内容不符 / does not match the statement")
    _check_typed(waiting, waiting.slots[place], typed)
    store.sign(session, identity, place, signature, typed)
    waiting = store.get(session, identity)
    return waiting if waiting.missing else _take_in(session, system, waiting, at)


def withdraw(session: Session, identity: str, holder: str) -> Waiting:
    """The drafter takes it back from the desk. Raises `DeskRefused`."""
    waiting = store.get(session, identity)
    if waiting.outcome is not Outcome.OPEN or waiting.drafted_by != holder:
        raise DeskRefused("只有起草人可以撤回未办结的文件。", "only its drafter may withdraw what has not ended")
    if is_bound(session, waiting):
        raise DeskRefused("定稿的合约随磋商终止，不能单独撤回。", "the agreed act ends with its negotiation")
    return _finish(session, waiting, Outcome.WITHDRAWN, "")


def decline(session: Session, identity: str, reason: str) -> Waiting:
    """Ends what waits without storing it, with a reason. Raises `DeskRefused`."""
    waiting = store.get(session, identity)
    if waiting.outcome is not Outcome.OPEN or not reason:
        raise DeskRefused("须写明理由，且文件尚未办结。", "give a reason; it must not have ended")
    return _finish(session, waiting, Outcome.REFUSED, reason)


def waits_for(session: Session, holder: str, organisation: str, roles: frozenset[str]) -> list[Waiting]:
    """What this person may sign now."""
    found = store.with_place(session, holder, organisation, roles)
    return [item for item in found if item.place_for(holder, organisation, roles) is not None]


_STALE = (
    "起草后已有人办理过同一事项，请按现状重新起草。"
    " / Somebody acted on the same subject since this was drafted; draft it anew."
)


def _check_typed(waiting: Waiting, slot: Slot, typed: Signature | None) -> None:
    """The place's address signed too, for the role of the place; nobody else did."""
    if not slot.address:
        if typed is not None:
            raise BadSignature(typed.by, "此处只需 SM2 签名 / only SM2 is asked for here")
        return
    if typed is None or typed.alg != EIP712:
        raise BadSignature(slot.by, "缺少链上签名（EIP-712） / the EIP-712 signature is missing")
    if (typed.by, typed.role) != (slot.by, slot.role) or typed.key.lower() != slot.address:
        raise BadSignature(typed.by, f"链上地址应为 {slot.address} / signed by another address, or in another role")
    if not typed_is_good(waiting.statement, typed):
        raise BadSignature(typed.by, "链上签名与内容不符 / the EIP-712 signature does not match the statement")


def _take_in(session: Session, system: System, waiting: Waiting, at: int) -> Waiting:
    try:
        with session.begin_nested():
            taken = TAKERS[waiting.statement.kind](session, system, waiting, at)
    except (Stale, Conflict):
        return _finish(session, waiting, Outcome.STALE, _STALE)
    except (RegistryError, LedgerError, ClearingError) as refusal:
        return _finish(session, waiting, Outcome.REFUSED, " / ".join(refusals.told(refusal)))
    if taken is None:
        return _finish(session, waiting, Outcome.READY, "")
    if isinstance(taken, Refusal):
        return _finish(session, waiting, Outcome.REFUSED, " / ".join(refusals.told(taken.error)))
    return _finish(session, waiting, Outcome.DONE, taken.fact.id)


def _finish(session: Session, waiting: Waiting, outcome: Outcome, text: str) -> Waiting:
    store.finish(session, waiting.id, outcome, text)
    return replace(waiting, outcome=outcome, text=text)
