"""The words of the Dataspace Protocol 2025-1 for our messages: types, paths and events. Source: its HTTPS binding."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from clearing.market.negotiation.message import Message, Side

BASE = "/dsp/2025/1"
CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
PATHS: Mapping[Message, tuple[str, str]] = {
    Message.REQUEST: ("ContractRequestMessage", "request"),
    Message.OFFER: ("ContractOfferMessage", "offers"),
    Message.ACCEPT: ("ContractNegotiationEventMessage", "events"),
    Message.AGREEMENT: ("ContractAgreementMessage", "agreement"),
    Message.VERIFICATION: ("ContractAgreementVerificationMessage", "agreement/verification"),
    Message.FINALISE: ("ContractNegotiationEventMessage", "events"),
    Message.TERMINATE: ("ContractNegotiationTerminationMessage", "termination"),
}
"""Type and path of each message."""
EVENTS: Mapping[Message, str] = {Message.ACCEPT: "ACCEPTED", Message.FINALISE: "FINALIZED"}


def worded(message: Message, side: Side) -> Message:
    """The message as the protocol calls it: a counter is its side's request or offer."""
    if message is Message.COUNTER:
        return Message.REQUEST if side is Side.CONSUMER else Message.OFFER
    return message


def is_below(address: str, known: str) -> bool:
    """Is this address the known one, or one below its path: the same scheme, host and port, and nothing in it that
    servers read in more than one way?"""
    try:
        asked, listed = urlsplit(address), urlsplit(known)
        same = (asked.scheme, asked.hostname, asked.port) == (listed.scheme, listed.hostname, listed.port)
    except ValueError:
        return False
    if set(address) & set("@?#\\%") or ".." in asked.path:
        return False
    path = listed.path.rstrip("/")
    return same and (asked.path == path or asked.path.startswith(path + "/"))
