"""A pricing case for the people who work on it: begun from a file or from evidence, priced by the product's own code,
with its pictures and with every refusal beside its field. Nothing is computed here and nothing is written.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from sqlmodel import Session

from api.apikey import Forbidden
from api.office import pricing_form, words
from api.office.application_form import Message
from api.office.pricing_cases import PricingCase
from api.office.pricing_form import Question
from clearing.pricing import asking, information, picturing, policies, service, trial
from clearing.pricing.element import service as elements
from clearing.pricing.element import store as element_store
from clearing.pricing.element.store import VersionRow, Wanted
from clearing.pricing.errors import PricingRefused
from clearing.pricing.file_format import format_of
from clearing.pricing.inputs import decode
from clearing.pricing.manifest import Counted
from clearing.pricing.picturing import Picture
from clearing.pricing.policy import Policy, choose, threshold_of
from clearing.pricing.price_case import read_case
from clearing.pricing.price_report import PriceReport, price
from clearing.pricing.quality_report import quality_report, read_asked
from clearing.pricing.request import read_request
from clearing.pricing.service import RightInForce
from clearing.pricing.telling import Told, told
from ledger import canonical
from ledger.errors import FieldError, LedgerError
from ledger.reading import body_of

PREFIX = "element:"
MOST_ELEMENTS = 500
MOST_EVIDENCE = 16 << 20
"""Bytes of evidence handed in, and of the counts of a file; a page does not work on more."""
AT_ONCE = 2
"""Files counted at the same time; the next is asked to wait."""
TYPES = {
    "text": "文本", "integer": "整数", "decimal": "小数", "date": "日期", "timestamp": "时间", "boolean": "是否",
    "nested": "嵌套",
}  # fmt: skip
_ROOM = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Priced:
    """What became of a question: the report, or what stands in its way (`messages` beside fields, `refusal` of the
    whole); pictures of what is known either way."""

    question: Question | None
    report: PriceReport | None
    messages: Mapping[str, tuple[Message, ...]]
    refusal: tuple[str, str] | None
    pictures: tuple[Picture, ...]

    @property
    def own(self) -> bool:
        """Was a parameter of the policy moved?"""
        return self.question is not None and self.question.own

    @property
    def told(self) -> Told | None:
        """The report in words."""
        return told(self.report.document, words.moment) if self.report else None

    @property
    def drawn(self) -> list[tuple[Picture, str]]:
        """Each picture with its numbers as the script reads them."""
        return drawn(self.pictures)


class NoRoom(Exception):
    """As many files are being counted as may be at once."""


def drawn(pictures: tuple[Picture, ...]) -> list[tuple[Picture, str]]:
    """Each picture with its numbers as the script reads them."""
    return [(item, json.dumps(msgspec.to_builtins(item), ensure_ascii=False)) for item in pictures]


# Whose ----------------------------------------------------------------------------------------------------------------


def own_elements(session: Session, organisation: str) -> list[VersionRow]:
    """The versions of the elements this organisation develops."""
    return element_store.search(session, Wanted(developer=organisation, seen_by=organisation), MOST_ELEMENTS)


def names(session: Session, organisation: str) -> dict[str, str]:
    """What this organisation's elements are called, by their subject: the newest version's name."""
    rows = sorted(own_elements(session, organisation), key=lambda row: row.value.version)
    return {PREFIX + row.element: row.value.name for row in rows}


def require_own(session: Session, organisation: str, element: str) -> None:
    """Raises `Forbidden` for an element that somebody else develops; one not known here is anybody's to try."""
    rows = element_store.versions(session, element.removeprefix(PREFIX))
    if any(row.value.developer != organisation for row in rows):
        raise Forbidden("只有开发方可以为该元件定价。 / Only its developer may price this element.")


# Beginning ------------------------------------------------------------------------------------------------------------


def policies_in_force(at: int) -> list[Policy]:
    """The policies in force, one of each domain and stage."""
    found = {(item.domain, item.stage): item for item in policies.POLICIES if item.in_force(at)}
    return list(found.values())


def from_file(
    path: Path, name: str, part: str, policy: Policy, element: str, version: int, *, by: str, at: int
) -> tuple[PricingCase, Counted]:  # fmt: skip
    """A case begun from a data file: the file is declared and counted; its counts are all that is taken from it.

    Raises `NoRoom`; `PricingRefused` as counting does, NO_DISTRIBUTION too when no price could follow from the counts.
    """
    if format_of(path) == "table":
        raise PricingRefused(
            "INPUT_FORM", "data.path", "csv | parquet | xlsx", "SQLite：请用 shuqing price / by command line"
        )
    with _counting():
        begun = asking.begun(path, policy, report_id=secrets.token_hex(16), as_of=at, part=part or None)
        begun["data"]["name"] = name
        counted = trial.count_data(begun["data"], policy, at, path.parent)
    information.admit(counted.columns, threshold_of(policy))
    if len(canonical.encode(body_of(counted))) > MOST_EVIDENCE:
        raise PricingRefused(
            "INPUT_FORM",
            "data",
            "较小的计数；请用 shuqing price / smaller counts; use the command line",
            "过大 / too large",
        )
    request = begun["request"]
    request["element"] |= {"id": element, "version": version}
    values = pricing_form.values_of(request, begun["data"]["assessed"], policy)
    return _case(element, version, policy, name, values, by, at), counted


def from_evidence(data: bytes, *, by: str, at: int) -> tuple[PricingCase, Counted]:
    """A case begun from evidence that `shuqing price report` made elsewhere. Raises `PricingRefused`."""
    document = decode(data, "evidence")
    judged = read_case(document)
    request = judged.request
    base = choose(policies.POLICIES, request.domain, request.stage, request.as_of)
    values = pricing_form.of_evidence(document, base)
    element = request.element
    return _case(element.id, element.version, base, judged.counted.manifest.name, values, by, at), judged.counted


def _case(
    element: str, version: int, policy: Policy, name: str, values: Mapping[str, str], by: str, at: int
) -> PricingCase:
    return PricingCase("", element, version, policy.domain, policy.stage, name[:200], by, at, values)


@contextmanager
def _counting() -> Iterator[None]:
    if not _ROOM.acquire(blocking=False):
        raise NoRoom
    try:
        yield
    finally:
        _ROOM.release()


# Pricing --------------------------------------------------------------------------------------------------------------


def priced(
    session: Session,
    case: PricingCase,
    counted: Counted,
    values: Mapping[str, str],
    right_in_force: RightInForce,
) -> Priced:
    """Prices what was typed. What may be cited is priced as a quote is, under the published policy and after asking
    the registry for every right; a trial under its own policy if one was moved."""
    try:
        question = pricing_form.read_form(values, case, counted)
    except PricingRefused as refused:
        return Priced(None, None, {"as_of": (_message(refused),)}, None, ())
    if question.messages:
        return Priced(question, None, question.messages, None, _pictures(question))
    try:
        request = read_request(question.request)
        if request.element.citable:
            report = service.draft(session, request, question.counted, right_in_force)
        else:
            elements.require_quotable(session, request)
            report = price(request, question.policy, question.counted)
    except (PricingRefused, FieldError) as refused:
        name = pricing_form.beside(refused, question)
        return Priced(question, None, {name: (_message(refused),)}, pricing_form.said(refused), _pictures(question))
    except LedgerError as error:
        return Priced(question, None, {}, pricing_form.said(error), _pictures(question))
    return Priced(question, report, {}, None, picturing.pictures(report.document))


def refused(result: Priced, name: str, told: tuple[str, str]) -> Priced:
    """The same, with this against it beside a field."""
    return replace(result, messages={name: (Message("S", *told),)}, refusal=told)


def _message(refused: Exception) -> Message:
    return Message("S", *pricing_form.said(refused))


def _pictures(question: Question) -> tuple[Picture, ...]:
    """What can be drawn before there is a price: entropy, and the scores once the gate is passed."""

    def scored() -> Picture:
        found = quality_report(read_asked(question.request), question.policy, question.counted)
        return picturing.scores(found.document["result"]["scores"])

    def dense() -> Picture:
        return picturing.density(question.counted, question.policy)

    return tuple(item for item in (_if_possible(scored), _if_possible(dense)) if item is not None)


def _if_possible(made: Callable[[], Picture]) -> Picture | None:
    try:
        return made()
    except (PricingRefused, FieldError):
        return None


def columns_of(counted: Counted) -> list[dict[str, Any]]:
    """What was counted of each column, to read."""
    types = {column.name: TYPES[column.type] for column in counted.manifest.columns}
    return [{**body_of(replace(item, profile=())), "type": types.get(item.name, "")} for item in counted.columns]
