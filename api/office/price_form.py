"""A price as a form, and a form as a price: tariff and tax, in yuan and percent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from api.office import words
from api.office.spoken import share
from api.office.typed import Typed
from api.office.widgets import Group, Widget
from clearing import money
from clearing.terms import Tariff, TariffKind, Tax, TaxBasis, Tier

TIERS = 4
"""Price bands the form offers; empty ones are left out."""
OFFERED = (
    TariffKind.FIXED, TariffKind.PER_UNIT, TariffKind.GRADUATED, TariffKind.VOLUME, TariffKind.SUBSCRIPTION,
)  # fmt: skip
KINDS = {kind.value: words.VALUES["tariff.kind"][kind.value] for kind in OFFERED}
BASES = {basis.value: words.VALUES["tax.basis"][basis.value] for basis in TaxBasis}


def plain(tariff: Tariff) -> bool:
    """Is it a price that the form can say?"""
    later = (tariff.part_period, tariff.quality, tariff.credits)
    return tariff.kind in OFFERED and all(item is None for item in later)


def values_of(tariff: Tariff, tax: Tax) -> dict[str, str]:
    """What stands in the fields of this price; nothing where the form cannot say it."""
    if not plain(tariff):
        return {}
    found = {
        "price.kind": tariff.kind.value,
        "price.fixed": money.yuan(tariff.fixed_fen) if tariff.fixed_fen else "",
        "price.allowance": str(tariff.allowance) if tariff.allowance else "",
        "price.block": str(tariff.block) if tariff.block > 1 else "",
        "price.minimum": _amount(tariff.minimum_fen),
        "price.maximum": _amount(tariff.maximum_fen),
        "price.failures": "1" if tariff.bill_failures else "",
        "tax.basis": tax.basis.value,
        "tax.rate": share(tax.bp, 100),
    }
    for place, tier in enumerate(tariff.tiers):
        found |= {
            f"tiers.{place}.start": str(tier.start),
            f"tiers.{place}.price": money.yuan(tier.numerator),
            f"tiers.{place}.per": str(tier.divisor),
        }
    return found


def as_it_is() -> tuple[Group, ...]:
    """In place of the fields, for a price that the form cannot say."""
    told = "价格含收入分成、成功费、质量系数或服务抵扣，本页不改动；须改动时请用接口。"
    return (Group("价格", "Price", (Widget("price", "价格", "Price", "fixed", value=told),)),)


def groups(unit: str, tiers: int = TIERS) -> tuple[Group, ...]:
    """The fields of a price per `unit`."""
    bands = [
        widget
        for place in range(max(TIERS, tiers))
        for widget in (
            Widget(f"tiers.{place}.start", f"第 {place + 1} 档：自第几 {unit} 起", "From unit", "number", most=16,
                   help="第 1 档填 0" if place == 0 else "不用的档留空"),
            Widget(f"tiers.{place}.price", f"第 {place + 1} 档：单价（元）", "Yuan", "number", most=16),
            Widget(f"tiers.{place}.per", f"第 {place + 1} 档：每多少 {unit}", "Per units", "number", most=16,
                   help="空着为 1"),
        )
    ]  # fmt: skip
    rules = (
        Widget("price.kind", "计价方式", "Kind", "choice", tuple(KINDS.items()), required=True),
        Widget("price.fixed", "每期固定金额（元）", "Fixed amount", "number", most=16, help="固定价、订阅时填写"),
        Widget("price.allowance", f"订阅包含的 {unit} 数", "Allowance", "number", most=16),
        Widget("price.block", f"按每多少 {unit} 计一次", "Block", "number", most=16, help="空着为 1"),
        Widget("price.minimum", "每期最低（元）", "Minimum", "number", most=16, help="没有就空着"),
        Widget("price.maximum", "每期最高（元）", "Maximum", "number", most=16, help="没有就空着"),
        Widget("price.failures", "失败的调用也计费", "Failures are billed", "tick"),
        Widget("tax.basis", "价格是否含税", "Tax", "choice", tuple(BASES.items()), required=True),
        Widget("tax.rate", "增值税率（%）", "VAT rate", "number", required=True, most=6),
    )
    told = "单价不足一分时，写成每若干单位多少元。"
    return (
        Group(f"价格（人民币，按 {unit} 计）", "Price", rules),
        Group("价格档", "Price bands", tuple(bands), help=told, anchor="tiers"),
    )


def untaxed(laid: tuple[Group, ...]) -> tuple[Group, ...]:
    """The same fields where the listing earns non-tax revenue: the rate is 0 and not asked."""
    locked = {
        "tax.basis": Widget("tax.basis", "价格是否含税", "Tax", "choice", (("inclusive", "不涉及增值税"),)),
        "tax.rate": Widget("tax.rate", "增值税率（%），非税收入不征增值税", "No VAT", "fixed", value="0"),
    }
    return tuple(replace(group, widgets=tuple(locked.get(item.name, item) for item in group.widgets)) for group in laid)


def read(typed: Typed, unit: str, version: int = 1) -> tuple[Tariff, Tax]:
    """The price that was typed; what is wrong stands in the messages of `typed`."""
    kind = TariffKind(typed.choice("price.kind", KINDS))
    tiers = [_tier(typed, place) for place in range(TIERS * 8) if typed.values.get(f"tiers.{place}.price")]
    if not tiers and kind is not TariffKind.FIXED:
        typed.wrong("tiers.0.price", "请填写单价。", "A price is needed.")
    fixed = typed.yuan("price.fixed", blank=True) or 0
    tariff = Tariff(
        kind, unit, fixed, tuple(tiers),
        typed.number("price.allowance", blank=0), typed.number("price.block", 1, blank=1),
        typed.yuan("price.minimum", blank=True), typed.yuan("price.maximum", blank=True),
        typed.ticked("price.failures"), version,
    )  # fmt: skip
    return tariff, Tax(TaxBasis(typed.choice("tax.basis", BASES)), typed.percent("tax.rate", 2))


def blank(values: Mapping[str, str]) -> dict[str, str]:
    """What a new price begins with."""
    return {"price.kind": "per_unit", "tiers.0.start": "0", "tiers.0.per": "1", "tax.basis": "inclusive",
            "tax.rate": "6", **values}  # fmt: skip


def _tier(typed: Typed, place: int) -> Tier:
    price = typed.yuan(f"tiers.{place}.price") or 0
    start = typed.number(f"tiers.{place}.start", blank=0 if place == 0 else None)
    return Tier(start, price, typed.number(f"tiers.{place}.per", 1, blank=1))


def _amount(fen: int | None) -> str:
    return "" if fen is None else money.yuan(fen)
