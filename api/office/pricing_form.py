"""The form of a pricing case: what only people know of a price, field by field, to a request and back; and the
parameters of the policy that may be moved for a trial.

Nothing is computed here. A field is named after the field of the request it becomes, so that a refusal of the product's
own code finds its place beside it. Source: pricing.md §4, §5.2, §7, §9, §12.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from api.office.application_form import Message
from api.office.pricing_cases import PricingCase
from api.office.typed import SEPARATOR, Typed
from api.office.widgets import Group, Widget
from clearing import money
from clearing.pricing import policies, telling
from clearing.pricing.cost import ITEMS
from clearing.pricing.errors import CODES, PricingRefused
from clearing.pricing.manifest import Counted
from clearing.pricing.policy import Policy, choose, read_policy
from clearing.pricing.quality import DIMENSION_NAMES, DIMENSIONS, Assessed
from ledger.errors import FieldError
from ledger.reading import body_of
from registry.calendar import SHANGHAI

SPARE: Mapping[str, int] = {"costs": 2, "sources": 1, "trades": 1, "flows": 2}
"""Empty rows shown below those that are filled."""
MOST_ROWS = 50
"""Rows of a repeated group; more are for the command line."""
OWN = "自拟口径"
"""What the identifier of a policy begins with that was moved for a trial."""
DAY = 86_400

POOLS = {"data": "数据成本", "model": "模型成本", "memo": "备查（不计入）"}
ATTRIBUTIONS = {"direct": "直接归属", "shared": "共用"}
RELATIONS = {"none": "已核，无关联", "related": "关联方", "unchecked": "未核"}
CONSIDERATIONS = {"cash": "现金", "equity": "作价入股", "other": "其他"}
TAXES = {"exclusive": "不含税", "inclusive": "含税"}
SCALES = {"unit": "0 至 1", "percent": "百分制", "grade": "等级"}
CAPS = {"trial": "试行", "formal": "正式"}
TICKS = {"subsidised": "有奖补", "refunded": "已退款", "disputed": "有争议", "capped": "受上限约束"}
ROWS: Mapping[str, tuple[str, ...]] = {
    "costs": ("amount", "period", "voucher"),
    "sources": ("resource", "certificate"),
    "trades": ("id", "price", "seller", "buyer"),
    "flows": ("cash", "attribution"),
}
"""Repeated groups; a row in which all of these are empty is left out."""
CALLED = {"costs": "成本", "sources": "来源", "trades": "成交", "flows": "年"}
"""What one row of a repeated group is called."""

MOVABLE: Mapping[str, tuple[str, str, str]] = {
    "volume_increment": ("标准增量 C", "Standard increment", "whole"),
    "unit_value_fen": ("单位信息价值（元）", "Unit value", "yuan"),
    "domain_factor": ("领域调节系数", "Domain factor", "fraction"),
    "joint_share": ("价值权重 w", "Weight of value", "share"),
    "history_weight": ("历史价权重 λ", "Weight of history", "share"),
    "half_life_s": ("半衰期（天）", "Half-life", "days"),
    "scale_increment": ("规模的标准增量", "Increment of scale", "whole"),
    "adjust_scarcity": ("稀缺性强度 a", "Scarcity", "share"),
    "adjust_timeliness": ("时效性强度 a", "Timeliness", "share"),
    "adjust_scale": ("规模强度 a", "Scale", "share"),
    "adjust_completeness": ("完整性强度 a", "Completeness", "share"),
}
"""Constants of a policy that may be moved for a trial: what they are called, and how they are typed."""
FIXED: Mapping[str, str] = {
    "volume_unit": "体量单位", "unit_value_evidence": "单位信息价值的依据", "billing_unit": "计费单位",
    "billing_size": "每多少计费单位", "bins": "分箱数", "calendar": "时间颗粒",
    "identifier_threshold": "近似标识的阈值", "nulls": "空值处理", "history_window_s": "历史成交的时间窗（秒）",
    "history_minimum": "至少几笔可比成交", "history_weights": "历史成交的权重",
}  # fmt: skip
"""Constants of a policy that nobody moves here."""
STEPS: Mapping[str, str] = {
    "agreed": "协议指导价", "bidding": "竞价指导价", "cap": "上限", "columns": "各列的合成", "completeness": "完整性",
    "cost": "成本", "decay": "时间衰减", "density": "信息密度", "entropy": "信息熵", "history": "历史参考价",
    "joint": "价值与成本的综合", "market": "市场评估", "quality": "质量", "round": "取整", "scale": "规模",
    "scarcity": "稀缺性", "value": "信息价值", "volume": "数据体量",
}  # fmt: skip
"""What each step of a policy's computation is called."""
MARKET_ONLY = frozenset(MOVABLE) - {"volume_increment", "unit_value_fen", "domain_factor", "joint_share"}


@dataclass(frozen=True, slots=True)
class Question:
    """What the form asks: the request, the policy (`own`: moved for a trial) and the counts with what was assessed.

    `places` are the numbers the rows of a repeated group have in the form. With `messages` it cannot be priced yet.
    """

    request: dict[str, Any]
    policy: Policy
    own: bool
    counted: Counted
    places: Mapping[str, tuple[int, ...]]
    messages: Mapping[str, tuple[Message, ...]]


def of_evidence(document: Mapping[str, Any], base: Policy) -> dict[str, str]:
    """The fields of evidence made elsewhere, its policy's parameters as moved ones where they differ from `base`.

    Raises `PricingRefused`: NO_POLICY for a policy that differs in more than what may be moved here, INPUT_FORM for
    more rows than the form has.
    """
    given = read_policy(document["policy"])
    if _unmoved(given) != _unmoved(base):
        raise PricingRefused(
            "NO_POLICY", "evidence.policy", f"{base.id} v{base.version}", f"{given.id} v{given.version}"
        )
    request = document["request"]
    for name in ("costs", "sources", "trades"):
        if len(request.get(name, ())) > MOST_ROWS:
            raise PricingRefused(
                "INPUT_FORM", f"request.{name}", f"≤ {MOST_ROWS} 行；更多请用 shuqing price / more: by command line",
                len(request[name]),
            )  # fmt: skip
    return values_of(request, document["counted"].get("assessed", ()), given)


def _unmoved(policy: Policy) -> dict[str, Any]:
    """What of a policy cannot be moved here."""
    constants = {name: value for name, value in body_of(policy.constants).items() if name not in MOVABLE}
    scheme = {name: value for name, value in body_of(policy.scheme).items() if name != "weights"}
    return {"domain": policy.domain, "stage": policy.stage, "strategies": policy.strategies, "constants": constants,
            "scheme": scheme}  # fmt: skip


# To the form ----------------------------------------------------------------------------------------------------------


def values_of(request: Mapping[str, Any], assessed: Iterable[Mapping[str, Any]], policy: Policy) -> dict[str, str]:
    """What stands in the fields of this request under this policy, open fields too."""
    element, evaluator = request["element"], request["evaluator"]
    found: dict[str, str] = {
        "report_id": request["report_id"], "citable": "1" if element["citable"] else "",
        "predecessors": SEPARATOR.join(map(str, element.get("predecessors", ()))),
        "venue_mandatory": "1" if request.get("venue_mandatory") else "",
        "regime": request.get("regime", "market"), "market_factor": request.get("market_factor", "1"),
        **{name: moment(request[name]) for name in ("as_of", "valid_until", "data_time")},
        **{name: str(request.get(name) or "") for name in (
            "scene", "right", "mode", "expected_return", "purpose", "market_factor_approval", "supersedes")},
        **{f"evaluator.{name}": evaluator[name] for name in ("evaluator", "applicant", "registrar")},
        **{f"evaluator.{name}": moment(evaluator[name]) for name in ("evaluated_at", "valid_until")},
    }  # fmt: skip
    for item in request["gate"]:
        found |= {f"gate.{item['item']}.passed": "1" if item["passed"] else "",
                  f"gate.{item['item']}.evidence": item["evidence"]}  # fmt: skip
    for item in assessed:
        found |= {f"assessed.{item['dimension']}.{name}": item[name] for name in ("scale", "value", "evidence")}
    for place, item in enumerate(request["costs"]):
        amount = money.yuan(item["amount_fen"]) if item["amount_fen"] or item["voucher"] else ""
        found |= _row("costs", place, item, "code", "pool", "period", "attribution", "voucher", amount=amount)
    for place, item in enumerate(request.get("sources", ())):
        ends = moment(item["valid_to"]) if item.get("valid_to") is not None else ""
        found |= _row("sources", place, item, "resource", "certificate", "right",
                      valid_from=moment(item["valid_from"]), valid_to=ends)  # fmt: skip
    for place, item in enumerate(request.get("trades", ())):
        found |= _row("trades", place, item, "id", "element", "stage", "scene", "billing_unit", "right", "tax_basis",
                      "currency", "seller", "buyer", "relation", version=str(item["version"]),
                      billing_size=str(item["billing_size"]), quantity=str(item["quantity"]),
                      price=money.yuan(item["unit_price_fen"]), at=moment(item["at"]),
                      consideration=item.get("consideration", "cash"),
                      **{name: "1" if item.get(name) else "" for name in TICKS})  # fmt: skip
    scarcity = request.get("scarcity", {})
    found["scarcity.substitutes"] = SEPARATOR.join(scarcity.get("substitutes", ()))
    found |= {f"scarcity.{name}": scarcity.get(name) or "" for name in ("declared", "assessor", "evidence")}
    if (cap := request.get("cap")) is not None:
        ends = moment(cap["effective_to"]) if cap.get("effective_to") is not None else ""
        found |= {"cap.id": cap["id"], "cap.price": money.yuan(cap["fen"]), "cap.kind": cap["kind"],
                  "cap.issuer": cap["issuer"], "cap.document": cap["document"],
                  "cap.effective_from": moment(cap["effective_from"]), "cap.effective_to": ends}  # fmt: skip
    if (income := request.get("income")) is not None:
        found |= {"income.rate": income["rate"], "income.derivation": income["derivation"]}
        for place, item in enumerate(income["flows"]):
            found |= _row("flows", place, item, "attribution", cash=money.yuan(item["cash_fen"]))
    return found | moved_of(policy)


def moved_of(policy: Policy) -> dict[str, str]:
    """The movable parameters of a policy as they are typed."""
    found = {}
    for name, (_, _, kind) in MOVABLE.items():
        value = getattr(policy.constants, name)
        if value is not None and (name not in MARKET_ONLY or "market" in policy.strategies):
            found[f"policy.{name}"] = _shown(value, kind)
    return found | {f"policy.weights.{name}": policy.scheme.weights.get(name, "0") for name in DIMENSIONS}


def moment(at: int) -> str:
    """Seconds UTC as a field of date and time shows them, in Beijing time."""
    return datetime.fromtimestamp(at, SHANGHAI).strftime("%Y-%m-%dT%H:%M:%S")


def _shown(value: Any, kind: str) -> str:
    if kind == "yuan":
        return money.yuan(value)
    return str(value // DAY) if kind == "days" else str(value)


def _row(group: str, place: int, item: Mapping[str, Any], *names: str, **more: str) -> dict[str, str]:
    shown = {name: str(item[name]) for name in names} | more
    return {f"{group}.{place}.{name}": text for name, text in shown.items()}


# From the form --------------------------------------------------------------------------------------------------------


def read_form(values: Mapping[str, str], case: PricingCase, counted: Counted) -> Question:
    """The question that was typed, under the policy in force at its `as_of`, or its own for a trial.

    Raises `PricingRefused` NO_POLICY when none is in force then.
    """
    typed = Typed(values)
    as_of = _moment(typed, "as_of") or case.updated_at
    base = choose(policies.POLICIES, case.domain, case.stage, as_of)
    policy = _moved(typed, base)
    own = policy is not base
    market = "market" in base.strategies
    unit = {"billing_unit": base.constants.billing_unit, "billing_size": base.constants.billing_size}
    places = {group: _places(values, group, telling_fields) for group, telling_fields in ROWS.items()}
    regime = typed.choice("regime", telling.REGIMES)
    request: dict[str, Any] = {
        "report_id": values.get("report_id", ""),
        "element": {"id": case.element, "version": case.version, "citable": typed.ticked("citable") and not own},
        "stage": case.stage,
        "domain": case.domain,
        "scene": typed.text("scene"),
        **unit,
        "right": typed.choice("right", telling.RIGHTS),
        "mode": typed.choice("mode", telling.MODES),
        "as_of": as_of,
        "valid_until": _moment(typed, "valid_until"),
        "data_time": _moment(typed, "data_time"),
        "evaluator": {
            **{name: typed.text(f"evaluator.{name}") for name in ("evaluator", "applicant", "registrar")},
            **{name: _moment(typed, f"evaluator.{name}") for name in ("evaluated_at", "valid_until")},
        },
        "gate": [_gate(typed, item) for item in base.scheme.gate],
        "costs": [_cost(typed, f"costs.{place}") for place in places["costs"]],
        "expected_return": typed.text("expected_return", most=40),
        "regime": regime,
        "venue_mandatory": typed.ticked("venue_mandatory"),
        "sources": [_source(typed, f"sources.{place}") for place in places["sources"]],
        "market_factor": typed.text("market_factor", required=market, most=40) or "1",
    }
    if not places["costs"]:
        typed.wrong("costs", "请至少填写一项成本。", "At least one cost.")
    for name in ("purpose", "market_factor_approval", "supersedes"):
        if text := values.get(name, ""):
            request[name] = text
    if earlier := typed.listed("predecessors", required=False):
        request["element"]["predecessors"] = [int(item) for item in earlier if item.isdecimal() and len(item) < 10]
    if regime == "guided" and values.get("cap.id"):
        request["cap"] = _cap(typed, case, unit)
    if market:
        request["scarcity"] = _scarcity(typed)
        request["trades"] = [_trade(typed, f"trades.{place}", request) for place in places["trades"]]
    if case.stage == "resource":
        flows = [
            {"cash_fen": typed.yuan(f"flows.{place}.cash", signed=True) or 0,
             "attribution": typed.text(f"flows.{place}.attribution", most=40)}
            for place in places["flows"]
        ]  # fmt: skip
        request["income"] = {"rate": typed.text("income.rate", most=40),
                             "derivation": typed.text("income.derivation"), "flows": flows}  # fmt: skip
    assessed = tuple(_assessed(typed, name) for name in _asked(counted))
    return Question(request, policy, own, replace(counted, assessed=assessed), places, typed.messages)


def beside(refused: PricingRefused | FieldError, question: Question) -> str:
    """The field of the form that a refusal belongs to, "" where it belongs to none."""
    path = re.sub(r"\[([^]]*)\]", r".\1", refused.field)
    for prefix in ("request.", "counted.", "strategies."):
        path = path.removeprefix(prefix)
    head, _, rest = path.partition(".")
    if head in question.places:
        number, _, name = rest.partition(".")
        here = question.places[head]
        row = here[int(number)] if number.isdecimal() and int(number) < len(here) else None
        first = {"costs": "amount", "sources": "certificate", "trades": "id", "flows": "cash"}[head]
        name = {"amount_fen": "amount", "unit_price_fen": "price", "cash_fen": "cash"}.get(name, name or first)
        return head if row is None else f"{head}.{row}.{name}"
    if path in _ALIASES:
        return _ALIASES[path]
    if head in ("gate", "assessed") and rest:
        return f"{head}.{rest}.{'passed' if head == 'gate' else 'value'}"
    if head == "scheme":
        weight = path.removeprefix("scheme.weights.")
        if weight in DIMENSION_NAMES and isinstance(refused, PricingRefused) and refused.code == "NOT_ASSESSED":
            return f"assessed.{weight}.value"
        return f"policy.weights.{weight}" if weight in DIMENSION_NAMES else "policy"
    last = path.rpartition(".")[2]
    if last in MOVABLE or {"increment": "volume_increment"}.get(last) in MOVABLE:
        return f"policy.{'volume_increment' if last == 'increment' else last}"
    return last if last in ("expected_return", "market_factor") else path


def said(refused: Exception) -> tuple[str, str]:
    """A refusal as a clerk reads it beside a field: the reason, what is expected and what was given."""
    if isinstance(refused, PricingRefused):
        zh, en = CODES[refused.code]
        expected, _, expected_en = refused.expected.partition(" / ")
        given, _, given_en = refused.given[:120].partition(" / ")
        return (f"{zh}：应为 {expected}，现为 {given}。",
                f"{en}: expected {expected_en or expected}, given {given_en or given}.")  # fmt: skip
    chinese, _, english = str(refused).partition(" / ")
    return chinese, english


_ALIASES = {
    "element": "citable", "element.citable": "citable", "element.version": "citable",
    "evaluator": "evaluator.evaluator", "cap": "cap.id", "cap.product": "cap.id", "scarcity": "scarcity.declared",
    "income": "income.rate", "billing_unit": "as_of", "domain": "as_of", "policy": "as_of",
    "parameters.joint_share": "policy.joint_share",
}  # fmt: skip


def _moved(typed: Typed, base: Policy) -> Policy:
    """The policy with what was moved; the very same one when nothing was."""
    given = {name: text for name, text in moved_of(base).items() if typed.values.get(name, text) != text}
    if not given:
        return base
    document = base.document()
    for name in given:
        key = name.removeprefix("policy.")
        if key.startswith("weights."):
            document["scheme"]["weights"][key.removeprefix("weights.")] = typed.text(name, most=40) or "0"
        else:
            document["constants"][key] = _constant(typed, name, MOVABLE[key][2])
    document["id"] = f"{OWN}.{base.id}"
    return read_policy(document)


def _constant(typed: Typed, name: str, kind: str) -> Any:
    if kind == "yuan":
        return typed.yuan(name) or 0
    if kind == "whole":
        return typed.number(name, 1, 10**12)
    if kind == "days":
        return typed.number(name, 1, 100_000) * DAY
    return typed.text(name, most=40) or "0"


def _moment(typed: Typed, name: str, *, blank: bool = False) -> int:
    text = typed.values.get(name, "")
    if blank and not text:
        return 0
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None and 1970 < found.year < 9999:
            return int(found.replace(tzinfo=SHANGHAI, microsecond=0).timestamp())
    except ValueError:
        pass
    typed.wrong(name, "请填写日期和时间（北京时间）。", "A date and time, Beijing.")
    return 0


def _places(values: Mapping[str, str], group: str, telling_fields: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of the rows in which something was typed, in order."""
    found = set()
    for name, text in values.items():
        head, _, rest = name.removeprefix(f"{group}.").partition(".")
        if name.startswith(f"{group}.") and text and rest in telling_fields and head.isdecimal() and len(head) <= 4:
            found.add(int(head))
    return tuple(sorted(found)[:MOST_ROWS])


def _gate(typed: Typed, item: str) -> dict[str, Any]:
    passed = typed.ticked(f"gate.{item}.passed")
    return {"item": item, "passed": passed, "evidence": typed.text(f"gate.{item}.evidence", required=passed)}


def _cost(typed: Typed, row: str) -> dict[str, Any]:
    return {
        "code": typed.choice(f"{row}.code", {code: name for code, (name, _) in ITEMS.items()}),
        "pool": typed.choice(f"{row}.pool", POOLS),
        "amount_fen": typed.yuan(f"{row}.amount") or 0,
        "period": typed.text(f"{row}.period"),
        "attribution": typed.choice(f"{row}.attribution", ATTRIBUTIONS),
        "voucher": typed.text(f"{row}.voucher"),
    }


def _source(typed: Typed, row: str) -> dict[str, Any]:
    found = {
        "resource": typed.text(f"{row}.resource"),
        "certificate": typed.text(f"{row}.certificate"),
        "right": typed.choice(f"{row}.right", telling.RIGHTS),
        "valid_from": _moment(typed, f"{row}.valid_from"),
    }
    ends = _moment(typed, f"{row}.valid_to", blank=True)
    return found | ({"valid_to": ends} if ends else {})


def _trade(typed: Typed, row: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """A trade; what is left blank is as in the request."""

    def text(name: str, otherwise: str) -> str:
        return typed.text(f"{row}.{name}", required=False) or otherwise

    return {
        "id": typed.text(f"{row}.id"),
        "element": text("element", request["element"]["id"]),
        "version": typed.number(f"{row}.version", 1, blank=request["element"]["version"]),
        "stage": text("stage", request["stage"]),
        "scene": text("scene", request["scene"]),
        "billing_unit": text("billing_unit", request["billing_unit"]),
        "billing_size": typed.number(f"{row}.billing_size", 1, blank=request["billing_size"]),
        "right": text("right", request["right"]),
        "tax_basis": typed.choice(f"{row}.tax_basis", TAXES),
        "currency": text("currency", "CNY"),
        "unit_price_fen": typed.yuan(f"{row}.price") or 0,
        "quantity": typed.number(f"{row}.quantity", 1, blank=1),
        "at": _moment(typed, f"{row}.at"),
        "seller": typed.text(f"{row}.seller"),
        "buyer": typed.text(f"{row}.buyer"),
        "relation": typed.choice(f"{row}.relation", RELATIONS),
        "consideration": typed.choice(f"{row}.consideration", CONSIDERATIONS),
        **{name: typed.ticked(f"{row}.{name}") for name in TICKS},
    }


def _scarcity(typed: Typed) -> dict[str, Any]:
    found: dict[str, Any] = {"substitutes": list(typed.listed("scarcity.substitutes", required=False))}
    given = {name: typed.values.get(f"scarcity.{name}", "") for name in ("declared", "assessor", "evidence")}
    return found | {name: text for name, text in given.items() if text}


def _cap(typed: Typed, case: PricingCase, unit: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "id": typed.text("cap.id"), "product": case.element, "version": case.version, **unit,
        "fen": typed.yuan("cap.price") or 0, "kind": typed.choice("cap.kind", CAPS),
        "issuer": typed.text("cap.issuer"), "document": typed.text("cap.document"),
        "effective_from": _moment(typed, "cap.effective_from"),
    }  # fmt: skip
    ends = _moment(typed, "cap.effective_to", blank=True)
    return found | ({"effective_to": ends} if ends else {})


def _asked(counted: Counted) -> tuple[str, ...]:
    """Dimensions that no rule of the file shows: stated by people, with their evidence."""
    return tuple(item.dimension for item in counted.assessed)


def _assessed(typed: Typed, name: str) -> Assessed:
    row = f"assessed.{name}"
    scale = typed.choice(f"{row}.scale", SCALES)
    value, evidence = typed.text(f"{row}.value", most=40), typed.text(f"{row}.evidence")
    return Assessed(name, scale, value, evidence)  # type: ignore[arg-type]


# What is shown --------------------------------------------------------------------------------------------------------


def groups(values: Mapping[str, str], case: PricingCase, counted: Counted, policy: Policy) -> tuple[Group, ...]:
    """The fields of the form, filled, as a clerk goes through them."""
    market, resource = "market" in policy.strategies, case.stage == "resource"
    found = [
        Group("场景与报价", "Scene and quote", (
            Widget("scene", "场景", "Scene", required=True),
            _choice("right", "授予的权利", "Right granted", telling.RIGHTS),
            _choice("mode", "成交方式", "Mode", telling.MODES),
            Widget("as_of", "定价时点（北京时间）", "Priced at", "moment", required=True),
            Widget("valid_until", "有效期至", "Valid until", "moment", required=True),
            Widget("data_time", "数据基准时间", "Data as of", "moment", required=True),
            Widget("expected_return", "预期收益率 r", "Expected return", "slide", required=True, most=40,
                   help="小数，如 0.12 即 12%"),
            Widget("citable", "可引用的报价（元件在发布审核中或已发布）", "May be cited", "tick",
                   help="不勾选即为试算：不入存证，不能用于上架"),
            Widget("supersedes", "取代哪份报告", "Supersedes", most=64, help="填该报告的 SHA-256；没有就空着"),
            Widget("predecessors", "可比的前版本号", "Earlier versions", help="多项用；分开；没有就空着"),
        )),
        Group("质量评价方", "Evaluator", (
            Widget("evaluator.evaluator", "评价方", "Evaluator", required=True,
                   help="统一社会信用代码；第三方：不得是受评方或登记机构"),
            Widget("evaluator.applicant", "受评方", "Applicant", required=True, help="统一社会信用代码"),
            Widget("evaluator.registrar", "登记机构", "Registrar", required=True, help="统一社会信用代码"),
            Widget("evaluator.evaluated_at", "评价时间", "Evaluated at", "moment", required=True),
            Widget("evaluator.valid_until", "评价有效至", "Valid until", "moment", required=True),
        )),
        Group("符合性", "The gate", tuple(
            widget for item in policy.scheme.gate for widget in (
                Widget(f"gate.{item}.passed", f"{telling.GATES.get(item, item)}：通过", "Passed", "tick"),
                Widget(f"gate.{item}.evidence", f"{telling.GATES.get(item, item)}的依据", "Evidence"),
            )
        ), help="任一项不通过即无得分、无等级、无价格。", anchor="gate"),
    ]  # fmt: skip
    if asked := _asked(counted):
        found.append(Group("由评价方给出的得分", "Scores stated by the evaluator", tuple(
            widget for name in asked for widget in (
                Widget(f"assessed.{name}.value", f"{DIMENSION_NAMES[name]}得分", "Score",  # type: ignore[index]
                       required=True, most=40),
                _choice(f"assessed.{name}.scale", "计分办法", "Scale", SCALES),
                Widget(f"assessed.{name}.evidence", "依据", "Evidence", required=True),
            )
        ), help="文件本身不能说明这些维度。", anchor="assessed"))  # fmt: skip
    found.append(_repeated(values, "costs", "成本归集（元）", "Costs", lambda row: (
        _choice(f"{row}.code", "项目", "Item", {code: name for code, (name, _) in ITEMS.items()}),
        _choice(f"{row}.pool", "归入", "Pool", POOLS),
        Widget(f"{row}.amount", "金额（元）", "Yuan", "number", most=20),
        Widget(f"{row}.period", "期间", "Period", most=200),
        _choice(f"{row}.attribution", "归属", "Attribution", ATTRIBUTIONS),
        Widget(f"{row}.voucher", "凭证号或摘要", "Voucher", most=200),
    ), "间接成本与奖补只作备查，不分摊；一张凭证只归入一处。"))  # fmt: skip
    found.append(_repeated(values, "sources", "来源与权利", "Sources", lambda row: (
        Widget(f"{row}.resource", "来源资源", "Resource"),
        Widget(f"{row}.certificate", "登记凭证编码", "Certificate"),
        _choice(f"{row}.right", "持有的权利", "Right", telling.RIGHTS),
        Widget(f"{row}.valid_from", "有效自", "From", "moment"),
        Widget(f"{row}.valid_to", "有效至", "To", "moment", help="无期限空着"),
    ), "每个来源都须持有数据使用权。"))  # fmt: skip
    if market:
        found += [
            Group("市场因素", "Market", (
                Widget("market_factor", "市场调节因子 β", "Market factor", "number", required=True, most=40),
                Widget("market_factor_approval", "批准文号", "Approval", help="β 不为 1 时填写"),
                Widget("scarcity.substitutes", "可替代的在架元件", "Substitutes", "long", most=4000,
                       help="多项用；分开"),
                Widget("scarcity.declared", "评定的稀缺性 x", "Declared scarcity", most=40,
                       help="口径要求评定时填写"),
                Widget("scarcity.assessor", "评定人", "Assessor"),
                Widget("scarcity.evidence", "评定依据", "Evidence"),
            )),
            _repeated(values, "trades", "历史成交", "Trades", _trade_widgets,
                      "没有可比的独立成交即为冷启动，历史价不参与；空着的版本和场景与本案相同。"),
        ]  # fmt: skip
    if resource:
        found += [
            Group("收益法对照", "Income approach", (
                Widget("income.rate", "折现率", "Rate", "number", required=True, most=40),
                Widget("income.derivation", "折现率的来由", "Derivation", required=True),
            ), help="与价格并列，不参与平均。"),
            _repeated(values, "flows", "逐年现金流", "Flows", lambda row: (
                Widget(f"{row}.cash", "现金流（元）", "Yuan", "number", most=20),
                Widget(f"{row}.attribution", "数据分成率（0 至 1）", "Attribution", "number", most=40),
            ), "按年，年末；流出写负数，如 -1200.00。"),
        ]  # fmt: skip
    found.append(Group("价格管理", "Regime", (
        _choice("regime", "价格管理", "Regime", telling.REGIMES),
        Widget("purpose", "公共数据用途", "Purpose", "choice", (("", "不适用"), *telling.PURPOSES.items())),
        Widget("venue_mandatory", "须进场交易", "Mandatory venue", "tick"),
    ), help="公共治理、公益事业免费提供；产业用途须有有效的上限。"))  # fmt: skip
    found.append(Group("政府指导价的上限", "Cap", (
        Widget("cap.id", "上限编号", "Cap"),
        Widget("cap.price", "上限（元）", "Yuan", "number", most=20, help="同一计费单位"),
        _choice("cap.kind", "上限种类", "Kind", CAPS),
        Widget("cap.issuer", "授权主体", "Issuer"),
        Widget("cap.document", "文件摘要", "Document"),
        Widget("cap.effective_from", "有效自", "From", "moment"),
        Widget("cap.effective_to", "有效至", "To", "moment", help="无期限空着"),
    ), help="价格管理选政府指导价、用途为产业发展时填写。", anchor="cap",
        folded=values.get("regime", "market") in ("", "market")))  # fmt: skip
    found.append(_own_group(policy, values))
    return tuple(group.filled(values) for group in found)


def constants_of(policy: Policy) -> tuple[tuple[str, str], ...]:
    """The policy's constants and strategies as they stand, to read."""
    shown = [
        (MOVABLE[name][0], _shown(value, MOVABLE[name][2])) if name in MOVABLE else (FIXED.get(name, name), str(value))
        for name, value in body_of(policy.constants).items()
    ]
    return (*shown, *((f"算法：{STEPS.get(step, step)}", text) for step, text in sorted(policy.strategies.items())))


def _own_group(policy: Policy, values: Mapping[str, str]) -> Group:
    base = moved_of(policy)
    kinds = {"share": "slide", "fraction": "number", "whole": "number", "yuan": "number", "days": "number"}
    widgets = [
        Widget(f"policy.{name}", zh, en, kinds[kind], most=40, help=f"口径所定：{base[f'policy.{name}']}")
        for name, (zh, en, kind) in MOVABLE.items() if f"policy.{name}" in base
    ]  # fmt: skip
    widgets += [
        Widget(f"policy.weights.{name}", f"权重：{zh}", "Weight", "slide", most=40,
               help=f"口径所定：{base[f'policy.weights.{name}']}")
        for name, zh in DIMENSION_NAMES.items()
    ]  # fmt: skip
    told = "这些是口径的参数。改动任何一项，结果即为自拟口径的试算，不能存为报价；六项权重之和须恰为 1。"
    return Group(
        "口径参数（试算时可改）", "Parameters of the policy", tuple(widgets), help=told, anchor="policy",
        folded=all(values.get(name, text) == text for name, text in base.items()),
    )  # fmt: skip


def _trade_widgets(row: str) -> tuple[Widget, ...]:
    return (
        Widget(f"{row}.id", "成交编号", "Trade"),
        Widget(f"{row}.at", "成交时间", "At", "moment"),
        Widget(f"{row}.price", "单价（元）", "Yuan", "number", most=20),
        Widget(f"{row}.quantity", "数量", "Quantity", "number", most=16, help="空着为 1"),
        Widget(f"{row}.seller", "卖方", "Seller", help="统一社会信用代码"),
        Widget(f"{row}.buyer", "买方", "Buyer", help="统一社会信用代码"),
        _choice(f"{row}.relation", "关联关系", "Relation", RELATIONS),
        _choice(f"{row}.consideration", "对价", "Consideration", CONSIDERATIONS),
        _choice(f"{row}.tax_basis", "计税", "Tax", TAXES),
        Widget(f"{row}.version", "元件版本", "Version", "number", most=9, help="空着与本案相同"),
        Widget(f"{row}.scene", "场景", "Scene", help="空着与本案相同"),
        *(Widget(f"{row}.{name}", zh, name, "tick") for name, zh in TICKS.items()),
    )


def _repeated(values: Mapping[str, str], group: str, zh: str, en: str, made: Any, told: str) -> Group:
    """One set of fields for each row that is filled, and some spare ones."""
    filled = _places(values, group, ROWS[group])
    first = max(filled, default=-1) + 1
    places = (*filled, *range(first, first + SPARE[group]))
    return Group(
        zh, en, tuple(widget for place in places for widget in made(f"{group}.{place}")), group, told, group,
        folded=group == "trades" and not filled, row=CALLED[group],
    )  # fmt: skip


def _choice(name: str, zh: str, en: str, options: Mapping[str, str]) -> Widget:
    return Widget(name, zh, en, "choice", tuple(options.items()))
