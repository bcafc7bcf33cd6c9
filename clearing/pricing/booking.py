"""How the cost of a data resource moves through the books (入账): one table of acts, each a frozen, dated entry.

    费用化 / 开发支出 → 无形资产 or 存货 → 摊销/减值 → 处置

Our reading of 财会〔2023〕11号 and of the standard on intangible assets it refers to; no accountant has checked it and
it does not replace one. What we read into them:

- research is expensed; development is capitalised from the day all conditions of `CONDITIONS` are met. The standard's
  fourth condition (resources *and* the ability to use or sell) stands here as two, so its five are our six.
- data used by the enterprise becomes 无形资产, data held for sale 存货; what it is for is fixed per resource.
- 间接成本 and shared vouchers are expensed, never capitalised.
- recognition names the vouchers it carries over (the selected subset); the rest stays 开发支出.
- impairment of an intangible is not reversed; a write-down of 存货 may be, while some of it is left. Pools are net, so
  a write-down is not released when the 存货 is sold (转销).
- a sale of access consumes nothing: only cost carried over (结转) or disposal lowers a pool.

Amounts are fen, dates YYYY-MM-DD text of the business day. Every addition stays in exactly one pool at any time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from clearing.pricing.arithmetic import integer
from clearing.pricing.cost import ITEMS
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Fen
from clearing.pricing.manifest import Hex32
from ledger.digest import is_hex

State = Literal["expensing", "development", "intangible", "inventory", "disposed"]
Pool = Literal["expensed", "development", "intangible", "inventory", "amortised", "impaired", "disposed"]
Purpose = Literal["own_use", "for_sale"]
Origin = Literal["purchased", "self_made", "other"]
Act = Literal[
    "research", "expense", "indirect", "begin", "develop", "buy_intangible", "buy_inventory", "process", "recognise",
    "stock", "write_off", "amortise", "impair", "write_down", "reverse", "sell", "dispose_intangible",
    "dispose_inventory",
]  # fmt: skip

STATES: dict[State, str] = {
    "expensing": "费用化",
    "development": "开发支出",
    "intangible": "无形资产",
    "inventory": "存货",
    "disposed": "已处置",
}
POOLS: dict[Pool, str] = {
    "expensed": "费用化",
    "development": "开发支出",
    "intangible": "无形资产",
    "inventory": "存货",
    "amortised": "累计摊销",
    "impaired": "减值/跌价准备",
    "disposed": "处置与结转",
}
ORIGINS: dict[Origin, str] = {"purchased": "外购", "self_made": "自行加工", "other": "其他"}
CONDITIONS: dict[str, str] = {
    "feasible": "技术上可行",
    "intended": "有完成并使用或出售的意图",
    "beneficial": "产生经济利益的方式可证明",
    "resourced": "有足够的技术、财务和其他资源",
    "usable": "有能力使用或出售",
    "measurable": "支出能够可靠计量",
}
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")


@dataclass(frozen=True, slots=True)
class Move:
    """What an act does with money: from a pool (None = new cost) to a pool (None = none moves), and what it needs.

    `purpose`: only for resources so held. `capitalises`: new cost becomes an asset, so it must be direct cost.
    `whole`: the amount is all that the source pool holds.
    """

    name: str
    source: Pool | None
    target: Pool | None
    purpose: Purpose | None = None
    capitalises: bool = False
    whole: bool = False


ACTS: dict[Act, Move] = {
    "research": Move("研究阶段支出", None, "expensed"),
    "expense": Move("不满足资本化条件的支出", None, "expensed"),
    "indirect": Move("间接成本", None, "expensed"),
    "begin": Move("满足资本化条件", None, None),
    "develop": Move("开发阶段支出", None, "development", capitalises=True),
    "buy_intangible": Move("外购无形资产", None, "intangible", "own_use", capitalises=True),
    "buy_inventory": Move("外购存货", None, "inventory", "for_sale", capitalises=True),
    "process": Move("存货加工成本", None, "inventory", "for_sale", capitalises=True),
    "recognise": Move("开发支出转无形资产", "development", "intangible", "own_use"),
    "stock": Move("开发支出转存货", "development", "inventory", "for_sale"),
    "write_off": Move("开发支出转费用", "development", "expensed"),
    "amortise": Move("摊销", "intangible", "amortised", "own_use"),
    "impair": Move("无形资产减值", "intangible", "impaired", "own_use"),
    "write_down": Move("计提存货跌价准备", "inventory", "impaired", "for_sale"),
    "reverse": Move("转回存货跌价准备", "impaired", "inventory", "for_sale"),
    "sell": Move("结转存货成本", "inventory", "disposed", "for_sale"),
    "dispose_intangible": Move("处置无形资产", "intangible", "disposed", "own_use", whole=True),
    "dispose_inventory": Move("处置存货", "inventory", "disposed", "for_sale", whole=True),
}

TABLE: dict[tuple[State, Act], State] = {
    ("expensing", "research"): "expensing",
    ("expensing", "expense"): "expensing",
    ("expensing", "indirect"): "expensing",
    ("expensing", "begin"): "development",
    ("expensing", "buy_intangible"): "intangible",
    ("expensing", "buy_inventory"): "inventory",
    ("expensing", "process"): "inventory",
    ("development", "expense"): "development",
    ("development", "indirect"): "development",
    ("development", "develop"): "development",
    ("development", "write_off"): "development",
    ("development", "recognise"): "intangible",
    ("development", "stock"): "inventory",
    ("intangible", "expense"): "intangible",
    ("intangible", "indirect"): "intangible",
    ("intangible", "begin"): "intangible",
    ("intangible", "develop"): "intangible",
    ("intangible", "write_off"): "intangible",
    ("intangible", "recognise"): "intangible",
    ("intangible", "buy_intangible"): "intangible",
    ("intangible", "amortise"): "intangible",
    ("intangible", "impair"): "intangible",
    ("intangible", "dispose_intangible"): "disposed",
    ("inventory", "expense"): "inventory",
    ("inventory", "indirect"): "inventory",
    ("inventory", "begin"): "inventory",
    ("inventory", "develop"): "inventory",
    ("inventory", "write_off"): "inventory",
    ("inventory", "stock"): "inventory",
    ("inventory", "buy_inventory"): "inventory",
    ("inventory", "process"): "inventory",
    ("inventory", "write_down"): "inventory",
    ("inventory", "reverse"): "inventory",
    ("inventory", "sell"): "inventory",
    ("inventory", "dispose_inventory"): "disposed",
}
"""(state, act) → next state. A pair that is not here is refused."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking: the act, the day it is booked and the day its cost arose, fen, and the voucher behind it.

    New cost carries its item `code` and attribution; a move out of 开发支出 lists the `vouchers` it carries;
    `begin` states for each condition the day it was met. `origin` says which cost moves: 外购, 自行加工, 其他.
    """

    act: Act
    on: str
    amount_fen: Fen
    voucher: Hex32
    origin: Origin = "self_made"
    incurred: str | None = None
    code: str | None = None
    attribution: Literal["direct", "shared"] = "direct"
    vouchers: tuple[Hex32, ...] = ()
    met: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """The cost pools of one resource after its entries. `balances`: (pool, origin) → fen, zero where absent."""

    resource: str
    purpose: Purpose
    state: State = "expensing"
    conditions_met: str | None = None
    balances: Mapping[tuple[Pool, Origin], int] = field(default_factory=dict)
    open_vouchers: Mapping[str, tuple[Origin, int]] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()

    def held(self, pool: Pool, origin: Origin | None = None) -> int:
        """Fen in a pool, of one origin or of all."""
        return sum(fen for (name, of), fen in self.balances.items() if name == pool and origin in (None, of))


def book(account: Account, entry: Entry) -> Account:
    """The account after one entry; the account given is left as it was.

    Raises MOVE_REFUSED for a (state, act) outside `TABLE` or another purpose, NOT_CAPITALISED and INDIRECT_COST for
    cost that must be expensed, BALANCE_EXCEEDED for an amount the source pool does not hold, INPUT_FORM for dates out
    of order, a voucher booked twice, an unknown item, or an amount of zero.
    """
    move = ACTS.get(entry.act)
    following = TABLE.get((account.state, entry.act))
    if move is None or following is None:
        allowed = " | ".join(act for state, act in TABLE if state == account.state) or "无 / none"
        raise PricingRefused("MOVE_REFUSED", "act", allowed, f"{STATES[account.state]} {account.state} · {entry.act}")
    if move.purpose is not None and move.purpose != account.purpose:
        raise PricingRefused("MOVE_REFUSED", "purpose", move.purpose, account.purpose)
    _check_entry(account, entry, move)
    if move.target is None:
        met = _conditions(account, entry)
        return replace(account, state=following, conditions_met=met, entries=(*account.entries, entry))
    open_vouchers = dict(account.open_vouchers)
    if move.source is None:
        _check_cost(account, entry, move)
        if move.target == "development":
            open_vouchers[entry.voucher] = (entry.origin, entry.amount_fen)
    else:
        _check_balance(account, entry, move, move.source)
        for voucher in entry.vouchers:
            del open_vouchers[voucher]
    balances = dict(account.balances)
    if move.source is not None:
        balances[move.source, entry.origin] = balances.get((move.source, entry.origin), 0) - entry.amount_fen
    balances[move.target, entry.origin] = balances.get((move.target, entry.origin), 0) + entry.amount_fen
    if following == "disposed":
        # Another origin of the same asset, or development still open, keeps the account open.
        left = any(fen for (pool, _), fen in balances.items() if pool in ("development", "intangible", "inventory"))
        following = account.state if left else following
    return replace(
        account,
        state=following,
        balances=balances,
        open_vouchers=open_vouchers,
        entries=(*account.entries, entry),
    )


def replay(resource: str, purpose: Purpose, entries: Sequence[Entry]) -> Account:
    """The account of a resource from its entries in order. Raises as `book`."""
    account = Account(resource, purpose)
    for entry in entries:
        account = book(account, entry)
    return account


def _check_entry(account: Account, entry: Entry, move: Move) -> None:
    if not is_hex(entry.voucher, 64):
        raise PricingRefused(
            "INPUT_FORM", "voucher", "64 位小写十六进制 / 64 lower-case hex", entry.voucher or "空 / empty"
        )
    for name, text in (("on", entry.on), ("incurred", entry.incurred or entry.on)):
        if not _is_day(text):
            raise PricingRefused("INPUT_FORM", name, "YYYY-MM-DD", text or "空 / empty")
    if account.entries and entry.on < account.entries[-1].on:
        raise PricingRefused("INPUT_FORM", "on", f"≥ {account.entries[-1].on}", entry.on)
    if entry.incurred is not None and entry.incurred > entry.on:
        raise PricingRefused("INPUT_FORM", "incurred", f"≤ {entry.on}", entry.incurred)
    least = 0 if move.whole or move.target is None else 1
    integer(entry.amount_fen, "amount_fen", least, 0 if move.target is None else 10**15 - 1)
    if any(entry.voucher == booked.voucher for booked in account.entries):
        raise PricingRefused("INPUT_FORM", "voucher", "一张凭证记一次 / each voucher once", entry.voucher)
    listed = move.source == "development"
    if bool(entry.vouchers) != listed or len(set(entry.vouchers)) != len(entry.vouchers):
        expected = "所选开发支出凭证 / the development vouchers selected" if listed else "不填 / none"
        raise PricingRefused("INPUT_FORM", "vouchers", expected, ", ".join(entry.vouchers) or "无 / none")
    if (entry.code is not None) != (move.source is None and move.target is not None):
        raise PricingRefused("INPUT_FORM", "code", "新增成本才有 / for new cost only", entry.code or "缺失 / missing")
    if entry.met and move.target is not None:
        raise PricingRefused("INPUT_FORM", "met", "不填 / none", ", ".join(sorted(entry.met)))


def _conditions(account: Account, entry: Entry) -> str:
    """The day from which development is capitalised: the last condition's."""
    if account.conditions_met is not None:
        raise PricingRefused("MOVE_REFUSED", "act", f"已自 {account.conditions_met} 起满足 / met already", "begin")
    missing = sorted(set(CONDITIONS) ^ set(entry.met))
    if missing:
        given = f"缺失或未知 / missing or unknown: {missing}"
        raise PricingRefused("NOT_CAPITALISED", "met", " | ".join(CONDITIONS), given)
    for name, day in entry.met.items():
        if not _is_day(day) or day > entry.on:
            raise PricingRefused("INPUT_FORM", f"met.{name}", f"YYYY-MM-DD ≤ {entry.on}", day)
    return max(entry.met.values())


def _is_day(text: str) -> bool:
    """Is this a day of the calendar? The clock modules are banned here, and a date that never was is a forged one."""
    if not _DATE.match(text):
        return False
    year, month, day = (int(part) for part in text.split("-"))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day <= (29 if leap else 28) if month == 2 else day <= (30 if month in (4, 6, 9, 11) else 31)


def _check_cost(account: Account, entry: Entry, move: Move) -> None:
    code = entry.code or ""
    group = ITEMS.get(code, ("", ""))[1]
    if group not in ("preliminary", "construction", "indirect"):
        raise PricingRefused("INPUT_FORM", "code", " | ".join(name for name in ITEMS if name != "subsidy"), code)
    indirect = group == "indirect" or entry.attribution == "shared"
    if move.capitalises and indirect:
        raise PricingRefused("INDIRECT_COST", "code", "直接成本 / direct cost", f"{code} / {entry.attribution}")
    if entry.act == "indirect" and not indirect:
        raise PricingRefused("INPUT_FORM", "code", "间接成本 / indirect cost", f"{code} / {entry.attribution}")
    if entry.act in ("buy_intangible", "buy_inventory") and entry.origin != "purchased":
        raise PricingRefused("INPUT_FORM", "origin", "purchased", entry.origin)
    if entry.act == "develop":
        since = account.conditions_met
        arose = entry.incurred or entry.on
        if since is None or arose < since:
            expected = f"≥ {since}" if since else "条件满足之后 / after the conditions are met"
            raise PricingRefused("NOT_CAPITALISED", "incurred", expected, arose)


def _check_balance(account: Account, entry: Entry, move: Move, source: Pool) -> None:
    if source == "development":
        for voucher in entry.vouchers:
            found = account.open_vouchers.get(voucher)
            if found is None or found[0] != entry.origin:
                known = f"{len(account.open_vouchers)} 张未结转凭证之一 / one of the open vouchers, {entry.origin}"
                raise PricingRefused("BALANCE_EXCEEDED", "vouchers", known, voucher)
        selected = sum(account.open_vouchers[voucher][1] for voucher in entry.vouchers)
        if entry.amount_fen != selected:
            raise PricingRefused("BALANCE_EXCEEDED", "amount_fen", str(selected), entry.amount_fen)
    held = account.held(source, entry.origin)
    if entry.act == "reverse" and not account.held("inventory", entry.origin):
        raise PricingRefused("BALANCE_EXCEEDED", "origin", "尚有存货 / inventory left", f"{entry.origin}: 0")
    if entry.amount_fen > held or (move.whole and entry.amount_fen != held):
        expected = f"{'=' if move.whole else '≤'} {held}"
        raise PricingRefused("BALANCE_EXCEEDED", "amount_fen", expected, entry.amount_fen)
