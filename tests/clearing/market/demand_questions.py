"""Demands of many scripts and sorts, and an answer to each question that uses no index."""

from __future__ import annotations

from clearing.market.demand.demand import Demand, Move, Scene, Visibility
from clearing.market.demand.store import Wanted
from clearing.market.listing import ProductType
from tests.clearing.market.demands import Desk, demand_of, wanted_of
from tests.clearing.market.house import NOW
from tests.clearing.market.shelf_questions import NAMES, WORDS, words_of

FILTERS: tuple[dict[str, object], ...] = (
    {}, {"sector": "J66"}, {"scene": Scene.STRATEGY}, {"output": ProductType.API}, {"all_shown": True},
    {"sector": "G56", "output": ProductType.DATASET}, {"scene": Scene.PREDICTION, "all_shown": True},
)  # fmt: skip
__all__ = ["FILTERS", "WORDS", "answers", "fill"]


def made(number: int, name: str) -> Demand:
    """Demand number `number`: sectors, scenes and outputs in turn."""
    scenes, outputs = tuple(Scene), (ProductType.API, ProductType.DATASET, ProductType.REPORT)
    return demand_of(
        title=name, sector=("G56", "J66")[number % 2], scene=scenes[number % 4], step=f"环节{number}", metric="指标",
        wanted=wanted_of(theme=f"主题{number % 3}", fields=(f"字段{number}",)), output=outputs[: number % 4],
        visibility=Visibility.PARTIES if number % 7 == 6 else Visibility.PUBLIC,
    )  # fmt: skip


def fill(desk: Desk) -> dict[str, tuple[Demand, bool]]:
    """States and checks them, leaves every fifth a draft, closes every fourth; (demand, looked after) by id, in the
    order they were checked."""
    shown: dict[str, tuple[Demand, bool]] = {}
    for number, name in enumerate(NAMES):
        value, identity = made(number, name), f"{number + 100:032x}"
        desk.take(identity, value)
        if number % 5 == 4:
            continue
        desk.move(identity, Move.CHECK, at=NOW + number)
        if number % 4 == 3:
            desk.move(identity, Move.CLOSE, at=NOW + number)
        if value.visibility is Visibility.PUBLIC:
            shown[identity] = (value, number % 4 != 3)
    return shown


def answers(shown: dict[str, tuple[Demand, bool]], wanted: Wanted) -> list[str]:
    """Latest first, by looking at every demand: every word in some field, as the search folds both."""
    words = words_of(wanted.words)[:8]
    if wanted.words.strip() and not words:
        return []
    return [
        identity for identity, (value, open_) in reversed(shown.items())
        if (open_ or wanted.all_shown)
        and (not wanted.sector or value.sector == wanted.sector)
        and (not wanted.scene or value.scene is wanted.scene)
        and (not wanted.output or wanted.output in value.output)
        and all(any(word in run for run in _searched(value)) for word in words)
    ]  # fmt: skip


def _searched(value: Demand) -> list[str]:
    wanted = value.wanted
    texts = (value.title, value.step, value.metric, wanted.theme, *wanted.fields, value.purpose, value.scenario)
    return [run for text in texts for run in words_of(text)]
