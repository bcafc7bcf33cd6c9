"""The two score cards of the tender as data: 4.3.1 per month, 4.3.2 per 服务单.

Source: 《陕西省省级政务数据运营服务》招标文件, whose numbers these are; names of rows are short forms. Two readings of
ours (P): a late document costs 1, and 2 more for each whole week after the first; 1 % of the weight for 0.01 % of
availability is 1 % of the class weight 20, so 0.2 (S8).
"""

from __future__ import annotations

from clearing.settlement.service_order.card import Card, Effect, Measure, Row, ScoreClass, SurveyBand

EVENT, STATED, STEPS = Measure.EVENT, Measure.STATED, Measure.STEPS
TOTAL, BONUS = Effect.TOTAL, Effect.BONUS


def _each(first: str, *rows: tuple[str, str]) -> tuple[Row, ...]:
    """Rows of a class that cost fixed points each, numbered from `first`."""
    stem, _, number = first.partition(".")
    return tuple(Row(f"{stem}.{int(number) + n}", name, EVENT, points) for n, (name, points) in enumerate(rows))


def _weekly(code: str, name: str, per_week: str, points: str = "0", grace_weeks: int = 0) -> Row:
    return Row(code, name, EVENT, points, per_week, grace_weeks)


MONTH_CARD = Card(
    "4.3.1",
    1,
    (
        ScoreClass("1", "需求管理", 4, (
            _weekly("1.1", "需求响应或完成逾期", "2"),
            Row("1.2", "单方变更", EVENT, "2"),
        )),
        ScoreClass("2", "服务交付管理", 20, (
            _weekly("2.1", "服务单逾期", "2"),
            _weekly("2.2", "需求响应逾期", "1"),
            _weekly("2.3", "其他任务逾期", "1"),
            _weekly("2.4", "配合监理逾期", "1"),
            *_each("2.5", ("交付不符合需求", "2"), ("交付不符合规范", "2"), ("使用单位发现问题", "2"),
                   ("验收未通过", "5"), ("质量规则逾期或不全", "2"), ("第三方发现数据问题", "1"),
                   ("发现问题未整改", "2"), ("代码问题", "2"), ("数据质量投诉", "3")),
            _weekly("2.14", "数据质量整改逾期", "2"),
            *_each("2.15", ("监理、测评或内部发现安全问题", "2"), ("上级或主管部门发现安全问题", "5")),
        )),
        ScoreClass("3", "服务可用性及故障管理", 20, (
            Row("3.1", "可用率低于 99.99 %", Measure.SHORTFALL, "0.2", step="0.0001", target="0.9999"),
            *_each("3.2", ("A1 故障", "10"), ("A2 故障", "8"), ("B1 故障", "6"), ("B2 故障", "4"), ("C+ 故障", "2"),
                   ("C 故障", "1"), ("恢复超时", "5"), ("迟报、错报、瞒报", "4"), ("未按计划闭环", "1"),
                   ("同一故障点或类型再次发生", "5")),
            _weekly("3.12", "整改计划逾期", "3"),
        )),
        ScoreClass("4", "安全管理", 18, (
            *_each("4.1", ("受攻击，轻微影响", "5"), ("受攻击，无影响", "1"), ("一般数据泄露", "5"),
                   ("上级检查发现问题", "5")),
            Row("4.5", "检查结果较差", STATED, "20", most="50", effect=TOTAL),
            *_each("4.6", ("中心、第三方或审计发现问题", "2"), ("安全意识问题", "1"), ("考试不合格", "2"),
                   ("高风险漏洞一周未修复", "0.5"), ("其他漏洞两周未修复", "0.5")),
        )),
        ScoreClass("5", "制度管理", 6, (
            *_each("5.1", ("制度缺失", "2"), ("制度过时", "1"), ("制度不可行", "1")),
            Row("5.4", "违反制度", EVENT, "2", elsewhere=True),
        )),
        ScoreClass("6", "人员管理", 13, (
            *_each("6.1", ("进出场不规范", "2"), ("名册不符", "1"), ("考勤问题", "1"), ("关键人员缺席", "2"),
                   ("不符人员未更换", "2")),
            Row("6.6", "人员流动率", STEPS, "2", step="0.1"),
            *_each("6.7", ("工牌", "1"), ("介质", "1"), ("场地设施", "1")),
            Row("6.10", "其他人员问题", STATED, "1", most="3"),
            *_each("6.11", ("重要会议缺席", "3"), ("隐瞒", "5")),
        )),
        ScoreClass("7", "运营生态管理", 6, _each(
            "7.1", ("规则缺失", "2"), ("供应商投诉", "2"), ("延误结算", "1"), ("违规结算", "3"), ("未备案", "1"),
        )),
        ScoreClass("8", "文档管理", 8, (
            Row("8.1", "文档不全", EVENT, "1"),
            _weekly("8.2", "文档逾期", "2", "1", 1),
        )),
        ScoreClass("9", "投诉管理", 5, (
            Row("9.1", "受到投诉", Measure.COMPLAINTS, "2"),
            Row("9.2", "上级或第三方通报", Measure.FORFEIT),
        )),
        ScoreClass("10", "其他", 0, (
            Row("10.1", "重大责任事故", EVENT, "50", effect=TOTAL, liable=True),
            Row("10.2", "严重数据泄露", EVENT, "50", effect=TOTAL),
            Row("10.3", "较大数据泄露", EVENT, "20", effect=TOTAL),
            Row("10.4", "受攻击，严重影响", EVENT, "50", effect=TOTAL),
            Row("10.5", "受攻击，较大影响", EVENT, "20", effect=TOTAL),
            Row("10.6", "重点保障", EVENT, "2", effect=BONUS, cap="10"),
            Row("10.7", "培训", EVENT, "3", effect=BONUS, cap="15"),
            Row("10.8", "规划方案", STATED, "3", most="5", effect=BONUS, cap="15"),
        )),
    ),
)  # fmt: skip
"""4.3.1 月度考核."""

ORDER_CARD = Card(
    "4.3.2",
    1,
    (
        ScoreClass("1", "服务单发放与计划", 10, _each(
            "1.1", ("评审未通过", "2"), ("需求未满足", "1"), ("团队不符", "2"), ("计划不符", "2"),
        )),
        ScoreClass("2", "服务任务交付", 35, (
            Row("2.1", "达标率", Measure.RATE, "10"),
            Row("2.2", "绩效", Measure.RATE, "10", target="0.6"),
            *_each("2.3", ("监理、测评或内部发现交付问题", "1"), ("使用单位发现问题", "2"), ("隐患", "1"),
                   ("上级发现隐患", "5"), ("验收未通过", "5")),
            _weekly("2.8", "整改逾期", "1"),
            _weekly("2.9", "交付逾期", "2"),
        )),
        ScoreClass("3", "服务过程管理", 40, (
            Row("3.1", "人员不符", EVENT, "2"),
            Row("3.2", "人员流动率", STEPS, "2", step="0.1"),
            *_each("3.3", ("行为不当", "1"), ("行为被通报", "2"), ("沟通不畅", "1"), ("突发事件未解决", "5")),
            _weekly("3.7", "漏洞未修复", "3", "1"),
            _weekly("3.8", "文档问题", "2", "2"),
            Row("3.9", "未归档", EVENT, "2"),
        )),
        ScoreClass("4", "服务满意度", 15, (
            Row("4.1", "满意度调查", Measure.SURVEY, bands=(
                SurveyBand("0", "10", "60"), SurveyBand("60", "6", "80"), SurveyBand("80", "0"),
            )),
            Row("4.2", "有责投诉", Measure.COMPLAINTS, "2", liable=True),
            Row("4.3", "通报", EVENT, "2"),
        )),
        ScoreClass("5", "其他", 0, (
            Row("5.1", "重大责任事故", EVENT, "50", effect=TOTAL, liable=True),
            Row("5.2", "严重数据泄露", EVENT, "50", effect=TOTAL),
            Row("5.3", "较大数据泄露", EVENT, "20", effect=TOTAL),
            Row("5.4", "受攻击，严重影响", EVENT, "50", effect=TOTAL),
            Row("5.5", "受攻击，较大影响", EVENT, "20", effect=TOTAL),
            Row("5.6", "保障", EVENT, "1", effect=BONUS, cap="5"),
            Row("5.7", "培训", EVENT, "1", effect=BONUS, cap="5"),
            Row("5.8", "方案", STATED, "1", most="2", effect=BONUS, cap="5"),
        )),
    ),
)  # fmt: skip
"""4.3.2 服务单考核."""
