"""Five kinds of value: none adds to or passes for another, at run time and for the type checker."""

import itertools
import operator
from pathlib import Path

import pytest
from mypy import api as mypy
from pricing_cases import ROOT

from clearing.pricing.errors import KindMixed, PricingRefused
from clearing.pricing.manifest import Digests
from clearing.pricing.value_kinds import (
    KINDS,
    NAMES,
    Amount,
    DealAmount,
    GuideAmount,
    PledgeAmount,
    Stated,
)

DIGEST = Digests("00" * 32, "11" * 32)
PAIRS = list(itertools.permutations(KINDS.values(), 2))


def stated(amount: Amount) -> Stated:
    return Stated(amount, "about", 5, ("resource:a", "resource:b"), "演示机构", DIGEST)


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda kind: kind.kind)
def test_kinds__two_of_them__never_meet(one, other):
    for join in (operator.add, operator.sub):
        with pytest.raises(TypeError) as error:
            join(one(5), other(3))
        assert isinstance(error.value, KindMixed)
        assert (error.value.code, error.value.given) == ("KIND_MIXED", other.kind)
        assert NAMES[one.kind] in error.value.expected
        assert "cannot be added" in error.value.en
    assert one(5) != other(5)
    for compare in (operator.lt, operator.le):
        with pytest.raises(TypeError):
            compare(one(5), other(3))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)
def test_kind__alone__adds_and_states_every_field_in_its_row(kind):
    assert kind(5) + kind(3) == kind(8)
    assert kind(5) - kind(3) == kind(2)
    row = stated(kind(5)).body()
    assert (row.pop("kind"), row.pop("amount_fen")) == (kind.kind, 5)
    assert row == {
        "qualifier": "about", "as_of": 5, "scope": ["resource:a", "resource:b"], "issuer": "演示机构",
        "document": {"sha256": "00" * 32, "sm3": "11" * 32},
    }  # fmt: skip
    for wrong in (5, 5.0, "5", None, True):
        with pytest.raises(TypeError):
            kind(5) + wrong
    for wrong in (5.0, True, -1, 2**53):
        with pytest.raises(PricingRefused, match="INPUT_FORM"):
            kind(wrong)
    with pytest.raises(TypeError):
        sum([kind(5), kind(3)])
    with pytest.raises(TypeError):
        int(kind(5))


def test_amount__of_no_kind__cannot_be_made():
    with pytest.raises(KindMixed):
        Amount(5)
    with pytest.raises(KindMixed):
        stated(5)
    with pytest.raises(PricingRefused, match="scope"):
        Stated(PledgeAmount(5), "exact", 5, (), "演示银行", DIGEST)


WRONG = """
from clearing.pricing.value_kinds import BookAmount, DealAmount, DealValue, GuideAmount, GuideValue
def bill(amount: DealAmount) -> None: ...
def settle(value: DealValue) -> None: ...
def use(guide: GuideAmount, stated: GuideValue) -> None:
    guide + guide
    BookAmount(1) + guide
    guide - 1
    bill(guide)
    settle(stated)
    total: DealAmount = guide
    fen: int = guide
"""


def test_kinds__mixed_in_code__is_an_error_of_the_type_checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    file = tmp_path / "mixed.py"
    file.write_text(WRONG, encoding="utf-8")
    options = ["--config-file=", "--strict", "--follow-imports=silent", f"--cache-dir={tmp_path / 'cache'}"]
    output, errors, _ = mypy.run([*options, str(file)])
    lines = sorted({int(line.split(":")[1]) for line in output.splitlines() if ": error:" in line})
    assert lines == list(range(7, 13)), output + errors


def test_guide__never_becomes_a_deal_by_any_method():
    public = [name for name in dir(GuideAmount(5)) if not name.startswith("_")]
    assert public == ["fen", "kind"]
    assert not isinstance(GuideAmount(5), DealAmount)
