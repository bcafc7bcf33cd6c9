"""GET /api/subjects/{subject}/facts: all acts with their proof for whom they concern, proof of absence for any key."""

from __future__ import annotations

import httpx
import pytest

from api.jobs import transaction
from ledger import anchoring, log, outbox, subject_map
from ledger.anchoring import Place
from ledger.answer import Answer
from tests.api.house import OPERATOR, Platform
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL

SUBJECT = f"party:{PROVIDER}"


def publish(platform: Platform) -> None:
    """Map, head and a noted place; no node is asked here."""
    with transaction(platform.system) as session:
        subject_map.cover(session, platform.system.settings.origin, platform.system.operator.signer, at=platform.now)
        head = log.seal(session, platform.system.log_keys, at=platform.now)
        assert head is not None
        key = outbox.head_key(head.checkpoint.size)
        anchoring.note_places(session, "EvidenceLog", {key: Place(31337, "0x" + "0" * 40, "0x" + "0" * 64, 1)})


def ask(platform: Platform, subject: str, by: str) -> httpx.Response:
    return platform.client.get(f"/api/subjects/{subject}/facts", headers=platform.headers(by))


@pytest.fixture
def published(platform: Platform) -> Platform:
    assert ask(platform, SUBJECT, SUBJECT).status_code == 409, "no map is published yet"
    publish(platform)
    return platform


def test_facts__of_oneself__all_with_proof(published: Platform) -> None:
    answer = ask(published, SUBJECT, SUBJECT)
    assert answer.status_code == 200
    found = Answer.of_bytes(answer.content)
    assert [row.fact.kind for row in found.facts if row.fact] == ["party/v1"]
    assert found.leaf is not None
    assert found.leaf.acts == 1
    assert len(answer.content) < 10_000


def test_facts__of_another__refused__overseers_may(published: Platform) -> None:
    answer = ask(published, SUBJECT, f"party:{RIVAL}")
    assert answer.status_code == 403
    assert "只给相关方" in answer.json()["message"]
    for house in (AGENCY, OPERATOR):
        assert ask(published, SUBJECT, f"party:{house}").status_code == 200


def test_facts__of_nobody__any_key_holder_gets_the_proof_of_absence(published: Platform) -> None:
    answer = ask(published, "agreement:nobody", f"party:{RIVAL}")
    assert answer.status_code == 200
    found = Answer.of_bytes(answer.content)
    assert (found.facts, found.newer) == ((), ())


def test_facts__without_key__401(published: Platform) -> None:
    assert published.client.get(f"/api/subjects/{SUBJECT}/facts").status_code == 401


@pytest.mark.parametrize("subject", ["x", "party:%20", "%E4%BA%8B:1", "party:" + "9" * 300, "%00"])
def test_facts__a_text_that_is_no_subject__422(published: Platform, subject: str) -> None:
    answer = ask(published, subject, SUBJECT)
    assert answer.status_code == 422
    assert answer.json()["field"] == "statement.subject"
