"""Documents of the Dataspace Protocol 2025-1 (HTTPS binding) in compact form, made from what the market stores.

Our signatures travel in extensions, because the protocol has none: under `SIGNED` a message carries the signed
statement it stands for, with its parts. Names of things are our subjects: "negotiation:<64 hex>" is the providerPid,
"listing:<32 hex>" a dataset, "agreement:<64 hex>" an agreement, "party:<USCC>" a participant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from clearing.errors import BadTerms
from clearing.market.agreement import Terms
from clearing.market.agreement import subject_of as agreement_subject
from clearing.market.negotiation.dataspace import BASE, CONTEXT, EVENTS, PATHS, worded
from clearing.market.negotiation.message import Document, Message, NegotiationMessage, Side, Wish, subject_of
from clearing.market.negotiation.moves import LEAD_IN, State
from clearing.market.negotiation.store import NegotiationRow
from clearing.market.odrl import render_agreement, render_offer, target_of
from clearing.market.policy import Action, Policy, Rule
from clearing.market.shelf.store import ListingRow
from ledger.facts import Fact, Signed, require_fields

SQ = "urn:shuqing:dsp:"
SIGNED, OFFER, AGREEMENT, ABOUT = f"{SQ}signed", f"{SQ}offer", f"{SQ}agreement", f"{SQ}listing"
VERSIONS = {"protocolVersions": [{"version": "2025-1", "path": BASE, "binding": "HTTPS"}]}
SERVICE = "urn:shuqing:service:dsp"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it came: its fields, and what its extension holds if its sender signs."""

    value: Mapping[str, Any]
    signed: Signed | None
    parts: tuple[bytes, ...]

    def text(self, name: str) -> str:
        """A text field of at most 200 characters. Raises `BadTerms`."""
        found = self.value.get(name)
        if not isinstance(found, str) or not 0 < len(found) <= 200:
            raise BadTerms(name, "a text of 1 to 200 characters", repr(found)[:80])
        return found


def read_message(value: Any, type_: str) -> Envelope:
    """Reads a message of this type in compact form. Raises `BadTerms`, `FieldError`."""
    if not isinstance(value, dict):
        raise BadTerms("message", "an object", type(value).__name__)
    context = value.get("@context")
    if CONTEXT not in (context if isinstance(context, list) else [context]):
        raise BadTerms("@context", f"[{CONTEXT}]", repr(context)[:80])
    if value.get("@type") != type_:
        raise BadTerms("@type", type_, repr(value.get("@type"))[:80])
    extension = value.get(SIGNED)
    if extension is None:
        return Envelope(value, None, ())
    require_fields(extension, SIGNED, {"statement", "signatures"}, {"parts"})
    texts = extension.get("parts", [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadTerms(f"{SIGNED}.parts", "a list of texts", repr(texts)[:80])
    signed = Signed.of_document({name: extension[name] for name in ("statement", "signatures")})
    return Envelope(value, signed, tuple(text.encode() for text in texts))


def require_pids(envelope: Envelope, row: NegotiationRow) -> None:
    """The message names this negotiation, on both sides. Raises `BadTerms`."""
    for name, expected in (("providerPid", subject_of(row.id)), ("consumerPid", consumer_pid(row))):
        if envelope.value.get(name) != expected:
            raise BadTerms(name, expected, repr(envelope.value.get(name))[:80])


def consumer_pid(row: NegotiationRow) -> str:
    """The consumer's own name of a negotiation, or ours."""
    return row.pid or subject_of(row.id)


def state_of(row: NegotiationRow) -> str | None:
    """The state as the protocol knows it: it begins with full terms, so a lead-in has none."""
    if row.state in LEAD_IN:
        return None
    return State.TERMINATED.value if row.state is State.WITHDRAWN else row.state.value


def negotiation(row: NegotiationRow, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ContractNegotiation that acknowledges a message, with extensions if any."""
    pids = {"providerPid": subject_of(row.id), "consumerPid": consumer_pid(row)}
    return {"@context": [CONTEXT], "@type": "ContractNegotiation", **pids, "state": state_of(row), **(more or {})}


def policy_of(document: Document | None) -> Policy | None:
    """The use policy a proposal states."""
    return document.policy if isinstance(document, Terms | Wish) else None


def on_the_table(
    row: NegotiationRow, document: Document, digest: str, signed: Mapping[str, Any], parts: Sequence[bytes], at: int
) -> dict[str, Any]:
    """For a peer that asks instead of being called: the latest offer, the agreement once it is frozen, and the latest
    message with its signature."""
    policy = policy_of(document)
    more: dict[str, Any] = {SIGNED: {**signed, "parts": [part.decode() for part in parts]}}
    if policy is not None:
        more[OFFER] = render_offer(policy, f"offer:{digest}")
        if row.agreement:
            more[AGREEMENT] = render_agreement(policy, agreement_subject(row.agreement), at)
    return more


def offer_id(row: ListingRow) -> str:
    """The IRI of a listing version's offer in the catalogue."""
    return f"offer:{row.id}:{row.value.version}"


def invitation(row: ListingRow, consumer: str) -> Policy:
    """What a listing offers in the catalogue: its use, to be negotiated. No price and no promise is in it."""
    return Policy(1, row.value.seller, consumer, row.id, (Rule(Action.USE),))


def dataset(row: ListingRow, *, root: bool) -> dict[str, Any]:
    """A listing as a Dataset with its offer; the public view only."""
    value = row.value
    about = {"version": value.version, "unit": value.unit, "certificate": value.certificate, "use": value.policy}
    made = {
        "@id": target_of(row.id),
        "@type": "Dataset",
        "dct:title": value.name,
        "dct:description": value.overview,
        "dct:publisher": f"party:{value.seller}",
        "dcat:version": str(value.version),
        ABOUT: about,
        "hasPolicy": [render_offer(invitation(row, ""), offer_id(row), in_catalogue=True)],
        "distribution": [{"@type": "Distribution", "format": value.type.value, "accessService": SERVICE}],
    }
    return {"@context": [CONTEXT], **made} if root else made


def catalog(rows: Sequence[ListingRow], participant: str, url: str) -> dict[str, Any]:
    """The Catalog of what is on the shelf; `participant` is who keeps it, `url` where it is served."""
    service = {"@id": SERVICE, "@type": "DataService", "endpointURL": url + BASE}
    made: dict[str, Any] = {
        "@context": [CONTEXT],
        "@id": f"{SERVICE}:catalog",
        "@type": "Catalog",
        "participantId": participant,
        "service": [service],
    }
    return made | ({"dataset": [dataset(row, root=False) for row in rows]} if rows else {})


def message(
    row: NegotiationRow, fact: Fact, body: NegotiationMessage, document: Document | None, parts: Sequence[bytes]
) -> tuple[str, dict[str, Any]] | None:
    """A message that was taken in, as the protocol says it to the other side: the path under that side's address, and
    what is sent there; None for what the protocol has no word for. `document` is the proposal it brings or freezes."""
    what = worded(body.message, body.side)
    if what not in PATHS:
        return None
    type_, end = PATHS[what]
    signed = {"statement": fact.statement.document(), "signatures": [item.document() for item in fact.signatures]}
    made: dict[str, Any] = {
        "@context": [CONTEXT],
        "@id": f"urn:sha256:{fact.id}",
        "@type": type_,
        "providerPid": subject_of(row.id),
        "consumerPid": consumer_pid(row),
        SIGNED: {**signed, "parts": [part.decode() for part in parts]},
    }
    policy = policy_of(document)
    if what in EVENTS:
        made["eventType"] = EVENTS[what]
    if what is Message.TERMINATE:
        made |= {"code": "TERMINATED"} | ({"reason": [{"message": body.reason}]} if body.reason else {})
    if what in (Message.REQUEST, Message.OFFER, Message.AGREEMENT):
        if policy is None:
            return None
        if what is Message.AGREEMENT:
            made["agreement"] = render_agreement(policy, agreement_subject(body.agreement or ""), fact.at)
        else:
            made["offer"] = render_offer(policy, f"offer:{body.digest.sha256 if body.digest else fact.id}")
    pid = consumer_pid(row) if body.side is Side.PROVIDER else subject_of(row.id)
    return f"/negotiations/{quote(pid, safe=':')}/{end}", made


def error_answer(path: str, body: Mapping[str, Any], status: int, headers: Mapping[str, str] | None) -> Response:
    """One of our refusals as the protocol wants it: CatalogError or ContractNegotiationError.

    What a stranger may not see does not exist (404); whatever else the request got wrong is 400.
    """
    if status == 403:
        status = 404
    elif status in (409, 410, 422):
        status = 400
    about: dict[str, Any] = {"@type": "CatalogError"}
    if not path.startswith(f"{BASE}/catalog"):
        pid = next((part for part in path.split("/") if part.startswith("negotiation:")), "")
        about = {"@type": "ContractNegotiationError", "providerPid": pid[:80], "consumerPid": ""}
    reason = {name: body[name] for name in ("message", "field", "expected", "given") if name in body}
    document = {"@context": [CONTEXT], **about, "code": body["error"], "reason": [reason]}
    return JSONResponse(document, status, headers)
