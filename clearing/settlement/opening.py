"""A cycle begins: it is opened, then cut off, which fixes the records it counts."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.errors import WrongMove
from clearing.settlement import cycle as cycles
from clearing.settlement import store
from clearing.settlement.cycle import CycleMove, State
from clearing.settlement.office import Office, advance, state_move
from clearing.terms import Period
from clearing.usage.service import open_findings
from ledger.reading import read


def open_cycle(session: Session, office: Office, *, operator: str, period: Period, grace: int, at: int) -> CycleMove:
    """Open the cycle of one period. The same call again returns the cycle; another grace raises Conflict."""
    move = cycles.opened(operator, period, grace)
    fact = state_move(session, office, move, at, no=0)
    return read(CycleMove, fact.body)


def cut_off(session: Session, office: Office, *, cycle: str, high_water: int, at: int) -> CycleMove:
    """Fix the set of records: the first `high_water` log entries.

    Raises TooEarly before period end + grace, and WrongMove while a gap or fork in the records of a connector concerned
    is neither mended nor explained (D9).
    """
    now = store.cycle(session, cycle)
    if now.state is State.OPEN and at >= now.until:
        waiting = [str(item) for item in open_findings(session, now.start, now.end)]
        if waiting:
            raise WrongMove(
                cycle, "缺号与分叉已补齐或说明 / every gap and fork mended or explained", "; ".join(waiting)
            )
    return advance(session, office, now, State.CUT_OFF, at, high_water=high_water)
