"""统一口径清单: what each figure means, in the ten fields, by number and version.

A version is never edited: another meaning is another version with its own first day, and a figure of an earlier period
keeps the one that was in force then. Source: domain clearing §2 (ten fields), §11, §12 invariant 27; exchange.md §8.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from clearing.errors import BadTerms
from registry.calendar import day_of

OWNER = "平台运营方统计岗"
_SCOPE = "本平台；剔除关联方、自营、争议中、已冲回的交易并逐笔列示"


class Code(StrEnum):
    """The number of a figure in the list."""

    CREDIT = "K-01"
    PARTY_ACTIVITY = "K-02"
    CONTRIBUTION = "K-03"
    EFFECTIVE_PARTY = "K-04"
    PRODUCT_ACTIVITY = "K-05"
    EFFECTIVE_PRODUCT = "K-06"
    SALES = "K-07"
    RECONCILED = "K-08"
    TRADES = "K-09"
    TOTALS = "K-10"
    DISCLOSURE = "K-11"


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of one figure: number, and the ten fields 指标名、业务定义、分子/分母、维度与过滤、账期与粒度、生效日
    (`YYYY-MM-DD`, Asia/Shanghai)、口径负责人、版本号、验证用例 (names of tests)、影响系统.

    `numbers` are its parameters, whole numbers by name.
    """

    code: Code
    name: str
    meaning: str
    ratio: str
    dimensions: str
    grain: str
    effective: str
    owner: str
    version: int
    cases: tuple[str, ...]
    affects: str
    numbers: Mapping[str, int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How a figure names it: "K-01/1"."""
        return f"{self.code}/{self.version}"


_FIRST = "2026-01-01"
DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        Code.CREDIT,
        "信用评分与等级",
        "履约 35、验收与质量 20、付款 20、合规 15、披露与响应 10，各乘（1 − 加权过失率），权重半衰期 12 个月；"
        "没有记录的维度不参与，其余按分值折算为百分制；已结算交易不足 5 笔为未评级。等级按未舍入的分值，下限含。",
        "Σ分值×(1−Σ过失权重/Σ权重) / Σ有记录维度的分值 ×100；权重=严重度×2^(−龄期)，两次减半之间按日线性",
        f"按当事方；{_SCOPE}；被采纳异议中搁置的记录不计",
        "截至某一秒的全部事实；分值两位小数，四舍六入五成双",
        _FIRST,
        OWNER,
        1,
        (
            "test_credit__any_inputs__as_an_oracle_computes_it",
            "test_credit__one_more_late_payment__never_raises_score_or_grade",
            "test_credit__as_of__later_facts_change_nothing",
        ),
        "清算 报表、撮合（信用项）、数商主页",
        {
            "points_performance": 35,
            "points_quality": 20,
            "points_payment": 20,
            "points_compliance": 15,
            "points_response": 10,
            "half_life_days": 365,
            "least_deals": 5,
            "band_AAA": 90,
            "band_AA": 80,
            "band_A": 70,
            "band_B": 60,
            "band_C": 50,
            "weight_late": 1,
            "weight_default": 3,
            "weight_upheld": 3,
            "weight_violation": 3,
            "answer_days": 15,
            "bank_days": 3,
            "appeal_working_days": 10,
        },
    ),
    Definition(
        Code.PARTY_ACTIVITY,
        "数商活跃度",
        "期末在架产品数、期内已结算交易数、期内不同交易对手数各与参照值比（至多 1），加按时答复率。",
        "100×(30·min(1,L/L*)+30·min(1,F/F*)+20·min(1,U/U*)+20·按时答复率)/100；没有答复义务时其余 80 折算",
        f"按当事方；{_SCOPE}；参照值为上一同长窗口各当事方的第 80 百分位（最近秩），至少 1",
        "月、季、年窗口，前闭后开，上海时间",
        _FIRST,
        OWNER,
        1,
        ("test_activity__window__as_counted_by_hand",),
        "考核统计报表",
        {"listings": 30, "orders": 30, "counterparties": 20, "answers": 20, "percentile": 80},
    ),
    Definition(
        Code.CONTRIBUTION,
        "数商贡献度",
        "按角色（卖方、买方、服务方分列，不相加）的净结算额与已结算交易数占该角色合计的份额。",
        "100×(60·V/ΣV+40·N/ΣN)/100，各角色合计 100",
        f"按当事方、角色；{_SCOPE}",
        "月、季、年窗口；金额为分，含税，冲退后净额",
        _FIRST,
        OWNER,
        1,
        ("test_contribution__each_role__adds_up_to_one_hundred",),
        "考核统计报表",
        {"amount": 60, "orders": 40},
    ),
    Definition(
        Code.EFFECTIVE_PARTY,
        "有效数商",
        "截至期末 12 个月内至少一笔与非关联方的已结算交易，且无未了结的违约。",
        "是 / 否",
        f"按当事方；{_SCOPE}；未了结的违约：应付备付逾期未付，或本方产品被监管、运营方停牌或紧急下架尚未恢复",
        "窗口末日（不晚于截至时间）向前 12 个月",
        _FIRST,
        OWNER,
        1,
        ("test_effective__related_parties_or_open_breach__not",),
        "考核统计报表、数商主页",
        {"days": 365},
    ),
    Definition(
        Code.PRODUCT_ACTIVITY,
        "产品活跃度",
        "期内计量使用量、已结算交易数与参照值比（至多 1）；浏览量尚未计量，其余折算。",
        "100×(20·min(1,B/B*)+30·min(1,D/D*)+50·min(1,T/T*))/Σ有计量项的权重",
        f"按产品；{_SCOPE}；参照值同 K-02",
        "月、季、年窗口",
        _FIRST,
        OWNER,
        1,
        ("test_activity__products__uses_and_orders",),
        "活跃度考核报告",
        {"views": 20, "uses": 30, "orders": 50, "percentile": 80},
    ),
    Definition(
        Code.EFFECTIVE_PRODUCT,
        "有效数据产品",
        "期末已连续在架至少 30 日，窗口内至少一笔与非关联方的已结算交易，评价满 5 份时均分不低于 3，无停牌。",
        "是 / 否",
        f"按产品；{_SCOPE}",
        "月、季、年窗口",
        _FIRST,
        OWNER,
        1,
        ("test_effective__product__thirty_days_an_order_and_no_poor_rating",),
        "活跃度考核报告",
        {"days": 30, "ratings": 5, "mean": 3},
    ),
    Definition(
        Code.SALES,
        "产品销售情况与市场占有率",
        "产品的已结算交易数、净结算额、平均评价；占有率为其净结算额占同行业大类（GB/T 4754—2017）产品合计。",
        "V(产品)/ΣV(同类)",
        f"按产品、行业大类；{_SCOPE}",
        "月、季、年窗口；金额为分",
        _FIRST,
        OWNER,
        1,
        ("test_activity__products__uses_and_orders",),
        "考核统计报表",
    ),
    Definition(
        Code.RECONCILED,
        "对账成功率",
        "最近一次对账中没有 OK、OK-T 以外类别的批次数占全部批次数；批次为一份合约修订的一个账期。",
        "ok_batches / total_batches；没有批次则无值",
        "按当事方（合约供需双方均计）；调用失败、被拒绝的不是差异",
        "截至某一秒的各账期最近一次读数",
        _FIRST,
        OWNER,
        1,
        ("test_reconciled__last_reading_of_each_period__counts",),
        "清算、信用评分",
    ),
    Definition(
        Code.TRADES,
        "交易记录报告",
        "一个账期逐笔的供需双方、数量、金额（含税、不含税、税额）、开票与结算状态。",
        "Σ 含税金额",
        "按账期；本方的，运营方、监管方为全部",
        "账期；金额为分",
        _FIRST,
        OWNER,
        1,
        ("test_report__trade_rows__total_the_charges",),
        "清算",
    ),
    Definition(
        Code.TOTALS,
        "监管汇总",
        "各等级、各角色、各行业大类的当事方数与净结算额。",
        "Σ",
        f"{_SCOPE}；少于 10 个当事方的格子不列，能由合计推出的再隐去一格",
        "月、季、年窗口",
        _FIRST,
        OWNER,
        1,
        ("test_totals__cells_of_fewer_than_ten__not_told_nor_to_be_inferred",),
        "监管视图",
        {"k": 10},
    ),
    Definition(
        Code.DISCLOSURE,
        "年度披露",
        "当年已结算交易按产品类型和交付方式的当事方数、笔数、净结算额；对账成功率；按时付款率；投诉的提出和了结；故障与停牌。",
        "Σ；对账成功率=一致的账期/有读数的账期；按时付款率=按时/已到期的应付备付",
        "本平台，不列任何当事方；剔除关联方、自营、争议中、已冲回的交易；少于 10 个当事方的格子不列，能由合计推出的"
        "再隐去一格；其余各项是事件数，所涉范围内的当事方少于 10 个的不列",
        "自然年；截至次年第 2 个月的最后一秒，只有这一份，任何时候重算相同",
        _FIRST,
        OWNER,
        1,
        (
            "test_disclosure__any_year__as_counted_by_hand",
            "test_disclosure__fewer_than_ten_parties__nothing_is_told",
            "test_disclosure__facts_after_its_second__change_nothing",
        ),
        "平台公开页面",
        {"k": 10, "months": 2},
    ),
)


def in_force(code: Code, at: int, catalogue: Sequence[Definition] = DEFINITIONS) -> Definition:
    """The version of a figure in force at `at` (seconds UTC). Raises `BadTerms` before the first one."""
    day = day_of(at).isoformat()
    known = [item for item in catalogue if item.code is code and item.effective <= day]
    if not known:
        first = min(item.effective for item in catalogue if item.code is code)
        raise BadTerms("as_of", f"≥ {first}，{code} 生效日 / the first day of {code}", day)
    return max(known, key=lambda item: item.version)
