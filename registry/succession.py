"""What a later registration makes of the entry in force: 转让, 变更, 续期, 注销 (art. 34 to 37; registration.md 1.4).

Three questions, answered by values alone. *Drafting*: the form of annexes 2 to 5, restating the register as it shall
be, so that nobody types it again. *Misfits*: where a form differs from the entry in more than its type allows, with the
rule of the pre-check that says so. *Records*: what is deposited. A record is always the entry in force with this
registration's own change applied to it, so two registrations of one certificate may run side by side, and whichever is
deposited second builds on the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta

from ledger import canonical
from ledger.digest import derive_salt
from ledger.errors import FieldError
from ledger.facts import Fact
from ledger.reading import body_of
from registry.asset import Content, Description, Twin
from registry.calendar import day_of
from registry.case import Case
from registry.certificate import (
    IN_FORCE,
    RECORD,
    STATUS_NAMES,
    Holder,
    InForce,
    Predecessor,
    Record,
    Status,
    holder_of,
    record_digest,
    renewal_window,
)
from registry.form import (
    DESCRIPTION,
    Applicant,
    Cancellation,
    Change,
    Changed,
    Form,
    Held,
    RegistrationType,
    Renewal,
    Transfer,
    applicant_ids,
    held_by_applicants,
    transferees,
    transferors,
)
from registry.party import PartyKind
from registry.rights import RIGHT_NAMES, RightRow
from registry.scheme import Announce, Scheme

PUBLISHED_ITEMS = frozenset({"description.data_name", "description.overview", "description.limits"})
"""Items of a change that art. 24 publishes, besides names of applicants and limits of rights."""
BY_HOLDER = frozenset({"Z-01", "Z-02"})
BY_AGENCY = frozenset({"Z-03", "Z-04", "Z-05"})
"""Grounds of 注销 (art. 37) by who may act on them."""
MAY_PLAINLY_BE_PENDING = frozenset({RegistrationType.RENEWAL, RegistrationType.CANCELLATION})
"""What may be done with a certificate whose term is over and whose renewal is pending."""

_KEPT = frozenset({"kind", "sources"})
"""Of the description, what never changes by 变更: the kind of asset and where it comes from (art. 35)."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Where a form goes beyond its type: the rule of the pre-check, the field of the form, and both languages."""

    rule: str
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to do with a certificate, as far as its type asks: which rights move to whom (转让), the data
    and the identity data as they shall be (变更), for how many years (续期), which rights end and why (注销)."""

    type: RegistrationType
    moved: tuple[Held, ...] = ()
    receivers: tuple[Applicant, ...] = ()
    description: Description | None = None
    applicants: tuple[Applicant, ...] = ()
    years: Annotated[int, Meta(ge=1, le=100)] | None = None
    reason: Annotated[str, Meta(pattern=r"^Z-0[1-5]\Z")] = "Z-01"
    ended: tuple[Held, ...] = ()


# Drafting -------------------------------------------------------------------------------------------------------------


def drafted(entry: InForce, base: Form, wish: Wish) -> Form:
    """The form that asks for just this, to be completed with its papers and signed. Raises `FieldError`."""
    if wish.type is RegistrationType.TRANSFER:
        if not wish.moved or not wish.receivers:
            raise FieldError("moved", "转让的权利和受让方 / rights moved and receivers", "缺失 / missing")
        return transfer_form(entry, base, wish.moved, wish.receivers)
    if wish.type is RegistrationType.CHANGE:
        return change_form(entry, base, description=wish.description, applicants=wish.applicants)
    if wish.type is RegistrationType.RENEWAL:
        return renewal_form(entry, base, wish.years or entry.record.years)
    if wish.type is RegistrationType.CANCELLATION:
        return cancellation_form(entry, base, wish.reason, wish.ended)
    raise FieldError("type", "转让、变更、续期或注销登记 / a later type", wish.type.value)


def form_from(entry: InForce, base: Form, kind: RegistrationType) -> Form:
    """A form of type `kind` that restates the entry as it stands; `base` is the last form on file, for what the
    register does not hold (declarations). Its papers, its section and a representative are still to be added."""
    record = entry.record
    holders = {item.identity for item in record.holders}
    return replace(
        base,
        scheme=base.scheme,
        agency=record.agency,
        type=kind,
        applicants=tuple(item for item in entry.applicants if item.identity in holders),
        description=record.description,
        source_kind=record.source_kind,
        right_basis=record.right_basis,
        rights=record.rights,
        attachments=(),
        years=record.years,
        authorised_until=record.authorised_until,
        waiver_reason="",
        representative=None,
        certificate=entry.code,
        transfer=None,
        change=None,
        renewal=None,
        cancellation=None,
    )


def transfer_form(entry: InForce, base: Form, moved: Sequence[Held], receivers: Sequence[Applicant]) -> Form:
    """转让登记申请表: the `moved` rights as they are, each given to every one of `receivers`."""
    form = form_from(entry, base, RegistrationType.TRANSFER)
    givers = {item.holder for item in moved}
    chosen = {(item.holder, item.right) for item in moved}
    given = {row.right: row for row in entry.record.rights if (row.holder_id, row.right) in chosen}
    rows = tuple(
        replace(row, holder_id=person.identity, holder_name=person.shown)
        for person in receivers
        for row in given.values()
    )
    people = (*(item for item in form.applicants if item.identity in givers), *receivers)
    return replace(form, applicants=people, rights=rows, transfer=Transfer(tuple(moved)))


def change_form(
    entry: InForce,
    base: Form,
    *,
    description: Description | None = None,
    applicants: Sequence[Applicant] = (),
    rights: Sequence[RightRow] | None = None,
) -> Form:
    """变更登记申请表: the description as it shall be, the holders whose identity data changes, and every item listed.

    `rights` (limits and terms only) is for the agency's own correction, B-04. Raises `FieldError` if nothing differs.
    """
    form = form_from(entry, base, RegistrationType.CHANGE)
    new = {item.identity: item for item in applicants}
    people = tuple(new.get(item.identity, item) for item in form.applicants)
    if description is None and rights is None and new:
        people = tuple(item for item in people if item.identity in new)
    names = {item.identity: item.shown for item in people}
    rows = tuple(
        replace(row, holder_name=names.get(row.holder_id, row.holder_name)) for row in (rights or entry.record.rights)
    )
    form = replace(form, applicants=people, description=description or form.description, rights=rows)
    items = differences(form, entry)
    if not items:
        raise FieldError("change.items", "至少一项变更 / at least one item", "无 / none")
    return replace(form, change=Change(items))


def renewal_form(entry: InForce, base: Form, years: int) -> Form:
    """续期登记申请表: everything as it is, for `years` more."""
    form = form_from(entry, base, RegistrationType.RENEWAL)
    kinds = tuple(sorted({row.right for row in entry.record.rights}))
    return replace(form, years=years, renewal=Renewal(kinds))


def cancellation_form(entry: InForce, base: Form, reason: str = "Z-01", ended: Sequence[Held] = ()) -> Form:
    """注销登记申请表: all rights, or those in `ended`; signed by the holders whose rights end."""
    form = form_from(entry, base, RegistrationType.CANCELLATION)
    gone = {(item.holder, item.right) for item in ended}
    left = tuple(row for row in entry.record.rights if gone and (row.holder_id, row.right) not in gone)
    losing = {holder for holder, _ in gone} or {row.holder_id for row in entry.record.rights}
    people = tuple(item for item in form.applicants if item.identity in losing)
    return replace(form, applicants=people, rights=left, cancellation=Cancellation(reason, tuple(ended)))


def differences(form: Form, entry: InForce) -> tuple[Changed, ...]:
    """变更前 and 变更后 of everything in which the form differs from the register: the data, the limits and terms of
    the rights, and the identity data of the holders who apply."""
    old, new = entry.record.description, form.description
    found = [
        Changed(DESCRIPTION + item.name, _text(getattr(old, item.name)), _text(getattr(new, item.name)))
        for item in fields(Description)
        if getattr(old, item.name) != getattr(new, item.name)
    ]
    before, after = _conditions(entry.record.rights), _conditions(form.rights)
    found += [
        Changed(f"{DESCRIPTION}rights.{holder}.{right}", _text(before[holder, right]), _text(after[holder, right]))
        for holder, right in sorted(before.keys() & after.keys())
        if before[holder, right] != after[holder, right]
    ]
    known = {item.identity: item for item in entry.applicants}
    for person in form.applicants:
        if person.identity in known:
            first, second = _identity(known[person.identity]), _identity(person)
            found += [
                Changed(f"{person.identity}.{name}", first.get(name, ""), second.get(name, ""))
                for name in sorted(first.keys() | second.keys())
                if first.get(name, "") != second.get(name, "")
            ]
    return tuple(found)


def _text(value: Any) -> str:
    if isinstance(value, Content):
        return value.digest.sha256
    if isinstance(value, StrEnum):
        return value.value
    return value if isinstance(value, str) else canonical.encode(body_of(value)).decode()


def _conditions(rows: Sequence[RightRow]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (row.holder_id, row.right.value): (row.limits, row.term_from or "", row.term_to or "", row.clause)
        for row in rows
    }


def _identity(person: Applicant) -> dict[str, str]:
    """What art. 35(一) calls 身份信息, by name."""
    plain = {"name": person.name, "kind": person.kind.value, "id_type": person.id_type.value, "address": person.address}
    more = {} if person.business is None else body_of(person.business)
    return plain | {f"business.{name}": str(value) for name, value in more.items()}


# Misfits --------------------------------------------------------------------------------------------------------------


def announcement_needed(form: Form, scheme: Scheme) -> bool:
    """Is this registration published (art. 24)? By the scheme, type by type (P): a change only if a published item is
    among those that change."""
    announced = scheme.publicity_required(form.type.value)
    if announced is Announce.PUBLISHED_ITEMS:
        items = form.change.items if form.change else ()
        return any(
            item.item in PUBLISHED_ITEMS or item.item.startswith(f"{DESCRIPTION}rights.") or item.item.endswith(".name")
            for item in items
        )
    return announced is Announce.REQUIRED


def section_misfits(form: Form) -> tuple[Misfit, ...]:
    """Does the form have the section of its type and no other, and both sides of a transfer?"""
    wanted = {
        RegistrationType.TRANSFER: "transfer",
        RegistrationType.CHANGE: "change",
        RegistrationType.RENEWAL: "renewal",
        RegistrationType.CANCELLATION: "cancellation",
    }
    found = []
    for kind, name in wanted.items():
        if (getattr(form, name) is not None) != (form.type is kind):
            found.append(Misfit("PC-01", name, f"{form.type.value}申请表的{kind.value}事项不符。",
                                f"{name} belongs to {kind.value} and to no other type"))  # fmt: skip
    if bool(form.certificate) != (form.type in wanted):
        found.append(Misfit("PC-01", "certificate", "凭证编号应由初次登记以外的登记填写。",
                            "a code is named by every registration but the first"))  # fmt: skip
    if form.transfer is not None and not (transferors(form) < applicant_ids(form)):
        found.append(Misfit("PC-27", "applicants", "转让登记由转让方、受让方共同申请。",
                            "transferor and transferee apply together"))  # fmt: skip
    return tuple(found)


def window_misfit(form: Form, entry: InForce, filed: date, scheme: Scheme) -> Misfit | None:
    """PC-31: a renewal filed out of its window (art. 36), by the legal date of filing."""
    if form.type is not RegistrationType.RENEWAL:
        return None
    first, last = renewal_window(entry.last_day, scheme)
    if first <= filed <= last:
        return None
    return Misfit("PC-31", "renewal", f"续期申请期间为{first}至{last}。", f"a renewal is filed from {first} to {last}")


def standing_misfit(form: Form, entry: InForce) -> Misfit | None:
    """PC-28: the certificate is not in force, or in force only until its renewal is decided."""
    allowed = IN_FORCE if form.type in MAY_PLAINLY_BE_PENDING else frozenset({Status.VALID})
    if form.cancellation is not None and form.cancellation.ended:
        allowed = frozenset({Status.VALID})
    if entry.status in allowed:
        return None
    name = STATUS_NAMES[entry.status] if entry.status else "尚未生效"
    return Misfit("PC-28", "certificate", f"凭证 {entry.code} {name}，不能办理{form.type.value}。",
                  f"certificate {entry.code} is {entry.status or 'not yet valid'}")  # fmt: skip


def misfits(form: Form, entry: InForce, *, by_agency: bool = False, restated: bool = True) -> tuple[Misfit, ...]:
    """Where the form asks for more than its type may change in this entry. `by_agency`: an agency's own decision.

    Without `restated` only the change itself is judged: another registration may have moved the register on since the
    form restated it.
    """
    judge = {
        RegistrationType.TRANSFER: _transfer,
        RegistrationType.CHANGE: _change,
        RegistrationType.RENEWAL: _renewal,
        RegistrationType.CANCELLATION: _cancellation,
    }.get(form.type)
    return tuple(judge(form, entry, by_agency, restated)) if judge else ()


def _transfer(form: Form, entry: InForce, by_agency: bool, restated: bool) -> Iterator[Misfit]:
    assert form.transfer is not None
    moved = {(item.holder, item.right) for item in form.transfer.moved}
    held = {(row.holder_id, row.right): row for row in entry.record.rights}
    for holder, right in sorted(moved - held.keys()):
        yield Misfit("PC-28", "transfer.moved", f"转让方{holder}不享有{RIGHT_NAMES[right]}。",
                     f"{holder} does not hold {right}")  # fmt: skip
    receivers, kinds = transferees(form), {right for _, right in moved}
    given = [held[key] for key in moved & held.keys()]
    for row in form.rights:
        name = RIGHT_NAMES[row.right]
        if row.holder_id not in receivers:
            yield Misfit("PC-29", "rights", f"转让方仍保留{name}的，属于许可，不办理转让登记。",
                         f"whoever keeps {row.right} grants a licence: no transfer")  # fmt: skip
        elif row.right not in kinds:
            yield Misfit("PC-28", "rights", f"{name}不在转让权利内容中。", f"{row.right} is not moved")
        elif not any(_as_held(row, other) for other in given):
            yield Misfit("PC-29", "rights", f"{name}的期限、限制与转让方享有的不同，转让方仍保留其余部分的，属于许可。",
                         f"{row.right} is given with another term or limit: the rest is kept")  # fmt: skip
        if (row.holder_id, row.right) in held.keys() - moved:
            yield Misfit("PC-24", "rights", f"受让方已享有{name}。", f"the transferee holds {row.right} already")
    for right in sorted(kinds - {row.right for row in form.rights}):
        yield Misfit("PC-28", "rights", f"{RIGHT_NAMES[right]}没有受让方。", f"nobody receives {right}")
    if receivers - {row.holder_id for row in form.rights}:
        yield Misfit("PC-19", "rights", "每个受让方应至少取得一项权利。", "every transferee receives a right")
    if restated:
        yield from _as_registered(form, entry, {"rights"})


def _as_held(row: RightRow, other: RightRow) -> bool:
    """The same right, whoever holds it."""
    return replace(row, holder_id=other.holder_id, holder_name=other.holder_name) == other


def _change(form: Form, entry: InForce, by_agency: bool, restated: bool) -> Iterator[Misfit]:
    assert form.change is not None
    wrong = ("权利主体或数据来源变化不属于变更登记，请办理转让登记或初次登记。",
             "a change of holder or source is no 变更: transfer, or register anew")  # fmt: skip
    record, holders = entry.record, {item.identity for item in entry.record.holders}
    if applicant_ids(form) - holders:
        yield Misfit("PC-30", "applicants", *wrong)
    described = {item.item for item in form.change.items if item.item.startswith(DESCRIPTION)}
    if described and not by_agency and holders - applicant_ids(form):
        yield Misfit(
            "PC-27", "applicants", "变更数据描述由全部权利人共同申请。", "all holders apply to change the data"
        )
    kept = {f"{DESCRIPTION}{name}" for name in _KEPT}
    if kept & described:
        yield Misfit("PC-30", "description", *wrong)
    if any(item.item.rpartition(".")[2] in {"kind", "id_type"} for item in form.change.items if item.item not in kept):
        yield Misfit("PC-30", "applicants", *wrong)
    if not by_agency and any(name.startswith(f"{DESCRIPTION}rights.") for name in described):
        yield Misfit(
            "PC-30", "rights", "权利期限、限制变化不属于变更登记。", "limits and terms are not changed by 变更"
        )
    now = {item.item: item for item in differences(form, entry)}
    for item in form.change.items:
        if restated or item.item not in now:
            continue
        if now[item.item].before != item.before:
            yield Misfit("PC-30", f"change.{item.item}", f"{item.item} 已由其他登记变更。",
                         f"{item.item} has been changed since")  # fmt: skip
    if restated:
        if tuple(sorted(form.change.items, key=_name)) != tuple(sorted(now.values(), key=_name)):
            yield Misfit("PC-30", "change.items", "变更事项应逐项列明，且与登记簿的差异一致。",
                         "the items are exactly what differs from the register")  # fmt: skip
        if _keys(form.rights) != _keys(record.rights):
            yield Misfit("PC-30", "rights", *wrong)
        yield from _as_registered(form, entry, {"description", "rights"})


def _name(item: Changed) -> str:
    return item.item


def _renewal(form: Form, entry: InForce, by_agency: bool, restated: bool) -> Iterator[Misfit]:
    assert form.renewal is not None
    holders, kinds = {item.identity for item in entry.record.holders}, {row.right for row in entry.record.rights}
    # A right that moved away since the form was written takes nothing from the renewal of the others.
    people = applicant_ids(form) if restated else applicant_ids(form) & holders
    rights = set(form.renewal.rights) if restated else set(form.renewal.rights) & kinds
    if people != holders:
        yield Misfit("PC-27", "applicants", "续期登记由全部权利人共同申请。", "all holders apply for the renewal")
    if rights != kinds:
        yield Misfit("PC-17", "renewal.rights", "续期应包含凭证的全部权利类型；不再续期的，请先办理注销登记。",
                     "a renewal covers every right of the certificate; cancel first what shall not go on")  # fmt: skip
    mine, theirs = ({item.certificate for item in it.sources} for it in (form.description, entry.record.description))
    if mine != theirs:
        yield Misfit("PC-30", "description.sources", "续期不得变更数据来源。", "a renewal keeps the sources")
    if restated:
        yield from _as_registered(form, entry, {"description", "years", "authorised_until"})
        if replace(form.description, sources=entry.record.description.sources) != entry.record.description:
            yield _restate("description")


def _cancellation(form: Form, entry: InForce, by_agency: bool, restated: bool) -> Iterator[Misfit]:
    assert form.cancellation is not None
    if form.cancellation.reason not in (BY_AGENCY if by_agency else BY_HOLDER):
        yield Misfit(
            "PC-01", "cancellation.reason", "注销事由与办理主体不符。", "this ground is not for this applicant"
        )
    held = {(row.holder_id, row.right) for row in entry.record.rights}
    ended = {(item.holder, item.right) for item in form.cancellation.ended} or held
    for holder, right in sorted(ended - held):
        yield Misfit(
            "PC-28", "cancellation.ended", f"{holder}不享有{RIGHT_NAMES[right]}。", f"{holder} does not hold {right}"
        )
    losing = {holder for holder, _ in ended}
    if not by_agency and losing - applicant_ids(form):
        yield Misfit("PC-27", "applicants", "注销由相关权利人申请。", "whoever loses the right applies")
    if restated:
        left = tuple(row for row in entry.record.rights if (row.holder_id, row.right) not in ended)
        if form.rights != left:
            yield _restate("rights")
        yield from _as_registered(form, entry, {"rights"})


def _as_registered(form: Form, entry: InForce, but: set[str]) -> Iterator[Misfit]:
    names = {"description", "source_kind", "right_basis", "rights", "years", "authorised_until"} - but
    for name in sorted(names):
        if getattr(form, name) != getattr(entry.record, name):
            yield Misfit("PC-30", name, *_wrong(name)) if name in {"source_kind", "right_basis"} else _restate(name)


def _wrong(name: str) -> tuple[str, str]:
    return f"数据来源（{name}）变化须办理初次登记。", f"another {name} is registered anew"


def _restate(name: str) -> Misfit:
    return Misfit("PC-30", name, f"{name} 应与登记簿一致。", f"{name} restates the register")


def _keys(rows: Sequence[RightRow]) -> list[tuple[str, str]]:
    return sorted((row.holder_id, row.right.value) for row in rows)


# Records --------------------------------------------------------------------------------------------------------------


def record_of(case: Case, facts: Sequence[Fact], entry: InForce | None = None, remarks: tuple[str, ...] = ()) -> Record:
    """The deposit record of a case with its facts so far; `entry` is the one in force that a later type builds on."""
    if entry is None:
        return _first(case, facts, remarks)
    rest = remainder_of(case, facts, entry)
    made = {
        RegistrationType.TRANSFER: _received,
        RegistrationType.CHANGE: _changed,
        RegistrationType.RENEWAL: _renewed,
        RegistrationType.CANCELLATION: _reduced,
    }[case.form.type](case.form, entry)
    before = _predecessor(case.form, entry, made, rest)
    return replace(
        _stamped(made, case, facts, RECORD),
        predecessor=before,
        remainder=record_digest(rest) if rest else None,
    )


def remainder_of(case: Case, facts: Sequence[Fact], entry: InForce) -> Record | None:
    """What the transferor's certificate keeps when only part of it moves (art. 34 相应调整), or `None`."""
    if case.form.transfer is None:
        return None
    moved = {(item.holder, item.right) for item in case.form.transfer.moved}
    left = tuple(row for row in entry.record.rights if (row.holder_id, row.right) not in moved)
    if not left:
        return None
    made = _with_rights(entry.record, left)
    before = Predecessor(entry.code, entry.version, Status.SUPERSEDED.value, 2)
    return replace(_stamped(made, case, facts, f"{RECORD}/remainder"), predecessor=before, remainder=None)


def keeps_its_term(kind: RegistrationType) -> bool:
    """Is the validity of the entry in force handed on? Only a first registration and a renewal begin a term (P)."""
    return kind not in (RegistrationType.INITIAL, RegistrationType.RENEWAL)


def _first(case: Case, facts: Sequence[Fact], remarks: tuple[str, ...]) -> Record:
    form, holders = case.form, tuple(holder_of(item) for item in case.form.applicants)
    return Record(
        application=case.application,
        scheme=form.scheme,
        agency=form.agency,
        type=form.type,
        holders=holders,
        description=form.description,
        source_kind=form.source_kind,
        right_basis=form.right_basis,
        rights=_as_kept(held_by_applicants(form), holders),
        years=form.years,
        publicity_waived=case.waived,
        remarks=remarks,
        facts=tuple(Twin.of(fact.digest()) for fact in facts),
        salt=derive_salt(bytes.fromhex(facts[0].salt), RECORD),
        authorised_until=form.authorised_until,
    )


def _stamped(record: Record, case: Case, facts: Sequence[Fact], tag: str) -> Record:
    """The record as this case's: its type, its facts, its own salt. What was not published stays so until it is."""
    hidden = record.publicity_waived if case.released_at is None and not case.waived else case.released_at is None
    return replace(
        record,
        application=case.application,
        scheme=case.form.scheme,
        type=case.form.type,
        publicity_waived=hidden,
        facts=tuple(Twin.of(fact.digest()) for fact in facts),
        salt=derive_salt(bytes.fromhex(facts[0].salt), tag),
    )


def _predecessor(form: Form, entry: InForce, made: Record, rest: Record | None) -> Predecessor:
    if form.type is RegistrationType.TRANSFER and rest is None:
        return Predecessor(entry.code, entry.version, Status.TRANSFERRED.value)
    if not made.rights:
        return Predecessor(entry.code, entry.version, Status.CANCELLED.value)
    return Predecessor(entry.code, entry.version, Status.SUPERSEDED.value, 1 if rest is None else 2)


def _received(form: Form, entry: InForce) -> Record:
    receivers = transferees(form)
    holders = tuple(holder_of(item) for item in form.applicants if item.identity in receivers)
    rows = tuple(row for row in form.rights if row.holder_id in receivers)
    return replace(entry.record, holders=holders, rights=_as_kept(rows, holders))


def _as_kept(rows: Sequence[RightRow], holders: Sequence[Holder]) -> tuple[RightRow, ...]:
    """The rows as the register keeps them: a natural person is named as the holder is, whatever was typed."""
    persons = {item.identity: item.name for item in holders if item.kind is PartyKind.NATURAL}
    return tuple(replace(row, holder_name=persons.get(row.holder_id, row.holder_name)) for row in rows)


def _changed(form: Form, entry: InForce) -> Record:
    assert form.change is not None
    record, items = entry.record, {item.item for item in form.change.items}
    chosen = [item.name for item in fields(Description) if DESCRIPTION + item.name in items]
    names: Mapping[str, str] = {
        item.identity: item.shown for item in form.applicants if f"{item.identity}.name" in items
    }
    conditions = {(row.holder_id, row.right): row for row in form.rights}
    rights = tuple(
        conditions.get((row.holder_id, row.right), row)
        if f"{DESCRIPTION}rights.{row.holder_id}.{row.right.value}" in items
        else row
        for row in record.rights
    )
    holders = tuple(replace(item, name=names.get(item.identity, item.name)) for item in record.holders)
    named = tuple(replace(row, holder_name=names.get(row.holder_id, row.holder_name)) for row in rights)
    return replace(
        record,
        description=replace(record.description, **{name: getattr(form.description, name) for name in chosen}),
        holders=holders,
        rights=_as_kept(named, holders),
    )


def _renewed(form: Form, entry: InForce) -> Record:
    return replace(
        entry.record,
        description=replace(entry.record.description, sources=form.description.sources),
        years=form.years,
        authorised_until=form.authorised_until,
    )


def _reduced(form: Form, entry: InForce) -> Record:
    assert form.cancellation is not None
    ended = {(item.holder, item.right) for item in form.cancellation.ended}
    if not ended:
        return replace(entry.record, rights=())
    return _with_rights(
        entry.record, tuple(row for row in entry.record.rights if (row.holder_id, row.right) not in ended)
    )


def _with_rights(record: Record, rights: tuple[RightRow, ...]) -> Record:
    """The record with these rights and whoever still holds one; without any it names those whose rights ended."""
    left = {row.holder_id for row in rights}
    holders = tuple(item for item in record.holders if item.identity in left) or record.holders
    return replace(record, rights=rights, holders=holders)


def filed_on(case: Case) -> date:
    """The legal day on which the case was filed; a correction does not move it (P)."""
    return day_of(case.submitted_at)
