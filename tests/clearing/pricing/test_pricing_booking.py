"""Costs by month and the booking table: every cell, every guard, and no fen lost between the pools."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.pricing.booking import ACTS, CONDITIONS, ORIGINS, POOLS, STATES, TABLE, Account, Entry, book, replay
from clearing.pricing.collection import collect_months
from clearing.pricing.cost import ITEMS, CostItem
from clearing.pricing.disclosure import book_value, disclosure, movements
from clearing.pricing.errors import CODES, PricingRefused
from clearing.pricing.manifest import Digests
from clearing.pricing.value_kinds import BookAmount
from tests.counts import few

MET = dict.fromkeys(CONDITIONS, "2026-03-01")
_numbers = itertools.count(1)


def voucher() -> str:
    return f"{next(_numbers):064x}"


def entry(act: str, amount: int = 0, on: str = "2026-06-01", **other: object) -> Entry:
    move = ACTS[act]
    fresh = move.source is None and move.target is not None
    base = {
        "code": ("administration" if act == "indirect" else "development") if fresh else None,
        "origin": "purchased" if act.startswith("buy") else "self_made",
        "met": MET if act == "begin" else {},
        "voucher": voucher(),
    }
    return Entry(act=act, on=on, amount_fen=amount, **(base | other))


def developed(purpose: str = "own_use") -> tuple[Account, str, str]:
    """An account with 700 and 300 fen of open development."""
    one, two = voucher(), voucher()
    account = replay("resource:a", purpose, [
        entry("research", 50), entry("begin"), entry("develop", 700, voucher=one), entry("develop", 300, voucher=two),
    ])  # fmt: skip
    return account, one, two


def in_state(state: str, act: str) -> tuple[Account, dict]:
    """An account in `state` and the fields of an entry for which every guard of `act` holds."""
    move = ACTS[act]
    purpose = {"intangible": "own_use", "inventory": "for_sale"}.get(state, move.purpose or "own_use")
    amount = 0 if move.target is None else 10
    other: dict = {}
    account = Account("resource:a", purpose)
    asset = {"own_use": "intangible", "for_sale": "inventory"}[purpose]
    opening = {"own_use": "buy_intangible", "for_sale": "process"}[purpose]
    if state in ("intangible", "inventory"):
        account = book(account, entry(opening, 100, origin="purchased"))
    if state == "development" or (
        state in ("intangible", "inventory") and (move.source == "development" or act == "develop")
    ):
        account = book(account, entry("begin"))
        one = voucher()
        account = book(account, entry("develop", 10, voucher=one, origin="purchased"))
        if move.source == "development":
            other = {"vouchers": (one,)}
    if act == "reverse" and state == "inventory":
        account = book(account, entry("write_down", 20, origin="purchased"))
    if state == "disposed":
        account = book(account, entry(opening, 100, origin="purchased"))
        account = book(account, entry(f"dispose_{asset}", 100, origin="purchased"))
    if move.source == "development":
        other.setdefault("vouchers", (voucher(),))
    if move.whole:
        amount = 100
    assert account.state == state
    return account, {"amount": amount, "origin": "purchased"} | other


# The table written out again, state by state: what may happen to a resource in each.
ALLOWED = {
    "expensing": {"research", "expense", "indirect", "begin", "buy_intangible", "buy_inventory", "process"},
    "development": {"expense", "indirect", "develop", "write_off", "recognise", "stock"},
    "intangible": {"expense", "indirect", "begin", "develop", "write_off", "recognise", "buy_intangible", "amortise",
                   "impair", "dispose_intangible"},
    "inventory": {"expense", "indirect", "begin", "develop", "write_off", "stock", "buy_inventory", "process",
                  "write_down", "reverse", "sell", "dispose_inventory"},
    "disposed": set(),
}  # fmt: skip
NEXT = {
    "begin": {"expensing": "development"},
    "buy_intangible": {"expensing": "intangible"},
    "buy_inventory": {"expensing": "inventory"},
    "process": {"expensing": "inventory"},
    "recognise": {"development": "intangible"},
    "stock": {"development": "inventory"},
    "dispose_intangible": {"intangible": "disposed"},
    "dispose_inventory": {"inventory": "disposed"},
}


@pytest.mark.parametrize(("state", "act"), list(itertools.product(STATES, ACTS)))
def test_table__every_cell__is_booked_or_refused(state, act):
    account, filled = in_state(state, act)
    asked = entry(act, **filled)
    if act in ALLOWED[state]:
        after = book(account, asked)
        assert after.state == TABLE[state, act] == NEXT.get(act, {}).get(state, state)
        assert after.entries == (*account.entries, asked)
        move = ACTS[act]
        for pool in POOLS:
            change = (asked.amount_fen if move.target == pool else 0) - (asked.amount_fen if move.source == pool else 0)
            assert after.held(pool) == account.held(pool) + change
    else:
        assert (state, act) not in TABLE
        with pytest.raises(PricingRefused) as error:
            book(account, asked)
        assert (error.value.code, error.value.field) == ("MOVE_REFUSED", "act")
        assert CODES["MOVE_REFUSED"][0] in error.value.zh
        assert CODES["MOVE_REFUSED"][1] in error.value.en


def refused(account: Account, asked: Entry) -> PricingRefused:
    with pytest.raises(PricingRefused) as error:
        book(account, asked)
    assert error.value.expected
    assert error.value.given
    return error.value


def test_development__only_what_arose_after_the_six_conditions_is_capitalised():
    account = replay("resource:a", "own_use", [entry("begin", met=MET | {"resourced": "2026-04-15"})])
    assert account.conditions_met == "2026-04-15"
    late = refused(account, entry("develop", 10, incurred="2026-04-14"))
    assert (late.code, late.field, late.expected) == ("NOT_CAPITALISED", "incurred", "≥ 2026-04-15")
    assert book(account, entry("expense", 10, incurred="2026-04-14")).held("expensed") == 10
    assert book(account, entry("develop", 10, incurred="2026-04-15")).held("development") == 10
    for missing in CONDITIONS:
        met = {name: day for name, day in MET.items() if name != missing}
        assert refused(Account("resource:a", "own_use"), entry("begin", met=met)).code == "NOT_CAPITALISED"
    assert refused(Account("resource:a", "own_use"), entry("begin", met=MET | {"usable": "2026-06-02"})).field == (
        "met.usable"
    )


@pytest.mark.parametrize("act", ["develop", "buy_intangible", "buy_inventory", "process"])
def test_indirect_cost__is_never_capitalised(act):
    state = {"develop": "development", "buy_intangible": "intangible"}.get(act, "inventory")
    account, filled = in_state(state, act)
    for cost in ({"code": "infrastructure"}, {"attribution": "shared"}):
        assert refused(account, entry(act, **(filled | cost))).code == "INDIRECT_COST"
    assert book(account, entry("indirect", 10, code="infrastructure")).held("expensed") == account.held("expensed") + 10
    assert refused(account, entry("indirect", 10, code="storage")).code == "INPUT_FORM"


def test_recognition__carries_the_selected_subset__the_rest_stays_development():
    account, one, two = developed()
    for amount in (699, 701, 1000):
        assert refused(account, entry("recognise", amount, vouchers=(one,))).code == "BALANCE_EXCEEDED"
    assert refused(account, entry("recognise", 700, vouchers=(voucher(),))).code == "BALANCE_EXCEEDED"
    assert refused(account, entry("recognise", 700)).field == "vouchers"
    assert refused(account, entry("recognise", 1400, vouchers=(one, one))).field == "vouchers"
    after = book(account, entry("recognise", 700, vouchers=(one,)))
    assert (after.state, after.held("intangible"), after.held("development")) == ("intangible", 700, 300)
    assert refused(after, entry("recognise", 700, vouchers=(one,))).code == "BALANCE_EXCEEDED"
    gone = book(after, entry("dispose_intangible", 700))
    assert gone.state == "intangible", "development is still open"
    closed = book(gone, entry("write_off", 300, vouchers=(two,)))
    assert closed.held("expensed") == 350
    done = book(closed, entry("dispose_intangible", 0))
    assert done.state == "disposed"


def test_purpose__decides_between_intangible_and_inventory():
    account, one, _ = developed("for_sale")
    assert refused(account, entry("recognise", 700, vouchers=(one,))).field == "purpose"
    assert book(account, entry("stock", 700, vouchers=(one,))).state == "inventory"
    account, one, _ = developed("own_use")
    assert refused(account, entry("stock", 700, vouchers=(one,))).field == "purpose"


def test_entries__dates_vouchers_amounts_and_items():
    account, _, _ = developed()
    first = account.entries[0]
    assert refused(account, entry("expense", 5, on="2026-05-31")).field == "on"
    for never in ("2026-13-01", "2026-02-29", "2100-02-29", "2026-04-31", "2026-00-10", "2026-6-1", ""):
        assert refused(account, entry("expense", 5, on=never)).field == "on"
    assert book(account, entry("expense", 5, on="2028-02-29")).held("expensed") == 55
    assert refused(account, entry("expense", 5, voucher="F" * 64)).field == "voucher"
    assert refused(account, entry("expense", 5, on="2026-06-01\n")).field == "on"
    assert refused(account, entry("expense", 5, incurred="2026-06-02")).field == "incurred"
    assert refused(account, entry("expense", 5, voucher=first.voucher)).field == "voucher"
    assert refused(account, entry("expense", 0)).field == "amount_fen"
    assert refused(account, entry("expense", -5)).field == "amount_fen"
    assert refused(account, entry("expense", 5, code="colour")).field == "code"
    assert refused(account, entry("expense", 5, code="subsidy")).field == "code"
    assert refused(account, entry("expense", 5, code=None)).field == "code"
    assert refused(account, entry("expense", 5, met=MET)).field == "met"
    bought = replay("resource:b", "own_use", [entry("buy_intangible", 100)])
    assert refused(bought, entry("amortise", 101, origin="purchased")).code == "BALANCE_EXCEEDED"
    assert refused(bought, entry("amortise", 1, origin="self_made")).code == "BALANCE_EXCEEDED"
    assert refused(bought, entry("dispose_intangible", 99, origin="purchased")).expected == "= 100"
    assert refused(Account("x", "own_use"), entry("buy_intangible", 5, origin="other")).field == "origin"


def test_write_down__is_reversed_only_while_stock_is_left():
    account = replay("resource:a", "for_sale", [entry("process", 100), entry("write_down", 60), entry("sell", 40)])
    assert refused(account, entry("reverse", 10)).field == "origin"
    account = replay("resource:a", "for_sale", [entry("process", 100), entry("write_down", 60)])
    assert book(account, entry("reverse", 60)).held("inventory") == 100
    assert refused(account, entry("reverse", 61)).code == "BALANCE_EXCEEDED"


steps = st.lists(
    st.tuples(
        st.sampled_from(list(ACTS)), st.integers(0, 1000), st.sampled_from(list(ORIGINS)), st.integers(1, 12),
        st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


def walked(purpose: str, acts: list) -> Account:
    """An account after whatever of a random walk is allowed; moves out of 开发支出 name all open vouchers or one."""
    account, month = Account("resource:walk", purpose), 1
    for act, amount, origin, later, every in acts:
        month = max(month, later)
        on = f"2026-{month:02d}-01"
        other: dict = {"origin": origin, "on": on}
        if act == "begin":
            other["met"] = dict.fromkeys(CONDITIONS, "2026-01-01")
        if ACTS[act].source == "development":
            open_ = [name for name, (of, _) in account.open_vouchers.items() if of == origin]
            chosen = open_ if every else open_[:1]
            other["vouchers"] = tuple(chosen)
            amount = sum(account.open_vouchers[name][1] for name in chosen)
        if ACTS[act].whole:
            amount = account.held(ACTS[act].source, origin)
        try:
            account = book(account, entry(act, 0 if act == "begin" else amount, **other))
        except PricingRefused:
            continue
    return account


@settings(max_examples=few(80), deadline=None)
@given(st.sampled_from(["own_use", "for_sale"]), steps, st.integers(1, 12), st.integers(0, 11))
def test_pools__opening_and_additions_are_closing__to_the_fen(purpose, acts, first, more):
    account = walked(purpose, acts)
    added = Counter()
    for booked in account.entries:
        if ACTS[booked.act].source is None:
            added[booked.origin] += booked.amount_fen
    for origin in ORIGINS:
        assert sum(account.held(pool, origin) for pool in POOLS) == added[origin]
    assert all(fen >= 0 for fen in account.balances.values())
    assert sum(fen for _, fen in account.open_vouchers.values()) == account.held("development")
    last = min(12, first + more)
    rows = movements(account, f"2026-{first:02d}-01", f"2026-{last:02d}-31")
    for row in rows:
        assert row.opening_fen + row.additions_fen + row.moved_in_fen - row.moved_out_fen == row.closing_fen
    assert sum(r.opening_fen for r in rows) + sum(r.additions_fen for r in rows) == sum(r.closing_fen for r in rows)
    assert sum(row.moved_in_fen for row in rows) == sum(row.moved_out_fen for row in rows)
    assert replay("resource:walk", purpose, account.entries) == account


def test_disclosure__totals_by_origin_add_up():
    account, one, _ = developed()
    account = book(account, entry("recognise", 700, vouchers=(one,)))
    account = book(account, entry("buy_intangible", 1000, on="2026-07-01"))
    account = book(account, entry("amortise", 100, on="2026-08-01", origin="purchased"))
    stock = replay("resource:b", "for_sale", [entry("process", 40, origin="other"), entry("sell", 15, origin="other")])
    shown = disclosure([account, stock], "2026-07-01", "2026-12-31")
    intangible = shown["classes"]["intangible"]
    assert intangible["purchased"]["closing_fen"] == 900
    assert intangible["purchased"]["acts"] == {"amortise": 100, "buy_intangible": 1000}
    assert intangible["self_made"]["acts"] == {}, "recognised before the period"
    assert intangible["self_made"]["closing_fen"] == intangible["self_made"]["opening_fen"] == 700
    assert shown["classes"]["inventory"]["other"]["closing_fen"] == 25
    assert shown["classes"]["development"]["total"]["closing_fen"] == 300
    for group in shown["classes"].values():
        for name, total in group["total"].items():
            assert total == sum(group[origin][name] for origin in ORIGINS)
    with pytest.raises(PricingRefused, match="accounts"):
        disclosure([account, account], "2026-07-01", "2026-12-31")
    with pytest.raises(PricingRefused, match="last"):
        movements(account, "2026-07-02", "2026-07-01")
    carried = book_value(account, 5, "演示财务", Digests("00" * 32, "11" * 32))
    assert carried.amount == BookAmount(900 + 700 + 300)


def item(code: str, pool: str, amount: int, period: str = "2026-03", attribution: str = "direct", **other) -> CostItem:
    return CostItem(code, pool, amount, period, attribution, other.get("voucher", voucher()))


def test_months__subtotals_and_memo():
    rows = collect_months({
        "element:b": [item("storage", "data", 7, "2026-01")],
        "element:a": [
            item("planning", "data", 100), item("development", "model", 30), item("maintenance", "data", 20),
            item("administration", "memo", 9, attribution="shared"), item("subsidy", "memo", 4),
            item("storage", "memo", 2, attribution="shared"), item("aggregation", "data", 1, "2026-02"),
        ],
    })  # fmt: skip
    assert [(row.element, row.period) for row in rows] == [
        ("element:a", "2026-02"), ("element:a", "2026-03"), ("element:b", "2026-01"),
    ]  # fmt: skip
    march = rows[1]
    assert (march.preliminary_fen, march.construction_fen) == (100, 50)
    assert (march.data_cost_fen, march.model_cost_fen) == (120, 30)
    assert (march.indirect_memo_fen, march.subsidy_memo_fen, march.other_memo_fen) == (9, 4, 2)


lines = st.lists(
    st.tuples(st.sampled_from(list(ITEMS)), st.sampled_from(["data", "model", "memo"]), st.integers(0, 10**9),
              st.integers(1, 12)), max_size=12,
)  # fmt: skip


@settings(max_examples=few(60), deadline=None)
@given(lines)
def test_months__nothing_is_lost(drawn):
    items = []
    for code, wanted, amount, month in drawn:
        group = ITEMS[code][1]
        pool = "memo" if group in ("indirect", "subsidy") else "data" if group == "preliminary" != wanted else wanted
        items.append(item(code, pool if pool != "model" or group == "construction" else "data", amount,
                          f"2026-{month:02d}"))  # fmt: skip
    rows = collect_months({"element:a": items})
    assert all(r.preliminary_fen + r.construction_fen == r.data_cost_fen + r.model_cost_fen for r in rows)
    total = sum(
        r.preliminary_fen + r.construction_fen + r.indirect_memo_fen + r.subsidy_memo_fen + r.other_memo_fen
        for r in rows
    )
    assert total == sum(amount for _, _, amount, _ in drawn)


@pytest.mark.parametrize(
    ("items", "code", "field"),
    [
        ({"a": [item("administration", "data", 1)]}, "INDIRECT_COST", "costs[0].pool"),
        ({"a": [item("planning", "data", 1, "2026-3")]}, "INPUT_FORM", "items.a[0].period"),
        ({"a": [item("planning", "data", 1, "2026-13")]}, "INPUT_FORM", "items.a[0].period"),
        ({"a": [item("planning", "data", 1, voucher="v")], "b": [item("planning", "data", 1, voucher="v")]},
         "INPUT_FORM", "items.b[0].voucher"),
    ],
)  # fmt: skip
def test_months__wrong_lines__are_refused(items, code, field):
    with pytest.raises(PricingRefused) as error:
        collect_months(items)
    assert (error.value.code, error.value.field) == (code, field)
