"""The forms of what happens to a certificate after it was issued, made from the tables of moves and from the bodies
themselves: a field of a body has one set of widgets and one reader here, by its name.

`possible` asks a table what somebody may do from a state; `form_of` lays out what a row needs and may carry;
`document_of` reads it back, for `ledger.reading.read` to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from api.desk.waiting import Slot
from api.office import words
from api.office.fields import rows
from api.office.moves import ITEMS, papers_of
from api.office.widgets import Group, Widget
from api.sessions import Visitor
from ledger.errors import FieldError
from ledger.reading import body_of
from registry.afterlife import dispute_conditions, dispute_moves, remark
from registry.afterlife.dispute import Conclusion, Dispute, DisputeGround
from registry.afterlife.instrument import AUTHORITY_NAMES
from registry.afterlife.remark import KIND_NAMES, Remark, Signing
from registry.calendar import end_of
from registry.case import STAFF, Item, Role
from registry.moves import Rule
from registry.party import party_subject
from registry.rights import RIGHT_NAMES, Right

S = TypeVar("S", bound=StrEnum)

INSTRUMENT_TEXTS = ("type", "issuer", "issuer_id", "number", "issued_on", "effective_on")
SIGNING_NAMES: Mapping[Signing, str] = {
    Signing.SILENT: "文书未写明",
    Signing.BLOCKED: "不得新签使用合约",
    Signing.ALLOWED: "可以新签使用合约",
}
CONCLUSION_NAMES: Mapping[Conclusion, str] = {
    Conclusion.UPHELD: "异议成立",
    Conclusion.PARTLY: "异议部分成立",
    Conclusion.NOT_UPHELD: "异议不成立",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What a form is filled in on: the rights that can be named, and the items that wait for an answer."""

    rights: tuple[Right, ...] = ()
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Doable:
    """A move somebody may begin: its number and names, the fields it needs and may carry, who signs beside them."""

    move: str
    paper: str
    basis: str
    needs: frozenset[str]
    may: frozenset[str]
    signers: frozenset[Role]
    own: Role
    every_registrant: bool = False

    @property
    def name(self) -> str:
        return words.MOVES.get(self.move, self.move)

    @property
    def en(self) -> str:
        return words.MOVES_EN.get(self.move, "")


def doable(rules: Iterable[Rule[S]], state: S | None, roles: frozenset[Role]) -> list[Doable]:
    """The rows of a table that somebody in one of these roles may begin from this state, in its order."""
    found = []
    for rule in rules:
        for signers in rule.signers if state in rule.sources else ():
            own = [role for role in Role if role in signers & roles]
            if own and Role.SYSTEM not in signers:
                everybody = dispute_conditions.every_registrant_signed in rule.guards and own[0] is Role.APPLICANT
                found.append(
                    Doable(rule.move, rule.paper, rule.basis, rule.needs, rule.may, signers, own[0], everybody)
                )
                break
    return found


def staff_roles(visitor: Visitor, agency: str) -> frozenset[Role]:
    """The roles of somebody who works at the agency; nobody else has any."""
    if not visitor.is_staff or visitor.organisation != agency:
        return frozenset()
    return frozenset(role for role in STAFF if role.value in visitor.roles)


def of_remark(known: Remark | None, visitor: Visitor, agency: str, at: int) -> list[Doable]:
    """What may be done with a remark, or to record one."""
    state = remark.state_of(known, at) if known is not None else None
    return doable(remark.RULES, state, staff_roles(visitor, agency))


def of_dispute(known: Dispute, visitor: Visitor) -> list[Doable]:
    """What may be done on an objection after registration: by staff, by its objector, by those it is against."""
    roles = set(staff_roles(visitor, known.agency))
    if not visitor.is_staff:
        if visitor.holder == known.objector:
            roles.add(Role.OBJECTOR)
        elif visitor.organisation in known.registrants:
            roles.add(Role.APPLICANT)
        elif visitor.organisation == known.representative:
            roles.add(Role.REPRESENTATIVE)
    found = doable(dispute_moves.RULES, known.state, frozenset(roles))
    by_clerk = {Role.INTAKE} if known.objector else set()
    return [item for item in found if not (item.own in by_clerk and _for_the_objector(item))]


def _for_the_objector(item: Doable) -> bool:
    """Would a clerk speak for the objector here? Only where a clerk filed for it."""
    return item.move in ("O-08", "O-09", "O-11") or (item.move == "O-02" and "answers" in item.needs)


def slots(chosen: Doable, visitor: Visitor, agency: str, registrants: Iterable[str] = ()) -> tuple[Slot, ...]:
    """Who signs: whoever drafts first, then one other person for each other role, or every registrant."""
    if not visitor.is_staff:
        role = Role.REPRESENTATIVE.value if chosen.own is Role.REPRESENTATIVE else ""
        others = [code for code in registrants if code != visitor.organisation] if chosen.every_registrant else []
        return (Slot(visitor.holder, role), *(Slot(party_subject(code)) for code in others))
    rest = sorted(role.value for role in chosen.signers - {chosen.own})
    return (Slot(visitor.holder, chosen.own.value), *(Slot("", role, agency) for role in rest))


# Fields ---------------------------------------------------------------------------------------------------------------


def form_of(chosen: Doable, ground: Ground, typed: Mapping[str, str]) -> list[Group]:
    """The fields of a move, with what has been typed."""
    laid = [group for name in _order(chosen) for group in _FORMS[name](ground, name in chosen.needs)]
    return [replace(group, widgets=tuple(filled(item, typed) for item in group.widgets)) for group in laid]


def document_of(chosen: Doable, ground: Ground, typed: Mapping[str, str]) -> dict[str, Any]:
    """What the fields say, without what was left empty. Raises `FieldError` with the field's name on the page."""
    found = {name: _READERS[name](ground, typed) for name in _order(chosen)}
    empty = [name for name in _order(chosen) if name in chosen.needs and found[name] in ("", [], {}, None)]
    if empty:
        raise FieldError(empty[0], "填写 / to be filled in", "未填写 / empty")
    return {name: value for name, value in found.items() if value not in ("", [], {}, None)}


def _order(chosen: Doable) -> list[str]:
    return [name for name in _FORMS if name in chosen.needs | chosen.may]


def filled(widget: Widget, typed: Mapping[str, str]) -> Widget:
    """A field with what was typed; before anything was, with what it begins with."""
    return replace(widget, value=typed.get(widget.name, "")) if typed and widget.kind != "fixed" else widget


_Form = Callable[[Ground, bool], list[Group]]
_Read = Callable[[Ground, Mapping[str, str]], Any]


def rights_widgets(rights: Iterable[Right], prefix: str) -> tuple[Widget, ...]:
    """One tick for each right."""
    return tuple(Widget(f"{prefix}.{right.value.lower()}", RIGHT_NAMES[right], right.value, "tick") for right in rights)


def rights_of(typed: Mapping[str, str], prefix: str) -> list[str]:
    """The rights that were ticked."""
    return [right.value for right in Right if typed.get(f"{prefix}.{right.value.lower()}") == "1"]


def _record(ground: Ground, _needed: bool) -> list[Group]:
    kinds = tuple((kind.value, name) for kind, name in KIND_NAMES.items())
    signing = tuple((item.value, name) for item, name in SIGNING_NAMES.items())
    fields = (
        Widget("record.kind", "备注种类", "Kind", "choice", kinds, required=True),
        Widget("record.from_day", "起日", "From", "date", required=True),
        Widget("record.to_day", "止日（没有不填）", "To", "date"),
        Widget("record.signing", "对新签使用合约", "New agreements", "choice", signing, value=Signing.SILENT.value),
        Widget("record.terms", "备注内容（不公开）", "Terms, not published", "long", most=4000),
        *rights_widgets(ground.rights, "record.rights"),
    )
    return [Group("备注（第二十三条）", "Remark", fields, help="勾选涉及的权利。", anchor="record")]


def _instrument(_ground: Ground, needed: bool) -> list[Group]:
    types = tuple((kind.value, name) for kind, name in AUTHORITY_NAMES.items())
    fields = (
        Widget("instrument.type", "机关类别", "Issued by", "choice", types, required=needed),
        Widget("instrument.issuer", "机关（质权人、各方）名称", "Issuer", required=needed),
        Widget("instrument.issuer_id", "机关代码（统一社会信用代码等）", "Issuer's number", required=needed, most=64),
        Widget("instrument.number", "文书编号", "Number", required=needed),
        Widget("instrument.issued_on", "文书日期", "Issued on", "date", required=needed),
        Widget("instrument.effective_on", "生效日（裁判文书填写）", "In effect from", "date"),
        Widget("instrument.paper", "文书（上传一份）", "The instrument", "papers", required=needed),
    )
    told = "文书只登记类别、编号和摘要；公开查询只显示机关类别。"
    return [Group("所依据的文书" if needed else "所依据的文书（没有不填）", "Instrument", fields, help=told,
                  anchor="instrument")]  # fmt: skip


def _items(_ground: Ground, _needed: bool) -> list[Group]:
    fields = tuple(
        widget
        for place in range(ITEMS)
        for widget in (
            Widget(f"items.{place}.what", f"第 {place + 1} 项：须提供的材料或说明", "What"),
            Widget(f"items.{place}.why", f"第 {place + 1} 项：理由", "Why"),
        )
    )
    return [Group("事项清单", "List of items", fields, help="留空的行不写入。", anchor="items")]


def _answers(ground: Ground, _needed: bool) -> list[Group]:
    fields = tuple(
        Widget(
            f"answers.{item.no}", f"第 {item.no} 项：{item.what}（{item.why}）", f"Item {item.no}", "long",
            required=True, most=4000,
        )
        for item in ground.items
    )  # fmt: skip
    return [Group("逐项答复", "Answers", fields, anchor="answers")]


def _rights(ground: Ground, _needed: bool) -> list[Group]:
    return [Group("涉及的权利", "Rights", rights_widgets(ground.rights, "rights"), anchor="rights")]


def _one(name: str, title: str, en: str, kind: str, said: str = "", options: tuple[tuple[str, str], ...] = ()) -> _Form:
    """A group of one field that is called what the body calls it."""

    def made(_ground: Ground, needed: bool) -> list[Group]:
        called = title if needed else f"{title}（可不填）"
        widget = Widget(name, called, en, kind, options, required=needed, most=4000 if kind == "long" else 200)
        return [Group(title, en, (widget,), help=said, anchor=name)]

    return made


_FORMS: Mapping[str, _Form] = {
    "record": _record,
    "instrument": _instrument,
    "objector": _one("objector", "异议申请人", "Objector", "text"),
    "contact": _one("contact", "联系方式", "Contact", "text", "只供登记机构使用，不公开。"),
    "ground": _one("ground", "法定事由", "Ground", "text", "如 第三十七条第四项及所依据的法律规定。"),
    "dispute_ground": _one(
        "dispute_ground", "异议事由（第二十九条）", "Ground", "choice",
        options=tuple((item.value, item.value) for item in DisputeGround),
    ),
    "rights": _rights,
    "to_day": _one("to_day", "新的止日", "New end", "date"),
    "items": _items,
    "answers": _answers,
    "deadline": _one("deadline", "答复最后一日", "Last day to answer", "date", "不填为十个工作日，只能更长。"),
    "conclusion": _one(
        "conclusion", "处理结论", "Conclusion", "choice",
        options=tuple((item.value, name) for item, name in CONCLUSION_NAMES.items()),
    ),
    "reason": _one("reason", "理由", "Reason", "long"),
    "notice": _one("notice", "对原登记申请人的书面通知", "Written notice", "papers"),
    "papers": _one("papers", "随附材料", "Papers", "papers"),
}  # fmt: skip
"""Every field, in the order of a page."""


def _read_record(_ground: Ground, typed: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: typed.get(f"record.{name}", "") for name in ("kind", "from_day", "to_day", "signing", "terms")}
    given = {name: text for name, text in texts.items() if text}
    return given | {"rights": rights_of(typed, "record.rights")}


def _read_instrument(_ground: Ground, typed: Mapping[str, str]) -> dict[str, Any]:
    given = {name: typed[f"instrument.{name}"] for name in INSTRUMENT_TEXTS if typed.get(f"instrument.{name}")}
    papers = papers_of(typed.get("instrument.paper", ""), "instrument.paper")
    if not given and not papers:
        return {}
    if len(papers) != 1:
        raise FieldError("instrument.paper", "一份文书 / one instrument", f"{len(papers)} 份 / papers")
    return given | {"digest": body_of(papers[0].digest)}


def _read_items(_ground: Ground, typed: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place, row in enumerate(rows(typed, "items")):
        what, why = row.get("what", ""), row.get("why", "")
        if bool(what) != bool(why):
            name = f"items.{place}.{'why' if what else 'what'}"
            raise FieldError(name, "事项和理由都填写 / both the item and why", "缺一 / one is missing")
        if what:
            found.append({"no": len(found) + 1, "what": what, "why": why})
    return found


def _read_answers(ground: Ground, typed: Mapping[str, str]) -> list[dict[str, Any]]:
    for item in ground.items:
        if not typed.get(f"answers.{item.no}"):
            raise FieldError(f"answers.{item.no}", "答复 / an answer", "未填写 / empty")
    return [{"item": item.no, "answer": typed[f"answers.{item.no}"]} for item in ground.items]


def _read_deadline(_ground: Ground, typed: Mapping[str, str]) -> int | None:
    text = typed.get("deadline", "")
    try:
        return end_of(date.fromisoformat(text)) if text else None
    except ValueError as error:
        raise FieldError("deadline", "年-月-日 / a day as 2026-08-03", repr(text)[:20]) from error


def _read_notice(_ground: Ground, typed: Mapping[str, str]) -> dict[str, Any] | None:
    papers = papers_of(typed.get("notice", ""), "notice")
    if len(papers) > 1:
        raise FieldError("notice", "一份通知 / one notice", f"{len(papers)} 份 / papers")
    return dict(body_of(papers[0])) if papers else None


def _text(name: str) -> _Read:
    return lambda ground, typed: typed.get(name, "")


_READERS: Mapping[str, _Read] = {
    "record": _read_record,
    "instrument": _read_instrument,
    "objector": _text("objector"),
    "contact": _text("contact"),
    "ground": _text("ground"),
    "dispute_ground": _text("dispute_ground"),
    "rights": lambda ground, typed: rights_of(typed, "rights"),
    "to_day": _text("to_day"),
    "items": _read_items,
    "answers": _read_answers,
    "deadline": _read_deadline,
    "conclusion": _text("conclusion"),
    "reason": _text("reason"),
    "notice": _read_notice,
    "papers": lambda ground, typed: [body_of(item) for item in papers_of(typed.get("papers", ""), "papers")],
}

FILING = Doable(
    "O-01", "异议申请书", "G29", frozenset({"objector", "contact", "dispute_ground", "rights", "reason", "papers"}),
    frozenset(), frozenset({Role.OBJECTOR}), Role.OBJECTOR,
)  # fmt: skip
"""An objection after registration as its objector files it."""
_TWO = frozenset({Role.REVIEWER, Role.APPROVER})


def of_agency(visitor: Visitor, agency: str) -> list[Doable]:
    """What the agency may do of its own motion to a certificate, by two persons, one of them this one."""
    own = [role for role in (Role.REVIEWER, Role.APPROVER) if role in staff_roles(visitor, agency)]
    if not own:
        return []
    reasons = frozenset({"rights", "ground", "reason"})
    outcome = frozenset({"instrument", "notice"})
    return [
        Doable("Z-03", "注销决定书", "G37(三), G29", reasons, outcome, _TWO, own[0]),
        Doable("Z-04", "注销决定书", "G37", reasons | {"notice"}, frozenset({"instrument"}), _TWO, own[0]),
        Doable("Z-05", "注销决定书", "G37(四)", reasons | {"notice"}, frozenset({"instrument"}), _TWO, own[0]),
        Doable("B-04", "更正决定书", "G29, P", frozenset({"reason"}), outcome, _TWO, own[0]),
    ]
