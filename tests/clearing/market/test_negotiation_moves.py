"""The table of a negotiation against the text of the specification, for every state, message, side and replay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from clearing.errors import BadTerms, ClearingError, WrongMove
from clearing.market.agreement import Act, Domain
from clearing.market.errors import NotEntitled
from clearing.market.negotiation.message import (
    Content,
    Message,
    NegotiationMessage,
    Side,
    Wish,
    document_digest,
    document_parts,
    id_of,
    message_of,
    message_statement,
    read_document,
)
from clearing.market.negotiation.moves import (
    FINAL,
    MOVES,
    Consent,
    Profile,
    State,
    Termination,
    Thread,
    after,
    decide,
    open_moves,
    state_at,
)
from ledger.errors import FieldError
from ledger.facts import Statement
from ledger.reading import body_of
from registry.asset import Twin
from tests.clearing.market.house import CONSUMER, COURT, DOMAIN, NOW, OPERATOR, terms_of
from tests.clearing.market.talks import (
    LISTING,
    UNTIL,
    C,
    P,
    body_of_message,
    concluding,
    document_for,
    inquiry,
    priced,
    quote,
    signers,
    thread_in,
)
from tests.telling import Tell

SPEC = """
– INQUIRE C INQUIRY | INQUIRY QUOTE P QUOTED | QUOTED BARGAIN C COUNTERED | COUNTERED QUOTE P QUOTED
QUOTED SELECT C SELECTED | SELECTED ORDER C ORDERED | ORDERED REQUEST C REQUESTED | ORDERED OFFER P OFFERED
– REQUEST C REQUESTED | – OFFER P OFFERED | REQUESTED COUNTER P OFFERED | OFFERED COUNTER C REQUESTED
OFFERED ACCEPT C ACCEPTED | REQUESTED AGREEMENT P AGREED | ACCEPTED AGREEMENT P AGREED
AGREED VERIFICATION C VERIFIED | VERIFIED FINALISE P FINALIZED
INQUIRY WITHDRAW CP WITHDRAWN | QUOTED WITHDRAW CP WITHDRAWN | COUNTERED WITHDRAW CP WITHDRAWN
SELECTED WITHDRAW CP WITHDRAWN | ORDERED WITHDRAW CP WITHDRAWN | LAPSED WITHDRAW CP WITHDRAWN
"""
"""exchange.md §3.3 and §4.3 typed off, as (from message sides to)."""
FIGURE = "REQUESTED CP | OFFERED CP | ACCEPTED P | VERIFIED P | AGREED C"
TEXT = "REQUESTED CP | OFFERED CP | ACCEPTED CP | VERIFIED CP | AGREED CP"
SIDES = {"C": Side.CONSUMER, "P": Side.PROVIDER}
NEGOTIATION = "b" * 64


def edges(profile: Termination) -> dict[tuple[State, Message, Side], State]:
    """What the text allows."""
    found = {}
    for row in SPEC.replace("\n", "|").split("|"):
        if row.strip():
            start, message, sides, target = row.split()
            for side in sides:
                state = State.NONE if start == "–" else State(start)
                found[state, Message(message), SIDES[side]] = State(target)
    for row in (FIGURE if profile is Termination.FIGURE else TEXT).split("|"):
        start, sides = row.split()
        for side in sides:
            found[State(start), Message.TERMINATE, SIDES[side]] = State.TERMINATED
    return found


def said(
    message: Message, side: Side, thread: Thread | None, **changes: object
) -> tuple[Statement, NegotiationMessage, object]:
    body = body_of_message(message, side, thread, negotiation=NEGOTIATION, **changes)
    document = document_for(message)
    statement = message_statement(f"negotiation:{NEGOTIATION}", 0, None, body, document)
    return statement, message_of(statement), document


def result(
    thread: Thread | None, said_: tuple[Statement, NegotiationMessage, object], profile: Profile, at: int = NOW
) -> State | None:
    statement, body, document = said_
    try:
        return decide(thread, statement, body, document, domain=DOMAIN, at=at, profile=profile)  # type: ignore[arg-type]
    except ClearingError:
        return None


# The table ----------------------------------------


@pytest.mark.parametrize("profile", Termination)
def test_table__every_state_message_and_side__as_the_text_says(profile: Termination, tell: Tell) -> None:
    allowed, tried, accepted = edges(profile), 0, 0
    for state, message, side in product(State, Message, Side):
        thread = thread_in(state)
        found = result(thread, said(message, side, thread), Profile(profile))
        assert found == allowed.get((state, message, side)), (state, message, side)
        tried, accepted = tried + 1, accepted + (found is not None)
    assert (tried, accepted) == (15 * 14 * 2, len(allowed))
    tell(f"{profile}: {tried} (state, message, side), {accepted} of the text accepted, 0 others")


def test_table__final_states__let_nothing_follow() -> None:
    for profile in Termination:
        for state, side in product(FINAL, Side):
            assert open_moves(state, side, Profile(profile)) == ()
    assert {state for state, _, _ in MOVES} & FINAL == set()


def test_termination__figure_and_text__differ_in_three_edges_only() -> None:
    both = [
        (state, side)
        for state, side in product(State, Side)
        if after(state, Message.TERMINATE, side, Profile(Termination.FIGURE))
        != after(state, Message.TERMINATE, side, Profile(Termination.TEXT))
    ]
    assert set(both) == {(State.ACCEPTED, C), (State.VERIFIED, C), (State.AGREED, P)}


# Replays at the pure stage ----------------------------------------


def messages() -> Iterator[tuple[State, Message, Side, tuple[Statement, NegotiationMessage, object], Thread | None]]:
    """Every legal message, made for the thread of its state."""
    for start, message, side in edges(Termination.TEXT):
        thread = thread_in(start)
        yield start, message, side, said(message, side, thread), thread


def test_replay__every_message_to_every_other_thread__0_accepted(tell: Tell) -> None:
    """A message made for one negotiation, said to another in any state: other parties, other documents, other acts."""
    allowed, tried, accepted = edges(Termination.TEXT), 0, []
    for start, message, side, legal, _ in messages():
        for state in State:
            for change in ("other proposal", "other consumer", "other provider", "other listing"):
                thread = thread_in(state)
                if thread is None:
                    continue
                if change == "other consumer":
                    thread = replace(thread, consumer=OPERATOR)
                elif change == "other provider":
                    thread = replace(thread, provider=COURT)
                elif change == "other listing":
                    thread = replace(thread, listing="c" * 32)
                tried += 1
                found = result(thread, legal, Profile(Termination.TEXT))
                # What cites nothing (an offer, a counter, an ending) fits any thread of the same parties; the ledger's
                # chain keeps it in its own.
                cites = legal[1].digest is not None and legal[2] is None
                listed = (State.QUOTED if state is State.LAPSED else state, message, side) in allowed
                fits = change == "other proposal" and listed and not cites
                if found is not None and not fits:
                    accepted.append((start, message, side, state, change))
    assert accepted == []
    tell(f"{tried} replays of messages to other threads, 0 illegal acceptances")
    assert tried > 1_500


@pytest.mark.parametrize("stranger", [OPERATOR, COURT])
def test_message__of_a_third_party__never_taken(stranger: str) -> None:
    for state, message, side in edges(Termination.TEXT):
        if state is State.NONE:
            continue
        thread = thread_in(state)
        party = {"consumer": stranger} if side is C else {"provider": stranger}
        statement, body, document = said(message, side, thread)
        spoiled = replace(body, **party)
        with pytest.raises(NotEntitled):
            decide(thread, statement, spoiled, document, domain=DOMAIN, at=NOW)  # type: ignore[arg-type]


# Guards ----------------------------------------


def spoil(
    message: Message,
    side: Side,
    state: State | Thread | None,
    at: int = NOW,
    document: object = None,
    **changes: object,
) -> str:
    """What the refusal names; `state` is a thread, or the state of a fresh one."""
    thread = thread_in(state) if isinstance(state, State) else state
    body = body_of_message(message, side, thread, negotiation=NEGOTIATION, **changes)
    brought = document or document_for(message)
    statement = message_statement(f"negotiation:{NEGOTIATION}", 0, None, body, brought)  # type: ignore[arg-type]
    with pytest.raises(ClearingError) as error:
        decide(thread, statement, message_of(statement), brought, domain=DOMAIN, at=at)  # type: ignore[arg-type]
    return f"{type(error.value).__name__} {getattr(error.value, 'field', '')}".strip()


OTHER = Twin("e" * 64, "f" * 64)


@pytest.mark.parametrize(
    ("message", "side", "state"),
    [
        (Message.SELECT, C, State.QUOTED),
        (Message.ORDER, C, State.SELECTED),
        (Message.ACCEPT, C, State.OFFERED),
        (Message.VERIFICATION, C, State.AGREED),
        (Message.FINALISE, P, State.VERIFIED),
    ],
)
def test_answer__another_digest_or_one_side_of_it__refused(message: Message, side: Side, state: State) -> None:
    thread = thread_in(state)
    assert thread is not None
    right = thread.act if message in (Message.VERIFICATION, Message.FINALISE) else thread.digest
    assert right is not None
    for wrong in (OTHER, Twin(right.sha256, OTHER.sm3), Twin(OTHER.sha256, right.sm3)):
        assert spoil(message, side, thread, digest=wrong) == "BadTerms body.digest"


@pytest.mark.parametrize(("message", "state"), [(Message.ACCEPT, State.OFFERED), (Message.AGREEMENT, State.REQUESTED)])
def test_proposal__its_last_second_and_the_next__taken_up_then_never(message: Message, state: State) -> None:
    thread = thread_in(state)
    side = C if message is Message.ACCEPT else P
    assert result(thread, said(message, side, thread), Profile(), at=UNTIL) is not None
    assert spoil(message, side, state, at=UNTIL + 1) == "Lapsed valid_until"


def test_quote__after_its_last_second__reads_lapsed_and_can_only_be_withdrawn() -> None:
    thread = thread_in(State.QUOTED)
    assert thread is not None
    assert state_at(State.QUOTED, UNTIL, UNTIL) is State.QUOTED
    assert state_at(State.QUOTED, UNTIL, UNTIL + 1) is State.LAPSED
    for message, side in product(Message, Side):
        found = result(thread, said(message, side, thread), Profile(), at=UNTIL + 1)
        assert found is (State.WITHDRAWN if message is Message.WITHDRAW else None), message


def test_accepted_in_time__agreed_later__taken_in() -> None:
    thread = thread_in(State.ACCEPTED, valid_until=NOW - 1)
    assert result(thread, said(Message.AGREEMENT, P, thread), Profile()) is State.AGREED


@pytest.mark.parametrize("message", [Message.REQUEST, Message.OFFER, Message.COUNTER, Message.QUOTE, Message.BARGAIN])
def test_proposal__that_has_lapsed_when_it_comes__refused(message: Message) -> None:
    state = {Message.QUOTE: State.INQUIRY, Message.BARGAIN: State.QUOTED, Message.COUNTER: State.OFFERED}
    start = state.get(message, State.NONE)
    side = P if message in (Message.QUOTE, Message.OFFER) else C
    assert spoil(message, side, start, valid_until=NOW - 1) == "Lapsed body.valid_until"


def test_counter__with_the_same_content_under_another_salt__no_counter() -> None:
    for state, message, side in ((State.OFFERED, Message.COUNTER, C), (State.REQUESTED, Message.COUNTER, P),
                                 (State.QUOTED, Message.BARGAIN, C)):  # fmt: skip
        thread = thread_in(state)
        assert thread is not None
        again = replace(thread.document, salt="9" * 64)
        assert document_digest(again) != thread.digest
        assert spoil(message, side, thread, document=again) == "BadTerms body.digest"


def test_quote__of_the_price_that_was_bargained_for__is_an_answer() -> None:
    thread = thread_in(State.COUNTERED)
    assert thread is not None
    statement, body, _ = said(Message.QUOTE, P, thread)
    assert decide(thread, statement, body, thread.document, domain=DOMAIN, at=NOW) is State.QUOTED


def test_rounds__up_to_the_limit__then_only_yes_or_no() -> None:
    profile = Profile(rounds=3)
    for state, side in ((State.OFFERED, C), (State.REQUESTED, P)):
        two, three = thread_in(state, rounds=2), thread_in(state, rounds=3)
        assert result(two, said(Message.COUNTER, side, two), profile) is not None
        assert result(three, said(Message.COUNTER, side, three), profile) is None
    three = thread_in(State.OFFERED, rounds=3)
    assert result(three, said(Message.ACCEPT, C, three), profile) is State.ACCEPTED
    assert result(three, said(Message.TERMINATE, C, three), profile) is State.TERMINATED


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("terms.policy.assignee", lambda t: replace(t, policy=replace(t.policy, assignee=OPERATOR))),
        ("terms.policy.assigner", lambda t: replace(t, policy=replace(t.policy, assigner=OPERATOR))),
        ("terms.policy.target", lambda t: replace(t, product=replace(t.product, listing="c" * 32))),
    ],
)
def test_terms__of_others_or_another_product__refused(field: str, change: object) -> None:
    terms = change(terms_of(LISTING, OTHER))  # type: ignore[operator]
    assert spoil(Message.REQUEST, C, State.NONE, document=terms) == f"BadTerms {field}"


def test_terms__of_another_consumer_throughout__refused() -> None:
    terms = terms_of(LISTING, OTHER)
    body = body_of_message(Message.REQUEST, C, None, negotiation=NEGOTIATION, consumer=COURT)
    statement = message_statement(f"negotiation:{NEGOTIATION}", 0, None, body, terms)
    with pytest.raises(BadTerms, match=r"terms\.policy\.assignee"):
        decide(None, statement, message_of(statement), terms, domain=DOMAIN, at=NOW)


def test_order__on_a_binding_quote__the_terms_carry_its_price() -> None:
    for binding, fen, expected in ((True, 35, True), (True, 34, False), (False, 34, True)):
        thread = thread_in(State.ORDERED, quote=quote(35, binding=binding))
        for message, side in ((Message.REQUEST, C), (Message.OFFER, P)):
            terms = priced(terms_of(LISTING, OTHER), fen)
            body = body_of_message(message, side, thread, negotiation=NEGOTIATION)
            statement = message_statement(f"negotiation:{NEGOTIATION}", 0, None, body, terms)
            found = result(thread, (statement, message_of(statement), terms), Profile())
            assert (found is not None) == expected, (binding, fen, message)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("body.act.negotiation_id", {"negotiation_id": "c" * 64}),
        ("body.act.terms_digest", {"terms_digest": OTHER}),
        ("body.act.act", {"act": Act.AMEND}),
        ("body.domain", {"domain": Domain(1, DOMAIN.contract)}),
        ("body.domain", {"domain": Domain(DOMAIN.chain_id, "0x" + "cd" * 20)}),
        ("body.deadline", {"deadline": NOW - 1}),
        ("body.signers", {"signers": signers()[:2]}),
        ("body.signers", {"signers": signers()[::-1]}),
    ],
)
def test_agreement__whose_act_is_not_the_proposal_itself__refused(field: str, changes: dict) -> None:
    thread = thread_in(State.REQUESTED)
    assert thread is not None
    act = concluding(thread.document, NEGOTIATION, signers(), **changes)  # type: ignore[arg-type]
    assert spoil(Message.AGREEMENT, P, thread, act=act).split() == ["BadTerms", field]


def test_agreement__revision_or_state_of_no_conclusion__refused() -> None:
    thread = thread_in(State.REQUESTED)
    assert thread is not None
    act = concluding(thread.document, NEGOTIATION, signers(), revision=2)  # type: ignore[arg-type]
    assert spoil(Message.AGREEMENT, P, thread, act=act).startswith("WrongMove")


def test_agreement__digest_of_another_statement__refused() -> None:
    assert spoil(Message.AGREEMENT, P, State.ACCEPTED, digest=OTHER) == "BadTerms body.digest"


def test_finalise__where_the_consumer_said_nothing__refused() -> None:
    thread = thread_in(State.VERIFIED, consent=Consent.SILENT)
    with pytest.raises(NotEntitled):
        decide(thread, *said(Message.FINALISE, P, thread), domain=DOMAIN, at=NOW)  # type: ignore[arg-type]


def test_relayed__where_the_consumer_signs_itself__refused() -> None:
    thread = thread_in(State.OFFERED)
    statement, body, document = said(Message.ACCEPT, C, thread, relayed=OTHER)
    with pytest.raises(NotEntitled):
        decide(thread, statement, body, document, domain=DOMAIN, at=NOW)  # type: ignore[arg-type]
    thread = thread_in(State.OFFERED, consent=Consent.SILENT)
    assert result(thread, said(Message.ACCEPT, C, thread, relayed=OTHER), Profile()) is State.ACCEPTED


def test_policy_alone__is_agreed_on_without_an_act_and_only_as_it_stands() -> None:
    wish = Wish(terms_of(LISTING, OTHER).policy, "9" * 64)
    thread = thread_in(State.REQUESTED, document=wish, content=Content.POLICY, digest=document_digest(wish),
                       consent=Consent.RELAYED)  # fmt: skip
    assert result(thread, said(Message.AGREEMENT, P, thread), Profile()) is State.AGREED
    act = concluding(terms_of(LISTING, OTHER), NEGOTIATION, signers())
    assert spoil(Message.AGREEMENT, P, thread, act=act) == "BadTerms body.act"
    assert spoil(Message.AGREEMENT, P, thread, digest=OTHER) == "BadTerms body.digest"
    lapsed = replace(thread, valid_until=NOW - 1)
    assert spoil(Message.AGREEMENT, P, lapsed).startswith("Lapsed")


def test_full_terms__without_their_act__cannot_be_agreed_on() -> None:
    for state in (State.REQUESTED, State.ACCEPTED):
        for consent in Consent:
            thread = thread_in(state, consent=consent)
            assert spoil(Message.AGREEMENT, P, thread, act=None, digest=thread.digest) == "BadTerms proposal"


def test_wrong_move__says_what_this_side_may_do() -> None:
    thread = thread_in(State.OFFERED)
    with pytest.raises(WrongMove) as error:
        decide(thread, *said(Message.FINALISE, P, thread), domain=DOMAIN, at=NOW)  # type: ignore[arg-type]
    assert "OFFERED, PROVIDER: TERMINATE" in str(error.value)


# The body ----------------------------------------


def test_message__every_field_too_many_or_too_few__named() -> None:
    """Each message with each optional field added or taken away: only the fields of its sort stand."""
    full = {"content": "terms", "fields": ["a"], "digest": body_of(OTHER), "valid_until": UNTIL, "reason": "演示",
            "agreement": "c" * 64,
            "act": body_of(concluding(terms_of(LISTING, OTHER), NEGOTIATION, signers()))}  # fmt: skip
    tried = 0
    for start, message, side, (statement, _, _), _ in messages():
        for name, value in full.items():
            body = dict(statement.body)
            if name == "act" and message is Message.AGREEMENT:  # of a policy alone there is none
                continue
            if name in body:
                del body[name]
            elif name == "reason" and message in (Message.WITHDRAW, Message.TERMINATE):
                continue
            else:
                body[name] = value
            with pytest.raises((BadTerms, FieldError)) as error:
                message_of(replace_body(statement, body))
            assert error.value.field == f"body.{name}", (start, side)
            tried += 1
    assert tried > 200


def replace_body(statement: Statement, body: dict) -> Statement:
    return Statement(statement.kind, statement.subject, 0, None, body, statement.parts)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("body.consumer", {"consumer": "91420100MA4K200011"}),
        ("body.provider", {"provider": "not a code"}),
        ("body.provider", {"provider": CONSUMER}),
        ("body.side", {"side": "BROKER"}),
        ("body.message", {"message": "HELLO"}),
        ("body.listing", {"listing": "x"}),
        ("body.content", {"content": "policy"}),
        ("body.content", {"content": "quote"}),
        ("body.relayed", {"relayed": body_of(OTHER), "side": "PROVIDER"}),
        ("body.relayed", {"relayed": body_of(OTHER), "message": "INQUIRE"}),
        ("body.surprise", {"surprise": 1}),
    ],
)
def test_message__one_thing_wrong__named(field: str, changes: dict) -> None:
    statement = said(Message.REQUEST, C, None)[0]
    with pytest.raises((BadTerms, FieldError)) as error:
        message_of(replace_body(statement, statement.body | changes))
    assert error.value.field == field


@pytest.mark.parametrize("identity", ["b" * 63, "b" * 65, "B" * 64, "0" * 64, ""])
def test_subject__that_is_no_random_id__refused(identity: str) -> None:
    with pytest.raises(BadTerms):
        id_of(f"negotiation:{identity}")


def test_parts__missing_foreign_or_of_another_sort__refused() -> None:
    terms = terms_of(LISTING, OTHER)
    body = body_of_message(Message.REQUEST, C, None, negotiation=NEGOTIATION)
    statement = message_statement(f"negotiation:{NEGOTIATION}", 0, None, body, terms)
    message = message_of(statement)
    assert read_document(statement, message, document_parts(terms)) == terms
    other = document_parts(priced(terms, 1))
    for parts in ((), other, document_parts(terms)[::-1], document_parts(inquiry())):
        with pytest.raises((BadTerms, FieldError)):
            read_document(statement, message, parts)
    false = replace(message, digest=document_digest(priced(terms, 1)))
    with pytest.raises(BadTerms, match=r"body\.digest"):
        read_document(statement, false, document_parts(terms))
