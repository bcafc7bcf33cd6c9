"""A sharing plan in sentences, one for each step, as the pages say it beside the elements it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from api.office import words
from api.office.spoken import share
from clearing import money
from clearing.terms import DIVIDING, SharingPlan, Step, StepKind, Terms, Weight

KINDS: Mapping[StepKind, str] = {kind: words.VALUES["steps.kind"][kind.value] for kind in StepKind}

Called = Callable[[str | None], str]


def sentences(plan: SharingPlan, names: Mapping[str, str]) -> tuple[str, ...]:
    """What each step does, in order; last who takes what no step divides. `names` are what parties are called."""

    called = caller(names)
    told = tuple(f"{KINDS[step.kind]}：{_said(step, called)}。" for step in plan.steps)
    if any(step.kind in DIVIDING for step in plan.steps):
        return told
    return (*told, f"余额：各步之后余下的全部归{called(plan.residual)}。")


def told_of(terms: Terms, names: Mapping[str, str]) -> tuple[str, ...]:
    """Who gets what under these terms: the sentences of the plan, or where non-tax revenue goes."""
    if (non_tax := terms.non_tax) is None:
        return sentences(terms.plan, names)
    authority, treasury, issuer = map(caller(names), (non_tax.authority, non_tax.treasury, non_tax.issuer))
    return (
        f"非税收入：由{authority}核定应缴（收费项目 {non_tax.item}），全额缴入{treasury}，由{issuer}开具"
        f"财政电子票据；不分税、不作收益分配、不轧差。",
    )


def caller(names: Mapping[str, str]) -> Called:
    """What a party is called: by its name, with its code where two share the name, by its code where it has none."""
    often = Counter(names.values())

    def called(party: str | None) -> str:
        code = party or ""
        name = names.get(code, code)
        return f"{name}（{code}）" if often[name] > 1 else name

    return called


def _said(step: Step, called: Called) -> str:
    party, limit = called(step.party), f"{money.yuan(step.limit_fen or 0)} 元"
    match step.kind:
        case StepKind.COST_RECOVERY:
            return f"{party}先收回成本，累计至 {limit}，之后才有下一步"
        case StepKind.TRANCHE:
            return f"{party}累计收取至 {limit}，余下的流向下一步"
        case StepKind.RATIO:
            return f"余额按 {_weights(step.weights, called)} 全部分完"
        case StepKind.TIERED:
            slices = (
                f"累计 {money.yuan(part.start)} 元起的部分按 {_weights(part.weights, called)}"
                for part in step.slices or ()
            )
            return f"余额分段分完：{'；'.join(slices)}"
        case StepKind.CONTRIBUTION:
            return f"余额{_first(step.weights, called)}按各方连接器当期计量的数据量分完"
        case StepKind.SHAPLEY:
            error = "" if step.error is None else f"，抽样误差不超过 {share(step.error, 10_000)}%"
            return f"余额{_first(step.weights, called)}按各方当期的信息价值贡献（Shapley 值）分完{error}"
        case StepKind.GUARANTEE:
            return (
                f"{party}累计不少于 {limit}，不足的从{called(step.funder)}所得中补，"
                f"方案结束后仍不足的由{called(step.guarantor)}补足"
            )
        case StepKind.CAP:
            return f"{party}累计最多得 {limit}，超出的归{called(step.overflow)}"


def _weights(weights: Iterable[Weight], called: Called) -> str:
    return "、".join(f"{called(each.party)} {share(each.weight, 10_000_000)}%" for each in weights)


def _first(weights: tuple[Weight, ...], called: Called) -> str:
    return f"先按 {_weights(weights, called)}，其余" if weights else ""
