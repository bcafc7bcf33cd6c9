"""Quotes of one element side by side, and beside the guide prices the prices its agreements were concluded at.

Two kinds of price that never mix: the guide is a report's advice, the deal price stands in an agreement's terms and is
shown as agreed, in words. Nothing here copies one into the other (pricing.md rule 1, invariant 26).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from api.office import spoken
from api.office.spoken import Block
from clearing.errors import UnknownFact
from clearing.market import store as agreements
from clearing.market.agreement import State
from clearing.market.shelf import store as shelves
from clearing.money import yuan
from clearing.pricing import store
from clearing.pricing.element import store as elements
from clearing.pricing.store import QuoteRow
from clearing.pricing.telling import ADJUSTED, KINDS, RIGHTS, plain
from ledger.errors import Erased
from ledger.reading import body_of
from registry.calendar import text_of

MOST = 5
"""Quotes put side by side."""
CONCLUDED = frozenset(State) - {State.NONE, State.PENDING}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing the quotes say, a text for each of them; `differs`: they do not all say the same."""

    label: str
    texts: tuple[str, ...]
    group: str = ""

    @property
    def differs(self) -> bool:
        return len(set(self.texts)) > 1


@dataclass(frozen=True, slots=True)
class Deal:
    """An agreement over the element: its price as agreed, in words. `agreement` is its id, `listing` what is sold."""

    agreement: str
    product: str
    state: str
    effective: int
    expiry: int
    unit: str
    price: tuple[Block, ...]


def rows(reports: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """Method, inputs, intermediate values and prices of the reports, row by row."""
    return tuple(Row(label, tuple(texts), group) for group, label, texts in _rows(reports))


def deals_of(session: Session, organisation: str, element: str, quotes: Sequence[QuoteRow]) -> tuple[Deal, ...]:
    """The agreements this organisation is a party of whose licensed product is the element.

    A listing is the element's when the version licensed cites one of its guide prices, or rests on the element's own
    certificate.
    """
    known = elements.versions(session, element.removeprefix("element:"))
    certificates = {row.value.certificate for row in known} - {""}
    guides = {text for row in quotes for text in (row.fact_id, row.quote.report_id, row.quote.report.sha256)}
    found = []
    for row in agreements.agreements(session, party=organisation):
        if row.state not in CONCLUDED:
            continue
        try:
            terms = agreements.terms_of(session, row.id, row.revision)
        except (Erased, UnknownFact):
            continue
        listing = shelves.version_of(session, row.listing, terms.product.digest)
        if listing is None or (listing.guide_price not in guides and listing.certificate not in certificates):
            continue
        document = {"tariff": body_of(terms.settlement.tariff), "tax": body_of(terms.settlement.tax)}
        found.append(
            Deal(row.id, listing.name, row.state.value, row.effective, row.expiry, terms.settlement.tariff.unit,
                 spoken.blocks(document, "settlement", {}))
        )  # fmt: skip
    return tuple(found)


def of_element(session: Session, issuer: str, element: str) -> list[QuoteRow]:
    """The quotes of an element that this party ("party:⟨USCC⟩") has issued."""
    return [row for row in store.quotes_of(session, element) if row.quote.issuer == issuer]


def _rows(reports: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[str]]]:
    def each(group: str, label: str, said: Any) -> tuple[str, str, list[str]]:
        return group, label, [said(item) for item in reports]

    def step(label: str, name: str, unit: str = "") -> tuple[str, str, list[str]]:
        return each("计算过程", label, lambda item: _value(item["intermediate"].get(name), unit))

    names = dict.fromkeys(item["name"] for report in reports for item in report["intermediate"].get("adjustments", ()))
    scores = [item["name"] for item in reports[0]["intermediate"]["scores"]]
    return [
        each("口径与场景", "元件版本", lambda item: f"第 {item['identity']['element']['version']} 版"),
        each("口径与场景", "定价口径", lambda item: _policy(item["method"]["policy"])),
        each("口径与场景", "定价时点", lambda item: _moment(item["identity"]["as_of"])),
        each("口径与场景", "有效至", lambda item: _moment(item["identity"]["valid_until"])),
        each("口径与场景", "场景", lambda item: item["identity"]["scene"]),
        each("口径与场景", "授予的权利", lambda item: RIGHTS.get(item["identity"]["right"], item["identity"]["right"])),
        each("口径与场景", "计费单位", _billing),
        each("数据", "数据文件 SHA-256", lambda item: item["inputs"]["data"]["digest"]["sha256"][:16] + "…"),
        each("数据", "行数", lambda item: str(item["inputs"]["data"]["rows"])),
        *(
            each("质量", name, lambda item, at=at: plain(item["intermediate"]["scores"][at]["score"]))
            for at, name in enumerate(scores)
        ),
        each("质量", "等级", lambda item: item["intermediate"]["grade"]),
        step("V(N)", "V"), step("Q(Z)", "Q"), step("信息熵 E", "E"), step("信息密度 D", "D"), step("I = V·Q·D", "I"),
        each("计算过程", "单位信息价值", lambda item: f"{yuan(item['inputs']['unit_value']['fen'])} 元"),
        step("信息价值 u·I", "value_fen", "分"),
        each("计算过程", "数据成本", lambda item: f"{yuan(item['inputs']['cost']['data_cost_fen'])} 元"),
        each("计算过程", "模型成本", lambda item: f"{yuan(item['inputs']['cost']['model_cost_fen'])} 元"),
        step("元件成本 Cy", "Cy", "分"), step("g", "g", "分"),
        each("计算过程", "预期收益率 r", lambda item: plain(item["inputs"]["expected_return"])),
        step("P1", "P1", "分"), step("历史价权重 λ", "history_weight"), step("历史参考价 C0", "C0_fen", "分"),
        *(
            each("计算过程", f"{ADJUSTED[name]} 的系数", lambda item, name=name: _factor(item, name))
            for name in names
        ),
        step("市场评估价 P''", "assessment", "分"),
        each("计算过程", "市场调节因子 β", lambda item: item["inputs"].get("market_factor", {}).get("value", "—")),
        step("P2", "P2", "分"),
        each("价格", "协议指导价 P1", lambda item: f"{yuan(item['result']['agreed_guide_fen'])} 元"),
        each("价格", "竞价指导价 P2", lambda item: _fen(item["result"].get("bidding_guide_fen"))),
        each("价格", "指导价", lambda item: f"{yuan(item['result']['guide_fen'])} 元"),
        each("价格", "种类", lambda item: KINDS[item["identity"]["kind"]]),
    ]  # fmt: skip


def _value(value: Any, unit: str) -> str:
    return "—" if value is None else f"{plain(str(value))} {unit}".strip()


def _fen(value: int | None) -> str:
    return "—" if value is None else f"{yuan(value)} 元"


def _policy(policy: Mapping[str, Any]) -> str:
    return f"{policy['id']}，第 {policy['version']} 版（{policy['digest']['sha256'][:8]}…）"


def _billing(report: Mapping[str, Any]) -> str:
    billing = report["identity"]["billing"]
    return f"每 {billing['size']} {billing['unit']}，不含税"


def _moment(at: int) -> str:
    return text_of(at)[:19].replace("T", " ")


def _factor(report: Mapping[str, Any], name: str) -> str:
    found = [item for item in report["intermediate"].get("adjustments", ()) if item["name"] == name]
    return f"x = {plain(found[0]['x'])}，系数 {plain(found[0]['factor'])}" if found else "—"
