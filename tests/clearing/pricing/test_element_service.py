"""Elements through the service: who may sign, rights as the register has them, views folded anew, what is quoted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlmodel import col

from clearing.errors import BadTerms, NotSigned, UnknownFact, WrongMove
from clearing.market.errors import NotEntitled
from clearing.pricing import service as pricing
from clearing.pricing.element import service, store
from clearing.pricing.element.element import REVIEWER, SYSTEM, Move, identity_of, subject_of
from clearing.pricing.element.moves import State
from clearing.pricing.element.store import Wanted
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import read_input
from clearing.pricing.manifest import Counted
from clearing.pricing.request import Element, Request, read_request
from ledger import sm
from ledger import store as ledger
from ledger.errors import BadSignature, Conflict
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry import signers
from registry.rights import Right
from registry.tables import CertificateRow, HoldingRow, PartyRow
from tests.clearing.market.house import CODE, CONSUMER, COURT, DAY, NOW, OPERATOR, SELLER, House
from tests.clearing.pricing.elements import (
    CLERK,
    DEV,
    FORCE,
    ID,
    OTHER,
    OWN,
    PAPER,
    REV,
    SCENE,
    SECOND,
    Workshop,
    source_of,
    version_of,
)
from tests.clearing.pricing.pricing_cases import AS_OF, example


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    house = House(tmp_path / "elements.db")
    yield Workshop(house)
    house.close()


def lose(shop: Workshop, right: Right = Right.USE) -> None:
    """SELLER's right in the source is taken out of the register."""
    shop.session.execute(delete(HoldingRow).where(col(HoldingRow.right) == right.value))


def refused_by(shop: Workshop, *acts: Any, error: type[Exception]) -> str:
    before = ledger.count(shop.session)
    with pytest.raises(error) as caught:
        shop.move(*acts)
    assert ledger.count(shop.session) == before
    return str(caught.value)


def test_element__from_the_first_version_to_a_second_one__the_old_one_stays_published(shop: Workshop) -> None:
    shop.to(State.REVIEW, quality=OTHER)
    with pytest.raises(WrongMove):
        shop.state(version_of(quality=PAPER))
    shop.move(Move.REJECT, REV, reason="质量报告不全")
    assert store.version(shop.session, ID, 1).case.reason == "质量报告不全"
    again = shop.state(version_of(quality=PAPER))
    assert store.version(shop.session, ID, 1).fact_id == again.fact.id
    shop.move(Move.SUBMIT, CLERK)
    shop.move(Move.WITHDRAW, CLERK)
    shop.move(Move.SUBMIT, DEV)
    shop.move(Move.PASS, REV, at=NOW + 7)
    assert store.version(shop.session, ID, 1).case.published_at == NOW + 7
    shop.state(version_of(version=2))
    assert (shop.stands(1), shop.stands(2)) == (State.PUBLISHED, State.DEVELOPING)
    refused_by(shop, Move.PASS, REV, 2, error=WrongMove)
    shop.move(Move.SUBMIT, CLERK, 2)
    shop.move(Move.PASS, REV, 2)
    shop.move(Move.DELIST, REV, 1)
    assert (shop.stands(1), shop.stands(2)) == (State.DELISTED, State.PUBLISHED)
    refused_by(shop, Move.SUBMIT, DEV, 1, error=WrongMove)
    refused_by(shop, Move.SUBMIT, DEV, 3, error=UnknownFact)


def test_relist__a_new_version_with_a_review_of_its_own(shop: Workshop) -> None:
    shop.to(State.DELISTED)
    shop.state(version_of(version=2))
    refused_by(shop, Move.PASS, REV, 2, error=WrongMove)
    shop.move(Move.SUBMIT, DEV, 2)
    shop.move(Move.PASS, REV, 2)
    assert (shop.stands(1), shop.stands(2)) == (State.DELISTED, State.PUBLISHED)


@pytest.mark.parametrize(
    ("move", "who", "error"),
    [
        (Move.WITHDRAW, SECOND, NotEntitled), (Move.WITHDRAW, DEV, NotEntitled), (Move.WITHDRAW, REV, NotEntitled),
        (Move.PASS, DEV, NotEntitled), (Move.PASS, CLERK, NotEntitled), (Move.PASS, OWN, NotEntitled),
        (Move.PASS, FORCE, NotEntitled), (Move.REJECT, OWN, NotEntitled),
        (Move.PASS, (f"party:{OPERATOR}", ""), NotEntitled), (Move.PASS, (f"party:{OPERATOR}", SYSTEM), NotSigned),
        (Move.PASS, (CLERK[0], REVIEWER), NotSigned), (Move.PASS, (REV[0], ""), NotSigned),
    ],
)  # fmt: skip
def test_review__who_may_not__is_told_so_and_nothing_is_written(
    shop: Workshop, move: Move, who: tuple[str, str], error: type[Exception]
) -> None:
    shop.to(State.REVIEW)
    refused_by(shop, move, who, error=error)
    assert shop.stands() is State.REVIEW


def test_review__by_a_reviewer_with_the_submitters_key__refused(shop: Workshop) -> None:
    shop.house.hire("twin", shop.keys[CLERK[0]], REVIEWER)
    shop.keys["staff:twin"] = shop.keys[CLERK[0]]
    shop.session.flush()
    shop.to(State.REVIEW)
    assert "did not submit" in refused_by(shop, Move.PASS, ("staff:twin", REVIEWER), error=NotEntitled)


def test_review__where_the_operator_develops__by_a_supervisor_only(shop: Workshop) -> None:
    own, supervisor = (f"party:{OPERATOR}", ""), ("staff:sup", REVIEWER)
    shop.session.add(
        HoldingRow(code=CODE, version=1, right="USE", holder=OPERATOR, holder_name="演示", holder_kind="法人",
                   content="4" * 64)
    )  # fmt: skip
    shop.keys[supervisor[0]] = sm.generate()
    shop.house.hire("sup", shop.keys[supervisor[0]], REVIEWER, COURT)
    shop.session.flush()
    shop.state(version_of(developer=OPERATOR), own)
    shop.move(Move.SUBMIT, own)
    for who in (REV, supervisor):
        refused_by(shop, Move.PASS, who, error=NotEntitled)
    party = shop.session.scalars(select(PartyRow).where(col(PartyRow.id) == COURT)).one()
    party.roles = "supervisor"
    shop.session.flush()
    shop.move(Move.PASS, supervisor)
    assert shop.stands() is State.PUBLISHED


def test_version__by_its_developer_alone__and_once(shop: Workshop) -> None:
    taken = shop.state()
    with pytest.raises(NotSigned):
        shop.state(version_of(name="演示二"), FORCE)
    with pytest.raises(BadTerms, match=r"body\.developer"):
        shop.state(version_of(developer=COURT), FORCE)
    signed = Signed(taken.fact.statement, taken.fact.signatures)
    assert service.state(shop.session, signed, at=NOW + 9).replayed
    other = Statement(signed.statement.kind, signed.statement.subject, 0, None, body_of(version_of(name="演示二")))
    with pytest.raises(Conflict):
        service.state(shop.session, Signed(other, (sign_sm2(shop.keys[DEV[0]], other, by=DEV[0]),)), at=NOW)
    with pytest.raises(BadSignature):
        service.state(
            shop.session, replace(signed, signatures=(replace(signed.signatures[0], value="0" * 128),)), at=NOW
        )
    assert ledger.count(shop.session) == 1


@pytest.mark.parametrize("field", ["desensitisation", "quality", "cost"])
def test_publication__a_paper_missing__stops_it(shop: Workshop, field: str) -> None:
    shop.state(version_of(**{field: None}))
    assert f"version.{field}" in refused_by(shop, Move.SUBMIT, DEV, error=BadTerms)
    shop.state(version_of())
    shop.move(Move.SUBMIT, DEV)


def test_publication__a_right_the_register_does_not_have__stops_it(shop: Workshop) -> None:
    shop.state(version_of(sources=(source_of(), source_of(resource="r", certificate="420000260600099"))))
    said = refused_by(shop, Move.SUBMIT, DEV, error=PricingRefused)
    assert "RIGHT_MISSING" in said
    assert "version.sources[1].certificate" in said
    shop.state(version_of())
    shop.move(Move.SUBMIT, DEV)
    lose(shop)
    assert "RIGHT_MISSING" in refused_by(shop, Move.PASS, REV, error=PricingRefused)
    shop.move(Move.REJECT, REV)


def test_timers__right_lost_after_publication__taken_down_under_the_system_key(shop: Workshop) -> None:
    shop.to(State.PUBLISHED)
    assert shop.timers() == 0
    lose(shop, Right.HOLD)
    assert shop.timers() == 0
    lose(shop)
    assert shop.timers() == 1
    assert shop.timers() == 0
    row = store.version(shop.session, ID, 1)
    assert row.case.state is State.DELISTED
    assert row.case.rule == service.BY_SOURCE
    assert "RIGHT_MISSING" in row.case.reason
    last = ledger.facts_of(shop.session, subject_of(ID))[-1]
    assert [(item.by, item.role) for item in last.signatures] == [(f"party:{OPERATOR}", SYSTEM)]
    shop.state(version_of(version=2))
    refused_by(shop, Move.SUBMIT, DEV, 2, error=PricingRefused)


@pytest.mark.parametrize(("state", "done"), [(State.DEVELOPING, 0), (State.REVIEW, 0), (State.PUBLISHED, 1)])
def test_timers__only_what_is_published__and_at_the_end_of_a_term_or_certificate(
    shop: Workshop, state: State, done: int
) -> None:
    shop.to(state, sources=(source_of(valid_to=NOW + DAY),))
    assert shop.timers(NOW + DAY - 1) == 0
    assert shop.timers(NOW + DAY) == done
    shop.session.rollback()


def test_timers__certificate_over(shop: Workshop) -> None:
    shop.to(State.PUBLISHED)
    until = shop.session.scalars(select(col(CertificateRow.valid_until))).one()
    assert (shop.timers(until - 1), shop.timers(until + 1)) == (0, 1)


def test_delist__by_whoever_holds_its_certificate(shop: Workshop) -> None:
    shop.to(State.PUBLISHED, certificate=CODE)
    heir = (f"party:{CONSUMER}", "")
    refused_by(shop, Move.DELIST, heir, error=NotEntitled)
    shop.session.add(
        HoldingRow(code=CODE, version=1, right="HOLD", holder=CONSUMER, holder_name="演示", holder_kind="法人",
                   content="4" * 64)
    )  # fmt: skip
    shop.session.flush()
    shop.move(Move.DELIST, heir)
    assert shop.stands() is State.DELISTED


def test_views__folded_anew__are_the_same_rows(shop: Workshop) -> None:
    shop.to(State.DELISTED)
    shop.to(State.REVIEW, 2, sources=(source_of(), source_of(resource="resource:weather", valid_to=NOW + DAY)))
    shop.move(Move.REJECT, REV, 2, review=OTHER)
    shop.state(version_of(version=2, name="演示改名"))

    def rows() -> list[Any]:
        return [shop.session.execute(select(table).order_by(*table.primary_key)).all() for table in store.VIEWS]

    before = rows()
    assert [len(found) for found in before] == [2, 2]
    for table in store.VIEWS:
        shop.session.execute(table.delete())
    for fact in ledger.facts_of(shop.session, subject_of(ID)):
        store.PROJECTORS[fact.kind](shop.session, fact)
    assert rows() == before


def test_search__others_see_what_was_published__without_the_parameters(shop: Workshop) -> None:
    shop.to(State.PUBLISHED)
    shop.state(version_of(version=2, name="演示改名"))

    def seen(party: str, wanted: Wanted = Wanted(), limit: int = 9, after: tuple[str, int] = ("", 0)) -> list[int]:
        page = service.search(
            shop.session, wanted, party=party, operator=OPERATOR, at=NOW, limit=limit, after=after
        )  # fmt: skip
        return [item.value.version for item in page.versions]

    assert {party: seen(party) for party in (SELLER, OPERATOR, CONSUMER)} == {
        SELLER: [1, 2], OPERATOR: [1, 2], CONSUMER: [1],
    }  # fmt: skip
    assert seen(SELLER, Wanted("改名")) == [2]
    assert seen(SELLER, Wanted("%")) == []
    assert seen(SELLER, Wanted(state=State.PUBLISHED)) == [1]
    assert seen(SELLER, Wanted(developer=CONSUMER)) == []
    assert seen(OPERATOR, limit=1) == [1]
    assert seen(OPERATOR, after=(ID, 1)) == [2]

    def parameters(party: str) -> list[str]:
        found = service.element(shop.session, ID, party=party, operator=OPERATOR, at=NOW)
        return [item.value.desensitisation.parameters for item in found if item.value.desensitisation]

    assert parameters(SELLER) == parameters(OPERATOR) == ["k = 10", "k = 10"]
    assert parameters(CONSUMER) == [service.WITHHELD]
    with pytest.raises(UnknownFact):
        service.element(shop.session, identity_of("0" * 19), party=SELLER, operator=OPERATOR, at=NOW)


# --- quotes ----------------------------------------------------------------------------------------------------------


def asked(citable: bool, version: int = 1, **changes: Any) -> Request:
    request = read_request(example()["request"])
    return replace(request, element=Element(f"element:{ID}", version, citable), scene=SCENE, **changes)


@pytest.mark.parametrize(
    ("state", "trial", "quote"),
    [(State.DEVELOPING, True, False), (State.REVIEW, True, True), (State.PUBLISHED, True, True),
     (State.DELISTED, False, False)],
)  # fmt: skip
def test_quote__of_an_element_known_here__as_its_state_allows(
    shop: Workshop, state: State, trial: bool, quote: bool
) -> None:
    shop.to(state)
    for citable, allowed in ((False, trial), (True, quote)):
        for name in (f"element:{ID}", ID):
            request = asked(citable)
            request = replace(request, element=replace(request.element, id=name))
            if allowed:
                service.require_quotable(shop.session, request)
            else:
                with pytest.raises(PricingRefused) as error:
                    service.require_quotable(shop.session, request)
                assert error.value.code == "STATE_FORBIDS"


def test_quote__of_another_version_scene_or_domain__refused(shop: Workshop) -> None:
    shop.to(State.PUBLISHED)
    service.require_quotable(shop.session, asked(True))
    for request, code in ((asked(True, 2), "STATE_FORBIDS"), (replace(asked(True), scene="别的场景"), "RIGHT_MISSING"),
                          (asked(True, domain="别的领域"), "INPUT_FORM")):  # fmt: skip
        with pytest.raises(PricingRefused) as error:
            service.require_quotable(shop.session, request)
        assert error.value.code == code
    shop.state(version_of(version=2))
    service.require_quotable(shop.session, asked(False, 2))
    with pytest.raises(PricingRefused):
        service.require_quotable(shop.session, asked(True, 2))


def test_quote__of_an_element_not_known_here__is_not_asked_about(shop: Workshop) -> None:
    service.require_quotable(shop.session, asked(True, 7))


def test_quote__drafted_signed_and_taken__follows_the_state(shop: Workshop) -> None:
    """In review it is citable; withdrawn before it was taken, it is not; taken, it stays taken after 下架."""
    counted = read_input(Counted, example()["counted"], "counted")

    def draft(citable: bool) -> Any:
        return pricing.draft(shop.session, asked(citable), counted, lambda *_: True)

    shop.to(State.DEVELOPING)
    assert draft(False).document["identity"]["kind"] == "trial"
    with pytest.raises(PricingRefused, match="STATE_FORBIDS"):
        draft(True)
    shop.move(Move.SUBMIT, DEV)
    report = draft(True)
    statement = pricing.statement(shop.session, report, DEV[0])
    signed = Signed(statement, (sign_sm2(shop.keys[DEV[0]], statement, by=DEV[0]),))

    def take() -> Any:
        return pricing.take_quote(
            shop.session, signed, (report.data, report.evidence), at=AS_OF + 60,
            require_signature=lambda session, given, by, role, at: signers.require_signature(
                session, given, by, role, at=at
            ),
            right_in_force=lambda *_: True,
        )  # fmt: skip

    shop.move(Move.WITHDRAW, DEV)
    before = ledger.count(shop.session)
    with pytest.raises(PricingRefused, match="STATE_FORBIDS"):
        take()
    assert ledger.count(shop.session) == before
    shop.move(Move.SUBMIT, DEV)
    body = take()
    assert body.element == f"element:{ID}"
    shop.move(Move.PASS, REV)
    shop.move(Move.DELIST, DEV)
    assert take() == body
    for citable in (False, True):
        with pytest.raises(PricingRefused, match="STATE_FORBIDS"):
            draft(citable)
