"""The matrix of registration.md 3.1, cell by cell, and its conditions."""

from __future__ import annotations

import pytest

from registry.party import PartyKind
from registry.rights import MATRIX, Basis, Right, judge

EXPECTED = {
    "M1": "YYY", "M2": "YYY", "M3": "YYY", "M4a": "YYN", "M4b": "YYY", "M5a": "KKK", "M5b": "YYC", "M6": "YYY",
    "M7": "NNN", "M8": "KKK",
}  # fmt: skip


def everything(basis: Basis) -> frozenset[str]:
    return frozenset(MATRIX[basis].proofs)


def kind(basis: Basis) -> PartyKind:
    return PartyKind.NATURAL if basis is Basis.M3 else PartyKind.LEGAL


@pytest.mark.parametrize("basis", list(Basis))
@pytest.mark.parametrize("right", list(Right))
def test_matrix__each_cell__with_every_paper_in_hand(basis: Basis, right: Right) -> None:
    cell = EXPECTED[basis.value][list(Right).index(right)]
    gaps = judge(
        basis, right, kind(basis), everything(basis), "第三条", frozenset({"甲", "乙"}), frozenset({"甲", "乙"})
    )
    assert bool(gaps) == (cell == "N")
    if cell == "N":
        assert gaps[0].rule == "PC-10"
        assert "第二十一条" in gaps[0].detail


@pytest.mark.parametrize("basis", [item for item in Basis if MATRIX[item].proofs])
def test_matrix__a_paper_missing__is_named(basis: Basis) -> None:
    for proof in MATRIX[basis].proofs:
        gaps = judge(basis, Right.USE, kind(basis), everything(basis) - {proof}, "第三条")
        assert [(gap.rule, gap.detail) for gap in gaps] == [("PC-11", proof)]


@pytest.mark.parametrize("basis", [Basis.M5A, Basis.M8])
def test_matrix__contract_rows__need_the_clause(basis: Basis) -> None:
    assert [gap.rule for gap in judge(basis, Right.HOLD, PartyKind.LEGAL, everything(basis))] == ["PC-11"]


def test_matrix__operate_on_fused_data__needs_all_others() -> None:
    names = frozenset({"甲", "乙"})
    gaps = judge(Basis.M5B, Right.OPERATE, PartyKind.LEGAL, everything(Basis.M5B), "", names, frozenset({"甲"}))
    assert [(gap.rule, gap.detail) for gap in gaps] == [("PC-12", "乙")]
    nobody = judge(Basis.M5B, Right.OPERATE, PartyKind.LEGAL, everything(Basis.M5B))
    assert [gap.rule for gap in nobody] == ["PC-12"]


def test_matrix__natural_person_row__is_for_natural_persons() -> None:
    assert [gap.rule for gap in judge(Basis.M3, Right.USE, PartyKind.LEGAL, everything(Basis.M3))] == ["PC-10"]
