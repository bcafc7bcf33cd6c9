"""A published credit figure, an objection to a figure and its answer, and who is related to whom, as statements.

Source: exchange.md §8.3 (reasons, notice, appeal in 10 working days, frozen while appealed; related parties).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.agreement import Hex64, Seconds
from clearing.market.delivery.act import Words
from clearing.settlement.reporting.definitions import Code
from ledger.facts import Statement
from ledger.reading import read
from registry.asset import Twin
from registry.party import check_identity

CREDIT_FIGURE = "credit-figure/v1"
OBJECTION = "credit-objection/v1"
ANSWER = "credit-objection-answer/v1"
PARTY_RELATION = "party-relation/v1"
OFFICER = "credit_officer"
"""Role of the staff that answers objections and states relations nobody declared."""
OF_A_PARTY = frozenset({Code.CREDIT, Code.PARTY_ACTIVITY, Code.CONTRIBUTION, Code.EFFECTIVE_PARTY, Code.RECONCILED})
"""The figures a party may object to."""

Key = Annotated[str, Meta(min_length=1, max_length=240)]
PeriodName = Annotated[str, Meta(pattern=r"^20[0-9]{2}(-(0[1-9]|1[0-2]|Q[1-4]))?\Z")]
Value = Annotated[str, Meta(max_length=200)]


class Grade(StrEnum):
    """Credit grades, best first; 未评级 is no grade."""

    AAA = "AAA"
    AA = "AA"
    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True, slots=True)
class CreditFigure:
    """Body of credit-figure/v1 about "credit:<USCC>", stated by the operator's system key: score and grade of a party
    from the facts up to `as_of` (seconds UTC) without the inputs `set_aside`, "" for 未评级.

    `definition` is "K-01/<version>", `exact` the score as n or n/d, `inputs` the twin digest of the `n` inputs as
    `credit.document_of` writes them. `corrects` is the fact id of the figure it takes the place of.
    """

    party: str
    definition: Value
    as_of: Seconds
    deals: Annotated[int, Meta(ge=0)]
    n: Annotated[int, Meta(ge=0)]
    inputs: Twin
    score: Value = ""
    exact: Value = ""
    grade: Value = ""
    set_aside: tuple[Key, ...] = ()
    corrects: Hex64 | None = None


@dataclass(frozen=True, slots=True)
class Objection:
    """Body of credit-objection/v1 about "credit-objection:<32 hex>", signed by the `party`: what is wrong with which
    `figure` (its number). Credit names the published figure, any other the window `period` and the `as_of` second.

    `inputs` are the keys of the inputs objected to, `papers` digests of what is relied on.
    """

    party: str
    figure: Code
    reason: Words
    published: Hex64 | None = None
    period: PeriodName | None = None
    as_of: Seconds | None = None
    inputs: Annotated[tuple[Key, ...], Meta(max_length=500)] = ()
    papers: Annotated[tuple[Twin, ...], Meta(max_length=50)] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Body of credit-objection-answer/v1, the second act of the objection of `party`, by one member of the operator's
    staff.

    `recomputed` is the figure as it was computed again from the same facts, in words of `service.recomputed`; whoever
    upholds an objection to credit names the inputs that are `set_aside` for good.
    """

    party: str
    upheld: bool
    reason: Words
    recomputed: Value
    set_aside: Annotated[tuple[Key, ...], Meta(max_length=500)] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """Body of party-relation/v1 about "party-relation:<USCC>.<USCC>" in rising order: are the two 关联方?

    Either of the two may say that they are; that they are (no more) is for the operator's staff.
    """

    first: str
    second: str
    related: bool
    ground: Words


def credit_subject(party: str) -> str:
    """The published figures of a party form one chain."""
    return f"credit:{party}"


def objection_subject(identity: str) -> str:
    """An objection and its answer form one chain."""
    return f"credit-objection:{identity}"


def objection_id(subject: str) -> str:
    """The 32-hex id inside an objection's subject. Raises `BadTerms`."""
    identity = subject.removeprefix("credit-objection:")
    if identity == subject or len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", "credit-objection:<32 hex>", subject[:120])
    return identity


def relation_subject(one: str, other: str) -> str:
    """What is said of a pair forms one chain, whoever says it."""
    first, second = sorted((one, other))
    return f"party-relation:{first}.{second}"


def read_objection(statement: Statement) -> Objection:
    """The objection a statement carries, complete for its figure. Raises `FieldError`, `BadTerms`."""
    objection_id(statement.subject)
    _require(statement.parts is None, "statement.parts", "没有分项 / no parts", "parts")
    _require(statement.no == 0, "statement.no", "0", statement.no)
    body = read(Objection, statement.body)
    check_identity(body.party, "body.party")
    _require(body.figure in OF_A_PARTY, "body.figure", " | ".join(sorted(OF_A_PARTY)), body.figure)
    of_credit = body.figure is Code.CREDIT
    for name, wanted in (("published", of_credit), ("period", not of_credit), ("as_of", not of_credit)):
        given = getattr(body, name)
        expected = f"{body.figure} {'必填 / given' if wanted else '不填 / absent'}"
        _require((given is not None) is wanted, f"body.{name}", expected, given)
    _require(of_credit or not body.inputs, "body.inputs", f"{body.figure} 不填 / absent", body.inputs[:1])
    _require(len(set(body.inputs)) == len(body.inputs), "body.inputs", "每项一次 / each once", "one twice")
    return body


def read_answer(statement: Statement) -> Answer:
    """The answer a statement carries. Raises `FieldError`, `BadTerms`."""
    objection_id(statement.subject)
    _require(statement.parts is None, "statement.parts", "没有分项 / no parts", "parts")
    body = read(Answer, statement.body)
    check_identity(body.party, "body.party")
    _require(body.upheld or not body.set_aside, "body.set_aside", "采纳才可搁置 / only if upheld", body.set_aside[:1])
    _require(len(set(body.set_aside)) == len(body.set_aside), "body.set_aside", "每项一次 / each once", "one twice")
    return body


def read_relation(statement: Statement) -> Relation:
    """The relation a statement carries, agreeing with its subject. Raises `FieldError`, `BadTerms`."""
    _require(statement.parts is None, "statement.parts", "没有分项 / no parts", "parts")
    body = read(Relation, statement.body)
    check_identity(body.first, "body.first")
    check_identity(body.second, "body.second")
    _require(body.first < body.second, "body.second", f"> {body.first}", body.second)
    expected = relation_subject(body.first, body.second)
    _require(statement.subject == expected, "statement.subject", expected, statement.subject[:120])
    return body


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
