"""What the parties of the demonstration write: forms, listing, terms, price question. Values only, nothing is sent."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearing.market.agreement import (
    Delivery,
    Dispute,
    Forum,
    Product,
    Role,
    Terms,
    TermsParty,
)
from clearing.market.listing import Listing, PriceRegime, ProductType, VenueClass
from clearing.market.policy import Action, Constraint, Left, Operator, Policy, Rule, policy_digest
from clearing.market.product import (
    Circulation,
    Commerce,
    Contents,
    DataField,
    Delivering,
    Environment,
    Grant,
    Interface,
    Level,
    Masking,
    Mode,
    Origin,
    Period,
    Proceeds,
    Provenance,
    Security,
    SellerKind,
    UseTerms,
)
from clearing.market.promise import Silence
from clearing.market.sample import Announced, Group, Measure, Preview, Sample, Statistic
from clearing.market.template import fill
from clearing.pricing.cost import CostItem
from clearing.pricing.manifest import ColumnSpec, DataSpec
from clearing.pricing.policies import DEMO_DOMAIN
from clearing.pricing.quality import GateItem
from clearing.pricing.quality import Rule as QualityRule
from clearing.pricing.request import Element, Evaluator, Request, Scarcity
from clearing.pricing.request import Source as PricedSource
from clearing.terms import (
    WHOLE,
    BillingBasis,
    Holder,
    SharingPlan,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Tier,
    Weight,
)
from clearing.terms import Terms as SettlementTerms
from ledger.digest import twin
from registry.asset import (
    AssetKind,
    Content,
    DataForm,
    Description,
    RegionScope,
    Source,
    Structure,
    Twin,
    UpdateRate,
    Volume,
    content_of,
    data_file,
)
from registry.form import Applicant, Attachment, Business, Declarations, Form, RegistrationType
from registry.party import IdType, PartyKind
from registry.precheck import IDENTITY_PROOF, SAMPLE
from registry.rights import Basis, Right, RightRow, SourceKind
from scripts.demo.cast import AGENCY, BROKER, DEVELOPER, NAMES, OPERATOR, PROVIDER
from scripts.demo.features import rows

PURPOSE = "出行规划"
SAMPLE_ROWS = 50


def application(holder: str, data: Path, *, sources: tuple[Source, ...] = ()) -> Form:
    """初次登记申请表: the flights as a resource, or with `sources` the element derived from them."""
    derived = bool(sources)
    count = rows(data)
    description = Description(
        data_name="2013年纽约三机场民航航班起降记录数据集" if not derived else "2013年纽约三机场民航小时延误特征数据集",
        overview=(
            "该数据为纽约三个机场2013年全部出港航班的计划与实际时刻、延误、机型与航线记录，可用于延误分析与出行规划。"
            if not derived
            else "该数据由航班起降记录按机场和小时统计而成，含计划航班数、取消数、平均与最大延误，可用于出行规划。"
        ),
        kind=AssetKind.ELEMENT if derived else AssetKind.RESOURCE,
        industry="交通运输、仓储和邮政业/航空运输业",
        industry_code="G56",
        region_scope=RegionScope.INTERNATIONAL,
        time_from="2013-01-01",
        time_to="2013-12-31",
        update_rate=UpdateRate.YEAR,
        volume=(Volume(str(count), "条"),),
        form=DataForm.TABLE,
        structure=Structure.STRUCTURED,
        limits="不得再次转售；不得用于识别个人",
        content=_content(data),
        sources=sources,
    )
    proof = "衍生加工说明" if derived else "合法取得佐证"
    return Form(
        scheme="national_2026",
        agency=AGENCY,
        type=RegistrationType.INITIAL,
        applicants=(_applicant(holder),),
        description=description,
        source_kind=SourceKind.DERIVED if derived else SourceKind.COLLECTED,
        right_basis=Basis.M6 if derived else Basis.M1,
        rights=tuple(RightRow(NAMES[holder], holder, right, "无") for right in Right),
        declarations=Declarations(False, False),
        attachments=tuple(_attachment(kind) for kind in (IDENTITY_PROOF, SAMPLE, proof)),
        years=5,
    )


def _content(data: Path) -> Content:
    return content_of((data_file(data.name, data.read_bytes(), rows(data)),))


def _applicant(holder: str) -> Applicant:
    business = Business("演示法定代表人", "2020-01-01", "演示地址", "长期", "数据处理服务", "存续")
    return Applicant(
        NAMES[holder], PartyKind.LEGAL, IdType.USCC, holder, "演示联系人", "0571-00000000", "演示地址", business
    )


def _attachment(kind: str) -> Attachment:
    data = f"{kind}（演示材料）".encode()
    return Attachment(kind, f"{kind}.txt", "text/plain", len(data), Twin.of(twin(data)))


def announcement(certificate: str, data: Path) -> Announced:
    """What the developer says before any row is chosen: whose data, how many rows it has, how many shall be shown."""
    return Announced(DEVELOPER, certificate, _content(data).digest, rows(data), SAMPLE_ROWS)


def sample_file(data: Path, drawn: Sequence[int], out: Path) -> Path:
    """The drawn rows of the data, with its head line."""
    lines = data.read_text(encoding="utf-8").splitlines()
    out.write_text("\n".join([lines[0], *(lines[1 + row] for row in drawn)]) + "\n", encoding="utf-8")
    return out


def listing(product: str, certificate: str, source: str, guide: str, data: Path, sample: Sample) -> Listing:
    """The API product made from the element."""
    fields = (
        ("origin", "出发机场", "text"), ("hour", "起飞小时", "text"), ("planned", "计划航班数", "integer"),
        ("cancelled", "取消航班数", "integer"), ("mean_delay_tenths", "平均延误（十分之一分钟）", "integer"),
        ("worst_delay", "最大延误（分钟）", "integer"), ("late_over_15", "延误超过15分钟的航班数", "integer"),
    )  # fmt: skip
    origins = Counter(line.partition(",")[0] for line in data.read_text(encoding="utf-8").splitlines()[1:])
    groups = tuple(Group(origin, count, str(count)) for origin, count in sorted(origins.items()))
    statistic = Statistic("origin", Measure.COUNT, rows(data), groups, "无")
    return Listing(
        product=product,
        version=1,
        name="2013年纽约航空运输小时延误特征数据接口",
        overview="按机场和小时查询计划航班数、取消数、平均与最大延误（演示）。",
        type=ProductType.API,
        seller=DEVELOPER,
        certificate=certificate,
        right=Right.OPERATE,
        venue=VenueClass.OPEN,
        regime=PriceRegime.FREE_PRICING,
        unit="call",
        policy="按约定用途和次数读取，不得转售",
        provenance=Provenance(
            SourceKind.DERIVED, "由航班起降记录按机场和小时统计而成（演示）", Origin.ENTERPRISE, Grant.WHOLE
        ),
        content=Contents(
            digest=_content(data).digest, industry="G56", theme="航班延误", time_from="2013-01-01",
            time_to="2013-12-31", region="纽约", volume=(Volume(str(rows(data)), "条"),), form=DataForm.TABLE,
            period=Period.YEAR, updated_on="2025-12-31", fields=tuple(DataField(*item) for item in fields),
            tags=("航班", "延误", "机场"),
        ),
        security=Security(Level.GENERAL, Circulation.DIRECT, Masking.NOT_PERSONAL),
        use=UseTerms((PURPOSE,), (Environment.OWN,)),
        delivery=Delivering(
            (Mode.API,), "可用性 99.9%", "演示交付标准", "晓时数据元件开发有限公司（演示）", "技术支持岗",
            Interface("1", "数字合约", "200 成功；403 合约不允许", "7x24", False, "GET /delays?origin=JFK"),
        ),
        commerce=Commerce(SellerKind.OTHER, "33", "按次计价 v1", Proceeds.OPERATING, "provide-1"),
        preview=Preview((statistic,), sample),
        sources=(source,),
        guide_price=guide,
    )  # fmt: skip


def sample(identity: str, draw: dict[str, Any], file: Path, until: int) -> Sample:
    """The sample as the listing names it; `draw` is the platform's answer about the announcement."""
    terms = Twin.of(twin("样例仅供评估本产品，不得转供（演示）".encode()))
    return Sample(
        identity, draw["head"], Twin(**draw["root"]), Twin.of(twin(file.read_bytes())), f"演示-{identity[:8]}", until,
        terms,
    )  # fmt: skip


def policy(buyer: str, listing_id: str, limit: int) -> Policy:
    """What the agreement lets the buyer do: read, for the agreed purpose, so many calls in all."""
    constraints = (Constraint(Left.PURPOSE, Operator.ANY, (PURPOSE,)), Constraint(Left.COUNT, Operator.LTEQ, limit))
    return Policy(1, DEVELOPER, buyer, listing_id, (Rule(Action.READ, constraints),))


def plan(buyer: str, effective: int) -> SharingPlan:
    """Who shares the revenue: provider, developer, platform, and the broker unless it buys itself."""
    parts = {PROVIDER: 30, DEVELOPER: 45, OPERATOR: 15, BROKER: 10}
    if buyer == BROKER:
        parts = {PROVIDER: 35, DEVELOPER: 50, OPERATOR: 15}
    names = {PROVIDER: "holder", DEVELOPER: "processor", OPERATOR: "platform", BROKER: "broker"}
    weights = tuple(Weight(party, WHOLE // 100 * part) for party, part in parts.items())
    holders = tuple(Holder(party, names[party]) for party in parts)
    return SharingPlan(1, effective, holders, (Step(StepKind.RATIO, weights=weights),), DEVELOPER)


def terms(
    buyer: str, listing_id: str, digest: Twin, certificate: str, connector: str, limit: int, start: int, end: int
) -> Terms:
    """数字合约 of the model type 数据提供: tariff, plan and policy copied in as values."""
    use = policy(buyer, listing_id, limit)
    tariff = Tariff(
        TariffKind.GRADUATED, "call", tiers=(Tier(0, 35), Tier(1000, 30), Tier(2000, 25)), minimum_fen=1_000
    )
    settlement = SettlementTerms(buyer, DEVELOPER, tariff, Tax(TaxBasis.INCLUSIVE, 600), plan(buyer, start))
    return Terms(
        parties=(
            TermsParty(PROVIDER, Role.PROVIDER, (connector,)),
            TermsParty(buyer, Role.CONSUMER),
            TermsParty(DEVELOPER, Role.DEVELOPER),
        ),
        product=Product(listing_id, 1, digest, certificate, (Right.USE,)),
        purposes=(PURPOSE,),
        users=(buyer,),
        scope="全部字段",
        environment="own",
        effective=start,
        expiry=end,
        delivery=Delivery("M1", "connector", "7x24"),
        service_level="可用性 99.9%",
        acceptance_days=5,
        settlement=settlement,
        billing=BillingBasis.PROVIDER,
        silence=Silence.ACCEPT,
        liability="按约定",
        dispute=Dispute(30, Forum.ARBITRATION, "演示仲裁委员会"),
        policy=use,
        policy_digest=Twin.of(policy_digest(use)),
        template=fill(
            "provide",
            1,
            {
                "ownership": "权利人不变；使用方得到使用权，衍生成果归使用方（演示）",
                "acceptance": "按字段与抽样核对，数值缺陷使用后方能发现（演示）",
                "personal": "不含",
            },
        ),
        salt=secrets.token_hex(32),
    )


def price_question(certificate: str, as_of: int, data_time: int) -> Request:
    """The element stage of the three-stage price, in the made-up policy domain of the demonstration."""
    gate = ("source_lawful", "authorised", "registered", "content_reviewed", "desensitised")
    costs = (
        ("collection_passive", "data", 1_200_000, "direct"),
        ("storage", "data", 300_000, "direct"),
        ("development", "model", 800_000, "direct"),
        ("infrastructure", "memo", 5_000_000, "shared"),
    )
    return Request(
        report_id=secrets.token_hex(16),
        element=Element("element:hourly-delay", 1, True),
        stage="element",
        domain=DEMO_DOMAIN,
        scene="运行分析",
        billing_unit="call",
        billing_size=1000,
        right="USE",
        mode="bidding",
        as_of=as_of,
        valid_until=as_of + 180 * 86_400,
        data_time=data_time,
        evaluator=Evaluator(BROKER, DEVELOPER, AGENCY, as_of, as_of + 180 * 86_400),
        gate=tuple(GateItem(item, True, "演示材料") for item in gate),
        costs=tuple(
            CostItem(code, pool, amount, "2026-07", attribution, twin(code.encode()).sha256.hex())
            for code, pool, amount, attribution in costs
        ),
        expected_return="0.08",
        sources=(PricedSource("resource:flights", certificate, "USE", as_of - 86_400),),
        scarcity=Scarcity(("element:other-delay",)),
    )


def data_spec(name: str) -> DataSpec:
    """How the element's CSV is declared, and the quality rules run on it."""
    columns = (
        ColumnSpec("origin", "text", "categorical"),
        ColumnSpec("hour", "text", "identifier"),
        ColumnSpec("planned", "integer", "discrete"),
        ColumnSpec("cancelled", "integer", "discrete"),
        ColumnSpec("mean_delay_tenths", "integer", "continuous"),
        ColumnSpec("worst_delay", "integer", "continuous"),
        ColumnSpec("late_over_15", "integer", "discrete"),
    )
    within = {"expression": {"op": "le", "left": "cancelled", "right": {"column": "planned"}}}
    rules = (
        QualityRule("n1", "type", "normativity", "1", ("planned",)),
        QualityRule("c1", "null_ratio", "completeness", "1", ("mean_delay_tenths",)),
        QualityRule("a1", "unique_key", "accuracy", "0.5", ("origin", "hour")),
        QualityRule("a2", "range", "accuracy", "0.5", ("planned",), {"low": "1", "high": "100"}),
        QualityRule("k1", "cross_field", "consistency", "1", (), within),
        QualityRule(
            "t1", "reported", "timeliness", "1", (), {"applicable": 12, "passed": 12, "source": "演示更新记录"}
        ),
        QualityRule(
            "r1", "reported", "accessibility", "1", (), {"applicable": 1000, "passed": 998, "source": "演示探测"}
        ),
    )
    return DataSpec(name, "csv", columns, rules)
