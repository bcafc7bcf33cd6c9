"""Pricing stops with a code and the field that is wrong; a refusal never carries a price (pricing rules 6, §12)."""

from __future__ import annotations

from clearing.errors import ClearingError

CODES: dict[str, tuple[str, str]] = {
    "NO_STAGE": ("缺少定价阶段，不能定价", "no stage, no price"),
    "NO_POLICY": ("基准时点没有有效的定价口径", "no policy in force for this domain and stage"),
    "GATE_FAILED": ("符合性检查未通过，不评分、不定级、不定价", "a gate item failed: no score, grade or price"),
    "SCORE_RANGE": (
        "评分或权重超出范围，或权重之和不为一",
        "a score or weight is out of range, or weights do not sum to one",
    ),
    "NOT_ASSESSED": ("有权重的维度没有可适用的规则", "a weighted dimension has no applicable rule"),
    "UNIT_MISMATCH": ("计量单位不一致", "units differ"),
    "INPUT_FORM": ("输入不合格式", "the input is malformed"),
    "RIGHT_MISSING": ("来源缺少有效的数据使用权或经营权", "a source right is missing or not in force"),
    "INDIRECT_COST": ("间接成本不得计入元件成本", "indirect cost in a counted group"),
    "PURPOSE_MISSING": ("政府指导价产品必须说明用途", "a guided price needs a purpose"),
    "FUTURE_TRADE": ("成交时间晚于基准时点", "a trade lies after as_of"),
    "METHOD_NOT_ALLOWED": ("该阶段不允许这种方法或参数", "method or parameter not allowed at this stage"),
    "STRATEGY_RETIRED": ("策略版本已停用，不接受新报价", "the strategy version takes no new quotes"),
    "QUALITY_EXPIRED": ("质量报告缺失或已过有效期", "the quality report is missing or past validity"),
    "SCALE_SUSPECT": ("疑似重复归一化", "probable double normalisation"),
    "NO_DISTRIBUTION": ("没有可计算信息熵的列", "no distribution: entropy is undefined, not zero"),
    "TUPLES_UNIQUE": (
        "参与列的取值组合几乎逐行不同，联合熵只反映行数，不能据以定价",
        "tuples of the admitted columns differ in almost every row: their joint entropy only counts rows",
    ),
    "NEGATIVE_AGE": ("数据时间晚于基准时点", "data time after as_of"),
    "STATE_FORBIDS": ("元件状态不允许该报价", "the element's state does not allow this quote"),
    "ROUNDS_TO_ZERO": (
        "正价格取整后为零，请使用更大的计费单位",
        "a positive price rounds to zero: use a larger billing unit",
    ),
    "CAP_MISSING": ("没有有效的政府指导价上限", "no cap in force"),
    "CAP_EXCEEDED": ("价格超过政府指导价上限", "price above cap"),
    "NOT_INDEPENDENT": ("评价人不得是申请人或登记机构", "the evaluator must be neither applicant nor registrar"),
    "TERM_EXCEEDED": (
        "收益期超过经济寿命、权利剩余期限或来源授权期限",
        "the income period outlasts economic life, right or source authorisation",
    ),
    "TOO_FEW_CASES": ("公平交易案例不足三个", "fewer than three arm's-length cases"),
    "KIND_MIXED": ("不同价值类型不得相加或互相代替", "kinds of value cannot be added or stand for each other"),
    "MOVE_REFUSED": ("当前入账状态不允许该业务", "the booking state does not allow this act"),
    "NOT_CAPITALISED": ("不满足资本化条件，应当费用化", "not to be capitalised: expense it"),
    "BALANCE_EXCEEDED": ("金额与可用余额不符", "the amount does not fit the balance"),
}


class PricingRefused(ClearingError):
    """A step of pricing failed. `code` is a key of `CODES`; `zh` and `en` are the whole message in each language."""

    def __init__(self, code: str, field: str, expected: str, given: object) -> None:
        self.code, self.field, self.expected = code, field, expected
        self.given = given if isinstance(given, str) else repr(given)
        reason_zh, reason_en = CODES[code]
        self.zh = f"{reason_zh}（{code}）：字段 {field} 应为 {expected}，实为 {self.given[:120]}。"
        self.en = f"{reason_en} ({code}): field {field}: expected {expected}, given {self.given[:120]}."
        super().__init__(f"{self.zh} / {self.en}")


class KindMixed(PricingRefused, TypeError):
    """Two kinds of value met where one was wanted: KIND_MIXED, and a `TypeError` for whoever writes code."""

    def __init__(self, field: str, expected: str, given: str) -> None:
        super().__init__("KIND_MIXED", field, expected, given)
