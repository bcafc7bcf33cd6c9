"""The forms of the moves, made from the table itself: what a row of `registry.application.RULES` needs and may carry
becomes fields, what its guards look at is shown, and the fields posted become the act and the places to sign.

A new row of the table gets its form without a line here, as long as its fields are among those below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from api.desk.waiting import Slot
from api.office import words
from api.office.fields import rows
from api.office.widgets import Group, Widget
from api.sessions import Visitor
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry import conditions
from registry.application import RULES, STATED_OTHERWISE, Rule
from registry.calendar import day_of, end_of
from registry.case import STAFF, Act, Actor, Case, Role, World, notice_deadline
from registry.certificate import Record, record_digest
from registry.errors import CalendarPending
from registry.form import Attachment, Form, publicity_text
from registry.objection import Objection, Outcome
from registry.party import party_subject

ITEMS = 8
"""Lines of a correction list that the form offers; empty ones are left out."""
MOST_PAPERS = 100
CLOCK_OF = {"I-04": "C02", "I-10": "C05"}
"""Which clock presets the deadline of a notice."""


@dataclass(frozen=True, slots=True)
class Before:
    """The case a move is about to be made on, what must be known besides, and when.

    `record` is the deposit record where the move commits to it, `objections` the texts of the open objections by id.
    """

    case: Case
    world: World
    now: int
    record: Record | None = None
    objections: Mapping[str, Objection] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Possible:
    """A move somebody may make from here: the row of the table, the roles that sign, the one that is theirs."""

    rule: Rule
    signers: frozenset[Role]
    own: Role

    @property
    def name(self) -> str:
        return words.MOVES.get(self.rule.move, self.rule.move)

    @property
    def en(self) -> str:
        return words.MOVES_EN.get(self.rule.move, "")


def roles_of(visitor: Visitor, case: Case) -> frozenset[Role]:
    """In which capacities somebody may act on a case: staff by their roles, a party as the form has it."""
    if visitor.is_staff:
        own = {role for role in STAFF if role.value in visitor.roles}
        return frozenset(own) if visitor.organisation == case.form.agency else frozenset()
    roles = set()
    if visitor.organisation in {item.identity for item in case.form.applicants}:
        roles.add(Role.APPLICANT)
    if case.form.representative is not None and case.form.representative.id_no == visitor.organisation:
        roles.add(Role.REPRESENTATIVE)
    return frozenset(roles)


def possible(case: Case, visitor: Visitor) -> list[Possible]:
    """The moves this person may begin from the state the case is in, in the table's order."""
    roles = roles_of(visitor, case)
    found = []
    for rule in RULES.values():
        if case.state not in rule.sources or rule.move in STATED_OTHERWISE:
            continue
        for signers in rule.signers:
            own = [role for role in Role if role in signers & roles]
            if own and Role.SYSTEM not in signers:
                found.append(Possible(rule, signers, own[0]))
                break
    return found


def slots(chosen: Possible, visitor: Visitor, case: Case, act: Act) -> tuple[Slot, ...]:
    """Who has to sign: whoever drafts in their own role first, then one other person for each other role; every
    applicant where all of them must agree."""
    if chosen.own is Role.REPRESENTATIVE:
        return (Slot(visitor.holder, Role.REPRESENTATIVE.value),)
    if chosen.own is Role.APPLICANT:
        everybody = conditions.every_applicant_signed in chosen.rule.guards or act.form is not None
        others = [item.identity for item in case.form.applicants if item.identity != visitor.organisation]
        return tuple(Slot(party_subject(code)) for code in (visitor.organisation, *(others if everybody else ())))
    rest = sorted(role.value for role in chosen.signers - {chosen.own})
    return (Slot(visitor.holder, chosen.own.value), *(Slot("", role, case.form.agency) for role in rest))


def actors(places: tuple[Slot, ...], case: Case) -> tuple[Actor, ...]:
    """The signers as the table asks for them, before anybody has signed: places nobody has taken yet stand for
    different persons of the agency."""
    found = []
    for slot in places:
        kind, _, identity = slot.by.partition(":")
        if kind == "party":
            role = Role.REPRESENTATIVE if slot.role == Role.REPRESENTATIVE.value else Role.APPLICANT
            found.append(Actor(slot.by, role, identity))
        else:
            found.append(Actor(slot.by or f"staff:（{words.ROLES[slot.role]}）", Role(slot.role), case.form.agency))
    return tuple(found)


# The form of a move ---------------------------------------------------------------------------------------------------


def form_of(chosen: Possible, before: Before, typed: Mapping[str, str]) -> list[Group]:
    """The fields of a move with what has been typed; what the system itself fills in is shown, not asked for."""
    laid = [group for name in _order(chosen.rule) if name in _FORMS for group in _FORMS[name](chosen, before)]
    return [replace(group, widgets=tuple(_filled(item, typed) for item in group.widgets)) for group in laid]


def act_of(chosen: Possible, before: Before, typed: Mapping[str, str], form: Form | None = None) -> Act:
    """The act the fields make. Raises `FieldError` with the name of the field of the form."""
    document: dict[str, Any] = {"move": chosen.rule.move}
    for name in _order(chosen.rule):
        if name in _READERS:
            value = _READERS[name](chosen, before, typed)
            if value not in ("", (), [], None):
                document[name] = value
    if form is not None and "form" in chosen.rule.needs | chosen.rule.may:
        document["form"] = body_of(form)
    return read(Act, document, "act")


def typed_of(act: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a form that made this act, to draft it anew."""
    typed = {
        name: ("1" if value is True else "" if value is False else str(value))
        for name, value in act.items()
        if isinstance(value, str | int | bool)
    }
    if "deadline" in act:
        typed["deadline"] = day_of(int(act["deadline"]) - 1).isoformat()
    for place, item in enumerate(act.get("items", [])):
        typed |= {f"items.{place}.{name}": str(text) for name, text in item.items()}
    typed |= {f"answers.{item['item']}": item["answer"] for item in act.get("answers", [])}
    for item in act.get("decisions", []):
        typed |= {f"decisions.{item['objection']}.{name}": item[name] for name in ("outcome", "reason")}
    review = act.get("review", {})
    typed |= {f"review.{name}": ("1" if value is True else str(value or "")) for name, value in review.items()}
    if act.get("papers"):
        typed["papers"] = json.dumps(act["papers"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return typed


def _order(rule: Rule) -> list[str]:
    """The fields of a move in the order of the act's own fields, the reason and papers last."""
    wanted = rule.needs | rule.may
    names = [name for name in Act.__dataclass_fields__ if name in wanted]
    return [name for name in names if name not in ("reason", "papers")] + [
        name for name in ("reason", "papers") if name in wanted
    ]


def _filled(widget: Widget, typed: Mapping[str, str]) -> Widget:
    if not typed or widget.kind == "fixed":
        return widget
    return replace(widget, value=typed.get(widget.name, ""))


_Made = Callable[[Possible, Before], list[Group]]
_Read = Callable[[Possible, Before, Mapping[str, str]], Any]


def _reason(chosen: Possible, _before: Before) -> list[Group]:
    needed = "reason" in chosen.rule.needs
    widget = Widget(
        "reason", "理由和依据" if needed else "说明（可不填）", "Reason", "long", required=needed, most=4000
    )
    return [Group("理由" if needed else "说明", "Reason" if needed else "Note", (widget,), anchor="reason")]


def _items(chosen: Possible, before: Before) -> list[Group]:
    """Lines to be filled in; a second list may only repeat the numbers of the first (一次性告知)."""
    asked = before.case.asked if chosen.rule.move == "I-04" else ()
    widgets = [
        widget
        for place, number in enumerate(asked or range(1, ITEMS + 1))
        for widget in (
            Widget(f"items.{place}.no", "第几项", "No.", "fixed", value=str(number)),
            Widget(f"items.{place}.what", f"第 {number} 项：须补正（补充）的事项", "What"),
            Widget(f"items.{place}.why", f"第 {number} 项：理由", "Why"),
        )
    ]
    told = "应当一次性告知全部事项，逐项写明理由；以后只能重复这些事项。留空的行不写入。"
    return [Group("事项清单", "List of items", tuple(widgets), help=told, anchor="items")]


def _deadline(chosen: Possible, before: Before) -> list[Group]:
    name = CLOCK_OF.get(chosen.rule.move, "C02")
    clock = before.world.scheme.clocks[name]
    try:
        ends = notice_deadline(name, before.now, before.world.scheme, before.world.calendar)
        preset, said = day_of(ends - 1).isoformat(), f"默认 {clock.length} 个工作日，至当日 24:00。"
    except CalendarPending as pending:
        preset, said = "", str(pending).partition(" / ")[0]
    widget = Widget("deadline", "最后一日", "Last day", "date", required=True, help=said, value=preset)
    return [Group("期限", "Deadline", (widget,), anchor="deadline")]


def _answers(chosen: Possible, before: Before) -> list[Group]:
    if chosen.own is Role.REVIEWER:
        return []
    fields = tuple(
        Widget(
            f"answers.{item.no}",
            f"第 {item.no} 项：{item.what}（{item.why}）",
            f"Item {item.no}",
            "long",
            required=True,
        )
        for item in before.case.open_items
    )
    return [Group("逐项答复", "Answers", fields, help="每一项都要答复；随附材料在下方选择。", anchor="answers")]


def _accepted_on(_chosen: Possible, before: Before) -> list[Group]:
    widget = Widget("accepted_on", "受理日期", "Day", "fixed", value=day_of(before.now).isoformat())
    return [Group("受理日期", "Accepted on", (widget,), help="告知申请人之日即受理之日。", anchor="accepted_on")]


def _ground(chosen: Possible, _before: Before) -> list[Group]:
    codes = sorted(conditions.GROUNDS.get(chosen.rule.move, ()))
    options = tuple((code, words.VALUES["ground"].get(code, code)) for code in codes)
    widget = Widget("ground", "事由", "Ground", "choice", options, required=True)
    return [Group("法定事由", "Ground", (widget,), anchor="ground")]


def _ticked(name: str, zh: str, en: str) -> _Made:
    return lambda *_: [Group("条件", "Condition", (Widget(name, zh, en, "tick"),), anchor=name)]


def _days(_chosen: Possible, before: Before) -> list[Group]:
    left = before.world.scheme.max_extension - before.case.extension
    said = f"还可延长 {left} 个工作日。"
    widget = Widget("days", "延长工作日数", "Working days", "number", required=True, help=said, most=2)
    return [Group("延长期限", "Extension", (widget,), anchor="days")]


def _review(_chosen: Possible, _before: Before) -> list[Group]:
    lists = (
        ("description", "描述：名称、概述、时域、规模等与材料一致，准确", "Description is accurate"),
        ("source", "来源：来源合法，佐证充分", "Source is lawful"),
        ("right", "产权：权利依据、权利配置清晰，无争议", "Rights are clear"),
    )
    fields = (
        *(Widget(f"review.{name}", zh, en, "tick") for name, zh, en in lists),
        Widget("review.note", "审查说明（可不填）", "Note", "long", most=4000),
    )
    title = "审查意见（第十八至二十一条）"
    return [Group(title, "Review lists", fields, help="三项均通过方可进入下一步。", anchor="review")]


def _publicity(_chosen: Possible, before: Before) -> list[Group]:
    text = publicity_text(before.case.form)
    shown = (
        ("申请人", "Applicants", "、".join(text.applicants)),
        ("数据名称", "Data name", text.data_name),
        ("数据概述", "Overview", text.overview),
        ("权利限制", "Limits", "；".join(words.limit(item) for item in text.limits)),
    )
    fields = tuple(Widget(f"publicity.{i}", zh, en, "fixed", value=value) for i, (zh, en, value) in enumerate(shown))
    told = "由申请表生成，发布后公示五个工作日，不含个人信息。"
    return [Group("公示内容（第二十四条）", "Publicity text", fields, help=told, anchor="publicity")]


def _release(_chosen: Possible, before: Before) -> list[Group]:
    """Shown where the national system releases publicity texts: the period then starts at its release."""
    if not before.world.national_release:
        return []
    widget = Widget("release", "发布方", "Released by", "fixed", value="national")
    told = "公示由国家数据产权登记服务系统发布，公示期自其发布时起算。"
    return [Group("公示发布", "Release", (widget,), help=told, anchor="release")]


def _decisions(_chosen: Possible, before: Before) -> list[Group]:
    outcomes = tuple((item.value, words.VALUES["outcome"][item.value]) for item in Outcome)
    laid = []
    for raised in before.case.objections:
        if raised.outcome is not None:
            continue
        text = before.objections.get(raised.id)
        fields = (
            Widget(f"decisions.{raised.id}.outcome", "处理结果", "Outcome", "choice", outcomes, required=True),
            Widget(f"decisions.{raised.id}.reason", "理由", "Reason", "long", required=True, most=4000),
        )
        said = f"{text.objector}：{text.reason}" if text else f"编号 {raised.id}"
        laid.append(Group(f"异议 {raised.id[:8]}", "Objection", fields, help=said, anchor="decisions"))
    return laid


def _record(_chosen: Possible, before: Before) -> list[Group]:
    digest = record_digest(before.record) if before.record is not None else None
    fields = (
        Widget("record.sha256", "SHA-256", "", "fixed", value=digest.sha256 if digest else ""),
        Widget("record.sm3", "SM3", "", "fixed", value=digest.sm3 if digest else ""),
    )
    told = "由本案登记信息计算，送存证机构。"
    return [Group("待存证内容摘要", "Digest of the deposit record", fields, help=told, anchor="record")]


def _papers(_chosen: Possible, _before: Before) -> list[Group]:
    widget = Widget("papers", "材料（可不选）", "Papers", "papers")
    return [Group("随附材料", "Papers", (widget,), anchor="papers")]


def _amended(chosen: Possible, _before: Before) -> list[Group]:
    if chosen.own is Role.REVIEWER:
        return []
    said = "如须更正申请表，先起草更正稿，再选择它。"
    widget = Widget("form", "更正后的申请表（需要时）", "Corrected form", "amended", help=said)
    return [Group("更正申请表", "Corrected form", (widget,), anchor="form")]


_FORMS: Mapping[str, _Made] = {
    "reason": _reason,
    "items": _items,
    "deadline": _deadline,
    "answers": _answers,
    "form": _amended,
    "accepted_on": _accepted_on,
    "ground": _ground,
    "cannot_supply": _ticked("cannot_supply", "申请人无法补充佐证材料", "The applicant cannot supply"),
    "cannot_verify": _ticked("cannot_verify", "登记机构无法通过合法渠道核实", "The agency cannot verify lawfully"),
    "days": _days,
    "review": _review,
    "publicity": _publicity,
    "release": _release,
    "decisions": _decisions,
    "record": _record,
    "papers": _papers,
}


def _read_items(_chosen: Possible, _before: Before, typed: Mapping[str, str]) -> list[dict[str, Any]]:
    found = []
    for place, row in enumerate(rows(typed, "items")):
        what, why, number = row.get("what", ""), row.get("why", ""), row.get("no", "")
        if not what and not why:
            continue
        if not what or not why:
            name = f"items.{place}.{'why' if what else 'what'}"
            raise FieldError(name, "事项和理由都填写 / both the item and why", "缺一 / one is missing")
        found.append({"no": int(number) if number.isdecimal() else 0, "what": what, "why": why})
    if not found:
        raise FieldError("items", "至少一项 / at least one item", "无 / none")
    return found


def _read_deadline(_chosen: Possible, _before: Before, typed: Mapping[str, str]) -> int:
    return end_of(_day(typed.get("deadline", ""), "deadline"))


def _read_answers(chosen: Possible, before: Before, typed: Mapping[str, str]) -> list[dict[str, Any]]:
    found = [(item.no, typed.get(f"answers.{item.no}", "")) for item in before.case.open_items]
    if chosen.own is not Role.REVIEWER:
        for number, text in found:
            if not text:
                raise FieldError(f"answers.{number}", "答复 / an answer", "未填写 / empty")
    return [{"item": number, "answer": text} for number, text in found if text]


def _read_decisions(_chosen: Possible, before: Before, typed: Mapping[str, str]) -> list[dict[str, str]]:
    found = []
    for raised in before.case.objections:
        if raised.outcome is not None:
            continue
        row = {name: typed.get(f"decisions.{raised.id}.{name}", "") for name in ("outcome", "reason")}
        for name, expected in (("outcome", "处理结果 / an outcome"), ("reason", "理由 / a reason")):
            if not row[name]:
                raise FieldError(f"decisions.{raised.id}.{name}", expected, "未填写 / empty")
        found.append({"objection": raised.id, **row})
    return found


def _read_review(_chosen: Possible, _before: Before, typed: Mapping[str, str]) -> dict[str, Any]:
    ticked = {name: typed.get(f"review.{name}") == "1" for name in ("description", "source", "right")}
    return {**ticked, "note": typed.get("review.note", "")}


def _read_record(_chosen: Possible, before: Before, _typed: Mapping[str, str]) -> Any:
    return body_of(record_digest(before.record)) if before.record is not None else None


def _read_days(_chosen: Possible, _before: Before, typed: Mapping[str, str]) -> int:
    text = typed.get("days", "")
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise FieldError("days", "工作日数 / a number of working days", repr(text)[:20])
    return int(text)


def _read_papers(_chosen: Possible, _before: Before, typed: Mapping[str, str]) -> list[Any]:
    return [body_of(item) for item in papers_of(typed.get("papers", ""), "papers")]


def papers_of(text: str, name: str) -> tuple[Attachment, ...]:
    """The papers a page's script listed: kind, name, type, size and digests. Raises `FieldError`."""
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError) as error:
        raise FieldError(name, "材料清单 / a list of papers", "无法读取 / unreadable") from error
    if not isinstance(found, list) or len(found) > MOST_PAPERS:
        raise FieldError(name, f"不超过 {MOST_PAPERS} 份材料 / at most {MOST_PAPERS} papers", type(found).__name__)
    return tuple(read(Attachment, item, name) for item in found)


def _text(name: str) -> _Read:
    return lambda chosen, before, typed: typed.get(name, "")


def _tick(name: str) -> _Read:
    return lambda chosen, before, typed: True if typed.get(name) == "1" else None


_READERS: Mapping[str, _Read] = {
    "reason": _text("reason"),
    "items": _read_items,
    "deadline": _read_deadline,
    "answers": _read_answers,
    "accepted_on": lambda chosen, before, typed: day_of(before.now).isoformat(),
    "ground": _text("ground"),
    "cannot_supply": _tick("cannot_supply"),
    "cannot_verify": _tick("cannot_verify"),
    "days": _read_days,
    "review": _read_review,
    "publicity": lambda chosen, before, typed: body_of(publicity_text(before.case.form)),
    "release": lambda chosen, before, typed: "national" if before.world.national_release else "",
    "decisions": _read_decisions,
    "record": _read_record,
    "papers": _read_papers,
}


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FieldError(name, "年-月-日 / a day as 2026-08-03", repr(text)[:20]) from error
