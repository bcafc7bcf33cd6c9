"""The terms of an agreement as a form, and a form as terms: what is not asked for stays as it was.

The form begins with a whole value: the proposal on the table, or what follows from listing, inquiry and price. A field
left as it was shown changes nothing, so an hour that a day cannot show, or a plan richer than the form, is not lost.
Source: exchange.md §4.1.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from api.office import plan_form, price_form, words
from api.office.spoken import share
from api.office.typed import SEPARATOR, Typed
from api.office.widgets import Group, Widget
from clearing import money
from clearing.market.agreement import (
    Delivery,
    Dispute,
    Forum,
    Product,
    Role,
    Terms,
    TermsParty,
)
from clearing.market.listing import Listing, PriceRegime
from clearing.market.negotiation.message import Inquiry, Quote
from clearing.market.policy import Action, Constraint, Left, Operator, Policy, Rule, policy_digest
from clearing.market.product import Proceeds
from clearing.market.promise import Silence
from clearing.market.template import Deviation, Model, Particular, Template, digest_of, model_of, models
from clearing.terms import (
    DAY,
    LATEST,
    MILLION,
    WHOLE,
    BillingBasis,
    Holder,
    NonTax,
    PeriodBasis,
    PeriodRules,
    PriceCap,
    SharingPlan,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Tolerance,
    Weight,
)
from clearing.terms import Terms as Settlement
from registry.asset import Twin
from registry.calendar import day_of, end_of, start_of
from registry.rights import RIGHT_NAMES, Right

ENVIRONMENTS = words.VALUES["environment"]
BILLING = {basis.value: words.VALUES["billing"][basis.value] for basis in BillingBasis}
SILENCE = {silence.value: words.VALUES["silence"][silence.value] for silence in Silence}
BASES = {basis.value: words.VALUES["period.basis"][basis.value] for basis in PeriodBasis}
FORUMS = {forum.value: words.VALUES["forum"][forum.value] for forum in Forum}
ACTIONS = {action.value: words.VALUES["action"][action.value] for action in Action}


def begun(
    listing: Listing, identity: str, digest: Twin, consumer: str, *, at: int, inquiry: Inquiry | None = None,
    quote: Quote | None = None,
) -> Terms:  # fmt: skip
    """What the first terms begin with: the listing version `digest`, and what was asked and quoted before."""
    purposes = listing.use.purposes
    if inquiry is not None:
        start, end = inquiry.effective, inquiry.expiry
    else:
        start, end = start_of(day_of(at)), end_of(day_of(at + 365 * 86_400))
    policy = _policy(1, listing.seller, consumer, identity, purposes, Action.READ, inquiry.quantity if inquiry else 0)
    plan = SharingPlan(
        1, 0, (Holder(listing.seller, "operator"),), (Step(StepKind.RATIO, weights=(Weight(listing.seller, WHOLE),)),),
        listing.seller,
    )  # fmt: skip
    tariff = quote.tariff if quote else Tariff(TariffKind.PER_UNIT, listing.unit)
    tax = quote.tax if quote else Tax(TaxBasis.INCLUSIVE, 600)
    terms = Terms(
        parties=(TermsParty(listing.seller, Role.PROVIDER), TermsParty(consumer, Role.CONSUMER)),
        product=Product(identity, listing.version, digest, listing.certificate, (Right.USE,)),
        purposes=purposes, users=(consumer,) if consumer else (), scope=inquiry.scope if inquiry else "全部字段",
        environment=listing.use.environments[0].value, effective=start, expiry=end,
        delivery=Delivery(
            inquiry.mode if inquiry else listing.delivery.modes[0].value, "",
            listing.delivery.interface.hours if listing.delivery.interface else "",
        ),
        service_level=listing.delivery.service_level, acceptance_days=5,
        settlement=Settlement(consumer, listing.seller, tariff, tax, plan),
        billing=BillingBasis.PROVIDER, silence=Silence.ACCEPT, liability="",
        dispute=Dispute(30, Forum.ARBITRATION, ""), policy=policy, policy_digest=Twin.of(policy_digest(policy)),
        template=_model_text(listing), salt=secrets.token_hex(32),
    )  # fmt: skip
    return fitted(terms, listing)


def fitted(terms: Terms, listing: Listing) -> Terms:
    """Terms that begin a form, with what the listing's kind of proceeds makes of them: fields of the collection, still
    blank, for non-tax revenue, none for taxable money."""
    settlement, of_budget = terms.settlement, listing.commerce.proceeds is Proceeds.NON_TAX
    if of_budget is (settlement.non_tax is not None):
        return terms
    if not of_budget:
        return replace(terms, settlement=replace(settlement, non_tax=None))
    return replace(
        terms, settlement=replace(settlement, tax=Tax(TaxBasis.INCLUSIVE, 0), non_tax=NonTax("", "", "", ""))
    )


def values_of(terms: Terms) -> dict[str, str]:
    """What stands in the fields of these terms."""
    found = {
        "purposes": SEPARATOR.join(terms.purposes), "users": SEPARATOR.join(terms.users), "scope": terms.scope,
        "environment": terms.environment, "effective": day_of(terms.effective).isoformat(),
        "expiry": day_of(terms.expiry - 1).isoformat(), "mode": terms.delivery.mode,
        "endpoint": terms.delivery.endpoint, "hours": terms.delivery.hours, "service_level": terms.service_level,
        "acceptance_days": str(terms.acceptance_days), "invoice_issuer": terms.settlement.invoice_issuer,
        "billing": terms.billing.value, "silence": terms.silence.value, "liability": terms.liability,
        "dispute.days": str(terms.dispute.negotiation_days), "dispute.forum": terms.dispute.forum.value,
        "dispute.body": terms.dispute.body,
        **{f"particular.{item.name}": item.text for item in terms.template.particulars},
        **{f"deviation.{item.clause}": item.text for item in terms.template.deviations},
        "conditions": SEPARATOR.join(terms.conditions),
        **price_form.values_of(terms.settlement.tariff, terms.settlement.tax),
        **{f"granted.{right.value.lower()}": "1" for right in terms.product.granted},
        **{f"connectors.{i}": SEPARATOR.join(party.connectors) for i, party in enumerate(terms.parties)},
    }  # fmt: skip
    found |= _values_of_periods(terms.settlement)
    if (cap := terms.settlement.cap) is not None:
        found |= {"cap.size": str(cap.size), "cap.price": money.yuan(cap.fen), "cap.basis": cap.basis.value,
                  "cap.document": cap.document}  # fmt: skip
    if (non_tax := terms.settlement.non_tax) is not None:
        found |= {f"non_tax.{name}": getattr(non_tax, name) for name in ("authority", "treasury", "issuer", "item")}
    else:
        found |= plan_form.values_of(terms.settlement.plan)
    if _plain_policy(terms.policy):
        rule = terms.policy.permission[0]
        limits = [str(each.right) for each in rule.constraints if each.left is Left.COUNT]
        found |= {"policy.action": rule.action.value, "policy.limit": limits[0] if limits else ""}
    return found


def groups(
    base: Terms, listing: Listing | None, names: Mapping[str, str], values: Mapping[str, str]
) -> tuple[Group, ...]:
    """The fields of terms that begin with `base`; `listing` offers its modes and environments, `values` say how many
    rows there are and of which kind."""
    unit = base.settlement.tariff.unit
    modes = tuple(mode.value for mode in listing.delivery.modes) if listing else (base.delivery.mode,)
    places = tuple(item.value for item in listing.use.environments) if listing else (base.environment,)
    of_budget = base.settlement.non_tax is not None
    price = price_form.as_it_is()
    if price_form.plain(base.settlement.tariff):
        price = price_form.groups(unit, len(base.settlement.tariff.tiers))
    laid = [
        Group("标的与授权", "Product and grant", (
            Widget("product", "产品版本", "Product", "fixed", value=f"上架 {base.product.listing[:8]}… 第 "
                   f"{base.product.version} 版，凭证 {base.product.certificate}"),
            *(Widget(f"granted.{right.value.lower()}", f"授予{RIGHT_NAMES[right]}", right.value, "tick")
              for right in Right),
        )),
        Group("使用方式与范围", "Use", (
            Widget("purposes", "用途", "Purposes", required=True, most=2000, help="多项用；分开"),
            Widget("users", "使用者", "Users", most=2000, help="单位、部门或系统，多项用；分开；空着就是使用方"),
            Widget("scope", "使用范围", "Scope", "long", required=True, most=4000),
            Widget("environment", "使用环境", "Environment", "choice", _options(places, base.environment,
                   ENVIRONMENTS), required=True),
            *_policy_fields(base.policy, unit),
            Widget("effective", "生效日", "First day", "date", required=True),
            Widget("expiry", "截止日（含当日）", "Last day", "date", required=True),
        )),
        Group("交付与验收", "Delivery", (
            Widget("mode", "交付方式", "Mode", "choice", _options(modes, base.delivery.mode, words.VALUES["mode"]),
                   required=True),
            Widget("endpoint", "交付地址", "Endpoint", required=True, help="接口网址、交换目录或交付地点"),
            Widget("hours", "服务时间", "Hours", required=True),
            Widget("service_level", "服务水平", "Service level", "long", required=True, most=4000),
            Widget("acceptance_days", "检验期（天）", "Inspection days", "number", required=True, most=3),
            Widget("silence", "检验期内没有异议", "Silence means", "choice", tuple(SILENCE.items()), required=True),
        )),
        *(price_form.untaxed(price) if of_budget else price),
        *(_cap_group(unit) if base.settlement.cap or (listing and listing.regime is PriceRegime.GUIDED) else ()),
        Group("结算", "Settlement", (
            Widget("billing", "计费依据", "Billing basis", "choice", tuple(BILLING.items()), required=True),
            *(Widget(f"connectors.{i}", f"{words.ROLES[party.role.value]}的连接器"
                     f"（{names.get(party.party, party.party)}）", "Connectors", most=2000,
                     help="按其记录计费的一方必须填写连接器编号，多个用；分开")
              for i, party in enumerate(base.parties)),
            *(() if of_budget else (
                Widget("invoice_issuer", "开票方（统一社会信用代码）", "Invoice issuer", required=True),
            )),
        )),
        _period_group(),
        *(_non_tax_group() if of_budget
          else plan_form.groups(base.settlement.plan, signing_parties(base), names, values)),
        Group("责任与争议", "Liability, disputes", (
            Widget("liability", "违约责任", "Liability", "long", required=True, most=4000),
            Widget("dispute.days", "先行协商（天）", "Negotiation days", "number", required=True, most=3),
            Widget("dispute.forum", "解决方式", "Forum", "choice", tuple(FORUMS.items()), required=True),
            Widget("dispute.body", "仲裁机构或管辖法院", "Which", required=True),
            Widget("conditions", "生效条件", "Conditions", most=2000, help="没有就空着；有条件的，签署后待生效"),
        )),
        *_template_groups(model_of(base.template)),
    ]  # fmt: skip
    return tuple(laid)


def _model_text(listing: Listing) -> Template:
    """The model text the listing names, as "id-version"; without one it is that of 数据提供, its newest version."""
    known = {f"{model.id}-{model.version}": model for model in models().values()}
    newest = max(model.version for model in models().values() if model.id == "provide")
    model = known.get(listing.commerce.template, models()["provide", newest])
    return Template(model.id, model.version, digest_of(model))


def _template_groups(model: Model) -> tuple[Group, ...]:
    title = f"{model.title}（第 {model.version} 版）"
    return (
        Group(f"{title}：须写明的事项", "Particulars of the model text", tuple(
            Widget(f"particular.{asked.name}", asked.title, asked.name, "long", required=True, most=4000,
                   help=asked.asks)
            for asked in model.particulars
        )),
        Group(f"{title}：条款", "Clauses of the model text", tuple(
            Widget(f"deviation.{clause.no}", f"第 {clause.no} 条　{clause.title}", "Instead of this clause", "long",
                   most=4000, help=clause.text)
            for clause in model.clauses
        ), help="各栏下方是模板文字，照此约定就空着；另有约定的，写下代替该条的文字。", anchor="clauses"),
    )  # fmt: skip


def _read_template(typed: Typed, base: Template) -> Template:
    model = model_of(base)
    agreed = [(clause.no, typed.values.get(f"deviation.{clause.no}", "").strip()) for clause in model.clauses]
    return replace(
        base,
        particulars=tuple(
            Particular(asked.name, typed.text(f"particular.{asked.name}", most=4000)) for asked in model.particulars
        ),
        deviations=tuple(Deviation(no, typed.text(f"deviation.{no}", most=4000)) for no, text in agreed if text),
    )


def signing_parties(base: Terms) -> tuple[str, ...]:
    """Who signs these terms, and so may guarantee; nobody whose name is still to be typed."""
    return tuple(party.party for party in base.parties if party.party)


def read(typed: Typed, base: Terms, *, amends: bool = False) -> Terms:
    """The terms the fields make of `base`, with a salt of their own; what is wrong stands in the messages. An
    amendment counts the versions of what it changes up by one (D33)."""
    shown = values_of(base)
    step = 1 if amends else 0

    def kept(*prefixes: str) -> bool:
        """Is every field under these names as it was shown?"""
        keys = {key for key in {**shown, **typed.values} if key.startswith(prefixes)}
        return all(shown.get(key, "") == typed.values.get(key, "") for key in keys)

    settlement = base.settlement
    tariff, tax, plan = settlement.tariff, settlement.tax, settlement.plan
    if not kept("price.", "tiers.", "tax."):
        tariff, tax = price_form.read(typed, tariff.unit, tariff.version + step)
    elif not tariff.tiers and tariff.kind in price_form.OFFERED and tariff.kind is not TariffKind.FIXED:
        typed.wrong("tiers.0.price", "请填写单价。", "A price is needed.")
    non_tax, issuer = settlement.non_tax, ""
    if non_tax is None:
        issuer = typed.text("invoice_issuer", most=64)
        if plan_form.sayable(plan) and not kept("plan."):
            plan = plan_form.read(typed, plan, signing_parties(base), step)
    else:
        non_tax, tax = _read_non_tax(typed), settlement.tax
        plan, issuer = _of_the_treasury(plan, non_tax.treasury, step), non_tax.treasury
    period = settlement.period if kept("period.") else _read_period(typed)
    tolerance = settlement.tolerance if kept("tolerance.") else _read_tolerance(typed)
    cap = settlement.cap if kept("cap.") else _read_cap(typed, base)
    purposes = typed.listed("purposes")
    granted = tuple(right for right in Right if typed.ticked(f"granted.{right.value.lower()}"))
    if not granted:
        typed.wrong("granted.use", "至少授予一项权利。", "Grant at least one right.")
    parties = tuple(
        party if kept(f"connectors.{i}") else replace(party, connectors=typed.listed(f"connectors.{i}", required=False))
        for i, party in enumerate(base.parties)
    )
    policy = base.policy
    if not kept("policy.") or purposes != base.purposes:
        policy = _read_policy(typed, base, purposes, step)
    return replace(
        base, parties=parties, product=replace(base.product, granted=granted), purposes=purposes,
        users=typed.listed("users", required=False) or (base.policy.assignee,), scope=typed.text("scope", most=4000),
        environment=typed.text("environment"),
        effective=base.effective if kept("effective") else typed.first("effective"),
        expiry=base.expiry if kept("expiry") else typed.last("expiry"),
        delivery=Delivery(typed.choice("mode", words.VALUES["mode"]), typed.text("endpoint"), typed.text("hours")),
        service_level=typed.text("service_level", most=4000),
        acceptance_days=typed.number("acceptance_days", 0, 730),
        settlement=replace(
            settlement, tariff=tariff, tax=tax, plan=plan, cap=cap, invoice_issuer=issuer, non_tax=non_tax,
            period=period, tolerance=tolerance,
        ),
        billing=BillingBasis(typed.choice("billing", BILLING)), silence=Silence(typed.choice("silence", SILENCE)),
        liability=typed.text("liability", most=4000),
        dispute=replace(
            base.dispute, negotiation_days=typed.number("dispute.days", 0, 365),
            forum=Forum(typed.choice("dispute.forum", FORUMS)), body=typed.text("dispute.body"),
        ),
        policy=policy, policy_digest=Twin.of(policy_digest(policy)),
        template=_read_template(typed, base.template),
        salt=secrets.token_hex(32), conditions=typed.listed("conditions", required=False),
    )  # fmt: skip


def _values_of_periods(settlement: Settlement) -> dict[str, str]:
    """Hours and days as far as they are whole; what is not whole stays as it is unless it is changed."""
    period, tolerance = settlement.period, settlement.tolerance
    found = {
        "period.basis": period.basis.value, "period.grace": str(period.grace // 3600),
        "period.late": str(period.late_limit // DAY),
    }  # fmt: skip
    if tolerance is None:
        return found
    return found | {
        "tolerance.units": str(tolerance.units), "tolerance.percent": share(tolerance.ppm, 10_000),
        "tolerance.hours": str(tolerance.seconds // 3600),
    }  # fmt: skip


def _period_group() -> Group:
    return Group("账期与核对", "Periods and records", (
        Widget("period.basis", "使用按哪一日归入账期", "Basis", "choice", tuple(BASES.items()), required=True),
        Widget("period.grace", "账期结束后等候记录（小时）", "Grace, hours", "number", required=True, most=3,
               help="0 至 744；过后截止、计费"),
        Widget("period.late", "迟到记录的期限（天）", "Late, days", "number", required=True, most=3,
               help="0 至 366；在期限内到达的并入以后账期调整，再晚的不计费"),
        Widget("tolerance.units", "双方记录可相差的数量", "Units apart", "number", most=16,
               help="以下三栏全部空着：双方记录须完全一致"),
        Widget("tolerance.percent", "或可相差较大一方的（%）", "Share apart", "number", most=8),
        Widget("tolerance.hours", "跨账期的时间可相差（小时）", "Hours apart", "number", most=3),
    ), anchor="period", folded=True)  # fmt: skip


def _read_period(typed: Typed) -> PeriodRules:
    return PeriodRules(
        PeriodBasis(typed.choice("period.basis", BASES)), typed.number("period.grace", 0, 744) * 3600,
        typed.number("period.late", 0, LATEST // DAY) * DAY,
    )  # fmt: skip


def _read_tolerance(typed: Typed) -> Tolerance | None:
    names = ("tolerance.units", "tolerance.percent", "tolerance.hours")
    if not any(typed.values.get(name) for name in names):
        return None
    ppm = typed.percent("tolerance.percent", 4) if typed.values.get("tolerance.percent") else 0
    if ppm > MILLION:
        typed.wrong("tolerance.percent", "可相差的比例应不超过 100%。", "At most 100 %.")
    return Tolerance(
        typed.number("tolerance.units", blank=0), ppm, typed.number("tolerance.hours", 0, 744, blank=0) * 3600
    )


def _non_tax_group() -> tuple[Group, ...]:
    """What an agreement over a listing of non-tax revenue says in place of a division."""
    told = "非税收入：全额缴入财政，不分税、不开增值税发票、不作收益分配、不轧差"
    return (Group("非税收入收缴", "Non-tax revenue", (
        Widget("proceeds", "收益性质（由上架决定）", "Proceeds", "fixed", value=told),
        Widget("non_tax.authority", "执收单位", "Assesses", required=True, most=64, help="核定应缴、作用途清分的单位"),
        Widget("non_tax.treasury", "财政", "Treasury", required=True, most=64, help="财政专户或国库所属的财政部门"),
        Widget("non_tax.issuer", "财政电子票据开票单位", "Issues tickets", required=True, most=64,
               help="可以就是执收单位"),
        Widget("non_tax.item", "收费项目代码", "Item", "number", required=True, most=20, help="2 至 20 位数字"),
    ), help="三个单位填统一社会信用代码，须在册并具有相应角色。", anchor="non_tax"),)  # fmt: skip


def _read_non_tax(typed: Typed) -> NonTax:
    authority, treasury, issuer = (
        typed.text(f"non_tax.{name}", most=64) for name in ("authority", "treasury", "issuer")
    )
    item = typed.values.get("non_tax.item", "")
    if re.fullmatch("[0-9]{2,20}", item) is None:
        typed.wrong("non_tax.item", f"收费项目代码：应为 2 至 20 位数字，现为 {item or '空'}。", "2 to 20 digits.")
    return NonTax(authority, treasury, issuer, item)


def _of_the_treasury(plan: SharingPlan, treasury: str, step: int) -> SharingPlan:
    """The plan that gives all to the treasury; the same version where it did so before."""
    made = replace(
        plan, holders=(Holder(treasury, "treasury"),), residual=treasury,
        steps=(Step(StepKind.RATIO, weights=(Weight(treasury, WHOLE),)),),
    )  # fmt: skip
    return made if made == plan else replace(made, version=plan.version + step)


def _cap_group(unit: str) -> tuple[Group, ...]:
    return (Group("政府指导价", "Guided price", (
        Widget("cap.size", f"上限对应的数量（{unit}）", "Units of the cap", "number", required=True, most=16),
        Widget("cap.price", "上限（元）", "Cap, yuan", "number", required=True, most=20),
        Widget("cap.basis", "上限是否含税", "Tax", "choice", tuple(price_form.BASES.items()), required=True),
        Widget("cap.document", "定价文件的 SHA-256", "SHA-256 of the decision", required=True, most=64),
    ), help="授权主体定的最高价；合约价格按同一单位与之比较，超过的不能签署"),)  # fmt: skip


def _read_cap(typed: Typed, base: Terms) -> PriceCap:
    """The cap on the agreement's own unit and product."""
    document = typed.text("cap.document", most=64)
    if re.fullmatch("[0-9a-f]{64}", document) is None:
        typed.wrong("cap.document", "请填写 64 位小写十六进制。", "64 lower-case hex digits.")
    return PriceCap(
        base.product.listing, base.settlement.tariff.unit, typed.number("cap.size", 1), typed.yuan("cap.price") or 0,
        TaxBasis(typed.choice("cap.basis", price_form.BASES)), document,
    )  # fmt: skip


def _options(offered: Sequence[str], own: str, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((value, names.get(value, value)) for value in dict.fromkeys((*offered, own)))


def _policy(
    version: int, seller: str, consumer: str, listing: str, purposes: tuple[str, ...], action: Action, limit: int
) -> Policy:
    """Leave for one action, bound to the purposes, and to so many units in all unless `limit` is 0."""
    bound = (Constraint(Left.PURPOSE, Operator.ANY, purposes),)
    counted = (Constraint(Left.COUNT, Operator.LTEQ, limit),) if limit else ()
    return Policy(version, seller, consumer, listing, (Rule(action, bound + counted),))


def _plain_policy(policy: Policy) -> bool:
    """Is it one that the form can say?"""
    if policy.prohibition or len(policy.permission) != 1:
        return False
    rule = policy.permission[0]
    purposes = next((each.right for each in rule.constraints if each.left is Left.PURPOSE), ())
    counts = [each.right for each in rule.constraints if each.left is Left.COUNT]
    limit = counts[0] if counts and isinstance(counts[0], int) else 0
    if not isinstance(purposes, tuple):
        return False
    made = _policy(policy.version, policy.assigner, policy.assignee, policy.target, purposes, rule.action, limit)
    return made == policy


def _policy_fields(policy: Policy, unit: str) -> tuple[Widget, ...]:
    if not _plain_policy(policy):
        told = "策略由多条规则组成，本页不改动；须改动时请用接口。"
        return (Widget("policy", "使用控制策略", "Policy", "fixed", value=told),)
    return (
        Widget("policy.action", "允许的行为", "Action", "choice", tuple(ACTIONS.items()), required=True),
        Widget("policy.limit", f"总用量上限（{unit}）", "Limit", "number", most=16, help="不限就空着；超出即拒绝"),
    )


def _read_policy(typed: Typed, base: Terms, purposes: tuple[str, ...], step: int) -> Policy:
    policy = base.policy
    if not _plain_policy(policy):
        typed.wrong("purposes", "现有使用策略与用途绑定，本页不能改动用途。", "The policy is bound to the purposes.")
        return policy
    action = Action(typed.choice("policy.action", ACTIONS))
    limit = typed.number("policy.limit", 1, blank=0)
    return _policy(
        policy.version + step, policy.assigner, policy.assignee, policy.target, purposes, action, limit
    )  # fmt: skip
