"""The forms of 转让, 变更, 续期 and 注销: drafted from the register, with only those fields that the type may change.

The fields become a `Wish`; `registry.succession` makes the whole form of it, so that nobody types the register again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.office import application_form as forms
from api.office.acts import rights_of, rights_widgets
from api.office.fields import flat, rows
from api.office.moves import papers_of
from api.office.widgets import Group, Widget
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry.asset import DataFile, Description, content_of
from registry.certificate import InForce
from registry.form import Applicant, Form, Held, RegistrationType
from registry.rights import Right
from registry.succession import Wish

TYPES: Mapping[str, RegistrationType] = {
    "transfer": RegistrationType.TRANSFER,
    "change": RegistrationType.CHANGE,
    "renewal": RegistrationType.RENEWAL,
    "cancellation": RegistrationType.CANCELLATION,
}
"""The later types by the name their page has."""
REASONS = (("Z-01", "Z-01 权利人申请注销"), ("Z-02", "Z-02 权利消灭"))
_NEVER = frozenset({"description.kind"})
"""Of the description, what no change touches (art. 35)."""


def groups(kind: RegistrationType, entry: InForce, holder: str, typed: Mapping[str, str]) -> list[Group]:
    """The fields of one type for this holder, filled from the register or with what was typed."""
    laid = [*_GROUPS[kind](entry, holder), _PAPERS]
    if not typed:
        return laid
    return [replace(group, widgets=tuple(_filled(item, typed) for item in group.widgets)) for group in laid]


def wish_of(kind: RegistrationType, entry: InForce, holder: str, typed: Mapping[str, str]) -> Wish:
    """What the fields ask for. Raises `FieldError`."""
    return _WISHES[kind](entry, holder, typed)


def completed(form: Form, typed: Mapping[str, str]) -> Form:
    """The drafted form with its papers and words."""
    form = replace(form, attachments=papers_of(typed.get(forms.PAPERS, ""), forms.PAPERS))
    if form.transfer is not None:
        scope, use = (typed.get(f"transfer.{name}", "") for name in ("scope", "use"))
        form = replace(form, transfer=replace(form.transfer, scope=scope, use=use))
    if form.cancellation is not None:
        form = replace(form, cancellation=replace(form.cancellation, note=typed.get("cancellation.note", "")))
    return form


def description_of(known: Description, typed: Mapping[str, str]) -> Description:
    """The description with what was typed over it. Raises `FieldError`."""
    texts = {
        name.removeprefix("description."): text
        for name, text in typed.items()
        if name.startswith("description.") and name != forms.FILES and name not in _NEVER and name.count(".") == 1
    }
    document = body_of(known) | texts
    if typed.get(forms.FILES):
        files = tuple(read(DataFile, item, forms.FILES) for item in forms.listed(typed, forms.FILES))
        document["content"] = body_of(content_of(files)) if files != known.content.files else document["content"]
    return read(Description, document, "description")


def description_group(known: Description, *, files: bool = True) -> Group:
    """The fields of the description as it stands."""
    document = {"description": body_of(known)}
    laid = forms.groups(forms.values_of(document, flat(document)))
    (group,) = [item for item in laid if item.anchor == "description"]
    never = _NEVER if files else _NEVER | {forms.FILES}
    return replace(group, widgets=tuple(item for item in group.widgets if item.name not in never))


def held(entry: InForce, holder: str) -> tuple[Right, ...]:
    """The rights this party holds under the certificate."""
    own = {row.right for row in entry.record.rights if row.holder_id == holder}
    return tuple(right for right in Right if right in own)


def _person(entry: InForce, holder: str) -> Applicant | None:
    return next((item for item in entry.applicants if item.identity == holder), None)


def _transfer(entry: InForce, holder: str) -> list[Group]:
    (receiver,) = [item for item in forms.groups({}) if item.anchor == "applicants"]
    words = (
        Widget("transfer.scope", "数据范围（可不填）", "Scope of the data", "long", most=4000),
        Widget("transfer.use", "使用范围（可不填）", "Scope of use", "long", most=4000),
    )
    told = "勾选转让的权利；限制和期限照登记簿，不能另写。"
    return [
        Group("转让的权利", "Rights moved", (*rights_widgets(held(entry, holder), "moved"), *words), help=told,
              anchor="moved"),
        replace(receiver, title="受让方", en="Transferee", repeated="", help="受让方与转让方共同申请，都要签署。"),
    ]  # fmt: skip


def _change(entry: InForce, holder: str) -> list[Group]:
    laid = [description_group(entry.record.description)]
    person = _person(entry, holder)
    if person is not None:
        document = {"applicants": [body_of(person)]}
        (own,) = [item for item in forms.groups(flat(document)) if item.anchor == "applicants"]
        kept = tuple(
            item for item in own.widgets if not item.name.endswith((".id_no", ".id_type", ".0.kind", ".party", ".salt"))
        )
        told = "只改需要变更的；变更前后内容由系统对照登记簿列出。"
        laid.append(replace(own, title="本方身份信息", en="Own identity data", repeated="", widgets=kept, help=told))
    return laid


def _renewal(entry: InForce, _holder: str) -> list[Group]:
    told = f"现有效期至 {entry.last_day}；续期申请应在届满前六个月内提出，一般不超过 5 年。"
    widget = Widget("years", "续期（年）", "Years", "number", required=True, most=3, value=str(entry.record.years))
    return [Group("续期事项", "Renewal", (widget,), help=told, anchor="renewal")]


def _cancellation(entry: InForce, holder: str) -> list[Group]:
    fields = (
        Widget("reason", "注销事由（第三十七条）", "Reason", "choice", REASONS, required=True, value="Z-01"),
        *rights_widgets(held(entry, holder), "ended"),
        Widget("cancellation.note", "说明（可不填）", "Note", "long", most=4000),
    )
    told = "只注销部分权利的，勾选该部分；都不勾选即注销全部权利，由全体权利人签署。"
    return [Group("注销事项", "Cancellation", fields, help=told, anchor="cancellation")]


_GROUPS = {
    RegistrationType.TRANSFER: _transfer,
    RegistrationType.CHANGE: _change,
    RegistrationType.RENEWAL: _renewal,
    RegistrationType.CANCELLATION: _cancellation,
}
_PAPERS = Group("附件材料", "Papers", (Widget(forms.PAPERS, "附件", "Attachments", "papers"),), anchor=forms.PAPERS)


def _wish_transfer(entry: InForce, holder: str, typed: Mapping[str, str]) -> Wish:
    moved = tuple(Held(holder, Right(code)) for code in rights_of(typed, "moved"))
    receivers = tuple(
        read(Applicant, forms.applicant_of(row), f"applicants.{place}")
        for place, row in enumerate(rows(typed, "applicants"))
    )
    return Wish(RegistrationType.TRANSFER, moved=moved, receivers=receivers)


def _wish_change(entry: InForce, holder: str, typed: Mapping[str, str]) -> Wish:
    known, person = entry.record.description, _person(entry, holder)
    made = description_of(known, typed)
    people: tuple[Applicant, ...] = ()
    if person is not None:
        row = flat(body_of(person)) | (rows(typed, "applicants") or [{}])[0]
        changed = read(Applicant, forms.applicant_of(row), "applicants.0")
        people = (changed,) if changed != person else ()
    return Wish(RegistrationType.CHANGE, description=made if made != known else None, applicants=people)


def _wish_renewal(_entry: InForce, _holder: str, typed: Mapping[str, str]) -> Wish:
    text = typed.get("years", "")
    if not text.isdecimal() or not 1 <= int(text[:4]) <= 100:
        raise FieldError("years", "1 至 100 的整数 / a number of years", repr(text)[:20])
    return Wish(RegistrationType.RENEWAL, years=int(text))


def _wish_cancellation(_entry: InForce, holder: str, typed: Mapping[str, str]) -> Wish:
    ended = tuple(Held(holder, Right(code)) for code in rights_of(typed, "ended"))
    document: dict[str, Any] = {"type": RegistrationType.CANCELLATION.value, "reason": typed.get("reason", "")}
    return replace(read(Wish, document, ""), ended=ended)


_WISHES = {
    RegistrationType.TRANSFER: _wish_transfer,
    RegistrationType.CHANGE: _wish_change,
    RegistrationType.RENEWAL: _wish_renewal,
    RegistrationType.CANCELLATION: _wish_cancellation,
}


def _filled(widget: Widget, typed: Mapping[str, str]) -> Widget:
    return replace(widget, value=typed.get(widget.name, ""))
