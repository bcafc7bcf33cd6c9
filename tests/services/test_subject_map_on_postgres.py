"""The map of all subjects on a real PostgreSQL: kept up, served, dropped where replaced, made again, audited."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from ledger import anchoring, audit, completeness, log, outbox, signing, store, subject_map, tables
from ledger.anchoring import Place
from ledger.checkpoint import LogKeys
from ledger.facts import Statement
from tests.ledger.builders import NOW, ORIGIN, key, sign

pytestmark = pytest.mark.services

SIGNER = signing.SystemSigner(key("party:A"), "party:A")
KEYS = LogKeys(ORIGIN, b"\x01" * 32, key("log"))


def test_subject_map__three_heads_and_a_rebuild__every_subject_proved(writer: Engine) -> None:
    with Session(writer) as session:
        for head in range(3):
            for i in range(40 if head == 0 else 5):
                subject = f"note:{i}"
                no, prev = store.next_of(session, subject)
                store.append(session, sign(Statement("note/v1", subject, no, prev, {}), "party:A"), at=NOW)
            stated = subject_map.cover(session, ORIGIN, SIGNER, at=NOW + head)
            assert stated is not None
            sealed = log.seal(session, KEYS, at=NOW + head)
            assert sealed is not None
            place = Place(31337, "0x" + "0" * 40, "0x" + "0" * 64, head)
            anchoring.note_places(session, outbox.HEADS, {outbox.head_key(sealed.checkpoint.size): place})
            proved(session)
        kept = tables.map_leaf.c.key == completeness.key_of("note:1")
        assert len(session.execute(select(tables.map_leaf.c.size).where(kept)).all()) == 2
        subject_map.rebuild(session, ORIGIN)
        proved(session)
        session.commit()


def proved(session: Session) -> None:
    """Every subject of the published map and many absent ones lead to its root; nothing stored is out of place."""
    stated = subject_map.published(session, ORIGIN)
    assert stated is not None
    size, root, _ = subject_map.read(stated)
    for i in range(60):
        name = f"note:{i}"
        leaf, siblings = subject_map.prove(session, name, size)
        there = completeness.key_of(name)
        assert completeness.root_of_path(there, leaf, siblings) == completeness.joined(root)
        assert (leaf is not None and leaf.key == there) == (i < 40)
    assert list(audit.maps(session, ORIGIN)) == []
