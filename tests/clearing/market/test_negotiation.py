"""Negotiations in a database: what is taken in, what is refused and kept; FINALIZED is a concluded agreement."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random

import pytest
from sqlalchemy import Table

from clearing.errors import BadTerms, Clash, NotSigned, WrongMove
from clearing.market import store as market_store
from clearing.market.agreement import Act, Terms, act_of, terms_parts
from clearing.market.agreement import State as AgreementState
from clearing.market.errors import GateRefused, Lapsed, NotEntitled
from clearing.market.listing import Move
from clearing.market.negotiation import service, store
from clearing.market.negotiation.message import (
    RELAY,
    Content,
    Message,
    NegotiationMessage,
    Quote,
    Side,
    Wish,
    document_parts,
    message_statement,
    subject_of,
)
from clearing.market.negotiation.moves import FINAL, Consent, Profile, State, Termination, after
from clearing.market.policy import policy_digest
from clearing.market.shelf import store as shelf
from ledger import canonical, signing, sm
from ledger import store as ledger
from ledger.digest import TwinDigest
from ledger.errors import BadSignature, Conflict, LedgerError, Stale
from ledger.facts import Signature, Signed, Statement
from ledger.rebuild import Projector
from ledger.store import Appended
from registry.afterlife.remark import RemarkKind
from registry.asset import Twin
from registry.party import party_subject
from registry.tables import PartyRow
from tests.clearing.market.house import (
    CONSUMER,
    COURT,
    DAY,
    DOMAIN,
    NOW,
    OPERATOR,
    PROVIDER,
    SELLER,
    House,
    new_keys,
)
from tests.clearing.market.talks import PATHS, UNTIL, C, P, Talk, concluding, inquiry, priced, quote
from tests.clearing.market.test_signing_gates import burden, end
from tests.counts import NIGHT
from tests.telling import Tell

VIEWS = (*shelf.VIEWS, *market_store.VIEWS, *store.VIEWS)


@pytest.fixture
def talk(house: House) -> Talk:
    return Talk(house, house.listed())


def views(house: House, tables_: tuple[Table, ...] = VIEWS) -> list[list[object]]:
    return [list(house.session.execute(table.select()).all()) for table in tables_]


# The way through ----------------------------------------


def test_negotiation__from_inquiry_to_agreement__one_chain_and_the_agreement_in_force(talk: Talk) -> None:
    house = talk.house
    price = quote(41, binding=True)
    talk.say(Message.INQUIRE, C)
    talk.say(Message.QUOTE, P)
    talk.say(Message.BARGAIN, C)
    talk.say(Message.QUOTE, P, price)
    talk.say(Message.SELECT, C)
    talk.say(Message.ORDER, C)
    terms = priced(house.terms(talk.listing), 41)
    talk.say(Message.REQUEST, C, terms)
    talk.say(Message.COUNTER, P, replace(terms, acceptance_days=9, salt=secrets.token_hex(32)))
    talk.say(Message.ACCEPT, C)
    talk.say(Message.AGREEMENT, P)
    talk.say(Message.VERIFICATION, C)
    assert market_store.agreements(house.session) == []
    talk.say(Message.FINALISE, P)
    row = store.negotiation(house.session, talk.id)
    assert (row.state, row.consent, row.rounds) == (State.FINALIZED, Consent.SIGNED, 6)
    agreement = market_store.agreement(house.session, row.agreement)
    assert (agreement.state, agreement.consumer, agreement.seller) == (AgreementState.EFFECTIVE, CONSUMER, SELLER)
    assert market_store.terms_of(house.session, row.agreement, 1).acceptance_days == 9
    act = ledger.facts_of(house.session, f"agreement:{row.agreement}")[0]
    assert Twin(row.act_sha256, row.act_sm3) == Twin.of(act.statement.digest())
    assert act_of(act.statement).negotiation_id == talk.id
    assert {signature.by for signature in act.signatures} == {f"party:{uscc}" for uscc in (PROVIDER, CONSUMER, SELLER)}
    assert [item.no for item in store.said(house.session, talk.id)] == list(range(12))


@pytest.mark.parametrize("state", PATHS)
def test_walk__to_every_stored_state__sent_again_every_message_is_answered_with_its_fact(
    talk: Talk, state: State
) -> None:
    talk.to(state)
    assert talk.state is state
    before = views(talk.house)
    for signed, parts in talk.sent:
        again = talk.put(signed, parts, NOW + 99 * DAY)
        assert isinstance(again, Appended)
        assert (again.replayed, again.fact.at) == (True, NOW)
    assert views(talk.house) == before


def test_pending__finalised_with_open_conditions__no_access_yet(talk: Talk) -> None:
    terms = talk.house.terms(talk.listing, conditions=("备案",))
    talk.say(Message.REQUEST, C, terms)
    for message, side in PATHS[State.FINALIZED][1:]:
        talk.say(message, side)
    assert market_store.agreement(talk.house.session, talk.agreement).state is AgreementState.PENDING


def test_projector__the_facts_alone__give_the_same_rows(talk: Talk) -> None:
    """Reindex: the views emptied and folded again from the facts."""
    house = talk.house
    talk.to(State.FINALIZED)
    Talk(house, talk.listing).to(State.COUNTERED)
    before = [sorted(map(str, rows)) for rows in views(house)]
    for table in VIEWS:
        house.session.execute(table.delete())
    projectors: dict[str, Projector] = {**shelf.PROJECTORS, **market_store.PROJECTORS, **store.PROJECTORS}
    for fact in ledger.all_facts(house.session):
        projectors[fact.kind](house.session, fact)
    assert [sorted(map(str, rows)) for rows in views(house)] == before


# FINALIZED and the agreement cannot disagree ----------------------------------------


def test_conclude__of_a_negotiation_by_itself__refused_in_every_state(house: House) -> None:
    listing = house.listed()
    for state in PATHS:
        talk = Talk(house, listing).to(state)
        statement = house.act(
            secrets.token_hex(32), Act.CONCLUDE, AgreementState.EFFECTIVE, terms=house.terms(listing),
            negotiation_id=talk.id,
        )  # fmt: skip
        with pytest.raises(WrongMove):
            house.take(house.sign(statement), NOW)


def test_conclude__the_agreed_act_itself_beside_its_negotiation__refused(talk: Talk) -> None:
    talk.to(State.VERIFIED)
    statement = service.agreed_act(talk.house.session, talk.id)
    assert statement is not None
    talk.house.parts[statement.parts] = talk.conclusion()[1:]
    with pytest.raises(WrongMove):
        talk.house.take(talk.house.sign(statement), NOW)
    assert market_store.agreements(talk.house.session) == []


def test_finalised__the_negotiation_id_is_spent__for_acts_and_for_messages(talk: Talk) -> None:
    house = talk.house
    talk.to(State.FINALIZED)
    for act, identity in ((Act.CONCLUDE, secrets.token_hex(32)), (Act.AMEND, talk.agreement)):
        terms = house.terms(talk.listing, limit=9)
        statement = house.act(identity, act, AgreementState.EFFECTIVE, terms=terms, negotiation_id=talk.id)
        with pytest.raises(WrongMove):
            house.take(house.sign(statement), NOW)
    for message, side in product(Message, Side):
        assert isinstance(talk.refused(message, side), WrongMove)


def test_negotiation_id__of_an_agreement_made_elsewhere__used_once(house: House) -> None:
    listing, used = house.listed(), secrets.token_hex(32)

    def concluded() -> Signed:
        return house.sign(
            house.act(
                secrets.token_hex(32), Act.CONCLUDE, AgreementState.EFFECTIVE, terms=house.terms(listing),
                negotiation_id=used,
            )
        )  # fmt: skip

    house.take(concluded(), NOW)
    with pytest.raises(Clash):
        house.take(concluded(), NOW)
    assert isinstance(Talk(house, listing, id=used).refused(Message.REQUEST, C), Clash)
    identity = market_store.agreements(house.session)[0].id
    amended = house.act(
        identity, Act.AMEND, AgreementState.EFFECTIVE, terms=house.terms(listing, limit=9), negotiation_id=used
    )
    with pytest.raises(Clash):
        house.take(house.sign(amended), NOW)


@pytest.mark.parametrize("left_out", range(6))
def test_finalise__one_signature_of_the_act_missing__nothing_stored(talk: Talk, left_out: int) -> None:
    talk.to(State.VERIFIED)
    before = views(talk.house)
    signed, _ = talk.make(Message.FINALISE, P)
    taken = talk.put(signed, talk.conclusion(leave_out=left_out))
    assert isinstance(taken, service.Refusal)
    assert isinstance(taken.error, NotSigned)
    assert views(talk.house) == before
    talk.say(Message.FINALISE, P)
    assert talk.state is State.FINALIZED


def test_finalise__with_the_act_of_another_negotiation_or_none__refused(house: House) -> None:
    listing = house.listed()
    one, other = (Talk(house, listing).to(State.VERIFIED) for _ in range(2))
    signed, parts = one.make(Message.FINALISE, P)
    for wrong in ((), parts[:1], other.conclusion(), (b"{}",), (b"x", *parts[1:]), parts[1:]):
        taken = one.put(signed, wrong)
        assert isinstance(taken, service.Refusal), wrong
        assert isinstance(taken.error, BadTerms | LedgerError)
    assert (one.state, other.state) == (State.VERIFIED, State.VERIFIED)
    one.say(Message.FINALISE, P)


def test_finalise__act_after_its_deadline__refused(talk: Talk) -> None:
    talk.to(State.ACCEPTED)
    terms = store.thread(talk.house.session, talk.id).document  # type: ignore[union-attr]
    assert isinstance(terms, Terms)
    act = concluding(terms, talk.id, talk.house.signers(), deadline=NOW + DAY)
    talk.say(Message.AGREEMENT, P, act=act)
    talk.say(Message.VERIFICATION, C)
    error = talk.refused(Message.FINALISE, P, at=NOW + DAY + 1)
    assert isinstance(error, BadTerms)
    assert error.field == "body.deadline"
    talk.say(Message.FINALISE, P, at=NOW + DAY)


# The world moves on ----------------------------------------


@pytest.mark.parametrize("state", [State.ORDERED, State.REQUESTED, State.OFFERED, State.ACCEPTED, State.AGREED,
                                   State.VERIFIED])  # fmt: skip
@pytest.mark.parametrize(("what", "gate"), [("suspended", "G10"), ("cancelled", "G1"), ("seized", "G9")])
def test_gates__closed_after_listing__no_agreement_but_an_ending(
    talk: Talk, state: State, what: str, gate: str
) -> None:
    """Listing suspended, certificate cancelled or seized meanwhile: never FINALIZED, and it can still be ended."""
    house = talk.house
    talk.to(state)
    if what == "suspended":
        house.review(talk.listing, Move.SUSPEND, reason="演示")
    elif what == "cancelled":
        end(house)
    else:
        burden(house, RemarkKind.PRESERVATION)
    way = {State.REQUESTED: (Message.AGREEMENT, P), State.ACCEPTED: (Message.AGREEMENT, P),
           State.VERIFIED: (Message.FINALISE, P)}  # fmt: skip
    if state in way:
        error = talk.refused(*way[state])
        assert isinstance(error, GateRefused)
        assert error.gate == gate
    elif what == "suspended":
        message = {State.ORDERED: Message.REQUEST, State.OFFERED: Message.ACCEPT, State.AGREED: Message.VERIFICATION}
        error = talk.refused(message[state], C)
        assert isinstance(error, GateRefused)
        assert error.gate == gate
    ending = Message.WITHDRAW if state is State.ORDERED else Message.TERMINATE
    side = C if after(state, ending, C) else P
    talk.say(ending, side, reason="演示")
    assert talk.state in FINAL
    assert market_store.agreements(house.session) == []


def rekey(house: House, party: str, at: int) -> None:
    """A change of keys, as its projector would write it."""
    keys = new_keys()
    house.keys[party] = keys
    house.session.add(
        PartyRow(id=party, no=1, name="演示", kind="法人", sm2=keys.sm2.public, evm=keys.address, roles="",
                 from_at=at, fact_id=party.ljust(64, "9"))
    )  # fmt: skip
    house.session.flush()


def test_key_changed__messages_by_the_old_key__refused_by_the_new_taken(talk: Talk) -> None:
    talk.to(State.OFFERED)
    signed, parts = talk.make(Message.ACCEPT, C)
    rekey(talk.house, CONSUMER, NOW)
    with pytest.raises(BadSignature):
        talk.put(signed, parts)
    talk.say(Message.ACCEPT, C)


@pytest.mark.parametrize("party", [CONSUMER, SELLER, PROVIDER])
def test_key_changed_after_agreed__the_frozen_act_cannot_be_signed__terminated_and_begun_anew(
    talk: Talk, party: str
) -> None:
    talk.to(State.VERIFIED)
    rekey(talk.house, party, NOW)
    assert isinstance(talk.refused(Message.FINALISE, P), NotSigned)
    talk.say(Message.TERMINATE, P)
    Talk(talk.house, talk.listing).to(State.FINALIZED)


def test_key_changed_before_agreed__the_act_must_name_the_new_one(talk: Talk) -> None:
    talk.to(State.ACCEPTED)
    old = talk.make(Message.AGREEMENT, P)
    rekey(talk.house, CONSUMER, NOW)
    taken = talk.put(*old)
    assert isinstance(taken, service.Refusal)
    assert isinstance(taken.error, BadTerms)
    assert taken.error.field == "body.act.signers"
    talk.say(Message.AGREEMENT, P)


def test_listing__of_another_seller_or_version__gate_g10(talk: Talk) -> None:
    body = NegotiationMessage(Message.OFFER, P, CONSUMER, PROVIDER, talk.listing, valid_until=UNTIL)
    terms = talk.house.terms(talk.listing)
    policy = replace(terms.policy, assigner=PROVIDER)
    false = replace(terms, policy=policy, policy_digest=Twin.of(policy_digest(policy)))
    statement = message_statement(subject_of(talk.id), 0, None, body, false)
    key = talk.house.keys[PROVIDER].sm2
    signature = signing.sign_sm2(key, statement, by=f"party:{PROVIDER}", role="PROVIDER")
    taken = talk.put(Signed(statement, (signature,)), document_parts(false))
    assert isinstance(taken, service.Refusal)
    assert isinstance(taken.error, GateRefused)
    assert (taken.error.gate, taken.error.field) == ("G10", "listing.seller")
    assert isinstance(talk.refused(Message.INQUIRE, C, inquiry(version=2)), GateRefused)


def test_terms__of_a_version_that_is_not_on_the_shelf__not_agreed_on(talk: Talk) -> None:
    terms = talk.house.terms(talk.listing)
    talk.say(Message.REQUEST, C, replace(terms, product=replace(terms.product, version=2)))
    error = talk.refused(Message.AGREEMENT, P)
    assert isinstance(error, GateRefused)
    assert error.gate == "G10"


def test_quote__of_another_unit_or_without_its_guide_price__refused(talk: Talk) -> None:
    talk.say(Message.INQUIRE, C)
    base = quote()
    error = talk.refused(Message.QUOTE, P, replace(base, tariff=replace(base.tariff, unit="row")))
    assert isinstance(error, BadTerms)
    assert error.field == "quote.tariff.unit"


def test_lapsed__quote_and_offer__never_taken_up(house: House) -> None:
    listing = house.listed()
    for state, message in ((State.QUOTED, Message.SELECT), (State.OFFERED, Message.ACCEPT)):
        talk = Talk(house, listing).to(state)
        error = talk.refused(message, C, at=UNTIL + 1)
        assert isinstance(error, WrongMove if state is State.QUOTED else Lapsed)
        talk.say(message, C, at=UNTIL)
    talk = Talk(house, listing).to(State.REQUESTED)
    assert isinstance(talk.refused(Message.AGREEMENT, P, at=UNTIL + 1), Lapsed)


# Illegal messages ----------------------------------------


@pytest.mark.parametrize("profile", Termination)
def test_illegal__every_message_of_either_side_in_every_state__an_error_no_transition_kept(
    house: House, profile: Termination, tell: Tell
) -> None:
    listing, tried = house.listed(), 0
    for state in PATHS:
        talk = Talk(house, listing, profile=Profile(profile)).to(state)
        before, kept = views(house), 0
        for message, side in product(Message, Side):
            if after(state, message, side, Profile(profile)) is not None:
                continue
            signed, parts = talk.make(message, side)
            taken = talk.put(signed, parts)
            assert isinstance(taken, service.Refusal), (state, message, side)
            service.record_refusal(house.session, taken)
            service.record_refusal(house.session, taken)
            tried, kept = tried + 1, kept + 1
        assert views(house) == before
        rows = store.refusals(house.session, talk.id)
        assert len(rows) == kept
        assert {row.error for row in rows} <= {"WrongMove"}
        for row in rows:
            assert Signed.of_document(canonical.decode(row.document.encode())).statement.digest().sha256.hex() == (
                row.given_sha256
            )
    tell(f"{profile}: {tried} illegal messages in {len(PATHS)} states, 0 transitions")
    assert tried > 300


def test_contradiction__another_message_under_a_number_taken__conflict_and_kept(talk: Talk) -> None:
    """The consumer says two things as its act 1: the first stands, the other is evidence against it."""
    talk.to(State.OFFERED)
    accept, counter = talk.make(Message.ACCEPT, C), talk.make(Message.COUNTER, C)
    assert isinstance(talk.put(*accept), Appended)
    taken = talk.put(*counter)
    assert isinstance(taken, service.Refusal)
    assert isinstance(taken.error, Conflict)
    service.record_refusal(talk.house.session, taken)
    assert [row.error for row in store.refusals(talk.house.session, talk.id)] == ["Conflict"]


def test_order__a_message_ahead_of_its_turn_or_on_another_prev__stale(talk: Talk) -> None:
    talk.to(State.OFFERED)
    (accept, parts) = talk.make(Message.ACCEPT, C)
    statement = accept.statement
    for changed in (replace(statement, no=5), replace(statement, prev=TwinDigest(bytes(32), bytes(32)))):
        taken = talk.put(talk.sign(changed, C), parts)
        assert isinstance(taken, service.Refusal)
        assert isinstance(taken.error, Stale)


def test_unsigned_garbage__is_an_error_and_not_kept(talk: Talk) -> None:
    talk.to(State.OFFERED)
    signed, parts = talk.make(Message.ACCEPT, C)
    stranger = sm.generate()
    false = signing.sign_sm2(stranger, signed.statement, by=f"party:{CONSUMER}", role="CONSUMER")
    by_other = talk.sign(signed.statement, P).signatures[0]
    for signatures in (
        (), (false,), (by_other,), (replace(signed.signatures[0], role="PROVIDER"),),
        (replace(signed.signatures[0], role=""),), signed.signatures * 2, (*signed.signatures, by_other),
    ):  # fmt: skip
        with pytest.raises((NotSigned, BadSignature)):
            talk.put(Signed(signed.statement, signatures), parts)
    assert store.refusals(talk.house.session, talk.id) == []
    assert talk.state is State.OFFERED


def test_third_party__signs_as_a_side_of_another_negotiation__refused_and_kept(talk: Talk) -> None:
    talk.to(State.OFFERED)
    signed, parts = talk.make(Message.ACCEPT, C, consumer=COURT)
    key = talk.house.keys[COURT].sm2
    by_court = signing.sign_sm2(key, signed.statement, by=f"party:{COURT}", role="CONSUMER")
    taken = talk.put(Signed(signed.statement, (by_court,)), parts)
    assert isinstance(taken, service.Refusal)
    assert isinstance(taken.error, NotEntitled)


# Peers without signatures ----------------------------------------


def relayed(talk: Talk, message: Message, document: Wish | None = None, **changes: object) -> object:
    stands = store.thread(talk.house.session, talk.id)
    values: dict[str, object] = {"relayed": Twin("5" * 64, "6" * 64)}
    if document is not None:
        values["valid_until"] = UNTIL
    elif message is Message.ACCEPT:
        values["digest"] = stands and stands.digest
    elif message is Message.VERIFICATION:
        values["digest"] = stands and stands.act
    body = NegotiationMessage(message, C, CONSUMER, SELLER, talk.listing, **values | changes)  # type: ignore[arg-type]
    return service.relay(talk.house.session, talk.id, body, document, signer=talk.house.operator, domain=DOMAIN, at=NOW)


@pytest.mark.parametrize("content", [Content.TERMS, Content.POLICY])
def test_relayed__a_peer_negotiates_to_finalized_and_no_contract_comes_of_it(talk: Talk, content: Content) -> None:
    """D30: the protocol's state and the agreement's are two."""
    policy = talk.house.terms(talk.listing).policy
    assert isinstance(relayed(talk, Message.REQUEST, Wish(policy, "8" * 64), pid="urn:uuid:1"), Appended)
    if content is Content.TERMS:
        talk.say(Message.COUNTER, P)
        assert isinstance(relayed(talk, Message.ACCEPT), Appended)
    talk.say(Message.AGREEMENT, P)
    assert (service.agreed_act(talk.house.session, talk.id) is None) is (content is Content.POLICY)
    assert isinstance(relayed(talk, Message.VERIFICATION), Appended)
    talk.say(Message.FINALISE, P)
    row = store.negotiation(talk.house.session, talk.id)
    assert (row.state, row.consent, row.pid) == (State.FINALIZED, Consent.RELAYED, "urn:uuid:1")
    assert market_store.agreements(talk.house.session) == []
    assert ledger.next_of(talk.house.session, talk.agreement_subject)[0] == 0


def test_relayed__a_single_message_between_signed_ones__spoils_the_signing(talk: Talk) -> None:
    """Even an act with every signature is not taken in: the consumer's own way to it was not signed."""
    talk.say(Message.OFFER, P)
    assert isinstance(relayed(talk, Message.ACCEPT), Appended)
    talk.say(Message.AGREEMENT, P)
    talk.say(Message.VERIFICATION, C)
    act = service.agreed_act(talk.house.session, talk.id)
    assert act is not None
    terms = store.proposal_of(talk.house.session, store.negotiation(talk.house.session, talk.id).proposal)[2]
    assert isinstance(terms, Terms)
    whole = (canonical.encode(talk.house.sign(act).document()), *terms_parts(terms))
    refused = talk.put(talk.make(Message.FINALISE, P)[0], whole)
    assert isinstance(refused, service.Refusal)
    assert str(getattr(refused.error, "field", "")) == "parts"
    assert market_store.agreements(talk.house.session) == []


def test_relayed__where_the_consumer_has_signed__the_operator_cannot_speak_for_it(talk: Talk) -> None:
    for state, message in ((State.REQUESTED, Message.TERMINATE), (State.AGREED, Message.VERIFICATION)):
        other = Talk(talk.house, talk.listing).to(state)
        taken = relayed(other, message)
        assert isinstance(taken, service.Refusal)
        assert isinstance(taken.error, NotEntitled)


def test_relayed__signed_by_somebody_else_than_the_operator__refused(talk: Talk) -> None:
    talk.to(State.OFFERED)
    signed, _ = talk.make(Message.ACCEPT, C, relayed=Twin("5" * 64, "6" * 64))
    with pytest.raises(NotSigned):
        talk.put(signed)
    court = signing.SystemSigner(talk.house.keys[COURT].sm2, party_subject(COURT))
    with pytest.raises(NotSigned):
        talk.put(Signed(signed.statement, (court.sign(signed.statement, RELAY),)))


# Replays by the thousand ----------------------------------------


def test_replay__signed_messages_across_chains_contracts_negotiations_versions_and_orders__0_accepted(
    house: House, tell: Tell
) -> None:
    """Every signed message and act of a dozen negotiations, sent again in another place, time, order or wrapping."""
    listing, dice = house.listed(), Random(20_260_801)
    talks = [Talk(house, listing).to(state) for state in PATHS]
    said = [(talk, signed, parts) for talk in talks for signed, parts in talk.sent]
    fresh = [Talk(house, listing).to(state) for state in PATHS if state not in FINAL]
    targets = talks + fresh
    before = views(house)
    counts: Counter[str] = Counter()
    accepted: list[str] = []
    for _ in range(100_000 if NIGHT else 2_500):
        talk, signed, parts = dice.choice(said)
        how = dice.choice(TWISTS)
        counts[how] += 1
        try:
            candidate, sent = twisted(how, dice, talk, signed, parts, dice.choice(targets), said)
            taken = talk.put(candidate, sent, NOW + dice.randrange(0, 30 * DAY))
        except (NotSigned, BadTerms, LedgerError):
            continue
        if isinstance(taken, Appended) and not (taken.replayed and candidate.statement == signed.statement):
            accepted.append(how)
    assert accepted == []
    assert views(house) == before
    tell(f"{sum(counts.values())} replays, 0 accepted: {dict(sorted(counts.items()))}")
    assert len(counts) == len(TWISTS)


TWISTS = (
    "as it was", "in another negotiation", "under another number", "under another prev", "by another name",
    "other version of the kind", "signatures of another message", "parts of another message", "another chain",
    "another contract", "another role", "a field more", "another digest half",
)  # fmt: skip


def twisted(
    how: str,
    dice: Random,
    talk: Talk,
    signed: Signed,
    parts: tuple[bytes, ...],
    target: Talk,
    said: list[tuple[Talk, Signed, tuple[bytes, ...]]],
) -> tuple[Signed, tuple[bytes, ...]]:
    """A signed message in another wrapping: what anybody can do without the key. Raises `FieldError` where the twist
    makes no statement at all."""
    statement = signed.statement
    _, other, other_parts = dice.choice(said)
    if how == "in another negotiation":
        if target.id == talk.id:
            target = Talk(talk.house, talk.listing)
        subject = subject_of(target.id)
        no, prev = ledger.next_of(talk.house.session, subject)
        if dice.random() < 0.5:
            no, prev = statement.no, statement.prev
        return Signed(replace(statement, subject=subject, no=no, prev=prev), signed.signatures), parts
    if how == "under another number":
        return Signed(replace(statement, no=statement.no + dice.randrange(1, 9)), signed.signatures), parts
    if how == "under another prev":
        prev = other.statement.digest() if other is not signed else None
        no, _ = ledger.next_of(talk.house.session, statement.subject)
        return Signed(replace(statement, no=no, prev=prev), signed.signatures), parts
    if how == "by another name":
        renamed = tuple(replace(s, by=f"party:{dice.choice((OPERATOR, COURT, PROVIDER))}") for s in signed.signatures)
        return Signed(statement, renamed), parts
    if how == "other version of the kind":
        kind = dice.choice(("negotiation-message/v2", "agreement-act/v1", "listing-move/v1"))
        return Signed(replace(statement, kind=kind), signed.signatures), parts
    if how == "signatures of another message":
        no, prev = ledger.next_of(talk.house.session, statement.subject)
        if other is signed:
            return Signed(replace(statement, no=no, prev=prev), signed.signatures), parts
        return Signed(replace(statement, no=no, prev=prev), other.signatures), parts
    if how == "parts of another message":
        no, prev = ledger.next_of(talk.house.session, statement.subject)
        following = replace(statement, no=no, prev=prev)
        return Signed(following, signed.signatures), other_parts
    if how in ("another chain", "another contract", "another role"):
        return elsewhere(how, signed, parts, talk)
    if how == "a field more":
        return Signed(replace(statement, body=statement.body | {"note": "演示"}), signed.signatures), parts
    if how == "another digest half":
        half = statement.body.get("digest", {"sha256": "", "sm3": ""}) | {"sm3": secrets.token_hex(32)}
        return Signed(replace(statement, body=statement.body | {"digest": half}), signed.signatures), parts
    return signed, parts


def elsewhere(how: str, signed: Signed, parts: tuple[bytes, ...], talk: Talk) -> tuple[Signed, tuple[bytes, ...]]:
    """The agreement frozen for another chain or contract, or the message as the other side's."""
    statement, body = signed.statement, dict(signed.statement.body)
    no, prev = ledger.next_of(talk.house.session, statement.subject)
    if "act" in body and how != "another role":
        domain = dict(body["act"]["domain"])
        domain |= {"chain_id": 1} if how == "another chain" else {"contract": "0x" + "cd" * 20}
        body["act"] = body["act"] | {"domain": domain}
    else:
        body["side"] = "PROVIDER" if body["side"] == "CONSUMER" else "CONSUMER"
    by = {"CONSUMER": body["consumer"], "PROVIDER": body["provider"]}[body["side"]]
    signatures: tuple[Signature, ...] = tuple(
        replace(s, by=f"party:{by}", role=body["side"]) for s in signed.signatures
    )
    changed = Statement(statement.kind, statement.subject, no, prev, body, statement.parts)
    return Signed(changed, signatures), parts


# What the parties see ----------------------------------------


def test_waiting__whose_turn_and_until_when__never_a_final_one(house: House) -> None:
    listing = house.listed()
    talks = {state: Talk(house, listing).to(state) for state in PATHS}
    found = {matter.subject: matter for matter in service.waiting(house.session, None, NOW, None)}  # type: ignore[arg-type]
    assert set(found) == {subject_of(talk.id) for state, talk in talks.items() if state not in FINAL}
    for state, talk in talks.items():
        if state in FINAL:
            continue
        matter = found[subject_of(talk.id)]
        turn = {"CONSUMER": CONSUMER, "PROVIDER": SELLER}[matter.role]
        assert matter.parties == {turn}
        assert matter.private
        assert matter.state == state.value
        assert {step.move for step in matter.steps} == {
            message.value for message in Message if after(state, message, Side(matter.role)) is not None
        }
        proposes = state in (State.INQUIRY, State.QUOTED, State.COUNTERED, State.REQUESTED, State.OFFERED)
        assert (matter.due.ends == UNTIL + 1) == proposes
    late = {m.subject: m for m in service.waiting(house.session, None, UNTIL + 1, None)}  # type: ignore[arg-type]
    assert late[subject_of(talks[State.QUOTED].id)].state == "LAPSED"


def test_parts__nothing_in_the_fact_itself_shows_price_or_terms(talk: Talk) -> None:
    """I5: what the log holds of a quote is a salted root."""
    talk.say(Message.INQUIRE, C)
    taken = talk.say(Message.QUOTE, P, quote(987_654_321))
    assert b"987654321" not in taken.fact.bytes()
    document = store.proposal_of(talk.house.session, taken.fact.id)[2]
    assert isinstance(document, Quote)
    assert document.tariff.tiers[0].numerator == 987_654_321
