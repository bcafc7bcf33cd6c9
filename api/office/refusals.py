"""What was refused and why, as a clerk is told it: in the words of the pages, with the name the field has there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from api.office import words
from api.office.statements import STATES as CYCLE_STATES
from clearing.errors import BadTerms, BankFileRefused, Clash, NotSigned, TooEarly, UnknownFact, WrongMove
from clearing.market.agreement import State as AgreementState
from clearing.market.errors import Defective, GateRefused, Lapsed, NotEntitled
from clearing.market.listing_moves import STATE_NAMES as LISTING_STATES
from clearing.market.negotiation.moves import State
from clearing.market.negotiation.service import MESSAGE_NAMES, STATE_NAMES
from clearing.settlement.service_order.pass_through import Fee
from ledger.errors import BadSignature, Conflict, Stale
from registry.calendar import text_of
from registry.errors import Unknown

_STALE = "同一事项刚有新的办理，请刷新后按现状重新起草。"
_LISTED: Mapping[str, str] = {state.value: name for state, name in LISTING_STATES.items()}
_STATES: Mapping[str, str] = {
    **{state.value: name for state, name in CYCLE_STATES.items()},
    **_LISTED,
    **words.VALUES["to_state"],
    **{state.value: name for state, name in STATE_NAMES.items()},
    State.NONE.value: "尚未开始",
    AgreementState.PENDING.value: "待生效",
}
_FIELDS: Mapping[str, str] = {
    "certificate": "登记凭证",
    "certificate.status": "登记凭证的效力",
    "certificate.holder": "登记凭证的权利人",
    "certificate.rights": "登记凭证所载的权利",
    "certificate.encumbrance": "登记凭证上的限制",
    "listing.seller": "产品的卖方",
    "party": "在册的单位",
    "quote.tariff.unit": "报价的计量单位",
    "quote.guide_price": "报价依据的指导价",
    "body.valid_until": "有效期",
}
"""Fields a form does not have, by their names."""
_BANK_FIELDS: Mapping[str, str] = {
    "opening": "期初余额",
    "closing": "期末余额",
    "reference": "银行流水号",
    "amount": "金额",
    "account": "账号",
    "bank": "联行号",
    "columns": "列",
    "booking_date": "记账日",
    "file": "文件",
}
HINTS: Mapping[str, str] = {
    "listing.state": "该产品现在不接受新订单。",
    "terms.product": "产品已有新的上架版本，请按现行版本重新起草条款。",
    "terms.product.granted": "授予的权利超出登记凭证所载。",
    "terms.expiry": "截止日须晚于生效日，且不得晚于登记凭证的有效期。",
    "terms.policy.permission.constraints": "使用控制策略里的用途须在条款的用途之内。",
    "terms.parties.connectors": "以谁的记录计费，谁就须填写自己的、已入册的连接器。",
    "terms.settlement": "报价是要约，选定下单后条款必须按该价格：要约报价选定后不能另定。",
    "terms.settlement.tariff.unit": "价格的计量单位须与产品一致。",
    "terms.settlement.plan.effective": "分配方案须在合约生效前生效。",
    "terms": "条款与现行条款相同，没有变更。",
    "inquiry.version": "产品已有新的上架版本，请重新打开产品页询价。",
    "inquiry.expiry": "截止日须晚于起始日。",
    "rounds": "已达到协商轮次的上限，不能再提出新的条件。",
    "invoice_issuer": "开票方须是收益分配的受益方之一。",
    "buyer": "付款方不能同时是受益方。",
    "plan.holders": "受益方每家只列一次。",
    "tariff.tiers": "价格档与计价方式不符：按量计价一档，固定价不设档，其余从小到大排列。",
    "tariff.tiers.start": "价格档的起点从 0 开始，逐档增大。",
    "tariff.fixed_fen": "只有固定价和订阅填写固定金额。",
    "tariff.allowance": "只有订阅填写包含用量。",
    "tariff.block": "只有按量计价填写计费步长。",
    "tariff.minimum_fen": "每期最低不得高于每期最高。",
    "quote.tariff": "免费产品的报价须为 0。",
    "body.digest": "与对方最近一次的内容不符，或与其完全相同；请刷新后再办。",
    "body.deadline": "签署截止日已过。",
    "body.signers": "签署方的链上地址与登记在案的不同：请终止后重新协商。",
    "body.act.signers": "签署方的链上地址与登记在案的不同：请终止后重新协商。",
    "body.version": "版本号已被使用，请重新打开本页起草。",
    "body.plan.ends": "预告不少于 30 日，取数截止日须更晚。",
    "body.caps": "净借记限额每方只列一次。",
    "body.pairs": "双边限额每对只列一次。",
    "body.guarantor": "不能为自己担保；他方的担保尚在期内的，也不能另行担保。",
    "body.last": "截止日不得早于起始日，且须是实有的日子。",
    "body.until": "签署完毕时留给担保方的时限不足，请重新起草催付。",
    "body.pairs.creditor": "双边限额的付款方与收款方不能是同一方。",
    "body.advances.first": "不得超过合同约定的首笔预付款。",
    "body.advances.second": "不得超过合同约定的二笔预付款。",
    **dict.fromkeys([f"pass_through.{fee.value}.costs" for fee in Fee], "该项费用的实际支出不得超过存入。"),
    "pass_through.costs": "每份单据只列一次。",
    "parts": "各签署方还没有签齐合约文书，请等签齐后再办。",
}
"""What a refused field means for a clerk, where the rule itself speaks in the words of the documents."""


def told(error: Exception) -> tuple[str, str]:
    """What went wrong, in Chinese and English."""
    for kind, say in _SAID.items():
        if isinstance(error, kind):
            return say(error), _english(error)
    return words.told(error)


def _wrong_move(error: WrongMove) -> str:
    """ "OFFERED, PROVIDER: TERMINATE" and "FINALISE of PROVIDER" as the table of moves says them."""
    state, _, rest = error.expected.partition(", ")
    if state in _STATES and ": " in rest:
        side, _, moves = rest.partition(": ")
        known = {message.value: name for message, (name, _) in MESSAGE_NAMES.items()}
        may = "、".join(known.get(move, move) for move in moves.split(", ")) if moves != "—" else "等待对方"
        who = words.VALUES["side"].get(side, side)
        return f"现在的状态是“{_STATES[state]}”，这一步不能办理；{who}现在可以：{may}。"
    expected, given = (_STATES.get(text, text.partition(" / ")[0]) for text in (error.expected, error.given))
    return f"状态已变，这一步不能办理：应为“{expected}”，实为“{given}”。请刷新页面。"


def _gate(error: GateRefused) -> str:
    return f"{_terms(error)}（准入条件 {error.gate}）"


def _terms(error: BadTerms | GateRefused) -> str:
    field = _plain(error.field)
    if field in HINTS:
        given = _LISTED.get(str(error.given), "") if field == "listing.state" else ""
        return HINTS[field] + (f"现为“{given}”。" if given else "")
    expected = error.expected.partition(" / ")[0]
    return f"{_name(field)}：应为{_value(expected)}，现为{_value(error.given)}。"


def _lapsed(error: Lapsed) -> str:
    until = text_of(error.until)[:19].replace("T", " ")
    return f"对方的报价或要约已于北京时间 {until} 失效，不能再接受；请对方重新发出。"


def _defective(error: Defective) -> str:
    listed = "；".join(f"{item.code} {item.zh}" for item in error.defects)
    return f"预检不通过，共 {len(error.defects)} 项：{listed}。"


def _bank_file(error: BankFileRefused) -> str:
    where = f"第 {error.row} 行的" if error.row else ""
    expected = error.expected.replace("opening + entries", "期初加各笔")
    name = _BANK_FIELDS.get(error.field, error.field)
    return f"银行文件整份拒收，没有写入任何内容。{where}{name}：应为“{expected}”，现为{_value(error.given)}。"


def _plain(field: str) -> str:
    """The field without places in lists: "terms.parties[1].party" → "terms.parties.party"."""
    return "".join(piece.partition("]")[2] if place else piece for place, piece in enumerate(field.split("[")))


def _name(field: str) -> str:
    if field in _FIELDS:
        return _FIELDS[field]
    names = field.split(".")
    return words.label(names[-1], names[-2] if len(names) > 1 else "")


def _value(value: object) -> str:
    text = "、".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    shown = " 或 ".join(_STATES.get(one, one) for one in text.split(" | "))
    return {"None": "空", "True": "是", "False": "否"}.get(shown, f"“{shown[:200]}”")


def _english(error: Exception) -> str:
    if isinstance(error, BadTerms):
        expected = error.expected.partition(" / ")[2] or error.expected
        return f"{error.field}: expected {expected}, given {str(error.given)[:200]}."
    if isinstance(error, TooEarly):
        return f"Not before {words.moment(error.until)}."
    if isinstance(error, WrongMove):
        expected, given = (text.partition(" / ")[2] or text for text in (error.expected, error.given))
        return f"{error.subject}: expected {expected}, given {given}."
    text = str(error)
    return text.partition(" / ")[2] or text


_SAID: Mapping[type[Exception], Callable[..., str]] = {
    BankFileRefused: _bank_file,
    TooEarly: lambda error: f"时限未到：{words.moment(error.until)} 以后才能办理。",
    WrongMove: _wrong_move,
    GateRefused: _gate,
    BadTerms: _terms,
    Lapsed: _lapsed,
    Defective: _defective,
    NotEntitled: lambda error: f"本方不能办理这一步：应由{_value(error.expected)}办理，现为{_value(error.given)}。",
    NotSigned: lambda error: f"签名不齐，或不是登记在案的钥匙所签：应为{_value(error.expected)}。",
    Clash: lambda error: f"编号已被使用，内容不同：{_value(error.given)}。请重新起草。",
    UnknownFact: lambda error: f"查无此项：{_value(error.given)}。",
    Unknown: lambda error: str(error).partition(" / ")[0],
    Stale: lambda _: _STALE,
    Conflict: lambda _: _STALE,
    BadSignature: lambda error: str(error).partition(" / ")[0],
}
