"""An application for a free product and what is done with it, as values. Source: exchange.md §3.1, sharing path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.demand.demand import Evaluation
from clearing.market.listing import Identity
from clearing.market.product import Note, Paper, Text, Words, day_from
from registry.asset import Day
from registry.party import check_identity

GRATIS_REQUEST = "gratis-request/v1"
GRATIS_MOVE = "gratis-move/v1"


class Ground(StrEnum):
    """Why a second grant (二次授权) is needed."""

    PERSONAL = "个人隐私"
    SECRET = "商业秘密"
    PASSED_DOWN = "下沉代理"


class Move(StrEnum):
    """What is done with an application; `apply` is stated by gratis-request/v1, the others by gratis-move/v1."""

    APPLY = "apply"
    SCREEN = "screen"
    ACCEPT = "accept"
    APPROVE = "approve"
    SECOND = "second_grant"
    GRANT = "grant"
    ASK = "ask_change"
    CHANGE = "change"
    EXPIRE = "expire"
    END = "end"
    EVALUATE = "evaluate"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    REVOKE = "revoke"


MOVE_NAMES: Mapping[Move, str] = {
    Move.APPLY: "申请", Move.SCREEN: "初审", Move.ACCEPT: "受理", Move.APPROVE: "提供方审核", Move.SECOND: "二次授权",
    Move.GRANT: "授权", Move.ASK: "申请变更或延期", Move.CHANGE: "变更或延期", Move.EXPIRE: "到期", Move.END: "终止",
    Move.EVALUATE: "评价", Move.REFUSE: "不予通过", Move.WITHDRAW: "申请方撤回", Move.REVOKE: "提供方撤销",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GratisRequest:
    """Body of gratis-request/v1, signed by the applicant: which free listing of which seller (USCC), for what, in which
    scope, up to and including which day."""

    applicant: str
    provider: str
    listing: Identity
    purpose: Text
    scope: Words
    until: Day


@dataclass(frozen=True, slots=True)
class GratisMove:
    """Body of gratis-move/v1. Which fields a move must carry stands in `moves`; the others stay empty.

    `grounds` say why a second grant is needed, `papers` are the second grants themselves, `until` the last day of a
    grant, `scope` what it is changed to, `rule` what the clock acts by.
    """

    move: Move
    reason: Note = ""
    grounds: Annotated[tuple[Ground, ...], Meta(max_length=3)] = ()
    papers: Annotated[tuple[Paper, ...], Meta(max_length=20)] = ()
    until: Annotated[str, Meta(max_length=10)] = ""
    scope: Note = ""
    evaluation: Evaluation | None = None
    rule: Annotated[str, Meta(max_length=200)] = ""


def subject_of(request: str) -> str:
    """The subject of the application with this 32-hex id."""
    return f"gratis-request:{request}"


def id_of(subject: str) -> str:
    """The 32-hex id inside an application's subject. Raises `BadTerms`."""
    identity = subject.removeprefix("gratis-request:")
    if identity == subject or len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", "gratis-request:<32 hex>", subject[:120])
    return identity


def check_request(request: GratisRequest, today: date) -> GratisRequest:
    """Raises `BadTerms`, `FieldError`."""
    check_identity(request.applicant, "body.applicant")
    check_identity(request.provider, "body.provider")
    if request.applicant == request.provider:
        raise BadTerms("body.provider", "申请方以外的一方 / another party than the applicant", request.provider)
    if day_from(request.until, "body.until") < today:
        raise BadTerms("body.until", f"≥ {today}", request.until)
    return request
