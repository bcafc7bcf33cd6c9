"""The ledger knows no business: its names and texts say nothing of what the facts are about (decisions D40)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

LEDGER = Path(__file__).resolve().parent.parent.parent / "ledger"
FILES = sorted(LEDGER.glob("*.py"))

ENGLISH = {
    "certificate", "certificates", "deposit", "deposits", "agreement", "agreements", "negotiation", "price", "prices",
    "pricing", "priced", "tariff", "tariffs", "royalty", "royalties", "settlement", "settlements", "settle", "settled",
    "clearing", "netting", "invoice", "invoices", "billing", "bill", "payment", "payments", "pay", "payer", "payee",
    "bank", "fee", "fees", "fen", "yuan", "currency", "money", "amount", "amounts", "share", "shares", "weight",
    "weights", "journal", "balance", "listing", "listings", "listed", "product", "products", "asset", "assets",
    "dataset", "catalogue", "provider", "providers", "developer", "consumer", "consumers", "buyer", "seller", "agency",
    "operator", "auditor", "council", "encumbrance", "encumbered", "objection", "paper", "rights", "holder", "usage",
    "metering", "metered", "cycle", "revision", "terms", "uscc",
}  # fmt: skip
CHINESE = (
    "凭证", "登记簿", "登记机构", "产权",
    "协议", "合同", "价格", "定价", "计价", "费率", "分成", "结算", "清分", "轧差", "账单", "发票",
    "付款", "收款", "银行", "金额", "元件", "产品", "资产", "数据资源", "公示", "异议", "审查", "挂牌", "授权", "计量",
)  # fmt: skip

# The contracts' ABI is not ours to word: types and struct fields stand in eip712 as their sources spell them.
ABI = {"deposit", "agreement", "settlement", "rights", "agency", "operator", "auditor", "council", "cycle", "currency",
       "revision", "terms", "negotiation", "encumbered", "objection"}  # fmt: skip
ALLOWED = {
    "eip712.py": ABI,
    "web3_chain.py": {"price", "provider"},  # gas price, web3's HTTPProvider
    "sending.py": {"price"},  # of gas
}


def words(text: str) -> Iterator[str]:
    """The single words of an identifier or text: snake_case and camelCase taken apart."""
    for word in re.findall(r"[A-Za-z][a-z]*|[A-Z]+(?![a-z])", text):
        yield word.lower()


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Identifiers and string literals; docstrings explain to people and may give examples."""
    explained = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield line, node.name
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield line, node.arg
        elif isinstance(node, ast.alias):
            yield line, node.asname or node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explained | bare:
            yield line, node.value


def found(source: str, allowed: set[str]) -> list[str]:
    hits = []
    for line, text in texts(ast.parse(source)):
        hits += [f"{line}: {word} in {text[:60]!r}" for word in words(text) if word in ENGLISH - allowed]
        hits += [f"{line}: {word} in {text[:60]!r}" for word in CHINESE if word in text]
    return hits


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_ledger__no_business_word_in_names_or_texts(file: Path) -> None:
    assert found(file.read_text(encoding="utf-8"), ALLOWED.get(file.name, set())) == []


def test_allow_list__every_word_of_it_is_still_needed() -> None:
    for name, allowed in ALLOWED.items():
        source = (LEDGER / name).read_text(encoding="utf-8")
        used = {word for _, text in texts(ast.parse(source)) for word in words(text)}
        assert allowed <= used, (name, allowed - used)


@pytest.mark.parametrize(
    "source",
    [
        "def certificate_of(fact): ...",
        "tariffPlan = 1",
        "x = 'the agreement'",
        "raise_('价格')",
        "def f(*, buyer): ...",
        "y.settlement_root",
        "f(royalty=1)",
        "class Listing: ...",
        "z = f'{a} 凭证'",
    ],
)
def test_scanner__sees_words_wherever_they_hide(source: str) -> None:
    assert found(source, set())


def test_scanner__docstrings_may_give_examples() -> None:
    assert found('"""A certificate, say."""\ndef f():\n    """Of an agreement."""\n', set()) == []
