"""After a return 退汇: a new instruction with an id of its own, linked to the one that came back.

The claim stands open in PAY again; what is paid anew never reuses the old id, so a second booking of the old one is
found. The account is the one then on record: corrected, or the same once the payee has settled it with its bank.
Source: domain clearing §10.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from clearing.errors import BadTerms
from clearing.settlement.payment import BankAccount, Batch, Direction, Instruction, check_account


@dataclass(frozen=True, slots=True)
class Reissue:
    """A new instruction and the id of the returned one it replaces."""

    instruction: Instruction
    replaces: str


@dataclass(frozen=True, slots=True)
class ReissueOrder:
    """The body of a payment-reissue fact, signed by two persons: the batch to release, and for each of its instructions
    in order the id of the returned one it replaces."""

    batch: Batch
    replaces: tuple[str, ...]


def reissued(instruction: Instruction, account: BankAccount) -> Reissue:
    """The instruction that pays a returned one again. Its id follows from the old one and the account: a resend has the
    same one, and a second return another.

    Raises BadTerms for a funding, which is never returned to us, or an account no bank could use.
    """
    if instruction.direction is not Direction.PAYOUT:
        raise BadTerms("direction", Direction.PAYOUT, instruction.direction)
    check_account(account, f"accounts.{instruction.party}")
    told = "|".join((instruction.end_to_end, account.code, account.number, account.name))
    end_to_end = "SQ" + hashlib.sha256(told.encode()).hexdigest()[:32].upper()
    return Reissue(replace(instruction, end_to_end=end_to_end, account=account), instruction.end_to_end)
