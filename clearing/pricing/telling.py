"""A price report in words: chapters of labelled values, bars and tables, for paper and page alike.

Everything said comes from the report's own document; nothing is computed but the length of a bar. Numbers keep every
digit that is not a trailing zero; money is shown in yuan, tax-exclusive, per billing unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clearing.money import yuan
from clearing.pricing.arithmetic import ONE, ZERO, exact
from clearing.pricing.quality import DIMENSION_NAMES, NOT_ASSESSED

Moment = Callable[[int], str]
"""Seconds UTC as people read them."""

TITLE = "数据元件定价报告"
KINDS = {"trial": "试算（不可引用）", "agreed_guide": "协议指导价", "bidding_guide": "竞价指导价"}
STAGES = {"resource": "数据资源", "element": "数据元件", "product": "数据产品"}
RIGHTS = {"HOLD": "数据持有权", "USE": "数据使用权", "OPERATE": "数据经营权"}
MODES = {"agreed": "协议", "bidding": "竞价"}
REGIMES = {"market": "市场主体自主定价", "guided": "政府指导价"}
PURPOSES = {"governance": "公共治理", "welfare": "公益事业", "industry": "产业发展、行业发展"}
GATES = {
    "source_lawful": "来源合法",
    "authorised": "授权合规",
    "registered": "登记合规",
    "content_reviewed": "内容审查",
    "desensitised": "脱敏证明",
}
RULES = {
    "null_ratio": "非空",
    "record_count": "记录数",
    "format_regex": "格式",
    "type": "类型",
    "code_list": "代码表",
    "range": "值域",
    "unique_key": "主键唯一",
    "duplicate_rows": "整行重复",
    "cross_field": "字段间关系",
    "freshness": "时效",
    "reported": "外部记录",
}
COLUMN_KINDS = {
    "categorical": "类别",
    "discrete": "离散",
    "continuous": "连续",
    "timestamp": "时间",
    "identifier": "标识",
    "text": "文本",
    "nested": "嵌套",
}
REASONS = COLUMN_KINDS | {"identifier_like": "近似标识（取值几乎逐行不同）"}
ADJUSTED = {"scarcity": "稀缺性 S", "timeliness": "时效性 T", "scale": "规模 N", "completeness": "完整性 W"}
INPUTS = {
    "volume": "数据体量 N",
    "entropy": "信息熵 E",
    "unit_value": "单位信息价值",
    "data_cost": "数据成本",
    "model_cost": "模型成本",
    "expected_return": "预期收益率 r",
    "joint_share": "价值权重 w",
    "history_weight": "历史价权重 λ",
    "history_price": "历史参考价 C0",
    "market_factor": "市场调节因子 β",
}
WARNINGS = {
    "volume_is_one_half_at_zero_rows": "体量函数在 N=0 时为一半：小元件保留一半体量权重（所印公式如此）",
    "cold_start": "冷启动：没有可比的独立成交，历史价未参与",
    "small_sample": "样本少于 100 行，未做近似标识判断",
}
TRADES = {
    "not_comparable": "不可比",
    "outside_window": "超出时间窗",
    "self_dealing": "自我交易",
    "related_party": "关联方",
    "relation_not_checked": "关联关系未核",
    "circle": "循环交易",
    "non_cash": "非现金对价",
    "subsidised": "有奖补",
    "refunded": "已退款",
    "disputed": "有争议",
    "bound_by_cap": "受上限约束",
    "zero_price": "零价",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: `share` of its full length in thousandths, what it stands for and what it says."""

    label: str
    share: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: headings, rows, and how wide each column is against the others."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the report; any of its parts may be empty."""

    title: str
    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    bars: tuple[Bar, ...] = ()
    table: Table | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """The report for a reader: `price` is the guide as shown, `basis` what it is the price of, `mark` what stands
    across a demonstration's paper."""

    title: str
    price: str
    basis: str
    kind: str
    mark: str
    chapters: tuple[Chapter, ...]


@exact
def told(report: Mapping[str, Any], moment: Moment) -> Told:
    """The whole report in words. `report` is a document that `price_report.build` made."""
    identity, result = report["identity"], report["result"]
    return Told(
        title=TITLE,
        price=f"{yuan(result['guide_fen'])} 元",
        basis=f"每 {identity['billing']['size']} {identity['billing']['unit']}，不含税",
        kind=KINDS[identity["kind"]],
        mark=identity.get("mark", ""),
        chapters=(
            _result(report, moment),
            _subject(report, moment),
            _data(report),
            *_quality(report["inputs"]["quality"], report["intermediate"], moment, "四、符合性", "五、质量评价"),
            *_density(report),
            _steps(report),
            _costs(report),
            *_market(report),
            *_sensitivity(report),
            _method(report),
            _digests(report),
        ),
    )


@exact
def told_quality(report: Mapping[str, Any], moment: Moment) -> Told:
    """A quality report in words. `report` is a document that `quality_report.quality_report` made."""
    identity, result, scheme = report["identity"], report["result"], report["quality"]["scheme"]
    about = (
        ("对象", f"{identity['element']['id']}，第 {identity['element']['version']} 版"),
        ("信息领域", identity["domain"]),
        ("评价方案", f"{scheme['id']}，第 {scheme['version']} 版"),
        ("评价时点", moment(identity["as_of"])),
        ("报告编号", identity["report_id"]),
        *_manifest(report["data"]),
    )
    digests = tuple((kind, report["digest"][field]) for kind, field in _ALGORITHMS)
    return Told(
        title="数据质量评价报告",
        price=f"{result['grade']} 级",
        basis=f"{plain(result['hundred'])} 分（满分 100）",
        kind="六个维度，先过符合性",
        mark=identity["mark"],
        chapters=(
            Chapter("一、对象与数据", rows=about),
            *_quality(report["quality"], result, moment, "二、符合性", "三、得分"),
            Chapter("四、摘要", "报告不含任何数据取值；持有数据文件的人可以重新计数。", digests),
        ),
    )


def plain(text: str) -> str:
    """A recorded number without its trailing zeros."""
    return text.rstrip("0").rstrip(".") if "." in text else text


# Chapters -------------------------------------------------------------------------------------------------------------


def _result(report: Mapping[str, Any], moment: Moment) -> Chapter:
    identity, result = report["identity"], report["result"]
    rows = [
        ("指导价", f"{yuan(result['guide_fen'])} 元（{KINDS[identity['kind']]}）"),
        ("协议指导价 P1", f"{yuan(result['agreed_guide_fen'])} 元"),
    ]
    if "bidding_guide_fen" in result:
        rows.append(("竞价指导价 P2", f"{yuan(result['bidding_guide_fen'])} 元"))
    rows.append(("取整前", f"{plain(result['unrounded_fen'])} 分"))
    if "cap" in result:
        held = "已按上限取低" if result["capped"] else "未触及上限"
        rows.append(("上限", f"{yuan(result['cap']['fen'])} 元（{result['cap']['id']}），{held}"))
    if "income_approach_fen" in result:
        rows.append(("收益法对照", f"{plain(result['income_approach_fen'])} 分（并列，不参与平均）"))
    rows.append(("质量等级", f"{report['intermediate']['grade']}（{plain(report['intermediate']['hundred'])} 分）"))
    rows.append(("有效期", f"{moment(identity['as_of'])} 至 {moment(identity['valid_until'])}"))
    said = "；".join(_warned(item) for item in result["warnings"])
    return Chapter(
        "一、结论",
        "指导价是建议，不是应付金额；成交价由当事人另行约定。",
        tuple(rows),
        note=f"提示：{said}。" if said else "",
    )


def _warned(warning: str) -> str:
    kind, _, name = warning.partition(":")
    if kind == "kind_inferred":
        return f"列 {name} 的类型由程序推定"
    known = WARNINGS.get(kind, kind)
    return f"{known}（{name}）" if name else known


def _subject(report: Mapping[str, Any], moment: Moment) -> Chapter:
    identity, policy = report["identity"], report["method"]["policy"]
    rows = [
        ("对象", f"{identity['element']['id']}，第 {identity['element']['version']} 版"),
        ("阶段", STAGES[identity["stage"]]),
        ("信息领域", identity["domain"]),
        ("场景", identity["scene"]),
        ("授予权利", RIGHTS.get(identity["right"], identity["right"])),
        ("成交方式", MODES[identity["mode"]]),
        ("价格管理", REGIMES[identity["regime"]] + ("；须进场交易" if identity["venue_mandatory"] else "")),
    ]
    if "purpose" in identity:
        rows.append(("用途", PURPOSES[identity["purpose"]]))
    rows += [
        ("定价时点", moment(identity["as_of"])),
        ("定价口径", f"{policy['id']}，第 {policy['version']} 版"),
        ("报告编号", identity["report_id"]),
    ]
    if "supersedes" in identity:
        rows.append(("取代报告", identity["supersedes"]))
    sources = tuple(
        (item["resource"], item["certificate"], RIGHTS[item["right"]]) for item in report["inputs"]["sources"]
    )
    table = Table(("来源资源", "登记凭证", "持有的权利"), sources, (3, 4, 2)) if sources else None
    return Chapter("二、标的与口径", rows=tuple(rows), table=table)


def _data(report: Mapping[str, Any]) -> Chapter:
    volume = report["inputs"]["volume"]
    measured = ("体量 N", f"{volume['value']} {volume['unit']}，标准增量 C = {volume['increment']}")
    return Chapter("三、数据", rows=(*_manifest(report["inputs"]["data"]), measured))


def _manifest(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    part = f"，{data['part']}" if "part" in data else ""
    return (
        ("文件", f"{data['name']}（{data['format']}{part}，{data['size']} 字节）"),
        ("行、列", f"{data['rows']} 行，{len(data['columns'])} 列"),
        ("SHA-256", data["digest"]["sha256"]),
        ("SM3", data["digest"]["sm3"]),
    )


def _quality(
    quality: Mapping[str, Any], values: Mapping[str, Any], moment: Moment, gate_title: str, score_title: str
) -> tuple[Chapter, ...]:
    gate = tuple(
        (GATES.get(item["item"], item["item"]), "通过" if item["passed"] else "未通过", item["evidence"])
        for item in quality["gate"]
    )
    bars = tuple(
        Bar(
            f"{item['name']}（权重 {plain(item['weight'])}）",
            0 if item["score"] == NOT_ASSESSED else _thousandths(item["score"]),
            item["score"] if item["score"] == NOT_ASSESSED else plain(item["score"]),
        )
        for item in values["scores"]
    )
    ran = tuple(
        (
            item["id"],
            DIMENSION_NAMES[item["dimension"]],
            RULES[item["kind"]],
            "、".join(item["columns"]) or "—",
            f"{item['passed']} / {item['applicable']}",
            plain(item["weight"]),
        )
        for item in quality["counts"]
    )
    who = quality["evaluator"]
    said = f"评价方 {who['evaluator']}，受评方 {who['applicant']}；有效至 {moment(who['valid_until'])}。"
    rule = "任一项不通过即无得分、无等级、无价格。"
    return (
        Chapter(gate_title, rule, table=Table(("项目", "结论", "依据"), gate, (2, 1, 5))),
        Chapter(
            f"{score_title}：{plain(values['hundred'])} 分，{values['grade']} 级",
            said,
            bars=bars,
            table=Table(("规则", "维度", "种类", "列", "通过 / 适用", "权重"), ran, (3, 2, 2, 4, 3, 4)),
        ),
    )


def _density(report: Mapping[str, Any]) -> tuple[Chapter, ...]:
    values = report["intermediate"]
    most = max((Decimal(item["L"]) for item in values["columns"]), default=ZERO)
    bars = tuple(
        Bar(
            item["name"],
            _thousandths(str(Decimal(item["E"]) / most)) if most else 0,
            f"E = {plain(item['E'])} 比特，上限 {plain(item['L'])}",
        )
        for item in values["columns"]
    )
    columns = report["inputs"]["columns"]
    left_out = tuple(
        (item["name"], REASONS.get(item["reason"], item["reason"])) for item in columns if "reason" in item
    )
    table = Table(("未参与的列", "原因"), left_out, (2, 3)) if left_out else None
    text = "每列取值分布的香农熵；列的取舍由规则决定，不由卖方挑选。"
    tuples = report["inputs"].get("tuples")
    if tuples is None:
        return (Chapter("六、信息密度", text, bars=bars, table=table),)
    text += "本口径取各参与列取值组合的联合熵：列与列重复的信息只计一次。"
    return (Chapter("六、信息密度", text, _joint(tuples, values), bars, table),)


def _joint(tuples: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    left_out = "有空值或不合类型的单元格" if tuples["nulls"] == "drop" else "有不合类型的单元格"
    return (
        ("联合熵 E", f"{plain(values['E'])} 比特，上限 {plain(values['L'])}"),
        ("取值组合", f"{len(tuples['columns'])} 列，{tuples['distinct']} 种不同组合"),
        ("计入的行", f"{tuples['rows'] - tuples['left_out']} 行"),
        ("不计的行", f"{tuples['left_out']} 行（{left_out}）"),
    )


def _steps(report: Mapping[str, Any]) -> Chapter:
    values, inputs = report["intermediate"], report["inputs"]
    rows = [
        ("V(N)", plain(values["V"])),
        ("Q(Z)", plain(values["Q"])),
        ("E，D(X)", f"{plain(values['E'])}，{plain(values['D'])}"),
        ("I = V·Q·D", plain(values["I"])),
        ("单位信息价值", f"{inputs['unit_value']['fen']} 分（{inputs['unit_value']['evidence']}）"),
        ("信息价值折算", f"{plain(values['value_fen'])} 分"),
        ("元件成本 Cy", f"{plain(values['Cy'])} 分"),
        ("g", f"{plain(values['g'])} 分"),
        ("预期收益率 r", plain(inputs["expected_return"])),
        ("P1 = (1+r)·g", f"{plain(values['P1'])} 分"),
    ]
    if "P2" in values:
        rows += [
            ("历史参考价 C0", f"{values['C0_fen']} 分" if "C0_fen" in values else "没有（冷启动）"),
            ("历史价权重 λ", plain(values["history_weight"])),
            ("市场评估价 P''", f"{plain(values['assessment'])} 分"),
            ("市场调节因子 β", plain(inputs["market_factor"]["value"])),
            ("P2 = β·P''", f"{plain(values['P2'])} 分"),
        ]
    text = "逐步全精度计算，只在最后取整一次。"
    return Chapter("七、计算过程", text, tuple(rows))


def _costs(report: Mapping[str, Any]) -> Chapter:
    cost = report["inputs"]["cost"]
    rows = (
        ("数据成本", f"{yuan(cost['data_cost_fen'])} 元"),
        ("模型成本", f"{yuan(cost['model_cost_fen'])} 元"),
        ("备查（不计入）", f"{yuan(cost['memo_fen'])} 元"),
        ("成本表摘要 SHA-256", cost["table"]["sha256"]),
    )
    return Chapter("八、成本归集", "间接成本与奖补只作备查，不分摊。", rows)


def _market(report: Mapping[str, Any]) -> tuple[Chapter, ...]:
    values, inputs = report["intermediate"], report["inputs"]
    if "trades" not in inputs:
        return ()
    trades = inputs["trades"]
    factors = tuple(
        (ADJUSTED[item["name"]], plain(item["strength"]), plain(item["x"]), plain(item["factor"]))
        for item in values["adjustments"]
    )
    rows = [
        ("采用的成交", f"{len(trades['admitted'])} 笔，不同买方 {trades['buyers']} 个"),
        ("排除的成交", f"{len(trades['excluded'])} 笔"),
    ]
    rows += [(item["trade"][:16] + "…", _excluded(item["reason"])) for item in trades["excluded"]]
    return (
        Chapter(
            "九、市场调节",
            "只列成交摘要与排除原因，不披露交易对手。",
            tuple(rows),
            table=Table(("因素", "强度 a", "取值 x", "系数"), factors, (2, 2, 2, 2)),
        ),
    )


def _excluded(reason: str) -> str:
    kind, _, what = reason.partition(":")
    return TRADES[kind] + (f"（{what}）" if what else "")


def _sensitivity(report: Mapping[str, Any]) -> tuple[Chapter, ...]:
    rows = tuple(
        (input_name(item["input"]), item["change"], f"不成立（{item['refused']}）", "—")
        if "refused" in item
        else (input_name(item["input"]), item["change"], yuan(item["price_fen"]), _signed(item["change_fen"]))
        for item in report["sensitivity"]
    )
    if not rows:
        return ()
    table = Table(("一次变一项", "幅度", "价格（元）", "变动（元）"), rows, (4, 2, 2, 2))
    return (Chapter("十、敏感性", "同一程序、同一取整，一次只变一项。", table=table),)


def input_name(name: str) -> str:
    """What an input of the sensitivity table is called."""
    kind, _, rest = name.partition(".")
    if kind == "score":
        return f"{DIMENSION_NAMES[rest]}得分"  # type: ignore[index]
    if kind == "x":
        return f"{ADJUSTED[rest]} 的取值"
    return INPUTS.get(name, name)


def _signed(amount: int) -> str:
    return f"+{yuan(amount)}" if amount > 0 else yuan(amount)


def _method(report: Mapping[str, Any]) -> Chapter:
    method = report["method"]
    rows = tuple((slot, id_) for slot, id_ in sorted(method["strategies"].items()))
    constants = [(name, _constant(value)) for name, value in sorted(method["constants"].items())]
    table = Table(("口径常数", "取值"), tuple(constants), (3, 4))
    arithmetic = method["arithmetic"]
    text = f"策略以名称和版本固定，不作修改；{arithmetic['precision']} 位十进制，{arithmetic['rounding']}。"
    return Chapter("十一、方法", text, rows, table=table)


def _constant(value: Any) -> str:
    return "—" if value is None else str(value)


def _digests(report: Mapping[str, Any]) -> Chapter:
    digests = report["digests"]
    names = (("input", "输入"), ("evidence", "证据"), ("report", "报告"))
    rows = [(f"{name} {kind}", digests[key][field]) for key, name in names for kind, field in _ALGORITHMS]
    policy = report["method"]["policy"]["digest"]
    rows += [(f"口径 {kind}", policy[field]) for kind, field in _ALGORITHMS]
    text = (
        "复算：shuqing price verify 报告.json 证据.json，逐字节一致才算相等；"
        "持有数据文件的，另可由文件重新计数（--data）。证据含取值频数，只交有权核对的人。"
    )
    return Chapter("十二、摘要与复算", text, tuple(rows))


_ALGORITHMS: Sequence[tuple[str, str]] = (("SHA-256", "sha256"), ("SM3", "sm3"))


def _thousandths(text: str) -> int:
    value = min(max(Decimal(text), ZERO), ONE)
    return int(value * 1000)
