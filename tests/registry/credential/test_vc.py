"""The credential of an issued certificate, and the lists that say how it stands, read by an independent verifier."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from ledger import canonical, store
from ledger.digest import twin
from registry import issuing, validity
from registry import store as views
from registry.certificate import Record, RegisterEntry, Status, holder_of, record_in
from registry.credential.did import did_document
from registry.credential.service import status_list
from registry.credential.status_list import Purpose
from registry.credential.vc import CONTEXT_PATH, TERMS, context, credential, id_commitment, id_salt
from registry.document import DECLARATION
from registry.errors import PaperRefused, Unknown
from registry.form import Held, RegistrationType
from registry.projecting import project
from registry.rights import Right
from tests.registry.credential.independent import bits, jcs, sm2_verified, verified
from tests.registry.registry_house import CALENDAR, PROVIDER, House, a_form, a_person


def issued(house: House, **changes: Any) -> tuple[str, issuing.Papers, dict[str, Any]]:
    code = house.certificate(a_form(**changes))
    papers = house.issue(code)
    return code, papers, json.loads(papers.credential)


def entry_of(house: House, code: str) -> tuple[RegisterEntry, Record]:
    from ledger.reading import read

    row = views.certificate(house.session, code)
    entry = read(RegisterEntry, store.fact(house.session, row.fact_id).body)
    return entry, record_in(entry, store.parts_of(house.session, row.fact_id))


@pytest.mark.clause("G23", "G27", "I-27")
def test_credential__says_what_the_paper_says__and_an_independent_verifier_believes_it(house: House) -> None:
    code, papers, found = issued(house)
    keys = did_document(house.issuer)
    assert verified(papers.credential, keys)
    assert sm2_verified(papers.credential, keys)
    paper = json.loads(papers.json)
    subject = found["credentialSubject"]
    assert (subject["certCode"], subject["version"]) == (code, 1) == (paper["entry"]["code"], paper["entry"]["version"])
    assert subject["dataName"] == paper["record"]["description"]["data_name"]
    assert subject["digests"] == {"sha-256": paper["entry_fact"]["sha256"], "sm3": paper["entry_fact"]["sm3"]}
    assert subject["rights"] == ["HOLD", "USE", "OPERATE"]
    assert subject["declaration"] == DECLARATION == paper["declaration"]
    for name, second in (
        ("validFrom", paper["entry"]["valid_from"]),
        ("validUntil", paper["entry"]["valid_until"] - 1),
    ):
        assert int(datetime.fromisoformat(found[name]).timestamp()) == second
    assert int(datetime.fromisoformat(subject["depositedAt"]).timestamp()) == paper["entry"]["deposited_at"]
    assert found["type"] == ["VerifiableCredential", "DataPropertyRightRegistration"]
    assert found["@context"] == ["https://www.w3.org/ns/credentials/v2", house.issuer.base + CONTEXT_PATH]
    assert found["id"] == f"{house.issuer.base}/check?code={code}&v=1"


@pytest.mark.clause("G23")
def test_credential__holds_nothing_personal__and_the_holder_can_open_the_commitment(house: House) -> None:
    _, papers, found = issued(house)
    text = papers.credential.decode()
    for secret in (
        PROVIDER,
        "演示联系人",
        "0571-00000000",
        json.loads(papers.json)["record"]["salt"],
        papers.fact.body["token"],
    ):
        assert secret not in text
    (holder,) = found["credentialSubject"]["holder"]
    _, record = entry_of(house, found["credentialSubject"]["certCode"])
    opened = id_commitment(PROVIDER, id_salt(record, PROVIDER))
    assert holder["idCommitment"] == {"sha-256": opened.sha256.hex(), "sm3": opened.sm3.hex()}
    bare = [twin(PROVIDER.encode()), twin(canonical.encode({"id_no": PROVIDER}))]
    assert holder["idCommitment"]["sm3"] not in [digest.sm3.hex() for digest in bare]


def test_credential__of_a_natural_person__does_not_even_name_them(house: House) -> None:
    code = house.certificate(a_form())
    entry, record = entry_of(house, code)
    human = a_person("演示自然人", "33010619900101123X")
    person = replace(record, holders=(holder_of(human),))
    document = credential(entry, person, twin(b"x"), house.issuer, 1, 5, DECLARATION)
    text = json.dumps(document, ensure_ascii=False)
    assert "演示自然人" not in text
    assert "330106" not in re.sub("[0-9a-f]{64}", "", text), "a digest may hold any six digits"
    assert human.party not in text
    assert document["credentialSubject"]["holder"][0]["kind"] == "自然人"


def test_context__defines_every_term_a_credential_uses(house: House) -> None:
    _, _, found = issued(house)
    known = set(context(house.issuer.base)["@context"]) | {"id", "type"}

    def names(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(names, value)) if value else set()
        if isinstance(value, dict):
            return set(value) | set().union(*map(names, value.values()))
        return set()

    assert names(found["credentialSubject"]) <= known
    assert "sm2Signature" in known
    assert set(TERMS) <= known


# Status lists ---------------------------------------------------------------------------------------------------------


def marked(house: House, purpose: Purpose, number: int = 1, at: int | None = None) -> set[int]:
    data = status_list(house.session, house.issuer, purpose, number, at or house.now)
    keys = did_document(house.issuer)
    assert verified(data, keys)
    assert sm2_verified(data, keys)
    document = json.loads(data)
    assert document["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
    assert document["credentialSubject"]["statusPurpose"] == purpose.value
    assert document["credentialSubject"]["type"] == "BitstringStatusList"
    return bits(data)


def test_status_entries__name_the_lists_that_are_served_and_a_place_of_their_own(house: House) -> None:
    places = set()
    for content in (b"a\n1\n", b"a\n2\n", b"a\n3\n"):
        _, papers, found = issued(house, content=content)
        entries = found["credentialStatus"]
        assert [item["statusPurpose"] for item in entries] == ["revocation", "suspension"]
        for item in entries:
            assert item["type"] == "BitstringStatusListEntry"
            assert item["id"] == f"{item['statusListCredential']}#{item['statusListIndex']}"
            served = status_list(house.session, house.issuer, Purpose(item["statusPurpose"]), 1, house.now)
            assert json.loads(served)["id"] == item["statusListCredential"]
            assert item["statusListIndex"] == str(papers.fact.body["status_index"])
        places.add(entries[0]["statusListIndex"])
    assert len(places) == 3
    assert places != {"0", "1", "2"}


STATES = [
    (Status.VALID, set()), (Status.LAPSED, set()), (Status.CANCELLED, {Purpose.REVOCATION}),
    (Status.TRANSFERRED, {Purpose.REVOCATION}), (Status.SUPERSEDED, {Purpose.REVOCATION}),
    (Status.RENEWAL_PENDING, {Purpose.SUSPENSION}), (None, set()),
]  # fmt: skip


@pytest.mark.parametrize(("status", "lists"), STATES)
def test_lists__status_of_the_register__sets_the_bit_of_this_certificate_alone(
    house: House, monkeypatch: pytest.MonkeyPatch, status: Status | None, lists: set[Purpose]
) -> None:
    code, papers, _ = issued(house)
    _, other, _ = issued(house, content=b"a\n2\n")
    index = papers.fact.body["status_index"]
    assert index != other.fact.body["status_index"]
    kept = validity.version_status

    def told(session: Any, row: Any, at: int) -> tuple[Status | None, bool]:
        return (status, False) if row.code == code else kept(session, row, at)

    monkeypatch.setattr(validity, "version_status", told)
    for purpose in Purpose:
        assert marked(house, purpose) == ({index} if purpose in lists else set())


@pytest.mark.clause("G35", "B-03", "L-02")
def test_lists__an_older_version__is_revoked_the_newer_is_not(house: House) -> None:
    code, first, _ = issued(house)
    ended = (Held(PROVIDER, Right.OPERATE),)
    house.later(house.draft(code, RegistrationType.CANCELLATION, ended=ended))
    second = house.issue(code, 2)
    assert marked(house, Purpose.REVOCATION) == {first.fact.body["status_index"]}
    assert second.fact.body["status_index"] != first.fact.body["status_index"]
    row = views.certificate_version(house.session, code, 1)
    assert validity.version_status(house.session, row, house.now) == (Status.SUPERSEDED, False)


def test_lists__same_statuses__same_bits_at_any_time_and_the_document_says_when(house: House) -> None:
    issued(house)
    one, again, later = (
        json.loads(status_list(house.session, house.issuer, Purpose.REVOCATION, 1, at))
        for at in (house.now, house.now, house.now + 3600)
    )
    assert one["credentialSubject"] == again["credentialSubject"] == later["credentialSubject"]
    assert int(datetime.fromisoformat(later["validFrom"]).timestamp()) == house.now + 3600


def test_lists__the_first_is_there_before_any_certificate__others_are_not(house: House) -> None:
    assert marked(house, Purpose.REVOCATION) == set()
    with pytest.raises(Unknown):
        status_list(house.session, house.issuer, Purpose.REVOCATION, 2, house.now)


def test_place__survives_reindex__and_no_two_certificates_share_one(house: House) -> None:
    code, papers, _ = issued(house)
    house.session.delete(views.issue_of(house.session, code, 1))
    house.session.flush()
    house.session.expunge_all()
    project(house.session, papers.fact)
    row = views.issue_of(house.session, code, 1)
    assert row is not None
    assert (row.status_list, row.status_index) == (papers.fact.body["status_list"], papers.fact.body["status_index"])
    other = house.certificate(a_form(content=b"a\n2\n"))
    draft = replace(house.drawn(other), status_list=1, status_index=row.status_index)
    sealed = house.seal.press(draft.body, draft.picture, reason="", place="", at=house.now)
    more = {"signer": house.signer, "at": house.now, "calendar": CALENDAR}
    with pytest.raises(PaperRefused, match="状态列表"):
        issuing.issue(house.session, house.agency, draft, sealed, **more)
    house.session.add(type(row)(**row.model_dump() | {"code": other}))
    with pytest.raises(IntegrityError):
        house.session.flush()
    house.session.rollback()


def test_credential__is_the_one_part_of_the_issued_fact(house: House) -> None:
    _, papers, _ = issued(house)
    assert store.parts_of(house.session, papers.fact.id) == [papers.credential]
    assert jcs(json.loads(papers.credential)) == papers.credential
