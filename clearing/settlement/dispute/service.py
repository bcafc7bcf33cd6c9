"""Taking in what is said in a dispute, and what follows from it for the disputed money; which facts are evidence.

Nothing here commits, reads a clock or decides who is right.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms
from clearing.market import service as market
from clearing.market import store as agreements
from clearing.market.agreement import subject_of as agreement_subject
from clearing.market.delivery import store as deliveries
from clearing.market.delivery.act import subject_of as delivery_subject
from clearing.market.errors import NotEntitled
from clearing.settlement import disputed
from clearing.settlement import store as settlement
from clearing.settlement.dispute import store
from clearing.settlement.dispute.opening import (
    Act,
    Complaint,
    Dispute,
    DisputeAct,
    Evidence,
    Side,
    Topic,
    act_of,
    decide,
    id_of,
)
from clearing.settlement.service import Office
from clearing.settlement.stating import subject_of as inputs_subject
from clearing.usage import store as usage
from clearing.usage.finding import CHECKER, MAKER
from clearing.usage.metering import MeterReading
from ledger import store as ledger
from ledger.errors import UnknownFact as NoSuchFact
from ledger.facts import Fact, Signed
from ledger.reading import read
from ledger.store import Appended
from registry import signers
from registry.asset import Twin

ACT_NAMES = {
    "OPEN": ("投诉", "complain"),
    "ANSWER": ("答复", "answer"),
    "OFFER": ("提出和解方案", "offer"),
    "ACCEPT": ("接受方案", "accept"),
    "MEDIATE": ("请求调解", "ask for mediation"),
    "PROPOSE": ("调解方案", "propose"),
    "LEAVE": ("转外部管辖", "go to court or arbitration"),
    "DECIDE": ("录入裁决", "enter a decision"),
    "WITHDRAW": ("撤回投诉", "withdraw"),
}
STATE_NAMES = {
    "OPEN": "待答复",
    "ANSWERED": "已答复",
    "MEDIATION": "调解中",
    "OUTSIDE": "外部管辖",
    "SETTLED": "已和解",
    "DECIDED": "已裁决",
    "WITHDRAWN": "已撤回",
}
TOPIC_NAMES = {"DELIVERY": "交付", "USE": "使用", "STATEMENT": "账单"}
NEGOTIATION, MEDIATION = 10, 20
"""Working days the parties have to agree, and a mediator to have a proposal accepted (P): after that it is overdue."""


def take(session: Session, signed: Signed, office: Office, *, operator: str, at: int) -> Appended:
    """Takes in a dispute-act/v1 under exactly one signature, of the side that speaks; both are parties of the
    agreement. A mediator is the operator or an authority, and no party of it; a decision is entered by two persons of
    the operator, maker and checker. The same act again gets the first fact.

    A complaint must list every fact of what it is about (`evidence_of`) as it stands now. A disputed charge has its
    disputed part frozen when the complaint comes, released when the dispute is over, and what was upheld is credited.
    Raises `BadTerms`, `FieldError`, `NotSigned`, `BadSignature`, `NotEntitled`, `WrongMove`, `UnknownFact`, and the
    ledger's `Conflict`, `Stale`.
    """
    body = act_of(signed.statement)
    if body.side is Side.OPERATOR:
        _require_two(session, signed, operator, at)
    else:
        taking.require_one(session, signed, body.sender, body.side.value, at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    identity = id_of(signed.statement.subject)
    row = store.find(session, identity)
    if row is None:
        _require_parties(session, body)
        _require_undisputed(session, body)
    if body.mediator is not None:
        _require_neutral(session, body, operator, at)
    case = decide(row.case if row else None, body, at)
    if body.complaint is not None:
        _check_evidence(session, body.agreement, body.complaint)
    taken = taking.take(session, signed, store.PROJECTORS, at=at)
    if case.complaint.charge is not None:
        _move_money(session, office, identity, case, body.act, taken.fact, at)
    return taken


def _move_money(session: Session, office: Office, identity: str, case: Dispute, act: Act, fact: Fact, at: int) -> None:
    """Freezes with the complaint; releases and credits when it is over."""
    charge_id = case.complaint.charge or ""
    charge, _ = settlement.charge(session, charge_id)
    plan = agreements.terms_of(session, charge.agreement, charge.revision).settlement.plan
    if act is Act.OPEN:
        disputed.freeze(
            session, office, dispute=identity, charge_id=charge_id, plan=plan, at=at,
            disputed=store.disputed(session, charge_id),
        )  # fmt: skip
    elif case.over:
        disputed.release(session, office, dispute=identity, at=at)
        if case.upheld:
            disputed.give_back(
                session, office, charge_id=charge_id, amount=case.upheld, basis=fact.id, plan=plan, at=at
            )  # fmt: skip


def evidence_of(
    session: Session, agreement: str, topic: Topic, *, delivery: str = "", start: int = 0, end: int = 0,
    charge: str = "",
) -> list[Fact]:  # fmt: skip
    """The facts a complaint must list, in the order they were taken in: all acts of the agreement; of a delivery all
    its acts; of use in [start, end) every batch with a record of the agreement, every close and heartbeat of its time;
    of a charge its reading, what both sides stated of its period, itself, its shares and what corrected it, and all
    about the use of its period.
    Raises `UnknownFact`, `BadTerms` for a delivery or charge under another agreement."""
    agreements.agreement(session, agreement)
    facts = ledger.facts_of(session, agreement_subject(agreement))
    if topic is Topic.DELIVERY:
        row = deliveries.delivery(session, delivery)
        if row.agreement != agreement:
            raise BadTerms("delivery", f"a delivery under {agreement[:12]}…", delivery)
        facts += ledger.facts_of(session, delivery_subject(delivery))
    elif topic is Topic.STATEMENT:
        body, _ = settlement.charge(session, charge)
        if body.agreement != agreement:
            raise BadTerms("charge", f"a charge under {agreement[:12]}…", charge)
        reading = read(MeterReading, ledger.fact(session, body.reading).body)
        names = usage.facts_about(session, agreement, reading.start, reading.end)
        facts += [ledger.fact(session, name) for name in names]
        facts += ledger.facts_of(session, ledger.fact(session, body.reading).subject)
        chain = ledger.facts_of(session, ledger.fact(session, charge).subject)
        facts += ledger.facts_of(session, inputs_subject(agreement, body.revision, body.period))
        facts += chain + [ledger.fact(session, settlement.shares_of(session, fact.id)) for fact in chain]
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
        end=complaint.end or 0, charge=complaint.charge or "",
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
    if body.complaint is not None and body.complaint.charge is not None:
        charge, _ = settlement.charge(session, body.complaint.charge)
        sides = (charge.buyer, charge.invoice_issuer)
        if (body.filer, body.respondent) != sides:
            raise NotEntitled(body.act, "付款方对开票方 / the buyer against the invoice issuer: " + " ".join(sides),
                              f"{body.filer} {body.respondent}")  # fmt: skip


def _require_undisputed(session: Session, body: DisputeAct) -> None:
    """No part of a charge is disputed twice, or after it was given back; what was disputed or given back of a charge
    that was made anew counts against the one in its place, and a reversed charge has nothing left."""
    complaint = body.complaint
    if complaint is None or complaint.charge is None:
        return
    versions = settlement.in_place_of(session, complaint.charge)
    left = settlement.charge(session, complaint.charge)[0].gross if versions else 0
    for name in versions:
        left += sum(credit.gross for _, credit in settlement.credits_of(session, name))
        left -= store.disputed(session, name)
    if (complaint.amount or 0) > left:
        raise BadTerms("body.complaint.amount", f"≤ {left} 分 fen", complaint.amount)


def _require_neutral(session: Session, body: DisputeAct, operator: str, at: int) -> None:
    """A mediator is the operator or an authority, and no party of the agreement."""
    row, mediator = agreements.agreement(session, body.agreement), body.mediator or ""
    parties = {party.party for party in agreements.terms_of(session, row.id, row.revision).parties}
    if mediator in parties:
        raise NotEntitled(body.act, "合约各方以外 / no party of the agreement", mediator)
    if mediator != operator and not market.is_authority(session, mediator, at):
        raise NotEntitled(body.act, " | ".join(("operator", *sorted(market.AUTHORITY_ROLES))), mediator)


def _require_two(session: Session, signed: Signed, operator: str, at: int) -> None:
    """Two persons of the operator, maker and checker, entered the decision."""
    organisations = signers.organisations_of(session, signed, at)
    roles = sorted(signature.role for signature in signed.signatures)
    if roles != sorted((MAKER, CHECKER)) or list(organisations.values()) != [operator] * 2:
        raise NotEntitled(signed.statement.kind, f"{MAKER} and {CHECKER} of {operator}, two persons", str(roles))
