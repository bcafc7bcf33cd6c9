"""Transfer, change, renewal and cancellation on a real EVM node: the contract answers what the register answers.

Entries and tellings are written as the worker writes them: by faces that share a contract and take turns in the order
of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import anchoring, eip712, log
from ledger.anchoring import Face
from ledger.chain import Deployment
from ledger.facts import Fact
from ledger.store import facts_of_kind
from ledger.web3_chain import Web3Chain
from registry import store, validity
from registry.case import Act
from registry.certificate import ENTRY, IN_FORCE, Standing, Status, certificate_subject
from registry.form import Held, RegistrationType
from registry.onchain import NUMBERS, RegisterEntryFace, agency_id, certificate_key
from registry.onchain_status import StatusFace, status_at
from registry.proof import REASONS
from registry.rights import Right
from registry.tables import CertificateRow
from registry.telling import TOLD, state_at
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all
from tests.chain_fixture import anvil, rpc
from tests.registry.registry_house import AGENCY, DEVELOPER, PROVIDER, RIVAL, House, a_form, applicant, moment

TRANSFER, CHANGE, RENEWAL, CANCELLATION = list(RegistrationType)[1:]
AGENCY_KEY, RELAY, LOG = (eip712.new_key() for _ in range(3))
MEMBERS = tuple(eip712.new_key() for _ in range(3))
BUYER = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")


def sign(digest: bytes) -> bytes:
    return eip712.sign(AGENCY_KEY, digest)


FACES: tuple[Face, ...] = (RegisterEntryFace(AGENCY, sign), StatusFace(AGENCY, sign))


@pytest.fixture
def node() -> Iterator[tuple[Web3Chain, str]]:
    council = Council(tuple(map(eip712.address_of, MEMBERS)), 2, MEMBERS)
    parties = Parties(eip712.address_of(LOG), {agency_id(AGENCY): eip712.address_of(AGENCY_KEY)})
    with anvil(timestamp=moment("2026-08-01 09:00")) as url:
        deployment = deploy_all(Web3Chain(url, Deployment(31337, {}, ARTIFACTS), RELAY), council, parties)
        yield Web3Chain(url, deployment, RELAY), url


def publish(house: House, chain: Web3Chain, url: str) -> int:
    """What `shuqing worker` does with facts that have a contract of their own; answers how many it wrote."""
    log.integrate(house.session, 5_000)
    rpc(url, "evm_setNextBlockTimestamp", hex(max(house.now, chain.head().time + 1)))
    rpc(url, "evm_mine")
    written = before = 0
    while True:
        for face in FACES:
            while facts := anchoring.due_facts(house.session, face, (), FACES):
                places, refused = anchoring.write_each(chain, face, facts)
                assert not refused
                anchoring.note_places(house.session, face.contract, places)
                written += len(places)
        if written == before:
            return written
        before = written


def agree(house: House, chain: Web3Chain) -> None:
    """Every version: status, flags and validity on chain are those of the register, at the present."""
    for row in house.session.scalars(select(CertificateRow)):
        key = certificate_key(AGENCY, "REGISTRATION_CERT", row.code, row.version)
        state = state_at(store.standing_of(house.session, row), house.now)
        held = chain.read("RightsRegistry", "certificate", key)
        assert state is not None
        assert held["status"] == NUMBERS[state.status]
        if state.status in IN_FORCE:  # what has ended keeps its last flags there, and none in the register
            assert (held["encumbered"], held["objection"]) == (state.encumbered, state.objection)
        assert (held["validFrom"], held["validUntil"]) == (row.valid_from, row.valid_until)
        answer = chain.read("RightsRegistry", "inForce", key)
        newest = store.certificate(house.session, row.code).version == row.version
        status = validity.certificate_status(house.session, row.code, house.now)
        assert (answer["code"] in (1, 3)) == (newest and status.in_force) == (state.status in IN_FORCE)
        if newest and not status.in_force:
            assert REASONS[answer["reason"]] == status.status


def past_agrees(house: House, chain: Web3Chain, code: str, instant: int) -> None:
    """What was in force at an instant, told from the chain's events, is what the register says of it."""
    said = validity.certificate_status(house.session, code, instant)
    versions = [row.version for row in store.versions(house.session, code)]
    told = [status_at(chain, certificate_key(AGENCY, "REGISTRATION_CERT", code, n), instant).code for n in versions]
    assert sum(code in ("IN_FORCE", "IN_FORCE_LIMITED") for code in told) == int(said.in_force)


@pytest.mark.chain
@pytest.mark.clause("G34", "G35", "G36", "G37", "D19", "L-02", "L-03", "L-04", "L-05", "L-07", "L-08")
def test_every_type__the_chain_answers_what_the_register_answers(house: House, node: tuple[Web3Chain, str]) -> None:
    chain, url = node
    code = house.certificate(a_form(authorised_until="2026-12-10"))
    other = house.certificate(a_form(RIVAL, "绍兴某某数据有限公司（演示）", b"other\n"))
    publish(house, chain, url)
    agree(house, chain)
    times = [house.now]

    person = replace(a_form().applicants[0], name="杭州更名后数据有限公司（演示）")
    house.now += 3600
    house.later(house.draft(code, CHANGE, applicants=(person,)))
    publish(house, chain, url)
    agree(house, chain)

    house.now += 3600
    part = house.later(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=(BUYER,)))
    assert publish(house, chain, url) == 2
    agree(house, chain)
    for key in ((part.code, 1), (code, 3)):
        held = chain.read("RightsRegistry", "certificate", certificate_key(AGENCY, "REGISTRATION_CERT", *key))
        before = certificate_key(AGENCY, "REGISTRATION_CERT", code, 2)
        assert held["predecessor"] == before, "both entries continue the same version"
    times.append(house.now)

    receiver = (applicant(RIVAL, "绍兴某某数据有限公司（演示）"),)
    whole = house.later(house.draft(part.code, TRANSFER, moved=(Held(DEVELOPER, Right.USE),), receivers=receiver))
    house.later(house.draft(other, CANCELLATION))
    publish(house, chain, url)
    agree(house, chain)
    assert validity.certificate_status(house.session, part.code, house.now).status is Status.TRANSFERRED
    assert validity.certificate_status(house.session, other, house.now).status is Status.CANCELLED
    times.append(house.now)

    house.at("2026-12-01 09:00")
    identity = house.file(replace(house.draft(code, RENEWAL, years=2), authorised_until=None))
    house.timers()
    assert publish(house, chain, url) == 1, "the mark, before expiry"
    agree(house, chain)
    house.accept(identity)
    house.publish(identity)
    house.at("2026-12-15 09:00")
    house.timers()
    publish(house, chain, url)
    agree(house, chain)
    assert validity.certificate_status(house.session, code, house.now).status is Status.RENEWAL_PENDING
    assert validity.certificate_status(house.session, whole.code, house.now).status is Status.LAPSED
    times.append(house.now)
    house.now += 60
    house.deposit(identity)
    publish(house, chain, url)
    agree(house, chain)
    assert validity.certificate_status(house.session, code, house.now).version == 4
    for instant in times:
        for each in (code, part.code, whole.code, other):
            past_agrees(house, chain, each, instant)


@pytest.mark.chain
@pytest.mark.clause("G36", "R-04", "L-06")
def test_flags_go_to_the_successor__and_a_renewal_that_fails_lapses(
    house: House, node: tuple[Web3Chain, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pledge told of one version holds of the next without a word; told of the part that moved it is taken back."""
    chain, url = node
    real, pledged = store.standing_of, set[str]()

    def standing(session: Session, row: CertificateRow) -> Standing:
        return replace(real(session, row), encumbered=row.code in pledged)

    monkeypatch.setattr(store, "standing_of", standing)
    code = house.certificate(a_form(authorised_until="2026-12-10"))
    pledged.add(code)
    validity.tell(house.session, house.signer, store.certificate(house.session, code), at=house.now, basis="E-01")
    publish(house, chain, url)
    agree(house, chain)
    house.now += 3600
    told = len(facts_of_kind(house.session, TOLD))
    house.later(house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),)))
    assert len(facts_of_kind(house.session, TOLD)) == told, "handed on by the contract"
    publish(house, chain, url)
    agree(house, chain)
    house.later(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=(BUYER,)))
    assert len(facts_of_kind(house.session, TOLD)) == told + 1, "the pledge was on what stayed"
    publish(house, chain, url)
    agree(house, chain)

    house.at("2026-12-01 09:00")
    identity = house.file(replace(house.draft(code, RENEWAL, years=2), authorised_until=None))
    house.timers()
    publish(house, chain, url)
    house.at("2026-12-14 09:00")
    house.timers()
    house.move(identity, Act("I-03"), f"party:{PROVIDER}")
    house.timers()
    publish(house, chain, url)
    agree(house, chain)
    assert validity.certificate_status(house.session, code, house.now).status is Status.LAPSED


@pytest.mark.chain
def test_two_entries_of_one_transfer__go_together_or_not_at_all(house: House, node: tuple[Web3Chain, str]) -> None:
    chain, url = node
    code = house.certificate(a_form())
    publish(house, chain, url)
    house.later(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=(BUYER,)))
    log.integrate(house.session, 5_000)
    first, second = facts_of_kind(house.session, ENTRY)[1:]
    assert {fact.subject for fact in (first, second)} > {certificate_subject(code)}

    class Narrow(RegisterEntryFace):
        limit = 1

    face = Narrow(AGENCY, sign)
    assert anchoring.due_facts(house.session, face, (), (face,)) == [], "half a pair is not due"
    bad = house.certificate(a_form(RIVAL, "绍兴某某数据有限公司（演示）", b"other\n"))
    log.integrate(house.session, 5_000)
    [wrong] = [fact for fact in facts_of_kind(house.session, ENTRY) if fact.body["code"] == bad]
    broken = Fact(
        replace(wrong.statement, body={**wrong.body, "valid_until": wrong.body["valid_from"]}), (), 0, wrong.salt
    )
    rpc(url, "evm_setNextBlockTimestamp", hex(house.now + 1))
    rpc(url, "evm_mine")
    places, refused = anchoring.write_each(chain, FACES[0], [broken, first, second, wrong])
    assert set(places) == {first.id, second.id, wrong.id}, "what is refused tears no pair apart"
    assert set(refused) == {broken.id}
