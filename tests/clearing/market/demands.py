"""Demands for tests: one that holds together, and the house's parties working on it."""

from __future__ import annotations

import secrets

from clearing.market.demand import service, store
from clearing.market.demand.demand import (
    DEMAND,
    DEMAND_BUDGET,
    DEMAND_MOVE,
    OFFICER,
    Budget,
    Demand,
    DemandMove,
    Evaluation,
    Figures,
    Link,
    Move,
    Part,
    Reason,
    Reported,
    Scene,
    Sort,
    Visibility,
    Wanted,
)
from clearing.market.demand.store import DemandRow
from clearing.market.product import Environment, Level, Mode, Period
from ledger import sm
from ledger.facts import Signed
from registry.calendar import day_of
from tests.clearing.market.house import CONSUMER, DAY, NOW, OPERATOR, SELLER, House

DEADLINE = day_of(NOW + 90 * DAY).isoformat()
DUE = day_of(NOW + 30 * DAY).isoformat()
FIGURES = Figures(1, "4.00", 0, 0, 0, 0)
CARRIED: dict[Move, dict[str, object]] = {
    Move.SPLIT: {"parts": (Part("延误特征", SELLER, DUE),)},
    Move.REASSIGN: {"number": 0, "part": Part("延误特征", SELLER, DUE)},
    Move.ESCALATE: {"number": 0, "rule": "演示规则"},
    Move.CLAIM: {"number": 0},
    Move.LINK: {"number": 0, "link": Link(promise="下月上架", due=DUE)},
    Move.EVALUATE: {"evaluation": Evaluation(4, True, True)},
    Move.ANALYSE: {"figures": FIGURES},
    Move.REPORT: {"reported": Reported("省级平台（演示）", "演示-1", DUE)},
    Move.WITHDRAW: {"code": Reason.NOT_NEEDED},
    Move.CLOSE: {"code": Reason.NO_SOURCE, "reason": "没有来源"},
}
"""What each move must carry; the others need nothing."""


def wanted_of(**changes: object) -> Wanted:
    fields: dict[str, object] = {
        "sort": Sort.SOCIAL, "theme": "航空运输", "fields": ("出发机场", "平均延误"), "time_from": "2025-01-01",
        "time_to": "2025-12-31", "region": "全国", "period": Period.DAY,
    }  # fmt: skip
    return Wanted(**fields | changes)  # type: ignore[arg-type]


def demand_of(**changes: object) -> Demand:
    fields: dict[str, object] = {
        "demander": CONSUMER, "title": "机场延误预测所需特征", "sector": "G56", "scene": Scene.PREDICTION,
        "step": "运行控制", "metric": "延误预测准确率", "wanted": wanted_of(), "purpose": "research",
        "ceiling": Level.GENERAL, "deadline": DEADLINE, "visibility": Visibility.PUBLIC, "modes": (Mode.API,),
        "environments": (Environment.OWN,),
    }  # fmt: skip
    return Demand(**fields | changes)  # type: ignore[arg-type]


class Desk:
    """The house with a demand officer of the operator."""

    def __init__(self, house: House) -> None:
        self.house, self.officer = house, sm.generate()
        house.hire("dem1", self.officer, OFFICER)
        house.session.flush()

    def make(self, identity: str, value: Demand, by: str = "") -> Signed:
        who = by or value.demander
        key = self.house.keys[who].sm2
        return self.house.signed(DEMAND, f"demand:{identity}", value, f"party:{who}", key)

    def state(self, identity: str = "", at: int = NOW, **changes: object) -> str:
        return self.take(identity or secrets.token_hex(16), demand_of(**changes), at)

    def take(self, identity: str, value: Demand, at: int = NOW) -> str:
        service.state(self.house.session, self.make(identity, value), at=at)
        return identity

    def budget(self, identity: str, low: int, high: int, by: str = CONSUMER, at: int = NOW) -> None:
        key = self.house.keys[by].sm2
        signed = self.house.signed(
            DEMAND_BUDGET, f"demand-budget:{identity}", Budget(low, high), f"party:{by}", key
        )  # fmt: skip
        service.set_budget(self.house.session, signed, at=at)

    def signed(self, identity: str, body: DemandMove, by: str) -> Signed:
        """A move by a party (USCC), or by the officer ("")."""
        if by:
            key, name, role = self.house.keys[by].sm2, f"party:{by}", ""
        else:
            key, name, role = self.officer, "staff:dem1", OFFICER
        return self.house.signed(DEMAND_MOVE, f"demand:{identity}", body, name, key, role)

    def move(self, identity: str, move: Move, by: str = "", at: int = NOW, **carried: object) -> Signed:
        body = DemandMove(move, **{**CARRIED.get(move, {}), **carried})  # type: ignore[arg-type]
        signed = self.signed(identity, body, by)
        service.move(self.house.session, signed, operator=OPERATOR, signer=self.house.operator, at=at)
        return signed

    def row(self, identity: str) -> DemandRow:
        return store.demand(self.house.session, identity)

    def to_linked(self, identity: str, at: int = NOW) -> None:
        for move, by in (
            (Move.CHECK, ""), (Move.MERGE, ""), (Move.SPLIT, ""), (Move.CLAIM, SELLER), (Move.LINK, SELLER),
        ):  # fmt: skip
            self.move(identity, move, by, at)
