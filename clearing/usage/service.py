"""Intake of usage batches and of single records: all or nothing, once, with a signed promise as the answer.

Source: exchange.md §5.3, §5.5; decisions D6, D9, D10. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from clearing.errors import Clash, TooEarly
from clearing.market import service as market_service
from clearing.market import store as market
from clearing.market.errors import NotEntitled
from clearing.terms import Period
from clearing.usage import store, tables
from clearing.usage.batch import LOG_PROMISE, USAGE_BATCH, Promise, Received
from clearing.usage.closing import (
    Line,
    TailFinding,
    check_close,
    check_heartbeats,
    ends_at,
    months_of,
    read_report,
)
from clearing.usage.finding import CHECKER, MAKER, Finding, FindingKind, read_explanation, unexplained
from clearing.usage.held import Group, Paths, freeze
from clearing.usage.held import subject_of as held_subject
from clearing.usage.record import FUTURE_LIMIT, Admitted
from clearing.usage.report import Report, report_of, seams_of
from ledger import canonical
from ledger import store as ledger
from ledger.digest import twin
from ledger.errors import BadSignature, Conflict, Erased
from ledger.facts import Fact, Parts, Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry import signers
from registry.asset import Twin
from registry.calendar import day_of
from registry.party import connector_subject

INTEGRATE_WITHIN = 3_600
_NEW_ANSWER = insert(tables.answer)


@dataclass(frozen=True, slots=True)
class Admission:
    """The stored batch and the answer to it, the same bytes each time: canonical {classes, fact, promise}.

    `classes` says how many records fell in each class, `promise` is the operator's signed promise.
    """

    fact: Fact
    answer: str
    replayed: bool

    def document(self) -> dict[str, Any]:
        """The answer as a document."""
        return dict(canonical.decode(self.answer.encode()))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A validly signed batch, or a single record, that contradicts what was taken in before: answered 409 and kept by
    `record_refusal`."""

    connector: str
    first_seq: int
    last_seq: int
    given: Twin
    stored_sha256: str
    document: str
    at: int

    def answer(self) -> dict[str, Any]:
        """What the 409 says."""
        return {"connector": self.connector, "first_seq": self.first_seq, "given": self.given.sha256,
                "last_seq": self.last_seq, "stored": self.stored_sha256}  # fmt: skip


def admit(session: Session, received: Received, *, signer: SystemSigner, at: int) -> Admission | Refusal:
    """Takes in a batch. The same batch again gets the first answer; another one over its numbers is a `Refusal`.

    Raises `BadSignature`, `Unknown` (connector) and `Stale` with nothing written. Gaps and disorder are admitted as
    findings; records with semantic faults are stored with their class.
    """
    signed, header = received.signed, received.batch.header
    statement = signed.statement
    try:
        place = ledger.next_of(session, statement.subject)
        if (statement.no, statement.prev) == place:
            _require_key(session, received, at)
            overlapping = store.overlapping(session, header.connector, header.first_seq, header.last_seq)
            overlapping = overlapping or store.held_otherwise(session, received.batch)
            if overlapping is not None:
                return _refusal(received, overlapping, at)
        taken = ledger.append(session, signed, at=at, parts=received.batch.parts, place=place)
    except Conflict as conflict:
        _require_key(session, received, at)
        return _refusal(received, conflict.existing, at)
    if taken.replayed:
        return Admission(taken.fact, _answer_again(session, taken.fact, signer), True)
    classes = store.take(session, taken.fact, received.batch)
    return Admission(taken.fact, _answer(session, taken.fact, signer, classes=classes), False)


def _require_key(session: Session, received: Received, at: int) -> None:
    by = connector_subject(received.batch.header.connector)
    if signers.keys_of(session, by, at).sm2 != received.key:
        raise BadSignature(by, "不是登记在案的公钥 / not the key on record")


def hold(
    session: Session, records: Sequence[Admitted], *, signer: SystemSigner, at: int
) -> list[bytes | Refusal | Erased]:
    """Takes in records that came alone, of any connectors and in any order, as one fact; the answers in their order.

    An answer is the bytes of a `HeldAnswer`: a record taken in before, alone or in a batch, gets its first one; other
    content under its (connector, seq) is a `Refusal`; `Erased` says that the first answer cannot be given any more.
    Whether the sender may report for the connector is the caller's to check before.
    """
    fresh: dict[tuple[str, int], Admitted] = {}
    for item in records:
        fresh.setdefault(_key(item), item)
    known = store.places_of(session, fresh)
    fresh = {key: item for key, item in fresh.items() if key not in known}
    groups: dict[str, Group] = {}
    if fresh:
        items = list(fresh.values())
        paths = Paths.over([item.digest for item in items])
        parts = Parts(
            tuple([item.data for item in items]),
            tuple([item.digest.sha256 for item in items]),
            tuple([item.digest.sm3 for item in items]),
            paths.commitment,
        )
        here = ledger.next_of(session, held_subject(signer.by))
        fact = ledger.append(session, freeze(parts.commitment, *here, signer), at=at, parts=parts, place=here).fact
        store.put_held(session, fact, items)
        groups[fact.id] = _group(fact, _answer(session, fact, signer), paths)
        digests = enumerate(parts.sha256)
        known |= {key: store.Place(digest.hex(), fact.id, i) for key, (i, digest) in zip(fresh, digests, strict=True)}
    answers: list[bytes | Refusal | Erased] = []
    for item in records:
        place, seq = known[_key(item)], item.record.seq
        if place.sha256 != item.digest.sha256.hex():
            given = Twin.of(item.digest)
            answers.append(Refusal(item.record.connector, seq, seq, given, place.sha256, item.data.decode(), at))
            continue
        try:
            if place.fact_id not in groups:
                groups[place.fact_id] = _group_again(session, place.fact_id, signer)
        except Erased as erased:
            answers.append(erased)
            continue
        answers.append(groups[place.fact_id].answer(place.position))
    return answers


def take_report(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a usage-period-close/v1 or usage-heartbeat/v1 of a connector that the agreement names for its side.

    A month is closed once, when it is over, and a day has one heartbeat: the same statement again gets the first
    fact, another one for the same time raises `Clash`. Raises `FieldError`, `BadSignature`, `Unknown` (connector),
    `UnknownFact` (agreement), `NotEntitled`, `TooEarly`, and the ledger's `Conflict` and `Stale`.
    """
    body, statement = read_report(signed.statement), signed.statement
    by = connector_subject(body.connector)
    signers.require_signature(session, signed, by, at=at)
    if (statement.no, statement.prev) == ledger.next_of(session, statement.subject):
        line = Line(body.connector, body.agreement, body.side)
        if line not in store.lines(session, body.agreement):
            raise NotEntitled(statement.kind, f"a connector the agreement names as {body.side}", by)
        if at + FUTURE_LIMIT < ends_at(body):
            raise TooEarly(statement.subject, ends_at(body), at)
        known = store.reported(session, line, body)
        if known is not None:
            raise Clash(f"{statement.kind} {body.connector} {body.agreement[:12]}…", known, "another statement")
    taken = ledger.append(session, signed, at=at)
    if not taken.replayed:
        store.project(session, taken.fact)
    return taken


def reconciliation(session: Session, agreement: str, start: int, end: int, *, at: int) -> Report:
    """使用对账报告 of an agreement over the uses dated into [start, end), as known at `at`; seconds UTC.

    Raises `UnknownFact`, and `BadTerms` unless start < end. Reads every record of the agreement: a request id never
    expires, so a use of today may have been reported before.
    """
    window = Period("", start, end)
    revisions = range(1, market.agreement(session, agreement).revision + 1)
    items = [
        market_service.settled_by(agreement, number, market.terms_of(session, agreement, number))
        for number in revisions
    ]
    connectors = sorted({line.connector for line in store.lines(session, agreement)})
    return report_of(
        items,
        window,
        store.metered_uses(session, agreement),
        store.unsigned_uses(session, agreement, connectors),
        tail_findings(session, agreement, window, items[-1].terms.period.grace, at=at),
        [
            seam
            for connector in connectors
            for seam in seams_of(store.findings(session, connector), store.explanations(session, connector))
        ],
        as_of=at,
    )


def tail_findings(session: Session, agreement: str, window: Period, grace: int, *, at: int) -> list[TailFinding]:
    """Months of the window that were not closed as they should, and days of it without a heartbeat, of every connector
    the agreement names; `grace` seconds after its end a month must be closed. Raises `UnknownFact`."""
    closes = store.closes(session, agreement)
    first, last = day_of(window.start).isoformat(), day_of(window.end).isoformat()
    beats = store.heartbeats(session, agreement, first, last)
    months = [found for found in months_of(window.start, window.end) if found.start >= window.start]
    findings: list[TailFinding] = []
    for line, spans in sorted(store.lines(session, agreement).items(), key=lambda item: str(item[0])):
        for period in months:
            named = any(since < period.end and until > period.start for since, until in spans)
            if named and period.end <= window.end:
                held, close = store.tally(session, line, period), closes.get((line, period.name))
                findings += check_close(line, period, close, held, period.end + grace, at)
        for since, until in spans:
            span = max(since, window.start), min(until, window.end)
            findings += check_heartbeats(line, beats.get(line, set()), *span, at)
    return findings


def explain(session: Session, signed: Signed, *, operator: str, at: int) -> Appended:
    """Takes in a usage-finding-explained/v1 that two persons of the operator, maker and checker, signed.

    Raises `FieldError`, `NotEntitled` unless it is they, `BadSignature`, `Unknown`, `Clash` when no open finding of
    this kind has just these numbers (nothing is explained before it happened), and the ledger's `Conflict`, `Stale`.
    """
    body, statement = read_explanation(signed.statement), signed.statement
    organisations = signers.organisations_of(session, signed, at)
    roles = sorted(signature.role for signature in signed.signatures)
    if roles != sorted((MAKER, CHECKER)) or list(organisations.values()) != [operator] * 2:
        raise NotEntitled(statement.kind, f"{MAKER} and {CHECKER} of {operator}, two persons", str(roles))
    if (statement.no, statement.prev) == ledger.next_of(session, statement.subject):
        mine = [item for item in store.findings(session, body.connector) if item.kind is body.finding]
        if (body.first_seq, body.last_seq) not in {(item.first_seq, item.last_seq) for item in mine}:
            raise Clash(statement.subject, f"one of {[str(item) for item in mine]}",
                        f"{body.finding} #{body.first_seq}–{body.last_seq}")  # fmt: skip
    taken = ledger.append(session, signed, at=at)
    if not taken.replayed:
        store.project(session, taken.fact)
    return taken


def require_named(session: Session, connector: str, agreements: Iterable[str]) -> None:
    """Raises `UnknownFact` (agreement), and `NotEntitled` for one whose terms never named the connector."""
    for agreement in agreements:
        if not any(line.connector == connector for line in store.lines(session, agreement)):
            raise NotEntitled(f"agreement:{agreement}", "a connector its terms name", connector_subject(connector))


def acts_from(session: Session, known: Mapping[str, int]) -> list[tuple[Signed, list[bytes]]]:
    """Acts, each with its parts, of these agreements from the number given on: what their connector has yet to know."""
    found: list[tuple[Signed, list[bytes]]] = []
    for _, _, fact_id in market.acts_from(session, known):
        fact = ledger.fact(session, fact_id)
        found.append((Signed(fact.statement, fact.signatures), ledger.parts_of(session, fact_id)))
    return found


def open_findings(session: Session, start: int, end: int) -> list[Finding]:
    """What blocks the cut-off of [start, end), seconds UTC: findings that nobody explained and that may hide a use
    before `end`, of the connectors named by agreements in force then (D9)."""
    agreements = {item.agreement for item in market_service.agreement_terms(session, start, end)}
    connectors = {line.connector for agreement in agreements for line in store.lines(session, agreement)}
    alone = {
        (use.connector, use.seq)
        for agreement in agreements
        for use in store.unsigned_uses(session, agreement, connectors)
        if use.occurred_at < end
    }

    def concerns(finding: Finding) -> bool:
        if finding.kind is FindingKind.UNSIGNED:  # the records are here and say when they were
            return any((finding.connector, seq) in alone for seq in range(finding.first_seq, finding.last_seq + 1))
        before = store.dated_before(session, finding)
        return before is None or before < end

    return [
        finding
        for connector in sorted(connectors)
        for finding in unexplained(store.findings(session, connector), store.explanations(session, connector))
        if concerns(finding)
    ]


def record_refusal(session: Session, refusal: Refusal) -> None:
    """Keeps a refused batch, once per digest; the route calls this in a transaction that is committed."""
    table = tables.refusal
    key = (table.c.connector == refusal.connector) & (table.c.given_sha256 == refusal.given.sha256)
    if session.execute(select(table.c.at).where(key)).first() is None:
        session.execute(
            insert(table).values(
                connector=refusal.connector,
                given_sha256=refusal.given.sha256,
                given_sm3=refusal.given.sm3,
                stored_sha256=refusal.stored_sha256,
                first_seq=refusal.first_seq,
                last_seq=refusal.last_seq,
                at=refusal.at,
                document=refusal.document,
            )
        )


def _refusal(received: Received, stored: str, at: int) -> Refusal:
    header, signed = received.batch.header, received.signed
    document = canonical.encode(signed.document()).decode()
    given = Twin.of(signed.statement.digest())
    return Refusal(header.connector, header.first_seq, header.last_seq, given, stored, document, at)


def _key(item: Admitted) -> tuple[str, int]:
    return item.record.connector, item.record.seq


def _answer(session: Session, fact: Fact, signer: SystemSigner, **more: Any) -> str:
    promise = Promise(Twin.of(fact.digest()), Twin.of(fact.statement.digest()), fact.at, fact.at + INTEGRATE_WITHIN)
    statement = Statement(LOG_PROMISE, f"log-promise:{fact.id}", 0, None, body_of(promise))
    signed = Signed(statement, (signer.sign(statement),))
    document = canonical.encode({"fact": fact.id, "promise": signed.document(), **more}).decode()
    session.execute(_NEW_ANSWER, {"fact_id": fact.id, "document": document})
    return document


def _answer_again(session: Session, fact: Fact, signer: SystemSigner) -> str:
    """The first answer; an archive carries none, so after an import it is made once more."""
    table = tables.answer
    found = session.execute(select(table.c.document).where(table.c.fact_id == fact.id)).scalar()
    if found is not None:
        return str(found)
    if fact.kind != USAGE_BATCH:
        return _answer(session, fact, signer)
    classes = store.classes_of(session, fact.body["connector"], fact.statement.no)
    return _answer(session, fact, signer, classes=classes)


def _group(fact: Fact, answer: str, paths: Paths) -> Group:
    return Group(fact, canonical.decode(answer.encode())["promise"], paths)


def _group_again(session: Session, fact_id: str, signer: SystemSigner) -> Group:
    fact = ledger.fact(session, fact_id)
    paths = Paths.over([twin(part) for part in ledger.parts_of(session, fact_id)])
    return _group(fact, _answer_again(session, fact, signer), paths)
