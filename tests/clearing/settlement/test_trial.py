"""试算 from a document: the shipped examples, and refusals by field. The workbook is read back by another program."""

from __future__ import annotations

import ast
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from clearing.errors import BadMoney, BadTerms, Held
from clearing.settlement.journal import BankEffect
from clearing.settlement.statement import Item, Line, Obligation, part_a
from clearing.settlement.trial import trial_netting, trial_settlement, trial_split
from clearing.settlement.workbook import event_name, statement_xlsx
from ledger.errors import FieldError

EXAMPLES = Path(__file__).parents[3] / "scripts" / "examples"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"trial_{name}.json").read_text("utf-8"))


def test_trial_split__the_example__adds_up_and_stays_within_a_fen() -> None:
    document = example("split")
    result = trial_split(document)
    assert result["sum"] == sum(document["payments"])
    for row in result["payments"]:
        assert sum(row["shares"].values()) == row["amount"]
    assert all(abs(Fraction(line["carry"])) < 1 for line in result["totals"].values())


def test_trial_split__every_step__as_worked_out_by_hand() -> None:
    """90,000 fen: 20,000 cost, 5,000 tranche; 50,000 at 2:5:3, 15,000 at 60:25:15 %. The holder has 19,000 of its
    60,000; the operator gives its 17,250; the sponsor would owe the rest."""
    result = trial_split(example("split_steps"))
    assert {party: line["paid"] for party, line in result["totals"].items()} == {
        "processor-demo": 20_000 + 25_000 + 3_750, "platform-demo": 5_000, "operator-demo": 0,
        "holder-demo": 10_000 + 9_000 + 15_000 + 2_250,
    }  # fmt: skip
    assert result["shortfalls"] == [{"party": "holder-demo", "guarantor": "sponsor-demo", "amount": 60_000 - 36_250}]


def test_trial_split__contributions_of_each_period__as_worked_out_by_hand() -> None:
    """A tenth to the platform; the rest 7:2 of 10,000, then 1:1 of 20,001."""
    result = trial_split(example("split_contribution"))
    exact = {
        "platform-demo": Fraction(30_001, 10), "hospital-demo": 7_000 + Fraction(20_001 * 9, 20),
        "clinic-demo": 2_000 + Fraction(20_001 * 9, 20),
    }  # fmt: skip
    assert {party: Fraction(line["exact"]) for party, line in result["totals"].items()} == exact
    assert all(abs(Fraction(line["carry"])) < 1 for line in result["totals"].values())
    assert result["payments"][0]["shares"] == {"platform-demo": 1_000, "hospital-demo": 7_000, "clinic-demo": 2_000}


def test_trial_split__shapley__as_worked_out_by_hand() -> None:
    """φ = 8.5, 5.5 and 4 of 18."""
    result = trial_split(example("split_shapley"))
    weights = {item["party"]: item["weight"] for item in result["payments"][0]["weights"]["weights"]}
    assert {party: round(Fraction(18 * weight, 10**9), 6) for party, weight in weights.items()} == {
        "hospital-demo": Fraction(17, 2), "clinic-demo": Fraction(11, 2), "laboratory-demo": 4,
    }  # fmt: skip
    assert result["payments"][0]["shares"] == {"hospital-demo": 4_250, "clinic-demo": 2_750, "laboratory-demo": 2_000}


def test_trial_settlement__every_kind_of_tariff__as_worked_out_by_hand() -> None:
    """10 of 31 days; 3.5 % of 1,000,001; 50,000 of a capped success less 6,000 taken back; 3,500 × 0.95 less 10 %."""
    result = trial_settlement(example("settlement_tariffs"))
    assert [Fraction(charge["exact"]) for charge in result["charges"]] == [
        100_000, Fraction(7_000_007, 200), 50_000 - 6_000, Fraction(35 * 95 * 9, 10),
    ]  # fmt: skip
    graded = result["charges"][-1]
    assert (graded["coefficient"], graded["credit"], graded["gross"]) == (950_000, "665/2", 2_993)
    assert graded["inputs"] == example("settlement_tariffs")["agreements"][-1]["inputs"]
    shares = {line["party"]: line["amount"] for line in result["shares"][-1]["shares"]}
    assert shares == {"developer-demo": 706, "provider-demo": 2_118}
    assert sum(charge["gross"] for charge in result["charges"]) == result["netting"]["gross"]


@pytest.mark.parametrize(
    ("run", "name", "path", "value", "field"),
    [
        (trial_split, "split_contribution", ("contributed",), [], "contributed"),
        (trial_split, "split_contribution", ("contributed", 0, 0, "quantity"), -1, "quantity"),
        (trial_split, "split_contribution", ("coalitions",), [], "coalitions"),
        (trial_split, "split_shapley", ("contributed",), [[], []], "contributed"),
        (trial_split, "split_shapley", ("coalitions", 0, "amount"), "06", "amount"),
        (trial_split, "split_steps", ("plan", "steps", 3, "funder"), "nobody", "funder"),
        (trial_split, "split_steps", ("plan", "steps", 3, "guarantor"), None, "guarantor"),
        (trial_settlement, "settlement_tariffs", ("agreements", 3, "terms", "cap", "fen"), 3499, "tiers"),
        (trial_settlement, "settlement_tariffs", ("agreements", 3, "earned_before"), 5, "entitled"),
        (trial_settlement, "settlement_tariffs", ("agreements", 2, "inputs", "events", 1, "before"), 1, "amount"),
        (trial_settlement, "settlement_tariffs", ("agreements", 1, "inputs", "declared", "evidence"), "x", "evidence"),
    ],
)
def test_trial__a_wrong_step_or_input__names_the_field(
    run: Any, name: str, path: tuple[Any, ...], value: Any, field: str
) -> None:
    document = example(name)
    spot = document
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    with pytest.raises((FieldError, BadTerms, BadMoney), match=field):
        run(document)


def test_trial__what_is_missing_is_held_not_guessed() -> None:
    case = example("settlement_tariffs")
    case["agreements"][3]["inputs"]["scored"].pop("score")
    with pytest.raises(Held, match="NO_COEFFICIENT"):
        trial_settlement(case)
    split = example("split_contribution")
    del split["contributed"]
    with pytest.raises(Held, match="NOT_GIVEN"):
        trial_split(split)
    split = example("split_contribution")
    split["contributed"][1] = [{"party": "clinic-demo", "quantity": 0}]
    with pytest.raises(Held, match="NO_CONTRIBUTION"):
        trial_split(split)


def test_trial_netting__the_example__needs_less_money_than_gross() -> None:
    result = trial_netting(example("netting"))
    assert result["minimum"] < result["gross"]
    assert Fraction(result["efficiency"]) == 1 - Fraction(result["minimum"], result["gross"])
    assert sum(position["net"] for position in result["positions"]) == 0


def test_trial_netting__limits_a_house_and_missed_funding__as_worked_out_by_hand() -> None:
    """Buyer has 700,000: a needs 705,000 and 90,000 come in from d, so b waits; c is cut to the limit of its pair. The
    buyer then lacks 25,000, which its collateral and guarantor bring; the processor lacks 40,000 and nobody stands
    behind it: its 60,000 go to the holder, who bears the other 40,000."""
    found = trial_netting(example("netting_limits"))
    assert {entry["id"]: entry["amount"] for entry in found["queue"]["passed"]} == {
        "a": 705_000, "c": 100_000, "d": 90_000, "e": 15_000
    }  # fmt: skip
    assert [(entry["id"], entry["reason"]) for entry in found["queue"]["waiting"]] == [
        ("b", "debit_cap"), ("c", "pair_limit")
    ]  # fmt: skip
    assert found["queue"]["value"] == 910_000 == found["gross"]
    assert found["queue"]["bound"] == 910_000 + (700_000 - (705_000 - 90_000))
    assert {(move["payer"], move["payee"]): move["amount"] for move in found["payments"]} == {
        ("buyer-demo", "house-demo"): 615_000, ("processor-demo", "house-demo"): 100_000,
        ("house-demo", "holder-demo"): 700_000, ("house-demo", "platform-demo"): 15_000,
    }  # fmt: skip
    default = found["default"]
    assert (default["cured"], default["excluded"]) == (["buyer-demo"], ["processor-demo"])
    assert [(line["source"], line["amount"]) for line in default["borne"]] == [
        ("collateral", 20_000), ("guarantee", 5_000), ("funded", 60_000)
    ]  # fmt: skip
    assert [(line["creditor"], line["covered"], line["borne"]) for line in default["exposures"]] == [
        ("holder-demo", 60_000, 40_000)
    ]  # fmt: skip
    assert {line["party"]: line["paid_out"] for line in default["funding"] if line["paid_out"]} == {
        "holder-demo": 600_000, "platform-demo": 15_000
    }  # fmt: skip


def test_trial_settlement__the_example__is_shared_and_netted_in_full() -> None:
    result = trial_settlement(example("settlement"))
    gross = sum(charge["gross"] for charge in result["charges"])
    assert gross == result["netting"]["gross"]
    assert "REV" not in result["trial_balance"]
    assert sum(result["trial_balance"].values()) == 0


@pytest.mark.parametrize(
    ("run", "name", "path", "value", "field"),
    [
        (trial_split, "split", ("payments", 0), 0.5, "payments"),
        (trial_split, "split", ("payments", 0), 10**15, "payments"),
        (trial_split, "split", ("payments",), [], "payments"),
        (trial_split, "split", ("extra",), 1, "extra"),
        (trial_split, "split", ("plan", "steps", 1, "weights", 0, "weight"), 1, "weights"),
        (trial_netting, "netting", ("obligations", 0, "amount"), 0, "amount"),
        (trial_netting, "netting", ("obligations", 0, "amount"), "1", "amount"),
        (trial_netting, "netting", ("obligations", 0, "creditor"), 7, "creditor"),
        (trial_netting, "netting_limits", ("mode",), "novation", "mode"),
        (trial_netting, "netting_limits", ("house",), "buyer-demo", "house"),
        (trial_netting, "netting_limits", ("limits", 0, "cap"), -1, "cap"),
        (trial_netting, "netting_limits", ("limits", 1, "party"), "buyer-demo", "limits"),
        (trial_netting, "netting_limits", ("obligations", 1, "id"), "a", "queue"),
        (trial_netting, "netting_limits", ("funded", 0, "party"), "nobody", "funded"),
        (trial_netting, "netting_limits", ("covers", 0, "guarantor"), "buyer-demo", "guarantee"),
        (trial_settlement, "settlement", ("agreements", 0, "quantity"), -1, "quantity"),
        (trial_settlement, "settlement", ("agreements", 0, "terms", "currency"), "USD", "currency"),
        (trial_settlement, "settlement", ("agreements", 0, "terms", "tax", "bp"), 10_001, "bp"),
        (trial_settlement, "settlement", ("agreements", 0, "agreement"), "g2", "agreements"),
    ],
)
def test_trial__a_wrong_document__names_the_field(
    run: Any, name: str, path: tuple[Any, ...], value: Any, field: str
) -> None:
    document = example(name)
    spot = document
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    with pytest.raises((FieldError, BadTerms), match=field):
        run(document)


def test_statement_xlsx__hostile_text__stays_text_and_amounts_read_back() -> None:
    """A formula in an agreement's name, and a code with leading zeros, must come back as the same text."""
    lines = [Line("line", 0, "A", "charge", "=1+1", "RCV:A:g:p", '=HYPERLINK("x")', "2026-03", -150, 0)]
    due = [Obligation("00123", "A", 70, (Item("g", "p", 70),))]
    body, parts = part_a(
        cycle="c", operator="O", period="2026-03", party="A", currency="CNY", opening=100, window=(0, 1), lines=lines,
        obligations=due,
    )  # fmt: skip
    book = openpyxl.load_workbook(io.BytesIO(statement_xlsx(body, parts)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type in ("s", "n") and (cell.value is None or isinstance(cell.value, str)) for cell in cells)
    row = [cell.value for cell in book["明细"][2]]
    assert row == ["0", "计费", "=1+1", '=HYPERLINK("x")', "2026-03", "-1.50"]
    assert [cell.value for cell in book["应付义务"][2]] == ["1", "00123", "A", "0.70"]
    assert {row[0].value: row[1].value for row in book["清分账单"]}["期末余额(元)"] == "-0.50"


def test_event_name__every_event_of_the_journal__has_a_chinese_name() -> None:
    """Walks the journal's source for event names, so a new event without a clerk's word fails here."""
    source = (Path(__file__).parents[3] / "clearing" / "settlement" / "journal.py").read_text(encoding="utf-8")
    events = {call.args[0].value for call in ast.walk(ast.parse(source)) if _is_transaction(call)}
    events |= {effect.value for effect in BankEffect}
    assert len(events) > 8
    assert {event for event in events if event_name(event) == event} == set()
    assert event_name("reversal-share") == "冲销：应分额"


def _is_transaction(node: ast.AST) -> bool:
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_transaction"
    return named and isinstance(node.args[0], ast.Constant)
