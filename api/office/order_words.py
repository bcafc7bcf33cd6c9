"""A contract of service orders in sentences: its signed parameters, and every line of a settlement with where it comes
from. Amounts are yuan; exact ones that are no whole fen keep their decimals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from clearing import money
from clearing.settlement.service_order.card import Card, Effect, Measure, Row
from clearing.settlement.service_order.case import FaultFinding
from clearing.settlement.service_order.overview import OrderView, Overview
from clearing.settlement.service_order.scheme import Negative, NettingBasis, Response, Scheme, Stacking, Weeks
from clearing.settlement.service_order.scorecard import Event
from clearing.settlement.service_order.settling import Accepted, OrderLine, Settlement, advance, order_fee
from clearing.settlement.service_order.statements import Contract, CycleSettled
from clearing.terms import MAX_FEN

PLACES = 6
NEGATIVE = {
    Negative.CARRY: "结转至下一项目周期，先于预付款抵扣",
    Negative.COLLECT: "立即向中标人收取",
    Negative.ZERO: "按零计",
}
BASIS = {NettingBasis.FIRST: "只冲抵首笔预付款（P1）", NettingBasis.BOTH: "冲抵首笔与二笔预付款（P1、P2）"}
WEEKS = {Weeks.COMPLETED: "满一周（满一档）才计", Weeks.BEGUN: "不足一周（一档）也计一"}
STACKING = {
    Stacking.ALL: "同一事实既扣月度考核分，也计重大事故违约金",
    Stacking.SCORE_ONLY: "同一事实已在考核中扣分的，不再计重大事故违约金",
}
RESPONSE = {Response.WORKING_DAYS: "以工作日的一项", Response.CALENDAR_DAYS: "以自然日的一项"}
LIMITS = {"response": "响应", "reporting": "报告", "recovery": "恢复", "handling": "处理"}
EFFECTS = {Effect.CLASS: "扣本类", Effect.TOTAL: "扣总分", Effect.BONUS: "加分"}


@dataclass(frozen=True, slots=True)
class Told:
    """A chapter of the parameters: Chinese and English title, and its sentences."""

    zh: str
    en: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the computation: what it is called, how it follows from what numbers, and what it comes to in yuan."""

    zh: str
    en: str
    how: str
    yuan: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Fee:
    """An order in a settlement: a sentence for each item, then how its fee follows, and the fee in yuan."""

    order: str
    name: str
    items: tuple[str, ...]
    how: str
    yuan: str
    held: str


def number(text: str) -> str:
    """An exact fraction "n/d" as a decimal; one that never ends is cut after some places and marked ≈."""
    exact = Fraction(text)
    scaled = abs(exact) * 10**PLACES
    digits = str(scaled.numerator // scaled.denominator).rjust(PLACES + 1, "0")
    shown = f"{digits[:-PLACES]}.{digits[-PLACES:]}".rstrip("0").rstrip(".")
    return f"{'' if scaled.denominator == 1 else '≈ '}{'-' if exact < 0 else ''}{shown}"


def exact_yuan(fen: Fraction | str) -> str:
    """Exact fen as yuan: two decimals of whole fen, more of others."""
    exact = Fraction(fen)
    if exact.denominator == 1:
        return money.yuan(int(exact))
    return number(str(exact / 100))


def span(seconds: int) -> str:
    """A length of time as people say it."""
    for unit, name in ((86_400, "日"), (3_600, "小时"), (60, "分钟")):
        if seconds and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} 秒"


def band(start: str, end: str | None) -> str:
    """Scores from `start` (inclusive) to `end` (exclusive)."""
    return f"{start} 分及以上" if end is None else f"{start} 分（含）至 {end} 分（不含）"


def chapters(contract: Contract) -> tuple[Told, ...]:
    """The signed parameters, chapter by chapter."""
    scheme, award = contract.scheme, money.yuan(contract.award)
    first, second = (advance(contract.award, percent) for percent in (scheme.first, scheme.second))
    return (
        Told("价款与预付", "Price and prepayment", (
            f"中标金额 {award} 元；" + _budget(contract),
            f"首笔预付（P1）为中标金额的 {scheme.first}%，最多 {money.yuan(first)} 元；"
            f"二笔预付（P2）为 {scheme.second}%，最多 {money.yuan(second)} 元。",
            f"项目周期结算取已验收服务单费用的 {scheme.settled}%，减去违约金；"
            f"其余 {100 - scheme.settled}% 不由本公式支付。",
            f"结算时{BASIS[scheme.netting_basis]}；结算额为负的，{NEGATIVE[scheme.negative]}。",
        )),
        Told("服务单评级与质量系数", "Grades and coefficients", tuple(_grades(scheme))),
        Told("月度考核违约金", "Damages by the month", (
            *(f"月度得分 {band(one.start, one.end)}：{_fen(one.fen)}。" for one in scheme.month_bands),
            f"一个项目周期内月度得分低于 {scheme.below} 分，连续 {scheme.in_a_row} 次或累计 {scheme.in_total} 次的，"
            f"招标人可以解除合同。",
            "招标人在项目周期验收以前可以书面免除某月违约金；得分不变，仍计入上述次数。",
        )),
        Told("重大事故违约金", "Damages by incident", (
            *(f"第 {row.number} 项，{row.name}：{_fen(row.fen)}。" for row in scheme.incidents),
            f"{STACKING[scheme.stacking]}。",
        )),
        Told("故障等级与时限", "Faults", tuple(_faults(scheme))),
        Told("时钟", "Clocks", (
            f"需求提出后 {scheme.response_working_days} 个工作日内、{scheme.response_calendar_days} 日内答复，考核"
            f"{RESPONSE[scheme.response]}为准；{scheme.placing_days} 个工作日内下达服务单。",
            f"付款：自验收与等额发票两者较晚之日起 {scheme.payment_days} 日内；中标人收款后 {scheme.supplier_days} "
            f"个工作日内与供应商结算。",
            f"逾期按周、按档计的：{WEEKS[scheme.weeks]}；比率按档计的：{WEEKS[scheme.steps]}。",
        )),
    )  # fmt: skip


def card_rows(card: Card) -> Iterator[tuple[str, str, str]]:
    """(code, name, how it scores) of a card: each class, then its rows."""
    for item in card.classes:
        yield item.code, item.name, f"权重 {item.weight} 分" if item.weight else "计入总分"
        yield from ((row.code, row.name, row_how(row)) for row in item.rows)


def row_how(row: Row) -> str:
    """How one event under a row becomes points."""
    weekly = f"，每逾期一周另计 {row.per_week} 分" if row.per_week != "0" else ""
    free = f"（首 {row.grace_weeks} 周不计）" if row.grace_weeks else ""
    share = f"{number(str(Fraction(row.step or 1) * 100))}%"
    how = {
        Measure.EVENT: f"每次 {row.points} 分{weekly}{free}",
        Measure.STEPS: f"每 {share} 计 {row.points} 分",
        Measure.SHORTFALL: f"每低 {share} 计 {row.points} 分",
        Measure.STATED: f"按认定 {row.points} 至 {row.most} 分",
        Measure.COMPLAINTS: f"一次 {row.points} 分，两次及以上本类不得分",
        Measure.FORFEIT: "本类不得分",
        Measure.RATE: f"满 {row.points} 分，按率得分",
        Measure.SURVEY: "；".join(f"{band(one.start, one.end)}扣 {one.points} 分" for one in row.bands),
    }[row.measure]
    target = f"（目标 {number(str(Fraction(row.target) * 100))}%）" if row.target else ""
    most = f"，最多 {row.cap} 分" if row.cap else ""
    liable = "；须有认定责任的文件" if row.liable else ""
    return f"{EFFECTS[row.effect]}：{how}{target}{most}{liable}"


def fees(settled: Sequence[OrderLine], orders: Sequence[OrderView]) -> tuple[Fee, ...]:
    """The orders of a settlement, each with its items and how its fee follows from them."""
    known = {order.id: order for order in orders}
    return tuple(_fee(line, known[line.order]) for line in settled)


def _fee(line: OrderLine, order: OrderView) -> Fee:
    accepted = accepted_of(order)
    items = tuple(
        f"{item.code} {item.name}：{money.yuan(item.price)} 元"
        + (f" ÷ {item.per}" if item.per != 1 else "")
        + f" × 验收 {accepted[item.code].accepted}（下达 {item.quantity}）"
        + f"= {exact_yuan(order_fee([item], [accepted[item.code]], '1'))} 元"
        for item in order.sheet.items if item.code in accepted
    )  # fmt: skip
    if line.held:
        return Fee(order.id, order.name, items, "", "0.00", line.held.partition(" / ")[0])
    whole = order_fee(order.sheet.items, tuple(accepted.values()), "1")
    how = f"{exact_yuan(whole)} 元 × 质量系数 {number(line.coefficient)}（{line.grade} 级）"
    return Fee(order.id, order.name, items, how, exact_yuan(line.fee), "")


def steps(settled: CycleSettled, scheme: Scheme) -> tuple[Step, ...]:
    """Every line of a settlement after the fees of its orders, in the order of the formula."""
    found = settled.settlement
    paying = [line for line in found.orders if not line.held]
    both = scheme.netting_basis is NettingBasis.BOTH
    counted = max(0, found.counted)
    struck = counted - found.used - found.pay
    paid = f"P1 {money.yuan(settled.advances.first)}" + (f" + P2 {money.yuan(settled.advances.second)}" if both else "")
    waived = [month for month in found.months if month.waived]
    return (
        Step("服务单费用合计", "Fees", " + ".join(exact_yuan(line.fee) for line in paying) or "没有计费的服务单",
             exact_yuan(found.fees)),
        Step("应结服务费", "Earned", f"{exact_yuan(found.fees)} × {scheme.settled}%，四舍五入到分",
             money.yuan(found.earned)),
        *(Step(f"{month.month} 月度违约金", "Damages of the month", f"月度得分 {number(month.score)}"
               + (f"，应计 {money.yuan(month.waived)} 元，已免除" if month.waived else ""), _minus(month.fen))
          for month in found.months),
        *(Step(f"重大事故第 {one.number} 项", "Incident", f"事实 {one.fact[:12]}…"
               + ("，该事实已在考核中扣分" if one.also_scored else ""), _minus(one.fen)) for one in found.incidents),
        Step("违约金合计", "Damages", "以上月度与事故违约金之和" + (f"；已免除 {len(waived)} 个月" if waived else ""),
             _minus(found.damages)),
        Step("项目周期结算额", "Settlement", f"{money.yuan(found.earned)} − {money.yuan(found.damages)}",
             money.yuan(found.settlement), strong=True),
        *_negative(found, scheme),
        Step("上期结转的违约金", "Penalties carried in", f"结转 {money.yuan(found.carry_in.penalty)} 元，本期抵扣",
             _minus(struck)),
        Step("可冲抵的预付款", "Advances", f"{paid} + 上期结转 {money.yuan(found.carry_in.advance)}",
             money.yuan(found.netted + found.carry_in.advance)),
        Step("本期冲抵预付款", "Advances used", f"{money.yuan(counted - struck)} 与可冲抵的预付款两者较小",
             _minus(found.used)),
        Step("本期应付（P3）", "To pay", f"{money.yuan(counted)} − {money.yuan(struck)} − {money.yuan(found.used)}",
             money.yuan(found.pay), strong=True),
        Step("结转下期：预付款", "Advances carried on",
             f"{money.yuan(found.netted + found.carry_in.advance)} − {money.yuan(found.used)}",
             money.yuan(found.carry_out.advance)),
        Step("结转下期：违约金", "Penalties carried on", "未抵扣的违约金与负的结算额",
             money.yuan(found.carry_out.penalty)),
        Step(f"其余 {100 - scheme.settled}%", "The rest",
             f"{exact_yuan(found.fees)} × {100 - scheme.settled}%，不由本公式支付", exact_yuan(found.memo)),
    )  # fmt: skip


def _negative(found: Settlement, scheme: Scheme) -> Iterator[Step]:
    if found.settlement < 0:
        yield Step("结算额为负", "Below zero", NEGATIVE[scheme.negative], money.yuan(found.counted))
    if found.collected:
        yield Step("向中标人收取", "Collected", "结算额为负的部分", money.yuan(found.collected))


def right_text(held: Overview) -> str:
    """The buyer's right to terminate as the last settled 项目周期 gives it; "" without one."""
    rights = [cycle.settled.settlement.right for cycle in held.cycles if cycle.settled]
    right = rights[-1] if rights else None
    return f"{'、'.join(right.months)} 得分低于约定（{right.ground.partition(' / ')[0]}）" if right else ""


def _grades(scheme: Scheme) -> Iterator[str]:
    for grade in reversed(scheme.grades):
        if grade.coefficient is not None:
            yield f"{grade.name} 级，{band(grade.start, grade.end)}：质量系数 {grade.coefficient}。"
        else:
            again = scheme.rectified
            yield (
                f"{grade.name} 级，{band(grade.start, grade.end)}：先整改再复评一次；复评 {again.least} 分及以上系数 "
                f"{again.passed}，以下系数 {again.failed}；复评前暂不计费。"
            )


def _faults(scheme: Scheme) -> Iterator[str]:
    for level in scheme.levels:
        cut = "未中断服务" if level.over is None else f"中断超过 {span(level.over)}" if level.over else "有中断"
        first = "立即" if level.response is None else f"{span(level.response)}内"
        yield (
            f"{level.code}（{cut}）：{first}响应，{span(level.reporting)}内报告，{span(level.recovery)}内恢复，"
            f"{span(level.handling)}内处理完毕。"
        )
    yield (
        f"计划停机提前 {span(scheme.outage_notice)}、其他有风险的操作提前 {span(scheme.risky_notice)}通知，"
        f"并在开始前获同意的，不计入停机。"
    )


def _budget(contract: Contract) -> str:
    if contract.budget >= MAX_FEN:
        return "未约定周期预算。"
    return f"周期预算 {money.yuan(contract.budget)} 元，累计结算超过的，招标人可以将付款移至次年。"


def _fen(fen: int) -> str:
    return f"{money.yuan(fen)} 元" if fen else "不扣"


def _minus(fen: int) -> str:
    return f"−{money.yuan(fen)}" if fen else "0.00"


def row_names(card: Card) -> dict[str, str]:
    """What the rows of a card are called, by their code."""
    return {row.code: row.name for item in card.classes for row in item.rows}


def papers_of(events: Sequence[Event]) -> dict[tuple[str, str], str]:
    """SHA-256 of the document of each event, by its row and fact."""
    return {(event.row, event.fact): event.document.sha256 for event in events}


def accepted_of(order: OrderView) -> dict[str, Accepted]:
    """What was accepted of an order, by item."""
    return {one.code: one for one in order.sheet.accepted or ()}


def broken(fault: FaultFinding) -> str:
    """Which limits of its level a fault broke."""
    return "、".join(LIMITS[name] for name in fault.broken) + "超时" if fault.broken else "各时限内"
