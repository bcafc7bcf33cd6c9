"""The forms of what is stated about service orders, but for scores (`score_forms`): their fields, and back to a body.

A form knows no rule: it says beside a field what cannot be read, and the service judges the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from api.office.fields import rows
from api.office.moves import papers_of
from api.office.typed import Typed
from api.office.widgets import Group, Widget
from clearing import money
from clearing.settlement.service_order.overview import CycleView, OrderView, Overview
from clearing.settlement.service_order.pass_through import Fee
from clearing.settlement.service_order.settling import advance
from clearing.settlement.service_order.statements import happening
from ledger.errors import FieldError
from ledger.reading import body_of

FEES = {Fee.SUPERVISION: "监理费", Fee.SECURITY: "数据安全费", Fee.REVIEW: "工程结算审核费", Fee.AUDIT: "财务审计费"}
MOST_ROWS = 60
FIGURE = r"(0|[1-9][0-9]{0,11})(\.[0-9]{0,7}[1-9])?"
SHAPES = {
    "month": ("2[0-9]{3}-(0[1-9]|1[0-2])", "请填写月份，如 2026-03。", "A month, like 2026-03."),
    "cycle": ("[0-9A-Za-z-]{1,40}", "请填写字母、数字和短横线，最多 40 个。", "Letters, digits and hyphens."),
    "bank": ("[0-9]{12}", "请填写 12 位联行号。", "12 digits."),
    "figure": (FIGURE, "请填写数字，末位不为零，如 75 或 0.5。", "A number, like 75 or 0.5."),
    "entry": ("[0-9A-Za-z/-]{1,64}", "请填写字母、数字、斜线和短横线，最多 64 个。", "Letters, digits, / and -."),
}
"""How some texts are written, and what is said where they are not."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a form is filled in on: the contract, its id, and what the form is about ("new", an order, a month or a
    项目周期)."""

    id: str
    held: Overview
    about: str

    @property
    def order(self) -> OrderView:
        """The order it is about."""
        return next(one for one in self.held.orders if one.id == self.about)

    @property
    def cycle(self) -> CycleView:
        """The 项目周期 it is about."""
        return next(one for one in self.held.cycles if one.name == self.about)


@dataclass(frozen=True, slots=True)
class Read:
    """What was filled in: the body's own fields, and which row of the form each entry of a list came from."""

    own: dict[str, Any]
    places: dict[str, list[int]] = field(default_factory=dict)


Laid = Callable[[Ground, Mapping[str, str]], tuple[Group, ...]]
Reader = Callable[[Ground, Typed], Read]


def filled_rows(typed: Typed, group: str) -> Iterator[tuple[int, str]]:
    """(number, prefix "items.0") of each row in which anything stands."""
    return (
        (place, f"{group}.{place}")
        for place in _numbers({k: v for k, v in typed.values.items() if v not in ("", "[]")}, group)
    )


def row_count(values: Mapping[str, str], group: str, least: int = 1) -> int:
    """How many rows of a repeated group are shown."""
    return max([least, *(place + 1 for place in _numbers(values, group))])


def _numbers(values: Mapping[str, str], group: str) -> list[int]:
    found = (re.fullmatch(rf"{group}\.([0-9]{{1,2}})\..+", name) for name in values)
    return sorted({int(one[1]) for one in found if one and int(one[1]) < MOST_ROWS})


def with_row(values: Mapping[str, str], group: str, name: str, least: int = 1) -> dict[str, str]:
    """The fields with one row more, within the limit; rows are numbered anew."""
    held = rows(values, group)
    held += [{name: ""}] * max(0, least - len(held)) + ([{name: ""}] if len(held) < MOST_ROWS else [])
    rest = {key: text for key, text in values.items() if not key.startswith(f"{group}.")}
    return rest | {f"{group}.{place}.{key}": text for place, row in enumerate(held) for key, text in row.items()}


def filled(widgets: tuple[Widget, ...], values: Mapping[str, str], prefix: str = "") -> tuple[Widget, ...]:
    """Widgets under a prefix with what has been typed; what has not been keeps its default."""
    named = (item if not prefix else replace(item, name=f"{prefix}.{item.name}") for item in widgets)
    return tuple(item if item.kind == "fixed" else _filled(item, values.get(item.name, item.value)) for item in named)


def _filled(item: Widget, text: str) -> Widget:
    """A choice shows what it offers and nothing else: another value would look like its first."""
    offered = item.kind != "choice" or text in (value for value, _ in item.options)
    return replace(item, value=text if offered else "")


def paper(typed: Typed, name: str, *, required: bool = True) -> dict[str, Any] | None:
    """The twin digest of the one paper listed in a field."""
    try:
        found = papers_of(typed.values.get(name, ""), name)
    except FieldError:
        found = ()
    if len(found) > 1 or (required and not found):
        typed.wrong(name, "请列入一份文件。", "One paper.")
    return body_of(found[0].digest) if len(found) == 1 else None


def written(typed: Typed, name: str, shape: str) -> str:
    """A text of one of `SHAPES`."""
    text = typed.text(name)
    pattern, zh, en = SHAPES[shape]
    if text and not re.fullmatch(pattern, text):
        typed.wrong(name, zh, en)
    return text


def fact(typed: Typed, name: str, contract: str) -> str:
    """The id of what happened: typed as 64 hex digits, or made from the words that name it in this contract."""
    said = typed.text(name)
    known = len(said) == 64 and not said.strip("0123456789abcdef")
    return said if known else happening(contract, said)


PAPER = Widget("document", "文件", "Paper", "papers", required=True)
FACT = Widget(
    "fact", "事实", "What happened", required=True,
    help="给这件事起一个名称，如“3 月 12 日机房断电”；同一件事在各表填同一名称，或填它的 64 位编号。",
)  # fmt: skip


def _choose(name: str, zh: str, en: str, options: Mapping[str, str], value: str = "") -> Widget:
    return Widget(name, zh, en, "choice", tuple(options.items()), True, value=value if value in options else "")


# Orders ---------------------------------------------------------------------------------------------------------------

_ITEM = (
    Widget("code", "编号", "Code", required=True, most=64),
    Widget("name", "服务项", "Service", required=True, most=64),
    Widget("price", "单价（元）", "Price", "number", required=True, most=20),
    Widget("per", "每多少单位计价", "Per units", "number", most=16, value="1"),
    Widget("quantity", "下达数量", "Quantity", "number", required=True, most=16),
)


def _place_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    name = Widget("name", "服务单编号或名称", "Name", required=True, most=64)
    count = row_count(values, "items", 3)
    told = "空行不计；单价不足一分的，写成每若干单位多少元。"
    last = (("more.items.code.3", "添加一项", "One more"),)
    return (
        Group("服务单", "Order", filled((name,), values)),
        *(Group(f"服务项 {n + 1}", f"Item {n + 1}", filled(_ITEM, values, f"items.{n}"), anchor=f"items.{n}",
                help="" if n else told, acts=last if n == count - 1 else ())
          for n in range(count)),
    )  # fmt: skip


def _place_read(ground: Ground, typed: Typed) -> Read:
    items, places = [], []
    for place, at in filled_rows(typed, "items"):
        if not any(typed.values.get(f"{at}.{name}") for name in ("code", "name", "price", "quantity")):
            continue
        items.append({
            "code": typed.text(f"{at}.code", most=64), "name": typed.text(f"{at}.name", most=64),
            "price": typed.yuan(f"{at}.price") or 0, "per": typed.number(f"{at}.per", 1, blank=1),
            "quantity": typed.number(f"{at}.quantity", 1),
        })  # fmt: skip
        places.append(place)
    if not items:
        typed.wrong("items.0", "请至少填写一项服务。", "At least one item.")
    return Read({"name": typed.text("name", most=64), "items": items}, {"items": places})


def _accept_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    laid = []
    for place, item in enumerate(ground.order.sheet.items):
        whole = str(item.quantity)
        asked = (
            Widget("claimed", "中标人申报数量", "Claimed", "number", required=True, most=16, value=whole),
            Widget("accepted", "验收数量", "Accepted", "number", required=True, most=16, value=whole,
                   help=f"下达 {item.quantity}；只按验收数量计费。"),
        )  # fmt: skip
        at = f"accepted.{place}"
        laid.append(Group(f"{item.code} {item.name}", "Item", filled(asked, values, at), anchor=at))
    return (*laid, Group("验收文件", "The acceptance", filled((PAPER,), values)))


def _accept_read(ground: Ground, typed: Typed) -> Read:
    items = ground.order.sheet.items
    accepted = [
        {"code": item.code, "claimed": typed.number(f"accepted.{place}.claimed"),
         "accepted": typed.number(f"accepted.{place}.accepted")}
        for place, item in enumerate(items)
    ]  # fmt: skip
    own = {"accepted": accepted, "document": paper(typed, "document")}
    return Read(own, {"accepted": list(range(len(items)))})


def _zero_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    return (Group("决定文书", "The decision", filled((PAPER,), values)),)


def _zero_read(ground: Ground, typed: Typed) -> Read:
    return Read({"document": paper(typed, "document")})


# Months and incidents -------------------------------------------------------------------------------------------------


def _waive_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    months = {one.month: one.month for one in ground.held.months if one.waiver is None}
    asked = (_choose("month", "月份", "Month", months, ground.about), PAPER)
    return (Group("免除决定", "The decision", filled(asked, values)),)


def _waive_read(ground: Ground, typed: Typed) -> Read:
    months = {one.month: one.month for one in ground.held.months} or {"2000-01": ""}
    return Read({"month": typed.choice("month", months), "document": paper(typed, "document")})


def _incident_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    kinds = {str(row.number): f"第 {row.number} 项 {row.name}" for row in ground.held.contract.scheme.incidents}
    asked = (_choose("number", "事故条目", "Row of 5.5.2", kinds), FACT, replace(PAPER, zh="监理认定文件"))
    return (Group("重大事故", "Incident", filled(asked, values)),)


def _incident_read(ground: Ground, typed: Typed) -> Read:
    kinds = {str(row.number): row.name for row in ground.held.contract.scheme.incidents}
    number, document = int(typed.choice("number", kinds)), paper(typed, "document")
    return Read({"number": number, "fact": fact(typed, "fact", ground.id), "document": document})


# 项目周期 -----------------------------------------------------------------------------------------------------------


def _cycle_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    asked = (
        Widget("cycle", "项目周期名称", "Name", required=True, most=40, help="字母、数字和短横线，如 2026-1。"),
        Widget(
            "first", "起始月", "First month", required=True, most=7, value=ground.held.running[0], help="如 2026-03"
        ),
        Widget("last", "截止月", "Last month", required=True, most=7, help="如 2026-08；须已过完。"),
        replace(PAPER, name="report", zh="服务验收报告"),
    )
    return (Group("项目周期服务验收", "Acceptance", filled(asked, values)),)


def _cycle_read(ground: Ground, typed: Typed) -> Read:
    names = {name: written(typed, name, "cycle" if name == "cycle" else "month") for name in ("cycle", "first", "last")}
    return Read({**names, "report": paper(typed, "report")})


_ADVANCES = (("first", "首笔预付 P1", "P1 paid"), ("second", "二笔预付 P2", "P2 paid"))


def _settle_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    terms = ground.held.contract
    most = [advance(terms.award, percent) for percent in (terms.scheme.first, terms.scheme.second)]
    paid = tuple(
        Widget(name, f"本周期已付{zh}（元）", en, "number", most=20, value="0",
               help=f"最多 {money.yuan(fen)} 元；其余数字都由已签署的事实得出。")
        for (name, zh, en), fen in zip(_ADVANCES, most, strict=True)
    )  # fmt: skip
    deposits = tuple(Widget(fee.value, f"{zh}：存入（元）", f"{fee.value}: put in", "number", most=20)
                     for fee, zh in FEES.items())  # fmt: skip
    cost = (
        _choose("fee", "费用", "Fee", {fee.value: zh for fee, zh in FEES.items()}),
        Widget("payee", "付给", "Payee", required=True, most=64),
        Widget("amount", "实际支出（元）", "Cost", "number", required=True, most=20), PAPER,
    )  # fmt: skip
    count = row_count(values, "costs", 0)
    more = (("more.costs.payee.0", "添加一笔支出", "One more cost"),)
    return (
        Group("预付服务费", "Advances", filled(paid, values), acts=(("preview", "试算，不起草", "Compute only"),)),
        Group("代列费用：存入", "Pass-through", filled(deposits, values, "deposits"), anchor="deposits",
              folded=not count, acts=() if count else more,
              help="没有代列费用的不填；代列费用不冲抵、不扣违约金，结余退还招标人。"),
        *(Group(f"代列费用：支出 {n + 1}", f"Cost {n + 1}", filled(cost, values, f"costs.{n}"), anchor=f"costs.{n}",
                acts=more if n == count - 1 else ()) for n in range(count)),
    )  # fmt: skip


def _settle_read(ground: Ground, typed: Typed) -> Read:
    costs: dict[str, list[dict[str, Any]]] = {}
    for _, at in filled_rows(typed, "costs"):
        fee = typed.choice(f"{at}.fee", {fee.value: zh for fee, zh in FEES.items()})
        costs.setdefault(fee, []).append({
            "payee": typed.text(f"{at}.payee", most=64), "fen": typed.yuan(f"{at}.amount") or 0,
            "document": paper(typed, f"{at}.document"),
        })  # fmt: skip
    accounts = []
    for fee in FEES:
        put_in = typed.yuan(f"deposits.{fee.value}", blank=True)
        if put_in is not None or fee.value in costs:
            accounts.append({"fee": fee.value, "deposited": put_in or 0, "costs": costs.get(fee.value, [])})
    advances = {name: typed.yuan(name, blank=True) or 0 for name in ("first", "second")}
    return Read({"advances": advances, "pass_through": accounts})


def _invoice_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    asked = (
        Widget("number", "发票号码", "Invoice number", required=True, most=40),
        Widget("shown", "发票金额（元），与应付数相等", "Amount", "fixed", value=money.yuan(ground.cycle.pay)),
    )
    return (Group("等额发票", "Invoice", filled(asked, values)),)


def _invoice_read(ground: Ground, typed: Typed) -> Read:
    return Read({"cycle": ground.about, "number": typed.text("number", most=40), "fen": ground.cycle.pay})


def _pay_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    asked = (
        Widget("shown", "付款金额（元），一笔付清", "Amount", "fixed", value=money.yuan(ground.cycle.pay)),
        Widget("bank", "入账银行联行号（12 位）", "Bank", required=True, most=12),
        Widget("reference", "银行流水号", "Bank entry", required=True, most=64),
        Widget("booked_on", "入账日", "Booked on", "date", required=True),
        replace(PAPER, name="evidence", zh="入账凭证"),
    )
    return (Group("付款", "Payment", filled(asked, values)),)


def _pay_read(ground: Ground, typed: Typed) -> Read:
    texts = {"bank": written(typed, "bank", "bank"), "reference": written(typed, "reference", "entry")}
    day = typed.day("booked_on")
    return Read({**texts, "booked_on": day.isoformat() if day else "", "evidence": paper(typed, "evidence")})


FORMS: Mapping[str, tuple[Laid, Reader]] = {
    "place": (_place_groups, _place_read),
    "accept": (_accept_groups, _accept_read),
    "zero": (_zero_groups, _zero_read),
    "waive": (_waive_groups, _waive_read),
    "incident": (_incident_groups, _incident_read),
    "cycle": (_cycle_groups, _cycle_read),
    "settle": (_settle_groups, _settle_read),
    "invoice": (_invoice_groups, _invoice_read),
    "pay": (_pay_groups, _pay_read),
}
"""How each form is laid out, and how it is read."""


def field_of(refused: str, places: Mapping[str, list[int]], known: Collection[str]) -> str:
    """The field or group of the form that a refused field of a document is about, "" if it is none of them.

    "months.2026-03.events[1].due_at" is the row of the form which the second event came from.
    """
    listed = re.search(r"([a-z_]+)\[([0-9]+)\](?:\.([a-z_]+))?", refused)
    if listed:
        group, place, name = listed[1], int(listed[2]), listed[3] or ""
        own = places.get(group, [])
        if place >= len(own):
            return group if group in known else ""
        row = f"{group}.{own[place]}"
        return f"{row}.{name}" if f"{row}.{name}" in known else row if row in known else ""
    found = re.match(r"pass_through\.([a-z]+)", refused)
    name = f"deposits.{found[1]}" if found else refused.rpartition(".")[2]
    if name in known:
        return name
    return next((f"{name}.{place}" for place in places.get(name, [0]) if f"{name}.{place}" in known), "")
