"""Heads and facts reach the chain once, whatever line the publisher dies at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ledger import anchoring, log, outbox, tables
from ledger.chain import Call, ChainReceipt, MemoryChain, head_commitment
from ledger.digest import sha256
from ledger.errors import ChainError, ChainUnavailable, TransactionReverted
from ledger.facts import Fact
from tests.ledger.builders import NOW, NotaryFace, World, state


class Died(Exception):
    """The publisher's process ends here."""


class CrashingChain:
    """The memory chain; the process dies (or the answer is lost) at the numbered step of talking to it."""

    def __init__(self, inner: MemoryChain, at: int, error: Callable[[], Exception]) -> None:
        self._inner, self._left, self._error = inner, at, error

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise self._error()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, *args: Any) -> Any:
        self._step()
        return self._inner.read(*args)

    def events(self, *args: Any, **more: Any) -> Any:
        self._step()
        return self._inner.events(*args, **more)

    def send(self, call: Call) -> ChainReceipt:
        self._step()
        receipt = self._inner.send(call)
        self._step()
        return receipt


def add(session: Session, first: int, count: int, kind: str = "note/v1") -> list[Fact]:
    return [state(session, kind, f"note:{i}", {"x": i}, "party:A") for i in range(first, first + count)]


def publish(world: World, chain: Any, die: Callable[[str], None]) -> None:
    """What the worker does: read what is due, talk to the chain, note it; each in its own transaction."""
    with world.session() as session:
        heads = anchoring.due_heads(session, 2)
    die("head read")
    for head in heads:
        place = anchoring.anchor_head(chain, head, world.sign_head)
        die("head sent")
        with world.session() as session:
            anchoring.note_places(session, outbox.HEADS, {outbox.head_key(head.checkpoint.size): place})
            die("head noted, not committed")
            session.commit()
    while True:
        with world.session() as session:
            facts = anchoring.due_facts(session, world.face)
        die("facts read")
        if not facts:
            return
        places = anchoring.write_facts(chain, world.face, facts)
        die("facts sent")
        with world.session() as session:
            anchoring.note_places(session, world.face.contract, places)
            die("facts noted, not committed")
            session.commit()


def alive(_line: str) -> None:
    pass


def events(world: World) -> tuple[list[int], list[bytes]]:
    heads = [event.args["size"] for event in world.chain.events("EvidenceLog", "Anchored")]
    return heads, [event.args["name"] for event in world.chain.events("Notary", "Kept")]


def check_done(world: World, facts: list[Fact], sizes: list[int]) -> None:
    """Every head and fact once on the chain, every receipt names its place, nothing is due."""
    heads, names = events(world)
    assert heads == sizes
    assert sorted(names) == sorted(sha256(fact.subject.encode()) for fact in facts)
    with world.session() as session:
        assert anchoring.due_heads(session, 2) == []
        assert anchoring.due_facts(session, world.face) == []
        assert session.execute(select(func.count()).select_from(tables.chain_receipt)).scalar() == len(sizes) + len(
            facts
        )
        found = anchoring.find_facts(world.chain, world.face, facts)
        for fact in facts:
            assert anchoring.place_of(session, "Notary", fact.id) == found[fact.id]
        for size, place in anchoring.find_heads(world.chain).items():
            assert anchoring.place_of(session, outbox.HEADS, outbox.head_key(size)) == place
        assert outbox.published_size(session) == max(sizes)


def prepared(count: int = 5) -> tuple[World, list[Fact]]:
    world = World()
    with world.session() as session:
        facts = add(session, 0, count)
        world.seal(session)
        session.commit()
    return world, facts


def test_publish__nobody_dies__everything_once() -> None:
    world, facts = prepared()
    publish(world, world.chain, alive)
    publish(world, world.chain, alive)
    check_done(world, facts, [5])
    world.engine.dispose()


LINES = [
    "head read",
    "head sent",
    "head noted, not committed",
    "facts read",
    "facts sent",
    "facts noted, not committed",
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("visit", [1, 2])
def test_publish__dies_between_two_lines__started_again_everything_once(line: str, visit: int) -> None:
    world, facts = prepared()
    seen = 0

    def die(now: str) -> None:
        nonlocal seen
        seen += now == line
        if now == line and seen == visit:
            raise Died

    if line.startswith("head") and visit == 2:
        publish(world, world.chain, alive)
        with world.session() as session:
            facts += add(session, 50, 2)
            world.seal(session, at=NOW + 9)
            session.commit()
        seen = 1
    with pytest.raises(Died):
        publish(world, world.chain, die)
    publish(world, world.chain, alive)
    check_done(world, facts, [5] if len(facts) == 5 else [5, 7])
    world.engine.dispose()


@pytest.mark.parametrize("error", [Died, lambda: ChainUnavailable("no answer in time")], ids=["dies", "no answer"])
@pytest.mark.parametrize("step", range(1, 18))
def test_publish__dies_at_every_step_of_talking_to_the_chain__everything_once(
    step: int, error: Callable[[], Exception]
) -> None:
    world, facts = prepared()
    reached = True
    try:
        publish(world, CrashingChain(world.chain, step, error), alive)
    except (Died, ChainUnavailable):
        reached = False
    assert not reached or step > 12
    publish(world, world.chain, alive)
    check_done(world, facts, [5])
    world.engine.dispose()


def test_publish__dies_again_and_again__everything_once() -> None:
    world, facts = prepared(8)
    for step in (1, 2, 3, 1, 4, 2, 5, 3, 6, 1, 7):
        try:
            publish(world, CrashingChain(world.chain, step, Died), alive)
        except Died:
            continue
    publish(world, world.chain, alive)
    check_done(world, facts, [8])
    world.engine.dispose()


def test_anchor_head__another_sender_was_faster__found_not_sent_again(world: World, session: Session) -> None:
    add(session, 0, 2)
    head = world.seal(session)
    first = anchoring.anchor_head(world.chain, head, world.sign_head)

    class Late(CrashingChain):
        def read(self, *args: Any) -> Any:
            return 0 if args == ("EvidenceLog", "latestSize") else self._inner.read(*args)

    second = anchoring.anchor_head(Late(world.chain, 0, Died), head, world.sign_head)  # type: ignore[arg-type]
    assert second == first
    assert events(world)[0] == [2]


def test_anchor_head__contract_refuses_for_another_reason__raised(world: World, session: Session) -> None:
    add(session, 0, 2)
    head = world.seal(session)
    with pytest.raises(TransactionReverted) as refused:
        anchoring.anchor_head(world.chain, head, lambda _chain, _head: b"\0" * 65)
    assert refused.value.error == "InvalidSignature"
    assert events(world)[0] == []


def test_anchor_head__same_size_other_root_on_the_chain__fork_is_not_taken_for_ours(
    world: World, session: Session
) -> None:
    add(session, 0, 2)
    head = world.seal(session)
    fork = World()
    with fork.session() as other:
        add(other, 70, 2)
        foreign = fork.seal(other)
    anchoring.anchor_head(world.chain, foreign, world.sign_head)
    with pytest.raises(ChainError, match=r"fork|分叉"):
        anchoring.anchor_head(world.chain, head, world.sign_head)
    assert outbox.published_size(session) == 0
    fork.engine.dispose()


def test_anchor_head__larger_head_on_the_chain__says_so(world: World, session: Session) -> None:
    add(session, 0, 2)
    small = world.seal(session)
    add(session, 2, 2)
    world.publish(session, at=NOW + 1)
    with pytest.raises(ChainError, match="2"):
        anchoring.anchor_head(world.chain, small, world.sign_head)


def test_anchor_head__commitment_on_the_chain_is_the_heads(world: World, session: Session) -> None:
    add(session, 0, 3)
    head = world.publish(session)
    root = head.checkpoint.root
    want = head_commitment(3, root.sha256, root.sm3, NOW)
    assert world.chain.read("EvidenceLog", "commitmentAt", 3) == want


def test_due_heads__too_few_witnesses__fail_closed(world: World, session: Session) -> None:
    add(session, 0, 2)
    log.integrate(session)
    log.seal(session, world.keys, at=NOW)
    assert anchoring.due_heads(session, 1) == []
    add(session, 2, 1)
    assert len(anchoring.due_heads(session, 0)) == 1
    world.seal(session, at=NOW + 1)
    assert len(anchoring.due_heads(session, 2)) == 1
    assert anchoring.due_heads(session, 3) == []


def test_due_facts__only_its_kinds_only_integrated_oldest_first_limited(world: World, session: Session) -> None:
    facts = add(session, 0, 4)
    state(session, "entry/v1", "entry:1", {}, "party:A")
    assert anchoring.due_facts(session, world.face) == []
    log.integrate(session)
    assert anchoring.due_facts(session, world.face) == facts[:3]
    anchoring.note_places(session, "Notary", anchoring.write_facts(world.chain, world.face, facts[:3]))
    assert anchoring.due_facts(session, world.face) == facts[3:]


def test_write_facts__others_wrote_some__only_the_missing_are_sent(world: World, session: Session) -> None:
    facts = add(session, 0, 3)
    early = anchoring.write_facts(world.chain, world.face, facts[1:2])
    places = anchoring.write_facts(world.chain, world.face, facts)
    assert set(places) == {fact.id for fact in facts}
    assert places[facts[1].id] == early[facts[1].id]
    assert places[facts[0].id] == places[facts[2].id] != early[facts[1].id]
    assert len(events(world)[1]) == 3


def test_write_facts__others_wrote_it_between_look_and_call__found(world: World, session: Session) -> None:
    facts = add(session, 0, 2)
    original = world.face.call

    def slow(chain: Any, missing: Any) -> Call:
        world.chain.send(original(chain, missing))
        return original(chain, missing)

    world.face.call = slow  # type: ignore[method-assign]
    places = anchoring.write_facts(world.chain, world.face, facts)
    assert set(places) == {fact.id for fact in facts}
    assert len(events(world)[1]) == 2


def test_write_facts__truly_refused__raised_and_nothing_noted(world: World, session: Session) -> None:
    facts = add(session, 0, 2)
    world.notary.closed = True
    with pytest.raises(TransactionReverted, match="Closed"):
        anchoring.write_facts(world.chain, world.face, facts)


def test_write_facts__another_commitment_in_its_place__raised(world: World, session: Session) -> None:
    facts = add(session, 0, 1)
    world.notary.kept[sha256(b"note:0")] = b"\1" * 32
    with pytest.raises(ChainError, match="note:0"):
        anchoring.write_facts(world.chain, world.face, facts)


def test_note_places__again__stays_as_it_was(world: World, session: Session) -> None:
    add(session, 0, 1)
    world.publish(session)
    place = anchoring.place_of(session, outbox.HEADS, outbox.head_key(1))
    assert place is not None
    other = anchoring.Place(1, place.address, "0x00", 9)
    anchoring.note_places(session, outbox.HEADS, {outbox.head_key(1): other})
    assert anchoring.place_of(session, outbox.HEADS, outbox.head_key(1)) == place
    anchoring.note_places(session, outbox.HEADS, {})
    anchoring.forget_places(session)
    assert anchoring.place_of(session, outbox.HEADS, outbox.head_key(1)) is None
    assert outbox.published_size(session) == 0


def test_model__refuses_like_the_contract(world: World, session: Session) -> None:
    add(session, 0, 2)
    head = world.publish(session)
    with pytest.raises(TransactionReverted, match="AlreadyAnchored"):
        world.chain.send(anchoring.head_call(world.chain, head, world.sign_head))


class SealFace(NotaryFace):
    """A second family of facts for the same contract."""

    kinds = frozenset({"seal/v1"})


def test_due_facts__two_faces_of_one_contract__take_turns_in_the_order_of_the_log(
    world: World, session: Session
) -> None:
    """Note, seal, note: the second note waits for the seal although its own face comes first."""
    faces = (world.face, SealFace())
    first, seal, last = (
        state(session, kind, f"note:{n}", {"n": n}, "party:A")
        for n, kind in enumerate(("note/v1", "seal/v1", "note/v1"))
    )
    log.integrate(session)

    def due() -> list[list[Fact]]:
        return [anchoring.due_facts(session, face, (), faces) for face in faces]

    assert due() == [[first], []]
    anchoring.note_places(session, "Notary", anchoring.write_facts(world.chain, faces[0], [first]))
    assert due() == [[], [seal]]
    assert [anchoring.due_facts(session, face, [seal.id], faces) for face in faces] == [[last], []]
    anchoring.note_places(session, "Notary", anchoring.write_facts(world.chain, faces[1], [seal]))
    assert due() == [[last], []]
    found = anchoring.read_back(world.chain, faces, [], {"Notary": [first, seal, last]})
    assert set(found["Notary"]) == {first.id, seal.id}
