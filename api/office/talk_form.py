"""The forms of a negotiation's messages: an inquiry, a price, terms, a reason; each with a message at its field."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from api.office import price_form, terms_form, words
from api.office.typed import Typed
from api.office.widgets import Group, Widget
from clearing.market.agreement import Terms
from clearing.market.listing import Listing, PriceRegime
from clearing.market.negotiation.message import BRINGS, Content, Document, Inquiry, Message, Quote
from clearing.market.product import Proceeds
from registry.calendar import day_of

STANDS = 7 * 86_400
"""Seconds for which a proposal stands unless somebody types another day (P)."""
SIGNING = 30 * 86_400
"""Seconds everybody has to sign the frozen act unless somebody types another day (P)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form is about: the message, the listing as it is now, and the value the form begins with: the proposal on
    the table, what was drafted before, or, for terms, what follows from inquiry and price."""

    message: Message
    listing: Listing
    base: Document | None
    at: int

    @property
    def content(self) -> Content | None:
        """What the form asks for; a policy alone is never signed."""
        return next((item for item in BRINGS.get(self.message, ()) if item is not Content.POLICY), None)


@dataclass(frozen=True, slots=True)
class Filled:
    """What a form gave: the document, until when it stands, a reason, the last second to integrate an act."""

    document: Document | None = None
    valid_until: int | None = None
    reason: str = ""
    deadline: int = 0


def values_of(asked: Asked) -> dict[str, str]:
    """What stands in the fields before anybody types."""
    base, found = asked.base, dict[str, str]()
    if asked.content is Content.INQUIRY:
        first, last = asked.at, asked.at + 365 * 86_400
        found = {"mode": asked.listing.delivery.modes[0].value, "scope": "全部字段"}
        if isinstance(base, Inquiry):
            first, last = base.effective, base.expiry - 1
            found = {"mode": base.mode, "scope": base.scope, "quantity": str(base.quantity)}
        found |= {"effective": day_of(first).isoformat(), "expiry": day_of(last).isoformat()}
    elif asked.content is Content.QUOTE:
        found = price_form.blank({"guide_price": asked.listing.guide_price})
        if isinstance(base, Quote):
            found = {**(price_form.values_of(base.tariff, base.tax) or found), "guide_price": base.guide_price,
                     "binding": "1" if base.binding else ""}  # fmt: skip
        if _of_budget(asked):
            found |= {"tax.basis": "inclusive", "tax.rate": "0"}
    elif isinstance(base, Terms):
        found = terms_form.values_of(base)
    if asked.content is not None:
        found["valid_until"] = day_of(asked.at + STANDS).isoformat()
    if asked.message is Message.AGREEMENT:
        found["deadline"] = day_of(asked.at + SIGNING).isoformat()
    return found


def groups(asked: Asked, names: Mapping[str, str], values: Mapping[str, str]) -> tuple[Group, ...]:
    """The fields of the form; `values` say how many rows it has."""
    stands = Group("有效期", "Valid until", (
        Widget("valid_until", "有效至（含当日）", "Last day", "date", required=True,
               help="过了这一日对方就不能再接受"),
    ), anchor="valid_until")  # fmt: skip
    if asked.content is Content.INQUIRY:
        return (_inquiry(asked), stands)
    if asked.content is Content.QUOTE:
        laid = price_form.groups(asked.listing.unit, _tiers(asked.base))
        return (*(price_form.untaxed(laid) if _of_budget(asked) else laid), _quote(asked), stands)
    if isinstance(asked.base, Terms) and asked.content is Content.TERMS:
        return (*terms_form.groups(asked.base, asked.listing, names, values), stands)
    if asked.message is Message.AGREEMENT:
        last = Widget("deadline", "签署截止日（含当日）", "Last day to sign", "date", required=True,
                      help="过了这一日，合约不能再签署入册")  # fmt: skip
        return (Group("签署期限", "Time to sign", (last,), anchor="deadline"),)
    if asked.message in (Message.WITHDRAW, Message.TERMINATE):
        return (Group("理由", "Reason", (Widget("reason", "理由（可不填）", "Reason", "long", most=1000),)),)
    return ()


def read(asked: Asked, typed: Typed) -> Filled:
    """What the fields say; what is wrong stands in the messages of `typed`."""
    valid_until = typed.last("valid_until") - 1 if asked.content is not None else None
    document: Document | None = None
    if asked.content is Content.INQUIRY:
        document = Inquiry(
            asked.listing.version, typed.text("scope", most=2000), typed.choice("mode", words.VALUES["mode"]),
            typed.number("quantity", 1), typed.first("effective"), typed.last("expiry"), secrets.token_hex(32),
        )  # fmt: skip
    elif asked.content is Content.QUOTE:
        tariff, tax = price_form.read(typed, asked.listing.unit)
        guide = typed.text("guide_price", most=64, required=asked.listing.regime is PriceRegime.GUIDED)
        document = Quote(tariff, tax, secrets.token_hex(32), guide, typed.ticked("binding"))
    elif asked.content is Content.TERMS and isinstance(asked.base, Terms):
        document = terms_form.read(typed, asked.base)
    deadline = typed.last("deadline") - 1 if asked.message is Message.AGREEMENT else 0
    return Filled(document, valid_until, typed.values.get("reason", ""), deadline)


def _inquiry(asked: Asked) -> Group:
    modes = tuple((mode.value, words.VALUES["mode"][mode.value]) for mode in asked.listing.delivery.modes)
    told = "询价不构成要约；提供方报价后再选定、下单。"
    return Group("询价", "Inquiry", (
        Widget("scope", "想要的范围", "Scope", "long", required=True, most=2000, help="字段、时间、地域等"),
        Widget("mode", "交付方式", "Mode", "choice", modes, required=True),
        Widget("quantity", f"数量（{asked.listing.unit}）", "Quantity", "number", required=True, most=16),
        Widget("effective", "自", "First day", "date", required=True),
        Widget("expiry", "至（含当日）", "Last day", "date", required=True),
    ), help=told)  # fmt: skip


def _quote(asked: Asked) -> Group:
    guided = asked.listing.regime is PriceRegime.GUIDED
    return Group("报价的性质", "What the price is", (
        Widget("guide_price", "依据的指导价编号", "Guide price", required=guided, most=64,
               help="指导价不是成交价；自主定价的产品可不填"),
        Widget("binding", "本报价是要约：对方选定下单后，条款必须按此价格", "A binding offer", "tick"),
    ))  # fmt: skip


def _of_budget(asked: Asked) -> bool:
    return asked.listing.commerce.proceeds is Proceeds.NON_TAX


def _tiers(base: Document | None) -> int:
    return len(base.tariff.tiers) if isinstance(base, Quote) else 0
