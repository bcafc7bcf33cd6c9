"""A 数据元件 of the made-up market: its versions, who signs what about it, and the facts on their way in."""

from __future__ import annotations

from typing import Any

from clearing.market.product import DataField, ElementForm
from clearing.pricing.element import service, store
from clearing.pricing.element.element import (
    DEVELOPER,
    ELEMENT_MOVE,
    ELEMENT_VERSION,
    REVIEWER,
    Desensitisation,
    ElementMove,
    ElementVersion,
    Metadata,
    Move,
    Source,
    identity_of,
    subject_of,
)
from clearing.pricing.element.moves import State
from clearing.pricing.policies import DEMO_DOMAIN
from ledger import sm
from ledger.store import Appended
from registry.asset import DataForm, Twin, UpdateRate, Volume
from registry.rights import Right
from tests.clearing.market.house import CODE, COURT, DAY, NOW, OPERATOR, SELLER, House

ID = identity_of("7QK2M0ZB4X9T1C8R5LA")
PAPER, OTHER = Twin("a" * 64, "b" * 64), Twin("c" * 64, "d" * 64)
SCENE = "运行分析"

DEV, CLERK, SECOND = (f"party:{SELLER}", ""), ("staff:dev1", DEVELOPER), ("staff:dev2", DEVELOPER)
REV, OWN = ("staff:elrev", REVIEWER), ("staff:own", REVIEWER)
FORCE = (f"party:{COURT}", "")


def source_of(**changes: Any) -> Source:
    fields: dict[str, Any] = {
        "resource": "resource:flights", "certificate": CODE, "rights": (Right.HOLD, Right.USE),
        "scenes": (SCENE, "演示"), "valid_from": NOW - 30 * DAY,
    }  # fmt: skip
    return Source(**fields | changes)


def metadata_of(**changes: Any) -> Metadata:
    fields: dict[str, Any] = {
        "overview": "各机场分时延误（演示）", "keywords": ("航班", "延误"),
        "fields": (DataField("origin", "出发机场", "text"), DataField("mean_delay", "平均延误", "integer")),
        "time_from": "2025-01-01", "time_to": "2025-12-31", "region": "全国", "update": UpdateRate.MONTH,
        "volume": Volume("1000", "条"), "digest": PAPER,
    }  # fmt: skip
    return Metadata(**fields | changes)


def version_of(**changes: Any) -> ElementVersion:
    fields: dict[str, Any] = {
        "version": 1, "developer": SELLER, "name": "演示分时延误特征", "type": DataForm.TABLE,
        "form": ElementForm.FEATURE, "domain": DEMO_DOMAIN, "metadata": metadata_of(), "sources": (source_of(),),
        "scenes": (SCENE,), "desensitisation": Desensitisation("k 匿名（演示）", "k = 10", PAPER, "演示评估机构"),
        "quality": PAPER, "cost": PAPER, "security": PAPER,
    }  # fmt: skip
    return ElementVersion(**fields | changes)


def body_for(move: Move, version: int = 1, **changes: Any) -> ElementMove:
    """A move with exactly what it must carry."""
    needs: dict[Move, dict[str, Any]] = {
        Move.REJECT: {"reason": "质量报告不全"}, Move.PASS: {"review": PAPER}, Move.DELIST: {"reason": "停止运营"},
    }  # fmt: skip
    return ElementMove(move, version, **needs.get(move, {}) | changes)


class Workshop:
    """The house with two clerks of the developer, a reviewer of the operator, and one of the developer's own."""

    def __init__(self, house: House) -> None:
        self.house, self.session = house, house.session
        self.keys = {f"party:{party}": keys.sm2 for party, keys in house.keys.items()}
        for (by, role), organisation in ((CLERK, SELLER), (SECOND, SELLER), (REV, OPERATOR), (OWN, SELLER)):
            self.keys[by] = sm.generate()
            house.hire(by.removeprefix("staff:"), self.keys[by], role, organisation)
        self.session.flush()

    def state(self, value: ElementVersion | None = None, who: tuple[str, str] = DEV, at: int = NOW) -> Appended:
        signed = self.house.signed(ELEMENT_VERSION, subject_of(ID), value or version_of(), who[0], self.keys[who[0]])
        return service.state(self.session, signed, at=at)

    def move(self, move: Move, who: tuple[str, str], version: int = 1, at: int = NOW, **changes: Any) -> Appended:
        body, (by, role) = body_for(move, version, **changes), who
        signed = self.house.signed(ELEMENT_MOVE, subject_of(ID), body, by, self.keys[by], role)
        return service.move(self.session, signed, operator=OPERATOR, at=at)

    def to(self, state: State, version: int = 1, **changes: Any) -> Workshop:
        """The version, stated and led to this state."""
        self.state(version_of(version=version, **changes))
        steps = {State.DEVELOPING: 0, State.REVIEW: 1, State.PUBLISHED: 2, State.DELISTED: 3}[state]
        for move, who in ((Move.SUBMIT, CLERK), (Move.PASS, REV), (Move.DELIST, DEV))[:steps]:
            self.move(move, who, version)
        return self

    def stands(self, version: int = 1) -> State:
        return store.version(self.session, ID, version).case.state

    def timers(self, at: int = NOW) -> int:
        return service.run_timers(self.session, self.house.operator, at=at)
