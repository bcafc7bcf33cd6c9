"""The quote as a fact: signed by its issuer, recomputed before it is taken, once, and folded into its row."""

from dataclasses import replace

import pytest
from pricing_cases import AS_OF, changed, example
from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.errors import NotSigned, UnknownFact
from clearing.pricing import service, store, tables
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import read_input
from clearing.pricing.manifest import Counted
from clearing.pricing.price_report import from_evidence
from clearing.pricing.quote import PRICE_QUOTE
from clearing.pricing.request import read_request
from ledger import canonical, sm
from ledger import store as facts
from ledger.errors import BadSignature, Conflict
from ledger.facts import PartsRoot, Signed, Statement
from ledger.signing import require_sm2, sign_sm2
from tests.databases import in_memory

ISSUER = "party:91110000MA0000001X"
KEY = sm.generate()
AT = AS_OF + 60


@pytest.fixture
def session():
    engine = in_memory()
    with Session(engine) as session:
        yield session
    engine.dispose()


def on_record(session, signed, by, role, at):
    require_sm2(signed.statement, signed.signatures, by=by, key=KEY.public, role=role)


def right_in_force(session, certificate, right, at):
    return (certificate, right) == ("演示凭证一号", "USE")


def drafted(session, *changes):
    document = changed(example(), "/request/element/citable", True)
    for pointer, value in changes:
        document = changed(document, pointer, value)
    counted = read_input(Counted, document["counted"], "counted")
    return service.draft(session, read_request(document["request"]), counted, right_in_force)


def signed_by(statement: Statement, key=KEY, by=ISSUER) -> Signed:
    return Signed(statement, (sign_sm2(key, statement, by=by),))


def take(session, signed, report, at=AT):
    return service.take_quote(
        session, signed, (report.data, report.evidence), at=at,
        require_signature=on_record, right_in_force=right_in_force,
    )  # fmt: skip


def test_quote__signed_and_taken__is_stored_with_its_report_and_checks_out(session):
    report = drafted(session)
    body = take(session, signed_by(service.statement(session, report, ISSUER)), report)
    assert body.kind == "bidding_guide"
    row = store.quote(session, body.report_id)
    assert (row.quote, row.at, row.superseded_by) == (body, AT, None)
    assert store.documents(session, body.report_id) == (report.data, report.evidence)
    assert [found.quote for found in store.quotes_of(session, "element:hourly-delay")] == [body]
    answer = service.check_quote(session, body.report_id, at=AT)
    assert answer.verdict.equal
    assert answer.verdict.policy == "published"
    assert answer.signed_digests_match
    assert answer.valid_at
    assert not service.check_quote(session, body.report_id, at=body.valid_until + 1).valid_at


def test_quote__sent_again__returns_the_first_and_other_content_is_a_conflict(session):
    report = drafted(session)
    signed = signed_by(service.statement(session, report, ISSUER))
    assert take(session, signed, report) == take(session, signed, report, at=AT + 5)
    assert facts.count(session) == 1
    other = drafted(session, ("/request/scene", "另一场景"))
    later = signed_by(service.statement_of(other, ISSUER))
    with pytest.raises(Conflict):
        take(session, later, other)


def test_quote__projected_again_from_the_fact__gives_the_same_row(session):
    report = drafted(session)
    take(session, signed_by(service.statement(session, report, ISSUER)), report)
    before = session.execute(select(tables.quote)).mappings().all()
    session.execute(tables.quote.delete())
    for fact in facts.facts_of_kind(session, PRICE_QUOTE):
        store.project(session, fact)
    assert session.execute(select(tables.quote)).mappings().all() == before


def test_quote__new_one_supersedes__the_old_row_says_so(session):
    first = drafted(session)
    take(session, signed_by(service.statement(session, first, ISSUER)), first)
    changes = ("/request/report_id", "2" * 32), ("/request/supersedes", first.digest.sha256.hex())
    second = drafted(session, *changes)
    take(session, signed_by(service.statement(session, second, ISSUER)), second)
    assert store.quote(session, "0" * 31 + "1").superseded_by == "2" * 32
    stray = drafted(session, ("/request/report_id", "3" * 32), ("/request/supersedes", "ab" * 32))
    with pytest.raises(PricingRefused, match="supersedes"):
        take(session, signed_by(service.statement(session, stray, ISSUER)), stray)


def _resigned(report, **body):
    statement = service.statement_of(report, ISSUER)
    return signed_by(Statement(PRICE_QUOTE, statement.subject, 0, None, statement.body | body, statement.parts))


@pytest.mark.parametrize(("field", "value"), [("guide_fen", 1), ("cold_start", False), ("version", 7)])
def test_quote__body_that_is_not_what_the_report_says__is_refused_and_nothing_written(session, field, value):
    report = drafted(session)
    with pytest.raises(PricingRefused, match="INPUT_FORM"):
        take(session, _resigned(report, **{field: value}), report)
    assert facts.count(session) == 0


def test_quote__report_with_a_changed_price__is_refused_by_its_pointer(session):
    report = drafted(session)
    forged = changed(report.document, "/result/guide_fen", 1)
    forged["digests"]["report"] = report.document["digests"]["report"]
    fake = replace(report, document=forged, data=canonical.encode(forged))
    parts = PartsRoot.over((fake.data, fake.evidence))
    statement = Statement(PRICE_QUOTE, service.statement_of(report, ISSUER).subject, 0, None,
                          service.statement_of(fake, ISSUER).body, parts)  # fmt: skip
    with pytest.raises(PricingRefused) as caught:
        take(session, signed_by(statement), fake)
    assert caught.value.field == "parts.report/result/guide_fen"
    assert facts.count(session) == 0


def test_quote__under_an_altered_policy__is_refused(session):
    evidence = canonical.decode(drafted(session).evidence)
    raised = from_evidence(canonical.encode(changed(evidence, "/policy/constants/unit_value_fen", 999999)))
    with pytest.raises(PricingRefused, match="NO_POLICY"):
        take(session, signed_by(service.statement_of(raised, ISSUER)), raised)


def test_quote__not_signed_by_its_issuer__is_refused(session):
    report = drafted(session)
    statement = service.statement(session, report, ISSUER)
    with pytest.raises(BadSignature):
        take(session, signed_by(statement, key=sm.generate()), report)
    with pytest.raises(NotSigned):
        take(session, signed_by(statement, by="party:91110000MA0000002X"), report)
    with pytest.raises(NotSigned):
        take(session, Signed(statement, ()), report)
    assert facts.count(session) == 0


def test_quote__trial__cannot_be_stated(session):
    report = drafted(session, ("/request/element/citable", False))
    assert report.document["identity"]["kind"] == "trial"
    with pytest.raises(PricingRefused, match="STATE_FORBIDS"):
        service.statement(session, report, ISSUER)


def test_draft__right_the_registry_does_not_confirm__is_refused(session):
    with pytest.raises(PricingRefused, match="RIGHT_MISSING"):
        drafted(session, ("/request/sources/0/certificate", "演示凭证二号"))


def test_quote__unknown__is_said(session):
    with pytest.raises(UnknownFact):
        store.quote(session, "f" * 32)


def test_view__every_column__has_a_class():
    assert {column.info.get("class") for column in tables.quote.columns} == {"derived"}
