"""The states of one due and the moves between them: this table, and everything else is refused with its reason.

应缴核定 → 缴款通知 → 缴款到账 → 财政电子票据 → 用途清分 → 台账; 退付 after it, 撤销 before the payment. Source: domain
clearing §6.
"""

from __future__ import annotations

from enum import StrEnum

from clearing.errors import WrongMove


class State(StrEnum):
    """Where a due stands."""

    ASSESSED = "assessed"  # 应缴核定
    NOTIFIED = "notified"  # 缴款通知
    PAID = "paid"  # 缴款到账; tickets may be there, but do not add up to it yet
    TICKETED = "ticketed"  # 财政电子票据: they add up; some may be allocated
    ALLOCATED = "allocated"  # 用途清分: all of it stands in the 台账
    REFUNDING = "refunding"  # 退付: decided, not paid
    REFUNDED = "refunded"  # 已全额退付
    WITHDRAWN = "withdrawn"  # 撤销核定


class Move(StrEnum):
    """What is stated about a due."""

    ASSESS = "assess"
    WITHDRAW = "withdraw"
    NOTIFY = "notify"
    PAY = "pay"
    TICKET = "ticket"
    ALLOCATE = "allocate"
    REFUND = "refund"
    PAY_BACK = "pay_back"


STATE_NAMES = {
    State.ASSESSED: "应缴核定",
    State.NOTIFIED: "缴款通知",
    State.PAID: "缴款到账",
    State.TICKETED: "财政电子票据",
    State.ALLOCATED: "用途清分",
    State.REFUNDING: "退付中",
    State.REFUNDED: "已全额退付",
    State.WITHDRAWN: "撤销核定",
}
MOVE_NAMES = {
    Move.ASSESS: "应缴核定",
    Move.WITHDRAW: "撤销核定",
    Move.NOTIFY: "缴款通知",
    Move.PAY: "缴款到账",
    Move.TICKET: "财政电子票据",
    Move.ALLOCATE: "用途清分",
    Move.REFUND: "退付",
    Move.PAY_BACK: "退付到账",
}
TABLE: dict[tuple[State | None, Move], tuple[State, State]] = {
    (None, Move.ASSESS): (State.ASSESSED, State.ASSESSED),
    (State.ASSESSED, Move.NOTIFY): (State.NOTIFIED, State.NOTIFIED),
    (State.ASSESSED, Move.WITHDRAW): (State.WITHDRAWN, State.WITHDRAWN),
    (State.NOTIFIED, Move.PAY): (State.PAID, State.PAID),
    (State.NOTIFIED, Move.WITHDRAW): (State.WITHDRAWN, State.WITHDRAWN),
    (State.PAID, Move.TICKET): (State.PAID, State.TICKETED),
    (State.TICKETED, Move.ALLOCATE): (State.TICKETED, State.ALLOCATED),
    (State.ALLOCATED, Move.REFUND): (State.REFUNDING, State.REFUNDING),
    (State.REFUNDING, Move.PAY_BACK): (State.ALLOCATED, State.REFUNDED),
}
"""(state, move) → the state after it while something of its sort is left to do, and when nothing is."""


def after(due: str, state: State | None, move: Move, *, complete: bool) -> State:
    """The state after a move; `complete`: nothing of its sort is left. Raises WrongMove with the states it needs."""
    found = TABLE.get((state, move))
    if found is None:
        needed = [STATE_NAMES[known] if known else "无 / none" for known, other in TABLE if other is move]
        now = "无 / none" if state is None else f"{STATE_NAMES[state]} / {state}"
        raise WrongMove(due, f"{MOVE_NAMES[move]} / {move}: {' | '.join(needed)}", now)
    return found[1] if complete else found[0]
