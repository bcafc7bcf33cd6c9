"""Three real bundles in one published log: a register-like entry, a part of a batch, an act with two signers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from ledger import bundle, checkpoint, store
from ledger.bundle import Bundle
from ledger.checkpoint import Checkpoint
from ledger.facts import Fact, Signed
from ledger.verify import Report, verify
from tests.ledger.builders import NOW, ActRules, World, act_signatures, act_statement, introduce, state

PARTS = [b'{"n":%d}' % i for i in range(5)]


@dataclass
class Case:
    """A world, its session, its newest head and the bundles that verify under it."""

    world: World
    session: Session
    head: Checkpoint
    bundles: dict[str, Bundle]
    facts: dict[str, Fact]

    def check(self, data: bytes, **more: Any) -> Report:
        """The library's verdict with the world's own chain, head, trust and rules."""
        given: dict[str, Any] = {"chain": self.world.chain, "head": self.head, "rules": {"act/v1": ActRules()}}
        trust = more.pop("trust", None) or self.world.trust()
        return verify(data, trust, **{**given, **more})


def act(world: World, session: Session, **more: Any) -> Fact:
    statement = act_statement(world, session, **more)
    return store.append(session, Signed(statement, act_signatures(statement)), at=NOW).fact


def made() -> Case:
    """Identities, an older head, three facts, some others, and the published head over all."""
    world = World()
    session = world.session()
    facts = {name: introduce(session, name, "party:A") for name in ("party:X", "party:Y")}
    facts["connector:C"] = introduce(session, "connector:C", "party:X")
    world.publish(session, at=NOW - 600)
    facts["entry"] = state(session, "entry/v1", "entry:1", {"title": "航班", "right": "hold"}, "party:A")
    facts["other"] = state(session, "entry/v1", "entry:2", {"title": "天气", "right": "use"}, "party:A")
    facts["batch"] = state(session, "batch/v1", "batch:C", {"first": 1}, "connector:C", parts=PARTS)
    facts["act"] = act(world, session)
    for i in range(4):
        state(session, "entry/v1", f"entry:f{i}", {"x": i}, "party:A")
    head = world.publish(session, at=NOW + 60)
    kept = world.face.call(world.chain, [facts["act"]])
    world.chain.send(kept)
    return Case(world, session, head.checkpoint, bundles(session, facts), facts)


def bundles(session: Session, facts: dict[str, Fact]) -> dict[str, Bundle]:
    def of(name: str, *supports: str, parts: tuple[int, ...] = ()) -> Bundle:
        return bundle.assemble(session, facts[name].id, parts=parts, supports=[facts[item].id for item in supports])

    return {
        "entry": of("entry"),
        "batch": of("batch", "connector:C", "party:X", parts=(1, 3)),
        "act": of("act", "party:X", "party:Y"),
    }


def resign_head(case: Case, point: Checkpoint) -> str:
    """The note of another checkpoint, validly signed by the log and both witnesses."""
    note = checkpoint.sign_note(point, case.world.keys)
    lines = [checkpoint.cosign(note, name, secret, point.at) for name, secret in case.world.witness_keys.items()]
    return checkpoint.add_lines(note, lines)
