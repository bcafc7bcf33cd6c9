"""The life of an element's version without a database: the table, what is carried, and random acts (§14 row 22)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from clearing.errors import BadTerms, ClearingError, WrongMove
from clearing.market.errors import NotEntitled
from clearing.pricing.element import moves
from clearing.pricing.element.element import (
    ALPHABET,
    STATED,
    ElementMove,
    ElementVersion,
    Move,
    check_identifier,
    check_ready,
    check_version,
    id_of,
    identity_of,
    subject_of,
)
from clearing.pricing.element.moves import MOVES, Actor, Case, Signer, State, check_move, check_stated, moved, stated
from clearing.pricing.errors import PricingRefused
from registry.asset import Twin
from registry.rights import Right
from tests.clearing.market.house import DAY, NOW, OPERATOR, PROVIDER, SELLER
from tests.clearing.pricing.elements import ID, OTHER, PAPER, body_for, metadata_of, source_of, version_of
from tests.counts import few

TABLE = {
    ("NONE", "create"): ("DEVELOPING", "developer"),
    ("DEVELOPING", "revise"): ("DEVELOPING", "developer"),
    ("DEVELOPING", "submit"): ("REVIEW", "developer"),
    ("REVIEW", "withdraw"): ("DEVELOPING", "submitter"),
    ("REVIEW", "reject"): ("DEVELOPING", "reviewer"),
    ("REVIEW", "pass"): ("PUBLISHED", "reviewer"),
    ("PUBLISHED", "new_version"): ("DEVELOPING", "developer"),
    ("PUBLISHED", "delist"): ("DELISTED", "holder reviewer clock"),
    ("DELISTED", "relist"): ("DEVELOPING", "developer"),
}
"""pricing.md §9, typed anew."""
SUBMITTED = Case(State.REVIEW, NOW, submitter="staff:dev1", submitter_key="key-dev1")
SIGNERS = {
    Actor.DEVELOPER: Signer("party:dev", SELLER, "key-dev", frozenset({Actor.DEVELOPER})),
    Actor.SUBMITTER: Signer("staff:dev1", SELLER, "key-dev1", frozenset({Actor.SUBMITTER})),
    Actor.HOLDER: Signer("party:dev", SELLER, "key-dev", frozenset({Actor.HOLDER})),
    Actor.REVIEWER: Signer("staff:rev", OPERATOR, "key-rev", frozenset({Actor.REVIEWER})),
    Actor.CLOCK: Signer("party:op", "", "key-op", frozenset({Actor.CLOCK})),
}


def body_by(move: Move, actor: Actor, **changes: Any) -> ElementMove:
    return body_for(move, **({"rule": "§9"} if actor is Actor.CLOCK else {}) | changes)


@pytest.mark.parametrize(("state", "move", "actor"), list(product(State, Move, Actor)))
def test_move__every_state_move_and_actor__only_as_the_table_has_it(state: State, move: Move, actor: Actor) -> None:
    case, edge, signer = replace(SUBMITTED, state=state), TABLE.get((state.value, move.value)), SIGNERS[actor]
    body = body_by(move, actor)
    if edge is None:
        with pytest.raises(WrongMove):
            check_move(ID, version_of(), case, body, signer)
    elif move in STATED:
        assert (MOVES[state, move].target.value, set(MOVES[state, move].actors)) == (edge[0], {Actor.DEVELOPER})
        with pytest.raises(WrongMove):  # it is stated by element-version/v1
            check_move(ID, version_of(), case, body, signer)
    elif actor.value in edge[1].split():
        check_move(ID, version_of(), case, body, signer)
        assert moved(ID, version_of(), case, body, signer.by, signer.key, NOW).state.value == edge[0]
    else:
        with pytest.raises(NotEntitled):
            check_move(ID, version_of(), case, body, signer)


def test_table__is_that_of_the_rule__and_nothing_leads_out_of_delisted_but_a_new_version() -> None:
    found = {(state.value, move.value): (edge.target.value, set(edge.actors)) for (state, move), edge in MOVES.items()}
    assert found == {key: (target, set(actors.split())) for key, (target, actors) in TABLE.items()}
    assert moves.open_moves(State.DELISTED) == (Move.RELIST,)


@pytest.mark.parametrize(
    ("state", "move", "number"),
    [(None, Move.CREATE, 1), (State.DEVELOPING, Move.REVISE, 3), (State.REVIEW, None, 3),
     (State.PUBLISHED, Move.NEW_VERSION, 4), (State.DELISTED, Move.RELIST, 4)],
)  # fmt: skip
def test_stated__in_every_state__takes_its_move_and_the_number_that_follows(
    state: State | None, move: Move | None, number: int
) -> None:
    before = (version_of(version=3), Case(state, NOW)) if state else None
    if move is None:
        with pytest.raises(WrongMove):
            check_stated(ID, before, version_of(version=number))
        return
    assert check_stated(ID, before, version_of(version=number)) is move
    for wrong in {number - 1, number + 1} - {0}:
        with pytest.raises(BadTerms, match=r"body\.version"):
            check_stated(ID, before, version_of(version=wrong))
    if before:
        with pytest.raises(BadTerms, match=r"body\.developer"):
            check_stated(ID, before, version_of(version=number, developer=PROVIDER))


def test_move__field_left_out_or_alien__named() -> None:
    full = {"review": PAPER, "security": PAPER, "rule": "§9"}
    assert set(full) | {"move", "version", "reason"} == {item.name for item in fields(ElementMove)}
    for (state, move), edge in MOVES.items():
        if move in STATED:
            continue
        needs, may = moves.CARRIES.get(move, (frozenset(), frozenset()))
        for actor in edge.actors:
            case, own = replace(SUBMITTED, state=state), needs | ({"rule"} if actor is Actor.CLOCK else set())
            empty = ElementMove(move, 1)
            for name in own:
                lacking = replace(body_by(move, actor), **{name: getattr(empty, name)})
                with pytest.raises(BadTerms, match=f"body.{name}"):
                    check_move(ID, version_of(), case, lacking, SIGNERS[actor])
            for name in set(full) - own - (may - {"rule"}):
                alien = replace(body_by(move, actor), **{name: full[name]})
                with pytest.raises(BadTerms, match=f"body.{name}"):
                    check_move(ID, version_of(), case, alien, SIGNERS[actor])


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"organisation": SELLER}, "another organisation"), ({"by": "staff:dev1"}, "did not submit"),
     ({"key": "key-dev1"}, "did not submit")],
)  # fmt: skip
def test_review__by_the_developer_the_submitter_or_with_its_key__refused(changes: dict[str, str], why: str) -> None:
    signer = replace(SIGNERS[Actor.REVIEWER], **changes)
    for move in (Move.PASS, Move.REJECT):
        with pytest.raises(NotEntitled, match=why):
            check_move(ID, version_of(), SUBMITTED, body_for(move), signer)


@pytest.mark.parametrize(
    ("known", "given_", "published"),
    [(None, None, None), (PAPER, None, PAPER), (None, OTHER, OTHER), (PAPER, PAPER, PAPER), (PAPER, OTHER, None)],
)
def test_pass__security_review__there_before_it_is_published(
    known: Twin | None, given_: Twin | None, published: Twin | None
) -> None:
    value, body, signer = version_of(security=known), body_for(Move.PASS, security=given_), SIGNERS[Actor.REVIEWER]
    if published is None:
        with pytest.raises(BadTerms, match=r"body\.security"):
            check_move(ID, value, SUBMITTED, body, signer)
        return
    check_move(ID, value, SUBMITTED, body, signer)
    after = moved(ID, value, SUBMITTED, body, signer.by, signer.key, NOW + 5)
    assert (after.security, after.published_at, after.reviewer) == (published, NOW + 5, "staff:rev")


# --- identifier, version ---------------------------------------------------------------------------------------------


def _checks(text: str) -> bool:
    """ISO/IEC 7064 MOD 37,36 by its recursion, not by the library."""
    rest = 36
    for character in text[:-1]:
        rest = (rest + ALPHABET.index(character)) % 36 or 36
        rest = rest * 2 % 37
    return (rest + ALPHABET.index(text[-1])) % 36 == 1


@given(st.text(ALPHABET, min_size=19, max_size=19), st.integers(0, 19), st.sampled_from(ALPHABET))
@settings(max_examples=few(100), deadline=None)
def test_identifier__one_wrong_character__is_found(stem: str, place: int, other: str) -> None:
    right = identity_of(stem)
    assert _checks(right)
    assert mod_37_36.is_valid(right)
    assert id_of(subject_of(right)) == right
    wrong = right[:place] + other + right[place + 1 :]
    if wrong != right:
        with pytest.raises(BadTerms, match="校验位"):
            check_identifier(wrong, "id")


@pytest.mark.parametrize("text", ["", "7", ID.lower(), ID + "0", ID[:-1], ID[:-1] + "\n", f"{ID}\n"])
def test_identifier__of_another_shape__refused(text: str) -> None:
    with pytest.raises(BadTerms):
        check_identifier(text, "id")
    with pytest.raises(BadTerms):
        id_of(f"element:{text}")
    with pytest.raises(BadTerms):
        id_of(f"listing:{ID}")
    with pytest.raises(BadTerms):
        identity_of(ID)


@pytest.mark.parametrize(("where", "changes"), [
    ("body.domain", {"domain": "我自己的领域"}),
    ("body.scenes", {"scenes": ("a", "a")}),
    ("body.metadata.time_from", {"metadata": metadata_of(time_from="2026-02-30")}),
    ("body.metadata.time_to", {"metadata": metadata_of(time_to="2024-12-31")}),
    ("body.metadata.fields", {"metadata": metadata_of(fields=metadata_of().fields[:1] * 2)}),
    ("body.sources", {"sources": (source_of(), source_of())}),
    ("body.sources[0].rights", {"sources": (source_of(rights=(Right.USE, Right.USE)),)}),
    ("body.sources[0].valid_to", {"sources": (source_of(valid_to=NOW - 30 * DAY),)}),
])  # fmt: skip
def test_version__one_thing_wrong__named(where: str, changes: dict[str, Any]) -> None:
    check_version(version_of())
    with pytest.raises(BadTerms) as error:
        check_version(version_of(**changes))
    assert error.value.field == where


@pytest.mark.parametrize("name", ["desensitisation", "quality", "cost"])
@pytest.mark.parametrize("form", list(type(version_of().form)))
def test_publication__a_paper_missing__named_for_both_forms(name: str, form: Any) -> None:
    value = version_of(form=form)
    check_ready(value, NOW)
    with pytest.raises(BadTerms) as error:
        check_ready(replace(value, **{name: None}), NOW)
    assert error.value.field == f"version.{name}"


@pytest.mark.parametrize(("where", "changes"), [
    ("rights", {"rights": (Right.HOLD, Right.OPERATE)}),
    ("valid_from", {"valid_from": NOW + 1}),
    ("valid_to", {"valid_to": NOW}),
    ("scenes", {"scenes": ("演示",)}),
])  # fmt: skip
def test_publication__right_of_use_in_every_source__at_the_time_and_for_the_scene(
    where: str, changes: dict[str, Any]
) -> None:
    second = source_of(resource="resource:weather", **changes)
    with pytest.raises(PricingRefused) as error:
        check_ready(version_of(sources=(source_of(), second)), NOW)
    assert (error.value.code, error.value.field) == ("RIGHT_MISSING", f"version.sources[1].{where}")


# --- random acts -----------------------------------------------------------------------------------------------------

PEOPLE = (
    Signer("party:dev", SELLER, "key-dev", frozenset({Actor.DEVELOPER, Actor.HOLDER})),
    Signer("staff:dev1", SELLER, "key-dev1", frozenset({Actor.DEVELOPER})),
    Signer("staff:dev2", SELLER, "key-dev2", frozenset({Actor.DEVELOPER})),
    Signer("staff:own", SELLER, "key-own", frozenset({Actor.REVIEWER})),
    Signer("staff:dev1", SELLER, "key-dev1", frozenset({Actor.REVIEWER})),
    Signer("staff:twin", OPERATOR, "key-dev2", frozenset({Actor.REVIEWER})),
    Signer("staff:rev", OPERATOR, "key-rev", frozenset({Actor.REVIEWER})),
    Signer("party:heir", PROVIDER, "key-heir", frozenset({Actor.HOLDER})),
    Signer("party:op", "", "key-op", frozenset({Actor.CLOCK})),
    Signer("party:stranger", PROVIDER, "key-x", frozenset()),
)
ACT = st.tuples(st.sampled_from(Move), st.sampled_from(PEOPLE), st.integers(0, 1))
LEAD = (Move.CREATE, Move.SUBMIT, Move.PASS)


@dataclass
class Life:
    """An element folded from acts by the pure stages, and the acts that were taken: (move, version, who)."""

    held: dict[int, tuple[ElementVersion, Case]] = field(default_factory=dict)
    taken: list[tuple[Move, int, Signer]] = field(default_factory=list)

    def attempt(self, move: Move, who: Signer, back: int) -> None:
        newest = max(self.held, default=0)
        try:
            if move in STATED:
                if Actor.DEVELOPER not in who.actors:
                    return  # the service asks for the developer's own signature
                value = version_of(version=newest + (move is not Move.REVISE))
                if check_stated(ID, self.held.get(newest), value) is not move:
                    return
                before = self.held.get(value.version)
                self.held[value.version] = (value, stated(before[1] if before else None, move, NOW))
                self.taken.append((move, value.version, who))
                return
            number = newest - back
            if number not in self.held:
                return
            value, case = self.held[number]
            signer = replace(who, actors=who.actors | ({Actor.SUBMITTER} if who.by == case.submitter else set()))
            body = body_for(move, number, **({"rule": "§9"} if Actor.CLOCK in who.actors else {}))
            check_move(ID, value, case, body, signer)
            self.held[number] = (value, moved(ID, value, case, body, who.by, who.key, NOW))
            self.taken.append((move, number, who))
        except ClearingError:
            return


@given(st.lists(ACT, max_size=60))
@settings(max_examples=few(150), deadline=None)
def test_random_acts__published_only_after_review_by_another_person__delisted_for_good(acts: Any) -> None:
    """Row 22: every third act is led on a good way, so that all states are reached often."""
    life, delisted = Life(), set[int]()
    people = {Move.CREATE: PEOPLE[0], Move.SUBMIT: PEOPLE[1], Move.PASS: PEOPLE[6]}
    for place, (move, who, back) in enumerate(acts):
        if place % 3 == 0:
            for led in LEAD if place % 2 else (*LEAD[1:], Move.NEW_VERSION, Move.RELIST):
                life.attempt(led, people.get(led, PEOPLE[0]), 0)
        life.attempt(move, who, back)
        for number, (value, case) in life.held.items():
            history = [(done, by) for done, about, by in life.taken if about == number]
            if number in delisted:
                assert case.state is State.DELISTED
            if case.state in (State.PUBLISHED, State.DELISTED):
                passed = [place for place, (done, _) in enumerate(history) if done is Move.PASS]
                assert len(passed) == 1
                reviewer, (before, submitter) = history[passed[0]][1], history[passed[0] - 1]
                assert before is Move.SUBMIT
                assert (reviewer.by, reviewer.key) not in {(submitter.by, submitter.key)}
                assert reviewer.by != submitter.by
                assert reviewer.key != submitter.key
                assert reviewer.organisation != value.developer
                assert all(done is Move.DELIST for done, _ in history[passed[0] + 1 :])
            if case.state is State.DELISTED:
                delisted.add(number)
        assert [case.state in (State.DEVELOPING, State.REVIEW) for _, case in life.held.values()][:-1].count(True) == 0


def test_random_acts__the_good_way__reaches_every_state() -> None:
    life, dev, clerk, rev = Life(), *(PEOPLE[place] for place in (0, 1, 6))
    seen = []
    for move, who in ((Move.CREATE, dev), (Move.SUBMIT, clerk), (Move.PASS, rev), (Move.DELIST, dev)):
        life.attempt(move, who, 0)
        seen.append(life.held[1][1].state)
    assert seen == [State.DEVELOPING, State.REVIEW, State.PUBLISHED, State.DELISTED]
    life.attempt(Move.RELIST, dev, 0)
    assert {number: case.state for number, (_, case) in life.held.items()} == {
        1: State.DELISTED, 2: State.DEVELOPING,
    }  # fmt: skip
