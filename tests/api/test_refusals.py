"""What a clerk is told when an act is refused: Chinese, without the names of our fields and states."""

from __future__ import annotations

import re

import pytest

from api.office.refusals import HINTS, told
from clearing.errors import BadTerms, Clash, NotSigned, UnknownFact, WrongMove
from clearing.market.errors import GateRefused, Lapsed, NotEntitled
from clearing.market.negotiation.message import Message, Side
from clearing.market.negotiation.moves import State, open_moves
from clearing.market.negotiation.service import MESSAGE_NAMES, STATE_NAMES
from ledger.errors import FieldError, Stale
from registry.errors import Unknown


@pytest.mark.parametrize("state", list(STATE_NAMES))
@pytest.mark.parametrize("side", list(Side))
def test_wrong_move__says_the_state_and_what_may_be_done_instead(state: State, side: Side) -> None:
    """The text of the table's own refusal, for every state and side."""
    allowed = open_moves(state, side)
    error = WrongMove("negotiation:x", f"{state}, {side}: {', '.join(allowed) or '—'}", f"ACCEPT of {side}")
    chinese, english = told(error)
    assert STATE_NAMES[state] in chinese
    assert all(MESSAGE_NAMES[message][0] in chinese for message in allowed)
    assert not re.search("[A-Za-z]{3,}", chinese), chinese
    assert "expected" in english


@pytest.mark.parametrize("field", sorted(HINTS))
def test_hint__of_a_field__is_all_a_clerk_reads(field: str) -> None:
    for error in (BadTerms(field, "a rule in words", "given"), GateRefused("G10", field, "LISTED", "SUSPENDED")):
        chinese, _ = told(error)
        assert HINTS[field] in chinese
        assert "a rule in words" not in chinese


def test_listing__that_takes_no_orders__is_named_by_its_own_state() -> None:
    """SUSPENDED is 暂停 of a listing and 已中止 of an agreement."""
    error = GateRefused("G10", "listing.state", "LISTED | UPDATING", "SUSPENDED")
    assert told(error)[0] == "该产品现在不接受新订单。现为“暂停”。（准入条件 G10）"


def test_field__in_a_list__is_named_as_on_the_page() -> None:
    chinese, _ = told(BadTerms("terms.parties[1].connectors", "a connector of X", "c"))
    assert chinese == HINTS["terms.parties.connectors"]
    assert told(BadTerms("dispute.negotiation_days", "≤ 365", 400))[0] == "先行协商（天）：应为“≤ 365”，现为“400”。"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Lapsed("valid_until", 1_780_000_000, 1_780_000_001), "2026-05-29 04:26:40"),
        (NotEntitled("ACCEPT", "party:x", "party:y"), "不能办理"),
        (NotSigned("agreement:x", "sm2-sm3 party:x CONSUMER", "—"), "签名不齐"),
        (Clash("negotiation:x", "an id used once", "another"), "重新起草"),
        (UnknownFact("listing", "x"), "查无此项"),
        (Unknown("当事方 / party", "x"), "当事方"),
        (Stale("x", "no", 1, 0), "重新起草"),
        (FieldError("scope", "文本 / a text", "空 / empty"), "应为文本"),
    ],
)
def test_error__of_every_family__is_told_in_chinese(error: Exception, said: str) -> None:
    assert said in told(error)[0]


def test_messages__of_every_sort_have_a_name() -> None:
    assert set(MESSAGE_NAMES) == set(Message)
