"""Who may look at what in the office pages."""

from __future__ import annotations

from sqlmodel import Session

from api.apikey import Forbidden
from api.desk.waiting import Waiting
from api.sessions import Visitor
from registry import store
from registry.case import Case


def concerned(visitor: Visitor, case: Case) -> bool:
    """Is this an applicant, the representative, or staff of the case's agency?"""
    if visitor.organisation == case.form.agency:
        return True
    named = {item.identity for item in case.form.applicants}
    if case.form.representative is not None:
        named.add(case.form.representative.id_no)
    return visitor.organisation in named


def case_of(session: Session, visitor: Visitor, application: str) -> Case:
    """The case, for those it concerns. Raises `Unknown` or `Forbidden`."""
    case = store.case(session, application)
    if not concerned(visitor, case):
        raise Forbidden("只有申请人和登记机构可以查看。 / Only the applicants and the agency may look.")
    return case


def may_see(visitor: Visitor, waiting: Waiting) -> bool:
    """Drafted, signed or to be signed by this person; for a place of a role, by whoever has that role."""
    return (
        visitor.holder == waiting.drafted_by
        or visitor.holder in waiting.signers
        or any(slot.fits(visitor.holder, visitor.organisation, visitor.roles) for slot in waiting.slots)
    )


def require_role(visitor: Visitor, agency: str, *roles: str) -> None:
    """Raises `Forbidden` unless this is staff of the agency with one of these roles."""
    if not visitor.is_staff or visitor.organisation != agency or not visitor.roles & set(roles):
        raise Forbidden("本页面供登记机构经办人员使用。 / For the agency's own staff.")
