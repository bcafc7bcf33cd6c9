"""数商: the table of kinds, what is declared, and evaluations of deals: once per side, on a ground, with an answer."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clearing.errors import BadTerms, NotSigned, UnknownFact, WrongMove
from clearing.market.errors import NotEntitled
from clearing.market.listing import Move
from clearing.market.profile import service, store
from clearing.market.profile.kinds import ROW_OF, TABLE, Kind
from clearing.market.profile.profile import (
    DEAL_EVALUATION,
    DEAL_REPLY,
    PARTY_PROFILE,
    DealEvaluation,
    DealReply,
    Profile,
    evaluation_subject_of,
    mean_of,
)
from ledger.errors import FieldError
from ledger.facts import Signed
from ledger.store import Appended
from registry.errors import Unknown
from registry.tables import CertificateRow
from tests.clearing.market.brokers import BRK, Broker
from tests.clearing.market.house import CODE, CONSUMER, COURT, DAY, NOW, PROVIDER, SELLER, House
from tests.counts import few

# The rows of exchange.md §1.2, written down again by hand.
ROWS = {
    "资源 集成 加工": "数据资源企业", "设施 技术": "数据技术企业、数据基础设施企业", "登记 评估 审计": "数据服务企业",
    "经纪 中介": "数据服务企业", "应用 咨询 产品": "数据应用企业", "交付 清算 仲裁 安全": "数据服务企业、数据安全企业",
}  # fmt: skip


class Market:
    """The house's parties declaring and evaluating."""

    def __init__(self, house: House) -> None:
        self.house = house

    def signed(self, kind: str, subject: str, body: object, by: str) -> Signed:
        return self.house.signed(kind, subject, body, f"party:{by}", self.house.keys[by].sm2)

    def declare(self, party: str, profile: Profile, by: str = "", at: int = NOW) -> Appended:
        signed = self.signed(PARTY_PROFILE, f"party-profile:{party}", profile, by or party)
        return service.declare(self.house.session, signed, at=at)

    def evaluate(
        self, agreement: str, by: str, of: str, score: int = 5, *, signer: str = "", delivered: bool = True,
        at: int = NOW,
    ) -> Appended:  # fmt: skip
        body = DealEvaluation(agreement, by, of, score, "及时")
        signed = self.signed(DEAL_EVALUATION, evaluation_subject_of(agreement, by), body, signer or by)
        return service.evaluate(self.house.session, signed, delivered=lambda _, name: delivered, at=at)

    def reply(self, agreement: str, by: str, signer: str, at: int = NOW) -> Appended:
        signed = self.signed(DEAL_REPLY, evaluation_subject_of(agreement, by), DealReply("谢谢"), signer)
        return service.reply(self.house.session, signed, at=at)


@pytest.fixture
def market(house: House) -> Market:
    return Market(house)


def test_kinds__each_in_one_row_of_the_specification() -> None:
    assert {" ".join(row.kinds): row.national for row in TABLE} == ROWS
    assert set(ROW_OF) == set(Kind)
    assert sum(len(row.kinds) for row in TABLE) == len(Kind) == 17


def test_profile__declared_by_the_party_itself__the_last_one_counts(market: Market) -> None:
    session = market.house.session
    assert service.view(session, SELLER, at=NOW).declared is None
    with pytest.raises(NotSigned):
        market.declare(SELLER, Profile(), by=CONSUMER)
    market.declare(SELLER, Profile((Kind.RESOURCE, Kind.BROKERAGE), ("G56",), "演示"))
    shown = service.view(session, SELLER, at=NOW)
    assert [row.national for row in shown.rows] == ["数据资源企业", "数据服务企业"]
    market.declare(SELLER, Profile((Kind.SECURITY,)), at=NOW + 1)
    assert [party for party, _ in store.profiles(session)] == [SELLER]
    declared = store.profile(session, SELLER)
    assert declared is not None
    assert declared.kinds == (Kind.SECURITY,)
    with pytest.raises(Unknown):
        service.view(session, "91420100MA4K200995", at=NOW)


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        (Profile((Kind.AUDIT, Kind.AUDIT)), "body.kinds"), (Profile(sectors=("G99",)), "body.sectors[0]"),
        (Profile(sectors=("G56", "G56")), "body.sectors"),
    ],
)  # fmt: skip
def test_profile__that_does_not_hold_together__names_the_field(market: Market, profile: Profile, field: str) -> None:
    with pytest.raises(BadTerms) as refused:
        market.declare(SELLER, profile)
    assert refused.value.field == field
    with pytest.raises((BadTerms, FieldError)):
        market.declare("x" * 18, Profile(), by=SELLER)


def test_kind__grants_nothing__a_declared_broker_is_no_broker(market: Market) -> None:
    """The register of brokers is a role of party/v1; the kind 经纪 is not asked."""
    broker = Broker(market.house, roles="")
    market.declare(BRK, Profile((Kind.BROKERAGE,)))
    with pytest.raises(NotEntitled):
        broker.give()


def test_view__certificates_and_listings_in_force_only(market: Market) -> None:
    session = market.house.session
    listing = market.house.listed()
    shown = service.view(session, SELLER, at=NOW)
    assert [row.code for row in shown.certificates] == [CODE]
    assert [row.id for row in shown.listings] == [listing]
    assert set(shown.figures.values()) == {""}
    assert service.view(session, CONSUMER, at=NOW).certificates == ()
    market.house.review(listing, Move.SUSPEND, reason="核查")
    assert service.view(session, SELLER, at=NOW).listings == ()
    row = session.get_one(CertificateRow, (CODE, 1))
    row.public = False
    session.flush()
    assert service.view(session, SELLER, at=NOW).certificates == ()
    row.public, row.valid_until = True, NOW
    session.flush()
    assert service.view(session, SELLER, at=NOW + DAY).certificates == ()


def test_evaluation__each_side_of_a_concluded_agreement_once__with_one_answer(market: Market) -> None:
    session = market.house.session
    agreement, _ = market.house.conclude()
    with pytest.raises(WrongMove, match="已有可计费的使用"):
        market.evaluate(agreement, CONSUMER, SELLER, delivered=False)
    with pytest.raises(UnknownFact):
        market.evaluate("e" * 64, CONSUMER, SELLER)
    for by, of in ((COURT, SELLER), (CONSUMER, COURT), (PROVIDER, CONSUMER)):
        with pytest.raises(NotEntitled):
            market.evaluate(agreement, by, of)
    with pytest.raises(BadTerms, match=r"body\.of"):
        market.evaluate(agreement, CONSUMER, CONSUMER)
    with pytest.raises(NotSigned):
        market.evaluate(agreement, CONSUMER, SELLER, signer=SELLER)
    market.evaluate(agreement, CONSUMER, SELLER, 4)
    market.evaluate(agreement, SELLER, CONSUMER, 2)
    with pytest.raises(WrongMove, match="评价一次"):
        market.evaluate(agreement, CONSUMER, SELLER, 1)
    with pytest.raises(NotSigned):
        market.reply(agreement, CONSUMER, CONSUMER)
    market.reply(agreement, CONSUMER, SELLER, NOW + 5)
    with pytest.raises(WrongMove, match="回复一次"):
        market.reply(agreement, CONSUMER, SELLER, NOW + 9)
    shown = service.view(session, SELLER, at=NOW)
    assert [(item.by, item.score, item.reply, item.replied_at) for item in shown.evaluations] == [
        (CONSUMER, 4, "谢谢", NOW + 5)
    ]
    assert shown.mean == "4.00"
    assert service.view(session, CONSUMER, at=NOW).mean == "2.00"
    assert service.view(session, COURT, at=NOW).mean == ""


def test_evaluation__sent_again__its_first_fact(market: Market) -> None:
    agreement, _ = market.house.conclude()
    body = DealEvaluation(agreement, CONSUMER, SELLER, 3)
    signed = market.signed(DEAL_EVALUATION, evaluation_subject_of(agreement, CONSUMER), body, CONSUMER)
    first, again = (
        service.evaluate(market.house.session, signed, delivered=lambda *_: True, at=NOW + n) for n in range(2)
    )
    assert (first.replayed, again.replayed, first.fact) == (False, True, again.fact)
    false = market.signed(DEAL_EVALUATION, "deal-evaluation:" + "e" * 64 + f".{CONSUMER}", body, CONSUMER)
    with pytest.raises(BadTerms, match=r"statement\.subject"):
        service.evaluate(market.house.session, false, delivered=lambda *_: True, at=NOW)


@examples(max_examples=few(100), deadline=None)
@given(st.lists(st.integers(1, 5), max_size=60))
def test_mean__half_even__as_fractions_have_it(scores: list[int]) -> None:
    if not scores:
        assert mean_of(scores) == ""
        return
    hundredths = int(round(Fraction(sum(scores), len(scores)), 2) * 100)
    assert mean_of(scores) == f"{hundredths // 100}.{hundredths % 100:02d}"
