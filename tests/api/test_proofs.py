"""Which identities and fields go into a bundle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from api.proofs import bundle_of
from ledger import disclosure, store
from ledger.errors import FieldError
from ledger.facts import Fact, PartsRoot, Statement
from tests.ledger.builders import NOW, World, introduce, sign, state

KNOWN = frozenset({"party:A"})
DOCUMENT = {"price": 35, "salt": "5a" * 32, "scope": "演示"}


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.engine.dispose()


@pytest.fixture
def session(world: World) -> Iterator[Session]:
    with world.session() as opened:
        yield opened


def with_fields(session: Session, kind: str) -> Fact:
    parts = disclosure.parts_of(DOCUMENT)
    names = list(disclosure.names_of(DOCUMENT))
    statement = Statement(kind, "thing:1", 0, None, {"fields": names}, PartsRoot.over(parts))
    return store.append(session, sign(statement, "party:A"), at=NOW, parts=parts).fact


def test_supports__the_identity_that_held_then__and_of_who_vouched__by_ascending_index(
    world: World, session: Session
) -> None:
    owner = introduce(session, "party:X", "party:A")
    gate = introduce(session, "connector:C", "party:X")
    batch = state(session, "batch/v1", "batch:C", {}, "connector:C", at=NOW + 5)
    state(session, "connector/v1", "connector:C", {"sm2": "later"}, "party:X", at=NOW + 9)
    world.publish(session, at=NOW + 60)
    made = bundle_of(session, batch.id, KNOWN)
    assert [item.fact.id for item in made.supports] == [owner.id, gate.id]
    assert [item.index for item in made.supports] == sorted(item.index for item in made.supports)


def test_supports__signers_of_every_trust_file__left_out(world: World, session: Session) -> None:
    introduce(session, "party:A")
    fact = state(session, "entry/v1", "entry:1", {}, "party:A")
    world.publish(session)
    assert bundle_of(session, fact.id, KNOWN).supports == ()


@pytest.mark.parametrize(
    ("kind", "fields", "numbers"),
    [
        ("register-entry/v1", None, (0, 1, 2)),
        ("register-entry/v1", "", ()),
        ("register-entry/v1", "scope", (2,)),
        ("agreement-act/v1", None, ()),
        ("agreement-act/v1", "scope,price", (0, 2)),
        ("agreement-act/v1", "all", (0, 1, 2)),
    ],
)
def test_fields__a_paper_shows_all_and_an_agreement_none__unless_chosen(
    world: World, session: Session, kind: str, fields: str | None, numbers: tuple[int, ...]
) -> None:
    fact = with_fields(session, kind)
    world.publish(session)
    assert tuple(part.index for part in bundle_of(session, fact.id, KNOWN, fields=fields).parts) == numbers


@pytest.mark.parametrize("fields", ["salt", "salt,scope", "other", "all,scope"])
def test_fields__unknown_or_the_salt_without_the_rest__refused(world: World, session: Session, fields: str) -> None:
    fact = with_fields(session, "agreement-act/v1")
    world.publish(session)
    with pytest.raises(FieldError, match="fields"):
        bundle_of(session, fact.id, KNOWN, fields=fields)


def test_fields__of_a_fact_without_any__refused(world: World, session: Session) -> None:
    fact = state(session, "entry/v1", "entry:1", {}, "party:A")
    world.publish(session)
    with pytest.raises(FieldError, match="entry/v1"):
        bundle_of(session, fact.id, KNOWN, fields="scope")
    assert bundle_of(session, fact.id, KNOWN, fields="").parts == ()
