"""A sharing plan as a form, and a form as a plan: payees by number, then steps, each with the fields of its kind alone.

A button that adds, removes or moves a row sends what was typed and gets it back, so nothing needs a script. Steps stand
in the order a plan has them, whatever order they were added in. The example is divided by what divides a charge.
Source: domain clearing §4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from api.office import words
from api.office.application_form import Message
from api.office.plan_words import KINDS, caller, sentences
from api.office.spoken import share
from api.office.typed import Typed
from api.office.widgets import Group, Widget
from clearing import money
from clearing.errors import BadMoney, BadTerms
from clearing.settlement import sharing
from clearing.terms import (
    CURRENCY,
    DERIVED,
    DIVIDING,
    ORDER,
    USED,
    WHOLE,
    Holder,
    SharingPlan,
    Slice,
    Step,
    StepKind,
    Weight,
    check_plan,
)

T = TypeVar("T")

PAYEES, STEPS, SLICES = 20, 12, 10
"""The most rows of each kind the form offers; a plan with more is for the interface."""
PLACES = 10_000_000  # parts of 10^9 in one percent
EXAMPLE = "10000.00"
PAID_AS = {name: words.VALUES["role"][name] for name in ("holder", "processor", "operator", "provider", "platform")}
OFFERED = {kind.value: name for kind, name in KINDS.items()}
TOLD: Mapping[StepKind, str] = {
    StepKind.COST_RECOVERY: "该方先收回成本，累计到限额为止，之后的步骤才开始。",
    StepKind.TRANCHE: "瀑布的一层：该方累计收取到限额为止，余下的（remaining）流向下一步。",
    StepKind.RATIO: "前面各步之后余下的，按比例全部分完；比例合计 100%，不分的受益方留空。",
    StepKind.TIERED: "余下的按累计金额分段，每一段按本段的比例全部分完；第 1 段自 0.00 元起，每段合计 100%。",
    StepKind.CONTRIBUTION: "先按约定的比例分（可全部留空，合计须小于 100%），其余按各方连接器当期计量的数据量分完。",
    StepKind.SHAPLEY: "先按约定的比例分（可全部留空，合计须小于 100%），其余按当期测得的 Shapley 值分完。",
    StepKind.GUARANTEE: "该方累计不少于保底金额：不足的先从出资方所得中补，方案结束后仍不足的由担保方补足。",
    StepKind.CAP: "该方累计最多得到限额，超出的归指定的另一方。",
}
LABELS: Mapping[str, tuple[str, str]] = {
    "party": ("受益方", "Payee"), "limit": ("金额（元，累计）", "Yuan in all"), "funder": ("出资方", "Funder"),
    "guarantor": ("担保方", "Guarantor"), "overflow": ("超出部分归", "Overflow"),
    "error": ("抽样误差上限（%）", "Sampling error"),
}  # fmt: skip
ASKED: Mapping[str, str] = {"limit_fen": "limit"}
"""Fields of a step that are called otherwise in the form."""
CLASHES: Mapping[str, str] = {
    "funder": "须是另一位受益方，且该方自己没有保底。",
    "guarantor": "须是受益方以外、签署合约的一方。",
    "overflow": "须是另一位受益方，且该方自己没有封顶。",
    "limit": "封顶不得低于同一方的保底金额。",
}
TURN = "成本补偿、瀑布分层、分完余额的一步（按比例、分段、数据量贡献、Shapley 之一）、保底、封顶"


def sayable(plan: SharingPlan) -> bool:
    """Does the plan fit the rows of the form?"""
    slices = max((len(step.slices or ()) for step in plan.steps), default=0)
    return len(plan.holders) <= PAYEES and len(plan.steps) <= STEPS and slices <= SLICES


def values_of(plan: SharingPlan) -> dict[str, str]:
    """What stands in the fields of this plan; nothing where it does not fit."""
    if not sayable(plan):
        return {}
    number = {holder.party: str(place + 1) for place, holder in enumerate(plan.holders)}
    found = {"example.amount": EXAMPLE, "new.kind": StepKind.RATIO.value}
    for place, holder in enumerate(plan.holders):
        found |= {f"plan.payees.{place}.party": holder.party, f"plan.payees.{place}.role": holder.role}
    for place, step in enumerate(plan.steps):
        own, row = USED[step.kind], {"kind": step.kind.value}
        row |= {name: number.get(getattr(step, name) or "", "") for name in ("party", "funder", "overflow")}
        row["guarantor"], row["limit"] = step.guarantor or "", money.yuan(step.limit_fen or 0)
        row["error"] = "" if step.error is None else share(step.error, 10_000)
        row |= _weights_of("", step.weights, number)
        for k, part in enumerate(step.slices or ()):
            row |= {f"slices.{k}.start": money.yuan(part.start), **_weights_of(f"slices.{k}.", part.weights, number)}
        asked = {"kind", *(ASKED.get(name, name) for name in own)}
        found |= {
            f"plan.steps.{place}.{name}": text
            for name, text in row.items()
            if name in asked or name.startswith(("percent.", "slices."))
        }
    if not any(step.kind in DIVIDING for step in plan.steps):
        found["plan.residual"] = number[plan.residual]
    return found


def _weights_of(prefix: str, weights: Iterable[Weight], number: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}percent.{int(number[each.party]) - 1}": share(each.weight, PLACES) for each in weights}


def changed(values: Mapping[str, str], do: str) -> dict[str, str]:
    """The fields after a button: one row more, one less, one further up, or the same in the order of a plan."""
    act, _, place = do.removeprefix("plan.").partition(".")
    own = int(place) if place.isascii() and place.isdecimal() and len(place) <= 3 else -1
    rows, rest = _steps(values), {k: v for k, v in values.items() if not k.startswith("plan.steps.")}
    if act == "payee" and (count := _payee_rows(values)) < PAYEES:
        rest[f"plan.payees.{count}.party"] = ""
    elif act == "add" and len(rows) < STEPS:
        rows.append({"kind": values.get("new.kind", "")})
    elif act == "remove" and 0 <= own < len(rows):
        del rows[own]
    elif act == "up" and 0 < own < len(rows):
        rows[own - 1], rows[own] = rows[own], rows[own - 1]
    elif act == "slice" and 0 <= own < len(rows) and (count := _slice_rows(rows[own])) < SLICES:
        rows[own][f"slices.{count}.start"] = ""
    rows.sort(key=lambda row: ORDER[kind] if (kind := _kind(row)) else 0)
    return rest | {f"plan.steps.{n}.{name}": text for n, row in enumerate(rows) for name, text in row.items()}


def groups(
    base: SharingPlan, signing: Iterable[str], names: Mapping[str, str], values: Mapping[str, str]
) -> tuple[Group, ...]:
    """The fields of the plan that is typed in `values`; `signing` are the parties who may guarantee."""
    if not sayable(base):
        told = "分配方案的受益方或步骤超出本页的栏目，本页不改动；须改动时请用接口。"
        return (Group("收益分配", "Sharing", (Widget("plan", "分配方案", "Plan", "fixed", value=told),)),)
    payees, called = _payees(values, names), caller(names)
    guarantors = tuple((party, called(party)) for party in dict.fromkeys(signing))
    roles = {**PAID_AS, **{holder.role: PAID_AS.get(holder.role, holder.role) for holder in base.holders}}
    who = tuple(
        widget
        for place in range(_payee_rows(values))
        for widget in (
            Widget(f"plan.payees.{place}.party", f"第 {place + 1} 位：统一社会信用代码或当事方编号", "Payee", most=64),
            Widget(f"plan.payees.{place}.role", f"第 {place + 1} 位：以何身份", "As", "choice", tuple(roles.items())),
        )
    )
    rows = _steps(values)
    laid = [
        Group("收益分配：受益方", "Payees", who, help="列出全部受益方，下面各步按序号选用；不用的行留空。",
              anchor="plan", acts=(("plan.payee", "添加一位受益方", "Add a payee"),)),
        *(
            _step_group(place, row, payees, guarantors, follows=place > 0 and _alike_in_turn(rows[place - 1], row))
            for place, row in enumerate(rows)
        ),
    ]  # fmt: skip
    if not any(_kind(row) in DIVIDING for row in rows):
        laid.append(Group("收益分配：余额", "Remainder", (
            Widget("plan.residual", "各步之后余下的归", "Residual", "choice", payees, required=True,
                   help="没有按比例等分完余额的一步时填写"),
        ), anchor="plan.residual"))  # fmt: skip
    laid.append(Group("收益分配：添加一步", "Add a step", (
        Widget("new.kind", "这一步的种类", "Kind", "choice", tuple(OFFERED.items()),
               help="；".join(f"{KINDS[kind]}：{told.rstrip('。')}" for kind, told in TOLD.items())),
    ), help=f"各步总按这一顺序办理：{TURN}。", anchor="plan.add",
        acts=(("plan.add", "添加这一步", "Add the step"),)))  # fmt: skip
    return (*laid, _example(base, signing, names, values))


def read(typed: Typed, base: SharingPlan, signing: Iterable[str], step: int) -> SharingPlan:
    """The plan that was typed, `step` versions after `base`; messages name the step and its field."""
    parties = {
        place: typed.values.get(f"plan.payees.{place}.party", "")
        for place in range(_payee_rows(typed.values))
        if typed.values.get(f"plan.payees.{place}.party")
    }
    roles = {**PAID_AS, **{holder.role: holder.role for holder in base.holders}}
    holders = tuple(
        Holder(_at(typed, f"plan.payees.{place}.party", f"第 {place + 1} 位受益方：", lambda name: typed.text(
            name, most=64)), _at(typed, f"plan.payees.{place}.role", f"第 {place + 1} 位受益方的身份：", lambda name:
            typed.choice(name, roles)))
        for place in parties
    )  # fmt: skip
    rows = _steps(typed.values)
    steps = tuple(_read_step(typed, place, row, parties, tuple(signing)) for place, row in enumerate(rows))
    residual = base.residual if base.residual in parties.values() or not holders else holders[0].party
    if not any(each.kind in DIVIDING for each in steps):
        chosen = _at(typed, "plan.residual", "余额：", lambda name: typed.choice(name, _numbers(parties)))
        residual = parties.get(int(chosen) - 1, residual) if chosen else residual
    plan = replace(base, version=base.version + step, holders=holders, steps=steps, residual=residual)
    _check(typed, plan)
    return plan


def _read_step(
    typed: Typed, place: int, row: Mapping[str, str], parties: Mapping[int, str], signing: tuple[str, ...]
) -> Step:
    head, numbers = f"plan.steps.{place}.", _numbers(parties)
    kind = StepKind(_at(typed, f"{head}kind", f"第 {place + 1} 步的种类：", lambda name: typed.choice(name, OFFERED)))
    where = _where(place, kind)

    def party(name: str) -> str | None:
        if name not in USED[kind]:
            return None
        said = f"{where}的{LABELS[name][0]}："
        found = _at(typed, head + name, said, lambda field: typed.choice(field, numbers))
        return parties.get(int(found) - 1)

    limit, guarantor, error = None, None, None
    if "limit_fen" in USED[kind]:
        limit = _at(typed, f"{head}limit", f"{where}的金额：", typed.yuan)
    if "guarantor" in USED[kind]:
        offered = {each: each for each in signing}
        said = f"{where}的担保方："
        guarantor = _at(typed, f"{head}guarantor", said, lambda name: typed.choice(name, offered))
    if "error" in USED[kind] and row.get("error"):
        error = _at(typed, f"{head}error", f"{where}的抽样误差上限：", lambda name: typed.percent(name, 4))
    weights: tuple[Weight, ...] = ()
    slices: tuple[Slice, ...] | None = None
    if "weights" in USED[kind]:
        weights = _read_weights(typed, f"{head}", where, parties)
        total = sum(each.weight for each in weights)
        if kind is StepKind.RATIO:
            _require_whole(typed, head, where, total)
        elif total >= WHOLE:
            said = f"{where}：约定的比例合计应小于 100%，现为 {share(total, PLACES)}%。"
            typed.wrong(head.rstrip("."), said, f"The agreed shares must be below 100 %, given {share(total, PLACES)}.")
    if "slices" in USED[kind]:
        slices = _read_slices(typed, head, where, row, parties)
    return Step(
        kind, party("party"), limit, weights, party("overflow"), slices, party("funder"), guarantor, error
    )  # fmt: skip


def _read_slices(
    typed: Typed, head: str, where: str, row: Mapping[str, str], parties: Mapping[int, str]
) -> tuple[Slice, ...]:
    found: list[Slice] = []
    for k in range(_slice_rows(row)):
        if not any(text for name, text in row.items() if name.startswith(f"slices.{k}.")):
            continue
        own, said = f"{head}slices.{k}.", f"{where}第 {k + 1} 段"
        start = _at(typed, f"{own}start", f"{said}的起点：", typed.yuan) or 0
        weights = _read_weights(typed, own, said, parties)
        _require_whole(typed, head, said, sum(each.weight for each in weights))
        if not found and start:
            typed.wrong(f"{own}start", f"{said}的起点：应为 0.00，现为 {money.yuan(start)}。", "The first is 0.00.")
        elif found and start <= found[-1].start:
            least = money.yuan(found[-1].start)
            typed.wrong(f"{own}start", f"{said}的起点：应大于上一段的 {least}，现为 {money.yuan(start)}。",
                        f"Above {least}.")  # fmt: skip
        found.append(Slice(start, weights))
    if not found:
        typed.wrong(head.rstrip("."), f"{where}：请至少填写一段。", "At least one slice.")
    return tuple(found)


def _read_weights(typed: Typed, head: str, where: str, parties: Mapping[int, str]) -> tuple[Weight, ...]:
    found = []
    for name, text in typed.values.items():
        place = name.removeprefix(f"{head}percent.")
        if not name.startswith(f"{head}percent.") or not text or not place.isdecimal() or len(place) > 3:
            continue
        said = f"{where}第 {int(place) + 1} 位的比例："
        if int(place) not in parties:
            typed.wrong(name, f"{said}没有第 {int(place) + 1} 位受益方，请留空。", "There is no such payee.")
        else:
            weight = _at(typed, name, said, lambda field: typed.percent(field, 7))
            if weight > WHOLE:
                typed.wrong(name, f"{said}应不超过 100，现为 {text}。", "At most 100.")
            found.append((int(place), weight))
    return tuple(Weight(parties[place], weight) for place, weight in sorted(found))


def _require_whole(typed: Typed, head: str, where: str, total: int) -> None:
    if total != WHOLE:
        said = f"{where}：比例合计应为 100%，现为 {share(total, PLACES)}%。"
        typed.wrong(head.rstrip("."), said, f"The shares must add up to 100 %, given {share(total, PLACES)} %.")


def _check(typed: Typed, plan: SharingPlan) -> None:
    """What the fields together contradict, said at the step and field it is about."""
    parties = [holder.party for holder in plan.holders]
    if not parties:
        typed.wrong("plan.payees.0.party", "请至少填写一位受益方。", "At least one payee.")
    if len(set(parties)) != len(parties):
        typed.wrong("plan", "同一受益方只填一次。", "Each payee once.")
    if not plan.steps:
        typed.wrong("plan.add", "请至少添加一步。", "At least one step.")
    ranks = [ORDER[step.kind] for step in plan.steps]
    for place in range(1, len(ranks)):
        now, before = _where(place, plan.steps[place].kind), _where(place - 1, plan.steps[place - 1].kind)
        if ranks[place] < ranks[place - 1]:
            typed.wrong(f"plan.steps.{place}.kind", f"{now}应在{before}之前；顺序为{TURN}。", "Out of order.")
        elif ranks[place] == ranks[place - 1] == ORDER[StepKind.RATIO]:
            said = f"{now}：{before}已分完余额，这样的步骤最多一步。"
            typed.wrong(f"plan.steps.{place}.kind", said, "At most one step divides what is left.")
    for place, step in enumerate(plan.steps):
        if step.kind in (StepKind.GUARANTEE, StepKind.CAP) and step.party is not None:
            earlier = [(each.kind, each.party) for each in plan.steps[:place]]
            if (step.kind, step.party) in earlier:
                said = f"{_where(place, step.kind)}的受益方：该方已有一步{KINDS[step.kind]}。"
                typed.wrong(f"plan.steps.{place}.party", said, f"One {step.kind} per payee.")
    if any(name.startswith("plan") for name in typed.messages):
        return
    try:
        check_plan(plan)
    except BadTerms as refusal:
        _say(typed, plan, refusal)


def _say(typed: Typed, plan: SharingPlan, refusal: BadTerms) -> None:
    number, _, name = refusal.field.removeprefix("plan.steps[").partition("].")
    if number.isdecimal() and (own := ASKED.get(name, name)) in CLASHES:
        said = f"{_where(int(number), plan.steps[int(number)].kind)}的{LABELS[own][0]}：{CLASHES[own]}"
        typed.wrong(f"plan.steps.{number}.{own}", said, f"{refusal.field}: expected {refusal.expected}")
    else:
        typed.wrong("plan", f"{refusal.field}：应为 {refusal.expected}，现为 {refusal.given}。", str(refusal))


def _step_group(
    place: int, row: Mapping[str, str], payees: tuple[tuple[str, str], ...], guarantors: tuple[tuple[str, str], ...],
    *, follows: bool,
) -> Group:  # fmt: skip
    head, kind = f"plan.steps.{place}", _kind(row)
    asked = [Widget(f"{head}.kind", "种类", "Kind", "choice", tuple(OFFERED.items()), required=True)]
    own = USED.get(kind, frozenset()) if kind else frozenset()
    for name in ("party", "limit", "funder", "guarantor", "overflow", "error"):
        if name not in {ASKED.get(each, each) for each in own}:
            continue
        zh, en = LABELS[name]
        if name in ("limit", "error"):
            told = "两位小数，如 50000.00" if name == "limit" else "没有约定就空着"
            asked.append(Widget(f"{head}.{name}", zh, en, "number", required=name == "limit", most=20, help=told))
        else:
            offered = guarantors if name == "guarantor" else payees
            told = "须是签署合约的一方" if name == "guarantor" else ""
            asked.append(Widget(f"{head}.{name}", zh, en, "choice", offered, required=True, help=told))
    if "weights" in own:
        asked += _percents(head, "", payees)
    acts = [(f"plan.remove.{place}", "删去这一步", "Remove")]
    if follows:
        acts.append((f"plan.up.{place}", "上移", "Up"))
    if "slices" in own:
        for k in range(_slice_rows(row)):
            told = f"第 {k + 1} 段"
            asked.append(Widget(f"{head}.slices.{k}.start", f"{told}：自累计多少元起", "From yuan", "number", most=20))
            asked += _percents(f"{head}.slices.{k}", f"{told}：", payees)
        acts.append((f"plan.slice.{place}", "添加一段", "Add a slice"))
    acts.append(("plan.show", "按所选种类显示栏目", "Show the fields of the kind"))
    title = f"收益分配：第 {place + 1} 步　{KINDS[kind] if kind else '请选择种类'}"
    return Group(title, "Step", tuple(asked), help=TOLD[kind] if kind else "", anchor=head, acts=tuple(acts))


def _percents(head: str, said: str, payees: tuple[tuple[str, str], ...]) -> list[Widget]:
    return [
        Widget(f"{head}.percent.{int(number) - 1}", f"{said}{name} 的比例（%）", "Share", "number", most=12)
        for number, name in payees
    ]


def _example(base: SharingPlan, signing: Iterable[str], names: Mapping[str, str], values: Mapping[str, str]) -> Group:
    amount = Widget("example.amount", "试算金额（元，不含税，自方案开始累计）", "Example", "number", most=20)
    typed = Typed(values)
    plan = read(typed, base, signing, 0)
    lines: list[tuple[str, str]] = []
    if typed.messages:
        lines.append(("试算", "各步填写完整、没有红字之后，再点“试算”。"))
    else:
        total = typed.yuan("example.amount") or 0
        try:
            lines = [("试算", "请填写元，最多两位小数。")] if typed.messages else divided(plan, total, names)
        except BadMoney as refusal:
            lines = [("试算", str(refusal))]
        said = sentences(plan, names)
        lines += [(f"第 {n} 步" if n <= len(plan.steps) else "余额", told) for n, told in enumerate(said, start=1)]
    shown = tuple(Widget(f"example.{n}", zh, "", "fixed", value=text) for n, (zh, text) in enumerate(lines))
    return Group("收益分配：试算", "Example", (amount, *shown), help="用清分的同一程序计算，只供核对，不写入合约。",
                 anchor="plan.example", acts=(("plan.show", "试算", "Compute"),))  # fmt: skip


def divided(plan: SharingPlan, total: int, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Who gets what of `total` fen net, and what a guarantor would owe besides, as (who, how much) in words. Where the
    weights are measured later, everybody is taken to contribute alike, which is said."""
    step, called, lines = plan.derived, caller(names), list[tuple[str, str]]()
    if step is not None:
        plan = replace(plan, steps=tuple(_alike(each, plan) if each.kind in DERIVED else each for each in plan.steps))
        lines.append(("假设", "没有约定比例的各方贡献相同；实际按当期计量或测得的数据。"))
    given = sharing.paid(plan, sharing.lineage_of("example", plan, CURRENCY), total)
    roles = {holder.party: PAID_AS.get(holder.role, holder.role) for holder in plan.holders}
    lines += [(f"{called(party)}（{roles[party]}）", f"{money.yuan(fen)} 元") for party, fen in given.items()]
    lines.append(("合计", f"{money.yuan(sum(given.values()))} 元"))
    for missing in sharing.shortfalls(plan, given):
        owed = f"{called(missing.guarantor)}另欠{called(missing.party)}"
        lines.append(("保底缺口", f"{owed} {money.yuan(missing.amount)} 元，方案结束后收入仍不足时补足"))
    return lines


def _alike(step: Step, plan: SharingPlan) -> Step:
    agreed = {each.party for each in step.weights}
    rest = [holder.party for holder in plan.holders if holder.party not in agreed] or list(agreed)
    left, found = WHOLE - sum(each.weight for each in step.weights), dict.fromkeys(rest, 0)
    for place, party in enumerate(rest):
        found[party] = left // len(rest) + (place < left % len(rest))
    for each in step.weights:
        found[each.party] = found.get(each.party, 0) + each.weight
    return Step(StepKind.RATIO, weights=tuple(Weight(party, weight) for party, weight in found.items()))


def _at(typed: Typed, name: str, where: str, ask: Callable[[str], T]) -> T:
    """What a field says; a message about it begins with where it stands."""
    before = typed.messages.pop(name, ())
    found = ask(name)
    after = tuple(Message(item.level, where + item.zh, item.en) for item in typed.messages.pop(name, ()))
    if before or after:
        typed.messages[name] = (*before, *after)
    return found


def _where(place: int, kind: StepKind) -> str:
    return f"第 {place + 1} 步（{KINDS[kind]}）"


def _kind(row: Mapping[str, str]) -> StepKind | None:
    return StepKind(row["kind"]) if row.get("kind") in OFFERED else None


def _alike_in_turn(before: Mapping[str, str], row: Mapping[str, str]) -> bool:
    """May the two steps change places?"""
    one, other = _kind(before), _kind(row)
    return one is not None and other is not None and ORDER[one] == ORDER[other]


def _numbers(parties: Mapping[int, str]) -> dict[str, str]:
    return {str(place + 1): party for place, party in parties.items()} or {"0": ""}


def _steps(values: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows of the steps in their order, each with its fields."""
    found: dict[int, dict[str, str]] = {}
    for name, text in values.items():
        place, _, rest = name.removeprefix("plan.steps.").partition(".")
        if name.startswith("plan.steps.") and rest and place.isdecimal() and int(place[:4]) < STEPS:
            found.setdefault(int(place[:4]), {})[rest] = text
    return [found[place] for place in sorted(found)]


def _rows(values: Mapping[str, str], prefix: str) -> int:
    """One more than the highest number that stands after a prefix."""
    places = [name.removeprefix(prefix).partition(".")[0] for name in values if name.startswith(prefix)]
    return max((int(place) + 1 for place in places if place.isdecimal() and len(place) <= 2), default=0)


def _payee_rows(values: Mapping[str, str]) -> int:
    return min(max(2, _rows(values, "plan.payees.")), PAYEES)


def _slice_rows(row: Mapping[str, str]) -> int:
    return min(max(1, _rows(row, "slices.")), SLICES)


def _payees(values: Mapping[str, str], names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The payees a step may name: their numbers, and what they are called."""
    called = caller(names)
    typed = [(place, values.get(f"plan.payees.{place}.party", "")) for place in range(_payee_rows(values))]
    return tuple((str(place + 1), f"第 {place + 1} 位 {called(party)}") for place, party in typed if party)
