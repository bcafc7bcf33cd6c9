"""担保备付 as the office sees it: who stands for whom, what is called, and what is owed to a guarantor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session

from api.apikey import Forbidden
from api.office import deals
from api.office.typed import yuan_of
from clearing.errors import BadMoney, UnknownFact
from clearing.settlement import journal, store
from clearing.settlement.cover import Asked, Standing, stands_on
from clearing.settlement.cycle import CycleMove
from clearing.settlement.payment import Batch
from ledger.errors import FieldError
from registry.calendar import text_of


@dataclass(frozen=True, slots=True)
class Row:
    """A guarantee, whether it stands today, and what the party owes the guarantor for what that has paid, fen."""

    standing: Standing
    stands: bool
    owed: int


@dataclass(frozen=True, slots=True)
class Owed:
    """What a party owes its guarantor for what that paid in the cycle of a period, fen > 0."""

    guarantor: str
    party: str
    period: str
    amount: int


@dataclass(frozen=True, slots=True)
class Called:
    """What a guarantor was asked for in a cycle, until when, and what of it is booked, fen; `due` is still awaited."""

    cycle: CycleMove
    asked: Asked
    until: int
    booked: int
    due: int
    void: bool


def rows(session: Session, operator: str, party: str, at: int) -> list[Row]:
    """The guarantees a party gave or that stand for it; all of them for the operator."""
    found = [
        one for one in store.guarantees(session, operator) if party in (operator, one.body.guarantor, one.body.party)
    ]
    balance = store.balance(session) if found else {}
    return [
        Row(
            one,
            stands_on(one.body, text_of(at)[:10]),
            journal.recourse_of(balance, one.body.party, one.body.guarantor),
        )
        for one in found
    ]


def owed(session: Session, operator: str, party: str) -> list[Owed]:
    """What is to be repaid to guarantors, as far as it concerns a party; all of it for the operator."""
    found = [Owed(*claim, amount) for claim, amount in sorted(journal.recourses(store.balance(session)).items())]
    return [one for one in found if party in (operator, one.guarantor, one.party)]


def calls(session: Session, operator: str, party: str) -> list[Called]:
    """The calls of guarantors that concern a party, the newest cycle first; all of them for the operator."""
    found = []
    for cycle in reversed(store.cycles(session)):
        for name, body in store.cover_calls(session, cycle.cycle):
            standing = store.instructions(session, name)
            for asked, order in zip(body.asked, body.batch.instructions, strict=True):
                if party in (operator, asked.guarantor, asked.party):
                    now, void = standing[order.end_to_end], not store.expected(session, order.end_to_end)
                    due = 0 if void else now.due
                    found.append(Called(cycle, asked, body.until, now.booked, due, void))
    return found


def called(session: Session, cycle: str, party: str) -> tuple[Asked, Batch]:
    """The call that stands for what a party did not bring, with its batch. Raises UnknownFact."""
    instructions = store.instructions_of(session, cycle)
    found = store.cover_call(session, cycle, instructions) if instructions else None
    for asked in found[1].asked if found else ():
        if found and asked.party == party:
            return asked, found[1].batch
    raise UnknownFact("cover call", f"{cycle}.{party}"[:200])


def require_concerned(asked: Asked, party: str, operator: str) -> None:
    """Raises Forbidden for everybody but the guarantor, its party and the operator."""
    if party not in (asked.guarantor, asked.party, operator):
        raise Forbidden("只供担保方、被担保方和运营方取用。 / For the guarantor, its party and the operator.")


def require_known(session: Session, party: str, at: int) -> None:
    """The party is on record: a code mistyped would cover nobody. Raises FieldError."""
    if party not in deals.names_of(session, {party}, at):
        raise FieldError("party", "在册单位的代码 / the code of a party on record", party[:80])


def typed(fields: Mapping[str, str]) -> tuple[str, int, str, str]:
    """(party, fen, first day, last day) somebody typed. Raises FieldError naming the field."""
    try:
        most = yuan_of(fields.get("most", "").strip())
    except BadMoney:
        expected = "元，最多两位小数；0 即终止 / yuan with at most two decimals, 0 to end it"
        raise FieldError("most", expected, fields.get("most", "")[:40]) from None
    return fields.get("party", "").strip(), most, fields.get("first", ""), fields.get("last", "")


def repaid(fields: Mapping[str, str]) -> int:
    """The fen somebody typed as repaid. Raises FieldError."""
    try:
        return yuan_of(fields.get("amount", "").strip())
    except BadMoney:
        expected = "元，最多两位小数 / yuan with at most two decimals"
        raise FieldError("amount", expected, fields.get("amount", "")[:40]) from None
