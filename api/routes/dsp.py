"""The Dataspace Protocol 2025-1 over HTTPS: version, catalogue, negotiations; both sides' endpoints on one base.

A message is mapped to the same service as our own door. With the extension of signed statements it is that statement,
and the envelope must say the same (trap 17); without it the operator only states that it came (D30): such a peer may
negotiate to FINALIZED, but no contract comes into being. Sellers always sign. A peer whose callback address the
operator has listed is called there (`api.calling`); any other asks for the state, and finds offer, agreement and signed
message beside it. Transfers are between the connectors (`api.connector.transfers`).
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response
from sqlmodel import Session

from api import calling, dsp, errors
from api.apikey import Caller, Forbidden
from api.auth import CallerDep, require_own
from api.bodies import DocumentDep
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import dealing
from api.dsp import Envelope
from clearing.errors import BadTerms, Clash, UnknownFact
from clearing.market.agreement import subject_of as agreement_subject
from clearing.market.listing_moves import ORDERABLE
from clearing.market.negotiation import service as negotiating
from clearing.market.negotiation import store
from clearing.market.negotiation.dataspace import BASE
from clearing.market.negotiation.message import (
    Message,
    NegotiationMessage,
    Side,
    Wish,
    id_of,
    message_of,
    read_document,
    subject_of,
)
from clearing.market.negotiation.service import Refusal
from clearing.market.negotiation.store import NegotiationRow
from clearing.market.odrl import read_policy
from clearing.market.policy import Policy
from clearing.market.shelf import store as shelf
from clearing.market.shelf.store import ListingRow
from ledger import canonical
from ledger import store as ledger
from ledger.digest import derive_salt, twin
from registry.asset import Twin

router = APIRouter(tags=["dataspace 数据空间"])

ANSWER_WITHIN = 30 * 86_400
"""Seconds for which a request without a signature, which names no time, can be taken up (P)."""
_RULES = frozenset({"permission", "prohibition"})
Pid = Annotated[str, Path(max_length=80)]


def describe(type_: str) -> dict[str, Any]:
    """The OpenAPI description of a message of the protocol."""
    properties = {"@context": {"type": "array"}, "@type": {"const": type_}, dsp.SIGNED: {"type": "object"}}
    schema = {"type": "object", "required": ["@context", "@type"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("/.well-known/dspace-version", summary="数据空间协议版本 / versions of the Dataspace Protocol")
def versions() -> dict[str, Any]:
    return dsp.VERSIONS


@router.post(
    BASE + "/catalog/request",
    openapi_extra=describe("CatalogRequestMessage"),
    summary="数据目录 / the catalogue of what is on the shelf",
)
def catalog(
    body: DocumentDep, _caller: CallerDep, request: Request, session: ReadDep, system: SystemDep
) -> dict[str, Any]:
    envelope = dsp.read_message(body, "CatalogRequestMessage")
    if envelope.value.get("filter", []) != []:
        raise BadTerms("filter", "no filter: the whole catalogue", "a filter")
    rows = [row for row in shelf.listings(session) if row.state in ORDERABLE]
    return dsp.catalog(rows, f"party:{system.settings.operator}", str(request.base_url).rstrip("/"))


@router.get(BASE + "/catalog/datasets/{dataset}", summary="目录中的一个产品 / one dataset of the catalogue")
def dataset(dataset: Pid, _caller: CallerDep, session: ReadDep) -> dict[str, Any]:
    return dsp.dataset(_on_shelf(session, dataset), root=True)


@router.get(BASE + "/negotiations/{pid}", summary="协商状态 / where a negotiation stands")
def negotiation(pid: Pid, caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    row = _own(session, caller, pid)
    facts = store.messages_of(session, row.id)
    latest, (proposal, body, document) = facts[-1], store.proposal_of(session, row.proposal)
    parts = ledger.parts_of(session, latest.id)
    signed = {"statement": latest.statement.document(), "signatures": [s.document() for s in latest.signatures]}
    digest = body.digest.sha256 if body.digest else proposal.id
    at = ledger.fact(session, row.agreed).at if row.agreed else now
    return dsp.negotiation(row, dsp.on_the_table(row, document, digest, signed, parts, at))


@router.post(
    BASE + "/negotiations/request",
    openapi_extra=describe("ContractRequestMessage"),
    summary="使用方发起协商 / a consumer begins",
    status_code=201,
)
def request(body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> Response:
    envelope = dsp.read_message(body, "ContractRequestMessage")
    if "providerPid" in envelope.value:
        raise BadTerms("providerPid", "none: that of a negotiation belongs into its path", "one")
    pid = envelope.text("consumerPid")
    envelope.text("callbackAddress")
    if envelope.signed is not None:
        answer = _signed(session, system, caller, envelope, Message.REQUEST, now, status=201)
        return _listening(session, system, answer, id_of(envelope.signed.statement.subject), Side.CONSUMER, envelope)
    consumer, listing = _consumer(caller), _asked(session, envelope)
    identity = hashlib.sha256(f"shuqing/dsp/v1\0{consumer}\0{pid}".encode()).hexdigest()
    given = _digest(envelope)
    if (known := store.find(session, identity)) is not None:
        return _again(session, known, given, 201)
    message = NegotiationMessage(
        Message.REQUEST, Side.CONSUMER, consumer, listing.value.seller, listing.id,
        valid_until=now + ANSWER_WITHIN, pid=pid, relayed=given,
    )  # fmt: skip
    answer = _relay(session, system, identity, message, _wish(envelope, listing, consumer, given), now, 201)
    return _listening(session, system, answer, identity, Side.CONSUMER, envelope)


@router.post(
    BASE + "/negotiations/offers",
    openapi_extra=describe("ContractOfferMessage"),
    summary="提供方发起协商 / a provider begins",
    status_code=201,
)
def offer(body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> Response:
    envelope = dsp.read_message(body, "ContractOfferMessage")
    answer = _signed(session, system, caller, envelope, Message.OFFER, now, status=201)
    if envelope.signed is None or "callbackAddress" not in envelope.value:
        return answer
    return _listening(session, system, answer, id_of(envelope.signed.statement.subject), Side.PROVIDER, envelope)


@router.post(
    BASE + "/negotiations/{pid}/request",
    openapi_extra=describe("ContractRequestMessage"),
    summary="使用方反要约 / a consumer counters",
)
def counter(
    pid: Pid, body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    envelope, row = _addressed(session, caller, pid, body, "ContractRequestMessage")
    if envelope.signed is not None:
        return _signed(session, system, caller, envelope, Message.COUNTER, now, row=row, side=Side.CONSUMER)
    given = _digest(envelope)
    wish = _wish(envelope, shelf.listing(session, row.listing), row.consumer, given)
    message = _unsigned(row, Message.COUNTER, given, valid_until=now + ANSWER_WITHIN)
    return _relay_next(session, system, caller, row, message, wish, now)


@router.post(
    BASE + "/negotiations/{pid}/offers",
    openapi_extra=describe("ContractOfferMessage"),
    summary="提供方要约 / a provider offers",
)
def counter_offer(
    pid: Pid, body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    envelope, row = _addressed(session, caller, pid, body, "ContractOfferMessage")
    return _signed(session, system, caller, envelope, Message.COUNTER, now, row=row, side=Side.PROVIDER)


@router.post(
    BASE + "/negotiations/{pid}/events",
    openapi_extra=describe("ContractNegotiationEventMessage"),
    summary="接受要约；签署完成 / accepted, finalized",
)
def event(
    pid: Pid, body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    envelope, row = _addressed(session, caller, pid, body, "ContractNegotiationEventMessage")
    what = {"ACCEPTED": Message.ACCEPT, "FINALIZED": Message.FINALISE}.get(envelope.text("eventType"))
    if what is None:
        raise BadTerms("eventType", "ACCEPTED | FINALIZED", envelope.text("eventType")[:80])
    if envelope.signed is not None or what is Message.FINALISE:
        return _signed(session, system, caller, envelope, what, now, row=row)
    latest = store.proposal_of(session, row.proposal)[1].digest
    message = _unsigned(row, Message.ACCEPT, _digest(envelope), digest=latest)
    return _relay_next(session, system, caller, row, message, None, now)


@router.post(
    BASE + "/negotiations/{pid}/agreement",
    openapi_extra=describe("ContractAgreementMessage"),
    summary="提供方定稿合约 / a provider freezes the agreement",
)
def agreement(
    pid: Pid, body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    envelope, row = _addressed(session, caller, pid, body, "ContractAgreementMessage")
    return _signed(session, system, caller, envelope, Message.AGREEMENT, now, row=row)


@router.post(
    BASE + "/negotiations/{pid}/agreement/verification",
    openapi_extra=describe("ContractAgreementVerificationMessage"),
    summary="使用方核验合约 / a consumer verifies the agreement",
)
def verification(
    pid: Pid, body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    envelope, row = _addressed(session, caller, pid, body, "ContractAgreementVerificationMessage")
    if envelope.signed is not None:
        return _signed(session, system, caller, envelope, Message.VERIFICATION, now, row=row)
    agreed = Twin(row.act_sha256, row.act_sm3) if row.act_sha256 else Twin("0" * 64, "0" * 64)
    message = _unsigned(row, Message.VERIFICATION, _digest(envelope), digest=agreed)
    return _relay_next(session, system, caller, row, message, None, now)


@router.post(
    BASE + "/negotiations/{pid}/termination",
    openapi_extra=describe("ContractNegotiationTerminationMessage"),
    summary="终止协商 / either side terminates",
)
def termination(
    pid: Pid, body: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    envelope, row = _addressed(session, caller, pid, body, "ContractNegotiationTerminationMessage")
    if envelope.signed is not None:
        return _signed(session, system, caller, envelope, Message.TERMINATE, now, row=row)
    code = envelope.text("code") if "code" in envelope.value else None
    message = _unsigned(row, Message.TERMINATE, _digest(envelope), reason=code)
    return _relay_next(session, system, caller, row, message, None, now)


# Inside ---------------------------------------------------------------------------------------------------------------


def _signed(
    session: Session,
    system: System,
    caller: Caller,
    envelope: Envelope,
    wanted: Message,
    now: int,
    *,
    row: NegotiationRow | None = None,
    side: Side | None = None,
    status: int = 200,
) -> Response:
    """Takes in the statement in the extension, if the envelope says the same."""
    if envelope.signed is None:
        raise BadTerms(dsp.SIGNED, f"a signed statement: {wanted} is never taken unsigned", "none")
    require_own(caller, envelope.signed)
    statement = envelope.signed.statement
    body = message_of(statement)
    if (body.message, side or body.side) != (wanted, body.side):
        raise BadTerms(f"{dsp.SIGNED}.statement.body.message", f"{wanted} {side or ''}".strip(), body.message)
    if row is not None and statement.subject != subject_of(row.id):
        raise BadTerms(f"{dsp.SIGNED}.statement.subject", subject_of(row.id), statement.subject)
    if row is None:
        _require_first(envelope, body, statement.subject)
    _require_same_policy(session, envelope, body, row)
    taken = dealing.take(session, system, envelope.signed, envelope.parts, at=now)
    if isinstance(taken, Refusal):
        return _refused(taken)
    return _acknowledged(session, id_of(statement.subject), status)


def _require_first(envelope: Envelope, body: NegotiationMessage, subject: str) -> None:
    """The names of a negotiation that begins: ours is the statement's subject, the consumer's may be its own."""
    if body.message is Message.REQUEST:
        expected, name = body.pid or subject, "consumerPid"
    else:
        expected, name = subject, "providerPid"
    if envelope.value.get(name) != expected:
        raise BadTerms(name, expected, repr(envelope.value.get(name))[:80])


def _require_same_policy(
    session: Session, envelope: Envelope, body: NegotiationMessage, row: NegotiationRow | None
) -> None:
    """Where the envelope states a policy, it is the one that was signed: text and machine terms cannot part."""
    name = "agreement" if body.message is Message.AGREEMENT else "offer"
    if body.message is not Message.AGREEMENT and body.content is None:
        return
    stated = _stated(envelope, name)
    policy = _signed_policy(session, envelope, body, row)
    if name == "agreement" and stated["@id"] != agreement_subject(body.agreement or ""):
        raise BadTerms("agreement.@id", agreement_subject(body.agreement or ""), stated["@id"][:80])
    if name == "offer" and not _RULES & stated.keys():
        return
    _require_target(stated, name, body.listing)
    read = read_policy(stated, assigner=body.provider, assignee=body.consumer, target=body.listing, where=name)
    if read != policy:
        raise BadTerms(name, "the policy of the signed terms", "another")


def _signed_policy(
    session: Session, envelope: Envelope, body: NegotiationMessage, row: NegotiationRow | None
) -> Policy | None:
    if body.message is Message.AGREEMENT and row is not None:
        return dsp.policy_of(store.proposal_of(session, row.proposal)[2])
    signed = envelope.signed
    return dsp.policy_of(read_document(signed.statement, body, envelope.parts)) if signed else None


def _relay(
    session: Session,
    system: System,
    identity: str,
    message: NegotiationMessage,
    wish: Wish | None,
    now: int,
    status: int = 200,
) -> Response:
    taken = negotiating.relay(
        session, identity, message, wish, signer=system.operator.signer, domain=system.agreement_domain, at=now
    )
    if isinstance(taken, Refusal):
        negotiating.record_refusal(session, taken)
        return _refused(taken)
    dealing.follow(session, taken, now)
    return _acknowledged(session, identity, status)


def _relay_next(
    session: Session,
    system: System,
    caller: Caller,
    row: NegotiationRow,
    message: NegotiationMessage,
    wish: Wish | None,
    now: int,
) -> Response:
    """A later message without a signature: of the consumer only, and once however often it is sent."""
    if _consumer(caller) != row.consumer:
        raise BadTerms(dsp.SIGNED, "a signed statement: a provider signs what it says", "none")
    if any(message_of(fact.statement).relayed == message.relayed for fact in store.messages_of(session, row.id)):
        return _acknowledged(session, row.id, 200)
    return _relay(session, system, row.id, message, wish, now)


def _listening(
    session: Session, system: System, answer: Response, identity: str, side: Side, envelope: Envelope
) -> Response:
    """The answer to whoever began; from now on it is called at the address it named, if it may be."""
    if answer.status_code < 300:
        row = store.negotiation(session, identity)
        party = row.consumer if side is Side.CONSUMER else row.provider
        calling.listen(session, system, identity, side, party, str(envelope.value["callbackAddress"]))
    return answer


def _again(session: Session, known: NegotiationRow, given: Twin, status: int) -> Response:
    """The first answer to the same request; the name of a negotiation serves once."""
    first = message_of(store.messages_of(session, known.id)[0].statement)
    if first.relayed != given:
        raise Clash(known.pid, "a consumerPid used once", "another request under it")
    return _acknowledged(session, known.id, status)


def _unsigned(row: NegotiationRow, message: Message, given: Twin, **more: Any) -> NegotiationMessage:
    return NegotiationMessage(
        message, Side.CONSUMER, row.consumer, row.provider, row.listing, relayed=given, **more
    )  # fmt: skip


def _wish(envelope: Envelope, listing: ListingRow, consumer: str, given: Twin) -> Wish:
    """The policy a request without a signature asks for: its own, or that of the offer it names."""
    stated = _stated(envelope, "offer")
    policy = dsp.invitation(listing, consumer)
    if _RULES & stated.keys():
        _require_target(stated, "offer", listing.id)
        policy = read_policy(stated, assigner=listing.value.seller, assignee=consumer, target=listing.id)
    elif stated["@id"] != dsp.offer_id(listing):
        raise BadTerms("offer.@id", dsp.offer_id(listing), stated["@id"][:80])
    # Nothing secret is in it: the salt only has to be the same when the request is sent again.
    return Wish(policy, derive_salt(bytes.fromhex(given.sha256), "wish"))


def _asked(session: Session, envelope: Envelope) -> ListingRow:
    """The listing a request is about: its offer's target, or the offer of the catalogue it names."""
    stated = _stated(envelope, "offer")
    named = stated["@id"].split(":")
    target = stated.get("target", f"listing:{named[1]}" if named[0] == "offer" and len(named) == 3 else None)
    if not isinstance(target, str):
        raise BadTerms("offer.target", "listing:<32 hex>, or an offer of the catalogue", stated["@id"][:80])
    return _on_shelf(session, target)


def _stated(envelope: Envelope, name: str) -> dict[str, Any]:
    """The offer or agreement of a message, which has an IRI. Raises `BadTerms`."""
    stated = envelope.value.get(name)
    if not isinstance(stated, dict) or not isinstance(stated.get("@id"), str):
        raise BadTerms(f"{name}.@id", f"the IRI of the {name}", repr(stated)[:80])
    return stated


def _require_target(stated: dict[str, Any], name: str, listing: str) -> None:
    """A policy in a message names its target (trap 3); whether it is the right one, `read_policy` asks."""
    if "target" not in stated:
        raise BadTerms(f"{name}.target", f"listing:{listing}", "none")


def _on_shelf(session: Session, dataset: str) -> ListingRow:
    row = shelf.listing(session, dataset.removeprefix("listing:")[:32])
    if row.state not in ORDERABLE or dataset.removeprefix("listing:") != row.id:
        raise UnknownFact("dataset", dataset[:80])
    return row


def _addressed(
    session: Session, caller: Caller, pid: str, body: Any, type_: str
) -> tuple[Envelope, NegotiationRow]:  # fmt: skip
    envelope, row = dsp.read_message(body, type_), _own(session, caller, pid)
    dsp.require_pids(envelope, row)
    return envelope, row


def _own(session: Session, caller: Caller, pid: str) -> NegotiationRow:
    """A negotiation of the caller's that the protocol knows; for anybody else it does not exist."""
    identity = pid.removeprefix("negotiation:")
    row = store.find(session, identity)
    if row is None or pid != subject_of(identity):
        raise UnknownFact("negotiation", pid[:80])
    if caller.holder not in {f"party:{row.consumer}", f"party:{row.provider}"} or dsp.state_of(row) is None:
        raise UnknownFact("negotiation", pid[:80])
    return row


def _consumer(caller: Caller) -> str:
    kind, _, name = caller.holder.partition(":")
    if kind != "party":
        raise Forbidden("协商属于单位。 / Negotiations belong to organisations.")
    return name


def _digest(envelope: Envelope) -> Twin:
    return Twin.of(twin(canonical.encode(dict(envelope.value))))


def _acknowledged(session: Session, identity: str, status: int) -> Response:
    return JSONResponse(dsp.negotiation(store.negotiation(session, identity)), status)


def _refused(refusal: Refusal) -> Response:
    """A message the negotiation does not take: 400, also where it is the sender that may not say it."""
    path = f"{BASE}/negotiations/{subject_of(refusal.negotiation)}"
    status = errors.status_of(refusal.error)
    return dsp.error_answer(path, errors.document(refusal.error), 409 if status == 403 else status, None)
