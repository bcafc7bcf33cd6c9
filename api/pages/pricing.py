"""The pricing workbench: a price from a file to a signed quote, with the price following what is typed, and quotes side
by side with what was agreed. The form works without the script; the script adds pictures and prices at each change.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlmodel import Session

from api import price_paper
from api.apikey import Forbidden
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import Slot
from api.office import fields as typed_fields
from api.office import pricing, pricing_cases, pricing_compare, pricing_form, words
from api.office.pricing import Priced
from api.office.pricing_cases import PricingCase
from api.pages.office import FormDep, JsonDep, office_page, see
from api.pages.render import fragment
from api.sessions import HolderDep, ScriptDep, Visitor
from api.settings import fonts_folder
from api.uploads import MAX_DATA, PassingDep
from clearing.errors import ClearingError
from clearing.pricing import picturing, service, store, telling
from clearing.pricing.element.moves import STATE_NAMES
from clearing.pricing.errors import PricingRefused
from clearing.pricing.manifest import Counted
from clearing.pricing.policies import POLICIES
from clearing.pricing.policy import choose
from clearing.pricing.quote import PRICE_QUOTE, statement_of, subject_of
from clearing.pricing.store import QuoteRow
from ledger import canonical
from ledger import store as ledger
from ledger.errors import FieldError, LedgerError
from registry.calendar import text_of
from registry.party import party_subject

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

FORMS: Mapping[str, tuple[str, str]] = {
    "report.pdf": ("application/pdf", "price-report.pdf"),
    "report.json": ("application/json", "price-report.json"),
    "evidence.json": ("application/json", "price-evidence.json"),
}
Form = Literal["report.json", "evidence.json", "report.pdf"]


@router.get("/office/pricing")
def pricing_page(request: Request, visitor: HolderDep, session: ReadDep) -> HTMLResponse:
    return office_page(
        request,
        "pricing",
        visitor,
        called=pricing.names(session, visitor.organisation),
        cases=pricing_cases.all_of(session, visitor.organisation),
        quotes=store.issued_by(session, party_subject(visitor.organisation)),
        stages=telling.STAGES,
        kinds=telling.KINDS,
        most=pricing_compare.MOST,
    )


@router.get("/office/pricing/new")
def new_case(request: Request, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    return _new(request, session, visitor, now, {})


@router.post("/office/pricing")
def begin(
    request: Request, passing: PassingDep, visitor: HolderDep, known: ReadDep, session: WriteDep, now: NowDep
) -> Response:
    """Counts the file, or reads the evidence, and keeps the case; the file is gone before this is answered.

    Nothing is asked of the writing session before the file is counted: no transaction is open meanwhile.
    """
    texts = {name: typed_fields.tidy(text) for name, text in passing.texts.items()}
    path, name = passing.finish(), typed_fields.tidy(passing.name)[:120] or "data"
    try:
        if not pricing_cases.room(known, visitor.organisation):
            most = f"≤ {pricing_cases.MOST_KEPT} 件，请先删除一些定价案 / delete some first"
            raise FieldError("cases", most, "已满 / full")
        if texts.get("what") == "evidence":
            if path.stat().st_size > pricing.MOST_EVIDENCE:
                raise FieldError("file", f"≤ {pricing.MOST_EVIDENCE >> 20} MiB", "更大 / larger")
            case, counted = pricing.from_evidence(path.read_bytes(), by=visitor.holder, at=now)
        else:
            element, version = _element(texts)
            pricing.require_own(known, visitor.organisation, element)
            policy = next(
                (item for item in pricing.policies_in_force(now) if f"{item.id}.{item.version}" == texts.get("policy")),
                None,
            )
            if policy is None:
                raise FieldError("policy", "现行的口径 / a policy in force", texts.get("policy", "")[:80])
            case, counted = pricing.from_file(
                path, name, texts.get("part", ""), policy, element, version, by=visitor.holder, at=now
            )
        pricing.require_own(known, visitor.organisation, case.element)
    except pricing.NoRoom:
        told = ("正在为别人计数，请稍后再交。", "As many files are being counted as may be at once; try again shortly.")
        return _new(request, known, visitor, now, texts, refusal=told, status=503)
    except (ClearingError, LedgerError) as refused:
        return _new(request, known, visitor, now, texts, refusal=pricing_form.said(refused), status=422)
    made = pricing_cases.begin(session, visitor.organisation, case, counted)
    return see(f"/office/pricing/{made.id}")


@router.get("/office/pricing/compare")
def compare_page(
    request: Request, visitor: HolderDep, session: ReadDep, report: Annotated[list[str], Query(max_length=5)]
) -> HTMLResponse:
    found = [_issued(session, visitor, identity) for identity in dict.fromkeys(report)]
    if len({row.quote.element for row in found}) > 1:
        raise FieldError("report", "同一元件的报价 / quotes of one element", "多个元件 / several")
    reports = {f"{place}": _document(session, row) for place, row in enumerate(found, 1)}
    element = found[0].quote.element
    every = pricing_compare.of_element(session, party_subject(visitor.organisation), element)
    return office_page(
        request,
        "pricing_compare",
        visitor,
        called=pricing.names(session, visitor.organisation),
        element=element,
        found=found,
        rows=pricing_compare.rows(list(reports.values())),
        drawn=pricing.drawn((picturing.compared({f"报价 {name}": item for name, item in reports.items()}),)),
        deals=pricing_compare.deals_of(session, visitor.organisation, element, every),
        kinds=telling.KINDS,
    )


@router.get("/office/pricing/quotes/{report}")
def quote_page(request: Request, report: str, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    row = _issued(session, visitor, report)
    document = _document(session, row)
    return office_page(
        request,
        "pricing_quote",
        visitor,
        called=pricing.names(session, visitor.organisation),
        row=row,
        said=telling.told(document, words.moment),
        drawn=pricing.drawn(picturing.pictures(document)),
        forms=FORMS,
        answer=service.check_quote(session, report, at=now),
        others=pricing_compare.of_element(session, row.quote.issuer, row.quote.element),
        deals=pricing_compare.deals_of(session, visitor.organisation, row.quote.element, [row]),
    )


@router.get("/office/pricing/quotes/{report}/{file}")
def quote_file(report: str, file: Form, visitor: HolderDep, session: ReadDep) -> Response:
    _issued(session, visitor, report)
    data, evidence = store.documents(session, report)
    return _file(file, data, evidence)


@router.get("/office/pricing/{case}")
def case_page(
    request: Request, case: str, visitor: HolderDep, session: ReadDep, system: SystemDep,
    checked: Annotated[str, Query(max_length=1)] = "",
) -> HTMLResponse:  # fmt: skip
    """The case as it was saved; what is missing is said once it has been asked for."""
    found, counted = pricing_cases.get(session, visitor.organisation, case)
    result = pricing.priced(session, found, counted, found.values, system.right_in_force)
    return _page(request, session, visitor, found, counted, found.values, result, told=bool(checked))


@router.post("/office/pricing/{case}")
def keep_case(
    request: Request, case: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Keeps what was typed, prices it; or hands out the report of a trial, or deletes the case."""
    do = fields.pop("do", "save")
    if do == "discard":
        pricing_cases.discard(session, visitor.organisation, case)
        return see("/office/pricing")
    found, counted = pricing_cases.get(session, visitor.organisation, case)
    pricing_cases.keep(session, visitor.organisation, case, fields, at=now)
    if do not in FORMS:
        return see(f"/office/pricing/{case}?checked=1")
    result = pricing.priced(session, found, counted, fields, system.right_in_force)
    if result.report is None:
        return _page(request, session, visitor, found, counted, fields, result, told=True, status=422)
    return _file(do, result.report.data, result.report.evidence)


@router.post("/office/pricing/{case}/price")
def price_case(case: str, visitor: ScriptDep, value: JsonDep, session: ReadDep, system: SystemDep) -> JSONResponse:
    """The price of what stands in the form now; nothing is kept."""
    fields = typed_fields.of_document(value)
    found, counted = pricing_cases.get(session, visitor.organisation, case)
    result = pricing.priced(session, found, counted, fields, system.right_in_force)
    return JSONResponse(_answer(result))


@router.post("/office/pricing/{case}/quote")
def draft_quote(
    request: Request, case: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts the quote with report and evidence onto the signature desk; a trial is refused with what makes it one."""
    fields.pop("do", "")
    found, counted = pricing_cases.get(session, visitor.organisation, case)
    if ledger.next_of(session, subject_of(fields.get("report_id", "")))[0]:
        fields["report_id"] = secrets.token_hex(16)
    pricing_cases.keep(session, visitor.organisation, case, fields, at=now)
    pricing.require_own(session, visitor.organisation, found.element)
    result = pricing.priced(session, found, counted, fields, system.right_in_force)
    if result.report is None:
        return _page(request, session, visitor, found, counted, fields, result, told=True, status=422)
    report, issuer = result.report, party_subject(visitor.organisation)
    try:
        stated = statement_of(report, issuer)
        if report.document["identity"]["as_of"] > now:
            raise PricingRefused("INPUT_FORM", "request.as_of", f"≤ {text_of(now)[:19]}", "将来 / in the future")
    except PricingRefused as refused:
        assert result.question is not None
        name = "policy" if result.own else pricing_form.beside(refused, result.question)
        told = _OWN if result.own else pricing_form.said(refused)
        result = pricing.refused(result, name, told)
        return _page(request, session, visitor, found, counted, fields, result, told=True, status=422)
    made = desk.draft(
        session, title=f"指导价报价：{found.element} 第 {found.version} 版", kind=PRICE_QUOTE, subject=stated.subject,
        body=stated.body, slots=(Slot(issuer),), by=visitor.holder, at=now, back=f"/office/pricing/{case}",
        parts=(report.data, report.evidence),
    )  # fmt: skip
    return see(f"/office/desk/{made.id}")


# Inside ---------------------------------------------------------------------------------------------------------------

_OWN = ("口径的参数已改动：自拟口径只作试算，不能存为报价。请恢复口径所定的参数。",
        "Parameters of the policy were moved: a trial only, never a quote.")  # fmt: skip


def _element(texts: Mapping[str, str]) -> tuple[str, int]:
    """The element chosen, or the one typed for a first try. Raises `FieldError`."""
    chosen = texts.get("element", "")
    if chosen:
        identity, _, version = chosen.rpartition(".")
    else:
        identity, version = texts.get("element_id", ""), texts.get("version", "") or "1"
    if not 1 <= len(identity) <= 200:
        raise FieldError("element", "元件 / an element", "未填 / none")
    if not (version.isascii() and version.isdecimal() and 1 <= len(version) <= 9 and int(version)):
        raise FieldError("version", "正整数 / a positive integer", version[:40])
    return identity if identity.startswith(pricing.PREFIX) else pricing.PREFIX + identity, int(version)


def _new(
    request: Request, session: Session, visitor: Visitor, now: int, values: Mapping[str, str], *,
    refusal: tuple[str, str] | None = None, status: int = 200,
) -> HTMLResponse:  # fmt: skip
    return office_page(
        request,
        "pricing_new",
        visitor,
        status,
        elements=pricing.own_elements(session, visitor.organisation),
        policies=pricing.policies_in_force(now),
        states=STATE_NAMES,
        stages=telling.STAGES,
        values=values,
        refusal=refusal,
        most=MAX_DATA,
    )


def _page(
    request: Request, session: Session, visitor: Visitor, case: PricingCase, counted: Counted,
    values: Mapping[str, str], result: Priced, *, told: bool, status: int = 200,
) -> HTMLResponse:  # fmt: skip
    """The case with its form, its price or what is missing, and its pictures; with `told` what is wrong stands beside
    the fields."""
    if result.question is not None:
        policy = choose(POLICIES, case.domain, case.stage, result.question.request["as_of"])
    else:
        policy = choose(POLICIES, case.domain, case.stage, case.updated_at)
    identity = case.element.removeprefix(pricing.PREFIX)
    versions = {row.value.version: row for row in pricing.own_elements(session, visitor.organisation)
                if row.element == identity}  # fmt: skip
    row = versions.get(case.version)
    return office_page(
        request,
        "pricing_case",
        visitor,
        status,
        case=case,
        called=pricing.names(session, visitor.organisation),
        state=STATE_NAMES[row.case.state] if row else "",
        scenes=row.value.scenes if row else (),
        counted=counted,
        columns=pricing.columns_of(counted),
        column_kinds=telling.COLUMN_KINDS,
        policy=policy,
        constants=pricing_form.constants_of(policy),
        groups=pricing_form.groups(values, case, counted, policy),
        values=values,
        messages=result.messages if told else {},
        result=result,
        told=told,
        waiting=waiting.about(session, [subject_of(values.get("report_id", ""))]),
        stages=telling.STAGES,
    )


def _answer(result: Priced) -> dict[str, Any]:
    """What the script is told: the result as the page shows it, and what stands beside which field."""
    price: dict[str, Any] = {}
    if result.report is not None:
        found = result.report.document["result"]
        price = {"guide_fen": found["guide_fen"], "agreed_guide_fen": found["agreed_guide_fen"],
                 "kind": result.report.document["identity"]["kind"]}  # fmt: skip
    said = {name: [{"zh": item.zh, "en": item.en} for item in items] for name, items in result.messages.items()}
    return {
        "html": fragment("office/pricing_result", result=result, told=True),
        "messages": said,
        "own": result.own,
        "price": price,
    }


def _issued(session: Session, visitor: Visitor, report: str) -> QuoteRow:
    """A quote of the visitor's organisation. Raises `UnknownFact`, `Forbidden`: a report holds costs."""
    row = store.quote(session, report)
    if row.quote.issuer != party_subject(visitor.organisation):
        raise Forbidden("定价报告含成本，只给出具方查看。 / A price report holds costs: for its issuer only.")
    return row


def _document(session: Session, row: QuoteRow) -> dict[str, Any]:
    report, _ = store.documents(session, row.quote.report_id)
    document: dict[str, Any] = canonical.decode(report)
    return document


def _file(form: str, data: bytes, evidence: bytes) -> Response:
    kind, name = FORMS[form]
    if form == "report.pdf":
        content = price_paper.render(canonical.decode(data), data, fonts_folder())
    else:
        content = data if form == "report.json" else evidence
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"',
                                                       "Cache-Control": "no-store"})  # fmt: skip
