"""登记后异议 of people without a key (guide art. 29): left on a public page, verified and signed by a clerk (D14)."""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from api.deps import NowDep, ReadDep, WriteDep
from api.office import acts, moves, store, words
from api.office.application_form import Message
from api.office.tables import ObjectionRequestRow
from api.pages.guard import LimitedDep
from api.pages.notices import MOST_WAITING, PublicFormDep, left_empty
from api.pages.office import office_page
from api.sessions import Visitor, VisitorDep
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry import store as registry
from registry import validity
from registry.afterlife import store as afterlife
from registry.afterlife.dispute import DisputeGround, RegisterObjection
from registry.errors import GuardRefused
from registry.rights import RIGHT_NAMES, Right
from registry.tables import CertificateRow

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/certificates/{code}/objection")
def objection_page(request: Request, code: str, visitor: VisitorDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    return _page(request, visitor, session, _in_force(session, code, now), {}, {})


@router.post("/certificates/{code}/objection")
def leave_objection(
    request: Request,
    code: str,
    fields: PublicFormDep,
    visitor: VisitorDep,
    session: WriteDep,
    now: NowDep,
    _limited: LimitedDep,
) -> HTMLResponse:
    """What somebody without a key leaves; the objection is filed (O-01) when a clerk has verified the contact."""
    row = _in_force(session, code, now)
    body, messages = _objection(session, row, fields)
    if body is None:
        return _page(request, visitor, session, row, fields, messages, 422)
    if sum(item.certificate == code for item in store.waiting_objections(session)) >= MOST_WAITING:
        raise GuardRefused("O-01", "queue", "待核实的异议过多，请直接联系登记机构。", "too many wait to be verified")
    left = ObjectionRequestRow(
        id=secrets.token_hex(16), application="", objector=body.objector, contact=body.contact, reason=body.reason,
        papers=fields.get("papers", ""), received_at=now, answer="", certificate=code, ground=body.ground.value,
        rights=" ".join(right.value for right in body.rights),
    )  # fmt: skip
    store.put_objection(session, left)
    return office_page(request, "objection_left", visitor, back=f"/check?code={code}", number=left.id)


def objection_of(row: ObjectionRequestRow) -> RegisterObjection:
    """The objection that a request asks for. Raises `FieldError`."""
    papers = moves.papers_of(row.papers, "papers")
    rights = tuple(Right(name) for name in row.rights.split())
    ground = DisputeGround(row.ground)
    return RegisterObjection(row.certificate, row.objector, row.contact, ground, rights, row.reason, papers)


def _in_force(session: Session, code: str, now: int) -> CertificateRow:
    """The certificate objected to. Raises `Unknown`, `GuardRefused`."""
    row = registry.certificate(session, code)
    if not validity.certificate_status(session, code, now).in_force:
        raise GuardRefused("O-01", "certificate_in_force", "该凭证已失效。", "the certificate is not in force")
    return row


def _named(session: Session, row: CertificateRow) -> tuple[Right, ...]:
    """The rights that may be named; of a registration whose publicity was waived nobody is told which there are."""
    held = afterlife.registered_rights(session, row) if row.public else frozenset(Right)
    return tuple(right for right in Right if right in held)


def _objection(
    session: Session, row: CertificateRow, fields: dict[str, str]
) -> tuple[RegisterObjection | None, dict[str, tuple[Message, ...]]]:
    """The objection the fields make, or what is to be said beside them."""
    messages = left_empty(fields)
    rights = [name for name in acts.rights_of(fields, "rights") if name in _named(session, row)]
    if not rights:
        messages["rights"] = (Message("S", "请勾选涉及的权利。", "Tick at least one right."),)
    if fields.get("ground") not in {item.value for item in DisputeGround}:
        messages["ground"] = (Message("S", "请选择异议事由。", "Choose what is wrong."),)
    if messages:
        return None, messages
    try:
        document: dict[str, Any] = {name: fields[name] for name in ("objector", "contact", "reason", "ground")}
        papers = moves.papers_of(fields.get("papers", ""), "papers")
        document |= {"certificate": row.code, "rights": rights, "papers": body_of(papers)}
        return read(RegisterObjection, document, ""), {}
    except FieldError as error:
        chinese, english = words.told(error)
        return None, {"papers": (Message("S", chinese, english),)}


def _page(
    request: Request, visitor: Visitor | None, session: Session, row: CertificateRow, typed: dict[str, str],
    messages: dict[str, Any], status: int = 200,
) -> HTMLResponse:  # fmt: skip
    typed = {"objector": "", "contact": "", "reason": "", "papers": "", "ground": ""} | typed
    return office_page(
        request, "register_objection", visitor, status, row=row, rights=_named(session, row), names=RIGHT_NAMES,
        grounds=list(DisputeGround), typed=typed, messages=messages,
        party=visitor if visitor is not None and not visitor.is_staff else None,
    )  # fmt: skip
