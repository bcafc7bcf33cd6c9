"""年度披露: an oracle counts the year from the words of the story; nothing is told of fewer than ten parties."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import msgspec
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms, TooEarly, UnknownFact
from clearing.market.listing import Move, ProductType
from clearing.settlement.dispute.opening import Act, Decision, Side
from clearing.settlement.reporting import service, workbook
from clearing.settlement.reporting.disclosure import (
    Disclosure,
    Section,
    disclosed_as_of,
    disclosure,
    year_of,
)
from clearing.settlement.reporting.material import material_of
from clearing.usage.metering import Exclusion
from clearing.usage.service_level.notice import Act as OutageMove
from clearing.usage.service_level.notice import OutageAct, Speaker
from tests.clearing.market.house import House
from tests.clearing.settlement.reporting_story import PLATFORM, ZERO, Story, named, stored
from tests.counts import few
from tests.databases import Place

DAY = 86_400
YEAR = year_of("2026")
KINDS = (ProductType.API, ProductType.DATASET)
MODES = ("M1", "M2")


def noon(day: str) -> int:
    return int(datetime.fromisoformat(day + "T04:00:00+00:00").timestamp())


def day_in_china(second: int) -> str:
    """The day in Shanghai, by the standard library's own arithmetic."""
    return (datetime.fromtimestamp(second, UTC) + timedelta(hours=8)).date().isoformat()


AS_OF = noon("2027-03-01") - 12 * 3600 - 1
"""The last second of February in Shanghai."""


def told(story: Story, as_of: int = AS_OF) -> Disclosure:
    return disclosure(material_of(story.told, as_of, PLATFORM), YEAR)


def counts(section: Section) -> dict[str, int | None]:
    return {one.label: one.number for one in section.counts}


# Any year, as an oracle counts it -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deal:
    """Settled so many days after 2025-12-25, its money due on that day."""

    kind: int
    mode: int
    buyer: int
    seller: int
    day: int
    fen: int
    paid_after: int | None
    differs: bool

    @property
    def at(self) -> int:
        return noon("2025-12-25") + self.day * DAY

    @property
    def key(self) -> tuple[str, str]:
        return KINDS[self.kind].value, MODES[self.mode]

    @property
    def parties(self) -> set[str]:
        return {f"B{self.buyer:02}", f"S{self.seller:02}"}

    @property
    def in_year(self) -> bool:
        return day_in_china(self.at).startswith("2026")


DEALS = st.builds(
    Deal, st.integers(0, 1), st.integers(0, 1), st.integers(0, 13), st.integers(0, 3), st.integers(0, 378),
    st.integers(1, 10**9), st.none() | st.integers(-3, 4), st.booleans(),
)  # fmt: skip


def story_of(deals: list[Deal]) -> Story:
    story = Story()
    for seller in range(4):
        for kind in KINDS:
            story.listing(f"{seller}{kind}", f"S{seller:02}", noon("2025-01-01"), kind=kind)
    for number, one in enumerate(deals):
        buyer, seller = f"B{one.buyer:02}", f"S{one.seller:02}"
        listing = named(f"{one.seller}{KINDS[one.kind]}", 32)
        name = f"a{number}"
        agreement = story.agreement(name, seller, buyer, one.at - DAY, listing=listing, mode=MODES[one.mode])
        story.order(agreement, "2025-11", buyer, {seller: one.fen}, one.at)
        month = day_in_china(one.at)[:7]
        story.reading(agreement, month, one.at + 60, differs=Exclusion.P_ONLY if one.differs else None)
        booked = [] if one.paid_after is None else [(day_in_china(one.at + one.paid_after * DAY), one.fen, one.at)]
        story.payment(buyer, one.fen, one.at - 5 * DAY, one.at, booked)
    return story


@settings(max_examples=few(20), deadline=None)
@given(st.lists(DEALS, max_size=60))
def test_disclosure__any_year__as_counted_by_hand(deals: list[Deal]) -> None:
    found, own = told(story_of(deals)), [one for one in deals if one.in_year]
    by_key = {key: [one for one in own if one.key == key] for key in {one.key for one in own}}
    assert {(line.product_class, line.mode) for line in found.deals} == set(by_key)
    missing: list[set[str]] = []
    for line in found.deals:
        items = by_key[line.product_class, line.mode]
        parties = set().union(*(one.parties for one in items))
        if line.parties is None:
            assert (line.orders, line.amount) == (None, None)
            missing.append(parties)
        else:
            assert (line.parties, line.orders, line.amount) == (
                len(parties), len(items), sum(one.fen for one in items),
            )  # fmt: skip
            assert len(parties) >= 10
    assert found.hidden == len(missing)
    everybody = set().union(*(one.parties for one in own)) if own else set()
    if len(everybody) < 10:
        assert found.total.amount is None
        assert len(missing) == len(by_key)
    else:
        assert (found.total.parties, found.total.orders) == (len(everybody), len(own))
        assert found.total.amount == sum(one.fen for one in own)
        # What total − told lines would give away is of ten parties or more, and never one line.
        assert not missing or len(missing) == len(by_key) or (len(missing) > 1 and len(set().union(*missing)) >= 10)
        small = [1 for items in by_key.values() if len(set().union(*(one.parties for one in items))) < 10]
        assert bool(missing) is bool(small)
    reconciled, paid = found.sections[:2]
    same = sum(not one.differs for one in own)
    assert_section(reconciled, everybody, {"一致的账期": same, "有差异的账期": len(own) - same}, same)
    late = sum(one.paid_after is not None and one.paid_after > 0 for one in own)
    never = sum(one.paid_after is None for one in own)
    payers = {f"B{one.buyer:02}" for one in own}
    on_time = len(own) - late - never
    assert_section(paid, payers, {"按时": on_time, "逾期": late, "逾期未付": never}, on_time)


def assert_section(section: Section, parties: set[str], expected: dict[str, int], good: int) -> None:
    if len(parties) < 10:
        assert (section.parties, section.rate, section.exact) == (None, "", "")
        assert counts(section) == dict.fromkeys(expected)
    else:
        assert section.parties == len(parties)
        assert counts(section) == expected
        assert Fraction(section.exact) == Fraction(good, sum(expected.values()))


# Disputes and faults, by hand -----------------------------------------------------------------------------------------


DECISION = Decision("演示仲裁委员会", "（2026）演示裁字第 1 号", "2026-06-20", "2026-06-21", ZERO)


def troubled(buyers: int = 10) -> Story:
    """Deals of one seller with so many buyers in May; six complaints in 2026 and one before."""
    story = Story()
    listing = story.listing("l", "S", noon("2026-01-02"))
    charges = []
    for number in range(buyers):
        agreement = story.agreement(f"a{number}", "S", f"B{number}", noon("2026-04-01"), listing=listing)
        charge = story.order(agreement, "2026-04", f"B{number}", {"S": 1_000}, noon("2026-05-10"))
        charges.append((agreement, charge.id))

    def complain(number: int, day: str, *, about_charge: bool = True) -> str:
        agreement, charge = charges[number % buyers]
        buyer = f"B{number % buyers}"
        amount = {"charge": charge, "amount": 400} if about_charge else {}
        return story.dispute(agreement, buyer, "S", noon(day), **amount)  # type: ignore[arg-type]

    upheld, refused, agreed, back, open_ = (complain(n, f"2026-05-{20 + n}") for n in range(5))
    story.said(upheld, Act.DECIDE, Side.OPERATOR, noon("2026-06-20"), decision=DECISION, upheld=400)
    story.said(refused, Act.DECIDE, Side.OPERATOR, noon("2026-06-21"), decision=DECISION, upheld=0)
    for side, act in ((Side.FILER, Act.OFFER), (Side.RESPONDENT, Act.ACCEPT)):
        more = {"text": "各让一步", "upheld": 100} if act is Act.OFFER else {}
        story.said(agreed, act, side, noon("2026-06-22"), **more)
    story.said(back, Act.WITHDRAW, Side.FILER, noon("2026-06-23"))
    story.said(open_, Act.ANSWER, Side.RESPONDENT, noon("2026-06-24"), text="不认可")
    use = complain(5, "2026-12-30", about_charge=False)
    story.said(use, Act.WITHDRAW, Side.FILER, noon("2027-01-15"))  # over, but not by the end of the year
    old = complain(6, "2025-12-20", about_charge=False)
    story.said(old, Act.WITHDRAW, Side.FILER, noon("2026-01-15"))
    for number, day in enumerate(("2026-03-01", "2026-03-02", "2026-03-03", "2025-12-31")):
        report = OutageAct(
            OutageMove.REPORT, Speaker.CONSUMER, "B0", listing, "a" * 64, noon(day), None, noon(day), "中断"
        )
        story.outage(f"o{number}", report, noon(day) + 60)
    restored = OutageAct(OutageMove.RESTORE, Speaker.SELLER, "S", listing, end=noon("2026-03-01") + 3600)
    story.outage("o0", restored, noon("2026-03-01") + 3700)
    contested = OutageAct(OutageMove.CONTEST, Speaker.SELLER, "S", listing, text="并未中断")
    story.outage("o2", contested, noon("2026-03-04"))
    planned = OutageAct(
        OutageMove.ANNOUNCE, Speaker.SELLER, "S", listing, None, noon("2026-04-01"), noon("2026-04-02"), None, "升级"
    )
    story.outage("o9", planned, noon("2026-03-20"))
    for move, role in ((Move.SUSPEND, "listing_reviewer"), (Move.RESUME, "listing_reviewer")):
        story.moved(listing, move, noon("2026-07-01"), role=role, rule="R")
    return story


def test_disclosure__disputes_and_faults__as_counted_by_hand() -> None:
    found = told(troubled())
    disputes, faults = found.sections[2:]
    assert counts(disputes) == {
        "提出的投诉": 6, "提出：交付": 0, "提出：使用": 1, "提出：账单": 5,
        "了结的": 5, "了结：和解": 1, "了结：裁决": 2, "了结：撤回": 2, "其中成立，须退还": 2, "年末未了结": 2,
    }  # fmt: skip
    assert counts(faults) == {"故障": 2, "其中已恢复": 1, "有争议的故障": 1, "停牌或紧急下架": 1}
    assert disputes.parties == faults.parties == 11
    # One complaint about a charge is still open, so that deal is in no figure: nine buyers and the seller.
    assert (found.total.parties, found.total.orders, found.total.amount) == (10, 9, 9_000)
    assert [one.label for one in found.definitions] == ["K-11/1", "K-01/1", "K-08/1"]
    assert found.left_out == ("公共数据收入（另立非税收入台账） revenue of public data, in a book of its own",)


def test_disclosure__fewer_than_ten_parties__nothing_is_told() -> None:
    """Eight buyers and their seller; and with eleven parties still nobody is named."""
    found = told(troubled(8))
    numbers = [line.amount for line in (*found.deals, found.total)]
    numbers += [one.number for section in found.sections for one in section.counts]
    assert set(numbers) == {None}
    assert {section.parties for section in found.sections} == {None}
    assert {section.rate for section in found.sections} == {""}
    text = json.dumps(msgspec.to_builtins(told(troubled())), ensure_ascii=False)
    for party in ("S", *(f"B{number}" for number in range(10))):
        assert f'"{party}"' not in text
    assert "9000" in text


def test_disclosure__facts_after_its_second__change_nothing(place: Place) -> None:
    """One disclosure a year, as of the last second of February: nobody sees it before, and it stays what it was."""
    house = House(place.engine())
    stored(house.session, troubled())
    window = year_of("2026")
    assert disclosed_as_of(window) == AS_OF
    with pytest.raises(UnknownFact, match="2027-03-01"):
        service.disclose(house.session, "2026", operator=PLATFORM, at=AS_OF + service.SETTLED_FOR - 1)
    assert service.disclosed_years(AS_OF) == []
    first = service.disclose(house.session, "2026", operator=PLATFORM, at=AS_OF + service.SETTLED_FOR)
    assert service.disclosed_years(AS_OF + service.SETTLED_FOR) == ["2026"]
    # Stored facts have other ids, so the open complaint names no charge here and leaves no deal out.
    assert (first.total.parties, first.total.amount, first.sections) == (11, 10_000, told(troubled()).sections)
    later = Story(count=1_000)
    agreement = later.agreement("later", "S", "B0", noon("2027-03-02"))
    later.order(agreement, "2026-12", "B0", {"S": 5}, noon("2027-03-02"))
    for buyer in ("B1", "B2"):
        later.relation("S", buyer, True, noon("2027-03-02"))
    stored(house.session, later)
    again = service.disclose(house.session, "2026", operator=PLATFORM, at=noon("2027-06-01"))
    assert again == first
    now = service.preview_disclosure(house.session, "2026", operator=PLATFORM, as_of=noon("2027-06-01"))
    assert now.total.amount is None, "two buyers are related: nine parties are left"
    with pytest.raises(TooEarly):
        service.preview_disclosure(house.session, "2028", operator=PLATFORM, as_of=noon("2027-06-01"))
    for wrong in ("2026-05", "2026-Q1", "x", "", "20²6", "2025"):
        with pytest.raises(BadTerms):
            service.disclose(house.session, wrong, operator=PLATFORM, at=noon("2027-06-01"))
    house.close()


def test_disclosure__workbook__says_what_the_report_says_and_holds_no_formula() -> None:
    found = told(troubled())
    book = openpyxl.load_workbook(io.BytesIO(workbook.disclosure_xlsx(found)))
    assert book.sheetnames == ["说明", "交易", "其他", "口径清单"]
    rows = [[cell.value for cell in row] for row in book["交易"].iter_rows()]
    assert rows[1:] == [["数据接口", "接口请求", "10", "9", "90.00"], ["合计", "", "10", "9", "90.00"]]
    others = {(row[0].value, row[1].value): row[2].value for row in book["其他"].iter_rows()}
    assert others["投诉与争议", "其中成立，须退还"] == "2"
    assert others["对账", "对账成功率"] == "不列示"
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert all(isinstance(cell.value, str | None) for sheet in book for row in sheet.iter_rows() for cell in row)
    small = openpyxl.load_workbook(io.BytesIO(workbook.disclosure_xlsx(told(troubled(8)))))
    assert {cell.value for row in small["交易"].iter_rows(min_row=2, min_col=3) for cell in row} == {"不列示"}
