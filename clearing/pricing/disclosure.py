"""What the books of data resources show for a period (披露): every pool's movement, and totals by 外购/自行加工/其他.

The three categories are those we read in 财会〔2023〕11号; the printed layout of its tables is not reproduced and not
checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clearing.pricing.booking import ACTS, ORIGINS, POOLS, Account, Origin, Pool, replay
from clearing.pricing.errors import PricingRefused
from clearing.pricing.manifest import Digests
from clearing.pricing.quality import Count
from clearing.pricing.value_kinds import BookAmount, BookValue, Stated

CLASSES: tuple[Pool, ...] = ("intangible", "inventory", "development")


@dataclass(frozen=True, slots=True)
class Movement:
    """One pool and origin over a period, fen: opening + additions + moved in − moved out = closing."""

    pool: Pool
    origin: Origin
    opening_fen: int
    additions_fen: int
    moved_in_fen: int
    moved_out_fen: int
    closing_fen: int


def movements(account: Account, first: str, last: str) -> tuple[Movement, ...]:
    """Every pool and origin of an account from `first` to `last` (YYYY-MM-DD, both included), in fixed order.

    Over all pools: Σ opening + Σ additions = Σ closing. Raises INPUT_FORM when the period ends before it begins.
    """
    if last < first:
        raise PricingRefused("INPUT_FORM", "last", f"≥ {first}", last)
    before = replay(account.resource, account.purpose, [entry for entry in account.entries if entry.on < first])
    after = replay(account.resource, account.purpose, [entry for entry in account.entries if entry.on <= last])
    within = after.entries[len(before.entries) :]
    rows = []
    for pool in POOLS:
        for origin in ORIGINS:
            own = [(ACTS[entry.act], entry.amount_fen) for entry in within if entry.origin == origin]
            rows.append(
                Movement(
                    pool,
                    origin,
                    before.held(pool, origin),
                    sum(fen for move, fen in own if move.target == pool and move.source is None),
                    sum(fen for move, fen in own if move.target == pool and move.source is not None),
                    sum(fen for move, fen in own if move.source == pool),
                    after.held(pool, origin),
                )
            )
    return tuple(rows)


def disclosure(accounts: Sequence[Account], first: str, last: str) -> dict[str, Any]:
    """Totals over all accounts as JSON-ready values: class → origin → movement in fen, with a total for each class.

    `acts` splits a movement by what was done (摊销, 减值, 处置 …): fen of each act that moved the pool in the period.
    Raises INPUT_FORM for two accounts of one resource.
    """
    names = [account.resource for account in accounts]
    if len(set(names)) != len(names):
        raise PricingRefused("INPUT_FORM", "accounts", "每项资源一个 / one for each resource", ", ".join(names))
    rows = [row for account in accounts for row in movements(account, first, last)]
    classes: dict[str, Any] = {}
    for pool in CLASSES:
        own = [row for row in rows if row.pool == pool]
        shown: dict[str, Any] = {"name": POOLS[pool]}
        for origin, name in ORIGINS.items():
            acts = _by_act(accounts, pool, origin, first, last)
            shown[origin] = {"name": name, "acts": acts} | _totals([row for row in own if row.origin == origin])
        shown["total"] = _totals(own)
        classes[pool] = shown
    return {"first": first, "last": last, "resources": sorted(names), "classes": classes}


def book_value(account: Account, as_of: Count, issuer: str, document: Digests) -> BookValue:
    """What the books carry for a resource now, as a book amount: 无形资产 + 存货 + 开发支出, fen, net."""
    carried = sum(account.held(pool) for pool in CLASSES)
    return Stated(BookAmount(carried), "exact", as_of, (account.resource,), issuer, document)


def _by_act(accounts: Sequence[Account], pool: Pool, origin: Origin, first: str, last: str) -> dict[str, int]:
    acts: dict[str, int] = {}
    for entry in (entry for account in accounts for entry in account.entries):
        touches = pool in (ACTS[entry.act].source, ACTS[entry.act].target)
        if touches and entry.origin == origin and first <= entry.on <= last:
            acts[entry.act] = acts.get(entry.act, 0) + entry.amount_fen
    return dict(sorted(acts.items()))


def _totals(rows: Sequence[Movement]) -> dict[str, int]:
    names = ("opening_fen", "additions_fen", "moved_in_fen", "moved_out_fen", "closing_fen")
    return {name: sum(getattr(row, name) for row in rows) for name in names}
