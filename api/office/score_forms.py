"""The forms of scores: what the 监理 says happened, row by row of a card, with faults and outages of a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from api.office.order_forms import (
    FACT,
    PAPER,
    Ground,
    Laid,
    Read,
    Reader,
    fact,
    filled,
    filled_rows,
    paper,
    row_count,
    written,
)
from api.office.order_words import row_how
from api.office.typed import Typed
from api.office.widgets import Group, Widget
from clearing.settlement.service_order.card import ONCE, Card
from clearing.settlement.service_order.faults import Work
from registry.calendar import SHANGHAI

WORKS = {Work.OUTAGE.value: "计划停机", Work.RISKY.value: "其他有风险的操作"}
LENGTHS = {
    "unusable": ("中断时长（秒）", "Cut off"), "response": ("响应（秒）", "Response"),
    "reporting": ("报告（秒）", "Reporting"), "recovery": ("恢复（秒）", "Recovery"),
    "handling": ("处理完毕（秒）", "Handling"),
}  # fmt: skip
_DETAILS = (
    Widget("count", "次数", "Count", "number", most=5, help="不填为 1。"),
    Widget("due_at", "应完成时刻", "Due", "moment", help="只按逾期计的条目填。"),
    Widget("done_at", "实际完成时刻", "Done", "moment"),
    Widget("part", "达到的数量", "Part", "number", most=16, help="只按比率计的条目填：达到的数量 / 全部数量。"),
    Widget("whole", "全部数量", "Whole", "number", most=16),
    Widget("points", "认定的分值", "Points", "number", most=12, help="只按认定计的条目填；满意度填调查得分。"),
)
_AUTHORITY = Widget("authority", "责任认定文书", "Liability found by", "papers", help="只有须认定责任的条目列入。")


def _order_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    """What every order is scored on stands there already."""
    card = ground.held.contract.scheme.order_card
    once = [row.code for item in card.classes for row in item.rows if row.measure in ONCE]
    return _events(card, values, once)


def _order_read(ground: Ground, typed: Typed) -> Read:
    events, places = _read_events(ground, typed)
    return Read({"events": events}, {"events": places})


def _month_groups(ground: Ground, values: Mapping[str, str]) -> tuple[Group, ...]:
    about = "" if ground.about == "new" else ground.about
    month = Widget("month", "月份", "Month", required=True, most=7, value=about, help="如 2026-03；须已过完。")
    return (
        Group("月份", "Month", filled((month,), values)),
        *_events(ground.held.contract.scheme.month_card, values, []),
        *_faults(values),
        *_outages(values),
    )


def _month_read(ground: Ground, typed: Typed) -> Read:
    month = written(typed, "month", "month")
    events, event_places = _read_events(ground, typed)
    faults, outages = [], []
    fault_places, outage_places = [], []
    for place, at in filled_rows(typed, "faults"):
        faults.append({
            "fact": fact(typed, f"{at}.fact", ground.id), "document": paper(typed, f"{at}.document"),
            "cause": typed.text(f"{at}.cause", most=64), "degraded": typed.ticked(f"{at}.degraded"),
            **{name: typed.number(f"{at}.{name}", most=366 * 86_400) for name in LENGTHS},
        })  # fmt: skip
        fault_places.append(place)
    for place, at in filled_rows(typed, "outages"):
        outages.append(_read_outage(ground, typed, at))
        outage_places.append(place)
    own = {"month": month, "events": events, "faults": faults, "outages": outages}
    return Read(own, {"events": event_places, "faults": fault_places, "outages": outage_places})


def _events(card: Card, values: Mapping[str, str], once: list[str]) -> tuple[Group, ...]:
    options = tuple(
        (row.code, f"{row.code} {row.name}（{row_how(row)}）") for item in card.classes for row in item.rows
    )
    least = max(1, len(once))
    count = row_count(values, "events", least)
    more = ((f"more.events.row.{least}", "添加一项", "One more"),)
    told = "达标率、绩效和满意度每单必评；其余没有的不填。" if once else "没有事项的不填；一行一件事。"
    laid = []
    for place in range(count):
        row = Widget("row", "考核条目", "Row of the card", "choice", options, True)
        row = replace(row, value=once[place] if place < len(once) else "")
        asked = filled((row, FACT, *_DETAILS, replace(PAPER, zh="认定文件"), _AUTHORITY), values, f"events.{place}")
        laid.append(Group(
            f"考核事项 {place + 1}", f"Event {place + 1}", asked, help="" if place else told,
            anchor=f"events.{place}", acts=more if place == count - 1 else (),
        ))  # fmt: skip
    return tuple(laid)


def _read_events(ground: Ground, typed: Typed) -> tuple[list[dict[str, Any]], list[int]]:
    events, places = [], []
    for place, at in filled_rows(typed, "events"):
        event: dict[str, Any] = {
            "row": typed.text(f"{at}.row", most=8), "fact": fact(typed, f"{at}.fact", ground.id),
            "document": paper(typed, f"{at}.document"), "count": typed.number(f"{at}.count", 1, 10_000, blank=1),
        }  # fmt: skip
        for name in ("due_at", "done_at"):
            if typed.values.get(f"{at}.{name}"):
                event[name] = instant(typed, f"{at}.{name}")
        for name in ("part", "whole"):
            if typed.values.get(f"{at}.{name}"):
                event[name] = typed.number(f"{at}.{name}")
        if typed.values.get(f"{at}.points"):
            event["points"] = written(typed, f"{at}.points", "figure")
        if (authority := paper(typed, f"{at}.authority", required=False)) is not None:
            event["authority"] = authority
        events.append(event)
        places.append(place)
    return events, places


def _faults(values: Mapping[str, str]) -> tuple[Group, ...]:
    asked = (
        FACT, Widget("cause", "根本原因", "Root cause", required=True, most=64, help="同一原因在各月填同一名称。"),
        *(Widget(name, zh, en, "number", required=True, most=9) for name, (zh, en) in LENGTHS.items()),
        PAPER, Widget("degraded", "性能下降、冗余失效或非核心接口故障", "Degraded only", "tick"),
    )  # fmt: skip
    return _repeated("faults", "故障", "Fault", asked, values)


def _outages(values: Mapping[str, str]) -> tuple[Group, ...]:
    asked = (
        FACT, Widget("start", "开始", "From", "moment", required=True),
        Widget("end", "结束", "Until", "moment", required=True), PAPER,
        Widget("work", "已预告的作业", "Announced work", "choice", tuple(WORKS.items()), help="没有预告的不选。"),
        Widget("noticed_at", "通知时刻", "Noticed", "moment"), Widget("notice", "通知文件", "Notice", "papers"),
        Widget("consented_at", "同意时刻", "Consented", "moment"), Widget("consent", "同意文件", "Consent", "papers"),
    )  # fmt: skip
    return _repeated("outages", "停机", "Outage", asked, values)


def _repeated(
    group: str, zh: str, en: str, asked: tuple[Widget, ...], values: Mapping[str, str]
) -> tuple[Group, ...]:  # fmt: skip
    count = row_count(values, group, 0)
    more = ((f"more.{group}.fact.0", f"添加一次{zh}", f"One more {en.lower()}"),)
    if not count:
        return (Group(zh, f"{en}s", (), help=f"没有{zh}的不填。", anchor=group, acts=more),)
    return tuple(
        Group(f"{zh} {place + 1}", f"{en} {place + 1}", filled(asked, values, f"{group}.{place}"),
              anchor=f"{group}.{place}", acts=more if place == count - 1 else ())
        for place in range(count)
    )  # fmt: skip


def _read_outage(ground: Ground, typed: Typed, at: str) -> dict[str, Any]:
    outage: dict[str, Any] = {
        "start": instant(typed, f"{at}.start"), "end": instant(typed, f"{at}.end"),
        "document": paper(typed, f"{at}.document"), "fact": fact(typed, f"{at}.fact", ground.id),
    }  # fmt: skip
    if not typed.values.get(f"{at}.work"):
        return outage
    announced: dict[str, Any] = {
        "work": typed.choice(f"{at}.work", WORKS), "noticed_at": instant(typed, f"{at}.noticed_at"),
        "notice": paper(typed, f"{at}.notice"),
    }  # fmt: skip
    if (consent := paper(typed, f"{at}.consent", required=False)) is not None:
        announced |= {"consent": consent, "consented_at": instant(typed, f"{at}.consented_at")}
    return outage | {"announced": announced}


def instant(typed: Typed, name: str) -> int:
    """Seconds UTC of a time in Beijing."""
    try:
        found = datetime.fromisoformat(typed.values.get(name, ""))
        if found.tzinfo is None and 1970 < found.year < 2100:
            return int(found.replace(tzinfo=SHANGHAI, microsecond=0).timestamp())
    except ValueError:
        pass
    typed.wrong(name, "请填写日期和时间（北京时间）。", "A date and time, Beijing.")
    return 0


FORMS: Mapping[str, tuple[Laid, Reader]] = {
    "score": (_order_groups, _order_read),
    "month": (_month_groups, _month_read),
}
"""How each form is laid out, and how it is read."""
