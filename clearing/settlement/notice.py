"""净额通知, part B: a party's net position with the proof that all of its obligations and only those are in.

It names part A and lists what of part A was left out, with the reason. It is checked, not voted on.
Source: domain clearing §1 row 8, §8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearing.settlement import netting
from clearing.settlement.netting import Position, Proof, Sum
from clearing.settlement.statement import Obligation


@dataclass(frozen=True, slots=True)
class Held:
    """An obligation that is not netted this time and why: `unconfirmed` until both sides confirmed their statement."""

    debtor: str
    creditor: str
    amount: int
    reason: str


@dataclass(frozen=True, slots=True)
class PartB:
    """The body of a notice fact. `statement` and `netting` are fact ids; `root` is the whole run's sum root."""

    cycle: str
    operator: str
    period: str
    party: str
    currency: str
    statement: str
    netting: str
    gross: int
    position: Position
    root: Sum
    proof: Proof
    held: tuple[Held, ...]


def check(notice: PartB, obligations: Sequence[Obligation]) -> None:
    """What the participant does: its own part A obligations minus the held ones must rebuild the proof.

    Raises ProofRefused with the step of `netting.check_proof`.
    """
    left_out = {(item.debtor, item.creditor) for item in notice.held}
    own = [item for item in obligations if (item.debtor, item.creditor) not in left_out]
    netting.check_proof(own, notice.proof, notice.root, notice.gross, notice.position.net)
