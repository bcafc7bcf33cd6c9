"""Taking in a complaint, its answer and its withdrawal; which facts are the evidence of a complaint.

Nothing here commits, reads a clock or decides who is right.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms
from clearing.market import store as agreements
from clearing.market.agreement import subject_of as agreement_subject
from clearing.market.delivery import store as deliveries
from clearing.market.delivery.act import subject_of as delivery_subject
from clearing.market.errors import NotEntitled
from clearing.settlement.dispute import store
from clearing.settlement.dispute.opening import Complaint, DisputeAct, Evidence, Topic, act_of, decide, id_of
from clearing.usage import store as usage
from ledger import store as ledger
from ledger.errors import UnknownFact as NoSuchFact
from ledger.facts import Fact, Signed
from ledger.store import Appended
from registry.asset import Twin

ACT_NAMES = {"OPEN": ("投诉", "complain"), "ANSWER": ("答复", "answer"), "WITHDRAW": ("撤回投诉", "withdraw")}
STATE_NAMES = {"OPEN": "待答复", "ANSWERED": "已答复", "WITHDRAWN": "已撤回"}
TOPIC_NAMES = {"DELIVERY": "交付", "USE": "使用"}


def take(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a dispute-act/v1 under exactly one signature, of the side that speaks; both are parties of the
    agreement. The same act again gets the first fact.

    A complaint must list every fact of what it is about (`evidence_of`) as it stands now. Raises `BadTerms`,
    `FieldError`, `NotSigned`, `BadSignature`, `NotEntitled`, `WrongMove`, `UnknownFact`, and the ledger's `Conflict`,
    `Stale`.
    """
    body = act_of(signed.statement)
    taking.require_one(session, signed, body.sender, body.side.value, at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    row = store.find(session, id_of(signed.statement.subject))
    if row is None:
        _require_parties(session, body)
    decide(row.case if row else None, body, at)
    if body.complaint is not None:
        _check_evidence(session, body.agreement, body.complaint)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def evidence_of(
    session: Session, agreement: str, topic: Topic, *, delivery: str = "", start: int = 0, end: int = 0
) -> list[Fact]:
    """The facts a complaint must list, in the order they were taken in: all acts of the agreement; of a delivery all
    its acts; of use in [start, end) every batch with a record of the agreement, every close and heartbeat of its time.
    Raises `UnknownFact`, `BadTerms` for a delivery under another agreement."""
    agreements.agreement(session, agreement)
    facts = ledger.facts_of(session, agreement_subject(agreement))
    if topic is Topic.DELIVERY:
        row = deliveries.delivery(session, delivery)
        if row.agreement != agreement:
            raise BadTerms("delivery", f"a delivery under {agreement[:12]}…", delivery)
        facts += ledger.facts_of(session, delivery_subject(delivery))
    else:
        facts += [ledger.fact(session, name) for name in usage.facts_about(session, agreement, start, end)]
    return sorted(facts, key=lambda fact: (fact.at, fact.subject, fact.statement.no))


def listed(session: Session, complaint: Complaint) -> list[Fact]:
    """The facts a complaint lists, in its order. Raises the ledger's `UnknownFact`, `Erased`."""
    return [ledger.fact(session, item.fact) for item in complaint.evidence]


def entry_of(fact: Fact) -> Evidence:
    """How a complaint lists a fact."""
    return Evidence(fact.id, Twin.of(fact.digest()))


def _check_evidence(session: Session, agreement: str, complaint: Complaint) -> None:
    given = {item.fact: item.digest for item in complaint.evidence}
    must = evidence_of(
        session, agreement, complaint.topic, delivery=complaint.delivery or "", start=complaint.start or 0,
        end=complaint.end or 0,
    )  # fmt: skip
    for fact in must:
        if fact.id not in given:
            expected = f"{fact.kind} {fact.subject[:40]} no {fact.statement.no}"
            raise BadTerms("body.complaint.evidence", expected, "缺 / left out")
    known = {fact.id: fact for fact in must}
    for place, (name, digest) in enumerate(given.items()):
        field = f"body.complaint.evidence[{place}]"
        fact = known.get(name) or _named(session, name, field)
        if Twin.of(fact.digest()) != digest:
            raise BadTerms(f"{field}.digest", Twin.of(fact.digest()).sha256, digest.sha256)
        if name not in known and agreement.encode() not in fact.bytes():
            raise BadTerms(field, f"写明合约 {agreement[:12]}… 的事项 / a fact that names the agreement", name)


def _named(session: Session, name: str, field: str) -> Fact:
    try:
        return ledger.fact(session, name)
    except NoSuchFact:
        raise BadTerms(f"{field}.fact", "已入册的事项 / a fact there is", name) from None


def _require_parties(session: Session, body: DisputeAct) -> None:
    row = agreements.agreement(session, body.agreement)
    parties = {party.party for party in agreements.terms_of(session, row.id, row.revision).parties}
    for party in (body.filer, body.respondent):
        if party not in parties:
            raise NotEntitled(body.act, " | ".join(sorted(parties)), party)
